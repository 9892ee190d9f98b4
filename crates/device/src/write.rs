//! Writing blocks.

use nix::errno::Errno;
use pseudotape_mtio::Operation;
use pseudotape_tape::{Done, Failed, Sense, Stop, Transfer};

use crate::aligned::AlignedBuffer;
use crate::limits::LARGEST_BLOCK;
use crate::state::{DeviceDrive, Locating};
use pseudotape_tape::Access;

/// The result of one write(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Put {
    Fits,
    FitsInEarlyWarning,
    DoesNotFit,
}

impl DeviceDrive {
    /// The first step of every operation that changes the medium.
    pub(crate) fn begin_change(&mut self) -> Result<u64, Failed> {
        let at = self.begin()?;
        if self.access == Access::ReadOnly || self.medium.protected {
            return self.fail(Sense::WriteProtected, 0);
        }
        Ok(at)
    }

    pub(crate) fn write_blocks(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        self.begin_change()?;
        let size = match transfer {
            Transfer::Variable => data.len(),
            Transfer::Fixed(size) => size.get() as usize,
        };
        if !self.takes_block(size) || !data.len().is_multiple_of(size) {
            return self.fail(Sense::IllegalRequest, 0);
        }
        let mut written = 0;
        let mut warned = false;
        for block in data.chunks(size) {
            let put = self.write_block(block).map_err(|failed| Failed {
                count: written + failed.count,
                ..failed
            })?;
            match put {
                Put::DoesNotFit => return Ok(self.done(written, Some(Stop::EndOfPartition))),
                Put::FitsInEarlyWarning => warned = true,
                Put::Fits => {}
            }
            written += 1;
        }
        Ok(self.done(written, warned.then_some(Stop::EarlyWarning)))
    }

    /// Whether the drive supports a block of this length, as far as its limits are known.
    pub(crate) fn takes_block(&self, length: usize) -> bool {
        let limits = self.known_limits();
        u32::try_from(length).is_ok_and(|bytes| {
            limits.contain(bytes.into()) && bytes.is_multiple_of(limits.granularity_bytes.max(1))
        })
    }

    fn write_block(&mut self, block: &[u8]) -> Result<Put, Failed> {
        let at = self.begin()?;
        self.forget_turns();
        let mut written = self.send(block);
        if written == Err(Errno::ENOSPC) && self.was_only_told(at)? {
            written = self.send(block);
        }
        match written {
            Ok(()) => self.hear_of_write(at),
            Err(Errno::ENOSPC) => self.refused_at_end(at),
            Err(Errno::EINVAL) if block.len() == LARGEST_BLOCK as usize => {
                self.learn_largest();
                self.fail(Sense::IllegalRequest, 0)
            }
            Err(errno) => self.after_failed_write(at, errno),
        }
    }

    /// Behind early warning st fails every other write with ENOSPC, without asking the drive. Spacing with a
    /// count of 0 resets that, so that each write reaches the drive.
    fn forget_turns(&mut self) {
        if self.medium.edge && self.operate(Operation::ForwardBlocks, 0).is_ok() {
            self.medium.edge = false;
        }
    }

    /// Writes one block, from memory that st can transfer directly.
    fn send(&mut self, block: &[u8]) -> Result<(), Errno> {
        let node = self.node.as_ref().ok_or(Errno::ENXIO)?;
        // Without this st would write a filemark at the next close or rewind.
        let written = if AlignedBuffer::is_aligned(block) {
            node.write_unmarked(block)
        } else {
            let own = self.buffer.get(block.len());
            own.copy_from_slice(block);
            node.write_unmarked(own)
        }?;
        if written < block.len() {
            return Err(Errno::EIO);
        }
        Ok(())
    }

    /// Whether an ENOSPC came from the driver alone, without a command to the drive. Then the status has the
    /// flag EOD, otherwise EOT.
    fn was_only_told(&mut self, at: u64) -> Result<bool, Failed> {
        let place = if self.medium.locating == Locating::Asked {
            self.ask()
        } else {
            Ok(at)
        };
        match (place, self.flags()) {
            (Ok(object), Ok(flags)) => Ok(object == at && flags.end_of_data),
            (Err(errno), _) | (_, Err(errno)) => Err(self.lost_by("asking after a write", errno)),
        }
    }

