//! WHO is listening: one door per protocol, each producing the same stream requests.

#![deny(clippy::wildcard_enum_match_arm)]

pub mod mysql;
