//! Positioning, loading and the mode: every leg does the same, and is then at the same place.

use std::sync::atomic::Ordering;

use pseudotape_tape::{
    Address, Capacity, Done, Door, Drive, Failed, LoadKind, Mode, ModeSelect, ObjectNumber,
    PartitionNumber, Partitioning, Position, Sense,
};

use crate::late::Kind;
use crate::leg::{ALL_COMMITTED, Answer, Class, Core, When, first_lost, same_place};
use crate::mirror::MirrorDrive;
use crate::set::LegSet;
use crate::settle::{OVERHEAD_BYTES, is_incapable};

type Motion<'a> = &'a (dyn Fn(&mut dyn Drive) -> Result<Done, Failed> + Sync);

impl MirrorDrive {
    /// Moves all legs and compares where they are; one that is elsewhere is out of step. `to` is where the
    /// tape should be then, as far as that is known beforehand.
    pub(crate) fn motion(
        &mut self,
        to: Option<Address>,
        motion: Motion<'_>,
    ) -> Result<Done, Failed> {
        let at = self.begin()?;
        let before = self.losses();
        self.extendable = None;
        self.hear_late();
        // What is written next is what meets early warning.
        self.late_warning = false;
        self.look_for_surplus();
        let set = self.direct();
        let keeping = self.select(|leg| leg.keeps_blocks());
        self.everywhere(set, &|number, core| {
            core.answer = match core.go_to(at) {
                Err(failed) if keeping.has(number) => Answer::Lost(failed),
                _ => Answer::Done(core.act(motion)),
            };
        });
        self.agree_on(set, at, to, before)
    }

    /// To the beginning; what was written is on stable storage then.
    pub(crate) fn rewind_all(&mut self) -> Result<Done, Failed> {
        let beginning = Address {
            partition: None,
            object: ObjectNumber(0),
        };
        let result = self.motion(Some(beginning), &|drive| drive.rewind());
        if result.is_ok() {
            for number in self.prompt().iter() {
                self.legs[number].uncommitted = ALL_COMMITTED;
            }
        }
        result
    }

    /// Looks whether legs that were not made to drop what the others have not really hold such things.
    pub(crate) fn look_for_surplus(&mut self) {
        for number in self
            .select(|leg| leg.in_step() && leg.surplus.is_some())
            .iter()
        {
            let leg = &mut self.legs[number];
            let mut core = leg.seat.core();
            let end = leg.surplus.and_then(|from| {
                core.go_to(from).ok()?;
                let end = core.act(|drive| drive.space_to_end_of_data()).ok()?;
                same_place(end.position, from).then_some(end)
            });
            drop(core);
            if end.is_some() {
                leg.surplus = None;
            }
        }
    }

    /// What the legs of a set answered, where they agree; those that do not are out of step. Where all keep
    /// nothing, one of them tells.
    fn agree_on(
        &mut self,
        set: LegSet,
        at: Position,
        to: Option<Address>,
        before: (usize, bool),
    ) -> Result<Done, Failed> {
        let answers = self.answers(set);
        for number in set.iter() {
            let leg = &mut self.legs[number];
            (leg.safe_bytes, leg.zone) = (0, false);
        }
        let set = self.keeping_of(set);
        if let Some(mut refusal) = self.unanimous(set, &answers) {
            if let Some(here) = &mut refusal.position {
                here.past_early_warning = self.is_past_early_warning(*here);
            }
            self.arrive(refusal.position.or(self.at));
            return Err(refusal);
        }
        let reference = self.believed(set, &answers, to);
        for number in set.iter() {
            let reason = match (answers[number], reference) {
                (Answer::Done(Ok(done)), Some((first, other))) => {
                    if agree(&done, &other) {
                        continue;
                    }
                    let name = self.legs[first].name();
                    format!(
                        "its tape is at object {} of partition {}, that of leg {name} at object {} of partition {}",
                        done.position.object,
                        done.position.partition,
                        other.position.object,
                        other.position.partition
                    )
                }
                (Answer::Done(Err(failed)) | Answer::Lost(failed), _) => {
                    self.legs[number].seat.core().explain(&failed)
                }
                _ => "it gave no answer".into(),
            };
            // A drive stores what waits in it before it moves: that is not sure then.
            let from = self.legs[number].uncommitted.min(at.object);
            self.lose(number, from, &reason);
        }
        let Some((_, mut done)) = reference else {
            self.arrive(Some(at));
            return Err(Failed::at(Sense::HardwareError, Some(at)));
        };
        done.position.past_early_warning = self.is_past_early_warning(done.position);
        self.arrive(Some(done.position));
        self.check_losses(before)?;
        Ok(done)
    }

