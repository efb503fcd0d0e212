//! A position as Vitess's VGTID in JSON, as its tools print it and Debezium stores it.
//!
//! Field names are the proto's (`shard_gtids`, `table_p_ks`) or protobuf's JSON names
//! (`shardGtids`, `tablePKs`); both are read, the first are printed. Numbers may be texts, as
//! protobuf's JSON has them. A last key prints its columns' names and bytes; their types are the
//! table's own, so they are not printed and are not looked at.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::gtid::GtidError;
use super::position::{Position, ShardPosition, Start, TableLastPk};
use super::row::{Cell, Row, push_cell, push_null};
use super::schema::ShardName;

/// Why a text is no VGTID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VgtidError {
    /// Longer than any VGTID of a stream that we serve.
    #[error("a VGTID of {length} bytes is too long; at most {TEXT_BYTES_MAX} are read")]
    TooLong {
        /// Bytes of the text.
        length: usize,
    },
    /// Not JSON, or not of a VGTID's shape.
    #[error(
        "cannot read the VGTID: {0}; give {{\"shard_gtids\": [{{\"keyspace\": \"ks\", ...}}]}}"
    )]
    Shape(String),
    /// No shard is named.
    #[error("vgtid must have at least one value with a starting position in ShardGtids")]
    Empty,
    /// The position of one shard cannot be read.
    #[error("cannot read the position of shard {shard}")]
    Gtid {
        /// The shard.
        shard: ShardName,
        /// What is wrong with it.
        source: GtidError,
    },
    /// The last key of a table cannot be read.
    #[error("table {table}: {reason}")]
    LastPk {
        /// The table.
        table: String,
        /// What is wrong, in Vitess's words where it has some.
        reason: String,
    },
}

/// Prints a VGTID.
pub(super) fn print(position: &Position) -> String {
    let shard_gtids = position.shards.iter().map(shard_to_json).collect();
    serde_json::to_string(&Vgtid { shard_gtids }).expect("texts and lists always print as JSON")
}

/// Reads a VGTID, or the array of its shards.
pub(super) fn parse(text: &str) -> Result<Position, VgtidError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(VgtidError::TooLong { length: text.len() });
    }
    let shape = |error: serde_json::Error| VgtidError::Shape(error.to_string());
    let shard_gtids = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).map_err(shape)?
    } else {
        serde_json::from_str::<Vgtid>(text).map_err(shape)?.shard_gtids
    };
    if shard_gtids.is_empty() {
        return Err(VgtidError::Empty);
    }
    let shards = shard_gtids.iter().map(shard_from_json).collect::<Result<_, _>>()?;
    Ok(Position { shards, plan_hash: None })
}

#[derive(Serialize, Deserialize)]
struct Vgtid {
    #[serde(alias = "shardGtids", default)]
    shard_gtids: Vec<ShardGtid>,
}

#[derive(Serialize, Deserialize)]
struct ShardGtid {
    #[serde(default)]
    keyspace: String,
    #[serde(default)]
    shard: String,
    #[serde(default)]
    gtid: String,
    #[serde(alias = "tablePKs", alias = "tablePks", alias = "table_pks")]
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    table_p_ks: Vec<TablePk>,
}

#[derive(Serialize, Deserialize)]
struct TablePk {
    #[serde(alias = "tableName", default)]
    table_name: String,
    #[serde(default)]
    lastpk: QueryResult,
}

#[derive(Serialize, Deserialize, Default)]
struct QueryResult {
    #[serde(default)]
    fields: Vec<Field>,
    #[serde(default)]
    rows: Vec<ResultRow>,
}

#[derive(Serialize, Deserialize)]
struct Field {
    name: String,
}

