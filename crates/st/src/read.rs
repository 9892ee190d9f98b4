//! `read(2)` (`st_read`, `read_tape`).

use pseudotape_mtio::Booleans;
use pseudotape_tape::{Drive, Failed, ReadDone, Sense, Stop, Transfer};

use crate::St;
use crate::errno::{Errno, Refusal};
use crate::settle::Next;
use crate::state::{Edge, Motion};

/// Size of the driver's buffer for parts of blocks (`st.c`: `ST_FIXED_BUFFER_BLOCKS`).
const LOOKAHEAD_BYTES: usize = 32 * 1024;

/// What one command to read came to.
struct Got {
    bytes: usize,
    /// Nothing more is to be read in this call.
    ends: bool,
}

impl St {
    /// Reads into `buffer`.
    ///
    /// | the tape is before | result | position after |
    /// |---|---|---|
    /// | a block no longer than the buffer | its length | behind it |
    /// | a longer block | ENOMEM | behind it |
    /// | a filemark | 0 | behind it, block 0 of the next file |
    /// | the end of data, behind a filemark | 0 once, then EIO | unchanged, block −1 |
    /// | the end of data, behind a block | EIO | unchanged, block −1 |
    ///
    /// In fixed block mode blocks are read until the buffer is full or a filemark comes; what does not
    /// fill a block is kept for the next read.
    pub fn read(&mut self, drive: &mut dyn Drive, buffer: &mut [u8]) -> Result<usize, Errno> {
        let result = self.read_blocks(drive, buffer);
        self.answer(result)
    }

    fn read_blocks(&mut self, drive: &mut dyn Drive, buffer: &mut [u8]) -> Result<usize, Refusal> {
        self.check_transfer(drive, buffer.len())?;
        if buffer.is_empty() {
            return Ok(0);
        }
        if !self.is_whole(buffer.len()) {
            if !self.has(Booleans::READ_AHEAD) {
                return Err(Refusal::PartialBlock {
                    count: buffer.len(),
                    block_size: self.mount.block_size,
                });
            }
            self.set_direct(false);
        }
        if self.mount.here().motion == Motion::Writing {
            self.settle(drive, Next::FromHere)?;
            self.mount.here().motion = Motion::Reading;
        }
        let direct = self.is_direct();
        if direct {
            self.lookahead.clear();
        }
        if self.lookahead.waiting == 0
            && let Some(told) = self.tell_end_of_data()
        {
            return told;
        }
        self.mount.here().motion = Motion::Reading;
        let total = if direct {
            self.read_command(drive, buffer)?.bytes
        } else {
            self.read_through_lookahead(drive, buffer)?
        };
        self.tell_edge(total);
        Ok(total)
    }

    /// At the end of data some reads are answered without asking the drive.
    fn tell_end_of_data(&mut self) -> Option<Result<usize, Refusal>> {
        let here = self.mount.here();
        match here.edge {
            Edge::None | Edge::FilemarkUntold | Edge::Filemark | Edge::EarlyWarning => None,
            Edge::NoSpaceTold => {
                here.edge = Edge::ZeroTold;
                Some(Ok(0))
            }
            Edge::ZeroTold => {
                here.edge = Edge::EndOfData;
                Some(Ok(0))
            }
            Edge::EndOfData => Some(Err(Refusal::EndOfData)),
        }
    }

    /// Ends a read: no bytes tell what lies there, bytes end the nearness of a filemark.
    fn tell_edge(&mut self, total: usize) {
        let here = self.mount.here();
        match (here.edge, total) {
            (Edge::FilemarkUntold, 0) => {
                here.edge = Edge::Filemark;
                here.pass_filemark();
            }
            (Edge::NoSpaceTold, 0) => {
                here.edge = Edge::ZeroTold;
                here.pass_filemark();
            }
            (Edge::ZeroTold, 0) => here.edge = Edge::EndOfData,
            (Edge::Filemark, 1..) => here.edge = Edge::None,
            (
                Edge::None
                | Edge::FilemarkUntold
                | Edge::Filemark
                | Edge::EarlyWarning
                | Edge::NoSpaceTold
                | Edge::ZeroTold
                | Edge::EndOfData,
                _,
            ) => {}
        }
    }

    fn read_through_lookahead(
        &mut self,
        drive: &mut dyn Drive,
        buffer: &mut [u8],
    ) -> Result<usize, Refusal> {
        let mut total = 0;
        while total < buffer.len() {
            let mut ends = false;
            if self.lookahead.waiting == 0 {
                ends = self.fill_lookahead(drive, buffer.len() - total)?;
            }
            total += self.lookahead.take(&mut buffer[total..]);
            if ends {
                break;
            }
        }
        Ok(total)
    }

