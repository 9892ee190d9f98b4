//! Whether a leg is a copy.
//!
//! This is written in three places: in the leg, on its board and on its volume. Only the methods here write it,
//! always in all three.

use std::sync::Arc;

use pseudotape_tape::{Noted, ObjectNumber};

use super::{Cause, Class, Leg, LegOptions, LegState};

/// What an operator hears of a leg that is dropped with the tape at this object. At the beginning the leg may hold all
/// that the others hold, until something is written.
#[must_use]
pub fn words_of_drop(from: ObjectNumber) -> String {
    match from.0 {
        0 => "what is written from the beginning of the tape on is not on it".to_owned(),
        _ => format!("not mirrored from object {from} on"),
    }
}

impl Leg {
    /// The leg is no copy from an object on. Its volume is marked, if the volume has a place for that, and the log
    /// says what the operator can do. Does nothing where the leg is no copy already.
    pub(crate) fn lose(&mut self, from: ObjectNumber, cause: &Cause) {
        if self.in_step() {
            self.failed = true;
            self.end_in_step(from, cause);
        }
    }

    /// The operator says that another volume is the right one, and this one differs from it.
    pub(crate) fn differs(&mut self, cause: &Cause) {
        self.end_in_step(ObjectNumber(0), cause);
    }

    fn end_in_step(&mut self, from: ObjectNumber, cause: &Cause) {
        let reason = cause.to_string();
        let LegOptions { name, command, .. } = &self.options;
        let what = match self.options.class {
            Class::Required => "required: what writes fails until then",
            Class::Spare => "spare: the job goes on without it",
        };
        log::error!(
            "leg {name}: not mirrored from object {from} on: {reason} ({what}; where another leg is in step, '{command} resync {name}', or 'return {name}' to open it anew, brings it back, and 'drop {name}' goes on without it)"
        );
        self.end.lost();
        self.board().note_error(&reason);
        self.set_state(LegState::OutOfStep { from, reason });
        self.mark(from);
    }

    /// The leg is no copy from an object on, as its volume was marked before it was put in.
    pub(crate) fn set_aside(&mut self, from: ObjectNumber, cause: &Cause) {
        let reason = cause.to_string();
        self.board().note_error(&reason);
        self.set_state(LegState::OutOfStep { from, reason });
    }

    /// What waited in the queue when the leg was taken out could not be stored.
    pub(super) fn failed_after_all(&mut self, from: ObjectNumber, cause: &Cause) {
        let (name, reason) = (self.name(), cause.to_string());
        log::error!("leg {name}: not mirrored from object {from} on: {reason}");
        self.board().note_error(&reason);
        self.set_state(LegState::OutOfStep { from, reason });
        self.mark(from);
    }

    /// The operator takes the leg out. If the leg was a copy, it has everything before this object.
    pub(crate) fn drop_out(&mut self, here: ObjectNumber) {
        let from = self.no_copy_from().unwrap_or(here);
        self.set_state(LegState::Dropped { from });
        self.mark(from);
        let name = self.name();
        log::warn!(
            "leg {name}: dropped by the operator: {}",
            words_of_drop(from)
        );
    }

    /// The other legs were written from this object on: if this leg was a copy up to a later object, it is a copy
    /// up to this one only.
    pub(crate) fn lower(&mut self, from: ObjectNumber) {
        if self.no_copy_from().is_some_and(|before| before > from) {
            self.set_no_copy_from(from);
        }
    }

    /// A resync ended in the middle. Where it dropped objects that the volume was a copy of, the mark on the volume
    /// says so already.
    pub(crate) fn hold_no_more_than_marked(&mut self) {
        if let Noted::NotMirroredFrom(marked) = self.noted() {
            self.lower(marked);
        }
    }

    /// Perhaps another volume is in the drive: until something is copied onto it, it is a copy of nothing.
    pub(crate) fn holds_nothing(&mut self) {
        self.set_no_copy_from(ObjectNumber(0));
    }

