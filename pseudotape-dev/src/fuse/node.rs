use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pseudotape_chardev::{CharDevice, Cut, Handle, Pieces, ProcCalls};

/// The most that a request carries: 256 pages, unless the administrator set fewer.
pub(super) const TRANSFER_MAX_BYTES: u32 = 1 << 20;

/// How many pages a request may have on this machine (since Linux 6.13).
const MAX_PAGES_LIMIT: &str = "/proc/sys/fs/fuse/max_pages_limit";

/// One file of the mount.
pub(super) struct NodeFile {
    pub(super) name: String,
    pub(super) device: Arc<dyn CharDevice>,
    pub(super) pieces: Pieces,
    open: Mutex<Vec<Handle>>,
}

/// All files of the mount. Inode 1 is the directory, inode 2 the first file.
pub(super) struct Nodes {
    nodes: Vec<NodeFile>,
    /// When a descriptor was last closed.
    flushed: Mutex<Option<Instant>>,
}

/// Inode of the directory.
pub(super) const ROOT: u64 = 1;

/// How long after a `close(2)` the RELEASE of the file may still be on its way to us.
///
/// The kernel sends RELEASE after `close(2)` has returned. When several threads read requests, the
/// OPEN of the next program can overtake it.
const RELEASE_MAX: Duration = Duration::from_secs(1);

impl Nodes {
    pub(super) fn new(nodes: Vec<(String, Arc<dyn CharDevice>)>) -> Self {
        let cut = cut();
        let calls = Arc::new(ProcCalls::new());
        let node = |(name, device): (String, Arc<dyn CharDevice>)| NodeFile {
            name,
            pieces: Pieces::new(Arc::clone(&device), calls.clone(), cut),
            device,
            open: Mutex::default(),
        };
        Nodes {
            nodes: nodes.into_iter().map(node).collect(),
            flushed: Mutex::default(),
        }
    }

    pub(super) fn by_inode(&self, inode: u64) -> Option<&NodeFile> {
        self.nodes
            .get(usize::try_from(inode.checked_sub(ROOT + 1)?).ok()?)
    }

    pub(super) fn inode_of(&self, name: &std::ffi::OsStr) -> Option<u64> {
        self.iter()
            .find(|(_, node)| node.name.as_str() == name)
            .map(|(inode, _)| inode)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &NodeFile)> {
        (ROOT + 1..).zip(&self.nodes)
    }

    /// Whether a file is a stream, whose other end is another file here.
    pub(super) fn have_streams(&self) -> bool {
        self.nodes.iter().any(|node| node.device.stream().is_some())
    }

    pub(super) fn note_flush(&self) {
        *self.flushed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a file that seems to be open may just have been closed.
    pub(super) fn release_may_come(&self) -> bool {
        let flushed = *self.flushed.lock().unwrap_or_else(PoisonError::into_inner);
        flushed.is_some_and(|at| at.elapsed() < RELEASE_MAX)
    }

    /// Whether a system call is being worked on.
    pub(super) fn in_hand(&self) -> bool {
        self.nodes.iter().any(|node| node.pieces.in_hand())
    }

    /// Closes the open files: the kernel sends nothing any more.
    pub(super) fn close_all(&self) {
        for node in &self.nodes {
            let open =
                std::mem::take(&mut *node.open.lock().unwrap_or_else(PoisonError::into_inner));
            for handle in open {
                log::info!("{}: closed, it was still open", node.name);
                node.close(handle);
            }
        }
    }
}

impl NodeFile {
    pub(super) fn note_open(&self, handle: Handle) {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(handle);
    }

    /// The last `close(2)` of an open file.
    pub(super) fn release(&self, handle: Handle) {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|open| *open != handle);
        self.close(handle);
    }

    fn close(&self, handle: Handle) {
        if let Err(errno) = self.pieces.close(handle) {
            // close(2) returned before.
            log::warn!("{}: close: {errno}, which its caller can't see", self.name);
        }
    }

    pub(super) fn warn_of_inferred_lengths(&self) {
        if self.pieces.lengths_are_inferred() {
            log::warn!(
                "{}: a caller's task could not be asked how long its system call is: lengths over 1 MiB are \
                 inferred, and a read that is shorter than its block is known by the call after it only",
                self.name
            );
        }
    }
}

/// How the kernel cuts calls. A size taken for smaller than it is costs one question to `/proc`, nothing else.
fn cut() -> Cut {
    let page_bytes = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)
        .ok()
        .flatten()
        .and_then(|bytes| usize::try_from(bytes).ok())
        .unwrap_or(4096);
    let limit = std::fs::read_to_string(MAX_PAGES_LIMIT)
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(usize::MAX);
    let max_bytes = (TRANSFER_MAX_BYTES as usize).min(limit.saturating_mul(page_bytes));
    Cut {
        max_bytes,
        page_bytes,
    }
}
