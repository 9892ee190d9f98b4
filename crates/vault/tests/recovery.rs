//! VT-01, VT-04: the catalog's backups, and how one comes back; what is on the disk when it is killed.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use pseudotape_image::VolumeId;
use pseudotape_tape::Access;
use pseudotape_vault::recovery::{
    Backup, BackupDescription, Restored, Restoring, Step, restore, unpack,
};
use pseudotape_vault::{
    ComingReference, Digest, Error, FarmPlace, FileName, Kinds, LastCopy, Namesakes, Order,
    Refusal, Serial, Surroundings, Unknown, Vault, WantedVolume,
};

/// In memory, where that is a folder: these tests commit often, and no power fails.
fn folder() -> tempfile::TempDir {
    let memory = tempfile::tempdir_in("/dev/shm");
    memory.or_else(|_| tempfile::tempdir()).expect("a folder")
}

fn order() -> Order {
    Order::person("ada", "the disk is gone")
}

fn surroundings(seed: u64) -> Surroundings {
    Surroundings::seeded(seed, 1_000_000 * seed)
}

/// A vault with some volumes.
fn vault(directory: &Path, volumes: u32) -> Vault {
    let scheme = "MON###".parse().expect("a scheme");
    let made = Vault::create(
        directory,
        "mondays",
        Some(&scheme),
        &order(),
        surroundings(1),
    );
    let mut vault = made.expect("a vault");
    for _ in 0..volumes {
        vault
            .make(None, None, Some(1 << 20), &order())
            .expect("a volume");
    }
    vault
}

fn labels(directory: &Path) -> Vec<String> {
    let volumes = Vault::look(directory)
        .expect("a vault")
        .volumes()
        .expect("volumes");
    volumes
        .iter()
        .map(|listed| listed.volume.label.to_string())
        .collect()
}

fn bytes(backup: &mut Backup) -> Vec<u8> {
    let mut bytes = Vec::new();
    backup.payload.seek(SeekFrom::Start(0)).expect("a file");
    backup.payload.read_to_end(&mut bytes).expect("a file");
    bytes
}

fn restored(
    directory: &Path,
    description: &BackupDescription,
    payload: &[u8],
    told: &mut dyn FnMut(Step),
) -> Result<Restored, Error> {
    let order = order();
    let restoring = Restoring {
        description,
        highest: description.sequence,
        replace: false,
        order: &order,
    };
    restore(
        directory,
        &restoring,
        &mut &payload[..],
        &mut surroundings(9),
        told,
    )
}

/// What a kill leaves, as another process finds it: without the memory that was shared.
fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("images")).expect("a folder");
    let Ok(entries) = fs::read_dir(from) else {
        return;
    };
    for entry in entries {
        let entry = entry.expect("a name");
        let name = entry.file_name();
        if entry.file_type().expect("a kind").is_file() && !name.to_string_lossy().ends_with("-shm")
        {
            fs::copy(entry.path(), to.join(&name)).expect("a copy");
        }
    }
}

/// VT-01: number, time, site and checksum.
#[test]
fn a_backup_says_whose_it_is_which_number_it_has_and_what_is_in_it() {
    let folder = folder();
    let mut vault = vault(folder.path(), 3);
    let mut first = vault.back_up().expect("a backup");
    let payload = bytes(&mut first);
    let description = &first.description;
    assert_eq!(description.site, vault.configuration().identity);
    assert_eq!((description.sequence, description.volumes), (1, 3));
    assert_eq!(description.site_name, "mondays");
    assert_eq!(description.length, payload.len() as u64);
    assert_eq!(
        description.digest,
        Digest(*blake3::hash(&payload).as_bytes())
    );
    let mut catalog = Vec::new();
    unpack(description, &payload[..], &mut catalog, &mut |_| {}).expect("whole");
    assert_eq!(
        description.catalog_digest,
        Digest(*blake3::hash(&catalog).as_bytes())
    );
    assert!(
        description.catalog_length > description.length,
        "it is compressed"
    );
    let second = vault.back_up().expect("another");
    assert_eq!(second.description.sequence, 2);
    assert!(second.description.written_ms > description.written_ms);
    let left: Vec<_> = fs::read_dir(folder.path()).expect("names").collect();
    assert!(left.iter().all(|entry| {
        let name = entry.as_ref().expect("a name").file_name();
        !name.to_string_lossy().starts_with("backup")
    }));
}

