//! The commands on image files.

pub(crate) mod create;
pub(crate) mod dump;
pub(crate) mod info;
mod list;
pub(crate) mod ls;
mod reading;
pub(crate) mod verify;
pub(crate) mod write_protect;

use std::path::{Path, PathBuf};

use anyhow::{anyhow, ensure};
use pseudotape_drive::FileMedium;
use pseudotape_human::counted;
use pseudotape_image::{Access, Error, FileStore, Image, OpenReport};

/// An image file that was opened.
pub(crate) struct Opened {
    pub image: Image<FileStore>,
    pub report: OpenReport,
}

impl Opened {
    /// Opens one partition of a volume that nobody writes at the moment, and changes nothing in it.
    pub(crate) fn for_reading(image: &Path, partition: u8) -> anyhow::Result<Self> {
        let path = partition_path(image, partition);
        if partition > 0 && !path.exists() {
            let count = Self::for_reading(image, 0)?.image.header().partition_count;
            ensure!(
                partition < count,
                "{}: no partition {partition} on this volume: it has {}, counted from 0",
                image.display(),
                counted(count.into(), "partition")
            );
        }
        let opened = FileStore::open(&path, Access::ReadOnly)
            .and_then(|store| Image::open(store, Access::ReadOnly));
        match opened {
            Ok((image, report)) => Ok(Opened { image, report }),
            Err(error) => Err(explained(&path, error)),
        }
    }
}

fn partition_path(image: &Path, partition: u8) -> PathBuf {
    FileMedium::new(image, Access::ReadOnly).path_of(partition)
}

/// Adds the path where the image crate does not know it, and the way out where this command knows one.
pub(crate) fn explained(path: &Path, error: Error) -> anyhow::Error {
    match error {
        Error::InUse { .. } => in_use(&error),
        Error::Unopenable { .. } => error.into(),
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
