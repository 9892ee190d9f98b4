//! Our own nodes: a daemon with one drive, in a directory of its own.

use std::cell::RefCell;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use nix::mount::{MntFlags, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pseudotape_control::{Request, Response, call};
use pseudotape_device::{Access, DeviceDrive};
use pseudotape_drive::{Cartridge, FileMedium, Personality};
use pseudotape_image::{CreateParameters, Rewriting, Uuid, VolumeId, WriteProtect};
use pseudotape_tape::Drive;
use pseudotape_testkit::SuiteMedium;

use super::programs::Programs;

/// Keeps processes from being started while this one has an image open: a child shares the lock of the image from its
/// fork to its exec, and the image then seems to be in use.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a process while no test makes an image.
pub(super) fn spawn(command: &mut Command) -> std::io::Result<Child> {
    let _alone = alone();
    command.spawn()
}

/// How long the daemon may take to start, to answer and to end.
const PATIENCE: Duration = Duration::from_secs(120);

/// Which nodes a daemon makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// Files of a FUSE mount.
    Fuse,
    /// Character devices in `/dev`.
    Cuse,
}

impl Front {
    /// As in the table of what can't be.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Front::Fuse => "fuse",
            Front::Cuse => "cuse",
        }
    }
}

/// A daemon with one drive.
pub struct Served {
    programs: Programs,
    front: Front,
    personality: Personality,
    directory: tempfile::TempDir,
    daemon: Option<Child>,
}

impl Served {
    /// Serves a blank medium.
    pub fn start(
        programs: &Programs,
        front: Front,
        personality: Personality,
        medium: SuiteMedium,
    ) -> anyhow::Result<Self> {
        let mut served = Served {
            programs: programs.clone(),
            front,
            personality,
            directory: tempfile::tempdir()?,
            daemon: None,
        };
        std::fs::create_dir(served.mount())?;
        served.new_image("tape", medium)?;
        served.start_again()?;
        Ok(served)
    }

    fn mount(&self) -> PathBuf {
        self.directory.path().join("nodes")
    }

    fn image(&self, name: &str) -> PathBuf {
        self.directory.path().join(format!("{name}.ptape"))
    }

    /// The directory of the nodes.
    #[must_use]
    pub fn nodes(&self) -> PathBuf {
        match self.front {
            Front::Fuse => self.mount(),
            Front::Cuse => "/dev".into(),
        }
    }

    /// The non-rewinding node.
    #[must_use]
    pub fn node(&self) -> PathBuf {
        self.nodes().join("npmtm0")
    }

    /// Opens the node.
    pub fn open(&self) -> anyhow::Result<DeviceDrive> {
        Ok(DeviceDrive::open(&self.node(), Access::ReadWrite)?)
    }

    /// Makes a blank image.
    pub fn new_image(&self, name: &str, medium: SuiteMedium) -> anyhow::Result<PathBuf> {
        let mut parameters = CreateParameters::new(VolumeId(Uuid::now_v7()), 0);
        parameters.header.capacity_bytes = medium.capacity_bytes;
        parameters.header.early_warning_bytes = medium.early_warning_bytes;
        if medium.worm {
            parameters.header.rewriting = Rewriting::AppendOnly;
        }
        let path = self.image(name);
        let _alone = alone();
        let files = FileMedium::new(&path, pseudotape_image::Access::ReadWrite);
        let mut cartridge = Cartridge::create(files, &parameters)?;
        if medium.write_protected {
            cartridge.set_write_protect(WriteProtect::On)?;
        }
        Ok(path)
    }

