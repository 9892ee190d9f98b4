//! The attributes of a file, as a member of an archive has them.

use std::collections::HashMap;
use std::ffi::CStr;
use std::fs::Metadata;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::unistd::{Gid, Group, Uid, User};
use pseudotape_pax::{Kind, Member, Records, Time};
use rustix::fs::{fgetxattr, flistxattr, getxattr, listxattr};
use rustix::io::Errno;

use super::{GENERATION, NotOffered, VERSION, acl, keyword};
use crate::entry::Stamp;
use crate::title::Title;

const ACCESS_LIST: &str = "system.posix_acl_access";

/// Names of owners, asked for once each.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    users: HashMap<u32, Vec<u8>>,
    groups: HashMap<u32, Vec<u8>>,
}

impl Owners {
    fn user(&mut self, id: u32) -> Vec<u8> {
        let name = || User::from_uid(Uid::from_raw(id)).ok().flatten();
        let known = self.users.entry(id);
        known
            .or_insert_with(|| name().map_or_else(Vec::new, |user| user.name.into_bytes()))
            .clone()
    }

    fn group(&mut self, id: u32) -> Vec<u8> {
        let name = || Group::from_gid(Gid::from_raw(id)).ok().flatten();
        let known = self.groups.entry(id);
        known
            .or_insert_with(|| name().map_or_else(Vec::new, |group| group.name.into_bytes()))
            .clone()
    }
}

/// The member of a file, without what stands in extended attributes.
pub(crate) fn member(title: &Title, kind: Kind, found: &Metadata, owners: &mut Owners) -> Member {
    let mut further = Records::default();
    let time = |seconds, nanoseconds: i64| Time {
        seconds,
        nanoseconds: u32::try_from(nanoseconds).unwrap_or(0),
    };
    further.add("atime", time(found.atime(), found.atime_nsec()).text());
    further.add("ctime", time(found.ctime(), found.ctime_nsec()).text());
    Member {
        name: title.bytes().to_vec(),
        kind,
        link: Vec::new(),
        mode: found.mode() & 0o7777,
        uid: found.uid().into(),
        gid: found.gid().into(),
        owner: owners.user(found.uid()),
        group: owners.group(found.gid()),
        length: 0,
        mtime: time(found.mtime(), found.mtime_nsec()),
        further,
    }
}

/// When a file was made and changed.
pub(crate) fn stamp(found: &Metadata) -> Stamp {
    let created = found.created().ok().and_then(time_of);
    Stamp {
        generation: 0,
        version: 0,
        created,
        modified: Time {
            seconds: found.mtime(),
            nanoseconds: u32::try_from(found.mtime_nsec()).unwrap_or(0),
        },
    }
}

fn time_of(time: SystemTime) -> Option<Time> {
    let after = time.duration_since(UNIX_EPOCH).ok()?;
    Some(Time {
        seconds: i64::try_from(after.as_secs()).ok()?,
        nanoseconds: after.subsec_nanos(),
    })
}

/// A file whose extended attributes are asked for.
#[derive(Clone, Copy)]
pub(crate) enum Of<'a> {
    /// One that is open.
    Open(BorrowedFd<'a>),
    /// One of which only the place is open (O_PATH): a symbolic link or a FIFO. It is asked by its path in `/proc`,
    /// which leads to the place itself.
    Place(&'a Path),
}

impl Of<'_> {
    fn names(self, buffer: &mut [u8]) -> Result<usize, Errno> {
        match self {
            Of::Open(file) => flistxattr(file, buffer),
            Of::Place(path) => listxattr(path, buffer),
        }
    }

    fn value(self, name: &CStr, buffer: &mut [u8]) -> Result<usize, Errno> {
        match self {
            Of::Open(file) => fgetxattr(file, name, buffer),
            Of::Place(path) => getxattr(path, name, buffer),
        }
    }
}

/// The path of what is open.
pub(crate) fn path_of(file: BorrowedFd<'_>) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// Puts extended attributes and access lists into a member, and generation and version into a stamp.
pub(crate) fn add_extended(
    file: Of<'_>,
    member: &mut Member,
    stamp: &mut Stamp,
) -> Result<(), NotOffered> {
    let names = sized(|buffer| file.names(buffer)).map_err(NotOffered::host)?;
    let names = names.unwrap_or_default();
    for name in names.split_inclusive(|byte| *byte == 0) {
        let Ok(name) = CStr::from_bytes_with_nul(name) else {
            continue;
        };
        let value = sized(|buffer| file.value(name, buffer)).map_err(NotOffered::host)?;
        // Removed meanwhile: the file's other times say that it changed.
        let Some(value) = value else {
            continue;
        };
        match name.to_str() {
            Ok(ACCESS_LIST) => {
                if let Some(text) = acl::to_text(&value) {
                    member.further.add("SCHILY.acl.access", text);
                }
            }
            // What a file system says of its own.
            Ok(system) if system.starts_with("system.") => {}
            _ => {
                if name.to_bytes() == GENERATION.as_bytes() {
                    stamp.generation = number_of(GENERATION, &value)?;
                }
                if name.to_bytes() == VERSION.as_bytes() {
                    stamp.version = number_of(VERSION, &value)?;
                }
                member.further.add(keyword::key_of(name.to_bytes()), value);
            }
        }
    }
    Ok(())
}

/// The number that the value of an attribute is.
pub(crate) fn number_of(name: &'static str, value: &[u8]) -> Result<u64, NotOffered> {
    let text = str::from_utf8(value).ok().map(str::trim);
    let number = text.and_then(|text| text.parse().ok());
    number.ok_or_else(|| NotOffered::Number {
        name,
        value: value.escape_ascii().to_string(),
    })
}

/// What a call returns that has to be given a long enough buffer; `None` where there is nothing.
fn sized(call: impl Fn(&mut [u8]) -> Result<usize, Errno>) -> Result<Option<Vec<u8>>, Errno> {
    let mut buffer = vec![0; 1024];
    loop {
        match call(&mut buffer) {
            Ok(length) => {
                buffer.truncate(length);
                return Ok(Some(buffer));
            }
            // 64 KiB are the longest that Linux has.
            Err(Errno::RANGE) if buffer.len() < 1 << 20 => buffer.resize(buffer.len() * 8, 0),
            Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(None),
            Err(errno) => return Err(errno),
        }
    }
}
