//! What a volume does for another host: it says which files it wants, takes and gives them.

use std::io::{self, Read};
use std::path::Path;

use pseudotape_pax::Reader;

use super::Volume;
use super::adding::{Adding, Replacing, Told, Verb};
use super::extracting::{Existing, Extracted, placed};
use super::inspecting::read_whole;
use crate::capsule::PAX_NAME;
use crate::entry::{Digest, Entry, Stamp};
use crate::error::{Error, Fault};
use crate::source::{Announced, Arrival, Arriving, Gone, LeftOut, OfCapsule, pass};
use crate::title::{Title, VolumeName};

impl Adding<'_> {
    /// Whether a file that another host has can be of use; tells why not.
    pub fn is_wanted(&mut self, title: &Title, stamp: &Stamp) -> bool {
        if self.verb == Verb::Add {
            return self.wants(title);
        }
        let there = self.presences.entry(self.volume, title);
        match there.is_some_and(|there| !stamp.is_better_than(&there.stamp)) {
            true => self.is_free(title, Told::NotBetter),
            false => true,
        }
    }

    /// Adds a file that another host sends, and reads to the end of what it sends.
    pub fn arrived(&mut self, announced: Announced, from: &mut dyn Arriving) -> Result<(), Error> {
        let is_read = match Arrival::begin(announced, &mut *from) {
            Ok(mut file) => {
                self.offer(&mut file, Replacing::AsVerb)?;
                file.is_read()
            }
            Err(left_out) => {
                (self.tell)(Told::LeftOut(left_out));
                false
            }
        };
        match is_read {
            true => Ok(()),
            false => pass(from).map_err(|_| Error::Cut),
        }
    }
}

impl Adding<'_> {
    /// Whether the file of a capsule in another farm can be of use; tells why not.
    pub fn is_capsule_wanted(&mut self, source: &VolumeName, entry: &Entry) -> bool {
        match entry.state.has_file() {
            true => self.is_wanted(&entry.title, &entry.stamp),
            false => {
                (self.tell)(Told::LeftOut(LeftOut::not_on(source, entry)));
                false
            }
        }
    }

    /// Adds the file of a capsule in another farm, with what is known of it there, as [`Adding::volume`] does with one
    /// of this farm. `archive` has its headers, and what follows them: they are compared with its digest. Where it
    /// ends by [`Gone`] nothing is kept of the file, and the error is [`Error::Cut`].
    pub fn capsule(
        &mut self,
        source: &VolumeName,
        entry: &Entry,
        archive: Result<&mut dyn Read, Fault>,
    ) -> Result<(), Error> {
        let file = archive.map(Reader::new);
        match file.and_then(|archive| OfCapsule::begin(entry.clone(), archive)) {
            Err(Fault::Archive(pseudotape_pax::Error::Read(error))) if Gone::is_why(&error) => {
                Err(Error::Cut)
            }
            file => self.file_of(source, entry, file),
        }
    }
}

/// The file of a capsule that was read to its end and found whole: what follows its headers.
pub struct Lent {
    /// What the volume says of it.
    pub entry: Entry,
    /// Its headers, as they stand in an archive.
    pub headers: Vec<u8>,
    contents: Box<dyn Read>,
}

impl Read for Lent {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.contents.read(buffer)
    }
}

impl Volume {
    /// Lends the file of a capsule to another farm; `None` where the capsule has no file. It is read to its end before.
    pub fn lend(&self, entry: &Entry) -> Result<Option<Lent>, Fault> {
        let (now, first, second) = self.open_twice(entry)?;
        read_whole(first, &now)?;
        if !now.state.has_file() {
            return Ok(None);
        }
        let mut reader = second.into_archive()?;
        let member = reader.next_member()?;
        let member = member.ok_or(Fault::Form("its archive is empty"))?;
        Ok(Some(Lent {
            entry: now,
            headers: member.headers(PAX_NAME),
            contents: Box::new(Contents(reader)),
        }))
    }

