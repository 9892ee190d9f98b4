//! A drive in two hands.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pseudotape_tape::{
    BlockLimits, Capacity, Done, Door, Drive, Failed, Identity, Mode, ModeSelect, Motion, Position,
    ReadDone, Transfer,
};

/// A drive that one owns and another looks at, or does to what an operator could.
pub struct SharedDrive<D>(Arc<Mutex<D>>);

impl<D> SharedDrive<D> {
    /// Shares a drive.
    #[must_use]
    pub fn new(drive: D) -> Self {
        SharedDrive(Arc::new(Mutex::new(drive)))
    }

    /// The drive itself; nobody else uses it as long as the guard lives.
    pub fn lock(&self) -> MutexGuard<'_, D> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D> Clone for SharedDrive<D> {
    fn clone(&self) -> Self {
        SharedDrive(Arc::clone(&self.0))
    }
}

impl<D: Drive> Drive for SharedDrive<D> {
    fn identity(&self) -> Identity {
        self.lock().identity()
    }

    fn block_limits(&self) -> BlockLimits {
        self.lock().block_limits()
    }

    fn test_ready(&mut self) -> Result<(), Failed> {
        self.lock().test_ready()
    }

    fn mode(&mut self) -> Result<Mode, Failed> {
        self.lock().mode()
    }

    fn take_recovered(&mut self) -> u32 {
        self.lock().take_recovered()
    }

    fn set_mode(&mut self, change: ModeSelect) -> Result<(), Failed> {
        self.lock().set_mode(change)
    }

    fn read(&mut self, transfer: Transfer, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        self.lock().read(transfer, buffer)
    }

    fn write(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        self.lock().write(transfer, data)
    }

    fn extend(&mut self, data: &[u8]) -> Result<Done, Failed> {
        self.lock().extend(data)
    }

    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        self.lock().execute(motion)
    }

    fn unload(&mut self) -> Result<(), Failed> {
        self.lock().unload()
    }

    fn position(&mut self) -> Result<Position, Failed> {
        self.lock().position()
    }

    fn capacity(&mut self) -> Result<Capacity, Failed> {
        self.lock().capacity()
    }

    fn set_door(&mut self, door: Door) -> Result<(), Failed> {
        self.lock().set_door(door)
    }
}
