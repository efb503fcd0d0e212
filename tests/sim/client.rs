//! A consumer that keeps tables, notes how far it is, forgets, resumes, and checks every event.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use vstreamd::engine::{Batch, Engine, StreamError, SubscribeError, Subscription};
use vstreamd::event::{
    ClientOrder, Event, Gtid, GtidSet, Position, Row, RowChange, Rows, ShardName, Start, TableName,
};
use vstreamd::plan::{Filter, Flags, Rule, StreamRequest, TabletType};

use super::run::World;
use super::state::{State, key_of, print_row};
use super::world::{Kind, version_of};

/// How a client behaves.
#[derive(Debug, Clone)]
pub struct Habits {
    pub start: Start,
    /// The tables of its rules; all if none.
    pub tables: Option<Vec<String>>,
    /// Waits up to so long before each read.
    pub pace: Duration,
    /// Of 1,000 reads so many are followed by a long silence, and by a loss of memory.
    pub freezes: u32,
    pub restarts: u32,
}

/// What a client knows at one moment, and could have stored with the position.
#[derive(Debug, Clone)]
struct Memory {
    shards: Vec<ShardMemory>,
}

#[derive(Debug, Clone)]
struct ShardMemory {
    name: ShardName,
    state: State,
    versions: BTreeMap<(TableName, Vec<u8>), u64>,
    set: Option<GtidSet>,
    /// The stream begins now, and what had been committed when it was opened.
    from_now: bool,
    committed: Option<GtidSet>,
    copying: bool,
    /// The row change of an open transaction that was seen last.
    last: Option<(Gtid, u64)>,
}

pub struct Client {
    name: usize,
    world: Rc<RefCell<World>>,
    /// Processes over the same servers; each life is spent with one of them.
    engines: Vec<Engine>,
    habits: Habits,
    random: fastrand::Rng,
    memory: Memory,
    /// Positions kept, with what was known then; the last one is resumed from.
    kept: Vec<(String, Memory)>,
    order: ClientOrder,
}

enum Next {
    Finished,
    Again,
}

impl Client {
    pub fn new(
        name: usize,
        world: &Rc<RefCell<World>>,
        engines: Vec<Engine>,
        habits: Habits,
        seed: u64,
    ) -> Self {
        let memory = Memory::new(world, &habits);
        Self {
            name,
            world: Rc::clone(world),
            engines,
            habits,
            random: fastrand::Rng::with_seed(seed),
            memory,
            kept: Vec::new(),
            order: ClientOrder::new(),
        }
    }

    /// Reads until it has everything, then goes back to positions that it kept.
    pub async fn run(mut self) -> Result<(), String> {
        let name = self.name;
        self.lives().await.map_err(|failure| format!("client {name}: {failure}"))?;
        self.habits.restarts = 0;
        self.habits.freezes = 0;
        let kept = std::mem::take(&mut self.kept);
        for _ in 0..2 {
            let Some(moment) = self.random.choice(&kept).cloned() else { break };
            self.world.borrow_mut().counts.travels += 1;
            self.kept = vec![moment];
            self.lives().await.map_err(|failure| format!("client {name}, resumed: {failure}"))?;
        }
        Ok(())
    }

    async fn lives(&mut self) -> Result<(), String> {
        for life in 0..LIVES_MAX {
            // A whole life without rolls of the dice, lest nothing ever gets done.
            if life > 20 {
                self.habits.restarts = 0;
            }
            if let Next::Finished = self.life().await? {
                return self.check_all();
            }
        }
        Err(format!("not finished after {LIVES_MAX} lives"))
    }

    fn request(&mut self) -> Result<StreamRequest, String> {
        let world = self.world.borrow();
        let names: Vec<_> = world.shards.iter().map(|shard| shard.name.clone()).collect();
        let position = match self.kept.last() {
            None => Position::starting(&self.habits.start, &names),
            Some((token, _)) => Position::from_token(token).map_err(|e| e.to_string())?,
        };
        let rules = match &self.habits.tables {
            None => vec![Rule::everything()],
            Some(tables) => tables.iter().map(|table| Rule::all(table)).collect(),
        };
        Ok(StreamRequest {
            position,
            tablet_type: TabletType::Replica,
            filter: Filter { rules },
            flags: Flags::default(),
            limit: None,
        })
    }

