//! An embedded keyspace `ks` of one shard with a writer's session, as traces use it.

use std::collections::BTreeMap;
use std::sync::Arc;

use vstreamd::event::GtidSet;
use vstreamd::source::sqlite::{Store, StoreConfig};
use vstreamd::source::{Backend as _, BackendReply, BackendSession, Source, Variables};
use vstreamd::sql::sqlite::Value;
use vstreamd::sql::{self, Assignment, Expr, SetValue, Statement, expr::Literal};

use super::mirror::Mirror;

/// An embedded keyspace.
pub struct Keyspace {
    pub store: Arc<Store>,
    session: Box<dyn BackendSession>,
    variables: Settings,
    /// A scripted source that commits the same.
    mirror: Option<Mirror>,
    _directory: tempfile::TempDir,
}

/// The session variables that a script has set.
#[derive(Default)]
struct Settings(BTreeMap<String, Value>);

impl Variables for Settings {
    fn system(&self, name: &str) -> Option<Value> {
        self.0.get(name).cloned()
    }

    fn user(&self, _: &str) -> Option<Value> {
        None
    }
}

impl Keyspace {
    /// A new, empty one.
    pub async fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = StoreConfig { keyspace: "ks".to_owned(), ..StoreConfig::default() };
        let store = Store::open(directory.path(), config).await.unwrap();
        let session = store.backend().session("root").await.unwrap();
        let variables = Settings::default();
        Self { store, session, variables, mirror: None, _directory: directory }
    }

    /// The same, with a scripted source beside it that commits whatever the store does.
    pub async fn mirrored() -> Self {
        let mut keyspace = Self::open().await;
        keyspace.mirror = Some(Mirror::new());
        keyspace
    }

    /// The keyspace as a source of changes.
    pub fn source(&self) -> Arc<dyn Source> {
        match &self.mirror {
            Some(mirror) => Arc::new(mirror.memory.clone()),
            None => Arc::new(self.store.source()),
        }
    }

    /// Whether the source can be copied in the order of its keys.
    pub async fn sorts_keys(&self) -> bool {
        match &self.mirror {
            Some(mirror) => mirror.sorts_keys().await,
            None => true,
        }
    }

    /// Everything committed by now.
    pub async fn position(&self) -> GtidSet {
        self.source().position().await.unwrap()
    }

    /// Runs statements up to the first that fails.
    pub async fn run(&mut self, texts: &str) -> Result<(), String> {
        for text in sql::split(texts).map(str::trim).filter(|text| !text.is_empty()) {
            self.execute(text).await.map_err(|error| format!("{text}: {error}"))?;
            if let Some(mirror) = &mut self.mirror {
                mirror.follow(&self.store.source()).await;
            }
        }
        Ok(())
    }

    async fn execute(&mut self, text: &str) -> Result<(), String> {
        if let Ok(Statement::Set(assignments)) = sql::parse(text) {
            assignments.into_iter().for_each(|assignment| self.set(assignment));
            return Ok(());
        }
        let reply = self.session.execute(text, &self.variables).await;
        if let BackendReply::Rows(mut rows) = reply.map_err(|error| error.to_string())? {
            while rows.next().await.map_err(|error| error.to_string())?.is_some() {}
        }
        Ok(())
    }

    fn set(&mut self, assignment: Assignment) {
        let Assignment::Variable { name, value: SetValue::Expr(value), .. } = assignment else {
            return;
        };
        let value = match value {
            Expr::Literal(Literal::Text(text)) => Value::Text(text),
            Expr::Literal(Literal::Number(digits)) => Value::Int(digits.parse().unwrap()),
            _ => return,
        };
        self.variables.0.insert(name, value);
    }
}
