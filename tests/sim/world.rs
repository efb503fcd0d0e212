//! The servers of one seed, everything that was ever committed on them, and the dice that commit.

use std::collections::VecDeque;
use std::sync::Arc;

use vstreamd::event::row::{push_cell, push_null};
use vstreamd::event::{
    CollationId, Column, ColumnType, Ddl, Gtid, GtidSet, ShardName, TableName, TableSchema,
};
use vstreamd::source::memory::{MemoryChange, MemorySource, MemoryWork};

use super::state::{Effect, State, TableRows, key_of};

/// One shard: replicas of the same history, each in its own order.
pub struct Shard {
    pub name: ShardName,
    pub sources: Vec<MemorySource>,
    pub history: Vec<Arc<Committed>>,
    /// As it was before the first commit.
    pub origin: State,
    pub state: State,
    /// What the second replica has not committed yet.
    behind: VecDeque<usize>,
    /// Of 100 looks at what it lacks so many make it commit one more.
    pub eagerness: u32,
    sequences: [u64; 2],
    number: u8,
    version: u64,
}

/// One commit.
pub struct Committed {
    pub gtid: Gtid,
    pub kind: Kind,
}

pub enum Kind {
    Rows(Vec<Change>),
    Ddl(Arc<Ddl>, Effect),
    Other,
}

/// One row change, and when in the shard's history it was.
pub struct Change {
    pub schema: Arc<TableSchema>,
    pub before: Option<Vec<u8>>,
    pub after: Option<Vec<u8>>,
    pub version: u64,
}

pub const KEYSPACE: &str = "ks";

fn column(name: &str, int: bool) -> Column {
    let (column_type, collation) = if int {
        (ColumnType::Int { bytes: 8, unsigned: false }, CollationId::BINARY)
    } else {
        (ColumnType::VarChar { length: 40 }, CollationId::UTF8MB4_BIN)
    };
    Column::plain(name, column_type, collation)
}

/// A table `(a, b, v, w)`: keyed by the number, the text, both, or nothing.
pub fn table(name: &str, kind: u32) -> Arc<TableSchema> {
    let columns = vec![column("a", true), column("b", false), column("v", true), column("w", true)];
    let key = match kind {
        0 => vec![0],
        1 => vec![1],
        2 => vec![1, 0],
        _ => vec![],
    };
    let name = TableName::new(KEYSPACE, name);
    Arc::new(TableSchema { name, columns, key_is_primary: !key.is_empty(), key })
}

/// The version that a row image carries in `v`; a table without key has none, so that rows can be
/// equal.
pub fn version_of(schema: &TableSchema, row: &[u8]) -> Option<u64> {
    if schema.key.is_empty() {
        return None;
    }
    let cell = vstreamd::event::Row::new(row, None).cells().nth(2)?;
    std::str::from_utf8(cell.bytes()?).ok()?.parse().ok()
}

impl Shard {
    pub fn new(number: u8, name: &str, replicas: usize, tables: &[Arc<TableSchema>]) -> Self {
        let mut state = State::default();
        for schema in tables {
            state.tables.insert(schema.name.clone(), TableRows::new(schema));
        }
        let source = |replica| {
            let source = MemorySource::new(&format!("{name}-{replica}"));
            for schema in tables {
                source.create_table(Arc::clone(schema));
            }
            source
        };
        Self {
            name: ShardName::new(KEYSPACE, name),
            sources: (0..replicas).map(source).collect(),
            history: Vec::new(),
            origin: state.clone(),
            state,
            behind: VecDeque::new(),
            eagerness: 100,
            sequences: [0; 2],
            number,
            version: 0,
        }
    }

    /// The tables as they are once exactly these transactions have been committed.
    pub fn state_at(&self, set: &GtidSet) -> State {
        let mut state = self.origin.clone();
        for committed in self.history.iter().filter(|committed| set.contains(&committed.gtid)) {
            match &committed.kind {
                Kind::Rows(changes) => {
                    for change in changes {
                        let (before, after) = (change.before.as_deref(), change.after.as_deref());
                        state.change(&change.schema, before, after);
                    }
                }
                Kind::Ddl(_, effect) => state.apply(effect),
                Kind::Other => {}
            }
        }
        state
    }

