//! More objects than a node of the index has: places, cuts and damage there.

use std::num::NonZeroU32;

use pseudotape_image::{
    Access, CreateParameters, Image, MemoryStore, Object, RECORDS_OFFSET, Uuid, VolumeId,
};
use pseudotape_tape::{Mark, ObjectNumber, Stop};

const NODE: u64 = 512 * 512;
/// Objects of a file: blocks, and a filemark.
const FILE: u64 = 1000;

/// Two nodes and a part of a third; the number of a block is its content.
fn recorded(objects: u64) -> Image<MemoryStore> {
    let parameters = CreateParameters::new(VolumeId(Uuid::from_u128(0x0192)), 0);
    let mut image = Image::create(MemoryStore::default(), &parameters).unwrap();
    let size = NonZeroU32::new(8).unwrap();
    let mut object = 0;
    while object < objects {
        let blocks = (FILE - 1).min(objects - object);
        let data: Vec<u8> = (object..object + blocks)
            .flat_map(u64::to_le_bytes)
            .collect();
        image.append_blocks(size, &data).unwrap();
        object += blocks;
        if object < objects {
            image.append_marks(Mark::Filemark, 1).unwrap();
            object += 1;
        }
    }
    image
}

fn check_places(image: &mut Image<MemoryStore>, objects: u64) {
    assert_eq!(image.end_of_data().object.0, objects);
    let places = [
        1,
        511,
        512,
        NODE - 1,
        NODE,
        NODE + 1,
        2 * NODE - 1,
        2 * NODE,
        objects - 1,
        123_456,
        400_000,
    ];
    for object in places.into_iter().filter(|object| *object < objects) {
        image.locate(ObjectNumber(object)).unwrap();
        let place = image.place();
        let marks = object / FILE;
        assert_eq!((place.object.0, place.file.0), (object, marks));
        assert_eq!(place.payload_bytes_before, (object - marks) * 8);
        assert_eq!(image.objects_since_filemark().unwrap(), object % FILE);
        let mut buffer = [0; 8];
        match image.read_object(&mut buffer).unwrap() {
            Object::Block { length: 8, .. } => assert_eq!(u64::from_le_bytes(buffer), object),
            Object::Filemark => assert_eq!(object % FILE, FILE - 1),
            other => panic!("{other:?} at {object}"),
        }
    }
    image.rewind();
    for (step, object, stop) in [
        (260, 260 * FILE, None),
        (5, 265 * FILE, None),
        (-4, 262 * FILE - 1, None),
        (-1000, 0, Some(Stop::BeginningOfPartition)),
        (10_000, objects, Some(Stop::EndOfData)),
    ] {
        let spaced = image.space_marks(Mark::Filemark, step).unwrap();
        assert_eq!((image.place().object.0, spaced.stop), (object, stop));
    }
    image.locate(ObjectNumber(NODE)).unwrap();
    assert_eq!(
        image.space_blocks(i64::MAX).unwrap().stop,
        Some(Stop::Filemark)
    );
    assert_eq!(image.place().object.0, (NODE / FILE + 1) * FILE);
}

#[test]
fn places_beyond_a_node_are_found_cut_and_made_anew() {
    let objects = 2 * NODE + 700;
    let mut image = recorded(objects);
    check_places(&mut image, objects);
    let payload = image.payload_bytes();
    let overhead = image.host_bytes() - RECORDS_OFFSET - payload;
    assert!(
        overhead <= 58 * objects,
        "{overhead} bytes for {objects} objects"
    );
    let bytes = image.finish().unwrap().into_bytes();

    let (mut image, report) =
        Image::open(MemoryStore::new(bytes.clone()), Access::ReadWrite).unwrap();
    assert!(
        report.is_clean() && report.scanned_records == 0,
        "{report:?}"
    );
    check_places(&mut image, objects);
    assert_eq!(image.check_index().unwrap(), []);

    // Nodes damaged, then the roots too.
    let mut damaged = bytes;
    let records = index_records(&damaged);
    let mut damage = |level: u8| {
        for (_, at) in records.iter().filter(|(form, _)| *form == level) {
            damaged[at + 60] ^= 1;
        }
        damaged.clone()
    };
    let no_nodes = damage(1);
    let (mut image, _) = Image::open(MemoryStore::new(no_nodes), Access::ReadWrite).unwrap();
    check_places(&mut image, objects);
    assert_eq!(image.check_index().unwrap().len(), 2);
    let no_roots = damage(2);
    let (mut image, report) = Image::open(MemoryStore::new(no_roots), Access::ReadWrite).unwrap();
    assert!(report.index_rebuilt);
    check_places(&mut image, objects);

    // Cut on both sides of a node, and go on from there.
    for object in [NODE + 1, NODE, NODE - 1, 512, 511] {
        image.locate(ObjectNumber(object)).unwrap();
        image.append_marks(Mark::Setmark, 600).unwrap();
        let (again, report) = Image::open(image.finish().unwrap(), Access::ReadWrite).unwrap();
        assert!(report.torn_tail.is_none() && report.gaps.is_empty());
        image = again;
        assert_eq!(image.end_of_data().object.0, object + 600);
        assert_eq!(image.mark_counts(), (object / FILE, 600));
        assert_eq!(image.space_marks(Mark::Setmark, 600).unwrap().count, 600);
        assert_eq!(image.space_marks(Mark::Setmark, -600).unwrap().count, 600);
        assert_eq!(image.place().object.0, object);
    }
}

/// Level and place of each index record.
fn index_records(bytes: &[u8]) -> Vec<(u8, usize)> {
    let mut at = RECORDS_OFFSET as usize;
    let mut found = Vec::new();
    while at + 48 <= bytes.len() {
        let length = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
        if bytes[at + 4] >= 5 {
            found.push((bytes[at + 6], at));
        }
        at += 48 + length;
    }
    found
}
