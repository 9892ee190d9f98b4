//! Trying everything on bytes of unknown origin: the entries of the fuzz targets.

use std::fs::File;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;

use pseudotape_image::{CreateParameters, Image, MemoryStore, VolumeId};
use pseudotape_tape::Mark;
use uuid::Uuid;

use crate::capsule::{self, BLOCK_BYTES, Opened};
use crate::directory::{Directory, HEADER_BYTES, with_checksums};
use crate::entry::{Entry, FileKind, Number, Stamp, State};
use crate::index;
use crate::source::sparse::Placing;
use crate::title::Title;

/// Takes bytes for a directory: as they are, and with the checksums that would keep a fuzzer out.
///
/// # Panics
///
/// Where a directory that was read is not the same when it is written and read again.
pub fn fuzz_directory(bytes: &[u8]) {
    for bytes in [bytes.to_vec(), with_checksums(bytes)] {
        let Ok(directory) = Directory::parse(&bytes) else {
            continue;
        };
        let again = Directory::parse(&directory.encode());
        assert_eq!(again.as_ref(), Ok(&directory));
        for entry in directory.entries() {
            assert_eq!(directory.find(&entry.title), Some(entry));
            assert!(entry.number < directory.next());
        }
    }
}

/// Takes bytes for the index of a directory with a few files: as they are, and with the header of that directory and
/// the checksums that would keep a fuzzer out.
///
/// # Panics
///
/// Where the index leads to another file than the one that was meant.
pub fn fuzz_index(bytes: &[u8]) {
    let (directory, header, titles) = few_files();
    let mut own = bytes.to_vec();
    // Its header is at hand for whoever has the directory.
    if let Some(place) = own.get_mut(32..32 + HEADER_BYTES) {
        place.copy_from_slice(header.get(..HEADER_BYTES).unwrap_or_default());
    }
    for index in [bytes.to_vec(), index::with_checksums(&own)] {
        for title in &titles {
            let meant = std::slice::from_ref(title);
            let Some(found) = index::find(&&header[..], &&index[..], meant) else {
                continue;
            };
            for entry in found.entries() {
                assert!(entry.title.is_within(title));
                assert_eq!(directory.find(&entry.title), Some(entry));
            }
        }
    }
}

/// A directory, its bytes, and what can be looked for in it.
fn few_files() -> (Directory, Vec<u8>, Vec<Title>) {
    let texts = [
        "a", "d/x", "d/y", "d0", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p",
    ];
    let mut directory = Directory::default();
    directory.put(texts.into_iter().zip(1u64..).filter_map(|(text, number)| {
        Some(Entry {
            number: Number(NonZeroU64::new(number)?),
            capsule: Uuid::from_u128(number.into()),
            title: Title::new(text.as_bytes())?,
            kind: FileKind::File,
            state: State::Ok,
            length: number,
            stamp: Stamp::default(),
            digest: None,
            stored: None,
            added_ms: 0,
            why: None,
            note: None,
        })
    }));
    let bytes = directory.encode();
    let meant = ["a", "d", "d/x", "p", "q", "0"].into_iter();
    let titles = meant.filter_map(|text| Title::new(text.as_bytes()));
    (directory, bytes, titles.collect())
}

/// Takes bytes for what is in a capsule: the length of a record in two bytes, the record, and then the archive. The
/// image around them is as it should be; `crates/image` has targets for that.
///
/// # Panics
///
/// Where a file is taken for whole that has not the length of its record.
pub fn fuzz_capsule(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
    let (record, archive) = rest.split_at(length);
    let Ok(entry) = Entry::parse(record) else {
        return;
    };
    // The file's own digest, which no fuzzer guesses.
    for entry in [entry.clone(), with_digest(entry, archive)] {
        let opened = capsule::open(image_of(&entry, archive));
        let Ok(opened) = opened else {
            continue;
        };
        assert_eq!(opened.entry, entry);
        read(opened, &entry);
    }
}

fn read(opened: Opened, entry: &Entry) {
    let mut length = 0;
    let read = opened.read(
        |member| Ok(Placing::of(member)),
        |placing, bytes| {
            placing.place(bytes, |part, at| {
                length = length.max(at + part.len() as u64);
                Ok(())
            })
        },
    );
    if let Ok(placing) = read {
        assert_eq!(placing.is_some(), entry.state.has_file());
        if let Some(placing) = placing.filter(Placing::is_whole) {
            assert!(length <= placing.length(), "data behind the end of a file");
        }
    }
}

