//! The two Python slaves of docs/SLAVE-PROTOCOL.md, over a socket and over a byte stream.

mod common;

use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::{LONG, greet, master};
use pseudotape_slave::{Options, SlaveDrive, SlaveListener, SlavePort};
use pseudotape_tape::{
    Address, Drive, Mark, ObjectNumber, ReadDone, Sense, SpaceUnit, Stop, Transfer, WriteMode,
};
use pseudotape_testkit::block_of;

const DOCUMENT: &str = include_str!("../../../docs/SLAVE-PROTOCOL.md");
const READ_ONLY: &str = include_str!("../../../tests/slave/readonly.py");
const COUNTING: &str = include_str!("../../../tests/slave/counting.py");

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/slave")
        .join(name)
}

/// A master, and a Python slave that has attached to its socket.
struct Pair {
    drive: SlaveDrive,
    port: SlavePort,
    slave: Child,
    _listener: SlaveListener,
    directory: tempfile::TempDir,
}

impl Pair {
    fn on_socket(name: &str, fill: impl FnOnce(&Path)) -> Pair {
        let directory = tempfile::tempdir().unwrap();
        let (socket, files) = (
            directory.path().join("socket"),
            directory.path().join("files"),
        );
        std::fs::create_dir(&files).unwrap();
        fill(&files);
        let (mut drive, port) = master(Options::default());
        let listener = SlaveListener::bind(&socket, port.clone()).unwrap();
        let slave = Command::new("python3")
            .arg(script(name))
            .args([&socket, &files][..if name == "readonly.py" { 2 } else { 1 }].iter())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is installed");
        assert!(port.wait_attached(LONG), "{:?}", port.status());
        greet(&mut drive);
        Pair {
            drive,
            port,
            slave,
            _listener: listener,
            directory,
        }
    }

    /// Hangs up, and returns the output of the slave.
    fn end(mut self) -> String {
        drop(self.drive);
        let mut printed = String::new();
        let output = self.slave.stdout.as_mut().unwrap();
        output.read_to_string(&mut printed).unwrap();
        assert!(self.slave.wait().unwrap().success());
        drop(self.directory);
        printed
    }
}

fn read(drive: &mut dyn Drive) -> (Vec<u8>, ReadDone) {
    let mut buffer = vec![0; 300_000];
    let done = drive.read(Transfer::Variable, &mut buffer).unwrap();
    buffer.truncate(done.bytes);
    (buffer, done)
}

fn three_blocks(directory: &Path) {
    std::fs::write(directory.join("0"), block_of(1, 10_240)).unwrap();
    std::fs::write(directory.join("1"), block_of(2, 262_144)).unwrap();
    std::fs::write(directory.join("2"), b"").unwrap();
    std::fs::write(directory.join("3"), b"last").unwrap();
}

fn read_a_tape(drive: &mut dyn Drive) {
    assert_eq!(drive.test_ready(), Ok(()));
    assert!(drive.mode().unwrap().write_protected);
    assert_eq!(read(drive).0, block_of(1, 10_240));
    assert_eq!(read(drive).0, block_of(2, 262_144));
    assert_eq!(read(drive).1.stop, Some(Stop::Filemark));
    assert_eq!(read(drive).0, b"last");
    for _ in 0..2 {
        assert_eq!(read(drive).1.stop, Some(Stop::EndOfData));
    }
    let back = drive.space(SpaceUnit::Filemarks, -1).unwrap();
    assert_eq!((back.count, back.position.object.0), (1, 2));
    let back = drive.space(SpaceUnit::Blocks, -5).unwrap();
    assert_eq!(
        (back.count, back.stop),
        (2, Some(Stop::BeginningOfPartition))
    );
    let over = drive.space(SpaceUnit::Blocks, 5).unwrap();
    assert_eq!(
        (over.count, over.stop, over.position.object.0),
        (2, Some(Stop::Filemark), 3)
    );
    assert_eq!(over.position.file.map(|file| file.0), Some(1));
    let mut short = [0; 100];
    let to = |object| Address {
        partition: None,
        object: ObjectNumber(object),
    };
    drive.locate(to(1)).unwrap();
    let done = drive.read(Transfer::Variable, &mut short).unwrap();
    assert_eq!((done.bytes, done.block_length), (100, 262_144));
    assert_eq!(drive.locate(to(9)).unwrap().stop, Some(Stop::EndOfData));
    let refused = drive.write(Transfer::Variable, b"no").unwrap_err();
    assert_eq!(refused.sense, Sense::WriteProtected);
    let refused = drive.space(SpaceUnit::Setmarks, 1).unwrap_err();
    assert_eq!(refused.sense, Sense::IllegalRequest);
    assert_eq!(drive.rewind().unwrap().position.object.0, 0);
}

