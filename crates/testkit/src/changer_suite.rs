//! One suite for every [`Changer`]: each implementation runs all of it through
//! [`changer_suite!`](macro@crate::changer_suite).
//!
//! Cases start with a changer of 2 drives, 1 import/export slot and 4 slots. The cartridges PT0001L5 to PT0003L5 are in
//! the first three slots.

use pseudotape_changer::{
    Address, AddressRange, Changer, ElementKind, Exception, Exchange, Inventory, Move, Refusal,
    Removal, Selection, Side,
};

use crate::changers::{MemoryBay, MemoryBays, drive, slot};

/// A changer and what is behind its drives.
pub struct ChangerRig {
    /// The changer.
    pub changer: Box<dyn Changer>,
    /// For each drive of the changer the drives that it is: one of each leg.
    pub drives: Vec<Vec<(MemoryBays, u16)>>,
}

/// Makes the changer of a case.
pub type MakeChanger<'a> = &'a dyn Fn() -> ChangerRig;

impl ChangerRig {
    /// A rig whose drives are these in each leg, in the same order.
    #[must_use]
    pub fn new(changer: Box<dyn Changer>, legs: &[MemoryBays]) -> Self {
        let count = changer.layout().drives.count;
        let drives =
            (0..count).map(|number| legs.iter().map(|leg| (leg.clone(), number)).collect());
        let drives = drives.collect();
        ChangerRig { changer, drives }
    }

    /// Does something to a drive in all legs.
    pub fn each(&self, drive: u16, act: impl Fn(&mut MemoryBay)) {
        for (bays, number) in &self.drives[usize::from(drive)] {
            bays.with(*number, &act);
        }
    }

    /// Does something to a drive in the last leg only: what goes wrong there goes wrong when all others are done.
    pub fn last(&self, drive: u16, act: impl FnOnce(&mut MemoryBay)) {
        let (bays, number) = self.drives[usize::from(drive)].last().expect("a leg");
        bays.with(*number, act);
    }

    /// The barcode in a drive, of which all legs have to say the same.
    #[must_use]
    pub fn held(&self, drive: u16) -> Option<String> {
        let legs = self.drives[usize::from(drive)].iter();
        let mut held: Vec<_> = legs.map(|(bays, number)| bays.barcode(*number)).collect();
        held.dedup();
        assert_eq!(held.len(), 1, "the legs of drive {drive} hold {held:?}");
        held.remove(0)
    }

    /// The address of a slot, counted from 1.
    #[must_use]
    pub fn slot(&self, number: u16) -> Address {
        slot(&self.changer.layout(), number)
    }

    /// The address of a drive, counted from 0.
    #[must_use]
    pub fn drive(&self, number: u16) -> Address {
        drive(&self.changer.layout(), number)
    }

    /// The address of the import/export slot.
    #[must_use]
    pub fn mailbox(&self) -> Address {
        self.changer.layout().import_export.first
    }

    /// All elements. What it says about the drives is what they hold.
    pub fn inventory(&mut self) -> Inventory {
        let inventory = self.changer.inventory(Selection::ALL).expect("it is ready");
        for number in 0..2 {
            let said = inventory.at(self.drive(number)).and_then(|e| e.medium);
            let said = said
                .and_then(|medium| medium.barcode)
                .map(|b| b.to_string());
            assert_eq!(said, self.held(number), "drive {number}");
        }
        inventory
    }

    /// Address and barcode of every full element.
    pub fn contents(&mut self) -> Vec<(Address, String)> {
        let inventory = self.inventory();
        let full = inventory.elements().iter().filter_map(|element| {
            let barcode = element.medium?.barcode?.to_string();
            Some((element.address, barcode))
        });
        full.collect()
    }

    /// Moves, and expects that it is done.
    pub fn carry(&mut self, from: Address, to: Address) {
        let moved = self.changer.transfer(Move::new(from, to));
        assert_eq!(moved, Ok(()), "from {from} to {to}");
    }

    /// Exchanges, with nothing turned over.
    pub fn swap(
        &mut self,
        source: Address,
        first: Address,
        second: Address,
    ) -> Result<(), Refusal> {
        self.changer.exchange(Exchange {
            source,
            first,
            second,
            first_side: Side::Same,
            second_side: Side::Same,
        })
    }