/// VT-04: then the catalog is that backup, and the vault is not in service until somebody says so (VT-02, VT-06).
#[test]
fn an_empty_machine_gets_the_vault_back_as_it_was() {
    let folder = folder();
    let (home, other) = (folder.path().join("home"), folder.path().join("other"));
    let mut vault = vault(&home, 2);
    let before = (
        vault.volumes().expect("volumes"),
        vault.events(None, 100).expect("events"),
    );
    let mut backup = vault.back_up().expect("a backup");
    let payload = bytes(&mut backup);
    // What was done after it is not in it.
    vault
        .make(None, None, Some(1 << 20), &order())
        .expect("a third");
    let found = restored(&other, &backup.description, &payload, &mut |_| {}).expect("it is whole");
    assert_eq!(found.kept, None);
    assert_eq!(
        fs::read(home.join("vault.toml")).expect("one"),
        fs::read(other.join("vault.toml")).expect("one")
    );
    let mut again = Vault::open(&other, "test", surroundings(3)).expect("a vault");
    assert_eq!(again.volumes().expect("volumes"), before.0);
    let mut events = again.events(None, 100).expect("events");
    let last = events.pop().expect("its own");
    assert_eq!(events, before.1);
    assert_eq!(last.change.to.as_deref(), Some("backup 1"));

    let label = &before.0[0].volume.label;
    // Killed here, nobody knows yet what was lost: it can't be ended.
    let refused = again.open_volume(label, Access::ReadWrite, &order());
    for error in [
        refused.expect_err("not in service"),
        again.set_online(&order()).expect_err("no report"),
    ] {
        assert!(
            matches!(error, Error::Refused(Refusal::NotReported { .. })),
            "{error}"
        );
        assert!(
            error.to_string().contains("'pseudotape vault recover"),
            "{error}"
        );
    }
    again.set_reported().expect("one is pending");
    let refused = again.open_volume(label, Access::ReadWrite, &order());
    let error = refused.expect_err("not in service");
    assert!(
        matches!(error, Error::Refused(Refusal::NotOnline { .. })),
        "{error}"
    );
    assert!(
        error.to_string().contains("'pseudotape vault online'"),
        "{error}"
    );
    assert!(
        again
            .pending_recovery()
            .expect("one")
            .is_some_and(|one| one.sequence == 1)
    );
    again.set_online(&order()).expect("one is pending");
    again.set_online(&order()).expect_err("none is");
    let error = again.open_volume(label, Access::ReadWrite, &order());
    error.expect("in service");
    // The numbers of backups that nobody saw are not given again.
    assert!(again.back_up().expect("one").description.sequence > 1000);
}

#[test]
fn what_is_torn_or_damaged_is_never_restored() {
    let folder = folder();
    let (home, other) = (folder.path().join("home"), folder.path().join("other"));
    let mut vault = vault(&home, 2);
    let mut backup = vault.back_up().expect("a backup");
    let payload = bytes(&mut backup);
    let step = (payload.len() / 40).max(1);
    let mut tries: Vec<Vec<u8>> = (0..payload.len())
        .step_by(step)
        .map(|cut| payload[..cut].to_vec())
        .collect();
    for at in (0..payload.len()).step_by(step) {
        let mut flipped = payload.clone();
        flipped[at] ^= 1;
        tries.push(flipped);
    }
    tries.push([&payload[..], b"more"].concat());
    for (number, bytes) in tries.iter().enumerate() {
        let error = restored(&other, &backup.description, bytes, &mut |_| {}).expect_err("damaged");
        assert!(matches!(error, Error::Payload { .. }), "{number}: {error}");
        let words = error.to_string();
        assert!(
            words.contains("it is torn") || words.contains("it is damaged"),
            "{number}: {words}"
        );
        assert!(!other.join("vault.toml").exists() && !other.join("catalog.sqlite").exists());
    }
    // Bytes that are those of the description, and no catalog.
    let garbage = zstd::encode_all(&b"not a database, and long enough to be looked at"[..], 1)
        .expect("packed");
    let mut lying = backup.description.clone();
    (lying.length, lying.digest) = (
        garbage.len() as u64,
        Digest(*blake3::hash(&garbage).as_bytes()),
    );
    (lying.catalog_length, lying.catalog_digest) = (
        47,
        Digest(*blake3::hash(b"not a database, and long enough to be looked at").as_bytes()),
    );
    let error = restored(&other, &lying, &garbage, &mut |_| {}).expect_err("no catalog");
    assert!(matches!(error, Error::Foreign { .. }), "{error}");
    // One that says less than it unpacks to ends where it has to.
    lying.catalog_length = 3;
    let error = restored(&other, &lying, &garbage, &mut |_| {}).expect_err("too long");
    assert!(error.to_string().contains("3 were written"), "{error}");
    restored(&other, &backup.description, &payload, &mut |_| {}).expect("the good one");
    assert_eq!(labels(&other), ["MON001", "MON002"]);
}

