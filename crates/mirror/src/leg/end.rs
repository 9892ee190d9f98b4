//! What is known of the end of a leg: how far early warning is, what it may hold too much, what is committed.
//!
//! Each method is something that happened; nothing else changes what is known.

use pseudotape_tape::{Capacity, Failed, ObjectNumber, Position};

use crate::change::Change;
use crate::leg::place::{first_lost, objects_before};

/// How much surely fits before early warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// The drive has to be asked.
    Unknown,
    /// So many bytes.
    Bytes(u64),
    /// The drive knows no end.
    Endless,
}

/// What is known of the end of one leg.
///
/// | it happens | room before early warning | behind early warning | surplus | not committed |
/// |---|---|---|---|---|
/// | the tape was moved | must be asked | no | | |
/// | the drive was asked | as it said | | | |
/// | something was written | less | as the answer says | none in that partition | from there on |
/// | a queue met early warning | must be asked | yes | | |
/// | something was erased here or on other legs | must be asked | | | |
/// | only the other legs lost what was behind | | | from there on | |
/// | a commit | | | | nothing |
/// | the leg is out of step | must be asked | | none | |
/// | the leg is in step again | must be asked | no | none | nothing |
#[derive(Clone, Copy, Debug)]
pub(crate) struct LegEnd {
    room: Room,
    behind_warning: bool,
    surplus: Option<Position>,
    uncommitted: Uncommitted,
    lengthens: bool,
}

impl LegEnd {
    /// Of a volume that was just put in.
    pub(crate) fn new() -> Self {
        LegEnd {
            room: Room::Unknown,
            behind_warning: false,
            surplus: None,
            uncommitted: Uncommitted::nothing(),
            lengthens: false,
        }
    }

    /// Whether so much surely fits before early warning.
    pub(crate) fn has_room_for(&self, bytes: u64) -> bool {
        match self.room {
            Room::Unknown => bytes == 0,
            Room::Bytes(room) => bytes <= room,
            Room::Endless => true,
        }
    }

    /// Whether the tape is behind early warning, as far as the drive said.
    pub(crate) fn is_behind_warning(&self) -> bool {
        self.behind_warning
    }

    /// Behind this place the leg perhaps holds objects that the others have not: its drive could not be made to
    /// drop them.
    pub(crate) fn surplus(&self) -> Option<Position> {
        self.surplus
    }

    /// What is not yet on stable storage.
    pub(crate) fn uncommitted(&self) -> Uncommitted {
        self.uncommitted
    }

    /// Whether the drive is known to lengthen blocks.
    pub(crate) fn lengthens(&self) -> bool {
        self.lengthens
    }

    /// The tape is, or will be, somewhere else.
    pub(crate) fn moved(&mut self) {
        (self.room, self.behind_warning) = (Room::Unknown, false);
    }

    /// The drive said how much fits where the tape is.
    pub(crate) fn asked(&mut self, capacity: &Capacity) {
        self.room = match capacity.room_bytes {
            Some(room) => Room::Bytes(room.saturating_sub(capacity.early_warning_bytes)),
            None => Room::Endless,
        };
    }

    /// What fits can be more or less than it was.
    pub(crate) fn ask_again(&mut self) {
        self.room = Room::Unknown;
    }

    /// So much was stored, or will be.
    pub(crate) fn spent(&mut self, bytes: u64) {
        if let Room::Bytes(room) = &mut self.room {
            *room = room.saturating_sub(bytes);
        }
    }

    /// A change was answered, with the tape behind early warning or not.
    pub(crate) fn answered(&mut self, behind_warning: bool) {
        self.behind_warning = behind_warning;
    }

    /// A block was lengthened, which can reach early warning but not leave it.
    pub(crate) fn lengthened(&mut self, behind_warning: bool) {
        self.behind_warning |= behind_warning;
    }

    /// The drive lengthened a block by nothing, so it can lengthen blocks.
    pub(crate) fn can_lengthen(&mut self) {
        self.lengthens = true;
    }

    /// What waited in the queue reached early warning.
    pub(crate) fn queue_met_warning(&mut self) {
        (self.room, self.behind_warning) = (Room::Unknown, true);
    }

    /// The others lost what they had behind this place.
    pub(crate) fn others_lost(&mut self, behind: Position) {
        self.surplus = Some(behind);
    }

