//! Notes about files. They stand in the directory: capsules are never changed.

use super::Root;
use crate::entry::{Entry, MAX_WORDS};
use crate::error::Error;
use crate::title::{Title, VolumeName};

/// Notes something about a file, in the place of what was noted before; nothing takes the note away.
pub fn annotate(
    root: &Root,
    name: &VolumeName,
    title: &Title,
    note: Option<String>,
) -> Result<Entry, Error> {
    if let Some(note) = &note {
        check_note(note)?;
    }
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

/// Whether a text can be a note: one line, without what a terminal would obey.
pub fn check_note(note: &str) -> Result<(), Error> {
    let why = match note.chars().count() {
        _ if note.contains(char::is_control) => {
            "a note is one line, without control characters".to_owned()
        }
        0 => "a note has words in it; --remove takes one away".to_owned(),
        1..=MAX_WORDS => return Ok(()),
        length => format!("it has {length} characters, and a note has at most {MAX_WORDS}"),
    };
    Err(Error::Note(why))
}
