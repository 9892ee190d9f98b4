//! Answers as the kernel wants them in an entry's payload.

use std::time::Duration;

use fuser::{FileAttr, FileType};
use pseudotape_chardev::{Handle, Readiness};
use pseudotape_ring::Slot;
use pseudotape_wire::{Transfer, abi};
use zerocopy::IntoBytes;

use crate::fuse::reply::{DoneReply, IoctlReply, OpenReply, PollReply, WriteReply};

/// Names in a directory begin at multiples of this.
const NAME_ALIGN: usize = 8;

/// Answers of which only a mount has need.
pub(super) trait FileReply {
    fn entry(self, attributes: &FileAttr, names: Duration, attributes_for: Duration);
    fn attributes(self, attributes: &FileAttr, for_so_long: Duration);
    fn opened_directory(self);
    fn no_room(self);
}

impl FileReply for Slot {
    fn entry(self, attributes: &FileAttr, names: Duration, attributes_for: Duration) {
        let out = abi::EntryOut {
            nodeid: attributes.ino.0,
            generation: 0,
            entry_valid: names.as_secs(),
            attr_valid: attributes_for.as_secs(),
            entry_valid_nsec: names.subsec_nanos(),
            attr_valid_nsec: attributes_for.subsec_nanos(),
            attr: attr(attributes),
        };
        self.answer_with(&[out.as_bytes()]);
    }

    fn attributes(self, attributes: &FileAttr, for_so_long: Duration) {
        let out = abi::AttrOut {
            attr_valid: for_so_long.as_secs(),
            attr_valid_nsec: for_so_long.subsec_nanos(),
            dummy: 0,
            attr: attr(attributes),
        };
        self.answer_with(&[out.as_bytes()]);
    }

    fn opened_directory(self) {
        self.answer_with(&[abi::OpenOut::default().as_bytes()]);
    }

    /// Of a file system without blocks.
    fn no_room(self) {
        let out = abi::StatfsOut {
            bsize: 512,
            namelen: 255,
            ..abi::StatfsOut::default()
        };
        self.answer_with(&[out.as_bytes()]);
    }
}

impl OpenReply for Slot {
    fn opened(self, handle: Handle) {
        let out = abi::OpenOut {
            fh: handle.0,
            // No cache, no position: each read and write is a call to us, and each counts from 0.
            open_flags: abi::FOPEN_DIRECT_IO | abi::FOPEN_STREAM | abi::FOPEN_NONSEEKABLE,
            backing_id: 0,
        };
        self.answer_with(&[out.as_bytes()]);
    }
}

impl DoneReply for Slot {
    fn done(self) {
        self.answer(0);
    }
}

impl WriteReply for Slot {
    fn taken(self, length: u32) {
        let out = abi::WriteOut {
            size: length,
            padding: 0,
        };
        self.answer_with(&[out.as_bytes()]);
    }
}

impl IoctlReply for Slot {
    fn returned(self, result: i32, output: &[u8]) {
        let out = abi::IoctlOut {
            result,
            ..abi::IoctlOut::default()
        };
        self.answer_with(&[out.as_bytes(), output]);
    }
}

impl PollReply for Slot {
    fn ready(self, ready: Readiness) {
        let out = abi::PollOut {
            revents: ready.poll_bits(),
            padding: 0,
        };
        self.answer_with(&[out.as_bytes()]);
    }
}

fn attr(of: &FileAttr) -> abi::Attr {
    let (seconds, nanoseconds) = match of.mtime.duration_since(std::time::UNIX_EPOCH) {
        Ok(since) => (since.as_secs(), since.subsec_nanos()),
        Err(_) => (0, 0),
    };
    abi::Attr {
        ino: of.ino.0,
        size: of.size,
        blocks: of.blocks,
        atime: seconds,
        mtime: seconds,
        ctime: seconds,
        atimensec: nanoseconds,
        mtimensec: nanoseconds,
        ctimensec: nanoseconds,
        mode: kind(of.kind) | u32::from(of.perm),
        nlink: of.nlink,
        uid: of.uid,
        gid: of.gid,
        rdev: of.rdev,
        blksize: of.blksize,
        flags: 0,
    }
}

/// There are directories and files here.
fn kind(kind: FileType) -> u32 {
    match kind {
        FileType::Directory => libc::S_IFDIR,
        _ => libc::S_IFREG,
    }
}

/// Writes names of a directory, as many as fit from the place that the kernel asks for. How many bytes they take.
pub(super) fn names<'a>(
    entries: impl Iterator<Item = (u64, FileType, &'a str)>,
    part: Transfer,
    room: &mut [u8],
) -> usize {
    let from = usize::try_from(part.offset).unwrap_or(usize::MAX);
    let room_bytes = part.length_bytes.min(room.len());
    let mut length = 0;
    for (next, (inode, file_type, name)) in (1_u64..).zip(entries).skip(from) {
        let head = abi::Dirent {
            ino: inode,
            off: next,
            namelen: u32::try_from(name.len()).unwrap_or(u32::MAX),
            // As `d_type` has it: the upper bits of the mode.
            entry_type: kind(file_type) >> 12,
        };
        let bytes = size_of::<abi::Dirent>() + name.len();
        let whole = bytes.next_multiple_of(NAME_ALIGN);
        if length + whole > room_bytes {
            break;
        }
        let place = &mut room[length..length + whole];
        place.fill(0);
        place[..size_of::<abi::Dirent>()].copy_from_slice(head.as_bytes());
        place[size_of::<abi::Dirent>()..bytes].copy_from_slice(name.as_bytes());
        length += whole;
    }
    length
}

#[cfg(test)]
mod tests {
    use pseudotape_chardev::Handle;
    use zerocopy::FromBytes;

    use super::*;

    fn part(offset: u64, length_bytes: usize) -> Transfer {
        Transfer {
            handle: Handle(0),
            offset,
            length_bytes,
            nonblock: false,
            flags: 0,
        }
    }

    #[test]
    fn names_come_in_parts_and_each_once() {
        let all = [
            (1, FileType::Directory, "."),
            (1, FileType::Directory, ".."),
            (70, FileType::RegularFile, "pmtm0"),
            (71, FileType::RegularFile, "npmtm0-and-more"),
        ];
        for room_bytes in [24 + 16, 80, 4096] {
            let (mut seen, mut offset) = (Vec::new(), 0);
            loop {
                let mut room = [0xff; 4096];
                let length = names(all.into_iter(), part(offset, room_bytes), &mut room);
                assert!(length <= room_bytes);
                if length == 0 {
                    break;
                }
                let mut rest = &room[..length];
                while !rest.is_empty() {
                    let (head, behind) =
                        abi::Dirent::read_from_prefix(rest).expect("there is room for one");
                    let name = &behind[..head.namelen as usize];
                    seen.push((head.ino, String::from_utf8(name.to_vec()).expect("text")));
                    offset = head.off;
                    let whole = (size_of::<abi::Dirent>() + name.len()).next_multiple_of(8);
                    rest = &rest[whole..];
                }
            }
            let expected: Vec<_> = all
                .iter()
                .map(|(inode, _, name)| (*inode, (*name).to_owned()))
                .collect();
            assert_eq!(seen, expected, "with room for {room_bytes}");
        }
    }
}
