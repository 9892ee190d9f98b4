//! What a running mirror is asked.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use pseudotape_control::mirror::{LegVolume, MirrorStatus, Request, Response, default_socket};
use pseudotape_control::{FaultStatus, call};
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
    socket: PathBuf,
    timeout: Option<Duration>,
}

impl Client {
    pub(super) fn new(socket: Option<PathBuf>, timeout_seconds: Option<u64>) -> Self {
        Client {
            socket: socket.unwrap_or_else(default_socket),
            timeout: timeout_seconds.map(Duration::from_secs),
        }
    }

    pub(super) fn status(&self) -> Result<MirrorStatus> {
        let timeout = self.timeout.unwrap_or(QUESTION);
        match call(&self.socket, &Request::Status, timeout)? {
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
        match call(&self.socket, request, timeout)? {
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
        match call(&self.socket, &request, timeout)? {
            Response::Faults { leg, faults } => screen.show(&LegFaults { leg, faults })?,
            Response::Error { message } => bail!("{message}"),
            Response::Done { .. } | Response::Status(_) => {
                bail!("the mirror answered something else than the faults of its leg")
            }
        }
        Ok(Verdict::Well)
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
