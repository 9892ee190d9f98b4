//! PT-18. Random operations on legs that fail at random: whatever happens, the legs that are said to be copies
//! hold the same, the others are marked, and a resync brings them back.

mod support;

use proptest::prelude::*;
use pseudotape_drive::Personality;
use pseudotape_mirror::{Class, LegState, MirrorDrive, MirrorOptions, When};
use pseudotape_tape::{Drive, Motion, Sense};
use pseudotape_testkit::{Operation, SuiteMedium, operation};

use support::job::NAMES;
use support::{Faults, Object, Watched, image, model};

#[derive(Clone, Debug)]
struct LegPlan {
    is_image: bool,
    class: Class,
    when: When,
    faults: Faults,
}

#[derive(Clone, Debug)]
struct Plan {
    legs: Vec<LegPlan>,
    operations: Vec<Operation>,
}

fn sense() -> impl Strategy<Value = Sense> {
    prop::sample::select(vec![
        Sense::NoDrive,
        Sense::NoMedium,
        Sense::MediumChanged,
        Sense::Reset,
        Sense::WriteProtected,
        Sense::MediumError,
        Sense::HardwareError,
        Sense::IllegalRequest,
    ])
}

fn faults() -> impl Strategy<Value = Faults> {
    let at = || prop::option::weighted(0.3, (1..40_u64, sense()));
    (
        at(),
        at(),
        at(),
        prop::option::weighted(0.1, 1..40_u64),
        prop::option::weighted(0.1, 1..40_u64),
        prop::option::weighted(0.1, sense()),
    )
        .prop_map(|(change, read, motion, lies, strays, commit)| Faults {
            change,
            read,
            motion,
            lies,
            strays,
            commit,
            ..Faults::default()
        })
}

fn plan() -> impl Strategy<Value = Plan> {
    let leg = (any::<bool>(), any::<bool>(), any::<bool>(), faults());
    let leg = leg.prop_map(|(is_image, is_spare, is_late, faults)| LegPlan {
        is_image,
        class: if is_spare {
            Class::Spare
        } else {
            Class::Required
        },
        when: if is_late { When::Unload } else { When::Sync },
        faults,
    });
    (
        prop::collection::vec(leg, 2..6),
        prop::collection::vec(operation(), 1..60),
    )
        .prop_map(|(mut legs, mut operations)| {
            // One leg is what the others are held against.
            legs[0].when = When::Sync;
            legs[0].faults = Faults::default();
            operations.retain(|operation| {
                !matches!(
                    operation,
                    Operation::Unload
                        | Operation::Motion(Motion::Load(_) | Motion::MakePartitions(_))
                )
            });
            Plan { legs, operations }
        })
}

impl Plan {
    fn run(&self) -> Result<usize, String> {
        let medium = SuiteMedium {
            capacity_bytes: Some(300_000),
            early_warning_bytes: 50_000,
            ..SuiteMedium::default()
        };
        let dds = Personality::named("dds").expect("a personality of ours");
        let legs: Vec<_> = self
            .legs
            .iter()
            .map(|leg| match leg.is_image {
                true => Watched::new(image(dds, medium)),
                false => Watched::new(model(dds, medium)),
            })
            .collect();
        let mut mirror = MirrorDrive::new(MirrorOptions {
            queue_bytes: 20_000,
            ..MirrorOptions::default()
        });
        let new = legs.iter().zip(&self.legs).zip(NAMES);
        let new = new.map(|((leg, plan), name)| {
            let mut leg = leg.late(name, plan.when);
            leg.options.class = plan.class;
            leg
        });
        mirror
            .insert(new.collect())
            .map_err(|error| error.to_string())?;
        assert!(mirror.test_ready().is_err(), "the report of new volumes");
        for (leg, plan) in legs.iter().zip(&self.legs) {
            leg.set(plan.faults);
        }
        for operation in &self.operations {
            operation.run(&mut mirror);
        }
        // Whatever else fails of it: the late legs are caught up, and the legs are judged.
        mirror.unload().ok();
        legs.iter().for_each(|leg| leg.set(Faults::default()));
        let copies = self.compare(&mirror, &legs)?;
        self.bring_back(mirror, &legs)?;
        Ok(self.legs.len() - copies)
    }

    /// The legs in step hold the same, the others are marked; says how many are in step.
    fn compare(&self, mirror: &MirrorDrive, legs: &[Watched]) -> Result<usize, String> {
        let states: Vec<_> = mirror.legs().map(|(_, board)| board.state()).collect();
        let mut copy: Option<Vec<Object>> = None;
        let mut copies = 0;
        for ((leg, state), name) in legs.iter().zip(states).zip(NAMES) {
            let is_marked = matches!(leg.noted().last(), Some(Some(_)));
            match state {
                LegState::InStep if !is_marked => {}
                LegState::OutOfStep { from, .. } if leg.noted().last() == Some(&Some(from)) => {
                    continue;
                }
                state => return Err(format!("leg {name} is {state:?}, marked {is_marked}")),
            }
            copies += 1;
            let found = leg.peek();
            match &copy {
                Some(copy) if *copy != found => {
                    return Err(format!(
                        "leg {name} holds {} objects, and another one {}",
                        found.len(),
                        copy.len()
                    ));
                }
                _ => copy = Some(found),
            }
        }
        Ok(copies)
    }

    /// What was out of step comes back, and is a copy then.
    fn bring_back(&self, mut mirror: MirrorDrive, legs: &[Watched]) -> Result<(), String> {
        if mirror.load(pseudotape_tape::LoadKind::Load).is_err() {
            // Nobody is left, or the volumes were never unloaded.
            mirror.test_ready().ok();
        }
        let names: Vec<_> = mirror.legs().map(|(o, _)| o.name.clone()).collect();
        let is_left = mirror
            .legs()
            .any(|(_, board)| board.state() == LegState::InStep);
        if is_left {
            if mirror.refusal().is_some() {
                return Err(format!("refused: {:?}", mirror.refusal()));
            }
            for (leg, name) in legs.iter().zip(&names) {
                leg.work(|drive| {
                    if drive.position().is_err() {
                        drive.load(pseudotape_tape::LoadKind::Load).ok();
                    }
                });
                mirror
                    .resync(name)
                    .map_err(|error| format!("resync: {error}"))?;
            }
            let copies = self.compare(&mirror, legs)?;
            if copies != legs.len() {
                return Err(format!("{copies} copies after the resync"));
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: support::count("FAULTY_CASES", 150),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn legs_that_are_said_to_be_copies_are_copies(plan in plan()) {
        let result = plan.run();
        prop_assert!(result.is_ok(), "{}", result.unwrap_err());
    }
}

#[test]
fn a_leg_that_fails_is_counted() {
    let leg = LegPlan {
        is_image: false,
        class: Class::Spare,
        when: When::Sync,
        faults: Faults::default(),
    };
    let failing = LegPlan {
        faults: Faults {
            change: Some((2, Sense::NoDrive)),
            ..Faults::default()
        },
        ..leg.clone()
    };
    let write = Operation::Write {
        seed: 1,
        length: 9000,
    };
    let plan = Plan {
        legs: vec![leg, failing],
        operations: vec![write; 4],
    };
    assert_eq!(plan.run(), Ok(1));
}
