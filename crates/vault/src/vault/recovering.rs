//! What a vault knows of its own backups and recoveries.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use super::Vault;
use super::inspecting::Inspection;
use crate::catalog::{Key, Rows};
use crate::contents::{Depth, glance, read_contents};
use crate::error::Error;
use crate::event::{Change, Order, Subject};
use crate::findings::{Finding, FindingKind};
use crate::label::Label;
use crate::pending::Recovery;
use crate::pool::{ArchiveCopy, StackState, StackedVolume};
use crate::recovery::loss::{Copy, DiskImage, Known, Place};
use crate::recovery::rolled::{Removal, Rolled, Shelved, Survivor};
use crate::rules::{Refusal, is_as_long};
use crate::state::{Availability, Category, Opening};
use crate::volume::{Block, Volume};

impl Vault {
    /// The recovery that no person has ended yet. While there is one, no volume is loaded (VT-06).
    pub fn pending_recovery(&self) -> Result<Option<Recovery>, Error> {
        self.catalog.rows().pending_recovery()
    }

    /// The number of the last backup; 0 where there was none.
    pub fn last_backup(&self) -> Result<u64, Error> {
        self.catalog.rows().last_backup()
    }

    /// Says that it is written down, durably, what the recovery under way has lost. Before that nobody can end it.
    pub fn set_reported(&mut self) -> Result<(), Error> {
        self.change(|_, rows, now| rows.report_recovery(now))
    }

    /// Says that the vault is in service again: a person has seen what was lost.
    pub fn set_online(&mut self, order: &Order) -> Result<Recovery, Error> {
        self.change(|_, rows, now| {
            let Some(recovery) = rows.pending_recovery()? else {
                return Err(Refusal::IsOnline.into());
            };
            if !recovery.is_reported {
                return Err(Refusal::NotReported { recovery }.into());
            }
            rows.end_recovery(now)?;
            let from = Some(format!("backup {}", recovery.sequence));
            let change = Change::new(Subject::Recovery, from, Some("online".to_owned()), order);
            rows.log(now, None, &change)?;
            Ok(recovery)
        })
    }

    /// The volumes, as the loss report wants them.
    pub fn known(&self) -> Result<Vec<Known>, Error> {
        let rows = self.catalog.rows();
        let written: HashMap<_, _> = rows.written()?.into_iter().collect();
        let mut stacked = rows.all_copies()?;
        let all = rows.all()?;
        let known = all.into_iter().map(|(key, listed)| {
            let volume = listed.volume;
            let closed_ms = written.get(&key).copied().unwrap_or(volume.added_ms);
            let on_disk = volume.image.as_ref().map(|_| Copy {
                place: Place::Disk,
                generation: volume.generation,
                closed_ms,
            });
            let mut copies: Vec<Copy> = on_disk.into_iter().collect();
            let stacked = stacked.remove(&key).unwrap_or_default();
            copies.extend(stacked.iter().filter_map(on_tape));
            Known {
                identity: volume.identity,
                label: volume.label,
                generation: volume.generation,
                opening: volume.opening,
                copies,
            }
        });
        Ok(known.collect())
    }

    /// The images in the vault's directory, by name, and what each says of itself. Nothing of what is on them is read.
    pub fn shelf(&self) -> Result<Vec<Shelved>, Error> {
        let images = self.images();
        let known: HashMap<_, _> = self
            .catalog
            .rows()
            .all()?
            .into_iter()
            .map(|(_, listed)| (listed.volume.identity, listed.volume))
            .collect();
        let mut shelf = Vec::new();
        for name in self.image_names()?.unwrap_or_default() {
            let path = images.join(&name);
            let Ok(found) = glance(&path) else {
                // No image, or one that can't be read: nobody finds a volume in it.
                shelf.push(Shelved::unreadable(path));
                continue;
            };
            let volume = known.get(&found.identity);
            shelf.push(Shelved {
                path,
                identity: Some(found.identity),
                label: match volume {
                    Some(volume) => volume.label.to_string(),
                    None if found.barcode.is_empty() => found.label,
                    None => found.barcode,
                },
                is_known: volume.is_some(),
            });
        }
        Ok(shelf)
    }

