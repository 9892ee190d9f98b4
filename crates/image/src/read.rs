//! Reading objects.

use std::io::IoSliceMut;

use crc32fast::Hasher;
use pseudotape_tape::{FileNumber, ObjectInFile, ObjectNumber};

use crate::error::Error;
use crate::frame::{Frame, Kind};
use crate::image::Image;
use crate::layout::{FRAME_BYTES, wide};
use crate::report::Gap;
use crate::store::Store;
use crate::walk::Spot;

/// What a read met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// A block.
    Block {
        /// Its length.
        length: u32,
        /// How much of it is in the buffer: all, or the buffer's length.
        copied: usize,
    },
    /// A filemark.
    Filemark,
    /// A setmark.
    Setmark,
    /// The end of data; the image is still before it.
    EndOfData,
}

/// What the next object is, as far as its frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// A block of this length.
    Block(u32),
    /// A block recorded as unreadable.
    BadBlock,
    /// A filemark.
    Filemark,
    /// A setmark.
    Setmark,
    /// The end of data.
    EndOfData,
}

/// What is behind a short buffer is read in parts of this size, to check it.
const REST_BYTES: usize = 64 * 1024;

impl<S: Store> Image<S> {
    /// Reads the next object.
    ///
    /// | the image is before | result | place after |
    /// |---|---|---|
    /// | a block | its bytes, as many as the buffer takes; all of it is checked | behind it |
    /// | a mark | the mark | behind it |
    /// | the end of data | [`Object::EndOfData`] | unchanged |
    /// | a damaged or bad block, or one that the host can't read | an error | behind it |
    /// | damaged frames | [`Error::DamagedFrame`] | behind the gap |
    ///
    /// What is in the buffer after an error is not to be used.
    pub fn read_object(&mut self, buffer: &mut [u8]) -> Result<Object, Error> {
        self.open_block = None;
        let Some(frame) = self.load_next()? else {
            return Ok(Object::EndOfData);
        };
        let offset = self.cursor.offset;
        match frame.kind {
            Kind::Block => self.read_block(&frame, offset, buffer),
            Kind::BadBlock => {
                self.move_behind(&frame, offset);
                Err(Error::BadBlock {
                    at: self.in_file(frame.object, frame.file),
                    length: self.bad_block_length(&frame, offset),
                })
            }
            Kind::Filemark => {
                self.move_behind(&frame, offset);
                Ok(Object::Filemark)
            }
            Kind::Setmark => {
                self.move_behind(&frame, offset);
                Ok(Object::Setmark)
            }
            Kind::Index(_) | Kind::EndOfData | Kind::Optional => Ok(Object::EndOfData),
        }
    }

    /// Says what the next object is, without reading a block's payload; moves only over damage.
    pub fn look_ahead(&mut self) -> Result<Ahead, Error> {
        self.open_block = None;
        Ok(match self.load_next()? {
            None => Ahead::EndOfData,
            Some(frame) => match frame.kind {
                Kind::Block => Ahead::Block(frame.length),
                Kind::BadBlock => Ahead::BadBlock,
                Kind::Filemark => Ahead::Filemark,
                Kind::Setmark => Ahead::Setmark,
                Kind::Index(_) | Kind::EndOfData | Kind::Optional => Ahead::EndOfData,
            },
        })
    }

    /// Moves over the next object without reading a block's payload; says what it was.
    pub fn skip_object(&mut self) -> Result<Ahead, Error> {
        let ahead = self.look_ahead()?;
        if let Some(frame) = self.next {
            self.move_behind(&frame, self.cursor.offset);
        }
        Ok(ahead)
    }

    fn move_behind(&mut self, frame: &Frame, offset: u64) {
        self.cursor = Spot::behind(frame, offset);
        self.next = None;
    }

    /// The frame of the next object, with the cursor exactly before it; `None` at the end of data.
    fn load_next(&mut self) -> Result<Option<Frame>, Error> {
        loop {
            if self.cursor.object >= self.end.object {
                self.cursor = self.end;
                self.next = None;
                return Ok(None);
            }
            if self.next.is_some() {
                return Ok(self.next);
            }
            let offset = self.cursor.offset;
            // A frame that the host can't read is as good as damaged.
            let frame = self
                .read_frame(offset)
                .unwrap_or(None)
                .filter(|frame| frame.object == self.cursor.object);
            match frame {
                Some(frame) if frame.kind.is_object() => {
                    self.cursor = Spot::before(&frame, offset);
                    self.next = Some(frame);
                }
                Some(frame) => self.cursor.offset = offset.saturating_add(frame.record_bytes()),
                None => self.pass_gap()?,
            }
        }
    }

