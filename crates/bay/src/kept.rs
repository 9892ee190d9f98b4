//! A drive whose volume somebody keeps.

use pseudotape_tape::{
    BlockLimits, Capacity, Done, Door, Drive, Failed, Identity, Mode, ModeSelect, Motion,
    Partitioning, Position, ReadDone, Sense, Transfer,
};

use crate::contents::Own;

/// A drive of ours whose volume somebody keeps: what is written is told. A program that unloads the volume ejects it.
impl Own {
    /// A keeper's volume has one partition.
    fn expect_kept_whole(&mut self, motion: Motion) -> Result<(), Failed> {
        match motion {
            Motion::MakePartitions(Partitioning::SecondOf(_) | Partitioning::FirstOf(_)) => {
                self.trouble = Some("a volume of a vault has one partition".to_owned());
                let position = self.drive.position().ok();
                Err(Failed::at(Sense::IllegalRequest, position))
            }
            Motion::MakePartitions(Partitioning::Single)
            | Motion::WriteMarks { .. }
            | Motion::Space { .. }
            | Motion::SpaceToEndOfData
            | Motion::Locate(_)
            | Motion::Rewind
            | Motion::Load(_)
            | Motion::Erase(_) => Ok(()),
        }
    }

    /// Closes the volume that was unloaded by a program.
    fn eject_kept(&mut self) -> Result<(), Failed> {
        let Some(cartridge) = self.drive.eject() else {
            return Ok(());
        };
        let keeper = self.keeper.take();
        if let Err(error) = cartridge.finish() {
            self.trouble = Some(format!("the volume was not closed: {error}"));
            return Err(Failed::at(Sense::HardwareError, None));
        }
        if let Some(keeper) = keeper {
            self.trouble = keeper.closed();
        }
        Ok(())
    }
}

impl Drive for Own {
    fn identity(&self) -> Identity {
        self.drive.identity()
    }

    fn block_limits(&self) -> BlockLimits {
        self.drive.block_limits()
    }

    fn test_ready(&mut self) -> Result<(), Failed> {
        self.drive.test_ready()
    }

    fn mode(&mut self) -> Result<Mode, Failed> {
        self.drive.mode()
    }

    fn set_mode(&mut self, change: ModeSelect) -> Result<(), Failed> {
        self.drive.set_mode(change)
    }

    fn read(&mut self, transfer: Transfer, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        let ended = self.drive.read(transfer, buffer);
        if let (Some(keeper), Err(failed)) = (&mut self.keeper, &ended) {
            keeper.read_failed(failed);
        }
        ended
    }

    fn write(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        let ended = self.drive.write(transfer, data);
        if let Some(keeper) = &mut self.keeper {
            keeper.wrote(transfer, data, &ended);
        }
        ended
    }

    fn extend(&mut self, data: &[u8]) -> Result<Done, Failed> {
        let ended = self.drive.extend(data);
        if let Some(keeper) = &mut self.keeper {
            keeper.extended(data, &ended);
        }
        ended
    }

    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        self.expect_kept_whole(motion)?;
        let ended = self.drive.execute(motion);
        if let Some(keeper) = &mut self.keeper {
            keeper.moved(motion, &ended);
        }
        ended
    }

    fn unload(&mut self) -> Result<(), Failed> {
        self.drive.unload()?;
        self.eject_kept()
    }

    fn position(&mut self) -> Result<Position, Failed> {
        self.drive.position()
    }

    fn capacity(&mut self) -> Result<Capacity, Failed> {
        self.drive.capacity()
    }

    fn set_door(&mut self, door: Door) -> Result<(), Failed> {
        self.drive.set_door(door)
    }

    fn take_recovered(&mut self) -> u32 {
        self.drive.take_recovered()
    }
}
