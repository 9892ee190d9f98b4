//! Writing at the end of data.

use std::io::IoSlice;
use std::num::NonZeroU32;

use crc32fast::Hasher;
use pseudotape_tape::Mark;

use crate::error::Error;
use crate::frame::{FLAG_SYNCED_BEFORE, Frame, Kind, Level};
use crate::image::{Image, Open, Tail};
use crate::index::{Entry, encode_branches};
use crate::layout::{FRAME_BYTES, LEAF_OBJECTS, MAX_BLOCK_BYTES, wide};
use crate::store::Store;
use crate::walk::Spot;

/// Blocks that go to the store in one call.
const BATCH_BLOCKS: usize = 64;

/// What is appended: kind and payload of one object.
struct Content<'a> {
    kind: Kind,
    payload: &'a [u8],
}

impl<S: Store> Image<S> {
    /// Writes a block here; what was recorded behind is gone.
    ///
    /// On an error nothing is appended, and the image is where it was.
    pub fn append_block(&mut self, data: &[u8]) -> Result<(), Error> {
        let length = block_length(wide(data.len()))?;
        self.prepare_append(FRAME_BYTES + u64::from(length))?;
        let mut crc = Hasher::new();
        crc.update(data);
        let frame = self.frame(Kind::Block, length, crc.clone().finalize());
        let offset = self.end.offset;
        self.append_record(&frame, data)?;
        self.open_block = Some(Open { frame, offset, crc });
        Ok(())
    }

    /// Writes blocks of one size here, in few calls; what was recorded behind is gone.
    ///
    /// On an error the image is behind the blocks that were appended.
    pub fn append_blocks(&mut self, size: NonZeroU32, data: &[u8]) -> Result<(), Error> {
        let block_bytes = block_length(u64::from(size.get()))?;
        let block_size = usize::try_from(block_bytes).unwrap_or(usize::MAX);
        if !data.len().is_multiple_of(block_size) {
            return Err(Error::NotWholeBlocks {
                length: wide(data.len()),
                block_size: block_bytes,
            });
        }
        let mut rest = data;
        while !rest.is_empty() {
            let blocks = (rest.len() / block_size).min(BATCH_BLOCKS);
            let record_bytes = FRAME_BYTES + u64::from(block_bytes);
            self.prepare_append(record_bytes.saturating_mul(wide(blocks)))?;
            // A batch ends where a leaf of the index is due.
            let room = LEAF_OBJECTS - self.index.partial.entries.len().min(LEAF_OBJECTS - 1);
            let (now, later) = rest.split_at(blocks.min(room) * block_size);
            if now.len() == block_size {
                let frame = self.frame(Kind::Block, block_bytes, crc32fast::hash(now));
                self.append_record(&frame, now)?;
            } else {
                self.append_batch(block_bytes, block_size, now)?;
            }
            rest = later;
        }
        Ok(())
    }

    /// Lengthens the block just appended.
    ///
    /// Only directly after [`Image::append_block`] or another `extend_block`. On an error the block is
    /// as it was before.
    pub fn extend_block(&mut self, data: &[u8]) -> Result<(), Error> {
        let Some(mut open) = self.open_block.take() else {
            return Err(Error::NotExtendable);
        };
        let length = block_length(u64::from(open.frame.length) + wide(data.len()))?;
        self.check_writable()?;
        self.room
            .ensure(&mut self.store, self.end.offset + wide(data.len()))?;
        let old = open.frame;
        open.crc.update(data);
        open.frame.length = length;
        open.frame.payload_crc = open.crc.clone().finalize();
        // The payload first: a frame never promises what is not there yet.
        self.write(&mut [IoSlice::new(data)], self.end.offset)?;
        let bytes = self.key.encode(&open.frame, open.offset);
        if let Err(error) = self.write(&mut [IoSlice::new(&bytes)], open.offset) {
            let bytes = self.key.encode(&old, open.offset);
            self.write(&mut [IoSlice::new(&bytes)], open.offset)?;
            return Err(error);
        }
        self.end = Spot::behind(&open.frame, open.offset);
        self.cursor = self.end;
        self.open_block = Some(open);
        Ok(())
    }

