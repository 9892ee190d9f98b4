//! The table of what nodes can't give (`tests/device/known.toml`).

use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    known: Vec<Known>,
}

/// One line of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// Where: `fuse`, `cuse`, `tgt`.
    pub on: Vec<String>,
    /// Name of a case of the suite, or of a check.
    pub case: String,
    /// Why it can't be.
    pub reason: String,
}

/// What can't be on one kind of node.
#[derive(Clone, Debug)]
pub struct Exclusions(Vec<Known>);

impl Exclusions {
    /// Reads the table.
    pub fn of(on: &str) -> anyhow::Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("device/known.toml");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let mut table: Table = toml::from_str(&text).with_context(|| path.display().to_string())?;
        table
            .known
            .retain(|known| known.on.iter().any(|name| name == on));
        Ok(Exclusions(table.known))
    }

    /// Why a case can't be there.
    #[must_use]
    pub fn reason(&self, case: &str) -> Option<&str> {
        let known = self.0.iter().find(|known| known.case == case);
        known.map(|known| known.reason.trim())
    }

    /// The names that the table excludes.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|known| known.case.as_str())
    }
}
