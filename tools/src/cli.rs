use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use pseudotape_fault::Kind;
use pseudotape_human::{
    Beginning, Portion, parse_capacity, parse_label, parse_portion, parse_serial, parse_size,
};
use pseudotape_image::VolumeId;
use pseudotape_sink::Sink;
use pseudotape_vault::Label;

mod clone;
mod delivery;
mod drive;
mod everywhere;
mod farm;
mod library;
mod ordered;
mod referring;
mod remote;
mod rescue;
mod travel;
mod vault;
mod volume;
mod waiting;

pub use everywhere::{Asked, command, parse};

pub(crate) use clone::{CloneReason, CloneVolume};
pub(crate) use delivery::{
    CloseIncident, DeclareLost, DeliverFile, DeliverTo, ImportRecovered, Redeliver, ReturnedFile,
};
pub(crate) use farm::{
    AclCommand, AclOptions, AddFiles, AnnotateFile, Changing, Compression, ConfigCommand,
    ExtractFiles, FarmCommand, FarmOptions, ListFarm, MergeVerb, MergeVolumes, RebuildVolume,
    ReleaseFiles, RepairVolume, ShowFile, VerifyFiles, WriteFiles,
};
pub(crate) use library::{
    AddCartridges, ChangerOptions, CreateLibrary, LibraryCommand, LibraryOptions, PairLibraries,
    ShowLibrary,
};
pub(crate) use ordered::Ordered;
pub(crate) use referring::{
    CountSerials, DropOriginals, ListReferences, PurgeReferences, ReferVolume, Referring,
};
pub(crate) use remote::RunRemote;
pub(crate) use rescue::RescueOptions;
pub(crate) use travel::{
    BackUpVault, CatalogOf, GoOnline, InventoryForm, InventoryOf, ListInventory, RecoverVault,
    SurveyTapes, ThroughChanger,
};
pub(crate) use vault::{
    AddVolumes, InitVault, InspectVault, ListVault, MarkVolume, PoolOptions, RecallVolume,
    ReclaimStack, RemoveVolume, SetVolume, ShowVault, StackVolumes, VaultCommand, VaultOptions,
};

pub(crate) use drive::Switch;
use drive::{DriveNumber, SwitchWord};
use volume::{parse_creation, parse_volume_id};

pub(crate) const EXIT_CODES: &str = "\
Exit codes: 0 all is well; 1 damage was found, or something that is needed is missing; \
2 wrong usage, or the command could not do its work (the reason is on standard error); \
3 a signal ended 'pseudotape serve' while a program was writing; \
4 the host of a farm can't be reached, or no service runs there.";

const SIZES: &str = "\
Sizes are bytes, or have a unit: K M G T P (also KiB MiB GiB TiB PiB) are powers of 1024, \
KB MB GB TB PB are powers of 1000. Case does not matter; 1.5T works.";

