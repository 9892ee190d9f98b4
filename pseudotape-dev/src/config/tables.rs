//! What a file and a command line say of drives, libraries and changers, for each daemon that has such.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use pseudotape_human::{field_meant, read_text_file};
use pseudotape_rack::ChangerPlace;
use serde::de::DeserializeOwned;

use super::drive::{DriveConfig, DriveTable, parse_spec};
use super::{LibraryConfig, LibraryTable};

/// The tables of a configuration, before they are checked.
#[derive(Debug, Default)]
pub struct Tables {
    /// The drives, in order of their numbers.
    pub drives: Vec<DriveTable>,
    /// The libraries, whose drives come after these.
    pub libraries: Vec<LibraryTable>,
    /// Changers of elsewhere, as text.
    pub changers: Vec<String>,
}

impl Tables {
    /// These of a file, and those of a command line behind them.
    pub fn with_line(
        mut self,
        drives: &[String],
        libraries: &[PathBuf],
        changers: &[String],
    ) -> Result<Tables> {
        for spec in drives {
            let table = parse_spec(spec).with_context(|| format!("--drive '{spec}'"))?;
            self.drives.push(table);
        }
        self.libraries
            .extend(libraries.iter().cloned().map(LibraryTable::of));
        self.changers.extend_from_slice(changers);
        Ok(self)
    }

    /// Checks each of them, the drives and the libraries as their daemon does.
    pub fn check(
        self,
        most_drives: usize,
        drive: impl Fn(usize, DriveTable) -> Result<DriveConfig>,
        library: impl Fn(LibraryTable) -> Result<LibraryConfig>,
    ) -> Result<(Vec<DriveConfig>, Vec<LibraryConfig>, Vec<ChangerPlace>)> {
        let count = self.drives.len();
        ensure!(
            count <= most_drives,
            "{count} drives: one daemon serves at most {most_drives}"
        );
        let libraries = self.libraries.into_iter().map(library);
        let libraries = libraries.collect::<Result<_>>()?;
        let changers = self.changers.iter().map(|text| Ok(text.parse()?));
        let changers = changers.collect::<Result<_>>().context("--changer")?;
        let drives = self.drives.into_iter().enumerate();
        let drives = drives
            .map(|(number, table)| drive(number, table).with_context(|| format!("drive {number}")));
        Ok((drives.collect::<Result<_>>()?, libraries, changers))
    }
}

/// Reads a configuration. The parser's message shows the line and points at the key.
pub fn read_toml<C: DeserializeOwned>(path: &Path) -> Result<C> {
    let text = read_text_file(path)
        .with_context(|| format!("can't read configuration {}", path.display()))?;
    toml::from_str(&text)
        .map_err(|error| anyhow::anyhow!("{error}{}", field_meant(&error.to_string())))
        .with_context(|| format!("configuration {}", path.display()))
}
