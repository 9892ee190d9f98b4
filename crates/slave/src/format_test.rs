//! The code agrees with docs/SLAVE-PROTOCOL.md and with the vectors, and every message survives encoding and
//! decoding.

use crate::bodies::*;
use crate::codec;
use crate::codes::Code;
use crate::foreign::ForeignHello;
use crate::header::HeaderBytes;
use crate::header::{Head, Header, Payload, Received};
use crate::limits::{HEADER_BYTES, MAX_BODY_BYTES};
use crate::reply::{REPLIES, Reply};
use crate::request::{REQUESTS, Request};
use crate::samples;

/// Decodes a message as a receiver does.
fn received(bytes: &[u8]) -> Received {
    let header = Header::parse(bytes.first_chunk().unwrap()).unwrap();
    let body = &bytes[HEADER_BYTES..HEADER_BYTES + header.body_length];
    Received::new(header, body).unwrap()
}

#[test]
fn every_request_comes_back_as_it_was() {
    let mut kinds = Vec::new();
    for (request, data) in samples::requests() {
        let payload = Payload::Streamed(data);
        let head = Head::new(request.kind(), 7, payload, |out| request.encode(out));
        let received = received(head.bytes());
        assert_eq!(
            (received.header.kind, received.header.id),
            (request.kind(), 7)
        );
        received.header.check_payload(data).unwrap();
        let decoded = Request::decode(received.header.kind, received.body());
        assert_eq!(decoded, Ok(request.clone()));
        kinds.push((request.kind(), request.name()));
    }
    for request in samples::added_requests() {
        let head = Head::new(request.kind(), 7, Payload::None, |out| request.encode(out));
        let received = received(head.bytes());
        let decoded = Request::decode(received.header.kind, received.body());
        assert_eq!(decoded, Ok(request));
    }
    kinds.dedup();
    assert_eq!(kinds, REQUESTS, "there is a sample of every kind");
}

#[test]
fn every_reply_comes_back_as_it_was() {
    let mut kinds = std::collections::BTreeSet::new();
    for (reply, data) in samples::replies() {
        let payload = Payload::Streamed(data);
        let head = Head::new(reply.kind(), 7, payload, |out| reply.encode(out));
        let received = received(head.bytes());
        received.header.check_payload(data).unwrap();
        assert!(received.body().len() <= MAX_BODY_BYTES);
        let decoded = Reply::decode(received.header.kind, received.body());
        assert_eq!(decoded, Ok(reply.clone()));
        kinds.insert(reply.kind());
    }
    let all = REPLIES.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, all, "there is a sample of every kind");
}

const DOCUMENT: &str = include_str!("../../../docs/SLAVE-PROTOCOL.md");
const VECTORS: &str = include_str!("../../../tests/vectors/slave-v1.txt");

type Field = (usize, usize, String);

/// Makes a structure in which every byte has this value.
fn filled<T: bincode::Decode<()>>(byte: u8) -> T {
    let lengths = 1..=MAX_BODY_BYTES;
    let decoded = lengths
        .map(|length| codec::decode(&vec![byte; length]))
        .find(Option::is_some);
    decoded
        .flatten()
        .expect("structures are no longer than a body")
}

/// Finds the bytes of a field: the bytes that change when the field changes.
fn changed<T: bincode::Encode>(without: &T, with: &T) -> (usize, usize) {
    let (mut old, mut new) = ([0; MAX_BODY_BYTES], [0; MAX_BODY_BYTES]);
    codec::encode(without, &mut old);
    codec::encode(with, &mut new);
    let places: Vec<usize> = (0..MAX_BODY_BYTES)
        .filter(|at| old[*at] != new[*at])
        .collect();
    let first = places[0];
    assert!(places.iter().copied().eq(first..first + places.len()));
    (first, places.len())
}

/// Offset, size and name of each field. Together the fields must leave no gap.
macro_rules! fields {
    ($type:ty: $($field:ident),*) => {{
        let (zeros, ones) = (filled::<$type>(0), filled::<$type>(0xff));
        let fields: Vec<Field> = vec![$({
            let (offset, size) = changed(&zeros, &<$type>::clone(&with!(zeros, ones, $field)));
            (offset, size, stringify!($field).to_owned())
        }),*];
        let whole = codec::encode(&ones, &mut [0; MAX_BODY_BYTES]);
        assert_eq!(fields.iter().map(|(_, size, _)| size).sum::<usize>(), whole);
        (stringify!($type), fields)
    }};
}

macro_rules! with {
    ($zeros:expr, $ones:expr, $field:ident) => {{
        let mut one = $zeros.clone();
        one.$field = $ones.$field;
        one
    }};
}

