//! The byte-stream channel, master's side. A frontend reads requests from it and writes replies to it. The
//! pieces are as long as the slave's system calls make them.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::header::{Head, Header, Payload, Received};
use crate::limits::{HEADER_BYTES, MAX_HEAD_BYTES};
use crate::lost::{Lost, Patience};
use crate::nonsense::Nonsense;
use crate::question::{Question, check_answers, goodbye_head};
use crate::reply;
use crate::request::{Goodbye, nothing};

/// The result of a read of a [`StreamEnd`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamRead {
    /// Number of bytes read. 0: the master has hung up, and no more bytes will come.
    Ready(usize),
    /// No bytes are there yet. The waker will be called when there are.
    NotYet,
}

/// Why a [`StreamEnd`] refused bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// The master has hung up.
    #[error("the master has hung up")]
    HungUp,
    /// The bytes violate the protocol; the slave is dropped.
    #[error(transparent)]
    Nonsense(#[from] Nonsense),
}

type Waker = Arc<dyn Fn() + Send + Sync>;

/// The end of a byte-stream channel that a frontend connects to the process that opened the slave node.
///
/// All methods return at once and can be called from any thread. Dropping the end hangs up.
pub struct StreamEnd {
    core: Arc<StreamCore>,
}

impl StreamEnd {
    pub(crate) fn new(core: Arc<StreamCore>) -> Self {
        StreamEnd { core }
    }

    /// Reads the next bytes for the slave: as many as are there and fit into the buffer.
    #[must_use]
    pub fn read(&self, buffer: &mut [u8]) -> StreamRead {
        let copied = self.take(buffer.len(), |bytes| {
            buffer.split_at_mut(bytes.len()).0.copy_from_slice(bytes);
            bytes.len()
        });
        copied.map_or(StreamRead::NotYet, StreamRead::Ready)
    }

    /// Like [`StreamEnd::read`] without a copy: passes the next bytes, at most `max`, to `use_bytes`. The slice
    /// is empty if the master has hung up. Returns `None` if no bytes are there yet.
    ///
    /// `use_bytes` runs under the lock of this channel, so it must not call the channel's methods.
    pub fn take<R>(&self, max: usize, use_bytes: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let state = &mut *self.core.state();
        let waiting = state.outgoing.get(state.sent..).unwrap_or_default();
        let length = waiting.len().min(max);
        if length == 0 && max > 0 && state.end.is_none() {
            return None;
        }
        let used = use_bytes(waiting.split_at(length).0);
        state.sent += length;
        Some(used)
    }

    /// Whether [`StreamEnd::read`] would return [`StreamRead::Ready`] (for `poll`).
    #[must_use]
    pub fn is_readable(&self) -> bool {
        let state = self.core.state();
        state.sent < state.outgoing.len() || state.end.is_some()
    }

    /// Takes bytes that the slave wrote. It takes all of them, unless they violate the protocol: then it takes
    /// none, and the slave is dropped.
    pub fn write(&self, bytes: &[u8]) -> Result<usize, StreamError> {
        let mut state = self.core.state();
        if state.end.is_some() {
            return Err(StreamError::HungUp);
        }
        let fed = state.feed(bytes);
        let (wakes, result) = match fed {
            Ok(()) => (false, Ok(bytes.len())),
            Err(nonsense) => {
                state.close(Lost::Nonsense(nonsense.clone()));
                (true, Err(StreamError::Nonsense(nonsense)))
            }
        };
        drop(state);
        self.core.changed.notify_all();
        if wakes {
            self.core.wake();
        }
        result
    }

    /// Sets the waker. It is called when a read that returned [`StreamRead::NotYet`] may now return bytes. The
    /// call comes from any thread, without a lock held, so the waker may call [`StreamEnd::read`].
    pub fn set_waker(&self, waker: impl Fn() + Send + Sync + 'static) {
        *self.core.waker() = Some(Arc::new(waker));
    }

    /// Tells the channel that the slave has closed its end, or died.
    pub fn hang_up(&self) {
        self.core.state().close(Lost::Gone);
        self.core.changed.notify_all();
        // The waker may hold a reference to this end. Dropping the waker here breaks that reference cycle.
        *self.core.waker() = None;
    }
}

impl Drop for StreamEnd {
    fn drop(&mut self) {
        self.hang_up();
    }
}

/// The state that both sides of the channel share.
pub(crate) struct StreamCore {
    state: Mutex<State>,
    changed: Condvar,
    waker: Mutex<Option<Waker>>,
}

struct State {
    /// The message for the slave with its payload, and the number of bytes of it that the slave has read.
    outgoing: Vec<u8>,
    sent: usize,
    /// The message that is being received.
    head: [u8; MAX_HEAD_BYTES],
    head_length: usize,
    header: Option<Header>,
    payload: Vec<u8>,
    /// The id of the outstanding request, and the largest payload that its reply may have.
    expected: Option<u64>,
    room: usize,
    patience: Option<Patience>,
    last_sign: Instant,
    reply: Option<Received>,
    /// Why the channel has ended.
    end: Option<Lost>,
}

