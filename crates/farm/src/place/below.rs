//! What lies in the folders of a structured volume.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{MutexGuard, PoisonError};

use rustix::fs::{AtFlags, Dir, FileType, Mode, mkdirat, openat, statat, syncfs, unlinkat};
use rustix::io::Errno;

use super::{FOLDER, Making, NEW_FOLDER, Place, sync_names};
use crate::capsule::capsule_number;
use crate::error::{Error, Fault};
use crate::names::{DIRECTORY_NAME, LOST_AND_FOUND};
use crate::structure::{Structure, folder_of, last_of};
use crate::title::Title;

/// Of so many folders each is put on stable storage alone; of more the whole file system is.
const ONE_BY_ONE: usize = 8;

/// A folder of a volume, or the one that is held open.
pub(super) enum Within<'a> {
    Top(BorrowedFd<'a>),
    Below(OwnedFd),
}

impl AsFd for Within<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Within::Top(folder) => *folder,
            Within::Below(folder) => folder.as_fd(),
        }
    }
}

impl Place {
    /// From now on capsules lie in folders.
    pub(crate) fn structure(&mut self) {
        self.structure = Some(Default::default());
    }

    /// Whether they lie in folders.
    pub(crate) fn is_structured(&self) -> bool {
        self.structure.is_some()
    }

    fn known(&self) -> Option<MutexGuard<'_, Structure>> {
        let structure = self.structure.as_ref()?;
        Some(structure.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Says by its title where a capsule lies.
    pub(crate) fn lies_in(&self, capsule: &str, title: &Title) {
        if let Some(mut known) = self.known() {
            known.put(capsule, folder_of(title));
        }
    }

    /// The folder of a file, from that of the volume on.
    pub(crate) fn folder(&self, name: &str) -> String {
        match self.known() {
            Some(known) => known.folder(name),
            None => Structure::default().folder(name),
        }
    }

    /// Why a capsule that was found here can't be one of the volume: it lies in another folder than its title says,
    /// or another capsule has its number.
    pub(crate) fn misplaced(&self, name: &str, title: &Title) -> Option<Fault> {
        let (folder, last) = self.parts(name);
        let wanted = match self.is_structured() {
            true => folder_of(title),
            false => String::new(),
        };
        if folder == wanted {
            return name.contains('/').then_some(Fault::Twice);
        }
        let own = match wanted.is_empty() {
            true => format!("./{last}"),
            false => format!("{wanted}/{last}"),
        };
        Some(Fault::Misplaced {
            folder,
            wanted,
            is_taken: !matches!(self.open(&own), Err(Fault::Absent)),
        })
    }

    /// The folder of a file, and its name there.
    pub(super) fn parts<'n>(&self, name: &'n str) -> (String, &'n str) {
        (self.folder(name), last_of(name))
    }

    pub(super) fn touch(&self, name: &str) {
        if let Some(mut known) = self.known() {
            let folder = known.folder(name);
            known.touched.insert(folder);
        }
    }

