//! What programs see of each fault: st over a drive behind faults. docs/FAULTS.md has the same in its table.

use std::thread;
use std::time::Duration;

use pseudotape_drive::{ImageDrive, MemoryMedium, Personality};
use pseudotape_fault::{Fault, Faulty, Key, Kind};
use pseudotape_mtio::{GeneralStatus, MtGet, MtOp, Operation};
use pseudotape_st::{AccessMode, Caller, Errno, Node, OpenFlags, Opening, Options, St};
use pseudotape_tape::{Drive, Volume};
use pseudotape_testkit::{SuiteMedium, block_of, image_drive};

/// A driver with a drive on a bench.
struct Bench {
    st: St,
    drive: Faulty<ImageDrive<MemoryMedium>>,
}

const BLOCK: usize = 1000;

impl Bench {
    /// A drive whose cartridge holds ten blocks, open at its beginning.
    fn with_ten_blocks() -> Self {
        let mut drive = image_drive(Personality::default(), SuiteMedium::default());
        drive.clear_attention();
        let mut bench = Bench {
            st: St::new(&Options::default()),
            drive: Faulty::new(drive),
        };
        assert_eq!(bench.open(false), Ok(Opening::Open));
        for _ in 0..10 {
            assert_eq!(bench.write(), Ok(BLOCK));
        }
        bench.does(Operation::Rewind);
        bench
    }

    fn inject(&self, text: &str) -> u32 {
        let fault: Fault = text.parse().expect("a fault");
        self.drive.faults().inject(vec![fault]).expect("room")[0]
    }

    fn met(&self) -> u64 {
        self.drive.faults().listed()[0].met
    }

    fn open(&mut self, nonblock: bool) -> Result<Opening, Errno> {
        let node = Node {
            mode: 0,
            rewinding: false,
        };
        let access = AccessMode::ReadWrite;
        self.st
            .open(&mut self.drive, node, OpenFlags { access, nonblock })
    }

    fn close(&mut self) -> Result<(), Errno> {
        self.st.close(&mut self.drive)
    }

    fn read(&mut self) -> Result<usize, Errno> {
        self.st.read(&mut self.drive, &mut [0; BLOCK])
    }

    fn write(&mut self) -> Result<usize, Errno> {
        self.st.write(&mut self.drive, &block_of(1, BLOCK))
    }

    fn op(&mut self, operation: Operation, count: i32) -> Result<(), Errno> {
        let root = Caller { privileged: true };
        self.st.op(&mut self.drive, MtOp { operation, count }, root)
    }

    fn does(&mut self, operation: Operation) {
        assert_eq!(self.op(operation, 1), Ok(()), "{operation:?}");
    }

    fn get(&mut self) -> MtGet {
        self.st.get(&mut self.drive).expect("status is answered")
    }

    fn at(&mut self) -> (i32, i32) {
        let status = self.get();
        (status.file, status.block)
    }

    fn object(&mut self) -> Result<u32, Errno> {
        self.st.pos(&mut self.drive).map(|at| at.object)
    }

    fn flag(&mut self, flag: GeneralStatus) -> bool {
        self.get().general.contains(flag)
    }

    /// What the trouble says, as the log and the status tell it.
    fn trouble(&mut self) -> String {
        self.drive.take_trouble().unwrap_or_default()
    }
}

/// ST-READ-11: a damaged block is EIO, and the tape is behind it.
#[test]
fn a_read_error_is_told_at_its_object_and_the_tape_is_behind_it() {
    let mut bench = Bench::with_ten_blocks();
    bench.inject("read-error,at=2");
    assert_eq!((bench.read(), bench.read()), (Ok(BLOCK), Ok(BLOCK)));
    assert_eq!(bench.read(), Err(Errno::Io));
    assert!(
        bench
            .trouble()
            .contains("injected fault 1 (read-error,at=2): medium error")
    );
    assert_eq!((bench.at(), bench.object()), ((0, -1), Ok(3)));
    assert_eq!(bench.read(), Ok(BLOCK));
    assert_eq!(bench.met(), 1);
}

