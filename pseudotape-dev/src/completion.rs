//! What can stand at the places of the command line: for the completions of shells.

use clap::CommandFactory;
use pseudotape_drive::Personality;
use pseudotape_human::list::parts;
use pseudotape_human::{Candidate, Place, paths};
use pseudotape_mirror::continued_legs;
use pseudotape_mtio::Booleans;

use crate::cli::Arguments;
use crate::config::drive_keys;

/// What a changer of elsewhere begins with.
const CHANGERS: [&str; 4] = ["library:", "remote:", "remote-socket:", "sg:"];

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

fn plain(words: impl IntoIterator<Item = String>) -> Vec<Candidate> {
    let words = words.into_iter();
    words.map(|word| Candidate::new(word, "")).collect()
}

/// How a changer of elsewhere is named.
#[must_use]
pub fn changer() -> Vec<Candidate> {
    plain(CHANGERS.map(str::to_owned))
}

/// `IMAGE`, or `key=value,key=value`.
#[must_use]
pub fn drive(prefix: &str) -> Vec<Candidate> {
    // A comma with a backslash is of a value.
    let last = parts(prefix, ',').last().unwrap_or_default();
    let head = prefix.strip_suffix(last).unwrap_or_default();
    let Some((key, value)) = last.split_once('=') else {
        let is_new = |key: &&&str| !format!(",{head}").contains(&format!(",{key}="));
        let keys = drive_keys().iter().filter(is_new);
        let mut all = plain(keys.map(|key| format!("{head}{key}=")));
        if head.is_empty() {
            all.extend(paths("", last, false));
        }
        return all;
    };
    let head = format!("{head}{key}=");
    let words: Vec<String> = match key {
        "personality" => Personality::ALL.iter().map(|p| p.name.to_owned()).collect(),
        "cache" => ["auto", "keep", "drop"].map(str::to_owned).to_vec(),
        "end-of-tape" => ["linux", "bsd"].map(str::to_owned).to_vec(),
        "verify-reads" | "announces-medium" => ["true", "false"].map(str::to_owned).to_vec(),
        "options" | "options-l" | "options-m" | "options-a" => {
            let before = value.rfind(';').map_or("", |at| &value[..=at]);
            let names = Booleans::named();
            names.map(|(_, name)| format!("{before}{name}")).collect()
        }
        "legs" => {
            let legs = continued_legs(value).into_iter();
            let legs = legs.map(|leg| Candidate::new(format!("{head}{}", leg.word), leg.about));
            return legs.collect();
        }
        "faults" => pseudotape_fault::continued(value),
        "image" | "slave" => return paths(&head, value, false),
        _ => Vec::new(),
    };
    plain(words.into_iter().map(|word| format!("{head}{word}")))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use pseudotape_human::candidates;

    use super::*;

    fn offered(words: &[&str]) -> Vec<String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let found = candidates(Arguments::command(), &words, &values);
        found.into_iter().map(|candidate| candidate.word).collect()
    }

    #[test]
    fn options_keys_and_their_values_are_offered() {
        assert_eq!(offered(&["--open"]), ["--open-wait"]);
        assert_eq!(offered(&["--drive", "pers"]), ["personality="]);
        assert_eq!(
            offered(&["--drive", "personality=lto5"]),
            ["personality=lto5"]
        );
        assert_eq!(offered(&["--drive=cache=d"]), ["--drive=cache=drop"]);
        assert_eq!(
            offered(&["--drive", "image=x,early"]),
            ["image=x,early-warning="]
        );
        assert!(offered(&["--drive", "cache=auto,cac"]).is_empty());
        assert_eq!(
            offered(&["--drive", "options=sili;sys"]),
            ["options=sili;sysv"]
        );
        assert_eq!(offered(&["--changer", "remote-"]), ["remote-socket:"]);
        let legs = r"legs=a=image:/x\,create;b=imag";
        assert_eq!(offered(&["--drive", legs]), [format!("{legs}e:")]);
        let legs = r"queue=1M,legs=a=image:/x\,create;b=image:/y\,class=s";
        assert_eq!(offered(&["--drive", legs]), [format!("{legs}pare")]);
        let legs = r"legs=a=image:/x\,create,min-l";
        assert_eq!(offered(&["--drive", legs]), [format!("{legs}egs=")]);
        assert!(offered(&["--frob", "x", "--frob="]).is_empty());
    }

    /// The values are a second list of what there is.
    #[test]
    fn values_that_are_offered_are_understood() {
        for key in [
            "personality",
            "cache",
            "end-of-tape",
            "announces-medium",
            "options",
            "legs=a=/x,verify-reads",
            r"legs=a=/x;b=/y\,class",
            r"legs=a=/x;b=/y\,when",
        ] {
            let all = offered(&["--drive", &format!("{key}=")]);
            assert!(all.len() > 1, "{key}");
            for spec in all {
                let words = ["pseudotape-dev", "--drive", &spec];
                let arguments = Arguments::try_parse_from(words).unwrap();
                assert!(crate::config::read(&arguments).is_ok(), "{spec}");
            }
        }
    }
}
