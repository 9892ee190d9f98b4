//! Writing: the same objects on every leg, or on none.

use pseudotape_tape::{Done, Failed, Position, Sense, Stop, Transfer};

use super::MirrorDrive;
use super::settle::Together;
use crate::change::{Change, Operation, takes};
use crate::leg::{OVERHEAD_BYTES, just_behind, same_place};

impl MirrorDrive {
    /// Makes a change on every leg.
    ///
    /// | condition | result | position after |
    /// |---|---|---|
    /// | all legs have all | whole count | behind it |
    /// | … and one is behind early warning | whole count, [`Stop::EarlyWarning`] | behind it |
    /// | one leg takes only the first of them | what all have, [`Stop::EndOfPartition`] | behind that, on every leg |
    /// | a spare leg fails | as if it had not been there | |
    /// | a required leg fails, or too few are left | [`Sense::HardwareError`] | unchanged |
    pub(super) fn change(&mut self, change: Change<'_>) -> Result<Done, Failed> {
        let at = self.begin()?;
        let block_length = self.last.block_bytes();
        let length = change.bytes();
        if change.is_extension() {
            let whole = block_length.map(|before| before.saturating_add(length));
            if !whole.is_some_and(|whole| takes(self.limits, whole)) {
                return Err(Failed::at(Sense::IllegalRequest, Some(at)));
            }
        } else {
            self.last.is_block(None);
            if self.protected && !change.changes_nothing() {
                return Err(Failed::at(Sense::WriteProtected, Some(at)));
            }
        }
        if !change.is_within(self.limits) {
            return Err(Failed::at(Sense::IllegalRequest, Some(at)));
        }
        self.hear_late();
        self.check_legs()?;
        if !change.changes_nothing() {
            self.begin_overwriting(at)?;
        }
        let done = if change.is_extension() {
            self.extend_all(change, at)?
        } else if change.makes_objects() {
            self.make_objects(change, at)?
        } else {
            if change.is_erasure() {
                // After an erasure more may fit than was known.
                self.legs
                    .iter_mut()
                    .for_each(|leg| leg.end_mut().ask_again());
            }
            self.change_untried_first(change, at)?
        };
        if !change.changes_nothing() {
            self.written_from(at);
            self.written_to = (done.count == change.whole_count()).then_some(done.position);
        }
        self.last.is_block(match change.operation {
            Operation::Blocks(Transfer::Variable) => (done.count == 1).then_some(length),
            Operation::Extend if done.count == 1 => {
                block_length.map(|before| before.saturating_add(length))
            }
            Operation::Extend => block_length,
            Operation::Blocks(_) | Operation::Motion(_) => None,
        });
        Ok(done)
    }

    fn make_objects(&mut self, change: Change<'_>, at: Position) -> Result<Done, Failed> {
        let overhead = OVERHEAD_BYTES.saturating_mul(change.units());
        let cost = change.bytes().saturating_add(overhead);
        self.begin_writing(at, cost)?;
        let is_careful = self.is_near_the_end(cost) || !self.untried_at(at).is_empty();
        if is_careful || !self.admit_late(cost) {
            return self.change_by_objects(change, at);
        }
        let done = self.change_at_once(change, at);
        self.dismiss_late();
        done
    }

    /// Brings the late legs to the place where the change begins, and asks the legs how much fits where that is not
    /// known.
    fn begin_writing(&mut self, at: Position, cost: u64) -> Result<(), Failed> {
        let late = self.legs.late();
        for leg in self.legs.of_mut(late) {
            if let Err(cause) = leg.begin_at(at) {
                leg.lose(at.object, &cause);
            }
        }
        let in_step = self.legs.in_step();
        for leg in self.legs.of_mut(in_step) {
            if leg.end().has_room_for(cost) {
                continue;
            }
            // How much fits depends on where the tape is.
            leg.catch_up();
            if let Err(failed) = leg.measure_at(at) {
                let cause = leg.explain(&failed);
                leg.lose(at.object, &cause);
            }
        }
        self.hear_late();
        self.check_legs()
    }

