//! The embedded store.

pub mod convert;
pub mod functions;
pub mod write;
