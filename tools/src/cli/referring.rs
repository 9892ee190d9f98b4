//! The command line of references to volumes of farms.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use pseudotape_farm::VolumeName;
use pseudotape_vault::Series;

use super::waiting::LockWait;

/// Which references files get that arrive.
#[derive(Debug, Args)]
pub(crate) struct Referring {
    /// Each file that arrives gets a reference to the volume in the vault's catalog, as its newest backup; the one
    /// before stays as the second. The volume has the serial number --serial, and its folder the name VOLUME[SERIAL].
    #[arg(long)]
    pub backup: bool,
    /// Both references of the file for backups are to this volume.
    #[arg(long, requires = "backup")]
    pub single_unit: bool,
    /// Allows another volume of this name in the catalog, with another serial number.
    #[arg(long)]
    pub namesake: bool,
    /// Each file that arrives gets a reference to the volume in the archive of the vault's catalog, which has one for
    /// each copy. The volume gets the next serial number where --serial says none ('pseudotape farm serial').
    #[arg(long)]
    pub catalog: bool,
}

impl Referring {
    /// Whether there is anything to write down.
    pub fn is_wanted(&self) -> bool {
        self.backup || self.catalog
    }
}

#[derive(Debug, Args)]
pub(crate) struct ListReferences {
    /// These files, and those in these folders; or titles, of what came from an archive [default: all].
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("names").required(true).args(["below", "by_title"]))]
pub(crate) struct ReferVolume {
    /// The volume.
    #[arg(value_name = "VOLUME")]
    pub volume: VolumeName,
    /// Its files came from this folder of this host: the working directory where their paths were said without a slash
    /// at the beginning, else /.
    #[arg(long, value_name = "DIR")]
    pub below: Option<PathBuf>,
    /// All of them were removed from that folder since. Without this it is refused when none of them is there.
    #[arg(long, requires = "below")]
    pub removed: bool,
    /// Its files came from an archive or another host: they are known by their titles.
    #[arg(long)]
    pub by_title: bool,
    #[command(flatten)]
    pub referring: Referring,
    #[command(flatten)]
    pub wait: LockWait,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["files", "all"]))]
pub(crate) struct PurgeReferences {
    /// These files, and those in these folders; or titles, of what came from an archive.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// All references to the volume with the serial number --serial, which leaves the catalog.
    #[arg(long, requires = "yes")]
    pub all: bool,
    /// Confirms --all.
    #[arg(long)]
    pub yes: bool,
    /// Who does it [default: this user].
    #[arg(long, value_name = "NAME", value_parser = pseudotape_human::parse_label)]
    pub by: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CountSerials {
    /// The first serial number of a new series: six letters and digits, of which the last ones are counted.
    #[arg(value_name = "FIRST")]
    pub first: Option<Series>,
}

#[derive(Debug, Args)]
pub(crate) struct DropOriginals {
    /// These files of this host.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Removes them.
    #[arg(long)]
    pub yes: bool,
    /// Also where owner, permissions, time of change, extended attributes or access list are other ones than in the
    /// capsule: only the contents are compared, and the rest is lost with the file.
    #[arg(long)]
    pub contents_only: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreByItself {
    /// The file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}
