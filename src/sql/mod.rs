//! TEXT to statement: what clients write, read into types that print back as the same.
//!
//! Pure. The only module that knows `sqlparser`: it splits the text into tokens and parses
//! predicates; none of its types leaves. Nothing is looked up here: a statement that parses may
//! name what does not exist.

pub mod expr;
pub mod filter;
mod name;
pub mod set;
pub mod show;
pub mod sqlite;
pub mod statement;
pub mod target;
pub mod vstream;

pub use expr::Expr;
pub use set::{Assignment, SetValue};
pub use show::Show;
pub use statement::{Command, CommandKind, Kill, Statement};
pub use target::Target;
pub use vstream::Vstream;
