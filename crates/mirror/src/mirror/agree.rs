//! Where legs are after a motion, and which of them is believed.

use pseudotape_tape::{Address, Done, Failed, Position, Sense, Stop};

use super::MirrorDrive;
use super::losses::Losses;
use crate::leg::{Cause, LegResult, same_place};
use crate::set::{LegNumber, LegSet, PerLeg};

impl MirrorDrive {
    /// Makes one answer of the answers to a motion. Legs that do not agree with the believed one are out of step.
    /// Only legs that keep blocks are asked, unless there is none.
    pub(super) fn agree_on(
        &mut self,
        set: LegSet,
        answers: &PerLeg<LegResult<Done>>,
        at: Position,
        to: Option<Address>,
        before: Losses,
    ) -> Result<Done, Failed> {
        for leg in self.legs.of_mut(set) {
            leg.end_mut().moved();
        }
        let set = self.legs.keeping_of(set);
        if let Some(mut refusal) = self.unanimous(set, answers) {
            if let Some(here) = &mut refusal.position {
                here.past_early_warning = self.is_past_early_warning(*here);
            }
            self.arrive(refusal.position.or(self.at));
            return Err(refusal);
        }
        let believed = self.believed(set, answers, to);
        for (number, answer) in answers.of(set) {
            let cause = match (answer, believed) {
                (Ok(done), Some((_, other))) if agree(done, &other) => continue,
                (Ok(done), Some((first, other))) => Cause::Apart {
                    is: done.position,
                    other: self.legs[first].name().to_owned(),
                    others: other.position,
                },
                // Can't be: where one leg did the motion, some leg is believed.
                (Ok(_), None) => continue,
                (Err(fault), _) => fault.clone().into(),
            };
            let leg = &mut self.legs[number];
            // Before a drive moves, it stores what it has buffered. After a failure that is not sure.
            let from = leg.end().uncommitted().first_up_to(at.object);
            leg.lose(from, &cause);
        }
        let Some((_, mut done)) = believed else {
            self.arrive(Some(at));
            return Err(Failed::at(Sense::HardwareError, Some(at)));
        };
        done.position.past_early_warning = self.is_past_early_warning(done.position);
        self.arrive(Some(done.position));
        self.check_losses(before)?;
        Ok(done)
    }

    /// Which answer is believed where answers differ: first, that of a leg that is where the motion was to end;
    /// then the answer that most legs gave; then that of the leg that reads, since the program has read there.
    fn believed(
        &self,
        set: LegSet,
        answers: &PerLeg<LegResult<Done>>,
        to: Option<Address>,
    ) -> Option<(LegNumber, Done)> {
        let done_by = |set: LegSet| {
            let answers = answers.of(set);
            answers.filter_map(|(number, answer)| Some((number, *answer.as_ref().ok()?)))
        };
        let is_there = |at: Position| {
            to.is_some_and(|to| {
                let is_partition = to.partition.is_none_or(|there| there == at.partition);
                is_partition && at.object == to.object
            })
        };
        let weight = |(number, one): &(LegNumber, Done)| {
            let same = done_by(set).filter(|(_, other)| agree(one, other));
            let is_whole = self.legs[*number].end().surplus().is_none();
            (is_there(one.position), is_whole, same.count())
        };
        // Of two answers of the same weight the last one is taken: that of the leg that reads.
        let last = if set.has(self.reader) {
            self.reader
        } else {
            LegNumber::FIRST
        };
        let order = done_by(set.without(last)).chain(done_by(set.and(LegSet::only(last))));
        order.max_by_key(weight)
    }

    /// Makes one answer of the answers to an operation that tells no position.
    pub(super) fn agree_on_nothing(
        &mut self,
        set: LegSet,
        answers: PerLeg<LegResult<()>>,
        at: Position,
    ) -> Result<(), Failed> {
        if let Some(refusal) = self.unanimous(set, &answers) {
            return Err(Failed {
                position: Some(at),
                ..refusal
            });
        }
        for (number, answer) in answers {
            if let Err(fault) = answer {
                let leg = &mut self.legs[number];
                // What had not been committed before is perhaps lost.
                let from = leg.end().uncommitted().first_up_to(at.object);
                leg.lose(from, &fault.into());
            }
        }
        Ok(())
    }
}

/// Whether two legs gave the same answer to a motion.
fn agree(a: &Done, b: &Done) -> bool {
    same_place(a.position, b.position) && (a.count, met(a)) == (b.count, met(b))
}

/// What a motion met. Early warning does not count: the ends of legs are at different places.
fn met(done: &Done) -> Option<Stop> {
    done.stop.filter(|stop| *stop != Stop::EarlyWarning)
}