#[derive(Serialize, Deserialize)]
struct ResultRow {
    #[serde(default)]
    lengths: Vec<Number>,
    #[serde(default)]
    values: String,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Number {
    Text(String),
    Number(i64),
}

fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn shard_to_json(position: &ShardPosition) -> ShardGtid {
    ShardGtid {
        keyspace: position.shard.keyspace.to_string(),
        shard: position.shard.shard.to_string(),
        gtid: position.start.to_string(),
        table_p_ks: position.table_pks.iter().map(last_pk_to_json).collect(),
    }
}

fn last_pk_to_json(last_pk: &TableLastPk) -> TablePk {
    let mut lengths = Vec::new();
    let mut values = Vec::new();
    for cell in Row::new(&last_pk.cells, None).cells() {
        let length = cell.bytes().map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap_or(-1));
        lengths.push(Number::Text(length.to_string()));
        values.extend_from_slice(cell.bytes().unwrap_or_default());
    }
    let fields = last_pk.columns.iter().map(|name| Field { name: name.to_string() }).collect();
    let rows = vec![ResultRow { lengths, values: STANDARD.encode(values) }];
    TablePk { table_name: last_pk.table.to_string(), lastpk: QueryResult { fields, rows } }
}

fn shard_from_json(shard: &ShardGtid) -> Result<ShardPosition, VgtidError> {
    let name = ShardName::new(&shard.keyspace, &shard.shard);
    let start = Start::parse(&shard.gtid)
        .map_err(|source| VgtidError::Gtid { shard: name.clone(), source })?;
    let mut position = ShardPosition::new(name, start);
    for table in &shard.table_p_ks {
        let last_pk = last_pk_from_json(table)
            .map_err(|reason| VgtidError::LastPk { table: table.table_name.clone(), reason })?;
        position.table_pks.push(last_pk);
    }
    Ok(position)
}

fn last_pk_from_json(table: &TablePk) -> Result<TableLastPk, String> {
    let [row] = table.lastpk.rows.as_slice() else {
        return Err(format!("lastpk has {} rows, expected 1", table.lastpk.rows.len()));
    };
    let columns: Vec<Arc<str>> =
        table.lastpk.fields.iter().map(|field| field.name.as_str().into()).collect();
    if row.lengths.len() != columns.len() {
        let (values, fields) = (row.lengths.len(), columns.len());
        return Err(format!("lastpk row has {values} values, but there are {fields} fields"));
    }
    let values = STANDARD.decode(&row.values).map_err(|error| format!("lastpk values: {error}"))?;
    let mut rest = values.as_slice();
    let mut cells = Vec::new();
    for (index, length) in row.lengths.iter().enumerate() {
        let length = match length {
            Number::Number(length) => *length,
            Number::Text(text) => text
                .parse()
                .map_err(|_| format!("lastpk value {index} has an invalid length {text:?}"))?,
        };
        if length == -1 {
            push_null(&mut cells);
            continue;
        }
        let length = usize::try_from(length)
            .map_err(|_| format!("lastpk value {index} has an invalid length {length}"))?;
        let (cell, behind) = rest.split_at_checked(length).ok_or_else(|| {
            let left = rest.len();
            format!(
                "lastpk value {index} has length {length}, but only {left} bytes of values remain"
            )
        })?;
        push_cell(&mut cells, cell);
        rest = behind;
    }
    Ok(TableLastPk { table: table.table_name.as_str().into(), columns, cells, copies: 1 })
}

/// Whether these are exactly so many whole cells and nothing behind them.
pub(super) fn are_cells(encoded: &[u8], count: usize) -> bool {
    let mut canonical = Vec::new();
    let mut found = 0_usize;
    for cell in Row::new(encoded, None).cells() {
        match cell {
            Cell::Text(bytes) => push_cell(&mut canonical, bytes),
            Cell::Null | Cell::Absent => push_null(&mut canonical),
        }
        found += 1;
    }
    found == count && canonical == encoded
}

