//! A file of a folder that is offered.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::rc::Rc;

use pseudotape_pax::{Kind, Member};
use rustix::fs::{Mode, OFlags, openat, readlinkat};
use rustix::io::Errno;

use super::attributes::{self, Of, Owners};
use super::sparse::{self, Extent};
use super::{NotOffered, Offered, Origin};
use crate::entry::{FileKind, Stamp};
use crate::place::what;
use crate::step::{Step, Steps};
use crate::title::Title;

/// A file, a symbolic link or a FIFO in a folder.
pub(crate) struct OfFolder {
    folder: Rc<OwnedFd>,
    name: Vec<u8>,
    title: Title,
    now: Now,
}

/// What it is now.
struct Now {
    /// Of a regular file for reading, of all else only its place (O_PATH).
    file: File,
    kind: FileKind,
    seen: Seen,
    stamp: Stamp,
    member: Member,
    length: u64,
    /// The map of a file with holes, and what was read of it.
    map: Vec<u8>,
    map_read: usize,
    /// What is still to be read.
    extents: Vec<Extent>,
}

impl Now {
    /// Whether a regular file gives bytes behind its end, as files of the kernel do.
    /// One that grew meanwhile has changed, and gives none here.
    fn has_more(&self) -> io::Result<bool> {
        let more = loop {
            match self.file.read_at(&mut [0], self.length) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        Ok(more > 0 && Seen::of(&self.file)? == self.seen)
    }
}

/// What changes with the file.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Seen {
    fn of(file: &File) -> io::Result<Self> {
        let found = file.metadata()?;
        Ok(Seen {
            length: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

impl OfFolder {
    pub(crate) fn open(
        folder: &Rc<OwnedFd>,
        name: &[u8],
        title: Title,
        owners: &mut Owners,
    ) -> Result<Self, NotOffered> {
        let now = look(folder.as_fd(), name, &title, owners)?;
        Ok(OfFolder {
            folder: Rc::clone(folder),
            name: name.to_vec(),
            title,
            now,
        })
    }
}

/// Opens what has this name now. A FIFO or a device that takes the place of a file is met, and not waited for.
fn look(
    folder: BorrowedFd<'_>,
    name: &[u8],
    title: &Title,
    owners: &mut Owners,
) -> Result<Now, NotOffered> {
    let how = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let place = openat(folder, name, how, Mode::empty()).map_err(NotOffered::host)?;
    let place = File::from(place);
    let found = place.metadata().map_err(NotOffered::host)?;
    let (kind, of_member) = match found.mode() & 0o170_000 {
        0o100_000 => (FileKind::File, Kind::File),
        0o120_000 => (FileKind::SymbolicLink, Kind::SymbolicLink),
        0o010_000 => (FileKind::Fifo, Kind::Fifo),
        other => {
            let kind = rustix::fs::FileType::from_raw_mode(other);
            return Err(NotOffered::Kind(what(kind)));
        }
    };
    let mut member = attributes::member(title, of_member, &found, owners);
    let mut now = Now {
        seen: Seen::of(&place).map_err(NotOffered::host)?,
        stamp: attributes::stamp(&found),
        file: place,
        kind,
        member: Member::default(),
        length: 0,
        map: Vec::new(),
        map_read: 0,
        extents: Vec::new(),
    };
    if kind != FileKind::File {
        let path = attributes::path_of(now.file.as_fd());
        attributes::add_extended(Of::Place(&path), &mut member, &mut now.stamp)?;
    }
    match kind {
        FileKind::SymbolicLink => {
            let link = readlinkat(&now.file, c"", Vec::new()).map_err(NotOffered::host)?;
            member.link = link.into_bytes();
            now.length = member.link.len() as u64;
        }
        FileKind::Fifo => {}
        FileKind::File => {
            let file = open_regular(folder, name)?;
            now.seen = Seen::of(&file).map_err(NotOffered::host)?;
            let found = file.metadata().map_err(NotOffered::host)?;
            member = attributes::member(title, of_member, &found, owners);
            now.stamp = attributes::stamp(&found);
            now.length = now.seen.length;
            attributes::add_extended(Of::Open(file.as_fd()), &mut member, &mut now.stamp)?;
            member.length = now.length;
            match with_holes(&found)
                .then(|| sparse::extents(&file, now.length))
                .flatten()
            {
                Some(extents) => {
                    now.map = sparse::declare(&mut member, &extents, now.length);
                    now.extents = extents;
                }
                None => now.extents.push(Extent {
                    offset: 0,
                    length: now.length,
                }),
            }
            now.file = file;
        }
    }
    now.member = member;
    now.extents.reverse();
    Ok(now)
}

/// Whether a file takes less room than its length.
fn with_holes(found: &std::fs::Metadata) -> bool {
    found.blocks().saturating_mul(512) < found.len()
}

fn open_regular(folder: BorrowedFd<'_>, name: &[u8]) -> Result<File, NotOffered> {
    let how = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    // Who may not leave the time of reading as it is, reads all the same.
    let opened = match openat(folder, name, how | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => openat(folder, name, how, Mode::empty()),
        opened => opened,
    };
    let file = File::from(opened.map_err(NotOffered::host)?);
    let found = file.metadata().map_err(NotOffered::host)?;
    match found.is_file() {
        true => Ok(file),
        // Something else has its name now.
        false => Err(NotOffered::Host("it was replaced meanwhile".to_owned())),
    }
}

impl Offered for OfFolder {
    fn origin(&self) -> Origin {
        let folder = std::fs::read_link(attributes::path_of(self.folder.as_fd()));
        match folder {
            Ok(folder) => Origin::Path(folder.join(OsStr::from_bytes(&self.name))),
            Err(_) => Origin::Elsewhere,
        }
    }

    fn title(&self) -> &Title {
        &self.title
    }

    fn kind(&self) -> FileKind {
        self.now.kind
    }

    fn stamp(&self) -> Stamp {
        self.now.stamp
    }

    fn length(&self) -> u64 {
        self.now.length
    }

    fn member(&self) -> &Member {
        &self.now.member
    }

    fn read(&mut self, buffer: &mut [u8], steps: &Steps) -> io::Result<usize> {
        let now = &mut self.now;
        let map = now.map.get(now.map_read..).unwrap_or_default();
        if !map.is_empty() {
            let bytes = map.len().min(buffer.len());
            if let (Some(buffer), Some(map)) = (buffer.get_mut(..bytes), map.get(..bytes)) {
                buffer.copy_from_slice(map);
            }
            now.map_read += bytes;
            return Ok(bytes);
        }
        while let Some(extent) = now.extents.last_mut() {
            if extent.length == 0 {
                now.extents.pop();
                continue;
            }
            steps.tell(Step::Reading {
                title: &self.title,
                offset: extent.offset,
            })?;
            let most = usize::try_from(extent.length).unwrap_or(usize::MAX);
            let most = most.min(buffer.len());
            let buffer = buffer.get_mut(..most).unwrap_or_default();
            loop {
                match now.file.read_at(buffer, extent.offset) {
                    Ok(bytes) => {
                        extent.offset += bytes as u64;
                        extent.length -= bytes as u64;
                        return Ok(bytes);
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        if now.kind == FileKind::File && now.has_more()? {
            let text = "it gives more bytes than its length says";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(0)
    }

    fn has_changed(&self) -> io::Result<bool> {
        Ok(Seen::of(&self.now.file)? != self.now.seen)
    }

    fn again(&mut self) -> Result<bool, NotOffered> {
        let mut owners = Owners::default();
        self.now = look(self.folder.as_fd(), &self.name, &self.title, &mut owners)?;
        Ok(true)
    }
}
