//! The null drive answers as a tape whose blocks are all unreadable.

use proptest::prelude::*;
use pseudotape_drive::Personality;
use pseudotape_drive::{NullDrive, NullLimits};

use pseudotape_tape::Drive;
use pseudotape_testkit::{
    ModelCartridge, ModelDrive, ModelObject, Operation, OperationResult, SuiteMedium, operation,
    suite,
};

fn null(_: Personality, medium: SuiteMedium) -> Box<dyn Drive> {
    Box::new(NullDrive::new(NullLimits {
        capacity_bytes: medium.capacity_bytes,
        early_warning_bytes: Some(medium.early_warning_bytes),
    }))
}

#[test]
fn what_the_suite_asks_without_reading_blocks_holds() {
    suite::spacing_over_blocks_stops_at_marks(&null);
    suite::spacing_over_filemarks_goes_to_their_far_side(&null);
    suite::capacity_counts_bytes_of_blocks_and_marks(&null);
}

/// Blocks become unreadable, but for the one that can still be lengthened.
fn forget(model: &mut ModelDrive, keep: Option<u64>) {
    let objects = &mut model.cartridge_mut().expect("a cartridge").partitions[0];
    for (number, object) in objects.iter_mut().enumerate() {
        if let ModelObject::Block(data) = object
            && keep != Some(number as u64)
        {
            *object = ModelObject::Damaged(data.len() as u32);
        }
    }
}

proptest! {
    #[test]
    fn random_operations_answer_as_on_a_tape_of_unreadable_blocks(
        capacity_bytes in prop::option::of(1_000..300_000_u64),
        early_warning_bytes in 0..900_u64,
        operations in prop::collection::vec(operation(), 1..80),
    ) {
        let mut model = ModelDrive::new(Personality {
            limits: NullDrive::new(NullLimits::default()).block_limits(),
            setmarks: true,
            max_partitions: 1,
            ..Personality::default()
        });
        model.insert(ModelCartridge { capacity_bytes, early_warning_bytes, ..ModelCartridge::default() });
        model.clear_attention();
        let mut null = NullDrive::new(NullLimits { capacity_bytes, early_warning_bytes: Some(early_warning_bytes) });
        for (number, operation) in operations.iter().enumerate() {
            let (expected, found) = (operation.run(&mut model), operation.run(&mut null));
            let keep = match (operation, &found) {
                (Operation::Write { .. }, OperationResult::Done(done)) if done.count > 0 => {
                    Some(done.position.object.0 - 1)
                }
                // Also where there was no room for it.
                (Operation::Extend { .. }, OperationResult::Done(done)) => Some(done.position.object.0 - 1),
                _ => None,
            };
            // Only a length that was learnt by reading differs: there is none.
            prop_assert_eq!(expected, found, "operation {}: {:?}", number, operation);
            prop_assert_eq!(model.position(), null.position(), "after {}: {:?}", number, operation);
            prop_assert_eq!(model.capacity(), null.capacity(), "after {}: {:?}", number, operation);
            forget(&mut model, keep);
        }
    }
}
