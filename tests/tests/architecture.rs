//! The table of crates in docs/ARCHITECTURE.md is what Cargo enforces. Within a crate modules import in one direction.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use pseudotape_tests::modules::Modules;
use pseudotape_tests::source::{impl_methods, rust_files, trait_methods};
use serde_json::Value;

type Table = BTreeMap<String, BTreeSet<String>>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the workspace")
}

/// What stands in backquotes.
fn quoted(text: &str) -> BTreeSet<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Folder → names of its dependencies, from the rows of the document's table.
fn documented() -> Table {
    let text = std::fs::read_to_string(root().join("docs/ARCHITECTURE.md"))
        .expect("the document is there");
    let rows = text
        .lines()
        .skip_while(|line| !line.starts_with("| crate |"))
        .skip(2);
    rows.take_while(|line| line.starts_with('|'))
        .map(|row| {
            let cells: Vec<_> = row.split('|').collect();
            let folder = quoted(cells[1])
                .pop_first()
                .expect("the first column names a folder");
            (folder, quoted(cells[3]))
        })
        .collect()
}

/// What Cargo knows of the workspace's packages.
fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

/// The same from Cargo; our own crates by the last part of their names.
fn actual() -> Table {
    packages()
        .iter()
        .map(|package| {
            let manifest = Path::new(package["manifest_path"].as_str().expect("a path"));
            let folder = manifest
                .parent()
                .and_then(|f| f.strip_prefix(root()).ok())
                .expect("in the workspace");
            let dependencies = package["dependencies"]
                .as_array()
                .expect("dependencies")
                .iter();
            let normal = dependencies.filter(|d| d["kind"].is_null());
            let names = normal.map(|d| {
                d["name"]
                    .as_str()
                    .expect("a name")
                    .trim_start_matches("pseudotape-")
                    .to_owned()
            });
            (folder.to_str().expect("UTF-8").to_owned(), names.collect())
        })
        .collect()
}

#[test]
fn dependencies_are_those_of_the_architecture() {
    let (documented, actual) = (documented(), actual());
    assert!(
        documented.len() > 8,
        "the table of docs/ARCHITECTURE.md was not found"
    );
    let missing: Vec<_> = actual
        .keys()
        .filter(|folder| !documented.contains_key(*folder))
        .collect();
    assert!(
        missing.is_empty(),
        "not in the table of docs/ARCHITECTURE.md: {missing:?}"
    );
    for (folder, allowed) in &documented {
        let used = actual
            .get(folder)
            .unwrap_or_else(|| panic!("the table names {folder}, which is no member"));
        assert_eq!(
            used, allowed,
            "dependencies of {folder} (left) differ from docs/ARCHITECTURE.md (right)"
        );
    }
}

/// Dependency → folders of the crates that use it, from the rows of the table in docs/decisions/0002-dependencies.md.
fn reasoned(document: &str) -> Table {
    let mut table = Table::new();
    for row in document.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.split('|').collect();
        for dependency in quoted(cells[1]) {
            let twice = table.insert(dependency.clone(), quoted(cells[2]));
            assert!(twice.is_none(), "{dependency} has two rows");
        }
    }
    table
}

/// The same from Cargo, of product code; what lies in `crates/` without that.
fn used() -> Table {
    let mut table = Table::new();
    for (folder, dependencies) in actual() {
        let short = folder.trim_start_matches("crates/");
        if short == "tests" || short == "testkit" {
            continue;
        }
        for dependency in dependencies {
            // Ours come without their prefix, and are named like a folder.
            let program = root().join(format!("pseudotape-{dependency}"));
            if !root().join("crates").join(&dependency).is_dir() && !program.is_dir() {
                table
                    .entry(dependency)
                    .or_default()
                    .insert(short.to_owned());
            }
        }
    }
    table
}

#[test]
fn every_dependency_has_its_reason() {
    let document = std::fs::read_to_string(root().join("docs/decisions/0002-dependencies.md"))
        .expect("the document is there");
    let (reasoned, used) = (reasoned(&document), used());
    for (dependency, folders) in &used {
        assert_eq!(
            Some(folders),
            reasoned.get(dependency),
            "who uses {dependency} (left) differs from docs/decisions/0002-dependencies.md (right)"
        );
    }
    let unused: Vec<_> = reasoned
        .keys()
        .filter(|name| !used.contains_key(*name))
        .collect();
    assert!(
        unused.is_empty(),
        "in the table and used by nobody: {unused:?}"
    );
}

