//! What is written on a volume, as the drive's answers tell it: tape files, their lengths, their digests.

use pseudotape_tape::{Done, Failed, Mark, Motion, Position, Sense, Transfer};
use pseudotape_vault::{Digest, Recorded, RecordedFile, TapeFile};

use super::digest::Digests;

/// Watches the writes on a volume from its load on.
///
/// | what is written | its tape file |
/// |---|---|
/// | from the file's beginning, in one go | has a digest |
/// | behind a filemark that was written in this load and is overwritten, directly after it | goes on: has a digest |
/// | behind what another load wrote, or another file was written between | has no digest |
/// | from the middle of what is there | has no digest, and is measured when the volume is closed |
/// | an operation fails and leaves open what was written | it and what follows are looked at when the volume is closed |
pub(super) struct Watch {
    /// What the catalog knows, as far as it was not touched.
    known: Vec<TapeFile>,
    /// What follows, in its order.
    written: Vec<Part>,
    /// From this file on it is not known what is there.
    doubt: Option<u64>,
    digests: Digests,
    /// The file whose bytes were given to be digested.
    digested: Option<u64>,
}

/// A tape file that was touched.
#[derive(Debug)]
struct Part {
    number: u64,
    first_object: u64,
    /// The object behind its last block or setmark.
    end: u64,
    blocks: u64,
    bytes: u64,
    /// It has to be measured.
    is_cut: bool,
    /// A filemark ends it.
    is_ended: bool,
    digest: PartDigest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PartDigest {
    /// It is being computed.
    Computed,
    /// It was known, and nothing was written since.
    Known(Option<Digest>),
    /// It can't be computed without reading.
    Unknown,
}

impl Part {
    fn new(number: u64, first_object: u64) -> Self {
        Part {
            number,
            first_object,
            end: first_object,
            blocks: 0,
            bytes: 0,
            is_cut: false,
            is_ended: false,
            digest: PartDigest::Computed,
        }
    }

    /// A file that is known, of which everything from an object on is gone.
    fn of_known(known: &TapeFile, object: u64) -> Self {
        let part = Part::new(known.number, known.first_object);
        if object == known.first_object {
            return part;
        }
        let is_whole = object == known.first_object + known.blocks && !known.state.is_faulty();
        Part {
            end: object,
            blocks: known.blocks,
            bytes: known.bytes,
            is_cut: !is_whole,
            digest: match is_whole {
                true => PartDigest::Known(known.digest),
                false => PartDigest::Unknown,
            },
            ..part
        }
    }

    fn cut_to(&mut self, object: u64) {
        if object == self.first_object {
            *self = Part::new(self.number, self.first_object);
        } else if object < self.end {
            self.is_cut = true;
            self.digest = PartDigest::Unknown;
            self.end = object;
        }
        self.is_ended = false;
    }

    fn is_there(&self) -> bool {
        self.is_ended || self.is_cut || self.end > self.first_object
    }
}

impl Watch {
    pub(super) fn new(known: Vec<TapeFile>) -> Self {
        Watch {
            known,
            written: Vec::new(),
            doubt: None,
            digests: Digests::default(),
            digested: None,
        }
    }

    pub(super) fn wrote(&mut self, transfer: Transfer, data: &[u8], ended: &Result<Done, Failed>) {
        let done = match ended {
            Ok(done) => *done,
            Err(failed) => return self.doubt_unless_refused(failed),
        };
        if done.count == 0 {
            return;
        }
        let bytes = match transfer {
            Transfer::Variable => data,
            Transfer::Fixed(size) => {
                let bytes = done.count.saturating_mul(size.get().into());
                let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
                data.get(..bytes).unwrap_or(data)
            }
        };
        let Some((first, file)) = before(done.position, done.count, 0) else {
            return self.doubt_from(0);
        };
        let digested = self.digested;
        let Some(part) = self.cut_at(first, file) else {
            return;
        };
        part.end = first + done.count;
        part.blocks += done.count;
        part.bytes += bytes.len() as u64;
        let (number, is_first) = (part.number, part.blocks == done.count);
        if part.digest != PartDigest::Computed {
            part.digest = PartDigest::Unknown;
            return;
        }
        if is_first {
            self.digests.begin();
            self.digested = Some(number);
        } else if digested != Some(number) {
            // Another file's bytes came between.
            part.digest = PartDigest::Unknown;
            return;
        }
        self.digests.add(bytes);
    }

    pub(super) fn extended(&mut self, data: &[u8], ended: &Result<Done, Failed>) {
        match ended {
            Ok(done) if done.count > 0 => {}
            Ok(_) => return self.doubt_last(),
            Err(failed) if is_refusal(failed) => return,
            Err(_) => return self.doubt_last(),
        }
        let Some(part) = self.written.last_mut() else {
            return;
        };
        part.bytes += data.len() as u64;
        if part.digest == PartDigest::Computed && self.digested == Some(part.number) {
            self.digests.add(data);
        }
    }

    pub(super) fn moved(&mut self, motion: Motion, ended: &Result<Done, Failed>) {
        match motion {
            Motion::WriteMarks { count: 0, .. }
            | Motion::Space { .. }
            | Motion::SpaceToEndOfData
            | Motion::Locate(_)
            | Motion::Rewind
            | Motion::Load(_) => {}
            Motion::WriteMarks { mark, .. } => self.marked(mark, ended),
            Motion::Erase(_) => match ended {
                Ok(done) => match before(done.position, 0, 0) {
                    Some((object, file)) => {
                        self.cut_at(object, file);
                    }
                    None => self.doubt_from(0),
                },
                Err(failed) => self.doubt_unless_refused(failed),
            },
            Motion::MakePartitions(_) => match ended {
                Ok(_) => {
                    self.cut_at(0, 0);
                }
                Err(failed) => self.doubt_unless_refused(failed),
            },
        }
    }

