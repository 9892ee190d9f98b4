//! The place in a bay for one volume.

use std::path::PathBuf;

use pseudotape_drive::{ImageDrive, Overrides, Personality};
use pseudotape_fault::{Faults, Faulty};
use pseudotape_image::{OpenReport, Watch, WriteProtect};
use pseudotape_sink::{Sink, host_room_bytes};
use pseudotape_tape::{Door, Drive, Position, Volume, VolumeError, Writability};

use crate::contents::{Contents, Own};
use crate::error::Error;
use crate::guest::Guest;
use crate::keeper::Keeper;
use crate::opened::{Opened, OpenedContent, plain_image};

/// What is in the slot, as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The image, or the specification of anything else.
    pub name: PathBuf,
    /// Whether the drive can work on it: not unloaded by a program.
    pub ready: bool,
    /// Whether a write is refused: by the switch, or because of how the volume was opened. Of a volume that brought
    /// its own drive: as it was at the load.
    pub write_protected: bool,
    /// Why the volume was opened for reading only, where it was: the switch can't help then.
    pub read_only: Option<String>,
    /// Whether data can only be appended, as far as is known.
    pub worm: bool,
    /// How many partitions there are; 1 where that is not known.
    pub partitions: u8,
    /// Bytes of the image files; `None` for anything else.
    pub host_bytes: Option<u64>,
    /// What its first block said at the load of a filter or a key that is missing, or is another one.
    pub notice: Option<String>,
}

/// The place for one volume: what st drives.
///
/// An image that is not filtered goes into a drive of ours, with its personality and limits. Every other sink brings a
/// drive of its own, which st sees until it is unloaded; where it could not be what this drive was configured to be, it
/// is refused.
pub struct Slot(Faulty<Contents>);

impl Slot {
    /// A slot with an empty drive of this kind.
    #[must_use]
    pub fn new(personality: Personality, serial: String, overrides: Overrides) -> Self {
        Slot(Faulty::new(Contents::Own(Own {
            drive: Box::new(ImageDrive::new(personality, serial, overrides)),
            overrides,
            refusal: None,
            guest: None,
            notice: None,
            keeper: None,
            trouble: None,
        })))
    }

    /// A slot whose volume is not loaded and unloaded here.
    #[must_use]
    pub fn fixed(volume: Box<dyn Volume>) -> Self {
        Slot(Faulty::new(Contents::Fixed(volume)))
    }

    /// The drive, for st. Where no fault is injected it is what is in the slot, and nothing is before it.
    pub fn drive(&mut self) -> &mut dyn Drive {
        match self.0.is_armed() {
            true => &mut self.0,
            false => self.0.behind_mut().drive(),
        }
    }

    /// The volume, for those who hold it.
    #[must_use]
    pub fn volume(&self) -> &dyn Volume {
        match self.0.is_armed() {
            true => &self.0,
            false => self.0.behind().volume(),
        }
    }

    /// The volume, for those whose operations need more than a drive.
    pub fn volume_mut(&mut self) -> &mut dyn Volume {
        match self.0.is_armed() {
            true => &mut self.0,
            false => self.0.behind_mut(),
        }
    }

