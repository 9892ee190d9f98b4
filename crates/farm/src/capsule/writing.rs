//! Writing of a capsule, from its beginning to its end.

use std::num::NonZeroU32;

use pseudotape_image::{CreateParameters, Error, Image, VolumeId};
use pseudotape_pax::{END, Member, padding};
use pseudotape_tape::Mark;
use uuid::Uuid;

use super::BLOCK_BYTES;
use super::store::CapsuleStore;
use crate::entry::Digest;

/// Blocks that go to the image in one call.
const BATCH_BYTES: usize = 64 * BLOCK_BYTES as usize;
/// The name of the member with the pax records, for programs that do not know them.
const PAX_NAME: &str = "PaxHeaders/file";

/// What a capsule's image says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Making<'a> {
    /// The name of the volume.
    pub(crate) label: &'a str,
    /// The identity of the image.
    pub(crate) identity: Uuid,
    /// When, in milliseconds after 1970.
    pub(crate) now_ms: u64,
}

/// A capsule whose archive is being written.
pub(crate) struct Archive {
    image: Image<CapsuleStore>,
    buffer: Vec<u8>,
    digest: blake3::Hasher,
    /// Bytes of the member's contents that are still to come.
    due: u64,
    padding: usize,
}

impl Archive {
    /// Begins with the headers of its member, or without one.
    pub(crate) fn begin(
        store: CapsuleStore,
        making: &Making<'_>,
        member: Option<&Member>,
    ) -> Result<Self, Error> {
        let mut parameters = CreateParameters::new(VolumeId(making.identity), making.now_ms);
        parameters.label = making.label.to_owned();
        let mut archive = Archive {
            image: Image::create(store, &parameters)?,
            buffer: Vec::new(),
            digest: blake3::Hasher::new(),
            due: 0,
            padding: 0,
        };
        if let Some(member) = member {
            archive.append(&member.headers(PAX_NAME))?;
            archive.due = member.length;
            archive.padding = padding(member.length);
        }
        Ok(archive)
    }

    /// Adds to the contents, which come no longer than the headers say.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let most = usize::try_from(self.due)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let bytes = bytes.get(..most).unwrap_or_default();
        self.due -= bytes.len() as u64;
        self.digest.update(bytes);
        self.append(bytes)
    }

    /// Bytes of the contents that are missing.
    pub(crate) fn due(&self) -> u64 {
        self.due
    }

    /// The digest of the contents.
    pub(crate) fn digest(&self) -> Digest {
        Digest(*self.digest.finalize().as_bytes())
    }

    /// Ends the archive and writes the record behind it. The file has all bytes then, on no stable storage yet.
    pub(crate) fn end(mut self, record: &[u8]) -> Result<CapsuleStore, Error> {
        let zeros = vec![0; self.padding + END.len()];
        self.append(&zeros)?;
        let block = BLOCK_BYTES as usize;
        let whole = self.buffer.len().next_multiple_of(block);
        self.buffer.resize(whole, 0);
        self.write_blocks(whole)?;
        self.image.append_marks(Mark::Filemark, 1)?;
        self.image.append_block(record)?;
        self.image.append_marks(Mark::Filemark, 1)?;
        self.image.finish()
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.buffer.extend_from_slice(bytes);
        match self.buffer.len() >= BATCH_BYTES {
            true => self.write_blocks(self.buffer.len() / BATCH_BYTES * BATCH_BYTES),
            false => Ok(()),
        }
    }

    /// Writes so many of the bytes, which are whole blocks.
    fn write_blocks(&mut self, bytes: usize) -> Result<(), Error> {
        let size = NonZeroU32::new(BLOCK_BYTES).expect("blocks have a length");
        let blocks = self.buffer.get(..bytes).unwrap_or_default();
        self.image.append_blocks(size, blocks)?;
        self.buffer.drain(..bytes);
        Ok(())
    }
}
