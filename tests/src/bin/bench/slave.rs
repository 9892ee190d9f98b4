//! An image that another process serves at the slave end, against one in the device daemon, on one mount.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::mounted::{Placement, Server, create_image, read_all, rewind, write_all};
use crate::report::Report;

/// Bytes moved in one run.
const TOTAL: u64 = 256 << 20;
const SIZES: [(usize, &str, f64); 2] = [(64 << 10, "64 KiB", 0.7), (1 << 20, "1 MiB", 0.85)];
/// Of the throughput without a slave, over the node `pmts1`.
const NODE_GOAL: f64 = 0.5;

/// Processor seconds that this process has used.
pub fn own_cpu_seconds() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("a process may ask for its usage");
    (usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6
}

/// Both ways to hold the slave end, at each size, in both directions.
pub fn run(
    report: &mut Report,
    programs: &Path,
    scratch: &Path,
    placement: Placement,
) -> Result<()> {
    placement.apply()?;
    for way in ["socket", "node"] {
        run_way(report, programs, scratch, placement, way)?;
    }
    Ok(())
}

fn run_way(
    report: &mut Report,
    programs: &Path,
    scratch: &Path,
    placement: Placement,
    way: &str,
) -> Result<()> {
    let text = |path: &Path| path.to_str().map(str::to_owned).context("a path in UTF-8");
    let (own, served) = (scratch.join("own.ptape"), scratch.join("served.ptape"));
    create_image(programs, &own)?;
    create_image(programs, &served)?;
    let (mount, socket) = (scratch.join("pair"), scratch.join("slave"));
    let pair = format!("slave={},slave-wait=20", text(&socket)?);
    let arguments = [
        "--drive",
        &text(&own)?,
        "--drive",
        &pair,
        "--fuse",
        &text(&mount)?,
        "--control",
        &text(&scratch.join("control"))?,
    ];
    let daemon = programs.join("pseudotape-dev");
    let daemon = Server::start(&daemon, &arguments, &mount, "pmtm1")?;
    let place = match way {
        "socket" => socket,
        _ => mount.join("pmts1"),
    };
    let arguments = ["serve", &text(&served)?, "--on", &text(&place)?];
    let slave = Server::start_until(&programs.join("pseudotape"), &arguments, &served)?;
    for (size, name, socket_goal) in SIZES {
        let goal = if way == "socket" {
            socket_goal
        } else {
            NODE_GOAL
        };
        for direction in ["write", "read"] {
            let mut cpu = [Vec::new(), Vec::new()];
            let mut measure = |drive: usize| {
                let used = || -> Result<f64> {
                    Ok(own_cpu_seconds() + daemon.cpu_seconds()? + slave.cpu_seconds()?)
                };
                let before = used()?;
                let rate = match direction {
                    "write" => write_all(&mount.join(format!("pmtm{drive}")), size, TOTAL)?,
                    _ => {
                        let mut tape = File::open(mount.join(format!("npmtm{drive}")))?;
                        rewind(&tape)?;
                        read_all(&mut tape, size, TOTAL)?
                    }
                };
                cpu[drive].push((used()? - before) * 1e9 / TOTAL as f64);
                Ok(rate)
            };
            let measure = std::cell::RefCell::new(&mut measure);
            let must = |rate: Result<f64>| rate.expect("the tapes take and give");
            let name = format!("slave, {}, {way}, {direction} {name}", placement.name());
            report.pair(
                &name,
                goal,
                || must(measure.borrow_mut()(1)),
                || must(measure.borrow_mut()(0)),
            );
            let [other, ours] = cpu;
            let runs: Vec<_> = ours.into_iter().zip(other).skip(1).collect();
            let unit = "CPU s/GB";
            report.cost_of(&format!("{name}: all processes"), unit, None, &runs);
        }
    }
    // The daemon first: the slave ends when it hangs up.
    drop(daemon);
    drop(slave);
    Ok(())
}
