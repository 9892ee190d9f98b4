//! What is printed of a vault. The JSON forms are the tables of docs/VAULT.md.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use pseudotape_human::{Alignment, HumanBytes, Paint, Report, Screen, counted};
use pseudotape_vault::{
    Availability, Event, Listed, Opening, SCHEMA_VERSION, TapeFile, Vault, rules,
};
use serde::Serialize;

pub(super) use pseudotape_human::printable;
pub(super) use pseudotape_human::time_words;

/// A volume.
#[derive(Debug, Serialize)]
pub(super) struct ShownVolume {
    label: String,
    identity: String,
    category: &'static str,
    availability: &'static str,
    blocked: Option<Blocked>,
    open: bool,
    generation: u64,
    image: Option<PathBuf>,
    files: u64,
    bytes: u64,
    faulty: u64,
    added: String,
}

/// Why a volume is not ok.
#[derive(Debug, Serialize)]
struct Blocked {
    /// Nothing where the system did it.
    by: Option<String>,
    reason: String,
    since: String,
}

impl ShownVolume {
    pub(super) fn new(vault: &Vault, listed: &Listed) -> Self {
        let volume = &listed.volume;
        ShownVolume {
            label: volume.label.to_string(),
            identity: volume.identity.to_string(),
            category: volume.category.word(),
            availability: volume.availability.word(),
            blocked: volume.block.as_ref().map(|block| Blocked {
                by: block.by.name().map(str::to_owned),
                reason: block.reason.clone(),
                since: time_words(block.since_ms),
            }),
            open: volume.opening == Opening::Open,
            generation: volume.generation,
            image: vault.image_of(volume),
            files: listed.files,
            bytes: listed.bytes,
            faulty: listed.faulty,
            added: time_words(volume.added_ms),
        }
    }

    /// Its states in one cell.
    fn state_words(&self, screen: &Screen) -> String {
        let mut words = match self.availability == Availability::Ok.word() {
            true => "ok".to_owned(),
            false => screen.paint(Paint::Bad, self.availability),
        };
        if self.open {
            words = words + ", " + &screen.paint(Paint::Notice, "open");
        }
        if self.faulty > 0 {
            words = words + ", " + &screen.paint(Paint::Bad, &format!("{} faulty", self.faulty));
        }
        words
    }
}

/// One line, as `add`, `set` and `mark` tell what a volume is now.
impl Report for ShownVolume {
    fn text(&self, screen: &Screen) -> String {
        format!(
            "{}: {}, {}, {} in {}\n",
            screen.paint(Paint::Heading, &printable(&self.label)),
            self.category,
            self.state_words(screen),
            HumanBytes(self.bytes),
            counted(self.files, "tape file")
        )
    }
}

/// The volumes.
#[derive(Debug, Serialize)]
pub(super) struct VolumeList {
    pub volumes: Vec<ShownVolume>,
}

impl Report for VolumeList {
    fn text(&self, screen: &Screen) -> String {
        if self.volumes.is_empty() {
            return "no volume: 'pseudotape vault add' takes images in, or makes blank ones\n"
                .to_owned();
        }
        let columns = [
            ("label", Alignment::Left),
            ("category", Alignment::Left),
            ("state", Alignment::Left),
            ("gen", Alignment::Right),
            ("files", Alignment::Right),
            ("size", Alignment::Right),
            ("image", Alignment::Left),
        ];
        let row = |volume: &ShownVolume| {
            let image = volume.image.as_ref().and_then(|image| image.file_name());
            vec![
                printable(&volume.label),
                volume.category.to_owned(),
                volume.state_words(screen),
                volume.generation.to_string(),
                volume.files.to_string(),
                HumanBytes(volume.bytes).to_string(),
                image.map_or_else(
                    || "-".to_owned(),
                    |name| name.to_string_lossy().into_owned(),
                ),
            ]
        };
        screen.table(&columns, self.volumes.iter().map(row).collect())
    }
}

