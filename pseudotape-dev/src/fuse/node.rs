use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use pseudotape_chardev::{CharDevice, Cut, Errno, Handle, LastClose, News, Pieces, ProcCalls};

use super::gate::Gate;
use super::holders::{Held, Holders, NodeName, first_inode};

/// The most that a request carries: 256 pages, unless the administrator set fewer.
pub(super) const TRANSFER_MAX_BYTES: u32 = 1 << 20;

/// How many pages a request may have on this machine (since Linux 6.13).
const MAX_PAGES_LIMIT: &str = "/proc/sys/fs/fuse/max_pages_limit";

/// One file of the mount.
pub(super) struct NodeFile {
    pub(super) name: String,
    inode: u64,
    pub(super) device: Arc<dyn CharDevice>,
    pub(super) pieces: Pieces,
    open: Mutex<Vec<Handle>>,
}

/// All files of the mount. Inode 1 is the directory.
pub(super) struct Nodes {
    nodes: Vec<NodeFile>,
    /// The inode of the first file.
    first: u64,
    /// Every call of a device goes through it.
    pub(super) gate: Arc<Gate>,
    /// Known once they are mounted.
    holders: OnceLock<Holders>,
}

/// Inode of the directory.
pub(super) const ROOT: u64 = 1;

impl Nodes {
    pub(super) fn new(nodes: Vec<(String, Arc<dyn CharDevice>)>) -> Self {
        let cut = cut();
        let calls = Arc::new(ProcCalls::new());
        let first = first_inode();
        let node = |(inode, (name, device)): (u64, (String, Arc<dyn CharDevice>))| NodeFile {
            name,
            inode,
            pieces: Pieces::new(Arc::clone(&device), calls.clone(), cut),
            device,
            open: Mutex::default(),
        };
        Nodes {
            nodes: (first..).zip(nodes).map(node).collect(),
            first,
            gate: Arc::default(),
            holders: OnceLock::new(),
        }
    }

    pub(super) fn by_inode(&self, inode: u64) -> Option<&NodeFile> {
        self.nodes
            .get(usize::try_from(inode.checked_sub(self.first)?).ok()?)
    }

    pub(super) fn inode_of(&self, name: &std::ffi::OsStr) -> Option<u64> {
        self.iter()
            .find(|(_, node)| node.name.as_str() == name)
            .map(|(inode, _)| inode)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &NodeFile)> {
        self.nodes.iter().map(|node| (node.inode, node))
    }

    /// Whether a file is a stream, whose other end is another file here.
    pub(super) fn have_streams(&self) -> bool {
        self.nodes.iter().any(|node| node.device.stream().is_some())
    }

    /// Wakes the opens that wait for something of a device: they look whether to go on waiting.
    pub(super) fn wake_openings(&self) {
        let news = self.nodes.iter().filter_map(|node| node.device.news());
        news.for_each(News::tell);
    }

    /// Whether a system call is being worked on.
    pub(super) fn in_hand(&self) -> bool {
        self.nodes.iter().any(|node| node.pieces.in_hand())
    }

    /// Tells which mount the files are of.
    pub(super) fn set_holders(&self, holders: Holders) {
        for node in &self.nodes {
            let Some(close) = node.device.last_close() else {
                continue;
            };
            let (holders, name, inode) = (holders.clone(), node.name.clone(), node.inode);
            close.set_witness(&node.name, move || {
                let name = &name;
                holders.who(NodeName { name, inode }) == Held::ByNobody
            });
        }
        self.holders.get_or_init(|| holders);
    }

    /// A `close(2)` of one of the descriptors of an open file. The last one does what a close promises before it
    /// returns.
    pub(super) fn flush(&self, node: &NodeFile, handle: Handle, tid: u32) -> Result<(), Errno> {
        // RELEASE of the last descriptor comes after `close(2)` has returned.
        let _near = node.device.last_close().map(LastClose::flush);
        let held = |holders: &Holders| holders.after_close(node.named(), tid);
        let flushed = node.pieces.flush(handle, tid);
        if flushed.is_ok()
            && node.device.owes_at_close(handle)
            && !node.pieces.in_hand()
            && self.holders.get().map(held) == Some(Held::ByNobody)
        {
            return node.device.close_early(handle);
        }
        flushed
    }

    /// Closes the files of these nodes that no program has open any more: `close(2)` has returned, and RELEASE is on
    /// its way.
    pub(super) fn settle(&self, names: &[String]) {
        let Some(holders) = self.holders.get() else {
            return;
        };
        for node in self.nodes.iter().filter(|node| names.contains(&node.name)) {
            let open = node.open_files().clone();
            if !open.is_empty()
                && !node.pieces.in_hand()
                && holders.who(node.named()) == Held::ByNobody
            {
                open.into_iter().for_each(|handle| node.release(handle));
            }
        }
    }

    /// Closes all open files: the kernel sends nothing any more.
    pub(super) fn close_all(&self) {
        for node in &self.nodes {
            let open = std::mem::take(&mut *node.open_files());
            for handle in open {
                log::info!("{}: closed, it was still open", node.name);
                node.close(handle);
            }
        }
    }
}

impl NodeFile {
    fn named(&self) -> NodeName<'_> {
        NodeName {
            name: &self.name,
            inode: self.inode,
        }
    }

    pub(super) fn note_open(&self, handle: Handle) {
        self.open_files().push(handle);
    }

    fn open_files(&self) -> MutexGuard<'_, Vec<Handle>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last `close(2)` of an open file. At the end of the daemon the file is closed before the kernel says so.
    pub(super) fn release(&self, handle: Handle) {
        let mut open = self.open_files();
        let Some(place) = open.iter().position(|open| *open == handle) else {
            return;
        };
        open.swap_remove(place);
        drop(open);
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
