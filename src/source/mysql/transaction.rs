//! What a server's log says, put together to a source's events.
//!
//! Rows leave as they are read, however large their transaction is; only those of XA transactions
//! are kept until their end is known, in [`super::prepared`]. Bytes and connections are elsewhere:
//! here each rule is a unit test.

use std::sync::Arc;

use super::names::{Changed, Names};
use super::prepared::{self, Kept, Prepared};
use super::ready::Ready;
use crate::event::{Ddl, Event, Gtid, GtidSet, Rows, RowsEvent, TableName, Timestamp, Unreadable};
use crate::source::SourceError;
use crate::sql::Logged;

/// Puts the events of one run of changes together.
#[derive(Debug)]
pub(super) struct Assembler {
    names: Names,
    ready: Ready,
    /// Everything read to its end, whatever became of it.
    read: GtidSet,
    open: Open,
    /// The statement of the rows that come next.
    query: Option<Arc<str>>,
    prepared: Prepared,
}

/// What is being read.
#[derive(Debug)]
enum Open {
    Nothing,
    /// What the GTID names has not begun.
    Named(Gtid),
    Transaction(Transaction),
    /// The rows between `XA START` and its prepare.
    Preparing(Gtid, Kept),
    /// The commit of an XA transaction whose rows were not read.
    Lacking(Lacking),
}

/// The commit of an XA transaction that was prepared before the run began.
#[derive(Debug, Clone)]
pub(super) struct Lacking {
    pub gtid: Gtid,
    pub xid: String,
    pub time: Timestamp,
}

#[derive(Debug)]
struct Transaction {
    gtid: Gtid,
    time: Timestamp,
    /// GTID and BEGIN were told.
    told: bool,
    /// Rows were told.
    has_rows: bool,
    /// A statement about tables in place of, or before, its rows.
    ddl: Option<Event>,
}

impl Assembler {
    /// For a run that begins behind `start`.
    pub fn new(names: Names, start: GtidSet) -> Self {
        Self {
            names,
            ready: Ready::default(),
            read: start,
            open: Open::Nothing,
            query: None,
            prepared: Prepared::default(),
        }
    }

    /// Everything read to its end.
    pub const fn read(&self) -> &GtidSet {
        &self.read
    }

    /// Whether all of this was handed over, and none of it waits for its end.
    pub fn has_emitted(&self, set: &GtidSet) -> bool {
        self.read.contains_set(set) && !self.prepared.keeps_any_of(set)
    }

    /// Whether no transaction is being read.
    pub const fn is_between_transactions(&self) -> bool {
        matches!(self.open, Open::Nothing)
    }

    /// The transaction or statement being read.
    pub const fn named(&self) -> Option<Gtid> {
        match &self.open {
            Open::Nothing => None,
            Open::Named(gtid)
            | Open::Transaction(Transaction { gtid, .. })
            | Open::Preparing(gtid, _)
            | Open::Lacking(Lacking { gtid, .. }) => Some(*gtid),
        }
    }

    /// Whether no events wait to be taken.
    pub const fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// About how many bytes of events wait to be taken.
    pub fn bytes(&self) -> usize {
        self.ready.bytes()
    }

    /// The events that are ready.
    pub fn take(&mut self) -> Vec<Event> {
        self.ready.take()
    }

    /// Nothing happened up to this time.
    pub fn heartbeat(&mut self, time: Timestamp) {
        if self.is_between_transactions() {
            self.ready.push(Event::Heartbeat(time));
        }
    }

    /// A GTID; what it names follows.
    pub fn gtid(&mut self, gtid: Gtid) -> Result<(), SourceError> {
        if !self.is_between_transactions() {
            return Err(self.misplaced("GTID"));
        }
        self.open = Open::Named(gtid);
        Ok(())
    }

    /// What the GTID names is a transaction.
    pub fn begin(&mut self, time: Timestamp) -> Result<(), SourceError> {
        let Open::Named(gtid) = self.open else { return Err(self.misplaced("BEGIN")) };
        let transaction = Transaction { gtid, time, told: false, has_rows: false, ddl: None };
        self.open = Open::Transaction(transaction);
        Ok(())
    }

