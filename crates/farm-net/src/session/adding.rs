//! `copy`, `add`, `compare-add` and `merge` at the farm's host.

use pseudotape_farm::{
    Adding, Announced, Entry, Keeping, Looking, Marks, Root, Told, Verb, Volume, VolumeName,
};

use super::coming::{Coming, ComingArchive};
use super::trouble::{Trouble, bytes_of};
use crate::access::Person;
use crate::error::Error;
use crate::hook::{Hook, Stored};
use crate::how::How;
use crate::link::{Input, Link, Output};
use crate::message::Message;

/// After so many files of a merge it is looked whether the client is still there.
const AT_ONCE: usize = 256;

/// What a client says of volumes that its commands make.
#[derive(Clone, Debug, Default)]
pub(super) struct Making {
    pub structured: bool,
    pub compression: Option<bool>,
    /// Whether the client hears of files that a killed command had committed.
    pub tells_adopted: bool,
}

/// How files are added.
pub(super) struct Manner<'a> {
    pub how: How,
    pub looking: Looking,
    pub making: &'a Making,
    pub hook: Option<Telling<'a>>,
}

/// Who hears of what was stored.
#[derive(Clone, Copy)]
pub(super) struct Telling<'a> {
    pub hook: &'a dyn Hook,
    pub person: &'a Person,
    /// Whether the client is told that it failed.
    pub is_told: bool,
}

pub(super) fn add(
    link: &mut Link,
    root: &Root,
    name: &VolumeName,
    manner: &Manner<'_>,
) -> Result<(), Trouble> {
    let volume = opened(root, name, manner)?;
    let ready = link.send(&Message::Ready).and_then(|()| link.flush());
    if let Err(error) = ready {
        // The client went while it waited: a volume without a file would be in the way of its next copy.
        volume.discard_if_new()?;
        return Err(error.into());
    }
    let (input, output) = (&mut link.input, &link.output);
    added(volume, root, manner, output, |adding| {
        take(input, output, adding)
    })
}

pub(super) fn merge(
    link: &mut Link,
    root: &Root,
    name: &VolumeName,
    sources: &[VolumeName],
    manner: &Manner<'_>,
) -> Result<(), Trouble> {
    if sources.contains(name) {
        let text = format!("volume {name} can't be merged into itself: nothing was done");
        return Err(Trouble::Words(text));
    }
    // All of them are there before a volume is made.
    let sources = sources.iter().map(|source| root.look(source));
    let sources: Vec<Volume> = sources.collect::<Result<_, _>>()?;
    let volume = opened(root, name, manner)?;
    let output = &link.output;
    added(volume, root, manner, output, |adding| {
        for source in &sources {
            for some in source.directory().entries().chunks(AT_ONCE) {
                adding.volume(source, some)?;
                // What is merged stays, and nobody waits for the rest.
                output.is_broken()?;
            }
        }
        Ok(())
    })
}

fn opened(root: &Root, name: &VolumeName, manner: &Manner<'_>) -> Result<Volume, Trouble> {
    let volume = match manner.how {
        How::Copy => root.create(name)?,
        How::Add | How::CompareAdd => root.open_or_create(name)?,
    };
    match unlike(name, volume.directory().marks(), manner.making) {
        Some(text) => Err(Trouble::Words(text)),
        None => Ok(volume),
    }
}

/// A volume stays as it was made, and who asks for something else is to know that.
fn unlike(name: &VolumeName, marks: Marks, making: &Making) -> Option<String> {
    let (is, other) = match marks.compressed {
        true => ("compressed", "off"),
        false => ("not compressed", "on"),
    };
    match making.compression {
        Some(said) if said != marks.compressed => Some(format!(
            "volume {name} is {is}, and stays as it was made: say it without --compression {other}; nothing was changed"
        )),
        _ if making.structured && !marks.structured => Some(format!(
            "volume {name} is not structured, and stays as it was made: say it without --structured; nothing was changed"
        )),
        _ => None,
    }
}

