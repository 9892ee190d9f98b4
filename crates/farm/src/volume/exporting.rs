//! Files of a volume as one archive, for who has a tape for it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::{self, Read};

use pseudotape_pax::{END, Reader, padding};

use super::Volume;
use super::inspecting::read_whole;
use crate::capsule::{Opened, PAX_NAME};
use crate::entry::{Digest, Entry};
use crate::error::Fault;
use crate::title::Title;

/// What became of a file.
#[derive(Debug)]
#[non_exhaustive]
pub enum Exported {
    /// All of it is in the archive.
    Done(Entry),
    /// Its capsule has no file.
    NotThere(Entry),
    /// Its capsule is damaged, or its name is too long. Nothing of it is in the archive.
    LeftOut(Entry, Fault),
}

/// Why an archive is none.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Who gets the bytes can't take them.
    #[error("{0}")]
    Put(io::Error),
    /// A capsule was whole, and then it was not.
    #[error("{title} can't be read on: {fault}")]
    Capsule {
        /// Its title.
        title: Title,
        /// What is wrong.
        fault: Fault,
    },
}

impl Volume {
    /// Writes an archive of files, as `tar` reads it. With a prefix each gets its title in that folder. Each capsule is
    /// read to its end before anything of it is put: what is damaged is left out, and the others come.
    pub fn export(
        &self,
        entries: &[Entry],
        prefix: Option<&Title>,
        put: &mut dyn FnMut(&[u8]) -> io::Result<()>,
        tell: &mut dyn FnMut(Exported),
    ) -> Result<(), ExportError> {
        for entry in entries {
            if !entry.state.has_file() {
                tell(Exported::NotThere(entry.clone()));
                continue;
            }
            let Some(name) = renamed(&entry.title, prefix) else {
                tell(Exported::LeftOut(entry.clone(), too_long()));
                continue;
            };
            // Opened twice before it is read: nothing takes its place between the two.
            let found = self.open_twice(entry).and_then(|(now, first, second)| {
                read_whole(first, &now)?;
                Ok((now, second))
            });
            match found {
                Ok((now, _)) if !now.state.has_file() => tell(Exported::NotThere(now)),
                Ok((now, opened)) => {
                    put_file(&now, opened, &name, put)?;
                    tell(Exported::Done(now));
                }
                Err(fault) => tell(Exported::LeftOut(entry.clone(), fault)),
            }
        }
        put(&END).map_err(ExportError::Put)
    }

    /// The capsule of a file as [`Volume::open_current`] finds it, for two readings.
    pub(super) fn open_twice(&self, entry: &Entry) -> Result<(Entry, Opened, Opened), Fault> {
        let (mut now, mut first) = self.open_current(entry)?;
        loop {
            let (again, second) = self.open_current(&now)?;
            if again.capsule == now.capsule {
                return Ok((now.into_owned(), first, second));
            }
            (now, first) = (Cow::Owned(again.into_owned()), second);
        }
    }
}

fn put_file(
    entry: &Entry,
    opened: Opened,
    name: &Title,
    put: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), ExportError> {
    let capsule = |fault| ExportError::Capsule {
        title: entry.title.clone(),
        fault,
    };
    // Which of the two failed, a fault does not say.
    let mut refused = None;
    let try_put = |bytes: &[u8]| {
        put(bytes).map_err(|error| {
            let text = error.to_string();
            refused = Some(error);
            io::Error::other(text)
        })
    };
    let put = RefCell::new(try_put);
    let mut length = 0;
    let read = opened.read(
        |member| {
            length = member.length;
            let mut member = member.clone();
            member.name = name.bytes().to_vec();
            put.borrow_mut()(&member.headers(PAX_NAME))
        },
        |(), bytes| put.borrow_mut()(bytes),
    );
    let read = read.and_then(|_| put.borrow_mut()(&vec![0; padding(length)]).map_err(Fault::Host));
    match (read, refused) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(error)) => Err(ExportError::Put(error)),
        (Err(fault), None) => Err(capsule(fault)),
    }
}

/// An archive of files that another host gives.
pub struct Archive<'a> {
    prefix: Option<&'a Title>,
    put: &'a mut dyn FnMut(&[u8]) -> io::Result<()>,
}

impl<'a> Archive<'a> {
    /// Begins one, as [`Volume::export`] does.
    pub fn begin(
        prefix: Option<&'a Title>,
        put: &'a mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Self {
        Archive { prefix, put }
    }

    /// Puts one file. `contents` has its headers, and then what follows them, and is read to its end. What is not as
    /// its record says ends the archive: a part of it is put already.
    pub fn file(
        &mut self,
        entry: &Entry,
        contents: &mut dyn Read,
    ) -> Result<Exported, ExportError> {
        let capsule = |fault| ExportError::Capsule {
            title: entry.title.clone(),
            fault,
        };
        let Some(name) = renamed(&entry.title, self.prefix) else {
            io::copy(contents, &mut io::sink()).map_err(|error| capsule(Fault::Host(error)))?;
            return Ok(Exported::LeftOut(entry.clone(), too_long()));
        };
        let mut reader = Reader::new(contents);
        let member = reader
            .next_member()
            .map_err(|error| capsule(error.into()))?;
        let mut member = member.ok_or_else(|| capsule(Fault::Form("its archive is empty")))?;
        if member.name != entry.title.bytes() {
            let what = "another file came than its record says";
            return Err(capsule(Fault::Form(what)));
        }
        member.name = name.bytes().to_vec();
        (self.put)(&member.headers(PAX_NAME)).map_err(ExportError::Put)?;
        let mut digest = blake3::Hasher::new();
        let mut buffer = vec![0; 256 << 10];
        loop {
            let read = reader.read_contents(&mut buffer);
            let bytes = read.map_err(|error| capsule(error.into()))?;
            if bytes == 0 {
                break;
            }
            let part = buffer.get(..bytes).unwrap_or_default();
            digest.update(part);
            (self.put)(part).map_err(ExportError::Put)?;
        }
        let more = reader.source_mut().read(&mut [0]);
        let more = more.map_err(|error| capsule(Fault::Host(error)))?;
        if more > 0 {
            return Err(capsule(Fault::Form("more came than its headers say")));
        }
        let found = Digest(*digest.finalize().as_bytes());
        match entry.digest {
            Some(expected) if expected == found => {}
            Some(expected) => {
                return Err(capsule(Fault::Digest {
                    found: found.to_string(),
                    expected: expected.to_string(),
                }));
            }
            None => return Err(capsule(Fault::Form("its record has no digest"))),
        }
        (self.put)(&vec![0; padding(member.length)]).map_err(ExportError::Put)?;
        Ok(Exported::Done(entry.clone()))
    }

    /// Ends it as `tar` does.
    pub fn end(self) -> Result<(), ExportError> {
        (self.put)(&END).map_err(ExportError::Put)
    }
}

fn too_long() -> Fault {
    Fault::Form("its name would be longer than 4095 bytes")
}

/// The name of a file in the archive.
fn renamed(title: &Title, prefix: Option<&Title>) -> Option<Title> {
    match prefix {
        Some(prefix) => Title::new(&[prefix.bytes(), b"/", title.bytes()].concat()),
        None => Some(title.clone()),
    }
}
