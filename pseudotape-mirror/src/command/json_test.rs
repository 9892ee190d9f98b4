//! What the commands print with `--json` is what docs/JSON.md has.

use std::collections::{BTreeMap, BTreeSet};

use pseudotape_control::FaultStatus;
use pseudotape_control::mirror::{
    BusyStatus, LegCondition, LegStatus, MirrorStatus, PositionStatus, SlaveEndStatus,
};
use pseudotape_human::offered::leaves;
use pseudotape_human::{Report, json_line};
use serde_json::Value;

use super::client::{Done, LegFaults};
use super::generate::WrittenPages;
use super::watch::Shown;
use crate::changer::messages::{Disagreement, LegsStatus};

type Fields = BTreeMap<String, BTreeSet<String>>;

fn flatten(value: &Value, path: &str, found: &mut Fields) {
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
        Value::Array(all) => {
            let path = format!("{path}[]");
            all.iter().for_each(|one| flatten(one, &path, found));
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                let slash = if path.is_empty() { "" } else { "/" };
                flatten(value, &format!("{path}{slash}{name}"), found);
            }
        }
        _ => {}
    }
}

/// Command → its table.
fn documented() -> BTreeMap<String, Fields> {
    let mut tables: BTreeMap<String, Fields> = BTreeMap::new();
    let mut headings: Vec<String> = Vec::new();
    for line in include_str!("../../../docs/JSON.md").lines() {
        if let Some(title) = line.strip_prefix("### JSON of ") {
            let names = title.split(", ").map(|name| name.trim_matches('`'));
            let ours = names.filter_map(|name| name.strip_prefix("pseudotape-mirror "));
            headings = ours.map(str::to_owned).collect();
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

fn fields<R: Report>(reports: &[R]) -> Fields {
    let mut found = Fields::new();
    for report in reports {
        let mut document: Value = serde_json::from_str(&json_line(report).unwrap()).unwrap();
        let schema = document.as_object_mut().unwrap().remove("schema");
        assert_eq!(schema, Some(Value::from(1)));
        flatten(&document, "", &mut found);
    }
    found
}

fn faults() -> Vec<FaultStatus> {
    let fault = |seconds_left| FaultStatus {
        number: 1,
        fault: "reset".to_owned(),
        met: 0,
        over: false,
        seconds_left,
    };
    vec![fault(None), fault(Some(0.5))]
}

/// All that a leg can say, and as little as it can.
fn leg(known: bool) -> LegStatus {
    let words = || known.then(|| "words".to_owned());
    let number = known.then_some(1);
    LegStatus {
        name: "a".to_owned(),
        sink: words(),
        class: "required".to_owned(),
        when: "sync".to_owned(),
        state: LegCondition::InStep,
        not_mirrored_from: number,
        misses_from: number,
        reason: words(),
        read_only: words(),
        object: 0,
        lag_objects: 0,
        lag_bytes: 0,
        stored_bytes: 0,
        bytes_per_second: 0,
        left_bytes: number,
        working_seconds: known.then_some(0.5),
        repairs: 0,
        first_error: words(),
        advice: words(),
        faults: if known { faults() } else { Vec::new() },
    }
}

fn status(known: bool) -> MirrorStatus {
    let words = || known.then(|| "words".to_owned());
    MirrorStatus {
        version: "1".to_owned(),
        pid: 1,
        slave: Some(SlaveEndStatus {
            path: "/s".into(),
            attached: true,
            problem: words(),
        }),
        loaded: true,
        degraded: false,
        refused: words(),
        min_legs: 1,
        position: known.then_some(PositionStatus {
            partition: 0,
            file: Some(0),
            object: 0,
            past_early_warning: false,
        }),
        in_file: false,
        busy: known.then(|| BusyStatus {
            what: "resync".to_owned(),
            seconds: 0.5,
        }),
        legs: vec![leg(true), leg(false)],
    }
}

fn no_file() -> MirrorStatus {
    MirrorStatus {
        position: Some(PositionStatus {
            partition: 0,
            file: None,
            object: 0,
            past_early_warning: false,
        }),
        ..status(false)
    }
}

fn legs(known: bool) -> LegsStatus {
    let words = || known.then(|| "words".to_owned());
    LegsStatus {
        name: "both".to_owned(),
        legs: vec![("a".to_owned(), vec!["library:/s".to_owned()])],
        pairing: words(),
        problem: words(),
        out_of_step: vec![Disagreement {
            element: 1,
            says: "words".to_owned(),
        }],
    }
}

/// Each command with `--json` has its table, which is what it prints.
#[test]
fn documents_are_those_of_the_tables() {
    let done = fields(&[Done {
        message: "done".to_owned(),
    }]);
    let told = [
        (
            "status",
            fields(
                &[status(true), status(false), no_file()]
                    .each_ref()
                    .map(Shown),
            ),
        ),
        ("changer status", fields(&[legs(true), legs(false)])),
        (
            "inject",
            fields(&[LegFaults {
                leg: "a".to_owned(),
                faults: faults(),
            }]),
        ),
        (
            "man",
            fields(&[WrittenPages {
                pages: vec!["a.1".into()],
            }]),
        ),
    ];
    let mut tables = documented();
    let whole = crate::cli::command();
    for path in leaves(&whole) {
        let mut command = &whole;
        for name in path.split(' ') {
            command = command.find_subcommand(name).unwrap();
        }
        let mut options = command.get_arguments();
        if !options.any(|option| option.get_id() == "json") {
            continue;
        }
        let table = tables
            .remove(&path)
            .unwrap_or_else(|| panic!("{path} has no table"));
        let found = told.iter().find(|(name, _)| *name == path);
        assert_eq!(found.map_or(&done, |(_, fields)| fields), &table, "{path}");
    }
    assert!(tables.is_empty(), "tables of no command: {tables:?}");
}
