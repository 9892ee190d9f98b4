//! PT-09, PT-10: the first leg that reaches early warning ends the volume for all of them, with the very next
//! write of the program, and every record that was acknowledged is on every leg.

mod support;

use std::cell::RefCell;
use std::sync::atomic::Ordering;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use pseudotape_drive::Personality;
use pseudotape_mirror::{MirrorDrive, When};
use pseudotape_mtio::{MtOp, Operation};
use pseudotape_st::{AccessMode, Caller, Errno, Node, OpenFlags, Opening, Options, St};
use pseudotape_tape::{Drive, Mark};
use pseudotape_testkit::{ModelDrive, ModelObject, block_of};

use support::plan::{LegPlan, Legs, finish, legs};
use support::{Object, Watched};

/// How many random workloads there are at least, unless `WORKLOADS` says otherwise.
const WORKLOADS: u32 = 1000;

/// What a program does before it fills the tape.
#[derive(Clone, Debug)]
enum Step {
    Write(usize),
    Marks(i32),
    Rewind,
    BackBlock,
    EndOfData,
    Read,
}

#[derive(Clone, Debug)]
struct Workload {
    legs: Legs,
    /// Records are whole numbers of blocks of this size.
    block_size: Option<i32>,
    before: Vec<Step>,
    /// Lengths of the records, in turn.
    lengths: Vec<usize>,
    /// How often the program goes on after it was told to stop.
    trailers: usize,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (100..9000_usize).prop_map(Step::Write),
        2 => (0..3_i32).prop_map(Step::Marks),
        1 => Just(Step::Rewind),
        1 => Just(Step::BackBlock),
        1 => Just(Step::EndOfData),
        1 => Just(Step::Read),
    ]
}

fn workload() -> impl Strategy<Value = Workload> {
    let lengths = prop_oneof![
        prop::collection::vec(100..9000_usize, 1..6),
        prop::collection::vec(4000..70_000_usize, 1..3),
    ];
    (
        legs(),
        prop::option::weighted(0.3, 64..2000_i32),
        prop::collection::vec(step(), 0..8),
        lengths,
        0..25_usize,
    )
        .prop_map(|(mut legs, block_size, before, lengths, trailers)| {
            // So that the test can read what was unloaded.
            legs.personality.after_unload.keeps_cartridge = true;
            Workload {
                legs,
                block_size,
                before,
                lengths,
                trailers,
            }
        })
}

/// A program with its file open on a drive.
struct Program<D> {
    st: St,
    drive: D,
    records: u64,
}

impl<D: Drive> Program<D> {
    fn open(mut drive: D, block_size: Option<i32>) -> Result<Self, String> {
        let mut st = St::new(&Options::default());
        let node = Node {
            mode: 0,
            rewinding: false,
        };
        let flags = OpenFlags {
            access: AccessMode::ReadWrite,
            nonblock: false,
        };
        match st.open(&mut drive, node, flags) {
            Ok(Opening::Open) => {}
            other => return Err(format!("open: {other:?}")),
        }
        let mut program = Program {
            st,
            drive,
            records: 0,
        };
        program
            .op(Operation::Rewind, 1)
            .map_err(|errno| format!("rewind: {errno}"))?;
        if let Some(size) = block_size {
            // A drive that does not take such blocks says so, and keeps its mode.
            program.op(Operation::SetBlockSize, size).ok();
        }
        Ok(program)
    }

    fn op(&mut self, operation: Operation, count: i32) -> Result<(), Errno> {
        let caller = Caller { privileged: true };
        self.st
            .op(&mut self.drive, MtOp { operation, count }, caller)
    }

    fn write(&mut self, length: usize) -> Result<usize, Errno> {
        self.records += 1;
        let data = block_of(self.records, length);
        self.st.write(&mut self.drive, &data)
    }

    fn step(&mut self, step: &Step) -> Result<usize, Errno> {
        match *step {
            Step::Write(length) => self.write(length),
            Step::Marks(count) => self.op(Operation::WriteFilemarks, count).map(|()| 0),
            Step::Rewind => self.op(Operation::Rewind, 1).map(|()| 0),
            Step::BackBlock => self.op(Operation::BackBlocks, 1).map(|()| 0),
            Step::EndOfData => self.op(Operation::EndOfData, 1).map(|()| 0),
            Step::Read => self.st.read(&mut self.drive, &mut [0; 9000]),
        }
    }
}

