//! A stream for tests of frontends: it stores the bytes written to it, and returns the bytes that a test puts
//! in.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::device::{CallTrouble, Caller, CharDevice, IoctlRequest, Opened, Told, Unmeasured};
use crate::numbers::{Errno, Handle};
use crate::read_queue::ReadQueue;
use crate::stream::{Reader, Readiness, Stream, StreamRead, Waker};

/// A byte stream with one open file at a time.
#[derive(Debug, Default)]
pub struct Pipe {
    state: Mutex<State>,
    wrote: Condvar,
}

#[derive(Debug, Default)]
struct State {
    queue: ReadQueue,
    written: Vec<u8>,
    /// Reads and polls asked so far.
    asked: usize,
    open: bool,
}

impl Pipe {
    /// Gives bytes to whoever reads.
    pub fn put(&self, bytes: &[u8]) {
        self.lock().queue.push(bytes);
    }

    /// Ends the stream.
    pub fn end(&self) {
        self.lock().queue.end(Ok(()));
    }

    /// Takes what was written so far.
    pub fn take_written(&self) -> Vec<u8> {
        std::mem::take(&mut self.lock().written)
    }

    /// How many reads and polls have come so far.
    pub fn asked(&self) -> usize {
        self.lock().asked
    }

    /// Whether somebody has it open.
    pub fn is_open(&self) -> bool {
        self.lock().open
    }

    /// Waits until something was written that nobody took.
    pub fn wait_for_written(&self) {
        let state = self.lock();
        let nothing = |state: &mut State| state.written.is_empty();
        drop(
            self.wrote
                .wait_while(state, nothing)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream for Pipe {
    fn read(&self, read: StreamRead, reader: Box<dyn Reader>) {
        let mut state = self.lock();
        state.asked += 1;
        state.queue.read(read, reader);
    }

    fn write(&self, _handle: Handle, data: &[u8]) -> Result<usize, Errno> {
        self.lock().written.extend_from_slice(data);
        self.wrote.notify_all();
        Ok(data.len())
    }

    fn poll(&self, _handle: Handle, waker: Option<Waker>) -> Readiness {
        let mut state = self.lock();
        state.asked += 1;
        let readable = state.queue.is_readable();
        if let Some(waker) = waker {
            state.queue.wake_when_readable(waker);
        }
        Readiness {
            readable,
            writable: true,
            hung_up: false,
        }
    }
}

impl CharDevice for Pipe {
    fn open(&self, _flags: u32, _caller: Caller) -> Result<Opened, Errno> {
        let mut state = self.lock();
        if std::mem::replace(&mut state.open, true) {
            return Err(Errno::EBUSY);
        }
        Ok(Opened::Open(Handle(1)))
    }

    fn open_again(&self, _handle: Handle) -> Result<Opened, Errno> {
        Err(Errno::EIO)
    }

    fn abandon_open(&self, _handle: Handle) -> Errno {
        Errno::EIO
    }

    fn read(&self, _handle: Handle, _buffer: &mut [u8]) -> Result<usize, Errno> {
        Err(Errno::EIO)
    }

    fn check_write(&self, _handle: Handle, _length_bytes: usize) -> Result<usize, Errno> {
        Err(Errno::EIO)
    }

    fn write(&self, _handle: Handle, _data: &[u8]) -> Result<usize, Errno> {
        Err(Errno::EIO)
    }

    fn extend(&self, _handle: Handle, _data: &[u8]) -> Result<usize, Errno> {
        Err(Errno::EIO)
    }

    fn unmeasured(&self, _handle: Handle) -> Unmeasured {
        Unmeasured::Stream { block_bytes: 1 }
    }

    fn note(&self, _handle: Handle, _trouble: CallTrouble, _told: Told) {}

    fn ioctl(
        &self,
        _handle: Handle,
        _request: IoctlRequest<'_>,
        _output: &mut Vec<u8>,
    ) -> Result<i32, Errno> {
        Err(Errno::ENOSYS)
    }

    fn flush(&self, _handle: Handle) -> Result<(), Errno> {
        Ok(())
    }

    fn close(&self, _handle: Handle) -> Result<(), Errno> {
        let mut state = self.lock();
        state.open = false;
        state.queue.clear();
        Ok(())
    }

    fn max_transfer_bytes(&self) -> usize {
        usize::MAX
    }

    fn stream(&self) -> Option<&dyn Stream> {
        Some(self)
    }
}
