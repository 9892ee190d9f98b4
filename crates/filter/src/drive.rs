//! `trait Drive` over a drive that stores blocks compressed or encrypted.

use std::num::NonZeroU32;

use pseudotape_tape::{
    Address, Attributes, AttributesError, BlockLimits, Capacity, Done, Door, Drive, Failed,
    Identity, Mode, ModeSelect, Motion, Noted, ObjectNumber, PartitionNumber, Position, ReadDone,
    Sense, Transfer, Volume, VolumeError, VolumeIdentity, Writability, read_each, wide,
};

use crate::codec::{Binding, Decoder, Encoder, Filter};
use crate::error::BlockError;
use crate::order::Order;

/// Room for stored blocks at first; grows to the longest met.
const FIRST_BUFFER_BYTES: usize = 256 << 10;

/// A drive that stores each block as a block of the drive below, compressed or encrypted.
///
/// | | |
/// |---|---|
/// | block limits | those below, less what a stored block adds |
/// | positions, marks, motions, stops | those below |
/// | capacity, early warning, physical end | those below: what is stored counts, after compression |
/// | a block that gives nothing back ([`BlockError`]) | [`Sense::MediumError`], the tape behind it |
/// | [`Drive::extend`] | [`Sense::IllegalRequest`]: a stored block is made of a whole block |
///
/// The drive below stays in variable block mode; [`Transfer::Fixed`] is done block by block.
pub struct FilterDrive<D> {
    pub(crate) below: D,
    pub(crate) filter: Filter,
    pub(crate) encoder: Encoder,
    pub(crate) decoder: Decoder,
    pub(crate) buffer: Vec<u8>,
    block_size: u32,
    pub(crate) trouble: Option<String>,
    /// What encrypted blocks are held against.
    pub(crate) order: Order,
    /// Where the tape is, if it is known without asking. Kept with [`Binding::Checked`].
    pub(crate) place: Option<Position>,
    /// The tape did not come back from its beginning: it is elsewhere than the program thinks.
    pub(crate) astray: bool,
}

impl<D: Drive> FilterDrive<D> {
    /// Puts a filter before a drive.
    #[must_use]
    pub fn new(below: D, filter: Filter) -> Self {
        FilterDrive {
            encoder: Encoder::new(&filter),
            decoder: Decoder::new(&filter),
            below,
            filter,
            buffer: Vec::new(),
            block_size: 0,
            trouble: None,
            order: Order::unknown(),
            place: None,
            astray: false,
        }
    }

    /// The drive below: it reads and writes stored blocks.
    #[must_use]
    pub fn below(&self) -> &D {
        &self.below
    }

    /// The drive below: it reads and writes stored blocks.
    pub fn below_mut(&mut self) -> &mut D {
        self.forget();
        &mut self.below
    }

    /// Takes the filter away.
    #[must_use]
    pub fn into_below(self) -> D {
        self.below
    }

    pub(crate) fn refuse<T>(&mut self, sense: Sense, count: u64) -> Result<T, Failed> {
        Err(Failed {
            sense,
            count,
            position: self.below.position().ok(),
        })
    }

    fn takes(&self, length: u64) -> bool {
        let limits = self.block_limits();
        limits.contain(length) && length.is_multiple_of(u64::from(limits.granularity_bytes.max(1)))
    }

    /// Reads one block. `Ok` with `stop` only where there was none.
    fn read_block(&mut self, into: &mut [u8]) -> Result<ReadDone, Failed> {
        if self.holds() {
            self.find_first()?;
        }
        let done = match self.read_stored() {
            Ok(done) => done,
            Err(failed) => {
                self.read_failed(failed);
                return Err(failed);
            }
        };
        if done.stop.is_some() || done.blocks == 0 {
            self.stopped(&done);
            return Ok(ReadDone {
                blocks: 0,
                bytes: 0,
                block_length: 0,
                ..done
            });
        }
        let length = usize::try_from(done.block_length).unwrap_or(usize::MAX);
        let max_bytes = self.block_limits().max_bytes;
        let object = done.position.object.0.saturating_sub(1);
        let block = self.buffer.get_mut(..length).unwrap_or_default();
        let opened = self.decoder.open(block, max_bytes);
        let given = self
            .check_order(opened, object, done.position)
            .and_then(|opened| {
                let block = self.buffer.get(..length).unwrap_or_default();
                self.decoder.unpack(&opened, block, into)
            });
        match given {
            Ok(length) => Ok(ReadDone {
                blocks: 1,
                bytes: into
                    .len()
                    .min(usize::try_from(length).unwrap_or(usize::MAX)),
                block_length: length,
                stop: None,
                position: done.position,
            }),
            Err(error) => Err(self.unusable(error, object, done.position)),
        }
    }

