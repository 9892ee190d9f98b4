//! All legs get each record at the same time, from one buffer, without an allocation.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use pseudotape_mirror::{Keeps, LegOptions, MirrorDrive, MirrorOptions, NewLeg, When};
use pseudotape_tape::{
    Bare, BlockLimits, Capacity, Done, Door, Drive, EraseExtent, Failed, Identity, Mark, Mode,
    ModeSelect, Motion, Position, ReadDone, SpaceUnit, Transfer, WriteMode,
};
use pseudotape_testkit::counting::{Counting, allocations_of_all_threads};

#[global_allocator]
static COUNTING: Counting = Counting;

/// Where a number of legs meet; nobody goes on before all are there.
struct Meeting {
    there: Mutex<(usize, u64)>,
    all: Condvar,
    count: usize,
    begun: AtomicBool,
}

impl Meeting {
    fn new(count: usize) -> Arc<Self> {
        Arc::new(Meeting {
            there: Mutex::new((0, 0)),
            all: Condvar::new(),
            count,
            begun: AtomicBool::new(false),
        })
    }

    /// From here on the legs wait for each other.
    fn begin(&self) {
        self.begun.store(true, Ordering::SeqCst);
    }

    /// Panics where the others don't come: one leg after the other would wait for ever.
    fn meet(&self) {
        if !self.begun.load(Ordering::SeqCst) {
            return;
        }
        let mut there = self.there.lock().expect("nobody panics with it");
        there.0 += 1;
        let round = there.1;
        if there.0 == self.count {
            *there = (0, round + 1);
            self.all.notify_all();
            return;
        }
        while there.1 == round {
            let (next, waited) = self
                .all
                .wait_timeout(there, Duration::from_secs(100))
                .expect("nobody panics with it");
            there = next;
            // Where the machine stood still for that long, the others may have come all the same.
            let alone = waited.timed_out() && there.1 == round;
            assert!(!alone, "the legs are not there together");
        }
    }
}

/// A tape that keeps nothing, and meets the others in what it does.
struct Companion {
    at: Position,
    meeting: Option<Arc<Meeting>>,
    buffer: Arc<AtomicUsize>,
}

impl Companion {
    fn act(&mut self, objects: u64) -> Result<Done, Failed> {
        if let Some(meeting) = &self.meeting {
            meeting.meet();
        }
        self.at.object.0 += objects;
        self.done(objects)
    }

    fn done(&self, count: u64) -> Result<Done, Failed> {
        Ok(Done {
            count,
            stop: None,
            position: self.at,
        })
    }
}

impl Drive for Companion {
    fn identity(&self) -> Identity {
        Identity::default()
    }
    fn block_limits(&self) -> BlockLimits {
        BlockLimits {
            min_bytes: 1,
            max_bytes: 1 << 24,
            granularity_bytes: 1,
        }
    }
    fn test_ready(&mut self) -> Result<(), Failed> {
        Ok(())
    }
    fn mode(&mut self) -> Result<Mode, Failed> {
        Ok(Mode::default())
    }
    fn set_mode(&mut self, _: ModeSelect) -> Result<(), Failed> {
        Ok(())
    }
    fn read(&mut self, _: Transfer, _: &mut [u8]) -> Result<ReadDone, Failed> {
        unreachable!("the mirror is not read")
    }
    fn write(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        self.buffer.store(data.as_ptr().addr(), Ordering::SeqCst);
        let blocks = match transfer {
            Transfer::Variable => 1,
            Transfer::Fixed(size) => data.len() as u64 / u64::from(size.get()),
        };
        self.act(blocks)
    }
    fn extend(&mut self, data: &[u8]) -> Result<Done, Failed> {
        if !data.is_empty() {
            self.buffer.store(data.as_ptr().addr(), Ordering::SeqCst);
            self.act(0)?;
        }
        self.done(1)
    }
    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        match motion {
            Motion::WriteMarks { count, .. } => return self.act(count.into()),
            Motion::Space { .. } | Motion::Erase(_) => return self.act(0),
            Motion::Locate(to) => self.at.object = to.object,
            Motion::Rewind => self.at = Position::default(),
            Motion::SpaceToEndOfData | Motion::Load(_) | Motion::MakePartitions(_) => {}
        }
        self.done(0)
    }
    fn unload(&mut self) -> Result<(), Failed> {
        self.act(0).map(drop)
    }
    fn position(&mut self) -> Result<Position, Failed> {
        Ok(self.at)
    }
    fn capacity(&mut self) -> Result<Capacity, Failed> {
        Ok(Capacity::default())
    }
    fn set_door(&mut self, _: Door) -> Result<(), Failed> {
        Ok(())
    }

    fn take_recovered(&mut self) -> u32 {
        0
    }
}

