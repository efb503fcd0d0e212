//! All integration tests, in one binary.

mod e2e;
mod grammar;
mod harness;
mod store;
mod sim;
mod tidy;
mod traces;
mod wire;
