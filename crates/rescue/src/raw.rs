//! One tape file as bytes, with a map of its holes.

use std::fmt::Write;
use std::io;

use pseudotape_tape::{Drive, Noted, ObjectNumber, SpaceUnit, Volume};

use crate::error::{Error, Tape};
use crate::events::Options;
use crate::map::Wanted;
use crate::reader::{Batch, Finish, Reader, Step};

/// Bytes that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    /// Where they belong.
    pub offset: u64,
    /// How many there are, if each lost block is as long as the block before it (at the beginning: behind it).
    pub bytes: u64,
    /// The first object.
    pub first: u64,
    /// How many objects.
    pub objects: u64,
    /// They were tried, and not only out of reach.
    pub tried: bool,
}

/// What was read of a tape file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawFile {
    /// Length of the file, holes included.
    pub length: u64,
    /// Blocks that were read.
    pub blocks: u64,
    /// What was not.
    pub holes: Vec<Hole>,
    /// Its end was seen: a filemark, or the end of the data.
    pub ended: bool,
}

impl RawFile {
    /// Whether all of it was read.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.ended && self.holes.is_empty()
    }

    /// The holes as a map that ddrescue and its viewers read.
    #[must_use]
    pub fn ddrescue_map(&self) -> String {
        let mut text = String::from(
            "# Mapfile. Created by pseudotape rescue --raw-file\n\
             # The length of a lost block is taken from its neighbour.\n\
             # current_pos  current_status  current_pass\n\
             0x00000000     +               1\n\
             #      pos        size  status\n",
        );
        let mut line = |from: u64, to: u64, status: char| {
            if to > from {
                writeln!(text, "0x{from:08X}  0x{:08X}  {status}", to - from)
                    .expect("a String takes everything");
            }
        };
        let mut at = 0;
        for hole in &self.holes {
            line(at, hole.offset, '+');
            at = hole.offset + hole.bytes;
            line(hole.offset, at, if hole.tried { '-' } else { '?' });
        }
        line(at, self.length, '+');
        text
    }
}

/// A tape file on its way out.
struct Out<'a> {
    file: RawFile,
    /// Holes before the first block, whose length is not known yet.
    waiting: Vec<Hole>,
    /// Length of the last block.
    block: u64,
    write: &'a mut dyn FnMut(u64, &[u8]) -> io::Result<()>,
}

impl Out<'_> {
    fn block(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.block = bytes.len() as u64;
        self.settle();
        (self.write)(self.file.length, bytes)?;
        self.file.length += self.block;
        self.file.blocks += 1;
        Ok(())
    }

    fn settle(&mut self) {
        for mut hole in std::mem::take(&mut self.waiting) {
            hole.offset = self.file.length;
            hole.bytes = hole.objects.saturating_mul(self.block);
            self.file.length += hole.bytes;
            self.file.holes.push(hole);
        }
    }

    fn hole(&mut self, first: u64, objects: u64, tried: bool) {
        self.waiting.push(Hole {
            offset: 0,
            bytes: 0,
            first,
            objects,
            tried,
        });
        if self.block > 0 {
            self.settle();
        }
    }
}

/// Reads a tape file, counted from 0, as bytes: `write` gets each block with the place where it belongs.
///
/// A block that can't be read leaves a hole; reading goes on behind it, to the next filemark that can be read. The end
/// of a source that is known to have lost its end, or to be no copy from some object on, is not the end of the file.
pub fn raw_file(
    source: &mut dyn Volume,
    file: u64,
    options: Options,
    write: &mut dyn FnMut(u64, &[u8]) -> io::Result<()>,
) -> Result<RawFile, Error> {
    let first = find(source, file)?;
    let wanted = Wanted {
        first,
        end: None,
        tries: options.tries,
    };
    let limit = match source.noted() {
        Noted::NotMirroredFrom(object) => Some(object.0),
        Noted::Mirrored | Noted::NoPlace => None,
    };
    let mut reader = Reader::new(source, vec![wanted], limit);
    let mut out = Out {
        file: RawFile::default(),
        waiting: Vec::new(),
        block: 0,
        write,
    };
    let mut batch = Batch::default();
    let mut behind_a_filemark = false;
    'reading: loop {
        reader.fill(&mut batch);
        let mut bytes = batch.bytes();
        for (object, step) in &batch.steps {
            match *step {
                Step::Block(length) => {
                    let length = usize::try_from(length).unwrap_or(usize::MAX);
                    let (block, rest) = bytes.split_at_checked(length).unwrap_or((bytes, &[]));
                    bytes = rest;
                    out.block(block)
                        .map_err(|error| Error::Keeping(error.to_string()))?;
                }
                Step::Mark(pseudotape_tape::Mark::Filemark) => {
                    out.file.ended = true;
                    behind_a_filemark = true;
                    break 'reading;
                }
                // It has no bytes.
                Step::Mark(pseudotape_tape::Mark::Setmark) => {}
                Step::Bad { .. } => out.hole(*object, 1, true),
                Step::Skipped(objects) => out.hole(*object, objects, false),
            }
        }
        match batch.finish.take() {
            Some(Finish::Done(end)) => {
                out.file.ended = end.is_some() && !options.lost_its_end && limit.is_none();
                break;
            }
            Some(Finish::Failed(error)) => return Err(error),
            None => {}
        }
    }
    let nothing = out.file.blocks == 0 && out.file.holes.is_empty() && out.waiting.is_empty();
    if nothing && out.file.ended && !behind_a_filemark {
        // The end of the data lies where the file would begin.
        return Err(Error::NoFile { file, found: file });
    }
    // Nothing says how long a block would have been.
    out.block = out.block.max(1);
    out.settle();
    Ok(out.file)
}

/// The first object of a tape file.
fn find(source: &mut dyn Volume, file: u64) -> Result<u64, Error> {
    let drive: &mut dyn Drive = source;
    let failed = |failed| Error::Drive {
        tape: Tape::Source,
        object: ObjectNumber(0),
        action: "find the tape file",
        failed,
    };
    let mut at = drive.rewind().map_err(failed)?.position.object.0;
    if file > 0 {
        let count = i64::try_from(file).unwrap_or(i64::MAX);
        let done = drive.space(SpaceUnit::Filemarks, count).map_err(failed)?;
        at = done.position.object.0;
        if done.count < file {
            return Err(Error::NoFile {
                file,
                found: done.count,
            });
        }
    }
    Ok(at)
}
