//! The slave's side: the loop that answers requests.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use pseudotape_tape::{Done, Drive, Failed, Sense, Transfer};

use crate::channel::{Channel, Message, Reader, Writer};
use crate::error::ServeError;
use crate::foreign::ForeignHello;
use crate::header::{Checksums, Head, Payload, Received};
use crate::limits::MAX_PAYLOAD_BYTES;
use crate::nonsense::Nonsense;
use crate::reply::{Known, Outcome, Reply, Welcome};
use crate::request::{Hello, Reason, Request};
use crate::shared::TakenMemory;
use crate::versions::Versions;

/// Options of a slave.
#[derive(Clone, Copy, Debug)]
pub struct ServeOptions {
    /// Interval of `working` replies during an operation. It is shorter if the master's timeout requires that:
    /// `working` is sent at least four times within the timeout.
    pub working_every: Duration,
    /// Whether payloads may go through shared memory, if the channel supports it.
    pub shared_memory: bool,
    /// Whether the payloads of reads have a checksum in shared memory.
    pub checksums: Checksums,
}

impl Default for ServeOptions {
    fn default() -> Self {
        ServeOptions {
            working_every: Duration::from_secs(3),
            shared_memory: true,
            checksums: Checksums::Streamed,
        }
    }
}

/// The number of `working` replies sent within the master's timeout.
const SIGNS_IN_SILENCE: u32 = 4;

/// Shortest interval of `working` replies. A master whose timeout is less than four times as long may drop a
/// slow slave.
const MIN_EVERY: Duration = Duration::from_millis(20);

/// Serves a drive until the master hangs up.
///
/// The master first rewinds the tape, wherever it is.
pub fn serve(drive: &mut dyn Drive, channel: Channel) -> Result<(), ServeError> {
    serve_with(drive, channel, &ServeOptions::default())
}

/// Like [`serve`], with other options.
pub fn serve_with(
    drive: &mut dyn Drive,
    channel: Channel,
    options: &ServeOptions,
) -> Result<(), ServeError> {
    let replies = Replies {
        state: Mutex::new(Outgoing {
            writer: channel.writer,
            working_on: None,
            every: options.working_every,
            ended: false,
        }),
        changed: Condvar::new(),
    };
    thread::scope(|scope| {
        let beat = thread::Builder::new().name("slave-working".into());
        beat.spawn_scoped(scope, || replies.say_working())
            .map_err(ServeError::Channel)?;
        let served = Session {
            drive,
            reader: channel.reader,
            replies: &replies,
            options,
            shared: None,
            max_payload: MAX_PAYLOAD_BYTES as usize,
        }
        .run();
        replies.state().ended = true;
        replies.changed.notify_all();
        served
    })
}

/// The state that the loop and the `working` thread share.
struct Replies {
    state: Mutex<Outgoing>,
    changed: Condvar,
}

struct Outgoing {
    writer: Writer,
    /// The id of the request that is being worked on.
    working_on: Option<u64>,
    /// Interval at which the `working` thread looks whether the same request is still being worked on.
    every: Duration,
    ended: bool,
}

impl Replies {
    fn state(&self) -> MutexGuard<'_, Outgoing> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends `working` at regular intervals while a request is being worked on. The first one is sent after one
    /// to two intervals, so short requests cause none.
    fn say_working(&self) {
        let mut state = self.state();
        let mut seen = None;
        while !state.ended {
            let every = state.every;
            let waited = self.changed.wait_timeout(state, every);
            let (woken, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if !timeout.timed_out() {
                continue;
            }
            if let Some(id) = state.working_on.filter(|id| seen == Some(*id)) {
                let head = Head::new(Reply::Working.kind(), id, Payload::None, |_| 0);
                // The loop gets the same error when it sends its reply.
                if state.writer.write_all(head.bytes(), &[]).is_err() {
                    return;
                }
            }
            seen = state.working_on;
        }
    }
}

struct Session<'a> {
    drive: &'a mut dyn Drive,
    reader: Reader,
    replies: &'a Replies,
    options: &'a ServeOptions,
    shared: Option<TakenMemory>,
    max_payload: usize,
}

