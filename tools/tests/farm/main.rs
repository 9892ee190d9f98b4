//! `pseudotape farm`: what its commands do to volumes, what they print, and how they end.

mod place;
mod references;
mod script;
mod settings;
mod structured;
#[path = "../tables/mod.rs"]
mod tables;
mod tapes;
mod verbs;
