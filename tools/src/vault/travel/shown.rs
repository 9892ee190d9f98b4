//! What is printed of backups and losses. The JSON forms are the tables of docs/RECOVERY.md.

use std::collections::BTreeMap;
use std::fmt::Write;

use pseudotape_human::{Alignment, HumanBytes, Paint, Report, Screen, counted, printable};
use pseudotape_stack::StackedVolume;
use pseudotape_vault::recovery::{BackupDescription, Fate, Loss, LossReport, Place};
use serde::{Deserialize, Serialize};

use crate::vault::shown::time_words;

/// A stacked volume.
#[derive(Debug, Serialize)]
pub(super) struct ShownTape {
    identity: String,
    label: String,
    pool: String,
}

impl ShownTape {
    pub(super) fn new(volume: &StackedVolume) -> Self {
        ShownTape {
            identity: volume.identity.to_string(),
            label: volume.label.clone(),
            pool: volume.pool.clone(),
        }
    }

    /// As the catalog knows it.
    pub(super) fn of_catalog(volume: &pseudotape_vault::StackedVolume) -> Self {
        ShownTape {
            identity: volume.identity.to_string(),
            label: volume.label.to_string(),
            pool: volume.pool.to_string(),
        }
    }
}

/// A backup on a tape.
#[derive(Debug, Serialize)]
pub(super) struct ShownBackup {
    pub sequence: u64,
    pub written: String,
    site: String,
    site_name: String,
    schema: i64,
    volumes: u64,
    bytes: u64,
    digest: String,
    catalog_bytes: u64,
    catalog_digest: String,
    object: u64,
}

impl ShownBackup {
    pub(super) fn new(description: &BackupDescription, object: u64) -> Self {
        ShownBackup {
            sequence: description.sequence,
            written: time_words(description.written_ms),
            site: description.site.to_string(),
            site_name: description.site_name.clone(),
            schema: description.schema,
            volumes: description.volumes,
            bytes: description.length,
            digest: description.digest.to_string(),
            catalog_bytes: description.catalog_length,
            catalog_digest: description.catalog_digest.to_string(),
            object,
        }
    }
}

/// A backup that was written.
#[derive(Debug, Serialize)]
pub(super) struct ShownStored {
    pub tape: String,
    pub stacked_volume: ShownTape,
    pub begun: bool,
    pub backup: ShownBackup,
}

impl Report for ShownStored {
    fn text(&self, screen: &Screen) -> String {
        let begun = match self.begun {
            true => format!(
                ", which begins as the stacked volume {}",
                printable(&self.stacked_volume.label)
            ),
            false => String::new(),
        };
        format!(
            "{} on {}{begun}: {} of {}, at object {}\n",
            screen.paint(Paint::Heading, &format!("backup {}", self.backup.sequence)),
            self.tape,
            HumanBytes(self.backup.bytes),
            counted(self.backup.volumes, "volume"),
            self.backup.object
        )
    }
}

/// One tape of a survey.
#[derive(Debug, Serialize)]
pub(super) struct SurveyedTape {
    pub tape: String,
    /// The slot of a changer, as mtx counts it, and the barcode there.
    pub slot: Option<u16>,
    pub barcode: Option<String>,
    pub stacked_volume: Option<ShownTape>,
    /// `backup`, `damaged`, `newer`, `none`, `absent`.
    pub state: &'static str,
    /// What is wrong.
    pub note: Option<String>,
    /// The newest whole one, also behind a damaged one.
    pub backup: Option<ShownBackup>,
}

/// Which backup a recovery would take.
#[derive(Debug, Serialize)]
pub(super) struct Newest {
    pub tape: String,
    pub sequence: u64,
    pub written: String,
    pub site: String,
    pub site_name: String,
}

/// A survey.
#[derive(Debug, Serialize)]
pub(super) struct ShownSurvey {
    pub tapes: Vec<SurveyedTape>,
    pub newest: Option<Newest>,
    /// Why there is none.
    pub refusal: Option<String>,
    pub warnings: Vec<String>,
}

