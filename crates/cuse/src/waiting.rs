use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use log::{debug, error};
use pseudotape_chardev::{CharDevice, Errno, Handle, Opened};

use crate::channel::{Channel, Delivered};
use pseudotape_wire::RequestId;

/// How many opens of one device may wait at a time; a further one is `EBUSY`. Each costs a thread.
pub const WAITING_OPENS_MAX: usize = 16;

/// How often a device is asked whether it is ready.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// Opens that wait until the device is ready, the time is up, or the caller gives up.
///
/// Whoever takes an entry out of the list answers its request.
#[derive(Default)]
pub(crate) struct WaitingOpens {
    list: Mutex<List>,
    changed: Condvar,
}

#[derive(Default)]
struct List {
    entries: Vec<Waiting>,
    /// Threads that have not ended yet.
    threads: usize,
}

#[derive(Clone, Copy)]
struct Waiting {
    unique: RequestId,
    handle: Handle,
}

/// What a waiting thread serves.
pub(crate) struct Opening {
    pub(crate) device: Arc<dyn CharDevice>,
    pub(crate) channel: Channel,
    pub(crate) unique: RequestId,
    pub(crate) handle: Handle,
    pub(crate) until: Instant,
    pub(crate) files: Arc<OpenFiles>,
}

/// The files that the kernel knows to be open.
#[derive(Default)]
pub(crate) struct OpenFiles {
    handles: Mutex<Vec<Handle>>,
}

impl OpenFiles {
    /// Tells the caller of an `open` that his file is open, or closes it if he is gone: then the
    /// kernel will send no RELEASE.
    pub(crate) fn open(
        &self,
        handle: Handle,
        unique: RequestId,
        channel: &Channel,
        device: &dyn CharDevice,
    ) {
        // Noted before it is told: the caller may close it at once.
        self.lock().push(handle);
        if channel.opened(unique, handle) == Delivered::Yes {
            return;
        }
        debug!("the caller of an open is gone");
        self.forget(handle);
        if let Err(errno) = device.close(handle) {
            error!("close of an open that nobody waited for: {errno}");
        }
    }

    pub(crate) fn forget(&self, handle: Handle) {
        self.lock().retain(|open| *open != handle);
    }

    /// Takes all that are left.
    pub(crate) fn take(&self) -> Vec<Handle> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Handle>> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WaitingOpens {
    /// Lets an open wait.
    pub(crate) fn add(self: &Arc<Self>, opening: Opening) {
        let mut list = self.lock();
        let room = list.entries.len() < WAITING_OPENS_MAX;
        let waiting = Waiting {
            unique: opening.unique,
            handle: opening.handle,
        };
        let (device, channel) = (opening.device.clone(), opening.channel.clone());
        let started = room && {
            let waitings = self.clone();
            thread::Builder::new()
                .name("open".to_owned())
                .spawn(move || {
                    waitings.wait(&opening);
                    // With its channel, which keeps the device there.
                    drop(opening);
                    waitings.lock().threads -= 1;
                    waitings.changed.notify_all();
                })
                .map_err(|e| error!("cannot start a thread for a waiting open: {e}"))
                .is_ok()
        };
        if started {
            // Its thread waits for the lock that is held here.
            list.entries.push(waiting);
            list.threads += 1;
        } else {
            drop(list);
            device.abandon_open(waiting.handle);
            channel.error(waiting.unique, Errno::EBUSY);
        }
    }

    /// The caller of a request has a signal: an open that waits is answered, all else goes on.
    pub(crate) fn interrupt(&self, unique: RequestId, device: &dyn CharDevice, channel: &Channel) {
        let taken = self.take(unique);
        if let Some(waiting) = taken {
            device.abandon_open(waiting.handle);
            channel.error(unique, Errno::EINTR);
            self.changed.notify_all();
        }
    }

    /// Gives all waiting opens up; their callers learn it by the end of the device. Returns when the
    /// last thread has let go of it.
    pub(crate) fn end(&self, device: &dyn CharDevice) {
        let mut list = self.lock();
        for waiting in std::mem::take(&mut list.entries) {
            device.abandon_open(waiting.handle);
        }
        self.changed.notify_all();
        while list.threads > 0 {
            list = self
                .changed
                .wait(list)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn wait(&self, opening: &Opening) {
        let mut list = self.lock();
        loop {
            if !list.entries.iter().any(|w| w.unique == opening.unique) {
                return;
            }
            // Asked with the list locked, so that an interrupt can't abandon an open that succeeds.
            let answer = match opening.device.open_again(opening.handle) {
                Ok(Opened::Waiting(..)) if Instant::now() < opening.until => {
                    list = self
                        .changed
                        .wait_timeout(list, ASK_EVERY)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0;
                    continue;
                }
                Ok(Opened::Waiting(..)) => Err(opening.device.abandon_open(opening.handle)),
                Ok(Opened::Open(handle)) => Ok(handle),
                Err(errno) => Err(errno),
            };
            list.entries.retain(|w| w.unique != opening.unique);
            drop(list);
            match answer {
                Ok(handle) => {
                    opening
                        .files
                        .open(handle, opening.unique, &opening.channel, &*opening.device)
                }
                Err(errno) => {
                    opening.channel.error(opening.unique, errno);
                }
            }
            return;
        }
    }

    fn take(&self, unique: RequestId) -> Option<Waiting> {
        let mut list = self.lock();
        let place = list.entries.iter().position(|w| w.unique == unique)?;
        Some(list.entries.swap_remove(place))
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
