//! The describing member.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;
use crate::error::Skipped;

/// What the member `format` of each description says.
pub const FORMAT: &str = "pseudotape stack";
/// The version that is written. A reader leaves newer ones alone.
pub const VERSION: u32 = 1;

/// What a tape file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The program, with its version.
    pub written_by: String,
    /// When, in milliseconds after 1970.
    pub written_ms: u64,
    /// Whose it is.
    pub site: Site,
    /// What it was written on.
    pub stacked_volume: StackedVolume,
    /// Rises with each archive of its kind that a site writes: it says what is newer, where clocks do not agree.
    pub sequence: u64,
    /// What is described.
    #[serde(flatten)]
    pub subject: Subject,
    /// What follows; nothing where the description is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Payload>,
}

/// A vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Its own.
    #[serde(with = "as_text")]
    pub identity: uuid::Uuid,
    /// What people call it.
    pub name: String,
}

/// A cartridge that holds many volumes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackedVolume {
    /// Its own; every start from its beginning makes a new one.
    #[serde(with = "as_text")]
    pub identity: uuid::Uuid,
    /// What people call it.
    pub label: String,
    /// Which pool it belongs to.
    pub pool: String,
}

/// What is described.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Subject {
    /// The stacked volume itself, which begins here.
    StackedVolume,
    /// A volume.
    Volume {
        /// Which.
        volume: VolumeDescription,
    },
    /// A backup of the catalog.
    Catalog {
        /// Which.
        catalog: CatalogDescription,
    },
}

/// The words of [`Subject`], as they are written.
const KINDS: [&str; 3] = ["stacked-volume", "volume", "catalog"];

impl Subject {
    /// The name of the describing member.
    #[must_use]
    pub fn member(&self) -> &'static str {
        match self {
            Subject::StackedVolume => "stacked-volume.json",
            Subject::Volume { .. } => "volume.json",
            Subject::Catalog { .. } => "catalog.json",
        }
    }
}

/// A volume, as it was closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeDescription {
    /// Its own.
    #[serde(with = "as_text")]
    pub identity: uuid::Uuid,
    /// What people call it.
    pub label: String,
    /// What it is for: the word of its category.
    pub category: String,
    /// How often it had been written.
    pub generation: u64,
    /// When the last writing ended, in milliseconds after 1970.
    pub closed_ms: u64,
    /// What is on it.
    pub files: Vec<StackedFile>,
}

/// A tape file of a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackedFile {
    /// Its number, from 0.
    pub file: u64,
    /// The object that it begins with.
    pub first_object: u64,
    /// Its blocks.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// BLAKE3 over the bytes of all blocks.
    pub digest: Option<Digest>,
    /// The word of its state.
    pub state: String,
}

/// A catalog, as it was backed up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogDescription {
    /// Version of its schema.
    pub schema: u32,
    /// How many volumes it knows.
    pub volumes: u64,
    /// Its length when it is unpacked.
    pub unpacked_bytes: u64,
    /// BLAKE3 of it when it is unpacked.
    pub unpacked_digest: Digest,
}

/// The member behind the description.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// The name of its member: the name of a file, without folders.
    pub name: String,
    /// Its length.
    pub length: u64,
    /// Its BLAKE3, where that was known before it was written. The member behind the payload has it in any case.
    #[serde(default)]
    pub digest: Option<Digest>,
}

/// A description with what says that it is one.
#[derive(Serialize)]
struct Envelope<'a> {
    format: &'a str,
    version: u32,
    #[serde(flatten)]
    description: &'a Description,
}

impl Description {
    /// The bytes of the describing member.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let envelope = Envelope {
            format: FORMAT,
            version: VERSION,
            description: self,
        };
        let mut bytes =
            serde_json::to_vec_pretty(&envelope).expect("text and numbers are always JSON");
        bytes.push(b'\n');
        bytes
    }

    /// Reads the bytes of a describing member.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Skipped> {
        let foreign = |why: &str| Skipped::Foreign {
            why: format!("its first member {why}"),
        };
        let value: Value = serde_json::from_slice(bytes).map_err(|_| foreign("is no JSON"))?;
        if value.get("format").and_then(Value::as_str) != Some(FORMAT) {
            return Err(foreign("is no description of ours"));
        }
        let version = value.get("version").and_then(Value::as_u64);
        let version = version.ok_or_else(|| foreign("has no version"))?;
        if version > u64::from(VERSION) {
            return Err(Skipped::Newer { version });
        }
        let kind = value
            .get("kind")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if !KINDS.contains(&kind) {
            let kind = kind.escape_debug().take(64).collect();
            return Err(Skipped::UnknownKind { kind });
        }
        serde_json::from_value(value).map_err(|error| Skipped::Malformed {
            why: error.to_string().escape_debug().to_string(),
        })
    }
}

/// Values that are text in JSON.
mod as_text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(
        value: &impl Display,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
