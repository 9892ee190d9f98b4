//! A clone takes the place of a volume of which something can't be read any more (docs/VAULT.md).

use std::collections::HashMap;

use pseudotape_image::{Header, VolumeId};
use pseudotape_tape::Access;

use super::taking::record;
use super::{Vault, changed, found};
use crate::contents::Contents;
use crate::error::Error;
use crate::event::{Actor, Change, Order, Subject};
use crate::label::Label;
use crate::rules::{Refusal, may_load};
use crate::state::{Availability, Category, FileState, Opening};
use crate::volume::{Block, ClonedFile, Listed, TapeFile, Volume};

/// What is to take whose place.
#[derive(Clone, Copy, Debug)]
pub struct Cloning<'a> {
    /// The volume that is left.
    pub source: &'a Label,
    /// The volume that gets its label.
    pub clone: &'a Label,
    /// What is on the clone, as it was read back from its medium.
    pub contents: &'a Contents,
    /// Which file of the clone was which one of the source.
    pub files: &'a [ClonedFile],
}

/// Both volumes, when one has taken the place of the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swapped {
    /// It has the label now.
    pub clone: Listed,
    /// It is kept, blocked, under a label of its own.
    pub source: Listed,
}

/// In what two images differ, where one is to be the clone of the other (EN-03).
#[must_use]
pub fn unlike(source: &Header, clone: &Header) -> Vec<String> {
    let mut differs = Vec::new();
    let words = |capacity: Option<u64>| match capacity {
        Some(bytes) => pseudotape_human::counted(bytes, "byte"),
        None => "no limit".to_owned(),
    };
    let (had, has) = (source.capacity_bytes, clone.capacity_bytes);
    if has.unwrap_or(u64::MAX) < had.unwrap_or(u64::MAX) {
        differs.push(format!(
            "its capacity is {}, and that of the source {}",
            words(has),
            words(had)
        ));
    }
    if source.block_limits != clone.block_limits {
        differs.push("it takes blocks of other lengths".to_owned());
    }
    if source.rewriting != clone.rewriting {
        differs.push("only one of them can be written over".to_owned());
    }
    if source.partition_count != clone.partition_count {
        differs.push("it has another number of partitions".to_owned());
    }
    differs
}

impl Vault {
    /// The source is blocked, and the clone is open from now on (EN-02). Again after a kill, nothing changes.
    ///
    /// | condition | result | after |
    /// |---|---|---|
    /// | the source is `ok`, `noaccess` or `notallowed`, and closed | `Ok` | not `ok`; the clone is open |
    /// | the source is away or lost, or open | `Refused` | as before |
    /// | the clone is not scratch, has files, or is not to be written | `Refused`, `NoTarget` | as before |
    pub fn begin_clone(
        &mut self,
        source: &Label,
        clone: &Label,
        resumed: bool,
        order: &Order,
    ) -> Result<(), Error> {
        self.change(|_, rows, now| {
            let (key, listed) = found(rows, source)?;
            may_be_cloned(&listed.volume)?;
            let (clone_key, clone_listed) = found(rows, clone)?;
            may_become_clone(&clone_listed, resumed)?;
            changed(rows, key, listed.volume, now, |volume, _, now| {
                block(volume, now, &order.reason)
            })?;
            changed(rows, clone_key, clone_listed.volume, now, |volume, _, _| {
                if volume.opening == Opening::Open {
                    return Ok(Vec::new());
                }
                let change = volume.opening.become_opening(Opening::Open, order)?;
                volume.opening = Opening::Open;
                Ok(vec![change])
            })?;
            Ok(())
        })
    }

    /// Writes down what was found of tape files when a volume was read for a clone. What nobody wants, or was declared
    /// lost, stays so; and what is bad stays bad, since it may have been read from another copy.
    pub fn judge(
        &mut self,
        label: &Label,
        judged: &[TapeFile],
        reason: &str,
    ) -> Result<Listed, Error> {
        let order = Order::system(reason);
        self.change_volume(label, |_, files, _| {
            let mut changes = Vec::new();
            for read in judged {
                let Some(file) = files.iter_mut().find(|file| file.number == read.number) else {
                    continue;
                };
                if file.state != FileState::Ok {
                    continue;
                }
                match read.state {
                    FileState::Bad | FileState::Missing => {
                        changes.push(file.state.become_state(read.state, read.number, &order)?);
                        file.state = read.state;
                    }
                    FileState::Ok if file.digest.is_none() => file.digest = read.digest,
                    FileState::Ok | FileState::Released | FileState::Lost => {}
                }
            }
            Ok(changes)
        })
    }

    /// The clone gets the label, the source another one and stays blocked: all of it, or nothing (EN-12, EN-13).
    ///
    /// Refused where not each good file of the source, and nothing else, is on the clone as it was.
    pub fn swap_clone(&mut self, cloning: Cloning<'_>, order: &Order) -> Result<Swapped, Error> {
        self.change(|_, rows, now| {
            let (key, listed) = found(rows, cloning.source)?;
            let (clone_key, clone_listed) = found(rows, cloning.clone)?;
            may_become_clone(&clone_listed, true)?;
            let identity = listed.volume.identity;
            let kept = kept_label(cloning.source, |label| Ok(rows.find(label)?.is_some()))?;
            let source_files = rows.files(key)?;
            let rename = |from: &Label, to: &Label| {
                let words = |label: &Label| Some(label.to_string());
                Change::new(Subject::Label, words(from), words(to), order)
            };
            let source = changed(rows, key, listed.volume, now, |volume, _, now| {
                let mut changes = block(volume, now, &order.reason)?;
                changes.push(rename(cloning.source, &kept));
                volume.label = kept.clone();
                Ok(changes)
            })?;
            let clone = changed(
                rows,
                clone_key,
                clone_listed.volume,
                now,
                |volume, files, now| {
                    let mut changes =
                        record(volume, files, cloning.contents, u64::MAX, now, order)?;
                    changes.push(rename(cloning.clone, cloning.source));
                    volume.label = cloning.source.clone();
                    Ok(changes)
                },
            )?;
            rows.insert_clone(clone_key, identity, cloning.files)?;
            let swapped = Swapped { clone, source };
            validate(&swapped, &source_files, &rows.files(clone_key)?, cloning)?;
            Ok(swapped)
        })
    }

