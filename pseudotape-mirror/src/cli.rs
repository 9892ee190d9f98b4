//! The command line.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use pseudotape_fault::Kind;
use pseudotape_human::{Beginning, parse_size};

mod everywhere;

pub use everywhere::{Asked, command, parse};

pub(crate) const EXIT_CODES: &str = "\
Exit codes: 0 all is well; 1 the mirror is degraded, or 'run' failed at its work and may be started again; \
2 wrong usage or configuration, or what was asked for was refused or failed (the reason is on standard error).";

const LEGS: &str = "\
A leg is NAME=SINK. Sinks:
  PATH                     the image or the tape node that is there
  image:PATH[,create][,capacity=SIZE][,early-warning=SIZE][,cache=auto|keep|drop]
  device:PATH              a tape node, /dev/nst0 for instance
  rmt:[USER@]HOST:PATH     a tape behind an rmt server [,server=PROGRAM][,rsh=PROGRAM]
  null                     nothing: blocks are counted and forgotten
  zstd+SINK, lz4+SINK, aes=KEYFILE+SINK    one of these, compressed or encrypted
  aes-anywhere=KEYFILE+SINK                an encrypted one to read, whose blocks are not where they were written
and behind a sink, in any order:
  class=required           its failure fails the program's write [default]
  class=spare              its failure drops the leg, and the job goes on
  when=sync                it has a block before the program's write returns [default]
  when=unload              it has all when the unload returns
  when=deferred            it has all some time later
  reserve=SIZE             how much a late leg surely takes behind its early warning, where its drive
                           can't say so

The first leg to reach its early warning ends the volume for all of them, so that each is complete.

Example: two images, one of them allowed to fail
  pseudotape-dev --fuse /run/tape --drive slave=/run/slave0 &
  pseudotape-mirror run --slave /run/slave0 \\
      --leg a=image:/data/a.ptape,create,capacity=100G --leg b=/mnt/b.ptape,class=spare &
  tar cf /run/tape/pmtm0 /home
  pseudotape-mirror status";

const CHANGE: &str = "\
As the change script of a job over several volumes:
  tar -cM -F 'pseudotape-mirror load a=/data/a2.ptape b=/mnt/b2.ptape' -f /dev/npmtm0 /home
A tape drive as a leg needs no name here once its tape was changed: a leg that is not named has the sink it \
had, where that is no image.";

/// Several copies of a tape as one drive: a daemon behind the slave end of a drive of pseudotape-dev, and the
/// commands that look after it.
#[derive(Debug, Parser)]
#[command(name = "pseudotape-mirror", version, after_long_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Is the drive behind a slave end, until SIGTERM or SIGINT.
    ///
    /// What a program writes to the drive goes to every leg. A signal to end brings all legs to stable storage
    /// first; a second one does not wait for that. A resync that goes on is given up, and its leg stays out of step.
    /// When the device daemon restarts, the mirror comes back to it.
    Run(RunOptions),
    /// Shows the mirror and each of its legs; 1 is the exit code where something needs the operator.
    Status(StatusOptions),
    /// Puts volumes in, one for each leg, all of them or none.
    Load(LoadOptions),
    /// Brings everything to stable storage, waits for late legs, and takes the volumes out.
    ///
    /// The program itself does the same by 'mt offline'.
    Unload(UnloadOptions),
    /// Brings a leg in step: what it verifiably shares with the others stays, the rest is copied.
    ///
    /// Reads both from their beginning; the program's calls wait meanwhile.
    Resync(LegName),
    /// Takes a leg out of the mirror and closes it: the job goes on without it.
    Drop(LegName),
    /// Opens a leg that is out of step or was dropped anew, and brings it in step.
    ///
    /// Where a volume comes that was not in the leg before, and holds what the mirror does not, nothing is done without
    /// --force.
    Return(ReturnOptions),
    /// Of volumes that disagree at load, says which one is right. The others wait for a resync then.
    ///
    /// A resync drops what another volume holds beyond the end of the trusted one. Where there is such a volume,
    /// nothing is done without --force. A volume that is marked as not mirrored keeps its mark.
    Trust(TrustOptions),
    /// Makes a leg fail on command, to see what the mirror does then; shows what is injected, or removes it.
    ///
    /// Without FAULT and --remove it lists the faults of the leg. What there is: 'pseudotape inject --help'.
    Inject(InjectOptions),
    /// Looks after a mirror of changers ([[changer]] of the configuration).
    Changer(ChangerOptions),
    /// Prints a completion script for a shell.
    Completions(CompletionsOptions),
    /// Writes the man pages of this command into a directory.
    Man(ManOptions),
}

