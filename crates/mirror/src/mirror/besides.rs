//! What a volume holds beside what the mirror has. To make it like the mirror drops that: nobody loses it by mistake.

use std::fmt;

use pseudotape_human::counted;
use pseudotape_tape::{Failed, make_ready};

use super::MirrorDrive;
use super::compare::{COMPARED_OBJECTS, end_of, object_at};
use super::error::LegError;
use crate::leg::{Cause, Core, Leg, NewLeg};
use crate::set::LegNumber;

/// What becomes of objects that only one volume holds, where it is to be made like another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// They are not to be dropped: where there are some, nothing is done.
    Stays,
    /// They may be dropped.
    MayGo,
}

/// Which volume comes into a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Any that the operator named.
    Any,
    /// The one that was in the leg before: what it holds is known, and so nothing of it is missed. Perhaps somebody put
    /// another cartridge into the same drive, or another file in the place of an image.
    Former,
}

/// What a volume holds beside what the mirror has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// So many objects behind the end of the data in the mirror.
    More(u64),
    /// So many objects, of which one is something else in the mirror.
    Others {
        /// All that the volume holds.
        objects: u64,
        /// The partition of the first object that is something else.
        partition: u8,
        /// Its number.
        object: u64,
    },
}

/// A volume that is not to be made like the mirror by mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Besides {
    /// What it holds beside what the mirror has.
    pub held: Held,
    /// Which volume was expected, and which one this is, where another one was.
    pub replaces: Option<Replaced>,
}

/// Two volumes that are not the same, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    leg: String,
    was: String,
    is: String,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Held::More(objects) => {
                let objects = counted(*objects, "object");
                write!(f, "holds {objects} more than the mirror")
            }
            Held::Others {
                objects,
                partition,
                object,
            } => write!(
                f,
                "holds {} of something else (object {object} of partition {partition} differs)",
                counted(*objects, "object")
            ),
        }
    }
}

impl fmt::Display for Besides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Besides { held, replaces } = self;
        match replaces {
            None => write!(f, "{held}"),
            Some(Replaced { leg, was, is }) => write!(
                f,
                "is not known to be what was in leg {leg} ({was}): it is {is}, and {held}"
            ),
        }
    }
}

impl MirrorDrive {
    /// Looks what a volume holds beside what the mirror has, before it comes into a leg. Moves the tapes of both.
    /// `None` where nothing would be lost, or the volume is the one that was expected.
    pub fn besides(
        &mut self,
        name: &str,
        new: NewLeg,
        expected: Expected,
    ) -> Result<(NewLeg, Option<Besides>), LegError> {
        let number = self.out_of_step(name)?;
        if let Some(refused) = self.refusal() {
            return Err(LegError::Refused(refused.to_owned()));
        }
        let source = self.reader_now().map_err(|_| LegError::NoSource)?;
        self.last.is_block(None);
        let NewLeg { options, drive } = new;
        let mut to = Core::new(&options, drive);
        let mut from = self.legs[source].core();
        let leg = &self.legs[number];
        let ready = make_ready(to.drive());
        let found = ready.and_then(|()| match expected {
            Expected::Any => Ok(look(&mut from, &mut to)?.map(|held| Besides {
                held,
                replaces: None,
            })),
            Expected::Former => look_at_former(&mut from, &mut to, leg),
        });
        from.forget_place();
        drop(from);
        let found = found.map_err(|failed| {
            let cause = to.explain_cause(Cause::failed(failed));
            leg.failure(cause)
        })?;
        let drive = to.into_volume();
        Ok((NewLeg { options, drive }, found))
    }

    /// Fails where another leg, in step or not, holds more objects than this one.
    pub(super) fn require_longest(&self, trusted: LegNumber) -> Result<(), LegError> {
        let leg = &self.legs[trusted];
        let own = holdings(&mut leg.core()).map_err(|failed| leg.failure(failed.into()))?;
        let others = self.legs.select(Leg::keeps_blocks).without(trusted);
        let others = self.legs.of(others).filter_map(|other| {
            // What a leg holds that can't be asked is not known; it can't be copied onto either.
            let held = holdings(&mut other.core()).ok()?;
            let more = more_objects(&held, &own);
            (more > 0).then(|| (other.name().to_owned(), more))
        });
        let others: Vec<_> = others.collect();
        if others.is_empty() {
            return Ok(());
        }
        let trusted = leg.name().to_owned();
        Err(LegError::HoldsMore { trusted, others })
    }
}