impl Workload {
    /// In fixed block mode whole blocks, otherwise what the legs take.
    fn length(&self, length: usize) -> usize {
        let limits = self.legs.limits();
        let granularity = limits.granularity_bytes.max(1) as usize;
        match self.block_size {
            Some(size) => length.next_multiple_of(size as usize),
            None => length
                .clamp(limits.min_bytes as usize, limits.max_bytes as usize)
                .next_multiple_of(granularity)
                .min(limits.max_bytes as usize / granularity * granularity),
        }
    }

    /// The same program on the mirror and on one tape with the nearest ends: every call is answered alike.
    /// Says how often the program was told to stop.
    fn run(&self) -> Result<u32, String> {
        let mut told = 0;
        let watched = self.legs.watched();
        let mirror = self.legs.mirror(&watched)?;
        let mut mirrored = Program::open(mirror, self.block_size)?;
        let mut plain = Program::open(self.legs.nearest_ends(), self.block_size)?;
        for (number, step) in self.before.iter().enumerate() {
            let step = match step {
                Step::Write(length) => Step::Write(self.length(*length)),
                other => other.clone(),
            };
            let (expected, found) = (plain.step(&step), mirrored.step(&step));
            if expected != found {
                return Err(format!(
                    "step {number}, {step:?}: {found:?}, not {expected:?}"
                ));
            }
        }
        let mut left = self.trailers + 1;
        for length in self.lengths.iter().cycle() {
            let length = self.length(*length);
            let (expected, found) = (plain.write(length), mirrored.write(length));
            if expected != found {
                let record = plain.records;
                return Err(format!(
                    "record {record} of {length} bytes: {found:?}, not {expected:?}"
                ));
            }
            told += u32::from(found == Err(Errno::NoSpace));
            match found {
                Ok(bytes) if bytes == length && left == self.trailers + 1 => {}
                Ok(_) | Err(Errno::NoSpace) => left -= 1,
                // Whoever writes where it must not never gets there.
                Err(_) => left = 0,
            }
            if left == 0 || plain.records > 2000 {
                break;
            }
        }
        let closed = (
            plain.st.close(&mut plain.drive),
            mirrored.st.close(&mut mirrored.drive),
        );
        if closed.0 != closed.1 {
            return Err(format!("close: {:?}, not {:?}", closed.1, closed.0));
        }
        self.compare_legs(mirrored.drive, &watched, &plain.objects())?;
        Ok(told)
    }

    /// After the unload every leg that has to has everything, after the end all have.
    fn compare_legs(
        &self,
        mut mirror: MirrorDrive,
        watched: &[Watched],
        expected: &[Object],
    ) -> Result<(), String> {
        mirror
            .unload()
            .map_err(|failed| format!("unload: {failed}"))?;
        let compare = |number: usize| match watched[number].peek() {
            found if *found == *expected => Ok(()),
            found => Err(format!(
                "leg {number} holds {} objects, not the {} that were acknowledged",
                found.len(),
                expected.len()
            )),
        };
        for (number, leg) in self.legs.legs.iter().enumerate() {
            if leg.when != When::Deferred {
                compare(number)?;
            }
        }
        finish(mirror)?;
        (0..watched.len()).try_for_each(compare)
    }
}

impl Program<ModelDrive> {
    fn objects(&self) -> Vec<Object> {
        let cartridge = self.drive.cartridge().expect("it holds one");
        let objects = cartridge.partitions[0].iter().map(|object| match object {
            ModelObject::Block(data) => Object::Block(data.clone()),
            ModelObject::Filemark => Object::Mark(Mark::Filemark),
            ModelObject::Setmark => Object::Mark(Mark::Setmark),
            ModelObject::Damaged(_) => unreachable!("nothing was damaged"),
        });
        objects.collect()
    }
}

