//! Files of this host for a farm on another one: many are on their way at once.

use std::collections::VecDeque;
use std::io::Read;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use pseudotape_farm::{
    Compared, Entry, FoundFile, Keeping, LeftOut, NotOffered, Outgoing, Stamp, State, Told,
    VolumeName, Walk, Walked,
};

use super::lending::{Capsules, Loan};
use super::{Client, out_of_turn, told};
use crate::error::Error;
use crate::how::How;
use crate::link::Output;
use crate::message::Message;

/// So many files are offered before the answer to the first one is waited for.
pub(super) const AHEAD: usize = 256;
/// A file that changes while it is read is sent so often.
const READINGS: u32 = 3;
/// Contents go out in pieces of this length.
const PIECE_BYTES: usize = 256 << 10;

/// What is to be added.
pub struct AddOrder {
    /// The volume.
    pub volume: VolumeName,
    /// By which verb.
    pub how: How,
    /// What becomes of a file that changes while it is read.
    pub keeping: Keeping,
    /// How long another command is waited for, in seconds.
    pub lock_wait: u64,
    /// As of [`super::MergeOrder`].
    pub check_present: bool,
    /// As of [`super::MergeOrder`].
    pub compressed: bool,
    /// Files, and folders with all that is in them.
    pub paths: Vec<PathBuf>,
    /// An archive, whose files come behind them.
    pub archive: Option<Box<dyn Read>>,
    /// Capsules of another farm, whose files come behind that.
    pub capsules: Option<Box<dyn Capsules>>,
}

impl Client {
    /// Adds files. `tell` hears what became of each, of those added when they are on stable storage there.
    pub fn add(mut self, order: AddOrder, tell: &mut dyn FnMut(Told)) -> Result<(), Error> {
        let added = self.add_all(order, tell);
        added.map_err(|error| self.explained(error))
    }

    fn add_all(&mut self, order: AddOrder, tell: &mut dyn FnMut(Told)) -> Result<(), Error> {
        self.link.send(&Message::Add {
            volume: order.volume,
            how: order.how,
            lock_wait: order.lock_wait,
            check_present: order.check_present,
            compressed: order.compressed,
        })?;
        loop {
            match self.link.receive()? {
                Message::Ready => break,
                Message::Waiting { text } => (self.waiting)(&text),
                Message::Refused { refusal, text } => {
                    return Err(Error::Refused { refusal, text });
                }
                _ => return Err(out_of_turn()),
            }
        }
        let output = self.link.output.clone();
        let (results, heard) = channel();
        std::thread::scope(|scope| {
            let input = &mut self.link.input;
            // It reads whatever happens here, so that the server never waits for somebody who waits for the server. It
            // ends with the last result; where sending failed, with the end that the server makes or with its patience.
            scope.spawn(move || {
                loop {
                    let message = input.receive();
                    let is_last = matches!(
                        message,
                        Err(_) | Ok(Message::Done) | Ok(Message::Refused { .. })
                    );
                    if results.send(message).is_err() || is_last {
                        return;
                    }
                }
            });
            let mut adding = Sending {
                output,
                heard,
                answers: VecDeque::new(),
                tell,
                keeping: order.keeping,
                with_stamps: order.how == How::CompareAdd,
                walk: Walk::default(),
                is_done: false,
                buffer: vec![0; PIECE_BYTES],
            };
            let sent = adding.send_all(&order.paths, order.archive, order.capsules);
            if sent.is_err() {
                // The server ends then, and with it the thread that hears it.
                adding.output.hang_up();
            }
            match sent {
                // What the server said before it hung up counts more than that nothing could be sent.
                Err(error) if error.is_cut() => Err(adding.last_result().unwrap_or(error)),
                sent => sent,
            }
        })
    }
}

struct Sending<'a> {
    output: Output,
    heard: Receiver<Result<Message, Error>>,
    /// Answers that came and were not needed yet.
    answers: VecDeque<bool>,
    tell: &'a mut dyn FnMut(Told),
    keeping: Keeping,
    /// Whether the server has to know which of two files is the better one before it wants it.
    with_stamps: bool,
    walk: Walk,
    is_done: bool,
    buffer: Vec<u8>,
}

