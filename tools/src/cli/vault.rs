//! The command line of `pseudotape vault`.

use std::path::PathBuf;

use super::clone::CloneVolume;
use super::delivery::{CloseIncident, DeclareLost, DeliverFile, ImportRecovered, Redeliver};
use super::ordered::Ordered;
use super::travel::{BackUpVault, CatalogOf, GoOnline, ListInventory, RecoverVault, SurveyTapes};
use clap::{ArgGroup, Args, Subcommand};
use pseudotape_human::parse_capacity;
use pseudotape_sink::Sink;
use pseudotape_vault::{Availability, Category, Label, Scheme, StackState};

const VAULT: &str = "\
A vault is a directory with a catalog and the images of its volumes; docs/VAULT.md has the states of volumes and what \
--json prints. Each change is written down: who, when, why ('pseudotape vault show LABEL').";

#[derive(Debug, Args)]
#[command(after_help = VAULT)]
pub(crate) struct VaultOptions {
    #[command(subcommand)]
    pub command: VaultCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum VaultCommand {
    /// Makes an empty vault in a directory.
    Init(InitVault),
    /// Takes images into the vault, or makes blank volumes.
    ///
    /// An image gets a name in the vault's directory, and loses the one that it had; it has to be on the same file
    /// system. An image that is the vault's already is looked at anew, and its volume is closed: so the catalog
    /// is told what was written past it.
    Add(AddVolumes),
    /// Lists the volumes, or the tape files of one.
    Ls(ListVault),
    /// Shows the vault, or all that is known of one volume and what was done to it.
    Show(ShowVault),
    /// Gives a volume another label or another category.
    Set(SetVolume),
    /// Writes down the state of a volume, or of one of its tape files, as a person decided it.
    ///
    /// STATE of a volume: ok, notallowed, at-vendor, lost. STATE of a tape file: ok, bad, missing, released; a file is
    /// lost by 'declare-lost' alone. A bad or missing file becomes ok only when it is read again with the digest that
    /// it had, which this command does.
    Mark(MarkVolume),
    /// Puts a clone in the place of a volume of which something can't be read any more.
    ///
    /// The volume is blocked, read as often as it takes, and what is whole on it is written onto a blank volume, read
    /// back, and given the label; the damaged volume is kept, blocked. The command may be killed at any moment: the
    /// same one goes on. The exit code is 1 where a tape file that somebody wants is not on the clone.
    Clone(CloneVolume),
    /// Declares tape files lost: nobody will try any more to read them.
    ///
    /// It is the only way to that state. 'pseudotape vault mark LABEL bad --file N' takes it back.
    DeclareLost(DeclareLost),
    /// Brings one tape file out of the vault: into a directory, to another host, or onto another volume.
    ///
    /// It is delivered only where all of it can be read, with the digest that the catalog has; into a directory what
    /// there is of another one comes as NAME.partial, with a map of its holes, and the exit code is 1.
    Deliver(DeliverFile),
    /// Takes a bad tape file back that its owner has delivered again, and writes it onto the clone.
    Redeliver(Redeliver),
    /// Takes bad tape files back that somebody could recover, and writes those with the right digest onto the clone.
    ///
    /// The exit code is 1 where one of them was refused, or a file of the volume is still bad.
    ImportRecovered(ImportRecovered),
    /// Closes the incident of a clone, when somebody has decided of each tape file that is not on it.
    CloseIncident(CloseIncident),
    /// Takes a volume out of the vault and deletes its image.
    Rm(RemoveVolume),
    /// Writes copies of volumes on a stacked volume: any tape, as archives that tar lists and extracts.
    ///
    /// Each copy is of the volume as it is closed now. A volume of which the pool has such a copy is passed. What does
    /// not fit gets no copy: the stacked volume is full then, and the same command goes on with the next one (exit code
    /// 1).
    Stack(StackVolumes),
    /// Brings the image of a volume back from a stacked volume.
    Recall(RecallVolume),
    /// Moves what is still wanted off a stacked volume that is mostly given up. What was moved is read back before the
    /// stacked volume is free to be written again.
    ///
    /// The exit code is 1 where something stays there: the same command goes on, with another tape where one is full.
    Reclaim(ReclaimStack),
    /// Lists the stacked volumes of all pools, or writes down the state of one.
    Pool(PoolOptions),
    /// Compares the catalog with the directory, and says what to do about each difference.
    ///
    /// The exit code is 1 where there is one.
    Doctor(InspectVault),
    /// Writes a backup of the catalog on a tape, as a tape file of its own behind what is there.
    Backup(BackUpVault),
    /// Shows the newest backup of a catalog on one tape.
    ///
    /// The exit code is 1 where the tape does not end with a whole one.
    CatalogOf(CatalogOf),
    /// Shows for each tape the newest backup of a catalog on it, or that there is none, or why it can't be used; and
    /// which is the newest of all.
    ///
    /// Only the ends of the tapes are read. The exit code is 1 where one of them does not end with a whole backup.
    Survey(SurveyTapes),
    /// Brings the vault back from its tapes: the newest undamaged backup becomes its catalog, and a report says what
    /// was lost.
    ///
    /// It can be killed, and repeated. Afterwards the vault is not in service until 'pseudotape vault online'. The
    /// exit code is 0 only where nothing was lost.
    Recover(RecoverVault),
    /// Shows the loss report of the last recovery again.
    Report,
    /// Lists the volumes, and which of them are there.
    Inventory(ListInventory),
    /// Puts a recovered vault into service, and lists the volumes as 'inventory' does.
    Online(GoOnline),
}

#[derive(Debug, Args)]
pub(crate) struct InitVault {
    /// The directory; it is made where it is missing [default: --vault].
    #[arg(value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// What people call the vault [default: the name of the directory].
    #[arg(long, value_name = "TEXT", value_parser = pseudotape_human::parse_label)]
    pub name: Option<String>,
    /// What labels of new volumes look like, with # for each digit [default: PT####].
    #[arg(long, value_name = "SCHEME")]
    pub labels: Option<Scheme>,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["images", "new"]))]
