//! The replies of a slave.

use pseudotape_tape::{
    BlockLimits, Capacity, Failed, FileNumber, Identity, Mode, ObjectNumber, PartitionNumber,
    Position, Sense, Stop,
};

use crate::bodies::{
    CAN_COMPRESS, COMPRESSES, CapacityBytes, HAS_ROOM, HAS_TOTAL, KNOWS_FILE, KNOWS_POSITION,
    ModeBytes, OutcomeBytes, PAST_EARLY_WARNING, RECOVERED, SHARED_MEMORY, UnsupportedBytes,
    WRITE_PROTECTED, WelcomeBytes,
};
use crate::codec;
use crate::codes::Code;
use crate::nonsense::Nonsense;
use crate::request::{fields, nothing};
use crate::text;
use crate::versions::Versions;

pub(crate) const WELCOME: u16 = 0x8001;
pub(crate) const DONE: u16 = 0x8002;
pub(crate) const FAILED: u16 = 0x8003;
pub(crate) const MODE_IS: u16 = 0x8004;
pub(crate) const CAPACITY_IS: u16 = 0x8005;
pub(crate) const WORKING: u16 = 0x8006;
pub(crate) const UNSUPPORTED: u16 = 0x8007;

/// Every kind of reply with its name.
#[cfg(test)]
pub(crate) const REPLIES: &[(u16, &str)] = &[
    (WELCOME, "welcome"),
    (DONE, "done"),
    (FAILED, "failed"),
    (MODE_IS, "mode is"),
    (CAPACITY_IS, "capacity is"),
    (WORKING, "working"),
    (UNSUPPORTED, "unsupported"),
];

/// The slave's answer to a greeting: its drive's identity and block limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Welcome {
    pub(crate) identity: Identity,
    pub(crate) limits: BlockLimits,
    pub(crate) shared_memory: bool,
}

/// The versions and features that a slave supports. It answers a greeting that requires others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) versions: Versions,
    /// The bits of `offers` that the slave supports.
    pub(crate) features: u32,
}

impl Known {
    /// The versions and features that this crate supports.
    pub(crate) const OURS: Known = Known {
        versions: Versions::OURS,
        features: SHARED_MEMORY,
    };
}

/// The result of a successful operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) count: u64,
    pub(crate) block_length: u32,
    pub(crate) stop: Option<Stop>,
    pub(crate) position: Option<Position>,
    /// The drive recovered from an error.
    pub(crate) recovered: bool,
}

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Welcome(Welcome),
    Done(Outcome),
    Failed(Failed),
    Mode(Mode),
    Capacity(Capacity),
    Working,
    Unsupported(Known),
}

impl Reply {
    pub(crate) fn kind(&self) -> u16 {
        match self {
            Reply::Welcome(_) => WELCOME,
            Reply::Done(_) => DONE,
            Reply::Failed(_) => FAILED,
            Reply::Mode(_) => MODE_IS,
            Reply::Capacity(_) => CAPACITY_IS,
            Reply::Working => WORKING,
            Reply::Unsupported(_) => UNSUPPORTED,
        }
    }

    /// Writes the body. Returns its length.
    pub(crate) fn encode(&self, out: &mut [u8]) -> usize {
        match self {
            Reply::Welcome(welcome) => codec::encode(&welcome_bytes(welcome), out),
            Reply::Done(outcome) => {
                let stop = outcome.stop.map_or(0, Code::code);
                let bytes = outcome_bytes(outcome.position, outcome.count);
                let block_length = outcome.block_length;
                codec::encode(
                    &OutcomeBytes {
                        block_length,
                        stop,
                        knows: bytes.knows | bit(outcome.recovered, RECOVERED),
                        ..bytes
                    },
                    out,
                )
            }
            Reply::Failed(failed) => {
                let sense = failed.sense.code();
                let bytes = outcome_bytes(failed.position, failed.count);
                codec::encode(&OutcomeBytes { sense, ..bytes }, out)
            }
            Reply::Mode(mode) => codec::encode(&mode_bytes(mode), out),
            Reply::Capacity(capacity) => codec::encode(&capacity_bytes(capacity), out),
            Reply::Working => 0,
            Reply::Unsupported(known) => codec::encode(
                &UnsupportedBytes {
                    oldest: known.versions.oldest,
                    newest: known.versions.newest,
                    features: known.features,
                },
                out,
            ),
        }
    }

