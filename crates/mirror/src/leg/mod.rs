//! A leg: one copy in the mirror. A leg has a drive, perhaps a queue before the drive, and a state.
//!
//! Nothing outside this folder sees the fields of a [`Leg`]. No file here knows the mirror, so that a leg can be
//! tested alone.

mod board;
mod core;
mod end;
mod fault;
mod judge;
mod late;
mod options;
mod place;
mod protection;
mod queue;
mod seat;
mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use pseudotape_tape::{
    Capacity, EraseExtent, Failed, ObjectNumber, Position, Volume, VolumeError, VolumeId,
    Writability,
};

pub use board::{LegBoard, LegState};
pub(crate) use core::{Core, grow};
pub(crate) use end::{LastChange, LegEnd};
pub(crate) use fault::LegResult;
pub use fault::{Cause, LegFailure};
pub(crate) use judge::{Verdict, is_incapable, judge};
use late::{Late, LateFailure};
pub use options::{Class, Keeps, LegOptions, MirrorCommand, NewLeg, When};
pub(crate) use place::{just_behind, object_before, same_place};
pub(crate) use seat::{AtWork, Seat};
pub use state::words_of_drop;

/// What a mark, or what a format adds to a block, costs at most: only to see early warning coming.
pub(crate) const OVERHEAD_BYTES: u64 = 64;

/// A leg, as the mirror sees it.
pub(crate) struct Leg {
    options: LegOptions,
    seat: Arc<Seat>,
    /// The queue of a late leg.
    late: Option<Late>,
    state: LegState,
    /// From which object on the volume is marked as missing something, although the leg is in step: the operator
    /// trusts it, or there is no other.
    misses_from: Option<ObjectNumber>,
    /// The leg failed since its volume was put in.
    failed: bool,
    end: LegEnd,
    /// Whether the volume can be written, as it was when it was looked at.
    writability: Writability,
    /// The identity of the volume that is in the leg, or was in it last, where it has one.
    volume: Option<VolumeId>,
}

impl Leg {
    /// A leg that has everything at once.
    pub(crate) fn new(new: NewLeg) -> Leg {
        let NewLeg { options, drive } = new;
        let volume = drive.volume_identity().id;
        let seat = Seat::new(Core::new(&options, drive));
        Leg {
            options,
            seat,
            late: None,
            state: LegState::InStep,
            misses_from: None,
            failed: false,
            end: LegEnd::new(),
            writability: Writability::Unknown,
            volume,
        }
    }

    /// Starts the queue of a late leg, which holds so much at most.
    pub(crate) fn start_queue(&mut self, limit_bytes: u64) -> std::io::Result<()> {
        self.late = Some(Late::start(&self.options.name, &self.seat, limit_bytes)?);
        Ok(())
    }

    pub(crate) fn options(&self) -> &LegOptions {
        &self.options
    }

    pub(crate) fn name(&self) -> &str {
        &self.options.name
    }

    pub(crate) fn is_required(&self) -> bool {
        self.options.class == Class::Required
    }

    pub(crate) fn keeps_blocks(&self) -> bool {
        self.options.keeps == Keeps::Blocks
    }

    pub(crate) fn is_late(&self) -> bool {
        self.late.is_some()
    }

    pub(crate) fn in_step(&self) -> bool {
        self.state == LegState::InStep
    }

    /// Whether the leg failed, or its volume was no copy from the beginning.
    pub(crate) fn is_out_of_step(&self) -> bool {
        matches!(self.state, LegState::OutOfStep { .. })
    }

