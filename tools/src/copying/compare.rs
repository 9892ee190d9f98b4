use std::fmt::Write;
use std::ops::ControlFlow;

use anyhow::Result;
use pseudotape_copy::{Difference, Object, Side, compare};
use pseudotape_human::{HumanBytes, Paint, Report, Screen, counted, printable};
use pseudotape_sink::Access;
use pseudotape_tape::{Drive, ObjectNumber, Transfer, Volume};
use serde::Serialize;

use super::copy::Lost;
use super::meter::{Meter, rate};
use super::tape::{Tape, ensure_different, explained};
use crate::Verdict;
use crate::cli::CompareOptions;

#[derive(Debug, Serialize)]
struct Compared {
    a: String,
    b: String,
    identical: bool,
    /// Partitions of a and b.
    partitions_of_each: [u8; 2],
    partitions: Vec<Partition>,
    /// Neither lost data that were committed on it, or is marked as no whole copy.
    whole: bool,
    /// Which did, in words.
    #[serde(skip)]
    lost: Vec<String>,
    seconds: f64,
    bytes_per_second: u64,
}

#[derive(Debug, Serialize)]
struct Partition {
    partition: u8,
    identical: bool,
    /// What is the same on both, up to the difference.
    objects: u64,
    blocks: u64,
    bytes: u64,
    filemarks: u64,
    difference: Option<Different>,
    /// Unreadable on both.
    unreadable: Vec<Lost>,
}

#[derive(Debug, Serialize)]
struct Different {
    object: u64,
    file: u64,
    a: Seen,
    b: Seen,
    first_byte: Option<u64>,
    /// Why something is unreadable, with the name of the tape.
    #[serde(skip)]
    why: String,
}

#[derive(Debug, Serialize)]
struct Seen {
    kind: &'static str,
    length: Option<u32>,
    #[serde(skip)]
    words: String,
}

impl From<Object> for Seen {
    fn from(object: Object) -> Self {
        let (kind, length) = match object {
            Object::Block { length } => ("block", Some(length)),
            Object::Filemark => ("filemark", None),
            Object::Setmark => ("setmark", None),
            Object::Unreadable => ("unreadable", None),
            Object::EndOfData => ("end-of-data", None),
        };
        Seen {
            kind,
            length,
            words: object.to_string(),
        }
    }
}

impl From<Difference> for Different {
    fn from(difference: Difference) -> Self {
        Different {
            object: difference.object.0,
            file: difference.file,
            a: difference.first.into(),
            b: difference.second.into(),
            first_byte: difference.byte,
            why: String::new(),
        }
    }
}

impl Report for Compared {
    fn text(&self, screen: &Screen) -> String {
        let mut text = String::new();
        let mut line =
            |words: String| writeln!(text, "{words}").expect("a String takes everything");
        let [a, b] = self.partitions_of_each;
        if a != b {
            line(format!(
                "{}: {} has {}, {} has {}",
                screen.paint(Paint::Bad, "different"),
                self.a,
                counted(a.into(), "partition"),
                self.b,
                counted(b.into(), "partition")
            ));
        }
        for lost in &self.lost {
            line(format!(
                "{}: {lost}",
                screen.paint(Paint::Bad, "incomplete")
            ));
        }
        for part in &self.partitions {
            let place = match self.partitions.len() {
                1 => String::new(),
                _ => format!("partition {}: ", part.partition),
            };
            if let Some(different) = &part.difference {
                let byte = match different.first_byte {
                    Some(byte) => format!("; byte {byte} is the first that differs"),
                    None => String::new(),
                };
                line(format!(
                    "{place}{}: object {} (file {}) is {} on {}, and {} on {}{byte}{}",
                    screen.paint(Paint::Bad, "different"),
                    different.object,
                    different.file,
                    different.a.words,
                    self.a,
                    different.b.words,
                    self.b,
                    different.why
                ));
            }
            for lost in &part.unreadable {
                line(format!(
                    "{place}{} from object {} on: {} can't be read on either",
                    screen.paint(Paint::Bad, "damage"),
                    lost.first_object,
                    counted(lost.objects, "object")
                ));
            }
            let verdict = match part.identical {
                true => screen.paint(Paint::Good, "identical"),
                false => "the same before".to_owned(),
            };
            line(format!(
                "{place}{verdict}: {}, {}, {} ({}/s)",
                counted(part.blocks, "block"),
                counted(part.filemarks, "filemark"),
                HumanBytes(part.bytes),
                HumanBytes(self.bytes_per_second)
            ));
        }
        text
    }
}

