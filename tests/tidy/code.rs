//! Just enough reading of Rust text for the rules: no syntax tree, only what is code, what is a
//! test, which modules a file names and where its functions end. Offsets and lines stay those of
//! the file, because what is cut is replaced by blanks.

/// The text with comments, strings and character literals blanked.
pub fn bare(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if starts_token(bytes, at) && raw_string(rest).is_some() {
            raw_string(rest).unwrap_or(0)
        } else if rest.starts_with('"') {
            quoted(rest)
        } else if rest.starts_with('\'') {
            character(rest)
        } else {
            0
        };
        blank(&mut out[at..at + length]);
        at += length.max(rest.chars().next().map_or(1, char::len_utf8));
    }
    String::from_utf8(out).expect("whole characters are blanked")
}

/// Code with its test modules blanked, from their attribute to the closing brace.
pub fn without_tests(code: &str) -> String {
    let mut out = code.as_bytes().to_vec();
    let mut from = 0;
    while let Some(start) = code[from..].find("#[cfg(test)]").map(|found| found + from) {
        let end = match code[start..].find(['{', ';']).map(|found| found + start) {
            Some(open) if code.as_bytes()[open] == b'{' => closing_brace(code, open),
            Some(semicolon) => semicolon + 1,
            None => code.len(),
        };
        blank(&mut out[start..end]);
        from = end;
    }
    String::from_utf8(out).expect("whole characters are blanked")
}

/// The crate's top modules that code of `path` names, in any path expression, with their lines.
pub fn modules_named(path: &str, code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if starts_token(code.as_bytes(), at) && !code[..at].ends_with('$') {
            push_names(code, at + "crate::".len(), &mut found);
        }
    }
    // `src/engine/log.rs` is two modules deep, `src/engine/mod.rs` one: that many `super` lead to
    // the crate's root.
    let depth = path.split('/').skip(1).filter(|part| *part != "mod.rs").count();
    for (at, _) in code.match_indices("super::") {
        if code[..at].ends_with("super::") || !starts_token(code.as_bytes(), at) {
            continue;
        }
        let supers = code[at..].split("super::").take_while(|between| between.is_empty()).count();
        let after = at + "super::".len() * supers.max(1);
        if supers == depth {
            push_names(code, after, &mut found);
        }
    }
    found
}

/// Every function with its line and the number of lines of code between its braces.
pub fn functions(code: &str) -> Vec<(usize, String, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let name = identifier(&code[at + 3..]);
        if name.is_empty() || !starts_token(code.as_bytes(), at) {
            continue;
        }
        if let Some(open) = body(code, at) {
            let inside = &code[open + 1..closing_brace(code, open) - 1];
            // A match of one-line arms and nothing else is a table: its arms are not counted.
            let table = inside.trim_start().starts_with("match ");
            let counts = |line: &&str| !(line.trim().is_empty() || table && is_arm(line));
            let lines = inside.lines().filter(counts).count();
            found.push((line_of(code, at), name.to_owned(), lines));
        }
    }
    found
}

/// Where `word` stands on its own: not as a part of a longer name.
pub fn word_lines(code: &str, word: &str) -> Vec<usize> {
    let ends =
        |at: usize| !code[at + word.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
    code.match_indices(word)
        .filter(|(at, _)| starts_token(code.as_bytes(), *at) && ends(*at))
        .map(|(at, _)| line_of(code, at))
        .collect()
}

/// The line, from 1, of a byte offset.
pub fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
}

fn push_names(code: &str, at: usize, found: &mut Vec<(usize, String)>) {
    let rest = &code[at..];
    if !rest.starts_with('{') {
        found.push((line_of(code, at), identifier(rest).to_owned()));
        return;
    }
    let mut depth = 0;
    let mut expects_name = false;
    for (offset, character) in rest.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ if depth == 1 && expects_name && !character.is_whitespace() => {
                let name = identifier(&rest[offset..]);
                found.push((line_of(code, at + offset), name.to_owned()));
            }
            _ => {}
        }
        if depth == 0 {
            return;
        }
        let opens = depth == 1 && matches!(character, '{' | ',');
        expects_name = opens || (expects_name && character.is_whitespace());
    }
}

