//! The files of the repository, for tests that read them.

use std::path::{Path, PathBuf};

/// Folders that hold nothing a person wrote.
const SKIPPED: [&str; 4] = ["target", ".git", "corpus", "__pycache__"];

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the workspace")
}

/// Every file below a folder of the repository, as a path from its root, with its text. Files that are not UTF-8 are
/// left out.
pub fn texts(folder: &str) -> Vec<(String, String)> {
    let mut paths = Vec::new();
    collect(&root().join(folder), &mut paths);
    paths.sort();
    paths
        .into_iter()
        .filter_map(|path| {
            let text = String::from_utf8(std::fs::read(&path).expect("a file")).ok()?;
            let name = path.strip_prefix(root()).expect("below the root");
            Some((name.to_str().expect("UTF-8").to_owned(), text))
        })
        .collect()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str());
        if !path.is_dir() {
            found.push(path);
        } else if !name.is_some_and(|name| SKIPPED.contains(&name)) {
            collect(&path, found);
        }
    }
}
