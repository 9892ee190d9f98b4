//! `pseudotape-dev` or `pseudotape-scsi` and its operator, for scenarios on real nodes: each scenario gets a daemon of
//! its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pseudotape_control::{Request, Response, call};
use serde_json::Value;

use super::compare::differences;
use super::device::{Device, Operator};
use super::in_process::{FEW_OBJECTS_BYTES, SMALL_BYTES, length_of, units_bytes};
use super::run::run;
use super::scenario::{Action, Step};
use super::suite::{Case, Source, Verdict};
use super::target::HookError;

/// How long the daemon's blocking opens wait, in place of the 120 s of st.
pub const OPEN_WAIT_SECONDS: u32 = 3;

/// How long the daemon may take to start, to answer and to end.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long a close may be on its way.
const CLOSE_PATIENCE: Duration = Duration::from_secs(100);

/// What is needed to run scenarios on nodes.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The program `pseudotape-dev`, or `pseudotape-scsi`.
    pub daemon: PathBuf,
    /// The program `pseudotape`.
    pub tool: PathBuf,
    /// Where images and the control socket go.
    pub scratch: PathBuf,
    /// What kind of nodes the daemon makes.
    pub nodes: Nodes,
}

/// Kinds of nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nodes {
    /// CUSE nodes in `/dev`.
    Cuse,
    /// Files in this directory, by a FUSE mount.
    Fuse(PathBuf),
    /// Those that the kernel's st driver makes of the first SCSI tape of the machine.
    Scsi,
}

impl Setup {
    /// The directory with the nodes.
    #[must_use]
    pub fn directory(&self) -> &Path {
        match &self.nodes {
            Nodes::Fuse(directory) => directory,
            Nodes::Cuse | Nodes::Scsi => Path::new("/dev"),
        }
    }

    /// The name of a node that rewinds.
    fn name(&self) -> &'static str {
        match self.nodes {
            Nodes::Cuse | Nodes::Fuse(_) => "pmtm0",
            Nodes::Scsi => "st0",
        }
    }

    fn rewinding(&self) -> PathBuf {
        self.directory().join(self.name())
    }

    fn non_rewinding(&self) -> PathBuf {
        self.directory().join(format!("n{}", self.name()))
    }

    /// How long an open waits for a medium.
    fn open_wait(&self) -> Duration {
        match self.nodes {
            Nodes::Cuse | Nodes::Fuse(_) => Duration::from_secs(OPEN_WAIT_SECONDS.into()),
            Nodes::Scsi => pseudotape_st::OPEN_WAIT,
        }
    }

    fn control(&self) -> PathBuf {
        self.scratch.join("control")
    }

    fn image(&self) -> PathBuf {
        self.scratch.join("tape.ptape")
    }
}

/// Runs a scenario on the nodes of a daemon of its own; gives back the trace as well.
pub fn judge(setup: &Setup, case: &Case) -> anyhow::Result<(Verdict, Vec<Value>)> {
    let mut device = Device::new(
        setup.rewinding(),
        setup.non_rewinding(),
        DaemonOperator::new(setup.clone(), case),
        setup.open_wait(),
    );
    let trace = run(&mut device, &case.steps, case.source.probe())
        .map_err(|error| anyhow::anyhow!("{}: {error}", case.name))?;
    let verdict = Verdict {
        name: case.name.clone(),
        own: case.own,
        differences: differences(case.expected(), &trace),
    };
    Ok((verdict, trace))
}

/// Starts daemons and works on their drive.
pub struct DaemonOperator {
    setup: Setup,
    source: Source,
    /// Whether the scenario opens nodes of the modes 1 to 3.
    mode_nodes: bool,
    daemon: Option<Child>,
}

fn failed(what: &str, why: impl ToString) -> HookError {
    HookError::Failed(what.to_owned(), why.to_string())
}

impl DaemonOperator {
    /// An operator of a drive like that of the case.
    #[must_use]
    pub fn new(setup: Setup, case: &Case) -> Self {
        let has_letter =
            |step: &Step| matches!(&step.action, Action::Open { node, .. } if node.len() > 1);
        DaemonOperator {
            setup,
            source: case.source,
            mode_nodes: case.steps.iter().any(has_letter),
            daemon: None,
        }
    }

