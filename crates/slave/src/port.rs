//! The port of a drive: attaches slaves, greets them, sends keep-alive requests, and drops slaves that failed.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use pseudotape_tape::{BlockLimits, Identity};

use crate::check::Asked;
use crate::line::{Answer, Attention, Line, greet};
use crate::link::{Cutter, Link};
use crate::lost::Lost;
use crate::options::Options;
use crate::reply::Welcome;
use crate::request::{Goodbye, Hello, Reason, Request};
use crate::socket::{SocketLink, say_goodbye};
use crate::stream::{StreamCore, StreamEnd};

/// Timeout of the greeting, unless the timeout of requests is shorter.
const GREETING: Duration = Duration::from_secs(10);

/// Why a slave can't attach.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// Another slave is attached.
    #[error("another slave is attached: end it first")]
    Busy,
    /// The drive is being dropped.
    #[error("the master is ending")]
    Ending,
    /// The operating system refuses a resource that the channel needs.
    #[error("no channel for the slave: {0}")]
    Channel(#[from] io::Error),
}

/// The state of a port, for the status display.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortStatus {
    /// Whether a slave is attached.
    pub attached: bool,
    /// Identity of the attached slave's drive.
    pub identity: Identity,
    /// Why the last slave was dropped.
    pub last_loss: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Occupancy {
    Vacant,
    /// A slave has connected, and has not yet answered the greeting.
    Greeting,
    Attached,
    /// The drive is gone, so no slave can attach any more.
    Closed,
}

/// The state that can be read without waiting for the slave. Lock order: the line before this.
struct Public {
    place: Occupancy,
    identity: Identity,
    limits: BlockLimits,
    last_loss: Option<String>,
    /// Counts requests. The keep-alive thread compares two counts to see whether the slave is idle.
    asked: u64,
    /// Aborts the outstanding request.
    cutter: Option<Cutter>,
}

pub(crate) struct Inner {
    pub(crate) options: Options,
    line: Mutex<Line>,
    public: Mutex<Public>,
    changed: Condvar,
}

/// The slave end of a drive: a handle through which slaves attach. It can be cloned.
#[derive(Clone)]
pub struct SlavePort {
    inner: Arc<Inner>,
}

impl SlavePort {
    pub(crate) fn new(inner: Arc<Inner>) -> Self {
        SlavePort { inner }
    }

    /// Attaches the slave at the other end of a connected Unix stream socket. Returns at once; a thread of its
    /// own does the greeting. A slave that is refused gets a goodbye with the reason.
    pub fn attach_socket(&self, stream: UnixStream) -> Result<(), AttachError> {
        if let Err(error) = self.inner.reserve() {
            let reason = match error {
                AttachError::Busy => Reason::Busy,
                AttachError::Ending | AttachError::Channel(_) => Reason::Ending,
            };
            let text = error.to_string();
            say_goodbye(&stream, &Goodbye { reason, text });
            return Err(error);
        }
        let options = &self.inner.options;
        match SocketLink::new(stream, options.largest_payload, options.silence) {
            Ok(link) => self.greet_in_thread(Link::Socket(Box::new(link))),
            Err(error) => {
                self.inner.set_place(Occupancy::Vacant);
                Err(error.into())
            }
        }
    }

    /// Attaches a process that opened the slave node. The frontend reads requests from the returned
    /// [`StreamEnd`] for that process, and writes the replies of the process to it.
    pub fn attach_stream(&self) -> Result<StreamEnd, AttachError> {
        self.inner.reserve()?;
        let core = StreamCore::new();
        let end = StreamEnd::new(Arc::clone(&core));
        self.greet_in_thread(Link::Stream(core))?;
        Ok(end)
    }

