//! The change log: a table in the same SQLite file as the data, written in the same transactions.
//!
//! An entry is a run of row changes of one table, a DDL statement, or the end of a transaction. Its
//! id is the transaction's number and a count within it, so that the log's order is the id's order
//! and a transaction's first entry is found without an index. A transaction gets its number when it
//! first writes: nobody else can commit before it does, as there is one writer at a time.
//!
//! Old row images stay readable after DDL: each entry names the version of its table, and versions
//! are kept for as long as an entry may name them.

use rusqlite::{Connection, OptionalExtension, params};

use super::identity::ServerId;

/// What one entry of the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    /// Row changes of one table, in the encoding of [`super::capture`].
    Rows,
    /// The transaction is complete.
    Commit,
    /// A DDL statement, complete in itself.
    Ddl,
}

impl EntryKind {
    const fn code(self) -> i64 {
        match self {
            Self::Rows => 1,
            Self::Commit => 2,
            Self::Ddl => 3,
        }
    }

    const fn from_code(code: i64) -> Option<Self> {
        match code {
            1 => Some(Self::Rows),
            2 => Some(Self::Commit),
            3 => Some(Self::Ddl),
            _ => None,
        }
    }
}

/// One entry as read.
#[derive(Debug)]
pub(super) struct Entry {
    /// The transaction's number.
    pub(super) sequence: u64,
    /// Its place: the log is ordered by this.
    pub(super) id: i64,
    /// What it is.
    pub(super) kind: EntryKind,
    /// The version of the table that rows have; 0 otherwise.
    pub(super) version: i64,
    /// Seconds since 1970.
    pub(super) timestamp: u64,
    /// What it holds.
    pub(super) payload: Vec<u8>,
}

/// What the log says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// The last complete transaction.
    pub(super) last: u64,
    /// Transactions up to this one are gone, or going.
    pub(super) purged: u64,
    /// Bytes of payload and overhead of what is there.
    pub(super) bytes: u64,
}

/// How much of the log is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retention {
    /// Bytes, overhead included.
    pub(super) bytes_max: u64,
    /// Seconds.
    pub(super) age_max: u64,
}

/// Makes the log's tables, once, with a new server UUID.
pub(super) fn create(connection: &Connection, server: ServerId) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE \"_vt_store\" (server BLOB NOT NULL, last INTEGER NOT NULL,
            purged INTEGER NOT NULL, bytes INTEGER NOT NULL, generation INTEGER NOT NULL);
         CREATE TABLE \"_vt_journal\" (id INTEGER PRIMARY KEY, kind INTEGER NOT NULL,
            version INTEGER NOT NULL, timestamp INTEGER NOT NULL, payload BLOB NOT NULL);",
    )?;
    connection.execute(
        "INSERT INTO \"_vt_store\" VALUES (?1, 0, 0, 0, 0)",
        [server.bytes().as_slice()],
    )?;
    Ok(())
}

/// The server UUID, if there is a log at all.
pub(super) fn server(connection: &Connection) -> rusqlite::Result<Option<ServerId>> {
    if !connection.table_exists(Some("main"), "_vt_store")? {
        return Ok(None);
    }
    let bytes: Option<Vec<u8>> = connection
        .query_row("SELECT server FROM \"_vt_store\"", [], |row| row.get(0))
        .optional()?;
    Ok(bytes.and_then(|bytes| ServerId::from_bytes(&bytes)))
}

/// What the log holds, as the connection's transaction sees it.
pub(super) fn extent(connection: &Connection) -> rusqlite::Result<Extent> {
    connection
        .prepare_cached("SELECT last, purged, bytes FROM \"_vt_store\"")?
        .query_row([], |row| {
            Ok(Extent { last: count(row, 0)?, purged: count(row, 1)?, bytes: count(row, 2)? })
        })
}

/// How often the tables have changed, as the connection's transaction sees it.
pub(super) fn generation(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("SELECT generation FROM \"_vt_store\"")?
        .query_row([], |row| row.get(0))
}

/// Counts a change of the tables.
pub(super) fn next_generation(connection: &Connection) -> rusqlite::Result<i64> {
    connection.execute("UPDATE \"_vt_store\" SET generation = generation + 1", [])?;
    generation(connection)
}

/// The part of an open transaction that is in the log already.
#[derive(Debug)]
pub(super) struct Pending {
    sequence: u64,
    next_part: u32,
    timestamp: u64,
}