/// Makes, shows and checks the tape images of pseudotape, and talks to its daemon.
#[derive(Debug, Parser)]
#[command(name = "pseudotape", version, after_long_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes a blank cartridge: an image file.
    Create(CreateOptions),
    /// Shows what an image is: its header, how much is on it, and how it was found.
    Info(InfoOptions),
    /// Lists the files on the tape: everything between two filemarks is a file.
    ///
    /// An image that a drive has is shown up to its last commit, also by `info` and `verify`.
    Ls(ImageOptions),
    /// Writes the bytes of a tape's blocks to a file or to standard output.
    Dump(DumpOptions),
    /// Reads a whole image and checks every checksum.
    Verify(VerifyOptions),
    /// Copies a tape onto another one, block by block and mark by mark.
    Copy(CopyOptions),
    /// Reads a damaged tape, as often as it takes, and remembers what is good, bad and not tried.
    ///
    /// Goes over what can't be read, block by block, or else file by file. Run again, with another copy of the tape,
    /// another drive or more tries, it reads only what is missing; two copies with different bad blocks make a whole
    /// one. It may be killed at any moment, and the same command goes on. The exit code is 0 only where everything on
    /// the tape was read.
    Rescue(RescueOptions),
    /// Says whether two tapes hold the same, or where they differ first.
    Compare(CompareOptions),
    /// Shows the drives of the running daemon and what they are doing.
    Status(StatusOptions),
    /// Puts a cartridge into a drive of the running daemon.
    Load(LoadOptions),
    /// Commits what was written and takes the cartridge out of a drive.
    Unload(UnloadOptions),
    /// Turns the write-protect switch of a cartridge on or off.
    WriteProtect(WriteProtectOptions),
    /// Lets an image be written again of which committed data are missing, and marks it as having lost them.
    ///
    /// A file that was cut, or whose end was destroyed, is a write-protected cartridge: one write would hide what
    /// `info` and `verify` say of it. First copy what is left, or bring the file back. After this command the image
    /// says from which object on data were lost (`info`, `ls`, `status`; `verify` ends with 1), until an object before
    /// that one is written anew, or the volume is made whole by a resync or a copy.
    AcceptLoss(AcceptLossOptions),
    /// Resets a drive, as a reset of its bus does: programs lose their position until they rewind.
    Reset(DriveOptions),
    /// Makes a drive fail on command, to see what a program does then; shows what is injected, or removes it.
    ///
    /// Without FAULT and --remove it lists the faults of the drive: how often each was met, and whether it is over.
    /// Nothing that fails here reaches the cartridge: when the fault is removed, or the daemon ends, the tape is as if
    /// there had been none.
    Inject(InjectOptions),
    /// Shows the options of the st driver for a drive, or sets some, by the names of 'mt stsetoptions'.
    Options(OptionsOptions),
    /// Makes libraries of drives, slots and cartridges, and moves their cartridges.
    Library(LibraryOptions),
    /// Is 'mtx' for a library of the running daemon: the same words, the same output, the same exit codes.
    ///
    /// For the changer scripts of backup programs where the daemon serves a FUSE mount, which can carry no SCSI
    /// commands. A link with the name 'mtx' to this program is the same.
    Changer(ChangerOptions),
    /// Keeps volumes in a vault: their states, what is on them, and who decided what.
    Vault(VaultOptions),
    /// Keeps single files in a farm, each in an image of its own that 'tar -x' restores alone.
    Farm(FarmOptions),
    /// Is the drive behind a slave end, with this image in it, until the daemon hangs up.
    ///
    /// The simplest slave there is: a drive of the daemon that was configured with slave=SOCKET is this
    /// program as long as it runs. It may be ended at any time: what was acknowledged is on the image. A signal
    /// (SIGTERM, SIGINT, SIGHUP) ends it when the operation in hand is done, and commits. The exit code is 3 where a
    /// program was writing: its tape file has no filemark then. A second signal ends it at once.
    Serve(ServeOptions),
    /// Says whether this user can have a drive here, and which; what else is missing; and what to do about it.
    ///
    /// The exit code is 1 where no drive can be made, or something else is missing that is needed.
    Doctor(DoctorOptions),
    /// Prints a completion script for a shell.
    Completions(CompletionsOptions),
    /// Writes the man pages of this command and of pseudotape-rmt into a directory.
    Man(ManOptions),
}

