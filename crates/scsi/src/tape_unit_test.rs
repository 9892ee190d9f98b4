use pseudotape_tape::{FileNumber, ObjectNumber, PartitionNumber};

use super::*;
use crate::reply::Status;
use crate::sense::{FIXED_BYTES, FieldPointer};

struct Drive {
    ready: Result<(), pseudotape_tape::Sense>,
    position: Position,
    protected: bool,
}

fn drive() -> Drive {
    Drive {
        ready: Ok(()),
        position: Position {
            object: ObjectNumber(0x0102),
            file: Some(FileNumber(3)),
            ..Position::default()
        },
        protected: false,
    }
}

impl TapeView for Drive {
    fn identity(&self) -> Identity {
        Identity {
            vendor: "IBM".to_owned(),
            product: "ULT3580-TD5".to_owned(),
            revision: "A1".to_owned(),
            serial: "DRV00".to_owned(),
        }
    }

    fn block_limits(&self) -> BlockLimits {
        BlockLimits {
            min_bytes: 1,
            max_bytes: 8 << 20,
            granularity_bytes: 4,
        }
    }

    fn ready(&mut self) -> Result<(), Failed> {
        self.ready.map_err(|sense| Failed::at(sense, None))
    }

    fn mode(&mut self) -> Result<Mode, Failed> {
        Ok(Mode {
            block_size: 512,
            density: 0x58,
            buffering: 1,
            write_protected: self.protected,
            compression: Some(true),
            last_partition: 1,
        })
    }

    fn position(&mut self) -> Result<Position, Failed> {
        self.ready()?;
        Ok(self.position)
    }

    fn capacity(&mut self) -> Result<Capacity, Failed> {
        self.ready()?;
        Ok(Capacity {
            total_bytes: Some(100 << 20),
            used_bytes: 30 << 20,
            ..Capacity::default()
        })
    }

    fn counters(&self) -> Counters {
        Counters {
            written_bytes: 0x10,
            read_bytes: 0x20,
        }
    }
}

fn data(cdb: &[u8]) -> Vec<u8> {
    let answer = execute_tape(cdb, &mut drive());
    assert_eq!((answer.status, answer.sense), (Status::Good, None));
    answer.data
}

#[test]
fn inquiry_tells_the_drives_names() {
    let standard = data(&[0x12, 0, 0, 0, 36, 0]);
    assert_eq!((standard[0], standard.len()), (1, 36));
    assert_eq!(&standard[8..36], b"IBM     ULT3580-TD5     A1  ");
    assert_eq!(data(&[0x12, 1, 0x80, 0, 255, 0]), b"\x01\x80\0\x05DRV00");
    let absent = execute_tape(&[0x12, 1, 0xb5, 0, 255, 0], &mut drive());
    let field = Sense::invalid_field(FieldPointer::command(2));
    assert_eq!(absent, Reply::check(field));
}

#[test]
fn block_limits_have_the_bytes_of_the_standard() {
    assert_eq!(data(&[5, 0, 0, 0, 0, 0]), [2, 0x80, 0, 0, 0, 1]);
}

#[test]
fn the_three_forms_of_a_position_have_the_bytes_of_the_standard() {
    let short = [0x30, 0, 0, 0, 0, 0, 1, 2, 0, 0, 1, 2];
    let cdb = |form| [0x34, form, 0, 0, 0, 0, 0, 0, 32, 0];
    for form in [0, 1] {
        let read = data(&cdb(form));
        assert_eq!((read.len(), &read[..12]), (20, &short[..]));
    }
    let long = data(&cdb(6));
    assert_eq!(long.len(), 32);
    assert_eq!(long[8..16], [0, 0, 0, 0, 0, 0, 1, 2]);
    assert_eq!(long[16..24], [0, 0, 0, 0, 0, 0, 0, 3]);
    let extended = data(&cdb(8));
    assert_eq!(extended[..4], [0x30, 0, 0, 0x1c]);
    assert_eq!(extended[8..16], [0, 0, 0, 0, 0, 0, 1, 2]);
    assert_eq!(extended.len(), 32);
}

#[test]
fn a_position_says_where_it_is_and_what_is_not_known() {
    let mut far = drive();
    far.position = Position {
        partition: PartitionNumber(1),
        object: ObjectNumber(1 << 40),
        file: None,
        past_early_warning: true,
    };
    let short = execute_tape(&[0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0], &mut far).data;
    assert_eq!(short[..8], [0x35, 1, 0, 0, 0, 0, 0, 0]);
    let long = execute_tape(&[0x34, 6, 0, 0, 0, 0, 0, 0, 0, 0], &mut far).data;
    assert_eq!(long[..8], [0x09, 0, 0, 0, 0, 0, 0, 1]);
    far.position = Position::default();
    let beginning = execute_tape(&[0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0], &mut far).data;
    assert_eq!(beginning[0], 0xb0);
}

