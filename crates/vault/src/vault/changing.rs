//! What persons and the system decide of the volumes in the vault, and how volumes go.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pseudotape_image::{Access, Image, View};

use super::taking::record;
use super::{Vault, expect_reason, found};
use crate::contents::{Contents, read_file};
use crate::error::Error;
use crate::event::{Change, Order, Subject};
use crate::label::Label;
use crate::rules::{LastCopy, may_load, may_remove, may_serve};
use crate::state::{Availability, Category, FileState, Opening};
use crate::volume::{Block, Listed, TapeFile, Volume};

/// A volume that has left the vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// What it was.
    pub volume: Volume,
    /// Its image, which was deleted.
    pub image: Option<PathBuf>,
}

impl Vault {
    /// Gives a volume another label. Its image keeps its name.
    pub fn set_label(
        &mut self,
        label: &Label,
        new: &Label,
        order: &Order,
    ) -> Result<Listed, Error> {
        self.change(|_, rows, now| {
            let (key, Listed { mut volume, .. }) = found(rows, label)?;
            if rows.find(new)?.is_some() {
                return Err(Error::LabelTaken { label: new.clone() });
            }
            let words = |label: &Label| Some(label.to_string());
            let change = Change::new(Subject::Label, words(label), words(new), order);
            volume.label = new.clone();
            rows.update(key, &volume)?;
            rows.log(now, Some((key, new)), &change)?;
            Ok(found(rows, new)?.1)
        })
    }

    /// Says what a volume is for. What somebody wants becomes scratch only with a reason.
    pub fn set_category(
        &mut self,
        label: &Label,
        category: Category,
        order: &Order,
    ) -> Result<Listed, Error> {
        self.change_volume(label, |volume, _, _| {
            let change = volume.category.become_category(category, order)?;
            if category == Category::Scratch {
                expect_reason(order)?;
            }
            volume.category = category;
            Ok(vec![change])
        })
    }

    /// Says whether a volume may be used, and why not.
    pub fn set_availability(
        &mut self,
        label: &Label,
        availability: Availability,
        order: &Order,
    ) -> Result<Listed, Error> {
        expect_reason(order)?;
        self.change_volume(label, |volume, _, now| {
            let change = volume
                .availability
                .become_availability(availability, order)?;
            volume.availability = availability;
            volume.block = match availability {
                Availability::Ok => None,
                Availability::NoAccess
                | Availability::NotAllowed
                | Availability::AtVendor
                | Availability::Lost => Some(Block {
                    by: order.actor.clone(),
                    reason: order.reason.clone(),
                    since_ms: now,
                }),
            };
            Ok(vec![change])
        })
    }

    /// Says what is known of a tape file.
    pub fn set_file_state(
        &mut self,
        label: &Label,
        number: u64,
        state: FileState,
        order: &Order,
    ) -> Result<Listed, Error> {
        expect_reason(order)?;
        self.change_volume(label, |volume, files, _| {
            let file = file_of(&volume.label, files, number)?;
            let change = file.state.become_state(state, number, order)?;
            file.state = state;
            Ok(vec![change])
        })
    }

    /// Reads a tape file that is bad or missing again, from its medium. It is `ok` when it can be read, and has the
    /// digest that the catalog has of it.
    pub fn reread(&mut self, label: &Label, number: u64) -> Result<Listed, Error> {
        let volume = self.volume(label)?.volume;
        let mut files = self.files(label)?;
        let known = file_of(label, &mut files, number)?.clone();
        let image = self.image_of(&volume).ok_or_else(|| Error::NoImage {
            label: label.clone(),
        })?;
        let read = read_file(&image, number, known.first_object)?;
        let refused = |why: String| Error::NotGood {
            label: label.clone(),
            number,
            why,
        };
        if read.state.is_faulty() {
            return Err(refused("it still can't be read".to_owned()));
        }
        if let (Some(known), Some(read)) = (known.digest, read.digest)
            && known != read
        {
            return Err(refused(format!("its digest is {read}, and was {known}")));
        }
        if read.blocks == 0 && known.state == FileState::Missing {
            return Err(refused("nothing is recorded there".to_owned()));
        }
        let order = Order::system("it was read again");
        self.change_volume(label, |volume, files, _| {
            let file = file_of(&volume.label, files, number)?;
            if *file != known {
                return Err(refused("it was changed meanwhile: try again".to_owned()));
            }
            let change = file.state.become_state(FileState::Ok, number, &order)?;
            *file = read;
            Ok(vec![change])
        })
    }

