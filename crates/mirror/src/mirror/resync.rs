//! How a leg comes back in step.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pseudotape_copy::{Copied, Ending, Progress};
use pseudotape_human::counted;
use pseudotape_tape::{
    Address, EraseExtent, Failed, Mark, Noted, ObjectNumber, PartitionNumber, Sense, Stop,
    Transfer, WriteMode, make_ready,
};

use super::MirrorDrive;
use super::attributes::bring_attributes;
use super::compare::{USUAL_BLOCK_BYTES, end_of};
use super::error::LegError;
use crate::leg::{Cause, Core, NewLeg, grow};
use crate::set::LegNumber;

/// So many bytes, or objects, are read between two looks at whether to end.
const LOOK_BYTES: u64 = 2 << 20;
const LOOK_OBJECTS: u64 = 1024;

/// What a resync did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resynced {
    /// Objects that were the same on both volumes, and stayed.
    pub common: u64,
    /// Objects that were copied.
    pub copied: u64,
    /// Bytes of the blocks that were copied.
    pub bytes: u64,
    /// From which object on both volumes are marked as missing something.
    pub misses_from: Option<ObjectNumber>,
}

impl MirrorDrive {
    /// Gives a leg another drive, whose medium is loaded, and brings the leg in step.
    pub fn return_leg(&mut self, name: &str, new: Option<NewLeg>) -> Result<Resynced, LegError> {
        let number = self.out_of_step(name)?;
        if let Some(mut new) = new {
            let leg = &mut self.legs[number];
            let ready = make_ready(&mut *new.drive);
            ready.map_err(|failed| leg.failure(Cause::failed(failed)))?;
            let noted = new.drive.noted();
            leg.now_has(new.drive.volume_identity().id);
            drop(leg.replace_drive(new.drive));
            if !matches!(noted, Noted::NotMirroredFrom(_)) {
                leg.holds_nothing();
            }
        }
        self.resync(name)
    }

    /// From the moment that this is set, a resync ends before it is done. Its leg stays out of step then, and its
    /// volume says so.
    pub fn ends_with(&mut self, ending: Arc<AtomicBool>) {
        self.ending = ending;
    }

    /// Brings a leg in step. Objects that are the same as on the leg that reads stay, up to the first difference;
    /// what follows is copied.
    ///
    /// Reads both volumes from their beginning, so that this may take as long as a restore. Meanwhile the drive
    /// waits.
    pub fn resync(&mut self, name: &str) -> Result<Resynced, LegError> {
        let number = self.named(name)?;
        if let Some(refused) = &self.refused {
            return Err(LegError::Refused(refused.clone()));
        }
        self.hear_late();
        if self.legs[number].in_step() {
            self.catch_up();
            if self.legs[number].in_step() {
                return Ok(Resynced {
                    misses_from: self.legs[number].misses_from(),
                    ..Resynced::default()
                });
            }
        }
        if self.unloaded.is_some() {
            return Err(LegError::Unloaded);
        }
        self.last.is_block(None);
        let source = self.reader_now().map_err(|_| LegError::NoSource)?;
        let leg = &mut self.legs[number];
        if let Some(why) = leg.look_at_writability().refusal() {
            return Err(leg.failure(Cause::ReadOnly { why }).into());
        }
        let total = self.copy_between(source, number);
        if let Err(Cause::OnlyHere { object, .. }) = &total {
            let text = format!("object {object} is damaged");
            self.legs[source].note_damage(&text, false);
            self.legs[number].board().keep_back();
        }
        if let Err(cause @ Cause::Cancelled) = &total {
            // Here, where whoever ends the mirror still waits for it: who asked may not hear of it any more.
            log::warn!("leg {name}: {cause}");
        }
        // A copy of a volume that misses something misses the same.
        let misses_from = self.legs[source].misses_from();
        let leg = &mut self.legs[number];
        if total.is_err() {
            leg.hold_no_more_than_marked();
        }
        let mut total = total.map_err(|cause| leg.failure(cause))?;
        total.misses_from = misses_from;
        let back = leg.back_in_step(misses_from);
        back.map_err(|cause| leg.failure(cause))?;
        // Another drive perhaps takes other blocks, and nothing was written on it yet.
        self.limits = self.common_limits();
        self.decide_protection();
        log::info!(
            "leg {name}: in step again: {} in common, {} copied",
            counted(total.common, "object"),
            total.copied
        );
        Ok(total)
    }