#[test]
fn a_newer_schema_another_vault_and_a_newer_catalog_are_refused() {
    let folder = folder();
    let (home, other) = (folder.path().join("home"), folder.path().join("other"));
    let mut vault = vault(&home, 1);
    let mut backup = vault.back_up().expect("a backup");
    let payload = bytes(&mut backup);
    let error =
        restored(&home, &backup.description, &payload, &mut |_| {}).expect_err("nothing is lost");
    assert!(
        error
            .to_string()
            .contains("there is nothing to recover; --replace"),
        "{error}"
    );

    let mut foreign = backup.description.clone();
    foreign.site = pseudotape_image::Uuid::from_u128(5);
    let error = restored(&home, &foreign, &payload, &mut |_| {}).expect_err("of another vault");
    assert!(matches!(error, Error::OtherVault { .. }), "{error}");
    let error =
        restored(&other, &foreign, &payload, &mut |_| {}).expect_err("the catalog is another's");
    assert!(matches!(error, Error::OtherVault { .. }), "{error}");

    // A later program's catalog.
    let mut catalog = Vec::new();
    unpack(&backup.description, &payload[..], &mut catalog, &mut |_| {}).expect("whole");
    let path = folder.path().join("later.sqlite");
    fs::write(&path, &catalog).expect("a file");
    let connection = rusqlite::Connection::open(&path).expect("a database");
    connection
        .execute_batch("PRAGMA journal_mode = DELETE; PRAGMA user_version = 99")
        .expect("done");
    connection.close().expect("closed");
    let later = fs::read(&path).expect("a file");
    let packed = zstd::encode_all(&later[..], 3).expect("packed");
    let mut description = backup.description.clone();
    (description.length, description.digest) = (
        packed.len() as u64,
        Digest(*blake3::hash(&packed).as_bytes()),
    );
    (description.catalog_length, description.catalog_digest) =
        (later.len() as u64, Digest(*blake3::hash(&later).as_bytes()));
    let error = restored(&other, &description, &packed, &mut |_| {}).expect_err("newer");
    assert!(error.to_string().contains("schema 99"), "{error}");
    assert!(!other.join("catalog.sqlite").exists());

    let strange = folder.path().join("strange");
    fs::create_dir_all(&strange).expect("a folder");
    fs::write(strange.join("letters"), "dear").expect("a file");
    let error =
        restored(&strange, &backup.description, &payload, &mut |_| {}).expect_err("not ours");
    assert!(matches!(error, Error::NotEmpty { .. }), "{error}");
}

/// What takes a catalog back to the schema of an earlier program.
const SCHEMAS: [(i64, &str); 3] = [
    (
        1,
        "DROP TABLE backup; DROP TABLE recovery; DROP TABLE cloned_file; DROP TABLE clone; \
         DROP TABLE stacked_backup; DROP TABLE copy; DROP TABLE stacked_volume; DROP TABLE archive_number; ",
    ),
    (7, ""),
    (8, ""),
];
/// What came last.
const REMOVALS: &str =
    "ALTER TABLE event DROP COLUMN identity; ALTER TABLE event DROP COLUMN generation; ";
const REFERENCES: &str = "DROP TABLE backup_reference; DROP TABLE archive_reference; DROP TABLE pending_reference; \
    DROP TABLE referred_file; DROP TABLE farm_volume; DROP TABLE serial_series; ";

/// VT-04, CW-16: an earlier program's backup becomes one of this program.
#[test]
fn an_older_schema_is_converted() {
    for (version, drops) in SCHEMAS {
        converted(version, drops);
    }
}

