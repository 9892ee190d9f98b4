//! Committed data that are not there any more: the image is write protected until somebody accepts the loss, and says
//! afterwards that something was lost.

use pseudotape_image::{
    Access, CreateParameters, Error, Image, Incomplete, IncompleteCause, MemoryStore, Missing,
    OpenReport, Store, Uuid, VolumeId, WriteProtect,
};
use pseudotape_tape::{Mark, ObjectNumber};
use pseudotape_testkit::store::{FaultyStore, StoreAction, Survival, after_power_loss};

const BLOCKS: u64 = 10;
const BLOCK: [u8; 100] = [0x5A; 100];
/// A frame and a block.
const RECORD: usize = 148;

fn parameters() -> CreateParameters {
    CreateParameters::new(VolumeId(Uuid::from_u128(0x0193)), 0)
}

fn fill<S: Store>(image: &mut Image<S>) {
    for _ in 0..BLOCKS {
        image.append_block(&BLOCK).unwrap();
    }
}

/// Finished, and where the data end in it.
fn whole() -> (Vec<u8>, usize) {
    let mut image = Image::create(MemoryStore::default(), &parameters()).unwrap();
    fill(&mut image);
    let end = usize::try_from(image.host_bytes()).unwrap();
    (image.finish().unwrap().into_bytes(), end)
}

fn open(bytes: Vec<u8>) -> (Image<MemoryStore>, OpenReport) {
    Image::open(MemoryStore::new(bytes), Access::ReadWrite).unwrap()
}

/// Every way in which committed data at the end can go: what is left of the file, and how many blocks are whole.
fn damaged() -> Vec<(&'static str, Vec<u8>, u64)> {
    let (whole, end) = whole();
    let committed = {
        let mut image = Image::create(MemoryStore::default(), &parameters()).unwrap();
        fill(&mut image);
        image.sync().unwrap();
        image.into_store().into_bytes()
    };
    let cut = |bytes: &[u8], length: usize| bytes[..length].to_vec();
    let filled = |bytes: &[u8], from: usize, byte: u8| {
        let mut bytes = bytes.to_vec();
        bytes[from..].fill(byte);
        bytes
    };
    let mut cut_and_long = cut(&whole, end - 3 * RECORD);
    cut_and_long.resize(whole.len() + 4096, 0);
    vec![
        ("cut in a record", cut(&whole, end - RECORD - 7), 8),
        ("cut between records", cut(&whole, end - 2 * RECORD), 8),
        ("cut by a byte", cut(&whole, end - 1), 9),
        ("cut, never finished", cut(&committed, end - RECORD - 7), 8),
        ("cut, and long again", cut_and_long, 7),
        ("zeros at the end", filled(&whole, end - 3 * RECORD, 0), 7),
        (
            "rubbish at the end",
            filled(&committed, end - RECORD, 0xA5),
            9,
        ),
        ("nothing left", cut(&whole, end - 10 * RECORD), 0),
    ]
}

fn missing_of(report: &OpenReport) -> Missing {
    report
        .missing
        .unwrap_or_else(|| panic!("nothing is missing: {report}"))
}

#[test]
fn missing_data_are_found_however_they_went_and_are_no_interrupted_write() {
    for (name, bytes, left) in damaged() {
        let (image, report) = open(bytes);
        let missing = missing_of(&report);
        assert_eq!(missing.from_object, left, "{name}: {report}");
        assert!(missing.bytes > 0, "{name}: {report}");
        assert!(report.is_damaged(), "{name}: {report}");
        assert_eq!(report.torn_tail, None, "{name}: {report}");
        assert_eq!(image.missing(), Some(missing), "{name}");
        assert_eq!(image.end_of_data().object, ObjectNumber(left), "{name}");
    }
}

/// Before, one mark hid what was lost; an unload did, too.
#[test]
fn nothing_that_a_drive_does_hides_that_data_are_missing() {
    for (name, bytes, _) in damaged() {
        let (mut image, report) = open(bytes.clone());
        let found = missing_of(&report);
        let refused = |done: Result<(), Error>, what: &str| match done {
            Err(Error::DataMissing { missing }) => assert_eq!(missing, found, "{name}: {what}"),
            other => panic!("{name}: {what}: {other:?}"),
        };
        image.to_end_of_data();
        refused(image.append_marks(Mark::Filemark, 1), "a mark");
        refused(image.append_block(b"more"), "a block");
        image.rewind();
        refused(image.append_block(b"anew"), "overwriting");
        refused(image.erase_from_here(), "an erasing");
        image.sync().unwrap();
        let left = image.finish().unwrap().into_bytes();
        assert!(left == bytes, "{name}: an unload writes nothing");
        // What is no recording can change, and the finding stays.
        let (mut image, _) = open(bytes);
        image.set_label("damaged").unwrap();
        image.set_write_protect(WriteProtect::On).unwrap();
        image.set_write_protect(WriteProtect::Off).unwrap();
        image.set_incomplete_from(Some(ObjectNumber(99))).unwrap();
        image.set_incomplete_from(None).unwrap();
        let (image, report) = open(image.finish().unwrap().into_bytes());
        assert_eq!(missing_of(&report), found, "{name}");
        assert_eq!(image.label(), "damaged");
    }
}