    /// Reads a stored block into the buffer, whole.
    pub(crate) fn read_stored(&mut self) -> Result<ReadDone, Failed> {
        if self.buffer.is_empty() {
            if self.buffer.try_reserve_exact(FIRST_BUFFER_BYTES).is_err() {
                self.trouble = Some("no memory to read a block into".to_owned());
                let here = self.below.position().ok();
                return Err(Failed::at(Sense::HardwareError, here));
            }
            self.buffer.resize(FIRST_BUFFER_BYTES, 0);
        }
        let done = self.below.read(Transfer::Variable, &mut self.buffer)?;
        let length = usize::try_from(done.block_length).unwrap_or(usize::MAX);
        match done.stop.is_none() && done.blocks > 0 && length > self.buffer.len() {
            true => self.read_again(length, done),
            false => Ok(done),
        }
    }

    /// What a block is to the program that gives nothing back: damage, or the wrong key for this tape.
    fn unusable(&mut self, error: BlockError, object: u64, position: Position) -> Failed {
        self.trouble = Some(format!("object {object}: {error}"));
        Failed::at(error.sense(), Some(position))
    }

    /// Reads a stored block that was longer than the buffer once more.
    fn read_again(&mut self, length: usize, done: ReadDone) -> Result<ReadDone, Failed> {
        let behind = done.position;
        let object = behind.object.0.saturating_sub(1);
        if self
            .buffer
            .try_reserve_exact(length - self.buffer.len())
            .is_err()
        {
            let error = BlockError::Memory {
                length: done.block_length,
            };
            return Err(self.unusable(error, object, behind));
        }
        self.buffer.resize(length, 0);
        self.below.locate(Address {
            partition: None,
            object: ObjectNumber(object),
        })?;
        let again = self.below.read(Transfer::Variable, &mut self.buffer)?;
        if again.position != behind || again.block_length != done.block_length {
            self.trouble = Some(format!(
                "object {object}: it read differently the second time"
            ));
            return Err(Failed::at(Sense::HardwareError, Some(again.position)));
        }
        Ok(again)
    }

    fn read_fixed(&mut self, size: NonZeroU32, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        let at = match buffer.len() < wide(size.get()) {
            // Nothing is read that would tell the place.
            true => self.position()?,
            false => Position::default(),
        };
        read_each(size, buffer, at, |part, _| self.read_block(part))
    }

    fn write_block(&mut self, block: &[u8]) -> Result<Done, Failed> {
        let limits = self.below.block_limits();
        let seat = self.seat()?;
        let wide = |bytes: u32| usize::try_from(bytes).unwrap_or(usize::MAX);
        let encoded = self.encoder.encode(
            block,
            seat,
            wide(limits.min_bytes),
            wide(limits.granularity_bytes),
        );
        let stored = match encoded {
            Ok(stored) => stored,
            Err(error) => {
                self.trouble = Some(error.to_string());
                return self.refuse(Sense::HardwareError, 0);
            }
        };
        let written = self.below.write(Transfer::Variable, stored);
        self.block_written(seat, &written);
        written
    }
}

impl<D: Drive> Drive for FilterDrive<D> {
    fn identity(&self) -> Identity {
        self.below.identity()
    }

    fn block_limits(&self) -> BlockLimits {
        let below = self.below.block_limits();
        let granularity = below.granularity_bytes.max(1);
        let max = below.max_bytes.saturating_sub(self.filter.overhead_bytes());
        BlockLimits {
            max_bytes: max - max % granularity,
            ..below
        }
    }

    fn test_ready(&mut self) -> Result<(), Failed> {
        let ready = self.below.test_ready();
        self.noted_failure(ready)
    }

    fn take_recovered(&mut self) -> u32 {
        self.below.take_recovered()
    }

    fn mode(&mut self) -> Result<Mode, Failed> {
        let below = self.below.mode();
        let below = self.noted_failure(below)?;
        Ok(Mode {
            block_size: self.block_size,
            write_protected: below.write_protected || self.filter.binding == Binding::Ignored,
            ..below
        })
    }

