//! Recognises what a tape file holds by the first bytes of its first block.

use std::fmt;

use pseudotape_human::printable;
use serde::{Serialize, Serializer};

/// As many first bytes of a block as anything below looks at.
pub(crate) const SAMPLE_BYTES: usize = 1024;

/// What the first bytes of a tape file look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A format by its name.
    Format(&'static str),
    /// A label, with its words.
    Label(&'static str, String),
    /// Printable text.
    Text,
    /// Nothing but zeros.
    Zeros,
    /// Anything else.
    Unknown,
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::Format(name) => f.write_str(name),
            Content::Label(name, words) if words.is_empty() => f.write_str(name),
            Content::Label(name, words) => write!(f, "{name} '{words}'"),
            Content::Text => f.write_str("text"),
            Content::Zeros => f.write_str("zeros"),
            Content::Unknown => f.write_str("data"),
        }
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Formats that start with fixed bytes: offset, bytes, name. The first that fits is it.
const SIGNATURES: &[(usize, &[u8], &str)] = &[
    (0, b"\x8aTAPE\r\n\x1a", "pseudotape image"),
    (257, b"ustar  \0", "tar (gnu)"),
    (257, b"ustar\0", "tar (ustar)"),
    (0, b"070701", "cpio (newc)"),
    (0, b"070702", "cpio (newc, crc)"),
    (0, b"070707", "cpio (odc)"),
    (0, b"\xc7\x71", "cpio (binary)"),
    (0, b"\x71\xc7", "cpio (binary, big-endian)"),
    (0, b"\x1f\x8b\x08", "gzip"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"),
    (0, b"\xfd7zXZ\0", "xz"),
    (0, b"\x04\x22\x4d\x18", "lz4"),
    (0, b"LZIP", "lzip"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z"),
    (0, b"PK\x03\x04", "zip"),
    (0, b"Salted__", "openssl enc"),
    (0, b"age-encryption.org/", "age"),
    (0, b"TAPE\0", "Microsoft Tape Format"),
    (0, b"TAPE\x03", "Microsoft Tape Format"),
    (12, b"BB02", "Bacula or Bareos volume"),
    (12, b"BB01", "Bacula volume (old)"),
];

/// Labels of 80 bytes in ASCII: the first four bytes, name, where the words are.
const ANSI_LABELS: &[(&[u8], &str, std::ops::Range<usize>)] = &[
    (b"VOL1", "ANSI volume label", 4..10),
    (b"HDR1", "ANSI file header", 4..21),
    (b"EOF1", "ANSI file trailer", 4..21),
    (b"EOV1", "ANSI volume trailer", 4..21),
];

/// Says what `sample`, the first bytes of a block (up to [`SAMPLE_BYTES`]), looks like.
pub(crate) fn recognise(sample: &[u8]) -> Content {
    let label = || {
        gnu_tar_label(sample)
            .or_else(|| amanda(sample))
            .or_else(|| ansi(sample))
    };
    if let Some(label) = label() {
        return label;
    }
    for (offset, bytes, name) in SIGNATURES {
        if sample
            .get(*offset..)
            .is_some_and(|rest| rest.starts_with(bytes))
        {
            return Content::Format(name);
        }
    }
    if let Some(name) = dump(sample)
        .or_else(|| bzip2(sample))
        .or_else(|| old_tar(sample))
    {
        return Content::Format(name);
    }
    if sample.starts_with(b"\xe5\xd6\xd3\xf1") {
        return Content::Format("IBM volume label (EBCDIC)");
    }
    if !sample.is_empty() && sample.iter().all(|byte| *byte == 0) {
        return Content::Zeros;
    }
    if is_text(sample) {
        return Content::Text;
    }
    Content::Unknown
}

/// The words of a field of a label: to its first zero byte, without trailing blanks.
fn words(field: &[u8]) -> String {
    let end = field
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(field.len());
    let field = field.get(..end).unwrap_or_default();
    printable(&String::from_utf8_lossy(field))
        .trim_end()
        .replace('\n', " ")
}

/// GNU tar writes the volume label and the continuation of a file as members of types of their own.
fn gnu_tar_label(sample: &[u8]) -> Option<Content> {
    if sample.get(257..265)? != b"ustar  \0" {
        return None;
    }
    let name = match sample.get(156)? {
        b'V' => "tar (gnu), volume",
        b'M' => "tar (gnu), goes on with",
        _ => return None,
    };
    Some(Content::Label(name, words(sample.get(..100)?)))
}

fn amanda(sample: &[u8]) -> Option<Content> {
    let rest = sample.strip_prefix(b"AMANDA: ")?;
    let line = rest.split(|byte| *byte == b'\n').next()?;
    Some(Content::Label("Amanda header", words(line)))
}

fn ansi(sample: &[u8]) -> Option<Content> {
    // Some writers pad the label; none makes it shorter than 80 characters.
    let label = sample.get(..80)?;
    let (_, name, field) = ANSI_LABELS
        .iter()
        .find(|(start, ..)| label.starts_with(start))?;
    let characters = label.iter().all(|byte| (0x20..0x7f).contains(byte));
    characters.then(|| Content::Label(name, words(label.get(field.clone()).unwrap_or_default())))
}

/// The header record of dump: 256 numbers of 32 bits that add up to 84446, in either byte order.
fn dump(sample: &[u8]) -> Option<&'static str> {
    const CHECKSUM: u32 = 84_446;
    const MAGIC: usize = 6;
    let header = sample.get(..1024)?;
    for decode in [u32::from_le_bytes as fn([u8; 4]) -> u32, swapped] {
        let (numbers, _) = header.as_chunks::<4>();
        let sum = numbers
            .iter()
            .fold(0_u32, |sum, n| sum.wrapping_add(decode(*n)));
        if sum != CHECKSUM {
            continue;
        }
        match numbers.get(MAGIC).map(|n| decode(*n)) {
            Some(60_011) => return Some("dump (old format)"),
            Some(60_012) => return Some("dump"),
            Some(0x1954_0119) => return Some("dump (UFS2)"),
            _ => {}
        }
    }
    None
}

/// A number in the byte order of the machines on which old dumps were made.
fn swapped(bytes: [u8; 4]) -> u32 {
    u32::from_le_bytes(bytes).swap_bytes()
}

fn bzip2(sample: &[u8]) -> Option<&'static str> {
    let level = sample.strip_prefix(b"BZh")?.first()?;
    matches!(level, b'1'..=b'9').then_some("bzip2")
}

/// Tar before POSIX has no magic, but a checksum: the sum of the header's bytes, its own field as blanks.
fn old_tar(sample: &[u8]) -> Option<&'static str> {
    let header = sample.get(..512)?;
    let (before, rest) = header.split_at_checked(148)?;
    let (field, behind) = rest.split_at_checked(8)?;
    let digits: String = field
        .iter()
        .map(|byte| char::from(*byte))
        .skip_while(|c| *c == ' ')
        .take_while(char::is_ascii_digit)
        .collect();
    let stored = u32::from_str_radix(&digits, 8).ok()?;
    let sum = 8 * u32::from(b' ')
        + before
            .iter()
            .chain(behind)
            .map(|b| u32::from(*b))
            .sum::<u32>();
    (sum == stored && *before.first()? != 0).then_some("tar (old)")
}

