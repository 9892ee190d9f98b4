//! READ, WRITE and VERIFY: records straight between the initiator's memory and the drive.

use std::num::NonZeroU32;

use pseudotape_tape::{Failed, ReadDone, Stop, Transfer, Volume, wide};

use super::command::{At, Counted};
use super::outcome::{
    data_missing, failed_after, failed_write, other_length, stopped, unexplained,
};
use super::segments::Segments;
use super::state::{TapeReply, TapeUnit};
use crate::sense::{FieldPointer, Reason, Sense, SenseKey};

/// Where the lengths of READ (6) and WRITE (6) are in their CDB.
const LENGTH_BYTE: u16 = 2;

/// A transfer whose unit is known.
#[derive(Clone, Copy)]
struct Sized {
    transfer: Transfer,
    /// Bytes of all of it.
    bytes: usize,
    /// What it counts in: bytes, or blocks.
    count: u32,
}

impl Sized {
    /// What is left where this many blocks were done: of one block all or nothing.
    fn residual(self, blocks: u64) -> u64 {
        match (self.transfer, blocks) {
            (Transfer::Fixed(_), _) => u64::from(self.count).saturating_sub(blocks),
            (Transfer::Variable, 0) => self.count.into(),
            (Transfer::Variable, _) => 0,
        }
    }

    /// Bytes of this many blocks.
    fn bytes_of(self, blocks: u64) -> usize {
        match (self.transfer, blocks) {
            (Transfer::Fixed(size), _) => {
                let bytes = usize::try_from(blocks).map(|n| n.saturating_mul(wide(size.get())));
                bytes.unwrap_or(usize::MAX).min(self.bytes)
            }
            (Transfer::Variable, 0) => 0,
            (Transfer::Variable, _) => self.bytes,
        }
    }
}

impl TapeUnit {
    fn sized(&mut self, counted: Counted, volume: &mut dyn Volume) -> Result<Sized, Sense> {
        match counted {
            Counted::Bytes(count) => Ok(Sized {
                transfer: Transfer::Variable,
                bytes: wide(count),
                count,
            }),
            Counted::Blocks(count) => {
                let size = NonZeroU32::new(self.block_size(volume)?);
                // In variable block mode nothing has a fixed length.
                let size = size.ok_or(Sense::invalid_field(FieldPointer::command_bit(1, 0)))?;
                Ok(Sized {
                    transfer: Transfer::Fixed(size),
                    bytes: wide(count).saturating_mul(wide(size.get())),
                    count,
                })
            }
        }
    }

    /// READ.
    pub(super) fn read(
        &mut self,
        counted: Counted,
        any_length: bool,
        segments: &mut Segments<'_, '_>,
        volume: &mut dyn Volume,
    ) -> Result<TapeReply, Sense> {
        let sized = self.sized(counted, volume)?;
        if sized.count == 0 {
            return Ok(TapeReply::good(0));
        }
        let is_block = sized.transfer == Transfer::Variable;
        if self.features.limits_reads
            && is_block
            && !volume.block_limits().contain(sized.count.into())
        {
            return Err(Sense::invalid_field(FieldPointer::command(LENGTH_BYTE)));
        }
        if any_length {
            // Asked for now, so that nothing can fail once there are data.
            self.block_size(volume)?;
        }
        let read = segments.incoming(&mut self.scratch, sized.bytes, |buffer| {
            let read = volume.read(sized.transfer, buffer);
            let filled = match &read {
                Ok(done) => done.bytes.min(buffer.len()),
                Err(failed) => match sized.transfer {
                    Transfer::Fixed(_) => sized.bytes_of(failed.count),
                    // Of a block that can't be read nothing is told.
                    Transfer::Variable => 0,
                },
            };
            (filled, read)
        });
        let (filled, read) = read.ok_or(data_missing())?;
        self.tally.counters.read_bytes += filled as u64;
        let sense = match read {
            Ok(done) => self.read_sense(sized, any_length, done),
            Err(failed) => {
                self.note_failed_read(failed);
                Some(failed_after(
                    failed,
                    sized.residual(failed.count),
                    LENGTH_BYTE,
                ))
            }
        };
        Ok(match sense {
            None => TapeReply::good(filled),
            Some(sense) => TapeReply::check_after(sense, filled),
        })
    }

    fn note_failed_read(&mut self, failed: Failed) {
        if failed.sense == pseudotape_tape::Sense::MediumError {
            self.tally.failed_reads = self.tally.failed_reads.saturating_add(1);
            self.tally.unread = true;
        }
    }