    pub(crate) fn decode(kind: u16, body: &[u8]) -> Result<Reply, Nonsense> {
        match kind {
            WELCOME => fields(kind, body).and_then(|b| welcome(&b).map(Reply::Welcome)),
            DONE => fields(kind, body).and_then(|b| done(&b).map(Reply::Done)),
            FAILED => fields(kind, body).and_then(|b| failed(&b).map(Reply::Failed)),
            MODE_IS => fields(kind, body).and_then(|b| mode(&b).map(Reply::Mode)),
            CAPACITY_IS => fields(kind, body).and_then(|b| capacity(&b).map(Reply::Capacity)),
            WORKING => nothing(kind, body).map(|()| Reply::Working),
            UNSUPPORTED => fields(kind, body).map(|b: UnsupportedBytes| {
                Reply::Unsupported(Known {
                    versions: Versions {
                        oldest: b.oldest,
                        newest: b.newest,
                    },
                    features: b.features,
                })
            }),
            _ => Err(Nonsense::Kind { kind }),
        }
    }
}

fn bit(is_set: bool, bit: u8) -> u8 {
    if is_set { bit } else { 0 }
}

fn known_bits(what: &'static str, found: u8, known: u8) -> Result<(), Nonsense> {
    if found & !known == 0 {
        return Ok(());
    }
    Err(Nonsense::Code { what, found })
}

fn welcome_bytes(welcome: &Welcome) -> WelcomeBytes {
    WelcomeBytes {
        vendor: text::to_bytes(&welcome.identity.vendor),
        product: text::to_bytes(&welcome.identity.product),
        revision: text::to_bytes(&welcome.identity.revision),
        serial: text::to_bytes(&welcome.identity.serial),
        min_block: welcome.limits.min_bytes,
        max_block: welcome.limits.max_bytes,
        granularity: welcome.limits.granularity_bytes,
        takes: if welcome.shared_memory {
            SHARED_MEMORY
        } else {
            0
        },
    }
}

fn welcome(bytes: &WelcomeBytes) -> Result<Welcome, Nonsense> {
    let limit = |what, found: u32| Nonsense::Value {
        request: "hello",
        what,
        found: found.into(),
    };
    if bytes.max_block == 0 || bytes.min_block > bytes.max_block {
        return Err(limit("a largest block of", bytes.max_block));
    }
    if bytes.granularity == 0 {
        return Err(limit("a granularity of", bytes.granularity));
    }
    if bytes.takes & !SHARED_MEMORY != 0 {
        return Err(limit("capabilities", bytes.takes));
    }
    Ok(Welcome {
        identity: Identity {
            vendor: text::from_bytes("vendor", &bytes.vendor)?,
            product: text::from_bytes("product", &bytes.product)?,
            revision: text::from_bytes("revision", &bytes.revision)?,
            serial: text::from_bytes("serial", &bytes.serial)?,
        },
        limits: BlockLimits {
            min_bytes: bytes.min_block,
            max_bytes: bytes.max_block,
            granularity_bytes: bytes.granularity,
        },
        shared_memory: bytes.takes & SHARED_MEMORY != 0,
    })
}

