//! How a daemon says that it serves: to the service manager, and to whoever started it with `--ready-fd`.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{FromRawFd, RawFd};
use std::path::Path;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use sd_notify::NotifyState;

/// What is written to the descriptor of `--ready-fd`, before it is closed: one line, as readers of lines and programs
/// that wait for a newline (s6's `notification-fd`) expect.
pub const READY_LINE: &[u8] = b"ready\n";

/// The first descriptor that is not standard input, output or error output.
const FIRST_OTHER: u32 = 3;

/// Says once that a daemon serves, and that it ends.
#[derive(Debug, Default)]
pub struct Readiness {
    descriptor: Option<File>,
}

/// A descriptor of `--ready-fd` that nothing can be written to.
#[derive(Debug, thiserror::Error)]
#[error("--ready-fd {number}: {why}")]
pub struct NoDescriptor {
    number: u32,
    why: String,
}

impl Readiness {
    /// Takes the descriptor of `--ready-fd` over, where one is given. To be called before the program opens anything:
    /// what has this number then was inherited from whoever started the program.
    ///
    /// | condition | result |
    /// |---|---|
    /// | none is given | `Ok`, and only the service manager is told |
    /// | it is open | `Ok`; programs that the daemon starts do not inherit it |
    /// | it is not open, or one of 0 to 2 | `Err` |
    pub fn inherited(descriptor: Option<u32>) -> Result<Self, NoDescriptor> {
        let Some(number) = descriptor else {
            return Ok(Readiness::default());
        };
        let refuse = |why: &str| {
            let why = why.to_owned();
            Err(NoDescriptor { number, why })
        };
        if number < FIRST_OTHER {
            return refuse("0, 1 and 2 are the standard ones: give one from 3 on");
        }
        let open = RawFd::try_from(number).ok().filter(|number| {
            Path::new("/proc/self/fd")
                .join(number.to_string())
                .symlink_metadata()
                .is_ok()
        });
        let Some(open) = open else {
            return refuse("the program that started this one left no such descriptor open");
        };
        // SAFETY: the descriptor is open, and no part of this program has it: it was inherited, and the caller comes
        // before the program opens anything. From here on the `File` owns it.
        #[allow(unsafe_code, reason = "an inherited descriptor is a number")]
        let file = unsafe { File::from_raw_fd(open) };
        match fcntl(&file, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)) {
            Ok(_) => {
                let descriptor = Some(file);
                Ok(Readiness { descriptor })
            }
            Err(errno) => refuse(errno.desc()),
        }
    }

    /// Says that the daemon serves. Whoever does not listen any more is no reason to end: that is logged.
    pub fn announce(&mut self) {
        if let Some(descriptor) = self.descriptor.take()
            && let Err(error) = write_to(descriptor)
        {
            log::warn!("can't write to the descriptor of --ready-fd: {error}");
        }
        if let Err(error) = sd_notify::notify(&[NotifyState::Ready]) {
            log::warn!("can't tell systemd that the daemon is ready: {error}");
        }
    }

    /// Says that the daemon begins to end.
    pub fn announce_end(&self) {
        if let Err(error) = sd_notify::notify(&[NotifyState::Stopping]) {
            log::debug!("can't tell systemd that the daemon ends: {error}");
        }
    }
}

fn write_to(mut descriptor: File) -> io::Result<()> {
    descriptor.write_all(READY_LINE)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::IntoRawFd;

    use super::*;

    #[test]
    fn the_line_comes_once_and_then_the_end() {
        let (mut reader, writer) = io::pipe().unwrap();
        let number = u32::try_from(writer.into_raw_fd()).unwrap();
        let mut readiness = Readiness::inherited(Some(number)).unwrap();
        readiness.announce();
        let mut told = Vec::new();
        reader.read_to_end(&mut told).unwrap();
        assert_eq!(told, READY_LINE);
        readiness.announce();
    }

    #[test]
    fn a_descriptor_that_is_none_is_refused_by_its_number() {
        for (number, part) in [
            (0, "standard"),
            (2, "standard"),
            (1_000_000, "left no"),
            (u32::MAX, "left no"),
        ] {
            let error = Readiness::inherited(Some(number)).unwrap_err().to_string();
            assert!(error.contains(&format!("--ready-fd {number}: ")), "{error}");
            assert!(error.contains(part), "{error}");
        }
        Readiness::inherited(None).unwrap().announce();
    }

    #[test]
    fn a_reader_that_is_gone_does_not_end_the_daemon() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let number = u32::try_from(writer.into_raw_fd()).unwrap();
        Readiness::inherited(Some(number)).unwrap().announce();
    }
}
