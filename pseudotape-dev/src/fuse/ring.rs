//! Calls that come over `io_uring`: decode, call, answer, in the thread that has the request.

mod answer;
mod messages;
mod parked;

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::thread;

use pseudotape_chardev::{Caller, Errno, Handle, Piece, Waker};
use pseudotape_ring::{Pool, Prepared, Seat, Server, Slot};
use pseudotape_wire::{
    FileRequest, Ioctl, NodeId, Poll, Request, RequestId, RequestKind, Transfer,
};

use super::calls::{self, first_piece};
use super::filesystem::{ATTR_TTL, ENTRY_TTL, GONE, TapeFiles};
use super::gate::Gate;
use super::node::{NodeFile, TRANSFER_MAX_BYTES};
use super::opening::{NO_ENTRY, Wish};
use super::reply::{DoneReply, IoctlReply, Reply, WriteReply};
use super::stream;
use answer::FileReply;
use messages::Messages;
use parked::ParkedReads;

/// A mount that is served over rings.
pub(super) struct Rings {
    pub(super) pool: Arc<Pool>,
    messages: Messages,
    server: Arc<RingServer>,
}

impl Rings {
    /// Offers the rings to a connection that expects them.
    pub(super) fn begin(
        prepared: Prepared,
        connection: &OwnedFd,
        files: TapeFiles,
    ) -> io::Result<Rings> {
        let messages = Messages::new(connection.try_clone()?)?;
        let server = Arc::new(RingServer {
            files,
            parked: Arc::default(),
            messages: messages.clone(),
        });
        let answering = Arc::clone(&server);
        let pool = prepared.serve(connection.try_clone()?, answering)?;
        Ok(Rings {
            pool: Arc::new(pool),
            messages,
            server,
        })
    }

    /// Reads what comes through `/dev/fuse` all the same, until the connection ends.
    pub(super) fn run(self) -> io::Result<()> {
        let result = self.messages.run(|unique| self.server.interrupt(unique));
        self.pool.join();
        result
    }
}

/// Answers the requests of all rings of a mount.
struct RingServer {
    files: TapeFiles,
    parked: Arc<ParkedReads>,
    messages: Messages,
}

/// What a request is about, apart from its bytes.
#[derive(Clone, Copy)]
struct Of<'a> {
    node: &'a NodeFile,
    inode: u64,
    caller: Caller,
}

impl Server for RingServer {
    fn serve(&self, slot: Slot, seat: &Seat<'_>) {
        let request = match slot.request() {
            Ok(request) => request,
            Err(error) => {
                log::error!("a request over io_uring: {error}");
                return slot.refuse(Errno::EIO);
            }
        };
        let (unique, NodeId(inode), caller) = (request.unique, request.node, request.caller);
        if let RequestKind::Files(_) = request.kind {
            return self.files_request(inode, slot);
        }
        let Some(node) = self.files.nodes.by_inode(inode) else {
            let errno = of_no_file(&request);
            return slot.refuse(errno);
        };
        let of = Of {
            node,
            inode,
            caller,
        };
        // Reads and writes of streams, and polls, wait for nothing and may come while a mount ends.
        match (request.kind, node.device.stream()) {
            (RequestKind::Read(transfer), Some(stream)) => {
                if !seat.may_wait() {
                    return slot.refuse(Errno::EBUSY);
                }
                let reader = self.parked.park(unique, slot);
                let room = (transfer.offset, room(transfer));
                return stream::read(stream, transfer.handle, room, flags(transfer), reader);
            }
            (RequestKind::Write(transfer, data), Some(stream)) => {
                let answer = stream.write(transfer.handle, data);
                return slot.wrote(answer);
            }
            (RequestKind::Poll(poll), _) => return self.poll(node, poll, slot),
            (RequestKind::Release(handle), _) => {
                self.release(of, handle);
                return slot.done();
            }
            _ => {}
        }
        if node.device.waits_for_others() && !seat.may_wait() {
            return slot.refuse(Errno::EBUSY);
        }
        match Gate::enter(&*self.files.nodes.gate) {
            Some(_inside) => self.call(of, slot, seat),
            None => slot.refuse(GONE),
        }
    }
}

impl RingServer {
    /// A call of a device.
    fn call(&self, of: Of<'_>, mut slot: Slot, seat: &Seat<'_>) {
        let node = of.node;
        let Ok(request) = slot.request() else {
            // Decoded before.
            return slot.refuse(Errno::EIO);
        };
        match request.kind {
            RequestKind::Open { flags } => {
                let wish = Wish {
                    inode: of.inode,
                    flags,
                    caller: of.caller,
                };
                let openings = &self.files.openings;
                openings.open(&self.files.nodes, wish, || seat.may_wait(), slot);
            }
            RequestKind::Read(transfer) => {
                let piece = piece(of.caller, transfer);
                let buffer = slot.payload();
                let length = room(transfer).min(buffer.len());
                let read = node.pieces.read_into(piece, &mut buffer[..length]);
                match read {
                    Ok(length) => slot.answer(length),
                    Err(errno) => slot.refuse(errno),
                }
                node.warn_of_inferred_lengths();
            }
            RequestKind::Write(transfer, data) => {
                let written = node.pieces.write(piece(of.caller, transfer), data);
                slot.wrote(written);
                node.warn_of_inferred_lengths();
            }
            RequestKind::Ioctl(ioctl) => {
                let result = ioctl_of(of.caller, ioctl).call(node, ioctl.input);
                slot.result(result);
            }
            RequestKind::Flush(handle) => {
                let flushed = self.files.nodes.flush(node, handle, of.caller.tid);
                slot.end(flushed);
            }
            // As on a tape device, which has no fsync.
            RequestKind::Fsync(_) => slot.refuse(Errno::EINVAL),
            other => {
                log::debug!("{}: not answered: {other:?}", node.name);
                slot.refuse(Errno::ENOSYS);
            }
        }
    }

