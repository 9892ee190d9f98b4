use super::*;
use crate::volume::Digest;

fn backup(sequence: u64, written_ms: u64) -> BackupDescription {
    BackupDescription {
        site: Uuid::from_u128(1),
        site_name: "mondays".to_owned(),
        sequence,
        written_ms,
        schema: 1,
        volumes: 0,
        length: 1,
        digest: Digest([u8::try_from(sequence).expect("small"); 32]),
        catalog_length: 1,
        catalog_digest: Digest([0; 32]),
    }
}

fn on(name: &str, found: Found) -> Surveyed {
    Surveyed {
        name: name.to_owned(),
        found,
    }
}

fn absent(name: &str) -> Surveyed {
    let cause = "no such file".to_owned();
    on(name, Found::Absent { cause })
}

fn torn(name: &str, description: Option<BackupDescription>) -> Surveyed {
    let cause = "torn".to_owned();
    on(name, Found::Damaged { cause, description })
}

/// VT-03: ten volumes, three missing, one torn.
#[test]
fn the_highest_number_that_is_undamaged_wins_whatever_the_clocks_say() {
    let surveyed = [
        on("A", Found::Backup(backup(3, 9000))),
        absent("B"),
        on("C", Found::Backup(backup(7, 1000))),
        torn("D", Some(backup(9, 9500))),
        on("E", Found::Nothing),
        absent("F"),
        on("G", Found::Backup(backup(6, 9999))),
        on("H", Found::Nothing),
        absent("I"),
        on("J", Found::Backup(backup(7, 1000))),
    ];
    let choice = choose(&surveyed, None, 10_000).expect("one is there");
    assert_eq!(choice.description.sequence, 7);
    assert_eq!(choice.places, [2, 9], "each copy of it is as good");
    assert_eq!(choice.highest, 9, "the torn one's number is used up");
    let warnings: Vec<_> = choice.warnings.iter().map(ToString::to_string).collect();
    assert!(
        warnings[0].contains("backup 7 has an earlier time than backup 3"),
        "{warnings:?}"
    );
    assert!(
        warnings[1].contains("a newer backup, 9, was on D, and is damaged"),
        "{warnings:?}"
    );
    assert_eq!(warnings.len(), 2);
}

/// VT-07: the choice is a maximum over what is undamaged, in whatever order it was met.
#[test]
fn no_order_and_no_torn_backup_changes_the_choice() {
    for seed in 0..2000_u64 {
        let mut state = seed;
        let mut roll = |sides: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % sides
        };
        let surveyed: Vec<_> = (0..roll(9))
            .map(|at| {
                let one = backup(roll(6), roll(9) * 1_000_000);
                let name = at.to_string();
                match roll(4) {
                    0 => torn(&name, Some(one)),
                    1 => absent(&name),
                    _ => on(&name, Found::Backup(one)),
                }
            })
            .collect();
        let mut best: Option<(u64, u64)> = None;
        for one in &surveyed {
            if let Found::Backup(found) = &one.found {
                best = best.max(Some((found.sequence, found.written_ms)));
            }
        }
        let chosen = |surveyed: &[Surveyed]| {
            let choice = choose(surveyed, None, u64::MAX).ok()?;
            for place in &choice.places {
                assert_eq!(
                    surveyed[*place].found,
                    Found::Backup(choice.description.clone())
                );
            }
            Some((choice.description.sequence, choice.description.written_ms))
        };
        assert_eq!(chosen(&surveyed), best, "seed {seed}: {surveyed:?}");
        let mut other = surveyed.clone();
        other.reverse();
        assert_eq!(chosen(&other), best, "seed {seed}, reversed");
    }
}

/// VT-03.
#[test]
fn a_stamp_in_the_future_is_warned_of() {
    let surveyed = [on("A", Found::Backup(backup(1, 5_000_000)))];
    let minutes = |now| choose(&surveyed, None, now).expect("one").warnings;
    assert_eq!(minutes(5_000_000 - CLOCKS_DIFFER_MS), []);
    let warnings = minutes(5_000_000 - CLOCKS_DIFFER_MS - 1);
    assert!(
        warnings[0]
            .to_string()
            .contains("A has a time that is 300 s in the future"),
        "{warnings:?}"
    );
}

#[test]
fn two_backups_with_one_number_are_told_of() {
    let mut other = backup(4, 2000);
    other.digest = Digest([99; 32]);
    let surveyed = [
        on("A", Found::Backup(backup(4, 1000))),
        on("B", Found::Backup(other)),
    ];
    let choice = choose(&surveyed, None, 10_000).expect("one");
    assert_eq!(
        (choice.description.written_ms, choice.places),
        (2000, vec![1])
    );
    assert!(
        choice.warnings[0]
            .to_string()
            .contains("two machines wrote"),
        "{:?}",
        choice.warnings
    );
}

#[test]
fn several_vaults_are_never_mixed() {
    let mut other = backup(9, 1000);
    (other.site, other.site_name) = (Uuid::from_u128(2), "tuesdays".to_owned());
    let surveyed = [
        on("A", Found::Backup(backup(4, 1000))),
        on("B", Found::Backup(other)),
    ];
    let refused = choose(&surveyed, None, 10_000)
        .expect_err("which?")
        .to_string();
    assert!(
        refused.contains("of 2 vaults: mondays (") && refused.contains("--site"),
        "{refused}"
    );
    let choice = choose(&surveyed, Some(Uuid::from_u128(1)), 10_000).expect("said");
    assert_eq!((choice.description.sequence, choice.highest), (4, 4));
    let refused = choose(&surveyed, Some(Uuid::from_u128(3)), 10_000).expect_err("not there");
    assert!(matches!(refused, NoChoice::OtherSites { .. }), "{refused}");
    let useless = [torn("A", Some(backup(1, 1))), absent("B")];
    let nothing = choose(&useless, None, 0);
    assert_eq!(nothing, Err(NoChoice::Nothing));
}

#[test]
fn a_backup_of_a_newer_program_is_told_of() {
    let cause = "version 2".to_owned();
    let surveyed = [
        on("A", Found::Backup(backup(4, 1000))),
        on("B", Found::Newer { cause }),
    ];
    let choice = choose(&surveyed, None, 10_000).expect("one");
    assert!(
        choice.warnings[0]
            .to_string()
            .contains("B was written by a newer pseudotape")
    );
}
