//! How a leg is treated, and the drive that it is given.

use std::fmt;
use std::str::FromStr;

pub use pseudotape_tape::Noted;
use pseudotape_tape::{Drive, ObjectNumber};

/// What a failure of a leg means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Class {
    /// The operation at hand fails.
    #[default]
    Required,
    /// The leg is dropped, and the job goes on.
    Spare,
}

/// When a leg has stored what the program wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum When {
    /// Before the write is answered.
    #[default]
    Sync,
    /// Before the unload is answered.
    Unload,
    /// Some time after the unload.
    Deferred,
}

/// What a leg keeps of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keeps {
    /// All of it.
    #[default]
    Blocks,
    /// Nothing. Such a leg (the null drive) never waits, is never read and has no position.
    Nothing,
}

macro_rules! names {
    ($type:ident: $($value:ident $name:literal),*) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $($type::$value => $name),* })
            }
        }
        impl FromStr for $type {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($name => Ok($type::$value),)*
                    _ => Err(format!("'{text}' is none of {}", [$($name),*].join(", "))),
                }
            }
        }
    };
}

names!(Class: Required "required", Spare "spare");
names!(When: Sync "sync", Unload "unload", Deferred "deferred");

/// How a leg is treated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LegOptions {
    /// The name of the leg.
    pub name: String,
    /// What a failure of the leg means.
    pub class: Class,
    /// When the leg has stored what the program wrote.
    pub when: When,
    /// What the leg keeps of a block.
    pub keeps: Keeps,
    /// How many bytes surely fit behind early warning, where the drive can't say how much fits.
    pub reserve_bytes: Option<u64>,
}

impl LegOptions {
    /// A required leg that stores everything before the write is answered.
    #[must_use]
    pub fn named(name: &str) -> Self {
        LegOptions {
            name: name.to_owned(),
            ..LegOptions::default()
        }
    }
}

/// What a leg ends in: a drive, which perhaps can note on its volume since where it is no copy.
pub trait LegDrive: Send {
    /// The drive.
    fn drive(&mut self) -> &mut dyn Drive;

    /// What is noted on the volume.
    fn noted(&mut self) -> Noted {
        Noted::NoPlace
    }

    /// Notes on the volume that it is not mirrored from an object on, or that it is again. `false` where it
    /// has no place for that.
    fn note_not_mirrored(&mut self, from: Option<ObjectNumber>) -> Result<bool, String>;

    /// Takes the text of the last trouble: what a sense can't say.
    fn take_trouble(&mut self) -> Option<String>;

    /// Brings everything to stable storage and closes it.
    fn finish(self: Box<Self>) -> Result<(), String>;
}

impl<D: Drive> LegDrive for D {
    fn drive(&mut self) -> &mut dyn Drive {
        self
    }

    fn note_not_mirrored(&mut self, _from: Option<ObjectNumber>) -> Result<bool, String> {
        Ok(false)
    }

    fn take_trouble(&mut self) -> Option<String> {
        None
    }

    fn finish(self: Box<Self>) -> Result<(), String> {
        Ok(())
    }
}

/// A leg that is to be put in.
pub struct NewLeg {
    /// How the leg is treated.
    pub options: LegOptions,
    /// What it ends in; the medium is loaded.
    pub drive: Box<dyn LegDrive>,
}
