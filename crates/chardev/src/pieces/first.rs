//! The first piece of a call.

use super::{Given, Measured, Piece, Pieces, State};
use crate::calls::{CallOf, CallShape, Direction};
use crate::device::Unmeasured;
use crate::numbers::Errno;
use crate::staging::{CALLS_IN_HAND_MAX, Expected, Growing, Growth, InHand, Work};

impl Pieces {
    pub(super) fn first_write(
        &self,
        state: &mut State,
        piece: Piece,
        data: &[u8],
    ) -> Result<usize, Errno> {
        self.end_reads(state, piece.handle)?;
        self.end_call_of(state, piece.handle, piece.tid);
        state.end_unmeasured(piece.handle);
        if let Some(errno) = state.file(piece.handle).owed_write.take() {
            return Err(errno);
        }
        match self.measure(state, piece, Direction::Write, data.len()) {
            Measured::Whole => self.device.write(piece.handle, data),
            Measured::Usual => self.write_growing(state, piece, data),
            Measured::Longer { total, shape } => self.gather(state, piece, data, total, shape),
            Measured::Other => Err(Errno::EINVAL),
            Measured::Unknown => match self.device.unmeasured(piece.handle) {
                Unmeasured::Stream { block_bytes } if block_bytes > 0 => {
                    self.stream_write(state, piece, data, block_bytes)
                }
                Unmeasured::Stream { .. } | Unmeasured::Block { .. } => {
                    self.write_growing(state, piece, data)
                }
            },
        }
    }

    /// Writes the bytes that are there; a further piece lengthens the block.
    fn write_growing(&self, state: &mut State, piece: Piece, data: &[u8]) -> Result<usize, Errno> {
        let written = self.device.write(piece.handle, data)?;
        if written == data.len() {
            self.may_grow(state, piece, data.len(), Growth::Extend);
        }
        Ok(written)
    }

    /// Starts to collect a write of several pieces. Each error that can be known in advance is told now.
    fn gather(
        &self,
        state: &mut State,
        piece: Piece,
        data: &[u8],
        total: usize,
        shape: CallShape,
    ) -> Result<usize, Errno> {
        self.make_room(state)?;
        let take = self.device.check_write(piece.handle, total)?;
        if total > self.device.max_transfer_bytes() {
            return Err(Errno::EINVAL);
        }
        if let Some(all) = data.get(..take) {
            return self.device.write(piece.handle, all);
        }
        let take = take.min(total);
        let mut buffer = state.staging.take(take)?;
        buffer[..data.len()].copy_from_slice(data);
        state.in_hand.push(InHand {
            handle: piece.handle,
            tid: piece.tid,
            base: piece.offset,
            done: data.len(),
            shape,
            buffer,
            work: Work::Gather { total, take },
        });
        Ok(data.len())
    }

    /// Writes the whole blocks of a piece and keeps the rest of it for the next piece.
    fn stream_write(
        &self,
        state: &mut State,
        piece: Piece,
        data: &[u8],
        block_bytes: usize,
    ) -> Result<usize, Errno> {
        let cut = if self.cut.may_go_on(data.len()) {
            data.len() - data.len() % block_bytes
        } else {
            data.len()
        };
        let (blocks, begun) = data.split_at(cut);
        if blocks.is_empty() {
            if self.device.check_write(piece.handle, block_bytes)? == 0 {
                return Ok(0);
            }
        } else {
            let written = self.device.write(piece.handle, blocks)?;
            if written < blocks.len() {
                return Ok(written);
            }
        }
        let mut rest = Vec::new();
        rest.extend_from_slice(begun);
        let how = Growth::Stream { block_bytes, rest };
        self.may_grow(state, piece, data.len(), how);
        Ok(data.len())
    }

    fn may_grow(&self, state: &mut State, piece: Piece, length: usize, how: Growth) {
        state.file(piece.handle).growing = Some(Growing {
            next: Expected {
                tid: piece.tid,
                offset: piece.offset.saturating_add(length as u64),
            },
            may_go_on: self.cut.may_go_on(length),
            how,
        });
    }