    /// Opens the folder of a file.
    pub(super) fn within<'n>(
        &self,
        name: &'n str,
        making: Making,
    ) -> Result<(Within<'_>, &'n str), Errno> {
        let (folder, last) = self.parts(name);
        Ok((self.descend(&folder, making)?, last))
    }

    /// Component by component: no link leads elsewhere.
    fn descend(&self, folder: &str, making: Making) -> Result<Within<'_>, Errno> {
        let mut within = Within::Top(self.folder.as_fd());
        let mut above = String::new();
        for name in folder.split('/').filter(|name| !name.is_empty()) {
            let opened = match openat(&within, name, FOLDER, Mode::empty()) {
                Err(Errno::NOENT) if making == Making::Folders => {
                    mkdirat(&within, name, NEW_FOLDER)?;
                    if let Some(mut known) = self.known() {
                        known.touched.insert(above.clone());
                    }
                    openat(&within, name, FOLDER, Mode::empty())
                }
                opened => opened,
            };
            within = Within::Below(opened?);
            above = match above.is_empty() {
                true => name.to_owned(),
                false => format!("{above}/{name}"),
            };
        }
        Ok(within)
    }

    /// Puts the names in folders on stable storage that changed.
    pub(super) fn sync_touched(&self) -> io::Result<()> {
        let touched = self
            .known()
            .map(|mut known| std::mem::take(&mut known.touched));
        let touched = touched.unwrap_or_default();
        let below: Vec<String> = touched
            .into_iter()
            .filter(|folder| !folder.is_empty())
            .collect();
        if below.len() > ONE_BY_ONE {
            return Ok(syncfs(&self.folder)?);
        }
        for folder in below {
            match self.descend(&folder, Making::No) {
                Ok(folder) => sync_names(folder)?,
                // With a folder that is gone its names are.
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    /// All files, and all folders, each behind those in which it is.
    fn walk(&self, met: &mut dyn FnMut(&str, &str, FileType)) -> Result<(), Error> {
        self.walk_from("", met)
    }

    /// The same, in a folder of the volume.
    fn walk_from(&self, top: &str, met: &mut dyn FnMut(&str, &str, FileType)) -> Result<(), Error> {
        let failed = |errno: Errno| Error::host("list", &self.path, errno);
        let mut folders = vec![top.to_owned()];
        while let Some(folder) = folders.pop() {
            let within = match self.descend(&folder, Making::No) {
                // A foreign folder, which was none of a capsule's.
                Err(Errno::ACCESS | Errno::NOENT) if !top.is_empty() => continue,
                within => within.map_err(failed)?,
            };
            let mut inner = Vec::new();
            for entry in Dir::read_from(&within).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let Ok(name) = entry.file_name().to_str() else {
                    continue;
                };
                if matches!(name, "." | "..") {
                    continue;
                }
                let kind = match entry.file_type() {
                    FileType::Unknown => {
                        let found = statat(&within, name, AtFlags::SYMLINK_NOFOLLOW);
                        FileType::from_raw_mode(found.map_err(failed)?.st_mode)
                    }
                    kind => kind,
                };
                let is_of_disk = folder.is_empty() && name == LOST_AND_FOUND;
                if kind == FileType::Directory && !is_of_disk {
                    inner.push(match folder.is_empty() {
                        true => name.to_owned(),
                        false => format!("{folder}/{name}"),
                    });
                }
                met(&folder, name, kind);
            }
            folders.extend(inner);
        }
        Ok(())
    }

    /// The names of all files; see [`Place::names`].
    pub(super) fn names_below(&self) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        self.walk(&mut |folder, name, kind| {
            let is_of_disk = folder.is_empty() && name == LOST_AND_FOUND;
            if kind == FileType::Directory && !is_of_disk {
                return;
            }
            if let Some(mut known) = self.known() {
                names.push(known.met(folder, name));
            }
        })?;
        names.sort_unstable();
        Ok(names)
    }

    /// The paths of what is in a folder of a volume that is not structured, where capsules or other volumes are in it;
    /// else the folder.
    pub(super) fn names_in(&self, top: &str) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        self.walk_from(top, &mut |folder, name, kind| {
            let is_file = kind != FileType::Directory;
            if is_file && (capsule_number(name).is_some() || name == DIRECTORY_NAME) {
                names.push(format!("{folder}/{name}"));
            }
        })?;
        if names.is_empty() {
            names.push(top.to_owned());
        }
        Ok(names)
    }

    /// How many capsules there are, wherever they lie.
    pub(crate) fn count_capsules(&self) -> Result<usize, Error> {
        Ok(self.capsules()?.len())
    }

    /// The paths of all capsules, wherever they lie. Another volume in a folder has its own.
    pub(crate) fn capsules(&self) -> Result<Vec<String>, Error> {
        let mut capsules = Vec::new();
        let mut volumes = Vec::new();
        self.walk(&mut |folder, name, _| {
            if capsule_number(name).is_some() {
                capsules.push(match folder.is_empty() {
                    true => format!("./{name}"),
                    false => format!("{folder}/{name}"),
                });
            }
            if name == DIRECTORY_NAME && !folder.is_empty() {
                volumes.push(format!("{folder}/"));
            }
        })?;
        capsules.retain(|path| !volumes.iter().any(|volume| path.starts_with(volume)));
        capsules.sort_unstable();
        Ok(capsules)
    }

    /// Removes the folders of capsules, which have to be empty.
    pub(super) fn remove_folders(&self) -> Result<(), Error> {
        if !self.is_structured() {
            return Ok(());
        }
        let mut folders = Vec::new();
        self.walk(&mut |folder, name, kind| {
            let is_of_disk = folder.is_empty() && name == LOST_AND_FOUND;
            if kind == FileType::Directory && !is_of_disk {
                folders.push((folder.to_owned(), name.to_owned()));
            }
        })?;
        // The innermost ones first.
        for (folder, name) in folders.iter().rev() {
            let within = self.descend(folder, Making::No);
            let removed = within.and_then(|within| unlinkat(within, &name[..], AtFlags::REMOVEDIR));
            let path = self.path.join(folder).join(name);
            removed.map_err(|errno| Error::host("remove", path, errno))?;
        }
        Ok(())
    }
}
