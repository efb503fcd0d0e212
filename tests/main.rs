//! All integration tests, in one binary.

mod harness;
mod tidy;
