//! The events that name transactions: MySQL's two, MariaDB's one, and MariaDB's list.

use std::fmt;

use crate::event::{Gtid, GtidSet, Tag};

use super::bytes::Bytes;
use super::error::Fault;

/// The identity of a transaction that is committed in two phases.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Xid {
    /// The format of the two names; 1 where the client said none.
    pub format: u32,
    /// The global name.
    pub global: Box<[u8]>,
    /// The branch.
    pub branch: Box<[u8]>,
}

/// As servers write it into `XA COMMIT`: `X'676c6f',X'6272',1`.
impl fmt::Display for Xid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for name in [&self.global, &self.branch] {
            f.write_str("X'")?;
            name.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
            f.write_str("',")?;
        }
        write!(f, "{}", self.format)
    }
}

/// What MariaDB says of a transaction in two phases before its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum XaStep {
    /// Its rows follow, and are not committed yet.
    Prepared(Xid),
    /// A transaction that was prepared before is committed or rolled back.
    Completed(Xid),
}

/// The last transaction of each domain, as a MariaDB server has them at some point of its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GtidList {
    /// All that these transactions contain.
    pub gtids: GtidSet,
    /// Made up for this reader: it has reached the end of the log, or its own start.
    pub artificial: bool,
}

/// GTID: flags, the server's UUID, the sequence number, and what replicas schedule by.
pub(super) fn mysql(mut body: Bytes<'_>) -> Result<Gtid, Fault> {
    body.skip(1)?;
    let server = body.array()?;
    numbered(server, None, body.u64()?)
}

/// GTID_TAGGED: a list of numbered fields, each in an integer form of its own.
pub(super) fn tagged(mut body: Bytes<'_>) -> Result<Gtid, Fault> {
    let version = body.u8()?;
    if version != TAGGED_VERSION {
        return Err(Fault::Gtid);
    }
    let (mut server, mut sequence, mut tag) = (None, None, None);
    // The event's size and the last field that may not be ignored.
    varlen(&mut body)?;
    varlen(&mut body)?;
    while !body.is_empty() {
        match varlen(&mut body)? {
            FIELD_SERVER => {
                let mut uuid = [0; 16];
                for byte in &mut uuid {
                    *byte = u8::try_from(varlen(&mut body)?).map_err(|_| Fault::Gtid)?;
                }
                server = Some(uuid);
            }
            // Signed numbers keep their sign in the lowest bit.
            FIELD_SEQUENCE => sequence = Some(varlen(&mut body)? >> 1),
            FIELD_TAG => {
                let length = usize::try_from(varlen(&mut body)?).map_err(|_| Fault::Length)?;
                let text = std::str::from_utf8(body.take(length)?).map_err(|_| Fault::Utf8)?;
                if !text.is_empty() {
                    tag = Some(Tag::new(text).ok_or(Fault::Gtid)?);
                }
            }
            FIELD_FLAGS => {
                varlen(&mut body)?;
            }
            // Fields come in order, and what stands behind these concerns replicas only.
            _ => break,
        }
    }
    numbered(server.ok_or(Fault::Gtid)?, tag, sequence.ok_or(Fault::Gtid)?)
}

fn numbered(server: [u8; 16], tag: Option<Tag>, sequence: u64) -> Result<Gtid, Fault> {
    if sequence == 0 || i64::try_from(sequence).is_err() {
        return Err(Fault::Gtid);
    }
    Ok(Gtid::Mysql { server, tag, sequence })
}

/// As many set bits at the low end of the first byte as there are bytes behind it.
fn varlen(body: &mut Bytes<'_>) -> Result<u64, Fault> {
    let first = body.u8()?;
    let more = first.trailing_ones();
    let behind = body.little(u8::try_from(more).map_err(|_| Fault::Length)?)?;
    let low = u64::from(first).checked_shr(more + 1).unwrap_or(0);
    Ok(low | behind.checked_shl(7 - more.min(7)).unwrap_or(0))
}

/// What MariaDB's GTID event says.
pub(super) struct MariaDbGtid {
    pub(super) gtid: Gtid,
    pub(super) standalone: bool,
    pub(super) xa: Option<XaStep>,
}

