//! The directory that a mount covers. A directory that does not exist is made, and removed at the end. A directory that
//! holds anything is refused. The mount that a killed daemon left is cleared away.
//!
//! While nothing is mounted, a program that writes to `DIR/npmtm0` makes a plain file there, and takes it for a tape.
//! Without the directory the program gets an error. And a mount over such a file would hide the only copy of a backup.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use pseudotape_human::{HumanBytes, counted, printable};

use super::mounts::{MountLine, detach, is_dead};

/// The name of a mount in `/proc/self/mountinfo`, over a directory that was there before …
const SOURCE: &str = "pseudotape";
/// … and over a directory that its daemon made. A daemon that clears away the mount of a killed one learns from this
/// name that the directory goes as well.
const SOURCE_MADE: &str = "pseudotape-made";

/// A directory to mount on. One that was made for the mount is removed when this is dropped, with the parents that
/// were made for it.
#[derive(Debug)]
pub(super) struct MountPoint {
    path: PathBuf,
    /// The directory itself, also when a mount covers it.
    below: File,
    made: bool,
    /// Goes after the directory itself.
    _parents: Parents,
}

/// Directories that were made above the mount's own, the outermost first. Removed when this is dropped.
#[derive(Debug, Default)]
struct Parents(Vec<Parent>);

#[derive(Debug)]
struct Parent {
    path: PathBuf,
    /// Device and inode: another directory of the same name is not ours.
    identity: (u64, u64),
}

impl MountPoint {
    /// Makes the directory, or takes one that is empty. Clears away the mount of a killed daemon.
    ///
    /// `is_node` knows the names that the mount will have.
    pub(super) fn prepare(directory: &Path, is_node: impl Fn(&OsStr) -> bool) -> Result<Self> {
        let left_made = clear_stale(directory)?;
        let mut parents = Parents::default();
        let made = make(directory, &mut parents)? || left_made;
        let path = directory
            .canonicalize()
            .with_context(|| format!("can't find {}", directory.display()))?;
        if is_mounted(&path)? {
            bail!(
                "{0} is already served by another pseudotape-dev: stop it, or choose another directory",
                path.display()
            );
        }
        let below = File::open(&path).with_context(|| format!("can't open {}", path.display()))?;
        let mut point = MountPoint {
            path,
            below,
            made: false,
            _parents: parents,
        };
        point.check_empty(is_node)?;
        point.made = made;
        if !made {
            log::info!(
                "{0} was there before and stays: a program that writes to {0} while no daemon serves it makes a plain \
                 file. A directory that this daemon makes goes with it",
                point.path.display()
            );
        }
        Ok(point)
    }

    /// Its path, without links.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The name that the mount is to have.
    pub(super) fn source(&self) -> &'static str {
        if self.made { SOURCE_MADE } else { SOURCE }
    }

    /// Checks that a mount hides nothing. It is checked again under the mount: a program may have been faster.
    pub(super) fn check_empty(&self, is_node: impl Fn(&OsStr) -> bool) -> Result<()> {
        let entries = self
            .entries()
            .with_context(|| format!("can't look into {}", self.path.display()))?;
        let Some((first, others)) = entries.split_first() else {
            return Ok(());
        };
        let shown = self.path.display();
        // A slave end's node is no place for a backup, but what else would such a file be?
        if let Some((name, bytes)) = entries.iter().find_map(|entry| {
            Some((&entry.name, entry.file_bytes?)).filter(|_| is_node(&entry.name))
        }) {
            let name = printable(&name.to_string_lossy());
            bail!(
                "{shown} is not empty: it holds a plain file {name} of {}. It may be a backup that was written while \
                 no daemon was there, and a mount would hide it. Move it away; once the drive is there, 'dd \
                 if=FILE of={shown}/{name} obs=10240' puts an archive of tar onto the tape",
                HumanBytes(bytes)
            );
        }
        let more = match others.len() {
            0 => String::new(),
            more => format!(" and {} more", counted(more as u64, "name")),
        };
        bail!(
            "{shown} is not empty: it holds {}{more}, which a mount would hide. Choose a directory that is empty, or one \
             that does not exist: the daemon makes it, and takes it away at its end",
            printable(&first.name.to_string_lossy())
        )
    }

    /// The entries of the directory, whether a mount covers it or not, in order of their names.
    fn entries(&self) -> io::Result<Vec<Entry>> {
        let below = format!("/proc/self/fd/{}", self.below.as_raw_fd());
        let mut entries = fs::read_dir(below)?
            .map(|entry| {
                let entry = entry?;
                // An entry that went in the meantime is no file that a mount would hide.
                let metadata = entry.metadata().ok();
                Ok(Entry {
                    name: entry.file_name(),
                    file_bytes: metadata.filter(fs::Metadata::is_file).map(|m| m.len()),
                })
            })
            .collect::<io::Result<Vec<_>>>()?;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// Removes the directory, if it is still the same one and nothing is mounted on it.
    fn remove(&self) -> Result<()> {
        let here = match fs::symlink_metadata(&self.path) {
            Ok(here) => here,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let below = self.below.metadata()?;
        if (here.dev(), here.ino()) != (below.dev(), below.ino()) {
            bail!("something else is there now");
        }
        match fs::remove_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => bail!(
                "something was written into it since the end of the mount: it may be a backup that did not reach the \
                 tape"
            ),
            other => Ok(other?),
        }
    }
}

