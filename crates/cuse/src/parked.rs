//! Reads that wait in a device, without a thread.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pseudotape_chardev::{Answered, Errno, Reader};

use crate::channel::{Channel, Delivered};
use pseudotape_wire::RequestId;

/// The reads that wait. Whoever takes an entry out of the list answers its request.
#[derive(Default)]
pub(crate) struct ParkedReads {
    list: Mutex<Vec<RequestId>>,
}

/// One of them, as the device holds it.
pub(crate) struct ParkedRead {
    unique: RequestId,
    channel: Channel,
    reads: Arc<ParkedReads>,
}

impl ParkedReads {
    /// A read that may have to wait.
    pub(crate) fn park(self: &Arc<Self>, unique: RequestId, channel: &Channel) -> ParkedRead {
        self.lock().push(unique);
        ParkedRead {
            unique,
            channel: channel.clone(),
            reads: Arc::clone(self),
        }
    }

    /// The caller of a request has a signal: a read that waits is answered, all else goes on.
    pub(crate) fn interrupt(&self, unique: RequestId, channel: &Channel) {
        if self.take(unique) {
            channel.error(unique, Errno::EINTR);
        }
    }

    fn take(&self, unique: RequestId) -> bool {
        let mut list = self.lock();
        let place = list.iter().position(|parked| *parked == unique);
        place.map(|place| list.swap_remove(place)).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<RequestId>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader for ParkedRead {
    fn answer(self: Box<Self>, answer: Result<&[u8], Errno>) -> Answered {
        if !self.reads.take(self.unique) {
            return Answered::TooLate;
        }
        match self.channel.read(self.unique, answer) {
            Delivered::Yes => Answered::Yes,
            Delivered::TooLate => Answered::TooLate,
        }
    }

    fn waits(&self) -> bool {
        self.reads.lock().contains(&self.unique)
    }
}

impl Drop for ParkedRead {
    fn drop(&mut self) {
        if self.reads.take(self.unique) {
            self.channel.error(self.unique, Errno::EIO);
        }
    }
}
