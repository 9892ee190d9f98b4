//! Runs the recorded scenarios on real nodes: `conform --daemon PATH --tool PATH [--fuse DIR] [--scratch DIR]
//! [--traces DIR] [--given] [NAME...]`; without `--fuse` on CUSE nodes in `/dev`, with `--given` not those of our own
//! recording. To be run as root.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use pseudotape_tests::conformance::daemon::{Setup, judge};
use pseudotape_tests::conformance::suite::{Suite, summary};

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
            mount,
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
    let targets: &[&str] = match (&setup.mount, measured) {
        (Some(_), _) => &["fuse"],
        (None, true) => &["cuse"],
        (None, false) => &["cuse", "cuse-unmeasured"],
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
