//! The configuration, from the file and the command line. It is checked before anything starts.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use pseudotape_control::{ControlSettings, SOCKET_VARIABLE, default_socket};
use pseudotape_dev::config::{
    ControlConfig, DriveConfig, DriveTable, Group, HeldConfig, LibraryConfig, LibraryTable, Tables,
    absolute, check_control, check_drive, check_library, check_together, read_toml,
};
use pseudotape_rack::ChangerPlace;
use pseudotape_tcmu::Fabric;
use serde::Deserialize;

use crate::cli::Arguments;
use crate::fabrics::Reached;

/// Most drives of one daemon.
pub const MAX_DRIVES: usize = 64;
const DEFAULT_NAME: &str = "pseudotape";
const NAME_MAX_CHARS: usize = 32;
/// st gives a command as long.
const DEFAULT_COMMAND_TIMEOUT_S: u32 = 900;
/// Of the control socket: users of the nodes may connect.
const NODE_MODE: u32 = 0o660;

/// Everything that the daemon needs to know to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Its name among the daemons of the machine.
    pub name: String,
    /// The control socket.
    pub control: ControlConfig,
    /// Where it keeps what the next one has to know.
    pub state: PathBuf,
    /// How long the kernel waits for an answer; 0: for ever.
    pub command_timeout_s: u32,
    /// The vault whose volumes are loaded by their labels.
    pub vault: Option<PathBuf>,
    /// Through what the drives are reached.
    pub fabrics: Vec<Fabric>,
    /// The drives, in order of their numbers.
    pub drives: Vec<DriveConfig>,
    /// The libraries, whose drives come after these.
    pub libraries: Vec<LibraryConfig>,
    /// Changers of elsewhere.
    pub changers: Vec<ChangerPlace>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FileConfig {
    #[serde(default)]
    local: bool,
    iscsi: Option<String>,
    iscsi_name: Option<String>,
    iscsi_chap: Option<PathBuf>,
    #[serde(default)]
    iscsi_initiators: Vec<String>,
    vhost: Option<String>,
    name: Option<String>,
    #[serde(default)]
    control: ControlSettings,
    state: Option<PathBuf>,
    command_timeout: Option<u32>,
    vault: Option<PathBuf>,
    #[serde(default)]
    drive: Vec<DriveTable>,
    #[serde(default)]
    library: Vec<LibraryTable>,
    #[serde(default)]
    changers: Vec<String>,
}

/// Puts the configuration file and the command line together; the command line wins, its drives come after the file's.
/// With `--clean` there need be no drives.
pub fn read(arguments: &Arguments) -> Result<Config> {
    let file = match &arguments.config {
        Some(path) => read_toml(path)?,
        None => FileConfig::default(),
    };
    let name = arguments.name.clone().or(file.name);
    let name = name.map_or(Ok(DEFAULT_NAME.to_owned()), checked_name)?;
    let of_line = arguments.clone();
    let reached = Reached {
        local: arguments.local || file.local,
        iscsi: of_line.iscsi.or(file.iscsi),
        iscsi_name: of_line.iscsi_name.or(file.iscsi_name),
        iscsi_chap: of_line.iscsi_chap.or(file.iscsi_chap),
        iscsi_initiators: match of_line.iscsi_initiator.is_empty() {
            true => file.iscsi_initiators,
            false => of_line.iscsi_initiator,
        },
        vhost: of_line.vhost.or(file.vhost),
    };
    let fabrics = reached.fabrics(&name)?;
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
    let of_changers = tables.libraries.len() + tables.changers.len();
    if !arguments.clean {
        ensure!(
            !fabrics.is_empty(),
            "nobody would reach the drives: give --local, which makes them SCSI devices of this machine, --iscsi PORTAL \
             for other hosts, or --vhost WWN for guests"
        );
        ensure!(
            !tables.drives.is_empty() || of_changers > 0,
            "no drive to serve: give --drive IMAGE (or --drive '' for an empty one), --library FOLDER, or [[drive]] in a \
             --config file"
        );
    }
    ensure!(
        of_changers <= MAX_DRIVES,
        "{of_changers} libraries and changers: one daemon serves at most {MAX_DRIVES}"
    );
    let (mut drives, libraries, changers) = tables.check(MAX_DRIVES, scsi_drive, scsi_library)?;
    let socket = arguments.control.clone();
    let socket = socket.or(file.control.socket.clone());
    let socket = socket.unwrap_or_else(default_control);
    let control = check_control(Some(socket), file.control, NODE_MODE, &Group::Default)?;
    check_together(&mut drives, &control)?;
    let vault = arguments.vault.clone().or(file.vault);
    let beside = control.socket.parent().unwrap_or(Path::new("/"));
    let state = arguments.state.clone().or(file.state);
    let state = state.unwrap_or_else(|| beside.join(format!("scsi-{name}")));
    Ok(Config {
        name,
        control,
        state: std::path::absolute(state).context("state")?,
        command_timeout_s: arguments
            .command_timeout
            .or(file.command_timeout)
            .unwrap_or(DEFAULT_COMMAND_TIMEOUT_S),
        vault: vault.map(absolute).transpose()?,
        fabrics,
        drives,
        libraries,
        changers,
    })
}

