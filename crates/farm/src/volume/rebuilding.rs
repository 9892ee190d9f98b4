//! The directory made again from the capsules.

use std::collections::HashSet;

use nix::libc::{EEXIST, EIO};

use super::inspecting::expect_number;
use super::{Root, Volume};
use crate::capsule::{self, capsule_name, capsule_number};
use crate::directory::{Directory, Marks};
use crate::entry::{Entry, Number};
use crate::error::{Error, Fault};
use crate::names::{DAMAGED_NAME, DIRECTORY_NAME};
use crate::place::Place;
use crate::structure::{folder_of, last_of};
use crate::title::VolumeName;

/// What a capsule came to.
#[derive(Debug)]
#[non_exhaustive]
pub enum Rebuilt {
    /// It is in the directory.
    Listed(Entry),
    /// It is not: a capsule with a higher number has the same title. It stays where it is.
    Older(Entry),
    /// It is not: it can't be read, is another capsule than its name says, or lies in another folder than it should. It
    /// stays where it is.
    Unusable(String, Fault),
}

/// Makes the directory of a volume from its capsules, whatever directory it had, but that of a later program. None of
/// the capsules is changed or removed.
pub fn rebuild(
    root: &Root,
    name: &VolumeName,
    tell: &mut dyn FnMut(Rebuilt),
) -> Result<Volume, Error> {
    rebuild_in(root.locked(name)?, name, tell)
}

/// The same, in a folder that is locked.
pub(super) fn rebuild_in(
    place: Place,
    name: &VolumeName,
    tell: &mut dyn FnMut(Rebuilt),
) -> Result<Volume, Error> {
    let mut is_damaged = false;
    let before = match super::listed::read_directory(&place, name) {
        Ok(before) => before,
        Err(Error::NoDirectory { .. }) => None,
        Err(Error::Directory { .. }) => {
            is_damaged = true;
            None
        }
        // A bad sector: the capsules can be read nevertheless.
        Err(Error::Host { source, .. }) if source.raw_os_error() == Some(EIO) => {
            is_damaged = true;
            None
        }
        Err(error) => return Err(error),
    };
    let through = Through::of(place, before.as_ref())?;
    let Through {
        place,
        mut found,
        unusable,
        next,
    } = through;
    let mut named = HashSet::new();
    for (file, fault) in unusable {
        named.extend(capsule_number(last_of(&file)));
        tell(Rebuilt::Unusable(file, fault));
    }
    found.sort_by_key(|entry| entry.number);
    // Where no directory tells it, a capsule does.
    let is_compressed = found.iter().any(|entry| entry.stored.is_some());
    let marks = match &before {
        Some(before) => before.marks(),
        None => Marks::compressed(is_compressed).with_folders(place.is_structured()),
    };
    let mut directory = Directory::default().marked(marks);
    directory.use_numbers_before(next);
    directory.put(found.iter().cloned());
    for entry in before.iter().flat_map(Directory::entries) {
        if directory.find(&entry.title).is_none() && !named.contains(&entry.number) {
            let fault = Fault::Gone(entry.title.clone());
            tell(Rebuilt::Unusable(capsule_name(entry.number), fault));
        }
    }
    for entry in found {
        let listed = directory.find(&entry.title);
        let is_listed = listed.is_some_and(|listed| listed.number == entry.number);
        tell(match is_listed {
            true => Rebuilt::Listed(entry),
            false => Rebuilt::Older(entry),
        });
    }
    let mut volume = Volume::to_change(name, place, directory)?;
    if is_damaged {
        let kept = keep_directory(&volume.place)?;
        tell(Rebuilt::Unusable(kept, Fault::DamagedDirectory));
    }
    volume.write_directory()?;
    Ok(volume)
}

/// Gives a damaged directory another name, since it may have what no capsule has: notes. It is there under one of its
/// names at each moment; a command that comes between finds none, and asks for a rebuild.
fn keep_directory(place: &Place) -> Result<String, Error> {
    let numbered = (2..=u32::MAX).map(|number| format!("{DAMAGED_NAME}.{number}"));
    let mut names = std::iter::once(DAMAGED_NAME.to_owned()).chain(numbered);
    loop {
        let name = names.next().unwrap_or_default();
        match place.rename_new(DIRECTORY_NAME, &name) {
            Ok(()) => return Ok(name),
            Err(Error::Host { source, .. }) if source.raw_os_error() == Some(EEXIST) => {}
            Err(error) => return Err(error),
        }
    }
}

/// What all folders of a volume have.
pub(super) struct Through {
    place: Place,
    /// Capsules that can be in the directory.
    found: Vec<Entry>,
    /// Others, with their paths where they lie elsewhere than they should.
    pub(super) unusable: Vec<(String, Fault)>,
    /// No number before it is given again.
    next: Number,
}

impl Through {
    /// Looks through the folder of a volume that had this directory.
    pub(super) fn of(place: Place, before: Option<&Directory>) -> Result<Self, Error> {
        let place = find_structure(place, before)?;
        let mut through = Through {
            found: Vec::new(),
            unusable: Vec::new(),
            next: before.map_or(Number::FIRST, Directory::next),
            place,
        };
        for file in through.place.names()? {
            let Some(number) = capsule_number(last_of(&file)) else {
                continue;
            };
            through.next = through.next.max(number.next());
            match through.open(&file, number) {
                Ok(mut entry) => {
                    // A note that was made later stands in no capsule.
                    let noted = before.and_then(|before| before.find(&entry.title));
                    if let Some(noted) = noted.filter(|noted| noted.number == number) {
                        entry.note = noted.note.clone();
                    }
                    through.found.push(entry);
                }
                Err(fault) => through.unusable.push((file, fault)),
            }
        }
        Ok(through)
    }

    fn open(&self, file: &str, number: Number) -> Result<Entry, Fault> {
        let entry = self.place.open(file).and_then(capsule::open)?.entry;
        expect_number(&entry, number)?;
        match self.place.misplaced(file, &entry.title) {
            Some(fault) => Err(fault),
            None => Ok(entry),
        }
    }
}

/// The folder of a volume that knows where its capsules belong. Where no directory tells whether they lie in folders,
/// most of those do whose titles have one: each of them lies in that folder, or beside the directory.
fn find_structure(mut place: Place, before: Option<&Directory>) -> Result<Place, Error> {
    let (mut in_folders, mut right, mut at_top) = (0, 0, 0);
    let mut titles = Vec::new();
    for path in place.capsules()? {
        let Ok(opened) = place.open(&path).and_then(capsule::open) else {
            continue;
        };
        let title = opened.entry.title;
        let (folder, wanted) = (place.folder(&path), folder_of(&title));
        if !wanted.is_empty() {
            at_top += usize::from(folder.is_empty());
            in_folders += usize::from(!folder.is_empty());
            right += usize::from(folder == wanted);
        }
        titles.push((folder == wanted, last_of(&path).to_owned(), title));
    }
    let is_structured = match before {
        Some(before) => before.marks().structured,
        None => in_folders > 0 && right >= at_top,
    };
    if is_structured {
        place.structure();
        // Of several with one number, the last one that is said: the directory's, else one that lies where it should.
        titles.sort_by_key(|(is_right, ..)| *is_right);
        for (_, name, title) in &titles {
            place.lies_in(name, title);
        }
        for entry in before.iter().flat_map(|before| before.entries()) {
            place.lies_in(&capsule_name(entry.number), &entry.title);
        }
    }
    Ok(place)
}
