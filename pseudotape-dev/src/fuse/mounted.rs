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

use anyhow::{Context, Result, bail};
use fuser::{Config, Filesystem, MountOption, Session, SessionACL};
use pseudotape_chardev::CharDevice;
use pseudotape_ring::{Offer, Pool, Prepared};

use super::filesystem::TapeFiles;
use super::holders::Holders;
use super::mount_point::MountPoint;
use super::mounts::OwnMount;
use super::node::{Nodes, TRANSFER_MAX_BYTES};
use super::opening::Openings;
use super::options::{MountOptions, Uring};
use super::ring::Rings;
use super::threads::Threads;

/// What kind of FUSE file system it is, in `/proc/self/mountinfo`.
const SUBTYPE: &str = "pseudotape";

/// How long an end waits for the further pieces of a call in hand, and for the session's threads.
const FINISH_MAX: Duration = Duration::from_secs(5);
/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Most threads that read requests.
const THREADS_MAX: usize = 8;

/// Calls that come beside those that wait, and end soon: a close that the kernel sends late, a look at a node.
const MOMENTARY_CALLS: usize = 3;
/// Most threads of a queue of a ring beyond those that work.
const SPARE_THREADS_MAX: usize = 16;

/// A mount that is being served.
pub struct Mounted {
    directory: PathBuf,
    nodes: Arc<Nodes>,
    openings: Arc<Openings>,
    ending: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<()>>,
    /// The threads that serve it over `io_uring`.
    pool: Option<Arc<Pool>>,
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
    let openings = Arc::new(Openings::default());
    let files = Files {
        nodes: Arc::clone(&nodes),
        openings: Arc::clone(&openings),
        threads: threads_for(options.drives, nodes.have_streams()),
        since: SystemTime::now(),
        options,
    };
    let Begun {
        mount,
        session,
        pool,
    } = begin(&directory, point.source(), &files)?;
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
        pool,
        mount,
        point,
    })
}

/// What the files of a mount are made of.
struct Files {
    nodes: Arc<Nodes>,
    openings: Arc<Openings>,
    /// How many calls can be in hand at a time, of each of the kernel's queues.
    threads: usize,
    options: MountOptions,
    since: SystemTime,
}

impl Files {
    fn make(&self, rings: Arc<AtomicBool>) -> TapeFiles {
        TapeFiles {
            nodes: Arc::clone(&self.nodes),
            openings: Arc::clone(&self.openings),
            threads: Threads::new(self.threads),
            options: self.options.clone(),
            since: self.since,
            changed_modes: Mutex::default(),
            rings,
        }
    }
}

/// A mount whose requests are answered.
struct Begun {
    mount: OwnMount,
    session: JoinHandle<io::Result<()>>,
    pool: Option<Arc<Pool>>,
}

/// Mounts, and serves over `io_uring` where that is wanted and possible, else through `/dev/fuse`.
fn begin(directory: &Path, source: &str, files: &Files) -> Result<Begun> {
    let prepared = match prepare(files) {
        Ok(prepared) => prepared,
        Err(why) if files.options.uring == Uring::Always => return Err(why),
        Err(why) => {
            log::info!("calls come through /dev/fuse: {why:#}");
            None
        }
    };
    if let Some(prepared) = prepared {
        match begin_rings(directory, source, files, prepared)? {
            Ok(begun) => return Ok(begun),
            Err(why) if files.options.uring == Uring::Always => return Err(why),
            Err(why) => log::warn!("calls come through /dev/fuse: {why:#}"),
        }
    }
    let session = new_session(directory, source, files, Arc::default())?;
    // Dropped from here on, it takes the mount away.
    let mount = OwnMount::new(directory, session.as_fd().try_clone_to_owned()?)?;
    Ok(Begun {
        mount,
        session: serve(session)?,
        pool: None,
    })
}

