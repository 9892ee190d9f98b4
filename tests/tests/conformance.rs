//! Every recorded scenario of the kernel's st, replayed in process.

use pseudotape_tests::conformance::in_process::{ImageWorkshop, ModelWorkshop};
use pseudotape_tests::conformance::mirrored::MirrorWorkshop;
use pseudotape_tests::conformance::suite::{Source, Suite, Verdict, summary};
use pseudotape_tests::conformance::target::Target;
use pseudotape_tests::conformance::vfs::InProcess;

fn replay(tape: &str, places: &[&str], make: impl Fn(Source) -> Box<dyn Target>) {
    let suite = Suite::load().expect("tests/conformance is whole");
    assert!(suite.cases.len() >= 270, "scenarios are missing");
    let verdicts: Vec<Verdict> = suite
        .cases
        .iter()
        .map(|case| {
            let mut target = make(case.source);
            suite
                .judge(case, target.as_mut())
                .unwrap_or_else(|error| panic!("{}: {error}", case.name))
        })
        .collect();
    let surprises = suite.surprises(places, &verdicts);
    for surprise in &surprises {
        println!("{surprise}");
    }
    println!("{}", summary(&format!("in process, {tape}"), &verdicts));
    assert!(surprises.is_empty(), "{} surprises", surprises.len());
}

#[test]
fn every_recorded_scenario_is_answered_on_a_plain_tape_as_by_the_kernels_st() {
    replay("model tape", &["in-process"], |source| {
        let workshop = ModelWorkshop::new(source.personality());
        Box::new(InProcess::new(workshop))
    });
}

#[test]
fn every_recorded_scenario_is_answered_on_images_as_by_the_kernels_st() {
    replay("images", &["in-process"], |source| {
        let workshop = ImageWorkshop::new(source.personality());
        Box::new(InProcess::new(workshop))
    });
}

#[test]
fn every_recorded_scenario_is_answered_through_a_mirror_as_by_the_kernels_st() {
    replay(
        "mirror of two images",
        &["in-process", "mirror"],
        |source| {
            let workshop = MirrorWorkshop::new(source.personality());
            Box::new(InProcess::new(workshop))
        },
    );
}
