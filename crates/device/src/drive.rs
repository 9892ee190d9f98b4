//! `trait Drive` over a node.

use pseudotape_tape::{
    BlockLimits, Capacity, Done, Door, Drive, Failed, Identity, Mode, ModeSelect, Motion, Position,
    ReadDone, Sense, Transfer,
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

    /// The errors that the driver reported with its status.
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

    /// No driver can extend a block.
    fn extend(&mut self, _data: &[u8]) -> Result<Done, Failed> {
        self.begin()?;
        self.fail(Sense::IllegalRequest, 0)
    }

    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        match motion {
            Motion::WriteMarks { mark, count, mode } => self.put_marks(mark, count, mode),
            Motion::Space { unit, count } => self.space_over(unit, count),
            Motion::SpaceToEndOfData => self.go_to_end_of_data(),
            Motion::Locate(to) => self.go_to(to),
            Motion::Rewind => self.go_to_beginning(),
            Motion::Load(kind) => self.load_medium(kind),
            Motion::Erase(extent) => self.erase_from_here(extent),
            Motion::MakePartitions(partitioning) => self.cut_into_partitions(partitioning),
        }
    }

    fn unload(&mut self) -> Result<(), Failed> {
        self.unload_medium()
    }

    fn position(&mut self) -> Result<Position, Failed> {
        self.begin()?;
        self.verify()?;
        Ok(self.position_here())
    }

    /// No request returns the capacity. The total is unknown, and the recorded amount is given as 0.
    fn capacity(&mut self) -> Result<Capacity, Failed> {
        self.require_ready()?;
        Ok(Capacity::default())
    }

    fn set_door(&mut self, door: Door) -> Result<(), Failed> {
        self.move_door(door)
    }
}
