//! A model drive that remembers the commands it was given.

use std::ops::{Deref, DerefMut};

use pseudotape_tape::{
    BlockLimits, Capacity, Done, Door, Drive, EraseExtent, Failed, Identity, LoadKind, Mark, Mode,
    ModeSelect, Motion, Partitioning, Position, ReadDone, Sense, SpaceUnit, Transfer, WriteMode,
};
use pseudotape_testkit::ModelDrive;

/// A command that changes something, with its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    SetMode(ModeSelect),
    Marks(Mark, u32, WriteMode),
    Space(SpaceUnit, i64),
    Load(LoadKind),
    Erase(EraseExtent),
    Partitions(Partitioning),
    Door(Door),
    Read(Transfer, usize),
}

pub struct Witness {
    drive: ModelDrive,
    pub told: Vec<Told>,
    /// What the next command answers in place of the drive.
    pub fails: Option<Failed>,
    /// Reports a new medium whenever asked.
    pub always_news: bool,
    /// Nobody is there.
    pub gone: bool,
    /// Gives marks up behind so many.
    pub gives_up_after: Option<u32>,
    /// How often it was asked whether it is ready.
    pub asked_ready: u32,
}

impl Witness {
    pub fn new(drive: ModelDrive) -> Self {
        Witness {
            drive,
            told: Vec::new(),
            fails: None,
            always_news: false,
            gone: false,
            gives_up_after: None,
            asked_ready: 0,
        }
    }

    fn hear(&mut self, told: Told) -> Result<(), Failed> {
        self.told.push(told);
        self.fails.take().map_or(Ok(()), Err)
    }
}

impl Deref for Witness {
    type Target = ModelDrive;

    fn deref(&self) -> &ModelDrive {
        &self.drive
    }
}

impl DerefMut for Witness {
    fn deref_mut(&mut self) -> &mut ModelDrive {
        &mut self.drive
    }
}

impl Drive for Witness {
    fn identity(&self) -> Identity {
        self.drive.identity()
    }

    fn block_limits(&self) -> BlockLimits {
        self.drive.block_limits()
    }

    fn test_ready(&mut self) -> Result<(), Failed> {
        self.asked_ready += 1;
        if self.gone {
            return Err(Failed::at(Sense::NoDrive, None));
        }
        if self.always_news {
            return Err(Failed::at(Sense::MediumChanged, None));
        }
        self.drive.test_ready()
    }

    fn take_recovered(&mut self) -> u32 {
        self.drive.take_recovered()
    }

    fn mode(&mut self) -> Result<Mode, Failed> {
        self.drive.mode()
    }

    fn set_mode(&mut self, change: ModeSelect) -> Result<(), Failed> {
        self.hear(Told::SetMode(change))?;
        self.drive.set_mode(change)
    }

    fn read(&mut self, transfer: Transfer, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        self.hear(Told::Read(transfer, buffer.len()))?;
        self.drive.read(transfer, buffer)
    }

    fn write(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        self.drive.write(transfer, data)
    }

    fn extend(&mut self, data: &[u8]) -> Result<Done, Failed> {
        self.fails.take().map_or(Ok(()), Err)?;
        self.drive.extend(data)
    }

    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        match motion {
            Motion::WriteMarks { mark, count, mode } => {
                self.hear(Told::Marks(mark, count, mode))?;
                if let Some(most) = self.gives_up_after.filter(|most| *most < count) {
                    return self.drive.write_marks(mark, most, mode);
                }
            }
            Motion::Space { unit, count } => self.hear(Told::Space(unit, count))?,
            Motion::SpaceToEndOfData => self.fails.take().map_or(Ok(()), Err)?,
            Motion::Load(kind) => self.hear(Told::Load(kind))?,
            Motion::Erase(extent) => self.hear(Told::Erase(extent))?,
            Motion::MakePartitions(partitioning) => self.hear(Told::Partitions(partitioning))?,
            Motion::Locate(_) | Motion::Rewind => {}
        }
        self.drive.execute(motion)
    }

    fn unload(&mut self) -> Result<(), Failed> {
        self.drive.unload()
    }

    fn position(&mut self) -> Result<Position, Failed> {
        self.drive.position()
    }

    fn capacity(&mut self) -> Result<Capacity, Failed> {
        self.drive.capacity()
    }

    fn set_door(&mut self, door: Door) -> Result<(), Failed> {
        self.hear(Told::Door(door))?;
        self.drive.set_door(door)
    }
}
