//! Further pieces of a call.

use super::{FirstPiece, Given, Piece, Pieces, State};
use crate::calls::{CallOf, CallShape, Direction};
use crate::device::{CallTrouble, Told};
use crate::numbers::Errno;
use crate::staging::{Expected, Growing, Growth, OpenFile, Work};

/// What a piece of a write is, as far as anybody can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GoesOn {
    /// A further piece of the call before.
    Yes,
    /// The first piece of another call.
    No,
    /// A part of a call that is no write.
    Refused,
    /// A further piece of a list of buffers, or a part of a call that is no write.
    Untold,
}

impl Pieces {
    /// Handles a piece that goes on with a write; `None` where the piece begins another call.
    pub(super) fn next_write(
        &self,
        state: &mut State,
        piece: Piece,
        data: &[u8],
    ) -> Option<Result<usize, Errno>> {
        let place = state.in_hand.iter().position(|call| {
            call.continues(piece.handle, piece.tid, piece.offset, Direction::Write)
        });
        if let Some(place) = place {
            return Some(self.gather_next(state, place, data));
        }
        let file = state.known(piece.handle)?;
        let expected = Expected {
            tid: piece.tid,
            offset: piece.offset,
        };
        let may_go_on = file
            .growing
            .as_ref()
            .filter(|growing| growing.next == expected)?
            .may_go_on;
        match self.goes_on(piece, may_go_on, data.len()) {
            GoesOn::Yes => {}
            GoesOn::No => return None,
            GoesOn::Refused => {
                file.end_growth();
                return Some(Err(Errno::EINVAL));
            }
            GoesOn::Untold => {
                file.end_growth();
                file.owed_write = Some(Errno::EIO);
                let trouble = CallTrouble::BlockCut;
                self.device.note(piece.handle, trouble, Told::ByACall);
                return Some(Err(Errno::EINVAL));
            }
        }
        let answer = self.grow(file, data);
        if let Err(errno) = answer {
            // The kernel turns this error into a short count.
            file.owed_write = Some(errno);
        }
        Some(answer)
    }

    /// Whether a piece of a write goes on with the one before it, which began where this one's offset says.
    fn goes_on(&self, piece: Piece, may_go_on: bool, length: usize) -> GoesOn {
        match piece.first {
            FirstPiece::AtZero => GoesOn::Yes,
            FirstPiece::Anywhere if may_go_on => GoesOn::Yes,
            FirstPiece::Anywhere => GoesOn::No,
            FirstPiece::AtZeroOrPosition => {
                match self.call_of(piece, Direction::Write, length) {
                    CallOf::Known(call) if may_go_on || call.shape == CallShape::Vector => {
                        GoesOn::Yes
                    }
                    CallOf::Known(_) | CallOf::Other => GoesOn::Refused,
                    // No more than one call of `splice` is as long as the largest piece.
                    CallOf::Unknown if may_go_on => GoesOn::Yes,
                    CallOf::Unknown => GoesOn::Untold,
                }
            }
        }
    }

    fn gather_next(&self, state: &mut State, place: usize, data: &[u8]) -> Result<usize, Errno> {
        let call = &mut state.in_hand[place];
        let Work::Gather { total, take } = call.work else {
            unreachable!("only a write continues as a write");
        };
        let before = call.done;
        let wanted = data.len().min(take.saturating_sub(before));
        call.buffer[before..before + wanted].copy_from_slice(&data[..wanted]);
        call.done += data.len();
        let ended_early = call.shape == CallShape::Plain && !self.cut.may_go_on(data.len());
        if call.done < take && call.done < total && !ended_early {
            return Ok(data.len());
        }
        let call = state.in_hand.swap_remove(place);
        let whole = call.done.min(take);
        let written = self.device.write(call.handle, &call.buffer[..whole]);
        state.staging.give(call.buffer);
        let owed = match written {
            Ok(written) if written < before => Some(Errno::EIO),
            Ok(_) => None,
            Err(errno) => Some(errno),
        };
        if owed.is_some() {
            // The pieces before this one were acknowledged: the call gets a short count at least
            // as long as they are, whatever is answered now.
            state.file(call.handle).owed_write = owed;
        }
        written.map(|written| written.saturating_sub(before).min(data.len()))
    }

