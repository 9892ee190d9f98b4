//! PT-08. Deferred errors: a drive reports later that it could not write data from its buffer. A node of this
//! test does so.

use std::sync::{Arc, Mutex};

use nix::errno::Errno;
use pseudotape_device::{Access, DeviceDrive, TapeNode};
use pseudotape_mtio::{GeneralStatus, MtGet, Operation};
use pseudotape_tape::{BlockLimits, Drive, Mark, Sense, Transfer, WriteMode};

/// The objects that the drive buffers, and the call in which it reports that it lost the last ones.
#[derive(Debug, Default)]
struct Tape {
    objects: u64,
    written: u64,
    fails_at_write: Option<u64>,
    fails_at_commit: bool,
    loses: u64,
}

impl Tape {
    fn lose(&mut self) -> Errno {
        self.objects -= self.loses;
        Errno::EIO
    }
}

#[derive(Clone, Debug)]
struct Buffering(Arc<Mutex<Tape>>);

impl TapeNode for Buffering {
    fn read(&self, _buffer: &mut [u8]) -> Result<usize, Errno> {
        Err(Errno::EIO)
    }

    fn write(&self, data: &[u8]) -> Result<usize, Errno> {
        let mut tape = self.0.lock().unwrap();
        tape.written += 1;
        if tape.fails_at_write == Some(tape.written) {
            return Err(tape.lose());
        }
        tape.objects += 1;
        Ok(data.len())
    }

    fn operate(&self, operation: Operation, count: i32) -> Result<(), Errno> {
        let mut tape = self.0.lock().unwrap();
        match operation {
            Operation::WriteFilemarks if tape.fails_at_commit => {
                tape.fails_at_commit = false;
                Err(tape.lose())
            }
            Operation::WriteFilemarks => {
                tape.objects += u64::from(count.unsigned_abs());
                Ok(())
            }
            // Nothing lies behind what was written.
            Operation::ForwardBlocks if count > 0 => Err(Errno::EIO),
            Operation::ForwardSetmarks => Err(Errno::EIO),
            Operation::Tell => Err(Errno::ENOSYS),
            _ => Ok(()),
        }
    }

    fn status(&self) -> Result<MtGet, Errno> {
        Ok(MtGet {
            residual: 0,
            block_size: 0,
            density: 0,
            general: GeneralStatus::ONLINE,
            recovered_errors: 0,
            file: 0,
            block: -1,
        })
    }

    fn object(&self) -> Result<u64, Errno> {
        Ok(self.0.lock().unwrap().objects)
    }
}

fn drive(tape: Tape) -> DeviceDrive {
    let node = Buffering(Arc::new(Mutex::new(tape)));
    let again = node.clone();
    let limits = BlockLimits {
        min_bytes: 1,
        max_bytes: 1 << 20,
        granularity_bytes: 1,
    };
    DeviceDrive::over(
        "buffering",
        Access::ReadWrite,
        Box::new(node),
        Box::new(move || Ok(Box::new(again.clone()))),
        Some(limits),
    )
    .expect("a node that works")
}

#[test]
fn a_write_that_tells_of_lost_blocks_ends_where_the_drive_is() {
    for loses in 0..3 {
        let mut drive = drive(Tape {
            fails_at_write: Some(5),
            loses,
            ..Tape::default()
        });
        for number in 1..5 {
            let done = drive.write(Transfer::Variable, b"block").expect("buffered");
            assert_eq!((done.count, done.position.object.0), (1, number));
        }
        let failed = drive
            .write(Transfer::Variable, b"block")
            .expect_err("the drive lost what it had");
        let place = failed.position.map(|at| at.object.0);
        assert_eq!(
            (failed.sense, failed.count, place),
            (Sense::HardwareError, 0, Some(4 - loses))
        );
        // The drive goes on from there.
        let done = drive.write(Transfer::Variable, b"block").expect("it works");
        assert_eq!(done.position.object.0, 5 - loses);
    }
}

#[test]
fn a_commit_that_tells_of_lost_blocks_fails_and_ends_where_the_drive_is() {
    let mut drive = drive(Tape {
        fails_at_commit: true,
        loses: 2,
        ..Tape::default()
    });
    for _ in 0..5 {
        drive.write(Transfer::Variable, b"block").expect("buffered");
    }
    let failed = drive
        .write_marks(Mark::Filemark, 0, WriteMode::Commit)
        .expect_err("the drive lost what it had");
    let place = failed.position.map(|at| at.object.0);
    assert_eq!((failed.sense, place), (Sense::HardwareError, Some(3)));
}