    /// Says that a drive has a volume now. Returns what was in the catalog of it, and where its image is.
    pub fn open_volume(
        &mut self,
        label: &Label,
        access: Access,
        order: &Order,
    ) -> Result<(Listed, PathBuf), Error> {
        may_serve(self.pending_recovery()?)?;
        let listed = self.change_volume(label, |volume, _, _| {
            may_load(volume, access)?;
            if volume.image.is_none() {
                return Err(Error::NoImage {
                    label: volume.label.clone(),
                });
            }
            Ok(match access {
                // What is only read stays as the catalog knows it.
                Access::ReadOnly => Vec::new(),
                Access::ReadWrite => {
                    let change = volume.opening.become_opening(Opening::Open, order)?;
                    volume.opening = Opening::Open;
                    vec![change]
                }
            })
        })?;
        let image = self.image_of(&listed.volume);
        let image = image.ok_or_else(|| Error::NoImage {
            label: label.clone(),
        })?;
        Ok((listed, image))
    }

    /// Says that no drive has a volume any more, and what is on it now.
    pub fn close_volume(
        &mut self,
        label: &Label,
        contents: &Contents,
        order: &Order,
    ) -> Result<Listed, Error> {
        self.change_volume(label, |volume, files, now| {
            if volume.opening == Opening::Closed {
                volume.opening.become_opening(Opening::Closed, order)?;
            }
            record(volume, files, contents, u64::MAX, now, order)
        })
    }

    /// Blocks a volume of which tape files were found bad, and writes that down of them, in one change.
    pub fn mark_found(
        &mut self,
        label: &Label,
        bad: &[u64],
        reason: &str,
    ) -> Result<Listed, Error> {
        let order = Order::system(reason);
        self.change_volume(label, |volume, files, now| {
            let mut changes = Vec::new();
            for number in bad {
                let file = file_of(&volume.label, files, *number)?;
                if file.state == FileState::Ok {
                    changes.push(file.state.become_state(FileState::Bad, *number, &order)?);
                    file.state = FileState::Bad;
                }
            }
            if volume.availability == Availability::Ok {
                let to = Availability::NoAccess;
                changes.push(volume.availability.become_availability(to, &order)?);
                volume.availability = to;
                volume.block = Some(Block {
                    by: order.actor.clone(),
                    reason: reason.to_owned(),
                    since_ms: now,
                });
            }
            Ok(changes)
        })
    }

    /// Removes a volume from the vault, and deletes its image.
    ///
    /// | condition | result | after |
    /// |---|---|---|
    /// | it is free to go | `Ok` | no volume, no image; its events stay |
    /// | the last copy of what somebody wants is on it | `Refused` | as before |
    /// | a drive has its image | `InUse` | as before |
    /// | killed, or the image can't be deleted | – | as before; or no volume, and an image that `inspect` finds |
    pub fn remove(
        &mut self,
        label: &Label,
        last_copy: LastCopy,
        order: &Order,
    ) -> Result<Removed, Error> {
        let removed = self.change(|place, rows, now| {
            let (key, listed) = found(rows, label)?;
            may_remove(&listed, &rows.files(key)?, &rows.copies(key)?, last_copy)?;
            let volume = listed.volume;
            let image = volume.image.as_ref().map(|name| place.images.join(name));
            if let Some(path) = &image
                && let Ok((viewed, _)) = Image::view(path)
            {
                expect_known(&volume, path, &viewed, last_copy)?;
            }
            rows.log_removal(now, key, &volume, order)?;
            rows.delete(key)?;
            Ok(Removed { volume, image })
        })?;
        // First nobody knows of the image, then it goes: an image that nobody knows of is found, a lost one is lost.
        let Some(path) = removed.image else {
            return Ok(removed);
        };
        match fs::remove_file(&path) {
            Ok(()) => Ok(Removed {
                image: Some(path),
                ..removed
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Removed {
                image: None,
                ..removed
            }),
            Err(error) => Err(Error::host(
                "delete (the volume has left the vault)",
                path,
                error,
            )),
        }
    }
}

/// Whether the catalog knows what would be deleted with an image.
fn expect_known(
    volume: &Volume,
    path: &Path,
    viewed: &Image<View>,
    last_copy: LastCopy,
) -> Result<(), Error> {
    let (label, image) = (volume.label.clone(), path.to_owned());
    let found = viewed.header().volume;
    if viewed.is_in_use() {
        return Err(Error::InUse { path: image });
    }
    if found != volume.identity {
        let found = found.to_string();
        return Err(Error::OtherImage {
            label,
            image,
            found,
        });
    }
    let is_current = volume.image_generation == Some(viewed.generation());
    match last_copy {
        LastCopy::Kept if !is_current => {
            Err(Error::other_generation(volume, image, viewed.generation()))
        }
        LastCopy::Kept | LastCopy::MayGo => Ok(()),
    }
}

pub(super) fn file_of<'a>(
    label: &Label,
    files: &'a mut [TapeFile],
    number: u64,
) -> Result<&'a mut TapeFile, Error> {
    let count = files.len() as u64;
    let mut all = files.iter_mut();
    all.find(|file| file.number == number)
        .ok_or_else(|| Error::NoFile {
            label: label.clone(),
            number,
            count,
        })
}
