//! Files of an archive that comes as a stream.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use pseudotape_pax::{Kind, Member, Reader, Records, Time};

use super::attributes::number_of;
use super::sparse::{Placing, declared};
use super::{GENERATION, LeftOut, NotOffered, Offered, VERSION, keyword};
use crate::entry::{FileKind, Stamp};
use crate::step::{Step, Steps};
use crate::title::Title;

/// A member that is offered. It can be read once.
pub(crate) struct OfArchive<'a, R> {
    reader: &'a mut Reader<R>,
    title: Title,
    kind: FileKind,
    stamp: Stamp,
    length: u64,
    member: Member,
    placing: Placing,
    offset: u64,
}

/// What a member is.
pub(crate) enum Sorted {
    /// A file that can be offered.
    File(Box<Prepared>),
    /// A folder: it is made where a file in it is extracted.
    Folder,
    /// What is not added.
    LeftOut(LeftOut),
}

/// A member that can be offered.
pub(crate) struct Prepared {
    pub(crate) title: Title,
    pub(crate) kind: FileKind,
    stamp: Stamp,
    pub(crate) length: u64,
    pub(crate) member: Member,
}

/// Says what a member is.
pub(crate) fn sorted(member: Member) -> Sorted {
    let name = declared(&member).map_or_else(|| member.name.clone(), |(name, _)| name);
    if member.kind == Kind::Directory {
        return Sorted::Folder;
    }
    match prepared(member, &name) {
        Ok(prepared) => Sorted::File(Box::new(prepared)),
        Err(why) => Sorted::LeftOut(LeftOut {
            path: PathBuf::from(OsStr::from_bytes(&name)),
            why,
        }),
    }
}

fn prepared(mut member: Member, name: &[u8]) -> Result<Prepared, NotOffered> {
    let path = Path::new(OsStr::from_bytes(name));
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(NotOffered::LeadsOut);
    }
    let title = Title::of_path(path).ok_or(NotOffered::LongPath)?;
    let kind = match member.kind {
        Kind::File => FileKind::File,
        Kind::SymbolicLink => FileKind::SymbolicLink,
        Kind::Fifo => FileKind::Fifo,
        Kind::HardLink => {
            return Err(NotOffered::HardLink(member.link.escape_ascii().to_string()));
        }
        Kind::CharacterDevice => return Err(NotOffered::Kind("a character device")),
        Kind::BlockDevice => return Err(NotOffered::Kind("a block device")),
        Kind::Directory | Kind::Other(_) => {
            return Err(NotOffered::Kind("a member of an unknown kind"));
        }
    };
    let length = match (kind, declared(&member)) {
        (FileKind::SymbolicLink, _) => member.link.len() as u64,
        (FileKind::Fifo, _) => 0,
        (FileKind::File, Some((_, length))) => length,
        (FileKind::File, None) => member.length,
    };
    let mut stamp = Stamp {
        modified: member.mtime,
        ..Stamp::default()
    };
    let mut further = Records::default();
    for (key, value) in member.further.iter() {
        match key {
            b"GNU.sparse.name" => {
                further.add(key, title.bytes());
                continue;
            }
            b"LIBARCHIVE.creationtime" => {
                stamp.created = str::from_utf8(value).ok().and_then(Time::parse);
            }
            _ => {}
        }
        if key.starts_with(b"GNU.sparse.") && declared(&member).is_none() {
            return Err(NotOffered::Archive(
                "it has holes in an old format: 'tar --format=pax --sparse-version=1.0' writes the new one".to_owned(),
            ));
        }
        match keyword::name_of(key).as_deref() {
            Some(name) if name == GENERATION.as_bytes() => {
                stamp.generation = number_of(GENERATION, value)?;
            }
            Some(name) if name == VERSION.as_bytes() => stamp.version = number_of(VERSION, value)?,
            _ => {}
        }
        further.add(key, value);
    }
    member.further = further;
    member.name = title.bytes().to_vec();
    if kind != FileKind::File {
        member.length = 0;
    }
    Ok(Prepared {
        title,
        kind,
        stamp,
        length,
        member,
    })
}

impl Prepared {
    /// Offers it, while the archive is at it.
    pub(crate) fn offered<R: Read>(self, reader: &mut Reader<R>) -> OfArchive<'_, R> {
        OfArchive {
            reader,
            placing: Placing::of(&self.member),
            title: self.title,
            kind: self.kind,
            stamp: self.stamp,
            length: self.length,
            member: self.member,
            offset: 0,
        }
    }
}

impl<R: Read> Offered for OfArchive<'_, R> {
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

    fn read(&mut self, buffer: &mut [u8], steps: &Steps) -> io::Result<usize> {
        if self.kind != FileKind::File {
            return Ok(0);
        }
        steps.tell(Step::Reading {
            title: &self.title,
            offset: self.offset,
        })?;
        let read = self
            .reader
            .read_contents(buffer)
            .map_err(io::Error::other)?;
        self.offset += read as u64;
        // A map of holes that is wrong is found now, and not when the file is wanted back.
        let part = buffer.get(..read).unwrap_or_default();
        self.placing.place(part, |_, _| Ok(()))?;
        if read == 0 && !self.placing.is_whole() {
            let text = "its contents are shorter than its map of holes says";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(read)
    }

    fn has_changed(&self) -> io::Result<bool> {
        Ok(false)
    }

    fn again(&mut self) -> Result<bool, NotOffered> {
        Ok(false)
    }
}
