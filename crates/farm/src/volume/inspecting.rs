//! Verifying: all capsules of the directory, and all files of the folder.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use super::{DIRECTORY_NAME, Volume, is_left_over, is_of_file_system, is_of_volume};
use crate::capsule::{self, Opened, capsule_name, capsule_number};
use crate::entry::{Entry, FileKind, Number};
use crate::error::{Error, Fault};
use crate::holder::Holder;
use crate::place::Place;
use crate::source::sparse::Placing;
use crate::structure::last_of;
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
    /// A command changes the volume; who, where that is known. What it has not finished was not looked at.
    Changing(Option<Holder>),
}

impl Volume {
    /// Reads every capsule of these files in full. Of a file that another command has replaced meanwhile it is the one
    /// that is there now.
    pub fn verify(&self, entries: &[Entry], tell: &mut dyn FnMut(Finding)) {
        for entry in entries {
            let read = self.open_current(entry);
            let read = read.and_then(|(now, opened)| read_whole(opened, &now).map(|()| now));
            tell(match read {
                Ok(now) => Finding::Whole(now.into_owned()),
                Err(fault) => {
                    let damage = Damage::Capsule(entry.title.clone(), fault);
                    Finding::Wrong(capsule_name(entry.number), damage)
                }
            });
        }
    }

    /// Opens the capsule of a file and compares its record with the directory, without a look at the contents.
    pub fn look_at(&self, entry: &Entry) -> Result<(), Fault> {
        self.open_current(entry).map(drop)
    }

    /// Looks for files that the directory does not have, and no command is making.
    pub fn find_foreign(&self, tell: &mut dyn FnMut(Finding)) -> Result<(), Error> {
        let entries = self.directory.entries().iter();
        let listed: BTreeMap<_, _> = entries.map(|entry| (entry.number, entry)).collect();
        let settled = self.settled(self.place.names()?)?;
        if let Some(holder) = settled.changing {
            tell(Finding::Changing(holder));
        }
        for name in settled.names {
            let damage = match capsule_number(&name) {
                Some(number) if listed.contains_key(&number) => continue,
                Some(_) => {
                    let opened = self.place.open(&name).and_then(capsule::open);
                    Damage::Unlisted(opened.and_then(|opened| {
                        let title = opened.entry.title;
                        let misplaced = self.place.misplaced(&name, &title);
                        misplaced.map_or(Ok(title), Err)
                    }))
                }
                None if is_of_volume(&name) || is_of_file_system(&self.place, &name) => continue,
                None if is_left_over(&self.place, &name) => Damage::Leftover,
                None => foreign(&self.place, &name),
            };
            tell(Finding::Wrong(name, damage));
        }
        Ok(())
    }
}

/// What is wrong with a file that the volume does not have by its name alone.
pub(super) fn foreign(place: &Place, name: &str) -> Damage {
    let last = last_of(name);
    if !name.contains('/') {
        return Damage::Foreign;
    }
    match capsule_number(last) {
        Some(_) => Damage::Unlisted(match place.open(name).and_then(capsule::open) {
            Ok(opened) => Err(place
                .misplaced(name, &opened.entry.title)
                .unwrap_or(Fault::Twice)),
            Err(fault) => Err(fault),
        }),
        None if last == DIRECTORY_NAME => Damage::Unlisted(Err(Fault::Inner)),
        None => Damage::Foreign,
    }
}

/// A capsule is the one that its name says.
pub(super) fn expect_number(entry: &Entry, number: Number) -> Result<(), Fault> {
    match entry.number == number {
        true => Ok(()),
        false => Err(Fault::Other {
            what: "its number",
            found: entry.number.to_string(),
            expected: number.to_string(),
        }),
    }
}

/// Reads a capsule that lies anywhere to its end, without a directory; what it says that it is. Where its name is that
/// of a capsule, it has to be the one with that number.
pub fn verify_capsule(path: &Path) -> Result<Entry, Fault> {
    let opened = capsule::open(File::open(path).map_err(Fault::Host)?)?;
    let entry = opened.entry.clone();
    let name = path.file_name().and_then(|name| name.to_str());
    if let Some(number) = name.and_then(capsule_number) {
        expect_number(&entry, number)?;
    }
    read_whole(opened, &entry)?;
    Ok(entry)
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
