//! References to volumes of farms, in the catalog.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use pseudotape_image::Uuid;
use pseudotape_vault::{
    ComingReference, FarmPlace, FileName, Kinds, Namesakes, Order, Purging, ReferenceKind,
    ReferredFile, Serial, Slots, Surroundings, Unknown, Vault, WantedVolume,
};

/// In memory, where that is a folder: these tests commit often, and no power fails.
fn folder() -> tempfile::TempDir {
    let memory = tempfile::tempdir_in("/dev/shm");
    memory.or_else(|_| tempfile::tempdir()).expect("a folder")
}

fn order() -> Order {
    Order::person("ada", "")
}

fn made(directory: &Path) -> Vault {
    let surroundings = Surroundings::seeded(1, 0);
    Vault::create(directory, "test", None, &order(), surroundings).expect("a vault")
}

fn opened(directory: &Path) -> Vault {
    Vault::open(directory, "test", Surroundings::seeded(2, 0)).expect("the vault")
}

fn serial(text: &str) -> Serial {
    text.parse().expect("a serial number")
}

fn wanted(name: &str, said: Option<&str>, namesakes: Namesakes) -> WantedVolume {
    let folder = said.map_or_else(|| name.to_owned(), |said| format!("{name}[{said}]"));
    WantedVolume {
        place: FarmPlace {
            name: name.to_owned(),
            host: "castor".to_owned(),
            root: "/farm".to_owned(),
            folder,
        },
        serial: said.map(serial),
        namesakes,
    }
}

const BACKUP: Kinds = Kinds {
    backup: Some(Slots::First),
    archive: false,
};
const BOTH: Kinds = Kinds {
    backup: Some(Slots::Both),
    archive: false,
};
const ARCHIVE: Kinds = Kinds {
    backup: None,
    archive: true,
};

fn coming(path: &str, capsule: u128) -> ComingReference {
    ComingReference {
        file: FileName::Path(path.as_bytes().to_vec()),
        title: path.trim_start_matches('/').as_bytes().to_vec(),
        capsule: Uuid::from_u128(capsule),
    }
}

/// Files arrive in a volume; those whose capsules are `there`.
fn arrive(vault: &mut Vault, of: &str, kinds: Kinds, files: &[(&str, u128)], there: &[u128]) {
    let of = serial(of);
    let files: Vec<_> = files
        .iter()
        .map(|(path, capsule)| coming(path, *capsule))
        .collect();
    vault
        .expect_references(&of, kinds, Unknown::Entered, &files)
        .expect("written down");
    let there: HashSet<_> = there.iter().copied().map(Uuid::from_u128).collect();
    vault
        .settle_references(&of, &there, &order())
        .expect("settled");
}

fn enter(vault: &mut Vault, name: &str, said: Option<&str>) -> String {
    let wanted = wanted(name, said, Namesakes::Allowed);
    let serial = vault.enter_farm_volume(&wanted, &order());
    serial.expect("a volume").to_string()
}

fn refused(vault: &Vault, wanted: &WantedVolume) -> String {
    let refused = vault.check_farm_volume(wanted);
    refused.expect_err("it is refused").to_string()
}

fn references(file: &ReferredFile) -> Vec<(ReferenceKind, &str)> {
    let references = file.references.iter();
    let shown = references.map(|one| (one.kind, one.volume.serial.as_str()));
    shown.collect()
}

/// CW-10: what did not arrive has no reference.
#[test]
fn only_files_that_arrived_have_references() {
    let folder = folder();
    let mut vault = made(&folder.path().join("vault"));
    enter(&mut vault, "V", Some("S1"));
    let files: Vec<_> = ["/a", "/b", "/c", "/d", "/e"]
        .into_iter()
        .zip(1..)
        .collect();
    arrive(&mut vault, "S1", BACKUP, &files, &[1, 2]);
    let files = vault.referred_files().expect("files");
    let paths: Vec<_> = files.iter().map(|file| &file.path[..]).collect();
    assert_eq!(paths, [b"/a", b"/b"]);
    assert!(vault.unsettled_volumes().expect("an answer").is_empty());
}