    /// What goes wrong here on command.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        self.0.faults()
    }

    /// How many objects each partition of an image holds; `None` where that is not known without asking a drive.
    #[must_use]
    pub fn objects(&self) -> Option<Vec<u64>> {
        match self.0.behind() {
            Contents::Own(Own {
                guest: None, drive, ..
            }) => {
                let cartridge = drive.cartridge()?;
                let partitions = 0..cartridge.partition_count();
                Some(partitions.map(|number| cartridge.objects(number)).collect())
            }
            Contents::Own(_) | Contents::Fixed(_) => None,
        }
    }

    /// What kind of drive of ours it is, whatever is loaded; `None` where the drive is another hand's.
    #[must_use]
    pub fn personality(&self) -> Option<&Personality> {
        match self.0.behind() {
            Contents::Own(own) => Some(own.drive.personality()),
            Contents::Fixed(_) => None,
        }
    }

    /// Takes the text of the last trouble: what an errno can't say.
    pub fn take_trouble(&mut self) -> Option<String> {
        self.0.take_trouble()
    }

    /// Where the tape is, as far as that is known without asking.
    #[must_use]
    pub fn known_position(&self) -> Option<Position> {
        self.volume().known_position()
    }

    /// Whether a program prevents the removal of the volume.
    #[must_use]
    pub fn door(&self) -> Door {
        match self.0.behind() {
            Contents::Own(Own {
                guest: Some(guest), ..
            }) => guest.door,
            Contents::Own(Own { drive, .. }) => drive.door(),
            Contents::Fixed(_) => Door::Unlocked,
        }
    }

    /// What is loaded; `None` where nothing is, or where it is another hand's. Asks no drive.
    #[must_use]
    pub fn loaded(&self) -> Option<Loaded> {
        let Contents::Own(own) = self.0.behind() else {
            return None;
        };
        if let Some(guest) = &own.guest {
            return Some(Loaded {
                name: guest.name.clone().into(),
                ready: true,
                write_protected: guest.writability.is_read_only(),
                read_only: why_read_only(guest.writability, guest.refusal.as_ref()),
                worm: guest.writability == Writability::AppendOnly,
                partitions: guest.partitions,
                host_bytes: None,
                notice: own.notice.clone(),
            });
        }
        let cartridge = own.drive.cartridge()?;
        Some(Loaded {
            name: cartridge.path().to_owned(),
            ready: own.drive.is_loaded(),
            write_protected: cartridge.is_write_protected(),
            read_only: why_read_only(cartridge.writability(), own.refusal.as_ref()),
            worm: cartridge.is_worm(),
            partitions: cartridge.partition_count(),
            host_bytes: Some(cartridge.host_bytes()),
            notice: own.notice.clone(),
        })
    }

    /// Bytes that the host's disk still takes for what is loaded; `None` where that is no image, or not known.
    #[must_use]
    pub fn host_room_bytes(&self) -> Option<u64> {
        let Contents::Own(own) = self.0.behind() else {
            return None;
        };
        match &own.guest {
            Some(guest) => guest.sink.host_room_bytes(),
            None => host_room_bytes(own.drive.cartridge()?.path()),
        }
    }

    /// Loads what a specification names; says how it is called in messages, and what was found damaged.
    ///
    /// What can't be written is a protected volume, as in any drive. To open a volume can take long: whoever holds
    /// a lock around the slot does the three steps by himself.
    pub fn load(&mut self, sink: &Sink) -> Result<(String, Vec<OpenReport>), Error> {
        self.expect(sink)?;
        let opened = Opened::open(sink, Watch::default())?;
        self.put_in(opened)
    }

    /// First step of a load: checks that this slot can take what the specification names.
    pub fn expect(&self, sink: &Sink) -> Result<(), Error> {
        if let Some(loaded) = self.loaded() {
            return Err(Error::Holds {
                holds: loaded.name.display().to_string(),
            });
        }
        let Contents::Own(own) = self.0.behind() else {
            return Err(Error::Fixed);
        };
        if let Some(fault) = self.faults().refuses_load() {
            let name = sink.to_string();
            return Err(Error::Fault { name, fault });
        }
        match plain_image(sink) {
            Some(_) => Ok(()),
            None => own.expect_guest(sink),
        }
    }

    /// Last step of a load: puts the volume in that was opened. It is left alone where another one came first.
    pub fn put_in(&mut self, opened: Opened) -> Result<(String, Vec<OpenReport>), Error> {
        if let Some(loaded) = self.loaded() {
            return Err(Error::Holds {
                holds: loaded.name.display().to_string(),
            });
        }
        let Contents::Own(own) = self.0.behind_mut() else {
            return Err(Error::Fixed);
        };
        let Opened {
            name,
            notice,
            content,
        } = opened;
        own.notice = notice;
        match content {
            OpenedContent::Image {
                cartridge,
                reports,
                refusal,
            } => {
                own.refusal = refusal;
                match own.drive.insert(*cartridge) {
                    Ok(()) => Ok((name, reports)),
                    Err(_) => Err(Error::Holds {
                        holds: "a cartridge".to_owned(),
                    }),
                }
            }
            OpenedContent::Guest(guest) => {
                own.put_guest(guest);
                Ok((name, Vec::new()))
            }
        }
    }

    /// Whether nobody finds the volume once it is closed: an image that was removed.
    pub fn is_lost_when_closed(&mut self) -> bool {
        self.loaded().is_some() && self.0.lost_when_closed().is_some()
    }

    /// Why nobody finds the volume once it is closed, where it is so.
    pub(crate) fn lost_when_closed(&mut self) -> Option<VolumeError> {
        self.0.lost_when_closed()
    }

    /// Takes the volume out: commits and closes it. Says how it is called in messages.
    ///
    /// A locked door stops only an operator who does not insist. So does a volume that nobody finds once it is closed.
    pub fn unload(&mut self, force: bool) -> Result<String, Error> {
        if !force && self.door() == Door::Locked {
            return Err(Error::Locked);
        }
        let lost = self.lost_when_closed();
        if let (Some(source), Some(loaded)) = (lost, self.loaded()) {
            let name = loaded.name.display().to_string();
            if !force {
                return Err(Error::Unfindable { name, source });
            }
            self.discard();
            return Ok(format!(
                "{name} (its file is gone, and what it held with it)"
            ));
        }
        let Contents::Own(own) = self.0.behind_mut() else {
            return Err(Error::Fixed);
        };
        let unfinished = |name: &String, source| Error::Unfinished {
            name: name.clone(),
            source,
        };
        if let Some(guest) = own.take_guest() {
            let Guest { volume, name, .. } = *guest;
            volume
                .finish()
                .map_err(|source| unfinished(&name, source))?;
            return Ok(name);
        }
        let cartridge = own.drive.eject().ok_or(Error::Empty)?;
        let name = cartridge.path().display().to_string();
        let finished = cartridge.finish();
        let keeper = own.keeper.take();
        finished.map_err(|source| unfinished(&name, VolumeError::new(source)))?;
        if let Some(keeper) = keeper {
            return Ok(match keeper.closed() {
                None => name,
                Some(trouble) => format!("{name} ({trouble})"),
            });
        }
        Ok(name)
    }

    /// From now on somebody keeps the image that was put in, and is told what becomes of it until it is closed. A
    /// program that unloads it ejects it.
    pub fn keep(&mut self, keeper: Box<dyn Keeper>) {
        if let Contents::Own(own) = self.0.behind_mut() {
            own.keeper = Some(keeper);
        }
    }

    /// Closes a volume that nobody finds any more. How that ends says nothing new.
    fn discard(&mut self) {
        let Contents::Own(own) = self.0.behind_mut() else {
            return;
        };
        drop(own.take_guest());
        drop(own.drive.eject());
        drop(own.keeper.take());
    }

    /// Moves the write-protect switch of an image.
    pub fn write_protect(&mut self, protection: WriteProtect) -> Result<(), Error> {
        let Contents::Own(own) = self.0.behind_mut() else {
            return Err(Error::Fixed);
        };
        if let Some(guest) = &own.guest {
            let name = guest.name.clone();
            return Err(Error::NoSwitch { name });
        }
        let cartridge = own.drive.cartridge_mut().ok_or(Error::Empty)?;
        let name = cartridge.path().display().to_string();
        let moved = cartridge.set_write_protect(protection);
        moved.map_err(|source| Error::Switch { name, source })
    }

    /// Resets a drive of ours: its position is lost until rewind.
    pub fn reset(&mut self) -> Result<(), Error> {
        match self.0.behind_mut() {
            Contents::Own(Own {
                guest: Some(guest), ..
            }) => Err(Error::NoReset {
                name: guest.name.clone(),
            }),
            Contents::Own(Own { drive, .. }) => {
                drive.reset();
                Ok(())
            }
            Contents::Fixed(_) => Err(Error::Fixed),
        }
    }

    /// Brings everything to stable storage and closes the volume, whoever's it is.
    pub fn finish(self) -> Result<(), VolumeError> {
        Box::new(self.0.into_behind()).finish()
    }
}

impl Own {
    /// A volume that brings its own drive can't be what this drive was configured to be.
    fn expect_guest(&self, sink: &Sink) -> Result<(), Error> {
        let name = sink.to_string();
        let personality = self.drive.personality();
        if *personality != Personality::default() {
            let personality = personality.name;
            return Err(Error::Personality { name, personality });
        }
        if self.overrides.capacity_bytes.is_some() || self.overrides.early_warning.is_some() {
            return Err(Error::Limits { name });
        }
        match self.overrides.cache {
            Some(cache) => Err(Error::Cache { name, cache }),
            None => Ok(()),
        }
    }
}

/// Why a volume can only be read though no switch is on.
fn why_read_only(writability: Writability, refusal: Option<&String>) -> Option<String> {
    match writability {
        Writability::OpenedReadOnly => refusal
            .cloned()
            .or_else(|| writability.refusal().map(str::to_owned)),
        Writability::DataMissing => writability.refusal().map(str::to_owned),
        Writability::Writable
        | Writability::Untried
        | Writability::AppendOnly
        | Writability::Protected
        | Writability::Unknown => None,
    }
}
