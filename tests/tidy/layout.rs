//! Sizes, names and leftovers.

use super::code::{functions, line_of};
use super::{Tree, accepts, finds, holds};

const FILE_LINES_MAX: usize = 700;
const FUNCTION_LINES_MAX: usize = 70;
const NAMES_THAT_SAY_NOTHING: &[&str] =
    &["common", "helper", "helpers", "manager", "misc", "types", "util", "utils"];
const ROOT: &[&str] = &[
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "docs",
    "grammar",
    "scripts",
    "src",
    "tests",
];

fn file_size(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for file in tree.rust() {
        // Tests do not count, comments and blank lines do: it is about how far a reader scrolls.
        let tests = file.code.lines().zip(file.product.lines());
        let cut = tests.filter(|(code, product)| code.trim() != product.trim()).count();
        let is_test = file.product.is_empty();
        let lines = file.text.lines().count() - if is_test { 0 } else { cut };
        if lines > FILE_LINES_MAX {
            faults.push(format!("{}: {lines} lines, {FILE_LINES_MAX} at most", file.path));
        }
    }
    faults
}

fn function_size(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for file in tree.rust() {
        for (line, name, lines) in functions(&file.code) {
            if lines > FUNCTION_LINES_MAX {
                let path = &file.path;
                faults.push(format!(
                    "{path}:{line}: {name} has {lines} lines, {FUNCTION_LINES_MAX} at most"
                ));
            }
        }
    }
    faults
}

fn names(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for file in tree.rust() {
        for part in file.path.trim_end_matches(".rs").split('/') {
            if NAMES_THAT_SAY_NOTHING.contains(&part) {
                faults.push(format!("{}: {part} says nothing about what is in it", file.path));
            }
        }
    }
    faults
}

fn root(tree: &Tree) -> Vec<String> {
    let mut faults: Vec<String> = Vec::new();
    for file in &tree.files {
        let top = file.path.split('/').next().unwrap_or_default();
        if !top.starts_with('.') && !ROOT.contains(&top) {
            faults.push(format!("{}: the root holds only {}", file.path, ROOT.join(" ")));
        }
    }
    faults
}

fn leftovers(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for file in tree.rust() {
        for unfinished in ["todo!", "unimplemented!", "dbg!", "#[ignore"] {
            for (at, _) in file.code.match_indices(unfinished) {
                faults.push(format!("{}:{}: {unfinished}", file.path, line_of(&file.code, at)));
            }
        }
        for (at, _) in
            file.code.match_indices("#[allow(").chain(file.code.match_indices("#![allow("))
        {
            let attribute = file.code[at..].split(']').next().unwrap_or_default();
            if !attribute.contains("reason") {
                faults.push(format!(
                    "{}:{}: an allow carries a reason",
                    file.path,
                    line_of(&file.code, at)
                ));
            }
        }
    }
    // Put together here, so that this file does not break its own rule.
    let (later, broken) = (["TO", "DO"].concat(), ["FIX", "ME"].concat());
    for file in &tree.files {
        for (at, _) in file.text.match_indices(&later) {
            let issue = file.text[at + later.len()..].strip_prefix("(#");
            if !issue.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
                let line = line_of(&file.text, at);
                faults.push(format!(
                    "{}:{line}: {later} needs an issue number: {later}(#12)",
                    file.path
                ));
            }
        }
        for (at, _) in file.text.match_indices(&broken) {
            faults.push(format!("{}:{}: {broken}", file.path, line_of(&file.text, at)));
        }
    }
    faults
}

