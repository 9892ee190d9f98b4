//! CW-06: files go to another host without a round trip for each.

use std::os::unix::net::UnixStream;

use pseudotape_farm::{Keeping, Told};

use super::Client;
use crate::client::adding::{AHEAD, AddOrder};
use crate::how::How;
use crate::link::Link;
use crate::message::Message;
use crate::packet::PROTOCOL_VERSION;
use crate::pipe::Pipe;

/// A server that answers nothing before it has all offers of a window, and no file before it has all of their contents:
/// a client that waits for a word of it in between would wait for ever.
#[test]
fn many_files_are_on_their_way_before_anything_is_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    let tree = folder.path().join("tree");
    std::fs::create_dir(&tree).expect("a folder");
    let files = 2 * AHEAD;
    for at in 0..files {
        std::fs::write(tree.join(at.to_string()), b"small").expect("a file");
    }
    let (ours, theirs) = UnixStream::pair().expect("a connection");
    let link = |end: UnixStream| {
        let pipe = Pipe::new(end).expect("a pipe");
        let sender = pipe.sender().expect("a pipe");
        Link::new(pipe, sender)
    };
    let server = std::thread::spawn(move || serve(link(theirs)));
    let client = Client::over(link(ours), "here", "", |_| {}).expect("a server");
    let order = AddOrder {
        volume: "V".parse().expect("a name"),
        how: How::Add,
        keeping: Keeping::Changed,
        lock_wait: 0,
        check_present: false,
        compressed: false,
        paths: vec![tree],
        archive: None,
        capsules: None,
    };
    let mut present = 0;
    let mut tell = |told| {
        assert!(matches!(told, Told::Present(_)), "{told:?}");
        present += 1;
    };
    client.add(order, &mut tell).expect("all is told");
    assert_eq!(present, files);
    server.join().expect("it did as expected");
}

fn serve(mut link: Link) {
    let next = |link: &mut Link| link.receive().expect("a message");
    assert!(matches!(next(&mut link), Message::Hello { .. }));
    let welcome = Message::Welcome {
        version: PROTOCOL_VERSION,
        root: b"/".to_vec(),
        person: "a@b".to_owned(),
    };
    link.send(&welcome).expect("it goes");
    assert!(matches!(next(&mut link), Message::Add { .. }));
    link.send(&Message::Ready).expect("it goes");
    let mut titles = Vec::new();
    let mut contents = 0;
    // A whole window of offers, of which none is answered.
    while titles.len() < AHEAD {
        let Message::Offer { title, .. } = next(&mut link) else {
            panic!("no offer");
        };
        titles.push(title);
    }
    for _ in 0..AHEAD {
        let wanted = true;
        link.send(&Message::Answer { wanted }).expect("it goes");
    }
    // Then a whole window of files; not one of them is told of. Offers of the next window come between them.
    while contents < AHEAD {
        match next(&mut link) {
            Message::Whole => contents += 1,
            Message::Offer { title, .. } => titles.push(title),
            Message::File { .. } | Message::Data(_) => {}
            other => panic!("{other:?}"),
        }
    }
    for _ in AHEAD..2 * AHEAD {
        let wanted = false;
        link.send(&Message::Answer { wanted }).expect("it goes");
    }
    loop {
        match next(&mut link) {
            Message::Offer { title, .. } => titles.push(title),
            Message::End => break,
            other => panic!("{other:?}"),
        }
    }
    for title in titles {
        link.send(&Message::Present(title)).expect("it goes");
    }
    link.send(&Message::Done).expect("it goes");
    link.flush().expect("it goes");
}