/// CW-11: a name has one serial number, a serial number one volume, and both are of a farm and no tape.
#[test]
fn a_name_a_serial_number_and_a_kind_fit_together_or_are_refused() {
    let folder = folder();
    let mut vault = made(&folder.path().join("vault"));
    let tape = vault
        .make(None, None, Some(1 << 20), &order())
        .expect("a tape");
    let tape = tape.volume.label.to_string();
    enter(&mut vault, "TEST", Some("TEST01"));
    let events = vault.events(None, 1).expect("events");
    assert_eq!(events[0].change.to.as_deref(), Some("TEST01 TEST"));

    let strict = |name, said| wanted(name, said, Namesakes::Refused);
    vault
        .check_farm_volume(&strict("TEST", Some("TEST01")))
        .expect("the same");
    vault
        .check_farm_volume(&strict("OTHER", Some("TEST02")))
        .expect("a new one");
    let words = refused(&vault, &strict("TEST", Some("TEST02")));
    assert!(
        words.contains("serial number TEST01, and not TEST02"),
        "{words}"
    );
    let words = refused(&vault, &strict("OTHER", Some("TEST01")));
    assert!(
        words.contains("TEST01 is the serial number of volume TEST"),
        "{words}"
    );
    let words = refused(&vault, &strict(&tape, Some("TEST02")));
    assert!(words.contains("is a tape of this vault"), "{words}");
    let words = refused(&vault, &strict("OTHER", Some(&tape)));
    assert!(words.contains("the label of a tape"), "{words}");
    // CW-12: where it is wanted, two serial numbers of one name live side by side.
    assert_eq!(enter(&mut vault, "TEST", Some("TEST02")), "TEST02");
    assert_eq!(vault.farm_volumes().expect("volumes").len(), 2);
}

/// CW-15, CW-17: they are counted from the one that was set, each is given once, and the last one is the last.
#[test]
fn serial_numbers_are_counted_and_never_begin_again() {
    let folder = folder();
    let directory = folder.path().join("vault");
    let mut vault = made(&directory);
    let words = refused(&vault, &wanted("A", None, Namesakes::Allowed));
    assert!(words.contains("needs a serial number"), "{words}");

    vault
        .set_series(&"DF0009".parse().expect("a series"), &order())
        .expect("set");
    enter(&mut vault, "SAID", Some("DF0011"));
    assert_eq!(enter(&mut vault, "A", None), "DF0009");
    assert_eq!(enter(&mut vault, "A", None), "DF0009", "the volume has one");
    assert_eq!(enter(&mut vault, "B", None), "DF0010");
    assert_eq!(enter(&mut vault, "C", None), "DF0012", "one is in use");

    // Several jobs at once.
    let given: Vec<String> = std::thread::scope(|scope| {
        let directory = &directory;
        let job = |job: usize| {
            scope.spawn(move || {
                let mut vault = opened(directory);
                let names = (0..5).map(|number| format!("J{job}-{number}"));
                names
                    .map(|name| enter(&mut vault, &name, None))
                    .collect::<Vec<_>>()
            })
        };
        let jobs: Vec<_> = (0..4).map(job).collect();
        jobs.into_iter()
            .flat_map(|job| job.join().expect("a job"))
            .collect()
    });
    let different: HashSet<_> = given.iter().collect();
    assert_eq!(different.len(), 20, "{given:?}");

    // What is told as the next one is the next one, also where numbers are in use.
    vault
        .set_series(&"DF9995".parse().expect("a series"), &order())
        .expect("set");
    for said in ["DF9995", "DF9996", "DF9998"] {
        enter(&mut vault, said, Some(said));
    }
    for expected in ["DF9997", "DF9999"] {
        let told = vault.series().expect("an answer").expect("a number");
        assert_eq!(told.serial().as_str(), expected);
        assert_eq!(enter(&mut vault, &format!("N{expected}"), None), expected);
    }
    let words = refused(&vault, &wanted("MORE", None, Namesakes::Allowed));
    assert!(words.contains("DF9999 was the last"), "{words}");
    assert_eq!(vault.series().expect("an answer"), None);
}

