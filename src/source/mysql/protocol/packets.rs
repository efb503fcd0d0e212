//! MySQL's framing: packets out of a stream of bytes, and back.

use std::ops::ControlFlow;

use bytes::{Buf, Bytes, BytesMut};
use mysql_async::DriverError;

/// The bytes that were received and are not yet taken, and where the count of packets is.
#[derive(Debug, Default)]
pub(super) struct Packets {
    incoming: BytesMut,
    /// A packet of several frames: what is there of it.
    long: Vec<u8>,
    /// What is missing of the frame that goes into `long`.
    frame_left: usize,
    /// There is a frame behind that one.
    goes_on: bool,
    /// The number that the next frame of either side has.
    sequence: u8,
    /// Whoever is at the other end has proved to be a server that knows us.
    takes_large: bool,
    /// Room for what is received next, where there is to be more than [`RECEIVE_BYTES`].
    wide: usize,
}

impl Packets {
    /// Takes packets of any size from now on.
    pub const fn take_large(&mut self) {
        self.takes_large = true;
    }

    /// Makes room for so much that is received next from now on.
    pub const fn widen(&mut self, bytes: usize) {
        self.wide = bytes;
    }

    /// Whether there is more room than usual.
    pub const fn is_wide(&self) -> bool {
        self.wide > 0
    }

    /// The numbers begin anew with each command.
    pub const fn begin_command(&mut self) {
        self.sequence = 0;
    }

    /// Room for what is received next.
    pub fn room(&mut self) -> &mut BytesMut {
        // A large frame gets the room that it needs and no more; a long packet passes through.
        let frame = self.frame().filter(|_| !self.is_long());
        let frame_bytes = frame.map_or(0, |frame| HEADER_BYTES + frame.length);
        let spare = self.incoming.capacity() - self.incoming.len();
        let missing = frame_bytes.saturating_sub(self.incoming.len());
        let receive_bytes = RECEIVE_BYTES.max(self.wide);
        if frame_bytes <= receive_bytes {
            self.incoming.reserve(receive_bytes);
        } else if spare < missing {
            self.incoming.reserve(missing);
        }
        &mut self.incoming
    }

    /// Bytes that were received and are not yet taken.
    pub fn len(&self) -> usize {
        self.incoming.len() + self.long.len()
    }

    /// Whether nothing was received that is not yet taken.
    pub fn is_empty(&self) -> bool {
        self.incoming.is_empty() && !self.is_long()
    }

    /// The next packet if it is complete.
    pub fn take(&mut self) -> Result<Option<Bytes>, DriverError> {
        match self.next()? {
            Next::Missing => Ok(None),
            Next::Long(packet) => Ok(Some(packet)),
            Next::Here(length) => Ok(Some(self.split(length))),
        }
    }

    /// Reads complete packets where they are, in turn, until `read` breaks: for many small ones, each
    /// of which would otherwise share the buffer. Nothing if it did not before the next packet is one
    /// that is not complete.
    pub fn read<B>(
        &mut self,
        mut read: impl FnMut(&[u8]) -> ControlFlow<B>,
    ) -> Result<Option<B>, DriverError> {
        loop {
            if let Some(broken) = self.read_small(&mut read) {
                return Ok(Some(broken));
            }
            let read = match self.next()? {
                Next::Here(length) => read(&self.split(length)),
                Next::Long(packet) => read(&packet),
                Next::Missing => return Ok(None),
            };
            if let ControlFlow::Break(broken) = read {
                return Ok(Some(broken));
            }
        }
    }

    /// Reads the small packets that come first, and takes them off the buffer together.
    fn read_small<B>(&mut self, mut read: impl FnMut(&[u8]) -> ControlFlow<B>) -> Option<B> {
        if self.is_long() {
            return None;
        }
        let bytes_max = if self.takes_large { KEPT_BYTES_MAX } else { LOGIN_BYTES_MAX };
        let (mut rest, mut broken) = (&self.incoming[..], None);
        while broken.is_none()
            && let Some((header, behind)) = rest.split_first_chunk()
            && let frame = Frame::of(*header)
            && frame.sequence == self.sequence
            && frame.length <= bytes_max
            && let Some((packet, behind)) = behind.split_at_checked(frame.length)
        {
            rest = behind;
            self.sequence = self.sequence.wrapping_add(1);
            broken = read(packet).break_value();
        }
        let taken = self.incoming.len() - rest.len();
        self.incoming.advance(taken);
        broken
    }

