//! A device for tests of frontends: it records the calls that it gets.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::device::{
    CallTrouble, Caller, CharDevice, IoctlRequest, Opened, Told, Unmeasured, WordSize,
};
use crate::last_close::LastClose;
use crate::news::News;
use crate::numbers::{Errno, Handle};
use crate::pipe::Pipe;

const ENOMEM: Errno = Errno(12);
const ENOSPC: Errno = Errno(28);

/// One call that reached the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// `open`.
    Open {
        /// Flags.
        flags: u32,
    },
    /// `write`, of this length.
    Write(usize),
    /// `extend`, of this length.
    Extend(usize),
    /// `check_write`, of this length.
    CheckWrite(usize),
    /// `read`, with a buffer of this length.
    Read(usize),
    /// `ioctl`.
    Ioctl {
        /// Request number.
        command: u32,
        /// Input.
        input: Vec<u8>,
        /// Word size.
        word_size: WordSize,
    },
    /// `note`.
    Note(CallTrouble, Told),
    /// `flush`.
    Flush,
    /// `close`.
    Close,
    /// `abandon_open`.
    AbandonOpen,
}

/// Records written, and records to be read.
#[derive(Debug)]
pub struct Recorder {
    state: Mutex<State>,
    let_go: Condvar,
    max_transfer_bytes: usize,
    news: Arc<News>,
    last_close: LastClose,
    panics: AtomicBool,
}

#[derive(Debug)]
struct State {
    written: Vec<Vec<u8>>,
    to_read: VecDeque<Vec<u8>>,
    events: Vec<Event>,
    block_bytes: Option<usize>,
    room_bytes: usize,
    failing_write: Option<Errno>,
    flush_error: Option<Errno>,
    next_handle: u64,
    open_count: usize,
    open_max: usize,
    not_ready: bool,
    wait: Duration,
    delay: Duration,
    waits_for: Option<Arc<Pipe>>,
    held: bool,
    held_calls: usize,
    ioctl_output: Vec<u8>,
}

/// Calls of a device wait as long as this lives; see [`Recorder::hold`].
#[derive(Debug)]
pub struct Held<'a>(&'a Recorder);

impl Held<'_> {
    /// How many calls wait now.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.0.lock().held_calls
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.lock().held = false;
        self.0.let_go.notify_all();
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new(16 << 20)
    }
}

impl Recorder {
    /// An empty device in variable block mode.
    #[must_use]
    pub fn new(max_transfer_bytes: usize) -> Self {
        let news = Arc::new(News::default());
        Recorder {
            max_transfer_bytes,
            panics: AtomicBool::new(false),
            let_go: Condvar::new(),
            last_close: LastClose::new(Arc::clone(&news)),
            news,
            state: Mutex::new(State {
                written: Vec::new(),
                to_read: VecDeque::new(),
                events: Vec::new(),
                block_bytes: None,
                room_bytes: usize::MAX,
                failing_write: None,
                flush_error: None,
                next_handle: 1,
                open_count: 0,
                open_max: usize::MAX,
                not_ready: false,
                wait: Duration::from_secs(120),
                delay: Duration::ZERO,
                waits_for: None,
                held: false,
                held_calls: 0,
                ioctl_output: Vec::new(),
            }),
        }
    }

