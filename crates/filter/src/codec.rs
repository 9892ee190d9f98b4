//! Blocks to stored blocks and back.

use aws_lc_rs::error::Unspecified;
use zerocopy::IntoBytes;

use crate::error::{BlockError, EncodeError};
use crate::header::{
    AUTHENTICATED_BYTES, BOUND_VERSION, BoundSealBytes, ENCRYPTION_BYTES, HEADER_BYTES, Method,
    Place, SEAL_BYTES, Seal, StoredHeader, TAG_BYTES, U48, VERSION, VolumeMark, beginning,
};
use crate::key::{Key, Segment, fresh_salt, shortened};

/// How many blocks one key may encrypt: AES-GCM with a counter as nonce is safe for that many.
const SEGMENT_BLOCKS: u64 = 1 << 32;
/// Faster than a disk, and within a tenth of what higher levels reach on what is written to tapes.
const ZSTD_LEVEL: i32 = 1;

/// How blocks are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// zstd, level 1.
    Zstd,
    /// LZ4.
    Lz4,
}

/// What is asked of an encrypted block beside its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Binding {
    /// That it is of this volume, of this place, and the one that has to come.
    #[default]
    Checked,
    /// Nothing: every block of the key is read, wherever it is met. Nothing is written.
    Ignored,
}

/// What is done to blocks on their way down.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Compression; what was compressed otherwise is read all the same.
    pub compression: Option<Compression>,
    /// Encryption; then nothing is read that was not encrypted with this key.
    pub key: Option<Key>,
    /// What is asked of an encrypted block.
    pub binding: Binding,
}

impl Filter {
    /// How much longer a stored block can be than the block in it.
    #[must_use]
    pub fn overhead_bytes(&self) -> u32 {
        let bytes = match self.key {
            Some(_) => HEADER_BYTES + ENCRYPTION_BYTES,
            None => HEADER_BYTES,
        };
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }
}

/// What a block's encryption is told to go with it: the header up to its checksums, and what follows it.
fn company(header: &[u8], seal: &[u8]) -> [u8; AUTHENTICATED_BYTES + SEAL_BYTES] {
    let mut company = [0; AUTHENTICATED_BYTES + SEAL_BYTES];
    let bytes = header.iter().take(AUTHENTICATED_BYTES).chain(seal);
    for (to, from) in company.iter_mut().zip(bytes) {
        *to = *from;
    }
    company
}

/// What an encrypted block is bound to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    /// `None`: the block begins a volume.
    pub(crate) volume: Option<VolumeMark>,
    pub(crate) place: Place,
}

/// A segment that is being written.
struct Writing {
    segment: Segment,
    /// Number of the next block, never used twice.
    counter: u64,
}

/// Makes stored blocks.
pub(crate) struct Encoder {
    zstd: Option<zstd::bulk::Compressor<'static>>,
    lz4: bool,
    key: Option<Key>,
    writing: Option<Writing>,
    out: Vec<u8>,
}

impl Encoder {
    pub(crate) fn new(filter: &Filter) -> Self {
        Encoder {
            // Only memory can be wanting; then blocks are stored as they are.
            zstd: (filter.compression == Some(Compression::Zstd))
                .then(|| zstd::bulk::Compressor::new(ZSTD_LEVEL).ok())
                .flatten(),
            lz4: filter.compression == Some(Compression::Lz4),
            key: filter.key.clone(),
            writing: None,
            out: Vec::new(),
        }
    }

    /// The segment to write with from now on, for vectors that are always the same.
    #[cfg(test)]
    pub(crate) fn set_segment(&mut self, segment: Segment, counter: u64) {
        self.writing = Some(Writing { segment, counter });
    }

    /// The next block is the first of a new segment.
    pub(crate) fn end_segment(&mut self) {
        self.writing = None;
    }

    /// What a volume would be told by that begins with a block of this segment.
    pub(crate) fn volume(&self) -> VolumeMark {
        let writing = self.writing.as_ref();
        writing.map_or_else(VolumeMark::default, |writing| {
            beginning(&writing.segment.salt)
        })
    }

    /// Makes the stored block of a block, padded to a multiple of `granularity` and to `min` bytes.
    ///
    /// With a key, `seat` is what the block is bound to. Fails where the system gives no random numbers.
    pub(crate) fn encode(
        &mut self,
        block: &[u8],
        seat: Option<Seat>,
        min: usize,
        granularity: usize,
    ) -> Result<&[u8], EncodeError> {
        self.begin_segment()?;
        let at = HEADER_BYTES + if self.key.is_some() { SEAL_BYTES } else { 0 };
        let (method, content) = self.compress(block, at)?;
        let bound = self.writing.as_ref().is_some_and(|w| w.segment.is_bound());
        let head = StoredHeader {
            version: if bound { BOUND_VERSION } else { VERSION },
            method,
            encrypted: self.key.is_some(),
            length: u32::try_from(block.len()).map_err(|_| Unspecified)?,
            stored: 0,
        };
        let end = match self.key.is_some() {
            true => self.seal(&head, seat, at, content)?,
            false => at + content,
        };
        let padded = end.next_multiple_of(granularity.max(1)).max(min);
        self.make_room(padded)?;
        let (header, stored) = self
            .out
            .get_mut(..end)
            .and_then(|out| out.split_at_mut_checked(HEADER_BYTES))
            .ok_or(Unspecified)?;
        header.copy_from_slice(&head.encode(stored));
        let out = self.out.get_mut(..padded).ok_or(Unspecified)?;
        out.get_mut(end..).unwrap_or_default().fill(0);
        Ok(out)
    }

