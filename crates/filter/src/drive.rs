//! `trait Drive` over a drive that stores blocks compressed or encrypted.

use std::num::NonZeroU32;

use pseudotape_tape::{
    Address, BlockLimits, Capacity, Done, Door, Drive, Failed, Identity, Mode, ModeSelect, Motion,
    Noted, ObjectNumber, Position, ReadDone, Sense, Transfer, Volume, VolumeError, VolumeIdentity,
    Writability, read_each, wide,
};

use crate::codec::{Decoder, Encoder, Filter};
use crate::error::BlockError;

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
    below: D,
    filter: Filter,
    encoder: Encoder,
    decoder: Decoder,
    buffer: Vec<u8>,
    block_size: u32,
    trouble: Option<String>,
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
        }
    }

    /// The drive below: it reads and writes stored blocks.
    #[must_use]
    pub fn below(&self) -> &D {
        &self.below
    }

    /// The drive below: it reads and writes stored blocks.
    pub fn below_mut(&mut self) -> &mut D {
        &mut self.below
    }

    /// Takes the filter away.
    #[must_use]
    pub fn into_below(self) -> D {
        self.below
    }

    fn refuse<T>(&mut self, sense: Sense, count: u64) -> Result<T, Failed> {
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
        if self.buffer.is_empty() {
            self.buffer.resize(FIRST_BUFFER_BYTES, 0);
        }
        let mut done = self.below.read(Transfer::Variable, &mut self.buffer)?;
        if done.stop.is_some() || done.blocks == 0 {
            return Ok(ReadDone {
                blocks: 0,
                bytes: 0,
                block_length: 0,
                ..done
            });
        }
        let length = usize::try_from(done.block_length).unwrap_or(usize::MAX);
        if length > self.buffer.len() {
            done = self.read_again(length, done)?;
        }
        let max_bytes = self.block_limits().max_bytes;
        let object = done.position.object.0.saturating_sub(1);
        let block = self.buffer.get_mut(..length).unwrap_or_default();
        match self.decoder.decode(block, max_bytes, into) {
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

    fn unusable(&mut self, error: BlockError, object: u64, position: Position) -> Failed {
        self.trouble = Some(format!("object {object}: {error}"));
        Failed::at(Sense::MediumError, Some(position))
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
            true => self.below.position()?,
            false => Position::default(),
        };
        read_each(size, buffer, at, |part, _| self.read_block(part))
    }

    fn write_block(&mut self, block: &[u8]) -> Result<Done, Failed> {
        let limits = self.below.block_limits();
        let wide = |bytes: u32| usize::try_from(bytes).unwrap_or(usize::MAX);
        let encoded = self.encoder.encode(
            block,
            wide(limits.min_bytes),
            wide(limits.granularity_bytes),
        );
        match encoded {
            Ok(stored) => self.below.write(Transfer::Variable, stored),
            Err(_) => {
                self.trouble = Some("the system gives no random numbers".to_owned());
                self.refuse(Sense::HardwareError, 0)
            }
        }
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
        self.below.test_ready()
    }

    fn take_recovered(&mut self) -> u32 {
        self.below.take_recovered()
    }

    fn mode(&mut self) -> Result<Mode, Failed> {
        let below = self.below.mode()?;
        Ok(Mode {
            block_size: self.block_size,
            ..below
        })
    }

    fn set_mode(&mut self, change: ModeSelect) -> Result<(), Failed> {
        let size_fits = change
            .block_size
            .is_none_or(|size| size == 0 || self.takes(size.into()));
        // The drive below is to see the change all the same: it may have news to tell first.
        let refused = (!size_fits).then_some(u32::MAX);
        self.below.set_mode(ModeSelect {
            block_size: refused.or(change.block_size.map(|_| 0)),
            ..change
        })?;
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
        self.below.position()?;
        self.refuse(Sense::IllegalRequest, 0)
    }

    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        self.below.execute(motion)
    }

    fn unload(&mut self) -> Result<(), Failed> {
        self.below.unload()
    }

    fn position(&mut self) -> Result<Position, Failed> {
        self.below.position()
    }

    /// What is stored counts; the room is for the longest block that fits even where it does not shrink.
    fn capacity(&mut self) -> Result<Capacity, Failed> {
        let below = self.below.capacity()?;
        let overhead = u64::from(self.filter.overhead_bytes());
        Ok(Capacity {
            room_bytes: below.room_bytes.map(|room| room.saturating_sub(overhead)),
            ..below
        })
    }

    fn set_door(&mut self, door: Door) -> Result<(), Failed> {
        self.below.set_door(door)
    }
}

impl<V: Volume> Volume for FilterDrive<V> {
    /// The filter's own trouble first, else that of the drive below.
    fn take_trouble(&mut self) -> Option<String> {
        let own = self.trouble.take();
        own.or_else(|| self.below.take_trouble())
    }

    fn record_unreadable(&mut self, length_bytes: u32) -> Result<Done, Failed> {
        self.below.record_unreadable(length_bytes)
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

    fn finish(self: Box<Self>) -> Result<(), VolumeError> {
        Box::new(self.below).finish()
    }
}
