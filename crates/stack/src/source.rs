//! Where the blocks of a tape file come from.

use pseudotape_tape::{Drive, SpaceUnit, Stop, Transfer};

use crate::BLOCK_BYTES;
use crate::error::{Error, failed};

/// What comes next in a tape file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A block.
    Block,
    /// A block that is longer than those of archives.
    LongBlock,
    /// The filemark behind the file; the tape is behind it.
    Filemark,
    /// A setmark, which is in no archive.
    Setmark,
    /// Nothing.
    EndOfData,
}

/// The blocks of one tape file.
pub(crate) trait Source: Send {
    /// Reads the next block into the buffer, in place of what is there.
    fn next_block(&mut self, block: &mut Vec<u8>) -> Result<Next, Error>;

    /// Goes behind the next filemark; whether there is one.
    fn pass_file(&mut self) -> Result<bool, Error>;
}

/// A drive with the tape in a tape file.
pub(crate) struct Tape<'a>(pub(crate) &'a mut dyn Drive);

impl Source for Tape<'_> {
    fn next_block(&mut self, block: &mut Vec<u8>) -> Result<Next, Error> {
        block.resize(BLOCK_BYTES, 0);
        let read = self.0.read(Transfer::Variable, block);
        let done = read.map_err(failed("read"))?;
        let next = match done.stop {
            Some(Stop::EndOfData) => Next::EndOfData,
            Some(Stop::Filemark) => Next::Filemark,
            Some(Stop::Setmark) => Next::Setmark,
            _ if done.block_length as usize > done.bytes => Next::LongBlock,
            _ => Next::Block,
        };
        block.truncate(done.bytes);
        Ok(next)
    }

    fn pass_file(&mut self) -> Result<bool, Error> {
        pass_file(self.0)
    }
}

/// Goes behind the next filemark; whether there is one. Setmarks are passed too.
pub(crate) fn pass_file(drive: &mut dyn Drive) -> Result<bool, Error> {
    loop {
        let done = drive
            .space(SpaceUnit::Filemarks, 1)
            .map_err(failed("go to the next tape file"))?;
        if done.count > 0 {
            return Ok(true);
        }
        if done.stop != Some(Stop::Setmark) {
            return Ok(false);
        }
    }
}