    /// What a volume is the clone of, and which of its files was which one there.
    pub fn clone_of(&self, label: &Label) -> Result<Option<(VolumeId, Vec<ClonedFile>)>, Error> {
        let rows = self.catalog.rows();
        let (key, _) = found(rows, label)?;
        rows.clone_of(key)
    }
}

/// Whether a volume can be read for a clone: it is here, and no drive has it.
pub fn may_be_cloned(volume: &Volume) -> Result<(), Error> {
    let label = || volume.label.clone();
    match (volume.availability, &volume.block) {
        (availability @ (Availability::AtVendor | Availability::Lost), block) => {
            Err(Refusal::Unavailable {
                label: label(),
                availability,
                by: block
                    .as_ref()
                    .map_or(Actor::System, |block| block.by.clone()),
                since_ms: block.as_ref().map(|block| block.since_ms),
                reason: block
                    .as_ref()
                    .map_or_else(String::new, |b| b.reason.clone()),
            }
            .into())
        }
        _ if volume.opening == Opening::Open => Err(Refusal::Open { label: label() }.into()),
        _ => Ok(()),
    }
}

/// Whether a clone may be written onto a volume. `resumed`: it may be open, by this clone.
pub fn may_become_clone(listed: &Listed, resumed: bool) -> Result<(), Error> {
    let volume = &listed.volume;
    let closed = Volume {
        opening: match resumed {
            true => Opening::Closed,
            false => volume.opening,
        },
        ..volume.clone()
    };
    may_load(&closed, Access::ReadWrite)?;
    let blank = listed.files == 0 && volume.category == Category::Scratch;
    if !blank {
        return Err(Error::NoTarget {
            label: volume.label.clone(),
        });
    }
    Ok(())
}

/// By the system, where nobody has blocked it yet.
pub(super) fn block(volume: &mut Volume, now: u64, reason: &str) -> Result<Vec<Change>, Error> {
    if volume.availability != Availability::Ok {
        return Ok(Vec::new());
    }
    let order = Order::system(reason);
    let to = Availability::NoAccess;
    let change = volume.availability.become_availability(to, &order)?;
    volume.availability = to;
    volume.block = Some(Block {
        by: Actor::System,
        reason: reason.to_owned(),
        since_ms: now,
    });
    Ok(vec![change])
}

/// The first label of this kind that nobody has.
fn kept_label(
    label: &Label,
    mut taken: impl FnMut(&Label) -> Result<bool, Error>,
) -> Result<Label, Error> {
    for number in 1..=u32::MAX {
        let text = format!("{label} damaged {number}");
        let kept: Label = text.parse().map_err(|_| Error::NotAClone {
            why: format!("'{text}' is too long for a label: give the volume a shorter one first"),
        })?;
        if !taken(&kept)? {
            return Ok(kept);
        }
    }
    Err(Error::TooLarge(u64::from(u32::MAX)))
}

/// Everything that is good on the source is on the clone, once, in the same order, and nothing else (EN-12).
fn validate(
    swapped: &Swapped,
    source: &[TapeFile],
    clone: &[TapeFile],
    cloning: Cloning<'_>,
) -> Result<(), Error> {
    let wrong = |why: String| Err(Error::NotAClone { why });
    let volume = &swapped.clone.volume;
    if cloning.contents.identity != volume.identity {
        return wrong(format!(
            "what was read is volume {}",
            cloning.contents.identity
        ));
    }
    if volume.availability != Availability::Ok || volume.opening != Opening::Closed {
        return wrong("the clone itself can't be read".to_owned());
    }
    let is_on_it = |file: &TapeFile| {
        cloning
            .files
            .iter()
            .any(|one| one.old_number == file.number)
    };
    // What is bad on the source may have been read from another copy.
    let good: Vec<&TapeFile> = source
        .iter()
        .filter(|file| file.state == FileState::Ok || (file.state.is_faulty() && is_on_it(file)))
        .collect();
    let was: Vec<u64> = cloning.files.iter().map(|file| file.old_number).collect();
    if was != good.iter().map(|file| file.number).collect::<Vec<_>>() {
        return wrong(
            "not each good tape file of the source is on it once, in their order".to_owned(),
        );
    }
    if clone.len() != good.len() {
        return wrong(format!(
            "it has {} tape files, and {} are good on the source",
            clone.len(),
            good.len()
        ));
    }
    let by_number: HashMap<u64, &TapeFile> = clone.iter().map(|file| (file.number, file)).collect();
    for (cloned, old) in cloning.files.iter().zip(good) {
        let same = by_number.get(&cloned.number).is_some_and(|new| {
            let as_long = (new.blocks, new.bytes) == (old.blocks, old.bytes);
            (as_long || old.state.is_faulty())
                && (old.digest.is_none() || old.digest == new.digest)
                && new.state == FileState::Ok
        });
        if !same {
            return wrong(format!(
                "tape file {} of the source is not what tape file {} of the clone is",
                old.number, cloned.number
            ));
        }
    }
    Ok(())
}
