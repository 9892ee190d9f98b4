//! How programs end: their exit codes, and what they say then.

use std::ffi::OsString;
use std::process::ExitCode;

use serde::Serialize;

use crate::text::printable;

/// The exit code where all is well.
pub const EXIT_WELL: u8 = 0;
/// The exit code where damage, a difference or something missing was found; of a daemon that failed at its work.
pub const EXIT_FOUND: u8 = 1;
/// The exit code of a wrong command line or configuration (clap's own), and of a command that could not do its work.
pub const EXIT_FAILED: u8 = 2;
/// The exit code where a signal ended what a program was writing.
pub const EXIT_CUT: u8 = 3;
/// The exit code where another host can't be reached, or no service runs there.
pub const EXIT_UNREACHED: u8 = 4;

/// The number of the form of an error in JSON.
const SCHEMA: u32 = 1;

/// An error, where JSON was asked for.
#[derive(Debug, Serialize)]
struct ErrorDocument<'a> {
    schema: u32,
    error: &'a str,
    exit_code: u8,
}

/// The words of an error as they go to standard error, with a line break behind them: as JSON one line, an object.
#[must_use]
pub fn error_line(program: &str, words: &str, exit_code: u8, json: bool) -> String {
    let words = printable(words);
    if !json {
        return format!("{program}: {words}\n");
    }
    let document = ErrorDocument {
        schema: SCHEMA,
        error: &words,
        exit_code,
    };
    serde_json::to_string(&document).expect("text and numbers are always JSON") + "\n"
}

/// Whether the arguments of a program ask for JSON, also where they are wrong otherwise.
#[must_use]
pub fn asks_for_json(arguments: &[OsString]) -> bool {
    let mut options = arguments.iter().take_while(|word| *word != "--");
    options.any(|word| word == "--json")
}

/// Ends a program whose command line is wrong, or asks for help: prints what is to be said, and returns the exit code.
#[must_use]
pub fn end_of_usage(program: &str, error: &clap::Error, json: bool) -> ExitCode {
    if json && error.use_stderr() {
        let line = error_line(program, &usage_words(error), EXIT_FAILED, true);
        eprint!("{line}");
        return ExitCode::from(EXIT_FAILED);
    }
    // Nobody is left to be told that nobody hears.
    error.print().ok();
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// The error and its tips in one line, without the usage.
fn usage_words(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let text = text.split("\n\nUsage:").next().unwrap_or_default();
    let text = text.split("\n\nFor more information").next();
    let text = text.unwrap_or_default().trim();
    let words = text.strip_prefix("error: ").unwrap_or(text);
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};

    use super::*;

    #[test]
    fn an_error_is_a_line_for_people_or_an_object() {
        assert_eq!(
            error_line("tape", "no \x1b[2J\"drive\"", 2, false),
            "tape: no \\u{1b}[2J\"drive\"\n"
        );
        let line = error_line("tape", "no\n\"drive\"", 2, true);
        assert_eq!(line.lines().count(), 1);
        let document: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            document,
            serde_json::json!({"schema": 1, "error": "no\n\"drive\"", "exit_code": 2})
        );
    }

    #[test]
    fn json_is_asked_for_by_an_option_and_not_by_a_name() {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        assert!(asks_for_json(&words(&["tape", "fly", "--json"])));
        assert!(!asks_for_json(&words(&["tape", "ls", "--", "--json"])));
        assert!(!asks_for_json(&words(&["tape", "ls", "json"])));
    }

    #[test]
    fn a_wrong_command_line_is_said_in_one_line_without_the_usage() {
        let command = Command::new("tape").arg(Arg::new("capacity").long("capacity"));
        let error = command
            .try_get_matches_from(["tape", "--capcity", "1"])
            .expect_err("a wrong option");
        let words = usage_words(&error);
        assert!(
            words.starts_with("unexpected argument '--capcity'"),
            "{words}"
        );
        assert!(
            words.contains("'--capacity'") && !words.contains("Usage"),
            "{words}"
        );
        assert_eq!(words.lines().count(), 1);
    }
}