    fn create_image(&mut self, options: &[String]) -> Result<(), HookError> {
        // A daemon complains of an image that goes while it is loaded.
        self.stop()?;
        let image = self.setup.image();
        // A second partition of the volume before would be another volume's, which a new one does not touch.
        let mut second = image.clone().into_os_string();
        second.push(".p1");
        for old in [image.clone(), PathBuf::from(second)] {
            match std::fs::remove_file(&old) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(failed("create", error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        let output = Command::new(&self.setup.tool)
            .arg("create")
            .arg(&image)
            .args(options)
            .output()
            .map_err(|error| failed("create", error))?;
        if !output.status.success() {
            return Err(failed("create", String::from_utf8_lossy(&output.stderr)));
        }
        Ok(())
    }

    fn start(&mut self) -> Result<(), HookError> {
        self.start_with("")
    }

    fn start_with(&mut self, more: &str) -> Result<(), HookError> {
        self.stop()?;
        let drive = format!(
            "image={},personality={}{more}",
            self.setup.image().display(),
            self.source.personality().name
        );
        let mut command = Command::new(&self.setup.daemon);
        command.args(["--drive", &drive, "--control"]);
        command.arg(self.setup.control());
        let of_own_nodes = [
            "--open-wait",
            &OPEN_WAIT_SECONDS.to_string(),
            "--mode",
            "0600",
        ];
        match &self.setup.nodes {
            Nodes::Fuse(directory) => command
                .args(of_own_nodes)
                .arg("--fuse")
                .arg(directory)
                .args(["--uring", &crate::uring()]),
            Nodes::Cuse => command.args(of_own_nodes).arg("--cuse"),
            Nodes::Scsi => command.arg("--local"),
        };
        if self.mode_nodes && self.setup.nodes != Nodes::Scsi {
            command.arg("--mode-nodes");
        }
        let mut daemon = command
            .env("RUST_LOG", "off")
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| failed("start", error))?;
        let mut ready = String::new();
        if let Some(output) = daemon.stdout.take() {
            BufReader::new(output)
                .read_line(&mut ready)
                .map_err(|error| failed("start", error))?;
        }
        self.daemon = Some(daemon);
        if ready.is_empty() {
            return Err(failed("start", "the daemon ended without a word"));
        }
        let node = self.setup.non_rewinding();
        let begin = Instant::now();
        while !node.exists() {
            if begin.elapsed() > PATIENCE {
                return Err(failed("start", format!("{} never came", node.display())));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn stop(&mut self) -> Result<(), HookError> {
        let Some(mut daemon) = self.daemon.take() else {
            return Ok(());
        };
        let pid = nix::unistd::Pid::from_raw(daemon.id().cast_signed());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM)
            .map_err(|error| failed("stop", error))?;
        let begin = Instant::now();
        loop {
            match daemon.try_wait().map_err(|error| failed("stop", error))? {
                Some(status) if status.success() => return Ok(()),
                // A scenario that ends in the middle of a tape file: the daemon tells, and here that is no matter.
                Some(status) if self.setup.nodes == Nodes::Scsi && status.code() == Some(3) => {
                    return Ok(());
                }
                Some(status) => return Err(failed("stop", status)),
                None if begin.elapsed() > PATIENCE => {
                    daemon.kill().map_err(|error| failed("stop", error))?;
                    return Err(failed("stop", "the daemon did not end"));
                }
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    /// Asks again for a while: the last close of a file of a mount reaches the daemon after close(2) returned.
    fn ask_when_closed(&self, what: &str, request: &Request) -> Result<(), HookError> {
        let begin = Instant::now();
        loop {
            match self.ask(what, request) {
                Err(_) if begin.elapsed() < CLOSE_PATIENCE => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                answer => return answer,
            }
        }
    }

    fn ask(&self, what: &str, request: &Request) -> Result<(), HookError> {
        match call(&self.setup.control(), request, PATIENCE) {
            Ok(Response::Error { message }) => Err(failed(what, message)),
            Ok(Response::Refused(refusal)) => Err(failed(what, refusal.message)),
            Ok(
                Response::Done { .. }
                | Response::Status(_)
                | Response::Options(_)
                | Response::Faults(_)
                | Response::Mirror { .. }
                | Response::Libraries { .. },
            ) => Ok(()),
            Err(error) => Err(failed(what, error)),
        }
    }

    /// Waits for the last close, which reaches the daemon after close(2) returned: its filemark comes before the hand.
    ///
    /// Nothing is waited for where the scenario still has the node open.
    fn wait_closed(&self) -> Result<(), HookError> {
        let begin = Instant::now();
        while begin.elapsed() < CLOSE_PATIENCE
            && !self
                .is_open_here()
                .map_err(|error| failed("status", error))?
        {
            match call(&self.setup.control(), &Request::Status, PATIENCE) {
                Ok(Response::Status(status)) => {
                    if status.drives.iter().all(|drive| drive.open.is_none()) {
                        break;
                    }
                }
                Ok(_) => return Err(failed("status", "another answer")),
                Err(error) => return Err(failed("status", error)),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Whether this process, which runs the scenario, has a tape node open.
    fn is_open_here(&self) -> std::io::Result<bool> {
        let nodes = std::fs::canonicalize(self.setup.directory())?;
        for descriptor in std::fs::read_dir("/proc/self/fd")? {
            // The descriptor that lists the directory is gone by now.
            let Ok(path) = std::fs::read_link(descriptor?.path()) else {
                continue;
            };
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.parent() == Some(&nodes) && name.contains(self.setup.name()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn take_out(&self) -> Result<(), HookError> {
        self.wait_closed()?;
        self.ask(
            "unload",
            &Request::Unload {
                drive: 0,
                force: true,
            },
        )
    }

    /// Rewinds by opening the rewinding node, so that file and block are known.
    fn rewind(&self) -> Result<(), HookError> {
        std::fs::File::open(self.setup.rewinding())
            .map(drop)
            .map_err(|error| failed("rewind", error))
    }
}

impl Operator for DaemonOperator {
    fn hook(&mut self, words: &[&str]) -> Result<(), HookError> {
        match words {
            ["fresh"] => {
                self.create_image(&[])?;
                self.start()?;
                self.rewind()
            }
            ["freshraw"] => {
                self.create_image(&[])?;
                // The drive's report of a medium had been fetched before the recording.
                self.start_with(",announces-medium=false")
            }
            ["smalltape"] => {
                let (capacity, early_warning) = SMALL_BYTES;
                self.create_image(&[
                    format!("--capacity={capacity}B"),
                    format!("--early-warning={early_warning}"),
                ])?;
                self.start()?;
                self.rewind()
            }
            ["units", bytes] => {
                let (capacity, early_warning) = units_bytes(length_of(words, bytes)?);
                self.create_image(&[
                    format!("--capacity={capacity}B"),
                    format!("--early-warning={early_warning}"),
                ])?;
                self.start()?;
                self.rewind()
            }
            ["smallonly"] => {
                self.create_image(&[format!("--capacity={FEW_OBJECTS_BYTES}B")])?;
                self.start()?;
                self.rewind()
            }
            ["wp", on] => self.ask_when_closed(
                "wp",
                &Request::WriteProtect {
                    drive: 0,
                    on: *on == "1",
                },
            ),
            ["eject"] => self.take_out(),
            ["newtape"] => {
                self.take_out()?;
                self.ask(
                    "load",
                    &Request::Load {
                        drive: 0,
                        image: self.setup.image(),
                    },
                )
            }
            ["reset"] => {
                self.wait_closed()?;
                self.ask("reset", &Request::Reset { drive: 0 })
            }
            _ => Err(HookError::Unsupported(words.join(" "))),
        }
    }
}

impl Drop for DaemonOperator {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("{error}");
        }
    }
}
