//! What is still wanted moves off a stacked volume, which is free to be written then.

use std::collections::HashMap;
use std::path::Path;

use pseudotape_human::shell_word;
use pseudotape_image::Uuid;
use pseudotape_stack::{
    Error as StackError, Met, Outcome, Payload, Reading, read_archive, skip_file, write_archive,
};
use pseudotape_tape::{Address, Drive, ObjectNumber, make_ready};

use super::recalling::{gone, is_of};
use super::stacking::{Cartridge, named, no_such, stacking};
use super::{Vault, expect_reason, found};
use crate::catalog::Rows;
use crate::contents::{Depth, read_contents};
use crate::error::Error;
use crate::event::{Change, Order, Subject};
use crate::label::Label;
use crate::pool::{ArchiveCopy, StackState, StackedVolume};
use crate::rules::{LastCopy, is_wanted as is_wanted_file};
use crate::state::Category;
use crate::volume::{Digest, Listed, Volume};

/// The stacked volume that is emptied, in a drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emptying {
    /// What it is.
    pub stacked: StackedVolume,
    /// Before which tape file the tape is, where that is known.
    next: Option<u64>,
}

/// What became of a copy that was to be moved.
#[derive(Debug)]
pub enum Moved {
    /// There is a second one, which was read back.
    Copied(ArchiveCopy),
    /// It did not fit: the stacked volume that gets it is full.
    Full,
    /// It can't be read, or is not what the catalog knows. Others can be moved all the same.
    Unreadable(Error),
}

/// The copies that are still wanted, by stacked volume.
pub type WantedCopies = HashMap<Uuid, Vec<(Label, ArchiveCopy)>>;

impl Vault {
    /// Says what can be done with a stacked volume. The last copy of what somebody wants is given up only where that is
    /// said.
    pub fn set_stack_state(
        &mut self,
        label: &Label,
        state: StackState,
        last_copy: LastCopy,
        order: &Order,
    ) -> Result<StackedVolume, Error> {
        expect_reason(order)?;
        self.change(|place, rows, now| {
            let (key, stacked) = rows
                .stacked_by_label(label)?
                .ok_or_else(|| no_such(label))?;
            let change = stacked.state.become_state(state, order)?;
            if state == StackState::Erase && last_copy == LastCopy::Kept {
                expect_no_last_copy(rows, &place.images, &stacked)?;
            }
            rows.set_stack_state(key, state)?;
            rows.log(now, None, &named(change, label))?;
            Ok(StackedVolume { state, ..stacked })
        })
    }

    /// The copies that would be missed, by the identity of their stacked volume, in the order in which they lie there:
    ///
    /// - that of a volume as it is now, while its pool has no other one that can be read;
    /// - that of an older generation, where it is the newest that is left anywhere, the image too.
    ///
    /// What is on a scratch volume was given up.
    pub fn wanted_copies(&self) -> Result<WantedCopies, Error> {
        wanted(self.catalog.rows(), &self.images())
    }

    /// Looks whether a stacked volume that is to be emptied is the one in a drive.
    pub fn open_emptying(
        &mut self,
        drive: &mut dyn Drive,
        label: &Label,
    ) -> Result<Emptying, Error> {
        let known = self.catalog.rows().stacked_by_label(label)?;
        let stacked = known.ok_or_else(|| no_such(label))?.1;
        match stacked.state {
            StackState::Full | StackState::ReadOnlyRecovery => {}
            StackState::Filling => {
                return Err(stacking(format!(
                    "{label} fills: what moves off it would go onto itself; 'pseudotape vault pool {word} full --by NAME \
                     --reason TEXT' ends that",
                    word = shell_word(label.as_str())
                )));
            }
            StackState::Empty | StackState::Erase => {
                return Err(stacking(format!(
                    "nothing on {label} is wanted any more: it is {} already, and the next 'pseudotape vault stack' with it \
                     in the drive begins it anew",
                    stacked.state
                )));
            }
            StackState::Unavailable | StackState::Destroyed => {
                return Err(stacking(format!(
                    "{label} is {}: nothing moves off it",
                    stacked.state
                )));
            }
        }
        make_ready(drive)?;
        drive.rewind()?;
        let identity = match read_archive(drive)? {
            Met::Archive(reading) => Some(reading.description().stacked_volume.identity),
            Met::Skipped(_) | Met::EndOfData => None,
        };
        match identity == Some(stacked.identity) {
            true => Ok(Emptying {
                stacked,
                next: None,
            }),
            false => Err(stacking(format!(
                "what is in the drive is not {label}: put that in"
            ))),
        }
    }

