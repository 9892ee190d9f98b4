//! The directory as it is at this moment: another command can replace it while this one reads files.

use std::borrow::Cow;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, PoisonError};

use super::{Volume, is_temporary, listed::read_directory};
use crate::capsule::{Opened, capsule_number};
use crate::entry::Entry;
use crate::error::{Error, Fault};
use crate::holder::{self, Holder};
use crate::names::DIRECTORY_NAME;
use crate::structure::last_of;

/// So often a file that is replaced again and again is looked for anew.
const TRIES: usize = 16;

/// Names in the folder of a volume.
pub(super) struct Settled {
    pub(super) names: Vec<String>,
    /// A command changes the volume, and what it has not finished is not among the names. Who, where that is known.
    pub(super) changing: Option<Option<Holder>>,
}

impl Volume {
    /// Opens the capsule of a file. Where another command has replaced the file since the directory was read, and the
    /// capsule is gone for that, it is that of the file in its place, which comes with it. CW-64.
    pub(crate) fn open_current<'e>(
        &self,
        entry: &'e Entry,
    ) -> Result<(Cow<'e, Entry>, Opened), Fault> {
        let mut entry = Cow::Borrowed(entry);
        let mut opened = self.open_capsule(&entry);
        for _ in 0..TRIES {
            if !matches!(opened, Err(Fault::Absent)) {
                break;
            }
            let Some(latest) = self.renewed() else {
                break;
            };
            let Some(now) = latest.directory.find(&entry.title) else {
                break;
            };
            // Also the same one: by the directory of now its folder is known.
            opened = latest.open_capsule(now);
            let is_same = now.capsule == entry.capsule;
            entry = Cow::Owned(now.clone());
            if is_same {
                break;
            }
        }
        Ok((entry, opened?))
    }

    /// The volume by the directory that is there now; `None` where that can't be read.
    fn renewed(&self) -> Option<Arc<Volume>> {
        let found = self.place.open(DIRECTORY_NAME).ok()?.metadata().ok()?;
        let seen = (found.ino(), found.ctime(), found.ctime_nsec());
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, volume)) = &*latest
            && *of == seen
        {
            return Some(Arc::clone(volume));
        }
        let place = self.place.again().ok()?;
        let directory = read_directory(&place, &self.name).ok()??;
        let volume = Arc::new(Volume::of(&self.name, place, directory));
        *latest = Some((seen, Arc::clone(&volume)));
        Some(volume)
    }

    /// The names without what a command that is at work has not finished: its temporary files, and capsules that are
    /// not in the directory yet. Nothing is wrong with those.
    pub(super) fn settled(&self, names: Vec<String>) -> Result<Settled, Error> {
        let is_open = |volume: &Volume, name: &str| match capsule_number(last_of(name)) {
            Some(number) => !volume.directory.has(number),
            None => is_temporary(name),
        };
        let mut settled = Settled {
            names,
            changing: None,
        };
        if !settled.names.iter().any(|name| is_open(self, name)) {
            return Ok(settled);
        }
        if self.place.is_locked()? {
            settled.names.retain(|name| !is_open(self, name));
            settled.changing = Some(holder::of_lock(self.place.identity()?));
            return Ok(settled);
        }
        // It may have ended since the names were listed.
        let latest = self.renewed();
        settled.names.retain(|name| {
            let is_listed = latest.as_ref().is_some_and(|latest| !is_open(latest, name));
            !is_open(self, name)
                || !is_listed && !matches!(self.place.open(name), Err(Fault::Absent))
        });
        Ok(settled)
    }
}
