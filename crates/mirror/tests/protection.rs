//! PT-18: no leg takes a record before every required leg is known to take it.

mod support;

use pseudotape_drive::Personality;
use pseudotape_mirror::{Class, LegState, MirrorDrive, MirrorOptions, When};
use pseudotape_tape::{Drive, EraseExtent, Mark, Partitioning, Sense, Writability, WriteMode};
use pseudotape_testkit::{ModelCartridge, ModelDrive, ModelObject, block_of};

use support::job::{BLOCK, locate, lost_from, mirror_of, state, with_legs, write};
use support::{Faults, Watched};

/// What is on the volumes before anything is done.
fn recorded() -> Vec<ModelObject> {
    let blocks = (0..5).map(|number| ModelObject::Block(block_of(number, BLOCK)));
    blocks.chain([ModelObject::Filemark]).collect()
}

fn leg_with(cartridge: ModelCartridge) -> Watched {
    let mut drive = ModelDrive::new(Personality::named("dds").unwrap());
    drive.insert(ModelCartridge {
        partitions: vec![recorded()],
        ..cartridge
    });
    Watched::new(drive)
}

fn leg() -> Watched {
    leg_with(ModelCartridge::default())
}

fn worm() -> Watched {
    let worm = true;
    leg_with(ModelCartridge {
        worm,
        ..ModelCartridge::default()
    })
    .says(Writability::AppendOnly)
}

type Act = fn(&mut MirrorDrive) -> Result<(), Sense>;

/// Everything that changes a volume.
const CHANGES: [(&str, Act); 5] = [
    ("a block", |mirror| write(mirror, 77)),
    ("marks", |mirror| {
        let done = mirror.write_marks(Mark::Filemark, 2, WriteMode::Commit);
        done.map(drop).map_err(|failed| failed.sense)
    }),
    ("an erasure", |mirror| {
        let done = mirror.erase(EraseExtent::Long);
        done.map(drop).map_err(|failed| failed.sense)
    }),
    ("partitions", |mirror| {
        let done = mirror.make_partitions(Partitioning::SecondOf(1));
        done.map(drop).map_err(|failed| failed.sense)
    }),
    ("one partition", |mirror| {
        let done = mirror.make_partitions(Partitioning::Single);
        done.map(drop).map_err(|failed| failed.sense)
    }),
];

#[track_caller]
fn untouched(leg: &Watched, case: &str) {
    // The blocks are too long to be shown.
    let is_untouched = leg.partitions() == Some(vec![recorded()]);
    assert!(is_untouched, "{case}");
}

#[test]
fn nothing_is_written_beside_a_required_leg_that_can_only_be_read() {
    for (writability, why) in [
        (Writability::OpenedReadOnly, "opened for reading only"),
        (Writability::Protected, "write protected"),
        (
            Writability::DataMissing,
            "write protected, since committed data are missing: 'pseudotape accept-loss' lets it be written",
        ),
    ] {
        for order in [[0, 1], [1, 0]] {
            let legs = [leg(), leg().says(writability)];
            let ordered = order.map(|number| legs[number].clone());
            let mut mirror = mirror_of(&ordered, Class::Required);
            assert!(mirror.mode().unwrap().write_protected);
            for (what, change) in CHANGES {
                assert_eq!(change(&mut mirror), Err(Sense::WriteProtected), "{what}");
            }
            let said: Vec<_> = mirror
                .legs()
                .map(|(_, board)| (board.state(), board.read_only()))
                .collect();
            let expected = [None, Some(why)];
            let expected = order.map(|number| (LegState::InStep, expected[number]));
            assert_eq!(said, expected);
            legs.iter().for_each(|leg| untouched(leg, why));
        }
    }
}

#[test]
fn a_spare_leg_that_can_only_be_read_is_gone_on_without() {
    let kept = leg().says(Writability::OpenedReadOnly);
    let good = leg();
    let new = vec![good.leg("a"), kept.spare("b")];
    let mut mirror = with_legs(MirrorOptions::default(), new);
    assert!(!mirror.mode().unwrap().write_protected);
    assert_eq!(lost_from(&mirror, "b"), None, "it can be read");
    assert_eq!(locate(&mut mirror, 3), Ok(3));
    assert_eq!(write(&mut mirror, 77), Ok(()));
    let LegState::OutOfStep { from, reason } = state(&mirror, "b") else {
        panic!("it misses the block");
    };
    assert_eq!(
        (from.0, reason.as_str()),
        (3, "its volume is opened for reading only")
    );
    untouched(&kept, "it was not even tried");
    assert_eq!(good.partitions().unwrap()[0].len(), 4);
}

#[test]
fn too_few_legs_that_can_be_written_protect_the_medium() {
    let legs = [leg(), leg().says(Writability::Protected)];
    let new = vec![legs[0].spare("a"), legs[1].spare("b")];
    let options = MirrorOptions {
        min_legs: 2,
        ..MirrorOptions::default()
    };
    let mut mirror = with_legs(options, new);
    assert!(mirror.mode().unwrap().write_protected);
    assert_eq!(write(&mut mirror, 77), Err(Sense::WriteProtected));
    legs.iter().for_each(|leg| untouched(leg, "too few"));
}

