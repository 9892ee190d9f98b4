//! The command against a daemon that is made of one thread: what it sends, shows, and refuses.

use std::fs;
use std::io::{BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pseudotape_control::{
    CapacityStatus, DriveStatus, FaultStatus, FaultsStatus, HolderStatus, MediumStatus, OpenStatus,
    PositionStatus, Request, Response, SlaveStatus, SlaveWay, Status, TransferStatus, receive,
    send,
};

/// Held while the command runs and while a dead daemon is made: until its exec is over a child has a
/// copy of every descriptor, so that a socket closed just then would still be listened on.
static RUN_OR_CLOSE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    RUN_OR_CLOSE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pseudotape(socket: &Path, arguments: &[&str]) -> Output {
    let _running = alone();
    Command::new(env!("CARGO_BIN_EXE_pseudotape"))
        .arg("--control")
        .arg(socket)
        .args(arguments)
        .output()
        .expect("the binary was built for this test")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("the command prints UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("the command prints UTF-8")
}

/// Serves one client with `answer` and returns what it was asked.
struct FakeDaemon {
    directory: tempfile::TempDir,
    thread: JoinHandle<Request>,
}

impl FakeDaemon {
    fn new(answer: impl FnOnce(&mut UnixStream) + Send + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("control")).unwrap();
        let thread = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let request = receive(&mut reader).unwrap().expect("the client asks");
            answer(&mut stream);
            request
        });
        FakeDaemon { directory, thread }
    }

    fn answering(response: Response) -> Self {
        FakeDaemon::new(move |stream| send(stream, &response).unwrap())
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("control")
    }

    fn asked(self) -> Request {
        self.thread.join().unwrap()
    }
}

fn done(message: &str) -> Response {
    Response::Done {
        message: message.to_owned(),
    }
}

fn two_drives() -> Status {
    Status {
        vault: None,
        version: "0.1.0".to_owned(),
        pid: 77,
        frontend: "cuse".to_owned(),
        drives: vec![
            DriveStatus {
                library: None,
                drive: 0,
                nodes: vec!["/dev/pmtm0".into(), "/dev/npmtm0".into()],
                identity: "PSEUDO TAPE 0100 S1".to_owned(),
                personality: "generic".to_owned(),
                medium: Some(MediumStatus {
                    image: "/images/a.ptape".into(),
                    volume: "0190-volume".to_owned(),
                    label: Some("weekly\x1b[2J".to_owned()),
                    barcode: Some("A00001L5".to_owned()),
                    loaded: true,
                    write_protected: true,
                    read_only: None,
                    worm: false,
                    partitions: 1,
                    incomplete_from: None,
                    notice: None,
                }),
                position: Some(PositionStatus {
                    partition: 0,
                    file: Some(2),
                    block: None,
                    object: 17,
                }),
                capacity: Some(CapacityStatus {
                    total_bytes: Some(2 << 30),
                    early_warning_bytes: 64 << 20,
                    used_bytes: 1 << 30,
                    left_bytes: Some(1 << 30),
                    host_bytes: (1 << 30) + 4096,
                }),
                transfer: TransferStatus {
                    written_bytes: 10_240,
                    read_bytes: 0,
                    writes: 1,
                    reads: 0,
                },
                flags: vec!["ONLINE".to_owned(), "WR_PROT".to_owned()],
                block_size: 0,
                density: 0x58,
                last_error: Some("write: no space at object 17".to_owned()),
                open: Some(OpenStatus {
                    pid: 4242,
                    program: Some("tar".to_owned()),
                    uid: 1000,
                    node: "npmtm0".to_owned(),
                }),
                busy: true,
                slave: None,
                mirror: None,
                faults: Vec::new(),
            },
            DriveStatus {
                library: None,
                drive: 1,
                nodes: vec!["/dev/pmtm1".into(), "/dev/npmtm1".into()],
                identity: "PSEUDO TAPE 0100 S2".to_owned(),
                personality: "generic".to_owned(),
                medium: None,
                position: None,
                capacity: None,
                transfer: TransferStatus::default(),
                flags: vec!["DR_OPEN".to_owned()],
                block_size: 512,
                density: 0,
                last_error: None,
                open: None,
                busy: false,
                slave: None,
                mirror: None,
                faults: Vec::new(),
            },
        ],
    }
}

