//! Images that hold some columns only, changes of JSON documents, and what servers compress.

use mysql_async::Conn;
use vstreamd::source::mysql::decode::{Binding, DecodeError, Decoded, Decoder, RowsError};

use super::{decode, flavour, log, rows, run, session, shown, tables};
use crate::harness::real::{Kind, Server, mariadb, mysql};

/// Runs statements in a database of their own; the changes of its tables as
/// `table op before | after`.
async fn changes(server: &Server, database: &str, statements: &[&str]) -> Vec<String> {
    let mut conn = session(server).await;
    begin(&mut conn, database).await;
    for statement in statements {
        run(&mut conn, statement).await;
    }
    let known = tables(server, database).await;
    let mut changes = Vec::new();
    for event in rows(decode(server.kind, &log(server), &known)) {
        for change in event.changes(0..event.len()) {
            changes.push(format!(
                "{} {} {} | {}",
                event.schema().name.table,
                change.op().symbol(),
                shown(change.before),
                shown(change.after)
            ));
        }
    }
    changes
}

async fn begin(conn: &mut Conn, database: &str) {
    run(conn, &format!("DROP DATABASE IF EXISTS {database}")).await;
    run(conn, &format!("CREATE DATABASE {database} CHARACTER SET utf8mb4")).await;
    run(conn, &format!("USE {database}")).await;
}

const TABLES: [&str; 2] = [
    "CREATE TABLE keyed (id int PRIMARY KEY, a int, t text, g int AS (a + 1) VIRTUAL)",
    "CREATE TABLE keyless (a int, b int, g int AS (a + 1) VIRTUAL)",
];
const CHANGES: [&str; 8] = [
    "INSERT INTO keyed (id, t) VALUES (1, 'x')",
    "UPDATE keyed SET a = 5",
    "UPDATE keyed SET t = 'y'",
    "UPDATE keyed SET id = 2",
    "DELETE FROM keyed",
    "INSERT INTO keyless (b) VALUES (1)",
    "UPDATE keyless SET a = 5",
    "DELETE FROM keyless",
];

async fn images(server: &Server, image: &str) -> Vec<String> {
    let set = format!("SET SESSION binlog_row_image = {image}");
    let statements = [&[&*set][..], &TABLES, &CHANGES].concat();
    let database = format!("images_{}", image.to_lowercase());
    changes(server, &database, &statements).await
}

#[tokio::test]
async fn images_hold_what_is_logged_and_what_follows_from_it() {
    for server in [mysql(), mariadb()] {
        let whole = [
            "keyed + none | 1,NULL,x,NULL",
            "keyed * 1,NULL,x,NULL | 1,5,x,6",
            "keyed * 1,5,x,6 | 1,5,y,6",
            "keyed * 1,5,y,6 | 2,5,y,6",
            "keyed - 2,5,y,6 | none",
            "keyless + none | NULL,1,NULL",
            "keyless * NULL,1,NULL | 5,1,6",
            "keyless - 5,1,6 | none",
        ];
        assert_eq!(images(server, "FULL").await, whole, "{:?}", server.kind);
    }
    let minimal = [
        "keyed + none | 1,-,x,NULL",
        "keyed * 1,-,-,- | 1,5,-,6",
        "keyed * 1,-,-,- | 1,-,y,-",
        "keyed * 1,-,-,- | 2,-,-,-",
        "keyed - 2,-,-,- | none",
        "keyless + none | -,1,NULL",
        "keyless * NULL,1,NULL | 5,1,6",
        "keyless - 5,1,6 | none",
    ];
    assert_eq!(images(mysql(), "MINIMAL").await, minimal);
    // MariaDB does not log what it can calculate, and everything where nothing identifies the row.
    let minimal = [
        "keyed + none | 1,-,x,-",
        "keyed * 1,-,-,- | 1,5,-,-",
        "keyed * 1,-,-,- | 1,-,y,-",
        "keyed * 1,-,-,- | 2,-,-,-",
        "keyed - 2,-,-,- | none",
        "keyless + none | NULL,1,NULL",
        "keyless * NULL,1,NULL | 5,1,6",
        "keyless - 5,1,6 | none",
    ];
    assert_eq!(images(mariadb(), "MINIMAL").await, minimal);
    let noblob = [
        "keyed + none | 1,NULL,x,NULL",
        "keyed * 1,NULL,-,NULL | 1,5,-,6",
        "keyed * 1,5,-,6 | 1,5,y,6",
        "keyed * 1,5,-,6 | 2,5,-,6",
        "keyed - 2,5,-,6 | none",
        "keyless + none | NULL,1,NULL",
        "keyless * NULL,1,NULL | 5,1,6",
        "keyless - 5,1,6 | none",
    ];
    assert_eq!(images(mysql(), "NOBLOB").await, noblob);
    assert_eq!(images(mariadb(), "NOBLOB").await, noblob);
}

