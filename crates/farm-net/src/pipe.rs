//! One end of a connection whose waits all end.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::Shutdown;

use crate::packet::PATIENCE;

/// So long a write may wait: whoever reads may be at a disk that is slow.
pub(crate) const WRITE_PATIENCE: Duration = Duration::from_secs(900);

/// Standard input, standard output, or a socket: a read ends with `TimedOut` when nothing comes for [`PATIENCE`], a
/// write when nothing goes for longer.
#[derive(Debug)]
pub struct Pipe {
    end: OwnedFd,
    /// When it is dropped, nothing more goes out: a twin would hold a socket open.
    ends_sending: bool,
}

impl Pipe {
    /// Takes a descriptor, which does not block from then on.
    pub fn new(end: impl Into<OwnedFd>) -> io::Result<Self> {
        let end = end.into();
        let flags = OFlag::from_bits_retain(fcntl(&end, FcntlArg::F_GETFL)?);
        fcntl(&end, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        Ok(Pipe {
            end,
            ends_sending: false,
        })
    }

    /// The way out of the same connection: nothing more goes out when it is dropped, and answers still come.
    pub fn sender(&self) -> io::Result<Self> {
        Ok(Pipe {
            end: self.end.try_clone()?,
            ends_sending: true,
        })
    }

    /// Ends the connection at once, both ways.
    pub fn shut(&self) -> io::Result<()> {
        Ok(nix::sys::socket::shutdown(
            self.end.as_raw_fd(),
            Shutdown::Both,
        )?)
    }

    fn each<T>(
        &self,
        for_what: PollFlags,
        mut move_some: impl FnMut() -> nix::Result<T>,
    ) -> io::Result<T> {
        let patience = match for_what.contains(PollFlags::POLLOUT) {
            true => WRITE_PATIENCE,
            false => PATIENCE,
        };
        let until = Instant::now() + patience;
        loop {
            match move_some() {
                Err(Errno::EAGAIN) => wait(self.end.as_fd(), for_what, until)?,
                Err(Errno::EINTR) => {}
                done => return Ok(done?),
            }
        }
    }
}

/// Waits until a connection can move, which ends with `TimedOut` at `until`.
pub(crate) fn wait(end: BorrowedFd<'_>, for_what: PollFlags, until: Instant) -> io::Result<()> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = left.min(Duration::from_secs(60)).as_millis();
        let left = u16::try_from(left).unwrap_or(u16::MAX);
        match poll(&mut [PollFd::new(end, for_what)], PollTimeout::from(left)) {
            Ok(0) if Instant::now() >= until => {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "nothing moved in time",
                ));
            }
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        }
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.each(PollFlags::POLLIN, || nix::unistd::read(&self.end, buffer))
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.each(PollFlags::POLLOUT, || nix::unistd::write(&self.end, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        if self.ends_sending {
            // What is no socket ends by the close of its descriptor.
            nix::sys::socket::shutdown(self.end.as_raw_fd(), Shutdown::Write).ok();
        }
    }
}