fn converted(version: i64, drops: &str) {
    let folder = folder();
    let (home, other) = (folder.path().join("home"), folder.path().join("other"));
    let mut vault = vault(&home, 2);
    let gone = "MON002".parse().expect("a label");
    vault
        .remove(&gone, LastCopy::Kept, &order())
        .expect("removed");
    let backup = vault.back_up().expect("a backup");
    drop(vault);
    let path = home.join("catalog.sqlite");
    let connection = rusqlite::Connection::open(&path).expect("a database");
    let references = if version < 8 { REFERENCES } else { "" };
    let sql = format!(
        "{drops}{references}{REMOVALS} PRAGMA user_version = {version}; PRAGMA wal_checkpoint(TRUNCATE); \
         PRAGMA journal_mode = DELETE"
    );
    connection.execute_batch(&sql).expect("as it was");
    connection.close().expect("closed");
    let old = fs::read(&path).expect("a file");
    let packed = zstd::encode_all(&old[..], 3).expect("packed");
    let mut description = backup.description.clone();
    (description.length, description.digest) = (
        packed.len() as u64,
        Digest(*blake3::hash(&packed).as_bytes()),
    );
    (description.catalog_length, description.catalog_digest) =
        (old.len() as u64, Digest(*blake3::hash(&old).as_bytes()));
    restored(&other, &description, &packed, &mut |_| {}).expect("converted");
    assert_eq!(labels(&other), ["MON001"]);
    let converted = Vault::look(&other).expect("a vault");
    assert_eq!(converted.configuration().name, "mondays");
    assert!(converted.referred_files().expect("tables").is_empty());
    // That log does not say which volume it was that was removed.
    let removals = converted.removals().expect("the log");
    assert_eq!(removals.len(), 1);
    assert_eq!(removals[0].label, Some(gone));
    assert_eq!((removals[0].identity, removals[0].generation), (None, None));
    assert!(!removals[0].covers(VolumeId(pseudotape_image::Uuid::nil()), 0, 0));
    // The catalog at home is converted where it is.
    let mut home = Vault::open(&home, "test", surroundings(3)).expect("a vault");
    let first = "DF0001".parse().expect("a series");
    home.set_series(&first, &order()).expect("a table");
}

/// CW-14: references travel with the catalog.
#[test]
fn references_come_back_with_the_catalog() {
    let folder = folder();
    let (home, other) = (folder.path().join("home"), folder.path().join("other"));
    let mut vault = vault(&home, 1);
    let place = FarmPlace {
        name: "V".to_owned(),
        host: "castor".to_owned(),
        root: "/farm".to_owned(),
        folder: "V".to_owned(),
    };
    let serial: Serial = "S1".parse().expect("a serial number");
    let wanted = WantedVolume {
        place,
        serial: Some(serial.clone()),
        namesakes: Namesakes::Refused,
    };
    vault
        .enter_farm_volume(&wanted, &order())
        .expect("a volume");
    let capsule = pseudotape_image::Uuid::from_u128(1);
    let coming = ComingReference {
        file: FileName::Path(b"/f".to_vec()),
        title: b"f".to_vec(),
        capsule,
    };
    let kinds = Kinds {
        backup: None,
        archive: true,
    };
    vault
        .expect_references(&serial, kinds, Unknown::Entered, &[coming])
        .expect("written down");
    vault
        .settle_references(&serial, &[capsule].into(), &order())
        .expect("settled");
    let files = vault.referred_files().expect("files");
    assert_eq!(files.len(), 1);
    let mut backup = vault.back_up().expect("a backup");
    let payload = bytes(&mut backup);
    restored(&other, &backup.description, &payload, &mut |_| {}).expect("restored");
    let back = Vault::look(&other).expect("a vault");
    assert_eq!(back.referred_files().expect("files"), files);
}

/// What was there before a recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Nothing,
    Whole,
    Damaged,
    NoCatalog,
}

