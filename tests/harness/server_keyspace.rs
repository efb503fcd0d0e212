//! Keyspace `ks` on a real server, with a writer's session, as traces use it.

use std::sync::Arc;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use vstreamd::source::Source;
use vstreamd::source::mysql::{Budget, MysqlSource, Server, ServerUrl};
use vstreamd::sql;

use super::real::{self, Kind};

/// An empty database `ks` of a server that no other test uses meanwhile.
pub struct ServerKeyspace {
    writer: Conn,
    source: Arc<MysqlSource>,
}

impl ServerKeyspace {
    /// Empties the database and opens the writer's session.
    pub async fn open(server: &real::Server) -> Self {
        let mut writer = connect(server, "").await;
        for statement in ["DROP DATABASE IF EXISTS ks", "CREATE DATABASE ks", "USE ks"] {
            writer.query_drop(statement).await.unwrap();
        }
        Self { writer, source: Arc::new(source(server, "ks")) }
    }

    /// The keyspace as a source of changes.
    pub fn source(&self) -> Arc<dyn Source> {
        Arc::clone(&self.source) as _
    }

    /// Runs statements up to the first that fails.
    pub async fn run(&mut self, texts: &str) -> Result<(), String> {
        for text in sql::split(texts).map(str::trim).filter(|text| !text.is_empty()) {
            self.writer.query_drop(text).await.map_err(|error| format!("{text}: {error}"))?;
        }
        Ok(())
    }
}

/// A database of a server under its own name.
pub fn source(server: &real::Server, database: &str) -> MysqlSource {
    let url = format!("mysql://{}@{}/{database}", server.user, server.address());
    let budget = Arc::new(Budget::new(CONNECTIONS_MAX));
    let name = match server.kind {
        Kind::MariaDb => "mariadb-1",
        Kind::MySql => "mysql-1",
    };
    MysqlSource::new(Server::new(name, ServerUrl::parse(&url).unwrap(), budget), database)
}

/// A session of a user with every right.
pub async fn connect(server: &real::Server, database: &str) -> Conn {
    Conn::from_url(server.url(database)).await.unwrap()
}

const CONNECTIONS_MAX: usize = 20;
