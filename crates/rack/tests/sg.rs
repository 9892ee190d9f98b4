//! PT-14, PT-15. A changer behind SCSI commands is the changer that is there, also when nobody says what became of a
//! command.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use pseudotape_changer::{
    Address, AddressRange, Changer, Exchange, Move, Refusal, Removal, Selection, Side,
};
use pseudotape_rack::{Initiator, SgChanger};
use pseudotape_scsi::{ChangerUnit, Nexus, Program, Reason, Reply};
use pseudotape_testkit::changers::{MemoryBays, MemoryChanger, design, memory_changer};

/// The usual addresses of few elements.
fn slot(number: u16) -> Address {
    Address(1025 + number)
}

fn drive(number: u16) -> Address {
    Address(257 + number)
}

/// What befalls the next move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The unit does it, and the answer is lost.
    Answer,
    /// The unit never hears of it.
    Command,
}

struct Bus {
    unit: ChangerUnit,
    changer: MemoryChanger,
    fault: Option<Fault>,
    moves: u32,
}

#[derive(Clone)]
struct Wire(Rc<RefCell<Bus>>);

impl Initiator for Wire {
    fn execute(&mut self, cdb: &[u8], room: u32, _: Duration) -> io::Result<Reply> {
        let bus = &mut *self.0.borrow_mut();
        let is_move = matches!(cdb.first(), Some(0xa5 | 0xa6));
        bus.moves += u32::from(is_move);
        let fault = bus.fault.take_if(|_| is_move);
        if fault == Some(Fault::Command) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let reply = bus
            .unit
            .execute(Nexus(0), Program(1), cdb, &mut bus.changer);
        assert!(reply.data.len() <= usize::try_from(room).unwrap());
        match fault {
            Some(Fault::Answer) => Err(io::ErrorKind::TimedOut.into()),
            _ => Ok(reply),
        }
    }
}

fn node(drives: u16, slots: u16, full: u16) -> (SgChanger<Wire>, Rc<RefCell<Bus>>, MemoryBays) {
    let (changer, bays) = memory_changer(design(drives, 1, slots), full);
    let bus = Rc::new(RefCell::new(Bus {
        unit: ChangerUnit::new(),
        changer,
        fault: None,
        moves: 0,
    }));
    let sg = SgChanger::new(Wire(Rc::clone(&bus))).unwrap();
    (sg, bus, bays)
}

#[test]
fn pt_14_a_changer_behind_sg_io_is_the_changer_that_is_there() {
    // More elements than are asked for at a time.
    let (mut sg, bus, _) = node(2, 1100, 30);
    assert_eq!(sg.identity(), bus.borrow().changer.identity());
    assert_eq!(sg.layout(), bus.borrow().changer.layout());
    sg.transfer(Move::new(slot(0), drive(1))).unwrap();
    sg.exchange(Exchange {
        source: slot(1),
        first: drive(1),
        second: slot(0),
        first_side: Side::Same,
        second_side: Side::Same,
    })
    .unwrap();
    let there = bus.borrow_mut().changer.inventory(Selection::ALL).unwrap();
    assert_eq!(sg.inventory(Selection::ALL).unwrap(), there);
    let of = bus.borrow_mut().changer.drive_identity(drive(1)).unwrap();
    assert_eq!(sg.drive_identity(drive(1)).unwrap(), of);
    sg.position(slot(3)).unwrap();
    sg.initialize(AddressRange::ALL).unwrap();
    sg.set_removal(Removal::Prevented).unwrap();
    assert_eq!(bus.borrow().changer.library().removal(), Removal::Prevented);
}

#[test]
fn what_a_node_refuses_is_refused_by_its_name() {
    let (mut sg, _bus, bays) = node(2, 4, 2);
    let mut refused = |from, to| sg.transfer(Move::new(from, to)).unwrap_err();
    let empty = refused(slot(3), drive(0));
    assert!(
        matches!(empty, Refusal::EmptySource { number: 4, .. }),
        "{empty:?}"
    );
    let full = refused(slot(0), slot(1));
    assert!(
        matches!(full, Refusal::FullDestination { number: 2, .. }),
        "{full:?}"
    );
    let none = refused(slot(0), slot(9));
    assert_eq!(none, Refusal::NoSuchElement { address: slot(9) });
    let failed = {
        bays.with(0, |bay| bay.failing_loads = 1);
        refused(slot(0), drive(0))
    };
    assert!(matches!(failed, Refusal::Failed { .. }), "{failed:?}");
    sg.transfer(Move::new(slot(0), drive(0))).unwrap();
    bays.with(0, |bay| bay.usage.opened_by = Some("tar".into()));
    let used = sg.transfer(Move::new(drive(0), slot(0))).unwrap_err();
    assert!(matches!(used, Refusal::InUse { .. }), "{used:?}");
}

#[test]
fn pt_15_a_move_without_an_answer_is_settled_by_the_inventory_and_sent_once() {
    let (mut sg, bus, _) = node(1, 4, 2);
    let exchange = Exchange {
        source: slot(1),
        first: drive(0),
        second: slot(0),
        first_side: Side::Same,
        second_side: Side::Same,
    };
    for (fault, done) in [(Fault::Command, false), (Fault::Answer, true)] {
        bus.borrow_mut().fault = Some(fault);
        let before = bus.borrow().moves;
        let moved = sg.transfer(Move::new(slot(0), drive(0)));
        assert_eq!(moved.is_ok(), done, "{moved:?}");
        assert_eq!(bus.borrow().moves, before + 1);
    }
    for (fault, done) in [(Fault::Command, false), (Fault::Answer, true)] {
        bus.borrow_mut().fault = Some(fault);
        let exchanged = sg.exchange(exchange);
        assert_eq!(exchanged.is_ok(), done, "{exchanged:?}");
    }
}

#[test]
fn news_of_the_unit_do_not_lose_a_move() {
    let (mut sg, bus, _) = node(1, 4, 2);
    for news in [Reason::POWER_ON_OR_RESET, Reason::IMPORT_EXPORT_ACCESSED] {
        bus.borrow_mut().unit.tell_all(news);
    }
    sg.transfer(Move::new(slot(0), drive(0))).unwrap();
    let elements = sg.inventory(Selection::ALL).unwrap();
    assert!(elements.at(drive(0)).unwrap().is_full());
}