/// VT-04: killed at any step, there is the old state or the new one, and the same call again goes on.
#[test]
fn killed_anywhere_it_leaves_the_old_or_the_new_and_can_be_repeated() {
    for before in [
        Before::Nothing,
        Before::Whole,
        Before::Damaged,
        Before::NoCatalog,
    ] {
        let folder = folder();
        let (home, place) = (folder.path().join("home"), folder.path().join("place"));
        let mut source = vault(&home, 2);
        let old_number = source.back_up().expect("a backup").description.sequence;
        let name = |at: u32| folder.path().join(format!("killed-{at}"));
        if before != Before::Nothing {
            copied(&home, &place);
        }
        source
            .make(None, None, Some(1 << 20), &order())
            .expect("a third");
        let mut backup = source.back_up().expect("a backup");
        assert!(backup.description.sequence > old_number);
        let payload = bytes(&mut backup);
        match before {
            Before::Nothing | Before::Whole => {}
            Before::Damaged => fs::write(place.join("catalog.sqlite"), "torn").expect("a file"),
            Before::NoCatalog => fs::remove_file(place.join("catalog.sqlite")).expect("there"),
        }
        let mut steps = Vec::new();
        restored(&place, &backup.description, &payload, &mut |step| {
            copied(&place, &name(u32::try_from(steps.len()).expect("few")));
            steps.push(step);
        })
        .unwrap_or_else(|error| panic!("{before:?}: {error}"));
        assert_eq!(labels(&place), ["MON001", "MON002", "MON003"], "{before:?}");
        for step in [
            Step::Unpacked,
            Step::Proven,
            Step::Kept,
            Step::Replaced,
            Step::Done,
        ] {
            assert!(steps.contains(&step), "{before:?}: {steps:?}");
        }
        for (at, step) in steps.iter().enumerate() {
            let killed = name(u32::try_from(at).expect("few"));
            let is_new = matches!(step, Step::Replaced | Step::Done);
            match (before, is_new) {
                (Before::Whole, false) => {
                    assert_eq!(labels(&killed), ["MON001", "MON002"], "{step:?}");
                }
                (Before::Whole | Before::Damaged | Before::NoCatalog, true) => {
                    assert_eq!(labels(&killed).len(), 3, "{before:?} {step:?}");
                }
                // Without a catalog, or without its configuration, nobody takes it for a vault.
                (Before::Damaged | Before::NoCatalog, false) => {
                    Vault::look(&killed).expect_err("needs a recovery");
                }
                (Before::Nothing, _) if *step != Step::Done => {
                    Vault::look(&killed).expect_err("no vault yet");
                }
                (Before::Nothing, _) => assert_eq!(labels(&killed).len(), 3),
            }
            restored(&killed, &backup.description, &payload, &mut |_| {})
                .unwrap_or_else(|error| panic!("{before:?}, again after {step:?}: {error}"));
            assert_eq!(labels(&killed).len(), 3, "{before:?} {step:?}");
            let leftover = killed.join("catalog.sqlite.restoring");
            assert!(!leftover.exists(), "{before:?} {step:?}");
            let kept = fs::read_dir(&killed).expect("names").filter(|entry| {
                let name = entry.as_ref().expect("a name").file_name();
                name.to_string_lossy().starts_with("catalog-")
            });
            match before {
                Before::Whole => {
                    // The old one is there, not what an interrupted recovery brought.
                    let path = killed.join("catalog-before-recovery.sqlite");
                    let connection = rusqlite::Connection::open(path).expect("kept");
                    let sql = "SELECT count(*) FROM volume";
                    let count: i64 = connection
                        .query_row(sql, [], |row| row.get(0))
                        .expect("whole");
                    assert_eq!(count, 2, "{step:?}");
                }
                Before::Damaged => assert!(kept.count() >= 1, "{step:?}"),
                Before::Nothing | Before::NoCatalog => assert_eq!(kept.count(), 0, "{step:?}"),
            }
        }
    }
}

