//! Writing near the end of a leg: object by object.

use pseudotape_tape::{Done, Failed, Position};

use super::MirrorDrive;
use super::settle::Together;
use crate::change::Change;
use crate::set::LegSet;

/// The legs by what they say of their room for one object.
#[derive(Clone, Copy, Debug, Default)]
struct Rooms {
    /// Too little. They are written all the same, since the answer of the drive counts; most likely the drive
    /// refuses, which ends the operation.
    full: LegSet,
    /// They can't say whether they take anything here.
    untried: LegSet,
    /// They can't say.
    unsure: LegSet,
    /// Enough.
    sure: LegSet,
}

impl MirrorDrive {
    /// Writes object by object. Legs that can't say how much fits, or whether they take anything, go first, one by one,
    /// so that a refusal leaves the others as they were.
    pub(super) fn change_by_objects(
        &mut self,
        change: Change<'_>,
        at: Position,
    ) -> Result<Done, Failed> {
        let mut total = Together::new(0, at.file);
        let mut here = at;
        for number in 0..change.units() {
            let one = self.change_one(change.unit(number), here);
            let one = one.map_err(|failed| Failed {
                count: number,
                ..failed
            })?;
            here = self.here_after(here, one);
            self.arrive(Some(here));
            total.count = total.count.saturating_add(one.count);
            total.warned |= one.warned;
            total.full |= one.full;
            if one.full {
                break;
            }
        }
        // Late legs have it too: it did not go through their queues.
        let late = self.legs.late();
        for leg in self.legs.of_mut(late) {
            leg.forget_tail();
            leg.board().show_place(here);
        }
        Ok(self.done(change.units(), total, here))
    }

    fn change_one(&mut self, unit: Change<'_>, at: Position) -> Result<Together, Failed> {
        self.leave_queues();
        self.check_legs()?;
        let Rooms {
            full,
            untried,
            unsure,
            sure,
        } = self.ask_for_room(unit, at);
        self.check_legs()?;
        let mut together = Together::new(1, at.file);
        let mut written = LegSet::EMPTY;
        let alone = full.one_by_one().chain(untried.one_by_one());
        let alone = alone.chain(unsure.one_by_one());
        for set in alone.chain((!sure.is_empty()).then_some(sure)) {
            let one = self.on_legs(set, unit, at);
            let ends = one.as_ref().map_or(true, |one| one.full || one.count < 1);
            if ends && !written.is_empty() {
                self.take_back(written, at);
                let others = self.legs.in_step().minus(written);
                self.others_lost(others, at);
            }
            let one = one?;
            together.warned |= one.warned;
            together.file = one.file;
            if ends {
                return Ok(Together {
                    full: true,
                    warned: together.warned,
                    ..Together::new(0, at.file)
                });
            }
            written = written.or(set);
        }
        Ok(together)
    }

    /// Asks each leg whether an object fits at a place, after the tape was brought there.
    fn ask_for_room(&mut self, unit: Change<'_>, at: Position) -> Rooms {
        let mut rooms = Rooms::default();
        let untried = self.untried_at(at);
        for number in self.legs.in_step().iter() {
            let leg = &mut self.legs[number];
            match leg.measure_at(at).map(|capacity| capacity.room_bytes) {
                Ok(Some(room)) if room < unit.bytes() => rooms.full = rooms.full.with(number),
                Ok(_) if untried.has(number) => rooms.untried = rooms.untried.with(number),
                Ok(Some(_)) if unit.is_blocks() => rooms.sure = rooms.sure.with(number),
                Ok(_) => rooms.unsure = rooms.unsure.with(number),
                Err(failed) => {
                    let cause = leg.explain(&failed);
                    leg.lose(at.object, &cause);
                }
            }
        }
        rooms
    }
}
