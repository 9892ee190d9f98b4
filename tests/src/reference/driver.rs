//! The model's driver: what st remembers, and what it tells of that.

use pseudotape_drive::Personality;
use pseudotape_mtio::{Booleans, GeneralStatus, MtGet, MtPos};
use pseudotape_st::{AccessMode, Errno, Options};

use super::tape::{Deck, Trouble};

/// `ST_NBR_PARTITIONS`.
pub const PARTITIONS: usize = 4;

/// What st last met, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Met {
    /// Nothing.
    None,
    /// A filemark was passed, and the reader was not told yet.
    FilemarkUntold,
    /// The reader was told of a filemark, or the tape was spaced behind one.
    Filemark,
    /// Early warning or physical end.
    Warning,
    /// One zero is due, or ENOSPC was told.
    EndDue,
    /// The last zero is due.
    EndAgain,
    /// End of data.
    EndOfData,
}

/// What the last transfer was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// None.
    Nothing,
    /// A read.
    Reading,
    /// A write.
    Writing,
}

/// What st counts of a partition.
#[derive(Clone, Copy, Debug)]
pub struct Counters {
    /// `mt_fileno`.
    pub file: i32,
    /// `mt_blkno`.
    pub block: i32,
    /// What was met.
    pub end: Met,
    /// What was done.
    pub doing: Doing,
    /// Behind a setmark.
    pub setmark: bool,
    /// Where the partition was left.
    pub left_at: Option<u32>,
}

impl Counters {
    /// At a place.
    #[must_use]
    pub fn at(file: i32, block: i32) -> Self {
        Counters {
            file,
            block,
            end: Met::None,
            doing: Doing::Nothing,
            setmark: false,
            left_at: None,
        }
    }

    /// One file further, where the number is known; the kernel's numbers wrap.
    pub fn next_file(&mut self) {
        if self.file >= 0 {
            self.file = self.file.wrapping_add(1);
        }
    }

    /// Blocks further, where the number is known.
    pub fn more_blocks(&mut self, count: i32) {
        if self.block >= 0 {
            self.block = self.block.wrapping_add(count);
        }
    }
}

/// What st believes of the drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Ready.
    Ready,
    /// No medium.
    NoTape,
    /// Not ready otherwise.
    NotReady,
}

/// Who locked the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Nobody.
    Open,
    /// The program.
    Asked,
    /// Option auto-lock.
    Auto,
}

/// Options of one mode.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    /// The switches that belong to modes.
    pub switches: Booleans,
    /// Default block size.
    pub block_size: Option<u32>,
    /// Default density.
    pub density: Option<u8>,
    /// Default compression.
    pub compression: Option<bool>,
}

/// How the file is open.
#[derive(Clone, Copy, Debug)]
pub struct OpenFile {
    /// `O_RDONLY`, `O_WRONLY` or `O_RDWR`.
    pub access: AccessMode,
    /// `O_NONBLOCK`.
    pub nonblock: bool,
    /// The node rewinds.
    pub rewinding: bool,
    /// Still rewinds at close.
    pub rewinds: bool,
    /// Transfers go directly, not through the driver's buffer.
    pub direct: bool,
}

/// st and its drive.
#[derive(Clone, Debug)]
pub struct Driver {
    /// The drive.
    pub deck: Deck,
    /// Switches that belong to the drive.
    pub switches: Booleans,
    /// Default buffering.
    pub default_buffering: Option<u8>,
    /// Modes; undefined but the first.
    pub modes: [Option<Mode>; 4],
    /// Whether another mode than the first was ever defined.
    pub modes_defined: bool,
    /// Current mode.
    pub mode: usize,
    /// The open file.
    pub file: Option<OpenFile>,
    /// As far as st knows.
    pub ready: Readiness,
    /// Writing is refused with EACCES.
    pub refuse_writes: bool,
    /// The drive says so.
    pub drive_protected: bool,
    /// The drive was reset.
    pub lost: bool,
    /// A new medium was reported since the last look.
    pub changed: bool,
    /// No command was sent yet.
    pub first: bool,
    /// The door.
    pub door: Door,
    /// Counters of each partition.
    pub counters: [Counters; PARTITIONS],
    /// Current partition.
    pub partition: usize,
    /// The one to go to.
    pub wanted: usize,
    /// As far as st knows; 0: never asked.
    pub partitions: usize,
    /// Block size, 0 for variable blocks.
    pub block_size: u32,
    /// Density.
    pub density: u8,
    /// Buffering.
    pub buffering: u8,
    /// READ BLOCK LIMITS, where asked.
    pub limits: Option<(u32, u32)>,
    /// Set by the program in this session.
    pub chosen_block_size: Option<u32>,
    /// Set by the program in this session.
    pub chosen_density: Option<u8>,
    /// Set by the program in this session.
    pub chose_compression: bool,
    /// Read ahead and not given to the reader.
    pub ahead: Vec<u8>,
    /// Bytes given out of what was read at once.
    pub given: usize,
    /// Whether READ POSITION marks the beginning.
    pub marks_beginning: bool,
}

/// Switches that belong to a mode.
pub const MODE_SWITCHES: Booleans = Booleans::BUFFER_WRITES
    .union(Booleans::ASYNC_WRITES)
    .union(Booleans::READ_AHEAD)
    .union(Booleans::DEFAULTS_FOR_WRITES)
    .union(Booleans::SYSV);

