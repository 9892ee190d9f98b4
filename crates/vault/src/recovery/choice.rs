//! Which of the backups that were found is the newest (VT-03, VT-07).

use std::collections::BTreeMap;
use std::fmt;

use pseudotape_image::Uuid;

use super::description::BackupDescription;

/// Clocks of two machines differ by so much without anybody being told.
const CLOCKS_DIFFER_MS: u64 = 5 * 60 * 1000;

/// What the end of one stacked volume has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A backup, whose bytes are those that it was written with.
    Backup(BackupDescription),
    /// Something that was a backup and is torn, or can't be read.
    Damaged {
        /// What is wrong with it.
        cause: String,
        /// What it says of itself, where that can still be read.
        description: Option<BackupDescription>,
    },
    /// A backup of a later program.
    Newer {
        /// As the refusal says it.
        cause: String,
    },
    /// No backup is on it.
    Nothing,
    /// The medium itself was not there, or could not be read.
    Absent {
        /// Why not.
        cause: String,
    },
}

/// One stacked volume that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surveyed {
    /// What people call it: its label, or where it was looked for.
    pub name: String,
    /// What was there.
    pub found: Found,
}

/// Something a person should know about the choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// A stamp in the future: a clock was wrong, or is.
    Future {
        /// The stacked volume.
        name: String,
        /// The number of the backup.
        sequence: u64,
        /// How far, in milliseconds.
        ahead_ms: u64,
    },
    /// The newest by number has an older stamp than another one.
    ClockWentBack {
        /// The number that was chosen.
        sequence: u64,
        /// One with a later stamp.
        other: u64,
    },
    /// Two backups have the same number, and are not the same.
    Fork {
        /// The number.
        sequence: u64,
        /// Where they are.
        names: [String; 2],
    },
    /// A newer one was there, and can't be used.
    NewerDamaged {
        /// The stacked volume.
        name: String,
        /// Its number.
        sequence: u64,
    },
    /// Something that may be a newer backup can't be read.
    Unreadable {
        /// The stacked volume.
        name: String,
        /// Why.
        cause: String,
    },
    /// A later program wrote one, and whether it is newer can't be told.
    NewerProgram {
        /// The stacked volume.
        name: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Future {
                name,
                sequence,
                ahead_ms,
            } => write!(
                f,
                "backup {sequence} on {name} has a time that is {} s in the future: a clock was wrong, or this one is",
                ahead_ms / 1000
            ),
            Warning::ClockWentBack { sequence, other } => write!(
                f,
                "backup {sequence} has an earlier time than backup {other}: a clock was set back; the number decides"
            ),
            Warning::Fork {
                sequence,
                names: [one, other],
            } => write!(
                f,
                "backup {sequence} on {one} and backup {sequence} on {other} are not the same: two machines wrote for \
                 one vault; the later one was taken"
            ),
            Warning::NewerDamaged { name, sequence } => write!(
                f,
                "a newer backup, {sequence}, was on {name}, and is damaged: what changed after the one that was taken \
                 is not in it"
            ),
            Warning::Unreadable { name, cause } => write!(
                f,
                "something on {name} can't be read ({cause}): it may have been a newer backup"
            ),
            Warning::NewerProgram { name } => write!(
                f,
                "the backup on {name} was written by a newer pseudotape: use that one, it may be the newest"
            ),
        }
    }
}

/// The newest backup that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice<'a> {
    /// What it says of itself.
    pub description: &'a BackupDescription,
    /// Where it is, first the one that was met first. Each of them is as good.
    pub places: Vec<usize>,
    /// The highest number that was seen at all, also of what is damaged.
    pub highest: u64,
    /// What should be known.
    pub warnings: Vec<Warning>,
}

/// Why there is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoChoice {
    /// Nothing was found.
    #[error("no undamaged backup of a catalog was found: name more tapes, older ones too")]
    Nothing,
    /// Backups of several vaults were found.
    #[error("there are backups of {} vaults: {}; --site IDENTITY says which", .sites.len(), listed(.sites))]
    Sites {
        /// Identity and name of each.
        sites: Vec<(Uuid, String)>,
    },
    /// Only those of other vaults were found.
    #[error("no undamaged backup of the vault {wanted} was found, only of {}", listed(.sites))]
    OtherSites {
        /// Which was wanted.
        wanted: Uuid,
        /// What was found.
        sites: Vec<(Uuid, String)>,
    },
}

