//! What a misspelt word was meant to be.

/// So many letters may be wrong, of three that there are.
const LETTERS_FOR_ONE_SLIP: usize = 3;

/// The known word that is nearest to what was said, where one is near.
#[must_use]
pub fn nearest<'a>(said: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let said = said.to_ascii_lowercase();
    // Of two letters, one wrong one is half of the word.
    let slips = said.chars().count() / LETTERS_FOR_ONE_SLIP;
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&said, word), word))
        .filter(|(distance, _)| *distance <= slips)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// The question that stands behind "there is no 'caapcity'" in a message: ` (did you mean 'capacity'?)`; nothing where
/// no word is near, or where it is a known word: then something else is wrong with it.
#[must_use]
pub fn did_you_mean<'a>(said: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(said, known) {
        Some(word) if word != said => format!(" (did you mean '{word}'?)"),
        Some(_) | None => String::new(),
    }
}

/// The same behind serde's "unknown field `capcity`, expected one of `capacity`, `serial`"; nothing behind another message.
#[must_use]
pub fn field_meant(message: &str) -> String {
    let Some((_, named)) = message.split_once("unknown field `") else {
        return String::new();
    };
    // What stands between marks is every other part.
    let mut names = named.split('`').step_by(2);
    let said = names.next().unwrap_or_default();
    did_you_mean(said, names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_among_those_that_are_expected() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "only its names count")]
        struct Tape {
            serial: Option<String>,
            capacity: Option<u64>,
        }

        let error = toml::from_str::<Tape>("capcity = 1")
            .unwrap_err()
            .to_string();
        assert_eq!(
            field_meant(&error),
            " (did you mean 'capacity'?)",
            "{error}"
        );
        let error = toml::from_str::<Tape>("colour = 1")
            .unwrap_err()
            .to_string();
        assert_eq!(field_meant(&error), "", "{error}");
        assert_eq!(field_meant("no such file"), "");
    }

    const KNOWN: [&str; 5] = ["capacity", "early-warning", "create", "ro", "rsh"];

    #[test]
    fn a_slip_of_the_fingers_is_understood_and_another_word_is_not() {
        for (said, word) in [
            ("caapcity", Some("capacity")),
            ("craete", Some("create")),
            ("Early_Warning", Some("early-warning")),
            ("rhs", Some("rsh")),
            ("rw", None),
            ("", None),
            ("port", None),
            ("size", None),
        ] {
            assert_eq!(nearest(said, KNOWN), word, "{said}");
        }
    }

    #[test]
    fn the_question_names_the_word() {
        assert_eq!(did_you_mean("creat", KNOWN), " (did you mean 'create'?)");
        assert_eq!(did_you_mean("CREATE", KNOWN), " (did you mean 'create'?)");
        for said in ["monday", "create"] {
            assert_eq!(did_you_mean(said, KNOWN), "");
        }
    }
}