    pub fn everything(&self) -> GtidSet {
        let mut all = GtidSet::new();
        for committed in &self.history {
            all.add(committed.gtid);
        }
        all
    }

    pub fn find(&self, gtid: &Gtid) -> Option<&Arc<Committed>> {
        self.history.iter().find(|committed| committed.gtid == *gtid)
    }

    /// Commits something; `large` makes a transaction of many rows.
    pub fn commit(&mut self, random: &mut fastrand::Rng, large: bool, ddl: bool) {
        let kind = match random.u32(..100) {
            0..3 => Kind::Other,
            3..11 if ddl => self.statement(random),
            _ => self.rows(random, large),
        };
        let server = random.usize(..2);
        self.sequences[server] += 1;
        let gtid = Gtid::Mysql {
            server: [self.number * 2 + server as u8 + 1; 16],
            tag: None,
            sequence: self.sequences[server],
        };
        self.history.push(Arc::new(Committed { gtid, kind }));
        let index = self.history.len() - 1;
        self.write(0, index);
        if self.sources.len() > 1 {
            self.behind.push_back(index);
        }
    }

    fn write(&self, replica: usize, index: usize) {
        let committed = &self.history[index];
        let work = match &committed.kind {
            Kind::Other => MemoryWork::Other,
            Kind::Ddl(ddl, effect) => {
                let name = effect.table().clone();
                // A statement is a barrier: both replicas have the same rows around it.
                let mut before = GtidSet::new();
                for earlier in &self.history[..=index] {
                    before.add(earlier.gtid);
                }
                let state = self.state_at(&before);
                let table = state.tables.get(&name);
                let table = table.map(|table| (Arc::clone(&table.schema), table.all()));
                MemoryWork::Ddl(Arc::clone(ddl), vec![(name, table)])
            }
            Kind::Rows(changes) => {
                let change = |change: &Change| MemoryChange {
                    schema: Arc::clone(&change.schema),
                    before: change.before.clone(),
                    after: change.after.clone(),
                };
                MemoryWork::Rows(changes.iter().map(change).collect())
            }
        };
        self.sources[replica].commit(committed.gtid, 1_000 + index as u64, work);
    }

    /// Lets the second replica commit some of what it lacks, in an order of its own.
    pub fn replicate(&mut self, random: &mut fastrand::Rng, all: bool) {
        while !self.behind.is_empty() && (all || random.u32(..100) < self.eagerness) {
            let mut at = 0;
            // Later ones may come first if they touch nothing that the earlier ones touch.
            while random.bool()
                && at + 1 < self.behind.len()
                && (0..=at).all(|earlier| {
                    let (one, other) = (self.behind[earlier], self.behind[at + 1]);
                    self.history[one].commutes(&self.history[other])
                })
            {
                at += 1;
            }
            let index = self.behind.remove(at).expect("chosen among those that are there");
            self.write(1, index);
        }
    }

    fn rows(&mut self, random: &mut fastrand::Rng, large: bool) -> Kind {
        let count = if large { random.usize(20..60) } else { random.usize(0..5) };
        let mut changes = Vec::new();
        for _ in 0..count {
            changes.extend(self.change(random));
        }
        Kind::Rows(changes)
    }

    fn change(&mut self, random: &mut fastrand::Rng) -> Option<Change> {
        let tables: Vec<_> = self.state.tables.values().collect();
        let table = random.choice(&tables).copied()?;
        let schema = Arc::clone(&table.schema);
        let rows: Vec<_> = table.rows.values().map(|(row, _)| row.clone()).collect();
        let before = if random.u32(..10) < 4 { None } else { random.choice(&rows).cloned() };
        let after = if before.is_some() && random.u32(..10) < 3 {
            None
        } else {
            let same_key = random.u32(..4) > 0;
            let like = before.as_deref().filter(|_| same_key);
            Some(self.row(random, &schema, like))
        };
        // Another row may have the key already.
        let mut before = before;
        if let Some(after) = after.as_deref().filter(|_| !schema.key.is_empty()) {
            let key = key_of(&schema, after);
            let holder = self.state.tables[&schema.name].rows.get(&key);
            let same = before.as_deref().map(|before| key_of(&schema, before)) == Some(key);
            if let Some((holder, _)) = holder.filter(|_| !same) {
                before = Some(holder.clone());
            }
        }
        self.version += 1;
        let change = Change { schema, before, after, version: self.version };
        let (before, after) = (change.before.as_deref(), change.after.as_deref());
        self.state.change(&change.schema, before, after);
        Some(change)
    }