#[test]
fn what_only_tests_use_is_listed() {
    let document = std::fs::read_to_string(root().join("docs/decisions/0002-dependencies.md"))
        .expect("the document is there");
    let named = quoted(&document);
    for package in packages() {
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let name = dependency["name"].as_str().expect("a name");
            assert!(
                name.starts_with("pseudotape-") || named.contains(name),
                "{name} has no reason in docs/decisions/0002-dependencies.md"
            );
        }
    }
}

#[test]
fn rows_are_read_as_they_are_meant() {
    let table = reasoned("| crate | where |\n|---|---|\n| `a`, `b` =1 | `x` `y` | why `z` |\n");
    let folders = BTreeSet::from(["x".to_owned(), "y".to_owned()]);
    assert_eq!(
        table,
        Table::from([("a".to_owned(), folders.clone()), ("b".to_owned(), folders)])
    );
}

#[test]
fn what_tests_use_stays_out_of_the_product() {
    for (folder, used) in actual() {
        if folder != "tests" && folder != "crates/testkit" {
            assert!(
                !used.contains("testkit"),
                "{folder} depends on testkit outside of dev-dependencies"
            );
        }
    }
}

/// `trait Drive` and `trait Volume`: each implementation writes each required method, and no method that the trait
/// gives itself (the motions by their names). A default that an adaptor forgets to forward lost the recovered errors
/// of remote drives once (ST-STAT-05).
#[test]
fn adaptors_keep_every_method_of_the_seam() {
    for (name, file) in [
        ("Drive", "crates/tape/src/drive.rs"),
        ("Volume", "crates/tape/src/volume.rs"),
    ] {
        let text = std::fs::read_to_string(root().join(file)).expect("the trait is there");
        let methods = trait_methods(&text, name);
        assert!(methods.required.len() > 5, "{name}: {methods:?}");
        let mut implementations = 0;
        for file in rust_files(root()) {
            let text = std::fs::read_to_string(&file).expect("a file of ours");
            for (what, written) in impl_methods(&text, name) {
                implementations += 1;
                let place = format!("{}: {what}", file.display());
                assert_eq!(
                    written, methods.required,
                    "{place} (left), the trait (right)"
                );
            }
        }
        assert!(
            implementations > 5,
            "{name}: {implementations} implementations found"
        );
    }
}

/// Features with which crates carry the means of tests: entries for fuzzers, and devices that record.
const FEATURES_OF_TESTS: [&str; 2] = ["fuzz", "recorder"];

#[test]
fn no_release_has_the_means_of_tests() {
    let mut found = 0;
    for package in packages() {
        let name = package["name"].as_str().expect("a name");
        let features = package["features"].as_object().expect("features");
        assert!(
            !features.contains_key("default"),
            "{name} has default features: what is always there needs none"
        );
        found += FEATURES_OF_TESTS
            .iter()
            .filter(|feature| features.contains_key(**feature))
            .count();
        if name == "pseudotape-tests" {
            continue;
        }
        let dependencies = package["dependencies"].as_array().expect("dependencies");
        for dependency in dependencies.iter().filter(|d| d["kind"].is_null()) {
            let asked = dependency["features"].as_array().expect("features");
            for feature in FEATURES_OF_TESTS {
                assert!(
                    !asked.iter().any(|one| one == feature),
                    "{name} asks {} for '{feature}' outside of dev-dependencies",
                    dependency["name"]
                );
            }
        }
    }
    assert_eq!(found, 16, "crates with features of tests");
}

#[test]
fn modules_import_in_one_direction() {
    let folders = actual();
    let mut modules = 0;
    for folder in folders.keys() {
        if matches!(folder.as_str(), "tests" | "crates/testkit") {
            continue;
        }
        let found = Modules::read(&root().join(folder).join("src"));
        modules += found.count();
        assert_eq!(
            found.circle(),
            [""; 0],
            "modules of {folder} import each other"
        );
    }
    assert!(modules > 200, "{modules} modules were found");
}
