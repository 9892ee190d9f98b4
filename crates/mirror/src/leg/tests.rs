//! A leg alone, without a mirror.

use std::sync::atomic::Ordering;

use pseudotape_drive::{
    Cartridge, ImageDrive, Medium, NullDrive, NullLimits, Overrides, Personality,
};
use pseudotape_image::{Access, CreateParameters, Error, Uuid, VolumeId};
use pseudotape_tape::{
    Address, Done, Failed, LoadKind, Mark, ModeSelect, Motion, Noted, PartitionNumber, Sense,
    Transfer, WriteMode,
};
use pseudotape_testkit::store::{FaultyStore, StoreFault};

use super::*;
use crate::change::Change;

/// A medium of one partition, whose disk the test can break.
struct Breakable(FaultyStore);

impl Medium for Breakable {
    type Store = FaultyStore;

    fn access(&self) -> Access {
        Access::ReadWrite
    }

    fn open(&mut self, _: u8) -> Result<FaultyStore, Error> {
        Ok(self.0.clone())
    }

    fn create(&mut self, _: u8) -> Result<FaultyStore, Error> {
        Ok(self.0.clone())
    }
}

/// A leg with an image, and the disk that the image is on.
struct Bench {
    leg: Leg,
    disk: FaultyStore,
}

impl Bench {
    fn with(capacity_bytes: Option<u64>) -> Self {
        let disk = FaultyStore::default();
        let mut parameters = CreateParameters::new(VolumeId(Uuid::now_v7()), 0);
        parameters.header.capacity_bytes = capacity_bytes;
        parameters.header.early_warning_bytes = 100;
        let cartridge = Cartridge::create(Breakable(disk.clone()), &parameters).unwrap();
        let mut drive = ImageDrive::new(Personality::default(), "LEG".into(), Overrides::default());
        assert!(drive.insert(cartridge).is_ok());
        drive.clear_attention();
        let leg = Leg::new(NewLeg {
            options: LegOptions::named("a"),
            drive: Box::new(drive),
        });
        Bench { leg, disk }
    }

    fn new() -> Self {
        Bench::with(None)
    }

    fn into_volume(self) -> Box<dyn Volume> {
        let core = self.leg.seat.into_core().expect("nobody else has it");
        core.into_volume()
    }

    fn no_copy_from(&self) -> Option<u64> {
        match self.leg.board().state() {
            LegState::InStep => None,
            LegState::OutOfStep { from, .. } | LegState::Dropped { from } => Some(from.0),
        }
    }

    /// What is marked on the volume.
    fn mark(&self) -> Option<u64> {
        match self.leg.core().volume().noted() {
            Noted::NotMirroredFrom(from) => Some(from.0),
            Noted::Mirrored => None,
            Noted::NoPlace => panic!("an image has a place for the mark"),
        }
    }

    fn write(&self, change: Change<'_>) -> Done {
        let done = self.leg.core().act(|drive| change.run(drive));
        done.unwrap()
    }

