//! Adding files: the verbs.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::path::Path;

use pseudotape_pax::Reader;
use uuid::Uuid;

use super::batch::{Batch, Pending, temporary};
use super::presence::{Looking, Presence, Presences};
use super::registering::Registrar;
use super::{Volume, now_ms};
use crate::capsule::BLOCK_BYTES;
use crate::entry::{Entry, Number, State};
use crate::error::{Error, Fault};
use crate::source::{
    Gone, LeftOut, Met, NotOffered, OfCapsule, Offered, Origin as From, Prepared, Sorted, Tree,
    sorted,
};
use crate::title::{Title, VolumeName};

/// A file that changes while it is read is read so often.
const READINGS: u32 = 3;

/// Which files are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Those whose titles are not there.
    Add,
    /// Those, and those that are better than what is there.
    AddAndCompare,
}

/// What becomes of a file that changes while it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// What was read is kept, and says so.
    Changed,
    /// Nothing is kept, and that is written down.
    Missing,
}

/// What became of a file.
#[derive(Debug)]
#[non_exhaustive]
pub enum Told {
    /// It is in the volume, on stable storage.
    Added(Entry),
    /// It is, and one that was there with its title is gone.
    Replaced(Entry),
    /// It was not added: its title is there.
    Present(Title),
    /// It was not added: what is there is as good.
    NotBetter(Title),
    /// It can't be added.
    LeftOut(LeftOut),
    /// The capsule that the title had was gone or damaged, why; it is told as added or replaced, too.
    Mended(Title, Fault),
    /// A killed command had committed it, and the directory has it now.
    Adopted(Entry),
    /// It is all there, but what was to be told of it failed.
    ScriptFailed(String),
}

/// Files that are being added to a volume.
pub struct Adding<'a> {
    pub(super) volume: &'a mut Volume,
    pub(super) verb: Verb,
    keeping: Keeping,
    batch: Batch,
    pub(super) presences: Presences,
    /// Titles in the batch.
    titles: HashSet<Title>,
    /// Titles that came up since the beginning.
    met: HashMap<Title, Origin>,
    next: Number,
    pub(super) registrar: Option<&'a mut dyn Registrar>,
    pub(super) tell: &'a mut dyn FnMut(Told),
    buffer: Vec<u8>,
}

/// Where a title came from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// A file in a folder, with its device and number.
    Folder((u64, u64)),
    /// A member of an archive, which was added.
    Archive,
}

/// Whether a file takes the place of another one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Replacing {
    /// As the verb says.
    AsVerb,
    /// It does: both stand in one archive, and its last one counts.
    Always,
}

/// What reading a file came to.
enum Reading {
    Whole(State),
    /// Nothing can be kept of it.
    Missing(String),
    /// It was another file before it was read to its end.
    Again,
}

impl<'a> Adding<'a> {
    /// Begins. `tell` hears what became of each file, of those added when they are on stable storage.
    pub fn to(
        volume: &'a mut Volume,
        verb: Verb,
        keeping: Keeping,
        tell: &'a mut dyn FnMut(Told),
    ) -> Self {
        Adding {
            next: volume.directory.next(),
            volume,
            verb,
            keeping,
            batch: Batch::default(),
            presences: Presences::default(),
            titles: HashSet::new(),
            met: HashMap::new(),
            registrar: None,
            tell,
            buffer: vec![0; 64 * BLOCK_BYTES as usize],
        }
    }

    /// Looks so at the capsules of files that are present.
    #[must_use]
    pub fn looking(mut self, looking: Looking) -> Self {
        self.presences.looking = looking;
        self
    }

    /// Tells somebody of all files that come.
    #[must_use]
    pub fn registered(mut self, registrar: Option<&'a mut dyn Registrar>) -> Self {
        self.registrar = registrar;
        self
    }

