//! The vault: volumes with their states and what is on them, in one catalog beside their images.
//!
//! A vault is a directory (docs/VAULT.md): `vault.toml`, `catalog.sqlite`, and the images of the volumes that are on
//! disk. Each change is one transaction with its line in the log of events, under a lock that says who has it.
//! What may become of a volume ([`state`], [`rules`]) knows nothing of SQL, and the catalog knows nothing of rules.
//! Time and randomness come from outside ([`Surroundings`]), so that years of history run in a test.

mod catalog;
mod configuration;
mod contents;
mod error;
mod event;
mod findings;
#[cfg(any(test, feature = "fuzz"))]
mod fuzz;
mod label;
mod layout;
mod lock;
mod pending;
mod pool;
mod recorded;
pub mod recovery;
mod reference;
pub mod rules;
mod serial;
pub mod state;
mod surroundings;
mod vault;
mod volume;
mod words;

pub use catalog::{Counts, SCHEMA_VERSION};
pub use configuration::Configuration;
pub use contents::{Contents, Depth, read_contents, read_file};
pub use error::Error;
pub use event::{Actor, Change, Event, Order, Subject};
pub use findings::{Finding, FindingKind};
#[cfg(any(test, feature = "fuzz"))]
pub use fuzz::fuzz_payload;
pub use label::{Label, LabelError, Scheme, SchemeError};
pub use layout::{CONFIGURATION_FILE, vault_of};
pub use pending::Recovery;
pub use pool::{ArchiveCopy, StackState, StackedVolume};
pub use recorded::{Recorded, RecordedFile};
pub use reference::{
    ComingReference, FarmPlace, FarmVolume, FileName, Kinds, Namesakes, Purged, Reference,
    ReferenceKind, ReferredFile, SettledReference, Slots, Unknown, WantedVolume,
};
pub use rules::{LastCopy, Refusal, may_be_used};
pub use serial::{BadSerial, BadSeries, Serial, Series};
pub use state::{Availability, Category, FileState, Illegal, Opening};
pub use surroundings::{Chance, Clock, Seeded, Surroundings, System};
pub use vault::{
    Cartridge, Cloning, Emptying, Granted, Inspection, Moved, Purging, Recalled, Removed, Stacked,
    Swapped, Taking, Vault, WantedCopies, may_be_cloned, may_become_clone, unlike,
};
pub use volume::{Block, ClonedFile, Digest, DigestError, FileDigest, Listed, TapeFile, Volume};
pub use words::UnknownWord;
