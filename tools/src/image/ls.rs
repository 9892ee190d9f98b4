use pseudotape_human::Screen;
use pseudotape_image::{Error, Place};

use super::list::{Listing, TapeFile};
use super::reading::{Met, Reading};
use super::through::{self, Named};
use super::{Marked, look, missing_from, missing_words};
use crate::Verdict;
use crate::cli::ImageOptions;
use crate::content::{SAMPLE_BYTES, recognise};
use crate::progress;

/// Objects between two steps of the progress bar.
const PROGRESS_STEP_OBJECTS: u64 = 4096;

pub(crate) fn run(options: &ImageOptions, screen: &Screen) -> anyhow::Result<Verdict> {
    let named = Named::new(&options.image)?;
    let mut listing = look(&named.image, options.partition, |reading, _| {
        let end = reading.image().end_of_data();
        let bar = progress::bar(screen, end.payload_bytes_before);
        let listing = list(reading, |place| {
            bar.set_position(place.payload_bytes_before);
        })?;
        bar.finish_and_clear();
        Ok(listing)
    })?;
    if let Some(sink) = &named.filtered {
        listing.files = through::files(sink, options.partition)?;
    }
    screen.show(&listing)?;
    Ok(Verdict::Well)
}

/// Goes over the frames of all records; of each file's blocks only the first is read.
fn list(reading: &mut Reading, progress: impl Fn(Place)) -> Result<Listing, Error> {
    let mut files = Vec::new();
    let mut file = TapeFile::new(0, 0);
    loop {
        let place = reading.image().place();
        if place.object.0.is_multiple_of(PROGRESS_STEP_OBJECTS) {
            progress(place);
        }
        // What follows a damaged beginning says nothing about the file.
        let is_first_block = file.blocks == 0 && file.damaged == 0;
        let met = match is_first_block {
            true => reading.next_start(SAMPLE_BYTES)?,
            false => reading.skip()?,
        };
        match met {
            Met::Block(length) => {
                file.add_block(length.into());
                if is_first_block {
                    file.content = Some(recognise(reading.block()));
                }
            }
            Met::Setmark => file.setmarks += 1,
            Met::Damage(damage) => file.damaged += damage.objects,
            Met::Filemark => file.ended = true,
            Met::EndOfData => break,
        }
        // A gap can swallow filemarks too.
        let behind = reading.image().place();
        if behind.file.0 > file.file {
            file.ended = true;
            files.push(file);
            file = TapeFile::new(behind.file.0, behind.object.0);
        }
    }
    if !file.is_empty() {
        files.push(file);
    }
    Ok(Listing {
        files,
        end_of_data: reading.image().end_of_data().object.0,
        in_use: reading.image().is_in_use(),
        marked: Marked::on(reading.image()),
        missing_from: missing_from(reading.image()),
        missing: missing_words(reading.image()),
    })
}
