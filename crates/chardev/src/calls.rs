use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

mod asked;
mod numbers;
mod path;
mod reach;
mod shape;

use asked::Asked;
use path::ProcPath;
pub use reach::{Blind, Reach};
pub use shape::{CallShape, Direction};

/// A system call in which a task is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// How many bytes the caller asked to move.
    pub length_bytes: usize,
    /// How the call names its memory.
    pub shape: CallShape,
}

/// What is known of the call in which a task is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallOf {
    /// The call is a `read`, a `write` or one of their relatives.
    Known(Call),
    /// The call is neither a read nor a write: it is `splice`, `sendfile`, `copy_file_range` or `io_submit`, or a
    /// worker of io_uring makes it. The kernel then hands the frontend parts that have no length of their own.
    Other,
    /// The task could not be asked.
    Unknown,
}

/// Finds the length of a system call of which a frontend sees only pieces.
pub trait Calls: Send + Sync {
    /// The call in which a task is blocked.
    fn call_of(&self, tid: u32, direction: Direction) -> CallOf;
}

/// Asks `/proc/<tid>/syscall`, and `/proc/<tid>/mem` for lists of buffers.
///
/// Needs a kernel with `CONFIG_HAVE_ARCH_TRACEHOOK`, and the right to trace the task: see [`Reach`].
#[derive(Debug)]
pub struct ProcCalls {
    available: bool,
    /// How long a task may take to fall asleep in its call.
    settle_max: Duration,
    asked: Asked,
}

/// The kernel moves no more by one call (`MAX_RW_COUNT` at 4 KiB pages).
const CALL_MAX_BYTES: u64 = 0x7fff_f000;

/// Longest list of buffers that the kernel takes (`UIO_MAXIOV`).
const IOVECS_MAX: u64 = 1024;

/// How long a task may take to fall asleep after its request was seen. The task sleeps within microseconds, unless
/// its processor is taken from it: the processor of a guest may be away for a long time. Only a task that does not
/// wait for its call at all (aio) uses this time up.
const SETTLE_MAX: Duration = Duration::from_secs(1);

/// How often `/proc` is asked without a pause: enough where the task runs on another processor.
const SETTLE_YIELDS: u32 = 3;

/// The first pause. It lets the task run where both share one processor. Each pause is twice as long as the one
/// before, up to the longest.
const SETTLE_PAUSE: Duration = Duration::from_micros(5);

/// The longest pause.
const SETTLE_PAUSE_MAX: Duration = Duration::from_millis(1);

impl ProcCalls {
    /// Checks that this kernel tells system calls, and that `/proc` numbers tasks as the kernel numbers them to us.
    #[must_use]
    pub fn new() -> Self {
        ProcCalls {
            available: reach::is_told(Path::new("/proc"), std::process::id()).is_ok(),
            settle_max: SETTLE_MAX,
            asked: Asked::default(),
        }
    }
}

impl Default for ProcCalls {
    fn default() -> Self {
        Self::new()
    }
}

impl Calls for ProcCalls {
    fn call_of(&self, tid: u32, direction: Direction) -> CallOf {
        if !self.available || tid == 0 {
            return CallOf::Unknown;
        }
        let asked = self
            .asked
            .ask(tid, |file| blocked_in(file, self.settle_max));
        let blocked = match asked {
            Ok(ThreadState::Blocked(blocked)) => blocked,
            Ok(ThreadState::Elsewhere) => return CallOf::Other,
            Ok(ThreadState::Running) | Err(_) => return CallOf::Unknown,
        };
        let Some(kind) = numbers::kind_of(blocked.number, direction) else {
            return CallOf::Other;
        };
        let length_bytes = match kind.shape {
            CallShape::Plain => Ok(blocked.count),
            CallShape::Vector => sum_of_iovecs(tid, &blocked, kind.word_bytes),
        };
        match length_bytes.map(|bytes| usize::try_from(bytes.min(CALL_MAX_BYTES))) {
            Ok(Ok(length_bytes)) => CallOf::Known(Call {
                length_bytes,
                shape: kind.shape,
            }),
            Ok(Err(_)) | Err(_) => CallOf::Unknown,
        }
    }
}

/// What `/proc/<tid>/syscall` says of a task that sleeps in a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Blocked {
    number: u64,
    buffer: u64,
    count: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ThreadState {
    Blocked(Blocked),
    /// The task is awake: it has not yet fallen asleep in its call.
    Running,
    /// The task sleeps, but in no system call (a worker of io_uring).
    Elsewhere,
}

