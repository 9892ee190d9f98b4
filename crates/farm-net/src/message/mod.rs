//! What the packets say. Most kinds go one way only; contents of files go both ways.

use std::fmt;

use pseudotape_farm::{Damage, Entry, Fault, Remedy, Stamp, Title, VolumeName};

use crate::error::Refusal;
use crate::how::How;

mod reading;
mod writing;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// The client's first word: the version of the protocol, and the root that is meant (nothing: the server's own).
    Hello {
        /// The newest version that the client speaks.
        version: u32,
        /// A path, or nothing.
        root: Vec<u8>,
    },
    /// The server's first word.
    Welcome {
        /// The version that is spoken from here on.
        version: u32,
        /// The root that is served.
        root: Vec<u8>,
        /// Who the server takes the client for.
        person: String,
    },
    /// The volumes are wanted.
    Volumes,
    /// Entries of files are wanted.
    Files {
        /// Of this volume.
        volume: VolumeName,
        /// These, and those in these folders; all where none is said.
        titles: Vec<Title>,
    },
    /// All that is known of one file is wanted.
    Show {
        /// In this volume.
        volume: VolumeName,
        /// The file.
        title: Title,
    },
    /// Files are wanted; `Get` says which.
    Extract {
        /// From this volume.
        volume: VolumeName,
    },
    /// One file, as its capsule has it.
    Get {
        /// The number of the capsule.
        number: u64,
        /// Its identity.
        capsule: [u8; 16],
    },
    /// Capsules are to be read.
    Verify {
        /// Of this volume.
        volume: VolumeName,
        /// As of `Files`.
        titles: Vec<Title>,
    },
    /// Files are to be released.
    Release {
        /// In this volume.
        volume: VolumeName,
        /// These files; all where none is said.
        titles: Vec<Title>,
        /// Whose name is written down beside the client's, if any.
        by: Option<String>,
        /// How long another command is waited for, in seconds.
        lock_wait: u64,
    },
    /// Volumes are to be merged.
    Merge {
        /// Into this one.
        volume: VolumeName,
        /// From these.
        sources: Vec<VolumeName>,
        /// By which verb.
        how: How,
        /// As of `Release`.
        lock_wait: u64,
        /// The capsules of files that are present are read to their ends.
        check_present: bool,
        /// The volume is compressed, if it is made.
        compressed: bool,
    },
    /// Files are to be added; `Offer`, `File` and `Archive` follow.
    Add {
        /// To this volume.
        volume: VolumeName,
        /// By which verb.
        how: How,
        /// As of `Release`.
        lock_wait: u64,
        /// The capsules of files that are present are read to their ends.
        check_present: bool,
        /// The volume is compressed, if it is made.
        compressed: bool,
    },
    /// Something is noted about a file, or a note is taken away.
    Annotate {
        /// In this volume.
        volume: VolumeName,
        /// The file.
        title: Title,
        /// The note; nothing takes the one away that is there.
        note: Option<String>,
        /// As of `Release`.
        lock_wait: u64,
    },
    /// The directory of a volume is to be made anew from its capsules.
    Rebuild {
        /// Of this volume.
        volume: VolumeName,
        /// As of `Release`.
        lock_wait: u64,
    },
    /// What is wrong with a volume is wanted, and what helps.
    Repair {
        /// Of this volume.
        volume: VolumeName,
        /// What helps is done.
        apply: bool,
        /// Capsules with files go as well, where others took their places.
        drop_replaced: bool,
        /// As of `Release`.
        lock_wait: u64,
    },
    /// Files are wanted for an archive: each is found whole before anything of it comes.
    Write {
        /// From this volume.
        volume: VolumeName,
        /// As of `Files`.
        titles: Vec<Title>,
    },
    /// As `Files`, and each capsule is opened.
    Check {
        /// Of this volume.
        volume: VolumeName,
        /// As of `Files`.
        titles: Vec<Title>,
    },
    /// Whose volumes the commands that follow mean.
    Whose {
        /// The private ones of this host; where none is said, the client's own private ones.
        host: Option<VolumeName>,
    },
    /// How `Add` and `Merge` that follow make a volume, and what is told of its new capsules.
    Making {
        /// Its capsules lie in folders that follow the titles.
        structured: bool,
        /// Whether somebody wants a compressed volume, or one that is not: another one is refused.
        compression: Option<bool>,
        /// A command of the server that is told of new capsules.
        script: Option<String>,
    },
    /// A command of the server is to be run.
    Run {
        /// Its name.
        name: String,
        /// What stands behind its name.
        arguments: Vec<Vec<u8>>,
    },
    /// The volume is open: files may come, or be asked for.
    Ready,
    /// A file that the client has.
    Offer {
        /// Its title.
        title: Title,
        /// Which one it is.
        stamp: Stamp,
    },
    /// Whether the file is wanted, for each `Offer` in its turn.
    Answer {
        /// It is.
        wanted: bool,
    },
    /// A file comes: its headers as in an archive. `Data` and one of the ends follow.
    File {
        /// Which one of its title it is.
        stamp: Stamp,
        /// The headers.
        headers: Vec<u8>,
    },
    /// Contents.
    Data(Vec<u8>),
    /// The contents are whole.
    Whole,
    /// They are whole, but the file changed while it was read.
    Changed,
    /// They changed while they were read, and come again in another `File`.
    Again,
    /// They could not be read, or are not to be used.
    Failed {
        /// Why.
        why: String,
    },
    /// The capsule has no file.
    NoFile,
    /// An archive comes in `Data`, until `Whole` or `Failed`.
    Archive,
    /// The client has said all.
    End,
    /// A volume.
    Volume(VolumeLine),
    /// The entry of a file.
    Entry(Entry),
    /// All that is known of a file.
    Shown {
        /// Where its capsule is.
        path: Vec<u8>,
        /// Its entry.
        entry: Entry,
    },
    /// A file was added.
    Added(Entry),
    /// A file was added in the place of another one.
    Replaced(Entry),
    /// A file was not added: its title is there.
    Present(Title),
    /// A file was not added: what is there is as good.
    NotBetter(Title),
    /// A file can't be added.
    LeftOut {
        /// Which one.
        path: Vec<u8>,
        /// Why.
        why: String,
    },
    /// The capsule that a file had was gone or damaged; it is told as added or replaced, too.
    Mended {
        /// Its title.
        title: Title,
        /// What was wrong with the capsule.
        why: String,
    },
    /// A capsule was found to be whole.
    Sound(Entry),
    /// Something is wrong.
    Wrong(Wrong),
    /// A file was released.
    Released(Entry),
    /// It was released before, or never was there.
    ReleasedBefore(Entry),
    /// The volume is gone.
    Deleted,
    /// A name in the folder of a volume that keeps it from being deleted.
    Foreign(String),
    /// The command waits for another one.
    Waiting {
        /// For which, in words.
        text: String,
    },
    /// All is done.
    Done,
    /// The command is over, and was not done.
    Refused {
        /// What kind of a refusal it is.
        refusal: Refusal,
        /// Why.
        text: String,
    },
    /// A file that a killed command had committed is in the directory now.
    Adopted(Entry),
    /// Something is wrong, and what helps.
    Remedied(Remedied),
    /// A capsule is in a directory that was made anew.
    Listed(Entry),
    /// A capsule is not in it.
    NotListed {
        /// Its file.
        file: String,
        /// Why.
        why: String,
    },
    /// A file follows that is to be part of an archive.
    Next(Entry),
    /// A file is not there: its capsule has none.
    NotThere(Entry),
    /// A file whose capsule is gone, damaged, or another one.
    Bad {
        /// Which one.
        entry: Entry,
        /// What is wrong.
        why: String,
    },
    /// What a command of the server prints.
    Output {
        /// It is what the command says of errors.
        is_error: bool,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A command of the server is over.
    Ended(Ended),
    /// What was to be told of new capsules failed. They are in the volume.
    ScriptFailed {
        /// Why.
        why: String,
    },
    /// Nothing, but the sender is alive.
    Alive,
}

