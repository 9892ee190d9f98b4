//! The drive on the other side.

use std::fmt;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use pseudotape_device::DeviceDrive;
use pseudotape_st::{AccessMode, OpenFlags};
use pseudotape_tape::{
    Attributes, AttributesError, BlockLimits, Capacity, Done, Door, Drive, Failed, Identity, Mode,
    ModeSelect, Motion, Noted, ObjectNumber, PartitionNumber, Position, ReadDone, Sense, Transfer,
    Volume, VolumeError, VolumeIdentity, Writability, commit_before_end,
};

use crate::channel::Channel;
use crate::error::Error;
use crate::node::SharedWire;
use crate::remote::Remote;
use crate::wire::{Ending, Refused, Wire};
use pseudotape_tape::Access;

/// A tape drive behind an rmt server.
///
/// What st hides on the other side is recovered as for a node of this machine (see [`DeviceDrive`]): each record costs
/// one way there and back, whatever is asked about it. A record counts as written when the server has said so. When the
/// connection breaks, falls silent or brings nonsense, the operation at hand fails with [`Sense::HardwareError`] and the
/// last position that is known for sure, every later one with [`Sense::NoDrive`]; connect anew then. A server that ends
/// after the medium was unloaded leaves a drive that is not ready.
pub struct RmtDrive {
    drive: DeviceDrive,
    wire: SharedWire,
    /// Where the tape was after the last operation that told.
    sure: Option<Position>,
    /// The end of the connection was told.
    gone: bool,
    /// The medium was unloaded, and nothing was done since: all of it is on the tape.
    unloaded: bool,
    trouble: Option<String>,
    name: String,
}

impl fmt::Debug for RmtDrive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RmtDrive")
            .field("name", &self.name)
            .field("sure", &self.sure)
            .field("gone", &self.gone)
            .finish_non_exhaustive()
    }
}

impl RmtDrive {
    /// Connects, opens the tape without moving it, and finds out about it.
    pub fn connect(remote: &Remote) -> Result<Self, Error> {
        Self::over(Channel::open(remote)?, remote)
    }

    /// The same over a connection that is there already; `remote` says everything else.
    pub fn over_unix(stream: UnixStream, remote: &Remote) -> Result<Self, Error> {
        Self::over(Channel::from(stream), remote)
    }

    /// The same over a connection that is there already; `remote` says everything else.
    pub fn over_tcp(stream: TcpStream, remote: &Remote) -> Result<Self, Error> {
        let channel = Channel::over_tcp(stream).map_err(|source| Error::Unreachable {
            remote: remote.to_string(),
            source,
        })?;
        Self::over(channel, remote)
    }

    fn over(channel: Channel, remote: &Remote) -> Result<Self, Error> {
        let name = remote.to_string();
        let flags = OpenFlags {
            access: match remote.access {
                Access::ReadOnly => AccessMode::Read,
                Access::ReadWrite => AccessMode::ReadWrite,
            },
            // Also without a medium, or with a protected one, as a drive is.
            nonblock: true,
        };
        let wire = SharedWire::new(Wire::new(channel, remote.limits));
        let greeted = wire.lock().greet();
        let node = greeted.and_then(|()| wire.open(&remote.tape, flags));
        let node = node.map_err(|refused| refusal(&wire, &name, refused))?;
        let foreign = wire.lock().try_status();
        if let Err(foreign) = foreign {
            return Err(Error::ForeignStatus {
                remote: name,
                got: foreign.0,
            });
        }
        let opener = wire.opener(remote.tape.clone(), name.clone(), flags);
        let access = remote.access;
        let drive = DeviceDrive::over(&name, access, node, opener, remote.block_limits);
        let drive = drive.map_err(|error| match wire.lock().ending() {
            Some(ending) => ended(&name, ending),
            None => error.into(),
        })?;
        let mut drive = RmtDrive {
            drive,
            wire,
            sure: None,
            gone: false,
            unloaded: false,
            trouble: None,
            name,
        };
        // Where it stands, where that is known without a motion.
        if let Ok(position) = drive.drive.position() {
            drive.sure = Some(position);
        }
        Ok(drive)
    }

    /// The tape, as messages name it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Does an operation; what it says of the place is kept, and the end of the connection told once.
    fn run<T: Told>(
        &mut self,
        operation: impl FnOnce(&mut DeviceDrive) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        if self.gone {
            let sense = match self.unloaded {
                true => Sense::NotReady,
                false => Sense::NoDrive,
            };
            return Err(Failed::at(sense, None));
        }
        let result = operation(&mut self.drive);
        let failed = match result {
            Ok(value) => {
                self.unloaded = false;
                if let Some(position) = value.position() {
                    self.sure = Some(position);
                }
                return Ok(value);
            }
            Err(failed) => failed,
        };
        let ending = self.wire.lock().ending().cloned();
        let Some(ending) = ending else {
            self.sure = failed.position.or(self.sure);
            return Err(failed);
        };
        self.gone = true;
        if self.unloaded {
            // GNU rmt ends when it closes the tape, which looking for a new medium does first.
            return Err(Failed::at(Sense::NotReady, None));
        }
        let trouble = match ending {
            Ending::Broken(why) => Error::Broken {
                remote: self.name.clone(),
                why,
            },
            nonsense @ Ending::Nonsense(_) => ended(&self.name, &nonsense),
        };
        self.trouble = Some(trouble.to_string());
        Err(Failed {
            sense: Sense::HardwareError,
            count: failed.count,
            position: self.sure,
        })
    }

