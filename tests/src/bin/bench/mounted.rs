//! A program on the FUSE mount, against what an empty FUSE server and plain file I/O give in series.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;

use crate::report::{Report, mib_per_second};

/// Bytes moved in one run.
const TOTAL: u64 = 256 << 20;
/// The same with small records, which take ten times as long.
const TOTAL_OF_SMALL: u64 = 64 << 20;
/// Record sizes; the first is tar's default.
const SIZES: [(usize, &str); 3] = [
    (10 << 10, "10 KiB"),
    (64 << 10, "64 KiB"),
    (1 << 20, "1 MiB"),
];

/// A buffer that begins at a page's border, as those of `dd` and `tar` do.
struct Aligned {
    bytes: Vec<u8>,
    start: usize,
    length: usize,
}

impl Aligned {
    fn new(length: usize, fill: u8) -> Aligned {
        const PAGE: usize = 4096;
        let bytes = vec![fill; length + PAGE];
        let start = bytes.as_ptr().align_offset(PAGE);
        Aligned {
            bytes,
            start,
            length,
        }
    }
}

impl std::ops::Deref for Aligned {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.length]
    }
}

impl std::ops::DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.length]
    }
}

/// How the calls of a mount come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Through `/dev/fuse`.
    Fuse,
    /// Over `io_uring`, where the kernel offers it.
    Uring,
}

impl Way {
    /// Those that this machine has now.
    pub fn all() -> &'static [Way] {
        const SWITCH: &str = "/sys/module/fuse/parameters/enable_uring";
        match std::fs::read_to_string(SWITCH).as_deref().map(str::trim) {
            Ok("Y" | "1") => &[Way::Fuse, Way::Uring],
            _ => {
                println!("(FUSE over io_uring is not switched on here: {SWITCH})");
                &[Way::Fuse]
            }
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Way::Fuse => "/dev/fuse",
            Way::Uring => "io_uring",
        }
    }

    /// What the daemon's `--uring` takes.
    pub fn option(self) -> &'static str {
        match self {
            Way::Fuse => "never",
            Way::Uring => "always",
        }
    }
}

/// Which processors program and server run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Where the scheduler puts them. Waking each other across processors then costs more than the copy,
    /// for any server.
    Free,
    /// On one and the same, so that the figure is about the work.
    OneProcessor,
}

impl Placement {
    pub fn name(self) -> &'static str {
        match self {
            Placement::Free => "free",
            Placement::OneProcessor => "one processor",
        }
    }

    pub fn apply(self) -> Result<()> {
        static ALL: OnceLock<CpuSet> = OnceLock::new();
        let this = Pid::from_raw(0);
        // As this program was started: what was chosen since then must not count.
        let all = *ALL.get_or_init(|| sched_getaffinity(this).unwrap_or_default());
        let set = match self {
            Placement::Free => all,
            Placement::OneProcessor => {
                let allowed = |number: &usize| all.is_set(*number).unwrap_or(false);
                let first = (0..CpuSet::count()).find(allowed).context("a processor")?;
                let mut one = CpuSet::new();
                one.set(first)?;
                one
            }
        };
        sched_setaffinity(this, &set).context("choose processors")
    }
}

/// Calls of [`write_all`] and [`read_all`], and how many of them came back on another processor.
static CALLS: AtomicU64 = AtomicU64::new(0);
static MOVES: AtomicU64 = AtomicU64::new(0);

/// Where a program runs, call by call, where it may move at all.
struct Walk {
    may_move: bool,
    processor: usize,
    calls: u64,
    moves: u64,
}

impl Walk {
    fn begin() -> Self {
        Walk {
            may_move: std::thread::available_parallelism().is_ok_and(|count| count.get() > 1),
            processor: sched_getcpu().unwrap_or_default(),
            calls: 0,
            moves: 0,
        }
    }

    fn came_back(&mut self) {
        let now = sched_getcpu().unwrap_or_default();
        self.calls += 1;
        self.moves += u64::from(now != self.processor);
        self.processor = now;
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        if self.may_move {
            CALLS.fetch_add(self.calls, Ordering::Relaxed);
            MOVES.fetch_add(self.moves, Ordering::Relaxed);
        }
    }
}

/// Says how often the program came back on another processor since this was asked last: a figure of a run in which it
/// mostly did is one about waking processors.
fn tell_moves(what: &str) {
    let (calls, moves) = (
        CALLS.swap(0, Ordering::Relaxed),
        MOVES.swap(0, Ordering::Relaxed),
    );
    let share = moves as f64 * 100.0 / calls.max(1) as f64;
    println!("({what}: {share:.1} % of {calls} calls came back on another processor)");
}

