//! `refer`: references that a catalog has lost come again from the directory of a volume.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use pseudotape_farm::{Coming, Entry, Origin, Registrar};
use pseudotape_human::{Report, Screen, counted, printable};
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
}

impl Report for ReferredVolume {
    fn text(&self, _: &Screen) -> String {
        let files = counted(self.referred as u64, "file");
        let have = if self.referred == 1 { "has" } else { "have" };
        let (volume, serial) = (printable(&self.volume), printable(&self.serial));
        format!(
            "{volume}: {files} {have} a reference to {serial} now; {} had one\n",
            self.known
        )
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
    for part in miss.chunks(AT_ONCE) {
        let origins: Vec<Origin> = part
            .iter()
            .map(|entry| match &below {
                Some(folder) => Origin::Path(folder.join(OsStr::from_bytes(entry.title.bytes()))),
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
    })?;
    Ok(Verdict::Well)
}
