//! The configuration, from the file and the command line. It is checked before anything starts.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use pseudotape_control::{ControlSettings, default_socket, parse_mode};
use pseudotape_rack::ChangerPlace;
use pseudotape_sink::Lent;
use serde::Deserialize;

use crate::cli::Arguments;
use crate::fuse::Uring;
use crate::library::Times;
use drive::check_library_drive;
use values::Seconds;
pub use values::absolute;

mod drive;
mod images;
mod legs;
mod tables;
mod values;

pub use drive::{
    DriveConfig, DriveTable, HeldConfig, ImageConfig, MODES, SlaveConfig, check_drive, parse_spec,
};
pub(crate) use drive::{default_serial, drive_keys, parse_option};
pub use legs::LegsConfig;
pub use tables::{Tables, read_toml};

/// Most drives of one daemon.
pub const MAX_DRIVES: usize = 256;
/// How long a blocking open waits for a medium. The 120 s of st are for the way of a cartridge: a person or a changer
/// brings it, and a drive threads it. Ours is in the drive as soon as it is loaded, and where nobody is about to load
/// one, a program that waits for two minutes looks as if it hung. These seconds are for a script that loads beside the
/// program.
const DEFAULT_OPEN_WAIT: Duration = Duration::from_secs(5);
const DEFAULT_NODE_MODE: u32 = 0o660;
const DEFAULT_GROUP: &str = "tape";

/// Everything that the daemon needs to know to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How programs reach the drives.
    pub frontend: Frontend,
    /// How the calls of a mount come.
    pub uring: Uring,
    /// The control socket.
    pub control: ControlConfig,
    /// Permission bits of the nodes.
    pub node_mode: u32,
    /// Group of the nodes; `None`: the daemon's own.
    pub group: Group,
    /// How long a blocking open waits for a medium.
    pub open_wait: Duration,
    /// Which modes of the drives have nodes.
    pub modes: Modes,
    /// The drives, in order of their numbers.
    pub drives: Vec<DriveConfig>,
    /// The libraries, whose drives come after these.
    pub libraries: Vec<LibraryConfig>,
    /// Changers of elsewhere, whose nodes come after those of the libraries.
    pub changers: Vec<ChangerPlace>,
    /// The vault whose volumes are loaded by their labels.
    pub vault: Option<PathBuf>,
}

/// A library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibraryConfig {
    /// Its folder.
    pub folder: PathBuf,
    /// The configuration of its drives; each drive gets a serial number of its own.
    pub drive: DriveConfig,
    /// How long its moves take.
    pub times: Times,
}

/// The control socket: who may connect, and which volumes they may load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlConfig {
    /// Path of the socket.
    pub socket: PathBuf,
    /// Permission bits.
    pub mode: u32,
    /// Most clients at a time.
    pub max_clients: usize,
    /// Group of the socket; [`Group::Default`] where the group of the nodes is not named either.
    pub group: Group,
    /// The volumes that users other than root and the daemon's own may load.
    pub lent: Lent,
}

/// Which modes of a drive have nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modes {
    /// The mode whose nodes have no letter.
    Plain,
    /// All four modes: also those whose nodes end in `l`, `m` and `a`.
    All,
}

/// How programs reach the drives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frontend {
    /// CUSE where `/dev/cuse` can be opened, else a FUSE mount on this directory if there is one.
    Auto(Option<PathBuf>),
    /// Character devices in `/dev`.
    Cuse,
    /// Files in this directory.
    Fuse(PathBuf),
}

/// Group of the nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group {
    /// This one, which has to exist.
    Named(String),
    /// `tape` where it exists and can be given, else the daemon's own.
    Default,
}

impl Group {
    /// The name to look up.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Group::Named(name) => name,
            Group::Default => DEFAULT_GROUP,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FileConfig {
    frontend: Option<FrontendName>,
    mount: Option<PathBuf>,
    uring: Option<Uring>,
    #[serde(default)]
    control: ControlSettings,
    mode: Option<String>,
    group: Option<String>,
    open_wait: Option<u64>,
    #[serde(default)]
    mode_nodes: bool,
    #[serde(default)]
    drive: Vec<DriveTable>,
    #[serde(default)]
    library: Vec<LibraryTable>,
    #[serde(default)]
    changers: Vec<String>,
    vault: Option<PathBuf>,
}

/// `[[library]]` of the configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LibraryTable {
    folder: PathBuf,
    #[serde(default)]
    drive: DriveTable,
    #[serde(default)]
    delay: DelayTable,
}

/// Seconds that the parts of a move take.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct DelayTable {
    unload: Option<Seconds>,
    carry: Option<Seconds>,
    load: Option<Seconds>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FrontendName {
    Auto,
    Cuse,
    Fuse,
}

/// Puts the configuration file and the command line together; the command line wins, its drives come
/// after the file's.
pub fn read(arguments: &Arguments) -> Result<Config> {
    let file = match &arguments.config {
        Some(path) => read_toml(path)?,
        None => FileConfig::default(),
    };
    let FileConfig {
        drive: drives,
        library: libraries,
        changers,
        ..
    } = file;
    let of_file = Tables {
        drives,
        libraries,
        changers,
    };
    let Arguments {
        drive,
        library,
        changer,
        ..
    } = arguments;
    let tables = of_file.with_line(drive, library, changer)?;
    ensure!(
        !tables.drives.is_empty() || !tables.libraries.is_empty(),
        "no drive to serve: give --drive IMAGE (or --drive '' for an empty one), or [[drive]] in a --config file"
    );
    let (mut drives, libraries, changers) = tables.check(MAX_DRIVES, check_drive, check_library)?;
    let vault = arguments.vault.clone().or(file.vault);
    let mode = arguments.mode.as_ref().or(file.mode.as_ref());
    let node_mode = mode.map_or(Ok(DEFAULT_NODE_MODE), |text| parse_mode(text))?;
    let group = arguments.group.clone().or(file.group);
    let group = group.map_or(Group::Default, Group::Named);
    let socket = arguments.control.clone();
    let control = check_control(socket, file.control, node_mode, &group)?;
    check_together(&mut drives, &control)?;
    Ok(Config {
        frontend: choose_frontend(arguments, file.frontend, file.mount)?,
        uring: arguments.uring.or(file.uring).unwrap_or_default(),
        control,
        node_mode,
        group,
        open_wait: arguments
            .open_wait
            .or(file.open_wait)
            .map_or(DEFAULT_OPEN_WAIT, Duration::from_secs),
        modes: if arguments.mode_nodes || file.mode_nodes {
            Modes::All
        } else {
            Modes::Plain
        },
        drives,
        libraries,
        changers,
        vault: vault.map(absolute).transpose()?,
    })
}

