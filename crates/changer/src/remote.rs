//! PT-15: a changer on another host (docs/REMOTE-CHANGER.md).

mod server;
mod wire;

use std::io::{self, BufReader, Read, Write};

use server::read_line;
pub use server::{ChangerServer, Session, serve_changer};
use wire::{Ask, Hello, Reply, ReplyLine, Request, Turned, VERSION, Welcome, line, parse};
pub use wire::{MAX_REPLY_BYTES, MAX_REQUEST_BYTES};

use crate::address::{Address, AddressRange, Layout};
use crate::changer::{Changer, ChangerIdentity, DriveIdentity, Exchange, Move, Removal, Selection};
use crate::doubt::Doubt;
use crate::element::{Element, Inventory};
use crate::refusal::Refusal;

/// What an answer is waited for. Whoever reaches the other host knows how long each of them may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// What the changer knows by heart. It may have to end a move of somebody else first.
    Question,
    /// A move.
    Move,
}

/// How the other host is reached. A wait that is over is the error `TimedOut`.
pub trait Reach {
    /// Bytes both ways.
    type Link: Read + Write;

    /// Connects anew. The first answers may take as long as this.
    fn connect(&mut self, wait: Wait) -> io::Result<Self::Link>;

    /// Sets how long the next answer may take.
    fn set_wait(&mut self, link: &Self::Link, wait: Wait) -> io::Result<()>;
}

/// A changer on another host.
///
/// | the link breaks | and afterwards | result |
/// |---|---|---|
/// | before or in a question | the other host is reached again | it is asked once more |
/// | in a move | the inventory shows the move as done | `Ok` |
/// | in a move | the inventory is as before | `Failed`: nothing was moved, and nothing is tried again |
/// | in a move | the inventory shows something else, or can't be had | `OutOfStep` |
///
/// Where a question has no answer in time, it is not asked again: whoever is silent would be waited for twice.
#[derive(Debug)]
pub struct RemoteChanger<R: Reach> {
    reach: R,
    /// The same for all connections of this value, and no other's.
    client: String,
    link: Option<BufReader<R::Link>>,
    identity: ChangerIdentity,
    layout: Layout,
    requests: u64,
    /// After a broken link the next question has to wait for the move that may still go on.
    in_doubt: bool,
}

/// Why a call has no answer.
enum Trouble {
    /// The changer has refused it.
    Refused(Refusal),
    /// The link broke, or carried nonsense.
    Link(io::Error),
}

impl<R: Reach> RemoteChanger<R> {
    /// Connects. `client` names this client to the server, and has to be another one for each of them: of one client
    /// the server obeys the newest connection only.
    pub fn connect(mut reach: R, client: String) -> io::Result<Self> {
        let (link, welcome) = Self::greet(&mut reach, &client, Wait::Question)?;
        Ok(RemoteChanger {
            reach,
            client,
            link: Some(link),
            identity: welcome.identity.into(),
            layout: welcome.layout,
            requests: 0,
            in_doubt: false,
        })
    }

    fn greet(reach: &mut R, client: &str, wait: Wait) -> io::Result<(BufReader<R::Link>, Welcome)> {
        let mut link = BufReader::new(reach.connect(wait)?);
        let hello = Hello {
            version: VERSION,
            features: Vec::new(),
            client: client.to_owned(),
        };
        let sent = link.get_mut().write_all(&line(&hello));
        let sent = sent.and_then(|()| link.get_mut().flush());
        // A server that turns everybody away has said why before it was greeted.
        let first = match (read_line(&mut link, MAX_REPLY_BYTES), sent) {
            (Ok(Some(first)), _) => first,
            (_, Err(error)) | (Err(error), _) => return Err(error),
            (Ok(None), Ok(())) => return Err(io::ErrorKind::UnexpectedEof.into()),
        };
        Ok((link, welcome(&first)?))
    }

    /// Asks once, on a link that may be new.
    fn ask(&mut self, ask: Ask) -> Result<Reply, Trouble> {
        let wait = match self.in_doubt {
            true => Wait::Move,
            false => wait_for(ask),
        };
        let mut link = match self.link.take() {
            Some(link) => link,
            None => {
                let (link, welcome) =
                    Self::greet(&mut self.reach, &self.client, wait).map_err(Trouble::Link)?;
                if welcome.layout != self.layout {
                    return Err(Trouble::Refused(Refusal::NotReady {
                        reason: "the changer on the other host has other elements now: restart this program".to_owned(),
                    }));
                }
                link
            }
        };
        let waits = self.reach.set_wait(link.get_ref(), wait);
        waits.map_err(Trouble::Link)?;
        self.requests += 1;
        let id = self.requests;
        let reply = exchange_lines(&mut link, &Request { id, ask }).map_err(Trouble::Link)?;
        // A link that broke or carried nonsense is not used again.
        self.link = Some(link);
        match reply {
            Reply::Refused { text, why } => Err(Trouble::Refused(why.refusal(text))),
            reply => Ok(reply),
        }
    }