/// ST-READ-11
#[test]
fn a_read_error_that_keeps_the_position_is_met_again_until_it_is_over() {
    let mut bench = Bench::with_ten_blocks();
    bench.inject("read-error,at=0,position=kept,times=2");
    assert_eq!(bench.read(), Err(Errno::Io));
    assert_eq!(bench.object(), Ok(0));
    assert_eq!(bench.read(), Err(Errno::Io));
    assert_eq!(bench.read(), Ok(BLOCK));
    assert!(bench.drive.faults().listed()[0].over);
}

/// ST-FIXED-01: of a call in fixed block mode the blocks before the bad one were read; the call fails as a whole.
#[test]
fn blocks_of_one_call_fail_one_by_one() {
    let mut bench = Bench::with_ten_blocks();
    bench.inject("read-error,at=3,position=kept");
    assert_eq!(bench.op(Operation::SetBlockSize, BLOCK as i32), Ok(()));
    let mut buffer = vec![0; 5 * BLOCK];
    let read = bench.st.read(&mut bench.drive, &mut buffer);
    assert_eq!((read, bench.object()), (Err(Errno::Io), Ok(3)));
    bench.drive.faults().remove(&["all".to_owned()]).unwrap();
    bench.inject("write-error,at=5");
    let written = bench.st.write(&mut bench.drive, &buffer);
    assert_eq!((written, bench.object()), (Err(Errno::Io), Ok(5)));
}

/// ST-WRITE-04: what the drive refuses is EIO, and the tape is where it was.
#[test]
fn a_write_error_writes_nothing_of_its_block() {
    let mut bench = Bench::with_ten_blocks();
    bench.does(Operation::EndOfData);
    bench.inject("write-error,at=12");
    assert_eq!((bench.write(), bench.write()), (Ok(BLOCK), Err(Errno::Io)));
    let block = bench.get().block;
    assert_eq!((block, bench.object()), (-1, Ok(12)));
    bench.drive.faults().remove(&["1".to_owned()]).unwrap();
    assert_eq!((bench.write(), bench.object()), (Ok(BLOCK), Ok(13)));
}

/// ST-STAT-05: recovered errors are counted until the next MTIOCGET.
#[test]
fn what_is_recovered_is_counted() {
    let mut bench = Bench::with_ten_blocks();
    bench.inject("recovered,every=2");
    for _ in 0..5 {
        assert_eq!(bench.read(), Ok(BLOCK));
    }
    assert_eq!(
        (bench.get().recovered_errors, bench.get().recovered_errors),
        (2, 0)
    );
}

/// ST-WRITE-04: any sense but RECOVERED ERROR is EIO.
#[test]
fn a_drive_that_fails_does_nothing() {
    let mut bench = Bench::with_ten_blocks();
    bench.inject("hardware-error,times=2");
    assert_eq!(bench.read(), Err(Errno::Io));
    assert_eq!(bench.op(Operation::ForwardBlocks, 1), Err(Errno::Io));
    assert_eq!((bench.object(), bench.read()), (Ok(0), Ok(BLOCK)));
}

/// ST-RESET-01, ST-RESET-02, ST-RESET-03
#[test]
fn a_reset_loses_the_position_until_a_rewind_and_the_mode_is_set_again() {
    let mut bench = Bench::with_ten_blocks();
    assert_eq!(bench.op(Operation::SetBlockSize, BLOCK as i32), Ok(()));
    bench.inject("reset");
    assert_eq!(
        (bench.read(), bench.read()),
        (Err(Errno::Io), Err(Errno::Io))
    );
    assert_eq!(bench.at(), (-1, -1));
    assert_eq!(bench.drive.mode().unwrap().block_size, 0);
    bench.does(Operation::Rewind);
    assert_eq!(bench.drive.mode().unwrap().block_size, BLOCK as u32);
    assert_eq!((bench.read(), bench.met()), (Ok(BLOCK), 1));
}

/// ST-OPEN-14, ST-CLOSE-11
#[test]
fn a_reset_is_told_at_the_close_after_writing_and_at_an_open() {
    let mut bench = Bench::with_ten_blocks();
    assert_eq!(bench.write(), Ok(BLOCK));
    bench.inject("reset");
    assert_eq!(bench.close(), Err(Errno::Io));
    bench.inject("reset");
    assert_eq!(bench.open(false), Ok(Opening::Open));
    assert_eq!((bench.at(), bench.read()), ((-1, -1), Err(Errno::Io)));
}

