//! Pages, lists and attributes of a tape drive. The bytes were read with sg_vpd, sg_logs and sg_read_attr of sg3_utils
//! 1.46, which said of each what stands beside it here.

mod common;

use common::{Rig, plain};
use pseudotape_scsi::{Direction, data_direction};
use pseudotape_testkit::ModelCartridge;

const MIB: usize = 1 << 20;

/// A tape of 100 MiB on which 1 MiB and 100 bytes were written, and 1 MiB read again.
fn used() -> Rig {
    let cartridge = ModelCartridge {
        capacity_bytes: Some(100 << 20),
        early_warning_bytes: 1 << 20,
        ..ModelCartridge::default()
    };
    let mut rig = Rig::with("lto5", cartridge);
    rig.takes(&[0x0a, 0, 0x10, 0, 0, 0], &vec![1; MIB]);
    rig.takes(&[0x0a, 0, 0, 0, 100, 0], &[1; 100]);
    rig.does(&[1, 0, 0, 0, 0, 0]);
    rig.takes(&[8, 0, 0x10, 0, 0, 0], &vec![1; MIB]);
    rig
}

fn log(rig: &mut Rig, page: u8) -> Vec<u8> {
    rig.gives(&[0x4d, 0, 0x40 | page, 0, 0, 0, 0, 8, 0, 0])
}

#[test]
fn vital_product_data_of_a_drive() {
    let mut rig = used();
    let mut page = |code: u8| rig.gives(&[0x12, 1, code, 0, 255, 0]);
    assert_eq!(page(0), [1, 0, 0, 5, 0x00, 0x80, 0x83, 0xb0, 0xb1]);
    assert_eq!(page(0x80), b"\x01\x80\x00\x05MODEL");
    // "WORM=1": media that can only be appended to are taken.
    assert_eq!(page(0xb0), [1, 0xb0, 0, 2, 1, 0]);
    // "Manufacturer-assigned serial number: MODEL"
    assert_eq!(page(0xb1), b"\x01\xb1\x00\x05MODEL");
    // "vendor id: IBM", "vendor specific: ULT3580-TD5     MODEL", "designator type: NAA"
    let names = page(0x83);
    assert_eq!(names[..8], [1, 0x83, 0, 45, 2, 1, 0, 29]);
    assert_eq!(&names[8..37], b"IBM     ULT3580-TD5     MODEL");
    assert_eq!(names[37..41], [1, 3, 0, 8]);
    assert_eq!(names.len(), 49);
}

