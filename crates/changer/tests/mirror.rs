//! PT-14 and PT-16. Several changers that are one: each move is done in all of them, in none, or named out of step.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use proptest::prelude::*;
use pseudotape_changer::{
    Address, AddressRange, Changer, ChangerIdentity, ChangerLeg, DriveIdentity, Exchange,
    Inventory, Layout, MirrorChanger, Move, Refusal, Removal, Selection, Side,
};
use pseudotape_testkit::changers::{MemoryBays, MemoryChanger, cartridge, design};

/// How a call goes wrong.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Nothing is done.
    Before,
    /// All is done, and yet it fails.
    After,
}

/// A changer whose calls fail as they are told to. Clones are the same changer.
#[derive(Clone)]
struct Faulty {
    inner: Rc<RefCell<MemoryChanger>>,
    bays: MemoryBays,
    faults: Rc<RefCell<VecDeque<Option<Fault>>>>,
    moves: Rc<RefCell<usize>>,
}

impl Faulty {
    fn new(drives: u16, slots: u16) -> Self {
        let (inner, bays) =
            pseudotape_testkit::changers::memory_changer(design(drives, 0, slots), 0);
        Faulty {
            inner: Rc::new(RefCell::new(inner)),
            bays,
            faults: Rc::default(),
            moves: Rc::default(),
        }
    }

    fn put(&self, slot: u16, barcode: &str) {
        let mut inner = self.inner.borrow_mut();
        let at = inner.layout().slots.address(slot).unwrap();
        inner.library_mut().put(at, cartridge(barcode)).unwrap();
    }

    fn take(&self, slot: u16) {
        let mut inner = self.inner.borrow_mut();
        let at = inner.layout().slots.address(slot).unwrap();
        inner.library_mut().take(at).unwrap();
    }

    fn fail(&self, faults: &[Option<Fault>]) {
        *self.faults.borrow_mut() = faults.iter().copied().collect();
    }

    fn slot(&self, number: u16) -> Option<String> {
        let inner = self.inner.borrow();
        let at = inner.layout().slots.address(number).unwrap();
        inner
            .library()
            .cartridge_in(at)
            .map(|c| c.barcode.to_string())
    }

    /// What the drive itself holds: what the library says has to be the same.
    fn drive(&self, number: u16) -> Option<String> {
        let inner = self.inner.borrow();
        let at = inner.layout().drives.address(number).unwrap();
        let said = inner
            .library()
            .cartridge_in(at)
            .map(|c| c.barcode.to_string());
        assert_eq!(said, self.bays.barcode(number));
        said
    }

    fn call<T>(
        &self,
        act: impl FnOnce(&mut MemoryChanger) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let broken = Err(Refusal::Failed {
            reason: "it fails as it was told to".into(),
        });
        let fault = self.faults.borrow_mut().pop_front().flatten();
        match fault {
            None => act(&mut self.inner.borrow_mut()),
            Some(Fault::Before) => broken,
            Some(Fault::After) => {
                act(&mut self.inner.borrow_mut())?;
                broken
            }
        }
    }
}

impl Changer for Faulty {
    fn identity(&self) -> ChangerIdentity {
        self.inner.borrow().identity()
    }

    fn layout(&self) -> Layout {
        self.inner.borrow().layout()
    }

    fn drive_identity(&mut self, drive: Address) -> Result<Option<DriveIdentity>, Refusal> {
        self.call(|inner| inner.drive_identity(drive))
    }

    fn inventory(&mut self, which: Selection) -> Result<Inventory, Refusal> {
        self.call(|inner| inner.inventory(which))
    }

    fn transfer(&mut self, cartridge: Move) -> Result<(), Refusal> {
        *self.moves.borrow_mut() += 1;
        self.call(|inner| inner.transfer(cartridge))
    }

    fn exchange(&mut self, exchange: Exchange) -> Result<(), Refusal> {
        *self.moves.borrow_mut() += 1;
        self.call(|inner| inner.exchange(exchange))
    }

    fn position(&mut self, before: Address) -> Result<(), Refusal> {
        self.call(|inner| inner.position(before))
    }

    fn initialize(&mut self, range: AddressRange) -> Result<(), Refusal> {
        self.call(|inner| inner.initialize(range))
    }

    fn set_removal(&mut self, removal: Removal) -> Result<(), Refusal> {
        self.call(|inner| inner.set_removal(removal))
    }
}

