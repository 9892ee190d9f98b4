//! Transfers allocate nothing, but for the one buffer of reads of a part of a block.

use std::hint::black_box;

use pseudotape_drive::Personality;
use pseudotape_mtio::{MtOp, Operation};
use pseudotape_st::{AccessMode, Caller, Node, OpenFlags, Options, St};
use pseudotape_tape::{
    BlockLimits, Capacity, Done, Door, Drive, Failed, Identity, Mode, ModeSelect, Motion, Position,
    ReadDone, Sense, Transfer,
};
use pseudotape_testkit::counting::{Counting, allocations};

#[global_allocator]
static COUNTING: Counting = Counting;

/// A drive that takes and gives any number of blocks and keeps none.
struct Sink(Position);

impl Sink {
    fn done(&mut self, count: u64) -> Done {
        self.0.object.0 += count;
        Done {
            count,
            stop: None,
            position: self.0,
        }
    }

    fn blocks(transfer: Transfer, bytes: usize) -> u64 {
        match transfer {
            Transfer::Variable => 1,
            Transfer::Fixed(size) => bytes as u64 / u64::from(size.get()),
        }
    }
}

impl Drive for Sink {
    fn identity(&self) -> Identity {
        Identity::default()
    }

    fn block_limits(&self) -> BlockLimits {
        Personality::default().limits
    }

    fn test_ready(&mut self) -> Result<(), Failed> {
        Ok(())
    }

    fn mode(&mut self) -> Result<Mode, Failed> {
        Ok(Mode::default())
    }

    fn set_mode(&mut self, _change: ModeSelect) -> Result<(), Failed> {
        Ok(())
    }

    fn read(&mut self, transfer: Transfer, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        let blocks = Sink::blocks(transfer, buffer.len());
        let done = self.done(blocks);
        Ok(ReadDone {
            blocks,
            bytes: buffer.len(),
            block_length: u32::try_from(buffer.len()).unwrap(),
            stop: None,
            position: done.position,
        })
    }

    fn write(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        Ok(self.done(Sink::blocks(transfer, data.len())))
    }

    fn extend(&mut self, _data: &[u8]) -> Result<Done, Failed> {
        Ok(self.done(0))
    }

    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        match motion {
            Motion::WriteMarks { count, .. } => Ok(self.done(count.into())),
            Motion::Rewind => {
                self.0 = Position::default();
                Ok(self.done(0))
            }
            Motion::Space { .. }
            | Motion::SpaceToEndOfData
            | Motion::Locate(_)
            | Motion::Erase(_) => Ok(self.done(0)),
            Motion::Load(_) | Motion::MakePartitions(_) => {
                Err(Failed::at(Sense::IllegalRequest, None))
            }
        }
    }

    fn unload(&mut self) -> Result<(), Failed> {
        Err(Failed::at(Sense::IllegalRequest, None))
    }

    fn position(&mut self) -> Result<Position, Failed> {
        Ok(self.0)
    }

    fn capacity(&mut self) -> Result<Capacity, Failed> {
        Ok(Capacity::default())
    }

    fn set_door(&mut self, _door: Door) -> Result<(), Failed> {
        Ok(())
    }

    fn take_recovered(&mut self) -> u32 {
        0
    }
}

fn open() -> (St, Sink) {
    let mut st = St::new(&Options::default());
    let mut drive = Sink(Position::default());
    let node = Node {
        mode: 0,
        rewinding: false,
    };
    let flags = OpenFlags {
        access: AccessMode::ReadWrite,
        nonblock: false,
    };
    st.open(&mut drive, node, flags).unwrap();
    (st, drive)
}

fn op(st: &mut St, drive: &mut Sink, operation: Operation, count: i32) {
    let op = MtOp { operation, count };
    st.op(drive, op, Caller { privileged: true }).unwrap();
}

#[test]
fn reading_writing_and_asking_allocate_nothing() {
    let (mut st, mut drive) = open();
    let mut buffer = vec![0; 65_536];
    let count = allocations(|| {
        for _ in 0..1000 {
            st.check_write(&mut drive, buffer.len()).unwrap();
            assert_eq!(st.write(&mut drive, &buffer), Ok(65_536));
            assert_eq!(st.extend(&mut drive, &buffer), Ok(65_536));
            assert_eq!(st.read(&mut drive, &mut buffer), Ok(65_536));
            st.get(&mut drive).unwrap();
            st.pos(&mut drive).unwrap();
            op(&mut st, &mut drive, Operation::BackBlocks, 1);
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn reading_parts_of_blocks_allocates_one_buffer_once() {
    let (mut st, mut drive) = open();
    op(&mut st, &mut drive, Operation::SetBlockSize, 512);
    let mut buffer = vec![0; 700];
    let count = allocations(|| {
        for _ in 0..1000 {
            assert_eq!(st.read(&mut drive, &mut buffer), Ok(700));
        }
    });
    assert_eq!(count, 1);
}

#[test]
fn the_count_counts() {
    assert_eq!(allocations(|| drop(black_box(vec![0_u8; 100]))), 1);
}
