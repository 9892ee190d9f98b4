//! The daemon's life: drives, control socket, frontend, then wait for the end.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, Error, Result, bail, ensure};
use pseudotape_control::{
    Conversation, DriveStatus, Operator, Peer, Readiness, Request, Response, Status, VaultStatus,
};
use pseudotape_human::{HumanBytes, explain};
use pseudotape_mirror::GivenUp;
use pseudotape_sink::Lent;

use crate::config::{Config, MAX_DRIVES};
use crate::ends::Ends;
use crate::event::Event;
use crate::frontend::{self, Frontend};
use crate::library::{Libraries, ServedLibrary, ServesNodes, take_libraries};
use crate::listening::{control_in_words, listen_control, listen_for_signals};
use crate::scsi_here;
use crate::tape_drive::TapeDrive;
use crate::vault::{Desk, Volumes, Wanted};

/// How often the throughput of legs is sampled.
const SAMPLE: Duration = Duration::from_secs(1);

/// How the daemon ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Programs were done.
    Done,
    /// A program had written and still had its file open: the tape file was ended for it.
    ProgramCut,
}

/// The drives, as the control socket sees them.
struct Drives {
    drives: Vec<Arc<TapeDrive>>,
    libraries: Libraries,
    desk: Option<Arc<Desk>>,
    frontend: &'static str,
    changer_nodes: Vec<PathBuf>,
    lent: Lent,
}

/// Serves until a signal asks to end; then closes open files, commits, closes the images and removes the nodes.
pub fn run(config: &Config, mut readiness: Readiness) -> Result<Ended> {
    let (events, happened) = channel();
    let ends = Ends::default();
    listen_for_signals(events.clone(), Event::Signal, ends.clone())?;
    scsi_here::tell();
    let desk = config.vault.as_deref();
    let desk = desk
        .map(|folder| Desk::open(folder, "pseudotape-dev"))
        .transpose()?;
    let desk = desk.map(Arc::new);
    let mut drives = Vec::new();
    for (number, drive) in config.drives.iter().enumerate() {
        let number = u32::try_from(number).context("too many drives")?;
        match TapeDrive::with_vault(
            number,
            drive,
            Arc::clone(&ends.once),
            of_drives(desk.as_ref()),
        ) {
            Ok(drive) => drives.push(Arc::new(drive)),
            Err(error) if ends.once.load(Ordering::SeqCst) && !error.is::<GivenUp>() => {
                log::info!(
                    "ends before its drives are there: {}",
                    explain(error.chain())
                );
                return Ok(Ended::Done);
            }
            Err(error) => return Err(error.context(format!("drive {number}"))),
        }
    }
    let libraries = start_libraries(config, &mut drives, &desk, &ends)?;
    let libraries = Libraries::new(libraries, &config.changers);
    let frontend = frontend::start(config, &drives, libraries.changers(), &events)?;
    let changer_nodes = frontend.changer_nodes(libraries.changers());
    let operator = Arc::new(Drives {
        drives,
        libraries,
        desk,
        frontend: frontend.name(),
        changer_nodes,
        lent: config.control.lent.clone(),
    });
    let control = listen_control(&config.control, &operator)
        .and_then(|control| announce(config, &operator, &frontend).map(|()| control));
    let reason = match control {
        Err(error) => Err(error),
        Ok(control) => {
            readiness.announce();
            let event = await_event(&happened, &operator.drives)?;
            drop(control);
            match event {
                Event::Signal(signal) => {
                    log::info!("ends: signal {signal}");
                    Ok(())
                }
                Event::FrontendEnded(why) => Err(anyhow::anyhow!("{why}")),
            }
        }
    };
    // What ends meets no fault, and waits for none.
    operator.drives.iter().for_each(|drive| drive.end_faults());
    // A move in hand goes on to its end.
    operator.libraries.settle();
    let ended = end(&operator.drives, frontend, &ends);
    if let Some(desk) = &operator.desk {
        desk.settle();
    }
    reason.and(ended)
}

/// Waits for an event; meanwhile the mirrors of legs note their throughput, where there are some.
pub fn await_event<E>(happened: &Receiver<E>, drives: &[Arc<TapeDrive>]) -> Result<E> {
    let mirrors: Vec<_> = drives
        .iter()
        .filter(|drive| drive.legs_side().is_some())
        .collect();
    let nobody = "nobody is left to end the daemon";
    if mirrors.is_empty() {
        return happened.recv().ok().context(nobody);
    }
    loop {
        match happened.recv_timeout(SAMPLE) {
            Ok(event) => return Ok(event),
            Err(RecvTimeoutError::Timeout) => mirrors.iter().for_each(|mirror| mirror.sample()),
            Err(RecvTimeoutError::Disconnected) => bail!("{nobody}"),
        }
    }
}

