//! The kinds of faults, and what each one can be told.

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A block can't be read.
    ReadError,
    /// A block can't be written.
    WriteError,
    /// A block is read or written after a repair.
    Recovered,
    /// The drive itself fails.
    HardwareError,
    /// The drive is reset.
    Reset,
    /// The drive is not ready.
    Busy,
    /// The drive takes its time.
    Slow,
    /// The drive does not answer until the fault is taken away.
    Hang,
    /// Every write meets early warning.
    EarlyWarning,
    /// The medium can't be written.
    WriteProtect,
    /// The drive does not know where the tape is.
    PositionLost,
    /// A medium can't be loaded.
    LoadFailure,
    /// What was written does not come to stable storage.
    CommitFailure,
}

/// What a fault can be told beside its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// `at=N`.
    At,
    /// `partition=N`.
    Partition,
    /// `every=N`.
    Every,
    /// `chance=N%`.
    Chance,
    /// `seed=N`.
    Seed,
    /// `times=N`.
    Times,
    /// `for=TIME`.
    For,
    /// `position=WORD`.
    Position,
    /// `on=WORDS`.
    On,
    /// `rate=SIZE`.
    Rate,
    /// `delay=TIME`.
    Delay,
}

impl Kind {
    /// Every kind, in the order of docs/FAULTS.md.
    pub const ALL: [Kind; 13] = [
        Kind::ReadError,
        Kind::WriteError,
        Kind::Recovered,
        Kind::HardwareError,
        Kind::Reset,
        Kind::Busy,
        Kind::Slow,
        Kind::Hang,
        Kind::EarlyWarning,
        Kind::WriteProtect,
        Kind::PositionLost,
        Kind::LoadFailure,
        Kind::CommitFailure,
    ];

    /// How it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::ReadError => "read-error",
            Kind::WriteError => "write-error",
            Kind::Recovered => "recovered",
            Kind::HardwareError => "hardware-error",
            Kind::Reset => "reset",
            Kind::Busy => "busy",
            Kind::Slow => "slow",
            Kind::Hang => "hang",
            Kind::EarlyWarning => "early-warning",
            Kind::WriteProtect => "write-protect",
            Kind::PositionLost => "position-lost",
            Kind::LoadFailure => "load-failure",
            Kind::CommitFailure => "commit-failure",
        }
    }

    /// What it can be told.
    #[must_use]
    pub fn keys(self) -> &'static [Key] {
        use Key::{At, Chance, Delay, Every, For, On, Partition, Position, Rate, Seed, Times};
        match self {
            Kind::ReadError | Kind::WriteError => {
                &[At, Partition, Every, Chance, Seed, Times, For, Position]
            }
            Kind::Recovered | Kind::HardwareError | Kind::Hang => {
                &[At, Partition, Every, Chance, Seed, Times, For, On]
            }
            Kind::Reset | Kind::PositionLost => {
                &[At, Partition, Every, Chance, Seed, Times, For, On]
            }
            Kind::Busy => &[Every, Chance, Seed, Times, For, On],
            Kind::Slow => &[Rate, Delay, Every, Chance, Seed, Times, For, On],
            Kind::EarlyWarning | Kind::WriteProtect => &[Times, For],
            Kind::LoadFailure | Kind::CommitFailure => &[Every, Chance, Seed, Times, For],
        }
    }

    /// How often it comes where nothing is said: an event comes once, a state stays.
    pub(crate) fn default_times(self) -> Option<u64> {
        match self {
            Kind::Reset | Kind::PositionLost => Some(1),
            Kind::ReadError
            | Kind::WriteError
            | Kind::Recovered
            | Kind::HardwareError
            | Kind::Busy
            | Kind::Slow
            | Kind::Hang
            | Kind::EarlyWarning
            | Kind::WriteProtect
            | Kind::LoadFailure
            | Kind::CommitFailure => None,
        }
    }
}

impl Key {
    /// Every key, in the order of docs/FAULTS.md.
    pub const ALL: [Key; 11] = [
        Key::At,
        Key::Partition,
        Key::Every,
        Key::Chance,
        Key::Seed,
        Key::Times,
        Key::For,
        Key::Position,
        Key::On,
        Key::Rate,
        Key::Delay,
    ];

    /// How it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Key::At => "at",
            Key::Partition => "partition",
            Key::Every => "every",
            Key::Chance => "chance",
            Key::Seed => "seed",
            Key::Times => "times",
            Key::For => "for",
            Key::Position => "position",
            Key::On => "on",
            Key::Rate => "rate",
            Key::Delay => "delay",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
