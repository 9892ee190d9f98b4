//! Many capsules that become part of the volume at once.

use std::fs::File;
use std::os::unix::fs::FileExt;

use pseudotape_pax::Member;
use uuid::Uuid;

use super::registering::Coming;
use super::{TEMPORARY, Volume, now_ms};
use crate::capsule::{Archive, CapsuleStore, Making, Packing, capsule_name};
use crate::entry::{Entry, Number};
use crate::error::Error;
use crate::place::Place;
use crate::source::Origin;
use crate::step::Step;
use crate::title::Title;

/// So many files are committed one by one; of more, the whole file system is, which takes less time.
const ONE_BY_ONE: usize = 8;
/// A batch has at least so many capsules …
const CAPSULES_LEAST: usize = 1024;
/// … or as many as this part of those that are there: the directory is written once for each batch.
const CAPSULES_PART: usize = 2;
/// … or so many bytes.
const BYTES_MOST: u64 = 1 << 30;

/// A capsule that is not part of the volume yet.
pub(super) struct Pending {
    pub(super) entry: Entry,
    /// The capsule that goes when this one is there.
    pub(super) replaces: Option<Number>,
    /// Where its file came from, where somebody wants to know it.
    pub(super) origin: Origin,
}

/// Capsules that are made, and not committed.
#[derive(Default)]
pub(super) struct Batch {
    pending: Vec<Pending>,
    /// Of the first few.
    files: Vec<(String, File)>,
    bytes: u64,
}

impl Batch {
    /// Whether it is time to commit.
    pub(super) fn is_full(&self, volume: &Volume) -> bool {
        let part = volume.directory.entries().len() / CAPSULES_PART;
        self.pending.len() >= CAPSULES_LEAST.max(part) || self.bytes >= BYTES_MOST
    }

    /// Adds a capsule whose file has all its bytes.
    pub(super) fn add(&mut self, pending: Pending, name: String, file: File) {
        self.bytes = self.bytes.saturating_add(pending.entry.length);
        if self.files.len() <= ONE_BY_ONE {
            self.files.push((name, file));
        }
        self.pending.push(pending);
    }

    /// Makes the capsules part of the volume: first they are on stable storage, then they have their names, then the
    /// directory has them, then those that they replace go.
    ///
    /// On an error before the directory has them nothing of them is left.
    pub(super) fn commit(&mut self, volume: &mut Volume) -> Result<Vec<Pending>, Error> {
        let pending = std::mem::take(&mut self.pending);
        let files = std::mem::take(&mut self.files);
        self.bytes = 0;
        if pending.is_empty() {
            return Ok(pending);
        }
        let mut named = 0;
        if let Err(error) = name_all(&volume.place, &pending, &files, &mut named) {
            drop_all(&volume.place, &pending, named);
            return Err(error);
        }
        let before = volume.directory.clone();
        let entries = pending.iter().map(|pending| pending.entry.clone());
        volume.directory.put(entries);
        if let Err(error) = volume.stage_directory() {
            volume.directory = before;
            drop_all(&volume.place, &pending, named);
            return Err(error);
        }
        if let Err(error) = volume.put_directory() {
            // Which of the two directories is there, nobody knows before it is read again. The capsules stay.
            volume.directory = before;
            return Err(error);
        }
        for replaced in pending.iter().filter_map(|pending| pending.replaces) {
            volume.place.remove(&capsule_name(replaced))?;
        }
        Ok(pending)
    }

    /// The files that come with the next commit.
    pub(super) fn coming(&self) -> Vec<Coming<'_>> {
        let with_files = self.pending.iter();
        let with_files = with_files.filter(|pending| pending.entry.state.has_file());
        let coming = with_files.map(|pending| Coming {
            entry: &pending.entry,
            origin: &pending.origin,
        });
        coming.collect()
    }

    /// Drops what was not committed.
    pub(super) fn give_up(&mut self, volume: &Volume) {
        drop_all(&volume.place, &self.pending, 0);
        self.pending.clear();
        self.files.clear();
    }
}

/// Commits the capsules and gives them their names; `named` counts those that have them.
fn name_all(
    place: &Place,
    pending: &[Pending],
    files: &[(String, File)],
    named: &mut usize,
) -> Result<(), Error> {
    match pending.len() <= ONE_BY_ONE {
        true => {
            for (name, file) in files {
                place.sync_file(name, file)?;
            }
        }
        false => place.sync_files()?,
    }
    for pending in pending {
        let name = capsule_name(pending.entry.number);
        place.rename_new(&temporary(pending.entry.number), &name)?;
        *named += 1;
    }
    place.sync_names()
}

/// Removes capsules of which the first few have their names. What can't be removed is left over: the next command
/// clears it, or `verify` names it.
fn drop_all(place: &Place, pending: &[Pending], named: usize) {
    for (at, pending) in pending.iter().enumerate() {
        let number = pending.entry.number;
        drop(place.remove(&temporary(number)));
        // Another name is somebody else's.
        if at < named {
            drop(place.remove(&capsule_name(number)));
        }
    }
}

pub(super) fn temporary(number: Number) -> String {
    capsule_name(number) + TEMPORARY
}

/// Writes a whole file.
pub(super) fn write_all(place: &Place, name: &str, file: &File, bytes: &[u8]) -> Result<(), Error> {
    let steps = place.steps();
    let length = bytes.len() as u64;
    let told = steps.tell(Step::Writing {
        name,
        bytes: length,
    });
    let written = told.and_then(|()| file.write_all_at(bytes, 0));
    let written = written.and_then(|()| steps.tell(Step::Wrote { name }));
    written.map_err(|error| Error::host("write", place.path_of(name), error))
}

impl Volume {
    /// Begins a capsule in a file that is not part of the volume yet.
    pub(super) fn begin_capsule(
        &self,
        number: Number,
        identity: Uuid,
        title: &Title,
        member: Option<&Member>,
    ) -> Result<Archive, Error> {
        let name = temporary(number);
        self.place.lies_in(&name, title);
        let file = self.place.create(&name)?;
        let making = Making {
            label: self.name.as_str(),
            identity,
            now_ms: now_ms(),
        };
        let store = CapsuleStore::to_write(file, name.clone(), self.place.steps().clone());
        // Of a capsule without a file nothing is to be compressed.
        let packing = match member.is_some() && self.directory.marks().compressed {
            true => Packing::Zstd,
            false => Packing::Plain,
        };
        let begun = Archive::begin(store, &making, member, packing);
        begun.map_err(|error| Error::writing(&self.place.path_of(&name), error))
    }

    /// Ends it with its record, which gets to know how it is stored; the file with its name.
    pub(super) fn end_capsule(
        &self,
        mut archive: Archive,
        entry: &mut Entry,
    ) -> Result<(String, File), Error> {
        let name = temporary(entry.number);
        let path = self.place.path_of(&name);
        let store = archive.close().and_then(|stored| {
            entry.stored = stored;
            archive.end(&entry.encode())
        });
        let store = store.map_err(|error| Error::writing(&path, error))?;
        let file = store.into_file();
        let told = file.and_then(|file| {
            self.place.steps().tell(Step::Wrote { name: &name })?;
            Ok(file)
        });
        let file = told.map_err(|error| Error::host("write", &path, error))?;
        Ok((name, file))
    }
}