/// Thousands of shards with a copy in progress fit; more is no honest VGTID.
const TEXT_BYTES_MAX: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::position::tests::random_position;

    #[test]
    fn a_vgtid_prints_as_vitess_has_it() {
        let mut cells = Vec::new();
        push_cell(&mut cells, b"4");
        push_null(&mut cells);
        let columns = vec!["id".into(), "n".into()];
        let set = "16b1039f-22b6-11ed-b765-0a43f95f28a3:1-615".parse().unwrap();
        let mut shard = ShardPosition::new(ShardName::new("ks", "-80"), Start::After(set));
        shard.table_pks.push(TableLastPk { table: "t".into(), columns, cells, copies: 1 });
        let second = ShardPosition::new(ShardName::new("ks", "80-"), Start::Copy);
        let position = Position { shards: vec![shard, second], plan_hash: None };
        let expected = concat!(
            r#"{"shard_gtids":[{"keyspace":"ks","shard":"-80","#,
            r#""gtid":"MySQL56/16b1039f-22b6-11ed-b765-0a43f95f28a3:1-615","#,
            r#""table_p_ks":[{"table_name":"t","lastpk":{"fields":[{"name":"id"},{"name":"n"}],"#,
            r#""rows":[{"lengths":["1","-1"],"values":"NA=="}]}}]},"#,
            r#"{"keyspace":"ks","shard":"80-","gtid":""}]}"#,
        );
        assert_eq!(position.to_vgtid_json(), expected);
        assert_eq!(Position::from_vgtid_json(expected), Ok(position));
    }

    #[test]
    fn protobuf_json_names_and_debezium_arrays_read_the_same() {
        let camel = r#"{"shardGtids":[{"keyspace":"ks","shard":"0","gtid":"MySQL56/","tablePKs":
            [{"tableName":"t","lastpk":{"fields":[{"name":"id","type":"INT64","charset":63}],
              "rows":[{"lengths":[2],"values":"NDI="}]}}]}]}"#;
        let array = r#"[{"keyspace":"ks","shard":"0","gtid":"MySQL56/","table_p_ks":
            [{"table_name":"t","lastpk":{"fields":[{"name":"id","type":265}],
              "rows":[{"lengths":["2"],"values":"NDI="}]}}]}]"#;
        assert_eq!(Position::from_vgtid_json(camel).unwrap().shards[0].table_pks.len(), 1);
        assert_eq!(Position::from_vgtid_json(camel), Position::from_vgtid_json(array));
        let null = r#"[{"keyspace":"ks","shard":"0","gtid":"current","table_p_ks":null}]"#;
        assert!(Position::from_vgtid_json(null).is_ok());
    }

    fn check(lastpk: &str, expected: &str) {
        let text = format!(
            r#"[{{"keyspace":"ks","shard":"0","table_p_ks":[{{"table_name":"t","lastpk":{lastpk}}}]}}]"#
        );
        assert_eq!(Position::from_vgtid_json(&text).unwrap_err().to_string(), expected);
    }

    #[test]
    fn a_bad_last_key_says_what_is_wrong() {
        check("{}", "table t: lastpk has 0 rows, expected 1");
        check(
            r#"{"fields":[{"name":"id"}],"rows":[{"lengths":[1,1],"values":"MTI="}]}"#,
            "table t: lastpk row has 2 values, but there are 1 fields",
        );
        check(
            r#"{"fields":[{"name":"id"}],"rows":[{"lengths":[-2]}]}"#,
            "table t: lastpk value 0 has an invalid length -2",
        );
        check(
            r#"{"fields":[{"name":"id"}],"rows":[{"lengths":["10"],"values":"MQ=="}]}"#,
            "table t: lastpk value 0 has length 10, but only 1 bytes of values remain",
        );
    }

    #[test]
    fn what_is_no_vgtid_is_refused() {
        for text in ["", "{", "[]", "{}", "7", "[{\"gtid\":\"what\"}]", "{\"shard_gtids\":7}"] {
            assert!(Position::from_vgtid_json(text).is_err(), "{text}");
        }
    }

    #[test]
    fn random_positions_read_back_without_what_only_a_token_knows() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..300 {
            let mut position = random_position(&mut random);
            if position.shards.is_empty() {
                continue;
            }
            let text = position.to_vgtid_json();
            position.plan_hash = None;
            for shard in &mut position.shards {
                shard.finished.clear();
                (shard.copying, shard.partial) = (false, None);
                shard.table_pks.iter_mut().for_each(|last_pk| last_pk.copies = 1);
            }
            assert_eq!(Position::from_vgtid_json(&text), Ok(position), "{text}");
        }
    }
}
