//! Files of a farm on another host for this one: many are asked for at once.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::path::Path;

use pseudotape_farm::{Entry, Existing, Extracted, Fault, VolumeName, in_the_way, place};

use super::{Client, out_of_turn};
use crate::error::Error;
use crate::link::Link;
use crate::message::Message;

/// So many files are asked for before the first one has come: few enough that the asking never waits.
const AHEAD: usize = 64;

impl Client {
    /// Extracts files under a folder, as the farm on this host does. `tell` hears what became of each.
    pub fn extract(
        &mut self,
        volume: &VolumeName,
        entries: &[Entry],
        folder: &Path,
        existing: Existing,
        tell: &mut dyn FnMut(&Entry, Extracted),
    ) -> Result<(), Error> {
        let done = self.extract_all(volume, entries, folder, existing, tell);
        done.map_err(|error| self.explained(error))
    }

    fn extract_all(
        &mut self,
        volume: &VolumeName,
        entries: &[Entry],
        folder: &Path,
        existing: Existing,
        tell: &mut dyn FnMut(&Entry, Extracted),
    ) -> Result<(), Error> {
        let volume = volume.clone();
        self.link.send(&Message::Extract { volume })?;
        match self.link.receive()? {
            Message::Ready => {}
            Message::Refused { refusal, text } => return Err(Error::Refused { refusal, text }),
            _ => return Err(out_of_turn()),
        }
        let mut asked = VecDeque::new();
        let mut entries = entries.iter();
        loop {
            while asked.len() < AHEAD {
                let Some(entry) = entries.next() else {
                    break;
                };
                if !entry.state.has_file() {
                    tell(entry, Extracted::NotThere(entry.state));
                } else if existing == Existing::Kept && in_the_way(&entry.title, folder) {
                    tell(entry, Extracted::InTheWay);
                } else {
                    self.link.send(&Message::Get {
                        number: entry.number.0.get(),
                        capsule: *entry.capsule.as_bytes(),
                    })?;
                    asked.push_back(entry);
                }
            }
            let Some(entry) = asked.pop_front() else {
                break;
            };
            let extracted = one(&mut self.link, entry, folder, existing)?;
            tell(entry, extracted);
        }
        self.link.send(&Message::End)?;
        match self.link.receive()? {
            Message::Done => Ok(()),
            Message::Refused { refusal, text } => Err(Error::Refused { refusal, text }),
            _ => Err(out_of_turn()),
        }
    }
}

/// Takes one file that was asked for.
fn one(
    link: &mut Link,
    entry: &Entry,
    folder: &Path,
    existing: Existing,
) -> Result<Extracted, Error> {
    let headers = match link.receive()? {
        Message::File { headers, .. } => headers,
        Message::NoFile => return Ok(Extracted::NotThere(entry.state)),
        Message::Failed { why } => return Ok(damaged(why)),
        Message::Refused { refusal, text } => return Err(Error::Refused { refusal, text }),
        _ => return Err(out_of_turn()),
    };
    let mut given = GivenFile::with(link, headers);
    let mut extracted = place(entry, &mut given, folder, existing);
    // What was not wanted of it comes all the same.
    let mut rest = vec![0; 64 << 10];
    while given.end.is_none() && given.cut.is_none() {
        if let Err(error) = given.read(&mut rest) {
            // It is the end of the file, or of the link: both are looked at below.
            log::debug!("{}: {error}", entry.title);
        }
    }
    if let Some(error) = given.cut {
        return Err(error);
    }
    if let Some(Some(why)) = given.end
        && !matches!(extracted, Extracted::Failed(_) | Extracted::InTheWay)
    {
        extracted = damaged(why);
    }
    Ok(extracted)
}

fn damaged(why: String) -> Extracted {
    Extracted::Damaged(Fault::Reported(why))
}

/// The headers and the contents of a file that comes.
pub(super) struct GivenFile<'a> {
    link: &'a mut Link,
    ready: Vec<u8>,
    at: usize,
    /// All has come; why it is not to be used, if so.
    end: Option<Option<String>>,
    /// Why nothing more comes.
    cut: Option<Error>,
}

impl<'a> GivenFile<'a> {
    pub(super) fn with(link: &'a mut Link, headers: Vec<u8>) -> Self {
        GivenFile {
            link,
            ready: headers,
            at: 0,
            end: None,
            cut: None,
        }
    }

    /// How it ended, as far as it was read: by the end of the link, or with the reason for which it is not to be used.
    pub(super) fn into_end(self) -> Result<Option<String>, Error> {
        match self.cut {
            Some(error) => Err(error),
            None => Ok(self.end.flatten()),
        }
    }
}

impl Read for GivenFile<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let ready = self.ready.get(self.at..).unwrap_or_default();
            let bytes = ready.len().min(buffer.len());
            if bytes > 0 {
                if let (Some(buffer), Some(ready)) = (buffer.get_mut(..bytes), ready.get(..bytes)) {
                    buffer.copy_from_slice(ready);
                }
                self.at += bytes;
                return Ok(bytes);
            }
            match &self.end {
                Some(None) => return Ok(0),
                Some(Some(why)) => return Err(io::Error::other(why.clone())),
                None if self.cut.is_some() => return Err(pseudotape_farm::Gone.into()),
                None => {}
            }
            match self.link.receive() {
                Ok(Message::Data(bytes)) => {
                    self.ready = bytes;
                    self.at = 0;
                }
                Ok(Message::Whole) => self.end = Some(None),
                Ok(Message::Failed { why }) => self.end = Some(Some(why)),
                Ok(Message::NoFile) => self.end = Some(Some("it has no file".to_owned())),
                Ok(Message::Refused { refusal, text }) => {
                    self.cut = Some(Error::Refused { refusal, text });
                }
                Ok(_) => self.cut = Some(out_of_turn()),
                Err(error) => self.cut = Some(error),
            }
        }
    }
}
