//! What several test modules need: real servers to compare with, and how long to run.

pub mod real;

/// How many rounds a test runs: the first under `scripts/test fast` and a plain `cargo test`, the
/// second in continuous integration, the third at night.
pub fn rounds(fast: usize, all: usize, nightly: usize) -> usize {
    match std::env::var("VSTREAMD_TEST_ROUNDS").as_deref() {
        Err(_) | Ok("fast") => fast,
        Ok("all") => all,
        Ok("nightly") => nightly,
        Ok(other) => panic!("VSTREAMD_TEST_ROUNDS is fast, all or nightly, not {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn rounds_come_from_the_mode() {
        assert!((1..=3).contains(&super::rounds(1, 2, 3)));
    }
}
