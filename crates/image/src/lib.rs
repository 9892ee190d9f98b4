//! Blocks and marks as records in one append-only file.
