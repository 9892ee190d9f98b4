//! Sessions: each is a process, which is listed, ended and killed without harm to the others.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::common::{Of, Place, Server, until};
use crate::shared::order;
use pseudotape_farm_net::{AddOrder, Error, How, Session};

/// An archive that comes as far as the test wants it to.
struct Archive {
    bytes: Receiver<Vec<u8>>,
    at_hand: io::Cursor<Vec<u8>>,
}

impl Read for Archive {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.at_hand.read(buffer)? {
                0 => match self.bytes.recv() {
                    Ok(bytes) => self.at_hand = io::Cursor::new(bytes),
                    Err(_) => return Ok(0),
                },
                bytes => return Ok(bytes),
            }
        }
    }
}

/// A command that adds an archive of two files and waits in the middle of the second one.
struct Half {
    done: std::thread::JoinHandle<Result<(), Error>>,
    rest: Sender<Vec<u8>>,
    archive: Vec<u8>,
}

/// An archive of two files of 3 MB.
fn archive(place: &Place) -> Vec<u8> {
    for name in ["first", "second"] {
        let bytes: Vec<u8> = (0..3_000_000u32).map(|at| (at % 251) as u8).collect();
        fs::write(place.path(name), bytes).unwrap();
    }
    let mut tar = Command::new("tar");
    tar.arg("-C")
        .arg(place.path(""))
        .args(["-cf", "-", "first", "second"]);
    tar.output().unwrap().stdout
}

impl Half {
    fn begin(place: &Place, server: &Server) -> Self {
        let archive = archive(place);
        let (rest, bytes) = channel();
        let coming = Archive {
            bytes,
            at_hand: io::Cursor::new(archive[..5_000_000].to_vec()),
        };
        let paths = Vec::new();
        let order = place.order("V", How::Add);
        let client = server.reach(&place.files("ada")).unwrap();
        let (volume, keeping) = (order.volume, order.keeping);
        let done = std::thread::spawn(move || {
            let order = AddOrder {
                volume,
                how: How::Add,
                keeping,
                lock_wait: 0,
                check_present: false,
                compressed: false,
                paths,
                archive: Some(Box::new(coming)),
                capsules: None,
            };
            client.add(order, &mut |_| {})
        });
        until(|| place.root().join("V/FILE0000002.ptape.tmp").exists());
        Half {
            done,
            rest,
            archive,
        }
    }
}

fn sessions(root: &Path) -> Vec<Session> {
    pseudotape_farm_net::sessions(root).unwrap()
}

fn kill(process: u32, signal: &str) {
    let killed = Command::new("kill")
        .args([signal, &process.to_string()])
        .status();
    assert!(killed.unwrap().success());
}

/// CW-61: each connection is a process of its own. One that is killed, and one that crashes, are gone with all that
/// they held, and no other one notices. CW-63: the lock of a dead holder is free.
#[test]
fn a_session_that_dies_touches_no_other() {
    let place = Place::new();
    place.let_in("any@any");
    place.issue("bob", Of::Client("bob@depot"));
    let mut server = place.serve(&[]);
    let mut other = server.reach(&place.files("bob")).unwrap();
    other.volumes().unwrap();
    for signal in ["-KILL", "-ABRT"] {
        let half = Half::begin(&place, &server);
        let both = sessions(&place.root());
        let people: Vec<_> = both
            .iter()
            .map(|session| session.person.to_string())
            .collect();
        assert_eq!(both.len(), 2, "{people:?}");
        let ada = both
            .iter()
            .find(|session| session.person.user == "ada")
            .unwrap();
        let bob = both
            .iter()
            .find(|session| session.person.user == "bob")
            .unwrap();
        assert_ne!(ada.id, bob.id);
        assert!(ada.way.starts_with("tls 127.0.0.1:"), "{}", ada.way);
        // The holder is named by whom it serves.
        let busy = server.reach(&place.files("bob")).unwrap();
        let busy = busy
            .add(place.order("V", How::Add), &mut |_| {})
            .unwrap_err();
        let held = format!("volume V is busy, held by ada@depot (process {} on", ada.id);
        assert!(busy.to_string().starts_with(&held), "{busy}");
        kill(ada.id, signal);
        server.hears("was ended: signal");
        drop(half.rest);
        let cut = half.done.join().unwrap().unwrap_err();
        assert!(cut.is_cut(), "{cut}");
        // Its file is known for what it is.
        until(|| {
            sessions(&place.root())
                .iter()
                .all(|session| session.id != ada.id)
        });
        other.volumes().unwrap();
        // The same command goes on, and nothing half is left.
        let mut order = place.order("V", How::Add);
        order.paths = Vec::new();
        order.archive = Some(Box::new(io::Cursor::new(half.archive)));
        let again = server.reach(&place.files("ada")).unwrap();
        again.add(order, &mut |_| {}).unwrap();
        assert_eq!(place.check("V"), 2);
        fs::remove_dir_all(place.root().join("V")).unwrap();
    }
}

