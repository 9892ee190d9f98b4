//! Who holds the slave end: slaves come, are greeted, looked after, and lost.

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

/// How long a slave may take to answer the greeting; less where it may be silent for less.
const GREETING: Duration = Duration::from_secs(10);

/// Why a slave can't attach.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// Another one is attached.
    #[error("another slave is attached: end it first")]
    Busy,
    /// The drive ends.
    #[error("the master is ending")]
    Ending,
    /// The operating system refuses what a channel needs.
    #[error("no channel for the slave: {0}")]
    Channel(#[from] io::Error),
}

/// What an operator wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortStatus {
    /// Whether a slave is attached.
    pub attached: bool,
    /// What it says of itself.
    pub identity: Identity,
    /// Why the last one was lost.
    pub last_loss: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Occupancy {
    Vacant,
    /// Somebody has come who has not yet answered the greeting.
    Greeting,
    Attached,
    /// The drive is gone, nobody can come any more.
    Closed,
}

/// What can be known without waiting for the slave.
struct Public {
    place: Occupancy,
    identity: Identity,
    limits: BlockLimits,
    last_loss: Option<String>,
    /// Counts what was asked, so that the keeper sees whether anything was.
    asked: u64,
    /// Ends what the slave is asked now.
    cutter: Option<Cutter>,
}

pub(crate) struct Inner {
    pub(crate) options: Options,
    line: Mutex<Line>,
    public: Mutex<Public>,
    changed: Condvar,
}

/// The slave end of a drive: a handle, to be cloned, through which slaves attach.
#[derive(Clone)]
pub struct SlavePort {
    inner: Arc<Inner>,
}

impl SlavePort {
    pub(crate) fn new(inner: Arc<Inner>) -> Self {
        SlavePort { inner }
    }

    /// Attaches who is at the other end of a connected Unix stream socket. Returns at once; the greeting
    /// goes on in a thread of its own. Who is refused is told why.
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

    /// Attaches whoever opened the slave node. What is returned is for the frontend to read requests from
    /// and to write replies to.
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

    /// Waits until a slave is attached, for this long at most; says whether one is.
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

    /// What an operator wants to know. Never waits for the slave.
    #[must_use]
    pub fn status(&self) -> PortStatus {
        let public = self.inner.public();
        PortStatus {
            attached: public.place == Occupancy::Attached,
            identity: public.identity.clone(),
            last_loss: public.last_loss.clone(),
        }
    }

    /// Parts with the slave, who is told, and lets no other one come. What is being asked of it fails.
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

    /// Takes the one place for whoever comes.
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

    /// A slave that died while nothing was asked has not been missed yet.
    fn lose_the_dead(&self) {
        // Where the line is taken an operation is on its way, which will notice by itself.
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

    /// Parts with the slave.
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

    /// The drive is gone.
    pub(crate) fn end(&self) {
        self.set_place(Occupancy::Closed);
        let busy = matches!(self.line.try_lock(), Err(TryLockError::WouldBlock));
        // Who is woken by the cut may ask for the place, so it must be free.
        let cutter = self.public().cutter.take_if(|_| busy);
        if let Some(cutter) = cutter {
            cutter.cut();
        }
        self.lose(&mut self.line(), &Lost::Ended("the master is ending"));
    }

    /// Looks after the slave while nothing is asked: a slave that is dead is noticed, and one that is
    /// blocked in a read of its node wakes up now and then.
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
        // A line that is taken is not idle.
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
            // A slave that does not know the request lives as well.
            Some(Ok(
                Answer::Done(..) | Answer::Failed(_) | Answer::Mode(_) | Answer::Capacity(_),
            ))
            | None => {}
        }
    }
}