    /// Which leg's answer counts where they differ: one that is where the motion was to end; else what most
    /// say; else that of the leg that reads, from which the program has what it knows of the tape.
    fn believed(
        &self,
        set: LegSet,
        answers: &[Answer],
        to: Option<Address>,
    ) -> Option<(usize, Done)> {
        let done = |number: usize| match answers[number] {
            Answer::Done(Ok(done)) => Some((number, done)),
            Answer::Done(Err(_))
            | Answer::None
            | Answer::Read(_)
            | Answer::Nothing(_)
            | Answer::Lost(_) => None,
        };
        let is_there = |done: &Done| {
            to.is_some_and(|to| {
                done.position.object == to.object
                    && to
                        .partition
                        .is_none_or(|there| there == done.position.partition)
            })
        };
        // Of two that are as good the last is taken: the leg that reads.
        let reads = usize::from(set.has(self.reader)) * self.reader;
        let order = set
            .without(reads)
            .iter()
            .chain(set.has(reads).then_some(reads));
        let weight = |(number, one): &(usize, Done)| {
            let same = set
                .iter()
                .filter_map(done)
                .filter(|(_, other)| agree(one, other));
            let whole = self.legs[*number].surplus.is_none();
            (is_there(one), whole, same.count())
        };
        order.filter_map(done).max_by_key(weight)
    }

    pub(crate) fn load_all(&mut self, kind: LoadKind) -> Result<Done, Failed> {
        self.extendable = None;
        if let Some(sense) = self.attention.take() {
            return Err(Failed::at(sense, self.at));
        }
        if self.legs.is_empty() {
            return Err(Failed::at(Sense::NoMedium, None));
        }
        if self.refused.is_some() {
            return Err(Failed::at(Sense::NotReady, None));
        }
        let before = self.losses();
        self.late_warning = false;
        self.catch_up();
        let set = self.in_step();
        self.everywhere(set, &|_, core| {
            core.answer = Answer::Done(core.act(|drive| drive.load(kind)));
        });
        let at = self.at.unwrap_or_default();
        let was_unloaded = self.unloaded.is_some();
        let beginning = Address {
            partition: Some(PartitionNumber(0)),
            object: ObjectNumber(0),
        };
        let done = self.agree_on(set, at, Some(beginning), before)?;
        self.forget_tails();
        self.unloaded = None;
        if was_unloaded {
            self.look_again()?;
        }
        self.require_medium()?;
        self.arrive(Some(done.position));
        Ok(done)
    }

    /// Unloads; legs that are late until the unload have everything before.
    pub(crate) fn unload_all(&mut self) -> Result<(), Failed> {
        let at = self.begin()?;
        let before = self.losses();
        self.extendable = None;
        self.late_warning = false;
        let until_unload = self.select(|leg| leg.options.when == When::Unload);
        for number in until_unload.iter() {
            if let Some(late) = &self.legs[number].late {
                late.drain();
            }
        }
        self.hear_late();
        self.look_for_surplus();
        self.drop_surplus(at);
        let deferred = self.select(|leg| leg.options.when == When::Deferred);
        let set = LegSet(self.in_step().0 & !deferred.0);
        self.everywhere(set, &|_, core| {
            let result = core.order(|drive| drive.unload());
            core.at = None;
            core.answer = Answer::Nothing(result);
        });
        self.agree_on_nothing(set, at)?;
        for number in LegSet(self.in_step().0 & deferred.0).iter() {
            if let Some(late) = &mut self.legs[number].late {
                late.put(at, Kind::Unload, &[], OVERHEAD_BYTES, at);
                late.forget_tail();
            }
        }
        self.at = None;
        self.unloaded = Some(self.sense_after_unload(set));
        self.check_losses(before)
    }

