//! What a volume holds beside what the mirror has. To make it like the mirror drops that: nobody loses it by mistake.

use std::fmt;

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

/// What a volume holds beside what the mirror has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Besides {
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

impl fmt::Display for Besides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Besides::More(objects) => write!(f, "holds {objects} objects more than the mirror"),
            Besides::Others {
                objects,
                partition,
                object,
            } => write!(
                f,
                "holds {objects} objects of something else (object {object} of partition {partition} differs)"
            ),
        }
    }
}

impl MirrorDrive {
    /// Looks what a volume holds beside what the mirror has, before it comes into a leg. Moves the tapes of both.
    pub fn besides(
        &mut self,
        name: &str,
        new: NewLeg,
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
        let found = make_ready(to.drive()).and_then(|()| look(&mut from, &mut to));
        from.forget_place();
        drop(from);
        let found = found.map_err(|failed| {
            let cause = to.explain_cause(Cause::failed(failed));
            self.legs[number].failure(cause)
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

fn look(from: &mut Core, to: &mut Core) -> Result<Option<Besides>, Failed> {
    let (own, held) = (holdings(from)?, holdings(to)?);
    let more = more_objects(&held, &own);
    if more > 0 {
        return Ok(Some(Besides::More(more)));
    }
    for (partition, end) in (0..=u8::MAX).zip(&held) {
        let last = end.saturating_sub(COMPARED_OBJECTS);
        for object in (0..last.min(COMPARED_OBJECTS)).chain(last..*end) {
            let one = object_at(from, partition, object)?;
            let other = object_at(to, partition, object)?;
            // What only one of them can read is no difference.
            if one.is_some() && other.is_some() && one != other {
                return Ok(Some(Besides::Others {
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
