//! The commands on image files.

pub(crate) mod accept_loss;
mod attributes;
pub(crate) mod create;
pub(crate) mod dump;
pub(crate) mod info;
mod list;
pub(crate) mod ls;
mod picture;
mod reading;
mod through;
pub(crate) mod verify;
pub(crate) mod write_protect;

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail, ensure};
use pseudotape_drive::{FileMedium, Medium};
use pseudotape_human::counted;
use pseudotape_image::{Access, Error, Header, Image, IncompleteCause, OpenReport, View, VolumeId};
use serde::Serialize;

use reading::Reading;

use crate::progress;

/// How often a command looks anew at an image that was written over while the command looked at it.
const LOOKS: u32 = 3;

/// An image file that was opened.
pub(crate) struct Opened {
    pub image: Image<View>,
    pub report: OpenReport,
}

impl Opened {
    /// Opens one partition of a volume to look at it, and changes nothing in it. Where a drive has the volume,
    /// the image shows what was committed.
    pub(crate) fn for_reading(image: &Path, partition: u8) -> anyhow::Result<Self> {
        let (path, first) = partition_of(image, partition)?;
        if let Some(first) = &first {
            let count = first.partition_count;
            ensure!(
                partition < count,
                "{}: no partition {partition} on this volume: it has {}, counted from 0",
                image.display(),
                counted(count.into(), "partition")
            );
        }
        let volume = first.map(|first| first.volume);
        let (bar, watch) = progress::opening(&path);
        let viewed = Image::view_watched(&path, watch);
        bar.finish_and_clear();
        let (image, report) = viewed.map_err(|error| explained(&path, error))?;
        if let Some(volume) = volume {
            expect_partition(&path, image.header(), volume, partition)?;
        }
        Ok(Opened { image, report })
    }

    /// As [`Opened::for_reading`], of a volume that nobody writes: its blocks go to somebody who can't be
    /// told later that they were written over meanwhile.
    pub(crate) fn of_image_at_rest(image: &Path, partition: u8) -> anyhow::Result<Self> {
        let opened = Self::for_reading(image, partition)?;
        if opened.image.is_in_use() {
            let (path, _) = partition_of(image, partition)?;
            return Err(in_use(&Error::InUse { path }));
        }
        Ok(opened)
    }
}

/// Looks at one partition of a volume; again where another process wrote over it meanwhile.
pub(crate) fn look<T>(
    image: &Path,
    partition: u8,
    mut at: impl FnMut(&mut Reading, &OpenReport) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    for _ in 0..LOOKS {
        let Opened { image, report } = Opened::for_reading(image, partition)?;
        let mut reading = Reading::new(image);
        let seen = at(&mut reading, &report);
        if reading.image().is_current() {
            return seen;
        }
    }
    bail!(
        "{}: a program writes over this volume at the moment: look again when it has written its first filemark",
        image.display()
    )
}

/// What a volume says that it misses.
#[derive(Debug, Serialize)]
pub(crate) struct Marked {
    /// The first object that is missing; nothing where the volume is whole.
    pub incomplete_from: Option<u64>,
    /// It was recorded here and lost, and `accept-loss` accepted that.
    data_lost: bool,
}

impl Marked {
    pub(crate) fn on(image: &Image<View>) -> Self {
        let incomplete = image.incomplete();
        Marked {
            incomplete_from: incomplete.map(|incomplete| incomplete.from.0),
            data_lost: incomplete.is_some_and(|incomplete| match incomplete.cause {
                IncompleteCause::Lost => true,
                IncompleteCause::NotCopied => false,
            }),
        }
    }

    /// The first object that was recorded here and lost, where somebody accepted that.
    pub(crate) fn lost_from(&self) -> Option<u64> {
        self.incomplete_from.filter(|_| self.data_lost)
    }

    pub(crate) fn words(&self) -> Option<String> {
        let object = self.incomplete_from?;
        Some(match self.data_lost {
            true => format!(
                "INCOMPLETE: what was recorded here from object {object} on was lost, and 'accept-loss' let the image be \
                 written again"
            ),
            false => format!(
                "INCOMPLETE: its copying was not finished, or a mirror wrote on without it: what it misses begins with \
                 object {object}"
            ),
        })
    }
}

/// What was committed and is not there any more, in words.
pub(crate) fn missing_words(image: &Image<View>) -> Option<String> {
    lost_end(image).map(|lost| format!("INCOMPLETE: {lost}"))
}

/// The first object of what was committed, or may have been, and is not there any more.
pub(crate) fn missing_from(image: &Image<View>) -> Option<u64> {
    let unknown = || image.end_is_unknown().then(|| image.end_of_data().object.0);
    let known = image.missing().map(|missing| missing.from_object);
    known.or_else(unknown)
}

/// Why where the image ends says nothing of where its data ended.
pub(crate) fn lost_end(image: &Image<View>) -> Option<String> {
    let unknown = "its state is damaged and nothing else says where its data end: what was last on it may be missing";
    match image.missing() {
        Some(missing) => Some(missing.to_string()),
        None => image.end_is_unknown().then(|| unknown.to_owned()),
    }
}

/// Whether a drive has the image, in words.
pub(crate) const IN_USE: &str = "in use: shown up to its last commit";

/// The file of a partition; of a later one with what the first says of the volume.
fn partition_of(image: &Path, partition: u8) -> anyhow::Result<(PathBuf, Option<Header>)> {
    let mut medium = FileMedium::new(image, Access::ReadOnly);
    if partition == 0 {
        return Ok((medium.path_of(0), None));
    }
    let header = match medium.open(0) {
        Ok(first) => {
            let header = first.header().map_err(|error| explained(image, error))?;
            // A program that was killed while it made partitions can have left the file under another name.
            medium.settle(&first, &header);
            header
        }
        // Whoever has it has put its files in order.
        Err(Error::InUse { .. }) => Opened::for_reading(image, 0)?.image.header().clone(),
        Err(error) => return Err(explained(image, error)),
    };
    Ok((medium.path_of(partition), Some(header)))
}

/// A file that has a partition's name can have been put there by somebody.
fn expect_partition(
    path: &Path,
    header: &Header,
    volume: VolumeId,
    partition: u8,
) -> anyhow::Result<()> {
    let found = header.partition.0;
    ensure!(
        header.volume == volume && found == partition,
        "{}: this is not partition {partition} of volume {volume}, but partition {found} of volume {}: put back the file \
         of that partition, or look at this one by its own name",
        path.display(),
        header.volume
    );
    Ok(())
}

/// Adds the path where the image crate does not know it, and the way out where this command knows one.
pub(crate) fn explained(path: &Path, error: Error) -> anyhow::Error {
    match error {
        Error::InUse { .. } => in_use(&error),
        _ if error.names_its_file() => error.into(),
        _ => anyhow::Error::from(error).context(path.display().to_string()),
    }
}

pub(crate) fn in_use(error: &Error) -> anyhow::Error {
    anyhow!(
        "{error} ('pseudotape status' shows the drives of the daemon, 'pseudotape unload DRIVE' takes the cartridge out)"
    )
}

/// `None` for a field that is not filled in.
fn existing_words(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}
