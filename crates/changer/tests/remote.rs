//! PT-15. A changer on another host: what becomes of a move when the link breaks at any of its places.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::sync::Mutex;

use proptest::prelude::*;
use pseudotape_changer::{
    Address, Changer, ChangerServer, Exchange, MAX_REQUEST_BYTES, Move, Reach, Refusal,
    RemoteChanger, Removal, Selection, Session, Side, Wait, serve_changer,
};
use pseudotape_testkit::changers::{MemoryChanger, design, drive, memory_changer, slot};

/// Where the link breaks.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// The request is lost.
    Request,
    /// The server gets it only after the client's next connection.
    Late,
    /// The server has done it, and the answer is lost.
    Answer,
    /// Half of the answer arrives.
    HalfAnswer,
    /// The answer is nonsense.
    Nonsense,
}

struct Host {
    server: ChangerServer<MemoryChanger>,
    /// What becomes of the next lines; `None`: all is well.
    cuts: VecDeque<Option<Cut>>,
    /// Requests on their way in a connection that is no more.
    late: Vec<(Session, Vec<u8>)>,
    unreachable: bool,
    moves: usize,
    /// How long each line may wait for its answer.
    waits: Vec<Wait>,
    /// Nobody answers any more, as if the process there was stopped.
    silent: bool,
}

/// The road to a host in memory.
#[derive(Clone)]
struct Road(Rc<RefCell<Host>>);

struct Link {
    host: Rc<RefCell<Host>>,
    session: Option<Session>,
    sent: Vec<u8>,
    answers: VecDeque<u8>,
    broken: bool,
}

impl Reach for Road {
    type Link = Link;

    fn connect(&mut self, _: Wait) -> io::Result<Link> {
        if self.0.borrow().unreachable {
            return Err(io::ErrorKind::HostUnreachable.into());
        }
        Ok(Link {
            host: self.0.clone(),
            session: None,
            sent: Vec::new(),
            answers: VecDeque::new(),
            broken: false,
        })
    }

    fn set_wait(&mut self, _: &Link, wait: Wait) -> io::Result<()> {
        self.0.borrow_mut().waits.push(wait);
        Ok(())
    }
}

