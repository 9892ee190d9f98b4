//! One drive of the configuration.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use pseudotape_control::{SocketGroup, named_group, parse_mode};
use pseudotape_drive::{EarlyWarning, Personality};
use pseudotape_fault::Fault;
use pseudotape_human::list::{parts, plain};
use pseudotape_human::{Capacity, Portion, Size, did_you_mean, field_meant, keys_of, parse_serial};
use pseudotape_image::CachePolicy;
use pseudotape_mtio::{Booleans, DriverOption};
use pseudotape_st::EndOfTape;
use serde::Deserialize;

use super::legs::{self, Legs, LegsConfig, OfLegs};
use super::values::{Count, Ending, Seconds, Switch, Words, absolute};

/// Modes of a drive: the plain nodes, and those that end in l, m, a.
pub const MODES: u8 = 4;
/// Options of the driver that are no switches.
const DEFAULTS: [&str; 4] = ["defblksize", "defdensity", "defdrvbuffer", "defcompression"];
/// How long a slave may be silent in the middle of an operation.
const DEFAULT_SLAVE_TIMEOUT: Duration = Duration::from_secs(60);
/// Who may be a slave: only the daemon's own user, and root …
const SLAVE_MODE: u32 = 0o600;
/// … and the group, where one is named.
const SLAVE_MODE_GROUP: u32 = 0o660;

/// One drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriveConfig {
    /// The kind of drive behind its nodes.
    pub held: HeldConfig,
    /// Options of the driver that are set at the start, for each mode.
    pub options: [Vec<String>; MODES as usize],
    /// How programs hear of early warning.
    pub end_of_tape: EndOfTape,
    /// Faults that are injected at the start (docs/FAULTS.md).
    pub faults: Vec<String>,
}

/// The kind of drive behind the nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeldConfig {
    /// A drive for cartridges that are images.
    Image(ImageConfig),
    /// A drive that is another process: the process that holds the slave end.
    Slave(SlaveConfig),
    /// A drive that is a mirror of legs.
    Legs(LegsConfig),
}

/// A drive for cartridges that are images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageConfig {
    /// The cartridge that is in the drive at the start.
    pub image: Option<PathBuf>,
    /// The personality, with the values that were configured otherwise.
    pub personality: Personality,
    /// Unit serial number.
    pub serial: String,
    /// Capacity that replaces the cartridge's own.
    pub capacity_bytes: Option<u64>,
    /// Early-warning zone that replaces the cartridge's own.
    pub early_warning: Option<EarlyWarning>,
    /// What stays of a cartridge in the host's page cache, where its load does not say it.
    pub cache: Option<CachePolicy>,
}

/// A drive that is the process at its slave end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlaveConfig {
    /// The Unix socket where a slave can come, beside the node.
    pub socket: PathBuf,
    /// How long an open waits for a slave; zero: it fails at once.
    pub wait: Duration,
    /// How long a slave may be silent in the middle of an operation.
    pub timeout: Duration,
    /// Permission bits of the socket and the node.
    pub mode: u32,
    /// The number of their group; `None`: the daemon's own.
    pub gid: Option<u32>,
}

/// One drive as a configuration says it: `[[drive]]`, `--drive`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DriveTable {
    image: Option<PathBuf>,
    personality: Option<String>,
    serial: Option<String>,
    capacity: Option<Capacity>,
    early_warning: Option<Portion>,
    min_block: Option<Size>,
    max_block: Option<Size>,
    announces_medium: Option<Switch>,
    cache: Option<String>,
    legs: Option<Legs>,
    min_legs: Option<Count>,
    verify_reads: Option<Switch>,
    queue: Option<Size>,
    end_wait: Option<Seconds>,
    slave: Option<PathBuf>,
    slave_wait: Option<Seconds>,
    slave_timeout: Option<Seconds>,
    slave_mode: Option<String>,
    slave_group: Option<String>,
    #[serde(default)]
    end_of_tape: Ending,
    #[serde(default)]
    options: Words,
    #[serde(default)]
    options_l: Words,
    #[serde(default)]
    options_m: Words,
    #[serde(default)]
    options_a: Words,
    #[serde(default)]
    faults: Words,
}

/// What `--drive` and `[[drive]]` can say.
pub(crate) fn drive_keys() -> &'static [&'static str] {
    keys_of::<DriveTable>()
}

/// Reads `key=value,key=value`; a word without `=` is the image. A comma that belongs to a value has a
/// backslash before it.
pub fn parse_spec(spec: &str) -> Result<DriveTable> {
    let mut table = toml::Table::new();
    for part in parts(spec, ',').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or(("image", part));
        if table
            .insert(key.to_owned(), toml::Value::String(plain(value)))
            .is_some()
        {
            bail!("'{key}' is given twice");
        }
    }
    table
        .try_into()
        .map_err(|error: toml::de::Error| anyhow::anyhow!("{}", with_its_key(&error)))
}

