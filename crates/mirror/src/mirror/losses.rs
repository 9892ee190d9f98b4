//! When an operation fails because legs are out of step.

use pseudotape_tape::{Failed, Position, Sense};

use super::MirrorDrive;

/// The legs that a mirror is without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Losses {
    /// Required legs that are out of step.
    required: usize,
    /// Fewer legs are in step than there have to be.
    too_few: bool,
}

impl Losses {
    /// Whether what is written would not be mirrored as it was asked for.
    fn forbid_writing(self) -> bool {
        self.required > 0 || self.too_few
    }

    /// Whether something was lost since then that an operation can't do without.
    fn exceed(self, before: Losses) -> bool {
        self.required > before.required || (self.too_few && !before.too_few)
    }
}

impl MirrorDrive {
    pub(super) fn losses(&self) -> Losses {
        let legs = self.legs.iter();
        let required = legs.filter(|leg| leg.is_required() && leg.is_out_of_step());
        Losses {
            required: required.count(),
            too_few: self.legs.in_step().len() < self.options.min_legs.max(1),
        }
    }

    /// Fails where legs were lost since then that the operation at hand can't do without.
    pub(super) fn check_losses(&self, before: Losses) -> Result<(), Failed> {
        if self.losses().exceed(before) {
            return Err(Failed::at(Sense::HardwareError, self.at));
        }
        Ok(())
    }

    /// Fails where what was written since the volumes were put in is not mirrored as it was asked for, though a later
    /// operation may have succeeded on what is left.
    pub(super) fn check_all_written(&self) -> Result<(), Failed> {
        let mut failed = self.legs.iter().filter(|leg| leg.has_failed());
        let too_few = self.losses().too_few;
        if failed.any(|leg| too_few || leg.is_required()) {
            return Err(Failed::at(Sense::HardwareError, self.at));
        }
        Ok(())
    }

    /// Fails where what is written would not be mirrored as it was asked for.
    pub(super) fn check_legs(&self) -> Result<(), Failed> {
        if self.losses().forbid_writing() {
            return Err(Failed::at(Sense::HardwareError, self.at));
        }
        Ok(())
    }

    /// Something was written at a place: legs that are no copies from a later object on are none from here on, and
    /// what volumes in step missed behind here is missing no more.
    pub(super) fn written_from(&mut self, at: Position) {
        if at.partition.0 == 0 {
            for leg in self.legs.iter_mut() {
                leg.lower(at.object);
                leg.rewritten(at.object);
            }
        }
    }
}
