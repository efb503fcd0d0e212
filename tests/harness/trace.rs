//! Trace files: what is done to a keyspace, and what a stream of it shows, line by line.
//!
//! A line is a keyword and its text; a line that begins with a blank goes on with the one before.
//! `#` begins a comment. A trace is run from top to bottom over an empty keyspace `ks` of one
//! shard `0`.
//!
//! | line | does |
//! |---|---|
//! | `schema SQL; SQL` | runs statements; `schema` and `apply` differ for the reader only |
//! | `apply SQL; SQL` | runs statements in the writer's session, which lasts as long as the trace |
//! | `fails SQL` | runs one statement that must fail |
//! | `mark NAME` | names the present position of the source |
//! | `config NAME NUMBER` | before the first stream: sets a limit of the engine |
//! | `stream START` | opens a stream; START is `copy`, `current`, a marked name, or `nowhere` |
//! | `stream vstream ...` | opens the stream of an SQL statement; `{NAME}` is a marked position |
//! | `rule MATCH FILTER` | of the stream above: a filter rule; without any, all tables |
//! | `lastpk TABLE COLUMN=VALUE ...` | of the stream above: the copy of this table goes on behind this key |
//! | `only TABLE ...` | of the stream above: copies these tables only |
//! | `shard KEYSPACE/SHARD` | of the stream above: another shard than `ks/0` |
//! | `until LINE` | the block below ends with this line, not where the stream has caught up |
//! | `expect LINE` | what the stream shows next; `expect nothing` if that is nothing |
//! | `error TEXT` | the stream above cannot begin, or ends, with an error that contains TEXT |
//!
//! A block of `expect` lines is everything that the stream shows until it has caught up with the
//! source (and, if it copies, until the copy is complete). Lines of an SQL stream are rows, as
//! `+ 1 a`. Lines of any other are events: `BEGIN`, `FIELD table column type [key], ...`,
//! `table + 1 a`, `table * 1 a -> 1 b`, `table - 1 b` (one per row change), `VGTID` with the last
//! key of each table in copy (`VGTID t=4`), `COMMIT`, `DDL text`, `OTHER`, `COPY_COMPLETED ks/0`,
//! `COPY_COMPLETED`. A cell that is empty or holds blanks or quotes is put in quotes; bytes that
//! are no text are `x'00ff'`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use vstreamd::event::{Cell, Event, Op, Row, RowChange, ShardPosition, TableSchema};

/// One trace file.
#[derive(Debug, Clone)]
pub struct Trace {
    pub path: PathBuf,
    /// All of the file, in order.
    items: Vec<Item>,
}

#[derive(Debug, Clone)]
enum Item {
    /// Text that is kept as it is.
    Comment(String),
    /// A step and the text that it was read from.
    Step(Step, String),
    /// A block of expected lines.
    Expect(Vec<String>),
}

/// What a trace does next.
#[derive(Debug, Clone)]
pub enum Step {
    Apply(String),
    Fails(String),
    Mark(String),
    Config(String, u64),
    Stream(Request),
    Until(String),
    /// Index of the block among the trace's items.
    Expect(usize),
    Error(String),
}

/// The stream that a trace opens.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `copy`, `current`, a marked name, `nowhere`, or a VSTREAM statement.
    pub start: String,
    pub rules: Vec<(String, String)>,
    pub last_pks: Vec<LastPk>,
    pub only: Vec<String>,
    pub shard: Option<(String, String)>,
}

/// `table column=value ...`.
#[derive(Debug, Clone)]
pub struct LastPk {
    pub table: String,
    pub key: Vec<(String, String)>,
}

impl Request {
    /// The SQL statement, if the stream is one's.
    pub fn statement(&self) -> Option<&str> {
        self.start.to_ascii_lowercase().starts_with("vstream ").then_some(self.start.as_str())
    }
}

