//! Random programs on a tape drive, beside a tape that does what SSC says in the fewest words: same answers, same data,
//! same place, after every command. The tape here shares no code with the unit or with the drives.
#![allow(
    clippy::big_endian_bytes,
    reason = "SCSI has the most significant byte first"
)]

mod common;

use common::{ME, Told, features, plain, stop, told};
use proptest::prelude::*;
use pseudotape_drive::Personality;
use pseudotape_scsi::{TapeReply, TapeUnit};
use pseudotape_tape::Volume;
use pseudotape_testkit::{ModelCartridge, ModelDrive, SuiteMedium, block_of, image_drive};

const CAPACITY: usize = 30_000;
const EARLY_WARNING: usize = 6_000;
/// Of the personality `generic`.
const MARK_BYTES: usize = 64;
const MARKS_BEHIND_THE_END: usize = 1024;

const FILEMARK: (bool, bool, bool) = (true, false, false);
const END: (bool, bool, bool) = (false, true, false);
const LENGTH: (bool, bool, bool) = (false, false, true);
const NEITHER: (bool, bool, bool) = (false, false, false);

/// A command with what it is to be given.
#[derive(Clone, Debug)]
enum Step {
    Read { fixed: bool, sili: bool, count: u32 },
    Write { fixed: bool, count: u32, seed: u64 },
    Verify { fixed: bool, count: u32 },
    Marks(u32),
    SpaceBlocks(i32),
    SpaceMarks(i32),
    SpaceEnd,
    Locate(u32),
    LocateFile(u64),
    Rewind,
    Erase,
    BlockSize(u32),
    ReadAt { object: u64, count: u32 },
}

/// `None` is a filemark.
type Object = Option<Vec<u8>>;

/// The tape.
#[derive(Default)]
struct Tape {
    objects: Vec<Object>,
    at: usize,
    block_size: u32,
}

/// What a command is to answer: nothing but GOOD, or a sense; and the data of a read.
type Expected = (Option<Told>, Vec<u8>);

fn good() -> Expected {
    (None, Vec::new())
}

fn with(told: Told) -> Expected {
    (Some(told), Vec::new())
}

fn invalid_field() -> Expected {
    with(plain(5, (0x24, 0)))
}

impl Tape {
    fn used(&self) -> usize {
        let cost = |object: &Object| object.as_ref().map_or(MARK_BYTES, Vec::len);
        self.objects[..self.at].iter().map(cost).sum()
    }

    fn warns(&self) -> bool {
        self.used() >= CAPACITY - EARLY_WARNING
    }

    fn put(&mut self, object: Object) {
        self.objects.truncate(self.at);
        self.objects.push(object);
        self.at += 1;
    }

    /// The next object, if it is a block; else why not, with what is left.
    fn next_block(&mut self, left: u32) -> Result<Vec<u8>, Told> {
        match self.objects.get(self.at) {
            None => Err(stop(8, (0, 5), NEITHER, left.into())),
            Some(None) => {
                self.at += 1;
                Err(stop(0, (0, 1), FILEMARK, left.into()))
            }
            Some(Some(block)) => {
                self.at += 1;
                Ok(block.clone())
            }
        }
    }

    fn read(&mut self, fixed: bool, sili: bool, count: u32) -> Expected {
        if fixed && (sili || self.block_size == 0) {
            return invalid_field();
        }
        if count == 0 {
            return good();
        }
        let mut data = Vec::new();
        if !fixed {
            let block = match self.next_block(count) {
                Ok(block) => block,
                Err(told) => return (Some(told), data),
            };
            data.extend(block.iter().take(count as usize));
            let difference = i64::from(count) - block.len() as i64;
            let silent = difference == 0 || sili && (difference > 0 || self.block_size == 0);
            let told = (!silent).then(|| stop(0, (0, 0), LENGTH, difference));
            return (told, data);
        }
        for left in (1..=count).rev() {
            match self.next_block(left) {
                Ok(block) if block.len() == self.block_size as usize => data.extend(block),
                Ok(_) => return (Some(stop(0, (0, 0), LENGTH, left.into())), data),
                Err(told) => return (Some(told), data),
            }
        }
        (None, data)
    }

