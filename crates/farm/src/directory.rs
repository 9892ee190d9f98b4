//! The directory of a volume: `FILE000.dir`, byte by byte in docs/FARM.md.

use std::collections::HashMap;
use std::num::NonZeroU64;

use crate::entry::{Entry, MAX_RECORD_BYTES, Number};
use crate::title::Title;
use crate::titles::Titles;

/// Its first bytes.
pub const DIRECTORY_MAGIC: [u8; 16] = *b"pseudotape farm\n";
/// The latest version of the format that this program writes: that of a volume with marks.
pub const DIRECTORY_VERSION: u32 = 2;
/// That of a volume without.
const PLAIN_VERSION: u32 = 1;
/// Length of what stands before the records.
pub const HEADER_BYTES: usize = 64;
/// The longest directory that is read.
pub(crate) const MAX_DIRECTORY_BYTES: u64 = 4 << 30;

/// A record is longer, whatever it has.
const LEAST_RECORD_BYTES: usize = 128;

// Where the fields of the header lie.
const VERSION: usize = 16;
const MARKS: usize = 20;
const NEXT: usize = 24;
const COUNT: usize = 32;
const LENGTH: usize = 40;
const BODY_CRC: usize = 48;
const RESERVED_TOO: usize = 52;
const HEADER_CRC: usize = 60;

/// What a volume is made as, and stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Marks {
    /// The archives of its capsules are compressed.
    pub compressed: bool,
    /// Its capsules lie in folders that follow their titles.
    pub structured: bool,
}

impl Marks {
    const COMPRESSED: u32 = 1;
    const STRUCTURED: u32 = 2;

    /// Those of a volume that is made now.
    #[must_use]
    pub fn compressed(compressed: bool) -> Self {
        Marks {
            compressed,
            structured: false,
        }
    }

    /// The same, of a volume whose capsules lie in folders, or do not.
    #[must_use]
    pub fn with_folders(self, structured: bool) -> Self {
        Marks { structured, ..self }
    }

    fn bits(self) -> u32 {
        let bit = |is_set: bool, bit: u32| if is_set { bit } else { 0 };
        bit(self.compressed, Self::COMPRESSED) | bit(self.structured, Self::STRUCTURED)
    }

    fn of(bits: u32) -> Result<Self, DirectoryError> {
        match bits & !(Self::COMPRESSED | Self::STRUCTURED) {
            0 => Ok(Marks {
                compressed: bits & Self::COMPRESSED != 0,
                structured: bits & Self::STRUCTURED != 0,
            }),
            unknown => Err(DirectoryError::Marks(unknown)),
        }
    }
}

/// All that a volume has, by title and in the order of numbers.
#[derive(Clone, Debug)]
pub struct Directory {
    marks: Marks,
    next: Number,
    entries: Vec<Entry>,
    by_title: Titles,
}

impl PartialEq for Directory {
    /// Where the titles are follows from the files.
    fn eq(&self, other: &Self) -> bool {
        let of = |one: &Self| (one.marks, one.next);
        of(self) == of(other) && self.entries == other.entries
    }
}

impl Eq for Directory {}

/// Where a record stands in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    /// The first of its bytes.
    pub(crate) offset: u64,
    /// How many.
    pub(crate) length: u32,
    /// Their CRC-32.
    pub(crate) crc: u32,
}

/// Why bytes are no directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// It does not begin as one.
    #[error("it is no directory of a disk farm")]
    Foreign,
    /// A later program wrote it.
    #[error("it has version {0} of the format, which a later pseudotape reads")]
    Newer(u32),
    /// A later program marked the volume.
    #[error("it has marks {0:#x}, which a later pseudotape knows")]
    Marks(u32),
    /// It is not what was written.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

impl Default for Directory {
    fn default() -> Self {
        Directory {
            marks: Marks::default(),
            next: Number::FIRST,
            entries: Vec::new(),
            by_title: Titles::default(),
        }
    }
}

impl Directory {
    /// The same, of a volume that is made as these say.
    pub(crate) fn marked(self, marks: Marks) -> Self {
        Directory { marks, ..self }
    }

    /// What the volume was made as.
    #[must_use]
    pub fn marks(&self) -> Marks {
        self.marks
    }

    /// The lowest number that no capsule had so far.
    #[must_use]
    pub fn next(&self) -> Number {
        self.next
    }

