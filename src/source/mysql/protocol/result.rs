//! What answers a statement: an OK, or columns and then rows.

use mysql_common::constants::{CapabilityFlags, StatusFlags};
use mysql_common::io::ParseBuf;
use mysql_common::packets::{
    CommonOkPacket, OkPacket, OkPacketDeserializer, OldEofPacket, StmtPacket,
};

use super::{OK, Result, io, unexpected};
use crate::event::CollationId;
use crate::source::ServedColumn;

/// How an answer begins.
#[derive(Debug)]
pub(in super::super) enum Head {
    /// It is all there is.
    Ok(Outcome),
    /// So many definitions of columns follow, then rows.
    Columns(u64),
    /// The server asks for a file of ours.
    File,
}

/// What an OK, or the end of rows, says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Outcome {
    pub affected_rows: u64,
    pub last_insert_id: u64,
    pub status: StatusFlags,
    pub warnings: u16,
    pub info: String,
}

impl From<OkPacket<'_>> for Outcome {
    fn from(packet: OkPacket<'_>) -> Self {
        Self {
            affected_rows: packet.affected_rows(),
            last_insert_id: packet.last_insert_id().unwrap_or_default(),
            status: packet.status_flags(),
            warnings: packet.warnings(),
            info: packet.info_str().unwrap_or_default().into_owned(),
        }
    }
}

/// Reads the first packet of an answer.
pub(in super::super) fn head(packet: &[u8]) -> Result<Head> {
    match packet.first() {
        Some(&OK) => {
            let parsed = ParseBuf(packet).parse::<OkPacketDeserializer<'_, CommonOkPacket>>(PLAIN);
            Ok(Head::Ok(parsed.map_err(io)?.into_inner().into()))
        }
        Some(&FILE) => Ok(Head::File),
        _ => {
            let mut rest = ParseBuf(packet);
            let count = rest.checked_eat_lenenc_int().filter(|_| rest.is_empty());
            count.map(Head::Columns).ok_or_else(|| unexpected(packet))
        }
    }
}

/// What the end of definitions or rows says; nothing if the packet is not that.
#[inline]
pub(in super::super) fn end(packet: &[u8]) -> Result<Option<Outcome>> {
    match packet.first() {
        Some(&END) if packet.len() < END_BYTES_MAX => outcome(packet).map(Some),
        _ => Ok(None),
    }
}

fn outcome(packet: &[u8]) -> Result<Outcome> {
    let parsed = ParseBuf(packet).parse::<OkPacketDeserializer<'_, OldEofPacket>>(PLAIN);
    Ok(parsed.map_err(io)?.into_inner().into())
}

/// Reads a definition of a column.
pub(in super::super) fn column(packet: &[u8]) -> Result<ServedColumn> {
    read_column(&mut ParseBuf(packet)).ok_or_else(|| unexpected(packet))
}

fn read_column(rest: &mut ParseBuf<'_>) -> Option<ServedColumn> {
    let _catalog = rest.checked_eat_lenenc_str()?;
    let mut text = || Some(String::from_utf8_lossy(rest.checked_eat_lenenc_str()?).into_owned());
    let (schema, table, original_table) = (text()?, text()?, text()?);
    let (name, original_name) = (text()?, text()?);
    let _length_of_the_rest = rest.checked_eat_lenenc_int()?;
    Some(ServedColumn {
        schema,
        table,
        original_table,
        name,
        original_name,
        collation: CollationId(rest.checked_eat_u16_le()?),
        length: rest.checked_eat_u32_le()?,
        wire_type: rest.checked_eat_u8()?,
        flags: rest.checked_eat_u16_le()?,
        decimals: rest.checked_eat_u8()?,
    })
}

/// Reads what answers a request to prepare.
pub(in super::super) fn prepared(packet: &[u8]) -> Result<StmtPacket> {
    match packet.first() {
        Some(&OK) => ParseBuf(packet).parse(()).map_err(io),
        _ => Err(unexpected(packet)),
    }
}

/// Of a result; servers allow 4096 of a table.
pub(in super::super) const COLUMNS_MAX: u64 = 1 << 16;
/// Nothing was agreed on that changes how an OK looks.
const PLAIN: CapabilityFlags = CapabilityFlags::empty();
const FILE: u8 = 0xfb;
const END: u8 = 0xfe;
/// A longer packet is a row.
const END_BYTES_MAX: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let Head::Ok(ok) = head(b"\x00\x02\x07\x03\x00\x01\x00\x04info").unwrap() else {
            panic!("no OK");
        };
        assert_eq!((ok.affected_rows, ok.last_insert_id, ok.warnings), (2, 7, 1));
        assert_eq!(ok.info, "info");
        assert!(ok.status.contains(StatusFlags::SERVER_STATUS_IN_TRANS));
        assert!(matches!(head(b"\x03"), Ok(Head::Columns(3))));
        assert!(matches!(head(b"\xfbpasswd"), Ok(Head::File)));
        for bad in [&b""[..], b"\x03\x04", b"\xfe\x00", b"\x00\x02"] {
            assert!(head(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_row_is_no_end() {
        assert_eq!(end(b"\xfe\x02\x00\x01\x00").unwrap().map(|end| end.warnings), Some(2));
        assert_eq!(end(b"\xfe\x01\x00\x00\x00\x00\x00\x00\x00x").unwrap(), None);
        assert_eq!(end(b"\x01a").unwrap(), None);
        assert!(end(b"\xfe\x02").is_err());
    }

    #[test]
    fn a_definition_is_read_whole_or_not() {
        let packet =
            b"\x03def\x01d\x01a\x01t\x01n\x01c\x0c\x08\x00\x0a\x00\x00\x00\xfd\x01\x10\x02\0\0";
        let column = column(packet).unwrap();
        assert_eq!((column.schema.as_str(), column.original_table.as_str()), ("d", "t"));
        assert_eq!((column.name.as_str(), column.original_name.as_str()), ("n", "c"));
        assert_eq!((column.collation.0, column.length, column.wire_type), (8, 10, 0xfd));
        assert_eq!((column.flags, column.decimals), (0x1001, 2));
        for end in 0..packet.len() - 2 {
            assert!(super::column(&packet[..end]).is_err(), "{end}");
        }
    }
}
