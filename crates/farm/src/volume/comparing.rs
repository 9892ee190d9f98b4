//! Whether a file is as its capsule has it, beside the contents.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;

use pseudotape_pax::Member;
use rustix::fs::{CWD, Mode, OFlags, openat};

use super::Volume;
use crate::entry::Entry;
use crate::error::Fault;
use crate::source::attributes::Owners;
use crate::source::{OfFolder, Offered, keyword};

const ACCESS_LIST: &str = "SCHILY.acl.access";

/// What a file of this host has otherwise than its capsule, of all that a capsule keeps beside the contents: owner,
/// permissions, time of change, extended attributes and access list. In words, and none where all is the same.
pub fn differences(volume: &Volume, entry: &Entry, path: &Path) -> Result<Vec<String>, Fault> {
    let mut archive = volume.open_capsule(entry)?.into_archive()?;
    let kept = archive.next_member().map_err(Fault::Archive)?;
    let kept = kept.ok_or(Fault::Form("its archive is empty"))?;
    let found = member_of(path, entry).map_err(Fault::Host)?;
    let mut words = Vec::new();
    if found.mode != kept.mode {
        let modes = (found.mode, kept.mode);
        words.push(format!(
            "permissions {:04o}, and {:04o} in the capsule",
            modes.0, modes.1
        ));
    }
    if (found.uid, found.gid) != (kept.uid, kept.gid) {
        words.push(format!(
            "owner {}:{}, and {}:{} in the capsule",
            found.uid, found.gid, kept.uid, kept.gid
        ));
    }
    if found.mtime != kept.mtime {
        words.push(format!(
            "changed at {}, and at {} in the capsule (seconds after 1970)",
            found.mtime.text(),
            kept.mtime.text()
        ));
    }
    let (ours, theirs) = (extended(&found), extended(&kept));
    let names: BTreeSet<&Vec<u8>> = ours.keys().chain(theirs.keys()).collect();
    for name in names {
        if ours.get(name) != theirs.get(name) {
            words.push(format!("attribute {}", name.escape_ascii()));
        }
    }
    if found.further.value(ACCESS_LIST) != kept.further.value(ACCESS_LIST) {
        words.push("access list".to_owned());
    }
    Ok(words)
}

/// The member that the file would be, if it came into the volume now.
fn member_of(path: &Path, entry: &Entry) -> io::Result<Member> {
    let absolute = std::path::absolute(path)?;
    let parts = absolute.parent().zip(absolute.file_name());
    let (folder, name) = parts.ok_or(io::ErrorKind::InvalidFilename)?;
    let how = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder: Rc<OwnedFd> = Rc::new(openat(CWD, folder, how, Mode::empty())?);
    let mut owners = Owners::default();
    let offered = OfFolder::open(&folder, name.as_bytes(), entry.title.clone(), &mut owners);
    let offered = offered.map_err(|why| io::Error::other(why.to_string()))?;
    Ok(offered.member().clone())
}

fn extended(member: &Member) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let all = member.further.iter();
    all.filter_map(|(key, value)| Some((keyword::name_of(key)?, value.to_vec())))
        .collect()
}
