//! The volumes in the mirror: whether they agree, which one is right, and how a leg comes back in step.

use std::sync::Arc;

use pseudotape_tape::{Address, Failed, ObjectNumber, PartitionNumber, ReadDone, Sense, Transfer};

use crate::crew::Crew;
use crate::leg::{Core, LegBoard, LegOptions, LegState, Noted};
use crate::mirror::{InsertError, MirrorDrive};
use crate::set::LegSet;

/// How many objects at the beginning and before the end of the data are compared when volumes are put in.
const COMPARED_OBJECTS: u64 = 4;

/// Why a leg can't be brought back, dropped or trusted.
#[derive(Debug, thiserror::Error)]
pub enum LegError {
    /// No leg of this name.
    #[error("there is no leg {name}: the legs are {legs}")]
    Unknown {
        /// Asked for.
        name: String,
        /// All there are.
        legs: String,
    },
    /// It is in step.
    #[error("leg {0} is in step: there is nothing to bring back")]
    InStep(String),
    /// It is in step and the only one.
    #[error("leg {0} is the last one in step: without it there is no copy left")]
    Last(String),
    /// Nothing to trust.
    #[error("the legs agree: there is nothing to decide")]
    Agreed,
    /// No leg to copy from.
    #[error("no leg is in step that could be copied from: 'trust LEG' says which one is right")]
    NoSource,
    /// The legs were refused.
    #[error("{0}")]
    Refused(String),
    /// The program unloaded the volumes.
    #[error("the volumes are unloaded: load them first")]
    Unloaded,
    /// The copying failed.
    #[error("leg {leg}: {reason}")]
    Failed {
        /// The leg.
        leg: String,
        /// Why.
        reason: String,
    },
}

impl MirrorDrive {
    /// After new volumes were put in: at the beginning of all, which have to agree.
    pub(crate) fn settle_in(&mut self) -> Result<(), InsertError> {
        let failed = |leg: &str, reason: String| InsertError::Leg {
            leg: leg.to_owned(),
            reason,
        };
        for leg in &self.legs {
            let mut core = leg.seat.core();
            let at = core.act(|drive| drive.rewind());
            at.map_err(|error| failed(leg.name(), error.to_string()))?;
            let mode = core
                .drive()
                .mode()
                .map_err(|error| failed(leg.name(), error.to_string()))?;
            self.protected |= mode.write_protected;
        }
        self.look_at_volumes()
            .map_err(|(leg, reason)| failed(&leg, reason))?;
        if self.refused.is_none() && self.set_aside_marked() {
            let text = "every volume is marked as not mirrored: 'pseudotape-mirror trust LEG' says which is right, 'pseudotape-mirror resync LEG' brings another one in step then";
            log::error!("{text}");
            self.refused = Some(text.to_owned());
        }
        Ok(())
    }

    /// Volumes that are marked as not mirrored are out of step, beside one that is not, though they look alike:
    /// only their ends were compared. Says whether there are several, all of them marked.
    fn set_aside_marked(&mut self) -> bool {
        let keeping = self.select(|leg| leg.keeps_blocks());
        let mut marked = Vec::new();
        for number in keeping.iter() {
            let noted = self.legs[number].seat.core().drive.noted();
            if let Noted::NotMirroredFrom(from) = noted {
                marked.push((number, from));
            }
        }
        let all = marked.len() == keeping.iter().count();
        for (number, from) in marked {
            let leg = &mut self.legs[number];
            let reason = format!("its volume is marked as not mirrored from object {from} on");
            log::warn!("leg {}: {reason}", leg.name());
            if !all {
                leg.board().note_error(&reason);
                leg.state = LegState::OutOfStep { from, reason };
                leg.board().set_state(leg.state.clone());
            }
        }
        all && keeping.iter().count() > 1
    }

