//! Which shape a table had at a place in the log.
//!
//! With `binlog_row_metadata = FULL` the log says it. Without, today's schema is right only if no
//! statement between that place and today changed the table: the log is read for one. What cannot
//! be known is refused; there is no history on disk, and no guess.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use mysql_async::prelude::Queryable;

use super::bounds;
use super::connect::{Connection, Server};
use super::decode::{Binding, Decoded, Decoder, TableMap};
use super::names::{Changed, Names};
use super::pump::{self, Pump};
use super::schema;
use crate::event::{Gtid, GtidSet, TableName, TableSchema};
use crate::source::SourceError;
use crate::sql::Logged;

/// The shapes that one run of changes has met.
#[derive(Debug)]
pub(super) struct Shapes {
    server: Server,
    names: Names,
    today: Option<Today>,
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
    /// Statements about tables between the place where they were first asked for and `as_of`.
    changes: Option<Vec<(Gtid, Changed)>>,
}

impl Shapes {
    pub fn new(server: Server, names: Names) -> Self {
        Self {
            server,
            names,
            today: None,
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

    /// The shape of the rows behind a table map, met when everything in `read` was read; none if
    /// they are no table's.
    pub async fn of(
        &mut self,
        name: &TableName,
        map: &TableMap,
        read: &GtidSet,
    ) -> Result<Option<Arc<TableSchema>>, SourceError> {
        // What nobody has seen made may be a sequence, which is made unseen.
        let is_new = |today: &Today| !today.knows(name) && !self.gone.contains(name);
        if self.today.as_ref().is_none_or(is_new) || self.stale.contains(name) {
            self.today = Some(Today::read(&self.server, &self.names).await?);
            self.stale.clear();
            if !self.today.as_ref().is_some_and(|today| today.knows(name)) {
                self.gone.insert(name.clone());
            }
        }
        let today = self.today.as_mut().expect("it was read just now");
        if today.sequences.contains(&*name.table) {
            return Ok(None);
        }
        if !map.is_full {
            today.check_unchanged(&self.server, &self.names, name, read).await?;
        }
        let known = today.tables.get(name).map(|schema| &**schema);
        let mut schema = map.schema(known).map_err(|mismatch| SourceError::Unfit {
            what: format!("the rows of {name} at this place of the log: {mismatch}"),
            mend: FULL_METADATA.to_owned(),
        })?;
        schema.name.clone_from(name);
        let equal = [self.met.get(name), today.tables.get(name)];
        let equal = equal.into_iter().flatten().find(|equal| ***equal == schema).map(Arc::clone);
        let shape = equal.unwrap_or_else(|| Arc::new(schema));
        self.met.insert(name.clone(), Arc::clone(&shape));
        Ok(Some(shape))
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
            let tables = schema::read(conn, *flavour, &names.keyspace).await.map_err(failed)?;
            let tables = tables.into_iter().map(|table| (table.name.clone(), table)).collect();
            let query = "SELECT IF(@@lower_case_table_names = 0, TABLE_NAME, LOWER(TABLE_NAME)) \
                         FROM information_schema.TABLES \
                         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'SEQUENCE'";
            let sequences: Vec<String> = conn.query(query).await.map_err(failed)?;
            let sequences = sequences.into_iter().collect();
            let as_of = bounds::executed(conn, *flavour, server).await?;
            Ok(Self { tables, sequences, as_of, changes: None })
        };
        server.ask(read).await
    }

    /// Refuses a table that was changed between the place that was read up to and today.
    async fn check_unchanged(
        &mut self,
        server: &Server,
        names: &Names,
        table: &TableName,
        read: &GtidSet,
    ) -> Result<(), SourceError> {
        if read.contains_set(&self.as_of) {
            return Ok(());
        }
        let changes = match &mut self.changes {
            Some(changes) => changes,
            unknown => unknown.insert(scan(server, names, read, &self.as_of).await?),
        };
        let touches = |changed: &Changed| match changed {
            Changed::Nothing => false,
            Changed::Tables(tables) => tables.contains(table),
            Changed::Everything => true,
        };
        let later = changes.iter().find(|(gtid, changed)| !read.contains(gtid) && touches(changed));
        later.map_or(Ok(()), |(gtid, _)| {
            Err(SourceError::Unfit {
                what: format!(
                    "the columns of {table} at this place of the log are not known: {gtid} \
                     changed the table later, and the log has no names of columns"
                ),
                mend: format!("{FULL_METADATA}, or begin at a position with {gtid} in it"),
            })
        })
    }
}

/// All statements about tables between two places of the log. Nothing else of it matters here: not
/// what was prepared before, nor what cannot be streamed.
async fn scan(
    server: &Server,
    names: &Names,
    from: &GtidSet,
    to: &GtidSet,
) -> Result<Vec<(Gtid, Changed)>, SourceError> {
    let mut pump = Pump::open(server, from).await?;
    let mut decoder = Decoder::new(pump.flavour);
    let mut read = from.clone();
    let mut named: Option<Gtid> = None;
    let mut changes = Vec::new();
    while !read.contains_set(to) {
        let event = pump.next().await?;
        let decoded = decoder.push(pump::raw(&event)).map_err(|error| pump.corrupt(error))?;
        let mut ended = None;
        match decoded {
            Decoded::TableMap { id, bound: false } => {
                decoder.bind(id, Binding::Skip).map_err(|error| pump.corrupt(error))?;
            }
            Decoded::Gtid { gtid, .. } => ended = named.replace(gtid),
            Decoded::Xid | Decoded::XaPrepare { .. } | Decoded::Heartbeat { .. } => {
                ended = named.take();
            }
            Decoded::Query(query) => {
                let logged = Logged::read(&query.statement);
                let changed = names.changed(&logged, &query.database);
                let shapes = changed != Changed::Nothing && !matches!(logged, Logged::Truncate(_));
                changes.extend(named.filter(|_| shapes).zip(Some(changed)));
                ended = named.take_if(|_| logged.ends_transaction());
            }
            other => pump.note(&other),
        }
        if let Some(gtid) = ended {
            read.add(gtid);
        }
    }
    Ok(changes)
}

const FULL_METADATA: &str = "run SET GLOBAL binlog_row_metadata = 'FULL' and begin at a position \
                             after that";
