//! Nothing is allocated for a record: neither writing, nor reading, nor going somewhere.

use std::num::NonZeroU32;

use pseudotape_image::{Access, CreateParameters, FileStore, Image, Uuid, VolumeId};
use pseudotape_tape::{Mark, ObjectNumber};
use pseudotape_testkit::counting::{Counting, allocations};

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn nothing_is_allocated_for_a_record() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.ptape");
    let parameters = CreateParameters::new(VolumeId(Uuid::from_u128(0x0192)), 0);
    let mut image = Image::create(FileStore::create(&path).unwrap(), &parameters).unwrap();
    let data = vec![7; 65536];
    let mut buffer = vec![0; 65536];
    assert!(allocations(|| drop(vec![1; 10])) > 0, "the counter counts");

    // Past leaves and a root of the index.
    let written = allocations(|| {
        for _ in 0..9000 {
            image.append_block(&data[..100]).unwrap();
        }
        image.append_block(&data[..1000]).unwrap();
        image.extend_block(&data).unwrap();
        image
            .append_blocks(NonZeroU32::new(512).unwrap(), &data)
            .unwrap();
        image.append_marks(Mark::Filemark, 3).unwrap();
        image.sync().unwrap();
    });
    assert_eq!(written, 0, "writing");
    let store = image.finish().unwrap();
    let (mut image, _) = Image::open(store, Access::ReadWrite).unwrap();

    let read = allocations(|| {
        for _ in 0..9000 {
            image.read_object(&mut buffer).unwrap();
        }
        image.read_object(&mut buffer[..10]).unwrap();
    });
    assert_eq!(read, 0, "reading");

    let gone = allocations(|| {
        for object in (0..9000).rev().step_by(7) {
            image.locate(ObjectNumber(object)).unwrap();
            image.space_blocks(-1).unwrap();
            image.space_blocks(3).unwrap();
        }
        image.space_marks(Mark::Filemark, 2).unwrap();
        image.space_marks(Mark::Filemark, -2).unwrap();
        image.rewind();
    });
    assert_eq!(gone, 0, "going somewhere");
}
