//! Where there is no memory for a record, that call is refused, and the connection goes on.

mod common;
#[path = "common/null.rs"]
mod null;

use std::process::Command;

use common::{greet, master, on_socket, on_stream};
use pseudotape_slave::{Options, ServeOptions, SlaveDrive, SlavePort};
use pseudotape_tape::{Drive, Sense, Transfer, Volume};

/// The longest record.
const LONG_RECORD: usize = 16 << 20;
/// Memory set aside for threads would be a reserve beside the limit.
const ARENAS: &str = "MALLOC_ARENA_MAX";

/// Runs one test of this file in a process of its own, which gets no more memory than it asks for.
fn alone(test: &str) -> bool {
    if std::env::var_os(ARENAS).is_some() {
        return true;
    }
    let this = std::env::current_exe().expect("this program has a path");
    let output = Command::new(this)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(ARENAS, "1")
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{}: {said}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

/// From now on this process gets only a little more memory than it has.
fn allow_no_more() {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kib: u64 = line
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .expect("the size of this process");
    let limited = Command::new("prlimit")
        .args(["--pid", &std::process::id().to_string()])
        .arg(format!("--as={}", (kib + 4096) * 1024))
        .status()
        .expect("prlimit of util-linux");
    assert!(limited.success());
}

fn refuses_only_what_is_too_long(drive: &mut SlaveDrive, port: &SlavePort, buffer: &mut [u8]) {
    for _ in 0..2 {
        let failed = drive.write(Transfer::Variable, buffer).unwrap_err();
        assert_eq!(failed.sense, Sense::HardwareError);
        let failed = drive.read(Transfer::Variable, buffer).unwrap_err();
        assert_eq!(failed.sense, Sense::HardwareError);
        assert!(port.is_attached(), "{:?}", port.status());
        let small = &mut buffer[..1000];
        assert_eq!(drive.write(Transfer::Variable, small).unwrap().count, 1);
        assert_eq!(drive.read(Transfer::Variable, small).unwrap().bytes, 1000);
        drive.position().unwrap();
    }
}

/// The master needs memory: a node's frontend fetches a request in pieces of any length.
#[test]
fn a_record_that_the_master_has_no_memory_for_is_refused_alone() {
    if !alone("a_record_that_the_master_has_no_memory_for_is_refused_alone") {
        return;
    }
    let mut buffer = vec![7; LONG_RECORD];
    let (mut drive, port) = master(Options::default());
    let _served = on_stream(&port, Box::new(null::NullDrive::default()), 3);
    greet(&mut drive);
    drive.write(Transfer::Variable, &buffer[..1000]).unwrap();
    let at = drive.position().unwrap();
    allow_no_more();
    let failed = drive.write(Transfer::Variable, &buffer).unwrap_err();
    assert_eq!(failed.position, Some(at), "the slave heard nothing of it");
    let trouble = drive.take_trouble().unwrap();
    assert!(
        trouble.contains("no memory for a record of 16777216 bytes"),
        "{trouble}"
    );
    refuses_only_what_is_too_long(&mut drive, &port, &mut buffer);
}

/// The slave needs memory: it has no share in the master's.
#[test]
fn a_record_that_the_slave_has_no_memory_for_is_refused_alone() {
    if !alone("a_record_that_the_slave_has_no_memory_for_is_refused_alone") {
        return;
    }
    let mut buffer = vec![7; LONG_RECORD];
    let (mut drive, port) = master(Options::default());
    let options = ServeOptions {
        shared_memory: false,
        ..ServeOptions::default()
    };
    let _served = on_socket(&port, Box::new(null::NullDrive::default()), options);
    greet(&mut drive);
    drive.write(Transfer::Variable, &buffer[..1000]).unwrap();
    allow_no_more();
    refuses_only_what_is_too_long(&mut drive, &port, &mut buffer);
}