/// CW-22: the older reference becomes the second one, or both are to one volume.
#[test]
fn a_file_has_two_references_for_backups() {
    let folder = folder();
    let mut vault = made(&folder.path().join("vault"));
    for (name, serial) in [("U", "S1"), ("V", "S2"), ("W", "S3")] {
        enter(&mut vault, name, Some(serial));
    }
    let first = ReferenceKind::Backup(1);
    let second = ReferenceKind::Backup(2);
    let mut check = |of, kinds, capsule, expected: &[(ReferenceKind, &str)]| {
        arrive(&mut vault, of, kinds, &[("/f", capsule)], &[capsule]);
        let files = vault.referred_files().expect("files");
        assert_eq!(references(&files[0]), expected);
    };
    check("S1", BACKUP, 1, &[(first, "S1")]);
    check("S1", BACKUP, 2, &[(first, "S1")]);
    check("S2", BACKUP, 3, &[(first, "S2"), (second, "S1")]);
    check("S2", BACKUP, 4, &[(first, "S2"), (second, "S1")]);
    check("S3", BACKUP, 5, &[(first, "S3"), (second, "S2")]);
    check("S2", BACKUP, 6, &[(first, "S2"), (second, "S3")]);
    check("S1", BOTH, 7, &[(first, "S1"), (second, "S1")]);
    check("S3", BACKUP, 8, &[(first, "S3"), (second, "S1")]);
}

/// CW-14: the archive has each copy, with serial number, volume and site; one for each volume.
#[test]
fn the_archive_has_a_reference_for_each_copy() {
    let folder = folder();
    let mut vault = made(&folder.path().join("vault"));
    for (name, serial) in [("U", "S1"), ("V", "S2"), ("W", "S3")] {
        enter(&mut vault, name, Some(serial));
        arrive(&mut vault, serial, ARCHIVE, &[("/f", 1)], &[1]);
    }
    arrive(&mut vault, "S2", ARCHIVE, &[("/f", 4)], &[4]);
    let files = vault.referred_files().expect("files");
    let mut serials: Vec<_> = references(&files[0]).into_iter().map(|one| one.1).collect();
    serials.sort_unstable();
    assert_eq!(serials, ["S1", "S2", "S3"]);
    let of_v = files[0]
        .references
        .iter()
        .find(|one| one.volume.serial.as_str() == "S2");
    let of_v = of_v.expect("a reference");
    assert_eq!(of_v.capsule, Uuid::from_u128(4), "the later one");
    assert_eq!(
        (&of_v.volume.place.name[..], &of_v.volume.place.host[..]),
        ("V", "castor")
    );
}

/// CW-36, CW-37, CW-38: a merge refers to the file whose capsule it copied, and makes the entry only where that is
/// wanted.
#[test]
fn a_capsule_that_is_merged_is_still_of_its_file() {
    let folder = folder();
    let mut vault = made(&folder.path().join("vault"));
    enter(&mut vault, "FROM", Some("S1"));
    enter(&mut vault, "TO", Some("S2"));
    arrive(&mut vault, "S1", BACKUP, &[("/home/f", 1)], &[1]);
    let merged = |capsule: u128, title: &str, new: u128| ComingReference {
        file: FileName::OfCapsule(Uuid::from_u128(capsule)),
        title: title.as_bytes().to_vec(),
        capsule: Uuid::from_u128(new),
    };
    let files = [merged(1, "home/f", 2), merged(77, "unknown", 3)];
    let to = serial("S2");
    let there = HashSet::from([2, 3].map(Uuid::from_u128));
    let left = vault.expect_references(&to, BACKUP, Unknown::LeftOut, &files);
    assert_eq!(left.expect("written down"), [b"unknown"]);
    let settled = vault
        .settle_references(&to, &there, &order())
        .expect("settled");
    assert_eq!(settled.len(), 1);
    let files_now = vault.referred_files().expect("files");
    assert_eq!(files_now.len(), 1);
    assert_eq!(files_now[0].path, b"/home/f");
    assert_eq!(files_now[0].references[0].volume.serial, to);

    vault
        .expect_references(&to, BACKUP, Unknown::Entered, &files)
        .expect("written down");
    vault
        .settle_references(&to, &there, &order())
        .expect("settled");
    let paths: Vec<_> = vault.referred_files().expect("files");
    assert!(paths.iter().any(|file| file.path == b"unknown"));
}