/// A volume of a farm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeLine {
    /// Its name.
    pub volume: VolumeName,
    /// What is in it; `None` where that can't be read.
    pub inside: Option<Inside>,
    /// Why not.
    pub trouble: Option<String>,
}

/// What is in a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inside {
    /// How many files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whether its capsules are compressed.
    pub compressed: bool,
}

/// Something that a verification found, in the words of docs/FARM.md.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The file in the volume's folder.
    pub file: String,
    /// What is wrong with it.
    pub what: String,
    /// Its title, where it is known.
    pub title: Option<Title>,
    /// What is wrong in more words.
    pub why: Option<String>,
}

/// Something wrong, and what helps, in the words of docs/FARM.md.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedied {
    /// What is wrong.
    pub wrong: Wrong,
    /// What helps.
    pub remedy: Remedy,
    /// What has to be moved away first.
    pub obstacle: Obstacle,
    /// Whether it was done.
    pub done: bool,
}

/// What is in the way of a remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Nothing is.
    None,
    /// Something else has the name of a capsule.
    Capsule,
    /// Something else has the name of a folder in which capsules lie.
    Folder,
}

impl Obstacle {
    /// What is in the way where something is damaged so.
    #[must_use]
    pub fn of(damage: &Damage) -> Self {
        match damage {
            Damage::Capsule(_, Fault::Kind(_)) => Obstacle::Capsule,
            Damage::Capsule(_, Fault::Folder) => Obstacle::Folder,
            _ => Obstacle::None,
        }
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            Obstacle::None => 0,
            Obstacle::Capsule => 1,
            Obstacle::Folder => 2,
        }
    }

    pub(crate) fn of_code(code: u8) -> Option<Self> {
        let all = [Obstacle::None, Obstacle::Capsule, Obstacle::Folder];
        all.into_iter().find(|obstacle| obstacle.code() == code)
    }
}

