use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, PipeReader, PipeWriter, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

use log::{debug, warn};
use nix::errno::Errno as Os;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pseudotape_chardev::{Area, Errno, Handle, IoctlAreas};
use zerocopy::{Immutable, IntoBytes};

use crate::error::CuseError;
use pseudotape_wire::{PollId, RequestId, abi};

/// Where the kernel's module is spoken to.
const DEVICE: &str = "/dev/cuse";

/// A connection with the kernel, for one device. Replies may come from any thread.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    file: Arc<File>,
}

/// What came instead of, or as, a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// A request of this many bytes.
    Request(usize),
    /// Somebody wants to stop.
    Stop,
    /// The time is up.
    Nothing,
    /// The kernel ended the device.
    Ended,
}

/// Whether a reply found somebody who waited for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// It did.
    Yes,
    /// The system call is over: it was interrupted, or its process killed.
    TooLate,
}

impl Channel {
    /// Opens `/dev/cuse` for one more device.
    pub(crate) fn open() -> Result<Self, CuseError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(DEVICE)
            .map_err(|e| match e.kind() {
                io::ErrorKind::NotFound => CuseError::NoCuse,
                io::ErrorKind::PermissionDenied => CuseError::NotAllowed,
                // The node is there, the module is not.
                _ if e.raw_os_error() == Some(Os::ENODEV as i32)
                    || e.raw_os_error() == Some(Os::ENXIO as i32) =>
                {
                    CuseError::NoCuse
                }
                _ => CuseError::io(format!("open {DEVICE}"), e),
            })?;
        Ok(Channel {
            file: Arc::new(file),
        })
    }

    /// Speaks to something else that speaks as `/dev/cuse` does. It must not block.
    pub(crate) fn from_fd(fd: OwnedFd) -> Self {
        Channel {
            file: Arc::new(File::from(fd)),
        }
    }

    /// Waits for a request.
    pub(crate) fn receive(
        &self,
        buffer: &mut [u8],
        stop: Option<&PipeReader>,
        timeout: PollTimeout,
    ) -> io::Result<Received> {
        loop {
            let mut fds = [
                PollFd::new(self.file.as_fd(), PollFlags::POLLIN),
                PollFd::new(
                    stop.map_or(self.file.as_fd(), AsFd::as_fd),
                    if stop.is_some() {
                        PollFlags::POLLIN
                    } else {
                        PollFlags::empty()
                    },
                ),
            ];
            match poll(&mut fds, timeout) {
                Ok(0) => return Ok(Received::Nothing),
                Ok(_) => {}
                Err(Os::EINTR) => continue,
                Err(e) => return Err(e.into()),
            }
            if stop.is_some() && fds[1].any() != Some(false) {
                return Ok(Received::Stop);
            }
            match nix::unistd::read(&*self.file, buffer) {
                // Only a peer that is not the kernel ends like this.
                Ok(0) => return Ok(Received::Ended),
                Ok(length) => return Ok(Received::Request(length)),
                // Nothing there after all, or the request was withdrawn while it was read.
                Err(Os::EAGAIN | Os::EINTR | Os::ENOENT) => {}
                Err(Os::ENODEV) => return Ok(Received::Ended),
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Whether the kernel has taken the device: it says no only by ending the connection.
    pub(crate) fn is_connected(&self) -> bool {
        let mut fds = [PollFd::new(self.file.as_fd(), PollFlags::POLLIN)];
        let ready = poll(&mut fds, PollTimeout::ZERO);
        let gone = fds[0]
            .revents()
            .is_some_and(|events| events.intersects(PollFlags::POLLERR | PollFlags::POLLHUP));
        ready.is_ok() && !gone
    }

    pub(crate) fn init(&self, unique: RequestId, out: &abi::InitOut, info: &[u8]) -> Delivered {
        self.send(
            unique,
            0,
            &[IoSlice::new(out.as_bytes()), IoSlice::new(info)],
        )
    }

    pub(crate) fn error(&self, unique: RequestId, errno: Errno) -> Delivered {
        // The kernel refuses other numbers, and the caller would wait for ever.
        let error = match errno.0 {
            1..=abi::ERRNO_MAX => errno.0,
            _ => Errno::EIO.0,
        };
        self.send(unique, -error, &[])
    }

    pub(crate) fn empty(&self, unique: RequestId) -> Delivered {
        self.send(unique, 0, &[])
    }

    pub(crate) fn opened(&self, unique: RequestId, handle: Handle) -> Delivered {
        self.body(
            unique,
            &abi::OpenOut {
                fh: handle.0,
                ..abi::OpenOut::default()
            },
        )
    }

    pub(crate) fn read(&self, unique: RequestId, answer: Result<&[u8], Errno>) -> Delivered {
        match answer {
            Ok(data) => self.send(unique, 0, &[IoSlice::new(data)]),
            Err(errno) => self.error(unique, errno),
        }
    }

    pub(crate) fn written(&self, unique: RequestId, answer: Result<usize, Errno>) -> Delivered {
        match answer {
            Ok(size) => self.body(
                unique,
                &abi::WriteOut {
                    size: u32::try_from(size).unwrap_or(u32::MAX),
                    ..abi::WriteOut::default()
                },
            ),
            Err(errno) => self.error(unique, errno),
        }
    }

    pub(crate) fn ioctl(&self, unique: RequestId, result: i32, output: &[u8]) -> Delivered {
        let out = abi::IoctlOut {
            result,
            ..abi::IoctlOut::default()
        };
        self.send(
            unique,
            0,
            &[IoSlice::new(out.as_bytes()), IoSlice::new(output)],
        )
    }

    /// Asks the kernel to send the request again with these areas.
    pub(crate) fn ioctl_retry(&self, unique: RequestId, areas: &IoctlAreas) -> Delivered {
        let out = abi::IoctlOut {
            result: 0,
            flags: abi::IOCTL_RETRY,
            in_iovs: u32::try_from(areas.input.len()).unwrap_or(u32::MAX),
            out_iovs: u32::try_from(areas.output.len()).unwrap_or(u32::MAX),
        };
        let iovecs: Vec<_> = areas.input.iter().chain(&areas.output).map(iovec).collect();
        self.send(
            unique,
            0,
            &[
                IoSlice::new(out.as_bytes()),
                IoSlice::new(iovecs.as_bytes()),
            ],
        )
    }

    pub(crate) fn polled(&self, unique: RequestId, bits: u32) -> Delivered {
        self.body(
            unique,
            &abi::PollOut {
                revents: bits,
                padding: 0,
            },
        )
    }

    /// Tells the kernel that a file it polls may be ready now.
    pub(crate) fn wake_poll(&self, poll: PollId) {
        let body = abi::NotifyPollWakeupOut { kh: poll.0 };
        // A message that answers nothing has 0 for the request, and what it is in place of an error.
        if self.send(
            RequestId(0),
            abi::NOTIFY_POLL,
            &[IoSlice::new(body.as_bytes())],
        ) == Delivered::TooLate
        {
            debug!("nobody polls any more");
        }
    }

    fn body<T: IntoBytes + Immutable>(&self, unique: RequestId, body: &T) -> Delivered {
        self.send(unique, 0, &[IoSlice::new(body.as_bytes())])
    }

    fn send(&self, unique: RequestId, error: i32, parts: &[IoSlice<'_>]) -> Delivered {
        let length = size_of::<abi::OutHeader>() + parts.iter().map(|p| p.len()).sum::<usize>();
        let header = abi::OutHeader {
            len: u32::try_from(length).unwrap_or(u32::MAX),
            error,
            unique: unique.0,
        };
        let mut all = [
            IoSlice::new(header.as_bytes()),
            IoSlice::new(&[]),
            IoSlice::new(&[]),
        ];
        for (place, part) in all[1..].iter_mut().zip(parts) {
            *place = *part;
        }
        match nix::sys::uio::writev(&*self.file, &all) {
            Ok(_) => Delivered::Yes,
            Err(Os::ENOENT) => Delivered::TooLate,
            Err(e) => {
                warn!("reply to request {} of {length} bytes: {e}", unique.0);
                Delivered::TooLate
            }
        }
    }
}

fn iovec(area: &Area) -> abi::IoctlIovec {
    abi::IoctlIovec {
        base: area.address,
        len: u64::from(area.length_bytes),
    }
}

/// Asks a serving thread to stop.
#[derive(Debug)]
pub(crate) struct StopSignal {
    pipe: PipeWriter,
}

impl StopSignal {
    pub(crate) fn new() -> io::Result<(Self, PipeReader)> {
        let (reader, pipe) = io::pipe()?;
        Ok((StopSignal { pipe }, reader))
    }

    pub(crate) fn stop(&self) {
        if let Err(e) = (&self.pipe).write_all(&[1]) {
            // Nobody listens: the thread is over.
            log::debug!("stop: {e}");
        }
    }
}
