//! PT-02, PT-03. How `pseudotape-rmt` ends, and what a failed commit is to those who come later.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A server of one image, `tape`.
struct Server {
    child: Child,
    out: BufReader<ChildStdout>,
    directory: tempfile::TempDir,
}

impl Server {
    fn of_one_client() -> Self {
        Server::start(|_| {})
    }

    fn of_many() -> Self {
        let mut server = Server::start(|command| {
            command.args(["--listen", "./socket", "--max-clients", "4"]);
        });
        let mut line = String::new();
        server.out.read_line(&mut line).unwrap();
        assert!(line.starts_with("listening"), "{line}");
        server
    }

    fn start(more: impl FnOnce(&mut Command)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pseudotape-rmt"));
        command
            .current_dir(directory.path())
            .args(["--allow", "tape=image:tape.ptape,create"]);
        more(&mut command);
        let log = fs::File::create(directory.path().join("log")).unwrap();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the binary was built for this test");
        Server {
            out: BufReader::new(child.stdout.take().unwrap()),
            child,
            directory,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn client(&self) -> BufReader<UnixStream> {
        BufReader::new(UnixStream::connect(self.path("socket")).unwrap())
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    fn ends(&mut self) -> (ExitStatus, String) {
        let ended = self.child.wait().unwrap();
        (ended, self.log())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    /// What the image holds: `b` for a block, `f` for the filemark behind a file.
    fn recorded(&self) -> String {
        let listed = Command::new(env!("CARGO_BIN_EXE_pseudotape"))
            .args(["--json", "ls"])
            .arg(self.path("tape.ptape"))
            .output()
            .unwrap();
        let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
        let files = listed["files"].as_array().unwrap().iter();
        files
            .map(|file| {
                let blocks = usize::try_from(file["blocks"].as_u64().unwrap()).unwrap();
                let mark = if file["ended"].as_bool().unwrap() {
                    "f"
                } else {
                    ""
                };
                "b".repeat(blocks) + mark
            })
            .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already, where all went well.
        self.child.kill().ok();
        self.child.wait().unwrap();
    }
}

fn line(answers: &mut impl BufRead) -> String {
    let mut line = String::new();
    answers.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

/// Sends a request and returns the number of the answer.
fn asks(client: &mut BufReader<UnixStream>, request: &[u8]) -> String {
    client.get_mut().write_all(request).unwrap();
    let answer = line(client);
    if answer.starts_with('E') {
        line(client);
    }
    answer
}

fn opens_and_writes(client: &mut BufReader<UnixStream>) {
    assert_eq!(asks(client, b"Otape\n2\n"), "A0");
    assert_eq!(asks(client, b"W4\nblck"), "A4");
}

#[test]
fn a_signal_closes_what_a_client_writes_and_says_who_was_cut() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut server = Server::of_many();
        let mut client = server.client();
        opens_and_writes(&mut client);
        server.signal(signal);
        let (ended, log) = server.ends();
        assert_eq!(ended.code(), Some(3), "{log}");
        assert!(log.contains("tape: still open by ./socket, which"), "{log}");
        assert_eq!(server.recorded(), "bf");
        assert!(!server.path("socket").exists());
        let mut rest = String::new();
        client.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
    }
}

#[test]
fn a_signal_closes_what_the_only_client_writes() {
    let mut server = Server::of_one_client();
    let mut requests = server.child.stdin.take().unwrap();
    requests.write_all(b"Otape\n2\nW4\nblck").unwrap();
    assert_eq!([line(&mut server.out), line(&mut server.out)], ["A0", "A4"]);
    server.signal(Signal::SIGTERM);
    let (ended, log) = server.ends();
    assert_eq!(ended.code(), Some(3), "{log}");
    assert!(
        log.contains("tape: still open by standard input, which"),
        "{log}"
    );
    assert_eq!(server.recorded(), "bf");
}

#[test]
fn a_server_whose_clients_are_done_ends_well() {
    let mut server = Server::of_many();
    let mut client = server.client();
    opens_and_writes(&mut client);
    assert_eq!(asks(&mut client, b"C\n"), "A0");
    // Reading is no work that can be cut.
    assert_eq!(asks(&mut client, b"Otape\n0\n"), "A0");
    server.signal(Signal::SIGTERM);
    let (ended, log) = server.ends();
    assert_eq!(ended.code(), Some(0), "{log}");
    assert_eq!(server.recorded(), "bf");
}

#[test]
fn a_signal_ends_an_operation_that_takes_long() {
    let mut server = Server::of_many();
    let mut client = server.client();
    opens_and_writes(&mut client);
    let endless = b"Iweof\n2147483647\n";
    client.get_mut().write_all(endless).unwrap();
    let grown = 1 << 20;
    while fs::metadata(server.path("tape.ptape")).unwrap().len() < grown {
        std::thread::yield_now();
    }
    server.signal(Signal::SIGTERM);
    let (ended, log) = server.ends();
    assert_eq!(ended.code(), Some(0), "{log}");
    assert!(log.contains("of 16777215 marks: nobody waits"), "{log}");
}

/// Somebody removes an image that is served, so that its commits fail, and then puts a copy of it there. What the
/// removed one holds would be gone if it was closed: it stays open, so that it can be copied, and takes nothing more.
#[test]
fn a_removed_image_stays_open_and_is_an_error_until_the_server_ends() {
    let mut server = Server::of_many();
    let (image, aside) = (server.path("tape.ptape"), server.path("aside"));
    let mut first = server.client();
    opens_and_writes(&mut first);
    assert_eq!(asks(&mut first, b"C\n"), "A0");
    assert_eq!(asks(&mut first, b"Otape\n2\n"), "A0");
    fs::copy(&image, &aside).unwrap();
    fs::remove_file(&image).unwrap();
    assert_eq!(asks(&mut first, b"W4\nlost"), "A4");
    assert_eq!(asks(&mut first, b"C\n"), "E5");
    let log = server.log();
    assert!(
        log.contains("tape: takes no commit any more, and stays open until this process ends: "),
        "{log}"
    );

    fs::rename(&aside, &image).unwrap();
    let mut second = server.client();
    assert_eq!(asks(&mut second, b"Otape\n2\n"), "A0");
    assert_eq!(asks(&mut second, b"W4\nover"), "E5");
    assert_eq!(asks(&mut second, b"Irew\n1\n"), "E5");
    server.signal(Signal::SIGTERM);
    let (ended, log) = server.ends();
    assert_eq!(ended.code(), Some(1), "{log}");
    assert_eq!(server.recorded(), "bf", "the copy is as it was");
}
