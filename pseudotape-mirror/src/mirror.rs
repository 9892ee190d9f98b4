//! N legs that are one drive.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pseudotape_tape::{BlockLimits, Failed, Identity, ModeSelect, ObjectNumber, Position, Sense};

use crate::crew::Crew;
use crate::late::Late;
use crate::leg::{
    ALL_COMMITTED, Answer, Class, Core, Keeps, Leg, LegBoard, LegState, NewLeg, Noted, Pace, Seat,
    When,
};
use crate::set::LegSet;

/// Most legs of a mirror.
pub const MAX_LEGS: usize = 8;

/// What the mirror is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorOptions {
    /// With fewer legs in step, what writes fails.
    pub min_legs: usize,
    /// Every read is done on all legs, and compared.
    pub verify_reads: bool,
    /// Longest queue of a late leg.
    pub queue_bytes: u64,
    /// Legs whose writes lately took no longer than this, all in all, are written one after the other by the
    /// thread that has the record: to wake their own would take longer.
    pub waking: Duration,
    /// Serial number.
    pub serial: String,
}

impl Default for MirrorOptions {
    fn default() -> Self {
        MirrorOptions {
            min_legs: 1,
            verify_reads: false,
            queue_bytes: 64 << 20,
            waking: Duration::from_micros(50),
            serial: "MIRROR".into(),
        }
    }
}

/// Why legs can't be put in.
#[derive(Debug, thiserror::Error)]
pub enum InsertError {
    /// Too many, or none.
    #[error("a mirror has 1 to {MAX_LEGS} legs, not {0}")]
    Count(usize),
    /// Two of one name.
    #[error("two legs are named {0}: give each a name of its own")]
    Name(String),
    /// None that can be read at once.
    #[error(
        "every leg is late or keeps nothing: at least one must be when=sync and keep its blocks"
    )]
    NoSync,
    /// Fewer than have to be there.
    #[error("min-legs is {min_legs}, and there are {legs} legs")]
    MinLegs {
        /// Asked.
        min_legs: usize,
        /// There.
        legs: usize,
    },
    /// Something is in already.
    #[error("the mirror already holds volumes: unload them first")]
    Loaded,
    /// A late leg whose end can't be foreseen.
    #[error(
        "leg {0} can't say how much fits on it: make it when=sync, or say with reserve=SIZE how much it surely takes behind early warning"
    )]
    NoReserve(String),
    /// A leg can't be used.
    #[error("leg {leg}: {reason}")]
    Leg {
        /// Its name.
        leg: String,
        /// Why.
        reason: String,
    },
    /// No thread.
    #[error("can't start the thread of a leg: {0}")]
    Thread(#[from] std::io::Error),
}

/// A drive that is several drives: what is written goes to all of them, and the first that reaches its
/// end ends it for all.
pub struct MirrorDrive {
    pub(crate) options: MirrorOptions,
    pub(crate) legs: Vec<Leg>,
    pub(crate) crew: Crew,
    pub(crate) limits: BlockLimits,
    /// Where the tape is; `None`: not known, or no medium.
    pub(crate) at: Option<Position>,
    pub(crate) attention: Option<Sense>,
    /// What a drive whose medium was unloaded says.
    pub(crate) unloaded: Option<Sense>,
    /// Why the legs were refused, until the operator says which one is right.
    pub(crate) refused: Option<String>,
    /// Length of the block just written, as long as it can be lengthened.
    pub(crate) extendable: Option<u64>,
    /// A leg met early warning after its operation was answered.
    pub(crate) late_warning: bool,
    /// Which leg reads.
    pub(crate) reader: usize,
    pub(crate) protected: bool,
    /// Reads that another leg was needed for, not yet told.
    pub(crate) recovered: u32,
}

const NO_LIMITS: BlockLimits = BlockLimits {
    min_bytes: 1,
    max_bytes: 16 << 20,
    granularity_bytes: 1,
};

impl MirrorDrive {
    /// A mirror without legs.
    #[must_use]
    pub fn new(options: MirrorOptions) -> Self {
        MirrorDrive {
            options,
            legs: Vec::new(),
            crew: Crew::default(),
            limits: NO_LIMITS,
            at: None,
            attention: None,
            unloaded: None,
            refused: None,
            extendable: None,
            late_warning: false,
            reader: 0,
            protected: false,
            recovered: 0,
        }
    }

