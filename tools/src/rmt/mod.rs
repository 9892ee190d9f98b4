//! `pseudotape-rmt`: serves what its configuration names, and nothing else.

mod cli;
mod config;
mod listen;
mod presence;
mod shelf;

pub use crate::ending::Ending;
pub use cli::Arguments;

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use anyhow::{Context, Result};
use pseudotape_rmt::{ServerOptions, serve};

use crate::ending::{Event, Events};
use crate::rmt::config::Config;
use crate::rmt::listen::Door;
use crate::rmt::shelf::Tapes;

/// Does what the command line asks, until its client goes, or with `--listen` until a signal asks to end. Then every
/// open tape is closed as its client would have done, and committed.
pub fn run(arguments: &Arguments) -> Result<Ending> {
    if let Some(socket) = &arguments.via {
        return listen::bridge(socket).map(|()| Ending::Well);
    }
    let config = Config::read(arguments)?;
    // Before anything is served, so that an early signal ends cleanly as well.
    let events = Events::listen()?;
    let tapes = Tapes::new(config.tapes, Arc::clone(&events.ending));
    let (all, speech) = (tapes.clone(), config.speech);
    let door = arguments.listen.as_deref().map(Door::open).transpose()?;
    let door = door.map(Arc::new);
    let event = match door.clone() {
        Some(door) => events.wait_for(move || door.serve(&all, speech, config.admission)),
        None => events.wait_for(move || serve_one(&all, speech)),
    }?;
    let served = match event {
        Event::Served(result) => result,
        Event::Signal(signal) => {
            log::info!("ends: signal {signal}");
            Ok(())
        }
    };
    if let Some(door) = door {
        door.close();
    }
    let ended = tapes.end();
    served.and(ended)
}

/// Serves the client on standard input and output.
fn serve_one(tapes: &Tapes, speech: ServerOptions) -> Result<()> {
    // Without the buffers of the standard streams: records are long, and replies not to be held back.
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let present = presence::of(io::stdin())?;
    let mut shelf = tapes.shelf("standard input", present, Arc::default());
    serve(input, output, &mut shelf, speech).context("serving the client on standard input")
}
