//! Writing of a capsule, from its beginning to its end.

use std::num::NonZeroU32;

use pseudotape_image::{CreateParameters, Error, Image, VolumeId};
use pseudotape_pax::{END, Member, padding};
use pseudotape_tape::Mark;
use uuid::Uuid;

use super::BLOCK_BYTES;
use super::packing::{Packer, Packing, failed};
use super::store::CapsuleStore;
use crate::entry::Digest;

/// Blocks that go to the image in one call.
const BATCH_BYTES: usize = 64 * BLOCK_BYTES as usize;
/// The name of the member with the pax records, for programs that do not know them.
pub(crate) const PAX_NAME: &str = "PaxHeaders/file";

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
    packer: Option<Packer>,
    /// Bytes that are in blocks.
    stored: u64,
}

impl Archive {
    /// Begins with the headers of its member, or without one.
    pub(crate) fn begin(
        store: CapsuleStore,
        making: &Making<'_>,
        member: Option<&Member>,
        packing: Packing,
    ) -> Result<Self, Error> {
        let mut parameters = CreateParameters::new(VolumeId(making.identity), making.now_ms);
        parameters.label = making.label.to_owned();
        let mut archive = Archive {
            image: Image::create(store, &parameters)?,
            buffer: Vec::new(),
            digest: blake3::Hasher::new(),
            due: 0,
            padding: 0,
            packer: match packing {
                Packing::Plain => None,
                Packing::Zstd => Some(Packer::new().map_err(failed)?),
            },
            stored: 0,
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

    /// Ends the archive; how many bytes it takes where it is compressed.
    pub(crate) fn close(&mut self) -> Result<Option<u64>, Error> {
        let zeros = vec![0; self.padding + END.len()];
        self.append(&zeros)?;
        let block = BLOCK_BYTES as usize;
        let Some(packer) = self.packer.take() else {
            let whole = self.buffer.len().next_multiple_of(block);
            self.buffer.resize(whole, 0);
            self.write_blocks(whole)?;
            return Ok(None);
        };
        packer.end(&mut self.buffer).map_err(failed)?;
        // Nothing may stand behind a frame: the last block is as long as what is left.
        self.write_blocks(self.buffer.len() / block * block)?;
        if !self.buffer.is_empty() {
            self.image.append_block(&self.buffer)?;
            self.stored += self.buffer.len() as u64;
        }
        Ok(Some(self.stored))
    }

    /// Writes the record behind the archive, which is closed. The file has all bytes then, on no stable storage yet.
    pub(crate) fn end(mut self, record: &[u8]) -> Result<CapsuleStore, Error> {
        self.image.append_marks(Mark::Filemark, 1)?;
        self.image.append_block(record)?;
        self.image.append_marks(Mark::Filemark, 1)?;
        self.image.finish()
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match &mut self.packer {
            Some(packer) => packer.pack(bytes, &mut self.buffer).map_err(failed)?,
            None => self.buffer.extend_from_slice(bytes),
        }
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
        self.stored += bytes as u64;
        self.buffer.drain(..bytes);
        Ok(())
    }
}
