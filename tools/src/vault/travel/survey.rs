//! Which backups there are (VT-01, VT-03).

use anyhow::Result;
use pseudotape_human::Screen;
use pseudotape_stack::{Site, StackedVolume};
use pseudotape_vault::recovery::{Choice, Found, NoChoice, Surveyed, choose};
use pseudotape_vault::{Clock, System, Vault};

use super::explained;
use super::shown::{Newest, ShownBackup, ShownSurvey, ShownTape, SurveyedTape};
use super::slots::{Shelf, Whence};
use super::tape::{Depth, Head, Looked, MetBackup, look};
use crate::Verdict;
use crate::cli::{CatalogOf, SurveyTapes};
use crate::vault::Place;
use crate::vault::shown::time_words;
use pseudotape_image::Uuid;
use pseudotape_tape::ObjectNumber;

/// One tape that was asked for.
pub(super) struct Asked {
    pub(super) whence: Whence,
    pub(super) name: String,
    pub(super) looked: Result<Looked, String>,
}

/// What was met, and where: an entry of [`choose`] for each.
pub(super) struct Entries {
    pub(super) surveyed: Vec<Surveyed>,
    /// Of each: which tape, and where on it.
    pub(super) places: Vec<(usize, Option<ObjectNumber>)>,
}

/// Why a tape can't be read, to be told beside its name.
pub(super) fn reason(error: &anyhow::Error, name: &str) -> String {
    let words = pseudotape_human::explain(error.chain());
    let rest = words.strip_prefix(name);
    match rest.and_then(|rest| rest.strip_prefix(": ")) {
        Some(rest) => rest.to_owned(),
        None => words,
    }
}

impl Asked {
    pub(super) fn look(
        shelf: &mut Shelf,
        whence: Whence,
        depth: Depth,
        distrusted: &[ObjectNumber],
    ) -> Self {
        let name = whence.name();
        let looked = shelf.open(&whence).and_then(|mut opened| {
            let lost_end = opened.tape.end_is_lost(0)?;
            let lost_end = lost_end.then_some("its end is lost: committed data are missing");
            let looked = look(&mut shelf.watched(&mut opened), depth, distrusted, lost_end);
            let looked = looked.map_err(|error| explained(error, &mut opened))?;
            opened.tape.finish()?;
            Ok(looked)
        });
        let looked = looked.map_err(|error| reason(&error, &name));
        Asked {
            whence,
            name,
            looked,
        }
    }

    /// The stacked volume that it is, and whose.
    pub(super) fn stacked(&self) -> Option<(&Site, &StackedVolume)> {
        match &self.looked {
            Ok(Looked {
                head: Head::Ours { site, volume },
                ..
            }) => Some((site, volume)),
            Ok(_) | Err(_) => None,
        }
    }

    /// Why nothing on the tape counts, where that is so.
    pub(super) fn no_stacked_volume(&self) -> Option<String> {
        let why = match &self.looked {
            Err(cause) => cause.clone(),
            Ok(looked) => match &looked.head {
                Head::Ours { .. } => return None,
                Head::Blank => "it is blank, and nothing of the vault is on it".to_owned(),
                Head::Foreign(why) => {
                    format!("it is no stacked volume ({why}), and nothing on it counts")
                }
            },
        };
        Some(format!("{}: {why}", self.name))
    }

    /// What is wrong with the beginning of the tape, though there is more on it.
    pub(super) fn beginning(&self) -> Option<String> {
        let looked = self.looked.as_ref().ok()?;
        let why = looked.beginning.as_ref()?;
        Some(format!("{}: {why}", self.name))
    }

    fn shown(&self) -> SurveyedTape {
        let mut shown = SurveyedTape {
            tape: self.name.clone(),
            slot: self.whence.slot().and_then(|slot| slot.number),
            barcode: self.whence.slot().and_then(|slot| slot.barcode.clone()),
            stacked_volume: self.stacked().map(|(_, volume)| ShownTape::new(volume)),
            state: "none",
            note: None,
            backup: None,
        };
        let looked = match &self.looked {
            Ok(looked) => looked,
            Err(cause) => {
                (shown.state, shown.note) = ("absent", Some(cause.clone()));
                return shown;
            }
        };
        if let Head::Foreign(why) = &looked.head {
            shown.note = Some(why.clone());
        }
        // A damaged backup says more.
        let is_damaged = |met: &MetBackup| matches!(met.found, Found::Damaged { .. });
        if !looked.backups.iter().any(is_damaged) {
            shown.note = looked.beginning.clone().or(shown.note);
        }
        for (at, met) in looked.backups.iter().enumerate() {
            let state = match &met.found {
                Found::Backup(description) => {
                    shown.backup = Some(ShownBackup::new(description, met.at.0));
                    "backup"
                }
                Found::Damaged { cause, .. } => {
                    shown.note = shown.note.or_else(|| Some(cause.clone()));
                    "damaged"
                }
                Found::Newer { cause } => {
                    shown.note = shown.note.or_else(|| Some(cause.clone()));
                    "newer"
                }
                Found::Nothing | Found::Absent { .. } => "none",
            };
            // What was to be the newest says what state the tape is in.
            if at == 0 {
                shown.state = state;
            }
        }
        shown
    }
}

