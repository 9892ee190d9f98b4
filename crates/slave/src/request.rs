//! The requests of a master: one for each operation of `trait Drive`, and those that manage the connection.

use std::num::NonZeroU32;

use pseudotape_tape::{
    Address, Door, EraseExtent, LoadKind, Mark, ModeSelect, Motion, ObjectNumber, PartitionNumber,
    Partitioning, SpaceUnit, Transfer, WriteMode,
};

use crate::bodies::{
    ByteBytes, GoodbyeBytes, HelloBytes, LocateBytes, MarksBytes, NEEDS_SHIFT, PartitionsBytes,
    ReadBytes, SETS_BLOCK_SIZE, SETS_BUFFERING, SETS_COMPRESSION, SETS_DENSITY, SHARED_MEMORY,
    SetModeBytes, SpaceBytes, WriteBytes,
};
use crate::codec;
use crate::codes::Code;
use crate::nonsense::Nonsense;
use crate::text;
use crate::versions::Versions;

/// The greeting: what a master offers to a slave that attaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) largest_payload: u32,
    pub(crate) silence_ms: u32,
    pub(crate) shared_memory: bool,
    /// The features that the master requires: the upper half of `offers`. This version defines none.
    pub(crate) needs: u16,
}

/// Why a master ends the connection to a slave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Another slave is attached.
    Busy,
    /// The slave violated the protocol.
    Nonsense,
    /// The slave timed out.
    Silent,
    /// The master ends, or an operator ended the connection.
    Ending,
    /// The two sides have no version of the protocol in common. These are the master's versions.
    Unsupported(Versions),
}

/// The last message to a slave. It has no reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Goodbye {
    pub(crate) reason: Reason,
    pub(crate) text: String,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Hello(Hello),
    KeepAlive,
    Goodbye(Goodbye),
    TestReady,
    Mode,
    SetMode(ModeSelect),
    Read { transfer: Transfer, length: u32 },
    Write(Transfer),
    Extend,
    Motion(Motion),
    Unload,
    Position,
    Capacity,
    SetDoor(Door),
}

/// The kinds of request: their numbers and names.
macro_rules! kinds {
    ($($pattern:pat => $constant:ident = $number:literal, $name:literal;)*) => {
        $(pub(crate) const $constant: u16 = $number;)*

        /// Every kind of request with its name.
        #[cfg(test)]
        pub(crate) const REQUESTS: &[(u16, &str)] = &[$(($number, $name)),*];

        impl Request {
            /// The number of this kind of request.
            pub(crate) fn kind(&self) -> u16 {
                match self {
                    $($pattern => $number),*
                }
            }

            /// The name of this kind of request.
            pub(crate) fn name(&self) -> &'static str {
                match self {
                    $($pattern => $name),*
                }
            }
        }
    };
}

kinds! {
    Request::Hello(_) => HELLO = 1, "hello";
    Request::KeepAlive => KEEP_ALIVE = 2, "keep-alive";
    Request::Goodbye(_) => GOODBYE = 3, "goodbye";
    Request::TestReady => TEST_READY = 16, "test ready";
    Request::Mode => MODE = 17, "mode";
    Request::SetMode(_) => SET_MODE = 18, "set mode";
    Request::Read { .. } => READ = 19, "read";
    Request::Write(_) => WRITE = 20, "write";
    Request::Extend => EXTEND = 21, "extend";
    Request::Motion(Motion::WriteMarks { .. }) => WRITE_MARKS = 22, "write marks";
    Request::Motion(Motion::Space { .. }) => SPACE = 23, "space";
    Request::Motion(Motion::SpaceToEndOfData) => SPACE_TO_END_OF_DATA = 24, "space to end of data";
    Request::Motion(Motion::Locate(_)) => LOCATE = 25, "locate";
    Request::Motion(Motion::Rewind) => REWIND = 26, "rewind";
    Request::Motion(Motion::Load(_)) => LOAD = 27, "load";
    Request::Unload => UNLOAD = 28, "unload";
    Request::Motion(Motion::Erase(_)) => ERASE = 29, "erase";
    Request::Position => POSITION = 30, "position";
    Request::Capacity => CAPACITY = 31, "capacity";
    Request::SetDoor(_) => SET_DOOR = 32, "set door";
    Request::Motion(Motion::MakePartitions(_)) => MAKE_PARTITIONS = 33, "make partitions";
}

/// Kinds from this number on are replies.
pub(crate) const FIRST_REPLY: u16 = 0x8000;

/// The reasons of a goodbye, with their words in docs/SLAVE-PROTOCOL.md.
#[cfg(test)]
pub(crate) const REASONS: &[(u16, &str)] = &[
    (BUSY, "busy"),
    (NONSENSE, "nonsense"),
    (SILENT, "silent"),
    (ENDING, "ending"),
    (UNSUPPORTED, "unsupported"),
];