impl Sending<'_> {
    fn send_all(
        &mut self,
        paths: &[PathBuf],
        archive: Option<Box<dyn Read>>,
        capsules: Option<Box<dyn Capsules>>,
    ) -> Result<(), Error> {
        let mut paths = paths.iter();
        let mut offered: VecDeque<FoundFile> = VecDeque::new();
        let mut is_over = false;
        loop {
            while offered.len() < AHEAD && !is_over {
                match self.walk.next_file() {
                    Some(Walked::File(found)) => {
                        if self.offer(&found)? {
                            offered.push_back(found);
                        }
                    }
                    Some(Walked::LeftOut(left_out)) => (self.tell)(Told::LeftOut(left_out)),
                    None => match paths.next() {
                        Some(path) => {
                            if let Err(left_out) = self.walk.begin(path) {
                                (self.tell)(Told::LeftOut(left_out));
                            }
                        }
                        None => is_over = true,
                    },
                }
            }
            let Some(found) = offered.pop_front() else {
                break;
            };
            if self.answer()? {
                self.send_file(&found)?;
            }
        }
        if let Some(archive) = archive {
            self.send_archive(archive)?;
        }
        if let Some(mut capsules) = capsules {
            self.send_capsules(&mut *capsules)?;
        }
        self.output.send(&Message::End)?;
        self.output.flush()?;
        while !self.is_done {
            let message = self.heard.recv().map_err(|_| out_of_turn())?;
            self.note(message)?;
        }
        Ok(())
    }

    /// Offers a file; `false` where it is left out.
    fn offer(&mut self, found: &FoundFile) -> Result<bool, Error> {
        let mut stamp = Stamp::default();
        if self.with_stamps {
            match self.walk.open(found) {
                Ok(file) => stamp = file.stamp(),
                Err(left_out) => {
                    (self.tell)(Told::LeftOut(left_out));
                    return Ok(false);
                }
            }
        }
        let title = found.title().clone();
        self.output.send(&Message::Offer { title, stamp })?;
        Ok(true)
    }

    /// Whether the next file that was offered is wanted.
    fn answer(&mut self) -> Result<bool, Error> {
        loop {
            if let Some(wanted) = self.answers.pop_front() {
                return Ok(wanted);
            }
            let message = match self.heard.try_recv() {
                Ok(message) => message,
                Err(TryRecvError::Empty) => {
                    self.output.flush()?;
                    self.heard.recv().map_err(|_| out_of_turn())?
                }
                Err(TryRecvError::Disconnected) => return Err(out_of_turn()),
            };
            self.note(message)?;
        }
    }

    /// Takes what came meanwhile.
    fn hear(&mut self) -> Result<(), Error> {
        while let Ok(message) = self.heard.try_recv() {
            self.note(message)?;
        }
        Ok(())
    }

    fn note(&mut self, message: Result<Message, Error>) -> Result<(), Error> {
        match message? {
            Message::Answer { wanted } => self.answers.push_back(wanted),
            Message::Done => self.is_done = true,
            Message::Refused { refusal, text } => return Err(Error::Refused { refusal, text }),
            message => (self.tell)(told(message)?),
        }
        Ok(())
    }

    /// The refusal among what came before the link was cut, if there is one; what became of files is told.
    fn last_result(&mut self) -> Option<Error> {
        while let Ok(message) = self.heard.recv() {
            match self.note(message) {
                Err(error @ Error::Refused { .. }) => return Some(error),
                Err(_) => return None,
                Ok(()) => {}
            }
        }
        None
    }

    fn send_file(&mut self, found: &FoundFile) -> Result<(), Error> {
        let mut file = match self.walk.open(found) {
            Ok(file) => file,
            Err(left_out) => {
                (self.tell)(Told::LeftOut(left_out));
                return Ok(());
            }
        };
        for reading in 1..=READINGS {
            self.output.send(&Message::File {
                stamp: file.stamp(),
                headers: file.headers(),
            })?;
            let end = match self.contents(&mut file)? {
                Err(why) => Message::Failed { why },
                Ok(length) => self.end(&file, length, reading),
            };
            self.output.send(&end)?;
            if end != Message::Again {
                return Ok(());
            }
            if let Err(why) = file.again() {
                // The other side waits for the file that comes again, and hears that it is none.
                let LeftOut { path, why } = LeftOut {
                    path: found.title().path(),
                    why: NotOffered::Host(format!("it changed while it was read, and then: {why}")),
                };
                self.output.send(&Message::File {
                    stamp: file.stamp(),
                    headers: file.headers(),
                })?;
                log::debug!("{}: {why}", path.display());
                return self.output.send(&Message::Failed {
                    why: why.to_string(),
                });
            }
        }
        Ok(())
    }

    /// Sends the contents; how many bytes there were, or why they can't be read.
    fn contents(&mut self, file: &mut Outgoing) -> Result<Result<u64, String>, Error> {
        let mut length = 0;
        loop {
            match file.read(&mut self.buffer) {
                Ok(0) => return Ok(Ok(length)),
                Ok(bytes) => {
                    length += bytes as u64;
                    self.output
                        .send_data(self.buffer.get(..bytes).unwrap_or_default())?;
                    self.hear()?;
                }
                Err(error) => return Ok(Err(error.to_string())),
            }
        }
    }

    /// What is said behind the contents.
    fn end(&self, file: &Outgoing, length: u64, reading: u32) -> Message {
        let failed = |why: String| Message::Failed { why };
        match file.has_changed() {
            Err(error) => failed(format!("it could not be looked at: {error}")),
            Ok(false) => Message::Whole,
            Ok(true) if reading < READINGS => Message::Again,
            Ok(true) if length < file.length() => {
                failed("it became shorter while it was read".to_owned())
            }
            Ok(true) => match self.keeping {
                Keeping::Changed => Message::Changed,
                Keeping::Missing => failed("it changed while it was read".to_owned()),
            },
        }
    }

    /// Sends the files of capsules, as many at once as can be offered.
    fn send_capsules(&mut self, capsules: &mut dyn Capsules) -> Result<(), Error> {
        while let Some((volume, entries)) = capsules.next() {
            let mut offered = Vec::new();
            for entry in entries {
                if !entry.state.has_file() {
                    (self.tell)(Told::LeftOut(LeftOut::not_on(&volume, &entry)));
                    continue;
                }
                let (title, stamp) = (entry.title.clone(), entry.stamp);
                self.output.send(&Message::Offer { title, stamp })?;
                offered.push(entry);
            }
            let mut wanted = Vec::new();
            for entry in offered {
                if self.answer()? {
                    wanted.push(entry);
                }
            }
            if wanted.is_empty() {
                continue;
            }
            let mut sent = Ok(());
            let lent = capsules.lend(&volume, &wanted, &mut |entry, loan| {
                sent = self.send_loan(&volume, entry, loan);
                sent.is_ok()
            });
            // Where the farm of the sources is gone, that is why nothing could be sent.
            lent?;
            sent?;
        }
        Ok(())
    }

    fn send_loan(
        &mut self,
        volume: &VolumeName,
        entry: &Entry,
        loan: Loan<'_>,
    ) -> Result<(), Error> {
        let (headers, contents) = match loan {
            Loan::File(headers, contents) => (headers, contents),
            Loan::NotThere => {
                (self.tell)(Told::LeftOut(LeftOut::not_on(volume, entry)));
                return Ok(());
            }
            Loan::Damaged(fault) => {
                (self.tell)(Told::LeftOut(LeftOut::damaged(volume, entry, &fault)));
                return Ok(());
            }
        };
        let mut contents = Compared::of(entry, contents);
        let stamp = entry.stamp;
        self.output.send(&Message::File { stamp, headers })?;
        let end = loop {
            match contents.read(&mut self.buffer) {
                Ok(0) if entry.state == State::Changed => break Message::Changed,
                Ok(0) => break Message::Whole,
                Ok(bytes) => {
                    self.output
                        .send_data(self.buffer.get(..bytes).unwrap_or_default())?;
                    self.hear()?;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                // Of a file that did not come to its end nothing is left.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => {
                    return Err(Error::Cut(error));
                }
                Err(error) => {
                    let why = error.to_string();
                    break Message::Failed { why };
                }
            }
        };
        self.output.send(&end)
    }

    fn send_archive(&mut self, mut archive: Box<dyn Read>) -> Result<(), Error> {
        self.output.send(&Message::Archive)?;
        loop {
            match archive.read(&mut self.buffer) {
                Ok(0) => return self.output.send(&Message::Whole),
                Ok(bytes) => {
                    self.output
                        .send_data(self.buffer.get(..bytes).unwrap_or_default())?;
                    self.hear()?;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let why = error.to_string();
                    return self.output.send(&Message::Failed { why });
                }
            }
        }
    }
}