    /// A call that is refused changes nothing.
    fn refused(&mut self, act: impl FnOnce(&mut Self) -> Result<(), Refusal>) -> Refusal {
        let before = self.contents();
        let refusal = act(self).expect_err("it is refused");
        assert_eq!(self.contents(), before, "{refusal}");
        refusal
    }

    fn refused_move(&mut self, from: Address, to: Address) -> Refusal {
        self.refused(|rig| rig.changer.transfer(Move::new(from, to)))
    }
}

/// The name of a refusal.
#[must_use]
pub fn refusal_name(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NoSuchElement { .. } => "NoSuchElement",
        Refusal::WrongKind { .. } => "WrongKind",
        Refusal::EmptySource { .. } => "EmptySource",
        Refusal::FullDestination { .. } => "FullDestination",
        Refusal::InUse { .. } => "InUse",
        Refusal::DoorLocked { .. } => "DoorLocked",
        Refusal::RemovalPrevented => "RemovalPrevented",
        Refusal::NotReachable { .. } => "NotReachable",
        Refusal::NotInvertible => "NotInvertible",
        Refusal::LoadFailed { .. } => "LoadFailed",
        Refusal::UnloadFailed { .. } => "UnloadFailed",
        Refusal::OutOfStep { .. } => "OutOfStep",
        _ => "another refusal",
    }
}

fn named(refusal: &Refusal, name: &str) {
    assert_eq!(refusal_name(refusal), name, "{refusal}");
}

pub fn it_says_what_it_is(make: MakeChanger<'_>) {
    let rig = make();
    let identity = rig.changer.identity();
    for (text, most) in [
        (&identity.vendor, 8),
        (&identity.product, 16),
        (&identity.revision, 4),
    ] {
        assert!(!text.is_empty() && text.len() <= most, "{text}");
    }
    assert!(!identity.serial.is_empty());
}

pub fn the_inventory_has_each_element_of_the_layout_once(make: MakeChanger<'_>) {
    let mut rig = make();
    let layout = rig.changer.layout();
    layout.check().expect("a layout that can be");
    let counts = ElementKind::ALL.map(|kind| layout.span(kind).count);
    assert_eq!(
        counts,
        [1, 4, 1, 2],
        "transport, slots, import/export, drives"
    );
    let inventory = rig.inventory();
    let found = inventory.elements().iter().map(|e| (e.address, e.kind));
    let mut wanted: Vec<_> = ElementKind::ALL
        .into_iter()
        .flat_map(|kind| layout.span(kind).addresses().map(move |at| (at, kind)))
        .collect();
    wanted.sort();
    assert_eq!(found.collect::<Vec<_>>(), wanted);
    let barcodes = ["PT0001L5", "PT0002L5", "PT0003L5"];
    let full = barcodes
        .iter()
        .zip(1..)
        .map(|(barcode, number)| (rig.slot(number), (*barcode).to_owned()));
    let full: Vec<_> = full.collect();
    assert_eq!(rig.contents(), full);
}

pub fn a_selection_is_a_part_of_the_inventory(make: MakeChanger<'_>) {
    let mut rig = make();
    rig.carry(rig.slot(1), rig.drive(1));
    let all = rig.inventory();
    for kind in [None].into_iter().chain(ElementKind::ALL.map(Some)) {
        for first in all.elements().iter().map(|element| element.address) {
            for count in [None, Some(0), Some(1), Some(2), Some(600)] {
                let range = AddressRange { first, count };
                let which = Selection { kind, range };
                let found = rig.changer.inventory(which).expect("it is ready");
                let elements = all.elements().iter();
                let wanted = elements
                    .filter(|e| which.contains(e.kind, e.address))
                    .copied();
                assert_eq!(found.elements(), wanted.collect::<Vec<_>>(), "{which:?}");
            }
        }
    }
}

