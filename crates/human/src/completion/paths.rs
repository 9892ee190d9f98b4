//! Names of files.

use std::path::{Path, PathBuf};

use super::Candidate;

/// No directory lists more than these.
const MOST: usize = 2000;

/// The files whose paths begin with `prefix`, each behind `head`: folders end with `/`. A hidden one has to be begun.
#[must_use]
pub fn paths(head: &str, prefix: &str, only_folders: bool) -> Vec<Candidate> {
    let (folder, begun) = match prefix.rfind('/') {
        Some(at) => prefix.split_at(at + 1),
        None => ("", prefix),
    };
    let Ok(entries) = std::fs::read_dir(place_of(folder)) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries.flatten().take(MOST) {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let is_hidden = name.starts_with('.') && !begun.starts_with('.');
        if is_hidden || !name.starts_with(begun) {
            continue;
        }
        let is_folder = entry.path().is_dir();
        if is_folder || !only_folders {
            let end = if is_folder { "/" } else { "" };
            found.push(Candidate::new(format!("{head}{folder}{name}{end}"), ""));
        }
    }
    found.sort_by(|a, b| a.word.cmp(&b.word));
    found
}

/// A folder as it is written, perhaps below the home of this user.
fn place_of(folder: &str) -> PathBuf {
    match (folder, folder.strip_prefix("~/"), std::env::var_os("HOME")) {
        ("", _, _) => PathBuf::from("."),
        (_, Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(folder),
    }
}