/// Makes the rings, where they are wanted; an error: why there are none.
fn prepare(files: &Files) -> Result<Option<Prepared>> {
    if files.options.uring == Uring::Never {
        return Ok(None);
    }
    match pseudotape_ring::offer() {
        Offer::Absent => bail!(
            "this kernel has no FUSE over io_uring: that needs Linux 6.14 with CONFIG_FUSE_IO_URING"
        ),
        Offer::Off => bail!(
            "FUSE over io_uring is switched off: root switches it on by \
             'echo 1 > /sys/module/fuse/parameters/enable_uring', for each start of the machine by \
             'options fuse enable_uring=1' in /etc/modprobe.d"
        ),
        Offer::On => {}
    }
    let each = files.threads + spare_threads(files.options.drives, files.nodes.have_streams());
    let prepared = Prepared::new(each, TRANSFER_MAX_BYTES as usize);
    Ok(Some(prepared.context(
        "this process can't have io_uring: see kernel.io_uring_disabled, or what a container forbids",
    )?))
}

/// Mounts and serves over rings. The inner error: the kernel has it otherwise, and nothing is mounted.
fn begin_rings(
    directory: &Path,
    source: &str,
    files: &Files,
    prepared: Prepared,
) -> Result<Result<Begun>> {
    let wanted = Arc::new(AtomicBool::new(true));
    let session = new_session(directory, source, files, Arc::clone(&wanted))?;
    let connection = session.as_fd().try_clone_to_owned()?;
    let mut mount = OwnMount::new(directory, session.as_fd().try_clone_to_owned()?)?;
    // The session has mounted, and said at the beginning what we can. The rest is ours; see `serve` why it stays.
    Box::leak(Box::new(session));
    let refused = |mount: &mut OwnMount, why: anyhow::Error| {
        mount.take_away()?;
        Ok(Err(why))
    };
    if !wanted.load(Ordering::Relaxed) {
        let why = anyhow::anyhow!("the kernel does not offer this connection io_uring");
        return refused(&mut mount, why);
    }
    let rings = match Rings::begin(prepared, &connection, files.make(Arc::default())) {
        Ok(rings) => rings,
        Err(error) => {
            let why = anyhow::Error::new(error).context("the kernel takes no ring");
            return refused(&mut mount, why);
        }
    };
    let pool = Arc::clone(&rings.pool);
    let session = thread::Builder::new()
        .name("messages".into())
        .spawn(move || rings.run())?;
    Ok(Ok(Begun {
        mount,
        session,
        pool: Some(pool),
    }))
}

fn new_session(
    directory: &Path,
    source: &str,
    files: &Files,
    rings: Arc<AtomicBool>,
) -> Result<Session<TapeFiles>> {
    Session::new(files.make(rings), directory, &config(files.threads, source))
        .map_err(|error| cannot_mount(directory, error))
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
    /// How calls come.
    #[must_use]
    pub fn way(&self) -> &'static str {
        match self.pool {
            Some(_) => "io_uring",
            None => "/dev/fuse",
        }
    }

    /// What closes the files of these nodes that programs have closed: RELEASE comes after `close(2)` has returned, and
    /// is perhaps not here yet.
    pub fn settling(&self, names: Vec<String>) -> impl FnOnce() + Send + use<> {
        let nodes = Arc::clone(&self.nodes);
        move || nodes.settle(&names)
    }

    /// Finishes the system calls in hand, unmounts, and closes what is still open.
    ///
    /// Programs that have a file open get `ECONNABORTED` or `ENOTCONN` from then on.
    pub fn unmount(mut self) -> Result<()> {
        let unmounted = self.take_away();
        self.openings.end(&self.nodes);
        let joined = join(self.thread, &self.directory);
        self.nodes.close_all();
        drop(self.point);
        unmounted.and(joined)
    }

    /// The same for a daemon that ends with a call in hand that does not: what waits for that call is left behind.
    pub fn abandon(mut self) -> Result<()> {
        self.take_away()
    }

    /// Unmounts, behind the calls in hand as far as they end soon.
    fn take_away(&mut self) -> Result<()> {
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
        if let Some(pool) = &self.pool
            && !pool.hand_over(since + FINISH_MAX)
        {
            log::warn!("a call in hand does not end: its caller gets an error");
        }
        self.mount.take_away()
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

/// How many calls of a queue of a ring may wait at a time, each in a thread or as an unanswered request: an open of
/// each drive; where a drive is another program, calls of several threads of its caller as well. And what comes beside.
fn spare_threads(drives: usize, have_streams: bool) -> usize {
    match have_streams {
        true => SPARE_THREADS_MAX,
        false => (drives + MOMENTARY_CALLS).min(SPARE_THREADS_MAX),
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