/// A tape file.
#[derive(Debug, Serialize)]
pub(super) struct ShownFile {
    file: u64,
    first_object: u64,
    blocks: u64,
    bytes: u64,
    digest: Option<String>,
    state: &'static str,
    #[serde(skip)]
    is_faulty: bool,
}

impl ShownFile {
    pub(super) fn new(file: &TapeFile) -> Self {
        ShownFile {
            file: file.number,
            first_object: file.first_object,
            blocks: file.blocks,
            bytes: file.bytes,
            digest: file.digest.map(|digest| digest.to_string()),
            state: file.state.word(),
            is_faulty: file.state.is_faulty(),
        }
    }
}

/// The tape files of one volume.
#[derive(Debug, Serialize)]
pub(super) struct FileList {
    pub label: String,
    pub files: Vec<ShownFile>,
}

impl Report for FileList {
    fn text(&self, screen: &Screen) -> String {
        if self.files.is_empty() {
            return format!("nothing is on {}\n", printable(&self.label));
        }
        let columns = [
            ("file", Alignment::Right),
            ("object", Alignment::Right),
            ("blocks", Alignment::Right),
            ("bytes", Alignment::Right),
            ("state", Alignment::Left),
            ("blake3", Alignment::Left),
        ];
        let row = |file: &ShownFile| {
            vec![
                file.file.to_string(),
                file.first_object.to_string(),
                file.blocks.to_string(),
                file.bytes.to_string(),
                match file.is_faulty {
                    true => screen.paint(Paint::Bad, file.state),
                    false => file.state.to_owned(),
                },
                file.digest.clone().unwrap_or_else(|| "-".to_owned()),
            ]
        };
        screen.table(&columns, self.files.iter().map(row).collect())
    }
}

/// A line of the log.
#[derive(Debug, Serialize)]
pub(super) struct ShownEvent {
    number: u64,
    at: String,
    label: Option<String>,
    subject: &'static str,
    file: Option<u64>,
    from: Option<String>,
    to: Option<String>,
    /// Nothing where the system did it.
    by: Option<String>,
    reason: String,
}

impl ShownEvent {
    pub(super) fn new(event: &Event) -> Self {
        let change = &event.change;
        ShownEvent {
            number: event.number,
            at: time_words(event.at_ms),
            label: event.label.clone(),
            subject: change.subject.word(),
            file: change.file,
            from: change.from.clone(),
            to: change.to.clone(),
            by: change.order.actor.name().map(str::to_owned),
            reason: change.order.reason.clone(),
        }
    }

    fn line(&self) -> String {
        let file = self.file.map(|file| format!(" {file}")).unwrap_or_default();
        let label = self.label.as_ref().map(|label| format!(" {label}"));
        let or_nothing = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let by = self.by.as_deref().unwrap_or("the system");
        let mut line = format!(
            "{}{} {}{file}: {} -> {}, by {by}",
            self.at,
            label.unwrap_or_default(),
            self.subject,
            or_nothing(&self.from),
            or_nothing(&self.to),
        );
        if !self.reason.is_empty() {
            line = format!("{line}: {}", self.reason);
        }
        printable(&line)
    }
}

/// All that is known of one volume.
#[derive(Debug, Serialize)]
pub(super) struct OneVolume {
    #[serde(flatten)]
    volume: ShownVolume,
    /// Why it is not loaded to be written; nothing where it would be.
    refusal: Option<String>,
    events: Vec<ShownEvent>,
}

impl OneVolume {
    pub(super) fn new(vault: &Vault, listed: &Listed, events: Vec<ShownEvent>) -> Self {
        let may_load = rules::may_load(&listed.volume, pseudotape_tape::Access::ReadWrite);
        OneVolume {
            volume: ShownVolume::new(vault, listed),
            refusal: may_load.err().map(|refusal| refusal.to_string()),
            events,
        }
    }
}