    /// What the GTID names is the first half of an XA transaction.
    pub fn prepare(&mut self) -> Result<(), SourceError> {
        let Open::Named(gtid) = self.open else { return Err(self.misplaced("XA START")) };
        self.open = Open::Preparing(gtid, Kept::default());
        Ok(())
    }

    /// The statement of the rows that follow.
    pub fn rows_query(&mut self, text: Arc<str>) {
        self.query = Some(text);
    }

    /// The rows that follow are of a table that is not read.
    pub fn rows_skipped(&mut self) {
        self.query = None;
    }

    /// The rows that those of the next event may be appended to.
    pub fn open_rows(&mut self) -> Option<&mut RowsEvent> {
        self.ready.open_rows().filter(|_| self.query.is_none())
    }

    /// Row changes of a table that is read.
    pub fn rows(&mut self, rows: RowsEvent) -> Result<(), SourceError> {
        if rows.is_empty() {
            return Ok(());
        }
        if let Some(query) = self.query.take() {
            self.inside(Event::RowsQuery(query))?;
        }
        if let Open::Transaction(transaction) = &mut self.open {
            transaction.begin(&mut self.ready);
            transaction.has_rows = true;
            self.ready.push_rows(rows);
            return Ok(());
        }
        self.inside(Event::Row(Rows::all(Arc::new(rows))))
    }

    /// Changes that cannot be shown.
    pub fn unreadable(&mut self, why: Arc<Unreadable>) -> Result<(), SourceError> {
        self.query = None;
        self.inside(Event::Unreadable(why))
    }

    /// What stands inside of a transaction.
    fn inside(&mut self, event: Event) -> Result<(), SourceError> {
        match &mut self.open {
            Open::Preparing(_, kept) => {
                kept.push(event);
                self.prepared.check(kept.bytes())
            }
            Open::Transaction(transaction) => {
                transaction.begin(&mut self.ready);
                self.ready.push(event);
                Ok(())
            }
            Open::Nothing | Open::Named(_) | Open::Lacking(_) => Err(self.misplaced("row changes")),
        }
    }

    /// The transaction is committed.
    pub fn commit(&mut self, time: Timestamp) -> Result<(), SourceError> {
        self.query = None;
        let Open::Transaction(mut transaction) = std::mem::replace(&mut self.open, Open::Nothing)
        else {
            return Err(self.misplaced("COMMIT"));
        };
        let end = match transaction.ddl.take().filter(|_| !transaction.told) {
            Some(ddl) => {
                self.ready.push(Event::Gtid(transaction.gtid));
                ddl
            }
            None => {
                transaction.begin(&mut self.ready);
                Event::Commit(time)
            }
        };
        self.ready.push(end);
        self.read.add(transaction.gtid);
        Ok(())
    }

    /// A statement as the log holds it, executed with `database` as its own.
    pub fn query(
        &mut self,
        database: &str,
        text: &str,
        time: Timestamp,
    ) -> Result<Changed, SourceError> {
        let logged = Logged::read(text);
        let changed = self.names.changed(&logged, database);
        match logged {
            // MariaDB's GTID has said so.
            Logged::Begin if matches!(self.open, Open::Transaction(_)) => {}
            Logged::XaStart if matches!(self.open, Open::Preparing(..)) => {}
            Logged::Begin => self.begin(time)?,
            Logged::XaStart => self.prepare()?,
            Logged::Commit => self.commit(time)?,
            Logged::Rollback => self.rollback(time)?,
            Logged::Savepoint | Logged::XaEnd | Logged::XaPrepare => {}
            Logged::XaCommit(xid) => self.xa_end(&key(&xid), Some(time))?,
            Logged::XaRollback(xid) => self.xa_end(&key(&xid), None)?,
            Logged::Change(change) => {
                let changed = self.names.changed_rows(&change, database);
                self.lost_rows(None, &changed, (text, time))?;
            }
            Logged::TableFromQuery(_) => {
                let ddl = ddl(text, &changed, time);
                self.lost_rows(Some(ddl), &changed, (text, time))?;
            }
            Logged::TableWithRows(_) => {
                // A BEGIN stands before it, or not: the statement says it itself.
                if !matches!(self.open, Open::Transaction(_)) {
                    self.begin(time)?;
                }
                self.table(text, &changed, time)?;
            }
            Logged::Truncate(_) => {
                self.table(text, &changed, time)?;
                // It has the columns that it had.
                return Ok(Changed::Nothing);
            }
            Logged::Tables(_) | Logged::Unreadable => self.table(text, &changed, time)?,
            Logged::Database(_) | Logged::Other => self.table(text, &Changed::Nothing, time)?,
        }
        Ok(changed)
    }

