//! Commands over a link: what they do, and what is left where the link is cut or faulty at any place.

mod commands;
mod common;
mod hooks;
mod later;
mod lending;
mod private;
mod remote;
mod shared;