/// The call in which the task sleeps; `Running` where it does not fall asleep in time.
fn blocked_in(file: &File, settle_max: Duration) -> io::Result<ThreadState> {
    let mut text = [0_u8; 256];
    let mut tries = 0;
    let mut since = None;
    let mut pause = SETTLE_PAUSE;
    loop {
        // A read at offset 0 makes the kernel write the file anew.
        let length = file.read_at(&mut text, 0)?;
        let unreadable = io::ErrorKind::InvalidData;
        match text.get(..length).and_then(parse).ok_or(unreadable)? {
            ThreadState::Running => {}
            answer => return Ok(answer),
        }
        tries += 1;
        if tries <= SETTLE_YIELDS {
            thread::yield_now();
        } else if since.get_or_insert_with(Instant::now).elapsed() < settle_max {
            thread::sleep(pause);
            pause = SETTLE_PAUSE_MAX.min(pause * 2);
        } else {
            return Ok(ThreadState::Running);
        }
    }
}

/// `number arg0 arg1 arg2 … sp pc`, or `running`, or `-1 sp pc` (proc(5)).
fn parse(text: &[u8]) -> Option<ThreadState> {
    let text = std::str::from_utf8(text).ok()?.trim_end();
    if text == "running" {
        return Some(ThreadState::Running);
    }
    let mut words = text.split(' ');
    let number = words.next()?;
    if number.starts_with('-') {
        return Some(ThreadState::Elsewhere);
    }
    let mut argument = || u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
    let _descriptor = argument()?;
    Some(ThreadState::Blocked(Blocked {
        number: number.parse().ok()?,
        buffer: argument()?,
        count: argument()?,
    }))
}