pub(crate) fn run(options: &CompareOptions, screen: &Screen) -> Result<Verdict> {
    ensure_different(&options.first, &options.second)?;
    let mut a = Tape::open(&options.first, Access::ReadOnly, Side::First)?;
    let mut b = Tape::open(&options.second, Access::ReadOnly, Side::Second)?;
    let counts = [a.partitions()?, b.partitions()?];
    let all = 0..counts[0].min(counts[1]);
    let partitions = match options.partition {
        Some(partition) => vec![partition],
        None => all.collect(),
    };
    let mut total = a.known_bytes()?.into_iter().chain(b.known_bytes()?).min();
    if partitions.len() > 1 {
        total = None;
    }
    let mut meter = Meter::new("compared", total, screen);
    let mut found = Vec::new();
    let mut lost = Vec::new();
    for tape in [&a, &b] {
        if let Some(object) = tape.misses_from() {
            lost.push(format!(
                "{} is marked as no whole copy: what it misses begins with object {object}",
                tape.name()
            ));
        }
    }
    for partition in partitions {
        for tape in [&a, &b] {
            if let Some(missing) = tape.lost_end(partition)? {
                let place = match partition {
                    0 => String::new(),
                    number => format!("partition {number}: "),
                };
                lost.push(format!("{}: {place}{missing}", tape.name()));
            }
        }
        found.push(one(partition, &mut a, &mut b, &mut meter)?);
    }
    let time = meter.finish();
    let bytes = found.iter().map(|part| part.bytes).sum();
    let same_count = counts[0] == counts[1] || options.partition.is_some();
    let compared = Compared {
        a: a.name(),
        b: b.name(),
        identical: same_count && found.iter().all(|part| part.identical),
        partitions_of_each: counts,
        partitions: found,
        whole: lost.is_empty(),
        lost,
        seconds: time.as_secs_f64(),
        bytes_per_second: rate(bytes, time),
    };
    screen.show(&compared)?;
    Ok(match compared.identical && compared.whole {
        true => Verdict::Well,
        false => Verdict::Found,
    })
}

fn one(partition: u8, a: &mut Tape, b: &mut Tape, meter: &mut Meter) -> Result<Partition> {
    a.go_to(Some(partition), 0)?;
    b.go_to(Some(partition), 0)?;
    let found = compare(&mut a.open, &mut b.open, &mut |progress| {
        meter.at(progress.bytes);
        ControlFlow::Continue(())
    })
    .map_err(|error| explained(error, a, b))?;
    let difference = found.difference.map(|difference| {
        let mut different = Different::from(difference);
        for (object, tape) in [(difference.first, a), (difference.second, b)] {
            if object == Object::Unreadable
                && let Some(trouble) = trouble_at(tape, partition, difference.object)
            {
                different.why += &format!("; {}: {}", tape.name(), printable(&trouble));
            }
        }
        different
    });
    Ok(Partition {
        partition,
        identical: found.is_identical(),
        objects: found.objects,
        blocks: found.blocks,
        bytes: found.bytes,
        filemarks: found.filemarks,
        difference,
        unreadable: found.unreadable.iter().map(Lost::from).collect(),
    })
}

/// Why an object can't be read. The tape may have been read further since.
fn trouble_at(tape: &mut Tape, partition: u8, object: ObjectNumber) -> Option<String> {
    let later = tape.open.take_trouble();
    tape.go_to(Some(partition), object.0).ok()?;
    match tape.open.read(Transfer::Variable, &mut [0]) {
        // Only reading on to there shows it.
        Ok(_) => later,
        Err(_) => tape.open.take_trouble(),
    }
}
