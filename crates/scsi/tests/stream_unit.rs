//! What a tape drive tells of itself, and who may use it.

mod common;

use common::{ME, Rig, plain, told};
use pseudotape_scsi::{Nexus, Reason, Sense, SenseFormat, Status};
use pseudotape_testkit::ModelCartridge;

const OTHER: Nexus = Nexus(2);
const READY: [u8; 6] = [0; 6];

#[test]
fn an_initiator_that_was_not_greeted_hears_of_a_power_on_once() {
    let mut rig = Rig::new("generic");
    let inquiry = rig.run_as(OTHER, &[0x12, 0, 0, 0, 36, 0], &mut [0; 36]);
    assert_eq!((told(&inquiry), inquiry.transferred), (None, 36));
    let first = rig.run_as(OTHER, &READY, &mut []);
    assert_eq!(told(&first), Some(plain(6, (0x29, 0))));
    assert_eq!(told(&rig.run_as(OTHER, &READY, &mut [])), None);
    assert_eq!(told(&rig.run_as(ME, &READY, &mut [])), None);
}

#[test]
fn a_change_of_the_medium_is_told_every_initiator_once() {
    let mut rig = Rig::new("generic");
    rig.unit.greet(OTHER);
    rig.drive.eject();
    rig.drive.insert(ModelCartridge::default());
    let changed = Some(plain(6, (0x28, 0)));
    assert_eq!(told(&rig.run(&READY, &mut [])), changed);
    assert_eq!(told(&rig.run(&READY, &mut [])), None);
    let write = rig.run_as(OTHER, &[0x0a, 0, 0, 0, 5, 0], &mut [1; 5]);
    assert_eq!((told(&write), write.transferred), (changed, 0));
    let write = rig.run_as(OTHER, &[0x0a, 0, 0, 0, 5, 0], &mut [1; 5]);
    assert_eq!(told(&write), None);
    // Of news that came while somebody only looked, all hear.
    rig.drive.reset();
    let mode = rig.run(&[0x1a, 0, 0x3f, 0, 255, 0], &mut [0; 255]);
    assert_eq!(told(&mode), None);
    let reset = Some(plain(6, (0x29, 0)));
    for nexus in [ME, OTHER] {
        assert_eq!(told(&rig.run_as(nexus, &READY, &mut [])), reset);
        assert_eq!(told(&rig.run_as(nexus, &READY, &mut [])), None);
    }
}

#[test]
fn request_sense_tells_the_news_as_its_data() {
    let mut rig = Rig::new("generic");
    rig.unit.tell_all(Reason::MEDIUM_MAY_HAVE_CHANGED);
    let data = rig.gives(&[3, 1, 0, 0, 252, 0]);
    let sense = Sense::decode(&data).unwrap();
    assert_eq!(
        (data[0], sense.reason),
        (0x72, Reason::MEDIUM_MAY_HAVE_CHANGED)
    );
    assert_eq!(
        Sense::decode(&rig.gives(&[3, 0, 0, 0, 252, 0])),
        Some(Sense::none())
    );
    // The drive's own news, that nobody has heard.
    rig.unit.greet(OTHER);
    rig.drive.reset();
    let data = rig.gives(&[3, 0, 0, 0, 252, 0]);
    assert_eq!(
        Sense::decode(&data).unwrap().reason,
        Reason::POWER_ON_OR_RESET
    );
    assert_eq!(told(&rig.run(&READY, &mut [])), None);
    assert_eq!(
        told(&rig.run_as(OTHER, &READY, &mut [])),
        Some(plain(6, (0x29, 0)))
    );
}

