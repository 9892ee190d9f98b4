//! The vectors of docs/FILTER.md: what they hold comes back, and is made again byte by byte.

use crate::codec::{Binding, Compression, Decoder, Encoder, Filter, Seat};
use crate::header::{
    BoundSealBytes, ENCRYPTION_BYTES, HEADER_BYTES, HeaderBytes, Place, SealBytes,
};
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

fn bound_salt() -> [u8; 16] {
    crate::key::shortened(&salt())
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

/// What a block is made with.
enum Made {
    Open,
    Version1,
    /// A block that begins a volume.
    First,
    /// The eighth block of a segment on the volume `60 61 … 67`, object 9 of partition 1.
    Later,
}

fn cases() -> Vec<(&'static str, Filter, Made, Vec<u8>)> {
    let filter = |compression, key| Filter {
        compression,
        key,
        binding: Binding::Checked,
    };
    let short = || b"pseudotape".to_vec();
    let long = || vec![b'a'; 1000];
    let lz4 = Some(Compression::Lz4);
    vec![
        ("raw", filter(None, None), Made::Open, short()),
        (
            "zstd",
            filter(Some(Compression::Zstd), None),
            Made::Open,
            long(),
        ),
        ("lz4", filter(lz4, None), Made::Open, long()),
        ("aes", filter(None, Some(key())), Made::Version1, short()),
        ("lz4 aes", filter(lz4, Some(key())), Made::Version1, long()),
        ("aes 2", filter(None, Some(key())), Made::First, short()),
        ("lz4 aes 2", filter(lz4, Some(key())), Made::Later, long()),
    ]
}

fn made(filter: &Filter, how: &Made, block: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(filter);
    let seat = |volume, partition, object| {
        Some(Seat {
            volume,
            place: Place { partition, object },
        })
    };
    let seat = match how {
        Made::Open => None,
        Made::Version1 => {
            encoder.set_segment(key().segment(salt()), 0);
            None
        }
        Made::First => {
            encoder.set_segment(key().bound_segment(bound_salt()), 0);
            seat(None, 0, 0)
        }
        Made::Later => {
            encoder.set_segment(key().bound_segment(bound_salt()), 7);
            seat(Some(*b"`abcdefg"), 1, 9)
        }
    };
    let stored = encoder.encode(block, seat, 1, 1).expect("random numbers");
    stored.to_vec()
}

#[test]
fn the_vectors_of_the_document_are_made_and_read() {
    let mut wrong = String::new();
    for (name, filter, how, block) in cases() {
        let made = made(&filter, &how, &block);
        let mut there = vector(name);
        // Another version of the library may compress zstd otherwise; what is written stays readable.
        if name != "zstd" && there != made || there.len() < 25 {
            wrong += &format!("{name}:\n{}", shown(&made));
            continue;
        }
        let mut back = vec![0; block.len()];
        let mut decoder = Decoder::new(&filter);
        let opened = decoder.open(&mut there, 1 << 20).expect(name);
        let length = decoder.unpack(&opened, &there, &mut back);
        assert_eq!(length, Ok(u32::try_from(block.len()).unwrap()), "{name}");
        assert!(back == block, "{name}");
        let bound = opened.seal.and_then(|seal| seal.bound);
        let place = |partition, object| Place { partition, object };
        assert_eq!(
            bound,
            match how {
                Made::Open | Made::Version1 => None,
                Made::First => Some((*b" !\"#$%&'", place(0, 0))),
                Made::Later => Some((*b"`abcdefg", place(1, 9))),
            },
            "{name}"
        );
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
    let bound = offsets!(
        BoundSealBytes: key_check salt volume counter reserved object partition reserved_too
    );
    for (name, offsets, total) in [
        ("HeaderBytes", header, HEADER_BYTES),
        ("BoundSealBytes", bound, ENCRYPTION_BYTES - 16),
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
