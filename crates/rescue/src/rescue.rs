use pseudotape_copy::read_ahead;
use pseudotape_tape::{Noted, Volume, VolumeId};

use crate::error::Error;
use crate::events::{Events, Options, Progress, Workplace};
use crate::map::{Counts, Map, SourceName, State, Wanted};
use crate::reader::{Batch, Finish, Reader, goes_on_at};
use crate::same::ensure_same;
use crate::writer::Kept;

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What was read now.
    pub read: Progress,
    /// What is known in all.
    pub counts: Counts,
    /// Everything on the tape was read.
    pub whole: bool,
    /// The source ended here, before objects that are known to be on the tape.
    pub ended_early: Option<u64>,
    /// The caller ended it.
    pub cancelled: bool,
}

/// Reads from a source what the map does not know as good.
///
/// The source has its partition set, and is anywhere in it. Everything that is read is kept; the map and the images
/// say so whatever ends the run. `base` is the image with the map's target as its identity.
///
/// | an object | in the base | in the map |
/// |---|---|---|
/// | is read in the order of the tape | itself | good |
/// | is read later, in the middle | still a note | good, in the image of what was found later |
/// | can't be read, each try | a note | bad |
/// | can't be reached | a note | not tried |
pub fn rescue(
    source: &mut dyn Volume,
    name: &SourceName,
    base: &mut dyn Volume,
    map: &mut Map,
    place: &mut dyn Workplace,
    options: Options,
    events: &mut dyn Events,
) -> Result<Outcome, Error> {
    ensure_base(map.target, base)?;
    let mut kept = Kept::open(map, base, place, options.reread_lost)?;
    ensure_same(source, name, &mut kept, options)?;
    let limit = match source.noted() {
        Noted::NotMirroredFrom(object) => Some(object.0),
        Noted::Mirrored | Noted::NoPlace => None,
    };
    let source_number = kept.add_source(name)?;
    ensure_end(source, &mut kept, limit)?;
    if kept.map.is_whole() {
        let outcome = outcome(&kept, Outcome::default());
        return kept.finish().map(|()| outcome);
    }
    let mut run = Run {
        kept,
        source_number,
        outcome: Outcome::default(),
        lost_its_end: options.lost_its_end || limit.is_some(),
    };
    let read = run.all(source, limit, options, events);
    // What was read is to last, whatever happened then; but the first error is the one to tell.
    let result = outcome(&run.kept, run.outcome);
    let kept = run.kept.finish();
    read?;
    kept?;
    Ok(result)
}

fn ensure_base(target: VolumeId, base: &mut dyn Volume) -> Result<(), Error> {
    match base.volume_identity().id {
        Some(id) if id == target => Ok(()),
        found => Err(Error::OtherBase {
            target,
            found: found.map_or_else(|| "no image".to_owned(), |id| format!("volume {id}")),
        }),
    }
}

/// An end that was seen is no end where this source goes on: the source before may have been cut off there.
fn ensure_end(
    source: &mut dyn Volume,
    kept: &mut Kept<'_>,
    limit: Option<u64>,
) -> Result<(), Error> {
    let Some(end) = kept.map.end else {
        return Ok(());
    };
    if limit.is_none_or(|limit| end < limit) && goes_on_at(source, end)? {
        kept.forget_end()?;
    }
    Ok(())
}

fn outcome(kept: &Kept<'_>, outcome: Outcome) -> Outcome {
    Outcome {
        counts: kept.map.counts(),
        whole: kept.map.is_whole(),
        ..outcome
    }
}

struct Run<'a> {
    kept: Kept<'a>,
    source_number: usize,
    outcome: Outcome,
    lost_its_end: bool,
}

impl Run<'_> {
    fn all(
        &mut self,
        source: &mut dyn Volume,
        limit: Option<u64>,
        options: Options,
        events: &mut dyn Events,
    ) -> Result<(), Error> {
        let [new, again] = self.kept.map.wanted(self.source_number, options.tries);
        let skipped = self.round(source, new, limit, events)?;
        if skipped {
            // From another side: in growing steps from where it could not go on.
            let left = self.not_tried(options.tries);
            self.round(source, left, limit, events)?;
        }
        self.round(source, again, limit, events)?;
        Ok(())
    }

    fn not_tried(&self, tries: u32) -> Vec<Wanted> {
        let runs = self.kept.map.runs().iter();
        let left = runs.filter(|run| run.state == State::NotTried);
        left.map(|run| Wanted {
            first: run.first,
            end: Some(run.end()),
            tries,
        })
        .collect()
    }

    /// Says whether something was left out that can be tried from another side.
    fn round(
        &mut self,
        source: &mut dyn Volume,
        wanted: Vec<Wanted>,
        limit: Option<u64>,
        events: &mut dyn Events,
    ) -> Result<bool, Error> {
        if wanted.is_empty() || self.outcome.cancelled {
            return Ok(false);
        }
        let (first, last) = self.kept.proofs()?;
        let mut reader = Reader::new(source, wanted, limit).proved_by(first, last);
        let mut skipped = false;
        let fill = |batch: &mut Batch| {
            reader.fill(batch);
            batch.finish.is_some()
        };
        read_ahead(fill, |ahead| {
            while let Some(mut batch) = ahead.next_batch() {
                let taken = self.kept.take(&batch, self.source_number, events)?;
                skipped |= taken.skipped;
                self.outcome.read.objects += taken.objects;
                self.outcome.read.bytes += taken.bytes;
                match batch.finish.take() {
                    Some(Finish::Done(end)) => {
                        self.ended(end);
                        return Ok(skipped);
                    }
                    Some(Finish::Failed(error)) => return Err(error),
                    None => ahead.give_back(batch),
                }
                if events.progress(self.outcome.read).is_break() {
                    self.outcome.cancelled = true;
                    return Ok(false);
                }
            }
            Ok(skipped)
        })
    }

    fn ended(&mut self, end: Option<u64>) {
        let Some(end) = end else { return };
        let known = self.kept.map.end.unwrap_or(0);
        let frontier = self.kept.map.frontier().max(known);
        if end < frontier {
            self.outcome.ended_early = Some(end);
        } else if !self.lost_its_end {
            self.kept.set_end(end);
        }
    }
}
