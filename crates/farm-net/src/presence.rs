//! Which sessions a farm has: a file for each, with whom it serves, so that a busy volume can name who holds it.

use std::fs;
use std::path::{Path, PathBuf};

use pseudotape_farm::Holder;
use pseudotape_human::printable;

use crate::access::Person;

/// The folder in the root with a file for each session: a name that no volume has.
const SESSIONS_NAME: &str = ".sessions";

/// The file of this session, which goes with it.
pub(crate) struct Presence(Option<PathBuf>);

impl Presence {
    /// Says who is served. A root that can't be written has no such files, and no volume that is changed either.
    pub(crate) fn begin(root: &Path, person: &Person) -> Self {
        let folder = root.join(SESSIONS_NAME);
        let path = folder.join(std::process::id().to_string());
        // It is there, or the file can't be made either.
        fs::create_dir(&folder).ok();
        match fs::write(&path, person.to_string()) {
            Ok(()) => Presence(Some(path)),
            Err(error) => {
                log::debug!("{}: {error}", path.display());
                Presence(None)
            }
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if let Some(path) = &self.0
            && let Err(error) = fs::remove_file(path)
        {
            log::debug!("{}: {error}", path.display());
        }
    }
}

/// Who holds a volume, in words: whom the session serves where it is one, else the process.
pub(crate) fn who(root: &Path, holder: Option<&Holder>) -> String {
    let Some(holder) = holder else {
        return "another command".to_owned();
    };
    let file = root.join(SESSIONS_NAME).join(holder.process.to_string());
    // A file that a killed session left says nothing of a later process with its number.
    let is_session = holder.program.starts_with("pseudotape-farm");
    let person = is_session.then(|| fs::read_to_string(file).ok()).flatten();
    let person = person.and_then(|text| text.parse::<Person>().ok());
    match person {
        Some(person) => format!(
            "{} (process {} on the farm's host)",
            printable(&person.to_string()),
            holder.process
        ),
        None => format!("{holder} on the farm's host"),
    }
}