#[derive(Debug, Args)]
#[command(after_help = SIZES)]
pub(crate) struct CreateOptions {
    /// The image file to make; its name usually ends in .ptape.
    #[arg(value_name = "IMAGE")]
    pub image: PathBuf,
    /// Bytes of blocks that fit, to the physical end [default: as much as the host's disk holds].
    #[arg(long, value_name = "SIZE", value_parser = parse_capacity)]
    pub capacity: Option<u64>,
    /// How long before the physical end writers are told to finish [default: 64M, or a sixteenth
    /// of a capacity below 1G; without a capacity 32M before the host's disk is full].
    #[arg(long, value_name = "SIZE|PERCENT%", value_parser = parse_portion)]
    pub early_warning: Option<Portion>,
    /// A name for the volume.
    #[arg(long, value_name = "TEXT", value_parser = parse_label)]
    pub label: Option<String>,
    /// The barcode on the cartridge, for changers.
    #[arg(long, value_name = "TEXT", value_parser = parse_label)]
    pub barcode: Option<String>,
    /// The volume's identity, instead of a new one: two volumes of one identity are taken for copies of each other.
    #[arg(long, value_name = "UUID", value_parser = parse_volume_id)]
    pub volume_id: Option<VolumeId>,
    /// When the volume was made, instead of now (RFC 3339: 2026-01-31T12:00:00Z). With --volume-id and this, the same
    /// writes make the same image, byte for byte.
    #[arg(long = "created", value_name = "TIME", value_parser = parse_creation)]
    pub created_ms: Option<u64>,
    /// Makes a medium that can only be appended to.
    #[arg(long)]
    pub worm: bool,
    /// Smallest block that may be written.
    #[arg(long, value_name = "SIZE", value_parser = parse_size, default_value = "1")]
    pub min_block: u64,
    /// Largest block that may be written.
    #[arg(long, value_name = "SIZE", value_parser = parse_size, default_value = "16M")]
    pub max_block: u64,
    /// Replaces an image that is there already and that nobody uses; what is on it is lost.
    #[arg(long)]
    pub force: bool,
    /// With --force: replaces also a WORM image.
    #[arg(long, requires = "force")]
    pub destroy_worm: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ImageOptions {
    /// The image file; `ls` also takes one behind a filter, aes=KEYFILE+IMAGE, zstd+IMAGE or lz4+IMAGE, and
    /// shows what comes out of it.
    #[arg(value_name = "IMAGE")]
    pub image: PathBuf,
    /// Which partition of the volume; partition N lies beside the image, in IMAGE.pN.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub partition: u8,
}

#[derive(Debug, Args)]
pub(crate) struct InfoOptions {
    #[command(flatten)]
    pub image: ImageOptions,
    /// Draws what of the tape is good, bad and missing: on the screen, or into an SVG file. Of an image that is being
    /// rescued its map is drawn, of another one each block is read for it.
    #[arg(long, value_name = "FILE.svg", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub picture: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyOptions {
    /// The image file, which can be a capsule of a disk farm, or one behind a filter: aes=KEYFILE+IMAGE, zstd+IMAGE or
    /// lz4+IMAGE. Then each block is also decrypted and decompressed.
    #[arg(value_name = "IMAGE")]
    pub image: PathBuf,
    /// Only this partition of the volume [default: all of them].
    #[arg(long, value_name = "N")]
    pub partition: Option<u8>,
}

#[derive(Debug, Args)]
pub(crate) struct DumpOptions {
    /// The image file.
    #[arg(value_name = "IMAGE")]
    pub image: PathBuf,
    /// Which partition of the volume; partition N lies beside the image, in IMAGE.pN.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub partition: u8,
    /// Only the tape file with this number, counted from 0 as 'ls' and 'mt status' do [default:
    /// all of them, one behind the other].
    #[arg(long, value_name = "N")]
    pub file: Option<u64>,
    /// Where to write; '-' is standard output, which must not be a terminal.
    #[arg(short, long, value_name = "OUT", default_value = "-")]
    pub output: PathBuf,
    /// Goes on behind damaged blocks, leaving them out; the exit code is 1 then.
    #[arg(long)]
    pub skip_damaged: bool,
}

const TAPES: &str = "\
A tape is written PATH (an image, or a tape's non-rewinding node), image:PATH[,create][,capacity=SIZE]\
[,early-warning=SIZE][,cache=auto|keep|drop], device:PATH, rmt:[USER@]HOST:PATH[,server=PROGRAM][,rsh=PROGRAM] \
or null; zstd+, lz4+ and \
aes=KEYFILE+ before it compress and encrypt each block; aes-anywhere=KEYFILE+ reads encrypted blocks that are not \
where they were written.";

/// What becomes of a block that can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Damaged {
    /// The copy ends before it.
    Stop,
    /// It is recorded as unreadable; only an image can hold that.
    Record,
    /// It is left out: what follows gets lower numbers.
    Skip,
}

