//! Volumes of farms that got files after the backup from which a catalog came back.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use anyhow::Result;
use pseudotape_farm::{Root, Volume, VolumeName};
use pseudotape_human::{counted, printable, shell_word};
use pseudotape_vault::{FarmVolume, Vault};

/// What the farms say of the time after a backup.
pub(super) struct Unreferred {
    /// What should be known.
    pub(super) words: Vec<String>,
    /// Volumes with files that came after the backup: the root, the volume, when the last one came.
    pub(super) later: Vec<(String, String, u64)>,
}

/// What should be known of references that the catalog has lost. Only the roots are looked at that it knows.
pub(super) fn unreferred(vault: &Vault, backup_ms: u64) -> Result<Unreferred> {
    let volumes = vault.farm_volumes()?;
    let files = vault.referred_files()?;
    let all = files.iter().flat_map(|file| &file.references);
    let referred: HashSet<_> = all.map(|reference| reference.capsule).collect();
    let roots: BTreeSet<&str> = volumes.iter().map(|one| &one.place.root[..]).collect();
    let mut words = Vec::new();
    let mut later = Vec::new();
    for root in roots {
        let looked = Root::open(Path::new(root)).and_then(|opened| Ok((opened.volumes()?, opened)));
        let (names, opened) = match looked {
            Ok(looked) => looked,
            Err(error) => {
                words.push(format!(
                    "the farm in {} can't be looked at ({error}): which of its volumes got files after the backup, and have no \
                     references, is not known",
                    printable(root)
                ));
                continue;
            }
        };
        for name in names {
            // What can't be read is told by the farm.
            let Ok(volume) = opened.look(&name) else {
                continue;
            };
            let place =
                |one: &&FarmVolume| one.place.root == root && one.place.folder == name.as_str();
            let known = volumes.iter().find(place);
            let newer = |added_ms: u64| added_ms > backup_ms;
            let is_lost = |capsule, added_ms| {
                let is_own = known.is_none() && serial_in(&name).is_some();
                !referred.contains(&capsule) && (is_own || newer(added_ms))
            };
            words.extend(of_volume(root, &name, &volume, known, is_lost));
            let entries = volume.directory().entries().iter();
            let unknown = entries
                .filter(|entry| entry.state.has_file() && !referred.contains(&entry.capsule));
            let last = unknown.map(|entry| entry.added_ms).max();
            if let Some(last) = last.filter(|last| newer(*last)) {
                later.push((root.to_owned(), name.to_string(), last));
            }
        }
    }
    if let (Some(series), false) = (vault.series()?, words.is_empty()) {
        words.push(format!(
            "serial numbers that were given after the backup are given again: 'pseudotape farm serial' says {series}, and \
             begins a series behind them"
        ));
    }
    Ok(Unreferred { words, later })
}

/// The serial number in the name of a folder.
fn serial_in(name: &VolumeName) -> Option<(&str, &str)> {
    name.as_str().strip_suffix(']')?.rsplit_once('[')
}

fn of_volume(
    root: &str,
    name: &VolumeName,
    volume: &Volume,
    known: Option<&FarmVolume>,
    is_lost: impl Fn(pseudotape_image::Uuid, u64) -> bool,
) -> Option<String> {
    let entries = volume.directory().entries().iter();
    let lost =
        entries.filter(|entry| entry.state.has_file() && is_lost(entry.capsule, entry.added_ms));
    let lost = lost.count() as u64;
    if lost == 0 {
        return None;
    }
    let serial = serial_in(name);
    let is_unknown = known.is_none() && serial.is_some();
    let what = match is_unknown {
        true => "and the catalog does not know the volume",
        false => "and the catalog has no references of them",
    };
    let since = if is_unknown {
        ""
    } else {
        " that came after the backup"
    };
    let (short, kind_word, serial_word) = match (serial, known) {
        (Some((short, serial)), _) => (short, "backup", shell_word(serial)),
        (None, Some(known)) => (name.as_str(), "catalog", known.serial.to_string()),
        // Nobody knows which one it had.
        (None, None) => (name.as_str(), "catalog", "SERIAL".to_owned()),
    };
    let (name_word, root_word) = (shell_word(short), shell_word(root));
    Some(format!(
        "volume {name} in {} has {}{since}, {what}: where they had some, 'pseudotape farm refer {name_word} --root {root_word} \
         --{kind_word} --serial {serial_word} --below DIR' gives them references again",
        printable(root),
        counted(lost, "file"),
    ))
}
