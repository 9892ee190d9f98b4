//! Why a slave was dropped, and how long one operation of a slave may take.

use std::io;
use std::time::{Duration, Instant};

use crate::nonsense::Nonsense;
use crate::request::{Goodbye, Reason};
use crate::versions::Versions;

/// Why a slave was dropped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    /// The slave closed its end, or died.
    #[error("it is gone")]
    Gone,
    /// The slave was already gone when the request was to be sent.
    #[error("it is gone")]
    GoneBefore,
    /// There is no memory for the record of a request. Nothing was sent, and the slave stays.
    #[error("no memory for a record of {length} bytes")]
    NoMemory {
        /// Its length.
        length: usize,
    },
    /// The slave violated the protocol.
    #[error("it talks nonsense: {0}")]
    Nonsense(#[from] Nonsense),
    /// The slave sent nothing for so long.
    #[error("it did not answer within {0:?}")]
    Silent(Duration),
    /// The channel failed.
    #[error("its channel failed: {0}")]
    Channel(#[from] io::Error),
    /// The slave and this side speak no version of the protocol in common.
    #[error("the master speaks {ours} of the slave protocol; {found}", ours = Versions::OURS)]
    Unsupported {
        /// The versions or features that the slave named.
        found: String,
    },
    /// The master ended the connection, for this reason.
    #[error("{0}")]
    Ended(&'static str),
}

impl Lost {
    /// The goodbye for the slave, where there is a connection that can still carry one.
    pub(crate) fn goodbye(&self) -> Option<Goodbye> {
        let reason = match self {
            Lost::Gone | Lost::GoneBefore | Lost::NoMemory { .. } | Lost::Channel(_) => {
                return None;
            }
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

/// Timeout of one operation, however often the slave sends `working`: the long timeout of st.
const LONGEST_OPERATION: Duration = Duration::from_secs(14_000);

/// So many `working` replies ...
const WORKING_MAX: u32 = 1000;
/// ... must take at least this long.
const WORKING_MIN: Duration = Duration::from_secs(10);

/// Limits how long, and how often, a slave may answer one request with `working`.
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

    /// Counts a `working` of the slave.
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
