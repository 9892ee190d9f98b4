//! One change on several legs: what they answered, made the same on all of them.

use std::sync::atomic::Ordering;

use pseudotape_tape::{
    Done, EraseExtent, Failed, FileNumber, ObjectNumber, Position, Sense, Stop, Transfer, WriteMode,
};

use crate::change::Change;
use crate::late::Kind;
use crate::leg::{
    ALL_COMMITTED, Answer, Class, Core, elsewhere, first_lost, objects_before, same_place,
};
use crate::mirror::{MAX_LEGS, MirrorDrive};
use crate::set::LegSet;

/// What a mark, or what a format adds to a block, costs at most: only to see early warning coming.
pub(crate) const OVERHEAD_BYTES: u64 = 64;

/// What the legs of a set did together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Together {
    /// Objects that all of them have.
    pub(crate) count: u64,
    /// One of them is full.
    pub(crate) full: bool,
    /// One of them is behind early warning.
    pub(crate) warned: bool,
    pub(crate) file: Option<FileNumber>,
}

/// What the answer of one leg is worth.
enum Verdict {
    /// It did so many objects, and is behind them.
    Did(Done),
    /// Its drive can't do this; nothing was changed.
    Refused(Sense),
    /// It can't be said what it holds.
    Lost {
        reason: String,
        /// The first object that it does not surely hold.
        from: ObjectNumber,
    },
}

impl MirrorDrive {
    /// Has the legs of a set make a change, and settles what they made different: afterwards all of them
    /// that are still in step are at the same place, with the same objects before it and nothing behind.
    pub(crate) fn on_legs(
        &mut self,
        set: LegSet,
        change: Change<'_>,
        at: Position,
    ) -> Result<Together, Failed> {
        let keeps = self.select(crate::leg::Leg::keeps_blocks);
        let work = |number: usize, core: &mut Core| {
            core.answer = match core.go_to(at) {
                Err(failed) if keeps.has(number) => Answer::Lost(failed),
                _ => Answer::Done(core.act(|drive| change.run(drive))),
            };
        };
        if matches!(change, Change::Blocks(..)) {
            self.write_everywhere(set, &work);
        } else {
            self.everywhere(set, &work);
        }
        self.settle(set, change, at)
    }

