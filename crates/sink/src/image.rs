//! Images as sinks: opened, or made where they are not there.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use pseudotape_drive::{Cartridge, EarlyWarning, FileMedium, ImageDrive, Overrides, Personality};
use pseudotape_image::{Access, CreateParameters, FileStore, Image, VolumeId};
use uuid::Uuid;

use crate::error::Error;
use crate::sink::{ImageSink, Limits};

/// Early warning of a new image with a capacity, where nobody says it …
const EARLY_WARNING_BYTES: u64 = 64 << 20;
/// … but no more than this part of the capacity.
const EARLY_WARNING_PART: u64 = 16;

/// A drive that takes everything that an image can hold: what it stores was taken by another drive before.
fn personality(cartridge: &Cartridge<FileMedium>) -> Personality {
    Personality {
        name: "sink",
        limits: cartridge.header().block_limits,
        setmarks: true,
        announces_medium: false,
        ..Personality::default()
    }
}

pub(crate) fn open(sink: &ImageSink, access: Access) -> Result<ImageDrive<FileMedium>, Error> {
    let path = &sink.path;
    if !path.exists() {
        if !(sink.create && access == Access::ReadWrite) {
            return Err(Error::Missing { path: path.clone() });
        }
        make(path, sink.limits).map_err(|source| Error::Making {
            path: path.clone(),
            source,
        })?;
    }
    let opened = Cartridge::open(FileMedium::new(path, access));
    let (cartridge, _) = opened.map_err(|source| match source {
        // These name the file themselves.
        pseudotape_drive::CartridgeError::Image(
            error @ (pseudotape_image::Error::InUse { .. }
            | pseudotape_image::Error::Unopenable { .. }),
        ) => Error::Image(error),
        source => Error::Cartridge {
            path: path.clone(),
            source,
        },
    })?;
    let overrides = Overrides {
        capacity_bytes: sink.limits.capacity_bytes,
        early_warning: sink.limits.early_warning_bytes.map(EarlyWarning::Bytes),
    };
    let serial = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut drive = ImageDrive::new(personality(&cartridge), serial.into_owned(), overrides);
    let inserted = drive.insert(cartridge).is_ok();
    assert!(inserted, "a new drive is empty");
    Ok(drive)
}

/// Makes the file; an existing one is left alone, and none is left behind where it fails.
fn make(path: &Path, limits: Limits) -> Result<(), pseudotape_image::Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now_ms = now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
    let mut parameters = CreateParameters::new(VolumeId(Uuid::now_v7()), now_ms);
    if let Some(capacity) = limits.capacity_bytes {
        parameters.header.capacity_bytes = Some(capacity);
        parameters.header.early_warning_bytes = limits
            .early_warning_bytes
            .unwrap_or(EARLY_WARNING_BYTES.min(capacity / EARLY_WARNING_PART));
    }
    let store = FileStore::create(path)?;
    let made = Image::create(store, &parameters).and_then(Image::finish);
    if let Err(error) = made {
        // The first error is the one to tell.
        drop(fs::remove_file(path));
        return Err(error);
    }
    commit_name(path);
    Ok(())
}

/// Commits the directory, so that a power failure can't take a new file's name. Some file systems refuse
/// that, and then names are as safe as they make them.
fn commit_name(path: &Path) {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let directory = fs::File::open(parent.unwrap_or(Path::new(".")));
    drop(directory.and_then(|directory| directory.sync_all()));
}
