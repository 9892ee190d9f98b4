//! Every recorded scenario of the kernel's st, replayed in process.

use pseudotape_tests::conformance::in_process::ModelWorkshop;
use pseudotape_tests::conformance::suite::{Suite, Verdict, summary};
use pseudotape_tests::conformance::vfs::InProcess;

#[test]
fn every_recorded_scenario_is_answered_as_by_the_kernels_st() {
    let suite = Suite::load().expect("tests/conformance is whole");
    assert!(suite.cases.len() >= 118, "scenarios are missing");
    let verdicts: Vec<Verdict> = suite
        .cases
        .iter()
        .map(|case| {
            let mut target = InProcess::new(ModelWorkshop::new(case.source.personality()));
            suite
                .judge(case, &mut target)
                .unwrap_or_else(|error| panic!("{}: {error}", case.name))
        })
        .collect();
    let surprises = suite.surprises("in-process", &verdicts);
    for surprise in &surprises {
        println!("{surprise}");
    }
    println!("{}", summary(&verdicts));
    assert!(surprises.is_empty(), "{} surprises", surprises.len());
}