/// A has 2 drives and 7 slots. B has two libraries of 1 drive and 3 slots, C one of 3 drives and 9 slots. So a mirror
/// has 2 drives and 6 slots; its slots are numbered 0 to 5 here, and its drives are 6 and 7.
struct Rig {
    mirror: MirrorChanger<Faulty>,
    a: Faulty,
    b: [Faulty; 2],
    c: Faulty,
}

const PLACES: usize = 8;

/// What is in each place of the mirror, for each leg.
type Contents = Vec<BTreeMap<usize, String>>;

impl Rig {
    /// So many cartridges in the first slots of each half.
    fn new(in_each_half: u16) -> Self {
        let (a, c) = (Faulty::new(2, 7), Faulty::new(3, 9));
        let b = [Faulty::new(1, 3), Faulty::new(1, 3)];
        for half in [0, 1] {
            for number in 0..in_each_half {
                let slot = half * 3 + number;
                let barcode = format!("PT{slot:04}L5");
                a.put(slot, &barcode);
                c.put(slot, &barcode);
                b[usize::from(half)].put(number, &barcode);
            }
        }
        let leg = |name: &str, libraries: &[&Faulty]| ChangerLeg {
            name: name.into(),
            libraries: libraries
                .iter()
                .enumerate()
                .map(|(at, library)| (format!("{name}{at}"), (*library).clone()))
                .collect(),
        };
        let legs = vec![leg("A", &[&a]), leg("B", &[&b[0], &b[1]]), leg("C", &[&c])];
        let mirror = MirrorChanger::new("PTM1".into(), legs).unwrap();
        Rig { mirror, a, b, c }
    }

    fn at(&self, place: usize) -> Address {
        let layout = self.mirror.layout();
        let number = u16::try_from(place).unwrap();
        let address = match number {
            0..6 => layout.slots.address(number),
            _ => layout.drives.address(number - 6),
        };
        address.unwrap()
    }

    /// Looked up in the libraries and drives themselves.
    fn contents(&self) -> Contents {
        let number = |place: usize| u16::try_from(place).unwrap();
        let row = |leg: &Faulty, place| match place {
            0..6 => leg.slot(number(place)),
            _ => leg.drive(number(place - 6)),
        };
        let halves = |place| match place {
            0..6 => self.b[place / 3].slot(number(place % 3)),
            _ => self.b[place - 6].drive(0),
        };
        let all = |look: &dyn Fn(usize) -> Option<String>| {
            (0..PLACES)
                .filter_map(|place| Some((place, look(place)?)))
                .collect()
        };
        vec![
            all(&|at| row(&self.a, at)),
            all(&halves),
            all(&|at| row(&self.c, at)),
        ]
    }

    fn libraries(&self) -> [&Faulty; 4] {
        [&self.a, &self.b[0], &self.b[1], &self.c]
    }

    fn heal(&self) {
        for library in self.libraries() {
            library.fail(&[]);
        }
    }

    /// The places that the mirror calls out of step.
    fn named(&mut self) -> BTreeSet<usize> {
        let out = self.mirror.out_of_step().unwrap();
        (0..PLACES)
            .filter(|place| out.contains(&self.at(*place)))
            .collect()
    }
}

/// The places where legs have different things.
fn different(contents: &Contents) -> BTreeSet<usize> {
    let differs = |place: &usize| {
        contents
            .iter()
            .any(|leg| leg.get(place) != contents[0].get(place))
    };
    (0..PLACES).filter(differs).collect()
}

fn load(rig: &mut Rig, from: usize, to: usize) -> Result<(), Refusal> {
    let wanted = Move::new(rig.at(from), rig.at(to));
    rig.mirror.transfer(wanted)
}

#[test]
fn pt_14_a_move_is_done_in_every_leg() {
    let mut rig = Rig::new(2);
    load(&mut rig, 4, 7).unwrap();
    for leg in rig.contents() {
        assert_eq!(leg.get(&7).map(String::as_str), Some("PT0004L5"));
        assert_eq!(leg.get(&4), None);
    }
    assert_eq!(rig.b[1].bays.barcode(0).as_deref(), Some("PT0004L5"));
    let inventory = rig.mirror.inventory(Selection::ALL).unwrap();
    let element = inventory.at(rig.at(7)).unwrap();
    assert_eq!(element.medium.unwrap().source, Some(rig.at(4)));
    assert_eq!(inventory.elements().len(), 1 + PLACES);
}