    /// The images of volumes that are here, and whether each is a copy of what the catalog says: its own volume, whole,
    /// and of the generation that the catalog knows. With digests each block of it is read, too.
    pub fn survivors(&self, with_digests: bool) -> Result<Vec<Survivor>, Error> {
        let shelf = self.shelf()?;
        let mut survivors = Vec::new();
        for listed in self.volumes()? {
            let mut volume = listed.volume;
            let named = self.image_of(&volume).filter(|path| path.exists());
            let same = || {
                let mut shelf = shelf.iter();
                let found = shelf.find(|one| one.identity == Some(volume.identity));
                found.map(|one| one.path.clone())
            };
            let Some(path) = named.or_else(same) else {
                continue;
            };
            // The report itself says what was open.
            volume.opening = Opening::Closed;
            let findings = match with_digests {
                true => {
                    let files = self.files(&volume.label)?;
                    let depth = Depth::Digests;
                    Inspection::of_one(
                        &volume,
                        &files,
                        &path,
                        read_contents(&path, depth, &mut |_| {}),
                        depth,
                    )
                }
                false => {
                    let glanced = glance(&path);
                    let bytes = glanced.as_ref().map_or(listed.bytes, |found| found.bytes);
                    let mut findings =
                        Inspection::of_one(&volume, &[], &path, glanced, Depth::Frames);
                    if findings.is_empty() && bytes != listed.bytes {
                        findings.extend(self.other_length(&volume, &path, bytes)?);
                    }
                    findings
                }
            };
            let is = |kind: FindingKind| findings.iter().all(|one| one.kind == kind);
            let state = match findings.is_empty() {
                true => Some(DiskImage::Unchanged),
                false if is(FindingKind::Changed) => Some(DiskImage::Written),
                false => None,
            };
            let faults: Vec<String> = findings.iter().map(Finding::words).collect();
            survivors.push(Survivor {
                identity: volume.identity,
                label: volume.label,
                path,
                state,
                fault: (!faults.is_empty()).then(|| faults.join("; ")),
            });
        }
        Ok(survivors)
    }

    /// An image that was written as often as the catalog knows, and not with what it knows.
    fn other_length(
        &self,
        volume: &Volume,
        path: &Path,
        bytes: u64,
    ) -> Result<Option<Finding>, Error> {
        let files = self.files(&volume.label)?;
        let is_other = is_as_long(&files, bytes) == Some(false);
        Ok(is_other.then(|| Finding {
            kind: FindingKind::Changed,
            label: Some(volume.label.clone()),
            image: Some(path.to_owned()),
            file: None,
            found: format!(
                "it was written elsewhere, as often as the catalog knows: it has {}, and had {}",
                pseudotape_human::counted(bytes, "byte"),
                files.iter().map(|file| file.bytes).sum::<u64>()
            ),
        }))
    }

    /// Takes into the catalog what was written after it was saved, as the describing members on tapes say it: copies,
    /// so that they can be recalled, and volumes. What the catalog knows as new or newer is left alone, and
    /// so are copies of volumes from before they were removed. Returns the labels of the volumes that are newer now.
    pub fn roll_forward(&mut self, rolled: &[Rolled], order: &Order) -> Result<Vec<Label>, Error> {
        self.change(|_, rows, now| {
            let mut taken = Vec::new();
            let removals = rows.removals()?;
            for one in rolled {
                let Some((key, listed)) = rows.find_identity(one.identity)? else {
                    let covers = |removal: &Removal| {
                        removal.covers(one.identity, one.generation, one.closed_ms)
                    };
                    if removals.iter().any(covers) {
                        continue;
                    }
                    let (key, label) = added(rows, one, now, order)?;
                    note_copy(rows, key, &label, one.copy.as_ref(), now, order)?;
                    taken.push(label);
                    continue;
                };
                let mut volume = listed.volume;
                note_copy(rows, key, &volume.label, one.copy.as_ref(), now, order)?;
                if volume.generation >= one.generation {
                    continue;
                }
                let known = rows.files(key)?;
                let words = |number: u64| Some(number.to_string());
                let (from, to) = (words(volume.generation), words(one.generation));
                let change = Change::new(Subject::Generation, from, to, order);
                rows.log(now, Some((key, &volume.label)), &change)?;
                if volume.opening == Opening::Open {
                    let change = volume.opening.become_opening(Opening::Closed, order)?;
                    rows.log(now, Some((key, &volume.label)), &change)?;
                    volume.opening = Opening::Closed;
                }
                if volume.category == Category::Scratch && one.category == Category::Private {
                    let change = volume.category.become_category(one.category, order)?;
                    rows.log(now, Some((key, &volume.label)), &change)?;
                    volume.category = one.category;
                }
                volume.generation = one.generation;
                rows.update(key, &volume)?;
                rows.replace_files(key, &known, &one.files)?;
                taken.push(volume.label);
            }
            Ok(taken)
        })
    }

    /// The volumes that were removed, as the log says it.
    pub fn removals(&self) -> Result<Vec<Removal>, Error> {
        self.catalog.rows().removals()
    }