/// What was kept of one recovery is not written over by the next one, and a repeated one says what the first has kept.
#[test]
fn each_catalog_that_was_there_is_kept() {
    let folder = folder();
    let place = folder.path().join("place");
    let mut vault = vault(&place, 1);
    let mut backup = vault.back_up().expect("a backup");
    drop(vault);
    let payload = bytes(&mut backup);
    let order = order();
    let restoring = Restoring {
        description: &backup.description,
        highest: backup.description.sequence,
        replace: true,
        order: &order,
    };
    let again = |seed: u64| {
        let mut surroundings = surroundings(seed);
        let done = restore(
            &place,
            &restoring,
            &mut &payload[..],
            &mut surroundings,
            &mut |_| {},
        );
        done.expect("restored").kept.expect("one was there")
    };
    let mut kept = Vec::new();
    for round in 0..3 {
        let mut vault = Vault::open(&place, "test", surroundings(2 + round)).expect("a vault");
        for _ in 0..round {
            vault.make(None, None, Some(1 << 20), &order).expect("one");
        }
        drop(vault);
        let before = labels(&place);
        let path = again(10 + round);
        assert_eq!(again(20 + round), path, "not ended, and repeated");
        kept.push((path, before.len()));
        let mut vault = Vault::open(&place, "test", surroundings(30 + round)).expect("a vault");
        vault.set_reported().expect("pending");
        vault.set_online(&order).expect("pending");
    }
    // Those that are damaged too, also where the clock has not moved on.
    let damaged: Vec<_> = (0..2)
        .map(|round| {
            fs::write(place.join("catalog.sqlite"), format!("torn {round}")).expect("a file");
            again(40)
        })
        .collect();
    for (round, path) in damaged.iter().enumerate() {
        let text = fs::read_to_string(path).expect("kept");
        assert_eq!(text, format!("torn {round}"));
    }
    for (path, volumes) in kept {
        let connection = rusqlite::Connection::open(&path).expect("kept");
        let sql = "SELECT count(*) FROM volume";
        let count: i64 = connection
            .query_row(sql, [], |row| row.get(0))
            .expect("whole");
        assert_eq!(usize::try_from(count), Ok(volumes), "{path:?}");
    }
}

/// A log that its catalog has left behind is not taken for one of the new catalog.
#[test]
fn a_log_without_its_catalog_does_not_come_into_the_new_one() {
    let folder = folder();
    let (home, place) = (folder.path().join("home"), folder.path().join("place"));
    let mut vault = vault(&home, 2);
    let mut backup = vault.back_up().expect("a backup");
    let payload = bytes(&mut backup);
    vault
        .make(None, None, Some(1 << 20), &order())
        .expect("a third, which is in the log");
    copied(&home, &place);
    assert!(
        fs::metadata(place.join("catalog.sqlite-wal"))
            .expect("a log")
            .len()
            > 0
    );
    fs::remove_file(place.join("catalog.sqlite")).expect("there");
    restored(&place, &backup.description, &payload, &mut |_| {}).expect("restored");
    assert_eq!(labels(&place), ["MON001", "MON002"]);
}

#[test]
fn a_backup_is_of_one_moment_while_others_change_the_catalog() {
    let folder = folder();
    let mut first = vault(folder.path(), 1);
    std::thread::scope(|scope| {
        let directory = folder.path();
        let changes = scope.spawn(move || {
            let mut other = Vault::open(directory, "other", surroundings(7)).expect("a vault");
            for _ in 0..20 {
                other
                    .make(None, None, Some(1 << 20), &order())
                    .expect("a volume");
            }
        });
        for _ in 0..10 {
            let mut backup = first.back_up().expect("a backup");
            let payload = bytes(&mut backup);
            let place = tempfile::tempdir().expect("a folder");
            restored(place.path(), &backup.description, &payload, &mut |_| {}).expect("whole");
            // A volume and its line in the log came in one transaction.
            let vault = Vault::look(place.path()).expect("a vault");
            let events = vault.events(None, 1000).expect("events");
            let made = events
                .iter()
                .filter(|e| e.change.subject == pseudotape_vault::Subject::Volume);
            assert_eq!(made.count(), vault.volumes().expect("volumes").len());
        }
        changes.join().expect("no panic");
    });
}

#[test]
fn a_disk_that_can_not_be_written_is_named() {
    let folder = folder();
    let mut vault = vault(&folder.path().join("home"), 1);
    let mut backup = vault.back_up().expect("a backup");
    let payload = bytes(&mut backup);
    let file = folder.path().join("file");
    File::create(&file).expect("a file");
    let error =
        restored(&file, &backup.description, &payload, &mut |_| {}).expect_err("no directory");
    assert!(error.to_string().contains("file"), "{error}");
}

fn packed_with(description: &BackupDescription, catalog: &[u8]) -> (BackupDescription, Vec<u8>) {
    let packed = zstd::encode_all(catalog, 1).expect("packed");
    let digest = |bytes: &[u8]| Digest(*blake3::hash(bytes).as_bytes());
    let described = BackupDescription {
        length: packed.len() as u64,
        digest: digest(&packed),
        catalog_length: catalog.len() as u64,
        catalog_digest: digest(catalog),
        ..description.clone()
    };
    (described, packed)
}

