//! One change on several legs. They may do different things; afterwards all of them hold the same.

use pseudotape_tape::{Done, Failed, FileNumber, Position, Sense, Stop};

use super::MirrorDrive;
use crate::change::Change;
use crate::leg::{Cause, Core, LegResult};
use crate::leg::{Verdict, judge};
use crate::set::{LegSet, PerLeg};

/// What the legs of a set did together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Together {
    /// Objects that all of them have.
    pub(super) count: u64,
    /// One of them is full.
    pub(super) full: bool,
    /// One of them is behind early warning.
    pub(super) warned: bool,
    pub(super) file: Option<FileNumber>,
}

impl Together {
    /// So many objects, and nothing to tell.
    pub(super) fn new(count: u64, file: Option<FileNumber>) -> Self {
        Together {
            count,
            full: false,
            warned: false,
            file,
        }
    }
}

/// The legs of a set by what their answers are worth.
#[derive(Clone, Copy, Debug, Default)]
struct Sorted {
    did: LegSet,
    /// Of those that did it: those that are full and took nothing.
    took_none: LegSet,
    refused: LegSet,
    /// What a required leg refused with.
    refusal: Option<Sense>,
}

impl MirrorDrive {
    /// Has the legs of a set make a change, and settles what they made different. Afterwards all of them that are
    /// still in step are at the same place, with the same objects before it and nothing behind.
    pub(super) fn on_legs(
        &mut self,
        set: LegSet,
        change: Change<'_>,
        at: Position,
    ) -> Result<Together, Failed> {
        let work = |core: &mut Core| core.act_at(at, |drive| change.run(drive));
        let answers = if change.is_blocks() {
            self.write_everywhere(set, &work)
        } else {
            self.everywhere(set, &work)
        };
        if let Some(refusal) = self.unanimous(set, &answers) {
            return Err(Failed::at(refusal.sense, Some(at)));
        }
        self.settle(set, answers, change, at)
    }

    fn settle(
        &mut self,
        set: LegSet,
        answers: PerLeg<LegResult<Done>>,
        change: Change<'_>,
        at: Position,
    ) -> Result<Together, Failed> {
        if !change.changes_nothing() {
            for leg in self.legs.of_mut(set) {
                leg.end_mut().changes(at);
            }
        }
        let mut together = Together::new(change.whole_count(), None);
        let sorted = self.sort(answers, change, at, &mut together);
        self.settle_refusals(sorted, change, at)?;
        let Sorted { did, took_none, .. } = sorted;
        if let Err(lost) = self.check_legs() {
            if change.makes_objects() {
                // The change is not acknowledged, so its objects must not stay on the other legs.
                self.take_back(did, at);
            }
            if !change.changes_nothing() {
                self.cut_others(set, did, at);
            }
            self.arrive(Some(at));
            return Err(lost);
        }
        if did.is_empty() {
            return Ok(together);
        }
        if change.makes_objects() && took_none != did {
            self.others_lost(took_none, at);
            if together.count == 0 {
                self.cut_others(set, did, at);
            }
        }
        self.level(did, change, at, together.count);
        self.check_legs()?;
        together.file = self.file_of(did);
        Ok(together)
    }

    /// Judges the answers: legs whose answer can't be believed are out of step.
    fn sort(
        &mut self,
        answers: PerLeg<LegResult<Done>>,
        change: Change<'_>,
        at: Position,
        together: &mut Together,
    ) -> Sorted {
        let mut sorted = Sorted::default();
        for (number, answer) in answers {
            let leg = &mut self.legs[number];
            match judge(change, at, leg.keeps_blocks(), answer) {
                Verdict::Did(done) => {
                    sorted.did = sorted.did.with(number);
                    if done.count == 0 {
                        sorted.took_none = sorted.took_none.with(number);
                    }
                    let is_full = done.stop == Some(Stop::EndOfPartition);
                    let warns = is_full || done.stop == Some(Stop::EarlyWarning);
                    together.count = together.count.min(done.count);
                    together.full |= is_full;
                    together.warned |= warns;
                    let is_behind = warns || done.position.past_early_warning;
                    if is_behind && !leg.end().is_behind_warning() {
                        leg.tell_end();
                    }
                    leg.end_mut().answered(is_behind);
                }
                Verdict::Refused(failed, _) => {
                    sorted.refused = sorted.refused.with(number);
                    if leg.is_required() {
                        sorted.refusal = sorted.refusal.or(Some(failed.sense));
                    }
                }
                Verdict::Lost(failed, cause) => {
                    let uncommitted = leg.end().uncommitted();
                    leg.lose(uncommitted.first_after(change, &failed, at), &cause);
                }
            }
        }
        sorted
    }

    /// What the drive of one required leg can't do, no leg does. A spare leg that can't do it is lost.
    ///
    /// An erasure that one leg refuses can't be undone on the others. What that leg still holds behind here is
    /// surplus, and goes with the next write.
    fn settle_refusals(
        &mut self,
        sorted: Sorted,
        change: Change<'_>,
        at: Position,
    ) -> Result<(), Failed> {
        let Sorted { did, refused, .. } = sorted;
        if change.is_erasure() && !did.is_empty() {
            self.others_lost(refused, at);
            return Ok(());
        }
        let others_wrote = change.makes_objects() && !did.is_empty();
        for leg in self.legs.of_mut(refused) {
            if !leg.is_required() {
                leg.lose(at.object, &Cause::Incapable);
            } else if others_wrote {
                leg.end_mut().others_lost(at);
            }
        }
        let Some(sense) = sorted.refusal else {
            return Ok(());
        };
        if change.makes_objects() {
            self.take_back(did, at);
            self.cut_others(did.or(refused), did, at);
        }
        self.arrive(Some(at));
        Err(Failed::at(sense, Some(at)))
    }

    /// The file, by the first of the legs that knows it.
    fn file_of(&self, set: LegSet) -> Option<FileNumber> {
        let keeping = self.legs.keeping_of(set);
        let mut places = self.legs.of(keeping).filter_map(|leg| leg.core().at());
        places.find_map(|at| at.file)
    }

    /// A refusal that all legs of a set agree in, before they did anything: that is the answer of the drive, not a
    /// failure of legs.
    pub(super) fn unanimous<T>(
        &self,
        set: LegSet,
        answers: &PerLeg<LegResult<T>>,
    ) -> Option<Failed> {
        let asked = self.legs.keeping_of(set);
        let in_step = self.legs.keeping_of(self.legs.in_step());
        let all_were_asked = in_step.minus(asked).is_empty();
        let mut refusal: Option<Failed> = None;
        for (_, answer) in answers.of(asked) {
            let failed = match answer {
                Err(fault) if fault.on_the_way_to.is_none() => fault.failed,
                Ok(_) | Err(_) => return None,
            };
            let is_benign = match failed.sense {
                Sense::NoDrive | Sense::HardwareError | Sense::MediumError => false,
                // Where only some of the legs were asked, this is trouble of those legs.
                Sense::NoMedium | Sense::NotReady | Sense::MediumChanged | Sense::Reset => {
                    failed.count == 0 && all_were_asked
                }
                Sense::WriteProtected | Sense::WormOverwrite | Sense::IllegalRequest => {
                    failed.count == 0
                }
            };
            if !is_benign || refusal.is_some_and(|other| other.sense != failed.sense) {
                return None;
            }
            refusal = Some(failed);
        }
        refusal
    }
}
