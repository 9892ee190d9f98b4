//! How legs do the same thing at the same time.

use std::time::Instant;

use pseudotape_tape::Failed;

use super::MirrorDrive;
use crate::leg::{Core, Seat};
use crate::set::{LegSet, PerLeg};

impl MirrorDrive {
    /// The legs that do an operation before it is answered: those that have everything at once. Where none of
    /// these is left that keeps anything, the late ones catch up and do it too.
    pub(super) fn direct(&mut self) -> LegSet {
        let keeping = self.legs.keeping();
        let prompt = self.legs.prompt();
        if !prompt.and(keeping).is_empty() || keeping.is_empty() {
            return prompt;
        }
        self.catch_up();
        self.legs.iter_mut().for_each(|leg| leg.forget_tail());
        self.legs.in_step()
    }

    /// Waits until every late leg has what it should.
    pub(super) fn catch_up(&mut self) {
        let late = self.legs.late();
        self.legs.of(late).for_each(|leg| leg.catch_up());
        self.hear_late();
    }

    /// As [`MirrorDrive::catch_up`], for something that does not go through the queues.
    pub(super) fn leave_queues(&mut self) {
        let late = self.legs.late();
        self.legs.of_mut(late).for_each(|leg| leg.leave_queue());
        self.hear_late();
    }

    /// Hears of failures and early warnings of late legs.
    pub(super) fn hear_late(&mut self) {
        let late = self.legs.late();
        for leg in self.legs.of_mut(late) {
            if leg.hear() {
                self.last.warned_late();
            }
        }
    }

    /// Has every leg of a set do something at the same time.
    pub(super) fn everywhere<R: Send>(
        &mut self,
        set: LegSet,
        work: &(dyn Fn(&mut Core) -> R + Sync),
    ) -> PerLeg<R> {
        let own = self.legs.select(|leg| !leg.keeps_blocks());
        self.share_out(set, own, &|seat| work(&mut seat.core()))
    }

    /// As [`MirrorDrive::everywhere`], for writes of blocks. How long these take is watched: for legs that are
    /// quick no other thread is woken.
    pub(super) fn write_everywhere<R: Send>(
        &mut self,
        set: LegSet,
        work: &(dyn Fn(&mut Core) -> R + Sync),
    ) -> PerLeg<R> {
        let mut own = self.legs.select(|leg| !leg.keeps_blocks());
        let waking_ns = u64::try_from(self.options.waking.as_nanos()).unwrap_or(u64::MAX);
        let mut usual_ns: u64 = 0;
        for number in set.minus(own).iter() {
            let pace = self.legs[number].seat().pace();
            usual_ns = usual_ns.saturating_add(pace.usual_ns());
            if usual_ns > waking_ns {
                break;
            }
            own = own.with(number);
        }
        self.share_out(set, own, &|seat| {
            let begun = Instant::now();
            let answer = work(&mut seat.core());
            seat.pace().took(begun.elapsed());
            answer
        })
    }

    /// The caller does the work of its `own` legs and of one more; the threads of the others do theirs.
    fn share_out<R: Send>(
        &mut self,
        set: LegSet,
        own: LegSet,
        work: &(dyn Fn(&Seat) -> R + Sync),
    ) -> PerLeg<R> {
        let lent = set.minus(own);
        let one_more = lent.first().map_or(LegSet::EMPTY, LegSet::only);
        let own = set.and(own).or(one_more);
        let legs = &self.legs;
        let work_on = |number| work(legs[number].seat());
        self.crew.run(lent.minus(one_more), own, &work_on)
    }

    /// Asks the leg that reads. One that fails is out of step, and the next one is asked.
    pub(super) fn ask_reader<T>(
        &mut self,
        ask: impl Fn(&mut Core) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        loop {
            let number = self.reader_now()?;
            let answer = ask(&mut self.legs[number].core());
            let is_last = self.legs.in_step().len() < 2;
            match answer {
                Err(failed)
                    if !is_last && failed.sense != pseudotape_tape::Sense::IllegalRequest =>
                {
                    let cause = self.legs[number].explain(&failed);
                    let from = self.object_here();
                    self.legs[number].lose(from, &cause);
                }
                answer => return answer,
            }
        }
    }
}
