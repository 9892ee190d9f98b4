//! The tape on the other side as a node, and as a drive.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use pseudotape_device::{Opener, TapeNode};
use pseudotape_mtio::{MtGet, Operation};
use pseudotape_st::OpenFlags;

use crate::wire::{Refused, Wire};

/// How long a tape may stay busy from a close before.
const CLOSING: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_millis(20);

/// An open tape behind a connection that others hold too.
pub(crate) struct RemoteNode {
    wire: SharedWire,
}

/// A connection with one user at a time.
#[derive(Clone)]
pub(crate) struct SharedWire(Arc<Mutex<Wire>>);

impl SharedWire {
    pub(crate) fn new(wire: Wire) -> Self {
        SharedWire(Arc::new(Mutex::new(wire)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Wire> {
        // A panic in the middle of an exchange is none of the connection's faults that it does not notice itself.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn open(&self, name: &str, flags: OpenFlags) -> Result<Box<dyn TapeNode>, Refused> {
        let begin = Instant::now();
        loop {
            match self.lock().open(name, flags) {
                Ok(()) => {
                    return Ok(Box::new(RemoteNode { wire: self.clone() }));
                }
                Err(refused) if refused.errno() == Errno::EBUSY && begin.elapsed() < CLOSING => {}
                Err(refused) => return Err(refused),
            }
            std::thread::sleep(AGAIN);
        }
    }

    /// Opens the tape again for a drive that wants to look at it anew.
    pub(crate) fn opener(&self, name: String, shown: String, flags: OpenFlags) -> Opener {
        let wire = self.clone();
        Box::new(move || {
            wire.open(&name, flags).map_err(|refused| {
                pseudotape_device::Error::of_open(Path::new(&shown), refused.errno())
            })
        })
    }
}

impl fmt::Debug for RemoteNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RemoteNode")
    }
}

fn plain<T>(result: Result<T, Refused>) -> Result<T, Errno> {
    result.map_err(|refused| refused.errno())
}

impl TapeNode for RemoteNode {
    fn read(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        let most = buffer.len().min(crate::MAX_RECORD_BYTES);
        let buffer = buffer.get_mut(..most).unwrap_or(&mut []);
        plain(self.wire.lock().read(buffer))
    }

    fn write(&self, data: &[u8]) -> Result<usize, Errno> {
        plain(self.wire.lock().write(data, false))
    }

    fn operate(&self, operation: Operation, count: i32) -> Result<(), Errno> {
        plain(self.wire.lock().operate(operation, count))
    }

    fn status(&self) -> Result<MtGet, Errno> {
        plain(self.wire.lock().status())
    }

    fn object(&self) -> Result<u64, Errno> {
        plain(self.wire.lock().object())
    }

    fn write_unmarked(&self, data: &[u8]) -> Result<usize, Errno> {
        plain(self.wire.lock().write(data, true))
    }

    fn close(self: Box<Self>) -> Result<(), Errno> {
        plain(self.wire.lock().close())
    }
}
