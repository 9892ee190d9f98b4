//! What to serve: from the configuration file and the command line, checked before anything starts.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use pseudotape_control::{default_socket, parse_size};
use pseudotape_drive::Personality;
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use crate::cli::Arguments;

/// Most drives of one daemon.
pub const MAX_DRIVES: usize = 256;
/// How long a blocking open waits for a medium, as st does.
const DEFAULT_OPEN_WAIT: Duration = Duration::from_secs(120);
const DEFAULT_NODE_MODE: u32 = 0o660;
const DEFAULT_GROUP: &str = "tape";

/// Everything that the daemon needs to know to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How programs reach the drives.
    pub frontend: Frontend,
    /// The control socket.
    pub control: PathBuf,
    /// Permission bits of the nodes.
    pub node_mode: u32,
    /// Group of the nodes; `None`: the daemon's own.
    pub group: Group,
    /// How long a blocking open waits for a medium.
    pub open_wait: Duration,
    /// The drives, in order of their numbers.
    pub drives: Vec<DriveConfig>,
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
    /// `tape` where it exists, else the daemon's own.
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

/// One drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriveConfig {
    /// The cartridge that is in the drive at the start.
    pub image: Option<PathBuf>,
    /// What kind of drive it is, with block limits as configured.
    pub personality: Personality,
    /// Unit serial number.
    pub serial: String,
    /// Capacity that replaces the cartridge's own.
    pub capacity_bytes: Option<u64>,
    /// Early-warning zone that replaces the cartridge's own.
    pub early_warning_bytes: Option<u64>,
}

/// A size in a configuration: a number of bytes, or text with a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size(u64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SizeVisitor;
        impl Visitor<'_> for SizeVisitor {
            type Value = Size;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size, such as \"64M\" or a number of bytes")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Size, E> {
                parse_size(text).map(Size).map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<Size, E> {
                u64::try_from(bytes).map(Size).map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<Size, E> {
                Ok(Size(bytes))
            }
        }
        deserializer.deserialize_any(SizeVisitor)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FileConfig {
    frontend: Option<FrontendName>,
    mount: Option<PathBuf>,
    control: Option<PathBuf>,
    mode: Option<String>,
    group: Option<String>,
    open_wait: Option<u64>,
    #[serde(default)]
    drive: Vec<DriveTable>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FrontendName {
    Auto,
    Cuse,
    Fuse,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct DriveTable {
    image: Option<PathBuf>,
    personality: Option<String>,
    serial: Option<String>,
    capacity: Option<Size>,
    early_warning: Option<Size>,
    min_block: Option<Size>,
    max_block: Option<Size>,
}

/// Puts the configuration file and the command line together; the command line wins, its drives come
/// after the file's.
pub fn read(arguments: &Arguments) -> Result<Config> {
    let file = match &arguments.config {
        Some(path) => read_file(path)?,
        None => FileConfig::default(),
    };
    let mut tables = file.drive;
    for spec in &arguments.drive {
        tables.push(parse_spec(spec).with_context(|| format!("--drive '{spec}'"))?);
    }
    ensure!(
        !tables.is_empty(),
        "no drive to serve: give --drive IMAGE (or --drive '' for an empty one), or [[drive]] in a --config file"
    );
    ensure!(
        tables.len() <= MAX_DRIVES,
        "{} drives: one daemon serves at most {MAX_DRIVES}",
        tables.len()
    );
    let drives = tables.into_iter().enumerate().map(|(number, table)| {
        check_drive(number, table).with_context(|| format!("drive {number}"))
    });
    let mode = arguments.mode.as_ref().or(file.mode.as_ref());
    Ok(Config {
        frontend: choose_frontend(arguments, file.frontend, file.mount)?,
        control: arguments
            .control
            .clone()
            .or(file.control)
            .unwrap_or_else(default_socket),
        node_mode: mode.map_or(Ok(DEFAULT_NODE_MODE), |text| parse_mode(text))?,
        group: arguments
            .group
            .clone()
            .or(file.group)
            .map_or(Group::Default, Group::Named),
        open_wait: arguments
            .open_wait
            .or(file.open_wait)
            .map_or(DEFAULT_OPEN_WAIT, Duration::from_secs),
        drives: drives.collect::<Result<_>>()?,
    })
}

fn read_file(path: &Path) -> Result<FileConfig> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("can't read configuration {}", path.display()))?;
    // The parser's message shows the line and points at the key.
    toml::from_str(&text).with_context(|| format!("configuration {}", path.display()))
}

/// Reads `key=value,key=value`; a word without `=` is the image.
fn parse_spec(spec: &str) -> Result<DriveTable> {
    let mut table = toml::Table::new();
    for part in spec.split(',').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or(("image", part));
        if table
            .insert(key.to_owned(), toml::Value::String(value.to_owned()))
            .is_some()
        {
            bail!("'{key}' is given twice");
        }
    }
    table
        .try_into()
        .map_err(|error: toml::de::Error| anyhow::anyhow!("{}", error.message()))
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
        return Ok(Frontend::Fuse(absolute(directory.clone())?));
    }
    match (name.unwrap_or(FrontendName::Auto), mount) {
        (FrontendName::Auto, mount) => Ok(Frontend::Auto(mount.map(absolute).transpose()?)),
        (FrontendName::Cuse, _) => Ok(Frontend::Cuse),
        (FrontendName::Fuse, Some(directory)) => Ok(Frontend::Fuse(absolute(directory)?)),
        (FrontendName::Fuse, None) => {
            bail!("frontend = \"fuse\" needs a directory: mount = \"DIR\"")
        }
    }
}

/// Paths are shown to people in other directories, and the daemon may be started anew from one.
fn absolute(path: PathBuf) -> Result<PathBuf> {
    std::path::absolute(&path)
        .with_context(|| format!("can't make {} an absolute path", path.display()))
}