fn listed(sites: &[(Uuid, String)]) -> String {
    let one = |(identity, name): &(Uuid, String)| format!("{} ({identity})", name.escape_debug());
    sites.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Chooses the newest undamaged backup: by its number, and by its time only where two backups have one number.
///
/// `site` is the vault that is wanted; without it all backups have to be of one vault. `now_ms` is only for warnings.
pub fn choose(
    surveyed: &[Surveyed],
    site: Option<Uuid>,
    now_ms: u64,
) -> Result<Choice<'_>, NoChoice> {
    let whole: Vec<(usize, &BackupDescription)> = surveyed
        .iter()
        .enumerate()
        .filter_map(|(at, one)| match &one.found {
            Found::Backup(description) => Some((at, description)),
            Found::Damaged { .. } | Found::Newer { .. } | Found::Nothing | Found::Absent { .. } => {
                None
            }
        })
        .collect();
    let site = one_site(&whole, site)?;
    let ours: Vec<_> = whole
        .into_iter()
        .filter(|(_, one)| one.site == site)
        .collect();
    let age = |one: &BackupDescription| (one.sequence, one.written_ms, one.digest.0);
    let newest = ours.iter().max_by_key(|(_, one)| age(one));
    let Some((_, description)) = newest else {
        return Err(NoChoice::Nothing);
    };
    let is_it = |one: &BackupDescription| age(one) == age(description);
    let places: Vec<_> = ours
        .iter()
        .filter(|(_, one)| is_it(one))
        .map(|(at, _)| *at)
        .collect();
    let numbers = surveyed.iter().filter_map(|one| match &one.found {
        Found::Backup(description) => Some(description),
        Found::Damaged { description, .. } => description.as_ref(),
        Found::Newer { .. } | Found::Nothing | Found::Absent { .. } => None,
    });
    let ours_or_damaged = numbers.filter(|one| one.site == site);
    let highest = ours_or_damaged.map(|one| one.sequence).max().unwrap_or(0);
    let name = |at: usize| {
        surveyed
            .get(at)
            .map_or_else(String::new, |one| one.name.clone())
    };
    let mut warnings = Vec::new();
    for (at, one) in &ours {
        if one.written_ms > now_ms.saturating_add(CLOCKS_DIFFER_MS) {
            warnings.push(Warning::Future {
                name: name(*at),
                sequence: one.sequence,
                ahead_ms: one.written_ms - now_ms,
            });
        }
    }
    let later = ours.iter().find(|(_, one)| {
        one.sequence < description.sequence && one.written_ms > description.written_ms
    });
    if let Some((_, other)) = later {
        warnings.push(Warning::ClockWentBack {
            sequence: description.sequence,
            other: other.sequence,
        });
    }
    let fork = ours
        .iter()
        .find(|(_, one)| one.sequence == description.sequence && !is_it(one));
    if let (Some((other, _)), Some(first)) = (fork, places.first()) {
        warnings.push(Warning::Fork {
            sequence: description.sequence,
            names: [name(*first), name(*other)],
        });
    }
    warnings.extend(unusable(surveyed, site, description.sequence));
    Ok(Choice {
        description,
        places,
        highest,
        warnings,
    })
}

/// What may have been newer than the one that was chosen.
fn unusable(surveyed: &[Surveyed], site: Uuid, chosen: u64) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for one in surveyed {
        match &one.found {
            Found::Damaged {
                description: Some(damaged),
                ..
            } if damaged.site == site && damaged.sequence > chosen => {
                warnings.push(Warning::NewerDamaged {
                    name: one.name.clone(),
                    sequence: damaged.sequence,
                });
            }
            Found::Damaged {
                description: None,
                cause,
            } => warnings.push(Warning::Unreadable {
                name: one.name.clone(),
                cause: cause.clone(),
            }),
            Found::Newer { .. } => warnings.push(Warning::NewerProgram {
                name: one.name.clone(),
            }),
            Found::Backup(_) | Found::Damaged { .. } | Found::Nothing | Found::Absent { .. } => {}
        }
    }
    warnings
}

/// Which vault is meant.
fn one_site(whole: &[(usize, &BackupDescription)], wanted: Option<Uuid>) -> Result<Uuid, NoChoice> {
    let found = whole
        .iter()
        .map(|(_, one)| (one.site, one.site_name.clone()));
    let sites: BTreeMap<Uuid, String> = found.collect();
    let named = || sites.clone().into_iter().collect();
    match (wanted, sites.first_key_value()) {
        (_, None) => Err(NoChoice::Nothing),
        (Some(wanted), Some(_)) if sites.contains_key(&wanted) => Ok(wanted),
        (Some(wanted), Some(_)) => Err(NoChoice::OtherSites {
            wanted,
            sites: named(),
        }),
        (None, Some((site, _))) if sites.len() == 1 => Ok(*site),
        (None, Some(_)) => Err(NoChoice::Sites { sites: named() }),
    }
}

#[cfg(test)]
#[path = "choice_test.rs"]
mod choice_test;
