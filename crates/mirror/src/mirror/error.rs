//! Why a leg can't be brought back, dropped or trusted.

use pseudotape_human::counted;

use crate::leg::{Cause, LegFailure};

/// Why a leg can't be brought back, dropped or trusted.
#[derive(Debug, thiserror::Error)]
pub enum LegError {
    /// No leg has this name.
    #[error("there is no leg {name}: the legs are {legs}")]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// The names of all legs.
        legs: String,
    },
    /// The leg is in step.
    #[error("leg {0} is in step: there is nothing to bring back")]
    InStep(String),
    /// The leg is the only one in step.
    #[error("leg {0} is the last one in step: without it there is no copy left")]
    Last(String),
    /// No legs disagree.
    #[error(
        "no legs disagree: there is nothing to decide (a leg that is out of step waits for 'resync')"
    )]
    Agreed,
    /// Another leg holds more than the one that is to be trusted.
    #[error(
        "{}, and a resync drops that: trust the longer one, or say --force",
        more_than(.others, .trusted)
    )]
    HoldsMore {
        /// The leg that is to be trusted.
        trusted: String,
        /// The legs that hold more, and how many objects more.
        others: Vec<(String, u64)>,
    },
    /// No leg is in step.
    #[error(
        "no leg is in step that could be copied from: 'pseudotape-mirror unload --force' and 'load' look at the volumes anew"
    )]
    NoSource,
    /// The legs were refused.
    #[error("{0}")]
    Refused(String),
    /// The program unloaded the volumes.
    #[error("the volumes are unloaded: load them first")]
    Unloaded,
    /// The leg failed, for instance while it was copied onto.
    #[error(transparent)]
    Failed(#[from] LegFailure),
}

impl LegError {
    /// Whether the leg was left as it is because it may hold what can't be read from another one.
    pub(crate) fn keeps_the_only_copy(&self) -> bool {
        matches!(self, LegError::Failed(failure) if matches!(*failure.cause, Cause::OnlyHere { .. }))
    }
}

/// Which legs hold more than one that is to be trusted, as text.
fn more_than(others: &[(String, u64)], trusted: &str) -> String {
    let others = others.iter().map(|(name, more)| {
        let more = counted(*more, "object");
        format!("leg {name} holds {more} more than leg {trusted}")
    });
    others.collect::<Vec<_>>().join(", ")
}
