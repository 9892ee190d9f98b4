//! Notes about files. They stand in the directory: capsules are never changed.

use super::Root;
use crate::entry::Entry;
use crate::error::Error;
use crate::title::{Title, VolumeName};

/// Notes something about a file, in the place of what was noted before; nothing takes the note away.
pub fn annotate(
    root: &Root,
    name: &VolumeName,
    title: &Title,
    note: Option<String>,
) -> Result<Entry, Error> {
    let mut volume = root.open_volume(name)?;
    let entry = volume.chosen_files(std::slice::from_ref(title))?;
    let entry = entry.into_iter().next().ok_or_else(|| Error::NoTitle {
        title: title.clone(),
        volume: name.clone(),
    })?;
    let noted = Entry { note, ..entry };
    volume.directory.put([noted.clone()]);
    volume.write_directory()?;
    Ok(noted)
}
