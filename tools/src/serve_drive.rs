//! The drive of `pseudotape serve`: a slave's requests reach it one by one, and its end comes between two of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pseudotape_bay::Sliced;
use pseudotape_drive::{Cartridge, FileMedium, ImageDrive};
use pseudotape_tape::{
    BlockLimits, Capacity, Done, Door, Drive, Failed, Identity, Mode, ModeSelect, Motion, Position,
    ReadDone, Transfer,
};

/// A drive with an image in it, behind a lock. Clones are the same drive.
#[derive(Clone)]
pub(crate) struct SharedDrive {
    held: Arc<Mutex<Held>>,
    identity: Identity,
    limits: BlockLimits,
    /// The program was asked to end: what takes long is given up.
    ending: Arc<AtomicBool>,
}

struct Held {
    drive: ImageDrive<FileMedium>,
    /// A block was written, and since then no mark and no motion of the tape.
    in_file: bool,
}

/// What is taken out of the drive at its end.
pub(crate) struct TakenOut {
    pub(crate) cartridge: Option<Cartridge<FileMedium>>,
    /// Where a tape file ends that somebody was writing.
    pub(crate) cut: Option<Position>,
}

impl SharedDrive {
    pub(crate) fn new(drive: ImageDrive<FileMedium>, ending: Arc<AtomicBool>) -> Self {
        SharedDrive {
            identity: drive.identity(),
            limits: drive.block_limits(),
            held: Arc::new(Mutex::new(Held {
                drive,
                in_file: false,
            })),
            ending,
        }
    }

    /// A panic in the middle of an operation was printed when it happened; an image checks itself.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the operation in hand, and takes the cartridge out: later operations find no medium.
    pub(crate) fn take_out(&self) -> TakenOut {
        let mut held = self.held();
        let in_file = held.in_file;
        let cut = held.drive.position().ok().filter(|_| in_file);
        // A program may have unloaded it; it is in the drive all the same.
        let cartridge = held.drive.eject();
        TakenOut { cartridge, cut }
    }
}

impl Drive for SharedDrive {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn block_limits(&self) -> BlockLimits {
        self.limits
    }

    fn test_ready(&mut self) -> Result<(), Failed> {
        self.held().drive.test_ready()
    }

    fn mode(&mut self) -> Result<Mode, Failed> {
        self.held().drive.mode()
    }

    fn set_mode(&mut self, change: ModeSelect) -> Result<(), Failed> {
        self.held().drive.set_mode(change)
    }

    fn read(&mut self, transfer: Transfer, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        let mut held = self.held();
        held.in_file = false;
        held.drive.read(transfer, buffer)
    }

    fn write(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        let mut held = self.held();
        let written = held.drive.write(transfer, data)?;
        held.in_file = true;
        Ok(written)
    }

    fn extend(&mut self, data: &[u8]) -> Result<Done, Failed> {
        self.held().drive.extend(data)
    }

    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        let mut held = self.held();
        // A commit leaves the tape where it is.
        held.in_file &= matches!(motion, Motion::WriteMarks { count: 0, .. });
        let wanted = || !self.ending.load(Ordering::SeqCst);
        Sliced::new(&mut held.drive, &wanted).execute(motion)
    }

    fn unload(&mut self) -> Result<(), Failed> {
        let mut held = self.held();
        held.in_file = false;
        held.drive.unload()
    }

    fn position(&mut self) -> Result<Position, Failed> {
        self.held().drive.position()
    }

    fn capacity(&mut self) -> Result<Capacity, Failed> {
        self.held().drive.capacity()
    }

    fn set_door(&mut self, door: Door) -> Result<(), Failed> {
        self.held().drive.set_door(door)
    }

    fn take_recovered(&mut self) -> u32 {
        self.held().drive.take_recovered()
    }
}