    /// Puts legs in: all of them, or none. Legs that disagree are refused: the drive is not ready until
    /// [`MirrorDrive::trust`].
    ///
    /// Reads the end of every volume; the tape is at its beginning then.
    pub fn insert(&mut self, legs: Vec<NewLeg>) -> Result<(), InsertError> {
        self.check_new(&legs)?;
        let names: Vec<_> = legs.iter().map(|leg| leg.options.name.clone()).collect();
        let crew = Crew::start(&names)?;
        let mut seated = Vec::new();
        for leg in legs {
            seated.push(self.seat(leg)?);
        }
        self.crew = crew;
        self.legs = seated;
        self.reader = 0;
        self.refused = None;
        self.unloaded = None;
        self.limits = self.common_limits();
        if let Err(error) = self.settle_in() {
            self.legs.clear();
            self.crew = Crew::default();
            self.at = None;
            return Err(error);
        }
        self.attention = Some(Sense::MediumChanged);
        Ok(())
    }

    fn check_new(&self, legs: &[NewLeg]) -> Result<(), InsertError> {
        if !self.legs.is_empty() {
            return Err(InsertError::Loaded);
        }
        if legs.is_empty() || legs.len() > MAX_LEGS {
            return Err(InsertError::Count(legs.len()));
        }
        let names = || legs.iter().map(|leg| leg.options.name.as_str());
        for (number, name) in names().enumerate() {
            if names().skip(number + 1).any(|other| other == name) {
                return Err(InsertError::Name(name.to_owned()));
            }
        }
        let readable =
            |leg: &NewLeg| leg.options.when == When::Sync && leg.options.keeps == Keeps::Blocks;
        let only_nothing = legs.iter().all(|leg| leg.options.keeps == Keeps::Nothing);
        if !legs.iter().any(readable) && !only_nothing {
            return Err(InsertError::NoSync);
        }
        if self.options.min_legs > legs.len() {
            return Err(InsertError::MinLegs {
                min_legs: self.options.min_legs,
                legs: legs.len(),
            });
        }
        Ok(())
    }

    fn seat(&self, new: NewLeg) -> Result<Leg, InsertError> {
        let NewLeg { options, mut drive } = new;
        let failed = |reason: String| InsertError::Leg {
            leg: options.name.clone(),
            reason,
        };
        pseudotape_tape::make_ready(drive.drive()).map_err(|error| failed(error.to_string()))?;
        let seat = Arc::new(Seat {
            core: Mutex::new(Core {
                name: options.name.clone(),
                drive,
                at: None,
                answer: Answer::None,
                chosen: ModeSelect::default(),
                scratch: Vec::new(),
            }),
            board: Arc::new(LegBoard::default()),
            pace: Pace::default(),
        });
        let mut leg = Leg {
            options,
            seat,
            late: None,
            state: LegState::InStep,
            safe_bytes: 0,
            knows_room: false,
            zone: false,
            surplus: None,
            uncommitted: ALL_COMMITTED,
            extends: false,
        };
        let capacity = leg.refresh().map_err(|error| InsertError::Leg {
            leg: leg.options.name.clone(),
            reason: error.to_string(),
        })?;
        leg.safe_bytes = 0;
        if leg.options.when != When::Sync {
            // What is in the queue must still fit when early warning comes as a surprise.
            let reserve = match (leg.options.reserve_bytes, capacity.room_bytes) {
                (Some(reserve), _) => reserve,
                (None, Some(_)) => u64::MAX,
                (None, None) if leg.unlimited() => u64::MAX,
                (None, None) => return Err(InsertError::NoReserve(leg.options.name)),
            };
            let limit = self.options.queue_bytes.min(reserve);
            leg.late = Some(Late::start(leg.name(), &leg.seat, limit)?);
        }
        Ok(leg)
    }

    /// The legs that are copies now.
    pub(crate) fn in_step(&self) -> LegSet {
        self.select(Leg::in_step)
    }

    /// The legs in step that have everything at once.
    pub(crate) fn prompt(&self) -> LegSet {
        self.select(|leg| leg.in_step() && leg.late.is_none())
    }

    /// The legs that do an operation before it is answered: those that have everything at once, and where
    /// none of them is left that keeps anything, the late ones too, caught up.
    pub(crate) fn direct(&mut self) -> LegSet {
        let keeping = self.select(|leg| leg.in_step() && leg.keeps_blocks());
        let prompt = self.prompt();
        if prompt.0 & keeping.0 != 0 || keeping.is_empty() {
            return prompt;
        }
        self.catch_up();
        for leg in &mut self.legs {
            if let Some(late) = &mut leg.late {
                late.forget_tail();
            }
        }
        self.in_step()
    }

    /// The late legs in step.
    pub(crate) fn late(&self) -> LegSet {
        self.select(|leg| leg.in_step() && leg.late.is_some())
    }

    pub(crate) fn select(&self, wanted: impl Fn(&Leg) -> bool) -> LegSet {
        let chosen = self.legs.iter().enumerate().filter(|(_, leg)| wanted(leg));
        chosen.fold(LegSet::default(), |set, (number, _)| set.with(number))
    }

