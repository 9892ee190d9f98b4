//! The commands on two tapes.

mod attributes;
pub(crate) mod compare;
pub(crate) mod copy;
pub(crate) mod meter;
pub(crate) mod tape;
