use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use fuser::{Config, MountOption, Session, SessionACL, SessionUnmounter};
use nix::errno::Errno as Os;
use nix::mount::{MntFlags, umount2};
use pseudotape_chardev::CharDevice;

use super::filesystem::TapeFiles;
use super::node::Nodes;
use super::opening::Openings;
use super::threads::Threads;

/// What the mount calls itself in `/proc/self/mountinfo`.
const SOURCE: &str = "pseudotape";

/// How long an end waits for the further pieces of a call in hand.
const FINISH_MAX: Duration = Duration::from_secs(5);

/// Most threads that read requests.
const THREADS_MAX: usize = 8;

/// What the files look like.
#[derive(Clone, Debug)]
pub struct MountOptions {
    /// Their permissions.
    pub mode: u32,
    /// Their group; `None`: the daemon's.
    pub gid: Option<u32>,
    /// How many drives they are: each can be busy with one call.
    pub drives: usize,
    /// Permissions and groups of files that have others, by their names.
    pub apart: BTreeMap<String, (u32, Option<u32>)>,
}

/// A mount that is being served.
pub struct Mounted {
    directory: PathBuf,
    nodes: Arc<Nodes>,
    openings: Arc<Openings>,
    ending: Arc<AtomicBool>,
    unmounter: SessionUnmounter,
    thread: JoinHandle<io::Result<()>>,
}

/// Mounts a directory with a file for each device, and serves it until [`Mounted::unmount`].
///
/// Makes the directory where there is none, and clears away what a killed daemon left mounted.
/// `ended` is told why, if the mount ends in another way.
pub fn mount(
    directory: &Path,
    nodes: Vec<(String, Arc<dyn CharDevice>)>,
    options: MountOptions,
    ended: impl FnOnce(String) + Send + 'static,
) -> Result<Mounted> {
    prepare(directory)?;
    let directory = directory
        .canonicalize()
        .with_context(|| format!("can't find {}", directory.display()))?;
    if is_ours(&directory)? {
        bail!(
            "{0} is already served by another pseudotape-dev: stop it, or choose another directory",
            directory.display()
        );
    }
    let nodes = Arc::new(Nodes::new(nodes));
    let threads = threads_for(options.drives, nodes.have_streams());
    let openings = Arc::new(Openings::default());
    let files = TapeFiles {
        nodes: Arc::clone(&nodes),
        openings: Arc::clone(&openings),
        threads: Threads::new(threads),
        options,
        since: SystemTime::now(),
        changed_modes: Mutex::default(),
    };
    let mut session = Session::new(files, &directory, &config(threads))
        .map_err(|e| cannot_mount(&directory, e))?;
    let unmounter = session.unmount_callable();
    let ending = Arc::new(AtomicBool::new(false));
    let thread = {
        let (ending, directory) = (Arc::clone(&ending), directory.clone());
        thread::Builder::new().name("fuse".into()).spawn(move || {
            let result = session.run();
            if !ending.load(Ordering::Acquire) {
                ended(match &result {
                    Ok(()) => format!("{} was unmounted", directory.display()),
                    Err(e) => format!("the mount {} ended: {e}", directory.display()),
                });
            }
            result
        })?
    };
    Ok(Mounted {
        directory,
        nodes,
        openings,
        ending,
        unmounter,
        thread,
    })
}

impl Mounted {
    /// Finishes the system calls in hand, unmounts, and closes what is still open.
    ///
    /// Programs that have a file open get `ECONNABORTED` or `ENOTCONN` from then on.
    pub fn unmount(mut self) -> Result<()> {
        self.ending.store(true, Ordering::Release);
        let since = Instant::now();
        while self.nodes.in_hand() && since.elapsed() < FINISH_MAX {
            thread::sleep(Duration::from_millis(5));
        }
        let unmounted = self.abort();
        self.openings.end();
        let joined = join(self.thread, &self.directory);
        self.nodes.close_all();
        unmounted.and(joined)
    }

    /// Takes the mount away and cuts the connection, so that the directory is free and nobody waits for
    /// an answer, although programs have files of it open.
    fn abort(&mut self) -> Result<()> {
        let connection = connection_of(&self.directory);
        // For an ordinary user fusermount does it.
        let plain = self.unmounter.unmount();
        if let Some(connection) = connection {
            cut(&connection);
        }
        let Err(busy) = plain else { return Ok(()) };
        log::debug!("{}: {busy}, unmounting by force", self.directory.display());
        let forced = match umount2(&self.directory, MntFlags::MNT_FORCE) {
            Err(Os::EBUSY) => umount2(&self.directory, MntFlags::MNT_DETACH),
            other => other,
        };
        match forced {
            // Not mounted any more.
            Ok(()) | Err(Os::EINVAL) => Ok(()),
            Err(e) => Err(e).with_context(|| format!("can't unmount {}", self.directory.display())),
        }
    }
}

