//! Capsules of one farm for another one, whichever hosts have the two.

use std::collections::VecDeque;
use std::io::{self, Read};

use pseudotape_farm::{Entry, Fault, Title, Volume, VolumeName};

use super::given::GivenFile;
use super::{Client, out_of_turn};
use crate::error::Error;
use crate::link::Link;
use crate::message::Message;

/// So many files of a volume are asked for at once.
const FILES_AT_ONCE: usize = 256;
/// Their titles go in one packet.
const TITLES_BYTES: usize = 512 << 10;

/// Where the capsules are that a farm gets.
pub trait Capsules {
    /// Some files of a volume that come next; `None` behind the last ones.
    fn next(&mut self) -> Option<(VolumeName, Vec<Entry>)>;

    /// Lends those of them that are wanted, each when it was read to its end and found whole, as long as `take` says
    /// that it takes more.
    fn lend(
        &mut self,
        volume: &VolumeName,
        wanted: &[Entry],
        take: &mut dyn FnMut(&Entry, Loan<'_>) -> bool,
    ) -> Result<(), Error>;
}

/// What is lent of a capsule.
pub enum Loan<'a> {
    /// Its headers, as they stand in an archive, and what follows them.
    File(Vec<u8>, &'a mut dyn Read),
    /// It has no file any more.
    NotThere,
    /// It is damaged.
    Damaged(Fault),
}

/// The files of some volumes, as they are asked for.
struct Queue(VecDeque<(VolumeName, VecDeque<Entry>)>);

impl Queue {
    fn of(volumes: impl Iterator<Item = (VolumeName, Vec<Entry>)>) -> Self {
        let volumes = volumes.map(|(name, entries)| (name, entries.into()));
        Queue(volumes.collect())
    }

    fn next(&mut self) -> Option<(VolumeName, Vec<Entry>)> {
        loop {
            let (name, entries) = self.0.front_mut()?;
            let (mut some, mut bytes) = (Vec::new(), 0);
            while some.len() < FILES_AT_ONCE && bytes < TITLES_BYTES {
                let Some(entry) = entries.pop_front() else {
                    break;
                };
                bytes += entry.title.bytes().len();
                some.push(entry);
            }
            if !some.is_empty() {
                return Some((name.clone(), some));
            }
            self.0.pop_front();
        }
    }
}

/// Volumes of a farm of this host.
pub struct LentHere {
    volumes: Vec<Volume>,
    queue: Queue,
}

impl LentHere {
    /// All files of these volumes.
    #[must_use]
    pub fn of(volumes: Vec<Volume>) -> Self {
        let entries = volumes.iter();
        let entries = entries.map(|volume| {
            let entries = volume.directory().entries();
            (volume.name().clone(), entries.to_vec())
        });
        LentHere {
            queue: Queue::of(entries),
            volumes,
        }
    }
}

impl Capsules for LentHere {
    fn next(&mut self) -> Option<(VolumeName, Vec<Entry>)> {
        self.queue.next()
    }