    /// What the others have not is not there any more.
    pub(crate) fn dropped_surplus(&mut self) {
        self.surplus = None;
    }

    /// Something was written here: what was recorded behind is gone.
    pub(crate) fn overwrote(&mut self, at: Position) {
        if self
            .surplus
            .is_some_and(|from| from.partition == at.partition)
        {
            self.surplus = None;
        }
    }

    /// A change begins: nothing from here on is on stable storage.
    pub(crate) fn changes(&mut self, at: Position) {
        self.uncommitted.changes(at);
    }

    /// Everything is on stable storage.
    pub(crate) fn committed(&mut self) {
        self.uncommitted = Uncommitted::nothing();
    }

    /// The leg is out of step.
    pub(crate) fn lost(&mut self) {
        (self.room, self.surplus) = (Room::Unknown, None);
    }

    /// The leg is in step again, perhaps with another drive.
    pub(crate) fn back_in_step(&mut self) {
        *self = LegEnd::new();
    }
}

/// From which object on nothing is surely on stable storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Uncommitted(ObjectNumber);

impl Uncommitted {
    /// Everything is on stable storage.
    pub(crate) fn nothing() -> Self {
        Uncommitted(ObjectNumber(u64::MAX))
    }

    /// A change begins: nothing from here on is on stable storage.
    pub(crate) fn changes(&mut self, at: Position) {
        self.0 = self.first_before(at);
    }

    /// The first object that is not sure where the place from which on all is lost is this one.
    pub(crate) fn first_before(self, at: Position) -> ObjectNumber {
        self.0.min(objects_before(at))
    }

    /// As [`Uncommitted::first_before`], where the objects of all partitions are counted alike.
    pub(crate) fn first_up_to(self, object: ObjectNumber) -> ObjectNumber {
        self.0.min(object)
    }

    /// The first object that is not sure after an operation failed like this that stores nothing.
    pub(crate) fn first_of(self, failed: &Failed, at: Position) -> ObjectNumber {
        first_lost(failed, at, self.0)
    }

    /// The first object that is not sure after a change failed like this. A commit that fails leaves all unsure
    /// that it was to store.
    pub(crate) fn first_after(
        self,
        change: Change<'_>,
        failed: &Failed,
        at: Position,
    ) -> ObjectNumber {
        let first = self.first_before(at);
        if change.commits() {
            first
        } else {
            first_lost(failed, at, first)
        }
    }
}

/// What the mirror knows of its own last change.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LastChange {
    block_bytes: Option<u64>,
    untold_warning: bool,
}

impl LastChange {
    /// Length of the block just written, as long as it can be lengthened.
    pub(crate) fn block_bytes(&self) -> Option<u64> {
        self.block_bytes
    }

    /// A leg met early warning after its operation was answered, and nobody was told.
    pub(crate) fn has_untold_warning(&self) -> bool {
        self.untold_warning
    }

    /// A block was written, or lengthened to this; `None`: something else happened, after which no block can be
    /// lengthened.
    pub(crate) fn is_block(&mut self, bytes: Option<u64>) {
        self.block_bytes = bytes;
    }

    /// What is written next is what meets early warning.
    pub(crate) fn forget_warning(&mut self) {
        self.untold_warning = false;
    }

    /// A late leg met early warning.
    pub(crate) fn warned_late(&mut self) {
        self.untold_warning = true;
    }

