//! One node of a drive: turns the system calls from a frontend into calls of `st`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pseudotape_bay::Sliced;
use pseudotape_chardev::{
    CallTrouble, Caller, CharDevice, Errno, Handle, IoctlAreas, IoctlRequest, LastClose, News,
    Opened, Told, Unmeasured, WordSize,
};
use pseudotape_human::program_name;
use pseudotape_mtio::{Command, MtOp, Width};
use pseudotape_scsi::{DeviceType, execute_tape};
use pseudotape_st::{AccessMode, Node, OpenFlags, Opening};

use crate::MAX_BLOCK_BYTES;
use crate::dying::is_dying;
use crate::opener::Opener;
use crate::sg::{self, Sg};
use crate::tape_drive::{Awaiting, DriveState, OpenFile, TapeDrive};
use crate::tape_view::DriveView;

/// A node of a drive.
pub struct TapeNode {
    drive: Arc<TapeDrive>,
    name: String,
    node: Node,
    open_wait: Duration,
    /// Answers SCSI commands, where the frontend can fetch the memory that `SG_IO` points to.
    sg: Option<Sg>,
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
            sg: None,
        }
    }

    /// The same on a frontend that can fetch any memory of a caller: the node answers SCSI commands that change
    /// nothing.
    #[must_use]
    pub fn with_commands(mut self) -> Self {
        self.sg = Some(Sg::new(DeviceType::Tape, self.drive.number()));
        self
    }

    /// Whether this is a request of `sg` that this caller may make. As with st, `SG_IO` is for root.
    fn commands(&self, request: IoctlRequest<'_>) -> Option<&Sg> {
        let may = request.caller.uid == 0 || !sg::is_command(request.command);
        let sg = self.sg.as_ref();
        sg.filter(|_| may && sg::is_request(request.command))
    }

    /// SCSI commands. They go past the driver: blocks that were read ahead stay, and the next write continues.
    fn command(
        &self,
        sg: &Sg,
        handle: Handle,
        request: IoctlRequest<'_>,
        output: &mut Vec<u8>,
    ) -> Result<i32, Errno> {
        let mut state = self.drive.state();
        if state.holder.ending || state.holder.file(handle).is_none() {
            return Err(Errno::EIO);
        }
        let result = sg.answer(request, output, |cdb, _data| {
            Ok(execute_tape(cdb, &mut DriveView(&mut state)))
        });
        self.drive.note_trouble(&mut state);
        result
    }

    /// One call on the open file: takes the drive's lock, does the call, notes what went wrong.
    fn call<T>(
        &self,
        handle: Handle,
        work: impl FnOnce(&mut DriveState) -> Result<T, pseudotape_st::Errno>,
    ) -> Result<T, Errno> {
        let mut state = self.drive.state();
        if state.holder.ending || state.holder.file(handle).is_none() {
            // The frontend keeps to its open files, so this is a call that outlived its drive.
            return Err(Errno::EIO);
        }
        let result = self.resume(&mut state).and_then(|()| work(&mut state));
        if result.is_err() {
            self.drive.note_trouble(&mut state);
            if !self.has_slave()
                && let Some(open) = state.holder.file(handle)
            {
                // The program knows by this error. If the close fails as well, the next open need not be told.
                open.wrote = false;
            }
        }
        result.map_err(number)
    }

    /// A call has come after a close that was done early: the tape is as it was before.
    fn resume(&self, state: &mut DriveState) -> Result<(), pseudotape_st::Errno> {
        if !state.st.is_closed_early() {
            return Ok(());
        }
        log::debug!("{}: used after what seemed to be its last close", self.name);
        self.drive.last_close().was_none();
        state.st.resume(state.slot.drive())
    }

    fn try_open(&self, state: &mut DriveState, flags: OpenFlags) -> Result<Opening, Errno> {
        let opening = state.st.open(state.slot.drive(), self.node, flags);
        self.drive.note_trouble(state);
        opening.map_err(number)
    }

    fn note_failed_close(&self, state: &mut DriveState, errno: pseudotape_st::Errno) {
        let message = format!("{}: close after writing failed: {errno}", self.name);
        log::error!("{message}");
        state.trouble = Some(message);
    }

    /// How long this open waits for a slave, where it does.
    fn slave_wait(&self, flags: OpenFlags) -> Option<Duration> {
        let side = self.drive.slave_side()?;
        Some(side.wait()).filter(|wait| !wait.is_zero() && !flags.nonblock)
    }

    fn has_slave(&self) -> bool {
        self.drive
            .slave_side()
            .is_none_or(|side| side.is_attached())
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

/// Notes what a write did.
fn count_written(state: &mut DriveState, calls: u64, bytes: usize) {
    if let Some(open) = &mut state.holder.open {
        open.wrote = true;
    }
    state.transferred.writes += calls;
    state.transferred.written_bytes += bytes as u64;
}

fn number(errno: pseudotape_st::Errno) -> Errno {
    Errno(errno.code())
}

fn open_flags(flags: u32) -> OpenFlags {
    const ACCESS_MODE: u32 = 3;
    let access = match flags & ACCESS_MODE {
        1 => AccessMode::Write,
        2 => AccessMode::ReadWrite,
        _ => AccessMode::Read,
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
        let mut state = match self.drive.idle_state() {
            Some(state) => state,
            // The call in hand can take as long as a slave likes: nobody else waits for its end.
            None if self.drive.is_held_open() => return Err(Errno::EBUSY),
            None => self.drive.state(),
        };
        let state = &mut *state;
        if state.holder.ending {
            return Err(Errno(libc::ENXIO));
        }
        if flags & libc::O_DIRECT.unsigned_abs() != 0 {
            // The kernel lets no st node be opened so, but a file of a mount.
            return Err(Errno(libc::EINVAL));
        }
        let flags = open_flags(flags);
        let files = &mut state.holder;
        if files.open.is_none()
            && !flags.nonblock
            && let Some(untold) = files.untold.take()
        {
            log::warn!(
                "{}: told the error of an earlier close ({untold}) to this open",
                self.name
            );
            return Err(number(untold));
        }
        if files.open.is_none() {
            self.drive.seen().opener = Some(Opener {
                pid: caller.tid,
                program: program_name(caller.tid),
                uid: caller.uid,
                node: self.name.clone(),
            });
        }
        let wait = self.slave_wait(flags);
        let waits = |open: &OpenFile| open.awaiting.is_some();
        if files.open.as_ref().is_some_and(waits) {
            return Err(Errno::EBUSY);
        }
        let is_free = files.open.is_none();
        match (self.try_open(state, flags), wait) {
            (Ok(opening), _) => {
                let handle = state.holder.open(None);
                Ok(self.opened(handle, opening))
            }
            (Err(Errno(libc::ENXIO)), Some(wait)) if is_free && !self.has_slave() => {
                log::debug!("{}: waits for a slave", self.name);
                let until = Instant::now() + wait;
                let handle = state.holder.open(Some(Awaiting { flags, until }));
                // Behind the slave there may be a medium to wait for.
                Ok(Opened::Waiting(handle, wait + self.open_wait))
            }
            (Err(errno), _) => {
                if is_free {
                    self.drive.forget_open(state);
                }
                Err(errno)
            }
        }
    }

    fn open_again(&self, handle: Handle) -> Result<Opened, Errno> {
        let mut state = self.drive.state();
        let state = &mut *state;
        if state.holder.ending || state.holder.file(handle).is_none() {
            return Err(Errno(libc::ENXIO));
        }
        let file = state.holder.file(handle);
        let answer = match file.and_then(|open| open.awaiting) {
            Some(Awaiting { until, .. }) if !self.has_slave() => {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    Err(Errno(libc::ENXIO))
                } else {
                    return Ok(Opened::Waiting(handle, left));
                }
            }
            Some(Awaiting { flags, .. }) => match self.try_open(state, flags) {
                // It came and went: the next one may still come in time.
                Err(Errno(libc::ENXIO)) if !self.has_slave() => {
                    return Ok(Opened::Waiting(handle, self.open_wait));
                }
                opening => {
                    if let Some(open) = state.holder.file(handle) {
                        open.awaiting = None;
                    }
                    opening
                }
            },
            None => state.st.open_again(state.slot.drive()).map_err(number),
        };
        match answer {
            Ok(opening) => Ok(self.opened(handle, opening)),
            Err(errno) => {
                self.drive.forget_open(state);
                Err(errno)
            }
        }
    }

    fn abandon_open(&self, handle: Handle) -> Errno {
        let mut state = self.drive.state();
        let awaiting = match state.holder.file(handle) {
            Some(open) => {
                let awaiting = open.awaiting;
                self.drive.forget_open(&mut state);
                awaiting
            }
            None => None,
        };
        match awaiting {
            Some(_) => Errno(libc::ENXIO),
            None => number(state.st.abandon_open()),
        }
    }

    fn read(&self, handle: Handle, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.call(handle, |state| {
            let count = state.st.read(state.slot.drive(), buffer)?;
            state.transferred.reads += 1;
            state.transferred.read_bytes += count as u64;
            Ok(count)
        })
    }

    fn check_write(&self, handle: Handle, length_bytes: usize) -> Result<usize, Errno> {
        self.call(handle, |state| {
            let room = state.st.check_write(state.slot.drive(), length_bytes)?;
            if let Some(open) = state.holder.file(handle) {
                open.announced = true;
            }
            Ok(room)
        })
    }

    fn write(&self, handle: Handle, data: &[u8]) -> Result<usize, Errno> {
        self.call(handle, |state| {
            self.drive.announced_came(state);
            let count = state.st.write(state.slot.drive(), data)?;
            count_written(state, 1, count);
            Ok(count)
        })
    }

    fn extend(&self, handle: Handle, data: &[u8]) -> Result<usize, Errno> {
        self.call(handle, |state| {
            let count = state.st.extend(state.slot.drive(), data)?;
            count_written(state, 0, count);
            Ok(count)
        })
    }

    fn unmeasured(&self, _handle: Handle) -> Unmeasured {
        let mut state = self.drive.state();
        match usize::try_from(state.st.snapshot().block_size) {
            Ok(0) | Err(_) => Unmeasured::Block {
                max_bytes: state.slot.drive().block_limits().max_bytes as usize,
            },
            Ok(block_bytes) => Unmeasured::Stream { block_bytes },
        }
    }

    fn note(&self, handle: Handle, trouble: CallTrouble, told: Told) {
        let mut state = self.drive.state();
        if state.holder.file(handle).is_none() {
            return;
        }
        let message = format!("{}: {trouble}", self.name);
        log::error!("{message}");
        state.trouble = Some(message);
        if told == Told::ToNobody {
            state.holder.untold = Some(pseudotape_st::Errno::Io);
        }
    }

    fn ioctl(
        &self,
        handle: Handle,
        request: IoctlRequest<'_>,
        output: &mut Vec<u8>,
    ) -> Result<i32, Errno> {
        if sg::is_reset(request.command) && self.sg.is_some() {
            return sg::reset(request, || match self.drive.reset() {
                Ok(_) => Ok(()),
                Err(error) => {
                    log::error!("{}: {error:#}", self.name);
                    Err(Errno::EIO)
                }
            });
        }
        if let Some(sg) = self.commands(request) {
            return self.command(sg, handle, request, output);
        }
        let caller = pseudotape_st::Caller {
            privileged: request.caller.uid == 0,
        };
        self.call(handle, |state| match Command::decode(request.command) {
            Command::Operation => {
                let operation =
                    MtOp::decode(request.input).map_err(|_| pseudotape_st::Errno::Invalid)?;
                let wanted = || !self.drive.is_asked_to_end() && !is_dying(request.caller.tid);
                let mut drive = Sliced::new(state.slot.drive(), &wanted);
                state.st.op(&mut drive, operation, caller)?;
                Ok(0)
            }
            Command::Status(_) => {
                state
                    .st
                    .get(state.slot.drive())?
                    .encode(width(request.word_size), output);
                Ok(0)
            }
            Command::Position(_) => {
                state
                    .st
                    .pos(state.slot.drive())?
                    .encode(width(request.word_size), output);
                Ok(0)
            }
            Command::Other(command) => {
                Err(state.st.other_ioctl(state.slot.drive(), command, caller))
            }
        })
    }

    fn ioctl_areas(&self, request: IoctlRequest<'_>) -> Result<IoctlAreas, Errno> {
        let areas = self.commands(request).and_then(|_| sg::areas(request));
        areas.unwrap_or_else(|| Ok(IoctlAreas::of_command(request.command, request.argument)))
    }

    fn flush(&self, handle: Handle) -> Result<(), Errno> {
        let _near = self.drive.last_close().flush();
        if self.drive.state().st.is_closed_early() {
            return Ok(());
        }
        // Each write has told its own errors. An error in which the close is sure to end is told now.
        self.call(handle, |state| {
            state.st.ask_before_close(state.slot.drive())
        })
    }

    fn owes_at_close(&self, handle: Handle) -> bool {
        let mut state = self.drive.state();
        let goes_on = !state.holder.ending && state.holder.file(handle).is_some();
        goes_on && state.st.owes_filemark()
    }

    fn close_early(&self, handle: Handle) -> Result<(), Errno> {
        let mut state = self.drive.state();
        let state = &mut *state;
        if state.holder.ending || state.holder.file(handle).is_none() {
            return Err(Errno::EIO);
        }
        self.drive.last_close().begin();
        let result = state.st.close_early(state.slot.drive());
        self.drive.note_trouble(state);
        if let Err(errno) = result {
            // The program is told as well, but one that just exits does not listen.
            self.note_failed_close(state, errno);
        }
        result.map_err(number)
    }

    fn close(&self, handle: Handle) -> Result<(), Errno> {
        self.drive.last_close().begin();
        let mut state = self.drive.state();
        let state = &mut *state;
        let Some(file) = state.holder.file(handle) else {
            self.drive.last_close().was_none();
            // A daemon that ends has closed the file itself, and has told how the close went.
            return state.holder.ending.then_some(()).ok_or(Errno::EIO);
        };
        let wrote = file.wrote;
        // An error that is known before the close was told to the program by the calls that failed.
        let foretold = state.st.foretell_close().is_some();
        let result = state.st.close(state.slot.drive());
        self.drive.note_trouble(state);
        let wrote = wrote && !foretold;
        self.drive.forget_open(state);
        if let (Err(errno), true) = (result, wrote) {
            self.note_failed_close(state, errno);
            state.holder.untold = Some(errno);
        }
        result.map_err(number)
    }

    fn max_transfer_bytes(&self) -> usize {
        MAX_BLOCK_BYTES as usize
    }

    fn last_close(&self) -> Option<&LastClose> {
        Some(self.drive.last_close())
    }

    fn news(&self) -> Option<&News> {
        Some(self.drive.news())
    }

    fn waits_for_others(&self) -> bool {
        // A fault can make any drive hang, and a leg can be a node of this daemon.
        self.drive.slave_side().is_some()
            || self.drive.legs_side().is_some()
            || self.drive.faults().is_armed()
    }
}