    /// Checks for early warning after a successful write: it is in the status.
    fn hear_of_write(&mut self, at: u64) -> Result<Put, Failed> {
        let flags = match self.flags() {
            Ok(flags) => flags,
            Err(errno) => return Err(self.lost_by("asking for the status", errno)),
        };
        self.wrote_block(at);
        if flags.end_of_tape || flags.end_of_data {
            self.medium.edge = true;
            self.medium.early_warning.get_or_insert(at + 1);
            Ok(Put::FitsInEarlyWarning)
        } else {
            Ok(Put::Fits)
        }
    }

    fn wrote_block(&mut self, at: u64) {
        self.cut_at(at);
        self.medium.files.saw_blocks(at, 1);
        self.medium.files.saw_end(at + 1);
        self.medium.suspected = false;
        self.arrive(at + 1, self.medium.file);
    }

    /// Records that something was written at a position: the objects behind it are gone.
    pub(crate) fn cut_at(&mut self, at: u64) {
        self.medium.files.cut(at);
        self.medium.dirty = true;
        // What met early warning lay behind this place. Other objects meet it elsewhere, or don't.
        if !self.is_past_early_warning(at) {
            self.medium.early_warning = None;
        }
    }

    /// Handles the ENOSPC of a write that reached the drive. Some drives report a block as not written though
    /// they wrote it. The position decides.
    fn refused_at_end(&mut self, at: u64) -> Result<Put, Failed> {
        self.medium.edge = true;
        if self.medium.locating == Locating::Counted {
            return Ok(Put::DoesNotFit);
        }
        match self.ask() {
            Ok(object) if object == at => Ok(Put::DoesNotFit),
            Ok(object) if object == at + 1 => {
                self.wrote_block(at);
                self.medium.edge = true;
                self.medium.early_warning.get_or_insert(at + 1);
                Ok(Put::FitsInEarlyWarning)
            }
            Ok(object) => Err(self.found_elsewhere(object)),
            Err(errno) => Err(self.lost_by("asking for the position", errno)),
        }
    }

    fn after_failed_write(&mut self, at: u64, errno: Errno) -> Result<Put, Failed> {
        if errno != Errno::EIO {
            return Err(self.failed("writing", errno));
        }
        let object = self.find("writing", errno)?;
        if self.medium.locating == Locating::Counted {
            self.lose_place();
            return Err(Failed::at(Sense::HardwareError, None));
        }
        if object == at + 1 {
            // The drive reports an error, though its position says that the block is on the tape.
            self.wrote_block(at);
            return self.fail(Sense::HardwareError, 1);
        }
        if object != at {
            return Err(self.found_elsewhere(object));
        }
        let sense = self.why_refused(at)?;
        self.fail(sense, 0)
    }

    /// Finds out why a drive refused to write, although it responds and its tape did not move. If data follows
    /// that can be passed, the medium is append-only. At the beginning, the medium may have been changed.
    pub(crate) fn why_refused(&mut self, at: u64) -> Result<Sense, Failed> {
        if self.has_data_behind(at)? {
            self.medium.worm = true;
            return Ok(Sense::WormOverwrite);
        }
        if at == 0 && !self.medium.suspected {
            self.forget_medium();
            self.medium.suspected = true;
            return Ok(Sense::MediumChanged);
        }
        Ok(Sense::HardwareError)
    }

    fn has_data_behind(&mut self, at: u64) -> Result<bool, Failed> {
        let stepped = self.operate(Operation::ForwardBlocks, 1);
        let data = match stepped {
            Ok(()) => true,
            Err(Errno::EIO) => self.flags().is_ok_and(|flags| flags.mark),
            Err(errno) => return Err(self.failed("looking behind the place", errno)),
        };
        if data {
            self.go_back(at)?;
        }
        Ok(data)
    }

    /// Goes back to a position after looking elsewhere.
    pub(crate) fn go_back(&mut self, at: u64) -> Result<(), Failed> {
        let back = i32::try_from(at).map_err(|_| Errno::EINVAL);
        let back = back.and_then(|to| self.operate(Operation::Seek, to));
        match back {
            Ok(()) => Ok(()),
            Err(errno) => Err(self.lost_by("going back", errno)),
        }
    }
}
