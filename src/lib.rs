//! vstreamd: watch data change with nothing but a MySQL client.

pub mod access;
pub mod app;
pub mod cli;
pub mod config;
pub mod engine;
pub mod event;
pub mod frontend;
pub mod plan;
pub mod shutdown;
pub mod source;
pub mod sql;
pub mod telemetry;