fn table_rows(marker: &str) -> Vec<Vec<String>> {
    let (_, behind) = DOCUMENT
        .split_once(&format!("<!-- {marker} -->\n"))
        .unwrap_or_else(|| panic!("the table {marker} is not there"));
    let rows = behind
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    rows.map(|line| {
        line.split('|')
            .skip(1)
            .map(|cell| cell.trim().to_owned())
            .collect()
    })
    .collect()
}

#[test]
fn the_fields_are_where_the_document_says() {
    let structures = [
        fields!(HeaderBytes: magic, version, kind, id, flags, body_length, payload_length, body_crc,
            payload_crc, header_crc),
        fields!(HelloBytes: largest_payload, silence_ms, offers),
        fields!(GoodbyeBytes: reason, oldest, newest, text),
        fields!(SetModeBytes: block_size, density, buffering, compression, changes),
        fields!(ReadBytes: block_size, length),
        fields!(WriteBytes: block_size),
        fields!(MarksBytes: count, mark, immediate),
        fields!(SpaceBytes: count, unit),
        fields!(LocateBytes: object, partition, changes_partition),
        fields!(PartitionsBytes: size_mib, kind),
        fields!(ByteBytes: value),
        fields!(WelcomeBytes: vendor, product, revision, serial, min_block, max_block, granularity, takes),
        fields!(UnsupportedBytes: oldest, newest, features),
        fields!(OutcomeBytes: count, object, file, block_length, partition, knows, stop, sense),
        fields!(ModeBytes: block_size, density, buffering, state, last_partition),
        fields!(CapacityBytes: total, early_warning, used, room, limited),
    ];
    for (name, fields) in &structures {
        let documented: Vec<Field> = table_rows(&format!("table: {name}"))
            .iter()
            .map(|row| {
                (
                    row[0].parse().unwrap(),
                    row[1].parse().unwrap(),
                    row[2].clone(),
                )
            })
            .collect();
        assert_eq!(&documented, fields, "{name}");
    }
    let tables = DOCUMENT.matches("<!-- table: ").count();
    assert_eq!(
        tables,
        structures.len(),
        "every table is held against its structure"
    );
}

#[test]
fn the_kinds_are_those_of_the_document() {
    let first_two = |marker| -> Vec<(String, String)> {
        let rows = table_rows(marker);
        rows.iter()
            .map(|row| (row[0].clone(), row[1].clone()))
            .collect()
    };
    let requests: Vec<_> = REQUESTS
        .iter()
        .map(|(k, name)| (k.to_string(), (*name).to_owned()))
        .collect();
    assert_eq!(first_two("requests"), requests);
    let replies: Vec<_> = REPLIES
        .iter()
        .map(|(k, name)| (format!("{k:#06x}"), (*name).to_owned()))
        .collect();
    assert_eq!(first_two("replies"), replies);
}

#[test]
fn the_bodies_are_those_of_the_document() {
    let longest = |name: &str| {
        let rows = table_rows(&format!("table: {name}"));
        let last = rows.last().unwrap().clone();
        last[0].parse::<usize>().unwrap() + last[1].parse::<usize>().unwrap()
    };
    let lengths = |kind: String, marker: &str| -> usize {
        let rows = table_rows(marker);
        let row = rows.iter().find(|row| row[0] == kind).unwrap();
        match row[2].split(':').next().unwrap() {
            "" => 0,
            name => longest(name),
        }
    };
    let body = |encode: &dyn Fn(&mut [u8]) -> usize| encode(&mut [0; MAX_BODY_BYTES]);
    for (request, _) in samples::requests() {
        let kind = request.kind().to_string();
        assert_eq!(
            body(&|out| request.encode(out)),
            lengths(kind, "requests"),
            "{request:?}"
        );
    }
    for (reply, _) in samples::replies() {
        let kind = format!("{:#06x}", reply.kind());
        assert_eq!(
            body(&|out| reply.encode(out)),
            lengths(kind, "replies"),
            "{reply:?}"
        );
    }
}

fn coded<T: Code>() -> Vec<[String; 3]> {
    let rows = T::TABLE.iter();
    rows.map(|(number, _, word)| [T::WHAT.to_owned(), number.to_string(), (*word).to_owned()])
        .collect()
}

