//! EN-06, EN-14. From where a clone reads what the volume's own image does not give, and what shows that it is a copy.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use pseudotape_copy::Side;
use pseudotape_image::{Image, VolumeId};
use pseudotape_rescue::{Map, Run, State};
use pseudotape_sink::{Access, Sink};
use pseudotape_vault::{FileState, TapeFile};

use crate::cli::CloneVolume;
use crate::copying::tape::{Tape, name_of};

/// A source that can be opened.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) sink: Sink,
    /// It is the volume itself, as it was written last: another file of the same image.
    is_volume: bool,
}

/// The sources that can be opened just now: a drive that is busy, or empty, is passed over, and told of. With
/// none of them nothing begins, and neither does it where one of them is known to have other data.
pub(super) fn usable(options: &CloneVolume, own: &Path) -> Result<Vec<Source>> {
    let own = Own::look(own)?;
    let mut usable = Vec::new();
    let mut refused = Vec::new();
    for sink in &options.from {
        match Tape::open(sink, Access::ReadOnly, Side::First) {
            Ok(tape) => {
                let is_volume = own.is(options, &tape, sink)?;
                let sink = sink.clone();
                usable.push(Source { sink, is_volume });
            }
            Err(error) => refused.push(format!("{error:#}")),
        }
    }
    ensure!(
        !usable.is_empty() || refused.is_empty(),
        "no --from can be read: {}",
        refused.join("; ")
    );
    for why in refused {
        eprintln!("pseudotape: passed over: {why}");
    }
    Ok(usable)
}

/// What the volume's own image says of itself.
struct Own {
    identity: VolumeId,
    generation: u64,
}

impl Own {
    fn look(image: &Path) -> Result<Self> {
        let (image, _) = Image::view(image).with_context(|| image.display().to_string())?;
        Ok(Own {
            identity: image.header().volume,
            generation: image.generation(),
        })
    }

    /// Whether a tape is this volume, as it was written last. One that was written since, or before, has other data.
    fn is(&self, options: &CloneVolume, tape: &Tape, sink: &Sink) -> Result<bool> {
        let found = tape.open.volume_identity();
        let (true, Some(generation)) = (found.id == Some(self.identity), found.generation) else {
            return Ok(false);
        };
        let when = match generation > self.generation {
            true => "after",
            false => "before",
        };
        ensure!(
            generation == self.generation || options.same_tape,
            "{} is {} as it was written {when} the image in the vault (generation {generation}, and that has {}): what is \
             on it now can be something else. If what is missing is the same on both, --same-tape says so",
            name_of(sink),
            options.label,
            self.generation
        );
        Ok(generation == self.generation)
    }
}

/// Whether each object of a tape file was read. `next`: the first one behind it.
fn is_read(map: &Map, file: &TapeFile, next: Option<u64>) -> bool {
    let end = next.or(map.end).unwrap_or(u64::MAX);
    let touches = |run: &&Run| run.first < end && file.first_object < run.end();
    let good = |run: &Run| matches!(run.state, State::Good(_));
    end <= map.frontier() && map.runs().iter().filter(touches).all(good)
}

/// The tape files of which something was not read yet, and that somebody wants.
pub(super) fn unread<'a>(map: &Map, files: &'a [TapeFile]) -> Vec<&'a TapeFile> {
    let next = |at: usize| files.get(at + 1).map(|file| file.first_object);
    let wanted = |file: &TapeFile| !matches!(file.state, FileState::Released | FileState::Lost);
    let unread = |(at, file): &(usize, &TapeFile)| wanted(file) && !is_read(map, file, next(*at));
    let found = files.iter().enumerate().filter(unread);
    found.map(|(_, file)| file).collect()
}

/// A block is taken for what was on the volume where the digest of its tape file will tell, or where it is the volume
/// itself. Nothing else shows that a copy was not written since.
pub(super) fn ensure_bound(
    options: &CloneVolume,
    source: &Source,
    unread: &[&TapeFile],
) -> Result<()> {
    let unknown = unread.iter().find(|file| file.digest.is_none());
    if source.is_volume || options.same_tape {
        return Ok(());
    }
    if let Some(file) = unknown {
        anyhow::bail!(
            "the catalog has no digest of tape file {} of {}, so nothing shows whether what {} has of it is what was on the \
             volume: if that is a copy of it, and was not written since, --same-tape says so",
            file.number,
            options.label,
            name_of(&source.sink)
        );
    }
    Ok(())
}