const BUSY: u16 = 1;
const NONSENSE: u16 = 2;
const SILENT: u16 = 3;
const ENDING: u16 = 4;
const UNSUPPORTED: u16 = 5;

/// Kinds of `PartitionsBytes`.
const SINGLE: u8 = 0;
const SECOND_OF: u8 = 1;
const FIRST_OF: u8 = 2;

impl Request {
    /// Writes the body. Returns its length.
    pub(crate) fn encode(&self, out: &mut [u8]) -> usize {
        match self {
            Request::KeepAlive
            | Request::TestReady
            | Request::Mode
            | Request::Extend
            | Request::Motion(Motion::SpaceToEndOfData | Motion::Rewind)
            | Request::Unload
            | Request::Position
            | Request::Capacity => 0,
            Request::Hello(hello) => codec::encode(
                &HelloBytes {
                    largest_payload: hello.largest_payload,
                    silence_ms: hello.silence_ms,
                    offers: u32::from(hello.needs) << NEEDS_SHIFT
                        | if hello.shared_memory {
                            SHARED_MEMORY
                        } else {
                            0
                        },
                },
                out,
            ),
            Request::Goodbye(goodbye) => codec::encode(&goodbye_bytes(goodbye), out),
            Request::SetMode(change) => codec::encode(&set_mode_bytes(change), out),
            Request::Read { transfer, length } => codec::encode(
                &ReadBytes {
                    block_size: block_size(*transfer),
                    length: *length,
                },
                out,
            ),
            Request::Write(transfer) => codec::encode(
                &WriteBytes {
                    block_size: block_size(*transfer),
                },
                out,
            ),
            Request::Motion(Motion::WriteMarks { mark, count, mode }) => codec::encode(
                &MarksBytes {
                    count: *count,
                    mark: mark.code(),
                    immediate: mode.code(),
                },
                out,
            ),
            Request::Motion(Motion::Space { unit, count }) => codec::encode(
                &SpaceBytes {
                    count: *count,
                    unit: unit.code(),
                },
                out,
            ),
            Request::Motion(Motion::Locate(to)) => codec::encode(
                &LocateBytes {
                    object: to.object.0,
                    partition: to.partition.map_or(0, |p| p.0),
                    changes_partition: to.partition.is_some().into(),
                },
                out,
            ),
            Request::Motion(Motion::Load(kind)) => byte(kind.code(), out),
            Request::Motion(Motion::Erase(extent)) => byte(extent.code(), out),
            Request::SetDoor(door) => byte(door.code(), out),
            Request::Motion(Motion::MakePartitions(partitioning)) => {
                let (kind, size_mib) = match partitioning {
                    Partitioning::Single => (SINGLE, 0),
                    Partitioning::SecondOf(mib) => (SECOND_OF, *mib),
                    Partitioning::FirstOf(mib) => (FIRST_OF, *mib),
                };
                codec::encode(&PartitionsBytes { size_mib, kind }, out)
            }
        }
    }

    /// Reads a request. An unknown kind gives [`Nonsense::Kind`]; the slave refuses such a request and goes on.
    pub(crate) fn decode(kind: u16, body: &[u8]) -> Result<Request, Nonsense> {
        let of = |request| nothing(kind, body).map(|()| request);
        let byte = || fields::<ByteBytes>(kind, body).map(|b| b.value);
        match kind {
            HELLO => fields(kind, body).map(|b: HelloBytes| {
                Request::Hello(Hello {
                    largest_payload: b.largest_payload,
                    silence_ms: b.silence_ms,
                    shared_memory: b.offers & SHARED_MEMORY != 0,
                    needs: (b.offers >> NEEDS_SHIFT) as u16,
                })
            }),
            GOODBYE => goodbye(&fields(kind, body)?).map(Request::Goodbye),
            KEEP_ALIVE => of(Request::KeepAlive),
            TEST_READY => of(Request::TestReady),
            MODE => of(Request::Mode),
            SET_MODE => fields(kind, body).map(|b| Request::SetMode(set_mode(&b))),
            READ => fields(kind, body).map(|b: ReadBytes| Request::Read {
                transfer: transfer(b.block_size),
                length: b.length,
            }),
            WRITE => fields(kind, body).map(|b: WriteBytes| Request::Write(transfer(b.block_size))),
            EXTEND => of(Request::Extend),
            WRITE_MARKS => {
                let b: MarksBytes = fields(kind, body)?;
                let (mark, mode) = (Mark::from_code(b.mark)?, WriteMode::from_code(b.immediate)?);
                let count = b.count;
                Ok(Request::Motion(Motion::WriteMarks { mark, count, mode }))
            }
            SPACE => {
                let b: SpaceBytes = fields(kind, body)?;
                let (unit, count) = (SpaceUnit::from_code(b.unit)?, b.count);
                Ok(Request::Motion(Motion::Space { unit, count }))
            }
            SPACE_TO_END_OF_DATA => of(Request::Motion(Motion::SpaceToEndOfData)),
            LOCATE => fields(kind, body).map(|b: LocateBytes| {
                Request::Motion(Motion::Locate(Address {
                    partition: (b.changes_partition != 0).then_some(PartitionNumber(b.partition)),
                    object: ObjectNumber(b.object),
                }))
            }),
            REWIND => of(Request::Motion(Motion::Rewind)),
            LOAD => LoadKind::from_code(byte()?).map(|kind| Request::Motion(Motion::Load(kind))),
            UNLOAD => of(Request::Unload),
            ERASE => {
                EraseExtent::from_code(byte()?).map(|extent| Request::Motion(Motion::Erase(extent)))
            }
            POSITION => of(Request::Position),
            CAPACITY => of(Request::Capacity),
            SET_DOOR => Ok(Request::SetDoor(Door::from_code(byte()?)?)),
            MAKE_PARTITIONS => {
                let b: PartitionsBytes = fields(kind, body)?;
                let partitioning = match b.kind {
                    SINGLE => Partitioning::Single,
                    SECOND_OF => Partitioning::SecondOf(b.size_mib),
                    FIRST_OF => Partitioning::FirstOf(b.size_mib),
                    found => {
                        let what = "partitioning";
                        return Err(Nonsense::Code { what, found });
                    }
                };
                Ok(Request::Motion(Motion::MakePartitions(partitioning)))
            }
            _ => Err(Nonsense::Kind { kind }),
        }
    }
}

