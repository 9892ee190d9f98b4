//! Reading blocks, and finding out why nothing was read.

use nix::errno::Errno;
use pseudotape_mtio::Operation;
use pseudotape_tape::{BlockLimits, Failed, ReadDone, Sense, Stop, Transfer, read_each};

use crate::limits::LARGEST_BLOCK;
use crate::state::{DeviceDrive, Locating};

/// Shortest limit for reads that is tried. Every host adapter that can be used for tapes supports it.
const SHORTEST_READ: usize = 64 * 1024;

/// The result of one read(2).
enum Met {
    Block(usize),
    Stop(Stop),
    /// The block is longer than the buffer. The tape is before the block again.
    TooLong,
    /// The host adapter does not support a read of this length. The tape did not move.
    TooMuch,
}

impl DeviceDrive {
    pub(crate) fn read_blocks(
        &mut self,
        transfer: Transfer,
        buffer: &mut [u8],
    ) -> Result<ReadDone, Failed> {
        self.begin()?;
        let Transfer::Fixed(size) = transfer else {
            return self.read_block(buffer);
        };
        let here = self.position_here();
        read_each(size, buffer, here, |part, _| self.read_block(part))
    }

    fn nothing_read(&self, stop: Option<Stop>) -> ReadDone {
        ReadDone {
            blocks: 0,
            bytes: 0,
            block_length: 0,
            stop,
            position: self.position_here(),
        }
    }

    fn block_read(&self, length: usize, bytes: usize) -> ReadDone {
        ReadDone {
            blocks: 1,
            bytes,
            block_length: u32::try_from(length).unwrap_or(u32::MAX),
            stop: None,
            position: self.position_here(),
        }
    }

    /// Reads one block, directly into the buffer unless a longer block is expected.
    fn read_block(&mut self, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        let limits = self.known_limits();
        let shortest = self.expected.max(limits.min_bytes as usize).max(1);
        if buffer.len() >= shortest {
            let length = buffer.len().min(self.longest());
            match self.read_once(&mut buffer[..length])? {
                Met::Block(length) => return Ok(self.block_read(length, length)),
                Met::Stop(stop) => return Ok(self.nothing_read(Some(stop))),
                Met::TooLong | Met::TooMuch => {}
            }
        }
        self.read_through_own(buffer)
    }

    /// Reads one block into an internal buffer for the longest block, to learn its length, and copies as much
    /// as fits into the caller's buffer.
    fn read_through_own(&mut self, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        let mut own = std::mem::take(&mut self.buffer);
        let result = loop {
            let length = self.longest();
            match self.read_once(own.get(length)) {
                Ok(Met::TooMuch) if length > SHORTEST_READ => {}
                Ok(Met::Block(length)) => {
                    let bytes = length.min(buffer.len());
                    buffer[..bytes].copy_from_slice(&own.get(length)[..bytes]);
                    if length > buffer.len() {
                        self.expected = self.expected.max(length);
                    }
                    break Ok(self.block_read(length, bytes));
                }
                Ok(Met::Stop(stop)) => break Ok(self.nothing_read(Some(stop))),
                Ok(Met::TooLong | Met::TooMuch) => break self.skip_unreadable(),
                Err(failed) => break Err(failed),
            }
        };
        self.buffer = own;
        result
    }

    pub(crate) fn learn_largest(&mut self) {
        self.limits = Some(BlockLimits {
            max_bytes: LARGEST_BLOCK - 1,
            ..self.known_limits()
        });
    }

    /// The longest useful read.
    pub(crate) fn longest(&self) -> usize {
        let largest_block = self.known_limits().max_bytes as usize;
        largest_block.min(self.longest_read)
    }

    /// Passes a block that can't be read: it is longer than the block limits of the drive or the limit of the
    /// host adapter.
    fn skip_unreadable(&mut self) -> Result<ReadDone, Failed> {
        let at = self.begin()?;
        match self.operate(Operation::ForwardBlocks, 1) {
            Ok(()) => {
                self.passed_block(at);
                self.fail(Sense::MediumError, 0)
            }
            Err(errno) => Err(self.failed("passing a block that is too long", errno)),
        }
    }

