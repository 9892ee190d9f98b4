//! Unloading.

use std::sync::Arc;

use pseudotape_tape::{Failed, Position, Sense, VolumeError};

use super::MirrorDrive;
use super::besides::Rest;
use crate::leg::{Cause, When};
use crate::set::LegSet;

impl MirrorDrive {
    /// Unloads; legs that are late until the unload have everything before.
    ///
    /// | condition | result | position after |
    /// |---|---|---|
    /// | nobody finds the volume of a required leg, or of the last one, once it is closed | [`Sense::HardwareError`] | unchanged: nothing is unloaded, so that the volume can be copied; unless that may go |
    /// | a required leg failed, now or before, or too few are left | [`Sense::HardwareError`] | unloaded |
    /// | else | `Ok` | unloaded |
    pub(crate) fn unload_all(&mut self, rest: Rest) -> Result<(), Failed> {
        let at = self.begin()?;
        self.last.is_block(None);
        self.last.forget_warning();
        let until_unload = self.legs.select(|leg| leg.options().when == When::Unload);
        self.legs.of(until_unload).for_each(|leg| leg.catch_up());
        self.hear_late();
        if self.lose_unfindable(at) && rest == Rest::Stays {
            return Err(Failed::at(Sense::HardwareError, Some(at)));
        }
        self.look_for_surplus();
        self.drop_surplus(at);
        let deferred = self.legs.select(|leg| leg.options().when == When::Deferred);
        let set = self.legs.in_step().minus(deferred);
        let answers = self.everywhere(set, &|core| {
            let result = core.order(|drive| drive.unload());
            core.forget_place();
            core.answer(result)
        });
        self.agree_on_nothing(set, answers, at)?;
        let deferred = self.legs.in_step().and(deferred);
        for leg in self.legs.of_mut(deferred) {
            leg.unload_later(at);
        }
        self.at = None;
        self.unloaded = Some(self.sense_after_unload(set));
        self.check_all_written()
    }

    /// The volumes that nobody finds once they are closed, and why.
    pub(crate) fn unfindable(&self) -> Vec<(String, VolumeError)> {
        let legs = self.legs.iter();
        let unfindable =
            legs.filter_map(|leg| Some((leg.name().to_owned(), leg.lost_when_closed()?)));
        unfindable.collect()
    }

    /// Legs whose volume nobody finds once it is closed are out of step. Says whether such a volume is to be kept: a
    /// required leg's, or one without which there is no copy.
    fn lose_unfindable(&mut self, at: Position) -> bool {
        let mut is_kept = false;
        for leg in self.legs.iter_mut() {
            let Some(error) = leg.lost_when_closed() else {
                continue;
            };
            is_kept |= leg.is_required();
            let from = leg.end().uncommitted().first_up_to(at.object);
            let error = Arc::new(error);
            leg.lose(from, &Cause::Unfindable { error });
        }
        is_kept || self.legs.in_step().is_empty()
    }

    /// What the drives say without their medium, as the first of them says it.
    fn sense_after_unload(&self, set: LegSet) -> Sense {
        let first = self.legs.of(set).next();
        let ready = first.map(|leg| leg.core().drive().test_ready());
        match ready {
            Some(Err(failed)) => failed.sense,
            Some(Ok(())) | None => Sense::NoMedium,
        }
    }
}