impl LibraryTable {
    /// That of a folder alone.
    #[must_use]
    pub fn of(folder: PathBuf) -> Self {
        LibraryTable {
            folder,
            drive: DriveTable::default(),
            delay: DelayTable::default(),
        }
    }
}

/// Checks one library.
pub fn check_library(table: LibraryTable) -> Result<LibraryConfig> {
    let folder = absolute(table.folder)?;
    // To open a FIFO waits for ever.
    ensure!(
        folder.is_dir() || !folder.exists(),
        "library {}: it is no folder",
        folder.display()
    );
    let drive = check_library_drive(table.drive);
    let drive = drive.with_context(|| format!("library {}", folder.display()))?;
    let times = check_delay(table.delay);
    let times = times.with_context(|| format!("library {}", folder.display()))?;
    Ok(LibraryConfig {
        folder,
        drive,
        times,
    })
}

/// Programs give a move five minutes; one with each part at this limit still ends in that time.
const LONGEST_DELAY: Duration = Duration::from_secs(60);

fn check_delay(table: DelayTable) -> Result<Times> {
    let check = |name: &str, seconds: Option<Seconds>| {
        let time = seconds.map_or(Duration::ZERO, |seconds| seconds.0);
        ensure!(
            time <= LONGEST_DELAY,
            "delay.{name}: {} s is more than {} s",
            time.as_secs_f64(),
            LONGEST_DELAY.as_secs()
        );
        Ok(time)
    };
    Ok(Times {
        unload: check("unload", table.unload)?,
        carry: check("carry", table.carry)?,
        load: check("load", table.load)?,
    })
}

/// Users of the nodes may connect, unless the table says otherwise.
pub fn check_control(
    socket: Option<PathBuf>,
    settings: ControlSettings,
    node_mode: u32,
    node_group: &Group,
) -> Result<ControlConfig> {
    let mode = settings.mode.as_deref().map(parse_mode).transpose();
    Ok(ControlConfig {
        socket: socket.or(settings.socket).unwrap_or_else(default_socket),
        mode: mode.context("control")?.unwrap_or(node_mode & 0o660),
        max_clients: settings
            .max_clients
            .map_or(pseudotape_control::MAX_CLIENTS, NonZeroUsize::get),
        group: settings.group.map_or(node_group.clone(), Group::Named),
        lent: Lent {
            folders: settings.folders,
            devices: settings.devices,
            keys: settings.keys,
            remotes: settings.remotes,
            programs: settings.programs,
        },
    })
}

/// Checks what only all drives together say: no image is in two places, and each socket has a place of its own. Legs
/// learn which volumes others may load.
pub fn check_together(drives: &mut [DriveConfig], control: &ControlConfig) -> Result<()> {
    images::check(drives)?;
    check_sockets(drives, &control.socket)?;
    for drive in drives {
        if let HeldConfig::Legs(legs) = &mut drive.held {
            legs.lent = control.lent.clone();
        }
    }
    Ok(())
}

/// Each socket has a place of its own.
fn check_sockets(drives: &[DriveConfig], control: &Path) -> Result<()> {
    let mut taken = vec![absolute(control.to_owned())?];
    for (number, drive) in drives.iter().enumerate() {
        if let HeldConfig::Slave(slave) = &drive.held {
            ensure!(
                !taken.contains(&slave.socket),
                "drive {number}: another socket is already at {}: slave=SOCKET needs a place of its own",
                slave.socket.display()
            );
            taken.push(slave.socket.clone());
        }
    }
    Ok(())
}

fn choose_frontend(
    arguments: &Arguments,
    name: Option<FrontendName>,
    mount: Option<PathBuf>,
) -> Result<Frontend> {
    if arguments.cuse {
        return Ok(Frontend::Cuse);
    }
    if let Some(directory) = &arguments.fuse {
        return Ok(Frontend::Fuse(mount_point(directory.clone())?));
    }
    match (name.unwrap_or(FrontendName::Auto), mount) {
        (FrontendName::Auto, mount) => Ok(Frontend::Auto(mount.map(mount_point).transpose()?)),
        (FrontendName::Cuse, _) => Ok(Frontend::Cuse),
        (FrontendName::Fuse, Some(directory)) => Ok(Frontend::Fuse(mount_point(directory)?)),
        (FrontendName::Fuse, None) => {
            bail!("frontend = \"fuse\" needs a directory: mount = \"DIR\"")
        }
    }
}

/// A directory that is there, or can be made.
fn mount_point(directory: PathBuf) -> Result<PathBuf> {
    let directory = absolute(directory)?;
    ensure!(
        !directory.exists() || directory.is_dir(),
        "{} is no directory: choose another name for the mount",
        directory.display()
    );
    Ok(directory)
}

#[cfg(test)]
mod tests;
