//! A leg and its queue. For a leg without a queue there is nothing to wait for.

use pseudotape_tape::Position;

use super::late::{LateFailure, Task};
use super::{Cause, Leg, OVERHEAD_BYTES};
use crate::change::Change;

impl Leg {
    /// Waits until everything is stored, or nothing more can be.
    pub(crate) fn catch_up(&self) {
        if let Some(late) = &self.late {
            late.drain();
        }
    }

    /// As [`Leg::catch_up`], for something that does not go through the queue.
    pub(crate) fn leave_queue(&mut self) {
        self.catch_up();
        self.forget_tail();
    }

    /// The tape was, or will be, moved by something that does not go through the queue.
    pub(crate) fn forget_tail(&mut self) {
        if let Some(late) = &mut self.late {
            late.forget_tail();
        }
    }

    /// The tape is at the beginning, or somewhere else that the queue does not know.
    pub(crate) fn moved(&mut self) {
        self.end.moved();
        self.forget_tail();
    }

    /// Brings a late leg to where the next change is to be made.
    pub(crate) fn begin_at(&mut self, at: Position) -> Result<(), Cause> {
        let Some(late) = &mut self.late else {
            return Ok(());
        };
        if late.continues(at) {
            return Ok(());
        }
        self.end.ask_again();
        let begun = late.begin_at(at);
        begun.map_err(|failed| self.explain(&failed))
    }

    /// Whether the queue goes on at this place, so that what waits counts as stored.
    pub(crate) fn continues(&self, at: Position) -> bool {
        self.late.as_ref().is_some_and(|late| late.continues(at))
    }

    /// Whether so much can wait at once.
    pub(crate) fn can_wait(&self, weight: u64) -> bool {
        self.late.as_ref().is_none_or(|late| late.takes(weight))
    }

    /// Keeps room in the queue, and waits for it. `false` where the leg met early warning meanwhile.
    pub(crate) fn admit(&mut self, weight: u64) -> bool {
        self.late.as_mut().is_none_or(|late| late.admit(weight))
    }

    /// Gives room back that was kept.
    pub(crate) fn dismiss(&mut self) {
        if let Some(late) = &mut self.late {
            late.dismiss();
        }
    }

    /// Has a change made later, by the thread of the leg.
    pub(crate) fn change_later(&mut self, change: Change<'_>, at: Position, behind: Position) {
        let weight = change.bytes() + OVERHEAD_BYTES * change.units().max(1);
        self.put(
            Task::Change(change.operation),
            change.data,
            weight,
            at,
            behind,
        );
        self.end.spent(weight);
    }

    /// Has what is behind a place erased later: the other legs lost that.
    pub(crate) fn cut_later(&mut self, at: Position) {
        self.end.ask_again();
        let cut = Task::Change(Change::cut().operation);
        self.put(cut, &[], OVERHEAD_BYTES, at, at);
    }

    /// Has the volume unloaded when everything before is stored.
    pub(crate) fn unload_later(&mut self, at: Position) {
        self.put(Task::Unload, &[], OVERHEAD_BYTES, at, at);
        self.forget_tail();
    }

    fn put(&mut self, task: Task, data: &[u8], weight: u64, at: Position, behind: Position) {
        if let Some(late) = &mut self.late {
            late.put(at, task, data, weight, behind);
        }
    }

    /// Hears what a late leg met after its operations were answered, and says whether that was early warning. A leg
    /// that failed is out of step then.
    pub(crate) fn hear(&mut self) -> bool {
        let Some(late) = &mut self.late else {
            return false;
        };
        let failure = late.failure();
        let warned = late.take_warning();
        if warned {
            if !self.end.is_behind_warning() {
                self.tell_end();
            }
            self.end.queue_met_warning();
        }
        if let Some(LateFailure { from, cause }) = failure {
            self.lose(from, &cause);
        }
        warned
    }
}
