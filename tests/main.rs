//! All integration tests, in one binary.

mod e2e;
mod grammar;
mod harness;
mod store;
mod tidy;
mod traces;
mod wire;
