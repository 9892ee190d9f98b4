use pseudotape_testkit::changers::{MemoryBays, design, memory_changer};

use super::*;
use crate::changer_command::{ElementRange, MoveMedium};
use crate::elements::decode_element_status;
use crate::mode::find_page;
use crate::primary::Form;
use crate::reply::Status;

const HOST: Nexus = Nexus(1);
const OTHER: Nexus = Nexus(2);

/// Two drives (257, 258), an import/export slot (769), four slots (1025 to 1028), three of them full.
struct Bench {
    unit: ChangerUnit,
    changer: Box<dyn Changer>,
    bays: MemoryBays,
}

fn bench() -> Bench {
    let (changer, bays) = memory_changer(design(2, 1, 4), 3);
    Bench {
        unit: ChangerUnit::new(),
        changer: Box::new(changer),
        bays,
    }
}

impl Bench {
    fn send(&mut self, nexus: Nexus, cdb: &[u8]) -> Reply {
        self.send_by(nexus, Program(0), cdb)
    }

    fn send_by(&mut self, nexus: Nexus, program: Program, cdb: &[u8]) -> Reply {
        self.unit.execute(nexus, program, cdb, &mut *self.changer)
    }

    fn data(&mut self, cdb: &[u8]) -> Vec<u8> {
        let answer = self.send(HOST, cdb);
        assert_eq!((answer.status, answer.sense), (Status::Good, None));
        answer.data
    }

    /// Key, code, qualifier of the refusal.
    fn refused(&mut self, cdb: &[u8]) -> (u8, u8, u8) {
        let answer = self.send(HOST, cdb);
        assert_eq!(answer.status, Status::CheckCondition, "{cdb:02x?}");
        let sense = answer.sense.expect("sense");
        (sense.key.bits(), sense.reason.code, sense.reason.qualifier)
    }

    fn shift(&mut self, source: u16, destination: u16) -> Reply {
        let cdb = shift(source, destination, false);
        self.send(HOST, &cdb)
    }

    fn elements(&mut self, kind: Option<ElementType>) -> Vec<ElementDescriptor> {
        let cdb = status(kind, 0, u16::MAX).encode();
        let data = self.data(&cdb);
        decode_element_status(&data).unwrap().elements
    }
}

fn shift(source: u16, destination: u16, invert: bool) -> Vec<u8> {
    ChangerCommand::Move(MoveMedium {
        transport: 0,
        source,
        destination,
        invert,
    })
    .encode()
}

fn status(element_type: Option<ElementType>, start: u16, count: u16) -> ChangerCommand {
    ChangerCommand::ReadElementStatus(ReadElementStatus {
        element_type,
        volume_tags: true,
        device_ids: true,
        current_data: true,
        start,
        count,
        allocation: 0xffff,
    })
}

#[test]
fn a_changer_says_what_it_is_and_where_its_elements_are() {
    let mut bench = bench();
    let standard = bench.data(&[0x12, 0, 0, 0, 96, 0]);
    let unit = UnitIdentity::decode(&standard).unwrap();
    assert_eq!(unit.device_type, DeviceType::Changer);
    assert_eq!(unit.vendor, bench.changer.identity().vendor);
    let serial = bench.data(&[0x12, 1, 0x80, 0, 96, 0]);
    let serial = UnitIdentity::decode_serial(&serial).unwrap();
    assert_eq!(serial, bench.changer.identity().serial);
    // What mtx asks.
    let mode = bench.data(&[0x1a, 8, 0x1d, 0, 136, 0]);
    let page = find_page(&mode, Form::Six, 0x1d).unwrap();
    let addresses = ElementAddresses::decode(&page).unwrap();
    let span = |first, count| Span { first, count };
    assert_eq!(addresses.transport, span(1, 1));
    assert_eq!(addresses.drives, span(257, 2));
    assert_eq!(addresses.import_export, span(769, 1));
    assert_eq!(addresses.storage, span(1025, 4));
}

