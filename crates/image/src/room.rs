//! Room on the host, kept ahead so that a full disk shows in time.

use std::io;

use crate::error::Error;
use crate::header::Header;
use crate::layout::RECORDS_OFFSET;
use crate::store::{Reserved, Store};

/// Room is held in steps of this size.
const HELD_STEP_BYTES: u64 = 64 << 20;
/// Where room can only be estimated, it is asked for in smaller steps.
const ESTIMATED_STEP_BYTES: u64 = 1 << 20;
/// Kept ahead where the volume has no early-warning zone of its own.
const DEFAULT_AHEAD_BYTES: u64 = 32 << 20;
const LEAST_AHEAD_BYTES: u64 = 1 << 20;
const MOST_AHEAD_BYTES: u64 = 1 << 30;

/// Room held on the host behind the end of data.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Held (or estimated) up to here.
    up_to: u64,
    /// Kept between the end of data and `up_to`.
    ahead_bytes: u64,
    /// Never asked for more than this, except for what is written.
    most: u64,
    /// The host can't give what should be kept ahead.
    low: bool,
}

impl Room {
    pub fn new(header: &Header) -> Self {
        let ahead_bytes = match header.early_warning_bytes {
            0 => DEFAULT_AHEAD_BYTES,
            bytes => bytes.clamp(LEAST_AHEAD_BYTES, MOST_AHEAD_BYTES),
        };
        let most = header.capacity_bytes.map_or(u64::MAX, |capacity| {
            RECORDS_OFFSET
                .saturating_add(capacity)
                .saturating_add(capacity / 8)
                .saturating_add(LEAST_AHEAD_BYTES)
        });
        Room {
            up_to: 0,
            ahead_bytes,
            most,
            low: false,
        }
    }

    pub fn set_ahead(&mut self, ahead_bytes: u64) {
        self.ahead_bytes = ahead_bytes;
        self.up_to = 0;
    }

    pub fn is_low(&self) -> bool {
        self.low
    }

    /// All room behind was given back.
    pub fn release(&mut self) {
        self.up_to = 0;
    }

    /// Makes sure of room for a write that ends at `end`, and of some behind it.
    ///
    /// No room is not an error yet: what was held before may be enough, and the write itself tells.
    pub fn ensure<S: Store>(&mut self, store: &mut S, end: u64) -> Result<(), Error> {
        let wanted = self.bounded(end, self.ahead_bytes);
        if wanted <= self.up_to {
            self.low = false;
            return Ok(());
        }
        let step = self.bounded(end, self.ahead_bytes.saturating_add(HELD_STEP_BYTES));
        for up_to in [step, wanted] {
            match store.reserve(up_to) {
                Ok(Reserved::Held) => {
                    self.up_to = up_to;
                    self.low = false;
                    return Ok(());
                }
                Ok(Reserved::Estimated) => {
                    self.up_to = wanted.saturating_add(ESTIMATED_STEP_BYTES);
                    self.low = false;
                    return Ok(());
                }
                Err(error) if is_full(&error) => {}
                Err(source) => {
                    return Err(Error::host("reserve room", end, up_to, source));
                }
            }
        }
        self.low = true;
        Ok(())
    }

    fn bounded(&self, end: u64, ahead_bytes: u64) -> u64 {
        end.saturating_add(ahead_bytes).min(self.most.max(end))
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}
