//! PT-15. The link is cut at every byte, in both directions: what the client is told is what is there, and no move is
//! sent twice.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::rc::Rc;

use pseudotape_changer::{
    Address, Changer, ChangerServer, Exchange, Move, Reach, Refusal, RemoteChanger, Selection,
    Session, Side, Wait,
};
use pseudotape_testkit::changers::{MemoryChanger, design, memory_changer};

/// The usual addresses of few elements.
fn slot(number: u16) -> Address {
    Address(1025 + number)
}

fn drive(number: u16) -> Address {
    Address(257 + number)
}

struct Host {
    server: ChangerServer<MemoryChanger>,
    /// Lines that ask for a move, as the server got them.
    moves: u32,
}

/// How many bytes still get through, and how many did.
#[derive(Default)]
struct Budget {
    left: Cell<Option<usize>>,
    passed: Cell<usize>,
}

impl Budget {
    fn take(&self, wanted: usize) -> usize {
        let allowed = self.left.get().map_or(wanted, |left| left.min(wanted));
        self.left.set(self.left.get().map(|left| left - allowed));
        self.passed.set(self.passed.get() + allowed);
        allowed
    }
}

/// The road to the host. Of a connection's bytes only so many get through; the next connection is whole.
#[derive(Clone)]
struct Road {
    host: Rc<RefCell<Host>>,
    up: Rc<Budget>,
    down: Rc<Budget>,
}

struct Link {
    host: Rc<RefCell<Host>>,
    up: Rc<Budget>,
    down: Rc<Budget>,
    session: Option<Session>,
    sent: Vec<u8>,
    answers: VecDeque<u8>,
    cut: bool,
}

impl Reach for Road {
    type Link = Link;

    fn connect(&mut self, _: Wait) -> io::Result<Link> {
        // What is cut is the connection that was: this is another one.
        if self.up.left.get() == Some(0) || self.down.left.get() == Some(0) {
            self.up.left.set(None);
            self.down.left.set(None);
        }
        Ok(Link {
            host: Rc::clone(&self.host),
            up: Rc::clone(&self.up),
            down: Rc::clone(&self.down),
            session: None,
            sent: Vec::new(),
            answers: VecDeque::new(),
            cut: false,
        })
    }

    fn set_wait(&mut self, _: &Link, _: Wait) -> io::Result<()> {
        Ok(())
    }
}

impl Write for Link {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.cut {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        // A socket takes bytes that never arrive.
        let arrive = self.up.take(data.len());
        self.cut = arrive < data.len();
        for byte in &data[..arrive] {
            self.sent.push(*byte);
            if *byte != b'\n' {
                continue;
            }
            let line: Vec<u8> = self.sent.drain(..).collect();
            let line = line.strip_suffix(b"\n").unwrap_or(&line);
            let host = &mut *self.host.borrow_mut();
            let answer = match self.session {
                None => host.server.greet(line).map(|(welcome, session)| {
                    self.session = Some(session);
                    welcome
                }),
                Some(session) => {
                    let text = String::from_utf8_lossy(line);
                    let moves = text.contains("\"transfer\"") || text.contains("\"exchange\"");
                    host.moves += u32::from(moves);
                    host.server.answer(session, line)
                }
            };
            self.answers.extend(answer.unwrap_or_else(|last| last));
        }
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(self.answers.len());
        let arrive = self.down.take(wanted);
        if arrive < wanted || self.cut {
            self.cut = true;
        }
        for (to, byte) in buffer.iter_mut().zip(self.answers.drain(..arrive)) {
            *to = byte;
        }
        match arrive {
            0 if self.cut => Err(io::ErrorKind::ConnectionReset.into()),
            some => Ok(some),
        }
    }
}

fn road() -> Road {
    let (mut changer, _) = memory_changer(design(2, 1, 4), 3);
    changer.transfer(Move::new(slot(2), drive(1))).unwrap();
    let server = ChangerServer::new(changer);
    Road {
        host: Rc::new(RefCell::new(Host { server, moves: 0 })),
        up: Rc::default(),
        down: Rc::default(),
    }
}

type Act = fn(&mut RemoteChanger<Road>) -> Result<(), Refusal>;

fn transfer(client: &mut RemoteChanger<Road>) -> Result<(), Refusal> {
    client.transfer(Move::new(slot(0), drive(0)))
}

fn exchange(client: &mut RemoteChanger<Road>) -> Result<(), Refusal> {
    client.exchange(Exchange {
        source: slot(1),
        first: drive(1),
        second: slot(2),
        first_side: Side::Same,
        second_side: Side::Same,
    })
}

fn contents(road: &Road) -> Vec<Option<String>> {
    let mut host = road.host.borrow_mut();
    let inventory = host.server.changer_mut().inventory(Selection::ALL).unwrap();
    let barcodes = inventory.elements().iter().map(|element| {
        let barcode = element.medium.and_then(|medium| medium.barcode);
        barcode.map(|barcode| barcode.to_string())
    });
    barcodes.collect()
}

/// Bytes of an act that nothing cuts, up and down.
fn whole(act: Act) -> (usize, usize) {
    let road = road();
    let mut client = RemoteChanger::connect(road.clone(), "c".into()).unwrap();
    let before = (road.up.passed.get(), road.down.passed.get());
    act(&mut client).unwrap();
    (
        road.up.passed.get() - before.0,
        road.down.passed.get() - before.1,
    )
}

fn cut_at(act: Act, up: Option<usize>, down: Option<usize>) -> bool {
    let road = road();
    let mut client = RemoteChanger::connect(road.clone(), "c".into()).unwrap();
    let before = contents(&road);
    road.up.left.set(up);
    road.down.left.set(down);
    let told = act(&mut client);
    let after = contents(&road);
    let place = format!("cut at {up:?} up, {down:?} down: {told:?}");
    assert!(road.host.borrow().moves <= 1, "sent twice, {place}");
    match &told {
        Ok(()) => assert_ne!(before, after, "{place}"),
        Err(Refusal::Failed { .. }) => assert_eq!(before, after, "{place}"),
        Err(other) => panic!("not settled, {place}: {other}"),
    }
    // It is used again as if nothing had been.
    client.inventory(Selection::ALL).unwrap();
    told.is_ok()
}

#[test]
fn pt_15_a_link_that_is_cut_at_any_byte_of_a_move_is_settled() {
    for act in [transfer as Act, exchange as Act] {
        let (up, down) = whole(act);
        assert!(up > 100 && down > 100, "{up} {down}");
        let sent: Vec<bool> = (0..up).map(|at| cut_at(act, Some(at), None)).collect();
        let answered: Vec<bool> = (0..down).map(|at| cut_at(act, None, Some(at))).collect();
        // Questions before the move are asked again; a request of which one byte is missing is not obeyed; a move whose
        // answer is cut was done.
        assert!(sent.contains(&true) && sent.last() == Some(&false));
        assert!(answered.last() == Some(&true));
    }
}
