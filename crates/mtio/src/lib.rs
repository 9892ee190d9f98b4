//! struct mtop, mtget and mtpos as typed values, for 64- and 32-bit callers.
//!
//! This crate turns bytes into values and back (`linux/mtio.h`); it decides no behaviour. What it does
//! not know is kept: [`Operation::Unsupported`], [`DriverOption::Unknown`], [`Command::Other`].

// Bytes from outside must not end in a panic or in another number.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

mod abi;
mod command;
#[cfg(any(test, feature = "fuzz"))]
mod fuzz;
mod names;
mod operation;
mod option;
mod status;

pub use command::{Command, DecodeError, Width};
#[cfg(any(test, feature = "fuzz"))]
pub use fuzz::fuzz_decode;
pub use names::OptionError;
pub use operation::{MtOp, Operation};
pub use option::{BooleanChange, Booleans, Cleaning, Compression, DriverOption};
pub use status::{BLOCK_SIZE_MASK, GeneralStatus, MTGET_BYTES, MTPOS_BYTES, MtGet, MtPos};