    /// One subscription, from where the client remembers to be.
    async fn life(&mut self) -> Result<Next, String> {
        self.memory = match self.kept.last() {
            Some((_, memory)) => memory.clone(),
            None => Memory::new(&self.world, &self.habits),
        };
        let request = self.request()?;
        for (memory, position) in self.memory.shards.iter_mut().zip(&request.position.shards) {
            memory.copying = position.wants_copy();
            memory.from_now = position.start == Start::Now;
        }
        self.order = ClientOrder::starting(&request.position);
        self.note("subscribes");
        let engine = self.random.choice(&self.engines).cloned().expect("there is one at least");
        let mut subscription = match engine.subscribe(request).await {
            Ok(subscription) => subscription,
            Err(error) => return self.refused(&error).await,
        };
        for (memory, shard) in self.memory.shards.iter_mut().zip(&self.world.borrow().shards) {
            memory.committed = memory.from_now.then(|| shard.everything());
        }
        self.world.borrow_mut().counts.lives += 1;
        loop {
            self.dawdle().await;
            if self.random.u32(..1_000) < self.habits.restarts {
                return Ok(Next::Again);
            }
            let read = match self.read(&mut subscription).await {
                Ok(read) => read,
                Err(error) => return self.broken(&error).await,
            };
            if let Some(batch) = read {
                self.batch(&batch)?;
            }
            if self.has_everything() {
                return Ok(Next::Finished);
            }
        }
    }

    async fn read(&mut self, from: &mut Subscription) -> Result<Option<Batch>, StreamError> {
        if self.random.bool()
            && let Poll::Ready(batch) = from.try_next()?
        {
            return Ok(batch);
        }
        let patience = Duration::from_millis(self.random.u64(1..2_000));
        // Dropped in mid-wait: `next` has to bear it.
        tokio::time::timeout(patience, from.next()).await.unwrap_or(Ok(None))
    }

    async fn dawdle(&mut self) {
        if self.random.u32(..1_000) < self.habits.freezes {
            self.world.borrow_mut().counts.freezes += 1;
            tokio::time::sleep(Duration::from_secs(self.random.u64(1..20))).await;
        }
        let pace = self.random.u64(..=self.habits.pace.as_micros() as u64);
        if pace > 0 {
            tokio::time::sleep(Duration::from_micros(pace)).await;
        }
    }

