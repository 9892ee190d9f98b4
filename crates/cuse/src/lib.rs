//! The /dev/cuse protocol.