pub(super) fn entries(asked: &[Asked]) -> Entries {
    let mut entries = Entries {
        surveyed: Vec::new(),
        places: Vec::new(),
    };
    for (at, one) in asked.iter().enumerate() {
        let mut add = |found: Found, place: Option<ObjectNumber>| {
            let name = one.name.clone();
            entries.surveyed.push(Surveyed { name, found });
            entries.places.push((at, place));
        };
        match &one.looked {
            Err(cause) => add(
                Found::Absent {
                    cause: cause.clone(),
                },
                None,
            ),
            Ok(looked) if looked.backups.is_empty() => add(Found::Nothing, None),
            Ok(looked) => {
                for met in &looked.backups {
                    add(met.found.clone(), Some(met.at));
                }
            }
        }
    }
    entries
}

pub(super) fn shown(
    asked: &[Asked],
    chosen: &Result<Choice<'_>, NoChoice>,
    entries: &Entries,
) -> ShownSurvey {
    let name = |place: usize| {
        let (tape, _) = entries.places.get(place)?;
        Some(asked.get(*tape)?.name.clone())
    };
    let newest = chosen.as_ref().ok().map(|choice| Newest {
        tape: choice
            .places
            .first()
            .and_then(|at| name(*at))
            .unwrap_or_default(),
        sequence: choice.description.sequence,
        written: time_words(choice.description.written_ms),
        site: choice.description.site.to_string(),
        site_name: choice.description.site_name.clone(),
    });
    let mut warnings: Vec<String> = asked.iter().filter_map(Asked::beginning).collect();
    if let Ok(choice) = chosen {
        warnings.extend(choice.warnings.iter().map(ToString::to_string));
    }
    ShownSurvey {
        tapes: asked.iter().map(Asked::shown).collect(),
        newest,
        refusal: chosen.as_ref().err().map(ToString::to_string),
        warnings,
    }
}

/// All tapes at once, so to speak. The exit code is 1 where one of them has no whole backup at its end, or a damaged
/// beginning, or where the catalog knows of more tapes.
pub(in crate::vault) fn run(
    options: &SurveyTapes,
    place: &Place,
    screen: &Screen,
) -> Result<Verdict> {
    let (mut shelf, tapes) = Shelf::new(&options.tapes, &options.through)?;
    let asked = look_at(&mut shelf, tapes, Depth::Digest)?;
    let back = shelf.finish();
    let entries = entries(&asked);
    let chosen = chosen(&entries, options.site);
    let mut shown = shown(&asked, &chosen, &entries);
    // On an empty machine there is no catalog to be asked.
    if let Ok(vault) = place.look() {
        shown.tapes.extend(not_asked(&vault, &asked)?);
    }
    let is_whole = |one: &Asked| one.beginning().is_none();
    let is_well = chosen.is_ok()
        && shown.tapes.iter().all(|tape| tape.state == "backup")
        && asked.iter().all(is_whole);
    screen.show(&shown)?;
    back?;
    Ok(match is_well {
        true => Verdict::Well,
        false => Verdict::Found,
    })
}

pub(super) fn look_at(shelf: &mut Shelf, tapes: Vec<Whence>, depth: Depth) -> Result<Vec<Asked>> {
    let look = |tape| {
        let asked = Asked::look(shelf, tape, depth, &[]);
        shelf.go_on()?;
        Ok(asked)
    };
    tapes.into_iter().map(look).collect()
}

/// The stacked volumes of the catalog that are not among the tapes that were looked at.
fn not_asked(vault: &Vault, asked: &[Asked]) -> Result<Vec<SurveyedTape>> {
    let is_asked = |identity: Uuid| {
        let mut stacked = asked.iter().filter_map(Asked::stacked);
        stacked.any(|(_, one)| one.identity == identity)
    };
    let all = vault.stacked_volumes()?.into_iter();
    Ok(all
        .filter(|one| one.state.is_readable() && !is_asked(one.identity))
        .map(|one| SurveyedTape {
            tape: one.label.to_string(),
            slot: None,
            barcode: None,
            stacked_volume: Some(ShownTape::of_catalog(&one)),
            state: "absent",
            note: Some("the catalog knows it, and it is not among the tapes".to_owned()),
            backup: None,
        })
        .collect())
}

pub(super) fn chosen(entries: &Entries, site: Option<Uuid>) -> Result<Choice<'_>, NoChoice> {
    choose(&entries.surveyed, site, System.now_ms())
}

/// One tape alone.
pub(in crate::vault) fn catalog_of(options: &CatalogOf, screen: &Screen) -> Result<Verdict> {
    let tape = Whence::Named(options.tape.clone());
    let asked = Asked::look(&mut Shelf::bare(), tape, Depth::Digest, &[]);
    let shown = asked.shown();
    let is_well = shown.state == "backup" && asked.beginning().is_none();
    screen.show(&shown)?;
    Ok(match is_well {
        true => Verdict::Well,
        false => Verdict::Found,
    })
}
