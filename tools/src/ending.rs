//! The end of a program that serves others (the rmt server, `pseudotape serve`): they went, or a signal asks for it.
//! Also of one that has something to put back before it ends.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;

/// How the server ended, where it could do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Its clients were done.
    Well,
    /// A client had written and still had its tape open: the tape file was ended for it.
    Cut,
}

/// Exit code of a server that was told twice to end.
const EXIT_IMPATIENT: i32 = 1;

/// What ends a server.
pub(crate) enum Event {
    /// Clients are served no longer, as the result says.
    Served(Result<()>),
    /// A signal asks to end.
    Signal(i32),
}

/// Where the end of a server is waited for.
pub(crate) struct Events {
    /// Set by the first signal: what takes long is given up.
    pub(crate) ending: Arc<AtomicBool>,
    happened: Receiver<Event>,
    events: Sender<Event>,
}

const SIGNALS: [i32; 3] = [SIGTERM, SIGINT, SIGHUP];

/// What the first signal sets that asks to end. A second one ends the process at once.
pub(crate) fn end_by_signal() -> Result<Arc<AtomicBool>> {
    let ending = Arc::new(AtomicBool::new(false));
    for signal in SIGNALS {
        // In this order: the first signal finds the flag unset, and sets it.
        flag::register_conditional_shutdown(signal, EXIT_IMPATIENT, Arc::clone(&ending))
            .and_then(|_| flag::register(signal, Arc::clone(&ending)))
            .context("can't listen for signals")?;
    }
    Ok(ending)
}

impl Events {
    /// Listens for signals. A second one ends the process at once.
    pub(crate) fn listen() -> Result<Self> {
        let ending = end_by_signal()?;
        let mut signals = Signals::new(SIGNALS).context("can't listen for signals")?;
        let (events, happened) = channel();
        let asked = events.clone();
        thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                for signal in signals.forever() {
                    if asked.send(Event::Signal(signal)).is_err() {
                        return;
                    }
                }
            })
            .context("can't start the signal thread")?;
        Ok(Events {
            ending,
            happened,
            events,
        })
    }

    /// Serves in a thread of its own, and waits for the first thing that ends the server.
    pub(crate) fn wait_for(
        &self,
        serve: impl FnOnce() -> Result<()> + Send + 'static,
    ) -> Result<Event> {
        let served = self.events.clone();
        thread::Builder::new()
            .name("server".into())
            .spawn(move || {
                // A panic is printed where it happens, and ends the server.
                let result = panic::catch_unwind(AssertUnwindSafe(serve))
                    .unwrap_or_else(|_| bail!("the thread that serves panicked"));
                if served.send(Event::Served(result)).is_err() {
                    log::debug!("the server has ended before");
                }
            })
            .context("can't start the thread that serves")?;
        self.happened
            .recv()
            .context("nobody is left to end the server")
    }
}