    /// The drive and its place. Waits while another thread works with them.
    pub(crate) fn core(&self) -> AtWork<'_> {
        self.seat.core()
    }

    pub(crate) fn seat(&self) -> &Seat {
        &self.seat
    }

    pub(crate) fn board(&self) -> &Arc<LegBoard> {
        self.seat.board()
    }

    pub(crate) fn end(&self) -> &LegEnd {
        &self.end
    }

    pub(crate) fn end_mut(&mut self) -> &mut LegEnd {
        &mut self.end
    }

    /// Why the drive failed, as exactly as the drive can say.
    pub(crate) fn explain(&self, failed: &Failed) -> Cause {
        self.core().explain(failed)
    }

    /// A failure of this leg that makes it a copy of nothing.
    pub(crate) fn failure(&self, cause: Cause) -> LegFailure {
        LegFailure {
            leg: self.options.name.clone(),
            from: ObjectNumber(0),
            cause: Box::new(cause),
        }
    }

    /// Asks how much fits, and how much of that before early warning. A late leg has to be caught up.
    pub(crate) fn refresh(&mut self) -> Result<Capacity, Failed> {
        let capacity = self.core().drive().capacity()?;
        self.end.asked(&capacity);
        self.board().show_room(capacity.room_bytes);
        Ok(capacity)
    }

    /// Says once for each volume that this leg is the one, or one of those, that ends it: of an end that comes early,
    /// as on a full disk, nobody else says which leg to look at.
    pub(crate) fn tell_end(&self) {
        let name = self.name();
        log::info!("leg {name} reached its early warning: the volume ends here, for all legs");
    }

    /// A change was stored with so many bytes of blocks, which may cost more than that.
    pub(crate) fn stored(&mut self, bytes: u64, cost: u64) {
        self.end.spent(cost);
        self.board().use_room(bytes);
        self.board().count_stored(bytes);
    }

    /// A block was lengthened by so many bytes.
    pub(crate) fn lengthened(&mut self, bytes: u64) {
        self.end.spent(bytes);
        self.board().count_stored(bytes);
    }

    /// Brings the tape to a place, if the leg has places, and asks how much fits there.
    pub(crate) fn measure_at(&mut self, at: Position) -> Result<Capacity, Failed> {
        self.core().reach(at)?;
        self.refresh()
    }

    /// Another leg's block was, or was not, read in place of this leg's.
    pub(crate) fn note_damage(&self, text: &str, repaired: bool) {
        if repaired {
            self.board().count_repair();
        }
        self.board().note_error(text);
    }

    /// Takes how many errors the drive recovered. A drive that works just now is asked the next time.
    pub(crate) fn take_recovered(&self) -> u32 {
        let core = self.seat.core_at_rest();
        core.map_or(0, |mut core| core.drive().take_recovered())
    }

    /// Goes to a place and makes the leg drop what it has behind it.
    ///
    /// A drive that can't erase there keeps a surplus: whatever is written at that place makes it go.
    pub(crate) fn take_back(&mut self, to: Position) -> Result<(), Cause> {
        let mut core = self.seat.core();
        let back = core.go_to(to);
        let dropped = back.and_then(|()| core.act(|drive| drive.erase(EraseExtent::Short)));
        drop(core);
        self.end.ask_again();
        if !self.keeps_blocks() {
            return Ok(());
        }
        match (back, dropped) {
            (Ok(()), Ok(done)) if same_place(done.position, to) => self.end.dropped_surplus(),
            (Ok(()), Err(failed)) if is_incapable(failed.sense) => self.end.others_lost(to),
            (Ok(()), Ok(_)) => return Err(Cause::MovedByDropping),
            (Ok(()) | Err(_), Err(failed)) | (Err(failed), Ok(_)) => {
                return Err(Cause::NotDropped { failed });
            }
        }
        Ok(())
    }

    /// Looks whether a leg that perhaps has a surplus really holds more than the others.
    pub(crate) fn look_for_surplus(&mut self) {
        let Some(from) = self.end.surplus() else {
            return;
        };
        let mut core = self.seat.core();
        let end = core
            .go_to(from)
            .and_then(|()| core.act(|drive| drive.space_to_end_of_data()));
        drop(core);
        if end.is_ok_and(|done| same_place(done.position, from)) {
            self.end.dropped_surplus();
        }
    }

    /// Why nobody finds the volume once it is closed, where it is so. The volume of a late leg that works just now is
    /// not asked: that can take long.
    pub(crate) fn lost_when_closed(&self) -> Option<VolumeError> {
        self.seat.core_at_rest()?.volume().lost_when_closed()
    }

    /// The identity of the volume that is in the leg, or was in it last, where it has one.
    pub(crate) fn volume(&self) -> Option<VolumeId> {
        self.volume
    }

    /// Another volume is in the leg from now on.
    pub(crate) fn now_has(&mut self, volume: Option<VolumeId>) {
        self.volume = volume;
    }

    /// Puts another drive in the place of the one that is there, which is closed then.
    pub(crate) fn replace_drive(&mut self, drive: Box<dyn Volume>) -> Box<dyn Volume> {
        if self.lost_when_closed().is_some() {
            self.forget_rescue();
        }
        self.set_misses_from(None);
        self.core().replace(drive)
    }

    /// Stores what waits, then closes. May take as long as the storing takes.
    pub(crate) fn finish(mut self) -> Result<(), LegFailure> {
        let failed_late = self.late.take().and_then(|late| {
            late.drain();
            late.failure()
        });
        let was_lost = self.is_out_of_step();
        if let Some(LateFailure { from, cause }) = &failed_late {
            self.failed_after_all(*from, cause);
        }
        let is_gone = self.lost_when_closed().is_some();
        if is_gone {
            self.forget_rescue();
        }
        let Leg { options, seat, .. } = self;
        let failure = |from, cause| LegFailure {
            leg: options.name.clone(),
            from,
            cause,
        };
        let unclosed = |cause| failure(ObjectNumber(0), Box::new(cause));
        let core = seat.into_core();
        let core = core.ok_or_else(|| unclosed(Cause::InUse))?;
        let finished = core.into_volume().finish();
        match (failed_late, finished) {
            (Some(LateFailure { from, cause }), _) => Err(failure(from, cause)),
            // It is no news that a leg which was lost before can't be closed well.
            (None, Err(_)) if was_lost => Ok(()),
            (None, Err(_)) if is_gone => Err(unclosed(Cause::Gone)),
            (None, Err(error)) => {
                let error = Arc::new(error);
                Err(unclosed(Cause::NotClosed { error }))
            }
            (None, Ok(())) => Ok(()),
        }
    }
}
