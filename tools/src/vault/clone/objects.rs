//! Tape files as they were read, and as they go onto the clone.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use pseudotape_image::{Ahead, Image, Object, View};
use pseudotape_tape::{Mark, ObjectNumber, Transfer, WriteMode};
use pseudotape_vault::{ClonedFile, FileDigest, FileState, TapeFile};

use crate::copying::tape::Tape;

/// What was read of the volume, with a note for each object that can't be.
pub(in crate::vault) struct Kept {
    image: Image<View>,
    end: u64,
    buffer: Vec<u8>,
}

/// One object of it.
pub(in crate::vault) enum Met {
    Block(usize),
    Mark(Mark),
    Hole,
    End,
}

/// What a tape file is.
pub(super) struct Judged {
    /// As it was read.
    pub(super) file: TapeFile,
    /// Behind its last object.
    pub(super) end: u64,
}

impl Kept {
    pub(in crate::vault) fn open(path: &Path) -> Result<Self> {
        let (image, _) = Image::view(path).with_context(|| path.display().to_string())?;
        let end = image.end_of_data().object.0;
        Ok(Kept {
            image,
            end,
            buffer: Vec::new(),
        })
    }

    pub(in crate::vault) fn go_to(&mut self, object: u64) -> Result<()> {
        self.image.locate(ObjectNumber(object))?;
        ensure!(
            self.image.place().object.0 == object,
            "what was read ends before object {object}"
        );
        Ok(())
    }

    /// The bytes of the block that was met last.
    pub(in crate::vault) fn block(&self, length: usize) -> &[u8] {
        self.buffer.get(..length).unwrap_or_default()
    }

    pub(in crate::vault) fn next(&mut self) -> Result<Met> {
        let before = self.image.place().object;
        if let Ok(Ahead::Block(length)) = self.image.look_ahead() {
            let length = usize::try_from(length)?;
            if self.buffer.len() < length {
                self.buffer.resize(length, 0);
            }
        }
        match self.image.read_object(&mut self.buffer) {
            Ok(Object::Block { copied, .. }) => Ok(Met::Block(copied)),
            Ok(Object::Filemark) => Ok(Met::Mark(Mark::Filemark)),
            Ok(Object::Setmark) => Ok(Met::Mark(Mark::Setmark)),
            Ok(Object::EndOfData) => Ok(Met::End),
            Err(_) if self.image.place().object > before => Ok(Met::Hole),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads a tape file, and says what it is: `ok` only where all of it was read, with the digest that it had (EN-16).
    ///
    /// `whole`: the end of the tape was seen. `must_end`: a file that no filemark ends is none.
    pub(super) fn judge(
        &mut self,
        known: &TapeFile,
        next: Option<u64>,
        whole: bool,
        must_end: bool,
    ) -> Result<Judged> {
        let end = next.unwrap_or(self.end);
        let mut file = TapeFile {
            blocks: 0,
            bytes: 0,
            digest: None,
            state: FileState::Bad,
            ..known.clone()
        };
        if known.first_object >= end || end > self.end {
            return Ok(Judged { file, end });
        }
        self.go_to(known.first_object)?;
        let (mut holes, mut ended, mut digest) = (0, false, FileDigest::default());
        for object in known.first_object..end {
            match self.next()? {
                Met::Block(length) => {
                    file.blocks += 1;
                    file.bytes += length as u64;
                    digest.add(self.buffer.get(..length).unwrap_or_default());
                }
                Met::Mark(Mark::Filemark) => ended = object + 1 == end,
                Met::Mark(Mark::Setmark) => {}
                Met::Hole | Met::End => holes += 1,
            }
        }
        let digest = digest.digest();
        let same = known.digest.is_none_or(|known| known == digest);
        // Where it was bad, how long it is was not known.
        let as_long =
            known.state.is_faulty() || (known.blocks, known.bytes) == (file.blocks, file.bytes);
        let is_last = next.is_none();
        let complete = holes == 0 && (ended || (is_last && whole && !must_end));
        file.digest = (holes == 0).then_some(digest);
        file.state = match (complete && same && as_long, holes) {
            (true, _) => FileState::Ok,
            (false, 0) if is_last && !ended && must_end => FileState::Missing,
            (false, _) => FileState::Bad,
        };
        Ok(Judged { file, end })
    }

    /// Writes tape files onto a blank volume, one behind the other.
    pub(super) fn write(&mut self, good: &[&Judged], to: &mut Tape) -> Result<()> {
        for judged in good {
            self.go_to(judged.file.first_object)?;
            for object in judged.file.first_object..judged.end {
                let name = to.name();
                let drive = to.drive();
                let written = match self.next()? {
                    Met::Block(length) => {
                        let block = self.buffer.get(..length).unwrap_or_default();
                        drive.write(Transfer::Variable, block)
                    }
                    Met::Mark(mark) => drive.write_marks(mark, 1, WriteMode::Immediate),
                    Met::Hole | Met::End => {
                        bail!(
                            "object {object} was read once, and can't be read from what is kept: say it again"
                        )
                    }
                };
                match written {
                    Ok(done) if done.count > 0 => {}
                    Ok(_) => bail!(
                        "{name} is full: tape file {} does not fit: name a larger volume, or make room on its disk",
                        judged.file.number
                    ),
                    Err(failed) => {
                        let trouble = to.open.take_trouble();
                        let why = trouble.unwrap_or_else(|| failed.to_string());
                        return Err(anyhow!("{name}: tape file {}: {why}", judged.file.number));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Which of them becomes which tape file of the clone.
pub(super) fn numbered(good: &[&Judged]) -> Vec<ClonedFile> {
    let one = |(number, judged): (u64, &&Judged)| ClonedFile {
        number,
        old_number: judged.file.number,
        old_first_object: judged.file.first_object,
    };
    (0..).zip(good).map(one).collect()
}

/// EN-11. Compares what was read back from the medium with what was written.
pub(super) fn scan(path: &Path, good: &[&Judged], found: &[TapeFile]) -> Result<()> {
    let again = "the same command writes the clone again";
    for (number, judged) in (0..).zip(good) {
        let same = found.iter().any(|file| {
            file.number == number
                && file.state == FileState::Ok
                && file.digest == judged.file.digest
                && (file.blocks, file.bytes) == (judged.file.blocks, judged.file.bytes)
        });
        ensure!(
            same,
            "{}: tape file {number} (file {} of the volume) can't be read back as it was written: {again}; --to names \
             another volume",
            path.display(),
            judged.file.number
        );
    }
    ensure!(
        found.len() == good.len(),
        "{} has {} tape files, and {} were written: {again}",
        path.display(),
        found.len(),
        good.len()
    );
    Ok(())
}
