//! Examines the drive behind a newly opened node, and checks again whether a drive is ready.

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

/// Codes of `MTSETDRVBUFFER` that clear and set options (`MT_ST_CLEARBOOLEANS`, `MT_ST_SETBOOLEANS`).
const CLEAR_BOOLEANS: u32 = 0x4000_0000;
const SET_BOOLEANS: u32 = 0x3000_0000;

/// Options that must be off: they truncate blocks silently, make commits return early, or move the tape at
/// close.
const UNWANTED: Booleans = Booleans::SILI
    .union(Booleans::NO_WAIT)
    .union(Booleans::NO_WAIT_FILEMARKS)
    .union(Booleans::SYSV);

fn option(form: u32, switches: Booleans) -> i32 {
    (form | switches.bits()).cast_signed()
}

impl DeviceDrive {
    /// Takes over a newly opened node, and examines the medium in the drive.
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
            // The drive was reset: nothing works before a rewind. The rest is examined after that.
            return Ok(());
        }
        self.switch_options()?;
        self.find_place(status);
        self.keep_variable()
    }

    /// Finds the position without moving the tape.
    fn find_place(&mut self, status: &MtGet) {
        let known = |number: i32| u64::try_from(number).ok();
        let counted = known(status.file).zip(known(status.block));
        match self.ask() {
            Ok(object) => {
                self.arrive(object, known(status.file));
                self.locate_by_asking();
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

    /// The drive reports its position.
    pub(crate) fn locate_by_asking(&mut self) {
        self.medium.locating = Locating::Asked;
        // A count of 0 does not move the tape, but a drive without setmarks refuses the command.
        self.medium.setmarks = self.operate(Operation::ForwardSetmarks, 0).is_ok();
    }

    /// Switches to variable block mode, and finds the block limits if they are not known yet.
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
        // Other errors are ignored: another driver need not have these options.
        Ok(())
    }

    /// Sets st's option for partitions, which is off by default; only root may. Not for a drive that can't
    /// report its position: with the option on, it could not even be opened.
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

    /// Clears the option again if partitions turned out not to work, or when the drive is left in the first
    /// partition.
    pub(crate) fn disallow_partitions(&mut self) {
        if self.partitions_allowed && self.medium.partition == 0 {
            let switches = option(CLEAR_BOOLEANS, Booleans::CAN_PARTITIONS);
            // An option that stays on does no harm.
            self.operate(Operation::SetDriveBuffer, switches).ok();
            self.partitions_allowed = false;
        }
    }

    /// Fails unless the drive is ready. If it was not ready before, its node is opened again, because st asks
    /// the drive only at an open.
    pub(crate) fn require_ready(&mut self) -> Result<(), Failed> {
        let Readiness::Not(before) = self.readiness else {
            return Ok(());
        };
        self.look_again()?;
        let news = if before == Sense::NoDrive {
            // The drive may have been moved meanwhile, so the position is unknown.
            self.lose_place();
            Sense::Reset
        } else {
            Sense::MediumChanged
        };
        Err(Failed::at(news, self.here()))
    }

    /// Opens the node again. Fails if the drive is not ready then.
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

    /// Closes the node in such a way that the driver neither writes a filemark nor moves the tape.
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