    /// Takes the records written so far.
    pub fn take_written(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.lock().written)
    }

    /// Takes the calls made so far.
    pub fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut self.lock().events)
    }

    /// Adds a record to be read.
    pub fn put(&self, record: Vec<u8>) {
        self.lock().to_read.push_back(record);
    }

    /// Records still to be read.
    pub fn left(&self) -> usize {
        self.lock().to_read.len()
    }

    /// Fixed block mode, or back to variable.
    pub fn set_block_bytes(&self, block_bytes: Option<usize>) {
        self.lock().block_bytes = block_bytes;
    }

    /// How much more can be written.
    pub fn set_room_bytes(&self, room_bytes: usize) {
        self.lock().room_bytes = room_bytes;
    }

    /// Lets the next write fail, although its check passed.
    pub fn fail_next_write(&self, errno: Errno) {
        self.lock().failing_write = Some(errno);
    }

    /// Lets the next write panic, as a fault in a drive would.
    pub fn panic_at_next_write(&self) {
        self.panics.store(true, Ordering::Relaxed);
    }

    /// Lets the next `flush` report an error.
    pub fn fail_next_flush(&self, errno: Errno) {
        self.lock().flush_error = Some(errno);
    }

    /// How many opens are granted at a time; a further one is `EBUSY`.
    pub fn set_open_max(&self, open_max: usize) {
        self.lock().open_max = open_max;
    }

    /// How many files are open.
    pub fn open_count(&self) -> usize {
        self.lock().open_count
    }

    /// Lets opens wait until it is ready again, or for this long.
    pub fn set_not_ready(&self, wait: Duration) {
        let mut state = self.lock();
        state.not_ready = true;
        state.wait = wait;
    }

    /// Lets waiting opens go on.
    pub fn set_ready(&self) {
        self.lock().not_ready = false;
        self.news.tell();
    }

    /// How long each read and write takes.
    pub fn set_delay(&self, delay: Duration) {
        self.lock().delay = delay;
    }

    /// Lets each read, write and `ioctl` wait until something was written to this stream.
    pub fn set_waits_for(&self, stream: Arc<Pipe>) {
        self.lock().waits_for = Some(stream);
    }

    /// Lets each read, write, check of a write and `ioctl` wait until the answer is dropped.
    #[must_use]
    pub fn hold(&self) -> Held<'_> {
        self.lock().held = true;
        Held(self)
    }

    /// What each `ioctl` gives back.
    pub fn set_ioctl_output(&self, output: Vec<u8>) {
        self.lock().ioctl_output = output;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_time(&self) {
        let state = self.lock();
        let (delay, waits_for) = (state.delay, state.waits_for.clone());
        drop(state);
        if let Some(stream) = waits_for {
            stream.wait_for_written();
        }
        if delay > Duration::ZERO {
            std::thread::sleep(delay);
        }
        self.wait_while_held();
    }

    fn wait_while_held(&self) {
        let mut state = self.lock();
        state.held_calls += 1;
        let mut state = self
            .let_go
            .wait_while(state, |state| state.held)
            .unwrap_or_else(PoisonError::into_inner);
        state.held_calls -= 1;
    }
}

impl State {
    /// The answer to a write of this length, before anything is written.
    fn decide(&self, length: usize) -> Result<usize, Errno> {
        match self.block_bytes {
            Some(block) if !length.is_multiple_of(block) => Err(Errno::EINVAL),
            Some(block) if length > self.room_bytes => match self.room_bytes / block * block {
                0 => Err(ENOSPC),
                some => Ok(some),
            },
            None if length > self.room_bytes => Err(ENOSPC),
            _ => Ok(length),
        }
    }

    fn read_blocks(&mut self, block: usize, buffer: &mut [u8]) -> usize {
        let mut done = 0;
        while done < buffer.len() {
            // An empty record stands for a filemark.
            match self.to_read.front() {
                Some(record) if record.is_empty() && done > 0 => break,
                None => break,
                Some(_) => {}
            }
            let mut record = self.to_read.pop_front().unwrap_or_default();
            if record.is_empty() {
                break;
            }
            assert!(record.len() <= block, "the test puts blocks of this size");
            let part = record.len().min(buffer.len() - done);
            buffer[done..done + part].copy_from_slice(&record[..part]);
            done += part;
            if part < record.len() {
                self.to_read.push_front(record.split_off(part));
            }
        }
        done
    }
}

impl CharDevice for Recorder {
    fn open(&self, flags: u32, _caller: Caller) -> Result<Opened, Errno> {
        let mut state = self.lock();
        state.events.push(Event::Open { flags });
        if state.open_count >= state.open_max {
            return Err(Errno::EBUSY);
        }
        let handle = Handle(state.next_handle);
        state.next_handle += 1;
        if state.not_ready {
            return Ok(Opened::Waiting(handle, state.wait));
        }
        state.open_count += 1;
        Ok(Opened::Open(handle))
    }

