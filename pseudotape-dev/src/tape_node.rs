//! One node of a drive, as a frontend serves it: system calls in, calls of `st` out.

use std::sync::Arc;
use std::time::Duration;

use pseudotape_chardev::{
    Caller, CharDevice, Errno, Handle, IoctlRequest, Opened, Unmeasured, WordSize,
};
use pseudotape_control::OpenStatus;
use pseudotape_mtio::{Command, MtOp, Width};
use pseudotape_st::{Access, Node, OpenFlags, Opening};

use crate::MAX_BLOCK_BYTES;
use crate::tape_drive::{DriveState, TapeDrive};

/// A node of a drive.
pub struct TapeNode {
    drive: Arc<TapeDrive>,
    name: String,
    node: Node,
    open_wait: Duration,
}

impl TapeNode {
    /// The node of that name.
    #[must_use]
    pub fn new(drive: Arc<TapeDrive>, name: String, node: Node, open_wait: Duration) -> Self {
        TapeNode {
            drive,
            name,
            node,
            open_wait,
        }
    }

    /// One call on the open file: takes the drive's lock, does it, notes what went wrong.
    fn call<T>(
        &self,
        handle: Handle,
        work: impl FnOnce(&mut DriveState) -> Result<T, pseudotape_st::Errno>,
    ) -> Result<T, Errno> {
        let mut state = self.drive.state();
        if state.handle != Some(handle) || state.ending {
            // The frontend keeps to its open files, so this is a call that outlived its drive.
            return Err(Errno::EIO);
        }
        let result = work(&mut state);
        if result.is_err() {
            state.note_trouble(self.drive.number());
        }
        result.map_err(number)
    }

    /// The frontend waits, without the lock.
    fn opened(&self, handle: Handle, opening: Opening) -> Opened {
        match opening {
            Opening::Open => Opened::Open(handle),
            Opening::Waiting => {
                log::debug!("{}: waits for a medium", self.name);
                Opened::Waiting(handle, self.open_wait)
            }
        }
    }
}

fn number(errno: pseudotape_st::Errno) -> Errno {
    Errno(errno.code())
}

fn open_flags(flags: u32) -> OpenFlags {
    const ACCESS_MODE: u32 = 3;
    let access = match flags & ACCESS_MODE {
        1 => Access::Write,
        2 => Access::ReadWrite,
        _ => Access::Read,
    };
    OpenFlags {
        access,
        nonblock: flags & libc::O_NONBLOCK.unsigned_abs() != 0,
    }
}

fn width(word_size: WordSize) -> Width {
    match word_size {
        WordSize::Bits64 => Width::Bits64,
        WordSize::Bits32 => Width::Bits32,
    }
}

impl CharDevice for TapeNode {
    fn open(&self, flags: u32, caller: Caller) -> Result<Opened, Errno> {
        let mut state = self.drive.state();
        let state = &mut *state;
        if state.ending {
            return Err(Errno(libc::ENXIO));
        }
        if flags & libc::O_DIRECT.unsigned_abs() != 0 {
            // The kernel lets no st node be opened so, but a file of a mount.
            return Err(Errno(libc::EINVAL));
        }
        let flags = open_flags(flags);
        if let Some(untold) = state
            .untold
            .filter(|_| state.handle.is_none() && !flags.nonblock)
        {
            state.untold = None;
            log::warn!(
                "{}: told the error of an earlier close ({untold}) to this open",
                self.name
            );
            return Err(number(untold));
        }
        let opening = state.st.open(&mut state.drive, self.node, flags);
        state.note_trouble(self.drive.number());
        let opening = opening.map_err(number)?;
        let handle = state.new_handle();
        state.handle = Some(handle);
        state.wrote = false;
        state.opener = Some(OpenStatus {
            pid: caller.tid,
            program: program_name(caller.tid),
            uid: caller.uid,
            node: self.name.clone(),
        });
        Ok(self.opened(handle, opening))
    }

    fn open_again(&self, handle: Handle) -> Result<Opened, Errno> {
        let mut state = self.drive.state();
        let state = &mut *state;
        if state.handle != Some(handle) || state.ending {
            return Err(Errno(libc::ENXIO));
        }
        match state.st.open_again(&mut state.drive) {
            Ok(opening) => Ok(self.opened(handle, opening)),
            Err(errno) => {
                state.forget_open();
                Err(number(errno))
            }
        }
    }

