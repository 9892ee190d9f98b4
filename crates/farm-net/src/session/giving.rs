//! `extract` and `verify` at the farm's host.

use std::collections::HashMap;
use std::io;

use pseudotape_farm::{Damage, Entry, Finding, Given, Root, Title, Volume, VolumeName};

use super::trouble::Trouble;
use crate::error::Error;
use crate::link::Link;
use crate::message::{Message, Wrong};
use crate::packet::MAX_BODY_BYTES;

/// Gives files. `titles` are those that the client asked for before: where the index leads to them, the directory is
/// not read for the others.
pub(super) fn extract(
    link: &mut Link,
    root: &Root,
    name: &VolumeName,
    titles: &[Title],
) -> Result<(), Trouble> {
    let mut volume = root.look_for(name, titles)?;
    let mut entries = by_number(&volume);
    let mut has_all = titles.is_empty();
    link.send(&Message::Ready)?;
    loop {
        match link.receive()? {
            Message::Get { number, capsule } => {
                if !has_all && !entries.contains_key(&number) {
                    volume = root.look(name)?;
                    entries = by_number(&volume);
                    has_all = true;
                }
                let entry = entries.get(&number);
                match entry.filter(|entry| entry.capsule.as_bytes() == &capsule) {
                    Some(entry) => give(link, &volume, entry)?,
                    None => link.send(&Message::Failed {
                        why: "the volume has another file there now".to_owned(),
                    })?,
                }
            }
            Message::End => return Ok(()),
            _ => return Err(Error::protocol("a message came amid files").into()),
        }
    }
}

fn by_number(volume: &Volume) -> HashMap<u64, Entry> {
    let entries = volume.directory().entries().iter();
    entries
        .map(|entry| (entry.number.0.get(), entry.clone()))
        .collect()
}

fn give(link: &Link, volume: &Volume, entry: &Entry) -> Result<(), Error> {
    let mut broken = None;
    let given = volume.give(entry, |given| {
        let sent = match given {
            Given::Headers(headers) => link.send(&Message::File {
                stamp: entry.stamp,
                headers: headers.to_vec(),
            }),
            Given::Contents(bytes) => {
                let mut parts = bytes.chunks(MAX_BODY_BYTES);
                parts.try_for_each(|part| link.output.send_data(part))
            }
        };
        sent.map_err(|error| {
            broken = Some(error);
            io::ErrorKind::BrokenPipe.into()
        })
    });
    if let Some(error) = broken {
        return Err(error);
    }
    link.send(&match given {
        Ok(true) => Message::Whole,
        Ok(false) => Message::NoFile,
        Err(fault) => Message::Failed {
            why: fault.to_string(),
        },
    })
}

pub(super) fn verify(
    link: &Link,
    root: &Root,
    name: &VolumeName,
    titles: &[Title],
) -> Result<(), Trouble> {
    let volume = root.look_for(name, titles)?;
    let mut heard = Ok(());
    let mut tell = |finding| {
        let message = match finding {
            Finding::Whole(entry) => Message::Sound(entry),
            Finding::Wrong(file, damage) => Message::Wrong(wrong(file, damage)),
            _ => return,
        };
        if heard.is_ok() {
            heard = link.send(&message);
        }
    };
    for entry in volume.chosen(titles)? {
        volume.verify(std::slice::from_ref(&entry), &mut tell);
        // Nobody waits for what is left of a volume whose client is gone.
        link.output.is_broken()?;
    }
    if titles.is_empty() {
        volume.find_foreign(&mut tell)?;
    }
    Ok(heard?)
}

/// Gives files for an archive. Each capsule is read to its end before anything of it goes.
pub(super) fn write(
    link: &Link,
    root: &Root,
    name: &VolumeName,
    titles: &[Title],
) -> Result<(), Trouble> {
    let volume = root.look_for(name, titles)?;
    for entry in volume.chosen(titles)? {
        if !entry.state.has_file() {
            link.send(&Message::NotThere(entry))?;
            continue;
        }
        let mut why = None;
        volume.verify(std::slice::from_ref(&entry), &mut |finding| {
            if let Finding::Wrong(_, Damage::Capsule(_, fault)) = finding {
                why = Some(fault.to_string());
            }
        });
        match why {
            Some(why) => link.send(&Message::Bad { entry, why })?,
            None => {
                link.send(&Message::Next(entry.clone()))?;
                give(link, &volume, &entry)?;
            }
        }
        link.output.is_broken()?;
    }
    Ok(())
}

pub(super) fn wrong(file: String, damage: Damage) -> Wrong {
    let (what, title, why) = match damage {
        Damage::Capsule(title, fault) => ("damaged", Some(title), Some(fault.to_string())),
        Damage::Unlisted(Ok(title)) => ("unlisted", Some(title), None),
        Damage::Unlisted(Err(fault)) => ("unlisted", None, Some(fault.to_string())),
        Damage::Leftover => ("leftover", None, None),
        Damage::Directory(why) => ("directory", None, Some(why)),
        Damage::NeverMade => {
            let why = "neither directory nor capsules are in it: no volume was made";
            ("folder", None, Some(why.to_owned()))
        }
        _ => ("foreign", None, None),
    };
    Wrong {
        file,
        what: what.to_owned(),
        title,
        why,
    }
}