impl SurveyedTape {
    fn row(&self, screen: &Screen) -> Vec<String> {
        let or_nothing = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let backup = self.backup.as_ref();
        vec![
            self.tape.clone(),
            or_nothing(
                self.stacked_volume
                    .as_ref()
                    .map(|volume| printable(&volume.label)),
            ),
            match self.state {
                "backup" | "none" => self.state.to_owned(),
                state => screen.paint(Paint::Bad, state),
            },
            or_nothing(backup.map(|backup| backup.sequence.to_string())),
            or_nothing(backup.map(|backup| backup.written.clone())),
            or_nothing(backup.map(|backup| backup.volumes.to_string())),
            or_nothing(backup.map(|backup| printable(&backup.site_name))),
            self.note.as_deref().map_or_else(String::new, printable),
        ]
    }
}

impl Report for ShownSurvey {
    fn text(&self, screen: &Screen) -> String {
        let columns = [
            ("tape", Alignment::Left),
            ("label", Alignment::Left),
            ("found", Alignment::Left),
            ("number", Alignment::Right),
            ("written", Alignment::Left),
            ("volumes", Alignment::Right),
            ("vault", Alignment::Left),
            ("", Alignment::Left),
        ];
        let rows = self.tapes.iter().map(|tape| tape.row(screen)).collect();
        let mut text = screen.table(&columns, rows);
        for warning in &self.warnings {
            let word = screen.paint(Paint::Notice, "warning");
            text = text + &format!("{word}: {}\n", printable(warning));
        }
        match (&self.newest, &self.refusal) {
            (Some(newest), _) => {
                let number = screen.paint(Paint::Heading, &format!("backup {}", newest.sequence));
                text = text
                    + &format!(
                        "newest: {number} of {} on {}\n",
                        newest.written, newest.tape
                    );
            }
            (None, Some(refusal)) => text = text + &format!("{}\n", printable(refusal)),
            (None, None) => {}
        }
        text
    }
}

impl Report for SurveyedTape {
    fn text(&self, screen: &Screen) -> String {
        let mut text = format!("{}: {}", self.tape, self.state);
        if let Some(note) = &self.note {
            text = format!("{text} ({})", printable(note));
        }
        text.push('\n');
        if let Some(volume) = &self.stacked_volume {
            text += &format!(
                "stacked volume: {} ({})\n",
                printable(&volume.label),
                volume.identity
            );
        }
        if let Some(backup) = &self.backup {
            let heading = screen.paint(Paint::Heading, &format!("backup {}", backup.sequence));
            text += &format!(
                "{heading}\nwritten: {}\nsite: {} ({})\nschema: {}\nvolumes: {}\nblake3: {}\nobject: {}\n",
                backup.written,
                printable(&backup.site_name),
                backup.site,
                backup.schema,
                backup.volumes,
                backup.digest,
                backup.object
            );
        }
        text
    }
}

/// The newest copy of a volume that can be read.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ShownReadable {
    /// `disk`, or the identity of the stacked volume.
    place: String,
    file: Option<u64>,
    generation: u64,
    closed: String,
}

/// One volume of the loss report.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ShownLoss {
    label: String,
    identity: String,
    fate: String,
    /// Of STALE: when what is there was closed.
    date: Option<String>,
    /// Of UNKNOWN-INTERVAL: from when nothing is known.
    since: Option<String>,
    generation: u64,
    readable: Option<ShownReadable>,
}

impl ShownLoss {
    fn new(loss: &Loss) -> Self {
        let (date, since) = match loss.fate {
            Fate::Stale { date_ms } => (Some(date_ms), None),
            Fate::UnknownInterval { since_ms } => (None, Some(since_ms)),
            Fate::Current | Fate::LostMedium | Fate::LostUnclosed | Fate::LostUnrecorded => {
                (None, None)
            }
        };
        ShownLoss {
            label: loss.label.to_string(),
            identity: loss.identity.to_string(),
            fate: loss.fate.word().to_owned(),
            date: date.map(time_words),
            since: since.map(time_words),
            generation: loss.generation,
            readable: loss.readable.as_ref().map(|readable| {
                let (place, file) = match &readable.place {
                    Place::Disk => ("disk".to_owned(), None),
                    Place::Stacked { stacked, file } => (stacked.clone(), Some(*file)),
                };
                ShownReadable {
                    place,
                    file,
                    generation: readable.generation,
                    closed: time_words(readable.closed_ms),
                }
            }),
        }
    }
}

/// Something that was written after the event that a person named.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ShownContradiction {
    /// The tape, or the root of a farm.
    pub place: String,
    pub what: String,
    pub written: String,
}