/// CW-19: what is purged is gone, and what refers to other volumes stays.
#[test]
fn purged_references_are_gone_and_the_others_stay() {
    let folder = folder();
    let mut vault = made(&folder.path().join("vault"));
    enter(&mut vault, "U", Some("S1"));
    enter(&mut vault, "V", Some("S2"));
    let files = [("/f", 1), ("/g", 2)];
    arrive(&mut vault, "S1", BACKUP, &files, &[1, 2]);
    arrive(&mut vault, "S2", BACKUP, &files, &[1, 2]);
    arrive(&mut vault, "S2", ARCHIVE, &files, &[1, 2]);
    let f = [("castor".to_owned(), b"/f".to_vec())];
    let purged = vault.purge_references(
        Purging {
            files: Some(&f),
            volume: Some(&serial("S2")),
        },
        &order(),
    );
    let purged = purged.expect("purged");
    assert_eq!((purged.references, purged.files), (2, 0));
    let files = vault.referred_files().expect("files");
    assert_eq!(references(&files[0]), [(ReferenceKind::Backup(1), "S1")]);
    assert_eq!(files[1].references.len(), 3);

    let all = Purging {
        files: None,
        volume: Some(&serial("S2")),
    };
    let purged = vault.purge_references(all, &order()).expect("purged");
    assert_eq!((purged.references, purged.files), (2, 0));
    assert_eq!(vault.farm_volume(&serial("S2")).expect("an answer"), None);
    let rest = Purging {
        files: Some(&f),
        volume: None,
    };
    let purged = vault.purge_references(rest, &order()).expect("purged");
    assert_eq!((purged.references, purged.files), (1, 1));
    assert!(vault.purge_references(all, &order()).is_err(), "it is gone");
}

type All = (Vec<ReferredFile>, usize);

fn all(directory: &Path) -> All {
    let vault = opened(directory);
    let unsettled = vault.unsettled_volumes().expect("an answer");
    (vault.referred_files().expect("files"), unsettled.len())
}

/// CW-10: the log of the catalog is cut anywhere while references are written: there is the state before or the one
/// after, and settling says which.
#[test]
fn a_log_that_was_cut_anywhere_is_settled_by_what_the_volume_has() {
    let folder = folder();
    let home = folder.path().join("home");
    let mut vault = made(&home);
    enter(&mut vault, "V", Some("S1"));
    let of = serial("S1");
    let files = [coming("/f", 1), coming("/g", 2)];
    let log = || fs::read(home.join("catalog.sqlite-wal")).expect("the log of an open vault");
    vault
        .expect_references(&of, BACKUP, Unknown::Entered, &files)
        .expect("written down");
    let expected = log();
    let there = HashSet::from([1, 2].map(Uuid::from_u128));
    vault
        .settle_references(&of, &there, &order())
        .expect("settled");
    let settled = log();
    assert!(settled.starts_with(&expected), "it only grew");
    let copied = folder.path().join("copied");
    let mut ends = HashSet::new();
    for cut in (0..settled.len()).step_by(512).chain([settled.len()]) {
        drop(fs::remove_dir_all(&copied));
        fs::create_dir_all(copied.join("images")).expect("a folder");
        for name in ["vault.toml", "catalog.sqlite"] {
            fs::copy(home.join(name), copied.join(name)).expect(name);
        }
        fs::write(copied.join("catalog.sqlite-wal"), &settled[..cut]).expect("the log");
        let (files, unsettled) = all(&copied);
        // Nothing was written, it is not certain, or all is.
        assert!(
            matches!((files.len(), unsettled), (0, 0 | 1) | (2, 0)),
            "{cut}: {files:?} {unsettled}"
        );
        ends.insert((files.len(), unsettled));
        if unsettled == 1 {
            // Of one capsule the volume was told before the machine died.
            let mut vault = opened(&copied);
            let one = HashSet::from([Uuid::from_u128(2)]);
            vault
                .settle_references(&of, &one, &order())
                .expect("settled");
            let files = vault.referred_files().expect("files");
            assert_eq!(files.len(), 1);
            assert_eq!(files[0].path, b"/g");
        }
    }
    assert_eq!(ends.len(), 3, "{ends:?}");
}