    /// A read whose data stay where they are, and which takes only blocks of its length.
    fn verify(&mut self, fixed: bool, count: u32) -> Expected {
        let (told, _) = self.read(fixed, false, count);
        (told, Vec::new())
    }

    fn write(&mut self, fixed: bool, count: u32, seed: u64) -> Expected {
        if fixed && self.block_size == 0 {
            return invalid_field();
        }
        if count == 0 {
            return good();
        }
        let (size, blocks) = match fixed {
            true => (self.block_size as usize, count),
            false => (count as usize, 1),
        };
        let data = block_of(seed, size * blocks as usize);
        for (block, left) in data.chunks(size).zip((1..=blocks).rev()) {
            if self.used() + size > CAPACITY {
                let left = if fixed { left } else { count };
                return with(stop(0xd, (0, 2), END, left.into()));
            }
            self.put(Some(block.to_vec()));
        }
        self.after_writing()
    }

    fn after_writing(&self) -> Expected {
        match self.warns() {
            true => with(stop(0, (0, 2), END, 0)),
            false => good(),
        }
    }

    fn marks(&mut self, count: u32) -> Expected {
        if count == 0 {
            return good();
        }
        for left in (1..=count).rev() {
            if self.used() + MARK_BYTES > CAPACITY + MARKS_BEHIND_THE_END * MARK_BYTES {
                return with(stop(0xd, (0, 2), END, left.into()));
            }
            self.put(None);
        }
        self.after_writing()
    }

    fn space(&mut self, marks: bool, count: i32) -> Expected {
        let mut left = i64::from(count.unsigned_abs());
        while left > 0 {
            let met = if count > 0 {
                let Some(object) = self.objects.get(self.at) else {
                    return with(stop(8, (0, 5), NEITHER, left));
                };
                self.at += 1;
                object
            } else {
                let Some(before) = self.at.checked_sub(1) else {
                    return with(stop(0, (0, 4), END, left));
                };
                self.at = before;
                &self.objects[before]
            };
            match (marks, met) {
                (false, None) => return with(stop(0, (0, 1), FILEMARK, left)),
                (true, Some(_)) => {}
                (false, Some(_)) | (true, None) => left -= 1,
            }
        }
        good()
    }

    fn locate(&mut self, object: u64) -> Expected {
        let end = self.objects.len();
        self.at = usize::try_from(object).map_or(end, |object| object.min(end));
        match object > end as u64 {
            true => with(plain(8, (0, 5))),
            false => good(),
        }
    }

    fn locate_file(&mut self, file: u64) -> Expected {
        self.at = 0;
        for _ in 0..file {
            while matches!(self.objects.get(self.at), Some(Some(_))) {
                self.at += 1;
            }
            if self.at == self.objects.len() {
                return with(plain(8, (0, 5)));
            }
            self.at += 1;
        }
        good()
    }

    fn does(&mut self, step: &Step) -> Expected {
        match *step {
            Step::Read { fixed, sili, count } => self.read(fixed, sili, count),
            Step::Write { fixed, count, seed } => self.write(fixed, count, seed),
            Step::Verify { fixed, count } => self.verify(fixed, count),
            Step::Marks(count) => self.marks(count),
            Step::SpaceBlocks(count) => self.space(false, count),
            Step::SpaceMarks(count) => self.space(true, count),
            Step::SpaceEnd => {
                self.at = self.objects.len();
                good()
            }
            Step::Locate(object) => self.locate(object.into()),
            Step::LocateFile(file) => self.locate_file(file),
            Step::Rewind => {
                self.at = 0;
                good()
            }
            Step::Erase => {
                self.objects.truncate(self.at);
                good()
            }
            Step::BlockSize(size) => {
                self.block_size = size;
                good()
            }
            Step::ReadAt { object, count } => match self.locate(object) {
                (None, _) => self.read(false, false, count),
                other => other,
            },
        }
    }
}

