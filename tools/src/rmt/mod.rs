//! `pseudotape-rmt`: serves what its configuration names, and nothing else.

mod cli;
mod config;
mod listen;
mod presence;
mod shelf;

pub use crate::ending::Ending;
pub use cli::Arguments;
pub(crate) use cli::EXIT_CODES;

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use pseudotape_rmt::{ServerOptions, serve};

use crate::ending::{Event, Events};
use crate::rmt::config::Config;
use crate::rmt::listen::Door;
use crate::rmt::shelf::Tapes;

/// What the command line asks for. It is checked, with the configuration, before anything begins.
#[derive(Debug)]
pub struct Task(Work);

#[derive(Debug)]
enum Work {
    /// Joins a client with the server behind this socket.
    Bridge(PathBuf),
    /// Serves tapes: to those who come to a socket, or to the client on standard input and output.
    Serve {
        config: Config,
        listen: Option<String>,
    },
}

impl Task {
    /// Reads the configuration that the command line names.
    pub fn read(arguments: &Arguments) -> Result<Task> {
        Ok(Task(match &arguments.via {
            Some(socket) => Work::Bridge(socket.clone()),
            None => Work::Serve {
                config: Config::read(arguments)?,
                listen: arguments.listen.clone(),
            },
        }))
    }
}

/// Does what the command line asks, until its client goes, or with `--listen` until a signal asks to end. Then every
/// open tape is closed as its client would have done, and committed.
pub fn run(task: Task) -> Result<Ending> {
    let (config, listen) = match task.0 {
        Work::Bridge(socket) => return listen::bridge(&socket).map(|()| Ending::Well),
        Work::Serve { config, listen } => (config, listen),
    };
    // Before anything is served, so that an early signal ends cleanly as well.
    let events = Events::listen()?;
    let tapes = Tapes::new(config.tapes, Arc::clone(&events.ending));
    let (all, speech) = (tapes.clone(), config.speech);
    let door = listen.as_deref().map(Door::open).transpose()?;
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
