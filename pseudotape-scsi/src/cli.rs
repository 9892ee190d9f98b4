//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// What the exit codes say.
pub const EXIT_CODES: &str = "\
Exit codes: 0 all is well; 1 the daemon could not do its work (the reason is on standard error); \
2 the command line or the configuration is wrong; \
3 a signal ended the daemon while a program had written and was not done.";

/// Serves tape drives that are SCSI devices of the kernel, by its target core.
///
/// With --local each drive is a SCSI device of this machine: the kernel's own st driver gives it /dev/nstN and
/// /dev/stN, and sg gives it /dev/sgN, with everything in sysfs that belongs to it. With --iscsi other hosts have
/// them, and with --vhost guests of this one; these go together. It needs root, and a kernel with the module
/// target_core_user, and tcm_loop, iscsi_target_mod or vhost_scsi ('pseudotape doctor' tells). SIGTERM finishes the
/// command in hand, takes the devices away, and commits. A daemon that was killed is started again with the same
/// command line: it goes on with the commands that wait, and the programs that have the drives open see a pause.
#[derive(Clone, Debug, Default, Parser)]
#[command(name = "pseudotape-scsi", version, after_long_help = EXIT_CODES, max_term_width = 100)]
pub struct Arguments {
    /// Configuration in TOML; the command line wins over it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Drives are SCSI devices of this machine
    #[arg(long)]
    pub local: bool,

    /// Drives are units of an iSCSI target of this machine's kernel, which listens at this address and port [port:
    /// 3260], such as 192.0.2.1:3260; one of IPv6 stands in brackets. The unit has the number of the drive; changers
    /// are the units from 64 on
    #[arg(long, value_name = "PORTAL")]
    pub iscsi: Option<String>,

    /// Name of the iSCSI target [default: iqn.2026-11.internal.pseudotape:HOST.NAME]
    #[arg(long, value_name = "IQN")]
    pub iscsi_name: Option<String>,

    /// File with what an initiator has to know, by CHAP: lines user = "..." and secret = "..." (12 to 255 characters),
    /// and mutual-user and mutual-secret where the target shall prove itself as well. It must be root's, and nobody
    /// else may read it. Without it everybody who reaches the portal has the tapes
    #[arg(long, value_name = "FILE")]
    pub iscsi_chap: Option<PathBuf>,

    /// Only initiators of these names may log in; may be repeated. A name is no secret: give --iscsi-chap too
    #[arg(long, value_name = "IQN")]
    pub iscsi_initiator: Vec<String>,

    /// Drives are units of a SCSI host of guests of this machine, which has this name: naa. and 16 hexadecimal digits.
    /// What QEMU has to be told is printed
    #[arg(long, value_name = "WWN")]
    pub vhost: Option<String>,

    /// One drive; may be repeated. IMAGE, or key=value pairs: image, personality (generic, scsi_debug, mhvtl,
    /// lto5 to lto9, dds), serial, capacity, early-warning, min-block, max-block, announces-medium,
    /// cache (auto, keep, drop), faults. A comma in a path: \, (and \\ for a backslash before a comma). Empty: a drive
    /// without cartridge. slave=SOCKET: the drive is the process that connects there, with slave-timeout, slave-mode
    /// and slave-group. legs=NAME=SINK;NAME=SINK: the drive is a mirror of these, with min-legs, verify-reads, queue
    /// and end-wait
    #[arg(long, value_name = "SPEC")]
    pub drive: Vec<String>,

    /// A library that 'pseudotape library create' made; may be repeated. Its changer is a SCSI device with /dev/schN
    /// and /dev/sgN, its drives are the units beside it, and come after those of --drive
    #[arg(long, value_name = "FOLDER")]
    pub library: Vec<PathBuf>,

    /// A changer of elsewhere that becomes a SCSI device, behind those of the libraries, and gets a name (changer0,
    /// ...) on the control socket; may be repeated. library:SOCKET[/NAME] of a daemon or of a mirror of changers,
    /// remote:HOST, remote-socket:PATH, or sg:NODE. It has to be there when this daemon starts for the kernel to give
    /// it /dev/schN
    #[arg(long, value_name = "SPEC")]
    pub changer: Vec<String>,

    /// Name of this daemon among those of the machine: what it makes in the kernel's tree of targets has it, and only
    /// that is taken over or removed [default: pseudotape]
    #[arg(long)]
    pub name: Option<String>,

    /// The vault whose volumes are loaded by their labels ('pseudotape load DRIVE --volume LABEL'); its catalog is told
    /// what is written
    #[arg(long, value_name = "DIR")]
    pub vault: Option<PathBuf>,

    /// Control socket [default: $PSEUDOTAPE_CONTROL, or 'scsi' beside the socket of pseudotape-dev]. Commands find
    /// it by --control as well
    #[arg(long, value_name = "SOCKET")]
    pub control: Option<PathBuf>,

    /// Directory of what a daemon that is started again needs to know; it must not survive the machine [default:
    /// scsi-NAME beside the control socket]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// How long the kernel waits for the answer to a command before the command fails; 0: for ever [default: 900]. So
    /// long a program waits for a daemon that was killed
    #[arg(long, value_name = "SECONDS")]
    pub command_timeout: Option<u32>,

    /// Removes what a killed daemon of this name has left in the kernel's tree of targets, and ends. Commands that wait
    /// fail
    #[arg(long, conflicts_with_all = ["drive", "library", "changer", "local"])]
    pub clean: bool,

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
