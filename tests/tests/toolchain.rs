//! The minimum Rust version is the one that README and Cargo.toml state, and it is what builds here.

use std::path::Path;
use std::process::Command;

fn stated() -> String {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let text = std::fs::read_to_string(manifest).expect("the workspace has a manifest");
    let line = text
        .lines()
        .find(|line| line.starts_with("rust-version"))
        .expect("rust-version is stated");
    line.split('"').nth(1).expect("a quoted version").to_owned()
}

fn numbers(version: &str) -> Vec<u32> {
    version
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect()
}

#[test]
fn the_readme_states_the_minimum_rust_version() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = std::fs::read_to_string(readme).expect("there is a README");
    assert!(
        text.contains(&format!("Rust {}", stated())),
        "README.md does not say 'Rust {}'",
        stated()
    );
}

#[test]
fn the_toolchain_at_hand_is_not_older_than_stated() {
    let output = Command::new(env!("CARGO"))
        .arg("--version")
        .output()
        .expect("cargo runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let version = text.split(' ').nth(1).expect("cargo VERSION");
    assert!(
        numbers(version) >= numbers(&stated()),
        "{version} is older than {}",
        stated()
    );
}
