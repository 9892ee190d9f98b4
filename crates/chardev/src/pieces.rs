use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use crate::calls::{CallOf, CallShape, Calls, Direction};
use crate::device::{CharDevice, IoctlAreas, IoctlRequest, Told};
use crate::numbers::{Errno, Handle};
use crate::staging::{InHand, OpenFile, Staging, Work};

mod first;
#[cfg(test)]
mod kernel;
mod next;
#[cfg(test)]
mod tests;

pub use crate::staging::CALLS_IN_HAND_MAX;

/// How the kernel cuts system calls: a piece ends at `max_bytes`, or when it touches
/// `max_bytes / page_bytes` pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The most that a piece carries.
    pub max_bytes: usize,
    /// Length of a page of memory.
    pub page_bytes: usize,
}

impl Cut {
    /// Whether a further piece may follow a piece of this length of a plain call.
    ///
    /// A buffer that does not begin at a page touches one page more than its length needs. For a
    /// call with a list of buffers nothing can be said: each of them touches pages of its own.
    fn may_go_on(&self, length: usize) -> bool {
        length + self.page_bytes > self.max_bytes
    }
}

/// Where the first piece of a call begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstPiece {
    /// At offset 0, whatever call it is (a CUSE node).
    AtZero,
    /// At offset 0 if the call is a read or a write, and where the call before it ended if it is `splice` or one of its
    /// relatives (a FUSE file).
    AtZeroOrPosition,
    /// Anywhere: at what the kernel takes for the end of the file (`O_APPEND` on a FUSE file).
    Anywhere,
}

/// One request of the kernel for data, out of one or more that it makes of a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The open file.
    pub handle: Handle,
    /// The calling task; 0 where unknown.
    pub tid: u32,
    /// Offset that the kernel gives.
    pub offset: u64,
    /// How to know a first piece.
    pub first: FirstPiece,
}

/// The answer to a piece of a read.
struct Given<'a> {
    bytes: &'a [u8],
    /// The caller's buffer, where the bytes are not in it.
    buffer: Option<&'a mut [u8]>,
}

/// Puts system calls together from the pieces that the kernel makes of them.
///
/// | length of the call | write | read |
/// |---|---|---|
/// | one piece | handed down at once | handed down at once |
/// | known | checked at the first piece, gathered, handed down whole at the last | made whole at the first piece, handed out |
/// | unknown | handed down at once, then lengthened piece by piece | made with room for the longest block, handed out |
///
/// A call that is known to be neither a read nor a write is `EINVAL`, as with st: the kernel hands over parts of such a
/// call, and those parts have no length of their own.
///
/// A read of unknown length that was given the beginning of a longer block may have had room for no more. Only the next
/// call shows that the rest was lost: this next call fails with `EIO`, and the device takes note of the loss.
///
/// The kernel reports an error only for the first piece of a call; a later one ends the call with
/// a short count. An error that could not be told then is told to the next write, or at `flush`.
///
/// A writer that is killed between two pieces of a call of known length leaves nothing on the
/// device. A call that the kernel ends early (a bad buffer) is written as far as it came, because
/// its caller got that count.
pub struct Pieces {
    device: Arc<dyn CharDevice>,
    calls: Arc<dyn Calls>,
    cut: Cut,
    state: Mutex<State>,
    inferred: AtomicBool,
    inferred_told: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    open: Vec<OpenFile>,
    in_hand: Vec<InHand>,
    staging: Staging,
}

/// What the first piece of a call shows of the whole call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measured {
    /// The piece is the whole call.
    Whole,
    /// The piece is as long as the last whole call was.
    Usual,
    /// More is to come.
    Longer { total: usize, shape: CallShape },
    /// The call is neither a read nor a write.
    Other,
    /// Perhaps more is to come.
    Unknown,
}

impl Pieces {
    /// Serves a device to a kernel that cuts calls this way.
    #[must_use]
    pub fn new(device: Arc<dyn CharDevice>, calls: Arc<dyn Calls>, cut: Cut) -> Self {
        Pieces {
            device,
            calls,
            cut,
            state: Mutex::new(State::default()),
            inferred: AtomicBool::new(false),
            inferred_told: AtomicBool::new(false),
        }
    }

    /// The device, for the calls that the kernel does not cut.
    #[must_use]
    pub fn device(&self) -> &dyn CharDevice {
        &*self.device
    }

