//! What the host does wrong reaches the writer, and what it lends is given back.

use std::fs;
use std::num::NonZeroU32;
use std::os::unix::fs::MetadataExt;

use pseudotape_image::{
    Access, CreateParameters, Error, FileStore, Image, Object, RECORDS_OFFSET, Store, Uuid,
    VolumeId, WriteProtect,
};
use pseudotape_tape::{Mark, ObjectNumber};
use pseudotape_testkit::block_of;
use pseudotape_testkit::store::{FaultyStore, StoreFault};

fn parameters() -> CreateParameters {
    CreateParameters::new(VolumeId(Uuid::from_u128(0x0192)), 0)
}

fn faulty() -> (FaultyStore, Image<FaultyStore>) {
    let store = FaultyStore::default();
    let image = Image::create(store.clone(), &parameters()).unwrap();
    (store, image)
}

fn blocks_of<S: Store>(image: &mut Image<S>) -> Vec<Vec<u8>> {
    let mut buffer = vec![0; 1 << 16];
    let mut blocks = Vec::new();
    image.rewind();
    while let Object::Block { copied, .. } = image.read_object(&mut buffer).unwrap() {
        blocks.push(buffer[..copied].to_vec());
    }
    blocks
}

#[test]
fn a_full_host_disk_shows_before_it_is_full_and_then_loses_nothing() {
    let (store, mut image) = faulty();
    image.set_host_ahead_bytes(20_000);
    let limit = RECORDS_OFFSET + 100_000;
    store.set_fault(Some(StoreFault::FullAt(limit)));
    let mut written = Vec::new();
    let mut low_since = None;
    let error = loop {
        let data = block_of(written.len() as u64, 1000);
        match image.append_block(&data) {
            Ok(()) => written.push(data),
            Err(error) => break error,
        }
        if image.is_host_low() && low_since.is_none() {
            low_since = Some(image.host_bytes());
        }
    };
    assert!(matches!(error, Error::HostFull { .. }), "{error}");
    let low_since = low_since.expect("shown as low first");
    assert!(
        limit - low_since > 15_000 && limit - low_since < 25_000,
        "{low_since}"
    );
    assert_eq!(image.end_of_data().object.0, written.len() as u64);
    // What still fits can be written, and all of it is there.
    image.append_marks(Mark::Filemark, 1).unwrap();
    store.set_fault(None);
    image.sync().unwrap();
    image.append_marks(Mark::Filemark, 1).unwrap();
    assert!(!image.is_host_low(), "there is room again");
    let (mut again, _) = Image::open(image.finish().unwrap(), Access::ReadOnly).unwrap();
    assert!(blocks_of(&mut again) == written);
}

#[test]
fn a_write_that_fails_half_done_leaves_nothing_that_can_be_taken_for_data() {
    for failing in 0..4 {
        let (store, mut image) = faulty();
        image.append_block(b"before").unwrap();
        store.set_fault(Some(StoreFault::Write(failing)));
        // Batches of blocks whose frames are whole in the half that was written.
        let size = NonZeroU32::new(100).unwrap();
        let error = image
            .append_blocks(size, &block_of(1, 100 * 256))
            .unwrap_err();
        assert!(
            matches!(
                error,
                Error::Host {
                    action: "write",
                    ..
                }
            ),
            "{error}"
        );
        assert_eq!(image.place().object.0, 1 + failing * 64);
        assert_eq!(image.place(), image.end_of_data());
        store.set_fault(None);
        for finish in [false, true] {
            let (mut crashed, _) = Image::open(store.clone(), Access::ReadOnly).unwrap();
            let found = blocks_of(&mut crashed).len() as u64;
            assert!(found > failing * 64, "{found}");
            if !finish {
                image.append_block(&block_of(2, 100)).unwrap();
                let mut blocks = blocks_of(&mut image);
                assert_eq!(blocks.pop(), Some(block_of(2, 100)));
                image.to_end_of_data();
            }
        }
        let end = image.end_of_data();
        let (crashed, report) = Image::open(store.clone(), Access::ReadOnly).unwrap();
        assert_eq!(
            crashed.end_of_data(),
            end,
            "nothing of the failed write came back"
        );
        assert_eq!(report.torn_tail, None);
    }
}

#[test]
fn after_a_failed_commit_nothing_is_acknowledged_any_more() {
    let (store, mut image) = faulty();
    image.append_block(b"one").unwrap();
    image.sync().unwrap();
    image.append_block(b"two").unwrap();
    store.set_fault(Some(StoreFault::Sync));
    assert!(matches!(
        image.sync(),
        Err(Error::Host {
            action: "commit",
            ..
        })
    ));
    // A host that forgot what it could not write says that all is well the next time.
    store.set_fault(None);
    assert!(matches!(
        image.sync(),
        Err(Error::CommitFailed { from_object: 1 })
    ));
    assert!(matches!(
        image.append_block(b"three"),
        Err(Error::CommitFailed { .. })
    ));
    assert_eq!(blocks_of(&mut image).len(), 2);
    assert!(matches!(image.finish(), Err(Error::CommitFailed { .. })));
}

