//! Every item of docs/REQUIREMENTS.md that is carried is named by the tests which it lists, and every id that the
//! repository names is an item.

mod tree;

use std::collections::{BTreeMap, BTreeSet};

use tree::{root, texts};

const FAMILIES: [&str; 4] = ["PT", "VT", "EN", "CW"];
const STATUSES: [&str; 2] = ["carried", "later"];
/// Folders of files that the document gives by their names alone.
const BY_NAME: [&str; 2] = ["tests/clients/scenarios", "tests/guest/jobs"];

#[derive(Debug)]
struct Item {
    id: String,
    status: String,
    /// What stands in backquotes in the last column.
    files: Vec<String>,
    last: String,
}

/// The ids in a text: a family, `-`, two digits.
fn ids(text: &str) -> Vec<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .filter(|word| {
            word.split_once('-').is_some_and(|(family, number)| {
                FAMILIES.contains(&family)
                    && number.len() == 2
                    && number.bytes().all(|c| c.is_ascii_digit())
            })
        })
        .map(str::to_owned)
        .collect()
}

/// The rows of the tables whose first column is an id.
fn items(document: &str) -> Vec<Item> {
    document
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.strip_prefix("| ")?.split('|').map(str::trim).collect();
            let [id, _what, status, last @ ..] = cells.as_slice() else {
                return None;
            };
            let family = id.split('-').next().unwrap_or_default();
            FAMILIES.contains(&family).then(|| Item {
                id: (*id).to_owned(),
                status: (*status).to_owned(),
                files: last
                    .concat()
                    .split('`')
                    .skip(1)
                    .step_by(2)
                    .map(str::to_owned)
                    .collect(),
                last: last.concat(),
            })
        })
        .collect()
}

/// What is wrong with the items by themselves.
fn faults(items: &[Item]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for item in items {
        let family = item.id.split('-').next().unwrap_or_default();
        let number = counts.entry(family).or_default();
        *number += 1;
        if item.id != format!("{family}-{number:02}") {
            faults.push(format!(
                "{}: {family}-{number:02} was to come here",
                item.id
            ));
        }
        if !STATUSES.contains(&item.status.as_str()) {
            faults.push(format!("{}: '{}' is no status", item.id, item.status));
        }
        if item.status == "carried" && item.files.is_empty() {
            faults.push(format!("{}: carried by no test", item.id));
        }
        if family == "PT" && item.last.is_empty() {
            faults.push(format!("{}: later without a reason", item.id));
        }
    }
    faults
}

fn document() -> Vec<Item> {
    let text = std::fs::read_to_string(root().join("docs/REQUIREMENTS.md")).expect("the document");
    items(&text)
}

#[test]
fn each_item_stands_once_in_its_order_with_a_status() {
    let items = document();
    assert!(items.len() > 100, "the tables were not found");
    assert_eq!(faults(&items), [""; 0]);
}

#[test]
fn what_is_carried_is_named_by_each_test_that_is_listed() {
    let mut missing = Vec::new();
    for item in document() {
        for file in &item.files {
            let places = BY_NAME.map(|folder| root().join(folder).join(file));
            let text = [root().join(file)]
                .iter()
                .chain(&places)
                .find_map(|path| std::fs::read_to_string(path).ok());
            match text {
                None => missing.push(format!("{}: there is no test {file}", item.id)),
                Some(text) if !ids(&text).contains(&item.id) => {
                    missing.push(format!("{}: {file} does not name it", item.id));
                }
                Some(_) => {}
            }
        }
    }
    assert_eq!(missing, [""; 0]);
}

#[test]
fn every_id_of_the_repository_is_an_item() {
    let known: BTreeSet<String> = document().into_iter().map(|item| item.id).collect();
    let mut unknown = Vec::new();
    for (name, text) in texts("") {
        // the samples below
        if name != "tests/tests/requirements.rs" {
            let strangers = ids(&text).into_iter().filter(|id| !known.contains(id));
            unknown.extend(strangers.map(|id| format!("{name}: {id}")));
        }
    }
    assert_eq!(unknown, [""; 0]);
}

#[test]
fn ids_are_found_in_texts() {
    assert_eq!(
        ids("# PT-01, CW-81. xPT-02 PT-3 PT-004 ST-READ-01 (EN-05)"),
        ["PT-01", "CW-81", "EN-05"]
    );
}

#[test]
fn a_bad_table_is_found_bad() {
    let table = "| PT-01 | a | carried | `a.sh` |\n| PT-03 | a | carried | none |\n| PT-03 | a | soon | |\n";
    assert_eq!(
        faults(&items(table)),
        [
            "PT-03: PT-02 was to come here",
            "PT-03: carried by no test",
            "PT-03: 'soon' is no status",
            "PT-03: later without a reason",
        ]
    );
}
