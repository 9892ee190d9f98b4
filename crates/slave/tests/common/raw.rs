//! A slave that sends bare bytes. It was written from docs/SLAVE-PROTOCOL.md and does not use the code of the
//! crate.
#![allow(dead_code)] // Each test program uses only a part of this module.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use pseudotape_slave::SlavePort;

use super::LONG;

pub const DONE: u16 = 0x8002;
pub const FAILED: u16 = 0x8003;
pub const WORKING: u16 = 0x8006;
pub const REWIND: u16 = 26;
pub const WRITE: u16 = 20;

/// Encodes a message: header, body, payload in the stream.
pub fn message(kind: u16, id: u64, body: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(0x534d_508a_u32.to_le_bytes());
    bytes.extend(1_u16.to_le_bytes());
    bytes.extend(kind.to_le_bytes());
    bytes.extend(id.to_le_bytes());
    bytes.extend((if payload.is_empty() { 0_u32 } else { 2 }).to_le_bytes());
    bytes.extend((body.len() as u32).to_le_bytes());
    bytes.extend((payload.len() as u32).to_le_bytes());
    bytes.extend(crc32fast::hash(body).to_le_bytes());
    let payload_crc = if payload.is_empty() {
        0
    } else {
        crc32fast::hash(payload)
    };
    bytes.extend(payload_crc.to_le_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes.extend(body);
    bytes.extend(payload);
    bytes
}

/// Recomputes the checksum of a header after a change.
pub fn reseal(message: &mut [u8]) {
    let crc = crc32fast::hash(&message[..36]);
    message[36..40].copy_from_slice(&crc.to_le_bytes());
}

/// The body of `done` and `failed`.
pub fn outcome(count: u64, object: u64, block_length: u32, stop: u8, sense: u8) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(count.to_le_bytes());
    body.extend(object.to_le_bytes());
    body.extend(0_u64.to_le_bytes());
    body.extend(block_length.to_le_bytes());
    body.extend([0, 3, stop, sense]);
    body
}

/// The body of `welcome`: blocks from 1 byte to 16 MiB, payloads in the stream.
pub fn welcome() -> Vec<u8> {
    let mut body = vec![0; 60];
    body[..3].copy_from_slice(b"RAW");
    for number in [1_u32, 16 << 20, 1, 0] {
        body.extend(number.to_le_bytes());
    }
    body
}

/// One request.
#[derive(Debug)]
pub struct RawRequest {
    pub kind: u16,
    pub id: u64,
    pub body: Vec<u8>,
    pub payload: Vec<u8>,
}

/// Reads one message.
pub fn read_request(stream: &mut impl Read) -> std::io::Result<RawRequest> {
    let mut header = [0; 40];
    stream.read_exact(&mut header)?;
    let number = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap());
    assert_eq!(crc32fast::hash(&header[..36]), number(36));
    let mut body = vec![0; number(20) as usize];
    stream.read_exact(&mut body)?;
    let shared = number(16) & 1 != 0;
    let mut payload = vec![0; if shared { 0 } else { number(24) as usize }];
    stream.read_exact(&mut payload)?;
    Ok(RawRequest {
        kind: u16::from_le_bytes([header[6], header[7]]),
        id: u64::from_le_bytes(header[8..16].try_into().unwrap()),
        body,
        payload,
    })
}

/// A slave on a socket that has answered the greeting.
pub struct RawSlave(pub UnixStream);

impl RawSlave {
    /// Connects, but does not answer the greeting.
    pub fn silent(port: &SlavePort) -> RawSlave {
        let (master, slave) = UnixStream::pair().unwrap();
        slave.set_read_timeout(Some(LONG)).unwrap();
        port.attach_socket(master).unwrap();
        RawSlave(slave)
    }

    pub fn attached(port: &SlavePort) -> RawSlave {
        let mut slave = RawSlave::silent(port);
        let hello = slave.next();
        assert_eq!(hello.kind, 1);
        slave.send(&message(0x8001, hello.id, &welcome(), &[]));
        assert!(port.wait_attached(LONG), "{:?}", port.status());
        slave
    }

    pub fn next(&mut self) -> RawRequest {
        read_request(&mut self.0).expect("a request")
    }

    /// The next request other than keep-alive. Keep-alive requests are answered.
    pub fn next_operation(&mut self) -> RawRequest {
        loop {
            let request = self.next();
            if request.kind != 2 {
                return request;
            }
            self.send(&message(DONE, request.id, &[0; 32], &[]));
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("the master reads");
    }

    /// Answers the rewind that a master does for each new slave.
    pub fn rewound(&mut self) {
        let rewind = self.next_operation();
        assert_eq!(rewind.kind, REWIND);
        self.send(&message(DONE, rewind.id, &outcome(0, 0, 0, 0, 0), &[]));
    }

    /// The text of the goodbye. Messages before it are skipped.
    pub fn goodbye(&mut self) -> (u32, String) {
        loop {
            let message = self.next();
            if message.kind == 3 {
                let reason = u32::from_le_bytes(message.body[..4].try_into().unwrap());
                let text = message.body[4..].split(|b| *b == 0).next().unwrap();
                return (reason, String::from_utf8(text.to_vec()).unwrap());
            }
        }
    }
}
