//! What can stand at the places of the command line: for the completions of shells. A mirror that does not answer at
//! once is not waited for.

use std::path::PathBuf;
use std::time::Duration;

use pseudotape_control::ask;
use pseudotape_control::mirror::{Request, Response, default_socket};
use pseudotape_human::{Candidate, Place};
use pseudotape_mirror::{continued_assignment, continued_leg};

use crate::cli;

/// A mirror answers in milliseconds; nobody presses a key and waits for longer than this.
const PATIENCE: Duration = Duration::from_millis(500);

/// Answers a shell that asks this process what can stand on its line; `false` where none does.
#[must_use]
pub fn answers_shell() -> bool {
    pseudotape_human::answers_shell(cli::command(), &values)
}

fn values(place: &Place<'_>) -> Option<Vec<Candidate>> {
    Some(match (place.path, place.value_name()) {
        ("run", "NAME[=SINK][,OPTION...]") => continued_leg(place.prefix),
        (_, "LEG=SINK") => continued_assignment(place.prefix, legs(place, "=")),
        (_, "LEG[=SINK]") => continued_assignment(place.prefix, legs(place, "")),
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
}
