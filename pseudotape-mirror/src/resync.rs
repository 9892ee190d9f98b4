//! How a leg comes back in step.

use std::ops::ControlFlow;

use pseudotape_tape::{Address, EraseExtent, Mark, ObjectNumber, PartitionNumber, Stop, WriteMode};

use crate::leg::{ALL_COMMITTED, Core, LegState, NewLeg, Noted};
use crate::mirror::MirrorDrive;
use crate::volumes::{LegError, end_of};

/// What a resync did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resynced {
    /// Objects that were the same on both, and stayed.
    pub common: u64,
    /// Objects that were copied.
    pub copied: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl MirrorDrive {
    /// Gives a leg another drive, with its medium loaded, and brings it in step.
    pub fn return_leg(&mut self, name: &str, new: Option<NewLeg>) -> Result<Resynced, LegError> {
        let number = self.named(name)?;
        if self.legs[number].in_step() {
            return Err(LegError::InStep(name.to_owned()));
        }
        if let Some(mut new) = new {
            let ready = pseudotape_tape::make_ready(new.drive.drive());
            ready.map_err(|failed| LegError::Failed {
                leg: name.to_owned(),
                reason: failed.to_string(),
            })?;
            let known = new.drive.noted();
            let mut core = self.legs[number].seat.core();
            core.drive = new.drive;
            core.at = None;
            drop(core);
            if !matches!(known, Noted::NotMirroredFrom(_)) {
                self.holds_nothing_yet(number);
            }
        }
        self.resync(name)
    }

    /// Perhaps another volume: whatever becomes of the copying, it is no copy before.
    fn holds_nothing_yet(&mut self, number: usize) {
        let leg = &mut self.legs[number];
        let nothing = ObjectNumber(0);
        if let LegState::OutOfStep { from, .. } | LegState::Dropped { from } = &mut leg.state {
            *from = nothing;
        }
        leg.board().set_state(leg.state.clone());
        let noted = leg.seat.core().drive.note_not_mirrored(Some(nothing));
        if let Err(error) = noted {
            let name = leg.name();
            log::warn!("leg {name}: its volume can't be marked as not mirrored: {error}");
        }
    }

    /// Brings a leg in step: what it verifiably shares with the leg that reads stays, what follows is copied.
    ///
    /// Reads both from their beginning, so that it may take as long as a restore; meanwhile the drive waits.
    pub fn resync(&mut self, name: &str) -> Result<Resynced, LegError> {
        let number = self.named(name)?;
        if let Some(refused) = &self.refused {
            return Err(LegError::Refused(refused.clone()));
        }
        self.hear_late();
        if self.legs[number].in_step() {
            self.catch_up();
            if self.legs[number].in_step() {
                return Ok(Resynced::default());
            }
        }
        if self.unloaded.is_some() {
            return Err(LegError::Unloaded);
        }
        self.extendable = None;
        let source = self.reader_now().map_err(|_| LegError::NoSource)?;
        let failed = |reason: String| LegError::Failed {
            leg: name.to_owned(),
            reason,
        };
        let total = {
            let mut from = self.legs[source].seat.core();
            let mut to = self.legs[number].seat.core();
            let total = bring_in_step(&mut from, &mut to);
            (from.at, to.at) = (None, None);
            let trouble = to.drive.take_trouble();
            total.map_err(|reason| match trouble {
                Some(trouble) => failed(format!("{reason}: {trouble}")),
                None => failed(reason),
            })?
        };
        let leg = &mut self.legs[number];
        if let Err(error) = leg.seat.core().drive.note_not_mirrored(None) {
            return Err(failed(format!(
                "its volume is still marked as not mirrored: {error}"
            )));
        }
        leg.state = LegState::InStep;
        leg.surplus = None;
        leg.uncommitted = ALL_COMMITTED;
        leg.extends = false;
        (leg.safe_bytes, leg.zone) = (0, false);
        leg.board().set_state(LegState::InStep);
        leg.board().forget_errors();
        if let Some(late) = &mut leg.late {
            late.begin_anew();
        }
        // Another drive perhaps takes other blocks.
        self.limits = self.common_limits();
        log::info!(
            "leg {name}: in step again: {} objects were there, {} were copied",
            total.common,
            total.copied
        );
        Ok(total)
    }
}

