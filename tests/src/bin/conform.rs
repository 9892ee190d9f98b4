//! Runs the recorded scenarios on real nodes: `conform --daemon PATH --tool PATH [--fuse DIR | --scsi] [--scratch DIR]
//! [--traces DIR] [--given] [NAME...]`; without `--fuse` on CUSE nodes in `/dev`, with `--scsi` on nodes of the
//! kernel's st, whose drive is `pseudotape-scsi`; with `--given` not those of our own recording. To be run as root.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use pseudotape_tests::conformance::daemon::{Nodes, Setup, judge};
use pseudotape_tests::conformance::suite::{Suite, summary};

/// Scenarios in which an open waits for a medium in vain.
const WAIT_FOR_MEDIUM: [&str; 2] = ["no_medium_blocking", "offline_blocking_open"];

struct Arguments {
    setup: Setup,
    traces: Option<PathBuf>,
    names: Vec<String>,
    given_only: bool,
}

fn arguments() -> anyhow::Result<Arguments> {
    let mut daemon = None;
    let mut tool = None;
    let mut mount = None;
    let mut scratch = None;
    let mut traces = None;
    let mut names = Vec::new();
    let mut given_only = false;
    let mut scsi = false;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let place = match word.as_str() {
            "--daemon" => &mut daemon,
            "--tool" => &mut tool,
            "--fuse" => &mut mount,
            "--scratch" => &mut scratch,
            "--traces" => &mut traces,
            "--given" => {
                given_only = true;
                continue;
            }
            "--scsi" => {
                scsi = true;
                continue;
            }
            option if option.starts_with('-') => anyhow::bail!("unknown option {option}"),
            _ => {
                names.push(word);
                continue;
            }
        };
        let value = words
            .next()
            .ok_or_else(|| anyhow::anyhow!("{word} needs a path"))?;
        *place = Some(PathBuf::from(value));
    }
    let needed = |path: Option<PathBuf>, name: &str| {
        path.ok_or_else(|| anyhow::anyhow!("{name} PATH is needed"))
    };
    let scratch = scratch.unwrap_or_else(std::env::temp_dir);
    std::fs::create_dir_all(&scratch)?;
    Ok(Arguments {
        setup: Setup {
            daemon: needed(daemon, "--daemon")?,
            tool: needed(tool, "--tool")?,
            scratch,
            nodes: match mount {
                _ if scsi => Nodes::Scsi,
                Some(directory) => Nodes::Fuse(directory),
                None => Nodes::Cuse,
            },
        },
        traces,
        names,
        given_only,
    })
}

fn conform() -> anyhow::Result<bool> {
    let Arguments {
        setup,
        traces,
        names,
        given_only,
    } = arguments()?;
    let suite = Suite::load()?;
    // Without this the daemon can't ask how long a system call is that comes in pieces.
    let measured = Path::new("/proc/self/syscall").exists();
    let targets: &[&str] = match (&setup.nodes, measured) {
        (Nodes::Fuse(_), _) => &["fuse"],
        (Nodes::Cuse, true) => &["cuse"],
        (Nodes::Cuse, false) => &["cuse", "cuse-unmeasured"],
        (Nodes::Scsi, _) => &["scsi"],
    };
    if let Some(unknown) = names
        .iter()
        .find(|name| !suite.cases.iter().any(|case| case.name == **name))
    {
        anyhow::bail!("no scenario {unknown}");
    }
    let mut verdicts = Vec::new();
    for case in &suite.cases {
        if given_only && case.own || !names.is_empty() && !names.contains(&case.name) {
            continue;
        }
        // The kernel's st can't be told to wait for less than two minutes.
        if setup.nodes == Nodes::Scsi && names.is_empty() && WAIT_FOR_MEDIUM.contains(&&*case.name)
        {
            println!("excluded {}: st waits for two minutes in it", case.name);
            continue;
        }
        let (verdict, trace) = judge(&setup, case)?;
        if let Some(folder) = &traces {
            std::fs::create_dir_all(folder)?;
            let mut file = std::fs::File::create(folder.join(format!("{}.jsonl", case.name)))?;
            for step in &trace {
                writeln!(file, "{step}")?;
            }
        }
        verdicts.push(verdict);
    }
    let surprises = suite.surprises(targets, &verdicts);
    for surprise in &surprises {
        println!("{surprise}");
    }
    print!("{}", summary(&targets.join(" "), &verdicts));
    Ok(surprises.is_empty())
}

fn main() -> ExitCode {
    match conform() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("conform: {error:#}");
            ExitCode::FAILURE
        }
    }
}
