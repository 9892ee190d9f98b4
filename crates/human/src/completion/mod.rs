//! What a shell is told when somebody presses the tab key: the program itself says what can stand at a place.

use std::fmt::Write as _;
use std::io::Write as _;

use clap::{Arg, Command, ValueEnum};

mod paths;
mod script;
mod walk;

pub use paths::paths;
pub use script::completion_script;

/// The variable in which the script of a shell says which shell asks. The words of the command line are the arguments
/// then, and the last one is the word that is to be completed.
pub const COMPLETE_VARIABLE: &str = "PSEUDOTAPE_COMPLETE";

/// A shell for which there is a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU bash.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}

/// A word that can stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The whole word, not only what is missing.
    pub word: String,
    /// What it is, in a few words.
    pub about: String,
}

impl Candidate {
    /// A word and what it is.
    #[must_use]
    pub fn new(word: impl Into<String>, about: impl Into<String>) -> Self {
        Candidate {
            word: word.into(),
            about: about.into(),
        }
    }
}

/// A value that is asked for.
#[derive(Debug)]
pub struct Place<'a> {
    /// The command, without the program: `vault ls`.
    pub path: &'a str,
    /// The argument that it is a value of.
    pub arg: &'a Arg,
    /// What is there of the value.
    pub prefix: &'a str,
    /// The names of the arguments before it, each with its value.
    pub said: &'a [(String, String)],
}

impl Place<'_> {
    /// The value of an argument before this one.
    #[must_use]
    pub fn said(&self, id: &str) -> Option<&str> {
        let found = self.said.iter().rev().find(|(name, _)| name == id);
        found.map(|(_, value)| value.as_str())
    }

    /// What the argument's value is called in the help.
    #[must_use]
    pub fn value_name(&self) -> &str {
        let names = self.arg.get_value_names().unwrap_or_default();
        names.first().map_or("", |name| name.as_str())
    }
}

/// Says which values there are at a place; `None` where the definition of the argument says it.
pub type Values<'a> = &'a dyn Fn(&Place<'_>) -> Option<Vec<Candidate>>;

/// What the last of `words` can be. The name of the program is none of them.
#[must_use]
pub fn candidates(command: Command, words: &[String], values: Values<'_>) -> Vec<Candidate> {
    let mut command = command;
    command.build();
    let (before, word) = match words.split_last() {
        Some((word, before)) => (before, word.as_str()),
        None => (words, ""),
    };
    let mut found = walk::found(&command, before, word, values);
    found.retain(|candidate| candidate.word.starts_with(word));
    found
}

/// Answers a shell that asks this process what can stand on its line; `false` where it was started for its work.
#[must_use]
pub fn answers_shell(command: Command, values: Values<'_>) -> bool {
    let shell = std::env::var(COMPLETE_VARIABLE);
    let Ok(shell) = Shell::from_str(&shell.unwrap_or_default(), false) else {
        return false;
    };
    let said = std::env::args_os().skip(1);
    let said: Vec<String> = said
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    // Behind an open quote bash takes each character as it is.
    let is_open = said.last().is_some_and(|word| word.starts_with('\''));
    let words: Vec<String> = said.iter().map(|word| unquoted(shell, word)).collect();
    let answer = answer(shell, is_open, candidates(command, &words, values));
    // A shell that hears nothing has nothing to offer.
    std::io::stdout().write_all(answer.as_bytes()).ok();
    true
}

fn answer(shell: Shell, is_open: bool, candidates: Vec<Candidate>) -> String {
    let mut answer = String::new();
    for Candidate { word, about } in candidates {
        // A line is a candidate, and a tab ends its word.
        if word.contains(['\n', '\t']) {
            continue;
        }
        let about = about.replace(['\n', '\t'], " ");
        match shell {
            Shell::Bash if is_open => writeln!(answer, "{word}"),
            Shell::Bash => writeln!(answer, "{}", quoted(&word)),
            Shell::Zsh | Shell::Fish => writeln!(answer, "{word}\t{about}"),
        }
        .expect("a String takes everything");
    }
    answer
}

/// A word as bash has it on its line: a backslash before what means something to it.
fn quoted(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    for c in word.chars() {
        if matches!(
            c,
            ' ' | '\\'
                | '\''
                | '"'
                | '$'
                | '`'
                | '&'
                | ';'
                | '('
                | ')'
                | '<'
                | '>'
                | '|'
                | '*'
                | '?'
                | '['
                | ']'
                | '#'
                | '!'
        ) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The other way round; zsh and fish say words as they are.
fn unquoted(shell: Shell, word: &str) -> String {
    if shell != Shell::Bash {
        return word.to_owned();
    }
    let mut out = String::with_capacity(word.len());
    let mut quote = None;
    let mut chars = word.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None | Some('"'), '\\') => out.extend(chars.next()),
            (_, c) => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests;
