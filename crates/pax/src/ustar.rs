//! One record of headers.

use std::ops::Range;

use crate::{RECORD, USTAR_END, USTAR_NAME};

// Where the fields of a ustar header lie (POSIX.1-2017, pax, "ustar Interchange Format").
const NAME: Range<usize> = 0..USTAR_NAME;
const MODE: Range<usize> = 100..108;
const OWNER: Range<usize> = 108..116;
const GROUP: Range<usize> = 116..124;
const SIZE: Range<usize> = 124..136;
const MTIME: Range<usize> = 136..148;
const CHECKSUM: Range<usize> = 148..156;
const KIND: usize = 156;
const LINK: Range<usize> = 157..257;
const MAGIC: Range<usize> = 257..265;
const OWNER_NAME: Range<usize> = 265..297;
const GROUP_NAME: Range<usize> = 297..329;
const PREFIX: Range<usize> = 345..500;

const POSIX_MAGIC: &[u8; 8] = b"ustar\x0000";
const GNU_MAGIC: &[u8; 8] = b"ustar  \0";

/// The first owner or group that ustar's seven octal digits do not hold.
pub(crate) const ID_END: u64 = 1 << 21;
/// The longest name of an owner, with a zero behind it.
pub(crate) const OWNER_NAME_BYTES: usize = 31;

/// Whose dialect a header is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Magic {
    /// That of POSIX: ustar and pax.
    #[default]
    Posix,
    /// GNU tar's own. Its headers have other fields where ustar has the prefix of a name.
    Gnu,
}

/// What one record of headers says. A number is `None` where its field has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ustar {
    /// Whose dialect it is.
    pub magic: Magic,
    /// The letter of the kind of member.
    pub kind: u8,
    /// The name, with its prefix; what does not fit is cut off when it is written.
    pub name: Vec<u8>,
    /// Permissions.
    pub mode: Option<u64>,
    /// Number of the owner.
    pub uid: Option<u64>,
    /// Number of the group.
    pub gid: Option<u64>,
    /// Length of the contents.
    pub size: Option<u64>,
    /// When it was changed, in seconds since 1970.
    pub mtime_s: Option<u64>,
    /// Where a link leads.
    pub link: Vec<u8>,
    /// Name of the owner.
    pub owner: Vec<u8>,
    /// Name of the group.
    pub group: Vec<u8>,
}

/// Puts text at the beginning of a field.
fn put(record: &mut [u8; RECORD], field: Range<usize>, text: &[u8]) {
    let field = record.get_mut(field).unwrap_or_default();
    for (byte, of_text) in field.iter_mut().zip(text) {
        *byte = *of_text;
    }
}

/// Puts a number into a field, in octal digits that leave room for the zero behind them.
fn put_number(record: &mut [u8; RECORD], field: Range<usize>, number: u64) {
    let digits = field.len().saturating_sub(1);
    put(record, field, format!("{number:0digits$o}").as_bytes());
}

/// The number in a field: octal digits with blanks around them and zeros behind, or GNU's base 256.
fn number(record: &[u8; RECORD], field: Range<usize>) -> Option<u64> {
    number_of(record.get(field)?)
}

/// The number that the bytes of a field are.
pub(crate) fn number_of(bytes: &[u8]) -> Option<u64> {
    if let Some((0x80, rest)) = bytes.split_first() {
        return rest.iter().try_fold(0u64, |sum, byte| {
            sum.checked_mul(256)?.checked_add((*byte).into())
        });
    }
    let text = str::from_utf8(bytes).ok()?;
    let digits = text.split('\0').next()?.trim_matches(' ');
    let octal = !digits.is_empty() && digits.bytes().all(|byte| (b'0'..b'8').contains(&byte));
    octal.then(|| u64::from_str_radix(digits, 8).ok())?
}

