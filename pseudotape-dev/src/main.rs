//! The device daemon.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use clap::error::{ContextKind, ContextValue};
use pseudotape_control::Readiness;
use pseudotape_dev::cli::Arguments;
use pseudotape_dev::run::Ended;
use pseudotape_dev::{completion, config, manual, run};
use pseudotape_human::{completion_script, explain, printable, shell_word};

/// What is logged where `RUST_LOG` says nothing. fuser warns of unmounting what we have unmounted.
const LOG_FILTER: &str = "info,fuser=error";

/// The exit code of a wrong command line or configuration, which is clap's own: the unit does not start it again.
const WRONG_USAGE: u8 = 2;

/// The exit code where a program still had a drive open and had written to it.
const PROGRAM_CUT: u8 = 3;

/// A word that is no option is an image that somebody wants in a drive.
fn with_way_out(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg)
        && !word.starts_with('-')
    {
        let tip = format!(
            "'--drive {}' puts this image into a drive",
            shell_word(word)
        );
        let tips = ContextValue::StyledStrs(vec![tip.into()]);
        error.insert(ContextKind::Suggested, tips);
    }
    error
}

fn main() -> ExitCode {
    if completion::answers_shell() {
        return ExitCode::SUCCESS;
    }
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(LOG_FILTER)).init();
    // Serving threads pause for microseconds until a caller is asleep; the kernel's slack would make it 50.
    // All threads inherit this setting. Where it can't be made, calls of a whole piece are slower, nothing else.
    if let Err(error) = nix::sys::prctl::set_timerslack(1) {
        log::debug!("can't set the timer slack: {error}");
    }
    let arguments = Arguments::try_parse().unwrap_or_else(|error| with_way_out(error).exit());
    if let Some(made) = for_packages(&arguments) {
        return match made {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("pseudotape-dev: {}", printable(&explain(error.chain())));
                ExitCode::from(WRONG_USAGE)
            }
        };
    }
    // Before anything is opened that could get the number of an inherited descriptor.
    let readiness = Readiness::inherited(arguments.ready_fd).map_err(anyhow::Error::from);
    let (readiness, config) = match readiness.and_then(|r| Ok((r, config::read(&arguments)?))) {
        Ok(both) => both,
        Err(error) => {
            eprintln!("pseudotape-dev: {}", printable(&explain(error.chain())));
            return ExitCode::from(WRONG_USAGE);
        }
    };
    match run::run(&config, readiness) {
        Ok(Ended::Done) => ExitCode::SUCCESS,
        Ok(Ended::ProgramCut) => ExitCode::from(PROGRAM_CUT),
        Err(error) => {
            eprintln!("pseudotape-dev: {}", printable(&explain(error.chain())));
            ExitCode::FAILURE
        }
    }
}

/// What the command line asks for that is no daemon: man pages, the script of a shell.
fn for_packages(arguments: &Arguments) -> Option<anyhow::Result<()>> {
    if let Some(directory) = &arguments.man {
        return Some(manual::write(directory).and_then(|pages| {
            let lines = pages.iter().map(|page| format!("{}\n", page.display()));
            print(&lines.collect::<String>())
        }));
    }
    let script = completion_script(arguments.completions?, "pseudotape-dev");
    Some(print(&script))
}

fn print(text: &str) -> anyhow::Result<()> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_without_its_option_is_told_the_option() {
        let error = |words: &[&str]| {
            let error = Arguments::try_parse_from(words).expect_err("a wrong command line");
            assert_eq!(error.exit_code(), i32::from(WRONG_USAGE));
            with_way_out(error).to_string()
        };
        let told = error(&["pseudotape-dev", "my tape.ptape"]);
        assert!(told.contains("'--drive \"my tape.ptape\"'"), "{told}");
        let told = error(&["pseudotape-dev", "--drvie", "a"]);
        assert!(
            told.contains("'--drive'") && !told.contains("puts this image"),
            "{told}"
        );
    }
}