    /// Makes the buffer for stored blocks at least so long.
    fn make_room(&mut self, length: usize) -> Result<(), EncodeError> {
        let more = length.saturating_sub(self.out.len());
        if more > 0 {
            let room = self.out.try_reserve_exact(more);
            room.map_err(|_| EncodeError::Memory { length })?;
            self.out.resize(length, 0);
        }
        Ok(())
    }

    /// Puts the content behind the header; says how long it is and how it was made.
    fn compress(&mut self, block: &[u8], at: usize) -> Result<(Method, usize), EncodeError> {
        // Room also for what does not get shorter: without it zstd's answer is an error, which costs an allocation.
        let room = match (self.lz4, &self.zstd) {
            (true, _) => lz4_flex::block::get_maximum_output_size(block.len()),
            (false, Some(_)) => zstd::zstd_safe::compress_bound(block.len()),
            (false, None) => block.len(),
        };
        self.make_room(at + room + TAG_BYTES)?;
        let space = self.out.get_mut(at..at + room).unwrap_or_default();
        let compressed = if self.lz4 {
            let done = lz4_flex::block::compress_into(block, space);
            done.ok().map(|length| (Method::Lz4, length))
        } else {
            let zstd = self.zstd.as_mut();
            // What can't be compressed is stored as it is.
            zstd.and_then(|zstd| zstd.compress_to_buffer(block, space).ok())
                .map(|length| (Method::Zstd, length))
        };
        if let Some((method, length)) = compressed.filter(|(_, length)| *length < block.len()) {
            return Ok((method, length));
        }
        if let Some(space) = space.get_mut(..block.len()) {
            space.copy_from_slice(block);
        }
        Ok((Method::Raw, block.len()))
    }

    /// Begins a segment where there is none, or none that takes another block.
    fn begin_segment(&mut self) -> Result<(), Unspecified> {
        let Some(key) = &self.key else {
            return Ok(());
        };
        let full = |writing: &Writing| writing.counter >= SEGMENT_BLOCKS;
        if self.writing.as_ref().is_none_or(full) {
            self.writing = Some(Writing {
                segment: key.bound_segment(fresh_salt()?),
                counter: 0,
            });
        }
        Ok(())
    }

    /// Encrypts what lies at `at`; says where its tag ends.
    fn seal(
        &mut self,
        head: &StoredHeader,
        seat: Option<Seat>,
        at: usize,
        content: usize,
    ) -> Result<usize, Unspecified> {
        let (Some(key), Some(writing)) = (&self.key, &mut self.writing) else {
            return Err(Unspecified);
        };
        let seal = writing.seal_bytes(key, seat)?;
        let counter = writing.counter;
        // Used up whatever happens now.
        writing.counter += 1;
        let header = head.authenticated(SEAL_BYTES + content + TAG_BYTES);
        let company = company(header.as_bytes(), &seal);
        let end = at + content + TAG_BYTES;
        let sealed = self.out.get_mut(HEADER_BYTES..end).ok_or(Unspecified)?;
        let (into, sealed) = sealed.split_at_mut_checked(SEAL_BYTES).ok_or(Unspecified)?;
        into.copy_from_slice(&seal);
        let (bytes, tag) = sealed.split_at_mut_checked(content).ok_or(Unspecified)?;
        tag.copy_from_slice(&writing.segment.seal(counter, &company, bytes)?);
        Ok(end)
    }
}

impl Writing {
    /// What stands behind the header of the next block.
    fn seal_bytes(&self, key: &Key, seat: Option<Seat>) -> Result<[u8; SEAL_BYTES], Unspecified> {
        #[cfg(test)]
        if !self.segment.is_bound() {
            let seal = crate::header::SealBytes {
                key_check: key.check(),
                salt: self.segment.salt,
                counter: self.counter.into(),
            };
            return Ok(zerocopy::transmute!(seal));
        }
        let seat = seat.ok_or(Unspecified)?;
        let own = beginning(&self.segment.salt);
        let seal = BoundSealBytes {
            key_check: key.check(),
            salt: shortened(&self.segment.salt),
            volume: seat.volume.unwrap_or(own),
            counter: u32::try_from(self.counter).map_err(|_| Unspecified)?.into(),
            reserved: [0; 4],
            object: U48::new(seat.place.object).ok_or(Unspecified)?,
            partition: seat.place.partition,
            reserved_too: 0,
        };
        Ok(zerocopy::transmute!(seal))
    }
}

/// A stored block that was decrypted: its key is right, and nothing of it was changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opened {
    head: StoredHeader,
    /// What stood with it, where it was encrypted.
    pub(crate) seal: Option<Seal>,
}