    /// As [`MirrorDrive::look_at_volumes`], after a load: a leg that can't be read is out of step.
    pub(crate) fn look_again(&mut self) -> Result<(), Failed> {
        while let Err((name, reason)) = self.look_at_volumes() {
            let number = self.legs.iter().position(|leg| leg.name() == name);
            match number {
                Some(number) if self.in_step().iter().count() > 1 => {
                    self.lose(number, ObjectNumber(0), &reason);
                }
                _ => return Err(Failed::at(Sense::HardwareError, None)),
            }
        }
        Ok(())
    }

    /// Compares the lengths of the volumes, and what is at their common end; goes to the beginning.
    /// Where they disagree, they are refused.
    pub(crate) fn look_at_volumes(&mut self) -> Result<(), (String, String)> {
        self.protected = false;
        for number in self.in_step().iter() {
            let leg = &self.legs[number];
            let mode = leg.seat.core().drive().mode();
            let mode = mode.map_err(|error| (leg.name().to_owned(), error.to_string()))?;
            self.protected |= mode.write_protected;
        }
        let keeping = self.select(|leg| leg.in_step() && leg.keeps_blocks());
        let Some(first) = keeping.first() else {
            self.go_to_beginning()?;
            return Ok(());
        };
        self.refused = None;
        for other in keeping.without(first).iter() {
            if let Some(difference) = self.difference(first, other)? {
                let text = format!(
                    "legs {} and {} disagree: {difference}; 'pseudotape-mirror trust LEG' says which is right, 'pseudotape-mirror resync LEG' brings the other one in step then",
                    self.legs[first].name(),
                    self.legs[other].name()
                );
                log::error!("{text}");
                self.refused = Some(text);
                break;
            }
        }
        self.go_to_beginning()
    }

    fn go_to_beginning(&mut self) -> Result<(), (String, String)> {
        let beginning = Address {
            partition: Some(PartitionNumber(0)),
            object: ObjectNumber(0),
        };
        for number in self.in_step().iter() {
            let leg = &self.legs[number];
            let done = leg.seat.core().act(|drive| drive.locate(beginning));
            match done {
                Ok(done) => self.at = Some(done.position),
                Err(failed) => return Err((leg.name().to_owned(), failed.to_string())),
            }
        }
        self.forget_tails();
        Ok(())
    }

    /// Where two volumes differ, as far as their ends tell.
    fn difference(&self, first: usize, second: usize) -> Result<Option<String>, (String, String)> {
        let (a, b) = (&self.legs[first], &self.legs[second]);
        let failed = |name: &str| {
            let name = name.to_owned();
            move |error: pseudotape_tape::Failed| (name, error.to_string())
        };
        let last = |number: usize| -> Result<u8, (String, String)> {
            let leg = &self.legs[number];
            let mode = leg.seat.core().drive().mode().map_err(failed(leg.name()))?;
            Ok(mode.last_partition)
        };
        let (partitions, others) = (last(first)?, last(second)?);
        if partitions != others {
            return Ok(Some(format!(
                "one has {} partitions, the other {}",
                u16::from(partitions) + 1,
                u16::from(others) + 1
            )));
        }
        for partition in 0..=partitions {
            let end = |number: usize| {
                let leg = &self.legs[number];
                end_of(&mut leg.seat.core(), partition).map_err(failed(leg.name()))
            };
            let (end_a, end_b) = (end(first)?, end(second)?);
            if end_a != end_b {
                return Ok(Some(format!(
                    "partition {partition} holds {end_a} objects on one, {end_b} on the other"
                )));
            }
            let last = end_a.saturating_sub(COMPARED_OBJECTS);
            let mut verified = 0;
            let mut damaged = [0, 0];
            for object in (0..last.min(COMPARED_OBJECTS)).chain(last..end_a) {
                let read_a =
                    object_at(&mut a.seat.core(), partition, object).map_err(failed(a.name()))?;
                let read_b =
                    object_at(&mut b.seat.core(), partition, object).map_err(failed(b.name()))?;
                let same = match (&read_a, &read_b) {
                    (Some((one, data)), Some((other, others))) => {
                        (one.stop, one.block_length) == (other.stop, other.block_length)
                            && data == others
                    }
                    // The other one's is read in its place.
                    _ => {
                        damaged[0] += u64::from(read_a.is_none());
                        damaged[1] += u64::from(read_b.is_none());
                        continue;
                    }
                };
                if !same {
                    return Ok(Some(format!(
                        "object {object} of partition {partition} differs"
                    )));
                }
                verified += u64::from(matches!(&read_a, Some((done, _)) if done.stop.is_none()));
            }
            for (leg, damaged) in [(a, damaged[0]), (b, damaged[1])] {
                let name = leg.name();
                if damaged > 0 && verified == 0 {
                    return Ok(Some(format!(
                        "none of {damaged} blocks of partition {partition} that were compared can be read from leg {name}: damage, or another key"
                    )));
                }
                if damaged > 0 {
                    let text = format!("{damaged} blocks of partition {partition} can't be read");
                    log::warn!("leg {name}: {text}; the other legs' are read in their place");
                    leg.board().note_error(&text);
                }
            }
        }
        Ok(None)
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
        self.extendable = None;
        self.late_warning = false;
        self.protected = false;
        let legs = std::mem::take(&mut self.legs);
        let ejected = legs.into_iter().map(|leg| {
            let board = Arc::clone(&leg.seat.board);
            (leg.options.clone(), board, EjectedLeg(leg))
        });
        ejected.collect()
    }

