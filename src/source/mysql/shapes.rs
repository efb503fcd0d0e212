//! Which shape a table had at a place in the log.
//!
//! With `binlog_row_metadata = FULL` the log says it. Without, today's schema is right only if no
//! statement between that place and today changed the table: the log is read for one. What cannot
//! be known is unreadable; there is no history on disk, and no guess.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use mysql_async::prelude::Queryable;

use super::ahead::Ahead;
use super::bounds;
use super::connect::{Connection, Server};
use super::decode::{Binding, SchemaMismatch, TableMap};
use super::literal;
use super::names::{Changed, Names};
use super::schema;
use crate::event::{Gtid, GtidSet, TableName, TableSchema, Unreadable};
use crate::source::SourceError;

/// The shapes that one run of changes has met.
#[derive(Debug)]
pub(super) struct Shapes {
    server: Server,
    names: Names,
    today: Option<Today>,
    ahead: Ahead,
    /// Changed since `today` was read.
    stale: BTreeSet<TableName>,
    /// Looked for and not there: dropped since.
    gone: BTreeSet<TableName>,
    /// The last shape of each table, so that equal ones are one.
    met: HashMap<TableName, Arc<TableSchema>>,
}

/// The tables as the server describes them now.
#[derive(Debug)]
struct Today {
    tables: HashMap<TableName, Arc<TableSchema>>,
    /// MariaDB logs what it draws from a sequence as rows of it; they are nobody's data.
    sequences: BTreeSet<String>,
    /// All that the server had executed right after it described them.
    as_of: GtidSet,
}

impl Shapes {
    pub fn new(server: Server, names: Names) -> Self {
        Self {
            server,
            names,
            today: None,
            ahead: Ahead::default(),
            stale: BTreeSet::new(),
            gone: BTreeSet::new(),
            met: HashMap::new(),
        }
    }

    /// Notes a statement that was read.
    pub fn changed(&mut self, changed: &Changed) {
        match changed {
            Changed::Nothing => {}
            Changed::Tables(tables) => {
                self.gone.retain(|gone| !tables.contains(gone));
                self.stale.extend(tables.iter().cloned());
            }
            Changed::Everything => {
                self.gone.clear();
                self.today = None;
            }
        }
    }

    /// How to read the rows behind a table map, met when everything in `read` was read, and in the
    /// transaction `current`. An error is the server's; one of the table is in the answer.
    pub async fn of(
        &mut self,
        name: &TableName,
        map: &TableMap,
        (read, current): (&GtidSet, Option<Gtid>),
    ) -> Result<Binding, SourceError> {
        // What nobody has seen made may be a sequence, which is made unseen.
        let is_new = |today: &Today| !today.knows(name) && !self.gone.contains(name);
        if self.today.as_ref().is_none_or(is_new) || self.stale.contains(name) {
            self.today = Some(Today::read(&self.server, &self.names).await?);
            self.stale.clear();
            if !self.today.as_ref().is_some_and(|today| today.knows(name)) {
                self.gone.insert(name.clone());
            }
        }
        let today = self.today.as_ref().expect("it was read just now");
        if today.sequences.contains(&*name.table) {
            return Ok(Binding::Skip);
        }
        if !map.is_full && !read.contains_set(&today.as_of) {
            self.ahead.look(&self.server, &self.names, read, &today.as_of).await?;
            if let Some(gtid) = self.ahead.first_change(name, read, current) {
                return Ok(changed_later(name, gtid));
            }
        }
        let known = today.tables.get(name).map(|schema| &**schema);
        let mut schema = match map.schema(known) {
            Ok(schema) => schema,
            Err(mismatch) => return Ok(unfit(name, &mismatch)),
        };
        schema.name.clone_from(name);
        let equal = [self.met.get(name), today.tables.get(name)];
        let equal = equal.into_iter().flatten().find(|equal| ***equal == schema).map(Arc::clone);
        let shape = equal.unwrap_or_else(|| Arc::new(schema));
        self.met.insert(name.clone(), Arc::clone(&shape));
        Ok(Binding::Rows(shape))
    }
}

impl Today {
    fn knows(&self, name: &TableName) -> bool {
        self.tables.contains_key(name) || self.sequences.contains(&*name.table)
    }

    async fn read(server: &Server, names: &Names) -> Result<Self, SourceError> {
        let failed = |error| server.broken("read the schemas", error);
        let read = async |connection: &mut Connection| {
            let Connection { conn, flavour, .. } = connection;
            let tables = schema::read(conn, *flavour, server, names).await.map_err(failed)?;
            let tables = tables.into_iter().map(|table| (table.name.clone(), table)).collect();
            let query = "SELECT IF(@@lower_case_table_names = 0, TABLE_NAME, LOWER(TABLE_NAME)) \
                         FROM information_schema.TABLES \
                         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'SEQUENCE'";
            let sequences: Vec<String> = conn.query(query).await.map_err(failed)?;
            let sequences = sequences.into_iter().collect();
            let as_of = bounds::executed(conn, *flavour, server).await?;
            Ok(Self { tables, sequences, as_of })
        };
        server.ask(read).await
    }
}

fn changed_later(table: &TableName, gtid: Gtid) -> Binding {
    let what = format!(
        "the columns of {table} at this place of the log are not known: {gtid} changed the table \
         later, and the log has no names of columns"
    );
    let mend = format!("{FULL_METADATA}, or begin at a position with {gtid} in it");
    Binding::Unreadable(Arc::new(Unreadable { tables: vec![table.clone()], what, mend }))
}

/// That rows cannot be read as those of the table.
pub(super) fn unfit(table: &TableName, mismatch: &SchemaMismatch) -> Binding {
    let what = format!("the rows of {table} at this place of the log: {mismatch}");
    let mend = match mismatch {
        SchemaMismatch::OldTime { .. } => format!(
            "run SET GLOBAL mysql56_temporal_format = ON and ALTER TABLE {} FORCE, and begin at a \
             position after that",
            literal::name(&table.table)
        ),
        SchemaMismatch::UnknownType(_) => "leave the table out".to_owned(),
        SchemaMismatch::Unknown
        | SchemaMismatch::ColumnCount { .. }
        | SchemaMismatch::Column { .. }
        | SchemaMismatch::Insufficient { .. } => FULL_METADATA.to_owned(),
    };
    Binding::Unreadable(Arc::new(Unreadable { tables: vec![table.clone()], what, mend }))
}

const FULL_METADATA: &str = "run SET GLOBAL binlog_row_metadata = 'FULL' and begin at a position \
                             after that";