impl Session<'_> {
    fn run(&mut self) -> Result<(), ServeError> {
        let mut greeted = false;
        while let Some(message) = self.reader.next(self.max_payload)? {
            let received = match message {
                Message::Known(received) => received,
                Message::Unstored(header) if greeted => {
                    log::error!("no memory for a record of {} bytes", header.payload_length);
                    let failed = Failed::at(Sense::HardwareError, None);
                    self.answer(header.id, &Reply::Failed(failed))?;
                    continue;
                }
                Message::Unstored(header) => {
                    let kind = header.kind;
                    return Err(ServeError::Nonsense(Nonsense::Kind { kind }));
                }
                Message::Foreign(hello) if !greeted => {
                    self.answer_foreign(hello)?;
                    continue;
                }
                Message::Foreign(hello) => {
                    let found = hello.version;
                    return Err(ServeError::Nonsense(Nonsense::Version { found }));
                }
            };
            let request = Request::decode(received.header.kind, received.body());
            match request {
                // The master requires a feature of a later version.
                Ok(Request::Hello(hello)) if hello.needs != 0 => {
                    self.reader.drop_descriptor();
                    self.answer(received.header.id, &Reply::Unsupported(Known::OURS))?;
                }
                Ok(Request::Hello(hello)) => {
                    greeted = true;
                    self.welcome(&received, hello)?;
                }
                Ok(Request::Goodbye(goodbye)) => {
                    return match goodbye.reason {
                        Reason::Ending => Ok(()),
                        Reason::Busy => Err(ServeError::Busy(goodbye.text)),
                        Reason::Nonsense | Reason::Silent => Err(ServeError::Dropped(goodbye.text)),
                        Reason::Unsupported(versions) => Err(ServeError::Unsupported {
                            versions,
                            text: goodbye.text,
                        }),
                    };
                }
                Ok(request) if greeted => self.do_request(&received, &request)?,
                Ok(request) => {
                    let kind = request.kind();
                    return Err(ServeError::Nonsense(Nonsense::Kind { kind }));
                }
                // A request or a value of a later version of the protocol.
                Err(nonsense @ (Nonsense::Kind { .. } | Nonsense::Code { .. })) if greeted => {
                    log::debug!("refused what the master asked: {nonsense}");
                    payload(
                        self.shared.as_mut(),
                        &mut self.reader,
                        &received,
                        self.max_payload,
                    )?;
                    self.refuse(received.header.id)?;
                }
                Err(nonsense) => return Err(nonsense.into()),
            }
        }
        Ok(())
    }

    /// Tells a newer master the versions that are supported here. The master may greet again in one of them.
    fn answer_foreign(&mut self, hello: ForeignHello) -> Result<(), ServeError> {
        log::info!(
            "the master greets in version {} of the slave protocol, and this side speaks {}",
            hello.version,
            Versions::OURS
        );
        self.reader.drop_descriptor();
        self.answer(hello.id, &Reply::Unsupported(Known::OURS))
    }

    fn welcome(&mut self, received: &Received, hello: Hello) -> Result<(), ServeError> {
        let descriptor = self.reader.take_descriptor();
        self.shared = None;
        if hello.largest_payload > MAX_PAYLOAD_BYTES {
            return Err(ServeError::Nonsense(Nonsense::PayloadTooLong {
                length: hello.largest_payload,
                max: MAX_PAYLOAD_BYTES as usize,
            }));
        }
        self.max_payload = hello.largest_payload as usize;
        let patience = Duration::from_millis(u64::from(hello.silence_ms));
        let every = self.options.working_every.min(patience / SIGNS_IN_SILENCE);
        self.replies.state().every = every.max(MIN_EVERY);
        self.replies.changed.notify_all();
        if let (Some(fd), true, true) =
            (descriptor, hello.shared_memory, self.options.shared_memory)
        {
            match TakenMemory::open(fd, hello.largest_payload) {
                Ok(shared) => self.shared = Some(shared),
                Err(error) => log::warn!("payloads go through the stream: {error}"),
            }
        }
        let reply = Reply::Welcome(Welcome {
            identity: self.drive.identity(),
            limits: self.drive.block_limits(),
            shared_memory: self.shared.is_some(),
        });
        self.answer(received.header.id, &reply)
    }

    fn do_request(&mut self, received: &Received, request: &Request) -> Result<(), ServeError> {
        let id = received.header.id;
        let data = payload(
            self.shared.as_mut(),
            &mut self.reader,
            received,
            self.max_payload,
        )?;
        self.replies.state().working_on = Some(id);
        match *request {
            Request::Read { transfer, length } => self.read(id, transfer, length as usize),
            Request::Write(transfer) => {
                let reply = self.drive.write(transfer, data).into();
                self.answer_of_drive(id, reply)
            }
            Request::Extend => {
                let reply = self.drive.extend(data).into();
                self.answer_of_drive(id, reply)
            }
            _ => {
                let reply = operate(self.drive, request);
                self.answer_of_drive(id, reply)
            }
        }
    }

    fn read(&mut self, id: u64, transfer: Transfer, length: usize) -> Result<(), ServeError> {
        if length > self.max_payload {
            return self.refuse(id);
        }
        let checksums = self.options.checksums;
        let (buffer, shared) = match &mut self.shared {
            Some(shared) => (shared.lend(length), true),
            None => match self.reader.reply_payload(length) {
                Some(buffer) => (buffer, false),
                None => {
                    log::error!("no memory to read {length} bytes into");
                    let failed = Failed::at(Sense::HardwareError, None);
                    return self.answer(id, &Reply::Failed(failed));
                }
            },
        };
        let (reply, bytes) = match self.drive.read(transfer, buffer) {
            Ok(done) => {
                let outcome = Outcome {
                    count: done.blocks,
                    block_length: done.block_length,
                    stop: done.stop,
                    position: Some(done.position),
                    recovered: self.drive.take_recovered() > 0,
                };
                (Reply::Done(outcome), done.bytes.min(length))
            }
            Err(failed) => (Reply::Failed(failed), 0),
        };
        let (data, _) = buffer.split_at(bytes);
        // The head, with its checksum, is made before the reply is sent: the reply gives the shared memory back
        // to the master.
        let (payload, streamed): (_, &[u8]) = if shared {
            (Payload::Shared(data, checksums), &[])
        } else {
            (Payload::Streamed(data), data)
        };
        let head = Head::new(reply.kind(), id, payload, |out| reply.encode(out));
        self.replies.send(&head, streamed)
    }

    fn refuse(&mut self, id: u64) -> Result<(), ServeError> {
        let failed = Failed::at(Sense::IllegalRequest, None);
        self.answer(id, &Reply::Failed(failed))
    }

    fn answer_of_drive(&mut self, id: u64, mut reply: Reply) -> Result<(), ServeError> {
        if let Reply::Done(outcome) = &mut reply {
            outcome.recovered = self.drive.take_recovered() > 0;
        }
        self.answer(id, &reply)
    }

    fn answer(&mut self, id: u64, reply: &Reply) -> Result<(), ServeError> {
        let head = Head::new(reply.kind(), id, Payload::None, |out| reply.encode(out));
        self.replies.send(&head, &[])
    }
}