    fn abandon_open(&self, handle: Handle) -> Errno {
        let mut state = self.drive.state();
        if state.handle == Some(handle) {
            state.forget_open();
        }
        number(state.st.abandon_open())
    }

    fn read(&self, handle: Handle, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.call(handle, |state| {
            let count = state.st.read(&mut state.drive, buffer)?;
            state.transfer.reads += 1;
            state.transfer.read_bytes += count as u64;
            Ok(count)
        })
    }

    fn check_write(&self, handle: Handle, length_bytes: usize) -> Result<usize, Errno> {
        self.call(handle, |state| {
            let room = state.st.check_write(&mut state.drive, length_bytes)?;
            state.announced = true;
            Ok(room)
        })
    }

    fn write(&self, handle: Handle, data: &[u8]) -> Result<usize, Errno> {
        self.call(handle, |state| {
            state.announced = false;
            let count = state.st.write(&mut state.drive, data)?;
            state.count_written(1, count);
            Ok(count)
        })
    }

    fn extend(&self, handle: Handle, data: &[u8]) -> Result<usize, Errno> {
        self.call(handle, |state| {
            let count = state.st.extend(&mut state.drive, data)?;
            state.count_written(0, count);
            Ok(count)
        })
    }

    fn unmeasured(&self, _handle: Handle) -> Unmeasured {
        let state = self.drive.state();
        match usize::try_from(state.st.snapshot().block_size) {
            Ok(0) | Err(_) => Unmeasured::Block {
                max_bytes: state.drive.personality().limits.max_bytes as usize,
            },
            Ok(block_bytes) => Unmeasured::Stream { block_bytes },
        }
    }

    fn ioctl(
        &self,
        handle: Handle,
        request: IoctlRequest<'_>,
        output: &mut Vec<u8>,
    ) -> Result<i32, Errno> {
        let caller = pseudotape_st::Caller {
            privileged: request.caller.uid == 0,
        };
        self.call(handle, |state| match Command::decode(request.command) {
            Command::Operation => {
                let operation =
                    MtOp::decode(request.input).map_err(|_| pseudotape_st::Errno::Invalid)?;
                state.st.op(&mut state.drive, operation, caller)?;
                Ok(0)
            }
            Command::Status(_) => {
                state
                    .st
                    .get(&mut state.drive)?
                    .encode(width(request.word_size), output);
                Ok(0)
            }
            Command::Position(_) => {
                state
                    .st
                    .pos(&mut state.drive)?
                    .encode(width(request.word_size), output);
                Ok(0)
            }
            Command::Other(command) => Err(state.st.other_ioctl(&mut state.drive, command, caller)),
        })
    }

    fn flush(&self, handle: Handle) -> Result<(), Errno> {
        // Nothing is late of what a write could tell; what the close is sure to end in is told now.
        self.call(handle, |state| {
            state.st.foretell_close().map_or(Ok(()), Err)
        })
    }

    fn close(&self, handle: Handle) -> Result<(), Errno> {
        let mut state = self.drive.state();
        let state = &mut *state;
        if state.handle != Some(handle) {
            return Err(Errno::EIO);
        }
        // What is known before, the program was told by the calls that failed.
        let foretold = state.st.foretell_close().is_some();
        let result = state.st.close(&mut state.drive);
        state.note_trouble(self.drive.number());
        let wrote = state.wrote && !foretold;
        state.forget_open();
        if let (Err(errno), true) = (result, wrote) {
            let message = format!("{}: close after writing failed: {errno}", self.name);
            log::error!("{message}");
            state.last_error = Some(message);
            state.untold = Some(errno);
        }
        result.map_err(number)
    }

    fn max_transfer_bytes(&self) -> usize {
        MAX_BLOCK_BYTES as usize
    }
}

impl DriveState {
    fn count_written(&mut self, calls: u64, bytes: usize) {
        self.wrote = true;
        self.transfer.writes += calls;
        self.transfer.written_bytes += bytes as u64;
    }

    fn forget_open(&mut self) {
        self.handle = None;
        self.opener = None;
        self.announced = false;
        self.wrote = false;
    }
}

fn program_name(tid: u32) -> Option<String> {
    let name = std::fs::read_to_string(format!("/proc/{tid}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}