    /// Writes marks here; what was recorded behind is gone. On an error the image is behind the marks
    /// that were appended.
    pub fn append_marks(&mut self, mark: Mark, count: u32) -> Result<(), Error> {
        let (kind, recorded) = match mark {
            Mark::Filemark => (Kind::Filemark, self.index.marks.files),
            Mark::Setmark => (Kind::Setmark, self.index.marks.setmarks),
        };
        if recorded.checked_add(count).is_none() {
            return Err(Error::TooManyMarks { max: u32::MAX });
        }
        for _ in 0..count {
            self.append_object(&Content { kind, payload: &[] })?;
        }
        Ok(())
    }

    /// Records that a block was unreadable where it came from; `length` is 0 where not even that is known.
    pub fn append_bad_block(&mut self, length: u64) -> Result<(), Error> {
        self.append_object(&Content {
            kind: Kind::BadBlock,
            payload: &length.to_le_bytes(),
        })
    }

    /// Stands in for objects whose frames are lost, up to `object`.
    pub(crate) fn append_placeholders(&mut self, object: u64) -> Result<(), Error> {
        while self.end.object < object {
            self.append_bad_block(0)?;
        }
        Ok(())
    }

    fn append_object(&mut self, content: &Content<'_>) -> Result<(), Error> {
        let length = u32::try_from(content.payload.len()).unwrap_or(u32::MAX);
        self.prepare_append(FRAME_BYTES + u64::from(length))?;
        let frame = self.frame(content.kind, length, crc32fast::hash(content.payload));
        self.append_record(&frame, content.payload)
    }

    /// Everything that comes before the bytes of a record.
    fn prepare_append(&mut self, bytes: u64) -> Result<(), Error> {
        self.check_writable()?;
        self.check_unprotected()?;
        self.open_block = None;
        if self.ends_a_copy() {
            self.drop_behind()?;
        } else if self.cursor.object != self.end.object || self.tail != Tail::Clean {
            self.prepare_tail()?;
        }
        if self.index.leaf_is_due() || self.index.node_is_due() {
            self.append_index()?;
        }
        self.room
            .ensure(&mut self.store, self.end.offset.saturating_add(bytes))
    }

    /// The frame of the next record at the end of data.
    fn frame(&self, kind: Kind, length: u32, payload_crc: u32) -> Frame {
        let end = &self.end;
        Frame {
            kind,
            flags: if self.proof_due {
                FLAG_SYNCED_BEFORE
            } else {
                0
            },
            length,
            payload_crc,
            object: end.object,
            payload_before: end.payload,
            back: match end.previous {
                0 => 0,
                // A record and the index records behind it are shorter than 4 GiB.
                previous => u32::try_from(end.offset - previous).unwrap_or(0),
            },
            file: end.file,
            segment: self.state.segment,
        }
    }

    fn append_record(&mut self, frame: &Frame, payload: &[u8]) -> Result<(), Error> {
        let offset = self.end.offset;
        let bytes = self.key.encode(frame, offset);
        self.write(&mut [IoSlice::new(&bytes), IoSlice::new(payload)], offset)?;
        self.proof_due = false;
        self.take_record(frame, offset);
        Ok(())
    }

    fn take_record(&mut self, frame: &Frame, offset: u64) {
        if let Some(entry) = Entry::of(frame.kind, offset) {
            self.index.push(entry);
        }
        self.end = Spot::behind(frame, offset);
        self.cursor = self.end;
        self.next = None;
        self.unfinished = true;
    }

