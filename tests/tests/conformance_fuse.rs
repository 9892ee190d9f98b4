//! Every recorded scenario on the files of a FUSE mount, with a daemon for each.

use std::path::{Path, PathBuf};
use std::process::Command;

use pseudotape_tests::conformance::daemon::{Nodes, Setup, judge};
use pseudotape_tests::conformance::suite::{Suite, Verdict, summary};

/// Where the programs are: `PSEUDOTAPE_BIN`, else built now.
fn programs() -> PathBuf {
    if let Some(folder) = std::env::var_os("PSEUDOTAPE_BIN") {
        return PathBuf::from(folder);
    }
    let status = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--package",
            "pseudotape-dev",
            "--package",
            "pseudotape-tools",
            "--bins",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the programs could not be built");
    let test = std::env::current_exe().expect("this test has a path");
    let deps = test.parent().expect("target/PROFILE/deps");
    deps.parent().expect("target/PROFILE").to_owned()
}

#[test]
fn every_recorded_scenario_is_answered_on_a_fuse_mount_as_by_the_kernels_st() {
    assert!(
        Path::new("/dev/fuse").exists(),
        "/dev/fuse is not there: run this test on a machine with FUSE (modprobe fuse)"
    );
    let suite = Suite::load().expect("tests/conformance is whole");
    let programs = programs();
    let scratch = tempfile::tempdir().expect("a directory");
    let mount = scratch.path().join("mount");
    std::fs::create_dir(&mount).expect("a directory");
    let setup = Setup {
        daemon: programs.join("pseudotape-dev"),
        tool: programs.join("pseudotape"),
        scratch: scratch.path().to_owned(),
        nodes: Nodes::Fuse(mount),
    };
    let verdicts: Vec<Verdict> = suite
        .cases
        .iter()
        .map(|case| {
            judge(&setup, case)
                .unwrap_or_else(|error| panic!("{error:#}"))
                .0
        })
        .collect();
    let surprises = suite.surprises(&["fuse"], &verdicts);
    for surprise in &surprises {
        println!("{surprise}");
    }
    println!("{}", summary("fuse", &verdicts));
    assert!(surprises.is_empty(), "{} surprises", surprises.len());
}
