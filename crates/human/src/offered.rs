//! Options of a whole program, which are there only in the commands to which they mean something.
//!
//! An option that is global for clap is taken by each command, also by one that ignores it. Here a command says which
//! of them it means; in front of its name a person may write them all the same, as `program --json command`.

use std::any::Any;

use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Command};

/// Adds each of `options` to the commands that mean it, and to those above them. `means` is asked with the path of a
/// command below `command` (`vault ls`) and the name of an option.
#[must_use]
pub fn offer(command: Command, options: &[Arg], means: &dyn Fn(&str, &str) -> bool) -> Command {
    offer_below(command, "", options, means)
}

fn offer_below(
    command: Command,
    path: &str,
    options: &[Arg],
    means: &dyn Fn(&str, &str) -> bool,
) -> Command {
    let meant = |option: &&Arg| means_somewhere(&command, path, option.get_id().as_str(), means);
    let own: Vec<Arg> = options.iter().filter(meant).cloned().collect();
    command.args(own).mut_subcommands(|subcommand| {
        let path = joined(path, subcommand.get_name());
        offer_below(subcommand, &path, options, means)
    })
}

fn means_somewhere(
    command: &Command,
    path: &str,
    option: &str,
    means: &dyn Fn(&str, &str) -> bool,
) -> bool {
    if !command.has_subcommands() {
        return means(path, option);
    }
    let mut below = command.get_subcommands();
    below.any(|below| means_somewhere(below, &joined(path, below.get_name()), option, means))
}

fn joined(path: &str, name: &str) -> String {
    match path.is_empty() {
        true => name.to_owned(),
        false => format!("{path} {name}"),
    }
}

/// The paths of all commands that have none below them, in their order; of a program without commands its own, which is
/// empty.
#[must_use]
pub fn leaves(command: &Command) -> Vec<String> {
    let mut found = Vec::new();
    collect(command, "", &mut found);
    found
}

fn collect(command: &Command, path: &str, found: &mut Vec<String>) {
    if !command.has_subcommands() {
        found.push(path.to_owned());
    }
    for below in command.get_subcommands() {
        collect(below, &joined(path, below.get_name()), found);
    }
}

/// What was said of an option: behind the last command, or else before it.
#[must_use]
pub fn said<T: Any + Clone + Send + Sync + 'static>(
    matches: &ArgMatches,
    option: &str,
) -> Option<T> {
    let below = matches
        .subcommand()
        .and_then(|(_, below)| said(below, option));
    let is_said = |matches: &&ArgMatches| {
        let source = matches.try_contains_id(option).is_ok_and(|known| known);
        source && matches.value_source(option) == Some(clap::parser::ValueSource::CommandLine)
    };
    let here = Some(matches).filter(is_said);
    below.or_else(|| here.and_then(|matches| matches.get_one::<T>(option).cloned()))
}

/// Refuses an option that was said before a command to which it means nothing, or with one of whose own it does not go.
pub fn check(
    command: &mut Command,
    matches: &ArgMatches,
    options: &[Arg],
    means: &dyn Fn(&str, &str) -> bool,
) -> Result<(), clap::Error> {
    let (mut path, mut above, mut at) = (String::new(), Vec::new(), matches);
    while let Some((name, below)) = at.subcommand() {
        above.push(at);
        path = joined(&path, name);
        at = below;
    }
    for option in options {
        let id = option.get_id().as_str();
        let is_said = |matches: &&ArgMatches| {
            matches.try_contains_id(id).is_ok_and(|known| known)
                && matches.value_source(id) == Some(clap::parser::ValueSource::CommandLine)
        };
        if !above.iter().any(is_said) {
            continue;
        }
        let long = option.get_long().unwrap_or(id);
        if !means(&path, id) {
            let message = format!("'{path}' has no option '--{long}': leave it out");
            return Err(command.error(ErrorKind::UnknownArgument, message));
        }
        if let Some(other) = conflicting(command, &path, at, id) {
            let message = format!("'{other}' of '{path}' does not go with '--{long}'");
            return Err(command.error(ErrorKind::ArgumentConflict, message));
        }
    }
    Ok(())
}

