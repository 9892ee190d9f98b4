//! `doctor --try`: starts a drive, writes and reads a record, ends the drive, and leaves nothing behind.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pseudotape_drive::make_volume;
use pseudotape_human::explain;

use super::{Check, Machine};
use crate::image::create::fresh;

const DAEMON: &str = "pseudotape-dev";
/// The node of the first drive that rewinds.
const NODE: &str = "pmtm0";
const RECORD_BYTES: usize = 64 << 10;
/// How long the daemon may take for each step.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often is looked whether a step is done.
const PAUSE: Duration = Duration::from_millis(10);

/// How a drive is to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Cuse,
    Fuse,
}

/// Tries each way. One of them has to work.
pub(crate) fn attempts(machine: &Machine) -> Vec<Check> {
    let checks = [Way::Cuse, Way::Fuse].map(|way| attempt(machine, way));
    let one_works = checks.iter().flatten().any(|check| check.ok);
    let checks = checks.into_iter().flatten();
    checks
        .map(|check| if one_works { check } else { check.needed() })
        .collect()
}

/// `None` where there is nothing to try.
fn attempt(machine: &Machine, way: Way) -> Option<Check> {
    let name = match way {
        Way::Cuse => "try: cuse",
        Way::Fuse => "try: fuse",
    };
    if way == Way::Cuse {
        machine.open_device("/dev/cuse").ok()?;
        let node = Path::new("/dev").join(NODE);
        if node.exists() {
            let node = node.display();
            return Some(Check::ok(
                name,
                format!("not tried: {node} is there, so a daemon has it"),
            ));
        }
    }
    Some(match Trial::run(machine, way) {
        Ok(()) => Check::ok(
            name,
            "a drive was started, a record of 64 KiB written and read, and the drive ended",
        ),
        Err(error) => Check::missing(
            name,
            explain(error.chain()),
            "see the lines above; the same by hand: pseudotape create x.ptape; pseudotape-dev --drive x.ptape --fuse DIR",
        ),
    })
}

/// A daemon with one drive, and the directory with all that it makes.
struct Trial {
    place: PathBuf,
    way: Way,
    daemon: Option<Child>,
}

impl Trial {
    fn run(machine: &Machine, way: Way) -> anyhow::Result<()> {
        let mut trial = Trial::new(way)?;
        let worked = trial.start(machine).and_then(|()| trial.use_drive());
        let ended = trial.end();
        let result = worked.and(ended);
        let said = trial.last_words();
        result.map_err(|error| match said {
            Some(said) => error.context(said),
            None => error,
        })
    }

    fn new(way: Way) -> anyhow::Result<Self> {
        let name = format!("pseudotape-doctor-{}-{way:?}", std::process::id());
        let place = std::env::temp_dir().join(name);
        let made = DirBuilder::new().mode(0o700).create(&place);
        made.with_context(|| format!("can't make {}", place.display()))?;
        Ok(Trial {
            place,
            way,
            daemon: None,
        })
    }

    fn mount(&self) -> PathBuf {
        self.place.join("drive")
    }

    fn log(&self) -> PathBuf {
        self.place.join("log")
    }

    fn node(&self) -> PathBuf {
        match self.way {
            Way::Cuse => Path::new("/dev").join(NODE),
            Way::Fuse => self.mount().join(NODE),
        }
    }

    /// Starts the daemon, and waits until it has said where its drive is.
    fn start(&mut self, machine: &Machine) -> anyhow::Result<()> {
        let image = self.place.join("tape.ptape");
        make_volume(&image, &fresh()?)?;
        let mut command = Command::new(program(machine)?);
        command.arg("--drive").arg(&image);
        command.arg("--control").arg(self.place.join("control"));
        command.args(["--mode", "0600"]);
        match self.way {
            Way::Cuse => command.arg("--cuse"),
            Way::Fuse => command.arg("--fuse").arg(self.mount()),
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(File::create(self.log())?);
        let mut daemon = command
            .spawn()
            .with_context(|| format!("can't start {}", command.get_program().display()))?;
        let output = daemon.stdout.take();
        self.daemon = Some(daemon);
        let output = output.context("the daemon has no output")?;
        within("the start", move || {
            let lines = BufReader::new(output).lines();
            let mut lines = lines.map_while(Result::ok);
            ensure!(
                lines.any(|line| line.starts_with("control:")),
                "{DAEMON} ended at its start"
            );
            Ok(())
        })
    }

    fn use_drive(&self) -> anyhow::Result<()> {
        let node = self.node();
        within("writing and reading", move || write_and_read(&node))
    }

    /// Ends the daemon as an administrator does; else it is killed.
    fn end(&mut self) -> anyhow::Result<()> {
        let Some(mut daemon) = self.daemon.take() else {
            return Ok(());
        };
        let status = end(&mut daemon).inspect_err(|_| {
            kill_daemon(&mut daemon);
            if self.way == Way::Fuse {
                unmount(&self.mount());
            }
        })?;
        ensure!(status.success(), "{DAEMON} ended with {status}");
        let node = self.node();
        ensure!(
            !node.exists(),
            "{} is still there after the end of {DAEMON}",
            node.display()
        );
        Ok(())
    }

    /// The last line of the daemon's log that says something.
    fn last_words(&self) -> Option<String> {
        let log = fs::read(self.log()).ok()?;
        let log = String::from_utf8_lossy(&log).into_owned();
        let said = log.lines().map(str::trim).rfind(|line| !line.is_empty());
        said.map(str::to_owned)
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.place) {
            log::warn!("can't remove {}: {error}", self.place.display());
        }
    }
}