/// The record with the digest of the first member's contents, where the archive has one.
fn with_digest(entry: Entry, archive: &[u8]) -> Entry {
    let mut reader = pseudotape_pax::Reader::new(archive);
    let mut digest = blake3::Hasher::new();
    let mut buffer = [0; 4096];
    if let Ok(Some(_)) = reader.next_member() {
        while let Ok(length @ 1..) = reader.read_contents(&mut buffer) {
            digest.update(buffer.get(..length).unwrap_or_default());
        }
    }
    Entry {
        digest: Some(crate::entry::Digest(*digest.finalize().as_bytes())),
        ..entry
    }
}

fn image_of(entry: &Entry, archive: &[u8]) -> File {
    let parameters = CreateParameters::new(VolumeId(entry.capsule), 0);
    let mut image = Image::create(MemoryStore::default(), &parameters).expect("memory");
    for block in archive.chunks(BLOCK_BYTES as usize) {
        image.append_block(block).expect("memory");
    }
    image.append_marks(Mark::Filemark, 1).expect("memory");
    image.append_block(&entry.encode()).expect("memory");
    image.append_marks(Mark::Filemark, 1).expect("memory");
    let bytes = image.finish().expect("memory").into_bytes();
    let flags = rustix::fs::MemfdFlags::CLOEXEC;
    let file = File::from(rustix::fs::memfd_create("capsule", flags).expect("memory"));
    file.write_all_at(&bytes, 0).expect("memory");
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::tests::example;
    use crate::entry::{FileKind, State};

    /// A capsule's record and archive, as the fuzz target takes them.
    fn sample(length: u64, contents: &[u8], further: &[(&str, &str)]) -> Vec<u8> {
        let mut member = pseudotape_pax::Member {
            name: example().title.bytes().to_vec(),
            length: contents.len() as u64,
            ..pseudotape_pax::Member::default()
        };
        for (key, value) in further {
            member.further.add(*key, *value);
        }
        let entry = Entry {
            state: State::Ok,
            kind: FileKind::File,
            length,
            ..example()
        };
        let record = entry.encode();
        let mut bytes = u16::try_from(record.len())
            .expect("short")
            .to_le_bytes()
            .to_vec();
        bytes.extend(record);
        bytes.extend(member.headers("PaxHeaders/file"));
        bytes.extend(contents);
        bytes.resize(
            bytes.len() + pseudotape_pax::padding(contents.len() as u64),
            0,
        );
        bytes.extend(pseudotape_pax::END);
        bytes
    }

    #[test]
    fn any_bytes_are_a_capsule_that_holds_or_none() {
        let mut map = b"1\n4096\n7\n".to_vec();
        map.resize(512, 0);
        map.extend(b"in here");
        let sparse = [
            ("GNU.sparse.major", "1"),
            ("GNU.sparse.minor", "0"),
            ("GNU.sparse.realsize", "9000"),
        ];
        for sample in [sample(4, b"text", &[]), sample(9000, &map, &sparse)] {
            fuzz_capsule(&sample);
            for at in (0..sample.len()).step_by(13) {
                fuzz_capsule(&sample[..at]);
                let mut other = sample.clone();
                other[at] ^= 1;
                fuzz_capsule(&other);
            }
        }
        fuzz_capsule(b"");
    }

    #[test]
    fn any_bytes_are_an_index_that_leads_to_what_is_meant_or_none() {
        let (directory, bytes, titles) = few_files();
        let (_, spots) = directory.encode_with_spots();
        let sample = index::encode(&directory, &bytes[..HEADER_BYTES], &spots);
        let found = index::find(&&bytes[..], &&sample[..], &titles[..3]).expect("an index");
        assert_eq!(found.entries().len(), 3);
        // Behind the places of the files there is nothing but zeros.
        for at in (0..400).step_by(3).chain([1000, 4000, sample.len() - 1]) {
            fuzz_index(&sample[..at]);
            let mut other = sample.clone();
            for byte in [0, 0xff, 1, 0x80] {
                other[at] = byte;
                fuzz_index(&other);
            }
        }
    }

    #[test]
    fn any_bytes_are_a_directory_that_holds_or_none() {
        let mut directory = Directory::default();
        directory.put([example()]);
        let sample = directory.encode();
        for at in 0..sample.len() {
            fuzz_directory(&sample[..at]);
            for byte in [0, 0xff, b'9', b'\n'] {
                let mut other = sample.clone();
                other[at] = byte;
                fuzz_directory(&other);
            }
        }
    }
}
