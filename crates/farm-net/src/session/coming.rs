//! What a client sends of a file or of an archive.

use std::io::{self, Read};

use pseudotape_farm::{Announced, Arriving, Gone, Sent};

use crate::error::Error;
use crate::link::Input;
use crate::message::Message;

/// Contents that come in packets.
pub(super) struct Coming<'a> {
    input: &'a mut Input,
    chunk: Vec<u8>,
    at: usize,
    end: Option<End>,
    /// Why nothing more comes.
    cut: Option<Error>,
}

/// How contents ended.
enum End {
    Whole,
    Changed,
    Again,
}

impl<'a> Coming<'a> {
    pub(super) fn of(input: &'a mut Input) -> Self {
        Coming {
            input,
            chunk: Vec::new(),
            at: 0,
            end: None,
            cut: None,
        }
    }

    /// Why nothing more comes, if that is so.
    pub(super) fn cut(self) -> Option<Error> {
        self.cut
    }

    fn receive(&mut self) -> io::Result<Message> {
        if self.cut.is_some() {
            return Err(Gone.into());
        }
        self.input.receive().map_err(|error| {
            self.cut = Some(error);
            Gone.into()
        })
    }

    /// The next part of the contents in the place of the last one; or what came in its stead.
    fn receive_part(&mut self) -> io::Result<Option<Message>> {
        if self.cut.is_some() {
            return Err(Gone.into());
        }
        self.at = 0;
        let received = self.input.receive_contents(&mut self.chunk);
        // What is there was used.
        if !matches!(received, Ok(None)) {
            self.chunk.clear();
        }
        received.map_err(|error| {
            self.cut = Some(error);
            Gone.into()
        })
    }

    fn out_of_turn(&mut self) -> io::Error {
        self.cut = Some(Error::protocol(
            "a message came amid the contents of a file",
        ));
        Gone.into()
    }

    fn take(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let ready = self.chunk.get(self.at..).unwrap_or_default();
            let bytes = ready.len().min(buffer.len());
            if bytes > 0 {
                if let (Some(buffer), Some(ready)) = (buffer.get_mut(..bytes), ready.get(..bytes)) {
                    buffer.copy_from_slice(ready);
                }
                self.at += bytes;
                return Ok(bytes);
            }
            if self.end.is_some() || buffer.is_empty() {
                return Ok(0);
            }
            self.end = match self.receive_part()? {
                None => None,
                Some(Message::Whole) => Some(End::Whole),
                Some(Message::Changed) => Some(End::Changed),
                Some(Message::Again) => Some(End::Again),
                Some(Message::Failed { why }) => return Err(io::Error::other(why)),
                Some(_) => return Err(self.out_of_turn()),
            };
        }
    }
}

impl Arriving for Coming<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.take(buffer)
    }

    fn sent(&mut self) -> io::Result<Sent> {
        match self.end.take() {
            Some(End::Whole) => Ok(Sent::Whole),
            Some(End::Changed) => Ok(Sent::Changed),
            Some(End::Again) => match self.receive()? {
                Message::File { stamp, headers } => Ok(Sent::Again(Announced { headers, stamp })),
                _ => Err(self.out_of_turn()),
            },
            None => Err(self.out_of_turn()),
        }
    }
}

/// An archive that comes so.
pub(super) struct ComingArchive<'a, 'b>(pub(super) &'a mut Coming<'b>);

impl Read for ComingArchive<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.take(buffer)
    }
}

impl Coming<'_> {
    /// Passes what a reader of an archive left behind its end.
    pub(super) fn pass_archive(&mut self) {
        let mut buffer = vec![0; 64 << 10];
        while self.take(&mut buffer).is_ok_and(|bytes| bytes > 0) {}
    }
}
