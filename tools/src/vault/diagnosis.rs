//! `pseudotape vault doctor`: what catalog and directory say differently, and the way out.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use pseudotape_human::{HumanBytes, Paint, Report, Screen, counted, printable, shell_word};
use pseudotape_vault::{Depth, Finding, FindingKind, Label, Vault};
use serde::Serialize;

use super::Place;
use crate::Verdict;
use crate::cli::InspectVault;
use crate::progress;

#[derive(Debug, Serialize)]
struct Shown {
    kind: &'static str,
    label: Option<String>,
    image: Option<PathBuf>,
    file: Option<u64>,
    found: String,
    advice: String,
}

#[derive(Debug, Serialize)]
struct Diagnosis {
    ok: bool,
    volumes: u64,
    bytes: u64,
    findings: Vec<Shown>,
    /// Volumes that were marked for what was found.
    marked: Vec<String>,
}

impl Report for Diagnosis {
    fn text(&self, screen: &Screen) -> String {
        let mut text = String::new();
        let mut line = |line: String| writeln!(text, "{line}").expect("a String takes everything");
        for finding in &self.findings {
            let mut what = finding.label.clone().unwrap_or_default();
            if let Some(file) = finding.file {
                what = format!("{what} file {file}");
            }
            if let (true, Some(image)) = (what.is_empty(), &finding.image) {
                what = image.display().to_string();
            }
            let kind = screen.paint(Paint::Bad, finding.kind);
            line(format!(
                "{kind} {}: {}",
                printable(&what),
                printable(&finding.found)
            ));
            line(format!("    -> {}", printable(&finding.advice)));
        }
        for label in &self.marked {
            line(format!("marked {}", printable(label)));
        }
        let looked = format!(
            "{}, {} looked at",
            counted(self.volumes, "volume"),
            HumanBytes(self.bytes)
        );
        line(match self.ok {
            true => format!("{looked}: catalog and directory agree"),
            false => format!(
                "{looked}: {}",
                counted(self.findings.len() as u64, "finding")
            ),
        });
        text
    }
}

pub(super) fn run(
    doctor: &InspectVault,
    place: &Place,
    screen: &Screen,
) -> anyhow::Result<Verdict> {
    let depth = match doctor.digests {
        true => Depth::Digests,
        false => Depth::Frames,
    };
    let vault = place.look()?;
    let bar = progress::bar(screen, vault.counts().map_or(0, |counts| counts.bytes));
    let inspection = vault.inspect(depth, &mut |bytes| bar.set_position(bytes));
    bar.finish_and_clear();
    let inspection = inspection?;
    let marked = match doctor.mark {
        true => mark(place, &inspection.findings)?,
        false => Vec::new(),
    };
    let findings = inspection.findings.iter();
    let diagnosis = Diagnosis {
        ok: inspection.findings.is_empty(),
        volumes: inspection.volumes,
        bytes: inspection.bytes,
        findings: findings.map(|finding| shown(&vault, finding)).collect(),
        marked,
    };
    screen.show(&diagnosis)?;
    Ok(match diagnosis.ok {
        true => Verdict::Well,
        false => Verdict::Found,
    })
}

/// Writes down which tape files are bad.
fn mark(place: &Place, findings: &[Finding]) -> anyhow::Result<Vec<String>> {
    let mut bad: BTreeMap<&Label, Vec<u64>> = BTreeMap::new();
    for finding in findings {
        if let (Some(label), Some(file)) = (&finding.label, finding.file) {
            bad.entry(label).or_default().push(file);
        }
    }
    if bad.is_empty() {
        return Ok(Vec::new());
    }
    let mut vault = place.open("doctor")?;
    for (label, files) in &bad {
        let numbers: Vec<String> = files.iter().map(u64::to_string).collect();
        let reason = format!("doctor found bad: tape file {}", numbers.join(", "));
        vault.mark_found(label, files, &reason)?;
    }
    Ok(bad.keys().map(|label| label.to_string()).collect())
}

fn shown(vault: &Vault, finding: &Finding) -> Shown {
    Shown {
        kind: finding.kind.word(),
        label: finding.label.as_ref().map(Label::to_string),
        image: finding.image.clone(),
        file: finding.file,
        found: finding.found.clone(),
        advice: advice(vault, finding),
    }
}

/// The way out.
fn advice(vault: &Vault, finding: &Finding) -> String {
    let label = finding.label.as_ref().map_or("", Label::as_str);
    let image = finding.image.as_ref();
    let image = image.map_or_else(String::new, |image| image.display().to_string());
    let (label_word, image_word) = (shell_word(label), shell_word(&image));
    let add = format!("'pseudotape vault add {image_word}'");
    // What can't be looked up is no reason to leave out the finding.
    let from_tape = finding
        .label
        .as_ref()
        .and_then(|label| vault.copies_of_before(label).ok().flatten());
    match finding.kind {
        FindingKind::DamagedCatalog => format!(
            "'pseudotape vault recover TAPE... --confirm' brings back a backup of it, and keeps what is left in {}",
            vault.directory().display()
        ),
        FindingKind::MissingDirectory => {
            format!("make {image}, or mount the disk that it lies on, and bring the images back")
        }
        FindingKind::MissingImage => format!(
            "bring {image} back; or 'pseudotape vault mark {label_word} lost --by NAME --reason TEXT'"
        ),
        FindingKind::UnknownImage if finding.label.is_some() => {
            format!("delete {image}, or move it somewhere else: a copy is no second volume")
        }
        FindingKind::UnknownImage => format!("{add} takes it in; or delete it"),
        FindingKind::StrangeFile => format!("move {image} somewhere else"),
        FindingKind::OtherVolume => format!(
            "move {image} somewhere else and bring the image of {label} back; then add the other one from there"
        ),
        FindingKind::UnreadableImage => {
            format!("'pseudotape verify {image_word}' says more; a copy of the image can take its place")
        }
        FindingKind::OlderImage => format!(
            "bring the last image back as {image}{}; or 'pseudotape vault add {image_word} --replace' takes this one, and the catalog \
             forgets what was written since",
            from_tape.map_or_else(String::new, |places| format!(
                " (move this one elsewhere, and 'pseudotape vault recall {label_word} --drive DRIVE' brings it from {places})"
            ))
        ),
        FindingKind::Changed => format!("{add} writes down what is on it now"),
        FindingKind::LeftOpen => format!("{add} closes it, and writes down what is on it"),
        FindingKind::DataMissing => format!(
            "copy what is left ('pseudotape copy {image_word} OTHER'), or bring back a copy of the whole image{}",
            from_tape.map_or_else(String::new, |places| format!(
                ": move this one elsewhere, and 'pseudotape vault recall {label_word} --drive DRIVE' brings one from {places}"
            ))
        ),
        FindingKind::BadFile => format!(
            "{}'pseudotape vault doctor --digests --mark' writes it down; 'pseudotape vault clone {label_word} --to LABEL' saves \
             the rest of {label}",
            from_tape.map_or_else(String::new, |places| format!(
                "a copy of before is on {places}: move {image} elsewhere, and 'pseudotape vault recall {label_word} --drive DRIVE' \
                 brings that back; or "
            ))
        ),
    }
}
