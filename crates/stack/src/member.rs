//! The headers of members, to bytes and back: ustar, with pax records before it where ustar has no room.

use std::ops::Range;

/// Headers and contents are multiples of this.
pub(crate) const RECORD: usize = 512;
/// Two records of zeros end an archive.
pub(crate) const END: [u8; 2 * RECORD] = [0; 2 * RECORD];
/// The first length that ustar's eleven octal digits do not hold.
const USTAR_END: u64 = 8 << 30;
/// The longest name in a ustar header.
const USTAR_NAME: usize = 100;
/// The member that holds pax records. GNU tar names it after the member, which nothing needs.
const PAX_NAME: &str = "PaxHeaders/payload";

/// Whether text can be the name of a payload: wherever it is extracted, it makes a file there and nowhere else.
pub(crate) fn is_name(text: &str) -> bool {
    let allowed = |c: char| !c.is_control() && c != '/' && c != '\\';
    !matches!(text, "" | "." | "..") && text.len() <= 240 && text.chars().all(allowed)
}

/// Zeros that follow so many bytes up to the next record.
pub(crate) fn padding(length: u64) -> usize {
    let over = usize::try_from(length % 512).unwrap_or(0);
    (RECORD - over) % RECORD
}

// Where the fields of a ustar header lie (POSIX.1-2017, pax, "ustar Interchange Format").
const NAME: Range<usize> = 0..USTAR_NAME;
const MODE: Range<usize> = 100..108;
const OWNER: Range<usize> = 108..116;
const GROUP: Range<usize> = 116..124;
const SIZE: Range<usize> = 124..136;
const MTIME: Range<usize> = 136..148;
const CHECKSUM: Range<usize> = 148..156;
const KIND: usize = 156;
const MAGIC: Range<usize> = 257..265;
const MAGIC_BYTES: &[u8; 8] = b"ustar\x0000";

const FILE: u8 = b'0';
const PAX: u8 = b'x';
const GLOBAL: u8 = b'g';

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

/// The number in a field: octal digits, with blanks around them and zeros behind.
fn number(record: &[u8; RECORD], field: Range<usize>) -> Option<u64> {
    let text = str::from_utf8(record.get(field)?).ok()?;
    let digits = text.split('\0').next()?.trim_matches(' ');
    let octal = !digits.is_empty() && digits.bytes().all(|byte| (b'0'..b'8').contains(&byte));
    octal.then(|| u64::from_str_radix(digits, 8).ok())?
}

/// The sum of all bytes, with the checksum itself as blanks.
fn checksum(record: &[u8; RECORD]) -> u64 {
    let bytes = record.iter().enumerate();
    let counted = bytes.map(|(at, byte)| if CHECKSUM.contains(&at) { b' ' } else { *byte });
    counted.map(u64::from).sum()
}

/// Makes the checksum that of the rest.
pub(crate) fn set_checksum(record: &mut [u8; RECORD]) {
    let sum = checksum(record);
    put_number(record, CHECKSUM, sum);
}

fn ustar(kind: u8, name: &str, length: u64, mtime_s: u64) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    let short = name.chars().map(|c| if c.is_ascii() { c } else { '_' });
    let short: String = short.take(USTAR_NAME).collect();
    put(&mut record, NAME, short.as_bytes());
    put_number(&mut record, MODE, 0o644);
    put_number(&mut record, OWNER, 0);
    put_number(&mut record, GROUP, 0);
    // A length that does not fit stands in a pax record, and here is none: base-256 is GNU's and not pax.
    put_number(
        &mut record,
        SIZE,
        if length < USTAR_END { length } else { 0 },
    );
    put_number(&mut record, MTIME, mtime_s.min(USTAR_END - 1));
    put(&mut record, KIND..KIND + 1, &[kind]);
    put(&mut record, MAGIC, MAGIC_BYTES);
    set_checksum(&mut record);
    record
}

/// A pax record: its own length counts too.
fn pax_record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len();
    while length.to_string().len() + rest.len() != length {
        length = length.to_string().len() + rest.len();
    }
    format!("{length}{rest}")
}

/// What stands before the bytes of a member.
pub(crate) fn header(name: &str, length: u64, mtime_s: u64) -> Vec<u8> {
    let mut records = String::new();
    if length >= USTAR_END {
        records += &pax_record("size", &length.to_string());
    }
    if name.len() > USTAR_NAME || !name.is_ascii() {
        records += &pax_record("path", name);
    }
    let mut bytes = Vec::new();
    if !records.is_empty() {
        let records_length = records.len() as u64;
        bytes.extend_from_slice(&ustar(PAX, PAX_NAME, records_length, mtime_s));
        bytes.extend_from_slice(records.as_bytes());
        bytes.resize(bytes.len() + padding(records_length), 0);
    }
    bytes.extend_from_slice(&ustar(FILE, name, length, mtime_s));
    bytes
}

/// What one record of headers says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// Zeros: the archive ends.
    End,
    /// A file with this name and length.
    File { name: Vec<u8>, length: u64 },
    /// Pax records of this length, for the next file.
    Pax(u64),
    /// Pax records of this length, for all that follow.
    Global(u64),
    /// Anything else that can stand in an archive, and never in ours.
    Other,
}

