//! A close that is done before the file is closed, and what takes it back.
//!
//! `st_flush` writes the filemark while `close(2)` is still on its way, where the descriptor is the last one. A
//! frontend that hears of each `close(2)`, and of the last one only after it has returned, does the same here.

use pseudotape_tape::{Address, Done, Drive};

use crate::St;
use crate::errno::{Errno, Refusal};
use crate::state::{BeforeClose, ClosedEarly, Motion, PerOpen};

impl St {
    /// Whether [`St::close`] is going to write a filemark.
    #[must_use]
    pub fn owes_filemark(&self) -> bool {
        let is_open = |open: &PerOpen| !open.waiting && open.closed_early.is_none();
        self.open.as_ref().is_some_and(is_open)
            && self.is_ready()
            && !self.drive.position_lost
            && self.mount.partitions[self.mount.partition].motion == Motion::Writing
    }

    /// Does to the tape what [`St::close`] would do, and leaves the file open for calls that may still come.
    ///
    /// | condition | result | position after |
    /// |---|---|---|
    /// | the close owes a filemark | that of [`St::close`], which then has nothing left to do to the tape | the same |
    /// | it does not, or another partition was chosen since | ok, nothing is done | unchanged |
    pub fn close_early(&mut self, drive: &mut dyn Drive) -> Result<(), Errno> {
        if !self.owes_filemark() || self.mount.partition != self.mount.wanted_partition {
            return Ok(());
        }
        let position = drive.position();
        let before = self.heard(position).map(|position| BeforeClose {
            object: position.object,
            partition: *self.mount.here(),
        });
        let result = self.end_tape_file(drive);
        if let Some(open) = &mut self.open {
            open.closed_early = Some(ClosedEarly(match result {
                Ok(()) => before.map_err(|failed| Refusal::Drive(failed.sense)),
                Err(refusal) => Err(refusal),
            }));
        }
        self.answer(result)
    }

    /// Whether the close was done early, and no call has come since.
    #[must_use]
    pub fn is_closed_early(&self) -> bool {
        let closed = |open: &PerOpen| open.closed_early.is_some();
        self.open.as_ref().is_some_and(closed)
    }

    /// Takes back what [`St::close_early`] did: a call has come, so that it was not the last `close(2)`.
    ///
    /// | condition | result | position after |
    /// |---|---|---|
    /// | closed early | ok; the next write replaces the filemark, which WORM refuses | before the filemark |
    /// | the early close failed, or the drive can't go back | EIO, once | as the drive says |
    /// | not closed early | ok, nothing is done | unchanged |
    pub fn resume(&mut self, drive: &mut dyn Drive) -> Result<(), Errno> {
        let closed = self.open.as_mut().and_then(|open| open.closed_early.take());
        let result = match closed {
            None => Ok(()),
            Some(ClosedEarly(Err(refusal))) => Err(refusal),
            Some(ClosedEarly(Ok(before))) => self.go_back_to(drive, before),
        };
        self.answer(result)
    }

    fn go_back_to(&mut self, drive: &mut dyn Drive, before: BeforeClose) -> Result<(), Refusal> {
        let located = drive.locate(Address {
            partition: None,
            object: before.object,
        });
        match self.heard(located) {
            Ok(Done { stop: None, .. }) => {
                *self.mount.here() = before.partition;
                Ok(())
            }
            Ok(Done {
                stop: Some(stop), ..
            }) => Err(Refusal::Stopped(stop)),
            Err(failed) => Err(Refusal::Drive(failed.sense)),
        }
    }
}
