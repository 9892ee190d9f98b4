//! `refer`: references that a catalog has lost come again from the directory of a volume.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use pseudotape_farm::{Coming, Entry, Origin, Registrar};
use pseudotape_human::{Report, Screen, counted, printable, shell_word};
use pseudotape_vault::Unknown;
use serde::Serialize;

use super::references::whole;
use super::referring::{Asked, Ledger};
use crate::Verdict;
use crate::cli::ReferVolume;

/// So many references are written down in one transaction.
const AT_ONCE: usize = 10_000;

/// What became of references.
#[derive(Debug, Serialize)]
struct ReferredVolume {
    volume: String,
    serial: String,
    /// Files that have a reference to the volume now.
    referred: usize,
    /// Files that had one.
    known: usize,
    /// Files of those with a reference now that are not in the folder.
    removed: usize,
    /// That folder.
    below: Option<String>,
}

impl Report for ReferredVolume {
    fn text(&self, _: &Screen) -> String {
        let files = counted(self.referred as u64, "file");
        let have = if self.referred == 1 { "has" } else { "have" };
        let (volume, serial) = (printable(&self.volume), printable(&self.serial));
        let mut text = format!(
            "{volume}: {files} {have} a reference to {serial} now; {} had one\n",
            self.known
        );
        if let Some(folder) = self.below.as_deref().filter(|_| self.removed > 0) {
            let files = counted(self.removed as u64, "file");
            let are = if self.removed == 1 { "is" } else { "are" };
            text.push_str(&format!(
                "{files} of these {are} not below {shown}, and count as removed. Where that is the wrong folder: \
                 'pseudotape farm purge {word}' forgets them\n",
                shown = printable(folder),
                word = shell_word(folder)
            ));
        }
        text
    }
}

pub(super) fn run(
    options: &ReferVolume,
    asked: &Asked<'_>,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    // Before a vault is made.
    asked.root.look(&options.volume)?;
    let ledger = Ledger::open(&options.referring, asked, &options.volume, Unknown::Entered)?;
    let mut ledger = ledger.context(
        "which references? Say --backup with --serial SERIAL, or --catalog; nothing was changed",
    )?;
    let below = options.below.as_deref().map(|folder| {
        let known = folder.canonicalize();
        known.or_else(|_| whole(folder))
    });
    let below: Option<PathBuf> = below.transpose()?;
    let mut volume = asked.root.open_volume(&options.volume)?;
    ledger.begin(&mut volume)?;
    let known = ledger.known()?;
    let entries = volume.directory().entries().iter();
    let (have, miss): (Vec<&Entry>, Vec<&Entry>) = entries
        .filter(|entry| entry.state.has_file())
        .partition(|entry| known.contains(&entry.capsule));
    let removed = match &below {
        Some(folder) => miss.iter().filter(|entry| !is_below(folder, entry)).count(),
        None => 0,
    };
    if let (Some(folder), Some(first), false) = (&below, miss.first(), options.removed)
        && removed == miss.len()
    {
        bail!(
            "none of {} is below {}: there is no {}. Nothing was changed. Say the folder from which their titles begin, or \
             --removed where all of them were removed since",
            counted(miss.len() as u64, "file"),
            folder.display(),
            path_below(folder, first).display()
        );
    }
    for part in miss.chunks(AT_ONCE) {
        let origins: Vec<Origin> = part
            .iter()
            .map(|entry| match &below {
                Some(folder) => Origin::Path(path_below(folder, entry)),
                None => Origin::Elsewhere,
            })
            .collect();
        let pairs = part.iter().zip(&origins);
        let coming: Vec<Coming<'_>> = pairs
            .map(|(entry, origin)| Coming { entry, origin })
            .collect();
        ledger.expect(&coming).map_err(|error| anyhow!(error))?;
        ledger.settle(part).map_err(|error| anyhow!(error))?;
    }
    screen.show(&ReferredVolume {
        volume: options.volume.to_string(),
        serial: ledger.serial.to_string(),
        referred: miss.len(),
        known: have.len(),
        removed,
        below: below.map(|folder| folder.display().to_string()),
    })?;
    Ok(Verdict::Well)
}

fn path_below(folder: &Path, entry: &Entry) -> PathBuf {
    folder.join(OsStr::from_bytes(entry.title.bytes()))
}

/// Whether something is there by the name of a file. One that can't be looked at is there.
fn is_below(folder: &Path, entry: &Entry) -> bool {
    let found = path_below(folder, entry).symlink_metadata();
    !found
        .is_err_and(|error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory))
}
