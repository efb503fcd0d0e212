//! Streams of shard `ks/0`, opened at the engine and printed as a trace's lines. Every event also
//! goes through [`ClientOrder`].

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use vstreamd::engine::{Batch, Engine, EngineConfig, ShardSources, Subscription, Tablet};
use vstreamd::event::row::push_cell;
use vstreamd::event::{
    ClientOrder, Event, GtidSet, Position, Row, Rows, ShardName, ShardPosition, Start, TableLastPk,
    TableSchema,
};
use vstreamd::plan::{
    Applied, Filter, Flags, Rule, RuleFilter, Scratch, StreamRequest, TabletType,
};
use vstreamd::source::Source;
use vstreamd::sql::{self, Statement, filter::Select};

use super::trace::{
    LastPk, Request, print_cell, print_cells, print_change, print_event, print_row,
};

/// Positions by the names that a trace gave them.
pub type Marks = BTreeMap<String, GtidSet>;

/// An engine over one source, which is shard `ks/0`.
pub fn engine(config: EngineConfig, source: Arc<dyn Source>) -> Engine {
    let tablet = Tablet { name: "test-1".into(), tablet_type: TabletType::Primary, source };
    let shard = ShardSources { shard: ShardName::new("ks", "0"), tablets: vec![tablet] };
    Engine::new(config, vec![shard])
}

/// An open stream.
pub struct Stream {
    subscription: Subscription,
    shard: ShardName,
    order: ClientOrder,
    /// What the stream has said of its position, or began behind.
    seen: GtidSet,
    copying: bool,
    ended: bool,
    is_sql: bool,
    /// The trace says how far it is read before it goes on.
    is_paced: bool,
    scratch: Scratch,
    lines: Vec<String>,
    request: StreamRequest,
    rows: Vec<ShownRow>,
}

/// A row that a stream has shown, and how to go on behind it.
#[derive(Debug, Clone)]
pub struct ShownRow {
    /// `table + 1 a`, as an event stream prints it.
    pub line: String,
    pub token: String,
    /// Shown while the shard was still copying.
    pub in_copy: bool,
    /// Table and key before the change, if the row was in the stream then; without a key the row.
    before: Option<String>,
    /// The same behind the change, and what is shown of the row.
    after: Option<(String, String)>,
}

/// What a client has that applies rows by their keys.
pub fn rebuild<'a>(rows: impl IntoIterator<Item = &'a ShownRow>) -> BTreeMap<String, String> {
    let mut table = BTreeMap::new();
    for row in rows {
        if let Some(before) = &row.before {
            table.remove(before);
        }
        if let Some((key, shown)) = &row.after {
            // A column that came later is NULL in rows that were copied before.
            table.insert(key.clone(), shown.trim_end_matches(" NULL").to_owned());
        }
    }
    table
}

impl Stream {
    /// Opens a stream; one from now on is live when this returns.
    pub async fn open(engine: &Engine, request: &Request, marks: &Marks) -> Result<Self, String> {
        let is_sql = request.statement().is_some();
        Self::subscribe(engine, convert(request, marks)?, is_sql).await
    }

    async fn subscribe(
        engine: &Engine,
        request: StreamRequest,
        is_sql: bool,
    ) -> Result<Self, String> {
        let first = request.position.shards.first().cloned();
        let start = first.as_ref().map(|shard| shard.start.clone());
        let seen = match &start {
            Some(Start::After(set)) => set.clone(),
            _ => GtidSet::new(),
        };
        let subscription =
            engine.subscribe(request.clone()).await.map_err(|error| chain(&error))?;
        let mut stream = Self {
            subscription,
            shard: ShardName::new("ks", "0"),
            order: ClientOrder::new(),
            seen,
            copying: first.is_some_and(|shard| shard.wants_copy()),
            ended: false,
            is_sql,
            is_paced: false,
            scratch: Scratch::default(),
            lines: Vec::new(),
            request,
            rows: Vec::new(),
        };
        if start == Some(Start::Now) {
            while stream.seen.is_empty() || !stream.order.is_between_transactions() {
                stream.step().await?;
            }
            let lines = std::mem::take(&mut stream.lines);
            assert!(is_sql || lines == ["VGTID", "OTHER"], "a stream from now begins {lines:?}");
        }
        Ok(stream)
    }

