//! The pages of a program.

use clap::{Arg, Command};

use super::roff::{body, bold, cells, entry, escaped, inline, verbatim};
use super::synopsis::{is_shown, synopsis, written};
use super::{Manual, Page, head, page, section_of, see_also};

/// What stands above the options that have no heading of their own.
const OPTIONS: &str = "Options";
/// What a document says of one command beside its examples.
const OWN: [&str; 2] = ["EXIT STATUS", "SEE ALSO"];

pub(super) fn pages(program: &Command, manual: &Manual<'_>) -> Vec<Page> {
    let mut pages = Vec::new();
    collect(program, &mut Vec::new(), manual, &mut pages);
    pages
}

fn collect<'a>(
    command: &'a Command,
    above: &mut Vec<&'a Command>,
    manual: &Manual<'_>,
    pages: &mut Vec<Page>,
) {
    let text = text_of(command, above, manual);
    pages.push(page(format!("{}.1", name_of(command)), &text));
    above.push(command);
    for below in below(command) {
        collect(below, above, manual, pages);
    }
    above.pop();
}

/// The commands below a command that have pages.
fn below(command: &Command) -> impl Iterator<Item = &Command> {
    let commands = command.get_subcommands();
    commands.filter(|below| below.get_name() != "help" && !below.is_hide_set())
}

/// As a person writes it: `pseudotape vault ls`.
fn spoken(command: &Command) -> &str {
    command.get_bin_name().unwrap_or(command.get_name())
}

/// The name of its page: `pseudotape-vault-ls`.
fn name_of(command: &Command) -> String {
    spoken(command).replace(' ', "-")
}

fn text_of(command: &Command, above: &[&Command], manual: &Manual<'_>) -> String {
    let name = name_of(command);
    let mut text = head(&name, 1);
    text += &format!("{} \\- {}\n", escaped(&name), inline(&title_words(command)));
    text += ".SH SYNOPSIS\n";
    text += &synopsis(command);
    text += ".SH DESCRIPTION\n";
    text += &description(command);
    text += &options(command);
    text += &commands(command);
    let own = section_of(manual.document, spoken(command)).unwrap_or_default();
    let (examples, [own_codes, own_pages]) = parts_of(own);
    if !examples.trim().is_empty() {
        text += &format!(".SH EXAMPLES\n{}", body(examples));
    }
    for title in ["FILES", "ENVIRONMENT"] {
        text += &table(title, command, manual);
    }
    text += ".SH EXIT STATUS\n";
    text += &match own_codes {
        "" => exit_status(manual.exit_codes, command, above.is_empty()),
        codes => body(codes),
    };
    let mut others: Vec<String> = above
        .iter()
        .rev()
        .map(|above| format!("{}(1)", name_of(above)))
        .collect();
    let named = own_pages.split([',', '\n']).map(str::trim);
    for page in named.chain(manual.see_also.iter().copied()) {
        if !page.is_empty() && page != format!("{name}(1)") && others.iter().all(|p| p != page) {
            others.push(page.to_owned());
        }
    }
    text + &see_also(&others)
}

/// The examples of a command, and what is under each of the headings [`OWN`].
fn parts_of(section: &str) -> (&str, [&str; 2]) {
    let mut parts = section.split("\n### ");
    let examples = parts.next().unwrap_or_default();
    let mut own = [""; 2];
    for part in parts {
        let (title, words) = part.split_once('\n').unwrap_or((part, ""));
        if let Some(at) = OWN.iter().position(|known| *known == title) {
            own[at] = words;
        }
    }
    (examples, own)
}

/// The first sentence of what the command is, without its end.
fn title_words(command: &Command) -> String {
    let about = command.get_about().map(ToString::to_string);
    let about = about.unwrap_or_default().replace('\n', " ");
    about.trim_end_matches(['.', ':']).to_owned()
}

fn description(command: &Command) -> String {
    let about = match command.get_long_about() {
        Some(about) => about.to_string(),
        None => title_words(command) + ".",
    };
    let after = command
        .get_after_long_help()
        .or_else(|| command.get_after_help());
    let after = after.map(ToString::to_string).unwrap_or_default();
    let paragraphs = about.split("\n\n").chain(after.split("\n\n"));
    paragraphs.map(paragraph_of_help).collect()
}

fn paragraph_of_help(paragraph: &str) -> String {
    // What the page has in sections of its own.
    let elsewhere = ["Example", "Exit code"];
    if paragraph.is_empty() || elsewhere.iter().any(|word| paragraph.starts_with(word)) {
        return String::new();
    }
    match paragraph.lines().any(|line| line.starts_with("  ")) {
        true => verbatim(paragraph),
        false => format!(".PP\n{}\n", inline(&paragraph.replace('\n', " "))),
    }
}

fn heading_of(arg: &Arg) -> &str {
    arg.get_help_heading().unwrap_or(OPTIONS)
}

