//! `pseudotape-rmt`: serves what its configuration names, and nothing else.

mod cli;
mod config;
mod listen;
mod presence;
mod shelf;

pub use cli::Arguments;

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use anyhow::{Context, Result};
use pseudotape_rmt::serve;

use crate::rmt::config::Config;
use crate::rmt::shelf::Tapes;

/// Does what the command line asks, until its client goes, or for ever with `--listen`.
pub fn run(arguments: &Arguments) -> Result<()> {
    if let Some(socket) = &arguments.via {
        return listen::bridge(socket);
    }
    let config = Config::read(arguments)?;
    let tapes = Tapes::new(config.tapes);
    match &arguments.listen {
        Some(address) => listen::listen(address, &tapes, config.speech, config.admission),
        None => {
            // Without the buffers of the standard streams: records are long, and replies not to be held back.
            let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
            let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
            serve(
                input,
                output,
                &mut tapes.shelf("standard input", presence::of(io::stdin())?, Arc::default()),
                config.speech,
            )
            .context("serving the client on standard input")
        }
    }
}
