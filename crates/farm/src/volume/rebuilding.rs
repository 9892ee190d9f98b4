//! The directory made again from the capsules.

use super::{Root, Volume};
use crate::capsule::{self, capsule_number};
use crate::directory::{Directory, Marks};
use crate::entry::Entry;
use crate::error::{Error, Fault};
use crate::place::Place;
use crate::structure::folder_of;
use crate::title::VolumeName;

/// What a capsule came to.
#[derive(Debug)]
#[non_exhaustive]
pub enum Rebuilt {
    /// It is in the directory.
    Listed(Entry),
    /// It is not: a capsule with a higher number has the same title. It stays where it is.
    Older(Entry),
    /// It is not: it can't be read, or is another capsule than its name says. It stays where it is.
    Unusable(String, Fault),
}

/// Makes the directory of a volume from its capsules, whatever directory it had. No capsule is changed or removed.
pub fn rebuild(
    root: &Root,
    name: &VolumeName,
    tell: &mut dyn FnMut(Rebuilt),
) -> Result<Volume, Error> {
    rebuild_in(root.locked(name)?, name, tell)
}

/// The same, in a folder that is locked.
pub(super) fn rebuild_in(
    mut place: Place,
    name: &VolumeName,
    tell: &mut dyn FnMut(Rebuilt),
) -> Result<Volume, Error> {
    let mut directory = Directory::default();
    // A directory that can be read knows which numbers were used.
    let mut before = Directory::default();
    let mut had_directory = false;
    if let Ok(Some(readable)) = super::read_directory(&place, name) {
        directory.use_numbers_before(readable.next());
        before = readable;
        had_directory = true;
    }
    match had_directory {
        true => place = super::arranged(place, &before),
        false => find_structure(&mut place)?,
    }
    let mut found = Vec::new();
    for file in place.names()? {
        let Some(number) = capsule_number(&file) else {
            continue;
        };
        directory.use_numbers_before(number.next());
        let opened = place.open(&file).and_then(capsule::open);
        match opened.map(|opened| opened.entry) {
            Ok(mut entry) if entry.number == number => {
                // A note that was made later stands in no capsule.
                let noted = before.find(&entry.title);
                if let Some(noted) = noted.filter(|noted| noted.number == number) {
                    entry.note = noted.note.clone();
                }
                found.push(entry);
            }
            Ok(entry) => {
                let fault = Fault::Other {
                    what: "its number",
                    found: entry.number.to_string(),
                    expected: number.to_string(),
                };
                tell(Rebuilt::Unusable(file, fault));
            }
            Err(fault) => tell(Rebuilt::Unusable(file, fault)),
        }
    }
    found.sort_by_key(|entry| entry.number);
    // Where no directory tells it, a capsule does.
    let is_compressed = found.iter().any(|entry| entry.stored.is_some());
    let marks = match had_directory {
        true => before.marks(),
        false => Marks::compressed(is_compressed).with_folders(place.is_structured()),
    };
    let mut directory = directory.marked(marks);
    directory.put(found.iter().cloned());
    for entry in found {
        let listed = directory.find(&entry.title);
        let is_listed = listed.is_some_and(|listed| listed.number == entry.number);
        tell(match is_listed {
            true => Rebuilt::Listed(entry),
            false => Rebuilt::Older(entry),
        });
    }
    let mut volume = Volume::to_change(name, place, directory)?;
    volume.write_directory()?;
    Ok(volume)
}

/// Where no directory tells it: capsules lie in folders where each of them lies in that of its title, and one not
/// beside the directory.
fn find_structure(place: &mut Place) -> Result<(), Error> {
    place.structure();
    let mut is_structured = false;
    for file in place.names()? {
        if capsule_number(&file).is_none() {
            continue;
        }
        let Ok(opened) = place.open(&file).and_then(capsule::open) else {
            continue;
        };
        let folder = place.folder(&file);
        if folder != folder_of(&opened.entry.title) {
            is_structured = false;
            break;
        }
        is_structured |= !folder.is_empty();
    }
    if !is_structured {
        place.flatten();
    }
    Ok(())
}