/// GTID of MariaDB: sequence number, domain, flags, the number of a group commit, the XID.
pub(super) fn mariadb(server: u32, mut body: Bytes<'_>) -> Result<MariaDbGtid, Fault> {
    let (sequence, domain, flags) = (body.u64()?, body.u32()?, body.u8()?);
    if sequence == 0 {
        return Err(Fault::Gtid);
    }
    if flags & GROUP_COMMIT != 0 {
        body.skip(8)?;
    }
    let xa = match flags & (PREPARED | COMPLETED) {
        0 => None,
        step => {
            let format = body.u32()?;
            let (global, branch) = (body.u8()?, body.u8()?);
            let global = body.take(usize::from(global))?.into();
            let branch = body.take(usize::from(branch))?.into();
            let xid = Xid { format, global, branch };
            Some(if step & PREPARED != 0 { XaStep::Prepared(xid) } else { XaStep::Completed(xid) })
        }
    };
    let gtid = Gtid::MariaDb { domain, server, sequence };
    Ok(MariaDbGtid { gtid, standalone: flags & STANDALONE != 0, xa })
}

/// GTID_LIST of MariaDB: domain, server and sequence number of each; four flags in the count.
pub(super) fn list(mut body: Bytes<'_>) -> Result<GtidSet, Fault> {
    let count = body.u32()? & 0x0fff_ffff;
    let mut gtids = GtidSet::new();
    for _ in 0..count {
        let (domain, server, sequence) = (body.u32()?, body.u32()?, body.u64()?);
        gtids.add(Gtid::MariaDb { domain, server, sequence });
    }
    Ok(gtids)
}

/// XA_PREPARE of MySQL: whether it is committed at once, and its XID.
pub(super) fn xa_prepare(mut body: Bytes<'_>) -> Result<(bool, Xid), Fault> {
    let one_phase = body.u8()? != 0;
    let (format, global, branch) = (body.u32()?, body.u32()?, body.u32()?);
    let length = |length: u32| usize::try_from(length).map_err(|_| Fault::Length);
    let global = body.take(length(global)?)?.into();
    let branch = body.take(length(branch)?)?.into();
    Ok((one_phase, Xid { format, global, branch }))
}

const TAGGED_VERSION: u8 = 2;
const FIELD_FLAGS: u64 = 0;
const FIELD_SERVER: u64 = 1;
const FIELD_SEQUENCE: u64 = 2;
const FIELD_TAG: u64 = 3;

/// A DDL: no COMMIT follows.
const STANDALONE: u8 = 0x01;
const GROUP_COMMIT: u8 = 0x02;
const PREPARED: u8 = 0x40;
const COMPLETED: u8 = 0x80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_every_length() {
        for (bytes, number) in [
            (&[0x00][..], 0),
            (&[0x02], 1),
            (&[0xfe], 127),
            (&[0x01, 0x02], 128),
            (&[0xff, 1, 0, 0, 0, 0, 0, 0, 0x80], 0x8000_0000_0000_0001),
            (&[0x7f, 1, 0, 0, 0, 0, 0, 0], 1),
            (&[0x03, 0x00, 0x10], 0x2_0000),
        ] {
            let mut body = Bytes(bytes);
            assert_eq!((varlen(&mut body), body.len()), (Ok(number), 0), "{bytes:02x?}");
        }
        assert_eq!(varlen(&mut Bytes(&[0x01])), Err(Fault::Truncated));
    }

    #[test]
    fn xids_print_as_servers_write_them() {
        let xid =
            Xid { format: 1, global: b"glo".as_slice().into(), branch: b"".as_slice().into() };
        assert_eq!(xid.to_string(), "X'676c6f',X'',1");
    }

    #[test]
    fn a_mariadb_gtid_with_everything() {
        let mut body = vec![7, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0x42];
        body.extend_from_slice(&[9; 8]);
        body.extend_from_slice(&[1, 0, 0, 0, 1, 2, b'g', b'b', b'b']);
        let read = mariadb(5, Bytes(&body)).unwrap();
        assert_eq!(read.gtid, Gtid::MariaDb { domain: 3, server: 5, sequence: 7 });
        let xid = Xid { format: 1, global: (*b"g").into(), branch: (*b"bb").into() };
        assert_eq!((read.standalone, read.xa), (false, Some(XaStep::Prepared(xid))));
        for length in 0..body.len() {
            assert!(mariadb(5, Bytes(&body[..length])).is_err());
        }
    }
}
