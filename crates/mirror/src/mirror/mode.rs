//! The mode of the drive: the same on every leg.

use pseudotape_tape::{Failed, Mode, ModeSelect};

use super::MirrorDrive;
use crate::leg::is_incapable;
use crate::leg::{Cause, Core, Leg};
use crate::set::LegSet;

impl MirrorDrive {
    pub(super) fn mode_now(&mut self) -> Result<Mode, Failed> {
        if self.legs.in_step().is_empty() {
            return Ok(Mode {
                buffering: 1,
                ..Mode::default()
            });
        }
        let mut mode = self.ask_reader(Core::mode)?;
        // Not by the leg that was asked: a spare one that can only be read protects nothing.
        mode.write_protected = self.protected;
        Ok(mode)
    }

    /// Brings a leg that is put in to the mode that programs chose before: with other volumes in it a drive is the same
    /// drive (docs/SEMANTICS.md, ST-OPEN-03). What this one can't do it does not do.
    pub(super) fn choose_again(&self, leg: &Leg) {
        if self.chosen == ModeSelect::default() {
            return;
        }
        if let Err(failed) = leg.core().choose(self.chosen) {
            log::warn!(
                "leg {}: it does not take the mode of the one before: {failed}",
                leg.name()
            );
        }
    }

    /// Changes the mode of all legs, or of none: a change that one drive can't make is refused. A leg that fails
    /// in another way is out of step.
    pub(super) fn change_mode(&mut self, change: ModeSelect) -> Result<(), Failed> {
        let at = self.begin()?;
        let losses = self.losses();
        let before = self.mode_now()?;
        self.catch_up();
        let set = self.legs.in_step();
        let answers = self.everywhere(set, &|core| {
            let result = core.choose(change);
            core.answer(result)
        });
        if let Some(refusal) = self.unanimous(set, &answers) {
            return Err(Failed {
                position: Some(at),
                ..refusal
            });
        }
        let mut done = LegSet::EMPTY;
        let mut refused = None;
        for (number, answer) in answers {
            match answer {
                Ok(()) => done = done.with(number),
                Err(fault) if is_incapable(fault.failed.sense) => {
                    refused = refused.or(Some(fault.failed));
                }
                Err(fault) => {
                    let leg = &mut self.legs[number];
                    let from = leg.end().uncommitted().first_of(&fault.failed, at);
                    leg.lose(from, &fault.into());
                }
            }
        }
        let Some(refused) = refused else {
            self.chosen = self.chosen.and_then(change);
            return self.check_losses(losses);
        };
        let back = ModeSelect {
            block_size: change.block_size.map(|_| before.block_size),
            density: change.density.map(|_| before.density),
            buffering: change.buffering.map(|_| before.buffering),
            compression: change.compression.and(before.compression),
        };
        for leg in self.legs.of_mut(done) {
            let undone = leg.core().choose(back);
            if let Err(failed) = undone {
                leg.lose(at.object, &Cause::Mode { failed });
            }
        }
        Err(Failed {
            position: Some(at),
            ..refused
        })
    }
}