    /// Says that all numbers below this one were used.
    pub(crate) fn use_numbers_before(&mut self, next: Number) {
        self.next = self.next.max(next);
    }

    /// What is in the volume, in the order of numbers.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The file with this title.
    #[must_use]
    pub fn find(&self, title: &Title) -> Option<&Entry> {
        self.by_title.find(title, &self.entries)
    }

    /// Whether a capsule with this number is in it.
    pub(crate) fn has(&self, number: Number) -> bool {
        let found = self
            .entries
            .binary_search_by_key(&number, |entry| entry.number);
        found.is_ok()
    }

    /// Puts files in, in the place of those that have their titles.
    pub fn put(&mut self, entries: impl IntoIterator<Item = Entry>) {
        let mut added: HashMap<Title, Entry> = HashMap::new();
        for entry in entries {
            self.next = self.next.max(entry.number.next());
            added.insert(entry.title.clone(), entry);
        }
        self.entries
            .retain(|entry| !added.contains_key(&entry.title));
        self.entries.extend(added.into_values());
        self.entries.sort_by_key(|entry| entry.number);
        self.by_title = Titles::of(&self.entries).expect("each title once");
    }

    /// The bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.encode_with_spots().0
    }

    /// The bytes, and where in them the record of each file stands.
    pub(crate) fn encode_with_spots(&self) -> (Vec<u8>, Vec<Spot>) {
        let mut bytes = vec![0; HEADER_BYTES];
        let mut spots = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            let record = entry.encode();
            let length = u32::try_from(record.len()).expect("a record has a longest length");
            bytes.extend_from_slice(&length.to_le_bytes());
            spots.push(Spot {
                offset: bytes.len() as u64,
                length,
                crc: crc32fast::hash(&record),
            });
            bytes.extend_from_slice(&record);
        }
        let (header, body) = bytes.split_at_mut(HEADER_BYTES);
        let mut put = |at: usize, field: &[u8]| {
            let place = header.get_mut(at..at + field.len());
            place
                .expect("a field within the header")
                .copy_from_slice(field);
        };
        put(0, &DIRECTORY_MAGIC);
        let marks = self.marks.bits();
        let version = match marks {
            0 => PLAIN_VERSION,
            _ => DIRECTORY_VERSION,
        };
        put(VERSION, &version.to_le_bytes());
        put(MARKS, &marks.to_le_bytes());
        put(NEXT, &self.next.0.get().to_le_bytes());
        put(COUNT, &(self.entries.len() as u64).to_le_bytes());
        put(LENGTH, &(body.len() as u64).to_le_bytes());
        put(BODY_CRC, &crc32fast::hash(body).to_le_bytes());
        let crc = crc32fast::hash(header.get(..HEADER_CRC).unwrap_or_default());
        let place = header.get_mut(HEADER_CRC..);
        place
            .expect("a field within the header")
            .copy_from_slice(&crc.to_le_bytes());
        (bytes, spots)
    }

    /// Reads one. It is taken whole or not at all.
    pub fn parse(bytes: &[u8]) -> Result<Self, DirectoryError> {
        let header = Header::parse(bytes)?;
        let body = bytes.get(HEADER_BYTES..).unwrap_or_default();
        if header.length != body.len() as u64 {
            return Err(damaged("it is shorter or longer than its header says"));
        }
        if header.body_crc != crc32fast::hash(body) {
            return Err(damaged("its records have a wrong checksum"));
        }
        // No more than there can be: of a count that is wrong no memory is taken.
        let most = usize::try_from(header.count).unwrap_or(0);
        let most = most.min(body.len() / LEAST_RECORD_BYTES);
        let mut entries: Vec<Entry> = Vec::with_capacity(most);
        let mut rest = body;
        while !rest.is_empty() {
            let (entry, behind) = record_at(rest, entries.len())?;
            let before = entries.last().map(|entry| entry.number);
            if before.is_some_and(|before| before >= entry.number) {
                return Err(damaged("its records are not in the order of their numbers"));
            }
            entries.push(entry);
            rest = behind;
        }
        let directory = Directory::of(&header, entries)?;
        match directory.entries.len() as u64 == header.count {
            true => Ok(directory),
            false => Err(damaged("it has not as many files as its header says")),
        }
    }

    /// Some files of a directory with this header.
    pub(crate) fn part(header: &Header, entries: Vec<Entry>) -> Option<Self> {
        Directory::of(header, entries).ok()
    }

    /// Files in the order of their numbers, each with a title of its own.
    fn of(header: &Header, entries: Vec<Entry>) -> Result<Self, DirectoryError> {
        if entries
            .last()
            .is_some_and(|last| last.number >= header.next)
        {
            return Err(damaged("a number is in use that is not used yet"));
        }
        let by_title = Titles::of(&entries);
        let by_title = by_title.ok_or_else(|| damaged("it has two files of one title"))?;
        Ok(Directory {
            marks: header.marks,
            next: header.next,
            entries,
            by_title,
        })
    }
}

