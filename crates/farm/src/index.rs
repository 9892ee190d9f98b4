//! The index of a volume: where in the directory the record of each title stands. Byte by byte in docs/FARM.md.
//!
//! It saves time and nothing else. Whatever does not fit in it leads to the directory, which is read whole then.

use std::cmp::Ordering;
use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::directory::{Directory, HEADER_BYTES, Header, Spot};
use crate::entry::{Entry, MAX_RECORD_BYTES};
use crate::title::Title;

const MAGIC: [u8; 16] = *b"pseudotape index";
const VERSION: u32 = 1;
/// Length of what stands before the pages.
const INDEX_HEADER_BYTES: usize = 128;
const PAGE_BYTES: usize = 4096;
const SPOT_BYTES: usize = 16;
const PAGE_SPOTS: usize = 255;

// Where the fields of the header lie, and the checksum of a page.
const VERSION_AT: usize = 16;
const COUNT_AT: usize = 24;
const DIRECTORY_AT: usize = 32;
const HEADER_CRC_AT: usize = 124;
const PAGE_CRC_AT: usize = 4092;

/// The directory of a volume with fewer files is read as fast.
pub(crate) const LEAST_FILES: usize = 4096;
/// Of more files in a folder than this part of the volume the records are not read one by one.
const LARGEST_PART: u64 = 8;

/// What can be read anywhere.
pub(crate) trait Bytes {
    /// All these bytes, if they are there.
    fn at(&self, offset: u64, bytes: &mut [u8]) -> Option<()>;
    /// How many there are.
    fn length(&self) -> Option<u64>;
}

impl Bytes for File {
    fn at(&self, offset: u64, bytes: &mut [u8]) -> Option<()> {
        self.read_exact_at(bytes, offset).ok()
    }

    fn length(&self) -> Option<u64> {
        Some(self.metadata().ok()?.len())
    }
}

impl Bytes for &[u8] {
    fn at(&self, offset: u64, bytes: &mut [u8]) -> Option<()> {
        let rest = self.get(usize::try_from(offset).ok()?..)?;
        bytes.copy_from_slice(rest.get(..bytes.len())?);
        Some(())
    }

    fn length(&self) -> Option<u64> {
        Some(self.len() as u64)
    }
}

/// The bytes of the index of a directory, whose bytes begin with this header and have their records there.
pub(crate) fn encode(directory: &Directory, header: &[u8], spots: &[Spot]) -> Vec<u8> {
    let entries = directory.entries();
    let mut order: Vec<(&Title, &Spot)> = entries
        .iter()
        .map(|entry| &entry.title)
        .zip(spots)
        .collect();
    order.sort_unstable_by_key(|(title, _)| *title);
    let mut bytes =
        Vec::with_capacity(INDEX_HEADER_BYTES + (order.len() / PAGE_SPOTS + 1) * PAGE_BYTES);
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend((order.len() as u64).to_le_bytes());
    bytes.extend_from_slice(header);
    bytes.resize(HEADER_CRC_AT, 0);
    let crc = crc32fast::hash(&bytes);
    bytes.extend(crc.to_le_bytes());
    for (number, spots) in (0u64..).zip(order.chunks(PAGE_SPOTS)) {
        let begin = bytes.len();
        for (_, spot) in spots {
            bytes.extend(spot.offset.to_le_bytes());
            bytes.extend(spot.length.to_le_bytes());
            bytes.extend(spot.crc.to_le_bytes());
        }
        bytes.resize(begin + PAGE_CRC_AT, 0);
        let crc = page_crc(crc, number, bytes.get(begin..).unwrap_or_default());
        bytes.extend(crc.to_le_bytes());
    }
    bytes
}

/// A page of another index, or another page of this one, has another checksum.
fn page_crc(header_crc: u32, number: u64, page: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&header_crc.to_le_bytes());
    crc.update(&number.to_le_bytes());
    crc.update(page);
    crc.finalize()
}

/// Those files of a directory that have these titles, or are in folders with these names, where the index leads to
/// each of them. Nothing where it does not: then the directory has to be asked.
pub(crate) fn find(
    directory: &impl Bytes,
    index: &impl Bytes,
    titles: &[Title],
) -> Option<Directory> {
    let mut index = Index::open(directory, index)?;
    let mut entries = Vec::new();
    for title in titles {
        entries.extend(index.find(title)?);
    }
    entries.sort_by_key(|entry| entry.number);
    entries.dedup_by_key(|entry| entry.number);
    Directory::part(&index.directory_header, entries)
}

/// An index with the directory to which it belongs.
struct Index<'a, D, I> {
    directory: &'a D,
    directory_header: Header,
    index: &'a I,
    crc: u32,
    count: u64,
    /// The page that was read last, and its number.
    page: Option<(u64, Vec<u8>)>,
}

