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
