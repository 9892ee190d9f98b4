//! A program on the FUSE mount, against what an empty FUSE server and plain file I/O give in series.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::report::{Report, mib_per_second};

/// Bytes moved in one run.
const TOTAL: u64 = 256 << 20;
const SIZES: [(usize, &str); 2] = [(64 << 10, "64 KiB"), (1 << 20, "1 MiB")];

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
        let mut set = CpuSet::new();
        let last = match self {
            Placement::Free => std::thread::available_parallelism()?.get(),
            Placement::OneProcessor => 1,
        };
        (0..last).try_for_each(|processor| set.set(processor))?;
        sched_setaffinity(Pid::from_raw(0), &set).context("choose processors")
    }
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
        let child = Command::new(program)
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

    /// Processor seconds used so far.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields = stat.rsplit(')').next().context("no fields in stat")?;
        let ticks = |index: usize| {
            fields
                .split_whitespace()
                .nth(index)
                .and_then(|f| f.parse::<f64>().ok())
        };
        // Fields 14 and 15 of the line; two stand before the closing parenthesis. USER_HZ is 100.
        Ok((ticks(11).context("utime")? + ticks(12).context("stime")?) / 100.0)
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
    let start = Instant::now();
    for _ in 0..total / size as u64 {
        file.write_all(data).context("write")?;
    }
    Ok(mib_per_second(total, start.elapsed()))
}

pub fn read_all(file: &mut File, size: usize, total: u64) -> Result<f64> {
    let mut data = Aligned::new(size, 0);
    let data = &mut data[..];
    let start = Instant::now();
    for _ in 0..total / size as u64 {
        file.read_exact(data).context("read")?;
    }
    Ok(mib_per_second(total, start.elapsed()))
}

fn plain_write(path: &Path, size: usize) -> Result<f64> {
    let data = &Aligned::new(size, 0xa5)[..];
    let file = File::create(path)?;
    let start = Instant::now();
    for number in 0..TOTAL / size as u64 {
        file.write_all_at(data, number * size as u64)?;
    }
    Ok(mib_per_second(TOTAL, start.elapsed()))
}

fn plain_read(path: &Path, size: usize) -> Result<f64> {
    let mut data = Aligned::new(size, 0);
    let data = &mut data[..];
    let file = File::open(path)?;
    let start = Instant::now();
    for number in 0..TOTAL / size as u64 {
        file.read_exact_at(data, number * size as u64)?;
    }
    Ok(mib_per_second(TOTAL, start.elapsed()))
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

/// Both directions at each size, then processor time and memory of the daemon.
pub fn run(
    report: &mut Report,
    programs: &Path,
    scratch: &Path,
    placement: Placement,
) -> Result<()> {
    placement.apply()?;
    let place = placement.name();
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
    ];
    let ours = Server::start(
        &programs.join("pseudotape-dev"),
        &arguments,
        &mount,
        "pmtm0",
    )?;
    let empty_directory = text(&empty_mount)?;
    let empty = Server::start(
        &std::env::current_exe()?,
        &["--empty", &empty_directory],
        &empty_mount,
        "file",
    )?;
    let (node, keeping) = (mount.join("pmtm0"), mount.join("npmtm0"));
    let file = empty_mount.join("file");
    let must = |rate: Result<f64>| rate.expect("the file system under test works");

    let (cpu, start) = (ours.cpu_seconds()?, Instant::now());
    let mut busy = Duration::ZERO;
    for (size, name) in SIZES {
        report.pair(
            &format!("mount, {place}, write {name}"),
            0.8,
            || must(timed(&mut busy, || write_all(&node, size, TOTAL))),
            || {
                series(
                    must(write_all(&file, size, TOTAL)),
                    must(plain_write(&plain, size)),
                )
            },
        );
        report.pair(
            &format!("mount, {place}, read {name}"),
            0.8,
            || {
                must(timed(&mut busy, || {
                    let mut tape = File::open(&keeping)?;
                    rewind(&tape)?;
                    read_all(&mut tape, size, TOTAL)
                }))
            },
            || {
                let mut open = File::open(&file).expect("the empty file opens");
                series(
                    must(read_all(&mut open, size, TOTAL)),
                    must(plain_read(&plain, size)),
                )
            },
        );
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
