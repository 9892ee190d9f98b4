//! Volumes on their way into drives and back.

use std::path::{Path, PathBuf};

use pseudotape_image::{Access, Image, View, VolumeId};

use super::cloning::block;
use super::taking::{is_one_file, record};
use super::{Vault, changed, found};
use crate::contents::{Contents, Depth, measure, read_contents};
use crate::error::Error;
use crate::event::{Order, Subject};
use crate::label::Label;
use crate::recorded::Recorded;
use crate::rules::{Refusal, is_as_long, may_load, may_serve};
use crate::state::{FileState, Opening};
use crate::volume::{Listed, TapeFile, Volume};
use pseudotape_human::time_words;

/// A volume that a drive may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// What the catalog knows of it.
    pub listed: Listed,
    /// Its tape files.
    pub files: Vec<TapeFile>,
    /// Its image.
    pub image: PathBuf,
    /// It was written past the vault: what is on it is not what the catalog knows. Such a one is only read.
    pub is_unknown: bool,
    /// After so many failed reads it is to be blocked; 0: not because of them.
    pub read_errors: u32,
}

/// How many of the newest events of a volume are looked at for its last opening.
const EVENTS_BACK: u32 = 1000;

/// How often another scratch volume is looked for, where somebody else was given the one that was found.
const SCRATCH_TRIES: u32 = 10;

impl Vault {
    /// Gives a volume to a drive. One that is to be written is open in the catalog from here on.
    ///
    /// | condition | result |
    /// |---|---|
    /// | the rules forbid it, or a drive has it | `Refused`, `HasIt`, `LeftOpen` |
    /// | its image is gone, or is that of another volume | `ImageGone`, `OtherImage` |
    /// | its image is not here, and a stacked volume has it | `Elsewhere` |
    /// | it is to be written, and was written past the vault | `WrittenPast` |
    /// | a program writes its image past the vault | `InUse` |
    ///
    /// Where it fails, nothing has changed.
    pub fn grant(
        &mut self,
        label: &Label,
        access: Access,
        order: &Order,
    ) -> Result<Granted, Error> {
        let is_known = self.expect_loadable(label, access)?;
        let (listed, image) = self.open_volume(label, access, order)?;
        let files = self.files(&listed.volume.label)?;
        Ok(Granted {
            listed,
            files,
            image,
            is_unknown: !is_known,
            read_errors: self.configuration.read_errors,
        })
    }

    /// Whether [`Vault::grant`] would give a volume to a drive. Says whether its image is what the catalog knows.
    pub fn expect_loadable(&self, label: &Label, access: Access) -> Result<bool, Error> {
        may_serve(self.pending_recovery()?)?;
        let volume = self.volume(label)?.volume;
        if let Err(refusal) = may_load(&volume, access) {
            return Err(match refusal {
                Refusal::Open { .. } => self.who_has_it(&volume)?,
                refusal => refusal.into(),
            });
        }
        self.expect_its_image(&volume, access)
            .or_else(|error| self.or_elsewhere(&volume, error))
    }

