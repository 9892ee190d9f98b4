//! Whether the man pages of a program say all that there is, and whether their examples are still commands.

use std::collections::BTreeSet;

use clap::Command;

/// What is wrong with the pages (names of files and texts) of a program: each command has one, with every option that
/// it has, its values, and the usual sections. A command that is new may wait for its example, two may.
#[must_use]
pub fn faults(command: &Command, pages: &[(String, String)]) -> Vec<String> {
    let mut command = command.clone().disable_help_subcommand(true);
    command.build();
    let mut faults = Vec::new();
    let mut waiting = Vec::new();
    look(&command, pages, &mut faults, &mut waiting);
    if waiting.len() > WAITING {
        faults.extend(waiting.iter().map(|file| format!("{file}: no example")));
    }
    faults
}

/// So many commands of a program may be without an example.
const WAITING: usize = 2;

fn look(
    command: &Command,
    pages: &[(String, String)],
    faults: &mut Vec<String>,
    waiting: &mut Vec<String>,
) {
    let spoken = command.get_bin_name().unwrap_or(command.get_name());
    let file = format!("{}.1", spoken.replace(' ', "-"));
    let Some((_, text)) = pages.iter().find(|(name, _)| *name == file) else {
        faults.push(format!("{file}: there is no such page"));
        return;
    };
    for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "SEE ALSO"] {
        let lines = text.lines().filter(|l| *l == format!(".SH {section}"));
        if lines.count() != 1 {
            faults.push(format!("{file}: no section {section}, or two"));
        }
    }
    if !text.contains("\n.SH EXAMPLES\n") {
        waiting.push(file.clone());
    }
    let is_own = |id: &str| !matches!(id, "help" | "version");
    for arg in command.get_arguments() {
        if arg.is_hide_set() || !is_own(arg.get_id().as_str()) {
            continue;
        }
        let mut words: Vec<String> = arg
            .get_long()
            .map(|l| format!("--{l}"))
            .into_iter()
            .collect();
        words.extend(arg.get_short().map(|short| format!("-{short}")));
        if arg.get_action().takes_values() {
            let names = arg.get_value_names().unwrap_or_default();
            words.extend(names.iter().map(ToString::to_string));
        }
        for word in words {
            let (_, entries) = text.split_once(".SH OPTIONS").unwrap_or_default();
            if !entries.contains(&word.replace('-', "\\-").replace("[,", "\\:[,")) {
                faults.push(format!("{file}: nothing of {word}"));
            }
        }
    }
    for below in command.get_subcommands() {
        if !below.is_hide_set() && below.get_name() != "help" {
            look(below, pages, faults, waiting);
        }
    }
}

/// The commands of `program` in the examples of a document, also of those that are not run, as words.
#[must_use]
pub fn examples(document: &str, program: &str) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    let mut is_shell = false;
    for line in document.replace("\\\n", " ").lines() {
        if line.starts_with("```") {
            is_shell = line == "```sh";
        } else if is_shell {
            let all = words(line);
            let parts =
                all.split(|word| matches!(word.as_str(), "&&" | "||" | "|" | "&" | ">" | "<"));
            let ours = parts.filter(|part| part.first().is_some_and(|first| first == program));
            commands.extend(ours.map(<[String]>::to_vec));
        }
    }
    commands
}

/// The words of a line, as a shell makes them: quotes, and comments.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The keys that the tables of a section (`## TITLE`) of a document list.
#[must_use]
pub fn documented_keys(document: &str, title: &str) -> BTreeSet<String> {
    let heading = format!("\n## {title}\n");
    let (_, section) = document.split_once(&heading).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    #[test]
    fn what_a_page_does_not_say_is_found() {
        let command = Command::new("tape").arg(Arg::new("by").long("by").value_name("WHO"));
        let all = ".SH NAME\n.SH SYNOPSIS\n.SH DESCRIPTION\n.SH OPTIONS\n\\-\\-by\nWHO\n.SH EXAMPLES\n.SH EXIT STATUS\n.SH SEE ALSO\n";
        let page = |text: &str| [("tape.1".to_owned(), text.to_owned())];
        assert!(faults(&command, &page(all)).is_empty());
        let missing = faults(
            &command,
            &page(&all.replace("\\-\\-by", "").replace(".SH SEE ALSO\n", "")),
        );
        assert_eq!(
            missing,
            [
                "tape.1: no section SEE ALSO, or two",
                "tape.1: nothing of --by"
            ]
        );
        assert_eq!(faults(&command, &[]), ["tape.1: there is no such page"]);
    }

    #[test]
    fn a_few_new_commands_may_wait_for_their_examples() {
        let text = ".SH NAME\n.SH SYNOPSIS\n.SH DESCRIPTION\n.SH EXIT STATUS\n.SH SEE ALSO\n";
        let pages = ["tape.1", "tape-wind.1", "tape-cut.1"];
        let pages = pages.map(|name| (name.to_owned(), text.to_owned()));
        let wind = Command::new("tape").subcommand(Command::new("wind"));
        assert!(faults(&wind, &pages).is_empty());
        assert_eq!(
            faults(&wind.subcommand(Command::new("cut")), &pages).len(),
            3
        );
    }

    #[test]
    fn examples_are_the_commands_of_the_blocks() {
        let text = "tape no\n```sh\nwind 1 && tape cut 'a b' \\\n  -x \"\" &\n# tape nothing\nls | tape -   # tape\n```\n```toml\ntape = 1\n```\n";
        assert_eq!(
            examples(text, "tape"),
            [vec!["tape", "cut", "a b", "-x", ""], vec!["tape", "-"]]
        );
    }

    #[test]
    fn keys_are_those_of_their_section() {
        let text = "# x\n\n## A\n\n| key |\n|---|\n| `a` | `no` |\n\n## B\n\n| `b` | |\n";
        assert_eq!(documented_keys(text, "A"), BTreeSet::from(["a".to_owned()]));
        assert!(documented_keys(text, "C").is_empty());
    }
}
