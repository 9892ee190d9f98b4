//! What the status tells. It is kept beside the mirror, so that a client that asks never waits for a leg.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use pseudotape_control::mirror::{
    BusyStatus, LegCondition, LegStatus, MirrorStatus, PositionStatus, SlaveEndStatus,
};
use pseudotape_sink::{Sink, left_on_both};
use pseudotape_tape::{BlockLimits, Position};

use crate::desk::faults::statuses;
use crate::leg::{Keeps, LegBoard, LegOptions, LegState, MirrorCommand};
use crate::leg_config::LegConfig;
use crate::mirror::MirrorOptions;

/// The throughput is told over so many samples, which are a second apart.
const SAMPLES: usize = 5;
/// What goes on while a program waits for its call.
const A_CALL: &str = "a call of the program";

/// Whether a volume is in a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Volume {
    None,
    In,
    /// The volume was unloaded, and its queue is not empty yet.
    Leaving,
}

/// A leg, as far as it can be asked without waiting.
pub(crate) struct PublicLeg {
    options: LegOptions,
    sink: Option<Sink>,
    /// Why the host did not let the volume be opened for writing.
    refusal: Option<String>,
    volume: Volume,
    board: Arc<LegBoard>,
    samples: VecDeque<(Instant, u64)>,
}

/// A leg whose volume was just put in.
pub(crate) struct LoadedLeg {
    pub(crate) options: LegOptions,
    pub(crate) sink: Sink,
    /// Why the host did not let the volume be opened for writing.
    pub(crate) refusal: Option<String>,
    pub(crate) board: Arc<LegBoard>,
}

/// What a leg has not done yet.
pub(crate) struct LeftBehind {
    pub(crate) name: String,
    /// Objects that wait in its queue, and their bytes.
    pub(crate) queued_objects: u64,
    pub(crate) queued_bytes: u64,
    pub(crate) not_mirrored_from: Option<u64>,
    /// Its volume is not closed.
    pub(crate) is_open: bool,
}

/// Where the program is on the tape.
#[derive(Default)]
struct Progress {
    at: Option<Position>,
    in_file: bool,
    /// When the call of the program began that is in hand.
    working: Option<Instant>,
}

#[derive(Default)]
struct State {
    attached: bool,
    problem: Option<String>,
    refused: Option<String>,
    operation: Option<(String, Instant)>,
    legs: Vec<PublicLeg>,
}

/// Where a mirror is a drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Behind this slave end.
    SlaveEnd(PathBuf),
    /// It is the drive of this number.
    Drive(u32),
}

/// What is known of a mirror beside the mirror.
pub struct Public {
    place: Place,
    min_legs: usize,
    progress: Mutex<Progress>,
    state: Mutex<State>,
    attaching: Condvar,
    limits: Mutex<BlockLimits>,
}

/// Where the tape is after a call of the program.
pub(crate) enum Effect {
    /// Where it was before.
    None,
    /// At this place, after blocks were written.
    Wrote(Option<Position>),
    /// At this place, and not in the middle of a file that the program writes.
    Settled(Option<Position>),
    /// At this place, after something was read.
    At(Option<Position>),
}

impl Place {
    /// The command by which an operator reaches the mirror.
    #[must_use]
    pub fn command(&self) -> MirrorCommand {
        match self {
            Place::SlaveEnd(_) => MirrorCommand::Daemon,
            Place::Drive(number) => MirrorCommand::Drive(*number),
        }
    }
}

