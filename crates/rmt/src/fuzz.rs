//! Both sides over arbitrary bytes, with checks of what must hold: the entries of the fuzz targets.
#![allow(clippy::indexing_slicing)] // The entries lay out their own bytes, and have to stop at what is wrong.

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, Shutdown, SockFlag, SockType, send, shutdown, socketpair,
};
use pseudotape_device::TapeNode;
use pseudotape_mtio::{GeneralStatus, MtGet, Operation};
use pseudotape_st::OpenFlags;
use pseudotape_tape::{BlockLimits, Drive, Failed, Mark, Sense, SpaceUnit, Transfer, WriteMode};

use crate::MAX_RECORD_BYTES;
use crate::drive::RmtDrive;
use crate::remote::{Limits, Reach, Remote};
use crate::server::{ServerOptions, serve};
use crate::shelf::Shelf;

/// What ends one answer in the bytes of [`fuzz_reply`].
const NEXT: &[u8] = b"\xff\xfe";

/// Records in memory.
#[derive(Clone, Debug, Default)]
struct Records(Arc<Mutex<Vec<Vec<u8>>>>);

impl Records {
    fn with<T>(&self, work: impl FnOnce(&mut Vec<Vec<u8>>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl TapeNode for Records {
    fn read(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.with(|records| match records.last() {
            Some(last) => {
                let some = last.len().min(buffer.len());
                buffer[..some].copy_from_slice(&last[..some]);
                Ok(some)
            }
            None => Err(Errno::EIO),
        })
    }

    fn write(&self, data: &[u8]) -> Result<usize, Errno> {
        self.with(|records| records.push(data.to_vec()));
        Ok(data.len())
    }

    fn operate(&self, operation: Operation, _count: i32) -> Result<(), Errno> {
        match operation {
            Operation::Unsupported(_) | Operation::Reset => Err(Errno::ENOSYS),
            _ => Ok(()),
        }
    }

    fn status(&self) -> Result<MtGet, Errno> {
        Ok(MtGet {
            residual: 0,
            block_size: 0,
            density: 0,
            general: GeneralStatus::ONLINE,
            recovered_errors: 0,
            file: 0,
            block: -1,
        })
    }

    fn object(&self) -> Result<u64, Errno> {
        Ok(self.with(|records| records.len() as u64))
    }
}

struct OneTape(Records);

impl Shelf for OneTape {
    fn open(&mut self, name: &[u8], _flags: OpenFlags) -> Result<Box<dyn TapeNode>, Errno> {
        match name {
            b"t" => Ok(Box::new(self.0.clone())),
            _ => Err(Errno::EACCES),
        }
    }
}

/// Serves a client that sends these bytes.
///
/// # Panics
///
/// Where a record was written that did not come whole and in order.
pub fn fuzz_request(bytes: &[u8]) {
    let records = Records::default();
    let mut replies = Vec::new();
    // However it ends, it ends.
    serve(
        bytes,
        &mut replies,
        &mut OneTape(records.clone()),
        ServerOptions::default(),
    )
    .ok();
    let mut rest = bytes;
    for record in records.with(std::mem::take) {
        assert!(record.len() <= MAX_RECORD_BYTES);
        let at = rest
            .windows(record.len().max(1))
            .position(|window| window.starts_with(&record))
            .expect("what was written came from the client, in this order");
        rest = &rest[at + record.len()..];
    }
}

/// A connection to a server that gives these answers, one for each time that it is listened to.
fn script(bytes: &[u8]) -> (UnixStream, OwnedFd) {
    // Packets keep the answers apart: what comes before it was asked for ends a connection.
    let (ours, theirs) = socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    )
    .expect("a pair of sockets");
    let mut rest = bytes;
    loop {
        let at = rest.windows(NEXT.len()).position(|window| window == NEXT);
        let answer = &rest[..at.unwrap_or(rest.len())];
        // More than the system keeps is not needed; an empty packet would be an end.
        if !answer.is_empty() && send(theirs.as_raw_fd(), answer, MsgFlags::MSG_DONTWAIT).is_err() {
            break;
        }
        let Some(at) = at else { break };
        rest = &rest[at + NEXT.len()..];
    }
    shutdown(theirs.as_raw_fd(), Shutdown::Write).expect("our own socket");
    (UnixStream::from(ours), theirs)
}

/// Connects to a server that gives these answers, and does everything that a drive can.
///
/// # Panics
///
/// Where a drive writes after it said that nobody is there.
pub fn fuzz_reply(bytes: &[u8]) {
    let mut remote = Remote::new(Reach::Unix("script".into()), "t");
    // Nobody listens to what the drive sends: once the system keeps no more of it, that is the end.
    let patience = Duration::from_millis(1);
    remote.limits = Limits {
        connect: patience,
        reply: patience,
        long_reply: patience,
    };
    remote.block_limits = Some(BlockLimits {
        min_bytes: 1,
        max_bytes: 1 << 16,
        granularity_bytes: 1,
    });
    let (stream, _server) = script(bytes);
    let Ok(mut drive) = RmtDrive::over_unix(stream, &remote) else {
        return;
    };
    let mut buffer = vec![0; 600];
    for _ in 0..4 {
        if let Ok(done) = drive.write(Transfer::Variable, b"record") {
            assert!(done.count <= 1);
        }
        if let Ok(done) = drive.read(Transfer::Variable, &mut buffer) {
            assert!(done.bytes <= buffer.len());
        }
        // Whatever they answer, they end.
        drive.write_marks(Mark::Filemark, 2, WriteMode::Commit).ok();
        drive.space(SpaceUnit::Blocks, -3).ok();
        drive.space(SpaceUnit::Filemarks, 2).ok();
        drive.test_ready().ok();
        drive.rewind().ok();
        drive.position().ok();
    }
    let gone = |failed: &Failed| failed.sense == Sense::NoDrive;
    if drive.rewind().is_err_and(|failed| gone(&failed)) {
        let written = drive.write(Transfer::Variable, b"x");
        assert!(
            written.is_err_and(|failed| gone(&failed)),
            "written to nobody"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_no_sense_end_both_sides() {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let words: [&[u8]; 12] = [
            b"Ot\n2\n", b"W5\n", b"hello", b"R5\n", b"I5\n1\n", b"A0\n", b"E5\nx\n", b"S", b"sP",
            NEXT, b"C\n", b"A48\n",
        ];
        for _ in 0..20_000 {
            let mut bytes = Vec::new();
            for _ in 0..12 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                bytes.extend_from_slice(words[(state >> 32) as usize % words.len()]);
            }
            fuzz_request(&bytes);
            fuzz_reply(&bytes);
        }
    }
}