/// Nothing may work only on the machine where it was written.
fn machine(tree: &Tree) -> Vec<String> {
    let mut places: Vec<String> = ["work", "root", "tmp", "home/", "Users/"]
        .map(|name| format!("/{name}/").replace("//", "/"))
        .into();
    // Registries are reached through their clients, as configured on each machine.
    for host in [
        "deb.debian",
        "snapshot.debian",
        "registry.npmjs",
        "files.pythonhosted",
        "repo.maven.apache",
    ] {
        places.push([host, ".org"].concat());
    }
    for host in ["index.crates", "static.crates"] {
        places.push([host, ".io"].concat());
    }
    places.push(["proxy.golang", ".org"].concat());
    let mut faults = Vec::new();
    for file in tree.files.iter().filter(|file| file.path != "Cargo.lock") {
        for place in &places {
            for (at, _) in file.text.match_indices(place.as_str()) {
                // `docs/work/` is no absolute path.
                let before = file.text[..at].chars().next_back().unwrap_or(' ');
                let inside =
                    before.is_alphanumeric() || matches!(before, '.' | '_' | '-' | '}' | '*' | '/');
                if !(place.starts_with('/') && inside) {
                    faults.push(format!(
                        "{}:{}: names {place}",
                        file.path,
                        line_of(&file.text, at)
                    ));
                }
            }
        }
    }
    faults
}

#[test]
fn files_are_short() {
    holds(file_size);
    let long = "// x\n".repeat(FILE_LINES_MAX + 1);
    finds(file_size, &[("src/a.rs", &long)], "src/a.rs: 701 lines, 700 at most");
    let tested = format!(
        "fn a() {{}}\n#[cfg(test)]\nmod tests {{\n{}}}\n",
        "fn b() {}\n".repeat(FILE_LINES_MAX)
    );
    accepts(file_size, &[("src/a.rs", &tested)]);
}

#[test]
fn functions_are_short() {
    holds(function_size);
    let long = format!("fn a() {{\n{}}}\n", "x();\n".repeat(FUNCTION_LINES_MAX + 1));
    finds(function_size, &[("src/a.rs", &long)], "src/a.rs:1: a has 71 lines, 70 at most");
    accepts(function_size, &[("src/a.rs", &long.replacen("x();", "// x", 1))]);
}

#[test]
fn names_say_what_is_inside() {
    holds(names);
    finds(
        names,
        &[("src/sql/utils.rs", "")],
        "src/sql/utils.rs: utils says nothing about what is in it",
    );
    accepts(names, &[("src/sql/set.rs", "")]);
}

#[test]
fn the_root_is_short() {
    holds(root);
    finds(
        root,
        &[("notes.txt", "")],
        &format!("notes.txt: the root holds only {}", ROOT.join(" ")),
    );
    accepts(root, &[(".ci/run", ""), ("src/lib.rs", "")]);
}

#[test]
fn nothing_is_left_over() {
    holds(leftovers);
    finds(leftovers, &[("src/a.rs", "\nfn f() { todo!() }")], "src/a.rs:2: todo!");
    finds(leftovers, &[("tests/a.rs", "#[ignore = \"slow\"]")], "tests/a.rs:1: #[ignore");
    finds(
        leftovers,
        &[("src/a.rs", "#[allow(dead_code)]")],
        "src/a.rs:1: an allow carries a reason",
    );
    let later = ["// TO", "DO: more"].concat();
    let fault = ["docs/a.md:1: TO", "DO needs an issue number: TO", "DO(#12)"].concat();
    finds(leftovers, &[("docs/a.md", &later)], &fault);
    let broken = ["FIX", "ME"].concat();
    finds(leftovers, &[("src/a.rs", &format!("// {broken}"))], &format!("src/a.rs:1: {broken}"));
    accepts(leftovers, &[("src/a.rs", &later.replace(':', "(#7):"))]);
    accepts(
        leftovers,
        &[("src/a.rs", "#[allow(x, reason = \"y\")]\n// no todo! here\n\"#[ignore]\"")],
    );
}

#[test]
fn nothing_depends_on_one_machine() {
    holds(machine);
    for place in [["/ro", "ot/"].concat(), ["deb.debian", ".org"].concat()] {
        let text = format!("see {place}x");
        finds(machine, &[("scripts/a", &text)], &format!("scripts/a:1: names {place}"));
    }
    accepts(machine, &[("docs/a.md", &["see docs/wo", "rk/a"].concat())]);
}
