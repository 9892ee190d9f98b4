//! The command line of the catalog's travels: its backups on tapes, and the recovery from them.

use clap::{Args, ValueEnum};
use pseudotape_image::Uuid;
use pseudotape_rack::ChangerPlace;
use pseudotape_sink::Sink;
use pseudotape_vault::Label;

use super::ordered::Ordered;

#[derive(Debug, Args)]
#[command(after_help = super::TAPES)]
pub(crate) struct BackUpVault {
    /// The tape: an image, a tape node, a tape of another host. A blank one becomes a stacked volume.
    #[arg(value_name = "TAPE")]
    pub tape: Sink,
    /// The pool of a blank one [default: backups].
    #[arg(long, value_name = "POOL")]
    pub to: Option<Label>,
    /// What a blank one is to be called [default: its barcode, its label, or its name].
    #[arg(long, value_name = "LABEL")]
    pub new: Option<Label>,
}

#[derive(Debug, Args)]
#[command(after_help = super::TAPES)]
pub(crate) struct CatalogOf {
    /// The tape.
    #[arg(value_name = "TAPE")]
    pub tape: Sink,
}

#[derive(Debug, Args)]
#[command(after_help = super::TAPES)]
pub(crate) struct SurveyTapes {
    /// The tapes, one after the other.
    #[arg(value_name = "TAPE", required_unless_present = "changer")]
    pub tapes: Vec<Sink>,
    #[command(flatten)]
    pub through: ThroughChanger,
    /// Backups of this vault only.
    #[arg(long, value_name = "IDENTITY")]
    pub site: Option<Uuid>,
}

#[derive(Debug, Args)]
#[command(after_help = super::TAPES)]
pub(crate) struct RecoverVault {
    /// All tapes that are left, one after the other.
    #[arg(value_name = "TAPE", required_unless_present = "changer")]
    pub tapes: Vec<Sink>,
    #[command(flatten)]
    pub through: ThroughChanger,
    /// Does it. Without this word only what would be done is said.
    #[arg(long)]
    pub confirm: bool,
    /// The vault, where the tapes have backups of several: its identity.
    #[arg(long, value_name = "IDENTITY")]
    pub site: Option<Uuid>,
    /// After this time nothing was written in the vault any more: as 2026-11-30T08:00:00Z, not before the backup that
    /// is restored, or 'backup' for the time of the newest one. Where that is restored, volumes that nothing else is
    /// known of are CURRENT then. Where something that was found was written later, it is now, and a warning says so
    /// [default: now].
    #[arg(long, value_name = "TIME")]
    pub event: Option<String>,
    /// Reads all describing members on the tapes: what was written after the backup comes into the catalog.
    #[arg(long)]
    pub roll_forward: bool,
    /// Reads each copy on the tapes whole, and compares its digest.
    #[arg(long, requires = "roll_forward")]
    pub verify: bool,
    /// Also where the catalog that is there is whole and newer; it is kept.
    #[arg(long)]
    pub replace: bool,
    #[command(flatten)]
    pub order: Ordered,
}

/// The tapes in the slots of a changer.
#[derive(Debug, Args)]
pub(crate) struct ThroughChanger {
    /// Also each cartridge in the slots of this changer: library:SOCKET, remote:HOST, remote-socket:PATH, sg:NODE. It
    /// comes into one drive and goes back, and what was in the drive before is there again at the end.
    #[arg(long, value_name = "CHANGER", requires = "drive")]
    pub changer: Option<ChangerPlace>,
    /// The tape node of that drive.
    #[arg(long, value_name = "TAPE", requires = "changer")]
    pub drive: Option<Sink>,
    /// The number of that drive in the changer, as mtx counts it.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "changer")]
    pub drive_number: u16,
}

/// How an inventory is printed.
#[derive(Debug, Args)]
pub(crate) struct InventoryForm {
    /// Writes comma-separated values with a line of headings.
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// Also what is in the slots of this changer: library:SOCKET, remote:HOST, remote-socket:PATH, sg:NODE.
    #[arg(long, value_name = "CHANGER")]
    pub changer: Option<ChangerPlace>,
    /// Only the slots of the changer, as another program prints them: 'bacula' as 'mtx-changer list', 'bareos' as
    /// 'mtx-changer listall', which their 'update slots' reads, 'amanda' as 'amtape CONFIG inventory'.
    #[arg(
        long = "as",
        value_name = "PROGRAM",
        requires = "changer",
        conflicts_with_all = ["csv", "json"]
    )]
    pub program: Option<InventoryOf>,
}

/// The program as whose an inventory is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InventoryOf {
    Bacula,
    Bareos,
    Amanda,
}

#[derive(Debug, Args)]
pub(crate) struct ListInventory {
    #[command(flatten)]
    pub form: InventoryForm,
}

#[derive(Debug, Args)]
pub(crate) struct GoOnline {
    #[command(flatten)]
    pub form: InventoryForm,
    #[command(flatten)]
    pub order: Ordered,
}