    /// What is on a leg beyond what all have is no longer to be hoped to be overwritten: it is erased, where that
    /// can be.
    pub(crate) fn drop_surplus(&mut self, at: Position) {
        let with_surplus = self.select(|leg| leg.in_step() && leg.surplus.is_some());
        for number in with_surplus.iter() {
            if let Some(from) = self.legs[number].surplus {
                self.take_back(LegSet::default().with(number), from);
            }
        }
        for number in self
            .select(|leg| leg.in_step() && leg.surplus.is_some())
            .iter()
        {
            self.lose(
                number,
                at.object,
                "it holds objects that the other legs did not take, and its drive can't erase them",
            );
        }
    }

    fn sense_after_unload(&mut self, set: LegSet) -> Sense {
        let first = set.first();
        let ready = first.map(|number| self.legs[number].seat.core().drive().test_ready());
        match ready {
            Some(Err(failed)) => failed.sense,
            _ => Sense::NoMedium,
        }
    }

    /// What legs answered that tell no position.
    fn agree_on_nothing(&mut self, set: LegSet, at: Position) -> Result<(), Failed> {
        let mut answers = [Answer::None; crate::mirror::MAX_LEGS];
        for number in set.iter() {
            answers[number] = self.answer(number);
        }
        if let Some(refusal) = self.unanimous(set, &answers) {
            return Err(Failed {
                position: Some(at),
                ..refusal
            });
        }
        for number in set.iter() {
            if let Answer::Nothing(Err(failed)) = answers[number] {
                let reason = self.legs[number].seat.core().explain(&failed);
                // What was not committed before perhaps never was.
                let from = self.legs[number].uncommitted.min(at.object);
                self.lose(number, from, &reason);
            }
        }
        Ok(())
    }

    pub(crate) fn forget_tails(&mut self) {
        for leg in &mut self.legs {
            (leg.safe_bytes, leg.zone) = (0, false);
            if let Some(late) = &mut leg.late {
                late.forget_tail();
            }
        }
    }

    pub(crate) fn cut(&mut self, partitioning: Partitioning) -> Result<Done, Failed> {
        let at = self.begin()?;
        self.extendable = None;
        self.catch_up();
        self.check_legs()?;
        if self.protected {
            return Err(Failed::at(Sense::WriteProtected, Some(at)));
        }
        let before = self.losses();
        let set = self.in_step();
        let keeping = self.select(|leg| leg.keeps_blocks());
        self.everywhere(set, &|number, core| {
            core.answer = match core.go_to(at) {
                Err(failed) if keeping.has(number) => Answer::Lost(failed),
                _ => Answer::Done(core.act(|drive| drive.make_partitions(partitioning))),
            };
        });
        let done = self.agree_on(set, at, None, before);
        self.forget_tails();
        done
    }

    pub(crate) fn mode_now(&mut self) -> Result<Mode, Failed> {
        if self.in_step().is_empty() {
            return Ok(Mode {
                buffering: 1,
                ..Mode::default()
            });
        }
        let mut mode = self.ask_reader(Core::mode)?;
        mode.write_protected |= self.protected;
        Ok(mode)
    }

