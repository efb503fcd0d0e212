//! What each statement means for one client: a session decides, and does no I/O.
//!
//! [`Session::decide`] turns a parsed statement into a [`Reply`]: an answer, or who is to give it.
//! Whoever runs the reply tells the session what came of it.

use std::sync::Arc;
use std::time::Duration;

use super::constant::evaluate;
use super::error::{self, Failure};
use super::registry::ConnectionId;
use super::resultset::Table;
use super::show;
use super::variables::{SERVER_VERSION, Saved, Variables};
use crate::event::{Position, ShardName, Start, TableName};
use crate::plan::{Filter, Flags, Rule, StreamRequest, TabletType};
use crate::sql;
use crate::sql::set::{Access, Assignment, Isolation, SetValue};
use crate::sql::show::{List, Show};
use crate::sql::sqlite::{Value, Warning};
use crate::sql::target::Destination;
use crate::sql::vstream::{Item, Vstream};
use crate::sql::{Command, CommandKind, Statement, Target};

/// A keyspace that clients can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyspace {
    /// Its name.
    pub name: String,
    /// Its shards, in key order.
    pub shards: Vec<ShardName>,
}

/// What happens next for a statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// It is done.
    Ok,
    /// A small result.
    Table(Asked),
    /// A change stream's rows.
    Stream(Box<Stream>),
    /// Whatever the backend answers.
    Backend {
        /// The statement.
        text: String,
        /// How many rows of it are sent.
        limit: Option<u64>,
        /// How long it may take.
        time_max: Option<Duration>,
    },
    /// It is done once the backend, if it was needed before, has run this text.
    Told(String),
    /// Another statement, behind which these variables are restored.
    Under(Saved, Box<Reply>),
    /// End a connection, or the statement that it runs.
    Kill {
        /// Whose.
        id: ConnectionId,
        /// Only the statement.
        query: bool,
    },
}

/// A small result, made at once.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// These rows.
    Made(Table),
    /// What the engine would do with this stream.
    Explain(Box<Stream>),
    /// Those of the backend's rows that the filter keeps.
    Listing {
        /// A SHOW without a filter.
        text: String,
        /// Which rows.
        filter: Option<sql::show::Filter>,
    },
    /// What is connected.
    Processlist {
        /// With whole statements.
        full: bool,
    },
    /// What streams.
    Vstreams(Option<sql::show::Filter>),
    /// How the server does.
    Status(Option<sql::show::Filter>),
}

/// A VSTREAM, decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    /// What the engine is asked for.
    pub request: StreamRequest,
    /// The table whose changes are shown.
    pub table: TableName,
    /// What follows `op` in each row.
    pub items: Vec<Item>,
}

/// One client's state between statements.
#[derive(Debug)]
pub struct Session {
    id: ConnectionId,
    user: String,
    host: String,
    keyspaces: Arc<[Keyspace]>,
    target: Option<Target>,
    variables: Variables,
    /// What SHOW WARNINGS shows.
    diagnostics: Vec<Warning>,
    /// How many of it the backend has yet to tell.
    unread: u16,
}

impl Session {
    /// A session as it is after login.
    pub fn new(
        id: ConnectionId,
        user: &str,
        host: &str,
        keyspaces: Arc<[Keyspace]>,
        variables: Variables,
    ) -> Self {
        Self {
            id,
            user: user.to_owned(),
            host: host.to_owned(),
            keyspaces,
            target: None,
            variables,
            diagnostics: Vec::new(),
            unread: 0,
        }
    }

    /// Who logged in.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Where from.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The current keyspace.
    pub fn database(&self) -> Option<&str> {
        self.target.as_ref().map(|target| target.keyspace.as_str())
    }

    /// What the session's variables hold.
    pub const fn variables(&self) -> &Variables {
        &self.variables
    }

    /// Ends what a statement has set for itself alone.
    pub fn restore(&mut self, saved: Saved) {
        self.variables.restore(saved);
    }

    /// Forgets everything but the login, as COM_RESET_CONNECTION does; the keyspace stays.
    pub fn reset(&mut self) {
        self.variables.reset();
        self.note(Vec::new());
    }

