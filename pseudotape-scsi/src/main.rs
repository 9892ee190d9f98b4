//! The daemon whose drives are SCSI devices of the kernel.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use pseudotape_control::Readiness;
use pseudotape_human::{completion_script, explain, printable};
use pseudotape_scsi_daemon::cli::Arguments;
use pseudotape_scsi_daemon::run::Ended;
use pseudotape_scsi_daemon::{completion, config, manual, run};

/// The exit code of a wrong command line or configuration, which is clap's own: the unit does not start it again.
const WRONG_USAGE: u8 = 2;

/// The exit code where a program had written and was not done.
const PROGRAM_CUT: u8 = 3;

fn main() -> ExitCode {
    if completion::answers_shell() {
        return ExitCode::SUCCESS;
    }
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    let arguments = Arguments::parse();
    if let Some(made) = for_packages(&arguments) {
        return told(made.map(|()| ExitCode::SUCCESS), WRONG_USAGE);
    }
    // Before anything is opened that could get the number of an inherited descriptor.
    let readiness = Readiness::inherited(arguments.ready_fd).map_err(anyhow::Error::from);
    let read = readiness.and_then(|readiness| Ok((readiness, config::read(&arguments)?)));
    let (readiness, config) = match read {
        Ok(both) => both,
        Err(error) => return told(Err(error), WRONG_USAGE),
    };
    let ended = match arguments.clean {
        true => run::clean_up(&config).and_then(|message| {
            print(&format!("{message}\n"))?;
            Ok(ExitCode::SUCCESS)
        }),
        false => run::run(&config, readiness).map(|ended| match ended {
            Ended::Done => ExitCode::SUCCESS,
            Ended::ProgramCut => ExitCode::from(PROGRAM_CUT),
        }),
    };
    told(ended, 1)
}

/// Tells an error, and ends with this code then.
fn told(result: anyhow::Result<ExitCode>, code: u8) -> ExitCode {
    result.unwrap_or_else(|error| {
        eprintln!("pseudotape-scsi: {}", printable(&explain(error.chain())));
        ExitCode::from(code)
    })
}

/// What the command line asks for that is no daemon: man pages, the script of a shell.
fn for_packages(arguments: &Arguments) -> Option<anyhow::Result<()>> {
    if let Some(directory) = &arguments.man {
        return Some(manual::write(directory).and_then(|pages| {
            let lines = pages.iter().map(|page| format!("{}\n", page.display()));
            print(&lines.collect::<String>())
        }));
    }
    let script = completion_script(arguments.completions?, "pseudotape-scsi");
    Some(print(&script))
}

fn print(text: &str) -> anyhow::Result<()> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}
