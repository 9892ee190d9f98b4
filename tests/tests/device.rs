//! `DeviceDrive` on the files of a FUSE mount: the suite of every drive, and what else it owes. The same on CUSE nodes
//! and on the kernel's own st: `tests/guest/jobs/device`, `tests/guest/jobs/real-st`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use pseudotape_drive::Personality;
use pseudotape_tape::Drive;
use pseudotape_testkit::{Make, SUITE, SuiteMedium};
use pseudotape_tests::device::known::Exclusions;
use pseudotape_tests::device::{
    CHECKS, Front, Programs, cases_from_environment, make, random_operations,
};

fn programs() -> Programs {
    assert!(
        Path::new("/dev/fuse").exists(),
        "/dev/fuse is not there: run this test on a machine with FUSE (modprobe fuse)"
    );
    Programs::find().expect("the programs")
}

/// A case holds, unless the table says why it can't; one of the table that holds is an error too.
fn judge(case: &str, run: impl Fn(Make<'_>)) {
    let programs = programs();
    let on_fuse = move |personality: Personality, medium: SuiteMedium| -> Box<dyn Drive> {
        make(&programs, Front::Fuse, personality, medium)
    };
    let known = Exclusions::of("fuse").expect("the table");
    match known.reason(case) {
        None => run(&on_fuse),
        Some(reason) => {
            println!("excluded {case}: {reason}");
            let result = catch_unwind(AssertUnwindSafe(|| run(&on_fuse)));
            assert!(
                result.is_err(),
                "{case} holds, so tests/device/known.toml is wrong"
            );
        }
    }
}

macro_rules! on_fuse {
    ($($case:ident)*) => {
        $(#[test]
        fn $case() {
            judge(stringify!($case), |make| pseudotape_testkit::suite::$case(make));
        })*
    };
}

pseudotape_testkit::drive_suite!(@list [on_fuse]);

#[test]
fn what_a_node_owes_besides_holds() {
    let programs = programs();
    for check in CHECKS {
        if let Err(error) = (check.run)(&programs, Front::Fuse) {
            panic!("{}: {error:#}", check.name);
        }
    }
}

#[test]
fn random_operations_come_to_the_same_as_on_a_plain_tape() {
    let cases = cases_from_environment(24);
    if let Err(error) = random_operations(&programs(), Front::Fuse, cases) {
        panic!("{error:#}");
    }
}

#[test]
fn the_table_of_exclusions_names_cases_that_there_are() {
    for on in ["fuse", "cuse"] {
        for name in Exclusions::of(on).expect("the table").names() {
            let known = SUITE.iter().any(|case| case.name == name)
                || CHECKS.iter().any(|check| check.name == name);
            assert!(known, "{on}: there is no case {name}");
        }
    }
}
