//! Random operations on a changer against a model: an array of places and nothing else.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use pseudotape_changer::{Address, Exchange, Move, Refusal, Removal, Side};

use crate::changer_suite::{ChangerRig, MakeChanger, refusal_name};

/// Two drives, one import/export slot, four slots.
const PLACES: usize = 7;

/// What one drive does wrong during one operation, in the last leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Load(u16),
    Unload(u16),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Move {
        from: usize,
        to: usize,
        side: Side,
        fault: Option<Fault>,
    },
    Exchange {
        places: [usize; 3],
        fault: Option<Fault>,
    },
    /// A program opens a drive, or closes it.
    Open(u16, bool),
    /// A program locks a drive, or unlocks it.
    Lock(u16, bool),
    Removal(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let place = || 0..PLACES;
    let fault = || {
        prop_oneof![
            6 => Just(None),
            1 => (0..2_u16).prop_map(|drive| Some(Fault::Load(drive))),
            1 => (0..2_u16).prop_map(|drive| Some(Fault::Unload(drive))),
        ]
    };
    let side = prop_oneof![15 => Just(Side::Same), 1 => Just(Side::Other)];
    prop_oneof![
        12 => (place(), place(), side, fault())
            .prop_map(|(from, to, side, fault)| Step::Move { from, to, side, fault }),
        6 => (place(), place(), place(), fault())
            .prop_map(|(a, b, c, fault)| Step::Exchange { places: [a, b, c], fault }),
        2 => (0..2_u16, any::<bool>()).prop_map(|(drive, open)| Step::Open(drive, open)),
        1 => (0..2_u16, any::<bool>()).prop_map(|(drive, locked)| Step::Lock(drive, locked)),
        1 => any::<bool>().prop_map(Step::Removal),
    ]
}

/// Where the last slot of a cartridge was, as far as that is known: a move that was undone can have changed it.
type Source = Option<Option<usize>>;

#[derive(Clone, Debug)]
struct Model {
    places: [Option<(u16, Source)>; PLACES],
    open: [bool; 2],
    locked: [bool; 2],
}

impl Model {
    fn new() -> Self {
        let full = |number| Some((number, Some(None)));
        Model {
            places: [None, None, None, full(1), full(2), full(3), None],
            open: [false; 2],
            locked: [false; 2],
        }
    }

    /// Does these moves at once, or says by which names they can be refused.
    fn act(&mut self, steps: &[(usize, usize)], fault: Option<Fault>) -> Vec<&'static str> {
        let mut reasons = Vec::new();
        for (from, to) in steps {
            if self.places[*from].is_none() {
                reasons.push("EmptySource");
            }
            let leaves = steps.iter().any(|(left, _)| left == to);
            if self.places[*to].is_some() && (!leaves || from == to) {
                reasons.push("FullDestination");
            }
            for place in [*from, *to] {
                if place < 2 && self.open[place] {
                    reasons.push("InUse");
                }
                if place < 2 && self.locked[place] {
                    reasons.push("DoorLocked");
                }
            }
            match fault {
                Some(Fault::Load(drive)) if usize::from(drive) == *to => reasons.push("LoadFailed"),
                Some(Fault::Unload(drive)) if usize::from(drive) == *from => {
                    reasons.push("UnloadFailed");
                }
                _ => {}
            }
        }
        if reasons.is_empty() {
            let taken: Vec<_> = steps
                .iter()
                .map(|(from, _)| self.places[*from].take())
                .collect();
            for ((from, to), cartridge) in steps.iter().zip(taken) {
                let source = |before| if *from < 2 { before } else { Some(Some(*from)) };
                self.places[*to] = cartridge.map(|(number, before)| (number, source(before)));
            }
        } else if fault.is_some() {
            for (from, _) in steps {
                if let Some((_, source)) = &mut self.places[*from] {
                    *source = None;
                }
            }
        }
        reasons
    }

    fn transfer(
        &mut self,
        from: usize,
        to: usize,
        side: Side,
        fault: Option<Fault>,
    ) -> Vec<&'static str> {
        if from == to && side == Side::Same {
            return match self.places[from] {
                None => vec!["EmptySource"],
                Some(_) => Vec::new(),
            };
        }
        let mut tried = self.clone();
        let mut reasons = tried.act(&[(from, to)], fault);
        if side == Side::Other {
            reasons.push("NotInvertible");
        }
        // What was refused may have been tried and undone.
        if reasons.is_empty() || side == Side::Same {
            *self = tried;
        }
        reasons
    }

    fn exchange(
        &mut self,
        [source, first, second]: [usize; 3],
        fault: Option<Fault>,
    ) -> Vec<&'static str> {
        if source == first {
            return self.transfer(first, second, Side::Same, fault);
        }
        self.act(&[(source, first), (first, second)], fault)
    }
}

