//! The directory that a mount covers: made where there was none and taken away at the end, refused where it holds
//! anything, and freed of what a killed daemon left.
//!
//! While nothing is mounted, a program that writes to `DIR/npmtm0` makes a plain file there, and takes it for a tape.
//! Without the directory it can't. And a mount over such a file would hide the only copy of a backup.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};
use pseudotape_human::{HumanBytes, counted, printable};

/// What a mount calls itself in `/proc/self/mountinfo`, over a directory that was there before …
const SOURCE: &str = "pseudotape";
/// … and over one that its daemon made: whoever clears away the mount of a killed daemon learns from it that the
/// directory goes as well.
const SOURCE_MADE: &str = "pseudotape-made";

/// Programs that unmount for ordinary users, in their path or beside it.
const HELPERS: [&str; 4] = [
    "fusermount3",
    "fusermount",
    "/bin/fusermount3",
    "/bin/fusermount",
];
/// What names another one, as for mounting (`fuser`).
const HELPER_NAME: &str = "FUSERMOUNT_PATH";

/// A directory to mount on. One that was made for the mount is removed when this is dropped.
#[derive(Debug)]
pub(super) struct MountPoint {
    path: PathBuf,
    /// The directory itself, also when a mount covers it.
    below: File,
    made: bool,
}

impl MountPoint {
    /// Makes the directory, or takes one that is empty. Clears away the mount of a killed daemon.
    ///
    /// `is_node` knows the names that the mount will have.
    pub(super) fn prepare(directory: &Path, is_node: impl Fn(&OsStr) -> bool) -> Result<Self> {
        let left_made = clear_stale(directory)?;
        let made = make(directory)? || left_made;
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

    /// What the mount is to be called.
    pub(super) fn source(&self) -> &'static str {
        if self.made { SOURCE_MADE } else { SOURCE }
    }

    /// Whether nothing would be hidden. It can be asked when the mount is there: a program may have been faster.
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

    /// What is in the directory, whether it is covered or not, in order of the names.
    fn entries(&self) -> io::Result<Vec<Entry>> {
        let below = format!("/proc/self/fd/{}", self.below.as_raw_fd());
        let mut entries = fs::read_dir(below)?
            .map(|entry| {
                let entry = entry?;
                // One that went in the meantime hides nothing.
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

    /// Removes it, if it is still the same directory and nothing is mounted on it.
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

/// What a directory has.
#[derive(Debug)]
struct Entry {
    name: OsString,
    /// The length of a regular file; `None` for anything else.
    file_bytes: Option<u64>,
}

/// Makes the directory, and those above it; says whether there was none.
fn make(directory: &Path) -> Result<bool> {
    let failed = || format!("can't make the mount directory {}", directory.display());
    if let Some(above) = directory.parent() {
        fs::create_dir_all(above).with_context(failed)?;
    }
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
        let source = source_of(&mounts()?, &path);
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
        unmount(&path)?;
    }
    Ok(made)
}

/// Whether this is the mount of a program that is no more: "Transport endpoint is not connected".
fn is_dead(directory: &Path) -> bool {
    fs::metadata(directory).is_err_and(|error| error.raw_os_error() == Some(Errno::ENOTCONN as i32))
}

/// Takes the mount away at once, and for those who have files of it open when they close them.
fn unmount(path: &Path) -> Result<()> {
    let shown = path.display();
    let failed = || format!("can't clear away the mount of a dead daemon: try 'umount -l {shown}'");
    match umount2(path, MntFlags::MNT_DETACH) {
        // Only root may; a helper does it for the user whose mount it is.
        Err(Errno::EPERM) => {}
        other => return other.with_context(failed),
    }
    let named = std::env::var_os(HELPER_NAME).map(|name| vec![name]);
    for helper in named.unwrap_or_else(|| HELPERS.map(OsString::from).to_vec()) {
        match Command::new(&helper)
            .args(["-u", "-z", "--"])
            .arg(path)
            .output()
        {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(failed),
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => bail!(
                "{}: {}: {}",
                failed(),
                helper.display(),
                String::from_utf8_lossy(&output.stderr).trim()
            ),
        }
    }
    bail!("{} as root, or install fuse3 for its fusermount3", failed())
}

/// Whether a daemon of ours serves this directory.
fn is_mounted(directory: &Path) -> Result<bool> {
    Ok(mounts()?.lines().any(|line| is_our_mount(line, directory)))
}

fn mounts() -> Result<String> {
    fs::read_to_string("/proc/self/mountinfo").context("can't read /proc/self/mountinfo")
}

/// Whether a line of mountinfo is of a mount of ours on this directory.
pub(super) fn is_our_mount(line: &str, directory: &Path) -> bool {
    source_of(line, directory)
        .is_some_and(|source| [SOURCE, SOURCE_MADE].contains(&source.as_str()))
}

/// What the topmost mount on a directory calls itself. A line of mountinfo is
/// `id parent dev root MOUNTPOINT options … - TYPE SOURCE options` (proc(5)).
fn source_of(mounts: &str, directory: &Path) -> Option<String> {
    let mut sources = mounts.lines().filter_map(|line| {
        let (place, source) = line.split_once(" - ")?;
        let point = unescape(place.split(' ').nth(4)?);
        (Path::new(&point) == directory).then(|| source.split(' ').nth(1).map(unescape))?
    });
    sources.next_back()
}

/// Blank, tab, newline and backslash are written as three octal digits.
fn unescape(text: &str) -> String {
    [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ]
    .into_iter()
    .fold(text.to_owned(), |text, (code, character)| {
        text.replace(code, character)
    })
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
        assert!(is_our_mount(line, Path::new("/mnt/my tapes")));
        assert!(!is_our_mount(line, Path::new("/mnt/other")));
        let made = line.replace(" pseudotape ", " pseudotape-made ");
        assert!(is_our_mount(&made, Path::new("/mnt/my tapes")));
        let other = line.replace(" pseudotape ", " sshfs ");
        assert!(!is_our_mount(&other, Path::new("/mnt/my tapes")));
        assert!(!is_our_mount("nonsense", Path::new("/mnt")));
        let stacked = format!("{other}\n{made}\n{}", line.replace("tapes", "other"));
        assert_eq!(
            source_of(&stacked, Path::new("/mnt/my tapes")).as_deref(),
            Some(SOURCE_MADE)
        );
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
