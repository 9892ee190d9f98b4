//! Coming to the slave end, and coming back to it.

use std::fs;
use std::io;
use std::net::Shutdown;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use pseudotape_mirror::{Holder, Public, Served};
use pseudotape_slave::{Channel, ServeError, serve};
use pseudotape_tape::BlockLimits;

use crate::daemon::event::Event;

/// How long is waited after the first failure; twice as long after each further one …
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// … up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Who was served for so long was no failure.
const PROVEN: Duration = Duration::from_secs(5);

/// How long the device daemon may take to greet a mirror that came again.
const GREETING: Duration = Duration::from_secs(10);

/// Where the slave end is, and the way to part with who is there.
pub(crate) struct SlaveEnd {
    path: PathBuf,
    connected: Mutex<Option<UnixStream>>,
    /// The block limits that the device daemon was told at its greeting.
    announced: Mutex<Option<BlockLimits>>,
    public: Arc<Public>,
}

impl SlaveEnd {
    pub(crate) fn new(path: PathBuf, public: Arc<Public>) -> Self {
        SlaveEnd {
            path,
            connected: Mutex::new(None),
            announced: Mutex::new(None),
            public,
        }
    }

    fn announced(&self) -> MutexGuard<'_, Option<BlockLimits>> {
        self.announced
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, stream: Option<UnixStream>) {
        *self
            .connected
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = stream;
    }

    fn open(&self) -> io::Result<Channel> {
        if !fs::metadata(&self.path)?.file_type().is_socket() {
            return Channel::open(&self.path);
        }
        let stream = UnixStream::connect(&self.path)?;
        self.keep(Some(stream.try_clone()?));
        Channel::socket(stream)
    }

    /// Hangs up, so that the device daemon is greeted anew; only a socket can. Says whether it did.
    fn hang_up(&self) -> bool {
        let connected = self
            .connected
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        connected
            .as_ref()
            .is_some_and(|stream| stream.shutdown(Shutdown::Both).is_ok())
    }
}

impl Holder for SlaveEnd {
    /// Only a greeting asks for the identity.
    fn was_greeted(&self) {
        self.public.set_attached(true, None);
    }

    fn was_told(&self, limits: BlockLimits) {
        *self.announced() = Some(limits);
    }

    /// Has the device daemon greet the mirror again where the limits are others: at a greeting it hears of them.
    fn hear_limits(&self, limits: BlockLimits) {
        if self.announced().is_none_or(|told| told == limits) {
            return;
        }
        let BlockLimits {
            min_bytes,
            max_bytes,
            ..
        } = limits;
        log::info!("blocks of {min_bytes} to {max_bytes} bytes are possible now");
        let why = "the device daemon is to hear of other block limits".to_owned();
        self.public.set_attached(false, Some(why));
        if self.hang_up() {
            self.public.wait_attached(GREETING);
        } else {
            self.public.set_attached(true, None);
            log::warn!("the device daemon hears of it when the mirror is started anew");
        }
    }

    fn part(&self) {
        self.hang_up();
    }
}

/// Tells when the thread that has it ends, however that comes.
struct Alarm(Sender<Event>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if self.0.send(Event::ServingEnded).is_err() {
            log::debug!("the daemon has ended before");
        }
    }
}

/// Serves the slave end in a thread of its own for as long as the process lives.
pub(crate) fn start(end: Arc<SlaveEnd>, served: Served, ended: Sender<Event>) -> Result<()> {
    let alarm = Alarm(ended);
    std::thread::Builder::new()
        .name("slave end".into())
        .spawn(move || {
            let _alarm = alarm;
            attach(&end, served);
        })
        .context("can't start the thread of the slave end")?;
    Ok(())
}

fn attach(end: &SlaveEnd, mut served: Served) {
    let mut pause = FIRST_PAUSE;
    let mut told = None;
    loop {
        let began = Instant::now();
        let problem = match end.open() {
            Ok(channel) => once(end, &mut served, channel),
            // So does the node answer; the socket says it in the protocol.
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                taken(&end.path, "another slave has it open")
            }
            Err(error) => format!(
                "can't take the slave end {}: {error} (is pseudotape-dev running, with slave=SOCKET?)",
                end.path.display()
            ),
        };
        if began.elapsed() >= PROVEN {
            (pause, told) = (FIRST_PAUSE, None);
        }
        if told.as_ref() != Some(&problem) {
            log::warn!("{problem}; tries again until it succeeds");
            told = Some(problem.clone());
        }
        lost(&end.public, problem);
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn lost(public: &Public, problem: String) {
    public.set_attached(false, Some(problem));
}

/// Serves until it ends; says why it did.
fn once(end: &SlaveEnd, served: &mut Served, channel: Channel) -> String {
    // Not yet the drive: that is known with the greeting.
    log::debug!("connected to the slave end {}", end.path.display());
    let result = serve(served, channel);
    *end.announced() = None;
    end.keep(None);
    let path = end.path.display();
    match result {
        Ok(()) => format!("the device daemon behind {path} hung up"),
        Err(ServeError::Busy(text)) => taken(&end.path, &text),
        Err(error) => format!("no longer the drive behind {path}: {error}"),
    }
}

fn taken(path: &Path, why: &str) -> String {
    format!(
        "the slave end {} is taken: {why} ('pseudotape status' shows who holds it)",
        path.display()
    )
}