    fn split(&mut self, length: usize) -> Bytes {
        let packet = self.incoming.split_to(length).freeze();
        if length > KEPT_BYTES_MAX {
            // The packet's memory is to go with the packet.
            self.incoming = BytesMut::from(&self.incoming[..]);
        }
        packet
    }

    /// Takes the next packet's header off, if all of the packet is there.
    fn next(&mut self) -> Result<Next, DriverError> {
        loop {
            if self.is_long() {
                return Ok(self.take_long()?.map_or(Next::Missing, Next::Long));
            }
            let Some(frame) = self.frame() else { return Ok(Next::Missing) };
            if frame.sequence != self.sequence {
                return Err(DriverError::PacketOutOfOrder);
            }
            if frame.length > LOGIN_BYTES_MAX && !self.takes_large {
                return Err(DriverError::PacketTooLarge);
            }
            if frame.length < FRAME_BYTES_MAX && self.incoming.len() < HEADER_BYTES + frame.length {
                return Ok(Next::Missing);
            }
            self.incoming.advance(HEADER_BYTES);
            self.sequence = self.sequence.wrapping_add(1);
            if frame.length < FRAME_BYTES_MAX {
                return Ok(Next::Here(frame.length));
            }
            self.expect(frame.length)?;
        }
    }

    /// The bytes of a packet as they are sent.
    pub fn framed(&mut self, packet: &[u8]) -> Vec<u8> {
        let mut framed = Vec::with_capacity(packet.len() + HEADER_BYTES);
        let mut rest = packet;
        loop {
            let (frame, behind) = rest.split_at(rest.len().min(FRAME_BYTES_MAX));
            let length = u32::try_from(frame.len()).unwrap_or(u32::MAX).to_le_bytes();
            framed.extend_from_slice(&[length[0], length[1], length[2], self.sequence]);
            framed.extend_from_slice(frame);
            self.sequence = self.sequence.wrapping_add(1);
            if frame.len() < FRAME_BYTES_MAX {
                return framed;
            }
            rest = behind;
        }
    }

    const fn is_long(&self) -> bool {
        self.goes_on || self.frame_left > 0
    }

    /// The header of the next frame.
    fn frame(&self) -> Option<Frame> {
        self.incoming.first_chunk().copied().map(Frame::of)
    }

    /// A frame of a long packet comes.
    fn expect(&mut self, length: usize) -> Result<(), DriverError> {
        if self.long.len() + length > PACKET_BYTES_MAX {
            return Err(DriverError::PacketTooLarge);
        }
        self.long.reserve_exact(length);
        self.frame_left = length;
        self.goes_on = length == FRAME_BYTES_MAX;
        Ok(())
    }

    fn take_long(&mut self) -> Result<Option<Bytes>, DriverError> {
        loop {
            let here = self.frame_left.min(self.incoming.len());
            self.long.extend_from_slice(&self.incoming[..here]);
            self.incoming.advance(here);
            self.frame_left -= here;
            if self.frame_left > 0 {
                return Ok(None);
            }
            if !self.goes_on {
                return Ok(Some(std::mem::take(&mut self.long).into()));
            }
            let Some(frame) = self.frame() else { return Ok(None) };
            if frame.sequence != self.sequence {
                return Err(DriverError::PacketOutOfOrder);
            }
            self.incoming.advance(HEADER_BYTES);
            self.sequence = self.sequence.wrapping_add(1);
            self.expect(frame.length)?;
        }
    }
}

struct Frame {
    length: usize,
    sequence: u8,
}

impl Frame {
    fn of([a, b, c, sequence]: [u8; HEADER_BYTES]) -> Self {
        Self { length: usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16, sequence }
    }
}

enum Next {
    /// So many bytes, the first that were received.
    Here(usize),
    Long(Bytes),
    /// Some of it was not received yet.
    Missing,
}