    /// Asks what can be asked twice.
    fn question(&mut self, ask: Ask) -> Result<Reply, Refusal> {
        let again = match self.ask(ask) {
            Err(Trouble::Link(error)) if error.kind() != io::ErrorKind::TimedOut => self.ask(ask),
            answer => answer,
        };
        again.map_err(|trouble| match trouble {
            Trouble::Refused(refusal) => refusal,
            Trouble::Link(error) => Refusal::NotReady {
                reason: format!("the changer on the other host can't be asked: {error}"),
            },
        })
    }

    /// Asks for a move once, and looks what became of it when there is no answer.
    fn carry_out(&mut self, doubt: Doubt, ask: Ask) -> Result<(), Refusal> {
        match self.ask(ask) {
            Ok(reply) => done(&reply),
            Err(Trouble::Refused(refusal)) => Err(refusal),
            Err(Trouble::Link(error)) => {
                let why = format!("the link to the other host broke in the move: {error}");
                // Whoever was waited for in vain as long as a move may take is not waited for so long again.
                self.in_doubt = error.kind() != io::ErrorKind::TimedOut;
                let settled = doubt.settle(self, &why);
                self.in_doubt = false;
                settled
            }
        }
    }
}

/// What the answer is waited for. A transport that goes somewhere, and a look at every label, take their time too.
fn wait_for(ask: Ask) -> Wait {
    match ask {
        Ask::Inventory { .. } | Ask::DriveIdentity { .. } => Wait::Question,
        Ask::Transfer { .. }
        | Ask::Exchange { .. }
        | Ask::Position { .. }
        | Ask::Initialize { .. }
        | Ask::Removal { .. } => Wait::Move,
    }
}

/// The server's first line.
fn welcome(first: &[u8]) -> io::Result<Welcome> {
    let nonsense = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
    if let Ok(Turned { refused }) = parse(first) {
        return Err(io::Error::new(io::ErrorKind::ConnectionRefused, refused));
    }
    let welcome: Welcome = parse(first).map_err(|error| {
        nonsense(format!(
            "there is no server of pseudotape changers: {error}"
        ))
    })?;
    if welcome.version != VERSION {
        let version = welcome.version;
        return Err(nonsense(format!(
            "the server speaks version {version}, and {VERSION} is needed"
        )));
    }
    welcome
        .layout
        .check()
        .map_err(|error| nonsense(error.to_string()))?;
    Ok(welcome)
}

fn exchange_lines(link: &mut BufReader<impl Read + Write>, request: &Request) -> io::Result<Reply> {
    link.get_mut().write_all(&line(request))?;
    link.get_mut().flush()?;
    let answer = read_line(link, MAX_REPLY_BYTES)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    reply_to(request.id, &answer)
}

/// The reply in a line that answers the request with this number.
fn reply_to(id: u64, answer: &[u8]) -> io::Result<Reply> {
    let nonsense = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
    let answer: ReplyLine =
        parse(answer).map_err(|error| nonsense(format!("this is no answer: {error}")))?;
    if answer.id != id {
        return Err(nonsense(format!("answer {} instead of {id}", answer.id)));
    }
    match answer.reply {
        Reply::Superseded => Err(nonsense(
            "another connection of this client has taken over".to_owned(),
        )),
        reply => Ok(reply),
    }
}

fn done(reply: &Reply) -> Result<(), Refusal> {
    match reply {
        Reply::Done => Ok(()),
        _ => Err(unexpected()),
    }
}

fn unexpected() -> Refusal {
    Refusal::NotReady {
        reason: "the other host answers another question".to_owned(),
    }
}

/// Elements that are in the layout, each once.
fn elements(layout: &Layout, reply: Reply) -> Result<Inventory, Refusal> {
    let Reply::Elements(elements) = reply else {
        return Err(unexpected());
    };
    let elements: Vec<Element> = elements.into_iter().map(Element::from).collect();
    let inventory = Inventory::new(elements);
    let known = |element: &Element| {
        layout.find(element.address).map(|(kind, _)| kind) == Some(element.kind)
    };
    let twice = inventory
        .elements()
        .windows(2)
        .any(|pair| pair[0].address == pair[1].address);
    match twice || !inventory.elements().iter().all(known) {
        true => Err(unexpected()),
        false => Ok(inventory),
    }
}

/// Takes a line of a server as each message that a client can meet: for the fuzzer and its test.
#[cfg(any(test, feature = "fuzz"))]
pub fn fuzz_changer_reply(bytes: &[u8]) {
    if let Ok(welcome) = welcome(bytes) {
        drop(ChangerIdentity::from(welcome.identity));
    }
    if let Ok(reply) = reply_to(1, bytes) {
        let layout = Layout::usual(2, 1, 4).expect("a small layout");
        drop(elements(&layout, reply));
    }
}

