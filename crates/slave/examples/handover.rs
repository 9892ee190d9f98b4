//! Measures the cost of handing a record to another process: `cargo run --release -p pseudotape-slave --example
//! handover`.
//!
//! Writes records alternately to a drive in process and to the same drive behind the slave protocol in another
//! process. Prints the median time of a record, and the processor time of both processes per GB. With a
//! directory as argument the drive is an image there, otherwise a drive that stores nothing.

use std::env;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use pseudotape_drive::{Cartridge, FileMedium, ImageDrive, Overrides, Personality};
use pseudotape_image::{Access, CreateParameters, Uuid, VolumeId};
use pseudotape_slave::{
    Channel, Checksums, Options, ServeOptions, SlaveDrive, SlaveListener, serve_with,
};
use pseudotape_tape::{Drive, Transfer};

#[path = "../tests/common/null.rs"]
mod null;
use null::NullDrive;

/// The number of bytes written in one run.
const RUN_BYTES: usize = 512 << 20;
const RUNS: usize = 5;
const RECORDS: [usize; 3] = [10 << 10, 64 << 10, 1 << 20];

fn drive(directory: Option<&Path>, name: &str) -> Box<dyn Drive> {
    let Some(directory) = directory else {
        return Box::new(NullDrive::default());
    };
    let path = directory.join(name);
    std::fs::remove_file(&path).ok();
    let parameters = CreateParameters::new(VolumeId(Uuid::now_v7()), 0);
    let medium = FileMedium::new(&path, Access::ReadWrite);
    let cartridge = Cartridge::create(medium, &parameters).expect("a new image");
    let mut drive = ImageDrive::new(Personality::default(), "BENCH".into(), Overrides::default());
    assert!(drive.insert(cartridge).is_ok(), "a new drive is empty");
    Box::new(drive)
}

fn slave(socket: &Path, mode: &str, directory: Option<&Path>) {
    let options = ServeOptions {
        shared_memory: mode != "stream",
        ..ServeOptions::default()
    };
    let channel = Channel::open(socket).expect("the master listens");
    let mut drive = drive(directory, "slave.ptape");
    serve_with(&mut *drive, channel, &options).expect("the master hangs up");
}

struct Cpu(Duration);

impl Cpu {
    fn now(child: Option<&Child>) -> Cpu {
        let usage = getrusage(UsageWho::RUSAGE_SELF).expect("usage");
        let own = (usage.user_time() + usage.system_time()).num_microseconds();
        let mut total = Duration::from_micros(own.try_into().expect("time goes forward"));
        if let Some(child) = child {
            let stat = std::fs::read_to_string(format!("/proc/{}/schedstat", child.id()));
            let stat = stat.expect("the slave lives");
            let nanos = stat.split(' ').next().and_then(|n| n.parse().ok());
            total += Duration::from_nanos(nanos.expect("a number"));
        }
        Cpu(total)
    }
}

fn run(drive: &mut dyn Drive, record: usize, child: Option<&Child>) -> (Duration, f64) {
    while drive.rewind().is_err() {}
    let data = vec![0x5a; record];
    let count = RUN_BYTES / record;
    let cpu = Cpu::now(child);
    let started = Instant::now();
    for _ in 0..count {
        drive.write(Transfer::Variable, &data).expect("it is taken");
    }
    let time = started.elapsed() / u32::try_from(count).expect("few records");
    let cpu = (Cpu::now(child).0 - cpu.0).as_secs_f64() * 1e9 / RUN_BYTES as f64;
    (time, cpu)
}

fn median(mut runs: Vec<(Duration, f64)>) -> (Duration, f64) {
    runs.sort_by_key(|run| run.0);
    runs[runs.len() / 2]
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    if let [_, command, socket, mode, directory @ ..] = &arguments[..]
        && command == "slave"
    {
        return slave(Path::new(socket), mode, directory.first().map(Path::new));
    }
    let directory = arguments.get(1).map(Path::new);
    let temporary = tempfile::tempdir().expect("a directory");
    let modes = ["in process", "shared", "checksums", "stream"];
    let mut masters: Vec<(Box<dyn Drive>, Option<Child>)> = Vec::new();
    let mut kept = Vec::new();
    for mode in modes {
        if mode == "in process" {
            masters.push((drive(directory, "own.ptape"), None));
            continue;
        }
        let checksums = match mode {
            "checksums" => Checksums::Always,
            _ => Checksums::Streamed,
        };
        let options = Options {
            checksums,
            ..Options::default()
        };
        let (drive, port) = SlaveDrive::new(options).expect("a thread");
        let socket = temporary.path().join(mode);
        let listener = SlaveListener::bind(&socket, port.clone()).expect("a socket");
        let mut command = Command::new(env::current_exe().expect("a name"));
        command.args(["slave".as_ref(), socket.as_os_str(), mode.as_ref()]);
        let own = directory.map(|d| d.join(mode));
        if let Some(own) = &own {
            std::fs::create_dir_all(own).expect("a directory");
            command.arg(own);
        }
        let child = command.spawn().expect("a process");
        assert!(port.wait_attached(Duration::from_secs(10)));
        masters.push((Box::new(drive), Some(child)));
        kept.push(listener);
    }
    for record in RECORDS {
        let mut results = vec![Vec::new(); modes.len()];
        for _ in 0..RUNS {
            for (runs, (drive, child)) in results.iter_mut().zip(&mut masters) {
                runs.push(run(&mut **drive, record, child.as_ref()));
            }
        }
        let medians: Vec<_> = results.into_iter().map(median).collect();
        let own = medians[0].0.as_secs_f64();
        for (mode, (time, cpu)) in modes.iter().zip(medians) {
            println!(
                "{:5} KiB  {mode:10}  {:8.1} us/record  {cpu:.3} CPU s/GB  {:.2} of in process",
                record >> 10,
                time.as_secs_f64() * 1e6,
                own / time.as_secs_f64(),
            );
        }
    }
    for (drive, child) in masters {
        drop(drive);
        if let Some(mut child) = child {
            child.wait().expect("the slave ends");
        }
    }
}