    pub(super) fn first_read<R>(
        &self,
        state: &mut State,
        piece: Piece,
        buffer: &mut [u8],
        reply: impl FnOnce(Result<Given<'_>, Errno>) -> R,
    ) -> R {
        if let Err(errno) = self.end_reads(state, piece.handle) {
            return reply(Err(errno));
        }
        self.end_call_of(state, piece.handle, piece.tid);
        state.end_unmeasured(piece.handle);
        if let Some(end) = state.file(piece.handle).owed_read.take() {
            return reply(end.map(|()| Given::NOTHING));
        }
        match self.measure(state, piece, Direction::Read, buffer.len()) {
            Measured::Whole | Measured::Usual => self.read_piece(piece, buffer, reply),
            Measured::Longer { total, shape } => {
                if total > self.device.max_transfer_bytes() {
                    return reply(Err(Errno::EINVAL));
                }
                self.serve(state, piece, buffer, total, Some((total, shape)), reply)
            }
            Measured::Other => reply(Err(Errno::EINVAL)),
            Measured::Unknown => match self.device.unmeasured(piece.handle) {
                Unmeasured::Block { max_bytes } if self.cut.may_go_on(buffer.len()) => {
                    let room = max_bytes
                        .min(self.device.max_transfer_bytes())
                        .max(buffer.len());
                    self.serve(state, piece, buffer, room, None, reply)
                }
                Unmeasured::Block { .. } => self.read_piece(piece, buffer, reply),
                Unmeasured::Stream { .. } => {
                    state.file(piece.handle).streaming = Some(Expected {
                        tid: piece.tid,
                        offset: buffer.len() as u64,
                    });
                    self.read_piece(piece, buffer, reply)
                }
            },
        }
    }

    fn read_piece<R>(
        &self,
        piece: Piece,
        buffer: &mut [u8],
        reply: impl FnOnce(Result<Given<'_>, Errno>) -> R,
    ) -> R {
        let read = self.device.read(piece.handle, buffer);
        reply(read.map(|length| Given::within(buffer, length)))
    }

    /// Reads the whole call and hands out its first piece.
    fn serve<R>(
        &self,
        state: &mut State,
        piece: Piece,
        asked: &mut [u8],
        room: usize,
        known: Option<(usize, CallShape)>,
        reply: impl FnOnce(Result<Given<'_>, Errno>) -> R,
    ) -> R {
        let length = asked.len();
        if let Err(errno) = self.make_room(state) {
            return reply(Err(errno));
        }
        let mut buffer = match state.staging.take(room) {
            Ok(buffer) => buffer,
            Err(errno) => return reply(Err(errno)),
        };
        let available = match self.device.read(piece.handle, &mut buffer[..room]) {
            Ok(available) => available.min(room),
            Err(errno) => {
                state.staging.give(buffer);
                return reply(Err(errno));
            }
        };
        let answer = reply(Ok(Given {
            bytes: &buffer[..available.min(length)],
            buffer: Some(asked),
        }));
        if available <= length {
            // The kernel may ask once more. That piece continues nothing, and its answer is the end of the stream.
            state.staging.give(buffer);
        } else {
            state.in_hand.push(InHand {
                handle: piece.handle,
                tid: piece.tid,
                base: 0,
                done: length,
                shape: known.map_or(CallShape::Plain, |(_, shape)| shape),
                buffer,
                work: Work::Serve {
                    total: known.map(|(total, _)| total),
                    available,
                },
            });
        }
        answer
    }

    /// Makes room for one more call in hand, at the cost of those whose task has left its call.
    fn make_room(&self, state: &mut State) -> Result<(), Errno> {
        if state.in_hand.len() < CALLS_IN_HAND_MAX {
            return Ok(());
        }
        state.in_hand.retain(|call| {
            let call_of = || self.calls.call_of(call.tid, call.direction());
            call.left_behind().is_some() || call.tid != 0 && matches!(call_of(), CallOf::Known(_))
        });
        if state.in_hand.len() < CALLS_IN_HAND_MAX {
            Ok(())
        } else {
            Err(Errno::EBUSY)
        }
    }
}