struct Rig {
    mirror: MirrorDrive,
    buffers: Vec<Arc<AtomicUsize>>,
    meeting: Arc<Meeting>,
}

fn rig(sync: usize, late: usize, meets: bool) -> Rig {
    let meeting = Meeting::new(sync);
    let buffers: Vec<_> = (0..sync + late).map(|_| Arc::default()).collect();
    let legs = buffers.iter().enumerate().map(|(number, buffer)| {
        let is_sync = number < sync;
        NewLeg {
            options: LegOptions {
                when: if is_sync { When::Sync } else { When::Deferred },
                reserve_bytes: (!is_sync).then_some(1 << 20),
                keeps: Keeps::Blocks,
                ..LegOptions::named(&number.to_string())
            },
            drive: Box::new(Bare(Companion {
                at: Position::default(),
                meeting: (is_sync && meets).then(|| Arc::clone(&meeting)),
                buffer: Arc::clone(buffer),
            })),
        }
    });
    let mut mirror = MirrorDrive::new(MirrorOptions {
        // These legs are quick, but wait for each other.
        waking: Duration::ZERO,
        ..MirrorOptions::default()
    });
    mirror.insert(legs.collect()).expect("the legs can be used");
    assert!(mirror.test_ready().is_err(), "the report of new volumes");
    Rig {
        mirror,
        buffers,
        meeting,
    }
}

fn is_everywhere(buffers: &[Arc<AtomicUsize>], data: &[u8]) -> bool {
    let mut seen = buffers.iter().map(|buffer| buffer.load(Ordering::SeqCst));
    seen.all(|seen| seen == data.as_ptr().addr())
}

/// Each leg waits in its write until all are in theirs: one leg after the other would never end. So the latency
/// is that of the slowest leg, and not the sum.
fn legs_work_at_the_same_time() {
    for count in [2, 3, 8] {
        let Rig {
            mut mirror,
            buffers,
            meeting,
        } = rig(count, 0, true);
        let data = vec![7; 4096];
        // Each leg has to say for the first time whether it takes something: there one goes after the other.
        mirror.write(Transfer::Variable, &data).unwrap();
        meeting.begin();
        for _ in 0..100 {
            mirror.write(Transfer::Variable, &data).unwrap();
            assert!(is_everywhere(&buffers, &data), "{count} legs, one buffer");
            mirror
                .write(Transfer::Fixed(512.try_into().unwrap()), &data[512..1536])
                .unwrap();
            assert!(is_everywhere(&buffers, &data[512..]));
        }
        mirror.write(Transfer::Variable, &data).unwrap();
        mirror.extend(&data[1000..]).unwrap();
        assert!(is_everywhere(&buffers, &data[1000..]));
        mirror
            .write_marks(Mark::Filemark, 2, WriteMode::Commit)
            .unwrap();
        mirror.space(SpaceUnit::Blocks, -1).unwrap();
        mirror.erase(EraseExtent::Long).unwrap();
        mirror.unload().unwrap();
    }
}

fn records_are_written_without_an_allocation() {
    for (sync, late) in [(1, 0), (2, 0), (8, 0), (2, 2)] {
        let Rig { mut mirror, .. } = rig(sync, late, false);
        let data = vec![7; 65_536];
        let mut round = || {
            mirror.write(Transfer::Variable, &data).unwrap();
            mirror
                .write(Transfer::Fixed(512.try_into().unwrap()), &data)
                .unwrap();
            mirror
                .write_marks(Mark::Filemark, 1, WriteMode::Immediate)
                .unwrap();
            mirror.position().unwrap();
        };
        // The first ones make the queues and their buffers.
        (0..500).for_each(|_| round());
        let count = allocations_of_all_threads(|| (0..500).for_each(|_| round()));
        if late == 0 {
            assert_eq!(count, 0, "{sync} legs");
        } else {
            // A queue that was never so long takes a buffer more.
            assert!(count < 100, "{count} in 1500 records, {late} late legs");
        }
    }
    assert!(
        allocations_of_all_threads(|| drop(black_box(vec![0_u8; 100]))) >= 1,
        "the count counts"
    );
}

/// One test, since also what the test harness allocates meanwhile is counted.
#[test]
fn legs_work_at_the_same_time_from_one_buffer_without_an_allocation() {
    legs_work_at_the_same_time();
    records_are_written_without_an_allocation();
}