    /// Changes the mode of all legs, or of none: what one of them can't do is refused. One that fails
    /// otherwise is out of step.
    pub(crate) fn change_mode(&mut self, change: ModeSelect) -> Result<(), Failed> {
        let at = self.begin()?;
        let losses = self.losses();
        let before = self.mode_now()?;
        self.catch_up();
        let set = self.in_step();
        self.everywhere(set, &|_, core| {
            core.answer = Answer::Nothing(core.choose(change));
        });
        let answers = self.answers(set);
        if let Some(refusal) = self.unanimous(set, &answers) {
            return Err(Failed {
                position: Some(at),
                ..refusal
            });
        }
        let mut done = LegSet::default();
        let mut refused = None;
        for number in set.iter() {
            match answers[number] {
                Answer::Nothing(Ok(())) => done = done.with(number),
                Answer::Nothing(Err(failed)) if is_incapable(failed.sense) => {
                    refused = refused.or(Some(failed));
                }
                Answer::Nothing(Err(failed)) => {
                    let leg = &self.legs[number];
                    let reason = leg.seat.core().explain(&failed);
                    let from = first_lost(&failed, at, leg.uncommitted);
                    self.lose(number, from, &reason);
                }
                _ => {}
            }
        }
        let Some(refused) = refused else {
            return self.check_losses(losses);
        };
        let back = ModeSelect {
            block_size: change.block_size.map(|_| before.block_size),
            density: change.density.map(|_| before.density),
            buffering: change.buffering.map(|_| before.buffering),
            compression: change.compression.and(before.compression),
        };
        for number in done.iter() {
            let undone = self.legs[number].seat.core().choose(back);
            if let Err(failed) = undone {
                let reason = format!("its mode can't be set back: {failed}");
                self.lose(number, at.object, &reason);
            }
        }
        Err(Failed {
            position: Some(at),
            ..refused
        })
    }

    /// How much fits on a leg from where the mirror is.
    fn capacity_of(&mut self, number: usize) -> Result<Capacity, Failed> {
        let at = self.at;
        let leg = &mut self.legs[number];
        if let Some(late) = &mut leg.late {
            if at.is_some_and(|at| late.continues(at)) {
                // What waits counts as if it were stored; asked first, so that nothing is missed.
                let waits = leg.seat.board.queued_bytes.load(Ordering::Relaxed);
                let mut one = leg.seat.core().drive().capacity()?;
                one.room_bytes = one.room_bytes.map(|room| room.saturating_sub(waits));
                one.used_bytes = one.used_bytes.saturating_add(waits);
                return Ok(one);
            }
            late.drain();
            late.forget_tail();
        }
        if let Some(at) = at
            && leg.keeps_blocks()
        {
            leg.seat.core().go_to(at)?;
        }
        leg.refresh()
    }

    /// The smallest of all: what fits on every leg.
    pub(crate) fn capacity_now(&mut self) -> Result<Capacity, Failed> {
        self.require_medium()?;
        let mut all = Capacity::default();
        let mut warning_at: Option<u64> = None;
        let least = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        for number in self.in_step().iter() {
            let one = match self.capacity_of(number) {
                Ok(one) => one,
                Err(failed) if self.in_step().iter().count() < 2 => return Err(failed),
                Err(failed) => {
                    let reason = self.legs[number].seat.core().explain(&failed);
                    self.lose(number, self.at.unwrap_or_default().object, &reason);
                    continue;
                }
            };
            all.total_bytes = least(all.total_bytes, one.total_bytes);
            all.room_bytes = least(all.room_bytes, one.room_bytes);
            all.used_bytes = all.used_bytes.max(one.used_bytes);
            let warns = one
                .total_bytes
                .map(|total| total.saturating_sub(one.early_warning_bytes));
            warning_at = least(warning_at, warns);
        }
        if let (Some(total), Some(at)) = (all.total_bytes, warning_at) {
            all.early_warning_bytes = total.saturating_sub(at);
        }
        Ok(all)
    }

    pub(crate) fn move_door(&mut self, door: Door) -> Result<(), Failed> {
        let mut result = Ok(());
        for number in self.in_step().iter() {
            let leg = &self.legs[number];
            let moved = leg.seat.core().drive().set_door(door);
            // What keeps nothing has no door, and a spare leg's is not worth the job.
            if leg.keeps_blocks() && leg.options.class == Class::Required {
                result = result.and(moved);
            }
        }
        result
    }
}

/// Whether two legs say the same of a motion.
fn agree(a: &Done, b: &Done) -> bool {
    same_place(a.position, b.position) && (a.count, met(a)) == (b.count, met(b))
}

/// What a motion met, as far as legs have to agree: not where their ends are.
fn met(done: &Done) -> Option<pseudotape_tape::Stop> {
    done.stop
        .filter(|stop| *stop != pseudotape_tape::Stop::EarlyWarning)
}
