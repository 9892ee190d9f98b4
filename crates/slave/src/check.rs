//! Checks whether the result in a reply is possible for its request. An impossible result is a protocol
//! violation.
//!
//! The master can't detect a slave that returns the wrong content of a block. It can detect a slave that lost
//! count of blocks.

use pseudotape_tape::{Motion, Position, Stop, Transfer};

use crate::nonsense::Nonsense;
use crate::reply::Outcome;
use crate::request::Request;

/// The request, and what the master knew when it sent the request.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) request: &'a Request,
    /// Length of the data sent.
    pub(crate) data_length: usize,
    /// Position before the request, if known.
    pub(crate) before: Option<Position>,
}

impl Asked<'_> {
    /// The largest count that the operation can return; `None` if its count has no meaning.
    fn count(&self) -> Option<u64> {
        let blocks = |transfer: &Transfer, length: usize| match transfer {
            Transfer::Variable => 1,
            Transfer::Fixed(size) => length as u64 / u64::from(size.get()),
        };
        match self.request {
            Request::Write(transfer) => Some(blocks(transfer, self.data_length)),
            Request::Read { transfer, length } => Some(blocks(transfer, *length as usize)),
            Request::Extend => Some(1),
            Request::Motion(Motion::WriteMarks { count, .. }) => Some((*count).into()),
            Request::Motion(Motion::Space { count, .. }) => Some(count.unsigned_abs()),
            Request::Hello(_)
            | Request::KeepAlive
            | Request::Goodbye(_)
            | Request::TestReady
            | Request::Mode
            | Request::SetMode(_)
            | Request::Motion(
                Motion::SpaceToEndOfData
                | Motion::Locate(_)
                | Motion::Rewind
                | Motion::Load(_)
                | Motion::Erase(_)
                | Motion::MakePartitions(_),
            )
            | Request::Unload
            | Request::Position
            | Request::Capacity
            | Request::SetDoor(_) => None,
        }
    }

    pub(crate) fn check_failed(&self, count: u64) -> Result<(), Nonsense> {
        self.require(
            self.count().is_none_or(|asked| count <= asked),
            "a count of",
            count,
        )
    }

    /// Checks the result of a successful operation.
    pub(crate) fn check_done(
        &self,
        outcome: &Outcome,
        payload_length: usize,
    ) -> Result<(), Nonsense> {
        self.check_failed(outcome.count)?;
        if let Request::Read { transfer, length } = self.request {
            self.check_read(outcome, *transfer, *length as usize, payload_length)?;
        }
        self.check_stop(outcome)?;
        self.check_position(outcome)
    }

    fn check_read(
        &self,
        outcome: &Outcome,
        transfer: Transfer,
        length: usize,
        payload: usize,
    ) -> Result<(), Nonsense> {
        let expected = match transfer {
            Transfer::Variable if outcome.count == 0 => 0,
            Transfer::Variable => (length as u64).min(outcome.block_length.into()),
            Transfer::Fixed(size) => outcome.count.saturating_mul(size.get().into()),
        };
        let payload = payload as u64;
        self.require(payload == expected, "a payload of", payload)
    }

    /// Checks that the operation can stop for this reason, and that without a stop the whole count was done.
    fn check_stop(&self, outcome: &Outcome) -> Result<(), Nonsense> {
        let whole = self.count().is_none_or(|asked| outcome.count == asked);
        let fits = match (self.request, outcome.stop) {
            (_, None) => whole,
            (
                Request::Write(_) | Request::Extend | Request::Motion(Motion::WriteMarks { .. }),
                Some(Stop::EarlyWarning),
            ) => whole,
            (
                Request::Write(_) | Request::Extend | Request::Motion(Motion::WriteMarks { .. }),
                Some(stop),
            ) => stop == Stop::EndOfPartition,
            (Request::Read { transfer, .. }, Some(stop)) => {
                stop != Stop::BeginningOfPartition
                    && (*transfer != Transfer::Variable || stop != Stop::IllegalLength)
            }
            (Request::Motion(Motion::Space { count, .. }), Some(Stop::BeginningOfPartition)) => {
                *count < 0
            }
            (_, Some(stop)) => stop != Stop::IllegalLength,
        };
        let stop = outcome.stop.map_or(0, crate::codes::Code::code);
        self.require(fits, "a stop of", stop.into())
    }

    fn check_position(&self, outcome: &Outcome) -> Result<(), Nonsense> {
        if !self.moves_or_tells() {
            return Ok(());
        }
        let Some(after) = outcome.position else {
            return Err(self.value("no position after", outcome.count));
        };
        let count = outcome.count;
        let before = self.before.filter(|at| at.partition == after.partition);
        let from = |fits: &dyn Fn(u64) -> bool| before.is_none_or(|at| fits(at.object.0));
        let object = after.object.0;
        let fits = match self.request {
            Request::Write(_) | Request::Motion(Motion::WriteMarks { .. }) => {
                self.same_partition(after) && from(&|at| at.checked_add(count) == Some(object))
            }
            Request::Extend | Request::Motion(Motion::Erase(_)) => {
                self.same_partition(after) && from(&|at| at == object)
            }
            Request::Read { .. } => {
                self.same_partition(after)
                    && from(&|at| at.checked_add(count).is_some_and(|least| least <= object))
            }
            Request::Motion(Motion::Space { count: asked, .. }) => {
                self.same_partition(after) && from(&|at| spaced(*asked, count, at, object))
            }
            Request::Motion(Motion::SpaceToEndOfData) => self.same_partition(after),
            Request::Motion(Motion::Locate(to)) => {
                let there = to.object.0 == object;
                let short = outcome.stop == Some(Stop::EndOfData) && object <= to.object.0;
                let partition = match to.partition {
                    Some(partition) => partition == after.partition,
                    None => self.same_partition(after),
                };
                partition && (there || short)
            }
            Request::Motion(Motion::Rewind) => self.same_partition(after) && object == 0,
            Request::Motion(Motion::Load(_) | Motion::MakePartitions(_)) => {
                after.partition.0 == 0 && object == 0
            }
            Request::Hello(_)
            | Request::KeepAlive
            | Request::Goodbye(_)
            | Request::TestReady
            | Request::Mode
            | Request::SetMode(_)
            | Request::Unload
            | Request::Position
            | Request::Capacity
            | Request::SetDoor(_) => true,
        };
        self.require(fits, "position", object)
    }

    fn same_partition(&self, after: Position) -> bool {
        self.before.is_none_or(|at| at.partition == after.partition)
    }

    /// Whether a successful reply must contain the position.
    fn moves_or_tells(&self) -> bool {
        match self.request {
            Request::Read { .. }
            | Request::Write(_)
            | Request::Extend
            | Request::Motion(_)
            | Request::Position => true,
            Request::Hello(_)
            | Request::KeepAlive
            | Request::Goodbye(_)
            | Request::TestReady
            | Request::Mode
            | Request::SetMode(_)
            | Request::Unload
            | Request::Capacity
            | Request::SetDoor(_) => false,
        }
    }

    fn require(&self, fits: bool, what: &'static str, found: u64) -> Result<(), Nonsense> {
        if fits {
            Ok(())
        } else {
            Err(self.value(what, found))
        }
    }

    fn value(&self, what: &'static str, found: u64) -> Nonsense {
        Nonsense::Value {
            request: self.request.name(),
            what,
            found,
        }
    }
}

/// Whether spacing can lead from one object to the other: it must pass at least as many objects as it counted.
fn spaced(asked: i64, count: u64, before: u64, after: u64) -> bool {
    if asked >= 0 {
        before
            .checked_add(count)
            .is_some_and(|least| least <= after)
    } else {
        after
            .checked_add(count)
            .is_some_and(|least| least <= before)
    }
}
