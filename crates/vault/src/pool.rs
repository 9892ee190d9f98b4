//! Pools of stacked volumes: their states, and the copies that are on them.

use pseudotape_image::Uuid;

use crate::event::{Change, Order, Subject};
use crate::label::Label;
use crate::state::Illegal;
use crate::volume::Digest;
use crate::words::words;

/// What can be done with a stacked volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StackState {
    /// Nothing but its own description is on it.
    Empty,
    /// The next archive of its pool goes here.
    Filling,
    /// Nothing more goes here.
    Full,
    /// What is on it was given up: it can be written from its beginning.
    Erase,
    /// It is read, and nothing else: after a recovery, or because of errors.
    ReadOnlyRecovery,
    /// It is not here at the moment.
    Unavailable,
    /// It is gone.
    Destroyed,
}

words!(StackState, "state of a stacked volume": Empty = "empty", Filling = "filling", Full = "full",
    Erase = "erase", ReadOnlyRecovery = "read-only-recovery", Unavailable = "unavailable", Destroyed = "destroyed");

impl StackState {
    /// Whether what is on it can be brought back.
    #[must_use]
    pub fn is_readable(self) -> bool {
        match self {
            StackState::Filling | StackState::Full | StackState::ReadOnlyRecovery => true,
            StackState::Empty
            | StackState::Erase
            | StackState::Unavailable
            | StackState::Destroyed => false,
        }
    }

    /// The state becomes another one.
    pub fn become_state(self, to: StackState, order: &Order) -> Result<Change, Illegal> {
        use StackState::{Destroyed, Empty, Erase, Filling, Full, ReadOnlyRecovery, Unavailable};
        let why = match (self, to) {
            (Empty, Filling | Unavailable | Destroyed)
            | (Filling, Full | ReadOnlyRecovery | Unavailable | Destroyed)
            | (Full, Erase | ReadOnlyRecovery | Unavailable | Destroyed)
            | (Erase, Empty | Unavailable | Destroyed)
            | (ReadOnlyRecovery, Full | Erase | Unavailable | Destroyed)
            | (Unavailable, ReadOnlyRecovery | Destroyed)
            | (Destroyed, ReadOnlyRecovery) => {
                let words = |state: StackState| Some(state.word().to_owned());
                return Ok(Change::new(
                    Subject::StackedVolume,
                    words(self),
                    words(to),
                    order,
                ));
            }
            (from, to) if from == to => "it is that already",
            (Unavailable | Destroyed, _) => {
                "what comes back is 'read-only-recovery' until somebody has looked at it"
            }
            (_, Filling) => "only an empty one begins to be filled",
            (_, Empty) => "only one that is to be erased becomes empty",
            (_, Erase) => "what is on it is given up only when it is full",
            (_, Full) => "only one that was filled is full",
            (_, ReadOnlyRecovery) => "nothing is on it to be read",
        };
        Err(Illegal {
            subject: "the stacked volume".to_owned(),
            from: self.word(),
            to: to.word(),
            why,
        })
    }
}

/// A cartridge that holds copies of many volumes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackedVolume {
    /// What people call it.
    pub label: Label,
    /// What it calls itself.
    pub identity: Uuid,
    /// Which pool it belongs to.
    pub pool: Label,
    /// What can be done with it.
    pub state: StackState,
    /// Milliseconds after 1970 at which it was begun.
    pub added_ms: u64,
    /// Copies on it that the catalog knows.
    pub copies: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The number of the newest backup of the catalog on it, as far as the catalog knows.
    pub backup: Option<u64>,
    /// Where it was last written, in the words of a specification, where that is an image.
    pub place: Option<String>,
}

impl StackedVolume {
    /// Whether it can be written from its beginning, as one of this pool.
    #[must_use]
    pub fn is_scratch_of(&self, pool: &Label) -> bool {
        self.pool == *pool && matches!(self.state, StackState::Erase | StackState::Empty)
    }
}

/// A copy of a volume on a stacked one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveCopy {
    /// Where it is.
    pub stacked_volume: Label,
    /// The identity of that.
    pub stacked_identity: Uuid,
    /// Its pool.
    pub pool: Label,
    /// What can be done with it.
    pub state: StackState,
    /// The tape file there.
    pub file: u64,
    /// The generation of the volume that was copied: it is a copy of no other one.
    pub generation: u64,
    /// Bytes of the image.
    pub length: u64,
    /// Of those bytes; nothing where the copy was met on the tape, which has it.
    pub digest: Option<Digest>,
    /// When that generation was closed, in milliseconds after 1970.
    pub closed_ms: u64,
    /// When it was copied.
    pub at_ms: u64,
}

impl ArchiveCopy {
    /// Whether it is a copy of this generation that can be brought back.
    #[must_use]
    pub fn serves(&self, generation: u64) -> bool {
        self.generation == generation && self.state.is_readable()
    }

    /// Whether somebody can hope to read it: not where it was given up, or is gone.
    #[must_use]
    pub fn is_left(&self) -> bool {
        match self.state {
            StackState::Filling
            | StackState::Full
            | StackState::ReadOnlyRecovery
            | StackState::Unavailable => true,
            StackState::Empty | StackState::Erase | StackState::Destroyed => false,
        }
    }
}

/// Where copies are, for a message.
pub(crate) fn places<'a>(copies: impl IntoIterator<Item = &'a ArchiveCopy>) -> String {
    let place = |copy: &ArchiveCopy| {
        let ArchiveCopy {
            stacked_volume,
            state,
            pool,
            ..
        } = copy;
        format!("{stacked_volume} ({state}, pool {pool})")
    };
    let places: Vec<String> = copies.into_iter().map(place).collect();
    places.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each transition that docs/VAULT.md has, and no other one.
    #[test]
    fn transitions_are_those_of_the_document() {
        let text = include_str!("../../../docs/VAULT.md");
        let table = text.split("### States of a stacked volume").nth(1).unwrap();
        let order = Order::person("ada", "why");
        let mut rows = 0;
        for row in table
            .lines()
            .skip_while(|line| !line.starts_with('|'))
            .skip(2)
        {
            let Some(row) = row.strip_prefix('|') else {
                break;
            };
            let cells: Vec<&str> = row.split('|').collect();
            let words = |cell: &str| -> Vec<StackState> {
                cell.split('`')
                    .skip(1)
                    .step_by(2)
                    .map(|word| word.parse().unwrap())
                    .collect()
            };
            let (from, allowed) = (words(cells[0])[0], words(cells[2]));
            for to in StackState::ALL {
                let change = from.become_state(*to, &order);
                assert_eq!(
                    change.is_ok(),
                    allowed.contains(to),
                    "{from} to {to}: {change:?}"
                );
                match change {
                    Ok(change) => assert_eq!(change.to.as_deref(), Some(to.word())),
                    Err(illegal) => {
                        let text = illegal.to_string();
                        assert!(
                            text.contains(from.word()) && text.contains(to.word()),
                            "{text}"
                        );
                    }
                }
            }
            rows += 1;
        }
        assert_eq!(rows, StackState::ALL.len());
    }
}
