//! What daemons say of their state.
//!
//! A field that can be unknown or empty has a default, so that a client reads the status of a daemon that does not know
//! the field. What says of which drive or place the rest is has none: without it the rest would be told of another one.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The state of a device daemon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Version of the daemon.
    #[serde(default)]
    pub version: String,
    /// Process id of the daemon.
    #[serde(default)]
    pub pid: u32,
    /// `cuse` or `fuse`.
    #[serde(default)]
    pub frontend: String,
    /// Every drive, in order of its number.
    #[serde(default)]
    pub drives: Vec<DriveStatus>,
    /// The vault whose volumes are loaded by their labels, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault: Option<VaultStatus>,
}

/// The vault of a daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultStatus {
    /// Its directory.
    pub directory: PathBuf,
    /// Why none of its volumes is loaded, where that is so.
    #[serde(default)]
    pub trouble: Option<String>,
}

/// The state of one drive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriveStatus {
    /// Number of the drive.
    pub drive: u32,
    /// Its nodes: rewinding, then non-rewinding.
    #[serde(default)]
    pub nodes: Vec<PathBuf>,
    /// Vendor, product, revision and serial number.
    #[serde(default)]
    pub identity: String,
    /// Personality of the drive.
    #[serde(default)]
    pub personality: String,
    /// The library whose drive it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub library: Option<String>,
    /// The cartridge in the drive.
    pub medium: Option<MediumStatus>,
    /// Where the tape is.
    pub position: Option<PositionStatus>,
    /// Space on the current partition.
    pub capacity: Option<CapacityStatus>,
    /// Bytes moved since the daemon started.
    #[serde(default)]
    pub transfer: TransferStatus,
    /// Flags that are set, by the names of `mt status`.
    #[serde(default)]
    pub flags: Vec<FlagStatus>,
    /// Block size in bytes; 0 is variable block mode.
    #[serde(default)]
    pub block_size: u32,
    /// Density code.
    #[serde(default)]
    pub density: u8,
    /// The last error that a program saw or could not be told (an error at close).
    pub last_error: Option<String>,
    /// Who has the drive open.
    pub open: Option<OpenStatus>,
    /// A call is being worked on: all but `open` and `slave` is as it was before that.
    #[serde(default)]
    pub busy: bool,
    /// The slave end, where the drive is whoever holds it.
    pub slave: Option<SlaveStatus>,
    /// The mirror, where the drive is one of legs in the daemon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<DriveMirrorStatus>,
    /// What goes wrong on command.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultStatus>,
}

/// The slave end of a drive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlaveStatus {
    /// Its node.
    pub node: Option<PathBuf>,
    /// Its socket.
    pub socket: PathBuf,
    /// Who holds it: who is the drive now.
    pub holder: Option<HolderStatus>,
}

/// A drive that is a mirror of legs, in short; `pseudotape-mirror status` tells all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriveMirrorStatus {
    /// Something needs the operator.
    #[serde(default)]
    pub degraded: bool,
    /// Why the volumes were refused.
    pub refused: Option<String>,
    /// The legs, in their order.
    #[serde(default)]
    pub legs: Vec<DriveLegStatus>,
}

/// One leg of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriveLegStatus {
    /// Its name.
    pub name: String,
    /// Its sink, or the last one.
    pub sink: Option<String>,
    /// What it is now: `in-step`, `out-of-step`, `dropped`, `leaving`, `empty`.
    #[serde(default)]
    pub state: String,
}

/// A program that holds the slave end of a drive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderStatus {
    /// Process id; 0 where unknown.
    #[serde(default)]
    pub pid: u32,
    /// Name of its program, where it can be found.
    pub program: Option<String>,
    /// User id.
    #[serde(default)]
    pub uid: u32,
    /// By which way it came.
    pub way: SlaveWay,
    /// When it came, as RFC 3339 has it.
    pub since: String,
}

/// By which way a slave comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SlaveWay {
    /// It has the node open.
    Node,
    /// It is connected to the socket.
    Socket,
    /// A way that this version does not know.
    #[serde(other)]
    Unknown,
}

/// A cartridge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MediumStatus {
    /// Path of the image.
    pub image: PathBuf,
    /// Identity of the volume.
    #[serde(default)]
    pub volume: String,
    /// Label, if any.
    pub label: Option<String>,
    /// Barcode, if any.
    pub barcode: Option<String>,
    /// Whether the cartridge is loaded (a program may have unloaded it).
    #[serde(default)]
    pub loaded: bool,
    /// Whether writes are refused: by the write-protect switch, or because the volume was opened for reading only.
    #[serde(default)]
    pub write_protected: bool,
    /// Why the volume was opened for reading only, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<String>,
    /// Append-only medium.
    #[serde(default)]
    pub worm: bool,
    /// Partitions on the medium.
    #[serde(default)]
    pub partitions: u8,
    /// The first object that is missing, where the volume is marked as no whole copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete_from: Option<u64>,
    /// What its first block said at the load of a filter or a key that is missing, or is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
}

