//! The structures of `linux/fuse.h` that a CUSE device or a mount needs. All numbers are the processor's own.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Major version of the protocol.
pub const VERSION_MAJOR: u32 = 7;
/// The newest minor version of which this crate knows the structures.
pub const VERSION_MINOR: u32 = 31;
/// The oldest minor version with CUSE as it is today (Linux 2.6.31).
pub const VERSION_MINOR_MIN: u32 = 12;

/// Longest list of names in the answer to CUSE_INIT.
pub const INIT_INFO_MAX_BYTES: usize = 4096;
/// Any `ioctl` argument is fetched on demand.
pub const UNRESTRICTED_IOCTL: u32 = 1 << 0;

/// Longest list of areas of one `ioctl`, for each direction.
pub const IOCTL_AREAS_MAX: usize = 256;
pub const IOCTL_UNRESTRICTED: u32 = 1 << 1;
pub const IOCTL_RETRY: u32 = 1 << 2;
pub const IOCTL_32BIT: u32 = 1 << 3;

/// A `poll` wants to be woken.
pub const POLL_SCHEDULE_NOTIFY: u32 = 1 << 0;
/// What a message of ours that answers no request has in place of an error: a `poll` may go on.
pub const NOTIFY_POLL: i32 = 1;

/// Largest error number that the kernel takes in a reply.
pub const ERRNO_MAX: i32 = 511;

/// A change of attributes changes the mode.
pub const FATTR_MODE: u32 = 1 << 0;
/// A change of attributes changes the owner.
pub const FATTR_UID: u32 = 1 << 1;
/// A change of attributes changes the group.
pub const FATTR_GID: u32 = 1 << 2;

/// The kernel keeps no data of the file.
pub const FOPEN_DIRECT_IO: u32 = 1 << 0;
/// The file has no position that can be set.
pub const FOPEN_NONSEEKABLE: u32 = 1 << 2;
/// The file has no position.
pub const FOPEN_STREAM: u32 = 1 << 4;