impl Pending {
    /// Begins transaction number `sequence`.
    pub(super) const fn new(sequence: u64, timestamp: u64) -> Self {
        Self { sequence, next_part: 0, timestamp }
    }

    /// The transaction's number.
    pub(super) const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Appends an entry. Parts that a savepoint took back are not counted again.
    pub(super) fn append(
        &mut self,
        connection: &Connection,
        kind: EntryKind,
        version: i64,
        payload: &[u8],
    ) -> rusqlite::Result<()> {
        if self.next_part >= PARTS_MAX {
            return Err(rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_TOOBIG),
                Some("the transaction has too many statements".to_owned()),
            ));
        }
        let id = first_id(self.sequence) + i64::from(self.next_part);
        connection
            .prepare_cached("INSERT INTO \"_vt_journal\" VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![id, kind.code(), version, signed(self.timestamp), payload])?;
        self.next_part += 1;
        Ok(())
    }

    /// Ends the transaction's part of the log and counts its entries; 0 if there was nothing to say.
    pub(super) fn finish(&mut self, connection: &Connection, now: u64) -> rusqlite::Result<u64> {
        let from = first_id(self.sequence);
        let (entries, bytes, ddl) = connection
            .prepare_cached(
                "SELECT count(*), coalesce(sum(length(payload)), 0), coalesce(sum(kind = 3), 0)
                 FROM \"_vt_journal\" WHERE id >= ?1",
            )?
            .query_row([from], |row| Ok((count(row, 0)?, count(row, 1)?, count(row, 2)?)))?;
        if entries == 0 {
            return Ok(0);
        }
        self.timestamp = now;
        if ddl == 0 {
            self.append(connection, EntryKind::Commit, 0, &[])?;
        }
        let bytes = bytes + (entries + u64::from(ddl == 0)) * ENTRY_OVERHEAD;
        connection
            .prepare_cached("UPDATE \"_vt_store\" SET last = ?1, bytes = bytes + ?2")?
            .execute(params![signed(self.sequence), signed(bytes)])?;
        Ok(entries)
    }
}

/// Removes some of the oldest entries if the log exceeds what is to be kept: more than the `added`
/// ones of the transaction that is being committed, so that the log shrinks, and few enough that
/// nobody notices. That transaction itself stays; call it inside of it. Says whether there was any.
pub(super) fn trim(
    connection: &Connection,
    retention: Retention,
    added: u64,
    now: u64,
) -> rusqlite::Result<bool> {
    let extent = extent(connection)?;
    let too_old = signed(now.saturating_sub(retention.age_max));
    let mut statement = connection.prepare_cached(
        "SELECT id, timestamp, length(payload) FROM \"_vt_journal\" WHERE id < ?1 ORDER BY id LIMIT ?2",
    )?;
    let mut rows =
        statement.query([first_id(extent.last), signed(added.saturating_mul(2).max(TRIM_STEP))])?;
    let (mut bytes, mut purged, mut last_id) = (extent.bytes, extent.purged, None);
    while let Some(row) = rows.next()? {
        let (id, timestamp, length): (i64, i64, u64) = (row.get(0)?, row.get(1)?, count(row, 2)?);
        // What is half gone must go altogether.
        let begun = sequence_of(id) <= purged;
        if !begun && bytes <= retention.bytes_max && timestamp >= too_old {
            break;
        }
        bytes = bytes.saturating_sub(length + ENTRY_OVERHEAD);
        purged = purged.max(sequence_of(id));
        last_id = Some(id);
    }
    drop(rows);
    let Some(last_id) = last_id else { return Ok(false) };
    connection.prepare_cached("DELETE FROM \"_vt_journal\" WHERE id <= ?1")?.execute([last_id])?;
    connection
        .prepare_cached("UPDATE \"_vt_store\" SET purged = ?1, bytes = ?2")?
        .execute([signed(purged), signed(bytes)])?;
    Ok(true)
}

