//! Whether the legs can be written. No leg takes a record before each required one is known to take it: else the good
//! copy would be overwritten for the sake of one that can't be.

use pseudotape_tape::{Failed, Position, Sense, Writability};

use super::MirrorDrive;
use crate::leg::{Cause, LegFailure, same_place};
use crate::set::LegSet;

impl MirrorDrive {
    /// Asks each leg in step whether its volume can be written.
    pub(super) fn look_at_protection(&mut self) -> Result<(), LegFailure> {
        let in_step = self.legs.in_step();
        for leg in self.legs.of_mut(in_step) {
            let mode = leg.core().drive().mode();
            mode.map_err(|failed| leg.failure(failed.into()))?;
            let Some(why) = leg.look_at_writability().refusal() else {
                continue;
            };
            let what = match leg.is_required() {
                true => "required: nothing can be written",
                false => "spare: what is written goes on without it",
            };
            log::warn!("leg {}: its volume is {why} ({what})", leg.name());
        }
        self.decide_protection();
        Ok(())
    }

    /// Decides by what the legs said whether the medium is write protected: where a required leg can only be read, or
    /// too few can be written.
    pub(super) fn decide_protection(&mut self) {
        self.written_to = None;
        let in_step = self.legs.in_step();
        let read_only = |leg: &crate::leg::Leg| leg.writability().is_read_only();
        let required = self
            .legs
            .select(|leg| leg.is_required() && read_only(leg))
            .and(in_step);
        let writable = in_step.minus(self.legs.select(read_only));
        let too_few = writable.len() < self.options.min_legs.max(1);
        self.protected = !in_step.is_empty() && (!required.is_empty() || too_few);
    }

    /// Before something is written at a place that is not behind what was written last: finds out whether the required
    /// legs take it there. A spare leg that can only be read is out of step from here on.
    pub(super) fn begin_overwriting(&mut self, at: Position) -> Result<(), Failed> {
        if self.follows(at) {
            return Ok(());
        }
        let in_step = self.legs.in_step();
        for leg in self.legs.of_mut(in_step) {
            if let Some(why) = leg.writability().refusal() {
                leg.lose(at.object, &Cause::ReadOnly { why });
            }
        }
        self.check_legs()?;
        let in_step = self.legs.in_step();
        for leg in self.legs.of_mut(in_step) {
            let is_asked = leg.is_required() && leg.writability() == Writability::AppendOnly;
            // Where the end can't be found, the write finds out why.
            if is_asked && leg.ends_at(at).is_ok_and(|is_end| !is_end) {
                return Err(Failed::at(Sense::WormOverwrite, Some(at)));
            }
        }
        self.hear_late();
        self.check_legs()
    }

    /// Before everything on the volumes is dropped: a required leg that keeps what it has refuses it for all.
    pub(super) fn require_nothing_to_keep(&mut self, at: Position) -> Result<(), Failed> {
        self.written_to = None;
        self.begin_overwriting(at)?;
        let beginning = Position {
            partition: at.partition,
            ..Position::default()
        };
        let in_step = self.legs.in_step();
        for leg in self.legs.of_mut(in_step) {
            let is_asked = leg.is_required() && leg.writability() == Writability::AppendOnly;
            if is_asked && leg.ends_at(beginning).is_ok_and(|is_blank| !is_blank) {
                return Err(Failed::at(Sense::WormOverwrite, Some(at)));
            }
        }
        Ok(())
    }

    /// The legs in step of which only a write tells whether they take it, where that is still to be found out at this
    /// place and another leg has something to lose.
    pub(super) fn untried_at(&self, at: Position) -> LegSet {
        let in_step = self.legs.in_step();
        if in_step.len() < 2 || self.follows(at) {
            return LegSet::EMPTY;
        }
        let untried = |leg: &crate::leg::Leg| leg.is_required() && leg.is_untried();
        self.legs.select(untried).and(in_step)
    }

    /// Whether what was written last ends here: what follows overwrites nothing.
    fn follows(&self, at: Position) -> bool {
        self.written_to.is_some_and(|end| same_place(end, at))
    }
}