/// Where the tape is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionStatus {
    /// The partition.
    pub partition: u8,
    /// File number as `mt status` shows it; `None`: unknown.
    pub file: Option<i64>,
    /// Block number in the file as `mt status` shows it; `None`: unknown.
    pub block: Option<i64>,
    /// Object number as `mt tell` shows it.
    pub object: u64,
}

/// Space on a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapacityStatus {
    /// Bytes of blocks to the physical end; `None`: as much as the host holds.
    pub total_bytes: Option<u64>,
    /// Length of the early-warning zone.
    pub early_warning_bytes: u64,
    /// Bytes of blocks recorded.
    pub used_bytes: u64,
    /// Bytes of blocks that still fit: no more than the host's disk has free.
    pub left_bytes: Option<u64>,
    /// Size of the image file.
    pub host_bytes: u64,
}

/// Bytes and blocks moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferStatus {
    /// Bytes written.
    #[serde(default)]
    pub written_bytes: u64,
    /// Bytes read.
    #[serde(default)]
    pub read_bytes: u64,
    /// `write` calls answered with success.
    #[serde(default)]
    pub writes: u64,
    /// `read` calls answered with success.
    #[serde(default)]
    pub reads: u64,
}

/// A flag of `mt status` that is set: `EOF`, `BOT`, `EOT`, `SM`, `EOD`, `WR_PROT`, `ONLINE`, `DR_OPEN`, `IM_REP_EN` …
pub type FlagStatus = String;

/// A program that has a drive open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenStatus {
    /// Process (thread) id of the opener.
    #[serde(default)]
    pub pid: u32,
    /// Name of its program, where it can be found.
    pub program: Option<String>,
    /// User id.
    #[serde(default)]
    pub uid: u32,
    /// The node it opened.
    pub node: String,
}

/// The options of one mode of a drive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionsStatus {
    /// Number of the drive.
    pub drive: u32,
    /// The mode: 0, or 1 to 3 for the nodes l, m, a.
    #[serde(default)]
    pub mode: u8,
    /// Whether the mode has options of its own; until one is set they are those of mode 0.
    #[serde(default)]
    pub defined: bool,
    /// All options, by the names of `mt stsetoptions`.
    #[serde(default)]
    pub options: Vec<OptionStatus>,
}

/// One option.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionStatus {
    /// Its name.
    pub name: String,
    /// `on`, `off`, a number, or `none`.
    pub value: String,
}

/// The faults of one drive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultsStatus {
    /// Number of the drive.
    pub drive: u32,
    /// All faults, in the order of their numbers.
    #[serde(default)]
    pub faults: Vec<FaultStatus>,
}

/// One fault on command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultStatus {
    /// Its number, by which it is removed.
    pub number: u32,
    /// What was injected.
    #[serde(default)]
    pub fault: String,
    /// How often it was met.
    #[serde(default)]
    pub met: u64,
    /// Its time or its number is over.
    #[serde(default)]
    pub over: bool,
    /// Seconds for which it still lasts, where its time is limited.
    pub seconds_left: Option<f64>,
}

impl fmt::Display for FaultStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: met ", self.fault)?;
        match self.met {
            0 => f.write_str("never yet")?,
            1 => f.write_str("once")?,
            more => write!(f, "{more} times")?,
        }
        match self.seconds_left {
            _ if self.over => f.write_str(", over"),
            Some(seconds) => write!(f, ", for {seconds:.0} s more"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_an_older_or_a_newer_daemon_is_read() {
        let text = r#"{"pid": 7, "wings": 2, "drives": [{"drive": 3, "open": {"node": "n", "shoes": 4},
            "slave": {"socket": "/s", "holder": {"pid": 9, "way": "pigeon", "since": "2026-01-31T12:00:00Z"}}}]}"#;
        let status: Status = serde_json::from_str(text).unwrap();
        assert_eq!((status.pid, status.version.as_str()), (7, ""));
        let drive = &status.drives[0];
        assert_eq!(
            (drive.drive, drive.busy, drive.transfer.reads),
            (3, false, 0)
        );
        assert_eq!(
            drive.open.as_ref().map(|open| open.node.as_str()),
            Some("n")
        );
        let holder = drive.slave.as_ref().and_then(|slave| slave.holder.as_ref());
        assert_eq!(holder.map(|holder| holder.way), Some(SlaveWay::Unknown));
    }

    #[test]
    fn a_status_without_the_number_of_its_drive_is_refused() {
        let error = serde_json::from_str::<Status>(r#"{"drives": [{"busy": true}]}"#).unwrap_err();
        assert!(error.to_string().contains("`drive`"), "{error}");
    }
}
