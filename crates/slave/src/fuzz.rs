//! Entry points of the fuzz targets: arbitrary bytes for the master's side and for the slave's side.
#![allow(clippy::indexing_slicing)] // These functions build their own inputs, and a wrong index must stop the fuzzer.

use std::io::{self, Write};
use std::net::Shutdown;
use std::num::NonZeroU32;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use pseudotape_tape::{
    Address, Drive, EraseExtent, Mark, Motion, ObjectNumber, PartitionNumber, Position, SpaceUnit,
    Transfer, WriteMode,
};

use crate::channel::Channel;
use crate::check::Asked;
use crate::header::Checksums;
use crate::limits::{HEADER_BYTES, MAGIC, MAX_BODY_BYTES, VERSION};
use crate::line::{Answer, Line};
use crate::link::Link;
use crate::lost::Lost;
use crate::request::Request;
use crate::serve::serve;
use crate::socket::SocketLink;
use crate::stream::{StreamCore, StreamEnd};

/// A timeout that no fuzzed master reaches: all bytes of its slave are there from the start.
const SILENCE: Duration = Duration::from_secs(60);
const ROOM: usize = 4096;
/// A pipe or a socket buffers so many bytes without blocking.
const MAX_INPUT: usize = 32 << 10;

/// How an input is used. The first bytes of the input decide it.
struct Plan {
    request: Request,
    data: &'static [u8],
    before: Option<Position>,
    /// Corrects magic numbers, versions, ids and checksums, so that the fuzzer reaches the code behind these
    /// checks.
    seals: bool,
    /// Uses a socket with shared memory; otherwise a stream in pieces of this size.
    socket: bool,
    piece: usize,
}

fn plan(first: u8, second: u8) -> Plan {
    let fixed = Transfer::Fixed(NonZeroU32::new(512).expect("not 0"));
    let (request, data): (Request, &'static [u8]) = match first & 15 {
        0 => (Request::Write(Transfer::Variable), b"one block"),
        1 => (Request::Write(fixed), &[7; 1024]),
        2 => (Request::Extend, b"more"),
        3 => {
            let transfer = Transfer::Variable;
            (
                Request::Read {
                    transfer,
                    length: 100,
                },
                &[],
            )
        }
        4 => {
            let transfer = fixed;
            (
                Request::Read {
                    transfer,
                    length: 2048,
                },
                &[],
            )
        }
        5 => (
            Request::Motion(Motion::WriteMarks {
                mark: Mark::Filemark,
                count: 3,
                mode: WriteMode::Commit,
            }),
            &[],
        ),
        6 => (
            Request::Motion(Motion::Space {
                unit: SpaceUnit::Blocks,
                count: -2,
            }),
            &[],
        ),
        7 => (
            Request::Motion(Motion::Space {
                unit: SpaceUnit::Filemarks,
                count: 2,
            }),
            &[],
        ),
        8 => {
            let to = Address {
                partition: Some(PartitionNumber(1)),
                object: ObjectNumber(9),
            };
            (Request::Motion(Motion::Locate(to)), &[])
        }
        9 => (Request::Motion(Motion::Rewind), &[]),
        10 => (Request::Mode, &[]),
        11 => (Request::Capacity, &[]),
        12 => (Request::Position, &[]),
        13 => (Request::TestReady, &[]),
        14 => (Request::Motion(Motion::Erase(EraseExtent::Long)), &[]),
        _ => (Request::Unload, &[]),
    };
    Plan {
        request,
        data,
        before: (first & 16 != 0).then_some(Position {
            object: ObjectNumber(5),
            ..Position::default()
        }),
        seals: first & 32 != 0,
        socket: first & 64 != 0,
        piece: usize::from(second).max(1),
    }
}

/// Entry point of the fuzz target for masters: the bytes are the reply to a request.
///
/// Whatever the bytes are, the request must fail or return a result that is possible for it.
///
/// # Panics
///
/// If the request returns an impossible result.
pub fn fuzz_reply(bytes: &[u8]) {
    let [first, second, bytes @ ..] = bytes else {
        return;
    };
    let plan = plan(*first, *second);
    let mut bytes = bytes.get(..MAX_INPUT).unwrap_or(bytes).to_vec();
    if plan.seals {
        // The first request of a line has the id 1.
        seal(&mut bytes, Some(VERSION), Some(1));
    }
    let (link, feeds) = if plan.socket {
        socket(&bytes)
    } else {
        stream()
    };
    let mut line = Line::default();
    line.link = Some(link);
    let asked = Asked {
        request: &plan.request,
        data_length: plan.data.len(),
        before: plan.before,
    };
    let length = match plan.request {
        Request::Read { length, .. } => length as usize,
        _ => 0,
    };
    if let Feeds::Stream(end) = feeds {
        let piece = plan.piece;
        let answer = std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut request = [0; ROOM];
                while end.read(&mut request) == crate::StreamRead::NotYet {
                    std::thread::yield_now();
                }
                let fed = bytes
                    .chunks(piece)
                    .try_for_each(|piece| end.write(piece).map(drop));
                end.hang_up();
                fed
            });
            ask(&mut line, asked, plan.data, length)
        });
        judge(asked, answer, length);
    } else {
        let answer = ask(&mut line, asked, plan.data, length);
        judge(asked, answer, length);
    }
}