    fn copy_between(&self, source: LegNumber, number: LegNumber) -> Result<Resynced, Cause> {
        let mut from = self.legs[source].core();
        let mut to = self.legs[number].core();
        let source = self.legs[source].name();
        let total = bring_in_step(source, &mut from, &mut to, &self.ending);
        from.forget_place();
        to.forget_place();
        total.map_err(|cause| to.explain_cause(cause))
    }
}

/// What is the same in a partition of both volumes, and what each holds there.
struct Partition {
    number: u8,
    /// So many objects at the beginning are the same.
    common: u64,
    end: u64,
    other_end: u64,
}

impl Partition {
    fn place(&self, object: u64) -> Address {
        Address {
            partition: Some(PartitionNumber(self.number)),
            object: ObjectNumber(object),
        }
    }

    /// What is on both volumes, and is to be written anew on the one that is brought in step.
    fn overwritten(&self) -> Range<u64> {
        self.common..self.end.min(self.other_end)
    }
}

/// Copies from the last common object on, partition by partition. Before the first change all that will be overwritten
/// is read from the leg in step: what that leg can't give is perhaps nowhere else.
fn bring_in_step(
    source: &str,
    from: &mut Core,
    to: &mut Core,
    ending: &AtomicBool,
) -> Result<Resynced, Cause> {
    make_ready(to.drive())?;
    let needs = from.drive().mode()?.last_partition;
    let has = to.drive().mode()?.last_partition;
    if needs != has {
        return Err(Cause::Partitions {
            has: u16::from(has) + 1,
            needs: u16::from(needs) + 1,
        });
    }
    let mut partitions = Vec::new();
    for number in 0..=needs {
        let partition = compare_partition(from, to, number, ending)?;
        if let Some(object) = first_unreadable(from, &partition, ending)? {
            return Err(Cause::OnlyHere {
                object,
                partition: number,
                leg: source.to_owned(),
            });
        }
        partitions.push(partition);
    }
    let mut total = Resynced::default();
    for partition in &partitions {
        bring_partition(from, to, partition, ending, &mut total)?;
    }
    bring_attributes(source, from, to, needs)?;
    Ok(total)
}