    fn read_once(&mut self, into: &mut [u8]) -> Result<Met, Failed> {
        let at = self.begin()?;
        let read = match &self.node {
            Some(node) => node.read(into),
            None => Err(Errno::ENXIO),
        };
        match read {
            Ok(0) => self.mark_or_end(at).map(Met::Stop),
            Ok(length) => {
                if self.medium.locating == Locating::Counted && self.read_past_end()? {
                    // The driver has counted this as a block.
                    self.medium.miscounted = true;
                    return Ok(Met::Stop(self.meet_end(at)));
                }
                self.passed_block(at);
                Ok(Met::Block(length))
            }
            // The driver has passed the block and has dropped its data.
            Err(Errno::ENOMEM) => self.step_back_to(at, Errno::ENOMEM).map(|()| Met::TooLong),
            Err(errno @ (Errno::EBUSY | Errno::EOVERFLOW)) if into.len() > SHORTEST_READ => {
                self.longest_read = (into.len() / 2).max(SHORTEST_READ);
                self.step_back_to(at, errno).map(|()| Met::TooMuch)
            }
            // The read is longer than the longest block of the drive. `MTSETBLK`, with its 24 bits, could not
            // find that limit.
            Err(Errno::EINVAL) if into.len() == LARGEST_BLOCK as usize => {
                self.learn_largest();
                Ok(Met::TooMuch)
            }
            Err(errno) => self.after_failed_read(at, errno).map(Met::Stop),
        }
    }

    /// Some emulations that can't report their position return bytes at the end of data that were never
    /// written. They set the flag for the end of the medium with them.
    fn read_past_end(&mut self) -> Result<bool, Failed> {
        match self.flags() {
            Ok(flags) => Ok(flags.end_of_data || flags.end_of_tape),
            Err(errno) => Err(self.failed("asking for the status", errno)),
        }
    }

    fn passed_block(&mut self, at: u64) {
        self.medium.files.saw_blocks(at, 1);
        self.medium.suspected = false;
        self.arrive(at + 1, self.medium.file);
    }

    fn meet_end(&mut self, at: u64) -> Stop {
        self.medium.files.saw_end(at);
        // Some drivers confuse this with the end of the medium, and fail the next write with ENOSPC.
        self.medium.edge = true;
        Stop::EndOfData
    }

    /// Goes back to the position before a failed read, so that the read can be repeated. The read moved the
    /// tape by at most one block.
    fn step_back_to(&mut self, at: u64, errno: Errno) -> Result<(), Failed> {
        if self.medium.locating == Locating::Asked {
            match self.ask() {
                Ok(object) if object == at + 1 => {}
                Ok(object) if object == at && errno != Errno::ENOMEM => return Ok(()),
                Ok(object) if object == at => {
                    // The kernel had no memory, so the drive got no command.
                    self.note("reading", errno);
                    return self.fail(Sense::HardwareError, 0);
                }
                Ok(object) => return Err(self.found_elsewhere(object)),
                Err(errno) => return Err(self.lost_by("asking for the position", errno)),
            }
        }
        match self.operate(Operation::BackBlocks, 1) {
            Ok(()) => Ok(()),
            Err(errno) => Err(self.lost_by("stepping back over a block", errno)),
        }
    }

    /// A read returned 0 bytes: it passed a mark, or it is at the end of data.
    fn mark_or_end(&mut self, at: u64) -> Result<Stop, Failed> {
        if self.medium.locating == Locating::Counted {
            return match self.flags() {
                Ok(flags) if flags.mark => Ok(self.passed_filemark(at)),
                Ok(flags) if flags.end_of_data || flags.end_of_tape => Ok(self.meet_end(at)),
                Ok(_) => {
                    self.lose_place();
                    Err(Failed::at(Sense::HardwareError, None))
                }
                Err(errno) => Err(self.failed("asking for the status", errno)),
            };
        }
        match self.ask() {
            Ok(object) if object == at => Ok(self.meet_end(at)),
            Ok(object) if object == at + 1 => match self.mark_behind(object)? {
                Stop::Filemark => Ok(self.passed_filemark(at)),
                setmark => {
                    self.passed_block(at);
                    Ok(setmark)
                }
            },
            Ok(object) => Err(self.found_elsewhere(object)),
            Err(errno) => Err(self.lost_by("asking for the position", errno)),
        }
    }