fn options(command: &Command) -> String {
    let shown = || command.get_arguments().filter(|arg| is_shown(arg));
    let mut headings: Vec<&str> = vec![OPTIONS];
    for arg in shown() {
        if !headings.contains(&heading_of(arg)) {
            headings.push(heading_of(arg));
        }
    }
    let mut text = String::new();
    for heading in headings {
        // What has a place is described first.
        let here = shown().filter(|arg| heading_of(arg) == heading);
        let (places, named): (Vec<&Arg>, Vec<&Arg>) = here.partition(|arg| arg.is_positional());
        if places.is_empty() && named.is_empty() {
            continue;
        }
        if text.is_empty() {
            text += ".SH OPTIONS\n";
        }
        if heading != OPTIONS {
            text += &format!(".SS {}\n", escaped(heading));
        }
        for arg in places.into_iter().chain(named) {
            let short = arg.get_short().filter(|_| arg.get_long().is_some());
            let short = short.map(|short| bold(&format!("-{short}")) + ", ");
            let about = short.unwrap_or_default() + &written(arg);
            text += &entry(&about, &inline(&words(arg)));
        }
    }
    text
}

/// What an argument is, which values it can have, and what it is where nobody says it.
fn words(arg: &Arg) -> String {
    let help = arg.get_long_help().or_else(|| arg.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    let help = help
        .strip_suffix('.')
        .filter(|help| !help.ends_with('.'))
        .unwrap_or(&help);
    let mut words = help.replace('\n', " ");
    let takes_values = arg.get_action().takes_values();
    let values = arg.get_possible_values();
    let values = values.iter().filter(|value| !value.is_hide_set());
    if takes_values && !arg.is_hide_possible_values_set() {
        let named: Vec<String> = values.map(value_words).collect();
        if !named.is_empty() {
            words = format!("{words}: {}", named.join("; "));
        }
    }
    let defaults = arg.get_default_values().iter();
    let defaults: Vec<_> = defaults.map(|value| value.to_string_lossy()).collect();
    if takes_values && !defaults.is_empty() && !arg.is_hide_default_value_set() {
        words = format!("{words} [default: {}]", defaults.join(", "));
    }
    match words.ends_with("...") {
        true => words,
        false => words + ".",
    }
}

fn value_words(value: &clap::builder::PossibleValue) -> String {
    let help = value.get_help().map(ToString::to_string);
    match help {
        Some(help) => format!("`{}` ({})", value.get_name(), help.trim_end_matches('.')),
        None => format!("`{}`", value.get_name()),
    }
}

fn commands(command: &Command) -> String {
    let mut text = String::new();
    for below in below(command) {
        if text.is_empty() {
            text += ".SH COMMANDS\n";
        }
        let about = format!("{}(1)", bold(&name_of(below)));
        text += &entry(&about, &inline(&(title_words(below) + ".")));
    }
    text
}

/// The lines of a table of the document that belong into the page of a command.
fn table(title: &str, command: &Command, manual: &Manual<'_>) -> String {
    let mut text = String::new();
    let is_meant = |who: &str| {
        command.get_arguments().any(|arg| {
            arg.get_long()
                .is_some_and(|long| who == format!("--{long}"))
        }) || spoken(command) == who
            || spoken(command).starts_with(&format!("{who} "))
    };
    for line in section_of(manual.document, title)
        .unwrap_or_default()
        .lines()
    {
        let cells = cells(line);
        let [name, who, words] = cells.as_slice() else {
            continue;
        };
        let mut who = who.split(',').map(|who| who.trim().trim_matches('`'));
        if name.starts_with('`') && who.any(|who| who.is_empty() || is_meant(who)) {
            text += &entry(&inline(name), &inline(words));
        }
    }
    match text.as_str() {
        "" => text,
        entries => format!(".SH {title}\n{entries}"),
    }
}

/// The exit codes of `Exit codes: 0 all is well; 1 …`. A code that names one command is that command's.
fn exit_status(codes: &str, command: &Command, is_program: bool) -> String {
    let codes = codes.trim().trim_start_matches("Exit codes: ");
    let mut entries: Vec<(&str, String)> = Vec::new();
    for part in codes.split("; ") {
        let part = part.trim();
        let (code, words) = part.split_once([' ', ',']).unwrap_or((part, ""));
        match code.parse::<u8>() {
            Ok(_) => entries.push((code, words.trim().to_owned())),
            Err(_) => {
                if let Some((_, before)) = entries.last_mut() {
                    *before += &format!("; {part}");
                }
            }
        }
    }
    let is_ours = |words: &str| {
        let named = words.split_once("'pseudotape ").map(|(_, name)| name);
        let named = named.and_then(|name| name.split('\'').next());
        is_program || named.is_none_or(|name| command.get_name() == name)
    };
    let ours = entries.iter().filter(|(_, words)| is_ours(words));
    ours.map(|(code, words)| {
        let end = if words.ends_with('.') { "" } else { "." };
        entry(&bold(code), &inline(&format!("{}{end}", capital(words))))
    })
    .collect()
}

fn capital(words: &str) -> String {
    let mut chars = words.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}