    /// A statement about tables, or about nothing that is read.
    fn table(
        &mut self,
        text: &str,
        changed: &Changed,
        timestamp: Timestamp,
    ) -> Result<(), SourceError> {
        let event = ddl(text, changed, timestamp);
        match &mut self.open {
            // In a transaction stand temporary tables, which no one else sees, and a new table
            // whose rows follow: who has the table that it replaced is told first.
            Open::Transaction(transaction) => {
                transaction.ddl = Some(event).filter(|event| matches!(event, Event::Ddl(_)));
                Ok(())
            }
            Open::Preparing(..) => Ok(()),
            Open::Named(_) => self.alone(event),
            Open::Nothing | Open::Lacking(_) => Err(self.misplaced("a statement")),
        }
    }

    /// A statement that stands for rows that the log does not hold, and for `ddl` before them. It
    /// stands inside of a transaction, or is one.
    fn lost_rows(
        &mut self,
        ddl: Option<Event>,
        changed: &Changed,
        (text, time): (&str, Timestamp),
    ) -> Result<(), SourceError> {
        self.query = None;
        let tables = match changed {
            Changed::Nothing if matches!(self.open, Open::Named(_)) => {
                return self.alone(Event::Other(time));
            }
            Changed::Nothing => return Ok(()),
            Changed::Tables(tables) => tables.clone(),
            Changed::Everything => Vec::new(),
        };
        let is_alone = matches!(self.open, Open::Named(_));
        if is_alone {
            self.begin(time)?;
        }
        if let Open::Transaction(transaction) = &mut self.open {
            transaction.ddl = ddl.or(transaction.ddl.take());
        }
        let why = Arc::new(self.statement_logged(tables, text));
        self.inside(Event::Unreadable(why))?;
        if is_alone { self.commit(time) } else { Ok(()) }
    }

    /// What stands outside of transactions.
    fn alone(&mut self, event: Event) -> Result<(), SourceError> {
        let Open::Named(gtid) = self.open else { return Err(self.misplaced(event.name())) };
        self.open = Open::Nothing;
        self.read.add(gtid);
        self.ready.push(Event::Gtid(gtid));
        self.ready.push(event);
        Ok(())
    }

    /// What was rolled back is not in a log of rows; a server that logs it all the same, because
    /// a table could not roll back, would have to say which rows stay. Where it logs statements in
    /// place of rows, whoever wants their tables was told that their changes are not known.
    fn rollback(&mut self, time: Timestamp) -> Result<(), SourceError> {
        match &self.open {
            Open::Transaction(Transaction { has_rows: false, .. }) => self.commit(time),
            Open::Transaction(_)
            | Open::Nothing
            | Open::Named(_)
            | Open::Preparing(..)
            | Open::Lacking(_) => Err(self.misplaced("ROLLBACK")),
        }
    }

    /// The first half of an XA transaction is complete; one that is committed in one phase whole.
    pub fn prepared(
        &mut self,
        xid: &str,
        one_phase: bool,
        time: Timestamp,
    ) -> Result<(), SourceError> {
        self.query = None;
        let Open::Preparing(gtid, kept) = std::mem::replace(&mut self.open, Open::Nothing) else {
            return Err(self.misplaced("XA PREPARE"));
        };
        if !one_phase {
            self.read.add(gtid);
            if !prepared::waits(&gtid) {
                self.ready.push(Event::Gtid(gtid));
                self.ready.push(Event::Other(time));
            }
            return self.prepared.park(key(xid), gtid, kept);
        }
        self.whole(gtid, kept.into_events(), time)
    }

    /// A transaction of which everything is known.
    fn whole(
        &mut self,
        gtid: Gtid,
        events: Vec<Event>,
        time: Timestamp,
    ) -> Result<(), SourceError> {
        self.open = Open::Named(gtid);
        self.begin(time)?;
        if let Open::Transaction(transaction) = &mut self.open {
            transaction.begin(&mut self.ready);
            for event in events {
                self.ready.push(event);
            }
        }
        self.commit(time)
    }

