//! A tape of one of the two commands: opened, ready, and where it has to be.

use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use pseudotape_copy::{Error, Side, go_to};
use pseudotape_human::{counted, printable};
use pseudotape_image::{Error as ImageError, Missing};
use pseudotape_sink::{Access, Location, Sink};
use pseudotape_tape::{Capacity, Drive, Noted, ObjectNumber, PartitionNumber, Volume, make_ready};

use crate::image::{Opened, in_use, lost_end};

pub(crate) struct Tape {
    pub(crate) sink: Sink,
    pub(crate) open: Box<dyn Volume>,
    pub(crate) side: Side,
}

impl Tape {
    /// Opens the tape that a copy is read from. Where it is not there, most often the order is wrong.
    pub(crate) fn open_source(sink: &Sink) -> Result<Self> {
        let missing = |error: &pseudotape_sink::Error| match error {
            pseudotape_sink::Error::Missing { path } => Some(path.clone()),
            _ => None,
        };
        Tape::open(sink, Access::ReadOnly, Side::First).map_err(|error| {
            match error.downcast_ref().and_then(missing) {
                Some(path) => anyhow!(
                    "{}: no such image or tape node (the tape to read stands first, the one to write second)",
                    path.display()
                ),
                None => error,
            }
        })
    }

    /// Opens it and fetches its unit attentions.
    pub(crate) fn open(sink: &Sink, access: Access, side: Side) -> Result<Self> {
        let open = sink.open(access).map_err(|error| match &error {
            pseudotape_sink::Error::Image(reason @ ImageError::InUse { .. }) => in_use(reason),
            _ => anyhow::Error::from(error),
        })?;
        let mut tape = Tape {
            sink: sink.clone(),
            open,
            side,
        };
        make_ready(tape.drive()).map_err(|failed| anyhow!("{}: {failed}", tape.name()))?;
        Ok(tape)
    }

    pub(crate) fn drive(&mut self) -> &mut dyn Drive {
        &mut self.open
    }

    /// How messages call it.
    pub(crate) fn name(&self) -> String {
        name_of(&self.sink)
    }

    /// How many partitions there are.
    pub(crate) fn partitions(&mut self) -> Result<u8> {
        let name = self.name();
        let mode = self
            .drive()
            .mode()
            .map_err(|failed| anyhow!("{name}: {failed}"))?;
        Ok(mode.last_partition.saturating_add(1))
    }

    /// Goes before an object.
    pub(crate) fn go_to(&mut self, partition: Option<u8>, object: u64) -> Result<()> {
        let name = self.name();
        let (side, partition) = (self.side, partition.map(PartitionNumber));
        match go_to(self.drive(), side, partition, ObjectNumber(object)) {
            Err(Error::Position {
                expected, found, ..
            }) if found < expected => Err(anyhow!(
                "{name}: there is no object {expected}: the tape ends behind {}",
                counted(found.0, "object")
            )),
            done => done.with_context(|| name),
        }
    }

    /// What is known of its capacity.
    pub(crate) fn capacity(&mut self) -> Result<Capacity> {
        let name = self.name();
        self.drive()
            .capacity()
            .map_err(|failed| anyhow!("{name}: {failed}"))
    }

    /// Bytes of blocks recorded, where the drive knows it.
    pub(crate) fn known_bytes(&mut self) -> Result<Option<u64>> {
        // Only an image knows who it is, and behind a filter what it counts are frames.
        let is_image = self.open.volume_identity().id.is_some();
        Ok(match is_image && !self.sink.is_filtered() {
            true => Some(self.capacity()?.used_bytes),
            false => None,
        })
    }

    /// What was committed in a partition and is not there any more. Known of an image only.
    pub(crate) fn missing(&self, partition: u8) -> Result<Option<Missing>> {
        match (self.open.volume_identity().id, self.sink.image_path()) {
            (Some(_), Some(path)) => Ok(Opened::for_reading(path, partition)?.image.missing()),
            _ => Ok(None),
        }
    }

    /// Why where a partition ends says nothing of where its data ended. Known of an image only.
    pub(crate) fn lost_end(&self, partition: u8) -> Result<Option<String>> {
        match (self.open.volume_identity().id, self.sink.image_path()) {
            (Some(_), Some(path)) => Ok(lost_end(&Opened::for_reading(path, partition)?.image)),
            _ => Ok(None),
        }
    }

    /// Whether where the tape ends says nothing of where it ended: committed data are missing, or nothing is left that
    /// says what was committed. Known of an image only.
    pub(crate) fn end_is_lost(&self, partition: u8) -> Result<bool> {
        let (Some(_), Some(path)) = (self.open.volume_identity().id, self.sink.image_path()) else {
            return Ok(false);
        };
        let opened = Opened::for_reading(path, partition)?;
        let report = &opened.report;
        Ok(opened.image.missing().is_some() || report.damaged_slots == 2 || report.end_unknown)
    }

    /// The first object that the tape itself says it misses: it is no whole copy, or lost data that somebody accepted
    /// as lost.
    pub(crate) fn misses_from(&self) -> Option<ObjectNumber> {
        match self.open.noted() {
            Noted::NotMirroredFrom(object) => Some(object),
            Noted::Mirrored | Noted::NoPlace => None,
        }
    }

    pub(crate) fn finish(self) -> Result<()> {
        let name = self.name();
        self.open.finish().with_context(|| name)
    }
}

/// A path as it is, anything else by its specification.
pub(crate) fn name_of(sink: &Sink) -> String {
    let text = match &sink.place {
        Location::Path(path) if !sink.is_filtered() => path.display().to_string(),
        Location::Image(image) if !sink.is_filtered() => image.path.display().to_string(),
        Location::Device(path) if !sink.is_filtered() => path.display().to_string(),
        _ => sink.to_string(),
    };
    printable(&text)
}

/// Adds which tape it was, and what its drive knows beyond a sense.
pub(crate) fn explained(error: Error, first: &mut Tape, second: &mut Tape) -> anyhow::Error {
    let tape = match &error {
        Error::Drive { side, .. } | Error::Position { side, .. } | Error::Memory { side, .. } => {
            match side {
                Side::First => first,
                Side::Second => second,
            }
        }
        Error::BlockLength { .. } | Error::NotRecordable { .. } => second,
    };
    let name = tape.name();
    match tape.open.take_trouble() {
        Some(trouble) => anyhow::Error::from(error).context(format!("{name}: {trouble}")),
        None => anyhow::Error::from(error).context(name),
    }
}

/// Refuses one image in both places.
pub(crate) fn ensure_different(first: &Sink, second: &Sink) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    if let (Some(a), Some(b)) = (first.image_path(), second.image_path())
        && let (Some(one), Some(other)) = (identity(a), identity(b))
    {
        ensure!(
            one != other,
            "{} and {} are the same: name two tapes",
            a.display(),
            b.display()
        );
    }
    Ok(())
}
