//! Turns calls on a file into pieces, and results into replies.

use std::cell::RefCell;

use fuser::{FileHandle, OpenFlags, ReplyData, Request};
use pseudotape_chardev::{Caller, Errno, FirstPiece, Handle, IoctlRequest, Piece, WordSize};

use super::error::os;
use super::node::NodeFile;
use super::reply::WriteReply;

thread_local! {
    /// Data on their way to a reader: one buffer for each thread of the session.
    static DATA: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

pub(super) fn caller(request: &Request) -> Caller {
    Caller {
        tid: request.pid(),
        uid: request.uid(),
        gid: request.gid(),
    }
}

pub(super) fn piece(request: &Request, handle: FileHandle, offset: u64, flags: OpenFlags) -> Piece {
    Piece {
        handle: Handle(handle.0),
        tid: request.pid(),
        offset,
        first: first_piece(flags.0),
    }
}

/// Where the first piece of a call of a file with these flags may begin.
pub(super) fn first_piece(flags: i32) -> FirstPiece {
    match flags & libc::O_APPEND {
        0 => FirstPiece::AtZeroOrPosition,
        _ => FirstPiece::Anywhere,
    }
}

/// An `ioctl(2)` without the bytes to which its argument points.
#[derive(Clone, Copy)]
pub(super) struct Ioctl {
    pub(super) handle: Handle,
    pub(super) command: u32,
    pub(super) caller: Caller,
    pub(super) word_size: WordSize,
    pub(super) output_max_bytes: u32,
}

impl Ioctl {
    /// What it returns, and the bytes for its argument.
    pub(super) fn call(self, node: &NodeFile, input: &[u8]) -> Result<(i32, Vec<u8>), Errno> {
        // fuser does not tell the argument; a restricted ioctl needs only the bytes that the argument points to.
        let request = IoctlRequest {
            command: self.command,
            argument: 0,
            input,
            caller: self.caller,
            word_size: self.word_size,
        };
        let mut output = Vec::new();
        let result = node.pieces.ioctl(self.handle, request, &mut output)?;
        output.truncate(usize::try_from(self.output_max_bytes).unwrap_or(usize::MAX));
        Ok((result, output))
    }
}

pub(super) fn read_piece(node: &NodeFile, piece: Piece, size: usize, reply: ReplyData) {
    DATA.with_borrow_mut(|data| {
        if let Some(more) = size.checked_sub(data.len()) {
            if data.try_reserve_exact(more).is_err() {
                return reply.error(os(Errno::ENOMEM));
            }
            data.resize(size, 0);
        }
        node.pieces
            .read(piece, &mut data[..size], |answer| match answer {
                Ok(bytes) => reply.data(bytes),
                Err(errno) => reply.error(os(errno)),
            });
    });
    node.warn_of_inferred_lengths();
}

pub(super) fn write_piece(node: &NodeFile, piece: Piece, data: &[u8], reply: impl WriteReply) {
    reply.wrote(node.pieces.write(piece, data));
    node.warn_of_inferred_lengths();
}