    /// Keeps what a statement leaves to SHOW WARNINGS.
    pub fn note(&mut self, diagnostics: Vec<Warning>) {
        self.diagnostics = diagnostics;
        self.unread = 0;
    }

    /// Keeps how much a statement leaves to SHOW WARNINGS, until somebody wants to see it.
    pub fn note_unread(&mut self, count: u16) {
        self.note(Vec::new());
        self.unread = count;
    }

    /// How much the backend has yet to tell.
    pub const fn unread(&self) -> u16 {
        self.unread
    }

    /// Keeps the error of a statement for SHOW WARNINGS.
    pub fn note_failure(&mut self, failure: &Failure) {
        let (code, message) = (failure.code, failure.text.clone());
        self.note(vec![Warning { level: show::ERROR, code, message }]);
    }

    /// What a statement means.
    pub fn decide(&mut self, statement: Statement) -> Result<Reply, Failure> {
        match statement {
            Statement::Vstream(vstream) => {
                self.require_olap()?;
                Ok(Reply::Stream(Box::new(self.stream(vstream)?)))
            }
            Statement::Explain(vstream) => {
                Ok(Reply::Table(Asked::Explain(Box::new(self.stream(vstream)?))))
            }
            Statement::Set(assignments) => self.set(&assignments),
            Statement::SetFor { assignments, statement } => self.set_for(&assignments, *statement),
            Statement::Use(target) => self.enter(target),
            Statement::Kill(kill) => match u32::try_from(kill.connection) {
                Ok(id) => Ok(Reply::Kill { id: ConnectionId(id), query: kill.query }),
                Err(_) => Err(no_such_thread(kill.connection)),
            },
            Statement::Show(show) => self.show(show),
            Statement::Backend(command) => Ok(self.backend(command)),
        }
    }

    /// Enters a keyspace by its plain name or target, as COM_INIT_DB does.
    pub fn init_db(&mut self, name: &str) -> Result<(), Failure> {
        let target = Target::parse(name).map_err(|error| error::of_target(&error))?;
        self.enter(target).map(|_| ())
    }

    fn enter(&mut self, mut target: Target) -> Result<Reply, Failure> {
        if target.keyspace.is_empty() {
            target.keyspace = self.database().ok_or_else(no_database)?.to_owned();
        }
        shards_of(self.keyspace(&target.keyspace)?, target.shard.as_ref())?;
        self.target = Some(target);
        Ok(Reply::Ok)
    }

    fn keyspace(&self, name: &str) -> Result<&Keyspace, Failure> {
        self.keyspaces
            .iter()
            .find(|keyspace| keyspace.name == name)
            .ok_or_else(|| error::UNKNOWN_DATABASE.with(format!("Unknown database '{name}'")))
    }

    fn require_olap(&self) -> Result<(), Failure> {
        if self.variables.text("workload") == "OLAP" {
            return Ok(());
        }
        Err(error::UNKNOWN.with("VSTREAM needs WORKLOAD = OLAP; run SET WORKLOAD = 'OLAP' first"))
    }

    fn stream(&self, vstream: Vstream) -> Result<Stream, Failure> {
        let name = match &vstream.table.keyspace {
            Some(keyspace) => keyspace.as_str(),
            None => self.database().ok_or_else(no_database)?,
        };
        let keyspace = self.keyspace(name)?;
        // The target holds for its own keyspace; another one is meant as a whole.
        let target = self.target.as_ref().filter(|target| target.keyspace == name);
        if let Some(kind) = target.and_then(|target| target.tablet_type)
            && kind != sql::target::TabletType::Primary
        {
            return Err(error::UNKNOWN.with(format!(
                "vstream is supported only for primary tablet type, current type: {}",
                kind.word().to_ascii_uppercase()
            )));
        }
        let shards = shards_of(keyspace, target.and_then(|target| target.shard.as_ref()))?;
        let position = match &vstream.start {
            sql::vstream::Start::Copy => Position::starting(&Start::Copy, &shards),
            sql::vstream::Start::Now => Position::starting(&Start::Now, &shards),
            sql::vstream::Start::After(text) => {
                Position::parse_start(text, &shards).map_err(|error| error::of_position(&error))?
            }
        };
        let rule = Rule::select(vstream.select());
        let table = TableName::new(name, &vstream.table.name);
        let request = StreamRequest {
            position,
            tablet_type: TabletType::Primary,
            filter: Filter { rules: vec![rule] },
            flags: Flags::default(),
            limit: self.limit(vstream.limit),
        };
        Ok(Stream { request, table, items: vstream.items })
    }

