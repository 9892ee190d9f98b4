use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, FileAttr, FileHandle, FileType, Filesystem, Generation, INodeNo, InitFlags,
    IoctlFlags, KernelConfig, LockOwner, OpenFlags, PollEvents, PollFlags, PollNotifier,
    RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry,
    ReplyIoctl, ReplyOpen, ReplyPoll, ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};
use pseudotape_chardev::{Errno, Handle, Waker, WordSize};

use super::calls::{Ioctl, caller, piece, read_piece, write_piece};
use super::error::os;
use super::gate::Gate;
use super::node::{NodeFile, Nodes, ROOT, TRANSFER_MAX_BYTES};
use super::opening::{NO_ENTRY, Openings, Wish};
use super::options::MountOptions;
use super::reply::{DoneReply, IoctlReply, Reply, WriteReply};
use super::stream;
use super::threads::{CallThread, Elsewhere, Threads};

/// Names never change while mounted.
pub(super) const ENTRY_TTL: Duration = Duration::from_secs(3600);
/// The kernel counts the size of a file up when a program writes; no program may believe such a size for long.
pub(super) const ATTR_TTL: Duration = Duration::ZERO;
/// What a call gets that comes while the mount ends: the same as after its end.
pub(super) const GONE: Errno = Errno(libc::ENOTCONN);

/// The mount's directory and its files: decode, call, reply.
pub(super) struct TapeFiles {
    pub(super) nodes: Arc<Nodes>,
    pub(super) openings: Arc<Openings>,
    pub(super) threads: Threads,
    pub(super) options: MountOptions,
    pub(super) since: SystemTime,
    /// Modes that chmod(2) gave to files, by inode.
    pub(super) changed_modes: Mutex<BTreeMap<u64, u32>>,
    /// Whether rings wait for the connection; set to whether the kernel wants them, when the connection begins.
    pub(super) rings: Arc<AtomicBool>,
}

impl TapeFiles {
    /// Does a call of a node in the thread that may wait for it. `data` is copied for another thread only.
    fn on<R: Reply>(
        &self,
        node: &NodeFile,
        inode: INodeNo,
        data: &[u8],
        reply: R,
        work: impl FnOnce(&NodeFile, &[u8], R) + Send + 'static,
    ) {
        match self.threads.thread_for(node) {
            None => reply.refuse(Errno::EBUSY),
            Some(CallThread::Here { .. }) => match Gate::enter(&*self.nodes.gate) {
                Some(_inside) => work(node, data, reply),
                None => reply.refuse(GONE),
            },
            Some(CallThread::Elsewhere(thread)) => {
                let Some(inside) = Gate::enter(Arc::clone(&self.nodes.gate)) else {
                    return reply.refuse(GONE);
                };
                let data = data.to_vec();
                self.elsewhere(thread, inode, move |node| {
                    work(node, &data, reply);
                    drop(inside);
                });
            }
        }
    }

    /// Does a call in a thread of its own.
    fn elsewhere(
        &self,
        thread: Elsewhere,
        inode: INodeNo,
        work: impl FnOnce(&NodeFile) + Send + 'static,
    ) {
        let nodes = Arc::clone(&self.nodes);
        thread.run(move || {
            if let Some(node) = nodes.by_inode(inode.0) {
                work(node);
            }
        });
    }

    /// The table is whole at any time, so the lock of a thread that panicked is as good.
    fn changed_modes(&self) -> MutexGuard<'_, BTreeMap<u64, u32>> {
        self.changed_modes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The file of this name.
    pub(super) fn find(&self, directory: u64, name: &OsStr) -> Option<FileAttr> {
        let inode = (directory == ROOT).then(|| self.nodes.inode_of(name))??;
        self.attributes(inode)
    }

    /// The names of the directory.
    pub(super) fn entries(&self) -> impl Iterator<Item = (u64, FileType, &str)> {
        let own = [
            (ROOT, FileType::Directory, "."),
            (ROOT, FileType::Directory, ".."),
        ];
        let files = self
            .nodes
            .iter()
            .map(|(inode, node)| (inode, FileType::RegularFile, node.name.as_str()));
        own.into_iter().chain(files)
    }

    /// Changes attributes. Truncation and times mean nothing on a tape and are accepted; who owns a file is for the
    /// daemon to say. That only the owner changes a mode is the kernel's to check, as all rights are.
    pub(super) fn change(
        &self,
        inode: u64,
        mode: Option<u32>,
        owner: bool,
    ) -> Result<FileAttr, Errno> {
        if owner || (mode.is_some() && inode == ROOT) {
            return Err(Errno(libc::EPERM));
        }
        if let (Some(mode), Some(_)) = (mode, self.attributes(inode)) {
            self.changed_modes().insert(inode, mode);
        }
        self.attributes(inode).ok_or(NO_ENTRY)
    }

