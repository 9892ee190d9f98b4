//! What an errno of the node means for the drive and its position.

use nix::errno::Errno;
use pseudotape_mtio::Operation;
use pseudotape_tape::{Done, Failed, Position, Sense, Stop};

use crate::errno::is_gone;
use crate::state::{DeviceDrive, Locating, Readiness, Whereabouts};

impl DeviceDrive {
    /// The first step of every operation: reports a pending unit attention, then requires a ready drive.
    pub(crate) fn begin_anywhere(&mut self) -> Result<(), Failed> {
        if let Some(sense) = self.attention.take() {
            return Err(Failed::at(sense, self.here()));
        }
        self.require_ready()
    }

    /// The same for operations that start from the current position. Returns that position.
    pub(crate) fn begin(&mut self) -> Result<u64, Failed> {
        self.begin_anywhere()?;
        match self.medium.place {
            Whereabouts::At(object) => Ok(object),
            Whereabouts::InFile { file, block } => self.count_to(file, block),
            Whereabouts::Lost => Err(Failed::at(Sense::Reset, None)),
        }
    }

    /// The current position. [`DeviceDrive::begin`] has made sure that it is known.
    pub(crate) fn position_here(&self) -> Position {
        match self.medium.place {
            Whereabouts::At(object) => self.position_at(object),
            Whereabouts::InFile { .. } | Whereabouts::Lost => Position::default(),
        }
    }

    pub(crate) fn done(&self, count: u64, stop: Option<Stop>) -> Done {
        Done {
            count,
            stop,
            position: self.position_here(),
        }
    }

    /// The failure for an errno whose meaning needs no further request.
    pub(crate) fn failed(&mut self, what: &str, errno: Errno) -> Failed {
        self.note(what, errno);
        let sense = match errno {
            Errno::ENOMEDIUM => {
                self.lose_place();
                self.readiness = Readiness::Not(Sense::NoMedium);
                Sense::NoMedium
            }
            errno if is_gone(errno) => {
                self.node = None;
                self.lose_place();
                self.readiness = Readiness::Not(Sense::NoDrive);
                Sense::NoDrive
            }
            // The node may have opened as writable all the same: an rmt server may report this only for the
            // write.
            Errno::EACCES | Errno::EROFS | Errno::EBADF => {
                self.medium.protected |= errno != Errno::EBADF;
                Sense::WriteProtected
            }
            Errno::EINVAL
            | Errno::EPERM
            | Errno::ENOSYS
            | Errno::ENOTTY
            | Errno::EOVERFLOW
            | Errno::EBUSY => Sense::IllegalRequest,
            _ => Sense::HardwareError,
        };
        Failed::at(sense, self.here())
    }

    /// Finds the position of the tape after an EIO. Fails if the drive does not know its position, or does not
    /// work any more. A drive that can't report its position is assumed not to have moved.
    pub(crate) fn find(&mut self, what: &str, errno: Errno) -> Result<u64, Failed> {
        if errno != Errno::EIO {
            return Err(self.failed(what, errno));
        }
        self.note(what, errno);
        self.require_known()?;
        let before = match self.medium.place {
            Whereabouts::At(object) => object,
            Whereabouts::InFile { .. } | Whereabouts::Lost => 0,
        };
        if self.medium.locating == Locating::Counted {
            return Ok(before);
        }
        // The first request may itself fail with a unit attention.
        for _ in 0..2 {
            match self.ask() {
                Ok(object) => return Ok(object),
                Err(Errno::EIO) => self.require_known()?,
                Err(errno) => return Err(self.failed("asking for the position", errno)),
            }
        }
        // The position is not lost, and yet the drive does not report it. st learns the reason only when it
        // opens the drive.
        self.look_again()?;
        self.lose_place();
        Err(Failed::at(Sense::Reset, None))
    }

    /// Fails if a reset lost the position, or if there is no medium: then st fails `MTNOP`.
    fn require_known(&mut self) -> Result<(), Failed> {
        match self.operate(Operation::Nothing, 0) {
            Ok(()) => Ok(()),
            Err(Errno::EIO) => {
                self.lose_place();
                Err(Failed::at(Sense::Reset, None))
            }
            Err(errno) => Err(self.failed("asking whether it is ready", errno)),
        }
    }

    /// A failure after which the position is known only if the drive reports it.
    pub(crate) fn lost_by(&mut self, what: &str, errno: Errno) -> Failed {
        let found = self.find(what, errno);
        match found {
            Ok(object) if self.medium.locating == Locating::Asked => self.found_elsewhere(object),
            Ok(_) => {
                self.lose_place();
                Failed::at(Sense::HardwareError, None)
            }
            Err(failed) => failed,
        }
    }

    /// The tape is at an unexpected position. Either the medium is another one, or the drive has a fault.
    pub(crate) fn found_elsewhere(&mut self, object: u64) -> Failed {
        let sense = if object == 0 {
            self.forget_medium();
            Sense::MediumChanged
        } else {
            Sense::HardwareError
        };
        self.arrive(object, None);
        Failed::at(sense, self.here())
    }

    /// Forgets what is known of the medium, because another one is in the drive.
    pub(crate) fn forget_medium(&mut self) {
        self.medium.files = crate::files::Files::default();
        self.medium.early_warning = None;
        self.medium.worm = false;
        self.medium.dirty = false;
        self.medium.edge = true;
        if let Ok(status) = self.status() {
            let general = status.general;
            self.medium.protected = general.contains(pseudotape_mtio::GeneralStatus::WR_PROT);
        }
    }
}
