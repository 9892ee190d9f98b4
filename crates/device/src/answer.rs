//! What an errno of the node says of the drive.

use nix::errno::Errno;
use pseudotape_mtio::Operation;
use pseudotape_tape::{Done, Failed, Position, Sense, Stop};

use crate::errno::is_gone;
use crate::state::{DeviceDrive, Locating, Readiness, Whereabouts};

impl DeviceDrive {
    /// What every operation does first: tells pending news, then requires a drive that can work.
    pub(crate) fn begin_anywhere(&mut self) -> Result<(), Failed> {
        if let Some(sense) = self.attention.take() {
            return Err(Failed::at(sense, self.here()));
        }
        self.require_ready()
    }

    /// The same for operations that go on from the place of the tape, which is given back.
    pub(crate) fn begin(&mut self) -> Result<u64, Failed> {
        self.begin_anywhere()?;
        match self.medium.place {
            Whereabouts::At(object) => Ok(object),
            Whereabouts::InFile { file, block } => self.count_to(file, block),
            Whereabouts::Lost => Err(Failed::at(Sense::Reset, None)),
        }
    }

    /// The place, which [`DeviceDrive::begin`] has seen.
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

    /// An errno that says everything by itself.
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
            // Also where the node itself did not say so before: an rmt server that answers only the write with it.
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

    /// After an EIO: where the tape is now. Fails where the drive doesn't know, or can't work any more. A
    /// drive that can't be asked is where it was, as far as anybody knows.
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
        // The first question may meet news of its own.
        for _ in 0..2 {
            match self.ask() {
                Ok(object) => return Ok(object),
                Err(Errno::EIO) => self.require_known()?,
                Err(errno) => return Err(self.failed("asking for the position", errno)),
            }
        }
        // Neither lost nor answering: what st knows only when it opens the drive.
        self.look_again()?;
        self.lose_place();
        Err(Failed::at(Sense::Reset, None))
    }

    /// `MTNOP` fails where the driver has lost the position in a reset, or has no medium.
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

    /// A failure that leaves the tape nobody knows where.
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

    /// The tape is somewhere that nothing but another medium explains, or a fault of the drive.
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

    /// What was known of the medium is of another one.
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
