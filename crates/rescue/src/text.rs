//! The map as a text, with a checksum in its last line. docs/RESCUE.md describes it.

use std::fmt::Write;

use pseudotape_tape::VolumeId;
use uuid::Uuid;

use crate::map::{Attempt, Bad, Map, Place, Run, SourceName, State};

/// The first line.
const TITLE: &str = "pseudotape-rescue";
/// What this program writes, and the newest that it reads.
const VERSION: u32 = 1;

/// Why a text is no map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MapError {
    /// Another file.
    #[error("it is no map of a rescue: it does not begin with '{TITLE}'")]
    Foreign,
    /// Written by a newer program.
    #[error(
        "it is a map of version {0}, and this program knows version {VERSION}: use a newer one"
    )]
    Newer(u32),
    /// The end is not there.
    #[error("it is cut: its last line is no checksum")]
    Cut,
    /// Some byte is another one.
    #[error("it is damaged: its checksum is {found:08x}, and {wanted:08x} is written in it")]
    Checksum {
        /// Of what is there.
        found: u32,
        /// As it is written.
        wanted: u32,
    },
    /// A line that says nothing that can be.
    #[error("line {line}: {what}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },
}

impl Map {
    /// The map as a text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{TITLE} {VERSION}\n");
        let mut line = |words: std::fmt::Arguments<'_>| {
            text.write_fmt(words).expect("a String takes everything");
            text.push('\n');
        };
        line(format_args!("target {}", self.target));
        line(format_args!("partition {}", self.partition));
        for source in &self.sources {
            let volume = source.volume.map(|volume| volume.to_string());
            let words = serde_json::json!([volume, source.label, source.drive, source.generation]);
            line(format_args!("source {words}"));
        }
        match self.end {
            Some(end) => line(format_args!("end {end}")),
            None => line(format_args!("end ?")),
        }
        for run in &self.runs {
            let (first, objects) = (run.first, run.objects);
            match &run.state {
                State::Good(Place::Base) => line(format_args!("good {first} {objects}")),
                State::Good(Place::Found(at)) => {
                    line(format_args!("found {first} {objects} {at}"));
                }
                State::NotTried => line(format_args!("todo {first} {objects}")),
                State::Bad(bad) => {
                    let mut words = String::new();
                    for attempt in &bad.attempts {
                        let Attempt {
                            source,
                            tries,
                            errno,
                            when,
                        } = attempt;
                        write!(words, " {source}:{tries}:{errno}:{when}")
                            .expect("a String takes everything");
                    }
                    line(format_args!("bad {first} {objects}{words}"));
                }
            }
        }
        let sum = crc32fast::hash(text.as_bytes());
        text + &format!("crc32 {sum:08x}\n")
    }

    /// Reads such a text. All of it is right, or it is no map.
    pub fn from_text(text: &[u8]) -> Result<Self, MapError> {
        let title = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let title = str::from_utf8(title).map_err(|_| MapError::Foreign)?;
        let version = title
            .strip_prefix(TITLE)
            .and_then(|rest| rest.strip_prefix(' '))
            .and_then(|version| version.parse().ok())
            .ok_or(MapError::Foreign)?;
        if version != VERSION {
            return Err(MapError::Newer(version));
        }
        let text = str::from_utf8(text).map_err(|error| MapError::Line {
            line: 1 + text[..error.valid_up_to()]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count(),
            what: "it is no text",
        })?;
        let lines = text.strip_suffix('\n').ok_or(MapError::Cut)?;
        let (_, last) = lines.rsplit_once('\n').ok_or(MapError::Cut)?;
        let wanted = last.strip_prefix("crc32 ").ok_or(MapError::Cut)?;
        if wanted.len() != 8 {
            return Err(MapError::Cut);
        }
        let wanted = u32::from_str_radix(wanted, 16).map_err(|_| MapError::Cut)?;
        let body = &text[..text.len() - last.len() - 1];
        let found = crc32fast::hash(body.as_bytes());
        if found != wanted {
            return Err(MapError::Checksum { found, wanted });
        }
        Parsing::default().all(body)
    }
}

/// What was read so far.
#[derive(Default)]
struct Parsing {
    target: Option<VolumeId>,
    partition: Option<u8>,
    sources: Vec<SourceName>,
    end: Option<Option<u64>>,
    runs: Vec<Run>,
}