fn write_a_tape(drive: &mut dyn Drive) {
    drive
        .write(Transfer::Variable, &block_of(1, 10_240))
        .unwrap();
    drive
        .write(Transfer::Variable, &block_of(2, 1 << 20))
        .unwrap();
    drive.extend(&block_of(3, 76)).unwrap();
    let fixed = Transfer::Fixed(512.try_into().unwrap());
    drive.write(fixed, &block_of(4, 1024)).unwrap();
    drive
        .write_marks(Mark::Filemark, 2, WriteMode::Commit)
        .unwrap();
    assert_eq!(drive.position().unwrap().object.0, 6);
    drive.rewind().unwrap();
    let refused = drive.unload().unwrap_err();
    assert_eq!(refused.sense, Sense::IllegalRequest);
}

// The first rewind is the one that the master does for each new slave.
const COUNTED: &str = "4 records, 1059916 bytes, 2 filemarks, 2 rewinds\n";

/// PT-05: a script on the slave end serves a read-only tape.
#[test]
fn a_script_serves_a_read_only_tape_on_a_socket() {
    let mut pair = Pair::on_socket("readonly.py", three_blocks);
    assert_eq!(pair.port.status().identity.product, "READ-ONLY");
    read_a_tape(&mut pair.drive);
    assert_eq!(pair.end(), "");
}

/// PT-05: a script on the slave end counts records.
#[test]
fn a_script_counts_records_on_a_socket() {
    let mut pair = Pair::on_socket("counting.py", |_| ());
    write_a_tape(&mut pair.drive);
    assert_eq!(pair.end(), COUNTED);
}

/// As on a node: the script opens a path that is no socket, and its reads and writes are cut at arbitrary
/// places. A pseudo terminal stands for the node.
fn on_stream(name: &str, files: &Path) -> (SlaveDrive, Child) {
    let (mut drive, port) = master(Options::default());
    let (own, other) = nix::pty::openpty(None, None)
        .map(|pty| (pty.master, pty.slave))
        .unwrap();
    raw_mode(&own);
    let end = port.attach_stream().unwrap();
    let copy = own.try_clone().unwrap();
    common::carry(end, own.into(), copy.into(), 0xd1ce);
    let path = nix::unistd::ttyname(&other).unwrap();
    let mut command = Command::new("python3");
    command.arg(script(name)).arg(path).stdout(Stdio::piped());
    if name == "readonly.py" {
        command.arg(files);
    }
    let slave = command.spawn().expect("python3 is installed");
    assert!(port.wait_attached(LONG), "{:?}", port.status());
    greet(&mut drive);
    // The terminal must stay open until the script has opened it, and the script has opened it by now.
    drop(other);
    (drive, slave)
}

fn raw_mode(terminal: &OwnedFd) {
    use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
    let mut settings = tcgetattr(terminal).unwrap();
    cfmakeraw(&mut settings);
    tcsetattr(terminal, SetArg::TCSANOW, &settings).unwrap();
}

#[test]
fn a_script_serves_a_read_only_tape_on_a_byte_stream() {
    let directory = tempfile::tempdir().unwrap();
    three_blocks(directory.path());
    let (mut drive, mut slave) = on_stream("readonly.py", directory.path());
    read_a_tape(&mut drive);
    drop(drive);
    assert!(slave.wait().unwrap().success());
}

#[test]
fn a_script_counts_records_on_a_byte_stream() {
    let directory = tempfile::tempdir().unwrap();
    let (mut drive, mut slave) = on_stream("counting.py", directory.path());
    write_a_tape(&mut drive);
    drop(drive);
    let mut printed = String::new();
    let output = slave.stdout.as_mut().unwrap();
    output.read_to_string(&mut printed).unwrap();
    assert!(slave.wait().unwrap().success());
    assert_eq!(printed, COUNTED);
}

#[test]
fn a_second_script_says_why_it_ends() {
    let pair = Pair::on_socket("counting.py", |_| ());
    let second = Command::new("python3")
        .arg(script("counting.py"))
        .arg(pair.directory.path().join("socket"))
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains("another slave is attached"), "{said}");
    pair.end();
}

#[test]
fn the_document_ends_with_the_scripts_as_they_are_and_they_are_short() {
    for (name, text) in [("readonly.py", READ_ONLY), ("counting.py", COUNTING)] {
        let lines = text.lines().count();
        assert!(lines <= 60, "{name} has {lines} lines");
        let printed = format!("```python\n{text}```\n");
        assert!(
            DOCUMENT.contains(&printed),
            "{name} differs from the document"
        );
    }
}