#[test]
fn element_status_tells_what_is_where_and_which_drive_is_which() {
    let mut bench = bench();
    assert_eq!(bench.shift(1026, 258), Reply::good());
    let all = bench.elements(None);
    let addresses: Vec<u16> = all.iter().map(|element| element.address).collect();
    assert_eq!(addresses, [1, 257, 258, 769, 1025, 1026, 1027, 1028]);
    let loaded = &all[2];
    assert!(loaded.full && loaded.device_id.is_some());
    assert_eq!(loaded.source, Some(1026));
    assert_eq!(loaded.volume_tag.as_deref(), Some("PT0002L5"));
    assert!(!all[5].full && all[4].full);
    assert!(all[3].imports && all[3].exports);
    let drives = bench.elements(Some(ElementType::DataTransfer));
    assert_eq!(drives, all[1..3]);
}

#[test]
fn a_range_of_elements_is_told_from_its_lowest_address_on() {
    let mut bench = bench();
    let part = bench.data(&status(None, 258, 3).encode());
    let report = decode_element_status(&part).unwrap();
    let addresses: Vec<u16> = report.elements.iter().map(|e| e.address).collect();
    assert_eq!(addresses, [258, 769, 1025], "gaps are no elements");
    let none = bench.data(&status(None, 2000, 3).encode());
    assert_eq!(none, [0; 8]);
    // First with the room for a header alone, as programs do.
    let mut head = status(None, 0, u16::MAX).encode();
    head[7..10].copy_from_slice(&[0, 0, 8]);
    let head = bench.data(&head);
    let whole = bench.data(&status(None, 0, u16::MAX).encode());
    assert_eq!(head, whole[..8]);
}

#[test]
fn a_move_is_done_when_it_is_answered() {
    let mut bench = bench();
    assert_eq!(bench.shift(1025, 257), Reply::good());
    assert_eq!(bench.bays.barcode(0).as_deref(), Some("PT0001L5"));
    let exchange = ChangerCommand::Exchange(ExchangeMedium {
        transport: 1,
        source: 1026,
        first_destination: 257,
        second_destination: 1025,
        invert_first: false,
        invert_second: false,
    });
    assert_eq!(bench.send(HOST, &exchange.encode()), Reply::good());
    assert_eq!(bench.bays.barcode(0).as_deref(), Some("PT0002L5"));
    assert_eq!(bench.shift(257, 1026), Reply::good());
    assert_eq!(bench.bays.barcode(0), None);
}

