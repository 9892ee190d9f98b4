//! Holds the code against the tables of docs/FORMAT.md.

use std::mem::offset_of;

use crate::attributes::{AREA_MAGIC, AreaBytes, AttributeBytes, ENTRIES_BYTES};
use crate::frame::{FRAME_MAGIC, FrameBytes, Kind, Level};
use crate::header::{HEADER_MAGIC, HeaderBytes};
use crate::index::{BranchBytes, LeafBytes, RootBytes};
use crate::layout::{
    AREA_OFFSETS, HEADER_COPY_OFFSET, MAX_BLOCK_BYTES, RECORDS_OFFSET, SLOT_OFFSETS,
};
use crate::slot::{SLOT_MAGIC, SlotBytes};

const DOCUMENT: &str = include_str!("../../../docs/FORMAT.md");

type Field = (usize, usize, String);

/// Offset, size and name of each field; the fields are given in order and leave no hole.
macro_rules! fields {
    ($bytes:ty: $($field:ident),*) => {{
        let starts = [$((offset_of!($bytes, $field), stringify!($field))),*];
        let ends = starts.iter().skip(1).map(|(start, _)| *start).chain([size_of::<$bytes>()]);
        starts.iter().zip(ends).map(|((start, name), end)| (*start, end - start, (*name).to_owned())).collect()
    }};
}

fn table_rows(marker: &str) -> Vec<Vec<String>> {
    let (_, behind) = DOCUMENT
        .split_once(&format!("<!-- {marker} -->\n"))
        .expect("the table is there");
    behind
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            line.split('|')
                .skip(1)
                .map(|cell| cell.trim().to_owned())
                .collect()
        })
        .collect()
}

fn documented(name: &str) -> Vec<Field> {
    table_rows(&format!("table: {name}"))
        .iter()
        .map(|row| {
            (
                row[0].parse().unwrap(),
                row[1].parse().unwrap(),
                row[2].clone(),
            )
        })
        .collect()
}

#[test]
fn the_fields_are_where_the_document_says() {
    let header: Vec<Field> = fields!(HeaderBytes: magic, major, minor, flags, partition, partition_count, volume,
        created_ms, capacity, early_warning, block_min, block_max, block_granularity, reserved_a, incompatible,
        read_only_compatible, compatible, reserved_b, crc);
    let slot: Vec<Field> = fields!(SlotBytes: magic, flags, sequence, segment_start, committed_end, last_root,
        inner_root, segment, reserved_a, label, barcode, incomplete_from, reserved_b, crc);
    let frame: Vec<Field> = fields!(FrameBytes: magic, kind, flags, form, reserved, length, payload_crc, object,
        payload_before, back, file, segment, frame_crc);
    let leaf: Vec<Field> = fields!(LeafBytes: first_file, first_setmark);
    let branch: Vec<Field> = fields!(BranchBytes: offset, first_file, first_setmark);
    let root: Vec<Field> = fields!(RootBytes: previous_root, node_count, leaf_count, entry_count, setmarks,
        first_file, first_setmark);
    let area: Vec<Field> = fields!(AreaBytes: magic, length, sequence, reserved, crc);
    let attribute: Vec<Field> = fields!(AttributeBytes: id, format, reserved, length);
    for (name, fields) in [
        ("AreaBytes", area),
        ("AttributeBytes", attribute),
        ("HeaderBytes", header),
        ("SlotBytes", slot),
        ("FrameBytes", frame),
        ("LeafBytes", leaf),
        ("BranchBytes", branch),
        ("RootBytes", root),
    ] {
        assert_eq!(documented(name), fields, "{name}");
    }
}

#[test]
fn the_kinds_are_those_of_the_document() {
    let kinds = [
        Kind::Block,
        Kind::Filemark,
        Kind::Setmark,
        Kind::BadBlock,
        Kind::Index(Level::Leaf),
        Kind::Index(Level::Node),
        Kind::Index(Level::Root),
        Kind::EndOfData,
    ];
    let documented: Vec<(String, String)> = table_rows("kinds")
        .iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    let mut coded: Vec<(String, String)> = kinds
        .iter()
        .map(|kind| kind.to_bytes())
        .map(|(kind, form)| (kind.to_string(), form.to_string()))
        .collect();
    coded.push(("128–255".to_owned(), "any".to_owned()));
    assert_eq!(documented, coded);
}

#[test]
fn the_places_and_magics_are_those_of_the_document() {
    let [first, second] = SLOT_OFFSETS;
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let [area, area_of_copy] = AREA_OFFSETS;
    for text in [
        format!("{area}      attributes"),
        format!("{area_of_copy}    attributes"),
        format!("at most {ENTRIES_BYTES}"),
        format!("{AREA_MAGIC:#X}").replace("0X", "0x"),
        format!("{first}     slot A"),
        format!("{second}     slot B"),
        format!("{HEADER_COPY_OFFSET}    copy of the header"),
        format!("{RECORDS_OFFSET}    record, record"),
        format!("at most {MAX_BLOCK_BYTES}"),
        format!("`{}`", hex(&HEADER_MAGIC)),
        format!("{FRAME_MAGIC:#X}").replace("0X", "0x"),
        format!("`{}`", hex(&FRAME_MAGIC.to_le_bytes())),
        format!("{SLOT_MAGIC:#X}").replace("0X", "0x"),
    ] {
        assert!(DOCUMENT.contains(&text), "{text}");
    }
}
