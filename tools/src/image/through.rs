//! A volume behind a filter: its blocks are read through the filter, as a program reads them.

use std::mem;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use pseudotape_copy::Side;
use pseudotape_human::shell_word;
use pseudotape_sink::{Access, Sink};
use pseudotape_tape::{Sense, Stop, Transfer};

use super::list::TapeFile;
use super::reading::{Damage, Met};
use crate::content::{SAMPLE_BYTES, recognise};
use crate::copying::tape::Tape;

/// How a specification with a filter begins.
const FILTERS: [&str; 4] = ["aes=", "aes-anywhere=", "zstd+", "lz4+"];

/// What a command was given: an image, and the filter before it, if there is one.
pub(crate) struct Named {
    pub image: PathBuf,
    pub filtered: Option<Sink>,
}

impl Named {
    /// A path that is there is that, whatever it looks like.
    pub(crate) fn new(given: &Path) -> Result<Self> {
        let text = given.to_str().unwrap_or_default();
        if given.exists() || !FILTERS.iter().any(|filter| text.starts_with(filter)) {
            return Ok(Named {
                image: given.to_owned(),
                filtered: None,
            });
        }
        let sink: Sink = text.parse()?;
        match sink.image_path() {
            Some(image) => Ok(Named {
                image: image.to_owned(),
                filtered: Some(sink),
            }),
            None => bail!(
                "{sink}: no image; 'pseudotape copy {word} IMAGE' makes one of it",
                word = shell_word(sink.to_string())
            ),
        }
    }
}

/// Goes over the blocks and marks that come out of the filter.
pub(crate) struct Through {
    tape: Tape,
    /// The first bytes of the block that was met. The filter checks all of it.
    sample: Vec<u8>,
    read: usize,
    object: u64,
    file: u64,
}

impl Through {
    pub(crate) fn open(sink: &Sink, partition: u8) -> Result<Self> {
        let mut tape = Tape::open(sink, Access::ReadOnly, Side::First)?;
        tape.go_to(Some(partition), 0)?;
        Ok(Through {
            tape,
            sample: vec![0; SAMPLE_BYTES],
            read: 0,
            object: 0,
            file: 0,
        })
    }

    /// Reads the next object and goes behind it. A wrong key is no damage: it ends this.
    pub(crate) fn next(&mut self) -> Result<Met> {
        let read = self.tape.drive().read(Transfer::Variable, &mut self.sample);
        self.read = 0;
        match read {
            Ok(done) => {
                self.object = done.position.object.0;
                Ok(match done.stop {
                    Some(Stop::EndOfData) => Met::EndOfData,
                    Some(Stop::Setmark) => Met::Setmark,
                    Some(Stop::Filemark) => {
                        self.file += 1;
                        Met::Filemark
                    }
                    _ => {
                        self.read = done.bytes;
                        Met::Block(done.block_length)
                    }
                })
            }
            Err(failed) => {
                let told = self.tape.open.take_trouble();
                let cause = told.unwrap_or_else(|| failed.to_string());
                let behind = failed.position.filter(|at| at.object.0 > self.object);
                let Some(behind) = behind.filter(|_| failed.sense == Sense::MediumError) else {
                    return Err(anyhow!("{}: {cause}", self.tape.name()));
                };
                let damage = Damage {
                    object: self.object,
                    file: self.file,
                    block: None,
                    offset: None,
                    objects: behind.object.0 - self.object,
                    cause,
                };
                self.object = behind.object.0;
                // A gap can swallow filemarks too.
                self.file = behind.file.map_or(self.file, |file| file.0);
                Ok(Met::Damage(damage))
            }
        }
    }
}

/// The files of a volume behind a filter.
pub(crate) fn files(sink: &Sink, partition: u8) -> Result<Vec<TapeFile>> {
    let mut through = Through::open(sink, partition)?;
    let mut files = Vec::new();
    let mut file = TapeFile::new(0, 0);
    loop {
        match through.next()? {
            Met::Block(length) => {
                let is_first = file.blocks == 0 && file.damaged == 0;
                file.add_block(length.into());
                if is_first {
                    let sample = through.sample.get(..through.read).unwrap_or_default();
                    file.content = Some(recognise(sample));
                }
            }
            Met::Setmark => file.setmarks += 1,
            Met::Damage(damage) => file.damaged += damage.objects,
            Met::Filemark => file.ended = true,
            Met::EndOfData => break,
        }
        if through.file > file.file {
            file.ended = true;
            let next = TapeFile::new(through.file, through.object);
            files.push(mem::replace(&mut file, next));
        }
    }
    if !file.is_empty() {
        files.push(file);
    }
    Ok(files)
}
