//! `write(2)` (`st_write`).

use pseudotape_mtio::Booleans;
use pseudotape_tape::{Done, Drive, Sense, Stop, Transfer};

use crate::St;
use crate::errno::{Errno, Refusal};
use crate::options::EndOfTape;
use crate::settle::Next;
use crate::state::{Edge, Motion};

impl St {
    /// Writes `data`, as one block or as blocks of the fixed size.
    ///
    /// | condition | result | position after |
    /// |---|---|---|
    /// | fits before early warning | whole count | behind it |
    /// | fits, in the early-warning zone | whole count; the next write ENOSPC, or 0 with [`EndOfTape::Bsd`], and so on in turn | behind it |
    /// | only a part of the blocks fits | what fitted | behind them |
    /// | nothing fits | ENOSPC, for ever | unchanged |
    /// | opened to read, or protected | EACCES | unchanged |
    pub fn write(&mut self, drive: &mut dyn Drive, data: &[u8]) -> Result<usize, Errno> {
        let result = self.write_blocks(drive, data);
        self.answer_write(result)
    }

    /// Decides a write of this length before its data is there: what [`St::write`] would refuse, it
    /// refuses, ENOSPC included, which is told thereby. Says how many bytes there is room for: all, or in
    /// fixed block mode the blocks that fit before the physical end; none where the write returns 0.
    pub fn check_write(&mut self, drive: &mut dyn Drive, count: usize) -> Result<usize, Errno> {
        let result = self
            .begin_write(drive, count)
            .and_then(|()| self.require_taken(drive, count))
            .and_then(|()| self.require_room(drive, count));
        self.answer_write(result)
    }

    fn answer_write(&mut self, result: Result<usize, Refusal>) -> Result<usize, Errno> {
        match (result, self.settings.end_of_tape) {
            (Err(Refusal::EarlyWarning), EndOfTape::Bsd) => Ok(0),
            (result, _) => self.answer(result),
        }
    }

    /// Lengthens the block just written (variable block mode), or writes further blocks of the same
    /// call, by `data`: for a frontend that could not know how long the call is.
    ///
    /// Early warning met here is told by the write after this call, as if it had come in one piece.
    pub fn extend(&mut self, drive: &mut dyn Drive, data: &[u8]) -> Result<usize, Errno> {
        let result = self.extend_block(drive, data);
        self.answer(result)
    }

    fn write_blocks(&mut self, drive: &mut dyn Drive, data: &[u8]) -> Result<usize, Refusal> {
        self.begin_write(drive, data.len())?;
        if data.is_empty() {
            return Ok(0);
        }
        self.mount.here().motion = Motion::Writing;
        let written = drive.write(self.transfer(), data);
        let written = self.heard(written);
        match written {
            Ok(done) => self.count_written(&done, data.len()),
            Err(failed) => self.lose_place(failed.sense),
        }
    }

    fn begin_write(&mut self, drive: &mut dyn Drive, count: usize) -> Result<(), Refusal> {
        self.check_transfer(drive, count)?;
        if count == 0 {
            return Ok(());
        }
        if !self.is_whole(count) {
            return Err(Refusal::PartialBlock {
                count,
                block_size: self.mount.block_size,
            });
        }
        if self.writing_is_refused() {
            return Err(Refusal::ReadOnly);
        }
        let here = *self.mount.here();
        match here.motion {
            Motion::Reading => {
                self.settle(drive, Next::FromHere)?;
                self.mount.here().motion = Motion::Writing;
            }
            Motion::Idle if here.file == 0 && here.block == 0 => {
                self.set_defaults_for_writing(drive)?;
            }
            Motion::Idle | Motion::Writing => {}
        }
        let here = self.mount.here();
        if here.edge == Edge::EarlyWarning {
            here.edge = Edge::NoSpaceTold;
            return Err(Refusal::EarlyWarning);
        }
        Ok(())
    }

    /// A block of a length that the drive refuses is told so like one that was tried. st's own limits don't say it:
    /// with `no-blklims` there are none, and a granularity is the drive's to refuse.
    fn require_taken(&mut self, drive: &mut dyn Drive, count: usize) -> Result<(), Refusal> {
        if count == 0 || self.mount.block_size != 0 {
            // A fixed block size was accepted by the drive when it was set.
            return Ok(());
        }
        let limits = drive.block_limits();
        let length = count as u64;
        let granularity = u64::from(limits.granularity_bytes.max(1));
        if limits.contain(length) && length.is_multiple_of(granularity) {
            return Ok(());
        }
        self.mount.here().motion = Motion::Writing;
        self.lose_place(Sense::IllegalRequest)
    }