const HEADER_BYTES: usize = 4;
/// A frame of so many bytes is not the packet's last one.
const FRAME_BYTES_MAX: usize = 0xff_ffff;
/// No server sends more; an event of its log may come with a byte before it.
const PACKET_BYTES_MAX: usize = (1 << 30) + FRAME_BYTES_MAX;
/// More is sent to nobody who has not logged in.
const LOGIN_BYTES_MAX: usize = 16 << 10;
/// Room that there is at least for what is received next.
const RECEIVE_BYTES: usize = 64 << 10;
/// What the buffer may stay at.
const KEPT_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    /// Many small parts of a large packet take long.
    const PARTS_MAX: usize = 200;

    fn logged_in() -> Packets {
        Packets { takes_large: true, ..Packets::default() }
    }

    fn sent(packets: &[&[u8]]) -> Vec<u8> {
        let mut sender = Packets::default();
        let framed: Vec<_> = packets.iter().map(|packet| sender.framed(packet)).collect();
        framed.concat()
    }

    #[test]
    fn packets_come_out_as_they_went_in() {
        let long = vec![7; FRAME_BYTES_MAX + 3];
        let full = vec![8; FRAME_BYTES_MAX];
        let large = vec![9; KEPT_BYTES_MAX + 1];
        let all = [&b"a"[..], b"", &long, b"bc", &full, &large, b"d"];
        let bytes = sent(&all);
        for step in [1 << 16, 100_003, bytes.len()] {
            let mut packets = logged_in();
            let mut taken = Vec::new();
            for part in bytes.chunks(step) {
                packets.room().extend_from_slice(part);
                loop {
                    // Some where they are, and others taken.
                    let packet = match taken.len() % 3 {
                        2 => packets.take().unwrap(),
                        _ => {
                            let copy = |packet: &[u8]| ControlFlow::Break(packet.to_vec().into());
                            packets.read(copy).unwrap()
                        }
                    };
                    let Some(packet) = packet else { break };
                    taken.push(packet);
                }
            }
            assert!(packets.is_empty());
            assert_eq!(taken, all, "{step}");
            assert!(packets.incoming.capacity() < 2 * KEPT_BYTES_MAX.max(step));
        }
    }

    #[test]
    fn a_frame_gets_the_room_that_it_needs() {
        let bytes = sent(&[&vec![7; 15 << 20], b"x"]);
        let mut packets = logged_in();
        let mut most = 0;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let room = packets.room();
            let (read, behind) =
                rest.split_at(rest.len().min(16 << 10).min(room.capacity() - room.len()));
            room.extend_from_slice(read);
            most = most.max(room.capacity());
            rest = behind;
            while packets.take().unwrap().is_some() {}
        }
        assert!(most < 16 << 20, "{most} bytes");
        assert!(packets.incoming.capacity() < KEPT_BYTES_MAX);
    }

    #[test]
    fn large_packets_are_for_those_who_are_logged_in() {
        let mut packets = Packets::default();
        packets
            .room()
            .extend_from_slice(&sent(&[&[7; LOGIN_BYTES_MAX], &[7; LOGIN_BYTES_MAX + 1]]));
        assert_eq!(packets.take().unwrap().unwrap().len(), LOGIN_BYTES_MAX);
        assert!(matches!(packets.take(), Err(DriverError::PacketTooLarge)));
    }

    #[test]
    fn a_packet_waits_for_its_last_byte() {
        let bytes = sent(&[b"abc"]);
        let mut packets = logged_in();
        for byte in &bytes[..bytes.len() - 1] {
            packets.room().extend_from_slice(&[*byte]);
            assert_eq!(packets.take().unwrap(), None);
        }
        packets.room().extend_from_slice(b"c");
        assert_eq!(packets.take().unwrap().unwrap(), &b"abc"[..]);
    }

    #[test]
    fn numbers_wrap_and_are_checked() {
        let many: Vec<&[u8]> = vec![b"x"; 600];
        let mut bytes = sent(&many);
        let mut packets = logged_in();
        packets.room().extend_from_slice(&bytes);
        for _ in 0..600 {
            assert!(packets.take().unwrap().is_some());
        }
        bytes[3] = 1;
        let mut packets = logged_in();
        packets.room().extend_from_slice(&bytes);
        assert!(matches!(packets.take(), Err(DriverError::PacketOutOfOrder)));
    }

    /// Takes all packets of bytes that are received in parts of about these sizes, again and again.
    fn taken(
        packets: &mut Packets,
        bytes: &[u8],
        parts: &[u16],
    ) -> Result<Vec<Bytes>, DriverError> {
        let (mut taken, mut rest, mut at) = (Vec::new(), bytes, 0);
        while !rest.is_empty() {
            let room = packets.room();
            let part = parts.get(at % parts.len().max(1)).copied().unwrap_or(u16::MAX);
            let part = usize::from(part).max(bytes.len() / PARTS_MAX).max(1);
            let free = room.capacity() - room.len();
            let (part, behind) = rest.split_at(part.min(free).min(rest.len()));
            room.extend_from_slice(part);
            (rest, at) = (behind, at + 1);
            // A few where they are, then one that is taken.
            loop {
                let first = taken.len();
                let broken = packets.read(|packet| {
                    taken.push(Bytes::copy_from_slice(packet));
                    match taken.len() - first {
                        3 => ControlFlow::Break(()),
                        _ => ControlFlow::Continue(()),
                    }
                })?;
                let Some(()) = broken else { break };
                taken.extend(packets.take()?);
            }
            let claimed = if packets.takes_large { FRAME_BYTES_MAX } else { 0 };
            let (held, received) =
                (packets.incoming.capacity() + packets.long.capacity(), bytes.len());
            let room = RECEIVE_BYTES.max(packets.wide);
            assert!(held <= 2 * (received + claimed + room), "{held} for {received}");
        }
        Ok(taken)
    }

    #[test]
    fn random_packets_in_random_parts() {
        bolero::check!().with_iterations(500).with_type::<(Vec<u16>, u8, Vec<u16>)>().for_each(
            |(lengths, long, parts)| {
                let mut lengths: Vec<_> = lengths.iter().copied().map(usize::from).collect();
                // One of several frames is worth a try now and then.
                lengths.extend((long % 16 == 0).then_some(FRAME_BYTES_MAX + usize::from(*long)));
                let fill = |length| vec![u8::try_from(length % 251).unwrap(); length];
                let all: Vec<_> = lengths.into_iter().map(fill).collect();
                let all: Vec<_> = all.iter().map(Vec::as_slice).collect();
                let mut packets = logged_in();
                packets.widen(usize::from(*long) << 12);
                assert_eq!(taken(&mut packets, &sent(&all), parts).unwrap(), all);
                assert!(packets.is_empty());
            },
        );
    }

    #[test]
    fn random_frames_are_packets_or_errors() {
        bolero::check!()
            .with_iterations(2_000)
            .with_type::<(bool, Vec<(u8, Option<u8>, Vec<u8>)>, Vec<u16>)>()
            .for_each(|(takes_large, frames, parts)| {
                let mut bytes = Vec::new();
                for (number, (length, sequence, body)) in frames.iter().enumerate() {
                    let length = match length % 8 {
                        0 => FRAME_BYTES_MAX,
                        1 => FRAME_BYTES_MAX - 1,
                        2 => LOGIN_BYTES_MAX + 1,
                        _ => body.len() + usize::from(length % 4 / 3),
                    };
                    let number = u8::try_from(number % 256).unwrap();
                    bytes.extend_from_slice(&u32::try_from(length).unwrap().to_le_bytes()[..3]);
                    bytes.push(sequence.filter(|sequence| sequence % 8 == 0).unwrap_or(number));
                    bytes.extend_from_slice(body);
                }
                let mut packets = Packets { takes_large: *takes_large, ..Packets::default() };
                if let Ok(taken) = taken(&mut packets, &bytes, parts) {
                    let held: usize = taken.iter().map(Bytes::len).sum();
                    assert!(held <= bytes.len());
                }
            });
    }

    #[test]
    fn no_packet_grows_without_end() {
        let mut packets = logged_in();
        let mut header = [0xff, 0xff, 0xff, 0];
        let frame = vec![0; FRAME_BYTES_MAX];
        let refused = loop {
            packets.room().extend_from_slice(&header);
            packets.room().extend_from_slice(&frame);
            header[3] += 1;
            match packets.take() {
                Ok(taken) => assert_eq!(taken, None),
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, DriverError::PacketTooLarge));
        assert!(packets.long.len() <= PACKET_BYTES_MAX);
    }
}
