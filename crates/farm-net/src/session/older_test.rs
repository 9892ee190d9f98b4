//! Clients that are older.

use std::os::unix::net::UnixStream;
use std::sync::Arc;

use pseudotape_farm::{Adding, Keeping, Root, Verb};

use super::{Served, serve};
use crate::access::AccessList;
use crate::hook::{Hook, Stored};
use crate::how::How;
use crate::link::Link;
use crate::message::Message;
use crate::pipe::Pipe;

#[derive(Debug)]
struct Fails;

impl Hook for Fails {
    fn stored(&self, _: &Stored<'_>) -> Result<(), String> {
        Err("on purpose".to_owned())
    }
}

fn link(end: UnixStream) -> Link {
    let pipe = Pipe::new(end).expect("a pipe");
    let sender = pipe.sender().expect("a pipe");
    Link::new(pipe, sender)
}

/// What a client of this version is answered to a merge, behind which a hook fails.
fn merged(version: u32) -> Vec<Message> {
    let folder = tempfile::tempdir().expect("a folder");
    let root = Root::open(folder.path()).expect("a root");
    let file = folder.path().join("file");
    std::fs::write(&file, b"x").expect("a file");
    let source: pseudotape_farm::VolumeName = "V".parse().expect("a name");
    let mut volume = root.create(&source).expect("a volume");
    let mut tell = |_| {};
    let mut adding = Adding::to(&mut volume, Verb::Add, Keeping::Changed, &mut tell);
    adding.path(&file).expect("it is added");
    adding.finish().expect("it is committed");
    drop(volume);
    let person: crate::Person = "ada@depot".parse().expect("a person");
    AccessList::change(folder.path(), |access| access.add(person.clone())).expect("a list");
    let served = Served {
        roots: vec![folder.path().to_owned()],
        person,
        privately: false,
        commands: None,
        hook: Some(Arc::new(Fails)),
        way: "test".to_owned(),
    };
    let (ours, theirs) = UnixStream::pair().expect("a connection");
    let serving = std::thread::spawn(move || serve(link(theirs), &served));
    let mut client = link(ours);
    let root = Vec::new();
    client
        .send(&Message::Hello { version, root })
        .expect("it goes");
    assert!(matches!(client.receive(), Ok(Message::Welcome { .. })));
    let order = Message::Merge {
        volume: "M".parse().expect("a name"),
        sources: vec![source],
        how: How::Add,
        lock_wait: 0,
        check_present: false,
        compressed: false,
    };
    client.send(&order).expect("it goes");
    let mut heard = Vec::new();
    while heard.last() != Some(&Message::Done) {
        heard.push(client.receive().expect("an answer"));
    }
    drop(client);
    serving.join().expect("no panic").expect("it went in order");
    heard
}

/// A client of the first version is sent nothing that it does not know.
#[test]
fn an_older_client_does_not_hear_that_a_hook_failed() {
    assert!(matches!(
        merged(1).as_slice(),
        [Message::Added(_), Message::Done]
    ));
    assert!(matches!(
        merged(2).as_slice(),
        [Message::Added(_), Message::ScriptFailed { why }, Message::Done] if why == "on purpose"
    ));
}
