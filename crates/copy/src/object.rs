use std::fmt;

use pseudotape_tape::{Mark, ObjectNumber};

/// What lies at one place of a tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// A block of this length.
    Block {
        /// Bytes.
        length: u32,
    },
    /// A filemark.
    Filemark,
    /// A setmark.
    Setmark,
    /// Something that can't be read.
    Unreadable,
    /// Nothing more.
    EndOfData,
}

impl From<Mark> for Object {
    fn from(mark: Mark) -> Self {
        match mark {
            Mark::Filemark => Object::Filemark,
            Mark::Setmark => Object::Setmark,
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Object::Block { length: 1 } => f.write_str("a block of 1 byte"),
            Object::Block { length } => write!(f, "a block of {length} bytes"),
            Object::Filemark => f.write_str("a filemark"),
            Object::Setmark => f.write_str("a setmark"),
            Object::Unreadable => f.write_str("something unreadable"),
            Object::EndOfData => f.write_str("the end of data"),
        }
    }
}

/// How far the work is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The next object of the (first) tape.
    pub object: ObjectNumber,
    /// Bytes of blocks done.
    pub bytes: u64,
}

/// Objects in a row that can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first one.
    pub first: ObjectNumber,
    /// How many there are.
    pub objects: u64,
}

impl Gap {
    /// Adds objects to a list of gaps, to the last of them where they follow it.
    pub(crate) fn add(gaps: &mut Vec<Gap>, first: ObjectNumber, objects: u64) {
        match gaps.last_mut() {
            Some(last) if last.first.0 + last.objects == first.0 => last.objects += objects,
            _ => gaps.push(Gap { first, objects }),
        }
    }
}
