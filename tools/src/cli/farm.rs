//! The command line of `pseudotape farm`.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use super::referring::{
    CountSerials, DropOriginals, ListReferences, PurgeReferences, ReferVolume, Referring,
    RestoreByItself,
};
use super::remote::RunRemote;
use super::waiting::LockWait;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use pseudotape_farm::{Title, VolumeName};
use pseudotape_farm_net::Person;
use pseudotape_sink::Sink;
use pseudotape_vault::Serial;

const FARM: &str = "\
A farm keeps single files: each in an image of its own, from which 'tar -x' restores it alone. docs/FARM.md has \
the bytes, the exact rules of the verbs, and what --json prints. The exit code is 1 where a file was left out, is missing or is damaged.";

#[derive(Debug, Args)]
#[command(after_help = FARM)]
pub(crate) struct FarmOptions {
    /// The folder with the volumes [default: $PSEUDOTAPE_FARM, else what the configuration says]. It has to be there.
    /// ssh:[USER@]HOST:DIR is one of another host, and ssh:[USER@]HOST: the one that is served there.
    #[arg(long, global = true, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// The configuration [default: /etc/pseudotape-farm.toml, if it is there].
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The private volumes of this host, which can be listed, shown, verified and extracted.
    #[arg(long, global = true, value_name = "HOST")]
    pub owner: Option<VolumeName>,
    /// The program that is run in place of ssh: it gets the host and a command for its shell.
    #[arg(long, global = true, value_name = "PROGRAM", default_value = "ssh")]
    pub rsh: OsString,
    /// The serial number of the volume, whose folder is VOLUME[SERIAL]: one that --backup made is found with it only.
    /// With --catalog alone the folder has the name of the volume.
    #[arg(long, global = true, value_name = "SERIAL")]
    pub serial: Option<Serial>,
    #[command(subcommand)]
    pub command: FarmCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FarmCommand {
    /// Makes a new volume of files; fails where the volume is there.
    Copy(AddFiles),
    /// Adds the files whose titles are not in the volume; makes the volume where it is not there.
    ///
    /// A file that is there is never replaced, whatever it is. One whose capsule is gone or damaged is not there.
    Add(AddFiles),
    /// Adds files as 'add' does, and replaces those that are better than what is there.
    ///
    /// Better is: a higher number in the extended attribute user.vault.cycle, then in user.vault.version, then made
    /// later, then changed later. What is replaced goes when the new one is on stable storage.
    CompareAdd(AddFiles),
    /// Adds the files of other volumes of this farm, which are not changed.
    ///
    /// The sources are taken in the order in which they are said: of a title that several have, 'copy' and 'add' take
    /// the first one, and 'compare-add' the best one.
    Merge(MergeVolumes),
    /// Lists the volumes, or the files of one. No capsule is opened.
    Ls(ListFarm),
    /// Shows all that is known of one file.
    Show(ShowFile),
    /// Notes something about one file. The note stays with its title, also when a better file takes its place.
    Annotate(AnnotateFile),
    /// Gets files back, with all attributes that this user may give them.
    ///
    /// Each file is read to its end and found to be what was written before it gets its name.
    Extract(ExtractFiles),
    /// Writes files to tapes, images or drives of other hosts, as one archive that 'tar -x' reads; several tapes get
    /// the same.
    ///
    /// It goes behind what is recorded. Each capsule is read to its end before anything of it is written.
    Write(WriteFiles),
    /// Reads capsules to their ends, and looks for what does not belong into the volume.
    Verify(VerifyFiles),
    /// Gives files up: their bytes go, and what was known of them stays.
    ///
    /// When all files of the volume are released, the volume is deleted, unless its folder has something that no farm
    /// made.
    Release(ReleaseFiles),
    /// Makes the directory of a volume anew from its capsules. No capsule is changed or removed.
    Rebuild(RebuildVolume),
    /// Looks for all that is wrong with a volume and shows what helps; --yes does it.
    ///
    /// A capsule that has a file goes only where another one took its place and is whole, and only with
    /// --drop-replaced.
    Repair(RepairVolume),
    /// Shows the settings of farms, and who said each of them.
    Config(FarmConfig),
    /// Says who may use this farm from other hosts. Nobody may before somebody is on the list.
    Acl(AclOptions),
    /// Has a command run on the farm's host: one of those that its server allows, as the user that it says.
    ///
    /// What the command prints is printed here; its exit status is told. A server allows none by itself.
    Remote(RunRemote),
    /// Lists which volumes have copies of which files, as the vault's catalog has it.
    ///
    /// It also says of each file whether it is there, removed, or released, and of each copy whether the volume still
    /// has it. No capsule is opened.
    Refs(ListReferences),
    /// Gives the files of a volume the references that the vault's catalog has not, as the directory of the volume
    /// says.
    ///
    /// That is for a catalog that came back from its backup: 'pseudotape vault recover' names the volumes. Of several
    /// volumes the one that was written first is said first.
    Refer(ReferVolume),
    /// Deletes references from the vault's catalog. The capsules stay.
    Purge(PurgeReferences),
    /// Shows the serial number that 'copy --catalog' gives next, or begins a series of them.
    Serial(CountSerials),
    /// Removes files of this host of which a volume has the same, and marks them as released.
    ///
    /// Each file is compared with what its capsule gives back: byte by byte, and in owner, permissions, time of change,
    /// extended attributes and access list. Without --yes nothing is removed.
    DropOriginal(DropOriginals),
    /// Is not done for farms: it says how the file comes back.
    Autorestore(RestoreByItself),
}

impl FarmCommand {
    /// How long it waits for another command, where somebody says it.
    pub fn lock_wait(&self) -> Option<u64> {
        let wait = match self {
            FarmCommand::Copy(add) | FarmCommand::Add(add) | FarmCommand::CompareAdd(add) => {
                &add.wait
            }
            FarmCommand::Merge(merge) => &merge.wait,
            FarmCommand::Annotate(annotate) => &annotate.wait,
            FarmCommand::Release(release) => &release.wait,
            FarmCommand::Rebuild(rebuild) => &rebuild.wait,
            FarmCommand::Repair(repair) => &repair.wait,
            FarmCommand::Refer(refer) => &refer.wait,
            FarmCommand::Ls(_)
            | FarmCommand::Show(_)
            | FarmCommand::Extract(_)
            | FarmCommand::Write(_)
            | FarmCommand::Verify(_)
            | FarmCommand::Config(_)
            | FarmCommand::Acl(_)
            | FarmCommand::Remote(_)
            | FarmCommand::Refs(_)
            | FarmCommand::Purge(_)
            | FarmCommand::Serial(_)
            | FarmCommand::DropOriginal(_)
            | FarmCommand::Autorestore(_) => return None,
        };
        wait.lock_wait
    }

