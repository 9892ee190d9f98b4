//! The vectors of docs/FILTER.md: what they hold comes back, and is made again byte by byte.

use crate::codec::{Compression, Decoder, Encoder, Filter};
use crate::header::{ENCRYPTION_BYTES, HEADER_BYTES, HeaderBytes, SealBytes};
use crate::key::Key;

const DOCUMENT: &str = include_str!("../../../docs/FILTER.md");

fn key() -> Key {
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(0..).for_each(|(byte, n)| *byte = n);
    Key::new(bytes)
}

fn salt() -> [u8; 32] {
    let mut salt = [0; 32];
    salt.iter_mut().zip(32..).for_each(|(byte, n)| *byte = n);
    salt
}

/// The bytes that stand in the document behind a name.
fn vector(name: &str) -> Vec<u8> {
    let (_, rest) = DOCUMENT
        .split_once(&format!("<!-- vector: {name} -->\n\n"))
        .unwrap_or_else(|| panic!("no vector {name} in the document"));
    rest.lines()
        .take_while(|line| line.starts_with("    "))
        .flat_map(str::split_whitespace)
        .map(|digits| u8::from_str_radix(digits, 16).expect("hexadecimal digits"))
        .collect()
}

fn shown(bytes: &[u8]) -> String {
    let lines = bytes.chunks(16).map(|line| {
        let digits: Vec<_> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("    {}\n", digits.join(" "))
    });
    lines.collect()
}

fn cases() -> Vec<(&'static str, Filter, Vec<u8>)> {
    let filter = |compression, key| Filter { compression, key };
    vec![
        ("raw", filter(None, None), b"pseudotape".to_vec()),
        (
            "zstd",
            filter(Some(Compression::Zstd), None),
            vec![b'a'; 1000],
        ),
        (
            "lz4",
            filter(Some(Compression::Lz4), None),
            vec![b'a'; 1000],
        ),
        ("aes", filter(None, Some(key())), b"pseudotape".to_vec()),
        (
            "lz4 aes",
            filter(Some(Compression::Lz4), Some(key())),
            vec![b'a'; 1000],
        ),
    ]
}

#[test]
fn the_vectors_of_the_document_are_made_and_read() {
    let mut wrong = String::new();
    for (name, filter, block) in cases() {
        let mut encoder = Encoder::new(&filter);
        encoder.set_salt(salt());
        let made = encoder
            .encode(&block, 1, 1)
            .expect("random numbers")
            .to_vec();
        let mut there = vector(name);
        // Another version of the library may compress zstd otherwise; what is written stays readable.
        if name != "zstd" && there != made || there.len() < 25 {
            wrong += &format!("{name}:\n{}", shown(&made));
            continue;
        }
        let mut back = vec![0; block.len()];
        let length = Decoder::new(&filter).decode(&mut there, 1 << 20, &mut back);
        assert_eq!(length, Ok(u32::try_from(block.len()).unwrap()), "{name}");
        assert!(back == block, "{name}");
    }
    assert!(wrong.is_empty(), "docs/FILTER.md should have:\n{wrong}");
}

/// Rows `| offset | size | field |` of the table behind a mark.
fn table(name: &str) -> Vec<(usize, usize, String)> {
    let (_, rest) = DOCUMENT
        .split_once(&format!("<!-- table: {name} -->\n"))
        .unwrap_or_else(|| panic!("no table {name} in the document"));
    let rows = rest
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let number = |cell: &str| cell.parse().expect("a number");
        (number(cells[1]), number(cells[2]), cells[3].to_owned())
    })
    .collect()
}

#[test]
fn the_tables_of_the_document_are_the_structures() {
    use std::mem::offset_of;

    macro_rules! offsets {
        ($structure:ident: $($field:ident)*) => {
            vec![$((offset_of!($structure, $field), stringify!($field).to_owned())),*]
        };
    }
    let header = offsets!(HeaderBytes: magic version compression encryption reserved length stored stored_crc header_crc);
    let seal = offsets!(SealBytes: key_check salt counter);
    for (name, offsets, total) in [
        ("HeaderBytes", header, HEADER_BYTES),
        ("SealBytes", seal, ENCRYPTION_BYTES - 16),
    ] {
        let rows = table(name);
        let documented: Vec<_> = rows
            .iter()
            .map(|(offset, _, field)| (*offset, field.clone()))
            .collect();
        assert_eq!(documented, offsets, "{name}");
        let mut end = 0;
        for (offset, size, field) in rows {
            assert_eq!(offset, end, "{field}");
            end = offset + size;
        }
        assert_eq!(end, total, "{name}");
    }
}
