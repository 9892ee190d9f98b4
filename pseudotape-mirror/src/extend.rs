//! Lengthening the last block.

use std::sync::atomic::Ordering;

use pseudotape_tape::{Done, Failed, ObjectNumber, Position, Sense, Stop, Transfer};

use crate::change::Change;
use crate::leg::{Answer, same_place};
use crate::mirror::MirrorDrive;
use crate::set::LegSet;
use crate::settle::Together;

impl MirrorDrive {
    /// Lengthens the last block on every leg, or on none where one of them can't.
    ///
    /// A block can't be shortened again, only written anew: so legs that never lengthened one are asked first,
    /// with nothing to add, and those behind early warning that can't say how much fits go first, one by one.
    pub(crate) fn extend_all(&mut self, change: Change<'_>, at: Position) -> Result<Done, Failed> {
        let length = change.data().len() as u64;
        for number in self.late().iter() {
            if let Some(late) = &mut self.legs[number].late {
                late.drain();
                late.forget_tail();
            }
        }
        self.hear_late();
        self.check_legs()?;
        let full = Done {
            count: 0,
            stop: Some(Stop::EndOfPartition),
            position: at,
        };
        let mut mute = LegSet::default();
        for number in self.in_step().iter() {
            match self.legs[number].refresh() {
                Ok(capacity) => match capacity.room_bytes {
                    Some(room) if room < length => return Ok(full),
                    None if self.legs[number].zone => mute = mute.with(number),
                    Some(_) | None => {}
                },
                Err(failed) => self.lose_in_block(number, at, &failed),
            }
        }
        self.require_extending(at)?;
        self.check_legs()?;
        let known = LegSet(self.in_step().0 & !mute.0);
        let mut total = Together {
            count: 0,
            full: false,
            warned: false,
            file: at.file,
        };
        let (mut did, mut refused) = (LegSet::default(), LegSet::default());
        let steps = mute.iter().map(|leg| LegSet::default().with(leg));
        for set in steps.chain((!known.is_empty()).then_some(known)) {
            self.everywhere(set, &|_, core| {
                core.answer = Answer::Done(core.act(|drive| change.run(drive)));
            });
            for number in set.iter() {
                match self.answer(number) {
                    Answer::Done(Ok(done)) if self.is_behind(number, &done, at) => {
                        if done.count == 0 {
                            refused = refused.with(number);
                            continue;
                        }
                        let warns = done.stop == Some(Stop::EarlyWarning);
                        self.legs[number].zone |= warns;
                        total.warned |= warns;
                        did = did.with(number);
                    }
                    Answer::Done(Err(failed)) => self.lose_in_block(number, at, &failed),
                    _ => {
                        let reason = "it can't lengthen a block as the others did";
                        self.lose(number, block_before(at), reason);
                    }
                }
            }
            if let Some(short) = refused.first() {
                if !did.is_empty() {
                    self.shorten(LegSet(did.0 | refused.0), short, at);
                }
                self.check_legs()?;
                return Ok(full);
            }
        }
        self.check_legs()?;
        let here = self.here_after(at, total);
        for number in self.in_step().iter() {
            self.legs[number].spend(length);
            let board = self.legs[number].board();
            board.stored_bytes.fetch_add(length, Ordering::Relaxed);
        }
        self.arrive(Some(here));
        Ok(Done {
            count: 1,
            ..self.done(0, total, here)
        })
    }

    /// Whether this is an answer: the block was lengthened, or there was no room for that.
    fn is_behind(&self, number: usize, done: &Done, at: Position) -> bool {
        let is_there = same_place(done.position, at) || !self.legs[number].keeps_blocks();
        let is_full = done.count == 0 && done.stop == Some(Stop::EndOfPartition);
        is_there && (done.count == 1 || is_full)
    }

    /// Writes the last block of the legs anew as it was: one of them had no room for the rest, and still has it
    /// like that.
    fn shorten(&mut self, set: LegSet, short: usize, at: Position) {
        let before = Position {
            object: block_before(at),
            ..at
        };
        let mut block = vec![0; usize::try_from(self.extendable.unwrap_or(0)).unwrap_or(0)];
        let mut core = self.legs[short].seat.core();
        let read = core
            .go_to(before)
            .and_then(|()| core.read(Transfer::Variable, &mut block));
        drop(core);
        let whole = read.is_ok_and(|done| done.stop.is_none() && done.bytes == block.len());
        if !whole {
            self.lose(short, before.object, "its last block can't be read again");
        }
        for number in set.iter() {
            let mut core = self.legs[number].seat.core();
            let written = core
                .go_to(before)
                .and_then(|()| core.act(|drive| drive.write(Transfer::Variable, &block)));
            drop(core);
            if !whole || !written.is_ok_and(|done| same_place(done.position, at)) {
                let reason = "a block that was lengthened can't be shortened again";
                self.lose(number, before.object, reason);
            }
        }
    }

    /// Asks the legs that never lengthened a block whether they can.
    fn require_extending(&mut self, at: Position) -> Result<(), Failed> {
        for number in self.in_step().iter() {
            if self.legs[number].extends {
                continue;
            }
            let asked = self.legs[number].seat.core().act(|drive| drive.extend(&[]));
            match asked {
                Ok(_) => self.legs[number].extends = true,
                Err(failed) if failed.sense == Sense::IllegalRequest => {
                    return Err(Failed::at(Sense::IllegalRequest, Some(at)));
                }
                Err(failed) => self.lose_in_block(number, at, &failed),
            }
        }
        Ok(())
    }

    fn lose_in_block(&mut self, number: usize, at: Position, failed: &Failed) {
        let reason = self.legs[number].seat.core().explain(failed);
        self.lose(number, block_before(at), &reason);
    }
}

/// The block that is being lengthened.
fn block_before(at: Position) -> ObjectNumber {
    ObjectNumber(at.object.0.saturating_sub(1))
}
