//! `trait Drive` over a node.

use pseudotape_tape::{
    Address, BlockLimits, Capacity, Done, Door, Drive, EraseExtent, Failed, Identity, LoadKind,
    Mark, Mode, ModeSelect, Partitioning, Position, ReadDone, Sense, SpaceUnit, Transfer,
    WriteMode,
};

use crate::state::DeviceDrive;

impl Drive for DeviceDrive {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn block_limits(&self) -> BlockLimits {
        self.known_limits()
    }

    fn test_ready(&mut self) -> Result<(), Failed> {
        self.begin_anywhere()?;
        self.verify()
    }

    /// As far as the driver told in passing.
    fn take_recovered(&mut self) -> u32 {
        self.recovered.take()
    }

    fn mode(&mut self) -> Result<Mode, Failed> {
        self.mode_now()
    }

    fn set_mode(&mut self, change: ModeSelect) -> Result<(), Failed> {
        self.change_mode(change)
    }

    fn read(&mut self, transfer: Transfer, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        self.read_blocks(transfer, buffer)
    }

    fn write(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        self.write_blocks(transfer, data)
    }

    /// No driver lengthens a block.
    fn extend(&mut self, _data: &[u8]) -> Result<Done, Failed> {
        self.begin()?;
        self.fail(Sense::IllegalRequest, 0)
    }

    fn write_marks(&mut self, mark: Mark, count: u32, mode: WriteMode) -> Result<Done, Failed> {
        self.put_marks(mark, count, mode)
    }

    fn space(&mut self, unit: SpaceUnit, count: i64) -> Result<Done, Failed> {
        self.space_over(unit, count)
    }

    fn space_to_end_of_data(&mut self) -> Result<Done, Failed> {
        self.go_to_end_of_data()
    }

    fn locate(&mut self, to: Address) -> Result<Done, Failed> {
        self.go_to(to)
    }

    fn rewind(&mut self) -> Result<Done, Failed> {
        self.go_to_beginning()
    }

    fn load(&mut self, kind: LoadKind) -> Result<Done, Failed> {
        self.load_medium(kind)
    }

    fn unload(&mut self) -> Result<(), Failed> {
        self.unload_medium()
    }

    fn erase(&mut self, extent: EraseExtent) -> Result<Done, Failed> {
        self.erase_from_here(extent)
    }

    fn position(&mut self) -> Result<Position, Failed> {
        self.begin()?;
        self.verify()?;
        Ok(self.position_here())
    }

    /// No request tells the capacity: the total is unknown, and so is what is recorded (0).
    fn capacity(&mut self) -> Result<Capacity, Failed> {
        self.require_ready()?;
        Ok(Capacity::default())
    }

    fn set_door(&mut self, door: Door) -> Result<(), Failed> {
        self.move_door(door)
    }

    fn make_partitions(&mut self, partitioning: Partitioning) -> Result<Done, Failed> {
        self.cut_into_partitions(partitioning)
    }
}
