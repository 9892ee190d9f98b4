//! Libraries on their way from a configuration to their drives.

use std::ops::Range;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use pseudotape_changer::{FileHost, Library};

use super::served::ServedLibrary;
use crate::config::{DriveConfig, HeldConfig, LibraryConfig, default_serial};
use crate::tape_drive::TapeDrive;

/// A library whose folder is this process's, and whose drives are not there yet.
pub struct TakenLibrary {
    taken: Library<FileHost>,
    config: LibraryConfig,
    numbers: Range<u32>,
}

/// Takes each library. Their drives have the numbers from the first one on, of which there are so many in all.
pub fn take_libraries(
    wanted: &[LibraryConfig],
    first: usize,
    max_drives: usize,
) -> Result<Vec<TakenLibrary>> {
    let mut taken: Vec<TakenLibrary> = Vec::new();
    let mut first = first;
    for config in wanted {
        let library = ServedLibrary::open(&config.folder)?;
        let name = &library.design().name;
        ensure!(
            taken.iter().all(|other| other.name() != name),
            "two libraries have the name {name}: a name tells them apart"
        );
        let end = first + usize::from(library.layout().drives.count);
        ensure!(
            end <= max_drives,
            "library {name} has more drives than are left: one daemon serves at most {max_drives}"
        );
        let number = |number| u32::try_from(number).context("too many drives");
        let numbers = number(first)?..number(end)?;
        first = end;
        taken.push(TakenLibrary {
            taken: library,
            config: config.clone(),
            numbers,
        });
    }
    Ok(taken)
}

impl TakenLibrary {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.taken.design().name
    }

    /// The numbers of its drives among those of the daemon.
    #[must_use]
    pub fn numbers(&self) -> Range<u32> {
        self.numbers.clone()
    }

    /// Makes its drives, each one empty and with a serial number of its own.
    pub fn make_drives(
        &self,
        make: impl Fn(u32, &DriveConfig) -> Result<TapeDrive>,
    ) -> Result<Vec<Arc<TapeDrive>>> {
        let drives = self.numbers().map(|number| {
            let mut drive = self.config.drive.clone();
            if let HeldConfig::Image(image) = &mut drive.held {
                image.serial = default_serial(usize::try_from(number)?);
            }
            let made = make(number, &drive);
            let made = made.with_context(|| format!("library {}, drive {number}", self.name()));
            Ok(Arc::new(made?))
        });
        drives.collect()
    }

    /// Loads the drives with what is in them.
    pub fn start(self, drives: Vec<Arc<TapeDrive>>) -> Result<Arc<ServedLibrary>> {
        let times = self.config.times;
        Ok(Arc::new(ServedLibrary::start(self.taken, drives, times)?))
    }
}
