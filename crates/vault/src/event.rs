//! What is written down of each change: what became what, who ordered it, and why.

use std::fmt;

use crate::words::words;

/// Who orders a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The vault itself, because of what it found.
    System,
    /// A person, by name.
    Person(String),
}

impl Actor {
    /// As the log stores it: nothing for the vault itself, which no name of a person can be.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Actor::System => None,
            Actor::Person(name) => Some(name),
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name().unwrap_or("the system"))
    }
}

/// Who wants a change, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Who.
    pub actor: Actor,
    /// Why; may be empty where nobody decided anything.
    pub reason: String,
}

impl Order {
    /// By the vault itself.
    pub fn system(reason: impl Into<String>) -> Self {
        Order {
            actor: Actor::System,
            reason: reason.into(),
        }
    }

    /// By a person.
    pub fn person(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Order {
            actor: Actor::Person(name.into()),
            reason: reason.into(),
        }
    }
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The vault was made.
    Vault,
    /// A volume came or went.
    Volume,
    /// Its label.
    Label,
    /// Its category.
    Category,
    /// Its availability.
    Availability,
    /// Whether it is open.
    Opening,
    /// Its generation: what is on it was recorded anew.
    Generation,
    /// The state of one of its tape files.
    File,
    /// The catalog came from a backup, or is in service again.
    Recovery,
    /// A stacked volume came, or has another state.
    StackedVolume,
    /// A copy of it was written, or brought back.
    Copy,
    /// A volume of a farm came, or went.
    FarmVolume,
    /// Files got references to one, or lost them.
    Reference,
}

words!(Subject, "subject of an event": Vault = "vault", Volume = "volume", Label = "label",
    Category = "category", Availability = "availability", Opening = "opening", Generation = "generation", File = "file",
    Recovery = "recovery", StackedVolume = "stacked-volume", Copy = "copy",
    FarmVolume = "farm-volume", Reference = "reference");

/// One change, to be logged in the same transaction that makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What.
    pub subject: Subject,
    /// The tape file, where it is one's state.
    pub file: Option<u64>,
    /// What it was; nothing where there was nothing.
    pub from: Option<String>,
    /// What it is now; nothing where it is gone.
    pub to: Option<String>,
    /// By whom, and why.
    pub order: Order,
}

impl Change {
    /// Of a volume.
    #[must_use]
    pub fn new(subject: Subject, from: Option<String>, to: Option<String>, order: &Order) -> Self {
        Change {
            subject,
            file: None,
            from,
            to,
            order: order.clone(),
        }
    }
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Rises with each line.
    pub number: u64,
    /// Milliseconds after 1970.
    pub at_ms: u64,
    /// The label that the volume had then.
    pub label: Option<String>,
    /// What happened.
    pub change: Change,
}
