//! Objects that are kept: in the base, or in the image of what was found later.

use std::ops::{Deref, DerefMut};

use pseudotape_tape::{
    Address, Done, Failed, Mark, ObjectNumber, Sense, Stop, Transfer, Volume, WriteMode,
};

use crate::error::{Error, Tape};
use crate::map::{Map, Place, State};

/// Before each object that was found lies a block that says which one it is: this, its number, and a checksum.
const LABEL: &[u8; 8] = b"PTFOUND\x01";
const LABEL_BYTES: usize = 20;

/// An object that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    /// A block.
    Block(Vec<u8>),
    /// A mark.
    Mark(Mark),
}

impl Object {
    pub(crate) fn as_written(&self) -> Written<'_> {
        match self {
            Object::Block(bytes) => Written::Block(bytes),
            Object::Mark(mark) => Written::Mark(*mark),
        }
    }
}

/// An object that is to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Written<'a> {
    Block(&'a [u8]),
    Mark(Mark),
}

/// A volume that is lent to us, or ours.
pub(crate) enum Handle<'a> {
    Lent(&'a mut dyn Volume),
    Own(Box<dyn Volume>),
}

impl<'a> Deref for Handle<'a> {
    type Target = dyn Volume + 'a;

    fn deref(&self) -> &Self::Target {
        match self {
            Handle::Lent(volume) => *volume,
            Handle::Own(volume) => &**volume,
        }
    }
}

impl DerefMut for Handle<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Handle::Lent(volume) => *volume,
            Handle::Own(volume) => &mut **volume,
        }
    }
}

/// An image of ours, and what it is to us.
pub(crate) struct Image<'a> {
    pub(crate) volume: Handle<'a>,
    pub(crate) tape: Tape,
    /// Where the tape is.
    at: u64,
    /// Objects on it.
    pub(crate) end: u64,
}

impl<'a> Image<'a> {
    pub(crate) fn open(mut volume: Handle<'a>, tape: Tape) -> Result<Self, Error> {
        let moved = volume.space_to_end_of_data();
        let done = moved.map_err(|failed| Error::Drive {
            tape,
            object: ObjectNumber(0),
            action: "go to its end",
            failed,
        })?;
        let end = done.position.object.0;
        Ok(Image {
            volume,
            tape,
            at: end,
            end,
        })
    }

    /// What is written goes to where the tape is, and nothing is behind it.
    pub(crate) fn here(mut volume: Handle<'a>, tape: Tape) -> Result<Self, Error> {
        let position = volume.position().map_err(|failed| Error::Drive {
            tape,
            object: ObjectNumber(0),
            action: "tell the position",
            failed,
        })?;
        let at = position.object.0;
        let end = at;
        Ok(Image {
            volume,
            tape,
            at,
            end,
        })
    }

    fn go_to(&mut self, object: u64) -> Result<(), Error> {
        if self.at == object {
            return Ok(());
        }
        let (tape, number) = (self.tape, ObjectNumber(object));
        let to = Address {
            partition: None,
            object: number,
        };
        let located = self.volume.locate(to);
        let done = located.map_err(|failed| Error::Drive {
            tape,
            object: number,
            action: "position",
            failed,
        })?;
        self.arrived(object, done)
    }

    fn arrived(&mut self, expected: u64, done: Done) -> Result<(), Error> {
        self.at = done.position.object.0;
        if self.at == expected {
            return Ok(());
        }
        Err(Error::Position {
            tape: self.tape,
            expected: ObjectNumber(expected),
            found: done.position.object,
        })
    }

    /// Writes an object behind all others.
    pub(crate) fn append(&mut self, object: Written<'_>) -> Result<u64, Error> {
        let at = self.end;
        self.go_to(at)?;
        let written = match object {
            Written::Block(bytes) => self.volume.write(Transfer::Variable, bytes),
            Written::Mark(mark) => self.volume.write_marks(mark, 1, WriteMode::Immediate),
        };
        self.wrote(at, written, "write")
    }

    /// Notes behind all others that an object can't be read.
    pub(crate) fn append_note(&mut self) -> Result<u64, Error> {
        let at = self.end;
        self.go_to(at)?;
        let written = self.volume.record_unreadable(0);
        self.wrote(at, written, "note what can't be read")
    }

    fn wrote(
        &mut self,
        at: u64,
        written: Result<Done, Failed>,
        action: &'static str,
    ) -> Result<u64, Error> {
        let (tape, object) = (self.tape, ObjectNumber(at));
        let done = written.map_err(|failed| Error::Drive {
            tape,
            object,
            action,
            failed,
        })?;
        if done.count == 0 {
            return Err(Error::Full { tape, object });
        }
        self.arrived(at + 1, done)?;
        self.end = at + 1;
        Ok(at)
    }

    /// Brings everything to stable storage.
    pub(crate) fn commit(&mut self) -> Result<(), Error> {
        let (tape, object) = (self.tape, ObjectNumber(self.end));
        self.go_to(self.end)?;
        let done = self
            .volume
            .write_marks(Mark::Filemark, 0, WriteMode::Commit);
        done.map(drop).map_err(|failed| Error::Drive {
            tape,
            object,
            action: "commit",
            failed,
        })
    }

