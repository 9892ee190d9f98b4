//! Values of which a shell can complete the beginning.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Command, Error};

/// Any text, which usually begins with one of these words: completions offer them, and nothing is refused.
#[derive(Clone, Debug)]
pub struct Beginning(Vec<&'static str>);

impl Beginning {
    /// With these words.
    #[must_use]
    pub fn with(words: &[&'static str]) -> Self {
        Beginning(words.to_vec())
    }
}

impl TypedValueParser for Beginning {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(PossibleValue::new)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candidates;

    #[test]
    fn words_are_offered_and_other_texts_are_taken() {
        let argument = Arg::new("what").value_parser(Beginning::with(&["sun", "moon"]));
        let command = Command::new("shine").arg(argument);
        let taken = command
            .clone()
            .try_get_matches_from(["shine", "moon,full=yes"])
            .unwrap();
        assert_eq!(taken.get_one::<String>("what").unwrap(), "moon,full=yes");
        let offered = candidates(command, &[String::new()], &|_| None);
        let offered: Vec<_> = offered.into_iter().map(|offered| offered.word).collect();
        assert_eq!(offered, ["sun", "moon"]);
    }
}
