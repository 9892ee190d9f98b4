//! What is known of each object of a tape.

use std::collections::BTreeSet;

use pseudotape_tape::{ObjectNumber, VolumeId};

/// A tape, or a drive with a tape in it, that was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceName {
    /// Identity of its volume, where it has one.
    pub volume: Option<VolumeId>,
    /// Label of its volume; may be empty.
    pub label: String,
    /// What its volume counts its commits by, where it does: another number, and other data may be on it.
    pub generation: Option<u64>,
    /// How the user called it, and what its drive says of itself.
    pub drive: String,
}

/// What one drive did about an object that it could not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Place in the list of sources.
    pub source: usize,
    /// How often it was read.
    pub tries: u32,
    /// The errno of the last try.
    pub errno: u16,
    /// When that was, in seconds since 1970.
    pub when: u64,
}

/// Every attempt on an object that nobody could read; one for each source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bad {
    /// The attempts, in order.
    pub attempts: Vec<Attempt>,
}

impl Bad {
    /// How often a source tried.
    #[must_use]
    pub fn tries_of(&self, source: usize) -> u32 {
        let of_it = |attempt: &&Attempt| attempt.source == source;
        self.attempts
            .iter()
            .find(of_it)
            .map_or(0, |found| found.tries)
    }

    /// How often anybody tried.
    #[must_use]
    pub fn tries(&self) -> u32 {
        let tries = self.attempts.iter().map(|attempt| attempt.tries);
        tries.fold(0, u32::saturating_add)
    }

    fn add(&mut self, attempt: Attempt) {
        let of_it = |known: &&mut Attempt| known.source == attempt.source;
        match self.attempts.iter_mut().find(of_it) {
            Some(known) => {
                *known = Attempt {
                    tries: known.tries.saturating_add(attempt.tries),
                    ..attempt
                }
            }
            None => self.attempts.push(attempt),
        }
    }
}

/// Where a good object is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the base, under its own number.
    Base,
    /// In the image of what was found later: the first object of the run is this one there.
    Found(u64),
}

/// What is known of some objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// They were read.
    Good(Place),
    /// They were tried, and could not be read.
    Bad(Bad),
    /// Nobody has tried, or nobody could get there.
    NotTried,
}

/// Objects in a row of which the same is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first one.
    pub first: u64,
    /// How many.
    pub objects: u64,
    /// What is known.
    pub state: State,
}

impl Run {
    /// The first object behind it.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.first.saturating_add(self.objects)
    }

    /// Whether the next run says the same of the objects behind this one.
    fn goes_on_in(&self, next: &Run) -> bool {
        match (&self.state, &next.state) {
            (State::Good(Place::Found(one)), State::Good(Place::Found(other))) => {
                self.objects
                    .checked_mul(2)
                    .and_then(|o| o.checked_add(*one))
                    == Some(*other)
            }
            (one, other) => one == other,
        }
    }

    /// The part of it from an object on.
    fn tail(&self, from: u64) -> Run {
        let state = match &self.state {
            State::Good(Place::Found(at)) => {
                State::Good(Place::Found(at + 2 * (from - self.first)))
            }
            state => state.clone(),
        };
        Run {
            first: from,
            objects: self.end() - from,
            state,
        }
    }
}

/// How many objects are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Read.
    pub good: u64,
    /// Tried in vain.
    pub bad: u64,
    /// Not tried, as far as it is known that they are there.
    pub not_tried: u64,
}

/// What is known of each object of a tape. Runs follow each other without a gap, from object 0 on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// The volume of the base.
    pub target: VolumeId,
    /// The partition of the tape that is read.
    pub partition: u8,
    /// What was read from.
    pub sources: Vec<SourceName>,
    /// Number of objects on the tape, once its end was seen.
    pub end: Option<u64>,
    pub(crate) runs: Vec<Run>,
}

impl Map {
    /// Of a tape that nobody has read yet.
    #[must_use]
    pub fn new(target: VolumeId, partition: u8) -> Self {
        Map {
            target,
            partition,
            sources: Vec::new(),
            end: None,
            runs: Vec::new(),
        }
    }

    /// What is known, in the order of the tape.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Objects before this one are known to be there.
    #[must_use]
    pub fn frontier(&self) -> u64 {
        self.runs.last().map_or(0, Run::end)
    }