    /// The smaller of LIMIT and SQL_SELECT_LIMIT.
    fn limit(&self, limit: Option<u64>) -> Option<u64> {
        let session = self.variables.text("sql_select_limit").parse().unwrap_or(u64::MAX);
        Some(limit.unwrap_or(u64::MAX).min(session)).filter(|limit| *limit != u64::MAX)
    }

    /// `max_execution_time`, which is for SELECT alone; 0 is no bound.
    fn time_max(&self) -> Option<Duration> {
        let milliseconds = self.variables.text("max_execution_time").parse().unwrap_or(u64::MAX);
        Some(Duration::from_millis(milliseconds)).filter(|bound| !bound.is_zero())
    }

    fn set(&mut self, assignments: &[Assignment]) -> Result<Reply, Failure> {
        let mut variables = self.variables.clone();
        assign_all(&mut variables, assignments)?;
        self.variables = variables;
        // Without a scope it is for the backend's next transaction.
        if let [transaction @ Assignment::Transaction { scope: None, .. }] = assignments {
            let text = format!("SET {transaction}");
            return Ok(Reply::Backend { text, limit: None, time_max: None });
        }
        // User variables live in the backend too: its statements read and change them.
        let of_users: Vec<_> = assignments
            .iter()
            .filter(|item| matches!(item, Assignment::UserVariable { .. }))
            .map(ToString::to_string)
            .collect();
        if !of_users.is_empty() {
            let text = format!("SET {}", of_users.join(", "));
            return Ok(Reply::Backend { text, limit: None, time_max: None });
        }
        // The backend reads autocommit with each statement; switching it on commits, so one follows
        // at once.
        let named = assignments
            .iter()
            .any(|item| matches!(item, Assignment::Variable { name, .. } if name == "autocommit"));
        Ok(if named { Reply::Told("DO 0".to_owned()) } else { Reply::Ok })
    }

    /// What the statement itself sets stays; what it is set for is restored once it has run.
    fn set_for(
        &mut self,
        assignments: &[Assignment],
        statement: Statement,
    ) -> Result<Reply, Failure> {
        let names = assignments.iter().filter_map(|item| match item {
            Assignment::Variable { name, .. } => Some(name.as_str()),
            Assignment::UserVariable { .. }
            | Assignment::Names { .. }
            | Assignment::CharacterSet { .. }
            | Assignment::Transaction { .. } => None,
        });
        let saved = self.variables.save(names)?;
        let mut variables = self.variables.clone();
        assign_all(&mut variables, assignments)?;
        self.variables = variables;
        match self.decide(statement) {
            Ok(reply) => Ok(Reply::Under(saved, Box::new(reply))),
            Err(failure) => {
                self.variables.restore(saved);
                Err(failure)
            }
        }
    }

    fn backend(&self, command: Command) -> Reply {
        // SQL_SELECT_LIMIT holds for a SELECT that has no LIMIT of its own.
        let (limit, time_max) = match command.kind == CommandKind::Select {
            true => (self.limit(None).filter(|_| !command.has_limit()), self.time_max()),
            false => (None, None),
        };
        Reply::Backend { text: command.text, limit, time_max }
    }

    fn listing(&self, show: Show) -> Result<Reply, Failure> {
        if unnamed_keyspace(&show) {
            self.database().ok_or_else(no_database)?;
        }
        let (show, filter) = without_filter(show);
        Ok(Reply::Table(Asked::Listing { text: show.to_string(), filter }))
    }

