//! Panics that a task's runtime caught: the process went on, and nobody waited for that task. They
//! fail the test that closes a door next.

use std::sync::{LazyLock, Mutex, PoisonError};

/// What a test says that panics on purpose.
const ANNOUNCED: &str = "as announced";

static CAUGHT: LazyLock<Mutex<Vec<String>>> = LazyLock::new(|| {
    let earlier = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let file = panic.location().map_or("", |location| location.file());
        if is_fault(file, panic.payload_as_str().unwrap_or_default()) {
            note(panic.to_string());
        }
        earlier(panic);
    }));
    Mutex::default()
});

/// Notes panics from now on.
pub fn watch() {
    LazyLock::force(&CAUGHT);
}

/// Fails if there was a panic since the last look.
pub fn check() {
    let caught = std::mem::take(&mut *CAUGHT.lock().unwrap_or_else(PoisonError::into_inner));
    assert!(caught.is_empty(), "caught panics: {caught:#?}");
}

fn note(panic: String) {
    CAUGHT.lock().unwrap_or_else(PoisonError::into_inner).push(panic);
}

/// A test's own panic fails that test already.
fn is_fault(file: &str, message: &str) -> bool {
    !file.starts_with("tests/") && message != ANNOUNCED
}

#[cfg(test)]
mod tests {
    #[test]
    fn panics_outside_of_tests_are_faults() {
        assert!(super::is_fault("src/frontend/mysql/link.rs", "index out of bounds"));
        assert!(super::is_fault("/registry/opensrv-mysql/src/params.rs", "bad column type"));
        assert!(!super::is_fault("tests/wire.rs", "assertion failed"));
        assert!(!super::is_fault("src/telemetry.rs", "as announced"));
    }
}
