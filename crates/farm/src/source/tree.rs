//! A file or a folder with all that is in it, in the order of names.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, fstat, openat, statat};

use super::attributes::Owners;
use super::file::OfFolder;
use super::{LeftOut, NotOffered, Offered};
use crate::title::Title;

/// What a walk met.
pub(crate) enum Met {
    /// A file with this title, that [`Tree::open`] opens.
    File(Title, Place),
    /// What is not added.
    LeftOut(LeftOut),
}

/// Where a file is.
pub(crate) struct Place {
    pub(crate) folder: Rc<OwnedFd>,
    pub(crate) name: Vec<u8>,
    pub(crate) path: PathBuf,
    /// Device and number of the file.
    pub(crate) identity: (u64, u64),
}

/// A walk. Symbolic links are met, and not followed.
pub(crate) struct Tree {
    levels: Vec<Level>,
    /// Device and number of the folder that is not entered.
    itself: (u64, u64),
    owners: Owners,
}

struct Level {
    folder: Rc<OwnedFd>,
    path: PathBuf,
    /// Where titles begin; nothing for the folder that was said itself, where that has no name.
    title: Vec<u8>,
    /// In the opposite order.
    names: Vec<Vec<u8>>,
}

impl Tree {
    /// Begins at a path.
    pub(crate) fn of(path: &Path, itself: (u64, u64)) -> Result<Self, LeftOut> {
        let left_out = |why| LeftOut {
            path: path.to_owned(),
            why,
        };
        let failed = |errno: rustix::io::Errno| left_out(NotOffered::host(errno));
        let found = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        let title = Title::of_path(path);
        let level = match (FileType::from_raw_mode(found.st_mode), path.file_name()) {
            (FileType::Directory, _) => {
                let folder = open_folder(CWD, path.as_os_str().as_bytes()).map_err(left_out)?;
                let found = fstat(&folder).map_err(failed)?;
                if (found.st_dev, found.st_ino) == itself {
                    return Err(left_out(NotOffered::Itself));
                }
                Level::of(
                    folder,
                    path,
                    title.map_or_else(Vec::new, |title| title.bytes().to_vec()),
                )
                .map_err(left_out)?
            }
            (_, Some(name)) => {
                let parent = match path.parent() {
                    Some(parent) if !parent.as_os_str().is_empty() => parent,
                    _ => Path::new("."),
                };
                let how = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let folder = openat(CWD, parent, how, Mode::empty()).map_err(failed)?;
                let title = title.ok_or_else(|| left_out(NotOffered::LongPath))?;
                let at = title.bytes().len() - name.len();
                let before = title
                    .bytes()
                    .get(..at.saturating_sub(1))
                    .unwrap_or_default();
                Level {
                    folder: Rc::new(folder),
                    path: path.parent().unwrap_or(Path::new("")).to_owned(),
                    title: before.to_vec(),
                    names: vec![name.as_bytes().to_vec()],
                }
            }
            (_, None) => return Err(left_out(NotOffered::Kind("no file"))),
        };
        Ok(Tree {
            levels: vec![level],
            itself,
            owners: Owners::default(),
        })
    }

    /// Goes on to the next file.
    pub(crate) fn next(&mut self) -> Option<Met> {
        loop {
            let level = self.levels.last_mut()?;
            let Some(name) = level.names.pop() else {
                self.levels.pop();
                continue;
            };
            let path = level.path.join(OsStr::from_bytes(&name));
            let title = match level.title.is_empty() {
                true => name.clone(),
                false => [&level.title[..], b"/", &name].concat(),
            };
            let folder = Rc::clone(&level.folder);
            let left_out = |why| {
                Some(Met::LeftOut(LeftOut {
                    path: path.clone(),
                    why,
                }))
            };
            let found = match statat(&folder, &name[..], AtFlags::SYMLINK_NOFOLLOW) {
                Ok(found) => found,
                Err(errno) => return left_out(NotOffered::host(errno)),
            };
            if FileType::from_raw_mode(found.st_mode) == FileType::Directory {
                match self.enter(&folder, &name, &path, title) {
                    Ok(()) => continue,
                    Err(why) => return left_out(why),
                }
            }
            let Some(title) = Title::new(&title) else {
                return left_out(NotOffered::LongPath);
            };
            let identity = (found.st_dev, found.st_ino);
            return Some(Met::File(
                title,
                Place {
                    folder,
                    name,
                    path,
                    identity,
                },
            ));
        }
    }

    fn enter(
        &mut self,
        folder: &Rc<OwnedFd>,
        name: &[u8],
        path: &Path,
        title: Vec<u8>,
    ) -> Result<(), NotOffered> {
        let inner = open_folder(folder.as_fd(), name)?;
        let found = fstat(&inner).map_err(NotOffered::host)?;
        if (found.st_dev, found.st_ino) == self.itself {
            return Err(NotOffered::Itself);
        }
        self.levels.push(Level::of(inner, path, title)?);
        Ok(())
    }

    /// Opens a file that was met.
    pub(crate) fn open(
        &mut self,
        title: Title,
        place: &Place,
    ) -> Result<Box<dyn Offered>, LeftOut> {
        let opened = OfFolder::open(&place.folder, &place.name, title, &mut self.owners);
        match opened {
            Ok(file) => Ok(Box::new(file)),
            Err(why) => Err(LeftOut {
                path: place.path.clone(),
                why,
            }),
        }
    }
}

impl Level {
    fn of(folder: OwnedFd, path: &Path, title: Vec<u8>) -> Result<Self, NotOffered> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&folder).map_err(NotOffered::host)? {
            let name = entry
                .map_err(NotOffered::host)?
                .file_name()
                .to_bytes()
                .to_vec();
            if !matches!(&name[..], b"." | b"..") {
                names.push(name);
            }
        }
        names.sort_unstable_by(|one, other| other.cmp(one));
        Ok(Level {
            folder: Rc::new(folder),
            path: path.to_owned(),
            title,
            names,
        })
    }
}

fn open_folder(at: impl AsFd, name: &[u8]) -> Result<OwnedFd, NotOffered> {
    let how = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(at, name, how, Mode::empty()).map_err(NotOffered::host)
}