impl Trace {
    /// All traces in a folder and the folders in it, by name.
    pub fn all(folder: &Path) -> Vec<Self> {
        let mut traces = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "trace") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    let name = path.display().to_string();
                    traces.push(Self::parse(path, &text).unwrap_or_else(|e| panic!("{name}:{e}")));
                }
            }
        }
        traces.sort_by(|left, right| left.path.cmp(&right.path));
        traces
    }

    /// The file's name without folder and ending.
    pub fn name(&self) -> String {
        self.path.file_stem().unwrap().to_string_lossy().into_owned()
    }

    /// Reads a trace.
    pub fn parse(path: PathBuf, text: &str) -> Result<Self, String> {
        let mut items: Vec<Item> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let place = |what: &str| format!("{}: {what}: {line}", number + 1);
            if line.starts_with(' ') {
                let Some(Item::Step(_, raw)) = items.last_mut() else {
                    return Err(place("nothing to go on with"));
                };
                raw.push('\n');
                raw.push_str(line);
                continue;
            }
            if line.is_empty() || line.starts_with('#') {
                items.push(Item::Comment(line.to_owned()));
                continue;
            }
            let (keyword, rest) = line.split_once(' ').ok_or_else(|| place("no text"))?;
            if keyword == "expect" {
                let expected = rest.trim_start().to_owned();
                match items.last_mut() {
                    Some(Item::Expect(lines)) => lines.push(expected),
                    _ => items.push(Item::Expect(vec![expected])),
                }
                continue;
            }
            items.push(Item::Step(Step::Apply(String::new()), line.to_owned()));
        }
        for item in &mut items {
            if let Item::Step(step, raw) = item {
                *step = parse_step(raw)?;
            }
        }
        Ok(Self { path, items })
    }

    /// What to do, in order. Attributes of a stream are part of its step.
    pub fn steps(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for (index, item) in self.items.iter().enumerate() {
            match item {
                Item::Comment(_) => {}
                Item::Expect(_) => steps.push(Step::Expect(index)),
                Item::Step(Step::Stream(more), _) if more.start.is_empty() => {
                    let Some(Step::Stream(request)) = steps.last_mut() else {
                        panic!("{}: an attribute without a stream", self.path.display());
                    };
                    request.rules.extend(more.rules.iter().cloned());
                    request.last_pks.extend(more.last_pks.iter().cloned());
                    request.only.extend(more.only.iter().cloned());
                    request.shard = more.shard.clone().or(request.shard.take());
                }
                Item::Step(step, _) => steps.push(step.clone()),
            }
        }
        steps
    }

    /// The lines of a block.
    pub fn expected(&self, block: usize) -> Vec<String> {
        match &self.items[block] {
            Item::Expect(lines) if *lines == [NOTHING] => Vec::new(),
            Item::Expect(lines) => lines.clone(),
            _ => panic!("item {block} is no block"),
        }
    }

    /// Puts other lines in a block's place.
    pub fn set_expected(&mut self, block: usize, lines: &[String]) {
        let nothing = [NOTHING.to_owned()];
        let lines = if lines.is_empty() { &nothing } else { lines };
        self.items[block] = Item::Expect(lines.to_vec());
    }

    /// The file's text.
    pub fn print(&self) -> String {
        let mut text = String::new();
        for item in &self.items {
            match item {
                Item::Comment(line) | Item::Step(_, line) => writeln!(text, "{line}").unwrap(),
                Item::Expect(lines) => {
                    lines.iter().for_each(|line| writeln!(text, "expect  {line}").unwrap());
                }
            }
        }
        text
    }
}

fn parse_step(raw: &str) -> Result<Step, String> {
    let text = raw.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let (keyword, rest) = text.split_once(' ').unwrap_or((&text, ""));
    let rest = rest.trim();
    let attribute = |request: Request| Ok(Step::Stream(request));
    match keyword {
        "schema" | "apply" => Ok(Step::Apply(rest.to_owned())),
        "fails" => Ok(Step::Fails(rest.to_owned())),
        "until" => Ok(Step::Until(rest.to_owned())),
        "mark" => Ok(Step::Mark(rest.to_owned())),
        "error" => Ok(Step::Error(rest.to_owned())),
        "config" => {
            let (name, number) = rest.split_once(' ').ok_or(text.clone())?;
            let number = number.trim().parse().map_err(|_| text.clone())?;
            Ok(Step::Config(name.to_owned(), number))
        }
        "stream" => Ok(Step::Stream(Request { start: rest.to_owned(), ..Request::default() })),
        "rule" => {
            let (table, filter) = rest.split_once(' ').unwrap_or((rest, ""));
            let rules = vec![(table.to_owned(), filter.trim().to_owned())];
            attribute(Request { rules, ..Request::default() })
        }
        "only" => {
            let only = rest.split_whitespace().map(str::to_owned).collect();
            attribute(Request { only, ..Request::default() })
        }
        "shard" => {
            let (keyspace, shard) = rest.split_once('/').ok_or(text.clone())?;
            let shard = Some((keyspace.to_owned(), shard.to_owned()));
            attribute(Request { shard, ..Request::default() })
        }
        "lastpk" => {
            let mut words = rest.split_whitespace();
            let table = words.next().ok_or(text.clone())?.to_owned();
            let key = words.map(|word| {
                word.split_once('=').map(|(column, value)| (column.to_owned(), value.to_owned()))
            });
            let key = key.collect::<Option<_>>().ok_or(text.clone())?;
            let last_pks = vec![LastPk { table, key }];
            attribute(Request { last_pks, ..Request::default() })
        }
        _ => Err(format!("unknown keyword: {text}")),
    }
}