/// Takes each library, makes its drives, and loads them.
fn start_libraries(
    config: &Config,
    drives: &mut Vec<Arc<TapeDrive>>,
    desk: &Option<Arc<Desk>>,
    ends: &Ends,
) -> Result<Vec<Arc<ServedLibrary>>> {
    let mut served = Vec::new();
    for library in take_libraries(&config.libraries, drives.len(), MAX_DRIVES)? {
        let own = library.make_drives(|number, drive| {
            TapeDrive::with_vault(
                number,
                drive,
                Arc::clone(&ends.once),
                of_drives(desk.as_ref()),
            )
        })?;
        drives.extend(own.iter().cloned());
        served.push(library.start(own)?);
    }
    Ok(served)
}

/// The vault as a drive sees it.
#[must_use]
pub fn of_drives(desk: Option<&Arc<Desk>>) -> Option<Arc<dyn Volumes>> {
    let desk = desk?;
    Some(Arc::clone(desk) as Arc<dyn Volumes>)
}

/// Closes files that are still open, commits and closes each image, then removes the nodes. The drives end beside each
/// other: one that is waited for keeps no other from its end. A failure stops none of these steps; the first one is
/// told.
fn end(drives: &[Arc<TapeDrive>], mut frontend: Frontend, ends: &Ends) -> Result<Ended> {
    frontend.close_sockets();
    let ended: Vec<_> = std::thread::scope(|scope| {
        let threads = drives.iter().map(|drive| {
            let (settle, ending) = (frontend.settling(drive), Arc::clone(drive));
            let end = move || {
                settle();
                ending.end()
            };
            scope.spawn(move || drive.within_end_wait(ends, end))
        });
        let threads: Vec<_> = threads.collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined.collect()
    });
    let mut result = Ok(Ended::Done);
    let mut is_given_up = false;
    for (drive, ended) in drives.iter().zip(ended) {
        let number = drive.number();
        let ended = ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        is_given_up |= ended.is_err();
        match ended {
            Ok(Ok(None)) => {}
            Ok(Ok(Some(cut))) => {
                log::error!("drive {number}: {cut}");
                result = result.map(|_| Ended::ProgramCut);
            }
            Ok(Err(error)) => {
                log::error!("drive {number}: {error:#}");
                result = result.and(Err(error.context(format!("drive {number}"))));
            }
            // It has told what it left.
            Err(error) => {
                result = result.and(Err(Error::new(error).context(format!("drive {number}"))));
            }
        }
    }
    let stopped = match is_given_up {
        true => frontend.abandon(),
        false => frontend.stop(),
    };
    stopped.and(result)
}

/// Prints where the drives are.
fn announce(config: &Config, operator: &Drives, frontend: &Frontend) -> Result<()> {
    let mut text = format!("{}\n", frontend.description());
    for drive in &operator.drives {
        let status = drive.status();
        let nodes: Vec<_> = status
            .nodes
            .iter()
            .map(|node| node.display().to_string())
            .collect();
        write!(text, "drive {}: {}", status.drive, nodes.join(" "))?;
        match (&status.medium, &status.capacity) {
            (Some(medium), Some(capacity)) => {
                write!(text, ", {}", medium.image.display())?;
                let left = capacity.left_bytes.map(HumanBytes);
                write!(text, ", {} used", HumanBytes(capacity.used_bytes))?;
                if let Some(left) = left {
                    write!(text, ", {left} left")?;
                }
                match &medium.read_only {
                    Some(why) => write!(text, ", read only ({why})")?,
                    None if medium.write_protected => text.push_str(", write protected"),
                    None => {}
                }
            }
            _ if status.slave.is_some() || status.mirror.is_some() => {}
            _ => text.push_str(", no cartridge"),
        }
        text.push('\n');
        if let Some(slave) = &status.slave {
            write!(text, "drive {}: its slave comes to", status.drive)?;
            if let Some(node) = &slave.node {
                write!(text, " {} or", node.display())?;
            }
            writeln!(text, " {}", slave.socket.display())?;
        }
        for leg in status.mirror.iter().flat_map(|mirror| &mirror.legs) {
            let sink = leg.sink.as_deref().unwrap_or("nothing in it yet");
            writeln!(text, "drive {}: leg {}: {sink}", status.drive, leg.name)?;
        }
    }
    if let Some(desk) = &operator.desk {
        let (vault, troubles) = desk.greeting();
        writeln!(text, "vault: {vault}")?;
        troubles
            .iter()
            .for_each(|trouble| log::warn!("vault: {trouble}"));
    }
    for library in operator.libraries.own() {
        writeln!(text, "library {}: {}", library.name(), library.in_words())?;
    }
    for (number, changer, place) in operator.libraries.changers().elsewhere() {
        writeln!(text, "{}: pmch{number}, {place}", changer.name())?;
    }
    writeln!(text, "{}", control_in_words(&config.control)?)?;
    let mut out = std::io::stdout().lock();
    // A closed standard output is no reason not to serve.
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        log::warn!("can't print where the drives are: {error}");
    }
    Ok(())
}

