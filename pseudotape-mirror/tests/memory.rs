//! Where there is no memory for a call, the mirror goes on, and so do its legs.

mod process;
#[path = "../../crates/mirror/tests/support/objects.rs"]
mod support;

use std::process::Command;

use process::Place;
use pseudotape_control::mirror::LegCondition;
use pseudotape_tape::{Drive, Mark, Sense, Transfer, WriteMode};
use support::Object;

const LONG_RECORD: usize = 16 << 20;

/// From now on a process gets only a little more memory than it has.
fn allow_no_more(pid: u32) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kib: u64 = line
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .expect("its size");
    let limited = Command::new("prlimit")
        .args(["--pid", &pid.to_string()])
        .arg(format!("--as={}", (kib + 4096) * 1024))
        .status()
        .expect("prlimit of util-linux");
    assert!(limited.success());
}

fn expect_in_step(place: &Place) {
    let status = place.status();
    for leg in &status.legs {
        assert_eq!(leg.state, LegCondition::InStep, "{status:?}");
        assert_eq!(leg.first_error, None);
    }
}

/// A record that can't wait in the queue is stored at once.
#[test]
fn without_memory_for_its_queue_a_late_leg_is_written_directly() {
    let mut place = Place::new();
    let mut master = place.master();
    let legs = [
        format!("a={}", place.image("a.ptape")),
        format!("b={},when=unload", place.image("b.ptape")),
    ];
    place.start_sparing(&["--leg", &legs[0], "--leg", &legs[1]]);
    master.settle();
    let (small, long) = (vec![1; 1000], vec![2; LONG_RECORD]);
    master.write(&small).unwrap();
    allow_no_more(place.pid());
    for _ in 0..2 {
        master.write(&long).unwrap();
        master.write(&small).unwrap();
    }
    expect_in_step(&place);
    master.drive.unload().unwrap();
    assert_eq!(place.stop(), 0, "{}", place.log());
    let [small, long] = [small, long].map(Object::Block);
    let expected = [&small, &long, &small, &long, &small].map(Clone::clone);
    for image in ["a.ptape", "b.ptape"] {
        assert!(place.long_contents(image) == expected, "{image}");
    }
}

/// To compare what legs read, the mirror needs memory for the second one's block.
#[test]
fn without_memory_to_compare_one_read_is_refused() {
    let mut place = Place::new();
    let mut master = place.master();
    let legs = [
        format!("a={}", place.image("a.ptape")),
        format!("b={}", place.image("b.ptape")),
    ];
    place.start_sparing(&["--leg", &legs[0], "--leg", &legs[1], "--verify-reads"]);
    master.settle();
    let (small, mut long) = (vec![1; 1000], vec![2; LONG_RECORD]);
    master.write(&small).unwrap();
    master.write(&long).unwrap();
    let done = master
        .drive
        .write_marks(Mark::Filemark, 1, WriteMode::Commit);
    done.unwrap();
    allow_no_more(place.pid());
    for _ in 0..2 {
        master.drive.rewind().unwrap();
        let mut back = vec![0; 1000];
        let read = master.drive.read(Transfer::Variable, &mut back).unwrap();
        assert_eq!((read.bytes, &back), (1000, &small));
        let failed = master
            .drive
            .read(Transfer::Variable, &mut long)
            .unwrap_err();
        assert_eq!(failed.sense, Sense::HardwareError);
        expect_in_step(&place);
    }
    assert_eq!(place.stop(), 0, "{}", place.log());
}
