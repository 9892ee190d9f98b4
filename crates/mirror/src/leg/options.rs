//! How a leg is treated, and the volume that it is given.

use std::fmt;
use std::str::FromStr;

use pseudotape_fault::Faults;
use pseudotape_tape::Volume;

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

/// The command by which an operator reaches the mirror of a leg: the words of every advice begin with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MirrorCommand {
    /// The mirror is a daemon of its own.
    #[default]
    Daemon,
    /// The mirror is the drive of this number in the device daemon.
    Drive(u32),
}

impl fmt::Display for MirrorCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MirrorCommand::Daemon => f.write_str("pseudotape-mirror"),
            MirrorCommand::Drive(number) => write!(f, "pseudotape-mirror --drive {number}"),
        }
    }
}

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
    /// What goes wrong on command with whatever is in the leg.
    pub faults: Faults,
    /// The command that advice to the operator names.
    pub command: MirrorCommand,
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

/// A leg that is to be put in.
pub struct NewLeg {
    /// How the leg is treated.
    pub options: LegOptions,
    /// The drive with its medium, which is loaded.
    pub drive: Box<dyn Volume>,
}
