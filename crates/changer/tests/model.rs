//! PT-13. Random moves and exchanges against an oracle: an array of places and nothing else.

use proptest::prelude::*;
use pseudotape_changer::{Address, Changer, Exchange, Library, Move, Robot, Selection, Side};
use pseudotape_testkit::changers::{MemoryBays, design, memory_changer};

/// The elements of the library, in the order of the oracle's array: 2 drives, 1 import/export slot, 4 slots.
const PLACES: [u16; 7] = [257, 258, 769, 1025, 1026, 1027, 1028];

#[derive(Clone, Copy, Debug)]
enum Step {
    Move(usize, usize),
    Exchange(usize, usize, usize),
    /// A program opens the drive, or closes it.
    Open(u16, bool),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let place = || 0..PLACES.len();
    prop_oneof![
        6 => (place(), place()).prop_map(|(from, to)| Step::Move(from, to)),
        3 => (place(), place(), place()).prop_map(|(a, b, c)| Step::Exchange(a, b, c)),
        2 => (0..2_u16, any::<bool>()).prop_map(|(drive, open)| Step::Open(drive, open)),
        1 => Just(Step::Restart),
    ]
}

/// What the oracle knows: the number of the cartridge in each place, and which drives are open.
#[derive(Clone, Debug)]
struct Oracle {
    places: [Option<usize>; 7],
    open: [bool; 2],
}

impl Oracle {
    fn is_busy(&self, place: usize) -> bool {
        place < 2 && self.open[place]
    }

    fn transfer(&mut self, from: usize, to: usize) -> bool {
        if self.places[from].is_none() {
            return false;
        }
        if from == to {
            return true;
        }
        if self.places[to].is_some() || self.is_busy(from) || self.is_busy(to) {
            return false;
        }
        self.places.swap(from, to);
        true
    }

    fn exchange(&mut self, a: usize, b: usize, c: usize) -> bool {
        if a == b {
            return self.transfer(a, c);
        }
        let both = self.places[a].is_some() && self.places[b].is_some();
        let room = c == a || (c != b && self.places[c].is_none());
        if !both || !room || [a, b, c].into_iter().any(|place| self.is_busy(place)) {
            return false;
        }
        let first = self.places[a].take();
        let second = std::mem::replace(&mut self.places[b], first);
        self.places[c] = second;
        true
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changer_does_what_the_oracle_does(steps in prop::collection::vec(step(), 1..60)) {
        let (mut changer, mut bays) = memory_changer(design(2, 1, 4), 4);
        let mut oracle = Oracle {
            places: [None, None, None, Some(1), Some(2), Some(3), Some(4)],
            open: [false; 2],
        };
        for step in steps {
            let at = |place: usize| Address(PLACES[place]);
            let (done, expected) = match step {
                Step::Move(from, to) => {
                    let done = changer.transfer(Move::new(at(from), at(to)));
                    (done, oracle.transfer(from, to))
                }
                Step::Exchange(source, first, second) => {
                    let done = changer.exchange(Exchange {
                        source: at(source),
                        first: at(first),
                        second: at(second),
                        first_side: Side::Same,
                        second_side: Side::Same,
                    });
                    (done, oracle.exchange(source, first, second))
                }
                Step::Open(drive, open) => {
                    bays.with(drive, |bay| bay.usage.opened_by = open.then(|| "tar".to_owned()));
                    oracle.open[usize::from(drive)] = open;
                    (Ok(()), true)
                }
                Step::Restart => {
                    let host = changer.library().host().clone();
                    bays = MemoryBays::new(2);
                    oracle.open = [false; 2];
                    let (again, refusals) = Robot::start(Library::open(host).unwrap(), bays.clone());
                    prop_assert!(refusals.is_empty());
                    changer = again;
                    (Ok(()), true)
                }
            };
            prop_assert_eq!(done.is_ok(), expected, "{:?}: {:?}", step, done);
            let inventory = changer.inventory(Selection::ALL).unwrap();
            for (place, address) in PLACES.into_iter().enumerate() {
                let wanted = oracle.places[place].map(|number| format!("PT{number:04}L5"));
                let medium = inventory.at(Address(address)).unwrap().medium;
                let found = medium.and_then(|medium| medium.barcode).map(|code| code.to_string());
                prop_assert_eq!(&found, &wanted, "{:?}: element {}", step, address);
                if place < 2 {
                    prop_assert_eq!(bays.barcode(u16::try_from(place).unwrap()), wanted);
                }
            }
        }
    }
}