#[test]
fn status_shows_who_holds_a_slave_end() {
    let mut status = two_drives();
    let slave = |holder| {
        Some(SlaveStatus {
            node: Some("/dev/pmts0".into()),
            socket: "/run/s".into(),
            holder,
        })
    };
    status.drives[0].slave = slave(Some(HolderStatus {
        pid: 4711,
        program: Some("pseudotape-mirror".to_owned()),
        uid: 0,
        way: SlaveWay::Socket,
        since: "2023-11-14T22:13:20Z".to_owned(),
    }));
    status.drives[1].slave = slave(None);
    let daemon = FakeDaemon::answering(Response::Status(Box::new(status)));
    let output = pseudotape(&daemon.socket(), &["status"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    for expected in [
        "slave       pseudotape-mirror (pid 4711, uid 0) by the socket, since 2023-11-14T22:13:20Z",
        "busy        with a call; the rest is as it was before it",
        "slave       nobody: a slave comes to /dev/pmts0 or /run/s",
    ] {
        assert!(text.contains(expected), "{expected:?} in {text}");
    }
    assert!(!text.contains("medium"), "its slave knows: {text}");
}

#[test]
fn status_shows_every_drive_for_people() {
    let daemon = FakeDaemon::answering(Response::Status(Box::new(two_drives())));
    let output = pseudotape(&daemon.socket(), &["status"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(daemon.asked(), Request::Status);
    let text = stdout(&output);
    for expected in [
        "pseudotape-dev 0.1.0 (pid 77) serves drives by cuse",
        "drive 0  /dev/pmtm0 /dev/npmtm0",
        "medium      /images/a.ptape, write protected",
        "volume      0190-volume, label 'weekly\\u{1b}[2J', barcode 'A00001L5'",
        "position    file 2, block unknown, object 17, partition 0",
        "[##########----------] 50%, 1.0 GiB used, 1.0 GiB left of 2.0 GiB; early warning 64.0 MiB",
        "moved       10.0 KiB written in 1 call, 0 B read in 0 calls",
        "mode        variable blocks, density 0x58",
        "flags       ONLINE WR_PROT",
        "open        tar (pid 4242, uid 1000) on npmtm0",
        "last error  write: no space at object 17",
        "drive 1  /dev/pmtm1 /dev/npmtm1",
        "medium      none",
        "mode        fixed blocks of 512 bytes, density 0x00",
        "open        by nobody",
        "last error  none",
    ] {
        assert!(text.contains(expected), "'{expected}' is not in:\n{text}");
    }
    assert!(!text.contains('\x1b'), "no escape reaches a pipe:\n{text}");
}

#[test]
fn status_as_json_is_the_daemons_own_status() {
    let daemon = FakeDaemon::answering(Response::Status(Box::new(two_drives())));
    let output = pseudotape(&daemon.socket(), &["status", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let parsed: Status = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(parsed, two_drives());
}

#[test]
fn status_of_one_drive_shows_only_that_one() {
    let daemon = FakeDaemon::answering(Response::Status(Box::new(two_drives())));
    let output = pseudotape(&daemon.socket(), &["status", "1", "--json"]);
    let parsed: Status = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(parsed.drives.len(), 1);
    assert_eq!(parsed.drives[0].drive, 1);

    let daemon = FakeDaemon::answering(Response::Status(Box::new(two_drives())));
    let output = pseudotape(&daemon.socket(), &["status", "2"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("no drive 2: it has 2 drives, counted from 0"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn every_order_reaches_the_daemon_with_its_options() {
    let cases: [(&[&str], Request); 6] = [
        (
            &["load", "1", "/images/../images/b.ptape"],
            Request::Load {
                drive: 1,
                image: "/images/../images/b.ptape".into(),
            },
        ),
        (
            &["unload", "0"],
            Request::Unload {
                drive: 0,
                force: false,
            },
        ),
        (
            &["unload", "0", "--force"],
            Request::Unload {
                drive: 0,
                force: true,
            },
        ),
        (
            &["write-protect", "3", "on"],
            Request::WriteProtect { drive: 3, on: true },
        ),
        (
            &["write-protect", "3", "off"],
            Request::WriteProtect {
                drive: 3,
                on: false,
            },
        ),
        (&["reset", "7"], Request::Reset { drive: 7 }),
    ];
    for (arguments, expected) in cases {
        let daemon = FakeDaemon::answering(done("as you wish"));
        let output = pseudotape(&daemon.socket(), arguments);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(stdout(&output), "as you wish\n");
        assert_eq!(daemon.asked(), expected, "{arguments:?}");
    }
}

#[test]
fn faults_are_removed_injected_and_shown() {
    let fault = |number, fault: &str, met, over, seconds_left| FaultStatus {
        number,
        fault: fault.to_owned(),
        met,
        over,
        seconds_left,
    };
    let faults = vec![
        fault(1, "read-error,at=7", 1, false, None),
        fault(3, "busy,times=2", 2, true, None),
        fault(4, "hang,for=1m", 0, false, Some(59.6)),
    ];
    let answer = FaultsStatus { drive: 2, faults };
    let daemon = FakeDaemon::answering(Response::Faults(answer));
    let arguments = ["inject", "2", "hang,for=1m", "--remove", "2"];
    let output = pseudotape(&daemon.socket(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let shown = "drive 2\n  1   read-error,at=7: met once\n  3   busy,times=2: met 2 times, over\n  \
                 4   hang,for=1m: met never yet, for 60 s more\n";
    assert_eq!(stdout(&output), shown);
    let expected = Request::Inject {
        drive: 2,
        remove: vec!["2".to_owned()],
        faults: vec!["hang,for=1m".to_owned()],
    };
    assert_eq!(daemon.asked(), expected);
}

#[test]
fn a_relative_image_is_made_absolute_for_the_daemon() {
    let daemon = FakeDaemon::answering(done("loaded"));
    let _running = alone();
    // A name that is not in this directory stays a name: the daemon looks for it in the folders that it lends.
    std::fs::write(daemon.directory.path().join("c.ptape"), "").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_pseudotape"))
        .current_dir(daemon.directory.path())
        .env("PSEUDOTAPE_CONTROL", daemon.socket())
        .args(["load", "0", "c.ptape", "--json"])
        .output()
        .unwrap();
    let image = daemon
        .directory
        .path()
        .canonicalize()
        .unwrap()
        .join("c.ptape");
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap(),
        serde_json::json!({"schema": 1, "message": "loaded"})
    );
    assert_eq!(daemon.asked(), Request::Load { drive: 0, image });
}

#[test]
fn a_refusal_is_shown_and_ends_with_code_2() {
    let daemon = FakeDaemon::answering(Response::Error {
        message: "drive 0 is open by tar (pid 9): --force takes the cartridge out anyway"
            .to_owned(),
    });
    let output = pseudotape(&daemon.socket(), &["unload", "0"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stdout(&output), "");
    assert_eq!(
        stderr(&output),
        "pseudotape: the daemon refused: drive 0 is open by tar (pid 9): --force takes the cartridge out anyway\n"
    );
}

#[test]
fn answers_outside_of_the_protocol_are_errors() {
    let answers: [(&[u8], &str); 6] = [
        (b"what?\n", "can't be read"),
        (b"{\"answer\":\"fly\"}\n", "fly"),
        (b"{\"answer\":\"done\"}\n", "message"),
        (b"{\"answer\":\"done\",\"mess", "ended in mid line"),
        (b"", "closed before it answered"),
        (b"\xff\xfe\n", "can't be read"),
    ];
    for (answer, cause) in answers {
        let daemon = FakeDaemon::new(move |stream| stream.write_all(answer).unwrap());
        let output = pseudotape(&daemon.socket(), &["reset", "0"]);
        assert_eq!(output.status.code(), Some(2), "{answer:?}");
        assert!(stderr(&output).contains(cause), "{}", stderr(&output));
        daemon.asked();
    }
}

#[test]
fn an_answer_to_another_question_is_an_error() {
    let daemon = FakeDaemon::answering(done("hello"));
    let output = pseudotape(&daemon.socket(), &["status"]);
    assert_eq!(output.status.code(), Some(2));
    let daemon = FakeDaemon::answering(Response::Status(Box::new(two_drives())));
    let output = pseudotape(&daemon.socket(), &["reset", "0"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn an_endless_answer_ends_at_the_limit() {
    let daemon = FakeDaemon::new(|stream| {
        // The client hangs up at its limit, and then writing fails.
        while stream.write_all(&[b' '; 65_536]).is_ok() {}
    });
    let output = pseudotape(&daemon.socket(), &["status"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("longer than 16777216 bytes"),
        "{}",
        stderr(&output)
    );
    daemon.asked();
}

#[test]
fn a_silent_daemon_costs_no_more_than_the_timeout() {
    let daemon = FakeDaemon::new(|stream| {
        // Until the client has gone.
        receive::<Request>(&mut BufReader::new(stream)).unwrap();
    });
    let start = Instant::now();
    let output = pseudotape(&daemon.socket(), &["status", "--timeout", "1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("did not answer within 1 s"),
        "{}",
        stderr(&output)
    );
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert!(start.elapsed() < Duration::from_secs(80));
    daemon.asked();
}

#[test]
fn without_a_daemon_the_error_names_the_socket_and_the_way_out() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("none");
    // A dead daemon leaves its socket behind.
    let dead = directory.path().join("dead");
    let closing = alone();
    drop(UnixListener::bind(&dead).unwrap());
    drop(closing);
    let file = directory.path().join("file");
    fs::write(&file, "no socket").unwrap();
    for socket in [missing, dead, file] {
        let output = pseudotape(&socket, &["status"]);
        assert_eq!(output.status.code(), Some(2));
        let error = stderr(&output);
        assert!(error.contains(&socket.display().to_string()), "{error}");
        assert!(
            error.contains("is the daemon running? --control names"),
            "{error}"
        );
    }
}

#[test]
fn doctor_reports_the_daemon_and_the_directory() {
    let images = tempfile::tempdir().unwrap();
    let daemon = FakeDaemon::answering(Response::Status(Box::new(two_drives())));
    let directory = images.path().to_str().unwrap();
    // A machine that stands still for a while makes the answer late, not wrong.
    let asked = ["--timeout", "100", "doctor", "--json", directory];
    let output = pseudotape(&daemon.socket(), &asked);
    let diagnosis: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let check = |name: &str| {
        let checks = diagnosis["checks"].as_array().unwrap();
        checks
            .iter()
            .find(|check| check["name"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(check("daemon")["ok"], true);
    assert!(
        check("daemon")["found"]
            .as_str()
            .unwrap()
            .contains("pid 77")
    );
    // What this machine has decides the rest; the exit code has to say the same as the report.
    let code = if diagnosis["ok"] == true { 0 } else { 1 };
    assert_eq!(output.status.code(), Some(code));

    let output = pseudotape(
        Path::new("/nonexistent"),
        &["doctor", "--json", "/nonexistent"],
    );
    assert_eq!(output.status.code(), Some(1));
    let diagnosis: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(diagnosis["ok"], false);
}

#[test]
fn doctor_is_not_stopped_by_a_socket_it_may_not_use() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("control");
    let listener = UnixListener::bind(&socket).unwrap();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o000)).unwrap();
    let closing = alone();
    drop(listener);
    drop(closing);
    let output = pseudotape(&socket, &["doctor", directory.path().to_str().unwrap()]);
    assert!(
        stdout(&output).contains("note    daemon"),
        "{}",
        stdout(&output)
    );
}