    /// Copies a copy to another stacked volume, and reads that back. The catalog knows it when it is verified.
    ///
    /// | condition | result | after |
    /// |---|---|---|
    /// | fits, and is what the catalog knows | [`Moved::Copied`] | two copies |
    /// | does not fit | [`Moved::Full`] | one copy; the other stacked volume is full |
    /// | can't be read | [`Moved::Unreadable`] | as before |
    /// | can't be written, or not be read back | an error | one copy |
    /// | killed | – | one copy, or two |
    pub fn move_copy(
        &mut self,
        from: (&mut dyn Drive, &mut Emptying),
        to: (&mut dyn Drive, &mut Cartridge),
        what: (&Label, &ArchiveCopy),
        order: &Order,
    ) -> Result<Moved, Error> {
        let ((from, emptying), (to, cartridge), (label, copy)) = (from, to, what);
        let volume = self.volume(label)?.volume;
        let reading = go_before(from, emptying, copy).and_then(|()| opened(from, &volume, copy));
        let (mut reading, payload) = match reading {
            Ok(opened) => opened,
            Err(error) => return Ok(Moved::Unreadable(error)),
        };
        let now = self.surroundings.now_ms();
        let sequence = self.change(|_, rows, _| rows.count_archive())?;
        let subject = reading.description().subject.clone();
        let new = self.describe(&cartridge.stacked, sequence, now, subject, Some(payload));
        let written = match write_archive(to, &new, &mut *reading) {
            Ok(Outcome::Written(written)) => written,
            Ok(Outcome::EndOfMedium(_)) => {
                let order = Order::system("what moves from another one did not fit");
                let label = cartridge.stacked.label.clone();
                cartridge.stacked =
                    self.set_stack_state(&label, StackState::Full, LastCopy::Kept, &order)?;
                return Ok(Moved::Full);
            }
            Err(
                error @ (StackError::PayloadRead(_)
                | StackError::PayloadLength { .. }
                | StackError::PayloadDigest { .. }),
            ) => return Ok(Moved::Unreadable(error.into())),
            Err(error) => return Err(error.into()),
        };
        // Its end was read, with the digest that stands there.
        drop(reading);
        emptying.next = Some(copy.file + 1);
        verify(to, written.at.object, written.digest)?;
        let stacked = &cartridge.stacked;
        let copied = ArchiveCopy {
            stacked_volume: stacked.label.clone(),
            stacked_identity: stacked.identity,
            pool: stacked.pool.clone(),
            state: stacked.state,
            file: cartridge.next_file,
            digest: written.digest.map(|digest| Digest(digest.0)),
            at_ms: now,
            ..copy.clone()
        };
        self.moved(&volume, copy, &copied, order)?;
        cartridge.next_file += 1;
        Ok(Moved::Copied(copied))
    }

    /// Writes down where a copy is, too.
    fn moved(
        &mut self,
        volume: &Volume,
        from: &ArchiveCopy,
        to: &ArchiveCopy,
        order: &Order,
    ) -> Result<(), Error> {
        self.change(|_, rows, now| {
            let known = rows.stacked_by_identity(to.stacked_identity)?;
            let (on, _) = known.ok_or_else(|| no_such(&to.stacked_volume))?;
            let (key, listed) = found(rows, &volume.label)?;
            if listed.volume.identity != volume.identity {
                return Err(stacking(format!(
                    "{} became another volume meanwhile",
                    volume.label
                )));
            }
            rows.insert_copy(key, on, to)?;
            let place = |copy: &ArchiveCopy| format!("{} file {}", copy.stacked_volume, copy.file);
            let change = Change::new(Subject::Copy, Some(place(from)), Some(place(to)), order);
            rows.log(now, Some((key, &volume.label)), &change)
        })
    }

    /// Gives up what is on a stacked volume, if nothing there is wanted any more.
    pub fn give_up(&mut self, label: &Label, order: &Order) -> Result<StackedVolume, Error> {
        self.change(|place, rows, now| {
            let known = rows.stacked_by_label(label)?;
            let (key, stacked) = known.ok_or_else(|| no_such(label))?;
            let wanted = wanted(rows, &place.images)?.remove(&stacked.identity);
            if let Some((volume, _)) = wanted.as_ref().and_then(|wanted| wanted.first()) {
                return Err(stacking(format!(
                    "the copy of {volume} on {label} is wanted: it is not given up"
                )));
            }
            let state = StackState::Erase;
            let change = stacked.state.become_state(state, order)?;
            rows.set_stack_state(key, state)?;
            rows.log(now, None, &named(change, label))?;
            Ok(StackedVolume { state, ..stacked })
        })
    }
}

fn wanted(rows: Rows<'_>, images: &Path) -> Result<WantedCopies, Error> {
    let mut all = rows.all_copies()?;
    let mut by_stack = WantedCopies::new();
    for (key, listed) in rows.all()? {
        let volume = listed.volume;
        let mut copies = all.remove(&key).unwrap_or_default();
        copies.retain(ArchiveCopy::is_left);
        if copies.is_empty() || volume.category == Category::Scratch {
            continue;
        }
        let image = volume.image.as_ref().map(|name| images.join(name));
        let is_here = image.is_some_and(|image| image.symlink_metadata().is_ok());
        for copy in &copies {
            if is_wanted(copy, &copies, volume.generation, is_here) {
                let of = by_stack.entry(copy.stacked_identity).or_default();
                of.push((volume.label.clone(), copy.clone()));
            }
        }
    }
    for wanted in by_stack.values_mut() {
        wanted.sort_by_key(|(_, copy)| copy.file);
    }
    Ok(by_stack)
}