fn until(ending: &AtomicBool) -> ControlFlow<()> {
    match ending.load(Ordering::SeqCst) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

fn compare_partition(
    from: &mut Core,
    to: &mut Core,
    number: u8,
    ending: &AtomicBool,
) -> Result<Partition, Cause> {
    let mut go_on = |_: Progress| until(ending);
    let (end, other_end) = (end_of(from, number)?, end_of(to, number)?);
    let last = pseudotape_copy::last_common_object(from.drive(), to.drive(), &mut go_on)?;
    let common = match last {
        ControlFlow::Break(()) => return Err(Cause::Cancelled),
        ControlFlow::Continue(None) => 0,
        ControlFlow::Continue(Some(last)) => {
            last.0.checked_add(1).ok_or(Cause::Uncountable(last))?
        }
    };
    Ok(Partition {
        number,
        common,
        end,
        other_end,
    })
}

/// The first object that will be overwritten on the other volume and can't be read from this one.
fn first_unreadable(
    from: &mut Core,
    partition: &Partition,
    ending: &AtomicBool,
) -> Result<Option<ObjectNumber>, Cause> {
    let overwritten = partition.overwritten();
    if overwritten.is_empty() {
        return Ok(None);
    }
    let no_memory = || Cause::failed(Failed::at(Sense::HardwareError, None));
    let mut buffer = Vec::new();
    grow(&mut buffer, USUAL_BLOCK_BYTES).ok_or_else(no_memory)?;
    let mut object = overwritten.start;
    let (mut bytes, mut objects) = (0_u64, 0_u64);
    from.act(|drive| drive.locate(partition.place(object)))?;
    while object < overwritten.end {
        let done = match from.read(Transfer::Variable, &mut buffer) {
            Ok(done) => done,
            Err(failed) if failed.sense == Sense::MediumError => {
                return Ok(Some(ObjectNumber(object)));
            }
            Err(failed) => return Err(failed.into()),
        };
        let length = done.block_length as usize;
        if length > buffer.len() {
            // Whether a block is whole is known only of one that was read to its end.
            grow(&mut buffer, length).ok_or_else(no_memory)?;
            from.act(|drive| drive.locate(partition.place(object)))?;
            continue;
        }
        object += 1;
        objects += 1;
        bytes = bytes.saturating_add(done.block_length.into());
        if bytes >= LOOK_BYTES || objects >= LOOK_OBJECTS {
            (bytes, objects) = (0, 0);
            if until(ending).is_break() {
                return Err(Cause::Cancelled);
            }
        }
    }
    Ok(None)
}

fn bring_partition(
    from: &mut Core,
    to: &mut Core,
    partition: &Partition,
    ending: &AtomicBool,
    total: &mut Resynced,
) -> Result<(), Cause> {
    let mut go_on = |_: Progress| until(ending);
    let Partition {
        number,
        common,
        end,
        other_end,
    } = *partition;
    total.common = total.common.saturating_add(common);
    if common == end && common == other_end {
        return Ok(());
    }
    mark_unfinished(to, number, common)?;
    let behind_common = partition.place(common);
    from.act(|drive| drive.locate(behind_common))?;
    to.act(|drive| drive.locate(behind_common))?;
    if common < other_end {
        // A drive that can't erase may go on where something is to be copied: the first write makes the rest go.
        let erased = to.act(|drive| drive.erase(EraseExtent::Short));
        if let (Err(failed), true) = (erased, common == end) {
            return Err(Cause::NotErased { failed });
        }
        to.act(|drive| drive.locate(behind_common))?;
    }
    loop {
        let copied = to.copy_from(from, &mut go_on)?;
        total.add(&copied);
        match copied.ending {
            Ending::Complete => break,
            Ending::EarlyWarning => {
                from.act(|drive| drive.locate(partition.place(copied.next.0)))?;
            }
            Ending::PhysicalEnd => return Err(Cause::TooShort(copied.next)),
            Ending::Unreadable => return Err(Cause::SourceDamaged(copied.next)),
            Ending::Cancelled => return Err(Cause::Cancelled),
        }
    }
    let done = to.act(|drive| drive.write_marks(Mark::Filemark, 0, WriteMode::Commit))?;
    match done.stop {
        Some(Stop::EndOfPartition) => Err(Cause::NoRoom),
        _ if done.position.object.0 == end => Ok(()),
        _ => Err(Cause::WrongEnd {
            is: done.position.object,
            should: end,
        }),
    }
}

/// Before anything is dropped or copied, the volume says itself that it is no whole copy, and from where on: a kill
/// at any moment leaves it so.
fn mark_unfinished(to: &mut Core, partition: u8, common: u64) -> Result<(), Cause> {
    // The mark counts objects of the first partition: where another one is copied, it says that nothing is whole.
    let from = ObjectNumber(if partition == 0 { common } else { 0 });
    match to.volume().noted() {
        Noted::NoPlace => return Ok(()),
        Noted::NotMirroredFrom(marked) if marked <= from => return Ok(()),
        Noted::NotMirroredFrom(_) | Noted::Mirrored => {}
    }
    let marked = to.volume().note_not_mirrored(Some(from));
    marked.map(drop).map_err(|error| Cause::NotMarked {
        error: Arc::new(error),
    })
}

impl Resynced {
    fn add(&mut self, copied: &Copied) {
        for objects in [copied.blocks, copied.filemarks, copied.setmarks] {
            self.copied = self.copied.saturating_add(objects);
        }
        self.bytes = self.bytes.saturating_add(copied.bytes);
    }
}
