//! A file of another volume that is offered.

use std::io::{self, Read};

use pseudotape_pax::{Member, Reader};

use super::{NotOffered, Offered, Origin};
use crate::entry::{Digest, Entry, FileKind, Stamp, State};
use crate::error::Fault;
use crate::step::{Step, Steps};
use crate::title::Title;

/// What a capsule has. It can be read once.
pub(crate) struct OfCapsule<R> {
    reader: Reader<R>,
    entry: Entry,
    member: Member,
    offset: u64,
}

impl<R: Read> OfCapsule<R> {
    /// Begins with the archive of a capsule that has a file.
    pub(crate) fn begin(entry: Entry, mut reader: Reader<R>) -> Result<Self, Fault> {
        let member = reader.next_member()?;
        let member = member.ok_or(Fault::Form("its archive is empty"))?;
        match member.name == entry.title.bytes() {
            true => Ok(OfCapsule {
                reader,
                entry,
                member,
                offset: 0,
            }),
            false => Err(Fault::Form(
                "its archive has another file than its record says",
            )),
        }
    }
}

impl<R: Read> Offered for OfCapsule<R> {
    fn title(&self) -> &Title {
        &self.entry.title
    }

    fn kind(&self) -> FileKind {
        self.entry.kind
    }

    fn stamp(&self) -> Stamp {
        self.entry.stamp
    }

    fn length(&self) -> u64 {
        self.entry.length
    }

    fn member(&self) -> &Member {
        &self.member
    }

    fn state(&self) -> State {
        self.entry.state
    }

    fn note(&self) -> Option<String> {
        self.entry.note.clone()
    }

    fn origin(&self) -> Origin {
        Origin::Capsule(self.entry.capsule)
    }

    fn digest(&self) -> Option<Digest> {
        self.entry.digest
    }

    fn read(&mut self, buffer: &mut [u8], steps: &Steps) -> io::Result<usize> {
        steps.tell(Step::Reading {
            title: &self.entry.title,
            offset: self.offset,
        })?;
        let read = self.reader.read_contents(buffer);
        let read = read.map_err(io::Error::other)?;
        self.offset += read as u64;
        Ok(read)
    }

    fn has_changed(&self) -> io::Result<bool> {
        Ok(false)
    }

    fn again(&mut self) -> Result<bool, NotOffered> {
        Ok(false)
    }
}