fn cdb6(code: u8, flags: u8, number: u32) -> Vec<u8> {
    let [_, a, b, c] = number.to_be_bytes();
    vec![code, flags, a, b, c, 0]
}

fn cdb16(code: u8, flags: u8, number: u64, length: u32) -> Vec<u8> {
    let mut cdb = vec![code, flags, 0, 0];
    cdb.extend(number.to_be_bytes());
    cdb.extend(&length.to_be_bytes()[1..]);
    cdb.extend([0; 1]);
    cdb
}

/// The command's bytes, and what goes with it.
fn command(step: &Step, block_size: u32) -> (Vec<u8>, Vec<u8>) {
    let bytes = |fixed: bool, count: u32| match fixed {
        true => (count * block_size) as usize,
        false => count as usize,
    };
    let none = Vec::new;
    match *step {
        Step::Read { fixed, sili, count } => {
            let flags = u8::from(fixed) | u8::from(sili) << 1;
            (cdb6(8, flags, count), vec![0xee; bytes(fixed, count)])
        }
        Step::Write { fixed, count, seed } => {
            let data = block_of(seed, bytes(fixed, count));
            (cdb6(0x0a, fixed.into(), count), data)
        }
        Step::Verify { fixed, count } => (cdb6(0x13, fixed.into(), count), none()),
        Step::Marks(count) => (cdb6(0x10, 0, count), none()),
        Step::SpaceBlocks(count) => (cdb6(0x11, 0, count.cast_unsigned()), none()),
        Step::SpaceMarks(count) => {
            let wide = i64::from(count).cast_unsigned();
            (cdb16(0x91, 1, wide, 0), none())
        }
        Step::SpaceEnd => (cdb6(0x11, 3, 0), none()),
        Step::Locate(object) => {
            let [a, b, c, d] = object.to_be_bytes();
            (vec![0x2b, 0, 0, a, b, c, d, 0, 0, 0], none())
        }
        Step::LocateFile(file) => (cdb16(0x92, 1 << 3, file, 0), none()),
        Step::Rewind => (cdb6(1, 0, 0), none()),
        Step::Erase => (cdb6(0x19, 0, 0), none()),
        Step::BlockSize(size) => {
            let [_, a, b, c] = size.to_be_bytes();
            (
                cdb6(0x15, 0, 12),
                vec![0, 0, 0x10, 8, 0, 0, 0, 0, 0, a, b, c],
            )
        }
        Step::ReadAt { object, count } => {
            (cdb16(0x88, 0, object, count), vec![0xee; count as usize])
        }
    }
}

/// How the memory of the data is cut into pieces.
fn execute(
    unit: &mut TapeUnit,
    volume: &mut dyn Volume,
    cdb: &[u8],
    data: &mut [u8],
    cut: usize,
) -> TapeReply {
    match cut.min(data.len()) {
        0 => unit.execute(ME, cdb, &mut [data], volume),
        cut => {
            let (first, second) = data.split_at_mut(cut);
            unit.execute(ME, cdb, &mut [first, second], volume)
        }
    }
}

fn object_of(unit: &mut TapeUnit, volume: &mut dyn Volume) -> usize {
    let mut position = [0; 32];
    let reply = unit.execute(
        ME,
        &[0x34, 6, 0, 0, 0, 0, 0, 0, 0, 0],
        &mut [&mut position],
        volume,
    );
    assert_eq!((told(&reply), reply.transferred), (None, 32));
    usize::try_from(u64::from_be_bytes(position[8..16].try_into().unwrap())).unwrap()
}

