//! Binary log bytes -> what they say. Synchronous and pure; bytes from a server never panic.

/// One event as it came from the server: its header, and its body without the checksum.
#[derive(Debug, Clone, Copy)]
pub struct RawEvent<'a> {
    /// Seconds since 1970 at which the server executed it.
    pub timestamp: u32,
    /// The event's type as the server numbers them.
    pub kind: u8,
    /// The server that wrote it first.
    pub server_id: u32,
    /// Where the event ends in its file; 0 inside a compressed transaction.
    pub log_pos: u32,
    /// The header's flags.
    pub flags: u16,
    /// What follows the header.
    pub body: &'a [u8],
}