#[test]
fn a_reserved_unit_is_for_its_initiator() {
    let mut rig = Rig::new("generic");
    rig.unit.greet(OTHER);
    for (reserve, release) in [(0x16, 0x17), (0x56, 0x57)] {
        let cdb = |code: u8| [code, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        rig.does(&cdb(reserve));
        for refused in [[0; 10], cdb(0x01), cdb(reserve), cdb(0x34)] {
            let reply = rig.run_as(OTHER, &refused, &mut []);
            assert_eq!(
                (reply.status, reply.sense),
                (Status::ReservationConflict, None)
            );
        }
        for passes in [cdb(0x12), cdb(0x05), cdb(0x03), cdb(0x44), cdb(release)] {
            assert_eq!(
                told(&rig.run_as(OTHER, &passes, &mut [])),
                None,
                "{passes:02x?}"
            );
        }
        rig.does(&READY);
        rig.does(&cdb(release));
        assert_eq!(told(&rig.run_as(OTHER, &READY, &mut [])), None);
    }
    rig.does(&[0x16, 0, 0, 0, 0, 0]);
    rig.unit.forget(ME, &mut rig.drive).unwrap();
    assert_eq!(told(&rig.run_as(OTHER, &READY, &mut [])), None);
    rig.refuses_by_other(&[0x16, 0x10, 0, 0, 0, 0]);
}

impl Rig {
    fn refuses_by_other(&mut self, cdb: &[u8]) {
        let reply = self.run_as(OTHER, cdb, &mut []);
        assert_eq!(told(&reply), Some(plain(5, (0x24, 0))));
    }
}

#[test]
fn removal_that_one_prevents_nobody_does() {
    let mut rig = Rig::new("generic");
    rig.unit.greet(OTHER);
    let prevent = |on: u8| [0x1e, 0, 0, 0, on, 0];
    let unload = [0x1b, 0, 0, 0, 0, 0];
    rig.does(&prevent(1));
    assert_eq!(told(&rig.run_as(OTHER, &prevent(1), &mut [])), None);
    rig.does(&prevent(0));
    assert_eq!(rig.tells(&unload, &mut []), plain(5, (0x53, 2)));
    assert_eq!(told(&rig.run_as(OTHER, &prevent(0), &mut [])), None);
    rig.does(&unload);
}

#[test]
fn a_reset_ends_what_was_reserved_prevented_and_set() {
    let mut rig = Rig::new("generic");
    rig.unit.greet(OTHER);
    rig.takes(
        &[0x15, 0, 0, 0, 12, 0],
        &[0, 0, 0x10, 8, 0x58, 0, 0, 0, 0, 0, 0, 10],
    );
    rig.takes(
        &[0x15, 0x10, 0, 0, 16, 0],
        &[0, 0, 0x10, 0, 0x0a, 10, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    );
    rig.does(&[0x16, 0, 0, 0, 0, 0]);
    rig.does(&[0x1e, 0, 0, 0, 1, 0]);
    rig.unit.reset(&mut rig.drive).unwrap();
    let reset = Some(plain(6, (0x29, 0)));
    for nexus in [ME, OTHER] {
        assert_eq!(told(&rig.run_as(nexus, &READY, &mut [])), reset);
        assert_eq!(told(&rig.run_as(nexus, &READY, &mut [])), None);
    }
    assert_eq!(rig.unit.sense_format(), SenseFormat::Fixed);
    let mode = rig.gives(&[0x1a, 0, 0, 0, 255, 0]);
    assert_eq!(mode, [11, 0, 0x10, 8, 0x58, 0, 0, 0, 0, 0, 0, 0]);
    rig.does(&[0x1b, 0, 0, 0, 0, 0]);
    // Without a medium, and with news that the drive has: nobody misses any.
    rig.unit.reset(&mut rig.drive).unwrap();
    rig.drive.eject();
    rig.drive.insert(ModelCartridge::default());
    rig.unit.reset(&mut rig.drive).unwrap();
    assert_eq!(told(&rig.run(&READY, &mut [])), reset);
    assert_eq!(told(&rig.run(&READY, &mut [])), None);
}

#[test]
fn mode_pages_have_the_bytes_of_the_standard() {
    let mut rig = Rig::new("lto5");
    let all = rig.gives(&[0x5a, 0, 0x3f, 0xff, 0, 0, 0, 2, 0, 0]);
    assert_eq!(all[..8], [0, 144, 0, 0x10, 0, 0, 0, 8]);
    assert_eq!(all[8..16], [0x58, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(all[16..28], [0x0a, 10, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(
        all[28..44],
        [0x0f, 14, 0x40, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    );
    assert_eq!(
        all[44..60],
        [0x10, 14, 0, 0, 0, 0, 0, 0, 0x40, 0, 0x10, 0, 0, 0, 0, 0]
    );
    assert_eq!(all[60..66], [0x50, 1, 0, 28, 0, 2]);
    assert_eq!(all[66..92], [0; 26]);
    assert_eq!(all[92..102], [0x11, 8, 1, 0, 0x14, 3, 0, 0, 0xff, 0xff]);
    assert_eq!(all[102..114], [0x1c, 10, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(all[114..118], [0x1d, 30, 0, 0]);
    assert_eq!(all.len(), 146);
}

#[test]
fn what_can_be_changed_is_told_and_nothing_else_is_taken() {
    let mut rig = Rig::new("generic");
    let bits = rig.gives(&[0x1a, 8, 0x4f, 0, 255, 0]);
    assert_eq!(
        bits[4..],
        [0x0f, 14, 0x80, 0, 0, 0, 0, 0xff, 0, 0, 0, 0xff, 0, 0, 0, 0]
    );
    let bits = rig.gives(&[0x1a, 0, 0x4a, 0, 255, 0]);
    assert_eq!(bits[2..12], [0x70, 8, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff]);
    assert_eq!(bits[12..], [0x0a, 10, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let select = [0x15, 0x10, 0, 0, 16, 0];
    let control = |at: usize, value: u8| {
        let mut data = [0, 0, 0x10, 0, 0x0a, 10, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        data[at] = value;
        data
    };
    rig.takes(&select, &control(6, 6));
    assert_eq!(rig.unit.sense_format(), SenseFormat::Descriptor);
    for at in 7..16 {
        rig.refuses_data(&select, &control(at, 1), u16::try_from(at).unwrap());
    }
    rig.refuses_data(&select, &control(5, 9), 5);
    rig.refuses_data(&select, &control(4, 0x19), 4);
    // Logical block protection: a page that is not there.
    rig.refuses_data(
        &[0x15, 0x10, 0, 0, 12, 0],
        &[0, 0, 0x10, 0, 0x4a, 0xf0, 0, 4, 1, 4, 0xc0, 0],
        4,
    );
    // A list that ends in a page; a page without PF.
    assert_eq!(
        rig.tells(&[0x15, 0x10, 0, 0, 15, 0], &mut control(6, 2)),
        plain(5, (0x1a, 0))
    );
    rig.refuses_field(&[0x15, 0, 0, 0, 16, 0], 1);
    assert_eq!(
        rig.unit.sense_format(),
        SenseFormat::Descriptor,
        "nothing was taken"
    );
}

#[test]
fn mode_select_sets_what_the_drive_has() {
    let mut rig = Rig::new("generic");
    rig.unit.greet(OTHER);
    let select = [0x55, 0x10, 0, 0, 0, 0, 0, 0, 32, 0];
    let mut data = vec![0, 0, 0, 0x10, 0, 0, 0, 8, 0x7f, 0, 0, 0, 0, 0, 2, 0];
    data.extend([0x0f, 14, 0xc0, 0x80, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0]);
    rig.takes(&select, &data);
    let mode = rig.gives(&[0x1a, 0, 0x0f, 0, 255, 0]);
    assert_eq!(mode[..12], [27, 0, 0x10, 8, 0x58, 0, 0, 0, 0, 0, 2, 0]);
    assert_eq!(mode[12..16], [0x0f, 14, 0xc0, 0x80]);
    let other = rig.run_as(OTHER, &READY, &mut []);
    assert_eq!(told(&other), Some(plain(6, (0x2a, 1))));
    // Density 0 is the default one.
    rig.takes(
        &[0x15, 0, 0, 0, 12, 0],
        &[0, 0, 0, 8, 0x44, 0, 0, 0, 0, 0, 0, 0],
    );
    assert_eq!(rig.gives(&[0x1a, 0, 0, 0, 255, 0])[2..5], [0, 8, 0x44]);
    rig.takes(
        &[0x15, 0, 0, 0, 12, 0],
        &[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0],
    );
    assert_eq!(rig.gives(&[0x1a, 0, 0, 0, 255, 0])[2..5], [0, 8, 0x58]);
    // Power on values.
    rig.takes(&select, &data);
    let default = rig.gives(&[0x1a, 0, 0x8f, 0, 255, 0]);
    assert_eq!(default[8..16], [0, 0, 0, 0, 0x0f, 14, 0x40, 0x80]);
    // A block size that the drive does not take, a part of the medium, two descriptors.
    let mut drive = Rig::new("scsi_debug");
    let set = |size: u8| [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 2, size];
    let refused = drive.tells(&[0x15, 0, 0, 0, 12, 0], &mut set(1));
    assert_eq!(refused, plain(5, (0x26, 0)));
    drive.takes(&[0x15, 0, 0, 0, 12, 0], &set(4));
    rig.refuses_data(
        &[0x15, 0, 0, 0, 12, 0],
        &[0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0],
        5,
    );
    rig.refuses_data(
        &[0x15, 0, 0, 0, 20, 0],
        &[0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        3,
    );
    assert_eq!(
        rig.tells(&[0x15, 0, 0, 0, 3, 0], &mut [0; 3]),
        plain(5, (0x1a, 0))
    );
}