/// The digests would keep damage out: here they are those of the damaged bytes.
#[test]
fn bytes_of_any_kind_are_refused_or_unpacked_and_never_more_than_was_said() {
    let folder = folder();
    let mut vault = vault(folder.path(), 3);
    let mut backup = vault.back_up().expect("a backup");
    let payload = bytes(&mut backup);
    let mut state = 7_u64;
    let mut roll = |sides: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % sides
    };
    let mut refused = 0;
    for _ in 0..3000 {
        let mut mutated = payload.clone();
        for _ in 0..=roll(4) {
            let at = roll(mutated.len());
            match roll(3) {
                0 => mutated[at] = u8::try_from(roll(256)).expect("a byte"),
                1 => mutated.truncate(at.max(1)),
                _ => mutated.insert(at, u8::try_from(roll(256)).expect("a byte")),
            }
        }
        let mut description = backup.description.clone();
        description.length = mutated.len() as u64;
        description.digest = Digest(*blake3::hash(&mutated).as_bytes());
        let mut catalog = Vec::new();
        match unpack(&description, &mutated[..], &mut catalog, &mut |_| {}) {
            Ok(()) => assert_eq!(
                Digest(*blake3::hash(&catalog).as_bytes()),
                description.catalog_digest
            ),
            Err(_) => refused += 1,
        }
        assert!(catalog.len() as u64 <= description.catalog_length);
    }
    assert!(refused > 2500, "{refused}");
}

/// A catalog that was damaged before it was saved: what comes back is whole, or nothing comes back.
#[test]
fn a_catalog_that_is_damaged_inside_is_refused() {
    let folder = folder();
    let (home, other) = (folder.path().join("home"), folder.path().join("other"));
    let mut vault = vault(&home, 3);
    let mut backup = vault.back_up().expect("a backup");
    let payload = bytes(&mut backup);
    let mut catalog = Vec::new();
    unpack(&backup.description, &payload[..], &mut catalog, &mut |_| {}).expect("whole");
    let mut refused = 0;
    for at in (0..catalog.len()).step_by(catalog.len() / 150) {
        let mut damaged = catalog.clone();
        damaged[at..(at + 40).min(catalog.len())].fill(0xa5);
        let (description, packed) = packed_with(&backup.description, &damaged);
        match restored(&other, &description, &packed, &mut |_| {}) {
            Ok(_) => {
                let vault = Vault::look(&other).expect("a vault");
                assert_eq!(
                    vault.volumes().map(|all| all.len()).ok(),
                    Some(3),
                    "damage at {at}"
                );
                assert_eq!(
                    vault.known().map(|all| all.len()).ok(),
                    Some(3),
                    "damage at {at}"
                );
                fs::remove_dir_all(&other).expect("ours");
            }
            Err(_) => {
                refused += 1;
                assert!(!other.join("catalog.sqlite").exists(), "damage at {at}");
                assert!(
                    !other.join("catalog.sqlite.restoring").exists(),
                    "damage at {at}"
                );
            }
        }
    }
    assert!(refused > 10, "{refused}");
}

/// SQLite's own check finds nothing where a column has another name, and nobody could read the table.
#[test]
fn a_catalog_whose_tables_are_not_ours_is_refused() {
    let folder = folder();
    let (home, other) = (folder.path().join("home"), folder.path().join("other"));
    let mut vault = vault(&home, 3);
    let mut backup = vault.back_up().expect("a backup");
    let payload = bytes(&mut backup);
    let mut catalog = Vec::new();
    unpack(&backup.description, &payload[..], &mut catalog, &mut |_| {}).expect("whole");
    let name = b"closed_ms INTEGER";
    let mut places = catalog.windows(name.len());
    let at = places.position(|text| text == name).expect("a column");
    catalog[at] = b'k';
    let (description, packed) = packed_with(&backup.description, &catalog);
    let refused = restored(&other, &description, &packed, &mut |_| {});
    let words = refused.expect_err("a table is damaged").to_string();
    assert!(
        words.contains("the table copy is not that of schema"),
        "{words}"
    );
    assert!(!other.join("catalog.sqlite").exists());
}
