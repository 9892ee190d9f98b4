//! Keeps what was read: objects in the two images, and the map of them.

use pseudotape_tape::{ObjectNumber, Volume};

use crate::error::{Error, Tape};
use crate::events::{BadObject, Events, Workplace};
use crate::found::{
    Handle, Image, Object, Written, adopt_base, adopt_found, append_found, places_in_found,
};
use crate::map::{Attempt, Map, Place, SourceName, State};
use crate::reader::{Batch, Proof, Step};

/// Bytes of good blocks between two checkpoints.
const CHECKPOINT_BYTES: u64 = 1 << 30;

/// So many good objects are looked through for a block.
const PROOFS: usize = 16;

/// The map, and the images of what is in it.
pub(crate) struct Kept<'a> {
    pub(crate) map: &'a mut Map,
    pub(crate) base: Image<'a>,
    place: &'a mut dyn Workplace,
    found: Option<Image<'a>>,
    buffer: Vec<u8>,
    /// Bytes kept since the last checkpoint.
    unsaved_bytes: u64,
    /// Something is not on stable storage.
    dirty: bool,
}

impl<'a> Kept<'a> {
    /// Opens both images, and takes what a kill kept out of the map into it.
    pub(crate) fn open(
        map: &'a mut Map,
        base: &'a mut dyn Volume,
        place: &'a mut dyn Workplace,
        reread_lost: bool,
    ) -> Result<Self, Error> {
        let mut kept = Kept {
            base: Image::open(Handle::Lent(base), Tape::Base)?,
            map,
            place,
            found: None,
            buffer: Vec::new(),
            unsaved_bytes: 0,
            dirty: true,
        };
        adopt_base(kept.map, &mut kept.base, reread_lost)?;
        if kept.place.has_found() {
            kept.open_found(reread_lost)?;
        } else {
            kept.expect_no_found(reread_lost)?;
        }
        if reread_lost {
            kept.prove()?;
        }
        kept.save()?;
        Ok(kept)
    }

    /// The image of what was found later is not there: nothing may be in it.
    fn expect_no_found(&mut self, reread_lost: bool) -> Result<(), Error> {
        let says = places_in_found(self.map);
        if says == 0 || reread_lost {
            self.map.forget_found_from(0);
            return Ok(());
        }
        Err(Error::Short {
            tape: Tape::Found,
            holds: 0,
            says,
        })
    }

    /// Reads all that is kept; what can't be read is not tried any more.
    fn prove(&mut self) -> Result<(), Error> {
        for run in self.map.runs().to_vec() {
            if matches!(run.state, State::Good(_)) {
                for object in run.first..run.end() {
                    self.read(object)?;
                }
            }
        }
        Ok(())
    }

    /// The place of a source in the map. It is on the disk before anything is read with it: what a kill leaves is then
    /// known to be of this one.
    pub(crate) fn add_source(&mut self, name: &SourceName) -> Result<usize, Error> {
        let known = self.map.sources.len();
        let number = self.map.source(name);
        self.dirty |= self.map.sources.len() > known;
        self.save().map(|()| number)
    }