    fn row(
        &mut self,
        random: &mut fastrand::Rng,
        schema: &TableSchema,
        like: Option<&[u8]>,
    ) -> Vec<u8> {
        let cells: Vec<_> = like
            .map(|row| vstreamd::event::Row::new(row, None).cells().collect())
            .unwrap_or_default();
        let mut row = Vec::new();
        for index in 0..schema.columns.len() {
            let kept = cells.get(index).filter(|_| index < 2).and_then(|cell| cell.bytes());
            let text = match index {
                _ if kept.is_some() => {
                    push_cell(&mut row, kept.expect("just looked at"));
                    continue;
                }
                // Few values, so that keys meet again, and even fewer where it is whole rows.
                0 | 1 if schema.key.is_empty() => random.choice(["9", "10"]).unwrap().to_owned(),
                3.. if schema.key.is_empty() => "9".to_owned(),
                0 => random.i64(-3..12).to_string(),
                1 => random.choice(["", "a", "ab", "b", "zz", "0", "10", "9"]).unwrap().to_owned(),
                2 if !schema.key.is_empty() => (self.version + 1).to_string(),
                _ if random.u32(..4) == 0 => {
                    push_null(&mut row);
                    continue;
                }
                _ => random.u32(..2).to_string(),
            };
            push_cell(&mut row, text.as_bytes());
        }
        row
    }

    fn statement(&mut self, random: &mut fastrand::Rng) -> Kind {
        let tables: Vec<_> = self.state.tables.values().map(|table| table.schema.clone()).collect();
        let Some(schema) = random.choice(&tables).cloned() else { return Kind::Other };
        let name = schema.name.clone();
        let effect = match random.u32(..6) {
            0 => Effect::Truncate(name),
            1 if tables.len() > 1 => Effect::Drop(name),
            2 if tables.len() < 5 => {
                let name = format!("{}{}", random.choice(["c", "t", "z"]).unwrap(), self.version);
                Effect::Create(table(&name, random.u32(..4)))
            }
            3 if !schema.key.is_empty() => {
                let key = if schema.key == [0, 1] { vec![1, 0] } else { vec![0, 1] };
                let unique = self.state.tables[&name].rows.len();
                let rekeyed = TableSchema {
                    name,
                    columns: schema.columns.clone(),
                    key,
                    key_is_primary: true,
                };
                let mut keys: Vec<_> = self.state.tables[&rekeyed.name]
                    .all()
                    .iter()
                    .map(|row| key_of(&rekeyed, row))
                    .collect();
                keys.sort();
                keys.dedup();
                if keys.len() != unique {
                    return Kind::Other;
                }
                Effect::Rekey(Arc::new(rekeyed))
            }
            _ if schema.columns.len() < 7 => {
                let mut columns = schema.columns.clone();
                columns.push(column(&format!("x{}", columns.len()), true));
                let (key, key_is_primary) = (schema.key.clone(), schema.key_is_primary);
                Effect::AddColumn(Arc::new(TableSchema { name, columns, key, key_is_primary }))
            }
            _ => return Kind::Other,
        };
        self.version += 1;
        self.state.apply(&effect);
        let ddl = Ddl {
            timestamp: 1_000 + self.history.len() as u64,
            statement: format!("/* {} */ alter", self.version),
            tables: vec![effect.table().clone()],
        };
        Kind::Ddl(Arc::new(ddl), effect)
    }
}

impl Committed {
    /// Whether the two may be committed in either order.
    fn commutes(&self, other: &Self) -> bool {
        let (Kind::Rows(one), Kind::Rows(other)) = (&self.kind, &other.kind) else { return false };
        let touched = |change: &Change| {
            let key = |row: &Vec<u8>| key_of(&change.schema, row);
            [change.before.as_ref().map(key), change.after.as_ref().map(key)]
        };
        one.iter().all(|one| {
            other.iter().all(|other| {
                one.schema.name != other.schema.name
                    || !one.schema.key.is_empty()
                        && touched(one)
                            .iter()
                            .flatten()
                            .all(|key| !touched(other).iter().flatten().any(|theirs| theirs == key))
            })
        })
    }
}
