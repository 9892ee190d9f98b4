//! A drive as SCSI commands look at it. The driver hears of each failure too, because the drive tells a failure only
//! once.

use pseudotape_scsi::{Counters, TapeView};
use pseudotape_tape::{BlockLimits, Capacity, Drive, Failed, Identity, Mode, Position};

use crate::tape_drive::DriveState;

/// The drive behind a node, during one command.
pub(crate) struct DriveView<'a>(pub(crate) &'a mut DriveState);

impl DriveView<'_> {
    fn ask<T>(
        &mut self,
        ask: impl FnOnce(&mut dyn Drive) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        let (st, drive) = self.0.parts();
        ask(drive).inspect_err(|failed| st.overhear(failed))
    }
}

impl TapeView for DriveView<'_> {
    fn identity(&self) -> Identity {
        self.0.slot.volume().identity()
    }

    fn block_limits(&self) -> BlockLimits {
        self.0.slot.volume().block_limits()
    }

    fn ready(&mut self) -> Result<(), Failed> {
        self.ask(|drive| drive.test_ready())
    }

    fn mode(&mut self) -> Result<Mode, Failed> {
        self.ask(|drive| drive.mode())
    }

    fn position(&mut self) -> Result<Position, Failed> {
        self.ask(|drive| drive.position())
    }

    fn capacity(&mut self) -> Result<Capacity, Failed> {
        self.ask(|drive| drive.capacity())
    }

    fn counters(&self) -> Counters {
        let transfer = &self.0.transferred;
        Counters {
            written_bytes: transfer.written_bytes,
            read_bytes: transfer.read_bytes,
        }
    }
}