    /// Starts the daemon on the image "tape".
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        let drive = format!(
            "image={},personality={}",
            self.image("tape").display(),
            self.personality.name
        );
        let mut command = Command::new(self.programs.daemon());
        command.args(["--drive", &drive, "--open-wait", "1", "--mode", "0600"]);
        command.arg("--control").arg(self.control());
        match self.front {
            Front::Fuse => command
                .arg("--fuse")
                .arg(self.mount())
                .args(["--uring", &crate::uring()]),
            Front::Cuse => command.arg("--cuse"),
        };
        command.env("RUST_LOG", "off").stdout(Stdio::piped());
        let mut daemon = spawn(&mut command).context("pseudotape-dev does not start")?;
        let output = daemon.stdout.take();
        self.daemon = Some(daemon);
        let output = output.ok_or_else(|| anyhow!("the daemon has no output"))?;
        // Its last line tells where the control socket is.
        let mut lines = BufReader::new(output).lines();
        loop {
            match lines.next().transpose()? {
                Some(line) if line.starts_with("control:") => break,
                Some(_) => {}
                None => bail!("the daemon ended without being ready"),
            }
        }
        wait_for(|| self.node().exists())
            .with_context(|| format!("{} never came", self.node().display()))
    }

    fn control(&self) -> PathBuf {
        self.directory.path().join("control")
    }

    /// Asks the daemon.
    pub fn ask(&self, request: &Request) -> anyhow::Result<()> {
        match call(&self.control(), request, PATIENCE)? {
            Response::Error { message } => bail!("{message}"),
            Response::Refused(refusal) => bail!("{}", refusal.message),
            Response::Done { .. }
            | Response::Status(_)
            | Response::Options(_)
            | Response::Faults(_)
            | Response::Mirror { .. }
            | Response::Libraries { .. } => Ok(()),
        }
    }

    /// Resets the drive.
    pub fn reset(&self) -> anyhow::Result<()> {
        self.ask(&Request::Reset { drive: 0 })
    }

    /// Takes the cartridge out, also while it is in use.
    pub fn take_out(&self) -> anyhow::Result<()> {
        self.ask(&Request::Unload {
            drive: 0,
            force: true,
        })
    }

    /// Puts a cartridge in.
    pub fn put_in(&self, image: &Path) -> anyhow::Result<()> {
        self.ask(&Request::Load {
            drive: 0,
            image: image.to_owned(),
        })
    }

    /// Kills the daemon and clears away what it leaves.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill()?;
            daemon.wait()?;
        }
        self.clear();
        if self.front == Front::Cuse {
            wait_for(|| !self.node().exists())?;
        }
        Ok(())
    }

    fn clear(&self) {
        if self.front == Front::Fuse {
            // Not mounted any more where the daemon ended well.
            umount2(&self.mount(), MntFlags::MNT_DETACH).ok();
        }
    }

    /// Ends the daemon as systemd does.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        let Some(mut daemon) = self.daemon.take() else {
            return Ok(());
        };
        kill(Pid::from_raw(daemon.id().cast_signed()), Signal::SIGTERM)?;
        let ended = wait_for(|| matches!(daemon.try_wait(), Ok(Some(_)) | Err(_)));
        if ended.is_err() {
            daemon.kill()?;
        }
        let status = daemon.wait()?;
        self.clear();
        ensure!(status.success(), "the daemon ended with {status}");
        Ok(())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("{error:#}");
        }
    }
}

/// Waits until something is so.
pub(crate) fn wait_for(mut so: impl FnMut() -> bool) -> anyhow::Result<()> {
    let begin = Instant::now();
    while !so() {
        ensure!(
            begin.elapsed() < PATIENCE,
            "not within {} s",
            PATIENCE.as_secs()
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

thread_local! {
    /// Daemons of drives that [`make`] gave away; they end with the thread, or when the next one starts.
    static SERVED: RefCell<Vec<Rc<Served>>> = const { RefCell::new(Vec::new()) };
}

/// Ends the daemons of drives that [`make`] gave away.
pub fn end_served() {
    SERVED.with_borrow_mut(Vec::clear);
}

/// Makes the drive of a case of the suite; its daemon lives as long as this thread, or until the next one.
pub fn make(
    programs: &Programs,
    front: Front,
    personality: Personality,
    medium: SuiteMedium,
) -> Box<dyn Drive> {
    end_served();
    let served = Served::start(programs, front, personality, medium).expect("a daemon");
    let drive = served.open().expect("a node");
    SERVED.with_borrow_mut(|all| all.push(Rc::new(served)));
    Box::new(drive)
}
