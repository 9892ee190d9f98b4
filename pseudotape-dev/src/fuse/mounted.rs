use std::ffi::OsStr;
use std::io;
use std::mem;
use std::os::fd::AsFd;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, bail};
use fuser::{Config, Filesystem, MountOption, Session, SessionACL};
use pseudotape_chardev::CharDevice;

use super::filesystem::TapeFiles;
use super::holders::Holders;
use super::mount_point::MountPoint;
use super::mounts::OwnMount;
use super::node::Nodes;
use super::opening::Openings;
use super::options::MountOptions;
use super::threads::Threads;

/// What kind of FUSE file system it is, in `/proc/self/mountinfo`.
const SUBTYPE: &str = "pseudotape";

/// How long an end waits for the further pieces of a call in hand, and for the session's threads.
const FINISH_MAX: Duration = Duration::from_secs(5);
/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Most threads that read requests.
const THREADS_MAX: usize = 8;

/// A mount that is being served.
pub struct Mounted {
    directory: PathBuf,
    nodes: Arc<Nodes>,
    openings: Arc<Openings>,
    ending: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<()>>,
    mount: OwnMount,
    /// Goes last: what was made for the mount is removed when nothing covers it any more.
    point: MountPoint,
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
    let session = Session::new(files, &directory, &config(threads, point.source()))
        .map_err(|e| cannot_mount(&directory, e))?;
    // Dropped from here on, it takes the mount away.
    let mount = OwnMount::new(&directory, session.as_fd().try_clone_to_owned()?)?;
    let session = serve(session)?;
    point.check_empty(is_node)?;
    if let Some(device) = mount.device() {
        nodes.set_holders(Holders::of(device));
    }
    let ending = Arc::new(AtomicBool::new(false));
    let thread = {
        let (ending, directory) = (Arc::clone(&ending), directory.clone());
        thread::Builder::new().name("fuse".into()).spawn(move || {
            let result = match session.join() {
                Ok(result) => result,
                Err(panic) => resume_unwind(panic),
            };
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
        thread,
        mount,
        point,
    })
}

/// Serves a session in threads of its own, and takes the unmounting out of its hands.
///
/// When a session of fuser ends it unmounts by the directory's path. Where somebody else has unmounted before, that
/// takes away what lies below. And while a request of a program is on its way, fuser unmounts nothing. So [`OwnMount`]
/// unmounts, and what the session keeps for that is never dropped: a descriptor of `/dev/fuse`, until the daemon ends.
fn serve(session: Session<impl Filesystem>) -> io::Result<JoinHandle<io::Result<()>>> {
    let session = Box::leak(Box::new(session.spawn()?));
    // Only one that can be had by value can be joined.
    let nothing = thread::Builder::new().spawn(|| Ok(()))?;
    Ok(mem::replace(&mut session.guard, nothing))
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
        // The event would be the end of a call: to tell it would cost every record something, for the sake of the last.
        while self.nodes.in_hand() && since.elapsed() < FINISH_MAX {
            thread::sleep(LOOK_EVERY);
        }
        // What is done by now, its caller must hear.
        self.nodes.gate.close();
        while !self.nodes.gate.is_empty() && since.elapsed() < FINISH_MAX {
            thread::sleep(LOOK_EVERY);
        }
        let unmounted = self.mount.take_away();
        self.openings.end(&self.nodes);
        let joined = join(self.thread, &self.directory);
        self.nodes.close_all();
        drop(self.point);
        unmounted.and(joined)
    }
}

/// Waits for the session's end. Without the right to cut the connection the session may last as long as a program
/// keeps a file open, or as another mount namespace has a copy of the mount. Then it is left behind, and ends with the
/// daemon.
fn join(thread: JoinHandle<io::Result<()>>, directory: &Path) -> Result<()> {
    let since = Instant::now();
    while !thread.is_finished() {
        if since.elapsed() > FINISH_MAX {
            log::warn!(
                "{} is unmounted, but programs keep files of it open, or another mount namespace has a copy of it: they \
                 get errors when this daemon has ended",
                directory.display()
            );
            return Ok(());
        }
        thread::sleep(LOOK_EVERY);
    }
    match thread.join() {
        // A session whose connection was cut ends with an error that says just this.
        Ok(_) => Ok(()),
        Err(_) => bail!("the thread that served {} panicked", directory.display()),
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