/// Reads entries from `id` on until about `bytes_max` are read. Call it inside a read transaction.
pub(super) fn read(
    connection: &Connection,
    id: i64,
    bytes_max: usize,
    mut wanted: impl FnMut(i64) -> bool,
) -> rusqlite::Result<(Vec<Entry>, i64)> {
    let mut statement = connection.prepare_cached(
        "SELECT id, kind, version, timestamp, payload FROM \"_vt_journal\" WHERE id >= ?1 ORDER BY id",
    )?;
    let mut rows = statement.query([id])?;
    let (mut entries, mut bytes, mut next, mut seen) = (Vec::new(), 0, id, 0_usize);
    while let Some(row) = rows.next()? {
        let (id, code, version): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        next = id + 1;
        seen += 1;
        let kind =
            EntryKind::from_code(code).ok_or(rusqlite::Error::IntegralValueOutOfRange(1, code))?;
        // Rows that nobody wants are neither read nor copied: SQLite loads a payload when asked.
        let payload = if kind != EntryKind::Rows || wanted(version) {
            row.get_ref(4)?.as_blob().map_err(|_| rusqlite::Error::InvalidQuery)?.to_vec()
        } else {
            Vec::new()
        };
        bytes += payload.len();
        let sequence = sequence_of(id);
        entries.push(Entry { sequence, id, kind, version, timestamp: count(row, 3)?, payload });
        if bytes >= bytes_max || seen >= READ_ENTRIES_MAX {
            break;
        }
    }
    Ok((entries, next))
}

/// The id of a transaction's first entry.
pub(super) fn first_id(sequence: u64) -> i64 {
    signed(sequence << PART_BITS)
}

/// SQLite's integers have a sign; none of our counts needs it.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn count(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(index).map(|number| u64::try_from(number).unwrap_or_default())
}

fn sequence_of(id: i64) -> u64 {
    u64::try_from(id).unwrap_or_default() >> PART_BITS
}

/// An id is 39 bits of transaction and 24 bits of part.
const PART_BITS: u32 = 24;
/// Entries of one transaction, its end not counted.
const PARTS_MAX: u32 = (1 << PART_BITS) - 1;
/// What an entry takes beside its payload, roughly.
const ENTRY_OVERHEAD: u64 = 24;
/// Entries that a small commit removes at most.
const TRIM_STEP: u64 = 64;
/// Entries that one read returns at most.
const READ_ENTRIES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        create(&connection, ServerId::from_bytes(&[1; 16]).unwrap()).unwrap();
        connection
    }

    fn commit(connection: &Connection, sequence: u64, now: u64, payloads: &[&[u8]]) -> bool {
        let mut pending = Pending::new(sequence, now);
        for payload in payloads {
            pending.append(connection, EntryKind::Rows, 1, payload).unwrap();
        }
        pending.finish(connection, now).unwrap() > 0
    }

    #[test]
    fn a_transaction_without_changes_leaves_nothing() {
        let connection = log();
        assert!(!commit(&connection, 1, 10, &[]));
        assert_eq!(extent(&connection).unwrap().last, 0);
        assert!(commit(&connection, 1, 10, &[b"a", b"b"]));
        assert_eq!(extent(&connection).unwrap().last, 1);
        let (entries, next) = read(&connection, 0, usize::MAX, |_| true).unwrap();
        let kinds: Vec<_> = entries.iter().map(|entry| (entry.sequence, entry.kind)).collect();
        let rows = (1, EntryKind::Rows);
        assert_eq!(kinds, [rows, rows, (1, EntryKind::Commit)]);
        assert!(read(&connection, next, usize::MAX, |_| true).unwrap().0.is_empty());
    }

    #[test]
    fn trimming_removes_whole_transactions_by_size_and_age() {
        let connection = log();
        for sequence in 1..=20 {
            commit(&connection, sequence, sequence, &[&[0; 100]]);
        }
        let generous = Retention { bytes_max: 1 << 30, age_max: 1000 };
        trim(&connection, generous, 1, 20).unwrap();
        assert_eq!(extent(&connection).unwrap().purged, 0);
        trim(&connection, Retention { bytes_max: 1 << 30, age_max: 10 }, 1, 20).unwrap();
        assert_eq!(extent(&connection).unwrap().purged, 9);
        trim(&connection, Retention { bytes_max: 300, age_max: 1000 }, 1, 20).unwrap();
        let left = extent(&connection).unwrap();
        assert_eq!((left.last, left.purged, left.bytes), (20, 18, 296));
        let (entries, _) = read(&connection, 0, usize::MAX, |_| true).unwrap();
        assert_eq!(entries[0].sequence, 19);
        trim(&connection, Retention { bytes_max: 0, age_max: 0 }, 1, 99).unwrap();
        assert_eq!(extent(&connection).unwrap().purged, 19, "the last transaction stays");
    }
}
