//! A file that another host sends.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use pseudotape_pax::{Member, Reader};

use super::archive::{Prepared, Sorted, sorted};
use super::sparse::Placing;
use super::{Gone, LeftOut, NotOffered, Offered};
use crate::entry::{FileKind, Stamp, State};
use crate::step::{Step, Steps};
use crate::title::Title;

/// Headers of a file, as they stand in an archive, and which one of its title it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// The headers.
    pub headers: Vec<u8>,
    /// Generation, version and times: an archive has no room for all of them.
    pub stamp: Stamp,
}

/// How the contents of a file ended that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// They are all there.
    Whole,
    /// They are all there, but the file changed while it was read.
    Changed,
    /// The file changed while it was read, and is sent again.
    Again(Announced),
}

/// Who has the contents of a file that is sent.
pub trait Arriving {
    /// Reads of them; 0 at their end. An error is [`Gone`], or says why the other host could not read them.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// How they ended; asked once, behind the end.
    fn sent(&mut self) -> io::Result<Sent>;
}

/// A file that is being sent.
pub(crate) struct Arrival<'a> {
    from: &'a mut dyn Arriving,
    title: Title,
    kind: FileKind,
    stamp: Stamp,
    length: u64,
    member: Member,
    placing: Placing,
    /// Bytes of the contents that are still to come.
    due: u64,
    offset: u64,
    state: State,
    again: Option<Announced>,
    is_read: bool,
}

impl<'a> Arrival<'a> {
    /// Takes the headers.
    pub(crate) fn begin(announced: Announced, from: &'a mut dyn Arriving) -> Result<Self, LeftOut> {
        let prepared = prepared(&announced)?;
        Ok(Arrival {
            from,
            title: prepared.title,
            kind: prepared.kind,
            stamp: announced.stamp,
            length: prepared.length,
            placing: Placing::of(&prepared.member),
            due: prepared.member.length,
            member: prepared.member,
            offset: 0,
            state: State::Ok,
            again: None,
            is_read: false,
        })
    }

    /// Whether all was read that is sent of it.
    pub(crate) fn is_read(&self) -> bool {
        self.is_read
    }
}

/// Passes what was not read of a file. An error says that nothing more comes.
pub(crate) fn pass(from: &mut dyn Arriving) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) if Gone::is_why(&error) => return Err(error),
            // The other host could not read the file, which nobody wants.
            Err(_) => return Ok(()),
        }
        match from.sent()? {
            Sent::Again(_) => {}
            Sent::Whole | Sent::Changed => return Ok(()),
        }
    }
}

fn prepared(announced: &Announced) -> Result<Prepared, LeftOut> {
    let nameless = |why: String| LeftOut {
        path: PathBuf::from("a file with unreadable headers"),
        why: NotOffered::Archive(why),
    };
    let member = Reader::new(&announced.headers[..]).next_member();
    let member = member.map_err(|error| nameless(error.to_string()))?;
    let member = member.ok_or_else(|| nameless("they are empty".to_owned()))?;
    let path = PathBuf::from(OsStr::from_bytes(&member.name));
    match sorted(member) {
        Sorted::File(prepared) => Ok(*prepared),
        Sorted::LeftOut(left_out) => Err(left_out),
        Sorted::Folder => Err(LeftOut {
            path,
            why: NotOffered::Kind("a folder"),
        }),
    }
}

impl Offered for Arrival<'_> {
    fn title(&self) -> &Title {
        &self.title
    }

    fn kind(&self) -> FileKind {
        self.kind
    }

    fn stamp(&self) -> Stamp {
        self.stamp
    }

    fn length(&self) -> u64 {
        self.length
    }

    fn member(&self) -> &Member {
        &self.member
    }

    fn state(&self) -> State {
        self.state
    }

    fn read(&mut self, buffer: &mut [u8], steps: &Steps) -> io::Result<usize> {
        steps.tell(Step::Reading {
            title: &self.title,
            offset: self.offset,
        })?;
        let read = self
            .from
            .read(buffer)
            .inspect_err(|_| self.is_read = true)?;
        let fits = |bytes: u64| bytes <= self.due;
        if !fits(read as u64) {
            return Err(invalid("it gives more bytes than its headers say"));
        }
        self.due -= read as u64;
        self.offset += read as u64;
        if self.kind == FileKind::File {
            let part = buffer.get(..read).unwrap_or_default();
            self.placing.place(part, |_, _| Ok(()))?;
        }
        if read > 0 {
            return Ok(read);
        }
        match self.from.sent()? {
            Sent::Whole => self.state = State::Ok,
            Sent::Changed => self.state = State::Changed,
            Sent::Again(announced) => {
                self.again = Some(announced);
                return Ok(0);
            }
        }
        self.is_read = true;
        match self.due == 0 && (self.kind != FileKind::File || self.placing.is_whole()) {
            true => Ok(0),
            false => Err(invalid("its contents are shorter than its headers say")),
        }
    }

    fn has_changed(&self) -> io::Result<bool> {
        Ok(self.again.is_some())
    }

    fn again(&mut self) -> Result<bool, NotOffered> {
        let Some(announced) = self.again.take() else {
            return Ok(false);
        };
        let prepared = prepared(&announced).map_err(|left_out| left_out.why)?;
        if prepared.title != self.title {
            return Err(NotOffered::Archive(
                "it came again with another name".to_owned(),
            ));
        }
        self.kind = prepared.kind;
        self.stamp = announced.stamp;
        self.length = prepared.length;
        self.placing = Placing::of(&prepared.member);
        self.due = prepared.member.length;
        self.member = prepared.member;
        self.offset = 0;
        Ok(true)
    }
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}
