//! What is printed of a farm. The JSON forms are the tables of docs/FARM.md.

use std::fmt::Display;

use pseudotape_farm::{Entry, Number};
use pseudotape_farm_script::{FileWords, file_time_words};
use pseudotape_human::{Alignment, Cells, HumanBytes, Paint, Report, Screen, counted, printable};
use serde::Serialize;

use super::NAMED;

/// The state of a file whose capsule is gone, damaged, or another one.
const BAD: &str = "bad";

/// Says of a file that its capsule is not what the directory says.
pub(super) fn set_bad(file: &mut FileWords, why: String) {
    file.state = BAD;
    file.why = Some(why);
}

fn state_words(state: &str, screen: &Screen) -> String {
    match state {
        "ok" => "ok".to_owned(),
        state => screen.paint(Paint::Bad, state),
    }
}

pub(super) fn of(number: Number) -> u64 {
    number.0.get()
}

/// The volumes.
#[derive(Debug, Serialize)]
pub(super) struct VolumeList {
    pub volumes: Vec<ShownVolume>,
}

/// A volume.
#[derive(Debug, Serialize)]
pub(super) struct ShownVolume {
    pub volume: String,
    pub files: Option<u64>,
    pub bytes: Option<u64>,
    pub compressed: Option<bool>,
    pub trouble: Option<String>,
}

impl Report for VolumeList {
    fn text(&self, screen: &Screen) -> String {
        if self.volumes.is_empty() {
            return "no volume: 'pseudotape farm copy VOLUME PATH...' makes one\n".to_owned();
        }
        let columns = [
            ("volume", Alignment::Left),
            ("files", Alignment::Right),
            ("size", Alignment::Right),
            ("state", Alignment::Left),
        ];
        let row = |volume: &ShownVolume| {
            vec![
                printable(&volume.volume),
                volume
                    .files
                    .map_or_else(String::new, |files| files.to_string()),
                volume
                    .bytes
                    .map_or_else(String::new, |bytes| HumanBytes(bytes).to_string()),
                match &volume.trouble {
                    Some(trouble) => screen.paint(Paint::Bad, &printable(trouble)),
                    None if volume.compressed == Some(true) => "ok, compressed".to_owned(),
                    None => "ok".to_owned(),
                },
            ]
        };
        screen.table(&columns, self.volumes.iter().map(row).collect())
    }
}

/// Files of a volume.
#[derive(Debug, Serialize)]
pub(super) struct FileList {
    pub volume: String,
    pub files: Vec<FileWords>,
}

impl Report for FileList {
    fn text(&self, screen: &Screen) -> String {
        if self.files.is_empty() {
            return format!("no file is in {}\n", printable(&self.volume));
        }
        let is_compressed = self.files.iter().any(|file| file.stored.is_some());
        let mut cells = Cells::default();
        for file in &self.files {
            let state = state_words(file.state, screen);
            add_row(
                &mut cells,
                is_compressed,
                &RowOf {
                    number: file.number,
                    state: &state,
                    bytes: file.bytes,
                    stored: file.stored,
                    modified: &file.modified,
                    title: &file.title.words(),
                },
            );
        }
        let bad = self.files.iter().filter(|file| file.state == BAD);
        let bad = bad.map(|file| {
            let why = file.why.as_deref().unwrap_or_default();
            format!("{}: {}", file.title.words(), printable(why))
        });
        let bad = named(&bad.collect::<Vec<_>>(), true);
        screen.long_table(&columns(is_compressed), &cells) + &bad
    }
}

/// The same text for files of which nothing is wrong, which can be a million: of none of them more is made than that.
pub(super) fn text_of(volume: &str, entries: &[Entry], screen: &Screen) -> String {
    if entries.is_empty() {
        return format!("no file is in {}\n", printable(volume));
    }
    let is_compressed = entries.iter().any(|entry| entry.stored.is_some());
    let mut cells = Cells::default();
    for entry in entries {
        add_row(
            &mut cells,
            is_compressed,
            &RowOf {
                number: of(entry.number),
                state: &state_words(entry.state.word(), screen),
                bytes: entry.length,
                stored: entry.stored,
                modified: &file_time_words(entry.stamp.modified),
                title: &entry.title,
            },
        );
    }
    screen.long_table(&columns(is_compressed), &cells)
}