/// Numbers of requests.
pub mod opcode {
    pub const LOOKUP: u32 = 1;
    pub const FORGET: u32 = 2;
    pub const GETATTR: u32 = 3;
    pub const SETATTR: u32 = 4;
    pub const SYMLINK: u32 = 6;
    pub const MKNOD: u32 = 8;
    pub const MKDIR: u32 = 9;
    pub const UNLINK: u32 = 10;
    pub const RENAME: u32 = 12;
    pub const LINK: u32 = 13;
    pub const OPEN: u32 = 14;
    pub const READ: u32 = 15;
    pub const WRITE: u32 = 16;
    pub const STATFS: u32 = 17;
    pub const RELEASE: u32 = 18;
    pub const FSYNC: u32 = 20;
    pub const FLUSH: u32 = 25;
    pub const OPENDIR: u32 = 27;
    pub const READDIR: u32 = 28;
    pub const RELEASEDIR: u32 = 29;
    pub const CREATE: u32 = 35;
    pub const INTERRUPT: u32 = 36;
    pub const DESTROY: u32 = 38;
    pub const IOCTL: u32 = 39;
    pub const POLL: u32 = 40;
    pub const BATCH_FORGET: u32 = 42;
    pub const RENAME2: u32 = 45;
    pub const CUSE_INIT: u32 = 4096;
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct InHeader {
    pub len: u32,
    pub opcode: u32,
    pub unique: u64,
    pub nodeid: u64,
    pub uid: u32,
    pub gid: u32,
    pub pid: u32,
    pub total_extlen: u16,
    pub padding: u16,
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct OutHeader {
    pub len: u32,
    pub error: i32,
    pub unique: u64,
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct InitIn {
    pub major: u32,
    pub minor: u32,
    pub unused: u32,
    pub flags: u32,
}

#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct InitOut {
    pub major: u32,
    pub minor: u32,
    pub unused: u32,
    pub flags: u32,
    pub max_read: u32,
    pub max_write: u32,
    pub dev_major: u32,
    pub dev_minor: u32,
    pub spare: [u32; 10],
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct OpenIn {
    pub flags: u32,
    pub open_flags: u32,
}

#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct OpenOut {
    pub fh: u64,
    pub open_flags: u32,
    pub backing_id: u32,
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ReleaseIn {
    pub fh: u64,
    pub flags: u32,
    pub release_flags: u32,
    pub lock_owner: u64,
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FlushIn {
    pub fh: u64,
    pub unused: u32,
    pub padding: u32,
    pub lock_owner: u64,
}

/// Both `fuse_read_in` and `fuse_write_in`: they differ in nothing but names.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TransferIn {
    pub fh: u64,
    pub offset: u64,
    pub size: u32,
    pub transfer_flags: u32,
    pub lock_owner: u64,
    pub flags: u32,
    pub padding: u32,
}

#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct WriteOut {
    pub size: u32,
    pub padding: u32,
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FsyncIn {
    pub fh: u64,
    pub fsync_flags: u32,
    pub padding: u32,
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct IoctlIn {
    pub fh: u64,
    pub flags: u32,
    pub cmd: u32,
    pub arg: u64,
    pub in_size: u32,
    pub out_size: u32,
}

#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct IoctlOut {
    pub result: i32,
    pub flags: u32,
    pub in_iovs: u32,
    pub out_iovs: u32,
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct IoctlIovec {
    pub base: u64,
    pub len: u64,
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PollIn {
    pub fh: u64,
    pub kh: u64,
    pub flags: u32,
    pub events: u32,
}

#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PollOut {
    pub revents: u32,
    pub padding: u32,
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct NotifyPollWakeupOut {
    pub kh: u64,
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct InterruptIn {
    pub unique: u64,
}

#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Attr {
    pub ino: u64,
    pub size: u64,
    pub blocks: u64,
    pub atime: u64,
    pub mtime: u64,
    pub ctime: u64,
    pub atimensec: u32,
    pub mtimensec: u32,
    pub ctimensec: u32,
    pub mode: u32,
    pub nlink: u32,
    pub uid: u32,
    pub gid: u32,
    pub rdev: u32,
    pub blksize: u32,
    pub flags: u32,
}

#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct EntryOut {
    pub nodeid: u64,
    pub generation: u64,
    pub entry_valid: u64,
    pub attr_valid: u64,
    pub entry_valid_nsec: u32,
    pub attr_valid_nsec: u32,
    pub attr: Attr,
}

#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct AttrOut {
    pub attr_valid: u64,
    pub attr_valid_nsec: u32,
    pub dummy: u32,
    pub attr: Attr,
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SetattrIn {
    pub valid: u32,
    pub padding: u32,
    pub fh: u64,
    pub size: u64,
    pub lock_owner: u64,
    pub atime: u64,
    pub mtime: u64,
    pub ctime: u64,
    pub atimensec: u32,
    pub mtimensec: u32,
    pub ctimensec: u32,
    pub mode: u32,
    pub unused4: u32,
    pub uid: u32,
    pub gid: u32,
    pub unused5: u32,
}

/// What stands before the name of an entry of a directory. The next entry begins at a multiple of 8.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Dirent {
    pub ino: u64,
    pub off: u64,
    pub namelen: u32,
    pub entry_type: u32,
}

#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct StatfsOut {
    pub blocks: u64,
    pub bfree: u64,
    pub bavail: u64,
    pub files: u64,
    pub ffree: u64,
    pub bsize: u32,
    pub namelen: u32,
    pub frsize: u32,
    pub padding: u32,
    pub spare: [u32; 6],
}

#[cfg(test)]
mod tests {
    use std::mem::{offset_of, size_of};

    use fuse_abi::linux;

    use super::*;

    /// Compares a structure with the kernel's, field by field.
    macro_rules! same {
        ($ours:ty, $theirs:ty, $($our:ident = $their:ident),+) => {
            assert_eq!(size_of::<$ours>(), size_of::<$theirs>(), stringify!($ours));
            $(assert_eq!(
                offset_of!($ours, $our),
                offset_of!($theirs, $their),
                "{}.{}", stringify!($ours), stringify!($our)
            );)+
        };
    }

    #[test]
    fn structures_are_the_kernels() {
        same!(
            InHeader,
            linux::fuse_in_header,
            len = len,
            opcode = opcode,
            unique = unique,
            nodeid = nodeid,
            uid = uid,
            gid = gid,
            pid = pid,
            total_extlen = total_extlen
        );
        same!(
            OutHeader,
            linux::fuse_out_header,
            len = len,
            error = error,
            unique = unique
        );
        same!(
            InitIn,
            linux::cuse_init_in,
            major = major,
            minor = minor,
            flags = flags
        );
        same!(
            InitOut,
            linux::cuse_init_out,
            major = major,
            minor = minor,
            flags = flags,
            max_read = max_read,
            max_write = max_write,
            dev_major = dev_major,
            dev_minor = dev_minor
        );
        same!(
            OpenIn,
            linux::fuse_open_in,
            flags = flags,
            open_flags = open_flags
        );
        same!(
            OpenOut,
            linux::fuse_open_out,
            fh = fh,
            open_flags = open_flags
        );
        same!(
            ReleaseIn,
            linux::fuse_release_in,
            fh = fh,
            flags = flags,
            release_flags = release_flags,
            lock_owner = lock_owner
        );
        same!(
            FlushIn,
            linux::fuse_flush_in,
            fh = fh,
            lock_owner = lock_owner
        );
        same!(
            TransferIn,
            linux::fuse_read_in,
            fh = fh,
            offset = offset,
            size = size,
            transfer_flags = read_flags,
            lock_owner = lock_owner,
            flags = flags
        );
        same!(
            TransferIn,
            linux::fuse_write_in,
            fh = fh,
            offset = offset,
            size = size,
            transfer_flags = write_flags,
            lock_owner = lock_owner,
            flags = flags
        );
        same!(WriteOut, linux::fuse_write_out, size = size);
        same!(
            FsyncIn,
            linux::fuse_fsync_in,
            fh = fh,
            fsync_flags = fsync_flags
        );
        same!(
            IoctlIn,
            linux::fuse_ioctl_in,
            fh = fh,
            flags = flags,
            cmd = cmd,
            arg = arg,
            in_size = in_size,
            out_size = out_size
        );
        same!(
            IoctlOut,
            linux::fuse_ioctl_out,
            result = result,
            flags = flags,
            in_iovs = in_iovs,
            out_iovs = out_iovs
        );
        same!(IoctlIovec, linux::fuse_ioctl_iovec, base = base, len = len);
        same!(
            PollIn,
            linux::fuse_poll_in,
            fh = fh,
            kh = kh,
            flags = flags,
            events = events
        );
        same!(PollOut, linux::fuse_poll_out, revents = revents);
        same!(
            NotifyPollWakeupOut,
            linux::fuse_notify_poll_wakeup_out,
            kh = kh
        );
        same!(InterruptIn, linux::fuse_interrupt_in, unique = unique);
    }

    #[test]
    fn structures_of_files_are_the_kernels() {
        same!(
            Attr,
            linux::fuse_attr,
            ino = ino,
            size = size,
            blocks = blocks,
            atime = atime,
            mtime = mtime,
            ctime = ctime,
            atimensec = atimensec,
            mtimensec = mtimensec,
            ctimensec = ctimensec,
            mode = mode,
            nlink = nlink,
            uid = uid,
            gid = gid,
            rdev = rdev,
            blksize = blksize
        );
        same!(
            EntryOut,
            linux::fuse_entry_out,
            nodeid = nodeid,
            generation = generation,
            entry_valid = entry_valid,
            attr_valid = attr_valid,
            entry_valid_nsec = entry_valid_nsec,
            attr_valid_nsec = attr_valid_nsec,
            attr = attr
        );
        same!(
            AttrOut,
            linux::fuse_attr_out,
            attr_valid = attr_valid,
            attr_valid_nsec = attr_valid_nsec,
            attr = attr
        );
        same!(
            SetattrIn,
            linux::fuse_setattr_in,
            valid = valid,
            fh = fh,
            size = size,
            mode = mode,
            uid = uid,
            gid = gid
        );
        same!(
            Dirent,
            linux::fuse_dirent,
            ino = ino,
            off = off,
            namelen = namelen,
            entry_type = type_
        );
        same!(
            StatfsOut,
            linux::fuse_kstatfs,
            blocks = blocks,
            bsize = bsize,
            namelen = namelen,
            frsize = frsize
        );
    }

    #[test]
    fn numbers_are_the_kernels() {
        let opcodes = [
            (opcode::FORGET, linux::fuse_opcode::FUSE_FORGET),
            (opcode::OPEN, linux::fuse_opcode::FUSE_OPEN),
            (opcode::READ, linux::fuse_opcode::FUSE_READ),
            (opcode::WRITE, linux::fuse_opcode::FUSE_WRITE),
            (opcode::RELEASE, linux::fuse_opcode::FUSE_RELEASE),
            (opcode::FSYNC, linux::fuse_opcode::FUSE_FSYNC),
            (opcode::FLUSH, linux::fuse_opcode::FUSE_FLUSH),
            (opcode::INTERRUPT, linux::fuse_opcode::FUSE_INTERRUPT),
            (opcode::DESTROY, linux::fuse_opcode::FUSE_DESTROY),
            (opcode::IOCTL, linux::fuse_opcode::FUSE_IOCTL),
            (opcode::POLL, linux::fuse_opcode::FUSE_POLL),
            (opcode::BATCH_FORGET, linux::fuse_opcode::FUSE_BATCH_FORGET),
            (opcode::CUSE_INIT, linux::fuse_opcode::CUSE_INIT),
        ];
        for (ours, theirs) in opcodes {
            assert_eq!(ours, theirs as u32);
        }
        assert_eq!(VERSION_MAJOR, linux::FUSE_KERNEL_VERSION);
        assert_eq!(UNRESTRICTED_IOCTL, linux::CUSE_UNRESTRICTED_IOCTL);
        assert_eq!(INIT_INFO_MAX_BYTES as u32, linux::CUSE_INIT_INFO_MAX);
        assert_eq!(IOCTL_UNRESTRICTED, linux::FUSE_IOCTL_UNRESTRICTED);
        assert_eq!(IOCTL_RETRY, linux::FUSE_IOCTL_RETRY);
        assert_eq!(IOCTL_32BIT, linux::FUSE_IOCTL_32BIT);
        assert_eq!(IOCTL_AREAS_MAX as u32, linux::FUSE_IOCTL_MAX_IOV);
        assert_eq!(POLL_SCHEDULE_NOTIFY, linux::FUSE_POLL_SCHEDULE_NOTIFY);
        assert_eq!(
            NOTIFY_POLL,
            linux::fuse_notify_code::FUSE_NOTIFY_POLL as i32
        );
    }
}