/// Both daemons can run on one machine: each has a socket of its own. A name in the environment is this one's.
fn default_control() -> PathBuf {
    let socket = default_socket();
    match std::env::var_os(SOCKET_VARIABLE) {
        Some(_) => socket,
        None => socket.with_file_name("scsi"),
    }
}

/// The name is part of others, which end in a number.
fn checked_name(name: String) -> Result<String> {
    let is_good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    ensure!(
        (1..=NAME_MAX_CHARS).contains(&name.len()) && name.chars().all(is_good),
        "name '{name}': 1 to {NAME_MAX_CHARS} letters, digits, '-' and '_'"
    );
    Ok(name)
}

fn scsi_drive(number: usize, table: DriveTable) -> Result<DriveConfig> {
    let drive = check_drive(number, table)?;
    if let HeldConfig::Slave(slave) = &drive.held {
        ensure!(
            slave.wait.is_zero(),
            "'slave-wait' is of opens, which are the kernel's own here: a command fails at once while there is no slave"
        );
    }
    check_driver(&drive)?;
    Ok(drive)
}

fn scsi_library(table: LibraryTable) -> Result<LibraryConfig> {
    let library = check_library(table)?;
    let checked = check_driver(&library.drive);
    checked.with_context(|| format!("library {}", library.folder.display()))?;
    Ok(library)
}