impl Replies {
    fn send(&self, head: &Head, streamed: &[u8]) -> Result<(), ServeError> {
        let mut state = self.state();
        state.working_on = None;
        let sent = state.writer.write_all(head.bytes(), streamed);
        sent.map_err(ServeError::Channel)
    }
}

/// The payload of a request, in the shared memory or in the stream buffer.
fn payload<'a>(
    shared: Option<&'a mut TakenMemory>,
    reader: &'a mut Reader,
    received: &Received,
    max: usize,
) -> Result<&'a [u8], ServeError> {
    let header = &received.header;
    let length = header.payload_within(max)?;
    let payload = match shared {
        Some(shared) if header.is_shared() => shared.lend(length),
        None if header.is_shared() => {
            let found = header.flags;
            return Err(ServeError::Nonsense(Nonsense::Flags { found }));
        }
        Some(_) | None => reader.take_payload(length),
    };
    header.check_payload(payload)?;
    Ok(payload)
}

impl From<Result<Done, Failed>> for Reply {
    fn from(result: Result<Done, Failed>) -> Reply {
        result.map_or_else(Reply::Failed, |done| {
            Reply::Done(Outcome {
                count: done.count,
                stop: done.stop,
                position: Some(done.position),
                ..Outcome::default()
            })
        })
    }
}

impl From<Result<(), Failed>> for Reply {
    fn from(result: Result<(), Failed>) -> Reply {
        result.map_or_else(Reply::Failed, |()| Reply::Done(Outcome::default()))
    }
}

/// Does the operation of a request that has no payload.
fn operate(drive: &mut dyn Drive, request: &Request) -> Reply {
    match *request {
        Request::KeepAlive => Reply::Done(Outcome::default()),
        Request::TestReady => drive.test_ready().into(),
        Request::Mode => drive.mode().map_or_else(Reply::Failed, Reply::Mode),
        Request::SetMode(change) => drive.set_mode(change).into(),
        Request::Motion(motion) => drive.execute(motion).into(),
        Request::Unload => drive.unload().into(),
        Request::Position => drive.position().map_or_else(Reply::Failed, |at| {
            Reply::Done(Outcome {
                position: Some(at),
                ..Outcome::default()
            })
        }),
        Request::Capacity => drive.capacity().map_or_else(Reply::Failed, Reply::Capacity),
        Request::SetDoor(door) => drive.set_door(door).into(),
        // The caller has handled these.
        Request::Hello(_)
        | Request::Goodbye(_)
        | Request::Read { .. }
        | Request::Write(_)
        | Request::Extend => Reply::Failed(Failed::at(Sense::IllegalRequest, None)),
    }
}