#[test]
fn a_failed_commit_while_dropping_is_reported_and_writes_nothing_new() {
    let (store, mut image) = faulty();
    (0..10).for_each(|seed| image.append_block(&block_of(seed, 50)).unwrap());
    image.sync().unwrap();
    image.locate(ObjectNumber(5)).unwrap();
    store.set_fault(Some(StoreFault::Sync));
    assert!(matches!(
        image.append_block(b"new"),
        Err(Error::Host {
            action: "commit",
            ..
        })
    ));
    store.set_fault(None);
    assert!(matches!(
        image.append_block(b"new"),
        Err(Error::CommitFailed { .. })
    ));
}

#[test]
fn a_block_that_the_host_cannot_read_is_an_error_and_reading_goes_on_behind_it() {
    let (store, mut image) = faulty();
    (0..5).for_each(|seed| image.append_block(&block_of(seed, 1000)).unwrap());
    image.rewind();
    let from = RECORDS_OFFSET + 2 * 1048 + 48 + 100;
    store.set_fault(Some(StoreFault::Read {
        from,
        to: from + 512,
    }));
    let mut buffer = [0; 1000];
    for object in 0..5 {
        let read = image.read_object(&mut buffer);
        if object == 2 {
            assert!(matches!(read, Err(Error::Host { action: "read", .. })));
        } else {
            read.unwrap();
            assert_eq!(buffer[..], block_of(object, 1000)[..]);
        }
        assert_eq!(image.place().object.0, object + 1);
    }
}

#[test]
fn a_frame_that_the_host_cannot_read_costs_its_page_and_reading_goes_on_behind_it() {
    let (store, mut image) = faulty();
    (0..40).for_each(|seed| image.append_block(&block_of(seed, 1000)).unwrap());
    image.rewind();
    let from = (RECORDS_OFFSET + 20 * 1048) / 4096 * 4096;
    store.set_fault(Some(StoreFault::Read {
        from,
        to: from + 4096,
    }));
    let mut buffer = [0; 1000];
    let mut lost = 0;
    while !image.is_at_end_of_data() {
        let object = image.place().object.0;
        match image.read_object(&mut buffer) {
            Ok(_) => assert_eq!(buffer[..], block_of(object, 1000)[..]),
            Err(_) => lost += image.place().object.0 - object,
        }
        assert!(image.place().object.0 > object);
    }
    assert!((4..=6).contains(&lost), "{lost}");
}

#[test]
fn header_slots_and_roots_that_the_host_cannot_read_are_as_good_as_damaged() {
    let (store, mut image) = faulty();
    (0..5).for_each(|seed| image.append_block(&block_of(seed, 1000)).unwrap());
    image.finish().unwrap();
    let end = store.length().unwrap();
    for (from, to) in [
        (0, 512),
        (4096, 4608),
        (8192, 8704),
        (12288, 12800),
        (end - 60, end - 10),
    ] {
        store.set_fault(Some(StoreFault::Read { from, to }));
        let opened = Image::open(store.clone(), Access::ReadOnly);
        store.set_fault(None);
        let (mut image, report) = opened.unwrap();
        assert_eq!(report.header_copy_used, from == 0);
        assert_eq!(blocks_of(&mut image).len(), 5);
    }
}

#[test]
fn an_image_in_use_can_not_be_opened_a_second_time() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.ptape");
    let image = Image::create(FileStore::create(&path).unwrap(), &parameters()).unwrap();
    for access in [Access::ReadOnly, Access::ReadWrite] {
        let error = FileStore::open(&path, access).unwrap_err();
        assert!(matches!(error, Error::InUse { .. }));
        assert!(
            error.to_string().contains("a.ptape: image is in use"),
            "{error}"
        );
    }
    assert!(matches!(
        FileStore::create(&path),
        Err(Error::Unopenable {
            action: "create",
            ..
        })
    ));
    drop(image);
    let reader = FileStore::open(&path, Access::ReadOnly).unwrap();
    drop(FileStore::open(&path, Access::ReadOnly).unwrap());
    assert!(matches!(
        FileStore::open(&path, Access::ReadWrite),
        Err(Error::InUse { .. })
    ));
    drop(reader);
    let missing = directory.path().join("missing.ptape");
    let error = FileStore::open(&missing, Access::ReadOnly).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("missing.ptape: can't open the image"),
        "{error}"
    );
}