    /// Whether a slave is attached.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.inner.public().place == Occupancy::Attached
    }

    /// Waits until a slave is attached, at most for this timeout. Returns whether a slave is attached.
    #[must_use]
    pub fn wait_attached(&self, timeout: Duration) -> bool {
        let waiting =
            |public: &mut Public| matches!(public.place, Occupancy::Vacant | Occupancy::Greeting);
        let waited = self
            .inner
            .changed
            .wait_timeout_while(self.inner.public(), timeout, waiting);
        let (public, _) = waited.unwrap_or_else(PoisonError::into_inner);
        public.place == Occupancy::Attached
    }

    /// The state of the port. Never waits for the slave.
    #[must_use]
    pub fn status(&self) -> PortStatus {
        let public = self.inner.public();
        PortStatus {
            attached: public.place == Occupancy::Attached,
            identity: public.identity.clone(),
            last_loss: public.last_loss.clone(),
        }
    }

    /// Sends a goodbye to the slave, drops it, and refuses all others. The outstanding request fails.
    pub fn end(&self) {
        self.inner.end();
    }

    fn greet_in_thread(&self, link: Link) -> Result<(), AttachError> {
        let inner = Arc::clone(&self.inner);
        let greeting = thread::Builder::new().name("slave-greeting".into());
        let spawned = greeting.spawn(move || inner.welcome(link));
        if spawned.is_err() {
            self.inner.set_place(Occupancy::Vacant);
        }
        Ok(spawned.map(drop)?)
    }
}

impl Inner {
    pub(crate) fn new(options: Options) -> Arc<Inner> {
        Arc::new(Inner {
            line: Mutex::new(Line::default()),
            public: Mutex::new(Public {
                place: Occupancy::Vacant,
                identity: options.identity.clone(),
                limits: options.limits,
                last_loss: None,
                asked: 0,
                cutter: None,
            }),
            changed: Condvar::new(),
            options,
        })
    }

    fn public(&self) -> MutexGuard<'_, Public> {
        self.public.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn identity(&self) -> Identity {
        self.public().identity.clone()
    }

    pub(crate) fn limits(&self) -> BlockLimits {
        self.public().limits
    }

    pub(crate) fn is_attached(&self) -> bool {
        self.public().place == Occupancy::Attached
    }

    pub(crate) fn count_question(&self) {
        let mut public = self.public();
        public.asked = public.asked.wrapping_add(1);
    }

    fn set_place(&self, place: Occupancy) {
        self.public().place = place;
        self.changed.notify_all();
    }

    /// Reserves the port for a slave that has connected.
    fn reserve(&self) -> Result<(), AttachError> {
        self.lose_the_dead();
        let mut public = self.public();
        match public.place {
            Occupancy::Vacant => {
                public.place = Occupancy::Greeting;
                Ok(())
            }
            Occupancy::Greeting | Occupancy::Attached => Err(AttachError::Busy),
            Occupancy::Closed => Err(AttachError::Ending),
        }
    }

