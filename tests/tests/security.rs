//! Every test that docs/SECURITY.md names is there.

mod tree;

use tree::{root, texts};

/// What stands in backquotes in the last column of the tables, where it names a test.
fn named(document: &str) -> Vec<String> {
    let rows = document.lines().filter(|line| line.starts_with("| "));
    rows.filter_map(|row| row.trim_end_matches(['|', ' ']).rsplit('|').next())
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .filter(|word| word.ends_with(".sh") || (word.contains('_') && !word.contains(' ')))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_line_names_tests_that_exist() {
    let document = std::fs::read_to_string(root().join("docs/SECURITY.md")).unwrap();
    let names = named(&document);
    assert!(names.len() > 12, "{names:?}");
    let sources = texts("");
    for name in names {
        let scenario = root().join("tests/clients/scenarios").join(&name);
        let function = format!("fn {name}()");
        let found = scenario.is_file()
            || sources
                .iter()
                .any(|(path, text)| path.ends_with(".rs") && text.contains(&function));
        assert!(
            found,
            "docs/SECURITY.md names the test {name}, which is nowhere"
        );
    }
    // Rows of the first table without a test would be promises.
    let (_, ways) = document.split_once("## Each way in").unwrap();
    let (ways, _) = ways.split_once("\n\nWho may connect").unwrap();
    for row in ways.lines().filter(|line| line.starts_with("| ")).skip(1) {
        assert!(!named(row).is_empty(), "no test: {row}");
    }
}

/// The value of a key of a unit, and what its comments say.
fn unit(name: &str) -> (impl Fn(&str) -> Option<String>, String) {
    let path = root().join("packaging/systemd").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    let comments = text.lines().filter(|line| line.starts_with('#'));
    let comments = comments.collect::<Vec<_>>().join(" ");
    let value = move |key: &str| {
        let mut values = text
            .lines()
            .filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        let value = values.next().map(str::to_owned);
        assert!(values.next().is_none(), "{key} stands twice in a unit");
        value
    };
    (value, comments)
}

/// The kernel's tree of targets belongs to root: its unit has root's name, and hardly a capability.
const OF_ROOT: &str = "pseudotape-scsi.service";

#[test]
fn the_units_have_less_than_root() {
    let document = std::fs::read_to_string(root().join("docs/SECURITY.md")).unwrap();
    let units = std::fs::read_dir(root().join("packaging/systemd")).unwrap();
    let mut count = 0;
    for entry in units {
        let name = entry.unwrap().file_name().into_string().unwrap();
        // A timer starts one of the others, and has no rights of its own.
        if name.ends_with(".timer") {
            continue;
        }
        let (value, comments) = unit(&name);
        let (user, group) = match &*name {
            OF_ROOT => (Some("root"), None),
            _ => (Some("pseudotape"), Some("tape")),
        };
        assert_eq!(value("User").as_deref(), user, "{name}");
        assert_eq!(value("Group").as_deref(), group, "{name}");
        assert_eq!(value("NoNewPrivileges").as_deref(), Some("yes"), "{name}");
        let capabilities = value("CapabilityBoundingSet").expect("a list, perhaps an empty one");
        // A user without them in both sets would have none at all; root has what the first set leaves it.
        let ambient = (name != OF_ROOT).then(|| capabilities.clone());
        assert_eq!(value("AmbientCapabilities"), ambient, "{name}");
        let row = document
            .lines()
            .find(|line| line.starts_with(&format!("| `{name}` |")))
            .unwrap_or_else(|| panic!("docs/SECURITY.md has no row for {name}"));
        let column = row.split('|').nth(2).unwrap();
        let documented: Vec<_> = column.split('`').skip(1).step_by(2).collect();
        let named: Vec<_> = capabilities
            .split_whitespace()
            .map(|name| name.strip_prefix("CAP_").expect("CAP_"))
            .collect();
        assert_eq!(documented, named, "{name}");
        for capability in named {
            assert_ne!(capability, "DAC_OVERRIDE", "{name}");
            assert!(comments.contains(capability), "{name}: why {capability}?");
        }
        count += 1;
    }
    assert_eq!(count, 6);
}