pub fn drives_tell_what_they_are_and_other_elements_do_not(make: MakeChanger<'_>) {
    let mut rig = make();
    let both = [0, 1].map(|n| {
        rig.changer
            .drive_identity(rig.drive(n))
            .expect("it is a drive")
    });
    // A changer that does not know says so of each of them.
    assert_eq!(both[0].is_some(), both[1].is_some());
    if let [Some(one), Some(other)] = both {
        assert_ne!(one.serial, other.serial);
    }
    for address in [rig.slot(1), rig.mailbox()] {
        let refusal = rig.changer.drive_identity(address).expect_err("no drive");
        named(&refusal, "WrongKind");
    }
    let refusal = rig
        .changer
        .drive_identity(Address(9))
        .expect_err("no element");
    named(&refusal, "NoSuchElement");
}

pub fn a_load_and_an_unload_remember_the_slot(make: MakeChanger<'_>) {
    let mut rig = make();
    let (two, four, second) = (rig.slot(2), rig.slot(4), rig.drive(1));
    rig.carry(two, second);
    assert_eq!(rig.held(1).as_deref(), Some("PT0002L5"));
    let medium = rig
        .inventory()
        .at(second)
        .and_then(|e| e.medium)
        .expect("it is loaded");
    assert_eq!((medium.source, medium.inverted), (Some(two), false));
    // Into another slot than its own, and from drive to drive.
    rig.carry(second, rig.drive(0));
    let medium = rig.inventory().at(rig.drive(0)).and_then(|e| e.medium);
    assert_eq!(medium.and_then(|medium| medium.source), Some(two));
    rig.carry(rig.drive(0), four);
    assert_eq!((rig.held(0), rig.held(1)), (None, None));
    assert!(rig.contents().contains(&(four, "PT0002L5".to_owned())));
}

pub fn the_import_export_slot_is_a_place_like_others(make: MakeChanger<'_>) {
    let mut rig = make();
    let mailbox = rig.mailbox();
    rig.carry(rig.slot(3), mailbox);
    let element = *rig.inventory().at(mailbox).expect("it is an element");
    assert!(element.is_full() && !element.placed_by_operator);
    rig.carry(mailbox, rig.drive(0));
    rig.carry(rig.drive(0), rig.slot(3));
}

pub fn a_move_to_where_it_is_does_nothing(make: MakeChanger<'_>) {
    let mut rig = make();
    let before = rig.contents();
    rig.carry(rig.slot(1), rig.slot(1));
    assert_eq!(rig.contents(), before);
    let empty = rig.slot(4);
    named(&rig.refused_move(empty, empty), "EmptySource");
}

pub fn impossible_moves_are_refused_by_their_names(make: MakeChanger<'_>) {
    let mut rig = make();
    let (one, two, empty) = (rig.slot(1), rig.slot(2), rig.slot(4));
    rig.carry(rig.slot(3), rig.drive(0));
    let (full, free) = (rig.drive(0), rig.drive(1));
    let (nowhere, hand) = (Address(9), rig.changer.layout().transports.first);
    let cases = [
        (nowhere, one, "NoSuchElement"),
        (one, nowhere, "NoSuchElement"),
        (hand, empty, "WrongKind"),
        (one, hand, "WrongKind"),
        (empty, free, "EmptySource"),
        (free, empty, "EmptySource"),
        (one, two, "FullDestination"),
        (one, full, "FullDestination"),
        (full, one, "FullDestination"),
    ];
    for (from, to, name) in cases {
        named(&rig.refused_move(from, to), name);
    }
    let refusal = rig.refused_move(one, full);
    let expected = Refusal::FullDestination {
        address: full,
        kind: ElementKind::Drive,
        number: 0,
    };
    assert_eq!(refusal, expected);
    let expected = Refusal::EmptySource {
        address: empty,
        kind: ElementKind::Storage,
        number: 4,
    };
    assert_eq!(rig.refused_move(empty, free), expected);
}

pub fn a_cartridge_is_not_turned_over(make: MakeChanger<'_>) {
    let mut rig = make();
    let (one, two, free) = (rig.slot(1), rig.slot(2), rig.drive(0));
    let turned = Move {
        side: Side::Other,
        ..Move::new(one, free)
    };
    named(
        &rig.refused(|rig| rig.changer.transfer(turned)),
        "NotInvertible",
    );
    for (first_side, second_side) in [(Side::Other, Side::Same), (Side::Same, Side::Other)] {
        let exchange = Exchange {
            source: one,
            first: two,
            second: one,
            first_side,
            second_side,
        };
        named(
            &rig.refused(|rig| rig.changer.exchange(exchange)),
            "NotInvertible",
        );
    }
}

