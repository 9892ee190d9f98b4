//! The hosted workflow runs the parts of `tests/run`, all of them, and the minimum Rust that is promised.

use std::collections::BTreeSet;
use std::path::Path;

fn read(file: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::read_to_string(root.join(file)).expect("the file is there")
}

/// The words between `open` and `close` of each line that begins with `start`.
fn words(text: &str, start: &str, open: char, close: char) -> BTreeSet<String> {
    text.lines()
        .filter(|line| line.trim_start().starts_with(start))
        .filter_map(|line| line.split_once(open)?.1.split_once(close))
        .flat_map(|(list, _)| list.split([' ', ',']))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_part_has_a_job() {
    let run = read("tests/run");
    let mut parts = words(&run, "all=(", '(', ')');
    parts.extend(words(&run, "by_name=(", '(', ')'));
    assert!(
        parts.contains("unit") && parts.contains("quick"),
        "{parts:?}"
    );
    let jobs = words(&read(".github/workflows/ci.yml"), "part: [", '[', ']');
    assert_eq!(jobs, parts, "jobs (left), parts of tests/run (right)");
}

#[test]
fn the_minimum_rust_has_a_job() {
    let minimum = words(&read("Cargo.toml"), "rust-version", '"', '"');
    let minimum = minimum.first().expect("rust-version is stated");
    let image = format!("container: rust:{minimum}-bookworm");
    assert!(read(".github/workflows/ci.yml").contains(&image), "{image}");
    let changes = read("CHANGELOG.md");
    assert!(changes.contains(&format!("Rust {minimum}")));
    assert!(read("tests/fuzz/Cargo.toml").contains(&format!("rust-version = \"{minimum}\"")));
}

#[test]
fn words_are_found_in_lists() {
    let found = words("x\n  part: [a, b-c]\npart: [d]\n", "part: [", '[', ']');
    let expected = ["a", "b-c", "d"].map(str::to_owned);
    assert_eq!(found, BTreeSet::from(expected));
}
