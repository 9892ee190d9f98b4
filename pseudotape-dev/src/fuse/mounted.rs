use std::ffi::OsStr;
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
use super::holders::Holders;
use super::mount_point::{MountPoint, is_our_mount};
use super::node::Nodes;
use super::opening::Openings;
use super::options::MountOptions;
use super::threads::Threads;

/// What kind of FUSE file system it is, in `/proc/self/mountinfo`.
const SUBTYPE: &str = "pseudotape";

/// How long an end waits for the further pieces of a call in hand.
const FINISH_MAX: Duration = Duration::from_secs(5);

/// Most threads that read requests.
const THREADS_MAX: usize = 8;

/// A mount that is being served.
pub struct Mounted {
    directory: PathBuf,
    /// Goes last: what was made for the mount is removed when nothing covers it any more.
    point: MountPoint,
    nodes: Arc<Nodes>,
    openings: Arc<Openings>,
    ending: Arc<AtomicBool>,
    unmounter: SessionUnmounter,
    thread: JoinHandle<io::Result<()>>,
}

/// Mounts a directory with a file for each device, and serves it until [`Mounted::unmount`].
///
/// Makes the directory where there is none, and takes it away at the end; refuses one that holds anything; clears away
/// what a killed daemon left mounted.
/// `ended` is told why, if the mount ends in another way.
pub fn mount(
    directory: &Path,
    nodes: Vec<(String, Arc<dyn CharDevice>)>,
    options: MountOptions,
    ended: impl FnOnce(String) + Send + 'static,
) -> Result<Mounted> {
    let nodes = Arc::new(Nodes::new(nodes));
    let is_node = |name: &OsStr| nodes.inode_of(name).is_some();
    let point = MountPoint::prepare(directory, is_node)?;
    let directory = point.path().to_owned();
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
    let mut session = Session::new(files, &directory, &config(threads, point.source()))
        .map_err(|e| cannot_mount(&directory, e))?;
    point.check_empty(is_node)?;
    if let Some(holders) = device_of(&directory).and_then(|device| Holders::of(&device)) {
        nodes.set_holders(holders);
    }
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
        point,
        nodes,
        openings,
        ending,
        unmounter,
        thread,
    })
}

impl Mounted {
    /// Closes what programs have closed: RELEASE comes after `close(2)` has returned, and is perhaps not here yet.
    pub fn settle(&self) {
        self.nodes.settle();
    }

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
        drop(self.point);
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

/// `major:minor` of our mount, if it is mounted.
fn device_of(directory: &Path) -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let line = mounts.lines().rfind(|line| is_our_mount(line, directory))?;
    line.split(' ').nth(2).map(str::to_owned)
}

/// Where the kernel lets the owner of a mount cut its connection, if that is mounted.
fn connection_of(directory: &Path) -> Option<PathBuf> {
    let device = device_of(directory)?;
    let (_major, minor) = device.split_once(':')?;
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

fn config(threads: usize, source: &str) -> Config {
    let mut config = Config::default();
    config.mount_options = vec![
        MountOption::FSName(source.into()),
        MountOption::Subtype(SUBTYPE.into()),
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

fn cannot_mount(directory: &Path, error: io::Error) -> anyhow::Error {
    // A missing helper is "not found" as well.
    let advice = if !Path::new("/dev/fuse").exists() {
        "there is no /dev/fuse: try 'modprobe fuse'"
    } else if nix::unistd::geteuid().is_root() {
        "'pseudotape doctor' says what this machine lacks"
    } else {
        "run as root, or install fuse3 for its fusermount3; 'pseudotape doctor' says what this machine lacks"
    };
    anyhow::Error::new(error).context(format!("can't mount {} ({advice})", directory.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
