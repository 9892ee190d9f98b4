//! Motions: SPACE, LOCATE, marks, REWIND, LOAD, UNLOAD, ERASE, FORMAT MEDIUM.

use pseudotape_tape::{
    Address, Done, EraseExtent, LoadKind, Mark, ObjectNumber, PartitionNumber, Partitioning,
    SpaceUnit, Volume, WriteMode,
};

use super::command::Destination;
use super::outcome::{failed, failed_after, failed_field, failed_write, stopped, unexplained};
use super::state::{TapeReply, TapeUnit};
use crate::sense::{FieldPointer, Reason, Sense};

/// What a motion that counted to `count` tells.
fn counted(done: Done, count: u64) -> Result<TapeReply, Sense> {
    let residual = count.saturating_sub(done.count);
    match done.stop {
        Some(stop) => Err(stopped(stop, residual)),
        None if residual > 0 => Err(unexplained(residual)),
        None => Ok(TapeReply::good(0)),
    }
}

/// What a motion to a place tells: there is no count, and so no residual.
fn arrived(done: Done) -> Result<TapeReply, Sense> {
    match done.stop {
        None => Ok(TapeReply::good(0)),
        Some(stop) => Err(without_residual(stopped(stop, 0))),
    }
}

fn without_residual(sense: Sense) -> Sense {
    Sense {
        information: None,
        ..sense
    }
}

impl TapeUnit {
    /// WRITE FILEMARKS.
    pub(super) fn write_marks(
        &mut self,
        mark: Mark,
        count: u32,
        mode: WriteMode,
        volume: &mut dyn Volume,
    ) -> Result<TapeReply, Sense> {
        const MARK_BYTE: u16 = 1;
        let done = volume.write_marks(mark, count, mode).map_err(|failed| {
            failed_write(
                failed,
                u64::from(count).saturating_sub(failed.count),
                MARK_BYTE,
            )
        })?;
        counted(done, count.into())
    }

    /// SPACE over so many.
    pub(super) fn space(
        &mut self,
        unit: SpaceUnit,
        count: i64,
        volume: &mut dyn Volume,
    ) -> Result<TapeReply, Sense> {
        const UNIT_BYTE: u16 = 1;
        // To count no setmarks is refused too, where there can be none: that is the drive's to say.
        if count == 0 && unit != SpaceUnit::Setmarks {
            return Ok(TapeReply::good(0));
        }
        let asked = count.unsigned_abs();
        let done = volume.space(unit, count).map_err(|failed| {
            failed_after(failed, asked.saturating_sub(failed.count), UNIT_BYTE)
        })?;
        counted(done, asked)
    }

    /// SPACE to the end of data.
    pub(super) fn space_to_end(&mut self, volume: &mut dyn Volume) -> Result<TapeReply, Sense> {
        arrived(volume.space_to_end_of_data().map_err(failed)?)
    }

    /// LOCATE.
    pub(super) fn locate(
        &mut self,
        partition: Option<u8>,
        to: Destination,
        partition_byte: u16,
        volume: &mut dyn Volume,
    ) -> Result<TapeReply, Sense> {
        let refused = |failed| failed_field(failed, partition_byte);
        let partition = partition.map(PartitionNumber);
        let address = |object| Address {
            partition,
            object: ObjectNumber(object),
        };
        if let Some(to) = partition {
            let here = volume.position().map_err(failed)?;
            self.note_capacity(here.partition, to, volume);
        }
        match to {
            Destination::Object(object) => {
                arrived(volume.locate(address(object)).map_err(refused)?)
            }
            Destination::File(file) => {
                let beginning = volume.locate(address(0)).map_err(refused)?;
                // So many that none of them has them all: the end of data stops it.
                let file = i64::try_from(file).unwrap_or(i64::MAX);
                match file {
                    0 => arrived(beginning),
                    _ => arrived(volume.space(SpaceUnit::Filemarks, file).map_err(failed)?),
                }
            }
            Destination::EndOfData => {
                if partition.is_some() {
                    volume.locate(address(0)).map_err(refused)?;
                }
                self.space_to_end(volume)
            }
        }
    }

    /// ERASE.
    pub(super) fn erase(
        &mut self,
        extent: EraseExtent,
        volume: &mut dyn Volume,
    ) -> Result<TapeReply, Sense> {
        const EXTENT_BYTE: u16 = 1;
        let done = volume
            .erase(extent)
            .map_err(|failed| without_residual(failed_write(failed, 0, EXTENT_BYTE)))?;
        arrived(done)
    }

    /// LOAD. Everyone hears of it, the one who loads too: the tape is at its beginning, and the st driver counts anew
    /// only then. Of a retension of a medium that was ready nobody hears, since st would not expect it.
    pub(super) fn load(
        &mut self,
        kind: LoadKind,
        volume: &mut dyn Volume,
    ) -> Result<TapeReply, Sense> {
        let was_ready = match volume.test_ready() {
            Ok(()) => true,
            Err(error) => match error.sense {
                pseudotape_tape::Sense::NoMedium | pseudotape_tape::Sense::NotReady => false,
                _ => return Err(failed(error)),
            },
        };
        volume.load(kind).map_err(failed)?;
        let is_news = !was_ready || kind == LoadKind::Load;
        if is_news && !self.features.silent_load {
            self.tell_all(Reason::MEDIUM_MAY_HAVE_CHANGED);
        }
        Ok(TapeReply::good(0))
    }

    /// UNLOAD.
    pub(super) fn unload(&mut self, volume: &mut dyn Volume) -> Result<TapeReply, Sense> {
        if !self.prevented_by.is_empty() {
            return Err(Sense::illegal(Reason::REMOVAL_PREVENTED));
        }
        volume.unload().map_err(|failed| match failed.sense {
            // The one thing that a drive refuses of it: another way in has locked the door.
            pseudotape_tape::Sense::IllegalRequest => Sense::illegal(Reason::REMOVAL_PREVENTED),
            _ => super::outcome::failed(failed),
        })?;
        self.forget_medium();
        Ok(TapeReply::good(0))
    }

    /// FORMAT MEDIUM and SET CAPACITY: only at a beginning, and what is recorded is lost.
    ///
    /// The standard wants the beginning of partition 0. The st driver rewinds before it formats, and stays in its
    /// partition thereby: drives let it.
    pub(super) fn format(
        &mut self,
        partitioning: Partitioning,
        volume: &mut dyn Volume,
    ) -> Result<TapeReply, Sense> {
        const FORMAT_BYTE: u16 = 2;
        let here = volume.position().map_err(failed)?;
        if !here.at_beginning() {
            return Err(Sense::illegal(Reason::PAST_BEGINNING));
        }
        let done = volume
            .make_partitions(partitioning)
            .map_err(|failed| without_residual(failed_write(failed, 0, FORMAT_BYTE)))?;
        self.forget_medium();
        arrived(done)
    }

    /// FORMAT MEDIUM: what its FORMAT field asks for.
    pub(super) fn asked_partitioning(&self, format: u8) -> Result<Partitioning, Sense> {
        match (format, self.partitioning) {
            (0, _) => Ok(Partitioning::Single),
            (_, Some(partitioning)) => Ok(partitioning),
            // The mode page was not set: it says what the medium is, and no MODE SELECT said how large the parts are.
            (_, None) => Err(Sense::invalid_field(FieldPointer::command(2))),
        }
    }
}