    /// Adds a file, or all files in a folder.
    pub fn path(&mut self, path: &Path) -> Result<(), Error> {
        let mut tree = match Tree::of(path, self.volume.place.identity()?) {
            Ok(tree) => tree,
            Err(left_out) => {
                (self.tell)(Told::LeftOut(left_out));
                return Ok(());
            }
        };
        while let Some(met) = tree.next() {
            match met {
                Met::LeftOut(left_out) => (self.tell)(Told::LeftOut(left_out)),
                Met::File(title, place)
                    if self.is_taken(&title, Origin::Folder(place.identity)) =>
                {
                    (self.tell)(Told::LeftOut(LeftOut {
                        path: place.path,
                        why: NotOffered::SameTitle,
                    }));
                }
                Met::File(title, _) if !self.wants(&title) => {}
                Met::File(title, place) => match tree.open(title, &place) {
                    Ok(mut file) => self.offer(&mut *file, Replacing::AsVerb)?,
                    Err(left_out) => (self.tell)(Told::LeftOut(left_out)),
                },
            }
        }
        Ok(())
    }

    /// Adds the files of an archive that `tar` wrote. Where it can't be read on, what came before is added.
    pub fn archive(&mut self, source: impl Read) -> Result<(), Error> {
        let mut reader = Reader::new(source);
        loop {
            let member = match reader.next_member() {
                Ok(Some(member)) => member,
                Ok(None) => return Ok(()),
                Err(error) => {
                    self.commit()?;
                    return Err(error.into());
                }
            };
            match sorted(member) {
                Sorted::Folder => {}
                Sorted::LeftOut(left_out) => (self.tell)(Told::LeftOut(left_out)),
                Sorted::File(file) => self.member(*file, &mut reader)?,
            }
        }
    }

    /// Adds files of another volume, which is not changed. One that is not what was written is not kept.
    pub fn volume(&mut self, source: &Volume, entries: &[Entry]) -> Result<(), Error> {
        for entry in entries {
            if !entry.state.has_file() {
                (self.tell)(Told::LeftOut(LeftOut::not_on(source.name(), entry)));
                continue;
            }
            if !self.wants(&entry.title) {
                continue;
            }
            let opened = source.open_capsule(entry);
            let archive = opened.and_then(|opened| opened.into_archive());
            let file = archive.and_then(|archive| OfCapsule::begin(entry.clone(), archive));
            self.file_of(source.name(), entry, file)?;
        }
        Ok(())
    }

    /// Adds the file of a capsule.
    pub(super) fn file_of(
        &mut self,
        source: &VolumeName,
        entry: &Entry,
        file: Result<OfCapsule<impl Read>, Fault>,
    ) -> Result<(), Error> {
        match file {
            Ok(mut file) => self.offer(&mut file, Replacing::AsVerb),
            Err(fault) => {
                (self.tell)(Told::LeftOut(LeftOut::damaged(source, entry, &fault)));
                Ok(())
            }
        }
    }

    fn member(&mut self, file: Prepared, reader: &mut Reader<impl Read>) -> Result<(), Error> {
        let replacing = match (self.met.get(&file.title).copied(), self.verb) {
            (Some(Origin::Folder(_)), _) => {
                (self.tell)(Told::LeftOut(LeftOut {
                    path: file.title.path(),
                    why: NotOffered::SameTitle,
                }));
                return Ok(());
            }
            (Some(Origin::Archive), Verb::Add) => Replacing::Always,
            _ if !self.wants(&file.title) => return Ok(()),
            _ => Replacing::AsVerb,
        };
        self.met.insert(file.title.clone(), Origin::Archive);
        self.offer(&mut file.offered(reader), replacing)
    }

    /// Whether another file of this command has this title; if none has, this one has it from now on.
    fn is_taken(&mut self, title: &Title, by: Origin) -> bool {
        match self.met.get(title) {
            Some(first) => *first != by,
            None => {
                self.met.insert(title.clone(), by);
                false
            }
        }
    }

    /// Commits what is not committed yet.
    pub fn finish(mut self) -> Result<(), Error> {
        self.commit()
    }

    /// Whether a file with this title can be of use; tells why not.
    pub(super) fn wants(&mut self, title: &Title) -> bool {
        if self.verb == Verb::AddAndCompare {
            return true;
        }
        if self.titles.contains(title) {
            (self.tell)(Told::Present(title.clone()));
            return false;
        }
        self.is_free(title, Told::Present)
    }

