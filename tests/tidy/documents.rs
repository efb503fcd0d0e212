//! Documents that say the same as the code, and links that lead somewhere.

use super::code::line_of;
use super::{Tree, accepts, finds, holds};

/// `docs/errors.md` lists exactly the codes of the MySQL door.
fn error_codes(tree: &Tree) -> Vec<String> {
    let (code_path, page_path) = ("src/frontend/mysql/error.rs", "docs/errors.md");
    let Some(code) = tree.text(code_path) else { return Vec::new() };
    let code = code.split("#[cfg(test)]").next().unwrap_or_default();
    let Some(page) = tree.text(page_path) else { return vec![format!("{page_path} is missing")] };
    // `Code(1053, *b"08S01")` in the one, `| 1053 | 08S01 | ...` in the other.
    let sent: Vec<(&str, &str)> = code
        .split("Code(")
        .filter_map(|rest| rest.split_once(", *b\""))
        .filter_map(|(number, rest)| Some((number, rest.get(..5)?)))
        .filter(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()))
        .collect();
    let told: Vec<(&str, &str)> = page
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
            let number = cells.next().filter(|cell| cell.parse::<u16>().is_ok())?;
            Some((number, cells.next()?))
        })
        .collect();
    let untold = sent.iter().filter(|pair| !told.contains(pair));
    let unsent = told.iter().filter(|pair| !sent.contains(pair));
    let mut faults: Vec<String> = untold
        .map(|(number, state)| {
            format!("{page_path}: error {number} ({state}) of {code_path} is missing")
        })
        .collect();
    faults.extend(unsent.map(|(number, state)| {
        format!("{page_path}: {code_path} has no error {number} ({state})")
    }));
    faults
}

/// Relative links of the documents.
fn links(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with(".md")) {
        for (at, _) in file.text.match_indices("](") {
            let target = file.text[at + 2..].split([')', '#', '\n']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.contains(' ') {
                continue;
            }
            let goal = resolve(&file.path, target);
            let exists = |path: &str| path == goal || path.starts_with(&format!("{goal}/"));
            if !tree.files.iter().any(|file| exists(&file.path)) {
                faults.push(format!("{}:{}: no file {goal}", file.path, line_of(&file.text, at)));
            }
        }
    }
    faults
}

/// The path that a link in `from` means.
fn resolve(from: &str, target: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[test]
fn every_error_code_is_documented() {
    holds(error_codes);
    let code = ("src/frontend/mysql/error.rs", "const A: Code = Code(1053, *b\"08S01\");");
    let page = "| code | state |\n|---|---|\n| 1053 | 08S01 | shutdown |\n";
    accepts(error_codes, &[code, ("docs/errors.md", page)]);
    finds(error_codes, &[code], "docs/errors.md is missing");
    let missing = "docs/errors.md: error 1053 (08S01) of src/frontend/mysql/error.rs is missing";
    finds(error_codes, &[code, ("docs/errors.md", "")], missing);
    let more = format!("{page}| 1064 | 42000 | syntax |\n");
    let unsent = "docs/errors.md: src/frontend/mysql/error.rs has no error 1064 (42000)";
    finds(error_codes, &[code, ("docs/errors.md", &more)], unsent);
}

#[test]
fn links_lead_somewhere() {
    holds(links);
    let page = ("docs/a.md", "[b](adr/b.md#c) [d](https://example.com) [e](../README.md) [f](adr)");
    accepts(links, &[page, ("docs/adr/b.md", ""), ("README.md", "")]);
    finds(links, &[page, ("docs/adr/b.md", "")], "docs/a.md:1: no file README.md");
}
