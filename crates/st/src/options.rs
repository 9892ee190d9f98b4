//! Options of the driver, of the drive and of its modes. They are kept over closes; `set_option.rs` changes them.

use pseudotape_mtio::Booleans;

/// Switches that belong to a mode (a node `l`, `m`, `a` or none); the others belong to the drive.
pub(crate) const OF_MODE: Booleans = Booleans::BUFFER_WRITES
    .union(Booleans::ASYNC_WRITES)
    .union(Booleans::READ_AHEAD)
    .union(Booleans::DEFAULTS_FOR_WRITES)
    .union(Booleans::SYSV);

/// How the write is answered that is not taken behind early warning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndOfTape {
    /// With ENOSPC, as st does.
    #[default]
    Linux,
    /// With a count of 0, for programs that expect it of a BSD (PT-09). The physical end is ENOSPC all the same.
    Bsd,
}

/// Options to start with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Switches.
    pub booleans: Booleans,
    /// Block size that a new session sets.
    pub default_block_size: Option<u32>,
    /// Density that a new session sets.
    pub default_density: Option<u8>,
    /// Compression that writing from the beginning sets.
    pub default_compression: Option<bool>,
    /// Buffering mode that a new session sets.
    pub default_buffering: Option<u8>,
    /// Whether the drive's READ POSITION marks the beginning of the partition. Every real drive does;
    /// the kernel's `scsi_debug` does not, and then `MTIOCPOS` there leaves file and block unknown.
    pub reports_beginning: bool,
    /// How programs hear of early warning.
    pub end_of_tape: EndOfTape,
    /// Whether the drive refuses to read into less or more than its block limits, as the kernel's `scsi_debug` does.
    /// Only with no-block-limits it is asked to.
    pub limits_reads: bool,
}

impl Default for Options {
    /// As the module's: buffer-writes async-writes read-ahead can-bsr.
    fn default() -> Self {
        Options {
            booleans: Booleans::BUFFER_WRITES
                | Booleans::ASYNC_WRITES
                | Booleans::READ_AHEAD
                | Booleans::CAN_BSR,
            default_block_size: None,
            default_density: None,
            default_compression: None,
            default_buffering: None,
            reports_beginning: true,
            end_of_tape: EndOfTape::Linux,
            limits_reads: false,
        }
    }
}

/// Options of one mode.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PerMode {
    pub(crate) booleans: Booleans,
    pub(crate) default_block_size: Option<u32>,
    pub(crate) default_density: Option<u8>,
    pub(crate) default_compression: Option<bool>,
}

/// Options of the drive, and its modes.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) booleans: Booleans,
    pub(crate) default_buffering: Option<u8>,
    pub(crate) reports_beginning: bool,
    pub(crate) end_of_tape: EndOfTape,
    pub(crate) limits_reads: bool,
    /// `None` until an option is set through a node of the mode; mode 0 always is.
    pub(crate) modes: [Option<PerMode>; 4],
}

impl Settings {
    pub(crate) fn new(options: &Options) -> Self {
        Settings {
            booleans: options.booleans.difference(OF_MODE),
            default_buffering: options.default_buffering,
            reports_beginning: options.reports_beginning,
            end_of_tape: options.end_of_tape,
            limits_reads: options.limits_reads,
            modes: [Some(PerMode::new(options)), None, None, None],
        }
    }

    /// Whether any mode but the first was defined; then defaults that the drive refuses are errors.
    pub(crate) fn modes_defined(&self) -> bool {
        self.modes.iter().skip(1).any(Option::is_some)
    }
}

impl PerMode {
    fn new(options: &Options) -> Self {
        PerMode {
            booleans: options.booleans.intersection(OF_MODE),
            default_block_size: options.default_block_size,
            default_density: options.default_density,
            default_compression: options.default_compression,
        }
    }
}