impl Public {
    /// A mirror of these legs, before volumes are in.
    #[must_use]
    pub fn new(
        place: Place,
        options: &MirrorOptions,
        legs: &[LegConfig],
        limits: BlockLimits,
    ) -> Self {
        let legs = legs.iter().map(|leg| PublicLeg {
            options: leg.options.clone(),
            sink: leg.sink.clone(),
            refusal: None,
            volume: Volume::None,
            board: Arc::default(),
            samples: VecDeque::new(),
        });
        Public {
            place,
            min_legs: options.min_legs,
            progress: Mutex::default(),
            state: Mutex::new(State {
                legs: legs.collect(),
                ..State::default()
            }),
            attaching: Condvar::new(),
            limits: Mutex::new(limits),
        }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The block lengths that the mirror takes now.
    pub(crate) fn limits(&self) -> BlockLimits {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_limits(&self, limits: BlockLimits) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    /// A call of the program begins.
    pub(crate) fn begin_call(&self) {
        self.progress().working = Some(Instant::now());
    }

    /// A call of the program ended.
    pub(crate) fn end_call(&self, effect: Effect) {
        let mut progress = self.progress();
        progress.working = None;
        let (at, in_file) = match effect {
            Effect::None => return,
            Effect::Wrote(at) => (at, true),
            Effect::Settled(at) => (at, false),
            Effect::At(at) => (at, progress.in_file),
        };
        (progress.at, progress.in_file) = (at, in_file);
    }

    /// Where the program is on the tape, as far as that is known.
    pub(crate) fn position(&self) -> Option<Position> {
        self.progress().at
    }

    /// Whether a program wrote blocks, and no mark behind them yet.
    pub(crate) fn is_in_file(&self) -> bool {
        self.progress().in_file
    }

    /// The device daemon took the mirror, or lost it.
    pub fn set_attached(&self, attached: bool, problem: Option<String>) {
        let mut state = self.state();
        if attached && !state.attached {
            match &self.place {
                Place::SlaveEnd(end) => {
                    log::info!("is the drive at the slave end {}", end.display())
                }
                Place::Drive(number) => log::info!("is drive {number}"),
            }
        }
        (state.attached, state.problem) = (attached, problem);
        self.attaching.notify_all();
    }

    /// Waits until the device daemon has the mirror, for this long at most.
    pub fn wait_attached(&self, timeout: Duration) {
        let waited = self
            .attaching
            .wait_timeout_while(self.state(), timeout, |state| !state.attached);
        drop(waited);
    }

    pub(crate) fn set_refused(&self, refused: Option<&str>) {
        self.state().refused = refused.map(str::to_owned);
    }

    /// New volumes are in, in the order of the configuration.
    pub(crate) fn set_loaded(&self, legs: Vec<LoadedLeg>) {
        let legs = legs.into_iter().map(|leg| PublicLeg {
            options: leg.options,
            sink: Some(leg.sink),
            refusal: leg.refusal,
            volume: Volume::In,
            board: leg.board,
            samples: VecDeque::new(),
        });
        self.state().legs = legs.collect();
        *self.progress() = Progress::default();
    }

    pub(crate) fn set_volume(&self, leg: &str, volume: Volume) {
        let mut state = self.state();
        for public in &mut state.legs {
            if public.options.name == leg {
                public.volume = volume;
            }
        }
    }

    pub(crate) fn set_sink(&self, leg: &str, sink: &Sink, refusal: Option<String>) {
        let mut state = self.state();
        for public in &mut state.legs {
            if public.options.name == leg {
                public.sink = Some(sink.clone());
                public.refusal.clone_from(&refusal);
            }
        }
    }

    /// No volumes are in any more.
    pub(crate) fn set_unloaded(&self) {
        self.state().refused = None;
        *self.progress() = Progress::default();
    }

    /// An operation of the operator goes on until the returned value is dropped.
    pub(crate) fn operation(self: &Arc<Self>, what: String) -> Operation {
        self.state().operation = Some((what, Instant::now()));
        Operation(Arc::clone(self))
    }

    /// Notes how much each leg has stored. To be called once a second.
    pub fn sample(&self) {
        let now = Instant::now();
        for leg in &mut self.state().legs {
            let stored = leg.board.stored_bytes.load(Ordering::Relaxed);
            leg.samples.push_back((now, stored));
            if leg.samples.len() > SAMPLES {
                leg.samples.pop_front();
            }
        }
    }

    /// The state, unless somebody has it just now.
    fn state_at_once(&self) -> Option<MutexGuard<'_, State>> {
        match self.state.try_lock() {
            Ok(state) => Some(state),
            Err(TryLockError::Poisoned(state)) => Some(state.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// A number that changes whenever a leg has done something; `None` where that can't be told at once.
    pub(crate) fn done(&self) -> Option<Vec<[u64; 3]>> {
        let state = self.state_at_once()?;
        let done = state.legs.iter().map(|leg| {
            let LegBoard {
                stored_bytes,
                object,
                queued_objects,
                ..
            } = &*leg.board;
            [stored_bytes, object, queued_objects].map(|number| number.load(Ordering::Relaxed))
        });
        Some(done.collect())
    }

    /// What goes on, and what the legs have not done yet; `None` where that can't be told at once.
    pub(crate) fn left_behind(&self) -> Option<(Option<String>, Vec<LeftBehind>)> {
        let working = self.progress().working;
        let state = self.state_at_once()?;
        let operation = state.operation.as_ref().map(|(what, _)| what.clone());
        let busy = operation.or(working.map(|_| A_CALL.to_owned()));
        let legs = state.legs.iter().map(|leg| LeftBehind {
            name: leg.options.name.clone(),
            queued_objects: leg.board.queued_objects.load(Ordering::Relaxed),
            queued_bytes: leg.board.queued_bytes.load(Ordering::Relaxed),
            not_mirrored_from: leg.not_mirrored().0,
            is_open: leg.volume != Volume::None,
        });
        Some((busy, legs.collect()))
    }

    /// The whole status.
    #[must_use]
    pub fn status(&self) -> MirrorStatus {
        let (mut status, stored) = self.look();
        // A host's disk that does not answer keeps this client waiting, and nobody else.
        for (leg, sink) in status.legs.iter_mut().zip(stored) {
            leg.left_bytes =
                sink.and_then(|sink| left_on_both(leg.left_bytes, sink.host_room_bytes()));
        }
        status
    }

    /// The status without what the hosts' disks have free: it asks nobody, so that it waits for nobody.
    #[must_use]
    pub fn brief(&self) -> MirrorStatus {
        self.look().0
    }

    /// What the boards show, and where the volumes are that are stored somewhere.
    fn look(&self) -> (MirrorStatus, Vec<Option<Sink>>) {
        let (at, in_file, working) = {
            let progress = self.progress();
            (progress.at, progress.in_file, progress.working)
        };
        let state = self.state();
        let operation = state.operation.as_ref();
        let busy = operation.map(|(what, since)| (what.clone(), *since));
        let busy = busy.or(working.map(|since| (A_CALL.to_owned(), since)));
        let legs = (0_usize..).zip(&state.legs).map(|(number, leg)| {
            let others = (0_usize..).zip(&state.legs);
            let others = others.filter(|(other, _)| *other != number);
            leg.status(Others::of(others.map(|(_, other)| other)))
        });
        let legs: Vec<_> = legs.collect();
        let stored: Vec<_> = state.legs.iter().map(PublicLeg::stored_in).collect();
        let loaded = state.legs.iter().any(|leg| leg.volume == Volume::In);
        let degraded = state.refused.is_some()
            || legs
                .iter()
                .any(|leg| leg.not_mirrored_from.is_some() || leg.first_error.is_some());
        let status = MirrorStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            slave: match &self.place {
                Place::SlaveEnd(path) => Some(SlaveEndStatus {
                    path: path.clone(),
                    attached: state.attached,
                    problem: state.problem.clone(),
                }),
                Place::Drive(_) => None,
            },
            loaded,
            degraded,
            refused: state.refused.clone(),
            min_legs: self.min_legs,
            position: at.filter(|_| loaded).map(|at| PositionStatus {
                partition: at.partition.0,
                file: at.file.map(|file| file.0),
                object: at.object.0,
                past_early_warning: at.past_early_warning,
            }),
            in_file,
            busy: busy.map(|(what, since)| BusyStatus {
                what,
                seconds: since.elapsed().as_secs_f64(),
            }),
            legs,
        };
        (status, stored)
    }
}

/// What a leg can be copied from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    /// No other leg is in step.
    Gone,
    /// All others in step are damaged.
    Damaged,
    Whole,
}

impl Others {
    fn of<'a>(legs: impl Iterator<Item = &'a PublicLeg>) -> Self {
        let in_step = legs.filter(|leg| leg.in_step());
        in_step.fold(Others::Gone, |others, leg| match leg.board.first_error() {
            Some(_) if others != Others::Whole => Others::Damaged,
            Some(_) | None => Others::Whole,
        })
    }
}

impl PublicLeg {
    /// Where the volume is that is in, if it keeps what is written.
    fn stored_in(&self) -> Option<Sink> {
        let is_stored = self.volume != Volume::None && self.options.keeps == Keeps::Blocks;
        self.sink.clone().filter(|_| is_stored)
    }

