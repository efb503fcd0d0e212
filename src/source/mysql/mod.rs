//! MySQL 8/9 and MariaDB servers as sources, through their binary logs.

pub mod decode;

/// Which of the two families a server is of: they differ in GTIDs, events and settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// MySQL and what is built from it.
    Mysql,
    /// MariaDB.
    MariaDb,
}
