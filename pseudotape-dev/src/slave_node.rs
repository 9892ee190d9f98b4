//! The slave node of a drive: a byte stream of the slave protocol. The process that opens this node serves the
//! drive.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use pseudotape_chardev::{
    CallTrouble, Caller, CharDevice, Errno, Handle, IoctlRequest, LastClose, News, Opened,
    ReadQueue, Reader, Readiness, Source, Stream, StreamRead, Told, Unmeasured, Waker,
};
use pseudotape_slave::{StreamEnd, StreamError};

use crate::slave_end::SlaveSide;

/// The node of a slave end.
pub struct SlaveNode {
    name: String,
    side: Arc<SlaveSide>,
    open: Arc<Mutex<Open>>,
    news: Arc<News>,
    last_close: LastClose,
}

/// The state of the open file. One file is open at a time.
#[derive(Default)]
struct Open {
    file: Option<File>,
    /// Handles are never used again.
    opened: u64,
}

struct File {
    handle: Handle,
    end: Arc<StreamEnd>,
    queue: ReadQueue,
}

struct Bytes<'a>(&'a StreamEnd);

impl Source for Bytes<'_> {
    fn take(&mut self, max: usize, use_bytes: &mut dyn FnMut(&[u8])) -> bool {
        self.0.take(max, use_bytes).is_some()
    }
}

impl SlaveNode {
    /// The node of that name.
    #[must_use]
    pub(crate) fn new(name: String, side: Arc<SlaveSide>) -> Self {
        let news = Arc::new(News::default());
        SlaveNode {
            name,
            side,
            open: Arc::default(),
            last_close: LastClose::new(Arc::clone(&news)),
            news,
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        lock(&self.open)
    }
}

fn lock(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    // Only single assignments change this state, so a panic leaves it whole.
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Open {
    fn file(&mut self, handle: Handle) -> Option<&mut File> {
        self.file.as_mut().filter(|file| file.handle == handle)
    }
}

/// Called when the master has written bytes or has hung up; runs in the master's thread.
fn wake(open: &Weak<Mutex<Open>>) {
    let Some(open) = open.upgrade() else { return };
    if let Some(file) = &mut lock(&open).file {
        file.queue.answer_from(&mut Bytes(&file.end));
    }
}

impl Stream for SlaveNode {
    fn read(&self, read: StreamRead, reader: Box<dyn Reader>) {
        match self.open().file(read.handle) {
            None => {
                reader.answer(Err(Errno::EIO));
            }
            Some(file) => file.queue.read_from(&mut Bytes(&file.end), read, reader),
        }
    }

    fn write(&self, handle: Handle, data: &[u8]) -> Result<usize, Errno> {
        let end = match self.open().file(handle) {
            None => return Err(Errno::EIO),
            // Called without the lock: the call may wake the slave's own read.
            Some(file) => Arc::clone(&file.end),
        };
        end.write(data).map_err(|error| match error {
            StreamError::HungUp => Errno(libc::EPIPE),
            StreamError::Nonsense(_) => Errno(libc::EPROTO),
        })
    }

    fn poll(&self, handle: Handle, waker: Option<Waker>) -> Readiness {
        let mut open = self.open();
        let Some(file) = open.file(handle) else {
            return Readiness::ALWAYS;
        };
        let readable = file.queue.is_readable() || file.end.is_readable();
        if let Some(waker) = waker.filter(|_| !readable) {
            file.queue.wake_when_readable(waker);
        }
        Readiness {
            readable,
            writable: true,
            hung_up: false,
        }
    }
}

impl CharDevice for SlaveNode {
    fn open(&self, flags: u32, caller: Caller) -> Result<Opened, Errno> {
        if flags & libc::O_ACCMODE.unsigned_abs() != libc::O_RDWR.unsigned_abs() {
            // A slave reads requests and writes replies.
            return Err(Errno::EINVAL);
        }
        let mut open = self.open();
        if open.file.is_some() {
            return Err(Errno::EBUSY);
        }
        let end = self.side.attach_stream(caller.tid, caller.uid)?;
        let waked = Arc::downgrade(&self.open);
        end.set_waker(move || wake(&waked));
        open.opened += 1;
        let handle = Handle(open.opened);
        open.file = Some(File {
            handle,
            end: Arc::new(end),
            queue: ReadQueue::default(),
        });
        self.side.set_node_open(true);
        Ok(Opened::Open(handle))
    }

    fn open_again(&self, _handle: Handle) -> Result<Opened, Errno> {
        Err(Errno::EIO)
    }

    fn abandon_open(&self, _handle: Handle) -> Errno {
        Errno::EIO
    }

    fn close(&self, handle: Handle) -> Result<(), Errno> {
        let file = self.open().file.take_if(|file| file.handle == handle);
        // The file is dropped without the lock, because its drop hangs up and answers the readers that are left.
        let Some(file) = file else {
            return Err(Errno::EIO);
        };
        self.side.set_node_open(false);
        file.end.hang_up();
        self.last_close.done();
        log::info!("{}: its slave closed it", self.name);
        Ok(())
    }

    fn flush(&self, _handle: Handle) -> Result<(), Errno> {
        Ok(())
    }

    fn last_close(&self) -> Option<&LastClose> {
        Some(&self.last_close)
    }

    fn news(&self) -> Option<&News> {
        Some(&self.news)
    }

    fn ioctl(
        &self,
        _handle: Handle,
        _request: IoctlRequest<'_>,
        _output: &mut Vec<u8>,
    ) -> Result<i32, Errno> {
        Err(Errno(libc::ENOTTY))
    }

    fn stream(&self) -> Option<&dyn Stream> {
        Some(self)
    }

    // A stream's calls are those above.

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

    fn max_transfer_bytes(&self) -> usize {
        usize::MAX
    }
}
