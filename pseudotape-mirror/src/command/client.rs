//! What a running mirror is asked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use pseudotape_control::mirror::{
    LegVolume, MirrorStatus, Request, Response, SOCKET_VARIABLE, default_socket,
};
use pseudotape_control::{Error, FaultStatus, call};
use pseudotape_human::{Paint, Report, Screen, printable};
use pseudotape_mirror::parse_assignment;
use serde::Serialize;

use super::verdict::Verdict;
use crate::cli::{InjectOptions, ReturnOptions};

/// How long a question may take. A mirror that lives answers at once; but its machine may be busy with something else.
const QUESTION: Duration = Duration::from_secs(60);
/// How long an order may take: a resync reads whole tapes.
const ORDER: Duration = Duration::from_secs(30 * 24 * 3600);

/// Where the mirror is, and how long it may take.
pub(super) struct Client {
    /// The control socket that was named.
    socket: Option<PathBuf>,
    /// The drive of the device daemon that is the mirror.
    drive: Option<u32>,
    timeout: Option<Duration>,
}

impl Client {
    pub(super) fn new(
        socket: Option<PathBuf>,
        drive: Option<u32>,
        timeout_seconds: Option<u64>,
    ) -> Self {
        Client {
            socket,
            drive,
            timeout: timeout_seconds.map(Duration::from_secs),
        }
    }

    /// Asks the mirror. Where no place was named and no mirror daemon is there, that is the only drive of the device
    /// daemon that is a mirror.
    fn ask(&self, request: &Request, timeout: Duration) -> Result<Response> {
        if let Some(number) = self.drive {
            return self.ask_drive(number, request, timeout);
        }
        let socket = self.socket.clone().unwrap_or_else(default_socket);
        let is_named = self.socket.is_some() || std::env::var_os(SOCKET_VARIABLE).is_some();
        match call(&socket, request, timeout) {
            Err(error @ Error::Connect { .. }) if !is_named => match only_drive()? {
                Some(number) => self.ask_drive(number, request, timeout),
                None => Err(error.into()),
            },
            Err(Error::Malformed(_)) | Ok(Response::Error { .. }) if is_device_daemon(&socket) => {
                bail!(
                    "{} is the socket of a device daemon: say which of its drives is meant by --drive N",
                    printable(&socket.display().to_string())
                )
            }
            answer => Ok(answer?),
        }
    }

    fn ask_drive(&self, drive: u32, request: &Request, timeout: Duration) -> Result<Response> {
        let socket = self.socket.clone();
        let socket = socket.unwrap_or_else(pseudotape_control::default_socket);
        let asked = pseudotape_control::Request::Mirror {
            drive,
            ask: request.clone(),
        };
        match call(&socket, &asked, timeout)? {
            pseudotape_control::Response::Mirror { told, .. } => Ok(told),
            pseudotape_control::Response::Error { message } => Ok(Response::Error { message }),
            _ => bail!("the device daemon answered something else than what its mirror says"),
        }
    }

    pub(super) fn status(&self) -> Result<MirrorStatus> {
        let timeout = self.timeout.unwrap_or(QUESTION);
        match self.ask(&Request::Status, timeout)? {
            Response::Status(status) => Ok(*status),
            Response::Done { .. } | Response::Faults { .. } => {
                bail!("the mirror answered something else than its status")
            }
            Response::Error { message } => bail!("the mirror refused: {message}"),
        }
    }

    /// Has something done, and prints the mirror's words about it.
    pub(super) fn order(&self, request: &Request, screen: &Screen) -> Result<Verdict> {
        let timeout = self.timeout.unwrap_or(ORDER);
        match self.ask(request, timeout)? {
            Response::Done { message } => screen.show(&Done { message })?,
            Response::Status(_) | Response::Faults { .. } => {
                bail!("the mirror answered its status instead of what it did")
            }
            Response::Error { message } => bail!("{message}"),
        }
        Ok(Verdict::Well)
    }

