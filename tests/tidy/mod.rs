//! What a machine can check of how this repository should look. `docs/architecture.md` says why.
//!
//! A rule takes a [`Tree`] and returns what breaks it, one line per place. Each is run on the
//! repository, and on small bad examples: a rule that finds nothing there is broken itself.

mod code;
mod dependencies;
mod documents;
mod layers;
mod layout;

use std::path::Path;
use std::process::Command;

/// The files of the repository, or of an example.
pub struct Tree {
    files: Vec<File>,
}

/// One text file; `path` is relative to the root and separated by `/`.
pub struct File {
    path: String,
    text: String,
    /// The text without comments and literals; empty for what is not Rust.
    code: String,
    /// The code without its tests.
    product: String,
}

impl File {
    fn new(path: &str, text: &str) -> File {
        let code = if path.ends_with(".rs") { code::bare(text) } else { String::new() };
        let is_test =
            path.ends_with("/tests.rs") || path.contains("/tests/") || path.starts_with("tests/");
        let product = if is_test { String::new() } else { code::without_tests(&code) };
        File { path: path.to_owned(), text: text.to_owned(), code, product }
    }

    /// `engine` for both `src/engine.rs` and `src/engine/log.rs`; none outside `src`.
    fn module(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        Some(inside.split('/').next()?.trim_end_matches(".rs"))
    }
}

impl Tree {
    /// What git tracks, or would track: build output and caches are not looked at.
    fn of_repository() -> Tree {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .expect("run git");
        assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
        let names = String::from_utf8(listed.stdout).expect("file names are UTF-8");
        let read = |path: &str| Some((path.to_owned(), std::fs::read(root.join(path)).ok()?));
        let files = names.split_terminator('\0').filter_map(read);
        Tree {
            files: files
                .map(|(path, bytes)| File::new(&path, &String::from_utf8_lossy(&bytes)))
                .collect(),
        }
    }

    /// The files of an example: paths and texts.
    fn of(files: &[(&str, &str)]) -> Tree {
        Tree { files: files.iter().map(|(path, text)| File::new(path, text)).collect() }
    }

    fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }
}

type Rule = fn(&Tree) -> Vec<String>;

/// Fails unless the repository keeps the rule.
fn holds(rule: Rule) {
    let faults = rule(&Tree::of_repository());
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// Fails unless the rule finds exactly one fault in the example, and it reads so.
fn finds(rule: Rule, files: &[(&str, &str)], fault: &str) {
    assert_eq!(rule(&Tree::of(files)), [fault], "in {files:?}");
}

/// Fails if the rule finds anything in the example.
fn accepts(rule: Rule, files: &[(&str, &str)]) {
    assert_eq!(rule(&Tree::of(files)), [] as [&str; 0], "in {files:?}");
}
