//! What can stand at the places of the command line: for the completions of shells. A mirror that does not answer at
//! once is not waited for.

use std::path::PathBuf;
use std::time::Duration;

use pseudotape_control::ask;
use pseudotape_control::mirror::{Request, Response, default_socket};
use pseudotape_human::{Candidate, Place, paths};
use pseudotape_sink::Continued;

use crate::cli;

/// A mirror answers in milliseconds; nobody presses a key and waits for longer than this.
const PATIENCE: Duration = Duration::from_millis(500);

/// What stands behind the sink of a leg.
const OF_LEGS: [(&str, &[&str]); 3] = [
    ("class=", &["class=required", "class=spare"]),
    ("when=", &["when=sync", "when=unload", "when=deferred"]),
    ("reserve=", &[]),
];

/// Answers a shell that asks this process what can stand on its line; `false` where none does.
#[must_use]
pub fn answers_shell() -> bool {
    pseudotape_human::answers_shell(cli::command(), &values)
}

fn values(place: &Place<'_>) -> Option<Vec<Candidate>> {
    Some(match (place.path, place.value_name()) {
        ("run", "NAME[=SINK][,OPTION...]") => assigned(place.prefix, true, Vec::new()),
        (_, "LEG=SINK") => assigned(place.prefix, false, legs(place, "=")),
        (_, "LEG[=SINK]") => assigned(place.prefix, false, legs(place, "")),
        ("changer settle", "LEG") => Vec::new(),
        (_, "LEG") => legs(place, ""),
        ("inject", "FAULT") => plain(pseudotape_fault::continued(place.prefix)),
        ("inject", "N|all") => plain(["all".to_owned()]),
        _ => return None,
    })
}

fn plain(words: impl IntoIterator<Item = String>) -> Vec<Candidate> {
    let words = words.into_iter();
    words.map(|word| Candidate::new(word, "")).collect()
}

/// The legs of the running mirror, each with an ending.
fn legs(place: &Place<'_>, ending: &str) -> Vec<Candidate> {
    let Some(Response::Status(status)) = status(place) else {
        return Vec::new();
    };
    let legs = status.legs.into_iter();
    legs.map(|leg| {
        let about = leg.sink.unwrap_or_default();
        Candidate::new(format!("{}{ending}", leg.name), about)
    })
    .collect()
}

fn status(place: &Place<'_>) -> Option<Response> {
    let socket = place.said("control").map(PathBuf::from);
    let Some(drive) = place.said("drive") else {
        let socket = socket.unwrap_or_else(default_socket);
        return ask(&socket, &Request::Status, PATIENCE).ok();
    };
    let asked = pseudotape_control::Request::Mirror {
        drive: drive.parse().ok()?,
        ask: Request::Status,
    };
    let socket = socket.unwrap_or_else(pseudotape_control::default_socket);
    match ask(&socket, &asked, PATIENCE).ok()? {
        pseudotape_control::Response::Mirror { told, .. } => Some(told),
        _ => None,
    }
}

/// `NAME=SINK`, perhaps with the options of a leg behind it; before the sign there are `names`.
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
                all.extend(plain(
                    values.iter().map(|value| format!("{before},{value}")),
                ));
            } else if !before.contains(&format!(",{name}")) {
                all.push(Candidate::new(format!("{before},{name}"), "of the leg"));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use pseudotape_human::candidates;

    use super::*;

    fn offered(words: &[&str]) -> Vec<String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let found = candidates(cli::command(), &words, &values);
        found.into_iter().map(|candidate| candidate.word).collect()
    }

    #[test]
    fn sinks_and_options_of_legs_are_offered() {
        assert_eq!(offered(&["res"]), ["resync"]);
        assert_eq!(offered(&["run", "--leg", "a=imag"]), ["a=image:"]);
        assert_eq!(offered(&["run", "--leg=a=imag"]), ["--leg=a=image:"]);
        assert_eq!(
            offered(&["run", "--leg", "a=image:x,cl"]),
            ["a=image:x,class="]
        );
        assert_eq!(
            offered(&["run", "--leg", "a=x,class=s"]),
            ["a=x,class=spare"]
        );
        assert_eq!(
            offered(&["run", "--leg", "a=zstd+image:x,class=spare,cre"]),
            ["a=zstd+image:x,class=spare,create"]
        );
        assert!(offered(&["run", "--leg", "a=x,class=spare,cl"]).is_empty());
        assert_eq!(offered(&["inject", "a", "slow,ra"]), ["slow,rate="]);
    }

    fn is_leg(text: &str) -> bool {
        let words = [
            "pseudotape-mirror",
            "run",
            "--slave",
            "x",
            "--leg",
            "x=null",
            "--leg",
            text,
        ];
        let asked = cli::parse(&words.map(std::ffi::OsString::from)).expect("a command line");
        match asked.command {
            cli::Command::Run(options) => crate::config::read(&options, None).is_ok(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_offered_of_legs_is_understood() {
        for (name, values) in OF_LEGS {
            for value in values {
                assert!(value.starts_with(name));
                assert!(is_leg(&format!("a=image:x,{value}")), "{value}");
            }
        }
        assert!(is_leg("a=image:x,when=unload,reserve=1M"));
    }
}