    async fn refused(&mut self, error: &SubscribeError) -> Result<Next, String> {
        self.note(&format!("refused: {error}"));
        match error {
            SubscribeError::Source { source, .. } if source.is_transient() => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Ok(Next::Again)
            }
            // Its tables were dropped: there is nothing left to copy.
            SubscribeError::NoSuchTable(_) | SubscribeError::NothingToCopy => self.start_again(),
            // A key has changed under the copy.
            SubscribeError::OtherPlan if self.world.borrow().counts.statements > 0 => {
                self.start_again()
            }
            error => Err(format!("refused: {error}")),
        }
    }

    fn start_again(&mut self) -> Result<Next, String> {
        self.world.borrow_mut().counts.fresh_starts += 1;
        self.kept.clear();
        self.habits.start = Start::Now;
        Ok(Next::Again)
    }

    async fn broken(&mut self, error: &StreamError) -> Result<Next, String> {
        self.note(&format!("broken: {error}"));
        // A replica that is behind, asked by a client that comes from another one.
        if let StreamError::Future { .. } = error {
            self.world.borrow_mut().counts.future += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
            return Ok(Next::Again);
        }
        let mut world = self.world.borrow_mut();
        match error {
            StreamError::Source { source, .. } if source.is_transient() => {
                world.counts.given_up += 1;
            }
            StreamError::Purged { .. } if world.trims => {
                world.counts.purged += 1;
                self.kept.clear();
            }
            StreamError::TableChanged { .. } if world.counts.statements > 0 => {
                world.counts.fresh_starts += 1;
                self.kept.clear();
            }
            error => return Err(format!("broken: {error}")),
        }
        Ok(Next::Again)
    }

    fn has_everything(&self) -> bool {
        let world = self.world.borrow();
        world.done
            && self.memory.shards.iter().zip(&world.shards).all(|(memory, shard)| {
                !memory.copying
                    && memory.last.is_none()
                    && memory.set.as_ref().is_some_and(|set| set.contains_set(&shard.everything()))
            })
    }

    fn check_all(&self) -> Result<(), String> {
        (0..self.memory.shards.len()).try_for_each(|index| self.check_tables(index))
    }

    /// The tables put together from the stream are those of the source at the same position.
    fn check_tables(&self, index: usize) -> Result<(), String> {
        let world = self.world.borrow();
        let memory = &self.memory.shards[index];
        let set = memory.set.clone().unwrap_or_default();
        let mut expected = world.shards[index].state_at(&set);
        expected.tables.retain(|name, _| self.wants(&name.table));
        let (more, less) = (memory.state.without(&expected), expected.without(&memory.state));
        if more.is_empty() && less.is_empty() {
            return Ok(());
        }
        Err(format!("at {set} too much: {} and too little: {}", more.join(" "), less.join(" ")))
    }

    fn wants(&self, table: &str) -> bool {
        self.habits.tables.as_ref().is_none_or(|tables| tables.iter().any(|name| name == table))
    }

    fn note(&self, what: &str) {
        self.world.borrow_mut().note(|| format!("client {}: {what}", self.name));
    }

    fn batch(&mut self, batch: &Batch) -> Result<(), String> {
        self.world.borrow_mut().note(|| {
            let events: Vec<_> = batch.events.iter().map(print).collect();
            format!("client {}: {} {}", self.name, batch.shard.shard, events.join(" "))
        });
        let index = self.memory.shards.iter().position(|shard| shard.name == *batch.shard);
        let index = index.ok_or("a batch of an unknown shard")?;
        let before = self.memory.shards[index].set.clone();
        for event in &batch.events {
            self.order.push(&batch.shard, event).map_err(|error| error.to_string())?;
            match event {
                Event::Row(rows) => self.rows(index, batch, rows)?,
                Event::Vgtid(position) => {
                    let own = position.shard(&batch.shard).ok_or("a VGTID without its shard")?;
                    let Start::After(set) = &own.start else {
                        return Err("a VGTID without a set".to_owned());
                    };
                    self.memory.shards[index].set = Some(set.clone());
                }
                Event::Commit(_) | Event::Ddl(_) | Event::Other(_) => {
                    self.complete(index, before.as_ref(), event)?;
                    self.keep_commit(batch);
                }
                Event::CopyCompleted(Some(_)) => {
                    self.memory.shards[index].copying = false;
                    self.world.borrow_mut().counts.copies += 1;
                    self.check_tables(index)?;
                }
                Event::Begin(_) | Event::Field(_) | Event::RowsQuery(_) => {}
                Event::CopyCompleted(None) | Event::Heartbeat(_) => {}
                Event::Gtid(_) | Event::Journal(_) | Event::Unreadable(_) => {
                    return Err(event.name().to_owned());
                }
            }
        }
        Ok(())
    }

    fn rows(&mut self, index: usize, batch: &Batch, rows: &Rows) -> Result<(), String> {
        for (number, change) in rows.changes().enumerate() {
            let mut token = Vec::new();
            batch.write_pos(rows, number, &mut token);
            let token = String::from_utf8(token).map_err(|_| "a token that is no text")?;
            let position = Position::from_token(&token).map_err(|error| error.to_string())?;
            let own = position.shard(&batch.shard).ok_or("a token without its shard")?;
            self.row(index, rows, change, own.partial.as_ref().map(|p| (p.gtid, p.changes)))?;
            self.world.borrow_mut().counts.rows += 1;
            if self.random.u32(..8) == 0 {
                self.keep(token);
            }
        }
        Ok(())
    }

    fn row(
        &mut self,
        index: usize,
        rows: &Rows,
        change: RowChange<'_>,
        place: Option<(Gtid, u64)>,
    ) -> Result<(), String> {
        let schema = rows.event.schema();
        let before = change.before.map(Row::encoded);
        let after = change.after.map(Row::encoded);
        let version = match place {
            None => after.and_then(|row| version_of(schema, row)),
            Some((gtid, seq)) => Some(self.check_change(index, gtid, seq, rows, change)?),
        };
        let memory = &mut self.memory.shards[index];
        if let (Some(version), false) = (version, schema.key.is_empty()) {
            for row in [before, after].into_iter().flatten() {
                let key = (schema.name.clone(), key_of(schema, row));
                let known = memory.versions.insert(key, version);
                if known.is_some_and(|known| known > version) {
                    return Err(format!("version {version} after {known:?} of {}", schema.name));
                }
            }
        }
        memory.state.change(schema, before, after);
        Ok(())
    }

    /// A change of the log is what was committed, and came neither too late nor twice.
    fn check_change(
        &mut self,
        index: usize,
        gtid: Gtid,
        seq: u64,
        rows: &Rows,
        change: RowChange<'_>,
    ) -> Result<u64, String> {
        let world = self.world.borrow();
        let committed = world.shards[index].find(&gtid).ok_or("rows of an unknown transaction")?;
        let Kind::Rows(changes) = &committed.kind else {
            return Err(format!("rows of {gtid}, which has none"));
        };
        let mut wanted = changes.iter().filter(|change| self.wants(&change.schema.name.table));
        let source = wanted.nth(usize::try_from(seq - 1).unwrap_or(usize::MAX));
        let source = source.ok_or_else(|| format!("change {seq} of {gtid} does not exist"))?;
        let memory = &self.memory.shards[index];
        // In a copy one image may be beyond the last key, and left to the later snapshot.
        let same = |source: &Option<Vec<u8>>, image: Option<Row<'_>>| {
            source.as_deref() == image.map(Row::encoded) || memory.copying && image.is_none()
        };
        let same = same(&source.before, change.before) && same(&source.after, change.after);
        if source.schema != *rows.event.schema() || !same {
            return Err(format!("change {seq} of {gtid} is another one"));
        }
        let last = match memory.last {
            Some((open, _)) if open != gtid => {
                return Err(format!("rows of {gtid} inside {open}"));
            }
            Some((_, last)) => last,
            None => 0,
        };
        if seq <= last || !memory.copying && seq != last + 1 {
            return Err(format!("change {seq} of {gtid} behind change {last}"));
        }
        let version = source.version;
        drop(world);
        self.memory.shards[index].last = Some((gtid, seq));
        Ok(version)
    }

    /// A transaction or statement is complete: which one, and was all of it seen?
    fn complete(
        &mut self,
        index: usize,
        before: Option<&GtidSet>,
        event: &Event,
    ) -> Result<(), String> {
        let world = self.world.borrow();
        let shard = &world.shards[index];
        let memory = &mut self.memory.shards[index];
        let now = memory.set.clone().unwrap_or_default();
        let Some(before) = before else {
            drop(world);
            return self.begin(index, &now);
        };
        let is_new = |gtid: &Gtid| now.contains(gtid) && !before.contains(gtid);
        let mut new = shard.history.iter().filter(|committed| is_new(&committed.gtid));
        let (first, more) = (new.next(), new.next());
        if more.is_some() {
            return Err(format!("several transactions at once: {before} -> {now}"));
        }
        let Some(committed) = first else {
            // A copy's own transaction.
            return if memory.copying { Ok(()) } else { Err("nothing was committed".to_owned()) };
        };
        let last = memory.last.take();
        match (&committed.kind, event) {
            (Kind::Rows(changes), Event::Commit(_)) => {
                let tables = &self.habits.tables;
                let wanted = changes.iter().filter(|change| {
                    let table = &*change.schema.name.table;
                    tables.as_ref().is_none_or(|tables| tables.iter().any(|name| name == table))
                });
                let count = wanted.count() as u64;
                let seen = last.map_or(0, |(_, seq)| seq);
                if !memory.copying && seen != count {
                    return Err(format!("{seen} of {count} changes of {}", committed.gtid));
                }
            }
            (Kind::Other, Event::Other(_)) => {}
            (Kind::Ddl(ddl, effect), _) => {
                let tables = &self.habits.tables;
                let table = &*effect.table().table;
                let ours =
                    tables.as_ref().is_none_or(|tables| tables.iter().any(|name| name == table));
                match event {
                    Event::Ddl(told) if ours && **told == **ddl => {}
                    Event::Other(_) if !ours => return Ok(()),
                    _ => return Err(format!("{} instead of DDL", event.name())),
                }
                memory.versions.retain(|(name, _), _| name != effect.table());
                memory.state.apply(effect);
            }
            _ => return Err(format!("{} for {}", event.name(), committed.gtid)),
        }
        Ok(())
    }

    /// The first position of a stream that began now: the tables are taken as they are there.
    fn begin(&mut self, index: usize, now: &GtidSet) -> Result<(), String> {
        if !self.memory.shards[index].copying {
            // A copy whose tables were all dropped begins at its snapshot, whenever that was.
            let committed = self.memory.shards[index].committed.as_ref();
            if let Some(committed) = committed.filter(|committed| !committed.contains_set(now)) {
                return Err(format!("begins at {now}, behind {committed}"));
            }
            let mut state = self.world.borrow().shards[index].state_at(now);
            state.tables.retain(|name, _| self.wants(&name.table));
            self.memory.shards[index].state = state;
        }
        Ok(())
    }

    fn keep_commit(&mut self, batch: &Batch) {
        let position = batch.events.iter().rev().find_map(|event| match event {
            Event::Vgtid(position) => Some(position),
            _ => None,
        });
        // A position where another shard has not begun is its request once more.
        let begun = self.memory.shards.iter().all(|shard| shard.set.is_some());
        let (Some(position), true, true) = (position, begun, self.random.u32(..4) == 0) else {
            return;
        };
        let mut token = Vec::new();
        position.to_token(&mut token);
        self.keep(String::from_utf8(token).expect("tokens are text"));
    }

    fn keep(&mut self, token: String) {
        if self.memory.shards.iter().any(|shard| shard.set.is_none()) {
            return;
        }
        if self.kept.len() >= KEPT_MAX {
            self.kept.remove(0);
        }
        self.kept.push((token, self.memory.clone()));
    }
}

