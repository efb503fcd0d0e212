//! Values between MySQL's types: from statements into stored form, from stored form into cells.

pub use super::cell::{cell, stored};
