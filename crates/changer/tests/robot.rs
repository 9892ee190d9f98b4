//! PT-13. A library, its drives and its file: what is moved, what is refused, and what is left after a failure.

use std::cell::RefCell;
use std::mem::take;
use std::rc::Rc;

use pseudotape_changer::{
    Address, BayFailure, Bays, Cartridge, Changer, DriveIdentity, DriveUse, ElementKind, Exception,
    Exchange, Library, MemoryHost, Move, Refusal, Removal, Robot, Selection, Side, Step,
};
use pseudotape_testkit::changers::{
    FaultyHost, HostFault, MemoryBays, cartridge, design, drive, library_on, memory_changer, slot,
};

/// Barcode and source of every full element.
fn contents(changer: &mut dyn Changer) -> Vec<(u16, String, Option<u16>)> {
    let inventory = changer.inventory(Selection::ALL).unwrap();
    let full = inventory.elements().iter().filter_map(|element| {
        let medium = element.medium?;
        let barcode = medium.barcode?.to_string();
        Some((element.address.0, barcode, medium.source.map(|at| at.0)))
    });
    full.collect()
}

#[test]
fn a_load_puts_the_cartridge_into_the_drive_and_remembers_its_slot() {
    let (mut changer, bays) = memory_changer(design(2, 1, 4), 2);
    let layout = changer.layout();
    let (from, to) = (slot(&layout, 2), drive(&layout, 1));
    changer.transfer(Move::new(from, to)).unwrap();
    assert_eq!(bays.barcode(1).as_deref(), Some("PT0002L5"));
    assert_eq!(
        contents(&mut changer),
        [
            (258, "PT0002L5".into(), Some(1026)),
            (1025, "PT0001L5".into(), None)
        ]
    );
    changer.transfer(Move::new(to, slot(&layout, 4))).unwrap();
    assert_eq!(bays.barcode(1), None);
    assert_eq!(
        contents(&mut changer)[1],
        (1028, "PT0002L5".into(), Some(1026))
    );
}

#[test]
fn every_impossible_move_is_refused_by_its_reason_and_changes_nothing() {
    let (mut changer, bays) = memory_changer(design(2, 1, 4), 3);
    let layout = changer.layout();
    let (one, two, empty) = (slot(&layout, 1), slot(&layout, 2), slot(&layout, 4));
    let (first, second) = (drive(&layout, 0), drive(&layout, 1));
    changer.transfer(Move::new(two, first)).unwrap();
    let before = contents(&mut changer);
    let nowhere = Address(9);
    let number = 4;
    let cases = [
        (
            Move::new(nowhere, one),
            Refusal::NoSuchElement { address: nowhere },
        ),
        (
            Move::new(one, nowhere),
            Refusal::NoSuchElement { address: nowhere },
        ),
        (
            Move::new(empty, second),
            Refusal::EmptySource {
                address: empty,
                kind: ElementKind::Storage,
                number,
            },
        ),
        (
            Move::new(one, first),
            Refusal::FullDestination {
                address: first,
                kind: ElementKind::Drive,
                number: 0,
            },
        ),
        (
            Move {
                side: Side::Other,
                ..Move::new(one, second)
            },
            Refusal::NotInvertible,
        ),
    ];
    for (wanted, refusal) in cases {
        assert_eq!(changer.transfer(wanted), Err(refusal), "{wanted:?}");
    }
    let transport = layout.transports.first;
    for wanted in [Move::new(transport, one), Move::new(one, transport)] {
        let refused = changer.transfer(wanted).unwrap_err();
        assert!(matches!(refused, Refusal::WrongKind { .. }), "{refused}");
    }
    assert_eq!(contents(&mut changer), before);
    assert_eq!(bays.barcode(1), None);
}

#[test]
fn a_drive_that_a_program_has_gives_nothing_and_takes_nothing() {
    let (mut changer, bays) = memory_changer(design(1, 0, 4), 2);
    let layout = changer.layout();
    let (one, only) = (slot(&layout, 1), drive(&layout, 0));
    bays.with(0, |bay| bay.usage.opened_by = Some("tar (pid 7)".into()));
    let refused = changer.transfer(Move::new(one, only)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "drive element 257 is open by tar (pid 7): end it first"
    );
    bays.with(0, |bay| bay.usage = Default::default());
    changer.transfer(Move::new(one, only)).unwrap();
    bays.with(0, |bay| bay.usage.locked = true);
    let refused = changer.transfer(Move::new(only, one));
    assert_eq!(refused, Err(Refusal::DoorLocked { drive: only }));
    let shown = changer
        .inventory(Selection::of(ElementKind::Drive))
        .unwrap();
    let element = shown.at(only).unwrap();
    assert!(element.locked && !element.accessible && element.is_full());
    bays.with(0, |bay| bay.usage.locked = false);
    changer.transfer(Move::new(only, one)).unwrap();
}