pub fn an_exchange_moves_both(make: MakeChanger<'_>) {
    let mut rig = make();
    let (one, two, four, first) = (rig.slot(1), rig.slot(2), rig.slot(4), rig.drive(0));
    rig.carry(one, first);
    // What was in the drive goes where the new one came from.
    assert_eq!(rig.swap(two, first, two), Ok(()));
    assert_eq!(rig.held(0).as_deref(), Some("PT0002L5"));
    assert!(rig.contents().contains(&(two, "PT0001L5".to_owned())));
    // And into a third element, which is the other drive.
    assert_eq!(rig.swap(two, first, rig.drive(1)), Ok(()));
    assert_eq!(rig.held(0).as_deref(), Some("PT0001L5"));
    assert_eq!(rig.held(1).as_deref(), Some("PT0002L5"));
    // Without a drive.
    rig.carry(first, one);
    assert_eq!(rig.swap(one, rig.slot(3), four), Ok(()));
    assert!(
        rig.contents()
            .contains(&(rig.slot(3), "PT0001L5".to_owned()))
    );
    assert!(rig.contents().contains(&(four, "PT0003L5".to_owned())));
}

pub fn an_exchange_of_one_cartridge_is_a_move(make: MakeChanger<'_>) {
    let mut rig = make();
    let (one, four) = (rig.slot(1), rig.slot(4));
    assert_eq!(rig.swap(one, one, four), Ok(()));
    assert!(rig.contents().contains(&(four, "PT0001L5".to_owned())));
    assert_eq!(rig.swap(four, four, four), Ok(()));
}

pub fn impossible_exchanges_are_refused_by_their_names(make: MakeChanger<'_>) {
    let mut rig = make();
    let (one, two, three, empty) = (rig.slot(1), rig.slot(2), rig.slot(3), rig.slot(4));
    let (nowhere, hand) = (Address(9), rig.changer.layout().transports.first);
    let cases = [
        (nowhere, one, two, "NoSuchElement"),
        (one, nowhere, one, "NoSuchElement"),
        (one, two, nowhere, "NoSuchElement"),
        (one, two, hand, "WrongKind"),
        (hand, two, one, "WrongKind"),
        (empty, two, empty, "EmptySource"),
        (one, empty, one, "EmptySource"),
        (one, two, three, "FullDestination"),
        (one, two, two, "FullDestination"),
    ];
    for (source, first, second, name) in cases {
        named(&rig.refused(|rig| rig.swap(source, first, second)), name);
    }
}

pub fn a_drive_that_a_program_has_gives_nothing_and_takes_nothing(make: MakeChanger<'_>) {
    let mut rig = make();
    let (one, two, first) = (rig.slot(1), rig.slot(2), rig.drive(0));
    let open = |bay: &mut MemoryBay| bay.usage.opened_by = Some("tar (pid 7)".into());
    let close = |bay: &mut MemoryBay| bay.usage.opened_by = None;
    rig.last(0, open);
    named(&rig.refused_move(one, first), "InUse");
    rig.last(0, close);
    rig.carry(one, first);
    rig.last(0, open);
    let element = *rig.inventory().at(first).expect("a drive");
    assert!(element.in_use && !element.accessible && !element.locked && element.is_full());
    named(&rig.refused_move(first, one), "InUse");
    named(&rig.refused(|rig| rig.swap(two, first, two)), "InUse");
    rig.carry(two, rig.drive(1));
    rig.last(0, close);
    let element = *rig.inventory().at(first).expect("a drive");
    assert!(!element.in_use && element.accessible);
    rig.carry(first, one);
}

pub fn a_locked_drive_gives_nothing_and_takes_nothing(make: MakeChanger<'_>) {
    let mut rig = make();
    let (one, two, first) = (rig.slot(1), rig.slot(2), rig.drive(0));
    rig.carry(one, first);
    rig.last(0, |bay| bay.usage.locked = true);
    let element = *rig.inventory().at(first).expect("a drive");
    assert!(element.locked && !element.accessible && !element.in_use);
    assert_eq!(
        rig.refused_move(first, one),
        Refusal::DoorLocked { drive: first }
    );
    named(&rig.refused(|rig| rig.swap(two, first, two)), "DoorLocked");
    rig.last(0, |bay| bay.usage.locked = false);
    rig.carry(first, one);
}