/// What was said to the command with this path that does not go with an option. Behind the command clap sees to that.
fn conflicting(
    command: &Command,
    path: &str,
    matches: &ArgMatches,
    option: &str,
) -> Option<String> {
    let mut names = path.split(' ').filter(|name| !name.is_empty());
    let leaf = names.try_fold(command, |at, name| at.find_subcommand(name))?;
    let other = leaf.get_arguments().find(|own| {
        matches.value_source(own.get_id().as_str()) == Some(clap::parser::ValueSource::CommandLine)
            && leaf
                .get_arg_conflicts_with(own)
                .iter()
                .any(|other| other.get_id() == option)
    })?;
    Some(format!("--{}", other.get_long()?))
}

#[cfg(test)]
mod tests {
    use clap::ArgAction;

    use super::*;

    fn options() -> [Arg; 2] {
        [
            Arg::new("json").long("json").action(ArgAction::SetTrue),
            Arg::new("socket").long("socket"),
        ]
    }

    fn means(path: &str, option: &str) -> bool {
        match option {
            "json" => path != "man",
            _ => path == "tape wind",
        }
    }

    fn command() -> Command {
        let tape = Command::new("tape")
            .subcommand(Command::new("wind"))
            .subcommand(Command::new("cut").arg(Arg::new("as").long("as").conflicts_with("json")));
        let command = Command::new("drive")
            .subcommand(tape)
            .subcommand(Command::new("man"));
        offer(command, &options(), &means)
    }

    fn parse(words: &[&str]) -> Result<ArgMatches, String> {
        let matches = command().try_get_matches_from(words);
        let matches = matches.map_err(|error| error.to_string())?;
        check(&mut command(), &matches, &options(), &means).map_err(|error| error.to_string())?;
        Ok(matches)
    }

    #[test]
    fn an_option_is_there_where_a_command_means_it() {
        let names = |command: &Command| {
            let options = command.get_arguments().map(|arg| arg.get_id().to_string());
            options.collect::<Vec<_>>()
        };
        let all = command();
        let tape = all.find_subcommand("tape").unwrap();
        assert_eq!(names(&all), ["json", "socket"]);
        assert_eq!(names(tape), ["json", "socket"]);
        assert_eq!(names(tape.find_subcommand("cut").unwrap()), ["as", "json"]);
        assert!(names(all.find_subcommand("man").unwrap()).is_empty());
        assert_eq!(leaves(&all), ["tape wind", "tape cut", "man"]);
        assert_eq!(leaves(&Command::new("alone")), [""]);
    }

    #[test]
    fn what_is_said_last_counts_wherever_it_stands() {
        for words in [
            vec!["drive", "--socket", "a", "tape", "wind"],
            vec!["drive", "tape", "--socket", "a", "wind"],
            vec!["drive", "--socket", "b", "tape", "wind", "--socket", "a"],
        ] {
            let matches = parse(&words).unwrap();
            assert_eq!(said::<String>(&matches, "socket").as_deref(), Some("a"));
            assert_eq!(said::<bool>(&matches, "json"), None);
        }
        let matches = parse(&["drive", "--json", "tape", "cut"]).unwrap();
        assert_eq!(said::<bool>(&matches, "json"), Some(true));
    }

    #[test]
    fn before_a_command_that_does_not_mean_it_an_option_is_refused() {
        for (words, refusal) in [
            (
                vec!["drive", "--socket", "a", "tape", "cut"],
                "'tape cut' has no option '--socket'",
            ),
            (
                vec!["drive", "--json", "man"],
                "'man' has no option '--json'",
            ),
            (vec!["drive", "man", "--json"], "unexpected argument"),
            (
                vec!["drive", "--json", "tape", "cut", "--as", "it"],
                "'--as' of 'tape cut' does not go with '--json'",
            ),
            (
                vec!["drive", "tape", "cut", "--as", "it", "--json"],
                "cannot be used with",
            ),
        ] {
            let error = parse(&words).expect_err("a refusal");
            assert!(error.contains(refusal), "{words:?}: {error}");
        }
    }
}
