//! The drive below and the order of its blocks: where the tape is, what was done to it, what a block is bound to.
//!
//! Nothing is asked of the drive for a block: its place is known from the answer before.

use pseudotape_tape::{
    Address, Done, Drive, Failed, Motion, ObjectNumber, Position, ReadDone, Sense, Stop,
};

use crate::codec::{Binding, Opened, Seat};
use crate::drive::FilterDrive;
use crate::error::BlockError;
use crate::header::Place;
use crate::order::{First, Order};

/// How many objects one call looks at for the first block of a volume. The next call goes on behind them.
const LOOK_OBJECTS: u32 = 4096;

impl<D: Drive> FilterDrive<D> {
    /// Whether blocks are held against their volume and place.
    pub(crate) fn holds(&self) -> bool {
        self.filter.key.is_some() && self.tracks()
    }

    /// Whether it is followed where the tape is, and what its first block is.
    fn tracks(&self) -> bool {
        self.filter.binding == Binding::Checked
    }

    /// Nothing is known of the tape any more: it may be another one.
    pub(crate) fn forget(&mut self) {
        self.order.forget();
        self.place = None;
        self.astray = false;
    }

    /// Takes what a failure, if it is one, says of the tape.
    pub(crate) fn noted_failure<T>(&mut self, result: Result<T, Failed>) -> Result<T, Failed> {
        if let Err(failed) = &result {
            self.failed(*failed);
        }
        result
    }

    /// Takes what a failure says of the tape.
    fn failed(&mut self, failed: Failed) {
        match failed.sense {
            Sense::NoDrive
            | Sense::NoMedium
            | Sense::NotReady
            | Sense::MediumChanged
            | Sense::Reset => self.forget(),
            Sense::WriteProtected
            | Sense::WormOverwrite
            | Sense::MediumError
            | Sense::HardwareError
            | Sense::IllegalRequest => {}
        }
        self.place = failed.position;
    }

    /// Where the tape is; asked of the drive only where no answer of it has told.
    pub(crate) fn place_now(&mut self) -> Result<Option<Position>, Failed> {
        if !self.tracks() {
            return Ok(None);
        }
        let place = match self.place {
            Some(place) => place,
            None => {
                let asked = self.below.position();
                self.noted_failure(asked)?
            }
        };
        self.arrive(place);
        Ok(Some(place))
    }

    fn arrive(&mut self, position: Position) {
        self.order.enter(position.partition.0);
        self.place = Some(position);
    }

    /// Makes sure that the first block that tells the volume is known, if one lies before the tape's place.
    ///
    /// The tape is where it was. Where it does not come back, nothing is written until a motion says where.
    pub(crate) fn find_first(&mut self) -> Result<(), Failed> {
        let Some(place) = self.place_now()? else {
            return Ok(());
        };
        let looked_to = match self.order.first {
            First::Known { .. } => return Ok(()),
            First::NoneBefore(object) => object,
            First::Unknown => 0,
        };
        self.order.first = First::NoneBefore(looked_to);
        if looked_to >= place.object.0 {
            return Ok(());
        }
        let looked = match self.go(looked_to) {
            Ok(()) => self.look(place.object.0, Order::tells_volume),
            Err(failed) => Err(failed),
        };
        let trouble = self.come_back(place, looked)?;
        match self.order.first {
            First::NoneBefore(object) if object < place.object.0 => {
                let reason = trouble.map_or_else(String::new, |error| format!(": {error}"));
                self.trouble = Some(format!(
                    "no block before object {object} tells which volume this is{reason}"
                ));
                self.refuse(Sense::IllegalRequest, 0)
            }
            First::NoneBefore(_) | First::Unknown | First::Known { .. } => Ok(()),
        }
    }

    /// Makes sure that the first block of the partition is known, or that there is none: also where only marks lie
    /// before the tape's place. Else a foreign tape that begins with marks would be taken for an empty one.
    fn look_ahead(&mut self, place: Position) -> Result<(), Failed> {
        if place.object.0 == 0 || self.order.is_first_block_met() {
            return Ok(());
        }
        let looked = self.look(u64::MAX, Order::is_first_block_met);
        self.come_back(place, looked)?;
        if self.order.is_first_block_met() {
            return Ok(());
        }
        self.trouble = Some(format!(
            "no block among the {LOOK_OBJECTS} objects from {} on tells whose tape it is: write from the beginning of the tape",
            place.object
        ));
        self.refuse(Sense::IllegalRequest, 0)
    }

