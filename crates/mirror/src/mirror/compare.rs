//! Compares two volumes by their lengths and by the objects at their ends.

use std::fmt;

use pseudotape_human::counted;
use pseudotape_tape::{
    Address, Failed, ObjectNumber, PartitionNumber, ReadDone, Sense, Stop, Transfer,
};

use crate::leg::{Core, Leg, LegFailure, grow};

/// How many objects at the beginning and before the end of the data are compared when volumes are put in.
pub(super) const COMPARED_OBJECTS: u64 = 4;
/// So much of a block is shown in words.
const MOST_SHOWN_BYTES: usize = 40;
/// Blocks up to this length are read at the first attempt.
pub(super) const USUAL_BLOCK_BYTES: usize = 256 << 10;

/// Where two volumes differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// The volumes have different numbers of partitions.
    Partitions { legs: [String; 2], counts: [u16; 2] },
    /// A partition holds different numbers of objects.
    Length {
        partition: u8,
        legs: [String; 2],
        ends: [u64; 2],
    },
    /// An object is not the same on both.
    Object { partition: u8, object: u64 },
    /// No block of one volume could be read, so that nothing shows that the volumes are the same.
    Unreadable {
        partition: u8,
        leg: String,
        blocks: u64,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Partitions {
                legs: [a, b],
                counts: [one, other],
            } => write!(f, "{a} has {one} partitions, {b} has {other}"),
            Difference::Length {
                partition,
                legs: [a, b],
                ends: [one, other],
            } => write!(
                f,
                "partition {partition} holds {} in {a}, {other} in {b}",
                counted(*one, "object")
            ),
            Difference::Object { partition, object } => {
                write!(f, "object {object} of partition {partition} differs")
            }
            Difference::Unreadable {
                partition,
                leg,
                blocks,
            } => write!(
                f,
                "of the blocks of partition {partition} that were compared ({blocks}), none can be read from leg {leg}: damage, or another key"
            ),
        }
    }
}

/// Looks where two volumes differ in their lengths, or in the objects at their ends.
pub(super) fn difference(a: &Leg, b: &Leg) -> Result<Option<Difference>, LegFailure> {
    let last = |leg: &Leg| {
        let mode = leg.core().drive().mode();
        mode.map_err(|failed| leg.failure(failed.into()))
    };
    let (last_a, last_b) = (last(a)?.last_partition, last(b)?.last_partition);
    if last_a != last_b {
        let count = |last| u16::from(last) + 1;
        return Ok(Some(Difference::Partitions {
            legs: names(a, b),
            counts: [count(last_a), count(last_b)],
        }));
    }
    for partition in 0..=last_a {
        if let Some(difference) = difference_in(partition, a, b)? {
            return Ok(Some(difference));
        }
    }
    Ok(None)
}

fn names(a: &Leg, b: &Leg) -> [String; 2] {
    [a, b].map(|leg| leg.name().to_owned())
}

fn difference_in(partition: u8, a: &Leg, b: &Leg) -> Result<Option<Difference>, LegFailure> {
    let end = |leg: &Leg| {
        let end = end_of(&mut leg.core(), partition);
        end.map_err(|failed| leg.failure(failed.into()))
    };
    let ends = [end(a)?, end(b)?];
    let [end, other_end] = ends;
    if end != other_end {
        return Ok(Some(Difference::Length {
            partition,
            legs: names(a, b),
            ends,
        }));
    }
    let read = |leg: &Leg, object| {
        let found = object_at(&mut leg.core(), partition, object);
        found.map_err(|failed| leg.failure(failed.into()))
    };
    let last = end.saturating_sub(COMPARED_OBJECTS);
    let mut verified_blocks = 0_u64;
    let (mut damaged_a, mut damaged_b) = (0_u64, 0_u64);
    for object in (0..last.min(COMPARED_OBJECTS)).chain(last..end) {
        match (read(a, object)?, read(b, object)?) {
            (Some(one), Some(other)) if one != other => {
                return Ok(Some(Difference::Object { partition, object }));
            }
            (Some(one), Some(_)) => verified_blocks += u64::from(one.is_block()),
            // A block that only one leg can read is no difference: it is read from that leg.
            (one, other) => {
                damaged_a += u64::from(one.is_none());
                damaged_b += u64::from(other.is_none());
            }
        }
    }
    for (leg, blocks) in [(a, damaged_a), (b, damaged_b)] {
        if blocks > 0 && verified_blocks == 0 {
            let leg = leg.name().to_owned();
            return Ok(Some(Difference::Unreadable {
                partition,
                leg,
                blocks,
            }));
        }
        if blocks > 0 {
            let unread = counted(blocks, "block");
            let text = format!("{unread} of partition {partition} can't be read");
            let name = leg.name();
            log::warn!("leg {name}: {text}; the other legs' are read in their place");
            leg.note_damage(&text, false);
        }
    }
    Ok(None)
}

/// How many objects a partition holds.
pub(super) fn end_of(core: &mut Core, partition: u8) -> Result<u64, Failed> {
    let beginning = Address {
        partition: Some(PartitionNumber(partition)),
        object: ObjectNumber(0),
    };
    core.act(|drive| drive.locate(beginning))?;
    let done = core.act(|drive| drive.space_to_end_of_data())?;
    Ok(done.position.object.0)
}

/// What is at an object.
#[derive(PartialEq, Eq)]
pub(super) struct Found {
    stop: Option<Stop>,
    block_length: u32,
    data: Vec<u8>,
}

impl Found {
    pub(super) fn is_block(&self) -> bool {
        self.stop.is_none()
    }
}

impl fmt::Display for Found {
    /// A tape is known by its label, which is the beginning of its first block.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stop {
            None => write!(
                f,
                "a block of {}",
                counted(self.block_length.into(), "byte")
            )?,
            Some(Stop::Filemark) => return f.write_str("a filemark"),
            Some(Stop::Setmark) => return f.write_str("a setmark"),
            Some(_) => return f.write_str("nothing"),
        }
        let is_shown = |byte: &&u8| byte.is_ascii_graphic() || **byte == b' ';
        let words = self.data.iter().take(MOST_SHOWN_BYTES).take_while(is_shown);
        let words: String = words.map(|byte| char::from(*byte)).collect();
        match words.trim_end() {
            "" => Ok(()),
            words => write!(f, " ('{words}')"),
        }
    }
}

/// What is at an object; `None` where it is damaged.
pub(super) fn object_at(
    core: &mut Core,
    partition: u8,
    object: u64,
) -> Result<Option<Found>, Failed> {
    let place = Address {
        partition: Some(PartitionNumber(partition)),
        object: ObjectNumber(object),
    };
    let mut length = USUAL_BLOCK_BYTES;
    loop {
        core.act(|drive| drive.locate(place))?;
        let mut data = Vec::new();
        if grow(&mut data, length).is_none() {
            return Err(Failed::at(Sense::HardwareError, None));
        }
        let ReadDone {
            stop,
            block_length,
            bytes,
            ..
        } = match core.read(Transfer::Variable, &mut data) {
            Ok(done) => done,
            Err(failed) if failed.sense == Sense::MediumError => return Ok(None),
            Err(failed) => return Err(failed),
        };
        if block_length as usize <= length {
            data.truncate(bytes);
            return Ok(Some(Found {
                stop,
                block_length,
                data,
            }));
        }
        length = block_length as usize;
    }
}
