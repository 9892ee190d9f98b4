//! The blocks of a tape file as one run of bytes.

use std::borrow::BorrowMut;
use std::io::{self, Read};

use pseudotape_image::{Image, Object};

use super::BLOCK_BYTES;
use super::store::CapsuleStore;

/// The bytes of the blocks of a tape file.
pub(crate) struct Blocks<I> {
    image: I,
    block: Vec<u8>,
    at: usize,
    used: usize,
    pub(super) failed: Option<pseudotape_image::Error>,
    /// Bytes of all blocks that were read.
    pub(super) passed: u64,
}

impl<I> Blocks<I> {
    pub(super) fn new(image: I) -> Self {
        Blocks {
            image,
            block: vec![0; BLOCK_BYTES as usize],
            at: 0,
            used: 0,
            failed: None,
            passed: 0,
        }
    }
}

impl<I: BorrowMut<Image<CapsuleStore>>> Read for Blocks<I> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.used {
            self.at = 0;
            self.used = 0;
            match self.image.borrow_mut().read_object(&mut self.block) {
                Ok(Object::Block { length, copied }) => {
                    if length > BLOCK_BYTES {
                        return Err(io::Error::other("a block is longer than those of capsules"));
                    }
                    self.used = copied;
                    self.passed += copied as u64;
                }
                // Its reader says that the archive ends too early.
                Ok(Object::Filemark | Object::Setmark | Object::EndOfData) => return Ok(0),
                Err(error) => {
                    let text = error.to_string();
                    self.failed = Some(error);
                    return Err(io::Error::other(text));
                }
            }
        }
        let ready = self.block.get(self.at..self.used).unwrap_or_default();
        let bytes = ready.len().min(out.len());
        if let (Some(out), Some(ready)) = (out.get_mut(..bytes), ready.get(..bytes)) {
            out.copy_from_slice(ready);
        }
        self.at += bytes;
        Ok(bytes)
    }
}