/// The parser's message, and the key that it is about.
fn with_its_key(error: &toml::de::Error) -> String {
    let lines = error.to_string();
    lines.trim_end().replace('\n', " ") + &field_meant(&lines)
}

/// An option of the driver.
pub(crate) fn parse_option(text: &str) -> Result<DriverOption> {
    let name = text.split('=').next().unwrap_or_default();
    DriverOption::parse(text).map_err(|error| {
        let switches = Booleans::named().map(|(_, name)| name);
        let meant = did_you_mean(name, switches.chain(DEFAULTS));
        anyhow::anyhow!("{error}{meant}")
    })
}

/// The drives of a library, which loads and unloads them itself.
pub(super) fn check_library_drive(table: DriveTable) -> Result<DriveConfig> {
    ensure!(
        table.image.is_none() && table.slave.is_none() && table.legs.is_none(),
        "'image', 'slave' and 'legs' do not go with a drive of a library: its cartridges are moved by the library"
    );
    ensure!(
        table.serial.is_none(),
        "'serial' does not go with the drives of a library: each one has its own"
    );
    check_drive(0, table)
}

/// Checks one drive; `number` gives it the serial number that it does not say itself.
pub fn check_drive(number: usize, table: DriveTable) -> Result<DriveConfig> {
    let options = [
        table.options.0.clone(),
        table.options_l.0.clone(),
        table.options_m.0.clone(),
        table.options_a.0.clone(),
    ];
    for option in options.iter().flatten() {
        parse_option(option)?;
    }
    let faults = table.faults.0.clone();
    for fault in &faults {
        fault.parse::<Fault>().context("faults")?;
    }
    let end_of_tape = table.end_of_tape.0;
    let held = if table.legs.is_some() {
        HeldConfig::Legs(check_legs(number, table)?)
    } else if let Some(socket) = &table.slave {
        HeldConfig::Slave(check_slave(socket.clone(), &table)?)
    } else {
        HeldConfig::Image(check_image(number, table)?)
    };
    Ok(DriveConfig {
        held,
        options,
        end_of_tape,
        faults,
    })
}

impl DriveTable {
    /// The first key that is said of a drive for cartridges that are images, or of its cartridge.
    fn of_images(&self) -> Option<&'static str> {
        let keys = [
            ("image", self.image.is_some()),
            ("personality", self.personality.is_some()),
            ("capacity", self.capacity.is_some()),
            ("early-warning", self.early_warning.is_some()),
            ("min-block", self.min_block.is_some()),
            ("max-block", self.max_block.is_some()),
            ("announces-medium", self.announces_medium.is_some()),
            ("cache", self.cache.is_some()),
        ];
        keys.iter().find(|(_, given)| *given).map(|(key, _)| *key)
    }

    /// The first key that is said of a drive that is somebody at a slave end.
    fn of_slaves(&self) -> Option<&'static str> {
        let keys = [
            ("slave-wait", self.slave_wait.is_some()),
            ("slave-timeout", self.slave_timeout.is_some()),
            ("slave-mode", self.slave_mode.is_some()),
            ("slave-group", self.slave_group.is_some()),
        ];
        keys.iter().find(|(_, given)| *given).map(|(key, _)| *key)
    }

    /// The first key that is said of a drive that is several.
    fn of_legs(&self) -> Option<&'static str> {
        let keys = [
            ("min-legs", self.min_legs.is_some()),
            ("verify-reads", self.verify_reads.is_some()),
            ("queue", self.queue.is_some()),
            ("end-wait", self.end_wait.is_some()),
        ];
        keys.iter().find(|(_, given)| *given).map(|(key, _)| *key)
    }
}

fn check_legs(number: usize, table: DriveTable) -> Result<LegsConfig> {
    if let Some(key) = table.of_images() {
        bail!(
            "'{key}' does not go with 'legs': each leg names its own volume, as legs=a=image:/data/a.ptape;b=/mnt/b.ptape"
        );
    }
    let slave = table.slave.is_some().then_some("slave");
    if let Some(key) = slave.or(table.of_slaves()) {
        bail!(
            "'{key}' does not go with 'legs': the drive is its legs, or whoever holds its slave end"
        );
    }
    let keys = OfLegs {
        min_legs: table.min_legs,
        verify_reads: table.verify_reads,
        queue: table.queue,
        serial: table.serial,
        end_wait: table.end_wait,
    };
    legs::check(table.legs.unwrap_or_default(), keys, default_serial(number))
}