impl Parsing {
    fn all(mut self, body: &str) -> Result<Map, MapError> {
        for (at, line) in body.lines().enumerate().skip(1) {
            let said = self.line(line);
            said.map_err(|what| MapError::Line { line: at + 1, what })?;
        }
        let missing = |what| MapError::Line { line: 1, what };
        let map = Map {
            target: self.target.ok_or(missing("there is no line 'target'"))?,
            partition: self
                .partition
                .ok_or(missing("there is no line 'partition'"))?,
            sources: self.sources,
            end: self.end.ok_or(missing("there is no line 'end'"))?,
            runs: self.runs,
        };
        if map.end.is_some_and(|end| end < map.frontier()) {
            return Err(missing("it tells of objects behind the end of the tape"));
        }
        Ok(map)
    }

    fn line(&mut self, line: &str) -> Result<(), &'static str> {
        let (word, rest) = line.split_once(' ').ok_or("a word and what it says")?;
        match word {
            "target" if self.target.is_none() => {
                let id = Uuid::parse_str(rest).map_err(|_| "'target' has no identity")?;
                self.target = Some(VolumeId(id));
            }
            "partition" if self.partition.is_none() => {
                let number = rest.parse().map_err(|_| "'partition' has no number")?;
                self.partition = Some(number);
            }
            "source" => self.sources.push(source(rest)?),
            "end" if self.end.is_none() => {
                self.end = Some(match rest {
                    "?" => None,
                    rest => Some(rest.parse().map_err(|_| "'end' has no number")?),
                });
            }
            "good" | "found" | "todo" | "bad" => {
                let run = self.run(word, rest)?;
                self.runs.push(run);
            }
            _ => return Err("a word that is not known, or stands twice"),
        }
        Ok(())
    }

    fn run(&self, word: &str, rest: &str) -> Result<Run, &'static str> {
        let mut words = rest.split(' ');
        let mut number = || words.next()?.parse::<u64>().ok();
        let first = number().ok_or("no first object")?;
        let objects = number().ok_or("no number of objects")?;
        let expected = self.runs.last().map_or(0, Run::end);
        if first != expected {
            return Err("it does not begin where the run before it ended");
        }
        if objects == 0 || first.checked_add(objects).is_none() {
            return Err("a number of objects that can't be");
        }
        let state = match word {
            "good" => State::Good(Place::Base),
            "todo" => State::NotTried,
            "found" => {
                let at = number().ok_or("no place")?;
                let last = objects.checked_mul(2).and_then(|all| all.checked_add(at));
                last.ok_or("a place that can't be")?;
                State::Good(Place::Found(at))
            }
            _ => {
                let mut bad = Bad::default();
                for attempt in words.by_ref() {
                    let attempt = self.attempt(attempt).ok_or("an attempt that can't be")?;
                    if bad.tries_of(attempt.source) > 0 {
                        return Err("two attempts of one source");
                    }
                    bad.attempts.push(attempt);
                }
                if bad.attempts.is_empty() {
                    return Err("bad without an attempt");
                }
                State::Bad(bad)
            }
        };
        match words.next() {
            None => Ok(Run {
                first,
                objects,
                state,
            }),
            Some(_) => Err("more words than there should be"),
        }
    }

    fn attempt(&self, text: &str) -> Option<Attempt> {
        let mut parts = text.split(':');
        let attempt = Attempt {
            source: parts.next()?.parse().ok()?,
            tries: parts.next()?.parse().ok()?,
            errno: parts.next()?.parse().ok()?,
            when: parts.next()?.parse().ok()?,
        };
        let fits = attempt.source < self.sources.len() && attempt.tries > 0;
        (fits && parts.next().is_none()).then_some(attempt)
    }
}

fn source(text: &str) -> Result<SourceName, &'static str> {
    let words: (Option<String>, String, String, Option<u64>) = serde_json::from_str(text)
        .map_err(|_| "'source' is not [volume, label, drive, generation]")?;
    let volume = match words.0 {
        Some(id) => Some(VolumeId(
            Uuid::parse_str(&id).map_err(|_| "'source' has no identity")?,
        )),
        None => None,
    };
    Ok(SourceName {
        volume,
        label: words.1,
        drive: words.2,
        generation: words.3,
    })
}

#[cfg(test)]
#[path = "text_test.rs"]
mod tests;