impl Drop for MountPoint {
    fn drop(&mut self) {
        if !self.made {
            return;
        }
        if let Err(error) = self.remove() {
            let shown = self.path.display();
            log::warn!("can't remove {shown}, which this daemon made: {error:#}");
        }
    }
}

impl Parents {
    /// Makes the parents of a directory that are missing.
    fn make_above(&mut self, directory: &Path) -> io::Result<()> {
        let above: Vec<_> = directory.ancestors().skip(1).collect();
        for path in above.into_iter().rev() {
            // The place of a relative path.
            if path.as_os_str().is_empty() || path.is_dir() {
                continue;
            }
            match fs::create_dir(path) {
                // Somebody else made this parent in the meantime.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    let metadata = fs::metadata(path)?;
                    self.0.push(Parent {
                        path: path.canonicalize()?,
                        identity: (metadata.dev(), metadata.ino()),
                    });
                }
            }
        }
        Ok(())
    }
}

impl Parent {
    /// Removes the directory, if it is still the same one. Says whether it is gone.
    fn remove(&self) -> io::Result<bool> {
        let here = match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            here => here?,
        };
        if (here.dev(), here.ino()) != self.identity {
            return Ok(false);
        }
        match fs::remove_dir(&self.path) {
            // Somebody else uses this directory by now.
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
            removed => removed.map(|()| true),
        }
    }
}

impl Drop for Parents {
    fn drop(&mut self) {
        for parent in self.0.iter().rev() {
            let shown = parent.path.display();
            match parent.remove() {
                Ok(true) => {}
                Ok(false) => {
                    log::info!("{shown}, which this daemon made, stays: it holds something else");
                    return;
                }
                Err(error) => {
                    log::warn!("can't remove {shown}, which this daemon made: {error}");
                    return;
                }
            }
        }
    }
}

/// An entry of the directory.
#[derive(Debug)]
struct Entry {
    name: OsString,
    /// The length of a regular file; `None` for anything else.
    file_bytes: Option<u64>,
}

/// Makes the directory, and those above it; says whether there was none.
fn make(directory: &Path, parents: &mut Parents) -> Result<bool> {
    let failed = || format!("can't make the mount directory {}", directory.display());
    parents.make_above(directory).with_context(failed)?;
    match fs::create_dir(directory) {
        Ok(()) => Ok(true),
        // Also where nothing can be made, on a read-only file system.
        Err(_) if directory.is_dir() => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => bail!(
            "{} is no directory: choose another name for the mount",
            directory.display()
        ),
        Err(error) => Err(error).with_context(failed),
    }
}

/// Clears away mounts of daemons that were killed; says whether such a daemon had made the directory.
fn clear_stale(directory: &Path) -> Result<bool> {
    let mut made = false;
    while is_dead(directory) {
        let path = directory
            .canonicalize()
            .with_context(|| format!("can't find {}", directory.display()))?;
        let source = source_of(&MountLine::all()?, &path);
        let shown = path.display();
        made |= match source.as_deref() {
            Some(SOURCE_MADE) => true,
            Some(SOURCE) => false,
            other => bail!(
                "{shown} is the mount of another program that is dead ({}): 'umount -l {shown}', or for a user \
                 'fusermount3 -u {shown}', clears it away",
                other.unwrap_or("of unknown name")
            ),
        };
        log::warn!(
            "{shown}: the daemon that served this mount has died without its end (killed?): the mount is cleared away"
        );
        detach(&path).with_context(|| {
            format!("can't clear away the mount of a dead daemon: try 'umount -l {shown}'")
        })?;
    }
    Ok(made)
}

/// Whether a daemon of ours serves this directory.
fn is_mounted(directory: &Path) -> Result<bool> {
    Ok(MountLine::all()?
        .iter()
        .any(|line| is_our_mount(line, directory)))
}

/// Whether this is a mount of ours on this directory.
fn is_our_mount(mount: &MountLine, directory: &Path) -> bool {
    mount.point == directory && [SOURCE, SOURCE_MADE].contains(&mount.source.as_str())
}