/// Adds what `add` adds. What came whole is committed, however the rest ends.
fn added(
    mut volume: Volume,
    root: &Root,
    manner: &Manner<'_>,
    output: &Output,
    add: impl FnOnce(&mut Adding<'_>) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    let adopted = volume.adopt()?;
    if manner.making.tells_adopted {
        for entry in adopted {
            output.send(&Message::Adopted(entry))?;
        }
    }
    let verb = match manner.how {
        How::Copy | How::Add => Verb::Add,
        How::CompareAdd => Verb::AddAndCompare,
    };
    let mut heard = Ok(());
    let mut new = Vec::new();
    let mut tell = |told| {
        if let (Told::Added(entry) | Told::Replaced(entry), Some(_)) = (&told, manner.hook) {
            new.push(entry.clone());
        }
        if let (Some(message), Ok(())) = (message(told), &heard) {
            heard = output.send(&message);
        }
    };
    let mut adding = Adding::to(&mut volume, verb, Keeping::Changed, &mut tell);
    adding = adding.looking(manner.looking);
    let done = match add(&mut adding) {
        Ok(()) => adding.finish().map_err(Trouble::Farm),
        Err(Trouble::Link(error)) => {
            if let Err(error) = adding.finish() {
                log::warn!("what came whole can't be committed: {error}");
            }
            Err(Trouble::Link(error))
        }
        Err(other) => {
            drop(adding);
            Err(other)
        }
    };
    let failed = match (manner.hook, new.is_empty()) {
        (Some(telling), false) => {
            let failed = told_of(volume, root, new, telling).err();
            failed.filter(|_| telling.is_told)
        }
        _ => {
            if (done.is_err() || manner.how != How::Copy)
                // A volume without a file would only be in the way of the next copy. What stopped the command is what
                // has to be known.
                && let Err(error) = volume.discard_if_new()
            {
                log::warn!("the new volume can't be removed: {error}");
            }
            None
        }
    };
    if let (Some(why), Ok(())) = (failed, &heard) {
        heard = output.send(&Message::ScriptFailed { why });
    }
    done?;
    Ok(heard?)
}

/// Lets a hook hear of what is in a volume now, which is free for others before.
fn told_of(
    volume: Volume,
    root: &Root,
    new: Vec<Entry>,
    telling: Telling<'_>,
) -> Result<(), String> {
    let (name, path) = (volume.name().clone(), volume.path().to_owned());
    let directory = volume.directory();
    // The last member of an archive with one title took the place of those before it.
    let there = new.into_iter().filter(|entry| {
        let now = directory.find(&entry.title);
        now.is_some_and(|now| now.number == entry.number)
    });
    let files: Vec<_> = there
        .map(|entry| {
            let capsule = volume.capsule_path(entry.number);
            (entry, capsule)
        })
        .collect();
    drop(volume);
    let person = telling.person;
    let told = telling.hook.stored(&Stored {
        person,
        root: root.path(),
        volume: &name,
        path: &path,
        files: &files,
    });
    told.inspect_err(|why| log::error!("{person}: volume {name}: {why}"))
}

fn message(told: Told) -> Option<Message> {
    Some(match told {
        Told::Added(entry) => Message::Added(entry),
        Told::Replaced(entry) => Message::Replaced(entry),
        Told::Present(title) => Message::Present(title),
        Told::NotBetter(title) => Message::NotBetter(title),
        Told::Mended(title, fault) => Message::Mended {
            title,
            why: fault.to_string(),
        },
        Told::LeftOut(left_out) => Message::LeftOut {
            path: bytes_of(&left_out.path),
            why: left_out.why.to_string(),
        },
        _ => return None,
    })
}

/// Takes what the client has, until it has said all.
fn take(input: &mut Input, output: &Output, adding: &mut Adding<'_>) -> Result<(), Trouble> {
    loop {
        match input.receive()? {
            Message::Offer { title, stamp } => {
                let wanted = adding.is_wanted(&title, &stamp);
                output.send(&Message::Answer { wanted })?;
            }
            Message::File { stamp, headers } => {
                let mut coming = Coming::of(input);
                let announced = Announced { headers, stamp };
                let arrived = adding.arrived(announced, &mut coming);
                cut(coming)?;
                arrived?;
            }
            Message::Archive => {
                let mut coming = Coming::of(input);
                let read = adding.archive(ComingArchive(&mut coming));
                if read.is_ok() {
                    coming.pass_archive();
                }
                cut(coming)?;
                read?;
            }
            Message::End => return Ok(()),
            _ => return Err(Error::protocol("a message came amid files").into()),
        }
    }
}

/// Why nothing more comes, which counts more than what became of a file by it.
fn cut(coming: Coming<'_>) -> Result<(), Trouble> {
    coming.cut().map_or(Ok(()), |error| Err(error.into()))
}