struct RowOf<'a, T: ?Sized> {
    number: u64,
    state: &'a str,
    bytes: u64,
    stored: Option<u64>,
    modified: &'a str,
    title: &'a T,
}

fn columns(is_compressed: bool) -> Vec<(&'static str, Alignment)> {
    let mut columns = vec![
        ("number", Alignment::Right),
        ("state", Alignment::Left),
        ("size", Alignment::Right),
        ("stored", Alignment::Right),
        ("modified", Alignment::Left),
        ("title", Alignment::Left),
    ];
    columns.retain(|(name, _)| is_compressed || *name != "stored");
    columns
}

fn add_row<T: Display + ?Sized>(cells: &mut Cells, is_compressed: bool, row: &RowOf<'_, T>) {
    cells.add(row.number);
    cells.add(row.state);
    cells.add(HumanBytes(row.bytes));
    if is_compressed {
        let stored = row.stored.map(|stored| HumanBytes(stored).to_string());
        cells.add(stored.unwrap_or_default());
    }
    cells.add(row.modified);
    cells.add(row.title);
}

/// All that is known of a file.
#[derive(Debug, Serialize)]
pub(super) struct OneFile {
    pub volume: String,
    pub path: String,
    #[serde(flatten)]
    pub file: FileWords,
    /// Also what is 0 or not set.
    #[serde(skip)]
    pub all: bool,
}

impl Report for OneFile {
    fn text(&self, screen: &Screen) -> String {
        let file = &self.file;
        let mut text = screen.paint(Paint::Heading, &file.title.words()) + "\n";
        let mut line = |name: &str, value: &str| {
            text += &format!("  {name:<11}{}\n", printable(value));
        };
        line("volume", &self.volume);
        line("capsule", &format!("{} ({})", self.path, file.capsule));
        line("state", file.state);
        // An attribute that is not set says nothing.
        let mut optional = |name: &str, value: Option<&str>| match value {
            Some(value) => line(name, value),
            None if self.all => line(name, "-"),
            None => {}
        };
        optional("why", file.why.as_deref());
        optional("note", file.note.as_deref());
        line("kind", file.kind);
        line("size", &pseudotape_human::counted(file.bytes, "byte"));
        match file.stored {
            Some(stored) => {
                let bytes = pseudotape_human::counted(stored, "byte");
                line("stored", &format!("{bytes}, compressed by zstd"));
            }
            None if self.all => line("stored", "as it is"),
            None => {}
        }
        for (name, number) in [("generation", file.generation), ("version", file.version)] {
            if self.all || number > 0 {
                line(name, &number.to_string());
            }
        }
        let mut optional = |name: &str, value: Option<&str>| match value {
            Some(value) => line(name, value),
            None if self.all => line(name, "-"),
            None => {}
        };
        optional("created", file.created.as_deref());
        optional("modified", Some(&file.modified));
        optional("blake3", file.blake3.as_deref());
        line("added", &file.added);
        text
    }
}

/// A line for each, as far as they are to be named.
pub(super) fn named(lines: &[String], verbose: bool) -> String {
    let most = if verbose { lines.len() } else { NAMED };
    let mut text = String::new();
    for line in lines.iter().take(most) {
        text += line;
        text.push('\n');
    }
    match lines.len().saturating_sub(most) {
        0 => text,
        more => {
            text + &format!(
                "... and {} more (--verbose names them)\n",
                counted(more as u64, "file")
            )
        }
    }
}

/// A path as people and programs get it.
#[derive(Debug, Serialize)]
pub(super) struct ShownPath {
    /// Its text; where it is none, with escapes.
    pub(super) file: String,
    /// Its bytes in hexadecimal, where it is no text.
    pub(super) file_bytes: Option<String>,
}

impl ShownPath {
    pub(super) fn new(path: &[u8]) -> Self {
        let text = std::str::from_utf8(path);
        let bytes = || path.iter().map(|byte| format!("{byte:02x}")).collect();
        ShownPath {
            file: text.map_or_else(|_| path.escape_ascii().to_string(), str::to_owned),
            file_bytes: text.is_err().then(bytes),
        }
    }

    /// In a line of its own, whatever it has in it.
    pub(super) fn line(&self) -> String {
        printable(&self.file).replace('\n', "\\n")
    }
}