    /// The second half of an XA transaction: a commit, which has a time, or a rollback.
    fn xa_end(&mut self, xid: &str, committed: Option<Timestamp>) -> Result<(), SourceError> {
        let Open::Named(gtid) = self.open else { return Err(self.misplaced("XA COMMIT")) };
        let kept = self.prepared.take(xid);
        if let Some((prepared, _)) = &kept
            && prepared::waits(prepared)
        {
            self.ready.push(Event::Gtid(*prepared));
        }
        match (kept, committed) {
            // What was rolled back changed nothing, wherever it was prepared.
            (_, None) => self.alone(Event::Other(0)),
            (Some((_, events)), Some(time)) => self.whole(gtid, events, time),
            (None, Some(time)) => {
                self.open = Open::Lacking(Lacking { gtid, xid: xid.to_owned(), time });
                Ok(())
            }
        }
    }

    /// The commit whose rows have to be [supplied](Self::supply) before anything else is read.
    pub const fn lacking(&self) -> Option<&Lacking> {
        match &self.open {
            Open::Lacking(lacking) => Some(lacking),
            _ => None,
        }
    }

    /// The rows of what [`Self::lacking`] says.
    pub fn supply(&mut self, lacking: &Lacking, rows: Vec<Event>) -> Result<(), SourceError> {
        self.whole(lacking.gtid, rows, lacking.time)
    }

    /// The rows of a transaction that is prepared.
    pub fn take_prepared(&mut self, xid: &str) -> Option<Vec<Event>> {
        self.prepared.take(xid).map(|(_, rows)| rows)
    }

    fn misplaced(&self, what: &str) -> SourceError {
        let place = match self.named() {
            None => "between transactions".to_owned(),
            Some(gtid) => format!("inside transaction {gtid}"),
        };
        let context = format!("the server's log holds {what} {place}");
        SourceError::Corrupt { context, source: None }
    }

    fn statement_logged(&self, tables: Vec<TableName>, text: &str) -> Unreadable {
        let verb = Logged::verb(text);
        let gtid = self.named().map(|gtid| gtid.to_string()).unwrap_or_default();
        Unreadable {
            tables,
            what: format!("transaction {gtid} was logged as the statement {verb}, not as rows"),
            mend: format!(
                "run SET GLOBAL binlog_format = 'ROW', let all sessions log in again, and begin \
                 at a position with {gtid} in it"
            ),
        }
    }
}

impl Transaction {
    fn begin(&mut self, ready: &mut Ready) {
        if !std::mem::replace(&mut self.told, true) {
            ready.push(Event::Gtid(self.gtid));
            ready.push(Event::Begin(self.time));
            if let Some(ddl) = self.ddl.take() {
                ready.push(ddl);
            }
        }
    }
}

/// A statement about tables, or about nothing that is read.
fn ddl(text: &str, changed: &Changed, timestamp: Timestamp) -> Event {
    let ddl = |tables| {
        let statement = text.to_owned();
        Event::Ddl(Arc::new(Ddl { timestamp, statement, tables }))
    };
    match changed {
        Changed::Nothing => Event::Other(timestamp),
        Changed::Tables(tables) => ddl(tables.clone()),
        Changed::Everything => ddl(Vec::new()),
    }
}

