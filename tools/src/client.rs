//! What the running daemon is asked to do.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use pseudotape_control::{
    FaultsStatus, LibraryOrder, LibraryStatus, OptionsStatus, Request, Response, Status,
};
use pseudotape_human::{Report, Screen, printable};
use pseudotape_tape::Access;
use pseudotape_vault::Label;
use serde::Serialize;

use crate::Verdict;
use crate::cli::{DriveOptions, LoadOptions, UnloadOptions};
use crate::vault::before_load;

/// How long a question may take. A daemon that lives answers at once; but its machine may be busy with something else.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(60);
/// How long an order may take: it may have to write gigabytes to the host's disk first.
const ORDER_TIMEOUT: Duration = Duration::from_secs(300);

/// Where the daemon is, and how long it may take.
#[derive(Clone, Debug)]
pub struct Daemon {
    socket: PathBuf,
    timeout: Option<Duration>,
}

impl Daemon {
    pub(crate) fn new(socket: Option<PathBuf>, timeout_seconds: Option<u64>) -> Self {
        Daemon {
            socket: socket.unwrap_or_else(pseudotape_control::default_socket),
            timeout: timeout_seconds.map(Duration::from_secs),
        }
    }

    /// The same daemon, asked with a shorter patience unless the user named one.
    pub(crate) fn within(self, timeout: Duration) -> Self {
        Daemon {
            timeout: self.timeout.or(Some(timeout)),
            ..self
        }
    }

    /// The state of every drive.
    pub(crate) fn status(&self) -> anyhow::Result<Status> {
        match self.call(&Request::Status, QUESTION_TIMEOUT)? {
            Response::Status(status) => Ok(*status),
            Response::Error { message } => bail!("the daemon refused: {message}"),
            _ => bail!("the daemon answered something else than its status"),
        }
    }

    /// Has something done; returns the daemon's words about it.
    pub(crate) fn order(&self, request: &Request) -> anyhow::Result<Order> {
        match self.call(request, ORDER_TIMEOUT)? {
            Response::Done { message } => Ok(Order { message }),
            Response::Error { message } => bail!("the daemon refused: {message}"),
            Response::Refused(refusal) => bail!("the library refused: {}", refusal.message),
            Response::Status(_)
            | Response::Options(_)
            | Response::Faults(_)
            | Response::Mirror { .. }
            | Response::Libraries { .. } => {
                bail!("the daemon answered its status instead of what it did")
            }
        }
    }

    /// The state of all libraries, or of one.
    pub(crate) fn libraries(&self, name: Option<&str>) -> anyhow::Result<Vec<LibraryStatus>> {
        let library = name.map(str::to_owned);
        match self.call(&Request::Libraries { library }, QUESTION_TIMEOUT)? {
            Response::Libraries { libraries } => Ok(libraries),
            Response::Error { message } => bail!("the daemon refused: {message}"),
            _ => bail!("the daemon answered something else than its libraries"),
        }
    }

    /// Has a library do something.
    pub(crate) fn library(&self, name: Option<&str>, order: LibraryOrder) -> anyhow::Result<Order> {
        let library = name.map(str::to_owned);
        self.order(&Request::Library { library, order })
    }

    /// The options of a drive, after what is to be set was set.
    pub(crate) fn options(&self, request: &Request) -> anyhow::Result<OptionsStatus> {
        match self.call(request, QUESTION_TIMEOUT)? {
            Response::Options(options) => Ok(options),
            Response::Error { message } => bail!("the daemon refused: {message}"),
            _ => bail!("the daemon answered something else than the options of its drive"),
        }
    }

    /// The faults of a drive, after what is to be removed and injected was.
    pub(crate) fn faults(&self, request: &Request) -> anyhow::Result<FaultsStatus> {
        match self.call(request, QUESTION_TIMEOUT)? {
            Response::Faults(faults) => Ok(faults),
            Response::Error { message } => bail!("the daemon refused: {message}"),
            _ => bail!("the daemon answered something else than the faults of its drive"),
        }
    }

    fn call(&self, request: &Request, timeout: Duration) -> anyhow::Result<Response> {
        let timeout = self.timeout.unwrap_or(timeout);
        Ok(pseudotape_control::call(&self.socket, request, timeout)?)
    }
}

/// An order that was done.
#[derive(Debug, Serialize)]
pub(crate) struct Order {
    message: String,
}

impl Report for Order {
    fn text(&self, _: &Screen) -> String {
        printable(&self.message) + "\n"
    }
}

pub(crate) fn load(
    options: &LoadOptions,
    daemon: &Daemon,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let drive = options.drive;
    if let Some(label) = &options.label {
        recalled(options, label, daemon, screen)?;
    }
    let request = match &options.image {
        // The daemon runs in another directory. Whether the volume is there is the daemon's to say: it
        // may see files that this user can't, and it has folders of its own.
        Some(image) => Request::Load {
            drive,
            image: pseudotape_bay::asked_name(image)?,
        },
        None => Request::LoadVolume {
            drive,
            volume: options.label.as_ref().map(ToString::to_string),
            read_only: options.read_only,
        },
    };
    screen.show(&daemon.order(&request)?)?;
    Ok(Verdict::Well)
}

/// A volume that is not on the disk of the daemon's vault comes back first, where a stacked volume is at hand.
fn recalled(
    options: &LoadOptions,
    label: &Label,
    daemon: &Daemon,
    screen: &Screen,
) -> anyhow::Result<()> {
    let access = match options.read_only {
        true => Access::ReadOnly,
        false => Access::ReadWrite,
    };
    match daemon.status()?.vault {
        Some(vault) if vault.trouble.is_none() => {
            before_load(&vault.directory, label, access, screen)
        }
        Some(_) | None => Ok(()),
    }
}

pub(crate) fn unload(
    options: &UnloadOptions,
    daemon: &Daemon,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let &UnloadOptions { drive, force } = options;
    screen.show(&daemon.order(&Request::Unload { drive, force })?)?;
    Ok(Verdict::Well)
}

pub(crate) fn reset(
    options: &DriveOptions,
    daemon: &Daemon,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let drive = options.drive;
    screen.show(&daemon.order(&Request::Reset { drive })?)?;
    Ok(Verdict::Well)
}
