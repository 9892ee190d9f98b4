//! Places on the tape: whether two are the same, and what lies before and behind one.

use pseudotape_tape::{Done, Failed, ObjectNumber, PartitionNumber, Position, Sense};

/// Whether two positions are the same place.
pub(crate) fn same_place(a: Position, b: Position) -> bool {
    (a.partition, a.object) == (b.partition, b.object)
}

/// The place behind so many objects; `None` where no object can have such a number.
pub(crate) fn behind(at: Position, objects: u64) -> Option<Position> {
    let object = at.object.0.checked_add(objects)?;
    Some(Position {
        object: ObjectNumber(object),
        ..at
    })
}

/// As [`behind`], for objects of which some leg said believably that they are there.
pub(crate) fn just_behind(at: Position, objects: u64) -> Position {
    Position {
        object: ObjectNumber(at.object.0.saturating_add(objects)),
        ..at
    }
}

/// The place before one object.
pub(crate) fn object_before(at: Position) -> Position {
    Position {
        object: ObjectNumber(at.object.0.saturating_sub(1)),
        ..at
    }
}

/// The object from which on a leg is no copy, where it lost what is behind a place. Only objects of the first
/// partition are counted: a leg that lost something in another partition is a copy of nothing.
pub(crate) fn objects_before(at: Position) -> ObjectNumber {
    match at.partition {
        PartitionNumber(0) => at.object,
        PartitionNumber(_) => ObjectNumber(0),
    }
}

/// The first object that a drive does not surely hold after it failed like this at a place.
///
/// A drive that stands before that place now holds nothing behind where it stands. A drive that does not know
/// where it is since a reset lost what was in its buffer: what it had not committed.
pub(crate) fn first_lost(failed: &Failed, at: Position, uncommitted: ObjectNumber) -> ObjectNumber {
    let before = objects_before(at);
    match (failed.sense, failed.position) {
        (Sense::Reset, None) => uncommitted.min(before),
        (_, Some(here)) if here.partition == at.partition => objects_before(here).min(before),
        _ => before,
    }
}

/// An answer as a failure: a drive that did something, and is somewhere else then than it should be, began
/// somewhere else.
pub(crate) fn elsewhere(done: &Done) -> Failed {
    let began = done.position.object.0.saturating_sub(done.count);
    let position = Position {
        object: ObjectNumber(began),
        ..done.position
    };
    Failed::at(Sense::HardwareError, Some(position))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(partition: u8, object: u64) -> Position {
        Position {
            partition: PartitionNumber(partition),
            object: ObjectNumber(object),
            ..Position::default()
        }
    }

    #[test]
    fn a_place_behind_the_last_number_is_none() {
        assert_eq!(behind(at(0, 5), 3), Some(at(0, 8)));
        assert_eq!(behind(at(1, u64::MAX - 1), 1), Some(at(1, u64::MAX)));
        assert_eq!(behind(at(1, u64::MAX), 1), None);
        assert_eq!(just_behind(at(1, u64::MAX), 1), at(1, u64::MAX));
        assert_eq!(object_before(at(0, 0)), at(0, 0));
    }

    #[test]
    fn what_a_failure_cost_depends_on_where_the_drive_is_then() {
        let lost = |sense, position| {
            let failed = Failed::at(sense, position);
            first_lost(&failed, at(0, 9), ObjectNumber(4)).0
        };
        assert_eq!(lost(Sense::HardwareError, None), 9);
        assert_eq!(lost(Sense::HardwareError, Some(at(0, 7))), 7);
        assert_eq!(lost(Sense::HardwareError, Some(at(0, 12))), 9);
        assert_eq!(lost(Sense::HardwareError, Some(at(1, 2))), 9);
        assert_eq!(lost(Sense::Reset, None), 4);
        let failed = Failed::at(Sense::HardwareError, None);
        assert_eq!(first_lost(&failed, at(1, 9), ObjectNumber(4)).0, 0);
    }
}