    fn open_again(&self, handle: Handle) -> Result<Opened, Errno> {
        let mut state = self.lock();
        if state.not_ready {
            return Ok(Opened::Waiting(handle, state.wait));
        }
        state.open_count += 1;
        Ok(Opened::Open(handle))
    }

    fn abandon_open(&self, _handle: Handle) -> Errno {
        self.lock().events.push(Event::AbandonOpen);
        Errno::EIO
    }

    fn read(&self, _handle: Handle, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.take_time();
        let mut state = self.lock();
        state.events.push(Event::Read(buffer.len()));
        if let Some(block) = state.block_bytes {
            return Ok(state.read_blocks(block, buffer));
        }
        let record = state.to_read.pop_front().unwrap_or_default();
        let place = buffer.get_mut(..record.len()).ok_or(ENOMEM)?;
        place.copy_from_slice(&record);
        Ok(record.len())
    }

    fn check_write(&self, _handle: Handle, length_bytes: usize) -> Result<usize, Errno> {
        let mut state = self.lock();
        state.events.push(Event::CheckWrite(length_bytes));
        let decision = state.decide(length_bytes);
        drop(state);
        self.wait_while_held();
        decision
    }

    fn write(&self, _handle: Handle, data: &[u8]) -> Result<usize, Errno> {
        assert!(
            !self.panics.swap(false, Ordering::Relaxed),
            "as it was told"
        );
        self.take_time();
        let mut state = self.lock();
        state.events.push(Event::Write(data.len()));
        if let Some(errno) = state.failing_write.take() {
            return Err(errno);
        }
        let take = state.decide(data.len())?;
        state.room_bytes -= take;
        match state.block_bytes {
            Some(block) => {
                let blocks = data[..take].chunks(block).map(<[u8]>::to_vec);
                state.written.extend(blocks);
            }
            None => state.written.push(data.to_vec()),
        }
        Ok(take)
    }

    fn extend(&self, _handle: Handle, data: &[u8]) -> Result<usize, Errno> {
        let mut state = self.lock();
        state.events.push(Event::Extend(data.len()));
        if let Some(errno) = state.failing_write.take() {
            return Err(errno);
        }
        let last = state.written.last_mut().ok_or(Errno::EIO)?;
        last.extend_from_slice(data);
        Ok(data.len())
    }

    fn unmeasured(&self, _handle: Handle) -> Unmeasured {
        match self.lock().block_bytes {
            Some(block_bytes) => Unmeasured::Stream { block_bytes },
            None => Unmeasured::Block {
                max_bytes: self.max_transfer_bytes,
            },
        }
    }

    fn note(&self, _handle: Handle, trouble: CallTrouble, told: Told) {
        self.lock().events.push(Event::Note(trouble, told));
    }

    fn ioctl(
        &self,
        _handle: Handle,
        request: IoctlRequest<'_>,
        output: &mut Vec<u8>,
    ) -> Result<i32, Errno> {
        self.take_time();
        let mut state = self.lock();
        state.events.push(Event::Ioctl {
            command: request.command,
            input: request.input.to_vec(),
            word_size: request.word_size,
        });
        output.extend_from_slice(&state.ioctl_output);
        Ok(0)
    }

    fn flush(&self, _handle: Handle) -> Result<(), Errno> {
        let _near = self.last_close.flush();
        let mut state = self.lock();
        state.events.push(Event::Flush);
        state.flush_error.take().map_or(Ok(()), Err)
    }

    fn close(&self, _handle: Handle) -> Result<(), Errno> {
        let mut state = self.lock();
        state.events.push(Event::Close);
        state.open_count -= 1;
        self.last_close.done();
        Ok(())
    }

    fn last_close(&self) -> Option<&LastClose> {
        Some(&self.last_close)
    }

    fn news(&self) -> Option<&News> {
        Some(&self.news)
    }

    fn max_transfer_bytes(&self) -> usize {
        self.max_transfer_bytes
    }

    fn waits_for_others(&self) -> bool {
        self.lock().waits_for.is_some()
    }
}
