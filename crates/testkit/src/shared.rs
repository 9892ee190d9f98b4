//! A drive in two hands.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pseudotape_tape::{
    Address, BlockLimits, Capacity, Done, Door, Drive, EraseExtent, Failed, Identity, LoadKind,
    Mark, Mode, ModeSelect, Partitioning, Position, ReadDone, SpaceUnit, Transfer, WriteMode,
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

    fn write_marks(&mut self, mark: Mark, count: u32, mode: WriteMode) -> Result<Done, Failed> {
        self.lock().write_marks(mark, count, mode)
    }

    fn space(&mut self, unit: SpaceUnit, count: i64) -> Result<Done, Failed> {
        self.lock().space(unit, count)
    }

    fn space_to_end_of_data(&mut self) -> Result<Done, Failed> {
        self.lock().space_to_end_of_data()
    }

    fn locate(&mut self, to: Address) -> Result<Done, Failed> {
        self.lock().locate(to)
    }

    fn rewind(&mut self) -> Result<Done, Failed> {
        self.lock().rewind()
    }

    fn load(&mut self, kind: LoadKind) -> Result<Done, Failed> {
        self.lock().load(kind)
    }

    fn unload(&mut self) -> Result<(), Failed> {
        self.lock().unload()
    }

    fn erase(&mut self, extent: EraseExtent) -> Result<Done, Failed> {
        self.lock().erase(extent)
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

    fn make_partitions(&mut self, partitioning: Partitioning) -> Result<Done, Failed> {
        self.lock().make_partitions(partitioning)
    }
}
