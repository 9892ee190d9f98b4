use pseudotape_image::{Uuid, VolumeId};

use super::*;
use crate::pool::StackState;
use crate::volume::{Block, Digest};

fn volume() -> Volume {
    Volume {
        label: "MON001".parse().expect("a label"),
        identity: VolumeId(Uuid::from_u128(1)),
        category: Category::Private,
        availability: Availability::Ok,
        block: None,
        opening: Opening::Closed,
        generation: 1,
        image: Some("MON001.ptape".to_owned()),
        image_generation: Some(1),
        added_ms: 0,
    }
}

fn file(number: u64, state: FileState) -> TapeFile {
    TapeFile {
        number,
        first_object: number * 10,
        blocks: 9,
        bytes: 900,
        digest: Some(Digest([u8::try_from(number).expect("small"); 32])),
        state,
    }
}

/// EN-02: the message names the state, who set it, and why.
#[test]
fn what_is_blocked_is_not_loaded_and_says_why() {
    for availability in Availability::ALL {
        for access in [Access::ReadOnly, Access::ReadWrite] {
            let blocked = Volume {
                availability: *availability,
                block: Some(Block {
                    by: Actor::Person("ada".to_owned()),
                    reason: "smells burnt".to_owned(),
                    since_ms: 0,
                }),
                ..volume()
            };
            let done = may_load(&blocked, access);
            match availability {
                Availability::Ok => assert_eq!(done, Ok(())),
                _ => assert_eq!(
                    done.expect_err("blocked").to_string(),
                    format!(
                        "volume MON001 is {availability}, set by ada on 1970-01-01T00:00:00Z: smells burnt"
                    )
                ),
            }
        }
    }
}

#[test]
fn only_scratch_and_private_volumes_are_written_and_no_open_one_is_loaded() {
    for category in Category::ALL {
        let volume = Volume {
            category: *category,
            ..volume()
        };
        assert_eq!(may_load(&volume, Access::ReadOnly), Ok(()));
        let expected = matches!(category, Category::Scratch | Category::Private);
        assert_eq!(may_load(&volume, Access::ReadWrite).is_ok(), expected);
        let open = Volume {
            opening: Opening::Open,
            ..volume
        };
        for access in [Access::ReadOnly, Access::ReadWrite] {
            may_load(&open, access).expect_err("open");
        }
    }
}

#[test]
fn the_last_copy_of_what_somebody_wants_stays() {
    let listed = |category| Listed {
        volume: Volume {
            category,
            ..volume()
        },
        files: 0,
        bytes: 0,
        faulty: 0,
    };
    let private = listed(Category::Private);
    for state in FileState::ALL {
        let files = [file(0, FileState::Released), file(1, *state)];
        let wanted = !matches!(state, FileState::Released | FileState::Lost);
        let done = may_remove(&private, &files, &[], LastCopy::Kept);
        assert_eq!(done.is_err(), wanted, "{state}");
        if let Err(error) = done {
            let error = error.to_string();
            assert!(
                error.contains("has 1 tape file that somebody wants (900 bytes)"),
                "{error}"
            );
        }
        let may_go = may_remove(&private, &files, &[], LastCopy::MayGo);
        assert_eq!(may_go, Ok(()));
        let scratch = listed(Category::Scratch);
        assert_eq!(may_remove(&scratch, &files, &[], LastCopy::Kept), Ok(()));
    }
    let mut open = private;
    open.volume.opening = Opening::Open;
    for last_copy in [LastCopy::Kept, LastCopy::MayGo] {
        may_remove(&open, &[], &[], last_copy).expect_err("a drive has it");
    }
}

/// A copy counts that is of this generation and can be read; what is said of others is that there is none.
#[test]
fn a_volume_with_copies_goes_with_another_word_than_the_last_copy() {
    let listed = Listed {
        volume: Volume {
            category: Category::Private,
            generation: 3,
            ..volume()
        },
        files: 1,
        bytes: 900,
        faulty: 0,
    };
    let files = [file(0, FileState::Ok)];
    for state in StackState::ALL {
        for generation in [2, 3] {
            let copy = ArchiveCopy {
                stacked_volume: "STK001".parse().expect("a label"),
                stacked_identity: Uuid::from_u128(7),
                pool: "primary".parse().expect("a label"),
                state: *state,
                file: 1,
                generation,
                length: 1,
                digest: None,
                closed_ms: 1,
                at_ms: 2,
            };
            let refused = may_remove(&listed, &files, &[copy], LastCopy::Kept);
            let words = refused.expect_err("somebody wants it").to_string();
            let is_copy = generation == 3 && state.is_readable();
            assert_eq!(words.contains("knows no other copy"), !is_copy, "{words}");
            let there = format!("its copies stay on STK001 ({state}, pool primary)");
            assert_eq!(words.contains(&there), is_copy, "{words}");
        }
    }
}

#[test]
fn what_was_decided_stays_while_the_file_is_the_same() {
    use FileState::{Bad, Lost, Missing, Ok as Good, Released};
    let unread = |state| TapeFile {
        digest: None,
        ..file(3, state)
    };
    let other = TapeFile {
        digest: Some(Digest([99; 32])),
        ..file(3, Good)
    };
    let longer = TapeFile {
        blocks: 10,
        bytes: 1000,
        ..unread(Good)
    };
    let damaged = TapeFile {
        blocks: 4,
        bytes: 400,
        ..unread(Bad)
    };
    for (known, found, expected) in [
        // Nothing new.
        (file(3, Good), file(3, Good), file(3, Good)),
        (file(3, Released), file(3, Good), file(3, Released)),
        (file(3, Lost), file(3, Good), file(3, Lost)),
        // The digest of before stays where nobody computed one, and what is bad stays bad.
        (file(3, Good), unread(Good), file(3, Good)),
        (file(3, Bad), unread(Good), file(3, Bad)),
        (file(3, Missing), file(3, Good), file(3, Good)),
        (file(3, Bad), file(3, Good), file(3, Good)),
        // Damage that is new.
        (
            file(3, Good),
            damaged.clone(),
            TapeFile {
                digest: file(3, Good).digest,
                ..damaged
            },
        ),
        // Another file has its number.
        (file(3, Released), other.clone(), other),
        (file(3, Lost), longer.clone(), longer),
    ] {
        let after = files_after(&[file(2, Good), known.clone()], vec![found.clone()]);
        assert_eq!(after, [expected], "known {known:?}, found {found:?}");
    }
    assert_eq!(files_after(&[file(0, Good)], Vec::new()), []);
}
