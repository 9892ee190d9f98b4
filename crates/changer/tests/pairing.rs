//! PT-16. Unequal libraries: what a mirror of them shows, and what it can't reach.

use std::collections::BTreeSet;

use proptest::prelude::*;
use pseudotape_changer::{
    Address, ElementKind, Layout, PairedLeg, PairedLibrary, Pairing, PairingError, Place, Refusal,
};

/// Drives, import/export slots and slots of a library.
type Counts = (u16, u16, u16);

fn leg(name: &str, libraries: &[Counts]) -> PairedLeg {
    let named = libraries.iter().enumerate();
    PairedLeg {
        name: name.into(),
        libraries: named
            .map(|(at, (drives, import_export, slots))| PairedLibrary {
                name: format!("{name}{}", at + 1),
                layout: Layout::usual(*drives, *import_export, *slots).unwrap(),
            })
            .collect(),
    }
}

/// One EXB-120 with 4 drives and 120 tapes, against two IGM-ATL with 2 drives and 54 tapes each.
fn brooks() -> Pairing {
    let exb = leg("EXB-120 ", &[(4, 0, 120)]);
    let atl = leg("IGM-ATL ", &[(2, 0, 54), (2, 0, 54)]);
    Pairing::compute(vec![exb, atl]).unwrap()
}

fn element(pairing: &Pairing, kind: ElementKind, number: u16) -> Address {
    pairing.layout().span(kind).address(number).unwrap()
}

#[test]
fn pt_16_the_mirror_of_brooks_has_four_drives_and_108_slots() {
    let pairing = brooks();
    let layout = pairing.layout();
    assert_eq!((layout.drives.count, layout.slots.count), (4, 108));
    let first = element(&pairing, ElementKind::Storage, 0);
    let last = element(&pairing, ElementKind::Storage, 107);
    let there = |leg, at| pairing.place(leg, at).unwrap();
    let place = |library, address| Place {
        library,
        address: Address(address),
    };
    assert_eq!(there(0, first), place(0, 1025));
    assert_eq!(there(0, last), place(0, 1132));
    assert_eq!(there(1, first), place(0, 1025));
    assert_eq!(there(1, last), place(1, 1078));
    let third = element(&pairing, ElementKind::Drive, 2);
    assert_eq!(there(0, third), place(0, 259));
    assert_eq!(there(1, third), place(1, 257));
}

#[test]
fn pt_16_each_half_of_the_slots_reaches_its_half_of_the_drives_and_no_other() {
    let pairing = brooks();
    for slot in 0..108 {
        for drive in 0..4 {
            let from = element(&pairing, ElementKind::Storage, slot);
            let to = element(&pairing, ElementKind::Drive, drive);
            let reachable = (slot < 54) == (drive < 2);
            assert_eq!(pairing.check(from, to).is_ok(), reachable, "{slot} {drive}");
            assert_eq!(pairing.check(to, from).is_ok(), reachable, "{slot} {drive}");
        }
    }
    let from = element(&pairing, ElementKind::Storage, 54);
    let to = element(&pairing, ElementKind::Drive, 1);
    let refused = pairing.check(from, to).unwrap_err();
    assert!(matches!(refused, Refusal::NotReachable { .. }));
    let text = refused.to_string();
    let reason =
        "not reachable on IGM-ATL : there it would go from library IGM-ATL 2 to library IGM-ATL 1";
    assert!(text.ends_with(reason), "{text}");
}

#[test]
fn pt_16_twelve_slots_of_the_larger_library_stay_unpaired() {
    let pairing = brooks();
    let free = (1145 - 12..1145).map(|address| Place {
        library: 0,
        address: Address(address),
    });
    assert_eq!(pairing.unpaired(0), free.collect::<Vec<_>>());
    assert_eq!(pairing.unpaired(1), []);
    let shown = pairing.to_string();
    assert!(shown.contains("drives 0-1 with slots 1-54"), "{shown}");
    assert!(shown.contains("drives 2-3 with slots 55-108"), "{shown}");
    assert!(
        shown.contains("unpaired of EXB-120 : 0 drives, 12 slots"),
        "{shown}"
    );
}

#[test]
fn pt_16_slots_are_paired_where_the_drives_are() {
    // Beside each other in the order of the slots alone, six slots would meet libraries whose drives don't meet.
    let one = leg("A", &[(2, 0, 60), (2, 0, 60)]);
    let other = leg("B", &[(2, 0, 54), (2, 0, 54)]);
    let pairing = Pairing::compute(vec![one, other]).unwrap();
    assert_eq!(pairing.layout().slots.count, 108);
    assert_eq!(pairing.unpaired(0).len(), 12);
    let slot = element(&pairing, ElementKind::Storage, 54);
    assert_eq!(pairing.place(0, slot).unwrap().library, 1);
}