impl<'a, D: Bytes, I: Bytes> Index<'a, D, I> {
    fn open(directory: &'a D, index: &'a I) -> Option<Self> {
        let mut header = [0; HEADER_BYTES];
        directory.at(0, &mut header)?;
        let directory_header = Header::parse(&header).ok()?;
        let length = directory_header.length.checked_add(HEADER_BYTES as u64)?;
        if directory.length()? != length {
            return None;
        }
        let mut own = [0; INDEX_HEADER_BYTES];
        index.at(0, &mut own)?;
        let crc = u32_at(&own, HEADER_CRC_AT)?;
        let count = u64_at(&own, COUNT_AT)?;
        let pages = count.div_ceil(PAGE_SPOTS as u64);
        let bytes = pages.checked_mul(PAGE_BYTES as u64)?;
        let fits = own.starts_with(&MAGIC)
            && crc == crc32fast::hash(own.get(..HEADER_CRC_AT)?)
            && u64_at(&own, VERSION_AT) == Some(VERSION.into())
            && own.get(DIRECTORY_AT..DIRECTORY_AT + HEADER_BYTES) == Some(&header[..])
            && own
                .get(DIRECTORY_AT + HEADER_BYTES..HEADER_CRC_AT)?
                .iter()
                .all(|byte| *byte == 0)
            && count == directory_header.count
            && index.length() == bytes.checked_add(INDEX_HEADER_BYTES as u64);
        fits.then_some(Index {
            directory,
            directory_header,
            index,
            crc,
            count,
            page: None,
        })
    }

    /// The file with this title, or those in the folder with this name.
    fn find(&mut self, title: &Title) -> Option<Vec<Entry>> {
        let first = self.first_not_before(title.bytes())?;
        if first < self.count {
            let entry = self.entry(first)?;
            if entry.title == *title {
                return Some(vec![entry]);
            }
        }
        // A folder has what lies between its name with a slash and its name with what comes next behind a slash.
        let first = self.first_not_before(&[title.bytes(), b"/"].concat())?;
        let end = self.first_not_before(&[title.bytes(), b"0"].concat())?;
        let files = end.checked_sub(first)?;
        if files == 0 || files > self.count / LARGEST_PART {
            return None;
        }
        let entries: Option<Vec<Entry>> = (first..end).map(|at| self.entry(at)).collect();
        entries.filter(|entries| entries.iter().all(|entry| entry.title.is_within(title)))
    }

