//! The bytes of capsules and of a directory are what they were: written and read.
//!
//! A vector is never edited. A change of a format adds one, and keeps the old ones readable. To print what this build
//! writes: `PSEUDOTAPE_PRINT_VECTOR=1 cargo test -p pseudotape-farm --lib golden -- --nocapture`.

use std::fmt::Write;
use std::fs::File;
use std::io::{Read, Seek};

use pseudotape_pax::{Member, Time};
use uuid::Uuid;

use super::{Archive, CapsuleStore, Making, Packing, open};
use crate::directory::{Directory, Marks};
use crate::entry::{Digest, Entry, FileKind, Number, Stamp, State};
use crate::step::Steps;
use crate::title::Title;

const FILE: &str = include_str!("../../../../tests/vectors/farm-v1-capsule.hex");
const RELEASED: &str = include_str!("../../../../tests/vectors/farm-v1-released.hex");
const DIRECTORY: &str = include_str!("../../../../tests/vectors/farm-v1-directory.hex");

const COMPRESSED: &str = include_str!("../../../../tests/vectors/farm-v2-capsule.hex");
const MARKED: &str = include_str!("../../../../tests/vectors/farm-v2-directory.hex");

const CONTENTS: &[u8] = b"some text\n";

/// `offset: bytes`, 32 bytes a line, lines of zeros left out; the last line is the length.
fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (line, part) in bytes.chunks(32).enumerate() {
        if part.iter().any(|byte| *byte != 0) {
            write!(text, "{:06x}:", line * 32).expect("a text");
            for byte in part {
                write!(text, " {byte:02x}").expect("a text");
            }
            text.push('\n');
        }
    }
    writeln!(text, "{:06x}.", bytes.len()).expect("a text");
    text
}

fn from_hex(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in text.lines() {
        let (offset, part) = line.split_at(6);
        bytes.resize(usize::from_str_radix(offset, 16).expect("an offset"), 0);
        let part = part.trim_start_matches([':', '.']).split_whitespace();
        bytes.extend(part.map(|byte| u8::from_str_radix(byte, 16).expect("a byte")));
    }
    bytes
}

fn time(seconds: i64, nanoseconds: u32) -> Time {
    Time {
        seconds,
        nanoseconds,
    }
}

fn member() -> Member {
    let mut member = Member {
        name: b"letters/Gr\xc3\xb6\xc3\x9fe".to_vec(),
        mode: 0o640,
        uid: 1000,
        gid: 100,
        owner: b"ada".to_vec(),
        group: b"users".to_vec(),
        length: CONTENTS.len() as u64,
        mtime: time(1_700_000_000, 250_000_000),
        ..Member::default()
    };
    member.further.add("atime", time(1_700_000_001, 0).text());
    member.further.add("SCHILY.xattr.user.vault.cycle", "3");
    member
}

fn kept() -> Entry {
    Entry {
        number: Number(7.try_into().expect("no zero")),
        capsule: Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0007),
        title: Title::new(b"letters/Gr\xc3\xb6\xc3\x9fe").expect("a title"),
        kind: FileKind::File,
        state: State::Ok,
        length: CONTENTS.len() as u64,
        stamp: Stamp {
            generation: 3,
            version: 0,
            created: Some(time(1_600_000_000, 5)),
            modified: time(1_700_000_000, 250_000_000),
        },
        stored: None,
        digest: Some(Digest(*blake3::hash(CONTENTS).as_bytes())),
        added_ms: 1_700_000_002_000,
        why: None,
        note: None,
    }
}

fn released() -> Entry {
    Entry {
        number: Number(8.try_into().expect("no zero")),
        capsule: Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0008),
        title: Title::new(b"not\xfftext").expect("a title"),
        state: State::Released,
        why: Some("released by ada".to_owned()),
        ..kept()
    }
}

fn capsule(entry: &mut Entry, member: Option<&Member>, packing: Packing) -> Vec<u8> {
    let file = tempfile::tempfile().expect("a file");
    let store = CapsuleStore::to_write(file, "capsule".to_owned(), Steps::default());
    let making = Making {
        label: "letters",
        identity: entry.capsule,
        now_ms: entry.added_ms,
    };
    let mut archive = Archive::begin(store, &making, member, packing).expect("begun");
    if member.is_some() {
        archive.put(CONTENTS).expect("written");
    }
    entry.stored = archive.close().expect("closed");
    let store = archive.end(&entry.encode()).expect("ended");
    let mut file = store.into_file().expect("written");
    let mut bytes = Vec::new();
    file.rewind().expect("a file");
    file.read_to_end(&mut bytes).expect("read");
    bytes
}

fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a file");
    std::io::Write::write_all(&mut file, bytes).expect("written");
    file
}

/// Reads a capsule with the member and its contents; its record.
fn read_back(golden: &str) -> Entry {
    let opened = open(file_of(&from_hex(golden))).expect("a capsule");
    let entry = opened.entry.clone();
    let read = opened.read(
        |read| Ok((read.clone(), Vec::new())),
        |(_, contents), bytes| {
            contents.extend_from_slice(bytes);
            Ok(())
        },
    );
    let (read, contents) = read.expect("whole").expect("with a file");
    assert_eq!((read, &contents[..]), (member(), CONTENTS));
    entry
}

/// CW-48, CW-50: a compressed capsule of today is read for ever. Another version of the library may compress otherwise,
/// so that what is written is not compared.
#[test]
fn golden_bytes_of_version_2() {
    let mut compressed = kept();
    let written = capsule(&mut compressed, Some(&member()), Packing::Zstd);
    let mut directory = Directory::default().marked(Marks::compressed(true));
    directory.put([compressed]);
    if std::env::var_os("PSEUDOTAPE_PRINT_VECTOR").is_some() {
        println!("{}\n{}", to_hex(&written), to_hex(&directory.encode()));
    }

    let entry = read_back(COMPRESSED);
    let stored = entry.stored;
    assert!(stored.is_some_and(|stored| stored < 1000), "{stored:?}");
    assert_eq!(entry, Entry { stored, ..kept() });
    let directory = Directory::parse(&from_hex(MARKED)).expect("a directory");
    assert!(directory.marks().compressed);
    assert_eq!(directory.entries(), [entry]);
    assert_eq!(to_hex(&directory.encode()), MARKED);
}

/// CW-03, CW-04.
#[test]
fn golden_bytes_of_version_1() {
    let mut directory = Directory::default();
    directory.put([kept(), released()]);
    let written = [
        (capsule(&mut kept(), Some(&member()), Packing::Plain), FILE),
        (capsule(&mut released(), None, Packing::Plain), RELEASED),
        (directory.encode(), DIRECTORY),
    ];
    for (written, golden) in written {
        match std::env::var_os("PSEUDOTAPE_PRINT_VECTOR") {
            Some(_) => println!("{}", to_hex(&written)),
            None => assert_eq!(to_hex(&written), golden),
        }
    }

    assert_eq!(Directory::parse(&from_hex(DIRECTORY)), Ok(directory));
    assert_eq!(read_back(FILE), kept());
    let opened = open(file_of(&from_hex(RELEASED))).expect("a capsule");
    assert_eq!(opened.entry, released());
    let none = opened.read(|_| Ok(()), |(), _| Ok(()));
    assert!(none.expect("whole").is_none());
}