#[test]
fn pt_16_the_mirror_refuses_what_one_leg_can_not_reach_and_moves_nothing() {
    let mut rig = Rig::new(2);
    let refused = load(&mut rig, 0, 7).unwrap_err();
    assert!(matches!(refused, Refusal::NotReachable { .. }), "{refused}");
    assert!(
        refused.to_string().contains("not reachable on B"),
        "{refused}"
    );
    assert!(
        rig.libraries()
            .iter()
            .all(|library| *library.moves.borrow() == 0)
    );
}

#[test]
fn pt_14_a_leg_that_fails_before_or_after_its_move_undoes_all() {
    for fault in [Fault::Before, Fault::After] {
        let mut rig = Rig::new(2);
        let before = rig.contents();
        // Two looks, then the move.
        rig.c.fail(&[None, None, Some(fault)]);
        let refused = load(&mut rig, 0, 6).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "C: it fails as it was told to: nothing was moved"
        );
        assert_eq!(rig.contents(), before, "{fault:?}");
        load(&mut rig, 0, 6).unwrap();
    }
}

#[test]
fn pt_14_what_can_not_be_undone_is_out_of_step_until_the_operator_settles_it() {
    let mut rig = Rig::new(2);
    rig.a
        .fail(&[None, None, None, None, None, Some(Fault::Before)]);
    rig.c.fail(&[None, None, Some(Fault::Before)]);
    let refused = load(&mut rig, 0, 6).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "element 1025 is out of step: A has no cartridge, B has PT0000L5, C has PT0000L5"
    );
    rig.heal();
    assert_eq!(rig.named(), BTreeSet::from([0, 6]));
    let refused = load(&mut rig, 1, 6).unwrap_err();
    assert!(matches!(refused, Refusal::OutOfStep { .. }), "{refused}");
    load(&mut rig, 3, 7).unwrap();
    assert_eq!(rig.mirror.settle(0).unwrap(), []);
    let contents = rig.contents();
    assert_eq!(different(&contents), BTreeSet::new());
    assert_eq!(contents[1].get(&6).map(String::as_str), Some("PT0000L5"));
}

#[test]
fn a_cartridge_that_a_leg_lacks_is_out_of_step_until_it_is_put_there() {
    let mut rig = Rig::new(1);
    rig.c.take(0);
    assert_eq!(rig.named(), BTreeSet::from([0]));
    let out = rig.at(0);
    assert_eq!(rig.mirror.settle(0).unwrap(), [out]);
    let lacking = ("PT0000L5".parse().unwrap(), "C".to_owned());
    assert_eq!(rig.mirror.lacking(0).unwrap(), [lacking]);
    assert_eq!(rig.mirror.lacking(2).unwrap(), []);
    rig.c.put(0, "OTHER");
    let refused = load(&mut rig, 0, 6).unwrap_err().to_string();
    assert!(
        refused.ends_with("A has PT0000L5, B has PT0000L5, C has OTHER"),
        "{refused}"
    );
    rig.c.take(0);
    rig.c.put(0, "PT0000L5");
    load(&mut rig, 0, 6).unwrap();
}

#[test]
fn a_drive_that_a_program_has_in_one_leg_stops_the_move_before_any_leg_moves() {
    let mut rig = Rig::new(2);
    rig.c
        .bays
        .with(0, |bay| bay.usage.opened_by = Some("tar (pid 7)".into()));
    let refused = load(&mut rig, 0, 6).unwrap_err();
    assert!(matches!(refused, Refusal::InUse { .. }), "{refused}");
    assert!(
        rig.libraries()
            .iter()
            .all(|library| *library.moves.borrow() == 0)
    );
}

#[test]
fn a_drive_that_can_not_load_in_one_leg_gives_the_cartridge_back_in_all() {
    let mut rig = Rig::new(2);
    let before = rig.contents();
    rig.b[0].bays.with(0, |bay| bay.failing_loads = 1);
    let refused = load(&mut rig, 0, 6).unwrap_err();
    let (drive, now_in) = (rig.at(6), rig.at(0));
    assert_eq!(
        refused,
        Refusal::LoadFailed {
            drive,
            cartridge: "PT0000L5".parse().unwrap(),
            reason: "B: the load fails as it was told to".into(),
            now_in,
        }
    );
    assert_eq!(rig.contents(), before);
}

