//! The cells of `mysql_async`. Usage and output are those of `../python/cells.py`.

use std::error::Error;
use std::fmt::Debug;
use std::process::ExitCode;
use std::time::Duration;

use mysql_async::prelude::{Protocol, Queryable};
use mysql_async::{ChangeUserOpts, Conn, OptsBuilder, QueryResult, Row, SslOpts, Value};
use tokio::runtime::Builder;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Where the servers are, and what this client's users and tables are called.
#[derive(Clone)]
struct Place {
    host: String,
    port: u16,
    users_port: u16,
    tls_port: u16,
    name: String,
    password: String,
}

fn main() -> ExitCode {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let (Some((place, cells)), Ok(runtime)) = (Place::of_arguments(), runtime) else {
        eprintln!("scripts/clients runs this");
        return ExitCode::FAILURE;
    };
    runtime.block_on(async {
        for cell in cells {
            match place.cell(&cell).await {
                Ok(()) => println!("{cell} PASS"),
                Err(error) => println!("{cell} FAIL {}", error.to_string().replace('\n', " ")),
            }
        }
    });
    // What was dropped with an open result is being read to its end, which never comes.
    runtime.shutdown_background();
    ExitCode::SUCCESS
}

fn same<T: PartialEq + Debug>(found: &T, expected: &T) -> Outcome {
    if found == expected {
        return Ok(());
    }
    let (found, expected) = (format!("{found:?}"), format!("{expected:?}"));
    Err(format!("{found:.200} instead of {expected:.200}").into())
}

/// The row of the copy, and one that is written while the stream is open.
async fn two_rows<P: Protocol>(
    rows: &mut QueryResult<'_, '_, P>,
    writer: &mut Conn,
    table: &str,
) -> Outcome {
    for (id, text) in [(1, "a"), (2, "b")] {
        let row = rows.next().await?.ok_or("the stream ended")?;
        let row: (String, i32, String) = mysql_async::from_row_opt(row)?;
        same(&row, &("+".to_owned(), id, text.to_owned()))?;
        if id == 1 {
            writer.query_drop(format!("INSERT INTO {table} VALUES (2, 'b')")).await?;
        }
    }
    Ok(())
}

impl Place {
    fn of_arguments() -> Option<(Self, Vec<String>)> {
        let mut arguments = std::env::args().skip(1);
        let host = arguments.next()?;
        let port = arguments.next()?.parse().ok()?;
        let users_port = arguments.next()?.parse().ok()?;
        let tls_port = arguments.next()?.parse().ok()?;
        let name = arguments.next()?;
        let password = std::env::var("VSTREAMD_CLIENTS_PASSWORD").ok()?;
        Some((Self { host, port, users_port, tls_port, name, password }, arguments.collect()))
    }

    async fn connect(&self, port: u16, user: &str, password: &str) -> Outcome<Conn> {
        // The certificate is one that the server made for itself a moment ago.
        let tls = SslOpts::default().with_danger_accept_invalid_certs(true);
        let options = OptsBuilder::default()
            .ip_or_hostname(&*self.host)
            .tcp_port(port)
            .prefer_socket(false)
            .user(Some(user))
            .pass(Some(password))
            .max_allowed_packet(Some(1 << 25))
            .ssl_opts((port == self.tls_port).then_some(tls))
            .db_name(Some("commerce"));
        Ok(Conn::new(options).await?)
    }

    async fn anybody(&self) -> Outcome<Conn> {
        self.connect(self.port, "ann", "").await
    }

    async fn login(&self, port: u16, cell: &str) -> Outcome {
        let user = format!("{}_{cell}", self.name);
        let mut connection = self.connect(port, &user, &self.password).await?;
        let found: Option<String> = connection.query_first("SELECT USER()").await?;
        same(&found, &Some(format!("{user}@{}", self.host)))?;
        Ok(connection.disconnect().await?)
    }

    async fn plain(&self) -> Outcome {
        let found: Option<String> = self.anybody().await?.query_first("SELECT USER()").await?;
        same(&found, &Some(format!("ann@{}", self.host)))
    }