    /// Has every leg of a set do something at the same time.
    pub(crate) fn everywhere(&mut self, set: LegSet, work: &(dyn Fn(usize, &mut Core) + Sync)) {
        let mine = self.select(|leg| !leg.keeps_blocks());
        self.share_out(set, mine, &|number, seat| work(number, &mut seat.core()));
    }

    /// As [`MirrorDrive::everywhere`], for writes of blocks: how long they take is watched, and legs that are
    /// quick get no thread of their own.
    pub(crate) fn write_everywhere(
        &mut self,
        set: LegSet,
        work: &(dyn Fn(usize, &mut Core) + Sync),
    ) {
        let mut mine = self.select(|leg| !leg.keeps_blocks());
        let waking_ns = u64::try_from(self.options.waking.as_nanos()).unwrap_or(u64::MAX);
        let mut usual_ns: u64 = 0;
        for number in LegSet(set.0 & !mine.0).iter() {
            usual_ns = usual_ns.saturating_add(self.legs[number].seat.pace.usual_ns());
            if usual_ns > waking_ns {
                break;
            }
            mine = mine.with(number);
        }
        self.share_out(set, mine, &|number, seat| {
            let begun = Instant::now();
            work(number, &mut seat.core());
            seat.pace.took(begun.elapsed());
        });
    }

    /// The caller does the work of the legs that are `mine`, and of one more; the others' threads do theirs.
    fn share_out(&mut self, set: LegSet, mine: LegSet, work: &(dyn Fn(usize, &Seat) + Sync)) {
        let legs = &self.legs;
        let handed = LegSet(set.0 & !mine.0);
        let mine = LegSet(set.0 & mine.0);
        let own = handed.first();
        let handed = own.map_or(handed, |own| handed.without(own));
        let work_on = |number: usize| {
            if let Some(leg) = legs.get(number) {
                work(number, &leg.seat);
            }
        };
        self.crew.run(handed.0, &work_on, || {
            mine.iter().chain(own).for_each(work_on);
        });
    }

    /// What a leg answered to the last operation of all.
    pub(crate) fn answer(&self, leg: usize) -> Answer {
        std::mem::replace(&mut self.legs[leg].seat.core().answer, Answer::None)
    }

    /// Puts a leg out of step, by what it is now: says so in its volume where it can, and in the log.
    pub(crate) fn lose(&mut self, number: usize, from: ObjectNumber, reason: &str) {
        let leg = &mut self.legs[number];
        if !leg.in_step() {
            return;
        }
        let name = leg.options.name.clone();
        leg.state = LegState::OutOfStep {
            from,
            reason: reason.to_owned(),
        };
        leg.safe_bytes = 0;
        leg.surplus = None;
        leg.board().set_state(leg.state.clone());
        leg.board().note_error(reason);
        let what = match leg.options.class {
            Class::Required => "required: what writes fails until then",
            Class::Spare => "spare: the job goes on without it",
        };
        log::error!(
            "leg {name}: not mirrored from object {from} on: {reason} ({what}; 'pseudotape-mirror resync {name}', or 'return {name}' to open it anew, brings it back, 'drop {name}' goes on without it)"
        );
        let noted = leg.seat.core().drive.note_not_mirrored(Some(from));
        if let Err(error) = noted {
            log::warn!("leg {name}: its volume can't be marked as not mirrored: {error}");
        }
    }

    /// What is written before the place from which on a leg is no copy makes it none from there on.
    pub(crate) fn lower_lost(&mut self, at: Position) {
        if at.partition.0 != 0 {
            return;
        }
        for leg in self.legs.iter_mut().filter(|leg| !leg.in_step()) {
            let (LegState::OutOfStep { from, .. } | LegState::Dropped { from }) = &mut leg.state
            else {
                continue;
            };
            if *from <= at.object {
                continue;
            }
            *from = at.object;
            leg.board().set_state(leg.state.clone());
            let noted = leg.seat.core().drive.note_not_mirrored(Some(at.object));
            if let Err(error) = noted {
                log::warn!(
                    "leg {}: its volume is not marked as not mirrored from object {} on: {error}",
                    leg.options.name,
                    at.object
                );
            }
        }
    }

    /// Hears of failures and early warnings of late legs.
    pub(crate) fn hear_late(&mut self) {
        for number in self.late().iter() {
            let leg = &mut self.legs[number];
            let Some(late) = &mut leg.late else { continue };
            let failure = late.failure();
            if late.take_warning() {
                leg.zone = true;
                leg.safe_bytes = 0;
                self.late_warning = true;
            }
            if let Some(failure) = failure {
                self.lose(number, failure.from, &failure.reason);
            }
        }
    }

