//! N legs that are one drive.
//!
//! The fields of [`MirrorDrive`] belong to this folder. What a single leg knows is the leg's own
//! ([`crate::leg`]); here is what legs do together.

mod agree;
mod attributes;
mod besides;
mod capacity;
mod compare;
mod drive;
mod error;
mod extend;
mod insert;
mod level;
mod losses;
mod mode;
mod motion;
mod objects;
mod protection;
mod read;
mod resync;
mod settle;
mod together;
mod unload;
mod verify;
mod volumes;
mod write;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use pseudotape_tape::{BlockLimits, Failed, Identity, ModeSelect, Position, Sense};

use crate::crew::Crew;
use crate::leg::{Core, LastChange};
use crate::legs::Legs;
use crate::set::LegNumber;

pub use crate::set::MAX_LEGS;
pub use besides::{Besides, Expected, Held, Rest};
pub use error::LegError;
pub use insert::InsertError;
pub use resync::Resynced;
pub use volumes::EjectedLeg;

/// How a mirror works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorOptions {
    /// With fewer legs in step, operations that write fail.
    pub min_legs: usize,
    /// Every read is done on all legs, and what they read is compared.
    pub verify_reads: bool,
    /// Most that the queue of a late leg holds.
    pub queue_bytes: u64,
    /// Legs whose writes together took no longer than this lately are written one after the other by the thread
    /// that has the record. To wake their own threads would take longer.
    pub waking: Duration,
    /// Serial number of the drive that the mirror is.
    pub serial: String,
}

impl Default for MirrorOptions {
    fn default() -> Self {
        MirrorOptions {
            min_legs: 1,
            verify_reads: false,
            queue_bytes: 64 << 20,
            waking: Duration::from_micros(50),
            serial: "MIRROR".into(),
        }
    }
}

/// A drive that is several drives: what is written goes to all of them, and the first that reaches its
/// end ends it for all.
pub struct MirrorDrive {
    options: MirrorOptions,
    legs: Legs,
    crew: Crew,
    limits: BlockLimits,
    /// Where the tape is; `None`: not known, or no medium.
    at: Option<Position>,
    attention: Option<Sense>,
    /// After an unload: the failure of operations on the medium.
    unloaded: Option<Sense>,
    /// Why the legs were refused, until the operator says which one is right.
    refused: Option<String>,
    last: LastChange,
    /// Which leg reads.
    reader: LegNumber,
    protected: bool,
    /// What programs chose of the mode: a drive keeps that when other volumes are put in.
    chosen: ModeSelect,
    /// Where the last change that was stored ended; `None`: none since the volumes were looked at.
    written_to: Option<Position>,
    /// Reads that needed a second leg, and that nobody was told of yet.
    recovered: u32,
    /// What takes long is given up when this is set.
    ending: Arc<AtomicBool>,
}

const NO_LIMITS: BlockLimits = BlockLimits {
    min_bytes: 1,
    max_bytes: 16 << 20,
    granularity_bytes: 1,
};

impl MirrorDrive {
    /// A mirror without legs.
    #[must_use]
    pub fn new(options: MirrorOptions) -> Self {
        MirrorDrive {
            options,
            legs: Legs::default(),
            crew: Crew::default(),
            limits: NO_LIMITS,
            at: None,
            attention: None,
            unloaded: None,
            refused: None,
            last: LastChange::default(),
            reader: LegNumber::FIRST,
            protected: false,
            chosen: ModeSelect::default(),
            written_to: None,
            recovered: 0,
            ending: Arc::default(),
        }
    }

    /// Why the legs were refused, where they were.
    #[must_use]
    pub fn refusal(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// Whether volumes are in.
    #[must_use]
    pub fn has_legs(&self) -> bool {
        !self.legs.is_empty()
    }

    /// Whether a program unloaded the volumes, and the legs are still here.
    pub(crate) fn is_unloaded(&self) -> bool {
        self.unloaded.is_some()
    }

    /// What every operation on the medium does first.
    fn begin(&mut self) -> Result<Position, Failed> {
        if let Some(sense) = self.attention.take() {
            self.last.is_block(None);
            return Err(Failed::at(sense, self.at));
        }
        self.require_medium()?;
        match self.at {
            Some(at) => Ok(at),
            None => self.find(),
        }
    }

    fn require_medium(&self) -> Result<(), Failed> {
        if self.legs.is_empty() {
            return Err(Failed::at(Sense::NoMedium, None));
        }
        if let Some(sense) = self.unloaded {
            return Err(Failed::at(sense, None));
        }
        if self.refused.is_some() {
            return Err(Failed::at(Sense::NotReady, None));
        }
        Ok(())
    }

    /// Finds the place of the tape after it was lost: the leg that reads says where its tape is.
    fn find(&mut self) -> Result<Position, Failed> {
        let at = self.ask_reader(Core::find)?;
        self.at = Some(at);
        Ok(at)
    }

    /// The object that the tape is before, as far as that is known.
    fn object_here(&self) -> pseudotape_tape::ObjectNumber {
        self.at.unwrap_or_default().object
    }

    /// Where the tape is now; the boards show it.
    fn arrive(&mut self, at: Option<Position>) {
        self.at = at;
        if let Some(at) = at {
            for leg in self.legs.of(self.legs.prompt()) {
                leg.board().show_place(at);
            }
        }
    }

    /// The block lengths that all legs in step take.
    fn common_limits(&self) -> BlockLimits {
        let legs = self.legs.of(self.legs.in_step());
        let limits = legs.map(|leg| leg.core().drive().block_limits());
        limits.fold(
            BlockLimits {
                min_bytes: 1,
                max_bytes: u32::MAX,
                granularity_bytes: 1,
            },
            |all, one| BlockLimits {
                min_bytes: all.min_bytes.max(one.min_bytes),
                max_bytes: all.max_bytes.min(one.max_bytes),
                granularity_bytes: common_multiple(all.granularity_bytes, one.granularity_bytes),
            },
        )
    }

    /// What this drive says it is.
    fn own_identity(&self) -> Identity {
        Identity {
            vendor: "PSEUDO".into(),
            product: "MIRROR".into(),
            revision: concat!(
                env!("CARGO_PKG_VERSION_MAJOR"),
                ".",
                env!("CARGO_PKG_VERSION_MINOR")
            )
            .into(),
            serial: self.options.serial.clone(),
        }
    }
}

/// The least common multiple of two granularities; 0 counts as 1.
fn common_multiple(a: u32, b: u32) -> u32 {
    let (a, b) = (a.max(1), b.max(1));
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    (a / x).saturating_mul(b)
}