    fn settle(
        &mut self,
        set: LegSet,
        change: Change<'_>,
        at: Position,
    ) -> Result<Together, Failed> {
        let answers = self.answers(set);
        if let Some(refusal) = self.unanimous(set, &answers) {
            return Err(Failed::at(refusal.sense, Some(at)));
        }
        self.note_uncommitted(set, change, at);
        let mut together = Together {
            count: change.whole_count(),
            full: false,
            warned: false,
            file: None,
        };
        let (mut did, mut refused) = (LegSet::default(), LegSet::default());
        let mut took_none = LegSet::default();
        let mut refusal = None;
        for number in set.iter() {
            match self.judge(number, answers[number], change, at) {
                Verdict::Did(done) => {
                    did = did.with(number);
                    if done.count == 0 {
                        took_none = took_none.with(number);
                    }
                    together.count = together.count.min(done.count);
                    together.full |= done.stop == Some(Stop::EndOfPartition);
                    let warns =
                        matches!(done.stop, Some(Stop::EarlyWarning | Stop::EndOfPartition));
                    together.warned |= warns;
                    self.legs[number].zone = warns || done.position.past_early_warning;
                }
                Verdict::Refused(sense) => {
                    refused = refused.with(number);
                    if self.legs[number].options.class == Class::Required {
                        refusal = refusal.or(Some(sense));
                    }
                }
                Verdict::Lost { reason, from } => self.lose(number, from, &reason),
            }
        }
        self.settle_refusals(refused, refusal, did, change, at)?;
        if let Err(lost) = self.check_legs() {
            if change.units() > 0 {
                // Not acknowledged, so it must not stay on the others.
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
        if change.units() > 0 && took_none != did {
            // The others lost what these may still have behind here.
            for number in took_none.iter() {
                self.legs[number].surplus = Some(at);
            }
            if together.count == 0 {
                self.cut_others(set, did, at);
            }
        }
        self.level(did, change, at, together.count);
        self.check_legs()?;
        together.file = self.file_of(did);
        Ok(together)
    }

    /// What the legs of a set answered to the last operation of all.
    pub(crate) fn answers(&self, set: LegSet) -> [Answer; MAX_LEGS] {
        let mut answers = [Answer::None; MAX_LEGS];
        for number in set.iter() {
            answers[number] = self.answer(number);
        }
        answers
    }

    fn judge(&self, number: usize, answer: Answer, change: Change<'_>, at: Position) -> Verdict {
        let leg = &self.legs[number];
        let lost = |reason: String, failed: &Failed| {
            let uncommitted = leg.uncommitted.min(objects_before(at));
            let from = match change {
                Change::Marks(_, _, WriteMode::Commit) => uncommitted,
                Change::Marks(_, _, WriteMode::Immediate)
                | Change::Blocks(..)
                | Change::Extend(_)
                | Change::Erase(_) => first_lost(failed, at, uncommitted),
            };
            Verdict::Lost { reason, from }
        };
        match answer {
            Answer::Done(Ok(done)) => {
                let whole = change.whole_count();
                let objects = if change.units() == 0 { 0 } else { done.count };
                let behind = Position {
                    object: ObjectNumber(at.object.0.saturating_add(objects)),
                    ..at
                };
                let short = done.count < whole && done.stop != Some(Stop::EndOfPartition);
                if change.units() > 0 && (short || done.count > whole) {
                    let reason = format!(
                        "it says that it took {} of {whole} objects, and not why",
                        done.count
                    );
                    return lost(reason, &elsewhere(&done));
                }
                if leg.keeps_blocks() && !same_place(done.position, behind) {
                    let reason = format!(
                        "its tape is at object {} of partition {}, and should be at object {} of partition {}",
                        done.position.object,
                        done.position.partition,
                        behind.object,
                        behind.partition
                    );
                    return lost(reason, &elsewhere(&done));
                }
                Verdict::Did(done)
            }
            Answer::Done(Err(failed)) => {
                let unmoved = failed.position.is_none_or(|here| same_place(here, at));
                if is_incapable(failed.sense) && failed.count == 0 && unmoved {
                    return Verdict::Refused(failed.sense);
                }
                lost(leg.seat.core().explain(&failed), &failed)
            }
            Answer::Lost(failed) => lost(
                format!("it can't be brought to object {}: {failed}", at.object),
                &failed,
            ),
            Answer::None | Answer::Read(_) | Answer::Nothing(_) => {
                let failed = Failed::at(Sense::HardwareError, None);
                lost("it gave no answer".into(), &failed)
            }
        }
    }

    /// What the drive of one required leg can't do, no leg does; a spare leg that can't is lost.
    ///
    /// An erasure that one refuses is none that the others could undo: what it still holds behind here is
    /// too much, and goes with the next write.
    fn settle_refusals(
        &mut self,
        refused: LegSet,
        refusal: Option<Sense>,
        did: LegSet,
        change: Change<'_>,
        at: Position,
    ) -> Result<(), Failed> {
        if matches!(change, Change::Erase(_)) && !did.is_empty() {
            for number in refused.iter() {
                self.legs[number].surplus = Some(at);
            }
            return Ok(());
        }
        for number in refused.iter() {
            let leg = &mut self.legs[number];
            if leg.options.class == Class::Required {
                // The others perhaps lost what it still has behind here.
                if change.units() > 0 && !did.is_empty() {
                    leg.surplus = Some(at);
                }
            } else {
                self.lose(number, at.object, "its drive can't do what the others do");
            }
        }
        let Some(sense) = refusal else {
            return Ok(());
        };
        if change.units() > 0 {
            self.take_back(did, at);
            self.cut_others(LegSet(did.0 | refused.0), did, at);
        }
        self.arrive(Some(at));
        Err(Failed::at(sense, Some(at)))
    }

    /// From here on nothing is on stable storage until the next commit.
    fn note_uncommitted(&mut self, set: LegSet, change: Change<'_>, at: Position) {
        if change.changes_nothing() {
            return;
        }
        let from = objects_before(at);
        for number in set.iter() {
            let leg = &mut self.legs[number];
            leg.uncommitted = leg.uncommitted.min(from);
        }
    }

    /// The file, by the first of the legs that knows it.
    fn file_of(&self, set: LegSet) -> Option<FileNumber> {
        let keeping = self.keeping_of(set);
        let mut places = keeping
            .iter()
            .filter_map(|number| self.legs[number].seat.core().at);
        places.find_map(|at| at.file)
    }

    /// Those of a set that keep what is written; all of it where none does.
    pub(crate) fn keeping_of(&self, set: LegSet) -> LegSet {
        let keeping = LegSet(set.0 & self.select(crate::leg::Leg::keeps_blocks).0);
        if keeping.is_empty() { set } else { keeping }
    }

    /// Makes the legs drop what not all of them have.
    fn level(&mut self, set: LegSet, change: Change<'_>, at: Position, count: u64) {
        let objects = if change.units() == 0 { 0 } else { count };
        let behind = Position {
            object: ObjectNumber(at.object.0 + objects),
            ..at
        };
        let too_much = set.iter().filter(|number| {
            let here = self.legs[*number].seat.core().at;
            here.is_some_and(|here| here.object > behind.object)
        });
        let too_much = too_much.fold(LegSet::default(), LegSet::with);
        self.take_back(too_much, behind);
        let bytes = match change {
            Change::Blocks(Transfer::Fixed(size), _) => count * u64::from(size.get()),
            Change::Blocks(Transfer::Variable, data) if count > 0 => data.len() as u64,
            Change::Blocks(..) | Change::Extend(_) | Change::Marks(..) | Change::Erase(_) => 0,
        };
        for number in LegSet(set.0 & !too_much.0).iter() {
            let leg = &mut self.legs[number];
            if !change.changes_nothing()
                && (count > 0 || change.units() == 0)
                && leg
                    .surplus
                    .is_some_and(|from| from.partition == at.partition)
            {
                leg.surplus = None;
            }
            if let Change::Marks(_, _, WriteMode::Commit) = change {
                leg.uncommitted = ALL_COMMITTED;
            }
            leg.spend(bytes + OVERHEAD_BYTES * objects);
            let board = leg.board();
            let room = board.room_bytes.load(Ordering::Relaxed);
            if room != u64::MAX {
                let room = room.saturating_sub(bytes);
                board.room_bytes.store(room, Ordering::Relaxed);
            }
            board.stored_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Some legs lost what was behind here by a change that came to nothing: the late ones, which did not get
    /// it, must lose that too.
    fn cut_others(&mut self, asked: LegSet, did: LegSet, at: Position) {
        if did.is_empty() {
            return;
        }
        for number in LegSet(self.late().0 & !asked.0).iter() {
            let leg = &mut self.legs[number];
            leg.safe_bytes = 0;
            if let Some(late) = &mut leg.late {
                late.put(at, Kind::Erase(EraseExtent::Short), &[], OVERHEAD_BYTES, at);
            }
        }
    }

    /// Makes legs go back to a place, and drop what they have behind it.
    pub(crate) fn take_back(&mut self, set: LegSet, to: Position) {
        for number in set.iter() {
            let leg = &mut self.legs[number];
            let mut core = leg.seat.core();
            let back = core.go_to(to);
            let dropped = back.and_then(|()| core.act(|drive| drive.erase(EraseExtent::Short)));
            drop(core);
            leg.safe_bytes = 0;
            if !leg.keeps_blocks() {
                continue;
            }
            match (back, dropped) {
                (Ok(()), Ok(done)) if same_place(done.position, to) => leg.surplus = None,
                // Whatever is written here next makes it go.
                (Ok(()), Err(failed)) if is_incapable(failed.sense) => leg.surplus = Some(to),
                (Ok(()), Ok(_)) => {
                    let reason = "it is elsewhere after dropping what the others did not take";
                    self.lose(number, to.object, reason);
                }
                (Ok(()) | Err(_), Err(failed)) | (Err(failed), Ok(_)) => {
                    let reason = format!("it can't drop what the others did not take: {failed}");
                    self.lose(number, to.object, &reason);
                }
            }
        }
    }

    /// A refusal that all legs agree in, before they did anything: the drive's answer, not a failure of legs.
    pub(crate) fn unanimous(&self, set: LegSet, answers: &[Answer]) -> Option<Failed> {
        let asked = self.keeping_of(set);
        let missing = self.keeping_of(self.in_step()).0 & !asked.0;
        let mut refusal: Option<Failed> = None;
        for number in asked.iter() {
            let failed = match answers[number] {
                Answer::Done(Err(failed)) | Answer::Nothing(Err(failed)) => failed,
                Answer::Read(Err(failed)) => failed,
                Answer::None | Answer::Done(_) | Answer::Read(_) | Answer::Nothing(_) => {
                    return None;
                }
                Answer::Lost(_) => return None,
            };
            let benign = match failed.sense {
                Sense::NoDrive | Sense::HardwareError | Sense::MediumError => false,
                // Of some of the legs alone this is their own trouble.
                Sense::NoMedium | Sense::NotReady | Sense::MediumChanged | Sense::Reset => {
                    failed.count == 0 && missing == 0
                }
                Sense::WriteProtected | Sense::WormOverwrite | Sense::IllegalRequest => {
                    failed.count == 0
                }
            };
            if !benign || refusal.is_some_and(|other| other.sense != failed.sense) {
                return None;
            }
            refusal = Some(failed);
        }
        refusal
    }
}

/// Whether a drive says with this that it can't do such a thing, and not that something is broken.
pub(crate) fn is_incapable(sense: Sense) -> bool {
    match sense {
        Sense::IllegalRequest | Sense::WriteProtected | Sense::WormOverwrite => true,
        Sense::NoDrive
        | Sense::NoMedium
        | Sense::NotReady
        | Sense::MediumChanged
        | Sense::Reset
        | Sense::MediumError
        | Sense::HardwareError => false,
    }
}