    /// Blocks volumes whose data are lost, so that none is mounted as if it were blank (VT-09). What a person has
    /// blocked stays as it is.
    pub fn block_lost(&mut self, lost: &[(Label, String)]) -> Result<(), Error> {
        self.change(|_, rows, now| {
            for (label, reason) in lost {
                let Some((key, listed)) = rows.find(label)? else {
                    continue;
                };
                let mut volume = listed.volume;
                if volume.availability != Availability::Ok {
                    continue;
                }
                let order = Order::system(reason.clone());
                let to = Availability::NoAccess;
                let change = volume.availability.become_availability(to, &order)?;
                volume.availability = to;
                volume.block = Some(Block {
                    by: order.actor,
                    reason: order.reason,
                    since_ms: now,
                });
                rows.update(key, &volume)?;
                rows.log(now, Some((key, label)), &change)?;
            }
            Ok(())
        })
    }

    pub(crate) fn count_backup(&mut self) -> Result<(u64, u64), Error> {
        let configuration = self.configuration.text();
        self.change(|_, rows, now| Ok((rows.count_backup(now, &configuration)?, now)))
    }

    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.configuration.wait_seconds)
    }
}

/// A copy on a stacked volume, as the loss report wants it: what was given up there may be written over.
fn on_tape(copy: &ArchiveCopy) -> Option<Copy> {
    match copy.state {
        StackState::Empty | StackState::Erase => return None,
        StackState::Filling
        | StackState::Full
        | StackState::ReadOnlyRecovery
        | StackState::Unavailable
        | StackState::Destroyed => {}
    }
    Some(Copy {
        place: Place::Stacked {
            stacked: copy.stacked_identity.to_string(),
            file: copy.file,
        },
        generation: copy.generation,
        closed_ms: copy.closed_ms,
    })
}

/// A volume that came after the catalog was saved. A label that another one has gets a number behind it.
fn added(rows: Rows<'_>, one: &Rolled, now: u64, order: &Order) -> Result<(Key, Label), Error> {
    let label = free_label(&one.label, |label| Ok(rows.find(label)?.is_some()))?;
    let volume = Volume {
        label,
        identity: one.identity,
        category: one.category,
        availability: Availability::Ok,
        block: None,
        opening: Opening::Closed,
        generation: one.generation,
        image: None,
        image_generation: None,
        added_ms: now,
    };
    let key = rows.insert(&volume)?;
    rows.replace_files(key, &[], &one.files)?;
    let category = Some(volume.category.word().to_owned());
    let change = Change::new(Subject::Volume, None, category, order);
    rows.log(now, Some((key, &volume.label)), &change)?;
    Ok((key, volume.label))
}

/// A copy that was met on a tape. A stacked volume that the catalog does not know is read, and not written.
fn note_copy(
    rows: Rows<'_>,
    key: Key,
    label: &Label,
    copy: Option<&ArchiveCopy>,
    now: u64,
    order: &Order,
) -> Result<(), Error> {
    let Some(copy) = copy else {
        return Ok(());
    };
    let identity = copy.stacked_identity;
    if rows.stacked_by_identity(identity)?.is_none() {
        let is_taken = |label: &Label| Ok(rows.stacked_by_label(label)?.is_some());
        let new = StackedVolume {
            label: free_label(&copy.stacked_volume, is_taken)?,
            identity,
            pool: copy.pool.clone(),
            state: StackState::ReadOnlyRecovery,
            added_ms: now,
            copies: 0,
            bytes: 0,
            backup: None,
            place: None,
        };
        rows.insert_stacked(&new)?;
        let came = Some(format!("{} {}", new.label, new.state));
        let change = Change::new(Subject::StackedVolume, None, came, order);
        rows.log(now, None, &change)?;
    }
    let Some((on, stacked)) = rows.stacked_by_identity(identity)? else {
        return Ok(());
    };
    if rows.is_copy(key, on, copy.file, copy.generation)? {
        return Ok(());
    }
    rows.insert_copy(key, on, copy)?;
    let place = format!("{} file {}", stacked.label, copy.file);
    let change = Change::new(Subject::Copy, None, Some(place), order);
    rows.log(now, Some((key, label)), &change)
}

/// A label, with a number behind it where it is taken.
fn free_label(
    wanted: &Label,
    is_taken: impl Fn(&Label) -> Result<bool, Error>,
) -> Result<Label, Error> {
    let mut label = wanted.clone();
    for number in 2_u32.. {
        if !is_taken(&label)? {
            break;
        }
        let text: String = wanted.as_str().chars().take(24).collect();
        label = format!("{text}~{number}")
            .parse()
            .map_err(|_| Error::LabelTaken {
                label: wanted.clone(),
            })?;
    }
    Ok(label)
}