pub(crate) struct AddVolumes {
    /// Images to take in.
    #[arg(value_name = "IMAGE")]
    pub images: Vec<PathBuf>,
    /// Makes blank scratch volumes.
    #[arg(long)]
    pub new: bool,
    /// How many.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "new", value_parser = clap::value_parser!(u32).range(1..))]
    pub count: u32,
    /// What their labels look like [default: what vault.toml says].
    #[arg(
        long,
        value_name = "SCHEME",
        requires = "new",
        conflicts_with = "label"
    )]
    pub scheme: Option<Scheme>,
    /// How much fits on each [default: as much as the host's disk holds].
    #[arg(long, value_name = "SIZE", requires = "new", value_parser = parse_capacity)]
    pub capacity: Option<u64>,
    /// The label, of one volume [default: the next one of the scheme; of an IMAGE its barcode, its label, or its name].
    #[arg(long, value_name = "TEXT", conflicts_with = "count")]
    pub label: Option<Label>,
    /// What the volume is for: scratch, private, insert, error [default: private where
    /// something is on it, else scratch].
    #[arg(long, value_name = "CATEGORY", conflicts_with = "new")]
    pub category: Option<Category>,
    /// Reads the images, and stores the digest of each tape file.
    #[arg(long, conflicts_with = "new")]
    pub digests: bool,
    /// Also an image that is older than the catalog, or was written elsewhere: what it lacks is given up.
    #[arg(long, conflicts_with = "new")]
    pub replace: bool,
    #[command(flatten)]
    pub order: Ordered,
}

#[derive(Debug, Args)]
pub(crate) struct ListVault {
    /// The tape files of this volume.
    #[arg(value_name = "LABEL", conflicts_with_all = ["category", "availability"])]
    pub label: Option<Label>,
    /// Only volumes of this category.
    #[arg(long, value_name = "CATEGORY")]
    pub category: Option<Category>,
    /// Only volumes of this availability: ok, noaccess, notallowed, at-vendor, lost.
    #[arg(long, value_name = "STATE")]
    pub availability: Option<Availability>,
}