    /// A writer, and a reader that may stream from a table with one row.
    async fn two(&self, table: &str) -> Outcome<(Conn, Conn)> {
        let (mut writer, mut reader) = (self.anybody().await?, self.anybody().await?);
        writer.query_drop(format!("CREATE TABLE {table} (id INT PRIMARY KEY, v TEXT)")).await?;
        writer.query_drop(format!("INSERT INTO {table} VALUES (1, 'a')")).await?;
        reader.query_drop("SET workload = OLAP").await?;
        Ok((writer, reader))
    }

    async fn watch(&self, table: &str, prepared: bool) -> Outcome<u32> {
        let (mut writer, mut reader) = self.two(table).await?;
        let id = reader.id();
        let text = format!("VSTREAM * FROM {table}");
        if prepared {
            let mut rows = reader.exec_iter(text, ()).await?;
            two_rows(&mut rows, &mut writer, table).await?;
        } else {
            let mut rows = reader.query_iter(text).await?;
            two_rows(&mut rows, &mut writer, table).await?;
        }
        Ok(id)
    }

    /// A connection that is dropped with an open result is read to its end in the background: the
    /// driver's way to leave is the end of the runtime that would do it.
    async fn endless(&self, table: String, prepared: bool) -> Outcome {
        let place = self.clone();
        let stream = std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(place.watch(&table, prepared))
        });
        let id = stream.join().map_err(|_| "the stream's thread panicked")??;
        let mut watcher = self.anybody().await?;
        for _ in 0..WAIT_TENTHS_MAX {
            let rows: Vec<Row> = watcher.query("SHOW PROCESSLIST").await?;
            if !rows.iter().any(|row| row.get::<u32, _>(0) == Some(id)) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err("the server did not notice the end".into())
    }

    async fn limit(&self, table: &str) -> Outcome {
        let mut connection = self.anybody().await?;
        connection.query_drop(format!("CREATE TABLE {table} (id INT PRIMARY KEY)")).await?;
        connection.query_drop(format!("INSERT INTO {table} VALUES (1), (2), (3)")).await?;
        connection.query_drop("SET workload = OLAP").await?;
        let text = format!("VSTREAM * FROM {table} LIMIT 2");
        let rows: Vec<(String, i32)> = connection.query(text).await?;
        same(&rows, &vec![("+".to_owned(), 1), ("+".to_owned(), 2)])?;
        same(&connection.query_first("SELECT 42").await?, &Some(42))
    }

    async fn edges(&self, table: &str) -> Outcome {
        let mut connection = self.anybody().await?;
        let create = format!("CREATE TABLE {table} (id INT PRIMARY KEY, v LONGTEXT)");
        connection.query_drop(create).await?;
        for payload in (1 << 24) - 2..=(1 << 24) + 1 {
            let head = format!("INSERT INTO {table} VALUES ({payload}, '");
            // What is sent is the command's byte, the text and its end; what comes is four bytes of
            // length and the value.
            let length = payload - 1 - head.len() - 2;
            connection.query_drop(format!("{head}{}')", "a".repeat(length))).await?;
            let more = "b".repeat(payload - 4 - length);
            let text = format!("SELECT CONCAT(v, '{more}') FROM {table} WHERE id = {payload}");
            let value: Option<String> = connection.query_first(text).await?;
            let value = value.ok_or("no row")?;
            same(&(value.len(), value.find('b')), &(payload - 4, Some(length)))?;
        }
        Ok(connection.query_drop(format!("DROP TABLE {table}")).await?)
    }

    async fn params(&self, table: &str) -> Outcome {
        let mut connection = self.anybody().await?;
        let columns = "id INT PRIMARY KEY, i BIGINT, u BIGINT UNSIGNED, d DOUBLE, n DECIMAL(20,5), \
                       s TEXT, b BLOB, x INT, da DATE, dt DATETIME(6), ti TIME(6)";
        connection.query_drop(format!("CREATE TABLE {table} ({columns})")).await?;
        let sent = vec![
            Value::Int(i64::MIN),
            Value::UInt(u64::MAX),
            Value::Double(1.5),
            Value::from("12345.67890"),
            Value::from("it's \"q\" \\ é"),
            Value::from(b"\x00\xff'"),
            Value::NULL,
            Value::Date(2026, 11, 22, 0, 0, 0, 0),
            Value::Date(2026, 11, 22, 12, 34, 56, 789_012),
            Value::Time(true, 1, 12, 34, 56, 789_000),
        ];
        let insert = format!("INSERT INTO {table} VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        connection.exec_drop(insert, sent.clone()).await?;
        let select = format!("SELECT i, u, d, n, s, b, x, da, dt, ti FROM {table} WHERE id = ?");
        let row: Option<Row> = connection.exec_first(select, (1,)).await?;
        same(&row.map(Row::unwrap), &Some(sent))?;
        let select = format!("SELECT i, u, d, n, s, HEX(b), x, da, dt, ti FROM {table}");
        let row: Option<Row> = connection.query_first(select).await?;
        let shown = [
            "-9223372036854775808",
            "18446744073709551615",
            "1.5",
            "12345.67890",
            "it's \"q\" \\ é",
            "00FF27",
            "NULL",
            "2026-11-22",
            "2026-11-22 12:34:56.789012",
            "-36:34:56.789000",
        ];
        let shown = shown.map(|text| if text == "NULL" { Value::NULL } else { Value::from(text) });
        same(&row.map(Row::unwrap), &Some(shown.into()))
    }

    async fn reset(&self) -> Outcome {
        let mut connection = self.anybody().await?;
        connection.query_drop("SET @kept = 1").await?;
        same(&connection.reset().await?, &true)?;
        same(&connection.query_first("SELECT @kept").await?, &Some(None::<i64>))
    }

    async fn user(&self) -> Outcome {
        let user = format!("{}_user", self.name);
        let mut connection = self.connect(self.users_port, &user, &self.password).await?;
        connection.query_drop("SET @kept = 1").await?;
        let user = format!("{}_native", self.name);
        let options = ChangeUserOpts::new()
            .with_user(Some(user.clone()))
            .with_pass(Some(self.password.clone()))
            .with_db_name(Some("commerce".to_owned()));
        connection.change_user(options).await?;
        same(&connection.query_first("SELECT @kept").await?, &Some(None::<i64>))?;
        let found: Option<String> = connection.query_first("SELECT USER()").await?;
        same(&found, &Some(format!("{user}@{}", self.host)))
    }

    async fn kill(&self, table: &str) -> Outcome {
        let (mut writer, mut reader) = self.two(table).await?;
        let id = reader.id();
        let mut rows = reader.query_iter(format!("VSTREAM * FROM {table}")).await?;
        two_rows(&mut rows, &mut writer, table).await?;
        writer.query_drop(format!("KILL QUERY {id}")).await?;
        match rows.next().await {
            Err(mysql_async::Error::Server(error)) => same(&error.code, &1317)?,
            other => return Err(format!("{other:?} instead of 1317").into()),
        }
        drop(rows);
        same(&reader.query_first("SELECT 42").await?, &Some(42))
    }

    async fn cell(&self, cell: &str) -> Outcome {
        let table = format!("{cell}_{}", self.name);
        match cell {
            "tls" => self.login(self.tls_port, cell).await,
            "rsa" | "native" => self.login(self.users_port, cell).await,
            "cached" => {
                self.login(self.users_port, cell).await?;
                self.login(self.users_port, cell).await
            }
            "plain" => self.plain().await,
            "text" => self.endless(table, false).await,
            "binary" => self.endless(table, true).await,
            "limit" => self.limit(&table).await,
            "edges" => self.edges(&table).await,
            "params" => self.params(&table).await,
            "reset" => self.reset().await,
            "user" => self.user().await,
            "kill" => self.kill(&table).await,
            _ => Err("there is no such cell".into()),
        }
    }
}

const WAIT_TENTHS_MAX: u32 = 100;