#[test]
fn log_pages_tell_what_was_moved_and_what_fits() {
    let mut rig = used();
    let list = log(&mut rig, 0);
    let codes = [
        0x00, 0x02, 0x03, 0x06, 0x0c, 0x0d, 0x17, 0x1b, 0x2e, 0x30, 0x31, 0x32,
    ];
    assert_eq!(list[..4], [0, 0, 0, 12]);
    assert_eq!(list[4..], codes);
    // "Total errors corrected = 0", "Total bytes processed = 1048676", "Total uncorrected errors = 0"
    let errors = [
        2, 0, 0, 36, 0, 3, 2, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 2, 8, 0, 0, 0, 0, 0, 0x10, 0, 100,
        0, 6, 2, 8, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    assert_eq!(log(&mut rig, 2), errors);
    assert_eq!(
        log(&mut rig, 3)[16..28],
        [0, 5, 2, 8, 0, 0, 0, 0, 0, 0x10, 0, 0]
    );
    // "Non-medium error count = 0"
    assert_eq!(
        log(&mut rig, 6),
        [6, 0, 0, 12, 0, 0, 2, 8, 0, 0, 0, 0, 0, 0, 0, 0]
    );
    assert_eq!(
        log(&mut rig, 0x0c)[..16],
        [0x0c, 0, 0, 48, 0, 0, 2, 8, 0, 0, 0, 0, 0, 0x10, 0, 100]
    );
    // "Current temperature = <not available>"
    assert_eq!(log(&mut rig, 0x0d), [0x0d, 0, 0, 6, 0, 0, 3, 2, 0, 0xff]);
    // "Main partition remaining capacity (in MiB): 98", "Main partition maximum capacity (in MiB): 100"
    let capacity = [
        0x31, 0, 0, 16, 0, 1, 3, 4, 0, 0, 0, 98, 0, 3, 3, 4, 0, 0, 0, 100,
    ];
    assert_eq!(log(&mut rig, 0x31), capacity);
    // "Thread count: 0", unrecovered write and read errors: 0
    let usage = [
        0x30, 0, 0, 20, 0, 1, 3, 4, 0, 0, 0, 0, 0, 4, 3, 2, 0, 0, 0, 9, 3, 2, 0, 0,
    ];
    assert_eq!(log(&mut rig, 0x30), usage);
}

#[test]
fn compression_is_told_in_the_page_of_the_standard_and_in_that_of_lto() {
    let mut rig = used();
    // "Read compression ratio x100: 100", "Megabytes transferred to server: 1", "Bytes written to tape: 100"
    let page = log(&mut rig, 0x1b);
    assert_eq!(
        page[..16],
        [0x1b, 0, 0, 82, 0, 0, 3, 2, 0, 100, 0, 1, 3, 2, 0, 100]
    );
    let numbers = page[16..80].chunks(8).map(|parameter| parameter[7]);
    assert_eq!(numbers.collect::<Vec<_>>(), [1, 0, 1, 0, 1, 100, 1, 100]);
    // "Data compression enabled: 0x0"
    assert_eq!(page[80..], [1, 0, 3, 2, 0, 0]);
    let lto = log(&mut rig, 0x32);
    assert_eq!((lto[0], &lto[4..]), (0x32, &page[4..80]));
}

#[test]
fn volume_statistics_have_a_record_for_each_partition_that_was_seen() {
    let mut rig = used();
    let page = log(&mut rig, 0x17);
    // "Page valid: 1", "Thread count: 0"
    assert_eq!(
        page[..17],
        [0x17, 0, 0, 65, 0, 0, 3, 1, 1, 0, 1, 3, 4, 0, 0, 0, 0]
    );
    // "partition number: 0, partition record data counter: 104", then 1 used and 103 left, in MB
    let records = [
        2, 2, 3, 8, 7, 0, 0, 0, 0, 0, 0, 104, 2, 3, 3, 8, 7, 0, 0, 0, 0, 0, 0, 1, 2, 4, 3, 8, 7, 0,
        0, 0, 0, 0, 0, 103,
    ];
    assert_eq!(page[33..], records);
}

#[test]
fn tape_alert_tells_of_damage_and_protection() {
    let raised = |rig: &mut Rig| -> Vec<usize> {
        let page = log(rig, 0x2e);
        assert_eq!(page.len(), 4 + 64 * 5);
        (1..=64)
            .filter(|n| page[4 + (n - 1) * 5 + 4] != 0)
            .collect()
    };
    assert_eq!(raised(&mut used()), [0; 0]);
    let damaged = ModelCartridge {
        partitions: vec![vec![pseudotape_testkit::ModelObject::Damaged(5)]],
        write_protected: true,
        ..ModelCartridge::default()
    };
    let mut rig = Rig::with("generic", damaged);
    rig.tells(&[8, 0, 0, 0, 5, 0], &mut [0; 5]);
    assert_eq!(raised(&mut rig), [3, 5, 9]);
    let failed = [0, 6, 2, 8, 0, 0, 0, 0, 0, 0, 0, 1];
    assert_eq!(log(&mut rig, 3)[28..40], failed);
    // It is the medium that is damaged, and the drive that counts.
    rig.drive.eject();
    rig.drive.insert(ModelCartridge::default());
    assert_eq!(rig.tells(&[0; 6], &mut []), plain(6, (0x28, 0)));
    assert_eq!(raised(&mut rig), [0; 0]);
    assert_eq!(log(&mut rig, 3)[28..40], failed);
}

#[test]
fn what_was_written_on_a_partition_is_told_from_another_one() {
    let cartridge = ModelCartridge {
        partitions: vec![vec![], vec![]],
        capacity_bytes: Some(100 << 20),
        ..ModelCartridge::default()
    };
    let mut rig = Rig::with("lto5", cartridge);
    let locate = |partition: u8| [0x2b, 2, 0, 0, 0, 0, 0, 0, partition, 0];
    rig.does(&locate(1));
    log(&mut rig, 0x31);
    rig.takes(&[0x0a, 0, 0x40, 0, 0, 0], &vec![1; 4 * MIB]);
    rig.does(&locate(0));
    let page = log(&mut rig, 0x31);
    let numbers: Vec<_> = page[4..].chunks(8).map(|p| (p[1], p[7])).collect();
    assert_eq!(numbers, [(1, 100), (2, 96), (3, 100), (4, 100)]);
}

#[test]
fn an_error_that_was_repaired_is_counted() {
    let mut rig = used();
    rig.drive.recover();
    rig.drive.recover();
    for _ in 0..2 {
        assert_eq!(
            log(&mut rig, 3)[4..16],
            [0, 3, 2, 8, 0, 0, 0, 0, 0, 0, 0, 2]
        );
    }
}

#[test]
fn log_pages_that_are_not_there_are_refused() {
    let mut rig = used();
    rig.refuses_field(&[0x4d, 0, 0x55, 0, 0, 0, 0, 8, 0, 0], 2);
    rig.refuses_field(&[0x4d, 0, 0x42, 1, 0, 0, 0, 8, 0, 0], 3);
    rig.refuses_field(&[0x4d, 1, 0x42, 0, 0, 0, 0, 8, 0, 0], 1);
    let mut endless = Rig::new("generic");
    endless.refuses_field(&[0x4d, 0, 0x71, 0, 0, 0, 0, 8, 0, 0], 2);
}

#[test]
fn densities_are_those_of_the_drive_and_of_its_medium() {
    let mut rig = used();
    let of_drive = rig.gives(&[0x44, 0, 0, 0, 0, 0, 0, 8, 0, 0]);
    let codes: Vec<u8> = of_drive[4..].chunks(52).map(|density| density[0]).collect();
    assert_eq!(codes, [0x44, 0x46, 0x58]);
    let of_medium = rig.gives(&[0x44, 1, 0, 0, 0, 0, 0, 8, 0, 0]);
    assert_eq!(of_medium[4..], of_drive[4 + 2 * 52..]);
    rig.refuses_field(&[0x44, 2, 0, 0, 0, 0, 0, 8, 0, 0], 1);
    let mut empty = Rig::empty("lto5");
    assert_eq!(empty.gives(&[0x44, 0, 0, 0, 0, 0, 0, 8, 0, 0]), of_drive);
    let told = empty.tells(&[0x44, 1, 0, 0, 0, 0, 0, 8, 0, 0], &mut [0; 64]);
    assert_eq!(told, plain(2, (0x3a, 0)));
}

#[test]
fn supported_operation_codes_are_reported() {
    let mut rig = used();
    let all = rig.gives(&[0xa3, 0x0c, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0]);
    assert_eq!(all.len() % 8, 4);
    assert_eq!(all[4..12], [0, 0, 0, 0, 0, 0, 0, 6]);
    let write = rig.gives(&[0xa3, 0x0c, 1, 0x0a, 0, 0, 0, 0, 8, 0, 0, 0]);
    assert_eq!(write, [0, 3, 0, 6, 0x0a, 1, 0xff, 0xff, 0xff, 4]);
    rig.refuses_field(&[0xa3, 0x05, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0], 1);
    rig.refuses_field(&[0xa3, 0x0c, 4, 0, 0, 0, 0, 0, 8, 0, 0, 0], 2);
    assert_eq!(data_direction(&[0xa3, 0x0c]), Direction::In);
}

#[test]
fn parameter_data_are_cut_to_the_allocation_and_to_the_memory() {
    let mut rig = used();
    let mut room = [0xee; 16];
    let reply = rig.run(&[0x12, 0, 0, 0, 8, 0], &mut room);
    assert_eq!((reply.transferred, room[7], room[8]), (8, 0, 0xee));
    let reply = rig.run(&[0x12, 0, 0, 0, 96, 0], &mut room);
    assert_eq!((reply.transferred, &room[8..11]), (16, &b"IBM"[..]));
}