const DOCUMENTS: &[&str] = &[
    "CREATE TABLE d (id int PRIMARY KEY, other json, j json)",
    r#"INSERT INTO d VALUES (1, '[1]', '{"a": [1, {"b": "x"}, 3], "k k": "old text", "n": 1.5}')"#,
    "UPDATE d SET j = JSON_SET(j, '$.n', 2)",
    r#"UPDATE d SET j = JSON_SET(j, '$."k k"', 'new'), other = JSON_REPLACE(other, '$[0]', 2)"#,
    "UPDATE d SET j = JSON_REMOVE(j, '$.a[0]')",
    "UPDATE d SET j = JSON_SET(j, '$.a[0].c', JSON_OBJECT('deep', CAST('2020-01-01' AS DATE)))",
    "UPDATE d SET j = JSON_REPLACE(j, '$.a[1]', JSON_ARRAY(1, 2)), other = JSON_ARRAY(7)",
    "UPDATE d SET id = 2",
    "UPDATE d SET j = JSON_SET(j, '$', 'all')",
    "UPDATE d SET j = NULL",
];

#[tokio::test]
async fn changes_of_documents_are_applied() {
    let mut whole = vec!["SET SESSION binlog_row_value_options = ''"];
    whole.extend(DOCUMENTS);
    let expected = changes(mysql(), "documents", &whole).await;
    assert_eq!(expected.len(), DOCUMENTS.len() - 1);
    whole[0] = "SET SESSION binlog_row_value_options = PARTIAL_JSON";
    assert_eq!(changes(mysql(), "partial_documents", &whole).await, expected);
    let partial = log(mysql()).iter().filter(|event| event.kind == 39).count();
    assert!(partial >= 4, "the server has logged {partial} partial updates");
}

#[tokio::test]
async fn a_change_without_its_document_is_an_error_that_says_so() {
    let server = mysql();
    let mut conn = session(server).await;
    begin(&mut conn, "alone").await;
    run(&mut conn, "SET binlog_row_image = MINIMAL, binlog_row_value_options = PARTIAL_JSON").await;
    for statement in &DOCUMENTS[..3] {
        run(&mut conn, statement).await;
    }
    let known = tables(server, "alone").await;
    let mut decoder = Decoder::new(flavour(Kind::MySql));
    let found = log(server).iter().find_map(|event| match decoder.push(event.raw()) {
        Ok(Decoded::TableMap { id, bound: false }) => {
            let map = decoder.table_map(id).unwrap();
            let binding = match &*map.database {
                "alone" => Binding::Rows(map.schema(Some(&known["d"])).unwrap().into()),
                _ => Binding::Skip,
            };
            decoder.bind(id, binding).unwrap();
            None
        }
        said => said.err(),
    });
    assert!(matches!(found, Some(DecodeError::Rows(RowsError::PartialJson { .. }))), "{found:?}");
}

#[tokio::test]
async fn compressed_logs_say_the_same() {
    let settings = [
        (mysql(), "SET SESSION binlog_transaction_compression = ON"),
        (mariadb(), "SET GLOBAL log_bin_compress = ON, log_bin_compress_min_len = 10"),
    ];
    for (server, compress) in settings {
        let many = format!("INSERT INTO keyless (a, b) VALUES {}", rows_of(300));
        let mut statements = [&TABLES[..], &[&many], &CHANGES].concat();
        let plain = changes(server, "plain", &statements).await;
        statements.insert(0, compress);
        let compressed = changes(server, "compressed", &statements).await;
        if server.kind == Kind::MariaDb {
            run(&mut session(server).await, "SET GLOBAL log_bin_compress = OFF").await;
        }
        assert_eq!(compressed, plain, "{:?}", server.kind);
        assert!(plain.len() > 300);
        let kinds = [40, 165, 166, 167, 168];
        let found = log(server).iter().filter(|event| kinds.contains(&event.kind)).count();
        assert!(found > 0, "{:?} has compressed nothing", server.kind);
    }
}

fn rows_of(count: usize) -> String {
    let rows: Vec<String> = (100..100 + count).map(|id| format!("({id}, {id})")).collect();
    rows.join(",")
}