/// What `run` is told.
#[derive(Clone, Debug, Default, Args)]
#[command(after_help = LEGS)]
pub struct RunOptions {
    /// Configuration in TOML; the command line wins over it.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The slave end: its socket (slave=SOCKET of pseudotape-dev), or the node pmtsN.
    #[arg(long, value_name = "SOCKET_OR_NODE")]
    pub slave: Option<PathBuf>,
    /// A leg; once for each copy. Without =SINK it is empty until 'load'.
    #[arg(long, value_name = "NAME[=SINK][,OPTION...]")]
    pub leg: Vec<String>,
    /// With fewer legs in step what writes fails [default: 1].
    #[arg(long, value_name = "N")]
    pub min_legs: Option<usize>,
    /// Reads from all legs and compares.
    #[arg(long)]
    pub verify_reads: bool,
    /// Longest queue of a late leg [default: 64M].
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub queue: Option<u64>,
    /// At its end, how long to wait for legs that do nothing [default: 540].
    #[arg(long, value_name = "SECONDS")]
    pub end_wait: Option<NonZeroU32>,
    /// Writes the line "ready" to this descriptor when the mirror is there, and closes it. It must be open for writing
    /// when the daemon is started.
    #[arg(long, value_name = "N")]
    pub ready_fd: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct StatusOptions {
    /// Looks again every so many seconds [1], until the mirror ends or ^C; as JSON one line for each look.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1", value_parser = seconds)]
    pub watch: Option<f64>,
    /// Ends after so many looks.
    #[arg(long, value_name = "N", requires = "watch")]
    pub looks: Option<u64>,
}

#[derive(Debug, Args)]
#[command(after_help = CHANGE)]
pub(crate) struct LoadOptions {
    /// The legs and their sinks.
    #[arg(value_name = "LEG=SINK")]
    pub legs: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct UnloadOptions {
    /// Also while a program is in the middle of a file.
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LegName {
    /// Name of the leg.
    #[arg(value_name = "LEG")]
    pub leg: String,
}

const FAULTS: &str = "\
Example: the leg can't write the object with number 1000
  pseudotape-mirror inject b write-error,at=1000";

#[derive(Debug, Args)]
#[command(after_help = FAULTS)]
pub(crate) struct InjectOptions {
    /// Name of the leg.
    #[arg(value_name = "LEG")]
    pub leg: String,
    /// What goes wrong from now on: KIND[,OPTION=VALUE...].
    #[arg(value_name = "FAULT", value_parser = Beginning::with(&Kind::ALL.map(Kind::name)), hide_possible_values = true)]
    pub faults: Vec<String>,
    /// Removes the fault with this number, or all of them; before others are injected.
    #[arg(long, value_name = "N|all")]
    pub remove: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct TrustOptions {
    /// Name of the leg.
    #[arg(value_name = "LEG")]
    pub leg: String,
    /// Also where another leg holds more.
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReturnOptions {
    /// Name of the leg, and its sink where that is another one from now on.
    #[arg(value_name = "LEG[=SINK]")]
    pub leg: String,
    /// Also with a volume that holds what the mirror does not: that is dropped.
    #[arg(long)]
    pub force: bool,
}

const CHANGER: &str = "\
Moves are ordered by 'pseudotape changer -f SOCKET', which is mtx, or on the node that 'pseudotape-dev --changer \
library:SOCKET' gives it.";

#[derive(Debug, Args)]
#[command(after_help = CHANGER)]
pub(crate) struct ChangerOptions {
    #[command(subcommand)]
    pub(crate) command: ChangerCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ChangerCommand {
    /// Shows the legs, which of their elements are one, and what is out of step.
    ///
    /// The exit code is 1 where something needs the operator.
    Status,
    /// Says which leg is right: in the others, cartridges are moved to where they are in this one.
    Settle {
        /// Name of the leg.
        #[arg(value_name = "LEG")]
        leg: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsOptions {
    /// The shell.
    #[arg(value_enum)]
    pub shell: pseudotape_human::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManOptions {
    /// The directory; it is made where it is missing.
    #[arg(value_name = "DIRECTORY")]
    pub directory: PathBuf,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| format!("'{text}' is no number of seconds"))?;
    if (0.05..=86_400.0).contains(&seconds) {
        Ok(seconds)
    } else {
        Err("0.05 to 86400 seconds are possible".into())
    }
}