/// As [`look`], unless the volume is the one that was in the leg.
///
/// An image says who it is. A tape does not: it is the one that was in the leg where it holds what the leg held of the
/// mirror.
fn look_at_former(from: &mut Core, to: &mut Core, leg: &Leg) -> Result<Option<Besides>, Failed> {
    let (was, is) = (leg.volume(), to.volume().volume_identity().id);
    let copied = leg.no_copy_from().map_or(0, |from| from.0);
    let is_it = match (was, is) {
        (Some(was), Some(is)) => was == is,
        (None, None) | (Some(_), None) | (None, Some(_)) => holds_first(from, to, copied)?,
    };
    if is_it {
        return Ok(None);
    }
    let Some(held) = look(from, to)? else {
        return Ok(None);
    };
    let was = match (was, copied) {
        (Some(volume), _) => format!("volume {volume}"),
        (None, 0) => "nothing of what it held is in the mirror any more".to_owned(),
        (None, copied) => {
            let first = first_object(from)?;
            let objects = match copied {
                1 => "object".to_owned(),
                copied => format!("{copied} objects"),
            };
            format!("it held the first {objects} of the mirror, and began with {first}")
        }
    };
    let is = match is {
        Some(volume) => format!("volume {volume}"),
        None => format!("a tape that begins with {}", first_object(to)?),
    };
    Ok(Some(Besides {
        held,
        replaces: Some(Replaced {
            leg: leg.name().to_owned(),
            was,
            is,
        }),
    }))
}

/// Whether a volume holds so many objects of the mirror, as far as the first and the last ones of them show it. Where
/// there are none, nothing shows it.
fn holds_first(from: &mut Core, to: &mut Core, objects: u64) -> Result<bool, Failed> {
    if objects == 0 || end_of(to, 0)? < objects || end_of(from, 0)? < objects {
        return Ok(false);
    }
    let mut same_blocks = 0_u64;
    for object in compared(objects) {
        let (one, other) = (object_at(from, 0, object)?, object_at(to, 0, object)?);
        match (one, other) {
            (Some(one), Some(other)) if one != other => return Ok(false),
            (Some(one), Some(_)) => same_blocks += u64::from(one.is_block()),
            // What only one of them can read is no difference.
            (None, _) | (_, None) => {}
        }
    }
    // Marks are the same on many tapes.
    Ok(same_blocks > 0)
}

fn first_object(core: &mut Core) -> Result<String, Failed> {
    let found = object_at(core, 0, 0)?;
    Ok(found.map_or_else(
        || "an object that can't be read".to_owned(),
        |found| found.to_string(),
    ))
}

/// The objects at the beginning of so many, and at their end.
fn compared(objects: u64) -> impl Iterator<Item = u64> {
    let last = objects.saturating_sub(COMPARED_OBJECTS);
    (0..last.min(COMPARED_OBJECTS)).chain(last..objects)
}

fn look(from: &mut Core, to: &mut Core) -> Result<Option<Held>, Failed> {
    let (own, held) = (holdings(from)?, holdings(to)?);
    let more = more_objects(&held, &own);
    if more > 0 {
        return Ok(Some(Held::More(more)));
    }
    for (partition, end) in (0..=u8::MAX).zip(&held) {
        for object in compared(*end) {
            let one = object_at(from, partition, object)?;
            let other = object_at(to, partition, object)?;
            // What only one of them can read is no difference.
            if one.is_some() && other.is_some() && one != other {
                return Ok(Some(Held::Others {
                    objects: held.iter().fold(0, |all, end| all.saturating_add(*end)),
                    partition,
                    object,
                }));
            }
        }
    }
    Ok(None)
}

/// How many objects each partition holds.
fn holdings(core: &mut Core) -> Result<Vec<u64>, Failed> {
    let last = core.drive().mode()?.last_partition;
    (0..=last)
        .map(|partition| end_of(core, partition))
        .collect()
}

/// How many objects one volume holds behind the ends of another one.
fn more_objects(held: &[u64], than: &[u64]) -> u64 {
    let ends = than.iter().copied().chain(std::iter::repeat(0));
    let more = held.iter().zip(ends);
    more.map(|(end, other)| end.saturating_sub(other))
        .fold(0, u64::saturating_add)
}