fn check_driver(drive: &DriveConfig) -> Result<()> {
    ensure!(
        drive.options.iter().all(Vec::is_empty) && drive.end_of_tape == Default::default(),
        "'options' and 'end-of-tape' are of the st driver, which is the kernel's own here: 'mt stsetoptions' sets them"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn config(words: &[&str]) -> Result<Config> {
        let words = ["pseudotape-scsi"].iter().chain(words);
        read(&Arguments::try_parse_from(words)?)
    }

    fn refused(words: &[&str]) -> String {
        format!("{:#}", config(words).unwrap_err())
    }

    #[test]
    fn a_command_line_has_all_that_is_needed() {
        let words = [
            "--local",
            "--drive",
            "",
            "--control",
            "/run/x/c",
            "--name",
            "a-1",
        ];
        let config = config(&words).unwrap();
        assert_eq!(config.drives.len(), 1);
        assert_eq!(config.state, Path::new("/run/x/scsi-a-1"));
        assert_eq!(config.command_timeout_s, DEFAULT_COMMAND_TIMEOUT_S);
    }

    #[test]
    fn what_can_not_be_is_refused_by_name() {
        assert!(refused(&["--drive", ""]).contains("--local"));
        assert!(refused(&["--local"]).contains("--drive IMAGE"));
        let waits = refused(&["--local", "--drive", "slave=x,slave-wait=5"]);
        assert!(waits.contains("'slave-wait'"), "{waits}");
        let twice = ["--local", "--drive", "slave=/run/x/s"];
        let twice: Vec<_> = twice.into_iter().chain(["--control", "/run/x/s"]).collect();
        assert!(refused(&twice).contains("another socket"));
        let same = "legs=a=image:/x/a.ptape;b=image:/x/a.ptape";
        assert!(refused(&["--local", "--drive", same]).contains("is in drive 0, leg a already"));
        assert!(refused(&["--local", "--drive", "options=sili"]).contains("stsetoptions"));
        assert!(refused(&["--local", "--drive", "end-of-tape=bsd"]).contains("'end-of-tape'"));
        for name in ["", "a b", "a/b", "ä", &"x".repeat(33)] {
            let told = refused(&["--local", "--drive", "", "--name", name]);
            assert!(told.contains("letters, digits"), "{told}");
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("scsi.toml");
        let file = |text: &str| {
            std::fs::write(&path, format!("local = true\n{text}")).unwrap();
            refused(&["--config", path.to_str().unwrap()])
        };
        let library = "[[library]]\nfolder = \"/srv/vault\"\n";
        let told = file(&format!("{library}[library.drive]\noptions = \"sili\"\n"));
        assert!(
            told.contains("/srv/vault") && told.contains("stsetoptions"),
            "{told}"
        );
        assert!(file(&format!("{library}[library.drive]\nimage = \"a\"\n")).contains("'image'"));
        assert!(file(&format!("{library}[library.delay]\nload = 61\n")).contains("delay.load"));
        assert!(file("changers = [\"what\"]\n").contains("--changer"));
        let many = ["--drive", ""].repeat(MAX_DRIVES + 1);
        let words: Vec<&str> = ["--local"].into_iter().chain(many).collect();
        assert!(refused(&words).contains("65 drives"));
    }

    #[test]
    fn a_drive_can_be_a_slave_or_legs_and_a_vault_keeps_volumes() {
        let words = ["--local", "--vault", "/srv/vault"];
        let words = words.iter().chain(&["--drive", "slave=/run/x/s"]);
        let words = words.chain(&["--drive", "legs=a=image:/x/a.ptape;b=image:/x/b.ptape"]);
        let config = config(&words.copied().collect::<Vec<_>>()).unwrap();
        assert_eq!(config.vault.as_deref(), Some(Path::new("/srv/vault")));
        assert!(matches!(config.drives[0].held, HeldConfig::Slave(_)));
        assert!(matches!(config.drives[1].held, HeldConfig::Legs(_)));
    }

    #[test]
    fn a_library_needs_no_drives_beside_it() {
        let words = ["--local", "--library", "/srv/vault"];
        let config = config(&words).unwrap();
        assert_eq!(config.libraries[0].folder, Path::new("/srv/vault"));
        assert!(config.drives.is_empty());
    }

    #[test]
    fn a_file_says_the_same_and_the_command_line_wins() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("scsi.toml");
        let text = "local = true\nname = \"file\"\ncommand-timeout = 5\n[control]\nsocket = \"/run/f/c\"\n\
                    [[drive]]\npersonality = \"lto5\"\n";
        std::fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap();
        let from_file = config(&["--config", path]).unwrap();
        assert_eq!(
            (from_file.name.as_str(), from_file.command_timeout_s),
            ("file", 5)
        );
        assert_eq!(from_file.control.socket, Path::new("/run/f/c"));
        let words = [
            "--config",
            path,
            "--name",
            "line",
            "--drive",
            "",
            "--command-timeout",
            "0",
        ];
        let both = config(&words).unwrap();
        assert_eq!((both.name.as_str(), both.command_timeout_s), ("line", 0));
        assert_eq!(both.drives.len(), 2);
        let iscsi = "iscsi = \"[::1]\"\niscsi-initiators = [\"iqn.2026-11.com.example:a\"]\n\
                     vhost = \"naa.5001405000000001\"\n";
        std::fs::write(path, iscsi).unwrap();
        let of_line = "iqn.2026-11.com.example:b";
        let words = [
            "--config",
            path,
            "--iscsi-initiator",
            of_line,
            "--drive",
            "",
        ];
        let Fabric::Iscsi(iscsi) = &config(&words).unwrap().fabrics[0] else {
            panic!("no iSCSI")
        };
        assert_eq!(iscsi.portal.to_string(), "[::1]:3260");
        assert_eq!(iscsi.initiators, [of_line]);
        assert_eq!(config(&words).unwrap().fabrics.len(), 2);
        std::fs::write(path, "locale = true\n").unwrap();
        assert!(refused(&["--config", path]).contains("local"));
        assert!(config(&["--clean"]).unwrap().drives.is_empty());
    }

    #[test]
    fn the_page_of_the_configuration_lists_its_keys() {
        let document = include_str!("../../docs/man/pseudotape-scsi.toml.md");
        let documented = pseudotape_testkit::manual::documented_keys(document, "KEYS OF THE FILE");
        let keys = pseudotape_human::keys_of::<FileConfig>().iter();
        assert_eq!(documented, keys.map(|key| (*key).to_owned()).collect());
    }
}
