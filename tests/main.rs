//! All integration tests, in one binary.

mod e2e;
mod dialect;
mod grammar;
mod harness;
mod predicates;
mod sim;
mod store;
mod tidy;
mod traces;
mod wire;