#[cfg(any(test, feature = "fuzz"))]
impl Opened {
    /// Bytes behind the header.
    pub(crate) fn stored(&self) -> usize {
        self.head.stored
    }
}

/// Takes stored blocks apart.
pub(crate) struct Decoder {
    zstd: Option<zstd::bulk::Decompressor<'static>>,
    key: Option<Key>,
    /// The segment met last.
    segment: Option<Segment>,
    plain: Vec<u8>,
}

impl Decoder {
    pub(crate) fn new(filter: &Filter) -> Self {
        Decoder {
            zstd: None,
            key: filter.key.clone(),
            segment: None,
            plain: Vec::new(),
        }
    }

    /// Checks a stored block and decrypts it where it lies.
    pub(crate) fn open(&mut self, block: &mut [u8], max_bytes: u32) -> Result<Opened, BlockError> {
        let head = StoredHeader::decode(block)?;
        if head.length > max_bytes {
            return Err(BlockError::TooLong {
                length: head.length,
                max: max_bytes,
            });
        }
        let seal = self.decrypt(&head, block)?;
        Ok(Opened { head, seal })
    }

    /// Gives the first bytes of the original block, as many as `into` takes; says its length.
    ///
    /// `block` is what [`Decoder::open`] made of it. Nothing is given of a block that is not whole.
    pub(crate) fn unpack(
        &mut self,
        opened: &Opened,
        block: &[u8],
        into: &mut [u8],
    ) -> Result<u32, BlockError> {
        let head = &opened.head;
        let (before, behind) = match opened.seal {
            Some(_) => (HEADER_BYTES + SEAL_BYTES, TAG_BYTES),
            None => (HEADER_BYTES, 0),
        };
        let end = HEADER_BYTES + head.stored;
        let content = block
            .get(before..end.saturating_sub(behind))
            .ok_or(BlockError::Damaged)?;
        match head.method {
            Method::Raw => give(content, into),
            Method::Zstd | Method::Lz4 => self.decompress(head, content, into)?,
        }
        Ok(head.length)
    }

    fn decrypt(
        &mut self,
        head: &StoredHeader,
        block: &mut [u8],
    ) -> Result<Option<Seal>, BlockError> {
        let (header, stored) = block
            .split_at_mut_checked(HEADER_BYTES)
            .ok_or(BlockError::NotFiltered)?;
        let stored = stored.get_mut(..head.stored).ok_or(BlockError::Damaged)?;
        let key = match (&self.key, head.encrypted) {
            (None, false) => return Ok(None),
            (None, true) => return Err(BlockError::NoKey),
            (Some(_), false) => return Err(BlockError::NotEncrypted),
            (Some(key), true) => key,
        };
        let (seal, sealed) = stored
            .split_at_mut_checked(SEAL_BYTES)
            .ok_or(BlockError::Damaged)?;
        let company = company(header, seal);
        let seal = Seal::read(head.version, seal).ok_or(BlockError::Damaged)?;
        if seal.key_check != key.check() {
            return Err(BlockError::OtherKey);
        }
        let segment = match &mut self.segment {
            Some(segment) if segment.has(&seal) => segment,
            other => other.insert(key.segment_of(&seal)),
        };
        segment
            .open(seal.counter, &company, sealed)
            .map_err(|_| BlockError::Forged)?;
        Ok(Some(seal))
    }

    fn decompress(
        &mut self,
        head: &StoredHeader,
        content: &[u8],
        into: &mut [u8],
    ) -> Result<(), BlockError> {
        let length = usize::try_from(head.length).unwrap_or(usize::MAX);
        if let Some(space) = into.get_mut(..length) {
            return inflate(&mut self.zstd, head.method, content, space);
        }
        if self.plain.len() < length {
            let more = length - self.plain.len();
            if self.plain.try_reserve_exact(more).is_err() {
                return Err(BlockError::Memory {
                    length: head.length,
                });
            }
            self.plain.resize(length, 0);
        }
        let space = self.plain.get_mut(..length).unwrap_or_default();
        inflate(&mut self.zstd, head.method, content, space)?;
        give(space, into);
        Ok(())
    }
}

fn give(from: &[u8], into: &mut [u8]) {
    let count = from.len().min(into.len());
    if let (Some(from), Some(into)) = (from.get(..count), into.get_mut(..count)) {
        into.copy_from_slice(from);
    }
}

/// Decompresses to exactly as many bytes as there is space.
fn inflate(
    zstd: &mut Option<zstd::bulk::Decompressor<'static>>,
    method: Method,
    content: &[u8],
    space: &mut [u8],
) -> Result<(), BlockError> {
    let length = match method {
        Method::Zstd => {
            if zstd.is_none() {
                *zstd = zstd::bulk::Decompressor::new().ok();
            }
            zstd.as_mut()
                .and_then(|zstd| zstd.decompress_to_buffer(content, space).ok())
        }
        Method::Lz4 => lz4_flex::block::decompress_into(content, space).ok(),
        Method::Raw => None,
    };
    match length {
        Some(length) if length == space.len() => Ok(()),
        _ => Err(BlockError::Damaged),
    }
}
