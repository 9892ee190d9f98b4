//! Pieces of calls cost no allocation, once a file is open and a call of the same length was made.

use std::hint::black_box;
use std::sync::Arc;

use pseudotape_chardev::{
    Call, CallOf, CallShape, CallTrouble, Caller, Calls, CharDevice, Cut, Direction, Errno,
    FirstPiece, Handle, IoctlRequest, Opened, Piece, Pieces, ProcCalls, Told, Unmeasured,
};
use pseudotape_testkit::counting::{Counting, allocations};

#[global_allocator]
static COUNTING: Counting = Counting;

/// Takes everything, and gives blocks of this length.
struct Null(usize);

impl CharDevice for Null {
    fn open(&self, _flags: u32, _caller: Caller) -> Result<Opened, Errno> {
        Ok(Opened::Open(Handle(1)))
    }

    fn open_again(&self, handle: Handle) -> Result<Opened, Errno> {
        Ok(Opened::Open(handle))
    }

    fn abandon_open(&self, _handle: Handle) -> Errno {
        Errno::EIO
    }

    fn read(&self, _handle: Handle, buffer: &mut [u8]) -> Result<usize, Errno> {
        Ok(self.0.min(buffer.len()))
    }

    fn check_write(&self, _handle: Handle, length_bytes: usize) -> Result<usize, Errno> {
        Ok(length_bytes)
    }

    fn write(&self, _handle: Handle, data: &[u8]) -> Result<usize, Errno> {
        Ok(data.len())
    }

    fn extend(&self, _handle: Handle, data: &[u8]) -> Result<usize, Errno> {
        Ok(data.len())
    }

    fn note(&self, _handle: Handle, _trouble: CallTrouble, _told: Told) {}

    fn unmeasured(&self, _handle: Handle) -> Unmeasured {
        Unmeasured::Block {
            max_bytes: 16 << 20,
        }
    }

    fn ioctl(
        &self,
        _handle: Handle,
        _request: IoctlRequest<'_>,
        _output: &mut Vec<u8>,
    ) -> Result<i32, Errno> {
        Ok(0)
    }

    fn flush(&self, _handle: Handle) -> Result<(), Errno> {
        Ok(())
    }

    fn close(&self, _handle: Handle) -> Result<(), Errno> {
        Ok(())
    }

    fn max_transfer_bytes(&self) -> usize {
        16 << 20
    }
}

/// Every call is this long, if it is known at all.
struct Lengths(Option<usize>);

impl Calls for Lengths {
    fn call_of(&self, _tid: u32, _direction: Direction) -> CallOf {
        self.0.map_or(CallOf::Unknown, |length_bytes| {
            CallOf::Known(Call {
                length_bytes,
                shape: CallShape::Plain,
            })
        })
    }
}

const PIECE: usize = 131_072;

/// Writes and reads a call of this length by its pieces.
fn call(pieces: &Pieces, data: &mut [u8], length: usize) {
    for direction in [Direction::Write, Direction::Read] {
        let mut done = 0;
        while done < length {
            let part = &mut data[..PIECE.min(length - done)];
            let piece = Piece {
                handle: Handle(1),
                tid: 1,
                offset: done as u64,
                first: FirstPiece::AtZero,
            };
            let moved = match direction {
                Direction::Write => pieces.write(piece, part),
                Direction::Read => pieces.read(piece, part, |answer| answer.map(<[u8]>::len)),
            };
            done += moved.expect("the device takes and gives everything");
        }
    }
}

#[test]
fn a_call_of_any_number_of_pieces_allocates_nothing() {
    let cut = Cut {
        max_bytes: PIECE,
        page_bytes: 4096,
    };
    let mut data = vec![0; PIECE];
    for length in [10 << 10, 64 << 10, PIECE, 256 << 10, 1 << 20, 16 << 20] {
        for told in [Some(length), None] {
            let pieces = Pieces::new(Arc::new(Null(length)), Arc::new(Lengths(told)), cut);
            call(&pieces, &mut data, length);
            let count = allocations(|| {
                for _ in 0..10 {
                    call(&pieces, &mut data, length);
                }
            });
            assert_eq!(count, 0, "{length} bytes, told: {told:?}");
        }
    }
}

#[test]
fn asking_a_task_allocates_nothing() {
    let calls = ProcCalls::new();
    // A task that sleeps in no read or write: its whole answer is read and parsed.
    let tid = std::process::id();
    calls.call_of(tid, Direction::Write);
    let count = allocations(|| {
        calls.call_of(tid, Direction::Write);
    });
    assert_eq!(count, 0);
    assert!(
        allocations(|| drop(black_box(vec![0; 10]))) > 0,
        "the count counts"
    );
}
