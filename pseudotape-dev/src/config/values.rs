//! Values as people write them in a configuration.

use std::fmt;
use std::time::Duration;

use pseudotape_control::{Portion, parse_portion, parse_size};
use pseudotape_drive::EarlyWarning;
use pseudotape_st::EndOfTape;
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

/// A size in a configuration: a number of bytes, or text with a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(pub(super) u64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SizeVisitor;
        impl Visitor<'_> for SizeVisitor {
            type Value = Size;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size, such as \"64M\" or a number of bytes")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Size, E> {
                parse_size(text).map(Size).map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<Size, E> {
                u64::try_from(bytes).map(Size).map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<Size, E> {
                Ok(Size(bytes))
            }
        }
        deserializer.deserialize_any(SizeVisitor)
    }
}

/// An early-warning zone in a configuration: a size, or text with `%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Zone(pub(super) EarlyWarning);

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "expected a size or per cent, such as \"64M\" or \"5%\""
        )]
        enum Form {
            Bytes(u64),
            Text(String),
        }
        let portion = match Form::deserialize(deserializer)? {
            Form::Bytes(bytes) => Portion::Bytes(bytes),
            Form::Text(text) => parse_portion(&text).map_err(de::Error::custom)?,
        };
        Ok(Zone(match portion {
            Portion::Bytes(bytes) => EarlyWarning::Bytes(bytes),
            Portion::PerCent(hundredths) => EarlyWarning::PerCent(hundredths),
        }))
    }
}

/// Whose end of tape programs see: `linux` or `bsd`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ending(pub(super) EndOfTape);

impl<'de> Deserialize<'de> for Ending {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "linux" => Ok(Ending(EndOfTape::Linux)),
            "bsd" => Ok(Ending(EndOfTape::Bsd)),
            other => Err(de::Error::custom(format_args!(
                "end-of-tape is 'linux' or 'bsd', not '{other}'"
            ))),
        }
    }
}

/// A time in seconds, with a fraction where wanted; on the command line as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seconds(pub(super) Duration);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(f64),
            Text(String),
        }
        let (seconds, said) = match Form::deserialize(deserializer)? {
            Form::Number(seconds) => (Some(seconds), seconds.to_string()),
            Form::Text(text) => (text.trim().parse().ok(), text),
        };
        seconds
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .map(Seconds)
            .ok_or_else(|| de::Error::custom(format!("'{said}' is not a time in seconds")))
    }
}

/// Yes or no; on the command line as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Switch(pub(super) bool);

impl<'de> Deserialize<'de> for Switch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Value(bool),
            Text(String),
        }
        match Form::deserialize(deserializer)? {
            Form::Value(on) => Ok(Switch(on)),
            Form::Text(text) => text
                .parse()
                .map(Switch)
                .map_err(|_| de::Error::custom(format!("'{text}' is neither true nor false"))),
        }
    }
}

/// A list of words: an array of text, or one text with semicolons between them.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "WordsForm")]
pub(super) struct Words(pub(super) Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum WordsForm {
    Line(String),
    Array(Vec<String>),
}

impl From<WordsForm> for Words {
    fn from(form: WordsForm) -> Words {
        Words(match form {
            WordsForm::Line(line) => line
                .split(';')
                .map(|word| word.trim().to_owned())
                .filter(|word| !word.is_empty())
                .collect(),
            WordsForm::Array(words) => words,
        })
    }
}