    /// Goes behind damaged frames; an error where that costs objects.
    fn pass_gap(&mut self) -> Result<(), Error> {
        let from = self.cursor;
        let mut walk = self.walk_from(from);
        let found = walk
            .resynchronise(&self.store)
            .map_err(|source| Error::host("read", from.offset, FRAME_BYTES, source))?;
        let gap = found
            .filter(|gap| gap.first_object + gap.objects <= self.end.object)
            .unwrap_or(Gap {
                offset: from.offset,
                bytes: self.end.offset.saturating_sub(from.offset),
                first_object: from.object,
                objects: self.end.object - from.object,
            });
        self.cursor = if found == Some(gap) {
            walk.spot
        } else {
            self.end
        };
        self.next = None;
        match gap.objects {
            0 => Ok(()),
            _ => Err(Error::DamagedFrame {
                at: self.in_file(gap.first_object, from.file),
                gap,
            }),
        }
    }

    /// An object as messages call it. What the index can't tell is left out.
    fn in_file(&mut self, object: u64, file: u32) -> Box<ObjectInFile> {
        Box::new(ObjectInFile {
            object: ObjectNumber(object),
            file: Some(FileNumber(file.into())),
            block: self.objects_in_file_before(object).ok(),
        })
    }

    /// Reads a payload and, in the same call, the frame behind it.
    fn read_block(
        &mut self,
        frame: &Frame,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<Object, Error> {
        self.move_behind(frame, offset);
        let start = offset + FRAME_BYTES;
        let length = usize::try_from(frame.length).unwrap_or(usize::MAX);
        let copied = length.min(buffer.len());
        let into = buffer.get_mut(..copied).unwrap_or_default();
        let host = |source| Error::host("read", start, u64::from(frame.length), source);
        let mut behind = [0; 48];
        let mut crc = Hasher::new();
        let mut count = if copied == length {
            self.store
                .read_vectored_at(
                    &mut [IoSliceMut::new(into), IoSliceMut::new(&mut behind)],
                    start,
                )
                .map_err(host)?
        } else {
            self.store.read_at(into, start).map_err(host)?
        };
        crc.update(into);
        if copied == length {
            self.take_next(&behind, count.saturating_sub(length));
        } else {
            count += self.check_rest(start + wide(copied), length - copied, &mut crc)?;
        }
        if count < length || crc.finalize() != frame.payload_crc {
            return Err(Error::DamagedPayload {
                at: self.in_file(frame.object, frame.file),
                offset: start,
                length: frame.length,
            });
        }
        Ok(Object::Block {
            length: frame.length,
            copied,
        })
    }

    /// Reads on only to check; says how many bytes there were.
    fn check_rest(&mut self, start: u64, length: usize, crc: &mut Hasher) -> Result<usize, Error> {
        self.scratch.clear();
        self.scratch.resize(REST_BYTES, 0);
        let mut done = 0;
        while done < length {
            let part = (length - done).min(REST_BYTES);
            let into = self.scratch.get_mut(..part).unwrap_or_default();
            let at = start + wide(done);
            let count = self
                .store
                .read_at(into, at)
                .map_err(|source| Error::host("read", at, wide(part), source))?;
            crc.update(into);
            done += count;
            if count < part {
                break;
            }
        }
        Ok(done)
    }

    /// Keeps the frame at the cursor, which came with the payload before it, where it is the next object's.
    fn take_next(&mut self, bytes: &[u8], count: usize) {
        self.next = bytes
            .get(..count.min(bytes.len()))
            .and_then(|bytes| self.key.decode(bytes, self.cursor.offset))
            .filter(|frame| frame.kind.is_object() && frame.object == self.cursor.object);
        if let Some(frame) = &self.next {
            self.cursor = Spot::before(frame, self.cursor.offset);
        }
    }

    /// The length that a bad block once had; 0 where that is not known.
    fn bad_block_length(&self, frame: &Frame, offset: u64) -> u64 {
        let mut bytes = [0; 8];
        match self.store.read_at(&mut bytes, offset + FRAME_BYTES) {
            Ok(8) if crc32fast::hash(&bytes) == frame.payload_crc => u64::from_le_bytes(bytes),
            Ok(_) | Err(_) => 0,
        }
    }
}
