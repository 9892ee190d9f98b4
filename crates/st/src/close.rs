//! The last `close(2)` (`st_flush`, `st_release`).

use pseudotape_mtio::Booleans;
use pseudotape_tape::{Done, Door, Drive, Failed, Mark, Sense, Stop, WriteMode};

use crate::St;
use crate::errno::{Errno, Refusal};
use crate::settle::{Crossing, Next};
use crate::state::{DoorState, Edge, Motion, PerOpen};

impl St {
    /// Closes the drive.
    ///
    /// | the last transfer | result | position after |
    /// |---|---|---|
    /// | a write | a filemark, or two with two-filemarks; EIO where it does not fit | behind it (behind the first of two) |
    /// | a read | what was read ahead is given back | before the block that was not read |
    /// | a read, with sysv | – | behind the next filemark, unless one was just passed |
    /// | any, on a rewinding node | also rewinds, unless unloaded | beginning |
    ///
    /// The file is closed whatever the result.
    pub fn close(&mut self, drive: &mut dyn Drive) -> Result<(), Errno> {
        let result = self.finish(drive);
        self.open = None;
        self.lookahead.clear();
        self.answer(result)
    }

    /// The error that [`St::close`] is going to end in, as far as it is certain now: for a frontend that
    /// hears of a `close(2)` before the file is closed, and could not tell an error later.
    #[must_use]
    pub fn foretell_close(&self) -> Option<Errno> {
        let to_come = |open: &&PerOpen| !open.waiting && open.closed_early.is_none();
        let open = self.open.as_ref().filter(to_come)?;
        let refusal = if open.rewind_at_close {
            self.mount.require_ready().err()
        } else if self.is_ready() && self.drive.position_lost {
            Some(Refusal::PositionLost)
        } else {
            None
        };
        refusal.map(Refusal::errno)
    }

    /// As [`St::foretell_close`], and asks the drive whether it still stands where the filemark of this close belongs.
    /// st hears that from the filemark itself, while `close(2)` is on its way.
    ///
    /// | condition | result | position after |
    /// |---|---|---|
    /// | the last transfer was a write, and the drive has been reset since | EIO | unknown |
    /// | the same, and it has another medium | EIO; the close writes nothing on that one | unknown to the program |
    /// | otherwise | as foretold | unchanged |
    pub fn ask_before_close(&mut self, drive: &mut dyn Drive) -> Result<(), Errno> {
        let owes_mark = self.open.as_ref().is_some_and(|open| !open.waiting)
            && self.is_ready()
            && !self.drive.position_lost
            && self.mount.partitions[self.mount.partition].motion == Motion::Writing;
        if owes_mark {
            let asked = drive.test_ready();
            if let Err(failed) = self.heard(asked) {
                match failed.sense {
                    Sense::Reset => return self.answer(Err(Refusal::PositionLost)),
                    Sense::MediumChanged => {
                        self.mount.here().motion = Motion::Idle;
                        return self.answer(Err(Refusal::Drive(failed.sense)));
                    }
                    // The close meets it as well, and is not told twice of it.
                    Sense::NoDrive
                    | Sense::NoMedium
                    | Sense::NotReady
                    | Sense::WriteProtected
                    | Sense::WormOverwrite
                    | Sense::MediumError
                    | Sense::HardwareError
                    | Sense::IllegalRequest => {}
                }
            }
        }
        self.foretell_close().map_or(Ok(()), Err)
    }

    fn finish(&mut self, drive: &mut dyn Drive) -> Result<(), Refusal> {
        let Some(open) = &self.open else {
            return Err(Refusal::NotOpen);
        };
        if open.waiting {
            return Ok(());
        }
        let result = match open.closed_early {
            Some(_) => Ok(()),
            None => self.end_tape_file(drive),
        };
        if self.drive.door == DoorState::Auto {
            // st_release has nobody to tell.
            self.lock_door(drive, Door::Unlocked).ok();
        }
        result
    }

    /// What a close does to the tape (`st_flush`).
    pub(crate) fn end_tape_file(&mut self, drive: &mut dyn Drive) -> Result<(), Refusal> {
        let rewinds = self.open.as_ref().is_some_and(|open| open.rewind_at_close);
        let mut result = self.mark_or_give_back(drive, rewinds);
        // Asked again: nothing above changes it, but an unload before did.
        if rewinds {
            let rewound = self.rewind(drive);
            result = result.and(rewound);
        }
        result
    }

    fn mark_or_give_back(&mut self, drive: &mut dyn Drive, rewinds: bool) -> Result<(), Refusal> {
        let started_in = self.mount.partition;
        self.switch_partition(drive)?;
        if self.mount.partitions[started_in].motion == Motion::Writing && !self.drive.position_lost
        {
            return self.mark_end(drive, started_in);
        }
        if rewinds {
            return Ok(());
        }
        let sysv = self.has(Booleans::SYSV);
        let here = *self.mount.here();
        if sysv && here.motion == Motion::Reading {
            return self.go_behind_filemark(drive);
        }
        if self.has(Booleans::CAN_BSR) {
            return self.settle(drive, Next::FromHere);
        }
        if here.edge == Edge::FilemarkUntold {
            let crossed = self.cross_filemark(drive, Crossing::Back);
            let here = self.mount.here();
            if crossed.is_err() {
                here.pass_filemark();
                here.edge = Edge::Filemark;
            } else {
                here.edge = Edge::None;
            }
            return crossed;
        }
        Ok(())
    }

    /// Writes the filemark behind what was written. It goes where the head is, also after a change of the
    /// partition, and is counted in the partition that was written.
    fn mark_end(&mut self, drive: &mut dyn Drive, partition: usize) -> Result<(), Refusal> {
        let two = self.has(Booleans::TWO_FILEMARKS);
        let mode = if self.waits_for_marks() {
            WriteMode::Commit
        } else {
            WriteMode::Immediate
        };
        let written = drive.write_marks(Mark::Filemark, if two { 2 } else { 1 }, mode);
        match self.heard(written) {
            Ok(Done {
                stop: Some(Stop::EndOfPartition),
                ..
            }) => Err(Refusal::MarksDoNotFit),
            Ok(_) => {
                self.mount.partitions[partition].pass_filemark();
                if two {
                    // Back between the two, so that the next write replaces the second one.
                    self.cross_filemark(drive, Crossing::Back).ok();
                }
                self.mount.partitions[partition].edge = Edge::Filemark;
                Ok(())
            }
            Err(Failed { sense, .. }) => Err(Refusal::Drive(sense)),
        }
    }

    fn go_behind_filemark(&mut self, drive: &mut dyn Drive) -> Result<(), Refusal> {
        let behind = match self.mount.here().edge {
            Edge::None => {
                self.cross_filemark(drive, Crossing::Forward)?;
                true
            }
            Edge::FilemarkUntold => true,
            Edge::Filemark
            | Edge::EarlyWarning
            | Edge::NoSpaceTold
            | Edge::ZeroTold
            | Edge::EndOfData => false,
        };
        if behind {
            let here = self.mount.here();
            here.pass_filemark();
            here.edge = Edge::Filemark;
        }
        Ok(())
    }
}