    /// Reads blocks into the driver's buffer, as many as it holds where read-ahead is on.
    fn fill_lookahead(&mut self, drive: &mut dyn Drive, needed: usize) -> Result<bool, Refusal> {
        // Variable block mode never comes here: each read is one block.
        let size = usize::try_from(self.mount.block_size.max(1)).unwrap_or(usize::MAX);
        let mut data = std::mem::take(&mut self.lookahead.buffer);
        let capacity = size.max(LOOKAHEAD_BYTES);
        if let Some(more) = capacity.checked_sub(data.len()) {
            let room = data.try_reserve_exact(more);
            room.map_err(|_| Refusal::NoBuffer(capacity))?;
            data.resize(capacity, 0);
        }
        let held = capacity / size * size;
        let room = if self.has(Booleans::READ_AHEAD) {
            held
        } else {
            // At least one block, or the command would be sent for ever.
            (needed / size * size).clamp(size, held)
        };
        let got = self.read_command(drive, &mut data[..room]);
        self.lookahead.buffer = data;
        self.lookahead.clear();
        let got = got?;
        self.lookahead.waiting = got.bytes;
        Ok(got.ends)
    }

    /// Sends one command to read and counts what came (`read_tape`).
    fn read_command(&mut self, drive: &mut dyn Drive, into: &mut [u8]) -> Result<Got, Refusal> {
        if self.mount.here().edge == Edge::FilemarkUntold {
            return Ok(Got {
                bytes: 0,
                ends: true,
            });
        }
        let transfer = self.transfer();
        let read = if self.is_refused_by_drive(drive, transfer, into.len()) {
            // Its news come first, as with any command.
            drive
                .test_ready()
                .and(Err(Failed::at(Sense::IllegalRequest, None)))
        } else {
            drive.read(transfer, into)
        };
        let read = self.heard(read);
        let here = self.mount.here();
        here.at_setmark = false;
        let done = read.map_err(|failed| {
            here.block = -1;
            Refusal::Drive(failed.sense)
        })?;
        match done.stop {
            None => self.count_whole(&done, transfer, into.len()),
            Some(Stop::Filemark | Stop::Setmark) => {
                here.edge = Edge::FilemarkUntold;
                here.advance(done.blocks);
                Ok(Got {
                    bytes: done.bytes,
                    ends: true,
                })
            }
            Some(Stop::EndOfData) => {
                // What the same command read before is lost here, as it is in st.
                here.block = -1;
                if here.edge == Edge::Filemark {
                    here.edge = Edge::ZeroTold;
                    Ok(Got {
                        bytes: 0,
                        ends: true,
                    })
                } else {
                    Err(Refusal::EndOfData)
                }
            }
            Some(Stop::IllegalLength) => self.back_before_odd_block(drive, &done),
            Some(Stop::EarlyWarning | Stop::EndOfPartition | Stop::BeginningOfPartition) => {
                here.edge = match here.edge {
                    Edge::Filemark => Edge::NoSpaceTold,
                    Edge::None
                    | Edge::FilemarkUntold
                    | Edge::EarlyWarning
                    | Edge::NoSpaceTold
                    | Edge::ZeroTold
                    | Edge::EndOfData => Edge::EarlyWarning,
                };
                here.advance(done.blocks);
                Ok(Got {
                    bytes: done.bytes,
                    ends: true,
                })
            }
        }
    }

    fn is_refused_by_drive(&self, drive: &dyn Drive, transfer: Transfer, length: usize) -> bool {
        self.settings.limits_reads
            && self.mount.limits.is_none()
            && transfer == Transfer::Variable
            && !drive.block_limits().contain(length as u64)
    }

    fn count_whole(
        &mut self,
        done: &ReadDone,
        transfer: Transfer,
        buffer: usize,
    ) -> Result<Got, Refusal> {
        let too_long = transfer == Transfer::Variable && done.block_length as usize > buffer;
        let silent = self.has(Booleans::SILI);
        self.mount.here().advance(done.blocks);
        if too_long && !silent {
            return Err(Refusal::BufferTooSmall {
                block: done.block_length,
                buffer,
            });
        }
        Ok(Got {
            bytes: done.bytes,
            ends: false,
        })
    }

    /// In fixed block mode a block of another length was passed: goes back before it.
    fn back_before_odd_block(
        &mut self,
        drive: &mut dyn Drive,
        done: &ReadDone,
    ) -> Result<Got, Refusal> {
        self.mount.here().advance(1);
        let back = self.space_blocks_back(drive, 1);
        if done.blocks == 0 {
            return Err(Refusal::WrongBlockSize(done.block_length));
        }
        back?;
        self.mount.here().advance(done.blocks);
        Ok(Got {
            bytes: done.bytes,
            ends: true,
        })
    }

    fn is_direct(&self) -> bool {
        self.mount.block_size == 0 || self.open.as_ref().is_none_or(|open| open.direct)
    }

    fn set_direct(&mut self, direct: bool) {
        if let Some(open) = &mut self.open {
            open.direct = direct;
        }
    }
}