#[derive(Debug, Args)]
pub(crate) struct ShowVault {
    /// This volume [default: the vault].
    #[arg(value_name = "LABEL")]
    pub label: Option<Label>,
    /// How many of the newest events.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub events: u32,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["new_label", "category"]))]
pub(crate) struct SetVolume {
    /// The volume.
    #[arg(value_name = "LABEL")]
    pub label: Label,
    /// Its new label.
    #[arg(long = "label", value_name = "TEXT")]
    pub new_label: Option<Label>,
    /// What it is for: scratch (what is on it is given up; needs a --reason), private, error.
    #[arg(long, value_name = "CATEGORY")]
    pub category: Option<Category>,
    #[command(flatten)]
    pub order: Ordered,
}

#[derive(Debug, Args)]
pub(crate) struct MarkVolume {
    /// The volume.
    #[arg(value_name = "LABEL")]
    pub label: Label,
    /// Its new state.
    #[arg(value_name = "STATE")]
    pub state: String,
    /// The state is that of this tape file, counted from 0.
    #[arg(long, value_name = "N")]
    pub file: Option<u64>,
    /// Who decided it.
    #[arg(long, value_name = "NAME", value_parser = pseudotape_human::parse_label)]
    pub by: Option<String>,
    /// Why.
    #[arg(long, value_name = "TEXT", value_parser = pseudotape_human::parse_label)]
    pub reason: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveVolume {
    /// The volume.
    #[arg(value_name = "LABEL")]
    pub label: Label,
    /// Also where the last copy of something that somebody wants is on it.
    #[arg(long)]
    pub lose_last_copy: bool,
    #[command(flatten)]
    pub order: Ordered,
}

#[derive(Debug, Args)]
pub(crate) struct InspectVault {
    /// Reads every block of every image, and compares the digests.
    #[arg(long)]
    pub digests: bool,
    /// Writes down what was found bad: the tape files become bad, and their volumes noaccess.
    #[arg(long, requires = "digests")]
    pub mark: bool,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which-volumes").required(true).args(["labels", "policy"]))]
pub(crate) struct StackVolumes {
    /// The volumes.
    #[arg(value_name = "LABEL")]
    pub labels: Vec<Label>,
    /// All private volumes that are closed, and of which the pool has no copy as they are now.
    #[arg(long)]
    pub policy: bool,
    /// The pool of stacked volumes.
    #[arg(long, value_name = "POOL")]
    pub to: Label,
    /// The drive with the stacked volume: an image, a tape node, or a specification.
    #[arg(long, value_name = "DRIVE")]
    pub drive: Sink,
    /// What a blank tape is to be called; it becomes a stacked volume of the pool.
    #[arg(long, value_name = "LABEL")]
    pub new: Option<Label>,
    #[command(flatten)]
    pub order: Ordered,
}

#[derive(Debug, Args)]
pub(crate) struct RecallVolume {
    /// The volume.
    #[arg(value_name = "LABEL")]
    pub label: Label,
    /// The drive with the stacked volume: an image, a tape node, or a specification [default: the images that volumes
    /// were stacked on, and what recall-from in vault.toml names].
    #[arg(long, value_name = "DRIVE")]
    pub drive: Option<Sink>,
    #[command(flatten)]
    pub order: Ordered,
}

#[derive(Debug, Args)]
pub(crate) struct ReclaimStack {
    /// The stacked volume.
    #[arg(value_name = "LABEL")]
    pub label: Label,
    /// The drive that it is in [default: the image that it is].
    #[arg(long, value_name = "DRIVE")]
    pub from: Option<Sink>,
    /// The drive with the stacked volume of the same pool that fills: an image, a tape node, or a specification.
    #[arg(long, value_name = "DRIVE")]
    pub drive: Sink,
    /// What a blank tape there is to be called; it becomes a stacked volume of the pool.
    #[arg(long, value_name = "LABEL")]
    pub new: Option<Label>,
    #[command(flatten)]
    pub order: Ordered,
}

#[derive(Debug, Args)]
pub(crate) struct PoolOptions {
    /// This stacked volume gets a state.
    #[arg(value_name = "LABEL", requires = "state")]
    pub label: Option<Label>,
    /// The state: full, erase, empty, read-only-recovery, unavailable, destroyed.
    #[arg(value_name = "STATE")]
    pub state: Option<StackState>,
    /// Becomes erase also where the last copy of something that somebody wants is on it.
    #[arg(long, requires = "label")]
    pub lose_last_copy: bool,
    #[command(flatten)]
    pub order: Ordered,
}
