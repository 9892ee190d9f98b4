//! Why a slave is attached no more, and how long it may work until then.

use std::io;
use std::time::{Duration, Instant};

use crate::nonsense::Nonsense;
use crate::request::{Goodbye, Reason};
use crate::versions::Versions;

/// Why a slave is attached no more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    /// It closed its end, or died.
    #[error("it is gone")]
    Gone,
    /// It was already gone when something was to be asked.
    #[error("it is gone")]
    GoneBefore,
    /// It sent what can't be.
    #[error("it talks nonsense: {0}")]
    Nonsense(#[from] Nonsense),
    /// No sign of life.
    #[error("it did not answer within {0:?}")]
    Silent(Duration),
    /// The channel failed.
    #[error("its channel failed: {0}")]
    Channel(#[from] io::Error),
    /// It speaks no version of the protocol that this side speaks.
    #[error("the master speaks {ours} of the slave protocol; {found}", ours = Versions::OURS)]
    Unsupported {
        /// What the slave said.
        found: String,
    },
    /// It was sent away.
    #[error("{0}")]
    Ended(&'static str),
}

impl Lost {
    /// What the slave is told, if it still listens.
    pub(crate) fn goodbye(&self) -> Option<Goodbye> {
        let reason = match self {
            Lost::Gone | Lost::GoneBefore | Lost::Channel(_) => return None,
            Lost::Nonsense(_) => Reason::Nonsense,
            Lost::Silent(_) => Reason::Silent,
            Lost::Ended(_) => Reason::Ending,
            Lost::Unsupported { .. } => Reason::Unsupported(Versions::OURS),
        };
        Some(Goodbye {
            reason,
            text: self.to_string(),
        })
    }
}

/// Longest time for one operation, however often the slave says that it works: st's own long time-out.
const LONGEST_OPERATION: Duration = Duration::from_secs(14_000);

/// `working` this often ...
const WORKING_MAX: u32 = 1000;
/// ... takes at least this long.
const WORKING_MIN: Duration = Duration::from_secs(10);

/// How long a slave may still work.
pub(crate) struct Patience {
    started: Instant,
    working: u32,
}

impl Patience {
    pub(crate) fn new() -> Self {
        Patience {
            started: Instant::now(),
            working: 0,
        }
    }

    /// The slave said that it works.
    pub(crate) fn heard(&mut self) -> Result<(), Lost> {
        self.working = self.working.saturating_add(1);
        let since = self.started.elapsed();
        if self.working.is_multiple_of(WORKING_MAX)
            && since < WORKING_MIN * (self.working / WORKING_MAX)
        {
            return Err(Lost::Nonsense(Nonsense::TooBusy {
                count: self.working,
                millis: since.as_millis(),
            }));
        }
        if since > LONGEST_OPERATION {
            return Err(Lost::Silent(LONGEST_OPERATION));
        }
        Ok(())
    }
}