/// The text in a field, up to the first zero.
fn text(record: &[u8; RECORD], field: Range<usize>) -> &[u8] {
    let field = record.get(field).unwrap_or_default();
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// The sum of all bytes, with the checksum itself as blanks.
fn checksum(record: &[u8; RECORD]) -> u64 {
    let bytes = record.iter().enumerate();
    let counted = bytes.map(|(at, byte)| if CHECKSUM.contains(&at) { b' ' } else { *byte });
    counted.map(u64::from).sum()
}

impl Ustar {
    /// The record. A number that does not fit is 0 (it stands in a pax record), and so is one that is not known.
    #[must_use]
    pub fn encode(&self) -> [u8; RECORD] {
        let mut record = [0; RECORD];
        let id = |id: Option<u64>| id.filter(|id| *id < ID_END).unwrap_or(0);
        put(&mut record, NAME, &self.name);
        put_number(&mut record, MODE, self.mode.unwrap_or(0) & 0o7777);
        put_number(&mut record, OWNER, id(self.uid));
        put_number(&mut record, GROUP, id(self.gid));
        let size = self.size.filter(|size| *size < USTAR_END).unwrap_or(0);
        put_number(&mut record, SIZE, size);
        let mtime_s = self.mtime_s.unwrap_or(0).min(USTAR_END - 1);
        put_number(&mut record, MTIME, mtime_s);
        put(&mut record, KIND..KIND + 1, &[self.kind]);
        put(&mut record, LINK, &self.link);
        put(&mut record, MAGIC, POSIX_MAGIC);
        put(&mut record, OWNER_NAME, &self.owner);
        put(&mut record, GROUP_NAME, &self.group);
        set_checksum(&mut record);
        record
    }

    /// Reads a record; `None` where it is zeros, with which an archive ends.
    pub fn parse(record: &[u8; RECORD]) -> Result<Option<Self>, &'static str> {
        if record.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let magic = match record.get(MAGIC) {
            Some(bytes) if bytes == POSIX_MAGIC => Magic::Posix,
            Some(bytes) if bytes == GNU_MAGIC => Magic::Gnu,
            _ => return Err("no header of a pax archive is where one should be"),
        };
        if number(record, CHECKSUM) != Some(checksum(record)) {
            return Err("a header has a wrong checksum");
        }
        let mut name = text(record, NAME).to_vec();
        let prefix = text(record, PREFIX);
        if magic == Magic::Posix && !prefix.is_empty() {
            name = [prefix, b"/", &name].concat();
        }
        Ok(Some(Ustar {
            magic,
            kind: record.get(KIND).copied().unwrap_or(0),
            name,
            mode: number(record, MODE),
            uid: number(record, OWNER),
            gid: number(record, GROUP),
            size: number(record, SIZE),
            mtime_s: number(record, MTIME),
            link: text(record, LINK).to_vec(),
            owner: text(record, OWNER_NAME).to_vec(),
            group: text(record, GROUP_NAME).to_vec(),
        }))
    }
}

/// Makes the checksum that of the rest of a record, which somebody changed.
pub fn set_checksum(record: &mut [u8; RECORD]) {
    let sum = checksum(record);
    put_number(record, CHECKSUM, sum);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Ustar {
        Ustar {
            kind: b'0',
            name: b"a/b".to_vec(),
            mode: Some(0o640),
            uid: Some(1000),
            gid: Some(100),
            size: Some(77),
            mtime_s: Some(1_700_000_000),
            owner: b"ada".to_vec(),
            group: b"users".to_vec(),
            ..Ustar::default()
        }
    }

    #[test]
    fn a_header_is_read_back() {
        assert_eq!(Ustar::parse(&header().encode()), Ok(Some(header())));
        assert_eq!(Ustar::parse(&[0; RECORD]), Ok(None));
    }

    #[test]
    fn one_changed_bit_of_a_header_is_found() {
        let good = header().encode();
        for bit in 0..RECORD * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            // What follows the digits of the checksum says nothing.
            if let Ok(head) = Ustar::parse(&bad) {
                assert_eq!(head, Some(header()), "bit {bit}");
            }
        }
    }

    #[test]
    fn numbers_of_gnu_tar_in_base_256_are_read() {
        let mut record = header().encode();
        record[SIZE].copy_from_slice(&[0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1]);
        set_checksum(&mut record);
        let read = Ustar::parse(&record).unwrap().unwrap();
        assert_eq!(read.size, Some((2 << 32) + 1));
        record[SIZE].fill(0xff);
        set_checksum(&mut record);
        let read = Ustar::parse(&record).unwrap().unwrap();
        assert_eq!(read.size, None, "a negative length is none");
    }

    #[test]
    fn a_prefix_belongs_to_the_name() {
        let mut record = header().encode();
        put(&mut record, PREFIX, b"far/away");
        set_checksum(&mut record);
        let read = Ustar::parse(&record).unwrap().unwrap();
        assert_eq!(read.name, b"far/away/a/b");
    }
}
