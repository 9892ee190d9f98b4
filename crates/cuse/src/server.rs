use std::io::PipeReader;
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::{debug, error, info, warn};
use nix::poll::PollTimeout;
use pseudotape_chardev::{
    Area, Caller, Calls, CharDevice, Cut, Errno, FirstPiece, Handle, IoctlRequest, Opened, Piece,
    Pieces, Readiness, StreamRead, Waker, WhenEmpty,
};

use crate::channel::{Channel, Received};
use crate::error::CuseError;
use crate::parked::ParkedReads;
use crate::waiting::{OpenFiles, Opening, WaitingOpens};
use pseudotape_wire::{Areas, Ioctl, Poll, Request, RequestId, RequestKind, Transfer, abi};

/// The most that a request carries: 32 pages, whatever a daemon asks for (`fc->max_pages` stays at
/// its default, for CUSE_INIT can't name another).
pub(crate) const TRANSFER_MAX_BYTES: u32 = 131_072;

/// Room for everything in a request that is not data.
const REQUEST_HEAD_MAX_BYTES: usize = 4096;

/// The most bytes of all areas of one `ioctl`, for each direction: what fits in a request.
const IOCTL_MAX_BYTES: u64 = TRANSFER_MAX_BYTES as u64;

/// How long a stop waits for the further pieces of a call in hand.
const FINISH_MAX: Duration = Duration::from_secs(5);

/// "No memory": what the kernel answers when areas are too large.
const ENOMEM: Errno = Errno(12);

/// Answers the requests for one device, in the thread that reads them.
pub(crate) struct Server {
    name: String,
    device: Arc<dyn CharDevice>,
    channel: Channel,
    pieces: Pieces,
    waiting: Arc<WaitingOpens>,
    parked: Arc<ParkedReads>,
    files: Arc<OpenFiles>,
    output: Vec<u8>,
    /// For data on their way to a reader.
    data: Vec<u8>,
}

/// Whether the server goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    GoOn,
    End,
}

impl Server {
    pub(crate) fn new(
        name: String,
        device: Arc<dyn CharDevice>,
        calls: Arc<dyn Calls>,
        channel: Channel,
    ) -> Self {
        let cut = Cut {
            max_bytes: TRANSFER_MAX_BYTES as usize,
            page_bytes: page_bytes(),
        };
        Server {
            name,
            channel,
            pieces: Pieces::new(device.clone(), calls, cut),
            device,
            waiting: Arc::default(),
            parked: Arc::default(),
            files: Arc::default(),
            output: Vec::new(),
            data: vec![0; TRANSFER_MAX_BYTES as usize],
        }
    }

    /// A buffer that holds any request.
    pub(crate) fn request_buffer() -> Vec<u8> {
        vec![0; TRANSFER_MAX_BYTES as usize + REQUEST_HEAD_MAX_BYTES]
    }

    /// Serves until it is stopped or the kernel ends the device; then closes what is open.
    pub(crate) fn run(mut self, stop: &PipeReader) -> Result<(), CuseError> {
        let result = self.serve(stop);
        self.waiting.end(&*self.device);
        for handle in self.files.take() {
            info!("{}: closed, it was still open", self.name);
            if let Err(errno) = self.pieces.close(handle) {
                error!("{}: close at the end: {errno}", self.name);
            }
        }
        result
    }

