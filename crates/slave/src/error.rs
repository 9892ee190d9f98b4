use std::io;

use crate::nonsense::Nonsense;
use crate::versions::Versions;

/// Why serving ended, if the master did not simply hang up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Another slave is attached to this drive.
    #[error("refused: {0}")]
    Busy(String),
    /// The master dropped this slave because of a fault of the slave.
    #[error("the master dropped this slave: {0}")]
    Dropped(String),
    /// The master speaks no version of the protocol that this side speaks.
    #[error("the master speaks {versions} of the slave protocol, and this side {ours}: {text}", ours = Versions::OURS)]
    Unsupported {
        /// The versions that the master speaks.
        versions: Versions,
        /// The reason as the master gave it.
        text: String,
    },
    /// The master violated the protocol.
    #[error("the master talks nonsense: {0}")]
    Nonsense(#[from] Nonsense),
    /// The channel failed.
    #[error("the channel to the master failed: {0}")]
    Channel(io::Error),
}
