//! What a volume does for another host: it says which files it wants, takes and gives them.

use std::io::{self, Read};
use std::path::Path;

use pseudotape_pax::Reader;

use super::Volume;
use super::adding::{Adding, Replacing, Told, Verb};
use super::extracting::{Existing, Extracted, placed};
use crate::capsule::PAX_NAME;
use crate::entry::{Digest, Entry, Stamp};
use crate::error::{Error, Fault};
use crate::source::{Announced, Arrival, Arriving, pass};
use crate::title::Title;

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

impl Volume {
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
