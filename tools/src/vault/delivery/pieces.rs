//! The blocks of a tape file, from wherever they come.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use pseudotape_tape::Mark;
use pseudotape_vault::TapeFile;

use crate::vault::clone::objects::{Kept, Met};

/// One after the other.
pub(super) trait Pieces {
    /// `None` at the end of the tape file.
    fn next(&mut self) -> Result<Option<Piece<'_>>>;
}

pub(super) enum Piece<'a> {
    Block(&'a [u8]),
    Setmark,
}

/// Of a tape file of an image.
pub(super) struct Recorded {
    kept: Kept,
    object: u64,
}

impl Recorded {
    pub(super) fn new(image: &Path, file: &TapeFile) -> Result<Self> {
        let mut kept = Kept::open(image)?;
        kept.go_to(file.first_object)?;
        Ok(Recorded {
            kept,
            object: file.first_object,
        })
    }

    /// The length of its first block that can be read; no file has more objects.
    pub(super) fn first_length(&mut self, objects: u64) -> Result<Option<u64>> {
        for _ in 0..objects {
            match self.kept.next()? {
                Met::Block(length) => return Ok(Some(length as u64)),
                Met::Mark(Mark::Filemark) | Met::End => break,
                Met::Mark(Mark::Setmark) | Met::Hole => {}
            }
        }
        Ok(None)
    }
}

impl Pieces for Recorded {
    fn next(&mut self) -> Result<Option<Piece<'_>>> {
        let object = self.object;
        self.object += 1;
        Ok(match self.kept.next()? {
            Met::Block(length) => {
                let block = self.kept.block(length);
                Some(Piece::Block(block))
            }
            Met::Mark(Mark::Setmark) => Some(Piece::Setmark),
            Met::Mark(Mark::Filemark) | Met::End => None,
            Met::Hole => bail!("object {object} could be read a moment ago, and can't be now"),
        })
    }
}

/// Of a file of this host.
pub(super) struct Cut {
    file: File,
    name: String,
    block: Vec<u8>,
}

impl Cut {
    pub(super) fn new(path: &Path, block_size: usize) -> Result<Self> {
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| name.clone())?;
        ensure!(file.metadata()?.is_file(), "{name} is no regular file");
        let mut block = Vec::new();
        ensure!(
            block.try_reserve_exact(block_size).is_ok(),
            "no memory for blocks of {block_size} bytes"
        );
        block.resize(block_size, 0);
        Ok(Cut { file, name, block })
    }
}

impl Pieces for Cut {
    fn next(&mut self) -> Result<Option<Piece<'_>>> {
        let length = fill(&mut self.file, &mut self.block).with_context(|| self.name.clone())?;
        let block = self.block.get(..length).filter(|block| !block.is_empty());
        Ok(block.map(Piece::Block))
    }
}

/// Reads as much as there is room for, or is there.
pub(super) fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while let Some(room) = buffer.get_mut(length..).filter(|room| !room.is_empty()) {
        match from.read(room) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}
