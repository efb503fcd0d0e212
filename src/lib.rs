//! vstreamd: watch data change with nothing but a MySQL client.

pub mod event;
pub mod plan;
pub mod source;
