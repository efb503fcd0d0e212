//! Thousands of sentences of each statement's EBNF: all parse, all print and parse again, and each
//! branch of the grammar is taken.

use std::fs;
use std::path::Path;

use super::corpus;
use super::ebnf::{Deriver, Grammar};

const SHARED: [&str; 2] = ["lexis", "expression"];
const STATEMENTS: [&str; 6] = ["vstream", "filter", "set", "show", "use", "kill"];
const SENTENCES: usize = 1_500;

#[test]
fn each_sentence_of_the_grammar_parses() {
    for (seed, statement) in (1..).zip(STATEMENTS) {
        let texts: Vec<String> = SHARED.iter().chain([&statement]).map(|name| read(name)).collect();
        let grammar = Grammar::read(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let mut deriver = Deriver::new(&grammar, seed);
        let mut refusals = Vec::new();
        let branches = grammar.branches();
        for number in 0..SENTENCES * 40 {
            if number >= SENTENCES && deriver.taken.is_superset(&branches) {
                break;
            }
            let sentence = deriver.sentence();
            let refused = match statement {
                "filter" => corpus::filter(&sentence).err(),
                _ => corpus::check(&sentence).err(),
            };
            refusals.extend(refused.map(|error| (sentence.len(), sentence, error)));
        }
        // The shortest says most.
        let shortest = refusals.iter().min();
        assert_eq!(shortest, None, "{statement}: {} refused", refusals.len());
        let left: Vec<_> = branches.difference(&deriver.taken).copied().collect();
        assert!(left.is_empty(), "{statement}: branches {left:?} were never taken");
    }
}

/// A file that no test reads would rot.
#[test]
fn each_file_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("grammar");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "ebnf") {
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(
                SHARED.contains(&name) || STATEMENTS.contains(&name),
                "{name}.ebnf is not read"
            );
        }
    }
}

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("grammar").join(format!("{name}.ebnf"));
    fs::read_to_string(path).unwrap()
}
