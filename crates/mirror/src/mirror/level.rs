//! How legs are made to hold the same objects after they did different things.

use pseudotape_tape::Position;

use super::MirrorDrive;
use crate::change::Change;
use crate::leg::{OVERHEAD_BYTES, just_behind};
use crate::set::LegSet;

impl MirrorDrive {
    /// Makes the legs of a set drop what not all of them have, and keeps account of what all have.
    pub(super) fn level(&mut self, set: LegSet, change: Change<'_>, at: Position, count: u64) {
        let objects = if change.makes_objects() { count } else { 0 };
        let behind = just_behind(at, objects);
        // Only of these legs: one that is not of the set may be at work, and would have to be waited for.
        let has_too_much = set.filter(|number| {
            let here = self.legs[number].core().at();
            here.is_some_and(|here| here.object > behind.object)
        });
        self.take_back(has_too_much, behind);
        let bytes = change.bytes_of(count);
        let cost = bytes.saturating_add(OVERHEAD_BYTES.saturating_mul(objects));
        let overwrites = !change.changes_nothing() && (count > 0 || !change.makes_objects());
        for leg in self.legs.of_mut(set.minus(has_too_much)) {
            if overwrites {
                leg.end_mut().overwrote(at);
            }
            if change.commits() {
                leg.end_mut().committed();
            }
            leg.stored(bytes, cost);
        }
    }

    /// The legs of a set may still hold something behind a place that the other legs lost.
    pub(super) fn others_lost(&mut self, set: LegSet, behind: Position) {
        for leg in self.legs.of_mut(set) {
            leg.end_mut().others_lost(behind);
        }
    }

    /// Some legs lost what was behind here by a change that came to nothing. The late ones, which did not get that
    /// change, must lose the same.
    pub(super) fn cut_others(&mut self, asked: LegSet, did: LegSet, at: Position) {
        if did.is_empty() {
            return;
        }
        let others = self.legs.late().minus(asked);
        self.legs.of_mut(others).for_each(|leg| leg.cut_later(at));
    }

    /// Makes legs go back to a place, and drop what they have behind it.
    pub(super) fn take_back(&mut self, set: LegSet, to: Position) {
        for leg in self.legs.of_mut(set) {
            if let Err(cause) = leg.take_back(to) {
                leg.lose(to.object, &cause);
            }
        }
    }

    /// Looks whether legs that could not be made to drop something really hold more than the others.
    pub(super) fn look_for_surplus(&mut self) {
        let with_surplus = self.legs.with_surplus();
        let legs = self.legs.of_mut(with_surplus);
        legs.for_each(|leg| leg.look_for_surplus());
    }

    /// A surplus can't be hoped to be overwritten any more: it is erased, where the drive can do that, and else
    /// the leg is out of step.
    pub(super) fn drop_surplus(&mut self, at: Position) {
        let with_surplus = self.legs.with_surplus();
        for leg in self.legs.of_mut(with_surplus) {
            let taken_back = leg.end().surplus().map(|from| (from, leg.take_back(from)));
            if let Some((from, Err(cause))) = taken_back {
                leg.lose(from.object, &cause);
            }
        }
        let with_surplus = self.legs.with_surplus();
        for leg in self.legs.of_mut(with_surplus) {
            leg.lose(at.object, &crate::leg::Cause::Surplus);
        }
    }

    /// Drops surpluses before the volumes are given away, where the tape's place is known.
    pub(crate) fn drop_surplus_here(&mut self) {
        if let Some(at) = self.at {
            self.drop_surplus(at);
        }
    }
}
