//! Servers that are older, and servers that lie.

use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;

use pseudotape_farm::{Entry, Title};

use super::Client;
use crate::error::Error;
use crate::link::Link;
use crate::message::Message;
use crate::packet::PROTOCOL_VERSION;
use crate::pipe::Pipe;

fn link(end: UnixStream) -> Link {
    let pipe = Pipe::new(end).expect("a pipe");
    let sender = pipe.sender().expect("a pipe");
    Link::new(pipe, sender)
}

/// A client of a server that speaks this version, and sends this whatever it hears.
fn client(version: u32, answer: Vec<Message>) -> (Result<Client, Error>, JoinHandle<()>) {
    let (ours, theirs) = UnixStream::pair().expect("a connection");
    let serving = std::thread::spawn(move || {
        let mut link = link(theirs);
        let hello = link.receive().expect("a greeting");
        assert!(matches!(
            hello,
            Message::Hello {
                version: PROTOCOL_VERSION,
                ..
            }
        ));
        let welcome = Message::Welcome {
            version,
            root: b"/".to_vec(),
            person: "a@b".to_owned(),
        };
        link.send(&welcome).expect("it goes");
        // A client that is content with the greeting alone hangs up.
        if link.receive().is_ok() {
            for message in answer {
                link.send(&message).expect("it goes");
            }
            link.flush().expect("it goes");
        }
    });
    (Client::over(link(ours), "here", "", |_| {}), serving)
}

/// A server of the first version is told from one that can't be spoken with, and nothing is sent that it does not know.
#[test]
fn an_older_server_is_named() {
    let (old, serving) = client(1, Vec::new());
    let mut old = old.expect("version 1 is spoken");
    let volume = "V".parse().expect("a name");
    let refused = old.rebuild(&volume, 0, |_| {}).expect_err("it is older");
    let words = refused.to_string();
    assert!(
        words.contains("speaks version 1") && words.contains("'farm rebuild' needs version 2"),
        "{words}"
    );
    drop(old);
    serving.join().expect("nothing came");
    for version in [0, PROTOCOL_VERSION + 1] {
        let (other, serving) = client(version, Vec::new());
        let words = other.err().expect("no such version").to_string();
        assert!(words.contains("use programs of one version"), "{words}");
        serving.join().expect("nothing came");
    }
}

const HELLO: &[u8] = b"hello";

/// An entry and the headers of a file with the contents "hello".
fn file() -> (Entry, Vec<u8>) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("f"), HELLO).expect("a file");
    let root = pseudotape_farm::Root::open(folder.path()).expect("a root");
    let mut volume = root
        .create(&"V".parse().expect("a name"))
        .expect("a volume");
    let mut tell = |_| {};
    let verb = pseudotape_farm::Verb::Add;
    let keeping = pseudotape_farm::Keeping::Changed;
    let mut adding = pseudotape_farm::Adding::to(&mut volume, verb, keeping, &mut tell);
    adding.path(&folder.path().join("f")).expect("it is there");
    adding.finish().expect("it is added");
    let entry = volume.directory().entries()[0].clone();
    let mut headers = Vec::new();
    let given = volume.give(&entry, |given| {
        if let pseudotape_farm::Given::Headers(bytes) = given {
            headers = bytes.to_vec();
        }
        Ok(())
    });
    assert!(given.expect("it is whole"));
    (entry, headers)
}

/// What a client makes of an archive that a server sends: how many bytes it put, and whether it took it for whole.
fn written(answer: Vec<Message>) -> (usize, Result<(), Error>) {
    let (client, serving) = client(PROTOCOL_VERSION, answer);
    let mut bytes = 0;
    let mut put = |part: &[u8]| {
        bytes += part.len();
        Ok(())
    };
    let volume = "V".parse().expect("a name");
    let done = client.expect("a server");
    let mut done = done;
    let written = done.write(&volume, &[], None, &mut put, &mut |_| {});
    drop(done);
    serving.join().expect("all was sent");
    (bytes, written)
}

/// A stream for `write` that lies: about its size, about what it is, about its end. No end of an archive is put behind.
#[test]
fn an_archive_that_lies_is_none() {
    let (entry, headers) = file();
    let next = || Message::Next(entry.clone());
    let head = || Message::File {
        stamp: entry.stamp,
        headers: headers.clone(),
    };
    let data = |bytes: &[u8]| Message::Data(bytes.to_vec());
    let honest = vec![next(), head(), data(HELLO), Message::Whole, Message::Done];
    let (bytes, done) = written(honest);
    done.expect("it is honest");
    assert_eq!(bytes % 512, 0);
    let other = Entry {
        title: Title::new(b"other").expect("a title"),
        ..entry.clone()
    };
    for (answer, why) in [
        (
            vec![next(), head(), data(b"hell"), Message::Whole, Message::Done],
            "can't be read on",
        ),
        (
            vec![
                next(),
                head(),
                data(b"hello!"),
                Message::Whole,
                Message::Done,
            ],
            "more came than its headers say",
        ),
        (
            vec![
                next(),
                head(),
                data(b"jello"),
                Message::Whole,
                Message::Done,
            ],
            "can't be read on",
        ),
        (
            vec![next(), data(HELLO), Message::Whole, Message::Done],
            "nobody waits for",
        ),
        (
            vec![
                Message::Next(other),
                head(),
                data(HELLO),
                Message::Whole,
                Message::Done,
            ],
            "another file came",
        ),
        (
            vec![next(), head(), data(HELLO), Message::Done],
            "nobody waits for",
        ),
        (
            vec![
                next(),
                head(),
                data(HELLO),
                Message::Failed {
                    why: "a bad block".into(),
                },
                Message::Done,
            ],
            "a bad block",
        ),
        (vec![next(), head(), data(HELLO)], "hung up"),
        (vec![Message::Whole], "nobody waits for"),
    ] {
        let shown = format!("{answer:?}");
        let (put, done) = written(answer);
        let words = done.expect_err(&shown).to_string();
        assert!(words.contains(why), "{shown}: {words}");
        assert!(put < bytes, "{shown}");
    }
}