#[test]
fn mode_pages_of_a_drive_have_the_bytes_of_the_standard() {
    let all = data(&[0x1a, 0, 0x3f, 0, 255, 0]);
    assert_eq!(all[..12], [55, 0, 0x10, 8, 0x58, 0, 0, 0, 0, 0, 2, 0]);
    assert_eq!(
        all[12..28],
        [0x0f, 14, 0xc0, 0x80, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0]
    );
    assert_eq!(
        all[28..44],
        [0x10, 14, 0, 0, 0, 0, 0, 0, 0x40, 0, 0x10, 0, 0, 0, 1, 0]
    );
    assert_eq!(
        all[44..],
        [0x11, 10, 1, 1, 0x10, 3, 0, 0, 0xff, 0xff, 0xff, 0xff]
    );
}

#[test]
fn log_pages_of_a_drive_are_those_of_the_list() {
    let list = data(&[0x4d, 0, 0x40, 0, 0, 0, 0, 0, 255, 0]);
    assert_eq!(list, [0, 0, 0, 6, 0x00, 0x02, 0x03, 0x0c, 0x2e, 0x31]);
    let page = |code: u8| data(&[0x4d, 0, 0x40 | code, 0, 0, 0, 0, 4, 0, 0]);
    for code in &list[4..] {
        assert_eq!(page(*code)[0], *code);
    }
    let moved = page(0x0c);
    assert_eq!(moved[4..16], [0, 0, 2, 8, 0, 0, 0, 0, 0, 0, 0, 0x10]);
    let capacity = [
        0x31, 0, 0, 16, 0, 1, 3, 4, 0, 0, 0, 70, 0, 3, 3, 4, 0, 0, 0, 100,
    ];
    assert_eq!(page(0x31), capacity);
}

#[test]
fn tape_alert_tells_of_a_protected_medium() {
    let cdb = [0x4d, 0, 0x6e, 0, 0, 0, 0, 4, 0, 0];
    let raised = |protected| {
        let mut drive = Drive {
            protected,
            ..drive()
        };
        let data = execute_tape(&cdb, &mut drive).data;
        let flags = (1..=64_usize).filter(|n| data[4 + (n - 1) * 5 + 4] != 0);
        flags.collect::<Vec<_>>()
    };
    assert_eq!(raised(true), [9]);
    assert_eq!(raised(false), [0; 0]);
}

#[test]
fn a_drive_without_a_medium_says_so_and_still_who_it_is() {
    let mut empty = Drive {
        ready: Err(pseudotape_tape::Sense::NoMedium),
        ..drive()
    };
    let sense = Sense::new(SenseKey::NotReady, Reason::NO_MEDIUM);
    for cdb in [[0; 10], [0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0]] {
        assert_eq!(execute_tape(&cdb, &mut empty), Reply::check(sense));
    }
    let asked = execute_tape(&[3, 0, 0, 0, 252, 0], &mut empty);
    assert_eq!(asked.data.len(), FIXED_BYTES);
    assert_eq!(Sense::decode(&asked.data), Some(sense));
    assert!(
        execute_tape(&[0x12, 0, 0, 0, 36, 0], &mut empty)
            .sense
            .is_none()
    );
    let list = execute_tape(&[0x4d, 0, 0x40, 0, 0, 0, 0, 0, 255, 0], &mut empty);
    assert_eq!(list.data[4..], [0x00, 0x02, 0x03, 0x0c, 0x2e]);
}

#[test]
fn every_sense_of_a_drive_has_one_of_scsi() {
    use pseudotape_tape::Sense as Tape;
    let table = [
        (Tape::NoDrive, 0x2, 0x05, 0x00),
        (Tape::NoMedium, 0x2, 0x3a, 0x00),
        (Tape::NotReady, 0x2, 0x04, 0x00),
        (Tape::MediumChanged, 0x6, 0x28, 0x00),
        (Tape::Reset, 0x6, 0x29, 0x00),
        (Tape::WriteProtected, 0x7, 0x27, 0x00),
        (Tape::WormOverwrite, 0x7, 0x30, 0x0c),
        (Tape::MediumError, 0x3, 0x11, 0x00),
        (Tape::HardwareError, 0x4, 0x44, 0x00),
        (Tape::IllegalRequest, 0x5, 0x24, 0x00),
    ];
    for (tape, key, code, qualifier) in table {
        let sense = tape_sense(tape);
        let numbers = (sense.key.bits(), sense.reason.code, sense.reason.qualifier);
        assert_eq!(numbers, (key, code, qualifier), "{tape:?}");
    }
}

#[test]
fn reservations_and_the_door_are_not_for_this_way() {
    for code in [0x16, 0x17, 0x1e, 0x56, 0x57] {
        let mut cdb = [0; 10];
        cdb[0] = code;
        let refused = Sense::illegal(Reason::INVALID_OPERATION_CODE);
        assert_eq!(execute_tape(&cdb, &mut drive()), Reply::check(refused));
    }
}
