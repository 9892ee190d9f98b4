use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, FileAttr, FileHandle, FileType, Filesystem, Generation, INodeNo, InitFlags,
    IoctlFlags, KernelConfig, LockOwner, OpenFlags, PollEvents, PollFlags, PollNotifier,
    RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry,
    ReplyIoctl, ReplyOpen, ReplyPoll, ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};
use pseudotape_chardev::{Caller, Errno, FirstPiece, Handle, IoctlRequest, Piece, WordSize};

use super::mounted::MountOptions;
use super::node::{Nodes, ROOT, TRANSFER_MAX_BYTES};
use super::opening::{Openings, Wish};

/// Names never change while mounted.
const ENTRY_TTL: Duration = Duration::from_secs(3600);
/// The kernel counts a size up when it is written; nobody must believe it for long.
const ATTR_TTL: Duration = Duration::ZERO;

thread_local! {
    /// Data on their way to a reader: one buffer for each thread of the session.
    static DATA: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The mount's directory and its files: decode, call, reply.
pub(super) struct TapeFiles {
    pub(super) nodes: Arc<Nodes>,
    pub(super) openings: Arc<Openings>,
    pub(super) options: MountOptions,
    pub(super) since: SystemTime,
    /// Modes that chmod(2) gave to files, by inode.
    pub(super) changed_modes: Mutex<BTreeMap<u64, u32>>,
}

/// An error number as the kernel takes it: it refuses larger ones, and the caller would wait for ever.
pub(super) fn os(errno: Errno) -> fuser::Errno {
    const LARGEST: i32 = 511;
    match errno.0 {
        1..=LARGEST => fuser::Errno::from_i32(errno.0),
        _ => fuser::Errno::EIO,
    }
}

fn caller(request: &Request) -> Caller {
    Caller {
        tid: request.pid(),
        uid: request.uid(),
        gid: request.gid(),
    }
}

fn piece(request: &Request, handle: FileHandle, offset: u64, flags: OpenFlags) -> Piece {
    Piece {
        handle: Handle(handle.0),
        tid: request.pid(),
        offset,
        first: if flags.0 & libc::O_APPEND == 0 {
            FirstPiece::AtZero
        } else {
            FirstPiece::Anywhere
        },
    }
}

impl TapeFiles {
    /// The table is whole at any time, so one that a panic left behind is as good.
    fn changed_modes(&self) -> MutexGuard<'_, BTreeMap<u64, u32>> {
        self.changed_modes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn attributes(&self, inode: u64) -> Option<FileAttr> {
        let is_root = inode == ROOT;
        if !is_root {
            self.nodes.by_inode(inode)?;
        }
        let (kind, perm) = if is_root {
            (FileType::Directory, 0o755)
        } else {
            let changed = self.changed_modes();
            let mode = changed.get(&inode).copied().unwrap_or(self.options.mode);
            (FileType::RegularFile, mode & 0o7777)
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
            gid: self
                .options
                .gid
                .unwrap_or_else(|| nix::unistd::getegid().as_raw()),
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
        // With `open`, O_TRUNC is a flag that a tape ignores; without, it would be a call of its own.
        if let Err(missing) = config.add_capabilities(InitFlags::FUSE_ATOMIC_O_TRUNC) {
            log::debug!("the kernel has no {missing:?}");
        }
        match config.set_max_write(TRANSFER_MAX_BYTES) {
            Ok(_) => Ok(()),
            Err(nearest) => Err(io::Error::other(format!(
                "requests of {nearest} bytes at most"
            ))),
        }
    }

    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let inode = (parent.0 == ROOT)
            .then(|| self.nodes.inode_of(name))
            .flatten();
        match inode.and_then(|inode| self.attributes(inode)) {
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

    /// Truncation and times mean nothing on a tape and are accepted; who owns a file is the daemon's to
    /// say. That only the owner changes a mode is the kernel's to check, as all rights are.
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
        if uid.is_some() || gid.is_some() || (mode.is_some() && inode.0 == ROOT) {
            return reply.error(fuser::Errno::EPERM);
        }
        if let (Some(mode), Some(_)) = (mode, self.attributes(inode.0)) {
            self.changed_modes().insert(inode.0, mode);
        }
        match self.attributes(inode.0) {
            None => reply.error(fuser::Errno::ENOENT),
            Some(attributes) => reply.attr(&ATTR_TTL, &attributes),
        }
    }

    fn open(&self, request: &Request, inode: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let wish = Wish {
            inode: inode.0,
            flags: flags.0.cast_unsigned(),
            caller: caller(request),
        };
        self.openings.open(&self.nodes, wish, reply);
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
        DATA.with_borrow_mut(|data| {
            if data.len() < size {
                data.resize(size, 0);
            }
            let piece = piece(request, handle, offset, flags);
            node.pieces
                .read(piece, &mut data[..size], |answer| match answer {
                    Ok(bytes) => reply.data(bytes),
                    Err(errno) => reply.error(os(errno)),
                });
        });
        node.warn_of_inferred_lengths();
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
        match node
            .pieces
            .write(piece(request, handle, offset, flags), data)
        {
            Ok(written) => reply.written(u32::try_from(written).unwrap_or(u32::MAX)),
            Err(errno) => reply.error(os(errno)),
        }
        node.warn_of_inferred_lengths();
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
        // fuser does not tell the argument; a restricted ioctl needs only what it points to.
        let ioctl = IoctlRequest {
            command,
            argument: 0,
            input,
            caller: caller(request),
            word_size,
        };
        let mut output = Vec::new();
        match node.pieces.ioctl(Handle(handle.0), ioctl, &mut output) {
            Ok(result) => {
                output.truncate(usize::try_from(output_max_bytes).unwrap_or(usize::MAX));
                reply.ioctl(result, &output);
            }
            Err(errno) => reply.error(os(errno)),
        }
    }

    fn flush(
        &self,
        _request: &Request,
        inode: INodeNo,
        handle: FileHandle,
        _lock_owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        self.nodes.note_flush();
        match self
            .nodes
            .by_inode(inode.0)
            .map(|node| node.pieces.flush(Handle(handle.0)))
        {
            Some(Err(errno)) => reply.error(os(errno)),
            Some(Ok(())) | None => reply.ok(),
        }
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
        if let Some(node) = self.nodes.by_inode(inode.0) {
            node.release(Handle(handle.0));
        }
        reply.ok();
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
        let own = [
            (ROOT, FileType::Directory, "."),
            (ROOT, FileType::Directory, ".."),
        ];
        let files = self
            .nodes
            .iter()
            .map(|(inode, node)| (inode, FileType::RegularFile, node.name.as_str()));
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        for (next, (inode, kind, name)) in (1_u64..).zip(own.into_iter().chain(files)).skip(from) {
            if reply.add(INodeNo(inode), next, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    /// Not implemented: then the kernel says that the file is always ready.
    fn poll(
        &self,
        _request: &Request,
        _inode: INodeNo,
        _handle: FileHandle,
        _notifier: PollNotifier,
        _events: PollEvents,
        _flags: PollFlags,
        reply: ReplyPoll,
    ) {
        reply.error(fuser::Errno::ENOSYS);
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