    pub(crate) fn passed_filemark(&mut self, at: u64) -> Stop {
        self.medium.files.saw_mark(at);
        self.arrive(at + 1, self.medium.file.map(|file| file + 1));
        Stop::Filemark
    }

    /// Finds the kind of the mark directly before the current position. The tape ends up at the same position.
    ///
    /// The driver reports both kinds as filemarks. Spacing back over one filemark succeeds at a filemark, and
    /// fails behind a setmark.
    pub(crate) fn mark_behind(&mut self, object: u64) -> Result<Stop, Failed> {
        if !self.medium.setmarks {
            return Ok(Stop::Filemark);
        }
        let (kind, forward) = match self.operate(Operation::BackFilemarks, 1) {
            Ok(()) => (Stop::Filemark, Operation::ForwardFilemarks),
            Err(Errno::EIO) => (Stop::Setmark, Operation::ForwardSetmarks),
            Err(errno) => return Err(self.failed("stepping back over a mark", errno)),
        };
        match self.operate(forward, 1).and_then(|()| self.ask()) {
            Ok(now) if now == object => Ok(kind),
            Ok(now) => Err(self.found_elsewhere(now)),
            Err(errno) => Err(self.lost_by("stepping over a mark", errno)),
        }
    }

    /// Finds the cause of an EIO: the end of data, a damaged block, or a unit attention.
    fn after_failed_read(&mut self, at: u64, errno: Errno) -> Result<Stop, Failed> {
        let flags = self.flags().ok();
        let ended = |flags: Option<crate::state::Flags>| flags.is_some_and(|f| f.end_of_data);
        let object = self.find("reading", errno)?;
        if object == at && ended(flags) {
            return Ok(self.meet_end(at));
        }
        if self.medium.locating == Locating::Asked {
            if object == at + 1 {
                self.passed_block(at);
                return self.fail(Sense::MediumError, 0);
            }
            if object != at {
                return Err(self.found_elsewhere(object));
            }
        }
        // The tape did not move. Spacing over one block detects the end of data of a blank tape: st sets no
        // flag for that after the read.
        match self.operate(Operation::ForwardBlocks, 1) {
            Err(Errno::EIO) if ended(self.flags().ok()) => Ok(self.meet_end(at)),
            Ok(()) if self.medium.locating == Locating::Asked => self.damaged_or_changed(at),
            Ok(()) => {
                self.passed_block(at);
                self.fail(Sense::MediumError, 0)
            }
            Err(errno) => Err(self.lost_by("passing a block that could not be read", errno)),
        }
    }

    /// A block could not be read. A changed medium makes a read fail too, but only once.
    fn damaged_or_changed(&mut self, at: u64) -> Result<Stop, Failed> {
        let mut own = std::mem::take(&mut self.buffer);
        let length = self.longest();
        let again = self.operate(Operation::BackBlocks, 1).and_then(|()| {
            let node = self.node.as_ref().ok_or(Errno::ENXIO)?;
            node.read(own.get(length))
        });
        self.buffer = own;
        let back = match again {
            Ok(_) => self
                .operate(Operation::BackBlocks, 1)
                .and_then(|()| self.ask()),
            Err(Errno::EIO) => self.ask(),
            Err(errno) => return Err(self.failed("reading again", errno)),
        };
        match (again, back) {
            (Ok(_), Ok(object)) => {
                self.forget_medium();
                self.arrive(object, None);
                self.fail(Sense::MediumChanged, 0)
            }
            (Err(_), Ok(object)) if object == at + 1 => {
                self.passed_block(at);
                self.fail(Sense::MediumError, 0)
            }
            (Err(_), Ok(object)) if object == at => {
                match self.operate(Operation::ForwardBlocks, 1) {
                    Ok(()) => self.passed_block(at),
                    Err(errno) => return Err(self.lost_by("passing a damaged block", errno)),
                }
                self.fail(Sense::MediumError, 0)
            }
            (_, Ok(object)) => Err(self.found_elsewhere(object)),
            (_, Err(errno)) => Err(self.lost_by("asking for the position", errno)),
        }
    }
}
