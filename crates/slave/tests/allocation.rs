//! A record is transferred over either channel without a memory allocation on either side.

mod common;
#[path = "common/null.rs"]
mod null;

use std::hint::black_box;

use common::{greet, master, on_socket, on_stream};
use pseudotape_slave::{Options, ServeOptions};
use pseudotape_tape::{Drive, Transfer};
use pseudotape_testkit::counting::{Counting, allocations_of_all_threads};

#[global_allocator]
static COUNTING: Counting = Counting;

/// Both sides run in this process, so the allocations of all threads are counted, including those of the test
/// harness. Therefore this file has only one test. The harness allocates once when it starts to wait for the
/// test, so at most one measurement contains that. An allocation for a record would be in every measurement.
#[test]
fn records_are_handed_over_without_an_allocation() {
    let fixed = Transfer::Fixed(512.try_into().unwrap());
    let mut buffer = vec![0; 65_536];
    for channel in ["shared memory", "socket", "stream"] {
        let (mut drive, port) = master(Options::default());
        let served = Box::new(null::NullDrive::default());
        let options = ServeOptions {
            shared_memory: channel == "shared memory",
            ..ServeOptions::default()
        };
        let _served = match channel {
            "stream" => on_stream(&port, served, 7),
            _ => on_socket(&port, served, options),
        };
        greet(&mut drive);
        let mut round = || {
            drive.write(Transfer::Variable, &buffer).unwrap();
            drive.write(fixed, &buffer).unwrap();
            drive.extend(&buffer).unwrap();
            drive.read(Transfer::Variable, &mut buffer).unwrap();
            drive.position().unwrap();
            drive.capacity().unwrap();
        };
        // The first records allocate the buffers.
        round();
        round();
        let counts =
            [(); 3].map(|()| allocations_of_all_threads(|| (0..100).for_each(|_| round())));
        assert_eq!(counts.iter().min(), Some(&0), "{channel}: {counts:?}");
    }
    assert!(
        allocations_of_all_threads(|| drop(black_box(vec![0_u8; 100]))) >= 1,
        "the count counts"
    );
}
