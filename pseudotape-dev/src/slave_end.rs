//! The slave end of a drive: the ways by which slaves attach, and the process that is attached.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use pseudotape_chardev::{Errno, News};
use pseudotape_control::{HolderStatus, Peer, Purpose, SlaveStatus, SlaveWay, Socket, SocketGroup};
use pseudotape_human::program_name;
use pseudotape_human::time_words;
use pseudotape_slave::{AttachError, Options, SlaveDrive, SlavePort, StreamEnd};

use crate::config::SlaveConfig;

/// The slave end of one drive.
pub(crate) struct SlaveSide {
    number: u32,
    config: SlaveConfig,
    port: SlavePort,
    holder: Mutex<Option<HolderStatus>>,
    /// The process that was refused last since the present slave came.
    refused: Mutex<Option<u32>>,
    node: Mutex<Option<PathBuf>>,
    /// Whether a program has the node open.
    node_open: Mutex<bool>,
    /// Woken when the node is closed.
    node_closed: Condvar,
    /// Told when a slave comes.
    news: Arc<News>,
}

/// How long a slave may take to read its goodbye from the node.
const GOODBYE: Duration = Duration::from_secs(1);

impl SlaveSide {
    /// A drive without a slave, and its slave end, which tells here when a slave comes.
    pub(crate) fn new(
        number: u32,
        config: &SlaveConfig,
        news: Arc<News>,
    ) -> Result<(SlaveDrive, Arc<SlaveSide>)> {
        let options = Options {
            name: format!("drive {number}"),
            silence: config.timeout,
            largest_payload: crate::MAX_BLOCK_BYTES,
            ..Options::default()
        };
        let (drive, port) =
            SlaveDrive::new(options).context("can't start the thread that looks after slaves")?;
        let side = SlaveSide {
            number,
            config: config.clone(),
            port,
            holder: Mutex::default(),
            refused: Mutex::default(),
            node: Mutex::default(),
            node_open: Mutex::new(false),
            node_closed: Condvar::new(),
            news,
        };
        Ok((drive, Arc::new(side)))
    }

    /// Name of its node.
    pub(crate) fn node_name(&self) -> String {
        format!("pmts{}", self.number)
    }

    /// Permission bits and group of its node and its socket.
    pub(crate) fn rights(&self) -> (u32, Option<u32>) {
        (self.config.mode, self.config.gid)
    }

    /// Tells where its node is.
    pub(crate) fn set_node(&self, node: PathBuf) {
        *lock(&self.node) = Some(node);
    }

    /// How long an open of the drive waits for a slave.
    pub(crate) fn wait(&self) -> Duration {
        self.config.wait
    }

    /// Whether a slave is there.
    pub(crate) fn is_attached(&self) -> bool {
        self.port.is_attached()
    }

    /// A program has opened the node.
    pub(crate) fn attach_stream(&self, pid: u32, uid: u32) -> Result<StreamEnd, Errno> {
        match self.port.attach_stream() {
            Ok(end) => {
                self.note_holder(pid, uid, SlaveWay::Node);
                Ok(end)
            }
            Err(AttachError::Busy) => Err(Errno::EBUSY),
            Err(AttachError::Ending) => Err(Errno(libc::ENXIO)),
            Err(error @ AttachError::Channel(_)) => {
                log::error!("drive {}: {error}", self.number);
                Err(Errno::EIO)
            }
        }
    }

    /// A program has connected to the socket. A program that is refused is told why.
    fn attach_socket(&self, stream: UnixStream) {
        let Peer { pid, uid } = Peer::of(&stream);
        let uid = uid.unwrap_or(u32::MAX);
        match self.port.attach_socket(stream) {
            Ok(()) => self.note_holder(pid, uid, SlaveWay::Socket),
            Err(error) => self.note_refused(pid, &error),
        }
    }

    /// Logs which program was refused, once for each: a mirror tries again until the slave end is free.
    fn note_refused(&self, pid: u32, error: &AttachError) {
        if lock(&self.refused).replace(pid) == Some(pid) {
            return;
        }
        let (number, who) = (self.number, program(pid, program_name(pid).as_deref()));
        log::warn!("drive {number}: {who} can't be its slave: {error}");
    }