    /// Why the legs were refused, where they were.
    #[must_use]
    pub fn refusal(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// Whether volumes are in.
    #[must_use]
    pub fn has_legs(&self) -> bool {
        !self.legs.is_empty()
    }

    /// The legs: how each is treated, its state and what else is known of it.
    pub fn legs(&self) -> impl Iterator<Item = (&LegOptions, Arc<LegBoard>)> {
        self.legs
            .iter()
            .map(|leg| (&leg.options, Arc::clone(&leg.seat.board)))
    }

    /// Which leg has this name.
    pub(crate) fn named(&self, name: &str) -> Result<usize, LegError> {
        let found = self.legs.iter().position(|leg| leg.name() == name);
        found.ok_or_else(|| LegError::Unknown {
            name: name.to_owned(),
            legs: self
                .legs
                .iter()
                .map(|leg| leg.options.name.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        })
    }

    /// Says which leg is right: those that differ from it are out of step from where they differ on, and
    /// wait for a resync.
    pub fn trust(&mut self, name: &str) -> Result<Vec<String>, LegError> {
        let trusted = self.named(name)?;
        if self.refused.take().is_none() {
            return Err(LegError::Agreed);
        }
        self.forgive(trusted)?;
        let mut lost = Vec::new();
        self.extendable = None;
        let others = self.select(|leg| leg.in_step() && leg.keeps_blocks());
        for number in others.without(trusted).iter() {
            let noted = self.legs[number].seat.core().drive.noted();
            let difference = self.difference(trusted, number);
            let reason = match difference {
                _ if matches!(noted, Noted::NotMirroredFrom(_)) => {
                    "its volume is marked as not mirrored".to_owned()
                }
                Ok(None) => continue,
                Ok(Some(difference)) => format!("differs from leg {name}: {difference}"),
                Err((_, reason)) => reason,
            };
            self.lose(number, ObjectNumber(0), &reason);
            lost.push(self.legs[number].options.name.clone());
        }
        self.reader = trusted;
        let began = self.go_to_beginning();
        began.map_err(|(leg, reason)| LegError::Failed { leg, reason })?;
        self.attention = Some(Sense::MediumChanged);
        Ok(lost)
    }

    /// Whatever is noted on its volume: this leg is right.
    fn forgive(&mut self, number: usize) -> Result<(), LegError> {
        let leg = &mut self.legs[number];
        let unmarked = leg.seat.core().drive.note_not_mirrored(None);
        unmarked.map_err(|reason| LegError::Failed {
            leg: leg.options.name.clone(),
            reason,
        })?;
        leg.state = LegState::InStep;
        leg.board().set_state(LegState::InStep);
        Ok(())
    }

    /// Takes a leg out of the mirror: the job goes on without it.
    pub fn drop_leg(&mut self, name: &str) -> Result<(), LegError> {
        let number = self.named(name)?;
        // What it could not store is missing on it, whatever it was told since.
        if let Some(late) = &self.legs[number].late {
            late.drain();
        }
        self.hear_late();
        let in_step = self.in_step();
        if in_step == LegSet::default().with(number) {
            return Err(LegError::Last(name.to_owned()));
        }
        let here = self.at.unwrap_or_default().object;
        let from = match self.legs[number].state {
            LegState::InStep => here,
            LegState::OutOfStep { from, .. } | LegState::Dropped { from } => from,
        };
        let leg = &mut self.legs[number];
        leg.state = LegState::Dropped { from };
        leg.board().set_state(leg.state.clone());
        let noted = leg.seat.core().drive.note_not_mirrored(Some(from));
        if let Err(error) = noted {
            log::warn!("leg {name}: its volume can't be marked as not mirrored: {error}");
        }
        log::warn!("leg {name}: dropped by the operator: not mirrored from object {from} on");
        Ok(())
    }
}

/// A leg that was taken out: late, it may still have to catch up.
pub struct EjectedLeg(crate::leg::Leg);

impl EjectedLeg {
    /// Stores what waits, then closes. May take as long as the storing takes.
    pub fn finish(self) -> Result<(), String> {
        let crate::leg::Leg {
            seat,
            late,
            state,
            options,
            ..
        } = self.0;
        let failure = late.and_then(|late| {
            late.drain();
            late.failure()
        });
        if let Some(failure) = &failure {
            let from = failure.from;
            let reason = failure.reason.clone();
            seat.board.note_error(&reason);
            log::error!(
                "leg {}: not mirrored from object {from} on: {reason}",
                options.name
            );
            if let Err(error) = seat.core().drive.note_not_mirrored(Some(from)) {
                log::warn!("leg {}: its volume can't be marked: {error}", options.name);
            }
            seat.board.set_state(LegState::OutOfStep { from, reason });
        }
        let seat = Arc::into_inner(seat).ok_or("a thread of the leg still uses it")?;
        let core = seat
            .core
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let finished = core.drive.finish();
        match (failure, state) {
            (Some(failure), _) => Err(failure.reason),
            // What can't be closed of a leg that was lost before is no news.
            (None, LegState::OutOfStep { .. }) => Ok(()),
            (None, _) => finished,
        }
    }
}

pub(crate) fn end_of(core: &mut Core, partition: u8) -> Result<u64, pseudotape_tape::Failed> {
    let beginning = Address {
        partition: Some(PartitionNumber(partition)),
        object: ObjectNumber(0),
    };
    core.act(|drive| drive.locate(beginning))?;
    let done = core.act(|drive| drive.space_to_end_of_data())?;
    Ok(done.position.object.0)
}

type Found = Option<(ReadDone, Vec<u8>)>;

/// What is at an object; `None` where it is damaged.
fn object_at(
    core: &mut Core,
    partition: u8,
    object: u64,
) -> Result<Found, pseudotape_tape::Failed> {
    let place = Address {
        partition: Some(PartitionNumber(partition)),
        object: ObjectNumber(object),
    };
    let mut length = 256 << 10;
    loop {
        core.act(|drive| drive.locate(place))?;
        let mut data = vec![0; length];
        let done = match core.read(Transfer::Variable, &mut data) {
            Ok(done) => done,
            Err(failed) if failed.sense == Sense::MediumError => return Ok(None),
            Err(failed) => return Err(failed),
        };
        if done.block_length as usize <= length {
            data.truncate(done.bytes);
            return Ok(Some((done, data)));
        }
        length = done.block_length as usize;
    }
}
