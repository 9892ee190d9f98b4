use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::{Duration, Instant};

/// Which way the data of a call go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// `read` and its relatives.
    Read,
    /// `write` and its relatives.
    Write,
}

/// How a call names its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallShape {
    /// One buffer.
    Plain,
    /// A list of buffers (`readv`, `writev`).
    Vector,
}

/// A system call in which a task is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// How many bytes the caller asked to move.
    pub length_bytes: usize,
    /// How it names its memory.
    pub shape: CallShape,
}

/// Knows how long the system calls are of which a frontend sees only pieces.
pub trait Calls: Send + Sync {
    /// The call that a task is blocked in; `None` where it can't be known.
    fn call_of(&self, tid: u32, direction: Direction) -> Option<Call>;
}

/// Asks `/proc/<tid>/syscall`, and `/proc/<tid>/mem` for lists of buffers.
///
/// Needs a kernel with `CONFIG_HAVE_ARCH_TRACEHOOK`, and the right to trace the task (root has it).
/// A call made by io_uring, `splice` or `sendfile` is not known.
#[derive(Debug)]
pub struct ProcCalls {
    available: bool,
    /// How long a task may be on its way to sleep.
    settle_max: Duration,
}

/// The kernel moves no more by one call (`MAX_RW_COUNT` at 4 KiB pages).
const CALL_MAX_BYTES: u64 = 0x7fff_f000;

/// Longest list of buffers that the kernel takes (`UIO_MAXIOV`).
const IOVECS_MAX: u64 = 1024;

/// How long a task may be on its way to sleep after its request was seen. It sleeps within microseconds, unless its
/// processor is taken from it: a guest's may be away for a long time. Only who does not wait for his call at all
/// (aio) uses it up.
const SETTLE_MAX: Duration = Duration::from_secs(1);

/// How often the question is repeated without a pause: enough where the task is on another processor.
const SETTLE_YIELDS: u32 = 3;

/// The first pause, which lets the task run where it has the same processor; each one is twice as long as the one
/// before it, up to the longest.
const SETTLE_PAUSE: Duration = Duration::from_micros(5);

/// The longest pause.
const SETTLE_PAUSE_MAX: Duration = Duration::from_millis(1);

impl ProcCalls {
    /// Looks whether this kernel tells system calls.
    #[must_use]
    pub fn new() -> Self {
        ProcCalls {
            available: File::open("/proc/self/syscall").is_ok(),
            settle_max: SETTLE_MAX,
        }
    }

    /// Whether this kernel tells system calls at all.
    #[must_use]
    pub fn available(&self) -> bool {
        self.available
    }
}

impl Default for ProcCalls {
    fn default() -> Self {
        Self::new()
    }
}

