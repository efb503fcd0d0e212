//! vstreamd against real MySQL and MariaDB servers.

mod care;
mod charsets;
mod connect;
mod copy;
mod decode;
mod failover;
mod follow;

mod large;
mod letters;
mod passthrough;
mod preflight;
mod schema;
mod served;
mod statements;
mod xa;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::harness::real::Server;

/// Runs statements as the server's root, outside any database.
pub async fn run(server: &Server, statements: &[&str]) {
    let mut conn = Conn::from_url(server.url("mysql")).await.unwrap();
    for statement in statements {
        let done = conn.query_drop(*statement).await;
        done.unwrap_or_else(|error| panic!("{:?}: {statement}: {error}", server.kind));
    }
    conn.disconnect().await.unwrap();
}