/// Runs so many random workloads; a failing one is shrunk. Says what each came to.
fn run_workloads<T>(
    count: u32,
    workloads: impl Strategy<Value = Workload>,
    run: impl Fn(&Workload) -> Result<T, String>,
) -> Vec<T> {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&support::seed().to_le_bytes());
    let config = Config {
        cases: count,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let results = RefCell::new(Vec::new());
    let outcome = TestRunner::new_with_rng(config, rng).run(&workloads, |workload| {
        let result = run(&workload).map_err(TestCaseError::fail)?;
        results.borrow_mut().push(result);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let results = results.into_inner();
    println!("{} workloads", results.len());
    assert_eq!(results.len(), count as usize);
    results
}

#[test]
fn a_thousand_random_workloads_end_at_the_first_leg_and_lose_nothing() {
    let count = support::count("WORKLOADS", WORKLOADS);
    let told = run_workloads(count, workload(), Workload::run);
    let ended = told.iter().filter(|told| **told > 0).count();
    let beyond = told.iter().filter(|told| **told > 1).count();
    println!("{ended} were told to stop, {beyond} went on and were told again");
    // Those of which the rest is about: the others write where a WORM medium does not let them.
    assert!(ended * 10 > told.len() * 8 && beyond * 10 > told.len() * 5);
}

/// What these legs take behind early warning is sure, but how much fits is known only from their answers.
fn blind() -> impl Strategy<Value = Workload> {
    workload().prop_map(|mut workload| {
        workload.before.clear();
        workload.legs.worm = false;
        workload.block_size = None;
        for length in &mut workload.lengths {
            *length = 512 + *length % 3000;
        }
        // Of which a late one is told by its first answer from the zone.
        let legs = &mut workload.legs.legs;
        for leg in legs.iter_mut().skip(1) {
            leg.mute = leg.when != When::Sync;
            leg.early_warning_bytes = leg.early_warning_bytes.max(5000);
        }
        workload
    })
}

impl Workload {
    /// Where a leg can't say how much fits: the first write after its early warning was met reports it, so
    /// that the next one is told; all that was acknowledged fits.
    fn run_blind(&self) -> Result<bool, String> {
        let watched = self.legs.watched();
        let mirror = self.legs.mirror(&watched)?;
        let boards: Vec<_> = mirror.legs().map(|(_, board)| board).collect();
        let mut program = Program::open(mirror, self.block_size)?;
        let mut acknowledged = Vec::new();
        let mut was_warned = false;
        for length in self.lengths.iter().cycle() {
            let length = self.length(*length);
            let is_warned = boards.iter().zip(&self.legs.legs).any(|(board, leg)| {
                let zone = leg.capacity_bytes - leg.early_warning_bytes;
                board.stored_bytes.load(Ordering::Acquire) >= zone
            });
            let found = program.write(length);
            match found {
                Ok(bytes) => {
                    if was_warned {
                        return Err(format!(
                            "record {} was taken after two writes behind early warning",
                            program.records
                        ));
                    }
                    acknowledged.push(Object::Block(block_of(program.records, bytes)));
                    was_warned = is_warned;
                }
                Err(Errno::NoSpace) => break,
                Err(errno) => return Err(format!("record {}: {errno}", program.records)),
            }
        }
        let closed = program.st.close(&mut program.drive);
        closed.map_err(|errno| format!("close: {errno}"))?;
        acknowledged.push(Object::Mark(Mark::Filemark));
        self.compare_legs(program.drive, &watched, &acknowledged)?;
        Ok(was_warned)
    }
}

#[test]
fn a_late_leg_that_can_not_tell_its_room_has_all_that_was_acknowledged() {
    let count = support::count("WORKLOADS", WORKLOADS) / 2;
    let late = run_workloads(count, blind(), Workload::run_blind);
    let late = late.iter().filter(|late| **late).count();
    println!("{late} were told by a leg that was at work");
    assert!(late > 0 || count < 200);
}

/// PT-10: the sequence of st, number by number.
#[test]
fn records_behind_early_warning_alternate_until_the_first_physical_end() {
    let leg = |capacity_bytes, early_warning_bytes, is_image| LegPlan {
        is_image,
        capacity_bytes,
        early_warning_bytes,
        limits: (1, 100_000),
        when: When::Sync,
        mute: false,
        delay: std::time::Duration::ZERO,
    };
    let mut legs = Legs {
        personality: Personality::default(),
        has_capacity: true,
        worm: false,
        queue_bytes: 0,
        legs: vec![
            leg(100_000, 10_000, true),
            leg(60_000, 10_000, false),
            leg(57_500, 2500, true),
        ],
    };
    for _ in 0..3 {
        let watched = legs.watched();
        let mirror = legs.mirror(&watched).unwrap();
        let mut program = Program::open(mirror, None).unwrap();
        let told: Vec<_> = (0..66).map(|_| program.write(1000)).collect();
        // Early warning of the second leg is met by record 50, the end of the third one behind record 57.
        let mut expected = vec![Ok(1000); 50];
        for _ in 50..57 {
            expected.extend([Err(Errno::NoSpace), Ok(1000)]);
        }
        expected.extend([Err(Errno::NoSpace); 2]);
        assert_eq!(told, expected);
        for _ in 0..5 {
            assert_eq!(program.write(1000), Err(Errno::NoSpace));
        }
        for leg in &watched {
            assert_eq!(leg.peek().len(), 57);
        }
        legs.legs.rotate_left(1);
    }
}