    /// Whether no whole file of the volume has this title; else tells what becomes of the one that is offered.
    pub(super) fn is_free(&mut self, title: &Title, refused: fn(Title) -> Told) -> bool {
        match self.presences.look(self.volume, title) {
            Presence::Absent => return true,
            Presence::There => (self.tell)(refused(title.clone())),
            Presence::Unclear(why) => (self.tell)(Told::LeftOut(LeftOut {
                path: title.path(),
                why: NotOffered::Capsule(why),
            })),
        }
        false
    }

    pub(super) fn offer(
        &mut self,
        file: &mut dyn Offered,
        replacing: Replacing,
    ) -> Result<(), Error> {
        if self.titles.contains(file.title()) {
            self.commit()?;
        }
        let title = file.title();
        let there = self.presences.entry(self.volume, title);
        let refused: Option<fn(Title) -> Told> = match (self.verb, there) {
            (Verb::Add, Some(_)) if replacing == Replacing::AsVerb => Some(Told::Present),
            (Verb::AddAndCompare, Some(there)) if !file.stamp().is_better_than(&there.stamp) => {
                Some(Told::NotBetter)
            }
            _ => None,
        };
        if refused.is_some_and(|refused| !self.is_free(title, refused)) {
            return Ok(());
        }
        let is_listed = self.volume.directory.find(title).is_some();
        let replaces = self.presences.replaced(self.volume, title);
        let number = self.next;
        self.next = number.next();
        let made = self.make_of(number, file).inspect_err(|_| {
            // Nobody has another use for a part of a capsule, and a full disk has no room for it.
            drop(self.volume.place.remove(&temporary(number)));
        });
        let (entry, name, made) = made?;
        let is_of_volume = file.digest().is_some();
        if entry.state == State::Missing && (is_listed || is_of_volume) {
            // What is there is no worse than nothing, and another volume still has what it had.
            self.volume.place.remove(&name)?;
            self.next = number;
            (self.tell)(Told::LeftOut(LeftOut {
                path: entry.title.path(),
                why: NotOffered::Host(entry.why.unwrap_or_default()),
            }));
            return Ok(());
        }
        self.titles.insert(entry.title.clone());
        let pending = Pending {
            entry,
            replaces,
            origin: match self.registrar {
                Some(_) => file.origin(),
                None => From::Elsewhere,
            },
        };
        self.batch.add(pending, name, made);
        match self.batch.is_full(self.volume) {
            true => self.commit(),
            false => Ok(()),
        }
    }

    /// Makes a capsule, of what the file is when it stays as it is while it is read.
    fn make_of(
        &mut self,
        number: Number,
        file: &mut dyn Offered,
    ) -> Result<(Entry, String, std::fs::File), Error> {
        let mut readings = 0;
        loop {
            readings += 1;
            if let Some(made) = self.make(number, file, readings == READINGS)? {
                return Ok(made);
            }
            match file.again() {
                Ok(true) => {}
                Ok(false) => {
                    return self.make_missing(number, file, "it changed while it was read");
                }
                Err(why) => return self.make_missing(number, file, &why.to_string()),
            }
        }
    }

    /// Makes a capsule; `None` where the file is to be read again.
    fn make(
        &mut self,
        number: Number,
        file: &mut dyn Offered,
        is_last: bool,
    ) -> Result<Option<(Entry, String, std::fs::File)>, Error> {
        let identity = Uuid::now_v7();
        let mut entry = Entry {
            number,
            capsule: identity,
            title: file.title().clone(),
            kind: file.kind(),
            state: State::Ok,
            length: file.length(),
            stamp: file.stamp(),
            digest: None,
            stored: None,
            added_ms: now_ms(),
            why: None,
            note: self.note(file),
        };
        let mut archive =
            self.volume
                .begin_capsule(number, identity, file.title(), Some(file.member()))?;
        match self.read(file, &mut archive, number, is_last)? {
            Reading::Again => Ok(None),
            Reading::Missing(why) => self.make_missing(number, file, &why).map(Some),
            Reading::Whole(state) => {
                entry.state = state;
                let digest = archive.digest();
                if file.digest().is_some_and(|expected| expected != digest) {
                    let why = "its contents are not those that were written";
                    return self.make_missing(number, file, why).map(Some);
                }
                entry.digest = Some(digest);
                let (name, made) = self.volume.end_capsule(archive, &mut entry)?;
                Ok(Some((entry, name, made)))
            }
        }
    }