/// Whether this program has a real-time priority, which its servers inherit.
pub fn has_priority() -> bool {
    let policy = || -> Option<u32> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        // Field 41 of the line; two stand before the closing parenthesis.
        let fields = stat.rsplit(')').next()?;
        fields.split_whitespace().nth(38)?.parse().ok()
    };
    // SCHED_FIFO and SCHED_RR
    matches!(policy(), Some(1 | 2))
}

/// A server process that ends with this value.
pub struct Server {
    child: Child,
    name: PathBuf,
}

impl Server {
    /// Starts a program and waits until `node` appears in the directory that it mounts.
    pub fn start(
        program: &Path,
        arguments: &[&str],
        directory: &Path,
        node: &str,
    ) -> Result<Server> {
        std::fs::create_dir_all(directory)?;
        Server::start_until(program, arguments, &directory.join(node))
    }

    /// Starts a program and waits until something is at a path.
    pub fn start_until(program: &Path, arguments: &[&str], appears: &Path) -> Result<Server> {
        // In a session of its own, as a service has one: that decides which processors the scheduler finds idle.
        let child = Command::new("setsid")
            .arg(program)
            .args(arguments)
            // thousands of moves are no news here
            .env("RUST_LOG", "warn,fuser=error")
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("can't start {}", program.display()))?;
        let mut server = Server {
            child,
            name: program.to_owned(),
        };
        let deadline = Instant::now() + Duration::from_secs(120);
        while std::fs::metadata(appears).is_err() {
            if let Some(status) = server.child.try_wait()? {
                bail!("{} ended: {status}", program.display());
            }
            if Instant::now() > deadline {
                bail!(
                    "{} did not make {} in 120 s",
                    program.display(),
                    appears.display()
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// Processor seconds used so far by the threads that it has now.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let mut nanoseconds = 0.0;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let times = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            let ran = times.split_whitespace().next().context("no times")?;
            nanoseconds += ran.parse::<f64>()?;
        }
        Ok(nanoseconds / 1e9)
    }

    /// Largest resident memory so far, in MiB.
    pub fn peak_mib(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .context("no VmHWM")?;
        let kib: f64 = line
            .split_whitespace()
            .nth(1)
            .context("no value")?
            .parse()?;
        Ok(kib / 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().try_into().expect("pids fit"));
        if nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).is_ok() {
            let status = self.child.wait();
            if !matches!(&status, Ok(status) if status.success()) {
                eprintln!("{} ended with {status:?}", self.name.display());
            }
        }
    }
}

pub fn write_all(path: &Path, size: usize, total: u64) -> Result<f64> {
    let data = &Aligned::new(size, 0xa5)[..];
    let mut file = OpenOptions::new()
        .write(true)
        .open(path)
        .context("open for writing")?;
    // Drops what an earlier run recorded, as making the plain file anew does before its time runs.
    file.write_all(data).context("write")?;
    let (start, mut walk) = (Instant::now(), Walk::begin());
    for _ in 0..total / size as u64 {
        file.write_all(data).context("write")?;
        walk.came_back();
    }
    Ok(mib_per_second(total, start.elapsed()))
}

pub fn read_all(file: &mut File, size: usize, total: u64) -> Result<f64> {
    let mut data = Aligned::new(size, 0);
    let data = &mut data[..];
    let (start, mut walk) = (Instant::now(), Walk::begin());
    for _ in 0..total / size as u64 {
        file.read_exact(data).context("read")?;
        walk.came_back();
    }
    Ok(mib_per_second(total, start.elapsed()))
}

fn total(size: usize) -> u64 {
    if size < 64 << 10 {
        TOTAL_OF_SMALL
    } else {
        TOTAL
    }
}

fn plain_write(path: &Path, size: usize) -> Result<f64> {
    let data = &Aligned::new(size, 0xa5)[..];
    let file = File::create(path)?;
    let start = Instant::now();
    for number in 0..total(size) / size as u64 {
        file.write_all_at(data, number * size as u64)?;
    }
    Ok(mib_per_second(total(size), start.elapsed()))
}

fn plain_read(path: &Path, size: usize) -> Result<f64> {
    let mut data = Aligned::new(size, 0);
    let data = &mut data[..];
    let file = File::open(path)?;
    let start = Instant::now();
    for number in 0..total(size) / size as u64 {
        file.read_exact_at(data, number * size as u64)?;
    }
    Ok(mib_per_second(total(size), start.elapsed()))
}