/// ST-OPEN-07, ST-OPEN-08, ST-OPEN-16
#[test]
fn a_busy_drive_is_waited_for_by_a_blocking_open() {
    let mut bench = Bench::with_ten_blocks();
    assert_eq!(bench.close(), Ok(()));
    bench.inject("busy,times=2");
    assert_eq!(bench.open(false), Ok(Opening::Waiting));
    assert_eq!(bench.st.open_again(&mut bench.drive), Ok(Opening::Waiting));
    assert_eq!(bench.st.open_again(&mut bench.drive), Ok(Opening::Open));
    assert_eq!(bench.close(), Ok(()));
    bench.inject("busy");
    assert_eq!(bench.open(true), Ok(Opening::Open));
    assert!(!bench.flag(GeneralStatus::ONLINE) && !bench.flag(GeneralStatus::DR_OPEN));
    assert_eq!(bench.read(), Err(Errno::Io));
}

/// ST-EOM-01, ST-EOM-02
#[test]
fn early_warning_comes_when_it_is_told_to() {
    let mut bench = Bench::with_ten_blocks();
    bench.inject("early-warning");
    assert_eq!(bench.write(), Ok(BLOCK));
    assert!(bench.flag(GeneralStatus::EOT));
    assert_eq!(
        (bench.write(), bench.write()),
        (Err(Errno::NoSpace), Ok(BLOCK))
    );
}

/// ST-OPEN-10, ST-OPEN-11; of a file that is open the drive refuses the write: EIO, as by ST-WRITE-09.
#[test]
fn a_medium_that_is_protected_on_the_fly_can_not_be_written() {
    let mut bench = Bench::with_ten_blocks();
    bench.inject("write-protect");
    assert_eq!((bench.write(), bench.read()), (Err(Errno::Io), Ok(BLOCK)));
    assert_eq!(bench.close(), Ok(()));
    assert_eq!(bench.open(false), Err(Errno::ReadOnly));
    assert_eq!(bench.open(true), Ok(Opening::Open));
    assert!(bench.flag(GeneralStatus::WR_PROT));
    assert_eq!(bench.write(), Err(Errno::Access));
}

/// ST-WRITE-04: EIO; READ POSITION fails as well, until the drive has found a place again.
#[test]
fn a_lost_position_is_found_by_a_rewind() {
    let mut bench = Bench::with_ten_blocks();
    bench.inject("position-lost,on=read");
    assert_eq!(
        (bench.read(), bench.read()),
        (Err(Errno::Io), Err(Errno::Io))
    );
    assert_eq!(
        (bench.object(), bench.op(Operation::ForwardBlocks, 1)),
        (Err(Errno::Io), Err(Errno::Io))
    );
    assert_eq!(bench.drive.known_position(), None);
    bench.does(Operation::Rewind);
    assert_eq!((bench.read(), bench.object()), (Ok(BLOCK), Ok(1)));
}

/// ST-LOAD-03
#[test]
fn a_load_fails() {
    let mut bench = Bench::with_ten_blocks();
    bench.does(Operation::Unload);
    bench.inject("load-failure,times=1");
    assert_eq!(bench.op(Operation::Load, 1), Err(Errno::Io));
    assert_eq!(bench.at(), (-1, -1));
    bench.does(Operation::Load);
    assert_eq!(bench.read(), Ok(BLOCK));
}

/// ST-MARK-02, ST-CLOSE-01: what waits for stable storage fails, the marks are there, and a later commit stores them.
#[test]
fn a_commit_fails_and_nothing_is_lost() {
    let mut bench = Bench::with_ten_blocks();
    bench.does(Operation::EndOfData);
    assert_eq!(bench.write(), Ok(BLOCK));
    bench.inject("commit-failure");
    assert_eq!(bench.op(Operation::WriteFilemarks, 1), Err(Errno::Io));
    assert_eq!(bench.op(Operation::WriteFilemarks, 0), Err(Errno::Io));
    assert_eq!(bench.op(Operation::Rewind, 1), Err(Errno::Io));
    bench.drive.faults().remove(&["all".to_owned()]).unwrap();
    bench.does(Operation::Rewind);
    // The rewind wrote a filemark behind the ten blocks; the one behind the eleventh is there as well.
    assert_eq!(bench.op(Operation::ForwardFilemarks, 2), Ok(()));
    assert_eq!(bench.object(), Ok(13));
}