/// Whether a stacked volume has no copy that is the only one left of what somebody wants.
fn expect_no_last_copy(
    rows: Rows<'_>,
    images: &Path,
    stacked: &StackedVolume,
) -> Result<(), Error> {
    let mut all = rows.all_copies()?;
    let mut last = Vec::new();
    for (key, listed) in rows.all()? {
        let copies = all.remove(&key).unwrap_or_default();
        let is_on = |copy: &&ArchiveCopy| copy.stacked_identity == stacked.identity;
        // The newest one is first.
        let Some(newest) = copies.iter().find(is_on) else {
            continue;
        };
        let mut others = copies.iter().filter(|copy| !is_on(copy));
        let is_elsewhere =
            others.any(|other| other.state.is_readable() && other.generation >= newest.generation);
        let is_given_up = listed.volume.category == Category::Scratch
            || !rows
                .files(key)?
                .iter()
                .any(|file| is_wanted_file(file.state));
        if !is_elsewhere && !is_given_up && !is_whole(&listed, images) {
            last.push(listed.volume.label.to_string());
        }
    }
    let label = &stacked.label;
    match last.is_empty() {
        true => Ok(()),
        false => Err(stacking(format!(
            "the only copy that is left is on {label}, of each of these volumes: {}. Recall them first ('pseudotape \
             vault recall'), move them ('pseudotape vault reclaim'), release their files, or say --lose-last-copy",
            last.join(", ")
        ))),
    }
}

/// Whether the image of a volume is there, and as the catalog knows it, as far as can be told without all its bytes.
fn is_whole(listed: &Listed, images: &Path) -> bool {
    let volume = &listed.volume;
    let Some(name) = &volume.image else {
        return false;
    };
    let contents = read_contents(&images.join(name), Depth::Frames, &mut |_| {});
    contents.is_ok_and(|contents| {
        listed.faulty == 0
            && contents.identity == volume.identity
            && Some(contents.generation) == volume.image_generation
            && contents.trouble().is_none()
    })
}

fn is_wanted(copy: &ArchiveCopy, all: &[ArchiveCopy], generation: u64, is_here: bool) -> bool {
    let same = |other: &&ArchiveCopy| other.generation == copy.generation;
    let elsewhere = all.iter().filter(same).any(|other| {
        other.stacked_identity != copy.stacked_identity
            && other.pool == copy.pool
            && other.state.is_readable()
    });
    let again = all
        .iter()
        .filter(same)
        .any(|other| other.stacked_identity == copy.stacked_identity && other.file > copy.file);
    let is_newest_left = !is_here && all.iter().all(|other| other.generation <= copy.generation);
    let serves = copy.generation == generation || is_newest_left;
    serves && !elsewhere && !again
}

/// Goes before the tape file of a copy, on from where the tape is.
fn go_before(
    drive: &mut dyn Drive,
    emptying: &mut Emptying,
    copy: &ArchiveCopy,
) -> Result<(), Error> {
    // What fails leaves the tape anywhere.
    let mut at = match emptying.next.take() {
        Some(at) if at <= copy.file => at,
        Some(_) | None => {
            drive.rewind()?;
            0
        }
    };
    while at < copy.file {
        if !skip_file(drive)? {
            return Err(gone(copy));
        }
        at += 1;
    }
    Ok(())
}

/// Opens the archive of a copy; what is to be expected of its payload.
fn opened<'a>(
    drive: &'a mut dyn Drive,
    volume: &Volume,
    copy: &ArchiveCopy,
) -> Result<(Box<Reading<'a>>, Payload), Error> {
    let Met::Archive(mut reading) = read_archive(drive)? else {
        return Err(gone(copy));
    };
    let description = reading.description();
    let Some(payload) = description.payload.clone() else {
        return Err(gone(copy));
    };
    if !is_of(description, volume, copy) {
        return Err(gone(copy));
    }
    let known = copy.digest.map(|digest| pseudotape_stack::Digest(digest.0));
    if let Some(known) = known {
        reading.expect(known);
    }
    let digest = known.or(payload.digest);
    Ok((reading, Payload { digest, ..payload }))
}

/// Reads an archive back; the tape is behind it.
fn verify(
    drive: &mut dyn Drive,
    object: ObjectNumber,
    digest: Option<pseudotape_stack::Digest>,
) -> Result<(), Error> {
    drive.locate(Address {
        partition: None,
        object,
    })?;
    let Met::Archive(mut reading) = read_archive(drive)? else {
        return Err(stacking("what was written can't be read back".into()));
    };
    if let Some(digest) = digest {
        reading.expect(digest);
    }
    reading.verify()?;
    Ok(())
}