/// The name of the topmost mount on a directory.
fn source_of(mounts: &[MountLine], directory: &Path) -> Option<String> {
    let mut on_it = mounts.iter().filter(|mount| mount.point == directory);
    Some(on_it.next_back()?.source.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_node(name: &OsStr) -> bool {
        name == "npmtm0"
    }

    fn refusal(directory: &Path) -> String {
        format!("{:#}", MountPoint::prepare(directory, is_node).unwrap_err())
    }

    #[test]
    fn our_mounts_are_known_by_place_and_source() {
        let line = "36 25 0:31 / /mnt/my\\040tapes rw,nosuid shared:5 - fuse.pseudotape pseudotape rw,user_id=0";
        let is_ours = |line: &str, directory: &str| {
            let mount = MountLine::read(line).expect("a line of mountinfo");
            is_our_mount(&mount, Path::new(directory))
        };
        assert!(is_ours(line, "/mnt/my tapes"));
        assert!(!is_ours(line, "/mnt/other"));
        let made = line.replace(" pseudotape ", " pseudotape-made ");
        assert!(is_ours(&made, "/mnt/my tapes"));
        let other = line.replace(" pseudotape ", " sshfs ");
        assert!(!is_ours(&other, "/mnt/my tapes"));
        let stacked = [&other, &made, &line.replace("tapes", "other")];
        let stacked = stacked.map(|line| MountLine::read(line).expect("a line"));
        let source = source_of(&stacked, Path::new("/mnt/my tapes"));
        assert_eq!(source.as_deref(), Some(SOURCE_MADE));
    }

    #[test]
    fn a_directory_that_was_made_goes_and_one_that_was_there_stays() {
        let scratch = tempfile::tempdir().unwrap();
        let (old, new) = (scratch.path().join("old"), scratch.path().join("above/new"));
        fs::create_dir(&old).unwrap();
        for (directory, source, stays) in [(&old, SOURCE, true), (&new, SOURCE_MADE, false)] {
            let point = MountPoint::prepare(directory, is_node).unwrap();
            assert!(directory.is_dir());
            assert_eq!(point.source(), source);
            drop(point);
            assert_eq!(directory.exists(), stays, "{}", directory.display());
        }
    }

    #[test]
    fn parents_that_were_made_go_unless_others_use_them() {
        let scratch = tempfile::tempdir().unwrap();
        let (a, c) = (scratch.path().join("a"), scratch.path().join("a/b/c"));
        drop(MountPoint::prepare(&c, is_node).unwrap());
        assert!(!a.exists());

        let point = MountPoint::prepare(&c, is_node).unwrap();
        fs::write(a.join("b/note"), "").unwrap();
        drop(point);
        assert!(!c.exists() && a.join("b/note").exists());

        // Another directory of that name is not ours, and one that was there stays.
        fs::remove_file(a.join("b/note")).unwrap();
        fs::remove_dir(a.join("b")).unwrap();
        let point = MountPoint::prepare(&c, is_node).unwrap();
        fs::rename(a.join("b"), scratch.path().join("renamed")).unwrap();
        fs::create_dir(a.join("b")).unwrap();
        drop(point);
        assert!(a.join("b").is_dir());

        // What was made for a mount that is refused goes at once.
        fs::write(a.join("file"), "").unwrap();
        let error = refusal(&scratch.path().join("new/../a/file"));
        assert!(error.contains("is no directory"), "{error}");
        assert!(!scratch.path().join("new").exists());
    }

    #[test]
    fn nothing_that_was_written_into_a_made_directory_is_removed() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path().join("m");
        let point = MountPoint::prepare(&directory, is_node).unwrap();
        fs::write(directory.join("npmtm0"), "a backup").unwrap();
        let error = point.remove().unwrap_err().to_string();
        assert!(error.contains("may be a backup"), "{error}");
        assert!(point.check_empty(is_node).is_err());
        drop(point);
        assert!(directory.join("npmtm0").is_file());

        // Another directory of that name is not ours.
        fs::remove_dir_all(&directory).unwrap();
        let point = MountPoint::prepare(&directory, is_node).unwrap();
        fs::rename(&directory, scratch.path().join("renamed")).unwrap();
        fs::create_dir(&directory).unwrap();
        drop(point);
        assert!(directory.is_dir());
    }

    #[test]
    fn what_a_mount_would_hide_is_named() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path().join("m");
        fs::create_dir_all(directory.join("folder")).unwrap();
        let error = refusal(&directory);
        assert!(error.contains("it holds folder, which"), "{error}");
        fs::write(directory.join("a.ptape"), "").unwrap();
        let error = refusal(&directory);
        assert!(
            error.contains("it holds a.ptape and 1 name more, which a mount would hide"),
            "{error}"
        );
        fs::write(directory.join("npmtm0"), [0; 2048]).unwrap();
        let error = refusal(&directory);
        assert!(error.contains("a plain file npmtm0 of 2.0 KiB"), "{error}");
        assert!(error.contains("may be a backup"), "{error}");
        assert!(error.contains("Move it away"), "{error}");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 3);

        let error = refusal(&directory.join("a.ptape"));
        assert!(error.contains("a.ptape is no directory"), "{error}");
    }
}