#[test]
fn what_a_changer_cannot_do_has_the_sense_that_a_library_gives() {
    let mut bench = bench();
    assert_eq!(bench.shift(1025, 257), Reply::good());
    let before = bench.elements(None);
    let empty = (0x5, 0x3b, 0x0e);
    let full = (0x5, 0x3b, 0x0d);
    let address = (0x5, 0x21, 0x01);
    let field = (0x5, 0x24, 0x00);
    let cases = [
        (shift(1028, 258, false), empty),
        (shift(1026, 257, false), full),
        (shift(1026, 1027, false), full),
        (shift(9, 257, false), address),
        (shift(1026, 9, false), address),
        (shift(1026, 258, true), field),
        // No such transport.
        (vec![0xa5, 0, 0, 2, 4, 2, 1, 2, 0, 0, 0, 0], address),
        (vec![0x2b, 0, 0, 1, 0, 9, 0, 0, 0, 0], address),
        (vec![0x2b, 0, 0, 1, 1, 1, 0, 0, 1, 0], field),
        // WRITE, and what only other changers know.
        (vec![0x0a, 0, 0, 0, 0, 0], (0x5, 0x20, 0x00)),
        (
            vec![0xb6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            (0x5, 0x20, 0x00),
        ),
        (vec![0xff; 16], (0x5, 0x20, 0x00)),
    ];
    for (cdb, sense) in cases {
        assert_eq!(bench.refused(&cdb), sense, "{cdb:02x?}");
    }
    assert_eq!(bench.elements(None), before, "nothing has moved");
}

#[test]
fn a_drive_that_a_program_uses_keeps_its_cartridge() {
    let mut bench = bench();
    assert_eq!(bench.shift(1025, 257), Reply::good());
    bench
        .bays
        .with(0, |bay| bay.usage.opened_by = Some("tar (pid 7)".into()));
    assert_eq!(bench.refused(&shift(257, 1025, false)), (0x5, 0x53, 0x03));
    let access = |bench: &mut Bench| bench.elements(Some(ElementType::DataTransfer))[0].access;
    assert!(!access(&mut bench));
    bench.bays.with(0, |bay| bay.usage.opened_by = None);
    assert!(access(&mut bench));
    assert_eq!(bench.shift(257, 1025), Reply::good());
}

#[test]
fn removal_is_prevented_until_everyone_who_prevented_it_allows_it() {
    let mut bench = bench();
    let prevent = |on| PrimaryCommand::PreventRemoval(on).encode();
    assert_eq!(bench.send(HOST, &prevent(true)), Reply::good());
    assert_eq!(bench.send(OTHER, &prevent(true)), Reply::good());
    assert_eq!(bench.send(HOST, &prevent(false)), Reply::good());
    assert!(!bench.unit.prevented_by.is_empty());
    bench.unit.forget(OTHER, &mut *bench.changer).unwrap();
    assert!(bench.unit.prevented_by.is_empty());
}

#[test]
fn a_reservation_keeps_others_from_moving_and_not_from_looking() {
    let mut bench = bench();
    let reserve = PrimaryCommand::Reserve(Form::Six).encode();
    let release = PrimaryCommand::Release(Form::Ten).encode();
    assert_eq!(bench.send(HOST, &reserve), Reply::good());
    let look = status(None, 0, 9).encode();
    for allowed in [
        &[0x12, 0, 0, 0, 36, 0][..],
        &[3, 0, 0, 0, 18, 0],
        &look,
        &release,
    ] {
        assert_eq!(bench.send(OTHER, allowed).status, Status::Good);
    }
    let conflict = Reply::conflict();
    assert_eq!(bench.send(OTHER, &shift(1025, 257, false)), conflict);
    assert_eq!(bench.send(OTHER, &reserve), conflict);
    assert_eq!(bench.send(OTHER, &[0; 6]), conflict);
    assert_eq!(bench.send(HOST, &[0; 6]), Reply::good());
    assert_eq!(bench.send(HOST, &release), Reply::good());
    assert_eq!(bench.send(OTHER, &reserve), Reply::good());
    bench.unit.forget(OTHER, &mut *bench.changer).unwrap();
    assert_eq!(bench.send(HOST, &reserve), Reply::good());
}

#[test]
fn news_is_told_once_to_everyone_before_the_next_command() {
    let mut bench = bench();
    assert_eq!(bench.send(HOST, &[0; 6]), Reply::good());
    assert_eq!(bench.send(OTHER, &[0; 6]), Reply::good());
    bench.unit.tell_all(Reason::IMPORT_EXPORT_ACCESSED);
    bench.unit.tell_all(Reason::IMPORT_EXPORT_ACCESSED);
    let inquiry = bench.send(HOST, &[0x12, 0, 0, 0, 36, 0]);
    assert_eq!(inquiry.status, Status::Good, "INQUIRY is answered anyway");
    assert_eq!(bench.refused(&[0; 6]), (0x6, 0x28, 0x01));
    assert_eq!(bench.send(HOST, &[0; 6]), Reply::good());
    let asked = bench.send(OTHER, &[3, 0, 0, 0, 18, 0]);
    let told = Sense::new(SenseKey::UnitAttention, Reason::IMPORT_EXPORT_ACCESSED);
    assert_eq!(Sense::decode(&asked.data), Some(told));
    assert_eq!(bench.send(OTHER, &[0; 6]), Reply::good());
}

#[test]
fn each_program_of_an_initiator_hears_the_news_that_it_was_there_for() {
    let mut bench = bench();
    let (one, other, late) = (Program(1), Program(2), Program(3));
    bench.unit.greet(HOST, one);
    bench.unit.greet(HOST, other);
    bench.unit.tell_all(Reason::MEDIUM_MAY_HAVE_CHANGED);
    bench.unit.greet(HOST, late);
    bench.unit.dismiss(HOST, other);
    bench.unit.greet(HOST, other);
    let mut key = |program| {
        let reply = bench.send_by(HOST, program, &[0; 6]);
        reply.sense.map(|sense| sense.key)
    };
    assert_eq!(key(one), Some(SenseKey::UnitAttention));
    assert_eq!(key(one), None);
    assert_eq!(key(late), None, "it came behind it");
    assert_eq!(key(other), None, "who comes again is new");
}

#[test]
fn a_reset_frees_what_was_reserved_and_prevented_and_is_told() {
    let mut bench = bench();
    let (reserve, prevent) = ([0x16, 0, 0, 0, 0, 0], [0x1e, 0, 0, 0, 1, 0]);
    assert_eq!(bench.send(OTHER, &[0; 6]), Reply::good());
    assert_eq!(bench.send(HOST, &reserve), Reply::good());
    assert_eq!(bench.send(HOST, &prevent), Reply::good());
    bench.unit.tell_all(Reason::IMPORT_EXPORT_ACCESSED);
    bench.unit.reset(&mut *bench.changer).unwrap();
    for nexus in [OTHER, HOST] {
        let told = bench.send(nexus, &[0; 6]).sense.map(|sense| sense.reason);
        assert_eq!(told, Some(Reason::POWER_ON_OR_RESET));
    }
    assert_eq!(bench.send(OTHER, &reserve), Reply::good());
}

#[test]
fn elements_are_initialized_all_or_from_one_on() {
    let mut bench = bench();
    let range = ElementRange {
        start: 1025,
        count: 2,
    };
    for command in [None, Some(range)] {
        let cdb = ChangerCommand::Initialize(command).encode();
        assert_eq!(bench.send(HOST, &cdb), Reply::good());
    }
}

#[test]
fn tape_alert_and_the_list_of_units_are_answered() {
    let mut bench = bench();
    let list = bench.data(&[0x4d, 0, 0x40, 0, 0, 0, 0, 0, 255, 0]);
    assert_eq!(list, [0, 0, 0, 2, 0x00, 0x2e]);
    let alerts = bench.data(&[0x4d, 0, 0x6e, 0, 0, 0, 0, 4, 0, 0]);
    assert_eq!(alerts.len(), 4 + 64 * 5);
    let luns = bench.data(&[0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0]);
    assert_eq!(luns, report_luns(0));
}

#[test]
fn any_command_is_answered_within_its_allocation_and_keeps_every_cartridge() {
    let mut bench = bench();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let codes = [
        0x00, 0x03, 0x07, 0x12, 0x1a, 0x1e, 0x2b, 0x37, 0x4d, 0x5a, 0xa0, 0xa5, 0xa6, 0xb8, 0xff,
    ];
    for round in 0..20_000 {
        let mut cdb: Vec<u8> = (0..12)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                // Small numbers and the addresses of elements are met more often than by chance.
                [0, 1, 2, 4, 5, 8, (state >> 40) as u8][(state >> 32) as usize % 7]
            })
            .collect();
        cdb[0] = codes[round % codes.len()];
        cdb.truncate(6 + (state >> 20) as usize % 7);
        let answer = bench.send(HOST, &cdb);
        let most = crate::fuzz::allocation(&cdb);
        assert!(answer.data.len() <= most, "{cdb:02x?}");
        assert_ne!(answer.status, Status::ReservationConflict);
    }
    let full = bench.elements(None).iter().filter(|e| e.full).count();
    assert_eq!(full, 3);
}
