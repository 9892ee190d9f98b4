//! Legs that have what was written later: the bound of their queues, what counts against their ends, and what
//! becomes of them when they fail.

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use pseudotape_drive::Personality;
use pseudotape_mirror::{Class, LegBoard, LegState, MirrorDrive, MirrorOptions, When};
use pseudotape_tape::{Drive, Sense, Stop, Transfer};
use pseudotape_testkit::{SuiteMedium, block_of};

use support::job::{BLOCK, blank, blocks, commit, locate, lost_from, marks, with_legs, write};
use support::{Faults, Watched, model};

fn pair(late: &Watched, when: When, class: Class, queue_bytes: u64) -> (MirrorDrive, Watched) {
    let prompt = blank(0);
    let mut new = late.late("late", when);
    new.options.class = class;
    new.options.reserve_bytes = Some(queue_bytes);
    let options = MirrorOptions {
        queue_bytes,
        ..MirrorOptions::default()
    };
    (with_legs(options, vec![prompt.leg("a"), new]), prompt)
}

fn board(mirror: &MirrorDrive) -> Arc<LegBoard> {
    let mut legs = mirror.legs();
    let late = legs.find(|(options, _)| options.name == "late");
    late.expect("the late leg").1
}

fn queued(board: &LegBoard) -> (u64, u64) {
    (
        board.queued_bytes.load(Ordering::Relaxed),
        board.queued_objects.load(Ordering::Relaxed),
    )
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(100), "{what}");
        thread::yield_now();
    }
}

#[test]
fn a_queue_is_bounded_in_bytes_and_the_program_waits_when_it_is_full() {
    let late = blank(0);
    late.hold(true);
    let (mut mirror, prompt) = pair(&late, When::Deferred, Class::Required, 5000);
    let board = board(&mirror);
    let writer = thread::spawn(move || {
        (0..20).for_each(|number| write(&mut mirror, number).unwrap());
        mirror
    });
    // Four blocks, with what counts for each, and no fifth one.
    wait_until("the queue fills", || {
        queued(&board) == (4 * BLOCK as u64, 4)
    });
    // Gives a fifth one the time to come. A slower machine gives it less, and fails for no other reason.
    thread::sleep(Duration::from_millis(50));
    assert_eq!(queued(&board), (4 * BLOCK as u64, 4));
    assert!(!writer.is_finished(), "it waits");
    assert!(prompt.changes() <= 5);
    late.hold(false);
    let mirror = writer.join().unwrap();
    support::plan::finish(mirror).unwrap();
    assert_eq!(late.contents(), blocks(0..20));
    assert_eq!(queued(&board), (0, 0));
}

#[test]
fn marks_fill_a_queue_too() {
    let late = blank(0);
    late.hold(true);
    let (mut mirror, _) = pair(&late, When::Deferred, Class::Required, 5000);
    let board = board(&mirror);
    let writer = thread::spawn(move || {
        for _ in 0..1000 {
            marks(&mut mirror, 1, pseudotape_tape::WriteMode::Immediate).unwrap();
        }
        mirror
    });
    wait_until("the queue fills", || queued(&board).1 >= 70);
    // As above.
    thread::sleep(Duration::from_millis(50));
    assert!(queued(&board).1 <= 5000 / 64 + 1, "{:?}", queued(&board));
    late.hold(false);
    support::plan::finish(writer.join().unwrap()).unwrap();
    assert_eq!(late.contents().len(), 1000);
}

