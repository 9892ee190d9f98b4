//! The commands on two tapes.

pub(crate) mod compare;
pub(crate) mod copy;
mod meter;
pub(crate) mod tape;