    pub(super) fn attributes(&self, inode: u64) -> Option<FileAttr> {
        let is_root = inode == ROOT;
        let (kind, perm, gid) = if is_root {
            (FileType::Directory, 0o755, self.options.gid)
        } else {
            let name = &self.nodes.by_inode(inode)?.name;
            let apart = self.options.apart.get(name).copied();
            let (mode, gid) = apart.unwrap_or((self.options.mode, self.options.gid));
            let mode = self.changed_modes().get(&inode).copied().unwrap_or(mode);
            (FileType::RegularFile, mode & 0o7777, gid)
        };
        Some(FileAttr {
            ino: INodeNo(inode),
            size: 0,
            blocks: 0,
            atime: self.since,
            mtime: self.since,
            ctime: self.since,
            crtime: self.since,
            kind,
            perm: u16::try_from(perm).unwrap_or(0),
            nlink: if is_root { 2 } else { 1 },
            uid: nix::unistd::geteuid().as_raw(),
            gid: gid.unwrap_or_else(|| nix::unistd::getegid().as_raw()),
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }
}

impl Filesystem for TapeFiles {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> io::Result<()> {
        if !config.capabilities().contains(InitFlags::FUSE_MAX_PAGES) {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this kernel's FUSE is too old: it needs Linux 4.20",
            ));
        }
        // As a flag of `open`, O_TRUNC is ignored, as by a tape. Otherwise the kernel would make a truncation of it.
        if let Err(missing) = config.add_capabilities(InitFlags::FUSE_ATOMIC_O_TRUNC) {
            log::debug!("the kernel has no {missing:?}");
        }
        if self.rings.load(Ordering::Relaxed) {
            let wanted = config.add_capabilities(InitFlags::FUSE_OVER_IO_URING);
            self.rings.store(wanted.is_ok(), Ordering::Relaxed);
        }
        match config.set_max_write(TRANSFER_MAX_BYTES) {
            Ok(_) => Ok(()),
            Err(nearest) => Err(io::Error::other(format!(
                "requests of {nearest} bytes at most"
            ))),
        }
    }

    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.find(parent.0, name) {
            Some(attributes) => {
                reply.entry_with_ttls(&ATTR_TTL, &ENTRY_TTL, &attributes, Generation(0));
            }
            None => reply.error(fuser::Errno::ENOENT),
        }
    }

    fn getattr(
        &self,
        _request: &Request,
        inode: INodeNo,
        _handle: Option<FileHandle>,
        reply: ReplyAttr,
    ) {
        match self.attributes(inode.0) {
            Some(attributes) => reply.attr(&ATTR_TTL, &attributes),
            None => reply.error(fuser::Errno::ENOENT),
        }
    }

    fn setattr(
        &self,
        _request: &Request,
        inode: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        _size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _handle: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        match self.change(inode.0, mode, uid.is_some() || gid.is_some()) {
            Ok(attributes) => reply.attr(&ATTR_TTL, &attributes),
            Err(errno) => reply.error(os(errno)),
        }
    }

    fn open(&self, request: &Request, inode: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let wish = Wish {
            inode: inode.0,
            flags: flags.0.cast_unsigned(),
            caller: caller(request),
        };
        let Some(node) = self.nodes.by_inode(inode.0) else {
            return reply.error(fuser::Errno::ENOENT);
        };
        let (nodes, openings) = (Arc::clone(&self.nodes), Arc::clone(&self.openings));
        self.on(node, inode, &[], reply, move |_, _, reply| {
            openings.open(&nodes, wish, || true, reply);
        });
    }

    fn read(
        &self,
        request: &Request,
        inode: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let Some(node) = self.nodes.by_inode(inode.0) else {
            return reply.error(fuser::Errno::EISDIR);
        };
        let size = usize::try_from(size)
            .unwrap_or(usize::MAX)
            .min(TRANSFER_MAX_BYTES as usize);
        if let Some(stream) = node.device.stream() {
            let reader = stream::uninterrupted(reply);
            return stream::read(stream, Handle(handle.0), (offset, size), flags.0, reader);
        }
        let piece = piece(request, handle, offset, flags);
        self.on(node, inode, &[], reply, move |node, _, reply| {
            read_piece(node, piece, size, reply);
        });
    }

    fn write(
        &self,
        request: &Request,
        inode: INodeNo,
        handle: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let Some(node) = self.nodes.by_inode(inode.0) else {
            return reply.error(fuser::Errno::EISDIR);
        };
        if let Some(stream) = node.device.stream() {
            return reply.wrote(stream.write(Handle(handle.0), data));
        }
        let piece = piece(request, handle, offset, flags);
        self.on(node, inode, data, reply, move |node, data, reply| {
            write_piece(node, piece, data, reply);
        });
    }

    fn ioctl(
        &self,
        request: &Request,
        inode: INodeNo,
        handle: FileHandle,
        flags: IoctlFlags,
        command: u32,
        input: &[u8],
        output_max_bytes: u32,
        reply: ReplyIoctl,
    ) {
        let Some(node) = self.nodes.by_inode(inode.0) else {
            return reply.error(fuser::Errno::ENOTTY);
        };
        let word_size = if flags.contains(IoctlFlags::FUSE_IOCTL_32BIT) {
            WordSize::Bits32
        } else {
            WordSize::Bits64
        };
        let ioctl = Ioctl {
            handle: Handle(handle.0),
            command,
            caller: caller(request),
            word_size,
            output_max_bytes,
        };
        self.on(node, inode, input, reply, move |node, input, reply| {
            reply.result(ioctl.call(node, input));
        });
    }

    fn flush(
        &self,
        request: &Request,
        inode: INodeNo,
        handle: FileHandle,
        _lock_owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        let Some(node) = self.nodes.by_inode(inode.0) else {
            return reply.ok();
        };
        let (handle, tid) = (Handle(handle.0), request.pid());
        let nodes = Arc::clone(&self.nodes);
        self.on(node, inode, &[], reply, move |node, _, reply| {
            reply.end(nodes.flush(node, handle, tid));
        });
    }

    fn release(
        &self,
        _request: &Request,
        inode: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        let Some(node) = self.nodes.by_inode(inode.0) else {
            return reply.ok();
        };
        let release = move |node: &NodeFile| {
            node.release(Handle(handle.0));
            reply.ok();
        };
        match self.threads.thread_for_anyway(node) {
            CallThread::Here { .. } => release(node),
            CallThread::Elsewhere(thread) => self.elsewhere(thread, inode, release),
        }
    }

    /// As on a tape device, which has no fsync.
    fn fsync(
        &self,
        _request: &Request,
        _inode: INodeNo,
        _handle: FileHandle,
        _datasync: bool,
        reply: ReplyEmpty,
    ) {
        reply.error(fuser::Errno::EINVAL);
    }

    fn readdir(
        &self,
        _request: &Request,
        inode: INodeNo,
        _handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        if inode.0 != ROOT {
            return reply.error(fuser::Errno::ENOTDIR);
        }
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        for (next, (inode, kind, name)) in (1_u64..).zip(self.entries()).skip(from) {
            if reply.add(INodeNo(inode), next, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn poll(
        &self,
        _request: &Request,
        inode: INodeNo,
        handle: FileHandle,
        notifier: PollNotifier,
        _events: PollEvents,
        flags: PollFlags,
        reply: ReplyPoll,
    ) {
        if !self.nodes.have_streams() {
            // Not implemented: then the kernel says that every file is always ready, and asks no more.
            return reply.error(fuser::Errno::ENOSYS);
        }
        let stream = self
            .nodes
            .by_inode(inode.0)
            .and_then(|node| node.device.stream());
        let wants = flags.contains(PollFlags::FUSE_POLL_SCHEDULE_NOTIFY);
        let waker = wants.then(|| -> Waker {
            Box::new(move || {
                if let Err(error) = notifier.notify() {
                    log::debug!("nobody polls any more: {error}");
                }
            })
        });
        stream::poll(stream, Handle(handle.0), waker, reply);
    }

    /// Not implemented: then the kernel does not ask before each write.
    fn getxattr(
        &self,
        _request: &Request,
        _inode: INodeNo,
        _name: &OsStr,
        _size: u32,
        reply: ReplyXattr,
    ) {
        reply.error(fuser::Errno::ENOSYS);
    }

    fn listxattr(&self, _request: &Request, _inode: INodeNo, _size: u32, reply: ReplyXattr) {
        reply.error(fuser::Errno::ENOSYS);
    }

    // The names are the daemon's: none is made, none goes.

    fn create(
        &self,
        _request: &Request,
        _parent: INodeNo,
        _name: &OsStr,
        _mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        reply.error(fuser::Errno::EPERM);
    }

    fn mknod(
        &self,
        _request: &Request,
        _parent: INodeNo,
        _name: &OsStr,
        _mode: u32,
        _umask: u32,
        _rdev: u32,
        reply: ReplyEntry,
    ) {
        reply.error(fuser::Errno::EPERM);
    }

    fn mkdir(
        &self,
        _request: &Request,
        _parent: INodeNo,
        _name: &OsStr,
        _mode: u32,
        _umask: u32,
        reply: ReplyEntry,
    ) {
        reply.error(fuser::Errno::EPERM);
    }

    fn symlink(
        &self,
        _request: &Request,
        _parent: INodeNo,
        _name: &OsStr,
        _target: &Path,
        reply: ReplyEntry,
    ) {
        reply.error(fuser::Errno::EPERM);
    }

    fn unlink(&self, _request: &Request, _parent: INodeNo, _name: &OsStr, reply: ReplyEmpty) {
        reply.error(fuser::Errno::EPERM);
    }

    fn rename(
        &self,
        _request: &Request,
        _parent: INodeNo,
        _name: &OsStr,
        _new_parent: INodeNo,
        _new_name: &OsStr,
        _flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        reply.error(fuser::Errno::EPERM);
    }
}