/// Runs the program, and compares after every command.
fn compare(volume: &mut dyn Volume, steps: &[(Step, usize)]) -> Result<(), TestCaseError> {
    let personality = Personality::named("generic").expect("it is there");
    let mut unit = TapeUnit::new(features(&personality));
    unit.greet(ME);
    let first = unit.execute(ME, &[0; 6], &mut [], volume);
    assert_eq!(told(&first), Some(plain(6, (0x28, 0))));
    let mut tape = Tape::default();
    for (index, (step, cut)) in steps.iter().enumerate() {
        let (cdb, mut data) = command(step, tape.block_size);
        let reply = execute(&mut unit, volume, &cdb, &mut data, *cut);
        let expected = tape.does(step);
        let is_read = matches!(step, Step::Read { .. } | Step::ReadAt { .. });
        let read = match is_read {
            true => data[..reply.transferred].to_vec(),
            false => Vec::new(),
        };
        prop_assert_eq!((told(&reply), read), expected, "step {}: {:?}", index, step);
        // Behind what a fixed read gives, a block of another length may have left something.
        if is_read && !matches!(step, Step::Read { fixed: true, .. }) {
            let rest = &data[reply.transferred..];
            prop_assert!(rest.iter().all(|byte| *byte == 0xee), "more was touched");
        }
        prop_assert_eq!(
            object_of(&mut unit, volume),
            tape.at,
            "behind step {}: {:?}",
            index,
            step
        );
    }
    Ok(())
}

fn step() -> impl Strategy<Value = Step> {
    let count = prop_oneof![Just(0_u32), 1..40_u32, Just(100), Just(512), 1..3000_u32];
    let blocks = 0..8_u32;
    prop_oneof![
        8 => (any::<bool>(), count.clone())
            .prop_map(|(sili, count)| Step::Read { fixed: false, sili, count }),
        4 => (prop::bool::weighted(0.1), blocks.clone())
            .prop_map(|(sili, count)| Step::Read { fixed: true, sili, count }),
        8 => (count.clone(), any::<u64>())
            .prop_map(|(count, seed)| Step::Write { fixed: false, count, seed }),
        6 => (blocks.clone(), any::<u64>())
            .prop_map(|(count, seed)| Step::Write { fixed: true, count, seed }),
        1 => (any::<bool>(), blocks).prop_map(|(fixed, count)| Step::Verify { fixed, count }),
        5 => (0..4_u32).prop_map(Step::Marks),
        4 => (-6..7_i32).prop_map(Step::SpaceBlocks),
        4 => (-3..4_i32).prop_map(Step::SpaceMarks),
        1 => Just(Step::SpaceEnd),
        2 => (0..30_u32).prop_map(Step::Locate),
        1 => (0..5_u64).prop_map(Step::LocateFile),
        3 => Just(Step::Rewind),
        1 => Just(Step::Erase),
        2 => prop_oneof![Just(0_u32), Just(100), Just(512), 1..2000_u32].prop_map(Step::BlockSize),
        2 => (0..30_u64, count).prop_map(|(object, count)| Step::ReadAt { object, count }),
    ]
}

fn program() -> impl Strategy<Value = Vec<(Step, usize)>> {
    let cut = prop_oneof![2 => Just(0_usize), 1 => 1..600_usize];
    prop::collection::vec((step(), cut), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_program_on_a_plain_drive_is_answered_as_ssc_says(steps in program()) {
        let mut drive = ModelDrive::new(Personality::default());
        drive.insert(ModelCartridge {
            capacity_bytes: Some(CAPACITY as u64),
            early_warning_bytes: EARLY_WARNING as u64,
            ..ModelCartridge::default()
        });
        compare(&mut drive, &steps)?;
    }

    #[test]
    fn a_program_on_an_image_is_answered_as_ssc_says(steps in program()) {
        let wanted = SuiteMedium {
            capacity_bytes: Some(CAPACITY as u64),
            early_warning_bytes: EARLY_WARNING as u64,
            ..SuiteMedium::default()
        };
        let mut drive = image_drive(Personality::default(), wanted);
        compare(&mut drive, &steps)?;
    }
}
