//! WHO is listening: one door per protocol, each producing the same stream requests.

pub mod mysql;