#[test]
fn an_exchange_is_done_for_both_cartridges_or_for_none() {
    let (mut changer, bays) = memory_changer(design(1, 0, 4), 3);
    let layout = changer.layout();
    let (one, two, only) = (slot(&layout, 1), slot(&layout, 2), drive(&layout, 0));
    changer.transfer(Move::new(one, only)).unwrap();
    let exchange = |source, first, second| Exchange {
        source,
        first,
        second,
        first_side: Side::Same,
        second_side: Side::Same,
    };
    // Through the drive: what was in it goes where the new one came from.
    changer.exchange(exchange(two, only, two)).unwrap();
    assert_eq!(bays.barcode(0).as_deref(), Some("PT0002L5"));
    assert_eq!(
        changer.library().find(&"PT0001L5".parse().unwrap()),
        Some(two)
    );

    let before = contents(&mut changer);
    bays.with(0, |bay| bay.failing_loads = 1);
    let refused = changer.exchange(exchange(slot(&layout, 3), only, one));
    assert!(
        matches!(refused, Err(Refusal::LoadFailed { now_in, .. }) if now_in == slot(&layout, 3))
    );
    assert_eq!(contents(&mut changer), before);
    assert_eq!(bays.barcode(0).as_deref(), Some("PT0002L5"));

    // Without a drive.
    changer
        .exchange(exchange(slot(&layout, 3), two, one))
        .unwrap();
    assert_eq!(
        changer.library().find(&"PT0001L5".parse().unwrap()),
        Some(one)
    );
    assert_eq!(
        changer.library().find(&"PT0003L5".parse().unwrap()),
        Some(two)
    );
    let full = changer.exchange(exchange(two, one, only));
    assert!(
        matches!(full, Err(Refusal::FullDestination { .. })),
        "{full:?}"
    );
}

#[test]
fn a_cartridge_that_does_not_load_is_back_in_its_slot() {
    let (mut changer, bays) = memory_changer(design(1, 0, 2), 1);
    let layout = changer.layout();
    let (one, only) = (slot(&layout, 1), drive(&layout, 0));
    bays.with(0, |bay| bay.failing_loads = 1);
    let refused = changer.transfer(Move::new(one, only)).unwrap_err();
    assert!(
        matches!(&refused, Refusal::LoadFailed { now_in, .. } if *now_in == one),
        "{refused}"
    );
    assert_eq!(contents(&mut changer), [(1025, "PT0001L5".into(), None)]);
    changer.transfer(Move::new(one, only)).unwrap();
}

#[test]
fn an_unload_that_fails_leaves_the_cartridge_in_its_drive() {
    let (mut changer, bays) = memory_changer(design(1, 0, 2), 1);
    let layout = changer.layout();
    let (one, only) = (slot(&layout, 1), drive(&layout, 0));
    changer.transfer(Move::new(one, only)).unwrap();
    bays.with(0, |bay| bay.failing_unloads = 1);
    let refused = changer.transfer(Move::new(only, one)).unwrap_err();
    assert!(
        matches!(&refused, Refusal::UnloadFailed { now_in, .. } if *now_in == only),
        "{refused}"
    );
    assert_eq!(
        bays.barcode(0).as_deref(),
        Some("PT0001L5"),
        "it was loaded again"
    );
    assert_eq!(contents(&mut changer)[0].0, only.0);
    // It can't even be loaded again: the drive shows it, and gives the cartridge all the same.
    bays.with(0, |bay| (bay.failing_unloads, bay.failing_loads) = (1, 1));
    changer.transfer(Move::new(only, one)).unwrap_err();
    let shown = changer
        .inventory(Selection::of(ElementKind::Drive))
        .unwrap();
    assert_eq!(
        shown.at(only).unwrap().exception,
        Some(Exception::LoadFailed)
    );
    changer.transfer(Move::new(only, one)).unwrap();
    let shown = changer
        .inventory(Selection::of(ElementKind::Drive))
        .unwrap();
    assert_eq!(shown.at(only).unwrap().exception, None);
}

