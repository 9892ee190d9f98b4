//! What several legs cost: the mirror's drive against the drive of one leg, in process; and a program's job on the
//! mount, all processes counted, against a mirror of one image and against an image in the device daemon.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use pseudotape_drive::{NullDrive, NullLimits};
use pseudotape_mirror::{Keeps, LegOptions, MirrorDrive, MirrorOptions, NewLeg};
use pseudotape_tape::{Bare, Drive, Transfer};

use crate::in_process::new_drive;
use crate::mounted::{Placement, Server, create_image, write_all};
use crate::report::{Report, mib_per_second};
use crate::slave::own_cpu_seconds;
use crate::slow::Slow;

/// Bytes moved in one run.
const TOTAL: u64 = 256 << 20;
const SIZES: [(usize, &str); 2] = [(64 << 10, "64 KiB"), (1 << 20, "1 MiB")];
/// What a slow leg takes for each record, and how many it gets.
const DELAY: Duration = Duration::from_millis(2);
const SLOW_RECORDS: u64 = 300;
/// Of the processor time for one image.
const TWO_GOAL: f64 = 1.9;
const NULL_GOAL: f64 = 1.2;

fn write(drive: &mut dyn Drive, data: &[u8], records: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..records {
        let written = drive.write(Transfer::Variable, data);
        written.expect("the scratch directory takes files");
    }
    start.elapsed()
}

/// Processor seconds for a GB.
fn cost(drive: &mut dyn Drive, data: &[u8]) -> f64 {
    let before = own_cpu_seconds();
    write(drive, data, TOTAL / data.len() as u64);
    (own_cpu_seconds() - before) * 1e9 / TOTAL as f64
}

fn leg(name: &str, drive: impl Drive + 'static) -> NewLeg {
    NewLeg {
        options: LegOptions::named(name),
        drive: Box::new(Bare(drive)),
    }
}

fn null_leg() -> NewLeg {
    let mut leg = leg("null", NullDrive::new(NullLimits::default()));
    leg.options.keeps = Keeps::Nothing;
    leg
}

fn mirror(legs: Vec<NewLeg>) -> Result<MirrorDrive> {
    let mut mirror = MirrorDrive::new(MirrorOptions::default());
    mirror.insert(legs)?;
    // What a drive with a new medium has to tell.
    for _ in 0..3 {
        if mirror.test_ready().is_ok() {
            break;
        }
    }
    mirror.rewind()?;
    Ok(mirror)
}

/// Two images, an image and nothing, two slow legs: each against one.
pub fn run(report: &mut Report, scratch: &Path) -> Result<()> {
    let (a, b) = (scratch.join("a.ptape"), scratch.join("b.ptape"));
    let one = || new_drive(&a).expect("the scratch directory takes files");
    let two = || new_drive(&b).expect("the scratch directory takes files");
    for (size, name) in SIZES {
        let data = vec![0xa5; size];
        let kinds: [(_, _, &dyn Fn() -> NewLeg); 2] = [
            // Without anything but two times the same work this is 2.
            ("two images", None, &|| leg("b", two())),
            ("null and an image", Some(NULL_GOAL), &null_leg),
        ];
        for (kind, limit, second) in kinds {
            report.cost(
                &format!("mirror in process, {kind}, {name}"),
                "CPU s/GB",
                limit,
                || {
                    let legs = vec![leg("a", one()), second()];
                    cost(&mut mirror(legs).expect("new legs agree"), &data)
                },
                || cost(&mut one(), &data),
            );
        }
    }
    let data = vec![0xa5; SIZES[0].0];
    let rate = |drive: &mut dyn Drive| {
        let time = write(drive, &data, SLOW_RECORDS);
        mib_per_second(SLOW_RECORDS * data.len() as u64, time)
    };
    report.pair(
        "mirror, two legs that take 2 ms a record",
        0.9,
        || {
            let legs = vec![
                leg("a", Slow::new(one(), DELAY)),
                leg("b", Slow::new(two(), DELAY)),
            ];
            rate(&mut mirror(legs).expect("new legs agree"))
        },
        || rate(&mut Slow::new(one(), DELAY)),
    );
    Ok(())
}

/// A program that writes to the mount, all processes counted.
pub fn run_mounted(report: &mut Report, programs: &Path, scratch: &Path) -> Result<()> {
    Placement::Free.apply()?;
    let text = |path: &Path| path.to_str().map(str::to_owned).context("a path in UTF-8");
    let image = |name: &str| -> Result<String> {
        let path = scratch.join(format!("{name}.ptape"));
        create_image(programs, &path)?;
        text(&path)
    };
    let (mount, control) = (scratch.join("mirrors"), text(&scratch.join("control"))?);
    let own = image("own")?;
    let legs = [
        vec![format!("a={}", image("a1")?)],
        vec![format!("a={}", image("a2")?), format!("b={}", image("b2")?)],
        vec![format!("a={}", image("a3")?), "b=null".to_owned()],
    ];
    let sockets: Vec<_> = (0..legs.len())
        .map(|number| text(&scratch.join(format!("slave{number}"))))
        .collect::<Result<_>>()?;
    let drives = sockets.iter().map(|s| format!("slave={s},slave-wait=20"));
    let in_daemon = format!("legs=a={};b={}", image("a4")?, image("b4")?);
    let drives: Vec<_> = std::iter::once(own)
        .chain(drives)
        .chain([in_daemon])
        .collect();
    let mut arguments: Vec<&str> = drives.iter().flat_map(|d| ["--drive", d]).collect();
    let directory = text(&mount)?;
    arguments.extend(["--fuse", &directory, "--control", &control]);
    let daemon = programs.join("pseudotape-dev");
    let daemon = Server::start(&daemon, &arguments, &mount, "pmtm4")?;
    let mut mirrors = Vec::new();
    for (number, (legs, socket)) in legs.iter().zip(&sockets).enumerate() {
        let own = scratch.join(format!("mirror{number}"));
        let own_control = text(&own)?;
        let mut arguments = vec!["run", "--slave", socket, "--control", &own_control];
        arguments.extend(legs.iter().flat_map(|leg| ["--leg", leg]));
        let program = programs.join("pseudotape-mirror");
        mirrors.push(Server::start_until(&program, &arguments, &own)?);
    }
    let measure = |drive: usize, size: usize| -> Result<f64> {
        let used = || {
            let all = mirrors.iter().chain([&daemon]).map(Server::cpu_seconds);
            all.sum::<Result<f64>>().map(|all| all + own_cpu_seconds())
        };
        let before = used()?;
        write_all(&mount.join(format!("pmtm{drive}")), size, TOTAL)?;
        Ok((used()? - before) * 1e9 / TOTAL as f64)
    };
    let must = |cost: Result<f64>| cost.expect("the tapes take what is written");
    for (size, name) in SIZES {
        for (kind, drive, limit) in [
            ("two images", 2, TWO_GOAL),
            ("null and an image", 3, NULL_GOAL),
        ] {
            for (reference, other) in [("a mirror of one", 1), ("an image of the daemon", 0)] {
                report.cost(
                    &format!("mirror, {kind}, {name}, to {reference}"),
                    "CPU s/GB",
                    Some(limit),
                    || must(measure(drive, size)),
                    || must(measure(other, size)),
                );
            }
        }
        // docs/MIRROR.md says what is left where there is no hop.
        report.cost(
            &format!("two legs in the daemon, {name}, to an image of the daemon"),
            "CPU s/GB",
            None,
            || must(measure(4, size)),
            || must(measure(0, size)),
        );
    }
    for mirror in mirrors {
        drop(mirror);
    }
    drop(daemon);
    Ok(())
}
