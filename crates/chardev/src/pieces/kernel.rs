//! Cuts system calls into pieces as the kernel does, for tests (`fs/fuse/file.c`: `fuse_direct_io`).

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use super::{Cut, FirstPiece, Piece, Pieces};
use crate::calls::{Call, CallOf, CallShape, Calls, Direction};
use crate::numbers::{Errno, Handle};
use crate::recorder::Recorder;

pub(super) const CUSE: Cut = Cut {
    max_bytes: 131_072,
    page_bytes: 4096,
};
pub(super) const FUSE: Cut = Cut {
    max_bytes: 1 << 20,
    page_bytes: 4096,
};

/// One buffer of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Buffer {
    /// Where it begins in its first page.
    pub(super) page_offset: usize,
    pub(super) length: usize,
}

/// The memory of a call.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    pub(super) shape: CallShape,
    pub(super) buffers: Vec<Buffer>,
}

impl Memory {
    pub(super) fn aligned(length: usize) -> Self {
        Self::plain(0, length)
    }

    pub(super) fn plain(page_offset: usize, length: usize) -> Self {
        Memory {
            shape: CallShape::Plain,
            buffers: vec![Buffer {
                page_offset,
                length,
            }],
        }
    }

    /// Buffers one after the other, each beginning where the one before it ended.
    pub(super) fn vector(page_offset: usize, lengths: &[usize]) -> Self {
        let mut place = page_offset;
        let buffers = lengths
            .iter()
            .map(|&length| {
                let page_offset = place % 4096;
                place += length;
                Buffer {
                    page_offset,
                    length,
                }
            })
            .collect();
        Memory {
            shape: CallShape::Vector,
            buffers,
        }
    }

    pub(super) fn length(&self) -> usize {
        self.buffers.iter().map(|b| b.length).sum()
    }

    /// Lengths of the pieces: each ends at the most bytes, or at the most pages, where every buffer
    /// counts its own pages.
    pub(super) fn pieces(&self, cut: Cut) -> Vec<usize> {
        let pages_max = cut.max_bytes.div_ceil(cut.page_bytes);
        let mut pieces = Vec::new();
        let mut piece = 0;
        let mut pages = 0;
        for buffer in &self.buffers {
            let mut start = buffer.page_offset;
            let end = buffer.page_offset + buffer.length;
            while start < end {
                if piece == cut.max_bytes || pages == pages_max {
                    pieces.push(std::mem::take(&mut piece));
                    pages = 0;
                }
                let page_end = (start / cut.page_bytes + 1) * cut.page_bytes;
                let part = (page_end.min(end) - start).min(cut.max_bytes - piece);
                piece += part;
                pages += 1;
                start += part;
            }
        }
        if piece > 0 {
            pieces.push(piece);
        }
        pieces
    }
}

/// What tasks are blocked in, as far as it is told.
#[derive(Debug, Default)]
pub(super) struct Blocked {
    calls: Mutex<HashMap<u32, (Direction, CallOf)>>,
    secret: bool,
    asked: AtomicU32,
}

impl Blocked {
    /// How often it was asked.
    pub(super) fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Calls for Blocked {
    fn call_of(&self, tid: u32, direction: Direction) -> CallOf {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let calls = self.calls.lock().expect("no test panics with it");
        match calls.get(&tid) {
            Some((moves, call)) if *moves == direction && !self.secret => *call,
            _ => CallOf::Unknown,
        }
    }
}

/// A kernel with one device.
pub(super) struct Kernel {
    pub(super) device: Arc<Recorder>,
    pub(super) pieces: Pieces,
    pub(super) blocked: Arc<Blocked>,
    cut: Cut,
}

/// A call on its way.
pub(super) struct Started<'a> {
    kernel: &'a Kernel,
    handle: Handle,
    tid: u32,
    base: u64,
    first: FirstPiece,
    lengths: std::vec::IntoIter<usize>,
    done: usize,
}

impl Kernel {
    pub(super) fn new(cut: Cut, blocked: Blocked) -> Self {
        let device = Arc::new(Recorder::default());
        let blocked = Arc::new(blocked);
        Kernel {
            pieces: Pieces::new(device.clone(), blocked.clone(), cut),
            device,
            blocked,
            cut,
        }
    }

    /// A kernel that tells what tasks are blocked in.
    pub(super) fn telling(cut: Cut) -> Self {
        Self::new(cut, Blocked::default())
    }

    /// A kernel that does not.
    pub(super) fn silent(cut: Cut) -> Self {
        let secret = true;
        Self::new(
            cut,
            Blocked {
                secret,
                ..Blocked::default()
            },
        )
    }