/// How a command of the server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this exit status.
    Exited(u32),
    /// By this signal.
    Killed(u32),
    /// It took longer than so many seconds, and was ended.
    TooLong(u32),
    /// It printed more than so many bytes, and was ended.
    TooMuch(u32),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Exited(status) => write!(f, "ended with exit status {status}"),
            Ended::Killed(signal) => write!(f, "was ended by signal {signal}"),
            Ended::TooLong(seconds) => write!(f, "took longer than {seconds} s, and was ended"),
            Ended::TooMuch(bytes) => write!(f, "printed more than {bytes} bytes, and was ended"),
        }
    }
}

impl Ended {
    pub(crate) fn parts(self) -> (u8, u32) {
        match self {
            Ended::Exited(status) => (1, status),
            Ended::Killed(signal) => (2, signal),
            Ended::TooLong(seconds) => (3, seconds),
            Ended::TooMuch(bytes) => (4, bytes),
        }
    }

    pub(crate) fn of_parts(code: u8, number: u32) -> Option<Self> {
        Some(match code {
            1 => Ended::Exited(number),
            2 => Ended::Killed(number),
            3 => Ended::TooLong(number),
            4 => Ended::TooMuch(number),
            _ => return None,
        })
    }
}

/// What helps, as it stands in a packet.
pub(crate) const REMEDIES: [(Remedy, u8); 7] = [
    (Remedy::Nothing, 0),
    (Remedy::Rebuild, 1),
    (Remedy::RemoveFolder, 2),
    (Remedy::Clear, 3),
    (Remedy::Fill, 4),
    (Remedy::List, 5),
    (Remedy::Drop, 6),
];
