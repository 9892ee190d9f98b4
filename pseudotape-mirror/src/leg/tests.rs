//! A leg alone, without a mirror.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use pseudotape_drive::Personality;
use pseudotape_tape::{Drive, Failed, Mark, Motion, Sense, Transfer, WriteMode};
use pseudotape_testkit::{ModelCartridge, ModelDrive, ModelObject, SharedDrive};

use super::*;
use crate::change::Change;

type Notes = Arc<Mutex<Vec<Option<ObjectNumber>>>>;

/// A volume with a place for a mark.
struct Volume {
    drive: SharedDrive<ModelDrive>,
    notes: Notes,
    can_be_marked: bool,
}

impl LegDrive for Volume {
    fn drive(&mut self) -> &mut dyn Drive {
        &mut self.drive
    }

    fn noted(&mut self) -> Noted {
        match self.notes.lock().unwrap().last() {
            Some(Some(from)) => Noted::NotMirroredFrom(*from),
            Some(None) | None => Noted::Mirrored,
        }
    }

    fn note_not_mirrored(&mut self, from: Option<ObjectNumber>) -> Result<bool, String> {
        if !self.can_be_marked {
            return Err("it is read only".into());
        }
        self.notes.lock().unwrap().push(from);
        Ok(true)
    }

    fn take_trouble(&mut self) -> Option<String> {
        None
    }

    fn finish(self: Box<Self>) -> Result<(), String> {
        Ok(())
    }
}

/// A leg, and what the test looks at it with.
struct Bench {
    leg: Leg,
    drive: SharedDrive<ModelDrive>,
    notes: Notes,
}

impl Bench {
    fn with(capacity_bytes: Option<u64>, can_be_marked: bool) -> Self {
        let mut drive = ModelDrive::new(Personality::default());
        drive.insert(ModelCartridge {
            capacity_bytes,
            early_warning_bytes: 100,
            ..ModelCartridge::default()
        });
        drive.clear_attention();
        let (drive, notes) = (SharedDrive::new(drive), Notes::default());
        let volume = Volume {
            drive: drive.clone(),
            notes: Arc::clone(&notes),
            can_be_marked,
        };
        let leg = Leg::new(NewLeg {
            options: LegOptions::named("a"),
            drive: Box::new(volume),
        });
        Bench { leg, drive, notes }
    }

    fn new() -> Self {
        Bench::with(None, true)
    }

    fn notes(&self) -> Vec<Option<u64>> {
        let notes = self.notes.lock().unwrap();
        notes.iter().map(|note| note.map(|from| from.0)).collect()
    }

    fn no_copy_from(&self) -> Option<u64> {
        match self.leg.board().state() {
            LegState::InStep => None,
            LegState::OutOfStep { from, .. } | LegState::Dropped { from } => Some(from.0),
        }
    }

    fn objects(&self) -> Vec<ModelObject> {
        let drive = self.drive.lock();
        drive.cartridge().unwrap().partitions[0].clone()
    }
}

fn at(object: u64) -> Position {
    Position {
        object: ObjectNumber(object),
        ..Position::default()
    }
}

fn block(data: &[u8]) -> Change<'_> {
    Change::blocks(Transfer::Variable, data)
}

fn marks(count: u32) -> Change<'static> {
    Change::motion(Motion::WriteMarks {
        mark: Mark::Filemark,
        count,
        mode: WriteMode::Immediate,
    })
}

#[test]
fn a_leg_that_is_lost_says_so_on_its_board_and_its_volume_once() {
    let mut bench = Bench::new();
    bench.leg.lose(ObjectNumber(7), &Cause::Incapable);
    bench.leg.lose(ObjectNumber(3), &Cause::Panicked);
    assert!(bench.leg.is_out_of_step() && !bench.leg.in_step());
    assert_eq!(bench.no_copy_from(), Some(7));
    assert_eq!(bench.notes(), [Some(7)]);
    let reason = Cause::Incapable.to_string();
    assert_eq!(bench.leg.board().first_error(), Some(reason));
}

#[test]
fn a_leg_is_lowered_only_where_it_is_no_copy_from_a_later_object_on() {
    let mut bench = Bench::new();
    bench.leg.lower(ObjectNumber(1));
    assert_eq!((bench.no_copy_from(), bench.notes()), (None, vec![]));
    bench.leg.lose(ObjectNumber(7), &Cause::Incapable);
    bench.leg.lower(ObjectNumber(9));
    bench.leg.lower(ObjectNumber(4));
    bench.leg.drop_out(ObjectNumber(20));
    bench.leg.lower(ObjectNumber(2));
    assert_eq!(bench.no_copy_from(), Some(2));
    assert_eq!(bench.notes(), [Some(7), Some(4), Some(4), Some(2)]);
    assert!(matches!(
        bench.leg.board().state(),
        LegState::Dropped { .. }
    ));
    bench.leg.holds_nothing();
    assert_eq!(
        (bench.no_copy_from(), bench.leg.is_marked()),
        (Some(0), true)
    );
}

#[test]
fn a_leg_is_back_in_step_with_nothing_left_of_its_trouble() {
    let mut bench = Bench::new();
    bench.leg.note_damage("object 2 is damaged", true);
    bench.leg.lose(ObjectNumber(7), &Cause::Incapable);
    bench.leg.end_mut().others_lost(at(3));
    bench.leg.back_in_step().unwrap();
    assert!(bench.leg.in_step() && !bench.leg.is_marked());
    assert_eq!(bench.no_copy_from(), None);
    assert_eq!(bench.leg.board().first_error(), None);
    assert_eq!(bench.leg.board().repairs.load(Ordering::Relaxed), 0);
    assert_eq!(bench.leg.end().surplus(), None);
}