impl Drives {
    fn find(&self, number: u32) -> Result<&TapeDrive> {
        match self.drives.iter().find(|drive| drive.number() == number) {
            Some(drive) => Ok(drive),
            None => bail!(
                "there is no drive {number}: this daemon has 0 to {}",
                self.drives.len() - 1
            ),
        }
    }

    /// A drive into which cartridges are put by hand. A drive of a library gets its cartridges from the library.
    fn find_by_hand(&self, number: u32) -> Result<&TapeDrive> {
        let drive = self.find(number)?;
        self.libraries.expect_by_hand(number)?;
        Ok(drive)
    }

    fn status(&self, drive: &TapeDrive) -> DriveStatus {
        let library = self.libraries.of_drive(drive.number());
        DriveStatus {
            library: library.map(|library| library.name().to_owned()),
            ..drive.status()
        }
    }

    fn act(&self, request: Request, peer: Peer) -> Result<Response> {
        let message = match request {
            Request::Status => {
                return Ok(Response::Status(Box::new(Status {
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    pid: std::process::id(),
                    frontend: self.frontend.to_owned(),
                    vault: self.desk.as_ref().map(|desk| VaultStatus {
                        directory: desk.directory(),
                        trouble: desk.trouble(),
                    }),
                    drives: self.drives.iter().map(|drive| self.status(drive)).collect(),
                })));
            }
            Request::Load { drive, image } => self
                .find_by_hand(drive)?
                .load_for(&image, &self.lent, peer)?,
            Request::LoadVolume {
                drive,
                volume,
                read_only,
            } => {
                let wanted = Wanted::asked(volume.as_deref(), read_only)?;
                let drive = self.find_by_hand(drive)?;
                drive.load_wanted(&wanted, &self.lent, peer)?
            }
            Request::Unload { drive, force } => self.find_by_hand(drive)?.unload(force)?,
            Request::WriteProtect { drive, on } => self.find(drive)?.write_protect(on)?,
            Request::Reset { drive } => self.find(drive)?.reset()?,
            Request::Options { drive, mode, set } => {
                // On a node only root may: MTSETDRVBUFFER needs CAP_SYS_ADMIN.
                ensure!(
                    set.is_empty() || peer.is_own(),
                    "options of the driver are set by root and the daemon's own user, as on a node: ask them, or say \
                     'options' for the drive in the daemon's configuration"
                );
                return Ok(Response::Options(self.find(drive)?.options(mode, &set)?));
            }
            Request::Mirror { drive, ask } => {
                let told = self.find(drive)?.ask_mirror(ask, peer)?;
                return Ok(Response::Mirror { drive, told });
            }
            Request::Inject {
                drive,
                remove,
                faults,
            } => {
                let drive = self.find(drive)?;
                ensure!(
                    peer.is_own() || (remove.is_empty() && faults.is_empty()),
                    "faults are injected and removed by root and the daemon's own user: ask them, or say 'faults' for \
                     the drive in the daemon's configuration"
                );
                return Ok(Response::Faults(drive.inject(&remove, &faults)?));
            }
            Request::Libraries { .. } | Request::Library { .. } | Request::Changer { .. } => {
                let done = self.libraries.act(&request, peer, self);
                return done.unwrap_or_else(|| bail!("it is no request of a library"));
            }
        };
        Ok(Response::Done { message })
    }
}

impl ServesNodes for Drives {
    fn of_changer(&self, number: usize) -> Vec<PathBuf> {
        self.changer_nodes
            .get(number)
            .cloned()
            .into_iter()
            .collect()
    }

    fn of_drive(&self, number: u32) -> Vec<PathBuf> {
        let drive = self.find(number).map(|drive| drive.status().nodes);
        drive.unwrap_or_default()
    }
}

impl Operator for Drives {
    type Request = Request;
    type Response = Response;

    fn answer(&self, request: Request, peer: Peer) -> Response {
        self.act(request, peer)
            .unwrap_or_else(|error| Response::Error {
                message: explain(error.chain()),
            })
    }

    fn refusal(&self, message: String) -> Response {
        Response::Error { message }
    }

    fn conversation(&self, request: &Request, _: Peer) -> Option<(Response, Conversation)> {
        self.libraries.conversation(request)
    }
}