pub fn rewind(file: &File) -> Result<()> {
    /// `struct mtop` of linux/mtio.h with MTREW.
    #[repr(C)]
    struct MtOp {
        op: i16,
        count: i32,
    }
    nix::ioctl_write_ptr!(mtioctop, b'm', 1, MtOp);
    // SAFETY: the descriptor is open for the call, and the argument has the layout that MTIOCTOP reads.
    #[allow(unsafe_code)]
    unsafe { mtioctop(file.as_raw_fd(), &MtOp { op: 6, count: 1 }) }.context("rewind")?;
    Ok(())
}

fn series(first: f64, second: f64) -> f64 {
    1.0 / (1.0 / first + 1.0 / second)
}

/// Does something on one processor, where the other programs are that are pinned, and goes back.
fn pinned<T>(placement: Placement, work: impl FnOnce() -> Result<T>) -> Result<T> {
    Placement::OneProcessor.apply()?;
    let done = work();
    placement.apply()?;
    done
}

/// Both directions at each size, then processor time and memory of the daemon. What they are held against is always
/// measured on one processor: placed freely, an empty server gives one figure or a third of it, as it happens.
pub fn run(
    report: &mut Report,
    programs: &Path,
    scratch: &Path,
    placement: Placement,
    way: Way,
) -> Result<()> {
    placement.apply()?;
    let place = format!("{}, {}", placement.name(), way.name());
    let image = scratch.join("bench.ptape");
    let (mount, empty_mount) = (scratch.join("mount"), scratch.join("empty"));
    let plain = scratch.join("plain");
    create_image(programs, &image)?;
    let text = |path: &Path| path.to_str().map(str::to_owned).context("a path in UTF-8");
    let control = text(&scratch.join("control"))?;
    let (drive, directory) = (text(&image)?, text(&mount)?);
    let arguments = [
        "--drive",
        &drive,
        "--fuse",
        &directory,
        "--control",
        &control,
        "--uring",
        way.option(),
    ];
    let ours = Server::start(
        &programs.join("pseudotape-dev"),
        &arguments,
        &mount,
        "pmtm0",
    )?;
    let empty_directory = text(&empty_mount)?;
    let empty = pinned(placement, || {
        let arguments = ["--empty", &*empty_directory];
        Server::start(&std::env::current_exe()?, &arguments, &empty_mount, "file")
    })?;
    let (node, keeping) = (mount.join("pmtm0"), mount.join("npmtm0"));
    let file = empty_mount.join("file");
    let must = |rate: Result<f64>| rate.expect("the file system under test works");

    let (cpu, start) = (ours.cpu_seconds()?, Instant::now());
    let mut busy = Duration::ZERO;
    for (size, name) in SIZES {
        report.pair(
            &format!("mount, {place}, write {name}"),
            0.8,
            || must(timed(&mut busy, || write_all(&node, size, total(size)))),
            || {
                must(pinned(placement, || {
                    let empty = write_all(&file, size, total(size))?;
                    Ok(series(empty, plain_write(&plain, size)?))
                }))
            },
        );
        report.pair(
            &format!("mount, {place}, read {name}"),
            0.8,
            || {
                must(timed(&mut busy, || {
                    let mut tape = File::open(&keeping)?;
                    rewind(&tape)?;
                    read_all(&mut tape, size, total(size))
                }))
            },
            || {
                must(pinned(placement, || {
                    let empty = read_all(&mut File::open(&file)?, size, total(size))?;
                    Ok(series(empty, plain_read(&plain, size)?))
                }))
            },
        );
        tell_moves(&format!("{place}, {name}"));
    }
    let used = ours.cpu_seconds()? - cpu;
    log_busy(used, start.elapsed());
    report.at_most(
        &format!("mount, {place}, daemon's processors while busy"),
        "cores",
        1.0,
        vec![used / busy.as_secs_f64()],
    );

    let huge = 16 << 20;
    must(write_all(&node, huge, TOTAL));
    let mut tape = File::open(&node)?;
    must(read_all(&mut tape, huge, TOTAL));
    drop(tape);
    report.at_most(
        &format!("mount, {place}, daemon's memory, 16 MiB records"),
        "MiB",
        64.0,
        vec![ours.peak_mib()?],
    );
    drop(empty);
    Ok(())
}

fn log_busy(used: f64, wall: Duration) {
    println!(
        "(daemon: {used:.1} s of processor in {:.1} s)",
        wall.as_secs_f64()
    );
}

fn timed<T>(busy: &mut Duration, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    *busy += start.elapsed();
    result
}

pub fn create_image(programs: &Path, image: &Path) -> Result<()> {
    let status = Command::new(programs.join("pseudotape"))
        .args(["create", "--force", "--capacity", "4G"])
        .arg(image)
        .stdout(Stdio::null())
        .status()
        .context("can't run pseudotape create")?;
    if !status.success() {
        bail!("pseudotape create: {status}");
    }
    Ok(())
}