    /// Whether every object of the tape was read.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let good = |run: &Run| matches!(run.state, State::Good(_));
        self.end == Some(self.frontier()) && self.runs.iter().all(good)
    }

    /// How many objects are in which state.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for run in &self.runs {
            match run.state {
                State::Good(_) => counts.good += run.objects,
                State::Bad(_) => counts.bad += run.objects,
                State::NotTried => counts.not_tried += run.objects,
            }
        }
        counts.not_tried += self.end.unwrap_or(0).saturating_sub(self.frontier());
        counts
    }

    /// What is known of an object.
    #[must_use]
    pub fn state(&self, object: u64) -> Option<Run> {
        let at = self.runs.partition_point(|run| run.end() <= object);
        let run = self.runs.get(at)?;
        (run.first <= object).then(|| Run {
            objects: 1,
            ..run.tail(object)
        })
    }

    /// The place of a source in the list, where it is added if it is new.
    pub fn source(&mut self, name: &SourceName) -> usize {
        let known = self.sources.iter().position(|source| source == name);
        known.unwrap_or_else(|| {
            self.sources.push(name.clone());
            self.sources.len() - 1
        })
    }

    /// Notes an object as read.
    pub fn set_good(&mut self, object: u64, place: Place) {
        self.set(object, 1, State::Good(place));
    }

    /// Notes objects as not tried; those behind the frontier are then known to be there.
    pub fn set_not_tried(&mut self, first: u64, objects: u64) {
        self.set(first, objects, State::NotTried);
    }

    /// Notes an attempt. What is good stays good.
    pub fn set_bad(&mut self, object: u64, attempt: Attempt) {
        let mut bad = match self.state(object).map(|run| run.state) {
            Some(State::Good(_)) => return,
            Some(State::Bad(bad)) => bad,
            Some(State::NotTried) | None => Bad::default(),
        };
        bad.add(attempt);
        self.set(object, 1, State::Bad(bad));
    }

    /// Everything that is kept lies in the base now.
    pub fn settle(&mut self) {
        for run in std::mem::take(&mut self.runs) {
            let state = match run.state {
                State::Good(_) => State::Good(Place::Base),
                state => state,
            };
            self.push(Run { state, ..run });
        }
    }

    /// The base has nothing from this object on: what was good there is not tried.
    pub(crate) fn forget_base_from(&mut self, end: u64) {
        self.forget(|run| match run.state {
            State::Good(Place::Base) => end.saturating_sub(run.first),
            _ => u64::MAX,
        });
    }

    /// The same of the image of what was found later, in its own numbers.
    pub(crate) fn forget_found_from(&mut self, end: u64) {
        self.forget(|run| match run.state {
            State::Good(Place::Found(at)) => end.saturating_sub(at).div_ceil(2),
            _ => u64::MAX,
        });
    }

    /// Keeps so many objects of each run; the others are not tried.
    fn forget(&mut self, kept: impl Fn(&Run) -> u64) {
        for run in self.runs.clone() {
            let kept = kept(&run);
            if kept < run.objects {
                self.set_not_tried(run.first + kept, run.objects - kept);
            }
        }
    }

    /// The sources that an object of these runs was tried with.
    #[must_use]
    pub fn tried_by(&self) -> BTreeSet<usize> {
        let bad = self.runs.iter().filter_map(|run| match &run.state {
            State::Bad(bad) => Some(&bad.attempts),
            State::Good(_) | State::NotTried => None,
        });
        bad.flatten().map(|attempt| attempt.source).collect()
    }

    /// Whether anything lies in the image of what was found later.
    #[must_use]
    pub fn needs_found(&self) -> bool {
        let found = |run: &Run| matches!(run.state, State::Good(Place::Found(_)));
        self.runs.iter().any(found)
    }

    /// The first object of a run that is known, or the frontier: where `state` is known of nothing behind it.
    pub(crate) fn set(&mut self, first: u64, objects: u64, state: State) {
        if objects == 0 {
            return;
        }
        let new = Run {
            first,
            objects,
            state,
        };
        let frontier = self.frontier();
        if first >= frontier {
            if first > frontier {
                self.push(Run {
                    first: frontier,
                    objects: first - frontier,
                    state: State::NotTried,
                });
            }
            self.push(new);
            return;
        }
        let from = self.runs.partition_point(|run| run.end() <= first);
        let to = self.runs.partition_point(|run| run.first < new.end());
        // With a neighbour on each side, so that they can be joined.
        let (from, to) = (from.saturating_sub(1), (to + 1).min(self.runs.len()));
        let behind = self.runs.split_off(to);
        let touched = self.runs.split_off(from);
        let end = new.end();
        let mut new = Some(new);
        for run in &touched {
            if run.first < first {
                self.push(Run {
                    objects: run.end().min(first) - run.first,
                    ..run.clone()
                });
            }
            if run.end() > first
                && let Some(new) = new.take()
            {
                self.push(new);
            }
            if run.end() > end {
                self.push(run.tail(run.first.max(end)));
            }
        }
        self.runs.extend(behind);
    }

    /// Adds a run behind the last one, to which it is joined where that says the same.
    fn push(&mut self, run: Run) {
        match self.runs.last_mut() {
            Some(last) if last.goes_on_in(&run) => last.objects += run.objects,
            _ => self.runs.push(run),
        }
    }

    /// What is to be read: first what nobody has tried, then what could not be read by those who did. `None` as an end
    /// is the end of the data.
    pub(crate) fn wanted(&self, source: usize, tries: u32) -> [Vec<Wanted>; 2] {
        let (mut new, mut again) = (Vec::new(), Vec::new());
        for run in &self.runs {
            let wanted = Wanted {
                first: run.first,
                end: Some(run.end()),
                tries,
            };
            match &run.state {
                State::NotTried => new.push(wanted),
                State::Bad(bad) => {
                    let left = tries.saturating_sub(bad.tries_of(source));
                    if left > 0 {
                        let tries = left;
                        again.push(Wanted { tries, ..wanted });
                    }
                }
                State::Good(_) => {}
            }
        }
        if self.end.is_none_or(|end| end > self.frontier()) {
            new.push(Wanted {
                first: self.frontier(),
                end: None,
                tries,
            });
        }
        [new, again]
    }

    /// The first object that the base does not hold as the tape does, where there is one behind which nothing is known.
    #[must_use]
    pub fn unfinished_from(&self) -> Option<ObjectNumber> {
        (self.end != Some(self.frontier())).then_some(ObjectNumber(self.frontier()))
    }
}

/// Objects that are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) first: u64,
    pub(crate) end: Option<u64>,
    /// How often each.
    pub(crate) tries: u32,
}

#[cfg(test)]
#[path = "map_test.rs"]
mod tests;