/// ST-CLOSE-01
#[test]
fn a_close_tells_of_a_commit_that_fails() {
    let mut bench = Bench::with_ten_blocks();
    assert_eq!(bench.write(), Ok(BLOCK));
    bench.inject("commit-failure");
    assert_eq!(bench.close(), Err(Errno::Io));
}

/// ST-OPEN-01: the drive is open while its call hangs.
#[test]
fn a_drive_hangs_until_it_is_let_go() {
    for ends in [false, true] {
        let mut bench = Bench::with_ten_blocks();
        let faults = bench.drive.faults().clone();
        bench.inject("hang,on=read");
        let reader = thread::spawn(move || bench.read());
        while faults.listed()[0].met == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(!reader.is_finished(), "nobody let it go");
        match ends {
            true => faults.end(),
            false => faults.remove(&["1".to_owned()]).unwrap(),
        }
        assert_eq!(reader.join().expect("it reads"), Ok(BLOCK));
        let more = faults.inject(vec!["reset".parse().unwrap()]);
        assert_eq!(more.is_err(), ends, "a drive that ends takes no faults");
    }
}

/// ST-READ-01: a slow drive does what it should, and is let go like one that hangs.
#[test]
fn a_slow_drive_takes_its_time_and_no_less() {
    let mut bench = Bench::with_ten_blocks();
    bench.inject("slow,rate=100K,on=read,times=1");
    let began = std::time::Instant::now();
    assert_eq!(bench.read(), Ok(BLOCK));
    // 1000 bytes at 102400 a second.
    assert!(began.elapsed() >= Duration::from_micros(9_765));
    let number = bench.inject("slow,delay=24h,on=read");
    let faults = bench.drive.faults().clone();
    let reader = thread::spawn(move || bench.read());
    while faults.listed()[1].met == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    faults.remove(&[number.to_string()]).unwrap();
    assert_eq!(reader.join().expect("it reads"), Ok(BLOCK));
}

#[test]
fn a_fault_is_over_after_its_time() {
    let mut milliseconds = 10;
    loop {
        let mut bench = Bench::with_ten_blocks();
        bench.inject(&format!("hang,for={milliseconds}ms,on=read"));
        assert_eq!(bench.read(), Ok(BLOCK));
        let listed = &bench.drive.faults().listed()[0];
        assert!(listed.over && listed.left == Some(Duration::ZERO));
        if listed.met == 1 {
            break;
        }
        // It was over before this thread came to read.
        assert_eq!(listed.met, 0);
        milliseconds *= 2;
        assert!(milliseconds < 600_000, "a read comes in ten minutes");
    }
}

#[test]
fn the_same_seed_meets_the_same_blocks() {
    let bad = |text: &str| -> Vec<bool> {
        let mut bench = Bench::with_ten_blocks();
        bench.inject(text);
        (0..10).map(|_| bench.read().is_err()).collect()
    };
    let first = bad("read-error,chance=40%,seed=7");
    assert_eq!(first, bad("read-error,chance=40%,seed=7"));
    assert!(first.contains(&true) && first.contains(&false), "{first:?}");
    assert_ne!(first, bad("read-error,chance=40%,seed=8"));
    let every = bad("read-error,every=3");
    let third = |number: usize| number % 3 == 2;
    assert_eq!(every, (0..10).map(third).collect::<Vec<_>>());
}

#[test]
fn faults_are_counted_listed_and_removed_by_number() {
    let bench = Bench::with_ten_blocks();
    let faults = bench.drive.faults();
    assert_eq!((bench.inject("busy"), bench.inject("reset")), (1, 2));
    let error = faults.remove(&["2".into(), "9".into()]).unwrap_err();
    assert!(error.to_string().contains("no fault 9"), "{error}");
    assert_eq!(faults.listed().len(), 2, "all or nothing");
    faults.remove(&["1".into()]).unwrap();
    assert_eq!(faults.listed()[0].number, 2);
    assert!(faults.is_armed());
    faults.remove(&["all".into()]).unwrap();
    assert!(faults.listed().is_empty() && !bench.drive.is_armed());
    let many = vec!["busy".parse().unwrap(); 65];
    assert!(
        faults
            .inject(many)
            .unwrap_err()
            .to_string()
            .contains("at most 64")
    );
    assert!(!faults.is_armed(), "all or none");
}