    /// Takes a warning to tell it.
    pub(crate) fn take_warning(&mut self) -> bool {
        std::mem::take(&mut self.untold_warning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pseudotape_tape::{Mark, Motion, PartitionNumber, Sense, WriteMode};

    fn at(partition: u8, object: u64) -> Position {
        Position {
            partition: PartitionNumber(partition),
            object: ObjectNumber(object),
            ..Position::default()
        }
    }

    fn capacity(room_bytes: Option<u64>, early_warning_bytes: u64) -> Capacity {
        Capacity {
            room_bytes,
            early_warning_bytes,
            ..Capacity::default()
        }
    }

    #[test]
    fn room_is_what_was_said_less_what_was_written() {
        let mut end = LegEnd::new();
        assert!(!end.has_room_for(1), "nobody was asked");
        end.asked(&capacity(Some(1000), 100));
        assert!(end.has_room_for(900) && !end.has_room_for(901));
        end.spent(600);
        assert!(end.has_room_for(300) && !end.has_room_for(301));
        end.spent(301);
        assert!(!end.has_room_for(1));
        end.asked(&capacity(Some(50), 100));
        assert!(!end.has_room_for(1), "it is behind early warning");
    }

    #[test]
    fn a_drive_without_an_end_has_room_until_it_is_moved() {
        let mut end = LegEnd::new();
        end.asked(&capacity(None, 0));
        end.spent(u64::MAX);
        assert!(end.has_room_for(u64::MAX));
        end.moved();
        assert!(!end.has_room_for(1));
    }

    #[test]
    fn early_warning_stays_until_an_answer_or_a_motion_ends_it() {
        let mut end = LegEnd::new();
        end.queue_met_warning();
        assert!(end.is_behind_warning() && !end.has_room_for(1));
        end.lengthened(false);
        end.asked(&capacity(Some(1000), 0));
        end.ask_again();
        end.lost();
        assert!(end.is_behind_warning());
        end.answered(false);
        assert!(!end.is_behind_warning());
        end.answered(true);
        end.moved();
        assert!(!end.is_behind_warning());
        end.lengthened(true);
        assert!(end.is_behind_warning());
    }

    #[test]
    fn a_surplus_goes_with_what_is_written_in_its_partition() {
        let mut end = LegEnd::new();
        end.others_lost(at(1, 4));
        end.overwrote(at(0, 2));
        assert_eq!(end.surplus(), Some(at(1, 4)));
        end.overwrote(at(1, 2));
        assert_eq!(end.surplus(), None);
        end.others_lost(at(0, 1));
        end.lost();
        assert_eq!(end.surplus(), None);
    }

    #[test]
    fn what_is_not_committed_begins_at_the_earliest_change() {
        let mut end = LegEnd::new();
        end.changes(at(0, 9));
        end.changes(at(0, 5));
        end.changes(at(0, 7));
        assert_eq!(end.uncommitted().first_before(at(0, 20)).0, 5);
        end.committed();
        assert_eq!(end.uncommitted().first_before(at(0, 20)).0, 20);
        end.changes(at(1, 3));
        assert_eq!(end.uncommitted().first_before(at(0, 20)).0, 0);
    }

    #[test]
    fn a_failed_commit_leaves_all_unsure_that_it_was_to_store() {
        let mut uncommitted = Uncommitted::nothing();
        uncommitted.changes(at(0, 4));
        let failed = Failed::at(Sense::HardwareError, Some(at(0, 9)));
        let mark = |mode| {
            Change::motion(Motion::WriteMarks {
                mark: Mark::Filemark,
                count: 1,
                mode,
            })
        };
        let first = |mode| uncommitted.first_after(mark(mode), &failed, at(0, 9)).0;
        assert_eq!(first(WriteMode::Commit), 4);
        assert_eq!(first(WriteMode::Immediate), 9);
    }

    #[test]
    fn a_leg_in_step_again_knows_nothing_of_what_was_before() {
        let mut end = LegEnd::new();
        end.asked(&capacity(Some(1000), 0));
        end.answered(true);
        end.changes(at(0, 1));
        end.can_lengthen();
        end.others_lost(at(0, 1));
        end.back_in_step();
        assert!(!end.has_room_for(1) && !end.is_behind_warning() && !end.lengthens());
        assert_eq!(
            (end.surplus(), end.uncommitted()),
            (None, Uncommitted::nothing())
        );
    }

    #[test]
    fn the_last_block_can_be_lengthened_until_something_else_happens() {
        let mut last = LastChange::default();
        assert_eq!(last.block_bytes(), None);
        last.is_block(Some(5));
        assert_eq!(last.block_bytes(), Some(5));
        last.is_block(None);
        assert_eq!(last.block_bytes(), None);
    }

    #[test]
    fn a_late_warning_is_told_once() {
        let mut last = LastChange::default();
        last.warned_late();
        assert!(last.has_untold_warning());
        assert!(last.take_warning() && !last.take_warning());
        last.warned_late();
        last.forget_warning();
        assert!(!last.take_warning());
    }
}
