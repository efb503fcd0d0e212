//! How many rows tables have, counted in a bounded time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::connection::Reader;
use super::functions::SessionState;
use super::{Store, corrupt};
use crate::event::TableName;
use crate::source::{Extent, SourceError, TableSize};
use crate::sql::sqlite::quote;

impl Store {
    /// Counts the rows of tables; those of none where that takes long.
    pub(super) async fn extent(&self, tables: &[TableName]) -> Result<Extent, SourceError> {
        let failed = |error| corrupt("count the rows of tables", error);
        let reader = self.readers.take().await.map_err(failed)?;
        let session = Arc::new(SessionState::default());
        reader.opened().current.set(&session, session.kill_switch());
        let _ends = Ends(session);
        let names = tables.to_vec();
        let counting = tokio::task::spawn_blocking(move || count(&reader, names));
        let counted = match timeout(COUNT_TIME_MAX, counting).await {
            Ok(Ok(counted)) => counted.map_err(failed)?,
            Ok(Err(_)) | Err(_) => HashMap::new(),
        };
        Ok(Extent { tables: counted, changes_kept: Some(self.config.journal_age_max) })
    }
}

/// Ends what the thread still does once nobody waits for it.
struct Ends(Arc<SessionState>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.kill();
    }
}

fn count(
    reader: &Reader,
    names: Vec<TableName>,
) -> rusqlite::Result<HashMap<TableName, TableSize>> {
    let connection = &reader.opened().connection;
    let mut counted = HashMap::new();
    for name in names {
        let query = format!("SELECT COUNT(*) FROM {}", quote(&name.table));
        let rows = connection
            .prepare(&query)
            .and_then(|mut query| query.query_row([], |row| row.get::<_, i64>(0)));
        match rows {
            Ok(rows) => {
                let size = TableSize { rows: u64::try_from(rows).unwrap_or(0), bytes: 0 };
                counted.insert(name, size);
            }
            Err(error)
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) =>
            {
                return Err(error);
            }
            // It was dropped meanwhile.
            Err(_) => {}
        }
    }
    Ok(counted)
}

/// A table of some ten million rows takes about so long.
const COUNT_TIME_MAX: Duration = Duration::from_secs(2);