    /// Whether it can change a volume.
    pub fn changes(&self) -> bool {
        match self {
            FarmCommand::Ls(_)
            | FarmCommand::Show(_)
            | FarmCommand::Extract(_)
            | FarmCommand::Write(_)
            | FarmCommand::Verify(_)
            | FarmCommand::Config(_)
            | FarmCommand::Acl(_)
            | FarmCommand::Remote(_)
            | FarmCommand::Refs(_)
            | FarmCommand::Purge(_)
            | FarmCommand::Serial(_)
            | FarmCommand::DropOriginal(_)
            | FarmCommand::Autorestore(_) => false,
            FarmCommand::Repair(repair) => repair.yes,
            FarmCommand::Copy(_)
            | FarmCommand::Add(_)
            | FarmCommand::CompareAdd(_)
            | FarmCommand::Merge(_)
            | FarmCommand::Annotate(_)
            | FarmCommand::Release(_)
            | FarmCommand::Rebuild(_)
            | FarmCommand::Refer(_) => true,
        }
    }

    /// Whether it can make a volume.
    pub fn makes(&self) -> bool {
        matches!(
            self,
            FarmCommand::Copy(_)
                | FarmCommand::Add(_)
                | FarmCommand::CompareAdd(_)
                | FarmCommand::Merge(_)
        )
    }

    /// The volume that a serial number is said of, and the references that its files get.
    pub fn numbered(&mut self) -> Option<(&mut VolumeName, Option<&Referring>)> {
        Some(match self {
            FarmCommand::Copy(add) | FarmCommand::Add(add) | FarmCommand::CompareAdd(add) => {
                (&mut add.volume, Some(&add.referring))
            }
            FarmCommand::Merge(merge) => (&mut merge.volume, Some(&merge.referring)),
            FarmCommand::Refer(refer) => (&mut refer.volume, Some(&refer.referring)),
            FarmCommand::Ls(list) => (list.volume.as_mut()?, None),
            FarmCommand::Show(show) => (&mut show.volume, None),
            FarmCommand::Annotate(annotate) => (&mut annotate.volume, None),
            FarmCommand::Extract(extract) => (&mut extract.volume, None),
            FarmCommand::Write(write) => (&mut write.volume, None),
            FarmCommand::Verify(verify) => (&mut verify.volume, None),
            FarmCommand::Release(release) => (&mut release.volume, None),
            FarmCommand::Rebuild(rebuild) => (&mut rebuild.volume, None),
            FarmCommand::Repair(repair) => (&mut repair.volume, None),
            FarmCommand::Config(_)
            | FarmCommand::Acl(_)
            | FarmCommand::Remote(_)
            | FarmCommand::Refs(_)
            | FarmCommand::Purge(_)
            | FarmCommand::Serial(_)
            | FarmCommand::DropOriginal(_)
            | FarmCommand::Autorestore(_) => return None,
        })
    }