fn outcome_bytes(position: Option<Position>, count: u64) -> OutcomeBytes {
    let at = position.unwrap_or_default();
    OutcomeBytes {
        count,
        object: at.object.0,
        file: at.file.map_or(0, |file| file.0),
        block_length: 0,
        partition: at.partition.0,
        knows: bit(position.is_some(), KNOWS_POSITION)
            | bit(at.file.is_some(), KNOWS_FILE)
            | bit(at.past_early_warning, PAST_EARLY_WARNING),
        stop: 0,
        sense: 0,
    }
}

fn position(bytes: &OutcomeBytes, knows: u8) -> Result<Option<Position>, Nonsense> {
    let known = KNOWS_POSITION | KNOWS_FILE | PAST_EARLY_WARNING;
    known_bits("position", knows, known)?;
    if knows & KNOWS_POSITION == 0 {
        known_bits("position", knows, 0)?;
        return Ok(None);
    }
    Ok(Some(Position {
        partition: PartitionNumber(bytes.partition),
        object: ObjectNumber(bytes.object),
        file: (knows & KNOWS_FILE != 0).then_some(FileNumber(bytes.file)),
        past_early_warning: knows & PAST_EARLY_WARNING != 0,
    }))
}

fn done(bytes: &OutcomeBytes) -> Result<Outcome, Nonsense> {
    known_bits("sense of what is done", bytes.sense, 0)?;
    let stop = match bytes.stop {
        0 => None,
        code => Some(Stop::from_code(code)?),
    };
    Ok(Outcome {
        count: bytes.count,
        block_length: bytes.block_length,
        stop,
        position: position(bytes, bytes.knows & !RECOVERED)?,
        recovered: bytes.knows & RECOVERED != 0,
    })
}

fn failed(bytes: &OutcomeBytes) -> Result<Failed, Nonsense> {
    known_bits("stop of what failed", bytes.stop, 0)?;
    Ok(Failed {
        sense: Sense::from_code(bytes.sense)?,
        count: bytes.count,
        position: position(bytes, bytes.knows)?,
    })
}

fn mode_bytes(mode: &Mode) -> ModeBytes {
    ModeBytes {
        block_size: mode.block_size,
        density: mode.density,
        buffering: mode.buffering,
        state: bit(mode.write_protected, WRITE_PROTECTED)
            | bit(mode.compression.is_some(), CAN_COMPRESS)
            | bit(mode.compression == Some(true), COMPRESSES),
        last_partition: mode.last_partition,
    }
}

fn mode(bytes: &ModeBytes) -> Result<Mode, Nonsense> {
    known_bits(
        "state of the mode",
        bytes.state,
        WRITE_PROTECTED | CAN_COMPRESS | COMPRESSES,
    )?;
    known_bits("buffered mode", bytes.buffering, 7)?;
    Ok(Mode {
        block_size: bytes.block_size,
        density: bytes.density,
        buffering: bytes.buffering,
        write_protected: bytes.state & WRITE_PROTECTED != 0,
        compression: (bytes.state & CAN_COMPRESS != 0).then_some(bytes.state & COMPRESSES != 0),
        last_partition: bytes.last_partition,
    })
}

fn capacity_bytes(capacity: &Capacity) -> CapacityBytes {
    CapacityBytes {
        total: capacity.total_bytes.unwrap_or(0),
        early_warning: capacity.early_warning_bytes,
        used: capacity.used_bytes,
        room: capacity.room_bytes.unwrap_or(0),
        limited: bit(capacity.total_bytes.is_some(), HAS_TOTAL)
            | bit(capacity.room_bytes.is_some(), HAS_ROOM),
    }
}

fn capacity(bytes: &CapacityBytes) -> Result<Capacity, Nonsense> {
    known_bits("limit of the capacity", bytes.limited, HAS_TOTAL | HAS_ROOM)?;
    Ok(Capacity {
        total_bytes: (bytes.limited & HAS_TOTAL != 0).then_some(bytes.total),
        early_warning_bytes: bytes.early_warning,
        used_bytes: bytes.used,
        room_bytes: (bytes.limited & HAS_ROOM != 0).then_some(bytes.room),
    })
}