    /// How many required legs are out of step, and whether too few legs are in step.
    pub(crate) fn losses(&self) -> (usize, bool) {
        let lost = self.legs.iter().filter(|leg| {
            leg.options.class == Class::Required && matches!(leg.state, LegState::OutOfStep { .. })
        });
        let in_step = self.in_step().iter().count();
        (lost.count(), in_step < self.options.min_legs.max(1))
    }

    /// Fails where legs were lost since then that the operation at hand can't do without.
    pub(crate) fn check_losses(&self, before: (usize, bool)) -> Result<(), Failed> {
        let (lost, too_few) = self.losses();
        if lost > before.0 || (too_few && !before.1) {
            return Err(Failed::at(Sense::HardwareError, self.at));
        }
        Ok(())
    }

    /// Fails where what is written would not be mirrored as it was asked for.
    pub(crate) fn check_legs(&self) -> Result<(), Failed> {
        let (lost, too_few) = self.losses();
        if lost > 0 || too_few {
            return Err(Failed::at(Sense::HardwareError, self.at));
        }
        Ok(())
    }

    /// What every operation on the medium does first.
    pub(crate) fn begin(&mut self) -> Result<Position, Failed> {
        if let Some(sense) = self.attention.take() {
            self.extendable = None;
            return Err(Failed::at(sense, self.at));
        }
        self.require_medium()?;
        match self.at {
            Some(at) => Ok(at),
            None => self.find(),
        }
    }

    pub(crate) fn require_medium(&self) -> Result<(), Failed> {
        if self.legs.is_empty() {
            return Err(Failed::at(Sense::NoMedium, None));
        }
        if let Some(sense) = self.unloaded {
            return Err(Failed::at(sense, None));
        }
        if self.refused.is_some() {
            return Err(Failed::at(Sense::NotReady, None));
        }
        Ok(())
    }

    /// The tape's place after it was lost: where the leg that reads says that it is.
    fn find(&mut self) -> Result<Position, Failed> {
        let at = self.ask_reader(|core| {
            let at = core.drive().position()?;
            core.at = Some(at);
            Ok(at)
        })?;
        self.at = Some(at);
        Ok(at)
    }

    /// Asks the leg that reads; one that fails is out of step, and the next one is asked.
    pub(crate) fn ask_reader<T>(
        &mut self,
        ask: impl Fn(&mut Core) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        loop {
            let number = self.reader_now()?;
            let answer = ask(&mut self.legs[number].seat.core());
            let last = self.in_step().iter().count() < 2;
            match answer {
                Err(failed) if !last && failed.sense != Sense::IllegalRequest => {
                    let reason = self.legs[number].seat.core().explain(&failed);
                    let from = self.at.unwrap_or_default().object;
                    self.lose(number, from, &reason);
                }
                answer => return answer,
            }
        }
    }

    /// Where the tape is now, as the boards show it.
    pub(crate) fn arrive(&mut self, at: Option<Position>) {
        self.at = at;
        if let Some(at) = at {
            for number in self.prompt().iter() {
                let board = self.legs[number].board();
                board.object.store(at.object.0, Ordering::Relaxed);
            }
        }
    }

    pub(crate) fn common_limits(&self) -> BlockLimits {
        let limits = self
            .legs
            .iter()
            .filter(|leg| leg.in_step())
            .map(|leg| leg.seat.core().drive().block_limits());
        limits.fold(
            BlockLimits {
                min_bytes: 1,
                max_bytes: u32::MAX,
                granularity_bytes: 1,
            },
            |all, one| BlockLimits {
                min_bytes: all.min_bytes.max(one.min_bytes),
                max_bytes: all.max_bytes.min(one.max_bytes),
                granularity_bytes: common_multiple(all.granularity_bytes, one.granularity_bytes),
            },
        )
    }

    /// What this drive says it is.
    pub(crate) fn own_identity(&self) -> Identity {
        Identity {
            vendor: "PSEUDO".into(),
            product: "MIRROR".into(),
            revision: concat!(
                env!("CARGO_PKG_VERSION_MAJOR"),
                ".",
                env!("CARGO_PKG_VERSION_MINOR")
            )
            .into(),
            serial: self.options.serial.clone(),
        }
    }
}

impl Leg {
    /// Whether a leg that says no room has no limit: what it stores is a file, or nothing.
    fn unlimited(&self) -> bool {
        !self.keeps_blocks() || self.seat.core().drive.noted() != Noted::NoPlace
    }
}

/// The least common multiple of two granularities; 0 counts as 1.
fn common_multiple(a: u32, b: u32) -> u32 {
    let (a, b) = (a.max(1), b.max(1));
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    (a / x).saturating_mul(b)
}
