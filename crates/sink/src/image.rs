//! Images as sinks: opened, or made where they are not there.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use pseudotape_drive::{
    Cartridge, EarlyWarning, FileMedium, ImageDrive, MakingError, Overrides, Personality,
    default_early_warning_bytes, fresh_volume, make_volume,
};
use pseudotape_image::Access;

use crate::error::Error;
use crate::sink::{ImageSink, Limits};

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
        pseudotape_drive::CartridgeError::Image(error) if error.names_its_file() => {
            Error::Image(error)
        }
        source => Error::Cartridge {
            path: path.clone(),
            source,
        },
    })?;
    let overrides = Overrides {
        capacity_bytes: sink.limits.capacity_bytes,
        early_warning: sink.limits.early_warning_bytes.map(EarlyWarning::Bytes),
        cache: sink.cache,
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
    let mut parameters = fresh_volume(now_ms);
    if let Some(capacity) = limits.capacity_bytes {
        parameters.header.capacity_bytes = Some(capacity);
        parameters.header.early_warning_bytes = limits
            .early_warning_bytes
            .unwrap_or(default_early_warning_bytes(capacity));
    }
    match make_volume(path, &parameters) {
        Ok(()) => Ok(()),
        // The volume is there. Its name is as safe as the directory lets it be.
        Err(MakingError::Name { .. }) => Ok(()),
        Err(
            MakingError::File(error)
            | MakingError::Volume { source: error, .. }
            | MakingError::Leftover { cause: error, .. },
        ) => Err(error),
    }
}