    fn start(&self, handle: u64, tid: u32, memory: &Memory, direction: Direction) -> Started<'_> {
        let call = Call {
            length_bytes: memory.length(),
            shape: memory.shape,
        };
        let mut calls = self.blocked.calls.lock().expect("no test panics with it");
        calls.insert(tid, (direction, CallOf::Known(call)));
        Started {
            kernel: self,
            handle: Handle(handle),
            tid,
            base: 0,
            first: self.first_piece(),
            lengths: memory.pieces(self.cut).into_iter(),
            done: 0,
        }
    }

    /// Where this kernel begins: a FUSE file has a position.
    fn first_piece(&self) -> FirstPiece {
        if self.cut == FUSE {
            FirstPiece::AtZeroOrPosition
        } else {
            FirstPiece::AtZero
        }
    }

    /// `splice(2)` into the file at its position, as the kernel hands it over: one piece that begins there. The
    /// position goes on by what is taken.
    pub(super) fn splice(&self, position: &mut u64, data: &[u8]) -> Result<usize, Errno> {
        let tid = 7;
        let called = (Direction::Write, CallOf::Other);
        let mut calls = self.blocked.calls.lock().expect("no test panics with it");
        calls.insert(tid, called);
        drop(calls);
        let piece = Piece {
            handle: Handle(1),
            tid,
            offset: *position,
            first: self.first_piece(),
        };
        let written = self.pieces.write(piece, data)?;
        *position += written as u64;
        Ok(written)
    }

    /// A read of the page cache for `splice(2)` out of the file.
    pub(super) fn splice_out(&self, offset: u64, length: usize) -> Result<usize, Errno> {
        let tid = 7;
        let called = (Direction::Read, CallOf::Other);
        let mut calls = self.blocked.calls.lock().expect("no test panics with it");
        calls.insert(tid, called);
        drop(calls);
        let piece = Piece {
            handle: Handle(1),
            tid,
            offset,
            first: self.first_piece(),
        };
        let answered = |answer: Result<&[u8], Errno>| answer.map(<[u8]>::len);
        self.pieces.read(piece, &mut vec![0; length], answered)
    }

    pub(super) fn start_write(&self, handle: u64, tid: u32, memory: &Memory) -> Started<'_> {
        self.start(handle, tid, memory, Direction::Write)
    }

    pub(super) fn write(&self, tid: u32, memory: &Memory, data: &[u8]) -> Result<usize, Errno> {
        self.start_write(1, tid, memory).write_all(data)
    }

    /// A write on a file that was opened with `O_APPEND`, when the file seems to be this long.
    pub(super) fn append(&self, base: u64, memory: &Memory, data: &[u8]) -> Result<usize, Errno> {
        let mut started = self.start_write(1, 7, memory);
        started.base = base;
        started.first = FirstPiece::Anywhere;
        started.write_all(data)
    }

    pub(super) fn read(&self, tid: u32, memory: &Memory) -> Result<Vec<u8>, Errno> {
        let mut started = self.start(1, tid, memory, Direction::Read);
        let mut data = Vec::new();
        while let Some(length) = started.lengths.next() {
            let mut buffer = vec![0; length];
            let piece = started.piece();
            // Both ways to an answer, each for first and for further pieces.
            let answer = if (tid.is_multiple_of(2)) == data.is_empty() {
                let read = self.pieces.read_into(piece, &mut buffer);
                read.map(|length| buffer[..length].to_vec())
            } else {
                self.pieces
                    .read(piece, &mut buffer, |answer| answer.map(<[u8]>::to_vec))
            };
            match answer {
                Ok(bytes) => {
                    started.done += bytes.len();
                    data.extend_from_slice(&bytes);
                    if bytes.len() < length {
                        break;
                    }
                }
                Err(errno) if data.is_empty() => return Err(errno),
                Err(_) => break,
            }
        }
        started.leave();
        Ok(data)
    }
}

impl Started<'_> {
    fn piece(&self) -> Piece {
        Piece {
            handle: self.handle,
            tid: self.tid,
            offset: self.base + self.done as u64,
            first: self.first,
        }
    }

    fn leave(&self) {
        let mut calls = self.kernel.blocked.calls.lock().expect("no test panics");
        calls.remove(&self.tid);
    }

    /// Sends the next piece; `Some` when the call is over.
    pub(super) fn write_piece(&mut self, data: &[u8]) -> Option<Result<usize, Errno>> {
        let length = self.lengths.next()?;
        let part = &data[self.done..self.done + length];
        match self.kernel.pieces.write(self.piece(), part) {
            Ok(written) => {
                self.done += written;
                let over = written < length || self.lengths.as_slice().is_empty();
                if over {
                    self.leave();
                }
                over.then_some(Ok(self.done))
            }
            Err(errno) => {
                self.leave();
                Some(if self.done > 0 {
                    Ok(self.done)
                } else {
                    Err(errno)
                })
            }
        }
    }

    pub(super) fn write_all(&mut self, data: &[u8]) -> Result<usize, Errno> {
        loop {
            if let Some(over) = self.write_piece(data) {
                return over;
            }
        }
    }

    /// The task is killed: nothing more comes.
    pub(super) fn kill(self) {
        self.leave();
    }
}

#[test]
fn calls_are_cut_as_the_kernel_was_seen_to_cut_them() {
    let cut = |memory: Memory| memory.pieces(CUSE);
    assert_eq!(cut(Memory::plain(100, 10_240)), [10_240]);
    assert_eq!(cut(Memory::aligned(131_072)), [131_072]);
    assert_eq!(cut(Memory::plain(100, 131_072)), [130_972, 100]);
    assert_eq!(cut(Memory::plain(100, 262_144)), [130_972, 131_072, 100]);
    assert_eq!(cut(Memory::aligned(1 << 20)).len(), 8);
    assert_eq!(cut(Memory::vector(0, &[65_536, 65_536])), [131_072]);
    // An own buffer of 100 bytes, then an aligned one of 256 KiB.
    let mut memory = Memory::vector(0, &[100, 262_144]);
    memory.buffers[1].page_offset = 0;
    assert_eq!(cut(memory), [127_076, 131_072, 4096]);
    assert_eq!(cut(Memory::vector(0, &[1; 64])), [32, 32]);
    let fuse = Memory::plain(100, 1 << 20).pieces(FUSE);
    assert_eq!(fuse, [(1 << 20) - 100, 100]);
}
