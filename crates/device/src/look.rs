//! Finding out about the drive behind an open node, and looking again whether it is ready.

use std::path::Path;

use nix::errno::Errno;
use pseudotape_mtio::{Booleans, GeneralStatus, MtGet, Operation};
use pseudotape_tape::{Failed, Sense};

use crate::errno::is_gone;
use crate::error::Error;
use crate::limits;
use crate::local::options_shown;
use crate::node::TapeNode;
use crate::state::{DeviceDrive, Locating, PerMedium, Readiness, Whereabouts};

/// `MTSETDRVBUFFER`: these options off, these on (`MT_ST_CLEARBOOLEANS`, `MT_ST_SETBOOLEANS`).
const CLEAR_BOOLEANS: u32 = 0x4000_0000;
const SET_BOOLEANS: u32 = 0x3000_0000;

/// Options under which the driver says less than the truth: cut blocks, commits that don't wait, motions at close.
const UNWANTED: Booleans = Booleans::SILI
    .union(Booleans::NO_WAIT)
    .union(Booleans::NO_WAIT_FILEMARKS)
    .union(Booleans::SYSV);

fn option(form: u32, switches: Booleans) -> i32 {
    (form | switches.bits()).cast_signed()
}

impl DeviceDrive {
    /// Takes a freshly opened node, and finds out about the medium in the drive.
    pub(crate) fn adopt(&mut self, node: Box<dyn TapeNode>) -> Result<(), Error> {
        let status = node.status().map_err(|errno| Error::NotATape {
            path: self.path.clone(),
            errno,
        })?;
        self.node = Some(node);
        self.medium = PerMedium {
            locating: self.medium.locating,
            ..PerMedium::unknown()
        };
        self.readiness = readiness_of(&status);
        if self.readiness == Readiness::Ready {
            self.find_out(&status)?;
        }
        Ok(())
    }

    fn find_out(&mut self, status: &MtGet) -> Result<(), Error> {
        self.medium.protected = status.general.contains(GeneralStatus::WR_PROT);
        self.medium.partition = u8::try_from(status.residual).unwrap_or(0);
        if self.operate(Operation::Nothing, 0).is_err() {
            // The drive was reset: nothing works before a rewind, after which the rest is asked.
            return Ok(());
        }
        self.switch_options()?;
        self.find_place(status);
        self.keep_variable()
    }

    /// Finds the place without moving the tape.
    fn find_place(&mut self, status: &MtGet) {
        let known = |number: i32| u64::try_from(number).ok();
        let counted = known(status.file).zip(known(status.block));
        match self.ask() {
            Ok(object) => {
                self.medium.locating = Locating::Asked;
                self.arrive(object, known(status.file));
                // A count of 0 moves nothing, but a drive without setmarks refuses the command.
                self.medium.setmarks = self.operate(Operation::ForwardSetmarks, 0).is_ok();
            }
            Err(_) => {
                self.medium.locating = Locating::Counted;
                match counted {
                    Some((0, block)) => {
                        self.medium.files.saw_blocks(0, block);
                        self.medium.hearsay = true;
                        self.arrive(block, Some(0));
                    }
                    Some((file, block)) => self.medium.place = Whereabouts::InFile { file, block },
                    None => {}
                }
            }
        }
    }

    /// Variable block mode, and the limits of blocks where they were not asked yet.
    pub(crate) fn keep_variable(&mut self) -> Result<(), Error> {
        let fixed = |path: &Path, errno| Error::FixedBlocks {
            path: path.to_owned(),
            errno,
        };
        let status = self.status().map_err(|errno| fixed(&self.path, errno))?;
        if status.block_size != 0 {
            self.found_block_size.get_or_insert(status.block_size);
            self.operate(Operation::SetBlockSize, 0)
                .map_err(|errno| fixed(&self.path, errno))?;
        }
        if self.limits.is_none() {
            self.limits = limits::probe(|size| self.operate(Operation::SetBlockSize, size));
        }
        Ok(())
    }

    fn switch_options(&self) -> Result<(), Error> {
        let cleared = self.operate(Operation::SetDriveBuffer, option(CLEAR_BOOLEANS, UNWANTED));
        if cleared == Err(Errno::EPERM) && options_shown(&self.path).contains(Booleans::SILI) {
            return Err(Error::CutsBlocks {
                path: self.path.clone(),
            });
        }
        // Other drivers need not know the options.
        Ok(())
    }

    /// Lets the driver use partitions, which it does only when told; as root. A drive that can't say where it is
    /// could not even be opened then.
    pub(crate) fn allow_partitions(&mut self) -> Result<(), Errno> {
        if self.medium.locating == Locating::Counted {
            return Err(Errno::EINVAL);
        }
        if !self.partitions_allowed && !options_shown(&self.path).contains(Booleans::CAN_PARTITIONS)
        {
            let switches = option(SET_BOOLEANS, Booleans::CAN_PARTITIONS);
            self.operate(Operation::SetDriveBuffer, switches)?;
            self.partitions_allowed = true;
        }
        Ok(())
    }

    /// Takes that back where partitions came to nothing, and when the drive is left in the first one.
    pub(crate) fn disallow_partitions(&mut self) {
        if self.partitions_allowed && self.medium.partition == 0 {
            let switches = option(CLEAR_BOOLEANS, Booleans::CAN_PARTITIONS);
            // Left on it harms nobody.
            self.operate(Operation::SetDriveBuffer, switches).ok();
            self.partitions_allowed = false;
        }
    }

    /// Requires a drive that can work; one that could not is looked at again, by opening its node: only then
    /// does st ask the drive.
    pub(crate) fn require_ready(&mut self) -> Result<(), Failed> {
        let Readiness::Not(before) = self.readiness else {
            return Ok(());
        };
        self.look_again()?;
        let news = if before == Sense::NoDrive {
            // What happened meanwhile is not known, so neither is the place.
            self.lose_place();
            Sense::Reset
        } else {
            Sense::MediumChanged
        };
        Err(Failed::at(news, self.here()))
    }

    /// Opens the node again; fails where the drive is not ready then.
    pub(crate) fn look_again(&mut self) -> Result<(), Failed> {
        self.close();
        let opened = (self.opener)().and_then(|node| self.adopt(node));
        if let Err(error) = opened {
            self.node = None;
            let sense = match error {
                Error::Missing { .. } => Sense::NoDrive,
                Error::Busy { .. } => Sense::NotReady,
                _ => Sense::HardwareError,
            };
            self.readiness = Readiness::Not(sense);
            self.trouble = Some(error.to_string());
        }
        match self.readiness {
            Readiness::Ready => Ok(()),
            Readiness::Not(sense) => Err(Failed::at(sense, None)),
        }
    }

    /// Closes the node so that the driver neither writes nor moves.
    pub(crate) fn close(&mut self) {
        if let Some(node) = self.node.take()
            && let Err(errno) = node.cancel_filemark()
            && !is_gone(errno)
            && errno != Errno::ENOMEDIUM
        {
            self.note("closing", errno);
        }
    }
}

fn readiness_of(status: &MtGet) -> Readiness {
    if status.general.contains(GeneralStatus::ONLINE) {
        Readiness::Ready
    } else if status.general.contains(GeneralStatus::DR_OPEN) {
        Readiness::Not(Sense::NoMedium)
    } else {
        Readiness::Not(Sense::NotReady)
    }
}