/// What stands before the records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    marks: Marks,
    next: Number,
    /// How many records there are.
    pub(crate) count: u64,
    /// How many bytes are behind it.
    pub(crate) length: u64,
    body_crc: u32,
}

impl Header {
    /// Reads the one at the beginning of these bytes.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, DirectoryError> {
        if !bytes.starts_with(&DIRECTORY_MAGIC) {
            return Err(DirectoryError::Foreign);
        }
        let header = bytes.get(..HEADER_BYTES);
        let header = header.ok_or_else(|| damaged("its header is cut off"))?;
        let crc = crc32fast::hash(header.get(..HEADER_CRC).unwrap_or_default());
        if u32_at(header, HEADER_CRC) != Some(crc) {
            return Err(damaged("its header has a wrong checksum"));
        }
        let bits = u32_at(header, MARKS).unwrap_or(0);
        let marks = match u32_at(header, VERSION) {
            Some(PLAIN_VERSION) if bits == 0 => Marks::default(),
            Some(PLAIN_VERSION) => return Err(damaged("reserved bytes of its header are in use")),
            Some(DIRECTORY_VERSION) => Marks::of(bits)?,
            version => return Err(DirectoryError::Newer(version.unwrap_or(0))),
        };
        if u64_at(header, RESERVED_TOO) != Some(0) {
            return Err(damaged("reserved bytes of its header are in use"));
        }
        let next = u64_at(header, NEXT).and_then(NonZeroU64::new).map(Number);
        Ok(Header {
            marks,
            next: next.ok_or_else(|| damaged("it has no next number"))?,
            count: u64_at(header, COUNT).unwrap_or(0),
            length: u64_at(header, LENGTH).unwrap_or(0),
            body_crc: u32_at(header, BODY_CRC).unwrap_or(0),
        })
    }
}

fn damaged(what: &str) -> DirectoryError {
    DirectoryError::Damaged(what.to_owned())
}

/// The bytes with the checksums and the length that a header of theirs should have.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn with_checksums(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some((header, body)) = bytes.split_at_mut_checked(HEADER_BYTES) {
        let mut put = |at: usize, field: &[u8]| {
            if let Some(place) = header.get_mut(at..at + field.len()) {
                place.copy_from_slice(field);
            }
        };
        put(LENGTH, &(body.len() as u64).to_le_bytes());
        put(BODY_CRC, &crc32fast::hash(body).to_le_bytes());
        let crc = crc32fast::hash(header.get(..HEADER_CRC).unwrap_or_default());
        if let Some(place) = header.get_mut(HEADER_CRC..) {
            place.copy_from_slice(&crc.to_le_bytes());
        }
    }
    bytes
}

