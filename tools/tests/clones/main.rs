//! `pseudotape vault clone`, and what follows on it.

mod cloning;
mod place;
mod settling;
