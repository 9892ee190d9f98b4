//! No image is in two places: neither in two legs, nor in a leg and in a drive.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use pseudotape_bay::place_named;
use pseudotape_sink::Sink;

use super::{DriveConfig, HeldConfig};

/// Checks the images that drives and legs name.
pub(super) fn check(drives: &[DriveConfig]) -> Result<()> {
    let mut named: Vec<(String, bool, PathBuf)> = Vec::new();
    for (number, drive) in drives.iter().enumerate() {
        match &drive.held {
            HeldConfig::Image(image) => {
                let text = image.image.as_deref().and_then(Path::to_str);
                let sink = text.and_then(|text| place_named(text).ok());
                if let Some(path) = sink.as_ref().and_then(Sink::image_path) {
                    named.push((format!("drive {number}"), false, real(path)));
                }
            }
            HeldConfig::Legs(legs) => {
                for leg in &legs.legs {
                    if let Some(path) = leg.sink.as_ref().and_then(Sink::image_path) {
                        let place = format!("drive {number}, leg {}", leg.options.name);
                        named.push((place, true, real(path)));
                    }
                }
            }
            HeldConfig::Slave(_) => {}
        }
    }
    for (at, (place, is_leg, path)) in named.iter().enumerate() {
        let same = named
            .iter()
            .take(at)
            .find(|(_, other_is_leg, other)| (*is_leg || *other_is_leg) && other == path);
        if let Some((other, _, _)) = same {
            bail!(
                "{place}: {} is in {other} already: each copy needs an image of its own",
                path.display()
            );
        }
    }
    Ok(())
}

/// Where a path leads, as far as it is there. An image that is made at the start is not there yet.
fn real(path: &Path) -> PathBuf {
    let there = std::fs::canonicalize(path).ok();
    let made = || {
        let folder = std::fs::canonicalize(path.parent()?).ok()?;
        Some(folder.join(path.file_name()?))
    };
    there.or_else(made).unwrap_or_else(|| path.to_owned())
}
