//! Releasing: the files go, and what was known of them stays.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::batch::{Batch, Pending};
use super::{
    DIRECTORY_NAME, INDEX_NAME, Root, Volume, is_damaged_directory, is_of_file_system,
    is_of_volume, now_ms,
};
use crate::capsule::capsule_name;
use crate::entry::{Entry, State};
use crate::error::Error;
use crate::title::VolumeName;

/// What became of a file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Released {
    /// Its bytes are gone; the capsule says what was in it, who released it, and when.
    Done(Entry),
    /// Its capsule had no file.
    Before(Entry),
}

/// What became of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum After {
    /// It has files.
    Kept,
    /// All of its files were released, and it is gone.
    Deleted,
    /// All of its files were released. The folder stays with these, which no farm made.
    Foreign(Vec<String>),
}

/// Releases files of a volume. When none of its capsules has a file any more, and this one was released, the volume is
/// deleted: its capsules, its directory, and its folder if nothing else is in it.
///
/// `by` is written down in the capsules.
pub fn release(
    root: &Root,
    name: &VolumeName,
    titles: &[crate::title::Title],
    by: &str,
    tell: &mut dyn FnMut(Released),
) -> Result<After, Error> {
    let mut volume = root.open_volume(name)?;
    let mut batch = Batch::default();
    let mut next = volume.directory.next();
    for entry in volume.chosen_files(titles)? {
        if !entry.state.has_file() {
            tell(Released::Before(entry));
            continue;
        }
        let mut stub = Entry {
            number: next,
            capsule: Uuid::now_v7(),
            state: State::Released,
            added_ms: now_ms(),
            why: Some(format!("released by {by}")),
            ..entry.clone()
        };
        next = next.next();
        let made = volume
            .begin_capsule(stub.number, stub.capsule, &stub.title, None)
            .and_then(|archive| volume.end_capsule(archive, &mut stub));
        let (temporary, file) = match made {
            Ok(made) => made,
            Err(error) => {
                batch.give_up(&volume);
                drop(volume.place.remove(&super::batch::temporary(stub.number)));
                return Err(error);
            }
        };
        let pending = Pending {
            origin: crate::source::Origin::Elsewhere,
            entry: stub,
            replaces: Some(entry.number),
        };
        batch.add(pending, temporary, file);
        if batch.is_full(&volume) {
            told(batch.commit(&mut volume)?, tell);
        }
    }
    told(batch.commit(&mut volume)?, tell);
    finish_earlier(&volume)?;
    let released = |entry: &Entry| entry.state == State::Released;
    match !volume.directory.entries().is_empty() && volume.directory.entries().iter().all(released)
    {
        true => delete(volume),
        false => Ok(After::Kept),
    }
}

fn told(done: Vec<Pending>, tell: &mut dyn FnMut(Released)) {
    for pending in done {
        tell(Released::Done(pending.entry));
    }
}

/// Removes what a release that was killed did not come to: capsules of files that are released.
fn finish_earlier(volume: &Volume) -> Result<(), Error> {
    for unlisted in volume.unlisted()? {
        let listed = volume.directory.find(&unlisted.title);
        let released = listed.filter(|listed| listed.state == State::Released);
        // One with a higher number was not released: its adding was killed.
        if released.is_some_and(|stub| stub.number > unlisted.number || !unlisted.state.has_file())
        {
            volume.place.remove(&capsule_name(unlisted.number))?;
        }
    }
    Ok(())
}

/// Removes what a farm made, the directory last: whoever finds it finishes the deletion.
fn delete(volume: Volume) -> Result<After, Error> {
    let capsules: BTreeSet<String> = volume
        .directory
        .entries()
        .iter()
        .map(|entry| capsule_name(entry.number))
        .collect();
    let mut foreign = volume.place.names()?;
    let has_index = foreign.iter().any(|name| name == INDEX_NAME);
    let earlier: Vec<String> = foreign
        .iter()
        .filter(|name| is_damaged_directory(name))
        .cloned()
        .collect();
    foreign.retain(|name| {
        let is_known = is_of_file_system(&volume.place, name) || is_of_volume(name);
        !is_known && !capsules.contains(name)
    });
    if !foreign.is_empty() {
        return Ok(After::Foreign(foreign));
    }
    for capsule in &capsules {
        volume.place.remove(capsule)?;
    }
    volume.place.sync_names()?;
    if has_index {
        volume.place.remove(INDEX_NAME)?;
    }
    for directory in &earlier {
        volume.place.remove(directory)?;
    }
    volume.place.remove(DIRECTORY_NAME)?;
    volume.place.remove_folder()?;
    Ok(After::Deleted)
}
