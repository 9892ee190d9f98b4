//! Verifying: all capsules of the directory, and all files of the folder.

use std::collections::BTreeMap;

use super::{Volume, is_of_file_system, is_of_volume, is_temporary};
use crate::capsule::{self, Opened, capsule_name, capsule_number};
use crate::entry::{Entry, FileKind};
use crate::error::{Error, Fault};
use crate::source::sparse::Placing;
use crate::title::Title;

/// What is wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum Damage {
    /// The directory has a file whose capsule is not whole, or not the one that it should be.
    Capsule(Title, Fault),
    /// There is a capsule that the directory has not; what it says that it is, or why it can't be read.
    Unlisted(Result<Title, Fault>),
    /// A file that is no capsule and nothing else of a farm.
    Foreign,
    /// Something that a command which was killed left over.
    Leftover,
    /// The directory can't be used, or is not there; why.
    Directory(String),
    /// The folder has neither directory nor capsules.
    NeverMade,
}

/// One thing that was looked at.
#[derive(Debug)]
#[non_exhaustive]
pub enum Finding {
    /// A capsule that is whole, with so many bytes of its file.
    Whole(Entry),
    /// Something wrong, with the name of the file.
    Wrong(String, Damage),
}

impl Volume {
    /// Reads every capsule of these files in full.
    pub fn verify(&self, entries: &[Entry], tell: &mut dyn FnMut(Finding)) {
        for entry in entries {
            let read = self.open_capsule(entry);
            let read = read.and_then(|opened| read_whole(opened, entry));
            tell(match read {
                Ok(()) => Finding::Whole(entry.clone()),
                Err(fault) => {
                    let damage = Damage::Capsule(entry.title.clone(), fault);
                    Finding::Wrong(capsule_name(entry.number), damage)
                }
            });
        }
    }

    /// Opens the capsule of a file and compares its record with the directory, without a look at the contents.
    pub fn look_at(&self, entry: &Entry) -> Result<(), Fault> {
        self.open_capsule(entry).map(drop)
    }

    /// Looks for files that the directory does not have.
    pub fn find_foreign(&self, tell: &mut dyn FnMut(Finding)) -> Result<(), Error> {
        let entries = self.directory.entries().iter();
        let listed: BTreeMap<_, _> = entries.map(|entry| (entry.number, entry)).collect();
        for name in self.place.names()? {
            let damage = match capsule_number(&name) {
                Some(number) if listed.contains_key(&number) => continue,
                Some(_) => {
                    let opened = self.place.open(&name).and_then(capsule::open);
                    Damage::Unlisted(opened.map(|opened| opened.entry.title))
                }
                None if is_of_volume(&name) || is_of_file_system(&self.place, &name) => continue,
                None if is_temporary(&name) => Damage::Leftover,
                None => Damage::Foreign,
            };
            tell(Finding::Wrong(name, damage));
        }
        Ok(())
    }
}

/// Reads a capsule to its end; its file has to be as long as its record says.
pub(super) fn read_whole(opened: Opened, entry: &Entry) -> Result<(), Fault> {
    let whole = opened.read(
        |member| Ok(Placing::of(member)),
        |placing, bytes| placing.place(bytes, |_, _| Ok(())),
    )?;
    let is_whole = whole.is_none_or(|placing| {
        let fits = entry.kind != FileKind::File || placing.length() == entry.length;
        placing.is_whole() && fits
    });
    match is_whole {
        true => Ok(()),
        false => Err(Fault::Form(
            "its file has another length than its record says",
        )),
    }
}