    /// Gives a drive the scratch volume that was not used for the longest time, to write it: of those that are `ok`,
    /// closed, and have their image on this disk as the catalog knows it. Of two that were last used at the same
    /// time, the first label.
    pub fn grant_scratch(&mut self, order: &Order) -> Result<Granted, Error> {
        may_serve(self.pending_recovery()?)?;
        let mut failed = Error::NoScratch;
        for _ in 0..SCRATCH_TRIES {
            let volumes = self.catalog.rows().scratch_by_age()?;
            let usable = volumes.into_iter().find(|(_, listed)| {
                let expected = self.expect_its_image(&listed.volume, Access::ReadWrite);
                expected.is_ok()
            });
            let Some((_, listed)) = usable else {
                return Err(Error::NoScratch);
            };
            match self.grant(&listed.volume.label, Access::ReadWrite, order) {
                Ok(granted) => return Ok(granted),
                // Somebody was faster.
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// Takes back a volume that no drive took: closed, and as it was.
    pub fn take_back(&mut self, identity: VolumeId, order: &Order) -> Result<(), Error> {
        self.change(|_, rows, now| {
            let Some((key, listed)) = rows.find_identity(identity)? else {
                return Ok(());
            };
            if listed.volume.opening == Opening::Closed {
                return Ok(());
            }
            changed(rows, key, listed.volume, now, |volume, _, _| {
                let change = volume.opening.become_opening(Opening::Closed, order)?;
                volume.opening = Opening::Closed;
                Ok(vec![change])
            })?;
            Ok(())
        })
    }

    /// Says that no drive has a volume any more, and what was recorded on it. `None` where it has left the vault or
    /// was closed already.
    ///
    /// No block is read. Where it is not known how long a tape file is, the frames of its blocks are looked at.
    pub fn close_recorded(
        &mut self,
        identity: VolumeId,
        recorded: &Recorded,
        order: &Order,
    ) -> Result<Option<Listed>, Error> {
        let Some((_, listed)) = self.catalog.rows().find_identity(identity)? else {
            return Ok(None);
        };
        let volume = listed.volume;
        if volume.opening == Opening::Closed {
            return Ok(None);
        }
        let image = self.image_of(&volume).ok_or_else(|| Error::NoImage {
            label: volume.label.clone(),
        })?;
        let view = view_of(&volume, &image)?;
        let known = self.files(&volume.label)?;
        let contents = contents_after(&view, &image, &known, recorded)?;
        drop(view);
        let closed = self.change(|_, rows, now| {
            let (key, listed) = found(rows, &volume.label)?;
            changed(rows, key, listed.volume, now, |volume, files, now| {
                files.retain(|file| file.number < recorded.untouched);
                record(volume, files, &contents, recorded.untouched, now, order)
            })
        })?;
        Ok(Some(closed))
    }

    /// A drive had errors with a volume: it is blocked by the system, where nobody has blocked it yet (EN-02). The
    /// drive keeps it until it is unloaded.
    pub fn block_for_errors(&mut self, identity: VolumeId, reason: &str) -> Result<(), Error> {
        self.change(|_, rows, now| {
            if let Some((key, listed)) = rows.find_identity(identity)? {
                changed(rows, key, listed.volume, now, |volume, _, now| {
                    block(volume, now, reason)
                })?;
            }
            Ok(())
        })
    }

    /// The volumes that are open, by their labels.
    pub fn open_volumes(&self) -> Result<Vec<Listed>, Error> {
        let open = self.catalog.rows().open_ones()?;
        Ok(open.into_iter().map(|(_, listed)| listed).collect())
    }

    /// Why an open volume is not loaded: who has it, or had it when it died.
    pub fn who_has_it(&self, volume: &Volume) -> Result<Error, Error> {
        let events = self.events(Some(&volume.label), EVENTS_BACK)?;
        let open = Some(Opening::Open.word());
        let opened = events.iter().rev().find(|event| {
            event.change.subject == Subject::Opening && event.change.to.as_deref() == open
        });
        let by = opened.map_or_else(
            || "a drive".to_owned(),
            |event| {
                let by = &event.change.order.reason;
                let by = if by.is_empty() { "a drive" } else { by };
                format!("{by} (since {})", time_words(event.at_ms))
            },
        );
        let label = volume.label.clone();
        let image = self.image_of(volume);
        let is_in_use = image
            .as_ref()
            .is_some_and(|image| Image::view(image).is_ok_and(|(image, _)| image.is_in_use()));
        Ok(match (is_in_use, image) {
            (true, _) => Error::HasIt { label, by },
            (false, Some(image)) => Error::LeftOpen { label, by, image },
            (false, None) => Refusal::Open { label }.into(),
        })
    }

    /// The volume whose image a path leads to, whatever the path is called.
    pub fn volume_at(&self, path: &Path) -> Result<Option<Volume>, Error> {
        let Ok((image, _)) = Image::view(path) else {
            // What can't be opened is not loaded either.
            return Ok(None);
        };
        let found = self.catalog.rows().find_identity(image.header().volume)?;
        Ok(found.map(|(_, listed)| listed.volume).filter(|volume| {
            let own = self.image_of(volume);
            // A copy is no volume of the vault.
            own.is_some_and(|own| is_one_file(&own, path))
        }))
    }

    /// An image that is not here is on a stacked volume, where the catalog knows one.
    fn or_elsewhere(&self, volume: &Volume, error: Error) -> Result<bool, Error> {
        if !matches!(error, Error::NoImage { .. } | Error::ImageGone { .. }) {
            return Err(error);
        }
        Err(match self.places_of(volume)? {
            None => error,
            Some(places) => Error::Elsewhere {
                label: volume.label.clone(),
                places,
            },
        })
    }

    /// Says whether its image is what the catalog knows. One that is not can only be read.
    fn expect_its_image(&self, volume: &Volume, access: Access) -> Result<bool, Error> {
        let label = || volume.label.clone();
        let image = self.image_of(volume);
        let image = image.ok_or_else(|| Error::NoImage { label: label() })?;
        let view = view_of(volume, &image)?;
        let bytes = view.end_of_data().payload_bytes_before;
        // A copy that was written on elsewhere can have been written as often as this one.
        let is_current = volume.image_generation == Some(view.generation())
            && (view.missing().is_some()
                || is_as_long(&self.files(&volume.label)?, bytes).unwrap_or(true));
        match access {
            _ if view.is_in_use() => Err(Error::InUse { path: image }),
            Access::ReadWrite if !is_current => {
                Err(Error::other_generation(volume, image, view.generation()))
            }
            Access::ReadWrite | Access::ReadOnly => Ok(is_current),
        }
    }
}

fn view_of(volume: &Volume, path: &Path) -> Result<Image<View>, Error> {
    if !path.exists() {
        return Err(Error::ImageGone {
            label: volume.label.clone(),
            image: path.to_owned(),
        });
    }
    let (view, _) = Image::view(path).map_err(|error| Error::image(path, error))?;
    let found = view.header().volume;
    match found == volume.identity {
        true => Ok(view),
        false => Err(Error::OtherImage {
            label: volume.label.clone(),
            image: path.to_owned(),
            found: found.to_string(),
        }),
    }
}

/// What is on an image after a drive had it.
fn contents_after(
    view: &Image<View>,
    path: &Path,
    known: &[TapeFile],
    recorded: &Recorded,
) -> Result<Contents, Error> {
    let mut contents = Contents {
        identity: view.header().volume,
        generation: view.generation(),
        label: view.label().to_owned(),
        barcode: view.barcode().to_owned(),
        partitions: view.header().partition_count,
        bytes: view.end_of_data().payload_bytes_before,
        files: Vec::new(),
        missing_from: view.missing().map(|missing| missing.from_object),
        end_is_lost: false,
        in_use: false,
    };
    if recorded.unsure {
        let read = read_contents(path, Depth::Frames, &mut |_| {})?;
        contents.files = read.files;
        return Ok(contents);
    }
    let untouched = known
        .iter()
        .filter(|file| file.number < recorded.untouched)
        .map(|file| TapeFile {
            digest: None,
            state: FileState::Ok,
            ..file.clone()
        });
    contents.files.extend(untouched);
    for file in &recorded.files {
        let file = match file.lengths {
            Some((blocks, bytes)) => TapeFile {
                number: file.number,
                first_object: file.first_object,
                blocks,
                bytes,
                digest: file.digest,
                state: FileState::Ok,
            },
            None => measure(path, file.number, file.first_object)?,
        };
        contents.files.push(file);
    }
    Ok(contents)
}
