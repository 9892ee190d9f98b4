//! How legs are put in.

use pseudotape_human::counted;
use pseudotape_tape::{Noted, Sense, make_ready};

use super::MirrorDrive;
use crate::crew::Crew;
use crate::leg::{Cause, Keeps, Leg, LegFailure, NewLeg, When};
use crate::legs::Legs;
use crate::set::{LegNumber, LegSet, MAX_LEGS};

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
    #[error("min-legs is {min_legs}, and the mirror has {}", counted(*.legs as u64, "leg"))]
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
    #[error(transparent)]
    Leg(#[from] LegFailure),
    /// No thread.
    #[error("can't start the thread of a leg: {0}")]
    Thread(#[from] std::io::Error),
}

impl MirrorDrive {
    /// Puts legs in: all of them, or none. Legs that disagree are refused: the drive is not ready until
    /// [`MirrorDrive::trust`].
    ///
    /// Reads the end of every volume; the tape is at its beginning then.
    pub fn insert(&mut self, legs: Vec<NewLeg>) -> Result<(), InsertError> {
        self.check_new(&legs)?;
        let names: Vec<_> = legs.iter().map(|leg| leg.options.name.clone()).collect();
        let crew = Crew::start(&names)?;
        let seated: Result<Vec<_>, _> = legs.into_iter().map(|leg| self.seat(leg)).collect();
        self.legs = Legs::new(seated?);
        self.crew = crew;
        self.reader = LegNumber::FIRST;
        self.refused = None;
        self.unloaded = None;
        self.limits = self.common_limits();
        if let Err(error) = self.settle_in() {
            self.legs = Legs::default();
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

    fn seat(&self, mut new: NewLeg) -> Result<Leg, InsertError> {
        let ready = make_ready(&mut *new.drive);
        let mut leg = Leg::new(new);
        ready.map_err(|failed| leg.failure(Cause::failed(failed)))?;
        self.choose_again(&leg);
        let capacity = leg.refresh();
        let capacity = capacity.map_err(|failed| leg.failure(Cause::failed(failed)))?;
        leg.end_mut().ask_again();
        if leg.options().when != When::Sync {
            // What is in the queue must still fit when early warning comes as a surprise.
            let reserve = match (leg.options().reserve_bytes, capacity.room_bytes) {
                (Some(reserve), _) => reserve,
                (None, Some(_)) => u64::MAX,
                (None, None) if is_unlimited(&leg) => u64::MAX,
                (None, None) => return Err(InsertError::NoReserve(leg.name().to_owned())),
            };
            leg.start_queue(self.options.queue_bytes.min(reserve))?;
        }
        Ok(leg)
    }

    /// After new volumes were put in: at the beginning of all, which have to agree.
    fn settle_in(&mut self) -> Result<(), InsertError> {
        for leg in self.legs.iter() {
            let rewound = leg.core().act(|drive| drive.rewind());
            rewound.map_err(|failed| leg.failure(Cause::failed(failed)))?;
        }
        let marked = self.marked();
        let are_all_marked = marked == self.legs.keeping() && marked.len() > 1;
        if !are_all_marked {
            self.set_aside(marked);
        }
        self.look_at_volumes()?;
        if are_all_marked {
            let text = self.all_are_marked(marked);
            log::error!("{text}");
            self.refused = Some(text);
        }
        for leg in self.legs.iter_mut() {
            leg.keep_mark();
        }
        Ok(())
    }

    /// The legs whose volumes are marked as not mirrored.
    fn marked(&self) -> LegSet {
        self.legs
            .select(|leg| leg.keeps_blocks() && leg.is_marked())
    }

    /// Sets volumes aside that are marked as not mirrored, where another one is whole. How much they hold does not
    /// matter: they may look like the whole one, and only ends are compared.
    fn set_aside(&mut self, marked: LegSet) {
        let is_alone = marked == self.legs.keeping();
        for leg in self.legs.of_mut(marked) {
            let Noted::NotMirroredFrom(from) = leg.noted() else {
                continue;
            };
            let cause = Cause::Marked { from: Some(from) };
            log::warn!("leg {}: {cause}", leg.name());
            if !is_alone {
                leg.set_aside(from, &cause);
            }
        }
    }

    /// Why volumes are refused that are all marked.
    fn all_are_marked(&self, marked: LegSet) -> String {
        let marks = self
            .legs
            .of(marked)
            .filter_map(|leg| match leg.noted() {
                Noted::NotMirroredFrom(from) => {
                    Some(format!("leg {} from object {from} on", leg.name()))
                }
                Noted::Mirrored | Noted::NoPlace => None,
            })
            .collect::<Vec<_>>();
        let differ = self.refused.as_ref().map_or("", |_| "; they differ");
        let mut commands = self.legs.of(marked).map(|leg| leg.options().command);
        let command = commands.next().unwrap_or_default();
        format!(
            "every volume is marked as not mirrored ({}){differ}: '{command} trust LEG' says which is right, \
             '{command} resync LEG' brings another one in step then",
            marks.join(", ")
        )
    }
}

/// Whether a leg that says no room has no limit: what it stores is a file, or nothing.
fn is_unlimited(leg: &Leg) -> bool {
    !leg.keeps_blocks() || leg.noted() != Noted::NoPlace
}