/// What was lost.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ShownLosses {
    pub vault: String,
    pub site: String,
    pub sequence: u64,
    pub tape: String,
    pub backup: String,
    pub event: String,
    /// Whether something can have been written between the two.
    pub unknown_interval: bool,
    pub rolled_forward: bool,
    /// Volumes that are newer than the backup.
    pub taken: Vec<String>,
    /// The catalog that was there before.
    pub kept: Option<String>,
    pub warnings: Vec<String>,
    /// What says that the event that was named is wrong. Reports of earlier programs have none.
    #[serde(default)]
    pub contradictions: Vec<ShownContradiction>,
    pub all_current: bool,
    pub fates: BTreeMap<String, u64>,
    volumes: Vec<ShownLoss>,
}

impl ShownLosses {
    pub(super) fn fill(&mut self, report: &LossReport) {
        self.backup = time_words(report.backup_ms);
        self.event = time_words(report.event_ms);
        self.unknown_interval = report.event_ms > report.backup_ms;
        self.all_current = report.is_all_current();
        self.volumes = report.volumes.iter().map(ShownLoss::new).collect();
        for loss in &report.volumes {
            *self.fates.entry(loss.fate.word().to_owned()).or_default() += 1;
        }
    }

    /// Whether nothing was lost, and what the person said holds.
    pub(super) fn is_well(&self) -> bool {
        self.all_current && self.contradictions.is_empty()
    }

    pub(super) fn new(vault: String, description: &BackupDescription, tape: String) -> Self {
        ShownLosses {
            vault,
            site: description.site.to_string(),
            sequence: description.sequence,
            tape,
            backup: String::new(),
            event: String::new(),
            unknown_interval: false,
            rolled_forward: false,
            taken: Vec::new(),
            kept: None,
            warnings: Vec::new(),
            contradictions: Vec::new(),
            all_current: true,
            fates: BTreeMap::new(),
            volumes: Vec::new(),
        }
    }
}

impl Report for ShownLosses {
    fn text(&self, screen: &Screen) -> String {
        let mut text = String::new();
        let mut line = |words: String| writeln!(text, "{words}").expect("memory takes it");
        line(format!(
            "the catalog is backup {} of {}, from {}",
            self.sequence, self.backup, self.tape
        ));
        if self.unknown_interval {
            line(format!(
                "unknown interval: {} to {}",
                self.backup, self.event
            ));
        }
        match (self.rolled_forward, self.taken.len()) {
            (false, _) => line(
                "the tapes were not scanned: --roll-forward finds what was written later"
                    .to_owned(),
            ),
            (true, 0) => line("nothing on the tapes is newer".to_owned()),
            (true, _) => line(format!(
                "newer, from the tapes: {}",
                printable(&self.taken.join(", "))
            )),
        }
        for warning in &self.warnings {
            line(format!(
                "{}: {}",
                screen.paint(Paint::Notice, "warning"),
                printable(warning)
            ));
        }
        if let Some(kept) = &self.kept {
            line(format!("the catalog that was there is {kept}"));
        }
        let columns = [
            ("label", Alignment::Left),
            ("fate", Alignment::Left),
            ("gen", Alignment::Right),
            ("can be read", Alignment::Left),
        ];
        let row = |loss: &ShownLoss| {
            let date = loss.date.as_ref().or(loss.since.as_ref());
            let words = match date {
                Some(date) => format!("{} ({date})", loss.fate),
                None => loss.fate.clone(),
            };
            let readable = loss.readable.as_ref().map_or_else(
                || "-".to_owned(),
                |readable| match readable.file {
                    Some(file) => format!(
                        "generation {} in tape file {file} of {}",
                        readable.generation, readable.place
                    ),
                    None => format!("generation {} on this disk", readable.generation),
                },
            );
            vec![
                printable(&loss.label),
                match loss.fate == Fate::Current.word() {
                    true => words,
                    false => screen.paint(Paint::Bad, &words),
                },
                loss.generation.to_string(),
                readable,
            ]
        };
        text += &screen.table(&columns, self.volumes.iter().map(row).collect());
        let counts = self
            .fates
            .iter()
            .map(|(word, count)| format!("{count} {word}"));
        text += &format!("{}\n", counts.collect::<Vec<_>>().join(", "));
        text += "'pseudotape vault online' puts the vault into service\n";
        text
    }
}