    /// What was noted about a file, or about the one whose place it takes.
    fn note(&self, file: &dyn Offered) -> Option<String> {
        let before = self.volume.directory.find(file.title());
        file.note()
            .or_else(|| before.and_then(|before| before.note.clone()))
    }

    fn read(
        &mut self,
        file: &mut dyn Offered,
        archive: &mut crate::capsule::Archive,
        number: Number,
        is_last: bool,
    ) -> Result<Reading, Error> {
        let steps = self.volume.place.steps().clone();
        loop {
            match file.read(&mut self.buffer, &steps) {
                Ok(0) => break,
                Ok(bytes) => {
                    let bytes = self.buffer.get(..bytes).unwrap_or_default();
                    let path = self.volume.place.path_of(&temporary(number));
                    archive
                        .put(bytes)
                        .map_err(|error| Error::writing(&path, error))?;
                }
                // Of a file that did not come to its end nothing is left.
                Err(error) if Gone::is_why(&error) => return Err(Error::Cut),
                Err(error) => {
                    return Ok(Reading::Missing(format!("it could not be read: {error}")));
                }
            }
        }
        let changed = file.has_changed();
        let cut_short = archive.due() > 0;
        Ok(match changed {
            Err(error) => Reading::Missing(format!("it could not be looked at: {error}")),
            Ok(false) if !cut_short => Reading::Whole(file.state()),
            Ok(_) if !is_last => Reading::Again,
            Ok(_) if cut_short => {
                Reading::Missing("it became shorter while it was read".to_owned())
            }
            Ok(_) => match self.keeping {
                Keeping::Changed => Reading::Whole(State::Changed),
                Keeping::Missing => Reading::Missing("it changed while it was read".to_owned()),
            },
        })
    }

    /// Makes a capsule that has no file, and says why.
    fn make_missing(
        &mut self,
        number: Number,
        file: &dyn Offered,
        why: &str,
    ) -> Result<(Entry, String, std::fs::File), Error> {
        let mut entry = Entry {
            number,
            capsule: Uuid::now_v7(),
            title: file.title().clone(),
            kind: file.kind(),
            state: State::Missing,
            length: file.length(),
            stamp: file.stamp(),
            digest: None,
            stored: None,
            added_ms: now_ms(),
            why: Some(why.to_owned()),
            note: self.note(file),
        };
        let archive = self
            .volume
            .begin_capsule(number, entry.capsule, &entry.title, None)?;
        let (name, made) = self.volume.end_capsule(archive, &mut entry)?;
        Ok((entry, name, made))
    }

    fn commit(&mut self) -> Result<(), Error> {
        self.titles.clear();
        let coming = self.batch.coming();
        if let Some(registrar) = self.registrar.as_mut().filter(|_| !coming.is_empty()) {
            registrar.expect(&coming).map_err(Error::Registrar)?;
        }
        let committed = self.batch.commit(self.volume)?;
        let with_files = committed.iter().map(|pending| &pending.entry);
        let with_files: Vec<&Entry> = with_files.filter(|entry| entry.state.has_file()).collect();
        let settled = match self.registrar.as_mut().filter(|_| !with_files.is_empty()) {
            Some(registrar) => registrar.settle(&with_files),
            None => Ok(()),
        };
        for pending in committed {
            let title = &pending.entry.title;
            if let Some(fault) = self.presences.mended(title) {
                (self.tell)(Told::Mended(title.clone(), fault));
            }
            (self.tell)(match pending.replaces {
                Some(_) => Told::Replaced(pending.entry),
                None => Told::Added(pending.entry),
            });
        }
        settled.map_err(Error::Registrar)
    }
}

/// What was not committed is not in the volume, and leaves nothing.
impl Drop for Adding<'_> {
    fn drop(&mut self) {
        self.batch.give_up(self.volume);
    }
}
