use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use pseudotape_chardev::{Caller, Errno, Handle, News, Opened};

use super::node::{NodeFile, Nodes};
use super::reply::OpenReply;

/// How many opens of one mount may wait at a time; a further one is `EBUSY`. Each costs a thread.
pub(super) const WAITING_OPENS_MAX: usize = 16;

/// No such file.
pub(super) const NO_ENTRY: Errno = Errno(libc::ENOENT);

/// How often the signals of an open's caller are looked at, and its device is asked whether it is ready. A load, or a
/// slave that comes, is told by the device's news, and wakes the open at once. Nobody tells of a signal: a FUSE server
/// learns of it from `/proc` alone. Nor does a drive that is another program tell that its medium has become ready.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// Opens files. An open that must wait does so in a thread of its own.
#[derive(Default)]
pub(super) struct Openings {
    waiting: Arc<Waiting>,
    /// Set when the mount ends.
    ended: Arc<RwLock<bool>>,
}

/// How many opens wait, each in a thread of its own.
#[derive(Default)]
struct Waiting {
    count: Mutex<usize>,
    /// Told when one has ended.
    ended: Condvar,
}

impl Waiting {
    /// One more, where there may be one more.
    fn enter(&self) -> bool {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = *count < WAITING_OPENS_MAX;
        *count += usize::from(fits);
        fits
    }

    fn leave(&self) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count = count.saturating_sub(1);
        self.ended.notify_all();
    }

    /// Waits until none waits any more.
    fn all_left(&self) {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.ended.wait_while(count, |count| *count > 0));
    }
}

/// One `open(2)`.
#[derive(Clone, Copy)]
pub(super) struct Wish {
    pub(super) inode: u64,
    pub(super) flags: u32,
    pub(super) caller: Caller,
}

impl Openings {
    /// Opens a file. `may_wait` is asked where the open has to wait: whether it may be left unanswered for a while, and
    /// does not take what other calls need. If not, it is `EBUSY`.
    pub(super) fn open(
        &self,
        nodes: &Arc<Nodes>,
        wish: Wish,
        may_wait: impl Fn() -> bool,
        reply: impl OpenReply,
    ) {
        let Some(node) = nodes.by_inode(wish.inode) else {
            return reply.refuse(NO_ENTRY);
        };
        let known = news_of(node);
        match node.device.open(wish.flags, wish.caller) {
            Ok(Opened::Open(handle)) => opened(node, handle, reply),
            Ok(Opened::Waiting(handle, longest)) => {
                let until = Instant::now() + longest;
                self.wait(
                    nodes,
                    (&may_wait, reply),
                    move |nodes, ended, reply| {
                        let Some(node) = nodes.by_inode(wish.inode) else {
                            return;
                        };
                        match wait_ready(node, handle, until, wish.caller, ended) {
                            Ok(handle) => opened(node, handle, reply),
                            Err(errno) => reply.refuse(errno),
                        }
                    },
                    || {
                        node.device.abandon_open(handle);
                    },
                );
            }
            Err(Errno::EBUSY) if close_is_near(node).is_some() || news_of(node) != known => {
                self.wait(
                    nodes,
                    (&may_wait, reply),
                    move |nodes, ended, reply| {
                        let Some(node) = nodes.by_inode(wish.inode) else {
                            return;
                        };
                        match wait_released(node, wish, ended) {
                            Ok(handle) => opened(node, handle, reply),
                            Err(errno) => reply.refuse(errno),
                        }
                    },
                    || {},
                );
            }
            Err(errno) => reply.refuse(errno),
        }
    }

    /// Makes waiting opens give up.
    pub(super) fn end(&self, nodes: &Nodes) {
        *self.ended.write().unwrap_or_else(PoisonError::into_inner) = true;
        nodes.wake_openings();
        self.waiting.all_left();
    }