fn lost_from(object: u64) -> Option<Incomplete> {
    Some(Incomplete {
        from: ObjectNumber(object),
        cause: IncompleteCause::Lost,
    })
}

#[test]
fn an_accepted_loss_lets_the_image_be_written_and_is_told_for_good() {
    for (name, bytes, left) in damaged() {
        let (mut image, report) = open(bytes);
        assert_eq!(image.accept_loss().unwrap(), report.missing, "{name}");
        assert_eq!(image.accept_loss().unwrap(), None, "{name}: once");
        image.to_end_of_data();
        image.append_marks(Mark::Filemark, 1).unwrap();
        let (mut image, report) = open(image.finish().unwrap().into_bytes());
        assert!(report.is_clean(), "{name}: {report}");
        assert_eq!(image.end_of_data().object, ObjectNumber(left + 1), "{name}");
        assert_eq!(image.incomplete(), lost_from(left), "{name}");
        // What is written at that place or behind it brings nothing back.
        image.locate(ObjectNumber(left)).unwrap();
        image.append_block(b"other").unwrap();
        assert_eq!(image.incomplete(), lost_from(left), "{name}");
        let (image, report) = open(image.finish().unwrap().into_bytes());
        assert!(report.is_clean(), "{name}: {report}");
        assert_eq!(image.incomplete(), lost_from(left), "{name}");
    }
}

#[test]
fn what_is_written_anew_from_an_object_before_the_loss_lacks_nothing() {
    for (name, bytes, left) in damaged() {
        let Some(before) = left.checked_sub(1) else {
            continue;
        };
        let (mut image, _) = open(bytes);
        image.accept_loss().unwrap();
        image.locate(ObjectNumber(before)).unwrap();
        image.append_block(b"anew").unwrap();
        assert_eq!(image.incomplete(), None, "{name}");
        let (image, report) = open(image.finish().unwrap().into_bytes());
        assert!(report.is_clean(), "{name}: {report}");
        assert_eq!(image.incomplete(), None, "{name}");
    }
}

#[test]
fn of_two_losses_the_earlier_one_is_told() {
    let (bytes, end) = whole();
    let (mut image, _) = open(bytes[..end - 2 * RECORD].to_vec());
    image.accept_loss().unwrap();
    image.to_end_of_data();
    fill(&mut image);
    let bytes = image.finish().unwrap().into_bytes();
    for (cut, told) in [(4, 4), (9, 8)] {
        let length = end - (10 - cut) * RECORD;
        let (mut image, _) = open(bytes[..length].to_vec());
        image.accept_loss().unwrap();
        assert_eq!(image.incomplete(), lost_from(told));
    }
    // A copy that was not finished before says more than a loss behind its end.
    let (bytes, end) = whole();
    let (mut image, _) = open(bytes[..end - 2 * RECORD].to_vec());
    image.set_incomplete_from(Some(ObjectNumber(3))).unwrap();
    image.accept_loss().unwrap();
    let cause = IncompleteCause::NotCopied;
    let from = ObjectNumber(3);
    assert_eq!(image.incomplete(), Some(Incomplete { from, cause }));
}

/// The loss is told or accepted after each crash, and is never forgotten.
#[test]
fn a_crash_while_a_loss_is_accepted_forgets_nothing() {
    for (name, bytes, left) in damaged() {
        let mut store = FaultyStore::default();
        store.write_at(&bytes, 0).unwrap();
        store.sync().unwrap();
        let start = store.log_length();
        let (mut image, _) = Image::open(store.clone(), Access::ReadWrite).unwrap();
        image.accept_loss().unwrap();
        image.to_end_of_data();
        image.append_marks(Mark::Filemark, 1).unwrap();
        image.sync().unwrap();
        drop(image);
        let log = store.log();
        let check = |count: usize, survival: Survival| {
            let (image, report) = open(after_power_loss(&log, count, survival));
            match image.missing() {
                Some(missing) => assert_eq!(missing.from_object, left, "{name}: {report}"),
                None => assert_eq!(image.incomplete(), lost_from(left), "{name}: {report}"),
            }
        };
        for count in start..=log.len() {
            check(count, Survival::All);
            check(count, Survival::None);
            if let Some(StoreAction::Write { bytes, .. }) = log[..count].last() {
                (0..bytes.len()).for_each(|torn| check(count, Survival::Torn(torn)));
            }
            (0..20).for_each(|seed| check(count, Survival::Any(seed)));
        }
    }
}

