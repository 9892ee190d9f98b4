use pseudotape_human::{counted, did_you_mean};

/// Why a fault is not injected or not removed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultError {
    /// No fault has this name.
    #[error("there is no fault '{name}'{}: there are {}", near_name(name), names())]
    UnknownKind {
        /// What was said.
        name: String,
    },
    /// The fault has no such option.
    #[error("{kind} has no option '{key}'{}: it has {}", near_key(*kind, key), keys(*kind))]
    UnknownKey {
        /// The fault.
        kind: crate::Kind,
        /// What was said.
        key: String,
    },
    /// An option is given twice.
    #[error("'{key}' is given twice")]
    Twice {
        /// The option.
        key: &'static str,
    },
    /// A value is none that the option can have.
    #[error("{key}={value}: {expected}")]
    Value {
        /// The option.
        key: &'static str,
        /// What was said.
        value: String,
        /// What can be said.
        expected: &'static str,
    },
    /// Two options exclude each other.
    #[error("'{first}' and '{second}' don't go together: {why}")]
    Conflict {
        /// The one.
        first: &'static str,
        /// The other.
        second: &'static str,
        /// Why.
        why: &'static str,
    },
    /// An option means nothing without another one.
    #[error("'{key}' needs '{needs}'")]
    Needs {
        /// The option.
        key: &'static str,
        /// The other one.
        needs: &'static str,
    },
    /// A fault that does nothing as it stands.
    #[error("slow needs rate=SIZE (bytes in a second) or delay=TIME (for each call)")]
    NoPace,
    /// A block that is not there can't be read, so that the fault would never be met.
    #[error(
        "object {object} is behind the end: partition {partition} holds {}, counted from 0",
        counted(*objects, "object")
    )]
    BehindEnd {
        /// The object.
        object: u64,
        /// Its partition.
        partition: u8,
        /// How many objects there are.
        objects: u64,
    },
    /// The medium has no such partition.
    #[error("there is no partition {partition}: the medium has {partitions}")]
    NoPartition {
        /// The partition.
        partition: u8,
        /// How many there are.
        partitions: u8,
    },
    /// No fault has this number.
    #[error("there is no fault {number} here: 'inject' without a fault lists them")]
    NoSuchNumber {
        /// What was said.
        number: String,
    },
    /// The list is full.
    #[error("a drive takes at most {max} faults: remove some first")]
    TooMany {
        /// How many there can be.
        max: usize,
    },
    /// The drive is about to end.
    #[error("the drive is ending")]
    Ended,
}

fn names() -> String {
    crate::Kind::ALL.map(crate::Kind::name).join(", ")
}

fn near_name(said: &str) -> String {
    did_you_mean(said, crate::Kind::ALL.map(crate::Kind::name))
}

fn near_key(kind: crate::Kind, said: &str) -> String {
    did_you_mean(said, kind.keys().iter().map(|key| key.name()))
}

fn keys(kind: crate::Kind) -> String {
    let keys: Vec<_> = kind.keys().iter().map(|key| key.name()).collect();
    keys.join(", ")
}
