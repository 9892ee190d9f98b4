//! Every rule of docs/SEMANTICS.md is carried by a test, and every id that a test carries is a rule.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the workspace")
}

/// The ids in a text: `ST-`, capitals, `-`, two digits.
fn ids(text: &str) -> Vec<String> {
    text.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-'))
        .filter(|word| {
            let mut parts = word.split('-');
            parts.next() == Some("ST")
                && parts.next().is_some_and(|area| {
                    !area.is_empty() && area.chars().all(|c| c.is_ascii_uppercase())
                })
                && parts.next().is_some_and(|number| {
                    number.len() == 2 && number.chars().all(|c| c.is_ascii_digit())
                })
                && parts.next().is_none()
        })
        .map(str::to_owned)
        .collect()
}

fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of tests") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
}

/// Ids in comments: of scenarios, and of Rust tests right above `#[test]`.
fn carried() -> BTreeMap<String, PathBuf> {
    let mut carried = BTreeMap::new();
    let mut scenarios = Vec::new();
    files(&root().join("tests/conformance"), "tc", &mut scenarios);
    for path in scenarios {
        let text = std::fs::read_to_string(&path).expect("a scenario");
        for line in text.lines().filter(|line| line.starts_with('#')) {
            carried.extend(ids(line).into_iter().map(|id| (id, path.clone())));
        }
    }
    let mut tests = Vec::new();
    files(&root().join("crates/st/tests"), "rs", &mut tests);
    for path in tests {
        let text = std::fs::read_to_string(&path).expect("a test");
        let lines: Vec<&str> = text.lines().collect();
        for pair in lines.windows(2) {
            if let [comment, "#[test]"] = pair
                && comment.starts_with("///")
            {
                carried.extend(ids(comment).into_iter().map(|id| (id, path.clone())));
            }
        }
    }
    carried
}

/// Ids in the first column of the document's tables.
fn documented() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("docs/SEMANTICS.md")).expect("the document");
    text.lines()
        .filter_map(|line| line.strip_prefix("| ST-"))
        .filter_map(|line| line.split_once(" |"))
        .map(|(id, _)| format!("ST-{id}"))
        .collect()
}

#[test]
fn every_rule_is_carried_by_a_test() {
    let documented = documented();
    assert!(documented.len() > 100, "the tables were not found");
    let carried = carried();
    let rules: BTreeSet<&String> = documented.iter().collect();
    assert_eq!(rules.len(), documented.len(), "an id stands twice");
    for id in &documented {
        assert_eq!(ids(id), std::slice::from_ref(id), "'{id}' is no id");
    }
    let untested: Vec<&&String> = rules
        .iter()
        .filter(|id| !carried.contains_key(**id))
        .collect();
    assert!(untested.is_empty(), "rules without a test: {untested:?}");
    let unknown: Vec<_> = carried
        .iter()
        .filter(|(id, _)| !rules.contains(id))
        .collect();
    assert!(unknown.is_empty(), "ids that are no rules: {unknown:?}");
}

#[test]
fn what_nodes_can_not_do_stands_in_the_document() {
    let text = std::fs::read_to_string(root().join("docs/SEMANTICS.md")).expect("the document");
    let suite =
        pseudotape_tests::conformance::suite::Suite::load().expect("tests/conformance is whole");
    for known in &suite.known {
        let row = format!("| `{}` |", known.scenario);
        let reason = known
            .reason
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let listed = text.lines().any(|line| {
            line.starts_with(&row) && line.contains(&known.target) && line.contains(&reason)
        });
        assert!(
            listed,
            "{} on {} is not in the table",
            known.scenario, known.target
        );
    }
}

#[test]
fn ids_are_found_in_comments() {
    assert_eq!(
        ids("/// ST-READ-01, ST-EOM-12 ST-X ST-READ-1 XST-READ-01"),
        ["ST-READ-01", "ST-EOM-12"]
    );
}
