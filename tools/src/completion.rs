//! What can stand at the places of the command line: for the completions of shells. Whoever is asked may be slow or
//! gone, and is not waited for then.

use std::any::TypeId;
use std::path::PathBuf;
use std::time::Duration;

use clap::CommandFactory;
use pseudotape_control::{LibraryStatus, Request, Response, Status, ask, default_socket};
use pseudotape_drive::Personality;
use pseudotape_farm::VolumeName;
use pseudotape_human::{Candidate, Place, paths};
use pseudotape_sink::{Continued, Sink};
use pseudotape_vault::{Availability, Category, FileState, Label, StackState, Vault};

/// A daemon answers in milliseconds; nobody presses a key and waits for longer than this.
const PATIENCE: Duration = Duration::from_millis(500);

use crate::cli;
use crate::rmt;

/// Answers a shell that asks this process what can stand on its line; `false` where none does.
#[must_use]
pub fn answers_shell() -> bool {
    pseudotape_human::answers_shell(cli::command(), &values)
}

/// The same of `pseudotape-rmt`.
#[must_use]
pub fn server_answers_shell() -> bool {
    pseudotape_human::answers_shell(rmt::Arguments::command(), &server_values)
}

fn server_values(place: &Place<'_>) -> Option<Vec<Candidate>> {
    let value = place.prefix.split_once('=').map(|(_, value)| value);
    match (place.arg.get_id().as_str(), value) {
        ("allow", Some(value)) => {
            let head = &place.prefix[..place.prefix.len() - value.len()];
            let mut all = sinks(value);
            for candidate in &mut all {
                candidate.word.insert_str(0, head);
            }
            Some(all)
        }
        ("allow" | "allow_rewinding", _) => Some(Vec::new()),
        _ => None,
    }
}

/// The values at a place, where the definition of the argument does not say them.
pub(crate) fn values(place: &Place<'_>) -> Option<Vec<Candidate>> {
    let is = |id: TypeId| place.arg.get_value_parser().type_id() == id;
    Some(match (place.path, place.value_name()) {
        ("load", "LABEL") => labels(daemons_vault(place)),
        (path, "LABEL") if path.starts_with("vault") && place.arg.get_id() != "new" => {
            labels(named_vault(place))
        }
        ("vault stack" | "vault recall" | "vault reclaim", "DRIVE") => sinks(place.prefix),
        (_, "DRIVE") => drives(place),
        ("load" | "library add" | "library import", "VOLUME") => sinks(place.prefix),
        (_, "IMAGE|DRIVE") => {
            let mut all = drives(place);
            all.extend(paths("", place.prefix, false));
            all
        }
        ("inject", "FAULT") => plain(pseudotape_fault::continued(place.prefix)),
        ("inject", "N|all") => plain(["all"]),
        ("options", _) if place.arg.get_id() == "set" => driver_options(place).unwrap_or_default(),
        ("serve", "NAME") => plain(Personality::ALL.iter().map(|known| known.name)),
        (path, "NAME") if path.starts_with("library") && place.arg.get_id() == "library" => {
            plain(libraries(place).into_iter().map(|library| library.name))
        }
        (path, "CARTRIDGE" | "ELEMENT") if path.starts_with("library") => {
            elements(&libraries(place), place)
        }
        ("vault mark", "STATE") => plain(states()),
        ("vault pool", "STATE") => plain(StackState::ALL.iter().map(|state| state.word())),
        (_, "STATE") => plain(Availability::ALL.iter().map(|state| state.word())),
        (_, "CATEGORY") => plain(Category::ALL.iter().map(|category| category.word())),
        _ if is(TypeId::of::<Sink>()) => sinks(place.prefix),
        _ if is(TypeId::of::<VolumeName>()) => farm_volumes(place),
        _ if is(TypeId::of::<Label>()) => Vec::new(),
        _ => return None,
    })
}

fn plain<T: Into<String>>(words: impl IntoIterator<Item = T>) -> Vec<Candidate> {
    let words = words.into_iter();
    words.map(|word| Candidate::new(word, "")).collect()
}

/// How a specification goes on, and the files where a path does.
fn sinks(prefix: &str) -> Vec<Candidate> {
    let continued = Continued::of(prefix);
    let words = continued.words.into_iter();
    let mut all: Vec<Candidate> = words
        .map(|(word, about)| Candidate::new(word, about))
        .collect();
    if let Some(at) = continued.path_at {
        all.extend(paths(&prefix[..at], &prefix[at..], false));
    }
    all
}

fn asked(place: &Place<'_>, request: &Request) -> Option<Response> {
    let socket = place.said("control").map(PathBuf::from);
    let socket = socket.unwrap_or_else(default_socket);
    ask(&socket, request, PATIENCE).ok()
}

fn status(place: &Place<'_>) -> Option<Status> {
    match asked(place, &Request::Status)? {
        Response::Status(status) => Some(*status),
        _ => None,
    }
}

fn drives(place: &Place<'_>) -> Vec<Candidate> {
    let drives = status(place).map(|status| status.drives);
    let drives = drives.unwrap_or_default().into_iter();
    drives
        .map(|drive| {
            let holds = match &drive.medium {
                Some(medium) => medium.image.display().to_string(),
                None => "empty".to_owned(),
            };
            Candidate::new(drive.drive.to_string(), holds)
        })
        .collect()
}