impl Memory {
    fn new(world: &Rc<RefCell<World>>, habits: &Habits) -> Self {
        let shard = |shard: &super::world::Shard| ShardMemory {
            name: shard.name.clone(),
            state: State::default(),
            versions: BTreeMap::new(),
            set: None,
            from_now: false,
            committed: None,
            copying: habits.start == Start::Copy,
            last: None,
        };
        Self { shards: world.borrow().shards.iter().map(shard).collect() }
    }
}

fn print(event: &Event) -> String {
    match event {
        Event::Row(rows) => {
            let change = |change: RowChange<'_>| {
                let image = |row: Option<Row<'_>>| row.map(|row| print_row(row.encoded()));
                let before = image(change.before).unwrap_or_default();
                let after = image(change.after).unwrap_or_default();
                format!("{}{before}{after}", change.op().symbol())
            };
            let changes: Vec<_> = rows.changes().map(change).collect();
            format!("{}:{}", rows.event.schema().name.table, changes.join(""))
        }
        Event::Field(schema) => format!("FIELD:{}", schema.name.table),
        Event::Vgtid(position) => {
            let shards = position.shards.iter().map(|shard| match &shard.start {
                Start::After(set) => {
                    let pks = shard.table_pks.iter().map(|pk| &*pk.table);
                    format!("{}{{{}}}", set.bare(), pks.collect::<Vec<_>>().join(","))
                }
                other => format!("{other:?}"),
            });
            format!("VGTID[{}]", shards.collect::<Vec<_>>().join(" "))
        }
        Event::Ddl(ddl) => format!("DDL:{}{}", ddl.statement, Arc::clone(ddl).tables[0].table),
        other => other.name().to_owned(),
    }
}

/// Subscriptions that one client makes at most.
const LIVES_MAX: usize = 200;
/// Positions that one client keeps.
const KEPT_MAX: usize = 12;
