//! Writing: the same objects on every leg, or on none.

use pseudotape_tape::{Done, Failed, Mark, ObjectNumber, Position, Sense, Stop, Transfer};

use crate::change::{Change, takes};
use crate::leg::same_place;
use crate::mirror::MirrorDrive;
use crate::set::LegSet;
use crate::settle::{OVERHEAD_BYTES, Together};

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
    pub(crate) fn change(&mut self, change: Change<'_>) -> Result<Done, Failed> {
        let at = self.begin()?;
        let block_length = self.extendable;
        let length = change.data().len() as u64;
        if let Change::Extend(_) = change {
            let whole = block_length.map(|before| before.saturating_add(length));
            if !whole.is_some_and(|whole| takes(self.limits, whole)) {
                return Err(Failed::at(Sense::IllegalRequest, Some(at)));
            }
        } else {
            self.extendable = None;
            if self.protected && !matches!(change, Change::Marks(_, 0, _)) {
                return Err(Failed::at(Sense::WriteProtected, Some(at)));
            }
        }
        if !change.is_within(self.limits) {
            return Err(Failed::at(Sense::IllegalRequest, Some(at)));
        }
        self.hear_late();
        self.check_legs()?;
        let done = if let Change::Extend(_) = change {
            self.extend_all(change, at)?
        } else if change.units() == 0 {
            if let Change::Erase(_) = change {
                // What fits is more now, and the late legs are elsewhere.
                self.legs.iter_mut().for_each(|leg| leg.safe_bytes = 0);
            }
            self.change_at_once(change, at)?
        } else {
            let cost = change.data().len() as u64 + OVERHEAD_BYTES * change.units();
            self.begin_writing(at, cost)?;
            if self.is_near_the_end(cost) || !self.admit_late(cost) {
                self.change_by_objects(change, at)?
            } else {
                let done = self.change_at_once(change, at);
                self.dismiss_late();
                done?
            }
        };
        if !change.changes_nothing() {
            self.lower_lost(at);
        }
        self.extendable = match change {
            Change::Blocks(Transfer::Variable, _) => (done.count == 1).then_some(length),
            Change::Extend(_) if done.count == 1 => block_length.map(|before| before + length),
            Change::Extend(_) => block_length,
            Change::Blocks(..) | Change::Marks(..) | Change::Erase(_) => None,
        };
        Ok(done)
    }

    /// Brings the late legs to the place where the change begins, and knows how much fits everywhere.
    fn begin_writing(&mut self, at: Position, cost: u64) -> Result<(), Failed> {
        for number in self.late().iter() {
            let leg = &mut self.legs[number];
            let Some(late) = &mut leg.late else { continue };
            if late.continues(at) {
                continue;
            }
            leg.safe_bytes = 0;
            if let Err(failed) = late.begin_at(at) {
                let reason = leg.seat.core().explain(&failed);
                self.lose(number, at.object, &reason);
            }
        }
        for number in self.in_step().iter() {
            let leg = &mut self.legs[number];
            if leg.safe_bytes >= cost {
                continue;
            }
            // Where the leg is decides how much fits.
            if let Some(late) = &leg.late {
                late.drain();
            }
            let placed = leg.seat.core().go_to(at);
            let asked = match placed {
                Err(failed) if leg.keeps_blocks() => Err(failed),
                _ => leg.refresh().map(drop),
            };
            if let Err(failed) = asked {
                let reason = leg.seat.core().explain(&failed);
                self.lose(number, at.object, &reason);
            }
        }
        self.hear_late();
        self.check_legs()
    }

    /// Whether some leg may reach early warning with this.
    fn is_near_the_end(&self, cost: u64) -> bool {
        self.late_warning
            || self.in_step().iter().any(|number| {
                let leg = &self.legs[number];
                let waits = leg.late.as_ref().is_none_or(|late| late.takes(cost));
                leg.zone || leg.safe_bytes < cost || !waits
            })
    }

    /// Keeps room in the queues of the late legs, before the others have anything: what is in a queue when its
    /// leg meets early warning fits behind that, and what comes afterwards perhaps not.
    fn admit_late(&mut self, cost: u64) -> bool {
        let late = self.late();
        let admitted = late.iter().all(|number| {
            let late = &mut self.legs[number].late;
            late.as_mut().is_none_or(|late| late.admit(cost))
        });
        if !admitted {
            self.dismiss_late();
            self.hear_late();
        }
        admitted
    }

    fn dismiss_late(&mut self) {
        let late = self.legs.iter_mut().filter_map(|leg| leg.late.as_mut());
        late.for_each(crate::late::Late::dismiss);
    }

    /// All legs at the same time.
    fn change_at_once(&mut self, change: Change<'_>, at: Position) -> Result<Done, Failed> {
        let direct = self.direct();
        let together = self.on_legs(direct, change, at)?;
        let here = self.here_after(at, together);
        let units = change.units();
        // A commit alone is for those that promise it.
        let waits = !change.changes_nothing() && direct != self.in_step();
        if waits && together.count == units {
            self.put_late(change, at, here);
        } else if waits {
            let mut place = at;
            for number in 0..together.count {
                let behind = Position {
                    object: ObjectNumber(place.object.0 + 1),
                    ..place
                };
                self.put_late(change.unit(number), place, behind);
                place = behind;
            }
        }
        self.arrive(Some(here));
        Ok(self.done(change.whole_count(), together, here))
    }

    fn put_late(&mut self, change: Change<'_>, at: Position, behind: Position) {
        let Some(kind) = change.kind() else { return };
        for number in self.late().iter() {
            let leg = &mut self.legs[number];
            if let Some(late) = &mut leg.late {
                let weight = change.data().len() as u64 + OVERHEAD_BYTES * change.units().max(1);
                late.put(at, kind, change.data(), weight, behind);
                leg.spend(weight);
            }
        }
    }

    /// Near the end of a leg: object by object; those that can't say how much fits go first, one by one, so
    /// that a refusal leaves the others as they were.
    fn change_by_objects(&mut self, change: Change<'_>, at: Position) -> Result<Done, Failed> {
        let mut total = Together {
            count: 0,
            full: false,
            warned: false,
            file: at.file,
        };
        let mut here = at;
        for number in 0..change.units() {
            let unit = change.unit(number);
            let done = self.change_one(unit, here);
            let together = done.map_err(|failed| Failed {
                count: number,
                ..failed
            })?;
            here = self.here_after(here, together);
            self.arrive(Some(here));
            total.count += together.count;
            total.warned |= together.warned;
            total.full |= together.full;
            if together.full {
                break;
            }
        }
        for number in self.late().iter() {
            if let Some(late) = &mut self.legs[number].late {
                late.forget_tail();
            }
        }
        Ok(self.done(change.units(), total, here))
    }

    fn change_one(&mut self, unit: Change<'_>, at: Position) -> Result<Together, Failed> {
        let nothing = Together {
            count: 0,
            full: true,
            warned: true,
            file: at.file,
        };
        for number in self.late().iter() {
            if let Some(late) = &mut self.legs[number].late {
                late.drain();
                late.forget_tail();
            }
        }
        self.hear_late();
        self.check_legs()?;
        let length = unit.data().len() as u64;
        let [mut full, mut unsure, mut sure] = [LegSet::default(); 3];
        for number in self.in_step().iter() {
            let leg = &mut self.legs[number];
            let placed = leg.seat.core().go_to(at);
            let asked = match placed {
                Err(failed) if leg.keeps_blocks() => Err(failed),
                _ => leg.refresh(),
            };
            match asked.map(|capacity| capacity.room_bytes) {
                // Its own answer counts; in all likelihood it ends this.
                Ok(Some(room)) if room < length => full = full.with(number),
                Ok(Some(_)) if matches!(unit, Change::Blocks(..)) => sure = sure.with(number),
                Ok(_) => unsure = unsure.with(number),
                Err(failed) => {
                    let reason = leg.seat.core().explain(&failed);
                    self.lose(number, at.object, &reason);
                }
            }
        }
        self.check_legs()?;
        let mut together = Together {
            count: 1,
            full: false,
            warned: false,
            file: at.file,
        };
        let mut written = LegSet::default();
        let alone = full.iter().chain(unsure.iter());
        let alone = alone.map(|leg| LegSet::default().with(leg));
        for set in alone.chain((!sure.is_empty()).then_some(sure)) {
            let one = self.on_legs(set, unit, at);
            let ends = match &one {
                Ok(one) => one.full || one.count < 1,
                Err(_) => true,
            };
            if ends && !written.is_empty() {
                self.take_back(written, at);
                // What these have behind here the others lost.
                for number in self.in_step().iter().filter(|leg| !written.has(*leg)) {
                    self.legs[number].surplus = Some(at);
                }
            }
            let one = one?;
            together.warned |= one.warned;
            together.file = one.file;
            if ends {
                return Ok(Together {
                    warned: together.warned,
                    ..nothing
                });
            }
            written = LegSet(written.0 | set.0);
        }
        Ok(together)
    }

    pub(crate) fn here_after(&self, at: Position, together: Together) -> Position {
        let mut here = Position {
            object: ObjectNumber(at.object.0 + together.count),
            file: together.file.or(at.file),
            ..at
        };
        here.past_early_warning = self.is_past_early_warning(here);
        here
    }

    /// Whether some leg says that this place is behind early warning: one that is there.
    pub(crate) fn is_past_early_warning(&self, place: Position) -> bool {
        self.late_warning
            || self.in_step().iter().any(|number| {
                let leg = &self.legs[number];
                // A late leg that is far from its end is not asked: it is at work.
                let asked = leg.late.is_none() || leg.zone;
                let at = asked.then(|| leg.seat.core().at).flatten();
                at.is_some_and(|at| at.past_early_warning && same_place(at, place))
            })
    }

    pub(crate) fn done(&mut self, asked: u64, together: Together, here: Position) -> Done {
        let late = std::mem::take(&mut self.late_warning);
        let warned = together.warned || late;
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

    pub(crate) fn put_marks(
        &mut self,
        mark: Mark,
        count: u32,
        mode: pseudotape_tape::WriteMode,
    ) -> Result<Done, Failed> {
        self.change(Change::Marks(mark, count, mode))
    }
}