/// Copies from the last common object on, partition by partition.
fn bring_in_step(from: &mut Core, to: &mut Core) -> Result<Resynced, String> {
    let text = |error: pseudotape_tape::Failed| error.to_string();
    pseudotape_tape::make_ready(to.drive()).map_err(text)?;
    let last = from.drive().mode().map_err(text)?.last_partition;
    let other = to.drive().mode().map_err(text)?.last_partition;
    if last != other {
        return Err(format!(
            "it has {} partitions, the leg in step {}: make them alike first",
            u16::from(other) + 1,
            u16::from(last) + 1
        ));
    }
    let mut total = Resynced::default();
    for partition in 0..=last {
        bring_partition(from, to, partition, &mut total)?;
    }
    Ok(total)
}

fn bring_partition(
    from: &mut Core,
    to: &mut Core,
    partition: u8,
    total: &mut Resynced,
) -> Result<(), String> {
    let text = |error: pseudotape_tape::Failed| error.to_string();
    let (end, other_end) = (
        end_of(from, partition).map_err(text)?,
        end_of(to, partition).map_err(text)?,
    );
    let mut go_on = |_| ControlFlow::Continue(());
    let common = pseudotape_copy::last_common_object(from.drive(), to.drive(), &mut go_on)
        .map_err(|error| error.to_string())?
        .map_or(0, |object| object.0 + 1);
    total.common += common;
    if common == end && common == other_end {
        return Ok(());
    }
    let place = Address {
        partition: Some(PartitionNumber(partition)),
        object: ObjectNumber(common),
    };
    from.act(|drive| drive.locate(place)).map_err(text)?;
    to.act(|drive| drive.locate(place)).map_err(text)?;
    if common < other_end {
        // Also where it can't erase: what is written first makes the rest go.
        let erased = to.act(|drive| drive.erase(EraseExtent::Short));
        if let (Err(failed), true) = (erased, common == end) {
            return Err(format!("what it has too much can't be erased: {failed}"));
        }
        to.act(|drive| drive.locate(place)).map_err(text)?;
    }
    loop {
        let options = pseudotape_copy::Options::default();
        let copied = pseudotape_copy::copy(
            from.drive(),
            &mut pseudotape_tape::Bare(to.drive()),
            options,
            &mut go_on,
        )
        .map_err(|error| error.to_string())?;
        total.copied += copied.blocks + copied.filemarks + copied.setmarks;
        total.bytes += copied.bytes;
        match copied.ending {
            pseudotape_copy::Ending::Complete => break,
            pseudotape_copy::Ending::EarlyWarning => {
                let next = Address {
                    partition: Some(PartitionNumber(partition)),
                    object: copied.next,
                };
                from.act(|drive| drive.locate(next)).map_err(text)?;
            }
            pseudotape_copy::Ending::PhysicalEnd => {
                return Err(format!("object {} does not fit on it", copied.next));
            }
            pseudotape_copy::Ending::Unreadable => {
                return Err(format!(
                    "object {} can't be read from the leg in step",
                    copied.next
                ));
            }
            pseudotape_copy::Ending::Cancelled => return Err("cancelled".into()),
        }
    }
    let done = to
        .act(|drive| drive.write_marks(Mark::Filemark, 0, WriteMode::Commit))
        .map_err(text)?;
    match done.stop {
        Some(Stop::EndOfPartition) => Err("it is full".into()),
        _ if done.position.object.0 == end => Ok(()),
        _ => Err(format!(
            "its tape is at object {}, and should be at {end}",
            done.position.object
        )),
    }
}