    /// Reads an object into `buffer`, which grows; `None` where it is a note, or damaged.
    pub(crate) fn read(
        &mut self,
        object: u64,
        buffer: &mut Vec<u8>,
    ) -> Result<Option<Object>, Error> {
        loop {
            self.go_to(object)?;
            if buffer.is_empty() {
                buffer.resize(1 << 20, 0);
            }
            let done = match self.volume.read(Transfer::Variable, buffer) {
                Ok(done) => done,
                Err(failed) if failed.sense == Sense::MediumError => {
                    self.at = failed.position.map_or(u64::MAX, |at| at.object.0);
                    return Ok(None);
                }
                Err(failed) => {
                    return Err(Error::Drive {
                        tape: self.tape,
                        object: ObjectNumber(object),
                        action: "read",
                        failed,
                    });
                }
            };
            self.at = done.position.object.0;
            let length = usize::try_from(done.block_length).unwrap_or(usize::MAX);
            return Ok(match done.stop {
                Some(Stop::Filemark) => Some(Object::Mark(Mark::Filemark)),
                Some(Stop::Setmark) => Some(Object::Mark(Mark::Setmark)),
                Some(Stop::EndOfData) => None,
                _ if length > buffer.len() => {
                    buffer.resize(length, 0);
                    continue;
                }
                _ => Some(Object::Block(
                    buffer.get(..length).unwrap_or_default().to_vec(),
                )),
            });
        }
    }
}

fn label(object: u64) -> [u8; LABEL_BYTES] {
    let mut bytes = [0; LABEL_BYTES];
    bytes[..8].copy_from_slice(LABEL);
    bytes[8..16].copy_from_slice(&object.to_le_bytes());
    let sum = crc32fast::hash(&bytes[..16]);
    bytes[16..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// The number that a label names.
fn labelled(block: &[u8]) -> Option<u64> {
    let number = block.get(8..16)?;
    let number = u64::from_le_bytes(number.try_into().ok()?);
    (block == label(number)).then_some(number)
}

/// Adds an object with its label; the place of the object.
pub(crate) fn append_found(
    image: &mut Image<'_>,
    object: u64,
    written: Written<'_>,
) -> Result<u64, Error> {
    // Half a pair that a kill left behind is written over.
    image.end -= image.end % 2;
    image.append(Written::Block(&label(object)))?;
    image.append(written)
}

/// Takes into the map what the base holds and a kill kept out of the map; a note is known to nobody. A base that holds
/// less than the map says is refused, or what it lost is not tried any more.
pub(crate) fn adopt_base(
    map: &mut Map,
    base: &mut Image<'_>,
    reread_lost: bool,
) -> Result<(), Error> {
    let says = map
        .runs()
        .iter()
        .filter(|run| run.state == State::Good(Place::Base))
        .map(crate::map::Run::end)
        .max();
    if let Some(says) = says
        && says > base.end
        && !reread_lost
    {
        return Err(Error::Short {
            tape: base.tape,
            holds: base.end,
            says,
        });
    }
    map.forget_base_from(base.end);
    let mut buffer = Vec::new();
    for object in map.frontier()..base.end {
        match base.read(object, &mut buffer)? {
            Some(_) => map.set_good(object, Place::Base),
            None => map.set_not_tried(object, 1),
        }
    }
    while base.end < map.frontier() {
        base.append_note()?;
    }
    Ok(())
}

/// How many objects the map says that are in the image of what was found later.
pub(crate) fn places_in_found(map: &Map) -> u64 {
    let ends = map.runs().iter().filter_map(|run| match run.state {
        State::Good(Place::Found(at)) => at.checked_add(2 * run.objects - 1),
        _ => None,
    });
    ends.max().unwrap_or(0)
}

/// The same for the image of what was found later.
pub(crate) fn adopt_found(
    map: &mut Map,
    found: &mut Image<'_>,
    reread_lost: bool,
) -> Result<(), Error> {
    let says = places_in_found(map);
    if says > found.end && reread_lost {
        map.forget_found_from(found.end);
        return Ok(());
    }
    if says > found.end {
        return Err(Error::Short {
            tape: found.tape,
            holds: found.end,
            says,
        });
    }
    let mut buffer = Vec::new();
    let mut at = says;
    while at + 2 <= found.end {
        let number = match found.read(at, &mut buffer)? {
            Some(Object::Block(block)) => labelled(&block),
            _ => None,
        };
        if let Some(number) = number
            && found.read(at + 1, &mut buffer)?.is_some()
            && number < map.frontier()
            && !matches!(map.state(number).map(|run| run.state), Some(State::Good(_)))
        {
            map.set_good(number, Place::Found(at + 1));
        }
        at += 2;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_names_its_number_and_nothing_else_is_one() {
        assert_eq!(labelled(&label(77)), Some(77));
        let mut other = label(77);
        other[9] ^= 1;
        assert_eq!(labelled(&other), None);
        assert_eq!(labelled(&label(77)[..19]), None);
        assert_eq!(labelled(b""), None);
    }
}
