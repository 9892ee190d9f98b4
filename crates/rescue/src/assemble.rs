use pseudotape_tape::{ObjectNumber, Volume};

use crate::error::{Error, Tape};
use crate::found::{Handle, Image, Object};
use crate::map::{Map, Place, State};

/// What becomes of objects that nobody could read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holes {
    /// Each is a note on the target: all others have the numbers that they have on the tape.
    Noted,
    /// They are left out, and what follows gets lower numbers.
    LeftOut,
}

/// Objects in a row, on the tape and on the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The first one on the tape.
    pub from: u64,
    /// The first one on the target.
    pub to: u64,
    /// How many.
    pub objects: u64,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assembled {
    /// Which object of the tape is which one of the target.
    pub moved: Vec<Moved>,
    /// Bytes of blocks.
    pub bytes: u64,
}

/// Writes all that is kept onto a target, which is at its beginning, in the order of the tape; commits.
///
/// Where objects can't be read from their image any more, all others are read too, so that the map says it of each:
/// that is [`Error::Lost`], and the caller saves the map. `progress` is told the bytes that were written.
pub fn assemble(
    map: &mut Map,
    base: &mut dyn Volume,
    mut found: Option<&mut dyn Volume>,
    to: &mut dyn Volume,
    holes: Holes,
    progress: &mut dyn FnMut(u64),
) -> Result<Assembled, Error> {
    let mut base = Image::open(Handle::Lent(base), Tape::Base)?;
    let mut found = match &mut found {
        Some(volume) => Some(Image::open(Handle::Lent(&mut **volume), Tape::Found)?),
        None => None,
    };
    let mut to = Image::here(Handle::Lent(to), Tape::Target)?;
    let mut assembled = Assembled::default();
    let mut buffer = Vec::new();
    let mut lost: Option<(Tape, u64, u64)> = None;
    for run in map.runs().to_vec() {
        for object in run.first..run.end() {
            let (image, at) = match &run.state {
                State::Good(Place::Base) => (Some(&mut base), object),
                State::Good(Place::Found(at)) => (found.as_mut(), at + 2 * (object - run.first)),
                State::Bad(_) | State::NotTried => {
                    if holes == Holes::Noted && lost.is_none() {
                        let at = to.append_note()?;
                        moved(&mut assembled.moved, object, at);
                    }
                    continue;
                }
            };
            let (tape, kept) = match image {
                Some(image) => (image.tape, image.read(at, &mut buffer)?),
                None => (Tape::Found, None),
            };
            let Some(kept) = kept else {
                map.set_not_tried(object, 1);
                lost.get_or_insert((tape, object, 0)).2 += 1;
                continue;
            };
            if lost.is_some() {
                continue;
            }
            let at = to.append(kept.as_written())?;
            moved(&mut assembled.moved, object, at);
            if let Object::Block(bytes) = &kept {
                assembled.bytes += bytes.len() as u64;
                progress(assembled.bytes);
            }
        }
    }
    if let Some((tape, object, objects)) = lost {
        return Err(Error::Lost {
            tape,
            object: ObjectNumber(object),
            objects,
        });
    }
    to.commit()?;
    Ok(assembled)
}

fn moved(runs: &mut Vec<Moved>, from: u64, to: u64) {
    match runs.last_mut() {
        Some(last) if last.from + last.objects == from && last.to + last.objects == to => {
            last.objects += 1;
        }
        _ => runs.push(Moved {
            from,
            to,
            objects: 1,
        }),
    }
}