    /// The same stream, behind a row that it has shown.
    pub async fn resume(&self, engine: &Engine, row: &ShownRow) -> Result<Self, String> {
        let position = Position::from_token(&row.token).map_err(|error| chain(&error))?;
        self.resume_at(engine, position).await
    }

    /// The same stream from another position.
    pub async fn resume_at(&self, engine: &Engine, position: Position) -> Result<Self, String> {
        let request = StreamRequest { position, limit: None, ..self.request.clone() };
        Self::subscribe(engine, request, self.is_sql).await
    }

    /// Whether the request ends the stream after some rows.
    pub const fn has_limit(&self) -> bool {
        self.request.limit.is_some()
    }

    /// All rows that the stream has shown so far.
    pub fn rows(&self) -> &[ShownRow] {
        &self.rows
    }

    /// What the stream shows until it has caught up with `target` and completed its copy.
    pub async fn settle(&mut self, target: &GtidSet) -> Result<Vec<String>, String> {
        while !self.is_settled(target) {
            self.step().await?;
        }
        Ok(std::mem::take(&mut self.lines))
    }

    /// Reads on until the copy is complete, so that what is written from now on comes behind it;
    /// not if the trace has stopped in the middle of the copy.
    pub async fn complete_copy(&mut self) -> Result<(), String> {
        while self.copying && !self.ended && !self.is_paced {
            self.step().await?;
        }
        Ok(())
    }

    /// What the stream shows up to this line.
    pub async fn until(&mut self, line: &str) -> Result<Vec<String>, String> {
        self.is_paced = true;
        loop {
            if let Some(index) = self.lines.iter().position(|shown| shown == line) {
                let rest = self.lines.split_off(index + 1);
                return Ok(std::mem::replace(&mut self.lines, rest));
            }
            if self.ended {
                return Ok(std::mem::take(&mut self.lines));
            }
            self.step().await?;
        }
    }

    /// The error that the stream ends with.
    pub async fn error(&mut self) -> String {
        loop {
            if let Err(error) = self.step().await {
                return error;
            }
        }
    }

    fn is_settled(&self, target: &GtidSet) -> bool {
        self.ended
            || (!self.copying
                && self.order.is_between_transactions()
                && self.seen.contains_set(target))
    }

    async fn step(&mut self) -> Result<(), String> {
        let next = tokio::time::timeout(PATIENCE, self.subscription.next());
        let next = next.await.map_err(|_| format!("nothing more comes behind {:?}", self.lines))?;
        let Some(batch) = next.map_err(|error| chain(&error))? else {
            self.lines.push("END".to_owned());
            self.ended = true;
            return Ok(());
        };
        for event in &batch.events {
            self.order
                .push(&batch.shard, event)
                .map_err(|error| format!("{error}; before it came {:?}", self.lines))?;
            self.show(&batch, event)?;
        }
        Ok(())
    }

    fn show(&mut self, batch: &Batch, event: &Event) -> Result<(), String> {
        let mut own = None;
        match event {
            Event::Row(rows) => return self.show_rows(batch, rows),
            Event::Vgtid(position) => {
                own = position.shard(&self.shard);
                if let Some(Start::After(set)) = own.map(|own| &own.start) {
                    self.seen = set.clone();
                }
            }
            Event::CopyCompleted(None) => self.copying = false,
            _ => {}
        }
        if !self.is_sql {
            self.lines.push(print_event(event, own));
        }
        Ok(())
    }

    fn show_rows(&mut self, batch: &Batch, rows: &Rows) -> Result<(), String> {
        let plan = batch.plan(rows);
        let table = &rows.event.schema().name.table;
        for (index, source) in rows.changes().enumerate() {
            let applied = plan.apply(source, &mut self.scratch).map_err(|error| chain(&error))?;
            let change = match applied {
                Applied::Same => source,
                Applied::Without => continue,
                Applied::Changed(change) => change,
            };
            let line = print_change(table, &change);
            self.lines.push(if self.is_sql { print_row(&change) } else { line.clone() });
            let mut token = Vec::new();
            batch.write_pos(rows, index, &mut token);
            let token = String::from_utf8(token).expect("a token is ASCII");
            let key = |image: Row<'_>| format!("{table} {}", key_of(rows.event.schema(), image));
            self.rows.push(ShownRow {
                line,
                token,
                in_copy: self.copying,
                before: change.before.and(source.before).map(key),
                after: change
                    .after
                    .zip(source.after)
                    .map(|(shown, source)| (key(source), print_cells(shown))),
            });
        }
        Ok(())
    }
}