impl StreamCore {
    pub(crate) fn new() -> Arc<StreamCore> {
        Arc::new(StreamCore {
            state: Mutex::new(State {
                outgoing: Vec::new(),
                sent: 0,
                head: [0; MAX_HEAD_BYTES],
                head_length: 0,
                header: None,
                payload: Vec::new(),
                expected: None,
                room: 0,
                patience: None,
                last_sign: Instant::now(),
                reply: None,
                end: None,
            }),
            changed: Condvar::new(),
            waker: Mutex::new(None),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waker(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        let waker = self.waker().clone();
        if let Some(waker) = waker {
            waker();
        }
    }

    /// Makes a request available for the slave to read. Without memory for the request, and for as long a payload of
    /// the reply as there is room for, nothing is sent.
    pub(crate) fn post(&self, question: Question<'_>, room: usize) -> Result<(), Lost> {
        let payload = Payload::Streamed(question.data);
        let head = Head::new(question.request.kind(), question.id, payload, |out| {
            question.request.encode(out)
        });
        let mut state = self.state();
        if let Some(end) = state.end.take() {
            state.end = Some(Lost::Gone);
            return Err(match end {
                Lost::Gone => Lost::GoneBefore,
                end => end,
            });
        }
        state.outgoing.clear();
        state.payload.clear();
        let length = head.bytes().len().saturating_add(question.data.len());
        if state.outgoing.try_reserve(length).is_err() || state.payload.try_reserve(room).is_err() {
            let length = question.data.len().max(room);
            return Err(Lost::NoMemory { length });
        }
        state.outgoing.extend_from_slice(head.bytes());
        state.outgoing.extend_from_slice(question.data);
        state.sent = 0;
        state.expected = Some(question.id);
        state.room = room;
        state.reply = None;
        state.patience = None;
        state.last_sign = Instant::now();
        drop(state);
        self.wake();
        Ok(())
    }

    /// Waits for the reply to the posted request.
    pub(crate) fn wait(&self, into: &mut [u8], silence: Duration) -> Result<Received, Lost> {
        let mut state = self.state();
        loop {
            if let Some(reply) = state.reply.take() {
                let length = reply.header.payload_within(into.len())?;
                let whole = into.get_mut(..length).zip(state.payload.get(..length));
                // Never `None`: complete() has received as many bytes as the header says.
                let Some((into, payload)) = whole else {
                    return Err(Lost::Gone);
                };
                into.copy_from_slice(payload);
                return Ok(reply);
            }
            if let Some(end) = state.end.take() {
                state.end = Some(Lost::Gone);
                return Err(end);
            }
            let left = silence.saturating_sub(state.last_sign.elapsed());
            if left.is_zero() {
                return Err(Lost::Silent(silence));
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state().end.is_some()
    }

    pub(crate) fn close(&self, goodbye: Option<&Goodbye>) {
        let mut state = self.state();
        if state.end.is_none() {
            // If the slave has read only a part of a request, it would take the goodbye for the rest of that
            // request.
            let between = state.sent == 0 || state.sent == state.outgoing.len();
            state.close(Lost::Gone);
            if let Some(goodbye) = goodbye.filter(|_| between) {
                let head = goodbye_head(goodbye);
                state.outgoing.extend_from_slice(head.bytes());
            }
        }
        drop(state);
        // Wakes a thread that waits for a reply, if another thread closes the channel.
        self.changed.notify_all();
        self.wake();
    }
}

impl State {
    fn close(&mut self, why: Lost) {
        self.end.get_or_insert(why);
        self.outgoing = Vec::new();
        self.sent = 0;
    }

    fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Nonsense> {
        while !bytes.is_empty() {
            let Some(id) = self.expected else {
                return Err(Nonsense::Unasked {
                    length: bytes.len(),
                });
            };
            bytes = match self.header {
                None => self.feed_header(bytes, id)?,
                Some(header) => self.feed_rest(bytes, header)?,
            };
            if let Some(header) = self.header
                && self.head_length == HEADER_BYTES + header.body_length
                && self.payload.len() == header.streamed_length()
            {
                self.complete(header)?;
            }
        }
        Ok(())
    }

    fn feed_header<'a>(&mut self, bytes: &'a [u8], id: u64) -> Result<&'a [u8], Nonsense> {
        let (mine, rest) = cut(bytes, HEADER_BYTES - self.head_length);
        self.take_head(mine);
        if let Some(whole) = self
            .head
            .first_chunk()
            .filter(|_| self.head_length == HEADER_BYTES)
        {
            let header = Header::parse(whole)?;
            check_answers(&header, id)?;
            header.payload_within(self.room)?;
            if header.is_shared() {
                return Err(Nonsense::Flags {
                    found: header.flags,
                });
            }
            self.header = Some(header);
            self.payload.clear();
        }
        Ok(rest)
    }

    fn feed_rest<'a>(&mut self, bytes: &'a [u8], header: Header) -> Result<&'a [u8], Nonsense> {
        let missing = HEADER_BYTES + header.body_length - self.head_length;
        let (mine, rest) = cut(bytes, missing);
        self.take_head(mine);
        let (mine, rest) = cut(rest, header.streamed_length() - self.payload.len());
        self.payload.extend_from_slice(mine);
        Ok(rest)
    }

    fn take_head(&mut self, bytes: &[u8]) {
        let end = self.head_length + bytes.len();
        if let Some(room) = self.head.get_mut(self.head_length..end) {
            room.copy_from_slice(bytes);
            self.head_length = end;
        }
    }

    fn complete(&mut self, header: Header) -> Result<(), Nonsense> {
        let received = Received::new(
            header,
            self.head
                .get(HEADER_BYTES..self.head_length)
                .unwrap_or_default(),
        )?;
        header.check_payload(&self.payload)?;
        self.header = None;
        self.head_length = 0;
        self.last_sign = Instant::now();
        if header.kind != reply::WORKING {
            self.expected = None;
            self.reply = Some(received);
            return Ok(());
        }
        nothing(header.kind, received.body())?;
        header.payload_within(0)?;
        match self.patience.get_or_insert_with(Patience::new).heard() {
            Err(Lost::Nonsense(nonsense)) => Err(nonsense),
            Err(end) => {
                self.close(end);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}

fn cut(bytes: &[u8], length: usize) -> (&[u8], &[u8]) {
    bytes.split_at(length.min(bytes.len()))
}