    fn grow(&self, file: &mut OpenFile, data: &[u8]) -> Result<usize, Errno> {
        let Some(Growing { next, how, .. }) = file.growing.take() else {
            return Err(Errno::EIO);
        };
        let handle = file.handle;
        let (answer, how) = match how {
            Growth::Extend => (self.device.extend(handle, data)?, Growth::Extend),
            Growth::Stream {
                block_bytes,
                mut rest,
            } => {
                let before = rest.len();
                rest.extend_from_slice(data);
                let blocks = rest.len() - rest.len() % block_bytes;
                let mut answer = data.len();
                if blocks > 0 {
                    let written = self.device.write(handle, &rest[..blocks])?;
                    if written < blocks {
                        answer = written.saturating_sub(before);
                    }
                    rest.drain(..blocks);
                }
                (answer, Growth::Stream { block_bytes, rest })
            }
        };
        if answer == data.len() {
            file.growing = Some(Growing {
                next: Expected {
                    tid: next.tid,
                    offset: next.offset.saturating_add(data.len() as u64),
                },
                may_go_on: self.cut.may_go_on(data.len()),
                how,
            });
        }
        Ok(answer)
    }

    pub(super) fn next_read<R>(
        &self,
        state: &mut State,
        piece: Piece,
        buffer: &mut [u8],
        reply: impl FnOnce(Result<Given<'_>, Errno>) -> R,
    ) -> R {
        let place = state.in_hand.iter().position(|call| {
            call.continues(piece.handle, piece.tid, piece.offset, Direction::Read)
        });
        if let Some(place) = place {
            return serve_next(state, place, buffer, reply);
        }
        let expected = Expected {
            tid: piece.tid,
            offset: piece.offset,
        };
        match state.known(piece.handle) {
            Some(file) if file.streaming == Some(expected) => {
                let read = self.device.read(piece.handle, buffer);
                file.streaming = (read == Ok(buffer.len())).then(|| Expected {
                    tid: piece.tid,
                    offset: piece.offset.saturating_add(buffer.len() as u64),
                });
                match read {
                    Ok(0) => file.owed_read = Some(Ok(())),
                    Ok(_) => {}
                    Err(errno) => file.owed_read = Some(Err(errno)),
                }
                reply(read.map(|length| Given::within(buffer, length)))
            }
            // `splice` reads through the page cache, at any offset.
            _ if piece.first != FirstPiece::AtZero
                && self.call_of(piece, Direction::Read, buffer.len()) == CallOf::Other =>
            {
                reply(Err(Errno::EINVAL))
            }
            // The call was answered in full by its first piece.
            _ => reply(Ok(Given::NOTHING)),
        }
    }
}

fn serve_next<R>(
    state: &mut State,
    place: usize,
    buffer: &mut [u8],
    reply: impl FnOnce(Result<Given<'_>, Errno>) -> R,
) -> R {
    let call = &mut state.in_hand[place];
    let Work::Serve { total, available } = call.work else {
        unreachable!("only a read continues as a read");
    };
    let length = buffer.len();
    let start = call.done.min(available);
    let end = (start + length).min(available);
    let answer = reply(Ok(Given {
        bytes: &call.buffer[start..end],
        buffer: Some(buffer),
    }));
    call.done += end - start;
    // A short answer makes the kernel stop; so does the end of the caller's buffer.
    if end - start < length || total.is_some_and(|total| call.done >= total) {
        let call = state.in_hand.swap_remove(place);
        state.staging.give(call.buffer);
    }
    answer
}

impl<'a> Given<'a> {
    /// No bytes.
    pub(super) const NOTHING: Given<'static> = Given {
        bytes: &[],
        buffer: None,
    };

    /// The first bytes of the caller's buffer.
    pub(super) fn within(buffer: &'a [u8], length: usize) -> Self {
        Given {
            bytes: buffer.get(..length).unwrap_or(buffer),
            buffer: None,
        }
    }
}

impl OpenFile {
    /// Ends a write that could have been lengthened. The beginning of a block is no block: the device takes no call of
    /// that length, and the caller could not be told.
    pub(super) fn end_growth(&mut self) {
        if let Some(Growing {
            how: Growth::Stream { rest, .. },
            ..
        }) = self.growing.take()
            && !rest.is_empty()
        {
            self.owed_write = Some(Errno::EINVAL);
        }
    }
}