    /// A piece of `write(2)`; the answer is the piece's.
    pub fn write(&self, piece: Piece, data: &[u8]) -> Result<usize, Errno> {
        let mut state = self.lock();
        if let Some(answer) = self.next_write(&mut state, piece, data) {
            return answer;
        }
        match piece.first {
            FirstPiece::AtZero if piece.offset != 0 => Err(Errno::EIO),
            // Heard by the caller of a `splice` only: the further piece of a write becomes a short count.
            FirstPiece::AtZeroOrPosition if piece.offset != 0 => Err(Errno::EINVAL),
            FirstPiece::AtZero | FirstPiece::AtZeroOrPosition | FirstPiece::Anywhere => {
                self.first_write(&mut state, piece, data)
            }
        }
    }

    /// A piece of `read(2)`, as long as `buffer`, which may be used for the answer.
    ///
    /// `reply` gets the piece's answer, not always from `buffer`.
    pub fn read<R>(
        &self,
        piece: Piece,
        buffer: &mut [u8],
        reply: impl FnOnce(Result<&[u8], Errno>) -> R,
    ) -> R {
        self.read_given(piece, buffer, |given| reply(given.map(|given| given.bytes)))
    }

    /// The same, for who needs the answer in `buffer`: as many bytes of it as are returned.
    pub fn read_into(&self, piece: Piece, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.read_given(piece, buffer, |given| {
            let Given { bytes, buffer } = given?;
            if let Some(buffer) = buffer {
                buffer
                    .get_mut(..bytes.len())
                    .ok_or(Errno::EIO)?
                    .copy_from_slice(bytes);
            }
            Ok(bytes.len())
        })
    }