    fn open_found(&mut self, reread_lost: bool) -> Result<&mut Image<'a>, Error> {
        let mut image = Image::open(Handle::Own(self.place.found()?), Tape::Found)?;
        adopt_found(self.map, &mut image, reread_lost)?;
        Ok(self.found.insert(image))
    }

    /// The image of what was found later; it is made with the first object for it.
    fn found(&mut self) -> Result<&mut Image<'a>, Error> {
        if self.found.is_none() {
            return self.open_found(false);
        }
        Ok(self.found.as_mut().expect("it was opened before"))
    }

    /// Reads an object that is good. One that is not there any more is not tried from now on.
    pub(crate) fn read(&mut self, object: u64) -> Result<Option<Object>, Error> {
        let known = self.map.state(object).map(|run| run.state);
        let mut buffer = std::mem::take(&mut self.buffer);
        let read = match known {
            Some(State::Good(Place::Base)) => self.base.read(object, &mut buffer)?,
            Some(State::Good(Place::Found(at))) => self.found()?.read(at, &mut buffer)?,
            Some(State::Bad(_) | State::NotTried) | None => return Ok(None),
        };
        self.buffer = buffer;
        if read.is_none() {
            self.map.set_not_tried(object, 1);
            self.dirty = true;
        }
        Ok(read)
    }

    /// By what the tape is known again: one of the first good blocks, and one of the last.
    pub(crate) fn proofs(&mut self) -> Result<(Proof, Option<Proof>), Error> {
        let good: Vec<(u64, u64)> = self
            .map
            .runs()
            .iter()
            .filter(|run| matches!(run.state, State::Good(_)))
            .map(|run| (run.first, run.end()))
            .collect();
        if good.is_empty() {
            return Ok((Proof::NotNeeded, None));
        }
        let objects = good.iter().flat_map(|(first, end)| *first..*end);
        let first = self.first_block(objects.take(PROOFS).collect())?;
        let objects = good
            .iter()
            .rev()
            .flat_map(|(first, end)| (*first..*end).rev());
        let last = self.first_block(objects.take(PROOFS).collect())?;
        Ok((first.unwrap_or(Proof::None), last))
    }

    fn first_block(&mut self, objects: Vec<u64>) -> Result<Option<Proof>, Error> {
        for object in objects {
            if let Some(Object::Block(block)) = self.read(object)? {
                return Ok(Some(Proof::new(object, &block)));
            }
        }
        Ok(None)
    }

    /// Keeps what a batch has; says how many objects were good.
    pub(crate) fn take(
        &mut self,
        batch: &Batch,
        source: usize,
        events: &mut dyn Events,
    ) -> Result<Taken, Error> {
        let mut taken = Taken::default();
        let mut bytes = batch.bytes();
        for (object, step) in &batch.steps {
            match *step {
                Step::Block(length) => {
                    let length_here = usize::try_from(length).unwrap_or(usize::MAX);
                    let (block, rest) = bytes.split_at_checked(length_here).unwrap_or((bytes, &[]));
                    bytes = rest;
                    self.good(*object, Written::Block(block))?;
                    taken.objects += 1;
                    taken.bytes += u64::from(length);
                    self.unsaved_bytes += u64::from(length);
                }
                Step::Mark(mark) => {
                    self.good(*object, Written::Mark(mark))?;
                    taken.objects += 1;
                }
                Step::Skipped(objects) => {
                    self.dirty = true;
                    taken.skipped = true;
                    self.pad(object + objects)?;
                    if self.map.frontier() < object + objects {
                        self.map.set_not_tried(*object, objects);
                    }
                }
                Step::Bad { tries, errno, file } => {
                    let attempt = Attempt {
                        source,
                        tries,
                        errno,
                        when: events.now(),
                    };
                    self.bad(*object, attempt, file, events)?;
                }
            }
        }
        if self.unsaved_bytes >= CHECKPOINT_BYTES {
            self.save()?;
        }
        Ok(taken)
    }

    /// Notes in the base for what lies before an object and is not in it.
    fn pad(&mut self, object: u64) -> Result<(), Error> {
        while self.base.end < object {
            let noted = self.base.append_note()?;
            if self.map.state(noted).is_none() {
                self.map.set_not_tried(noted, 1);
            }
        }
        Ok(())
    }

    fn good(&mut self, object: u64, written: Written<'_>) -> Result<(), Error> {
        self.dirty = true;
        self.pad(object)?;
        let place = if object == self.base.end {
            self.base.append(written)?;
            Place::Base
        } else if matches!(
            self.map.state(object).map(|run| run.state),
            Some(State::Good(_))
        ) {
            // Nobody asks for that.
            return Ok(());
        } else {
            self.found_one(object, written)?
        };
        self.map.set_good(object, place);
        Ok(())
    }

    fn found_one(&mut self, object: u64, written: Written<'_>) -> Result<Place, Error> {
        append_found(self.found()?, object, written).map(Place::Found)
    }

    /// The note goes to the base before the map, and the map to the disk before anybody is told.
    fn bad(
        &mut self,
        object: u64,
        attempt: Attempt,
        file: Option<u64>,
        events: &mut dyn Events,
    ) -> Result<(), Error> {
        self.dirty = true;
        self.pad(object + 1)?;
        self.map.set_bad(object, attempt);
        self.save()?;
        let Some(State::Bad(bad)) = self.map.state(object).map(|run| run.state) else {
            return Ok(());
        };
        events.bad(&BadObject {
            object: ObjectNumber(object),
            file,
            attempt,
            drive: self.map.sources[attempt.source].drive.clone(),
            tries: bad.tries(),
        })
    }

    /// Brings the images, and then the map of them, to stable storage.
    pub(crate) fn save(&mut self) -> Result<(), Error> {
        if !self.dirty {
            return Ok(());
        }
        self.base.commit()?;
        if let Some(found) = &mut self.found {
            found.commit()?;
        }
        self.place.save(&self.map.to_text())?;
        self.unsaved_bytes = 0;
        self.dirty = false;
        Ok(())
    }

    /// Notes where the data of the tape end.
    pub(crate) fn set_end(&mut self, end: u64) {
        self.dirty |= self.map.end != Some(end);
        self.map.end = Some(end);
    }

    /// The tape goes on behind the end that was seen. The base is no whole copy any more, and says so first.
    pub(crate) fn forget_end(&mut self) -> Result<(), Error> {
        let from = self.map.frontier();
        let noted = self.base.volume.note_not_mirrored(Some(ObjectNumber(from)));
        noted.map_err(|error| Error::Keeping(error.to_string()))?;
        self.map.end = None;
        self.dirty = true;
        self.save()
    }

    /// Closes the image of what was found later.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        self.save()?;
        match self.found.take().map(|found| found.volume) {
            Some(Handle::Own(volume)) => volume
                .finish()
                .map_err(|error| Error::Keeping(error.to_string())),
            Some(Handle::Lent(_)) | None => Ok(()),
        }
    }
}

/// What a batch brought.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) objects: u64,
    pub(crate) bytes: u64,
    /// Something was left out that can be tried from another side.
    pub(crate) skipped: bool,
}