    /// The command that is told of new capsules, where somebody says it.
    pub fn script(&self) -> Option<String> {
        match self {
            FarmCommand::Copy(add) | FarmCommand::Add(add) | FarmCommand::CompareAdd(add) => {
                add.script.clone()
            }
            FarmCommand::Merge(merge) => merge.script.clone(),
            _ => None,
        }
    }

    /// Whether the capsules of a volume that it makes lie in folders.
    pub fn structured(&self) -> bool {
        match self {
            FarmCommand::Copy(add) | FarmCommand::Add(add) | FarmCommand::CompareAdd(add) => {
                add.structured
            }
            FarmCommand::Merge(merge) => merge.structured,
            _ => false,
        }
    }

    /// Whether a volume that it makes is compressed, where somebody says it.
    pub fn compression(&self) -> Option<bool> {
        let said = match self {
            FarmCommand::Copy(add) | FarmCommand::Add(add) | FarmCommand::CompareAdd(add) => {
                add.compression
            }
            FarmCommand::Merge(merge) => merge.compression,
            _ => None,
        };
        said.map(|switch| switch == Compression::On)
    }
}

#[derive(Debug, Args)]
pub(crate) struct AclOptions {
    #[command(subcommand)]
    pub command: AclCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AclCommand {
    /// Lets somebody in, from the next connection on. 'any' stands for every user, or for every host.
    Add(AclPerson),
    /// Lets somebody in no more, from the next connection on. Who is in stays.
    Del(AclPerson),
    /// Lists who may come in.
    List,
}

#[derive(Debug, Args)]
pub(crate) struct AclPerson {
    /// Who: as ssh or a certificate names the user and the host.
    #[arg(value_name = "USER@HOST")]
    pub person: Person,
}

/// Whether a volume is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compression {
    /// It is: its capsules take less room, and 'tar --zstd -x' restores them.
    On,
    /// It is not: 'tar -x' restores its capsules.
    Off,
}

#[derive(Debug, Args)]
pub(crate) struct FarmConfig {
    #[command(subcommand)]
    pub command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Shows each setting with who said it: the command line, the environment, the file, or nobody.
    Show,
}

/// What becomes of a file that changes while it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Changing {
    /// What was read is kept, as "changed".
    Keep,
    /// Nothing of it is kept, and the volume says so.
    Missing,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("sources").required(true).multiple(true).args(["paths", "tar", "from"]))]
pub(crate) struct AddFiles {
    /// The volume.
    #[arg(value_name = "VOLUME")]
    pub volume: VolumeName,
    /// Files, and folders with all that is in them.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// All files of an archive that tar wrote; '-' is standard input. A PATH beside it is a file of this host, and
    /// chooses nothing in the archive.
    #[arg(long, value_name = "ARCHIVE")]
    pub tar: Option<PathBuf>,
    /// All files of an archive that tar wrote to a tape: a node, an image, or another specification of
    /// pseudotape-copy(1). It is the tape file where the tape is, which is behind it then.
    #[arg(long, value_name = "TAPE", conflicts_with = "tar")]
    pub from: Option<Sink>,
    /// This tape file of the tape, counted from 0 at its beginning.
    #[arg(long, value_name = "N", requires = "from")]
    pub file: Option<u32>,
    /// What becomes of a file that changes while it is read, three times in a row.
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Changing::Keep)]
    pub changing: Changing,
    /// Reads the capsules of files that are present to their ends. Without it they are opened only, which finds those
    /// that are gone or cut off, and no changed bit in their contents.
    #[arg(long)]
    pub check_present: bool,
    /// Whether the volume is compressed, where this makes it [default: what the configuration says, else off]. One that
    /// is there stays as it is.
    #[arg(long, value_name = "SWITCH", value_enum)]
    pub compression: Option<Compression>,
    /// The capsules lie in folders that follow the titles, where this makes the volume. One that is there stays as it
    /// is.
    #[arg(long)]
    pub structured: bool,
    /// A command for /bin/sh that is told of the new capsules, as a line of JSON on its standard input, when they are
    /// in the volume [default: what the configuration says]. '' is none.
    #[arg(long, value_name = "CMD")]
    pub script: Option<String>,
    #[command(flatten)]
    pub referring: Referring,
    #[command(flatten)]
    pub wait: LockWait,
    /// Names every file, and not the first 20 of a kind.
    #[arg(long, short)]
    pub verbose: bool,
}