pub fn a_cartridge_that_does_not_load_is_back(make: MakeChanger<'_>) {
    let mut rig = make();
    let (one, two, first) = (rig.slot(1), rig.slot(2), rig.drive(0));
    rig.last(0, |bay| bay.failing_loads = 1);
    let refusal = rig.refused_move(one, first);
    let back = matches!(&refusal, Refusal::LoadFailed { drive, now_in, .. } if *drive == first && *now_in == one);
    assert!(back, "{refusal:?}");
    rig.carry(one, first);
    // In an exchange both are back, the one that was loaded included.
    rig.last(0, |bay| bay.failing_loads = 1);
    let refusal = rig.refused(|rig| rig.swap(two, first, two));
    assert!(
        matches!(&refusal, Refusal::LoadFailed { now_in, .. } if *now_in == two),
        "{refusal:?}"
    );
    assert_eq!(rig.held(0).as_deref(), Some("PT0001L5"));
    assert_eq!(rig.swap(two, first, two), Ok(()));
}

pub fn a_cartridge_that_does_not_come_out_stays(make: MakeChanger<'_>) {
    let mut rig = make();
    let (one, first) = (rig.slot(1), rig.drive(0));
    rig.carry(one, first);
    rig.last(0, |bay| bay.failing_unloads = 1);
    let refusal = rig.refused_move(first, one);
    assert!(
        matches!(&refusal, Refusal::UnloadFailed { now_in, .. } if *now_in == first),
        "{refusal:?}"
    );
    assert_eq!(rig.held(0).as_deref(), Some("PT0001L5"));
    rig.carry(first, one);
}

pub fn a_drive_that_lost_its_cartridge_shows_it_and_can_be_emptied(make: MakeChanger<'_>) {
    let mut rig = make();
    let (one, first) = (rig.slot(1), rig.drive(0));
    rig.carry(one, first);
    // It gives the cartridge with an error, and does not take it back.
    rig.each(0, |bay| (bay.failing_unloads, bay.failing_loads) = (1, 1));
    let refused = rig.changer.transfer(Move::new(first, one));
    refused.expect_err("the unload fails");
    let all = rig.changer.inventory(Selection::ALL).expect("it is ready");
    assert_eq!(
        all.at(first).and_then(|e| e.exception),
        Some(Exception::LoadFailed)
    );
    rig.each(0, |bay| (bay.failing_unloads, bay.failing_loads) = (0, 0));
    rig.carry(first, one);
    assert_eq!(rig.inventory().at(first).and_then(|e| e.exception), None);
    rig.carry(one, first);
}

pub fn the_transport_goes_to_elements_only(make: MakeChanger<'_>) {
    let mut rig = make();
    for address in [rig.slot(4), rig.drive(1), rig.mailbox()] {
        assert_eq!(rig.changer.position(address), Ok(()), "{address}");
    }
    let refusal = rig.changer.position(Address(9)).expect_err("no element");
    named(&refusal, "NoSuchElement");
}

pub fn looking_changes_nothing_and_needs_an_element(make: MakeChanger<'_>) {
    let mut rig = make();
    rig.carry(rig.slot(1), rig.drive(0));
    let before = rig.inventory();
    assert_eq!(rig.changer.initialize(AddressRange::ALL), Ok(()));
    let some = AddressRange {
        first: rig.slot(2),
        count: Some(2),
    };
    assert_eq!(rig.changer.initialize(some), Ok(()));
    assert_eq!(rig.inventory(), before);
    let nowhere = AddressRange {
        first: Address(9),
        count: Some(2),
    };
    let refusal = rig.changer.initialize(nowhere).expect_err("no element");
    named(&refusal, "NoSuchElement");
}

pub fn moves_go_on_while_removal_is_prevented(make: MakeChanger<'_>) {
    let mut rig = make();
    for removal in [
        Removal::Prevented,
        Removal::Prevented,
        Removal::Allowed,
        Removal::Allowed,
    ] {
        assert_eq!(rig.changer.set_removal(removal), Ok(()));
        rig.carry(rig.slot(1), rig.drive(0));
        rig.carry(rig.drive(0), rig.slot(1));
    }
}