#[test]
fn a_leg_that_was_dropped_protects_nothing_and_one_that_comes_back_must_be_writable() {
    let legs = [leg(), leg().says(Writability::OpenedReadOnly)];
    let mut mirror = mirror_of(&legs, Class::Required);
    assert_eq!(write(&mut mirror, 77), Err(Sense::WriteProtected));
    mirror.drop_leg("b").unwrap();
    assert!(!mirror.mode().unwrap().write_protected);
    assert_eq!(write(&mut mirror, 77), Ok(()));
    let refused = mirror.resync("b").unwrap_err().to_string();
    assert_eq!(refused, "leg b: its volume is opened for reading only");
    untouched(&legs[1], "it can't be written");
    let _same = legs[1].clone().says(Writability::Writable);
    mirror.resync("b").unwrap();
    assert_eq!(write(&mut mirror, 78), Ok(()));
    assert!(legs[0].partitions() == legs[1].partitions());
}

#[test]
fn a_worm_leg_keeps_the_others_from_being_overwritten() {
    for order in [[0, 1], [1, 0]] {
        let legs = [leg(), worm()];
        let ordered = order.map(|number| legs[number].clone());
        let mut mirror = mirror_of(&ordered, Class::Required);
        assert!(!mirror.mode().unwrap().write_protected);
        for (what, change) in CHANGES {
            for place in [0, 3] {
                assert_eq!(locate(&mut mirror, place), Ok(place));
                let changed = change(&mut mirror);
                assert_eq!(changed, Err(Sense::WormOverwrite), "{what} at {place}");
            }
        }
        // At the end of data nothing is overwritten; cutting into partitions would lose all of it there too.
        assert_eq!(locate(&mut mirror, 6), Ok(6));
        let (what, cut) = CHANGES[3];
        assert_eq!(cut(&mut mirror), Err(Sense::WormOverwrite), "{what}");
        assert_eq!(locate(&mut mirror, 6), Ok(6));
        for number in 6..9 {
            assert_eq!(write(&mut mirror, number), Ok(()));
        }
        assert_eq!(locate(&mut mirror, 8), Ok(8));
        assert_eq!(write(&mut mirror, 77), Err(Sense::WormOverwrite));
        for name in ["a", "b"] {
            assert_eq!(lost_from(&mirror, name), None);
        }
        let behind = (6..9).map(|number| ModelObject::Block(block_of(number, BLOCK)));
        let whole: Vec<_> = recorded().into_iter().chain(behind).collect();
        for leg in &legs {
            assert!(leg.partitions() == Some(vec![whole.clone()]));
        }
    }
}

/// Makes changes on a good leg and another one, in both orders. The changes are refused, and both legs stay as they
/// were.
fn refused_for_both(sense: Sense, changes: &[(&str, Act)], other: impl Fn() -> Watched) {
    for order in [[0, 1], [1, 0]] {
        for (what, change) in changes {
            let case = format!("{what}, {sense}, {order:?}");
            let legs = [leg(), other().says(Writability::Untried)];
            let ordered = order.map(|number| legs[number].clone());
            let mut mirror = mirror_of(&ordered, Class::Required);
            assert_eq!(change(&mut mirror), Err(sense), "{case}");
            for name in ["a", "b"] {
                assert_eq!(lost_from(&mirror, name), None, "{case}");
            }
            legs.iter().for_each(|leg| untouched(leg, &case));
        }
    }
}

/// A drive of which no request tells that its medium is append-only, and a server that answers a write with EROFS.
#[test]
fn a_leg_that_only_a_write_can_tell_of_goes_first() {
    refused_for_both(Sense::WormOverwrite, &CHANGES, worm);
    for sense in [Sense::WriteProtected, Sense::IllegalRequest] {
        let refuses = Faults {
            change: Some((1, sense)),
            ..Faults::default()
        };
        refused_for_both(sense, &CHANGES[..2], || leg().with(refuses));
    }
}

#[test]
fn a_late_leg_that_only_a_write_can_tell_of_is_asked_before_the_others_are_written() {
    let legs = [leg(), leg().says(Writability::Untried)];
    let new = vec![legs[0].leg("a"), legs[1].late("b", When::Deferred)];
    let mut mirror = with_legs(MirrorOptions::default(), new);
    legs[1].set(Faults {
        change: Some((1, Sense::WormOverwrite)),
        ..Faults::default()
    });
    assert_eq!(write(&mut mirror, 77), Err(Sense::WormOverwrite));
    legs.iter().for_each(|leg| untouched(leg, "it was asked"));
    assert_eq!(write(&mut mirror, 77), Ok(()), "the fault is gone");
    assert_eq!(write(&mut mirror, 78), Ok(()));
    drop(mirror);
    assert!(legs[0].partitions() == legs[1].partitions());
}