    fn show(&mut self, show: Show) -> Result<Reply, Failure> {
        let table = match show {
            Show::Processlist { full } => return Ok(Reply::Table(Asked::Processlist { full })),
            Show::List { list: List::Vstreams, filter } => {
                return Ok(Reply::Table(Asked::Vstreams(filter)));
            }
            Show::Status { filter, .. } => return Ok(Reply::Table(Asked::Status(filter))),
            Show::Databases(filter) => {
                let names = self.keyspaces.iter().map(|keyspace| keyspace.name.as_str());
                show::databases(names, filter.as_ref())?
            }
            Show::Keyspaces(filter) => {
                let names = self.keyspaces.iter().map(|keyspace| keyspace.name.as_str());
                show::databases(names, filter.as_ref())?
            }
            Show::List { list: List::VitessShards, filter } => {
                let shards = self.keyspaces.iter().flat_map(|keyspace| &keyspace.shards);
                show::shards(shards, filter.as_ref())?
            }
            Show::List { list: List::VitessTarget, .. } => show::target(self.target.as_ref()),
            Show::Variables { filter, .. } => show::variables(&self.variables, filter.as_ref())?,
            Show::Diagnostics { errors, offset, limit } => {
                show::diagnostics(&self.diagnostics, errors, offset, limit)
            }
            Show::DiagnosticsCount { errors } => show::count(&self.diagnostics, errors),
            Show::Grants(None) => show::grants(&self.user),
            Show::Tables { .. }
            | Show::Columns { .. }
            | Show::Index { .. }
            | Show::TableStatus { .. }
            | Show::CreateTable(_)
            | Show::CreateDatabase(_)
            | Show::List { .. }
            | Show::Routines { .. } => return self.listing(show),
            Show::OfServer(_) => {
                let text = show.to_string();
                return Ok(Reply::Backend { text, limit: None, time_max: None });
            }
            Show::Grants(Some(_)) | Show::VgtidExecuted { .. } | Show::GtidExecuted { .. } => {
                return Err(error::NOT_SUPPORTED
                    .with(format!("this version of vstreamd doesn't yet support '{show}'")));
            }
        };
        Ok(Reply::Table(Asked::Made(table)))
    }
}

/// A SHOW without its filter, whose rows are the backend's, and the filter, which is ours.
fn without_filter(mut show: Show) -> (Show, Option<sql::show::Filter>) {
    let filter = match &mut show {
        Show::Tables { filter, .. }
        | Show::Columns { filter, .. }
        | Show::Index { filter, .. }
        | Show::TableStatus { filter, .. }
        | Show::Routines { filter, .. } => filter.take(),
        Show::Processlist { .. }
        | Show::Databases(_)
        | Show::Keyspaces(_)
        | Show::CreateTable(_)
        | Show::CreateDatabase(_)
        | Show::Variables { .. }
        | Show::Status { .. }
        | Show::Diagnostics { .. }
        | Show::DiagnosticsCount { .. }
        | Show::List { .. }
        | Show::OfServer(_)
        | Show::Grants(_)
        | Show::VgtidExecuted { .. }
        | Show::GtidExecuted { .. } => None,
    };
    (show, filter)
}

/// Whether a SHOW is about a keyspace and leaves it to the session which one.
const fn unnamed_keyspace(show: &Show) -> bool {
    match show {
        Show::Tables { keyspace, .. }
        | Show::TableStatus { keyspace, .. }
        | Show::Routines { keyspace, .. } => keyspace.is_none(),
        Show::Columns { table, .. } | Show::Index { table, .. } | Show::CreateTable(table) => {
            table.keyspace.is_none()
        }
        Show::Processlist { .. }
        | Show::Databases(_)
        | Show::Keyspaces(_)
        | Show::CreateDatabase(_)
        | Show::Variables { .. }
        | Show::Status { .. }
        | Show::Diagnostics { .. }
        | Show::DiagnosticsCount { .. }
        | Show::List { .. }
        | Show::OfServer(_)
        | Show::Grants(_)
        | Show::VgtidExecuted { .. }
        | Show::GtidExecuted { .. } => false,
    }
}