impl Driver {
    /// A driver that just met the drive.
    #[must_use]
    pub fn new(personality: Personality, options: &Options) -> Self {
        let mode = Mode {
            switches: options.booleans & MODE_SWITCHES,
            block_size: options.default_block_size,
            density: options.default_density,
            compression: options.default_compression,
        };
        Driver {
            deck: Deck::new(personality),
            switches: options.booleans.difference(MODE_SWITCHES),
            default_buffering: options.default_buffering,
            modes: [Some(mode), None, None, None],
            modes_defined: false,
            mode: 0,
            file: None,
            ready: Readiness::NotReady,
            refuse_writes: false,
            drive_protected: false,
            lost: false,
            changed: false,
            first: true,
            door: Door::Open,
            counters: [Counters::at(-1, -1); PARTITIONS],
            partition: 0,
            wanted: 0,
            partitions: 0,
            block_size: 0,
            density: 0,
            buffering: 0,
            limits: None,
            chosen_block_size: None,
            chosen_density: None,
            chose_compression: false,
            ahead: Vec::new(),
            given: 0,
            marks_beginning: options.reports_beginning,
        }
    }

    /// Whether a switch is on.
    #[must_use]
    pub fn on(&self, switch: Booleans) -> bool {
        let of_mode = self.modes[self.mode].map_or(Booleans::empty(), |mode| mode.switches);
        (self.switches | of_mode).contains(switch)
    }

    /// Counters of the current partition.
    pub fn here(&mut self) -> &mut Counters {
        &mut self.counters[self.partition]
    }

    /// The errno of a drive that is not ready.
    pub fn check_ready(&self) -> Result<(), Errno> {
        match self.ready {
            Readiness::Ready => Ok(()),
            Readiness::NoTape => Err(Errno::NoMedium),
            Readiness::NotReady => Err(Errno::Io),
        }
    }

    /// What every ioctl but `MTIOCTOP` does first.
    pub fn begin_ioctl(&mut self) -> Result<(), Errno> {
        if self.modes[self.mode].is_none() {
            return Err(Errno::NoDevice);
        }
        self.flush(true)?;
        if self.on(Booleans::CAN_PARTITIONS) {
            self.switch_partition()?;
        }
        Ok(())
    }

    /// `MTIOCGET`.
    pub fn get(&mut self) -> Result<MtGet, Errno> {
        if self.file.is_none() {
            return Err(Errno::BadDescriptor);
        }
        let from = self.partition;
        if self.modes[self.mode].is_none() {
            return Err(Errno::NoDevice);
        }
        match self.flush(true) {
            Ok(()) if self.on(Booleans::CAN_PARTITIONS) => self.switch_partition()?,
            Ok(()) => {}
            // The status is told after a reset too, also where this very call found out.
            Err(_) if self.lost => {
                self.forget_place();
                self.lost = true;
            }
            Err(errno) => return Err(errno),
        }
        let counters = self.counters[from];
        let (file, block) = (counters.file, counters.block);
        let mut general = GeneralStatus::empty();
        general.set(GeneralStatus::WR_PROT, self.drive_protected);
        general.set(GeneralStatus::BOT, block == 0 && file == 0);
        general.set(GeneralStatus::EOF, block == 0 && file != 0);
        general.set(GeneralStatus::EOT, counters.end == Met::Warning);
        general.set(GeneralStatus::EOD, counters.end > Met::Warning);
        general.set(GeneralStatus::D_800, self.density == 1);
        general.set(GeneralStatus::D_1600, self.density == 2);
        general.set(GeneralStatus::D_6250, self.density == 3);
        general.set(GeneralStatus::ONLINE, self.ready == Readiness::Ready);
        general.set(GeneralStatus::DR_OPEN, self.ready == Readiness::NoTape);
        general.set(GeneralStatus::SM, counters.setmark);
        let buffered = self.on(Booleans::BUFFER_WRITES) && self.block_size != 0;
        let immediate = self.on(Booleans::ASYNC_WRITES) || buffered || self.buffering != 0;
        general.set(GeneralStatus::IM_REP_EN, immediate);
        Ok(MtGet {
            residual: self.partition as i32,
            block_size: self.block_size,
            density: self.density,
            general,
            recovered_errors: 0,
            file,
            block,
        })
    }

    /// `MTIOCPOS`.
    pub fn pos(&mut self) -> Result<MtPos, Errno> {
        if self.file.is_none() {
            return Err(Errno::BadDescriptor);
        }
        self.begin_ioctl()?;
        let object = self.locate_here()?;
        Ok(MtPos { object })
    }

    /// A request that is none of a tape.
    pub fn other(&mut self) -> Errno {
        if self.file.is_none() {
            return Errno::BadDescriptor;
        }
        self.begin_ioctl().err().unwrap_or(Errno::Invalid)
    }

    /// READ POSITION.
    pub fn locate_here(&mut self) -> Result<u32, Errno> {
        if self.ready != Readiness::Ready {
            return Err(Errno::Io);
        }
        let ready = self.deck.ready();
        self.sent(ready)?;
        let at = self.deck.at as u32;
        if self.marks_beginning && at == 0 && self.deck.partition == 0 {
            (self.counters[0].file, self.counters[0].block) = (0, 0);
        }
        Ok(at)
    }

    /// Looks at what a command came back with: a reset is noticed whatever the command was.
    pub fn sent<T>(&mut self, result: Result<T, Trouble>) -> Result<T, Errno> {
        result.map_err(|trouble| {
            match trouble {
                Trouble::Reset => self.lost = true,
                Trouble::NewMedium => self.changed = true,
                Trouble::NotReady | Trouble::Refused => {}
            }
            Errno::Io
        })
    }
}