#[test]
fn what_is_not_yet_stored_counts_against_early_warning() {
    // Room for 20 blocks before early warning, and for 5 more before the end.
    let medium = SuiteMedium {
        capacity_bytes: Some(25 * BLOCK as u64),
        early_warning_bytes: 5 * BLOCK as u64,
        ..SuiteMedium::default()
    };
    let late = Watched::new(model(Personality::default(), medium)).with(Faults {
        delay: Duration::from_millis(2),
        ..Faults::default()
    });
    let (mut mirror, prompt) = pair(&late, When::Deferred, Class::Required, 1 << 20);
    let mut warned_at = None;
    let mut count = 0;
    for number in 0.. {
        let done = mirror
            .write(Transfer::Variable, &block_of(number, BLOCK))
            .unwrap();
        if done.count == 0 {
            assert_eq!(done.stop, Some(Stop::EndOfPartition));
            break;
        }
        count += 1;
        if done.stop == Some(Stop::EarlyWarning) {
            warned_at.get_or_insert(count);
        }
    }
    assert_eq!((warned_at, count), (Some(20), 25));
    support::plan::finish(mirror).unwrap();
    assert_eq!(late.contents(), blocks(0..25));
    assert_eq!(prompt.contents(), blocks(0..25));
}

#[test]
fn a_leg_is_caught_up_before_the_unload_is_answered_and_a_deferred_one_afterwards() {
    for when in [When::Unload, When::Deferred] {
        let late = blank(0).with(Faults {
            delay: Duration::from_millis(5),
            ..Faults::default()
        });
        let (mut mirror, _) = pair(&late, when, Class::Required, 1 << 20);
        // Held, so that the lag does not depend on which thread is the faster one.
        late.hold(true);
        (0..20).for_each(|number| write(&mut mirror, number).unwrap());
        // A commit alone waits for nobody who promised nothing.
        commit(&mut mirror).unwrap();
        let board = board(&mirror);
        let (bytes, objects) = queued(&board);
        assert!(
            bytes >= 10 * BLOCK as u64 && objects >= 10,
            "the lag is visible"
        );
        let stored = board.stored_bytes.load(Ordering::Relaxed);
        assert!(stored + bytes <= 20 * BLOCK as u64);
        if when == When::Unload {
            late.hold(false);
        }
        mirror.unload().unwrap();
        if when == When::Unload {
            assert_eq!(queued(&board), (0, 0));
            assert_eq!(late.peek(), blocks(0..20));
        } else {
            assert!(queued(&board).1 > 0);
            late.hold(false);
        }
        support::plan::finish(mirror).unwrap();
        assert_eq!(late.peek(), blocks(0..20));
    }
}

#[test]
fn a_late_leg_that_dies_is_out_of_step_from_what_it_has_not() {
    for class in [Class::Required, Class::Spare] {
        for nth in 1..6 {
            let late = blank(0).with(Faults {
                change: Some((nth, Sense::NoDrive)),
                ..Faults::default()
            });
            let (mut mirror, prompt) = pair(&late, When::Unload, class, 1 << 20);
            let mut acknowledged = 0;
            while acknowledged < 10 && write(&mut mirror, acknowledged).is_ok() {
                acknowledged += 1;
            }
            let unloaded = mirror.unload();
            let is_lost = matches!(board(&mirror).state(), LegState::OutOfStep { .. });
            assert!(is_lost && lost_from(&mirror, "late") == Some(nth - 1));
            let is_told = acknowledged < 10 || unloaded.is_err();
            assert_eq!(is_told, class == Class::Required);
            assert_eq!(prompt.peek(), blocks(0..acknowledged));
            assert_eq!(late.peek(), blocks(0..nth - 1));
            // It comes back with what is missing.
            late.set(Faults::default());
            mirror.load(pseudotape_tape::LoadKind::Load).unwrap();
            let resynced = mirror.resync("late").unwrap();
            assert_eq!(
                (resynced.common, resynced.copied),
                (nth - 1, acknowledged - (nth - 1))
            );
            locate(&mut mirror, acknowledged).unwrap();
            write(&mut mirror, acknowledged).unwrap();
            mirror.unload().unwrap();
            assert_eq!(late.peek(), blocks(0..acknowledged + 1));
            assert_eq!(prompt.peek(), blocks(0..acknowledged + 1));
        }
    }
}

