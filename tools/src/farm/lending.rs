//! `merge --source-root`: files of another farm, whichever hosts have the two.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result, bail};
use pseudotape_farm::{Adding, Entry, Root, Title, Volume, VolumeName};
use pseudotape_farm_net::{Capsules, LentHere, LentThere, Loan};

use super::config::Settings;
use super::reaching::{place, reach};
use crate::cli::MergeVolumes;

/// The volumes that have the files, all of which are there.
pub(super) enum Sources {
    Here(Vec<Volume>),
    There(Box<LentThere>),
}

impl Sources {
    /// Those of a merge, for a farm of this host where `root` is that, and for one of another host else.
    pub(super) fn of(
        options: &MergeVolumes,
        root: Option<&Root>,
        settings: &Settings,
        rsh: &OsString,
    ) -> Result<Self> {
        let Some(source) = &options.source_root else {
            let root = root.context("the sources are where the farm is")?;
            not_itself(options)?;
            return Sources::here(root, &options.sources);
        };
        let failed = || format!("--source-root {}; nothing was done", source.display());
        if let Some(place) = place(source).with_context(failed)? {
            let client = reach(rsh, settings, &place).with_context(failed)?;
            let there = LentThere::of(client, &options.sources).with_context(failed)?;
            return Ok(Sources::There(Box::new(there)));
        }
        if root.is_some_and(|root| is_same(root.path(), source)) {
            not_itself(options)?;
        }
        let source = Root::open(source).with_context(failed)?;
        Sources::here(&source, &options.sources).with_context(failed)
    }

    fn here(root: &Root, names: &[VolumeName]) -> Result<Self> {
        let volumes = names.iter().map(|name| root.look(name));
        Ok(Sources::Here(volumes.collect::<Result<_, _>>()?))
    }

    /// What was noted about the files, where a title has the first note.
    pub(super) fn notes(&self) -> HashMap<Title, String> {
        let mut notes = HashMap::new();
        let mut take = |entry: &Entry| {
            if let Some(note) = entry.note.as_ref().filter(|_| entry.state.has_file()) {
                let noted = notes.entry(entry.title.clone());
                noted.or_insert_with(|| note.clone());
            }
        };
        match self {
            Sources::Here(volumes) => {
                let all = volumes.iter().map(|volume| volume.directory().entries());
                all.flatten().for_each(&mut take);
            }
            Sources::There(there) => there.entries().for_each(&mut take),
        }
        notes
    }

    /// Them, for a farm of another host.
    pub(super) fn capsules(self) -> Box<dyn Capsules> {
        match self {
            Sources::Here(volumes) => Box::new(LentHere::of(volumes)),
            Sources::There(there) => there,
        }
    }

    /// Adds all of them to a volume of this host. What ended that, where it was the farm of the sources: what came
    /// before is added.
    pub(super) fn add(
        &mut self,
        adding: &mut Adding<'_>,
    ) -> Result<Option<anyhow::Error>, pseudotape_farm::Error> {
        match self {
            Sources::Here(volumes) => {
                for source in volumes {
                    adding.volume(source, source.directory().entries())?;
                }
                Ok(None)
            }
            Sources::There(there) => add_all(adding, there),
        }
    }
}

fn add_all(
    adding: &mut Adding<'_>,
    there: &mut LentThere,
) -> Result<Option<anyhow::Error>, pseudotape_farm::Error> {
    while let Some((volume, entries)) = there.next() {
        let mut wanted = entries;
        wanted.retain(|entry| adding.is_capsule_wanted(&volume, entry));
        if wanted.is_empty() {
            continue;
        }
        let mut added = Ok(());
        let lent = there.lend(&volume, &wanted, &mut |entry, loan| {
            added = match loan {
                Loan::File(headers, contents) => {
                    let mut archive = std::io::Read::chain(&headers[..], contents);
                    adding.capsule(&volume, entry, Ok(&mut archive))
                }
                Loan::NotThere => {
                    adding.is_capsule_wanted(&volume, entry);
                    Ok(())
                }
                Loan::Damaged(fault) => adding.capsule(&volume, entry, Err(fault)),
            };
            added.is_ok()
        });
        if let Err(error) = lent {
            let goes_on = "what was told as added is in the volume: the same command goes on ('--verb add' in place of copy)";
            return Ok(Some(anyhow::Error::new(error).context(goes_on)));
        }
        added?;
    }
    Ok(None)
}

fn not_itself(options: &MergeVolumes) -> Result<()> {
    if options.sources.contains(&options.volume) {
        bail!(
            "volume {} can't be merged into itself: nothing was done",
            options.volume
        );
    }
    Ok(())
}

fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    real(one) == real(other)
}
