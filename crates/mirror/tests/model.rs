//! Random operations: a mirror answers as one drive does whose ends are the nearest of its legs', and
//! afterwards all legs hold the same objects in the same order (PT-07, PT-09).

mod support;

use proptest::prelude::*;
use pseudotape_drive::Personality;
use pseudotape_mirror::{MirrorDrive, When};
use pseudotape_tape::{Drive, Mark, Motion, Sense, Stop};
use pseudotape_testkit::{ModelDrive, Operation, OperationResult, compare, operation};

use support::Watched;
use support::plan::{LegPlan, Legs, finish, legs};

#[derive(Clone, Debug)]
struct Plan {
    legs: Legs,
    operations: Vec<Operation>,
}

fn plan() -> impl Strategy<Value = Plan> {
    (
        legs(),
        prop::bool::weighted(0.7),
        prop::collection::vec(operation(), 1..80),
    )
        .prop_map(|(mut legs, has_capacity, operations)| {
            legs.has_capacity = has_capacity;
            Plan { legs, operations }
        })
}

impl Plan {
    fn takes(&self, operation: &Operation) -> bool {
        // How an image divides its capacity among partitions is its own affair, and a setmark costs it nothing: no
        // record says how many lie before it.
        let is_own = match operation {
            Operation::Motion(Motion::MakePartitions(_)) => true,
            Operation::Motion(Motion::WriteMarks { mark, .. }) => *mark == Mark::Setmark,
            _ => false,
        };
        !(is_own && self.legs.has_capacity && self.legs.legs.iter().any(|leg| leg.is_image))
    }

    fn run(&self) -> Result<(), String> {
        let legs = self.legs.watched();
        let mut mirror = self.legs.mirror(&legs)?;
        let mut model = self.legs.nearest_ends();
        let mut some_stayed = false;
        for operation in self.operations.iter().filter(|o| self.takes(o)) {
            if self.may_lose_more(&model, operation) {
                // The legs hold the same then, but not always as much as a single drive.
                break;
            }
            if self.compare_answers(&mut model, &mut mirror, operation, &mut some_stayed)? {
                self.compare_places(&legs, &mut mirror, operation)?;
            }
        }
        finish(mirror)?;
        let Some(cartridge) = model.eject() else {
            return Ok(());
        };
        for (number, leg) in legs.iter().enumerate() {
            let partitions = leg.partitions();
            if let Some(partitions) = partitions
                && partitions != cartridge.partitions
            {
                return Err(format!("leg {number} holds something else"));
            }
        }
        Ok(())
    }

    /// Whether a block may be too long for one leg that finds it out by trying, when another one has already written
    /// over what is behind.
    fn may_lose_more(&self, model: &ModelDrive, operation: &Operation) -> bool {
        let (mut end, mut tried) = (model.clone(), model.clone());
        let overwrites = match (tried.position(), end.space_to_end_of_data()) {
            (Ok(here), Ok(end)) => here.object < end.position.object,
            _ => false,
        };
        let is_full = matches!(
            operation.run(&mut tried),
            OperationResult::Done(done) if done.stop == Some(Stop::EndOfPartition)
        );
        overwrites && is_full && self.legs.legs.iter().any(|leg| leg.mute)
    }