#[test]
fn an_operator_reaches_slots_unless_removal_is_prevented() {
    let (mut changer, _) = memory_changer(design(1, 1, 2), 1);
    let layout = changer.layout();
    let (one, two) = (slot(&layout, 1), slot(&layout, 2));
    let mailbox = layout.import_export.first;
    changer
        .library_mut()
        .put(mailbox, cartridge("NEW001L5"))
        .unwrap();
    let shown = changer
        .inventory(Selection::of(ElementKind::ImportExport))
        .unwrap();
    assert!(shown.at(mailbox).unwrap().placed_by_operator);
    let twice = changer
        .library_mut()
        .put(two, cartridge("NEW001L5"))
        .unwrap_err();
    assert!(
        twice.to_string().contains("is in element 769 already"),
        "{twice}"
    );
    changer.set_removal(Removal::Prevented).unwrap();
    let out = changer.library_mut().take(one);
    assert_eq!(out, Err(Refusal::RemovalPrevented));
    // The transport goes on.
    changer.transfer(Move::new(mailbox, two)).unwrap();
    changer.set_removal(Removal::Allowed).unwrap();
    assert_eq!(changer.library_mut().take(two), Ok(cartridge("NEW001L5")));
    let into_drive = changer
        .library_mut()
        .put(drive(&layout, 0), cartridge("NEW001L5"));
    assert!(matches!(into_drive, Err(Refusal::WrongKind { .. })));
}

/// A start finds each cartridge where the last commit left it, and loads the drives by it.
#[test]
fn a_start_loads_the_drives_as_the_library_says() {
    let (mut changer, _) = memory_changer(design(2, 0, 3), 2);
    let layout = changer.layout();
    let (one, first) = (slot(&layout, 1), drive(&layout, 0));
    changer.transfer(Move::new(one, first)).unwrap();
    changer.set_removal(Removal::Prevented).unwrap();
    let host: MemoryHost = changer.library().host().clone();
    let before = contents(&mut changer);
    drop(changer);
    let bays = MemoryBays::new(2);
    let (mut changer, refusals) = Robot::start(Library::open(host.clone()).unwrap(), bays.clone());
    assert_eq!(refusals, []);
    assert_eq!(bays.barcode(0).as_deref(), Some("PT0001L5"));
    assert_eq!(contents(&mut changer), before);
    assert_eq!(changer.library().removal(), Removal::Prevented);

    let bays = MemoryBays::new(2);
    bays.with(0, |bay| bay.failing_loads = 1);
    let (mut changer, refusals) = Robot::start(Library::open(host).unwrap(), bays);
    assert_eq!(refusals.len(), 1);
    let shown = changer.inventory(Selection::ALL).unwrap();
    assert_eq!(
        shown.at(first).unwrap().exception,
        Some(Exception::LoadFailed)
    );
}

/// Each call of the host fails or dies, in each kind of change: memory, file and drives agree afterwards.
#[test]
fn whatever_call_of_the_host_goes_wrong_the_old_state_or_the_new_one_is_there() {
    let faults = [
        HostFault::Fails,
        HostFault::FailsAfter,
        HostFault::DiesBefore,
        HostFault::DiesAfter,
    ];
    let mut tried = 0;
    for (fault, anew) in faults.into_iter().flat_map(|f| [(f, false), (f, true)]) {
        for at in 0..6 {
            let host = FaultyHost::default();
            let library = library_on(host.clone(), design(1, 0, 3), 2);
            let bays = MemoryBays::new(1);
            let (mut changer, _) = Robot::start(library, bays.clone());
            let layout = changer.layout();
            let (one, only) = (slot(&layout, 1), drive(&layout, 0));
            let before = contents(&mut changer);
            if anew {
                // Behind a line that could not be written the file is replaced.
                host.plan(0, HostFault::Fails);
                changer.transfer(Move::new(one, only)).unwrap_err();
                host.heal();
            }
            host.plan(at, fault);
            let result = changer.transfer(Move::new(one, only));
            tried += usize::from(host.calls() > at);
            let shown = contents(&mut changer);
            let found = Library::open(host.revived()).unwrap();
            let (mut after, _) = Robot::start(found, MemoryBays::new(1));
            let found = contents(&mut after);
            let case = format!("{fault:?} at call {at}, anew {anew}: {result:?}");
            let in_drive = bays.barcode(0).is_some();
            let done = shown[0].0 == only.0;
            assert_eq!(
                in_drive, done,
                "{case}: the drive has what the changer says"
            );
            assert_eq!(result.is_ok(), done, "{case}: the answer says what is so");
            if !done {
                assert_eq!(shown, before, "{case}");
            }
            let dead = matches!(fault, HostFault::DiesBefore | HostFault::DiesAfter);
            if dead {
                assert!(found == before || found[0].0 == only.0, "{case}: {found:?}");
                continue;
            }
            host.heal();
            // The next change works, and then the file says what the changer says.
            changer
                .transfer(Move::new(slot(&layout, 2), slot(&layout, 3)))
                .unwrap();
            let found = Library::open(host.revived()).unwrap();
            let (mut after, _) = Robot::start(found, MemoryBays::new(1));
            assert_eq!(contents(&mut after), contents(&mut changer), "{case}");
        }
    }
    assert!(tried >= 24, "{tried} calls went wrong");
}

