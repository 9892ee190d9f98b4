//! The headers of members, to bytes and back: ustar, with pax records before it where ustar has no room.

pub(crate) use pseudotape_pax::{END, RECORD, padding};
use pseudotape_pax::{Magic, Records, Ustar};
use pseudotape_pax::{USTAR_END, USTAR_NAME};

/// The member that holds pax records. GNU tar names it after the member, which nothing needs.
const PAX_NAME: &str = "PaxHeaders/payload";

/// Whether text can be the name of a payload: wherever it is extracted, it makes a file there and nowhere else.
pub(crate) fn is_name(text: &str) -> bool {
    let allowed = |c: char| !c.is_control() && c != '/' && c != '\\';
    !matches!(text, "" | "." | "..") && text.len() <= 240 && text.chars().all(allowed)
}

const FILE: u8 = b'0';
const PAX: u8 = b'x';
const GLOBAL: u8 = b'g';

fn ustar(kind: u8, name: &str, length: u64, mtime_s: u64) -> [u8; RECORD] {
    let short = name.chars().map(|c| if c.is_ascii() { c } else { '_' });
    let short: String = short.take(USTAR_NAME).collect();
    let header = Ustar {
        kind,
        name: short.into(),
        mode: Some(0o644),
        // A length that does not fit stands in a pax record: base-256 is GNU's and not pax.
        size: Some(length),
        mtime_s: Some(mtime_s),
        ..Ustar::default()
    };
    header.encode()
}

/// What stands before the bytes of a member.
pub(crate) fn header(name: &str, length: u64, mtime_s: u64) -> Vec<u8> {
    let mut records = Records::default();
    if length >= USTAR_END {
        records.add("size", length.to_string());
    }
    if name.len() > USTAR_NAME || !name.is_ascii() {
        records.add("path", name);
    }
    let mut bytes = Vec::new();
    if !records.is_empty() {
        let records = records.encode();
        let records_length = records.len() as u64;
        bytes.extend_from_slice(&ustar(PAX, PAX_NAME, records_length, mtime_s));
        bytes.extend_from_slice(&records);
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
    let Some(header) = Ustar::parse(record)? else {
        return Ok(Head::End);
    };
    if header.magic != Magic::Posix {
        return Err("no header of a pax archive is where one should be");
    }
    let length = header.size.ok_or("a header has no length")?;
    Ok(match header.kind {
        FILE => Head::File {
            name: header.name,
            length,
        },
        PAX => Head::Pax(length),
        GLOBAL => Head::Global(length),
        _ => Head::Other,
    })
}

/// What pax records say of the next file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PaxRecords {
    pub(crate) length: Option<u64>,
    pub(crate) name: Option<Vec<u8>>,
}

/// Reads pax records. What is not known is passed over.
pub(crate) fn parse_pax(bytes: &[u8]) -> Result<PaxRecords, &'static str> {
    let records = Records::parse(bytes)?;
    let mut found = PaxRecords::default();
    if let Some(value) = records.value("size") {
        let length = str::from_utf8(value).ok();
        let length = length.and_then(|text| text.parse().ok());
        found.length = Some(length.ok_or("a pax record has no length")?);
    }
    found.name = records.value("path").map(<[u8]>::to_vec);
    Ok(found)
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
