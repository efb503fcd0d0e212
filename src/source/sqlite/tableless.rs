//! A backend without tables: what clients and drivers ask of any server (`SELECT @@version`,
//! `SELECT 1`, user variables, BEGIN and COMMIT) is answered. It stands beside the servers of
//! keyspaces: a statement that needs a table has come here because no keyspace was chosen.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use super::{OpenError, Store, StoreConfig};
use crate::source::{
    Backend, BackendColumn, BackendError, BackendReply, BackendSession, BackendStatus, KillHandle,
    Left, Variables,
};
use crate::sql::{self, CommandKind, Show, Statement};

/// A backend without tables, on an empty store.
#[derive(Debug)]
pub struct Tableless(Arc<Store>);

impl Tableless {
    /// Makes the empty store in a directory that is there for as long as the backend is.
    pub async fn open(directory: &Path) -> Result<Self, OpenError> {
        let config = StoreConfig { keyspace: String::new(), ..StoreConfig::default() };
        Ok(Self(Store::open(directory, config).await?))
    }
}

#[async_trait]
impl Backend for Tableless {
    async fn session(&self, user: &str) -> Result<Box<dyn BackendSession>, BackendError> {
        Ok(Box::new(TablelessSession(self.0.backend().session(user).await?)))
    }
}

struct TablelessSession(Box<dyn BackendSession>);

#[async_trait]
impl BackendSession for TablelessSession {
    async fn execute(
        &mut self,
        sql: &str,
        variables: &dyn Variables,
    ) -> Result<BackendReply, BackendError> {
        if needs_tables(sql) {
            return Err(no_tables());
        }
        self.0.execute(sql, variables).await.map_err(explained)
    }

    async fn describe(
        &mut self,
        sql: &str,
        variables: &dyn Variables,
    ) -> Result<Vec<BackendColumn>, BackendError> {
        if needs_tables(sql) {
            return Err(no_tables());
        }
        self.0.describe(sql, variables).await.map_err(explained)
    }

    fn status(&self) -> BackendStatus {
        self.0.status()
    }

    fn kill_handle(&self) -> KillHandle {
        self.0.kill_handle()
    }

    fn warnings(&self) -> Left {
        self.0.warnings()
    }

    async fn reset(&mut self) -> Result<(), BackendError> {
        self.0.reset().await
    }
}

/// Whether a statement is about tables by its first words. One that can do without is tried; the
/// empty store then says which table it misses.
fn needs_tables(text: &str) -> bool {
    match sql::parse(text) {
        Ok(Statement::Backend(command)) => match command.kind {
            CommandKind::Insert
            | CommandKind::Update
            | CommandKind::Delete
            | CommandKind::Replace
            | CommandKind::Ddl
            | CommandKind::Explain
            | CommandKind::Lock => true,
            CommandKind::Select
            | CommandKind::Begin
            | CommandKind::Commit
            | CommandKind::Rollback
            | CommandKind::Savepoint
            | CommandKind::Other => false,
        },
        Ok(Statement::Show(show)) => !matches!(show, Show::List { .. }),
        Ok(
            Statement::Vstream(_)
            | Statement::Explain(_)
            | Statement::Set(_)
            | Statement::SetFor { .. }
            | Statement::Use(_)
            | Statement::Kill(_),
        )
        | Err(_) => false,
    }
}

/// A table that the empty store does not have is a keyspace's.
fn explained(error: BackendError) -> BackendError {
    match error.code {
        NO_DATABASE | UNKNOWN_DATABASE | NO_SUCH_TABLE => no_tables(),
        _ => error,
    }
}

fn no_tables() -> BackendError {
    BackendError::new(NO_DATABASE, "3D000", "No database selected")
}

/// ER_NO_DB_ERROR.
const NO_DATABASE: u16 = 1046;
/// ER_BAD_DB_ERROR.
const UNKNOWN_DATABASE: u16 = 1049;
/// ER_NO_SUCH_TABLE.
const NO_SUCH_TABLE: u16 = 1146;

#[cfg(test)]
mod tests {
    use super::*;

    struct InCommerce;

    impl Variables for InCommerce {
        fn system(&self, name: &str) -> Option<sql::sqlite::Value> {
            (name == "database").then(|| sql::sqlite::Value::Text("commerce".to_owned()))
        }

        fn user(&self, _: &str) -> Option<sql::sqlite::Value> {
            None
        }
    }

    #[tokio::test]
    async fn what_needs_no_table_is_answered() {
        let directory = tempfile::tempdir().unwrap();
        let backend = Tableless::open(directory.path()).await.unwrap();
        let mut session = backend.session("root").await.unwrap();
        for text in ["SELECT 1 + 1", "SELECT DATABASE()", "SET @a = 7", "BEGIN", "COMMIT", "DO 0"] {
            match session.execute(text, &InCommerce).await {
                Ok(BackendReply::Rows(mut rows)) => while rows.next().await.unwrap().is_some() {},
                Ok(BackendReply::Ok(_)) => {}
                Err(error) => panic!("{text}: {error}"),
            }
        }
        let BackendReply::Rows(mut rows) =
            session.execute("SELECT DATABASE()", &InCommerce).await.unwrap()
        else {
            panic!("no rows");
        };
        let block = rows.next().await.unwrap().unwrap();
        assert_eq!(block.row(0), Some(&b"\x08commerce"[..]));
        while rows.next().await.unwrap().is_some() {}
        for text in [
            "SELECT * FROM corder",
            "SELECT * FROM commerce.corder",
            "SELECT 1 FROM information_schema.tables",
            "INSERT INTO corder VALUES (1)",
            "CREATE TABLE t (a int)",
            "CREATE DATABASE other",
            "SHOW TABLES",
            "SHOW CREATE TABLE corder",
            "DESC corder",
            "LOCK TABLES corder READ",
            "EXPLAIN SELECT 1",
        ] {
            let error = session.execute(text, &InCommerce).await.unwrap_err();
            assert_eq!(error.code, 1046, "{text}: {error}");
        }
    }
}
