//! Motions to an absolute position, load and unload.

use nix::errno::Errno;
use pseudotape_mtio::Operation;
use pseudotape_tape::{Address, Done, Failed, LoadKind, Sense, Stop};

use crate::state::{DeviceDrive, Locating, Readiness, Whereabouts};

impl DeviceDrive {
    pub(crate) fn go_to_beginning(&mut self) -> Result<Done, Failed> {
        self.begin_anywhere()?;
        match self.operate(Operation::Rewind, 1) {
            Ok(()) => {
                self.rewound();
                self.come_to_beginning()
            }
            Err(errno) => Err(self.stayed("rewinding", errno)),
        }
    }

    /// Records that a rewind succeeded. To be called after each of them, whatever the rewind was for.
    pub(crate) fn rewound(&mut self) {
        // The drive writes its buffer to the tape before it rewinds.
        self.medium.dirty = false;
        self.medium.miscounted = false;
        // Blocks that only the driver has counted may not exist: an emulation gives blocks behind the end of data.
        if std::mem::take(&mut self.medium.hearsay) {
            self.medium.files = crate::files::Files::default();
        }
    }

    /// Records that the tape is at the beginning of the partition, even if the position was lost before.
    fn come_to_beginning(&mut self) -> Result<Done, Failed> {
        let was_lost = self.medium.place == Whereabouts::Lost;
        self.arrive(0, Some(0));
        if was_lost {
            self.set_up_again()?;
        }
        Ok(self.done(0, None))
    }

    /// Configures the drive again after the position was lost: a reset drive may be back in fixed block mode.
    fn set_up_again(&mut self) -> Result<(), Failed> {
        self.medium.edge = true;
        // A drive whose position is lost does not report it, which is no reason to count from then on.
        match self.ask() {
            Ok(_) => self.locate_by_asking(),
            Err(_) => self.medium.locating = Locating::Counted,
        }
        if let Err(error) = self.keep_variable() {
            self.trouble = Some(error.to_string());
            return self.fail(Sense::HardwareError, 0);
        }
        Ok(())
    }

    /// The failure of a motion: its reason, and the position after it.
    fn stayed(&mut self, what: &str, errno: Errno) -> Failed {
        match self.find(what, errno) {
            Err(failed) => failed,
            Ok(object) if self.here().is_some_and(|here| here.object.0 == object) => {
                Failed::at(Sense::HardwareError, self.here())
            }
            Ok(object) => self.found_elsewhere(object),
        }
    }

    pub(crate) fn go_to(&mut self, to: Address) -> Result<Done, Failed> {
        self.begin_anywhere()?;
        let elsewhere = to.partition.map(|partition| partition.0);
        if let Some(partition) = elsewhere.filter(|number| *number != self.medium.partition) {
            self.choose_partition(partition)?;
        }
        if self.medium.locating == Locating::Counted {
            return self.count_to_object(to.object.0);
        }
        // An object number too large for the request lies behind the end of any tape.
        let target = i32::try_from(to.object.0).unwrap_or(i32::MAX);
        let first = self.operate(Operation::Seek, target);
        let sought = if first == Err(Errno::EIO) {
            // The object lies behind the end of data, or the drive reports a unit attention. A unit attention
            // comes only once.
            self.require_known_after("going to an object")?;
            self.operate(Operation::Seek, target)
        } else {
            first
        };
        let was_lost = self.medium.place == Whereabouts::Lost;
        let object = match sought.and_then(|()| self.ask()) {
            Ok(object) => object,
            Err(errno) => self.find("going to an object", errno)?,
        };
        if let Some(partition) = elsewhere.filter(|number| *number != self.medium.partition) {
            self.enter_partition(partition);
        }
        self.arrive(object, None);
        if was_lost {
            self.set_up_again()?;
        }
        match (first, sought) {
            (Ok(()), Ok(())) if object == to.object.0 => Ok(self.done(0, None)),
            (Err(_), Err(_)) if object < to.object.0 => {
                self.medium.files.saw_end(object);
                self.medium.edge = true;
                Ok(self.done(0, Some(Stop::EndOfData)))
            }
            (Err(_), Ok(())) => {
                self.forget_medium();
                self.fail(Sense::MediumChanged, 0)
            }
            (Ok(()) | Err(_), _) => self.fail(Sense::HardwareError, 0),
        }
    }

    fn require_known_after(&mut self, what: &str) -> Result<(), Failed> {
        self.find(what, Errno::EIO).map(drop)
    }

