//! The device daemon.
