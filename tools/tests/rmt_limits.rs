//! PT-03. What one client of `pseudotape-rmt --listen` can take from the others: nothing.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a loaded machine may take for what comes soon on an idle one.
const LONG: Duration = Duration::from_secs(100);

/// A server of one image, `tape`.
struct Server {
    child: Child,
    socket: PathBuf,
    directory: tempfile::TempDir,
}

impl Server {
    fn start(options: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("socket");
        let image = directory.path().join("tape.ptape");
        let mut child = Command::new(env!("CARGO_BIN_EXE_pseudotape-rmt"))
            .arg("--listen")
            .arg(&socket)
            .arg("--allow")
            .arg(format!("tape=image:{},create", image.display()))
            .args(options)
            // Memory set aside for threads would be a reserve beside the limit of a test.
            .env("MALLOC_ARENA_MAX", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary was built for this test");
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        assert!(line.starts_with("listening"), "{line}");
        Server {
            child,
            socket,
            directory,
        }
    }

    fn client(&self) -> Client {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        Client(BufReader::new(stream))
    }

    /// A number of `/proc/PID/status`, in KiB.
    fn memory(&self, field: &str) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(path).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(field));
        let kib = line.and_then(|line| line.trim_start_matches(':').split_whitespace().next());
        kib.and_then(|kib| kib.parse().ok()).unwrap()
    }

    fn image(&self) -> PathBuf {
        self.directory.path().join("tape.ptape")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

struct Client(BufReader<UnixStream>);

impl Client {
    fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Sends a request and returns the number of the answer, with the reason behind it where it is an error.
    fn asks(&mut self, request: &[u8]) -> String {
        self.send(request);
        let answer = self.line();
        match answer.starts_with('E') {
            true => format!("{answer} {}", self.line()),
            false => answer,
        }
    }

    fn opens(&mut self) -> String {
        self.asks(b"Otape\n2\n")
    }

    /// Reads until the server hangs up.
    fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).unwrap();
        rest
    }
}

/// Tries until it is done, and fails where it never is.
fn soon<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + LONG;
    loop {
        if let Some(done) = attempt() {
            return done;
        }
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn as_many_clients_as_configured_are_served_and_one_more_hears_why_not() {
    let server = Server::start(&["--max-clients", "2"]);
    let (mut first, mut second) = (server.client(), server.client());
    for client in [&mut first, &mut second] {
        assert_eq!(client.asks(b"I-1\n0\n"), "A1");
    }
    let refused = server.client().rest();
    assert!(refused.starts_with("E11\n"), "{refused}");
    assert!(
        refused.contains("2 clients are being served already"),
        "{refused}"
    );
    // Those that are served do not notice, and a place that was left is free.
    assert_eq!(first.opens(), "A0");
    drop(second);
    soon("the place is never free", || {
        let mut client = server.client();
        client.send(b"I-1\n0\n");
        (client.line() == "A1").then_some(())
    });
}

#[test]
fn a_client_that_opens_nothing_is_told_and_hung_up_and_one_that_has_opened_stays() {
    let server = Server::start(&["--open-timeout", "1", "--max-clients", "3"]);
    let mut open = server.client();
    assert_eq!(open.opens(), "A0");
    // They came later than the one that has a tape: when they are gone, its time was over too.
    let (mut silent, mut talks) = (server.client(), server.client());
    assert_eq!(talks.asks(b"I-1\n0\n"), "A1");
    for client in [&mut silent, &mut talks] {
        let told = client.rest();
        assert!(told.contains("no tape was opened for 1 seconds"), "{told}");
    }
    assert_eq!(open.asks(b"I6\n1\n"), "A1");
    assert_eq!(server.client().asks(b"I-1\n0\n"), "A1");
}

#[test]
fn only_a_client_with_an_open_tape_gets_memory_for_its_records() {
    let server = Server::start(&[]);
    let record = vec![7; 16 << 20];
    let before = server.memory("VmHWM");
    let mut clients: Vec<_> = (0..6).map(|_| server.client()).collect();
    for client in &mut clients {
        client.send(b"W16777216\n");
        let answer = client.asks(&record);
        assert!(answer.starts_with("E9 "), "{answer}");
        assert!(client.asks(b"R16777216\n").starts_with("E9 "));
    }
    let grown = server.memory("VmHWM") - before;
    assert!(grown < 16 << 10, "{grown} KiB for clients without a tape");
    let mut open = server.client();
    assert_eq!(open.opens(), "A0");
    open.send(b"W16777216\n");
    assert_eq!(open.asks(&record), "A16777216");
    // One byte more than the most is read over and refused.
    open.send(b"W16777217\n");
    open.send(&record);
    assert!(open.asks(b"x").starts_with("E22 "));
    assert_eq!(open.asks(b"I6\n1\n"), "A1");
}

#[test]
fn where_there_is_no_memory_one_call_is_refused_and_the_server_lives() {
    let server = Server::start(&[]);
    let mut client = server.client();
    assert_eq!(client.opens(), "A0");
    client.send(b"W5\n");
    assert_eq!(client.asks(b"small"), "A5");
    let most = (server.memory("VmSize") + 4096) * 1024;
    let limited = Command::new("prlimit")
        .args(["--pid", &server.child.id().to_string()])
        .arg(format!("--as={most}"))
        .status()
        .expect("prlimit of util-linux");
    assert!(limited.success());
    client.send(b"W16777216\n");
    let answer = client.asks(&vec![7; 16 << 20]);
    assert!(answer.starts_with("E12 "), "{answer}");
    client.send(b"W6\n");
    assert_eq!(client.asks(b"small2"), "A6");
    assert_eq!(client.asks(b"I6\n1\n"), "A1");
    client.send(b"R100\n");
    assert_eq!(
        (client.line().as_str(), &b"small"[..]),
        ("A5", &read(&mut client, 5)[..])
    );
}

fn read(client: &mut Client, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    client.0.read_exact(&mut bytes).unwrap();
    bytes
}

/// 26 bytes of a client that is gone kept the tape from everybody for as long as sixteen million marks take.
#[test]
fn marks_without_end_stop_when_their_client_hangs_up() {
    let server = Server::start(&[]);
    let mut client = server.client();
    assert_eq!(client.opens(), "A0");
    let empty = length(&server.image());
    client.send(b"I5\n16000000\n");
    soon("no mark is written", || {
        (length(&server.image()) > empty + 100_000).then_some(())
    });
    let refused = server.client().opens();
    assert!(refused.starts_with("E16 "), "{refused}");
    drop(client);
    let mut next = soon("the tape is never free", || {
        let mut next = server.client();
        (next.opens() == "A0").then_some(next)
    });
    // To the end of data, and how many objects there are.
    assert_eq!(next.asks(b"I12\n1\n"), "A1");
    let answer = next.asks(b"sP\n");
    let files: u64 = answer.strip_prefix('A').unwrap().parse().unwrap();
    assert!((1000..16_000_000).contains(&files), "{answer}");
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}
