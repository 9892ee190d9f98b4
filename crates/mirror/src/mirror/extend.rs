//! Lengthening the last block.

use pseudotape_tape::{Done, Failed, Position, Sense, Stop, Transfer};

use super::MirrorDrive;
use super::settle::Together;
use crate::change::Change;
use crate::leg::{Cause, Leg, grow, object_before, same_place};
use crate::set::{LegNumber, LegSet};

impl MirrorDrive {
    /// Lengthens the last block on every leg, or on none where one of them can't.
    ///
    /// A block can't be shortened again, only written anew. So legs that never lengthened a block are first told to
    /// add nothing, which shows whether they can. Legs behind early warning that can't say how much fits go before
    /// the others, one by one.
    pub(super) fn extend_all(&mut self, change: Change<'_>, at: Position) -> Result<Done, Failed> {
        let length = change.bytes();
        self.leave_queues();
        self.check_legs()?;
        let full = Done {
            count: 0,
            stop: Some(Stop::EndOfPartition),
            position: at,
        };
        let mut mute = LegSet::EMPTY;
        for number in self.legs.in_step().iter() {
            let leg = &mut self.legs[number];
            match leg.refresh().map(|capacity| capacity.room_bytes) {
                Ok(Some(room)) if room < length => return Ok(full),
                Ok(None) if leg.end().is_behind_warning() => mute = mute.with(number),
                Ok(Some(_) | None) => {}
                Err(failed) => lose_in_block(leg, at, &failed),
            }
        }
        self.require_extending(at)?;
        self.check_legs()?;
        let known = self.legs.in_step().minus(mute);
        let mut total = Together::new(0, at.file);
        let mut did = LegSet::EMPTY;
        for set in mute
            .one_by_one()
            .chain((!known.is_empty()).then_some(known))
        {
            let refused = self.extend_some(set, change, at, &mut did, &mut total);
            if let Some(short) = refused.first() {
                if !did.is_empty() {
                    self.shorten(did.or(refused), short, at);
                }
                self.check_legs()?;
                return Ok(full);
            }
        }
        self.check_legs()?;
        let here = self.here_after(at, total);
        let in_step = self.legs.in_step();
        for leg in self.legs.of_mut(in_step) {
            leg.lengthened(length);
        }
        self.arrive(Some(here));
        Ok(Done {
            count: 1,
            ..self.done(0, total, here)
        })
    }

    /// Lengthens the last block on the legs of a set; returns those that have no room for that.
    fn extend_some(
        &mut self,
        set: LegSet,
        change: Change<'_>,
        at: Position,
        did: &mut LegSet,
        total: &mut Together,
    ) -> LegSet {
        let answers = self.everywhere(set, &|core| core.act(|drive| change.run(drive)));
        let mut refused = LegSet::EMPTY;
        for (number, answer) in answers {
            let leg = &mut self.legs[number];
            match answer {
                Ok(done) if is_answer(leg, &done, at) && done.count == 0 => {
                    refused = refused.with(number);
                }
                Ok(done) if is_answer(leg, &done, at) => {
                    let warns = done.stop == Some(Stop::EarlyWarning);
                    leg.end_mut().lengthened(warns);
                    total.warned |= warns;
                    *did = did.with(number);
                }
                Ok(_) => leg.lose(object_before(at).object, &Cause::NotLengthened),
                Err(failed) => lose_in_block(leg, at, &failed),
            }
        }
        refused
    }

    /// Writes the last block of the legs anew as it was. One of them had no room for the rest, and still has the
    /// block like that.
    fn shorten(&mut self, set: LegSet, short: LegNumber, at: Position) {
        let before = object_before(at);
        let length = usize::try_from(self.last.block_bytes().unwrap_or(0));
        let mut block = Vec::new();
        // Without memory for it the block can't be read again.
        let has_room = length.is_ok_and(|length| grow(&mut block, length).is_some());
        let mut core = self.legs[short].core();
        let read = core
            .go_to(before)
            .and_then(|()| core.read(Transfer::Variable, &mut block));
        drop(core);
        let whole =
            has_room && read.is_ok_and(|done| done.stop.is_none() && done.bytes == block.len());
        if !whole {
            self.legs[short].lose(before.object, &Cause::NotReread);
        }
        for leg in self.legs.of_mut(set) {
            let mut core = leg.core();
            let written = core
                .go_to(before)
                .and_then(|()| core.act(|drive| drive.write(Transfer::Variable, &block)));
            drop(core);
            if !whole || !written.is_ok_and(|done| same_place(done.position, at)) {
                leg.lose(before.object, &Cause::NotShortened);
            }
        }
    }

    /// Asks the legs that never lengthened a block whether they can.
    fn require_extending(&mut self, at: Position) -> Result<(), Failed> {
        let asked = self
            .legs
            .select(|leg| leg.in_step() && !leg.end().lengthens());
        for leg in self.legs.of_mut(asked) {
            let answer = leg.core().act(|drive| drive.extend(&[]));
            match answer {
                Ok(_) => leg.end_mut().can_lengthen(),
                Err(failed) if failed.sense == Sense::IllegalRequest => {
                    return Err(Failed::at(Sense::IllegalRequest, Some(at)));
                }
                Err(failed) => lose_in_block(leg, at, &failed),
            }
        }
        Ok(())
    }
}

/// Whether the drive did what it may do: it lengthened the block, or had no room for that.
fn is_answer(leg: &Leg, done: &Done, at: Position) -> bool {
    let is_there = same_place(done.position, at) || !leg.keeps_blocks();
    let is_full = done.count == 0 && done.stop == Some(Stop::EndOfPartition);
    is_there && (done.count == 1 || is_full)
}

/// A leg failed while its last block was being lengthened.
fn lose_in_block(leg: &mut Leg, at: Position, failed: &Failed) {
    let cause = leg.explain(failed);
    leg.lose(object_before(at).object, &cause);
}