#[test]
fn what_the_host_refuses_is_not_accepted() {
    let (bytes, end) = whole();
    let mut store = FaultyStore::default();
    store.write_at(&bytes[..end - RECORD], 0).unwrap();
    store.sync().unwrap();
    let (mut image, _) = Image::open(store.clone(), Access::ReadOnly).unwrap();
    assert!(matches!(image.accept_loss(), Err(Error::ReadOnly)));
    assert!(image.missing().is_some());
}

fn not_copied_from(object: u64) -> Option<Incomplete> {
    Some(Incomplete {
        from: ObjectNumber(object),
        cause: IncompleteCause::NotCopied,
    })
}

/// An unfinished copy of ten blocks.
fn unfinished(blocks: u64) -> Image<MemoryStore> {
    let mut image = Image::create(MemoryStore::default(), &parameters()).unwrap();
    (0..blocks).for_each(|_| image.append_block(&BLOCK).unwrap());
    image.set_incomplete_from(Some(ObjectNumber(4))).unwrap();
    open(image.finish().unwrap().into_bytes()).0
}

#[test]
fn an_unfinished_copy_that_a_program_writes_over_from_its_beginning_is_none_any_more() {
    type Write = fn(&mut Image<MemoryStore>) -> Result<(), Error>;
    let writes: [Write; 3] = [
        |image| image.append_block(b"new"),
        |image| image.append_marks(Mark::Filemark, 1),
        |image| image.erase_from_here(),
    ];
    for (blocks, write) in [0, BLOCKS].into_iter().flat_map(|b| writes.map(|w| (b, w))) {
        // Who makes copies writes at the beginning too, and is not done with that.
        let mut image = unfinished(blocks);
        write(&mut image).unwrap();
        assert_eq!(image.incomplete(), not_copied_from(4));
        let mut image = unfinished(blocks);
        image.use_for_itself();
        write(&mut image).unwrap();
        assert_eq!(image.incomplete(), None);
        let (image, report) = open(image.finish().unwrap().into_bytes());
        assert!(report.is_clean(), "{report}");
        assert_eq!(image.incomplete(), None);
        // What is read, or written elsewhere, or not at all, leaves it a copy that is not whole.
        let mut image = unfinished(blocks);
        image.use_for_itself();
        if blocks > 0 {
            image.locate(ObjectNumber(1)).unwrap();
            write(&mut image).unwrap();
        }
        let (image, _) = open(image.finish().unwrap().into_bytes());
        assert_eq!(image.incomplete(), not_copied_from(4));
    }
}

/// The old data have their mark after each crash, and the new ones none.
#[test]
fn a_crash_while_an_unfinished_copy_is_written_over_forgets_no_mark() {
    let mut store = FaultyStore::default();
    let bytes = unfinished(BLOCKS).finish().unwrap().into_bytes();
    store.write_at(&bytes, 0).unwrap();
    store.sync().unwrap();
    let start = store.log_length();
    let (mut image, _) = Image::open(store.clone(), Access::ReadWrite).unwrap();
    image.use_for_itself();
    image.append_block(b"new").unwrap();
    image.sync().unwrap();
    drop(image);
    let log = store.log();
    let check = |count: usize, survival: Survival| {
        let (image, report) = open(after_power_loss(&log, count, survival));
        // A slot that was torn within its 256 bytes looks like one that was damaged later.
        let torn_slot_alone = report.damaged_slots == 1 && report.missing.is_none();
        assert!(!report.is_damaged() || torn_slot_alone, "{report}");
        match image.end_of_data().object.0 {
            BLOCKS => assert_eq!(image.incomplete(), not_copied_from(4), "{report}"),
            new @ (0 | 1) => assert_eq!(image.incomplete(), None, "{new} objects: {report}"),
            other => panic!("{other} objects: {report}"),
        }
    };
    for count in start..=log.len() {
        check(count, Survival::All);
        check(count, Survival::None);
        if let Some(StoreAction::Write { bytes, .. }) = log[..count].last() {
            (0..bytes.len()).for_each(|torn| check(count, Survival::Torn(torn)));
        }
        (0..20).for_each(|seed| check(count, Survival::Any(seed)));
    }
    check(log.len(), Survival::All);
    let (image, _) = open(after_power_loss(&log, log.len(), Survival::None));
    assert_eq!(
        (image.end_of_data().object.0, image.incomplete()),
        (1, None)
    );
}
