//! A drive that writes and reads any number of blocks and stores none.

use pseudotape_tape::{
    BlockLimits, Capacity, Done, Door, Drive, Failed, Identity, Mode, ModeSelect, Motion, Position,
    ReadDone, Sense, Transfer,
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

    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        match motion {
            Motion::WriteMarks { count, .. } => Ok(self.done(count.into())),
            Motion::SpaceToEndOfData | Motion::Erase(_) => Ok(self.done(0)),
            Motion::Locate(to) => {
                self.0.object = to.object;
                Ok(self.done(0))
            }
            Motion::Rewind | Motion::Load(_) => {
                self.0 = Position::default();
                Ok(self.done(0))
            }
            Motion::Space { .. } | Motion::MakePartitions(_) => self.refused(),
        }
    }

    fn unload(&mut self) -> Result<(), Failed> {
        self.refused()
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
