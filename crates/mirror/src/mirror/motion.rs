//! Motions: every leg does the same, and is then at the same place.

use pseudotape_tape::{Address, Done, Failed, Motion, ObjectNumber, PartitionNumber, Sense};

use super::MirrorDrive;
use crate::leg::Core;

impl MirrorDrive {
    /// Moves all legs and compares where their tapes are. A leg that is somewhere else is out of step. `to` is the
    /// place where the motion is to end, if that is known beforehand.
    pub(super) fn move_all(&mut self, motion: Motion, to: Option<Address>) -> Result<Done, Failed> {
        let at = self.begin()?;
        let before = self.losses();
        self.last.is_block(None);
        self.hear_late();
        self.last.forget_warning();
        self.look_for_surplus();
        let set = self.direct();
        let answers = self.everywhere(set, &|core| core.act_at(at, |drive| drive.execute(motion)));
        self.agree_on(set, &answers, at, to, before)
    }

    /// Moves to the beginning. Afterwards everything that was written is on stable storage.
    pub(super) fn rewind_all(&mut self) -> Result<Done, Failed> {
        let beginning = Address {
            partition: None,
            object: ObjectNumber(0),
        };
        let done = self.move_all(Motion::Rewind, Some(beginning))?;
        let prompt = self.legs.prompt();
        for leg in self.legs.of_mut(prompt) {
            leg.end_mut().committed();
        }
        Ok(done)
    }

    pub(super) fn load_all(&mut self, load: Motion) -> Result<Done, Failed> {
        self.last.is_block(None);
        if let Some(sense) = self.attention.take() {
            return Err(Failed::at(sense, self.at));
        }
        if self.legs.is_empty() {
            return Err(Failed::at(Sense::NoMedium, None));
        }
        if self.refused.is_some() {
            return Err(Failed::at(Sense::NotReady, None));
        }
        let before = self.losses();
        self.last.forget_warning();
        self.catch_up();
        let set = self.legs.in_step();
        let answers = self.everywhere(set, &|core| {
            let done = core.act(|drive| drive.execute(load));
            core.answer(done)
        });
        let at = self.at.unwrap_or_default();
        let was_unloaded = self.unloaded.is_some();
        let beginning = Address {
            partition: Some(PartitionNumber(0)),
            object: ObjectNumber(0),
        };
        let done = self.agree_on(set, &answers, at, Some(beginning), before)?;
        self.forget_places();
        self.unloaded = None;
        if was_unloaded {
            self.look_again()?;
        }
        self.require_medium()?;
        self.arrive(Some(done.position));
        Ok(done)
    }

    /// Cuts all volumes into partitions.
    pub(super) fn make_partitions_on_all(&mut self, cut: Motion) -> Result<Done, Failed> {
        let at = self.begin()?;
        self.last.is_block(None);
        self.catch_up();
        self.check_legs()?;
        if self.protected {
            return Err(Failed::at(Sense::WriteProtected, Some(at)));
        }
        self.require_nothing_to_keep(at)?;
        let before = self.losses();
        let set = self.legs.in_step();
        let cut_at = |core: &mut Core| core.act_at(at, |drive| drive.execute(cut));
        // The legs of which only this tells whether they can be cut go first: a refusal leaves the others as they were.
        let untried = self.untried_at(at).and(set);
        let mut answers = self.everywhere(untried, &cut_at);
        let refusal = self.unanimous(untried, &answers);
        if let Some(refusal) = refusal.filter(|_| !untried.is_empty()) {
            return Err(refusal);
        }
        answers = answers.or(self.everywhere(set.minus(untried), &cut_at));
        let done = self.agree_on(set, &answers, at, None, before);
        self.forget_places();
        done
    }

    /// The tapes were moved: neither the queues nor what is known of the ends of the legs say where they are.
    pub(super) fn forget_places(&mut self) {
        self.legs.iter_mut().for_each(|leg| leg.moved());
    }
}
