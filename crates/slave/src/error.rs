use std::io;

use crate::nonsense::Nonsense;
use crate::versions::Versions;

/// Why serving ended other than by the master's hanging up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Another slave is attached to this drive.
    #[error("refused: {0}")]
    Busy(String),
    /// The master parted with this slave because of what it did.
    #[error("the master dropped this slave: {0}")]
    Dropped(String),
    /// The master speaks no version of the protocol that this side speaks.
    #[error("the master speaks {versions} of the slave protocol, and this side {ours}: {text}", ours = Versions::OURS)]
    Unsupported {
        /// What the master speaks.
        versions: Versions,
        /// What the master says.
        text: String,
    },
    /// The master sent what can't be.
    #[error("the master talks nonsense: {0}")]
    Nonsense(#[from] Nonsense),
    /// The channel failed.
    #[error("the channel to the master failed: {0}")]
    Channel(io::Error),
}