    /// The same for transfers: the blocks that the server confirmed before the end of the connection are sure too.
    fn transfer<T: Told>(
        &mut self,
        operation: impl FnOnce(&mut DeviceDrive) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        let was_gone = self.gone;
        self.run(operation).map_err(|failed| {
            if !self.gone || was_gone {
                return failed;
            }
            let position = failed.position.map(|sure| Position {
                object: ObjectNumber(sure.object.0.saturating_add(failed.count)),
                ..sure
            });
            self.sure = position;
            Failed { position, ..failed }
        })
    }
}

fn refusal(wire: &SharedWire, name: &str, refused: Refused) -> Error {
    let wire = wire.lock();
    match (refused, wire.ending()) {
        (Refused::Told { errno, text }, _) => Error::Refused {
            remote: name.to_owned(),
            errno,
            text: if text.is_empty() {
                errno.desc().to_owned()
            } else {
                text
            },
        },
        (Refused::Cut, Some(ending)) => ended(name, ending),
        (Refused::Cut, None) => Error::Cut {
            remote: name.to_owned(),
            why: "nothing is known of it".to_owned(),
        },
    }
}

fn ended(name: &str, ending: &Ending) -> Error {
    let remote = name.to_owned();
    match ending.clone() {
        Ending::Broken(why) => Error::Cut { remote, why },
        Ending::Nonsense(got) => Error::Nonsense { remote, got },
    }
}

/// Results that may say where the tape is.
trait Told {
    fn position(&self) -> Option<Position>;
}

impl Told for Done {
    fn position(&self) -> Option<Position> {
        Some(self.position)
    }
}

impl Told for ReadDone {
    fn position(&self) -> Option<Position> {
        Some(self.position)
    }
}

impl Told for Position {
    fn position(&self) -> Option<Position> {
        Some(*self)
    }
}

macro_rules! says_nothing_of_the_place {
    ($($kind:ty),*) => {
        $(impl Told for $kind {
            fn position(&self) -> Option<Position> {
                None
            }
        })*
    };
}

says_nothing_of_the_place!((), Mode, Capacity);

impl Drive for RmtDrive {
    fn identity(&self) -> Identity {
        Identity {
            vendor: "RMT".into(),
            product: self.name.clone(),
            ..Identity::default()
        }
    }

    fn block_limits(&self) -> BlockLimits {
        self.drive.block_limits()
    }

    fn test_ready(&mut self) -> Result<(), Failed> {
        self.run(|drive| drive.test_ready())
    }

    fn mode(&mut self) -> Result<Mode, Failed> {
        self.run(|drive| drive.mode())
    }

    fn set_mode(&mut self, change: ModeSelect) -> Result<(), Failed> {
        self.run(|drive| drive.set_mode(change))
    }

    fn read(&mut self, transfer: Transfer, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        self.transfer(|drive| drive.read(transfer, buffer))
    }

    fn write(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        self.transfer(|drive| drive.write(transfer, data))
    }

    fn extend(&mut self, data: &[u8]) -> Result<Done, Failed> {
        self.transfer(|drive| drive.extend(data))
    }

    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        match motion {
            // The server may confirm a part of the marks, as it does of blocks.
            Motion::WriteMarks { .. } => self.transfer(|drive| drive.execute(motion)),
            Motion::Space { .. }
            | Motion::SpaceToEndOfData
            | Motion::Locate(_)
            | Motion::Rewind
            | Motion::Load(_)
            | Motion::Erase(_)
            | Motion::MakePartitions(_) => self.run(|drive| drive.execute(motion)),
        }
    }

    fn unload(&mut self) -> Result<(), Failed> {
        self.run(|drive| drive.unload())?;
        self.unloaded = true;
        Ok(())
    }

    fn position(&mut self) -> Result<Position, Failed> {
        self.run(|drive| drive.position())
    }

    fn capacity(&mut self) -> Result<Capacity, Failed> {
        self.run(|drive| drive.capacity())
    }

    fn set_door(&mut self, door: Door) -> Result<(), Failed> {
        self.run(|drive| drive.set_door(door))
    }

    fn take_recovered(&mut self) -> u32 {
        self.drive.take_recovered()
    }
}

impl Volume for RmtDrive {
    fn take_trouble(&mut self) -> Option<String> {
        self.trouble.take().or_else(|| self.drive.take_trouble())
    }

    /// No request writes such a record.
    fn record_unreadable(&mut self, _length_bytes: u32) -> Result<Done, Failed> {
        let position = self.position().ok();
        Err(Failed::at(Sense::IllegalRequest, position))
    }

    fn noted(&self) -> Noted {
        Noted::NoPlace
    }

    fn note_not_mirrored(&mut self, _from: Option<ObjectNumber>) -> Result<bool, VolumeError> {
        Ok(false)
    }

    fn known_position(&self) -> Option<Position> {
        self.sure
    }

    fn volume_identity(&self) -> VolumeIdentity {
        VolumeIdentity::default()
    }

    fn writability(&mut self) -> Writability {
        match self.drive.writability() {
            Writability::OpenedReadOnly => Writability::OpenedReadOnly,
            _ if self.gone => Writability::Unknown,
            told => told,
        }
    }

    fn attributes(&mut self, _partition: PartitionNumber) -> Result<Attributes, AttributesError> {
        Err(AttributesError::NoPlace)
    }

    fn set_attributes(
        &mut self,
        _partition: PartitionNumber,
        _attributes: &Attributes,
    ) -> Result<(), AttributesError> {
        Err(AttributesError::NoPlace)
    }

    fn lost_when_closed(&mut self) -> Option<VolumeError> {
        None
    }

    fn finish(mut self: Box<Self>) -> Result<(), VolumeError> {
        commit_before_end(&mut *self).map_err(|failed| {
            let name = &self.name;
            VolumeError::new(format!(
                "{name}: {failed}: what was written last may not be there"
            ))
        })
    }
}
