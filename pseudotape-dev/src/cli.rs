//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::fuse::Uring;

/// What the exit codes say.
pub const EXIT_CODES: &str = "\
Exit codes: 0 all is well; 1 the daemon could not do its work (the reason is on standard error); \
2 the command line or the configuration is wrong; \
3 a signal ended the daemon while a program had written and was not done.";

/// Serves tape drives whose cartridges are image files, or which are other programs.
///
/// Drive N gets the node pmtmN, which rewinds on close, and npmtmN, which does not: in /dev where the
/// kernel has CUSE, or as files in the directory of a FUSE mount. A drive with a slave end also gets pmtsN:
/// the program that opens it, or connects to its socket, is the drive. SIGTERM finishes the write in hand,
/// closes what is open, commits, and removes the nodes.
#[derive(Clone, Debug, Default, Parser)]
#[command(name = "pseudotape-dev", version, after_long_help = EXIT_CODES, max_term_width = 100)]
pub struct Arguments {
    /// Configuration in TOML; the command line wins over it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// One drive; may be repeated. IMAGE, or key=value pairs: image, personality (generic, scsi_debug, mhvtl,
    /// lto5 to lto9, dds), serial, capacity, early-warning, min-block, max-block, announces-medium,
    /// cache (auto, keep, drop), end-of-tape (linux, bsd), options (NAME;NAME=off;...). A comma in a path: \,
    /// (and \\ for a backslash before a comma). Empty: a drive without cartridge. slave=SOCKET instead: a drive that is
    /// whoever comes to that socket or to pmtsN, with slave-wait=SECONDS (how long an open waits for one [default: 0]),
    /// slave-timeout=SECONDS (how long it may be silent in an operation [default: 60]), slave-group=GROUP and
    /// slave-mode=OCTAL (who else than the daemon's user may be it [default: 0600, with a group 0660]).
    /// legs=NAME=SINK;NAME=SINK instead: a drive that is several at once, with the sinks and the options of
    /// 'pseudotape-mirror run --leg' (its commas with a backslash), min-legs, verify-reads, queue, end-wait and
    /// serial
    #[arg(long, value_name = "SPEC")]
    pub drive: Vec<String>,

    /// A library that 'pseudotape library create' made; may be repeated. Its drives come after those of --drive
    #[arg(long, value_name = "FOLDER")]
    pub library: Vec<PathBuf>,

    /// The vault whose volumes are loaded by their labels ('pseudotape load DRIVE --volume LABEL'). Its catalog is told
    /// of each close: what is on the volume, with digests. A vault that has lost its catalog refuses loads
    #[arg(long, value_name = "DIR")]
    pub vault: Option<PathBuf>,

    /// A changer of elsewhere that gets a node (pmchN, behind those of the libraries) and a name (changer0, ...) on the
    /// control socket; may be repeated. library:SOCKET[/NAME] of a daemon or of a mirror of changers, remote:HOST,
    /// remote-socket:PATH, or sg:NODE. It may come later than this daemon
    #[arg(long, value_name = "SPEC")]
    pub changer: Vec<String>,

    /// Character devices in /dev, or fail
    #[arg(long, conflicts_with = "fuse")]
    pub cuse: bool,

    /// Files in this directory, by a FUSE mount. A directory that is not there is made, and goes at the end: then no
    /// program takes a plain file in it for a tape. One that holds anything is refused
    #[arg(long, value_name = "DIR")]
    pub fuse: Option<PathBuf>,

    /// How the calls of the files of --fuse come: over io_uring, which is faster where caller and daemon have several
    /// processors (Linux 6.14, with 'options fuse enable_uring=1' in /etc/modprobe.d), or through /dev/fuse
    /// [default: auto]
    #[arg(long, value_name = "WHEN", conflicts_with = "cuse")]
    pub uring: Option<Uring>,

    /// Control socket [default: $PSEUDOTAPE_CONTROL, $XDG_RUNTIME_DIR/pseudotape/control or
    /// /run/pseudotape/control]. It has the group of the nodes; root and the daemon's user may load any volume there,
    /// others those of the folders that `[control]` in the configuration lists
    #[arg(long, value_name = "SOCKET")]
    pub control: Option<PathBuf>,

    /// Permission bits of the nodes [default: 0660]
    #[arg(long, value_name = "OCTAL")]
    pub mode: Option<String>,

    /// Group of the nodes [default: tape where it exists and the daemon's user can give it, else the daemon's own]
    #[arg(long)]
    pub group: Option<String>,

    /// Also the nodes of the modes 1 to 3 of each drive: pmtmNl, pmtmNm, pmtmNa and npmtmNl, ...
    #[arg(long)]
    pub mode_nodes: bool,

    /// How long a blocking open waits for a medium [default: 5]. st waits 120: say so where a person or a changer loads
    /// cartridges for programs that are waiting
    #[arg(long, value_name = "SECONDS")]
    pub open_wait: Option<u64>,

    /// Writes the line "ready" to this descriptor when the drives are there, and closes it. It must be open for writing
    /// when the daemon is started
    #[arg(long, value_name = "N")]
    pub ready_fd: Option<u32>,

    /// Writes the man pages of this program and of its configuration into this directory, and ends
    #[arg(
        long,
        value_name = "DIR",
        exclusive = true,
        help_heading = "For packages"
    )]
    pub man: Option<PathBuf>,

    /// Prints the script with which this shell completes the words behind this program, and ends
    #[arg(
        long,
        value_name = "SHELL",
        value_enum,
        exclusive = true,
        help_heading = "For packages"
    )]
    pub completions: Option<pseudotape_human::Shell>,
}