/// Reads one record of headers.
pub(crate) fn parse(record: &[u8; RECORD]) -> Result<Head, &'static str> {
    if record.iter().all(|byte| *byte == 0) {
        return Ok(Head::End);
    }
    if record.get(MAGIC) != Some(MAGIC_BYTES) {
        return Err("no header of a pax archive is where one should be");
    }
    if number(record, CHECKSUM) != Some(checksum(record)) {
        return Err("a header has a wrong checksum");
    }
    let length = number(record, SIZE).ok_or("a header has no length")?;
    let name = record.get(NAME).unwrap_or_default();
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(match record.get(KIND) {
        Some(&FILE) => Head::File {
            name: name.to_vec(),
            length,
        },
        Some(&PAX) => Head::Pax(length),
        Some(&GLOBAL) => Head::Global(length),
        _ => Head::Other,
    })
}

/// What pax records say of the next file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PaxRecords {
    pub(crate) length: Option<u64>,
    pub(crate) name: Option<Vec<u8>>,
}

/// Reads pax records: length, blank, key, equals sign, value, newline. What is not known is passed over.
pub(crate) fn parse_pax(bytes: &[u8]) -> Result<PaxRecords, &'static str> {
    let mut found = PaxRecords::default();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (key, value, behind) = pax_record_at(rest).ok_or("a pax record is malformed")?;
        match key {
            b"size" => {
                let text = str::from_utf8(value).ok();
                let length = text.and_then(|text| text.parse().ok());
                found.length = Some(length.ok_or("a pax record has no length")?);
            }
            b"path" => found.name = Some(value.to_vec()),
            _ => {}
        }
        rest = behind;
    }
    Ok(found)
}

/// Key and value of the first pax record, and what is behind it.
fn pax_record_at(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let digits = bytes.split(|byte| *byte == b' ').next()?;
    let length: usize = str::from_utf8(digits).ok()?.parse().ok()?;
    let (record, behind) = bytes.split_at_checked(length)?;
    let record = record.strip_suffix(b"\n")?.get(digits.len() + 1..)?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some((record.get(..equals)?, record.get(equals + 1..)?, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(bytes: &[u8], at: usize) -> [u8; RECORD] {
        bytes[at * RECORD..(at + 1) * RECORD].try_into().unwrap()
    }

    #[test]
    fn a_short_member_has_one_plain_header() {
        let bytes = header("MON001.ptape", USTAR_END - 1, 1_700_000_000);
        assert_eq!(bytes.len(), RECORD);
        assert_eq!(
            parse(&record(&bytes, 0)),
            Ok(Head::File {
                name: b"MON001.ptape".to_vec(),
                length: USTAR_END - 1
            })
        );
    }

    #[test]
    fn more_than_eight_gib_stand_in_a_pax_record() {
        let bytes = header("MON001.ptape", USTAR_END, 1_700_000_000);
        assert_eq!(bytes.len(), 3 * RECORD);
        assert_eq!(parse(&record(&bytes, 0)), Ok(Head::Pax(19)));
        assert_eq!(&bytes[RECORD..RECORD + 19], b"19 size=8589934592\n");
        let pax = parse_pax(&bytes[RECORD..RECORD + 19]).unwrap();
        assert_eq!(pax.length, Some(USTAR_END));
        // No digit of another format in the plain header.
        assert_eq!(&bytes[2 * RECORD + 124..2 * RECORD + 136], b"00000000000\0");
    }

    #[test]
    fn a_name_that_ustar_has_no_room_for_stands_in_a_pax_record() {
        let long = "n".repeat(101);
        for name in ["Größe.ptape", long.as_str()] {
            let bytes = header(name, 5, 0);
            let Ok(Head::Pax(length)) = parse(&record(&bytes, 0)) else {
                panic!("no pax records: {name}");
            };
            let length = usize::try_from(length).unwrap();
            let pax = parse_pax(&bytes[RECORD..RECORD + length]).unwrap();
            assert_eq!(pax.name.as_deref(), Some(name.as_bytes()));
            assert!(matches!(
                parse(&record(&bytes, 2)),
                Ok(Head::File { length: 5, .. })
            ));
        }
    }

    #[test]
    fn the_length_of_a_pax_record_counts_itself() {
        for value in 0..1200 {
            let record = pax_record("path", &"v".repeat(value));
            let (length, _) = record.split_once(' ').unwrap();
            assert_eq!(length.parse(), Ok(record.len()));
        }
    }

    #[test]
    fn names_lead_nowhere_else() {
        for good in ["MON001.ptape", "…", "a b", "-x"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "/a", "a\\b", "a\nb", &"x".repeat(241)] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn one_changed_bit_of_a_header_is_found() {
        let good = record(&header("MON001.ptape", 77, 5), 0);
        for bit in 0..RECORD * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            // What follows the digits of the checksum says nothing.
            if let Ok(head) = parse(&bad) {
                assert_eq!(Ok(head), parse(&good), "bit {bit}");
            }
        }
    }
}