impl Report for OneVolume {
    fn text(&self, screen: &Screen) -> String {
        let mut text = String::new();
        let mut field = |name: &str, value: &str| {
            writeln!(text, "{name:<10} {}", printable(value)).expect("a String takes everything");
        };
        let volume = &self.volume;
        field("label", &volume.label);
        field("volume", &volume.identity);
        field("category", volume.category);
        field("state", volume.availability);
        if let Some(blocked) = &volume.blocked {
            let by = blocked.by.as_deref().unwrap_or("the system");
            field("", &format!("since {}, by {by}", blocked.since));
            field("", &blocked.reason);
        }
        field("open", if volume.open { "yes" } else { "no" });
        field("generation", &volume.generation.to_string());
        let image = volume.image.as_ref();
        let image = image.map_or_else(|| "none".to_owned(), |image| image.display().to_string());
        field("image", &image);
        let files = counted(volume.files, "tape file");
        let faulty = match volume.faulty {
            0 => String::new(),
            faulty => format!(", {faulty} of them bad or missing"),
        };
        field(
            "recorded",
            &format!("{} in {files}{faulty}", HumanBytes(volume.bytes)),
        );
        field("added", &volume.added);
        if let Some(refusal) = &self.refusal {
            field("writing", &format!("refused: {refusal}"));
        }
        text + &event_lines(&self.events, screen)
    }
}

fn event_lines(events: &[ShownEvent], screen: &Screen) -> String {
    let mut text = screen.paint(Paint::Heading, "events") + "\n";
    for event in events {
        writeln!(text, "  {}", event.line()).expect("a String takes everything");
    }
    text
}

/// The vault.
#[derive(Debug, Serialize)]
pub(super) struct Overview {
    vault: PathBuf,
    name: String,
    identity: String,
    catalog_schema: i64,
    volumes: u64,
    open: u64,
    files: u64,
    bytes: u64,
    faulty: u64,
    categories: BTreeMap<String, u64>,
    availabilities: BTreeMap<String, u64>,
    events: Vec<ShownEvent>,
}

impl Overview {
    pub(super) fn new(vault: &Vault, events: Vec<ShownEvent>) -> anyhow::Result<Self> {
        let counts = vault.counts()?;
        Ok(Overview {
            vault: vault.directory().to_owned(),
            name: vault.configuration().name.clone(),
            identity: vault.configuration().identity.to_string(),
            catalog_schema: SCHEMA_VERSION,
            volumes: counts.volumes,
            open: counts.open,
            files: counts.files,
            bytes: counts.bytes,
            faulty: counts.faulty,
            categories: counts.categories.into_iter().collect(),
            availabilities: counts.availabilities.into_iter().collect(),
            events,
        })
    }
}

impl Report for Overview {
    fn text(&self, screen: &Screen) -> String {
        let mut text = String::new();
        let mut field = |name: &str, value: String| {
            writeln!(text, "{name:<10} {}", printable(&value)).expect("a String takes everything");
        };
        let groups = |groups: &BTreeMap<String, u64>| {
            let groups = groups.iter().map(|(word, count)| format!("{count} {word}"));
            groups.collect::<Vec<_>>().join(", ")
        };
        field("vault", self.name.clone());
        field("directory", self.vault.display().to_string());
        field("identity", self.identity.clone());
        field("schema", self.catalog_schema.to_string());
        field("volumes", self.volumes.to_string());
        if self.volumes > 0 {
            field("", groups(&self.categories));
            field("", groups(&self.availabilities));
        }
        if self.open > 0 {
            field("", format!("{} open", self.open));
        }
        let faulty = match self.faulty {
            0 => String::new(),
            faulty => format!(", {faulty} of them bad or missing"),
        };
        let files = counted(self.files, "tape file");
        field(
            "recorded",
            format!("{} in {files}{faulty}", HumanBytes(self.bytes)),
        );
        text + &event_lines(&self.events, screen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_utc_and_absurd_ones_as_numbers() {
        assert_eq!(time_words(1_795_233_600_123), "2026-11-21T04:00:00Z");
        assert_eq!(time_words(u64::MAX), format!("{} ms after 1970", u64::MAX));
    }
}
