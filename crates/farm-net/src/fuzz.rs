//! Trying everything on bytes of unknown origin: the entry of the fuzz target.

use crate::message::Message;
use crate::packet::{HEADER_BYTES, PacketReader, PacketWriter};

/// Takes bytes for packets: as they come over a link, and as bodies with the right checksums, which would keep a fuzzer
/// out.
///
/// # Panics
///
/// Where a message that was read is not the same when it is written and read again.
pub fn fuzz_packets(bytes: &[u8]) {
    let mut reader = PacketReader::new(bytes);
    let mut body = Vec::new();
    while let Ok(Some(kind)) = reader.read(&mut body) {
        look(kind, &body);
    }
    if let Some((kind, body)) = bytes.split_first_chunk::<2>() {
        look(u16::from_le_bytes(*kind) % 64, body);
    }
}

fn look(kind: u16, body: &[u8]) {
    let Ok(message) = Message::decode(kind, body) else {
        return;
    };
    let (kind, body) = message.encode();
    assert_eq!(Message::decode(kind, &body).ok(), Some(message));
    let mut written = Vec::new();
    let sent = PacketWriter::new(&mut written).write(kind, &body);
    if sent.is_ok() {
        assert_eq!(written.len(), HEADER_BYTES + body.len());
        let mut again = Vec::new();
        let read = PacketReader::new(&written[..]).read(&mut again);
        assert!(matches!(read, Ok(Some(read)) if read == kind));
        assert_eq!(again, body);
    }
}