#[derive(Debug, Args)]
#[command(after_help = TAPES)]
pub(crate) struct CopyOptions {
    /// The tape to read.
    #[arg(value_name = "SRC")]
    pub source: Sink,
    /// The tape to write; an image whose name ends in .ptape is made where it is not there.
    #[arg(value_name = "DST")]
    pub target: Sink,
    /// Which partition of SRC [default: its only one].
    #[arg(long, value_name = "N")]
    pub partition: Option<u8>,
    /// Begins with this object of SRC: the one that the copy before, onto another tape, named as the
    /// first one not copied. Both tapes one behind the other are then SRC.
    #[arg(
        long = "continue",
        value_name = "OBJECT",
        default_value_t = 0,
        hide_default_value = true
    )]
    pub from: u64,
    /// Goes on with a copy that was interrupted: compares what is there with SRC, and copies the rest.
    #[arg(long, conflicts_with = "force")]
    pub resume: bool,
    /// Writes over what is recorded on DST.
    #[arg(long)]
    pub force: bool,
    /// Copies what fits onto DST, also where it is known that not all of it will.
    #[arg(long)]
    pub part: bool,
    /// What to do with a block that can't be read.
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Damaged::Stop)]
    pub damaged: Damaged,
}

#[derive(Debug, Args)]
#[command(after_help = TAPES)]
pub(crate) struct CompareOptions {
    /// The one tape.
    #[arg(value_name = "A")]
    pub first: Sink,
    /// The other one.
    #[arg(value_name = "B")]
    pub second: Sink,
    /// Only this partition [default: all of them].
    #[arg(long, value_name = "N")]
    pub partition: Option<u8>,
}

#[derive(Debug, Args)]
pub(crate) struct StatusOptions {
    /// Only this drive.
    #[arg(value_name = "DRIVE", value_parser = DriveNumber)]
    pub drive: Option<u32>,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["image", "label", "scratch"]))]