    /// From which object on the volume is no copy, and why.
    fn not_mirrored(&self) -> (Option<u64>, Option<String>) {
        match self.board.state() {
            LegState::InStep => (None, None),
            LegState::OutOfStep { from, reason } => (Some(from.0), Some(reason)),
            LegState::Dropped { from } => (Some(from.0), None),
        }
    }

    fn in_step(&self) -> bool {
        self.volume == Volume::In && self.board.state() == LegState::InStep
    }

    /// The command that brings the leg back, where there is one.
    fn advice(&self, condition: LegCondition, is_whole: bool, others: Others) -> Option<String> {
        let LegOptions { name, command, .. } = &self.options;
        let is_damaged = self.board.first_error().is_some();
        match condition {
            LegCondition::OutOfStep | LegCondition::Dropped if others == Others::Gone => Some(
                format!("no leg is in step: {command} unload --force, then load the volumes again"),
            ),
            LegCondition::OutOfStep | LegCondition::Dropped if self.board.is_kept_back() => Some(
                "it may hold what the leg in step can't read: unload, and save what each volume holds with 'pseudotape copy --damaged record'"
                    .to_owned(),
            ),
            LegCondition::OutOfStep => Some(format!(
                "{command} resync {name} (or, to open it anew, return {name})"
            )),
            LegCondition::Dropped => Some(format!("{command} return {name}")),
            LegCondition::Empty if !is_whole => Some(format!(
                "load the volumes again, then {command} resync {name}"
            )),
            LegCondition::InStep if is_damaged && others == Others::Gone => Some(
                "no other leg is in step: unload, and save what can be read with 'pseudotape copy --damaged record'"
                    .to_owned(),
            ),
            LegCondition::InStep if is_damaged && others == Others::Damaged => Some(
                "the others in step are damaged, too: copy the tape through the mirror while all are in, each block comes from a leg that can read it"
                    .to_owned(),
            ),
            LegCondition::InStep if is_damaged => Some(format!(
                "{command} drop {name}, then return {name} (which copies from what is damaged on)"
            )),
            LegCondition::InStep | LegCondition::Leaving | LegCondition::Empty => None,
        }
    }