    /// Drops a slave that died while the line was idle, and whose death was not noticed yet.
    fn lose_the_dead(&self) {
        // If the line is locked, an operation is in progress. That operation notices a dead slave by itself.
        let mut line = match self.line.try_lock() {
            Ok(line) => line,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        if line.link.as_ref().is_some_and(Link::is_gone) {
            self.lose(&mut line, &Lost::Gone);
        }
    }

    fn welcome(&self, mut link: Link) {
        let hello = Request::Hello(Hello {
            largest_payload: self.options.largest_payload,
            silence_ms: u32::try_from(self.options.silence.as_millis()).unwrap_or(u32::MAX),
            shared_memory: link.offers_shared_memory(),
            needs: 0,
        });
        let id = self.line().take_id();
        let silence = self.options.silence.min(GREETING);
        let greeted = greet(&mut link, &hello, id, silence).and_then(|welcome| {
            link.agree(welcome.shared_memory, self.options.checksums)?;
            Ok(welcome)
        });
        match greeted {
            Ok(welcome) => self.attach(link, welcome),
            Err(lost) => {
                log::warn!("{}: a slave did not attach: {lost}", self.options.name);
                link.close(lost.goodbye().as_ref());
                let mut public = self.public();
                public.last_loss = Some(lost.to_string());
                if public.place == Occupancy::Greeting {
                    public.place = Occupancy::Vacant;
                }
                drop(public);
                self.changed.notify_all();
            }
        }
    }

    fn attach(&self, link: Link, welcome: Welcome) {
        let mut line = self.line();
        let mut public = self.public();
        if public.place != Occupancy::Greeting {
            drop(public);
            drop(line);
            link.close(Lost::Ended("the master is ending").goodbye().as_ref());
            return;
        }
        log::info!(
            "{}: slave attached: {} {} {}",
            self.options.name,
            welcome.identity.vendor,
            welcome.identity.product,
            welcome.identity.serial
        );
        public.cutter = link.cutter();
        line.link = Some(link);
        line.attention = Some(Attention::Reset);
        public.place = Occupancy::Attached;
        public.identity = welcome.identity;
        public.limits = BlockLimits {
            max_bytes: welcome.limits.max_bytes.min(self.options.largest_payload),
            ..welcome.limits
        };
        drop(public);
        drop(line);
        self.changed.notify_all();
    }

    /// Drops the slave.
    pub(crate) fn lose(&self, line: &mut Line, why: &Lost) {
        let Some(link) = line.link.take() else {
            return;
        };
        line.attention = None;
        log::warn!("{}: slave lost: {why}", self.options.name);
        link.close(why.goodbye().as_ref());
        let mut public = self.public();
        public.cutter = None;
        public.identity = self.options.identity.clone();
        public.limits = self.options.limits;
        public.last_loss = Some(why.to_string());
        if public.place == Occupancy::Attached {
            public.place = Occupancy::Vacant;
        }
        drop(public);
        self.changed.notify_all();
    }

    /// Ends the port, because the drive is gone.
    pub(crate) fn end(&self) {
        self.set_place(Occupancy::Closed);
        let busy = matches!(self.line.try_lock(), Err(TryLockError::WouldBlock));
        // The lock must be free when the request is aborted: the woken thread may take it.
        let cutter = self.public().cutter.take_if(|_| busy);
        if let Some(cutter) = cutter {
            cutter.cut();
        }
        self.lose(&mut self.line(), &Lost::Ended("the master is ending"));
    }

    /// Sends keep-alive requests while the line is idle. So a dead slave is noticed, and a slave that is
    /// blocked in a read of its node wakes up about once a second.
    pub(crate) fn keep(&self) {
        let mut seen = 0;
        loop {
            let mut public = self.public();
            while matches!(public.place, Occupancy::Vacant | Occupancy::Greeting) {
                public = self
                    .changed
                    .wait(public)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            let since = Instant::now();
            let mut left = self.options.keep_alive;
            while public.place == Occupancy::Attached && !left.is_zero() {
                let waited = self.changed.wait_timeout(public, left);
                public = waited.unwrap_or_else(PoisonError::into_inner).0;
                left = self.options.keep_alive.saturating_sub(since.elapsed());
            }
            if public.place == Occupancy::Closed {
                return;
            }
            let idle = public.asked == seen;
            seen = public.asked;
            drop(public);
            if idle {
                self.keep_alive();
            }
        }
    }

    fn keep_alive(&self) {
        // A line that is locked is not idle.
        let Ok(mut line) = self.line.try_lock() else {
            return;
        };
        let asked = Asked {
            request: &Request::KeepAlive,
            data_length: 0,
            before: None,
        };
        match line.ask(asked, &[], &mut [], self.options.silence) {
            Some(Err(Lost::GoneBefore)) => self.lose(&mut line, &Lost::Gone),
            Some(Err(lost)) => self.lose(&mut line, &lost),
            // Any valid reply proves that the slave is alive, also the refusal of an unknown request.
            Some(Ok(
                Answer::Done(..) | Answer::Failed(_) | Answer::Mode(_) | Answer::Capacity(_),
            ))
            | None => {}
        }
    }
}