enum Feeds {
    Socket { _held_open: UnixStream },
    Stream(StreamEnd),
}

fn socket(bytes: &[u8]) -> (Link, Feeds) {
    let (master, slave) = UnixStream::pair().expect("a pair of sockets");
    (&slave).write_all(bytes).expect("a socket takes that much");
    slave.shutdown(Shutdown::Write).expect("it is open");
    let link = SocketLink::new(master, 4096, SILENCE).expect("a channel");
    let mut link = Link::Socket(Box::new(link));
    link.agree(true, Checksums::Streamed)
        .expect("it was offered");
    let held = Feeds::Socket { _held_open: slave };
    (link, held)
}

fn stream() -> (Link, Feeds) {
    let core = StreamCore::new();
    let end = StreamEnd::new(std::sync::Arc::clone(&core));
    (Link::Stream(core), Feeds::Stream(end))
}

fn ask(line: &mut Line, asked: Asked<'_>, data: &[u8], length: usize) -> Result<Answer, Lost> {
    let mut into = vec![0; length];
    let answer = line.ask(asked, data, &mut into, SILENCE);
    answer.expect("there is a slave")
}

/// Checks the properties that callers rely on.
fn judge(asked: Asked<'_>, answer: Result<Answer, Lost>, length: usize) {
    let Ok(Answer::Done(outcome, bytes)) = answer else {
        return;
    };
    assert!(bytes <= length);
    match asked.request {
        Request::Write(Transfer::Variable) | Request::Extend => assert!(outcome.count <= 1),
        Request::Write(Transfer::Fixed(_)) => assert!(outcome.count <= 2),
        Request::Motion(Motion::WriteMarks { .. }) => assert!(outcome.count <= 3),
        Request::Motion(Motion::Rewind) => assert_eq!(outcome.position.expect("known").object.0, 0),
        Request::Position => assert!(outcome.position.is_some()),
        _ => {}
    }
}

/// Entry point of the fuzz target for slaves: the bytes are the master's requests.
///
/// The first byte is a set of options. Bit 0: correct the magic numbers, versions and checksums. Bit 1: use a
/// socket instead of a pipe. Bit 2: leave the versions as they are.
///
/// Whatever the bytes are, serving must end.
pub fn fuzz_request(bytes: &[u8], drive: &mut dyn Drive) {
    let [first, bytes @ ..] = bytes else {
        return;
    };
    let mut bytes = bytes.get(..MAX_INPUT).unwrap_or(bytes).to_vec();
    if first & 1 != 0 {
        seal(&mut bytes, (first & 4 == 0).then_some(VERSION), None);
    }
    let replies = std::fs::File::options()
        .write(true)
        .open("/dev/null")
        .expect("it is there");
    let channel = if first & 2 != 0 {
        let (master, slave) = UnixStream::pair().expect("a pair of sockets");
        (&master)
            .write_all(&bytes)
            .expect("a socket takes that much");
        drop(master);
        Channel::socket(slave).expect("a channel")
    } else {
        let (requests, mut master) = io::pipe().expect("a pipe");
        master.write_all(&bytes).expect("a pipe takes that much");
        drop(master);
        Channel::pipes(requests, replies)
    };
    drop(serve(drive, channel));
}

/// Treats the bytes as messages and corrects their magic numbers, versions and checksums.
fn seal(bytes: &mut [u8], version: Option<u16>, id: Option<u64>) {
    let mut rest = bytes;
    while rest.len() >= HEADER_BYTES {
        let (header, behind) = rest.split_at_mut(HEADER_BYTES);
        header[..4].copy_from_slice(&MAGIC.to_le_bytes());
        if let Some(version) = version {
            header[4..6].copy_from_slice(&version.to_le_bytes());
        }
        if let Some(id) = id {
            header[8..16].copy_from_slice(&id.to_le_bytes());
        }
        let number = |at: usize| {
            let bytes = [header[at], header[at + 1], header[at + 2], header[at + 3]];
            u32::from_le_bytes(bytes) as usize
        };
        let (flags, body, payload) = (header[16], number(20), number(24));
        let body = body.min(behind.len()).min(MAX_BODY_BYTES);
        let (body, behind) = behind.split_at_mut(body);
        header[28..32].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
        let streamed = if flags & 1 == 0 { payload } else { 0 };
        let (payload, behind) = behind.split_at_mut(streamed.min(behind.len()));
        if flags & 2 != 0 {
            header[32..36].copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
        }
        let crc = crc32fast::hash(&header[..36]);
        header[36..].copy_from_slice(&crc.to_le_bytes());
        rest = behind;
    }
}
