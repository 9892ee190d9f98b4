//! EN-18. The incident of a clone is closed when somebody has decided of each tape file that is not on it.

use anyhow::{Context, Result, bail};
use pseudotape_human::{Paint, Report, Screen, counted, printable, shell_word};
use pseudotape_vault::{Availability, ClonedFile, FileState, TapeFile};
use serde::Serialize;
use serde_json::json;

use super::{Damaged, by};
use crate::Verdict;
use crate::cli::CloseIncident;
use crate::hook::tell;
use crate::vault::Place;

/// What became of a tape file of the damaged volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Fate {
    /// It is on the clone, from the damaged volume.
    Good,
    /// It is on the clone, from elsewhere: another copy, its owner, a vendor.
    Recovered,
    /// It was declared lost.
    Lost,
    /// Nobody wants it.
    Released,
    /// It is bad, and the volume is with somebody who tries to recover it.
    AtVendor,
    /// Nobody has decided.
    Undecided,
}

impl Fate {
    fn of(file: &TapeFile, cloned: &[ClonedFile], away: bool) -> Self {
        let is_on_it = cloned.iter().any(|one| one.old_number == file.number);
        match (file.state, is_on_it) {
            (FileState::Lost, _) => Fate::Lost,
            (FileState::Ok, true) => Fate::Good,
            (FileState::Bad | FileState::Missing | FileState::Released, true) => Fate::Recovered,
            (FileState::Released, false) => Fate::Released,
            (FileState::Ok | FileState::Bad | FileState::Missing, false) => match away {
                true => Fate::AtVendor,
                false => Fate::Undecided,
            },
        }
    }
}

#[derive(Debug, Serialize)]
struct Settled {
    file: u64,
    fate: Fate,
}

#[derive(Debug, Serialize)]
struct ClosingReport {
    label: String,
    incident: String,
    damaged: String,
    good: u64,
    recovered: u64,
    lost: u64,
    released: u64,
    at_vendor: u64,
    files: Vec<Settled>,
    closed_by: String,
}

impl Report for ClosingReport {
    fn text(&self, screen: &Screen) -> String {
        let rest = [
            (self.released, "that nobody wants"),
            (self.at_vendor, "with a vendor"),
        ];
        let rest = rest.iter().filter(|(count, _)| *count > 0);
        let rest: String = rest
            .map(|(count, what)| format!(", {count} {what}"))
            .collect();
        format!(
            "{}: incident {} of {}, closed by {}: of {} {} good, {} recovered, {} lost{rest}\n",
            screen.paint(Paint::Good, "closed"),
            self.incident,
            printable(&self.label),
            printable(&self.closed_by),
            counted(self.files.len() as u64, "tape file"),
            self.good,
            self.recovered,
            self.lost
        )
    }
}

pub(in crate::vault) fn close_incident(
    options: &CloseIncident,
    place: &Place,
    screen: &Screen,
) -> Result<Verdict> {
    let vault = place.open("close-incident")?;
    let label = &options.label;
    let damaged = Damaged::of(&vault, label)?;
    let kept = &damaged.listed.volume.label;
    let away = damaged.listed.volume.availability == Availability::AtVendor;
    let files = vault.files(kept)?;
    let settled = |file: &TapeFile| Settled {
        file: file.number,
        fate: Fate::of(file, &damaged.cloned, away),
    };
    let files: Vec<Settled> = files.iter().map(settled).collect();
    let of = |fate: Fate| files.iter().filter(move |settled| settled.fate == fate);
    let open: Vec<String> = of(Fate::Undecided)
        .map(|one| one.file.to_string())
        .collect();
    if !open.is_empty() {
        bail!(
            "the incident of {label} stays open: nobody has decided of tape file {} of '{kept}'. For each of them: \
             'pseudotape vault redeliver {word} --file N PATH', 'pseudotape vault declare-lost {kept_word} --file N \
             --by NAME --reason TEXT', or, for the volume, 'pseudotape vault mark {kept_word} at-vendor --by NAME \
             --reason TEXT'",
            open.join(", "),
            word = shell_word(label.as_str()),
            kept_word = shell_word(kept.as_str())
        );
    }
    let count = |fate: Fate| of(fate).count() as u64;
    let mut progress = damaged.papers.first_progress("read")?;
    let report = ClosingReport {
        label: label.to_string(),
        incident: progress.incident.clone(),
        damaged: kept.to_string(),
        good: count(Fate::Good),
        recovered: count(Fate::Recovered),
        lost: count(Fate::Lost),
        released: count(Fate::Released),
        at_vendor: count(Fate::AtVendor),
        closed_by: progress
            .settled_by
            .clone()
            .unwrap_or_else(|| by(options.by.as_ref())),
        files,
    };
    if let (Some(command), None) = (&options.ticket_hook, &progress.settled_by) {
        let words = json!({
            "event": "settled",
            "incident": report.incident,
            "label": report.label,
            "identity": damaged.listed.volume.identity.to_string(),
            "good": report.good,
            "recovered": report.recovered,
            "lost": report.lost,
            "released": report.released,
            "at_vendor": report.at_vendor,
            "by": report.closed_by,
        });
        tell(command, &words).context("--ticket-hook: the incident is open still")?;
    }
    progress.settled_by = Some(report.closed_by.clone());
    damaged.papers.save(&progress)?;
    screen.show(&report)?;
    Ok(Verdict::Well)
}