/// Waits for the session's end. Without the right to cut the connection it may last as long as a
/// program keeps a file open; then it is left behind.
fn join(thread: JoinHandle<io::Result<()>>, directory: &Path) -> Result<()> {
    let since = Instant::now();
    while !thread.is_finished() {
        if since.elapsed() > FINISH_MAX {
            bail!(
                "{} is unmounted, but programs keep files of it open",
                directory.display()
            );
        }
        thread::sleep(Duration::from_millis(1));
    }
    match thread.join() {
        // A session whose connection was cut ends with an error that says just this.
        Ok(_) => Ok(()),
        Err(_) => bail!("the thread that served {} panicked", directory.display()),
    }
}

/// Where the kernel lets the owner of a mount cut its connection, if that is mounted.
fn connection_of(directory: &Path) -> Option<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let line = mounts.lines().find(|line| is_our_mount(line, directory))?;
    let (_major, minor) = line.split(' ').nth(2)?.split_once(':')?;
    Some(
        Path::new("/sys/fs/fuse/connections")
            .join(minor)
            .join("abort"),
    )
}

fn cut(connection: &Path) {
    if let Err(e) = std::fs::write(connection, "1") {
        // Not mounted there, or gone already.
        log::debug!("{}: {e}", connection.display());
    }
}

fn config(threads: usize) -> Config {
    let mut config = Config::default();
    config.mount_options = vec![
        MountOption::FSName(SOURCE.into()),
        MountOption::Subtype(SOURCE.into()),
        MountOption::DefaultPermissions,
        MountOption::NoSuid,
        MountOption::NoDev,
        MountOption::NoExec,
        MountOption::NoAtime,
    ];
    // Only root may let others in; the files' mode says whom.
    config.acl = if nix::unistd::geteuid().is_root() {
        SessionACL::All
    } else {
        SessionACL::Owner
    };
    config.n_threads = Some(threads);
    config
}

/// One for a single drive: requests that change threads cost a fifth of the time. With more drives
/// as many as can be busy at a time, and one that answers in the meantime; so also where the drive is
/// another program that needs answers of ours.
fn threads_for(drives: usize, have_streams: bool) -> usize {
    match drives {
        0 | 1 if !have_streams => 1,
        drives => (drives.max(1) + 1).min(THREADS_MAX),
    }
}

/// Makes the directory, and clears away the mount of a daemon that was killed.
fn prepare(directory: &Path) -> Result<()> {
    if let Err(e) = std::fs::metadata(directory)
        && e.raw_os_error() == Some(Os::ENOTCONN as i32)
    {
        log::info!(
            "{}: unmounting what a dead daemon left",
            directory.display()
        );
        umount2(directory, MntFlags::MNT_DETACH).with_context(|| {
            format!(
                "{0} is the mount of a dead daemon: try 'umount -l {0}'",
                directory.display()
            )
        })?;
    }
    std::fs::create_dir_all(directory)
        .or_else(|e| if directory.is_dir() { Ok(()) } else { Err(e) })
        .with_context(|| format!("can't make the mount directory {}", directory.display()))
}

/// Whether a daemon of ours serves this directory.
fn is_ours(directory: &Path) -> Result<bool> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo")
        .context("can't read /proc/self/mountinfo")?;
    Ok(mounts.lines().any(|line| is_our_mount(line, directory)))
}

/// A line of mountinfo: `id parent dev root MOUNTPOINT options … - TYPE SOURCE options` (proc(5)).
fn is_our_mount(line: &str, directory: &Path) -> bool {
    let mount_point = line.split(' ').nth(4).map(unescape);
    let source = line
        .split_once(" - ")
        .and_then(|(_, rest)| rest.split(' ').nth(1));
    mount_point.is_some_and(|point| Path::new(&point) == directory) && source == Some(SOURCE)
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

fn cannot_mount(directory: &Path, error: io::Error) -> anyhow::Error {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "is there a /dev/fuse? Try 'modprobe fuse'",
        io::ErrorKind::PermissionDenied => "run as root, or install fuse3 for its fusermount3",
        _ => "see the log",
    };
    anyhow::Error::new(error).context(format!("can't mount {} ({advice})", directory.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_mounts_are_known_by_place_and_source() {
        let line = "36 25 0:31 / /mnt/my\\040tapes rw,nosuid shared:5 - fuse.pseudotape pseudotape rw,user_id=0";
        assert!(is_our_mount(line, Path::new("/mnt/my tapes")));
        assert!(!is_our_mount(line, Path::new("/mnt/other")));
        let other = line.replace(" pseudotape ", " sshfs ");
        assert!(!is_our_mount(&other, Path::new("/mnt/my tapes")));
        assert!(!is_our_mount("nonsense", Path::new("/mnt")));
    }

    #[test]
    fn each_drive_may_be_busy_while_another_one_answers() {
        assert_eq!(
            [0, 1, 2, 4, 100].map(|drives| threads_for(drives, false)),
            [1, 1, 3, 5, THREADS_MAX]
        );
        assert_eq!(
            [0, 1, 2, 100].map(|drives| threads_for(drives, true)),
            [2, 2, 3, THREADS_MAX]
        );
    }
}
