//! CW-80: no switch for tests is on where nobody says it, and none is hidden.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All files below a folder with this ending, without what is built.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                files(&path, ending, found);
            }
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

/// What is built without a word has no entries for fuzzers and nothing else that only tests want.
#[test]
fn no_feature_is_on_by_default() {
    let mut manifests = Vec::new();
    files(&root(), "Cargo.toml", &mut manifests);
    assert!(manifests.len() > 30, "{manifests:?}");
    for manifest in manifests {
        let text = fs::read_to_string(&manifest).expect("a file");
        let of_package = text.split("[features]").nth(1).unwrap_or_default();
        let features = of_package.split("\n[").next().unwrap_or_default();
        let is_default = |line: &&str| {
            line.split('=')
                .next()
                .is_some_and(|key| key.trim() == "default")
        };
        let on: Vec<&str> = features.lines().filter(is_default).collect();
        assert_eq!(on, [""; 0], "{}", manifest.display());
    }
}

/// Each variable of the environment that a program looks at is documented; those of tests are looked at by tests.
#[test]
fn every_variable_of_a_program_is_documented() {
    let mut pages = Vec::new();
    files(&root().join("docs"), ".md", &mut pages);
    let pages: String = pages
        .iter()
        .map(|page| fs::read_to_string(page).expect("a page"))
        .collect();
    let mut sources = Vec::new();
    for folder in [
        "crates",
        "tools",
        "pseudotape-dev",
        "pseudotape-farm",
        "pseudotape-mirror",
        "pseudotape-scsi",
    ] {
        files(&root().join(folder), ".rs", &mut sources);
    }
    let mut seen = 0;
    for path in sources {
        let name = path
            .strip_prefix(root())
            .expect("below the root")
            .display()
            .to_string();
        let of_tests = [
            "/tests/",
            "/examples/",
            "/benches/",
            "_test.rs",
            "/tests.rs",
        ];
        if of_tests.iter().any(|part| name.contains(part)) || name.starts_with("crates/testkit") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a file");
        let product = text
            .split("\n#[cfg(test)]\nmod ")
            .next()
            .unwrap_or_default();
        for rest in product.split("\"PSEUDOTAPE_").skip(1) {
            let end = rest.find(|c: char| !c.is_ascii_uppercase() && c != '_');
            let variable = format!("PSEUDOTAPE_{}", &rest[..end.unwrap_or(rest.len())]);
            // The shell's own: clap's completions set it.
            if variable == "PSEUDOTAPE_COMPLETE" {
                continue;
            }
            seen += 1;
            assert!(
                pages.contains(&variable),
                "{variable} of {name} is in no document"
            );
        }
    }
    assert!(seen > 3, "they are looked for where they are");
}