    fn serve(&mut self, stop: &PipeReader) -> Result<(), CuseError> {
        let mut buffer = Self::request_buffer();
        let mut stopping = None;
        loop {
            let received = match stopping {
                None => self
                    .channel
                    .receive(&mut buffer, Some(stop), PollTimeout::NONE),
                Some(until) if self.pieces.in_hand() && Instant::now() < until => {
                    let pause = PollTimeout::from(20_u8);
                    self.channel.receive(&mut buffer, None, pause)
                }
                Some(_) => return Ok(()),
            };
            let received = received
                .map_err(|e| CuseError::io(format!("read requests of {}", self.name), e))?;
            match received {
                Received::Request(length) => {
                    if self.answer(buffer.get(..length).unwrap_or(&buffer)) == Next::End {
                        return Err(self.ended());
                    }
                }
                Received::Stop => stopping = Some(Instant::now() + FINISH_MAX),
                Received::Nothing => {}
                Received::Ended => return Err(self.ended()),
            }
            if self.pieces.lengths_are_inferred() {
                warn!(
                    "{}: a caller's task could not be asked how long its system call is: lengths over \
                     {TRANSFER_MAX_BYTES} bytes are inferred, and a read that is shorter than its block is known by \
                     the call after it only",
                    self.name
                );
            }
        }
    }

    fn ended(&self) -> CuseError {
        CuseError::Ended {
            name: self.name.clone(),
        }
    }

    fn answer(&mut self, bytes: &[u8]) -> Next {
        let request = match Request::decode(bytes) {
            Ok(request) => request,
            Err(e) => {
                error!("{}: {e}", self.name);
                if let Some(unique) = e.to_answer() {
                    self.channel.error(unique, Errno::EIO);
                }
                return Next::GoOn;
            }
        };
        let unique = request.unique;
        match request.kind {
            RequestKind::Open { flags } => self.open(unique, flags, request.caller),
            RequestKind::Read(transfer) => self.read(unique, request.caller, transfer),
            RequestKind::Write(transfer, data) => {
                let answer = match self.device.stream() {
                    Some(stream) => stream.write(transfer.handle, data),
                    None => self.pieces.write(piece(request.caller, transfer), data),
                };
                self.channel.written(unique, answer);
            }
            RequestKind::Ioctl(ioctl) => self.ioctl(unique, request.caller, ioctl),
            RequestKind::Poll(poll) => self.poll(unique, poll),
            RequestKind::Flush(handle) => match self.pieces.flush(handle, request.caller.tid) {
                Ok(()) => self.done(unique),
                Err(errno) => self.refuse(unique, errno),
            },
            // What a tape answers; the kernel says it by itself and does not ask.
            RequestKind::Fsync(_) => self.refuse(unique, Errno::EINVAL),
            RequestKind::Release(handle) => self.release(unique, handle),
            RequestKind::Interrupt(interrupted) => {
                self.waiting
                    .interrupt(interrupted, &*self.device, &self.channel);
                self.parked.interrupt(interrupted, &self.channel);
            }
            RequestKind::Forget => {}
            RequestKind::Destroy => {
                self.done(unique);
                return Next::End;
            }
            RequestKind::Init { .. } => {
                warn!("{}: a second CUSE_INIT", self.name);
                self.refuse(unique, Errno::EIO);
            }
            RequestKind::Files(_) => {
                warn!("{}: a request for files of a mount", self.name);
                self.refuse(unique, Errno::ENOSYS);
            }
            RequestKind::Unsupported(opcode) => {
                debug!("{}: request {opcode} is not known", self.name);
                self.refuse(unique, Errno::ENOSYS);
            }
        }
        Next::GoOn
    }

    fn refuse(&self, unique: RequestId, errno: Errno) {
        self.channel.error(unique, errno);
    }

    fn done(&self, unique: RequestId) {
        self.channel.empty(unique);
    }

    fn open(&self, unique: RequestId, flags: u32, caller: Caller) {
        match self.device.open(flags, caller) {
            Ok(Opened::Open(handle)) => {
                self.files
                    .open(handle, unique, &self.channel, &*self.device);
            }
            Ok(Opened::Waiting(handle, longest)) => self.waiting.add(Opening {
                device: self.device.clone(),
                channel: self.channel.clone(),
                unique,
                handle,
                until: Instant::now() + longest,
                files: self.files.clone(),
            }),
            Err(errno) => self.refuse(unique, errno),
        }
    }