    /// How many titles come before this one.
    fn first_not_before(&mut self, title: &[u8]) -> Option<u64> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.entry(middle)?.title.bytes().cmp(title) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal | Ordering::Greater => high = middle,
            }
        }
        Some(low)
    }

    /// The file whose title has so many titles before it.
    fn entry(&mut self, at: u64) -> Option<Entry> {
        let spot = self.spot(at)?;
        let length = usize::try_from(spot.length).ok()?;
        let is_record = length <= MAX_RECORD_BYTES && spot.offset >= HEADER_BYTES as u64;
        if !is_record {
            return None;
        }
        let mut record = vec![0; length];
        self.directory.at(spot.offset, &mut record)?;
        match crc32fast::hash(&record) == spot.crc {
            true => Entry::parse(&record).ok(),
            false => None,
        }
    }

    fn spot(&mut self, at: u64) -> Option<Spot> {
        let number = at / PAGE_SPOTS as u64;
        let page = match self.page.take() {
            Some((found, page)) if found == number => page,
            _ => self.read_page(number)?,
        };
        let begin = usize::try_from(at % PAGE_SPOTS as u64).ok()? * SPOT_BYTES;
        let spot = Spot {
            offset: u64_at(&page, begin)?,
            length: u32_at(&page, begin + 8)?,
            crc: u32_at(&page, begin + 12)?,
        };
        self.page = Some((number, page));
        Some(spot)
    }

    fn read_page(&self, number: u64) -> Option<Vec<u8>> {
        let mut page = vec![0; PAGE_BYTES];
        let offset = INDEX_HEADER_BYTES as u64 + number * PAGE_BYTES as u64;
        self.index.at(offset, &mut page)?;
        let crc = page_crc(self.crc, number, page.get(..PAGE_CRC_AT)?);
        (u32_at(&page, PAGE_CRC_AT) == Some(crc)).then_some(page)
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The bytes with the checksums that an index with these places should have.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn with_checksums(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let Some((header, pages)) = bytes.split_at_mut_checked(INDEX_HEADER_BYTES) else {
        return bytes;
    };
    let put = |bytes: &mut [u8], at: usize, crc: u32| {
        if let Some(place) = bytes.get_mut(at..at + 4) {
            place.copy_from_slice(&crc.to_le_bytes());
        }
    };
    let crc = crc32fast::hash(header.get(..HEADER_CRC_AT).unwrap_or_default());
    put(header, HEADER_CRC_AT, crc);
    for (number, page) in (0..).zip(pages.chunks_mut(PAGE_BYTES)) {
        let sum = page_crc(crc, number, page.get(..PAGE_CRC_AT).unwrap_or_default());
        put(page, PAGE_CRC_AT, sum);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Number;
    use crate::entry::tests::example;

    fn title(text: &str) -> Title {
        Title::new(text.as_bytes()).expect("a title")
    }

    /// A directory with these titles, its bytes, and those of its index.
    fn of(titles: &[&str]) -> (Directory, Vec<u8>, Vec<u8>) {
        let mut number = Number::FIRST;
        let mut directory = Directory::default();
        directory.put(titles.iter().map(|text| {
            number = number.next();
            Entry {
                number,
                title: title(text),
                ..example()
            }
        }));
        let (bytes, spots) = directory.encode_with_spots();
        let index = encode(&directory, &bytes[..HEADER_BYTES], &spots);
        (directory, bytes, index)
    }

    fn found(bytes: &[u8], index: &[u8], text: &str) -> Option<Vec<String>> {
        let found = find(&bytes, &index, &[title(text)])?;
        let titles = found.entries().iter().map(|entry| entry.title.to_string());
        Some(titles.collect())
    }

    /// The bytes of version 1, as a table in docs/FARM.md has them.
    #[test]
    fn the_bytes_of_an_index_are_these() {
        let (_, directory, index) = of(&["b", "a"]);
        let record = |begin: usize| {
            let length = u32_at(&directory, begin).expect("a length");
            let end = begin + 4 + length as usize;
            let record = &directory[begin + 4..end];
            let spot = [
                (begin as u64 + 4).to_le_bytes().to_vec(),
                length.to_le_bytes().to_vec(),
            ];
            (
                [&spot.concat()[..], &crc32fast::hash(record).to_le_bytes()].concat(),
                end,
            )
        };
        let (b, behind) = record(64);
        let (a, end) = record(behind);
        assert_eq!(end, directory.len());
        let mut golden = b"pseudotape index".to_vec();
        golden.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        golden.extend([2, 0, 0, 0, 0, 0, 0, 0]);
        golden.extend(&directory[..64]);
        golden.extend([0; 28]);
        let header_crc = crc32fast::hash(&golden).to_le_bytes();
        golden.extend(header_crc);
        let mut page = [a, b].concat();
        page.resize(4092, 0);
        let crc = crc32fast::hash(&[&header_crc[..], &[0; 8], &page].concat());
        golden.extend(page);
        golden.extend(crc.to_le_bytes());
        assert_eq!(index, golden);
    }

    #[test]
    fn a_title_and_a_folder_are_found_and_nothing_else() {
        let titles = ["d/x", "d-e", "d.x", "d0", "d/y/z", "c", "e/1", "e/2", "e"];
        let others: Vec<String> = (0..600).map(|number| format!("o/{number}")).collect();
        let all = titles.into_iter().chain(others.iter().map(String::as_str));
        let (directory, bytes, index) = of(&all.collect::<Vec<_>>());
        for entry in directory.entries() {
            let text = entry.title.to_string();
            assert_eq!(found(&bytes, &index, &text), Some(vec![text]));
        }
        let within = |text| found(&bytes, &index, text).map(|titles| titles.join(" "));
        assert_eq!(within("d"), Some("d/x d/y/z".to_owned()));
        assert_eq!(within("d/y"), Some("d/y/z".to_owned()));
        assert_eq!(within("e"), Some("e".to_owned()));
        // So many are read faster with the whole directory.
        assert_eq!(within("o"), None);
        for absent in ["a", "d/", "d/z", "d/x/y", "zz", "o/600", "b"] {
            if let Some(title) = Title::new(absent.as_bytes()) {
                assert_eq!(find(&&bytes[..], &&index[..], &[title]), None, "{absent}");
            }
        }
        let several = [title("d"), title("c"), title("d/x")];
        let several = find(&&bytes[..], &&index[..], &several).expect("all are there");
        assert_eq!(several.next(), directory.next());
        let numbers: Vec<_> = several
            .entries()
            .iter()
            .map(|entry| entry.number.0.get())
            .collect();
        assert_eq!(numbers, [2, 6, 7]);
    }

    /// An index of another directory, of one of the same size too, leads nowhere.
    #[test]
    fn an_index_that_does_not_fit_or_is_damaged_is_no_index() {
        let (_, bytes, index) = of(&["a", "b"]);
        let (_, others, other) = of(&["a", "c"]);
        assert_eq!(bytes.len(), others.len());
        assert_eq!(found(&bytes, &index, "a"), Some(vec!["a".to_owned()]));
        assert_eq!(found(&bytes, &other, "a"), None);
        assert_eq!(found(&others, &index, "a"), None);
        for at in 0..index.len() {
            let mut bad = index.clone();
            bad[at] ^= 0x10;
            assert_eq!(found(&bytes, &bad, "b"), None, "byte {at}");
            assert_eq!(found(&bytes, &index[..at], "b"), None, "{at} bytes");
        }
        // A bit of a record that is read for it.
        let at = bytes.len() - 20;
        let mut bad = bytes.clone();
        bad[at] ^= 1;
        assert_eq!(found(&bad, &index, "b"), None);
    }
}