    /// How many objects are on the volume.
    fn objects(&self) -> u64 {
        let beginning = Address {
            partition: Some(PartitionNumber(0)),
            object: ObjectNumber(0),
        };
        let mut core = self.leg.core();
        core.act(|drive| drive.locate(beginning)).unwrap();
        let end = core.act(|drive| drive.space_to_end_of_data());
        end.unwrap().position.object.0
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
    assert_eq!((bench.no_copy_from(), bench.mark()), (Some(7), Some(7)));
    let reason = Cause::Incapable.to_string();
    assert_eq!(bench.leg.board().first_error(), Some(reason));
}

#[test]
fn a_leg_is_lowered_only_where_it_is_no_copy_from_a_later_object_on() {
    let mut bench = Bench::new();
    bench.leg.lower(ObjectNumber(1));
    assert_eq!((bench.no_copy_from(), bench.mark()), (None, None));
    bench.leg.lose(ObjectNumber(7), &Cause::Incapable);
    bench.leg.lower(ObjectNumber(9));
    assert_eq!((bench.no_copy_from(), bench.mark()), (Some(7), Some(7)));
    bench.leg.lower(ObjectNumber(4));
    bench.leg.drop_out(ObjectNumber(20));
    assert_eq!((bench.no_copy_from(), bench.mark()), (Some(4), Some(4)));
    bench.leg.lower(ObjectNumber(2));
    assert_eq!((bench.no_copy_from(), bench.mark()), (Some(2), Some(2)));
    let state = bench.leg.board().state();
    assert!(matches!(state, LegState::Dropped { .. }), "{state:?}");
    bench.leg.holds_nothing();
    assert_eq!((bench.no_copy_from(), bench.mark()), (Some(0), Some(0)));
    assert!(bench.leg.is_marked());
}

#[test]
fn a_leg_in_step_that_is_dropped_is_a_copy_up_to_where_the_tape_is() {
    let mut bench = Bench::new();
    bench.leg.drop_out(ObjectNumber(20));
    assert_eq!((bench.no_copy_from(), bench.mark()), (Some(20), Some(20)));
}

#[test]
fn a_leg_is_back_in_step_with_nothing_left_of_its_trouble() {
    let mut bench = Bench::new();
    bench.leg.note_damage("object 2 is damaged", true);
    bench.leg.lose(ObjectNumber(7), &Cause::Incapable);
    bench.leg.end_mut().others_lost(at(3));
    bench.leg.back_in_step(None).unwrap();
    assert!(bench.leg.in_step());
    assert_eq!((bench.no_copy_from(), bench.mark()), (None, None));
    assert_eq!(bench.leg.board().first_error(), None);
    assert_eq!(bench.leg.board().repairs.load(Ordering::Relaxed), 0);
    assert_eq!(bench.leg.end().surplus(), None);
}

#[test]
fn a_leg_whose_mark_stays_does_not_come_back() {
    let mut bench = Bench::new();
    bench.leg.lose(ObjectNumber(7), &Cause::Incapable);
    bench.disk.set_fault(Some(StoreFault::Sync));
    let still = bench.leg.back_in_step(None).unwrap_err();
    assert!(matches!(still, Cause::StillMarked { .. }), "{still}");
    assert_eq!(bench.no_copy_from(), Some(7));
}

#[test]
fn a_leg_that_misses_something_keeps_its_mark_until_that_is_written_anew() {
    let mut bench = Bench::new();
    bench.leg.back_in_step(Some(ObjectNumber(5))).unwrap();
    assert!(bench.leg.in_step());
    assert_eq!(bench.leg.misses_from(), Some(ObjectNumber(5)));
    bench.leg.rewritten(ObjectNumber(5));
    assert_eq!(bench.mark(), Some(5));
    // What it misses is missing, whatever else it loses later.
    bench.leg.lose(ObjectNumber(9), &Cause::Incapable);
    assert_eq!((bench.no_copy_from(), bench.mark()), (Some(9), Some(5)));
    bench.leg.rewritten(ObjectNumber(4));
    assert_eq!(bench.mark(), Some(5), "it is not written");
    bench.leg.trust();
    assert!(bench.leg.in_step());
    assert_eq!(bench.mark(), Some(5));
    bench.leg.rewritten(ObjectNumber(4));
    assert_eq!((bench.leg.misses_from(), bench.mark()), (None, None));
    bench.leg.back_in_step(Some(ObjectNumber(0))).unwrap();
    bench.leg.rewritten(ObjectNumber(0));
    assert_eq!(bench.mark(), None, "everything is new");
}

#[test]
fn a_leg_whose_volume_can_not_be_marked_is_lost_all_the_same() {
    let mut bench = Bench::new();
    bench.disk.set_fault(Some(StoreFault::Sync));
    bench.leg.lose(ObjectNumber(7), &Cause::Incapable);
    assert_eq!(bench.no_copy_from(), Some(7));
}

#[test]
fn a_leg_goes_to_a_place_and_drops_what_is_behind() {
    let mut bench = Bench::new();
    for data in [b"one", b"two", b"six"] {
        assert_eq!(bench.write(block(data)).count, 1);
    }
    bench.leg.end_mut().others_lost(at(1));
    bench.leg.take_back(at(1)).unwrap();
    assert_eq!(bench.leg.core().at().map(|at| at.object.0), Some(1));
    assert_eq!(bench.leg.end().surplus(), None);
    assert_eq!(bench.objects(), 1);
}

#[test]
fn a_surplus_that_is_none_is_forgotten_and_one_that_is_there_stays() {
    let mut bench = Bench::new();
    bench.write(marks(3));
    for (place, stays) in [(1, true), (3, false)] {
        bench.leg.end_mut().others_lost(at(place));
        bench.leg.look_for_surplus();
        assert_eq!(bench.leg.end().surplus().is_some(), stays, "{place}");
    }
}

#[test]
fn a_leg_knows_how_much_fits_before_early_warning() {
    let mut bench = Bench::with(Some(1000));
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
    assert!(!bench.leg.hear() && bench.leg.in_step());
    assert_eq!(bench.leg.board().object.load(Ordering::Relaxed), 2);
    assert_eq!(bench.objects(), 2);
}

#[test]
fn a_late_leg_that_meets_early_warning_is_asked_again_and_one_that_is_full_is_lost() {
    let mut bench = Bench::with(Some(1000));
    bench.leg.start_queue(1 << 20).unwrap();
    bench.leg.begin_at(at(0)).unwrap();
    bench.leg.change_later(block(&[1; 950]), at(0), at(1));
    bench.leg.catch_up();
    assert!(bench.leg.hear() && bench.leg.end().is_behind_warning());
    assert!(bench.leg.in_step());
    bench.leg.change_later(block(&[2; 100]), at(1), at(2));
    bench.leg.catch_up();
    bench.leg.hear();
    assert_eq!((bench.no_copy_from(), bench.mark()), (Some(1), Some(1)));
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
    bench.leg.core().drive().unload().unwrap();
    bench.leg.core().forget_place();
    bench.leg.change_later(block(b"one"), at(0), at(1));
    bench.leg.catch_up();
    bench.leg.hear();
    assert_eq!(bench.no_copy_from(), Some(0));
    let load = |core: &mut Core| core.act(|drive| drive.load(LoadKind::Load));
    load(&mut bench.leg.core()).unwrap();
    bench.leg.back_in_step(None).unwrap();
    bench.leg.begin_at(at(0)).unwrap();
    bench.leg.change_later(block(b"one"), at(0), at(1));
    bench.leg.catch_up();
    assert!(!bench.leg.hear() && bench.leg.in_step());
    assert_eq!(bench.objects(), 1);
}

#[test]
fn an_answer_carries_where_the_leg_was_to_go() {
    let bench = Bench::new();
    bench.leg.core().drive().unload().unwrap();
    let answer = bench.leg.core().act_at(at(5), |drive| marks(1).run(drive));
    let fault = answer.unwrap_err();
    assert_eq!(fault.on_the_way_to, Some(ObjectNumber(5)));
    assert_eq!(fault.failed, Failed::at(Sense::NoMedium, None));
}

#[test]
fn a_leg_without_a_place_for_a_mark_is_lost_without_one() {
    let mut leg = Leg::new(NewLeg {
        options: LegOptions::named("a"),
        drive: Box::new(NullDrive::new(NullLimits::default())),
    });
    assert!(!leg.is_marked());
    leg.lose(ObjectNumber(2), &Cause::Incapable);
    assert!(!leg.is_marked() && leg.is_out_of_step());
    leg.back_in_step(None).unwrap();
    leg.finish().unwrap();
}

#[test]
fn a_place_that_was_forgotten_is_gone_to_anew() {
    let bench = Bench::new();
    bench.write(marks(3));
    let mut core = bench.leg.core();
    core.go_to(at(3)).unwrap();
    let to = Address {
        partition: None,
        object: ObjectNumber(1),
    };
    core.drive().locate(to).unwrap();
    core.go_to(at(3)).unwrap();
    assert_eq!(core.drive().position().unwrap().object.0, 1, "not asked");
    core.forget_place();
    assert_eq!(core.at(), None);
    core.go_to(at(3)).unwrap();
    assert_eq!(core.find().unwrap().object.0, 3);
    assert_eq!(core.drive().position().unwrap().object.0, 3);
}

#[test]
fn orders_and_reads_are_done_where_the_tape_is() {
    let bench = Bench::new();
    bench.write(block(b"one"));
    bench.write(block(b"two"));
    let mut core = bench.leg.core();
    let mut buffer = core.scratch(10).unwrap();
    assert_eq!(buffer.len(), 10);
    let answer = core.read_at(at(1), Transfer::Variable, &mut buffer);
    assert_eq!(answer.unwrap().bytes, 3);
    core.keep_scratch(buffer);
    assert_eq!(&core.scratched()[..3], b"two");
    assert_eq!(core.at().map(|at| at.object.0), Some(2));
    let mut buffer = core.scratch(20).unwrap();
    assert_eq!(buffer.len(), 20);
    core.act(|drive| drive.rewind()).unwrap();
    core.read(Transfer::Variable, &mut buffer).unwrap();
    assert_eq!(&buffer[..3], b"one");
    assert_eq!(core.at().map(|at| at.object.0), Some(1));
    core.order(|drive| drive.unload()).unwrap();
    assert!(core.drive().test_ready().is_err(), "it is unloaded");
    let failed = core.order(|drive| drive.unload()).unwrap_err();
    assert_eq!(failed.sense, Sense::NoMedium);
}

#[test]
fn a_leg_that_keeps_nothing_reaches_every_place() {
    let reach = |keeps| {
        let leg = Leg::new(NewLeg {
            options: LegOptions {
                keeps,
                ..LegOptions::named("a")
            },
            drive: Box::new(Bench::new().into_volume()),
        });
        let mut core = leg.core();
        core.reach(at(5))
    };
    assert!(reach(Keeps::Nothing).is_ok());
    assert!(reach(Keeps::Blocks).is_err(), "there are no five objects");
}

#[test]
fn what_was_chosen_of_the_mode_is_remembered_one_by_one() {
    let bench = Bench::new();
    let mut core = bench.leg.core();
    let choose = |block_size| ModeSelect {
        block_size,
        ..ModeSelect::default()
    };
    core.choose(choose(Some(512))).unwrap();
    core.choose(choose(None)).unwrap();
    // As after a reset, of which nobody was told yet.
    core.drive().set_mode(choose(Some(1024))).unwrap();
    assert_eq!(core.drive().mode().unwrap().block_size, 1024);
    assert_eq!(core.mode().unwrap().block_size, 512);
}

#[test]
fn only_what_the_queue_takes_can_wait() {
    let mut bench = Bench::new();
    assert!(bench.leg.can_wait(u64::MAX), "it waits for nothing");
    bench.leg.start_queue(1000).unwrap();
    assert!(bench.leg.can_wait(1000) && !bench.leg.can_wait(1001));
    bench.leg.begin_at(at(0)).unwrap();
    // Room that was kept and is not needed is given back: else the next one would wait for ever.
    for _ in 0..3 {
        assert!(bench.leg.admit(900));
        bench.leg.dismiss();
    }
    assert!(bench.leg.admit(900));
    bench.leg.change_later(block(&[1; 800]), at(0), at(1));
    bench.leg.dismiss();
    assert!(bench.leg.admit(900));
    bench.leg.catch_up();
    assert_eq!(bench.objects(), 1);
}

#[test]
fn what_waits_does_not_wait_for_the_drive() {
    let mut bench = Bench::new();
    bench.leg.start_queue(1 << 20).unwrap();
    bench.leg.begin_at(at(0)).unwrap();
    let seat = Arc::clone(&bench.leg.seat);
    let working = seat.core();
    for number in 0..5 {
        bench
            .leg
            .change_later(block(&[7; 100]), at(number), at(number + 1));
    }
    let board = bench.leg.board();
    assert_eq!(board.queued_objects.load(Ordering::Relaxed), 5);
    assert_eq!(board.queued_bytes.load(Ordering::Relaxed), 500);
    assert!(bench.leg.lost_when_closed().is_none(), "nor does this");
    assert_eq!(bench.leg.take_recovered(), 0);
    drop(working);
    bench.leg.leave_queue();
    let board = bench.leg.board();
    assert_eq!(board.queued_objects.load(Ordering::Relaxed), 0);
    assert_eq!(board.queued_bytes.load(Ordering::Relaxed), 0);
    assert_eq!(board.stored_bytes.load(Ordering::Relaxed), 500);
    assert!(!bench.leg.continues(at(5)), "it left the queue");
    assert_eq!(bench.objects(), 5);
}

#[test]
fn a_late_leg_that_was_moved_begins_elsewhere() {
    let mut bench = Bench::with(Some(1000));
    bench.leg.start_queue(1 << 20).unwrap();
    bench.leg.begin_at(at(0)).unwrap();
    bench.leg.change_later(block(&[1; 950]), at(0), at(1));
    bench.leg.catch_up();
    bench.leg.hear();
    assert!(bench.leg.continues(at(1)) && bench.leg.end().is_behind_warning());
    bench.leg.moved();
    assert!(!bench.leg.continues(at(1)) && !bench.leg.end().is_behind_warning());
    bench.leg.begin_at(at(0)).unwrap();
    assert!(bench.leg.continues(at(0)));
    assert_eq!(bench.leg.core().at().map(|at| at.object.0), Some(0));
}

#[test]
fn a_warning_is_heard_whatever_was_stored_behind_it() {
    let mut bench = Bench::with(Some(1000));
    bench.leg.start_queue(1 << 20).unwrap();
    bench.leg.begin_at(at(0)).unwrap();
    bench.leg.change_later(block(&[1; 950]), at(0), at(1));
    bench.leg.cut_later(at(1));
    bench.leg.catch_up();
    assert!(bench.leg.hear());
    assert!(!bench.leg.hear(), "once");
}

#[test]
fn a_late_leg_is_unloaded_behind_what_waits() {
    let mut bench = Bench::new();
    bench.leg.start_queue(1 << 20).unwrap();
    bench.leg.begin_at(at(0)).unwrap();
    bench.leg.change_later(marks(2), at(0), at(2));
    bench.leg.unload_later(at(2));
    bench.leg.catch_up();
    assert!(!bench.leg.hear() && bench.leg.in_step());
    let ready = bench.leg.core().drive().test_ready();
    assert!(ready.is_err(), "it is unloaded");
    assert!(!bench.leg.continues(at(2)));
    let load = |core: &mut Core| core.act(|drive| drive.load(LoadKind::Load));
    load(&mut bench.leg.core()).unwrap();
    assert_eq!(bench.objects(), 2);
}

#[test]
fn a_leg_that_failed_is_told_from_one_that_was_set_aside() {
    let mut bench = Bench::new();
    bench.leg.set_aside(ObjectNumber(2), &Cause::Panicked);
    assert!(bench.leg.is_out_of_step() && !bench.leg.has_failed());
    bench.leg.trust();
    bench.leg.differs(&Cause::Incapable);
    assert!(bench.leg.is_out_of_step() && !bench.leg.has_failed());
    assert_eq!((bench.no_copy_from(), bench.mark()), (Some(0), Some(0)));
    bench.leg.trust();
    bench.leg.lose(ObjectNumber(2), &Cause::Incapable);
    assert!(bench.leg.has_failed());
    bench.leg.back_in_step(None).unwrap();
    assert!(!bench.leg.has_failed());
}

#[test]
fn a_closed_volume_is_no_rescue_any_more() {
    let gone = Cause::Gone.to_string();
    for (loses, expected) in [(true, Some(7)), (false, Some(0))] {
        let mut bench = Bench::new();
        if loses {
            bench.leg.lose(ObjectNumber(7), &Cause::Incapable);
        }
        bench.leg.forget_rescue();
        assert_eq!(bench.no_copy_from(), expected);
        assert_eq!(bench.leg.board().first_error(), Some(gone.clone()));
        let LegState::OutOfStep { reason, .. } = bench.leg.board().state() else {
            panic!("it is no copy");
        };
        assert_eq!(reason, gone);
    }
    let mut bench = Bench::new();
    bench.leg.drop_out(ObjectNumber(3));
    bench.leg.forget_rescue();
    assert!(matches!(
        bench.leg.board().state(),
        LegState::Dropped { .. }
    ));
}

#[test]
fn the_board_counts_what_a_leg_stored_and_what_still_fits() {
    let mut bench = Bench::new();
    let room = |leg: &Leg| leg.board().room_bytes.load(Ordering::Relaxed);
    bench.leg.refresh().unwrap();
    assert_eq!(room(&bench.leg), u64::MAX, "not known");
    bench.leg.stored(10, 20);
    assert_eq!(room(&bench.leg), u64::MAX);
    bench.leg.lengthened(5);
    let stored = bench.leg.board().stored_bytes.load(Ordering::Relaxed);
    assert_eq!(stored, 15);
    bench.leg.note_damage("first", false);
    bench.leg.note_damage("second", true);
    assert_eq!(bench.leg.board().first_error().as_deref(), Some("first"));
    assert_eq!(bench.leg.board().repairs.load(Ordering::Relaxed), 1);
    assert_eq!(bench.leg.board().read_only(), None);
    bench.leg.board().show_read_only(Some("write protected"));
    let shown = bench.leg.board().read_only();
    assert_eq!(shown, Some("write protected"));
}

#[test]
fn a_leg_says_whether_it_can_be_written_and_where_its_data_end() {
    let mut bench = Bench::new();
    assert!(!bench.leg.is_untried());
    assert_eq!(bench.leg.writability(), Writability::Unknown);
    assert_eq!(bench.leg.look_at_writability(), Writability::Writable);
    assert_eq!(bench.leg.writability(), Writability::Writable);
    bench.write(marks(3));
    assert!(bench.leg.ends_at(at(3)).unwrap());
    assert!(!bench.leg.ends_at(at(1)).unwrap());
    assert_eq!(bench.leg.core().at().map(|at| at.object.0), Some(1));
    let failed = Failed::at(Sense::HardwareError, None);
    let cause = bench.leg.explain(&failed);
    assert_eq!(cause.to_string(), failed.to_string());
    assert_eq!(bench.leg.name(), "a");
    assert!(bench.leg.is_required() && bench.leg.keeps_blocks() && !bench.leg.is_late());
    bench.leg.start_queue(100).unwrap();
    assert!(bench.leg.is_late());
}

#[test]
fn another_drive_in_a_leg_is_at_no_known_place() {
    let mut bench = Bench::new();
    bench.leg.back_in_step(Some(ObjectNumber(5))).unwrap();
    bench.write(marks(1));
    let other = Box::new(NullDrive::new(NullLimits::default()));
    let old = bench.leg.replace_drive(other);
    assert!(matches!(old.noted(), Noted::NotMirroredFrom(_)));
    assert_eq!(bench.leg.misses_from(), None);
    assert_eq!(bench.leg.core().at(), None);
    assert!(!bench.leg.is_marked(), "the new one has no place for that");
}

#[test]
fn how_long_writes_take_is_known_from_the_last_ones() {
    let bench = Bench::new();
    let pace = bench.leg.seat().pace();
    assert!(pace.usual_ns() > 100_000, "long, until it is known");
    for _ in 0..200 {
        pace.took(std::time::Duration::from_nanos(800));
    }
    let usual = pace.usual_ns();
    assert!((700..1000).contains(&usual), "{usual}");
    pace.took(std::time::Duration::from_nanos(80_000));
    assert!((10_000..12_000).contains(&pace.usual_ns()), "an eighth");
}