pub(crate) fn fields<T: bincode::Decode<()>>(kind: u16, body: &[u8]) -> Result<T, Nonsense> {
    codec::decode(body).ok_or(Nonsense::Body {
        kind,
        length: body.len(),
    })
}

pub(crate) fn nothing(kind: u16, body: &[u8]) -> Result<(), Nonsense> {
    if body.is_empty() {
        return Ok(());
    }
    Err(Nonsense::Body {
        kind,
        length: body.len(),
    })
}

fn goodbye_bytes(goodbye: &Goodbye) -> GoodbyeBytes {
    let (reason, versions) = match goodbye.reason {
        Reason::Busy => (BUSY, None),
        Reason::Nonsense => (NONSENSE, None),
        Reason::Silent => (SILENT, None),
        Reason::Ending => (ENDING, None),
        Reason::Unsupported(versions) => (UNSUPPORTED, Some(versions)),
    };
    let short = |version: u16| u8::try_from(version).unwrap_or(u8::MAX);
    GoodbyeBytes {
        reason,
        oldest: versions.map_or(0, |known| short(known.oldest)),
        newest: versions.map_or(0, |known| short(known.newest)),
        text: text::to_bytes(&goodbye.text),
    }
}

fn goodbye(bytes: &GoodbyeBytes) -> Result<Goodbye, Nonsense> {
    let reason = match bytes.reason {
        BUSY => Reason::Busy,
        NONSENSE => Reason::Nonsense,
        SILENT => Reason::Silent,
        UNSUPPORTED => Reason::Unsupported(Versions {
            oldest: bytes.oldest.into(),
            newest: bytes.newest.into(),
        }),
        // A goodbye with a reason of a later version ends the connection too.
        _ => Reason::Ending,
    };
    let text = text::from_bytes("goodbye", &bytes.text)?;
    Ok(Goodbye { reason, text })
}

fn byte(value: u8, out: &mut [u8]) -> usize {
    codec::encode(&ByteBytes { value }, out)
}

fn block_size(transfer: Transfer) -> u32 {
    match transfer {
        Transfer::Variable => 0,
        Transfer::Fixed(size) => size.get(),
    }
}

fn transfer(block_size: u32) -> Transfer {
    NonZeroU32::new(block_size).map_or(Transfer::Variable, Transfer::Fixed)
}

fn set_mode_bytes(change: &ModeSelect) -> SetModeBytes {
    let bit = |is_set: bool, bit| if is_set { bit } else { 0 };
    SetModeBytes {
        block_size: change.block_size.unwrap_or(0),
        density: change.density.unwrap_or(0),
        buffering: change.buffering.unwrap_or(0),
        compression: change.compression.unwrap_or(false).into(),
        changes: bit(change.block_size.is_some(), SETS_BLOCK_SIZE)
            | bit(change.density.is_some(), SETS_DENSITY)
            | bit(change.buffering.is_some(), SETS_BUFFERING)
            | bit(change.compression.is_some(), SETS_COMPRESSION),
    }
}

fn set_mode(bytes: &SetModeBytes) -> ModeSelect {
    let sets = |bit| bytes.changes & bit != 0;
    ModeSelect {
        block_size: sets(SETS_BLOCK_SIZE).then_some(bytes.block_size),
        density: sets(SETS_DENSITY).then_some(bytes.density),
        buffering: sets(SETS_BUFFERING).then_some(bytes.buffering),
        compression: sets(SETS_COMPRESSION).then_some(bytes.compression != 0),
    }
}
