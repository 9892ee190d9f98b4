//! A tape file goes behind what is on a volume of the vault.

use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use pseudotape_copy::Side;
use pseudotape_image::{Access as Use, Image};
use pseudotape_sink::{Access, Location, Sink};
use pseudotape_tape::{EraseExtent, Failed, Mark, Transfer, WriteMode};
use pseudotape_vault::{
    Contents, Depth, Digest, FileDigest, FileState, Label, Order, Vault, read_contents, read_file,
};

use super::pieces::{Piece, Pieces};
use crate::copying::tape::Tape;
use crate::vault::clone::forget;

/// What is on a volume that is still open, behind an append.
pub(super) struct Appended {
    /// With the digest of the new file.
    pub(super) contents: Contents,
    /// The number of the new file.
    pub(super) number: u64,
}

/// Opens the volume, writes the pieces and a filemark behind what is there, and reads them back from the medium. Where
/// that fails, what was written is erased, and the volume is closed as it was.
pub(super) fn append(
    vault: &mut Vault,
    label: &Label,
    pieces: &mut dyn Pieces,
    digest: Option<Digest>,
    order: &Order,
) -> Result<Appended> {
    let (_, image) = vault.open_volume(label, Use::ReadWrite, order)?;
    let before = end_of(&image);
    let done = before.and_then(|before| {
        let done = write(&image, before, pieces, digest);
        done.map_err(|error| match taken_back(&image, before) {
            Ok(()) => error.context("nothing was changed"),
            Err(left) => error.context(format!("what was written can't be erased: {left:#}")),
        })
    });
    if done.is_err() {
        let contents = read_contents(&image, Depth::Frames, &mut |_| {})?;
        vault.close_volume(label, &contents, order)?;
    }
    done
}

/// Where the data end.
#[derive(Clone, Copy, Debug)]
struct End {
    object: u64,
    /// The last tape file has no filemark.
    open: bool,
}

fn end_of(image: &Path) -> Result<End> {
    let (viewed, _) = Image::view(image).with_context(|| image.display().to_string())?;
    let end = viewed.end_of_data();
    let files = read_contents(image, Depth::Frames, &mut |_| {})?
        .files
        .len();
    Ok(End {
        object: end.object.0,
        open: files as u64 > end.file.0,
    })
}

fn write(
    image: &Path,
    before: End,
    pieces: &mut dyn Pieces,
    digest: Option<Digest>,
) -> Result<Appended> {
    let mut tape = open(image)?;
    tape.go_to(Some(0), before.object)?;
    let name = tape.name();
    let mut written = FileDigest::default();
    let mark = |tape: &mut Tape, mark: Mark| {
        let done = tape.drive().write_marks(mark, 1, WriteMode::Immediate);
        taken(done.map(|done| done.count), tape, &name)
    };
    if before.open {
        mark(&mut tape, Mark::Filemark)?;
    }
    let first_object = before.object + u64::from(before.open);
    while let Some(piece) = pieces.next()? {
        match piece {
            Piece::Block(block) => {
                written.add(block);
                let done = tape.drive().write(Transfer::Variable, block);
                taken(done.map(|done| done.count), &mut tape, &name)?;
            }
            Piece::Setmark => mark(&mut tape, Mark::Setmark)?,
        }
    }
    mark(&mut tape, Mark::Filemark)?;
    tape.finish()?;
    let written = written.digest();
    ensure!(
        digest.is_none_or(|digest| digest == written),
        "what was written has the digest {written}, and should have another one"
    );
    forget(image).with_context(|| name.clone())?;
    let mut contents = read_contents(image, Depth::Frames, &mut |_| {})?;
    let number = contents.files.len().saturating_sub(1);
    let new = contents.files.get_mut(number);
    let new = new.with_context(|| format!("{name}: nothing is on it"))?;
    let back = read_file(image, new.number, new.first_object)?;
    ensure!(
        new.first_object == first_object
            && back.state == FileState::Ok
            && back.digest == Some(written),
        "{name}: tape file {number} can't be read back as it was written"
    );
    let number = new.number;
    *new = back;
    Ok(Appended { contents, number })
}

/// Whether the drive took it.
fn taken(done: Result<u64, Failed>, tape: &mut Tape, name: &str) -> Result<()> {
    match done {
        Ok(0) => Err(anyhow!(
            "{name} is full: name a larger volume, or make room on its disk"
        )),
        Ok(_) => Ok(()),
        Err(failed) => {
            let trouble = tape.open.take_trouble();
            let why = trouble.unwrap_or_else(|| failed.to_string());
            Err(anyhow!("{name}: {why}"))
        }
    }
}

/// Erases what was written.
fn taken_back(image: &Path, before: End) -> Result<()> {
    let mut tape = open(image)?;
    let name = tape.name();
    tape.go_to(Some(0), before.object)?;
    let erased = tape.drive().erase(EraseExtent::Short);
    erased.map_err(|failed| anyhow!("{name}: {failed}"))?;
    tape.finish()
}

fn open(image: &Path) -> Result<Tape> {
    let sink = Sink::from(Location::Path(image.to_owned()));
    Tape::open(&sink, Access::ReadWrite, Side::Second)
}
