//! What the answer of a leg to a change is worth: the same question for a leg that answers at once and for a late
//! one.

use pseudotape_tape::{Done, Failed, Position, Sense, Stop};

use crate::change::Change;
use crate::leg::fault::{Cause, LegResult};
use crate::leg::place::{behind, elsewhere, same_place};

/// What an answer is worth.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The leg did so many objects, and is behind them.
    Did(Done),
    /// The drive can't do this, and changed nothing.
    Refused(Failed, Cause),
    /// It can't be said what the leg holds.
    Lost(Failed, Cause),
}

/// Judges the answer of a leg to a change that it was given at a place. A leg that keeps nothing is never at the
/// wrong place.
pub(crate) fn judge(
    change: Change<'_>,
    at: Position,
    keeps: bool,
    answer: LegResult<Done>,
) -> Verdict {
    let done = match answer {
        Ok(done) => done,
        Err(fault) => {
            let failed = fault.failed;
            let is_unmoved = failed.position.is_none_or(|here| same_place(here, at));
            let refuses = fault.on_the_way_to.is_none()
                && is_incapable(failed.sense)
                && failed.count == 0
                && is_unmoved;
            let cause = fault.into();
            return if refuses {
                Verdict::Refused(failed, cause)
            } else {
                Verdict::Lost(failed, cause)
            };
        }
    };
    let lost = |cause| Verdict::Lost(elsewhere(&done), cause);
    let asked = change.whole_count();
    let is_short = done.count < asked && done.stop != Some(Stop::EndOfPartition);
    if change.makes_objects() && (is_short || done.count > asked) {
        let took = done.count;
        return lost(Cause::Short { took, asked });
    }
    let objects = if change.makes_objects() {
        done.count
    } else {
        0
    };
    let Some(should) = behind(at, objects) else {
        return lost(Cause::Uncountable(at.object));
    };
    if keeps && !same_place(done.position, should) {
        let is = done.position;
        return lost(Cause::Elsewhere { is, should });
    }
    Verdict::Did(done)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leg::fault::Fault;
    use pseudotape_tape::{EraseExtent, Mark, Motion, ObjectNumber, WriteMode};

    const MARKS: Motion = Motion::WriteMarks {
        mark: Mark::Filemark,
        count: 3,
        mode: WriteMode::Immediate,
    };
    const ERASE: Motion = Motion::Erase(EraseExtent::Short);

    fn at(object: u64) -> Position {
        Position {
            object: ObjectNumber(object),
            ..Position::default()
        }
    }

    fn done(count: u64, stop: Option<Stop>, object: u64) -> LegResult<Done> {
        Ok(Done {
            count,
            stop,
            position: at(object),
        })
    }

    fn verdict(motion: Motion, from: u64, answer: LegResult<Done>) -> Verdict {
        judge(Change::motion(motion), at(from), true, answer)
    }

    #[test]
    fn a_whole_answer_and_one_of_a_full_leg_are_believed() {
        for (count, stop) in [
            (3, None),
            (3, Some(Stop::EarlyWarning)),
            (2, Some(Stop::EndOfPartition)),
            (0, Some(Stop::EndOfPartition)),
        ] {
            let verdict = verdict(MARKS, 5, done(count, stop, 5 + count));
            assert!(matches!(verdict, Verdict::Did(_)), "{verdict:?}");
        }
        assert!(matches!(
            verdict(ERASE, 5, done(7, None, 5)),
            Verdict::Did(_)
        ));
    }

    #[test]
    fn an_answer_that_counts_too_little_or_too_much_is_not() {
        for (count, stop) in [(2, None), (2, Some(Stop::EarlyWarning)), (4, None)] {
            let Verdict::Lost(failed, Cause::Short { took, asked }) =
                verdict(MARKS, 5, done(count, stop, 5 + count))
            else {
                panic!("{count} of 3");
            };
            assert_eq!((took, asked, failed.position), (count, 3, Some(at(5))));
        }
    }

    #[test]
    fn a_leg_that_is_elsewhere_began_elsewhere() {
        let Verdict::Lost(failed, Cause::Elsewhere { is, should }) =
            verdict(MARKS, 5, done(3, None, 6))
        else {
            panic!("it is at the wrong place");
        };
        assert_eq!((is, should, failed.position), (at(6), at(8), Some(at(3))));
        let nowhere = judge(Change::motion(MARKS), at(5), false, done(3, None, 0));
        assert!(matches!(nowhere, Verdict::Did(_)), "it keeps nothing");
    }

    #[test]
    fn objects_behind_the_last_number_are_not_believed() {
        let verdict = verdict(MARKS, u64::MAX - 1, done(3, None, u64::MAX));
        assert!(matches!(verdict, Verdict::Lost(_, Cause::Uncountable(_))));
    }

    #[test]
    fn only_a_drive_that_did_nothing_where_it_was_refuses() {
        let answer = |failed, on_the_way_to| {
            Err(Fault {
                failed,
                trouble: None,
                on_the_way_to,
            })
        };
        let refusal = Failed::at(Sense::IllegalRequest, Some(at(5)));
        let moved = Failed::at(Sense::IllegalRequest, Some(at(6)));
        let partly = Failed {
            count: 1,
            ..refusal
        };
        let broken = Failed::at(Sense::HardwareError, Some(at(5)));
        let refused = verdict(MARKS, 5, answer(refusal, None));
        assert!(matches!(refused, Verdict::Refused(..)));
        for lost in [
            answer(moved, None),
            answer(partly, None),
            answer(broken, None),
            answer(refusal, Some(ObjectNumber(5))),
        ] {
            assert!(matches!(verdict(MARKS, 5, lost), Verdict::Lost(..)));
        }
    }
}
