use crate::calls::{CallShape, Direction};
use crate::device::CallTrouble;
use crate::numbers::{Errno, Handle};

/// How many system calls of one device may be between their first and their last piece: one for each
/// task. A further call is `EBUSY`. Each call can hold a buffer of the longest transfer.
pub const CALLS_IN_HAND_MAX: usize = 4;

/// A call whose length is known and of which some pieces are still to come.
#[derive(Debug)]
pub(crate) struct InHand {
    pub(crate) handle: Handle,
    pub(crate) tid: u32,
    /// Offset of the first piece; the others count on from it.
    pub(crate) base: u64,
    /// Bytes answered to the kernel so far.
    pub(crate) done: usize,
    pub(crate) shape: CallShape,
    pub(crate) buffer: Vec<u8>,
    pub(crate) work: Work,
}

/// What the pieces of a call are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// They bring the data of a write.
    Gather {
        /// Length of the call.
        total: usize,
        /// How many of these bytes the device takes.
        take: usize,
    },
    /// They hand out the bytes of a read that the device made as a whole.
    Serve {
        /// Length of the call, where known.
        total: Option<usize>,
        /// What the device read.
        available: usize,
    },
}

impl InHand {
    pub(crate) fn direction(&self) -> Direction {
        match self.work {
            Work::Gather { .. } => Direction::Write,
            Work::Serve { .. } => Direction::Read,
        }
    }

    /// Whether a further piece must come, unless the task is killed.
    pub(crate) fn is_awaited(&self) -> bool {
        match self.work {
            Work::Gather { .. } => true,
            Work::Serve { total, .. } => total.is_some(),
        }
    }

    /// Whether the call is a read that may go on, which only the kernel knows.
    pub(crate) fn is_unmeasured_read(&self) -> bool {
        matches!(self.work, Work::Serve { total: None, .. })
    }

    /// The bytes that a read of unknown length loses if no further piece of it comes.
    pub(crate) fn left_behind(&self) -> Option<CallTrouble> {
        match self.work {
            Work::Serve {
                total: None,
                available,
            } if self.done < available => Some(CallTrouble::RestLost {
                read_bytes: self.done,
                block_bytes: available,
            }),
            Work::Serve { .. } | Work::Gather { .. } => None,
        }
    }

    /// Whether a piece is this call's next one.
    pub(crate) fn continues(
        &self,
        handle: Handle,
        tid: u32,
        offset: u64,
        direction: Direction,
    ) -> bool {
        self.handle == handle
            && self.tid == tid
            && self.direction() == direction
            && self.base.checked_add(self.done as u64) == Some(offset)
    }
}

/// The state of an open file that lasts from call to call.
#[derive(Debug)]
pub(crate) struct OpenFile {
    pub(crate) handle: Handle,
    /// Length of the last read that was seen to be plain and whole: `/proc` need not be asked about the next read of
    /// the same length.
    pub(crate) usual_read: usize,
    /// The same for writes.
    pub(crate) usual_write: usize,
    /// An error of a write whose call could only be given a short count.
    pub(crate) owed_write: Option<Errno>,
    /// The end of a read that was made piece by piece: nothing more, or an error.
    pub(crate) owed_read: Option<Result<(), Errno>>,
    /// A write that may still be lengthened.
    pub(crate) growing: Option<Growing>,
    /// Where the next piece of a read that is made piece by piece would start.
    pub(crate) streaming: Option<Expected>,
}

impl OpenFile {
    pub(crate) fn new(handle: Handle) -> Self {
        OpenFile {
            handle,
            usual_read: 0,
            usual_write: 0,
            owed_write: None,
            owed_read: None,
            growing: None,
            streaming: None,
        }
    }
}

/// The next piece of a call of unknown length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) tid: u32,
    pub(crate) offset: u64,
}

/// A write of unknown length.
#[derive(Debug)]
pub(crate) struct Growing {
    pub(crate) next: Expected,
    /// Whether the kernel could have cut after the last piece.
    pub(crate) may_go_on: bool,
    pub(crate) how: Growth,
}

#[derive(Debug)]
pub(crate) enum Growth {
    /// The block on the device is lengthened.
    Extend,
    /// Whole blocks are written as they come; `rest` is the beginning of a block.
    Stream {
        /// Length of a block.
        block_bytes: usize,
        /// Fewer bytes than a block.
        rest: Vec<u8>,
    },
}

/// Memory for calls in hand. One buffer is kept for the next call while a file is open.
#[derive(Debug, Default)]
pub(crate) struct Staging {
    spare: Vec<u8>,
}

impl Staging {
    /// A buffer of this many bytes with undefined content. Where memory is short, this one call fails.
    pub(crate) fn take(&mut self, length: usize) -> Result<Vec<u8>, Errno> {
        let mut buffer = std::mem::take(&mut self.spare);
        if buffer.len() < length {
            let room = buffer.try_reserve_exact(length - buffer.len());
            room.map_err(|_| Errno::ENOMEM)?;
            buffer.resize(length, 0);
        }
        Ok(buffer)
    }

    /// Keeps the larger one of this buffer and the spare one.
    pub(crate) fn give(&mut self, buffer: Vec<u8>) {
        if buffer.capacity() > self.spare.capacity() {
            self.spare = buffer;
        }
    }

    /// Gives the memory back to the system.
    pub(crate) fn shrink(&mut self) {
        self.spare = Vec::new();
    }

    #[cfg(test)]
    pub(crate) fn kept_bytes(&self) -> usize {
        self.spare.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_for_which_there_is_no_memory_fails_and_the_next_one_does_not() {
        let mut staging = Staging::default();
        let more_than_there_is = usize::MAX / 4;
        assert_eq!(staging.take(more_than_there_is), Err(Errno::ENOMEM));
        let buffer = staging.take(1 << 20).expect("there is a mebibyte");
        assert_eq!(buffer.len(), 1 << 20);
    }
}