    /// Removes and injects faults of a leg, and shows what there is then.
    pub(super) fn inject(&self, options: InjectOptions, screen: &Screen) -> Result<Verdict> {
        let InjectOptions {
            leg,
            faults,
            remove,
        } = options;
        let request = Request::Inject {
            leg,
            remove,
            faults,
        };
        let timeout = self.timeout.unwrap_or(QUESTION);
        match self.ask(&request, timeout)? {
            Response::Faults { leg, faults } => screen.show(&LegFaults { leg, faults })?,
            Response::Error { message } => bail!("{message}"),
            Response::Done { .. } | Response::Status(_) => {
                bail!("the mirror answered something else than the faults of its leg")
            }
        }
        Ok(Verdict::Well)
    }
}

/// Whether a device daemon answers there. It can't read what a mirror daemon is asked, and does nothing then. The
/// status of a mirror daemon can be read as one of a device daemon, but not the other way round.
fn is_device_daemon(socket: &Path) -> bool {
    let as_mirror: Result<Response, Error> = call(socket, &Request::Status, QUESTION);
    let as_device = call(socket, &pseudotape_control::Request::Status, QUESTION);
    matches!(as_mirror, Err(Error::Malformed(_)))
        && matches!(as_device, Ok(pseudotape_control::Response::Status(_)))
}

/// The only drive of the device daemon that is a mirror; `None` where none is, or no daemon says so. Where a drive has
/// a slave end, a mirror daemon that has ended could be meant, and no other mirror may get its orders.
fn only_drive() -> Result<Option<u32>> {
    let socket = pseudotape_control::default_socket();
    let answer = call(&socket, &pseudotape_control::Request::Status, QUESTION);
    let Ok(pseudotape_control::Response::Status(status)) = answer else {
        return Ok(None);
    };
    let drives = status.drives.iter();
    if drives.clone().any(|drive| drive.slave.is_some()) {
        return Ok(None);
    }
    let mirrors = drives.filter(|drive| drive.mirror.is_some());
    let numbers: Vec<_> = mirrors.map(|drive| drive.drive).collect();
    match *numbers {
        [] => Ok(None),
        [only] => Ok(Some(only)),
        _ => {
            let numbers: Vec<_> = numbers.iter().map(u32::to_string).collect();
            bail!(
                "drives {} of the device daemon are mirrors: say which one by --drive N",
                numbers.join(", ")
            )
        }
    }
}

/// An order that was done, in the mirror's words.
#[derive(Debug, Serialize)]
pub(super) struct Done {
    pub message: String,
}

impl Report for Done {
    fn text(&self, _: &Screen) -> String {
        printable(&self.message) + "\n"
    }
}

/// The faults of a leg, as a report.
#[derive(Debug, Serialize)]
pub(super) struct LegFaults {
    pub leg: String,
    pub faults: Vec<FaultStatus>,
}

impl Report for LegFaults {
    fn text(&self, screen: &Screen) -> String {
        let mut text = screen.paint(Paint::Heading, &format!("leg {}", printable(&self.leg)));
        if self.faults.is_empty() {
            text.push_str("  no faults");
        }
        text.push('\n');
        for fault in &self.faults {
            let words = printable(&fault.to_string());
            text.push_str(&format!("  {:<3} {words}\n", fault.number));
        }
        text
    }
}

/// Reads `LEG=SINK`. Whether the sink is there is the daemon's to say: it may see files that this user can't.
pub(super) fn leg_volume(text: &str) -> Result<LegVolume> {
    let (leg, sink) = parse_assignment(text)?;
    let sink = sink.to_string();
    Ok(LegVolume { leg, sink })
}

/// Reads `LEG` or `LEG=SINK`.
pub(super) fn return_of(options: &ReturnOptions) -> Result<Request> {
    let (text, force) = (&options.leg, options.force);
    if !text.contains('=') {
        return Ok(Request::Return {
            leg: text.clone(),
            sink: None,
            force,
        });
    }
    let LegVolume { leg, sink } = leg_volume(text)?;
    Ok(Request::Return {
        leg,
        sink: Some(sink),
        force,
    })
}
