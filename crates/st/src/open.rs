//! `open(2)`, and the look at the drive that opening and loading share.

use std::time::Duration;

use pseudotape_mtio::Booleans;
use pseudotape_tape::{Drive, Failed, Sense};

use crate::St;
use crate::errno::{Errno, Refusal};
use crate::state::{
    AccessMode, DoorState, Motion, Node, OpenFlags, PARTITIONS, PerOpen, PerPartition, Readiness,
};

/// How long a blocking open waits for a drive that is not ready (`st.c`: `ST_BLOCK_SECONDS`).
pub const OPEN_WAIT: Duration = Duration::from_secs(120);

/// Unit attentions that a drive may report in a row before it counts as broken.
const MAX_ATTENTIONS: u32 = 10;

/// How an open went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// The file is open.
    Open,
    /// The drive is not ready: ask [`St::open_again`] now and then, for [`OPEN_WAIT`] at most, then
    /// [`St::abandon_open`].
    Waiting,
}

enum Look {
    Ready,
    NewSession,
    NotReady(Readiness),
}

impl St {
    /// Opens the drive (`st_open`).
    ///
    /// | condition | result | position after |
    /// |---|---|---|
    /// | open already, by whatever node | EBUSY | unchanged |
    /// | ready | open | unchanged |
    /// | a new medium was reported | open | file 0, block 0 |
    /// | not ready, `O_NONBLOCK` | open | file −1, block −1 |
    /// | not ready otherwise | waits | |
    /// | write protected, to be written, not `O_NONBLOCK` | EROFS | unchanged |
    pub fn open(
        &mut self,
        drive: &mut dyn Drive,
        node: Node,
        flags: OpenFlags,
    ) -> Result<Opening, Errno> {
        if self.open.is_some() {
            return self.answer(Err(Refusal::InUse));
        }
        for partition in &mut self.mount.partitions {
            partition.motion = Motion::Idle;
        }
        self.open = Some(PerOpen {
            node,
            flags,
            waiting: false,
            write_refused: flags.access == AccessMode::Read,
            rewind_at_close: node.rewinding,
            direct: true,
            closed_early: None,
        });
        self.go_on_opening(drive)
    }

    /// Looks again whether a waiting open can go on.
    pub fn open_again(&mut self, drive: &mut dyn Drive) -> Result<Opening, Errno> {
        if !self.open.as_ref().is_some_and(|open| open.waiting) {
            return self.answer(Err(Refusal::NotOpen));
        }
        self.go_on_opening(drive)
    }

    /// Ends a waiting open; says what the program gets when the time was up: ENOMEDIUM without a medium,
    /// EIO for a drive that is not ready for another reason.
    pub fn abandon_open(&mut self) -> Errno {
        let refusal = match self.open.take() {
            Some(open) if open.waiting => match self.mount.readiness {
                Readiness::NoMedium => Refusal::NoMedium,
                Readiness::NotReady | Readiness::Ready => Refusal::NotReady,
            },
            other => {
                self.open = other;
                Refusal::NotOpen
            }
        };
        refusal.errno()
    }

    /// Whether the drive is open, or an open waits.
    #[must_use]
    pub fn in_use(&self) -> bool {
        self.open.is_some()
    }

    fn go_on_opening(&mut self, drive: &mut dyn Drive) -> Result<Opening, Errno> {
        let Some(open) = &self.open else {
            return self.answer(Err(Refusal::NotOpen));
        };
        let nonblock = open.flags.nonblock;
        let looked = self.look_at_drive(drive);
        match looked {
            Ok(()) => {
                let waits = self.mount.readiness != Readiness::Ready && !nonblock;
                if let Some(open) = &mut self.open {
                    open.waiting = waits;
                }
                Ok(if waits {
                    Opening::Waiting
                } else {
                    Opening::Open
                })
            }
            Err(refusal) => {
                self.open = None;
                self.answer(Err(refusal))
            }
        }
    }

