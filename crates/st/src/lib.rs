//! What the Linux st driver does, over any drive.
//!
//! [`St`] owns no drive: each call takes the [`Drive`](pseudotape_tape::Drive) it works on. One call is
//! one system call of a program; errnos are made here and nowhere else (`errno.rs`, one table). Rules
//! have ids in `docs/SEMANTICS.md`, which tests carry.
//!
//! Transfers are done when a call returns, as st does them with direct I/O.

mod close;
mod early;
mod errno;
mod load;
mod marks;
mod mode;
mod op;
mod open;
mod options;
mod partitions;
mod position;
mod read;
mod set_option;
mod settle;
mod space;
mod state;
mod status;
mod transfer;
mod write;

pub use errno::Errno;
pub use op::Caller;
pub use open::{OPEN_WAIT, Opening};
pub use options::{EndOfTape, Options};
pub use state::{AccessMode, Node, OpenFlags};
pub use status::Snapshot;

use errno::Refusal;
use options::Settings;
use state::{Lookahead, PerDrive, PerMount, PerOpen};

/// The driver of one drive.
#[derive(Debug)]
pub struct St {
    settings: Settings,
    /// Mode of the node opened last.
    mode: u8,
    drive: PerDrive,
    mount: PerMount,
    open: Option<PerOpen>,
    lookahead: Lookahead,
    last_refusal: Option<Refusal>,
}

impl St {
    /// A driver that has not yet seen its drive: file and block are unknown until the drive reports a
    /// new medium or the tape is rewound.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        St {
            settings: Settings::new(options),
            mode: 0,
            drive: PerDrive::default(),
            mount: PerMount::unknown(),
            open: None,
            lookahead: Lookahead::default(),
            last_refusal: None,
        }
    }

    /// The drive stands nobody knows where, as after a reset: until it is rewound, or sent to a known place, nothing is
    /// read or written.
    pub fn lose_position(&mut self) {
        self.drive.position_lost = true;
    }

    /// The cartridge was changed by hand: what was refused before is no news of the one that is in now.
    pub fn forget_refusal(&mut self) {
        self.last_refusal = None;
    }

    /// Ends a call: the reason becomes an errno, and stays as the drive's last error where it is one.
    fn answer<T>(&mut self, result: Result<T, Refusal>) -> Result<T, Errno> {
        result.map_err(|refusal| {
            if refusal.concerns_the_drive() {
                self.last_refusal = Some(refusal);
            }
            refusal.errno()
        })
    }
}
