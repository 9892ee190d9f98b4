//! The volumes in the mirror: whether they agree, which one is right, and how they are taken out.

use std::sync::Arc;

use pseudotape_tape::{Address, Failed, ObjectNumber, PartitionNumber, Sense, Volume};

use super::MirrorDrive;
use super::besides::Rest;
use super::compare::difference;
use super::error::LegError;
use crate::crew::Crew;
use crate::leg::{Cause, LastChange, Leg, LegBoard, LegFailure, LegOptions};
use crate::set::{LegNumber, LegSet};

impl MirrorDrive {
    /// As [`MirrorDrive::look_at_volumes`], after a load by a program. A leg that can't be read is out of step.
    pub(super) fn look_again(&mut self) -> Result<(), Failed> {
        while let Err(failure) = self.look_at_volumes() {
            match self.legs.named(&failure.leg) {
                Some(number) if self.legs.in_step().len() > 1 => {
                    self.legs[number].lose(failure.from, &failure.cause);
                }
                Some(_) | None => return Err(Failed::at(Sense::HardwareError, None)),
            }
        }
        Ok(())
    }

    /// Compares the volumes, and goes to their beginning. Volumes that disagree are refused.
    pub(super) fn look_at_volumes(&mut self) -> Result<(), LegFailure> {
        self.look_at_protection()?;
        let keeping = self.legs.keeping();
        let Some(first) = keeping.first() else {
            return self.go_to_beginning();
        };
        self.refused = None;
        let first_leg = &self.legs[first];
        for other in self.legs.of(keeping.without(first)) {
            if let Some(difference) = difference(first_leg, other)? {
                let command = other.options().command;
                let text = format!(
                    "legs {} and {} disagree: {difference}; '{command} trust LEG' says which is right, '{command} resync LEG' brings the other one in step then",
                    first_leg.name(),
                    other.name()
                );
                log::error!("{text}");
                self.refused = Some(text);
                break;
            }
        }
        self.go_to_beginning()
    }

    fn go_to_beginning(&mut self) -> Result<(), LegFailure> {
        let beginning = Address {
            partition: Some(PartitionNumber(0)),
            object: ObjectNumber(0),
        };
        for leg in self.legs.of(self.legs.in_step()) {
            let done = leg.core().act(|drive| drive.locate(beginning));
            let done = done.map_err(|failed| leg.failure(failed.into()))?;
            self.at = Some(done.position);
        }
        self.forget_places();
        Ok(())
    }

    /// Takes the legs out; the caller closes them.
    pub fn eject(&mut self) -> Vec<(LegOptions, Arc<LegBoard>, EjectedLeg)> {
        self.look_for_surplus();
        self.drop_surplus(self.at.unwrap_or_default());
        self.crew = Crew::default();
        self.at = None;
        self.unloaded = None;
        self.refused = None;
        self.attention = None;
        self.last = LastChange::default();
        self.protected = false;
        self.written_to = None;
        let legs = std::mem::take(&mut self.legs).into_vec().into_iter();
        let ejected = legs.map(|leg| {
            let board = Arc::clone(leg.board());
            (leg.options().clone(), board, EjectedLeg(leg))
        });
        ejected.collect()
    }

    /// The legs: how each is treated, its state and what else is known of it.
    pub fn legs(&self) -> impl Iterator<Item = (&LegOptions, Arc<LegBoard>)> {
        let legs = self.legs.iter();
        legs.map(|leg| (leg.options(), Arc::clone(leg.board())))
    }

    /// Which leg has this name.
    pub(super) fn named(&self, name: &str) -> Result<LegNumber, LegError> {
        let found = self.legs.named(name);
        found.ok_or_else(|| LegError::Unknown {
            name: name.to_owned(),
            legs: self.legs.names(),
        })
    }

    /// Which leg has this name; an error where it is in step.
    pub(super) fn out_of_step(&self, name: &str) -> Result<LegNumber, LegError> {
        let number = self.named(name)?;
        if self.legs[number].in_step() {
            return Err(LegError::InStep(name.to_owned()));
        }
        Ok(number)
    }

    /// Says which leg is right. Legs that differ from this one are out of step, and wait for a resync. The leg is not
    /// trusted where another one holds more, which a resync would drop, unless that may go.
    pub fn trust(&mut self, name: &str, rest: Rest) -> Result<Vec<String>, LegError> {
        let trusted = self.named(name)?;
        if self.refused.is_none() {
            return Err(LegError::Agreed);
        }
        if rest == Rest::Stays {
            self.require_longest(trusted)?;
        }
        self.refused = None;
        self.legs[trusted].trust();
        let mut lost = Vec::new();
        self.last.is_block(None);
        for number in self.legs.keeping().without(trusted).iter() {
            let cause = match difference(&self.legs[trusted], &self.legs[number]) {
                _ if self.legs[number].is_marked() => Cause::Marked { from: None },
                Ok(None) => continue,
                Ok(Some(difference)) => Cause::Differs {
                    trusted: name.to_owned(),
                    difference: difference.to_string(),
                },
                Err(failure) => *failure.cause,
            };
            let leg = &mut self.legs[number];
            leg.differs(&cause);
            lost.push(leg.name().to_owned());
        }
        self.reader = trusted;
        self.look_at_protection()?;
        self.go_to_beginning()?;
        self.attention = Some(Sense::MediumChanged);
        Ok(lost)
    }

    /// The names of the legs in step beside this one.
    pub(crate) fn in_step_beside(&self, name: &str) -> Vec<String> {
        let legs = self.legs.of(self.legs.in_step());
        let others = legs.filter(|leg| leg.name() != name);
        others.map(|leg| leg.name().to_owned()).collect()
    }

    /// Takes a leg out of the mirror: the job goes on without it.
    pub fn drop_leg(&mut self, name: &str) -> Result<(), LegError> {
        let number = self.named(name)?;
        // What the leg could not store is missing on it, whatever it was told since.
        self.legs[number].catch_up();
        self.hear_late();
        if self.legs.in_step() == LegSet::only(number) {
            return Err(LegError::Last(name.to_owned()));
        }
        let here = self.object_here();
        self.legs[number].drop_out(here);
        self.decide_protection();
        Ok(())
    }

    /// Puts another drive in the place of that of a leg that is out of step, or was dropped; returns the old one.
    pub(crate) fn replace_drive(
        &mut self,
        name: &str,
        drive: Box<dyn Volume>,
    ) -> Result<Box<dyn Volume>, LegError> {
        let number = self.out_of_step(name)?;
        Ok(self.legs[number].replace_drive(drive))
    }
}

/// A leg that was taken out. The queue of a late leg may still hold something.
pub struct EjectedLeg(Leg);

impl EjectedLeg {
    /// Stores what waits, then closes. May take as long as the storing takes.
    pub fn finish(self) -> Result<(), LegFailure> {
        self.0.finish()
    }
}
