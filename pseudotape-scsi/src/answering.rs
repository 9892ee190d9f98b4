//! The thread that answers the commands in the ring of a device.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::Sender;
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use pseudotape_tcmu::{Command, Device, Entry, Task, Woken};

use crate::event::Event;

/// Whoever answers the commands of a device.
pub(crate) trait Answers: Send + 'static {
    /// Which one it is, for a person.
    fn name(&self) -> String;

    fn device(&mut self) -> &mut Device;

    /// Does a command, and puts its answer into the ring.
    fn command(&mut self, command: Command);

    fn task(&mut self, task: Task);
}

/// The thread, and the descriptor whose end ends it.
pub(crate) struct Answering(Mutex<Option<(UnixStream, JoinHandle<()>)>>);

impl Answering {
    /// Begins to answer. A ring that can't be served any more is an event.
    pub(crate) fn start(mut server: impl Answers, events: Sender<Event>) -> Result<Answering> {
        let (wake, woken) = UnixStream::pair()?;
        let name = server.name();
        let thread = std::thread::Builder::new()
            .name(name.clone())
            .spawn(move || {
                if let Err(error) = serve_until(&mut server, &woken) {
                    let why = format!("{name}: its ring can't be served any more: {error:#}");
                    // Nobody listens any more once the daemon ends by itself.
                    if events.send(Event::RingEnded(why)).is_err() {
                        log::debug!("{name}: its ring ended after the daemon: {error:#}");
                    }
                }
            })
            .context("can't start the thread of a device")?;
        Ok(Answering(Mutex::new(Some((wake, thread)))))
    }

    /// Stops answering, behind the command in hand, and gives the device back.
    pub(crate) fn stop(&self) -> Result<()> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((wake, thread)) = held.take() else {
            return Ok(());
        };
        drop(wake);
        let joined = thread.join();
        joined.map_err(|_| anyhow::anyhow!("the thread of a device panicked"))
    }
}

fn serve_until(server: &mut impl Answers, woken: &UnixStream) -> Result<()> {
    loop {
        // What is in the ring comes first: after the start it is what another daemon has left.
        while let Some(entry) = server.device().ring().take()? {
            match entry {
                Entry::Command(command) => {
                    server.command(command);
                    server.device().tell()?;
                }
                Entry::Task(task) => server.task(task),
            }
        }
        if server.device().wait(woken.as_fd())? == Woken::Caller {
            return Ok(());
        }
    }
}

/// What an initiator wants, for a person.
pub(crate) fn in_words(task: Task) -> String {
    let what = match task.function {
        Task::ABORT_TASK => "an initiator gave a command up",
        Task::LUN_RESET | Task::WARM_RESET | Task::COLD_RESET => "an initiator reset the drive",
        _ => "an initiator gave commands up",
    };
    format!("{what} ({} of them)", task.ended)
}