#[test]
fn room_held_ahead_is_given_back_at_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.ptape");
    let mut image = Image::create(FileStore::create(&path).unwrap(), &parameters()).unwrap();
    image.append_block(&block_of(1, 60_000)).unwrap();
    let held = fs::metadata(&path).unwrap();
    assert!(held.len() < 100_000);
    image.finish().unwrap();
    let given_back = fs::metadata(&path).unwrap();
    assert!(
        given_back.blocks() * 512 < 200_000,
        "{} of {} blocks",
        given_back.blocks(),
        held.blocks()
    );
    let store = FileStore::open(&path, Access::ReadWrite).unwrap();
    let (mut image, report) = Image::open(store, Access::ReadWrite).unwrap();
    assert!(report.is_clean());
    assert!(blocks_of(&mut image) == [block_of(1, 60_000)]);
}

#[test]
fn a_volume_with_a_capacity_holds_no_more_room_than_it_can_use() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.ptape");
    let mut small = parameters();
    small.header.capacity_bytes = Some(1 << 20);
    small.header.early_warning_bytes = 1 << 18;
    let mut image = Image::create(FileStore::create(&path).unwrap(), &small).unwrap();
    image.append_block(&block_of(1, 1000)).unwrap();
    assert!(fs::metadata(&path).unwrap().blocks() * 512 < 3 << 20);
}

#[test]
fn what_is_not_for_writing_is_not_written() {
    let (store, mut image) = faulty();
    image.append_block(b"one").unwrap();
    image.set_write_protect(WriteProtect::On).unwrap();
    assert!(matches!(
        image.append_block(b"two"),
        Err(Error::WriteProtected)
    ));
    assert!(matches!(
        image.append_marks(Mark::Filemark, 1),
        Err(Error::WriteProtected)
    ));
    image.rewind();
    assert!(matches!(
        image.erase_from_here(),
        Err(Error::WriteProtected)
    ));
    let before = store.bytes();
    image.finish().unwrap();
    assert_eq!(store.bytes(), before);
    let (mut image, _) = Image::open(store.clone(), Access::ReadOnly).unwrap();
    assert!(image.is_write_protected());
    assert!(matches!(image.append_block(b"two"), Err(Error::ReadOnly)));
    assert!(matches!(
        image.set_write_protect(WriteProtect::Off),
        Err(Error::ReadOnly)
    ));
    image.finish().unwrap();
    assert_eq!(store.bytes(), before);
}

#[test]
fn label_and_barcode_are_kept_and_bounded() {
    let (store, mut image) = faulty();
    image.set_label("Sicherung Müller").unwrap();
    image.set_barcode(&"X".repeat(32)).unwrap();
    assert!(matches!(
        image.set_label(&"x".repeat(129)),
        Err(Error::TextLength { max: 128, .. })
    ));
    assert!(matches!(
        image.set_barcode("a\0b"),
        Err(Error::TextLength { .. })
    ));
    drop(image);
    let (image, _) = Image::open(store, Access::ReadOnly).unwrap();
    assert_eq!(
        (image.label(), image.barcode()),
        ("Sicherung Müller", "X".repeat(32).as_str())
    );
}

/// PT-18
#[test]
fn what_a_copy_misses_is_noted_in_it_until_it_misses_nothing() {
    let (store, mut image) = faulty();
    image.append_block(b"shared").unwrap();
    assert_eq!(image.incomplete_from(), None);
    image.set_incomplete_from(Some(ObjectNumber(1))).unwrap();
    image.set_write_protect(WriteProtect::On).unwrap();
    drop(image);
    let (mut image, _) = Image::open(store.clone(), Access::ReadWrite).unwrap();
    assert_eq!(image.incomplete_from(), Some(ObjectNumber(1)));
    assert!(image.is_write_protected());
    image.set_incomplete_from(Some(ObjectNumber(0))).unwrap();
    assert_eq!(image.incomplete_from(), Some(ObjectNumber(0)));
    image.set_incomplete_from(None).unwrap();
    image.finish().unwrap();
    let (image, _) = Image::open(store, Access::ReadOnly).unwrap();
    assert_eq!(image.incomplete_from(), None);
    assert!(image.is_write_protected());
}

#[test]
fn values_that_can_not_be_are_refused_at_creation() {
    type Change = fn(&mut CreateParameters);
    let changes: [Change; 6] = [
        |p| p.header.block_limits.min_bytes = 0,
        |p| p.header.block_limits.max_bytes = (1 << 31) + 1,
        |p| p.header.block_limits.granularity_bytes = 0,
        |p| p.header.partition_count = 0,
        |p| p.header.capacity_bytes = Some(0),
        |p| {
            p.header.capacity_bytes = Some(10);
            p.header.early_warning_bytes = 11;
        },
    ];
    for change in changes {
        let mut wrong = parameters();
        change(&mut wrong);
        let created = Image::create(FaultyStore::default(), &wrong);
        assert!(matches!(created, Err(Error::HeaderValue { .. })));
    }
}