fn parse_mode(text: &str) -> Result<u32> {
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|mode| *mode <= 0o777)
        .with_context(|| {
            format!("mode '{text}' is not a permission of three octal digits, such as 0660")
        })
}

fn check_drive(number: usize, table: DriveTable) -> Result<DriveConfig> {
    let name = table
        .personality
        .as_deref()
        .unwrap_or(Personality::default().name);
    let mut personality = Personality::named(name).with_context(|| {
        let known: Vec<_> = Personality::ALL.iter().map(|p| p.name).collect();
        format!(
            "unknown personality '{name}': there are {}",
            known.join(", ")
        )
    })?;
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
        table.early_warning.map(|s| s.0),
    );
    if let (Some(capacity), Some(early_warning)) = (capacity, early_warning) {
        ensure!(
            early_warning <= capacity / 2,
            "early-warning {early_warning} is more than half of the capacity {capacity}"
        );
    }
    Ok(DriveConfig {
        image: table
            .image
            .filter(|image| !image.as_os_str().is_empty())
            .map(absolute)
            .transpose()?,
        personality,
        serial: table.serial.unwrap_or_else(|| format!("PT{number:08}")),
        capacity_bytes: capacity,
        early_warning_bytes: early_warning,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn config(arguments: &[&str]) -> Result<Config> {
        let all = ["pseudotape-dev"].iter().chain(arguments);
        read(&Arguments::try_parse_from(all).expect("arguments of tests are well formed"))
    }

    fn error(arguments: &[&str]) -> String {
        format!("{:#}", config(arguments).unwrap_err())
    }

    fn file(text: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pseudotape.toml");
        std::fs::write(&path, text).unwrap();
        error(&["--config", path.to_str().unwrap()])
    }

    #[test]
    fn a_bare_path_is_a_drive_with_defaults() {
        let config = config(&["--drive", "a.ptape", "--fuse", "mnt", "--control", "c"]).unwrap();
        let here = std::env::current_dir().unwrap();
        assert_eq!(config.frontend, Frontend::Fuse(here.join("mnt")));
        assert_eq!((config.node_mode, config.group), (0o660, Group::Default));
        assert_eq!(config.open_wait, Duration::from_secs(120));
        let drive = &config.drives[0];
        assert_eq!(drive.image, Some(here.join("a.ptape")));
        assert_eq!(drive.personality, Personality::default());
        assert_eq!(drive.serial, "PT00000000");
    }

    #[test]
    fn keys_of_a_drive_are_read_with_units() {
        let spec = "image=b,personality=lto5,serial=X1,capacity=2G,early-warning=64M,min-block=512,max-block=1M";
        let drive = &config(&["--drive", "", "--drive", spec, "--cuse"])
            .unwrap()
            .drives[1];
        assert_eq!(drive.personality.product, "ULT3580-TD5");
        assert_eq!(
            (drive.capacity_bytes, drive.early_warning_bytes),
            (Some(2 << 30), Some(64 << 20))
        );
        assert_eq!(
            (
                drive.personality.limits.min_bytes,
                drive.personality.limits.max_bytes
            ),
            (512, 1 << 20)
        );
        assert_eq!(drive.serial, "X1");
    }

    #[test]
    fn wrong_specs_name_the_key_and_the_way_out() {
        assert!(error(&["--drive", "speed=9"]).contains("unknown field `speed`"));
        assert!(error(&["--drive", "capacity=lots"]).contains("'lots' is not a size"));
        assert!(error(&["--drive", "a,image=b"]).contains("'image' is given twice"));
        assert!(
            error(&["--drive", "personality=vhs"])
                .contains("there are generic, scsi_debug, lto5, dds")
        );
        assert!(error(&["--drive", "min-block=2M,max-block=1M"]).contains("larger than max-block"));
        assert!(error(&["--drive", "max-block=64M"]).contains("1 to 16777216 bytes"));
        assert!(error(&["--drive", "max-block=0"]).contains("1 to 16777216 bytes"));
        assert!(error(&["--drive", "capacity=1M,early-warning=600K"]).contains("more than half"));
        assert!(error(&["--drive", "a", "--mode", "rw"]).contains("octal"));
        assert!(error(&[]).contains("no drive to serve"));
    }

    #[test]
    fn one_drive_more_than_the_limit_is_refused() {
        let drives = |count| {
            std::iter::repeat_n(["--drive", ""], count)
                .flatten()
                .collect::<Vec<_>>()
        };
        assert_eq!(
            config(&drives(MAX_DRIVES)).unwrap().drives.len(),
            MAX_DRIVES
        );
        assert!(error(&drives(MAX_DRIVES + 1)).contains("at most 256"));
    }

    #[test]
    fn unknown_keys_of_a_file_are_named_with_their_line() {
        let message = file("control = \"/c\"\n\n[[drive]]\nimage = \"a\"\nspeed = 9\n");
        assert!(
            message.contains("line 5") && message.contains("`speed`"),
            "{message}"
        );
        let message = file("colour = \"red\"\n");
        assert!(
            message.contains("line 1") && message.contains("`colour`"),
            "{message}"
        );
        assert!(file("frontend = \"fuse\"\n[[drive]]\n").contains("mount = \"DIR\""));
        assert!(file("frontend = \"smoke\"\n").contains("unknown variant `smoke`"));
    }

    #[test]
    fn the_sample_configuration_is_one() {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/pseudotape.toml");
        let config = config(&["--config", sample.to_str().unwrap()]).unwrap();
        assert!(!config.drives.is_empty());
    }

    #[test]
    fn a_missing_file_is_named() {
        assert!(error(&["--config", "no/such.toml"]).contains("no/such.toml"));
    }
}
