//! Getting files back.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::rc::Rc;

use nix::unistd::{Group, User, geteuid};
use pseudotape_pax::{Member, Time};
use rustix::fs::{
    AtFlags, CWD, Gid, Mode, OFlags, RenameFlags, Timespec, Timestamps, Uid, XattrFlags, chownat,
    fchmod, fchown, fsetxattr, futimens, lsetxattr, mkdirat, mkfifoat, openat, renameat,
    renameat_with, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;

use super::Volume;
use crate::entry::{Entry, FileKind, State};
use crate::error::Fault;
use crate::source::attributes::path_of;
use crate::source::{acl, keyword, sparse};
use crate::title::Title;

/// What becomes of a file that is where one is extracted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and the other one is not extracted.
    Kept,
    /// It is replaced, at one stroke.
    Replaced,
}

/// What became of a file that was asked for.
#[derive(Debug)]
#[non_exhaustive]
pub enum Extracted {
    /// It is there; what of its attributes could not be given to it.
    Done(Vec<String>),
    /// Its capsule has no file, but this state.
    NotThere(State),
    /// Something has its name, which stays.
    InTheWay,
    /// The capsule is damaged; nothing was extracted.
    Damaged(Fault),
    /// It can't be written.
    Failed(io::Error),
}

/// The name of a file that is not whole yet. Another process that extracts into the same folder has another one.
fn unfinished() -> String {
    format!(".pseudotape-extracting-{}.tmp", std::process::id())
}

/// Extracts one file under a folder, with its attributes. It has its name only when it is whole, and was found to be
/// what was written. Symbolic links in its path are not followed.
pub fn extract(volume: &Volume, entry: &Entry, folder: &Path, existing: Existing) -> Extracted {
    if !entry.state.has_file() {
        return Extracted::NotThere(entry.state);
    }
    let (entry, opened) = match volume.open_current(entry) {
        Ok(found) => found,
        Err(fault) => return Extracted::Damaged(fault),
    };
    if !entry.state.has_file() {
        return Extracted::NotThere(entry.state);
    }
    placed(&entry, folder, existing, |begin, keep| {
        opened.read(begin, keep)
    })
}

/// Whether a file can't be extracted because something has its name.
#[must_use]
pub fn in_the_way(title: &Title, folder: &Path) -> bool {
    parent(folder, title).is_ok_and(|(parent, name)| has(&parent, &name))
}

fn has(parent: &OwnedFd, name: &CString) -> bool {
    rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
}

/// Who reads a file: it begins with the member, and hands on what follows.
type Begin<'a> = &'a mut dyn FnMut(&Member) -> io::Result<Unfinished>;
type Keep<'a> = &'a mut dyn FnMut(&mut Unfinished, &[u8]) -> io::Result<()>;

/// Puts what `read` reads under a folder.
pub(super) fn placed(
    entry: &Entry,
    folder: &Path,
    existing: Existing,
    read: impl FnOnce(Begin<'_>, Keep<'_>) -> Result<Option<Unfinished>, Fault>,
) -> Extracted {
    let (parent, name) = match parent(folder, &entry.title) {
        Ok(found) => found,
        Err(error) => return Extracted::Failed(error),
    };
    if existing == Existing::Kept && has(&parent, &name) {
        return Extracted::InTheWay;
    }
    let clear = || match unlinkat(&parent, unfinished(), AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(io::Error::from(errno)),
    };
    if let Err(error) = clear() {
        return Extracted::Failed(error);
    }
    // What fails here is not the capsule's fault, and told apart from it.
    let mut failed = None;
    let kind = entry.kind;
    let read = read(
        &mut |member| noted(&mut failed, Unfinished::begin(&parent, kind, member)),
        &mut |unfinished, bytes| unfinished.put(bytes),
    );
    let finished = match read {
        Ok(Some(unfinished)) => unfinished.finish(&parent, &name, existing),
        Ok(None) => return Extracted::NotThere(entry.state),
        Err(Fault::Host(error)) => Err(error),
        Err(fault) => {
            return match clear() {
                Ok(()) => Extracted::Damaged(fault),
                Err(error) => Extracted::Failed(error),
            };
        }
    };
    match finished {
        Ok(notes) => Extracted::Done(notes),
        Err(error) => {
            // The first error is the one to tell.
            drop(clear());
            match error.kind() {
                io::ErrorKind::AlreadyExists if existing == Existing::Kept => Extracted::InTheWay,
                _ => Extracted::Failed(failed.unwrap_or(error)),
            }
        }
    }
}

