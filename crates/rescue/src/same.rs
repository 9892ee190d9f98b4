//! Whether a source is the tape that the map is of.

use std::collections::BTreeSet;

use pseudotape_tape::{Address, Drive, Mark, ObjectNumber, Sense, Stop, Transfer, Volume};

use crate::error::{Error, Tape};
use crate::events::Options;
use crate::found::Object;
use crate::map::{Map, SourceName, State};
use crate::writer::Kept;

/// Runs of good objects whose edges are compared, from each end of the tape.
const RUNS: usize = 8;
/// Objects that are compared besides, evenly over the tape.
const SAMPLES: u64 = 8;
/// Longest block of a sample that is compared whole.
const SAMPLE_BYTES: usize = 16 << 20;

/// Refuses a source that is another tape, or the same one with other data on it: some objects are compared that both
/// have.
///
/// | the source | what is done |
/// |---|---|
/// | is known by its identity, drive, label and generation | nothing is read |
/// | an object differs that both have | refused, always |
/// | another label than all known ones | refused, unless the user says that it is the same |
/// | another identity, and no block that both have can be read | the same |
pub(crate) fn ensure_same(
    source: &mut dyn Volume,
    name: &SourceName,
    kept: &mut Kept<'_>,
    options: Options,
) -> Result<(), Error> {
    let known = &kept.map.sources;
    if kept.map.frontier() == 0 {
        return Ok(());
    }
    if name.volume.is_some() && known.contains(name) {
        return Ok(());
    }
    let labels: BTreeSet<&str> = known
        .iter()
        .map(|source| source.label.as_str())
        .filter(|label| !label.is_empty())
        .collect();
    let other_label =
        !name.label.is_empty() && !labels.is_empty() && !labels.contains(name.label.as_str());
    if other_label && !options.same_tape {
        return Err(Error::OtherTape(format!(
            "its label is '{}', and the rescue is of '{}': if it is a copy of that, --same-tape says so",
            name.label,
            Vec::from_iter(labels).join("', '")
        )));
    }
    let of_it = |one: &SourceName| (one.volume, one.generation) == (name.volume, name.generation);
    let volume_known = name.volume.is_some() && known.iter().any(of_it);
    let equal = compare(source, kept)?;
    let anything_good = kept.map.counts().good > 0;
    if equal == 0 && anything_good && !volume_known && !options.same_tape {
        return Err(Error::OtherTape(
            "not one block that was rescued can be read on it, so nothing shows that it is the same: if it is, \
             --same-tape says so"
                .to_owned(),
        ));
    }
    Ok(())
}

/// The good objects that are compared.
fn samples(map: &Map) -> BTreeSet<u64> {
    let good: Vec<_> = map
        .runs()
        .iter()
        .filter(|run| matches!(run.state, State::Good(_)))
        .collect();
    let ends = good.iter().take(RUNS).chain(good.iter().rev().take(RUNS));
    let mut samples: BTreeSet<u64> = ends.flat_map(|run| [run.first, run.end() - 1]).collect();
    let frontier = map.frontier();
    let even = (0..SAMPLES).map(|part| part * (frontier / SAMPLES));
    samples.extend(even.filter(|object| {
        map.state(*object)
            .is_some_and(|run| matches!(run.state, State::Good(_)))
    }));
    samples
}

/// How many blocks are the same, of those that can be read on both.
///
/// A drive that says that it was reset, or may have another medium, has lost its place at a bad block, or has another
/// tape by now: all is compared anew, but for the object where it said so.
fn compare(source: &mut dyn Volume, kept: &mut Kept<'_>) -> Result<u64, Error> {
    let mut samples = samples(kept.map);
    loop {
        match compare_all(source, kept, &samples) {
            Err(Error::Drive {
                tape: Tape::Source,
                object,
                failed,
                ..
            }) if matches!(failed.sense, Sense::Reset | Sense::MediumChanged)
                && samples.remove(&object.0) =>
            {
                // The first answer may say once more what happened.
                if source.rewind().is_err() {
                    let _second = source.rewind();
                }
            }
            compared => return compared,
        }
    }
}

fn compare_all(
    source: &mut dyn Volume,
    kept: &mut Kept<'_>,
    samples: &BTreeSet<u64>,
) -> Result<u64, Error> {
    let mut buffer = vec![0; 1 << 20];
    let mut equal = 0;
    for object in samples.iter().copied() {
        let Some(ours) = kept.read(object)? else {
            continue;
        };
        if let Object::Block(bytes) = &ours
            && bytes.len() > buffer.len()
        {
            buffer.resize(bytes.len().min(SAMPLE_BYTES), 0);
        }
        let Some(theirs) = read(source, object, &mut buffer)? else {
            continue;
        };
        let same = match (&ours, &theirs) {
            (Object::Block(ours), Theirs::Block(length, theirs)) => {
                equal += 1;
                ours.len() == *length && ours.get(..theirs.len()) == Some(theirs)
            }
            (Object::Mark(ours), Theirs::Mark(theirs)) => ours == theirs,
            (Object::Block(_), Theirs::Mark(_)) | (Object::Mark(_), Theirs::Block(..)) => false,
        };
        if !same {
            return Err(Error::OtherTape(format!(
                "object {object} is {} there, and {} on the tape that was rescued",
                theirs.words(),
                words(&ours)
            )));
        }
    }
    Ok(equal)
}

/// What is on the source; a block's length and its first bytes.
enum Theirs<'a> {
    Block(usize, &'a [u8]),
    Mark(Mark),
}

impl Theirs<'_> {
    fn words(&self) -> String {
        match self {
            Theirs::Block(length, _) => format!("a block of {length} bytes"),
            Theirs::Mark(mark) => words(&Object::Mark(*mark)),
        }
    }
}

fn words(object: &Object) -> String {
    match object {
        Object::Block(bytes) => format!("another block of {} bytes", bytes.len()),
        Object::Mark(Mark::Filemark) => "a filemark".to_owned(),
        Object::Mark(Mark::Setmark) => "a setmark".to_owned(),
    }
}

/// Reads an object of the source; `None` where it can't be read, or is not there.
fn read<'a>(
    source: &mut dyn Volume,
    object: u64,
    buffer: &'a mut [u8],
) -> Result<Option<Theirs<'a>>, Error> {
    let fatal = |failed: pseudotape_tape::Failed| match failed.sense {
        Sense::MediumError | Sense::HardwareError => Ok(None),
        _ => Err(Error::Drive {
            tape: Tape::Source,
            object: ObjectNumber(object),
            action: "compare",
            failed,
        }),
    };
    let drive: &mut dyn Drive = source;
    let to = Address {
        partition: None,
        object: ObjectNumber(object),
    };
    match drive.locate(to) {
        Ok(done) if done.position.object.0 == object => {}
        Ok(_) => return Ok(None),
        Err(failed) => return fatal(failed),
    }
    let done = match drive.read(Transfer::Variable, buffer) {
        Ok(done) => done,
        Err(failed) => return fatal(failed),
    };
    if done.position.object.0 != object + 1 {
        return Ok(None);
    }
    Ok(match done.stop {
        Some(Stop::EndOfData) => None,
        Some(Stop::Filemark) => Some(Theirs::Mark(Mark::Filemark)),
        Some(Stop::Setmark) => Some(Theirs::Mark(Mark::Setmark)),
        _ => {
            let length = usize::try_from(done.block_length).unwrap_or(usize::MAX);
            let bytes = buffer.get(..length.min(done.bytes)).unwrap_or_default();
            Some(Theirs::Block(length, bytes))
        }
    })
}
