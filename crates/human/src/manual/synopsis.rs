//! What can stand on the command line of a command.

use clap::{Arg, ArgAction, Command};

use super::roff::{bold, italic};

/// Whether a page tells of the argument.
pub(super) fn is_shown(arg: &Arg) -> bool {
    let is_asked = matches!(
        arg.get_action(),
        ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
    );
    !arg.is_hide_set() && !is_asked
}

fn value_names(arg: &Arg) -> Vec<String> {
    match arg.get_value_names() {
        Some(names) => names.iter().map(ToString::to_string).collect(),
        None => vec![arg.get_id().as_str().to_uppercase()],
    }
}

/// The name of an option, or nothing.
fn name(arg: &Arg) -> String {
    match (arg.get_long(), arg.get_short()) {
        (Some(long), _) => bold(&format!("--{long}")),
        (None, Some(short)) => bold(&format!("-{short}")),
        (None, None) => String::new(),
    }
}

/// An argument with its values, as it is written.
pub(super) fn written(arg: &Arg) -> String {
    let names = value_names(arg);
    let values = names.iter().map(|name| italic(name));
    let values = values.collect::<Vec<_>>().join("\\ ");
    let range = arg.get_num_args().unwrap_or_default();
    if arg.is_positional() {
        let is_many = range.max_values() > names.len();
        return match is_many || matches!(arg.get_action(), ArgAction::Append) {
            true => format!("{values}..."),
            false => values,
        };
    }
    if !arg.get_action().takes_values() {
        return name(arg);
    }
    let equals = if arg.is_require_equals_set() {
        "="
    } else {
        "\\ "
    };
    match range.min_values() {
        0 => format!("{}[{equals}{values}]", name(arg)),
        _ => format!("{}{equals}{values}", name(arg)),
    }
}

/// All that can stand there: options with their values, and then what has a place.
pub(super) fn synopsis(command: &Command) -> String {
    let spoken = command.get_bin_name().unwrap_or(command.get_name());
    let mut parts = vec![bold(spoken)];
    let mut together: Vec<&str> = Vec::new();
    let mut groups = Vec::new();
    for group in command.get_groups().filter(|group| group.is_required_set()) {
        let ids: Vec<&str> = group.get_args().map(|id| id.as_str()).collect();
        let is_member = |arg: &&Arg| ids.contains(&arg.get_id().as_str()) && is_shown(arg);
        let members = command.get_arguments().filter(is_member).map(written);
        groups.push(format!(
            "{{{}}}",
            members.collect::<Vec<_>>().join("\\ |\\ ")
        ));
        together.extend(ids);
    }
    let alone = |arg: &&Arg| is_shown(arg) && !together.contains(&arg.get_id().as_str());
    let as_needed = |arg: &Arg| {
        let repeats = !arg.is_positional() && matches!(arg.get_action(), ArgAction::Append);
        let repeats = if repeats { "..." } else { "" };
        match arg.is_required_set() {
            true => format!("{}{repeats}", written(arg)),
            false => format!("[{}]{repeats}", written(arg)),
        }
    };
    let options = command.get_arguments().filter(|arg| !arg.is_positional());
    parts.extend(options.filter(alone).map(as_needed));
    parts.extend(command.get_positionals().filter(alone).map(as_needed));
    parts.extend(groups);
    if command.has_subcommands() {
        parts.push(format!("{} ...", italic("COMMAND")));
    }
    // Three dots are no end of a sentence.
    parts.join("\\&\n") + "\n"
}
