//! A Unix socket at which slaves attach.

use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::port::SlavePort;

/// Pause after an `accept` that failed, for example because too many files are open.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// A Unix socket at which slaves attach, and the thread that accepts them. Dropping the listener removes the
/// socket; an attached slave stays attached.
pub struct SlaveListener {
    path: PathBuf,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl SlaveListener {
    /// Creates a socket at this path. A socket that a dead daemon left there is replaced.
    pub fn bind(path: &Path, port: SlavePort) -> io::Result<SlaveListener> {
        remove_dead(path)?;
        let listener = UnixListener::bind(path)?;
        let ends = Arc::new(AtomicBool::new(false));
        let ending = Arc::clone(&ends);
        let accepting = thread::Builder::new().name("slave-socket".into());
        let thread = accepting.spawn(move || accept(&listener, &port, &ending))?;
        Ok(SlaveListener {
            path: path.to_owned(),
            ends,
            thread: Some(thread),
        })
    }

    /// The path of the socket.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn accept(listener: &UnixListener, port: &SlavePort, ends: &AtomicBool) {
    loop {
        let accepted = listener.accept();
        if ends.load(Ordering::Acquire) {
            return;
        }
        match accepted {
            Ok((stream, _)) => {
                if let Err(error) = port.attach_socket(stream) {
                    log::warn!("a slave was refused: {error}");
                }
            }
            Err(error) => {
                log::warn!("the socket for slaves: {error}");
                thread::sleep(AFTER_FAILURE);
            }
        }
    }
}

/// Removes a socket at which no process listens any more.
fn remove_dead(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => match UnixStream::connect(path) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path)
            }
            Ok(_) | Err(_) => Ok(()),
        },
        Ok(_) | Err(_) => Ok(()),
    }
}

impl Drop for SlaveListener {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Release);
        // The connection wakes the thread, which is blocked in accept().
        let woken = UnixStream::connect(&self.path).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            thread.join().ok();
        }
        std::fs::remove_file(&self.path).ok();
    }
}
