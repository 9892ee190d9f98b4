//! Volumes come back from stacked volumes.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::geteuid;
use pseudotape_image::{Access, Image};
use pseudotape_stack::{Description, Met, Subject as Kind, read_archive, skip_file};
use pseudotape_tape::{Drive, make_ready};

use super::stacking::stacking;
use super::{Vault, found};
use crate::error::Error;
use crate::event::{Change, Order, Subject};
use crate::label::Label;
use crate::layout::RECALLING;
use crate::pool::{ArchiveCopy, places};
use crate::rules::{Refusal, may_load, may_serve};
use crate::state::Opening;
use crate::volume::{Listed, Volume};

/// A volume whose image is here again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recalled {
    /// The volume.
    pub listed: Listed,
    /// From where.
    pub copy: ArchiveCopy,
    /// Its image.
    pub image: PathBuf,
}

impl Vault {
    /// Brings the image of a volume back from the stacked volume in a drive. It gets its name when it is whole, has the
    /// digest that the catalog knows, and is on stable storage.
    ///
    /// | condition | result | after |
    /// |---|---|---|
    /// | a copy of its generation is there | `Ok` | its image is in the vault |
    /// | its image is here, or no copy is there | an error | as before |
    /// | the copy is damaged, the disk is full | an error | as before |
    /// | killed | – | as before, with a file that the next recall writes over; or the image |
    pub fn recall(
        &mut self,
        drive: &mut dyn Drive,
        label: &Label,
        order: &Order,
    ) -> Result<Recalled, Error> {
        let listed = self.volume(label)?;
        let volume = &listed.volume;
        if volume.opening == Opening::Open {
            let label = label.clone();
            return Err(Refusal::Open { label }.into());
        }
        let name = volume
            .image
            .clone()
            .unwrap_or_else(|| format!("{}.ptape", volume.identity));
        let image = self.images().join(&name);
        if image.symlink_metadata().is_ok() {
            return Err(self.is_here(label, &image)?);
        }
        let copy = self.copy_in_drive(drive, volume)?;
        for _ in 0..copy.file {
            if !skip_file(drive)? {
                return Err(gone(&copy));
            }
        }
        let making = Making::begin(&self.images(), volume)?;
        let image_generation = match receive(drive, volume, &copy, &making) {
            Ok(image_generation) => image_generation,
            Err(error) => {
                // Nobody misses it; the first error is the one to tell.
                fs::remove_file(&making.path).ok();
                return Err(error);
            }
        };
        // First the catalog knows its name: an image that is not there is recalled again, one that nobody knows is not.
        self.change(|_, rows, _| {
            let (key, listed) = found(rows, label)?;
            let mut volume = listed.volume;
            volume.image = Some(name.clone());
            volume.image_generation = Some(image_generation);
            rows.update(key, &volume)
        })?;
        making.name_it(&self.images(), &image)?;
        let listed = self.change(|_, rows, now| {
            let (key, _) = found(rows, label)?;
            let place = format!("{} file {}", copy.stacked_volume, copy.file);
            let change = Change::new(Subject::Copy, Some(place), Some(name), order);
            rows.log(now, Some((key, label)), &change)?;
            Ok(found(rows, label)?.1)
        })?;
        Ok(Recalled {
            listed,
            copy,
            image,
        })
    }

    /// Where a volume that is to be loaded may be recalled from: as [`Vault::places_of_copies`], and nothing where it
    /// is not to be loaded.
    pub fn places_to_recall(&self, label: &Label, access: Access) -> Result<Vec<String>, Error> {
        may_serve(self.pending_recovery()?)?;
        let volume = self.volume(label)?.volume;
        match may_load(&volume, access) {
            Ok(()) => self.places_of_copies(label),
            Err(_) => Ok(Vec::new()),
        }
    }

    /// Where a volume that is not here may be recalled from: the specifications of images that have a copy of it as it
    /// is, and those of `recall-from`. Those with a copy of before something of it was found bad are first. Nothing
    /// where it is here, or nobody has a copy.
    pub fn places_of_copies(&self, label: &Label) -> Result<Vec<String>, Error> {
        let volume = self.volume(label)?.volume;
        let is_here = self
            .image_of(&volume)
            .is_some_and(|image| image.symlink_metadata().is_ok());
        if is_here {
            return Ok(Vec::new());
        }
        let mut copies = self.copies(label)?;
        copies.retain(|copy| copy.serves(volume.generation));
        if copies.is_empty() {
            return Ok(Vec::new());
        }
        let since = self.faulty_since(label)?;
        copies.sort_by_key(|copy| copy.at_ms >= since);
        let stacked = self.stacked_volumes()?;
        let mut places = Vec::new();
        for copy in copies {
            let on = stacked
                .iter()
                .find(|stacked| stacked.identity == copy.stacked_identity);
            places.extend(on.and_then(|stacked| stacked.place.clone()));
        }
        places.extend(self.configuration.recall_from.iter().cloned());
        let mut seen = HashSet::new();
        places.retain(|place| seen.insert(place.clone()));
        Ok(places)
    }

    /// Why no place had a volume that was to be recalled.
    pub fn why_not_recalled(&self, label: &Label) -> Result<Error, Error> {
        let volume = self.volume(label)?.volume;
        let image = self.image_of(&volume);
        let label = label.clone();
        Ok(match (image, self.places_of(&volume)?) {
            (Some(image), _) if image.symlink_metadata().is_ok() => self.is_here(&label, &image)?,
            (_, Some(places)) => Error::Elsewhere { label, places },
            (Some(image), None) => Error::ImageGone { label, image },
            (None, None) => Error::NoImage { label },
        })
    }