    /// Gives the file of a capsule: first its headers, as they stand in an archive, then its contents. All of it is
    /// checked but the digest, with which whoever gets it compares it ([`place`]); `false` where the capsule has no
    /// file. What was given before an error is not to be used.
    pub fn give(
        &self,
        entry: &Entry,
        mut to: impl FnMut(Given<'_>) -> io::Result<()>,
    ) -> Result<bool, Fault> {
        let (now, opened) = self.open_current(entry)?;
        if now.capsule != entry.capsule {
            return Err(Fault::Replaced);
        }
        let to = std::cell::RefCell::new(&mut to);
        let given = opened.read_undigested(
            |member| (to.borrow_mut())(Given::Headers(&member.headers(PAX_NAME))),
            |(), bytes| (to.borrow_mut())(Given::Contents(bytes)),
        )?;
        Ok(given.is_some())
    }
}

/// The contents of a file of another farm, for who passes them on: at their end they are compared with the digest in
/// its record, and what differs is an error.
pub struct Compared<'a> {
    contents: &'a mut dyn Read,
    digest: blake3::Hasher,
    expected: Option<Digest>,
}

impl<'a> Compared<'a> {
    /// What follows the headers of a file.
    pub fn of(entry: &Entry, contents: &'a mut dyn Read) -> Self {
        Compared {
            contents,
            digest: blake3::Hasher::new(),
            expected: entry.digest,
        }
    }
}

impl Read for Compared<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.contents.read(buffer)?;
        self.digest.update(buffer.get(..bytes).unwrap_or_default());
        let found = || Digest(*self.digest.finalize().as_bytes());
        match bytes == 0 && !buffer.is_empty() && self.expected != Some(found()) {
            true => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "its contents are not those that were written",
            )),
            false => Ok(bytes),
        }
    }
}

/// What a reader of an archive gives of its member.
struct Contents<R>(Reader<R>);

impl<R: Read> Read for Contents<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_contents(buffer).map_err(io::Error::other)
    }
}

/// What is given of a file.
#[derive(Clone, Copy, Debug)]
pub enum Given<'a> {
    /// Its headers.
    Headers(&'a [u8]),
    /// Of its contents.
    Contents(&'a [u8]),
}

/// Puts a file that another host gives under a folder, as [`super::extract`] does with a capsule's. `contents` has the
/// headers, and then what follows them. It is compared with the digest in the record.
pub fn place(entry: &Entry, contents: impl Read, folder: &Path, existing: Existing) -> Extracted {
    placed(entry, folder, existing, |begin, keep| {
        let mut reader = Reader::new(contents);
        let member = reader.next_member()?;
        let member = member.ok_or(Fault::Form("its archive is empty"))?;
        if member.name != entry.title.bytes() {
            return Err(Fault::Form("another file came than its record says"));
        }
        let mut unfinished = begin(&member).map_err(Fault::Host)?;
        let mut digest = blake3::Hasher::new();
        let mut buffer = vec![0; 256 << 10];
        loop {
            let bytes = reader.read_contents(&mut buffer)?;
            if bytes == 0 {
                break;
            }
            let part = buffer.get(..bytes).unwrap_or_default();
            digest.update(part);
            keep(&mut unfinished, part).map_err(Fault::Host)?;
        }
        // Whoever gives it may still have to say that it is not what it should be.
        let more = reader
            .source_mut()
            .read(&mut [0])
            .map_err(pseudotape_pax::Error::from)?;
        if more > 0 {
            return Err(Fault::Form("more came than its headers say"));
        }
        let found = Digest(*digest.finalize().as_bytes());
        match entry.digest {
            Some(expected) if expected == found => Ok(Some(unfinished)),
            Some(expected) => Err(Fault::Digest {
                found: found.to_string(),
                expected: expected.to_string(),
            }),
            None => Err(Fault::Form("its record has no digest")),
        }
    })
}
