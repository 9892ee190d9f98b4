//! Reports in JSON, against the tables of a document that say what is in them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

/// Objects whose fields are words that are counted: the document has `WORD` for all of them.
const COUNTED: [&str; 3] = ["categories", "availabilities", "fates"];

/// Report → path of a field → kinds of its values.
type Tables = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// What was printed.
#[derive(Debug, Default)]
pub(crate) struct Seen(Tables);

impl Seen {
    pub(crate) fn add(&mut self, report: &str, value: &Value) {
        flatten(value, "", self.0.entry(report.to_owned()).or_default());
    }

    /// What was printed is what the document has, by field and by kind; and each field of it was printed.
    /// Fields with a rare word in their paths need not have been printed.
    pub(crate) fn compare(&self, document: &str, rare: &[&str]) {
        let documented = documented(document);
        assert_eq!(
            self.0.keys().collect::<Vec<_>>(),
            documented.keys().collect::<Vec<_>>(),
            "reports seen (left), headings of docs/{document} (right)"
        );
        for (report, fields) in &self.0 {
            let table = &documented[report];
            for (path, kinds) in fields {
                let known = table.get(path);
                let known =
                    known.unwrap_or_else(|| panic!("{report}: {path} is not in docs/{document}"));
                let strange: Vec<_> = kinds.difference(known).collect();
                assert!(
                    strange.is_empty(),
                    "{report}: {path} is {strange:?}, and docs/{document} has {known:?}"
                );
            }
            let unseen: Vec<_> = table
                .keys()
                .filter(|path| !fields.contains_key(*path))
                .filter(|path| !rare.iter().any(|word| path.contains(word)))
                .collect();
            assert!(
                unseen.is_empty(),
                "{report}: {unseen:?} is only in docs/{document}"
            );
        }
    }
}

/// Path of a value in a report, and what is there.
fn flatten(value: &Value, path: &str, found: &mut BTreeMap<String, BTreeSet<String>>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !path.is_empty() {
        let kinds = found.entry(path.to_owned()).or_default();
        kinds.insert(kind.to_owned());
    }
    match value {
        Value::Array(all) => all
            .iter()
            .for_each(|one| flatten(one, &format!("{path}[]"), found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                // Each document has it: docs/JSON.md.
                if path.is_empty() && name == "schema" {
                    assert!(value.is_u64(), "{value}");
                    continue;
                }
                let name = if COUNTED.contains(&path) {
                    "WORD"
                } else {
                    name
                };
                let dot = if path.is_empty() { "" } else { "." };
                flatten(value, &format!("{path}{dot}{name}"), found);
            }
        }
        _ => {}
    }
}

/// The tables under headings `### JSON of `, which can name several reports.
fn documented(document: &str) -> Tables {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let text = fs::read_to_string(path.join(document)).unwrap();
    let mut tables = Tables::new();
    let mut headings: Vec<String> = Vec::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("### JSON of ") {
            headings = title
                .split(", ")
                .map(|one| one.trim_matches('`').to_owned())
                .collect();
        } else if line.starts_with('#') {
            headings.clear();
        } else if let Some(row) = line.strip_prefix("| `") {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let kinds: BTreeSet<_> = cells[1].split(" or ").map(str::to_owned).collect();
            for heading in &headings {
                let table = tables.entry(heading.clone()).or_default();
                table.insert(cells[0].trim_matches('`').to_owned(), kinds.clone());
            }
        }
    }
    tables
}
