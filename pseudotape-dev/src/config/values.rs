//! Parsing the values of a configuration.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use pseudotape_st::EndOfTape;
use serde::Deserialize;
use serde::de::{self, Deserializer};

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

/// A number of things; on the command line as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count(pub(super) usize);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(i64),
            Text(String),
        }
        let (count, said) = match Form::deserialize(deserializer)? {
            Form::Number(number) => (usize::try_from(number).ok(), number.to_string()),
            Form::Text(text) => (text.trim().parse().ok(), text),
        };
        count
            .map(Count)
            .ok_or_else(|| de::Error::custom(format!("'{said}' is not a number of legs")))
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

/// Paths are shown to people in other directories, and the daemon may be started anew from one.
pub fn absolute(path: PathBuf) -> Result<PathBuf> {
    std::path::absolute(&path)
        .with_context(|| format!("can't make {} an absolute path", path.display()))
}
