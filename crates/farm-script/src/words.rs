//! A file in the words of JSON: docs/JSON.md has the table.

use pseudotape_farm::{Entry, Time, Title};
use pseudotape_human::{printable, time_words};
use serde::Serialize;

/// A title. Of one that is no text the JSON has the bytes as well.
#[derive(Clone, Debug, Serialize)]
pub struct TitleWords {
    /// Its text; where it is none, with escapes.
    pub title: String,
    /// Its bytes in hexadecimal, where it is no text.
    pub title_bytes: Option<String>,
}

impl TitleWords {
    /// The words of a title.
    #[must_use]
    pub fn new(title: &Title) -> Self {
        let bytes = || {
            let bytes = title.bytes().iter();
            bytes.map(|byte| format!("{byte:02x}")).collect()
        };
        match title.text() {
            Some(text) => TitleWords {
                title: text.to_owned(),
                title_bytes: None,
            },
            None => TitleWords {
                title: title.to_string(),
                title_bytes: Some(bytes()),
            },
        }
    }

    /// Of what can't be one: the catalog is not what this program wrote.
    #[must_use]
    pub fn unknown() -> Self {
        TitleWords {
            title: "?".to_owned(),
            title_bytes: None,
        }
    }

    /// On one line, whatever is in it.
    #[must_use]
    pub fn words(&self) -> String {
        match Title::new(self.title.as_bytes()) {
            Some(title) => title.to_string(),
            None => printable(&self.title),
        }
    }
}

/// A file of a volume.
#[derive(Clone, Debug, Serialize)]
pub struct FileWords {
    /// The number of its capsule.
    pub number: u64,
    /// Its title.
    #[serde(flatten)]
    pub title: TitleWords,
    /// Whether it is a file, a link, a FIFO.
    pub kind: &'static str,
    /// What the capsule has of it.
    pub state: &'static str,
    /// Its length.
    pub bytes: u64,
    /// The length of its archive as it is stored, where it is compressed.
    pub stored: Option<u64>,
    /// Its generation.
    pub generation: u64,
    /// Its version.
    pub version: u64,
    /// When it was made, where that is known.
    pub created: Option<String>,
    /// When it was changed last.
    pub modified: String,
    /// The digest of its contents.
    pub blake3: Option<String>,
    /// The identity of its capsule.
    pub capsule: String,
    /// When it came into the volume.
    pub added: String,
    /// Why it is not as it should be.
    pub why: Option<String>,
    /// What somebody noted about it.
    pub note: Option<String>,
}

impl FileWords {
    /// The words of an entry of a directory.
    #[must_use]
    pub fn new(entry: &Entry) -> Self {
        FileWords {
            number: entry.number.0.get(),
            title: TitleWords::new(&entry.title),
            kind: entry.kind.word(),
            state: entry.state.word(),
            bytes: entry.length,
            stored: entry.stored,
            generation: entry.stamp.generation,
            version: entry.stamp.version,
            created: entry.stamp.created.map(file_time_words),
            modified: file_time_words(entry.stamp.modified),
            blake3: entry.digest.map(|digest| digest.to_string()),
            capsule: entry.capsule.to_string(),
            added: time_words(entry.added_ms),
            why: entry.why.clone(),
            note: entry.note.clone(),
        }
    }
}

/// A time of a file, which can lie before 1970 and has nanoseconds.
#[must_use]
pub fn file_time_words(time: Time) -> String {
    let whole = u64::try_from(time.seconds)
        .ok()
        .and_then(|seconds| seconds.checked_mul(1000));
    match whole {
        Some(ms) if time.nanoseconds == 0 => time_words(ms),
        Some(ms) => {
            let words = time_words(ms);
            match words.strip_suffix('Z') {
                Some(words) => format!("{words}.{:09}Z", time.nanoseconds),
                None => words,
            }
        }
        None => format!("{} s after 1970", time.text()),
    }
}
