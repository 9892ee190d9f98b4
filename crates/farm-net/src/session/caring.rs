//! Notes, checks, `rebuild` and `repair` at the farm's host.

use pseudotape_farm::{Rebuilt, Repair, Root, Title, VolumeName, capsule_name};

use super::giving::wrong;
use super::trouble::{Trouble, bytes_of};
use crate::link::Link;
use crate::message::{Message, Obstacle, Remedied};

pub(super) fn annotate(
    link: &Link,
    root: &Root,
    name: &VolumeName,
    title: &Title,
    note: Option<String>,
) -> Result<(), Trouble> {
    let entry = pseudotape_farm::annotate(root, name, title, note)?;
    let volume = root.look_for(name, std::slice::from_ref(title))?;
    let path = bytes_of(&volume.capsule_path(entry.number));
    Ok(link.send(&Message::Shown { path, entry })?)
}

pub(super) fn check(
    link: &Link,
    root: &Root,
    name: &VolumeName,
    titles: &[Title],
) -> Result<(), Trouble> {
    let volume = root.look_for(name, titles)?;
    for entry in volume.chosen(titles)? {
        let message = match volume.look_at(&entry) {
            Ok(()) => Message::Entry(entry),
            Err(fault) => Message::Bad {
                entry,
                why: fault.to_string(),
            },
        };
        link.send(&message)?;
        link.output.is_broken()?;
    }
    Ok(())
}

pub(super) fn rebuild(link: &Link, root: &Root, name: &VolumeName) -> Result<(), Trouble> {
    // The directory is made, whether the client hears of it or not.
    let mut heard = Ok(());
    let mut tell = |told| {
        let message = match told {
            Rebuilt::Listed(entry) => Message::Listed(entry),
            Rebuilt::Older(entry) => Message::NotListed {
                file: capsule_name(entry.number),
                why: format!("a capsule with a higher number has {}", entry.title),
            },
            Rebuilt::Unusable(file, fault) => Message::NotListed {
                file,
                why: fault.to_string(),
            },
            _ => return,
        };
        if heard.is_ok() {
            heard = link.send(&message);
        }
    };
    drop(pseudotape_farm::rebuild(root, name, &mut tell)?);
    Ok(heard?)
}

pub(super) fn repair(
    link: &Link,
    root: &Root,
    name: &VolumeName,
    how: Repair,
) -> Result<(), Trouble> {
    let mut heard = Ok(());
    let mut tell = |found: pseudotape_farm::Found| {
        let obstacle = Obstacle::of(&found.damage);
        let message = Message::Remedied(Remedied {
            wrong: wrong(found.file, found.damage),
            remedy: found.remedy,
            obstacle,
            done: found.done,
        });
        if heard.is_ok() {
            heard = link.send(&message);
        }
    };
    pseudotape_farm::repair(root, name, how, &mut tell)?;
    Ok(heard?)
}