fn is_arm(line: &str) -> bool {
    let line = line.trim_end();
    line.ends_with(',') && line.contains("=>") || line.trim_start().starts_with("| ")
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

fn starts_token(bytes: &[u8], at: usize) -> bool {
    at == 0 || !(bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_')
}

/// The opening brace of the function at `at`; none if it is only declared.
fn body(code: &str, at: usize) -> Option<usize> {
    let mut depth = 0;
    for (offset, character) in code[at..].char_indices() {
        match character {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '{' if depth == 0 => return Some(at + offset),
            ';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// One past the brace that closes the one at `open`.
fn closing_brace(code: &str, open: usize) -> usize {
    let mut depth = 0;
    for (offset, character) in code[open..].char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return open + offset + 1;
        }
    }
    code.len()
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        let step = match rest.as_bytes()[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                2
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                2
            }
            _ => 1,
        };
        at += step;
        if depth == 0 {
            break;
        }
    }
    at
}

fn raw_string(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix("r").or(rest.strip_prefix("br")).or(rest.strip_prefix("cr"))?;
    let hashes = after.bytes().take_while(|byte| *byte == b'#').count();
    let content = after[hashes..].strip_prefix('"')?;
    let closing = format!("\"{}", "#".repeat(hashes));
    let end = content.find(&closing).map_or(content.len(), |found| found + closing.len());
    Some(rest.len() - content.len() + end)
}

fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (offset, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return offset + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of a character literal; 0 for a lifetime.
fn character(rest: &str) -> usize {
    let mut characters = rest.char_indices().skip(1);
    match (characters.next(), characters.next()) {
        (Some((_, '\\')), Some((at, escaped))) => {
            let from = at + escaped.len_utf8();
            rest[from..].find('\'').map_or(0, |found| from + found + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

fn blank(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|byte| **byte != b'\n') {
        *byte = b' ';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_is_left() {
        let cases = [
            ("a // b \" c\nd", "a\nd"),
            ("a /* b /* c */ d */ e", "a e"),
            ("f(\"x \\\" // y\") g", "f( ) g"),
            ("f(r#\"a \" b\"#, br\"c\") g", "f( , ) g"),
            ("m('\\'', '\"', '{', b'\\\\') 'a: x", "m( , , , b ) 'a: x"),
        ];
        for (text, expected) in cases {
            let squeeze = |text: &str| {
                let lines =
                    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
                lines.collect::<Vec<_>>().join("\n")
            };
            assert_eq!(squeeze(&bare(text)), expected, "{text}");
            assert_eq!(bare(text).len(), text.len());
        }
    }

    #[test]
    fn test_modules_are_cut_and_nothing_behind_them() {
        let code =
            "fn a() {}\n#[cfg(test)]\nmod tests { fn b() { } }\nfn c() {}\n#[cfg(test)]\nmod d;\n";
        let names: Vec<_> =
            functions(&without_tests(code)).into_iter().map(|found| found.1).collect();
        assert_eq!(names, ["a", "c"]);
    }

    #[test]
    fn modules_are_found_in_every_shape_of_path() {
        let code = "use crate::{plan::{Rule, Filter}, source};\nuse super::super::app;\nfn f(x: crate::sql::A) {}\n\
                    use super::other;\nmacro_rules! m { () => { $crate::event::x } }";
        let found = modules_named("src/engine/log.rs", code);
        let expected = [(1, "plan"), (1, "source"), (3, "sql"), (2, "app")];
        assert_eq!(found, expected.map(|(line, name)| (line, name.to_owned())));
        assert_eq!(modules_named("src/engine/mod.rs", "super::cli::x")[0].1, "cli");
    }

    #[test]
    fn functions_are_measured_in_lines_of_code() {
        let code = bare(
            "trait T { fn a(x: [u8; 2]); }\nfn b() -> [u8; 1] {\n\n// why\n let x = 1;\n [x]\n}\n",
        );
        assert_eq!(functions(&code), [(2, "b".to_owned(), 2)]);
        let table = "fn a(x: X) -> u8 {\nmatch x {\nX::A => 1,\nX::B => {\n2\n}\n}\n}\n";
        assert_eq!(functions(table), [(1, "a".to_owned(), 5)]);
    }
}