#[test]
fn what_can_not_be_paired_says_why() {
    let alone = Pairing::compute(vec![leg("A", &[(1, 0, 1)])]);
    assert_eq!(alone, Err(PairingError::Legs(1)));
    let empty = Pairing::compute(vec![leg("A", &[(1, 0, 1)]), leg("B", &[])]);
    assert_eq!(empty, Err(PairingError::Empty("B".into())));
    let huge = leg("A", &[(1, 0, 50_000), (1, 0, 50_000)]);
    let error = Pairing::compute(vec![huge.clone(), huge]).unwrap_err();
    assert!(matches!(error, PairingError::Layout(_)), "{error}");
    let pairing = brooks();
    let transport = pairing.layout().transports.first;
    let slot = element(&pairing, ElementKind::Storage, 0);
    let refused = pairing.check(transport, slot).unwrap_err();
    assert!(matches!(refused, Refusal::WrongKind { .. }), "{refused}");
    let nowhere = Address(9);
    let refused = pairing.check(slot, nowhere).unwrap_err();
    assert_eq!(refused, Refusal::NoSuchElement { address: nowhere });
}

/// The libraries of each leg that have the drive with this number, when a leg's drives stand in one row.
fn rows(legs: &[Vec<Counts>]) -> Vec<Vec<usize>> {
    let row = |leg: &Vec<Counts>| -> Vec<usize> {
        let libraries = leg.iter().enumerate();
        libraries
            .flat_map(|(at, counts)| vec![at; usize::from(counts.0)])
            .collect()
    };
    let rows: Vec<_> = legs.iter().map(row).collect();
    let shortest = rows.iter().map(Vec::len).min().unwrap();
    (0..shortest)
        .map(|number| rows.iter().map(|row| row[number]).collect())
        .collect()
}

/// The most slots that can be paired, found by trying every number for every meeting of libraries.
fn most(meetings: &[Vec<usize>], left: &mut Vec<Vec<u16>>) -> u16 {
    let Some((meeting, rest)) = meetings.split_first() else {
        return 0;
    };
    let mut best = most(rest, left);
    let mut taken = 0;
    while meeting
        .iter()
        .zip(left.iter())
        .all(|(at, leg)| leg[*at] > 0)
    {
        for (at, leg) in meeting.iter().zip(left.iter_mut()) {
            leg[*at] -= 1;
        }
        taken += 1;
        best = best.max(taken + most(rest, left));
    }
    for (at, leg) in meeting.iter().zip(left.iter_mut()) {
        leg[*at] += taken;
    }
    best
}

fn legs() -> impl Strategy<Value = Vec<Vec<Counts>>> {
    let library = (1..4_u16, 0..3_u16, 1..6_u16);
    let leg = proptest::collection::vec(library, 1..4);
    proptest::collection::vec(leg, 2..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// PT-16: the drives stand in a row, no other choice pairs more slots, every element of a leg is paired once at
    /// most, and two elements reach each other just where each leg has both in one library.
    #[test]
    fn pt_16_a_pairing_is_what_a_simple_count_says(legs in legs()) {
        let named = legs.iter().zip(["A", "B", "C"]).map(|(counts, name)| leg(name, counts));
        let pairing = Pairing::compute(named.collect()).unwrap();
        let layout = pairing.layout();
        let rows = rows(&legs);
        prop_assert_eq!(usize::from(layout.drives.count), rows.len());
        let mut meetings = rows.clone();
        meetings.dedup();
        let mut left: Vec<Vec<u16>> = legs.iter().map(|leg| leg.iter().map(|l| l.2).collect()).collect();
        prop_assert_eq!(layout.slots.count, most(&meetings, &mut left));
        let mut left: Vec<Vec<u16>> = legs.iter().map(|leg| leg.iter().map(|l| l.1).collect()).collect();
        prop_assert_eq!(layout.import_export.count, most(&meetings, &mut left));

        let holders = [layout.drives, layout.import_export, layout.slots];
        let all: Vec<Address> = holders.iter().flat_map(|span| span.addresses()).collect();
        for (at, counts) in legs.iter().enumerate() {
            let places: Vec<Place> = all.iter().map(|address| pairing.place(at, *address).unwrap()).collect();
            for (address, place) in all.iter().zip(&places) {
                let kind = layout.find(*address).unwrap().0;
                let there = pairing.legs()[at].libraries[place.library].layout;
                prop_assert_eq!(there.find(place.address).unwrap().0, kind);
                prop_assert_eq!(pairing.shown(at, *place), Some(*address));
            }
            let once: BTreeSet<Place> = places.iter().copied().collect();
            prop_assert_eq!(once.len(), places.len());
            let unpaired = pairing.unpaired(at);
            prop_assert!(unpaired.iter().all(|place| !once.contains(place)));
            let have: usize = counts.iter().map(|c| usize::from(c.0 + c.1 + c.2)).sum();
            prop_assert_eq!(unpaired.len() + places.len(), have);
        }
        for from in &all {
            for to in &all {
                let together = (0..legs.len()).all(|at| {
                    pairing.place(at, *from).unwrap().library == pairing.place(at, *to).unwrap().library
                });
                prop_assert_eq!(pairing.check(*from, *to).is_ok(), together);
            }
        }
    }
}