#[test]
fn a_volume_that_can_not_be_marked_is_lost_all_the_same_and_does_not_come_back() {
    let mut bench = Bench::with(None, false);
    bench.leg.lose(ObjectNumber(7), &Cause::Incapable);
    assert_eq!(bench.no_copy_from(), Some(7));
    let still = bench.leg.back_in_step().unwrap_err().to_string();
    assert!(
        still.contains("still marked") && still.contains("read only"),
        "{still}"
    );
    assert_eq!(bench.no_copy_from(), Some(7));
}

#[test]
fn a_leg_goes_to_a_place_and_drops_what_is_behind() {
    let mut bench = Bench::new();
    for data in [b"one", b"two", b"six"] {
        let done = bench.leg.core().act(|drive| block(data).run(drive));
        assert_eq!(done.unwrap().count, 1);
    }
    bench.leg.end_mut().others_lost(at(1));
    bench.leg.take_back(at(1)).unwrap();
    assert_eq!(bench.objects(), [ModelObject::Block(b"one".to_vec())]);
    assert_eq!(bench.leg.end().surplus(), None);
    assert_eq!(bench.leg.core().at().map(|at| at.object.0), Some(1));
}

#[test]
fn a_surplus_that_is_none_is_forgotten_and_one_that_is_there_stays() {
    let mut bench = Bench::new();
    bench.leg.core().act(|drive| marks(3).run(drive)).unwrap();
    for (place, stays) in [(1, true), (3, false)] {
        bench.leg.end_mut().others_lost(at(place));
        bench.leg.look_for_surplus();
        assert_eq!(bench.leg.end().surplus().is_some(), stays, "{place}");
    }
}

#[test]
fn a_leg_knows_how_much_fits_before_early_warning() {
    let mut bench = Bench::with(Some(1000), true);
    assert!(!bench.leg.end().has_room_for(1));
    let capacity = bench.leg.measure_at(at(0)).unwrap();
    assert_eq!(capacity.room_bytes, Some(1000));
    assert!(bench.leg.end().has_room_for(900) && !bench.leg.end().has_room_for(901));
    bench.leg.stored(300, 364);
    assert!(bench.leg.end().has_room_for(536) && !bench.leg.end().has_room_for(537));
    assert_eq!(bench.leg.board().room_bytes.load(Ordering::Relaxed), 700);
    assert_eq!(bench.leg.board().stored_bytes.load(Ordering::Relaxed), 300);
}

#[test]
fn a_late_leg_stores_what_waits_in_its_order() {
    let mut bench = Bench::new();
    bench.leg.start_queue(1 << 20).unwrap();
    bench.leg.begin_at(at(0)).unwrap();
    bench.leg.change_later(block(b"one"), at(0), at(1));
    bench.leg.change_later(marks(2), at(1), at(3));
    assert!(bench.leg.continues(at(3)) && !bench.leg.continues(at(2)));
    bench.leg.cut_later(at(2));
    bench.leg.catch_up();
    assert!(!bench.leg.hear());
    let one = ModelObject::Block(b"one".to_vec());
    assert_eq!(bench.objects(), [one, ModelObject::Filemark]);
    assert_eq!(bench.leg.board().object.load(Ordering::Relaxed), 2);
}

#[test]
fn a_late_leg_that_meets_early_warning_is_asked_again_and_one_that_is_full_is_lost() {
    let mut bench = Bench::with(Some(1000), true);
    bench.leg.start_queue(1 << 20).unwrap();
    bench.leg.begin_at(at(0)).unwrap();
    bench.leg.change_later(block(&[1; 950]), at(0), at(1));
    bench.leg.catch_up();
    assert!(bench.leg.hear() && bench.leg.end().is_behind_warning());
    assert!(bench.leg.in_step());
    bench.leg.change_later(block(&[2; 100]), at(1), at(2));
    bench.leg.catch_up();
    bench.leg.hear();
    assert_eq!(
        (bench.no_copy_from(), bench.notes()),
        (Some(1), vec![Some(1)])
    );
    let reason = bench.leg.board().first_error().unwrap();
    assert!(reason.contains("1 of 1 objects did not fit"), "{reason}");
    let failed = bench.leg.finish().unwrap_err();
    assert_eq!((failed.leg.as_str(), failed.from.0), ("a", 1));
    assert!(matches!(*failed.cause, Cause::Full { missing: 1, .. }));
}

#[test]
fn a_queue_that_failed_begins_anew_after_the_leg_came_back() {
    let mut bench = Bench::new();
    bench.leg.start_queue(1 << 20).unwrap();
    bench.drive.lock().eject();
    bench.leg.change_later(block(b"one"), at(0), at(1));
    bench.leg.catch_up();
    bench.leg.hear();
    assert_eq!(bench.no_copy_from(), Some(0));
    bench.drive.lock().insert(ModelCartridge::default());
    bench.drive.lock().clear_attention();
    bench.leg.back_in_step().unwrap();
    bench.leg.begin_at(at(0)).unwrap();
    bench.leg.change_later(block(b"one"), at(0), at(1));
    bench.leg.finish().unwrap();
    assert_eq!(
        bench.drive.lock().cartridge().unwrap().partitions[0].len(),
        1
    );
}

#[test]
fn an_answer_carries_where_the_leg_was_to_go() {
    let bench = Bench::new();
    bench.drive.lock().eject();
    let answer = bench.leg.core().act_at(at(5), |drive| marks(1).run(drive));
    let fault = answer.unwrap_err();
    assert_eq!(fault.on_the_way_to, Some(ObjectNumber(5)));
    assert_eq!(fault.failed, Failed::at(Sense::NoMedium, None));
}
