//! All integration tests, in one binary.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod dialect;
mod e2e;
mod grammar;
mod harness;
mod predicates;
mod real;
mod sim;
mod store;
mod tidy;
mod traces;
mod wire;