#[test]
fn removal_is_prevented_in_all_legs_or_in_none() {
    let mut rig = Rig::new(1);
    rig.c.fail(&[Some(Fault::After)]);
    rig.mirror.set_removal(Removal::Prevented).unwrap_err();
    let now = |rig: &Rig| {
        rig.libraries()
            .map(|l| l.inner.borrow().library().removal())
    };
    assert_eq!(now(&rig), [Removal::Allowed; 4]);
    rig.mirror.set_removal(Removal::Prevented).unwrap();
    assert_eq!(now(&rig), [Removal::Prevented; 4]);
}

#[derive(Clone, Debug)]
enum Asked {
    Transfer(usize, usize),
    Exchange(usize, usize, usize),
    Settle(usize),
}

fn asked() -> impl Strategy<Value = Asked> {
    // Mostly within one half, where moves are possible.
    let half = prop_oneof![Just([0_usize, 1, 2, 6]), Just([3_usize, 4, 5, 7])];
    let within = (half, 0..4_usize, 0..4_usize, 0..4_usize);
    prop_oneof![
        8 => within.clone().prop_map(|(half, from, to, _)| Asked::Transfer(half[from], half[to])),
        5 => within.prop_map(|(half, one, two, three)| Asked::Exchange(half[one], half[two], half[three])),
        1 => (0..PLACES, 0..PLACES).prop_map(|(from, to)| Asked::Transfer(from, to)),
        1 => (0..3_usize).prop_map(Asked::Settle),
    ]
}

fn faults() -> impl Strategy<Value = Vec<Option<Fault>>> {
    let fault = prop_oneof![
        6 => Just(None),
        1 => Just(Some(Fault::Before)),
        1 => Just(Some(Fault::After)),
    ];
    proptest::collection::vec(fault, 0..12)
}

/// What a leg has after a move or an exchange, by the words of the trait.
fn moved(asked: &Asked, before: &BTreeMap<usize, String>) -> BTreeMap<usize, String> {
    let mut after = before.clone();
    match asked {
        Asked::Settle(_) => {}
        Asked::Transfer(from, to) => {
            let held = after
                .remove(from)
                .expect("a move that was done had a cartridge");
            after.insert(*to, held);
        }
        Asked::Exchange(source, first, second) if source == first => {
            let held = after
                .remove(first)
                .expect("a move that was done had a cartridge");
            after.insert(*second, held);
        }
        Asked::Exchange(source, first, second) => {
            let one = after.remove(source).expect("the first cartridge");
            let other = after.insert(*first, one).expect("the second cartridge");
            after.insert(*second, other);
        }
    }
    after
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// PT-14: whatever fails, before or behind its effect: every leg has moved, or none has, or the elements are named.
    #[test]
    fn pt_14_each_move_is_done_in_all_legs_in_none_or_named(
        full in 1..4_u16,
        steps in proptest::collection::vec((asked(), proptest::collection::vec(faults(), 4)), 1..12),
    ) {
        let mut rig = Rig::new(full);
        for (asked, faults) in steps {
            let before = rig.contents();
            let unequal = different(&before);
            for (library, faults) in rig.libraries().iter().zip(&faults) {
                library.fail(if matches!(asked, Asked::Settle(_)) { &[] } else { faults });
            }
            let done = match asked {
                Asked::Transfer(from, to) => load(&mut rig, from, to),
                Asked::Exchange(source, first, second) => {
                    let exchange = Exchange {
                        source: rig.at(source),
                        first: rig.at(first),
                        second: rig.at(second),
                        first_side: Side::Same,
                        second_side: Side::Same,
                    };
                    rig.mirror.exchange(exchange)
                }
                Asked::Settle(right) => {
                    let left = rig.mirror.settle(right).unwrap();
                    prop_assert!(left.len() <= unequal.len());
                    rig.heal();
                    let after = rig.contents();
                    prop_assert_eq!(&after[right], &before[right]);
                    prop_assert_eq!(left.len(), different(&after).len());
                    continue;
                }
            };
            rig.heal();
            let after = rig.contents();
            match &done {
                Ok(()) => {
                    for (leg, before) in after.iter().zip(&before) {
                        prop_assert_eq!(leg, &moved(&asked, before));
                    }
                }
                Err(Refusal::OutOfStep { .. }) => {
                    for (leg, before) in after.iter().zip(&before) {
                        let as_it_was = leg == before || *leg == moved(&asked, before);
                        prop_assert!(as_it_was, "{asked:?}: {leg:?} after {before:?}");
                    }
                }
                Err(refusal) => prop_assert_eq!(&after, &before, "{:?}: {}", asked, refusal),
            }
            prop_assert_eq!(rig.named(), different(&after), "{:?}: {:?}", asked, done);
        }
    }
}
