//! `DeviceDrive` on nodes, as root: `device cuse` and `device fuse` on our own ones, `device real NODE COMMAND` on a
//! real one, into which the shell command puts a blank medium of MIB mebibytes; `device hold NODE` writes three blocks
//! and waits to be killed. Prints a line for each check.

use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::path::Path;
use std::process::ExitCode;

use pseudotape_device::{Access, DeviceDrive};
use pseudotape_tape::{Drive, Transfer};
use pseudotape_testkit::{SUITE, block_of};
use pseudotape_tests::device::known::Exclusions;
use pseudotape_tests::device::{
    CHECKS, Front, Programs, REAL_CHECKS, RealSt, cases_from_environment, end_served, make,
    random_operations,
};

/// Random tapes in one run.
const RANDOM_TAPES: u32 = 24;

/// Prints what became of checks.
struct Report {
    on: &'static str,
    known: Exclusions,
    failed: bool,
}

impl Report {
    fn new(on: &'static str) -> anyhow::Result<Self> {
        Ok(Report {
            on,
            known: Exclusions::of(on)?,
            failed: false,
        })
    }

    fn judge(&mut self, name: &str, run: impl FnOnce() -> anyhow::Result<()>) {
        let result = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(anyhow::anyhow!("{}", text.unwrap_or("a panic")))
        });
        let on = self.on;
        match (result, self.known.reason(name)) {
            (Ok(()), None) => println!("ok {on}: {name}"),
            (Err(_), Some(reason)) => println!("excluded {on}: {name}: {reason}"),
            (Ok(()), Some(_)) => {
                println!("FAIL {on}: {name}: it holds, so tests/device/known.toml is wrong");
                self.failed = true;
            }
            (Err(error), None) => {
                println!(
                    "FAIL {on}: {name}: {}",
                    format!("{error:#}").replace('\n', "\n    ")
                );
                self.failed = true;
            }
        }
    }
}

fn own(front: Front, wanted: &[String]) -> anyhow::Result<bool> {
    let programs = Programs::find()?;
    let mut report = Report::new(front.name())?;
    let asked = |name: &str| wanted.is_empty() || wanted.iter().any(|word| word == name);
    for case in SUITE.iter().filter(|case| asked(case.name)) {
        report.judge(case.name, || {
            (case.run)(&|personality, medium| make(&programs, front, personality, medium));
            Ok(())
        });
    }
    end_served();
    for check in CHECKS.iter().filter(|check| asked(check.name)) {
        report.judge(check.name, || (check.run)(&programs, front));
    }
    let random = "random_operations_come_to_the_same_as_on_a_plain_tape";
    if asked(random) {
        let cases = cases_from_environment(RANDOM_TAPES);
        report.judge(random, || random_operations(&programs, front, cases));
    }
    Ok(!report.failed)
}

fn real(node: &str, fresh: &str, wanted: &[String]) -> anyhow::Result<bool> {
    let real = RealSt {
        node: node.into(),
        operator: fresh.to_owned(),
    };
    let mut report = Report::new("tgt")?;
    let asked = |name: &str| wanted.is_empty() || wanted.iter().any(|word| word == name);
    for case in SUITE.iter().filter(|case| asked(case.name)) {
        report.judge(case.name, || {
            (case.run)(&|_, _| Box::new(real.blank(40).expect("a blank medium")));
            Ok(())
        });
    }
    for check in REAL_CHECKS.iter().filter(|check| asked(check.name)) {
        report.judge(check.name, || (check.run)(&real));
    }
    Ok(!report.failed)
}

fn hold(node: &str) -> anyhow::Result<bool> {
    let mut drive = DeviceDrive::open(Path::new(node), Access::ReadWrite)?;
    for seed in 0..3 {
        drive.write(Transfer::Variable, &block_of(seed, 1000))?;
    }
    println!("written");
    std::io::stdout().flush()?;
    // Until it is killed, or whoever started it is gone.
    let mut end = Vec::new();
    std::io::stdin().read_to_end(&mut end)?;
    Ok(true)
}

fn main() -> ExitCode {
    // What a check says in its panic is in its line.
    set_hook(Box::new(|_| {}));
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let names = |from: &[&str]| from.iter().map(ToString::to_string).collect::<Vec<_>>();
    let result = match words.as_slice() {
        ["fuse", rest @ ..] => own(Front::Fuse, &names(rest)),
        ["cuse", rest @ ..] => own(Front::Cuse, &names(rest)),
        ["real", node, fresh, rest @ ..] => real(node, fresh, &names(rest)),
        ["hold", node] => hold(node),
        _ => Err(anyhow::anyhow!(
            "usage: device fuse | cuse | real NODE COMMAND | hold NODE"
        )),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("device: {error:#}");
            ExitCode::FAILURE
        }
    }
}