    fn read_sense(&self, sized: Sized, any_length: bool, done: ReadDone) -> Option<Sense> {
        if let Some(stop) = done.stop {
            return Some(stopped(stop, sized.residual(done.blocks)));
        }
        // With SILI a longer block is news only where the mode says how long blocks are (SSC-4 §6.6).
        let ignored =
            any_length && (done.block_length < sized.count || self.block_size.unwrap_or(0) == 0);
        match sized.transfer {
            Transfer::Fixed(_) => match sized.residual(done.blocks) {
                0 => None,
                residual => Some(unexplained(residual)),
            },
            Transfer::Variable if ignored || done.block_length == sized.count => None,
            Transfer::Variable => Some(other_length(sized.count, done.block_length)),
        }
    }

    /// WRITE.
    pub(super) fn write(
        &mut self,
        counted: Counted,
        segments: &mut Segments<'_, '_>,
        volume: &mut dyn Volume,
    ) -> Result<TapeReply, Sense> {
        let sized = self.sized(counted, volume)?;
        if sized.count == 0 {
            return Ok(TapeReply::good(0));
        }
        let data = segments.outgoing(&mut self.scratch, sized.bytes);
        let written = volume.write(sized.transfer, data.ok_or(data_missing())?);
        let (blocks, sense) = match written {
            Ok(done) => {
                let residual = sized.residual(done.count);
                let sense = match done.stop {
                    Some(stop) => Some(stopped(stop, residual)),
                    None if residual > 0 => Some(unexplained(residual)),
                    None => None,
                };
                (done.count, sense)
            }
            Err(failed) => {
                if failed.sense == pseudotape_tape::Sense::MediumError {
                    self.tally.failed_writes = self.tally.failed_writes.saturating_add(1);
                    self.tally.unwritten = true;
                }
                let residual = sized.residual(failed.count);
                (
                    failed.count,
                    Some(failed_write(failed, residual, LENGTH_BYTE)),
                )
            }
        };
        let taken = sized.bytes_of(blocks);
        self.tally.counters.written_bytes += taken as u64;
        Ok(match sense {
            None => TapeReply::good(taken),
            Some(sense) => TapeReply::check_after(sense, taken),
        })
    }

    /// VERIFY: blocks are read; with `compare` they have to be what came with the command.
    pub(super) fn verify(
        &mut self,
        counted: Counted,
        compare: bool,
        segments: &mut Segments<'_, '_>,
        volume: &mut dyn Volume,
    ) -> Result<TapeReply, Sense> {
        let sized = self.sized(counted, volume)?;
        if sized.count == 0 {
            return Ok(TapeReply::good(0));
        }
        let (size, blocks) = match sized.transfer {
            Transfer::Variable => (sized.bytes, 1),
            Transfer::Fixed(size) => (wide(size.get()), u64::from(sized.count)),
        };
        let mut read = vec![0; size];
        let mut gathered = Vec::new();
        let given = match compare {
            true => {
                let data = segments.outgoing(&mut gathered, sized.bytes);
                Some(data.ok_or(data_missing())?)
            }
            false => None,
        };
        let mut expected = given.map(|data| data.chunks(size));
        for before in 0..blocks {
            let done = match volume.read(Transfer::Variable, &mut read) {
                Ok(done) => done,
                Err(failed) => {
                    self.note_failed_read(failed);
                    let residual = sized.residual(before);
                    return Err(failed_after(failed, residual, LENGTH_BYTE));
                }
            };
            let residual = sized.residual(before);
            if let Some(stop) = done.stop {
                return Err(stopped(stop, residual));
            }
            if wide(done.block_length) != size {
                return Err(match sized.transfer {
                    Transfer::Variable => other_length(sized.count, done.block_length),
                    Transfer::Fixed(_) => stopped(Stop::IllegalLength, residual),
                });
            }
            if let Some(chunks) = &mut expected
                && chunks.next() != Some(&read)
            {
                return Err(Sense {
                    information: Some(residual),
                    ..Sense::new(SenseKey::Miscompare, Reason::MISCOMPARE)
                });
            }
        }
        Ok(TapeReply::good(if compare { sized.bytes } else { 0 }))
    }

    /// Goes to where a command of 16 bytes begins, unless the tape is there.
    pub(super) fn go_to(&mut self, at: At, volume: &mut dyn Volume) -> Result<(), Sense> {
        const PARTITION_BYTE: u16 = 3;
        let Some(to) = at else {
            return Ok(());
        };
        let here = volume
            .position()
            .map_err(|failed| failed_after(failed, 0, PARTITION_BYTE))?;
        if to.object == here.object && to.partition.is_none_or(|p| p == here.partition) {
            return Ok(());
        }
        if let Some(partition) = to.partition {
            self.note_capacity(here.partition, partition, volume);
        }
        let done = volume
            .locate(to)
            .map_err(|failed| failed_after(failed, 0, PARTITION_BYTE))?;
        match done.stop {
            None => Ok(()),
            Some(stop) => Err(Sense {
                information: None,
                ..stopped(stop, 0)
            }),
        }
    }
}