/// Prints an event that is not ROW; `position` is that of the event's own shard.
pub fn print_event(event: &Event, position: Option<&ShardPosition>) -> String {
    match event {
        Event::Field(schema) => print_field(schema),
        Event::Vgtid(_) => {
            let mut line = event.name().to_owned();
            for last_pk in position.iter().flat_map(|position| &position.table_pks) {
                let key = print_cells(Row::new(&last_pk.cells, None)).replace(' ', ",");
                write!(line, " {}={key}", last_pk.table).unwrap();
            }
            line
        }
        Event::Ddl(ddl) => format!("DDL {}", ddl.statement),
        Event::CopyCompleted(Some(shard)) => format!("COPY_COMPLETED {shard}"),
        Event::RowsQuery(text) => format!("ROWS_QUERY {text}"),
        Event::Row(_) => panic!("a ROW prints by its changes"),
        Event::Gtid(_)
        | Event::Begin(_)
        | Event::Commit(_)
        | Event::Other(_)
        | Event::Unreadable(_)
        | Event::Journal(_)
        | Event::Heartbeat(_)
        | Event::CopyCompleted(None) => event.name().to_owned(),
    }
}

fn print_field(schema: &TableSchema) -> String {
    let columns = schema.columns.iter().enumerate().map(|(index, column)| {
        let key = if schema.key.contains(&index) { " key" } else { "" };
        format!("{} {}{key}", column.name, column.declared)
    });
    format!("FIELD {} {}", schema.name.table, columns.collect::<Vec<_>>().join(", "))
}

/// Prints a change as an event stream shows it: both images of an update.
pub fn print_change(table: &str, change: &RowChange<'_>) -> String {
    let op = change.op().symbol();
    let shown = print_cells(change.shown().unwrap());
    match (change.op(), change.before) {
        (Op::Update, Some(before)) => format!("{table} {op} {} -> {shown}", print_cells(before)),
        _ => format!("{table} {op} {shown}"),
    }
}

/// Prints a change as an SQL stream shows it: one row.
pub fn print_row(change: &RowChange<'_>) -> String {
    format!("{} {}", change.op().symbol(), print_cells(change.shown().unwrap()))
}

/// Prints the cells of a row.
pub fn print_cells(row: Row<'_>) -> String {
    row.cells().map(print_cell).collect::<Vec<_>>().join(" ")
}

/// Prints one cell.
pub fn print_cell(cell: Cell<'_>) -> String {
    let bytes = match cell {
        Cell::Absent => return "ABSENT".to_owned(),
        Cell::Null => return "NULL".to_owned(),
        Cell::Text(bytes) => bytes,
    };
    print_bytes(bytes)
}

/// Prints the bytes of one cell.
pub fn print_bytes(bytes: &[u8]) -> String {
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.chars().any(char::is_control));
    let Some(text) = text else {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        return format!("x'{digits}'");
    };
    if text.len() > 200 {
        return format!("{}...({} bytes)", text.chars().take(8).collect::<String>(), text.len());
    }
    let plain = !text.is_empty()
        && !text.contains([' ', '"', '\''])
        && !["NULL", "ABSENT", "->"].contains(&text);
    if plain { text.to_owned() } else { format!("{text:?}") }
}

const NOTHING: &str = "nothing";