/// A session is ended by its number, and no other process is.
#[test]
fn a_session_is_listed_and_ended() {
    let place = Place::new();
    place.let_in("ada@depot");
    let server = place.serve(&[]);
    let list = || {
        let output = place.run(&["sessions", "--root", "farm"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(list(), "nobody uses farm from another host\n");
    let half = Half::begin(&place, &server);
    let id = sessions(&place.root())[0].id.to_string();
    let text = list();
    assert!(text.contains(&id) && text.contains("ada@depot"), "{text}");
    let json = place.run(&["sessions", "--root", "farm", "--json"]).stdout;
    let json = String::from_utf8(json).unwrap();
    for field in [
        &format!("\"id\": {id},"),
        "\"person\": \"ada@depot\",",
        "\"way\": \"tls 127.0.0.1:",
    ] {
        assert!(json.contains(field), "{json}");
    }

    // Whoever can write into the root can't have another process ended.
    let mut bystander = Command::new("sleep").arg("1000").spawn().unwrap();
    let file = place
        .root()
        .join(".sessions")
        .join(bystander.id().to_string());
    fs::write(&file, "ada@depot\ntls\n").unwrap();
    let end = |id: &str| place.run(&["end", id, "--root", "farm"]);
    for id in [bystander.id().to_string(), "1".into(), u32::MAX.to_string()] {
        let output = end(&id);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(
            text.contains(&format!("there is no session {id} of the farm farm")),
            "{text}"
        );
    }
    assert!(bystander.try_wait().unwrap().is_none());
    bystander.kill().unwrap();
    bystander.wait().unwrap();

    let output = end(&id);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text, format!("session {id} of ada@depot is ended\n"));
    drop(half.rest);
    assert!(half.done.join().unwrap().unwrap_err().is_cut());
    assert_eq!(list(), "nobody uses farm from another host\n");
    assert!(!file.exists(), "what a dead session left is removed");
    let mut order = place.order("V", How::Add);
    order.archive = Some(Box::new(io::Cursor::new(half.archive)));
    order.paths = Vec::new();
    let again = server.reach(&place.files("ada")).unwrap();
    again.add(order, &mut |_| {}).unwrap();
    assert_eq!(place.check("V"), 2);
}

/// CW-58, CW-66: what a session runs ends with it, however that ends: a command that a client asked for, and the
/// script of the farm's host.
#[test]
fn what_a_session_runs_ends_with_it() {
    let place = Place::new();
    place.let_in("ada@depot");
    let me = nix::unistd::User::from_uid(nix::unistd::geteuid());
    let me = me.unwrap().unwrap().name;
    fs::create_dir(place.path("commands")).unwrap();
    let alive = place.path("alive");
    let hang = format!(
        "sleep 100000 & echo $! >{0}.new; mv {0}.new {0}; wait",
        alive.display()
    );
    let file = place.path("commands/hang");
    place.write("commands/hang", &format!("#!/bin/sh\n{hang}\n"));
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut words = vec!["--commands", "commands", "--script", &hang];
    if nix::unistd::geteuid().is_root() {
        words.extend(["--commands-user", &me, "--script-user", &me]);
    }
    let server = place.serve(&words);
    for signal in ["-TERM", "-KILL"] {
        for by_client in [true, false] {
            let mut client = server.reach(&place.files("ada")).unwrap();
            let (volume, tree) = (format!("V{signal}"), place.path("tree"));
            let done = std::thread::spawn(move || match by_client {
                true => drop(client.run("hang", Vec::new(), |_, _| {})),
                false => drop(client.add(order(&volume, How::Add, &tree), &mut |_| {})),
            });
            until(|| alive.exists());
            let id = fs::read_to_string(&alive).unwrap();
            fs::remove_file(&alive).unwrap();
            let line = format!("/proc/{}/cmdline", id.trim());
            let goes_on = || fs::read(&line).is_ok_and(|line| line.starts_with(b"sleep\0"));
            assert!(goes_on(), "{signal} {by_client}");
            kill(sessions(&place.root())[0].id, signal);
            done.join().unwrap();
            until(|| !goes_on());
        }
    }
}