#[test]
fn the_numbers_are_those_of_the_document() {
    use pseudotape_tape::{Door, EraseExtent, LoadKind, Mark, Sense, SpaceUnit, Stop, WriteMode};
    let coded = [
        coded::<Stop>(),
        coded::<Sense>(),
        coded::<Mark>(),
        coded::<WriteMode>(),
        coded::<SpaceUnit>(),
        coded::<LoadKind>(),
        coded::<EraseExtent>(),
        coded::<Door>(),
    ]
    .concat();
    let rows = table_rows("codes");
    let documented: Vec<_> = rows
        .iter()
        .map(|row| [row[0].clone(), row[1].clone(), row[2].clone()])
        .collect();
    assert_eq!(documented, coded);
    for text in [
        format!("{:#X}", crate::MAGIC).replace("0X", "0x"),
        format!("a body of at most {MAX_BODY_BYTES}"),
        format!("header of {HEADER_BYTES}"),
        format!("at most {}", crate::MAX_PAYLOAD_BYTES),
    ] {
        assert!(DOCUMENT.contains(&text), "{text}");
    }
    for (number, word) in crate::request::REASONS {
        assert!(
            DOCUMENT.contains(&format!("{number}: {word}")),
            "{number} {word}"
        );
    }
}

/// A greeting of another version whose body is longer than the one of this version.
fn hello_of_version(version: u16) -> Vec<u8> {
    let head = Head::new(1, 0x2100, Payload::None, |out| {
        out[..20].copy_from_slice(b"what is known later!");
        20
    });
    let mut bytes = head.bytes().to_vec();
    bytes[4..6].copy_from_slice(&version.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..36]);
    bytes[36..40].copy_from_slice(&crc.to_le_bytes());
    bytes
}

#[test]
fn a_greeting_of_another_version_is_told_from_everything_else() {
    let recognise = |bytes: &[u8]| ForeignHello::recognise(bytes.first_chunk().unwrap());
    let changed = |at: usize, byte: u8, seals: bool| {
        let mut bytes = hello_of_version(2);
        bytes[at] = byte;
        if seals {
            let crc = crc32fast::hash(&bytes[..36]);
            bytes[36..40].copy_from_slice(&crc.to_le_bytes());
        }
        recognise(&bytes)
    };
    for version in [0, 2, 0xffff] {
        let hello = recognise(&hello_of_version(version)).unwrap();
        assert_eq!(
            (hello.version, hello.id, hello.body_length),
            (version, 0x2100, 20)
        );
    }
    assert_eq!(recognise(&hello_of_version(1)), None);
    assert!(changed(20, 128, true).is_some(), "the longest body");
    for (at, byte, what) in [
        (0, 0, "magic"),
        (6, 2, "kind"),
        (20, 129, "a body too long"),
        (24, 1, "a payload"),
    ] {
        assert_eq!(changed(at, byte, true), None, "{what}");
    }
    assert_eq!(changed(8, 7, false), None, "a checksum that is wrong");
}

/// Every sample as one line: its name, a colon, then its bytes with the payload.
fn vectors() -> String {
    let line = |what: String, head: Head, data: &[u8]| {
        let bytes = [head.bytes(), data].concat();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{what}: {hex}\n")
    };
    let mut text = String::new();
    for (at, (request, data)) in samples::requests().into_iter().enumerate() {
        let id = 0x1000 + at as u64;
        let head = Head::new(request.kind(), id, Payload::Streamed(data), |out| {
            request.encode(out)
        });
        text += &line(format!("{} {at}", request.name()), head, data);
    }
    for (at, (reply, data)) in samples::replies().into_iter().enumerate() {
        let id = 0x1_0000_0000 + at as u64;
        let head = Head::new(reply.kind(), id, Payload::Streamed(data), |out| {
            reply.encode(out)
        });
        let name = REPLIES
            .iter()
            .find(|(kind, _)| *kind == reply.kind())
            .unwrap()
            .1;
        text += &line(format!("{name} {at}"), head, data);
    }
    let (data, at) = (b"in shared memory", samples::requests().len());
    for checksums in [crate::Checksums::Streamed, crate::Checksums::Always] {
        let request = Request::Write(pseudotape_tape::Transfer::Variable);
        let payload = Payload::Shared(data, checksums);
        let head = Head::new(request.kind(), at as u64, payload, |out| {
            request.encode(out)
        });
        text += &line(
            format!("write, payload in shared memory, checksums {checksums:?}"),
            head,
            &[],
        );
    }
    let added = samples::added_requests();
    for (at, request) in added.iter().enumerate() {
        let head = Head::new(request.kind(), 0x2000 + at as u64, Payload::None, |out| {
            request.encode(out)
        });
        text += &line(format!("{}, added {at}", request.name()), head, &[]);
    }
    let hex: String = hello_of_version(2)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    text += &format!("hello of version 2: {hex}\n");
    text
}

#[test]
fn the_bytes_are_those_of_the_vectors() {
    let made = vectors();
    for (made, kept) in made.lines().zip(VECTORS.lines()) {
        assert_eq!(made, kept);
    }
    assert!(
        made == VECTORS,
        "a new vector is missing in the file:\n{made}"
    );
}