    fn status(&self, others: Others) -> LegStatus {
        let board = &self.board;
        let state = board.state();
        let name = &self.options.name;
        let (mirrored, reason) = self.not_mirrored();
        let condition = match (self.volume, &state) {
            (Volume::None, _) => LegCondition::Empty,
            (Volume::Leaving, _) => LegCondition::Leaving,
            (Volume::In, LegState::InStep) => LegCondition::InStep,
            (Volume::In, LegState::OutOfStep { .. }) => LegCondition::OutOfStep,
            (Volume::In, LegState::Dropped { .. }) => LegCondition::Dropped,
        };
        let room = board.room_bytes.load(Ordering::Relaxed);
        let left = (room != u64::MAX).then_some(room);
        LegStatus {
            name: name.clone(),
            sink: self.sink.as_ref().map(Sink::to_string),
            class: self.options.class.to_string(),
            when: self.options.when.to_string(),
            state: condition,
            not_mirrored_from: mirrored,
            misses_from: self
                .in_step()
                .then(|| board.misses_from())
                .flatten()
                .map(|from| from.0),
            reason,
            read_only: self.read_only(condition),
            object: board.object.load(Ordering::Relaxed),
            lag_objects: board.queued_objects.load(Ordering::Relaxed),
            lag_bytes: board.queued_bytes.load(Ordering::Relaxed),
            stored_bytes: board.stored_bytes.load(Ordering::Relaxed),
            bytes_per_second: self.rate(),
            left_bytes: left,
            working_seconds: board.working().map(|time| time.as_secs_f64()),
            repairs: board.repairs.load(Ordering::Relaxed),
            first_error: board.first_error(),
            advice: self.advice(condition, mirrored.is_none(), others),
            faults: statuses(&self.options.faults),
        }
    }

