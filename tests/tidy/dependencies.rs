//! Crates: each has a page that says why, none is banned, all may be used under our licence.

use super::{Tree, accepts, finds, holds};
use std::process::Command;
use toml::Table;

/// The packages that a page of `docs/adr` answers for, from its line `Packages: a, b`.
fn answered(text: &str) -> impl Iterator<Item = &str> {
    let line = text.lines().find_map(|line| line.strip_prefix("Packages:"));
    line.unwrap_or_default()
        .split(',')
        .map(|name| name.trim().trim_matches('`'))
        .filter(|name| !name.is_empty())
}

/// Every dependency has exactly one page, and no page speaks of one that is gone.
fn decisions(tree: &Tree) -> Vec<String> {
    let Some(manifest) = tree.text("Cargo.toml") else { return Vec::new() };
    let manifest: Table = manifest.parse().expect("Cargo.toml is TOML");
    let mut used: Vec<&str> = ["dependencies", "dev-dependencies"]
        .iter()
        .filter_map(|name| manifest.get(*name)?.as_table())
        .flat_map(|table| table.keys().map(String::as_str))
        .collect();
    used.sort_unstable();
    used.dedup();
    let pages = tree.files.iter().filter(|file| file.path.starts_with("docs/adr/"));
    let pages: Vec<(&str, &str)> = pages
        .flat_map(|file| answered(&file.text).map(|name| (file.path.as_str(), name)))
        .collect();
    let mut faults = Vec::new();
    for name in &used {
        let count = pages.iter().filter(|(_, answered)| answered == name).count();
        if count != 1 {
            faults
                .push(format!("Cargo.toml: {count} pages of docs/adr answer for {name}, not one"));
        }
    }
    for (page, name) in pages.iter().filter(|(_, name)| !used.contains(name)) {
        faults.push(format!("{page}: Cargo.toml does not have {name}"));
    }
    faults
}

/// Each dependency is named somewhere in the code.
fn unused(tree: &Tree) -> Vec<String> {
    let Some(manifest) = tree.text("Cargo.toml") else { return Vec::new() };
    let manifest: Table = manifest.parse().expect("Cargo.toml is TOML");
    let Some(table) = manifest.get("dependencies").and_then(|value| value.as_table()) else {
        return Vec::new();
    };
    let named = |name: &str| {
        let word = name.replace('-', "_");
        tree.rust().any(|file| !super::code::word_lines(&file.product, &word).is_empty())
    };
    let idle = table.keys().filter(|name| !named(name));
    idle.map(|name| format!("Cargo.toml: no code uses {name}")).collect()
}

/// What `.deny.toml` says about packages, given as name and licence expression.
fn denied(rules: &str, packages: &[(&str, &str)]) -> Vec<String> {
    let rules: Table = rules.parse().expect(".deny.toml is TOML");
    let list =
        |section: &str, key: &str| rules[section][key].as_array().cloned().unwrap_or_default();
    let allowed: Vec<String> = list("licenses", "allow")
        .iter()
        .filter_map(|value| Some(value.as_str()?.to_owned()))
        .collect();
    let bans: Vec<String> = list("bans", "deny")
        .iter()
        .filter_map(|ban| Some(ban.get("name")?.as_str()?.to_owned()))
        .collect();
    let mut faults = Vec::new();
    for (name, licence) in packages {
        if bans.iter().any(|ban| ban == name) {
            faults.push(format!("{name} is banned"));
        }
        if !may_use(licence, &allowed) {
            faults.push(format!("{name} is under {licence:?}"));
        }
    }
    faults
}

/// Whether an SPDX expression can be met; AND binds stronger than OR, `/` is an old OR.
fn may_use(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    return any(&mut words, allowed);

    type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;
    fn any(words: &mut Words<'_>, allowed: &[String]) -> bool {
        let mut met = all(words, allowed);
        while words.next_if_eq(&"OR").is_some() {
            met |= all(words, allowed);
        }
        met
    }
    fn all(words: &mut Words<'_>, allowed: &[String]) -> bool {
        let mut met = one(words, allowed);
        while words.next_if_eq(&"AND").is_some() {
            met &= one(words, allowed);
        }
        met
    }
    fn one(words: &mut Words<'_>, allowed: &[String]) -> bool {
        if words.next_if_eq(&"(").is_some() {
            let met = any(words, allowed);
            words.next();
            return met;
        }
        let mut name = words.next().unwrap_or_default().to_owned();
        if words.next_if_eq(&"WITH").is_some() {
            name = format!("{name} WITH {}", words.next().unwrap_or_default());
        }
        allowed.contains(&name)
    }
}

#[test]
fn every_dependency_has_its_page() {
    holds(decisions);
    let manifest =
        ("Cargo.toml", "[dependencies]\ntokio = \"1\"\n[dev-dependencies]\ntokio = \"1\"\n");
    let page = ("docs/adr/0004-tokio.md", "# Tokio\n\nPackages: `tokio`\n");
    accepts(decisions, &[manifest, page]);
    finds(decisions, &[manifest], "Cargo.toml: 0 pages of docs/adr answer for tokio, not one");
    finds(
        decisions,
        &[("Cargo.toml", ""), page],
        "docs/adr/0004-tokio.md: Cargo.toml does not have tokio",
    );
}

#[test]
fn every_dependency_is_used() {
    holds(unused);
    let manifest = ("Cargo.toml", "[dependencies]\nopensrv-mysql = \"1\"\n");
    accepts(unused, &[manifest, ("src/a.rs", "use opensrv_mysql::X;")]);
    finds(
        unused,
        &[manifest, ("src/a.rs", "// opensrv_mysql")],
        "Cargo.toml: no code uses opensrv-mysql",
    );
}

#[test]
fn nothing_banned_and_nothing_under_a_foreign_licence() {
    let rules = "[licenses]\nallow = [\"MIT\", \"ISC\", \"A WITH B\"]\n[bans]\ndeny = [{ name = \"openssl\" }]\n";
    let example = [
        ("openssl", "MIT"),
        ("a", "GPL-3.0"),
        ("b", "GPL-3.0/MIT"),
        ("c", "(X OR MIT) AND ISC"),
        ("d", "MIT AND X"),
        ("e", "A WITH B OR X"),
    ];
    assert_eq!(
        denied(rules, &example),
        ["openssl is banned", "a is under \"GPL-3.0\"", "d is under \"MIT AND X\""]
    );

    let root = env!("CARGO_MANIFEST_DIR");
    let rules = std::fs::read_to_string(format!("{root}/.deny.toml")).expect("read .deny.toml");
    // What this platform builds: other platforms' packages are not downloaded here.
    let out = Command::new(env!("CARGO"))
        .args(["tree", "--edges", "normal,build", "--prefix", "none", "--format", "{p}|{l}"])
        .current_dir(root)
        .output()
        .expect("run cargo");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let listed = String::from_utf8(out.stdout).expect("cargo prints UTF-8");
    let packages: Vec<(&str, &str)> = listed
        .lines()
        .filter_map(|line| {
            let (package, licence) = line.trim_end_matches(" (*)").split_once('|')?;
            Some((package.split(' ').next()?, licence))
        })
        .collect();
    assert!(packages.len() > 50, "cargo tree lists the tree");
    let faults = denied(&rules, &packages);
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}