    fn note_holder(&self, pid: u32, uid: u32, way: SlaveWay) {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let since_ms = since.map_or(0, |since| since.as_secs().saturating_mul(1000));
        let holder = HolderStatus {
            pid,
            program: program_name(pid),
            uid,
            way,
            since: time_words(since_ms),
        };
        log::info!(
            "drive {}: {} came to its slave end",
            self.number,
            program(pid, holder.program.as_deref())
        );
        *lock(&self.holder) = Some(holder);
        *lock(&self.refused) = None;
        self.news.tell();
    }

    /// The slave that came last, as messages name it.
    pub(crate) fn holder_name(&self) -> Option<String> {
        let holder = lock(&self.holder);
        let holder = holder.as_ref()?;
        Some(program(holder.pid, holder.program.as_deref()))
    }

    /// Says why an operator can't load or unload this drive's cartridges here, and which process can.
    pub(crate) fn has_the_cartridges(&self) -> anyhow::Error {
        let drive = self.number;
        match self.holder_name().filter(|_| self.is_attached()) {
            Some(holder) => anyhow::anyhow!(
                "drive {drive} is {holder}, which holds its slave end: load, unload and protect there"
            ),
            None => anyhow::anyhow!(
                "drive {drive} is whoever holds its slave end, and nobody does: start a slave on {}, \
                 and load, unload and protect there",
                self.config.socket.display()
            ),
        }
    }

    /// The status for an operator; waits for nobody.
    pub(crate) fn status(&self) -> SlaveStatus {
        SlaveStatus {
            node: lock(&self.node).clone(),
            socket: self.config.socket.clone(),
            holder: lock(&self.holder)
                .clone()
                .filter(|_| self.port.is_attached()),
        }
    }

    /// Notes whether a program has the node open.
    pub(crate) fn set_node_open(&self, open: bool) {
        *lock(&self.node_open) = open;
        if !open {
            self.node_closed.notify_all();
        }
    }

    /// Parts with the slave, whatever the slave is doing; no other slave can come. A slave at the node has a moment to
    /// read its goodbye, because it can read nothing once the node is gone.
    pub(crate) fn end(&self) {
        self.port.end();
        let open = lock(&self.node_open);
        let waited = self
            .node_closed
            .wait_timeout_while(open, GOODBYE, |open| *open);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn program(pid: u32, name: Option<&str>) -> String {
    format!("{} (pid {pid})", name.unwrap_or("a program"))
}

/// The socket of a slave end. Dropping it closes and removes the socket.
pub struct SlaveSocket {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl SlaveSocket {
    /// Listens at the configured path.
    pub(crate) fn start(side: &Arc<SlaveSide>) -> Result<SlaveSocket> {
        let (mode, gid) = side.rights();
        let purpose = Purpose {
            what: "the slave socket",
            option: "slave=SOCKET",
            mode: mode & 0o666,
            group: gid.map_or(SocketGroup::Own, SocketGroup::Needed),
        };
        let socket = Socket::listen(&side.config.socket, purpose)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, side) = (Arc::clone(&stop), Arc::clone(side));
        let path = side.config.socket.clone();
        let acceptor = std::thread::Builder::new()
            .name("slave-socket".into())
            .spawn(move || accept(&socket, &stopped, &side))
            .context("can't start the thread of the slave socket")?;
        Ok(SlaveSocket {
            path,
            stop,
            acceptor: Some(acceptor),
        })
    }
}

impl Drop for SlaveSocket {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // The connection wakes the acceptor. Where even connecting fails, the process is about to end anyway.
        if let Err(error) = UnixStream::connect(&self.path) {
            log::debug!("slave socket {}: {error}", self.path.display());
        } else if let Some(acceptor) = self.acceptor.take()
            && acceptor.join().is_err()
        {
            log::error!("the thread of the slave socket panicked");
        }
    }
}

fn accept(socket: &Socket, stop: &AtomicBool, side: &SlaveSide) {
    for stream in socket.listener.incoming() {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        match stream {
            Ok(stream) => side.attach_socket(stream),
            Err(error) => {
                log::warn!("slave socket {}: {error}", side.config.socket.display());
                // Most likely no descriptor is free: give others time to close some.
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}