    /// Back to where the tape was before something was looked at. Where it does not come back, nothing is written until
    /// a motion says where.
    fn come_back<T>(&mut self, place: Position, looked: Result<T, Failed>) -> Result<T, Failed> {
        let back = self.go(place.object.0);
        self.astray = back.is_err();
        match (looked, back) {
            (Ok(looked), Ok(())) => Ok(looked),
            (Err(failed), Ok(())) => {
                let position = self.place;
                Err(Failed { position, ..failed })
            }
            (Ok(_) | Err(_), Err(failed)) => Err(failed),
        }
    }

    fn go(&mut self, object: u64) -> Result<(), Failed> {
        let moved = self.below.locate(Address {
            partition: None,
            object: ObjectNumber(object),
        });
        let done = self.noted_failure(moved)?;
        self.arrive(done.position);
        match done.position.object.0 == object {
            true => Ok(()),
            false => {
                self.trouble = Some(format!("the drive does not find object {object} again"));
                Err(Failed::at(Sense::HardwareError, Some(done.position)))
            }
        }
    }

    /// Reads on until enough is known, or to an object; gives the first error met.
    fn look(
        &mut self,
        end: u64,
        is_enough: fn(&Order) -> bool,
    ) -> Result<Option<BlockError>, Failed> {
        let mut first_error = None;
        let max_bytes = self.below.block_limits().max_bytes;
        for _ in 0..LOOK_OBJECTS {
            let here = self.place.map_or(end, |place| place.object.0);
            if here >= end || is_enough(&self.order) {
                break;
            }
            let done = match self.read_stored() {
                Ok(done) => done,
                Err(failed) => {
                    self.read_failed(failed);
                    match failed.position {
                        Some(behind)
                            if failed.sense == Sense::MediumError && behind.object.0 > here =>
                        {
                            continue;
                        }
                        _ => return Err(failed),
                    }
                }
            };
            if done.stop.is_some() || done.blocks == 0 {
                self.stopped(&done);
                if done.stop == Some(Stop::EndOfData) {
                    self.order.no_block_met();
                    break;
                }
                continue;
            }
            let length = usize::try_from(done.block_length).unwrap_or(usize::MAX);
            let block = self.buffer.get_mut(..length).unwrap_or_default();
            let opened = self.decoder.open(block, max_bytes);
            if let Err(error) = self.check_order(opened, here, done.position) {
                first_error = first_error.or(Some(error));
            }
        }
        Ok(first_error)
    }

    /// Takes a failed read of the drive below.
    pub(crate) fn read_failed(&mut self, failed: Failed) {
        if let (true, Some(before), Some(behind), Sense::MediumError) =
            (self.tracks(), self.place, failed.position, failed.sense)
        {
            self.order.lost(before.object.0, behind.object.0);
        }
        self.failed(failed);
    }

    /// Takes a read that met no block.
    pub(crate) fn stopped(&mut self, done: &ReadDone) {
        if !self.tracks() {
            return;
        }
        let before = self.place.map(|place| place.object.0);
        if let (Some(before), Some(Stop::Filemark | Stop::Setmark)) = (before, done.stop) {
            self.order.mark_read(before, done.position.object.0);
        }
        self.arrive(done.position);
    }

    /// Takes a block that was read at an object; refuses one that belongs elsewhere.
    pub(crate) fn check_order(
        &mut self,
        opened: Result<Opened, BlockError>,
        object: u64,
        behind: Position,
    ) -> Result<Opened, BlockError> {
        if !self.tracks() {
            return opened;
        }
        self.arrive(behind);
        match opened {
            Err(error) => {
                if error.is_foreign() {
                    self.order.foreign_at(object, error);
                }
                self.order.lost(object, behind.object.0);
                Err(error)
            }
            Ok(opened) => {
                match &opened.seal {
                    Some(seal) => self.order.block_read(object, behind.object.0, seal)?,
                    None => self.order.open_block_read(object, behind.object.0),
                }
                Ok(opened)
            }
        }
    }