/// The addresses of the places.
fn addresses(rig: &ChangerRig) -> [Address; PLACES] {
    let [one, two, three, four] = [1, 2, 3, 4].map(|number| rig.slot(number));
    [
        rig.drive(0),
        rig.drive(1),
        rig.mailbox(),
        one,
        two,
        three,
        four,
    ]
}

fn arm(rig: &ChangerRig, fault: Option<Fault>, count: u32) {
    match fault {
        Some(Fault::Load(drive)) => rig.last(drive, |bay| bay.failing_loads = count),
        Some(Fault::Unload(drive)) => rig.last(drive, |bay| bay.failing_unloads = count),
        None => {}
    }
}

fn done(
    rig: &mut ChangerRig,
    model: &mut Model,
    step: Step,
) -> (Result<(), Refusal>, Vec<&'static str>) {
    let at = addresses(rig);
    match step {
        Step::Move {
            from,
            to,
            side,
            fault,
        } => {
            arm(rig, fault, 1);
            let (from_at, to_at) = (at[from], at[to]);
            let moved = rig.changer.transfer(Move {
                from: from_at,
                to: to_at,
                side,
            });
            arm(rig, fault, 0);
            (moved, model.transfer(from, to, side, fault))
        }
        Step::Exchange { places, fault } => {
            arm(rig, fault, 1);
            let [source, first, second] = places.map(|place| at[place]);
            let (first_side, second_side) = (Side::Same, Side::Same);
            let exchange = Exchange {
                source,
                first,
                second,
                first_side,
                second_side,
            };
            let moved = rig.changer.exchange(exchange);
            arm(rig, fault, 0);
            (moved, model.exchange(places, fault))
        }
        Step::Open(drive, open) => {
            rig.last(drive, |bay| {
                bay.usage.opened_by = open.then(|| "tar".to_owned())
            });
            model.open[usize::from(drive)] = open;
            (Ok(()), Vec::new())
        }
        Step::Lock(drive, locked) => {
            rig.last(drive, |bay| bay.usage.locked = locked);
            model.locked[usize::from(drive)] = locked;
            (Ok(()), Vec::new())
        }
        Step::Removal(prevented) => {
            let removal = if prevented {
                Removal::Prevented
            } else {
                Removal::Allowed
            };
            (rig.changer.set_removal(removal), Vec::new())
        }
    }
}

fn compare(rig: &mut ChangerRig, model: &Model, step: Step) -> Result<(), TestCaseError> {
    let at = addresses(rig);
    let inventory = rig.inventory();
    for (place, known) in model.places.iter().enumerate() {
        let element = inventory.at(at[place]).expect("an element of the layout");
        let found = element.medium.and_then(|medium| medium.barcode);
        let wanted = known.map(|(number, _)| format!("PT{number:04}L5"));
        prop_assert_eq!(
            found.map(|b| b.to_string()),
            wanted,
            "{:?}: place {}",
            step,
            place
        );
        if let (Some((_, Some(source))), Some(medium)) = (known, element.medium) {
            let source = source.map(|place| at[place]);
            prop_assert_eq!(
                medium.source,
                source,
                "{:?}: source of place {}",
                step,
                place
            );
        }
        prop_assert_eq!(element.exception, None, "{:?}: place {}", step, place);
        let of_drive = |list: &[bool; 2]| list.get(place).copied().unwrap_or(false);
        let flags = (of_drive(&model.open), of_drive(&model.locked));
        prop_assert_eq!(
            (element.in_use, element.locked),
            flags,
            "{:?}: place {}",
            step,
            place
        );
        prop_assert_eq!(element.accessible, flags == (false, false));
    }
    Ok(())
}

/// A case of the suite: what is done and what is refused, and where each cartridge is then, is what the model says.
pub fn random_operations_do_what_the_model_says(make: MakeChanger<'_>) {
    let config = Config {
        failure_persistence: None,
        cases: 100,
        ..Config::default()
    };
    let steps = prop::collection::vec(step(), 1..50);
    let ran = TestRunner::new(config).run(&steps, |steps| {
        let (mut rig, mut model) = (make(), Model::new());
        for step in steps {
            let (found, reasons) = done(&mut rig, &mut model, step);
            match &found {
                Ok(()) => prop_assert!(reasons.is_empty(), "{step:?} is done: {reasons:?}"),
                Err(refusal) => {
                    let name = refusal_name(refusal);
                    prop_assert!(reasons.contains(&name), "{step:?}: {refusal}: {reasons:?}");
                }
            }
            compare(&mut rig, &model, step)?;
        }
        Ok(())
    });
    if let Err(error) = ran {
        panic!("{error}");
    }
}