    /// Whether some leg may reach early warning with this.
    fn is_near_the_end(&self, cost: u64) -> bool {
        let mut legs = self.legs.of(self.legs.in_step());
        self.last.has_untold_warning()
            || legs.any(|leg| {
                let end = leg.end();
                end.is_behind_warning() || !end.has_room_for(cost) || !leg.can_wait(cost)
            })
    }

    /// Keeps room in the queues of the late legs before any other leg has something. What is in a queue when its
    /// leg meets early warning fits behind that; what comes afterwards perhaps does not.
    fn admit_late(&mut self, cost: u64) -> bool {
        let late = self.legs.late();
        let admitted = self.legs.of_mut(late).all(|leg| leg.admit(cost));
        if !admitted {
            self.dismiss_late();
            self.hear_late();
        }
        admitted
    }

    fn dismiss_late(&mut self) {
        self.legs.iter_mut().for_each(|leg| leg.dismiss());
    }

    /// Makes the change on all legs at the same time.
    fn change_at_once(&mut self, change: Change<'_>, at: Position) -> Result<Done, Failed> {
        let direct = self.direct();
        let together = self.on_legs(direct, change, at)?;
        let here = self.here_after(at, together);
        // A commit alone is not for late legs, which promise nothing before the unload.
        let waits = !change.changes_nothing() && direct != self.legs.in_step();
        if waits && together.count == change.units() {
            self.change_later(change, at, here);
        } else if waits {
            let mut place = at;
            for number in 0..together.count {
                let behind = just_behind(place, 1);
                self.change_later(change.unit(number), place, behind);
                place = behind;
            }
        }
        self.arrive(Some(here));
        Ok(self.done(change.whole_count(), together, here))
    }

    /// As [`MirrorDrive::change_at_once`], but the legs of which only this tells whether they can be changed go first,
    /// where others have something to lose: a refusal leaves those as they were.
    fn change_untried_first(&mut self, change: Change<'_>, at: Position) -> Result<Done, Failed> {
        let direct = self.direct();
        let untried = self.untried_at(at).and(direct);
        let rest = direct.minus(untried);
        if change.changes_nothing() || untried.is_empty() || rest.is_empty() {
            return self.change_at_once(change, at);
        }
        self.on_legs(untried, change, at)?;
        let together = self.on_legs(rest, change, at)?;
        let here = self.here_after(at, together);
        if direct != self.legs.in_step() {
            self.change_later(change, at, here);
        }
        self.arrive(Some(here));
        Ok(self.done(change.whole_count(), together, here))
    }

    fn change_later(&mut self, change: Change<'_>, at: Position, behind: Position) {
        let late = self.legs.late();
        for leg in self.legs.of_mut(late) {
            leg.change_later(change, at, behind);
        }
    }

    /// Where the tape is after what legs did together.
    pub(super) fn here_after(&self, at: Position, together: Together) -> Position {
        let mut here = Position {
            file: together.file.or(at.file),
            ..just_behind(at, together.count)
        };
        here.past_early_warning = self.is_past_early_warning(here);
        here
    }

    /// Whether some leg that is at this place says that it lies behind early warning.
    pub(super) fn is_past_early_warning(&self, place: Position) -> bool {
        let mut legs = self.legs.of(self.legs.in_step());
        self.last.has_untold_warning()
            || legs.any(|leg| {
                // A late leg that is far from its end is not asked: it is at work.
                let is_asked = !leg.is_late() || leg.end().is_behind_warning();
                let at = is_asked.then(|| leg.core().at()).flatten();
                at.is_some_and(|at| at.past_early_warning && same_place(at, place))
            })
    }

    pub(super) fn done(&mut self, asked: u64, together: Together, here: Position) -> Done {
        let warned = self.last.take_warning() || together.warned;
        let stop = if together.full && together.count < asked {
            Some(Stop::EndOfPartition)
        } else {
            warned.then_some(Stop::EarlyWarning)
        };
        Done {
            count: together.count,
            stop,
            position: here,
        }
    }
}
