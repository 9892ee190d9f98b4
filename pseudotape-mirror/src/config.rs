//! What the daemon is to be, from the command line and a TOML file.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use pseudotape_control::mirror::default_socket;
use pseudotape_control::{ControlSettings, SocketGroup, named_group, parse_mode};
use pseudotape_human::{Size, field_meant, parse_serial, read_text_file};
use pseudotape_mirror::{LegConfig, LegTable, MirrorOptions, check_leg, check_legs, parse_leg};
use pseudotape_sink::Lent;
use serde::Deserialize;

use crate::cli::RunOptions;

mod changer;
mod place;

pub use changer::{ChangerConfig, ChangerLegConfig};
use changer::{ChangerTable, check_changers};
use place::absolute;

/// Who may use the control socket: the daemon's user and the group.
const CONTROL_MODE: u32 = 0o660;
/// Less than systemd waits for the end of the daemon (packaging/systemd), so that the daemon still says what it left;
/// more than a drive needs to rewind a whole tape.
const END_WAIT: Duration = Duration::from_secs(540);

/// All that `pseudotape-mirror run` needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// The slave end: a socket or a node.
    pub slave: PathBuf,
    /// The control socket.
    pub control: ControlConfig,
    /// What the mirror is.
    pub mirror: MirrorOptions,
    /// The legs, in the order in which they are read.
    pub legs: Vec<LegConfig>,
    /// A changer loads the tapes of the legs: at the start a drive may be empty.
    pub by_changer: bool,
    /// A daemon that is told to end waits so long for legs that do nothing.
    pub end_wait: Duration,
    /// Mirrors of changers.
    pub changers: Vec<ChangerConfig>,
}

/// The control socket, whom it lets in, and what those may do.
#[derive(Clone, Debug)]
pub struct ControlConfig {
    /// Where it is.
    pub socket: PathBuf,
    /// Permission bits.
    pub mode: u32,
    /// Most clients at a time.
    pub max_clients: usize,
    /// Its group.
    pub group: SocketGroup,
    /// Which volumes others than root and the daemon's own user may put in.
    pub lent: Lent,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FileConfig {
    slave: Option<PathBuf>,
    #[serde(default)]
    control: ControlSettings,
    min_legs: Option<usize>,
    #[serde(default)]
    verify_reads: bool,
    queue: Option<Size>,
    serial: Option<String>,
    #[serde(default)]
    by_changer: bool,
    end_wait: Option<NonZeroU32>,
    #[serde(default)]
    leg: Vec<LegTable>,
    #[serde(default)]
    changer: Vec<ChangerTable>,
}

/// Puts the configuration file and the command line together; the command line wins, its legs come after
/// the file's.
pub fn read(arguments: &RunOptions, control: Option<&Path>) -> Result<Config> {
    let file = match &arguments.config {
        Some(path) => read_file(path)?,
        None => FileConfig::default(),
    };
    let mut legs = Vec::new();
    for (number, table) in file.leg.into_iter().enumerate() {
        let name = table.name.clone();
        legs.push(check_leg(table).with_context(|| format!("leg {} ({name})", number + 1))?);
    }
    for text in &arguments.leg {
        let leg = parse_leg(text).and_then(check_leg);
        legs.push(leg.with_context(|| format!("--leg '{text}'"))?);
    }
    let Some(slave) = arguments.slave.clone().or(file.slave) else {
        bail!(
            "which drive is mirrored? Say its slave end: --slave SOCKET_OR_NODE ('pseudotape status' shows them)"
        );
    };
    let defaults = MirrorOptions::default();
    let mirror = MirrorOptions {
        min_legs: arguments
            .min_legs
            .or(file.min_legs)
            .unwrap_or(defaults.min_legs),
        verify_reads: arguments.verify_reads || file.verify_reads,
        queue_bytes: arguments
            .queue
            .or(file.queue.map(|queue| queue.0))
            .unwrap_or(defaults.queue_bytes),
        serial: match file.serial {
            Some(serial) => parse_serial(&serial).context("serial")?,
            None => defaults.serial,
        },
        waking: defaults.waking,
    };
    check_legs(&legs, &mirror)?;
    let control = check_control(control, file.control)?;
    let changers = check_changers(file.changer, &control.socket)?;
    Ok(Config {
        slave: absolute(&slave)?,
        control,
        mirror,
        legs,
        by_changer: file.by_changer || !changers.is_empty(),
        end_wait: arguments
            .end_wait
            .or(file.end_wait)
            .map_or(END_WAIT, |seconds| {
                Duration::from_secs(seconds.get().into())
            }),
        changers,
    })
}

fn check_control(socket: Option<&Path>, settings: ControlSettings) -> Result<ControlConfig> {
    let socket = socket.map(Path::to_owned).or(settings.socket);
    let mode = settings.mode.as_deref().map(parse_mode).transpose();
    let group = settings.group.as_deref();
    let group = group.map(|name| named_group(name, "'group' of [control]"));
    Ok(ControlConfig {
        socket: absolute(&socket.unwrap_or_else(default_socket))?,
        mode: mode.context("control")?.unwrap_or(CONTROL_MODE),
        max_clients: settings
            .max_clients
            .map_or(pseudotape_control::MAX_CLIENTS, NonZeroUsize::get),
        group: group.transpose()?.unwrap_or(SocketGroup::Own),
        lent: Lent {
            folders: settings.folders,
            devices: settings.devices,
            keys: settings.keys,
            remotes: settings.remotes,
            programs: settings.programs,
        },
    })
}

fn read_file(path: &Path) -> Result<FileConfig> {
    let text = read_text_file(path)
        .with_context(|| format!("can't read configuration {}", path.display()))?;
    // The parser's message shows the line and points at the key.
    toml::from_str(&text)
        .map_err(|error| anyhow::anyhow!("{error}{}", field_meant(&error.to_string())))
        .with_context(|| format!("configuration {}", path.display()))
}

#[cfg(test)]
mod tests;