    /// Selects the partition for the next motion.
    fn choose_partition(&mut self, partition: u8) -> Result<(), Failed> {
        let chosen = self
            .allow_partitions()
            .and_then(|()| self.operate(Operation::SetPartition, partition.into()));
        match chosen {
            Ok(()) => Ok(()),
            Err(Errno::EINVAL | Errno::EPERM | Errno::EIO | Errno::ENOSYS | Errno::ENOTTY) => {
                if self.last_partition() == 0 {
                    self.disallow_partitions();
                }
                self.fail(Sense::IllegalRequest, 0)
            }
            Err(errno) => Err(self.failed("choosing a partition", errno)),
        }
    }

    fn enter_partition(&mut self, partition: u8) {
        self.medium.partition = partition;
        self.medium.files = crate::files::Files::default();
        self.medium.early_warning = None;
        self.medium.edge = true;
    }

    pub(crate) fn go_to_end_of_data(&mut self) -> Result<Done, Failed> {
        if self.medium.locating == Locating::Counted {
            self.begin_anywhere()?;
            return self
                .count_to_object(u64::MAX)
                .map(|done| Done { stop: None, ..done });
        }
        self.begin_anywhere()?;
        let was_lost = self.medium.place == Whereabouts::Lost;
        match self.operate(Operation::EndOfData, 1) {
            Ok(()) => {}
            Err(errno) => return Err(self.stayed("going to the end of data", errno)),
        }
        let file = self.flags().ok().and_then(|flags| flags.file);
        match self.ask() {
            Ok(object) => {
                self.medium.files.saw_end(object);
                self.arrive(object, file);
                self.medium.edge = true;
                if was_lost {
                    self.set_up_again()?;
                }
                Ok(self.done(0, None))
            }
            Err(errno) => Err(self.lost_by("asking for the position", errno)),
        }
    }

    pub(crate) fn load_medium(&mut self, kind: LoadKind) -> Result<Done, Failed> {
        if let Some(sense) = self.attention.take() {
            return Err(Failed::at(sense, self.here()));
        }
        let operation = match (kind, self.readiness) {
            (LoadKind::Retension, Readiness::Ready) => Operation::Retension,
            (LoadKind::Load | LoadKind::Retension, _) => Operation::Load,
        };
        if self.node.is_none() {
            // A drive that is back need not be ready: the load is there to make it ready.
            self.look_again().or_else(|failed| match failed.sense {
                Sense::NoMedium | Sense::NotReady => Ok(()),
                _ => Err(failed),
            })?;
        }
        let loaded = self.operate(operation, 1);
        // st asks the drive whether it is ready only when the node is opened.
        self.look_again()?;
        match loaded {
            Ok(()) => {}
            // The load was refused, and the drive is ready: the medium was loaded already. Such a load ends at
            // the beginning too.
            Err(Errno::EIO) => {}
            Err(errno) => return Err(self.failed("loading", errno)),
        }
        if self.medium.partition != 0 {
            return self.go_to(Address {
                partition: Some(pseudotape_tape::PartitionNumber(0)),
                object: pseudotape_tape::ObjectNumber(0),
            });
        }
        match self.operate(Operation::Rewind, 1) {
            Ok(()) => {
                self.rewound();
                self.come_to_beginning()
            }
            Err(errno) => Err(self.stayed("rewinding after the load", errno)),
        }
    }

    pub(crate) fn unload_medium(&mut self) -> Result<(), Failed> {
        self.begin_anywhere()?;
        self.commit()?;
        match self.operate(Operation::Unload, 1) {
            Ok(()) => {
                self.lose_place();
                // Whether the drive is empty or just not ready is found out when the next operation asks.
                self.readiness = Readiness::Not(Sense::NotReady);
                Ok(())
            }
            Err(errno) => {
                let object = self.find("unloading", errno)?;
                if self.medium.locating == Locating::Asked {
                    self.arrive(object, None);
                }
                // The door is locked.
                self.fail(Sense::IllegalRequest, 0)
            }
        }
    }

    /// Checks that the tape is still at the known position (for `test_ready` and `position`).
    pub(crate) fn verify(&mut self) -> Result<(), Failed> {
        if self.medium.locating == Locating::Counted || self.medium.place == Whereabouts::Lost {
            return match self.operate(Operation::Nothing, 0) {
                // EIO: the position is lost, as was reported before. The drive itself works.
                Ok(()) | Err(Errno::EIO) => Ok(()),
                Err(errno) => Err(self.failed("asking whether it is ready", errno)),
            };
        }
        let object = match self.ask() {
            Ok(object) => object,
            Err(errno) => self.find("asking for the position", errno)?,
        };
        match self.medium.place {
            Whereabouts::At(expected) if expected != object => Err(self.found_elsewhere(object)),
            Whereabouts::At(_) | Whereabouts::InFile { .. } | Whereabouts::Lost => Ok(()),
        }
    }
}
