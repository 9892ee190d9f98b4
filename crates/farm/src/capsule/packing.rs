//! The archive of a capsule as it is stored: as it is, or as one zstd frame.

use std::borrow::BorrowMut;
use std::io::{self, BufReader, Read, Write};

use pseudotape_image::{Error, Image};

use super::BLOCK_BYTES;
use super::blocks::Blocks;
use super::store::CapsuleStore;

/// As much as takes the processor less time than a disk.
const LEVEL: i32 = 3;
/// The largest window of a frame, as a power of two: so much memory a capsule can cost who reads it.
const WINDOW: u32 = 23;

/// How an archive is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    Zstd,
}

/// Packs what is written into bytes that wait for their blocks.
pub(super) struct Packer(zstd::stream::write::Encoder<'static, Vec<u8>>);

impl Packer {
    pub(super) fn new() -> io::Result<Self> {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), LEVEL)?;
        encoder.include_checksum(true)?;
        Ok(Packer(encoder))
    }

    /// Packs bytes, and moves what is ready to `to`.
    pub(super) fn pack(&mut self, bytes: &[u8], to: &mut Vec<u8>) -> io::Result<()> {
        self.0.write_all(bytes)?;
        to.append(self.0.get_mut());
        Ok(())
    }

    /// Ends the frame.
    pub(super) fn end(self, to: &mut Vec<u8>) -> io::Result<()> {
        to.append(&mut self.0.finish()?);
        Ok(())
    }
}

/// Memory is what fails, if anything does.
pub(super) fn failed(source: io::Error) -> Error {
    Error::Host {
        action: "compress",
        offset: 0,
        source,
    }
}

/// The bytes of an archive, whichever way it is stored.
pub(crate) enum Unpacked<I: BorrowMut<Image<CapsuleStore>>> {
    Plain(Blocks<I>),
    Zstd(Box<zstd::stream::read::Decoder<'static, BufReader<Blocks<I>>>>),
}

impl<I: BorrowMut<Image<CapsuleStore>>> Unpacked<I> {
    pub(super) fn new(image: I, packing: Packing) -> io::Result<Self> {
        let blocks = Blocks::new(image);
        Ok(match packing {
            Packing::Plain => Unpacked::Plain(blocks),
            Packing::Zstd => {
                let blocks = BufReader::with_capacity(BLOCK_BYTES as usize, blocks);
                let mut decoder = zstd::stream::read::Decoder::with_buffer(blocks)?;
                decoder.window_log_max(WINDOW)?;
                Unpacked::Zstd(Box::new(decoder.single_frame()))
            }
        })
    }

    /// The blocks below.
    pub(super) fn blocks(&mut self) -> &mut Blocks<I> {
        match self {
            Unpacked::Plain(blocks) => blocks,
            Unpacked::Zstd(decoder) => decoder.get_mut().get_mut(),
        }
    }

    /// Behind the end of the archive: whether nothing but zeros that fill a block is in the frame, and nothing behind.
    pub(super) fn ends_here(&mut self) -> io::Result<bool> {
        match self {
            // A block is filled up with zeros.
            Unpacked::Plain(_) => Ok(true),
            Unpacked::Zstd(decoder) => {
                let mut rest = Vec::new();
                let most = u64::from(BLOCK_BYTES);
                decoder.by_ref().take(most + 1).read_to_end(&mut rest)?;
                let is_filling = rest.len() as u64 <= most && rest.iter().all(|byte| *byte == 0);
                Ok(is_filling && decoder.get_mut().read(&mut [0])? == 0)
            }
        }
    }
}

impl<I: BorrowMut<Image<CapsuleStore>>> Read for Unpacked<I> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Unpacked::Plain(blocks) => blocks.read(out),
            Unpacked::Zstd(decoder) => decoder.read(out),
        }
    }
}