/// What a session's statements can ask a session for.
impl sql::sqlite::Variables for Session {
    fn system(&self, name: &str) -> Option<Value> {
        let text = |text: &str| Some(Value::Text(text.to_owned()));
        match name {
            "version" => text(SERVER_VERSION),
            "database" => {
                Some(self.database().map_or(Value::Null, |name| Value::Text(name.into())))
            }
            // What USE has chosen; nothing is the primary.
            "tablet_type" => text(self.target.as_ref()?.tablet_type?.word()),
            "connection_id" | "pseudo_thread_id" => Some(Value::Int(i64::from(self.id.0))),
            "user" => text(&format!("{}@{}", self.user, self.host)),
            "warning_count" => {
                let known = i64::try_from(self.diagnostics.len()).ok()?;
                Some(Value::Int(known + i64::from(self.unread)))
            }
            "error_count" => {
                let errors = self.diagnostics.iter().filter(|left| left.level == show::ERROR);
                i64::try_from(errors.count()).ok().map(Value::Int)
            }
            name => self.variables.system(name).ok(),
        }
    }

    fn user(&self, name: &str) -> Option<Value> {
        Some(self.variables.user(name))
    }
}

/// What KILL says about an id that nobody has.
pub fn no_such_thread(id: u64) -> Failure {
    error::NO_SUCH_THREAD.with(format!("Unknown thread id: {id}"))
}

/// What a name without a keyspace is told where none was chosen.
pub fn no_database() -> Failure {
    error::NO_DATABASE.with("No database selected")
}

fn shards_of(keyspace: &Keyspace, wanted: Option<&Destination>) -> Result<Vec<ShardName>, Failure> {
    let matches = |shard: &ShardName| match wanted {
        None => true,
        Some(Destination::Shard(name)) => *shard.shard == **name,
        Some(Destination::KeyRange { start, end }) => *shard.shard == *format!("{start}-{end}"),
        Some(Destination::KeyspaceId(_)) => false,
    };
    let shards: Vec<_> = keyspace.shards.iter().filter(|shard| matches(shard)).cloned().collect();
    if shards.is_empty() {
        return Err(error::UNKNOWN.with(format!("no such shard in keyspace {}", keyspace.name)));
    }
    Ok(shards)
}

/// Applies all assignments in order, or none: the caller throws a half-set copy away.
fn assign_all(variables: &mut Variables, assignments: &[Assignment]) -> Result<(), Failure> {
    for assignment in assignments {
        assign(variables, assignment)?;
    }
    Ok(())
}

fn assign(variables: &mut Variables, assignment: &Assignment) -> Result<(), Failure> {
    match assignment {
        Assignment::Variable { scope, name, value } => {
            let value = match value {
                SetValue::Default => None,
                SetValue::Expr(expr) => Some(evaluate(expr, variables)?),
            };
            variables.assign(*scope, name, value)
        }
        Assignment::UserVariable { name, value } => {
            // What only the backend can tell, only the backend knows.
            let value = evaluate(value, variables).unwrap_or(Value::Null);
            variables.set_user(name, value)
        }
        Assignment::Names { charset, collation } => {
            let charset = charset.as_deref().unwrap_or("utf8mb4");
            variables.set_names(charset, collation.as_deref())
        }
        Assignment::CharacterSet { charset } => {
            variables.set_character_set(charset.as_deref().unwrap_or("utf8mb4"))
        }
        // Without a scope only the next transaction is meant, which the backend is told of.
        Assignment::Transaction { scope, isolation, access } => {
            let Some(scope) = *scope else { return Ok(()) };
            if let Some(isolation) = isolation {
                let word = isolation_value(*isolation);
                variables.assign(Some(scope), "transaction_isolation", Some(word))?;
            }
            if let Some(access) = access {
                let read_only = Value::Int(i64::from(*access == Access::ReadOnly));
                variables.assign(Some(scope), "transaction_read_only", Some(read_only))?;
            }
            Ok(())
        }
    }
}

fn isolation_value(isolation: Isolation) -> Value {
    Value::Text(isolation.word().replace(' ', "-"))
}
