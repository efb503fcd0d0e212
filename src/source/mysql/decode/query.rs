//! QUERY events: BEGIN, COMMIT, DDL, XA, and statements that were logged instead of their rows.

use crate::event::{CollationId, collation};

use super::bytes::Bytes;
use super::error::Fault;
use super::inflate;

/// A statement as it was executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The session's database; empty for none.
    pub database: String,
    /// The text in UTF-8.
    pub statement: String,
    /// Some characters of the text could not be told and are replaced in it: they were sent in
    /// this collation's character set.
    pub unreadable: Option<CollationId>,
    /// Not 0: the statement failed half-way on the server, and what it did stays done.
    pub error: u16,
}

/// Reads QUERY (`extra` 0), EXECUTE_LOAD_QUERY (whose header is longer), and MariaDB's compressed
/// QUERY.
pub(super) fn decode(mut body: Bytes<'_>, extra: usize, compressed: bool) -> Result<Query, Fault> {
    // The thread and how long it took.
    body.skip(8)?;
    let database_length = usize::from(body.u8()?);
    let error = body.u16()?;
    let variables_length = usize::from(body.u16()?);
    body.skip(extra)?;
    let variables = Bytes(body.take(variables_length)?);
    let database = body.take(database_length)?;
    body.skip(1)?;
    let inflated;
    let text = if compressed {
        inflated = inflate::event(body)?;
        inflated.as_slice()
    } else {
        body.rest()
    };
    let (statement, unreadable) = match client_collation(variables) {
        Some(collation) => match collation::decode(collation, text) {
            Some(statement) => (statement.into(), None),
            None => (String::from_utf8_lossy(text).into_owned(), Some(collation)),
        },
        None => {
            let statement = String::from_utf8_lossy(text);
            let replaced = matches!(statement, std::borrow::Cow::Owned(_));
            (statement.into_owned(), replaced.then_some(CollationId::BINARY))
        }
    };
    let database = String::from_utf8_lossy(database).into_owned();
    Ok(Query { database, statement, unreadable, error })
}

/// The collation of the text, among the session's variables; they have no lengths, so the first one
/// that is not known hides those behind it.
fn client_collation(mut variables: Bytes<'_>) -> Option<CollationId> {
    while let Ok(variable) = variables.u8() {
        match variable {
            FLAGS2 => variables.skip(4).ok()?,
            SQL_MODE => variables.skip(8).ok()?,
            CATALOG => variables.prefixed(1).and_then(|_| variables.skip(1)).ok()?,
            AUTO_INCREMENT => variables.skip(4).ok()?,
            CATALOG_WITHOUT_END | TIME_ZONE => variables.prefixed(1).map(|_| ()).ok()?,
            CHARSET => return variables.u16().ok().map(CollationId),
            _ => return None,
        }
    }
    None
}

const FLAGS2: u8 = 0;
const SQL_MODE: u8 = 1;
const CATALOG: u8 = 2;
const AUTO_INCREMENT: u8 = 3;
const CHARSET: u8 = 4;
const TIME_ZONE: u8 = 5;
const CATALOG_WITHOUT_END: u8 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn body(variables: &[u8], statement: &[u8]) -> Vec<u8> {
        let mut body = vec![0; 8];
        body.extend_from_slice(&[2, 0, 0, u8::try_from(variables.len()).unwrap(), 0]);
        body.extend_from_slice(variables);
        body.extend_from_slice(b"db\0");
        body.extend_from_slice(statement);
        body
    }

    #[test]
    fn texts_in_the_clients_charset() {
        let variables = b"\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\x06\x03std\x04\x08\0\x08\0\x08\0";
        let query = decode(Bytes(&body(variables, b"create table \xfc")), 0, false).unwrap();
        assert_eq!((&*query.database, &*query.statement), ("db", "create table ü"));
        assert_eq!(query.unreadable, None);
    }

    #[test]
    fn what_cannot_be_told_is_marked() {
        let query =
            decode(Bytes(&body(b"\x04\x1c\0\x1c\0\x08\0", b"a \x81\x30")), 0, false).unwrap();
        assert_eq!(query.unreadable, Some(CollationId(28)));
        let query = decode(Bytes(&body(b"\x63", b"a \xff")), 0, false).unwrap();
        assert_eq!(query.unreadable, Some(CollationId::BINARY));
        let query = decode(Bytes(&body(b"\x04\x1c\0\x1c\0\x08\0", b"begin")), 0, false).unwrap();
        assert_eq!((query.unreadable, &*query.statement), (None, "begin"));
    }

    #[test]
    fn what_is_too_short_is_an_error() {
        let body = body(b"", b"");
        for length in 0..body.len() {
            assert_eq!(decode(Bytes(&body[..length]), 0, false), Err(Fault::Truncated));
        }
    }
}