/// Takes a line of a client as each message that a server can meet: for the fuzzer and its test.
#[cfg(any(test, feature = "fuzz"))]
pub fn fuzz_changer_request(bytes: &[u8]) {
    if let Ok(hello) = parse::<Hello>(bytes) {
        assert!(line(&hello).ends_with(b"\n"));
    }
    if let Ok(request) = parse::<Request>(bytes) {
        let again: Request = parse(&line(&request)).expect("what was written is read");
        assert_eq!((again.id, again.ask), (request.id, request.ask));
    }
}

impl<R: Reach> Changer for RemoteChanger<R> {
    fn identity(&self) -> ChangerIdentity {
        self.identity.clone()
    }

    fn layout(&self) -> Layout {
        self.layout
    }

    fn drive_identity(&mut self, drive: Address) -> Result<Option<DriveIdentity>, Refusal> {
        match self.question(Ask::DriveIdentity { drive })? {
            Reply::Drive(identity) => Ok(identity.map(DriveIdentity::from)),
            _ => Err(unexpected()),
        }
    }

    fn inventory(&mut self, which: Selection) -> Result<Inventory, Refusal> {
        let reply = self.question(Ask::inventory(which))?;
        elements(&self.layout, reply)
    }

    fn transfer(&mut self, cartridge: Move) -> Result<(), Refusal> {
        let ask = Ask::transfer(cartridge);
        match cartridge.from == cartridge.to {
            // Nothing moves.
            true => done(&self.question(ask)?),
            false => {
                let doubt = Doubt::before_move(self, cartridge)?;
                self.carry_out(doubt, ask)
            }
        }
    }

    fn exchange(&mut self, exchange: Exchange) -> Result<(), Refusal> {
        let Exchange { first, second, .. } = exchange;
        let ask = Ask::exchange(exchange);
        match first == second {
            // Refused, or nothing moves.
            true => done(&self.question(ask)?),
            false => {
                let doubt = Doubt::before_exchange(self, exchange)?;
                self.carry_out(doubt, ask)
            }
        }
    }

    fn position(&mut self, before: Address) -> Result<(), Refusal> {
        done(&self.question(Ask::Position { before })?)
    }

    fn initialize(&mut self, range: AddressRange) -> Result<(), Refusal> {
        done(&self.question(Ask::initialize(range))?)
    }

    fn set_removal(&mut self, removal: Removal) -> Result<(), Refusal> {
        done(&self.question(Ask::removal(removal))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fuzzers_meet_every_line_of_the_document_and_what_is_cut_of_it() {
        let document = include_str!("../../../docs/REMOTE-CHANGER.md");
        let lines = document
            .lines()
            .filter_map(|line| line.strip_prefix("C ").or(line.strip_prefix("S ")));
        let mut count = 0;
        for line in lines.map(str::as_bytes) {
            for end in 0..=line.len() {
                fuzz_changer_request(&line[..end]);
                fuzz_changer_reply(&line[..end]);
            }
            count += 1;
        }
        assert_eq!(count, 12);
    }

    #[test]
    fn elements_that_the_changer_has_not_or_has_twice_are_no_answer() {
        let layout = Layout::usual(2, 1, 4).unwrap();
        let reply = |elements: &str| {
            let answer = format!("{{\"id\":1,\"reply\":{{\"elements\":[{elements}]}}}}");
            elements_of(&layout, answer.as_bytes())
        };
        let slot = r#"{"at":1025,"kind":"storage","exception":"later","flags":["later"]}"#;
        let known = reply(slot).unwrap();
        let exception = known.elements()[0].exception;
        assert_eq!(exception, Some(crate::element::Exception::OutOfStep));
        assert!(reply(&format!("{slot},{slot}")).is_err());
        assert!(reply(r#"{"at":9,"kind":"storage"}"#).is_err());
        assert!(reply(r#"{"at":1025,"kind":"drive"}"#).is_err());
    }

    fn elements_of(layout: &Layout, answer: &[u8]) -> Result<Inventory, Refusal> {
        elements(layout, reply_to(1, answer).unwrap())
    }

    #[test]
    fn a_reason_that_is_not_known_is_told_by_its_text() {
        let answer = br#"{"id":1,"reply":{"refused":{"text":"the door is open","why":{"is":"door-open","door":3}}}}"#;
        let Reply::Refused { text, why } = reply_to(1, answer).unwrap() else {
            panic!("it is a refusal");
        };
        let reason = "the door is open".to_owned();
        assert_eq!(why.refusal(text), Refusal::Failed { reason });
    }
}