    fn wait<R: OpenReply>(
        &self,
        nodes: &Arc<Nodes>,
        (may_wait, reply): (&dyn Fn() -> bool, R),
        work: impl FnOnce(&Nodes, &RwLock<bool>, R) + Send + 'static,
        give_up: impl FnOnce(),
    ) {
        if !may_wait() || !self.waiting.enter() {
            give_up();
            return reply.refuse(Errno::EBUSY);
        }
        let (nodes, waiting, ended) = (
            Arc::clone(nodes),
            Arc::clone(&self.waiting),
            Arc::clone(&self.ended),
        );
        let started = thread::Builder::new().name("open".into()).spawn(move || {
            work(&nodes, &ended, reply);
            waiting.leave();
        });
        if let Err(error) = started {
            // The reply went with the closure; its drop has answered the caller.
            log::error!("can't start a thread for a waiting open: {error}");
            self.waiting.leave();
            give_up();
        }
    }
}

fn opened(node: &NodeFile, handle: Handle, reply: impl OpenReply) {
    node.note_open(handle);
    reply.opened(handle);
}

fn wait_ready(
    node: &NodeFile,
    mut handle: Handle,
    until: Instant,
    caller: Caller,
    ended: &RwLock<bool>,
) -> Result<Handle, Errno> {
    loop {
        let known = news_of(node);
        match node.device.open_again(handle)? {
            Opened::Open(handle) => return Ok(handle),
            Opened::Waiting(same, _) => handle = same,
        }
        if Instant::now() >= until {
            return Err(node.device.abandon_open(handle));
        }
        if has_signal(caller.tid) || is_ended(ended) {
            node.device.abandon_open(handle);
            return Err(Errno::EINTR);
        }
        wait_for_news(node, known, ASK_EVERY);
    }
}

/// Waits until the `close` has come that was on its way.
fn wait_released(node: &NodeFile, wish: Wish, ended: &RwLock<bool>) -> Result<Handle, Errno> {
    loop {
        let known = news_of(node);
        match node.device.open(wish.flags, wish.caller) {
            Ok(Opened::Open(handle)) => return Ok(handle),
            Ok(Opened::Waiting(handle, longest)) => {
                return wait_ready(node, handle, Instant::now() + longest, wish.caller, ended);
            }
            Err(Errno::EBUSY) if !is_ended(ended) => match close_is_near(node) {
                Some(left) => wait_for_news(node, known, left),
                // The close came between the device's EBUSY and the question whether a close is near.
                None if news_of(node) != known => {}
                None => return Err(Errno::EBUSY),
            },
            Err(errno) => return Err(errno),
        }
    }
}

/// How long the last close of the device may be on its way, where it may be.
fn close_is_near(node: &NodeFile) -> Option<Duration> {
    node.device.last_close()?.left()
}

/// How much the device has told so far.
fn news_of(node: &NodeFile) -> u64 {
    node.device.news().map_or(0, News::count)
}

/// Waits for more, or for so long.
fn wait_for_news(node: &NodeFile, known: u64, longest: Duration) {
    match node.device.news() {
        Some(news) => news.wait(known, longest),
        None => thread::sleep(longest.min(ASK_EVERY)),
    }
}

fn is_ended(ended: &RwLock<bool>) -> bool {
    *ended.read().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a task has a signal that it does not block.
///
/// fuser tells the kernel that it knows no INTERRUPT, so a caller sleeps until its call is answered, whatever signal
/// the caller gets. The caller's signals show in `/proc/<tid>/status`.
fn has_signal(tid: u32) -> bool {
    if tid == 0 {
        return false;
    }
    match std::fs::read_to_string(format!("/proc/{tid}/status")) {
        Ok(status) => pending(&status),
        // Dead already.
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

fn pending(status: &str) -> bool {
    let set = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok())
            .unwrap_or(0)
    };
    (set("SigPnd") | set("ShdPnd")) & !set("SigBlk") != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_is_not_blocked_is_seen() {
        let status = |pnd: &str, shd: &str, blk: &str| {
            format!("Name:\tmt\nSigPnd:\t{pnd}\nShdPnd:\t{shd}\nSigBlk:\t{blk}\n")
        };
        assert!(!pending(&status(
            "0000000000000000",
            "0000000000000000",
            "0000000000000000"
        )));
        assert!(pending(&status(
            "0000000000000100",
            "0000000000000000",
            "0000000000000000"
        )));
        assert!(pending(&status(
            "0000000000000000",
            "0000000000000002",
            "0000000000000000"
        )));
        assert!(!pending(&status(
            "0000000000000000",
            "0000000000000002",
            "0000000000000002"
        )));
        assert!(!pending("nothing of the kind"));
    }
}
