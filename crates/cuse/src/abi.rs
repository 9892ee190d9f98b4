//! The structures of `linux/fuse.h` that a CUSE device needs. All numbers are the processor's own.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Major version of the protocol.
pub(crate) const VERSION_MAJOR: u32 = 7;
/// The newest minor version of which this crate knows the structures.
pub(crate) const VERSION_MINOR: u32 = 31;
/// The oldest minor version with CUSE as it is today (Linux 2.6.31).
pub(crate) const VERSION_MINOR_MIN: u32 = 12;

/// Longest list of names in the answer to CUSE_INIT.
pub(crate) const INIT_INFO_MAX_BYTES: usize = 4096;
/// Any `ioctl` argument is fetched on demand.
pub(crate) const UNRESTRICTED_IOCTL: u32 = 1 << 0;

/// Longest list of areas of one `ioctl`, for each direction.
pub(crate) const IOCTL_AREAS_MAX: usize = 256;
pub(crate) const IOCTL_UNRESTRICTED: u32 = 1 << 1;
pub(crate) const IOCTL_RETRY: u32 = 1 << 2;
pub(crate) const IOCTL_32BIT: u32 = 1 << 3;

/// A `poll` wants to be woken.
pub(crate) const POLL_SCHEDULE_NOTIFY: u32 = 1 << 0;
/// What a message of ours that answers no request has in place of an error: a `poll` may go on.
pub(crate) const NOTIFY_POLL: i32 = 1;

/// Largest error number that the kernel takes in a reply.
pub(crate) const ERRNO_MAX: i32 = 511;

/// Numbers of requests.
pub(crate) mod opcode {
    pub(crate) const FORGET: u32 = 2;
    pub(crate) const OPEN: u32 = 14;
    pub(crate) const READ: u32 = 15;
    pub(crate) const WRITE: u32 = 16;
    pub(crate) const RELEASE: u32 = 18;
    pub(crate) const FSYNC: u32 = 20;
    pub(crate) const FLUSH: u32 = 25;
    pub(crate) const INTERRUPT: u32 = 36;
    pub(crate) const DESTROY: u32 = 38;
    pub(crate) const IOCTL: u32 = 39;
    pub(crate) const POLL: u32 = 40;
    pub(crate) const BATCH_FORGET: u32 = 42;
    pub(crate) const CUSE_INIT: u32 = 4096;
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct InHeader {
    pub(crate) len: u32,
    pub(crate) opcode: u32,
    pub(crate) unique: u64,
    pub(crate) nodeid: u64,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) pid: u32,
    pub(crate) total_extlen: u16,
    pub(crate) padding: u16,
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct OutHeader {
    pub(crate) len: u32,
    pub(crate) error: i32,
    pub(crate) unique: u64,
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct InitIn {
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) unused: u32,
    pub(crate) flags: u32,
}

#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct InitOut {
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) unused: u32,
    pub(crate) flags: u32,
    pub(crate) max_read: u32,
    pub(crate) max_write: u32,
    pub(crate) dev_major: u32,
    pub(crate) dev_minor: u32,
    pub(crate) spare: [u32; 10],
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct OpenIn {
    pub(crate) flags: u32,
    pub(crate) open_flags: u32,
}

#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct OpenOut {
    pub(crate) fh: u64,
    pub(crate) open_flags: u32,
    pub(crate) backing_id: u32,
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct ReleaseIn {
    pub(crate) fh: u64,
    pub(crate) flags: u32,
    pub(crate) release_flags: u32,
    pub(crate) lock_owner: u64,
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct FlushIn {
    pub(crate) fh: u64,
    pub(crate) unused: u32,
    pub(crate) padding: u32,
    pub(crate) lock_owner: u64,
}

/// Both `fuse_read_in` and `fuse_write_in`: they differ in nothing but names.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct TransferIn {
    pub(crate) fh: u64,
    pub(crate) offset: u64,
    pub(crate) size: u32,
    pub(crate) transfer_flags: u32,
    pub(crate) lock_owner: u64,
    pub(crate) flags: u32,
    pub(crate) padding: u32,
}

#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct WriteOut {
    pub(crate) size: u32,
    pub(crate) padding: u32,
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct FsyncIn {
    pub(crate) fh: u64,
    pub(crate) fsync_flags: u32,
    pub(crate) padding: u32,
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct IoctlIn {
    pub(crate) fh: u64,
    pub(crate) flags: u32,
    pub(crate) cmd: u32,
    pub(crate) arg: u64,
    pub(crate) in_size: u32,
    pub(crate) out_size: u32,
}

#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct IoctlOut {
    pub(crate) result: i32,
    pub(crate) flags: u32,
    pub(crate) in_iovs: u32,
    pub(crate) out_iovs: u32,
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct IoctlIovec {
    pub(crate) base: u64,
    pub(crate) len: u64,
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct PollIn {
    pub(crate) fh: u64,
    pub(crate) kh: u64,
    pub(crate) flags: u32,
    pub(crate) events: u32,
}

#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct PollOut {
    pub(crate) revents: u32,
    pub(crate) padding: u32,
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct NotifyPollWakeupOut {
    pub(crate) kh: u64,
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct InterruptIn {
    pub(crate) unique: u64,
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
