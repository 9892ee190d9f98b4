//! What can stand at the place of a leg on a command line: for the completions of the programs that have legs.

use pseudotape_human::{Candidate, list, paths};
use pseudotape_sink::Continued;

/// What stands behind the sink of a leg.
const OF_LEGS: [(&str, &[&str]); 3] = [
    ("class=", &["class=required", "class=spare"]),
    ("when=", &["when=sync", "when=unload", "when=deferred"]),
    ("reserve=", &[]),
];

/// `NAME=SINK`; before the sign there are `names`.
#[must_use]
pub fn continued_assignment(prefix: &str, names: Vec<Candidate>) -> Vec<Candidate> {
    assigned(prefix, false, names)
}

/// `NAME=SINK` with the options of a leg behind it, as [`crate::parse_leg`] reads it.
#[must_use]
pub fn continued_leg(prefix: &str) -> Vec<Candidate> {
    assigned(prefix, true, Vec::new())
}

/// Such legs with semicolons between them, in a value of a list whose commas have a backslash.
#[must_use]
pub fn continued_legs(prefix: &str) -> Vec<Candidate> {
    let leg = prefix.rsplit(';').next().unwrap_or_default();
    let said = list::plain(leg);
    // What is there stays as it is written: a shell offers only what continues it.
    let continued = |candidate: Candidate| {
        let rest = candidate.word.strip_prefix(&said)?;
        let word = format!("{prefix}{}", quoted(rest));
        Some(Candidate { word, ..candidate })
    };
    let all = continued_leg(&said).into_iter();
    all.filter_map(continued).collect()
}

/// A backslash before each comma and each backslash: [`list::plain`] takes them away.
fn quoted(text: &str) -> String {
    text.replace('\\', r"\\").replace(',', r"\,")
}

fn assigned(prefix: &str, has_options: bool, names: Vec<Candidate>) -> Vec<Candidate> {
    let Some(at) = prefix.find('=').map(|at| at + 1) else {
        return names;
    };
    let (head, text) = prefix.split_at(at);
    let continued = Continued::of(text);
    let words = continued.words.into_iter();
    let mut all: Vec<Candidate> = words
        .map(|(word, about)| Candidate::new(format!("{head}{word}"), about))
        .collect();
    if let Some(at) = continued.path_at {
        all.extend(paths(&format!("{head}{}", &text[..at]), &text[at..], false));
    }
    if let Some((before, last)) = prefix.rsplit_once(',').filter(|_| has_options) {
        for (name, values) in OF_LEGS {
            if last.starts_with(name) {
                let values = values.iter().map(|value| format!("{before},{value}"));
                all.extend(values.map(|value| Candidate::new(value, "")));
            } else if !before.contains(&format!(",{name}")) {
                all.push(Candidate::new(format!("{before},{name}"), "of the leg"));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(candidates: Vec<Candidate>) -> Vec<String> {
        let words = candidates.into_iter();
        words.map(|candidate| candidate.word).collect()
    }

    #[test]
    fn what_is_offered_of_a_leg_is_understood() {
        for (name, values) in OF_LEGS {
            for value in values {
                assert!(value.starts_with(name));
                let leg = crate::parse_leg(&format!("a=image:x,{value}"));
                assert!(crate::check_leg(leg.unwrap()).is_ok(), "{value}");
            }
        }
        let late = crate::parse_leg("a=image:x,when=unload,reserve=1M").unwrap();
        assert!(crate::check_leg(late).is_ok());
    }

    #[test]
    fn legs_in_a_list_keep_their_backslashes() {
        let offered = words(continued_legs(r"a=image:/x\,create;b=image:/y\,class="));
        assert!(offered.contains(&r"a=image:/x\,create;b=image:/y\,class=spare".to_owned()));
        let begun = r"a=image:/x\\\,y\,";
        for word in words(continued_legs(begun)) {
            // The path of the leg has a comma, and so a backslash of its own.
            assert!(word.starts_with(begun), "{word}");
            assert!(list::plain(&word).starts_with(r"a=image:/x\,y,"), "{word}");
        }
        assert!(words(continued_legs("a")).is_empty());
        // A folder whose name has a comma.
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("x,y")).unwrap();
        let begun = format!("a=image:{}/x", directory.path().display());
        let offered = words(continued_legs(&begun));
        for word in &offered {
            assert!(word.starts_with(&begun), "{word}");
        }
    }
}
