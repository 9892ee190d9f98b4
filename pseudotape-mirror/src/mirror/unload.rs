//! Unloading.

use pseudotape_tape::{Failed, Sense};

use super::MirrorDrive;
use crate::leg::When;
use crate::set::LegSet;

impl MirrorDrive {
    /// Unloads; legs that are late until the unload have everything before.
    pub(super) fn unload_all(&mut self) -> Result<(), Failed> {
        let at = self.begin()?;
        let before = self.losses();
        self.last.is_block(None);
        self.last.forget_warning();
        let until_unload = self.legs.select(|leg| leg.options().when == When::Unload);
        self.legs.of(until_unload).for_each(|leg| leg.catch_up());
        self.hear_late();
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
        self.check_losses(before)
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