impl Calls for ProcCalls {
    fn call_of(&self, tid: u32, direction: Direction) -> Option<Call> {
        if !self.available || tid == 0 {
            return None;
        }
        let blocked = blocked_call(tid, self.settle_max).ok()??;
        let kind = kind_of(blocked.number, direction)?;
        let length_bytes = match kind.shape {
            CallShape::Plain => blocked.count,
            CallShape::Vector => sum_of_iovecs(tid, &blocked, kind.word_bytes).ok()?,
        };
        Some(Call {
            length_bytes: usize::try_from(length_bytes.min(CALL_MAX_BYTES)).ok()?,
            shape: kind.shape,
        })
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
    /// Awake: on its way into its sleep.
    Running,
    /// Asleep, but not in a system call (a worker of io_uring).
    Elsewhere,
}

fn blocked_call(tid: u32, settle_max: Duration) -> io::Result<Option<Blocked>> {
    let file = File::open(ProcPath::new(tid, "syscall").as_str())?;
    let mut text = [0_u8; 256];
    let mut tries = 0;
    let mut since = None;
    let mut pause = SETTLE_PAUSE;
    loop {
        // A read at offset 0 asks anew.
        let length = file.read_at(&mut text, 0)?;
        match text.get(..length).map(parse) {
            Some(Some(ThreadState::Blocked(blocked))) => return Ok(Some(blocked)),
            Some(Some(ThreadState::Running)) => {}
            _ => return Ok(None),
        }
        tries += 1;
        if tries <= SETTLE_YIELDS {
            thread::yield_now();
        } else if since.get_or_insert_with(Instant::now).elapsed() < settle_max {
            thread::sleep(pause);
            pause = SETTLE_PAUSE_MAX.min(pause * 2);
        } else {
            return Ok(None);
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kind {
    shape: CallShape,
    /// Length of a word of the caller: decides how long an iovec is.
    word_bytes: u64,
}

/// Numbers of (read, write, readv, writev, pread64, pwrite64, preadv, pwritev, preadv2, pwritev2).
type Numbers = [u64; 10];

#[cfg(target_arch = "x86_64")]
const NATIVE: Numbers = [0, 1, 19, 20, 17, 18, 295, 296, 327, 328];
#[cfg(not(target_arch = "x86_64"))]
const NATIVE: Numbers = [63, 64, 65, 66, 67, 68, 69, 70, 286, 287];

/// 32-bit callers on x86-64. The sets have no number in common that could be taken for one another:
/// the task is known to sleep in a read or write of our device.
#[cfg(target_arch = "x86_64")]
const COMPAT: Numbers = [3, 4, 145, 146, 180, 181, 333, 334, 378, 379];
/// 32-bit callers on AArch64.
#[cfg(not(target_arch = "x86_64"))]
const COMPAT: Numbers = [3, 4, 145, 146, 180, 181, 361, 362, 392, 393];

fn kind_of(number: u64, direction: Direction) -> Option<Kind> {
    let found = |numbers: &Numbers, word_bytes| {
        let place = numbers.iter().position(|n| *n == number)?;
        let moves = if place % 2 == 0 {
            Direction::Read
        } else {
            Direction::Write
        };
        let shape = match place {
            0 | 1 | 4 | 5 => CallShape::Plain,
            _ => CallShape::Vector,
        };
        (moves == direction).then_some(Kind { shape, word_bytes })
    };
    found(&NATIVE, 8).or_else(|| found(&COMPAT, 4))
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

/// A number as the caller's processor keeps it.
fn native_word(bytes: &[u8]) -> u64 {
    let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    if cfg!(target_endian = "little") {
        bytes.iter().rev().fold(0, add)
    } else {
        bytes.iter().fold(0, add)
    }
}

/// A path under `/proc/<tid>`, without an allocation.
struct ProcPath {
    bytes: [u8; 40],
    length: usize,
}

impl ProcPath {
    fn new(tid: u32, name: &str) -> Self {
        let mut path = ProcPath {
            bytes: [0; 40],
            length: 0,
        };
        write!(path, "/proc/{tid}/{name}").expect("a tid and a short name fit");
        path
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).expect("only whole strings are written")
    }
}

impl std::fmt::Write for ProcPath {
    fn write_str(&mut self, s: &str) -> std::fmt::Result {
        let end = self.length + s.len();
        let place = self
            .bytes
            .get_mut(self.length..end)
            .ok_or(std::fmt::Error)?;
        place.copy_from_slice(s.as_bytes());
        self.length = end;
        Ok(())
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

    #[test]
    fn numbers_tell_direction_and_shape() {
        let plain = |n, d| kind_of(n, d).map(|k| (k.shape, k.word_bytes));
        assert_eq!(
            plain(NATIVE[0], Direction::Read),
            Some((CallShape::Plain, 8))
        );
        assert_eq!(plain(NATIVE[0], Direction::Write), None);
        assert_eq!(
            plain(NATIVE[3], Direction::Write),
            Some((CallShape::Vector, 8))
        );
        assert_eq!(
            plain(COMPAT[1], Direction::Write),
            Some((CallShape::Plain, 4))
        );
        assert_eq!(
            plain(COMPAT[2], Direction::Read),
            Some((CallShape::Vector, 4))
        );
        assert_eq!(plain(9999, Direction::Read), None);
    }

    /// Blocks a thread in a call on a full pipe and asks about it.
    fn asked_about(call: impl FnOnce(&mut PipeWriter) -> io::Result<usize> + Send) -> Option<Call> {
        asked_when(sleeps_in_a_write, call)
    }

    /// Waits until the thread sleeps in a call that writes.
    fn sleeps_in_a_write(tid: u32) {
        let began = Instant::now();
        loop {
            let line = std::fs::read(format!("/proc/{tid}/syscall")).expect("the thread lives");
            if let Some(ThreadState::Blocked(blocked)) = parse(&line)
                && kind_of(blocked.number, Direction::Write).is_some()
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
    ) -> Option<Call> {
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
        assert_eq!(call, Some(expected));
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
        assert_eq!(call, Some(expected));
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
        assert_eq!(call.map(|call| call.length_bytes), Some(300_000));
    }

    #[test]
    fn an_unknown_task_has_no_call() {
        assert_eq!(ProcCalls::new().call_of(0, Direction::Read), None);
        assert_eq!(ProcCalls::new().call_of(u32::MAX, Direction::Read), None);
    }
}
