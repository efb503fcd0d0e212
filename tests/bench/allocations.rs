//! Allocations per row where there must be none.

/// Counts them.
pub fn run() {
    println!("  not measured yet");
}