#[test]
fn barcodes_of_new_cartridges_follow_the_scheme() {
    let (mut changer, _) = memory_changer(design(1, 0, 4), 2);
    let library = changer.library_mut();
    let free = library.next_barcode(|_| false).unwrap();
    assert_eq!(free.as_str(), "PT0003L5");
    let known = library
        .next_barcode(|barcode| barcode.as_str() < "PT0009L5")
        .unwrap();
    assert_eq!(known.as_str(), "PT0009L5");
    assert_eq!(library.next_barcode(|_| true), None);
    let mut bad = design(1, 0, 1);
    bad.barcodes = "TAPE".into();
    assert!(Library::create(MemoryHost::default(), bad).is_err());
    for (scheme, said) in [
        ("../##", "leads to another folder"),
        ("slot##", "is how an element is named"),
        ("PT 0##", "has the character ' '"),
        (".##", "hidden"),
    ] {
        let mut bad = design(1, 0, 1);
        bad.barcodes = scheme.into();
        let error = Library::create(MemoryHost::default(), bad).unwrap_err();
        assert!(error.to_string().contains(said), "{scheme}: {error}");
    }
}

/// A program closed its tape and changed it, and the drive had not heard of the close.
#[test]
fn a_move_waits_for_a_close_that_is_on_its_way() {
    let drives = MemoryBays::new(1);
    let library = library_on(MemoryHost::default(), design(1, 0, 2), 1);
    let (mut changer, _) = Robot::start(library, drives.clone());
    let layout = changer.layout();
    let (home, first) = (slot(&layout, 1), drive(&layout, 0));
    changer.transfer(Move::new(home, first)).unwrap();
    let open = |closing| {
        drives.with(0, |bay| {
            bay.usage.opened_by = Some("tar".into());
            bay.closing = closing;
        });
    };
    open(false);
    let refused = changer.transfer(Move::new(first, home)).unwrap_err();
    assert!(matches!(refused, Refusal::InUse { .. }), "{refused}");
    open(true);
    changer.transfer(Move::new(first, home)).unwrap();
}

/// Drives that write down which parts of a move take time.
struct Timed {
    drives: MemoryBays,
    steps: Rc<RefCell<Vec<Step>>>,
}

impl Bays for Timed {
    fn load(&mut self, drive: u16, cartridge: &Cartridge) -> Result<(), BayFailure> {
        self.drives.load(drive, cartridge)
    }

    fn unload(&mut self, drive: u16, force: bool) -> Result<(), BayFailure> {
        self.drives.unload(drive, force)
    }

    fn await_close(&mut self, drive: u16) {
        self.drives.await_close(drive);
    }

    fn usage(&mut self, drive: u16) -> DriveUse {
        self.drives.usage(drive)
    }

    fn identity(&mut self, drive: u16) -> Option<DriveIdentity> {
        self.drives.identity(drive)
    }

    fn take_time(&mut self, step: Step) {
        self.steps.borrow_mut().push(step);
    }
}

#[test]
fn a_move_takes_the_time_of_its_parts_and_a_refused_one_takes_none() {
    let steps = Rc::default();
    let drives = MemoryBays::new(2);
    let timed = Timed {
        drives: drives.clone(),
        steps: Rc::clone(&steps),
    };
    let library = library_on(MemoryHost::default(), design(2, 0, 4), 2);
    let (mut changer, _) = Robot::start(library, timed);
    let layout = changer.layout();
    let (one, two, free) = (slot(&layout, 1), slot(&layout, 2), slot(&layout, 4));
    let (first, second) = (drive(&layout, 0), drive(&layout, 1));
    let mut moved = |from, to| {
        changer.transfer(Move::new(from, to)).unwrap();
        take(&mut *steps.borrow_mut())
    };
    assert_eq!(moved(one, first), [Step::Carry, Step::Load]);
    assert_eq!(
        moved(first, second),
        [Step::Unload, Step::Carry, Step::Load]
    );
    assert_eq!(moved(two, free), [Step::Carry]);
    let exchange = Exchange {
        source: free,
        first: second,
        second: one,
        first_side: Side::Same,
        second_side: Side::Same,
    };
    changer.exchange(exchange).unwrap();
    assert_eq!(
        take(&mut *steps.borrow_mut()),
        [Step::Unload, Step::Carry, Step::Load, Step::Carry]
    );
    drives.with(1, |bay| bay.usage.opened_by = Some("tar".to_owned()));
    changer.transfer(Move::new(second, two)).unwrap_err();
    assert_eq!(*steps.borrow(), []);
    // What is in a drive when the library starts is loaded without a wait.
    drives.with(1, |bay| bay.usage.opened_by = None);
    changer.transfer(Move::new(second, two)).unwrap();
    assert_eq!(*steps.borrow(), [Step::Unload, Step::Carry]);
}