    fn lend(
        &mut self,
        volume: &VolumeName,
        wanted: &[Entry],
        take: &mut dyn FnMut(&Entry, Loan<'_>) -> bool,
    ) -> Result<(), Error> {
        let found = self.volumes.iter().find(|found| found.name() == volume);
        let volume = found.ok_or_else(out_of_turn)?;
        for entry in wanted {
            let goes_on = match volume.lend(entry) {
                Ok(Some(mut lent)) => {
                    let headers = std::mem::take(&mut lent.headers);
                    let entry = lent.entry.clone();
                    take(&entry, Loan::File(headers, &mut lent))
                }
                // Since the directory was read.
                Ok(None) => take(entry, Loan::Damaged(Fault::Replaced)),
                Err(fault) => take(entry, Loan::Damaged(fault)),
            };
            if !goes_on {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Volumes of a farm of another host.
pub struct LentThere {
    client: Client,
    queue: Queue,
}

impl LentThere {
    /// All files of these volumes, which are all there.
    pub fn of(mut client: Client, volumes: &[VolumeName]) -> Result<Self, Error> {
        client.needs(2, "farm merge --source-root")?;
        let mut all = Vec::new();
        for volume in volumes {
            all.push((volume.clone(), client.files(volume, &[])?));
        }
        Ok(LentThere {
            client,
            queue: Queue::of(all.into_iter()),
        })
    }

    /// What is known of the files that were not asked for yet.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.queue.0.iter().flat_map(|(_, entries)| entries)
    }
}

impl Capsules for LentThere {
    fn next(&mut self) -> Option<(VolumeName, Vec<Entry>)> {
        self.queue.next()
    }

    fn lend(
        &mut self,
        volume: &VolumeName,
        wanted: &[Entry],
        take: &mut dyn FnMut(&Entry, Loan<'_>) -> bool,
    ) -> Result<(), Error> {
        let titles: Vec<Title> = wanted.iter().map(|entry| entry.title.clone()).collect();
        let link = &mut self.client.link;
        let order = Message::Write {
            volume: volume.clone(),
            titles,
        };
        let lent = link
            .send(&order)
            .and_then(|()| lend_all(link, wanted, take));
        let lent = lent.map_err(|error| self.client.explained(error));
        lent.map_err(|error| Error::Source(Box::new(error)))
    }
}

/// Takes what a server gives for an archive.
fn lend_all(
    link: &mut Link,
    wanted: &[Entry],
    take: &mut dyn FnMut(&Entry, Loan<'_>) -> bool,
) -> Result<(), Error> {
    // A title is the name of a folder as well: what is in it comes, too, and is not what is wanted.
    let is_wanted = |entry: &Entry| wanted.iter().any(|wanted| wanted.title == entry.title);
    loop {
        let (entry, goes_on) = match link.receive()? {
            Message::Done => return Ok(()),
            Message::Refused { refusal, text } => return Err(Error::Refused { refusal, text }),
            Message::Next(entry) => {
                let goes_on = one(link, &entry, is_wanted(&entry), take)?;
                (entry, goes_on)
            }
            Message::NotThere(entry) => {
                let goes_on = !is_wanted(&entry) || take(&entry, Loan::NotThere);
                (entry, goes_on)
            }
            Message::Bad { entry, why } => {
                let fault = Fault::Reported(why);
                let goes_on = !is_wanted(&entry) || take(&entry, Loan::Damaged(fault));
                (entry, goes_on)
            }
            _ => return Err(out_of_turn()),
        };
        if !goes_on {
            log::debug!("nothing behind {} is taken", entry.title);
            return Ok(());
        }
    }
}

/// Takes one file, and what is left of it; whether more is taken.
fn one(
    link: &mut Link,
    entry: &Entry,
    is_wanted: bool,
    take: &mut dyn FnMut(&Entry, Loan<'_>) -> bool,
) -> Result<bool, Error> {
    let damaged = |why: String| Loan::Damaged(Fault::Reported(why));
    let headers = match link.receive()? {
        Message::File { headers, .. } => headers,
        // It was released since the server said that it comes.
        Message::NoFile => return Ok(!is_wanted || take(entry, Loan::Damaged(Fault::Replaced))),
        Message::Failed { why } => return Ok(!is_wanted || take(entry, damaged(why))),
        Message::Refused { refusal, text } => return Err(Error::Refused { refusal, text }),
        _ => return Err(out_of_turn()),
    };
    let mut given = GivenFile::here(link, Vec::new());
    let goes_on = !is_wanted || take(entry, Loan::File(headers, &mut given));
    // What the other side says of it comes behind the contents, which whoever took it may have left.
    io::copy(&mut given.by_ref(), &mut io::sink()).ok();
    match given.into_end_so_far() {
        Err(error) => Err(error),
        // Whoever took it heard it as an error of the reading.
        Ok(_) => Ok(goes_on),
    }
}