fn sum_of_iovecs(tid: u32, blocked: &Blocked, word_bytes: u64) -> io::Result<u64> {
    if blocked.count > IOVECS_MAX {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    let memory = File::open(ProcPath::new(tid, "mem").as_str())?;
    let mut left = blocked.count * 2 * word_bytes;
    let mut address = blocked.buffer;
    let mut sum = 0_u64;
    let mut bytes = [0_u8; 4096];
    while left > 0 {
        let length = left.min(4096);
        let part = &mut bytes[..length as usize];
        memory.read_exact_at(part, address)?;
        for iovec in part.chunks_exact(2 * word_bytes as usize) {
            let (_base, count) = iovec.split_at(word_bytes as usize);
            sum = sum.saturating_add(native_word(count));
        }
        left -= length;
        address = address.wrapping_add(length);
    }
    Ok(sum)
}

/// A number in the byte order of the caller's processor.
fn native_word(bytes: &[u8]) -> u64 {
    let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    if cfg!(target_endian = "little") {
        bytes.iter().rev().fold(0, add)
    } else {
        bytes.iter().fold(0, add)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{IoSlice, PipeWriter, Read, Write};
    use std::sync::mpsc;

    use super::*;

    /// How long a loaded machine may take for what comes soon on an idle one.
    const LONG: Duration = Duration::from_secs(100);

    #[test]
    fn a_blocked_call_is_read_from_its_line() {
        let line = b"1 0x4 0x7f0000001000 0x40000 0x0 0x0 0x0 0x7ffd0 0x7f01\n";
        let expected = Blocked {
            number: 1,
            buffer: 0x7f00_0000_1000,
            count: 0x4_0000,
        };
        assert_eq!(parse(line), Some(ThreadState::Blocked(expected)));
        assert_eq!(parse(b"running\n"), Some(ThreadState::Running));
        assert_eq!(parse(b"-1 0x7ffd0 0x7f01\n"), Some(ThreadState::Elsewhere));
        for broken in [&b""[..], b"\xff", b"1", b"1 2 3 4", b"1 0x1 0xzz 0x1"] {
            assert_eq!(parse(broken), None, "{broken:?}");
        }
    }

    /// Blocks a thread in a call on a full pipe and asks about it.
    fn asked_about(call: impl FnOnce(&mut PipeWriter) -> io::Result<usize> + Send) -> CallOf {
        asked_when(sleeps_in_a_write, call)
    }

    /// Waits until the thread sleeps in a call that writes.
    fn sleeps_in_a_write(tid: u32) {
        let began = Instant::now();
        loop {
            let line = std::fs::read(format!("/proc/{tid}/syscall")).expect("the thread lives");
            if let Some(ThreadState::Blocked(blocked)) = parse(&line)
                && numbers::kind_of(blocked.number, Direction::Write).is_some()
            {
                return;
            }
            assert!(began.elapsed() < LONG, "it never sleeps");
            thread::yield_now();
        }
    }

    /// As [`asked_about`], when the thread has told its number and this has returned.
    fn asked_when(
        ready: impl FnOnce(u32),
        call: impl FnOnce(&mut PipeWriter) -> io::Result<usize> + Send,
    ) -> CallOf {
        let (mut reader, mut writer) = io::pipe().expect("a pipe can be made");
        let room = {
            // Fill the pipe, so that the next write sleeps.
            let filler = vec![0_u8; 65536];
            writer.write(&filler).expect("an empty pipe takes 64 KiB")
        };
        assert_eq!(room, 65536);
        thread::scope(|scope| {
            let (send, receive) = mpsc::channel();
            scope.spawn(move || {
                let tid = std::fs::read_link("/proc/thread-self").expect("procfs is mounted");
                let tid = tid.file_name().and_then(|t| t.to_str()?.parse().ok());
                send.send(tid.expect("a thread id"))
                    .expect("the test listens");
                call(&mut writer).expect("the pipe is emptied");
            });
            let tid: u32 = receive.recv().expect("the thread starts");
            ready(tid);
            let calls = ProcCalls {
                settle_max: LONG,
                ..ProcCalls::new()
            };
            let answer = calls.call_of(tid, Direction::Write);
            let mut sink = Vec::new();
            reader
                .read_to_end(&mut sink)
                .expect("the writer closes its end");
            answer
        })
    }

    #[test]
    fn the_kernel_tells_the_length_of_a_blocked_write() {
        let data = vec![1_u8; 300_000];
        let call = asked_about(move |pipe| pipe.write(&data));
        let expected = Call {
            length_bytes: 300_000,
            shape: CallShape::Plain,
        };
        assert_eq!(call, CallOf::Known(expected));
    }

    #[test]
    fn the_kernel_tells_the_length_of_a_blocked_writev() {
        let data = vec![1_u8; 1000];
        let call = asked_about(move |pipe| {
            let parts: Vec<_> = (0..700).map(|_| IoSlice::new(&data)).collect();
            pipe.write_vectored(&parts)
        });
        let expected = Call {
            length_bytes: 700_000,
            shape: CallShape::Vector,
        };
        assert_eq!(call, CallOf::Known(expected));
    }

    /// A guest's processor was away for more than 20 ms, and a read of more than a piece was taken for one piece.
    #[test]
    fn a_task_that_is_late_to_sleep_is_waited_for() {
        let data = vec![1_u8; 300_000];
        let call = asked_when(
            |_| {},
            move |pipe| {
                let began = Instant::now();
                while began.elapsed() < Duration::from_millis(150) {
                    std::hint::spin_loop();
                }
                pipe.write(&data)
            },
        );
        let expected = Call {
            length_bytes: 300_000,
            shape: CallShape::Plain,
        };
        assert_eq!(call, CallOf::Known(expected));
    }

    #[test]
    fn an_unknown_task_has_no_call() {
        for tid in [0, u32::MAX] {
            let call = ProcCalls::new().call_of(tid, Direction::Read);
            assert_eq!(call, CallOf::Unknown);
        }
    }

    #[test]
    fn a_task_in_another_call_than_a_read_or_write_is_known_to_be() {
        let (_reader, mut full) = io::pipe().expect("a pipe can be made");
        full.write_all(&vec![0; 65536])
            .expect("an empty pipe takes 64 KiB");
        let (source, mut filler) = io::pipe().expect("a pipe can be made");
        filler.write_all(b"some").expect("an empty pipe takes it");
        let (send, receive) = mpsc::channel();
        // Ends with the process: nobody empties the pipe.
        thread::spawn(move || {
            let tid = std::fs::read_link("/proc/thread-self").expect("procfs is mounted");
            let tid: Option<u32> = tid.file_name().and_then(|t| t.to_str()?.parse().ok());
            send.send(tid.expect("a thread id")).expect("it listens");
            // The standard library splices from pipe to pipe.
            io::copy(&mut &source, &mut full).ok();
        });
        let tid = receive.recv().expect("the thread starts");
        let calls = ProcCalls {
            settle_max: LONG,
            ..ProcCalls::new()
        };
        let began = Instant::now();
        while calls.call_of(tid, Direction::Write) != CallOf::Other {
            assert!(began.elapsed() < LONG, "it is never in splice(2)");
            thread::yield_now();
        }
        drop(filler);
    }
}