impl Link {
    fn line(&mut self, line: &[u8]) {
        let mut host = self.host.borrow_mut();
        let Some(session) = self.session else {
            let (welcome, session) = host.server.greet(line).unwrap();
            self.session = Some(session);
            self.answers.extend(welcome);
            // What was on its way arrives behind the new client's first line.
            for (session, request) in std::mem::take(&mut host.late) {
                let answer = host.server.answer(session, &request);
                let text = String::from_utf8(answer.unwrap_err()).unwrap();
                assert!(text.contains("superseded"), "{text}");
            }
            return;
        };
        let moves = [&b"\"do\":\"transfer\""[..], b"\"do\":\"exchange\""];
        if moves
            .iter()
            .any(|mark| line.windows(mark.len()).any(|part| part == *mark))
        {
            host.moves += 1;
        }
        let cut = host.cuts.pop_front().flatten();
        let answer = match cut {
            Some(Cut::Request) => Vec::new(),
            Some(Cut::Late) => {
                host.late.push((session, line.to_vec()));
                Vec::new()
            }
            _ => host
                .server
                .answer(session, line)
                .unwrap_or_else(|last| last),
        };
        let half = answer.len() / 2;
        self.broken = cut.is_some();
        match cut {
            None => self.answers.extend(answer),
            Some(Cut::HalfAnswer) => self.answers.extend(&answer[..half]),
            Some(Cut::Nonsense) => self.answers.extend(b"{\"id\":77,\"reply\":\"done\"}\n"),
            Some(Cut::Request | Cut::Late | Cut::Answer) => {}
        }
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        for byte in bytes {
            match byte {
                b'\n' => {
                    let line = std::mem::take(&mut self.sent);
                    self.line(&line);
                }
                other => self.sent.push(*other),
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Link {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.host.borrow().silent {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.answers.read(into)
    }
}

fn host() -> (RemoteChanger<Road>, Rc<RefCell<Host>>) {
    let (changer, _) = memory_changer(design(2, 0, 4), 3);
    let host = Rc::new(RefCell::new(Host {
        server: ChangerServer::new(changer),
        cuts: VecDeque::new(),
        late: Vec::new(),
        unreachable: false,
        moves: 0,
        waits: Vec::new(),
        silent: false,
    }));
    let remote = RemoteChanger::connect(Road(host.clone()), "host-7".into()).unwrap();
    (remote, host)
}

/// Barcodes by address, looked up in the library itself.
fn contents(host: &Rc<RefCell<Host>>) -> Vec<Option<String>> {
    let mut host = host.borrow_mut();
    let library = host.server.changer_mut().library();
    let layout = library.layout();
    let addresses = layout.drives.addresses().chain(layout.slots.addresses());
    let barcode = |at: Address| library.cartridge_in(at).map(|c| c.barcode.to_string());
    addresses.map(barcode).collect()
}

#[test]
fn pt_15_a_remote_changer_is_the_changer_that_is_there() {
    let (mut remote, host) = host();
    let layout = remote.layout();
    remote
        .transfer(Move::new(slot(&layout, 1), drive(&layout, 1)))
        .unwrap();
    remote.set_removal(Removal::Prevented).unwrap();
    remote.position(slot(&layout, 2)).unwrap();
    let far = remote.inventory(Selection::ALL).unwrap();
    let identity = remote.drive_identity(drive(&layout, 1)).unwrap();
    let mut host = host.borrow_mut();
    let near = host.server.changer_mut();
    assert_eq!(layout, near.layout());
    assert_eq!(remote.identity(), near.identity());
    assert_eq!(far, near.inventory(Selection::ALL).unwrap());
    assert_eq!(identity, near.drive_identity(drive(&layout, 1)).unwrap());
    assert_eq!(near.library().removal(), Removal::Prevented);
}

#[test]
fn pt_15_a_move_that_was_cut_off_is_settled_by_the_inventory_and_sent_once() {
    let cases = [
        (Cut::Request, false),
        (Cut::Late, false),
        (Cut::Answer, true),
        (Cut::HalfAnswer, true),
        (Cut::Nonsense, true),
    ];
    for (cut, done) in cases {
        let (mut remote, host) = host();
        let layout = remote.layout();
        let before = contents(&host);
        // Two looks, then the move.
        host.borrow_mut().cuts = VecDeque::from([None, None, Some(cut)]);
        let answer = remote.transfer(Move::new(slot(&layout, 2), drive(&layout, 0)));
        assert_eq!(answer.is_ok(), done, "{cut:?}: {answer:?}");
        assert_eq!(contents(&host) != before, done, "{cut:?}");
        assert_eq!(host.borrow().moves, 1, "{cut:?}");
        if let Err(refusal) = answer {
            assert!(matches!(refusal, Refusal::Failed { .. }), "{refusal}");
        }
    }
}

#[test]
fn pt_15_a_move_of_which_nothing_can_be_learned_is_out_of_step() {
    let (mut remote, host) = host();
    let layout = remote.layout();
    let all = [
        None,
        None,
        Some(Cut::Answer),
        Some(Cut::Request),
        Some(Cut::Request),
    ];
    host.borrow_mut().cuts = VecDeque::from(all);
    let refused = remote
        .transfer(Move::new(slot(&layout, 2), drive(&layout, 0)))
        .unwrap_err();
    assert!(matches!(refused, Refusal::OutOfStep { .. }), "{refused}");
    let found = remote.inventory(Selection::ALL).unwrap();
    assert!(found.at(drive(&layout, 0)).unwrap().is_full());
}

#[test]
fn a_question_does_not_wait_as_long_as_a_move() {
    let (mut remote, host) = host();
    let layout = remote.layout();
    let load = Move::new(slot(&layout, 2), drive(&layout, 0));
    remote.transfer(load).unwrap();
    let waits = std::mem::take(&mut host.borrow_mut().waits);
    assert_eq!(waits, [Wait::Question, Wait::Question, Wait::Move]);
    // The link is cut, and the move may still go on: the looks after it wait for its end.
    host.borrow_mut().cuts = VecDeque::from([None, None, Some(Cut::Answer)]);
    remote.transfer(Move::new(load.to, load.from)).unwrap();
    let waits = std::mem::take(&mut host.borrow_mut().waits);
    assert_eq!(waits[2..], [Wait::Move; 3]);
    remote.inventory(Selection::ALL).unwrap();
    assert_eq!(host.borrow().waits, [Wait::Question]);
}

#[test]
fn who_is_silent_is_waited_for_once() {
    let (mut remote, host) = host();
    host.borrow_mut().silent = true;
    let refused = remote.inventory(Selection::ALL).unwrap_err();
    assert!(matches!(refused, Refusal::NotReady { .. }), "{refused}");
    assert_eq!(host.borrow().waits, [Wait::Question]);
}

#[test]
fn a_host_that_is_away_is_not_ready_and_moves_nothing() {
    let (mut remote, host) = host();
    let layout = remote.layout();
    host.borrow_mut().cuts = VecDeque::from([Some(Cut::Request)]);
    host.borrow_mut().unreachable = true;
    let refused = remote
        .transfer(Move::new(slot(&layout, 2), drive(&layout, 0)))
        .unwrap_err();
    assert!(matches!(refused, Refusal::NotReady { .. }), "{refused}");
    assert_eq!(host.borrow().moves, 0);
    host.borrow_mut().unreachable = false;
    remote
        .transfer(Move::new(slot(&layout, 2), drive(&layout, 0)))
        .unwrap();
}

#[test]
fn refusals_cross_the_link_as_they_are() {
    let (mut remote, host) = host();
    let layout = remote.layout();
    let cases = [
        Move::new(slot(&layout, 4), drive(&layout, 0)),
        Move::new(slot(&layout, 1), slot(&layout, 2)),
        Move {
            side: Side::Other,
            ..Move::new(slot(&layout, 1), drive(&layout, 0))
        },
        Move::new(Address(9), drive(&layout, 0)),
    ];
    for wanted in cases {
        let far = remote.transfer(wanted).unwrap_err();
        let near = host
            .borrow_mut()
            .server
            .changer_mut()
            .transfer(wanted)
            .unwrap_err();
        assert_eq!(far, near);
    }
}

#[test]
fn the_lines_of_the_document_get_the_answers_of_the_document() {
    let document = include_str!("../../../docs/REMOTE-CHANGER.md");
    let (changer, _) = memory_changer(design(1, 0, 2), 1);
    let mut server = ChangerServer::new(changer);
    let mut session = None;
    let mut lines = document
        .lines()
        .filter(|l| l.starts_with("C {") || l.starts_with("S {"));
    let mut count = 0;
    while let Some(asked) = lines.next() {
        let asked = asked
            .strip_prefix("C ")
            .expect("a client's line")
            .as_bytes();
        let wanted = lines
            .next()
            .and_then(|line| line.strip_prefix("S "))
            .expect("an answer");
        let answer = match session {
            None => {
                let (welcome, begun) = server.greet(asked).unwrap();
                session = Some(begun);
                welcome
            }
            Some(session) => server.answer(session, asked).unwrap(),
        };
        assert_eq!(String::from_utf8(answer).unwrap(), format!("{wanted}\n"));
        count += 1;
    }
    assert_eq!(count, 6);
}

#[test]
fn a_server_turns_away_what_it_can_not_serve() {
    let (changer, _) = memory_changer(design(1, 0, 2), 1);
    let mut server = ChangerServer::new(changer);
    let mut turned =
        |hello: &str| String::from_utf8(server.greet(hello.as_bytes()).unwrap_err()).unwrap();
    let version = turned(r#"{"pseudotape-changer":2,"features":[],"client":"a"}"#);
    assert_eq!(
        version,
        "{\"refused\":\"version 2 is not served here, only 1\"}\n"
    );
    let nobody = turned(r#"{"pseudotape-changer":1,"features":[],"client":""}"#);
    assert!(nobody.contains("1 to 64 bytes"), "{nobody}");
    assert!(turned("EHLO").contains("this is no pseudotape-changer"));
    let hello = br#"{"pseudotape-changer":1,"features":["later"],"client":"a","more":1}"#;
    let (_, session) = server.greet(hello).unwrap();
    let refused = server
        .answer(session, br#"{"id":1,"ask":{"do":"fly"}}"#)
        .unwrap_err();
    assert!(refused.starts_with(b"{\"refused\":\"this is no request"));
}

/// What a client wrote, and what it got.
struct Wire(io::Cursor<Vec<u8>>, Vec<u8>);

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A server that is given these bytes, and the changer's slots then.
fn given(bytes: Vec<u8>) -> (io::Result<()>, Vec<bool>) {
    let (changer, _) = memory_changer(design(1, 0, 2), 1);
    let server = Mutex::new(ChangerServer::new(changer));
    let done = serve_changer(&server, Wire(io::Cursor::new(bytes), Vec::new()));
    let mut server = server.into_inner().unwrap();
    let inventory = server.changer_mut().inventory(Selection::ALL).unwrap();
    (
        done,
        inventory
            .elements()
            .iter()
            .map(|element| element.is_full())
            .collect(),
    )
}

#[test]
fn a_request_that_was_cut_or_is_too_long_is_not_obeyed() {
    let hello = "{\"pseudotape-changer\":1,\"features\":[],\"client\":\"a\"}\n";
    let load = r#"{"id":1,"ask":{"do":"transfer","from":1025,"to":257,"invert":false}}"#;
    let unmoved = [false, false, true, false];
    let (whole, moved) = given(format!("{hello}{load}\n").into_bytes());
    assert!(whole.is_ok());
    assert_eq!(moved, [false, true, false, false]);
    let (cut, slots) = given(format!("{hello}{load}").into_bytes());
    assert_eq!(cut.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(slots, unmoved);
    let spaces = " ".repeat(MAX_REQUEST_BYTES);
    let (long, slots) = given(format!("{hello}{load}{spaces}\n").into_bytes());
    assert_eq!(long.unwrap_err().kind(), io::ErrorKind::InvalidData);
    assert_eq!(slots, unmoved);
}

fn cuts() -> impl Strategy<Value = Vec<Option<Cut>>> {
    let cut = prop_oneof![
        8 => Just(None),
        1 => Just(Some(Cut::Request)),
        1 => Just(Some(Cut::Late)),
        1 => Just(Some(Cut::Answer)),
        1 => Just(Some(Cut::HalfAnswer)),
        1 => Just(Some(Cut::Nonsense)),
    ];
    proptest::collection::vec(cut, 0..10)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// PT-15: wherever the link breaks: `Ok` is a move that was done once, a refusal is none, and a move is never sent
    /// twice.
    #[test]
    fn pt_15_a_move_is_done_once_or_not_at_all_or_called_unknown(
        steps in proptest::collection::vec((0..6_usize, 0..6_usize, 0..6_usize, any::<bool>(), cuts()), 1..10),
    ) {
        let (mut remote, host) = host();
        let layout = remote.layout();
        let addresses: Vec<Address> = layout.drives.addresses().chain(layout.slots.addresses()).collect();
        for (one, two, three, exchange, cuts) in steps {
            // To itself: nothing moves, and it can be asked twice.
            if one == two || (exchange && (two == three)) {
                continue;
            }
            let before = contents(&host);
            host.borrow_mut().moves = 0;
            host.borrow_mut().cuts = cuts.into();
            let mut moved = before.clone();
            let held = moved[one].take();
            let answer = if exchange {
                let other = moved[two].take();
                moved[three] = other;
                moved[two] = held;
                remote.exchange(Exchange {
                    source: addresses[one],
                    first: addresses[two],
                    second: addresses[three],
                    first_side: Side::Same,
                    second_side: Side::Same,
                })
            } else {
                moved[two] = held;
                remote.transfer(Move::new(addresses[one], addresses[two]))
            };
            host.borrow_mut().cuts.clear();
            let after = contents(&host);
            prop_assert!(host.borrow().moves <= 1);
            match answer {
                Ok(()) => prop_assert_eq!(after, moved),
                Err(Refusal::OutOfStep { .. }) => prop_assert!(after == moved || after == before),
                Err(refusal) => prop_assert_eq!(after, before, "{}", refusal),
            }
        }
    }

    /// Any bytes of a client, whole lines or not, are answered or end the connection.
    #[test]
    fn no_bytes_of_a_client_are_too_much(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        greeted in any::<bool>(),
    ) {
        let mut all = Vec::new();
        if greeted {
            all.extend(b"{\"pseudotape-changer\":1,\"features\":[],\"client\":\"a\"}\n");
        }
        all.extend(bytes);
        all.push(b'\n');
        let (_, slots) = given(all);
        prop_assert_eq!(slots, [false, false, true, false]);
    }
}
