//! What a rescue says of itself.

use std::fmt::Write;
use std::time::Duration;

use pseudotape_human::{HumanBytes, Paint, Report, Screen, counted, printable};
use pseudotape_rescue::{Assembled, Attempt, Map, Outcome, State};
use pseudotape_sink::Sink;
use serde::Serialize;

use super::desk::Desk;
use crate::cli::RescueOptions;
use crate::copying::meter::rate;
use crate::copying::tape::name_of;

/// Lines about single places that a person still reads.
pub(crate) const LINES: usize = 20;

/// The name of an errno, where it is one that a tape gives.
pub(crate) fn errno_name(errno: u16) -> String {
    let errno = nix::errno::Errno::from_raw(errno.into());
    format!("{errno:?}")
}

/// RFC 3339, of seconds since 1970.
pub(crate) fn when_words(seconds: u64) -> String {
    pseudotape_human::time_words(seconds.saturating_mul(1000))
}

#[derive(Debug, Serialize)]
struct Tried {
    drive: String,
    tries: u32,
    errno: u16,
    error: String,
    when: String,
}

/// Objects in a row that can't be read, or were not tried.
#[derive(Debug, Serialize)]
struct Place {
    first_object: u64,
    objects: u64,
    /// Empty where nobody has tried.
    attempts: Vec<Tried>,
}

/// Objects in a row that have other numbers on the target.
#[derive(Debug, Serialize)]
struct Moved {
    first_object: u64,
    first_object_there: u64,
    objects: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct RescueReport {
    source: String,
    target: String,
    map: String,
    /// Everything on the tape was read.
    pub(crate) whole: bool,
    /// Objects on the tape; null while its end was not seen.
    objects: Option<u64>,
    good: u64,
    bad: u64,
    not_tried: u64,
    /// Objects that this run has read.
    pub(crate) read_objects: u64,
    read_bytes: u64,
    /// SRC ended here, before objects that are known to be on the tape.
    source_ended_at: Option<u64>,
    bad_places: Vec<Place>,
    places_not_tried: Vec<Place>,
    /// The target was written: an image always is.
    written: bool,
    /// Where the target is no image: which objects are where.
    moved: Vec<Moved>,
    seconds: f64,
    bytes_per_second: u64,
}

fn places(map: &Map, wanted: impl Fn(&State) -> Option<&[Attempt]>) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for run in map.runs() {
        if let Some(attempts) = wanted(&run.state) {
            let attempts = attempts.iter().map(|attempt| Tried {
                drive: map
                    .sources
                    .get(attempt.source)
                    .map_or_else(String::new, |s| s.drive.clone()),
                tries: attempt.tries,
                errno: attempt.errno,
                error: errno_name(attempt.errno),
                when: when_words(attempt.when),
            });
            places.push(Place {
                first_object: run.first,
                objects: run.objects,
                attempts: attempts.collect(),
            });
        }
    }
    places
}

impl RescueReport {
    pub(crate) fn new(
        options: &RescueOptions,
        target: &Sink,
        desk: &Desk,
        map: &Map,
        outcome: Outcome,
        assembled: Option<Assembled>,
        time: Duration,
    ) -> Self {
        let counts = map.counts();
        RescueReport {
            source: name_of(&options.source),
            target: name_of(target),
            map: desk.map.display().to_string(),
            whole: map.is_whole(),
            objects: map.end,
            good: counts.good,
            bad: counts.bad,
            not_tried: counts.not_tried,
            read_objects: outcome.read.objects,
            read_bytes: outcome.read.bytes,
            source_ended_at: outcome.ended_early,
            bad_places: places(map, |state| match state {
                State::Bad(bad) => Some(&bad.attempts),
                State::Good(_) | State::NotTried => None,
            }),
            places_not_tried: places(map, |state| match state {
                State::NotTried => Some(&[]),
                State::Good(_) | State::Bad(_) => None,
            }),
            written: desk.is_direct() || assembled.is_some(),
            moved: assembled
                .unwrap_or_default()
                .moved
                .iter()
                .map(|moved| Moved {
                    first_object: moved.from,
                    first_object_there: moved.to,
                    objects: moved.objects,
                })
                .collect(),
            seconds: time.as_secs_f64(),
            bytes_per_second: rate(outcome.read.bytes, time),
        }
    }

    fn lists(&self, screen: &Screen, text: &mut String) {
        let all = self.bad_places.len() + self.places_not_tried.len();
        for place in self.bad_places.iter().take(LINES) {
            let tried: Vec<String> = place
                .attempts
                .iter()
                .map(|tried| {
                    let tries = match tried.tries {
                        1 => "1 try".to_owned(),
                        tries => format!("{tries} tries"),
                    };
                    format!("{tries} with {}, {}", printable(&tried.drive), tried.error)
                })
                .collect();
            push(
                text,
                &format!(
                    "{}: {}: {}",
                    screen.paint(Paint::Bad, "bad"),
                    words(place),
                    tried.join("; ")
                ),
            );
        }
        for place in self.places_not_tried.iter().take(LINES) {
            push(
                text,
                &format!(
                    "{}: {}",
                    screen.paint(Paint::Notice, "not tried"),
                    words(place)
                ),
            );
        }
        let shown = self.bad_places.len().min(LINES) + self.places_not_tried.len().min(LINES);
        if all > shown {
            push(
                text,
                &format!(
                    "and {} more; --json lists all",
                    counted((all - shown) as u64, "place")
                ),
            );
        }
    }
}

fn words(place: &Place) -> String {
    match place.objects {
        1 => format!("object {}", place.first_object),
        objects => format!(
            "objects {} to {}",
            place.first_object,
            place.first_object + objects - 1
        ),
    }
}

fn push(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a String takes everything");
}

impl Report for RescueReport {
    fn text(&self, screen: &Screen) -> String {
        let mut text = String::new();
        push(
            &mut text,
            &format!(
                "read {} now ({}, {}/s)",
                counted(self.read_objects, "object"),
                HumanBytes(self.read_bytes),
                HumanBytes(self.bytes_per_second)
            ),
        );
        self.lists(screen, &mut text);
        if let Some(object) = self.source_ended_at {
            push(
                &mut text,
                &format!(
                    "{} ends before object {object}: what is behind it is not on this copy",
                    self.source
                ),
            );
        }
        if self.objects.is_none() {
            push(
                &mut text,
                &format!(
                    "the end of the tape was not seen: {} lost it, or could not be read up to there",
                    self.source
                ),
            );
        }
        let of = match self.objects {
            Some(objects) => format!("{} of {}", self.good, counted(objects, "object")),
            None => counted(self.good, "object"),
        };
        let verdict = match self.whole {
            true => format!(
                "{}: all {} are good",
                screen.paint(Paint::Good, "whole"),
                counted(self.good, "object")
            ),
            false => format!(
                "{}: {of} good, {} bad, {} not tried",
                screen.paint(Paint::Bad, "not whole"),
                self.bad,
                self.not_tried
            ),
        };
        push(&mut text, &verdict);
        if !self.written {
            push(
                &mut text,
                &format!(
                    "{} is not written yet; --leave-out writes what is good",
                    self.target
                ),
            );
        }
        if !self.whole {
            push(
                &mut text,
                &format!(
                    "next: the same command with another copy or drive as SRC, or with more --tries; {} remembers \
                     what is good",
                    self.map
                ),
            );
        }
        text
    }
}