    /// Asks the drive whether it is ready and what it is like (`check_tape`).
    pub(crate) fn look_at_drive(&mut self, drive: &mut dyn Drive) -> Result<(), Refusal> {
        let Some(open) = &self.open else {
            return Err(Refusal::NotOpen);
        };
        let flags = open.flags;
        let mut new_session = open.node.mode != self.mode;
        self.mode = open.node.mode;
        match self.test_ready(drive)? {
            Look::Ready => {}
            Look::NewSession => {
                new_session = true;
                self.begin_session();
            }
            Look::NotReady(readiness) => {
                self.forget_medium(readiness);
                return Ok(());
            }
        }
        self.mount.readiness = Readiness::Ready;
        self.mount.limits = (!self.has(Booleans::NO_BLOCK_LIMITS)).then(|| drive.block_limits());
        let mode = drive.mode();
        match self.heard(mode) {
            Ok(mode) => {
                self.mount.buffering = mode.buffering;
                self.mount.density = mode.density;
                self.mount.block_size = mode.block_size;
                self.mount.write_protected = mode.write_protected;
                if mode.buffering == 0 {
                    // A drive that doesn't buffer can't promise to write marks later.
                    self.settings.booleans.remove(Booleans::NO_WAIT_FILEMARKS);
                }
            }
            Err(_) => {
                // st's guess where MODE SENSE fails: variable blocks, not protected.
                self.mount.block_size = 0;
                self.mount.write_protected = false;
            }
        }
        self.lookahead.clear();
        if self.mount.write_protected {
            if let Some(open) = &mut self.open {
                open.write_refused = true;
            }
            if !flags.nonblock && flags.access != AccessMode::Read {
                return Err(Refusal::ProtectedMedium);
            }
        }
        if self.has(Booleans::CAN_PARTITIONS) && self.mount.partition_count.is_none() {
            self.mount.partition = self.find_partition(drive)?;
            self.mount.wanted_partition = self.mount.partition;
            self.mount.partition_count = Some(1);
        }
        if new_session {
            self.set_session_defaults(drive)?;
        }
        Ok(())
    }

    fn set_session_defaults(&mut self, drive: &mut dyn Drive) -> Result<(), Refusal> {
        self.mount.density_set = None;
        self.mount.block_size_set = None;
        self.mount.compression_set = false;
        if !self.has(Booleans::DEFAULTS_FOR_WRITES) {
            self.set_default_mode(drive)?;
        }
        if let Some(buffering) = self.settings.default_buffering {
            // st only warns when the drive refuses.
            self.set_buffering(drive, buffering).ok();
        }
        Ok(())
    }

    /// Asks for readiness until the drive has no more unit attentions to tell (`test_ready`).
    fn test_ready(&mut self, drive: &mut dyn Drive) -> Result<Look, Refusal> {
        let mut attentions = 0;
        let look = loop {
            let asked = drive.test_ready();
            let Err(failed) = self.heard(asked) else {
                break Ok(());
            };
            match failed.sense {
                Sense::MediumChanged | Sense::Reset if attentions < MAX_ATTENTIONS => {
                    attentions += 1;
                }
                Sense::NoMedium => break Err(Readiness::NoMedium),
                // With O_NONBLOCK nothing of the drive is needed yet, as without a medium.
                Sense::NoDrive if self.opens_nonblock() => break Err(Readiness::NoMedium),
                Sense::NotReady => break Err(Readiness::NotReady),
                sense @ (Sense::NoDrive
                | Sense::MediumChanged
                | Sense::Reset
                | Sense::WriteProtected
                | Sense::WormOverwrite
                | Sense::MediumError
                | Sense::HardwareError
                | Sense::IllegalRequest) => return Err(Refusal::Drive(sense)),
            }
        };
        if !self.drive.recognized {
            // What a drive reports when it is first seen is its power-on, and nothing is lost by it.
            self.drive.recognized = true;
            self.drive.position_lost = false;
        }
        Ok(match look {
            Err(readiness) => Look::NotReady(readiness),
            Ok(()) if std::mem::take(&mut self.drive.medium_changed) => Look::NewSession,
            Ok(()) => Look::Ready,
        })
    }

    fn opens_nonblock(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.flags.nonblock)
    }

    /// A new medium: everything starts at the beginning of its first partition.
    fn begin_session(&mut self) {
        self.drive.position_lost = false;
        self.mount.partition = 0;
        self.mount.wanted_partition = 0;
        if self.has(Booleans::CAN_PARTITIONS) {
            self.mount.partition_count = Some(1);
        }
        self.mount.partitions = [PerPartition::BEGINNING; PARTITIONS];
    }

    /// No medium, or not ready.
    fn forget_medium(&mut self, readiness: Readiness) {
        self.mount.readiness = readiness;
        self.mount.density = 0;
        self.mount.block_size = 0;
        if let Some(open) = &mut self.open {
            open.write_refused = false;
        }
        let first = &mut self.mount.partitions[0];
        first.file = -1;
        first.block = -1;
        self.mount.partition = 0;
        self.mount.wanted_partition = 0;
        self.drive.door = DoorState::Unlocked;
    }

    /// Hears what the drive told somebody else: it tells a new medium or a reset only once. The kernel's SCSI layer
    /// tells st in the same way what a command by `SG_IO` got.
    pub fn overhear(&mut self, failed: &Failed) {
        self.drive.hear(failed);
    }

    /// Hears what a failure tells besides its reason.
    pub(crate) fn heard<T>(&mut self, result: Result<T, Failed>) -> Result<T, Failed> {
        result.inspect_err(|failed| self.drive.hear(failed))
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.mount.readiness == Readiness::Ready
    }
}
