//! What several test modules need: real servers to compare with. No test logic.

pub mod real;
