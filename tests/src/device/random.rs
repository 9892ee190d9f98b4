//! Random operations on a node, and on a plain tape in memory.

use anyhow::anyhow;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use pseudotape_drive::Personality;
use pseudotape_tape::{Done, Drive, Failed, Motion, Position, ReadDone, Stop};
use pseudotape_testkit::{
    ModelCartridge, ModelDrive, Operation, OperationResult, SuiteMedium, operation,
};

use super::programs::Programs;
use super::served::{Front, Served};

/// How many random tapes: `PROPTEST_CASES`, else so many.
#[must_use]
pub fn cases_from_environment(usual: u32) -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// The seed of what is random: `PSEUDOTAPE_TEST_SEED`, else one of this run.
fn seed() -> u64 {
    let asked = std::env::var("PSEUDOTAPE_TEST_SEED").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(1, |now| u64::from(now.subsec_nanos()))
    })
}

/// Runs `test` on values of the strategy; prints the seed.
pub(crate) fn random<S: Strategy>(
    cases: u32,
    strategy: &S,
    shrinking: u32,
    mut test: impl FnMut(S::Value) -> Result<(), String>,
) -> anyhow::Result<()> {
    let seed = seed();
    println!("PSEUDOTAPE_TEST_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: shrinking,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let test = std::cell::RefCell::new(&mut test);
    TestRunner::new_with_rng(config, rng)
        .run(strategy, |value| {
            (test.borrow_mut())(value).map_err(TestCaseError::fail)
        })
        .map_err(|error| anyhow!("seed {seed}: {error}"))
}

#[derive(Clone, Copy, Debug)]
struct Size {
    capacity_bytes: Option<u64>,
    early_warning_bytes: u64,
}

fn size() -> impl Strategy<Value = Size> {
    prop_oneof![
        Just(Size {
            capacity_bytes: None,
            early_warning_bytes: 0
        }),
        (5_000..400_000_u64, 0..2_000_u64).prop_map(|(capacity, early_warning_bytes)| Size {
            capacity_bytes: Some(capacity),
            early_warning_bytes,
        }),
    ]
}

/// Random tapes and operations on our own nodes.
pub fn random_operations(programs: &Programs, front: Front, cases: u32) -> anyhow::Result<()> {
    let strategy = (
        prop::sample::select(Personality::ALL),
        size(),
        prop::collection::vec(operation(), 1..80),
    );
    random(cases, &strategy, 400, |(personality, size, operations)| {
        let mut found = personality;
        // As `DeviceDrive` finds it, also for single blocks.
        found.limits.granularity_bytes = personality.block_size_multiple;
        let mut model = ModelDrive::new(found);
        model.insert(ModelCartridge {
            capacity_bytes: size.capacity_bytes,
            early_warning_bytes: size.early_warning_bytes,
            ..ModelCartridge::default()
        });
        model.clear_attention();
        let medium = SuiteMedium {
            capacity_bytes: size.capacity_bytes,
            early_warning_bytes: size.early_warning_bytes,
            ..SuiteMedium::default()
        };
        let served =
            Served::start(programs, front, personality, medium).map_err(|e| format!("{e:#}"))?;
        let mut node = served.open().map_err(|e| format!("{e:#}"))?;
        let mut comparison = Comparison {
            marks_are_quiet: personality.mark_bytes > 0,
            early_warning_known: true,
        };
        comparison.run(
            &mut model,
            &mut node,
            &operations,
            size.capacity_bytes.is_some(),
        )
    })
}

/// What a node can't tell is taken from the model, and nothing else.
pub(crate) struct Comparison {
    /// A filemark may be the first object behind early warning, which st keeps to itself.
    pub(crate) marks_are_quiet: bool,
    /// Early warning was met since the medium was loaded, or nothing was written before.
    pub(crate) early_warning_known: bool,
}

impl Comparison {
    pub(crate) fn run(
        &mut self,
        model: &mut dyn Drive,
        node: &mut dyn Drive,
        operations: &[Operation],
        limited: bool,
    ) -> Result<(), String> {
        for (number, operation) in operations.iter().enumerate() {
            match operation {
                // No driver lengthens a block; the model would.
                Operation::Extend { .. } => continue,
                // The plain tape does not share its capacity out.
                Operation::Motion(Motion::MakePartitions(_)) if limited => continue,
                Operation::Motion(Motion::Load(_) | Motion::MakePartitions(_)) => {
                    self.early_warning_known = false
                }
                _ => {}
            }
            let expected = operation.run(model);
            let found = self.known(operation.run(node), &expected, operation);
            if expected != found {
                return Err(format!(
                    "operation {number}, {operation:?}:\n model {expected:?}\n node  {found:?}"
                ));
            }
            let expected = model.position();
            let found = match (node.position(), &expected) {
                (Ok(found), Ok(expected)) => Ok(self.known_place(found, expected)),
                (found, _) => found,
            };
            if expected != found {
                return Err(format!(
                    "position after operation {number}, {operation:?}:\n model {expected:?}\n node  {found:?}"
                ));
            }
        }
        Ok(())
    }

    fn known_place(&self, found: Position, expected: &Position) -> Position {
        Position {
            file: found.file.or(expected.file),
            past_early_warning: if self.early_warning_known {
                found.past_early_warning
            } else {
                expected.past_early_warning
            },
            ..found
        }
    }

    fn known(
        &mut self,
        found: OperationResult,
        expected: &OperationResult,
        operation: &Operation,
    ) -> OperationResult {
        match (found, expected) {
            (OperationResult::Done(found), OperationResult::Done(expected)) => {
                let mut position = self.known_place(found.position, &expected.position);
                let mut stop = found.stop;
                if let Operation::Motion(Motion::WriteMarks { .. }) = operation
                    && (self.marks_are_quiet || !self.early_warning_known)
                    && found.stop.is_none()
                    && expected.stop == Some(Stop::EarlyWarning)
                {
                    stop = expected.stop;
                    position.past_early_warning = true;
                    self.early_warning_known = false;
                }
                OperationResult::Done(Done {
                    stop,
                    position,
                    ..found
                })
            }
            (OperationResult::Read(found, data), OperationResult::Read(expected, _)) => {
                let position = self.known_place(found.position, &expected.position);
                OperationResult::Read(ReadDone { position, ..found }, data)
            }
            (OperationResult::Failed(found), OperationResult::Failed(expected)) => {
                let position = match (found.position, &expected.position) {
                    (Some(found), Some(expected)) => Some(self.known_place(found, expected)),
                    (found, _) => found,
                };
                OperationResult::Failed(Failed { position, ..found })
            }
            (found, _) => found,
        }
    }
}