fn noted<T>(failed: &mut Option<io::Error>, result: io::Result<T>) -> io::Result<T> {
    result.map_err(|error| {
        let kind = error.kind();
        *failed = Some(error);
        kind.into()
    })
}

/// Opens the folder of a file, and makes what is missing of it; the file's name in it.
fn parent(folder: &Path, title: &Title) -> io::Result<(Rc<OwnedFd>, CString)> {
    let how = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut at = openat(CWD, folder, how, Mode::empty())?;
    let mut parts = title.bytes().split(|byte| *byte == b'/').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return Ok((Rc::new(at), CString::new(part)?));
        }
        match mkdirat(&at, part, Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
        at = match openat(&at, part, how | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(inner) => inner,
            Err(Errno::LOOP | Errno::NOTDIR) => {
                let part = part.escape_ascii();
                let text = format!(
                    "'{part}' in its path is no folder, and symbolic links are not followed"
                );
                return Err(io::Error::new(io::ErrorKind::NotADirectory, text));
            }
            Err(errno) => return Err(errno.into()),
        };
    }
    Err(io::ErrorKind::InvalidFilename.into())
}

/// A file that has not its name yet.
pub(super) struct Unfinished {
    kind: FileKind,
    member: Member,
    file: Option<File>,
    placing: sparse::Placing,
}

impl Unfinished {
    fn begin(parent: &OwnedFd, kind: FileKind, member: &Member) -> io::Result<Self> {
        let mut file = None;
        match kind {
            FileKind::File => {
                let how = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                let made = openat(parent, unfinished(), how, Mode::from_raw_mode(0o600))?;
                file = Some(File::from(made));
            }
            FileKind::SymbolicLink => symlinkat(&member.link[..], parent, unfinished())?,
            FileKind::Fifo => mkfifoat(parent, unfinished(), Mode::from_raw_mode(0o600))?,
        }
        Ok(Unfinished {
            kind,
            member: member.clone(),
            file,
            placing: sparse::Placing::of(member),
        })
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &self.file {
            Some(file) => self
                .placing
                .place(bytes, |bytes, at| file.write_all_at(bytes, at)),
            None => Ok(()),
        }
    }

    /// Gives it its attributes, and then its name.
    fn finish(
        self,
        parent: &OwnedFd,
        name: &CString,
        existing: Existing,
    ) -> io::Result<Vec<String>> {
        let mut notes = Vec::new();
        match &self.file {
            Some(file) => {
                if !self.placing.is_whole() {
                    let text = "its contents are shorter than their map says";
                    return Err(io::Error::new(io::ErrorKind::InvalidData, text));
                }
                file.set_len(self.placing.length())?;
                give(file, &self.member, &mut notes);
            }
            None => give_by_name(parent, self.kind, &self.member, &mut notes),
        }
        match existing {
            Existing::Replaced => renameat(parent, unfinished(), parent, name)?,
            Existing::Kept => {
                match renameat_with(parent, unfinished(), parent, name, RenameFlags::NOREPLACE) {
                    // The file system can't; whoever takes the name since it was looked at loses it.
                    Err(Errno::INVAL | Errno::NOSYS) => {
                        renameat(parent, unfinished(), parent, name)?
                    }
                    done => done?,
                }
            }
        }
        Ok(notes)
    }
}

/// The owner by name where this machine has it, else by number; `None` where this user can't give files away.
fn owner(member: &Member) -> Option<(Uid, Gid)> {
    if !geteuid().is_root() {
        return None;
    }
    let text = |name: &[u8]| {
        String::from_utf8(name.to_vec())
            .ok()
            .filter(|name| !name.is_empty())
    };
    let user = text(&member.owner).and_then(|name| User::from_name(&name).ok().flatten());
    let group = text(&member.group).and_then(|name| Group::from_name(&name).ok().flatten());
    let uid = user.map_or_else(
        || u32::try_from(member.uid).ok(),
        |user| Some(user.uid.as_raw()),
    );
    let gid = group.map_or_else(
        || u32::try_from(member.gid).ok(),
        |group| Some(group.gid.as_raw()),
    );
    Some((Uid::from_raw(uid?), Gid::from_raw(gid?)))
}