#[command(override_usage = "pseudotape load [OPTIONS] <DRIVE> <VOLUME|--volume <LABEL>|--scratch>")]
pub(crate) struct LoadOptions {
    /// Number of the drive: N of /dev/pmtmN.
    #[arg(value_name = "DRIVE", value_parser = DriveNumber)]
    pub drive: u32,
    /// The image file, or another volume by its specification: zstd+image:PATH, aes=KEYFILE+image:PATH, device:PATH,
    /// rmt:[USER@]HOST:TAPE. A name that is not in this directory is one in a folder that the daemon lends.
    #[arg(value_name = "VOLUME")]
    pub image: Option<PathBuf>,
    /// The volume of the daemon's vault with this label ('pseudotape vault ls').
    #[arg(long = "volume", value_name = "LABEL")]
    pub label: Option<Label>,
    /// The scratch volume of the daemon's vault that was not used for the longest time.
    #[arg(long)]
    pub scratch: bool,
    /// Loads the volume to be read only; of an image say image:PATH,ro.
    #[arg(long, requires = "label")]
    pub read_only: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UnloadOptions {
    /// Number of the drive: N of /dev/pmtmN.
    #[arg(value_name = "DRIVE", value_parser = DriveNumber)]
    pub drive: u32,
    /// Also while a program has the drive open, which gets errors from then on, or has locked it ('mt lock').
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DriveOptions {
    /// Number of the drive: N of /dev/pmtmN.
    #[arg(value_name = "DRIVE", value_parser = DriveNumber)]
    pub drive: u32,
}

const FAULTS: &str = "\
A fault is KIND[,OPTION=VALUE...]:
  read-error, write-error   a block can't be read, written: EIO
  recovered                 a block is transferred after a repair, which is counted
  hardware-error            the drive fails: EIO
  reset, position-lost      the position is lost until a rewind: EIO
  busy                      the drive is not ready: opens wait, then EIO
  slow, hang                the drive takes its time (rate=SIZE, delay=TIME), or waits until --remove
  early-warning             the end of the tape is near: ENOSPC for the write after the next
  write-protect             the medium can't be written: EROFS, EIO
  load-failure              a cartridge can't be loaded
  commit-failure            what was written does not come to stable storage: EIO
When: at=OBJECT[,partition=N], every=N, chance=P%[,seed=N], on=read+write+marks+motion+load
How long: times=N, for=TIME (200ms, 10s, 5m)
Where the tape is after a block failed: position=behind, kept or lost

Example: the third try to read object 7 succeeds
  pseudotape inject 0 read-error,at=7,position=kept,times=2";

#[derive(Debug, Args)]
#[command(after_help = FAULTS)]
pub(crate) struct InjectOptions {
    /// Number of the drive: N of /dev/pmtmN.
    #[arg(value_name = "DRIVE", value_parser = DriveNumber)]
    pub drive: u32,
    /// What goes wrong from now on.
    #[arg(value_name = "FAULT", value_parser = Beginning::with(&Kind::ALL.map(Kind::name)), hide_possible_values = true)]
    pub faults: Vec<String>,
    /// Removes the fault with this number, or all of them; before others are injected.
    #[arg(long, value_name = "N|all")]
    pub remove: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct OptionsOptions {
    /// Number of the drive: N of /dev/pmtmN.
    #[arg(value_name = "DRIVE", value_parser = DriveNumber)]
    pub drive: u32,
    /// What to set: NAME or NAME=on, NAME=off, defblksize=BYTES, defdensity=CODE, defdrvbuffer=0..7,
    /// defcompression=on|off; a default that is 'none' is not set at all.
    #[arg(value_name = "NAME[=VALUE]")]
    pub set: Vec<String>,
    /// The mode whose options are meant: the letter at the end of the node's name.
    #[arg(long, value_name = "l|m|a")]
    pub mode: Option<ModeLetter>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeLetter {
    /// Mode 1.
    L,
    /// Mode 2.
    M,
    /// Mode 3.
    A,
}

#[derive(Debug, Args)]
pub(crate) struct WriteProtectOptions {
    /// An image file, or the number of a drive with a cartridge in it (a file whose name is only
    /// digits: put ./ before it).
    #[arg(value_name = "IMAGE|DRIVE")]
    pub target: PathBuf,
    /// The switch.
    #[arg(value_name = "on|off", value_parser = SwitchWord)]
    pub switch: Switch,
}

#[derive(Debug, Args)]
pub(crate) struct AcceptLossOptions {
    /// The image file, which no drive has.
    #[arg(value_name = "IMAGE")]
    pub image: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = SIZES)]
pub(crate) struct ServeOptions {
    /// The image file.
    #[arg(value_name = "IMAGE")]
    pub image: PathBuf,
    /// The slave end: the drive's socket, or its node pmtsN.
    #[arg(long, value_name = "SOCKET|NODE")]
    pub on: PathBuf,
    /// What kind of drive it is: generic, scsi_debug, mhvtl, lto5 to lto9, dds.
    #[arg(long, value_name = "NAME", default_value = "generic")]
    pub personality: String,
    /// Unit serial number.
    #[arg(long, value_name = "TEXT", default_value = "PT00000000", value_parser = parse_serial)]
    pub serial: String,
    /// Capacity, instead of what is written in the image.
    #[arg(long, value_name = "SIZE", value_parser = parse_capacity)]
    pub capacity: Option<u64>,
    /// Length of the early-warning zone, instead of what is written in the image [default with a --capacity
    /// and no zone in the image: 64M, at most a sixteenth of it].
    #[arg(long, value_name = "SIZE|PERCENT%", value_parser = parse_portion)]
    pub early_warning: Option<Portion>,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorOptions {
    /// The directory where images are, or will be.
    #[arg(value_name = "DIR", default_value = ".")]
    pub images: PathBuf,
    /// Tries it: starts a drive in a temporary directory, writes and reads a record, and ends the drive.
    #[arg(long = "try")]
    pub tries: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsOptions {
    /// The shell.
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: pseudotape_human::Shell,
    /// The program that is to be completed.
    #[arg(long, value_enum, default_value = "pseudotape")]
    pub program: Program,
}

/// Programs of this package; pseudotape-mirror makes its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Program {
    Pseudotape,
    PseudotapeRmt,
}

#[derive(Debug, Args)]
pub(crate) struct ManOptions {
    /// The directory; it is made where it is missing.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of the help is a second list of what there is.
    #[test]
    fn the_help_names_every_fault_and_every_option() {
        for kind in Kind::ALL {
            assert!(FAULTS.contains(kind.name()), "{kind}");
        }
        for key in pseudotape_fault::Key::ALL {
            let name = format!("{}=", key.name());
            assert!(FAULTS.contains(&name), "{name}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }
}
