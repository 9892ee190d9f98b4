//! Reported capacity is enforced capacity, and ENOSPC comes when and where st tells it.

use proptest::prelude::*;
use pseudotape_drive::{Cartridge, EarlyWarning, ImageDrive, MemoryMedium, Overrides, Personality};
use pseudotape_image::{CreateParameters, Uuid, VolumeId};
use pseudotape_mtio::{MtOp, Operation};
use pseudotape_st::{AccessMode, Caller, Errno, Node, OpenFlags, Opening, Options, St};
use pseudotape_tape::{Capacity, Drive, Stop, Transfer};
use pseudotape_testkit::block_of;

const NODE: Node = Node {
    mode: 0,
    rewinding: false,
};
const FLAGS: OpenFlags = OpenFlags {
    access: AccessMode::ReadWrite,
    nonblock: false,
};
const ROOT: Caller = Caller { privileged: true };

/// Who says how large the tape is.
#[derive(Clone, Copy, Debug)]
enum Said {
    Cartridge,
    Drive,
}

#[derive(Clone, Debug)]
struct Tape {
    personality: Personality,
    capacity: u64,
    zone: EarlyWarning,
    said: Said,
    /// 0: variable block mode.
    block_size: u32,
}

impl Tape {
    fn zone_bytes(&self) -> u64 {
        match self.zone {
            EarlyWarning::Bytes(bytes) => bytes,
            EarlyWarning::PerCent(hundredths) => self.capacity * u64::from(hundredths) / 100,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Bytes, or in fixed block mode blocks.
    Write(usize),
    Filemark,
    BackAndForth,
    Reopen,
}

fn tape() -> impl Strategy<Value = Tape> {
    let said = prop_oneof![Just(Said::Cartridge), Just(Said::Drive)];
    (1..60_000_u64, 0..=50_u8, any::<bool>(), said).prop_flat_map(
        |(capacity, part, bytes, said)| {
            let zone = match (bytes, said) {
                (false, Said::Drive) => EarlyWarning::PerCent(part),
                _ => EarlyWarning::Bytes(capacity / 2 * u64::from(part) / 50),
            };
            let personality = prop::sample::select(Personality::ALL);
            let block_size = prop::sample::select(vec![0, 0, 512, 1024, 2000]);
            (personality, block_size).prop_map(move |(personality, block_size)| Tape {
                personality,
                capacity,
                zone,
                said,
                block_size,
            })
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        20 => (1..9_usize).prop_map(Step::Write),
        4 => (9..6_000_usize).prop_map(Step::Write),
        1 => Just(Step::Filemark),
        1 => Just(Step::BackAndForth),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..60)
}

/// The driver on its drive, and what must be on the tape.
struct Bench {
    st: St,
    drive: ImageDrive<MemoryMedium>,
    tape: Tape,
    /// Lengths of the blocks that were accepted.
    accepted: Vec<Vec<u8>>,
    /// Whether the last write reached early warning, and nothing told it yet.
    warned: bool,
    /// Whether the last write was refused.
    refused: bool,
}

impl Bench {
    fn new(tape: Tape) -> Self {
        let mut parameters = CreateParameters::new(VolumeId(Uuid::from_u128(3)), 0);
        let mut overrides = Overrides::default();
        match tape.said {
            Said::Cartridge => {
                parameters.header.capacity_bytes = Some(tape.capacity);
                parameters.header.early_warning_bytes = tape.zone_bytes();
            }
            Said::Drive => {
                parameters.header.capacity_bytes = Some(1 << 30);
                parameters.header.early_warning_bytes = 1 << 29;
                overrides.capacity_bytes = Some(tape.capacity);
                overrides.early_warning = Some(tape.zone);
            }
        }
        let cartridge = Cartridge::create(MemoryMedium, &parameters).expect("a new image");
        let mut drive = ImageDrive::new(tape.personality, "1".into(), overrides);
        assert!(drive.insert(cartridge).is_ok(), "a new drive is empty");
        let mut st = St::new(&Options::default());
        assert_eq!(st.open(&mut drive, NODE, FLAGS), Ok(Opening::Open));
        let mut bench = Bench {
            st,
            drive,
            tape,
            accepted: Vec::new(),
            warned: false,
            refused: false,
        };
        let size = bench.tape.block_size as i32;
        assert_eq!(bench.op(Operation::SetBlockSize, size), Ok(()));
        bench
    }

    fn op(&mut self, operation: Operation, count: i32) -> Result<(), Errno> {
        self.st.op(&mut self.drive, MtOp { operation, count }, ROOT)
    }

    fn capacity(&mut self) -> Capacity {
        self.drive.capacity().expect("a cartridge is loaded")
    }

    fn room(&mut self) -> u64 {
        self.capacity().room_bytes.expect("the tape has an end")
    }

    /// Writes, and checks the answer against what the drive said of its capacity before.
    fn write(&mut self, length: usize) {
        let before = self.capacity();
        let room = self.room();
        let unit = match self.tape.block_size {
            0 => length as u64,
            size => u64::from(size),
        };
        // Bytes of which each block is one of its own kind.
        let data = block_of(self.accepted.len() as u64, length);
        let fits = (room / unit * unit).min(length as u64);
        let answer = self.st.write(&mut self.drive, &data);
        if self.warned {
            assert_eq!(answer, Err(Errno::NoSpace), "after {before:?}");
            self.warned = false;
            self.refused = true;
            assert_eq!(self.capacity(), before, "what is refused takes no room");
            return;
        }
        if fits == 0 {
            assert_eq!(answer, Err(Errno::NoSpace), "nothing fits: {before:?}");
            self.refused = true;
            // The drive's answer was the physical end; st tells it by turns, with the same errno.
            self.warned = true;
            assert_eq!(self.capacity(), before, "what is refused takes no room");
            return;
        }
        assert_eq!(answer, Ok(fits as usize), "{before:?}");
        let after = self.capacity();
        assert_eq!(after.used_bytes, before.used_bytes + fits);
        assert_eq!(self.room(), room - fits);
        let accepted = data[..fits as usize].chunks(unit as usize);
        self.accepted.extend(accepted.map(<[u8]>::to_vec));
        let in_zone = after.used_bytes >= self.tape.capacity - self.tape.zone_bytes();
        // A turn of ENOSPC is followed by one success, then ENOSPC again.
        self.warned = in_zone || self.refused || fits < length as u64;
        self.refused = false;
    }

    fn fresh(&mut self) {
        self.warned = false;
        self.refused = false;
    }

    fn filemarks_on_tape_fit(&mut self) -> bool {
        self.tape.personality.mark_fits_at_end || self.room() >= self.tape.personality.mark_bytes
    }

    /// All blocks from the beginning, by the drive itself.
    fn blocks(&mut self) -> Vec<Vec<u8>> {
        self.drive.rewind().expect("rewinds");
        let mut buffer = vec![0; 70_000];
        let mut blocks = Vec::new();
        loop {
            let done = self
                .drive
                .read(Transfer::Variable, &mut buffer)
                .expect("reads");
            match done.stop {
                None => blocks.push(buffer[..done.bytes].to_vec()),
                Some(Stop::Filemark) => {}
                Some(_) => return blocks,
            }
        }
    }
}

/// Plays the steps; then fills what is left.
fn play(tape: Tape, steps: Vec<Step>) {
    let smallest = match (tape.block_size, tape.personality.limits.min_bytes as usize) {
        (0, min) => min,
        (size, _) => size as usize,
    };
    let mut bench = Bench::new(tape);
    let reported = bench.capacity();
    assert_eq!(reported.total_bytes, Some(bench.tape.capacity));
    assert_eq!(reported.early_warning_bytes, bench.tape.zone_bytes());
    for step in steps {
        match step {
            Step::Write(units) => {
                let longest = if bench.tape.block_size == 0 {
                    6_000
                } else {
                    12 * smallest
                };
                let length = (units * smallest).min(longest);
                let whole = length - length % bench.tape.block_size.max(1) as usize;
                bench.write(whole.max(smallest));
            }
            Step::Filemark if bench.filemarks_on_tape_fit() => {
                assert_eq!(bench.op(Operation::WriteFilemarks, 1), Ok(()));
                bench.fresh();
            }
            Step::BackAndForth if !bench.accepted.is_empty() => {
                // A filemark before stops the first of them; the second one comes back over it then.
                if bench.op(Operation::BackBlocks, 1).is_ok() {
                    assert_eq!(bench.op(Operation::ForwardBlocks, 1), Ok(()));
                } else {
                    assert_eq!(bench.op(Operation::ForwardFilemarks, 1), Ok(()));
                }
                bench.fresh();
            }
            Step::Reopen if bench.filemarks_on_tape_fit() => {
                assert_eq!(bench.st.close(&mut bench.drive), Ok(()));
                assert_eq!(
                    bench.st.open(&mut bench.drive, NODE, FLAGS),
                    Ok(Opening::Open)
                );
                bench.fresh();
            }
            Step::Filemark | Step::BackAndForth | Step::Reopen => {}
        }
    }
    while bench.room() >= smallest as u64 {
        bench.write(smallest);
    }
    // Nothing of that size fits any more, as the drive says: ENOSPC for ever.
    for _ in 0..4 {
        let answer = bench.st.write(&mut bench.drive, &vec![0; smallest]);
        assert_eq!(answer, Err(Errno::NoSpace));
    }
    assert!(
        bench
            .capacity()
            .left_bytes()
            .is_some_and(|left| left < smallest as u64)
    );
    let accepted = std::mem::take(&mut bench.accepted);
    assert!(
        bench.blocks() == accepted,
        "what was accepted is on the tape, and nothing else"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_drive_reports_as_capacity_is_what_it_takes(tape in tape(), steps in steps()) {
        play(tape, steps);
    }
}
