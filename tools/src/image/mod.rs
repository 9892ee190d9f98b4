//! The commands on image files.

pub(crate) mod create;
pub(crate) mod dump;
pub(crate) mod info;
mod list;
pub(crate) mod ls;
mod reading;
pub(crate) mod verify;
pub(crate) mod write_protect;

use std::path::Path;

use pseudotape_image::{Access, Error, FileStore, Image, OpenReport};

/// An image file that was opened.
pub(crate) struct Opened {
    pub image: Image<FileStore>,
    pub report: OpenReport,
}

impl Opened {
    /// Opens an image that nobody writes at the moment, and changes nothing in it.
    pub(crate) fn for_reading(path: &Path) -> anyhow::Result<Self> {
        Self::with(path, Access::ReadOnly)
    }

    pub(crate) fn with(path: &Path, access: Access) -> anyhow::Result<Self> {
        let opened = FileStore::open(path, access).and_then(|store| Image::open(store, access));
        match opened {
            Ok((image, report)) => Ok(Opened { image, report }),
            Err(error) => Err(explained(path, error)),
        }
    }
}

/// Adds the path where the image crate does not know it, and the way out where this command knows one.
fn explained(path: &Path, error: Error) -> anyhow::Error {
    match error {
        Error::InUse { .. } => anyhow::anyhow!(
            "{error} ('pseudotape status' shows the drives of the daemon, 'pseudotape unload DRIVE' takes the cartridge out)"
        ),
        Error::Unopenable { .. } => error.into(),
        _ => anyhow::Error::from(error).context(path.display().to_string()),
    }
}

/// `None` for a field that is not filled in.
fn existing_words(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}
