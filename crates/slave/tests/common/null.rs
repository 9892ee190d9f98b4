//! A drive that takes and gives any number of blocks and keeps none.

use pseudotape_tape::{
    Address, BlockLimits, Capacity, Done, Door, Drive, EraseExtent, Failed, Identity, LoadKind,
    Mark, Mode, ModeSelect, Partitioning, Position, ReadDone, Sense, SpaceUnit, Transfer,
    WriteMode,
};

#[derive(Default)]
pub struct NullDrive(Position);

impl NullDrive {
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

    fn refused<T>(&self) -> Result<T, Failed> {
        Err(Failed::at(Sense::IllegalRequest, Some(self.0)))
    }
}

impl Drive for NullDrive {
    fn identity(&self) -> Identity {
        Identity::default()
    }

    fn block_limits(&self) -> BlockLimits {
        BlockLimits {
            min_bytes: 1,
            max_bytes: 16 << 20,
            granularity_bytes: 1,
        }
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
        let blocks = NullDrive::blocks(transfer, buffer.len());
        let done = self.done(blocks);
        Ok(ReadDone {
            blocks,
            bytes: buffer.len(),
            block_length: (buffer.len() as u64)
                .checked_div(blocks)
                .map_or(0, |length| u32::try_from(length).expect("short blocks")),
            stop: None,
            position: done.position,
        })
    }

    fn write(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        Ok(self.done(NullDrive::blocks(transfer, data.len())))
    }

    fn extend(&mut self, _data: &[u8]) -> Result<Done, Failed> {
        let position = self.0;
        Ok(Done {
            count: 1,
            stop: None,
            position,
        })
    }

    fn write_marks(&mut self, _mark: Mark, count: u32, _mode: WriteMode) -> Result<Done, Failed> {
        Ok(self.done(count.into()))
    }

    fn space(&mut self, _unit: SpaceUnit, _count: i64) -> Result<Done, Failed> {
        self.refused()
    }

    fn space_to_end_of_data(&mut self) -> Result<Done, Failed> {
        Ok(self.done(0))
    }

    fn locate(&mut self, to: Address) -> Result<Done, Failed> {
        self.0.object = to.object;
        Ok(self.done(0))
    }

    fn rewind(&mut self) -> Result<Done, Failed> {
        self.0 = Position::default();
        Ok(self.done(0))
    }

    fn load(&mut self, _kind: LoadKind) -> Result<Done, Failed> {
        self.rewind()
    }

    fn unload(&mut self) -> Result<(), Failed> {
        self.refused()
    }

    fn erase(&mut self, _extent: EraseExtent) -> Result<Done, Failed> {
        Ok(self.done(0))
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

    fn make_partitions(&mut self, _partitioning: Partitioning) -> Result<Done, Failed> {
        self.refused()
    }
}