/// The cells of a row, without the ends.
fn cells(row: &str) -> Vec<&str> {
    row.trim_matches('|').split('|').map(str::trim).collect()
}

fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let document = include_str!("../../../docs/FAULTS.md");
    let rows = document
        .lines()
        .skip_while(move |line| !line.starts_with(heading));
    rows.skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(cells)
        .collect()
}

/// What is in backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// What a program sees, in the words of the document: calls and their results.
fn seen(kind: Kind) -> Vec<String> {
    let mut bench = Bench::with_ten_blocks();
    let mut seen = Vec::new();
    let told = |result: Result<usize, Errno>| match result {
        Ok(_) => "ok".to_owned(),
        Err(errno) => errno.to_string(),
    };
    match kind {
        Kind::ReadError
        | Kind::Recovered
        | Kind::HardwareError
        | Kind::Reset
        | Kind::PositionLost => {
            bench.inject(kind.name());
            seen.push(format!("read {}", told(bench.read())));
        }
        Kind::WriteError | Kind::WriteProtect | Kind::EarlyWarning => {
            bench.inject(kind.name());
            seen.push(format!("write {}", told(bench.write())));
        }
        Kind::Slow => {
            bench.inject("slow,delay=1ms");
            seen.push(format!("read {}", told(bench.read())));
        }
        Kind::Hang => {
            bench.inject("hang,for=1ms");
            seen.push(format!("read {}", told(bench.read())));
        }
        Kind::Busy => {
            bench.inject("busy");
            seen.push(format!("read {}", told(bench.read())));
        }
        Kind::LoadFailure => {
            bench.does(Operation::Unload);
            bench.inject("load-failure");
            let loaded = bench.op(Operation::Load, 1);
            seen.push(format!("MTLOAD {}", told(loaded.map(|()| 0))));
        }
        Kind::CommitFailure => {
            bench.inject("commit-failure");
            let marked = bench.op(Operation::WriteFilemarks, 1);
            seen.push(format!("MTWEOF {}", told(marked.map(|()| 0))));
        }
    }
    let status = bench.get();
    seen.push(format!("file {}", status.file));
    seen.push(format!("block {}", status.block));
    match kind {
        Kind::EarlyWarning => seen.push(format!("next write {}", told(bench.write()))),
        Kind::Recovered => seen.push(format!("mt_erreg {}", status.recovered_errors)),
        Kind::WriteProtect => {
            // It owes a filemark for the write that was tried.
            seen.push(format!("close {}", told(bench.close().map(|()| 0))));
            let open = bench.open(false).map(|_| 0);
            seen.push(format!("open {}", told(open)));
        }
        Kind::Busy => {
            bench.close().expect("nothing was written");
            assert_eq!(bench.open(false), Ok(Opening::Waiting));
            seen.push(format!("open {}", bench.st.abandon_open()));
        }
        _ => {}
    }
    seen
}

#[test]
fn the_tables_of_the_document_are_what_there_is() {
    let faults = table("| fault |");
    let names: Vec<_> = faults.iter().map(|row| quoted(row[0])[0]).collect();
    assert_eq!(names, Kind::ALL.map(Kind::name));
    for (kind, row) in Kind::ALL.into_iter().zip(&faults) {
        assert_eq!(quoted(row[2]), seen(kind), "{kind}");
    }
    let options = table("| option |");
    for (key, row) in Key::ALL.into_iter().zip(&options) {
        let name = quoted(row[0])[0].split_once('=').map(|(name, _)| name);
        assert_eq!(name, Some(key.name()));
        let kinds = Kind::ALL
            .into_iter()
            .filter(|kind| kind.keys().contains(&key));
        let kinds: Vec<_> = kinds.map(Kind::name).collect();
        assert_eq!(quoted(row[1]), kinds, "the faults that have {key:?}");
    }
    assert_eq!(options.len(), Key::ALL.len());
}