fn check_slave(socket: PathBuf, table: &DriveTable) -> Result<SlaveConfig> {
    ensure!(
        !socket.as_os_str().is_empty(),
        "slave needs the path of a socket: slave=SOCKET"
    );
    let serial = table.serial.is_some().then_some("serial");
    if let Some(key) = table.of_images().or(serial) {
        bail!(
            "'{key}' does not go with 'slave': what the drive is and holds is said by whoever holds the slave end"
        );
    }
    if let Some(key) = table.of_legs() {
        bail!("'{key}' needs 'legs': legs=NAME=SINK;NAME=SINK");
    }
    let timeout = table
        .slave_timeout
        .map_or(DEFAULT_SLAVE_TIMEOUT, |seconds| seconds.0);
    ensure!(
        !timeout.is_zero(),
        "slave-timeout is 0: a slave needs some time to answer"
    );
    // The process at the slave end is the tape: it gets every record that is written, and can invent every record that
    // is read.
    let default_mode = match table.slave_group {
        Some(_) => SLAVE_MODE_GROUP,
        None => SLAVE_MODE,
    };
    let mode = table.slave_mode.as_deref().map(parse_mode).transpose();
    let group = table.slave_group.as_deref();
    let group = group.map(|name| named_group(name, "slave-group"));
    let gid = match group.transpose()? {
        Some(SocketGroup::Needed(gid) | SocketGroup::Wanted(gid)) => Some(gid),
        Some(SocketGroup::Own) | None => None,
    };
    Ok(SlaveConfig {
        mode: mode.context("slave-mode")?.unwrap_or(default_mode),
        gid,
        socket: absolute(socket)?,
        wait: table.slave_wait.map_or(Duration::ZERO, |seconds| seconds.0),
        timeout,
    })
}

/// The serial number of a drive for which none was configured.
pub(crate) fn default_serial(number: usize) -> String {
    format!("PT{number:08}")
}

fn image_name(image: &Path) -> Result<PathBuf> {
    let name = pseudotape_bay::absolute_name(image)?;
    ensure!(
        !name.is_dir(),
        "{} is a directory, and an image is a regular file",
        name.display()
    );
    Ok(name)
}

fn check_image(number: usize, table: DriveTable) -> Result<ImageConfig> {
    if let Some(key) = table.of_slaves() {
        bail!("'{key}' needs 'slave': slave=SOCKET");
    }
    if let Some(key) = table.of_legs() {
        bail!("'{key}' needs 'legs': legs=NAME=SINK;NAME=SINK");
    }
    let name = table
        .personality
        .as_deref()
        .unwrap_or(Personality::default().name);
    let mut personality = Personality::named(name).with_context(|| {
        let known: Vec<_> = Personality::ALL.iter().map(|p| p.name).collect();
        format!(
            "unknown personality '{name}'{}: there are {}",
            did_you_mean(name, known.iter().copied()),
            known.join(", ")
        )
    })?;
    if let Some(Switch(announces)) = table.announces_medium {
        personality.announces_medium = announces;
    }
    let block = |size: Option<Size>, key: &str, default: u32| match size {
        Some(Size(bytes)) => u32::try_from(bytes)
            .ok()
            .filter(|bytes| (1..=crate::MAX_BLOCK_BYTES).contains(bytes))
            .with_context(|| {
                format!(
                    "{key} is {bytes} bytes: blocks have 1 to {} bytes",
                    crate::MAX_BLOCK_BYTES
                )
            }),
        None => Ok(default),
    };
    let limits = &mut personality.limits;
    limits.min_bytes = block(table.min_block, "min-block", limits.min_bytes)?;
    limits.max_bytes =
        block(table.max_block, "max-block", limits.max_bytes)?.min(crate::MAX_BLOCK_BYTES);
    ensure!(
        limits.min_bytes <= limits.max_bytes,
        "min-block {} is larger than max-block {}",
        limits.min_bytes,
        limits.max_bytes
    );
    let (capacity, early_warning) = (
        table.capacity.map(|s| s.0),
        table.early_warning.map(|zone| match zone {
            Portion::Bytes(bytes) => EarlyWarning::Bytes(bytes),
            Portion::PerCent(hundredths) => EarlyWarning::PerCent(hundredths),
        }),
    );
    match (early_warning, capacity) {
        (Some(EarlyWarning::Bytes(bytes)), Some(capacity)) => ensure!(
            bytes <= capacity / 2,
            "early-warning {bytes} is more than half of the capacity {capacity}"
        ),
        (Some(EarlyWarning::PerCent(hundredths)), _) => ensure!(
            hundredths <= 50,
            "early-warning {hundredths}% is more than half of the tape: at most 50%"
        ),
        (Some(EarlyWarning::Bytes(_)), None) | (None, _) => {}
    }
    let cache = table.cache.as_deref().map(str::parse).transpose()?;
    Ok(ImageConfig {
        image: table
            .image
            .filter(|image| !image.as_os_str().is_empty())
            .map(|image| image_name(&image))
            .transpose()?,
        personality,
        serial: match table.serial {
            Some(serial) => parse_serial(&serial).context("serial")?,
            None => default_serial(number),
        },
        capacity_bytes: capacity,
        early_warning,
        cache,
    })
}
