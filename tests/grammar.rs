//! `grammar/` is executed: its corpus has exact results, and sentences made from its EBNF parse.

#[path = "grammar/corpus.rs"]
mod corpus;
#[path = "grammar/ebnf.rs"]
mod ebnf;
#[path = "grammar/limits.rs"]
mod limits;
#[path = "grammar/precedence.rs"]
mod precedence;
#[path = "grammar/sentences.rs"]
mod sentences;