/// The daemon that belongs to this command, else the first one in the path.
fn program(machine: &Machine) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().ok();
    let beside = own.and_then(|own| Some(own.parent()?.join(DAEMON)));
    beside
        .filter(|program| program.is_file())
        .or_else(|| machine.program(&[DAEMON]))
        .with_context(|| {
            format!("{DAEMON} is not installed: it is neither beside this command nor in the path")
        })
}

/// Does something in a thread of its own: a drive that hangs holds whoever uses it.
fn within(
    what: &str,
    work: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
) -> anyhow::Result<()> {
    let (sender, receiver) = channel();
    thread::Builder::new()
        .name("trial".into())
        .spawn(move || {
            if sender.send(work()).is_err() {
                log::debug!("nobody waits for the trial any more");
            }
        })
        .context("can't start a thread")?;
    match receiver.recv_timeout(PATIENCE) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => {
            bail!("{what} took more than {} s", PATIENCE.as_secs())
        }
        Err(RecvTimeoutError::Disconnected) => bail!("{what} was not done"),
    }
}

fn write_and_read(node: &Path) -> anyhow::Result<()> {
    let shown = node.display();
    let mut bytes = 0_u8;
    let record: Vec<u8> = std::iter::repeat_with(|| {
        bytes = bytes.wrapping_mul(5).wrapping_add(1);
        bytes
    })
    .take(RECORD_BYTES)
    .collect();
    let mut tape = open(OpenOptions::new().write(true), node)?;
    let count = tape
        .write(&record)
        .with_context(|| format!("can't write to {shown}"))?;
    ensure!(
        count == record.len(),
        "a write of {} bytes to {shown} wrote {count}",
        record.len()
    );
    // The node rewinds, and a filemark ends the record's file.
    drop(tape);
    let mut tape = open(OpenOptions::new().read(true), node)?;
    let mut back = vec![0; 2 * RECORD_BYTES];
    for expected in [record.as_slice(), &[]] {
        let count = tape
            .read(&mut back)
            .with_context(|| format!("can't read from {shown}"))?;
        ensure!(
            back.get(..count) == Some(expected),
            "what was read from {shown} is not what was written"
        );
    }
    Ok(())
}

/// Opens the node; a close before it is perhaps still on its way to the daemon.
fn open(options: &OpenOptions, node: &Path) -> anyhow::Result<File> {
    let since = Instant::now();
    loop {
        match options.open(node) {
            Err(error) if error.kind() == ErrorKind::ResourceBusy && since.elapsed() < PATIENCE => {
                thread::sleep(PAUSE);
            }
            opened => return opened.with_context(|| format!("can't open {}", node.display())),
        }
    }
}

fn end(daemon: &mut Child) -> anyhow::Result<ExitStatus> {
    let failed = || format!("can't end {DAEMON}");
    if let Some(status) = daemon.try_wait().with_context(failed)? {
        return Ok(status);
    }
    let process = Pid::from_raw(daemon.id().cast_signed());
    kill(process, Signal::SIGTERM).with_context(failed)?;
    let since = Instant::now();
    loop {
        match daemon.try_wait().with_context(failed)? {
            Some(status) => return Ok(status),
            None if since.elapsed() > PATIENCE => {
                bail!("{DAEMON} did not end in {} s", PATIENCE.as_secs())
            }
            None => thread::sleep(PAUSE),
        }
    }
}

fn kill_daemon(daemon: &mut Child) {
    if let Err(error) = daemon.kill().and_then(|()| daemon.wait()) {
        log::warn!("can't kill {DAEMON}: {error}");
    }
}

/// Takes away the mount of a daemon that was killed.
fn unmount(directory: &Path) {
    let unmounted = match umount2(directory, MntFlags::MNT_DETACH) {
        Err(Errno::EPERM) => Command::new("fusermount3")
            .args(["-u", "-z", "--"])
            .arg(directory)
            .status()
            .is_ok_and(|status| status.success()),
        other => other.is_ok(),
    };
    if !unmounted {
        log::warn!("can't unmount {}", directory.display());
    }
}
