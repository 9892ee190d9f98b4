//! The commands on two tapes.

pub(crate) mod compare;
pub(crate) mod copy;
pub(crate) mod meter;
pub(crate) mod tape;