    fn read_given<R>(
        &self,
        piece: Piece,
        buffer: &mut [u8],
        reply: impl FnOnce(Result<Given<'_>, Errno>) -> R,
    ) -> R {
        let mut state = self.lock();
        if piece.offset == 0 {
            self.first_read(&mut state, piece, buffer, reply)
        } else {
            self.next_read(&mut state, piece, buffer, reply)
        }
    }

    /// `ioctl(2)`; ends what the calling task had in hand on this file.
    pub fn ioctl(
        &self,
        handle: Handle,
        request: IoctlRequest<'_>,
        output: &mut Vec<u8>,
    ) -> Result<i32, Errno> {
        let mut state = self.lock();
        self.end_reads(&mut state, handle)?;
        self.end_call_of(&mut state, handle, request.caller.tid);
        state.end_unmeasured(handle);
        if let Some(file) = state.known(handle) {
            file.owed_read = None;
        }
        drop(state);
        self.device.ioctl(handle, request, output)
    }

    /// See [`CharDevice::ioctl_areas`].
    pub fn ioctl_areas(&self, request: IoctlRequest<'_>) -> Result<IoctlAreas, Errno> {
        self.device.ioctl_areas(request)
    }

    /// `close(2)` of one of several descriptors by this task: tells an error that no call was told.
    pub fn flush(&self, handle: Handle, tid: u32) -> Result<(), Errno> {
        let mut state = self.lock();
        let is_its_read = |call: &InHand| call.handle == handle && call.tid == tid;
        if state.in_hand.iter().any(is_its_read) {
            self.end_reads(&mut state, handle)?;
        }
        let owed = state.known(handle).and_then(|file| file.owed_write.take());
        drop(state);
        match owed {
            Some(errno) => Err(errno),
            None => self.device.flush(handle),
        }
    }

    /// The last `close(2)`. A call that is still in hand belongs to a task that was killed: it is dropped.
    pub fn close(&self, handle: Handle) -> Result<(), Errno> {
        let mut state = self.lock();
        let of_it = state.in_hand.iter().filter(|call| call.handle == handle);
        for trouble in of_it.filter_map(InHand::left_behind) {
            self.device.note(handle, trouble, Told::ToNobody);
        }
        state.in_hand.retain(|call| call.handle != handle);
        state.open.retain(|file| file.handle != handle);
        if state.open.is_empty() {
            state.staging.shrink();
        }
        drop(state);
        self.device.close(handle)
    }

    /// Whether a call is being worked on, or some of its pieces are known to be still to come.
    #[must_use]
    pub fn in_hand(&self) -> bool {
        let awaited = |state: &State| state.in_hand.iter().any(InHand::is_awaited);
        match self.state.try_lock() {
            Ok(state) => awaited(&state),
            Err(TryLockError::Poisoned(state)) => awaited(&state.into_inner()),
            Err(TryLockError::WouldBlock) => true,
        }
    }

    /// Tells once, after the first such call, that the length of a call had to be inferred because nobody could ask
    /// for the caller's task.
    pub fn lengths_are_inferred(&self) -> bool {
        self.inferred.load(Ordering::Relaxed) && !self.inferred_told.swap(true, Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in the device leaves this state whole: it changes between calls only.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds out how long the call is that this piece begins.
    fn measure(
        &self,
        state: &mut State,
        piece: Piece,
        direction: Direction,
        length: usize,
    ) -> Measured {
        let may_go_on = self.cut.may_go_on(length);
        let usual = state.file(piece.handle).usual(direction);
        // Where a piece begins anywhere, a further one of a list of buffers could not be told from a call of its own.
        if !may_go_on && *usual == length && piece.first != FirstPiece::Anywhere {
            return Measured::Usual;
        }
        match self.call_of(piece, direction, length) {
            CallOf::Other => Measured::Other,
            CallOf::Known(call) if call.length_bytes == length => {
                if call.shape == CallShape::Plain && !may_go_on {
                    *usual = length;
                }
                Measured::Whole
            }
            CallOf::Known(call) if call.length_bytes > length => match call.shape {
                // The rest of the buffer is bad memory: the kernel goes no further.
                CallShape::Plain if !may_go_on => Measured::Whole,
                shape => Measured::Longer {
                    total: call.length_bytes,
                    shape,
                },
            },
            CallOf::Known(_) | CallOf::Unknown => {
                if may_go_on {
                    self.inferred.store(true, Ordering::Relaxed);
                }
                Measured::Unknown
            }
        }
    }

    /// The call to which a piece of this length belongs.
    fn call_of(&self, piece: Piece, direction: Direction, length: usize) -> CallOf {
        match self.calls.call_of(piece.tid, direction) {
            // The piece does not belong to this call. A worker of io_uring seems to be in a read of no bytes.
            CallOf::Known(call) if call.length_bytes < length => CallOf::Other,
            call => call,
        }
    }

    /// Ends the reads of unknown length on this file, because a further call shows that their tasks have returned.
    /// Where one of them lost the rest of its block, the further call fails: nobody was told before.
    fn end_reads(&self, state: &mut State, handle: Handle) -> Result<(), Errno> {
        let mut result = Ok(());
        let is_one = |call: &InHand| call.handle == handle && call.is_unmeasured_read();
        while let Some(place) = state.in_hand.iter().position(is_one) {
            let call = state.in_hand.swap_remove(place);
            if let Some(trouble) = call.left_behind() {
                self.device.note(handle, trouble, Told::ByACall);
                result = Err(Errno::EIO);
            }
            state.staging.give(call.buffer);
        }
        result
    }

    /// Ends a call that this task has in hand although the task makes another one: the kernel ended the first call
    /// early, and the task has its short count.
    fn end_call_of(&self, state: &mut State, handle: Handle, tid: u32) {
        let Some(place) = state
            .in_hand
            .iter()
            .position(|call| call.handle == handle && call.tid == tid)
        else {
            return;
        };
        let call = state.in_hand.swap_remove(place);
        if let Work::Gather { take, .. } = call.work {
            let data = call
                .buffer
                .get(..call.done.min(take))
                .expect("gathered into it");
            if let Err(errno) = self.device.write(handle, data) {
                state.file(handle).owed_write = Some(errno);
            }
        }
        state.staging.give(call.buffer);
    }
}

impl State {
    fn known(&mut self, handle: Handle) -> Option<&mut OpenFile> {
        self.open.iter_mut().find(|file| file.handle == handle)
    }

    /// The state kept for an open file: one for each file that the device has open.
    fn file(&mut self, handle: Handle) -> &mut OpenFile {
        let place = match self.open.iter().position(|file| file.handle == handle) {
            Some(place) => place,
            None => {
                self.open.push(OpenFile::new(handle));
                self.open.len() - 1
            }
        };
        &mut self.open[place]
    }

    /// Ends what could be lengthened or read on.
    fn end_unmeasured(&mut self, handle: Handle) {
        if let Some(file) = self.known(handle) {
            file.end_growth();
            file.streaming = None;
        }
    }
}

impl OpenFile {
    fn usual(&mut self, direction: Direction) -> &mut usize {
        match direction {
            Direction::Read => &mut self.usual_read,
            Direction::Write => &mut self.usual_write,
        }
    }
}
