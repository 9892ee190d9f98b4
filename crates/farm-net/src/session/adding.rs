//! `copy`, `add`, `compare-add` and `merge` at the farm's host.

use pseudotape_farm::{Adding, Announced, Keeping, Looking, Root, Told, Verb, Volume, VolumeName};

use super::coming::{Coming, ComingArchive};
use super::{Trouble, bytes_of};
use crate::error::Error;
use crate::how::How;
use crate::link::{Input, Link, Output};
use crate::message::Message;

pub(super) fn add(
    link: &mut Link,
    root: &Root,
    name: &VolumeName,
    how: How,
    looking: Looking,
) -> Result<(), Trouble> {
    let volume = opened(root, name, how)?;
    link.send(&Message::Ready)?;
    link.flush()?;
    let (input, output) = (&mut link.input, &link.output);
    added(volume, (how, looking), output, |adding| {
        take(input, output, adding)
    })
}

pub(super) fn merge(
    link: &mut Link,
    root: &Root,
    name: &VolumeName,
    sources: &[VolumeName],
    how: How,
    looking: Looking,
) -> Result<(), Trouble> {
    if sources.contains(name) {
        let text = format!("volume {name} can't be merged into itself: nothing was done");
        return Err(Trouble::Words(text));
    }
    // All of them are there before a volume is made.
    let sources = sources.iter().map(|source| root.look(source));
    let sources: Vec<Volume> = sources.collect::<Result<_, _>>()?;
    let volume = opened(root, name, how)?;
    added(volume, (how, looking), &link.output, |adding| {
        for source in &sources {
            adding.volume(source, source.directory().entries())?;
        }
        Ok(())
    })
}

fn opened(root: &Root, name: &VolumeName, how: How) -> Result<Volume, pseudotape_farm::Error> {
    match how {
        How::Copy => root.create(name),
        How::Add | How::CompareAdd => root.open_or_create(name),
    }
}

/// Adds what `add` adds. What came whole is committed, however the rest ends.
fn added(
    mut volume: Volume,
    (how, looking): (How, Looking),
    output: &Output,
    add: impl FnOnce(&mut Adding<'_>) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    let verb = match how {
        How::Copy | How::Add => Verb::Add,
        How::CompareAdd => Verb::AddAndCompare,
    };
    let mut heard = Ok(());
    let mut tell = |told| {
        if let (Some(message), Ok(())) = (message(told), &heard) {
            heard = output.send(&message);
        }
    };
    let mut adding = Adding::to(&mut volume, verb, Keeping::Changed, &mut tell);
    adding = adding.looking(looking);
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
    if done.is_err()
        // A volume without a file would only be in the way of the next copy. What stopped the command is what has to be
        // known.
        && let Err(error) = volume.discard_if_new()
    {
        log::warn!("the new volume can't be removed: {error}");
    }
    done?;
    Ok(heard?)
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