#[test]
fn a_late_leg_that_is_the_last_one_left_does_everything_at_once() {
    let late = blank(0);
    let prompt = blank(0);
    let new = vec![prompt.spare("a"), late.late("late", When::Unload)];
    let mut mirror = with_legs(MirrorOptions::default(), new);
    (0..3).for_each(|number| write(&mut mirror, number).unwrap());
    prompt.set(Faults {
        change: Some((1, Sense::NoDrive)),
        read: Some((1, Sense::NoDrive)),
        motion: Some((1, Sense::NoDrive)),
        ..Faults::default()
    });
    (3..6).for_each(|number| write(&mut mirror, number).unwrap());
    assert_eq!(lost_from(&mirror, "a"), Some(3));
    write(&mut mirror, 6).unwrap();
    assert_eq!(late.contents(), blocks(0..7), "nothing waits");
    mirror.rewind().unwrap();
    let mut buffer = vec![0; BLOCK];
    for number in 0..7 {
        mirror.read(Transfer::Variable, &mut buffer).unwrap();
        assert_eq!(buffer, block_of(number, BLOCK));
    }
    locate(&mut mirror, 2).unwrap();
    write(&mut mirror, 9).unwrap();
    mirror.unload().unwrap();
    assert_eq!(late.peek().len(), 3);
}

/// A drive with an error of its own, which is none of the other legs.
#[test]
fn a_late_leg_whose_drive_panics_hangs_nobody() {
    let late = blank(0).with(Faults {
        panics: Some(3),
        ..Faults::default()
    });
    let (mut mirror, prompt) = pair(&late, When::Unload, Class::Spare, 1 << 20);
    (0..10).for_each(|number| write(&mut mirror, number).unwrap());
    mirror.unload().unwrap();
    assert_eq!(lost_from(&mirror, "late"), Some(2));
    assert_eq!(prompt.peek(), blocks(0..10));
}

/// What it was told after its failure is missing as well, whoever asks first.
#[test]
fn a_late_leg_that_failed_before_it_was_dropped_is_marked_from_what_it_has_not() {
    let late = blank(0).with(Faults {
        change: Some((4, Sense::HardwareError)),
        ..Faults::default()
    });
    late.hold(true);
    let (mut mirror, _) = pair(&late, When::Deferred, Class::Spare, 1 << 20);
    (0..10).for_each(|number| write(&mut mirror, number).unwrap());
    late.hold(false);
    mirror.drop_leg("late").unwrap();
    assert_eq!(lost_from(&mirror, "late"), Some(3));
    let noted = late.noted().last().copied();
    assert_eq!(noted, Some(Some(pseudotape_tape::ObjectNumber(3))));
    assert_eq!(late.peek(), blocks(0..3));
}

/// What was erased on some legs before another one failed is no longer on a late one either.
#[test]
fn an_erasure_that_fails_on_one_leg_reaches_the_late_ones() {
    let (prompt, failing, late) = (blank(0), blank(0), blank(0));
    let new = vec![
        prompt.leg("a"),
        failing.leg("b"),
        late.late("late", When::Unload),
    ];
    let mut mirror = with_legs(MirrorOptions::default(), new);
    (0..3).for_each(|number| write(&mut mirror, number).unwrap());
    mirror.rewind().unwrap();
    let mut buffer = vec![0; BLOCK];
    // Leg a alone moves by that; the erasure brings leg b there.
    mirror.read(Transfer::Variable, &mut buffer).unwrap();
    failing.set(Faults {
        motion: Some((1, Sense::NoDrive)),
        ..Faults::default()
    });
    let erased = mirror.erase(pseudotape_tape::EraseExtent::Short);
    assert_eq!(erased.unwrap_err().sense, Sense::HardwareError);
    assert!(lost_from(&mirror, "b").is_some());
    // Leg b is required, and lost.
    assert!(mirror.unload().is_err());
    assert_eq!(prompt.peek(), blocks(0..1));
    assert_eq!(late.peek(), blocks(0..1));
}