    fn marked(&mut self, mark: Mark, ended: &Result<Done, Failed>) {
        let (count, position) = match ended {
            Ok(done) => (done.count, Some(done.position)),
            // The marks were written, and could not be committed.
            Err(failed) if failed.count > 0 => (failed.count, failed.position),
            Err(failed) => return self.doubt_unless_refused(failed),
        };
        if count == 0 {
            return;
        }
        let files = match mark {
            Mark::Filemark => count,
            Mark::Setmark => 0,
        };
        let place = position.and_then(|position| before(position, count, files));
        let Some((first, file)) = place else {
            return self.doubt_from(0);
        };
        let digested = self.digested;
        let Some(part) = self.cut_at(first, file) else {
            return;
        };
        match mark {
            Mark::Setmark => part.end = first + count,
            Mark::Filemark => {
                part.is_ended = true;
                if digested == Some(part.number) && part.digest == PartDigest::Computed {
                    self.digests.ended(file);
                }
                for empty in 1..count {
                    self.written.push(Part {
                        is_ended: true,
                        ..Part::new(file + empty, first + empty)
                    });
                }
            }
        }
    }

    /// What is on the volume from now on. The digests come with it.
    pub(super) fn finish(mut self) -> Recorded {
        if let Some(part) = self.written.last()
            && self.digested == Some(part.number)
        {
            self.digests.ended(part.number);
        }
        let first = self.written.first().map(|part| part.number);
        let digests = self.digests.finish();
        let of_nothing = Digest(blake3::hash(b"").into());
        let files = self.written.iter().filter(|part| part.is_there());
        let files = files.map(|part| RecordedFile {
            number: part.number,
            first_object: part.first_object,
            lengths: (!part.is_cut).then_some((part.blocks, part.bytes)),
            digest: match part.digest {
                PartDigest::Computed if part.blocks == 0 => Some(of_nothing),
                PartDigest::Computed => digests.get(&part.number).copied(),
                PartDigest::Known(digest) => digest,
                PartDigest::Unknown => None,
            },
        });
        Recorded {
            untouched: first
                .into_iter()
                .chain(self.doubt)
                .min()
                .unwrap_or(u64::MAX),
            unsure: self.doubt.is_some(),
            files: files.collect(),
        }
    }

    /// The file in which this object is to be written. What was recorded from there on is gone. `None` where it is not
    /// known what is there.
    fn cut_at(&mut self, object: u64, file: u64) -> Option<&mut Part> {
        if let Some(doubt) = self.doubt {
            if file >= doubt {
                return None;
            }
            // What was not known is gone.
            self.doubt = None;
        }
        while self.written.last().is_some_and(|part| part.number > file) {
            self.written.pop();
        }
        while self.known.last().is_some_and(|known| known.number > file) {
            self.known.pop();
        }
        match self.written.last_mut() {
            Some(part) if part.number == file => {
                let is_behind = object > part.end;
                part.cut_to(object);
                if is_behind {
                    self.doubt_from(file);
                    return None;
                }
            }
            Some(part) => {
                if part.number + 1 != file || !part.is_ended {
                    self.doubt_from(part_after(&self.written));
                    return None;
                }
                self.written.push(Part::new(file, object));
            }
            None => {
                let next = match self.known.last() {
                    Some(known) if known.number == file => Some(Part::of_known(known, object)),
                    Some(known) if known.number + 1 == file => Some(Part::new(file, object)),
                    None if file == 0 && object == 0 => Some(Part::new(0, 0)),
                    Some(_) | None => None,
                };
                let Some(part) = next else {
                    // The catalog knows another tape than this.
                    self.doubt_from(0);
                    return None;
                };
                self.known.retain(|known| known.number < file);
                self.written.push(part);
            }
        }
        self.written.last_mut()
    }

    fn doubt_unless_refused(&mut self, failed: &Failed) {
        if !is_refusal(failed) {
            let file = failed.position.and_then(|position| position.file);
            self.doubt_from(file.map_or(0, |file| file.0));
        }
    }

    fn doubt_last(&mut self) {
        self.doubt_from(self.written.last().map_or(0, |part| part.number));
    }

    fn doubt_from(&mut self, file: u64) {
        self.doubt = Some(self.doubt.map_or(file, |doubt| doubt.min(file)));
        self.written.retain(|part| part.number < file);
        self.known.retain(|known| known.number < file);
        if self.digested >= Some(file) {
            self.digested = None;
        }
    }
}

fn part_after(written: &[Part]) -> u64 {
    written.last().map_or(0, |part| part.number)
}

/// Whether nothing was changed.
fn is_refusal(failed: &Failed) -> bool {
    failed.count == 0
        && match failed.sense {
            Sense::NoDrive
            | Sense::NoMedium
            | Sense::NotReady
            | Sense::MediumChanged
            | Sense::Reset
            | Sense::WriteProtected
            | Sense::WormOverwrite
            | Sense::IllegalRequest => true,
            Sense::MediumError | Sense::HardwareError => false,
        }
}

/// Object and file before so many objects, of which so many are filemarks.
fn before(position: Position, objects: u64, files: u64) -> Option<(u64, u64)> {
    let object = position.object.0.checked_sub(objects)?;
    Some((object, position.file?.0.checked_sub(files)?))
}

#[cfg(test)]
#[path = "watch_test.rs"]
mod watch_test;
