//! How much fits on every leg, and their doors.

use std::sync::atomic::Ordering;

use pseudotape_tape::{Capacity, Door, Failed, Position};

use super::MirrorDrive;
use crate::leg::Leg;

impl MirrorDrive {
    /// What fits on every leg: the smallest of all.
    pub(super) fn capacity_now(&mut self) -> Result<Capacity, Failed> {
        self.require_medium()?;
        let mut all = Capacity::default();
        let mut warning_at: Option<u64> = None;
        for number in self.legs.in_step().iter() {
            let is_last = self.legs.in_step().len() < 2;
            let here = self.object_here();
            let leg = &mut self.legs[number];
            let one = match capacity_of(leg, self.at) {
                Ok(one) => one,
                Err(failed) if is_last => return Err(failed),
                Err(failed) => {
                    let cause = leg.explain(&failed);
                    leg.lose(here, &cause);
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

    pub(super) fn move_door(&mut self, door: Door) -> Result<(), Failed> {
        let mut result = Ok(());
        for leg in self.legs.of(self.legs.in_step()) {
            let moved = leg.core().drive().set_door(door);
            // A leg that keeps nothing has no door, and the door of a spare leg is not worth the job.
            if leg.keeps_blocks() && leg.is_required() {
                result = result.and(moved);
            }
        }
        result
    }
}

/// How much fits on a leg from where the mirror is.
fn capacity_of(leg: &mut Leg, at: Option<Position>) -> Result<Capacity, Failed> {
    if at.is_some_and(|at| leg.continues(at)) {
        // What waits counts as if it were stored. It is read first, so that nothing is missed.
        let waits = leg.board().queued_bytes.load(Ordering::Relaxed);
        let mut one = leg.core().drive().capacity()?;
        one.room_bytes = one.room_bytes.map(|room| room.saturating_sub(waits));
        one.used_bytes = one.used_bytes.saturating_add(waits);
        return Ok(one);
    }
    leg.leave_queue();
    match at {
        Some(at) if leg.keeps_blocks() => leg.measure_at(at),
        Some(_) | None => leg.refresh(),
    }
}

/// The lesser one of two numbers. A number that is not known does not count.
fn least(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