/// Sets a limit by its name in a trace.
pub fn configure(config: &mut EngineConfig, name: &str, number: u64) {
    let size = usize::try_from(number).unwrap();
    match name {
        "copy_batch_bytes" => config.copy_batch_bytes = size,
        "part_bytes" => config.part_bytes = size,
        "log_bytes_max" => config.log_bytes_max = size,
        "copy_snapshot_max_age" => config.copy_snapshot_max_age = Duration::from_secs(number),
        _ => panic!("no limit of the engine is called {name}"),
    }
}

pub fn convert(request: &Request, marks: &Marks) -> Result<StreamRequest, String> {
    let mut shard = ShardName::new("ks", "0");
    if let Some((keyspace, name)) = &request.shard {
        shard = ShardName::new(keyspace, name);
    }
    if let Some(statement) = request.statement() {
        return convert_statement(statement, &shard, marks);
    }
    let start = match request.start.as_str() {
        "nowhere" => None,
        "copy" => Some(Start::Copy),
        "current" => Some(Start::Now),
        mark => Some(Start::After(marks[mark].clone())),
    };
    let mut position = ShardPosition::new(shard, start.clone().unwrap_or(Start::Copy));
    position.table_pks = request.last_pks.iter().map(last_pk).collect();
    let shards = start.map(|_| position).into_iter().collect();
    let rules = request.rules.iter().map(|(table, filter)| rule(table, filter));
    let mut rules = rules.collect::<Result<Vec<_>, _>>()?;
    if rules.is_empty() {
        rules.push(Rule::everything());
    }
    Ok(StreamRequest {
        position: Position { shards, plan_hash: None },
        tablet_type: TabletType::Primary,
        filter: Filter { rules },
        flags: Flags { tables_to_copy: request.only.clone(), ..Flags::default() },
        limit: None,
    })
}

fn convert_statement(
    text: &str,
    shard: &ShardName,
    marks: &Marks,
) -> Result<StreamRequest, String> {
    let mut text = text.to_owned();
    for (name, set) in marks {
        text = text.replace(&format!("{{{name}}}"), &set.bare().to_string());
    }
    let Statement::Vstream(vstream) = sql::parse(&text).map_err(|error| chain(&error))? else {
        return Err(format!("no VSTREAM: {text}"));
    };
    let start = match &vstream.start {
        sql::vstream::Start::Copy => "",
        sql::vstream::Start::Now => "current",
        sql::vstream::Start::After(text) => text,
    };
    let shards = std::slice::from_ref(shard);
    let position = Position::parse_start(start, shards).map_err(|error| chain(&error))?;
    Ok(StreamRequest {
        position,
        tablet_type: TabletType::Primary,
        filter: Filter { rules: vec![Rule::select(vstream.select())] },
        flags: Flags::default(),
        limit: vstream.limit,
    })
}

fn rule(table: &str, filter: &str) -> Result<Rule, String> {
    let range = RuleFilter::range(filter).map_err(|error| chain(&error))?;
    let filter = match range {
        Some(filter) => filter,
        None => RuleFilter::Select(Select::parse(filter).map_err(|error| chain(&error))?),
    };
    Ok(Rule { match_: table.to_owned(), filter })
}

fn last_pk(last_pk: &LastPk) -> TableLastPk {
    let mut cells = Vec::new();
    last_pk.key.iter().for_each(|(_, value)| push_cell(&mut cells, value.as_bytes()));
    let columns = last_pk.key.iter().map(|(column, _)| column.as_str().into()).collect();
    TableLastPk { table: last_pk.table.as_str().into(), columns, cells, copies: 1 }
}

fn key_of(schema: &TableSchema, row: Row<'_>) -> String {
    let cells: Vec<_> = row.cells().map(print_cell).collect();
    if schema.key.is_empty() {
        return cells.join(" ");
    }
    schema.key.iter().map(|&index| cells[index].as_str()).collect::<Vec<_>>().join(" ")
}

/// An error with its causes.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// A bound on hangs, not on speed.
const PATIENCE: Duration = Duration::from_secs(90);