/// An XA transaction's identity as `X'..',X'..',n` in one spelling.
pub(super) fn key(xid: &str) -> String {
    xid.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Flavour;
    use super::*;
    use crate::event::{CollationId, Column, ColumnType, TableSchema};

    /// A script of what a log holds: `G1` a GTID (with `@domain` MariaDB's), `R<table>` a row,
    /// `Q` a rows query, `C` a commit, `P<xid>` a prepare, `P1` in one phase, else a statement
    /// between `;`. What comes of it, in the same words.
    fn run(flavour: Flavour, script: &str) -> Result<String, SourceError> {
        let mut assembler = assemble(flavour, script)?;
        let mut order = crate::event::SourceOrder::new();
        let events = assembler.take();
        let words: Vec<_> = events
            .iter()
            .map(|event| {
                order.push(event).unwrap();
                print(event)
            })
            .collect();
        Ok(format!(
            "{} | {}",
            words.join(" "),
            assembler.read().bare().to_string().replace(UUID, "")
        ))
    }

    fn assemble(flavour: Flavour, script: &str) -> Result<Assembler, SourceError> {
        let names = Names { keyspace: "ks".into(), database: "db".into(), folds: false };
        let mut assembler = Assembler::new(names, GtidSet::new());
        for step in script.split(';').map(str::trim).filter(|step| !step.is_empty()) {
            let (kind, rest) = step.split_at(1);
            match kind {
                "G" if !rest.starts_with('R') => {
                    assembler.gtid(gtid(flavour, rest.parse().unwrap()))?;
                }
                "R" if rest.len() == 1 => assembler.rows(row(rest))?,
                "Q" if rest.is_empty() => assembler.rows_query("q".into()),
                "C" if rest.is_empty() => assembler.commit(1)?,
                "P" if rest.is_empty() => assembler.prepare()?,
                "P" if rest.len() == 2 => {
                    assembler.prepared(&rest[1..], rest.starts_with('1'), 1)?
                }
                "B" if rest.is_empty() => assembler.begin(1)?,
                "H" if rest.is_empty() => assembler.heartbeat(1),
                "S" if rest.is_empty() => {
                    let rows = Event::Row(Rows::all(Arc::new(row("t"))));
                    let lacking = assembler.lacking().unwrap().clone();
                    assembler.supply(&lacking, vec![rows])?;
                }
                _ => drop(assembler.query("db", step, 1)?),
            }
        }
        Ok(assembler)
    }

    const UUID: &str = "07070707-0707-0707-0707-070707070707:";

    fn gtid(flavour: Flavour, sequence: u64) -> Gtid {
        match flavour {
            Flavour::Mysql => Gtid::Mysql { server: [7; 16], tag: None, sequence },
            Flavour::MariaDb => {
                Gtid::MariaDb { domain: u32::from(sequence > 100), server: 1, sequence }
            }
        }
    }

    fn row(table: &str) -> RowsEvent {
        let int = ColumnType::Int { bytes: 4, unsigned: false };
        let columns = vec![Column::plain("id", int, CollationId::BINARY)];
        let name = TableName::new("ks", table);
        let schema = TableSchema { name, columns, key: vec![0], key_is_primary: true };
        let mut event = RowsEvent::new(Arc::new(schema));
        event.push_encoded(None, Some(b"\x011"));
        event
    }

    fn print(event: &Event) -> String {
        match event {
            Event::Gtid(Gtid::Mysql { sequence, .. } | Gtid::MariaDb { sequence, .. }) => {
                format!("G{sequence}")
            }
            Event::Begin(_) => "B".to_owned(),
            Event::Field(schema) => format!("F{}", schema.name.table),
            Event::Row(rows) => format!("R{}", rows.event.schema().name.table),
            Event::RowsQuery(_) => "Q".to_owned(),
            Event::Commit(_) => "C".to_owned(),
            Event::Ddl(ddl) => format!("D{}", ddl.tables.len()),
            Event::Other(_) => "O".to_owned(),
            Event::Heartbeat(_) => "H".to_owned(),
            Event::Unreadable(unreadable) => format!("U{}", unreadable.tables.len()),
            Event::Vgtid(_) | Event::Journal(_) | Event::CopyCompleted(_) => "?".to_owned(),
        }
    }

    fn check(flavour: Flavour, script: &str, expected: &str) {
        let shown = run(flavour, script).unwrap_or_else(|error| format!("{error}"));
        assert_eq!(shown, expected, "{script}");
    }

    fn mysql(script: &str, expected: &str) {
        check(Flavour::Mysql, script, expected);
    }

    fn mariadb(script: &str, expected: &str) {
        check(Flavour::MariaDb, script, expected);
    }

    #[test]
    fn rows_are_appended_within_a_transaction_only() {
        let check = |script, expected| {
            let mut assembler = assemble(Flavour::MariaDb, script).unwrap();
            assert_eq!(assembler.open_rows().is_some(), expected, "{script}");
            assembler.take();
            assert!(assembler.is_empty() && assembler.open_rows().is_none(), "{script}");
        };
        check("G1", false);
        check("G1; B; Rt", true);
        check("G1; B; Rt; Q", false);
        check("G1; B; Rt; Q; Ru", true);
        check("G1; B; Rt; C", false);
        check("G1; P; Rt", false);
    }

    #[test]
    fn transactions_and_statements_take_their_shape() {
        mysql(
            "G1; BEGIN; Q; Rt; Rt; Ru; C; G2; BEGIN; Rt; C",
            "G1 B Q Ft Rt Rt Fu Ru C G2 B Rt C | 1-2",
        );
        mysql("G1; BEGIN; C; H; G2; BEGIN; COMMIT", "G1 B C H G2 B C | 1-2");
        mysql("G1; BEGIN; Rt", "G1 B Ft Rt | ");
        mysql("G1; BEGIN; SAVEPOINT a; Rt; ROLLBACK TO a; C", "G1 B Ft Rt C | 1");
        mysql("G1; BEGIN; ROLLBACK", "G1 B C | 1");
        mysql("G1; ALTER TABLE t ADD a int; G2; BEGIN; Rt; C", "G1 D1 G2 B Ft Rt C | 1-2");
        mysql(
            "G1; BEGIN; Rt; C; G2; TRUNCATE t; G3; BEGIN; Rt; C",
            "G1 B Ft Rt C G2 D1 G3 B Ft Rt C | 1-3",
        );
        mysql(
            "G1; GRANT ALL ON t TO u; G2; DROP DATABASE db; G3; ALTER TABLE x.t",
            "G1 O G2 O G3 O | 1-3",
        );
        mysql("G1; ALTER TABLE", "G1 D0 | 1");
        mysql("G1; CREATE TABLE t (a int) START TRANSACTION; Rt; C", "G1 B D1 Ft Rt C | 1");
        mysql("G1; BEGIN; CREATE TABLE t (a int) START TRANSACTION; C", "G1 D1 | 1");
        mysql(
            "G1; BEGIN; Rt; C; G2; BEGIN; CREATE TABLE t (a int) START TRANSACTION; Rt; C",
            "G1 B Ft Rt C G2 B D1 Ft Rt C | 1-2",
        );
        mysql("G1; CREATE TABLE t (a int) START TRANSACTION; C", "G1 D1 | 1");
        mariadb("G1; B; CREATE OR REPLACE TABLE t (a int); COMMIT", "G1 D1 | 0-1-1");
        mariadb("G1; B; CREATE OR REPLACE TABLE t (a int); Rt; C", "G1 B D1 Ft Rt C | 0-1-1");
        mariadb("G1; B; DROP TEMPORARY TABLE x; Rt; COMMIT", "G1 B Ft Rt C | 0-1-1");
    }

    #[test]
    fn a_statement_in_place_of_rows_says_whose_rows_are_missing() {
        mysql("G1; BEGIN; insert into t values (1); C", "G1 B U0 C | 1");
        mysql("G1; BEGIN; insert into x.t select * from db.t; C", "G1 B C | 1");
        mysql("G1; BEGIN; DELETE FROM `db`.`m`; C", "G1 B U1 C | 1");
        mysql(
            "G1; BEGIN; delete from db.m; ROLLBACK; G2; BEGIN; Rt; C",
            "G1 B U1 C G2 B Ft Rt C | 1-2",
        );
        mysql("G1; CREATE TABLE t SELECT 1; G2; BEGIN; Rt; C", "G1 B D1 U1 C G2 B Ft Rt C | 1-2");
        mysql("G1; CREATE TABLE x.t SELECT * FROM t", "G1 O | 1");
        mariadb("G1; DELETE FROM `db`.`m`; G2; B; Rt; C", "G1 B U1 C G2 B Ft Rt C | 0-1-2");
        mariadb("G1; DELETE FROM `x`.`m`; G2; B; Rt; C", "G1 O G2 B Ft Rt C | 0-1-2");
        let mut assembler = assemble(Flavour::Mysql, "G1; BEGIN; update t set a = 1").unwrap();
        let events = assembler.take();
        let Some(Event::Unreadable(why)) = events.last() else { panic!("{events:?}") };
        assert!(why.what.contains("logged as the statement UPDATE"), "{}", why.what);
    }

    #[test]
    fn many_changes_that_cannot_be_shown_for_one_reason_are_told_once() {
        let why = |what: &str| {
            let what = what.to_owned();
            Arc::new(Unreadable { tables: Vec::new(), what, mend: "m".repeat(1000) })
        };
        for start in ["G1; BEGIN", "G1; XA START 'a'"] {
            let mut assembler = assemble(Flavour::Mysql, start).unwrap();
            for what in ["a", "b"] {
                let one = why(what);
                for _ in 0..100 {
                    assembler.unreadable(Arc::clone(&one)).unwrap();
                    assembler.unreadable(why(what)).unwrap();
                }
            }
            match start {
                "G1; BEGIN" => assembler.commit(1).unwrap(),
                _ => assembler.prepared("a", true, 1).unwrap(),
            }
            assert!((2000..5000).contains(&assembler.bytes()), "{}", assembler.bytes());
            let events: Vec<_> = assembler.take().iter().map(print).collect();
            assert_eq!(events.join(" "), "G1 B U0 U0 C");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for script in [
            "BEGIN",
            "G1; G2",
            "G1; Rt",
            "Rt",
            "G1; C",
            "G1; BEGIN; G2",
            "G1; BEGIN; Rt; ROLLBACK",
            "G1; BEGIN; delete from db.m; Rt; ROLLBACK",
        ] {
            let error = run(Flavour::Mysql, script).unwrap_err().to_string();
            assert!(error.starts_with("the server's log holds "), "{script}: {error}");
        }
        assert!(run(Flavour::Mysql, "G1; XA COMMIT X'61'; Rt").is_err());
    }

    #[test]
    fn xa_transactions_become_real_when_they_are_committed() {
        let prepare = "G1; XA START 'a'; Rt; XA END 'a'; P0a;";
        mysql(prepare, " | 1");
        mysql(
            &format!("{prepare} G2; BEGIN; Ru; C; G3; XA COMMIT A"),
            "G2 B Fu Ru C G1 G3 B Ft Rt C | 1-3",
        );
        mysql(&format!("{prepare} G2; XA ROLLBACK a"), "G1 G2 O | 1-2");
        mysql("G1; XA ROLLBACK z", "G1 O | 1");
        mysql("G1; XA START 'a'; Q; Rt; XA END 'a'; P1a", "G1 B Q Ft Rt C | 1");
    }

    #[test]
    fn what_was_prepared_before_the_run_comes_with_its_commit() {
        mysql("G2; XA COMMIT a; S; G3; BEGIN; Ru; C", "G2 B Ft Rt C G3 B Fu Ru C | 2-3");
        mariadb(
            "G5; P; Rt; P0b; G6; XA COMMIT a; S; G7; XA ROLLBACK b",
            "G5 O G6 B Ft Rt C G7 O | 0-1-7",
        );
    }

    #[test]
    fn what_waits_for_a_prepared_one_was_not_emitted() {
        let check = |flavour, script: &str, until: u64, emitted: bool| {
            let mut set = GtidSet::new();
            for sequence in 1..=until {
                set.add(gtid(flavour, sequence));
            }
            let assembler = assemble(flavour, script).unwrap();
            assert!(assembler.read().contains_set(&set));
            assert_eq!(assembler.has_emitted(&set), emitted, "{script}");
        };
        let mysql = "G1; BEGIN; Ru; C; G2; XA START 'a'; Rt; XA END 'a'; P0a; G3; BEGIN; Ru; C;";
        check(Flavour::Mysql, mysql, 1, true);
        check(Flavour::Mysql, mysql, 3, false);
        check(Flavour::Mysql, &format!("{mysql} G4; XA COMMIT a"), 4, true);
        // A position of MariaDB cannot leave it out: its rows come with the commit alone.
        check(Flavour::MariaDb, "G1; B; Ru; C; G2; P; Rt; P0a; G3; B; Ru; C;", 3, true);
    }

    #[test]
    fn what_mariadb_has_prepared_is_named_by_its_commit() {
        mariadb(
            "G1; P; Rt; P0a; G2; B; Ru; C; G101; B; Rv; C; G3; TRUNCATE u; G4; XA COMMIT a; G5; B; Ru; C",
            "G1 O G2 B Fu Ru C G101 B Fv Rv C G3 D1 G4 B Ft Rt C G5 B Fu Ru C | 0-1-5,1-1-101",
        );
        mariadb(
            "G1; P; Rt; P0a; G2; P; Ru; P0b; G3; XA COMMIT b; G4; XA ROLLBACK a",
            "G1 O G2 O G3 B Fu Ru C G4 O | 0-1-4",
        );
    }
}