    /// Why the volume that is in can only be read, as exactly as that is known.
    fn read_only(&self, condition: LegCondition) -> Option<String> {
        let is_in = matches!(condition, LegCondition::InStep | LegCondition::OutOfStep);
        let why = self.board.read_only().filter(|_| is_in)?;
        Some(self.refusal.clone().unwrap_or_else(|| why.to_owned()))
    }

    fn rate(&self) -> u64 {
        let (Some((begin, from)), Some((end, to))) = (self.samples.front(), self.samples.back())
        else {
            return 0;
        };
        let milliseconds = end.duration_since(*begin).as_millis();
        let bytes = u128::from(to.saturating_sub(*from));
        (bytes * 1000)
            .checked_div(milliseconds)
            .map_or(0, |rate| u64::try_from(rate).unwrap_or(u64::MAX))
    }
}

/// An operation of the operator that goes on.
pub(crate) struct Operation(Arc<Public>);

impl Drop for Operation {
    fn drop(&mut self) {
        self.0.state().operation = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled(samples: &[(u64, u64)]) -> PublicLeg {
        let begin = Instant::now();
        PublicLeg {
            options: LegOptions::named("a"),
            sink: None,
            refusal: None,
            volume: Volume::In,
            board: Arc::default(),
            samples: samples
                .iter()
                .map(|(ms, bytes)| (begin + Duration::from_millis(*ms), *bytes))
                .collect(),
        }
    }

    #[test]
    fn throughput_is_what_was_stored_between_the_first_and_the_last_look() {
        assert_eq!(sampled(&[]).rate(), 0);
        assert_eq!(sampled(&[(0, 100)]).rate(), 0);
        assert_eq!(sampled(&[(0, 100), (1000, 300), (2000, 1100)]).rate(), 500);
        assert_eq!(sampled(&[(0, 0), (1, u64::MAX)]).rate(), u64::MAX);
        // Another volume began to count anew.
        assert_eq!(sampled(&[(0, 100), (1000, 0)]).rate(), 0);
    }

    #[test]
    fn advice_is_given_for_what_is_no_copy() {
        let mut leg = sampled(&[]);
        assert_eq!(leg.status(Others::Whole).advice, None);
        leg.board = Arc::new(LegBoard::showing(LegState::OutOfStep {
            from: pseudotape_tape::ObjectNumber(3),
            reason: "cut".into(),
        }));
        let lost = leg.status(Others::Whole);
        assert!(lost.advice.unwrap().contains("resync a"));
        assert_eq!(
            (lost.not_mirrored_from, lost.state),
            (Some(3), LegCondition::OutOfStep)
        );
        // Nobody is there to be copied from.
        let alone = leg.status(Others::Gone).advice.unwrap();
        assert!(
            !alone.contains("resync") && alone.contains("unload"),
            "{alone}"
        );
        // A resync was refused, and would be again.
        leg.board.keep_back();
        let kept = leg.status(Others::Damaged).advice.unwrap();
        assert!(!kept.contains("resync") && kept.contains("save"), "{kept}");
        leg.volume = Volume::None;
        let out = leg.status(Others::Whole);
        assert!(out.advice.unwrap().contains("load the volumes again"));
        assert_eq!(
            (out.not_mirrored_from, out.state),
            (Some(3), LegCondition::Empty)
        );
    }
}