    fn release(&self, unique: RequestId, handle: Handle) {
        self.files.forget(handle);
        if let Err(errno) = self.pieces.close(handle) {
            // close(2) returns before anybody could look at it.
            warn!("{}: close: {errno}, which its caller can't see", self.name);
        }
        self.done(unique);
    }

    fn read(&mut self, unique: RequestId, caller: Caller, transfer: Transfer) {
        if let Some(stream) = self.device.stream() {
            let read = StreamRead {
                handle: transfer.handle,
                room_bytes: transfer.length_bytes,
                when_empty: when_empty(transfer),
            };
            let reader = self.parked.park(unique, &self.channel);
            return stream.read(read, Box::new(reader));
        }
        let Some(buffer) = self.data.get_mut(..transfer.length_bytes) else {
            // More than was agreed on at the beginning.
            return self.refuse(unique, Errno::EINVAL);
        };
        let channel = &self.channel;
        self.pieces.read(piece(caller, transfer), buffer, |answer| {
            channel.read(unique, answer)
        });
    }

    fn poll(&self, unique: RequestId, poll: Poll) {
        let Some(stream) = self.device.stream() else {
            // Not implemented: then the kernel says that the device is always ready, and asks no more.
            return self.refuse(unique, Errno::ENOSYS);
        };
        let channel = self.channel.clone();
        let waker = |poll| -> Waker { Box::new(move || channel.wake_poll(poll)) };
        let ready: Readiness = stream.poll(poll.handle, poll.wake.map(waker));
        self.channel.polled(unique, ready.poll_bits());
    }

    fn ioctl(&mut self, unique: RequestId, caller: Caller, ioctl: Ioctl<'_>) {
        let request = IoctlRequest {
            command: ioctl.command,
            argument: ioctl.argument,
            input: ioctl.input,
            caller,
            word_size: ioctl.word_size,
        };
        if ioctl.areas == Areas::OnDemand {
            let areas = match self.pieces.ioctl_areas(request) {
                Ok(areas) => areas,
                Err(errno) => return self.refuse(unique, errno),
            };
            let input = total_bytes(&areas.input);
            let output = total_bytes(&areas.output);
            if input != ioctl.input.len() as u64 || output != ioctl.output_max_bytes as u64 {
                let areas_max = areas.input.len().max(areas.output.len());
                if areas_max > abi::IOCTL_AREAS_MAX || input.max(output) > IOCTL_MAX_BYTES {
                    return self.refuse(unique, ENOMEM);
                }
                self.channel.ioctl_retry(unique, &areas);
                return;
            }
        }
        self.output.clear();
        match self.pieces.ioctl(ioctl.handle, request, &mut self.output) {
            Ok(result) => {
                // The kernel refuses a longer reply, and the caller would wait for ever.
                self.output.truncate(ioctl.output_max_bytes);
                self.channel.ioctl(unique, result, &self.output);
            }
            Err(errno) => self.refuse(unique, errno),
        }
    }
}

fn total_bytes(areas: &[Area]) -> u64 {
    areas.iter().map(|area| u64::from(area.length_bytes)).sum()
}

fn when_empty(transfer: Transfer) -> WhenEmpty {
    // The kernel's offsets count from the start of each call.
    match transfer.offset {
        0 if transfer.nonblock => WhenEmpty::Fail,
        0 => WhenEmpty::Wait,
        _ => WhenEmpty::End,
    }
}

fn piece(caller: Caller, transfer: Transfer) -> Piece {
    Piece {
        handle: transfer.handle,
        tid: caller.tid,
        offset: transfer.offset,
        // The kernel's offsets count from the start of each call (`cuse_write_iter`), appending too.
        first: FirstPiece::AtZero,
    }
}

fn page_bytes() -> usize {
    nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)
        .ok()
        .flatten()
        .and_then(|bytes| usize::try_from(bytes).ok())
        .unwrap_or(4096)
}