/// Gives a regular file its attributes: the owner first, since a new owner takes the set-user bits away, and the
/// times last.
fn give(file: &File, member: &Member, notes: &mut Vec<String>) {
    let mut note = |what: &str, done: Result<(), Errno>| {
        if let Err(errno) = done {
            notes.push(format!("{what}: {errno}"));
        }
    };
    if let Some((uid, gid)) = owner(member) {
        note("owner", fchown(file, Some(uid), Some(gid)));
    }
    let mode = Mode::from_raw_mode(member.mode & allowed());
    note("permissions", fchmod(file, mode));
    for (name, value) in extended(member, &mut note) {
        let what = format!("attribute {}", name.escape_ascii());
        note(
            &what,
            fsetxattr(file, &name[..], &value, XattrFlags::empty()),
        );
    }
    note("times", futimens(file, &times(member)));
}

/// The extended attributes of a member, with its access list.
fn extended(
    member: &Member,
    note: &mut dyn FnMut(&str, Result<(), Errno>),
) -> BTreeMap<Vec<u8>, Vec<u8>> {
    // The last value of a name counts.
    let mut attributes = BTreeMap::new();
    for (key, value) in member.further.iter() {
        match keyword::name_of(key) {
            Some(name) => drop(attributes.insert(name, value.to_vec())),
            None if key == b"SCHILY.acl.access" => {
                let list = str::from_utf8(value)
                    .ok()
                    .and_then(|text| acl::to_bytes(text, id_of));
                match list {
                    Some(list) => {
                        drop(attributes.insert(b"system.posix_acl_access".to_vec(), list))
                    }
                    None => note("access list", Err(Errno::INVAL)),
                }
            }
            None => {}
        }
    }
    attributes
}

/// The same for what can't be opened: a link, which has no permissions of its own, or a FIFO.
fn give_by_name(parent: &OwnedFd, kind: FileKind, member: &Member, notes: &mut Vec<String>) {
    let mut note = |what: &str, done: Result<(), Errno>| {
        if let Err(errno) = done {
            notes.push(format!("{what}: {errno}"));
        }
    };
    let parent = parent.as_fd();
    if let Some((uid, gid)) = owner(member) {
        let done = chownat(
            parent,
            unfinished(),
            Some(uid),
            Some(gid),
            AtFlags::SYMLINK_NOFOLLOW,
        );
        note("owner", done);
    }
    if kind == FileKind::Fifo {
        let mode = Mode::from_raw_mode(member.mode & allowed());
        note(
            "permissions",
            rustix::fs::chmodat(parent, unfinished(), mode, AtFlags::empty()),
        );
    }
    let path = path_of(parent).join(unfinished());
    for (name, value) in extended(member, &mut note) {
        let what = format!("attribute {}", name.escape_ascii());
        note(
            &what,
            lsetxattr(&path, &name[..], &value, XattrFlags::empty()),
        );
    }
    note(
        "times",
        utimensat(
            parent,
            unfinished(),
            &times(member),
            AtFlags::SYMLINK_NOFOLLOW,
        ),
    );
}

/// The permissions that are given back: those of another owner's identity only by who can make him the owner.
fn allowed() -> u32 {
    match geteuid().is_root() {
        true => 0o7777,
        false => 0o1777,
    }
}

fn id_of(word: &str, name: &str) -> Option<u32> {
    match word {
        "user" => Some(User::from_name(name).ok()??.uid.as_raw()),
        _ => Some(Group::from_name(name).ok()??.gid.as_raw()),
    }
}

fn times(member: &Member) -> Timestamps {
    let of = |time: Time| Timespec {
        tv_sec: time.seconds,
        tv_nsec: time.nanoseconds.into(),
    };
    let read = str::from_utf8(member.further.value("atime").unwrap_or_default());
    let read = read.ok().and_then(Time::parse);
    Timestamps {
        last_access: of(read.unwrap_or(member.mtime)),
        last_modification: of(member.mtime),
    }
}
