//! Load, unload, retension, the door (`do_load_unload`, `do_door_lock`).

use pseudotape_tape::{Door, Drive, LoadKind};

use crate::St;
use crate::errno::Refusal;
use crate::state::{DoorState, Readiness};

impl St {
    /// `MTLOAD`.
    ///
    /// | condition | result | position after |
    /// |---|---|---|
    /// | a medium is in the drive | ok | beginning, file 0, block 0 |
    /// | none | EIO | file −1, block −1 |
    pub(crate) fn load(&mut self, drive: &mut dyn Drive) -> Result<(), Refusal> {
        let loaded = drive.load(LoadKind::Load);
        if let Err(failed) = self.heard(loaded) {
            self.lose_file_and_block();
            return Err(Refusal::Drive(failed.sense));
        }
        // Drives report a change of the medium after a load; one that is quiet stands at the beginning too.
        self.drive.medium_changed = true;
        if let Some(open) = &mut self.open {
            open.rewind_at_close = open.node.rewinding;
        }
        self.look_at_drive(drive)
    }

    /// `MTUNLOAD`, and the end of `MTOFFL`: the medium is out of reach until a load or a new open; the
    /// last close does not rewind. File and block stay as they were.
    pub(crate) fn unload(&mut self, drive: &mut dyn Drive) -> Result<(), Refusal> {
        self.mount.require_ready()?;
        let unloaded = drive.unload();
        if let Err(failed) = self.heard(unloaded) {
            self.lose_file_and_block();
            return Err(Refusal::Drive(failed.sense));
        }
        if let Some(open) = &mut self.open {
            open.rewind_at_close = false;
        }
        self.mount.readiness = Readiness::NoMedium;
        Ok(())
    }

    /// `MTRETEN`: to the end of the medium and back to the beginning.
    pub(crate) fn retension(&mut self, drive: &mut dyn Drive) -> Result<(), Refusal> {
        let loaded = drive.load(LoadKind::Retension);
        self.come_to_beginning(loaded)
    }

    /// `MTLOCK`, `MTUNLOCK`.
    pub(crate) fn lock_door(&mut self, drive: &mut dyn Drive, door: Door) -> Result<(), Refusal> {
        let set = drive.set_door(door);
        match self.heard(set) {
            Ok(()) => {
                self.drive.door = match door {
                    Door::Locked => DoorState::Explicit,
                    Door::Unlocked => DoorState::Unlocked,
                };
                Ok(())
            }
            Err(failed) => {
                self.drive.door = DoorState::Fails;
                Err(Refusal::Drive(failed.sense))
            }
        }
    }

    fn lose_file_and_block(&mut self) {
        let here = self.mount.here();
        here.file = -1;
        here.block = -1;
    }
}