    fn append_batch(
        &mut self,
        block_bytes: u32,
        block_size: usize,
        data: &[u8],
    ) -> Result<(), Error> {
        let start = self.end;
        let mut spot = start;
        let mut frames = [[0; 48]; BATCH_BLOCKS];
        let mut slices = [IoSlice::new(&[]); 2 * BATCH_BLOCKS];
        let blocks = data.chunks_exact(block_size);
        let count = blocks.len();
        let first = self.frame(Kind::Block, block_bytes, 0);
        let mut frame = first;
        for (bytes, block) in frames.iter_mut().zip(blocks.clone()) {
            frame.payload_crc = crc32fast::hash(block);
            *bytes = self.key.encode(&frame, spot.offset);
            spot = Spot::behind(&frame, spot.offset);
            frame = following(&frame, &spot);
        }
        for ((pair, bytes), block) in slices.chunks_exact_mut(2).zip(&frames).zip(blocks) {
            if let [into_frame, into_block] = pair {
                *into_frame = IoSlice::new(bytes);
                *into_block = IoSlice::new(block);
            }
        }
        let used = slices.get_mut(..2 * count).unwrap_or_default();
        self.write(used, start.offset)?;
        self.proof_due = false;
        let mut offset = start.offset;
        let mut frame = first;
        for _ in 0..count {
            self.take_record(&frame, offset);
            offset = self.end.offset;
            frame = following(&frame, &self.end);
        }
        Ok(())
    }

    /// Records the parts of the index that are full.
    fn append_index(&mut self) -> Result<(), Error> {
        if self.index.leaf_is_due() {
            let offset = self.append_index_record(Kind::Index(Level::Leaf))?;
            self.index.leaf_recorded(offset);
        }
        if self.index.node_is_due() {
            let offset = self.append_index_record(Kind::Index(Level::Node))?;
            self.index.node_recorded(offset);
        }
        if self.index.root_is_due() {
            let offset = self.append_index_record(Kind::Index(Level::Root))?;
            self.index.inner_root = offset;
            self.index.inner_root_object = self.end.object;
        }
        Ok(())
    }

    /// Appends a part of the index as it is now; says where.
    pub(crate) fn append_index_record(&mut self, kind: Kind) -> Result<u64, Error> {
        let offset = self.end.offset;
        let mut payload = std::mem::take(&mut self.scratch);
        payload.clear();
        match kind {
            Kind::Index(Level::Leaf) => self.index.partial.encode(&mut payload),
            Kind::Index(Level::Node) => {
                encode_branches(&self.index.leaves, &mut payload);
            }
            _ => self.index.encode_root(offset, &mut payload),
        }
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let frame = self.frame(kind, length, crc32fast::hash(&payload));
        let done = self
            .room
            .ensure(&mut self.store, offset.saturating_add(frame.record_bytes()))
            .and_then(|()| self.append_record(&frame, &payload));
        self.scratch = payload;
        done.map(|()| offset)
    }

    /// Writes into the store; after a failure, what may have been written counts as leftover.
    fn write(&mut self, slices: &mut [IoSlice<'_>], offset: u64) -> Result<(), Error> {
        let wanted_bytes = slices.iter().map(|slice| wide(slice.len())).sum();
        self.dirty = true;
        self.store
            .write_vectored_at(slices, offset)
            .map_err(|source| {
                self.tail = Tail::Stale;
                Error::host("write", offset, wanted_bytes, source)
            })
    }
}

/// The frame of a block like this one, directly behind it.
fn following(frame: &Frame, spot: &Spot) -> Frame {
    Frame {
        flags: 0,
        object: spot.object,
        payload_before: spot.payload,
        back: u32::try_from(frame.record_bytes()).unwrap_or(0),
        ..*frame
    }
}

fn block_length(length: u64) -> Result<u32, Error> {
    u32::try_from(length)
        .ok()
        .filter(|length| (1..=MAX_BLOCK_BYTES).contains(length))
        .ok_or(Error::BlockLength {
            length,
            max: MAX_BLOCK_BYTES,
        })
}