    /// Makes sure that something may be written here: nothing is, behind blocks that this filter does not read, or
    /// behind marks that lie before such blocks. A program that was refused closes its file, and the mark of that close
    /// would drop what follows.
    ///
    /// Gives the place.
    pub(crate) fn may_change(&mut self) -> Result<Option<Position>, Failed> {
        if !self.tracks() {
            return self.refuse(Sense::WriteProtected, 0);
        }
        if self.astray {
            self.trouble = Some(
                "the tape is not where it was before the filter looked at its beginning: move it first"
                    .to_owned(),
            );
            return self.refuse(Sense::IllegalRequest, 0);
        }
        self.find_first()?;
        let Some(place) = self.place_now()? else {
            return Ok(None);
        };
        self.look_ahead(place)?;
        if let Some((other, why)) = self.order.foreign_around(place.object.0) {
            let where_it_is = match other < place.object.0 {
                true => "behind",
                false => "before",
            };
            self.trouble = Some(format!(
                "nothing is written {where_it_is} object {other}: {why}. Write through the filter that reads it, or from the beginning of the tape"
            ));
            return self.refuse(Sense::IllegalRequest, 0);
        }
        Ok(Some(place))
    }

    /// What the block to be written here is bound to.
    pub(crate) fn seat(&mut self) -> Result<Option<Seat>, Failed> {
        let Some(place) = self.may_change()? else {
            return Ok(None);
        };
        let object = place.object.0;
        let volume = self.order.volume_at(object);
        if volume.is_none() || !self.order.goes_on(object) {
            self.encoder.end_segment();
        }
        Ok(Some(Seat {
            volume,
            place: Place {
                partition: place.partition.0,
                object,
            },
        }))
    }

    /// Takes the writing of a block.
    pub(crate) fn block_written(&mut self, seat: Option<Seat>, written: &Result<Done, Failed>) {
        let Some(seat) = seat else {
            return;
        };
        let object = seat.place.object;
        match written {
            Ok(done) if done.count > 0 => {
                let volume = seat.volume.unwrap_or_else(|| self.encoder.volume());
                let behind = done.position.object.0;
                self.order.block_written(object, behind, volume);
                self.arrive(done.position);
            }
            Ok(done) => {
                self.order.changed(object);
                self.arrive(done.position);
            }
            Err(failed) => self.failed_at(object, *failed),
        }
    }

    fn failed_at(&mut self, object: u64, failed: Failed) {
        self.order.changed(object);
        self.failed(failed);
    }

    /// Makes sure that a motion that writes may, and that its place is known.
    pub(crate) fn moving(&mut self, motion: Motion) -> Result<(), Failed> {
        match motion {
            Motion::MakePartitions(_) if !self.tracks() => self.refuse(Sense::WriteProtected, 0),
            motion if writes(motion) => self.may_change().map(|_| ()),
            _ => Ok(()),
        }
    }

    /// Takes the end of a motion.
    pub(crate) fn moved(&mut self, motion: Motion, moved: &Result<Done, Failed>) {
        if !self.tracks() {
            return;
        }
        self.astray &= writes(motion) || moved.is_err();
        let before = self.place.map(|place| place.object.0);
        match motion {
            Motion::Load(_) | Motion::MakePartitions(_) => self.forget(),
            Motion::WriteMarks { .. }
            | Motion::Erase(_)
            | Motion::Space { .. }
            | Motion::SpaceToEndOfData
            | Motion::Locate(_)
            | Motion::Rewind => {}
        }
        match (moved, before.filter(|_| writes(motion)), motion) {
            (Ok(done), Some(object), Motion::WriteMarks { .. }) => {
                self.order.marks_written(object, done.position.object.0);
                self.arrive(done.position);
            }
            (Ok(done), Some(object), _) => {
                self.order.changed(object);
                self.arrive(done.position);
            }
            (Ok(done), None, _) => self.arrive(done.position),
            (Err(failed), Some(object), _) => self.failed_at(object, *failed),
            (Err(failed), None, _) => self.failed(*failed),
        }
    }

    /// Takes the record of an unreadable block.
    pub(crate) fn unreadable_recorded(
        &mut self,
        at: Option<Position>,
        recorded: &Result<Done, Failed>,
    ) {
        let Some(at) = at else {
            return;
        };
        match recorded {
            Ok(done) => {
                self.order.changed(at.object.0);
                self.order.lost(at.object.0, done.position.object.0);
                self.arrive(done.position);
            }
            Err(failed) => self.failed_at(at.object.0, *failed),
        }
    }
}

/// Whether a motion changes what is recorded at its place.
fn writes(motion: Motion) -> bool {
    match motion {
        Motion::WriteMarks { count, .. } => count > 0,
        Motion::Erase(_) => true,
        Motion::Space { .. }
        | Motion::SpaceToEndOfData
        | Motion::Locate(_)
        | Motion::Rewind
        | Motion::Load(_)
        | Motion::MakePartitions(_) => false,
    }
}