/// The first record, and what is behind it.
fn record_at(bytes: &[u8], number: usize) -> Result<(Entry, &[u8]), DirectoryError> {
    let record = || {
        let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
        if length > MAX_RECORD_BYTES {
            return None;
        }
        bytes.get(4..)?.split_at_checked(length)
    };
    let damaged = |why: String| DirectoryError::Damaged(format!("record {number}: {why}"));
    let (record, behind) = record().ok_or_else(|| damaged("it has no length".to_owned()))?;
    let entry = Entry::parse(record).map_err(|error| damaged(error.to_string()))?;
    Ok((entry, behind))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*field))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*field))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::entry::tests::{EXAMPLE, entries, example};

    fn directory() -> impl Strategy<Value = Directory> {
        let entries = prop::collection::vec(entries(), 0..6);
        let marks = (any::<bool>(), any::<bool>());
        (entries, marks).prop_map(|(entries, (compressed, structured))| {
            let marks = Marks::compressed(compressed).with_folders(structured);
            let mut directory = Directory::default().marked(marks);
            let mut number = Number::FIRST;
            directory.put(entries.into_iter().map(|entry| {
                number = number.next();
                Entry { number, ..entry }
            }));
            directory
        })
    }

    /// The bytes of version 1, as a table in docs/FARM.md has them.
    #[test]
    fn the_bytes_of_an_empty_directory_are_these() {
        let mut golden = b"pseudotape farm\n".to_vec();
        golden.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        golden.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        golden.extend([0; 28]);
        let crc = crc32fast::hash(&golden);
        golden.extend(crc.to_le_bytes());
        assert_eq!(Directory::default().encode(), golden);
        assert_eq!(Directory::parse(&golden), Ok(Directory::default()));
    }

    #[test]
    fn the_bytes_of_a_directory_with_a_file_are_these() {
        let mut directory = Directory::default();
        directory.put([example()]);
        let length = u32::try_from(EXAMPLE.len()).expect("a short record");
        let body = [&length.to_le_bytes(), EXAMPLE].concat();
        let mut golden = b"pseudotape farm\n".to_vec();
        golden.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        golden.extend([3, 0, 0, 0, 0, 0, 0, 0]);
        golden.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        golden.extend(u64::from(length + 4).to_le_bytes());
        golden.extend(crc32fast::hash(&body).to_le_bytes());
        golden.extend([0; 8]);
        golden.extend(crc32fast::hash(&golden).to_le_bytes());
        golden.extend(body);
        assert_eq!(directory.encode(), golden);
    }

    /// CW-48: the bytes of version 2, as the same table has them; an unmarked volume keeps version 1.
    #[test]
    fn the_bytes_of_a_marked_directory_are_these() {
        let marked = Directory::default().marked(Marks::compressed(true));
        let mut golden = b"pseudotape farm\n".to_vec();
        golden.extend([2, 0, 0, 0, 1, 0, 0, 0]);
        golden.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        golden.extend([0; 28]);
        let header = |golden: &[u8]| [golden, &crc32fast::hash(golden).to_le_bytes()].concat();
        assert_eq!(marked.encode(), header(&golden));
        assert_eq!(Directory::parse(&marked.encode()), Ok(marked));
        golden[MARKS] = 0x81;
        let later = Directory::parse(&header(&golden));
        assert_eq!(later, Err(DirectoryError::Marks(0x80)));
    }

    #[test]
    fn what_is_no_directory_is_told() {
        assert_eq!(Directory::parse(b""), Err(DirectoryError::Foreign));
        assert_eq!(Directory::parse(&[0; 100]), Err(DirectoryError::Foreign));
        let mut newer = Directory::default().encode();
        newer[VERSION] = 3;
        let crc = crc32fast::hash(&newer[..HEADER_CRC]);
        newer[HEADER_CRC..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(Directory::parse(&newer), Err(DirectoryError::Newer(3)));
    }

    proptest! {
        #[test]
        fn any_directory_is_read_back(directory in directory()) {
            prop_assert_eq!(Directory::parse(&directory.encode()), Ok(directory));
        }

        /// CW-02: a directory is taken whole or not at all.
        #[test]
        fn a_changed_bit_and_a_cut_are_found(
            directory in directory(), at in any::<prop::sample::Index>(), bit in 0u8..8
        ) {
            let good = directory.encode();
            let at = at.index(good.len());
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            prop_assert!(Directory::parse(&bad).is_err());
            prop_assert!(Directory::parse(&good[..at]).is_err());
        }

        #[test]
        fn records_with_right_checksums_and_wrong_contents_are_read_or_refused(
            directory in directory(), at in any::<prop::sample::Index>(), byte in any::<u8>()
        ) {
            let mut bytes = directory.encode();
            prop_assume!(bytes.len() > HEADER_BYTES);
            let at = HEADER_BYTES + at.index(bytes.len() - HEADER_BYTES);
            bytes[at] = byte;
            let crc = crc32fast::hash(&bytes[HEADER_BYTES..]);
            bytes[BODY_CRC..BODY_CRC + 4].copy_from_slice(&crc.to_le_bytes());
            let crc = crc32fast::hash(&bytes[..HEADER_CRC]);
            bytes[HEADER_CRC..HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
            if let Ok(read) = Directory::parse(&bytes) {
                prop_assert_eq!(Directory::parse(&read.encode()), Ok(read));
            }
        }
    }
}
