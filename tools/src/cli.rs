use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use pseudotape_control::parse_size;

pub(crate) const EXIT_CODES: &str = "\
Exit codes: 0 all is well; 1 damage was found, or something that is needed is missing; \
2 wrong usage, or the command could not do its work (the reason is on standard error).";

const SIZES: &str = "\
Sizes are bytes, or have a unit: K M G T P (also KiB MiB GiB TiB PiB) are powers of 1024, \
KB MB GB TB PB are powers of 1000. Case does not matter; 1.5T works.";

/// Makes, shows and checks the tape images of pseudotape, and talks to its daemon.
#[derive(Debug, Parser)]
#[command(name = "pseudotape", version, after_long_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    /// Control socket of the daemon [default: $PSEUDOTAPE_CONTROL, else
    /// $XDG_RUNTIME_DIR/pseudotape/control, else /run/pseudotape/control].
    #[arg(
        long,
        global = true,
        help_heading = "Everywhere",
        value_name = "SOCKET"
    )]
    pub control: Option<PathBuf>,

    /// Prints the result as JSON.
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub json: bool,

    /// How long to wait for the daemon [default: 10 for status and doctor, 300 for what may have to
    /// write to the host's disk first].
    #[arg(long, global = true, help_heading = "Everywhere", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: Option<u64>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes a blank cartridge: an image file.
    Create(CreateOptions),
    /// Shows what an image is: its header, how much is on it, and how it was found.
    Info(ImageOptions),
    /// Lists the files on the tape: everything between two filemarks is a file.
    Ls(ImageOptions),
    /// Writes the bytes of a tape's blocks to a file or to standard output.
    Dump(DumpOptions),
    /// Reads a whole image and checks every checksum.
    Verify(VerifyOptions),
    /// Shows the drives of the running daemon and what they are doing.
    Status(StatusOptions),
    /// Puts a cartridge into a drive of the running daemon.
    Load(LoadOptions),
    /// Commits what was written and takes the cartridge out of a drive.
    Unload(UnloadOptions),
    /// Turns the write-protect switch of a cartridge on or off.
    WriteProtect(WriteProtectOptions),
    /// Resets a drive, as a reset of its bus does: programs lose their position until they rewind.
    Reset(DriveOptions),
    /// Looks for what a machine needs to run pseudotape, and says what to do where it is missing.
    Doctor(DoctorOptions),
    /// Prints a completion script for a shell.
    Completions(CompletionsOptions),
    /// Writes the man pages of this command into a directory.
    Man(ManOptions),
}

#[derive(Debug, Args)]
#[command(after_help = SIZES)]
pub(crate) struct CreateOptions {
    /// The image file to make; its name usually ends in .ptape.
    #[arg(value_name = "IMAGE")]
    pub image: PathBuf,
    /// Bytes of blocks that fit, to the physical end [default: as much as the host's disk holds].
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub capacity: Option<u64>,
    /// How long before the physical end writers are told to finish [default: 64M, or a sixteenth
    /// of a capacity below 1G; none without a capacity].
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub early_warning: Option<u64>,
    /// A name for the volume.
    #[arg(long, value_name = "TEXT")]
    pub label: Option<String>,
    /// The barcode on the cartridge, for changers.
    #[arg(long, value_name = "TEXT")]
    pub barcode: Option<String>,
    /// Makes a medium that can only be appended to.
    #[arg(long)]
    pub worm: bool,
    /// Smallest block that may be written.
    #[arg(long, value_name = "SIZE", value_parser = parse_size, default_value = "1")]
    pub min_block: u64,
    /// Largest block that may be written.
    #[arg(long, value_name = "SIZE", value_parser = parse_size, default_value = "16M")]
    pub max_block: u64,
    /// Replaces an image that is there already; what is on it is lost.
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ImageOptions {
    /// The image file.
    #[arg(value_name = "IMAGE")]
    pub image: PathBuf,
    /// Which partition of the volume; partition N lies beside the image, in IMAGE.pN.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub partition: u8,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyOptions {
    /// The image file.
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

#[derive(Debug, Args)]
pub(crate) struct StatusOptions {
    /// Only this drive.
    #[arg(value_name = "DRIVE")]
    pub drive: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct LoadOptions {
    /// Number of the drive: N of /dev/pmtmN.
    #[arg(value_name = "DRIVE")]
    pub drive: u32,
    /// The image file.
    #[arg(value_name = "IMAGE")]
    pub image: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct UnloadOptions {
    /// Number of the drive: N of /dev/pmtmN.
    #[arg(value_name = "DRIVE")]
    pub drive: u32,
    /// Also while a program has the drive open; it gets errors from then on.
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DriveOptions {
    /// Number of the drive: N of /dev/pmtmN.
    #[arg(value_name = "DRIVE")]
    pub drive: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// Nothing more can be written.
    On,
    /// The cartridge can be written.
    Off,
}

#[derive(Debug, Args)]
pub(crate) struct WriteProtectOptions {
    /// An image file, or the number of a drive with a cartridge in it (a file whose name is only
    /// digits: put ./ before it).
    #[arg(value_name = "IMAGE|DRIVE")]
    pub target: PathBuf,
    /// The switch.
    #[arg(value_name = "on|off")]
    pub switch: Switch,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorOptions {
    /// The directory where images are, or will be.
    #[arg(value_name = "DIR", default_value = ".")]
    pub images: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsOptions {
    /// The shell.
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManOptions {
    /// The directory; it is made where it is missing.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