fn is_text(sample: &[u8]) -> bool {
    let text = match std::str::from_utf8(sample) {
        Ok(text) => text,
        // The sample may end inside a character.
        Err(error) if error.error_len().is_none() => {
            let whole = sample.get(..error.valid_up_to()).unwrap_or_default();
            std::str::from_utf8(whole).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty()
        && text
            .chars()
            .all(|c| !c.is_control() || "\t\n\r\x0c\x08".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(sample: &[u8]) -> String {
        recognise(sample).to_string()
    }

    fn at(offset: usize, bytes: &[u8]) -> Vec<u8> {
        let mut sample = vec![0xEE; SAMPLE_BYTES];
        sample[offset..offset + bytes.len()].copy_from_slice(bytes);
        sample
    }

    fn tar_header(magic: &[u8], kind: u8) -> Vec<u8> {
        let mut header = vec![0; 512];
        header[..7].copy_from_slice(b"Backups");
        header[156] = kind;
        header[257..257 + magic.len()].copy_from_slice(magic);
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        header
    }

    #[test]
    fn every_signature_is_recognised_and_named() {
        for (offset, bytes, name) in SIGNATURES {
            assert_eq!(name_of(&at(*offset, bytes)), *name);
        }
        assert_eq!(name_of(&at(0, b"BZh9")), "bzip2");
        assert_eq!(name_of(&at(0, b"BZhx")), "data");
    }

    #[test]
    fn tar_is_told_apart_by_magic_member_type_and_checksum() {
        assert_eq!(name_of(&tar_header(b"ustar\x0000", b'0')), "tar (ustar)");
        assert_eq!(name_of(&tar_header(b"ustar  \0", b'0')), "tar (gnu)");
        assert_eq!(
            name_of(&tar_header(b"ustar  \0", b'V')),
            "tar (gnu), volume 'Backups'"
        );
        assert_eq!(
            name_of(&tar_header(b"ustar  \0", b'M')),
            "tar (gnu), goes on with 'Backups'"
        );
        let mut old = tar_header(b"", b'0');
        assert_eq!(name_of(&old), "tar (old)");
        old[3] ^= 1;
        assert_eq!(name_of(&old), "data");
    }

    #[test]
    fn labels_show_their_words() {
        let mut label = b"VOL1BACKUP".to_vec();
        label.resize(80, b' ');
        assert_eq!(name_of(&label), "ANSI volume label 'BACKUP'");
        let mut label = b"HDR1DATASET.ONE".to_vec();
        label.resize(80, b' ');
        assert_eq!(name_of(&label), "ANSI file header 'DATASET.ONE'");
        assert_eq!(name_of(b"VOL1 is how some text starts"), "text");
        assert_eq!(
            name_of(b"AMANDA: TAPESTART DATE X TAPE Daily-01\n\x0c"),
            "Amanda header 'TAPESTART DATE X TAPE Daily-01'"
        );
        assert_eq!(name_of(b"AMANDA: \x1b[2J\n"), "Amanda header '\\u{1b}[2J'");
    }

    #[test]
    fn dump_headers_need_their_checksum_in_either_byte_order() {
        for (magic, name) in [
            (60_011_u32, "dump (old format)"),
            (60_012, "dump"),
            (0x1954_0119, "dump (UFS2)"),
        ] {
            let mut numbers = [0_u32; 256];
            numbers[0] = 1;
            numbers[6] = magic;
            numbers[7] = 84_446_u32.wrapping_sub(1).wrapping_sub(magic);
            let little: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
            let big: Vec<u8> = numbers
                .iter()
                .flat_map(|n| n.swap_bytes().to_le_bytes())
                .collect();
            assert_eq!(name_of(&little), name);
            assert_eq!(name_of(&big), name);
            let mut wrong = little;
            wrong[100] ^= 1;
            assert_eq!(name_of(&wrong), "data");
        }
    }

    #[test]
    fn text_zeros_and_data_are_told_apart() {
        assert_eq!(name_of(b"one line\nanother\n"), "text");
        assert_eq!(name_of("gr\u{fc}n".as_bytes()), "text");
        assert_eq!(
            name_of(&"gr\u{fc}n".as_bytes()[..3]),
            "text",
            "cut in a character"
        );
        assert_eq!(name_of(&[0; 512]), "zeros");
        assert_eq!(name_of(&[0]), "zeros");
        assert_eq!(name_of(b"\xff\xfe\x00"), "data");
        assert_eq!(name_of(b""), "data");
    }

    #[test]
    fn no_sample_of_any_length_is_too_short() {
        for (offset, bytes, _) in SIGNATURES {
            let whole = at(*offset, bytes);
            for length in 0..whole.len() {
                recognise(&whole[..length]);
            }
        }
    }
}
