//! The daemon as a process, and the master's end in this one.
#![allow(dead_code, reason = "each test uses some of it")]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use pseudotape_control::mirror::MirrorStatus;
use pseudotape_sink::{Access, Sink};
use pseudotape_slave::{Options, SlaveDrive, SlaveListener, SlavePort};
use pseudotape_tape::{Drive, Failed, Mark, Sense, Stop, Transfer, WriteMode};
use pseudotape_tape::{Noted, ObjectNumber, Volume};
use tempfile::TempDir;

use crate::support::{Object, contents};

/// Far more than anything here takes.
pub const LONG: Duration = Duration::from_secs(60);

/// What a command printed, and how it ended.
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs the program to its end.
pub fn run(arguments: &[&str]) -> Said {
    // In time, whatever happens.
    let output = Command::new("timeout")
        .arg(LONG.as_secs().to_string())
        .arg(env!("CARGO_BIN_EXE_pseudotape-mirror"))
        .args(arguments)
        .env_remove("PSEUDOTAPE_MIRROR_CONTROL")
        .output()
        .expect("the program runs");
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A place with a slave end and a mirror.
pub struct Place {
    pub directory: TempDir,
    mirror: Option<Child>,
}

/// The device daemon's side of a slave end.
pub struct Master {
    pub drive: SlaveDrive,
    pub port: SlavePort,
    _listener: SlaveListener,
}

impl Master {
    /// Hears the attentions of a new slave and its volumes; waits for one where the last is just going.
    pub fn settle(&mut self) {
        let began = Instant::now();
        while began.elapsed() < LONG {
            assert!(self.port.wait_attached(LONG), "the mirror came");
            match self.drive.test_ready() {
                Err(failed) => match failed.sense {
                    Sense::Reset | Sense::MediumChanged | Sense::NoDrive | Sense::HardwareError => {
                    }
                    _ => return,
                },
                Ok(()) => return,
            }
        }
        panic!("no end of attentions");
    }

    pub fn write(&mut self, block: &[u8]) -> Result<(), Failed> {
        let done = self.drive.write(Transfer::Variable, block)?;
        assert_eq!((done.count, done.stop), (1, None));
        Ok(())
    }

    pub fn mark(&mut self) {
        let done = self
            .drive
            .write_marks(Mark::Filemark, 1, WriteMode::Commit)
            .unwrap();
        assert_eq!((done.count, done.stop), (1, None));
    }
}

/// A block whose content tells its number.
pub fn block(number: u64) -> Vec<u8> {
    let length = 1000 + (number % 7) as usize * 1111;
    let seed = number.to_le_bytes();
    seed.iter().copied().cycle().take(length).collect()
}

impl Place {
    pub fn new() -> Place {
        Place {
            directory: tempfile::tempdir().unwrap(),
            mirror: None,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// An image in this place, made where it is not there.
    pub fn image(&self, name: &str) -> String {
        format!("image:{},create", self.text(name))
    }

    /// The device daemon's side.
    pub fn master(&self) -> Master {
        let options = Options {
            keep_alive: Duration::from_millis(200),
            ..Options::default()
        };
        let (drive, port) = SlaveDrive::new(options).unwrap();
        let listener = SlaveListener::bind(&self.path("slave"), port.clone()).unwrap();
        Master {
            drive,
            port,
            _listener: listener,
        }
    }

    /// Starts a mirror; returns when it answers.
    pub fn start(&mut self, options: &[&str]) {
        self.start_by(&[], options);
    }

    /// Starts one whose files can't be longer than this.
    pub fn start_limited(&mut self, bytes: u64, options: &[&str]) {
        let limit = format!("--fsize={bytes}");
        // Without its signal the write fails.
        self.start_by(&["env", "--ignore-signal=XFSZ", "prlimit", &limit], options);
    }

    /// Starts one that has no reserve of memory for its threads, so that a limit is one.
    pub fn start_sparing(&mut self, options: &[&str]) {
        self.start_by(&["env", "MALLOC_ARENA_MAX=1"], options);
    }

    fn start_by(&mut self, by: &[&str], options: &[&str]) {
        self.launch_by(by, options);
        let began = Instant::now();
        while UnixStream::connect(self.path("control")).is_err() {
            let ended = self.mirror.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {}", self.log());
            assert!(began.elapsed() < LONG, "it never answers: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Starts one, and does not wait until it answers.
    pub fn launch(&mut self, options: &[&str]) {
        self.launch_by(&[], options);
    }

    fn launch_by(&mut self, by: &[&str], options: &[&str]) {
        assert!(self.mirror.is_none(), "one at a time");
        let log = File::options()
            .append(true)
            .create(true)
            .open(self.path("log"))
            .unwrap();
        let program = [env!("CARGO_BIN_EXE_pseudotape-mirror")];
        let mut words = by.iter().chain(&program);
        let child = Command::new(words.next().expect("the program is there"))
            .args(words)
            .args(["run", "--slave", &self.text("slave")])
            .args(["--control", &self.text("control")])
            .args(options)
            .env("NOTIFY_SOCKET", self.path("notify"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.mirror = Some(child);
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    pub fn pid(&self) -> u32 {
        self.mirror.as_ref().expect("it runs").id()
    }

    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for the end of the mirror.
    pub fn wait(&mut self) -> ExitStatus {
        let mut child = self.mirror.take().expect("it runs");
        let began = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            if began.elapsed() > LONG {
                child.kill().unwrap();
                panic!("it does not end: {}", self.log());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// SIGTERM; the exit code.
    pub fn stop(&mut self) -> i32 {
        self.signal("TERM");
        let status = self.wait();
        status.code().unwrap_or_else(|| panic!("{status}"))
    }

    pub fn kill(&mut self) {
        self.signal("KILL");
        assert_eq!(self.wait().signal(), Some(9));
    }

    /// A command to this mirror.
    pub fn command(&self, arguments: &[&str]) -> Said {
        let control = self.text("control");
        let mut all = vec!["--control", &control];
        all.extend(arguments);
        run(&all)
    }

    /// A command that does what it is to do.
    pub fn done(&self, arguments: &[&str]) -> String {
        let said = self.command(arguments);
        assert_eq!(said.code, 0, "{arguments:?}: {}{}", said.err, self.log());
        said.out
    }

    /// A command that is refused, or fails.
    pub fn refused(&self, arguments: &[&str]) -> String {
        let said = self.command(arguments);
        assert_eq!(said.code, 2, "{arguments:?}: {}{}", said.out, said.err);
        said.err
    }

    pub fn status(&self) -> MirrorStatus {
        let said = self.command(&["status", "--json"]);
        serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}", said.err))
    }

    /// Sends bytes to the control socket; what comes back until it is closed, or one line.
    pub fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = UnixStream::connect(self.path("control")).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        // The daemon may have closed it before all was sent.
        drop(stream.write_all(bytes));
        drop(stream.shutdown(Shutdown::Write));
        let (mut answer, mut byte) = (Vec::new(), [0]);
        while let Ok(1) = stream.read(&mut byte) {
            answer.extend(byte);
            if byte == *b"\n" {
                break;
            }
        }
        String::from_utf8(answer).unwrap()
    }

    /// What is on an image, also blocks of the greatest length.
    pub fn long_contents(&self, name: &str) -> Vec<Object> {
        let mut open = Sink::at(&self.path(name)).open(Access::ReadOnly).unwrap();
        let mut buffer = vec![0; 16 << 20];
        let mut found = Vec::new();
        loop {
            let done = open.read(Transfer::Variable, &mut buffer).unwrap();
            match done.stop {
                None => found.push(Object::Block(buffer[..done.bytes].to_vec())),
                Some(Stop::Filemark) => found.push(Object::Mark(Mark::Filemark)),
                Some(_) => return found,
            }
        }
    }

    /// What is on an image.
    pub fn contents(&self, name: &str) -> Vec<Object> {
        contents_of(&self.path(name))
    }
}

/// From which object on an image says that it is no copy.
pub fn mark_of(path: &Path) -> Option<u64> {
    let open = Sink::at(path).open(Access::ReadOnly).unwrap();
    match open.noted() {
        Noted::NotMirroredFrom(object) => Some(object.0),
        Noted::Mirrored => None,
        Noted::NoPlace => panic!("{}: an image has a place for the note", path.display()),
    }
}

/// Makes an image say that it is no copy from an object on.
pub fn mark(path: &Path, from: u64) {
    let mut open = Sink::at(path).open(Access::ReadWrite).unwrap();
    open.note_not_mirrored(Some(ObjectNumber(from))).unwrap();
    open.finish().unwrap();
}

pub fn contents_of(path: &Path) -> Vec<Object> {
    let mut open = Sink::at(path).open(Access::ReadOnly).unwrap();
    contents(&mut *open)
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(child) = &mut self.mirror {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Blocks with these numbers, as they are found on a tape.
pub fn blocks(numbers: std::ops::Range<u64>) -> Vec<Object> {
    numbers.map(|n| Object::Block(block(n))).collect()
}

/// Two images; the master has heard of them.
pub fn pair(options: &[&str]) -> (Place, Master) {
    let mut place = Place::new();
    let mut master = place.master();
    let legs = [
        format!("a={}", place.image("a.ptape")),
        format!("b={}", place.image("b.ptape")),
    ];
    let mut all = vec!["--leg", &legs[0], "--leg", &legs[1]];
    all.extend(options);
    place.start(&all);
    master.settle();
    (place, master)
}