    /// Says whether the mirror did it.
    fn compare_answers(
        &self,
        model: &mut ModelDrive,
        mirror: &mut MirrorDrive,
        operation: &Operation,
        some_stayed: &mut bool,
    ) -> Result<bool, String> {
        let reads = matches!(
            operation,
            Operation::Read { .. } | Operation::ReadFixed { .. }
        );
        // Where one leg alone moves, or a late one does not (a commit of no marks brings it nowhere), the others'
        // early warning is not known.
        let is_change = match operation {
            Operation::Motion(Motion::WriteMarks { count, .. }) => *count > 0,
            Operation::Write { .. } | Operation::WriteFixed { .. } | Operation::Extend { .. } => {
                true
            }
            _ => false,
        };
        let is_late = self.legs.legs.iter().any(|leg| leg.when != When::Sync);
        let some_stay = reads || (is_late && !is_change);
        let (mut expected, mut found) = (operation.run(model), operation.run(mirror));
        let (mut should, mut is) = (model.position(), mirror.position());
        *some_stayed = some_stay || (*some_stayed && matches!(found, OperationResult::Failed(_)));
        if *some_stayed {
            (expected, found) = (blind(expected), blind(found));
            for at in [&mut should, &mut is].into_iter().flatten() {
                at.past_early_warning = false;
            }
        }
        if let (OperationResult::Failed(one), OperationResult::Failed(other)) =
            (&mut expected, &found)
            && (one.sense, other.sense) == (Sense::WormOverwrite, Sense::IllegalRequest)
        {
            // Of a block that is of a wrong length too the mirror asks no leg.
            one.sense = other.sense;
        }
        if (&expected, &should) != (&found, &is) {
            return Err(format!(
                "{operation:?}:\n model {expected:?}, at {should:?}\n mirror {found:?}, at {is:?}"
            ));
        }
        Ok(!reads && matches!(found, OperationResult::Done(_)))
    }

    /// After what moved all of them, all legs that are not late are where the mirror is.
    fn compare_places(
        &self,
        legs: &[Watched],
        mirror: &mut MirrorDrive,
        operation: &Operation,
    ) -> Result<(), String> {
        let Ok(at) = mirror.position() else {
            return Ok(());
        };
        for (number, (leg, plan)) in legs.iter().zip(&self.legs.legs).enumerate() {
            let Some(here) = leg.place() else { continue };
            let same = (here.partition, here.object) == (at.partition, at.object);
            if plan.when == When::Sync && !same {
                return Err(format!(
                    "leg {number} is at {here:?} after {operation:?}, the mirror at {at:?}"
                ));
            }
        }
        Ok(())
    }
}

/// An answer without what it says of early warning.
fn blind(mut answer: OperationResult) -> OperationResult {
    match &mut answer {
        OperationResult::Done(done) => done.position.past_early_warning = false,
        OperationResult::Read(done, _) => done.position.past_early_warning = false,
        OperationResult::Failed(failed) => {
            if let Some(at) = &mut failed.position {
                at.past_early_warning = false;
            }
        }
        OperationResult::Nothing => {}
    }
    answer
}

proptest! {
    #![proptest_config(ProptestConfig { cases: support::count("MODEL_CASES", 150), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_operations_on_a_mirror_come_to_the_same_as_on_the_smallest_leg(plan in plan()) {
        prop_assert_eq!(plan.run(), Ok(()));
    }
}

#[test]
fn a_model_whose_tape_ends_elsewhere_is_told_from_the_mirror() {
    // The comparison compares.
    let leg = LegPlan {
        is_image: false,
        capacity_bytes: 30_000,
        early_warning_bytes: 0,
        limits: (1, 10_000),
        when: When::Sync,
        mute: false,
        delay: std::time::Duration::ZERO,
    };
    let legs = Legs {
        personality: Personality::default(),
        has_capacity: true,
        worm: false,
        queue_bytes: 0,
        legs: vec![leg],
    };
    let write = Operation::Write {
        seed: 1,
        length: 9000,
    };
    let plan = Plan {
        legs,
        operations: vec![write; 4],
    };
    assert_eq!(plan.run(), Ok(()));
    let mut shorter = plan.clone();
    shorter.legs.legs[0].capacity_bytes = 20_000;
    let mut model = plan.legs.nearest_ends();
    let mut other = shorter.legs.nearest_ends();
    assert!(compare(&mut model, &mut other, &plan.operations).is_err());
    assert!(matches!(
        Operation::Motion(Motion::Rewind).run(&mut model),
        OperationResult::Done(_)
    ));
}
