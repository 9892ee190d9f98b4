//! Files of a farm on another host for this one: many are asked for at once.

use std::collections::VecDeque;
use std::path::Path;

use pseudotape_farm::{Entry, Existing, Extracted, Fault, VolumeName, in_the_way, place};

use super::{Client, given, out_of_turn};
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
    let length = entry.length;
    let (mut extracted, end) = given::take(link, headers, length, |contents| {
        place(entry, contents, folder, existing)
    });
    if let Some(why) = end?
        && !matches!(extracted, Extracted::Failed(_) | Extracted::InTheWay)
    {
        extracted = damaged(why);
    }
    Ok(extracted)
}

fn damaged(why: String) -> Extracted {
    Extracted::Damaged(Fault::Reported(why))
}
