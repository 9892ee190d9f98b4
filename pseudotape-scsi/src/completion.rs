//! What can stand at the places of the command line: for the completions of shells.

use clap::CommandFactory;
use pseudotape_dev::completion::{changer, drive};
use pseudotape_human::{Candidate, Place};

use crate::cli::Arguments;

/// Answers a shell that asks this process what can stand on its line; `false` where none does.
#[must_use]
pub fn answers_shell() -> bool {
    pseudotape_human::answers_shell(Arguments::command(), &values)
}

fn values(place: &Place<'_>) -> Option<Vec<Candidate>> {
    match place.arg.get_id().as_str() {
        "drive" => Some(drive(place.prefix)),
        "changer" => Some(changer()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use pseudotape_human::candidates;

    use super::*;

    #[test]
    fn options_and_keys_are_offered() {
        let offered = |words: &[&str]| -> Vec<String> {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            let found = candidates(Arguments::command(), &words, &values);
            found.into_iter().map(|candidate| candidate.word).collect()
        };
        assert_eq!(offered(&["--loc"]), ["--local"]);
        assert_eq!(offered(&["--drive", "personality=d"]), ["personality=dds"]);
        assert_eq!(offered(&["--changer", "remote-"]), ["remote-socket:"]);
    }
}