    /// Whether the leg was a copy when its volume was put in, and failed since.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed && self.is_out_of_step()
    }

    /// The volume is closed, and nobody finds it any more: no text names any longer where it could be copied.
    pub(super) fn forget_rescue(&mut self) {
        let reason = Cause::Gone.to_string();
        self.board().forget_errors();
        self.board().note_error(&reason);
        let from = match self.state {
            LegState::InStep => ObjectNumber(0),
            LegState::OutOfStep { from, .. } => from,
            LegState::Dropped { .. } => return,
        };
        self.set_state(LegState::OutOfStep { from, reason });
    }

    /// The operator says that this volume is the right one. If the volume is marked, it still misses something: the
    /// mark stays.
    pub(crate) fn trust(&mut self) {
        self.keep_mark();
        self.failed = false;
        self.set_state(LegState::InStep);
    }

    /// The leg takes part, whatever is marked on its volume. The mark stays until what is missing is written anew.
    pub(crate) fn keep_mark(&mut self) {
        let misses_from = match self.noted() {
            Noted::NotMirroredFrom(from) => Some(from),
            Noted::Mirrored | Noted::NoPlace => None,
        };
        self.set_misses_from(misses_from);
    }

    /// From which object on the volume misses something, although the leg is in step.
    pub(crate) fn misses_from(&self) -> Option<ObjectNumber> {
        self.misses_from
    }

    /// The volume was made a copy again, of a volume that misses something from an object on, or (`None`) that is
    /// whole. An error where this can't be noted on the volume: then it is no copy.
    pub(crate) fn back_in_step(&mut self, misses_from: Option<ObjectNumber>) -> Result<(), Cause> {
        let noted = self.core().volume().note_not_mirrored(misses_from);
        noted.map_err(|error| Cause::StillMarked {
            error: Arc::new(error),
        })?;
        self.set_misses_from(misses_from);
        self.failed = false;
        self.set_state(LegState::InStep);
        self.end.back_in_step();
        self.board().forget_errors();
        if let Some(late) = &mut self.late {
            late.begin_anew();
        }
        Ok(())
    }

    /// Something was written from this object on, and what was recorded behind is gone: where that was before the
    /// place from which on something was missing, that would be gone, too.
    pub(crate) fn rewritten(&mut self, from: ObjectNumber) {
        let is_all_new =
            |missing: ObjectNumber| missing.0 == 0 && from.0 == 0 && self.is_undivided();
        let is_over = |missing| from < missing || is_all_new(missing);
        if !self.in_step() || !self.misses_from.is_some_and(is_over) {
            return;
        }
        self.set_misses_from(None);
        let unmarked = self.core().volume().note_not_mirrored(None);
        if let Err(error) = unmarked {
            let name = self.name();
            log::warn!("leg {name}: its volume is still marked as not mirrored: {error}");
        }
    }

    fn is_undivided(&self) -> bool {
        let mode = self.core().drive().mode();
        mode.is_ok_and(|mode| mode.last_partition == 0)
    }

    /// What is marked on the volume.
    pub(crate) fn noted(&self) -> Noted {
        self.core().volume().noted()
    }

    /// Whether the volume is marked as no copy.
    pub(crate) fn is_marked(&self) -> bool {
        matches!(self.noted(), Noted::NotMirroredFrom(_))
    }

    /// The first object that the volume does not surely hold, where it is no copy.
    pub(crate) fn no_copy_from(&self) -> Option<ObjectNumber> {
        match self.state {
            LegState::InStep => None,
            LegState::OutOfStep { from, .. } | LegState::Dropped { from } => Some(from),
        }
    }

    pub(super) fn set_misses_from(&mut self, from: Option<ObjectNumber>) {
        self.misses_from = from;
        self.board().show_misses_from(from);
    }

    fn set_no_copy_from(&mut self, now: ObjectNumber) {
        let mut state = self.state.clone();
        match &mut state {
            LegState::InStep => return,
            LegState::OutOfStep { from, .. } | LegState::Dropped { from } => *from = now,
        }
        self.set_state(state);
        self.mark(now);
    }

    fn set_state(&mut self, state: LegState) {
        self.state = state;
        self.board().set_state(self.state.clone());
    }

    fn mark(&self, from: ObjectNumber) {
        // What was missing before is still missing.
        let from = self.misses_from.map_or(from, |missing| missing.min(from));
        let marked = self.core().volume().note_not_mirrored(Some(from));
        if let Err(error) = marked {
            let name = self.name();
            log::warn!(
                "leg {name}: its volume can't be marked as not mirrored from object {from} on: {error}"
            );
        }
    }
}
