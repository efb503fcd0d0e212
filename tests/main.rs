//! All integration tests, in one binary.

mod grammar;
mod harness;
mod tidy;
mod wire;