fn libraries(place: &Place<'_>) -> Vec<LibraryStatus> {
    match asked(place, &Request::Libraries { library: None }) {
        Some(Response::Libraries { libraries }) => libraries,
        _ => Vec::new(),
    }
}

/// Cartridges by their barcodes, and elements by their names.
fn elements(libraries: &[LibraryStatus], place: &Place<'_>) -> Vec<Candidate> {
    let wanted = place.said("library");
    let mut found = Vec::new();
    for library in libraries {
        if wanted.is_some_and(|name| name != library.name) {
            continue;
        }
        if place.value_name() == "CARTRIDGE" {
            let barcodes = library.elements.iter();
            found.extend(plain(barcodes.filter_map(|e| e.barcode.clone())));
        }
        for (word, span, base) in [
            ("slot", library.slots, 1),
            ("drive", library.drives, 0),
            ("ie", library.import_export, 1),
        ] {
            let numbers = 0..u32::from(span.count);
            found.extend(plain(numbers.map(|n| format!("{word}{}", n + base))));
        }
    }
    found
}

/// The options of the st driver, as the drive that was named has them.
fn driver_options(place: &Place<'_>) -> Option<Vec<Candidate>> {
    let request = Request::Options {
        drive: place.said("drive")?.parse().ok()?,
        mode: 0,
        set: Vec::new(),
    };
    let Response::Options(status) = asked(place, &request)? else {
        return None;
    };
    let mut all = Vec::new();
    for option in status.options {
        let now = format!("now {}", option.value);
        let values = match option.value.as_str() {
            "on" | "off" => ["on", "off"].as_slice(),
            _ => &[""],
        };
        let words = values
            .iter()
            .map(|value| format!("{}={value}", option.name));
        all.extend(words.map(|word| Candidate::new(word, now.clone())));
    }
    Some(all)
}

/// States of a volume and of a tape file that a person gives them.
fn states() -> Vec<&'static str> {
    let volumes = Availability::ALL.iter().map(|state| state.word());
    let files = FileState::ALL.iter().map(|state| state.word());
    let mut all: Vec<_> = volumes.chain(files).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn named_vault(place: &Place<'_>) -> Option<PathBuf> {
    let said = place.said("vault").map(PathBuf::from);
    said.or_else(|| std::env::var_os("PSEUDOTAPE_VAULT").map(PathBuf::from))
}

fn daemons_vault(place: &Place<'_>) -> Option<PathBuf> {
    Some(status(place)?.vault?.directory)
}

fn labels(vault: Option<PathBuf>) -> Vec<Candidate> {
    let volumes = vault.and_then(|directory| Vault::look(&directory).ok()?.volumes().ok());
    let volumes = volumes.unwrap_or_default().into_iter();
    volumes
        .map(|listed| {
            let about = listed.volume.category.word();
            Candidate::new(listed.volume.label.to_string(), about)
        })
        .collect()
}

fn farm_volumes(place: &Place<'_>) -> Vec<Candidate> {
    let root = place.said("root").map(str::to_owned);
    let usual = || {
        crate::farm::config::usual_root()?
            .into_os_string()
            .into_string()
            .ok()
    };
    let root = root.or_else(usual);
    let Some(root) = root else {
        return Vec::new();
    };
    let folders = paths("", &format!("{}/", root.trim_end_matches('/')), true);
    let names = folders.iter().filter_map(|folder| {
        let name = folder.word.trim_end_matches('/').rsplit('/').next();
        name.map(str::to_owned)
    });
    plain(names)
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
    fn commands_options_and_their_values_are_offered() {
        assert_eq!(offered(&["wri"]), ["write-protect"]);
        assert_eq!(offered(&["vault", "inv"]), ["inventory"]);
        assert!(offered(&["create", "--cap"]).contains(&"--capacity".to_owned()));
        assert!(!offered(&["create", "--force", "--f"]).contains(&"--force".to_owned()));
        assert_eq!(offered(&["copy", "--damaged", "sk"]), ["skip"]);
        assert_eq!(offered(&["copy", "--damaged=sk"]), ["--damaged=skip"]);
        assert_eq!(offered(&["serve", "x", "--personality", "dd"]), ["dds"]);
        assert_eq!(
            offered(&["vault", "set", "A", "--category", "scr"]),
            ["scratch"]
        );
        assert_eq!(
            offered(&["inject", "0", "read-error,pos"]),
            ["read-error,position="]
        );
        assert_eq!(
            offered(&["copy", "zstd+image:x,crea"]),
            ["zstd+image:x,create"]
        );
        assert!(offered(&["fly", "x", "y"]).is_empty());
    }

    /// The labels of a vault; one that is not there has none, and nobody is told.
    #[test]
    fn labels_of_a_vault_are_offered() {
        let place = tempfile::tempdir().unwrap();
        let vault = place.path().join("vault");
        let vault = vault.to_str().unwrap();
        assert!(offered(&["vault", "show", "--vault", vault, ""]).is_empty());
    }
}