    /// A write that can't even begin before the physical end is told so like one that was tried.
    fn require_room(&mut self, drive: &mut dyn Drive, count: usize) -> Result<usize, Refusal> {
        let capacity = drive.capacity();
        // A drive that doesn't know lets the write find out.
        let room = match self.heard(capacity) {
            Ok(capacity) => capacity.room_bytes,
            Err(_) => None,
        };
        let room = room.map_or(count, |room| {
            usize::try_from(room).map_or(count, |room| room.min(count))
        });
        let fits = match self.transfer() {
            Transfer::Variable if room < count => 0,
            Transfer::Variable => count,
            Transfer::Fixed(size) => {
                usize::try_from(size.get()).map_or(count, |size| room / size * size)
            }
        };
        if fits == 0 && count > 0 {
            let here = self.mount.here();
            here.motion = Motion::Writing;
            here.edge = Edge::EarlyWarning;
            return Err(Refusal::NoSpace);
        }
        Ok(fits)
    }

    /// Counts what a command to write did, and turns its news into what the program is told.
    fn count_written(&mut self, done: &Done, asked: usize) -> Result<usize, Refusal> {
        let bytes = match self.transfer() {
            Transfer::Variable if done.count > 0 => asked,
            Transfer::Variable => 0,
            Transfer::Fixed(size) => usize::try_from(done.count.saturating_mul(size.get().into()))
                .map_or(asked, |bytes| bytes.min(asked)),
        };
        let here = self.mount.here();
        here.advance(done.count);
        match done.stop {
            Some(Stop::EarlyWarning | Stop::EndOfPartition) => {
                here.edge = Edge::EarlyWarning;
                if bytes == 0 {
                    return Err(Refusal::NoSpace);
                }
            }
            Some(
                Stop::Filemark
                | Stop::Setmark
                | Stop::EndOfData
                | Stop::BeginningOfPartition
                | Stop::IllegalLength,
            )
            | None => {
                here.edge = match here.edge {
                    // The turns go on even if the drive reports early warning only once.
                    Edge::NoSpaceTold | Edge::EarlyWarning => Edge::EarlyWarning,
                    Edge::None
                    | Edge::FilemarkUntold
                    | Edge::Filemark
                    | Edge::ZeroTold
                    | Edge::EndOfData => Edge::None,
                };
            }
        }
        Ok(bytes)
    }

    fn extend_block(&mut self, drive: &mut dyn Drive, data: &[u8]) -> Result<usize, Refusal> {
        self.require_open()?;
        self.mount.require_ready()?;
        if self.drive.position_lost {
            return Err(Refusal::PositionLost);
        }
        if self.mount.here().motion != Motion::Writing {
            return Err(Refusal::Drive(Sense::IllegalRequest));
        }
        if !self.is_whole(data.len()) {
            return Err(Refusal::PartialBlock {
                count: data.len(),
                block_size: self.mount.block_size,
            });
        }
        let transfer = self.transfer();
        let extended = match transfer {
            Transfer::Variable => drive.extend(data),
            Transfer::Fixed(_) => drive.write(transfer, data),
        };
        match (self.heard(extended), transfer) {
            (Ok(done), Transfer::Fixed(_)) => self.count_written(&done, data.len()),
            (Ok(done), Transfer::Variable) => match done.stop {
                Some(Stop::EndOfPartition) => {
                    self.mount.here().edge = Edge::EarlyWarning;
                    Err(Refusal::NoSpace)
                }
                Some(Stop::EarlyWarning) => {
                    self.mount.here().edge = Edge::EarlyWarning;
                    Ok(data.len())
                }
                Some(
                    Stop::Filemark
                    | Stop::Setmark
                    | Stop::EndOfData
                    | Stop::BeginningOfPartition
                    | Stop::IllegalLength,
                )
                | None => Ok(data.len()),
            },
            // A drive that can't lengthen has changed nothing, and the block stays as long as it is.
            (Err(failed), Transfer::Variable) if failed.sense == Sense::IllegalRequest => {
                Err(Refusal::Drive(failed.sense))
            }
            (Err(failed), _) => self.lose_place(failed.sense),
        }
    }

    fn lose_place<T>(&mut self, sense: Sense) -> Result<T, Refusal> {
        self.mount.here().block = -1;
        Err(Refusal::Drive(sense))
    }

    /// Writing from the beginning of the tape sets the defaults of the mode.
    fn set_defaults_for_writing(&mut self, drive: &mut dyn Drive) -> Result<(), Refusal> {
        self.set_default_mode(drive)?;
        let compression = self.mode().and_then(|mode| mode.default_compression);
        if let Some(on) = compression.filter(|_| !self.mount.compression_set)
            && self.set_compression(drive, on).is_err()
            && self.settings.modes_defined()
        {
            return Err(Refusal::DefaultsRefused);
        }
        Ok(())
    }

    pub(crate) fn writing_is_refused(&self) -> bool {
        self.open.as_ref().is_none_or(|open| open.write_refused)
    }

    /// Whether filemarks wait for stable storage.
    pub(crate) fn waits_for_marks(&self) -> bool {
        !self.has(Booleans::NO_WAIT_FILEMARKS)
    }
}