/// Which files of the sources are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MergeVerb {
    /// All, into a new volume.
    Copy,
    /// Those whose titles are not there.
    Add,
    /// Those, and those that are better than what is there.
    CompareAdd,
}

#[derive(Debug, Args)]
pub(crate) struct MergeVolumes {
    /// The volume that gets the files.
    #[arg(value_name = "VOLUME")]
    pub volume: VolumeName,
    /// The volumes that have them.
    #[arg(value_name = "SOURCE", required = true)]
    pub sources: Vec<VolumeName>,
    /// The farm that has them: a folder, ssh:[USER@]HOST:DIR or tls:HOST[:PORT]:DIR [default: this one]. Their contents
    /// go through this host then.
    #[arg(long, value_name = "ROOT")]
    pub source_root: Option<PathBuf>,
    /// Which files are added, as the command of that name does.
    #[arg(long, value_name = "VERB", value_enum, default_value_t = MergeVerb::Add)]
    pub verb: MergeVerb,
    /// Writes a list of all files of the volume: DIR/libmaintdir/VOLUME/DATE/SERIAL.json.
    #[arg(long, value_name = "DIR")]
    pub list: Option<PathBuf>,
    /// Reads the capsules of files that are present to their ends. Without it they are opened only, which finds those
    /// that are gone or cut off, and no changed bit in their contents.
    #[arg(long)]
    pub check_present: bool,
    /// Whether the volume is compressed, where this makes it [default: what the configuration says, else off]. One that
    /// is there stays as it is.
    #[arg(long, value_name = "SWITCH", value_enum)]
    pub compression: Option<Compression>,
    /// The capsules lie in folders that follow the titles, where this makes the volume. One that is there stays as it
    /// is.
    #[arg(long)]
    pub structured: bool,
    /// A command for /bin/sh that is told of the new capsules, as a line of JSON on its standard input, when they are
    /// in the volume [default: what the configuration says]. '' is none.
    #[arg(long, value_name = "CMD")]
    pub script: Option<String>,
    #[command(flatten)]
    pub referring: Referring,
    #[command(flatten)]
    pub wait: LockWait,
    /// Names every file, and not the first 20 of a kind.
    #[arg(long, short)]
    pub verbose: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ListFarm {
    /// The files of this volume.
    #[arg(value_name = "VOLUME")]
    pub volume: Option<VolumeName>,
    /// Only these files, and those in these folders.
    #[arg(value_name = "TITLE", value_parser = title())]
    pub titles: Vec<Title>,
    /// Opens each capsule, and shows those as bad that are gone, damaged, or other ones. Their contents are not read.
    #[arg(long, requires = "volume")]
    pub check: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowFile {
    /// The volume.
    #[arg(value_name = "VOLUME")]
    pub volume: VolumeName,
    /// The file.
    #[arg(value_name = "TITLE", value_parser = title())]
    pub title: Title,
    /// Also what is 0 or not set.
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["note", "remove"]))]
pub(crate) struct AnnotateFile {
    /// The volume.
    #[arg(value_name = "VOLUME")]
    pub volume: VolumeName,
    /// The file.
    #[arg(value_name = "TITLE", value_parser = title())]
    pub title: Title,
    /// The note, a line of at most 1000 characters. It takes the place of the one before.
    #[arg(value_name = "NOTE", value_parser = note)]
    pub note: Option<String>,
    /// Takes the note away.
    #[arg(long)]
    pub remove: bool,
    #[command(flatten)]
    pub wait: LockWait,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["titles", "all"]))]
pub(crate) struct ExtractFiles {
    /// The volume.
    #[arg(value_name = "VOLUME")]
    pub volume: VolumeName,
    /// These files, and those in these folders.
    #[arg(value_name = "TITLE", value_parser = title())]
    pub titles: Vec<Title>,
    /// All files.
    #[arg(long)]
    pub all: bool,
    /// Where they go: each gets the path of its title there.
    #[arg(long, short = 'C', value_name = "DIR", default_value = ".")]
    pub directory: PathBuf,
    /// Replaces what is there.
    #[arg(long)]
    pub overwrite: bool,
    /// Names every file, and not the first 20 of a kind.
    #[arg(long, short)]
    pub verbose: bool,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["titles", "all"]))]