    fn is_here(&self, label: &Label, image: &Path) -> Result<Error, Error> {
        let copies = match self.copies_of_before(label)? {
            Some(places) => format!(" (copies are on {places})"),
            None => String::new(),
        };
        Ok(stacking(format!(
            "{label} is here: {}; move that elsewhere if a copy is to take its place{copies}",
            image.display()
        )))
    }

    /// The copy of a volume that is on the stacked volume in a drive; the tape is at its beginning.
    fn copy_in_drive(
        &mut self,
        drive: &mut dyn Drive,
        volume: &Volume,
    ) -> Result<ArchiveCopy, Error> {
        let mut copies = self.copies(&volume.label)?;
        copies.retain(|copy| copy.generation == volume.generation);
        if copies.is_empty() {
            return Err(stacking(format!(
                "no stacked volume has a copy of generation {} of {}",
                volume.generation, volume.label
            )));
        }
        make_ready(drive)?;
        drive.rewind()?;
        let identity = match read_archive(drive)? {
            Met::Archive(reading) => Some(reading.description().stacked_volume.identity),
            Met::Skipped(_) | Met::EndOfData => None,
        };
        drive.rewind()?;
        let places = places(&copies);
        let here = copies
            .into_iter()
            .find(|copy| Some(copy.stacked_identity) == identity);
        here.ok_or_else(|| {
            stacking(format!(
                "what is in the drive has no copy of {}: put one of these in: {places}",
                volume.label
            ))
        })
    }
}

/// Reads an archive into a file, and brings that to stable storage. Returns the generation that the image has itself.
fn receive(
    drive: &mut dyn Drive,
    volume: &Volume,
    copy: &ArchiveCopy,
    making: &Making,
) -> Result<u64, Error> {
    let mut reading = match read_archive(drive)? {
        Met::Archive(reading) => reading,
        Met::Skipped(_) | Met::EndOfData => return Err(gone(copy)),
    };
    if !is_of(reading.description(), volume, copy) {
        return Err(gone(copy));
    }
    if let Some(digest) = copy.digest {
        reading.expect(pseudotape_stack::Digest(digest.0));
    }
    let path = &making.path;
    let host = |error| Error::host("write", path, error);
    let mut file: &File = &making.file;
    match reading.copy_to(|part| file.write_all(part)) {
        Ok(_) => file.sync_all().map_err(host)?,
        Err(pseudotape_stack::Error::Keeping(error)) => return Err(host(error)),
        Err(error) => return Err(error.into()),
    }
    let (image, _) = Image::view(path).map_err(|error| Error::image(path, error))?;
    match image.header().volume == volume.identity {
        true => Ok(image.generation()),
        false => Err(gone(copy)),
    }
}

pub(super) fn is_of(description: &Description, volume: &Volume, copy: &ArchiveCopy) -> bool {
    let length = description.payload.as_ref().map(|payload| payload.length);
    let same = match &description.subject {
        Kind::Volume { volume: said } => {
            said.identity == volume.identity.0 && said.generation == copy.generation
        }
        Kind::StackedVolume | Kind::Catalog { .. } => false,
    };
    same && length == Some(copy.length)
}

pub(super) fn gone(copy: &ArchiveCopy) -> Error {
    stacking(format!(
        "the copy is not in tape file {} of {}: somebody wrote over it; mark that 'read-only-recovery', and look what is on \
         it",
        copy.file, copy.stacked_volume
    ))
}

/// An image that is being brought back. It is locked, so that no other command takes it for a leftover.
struct Making {
    path: PathBuf,
    file: Flock<File>,
}

impl Making {
    fn begin(images: &Path, volume: &Volume) -> Result<Self, Error> {
        let path = images.join(format!("{RECALLING}{}", volume.identity));
        let busy = || {
            stacking(format!(
                "another command recalls {} at the moment: wait for it",
                volume.label
            ))
        };
        let lock = |file: File| match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(locked) => Ok(locked),
            Err((_, Errno::EWOULDBLOCK)) => Err(busy()),
            Err((_, errno)) => Err(Error::host("lock", &path, errno.into())),
        };
        let host = |error| Error::host("write", &path, error);
        // What a killed command left may have an image's name already: another file takes its place.
        match File::open(&path) {
            Ok(leftover) => {
                let leftover = lock(leftover)?;
                let same = |there: fs::Metadata| {
                    let held = leftover.metadata()?;
                    io::Result::Ok((there.dev(), there.ino()) == (held.dev(), held.ino()))
                };
                if !path.symlink_metadata().and_then(same).map_err(host)? {
                    return Err(busy());
                }
                fs::remove_file(&path).map_err(host)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(host(error)),
        }
        let mut options = OpenOptions::new();
        let made = options.write(true).create_new(true).open(&path);
        let file = match made {
            Ok(file) => lock(file)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(busy()),
            Err(error) => return Err(host(error)),
        };
        // A daemon with a user of its own has to load what root brings back.
        if geteuid().is_root() {
            let owner = images.metadata().map_err(host)?;
            fchown(&*file, Some(owner.uid()), Some(owner.gid())).map_err(host)?;
        }
        Ok(Making { path, file })
    }

    /// Gives an image its name, which nothing else has.
    fn name_it(self, images: &Path, image: &Path) -> Result<(), Error> {
        match fs::hard_link(&self.path, image) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(stacking(format!(
                    "{} came there meanwhile: nothing was put in its place",
                    image.display()
                )));
            }
            Err(error) => return Err(Error::host("make", image, error)),
        }
        fs::remove_file(&self.path).map_err(|error| Error::host("remove", &self.path, error))?;
        let synced = File::open(images).and_then(|folder| folder.sync_all());
        synced.map_err(|error| Error::host("commit", images, error))
    }
}