    fn set_mode(&mut self, change: ModeSelect) -> Result<(), Failed> {
        let size_fits = change
            .block_size
            .is_none_or(|size| size == 0 || self.takes(size.into()));
        // The drive below is to see the change all the same: it may have news to tell first.
        let refused = (!size_fits).then_some(u32::MAX);
        let changed = self.below.set_mode(ModeSelect {
            block_size: refused.or(change.block_size.map(|_| 0)),
            ..change
        });
        self.noted_failure(changed)?;
        self.block_size = change.block_size.unwrap_or(self.block_size);
        Ok(())
    }

    fn read(&mut self, transfer: Transfer, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        match transfer {
            Transfer::Variable => self.read_block(buffer),
            Transfer::Fixed(size) => self.read_fixed(size, buffer),
        }
    }

    fn write(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        let size = match transfer {
            Transfer::Variable => data.len(),
            Transfer::Fixed(size) => usize::try_from(size.get()).unwrap_or(usize::MAX),
        };
        if self.filter.binding == Binding::Ignored {
            self.position()?;
            return self.refuse(Sense::WriteProtected, 0);
        }
        if !self.takes(size as u64) || !data.len().is_multiple_of(size) || data.is_empty() {
            // Refused there with the sense that comes first: no medium, write protection …
            return match self.below.write(Transfer::Variable, &[]) {
                Ok(_) => self.refuse(Sense::IllegalRequest, 0),
                refused => refused,
            };
        }
        let mut count = 0;
        let mut last = None;
        for block in data.chunks_exact(size) {
            let done = self
                .write_block(block)
                .map_err(|failed| Failed { count, ..failed })?;
            count += done.count;
            last = Some(Done { count, ..done });
            if done.count == 0 {
                break;
            }
        }
        match last {
            Some(done) => Ok(done),
            None => self.refuse(Sense::IllegalRequest, 0),
        }
    }

    fn extend(&mut self, _data: &[u8]) -> Result<Done, Failed> {
        self.position()?;
        self.refuse(Sense::IllegalRequest, 0)
    }

    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        self.moving(motion)?;
        let moved = self.below.execute(motion);
        self.moved(motion, &moved);
        moved
    }

    fn unload(&mut self) -> Result<(), Failed> {
        self.forget();
        self.below.unload()
    }

    fn position(&mut self) -> Result<Position, Failed> {
        let position = self.below.position();
        self.noted_failure(position)
    }

    /// What is stored counts; the room is for the longest block that fits even where it does not shrink.
    fn capacity(&mut self) -> Result<Capacity, Failed> {
        let below = self.below.capacity();
        let below = self.noted_failure(below)?;
        let overhead = u64::from(self.filter.overhead_bytes());
        Ok(Capacity {
            room_bytes: below.room_bytes.map(|room| room.saturating_sub(overhead)),
            ..below
        })
    }

    fn set_door(&mut self, door: Door) -> Result<(), Failed> {
        let set = self.below.set_door(door);
        self.noted_failure(set)
    }
}

impl<V: Volume> Volume for FilterDrive<V> {
    /// The filter's own trouble first, else that of the drive below.
    fn take_trouble(&mut self) -> Option<String> {
        let own = self.trouble.take();
        own.or_else(|| self.below.take_trouble())
    }

    fn record_unreadable(&mut self, length_bytes: u32) -> Result<Done, Failed> {
        let at = self.may_change()?;
        let recorded = self.below.record_unreadable(length_bytes);
        self.unreadable_recorded(at, &recorded);
        recorded
    }

    fn noted(&self) -> Noted {
        self.below.noted()
    }

    fn note_not_mirrored(&mut self, from: Option<ObjectNumber>) -> Result<bool, VolumeError> {
        self.below.note_not_mirrored(from)
    }

    fn known_position(&self) -> Option<Position> {
        self.below.known_position()
    }

    fn volume_identity(&self) -> VolumeIdentity {
        self.below.volume_identity()
    }

    fn writability(&mut self) -> Writability {
        self.below.writability()
    }

    fn attributes(&mut self, partition: PartitionNumber) -> Result<Attributes, AttributesError> {
        self.below.attributes(partition)
    }

    fn set_attributes(
        &mut self,
        partition: PartitionNumber,
        attributes: &Attributes,
    ) -> Result<(), AttributesError> {
        self.below.set_attributes(partition, attributes)
    }

    fn lost_when_closed(&mut self) -> Option<VolumeError> {
        self.below.lost_when_closed()
    }

    fn finish(self: Box<Self>) -> Result<(), VolumeError> {
        Box::new(self.below).finish()
    }
}