pub(crate) struct WriteFiles {
    /// The volume.
    #[arg(value_name = "VOLUME")]
    pub volume: VolumeName,
    /// These files, and those in these folders.
    #[arg(value_name = "TITLE", value_parser = title())]
    pub titles: Vec<Title>,
    /// All files.
    #[arg(long)]
    pub all: bool,
    /// A tape that gets them: a node, an image, or another specification of pseudotape-copy(1). An image whose name
    /// ends in .ptape is made where it is not there. Said several times, all get the same.
    #[arg(long, value_name = "TAPE", required_unless_present = "tar")]
    pub to: Vec<Sink>,
    /// A file that gets the archive, which is not there yet; a FIFO, or - for standard output.
    #[arg(long, value_name = "ARCHIVE")]
    pub tar: Option<PathBuf>,
    /// Puts all files into this folder of the archive.
    #[arg(long = "as", value_name = "FOLDER", value_parser = folder())]
    pub prefix: Option<Title>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyFiles {
    /// The volume.
    #[arg(value_name = "VOLUME")]
    pub volume: VolumeName,
    /// Only these files, and those in these folders; nothing else is looked for then.
    #[arg(value_name = "TITLE", value_parser = title())]
    pub titles: Vec<Title>,
    /// Writes a list of the files whose capsules are whole: DIR/libmaintdir/VOLUME/DATE/SERIAL.json, as the catalog has
    /// the volume with the serial number --serial.
    #[arg(long, value_name = "DIR", conflicts_with = "titles")]
    pub list: Option<PathBuf>,
    /// Keeps what was found in this file, as --json prints it, in place of what is there.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RebuildVolume {
    /// The volume.
    #[arg(value_name = "VOLUME")]
    pub volume: VolumeName,
    #[command(flatten)]
    pub wait: LockWait,
}

#[derive(Debug, Args)]
pub(crate) struct RepairVolume {
    /// The volume.
    #[arg(value_name = "VOLUME")]
    pub volume: VolumeName,
    /// Does what helps.
    #[arg(long)]
    pub yes: bool,
    /// Also removes capsules with files for whose titles the volume has others that are whole.
    #[arg(long, requires = "yes")]
    pub drop_replaced: bool,
    #[command(flatten)]
    pub wait: LockWait,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["titles", "all"]))]
pub(crate) struct ReleaseFiles {
    /// The volume.
    #[arg(value_name = "VOLUME")]
    pub volume: VolumeName,
    /// These files; no folders.
    #[arg(value_name = "TITLE", value_parser = title())]
    pub titles: Vec<Title>,
    /// All files, which deletes the volume.
    #[arg(long, requires = "yes")]
    pub all: bool,
    /// Confirms --all.
    #[arg(long)]
    pub yes: bool,
    /// Who does it [default: this user].
    #[arg(long, value_name = "NAME", value_parser = pseudotape_human::parse_label)]
    pub by: Option<String>,
    #[command(flatten)]
    pub wait: LockWait,
}

/// A title, or a path of which one is made as it is when the file is added.
/// A folder of an archive: nothing is taken out of its path, since whoever says '..' means something else.
fn folder() -> impl clap::builder::TypedValueParser<Value = Title> {
    use clap::builder::{OsStringValueParser, TypedValueParser};
    OsStringValueParser::new().try_map(|text: OsString| {
        let path = Path::new(&text);
        let goes_up = path.components().any(|part| part == Component::ParentDir);
        match Title::of_path(path) {
            Some(title) if !goes_up => Ok(title),
            Some(_) => Err("a folder of an archive has no '..' in its path"),
            None => Err("a folder is a path with a name in it, of at most 4095 bytes"),
        }
    })
}

fn title() -> impl clap::builder::TypedValueParser<Value = Title> {
    use clap::builder::{OsStringValueParser, TypedValueParser};
    OsStringValueParser::new().try_map(|text: OsString| {
        let title = Title::of_path(text.as_ref());
        title.ok_or("a title is a path with a name in it, of at most 4095 bytes")
    })
}

fn note(text: &str) -> Result<String, String> {
    match pseudotape_farm::check_note(text) {
        Ok(()) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