    /// The last `close(2)`, which has returned: nobody waits for this answer. Where the device waits for another
    /// program, no thread of a queue waits with it.
    fn release(&self, of: Of<'_>, handle: Handle) {
        if !of.node.device.waits_for_others() {
            return of.node.release(handle);
        }
        let (nodes, inode) = (Arc::clone(&self.files.nodes), of.inode);
        let release = move || {
            if let Some(node) = nodes.by_inode(inode) {
                node.release(handle);
            }
        };
        let started = thread::Builder::new().name("release".into()).spawn(release);
        if let Err(error) = started {
            log::error!(
                "{}: can't start a thread for a close: {error}",
                of.node.name
            );
            of.node.release(handle);
        }
    }

    fn poll(&self, node: &NodeFile, poll: Poll, slot: Slot) {
        if !self.files.nodes.have_streams() {
            // Not implemented: then the kernel says that every file is always ready, and asks no more.
            return slot.refuse(Errno::ENOSYS);
        }
        let messages = self.messages.clone();
        let waker = |poll| -> Waker { Box::new(move || messages.wake_poll(poll)) };
        let stream = node.device.stream();
        stream::poll(stream, poll.handle, poll.wake.map(waker), slot);
    }

    /// The signal of a caller: a read that waits ends, an open that waits looks whether to go on.
    fn interrupt(&self, unique: RequestId) {
        self.parked.interrupt(unique);
        self.files.nodes.wake_openings();
    }

    fn files_request(&self, inode: u64, mut slot: Slot) {
        let Ok(Request {
            kind: RequestKind::Files(request),
            ..
        }) = slot.request()
        else {
            return slot.refuse(Errno::EIO);
        };
        match request {
            FileRequest::Lookup(name) => match self.files.find(inode, OsStr::from_bytes(name)) {
                Some(found) => slot.entry(&found, ENTRY_TTL, ATTR_TTL),
                None => slot.refuse(NO_ENTRY),
            },
            FileRequest::GetAttr => match self.files.attributes(inode) {
                Some(found) => slot.attributes(&found, ATTR_TTL),
                None => slot.refuse(NO_ENTRY),
            },
            FileRequest::SetAttr(change) => {
                match self.files.change(inode, change.mode, change.owner) {
                    Ok(changed) => slot.attributes(&changed, ATTR_TTL),
                    Err(errno) => slot.refuse(errno),
                }
            }
            FileRequest::OpenDir => slot.opened_directory(),
            FileRequest::ReadDir(part) => {
                let length = answer::names(self.files.entries(), part, slot.payload());
                slot.answer(length);
            }
            FileRequest::ReleaseDir => slot.done(),
            FileRequest::StatFs => slot.no_room(),
            // The names are the daemon's: none is made, none goes.
            FileRequest::ChangeNames => slot.refuse(Errno(libc::EPERM)),
        }
    }
}

fn ioctl_of(caller: Caller, ioctl: Ioctl<'_>) -> calls::Ioctl {
    calls::Ioctl {
        handle: ioctl.handle,
        command: ioctl.command,
        caller,
        word_size: ioctl.word_size,
        output_max_bytes: u32::try_from(ioctl.output_max_bytes).unwrap_or(u32::MAX),
    }
}

/// What a call gets whose file is none of ours: the directory.
fn of_no_file(request: &Request<'_>) -> Errno {
    match request.kind {
        RequestKind::Read(_) | RequestKind::Write(..) => Errno(libc::EISDIR),
        RequestKind::Ioctl(_) => Errno(libc::ENOTTY),
        RequestKind::Open { .. } => NO_ENTRY,
        RequestKind::Fsync(_) => Errno::EINVAL,
        _ => Errno::ENOSYS,
    }
}

fn piece(caller: Caller, transfer: Transfer) -> Piece {
    Piece {
        handle: transfer.handle,
        tid: caller.tid,
        offset: transfer.offset,
        first: first_piece(flags(transfer)),
    }
}

fn flags(transfer: Transfer) -> i32 {
    transfer.flags.cast_signed()
}

fn room(transfer: Transfer) -> usize {
    transfer.length_bytes.min(TRANSFER_MAX_BYTES as usize)
}

impl Reply for Slot {
    fn refuse(self, errno: Errno) {
        self.fail(errno.0);
    }
}
