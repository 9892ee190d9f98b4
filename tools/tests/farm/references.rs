//! References to volumes of farms in the catalog of a vault: `--backup`, `--catalog`, `refs`, `purge`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;

use crate::place::{Place, ended};

/// A place with three files.
fn place() -> Place {
    let place = Place::with(&[
        ("files/a", "this is a"),
        ("files/b", "this is b"),
        ("files/c", "this is c"),
    ]);
    fs::create_dir(place.path("out")).unwrap();
    place
}

impl Place {
    /// File, state, and the serial numbers of its references.
    fn references(&self) -> Vec<(String, String, Vec<String>)> {
        let list = self.json(0, "refs");
        let files = list["files"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let files = files.map(|file| {
            let references = file["references"].as_array().unwrap().iter();
            let name = text(&file["file"]);
            let name = name.rsplit('/').next().unwrap_or_default().to_owned();
            let serials = references.map(|reference| text(&reference["serial"]));
            (name, text(&file["state"]), serials.collect())
        });
        files.collect()
    }
}

/// CW-10, CW-12, CW-13, CW-16: the catalog is made at its first use, the folder has the serial number, and a restore
/// needs it.
#[test]
fn a_volume_of_a_backup_has_its_serial_number_in_its_folder() {
    let place = place();
    assert!(!place.path("vault").exists());
    let added = place.json(0, "copy TEST files --backup --serial TEST01");
    assert_eq!(added["serial"], "TEST01");
    assert_eq!(added["cataloged"].as_array().unwrap().len(), 3);
    assert!(place.path("vault/catalog.sqlite").exists());
    assert!(place.path("farm/TEST[TEST01]/FILE000.dir").exists());
    let expected = ["a", "b", "c"].map(|name| {
        let serials = vec!["TEST01".to_owned()];
        (name.to_owned(), "resident".to_owned(), serials)
    });
    assert_eq!(place.references(), expected);

    let words = place.refused("extract TEST files/a -C out");
    assert!(words.contains("there is no volume TEST"), "{words}");
    place.ok("extract TEST files/a -C out --serial TEST01");
    assert_eq!(fs::read(place.path("out/files/a")).unwrap(), b"this is a");
    place.ok("verify TEST --serial TEST01");

    // The name of its folder is no name for a new volume; what is there is found by it.
    for verb in ["add", "copy", "compare-add"] {
        let words = place.refused(&format!("{verb} NEW[TEST09] files"));
        assert!(
            words.contains("say --serial TEST09 and the name"),
            "{words}"
        );
        assert!(!place.path("farm/NEW[TEST09]").exists());
    }
    assert!(place.ok("add TEST[TEST01] files").contains("3 present"));
    place.ok("add BRACKETS[a,b] files/a");

    // Two serial numbers of one name live side by side.
    let words = place.refused("copy TEST files --backup --serial TEST02");
    assert!(words.contains("--namesake"), "{words}");
    assert!(
        !place.path("farm/TEST[TEST02]").exists(),
        "refused before copying"
    );
    place.ok("copy TEST files/a --backup --serial TEST02 --namesake");
    fs::write(place.path("files/a"), "another a").unwrap();
    place.ok("compare-add TEST files/a --backup --serial TEST02 --namesake");
    for (serial, contents) in [("TEST01", "this is a"), ("TEST02", "another a")] {
        place.ok(&format!(
            "extract TEST files/a -C out --overwrite --serial {serial}"
        ));
        assert_eq!(
            fs::read_to_string(place.path("out/files/a")).unwrap(),
            contents
        );
    }
    // CW-22: the older reference is the second one.
    assert_eq!(place.references()[0].2, ["TEST02", "TEST01"]);
    place.ok("copy ONE files/a --backup --serial ONE --single-unit");
    assert_eq!(place.references()[0].2, ["ONE", "ONE"]);
}

/// CW-11: what does not fit is refused before anything is copied.
#[test]
fn what_does_not_fit_the_library_is_refused_before_copying() {
    let place = place();
    let words = place.refused("copy V files --backup");
    assert!(words.contains("needs the serial number"), "{words}");
    place.ok("copy V files/a --backup --serial S1");
    let words = place.refused("copy W files --backup --serial S1");
    assert!(
        words.contains("S1 is the serial number of volume V"),
        "{words}"
    );
    let tape = place
        .program()
        .args("vault add --new --capacity 1M --vault vault".split(' '))
        .output()
        .unwrap();
    assert!(tape.status.success(), "{tape:?}");
    let words = place.refused("copy PT0001 files --backup --serial S2");
    assert!(words.contains("PT0001 is a tape of this vault"), "{words}");
    let names = fs::read_dir(place.path("farm")).unwrap();
    assert_eq!(names.count(), 1, "nothing was copied");
}

/// CW-10: of five files one fails, and the others have references.
#[test]
fn a_file_that_did_not_arrive_has_no_reference() {
    let place = place();
    fs::create_dir(place.path("files/d")).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(place.path("files/bb"));
    let output = place.run("copy V files --backup --serial S1");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    drop(socket);
    let names: Vec<_> = place.references().into_iter().map(|file| file.0).collect();
    assert_eq!(names, ["a", "b", "c"]);
    // A file that is present gets none.
    place.ok("copy W files/a");
    let added = place.json(0, "add W files/a files/b --catalog --serial S2");
    let archived = added["archived"].as_array().unwrap();
    assert_eq!(archived.len(), 1, "{added}");
    assert_eq!(archived[0]["title"], "files/b");
}

/// CW-14, CW-15, CW-17, CW-18: the archive has each copy, with serial numbers that are said or counted.
#[test]
fn the_archive_lists_every_copy_with_a_serial_number() {
    let place = place();
    let words = place.refused("copy U files/a --catalog");
    assert!(words.contains("needs a serial number"), "{words}");
    assert!(!place.path("farm/U").exists());
    for bad in ["DF001", "DF00001", "ABCDEF"] {
        let words = place.refused(&format!("serial {bad}"));
        assert!(words.contains("begins no series"), "{words}");
    }
    assert!(place.ok("serial DF0009").contains("DF0009"));
    assert_eq!(
        place.json(0, "copy U files/a --catalog")["serial"],
        "DF0009"
    );
    assert_eq!(
        place.json(0, "copy V files/a --catalog")["serial"],
        "DF0010"
    );
    assert_eq!(place.json(0, "add V files/b --catalog")["serial"], "DF0010");
    assert_eq!(
        place.json(0, "copy W files/a --catalog --serial SAID")["serial"],
        "SAID"
    );
    assert!(
        place.path("farm/W/FILE000.dir").exists(),
        "the archive needs no folder of its own"
    );
    assert_eq!(place.json(0, "serial")["next"], "DF0011");

    let list = place.json(0, "refs files/a");
    let references = list["files"][0]["references"].as_array().unwrap();
    let mut shown: Vec<_> = references
        .iter()
        .map(|one| {
            assert_eq!(one["copy"], "ok");
            assert_eq!(one["kind"], "archive");
            let text = |key: &str| one[key].as_str().unwrap().to_owned();
            assert!(!text("site").is_empty());
            (text("serial"), text("volume"))
        })
        .collect();
    shown.sort();
    let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
    assert_eq!(
        shown,
        [pair("DF0009", "U"), pair("DF0010", "V"), pair("SAID", "W")]
    );
    let text = place.ok("refs files/a");
    assert!(
        text.contains("DF0010") && text.contains("archive"),
        "{text}"
    );
    let words = place.refused("refs files/nothing");
    assert!(words.contains("no references of files/nothing"), "{words}");
}

/// CW-13: a volume of the archive has no second folder, whichever command says its serial number.
#[test]
fn the_serial_number_of_a_volume_of_the_archive_means_that_volume() {
    let place = place();
    place.ok("copy D files/a --catalog --serial S1");
    place.ok("add D files/b --serial S1");
    place.ok("compare-add D files/c --serial S1");
    place.ok("copy E files --catalog --serial S2");
    place.ok("merge D E --serial S1");
    assert!(!place.path("farm/D[S1]").exists());
    let listed = place.json(0, "ls D --serial S1");
    assert_eq!(listed["files"].as_array().unwrap().len(), 3);
}

/// A path and a title can be the same words: nobody's references go by mistake.
#[test]
fn a_purge_that_means_files_of_two_kinds_is_refused() {
    let place = place();
    place.ok("copy V files --catalog --serial S1");
    let archive = place.path("archive.tar");
    let made = Command::new("tar")
        .current_dir(place.path(""))
        .args(["-cf", "archive.tar", "files/a"])
        .status()
        .unwrap();
    assert!(made.success());
    place.ok(&format!(
        "copy W --tar {} --catalog --serial S2",
        archive.display()
    ));
    let words = place.refused("purge files/a");
    assert!(
        words.contains("1 file of this host and 1 file that came from elsewhere"),
        "{words}"
    );
    let path = place.path("files/a");
    let purged = place.json(0, &format!("purge {}", path.display()));
    assert_eq!(purged["references"], 1);
    assert_eq!(place.references().len(), 3);
    // A part of a volume is no list of it.
    let words = place.refused("verify V files/b --serial S1 --list out");
    assert!(words.contains("cannot be used with"), "{words}");
}

/// CW-17: jobs that run at once get different serial numbers.
#[test]
fn jobs_that_run_at_once_have_different_serial_numbers() {
    let place = place();
    place.ok("serial DF0001");
    // However slow the disk is: each of them waits for the others.
    let path = place.path("vault/vault.toml");
    let configuration = fs::read_to_string(&path).unwrap();
    let patient = configuration.replace("wait-seconds = 10\n", "wait-seconds = 600\n");
    assert_ne!(patient, configuration);
    fs::write(&path, patient).unwrap();
    let serials: Vec<String> = std::thread::scope(|scope| {
        let place = &place;
        let job = |job: usize| {
            scope.spawn(move || place.json(0, &format!("copy V{job} files --catalog")))
        };
        let jobs: Vec<_> = (0..4).map(job).collect();
        let done = jobs.into_iter().map(|job| job.join().unwrap());
        done.map(|added| added["serial"].as_str().unwrap().to_owned())
            .collect()
    });
    let mut sorted = serials.clone();
    sorted.sort();
    assert_eq!(sorted, ["DF0001", "DF0002", "DF0003", "DF0004"]);
}

/// CW-19: a removed file keeps its references until they are purged, and the capsule stays then.
#[test]
fn a_removed_file_keeps_its_references_until_they_are_purged() {
    let place = place();
    place.ok("copy V files --catalog --serial S1");
    fs::remove_file(place.path("files/a")).unwrap();
    let files = place.references();
    assert_eq!(
        (files[0].1.as_str(), files[1].1.as_str()),
        ("removed", "resident")
    );
    let purged = place.json(0, "purge files/a");
    assert_eq!(
        (purged["references"].as_u64(), purged["files"].as_u64()),
        (Some(1), Some(1))
    );
    assert_eq!(place.references().len(), 2);
    place.refused("purge files/a");
    assert!(place.ok("ls V").contains("files/a"), "the capsule stays");
    place.ok("extract V files/a -C out");

    place.refused("purge --all --serial S1");
    place.ok("purge --all --yes --serial S1");
    assert!(place.references().is_empty());
    assert!(place.ok("verify V").contains("0 findings"));
    // The name and the serial number are free again.
    place.ok("copy W files --catalog --serial S1");
}

/// CW-20, CW-21: a file that is given up for its copy is released, one that was removed is not; nothing comes back by
/// itself.
#[test]
fn released_and_removed_files_are_told_apart() {
    let place = place();
    place.ok("copy V files --catalog --serial S1");
    fs::remove_file(place.path("files/b")).unwrap();
    fs::write(place.path("files/c"), "that is c").unwrap();
    let output = place.run("drop-original files/a files/c --json");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(place.path("files/a").exists(), "nothing goes without --yes");
    let output = place.run("drop-original files/a files/c --yes --json");
    let dropped: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(dropped["same"].as_array().unwrap().len(), 1, "{dropped}");
    assert!(
        dropped["kept"][0]["why"]
            .as_str()
            .unwrap()
            .contains("changed since")
    );
    assert!(!place.path("files/a").exists() && place.path("files/c").exists());
    let states: Vec<_> = place.references().into_iter().map(|file| file.1).collect();
    assert_eq!(states, ["released", "removed", "resident"]);
    let names = fs::read_dir(place.path("files")).unwrap();
    assert_eq!(names.count(), 1, "no copy is left");

    let words = place.refused("autorestore files/a");
    assert!(words.contains("not supported"), "{words}");
    place.ok("extract V files/a");
    assert_eq!(place.references()[0].1, "resident");
    assert_eq!(fs::read(place.path("files/a")).unwrap(), b"this is a");
    // The same time and length are not enough.
    let times = fs::metadata(place.path("files/a"))
        .unwrap()
        .modified()
        .unwrap();
    fs::write(place.path("files/a"), "this is x").unwrap();
    let file = fs::File::options()
        .write(true)
        .open(place.path("files/a"))
        .unwrap();
    file.set_modified(times).unwrap();
    drop(file);
    let output = place.run("drop-original files/a --yes");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(place.path("files/a").exists(), "{output:?}");
}

/// CW-10, CW-14, CW-17: a catalog that comes back from its backup says which volumes got files since, and the
/// directories of these give the references again.
#[test]
fn references_after_the_last_backup_are_told_of_and_come_back() {
    let place = place();
    let vault = |code, words: &str| {
        let mut command = place.program();
        command.args(words.split(' '));
        let (printed, told) = ended(command, code);
        printed + &told
    };
    place.ok("serial DF0001");
    place.ok("copy V files/a --catalog");
    vault(0, "create safe.ptape");
    vault(0, "vault backup safe.ptape");
    // A clock of milliseconds has to go on.
    let backup = std::time::SystemTime::now();
    while backup.elapsed().unwrap() < std::time::Duration::from_millis(20) {
        std::thread::yield_now();
    }
    place.ok("add V files/b --catalog");
    place.ok("copy W files --backup --serial W00001");
    place.ok("copy X files/c --catalog");
    place.ok("copy PLAIN files/a");
    let before = place.references();
    fs::remove_dir_all(place.path("vault")).unwrap();
    let told = vault(1, "vault recover safe.ptape --confirm --event backup");
    let root = fs::canonicalize(place.path("farm")).unwrap();
    let root = root.display();
    for words in [
        format!(
            "--event backup does not hold: on {root} something was written later (files of volume"
        ),
        format!("volume V in {root} has 1 file that came after the backup"),
        format!("pseudotape farm refer V --root {root} --catalog --serial DF0001 --below DIR"),
        format!("volume W[W00001] in {root} has 3 files, and the catalog does not know the volume"),
        format!("pseudotape farm refer W --root {root} --backup --serial W00001 --below DIR"),
        format!("volume X in {root} has 1 file that came after the backup"),
        "'pseudotape farm serial' says DF0002".to_owned(),
    ] {
        assert!(told.contains(&words), "{words}: {told}");
    }
    assert_eq!(vault(1, "vault report"), told);
    vault(0, "vault online");
    assert_eq!(place.references().len(), 1);

    let words = place.refused("refer V --below .");
    assert!(words.contains("--backup"), "{words}");
    let words = place.refused("refer NONE --catalog --serial Q1 --below .");
    assert!(words.contains("there is no volume NONE"), "{words}");
    // A folder in which none of the files is: most likely the wrong one.
    let count = place.references().len();
    let words = place.refused("refer V --catalog --below vault");
    assert!(words.contains("none of 1 file is below"), "{words}");
    assert!(
        words.contains("vault/files/b. Nothing was changed"),
        "{words}"
    );
    assert_eq!(place.references().len(), count);
    let done = place.json(0, "refer V --catalog --below vault --removed");
    assert_eq!(
        (&done["referred"], &done["removed"]),
        (&1.into(), &1.into())
    );
    assert_eq!(place.references().len(), count + 1);
    place.ok("purge vault");
    assert_eq!(place.references().len(), count);
    let done = place.json(0, "refer V --catalog --below .");
    assert_eq!(done["removed"], 0);
    assert_eq!((&done["referred"], &done["known"]), (&1.into(), &1.into()));
    assert_eq!(done["serial"], "DF0001");
    fs::rename(place.path("files/a"), place.path("a")).unwrap();
    let words = place.ok("refer W --backup --serial W00001 --below .");
    assert!(words.contains("1 file of these is not below"), "{words}");
    assert!(words.contains("'pseudotape farm purge "), "{words}");
    fs::rename(place.path("a"), place.path("files/a")).unwrap();
    place.ok("refer X --catalog --below .");
    assert_eq!(place.references(), before);
    let again = place.ok("refer W --backup --serial W00001 --below .");
    assert!(
        again.contains("W[W00001]: 0 files have a reference to W00001 now; 3 had one"),
        "{again}"
    );
    // What came from an archive has no path.
    place.ok("refer PLAIN --catalog --serial P1 --by-title");
    let states: Vec<_> = place.references().into_iter().map(|file| file.1).collect();
    assert_eq!(states, ["resident", "resident", "resident", "elsewhere"]);
    place.ok("purge --all --yes --serial P1");

    // Nothing is told of what the catalog knows.
    vault(0, "vault backup safe.ptape");
    fs::remove_dir_all(place.path("vault")).unwrap();
    let told = vault(0, "vault recover safe.ptape --confirm --event backup");
    assert!(!told.contains("farm refer"), "{told}");
}

/// CW-15, CW-16: who is refused for want of a serial number has no vault either.
#[test]
fn without_a_serial_number_no_vault_is_made() {
    let place = place();
    let words = place.refused("copy V files --catalog");
    assert!(
        words.contains("say --serial SERIAL, or 'pseudotape farm serial DF0001'"),
        "{words}"
    );
    assert!(
        words.contains("nothing was changed") && !words.contains("made a vault"),
        "{words}"
    );
    assert!(!place.path("vault").exists() && !place.path("farm/V").exists());
    place.ok("serial DF0001");
    place.ok("copy V files --catalog");
}

/// CW-20: what the capsule keeps beside the contents has to be the same, too, or it would be lost with the file.
#[test]
fn a_file_with_other_attributes_than_its_copy_stays() {
    let place = place();
    let path = place.path("files/a");
    let mode = |bits| fs::set_permissions(&path, fs::Permissions::from_mode(bits)).unwrap();
    mode(0o640);
    place.ok("copy V files --catalog --serial S1");
    let why = |code| {
        let output = place.run("drop-original files/a --json");
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
        shown["kept"][0]["why"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(why(0), "");
    mode(0o600);
    let words = why(1);
    assert!(
        words.contains("permissions 0600, and 0640 in the capsule"),
        "{words}"
    );
    assert!(words.contains("--contents-only"), "{words}");
    mode(0o640);
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    let time = |time| fs::File::open(&path).unwrap().set_modified(time).unwrap();
    time(before + std::time::Duration::from_nanos(7));
    let words = why(1);
    assert!(words.contains("changed since"), "{words}");
    time(before);
    assert_eq!(why(0), "");
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(7), Some(8)).unwrap();
        let words = why(1);
        assert!(
            words.contains("owner 7:8, and 0:0 in the capsule"),
            "{words}"
        );
    }
    time(before + std::time::Duration::from_secs(7));
    mode(0o600);
    place.ok("drop-original files/a --yes --contents-only");
    assert!(!path.exists());
    // Other contents are never dropped.
    fs::write(place.path("files/b"), "that is b").unwrap();
    let output = place.run("drop-original files/b --yes --contents-only");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(place.path("files/b").exists());
}

/// CW-36, CW-37, CW-38, CW-39: a merge refers to the files whose capsules it copies; only a copy makes entries.
#[test]
fn a_merge_refers_to_the_files_of_its_sources() {
    let place = place();
    place.ok("copy KNOWN files/a --catalog --serial S1");
    place.ok("copy UNKNOWN files/b");
    let words = place.refused("merge M KNOWN UNKNOWN --backup");
    assert!(words.contains("needs the serial number"), "{words}");
    let words = place.refused("merge M KNOWN UNKNOWN --catalog");
    assert!(words.contains("needs a serial number"), "{words}");
    let text = place.ok("merge M KNOWN UNKNOWN --backup --serial M1");
    assert!(text.contains("files/a cataloged on M[M1]"), "{text}");
    assert!(text.contains("files/b not cataloged"), "{text}");
    assert_eq!(place.references().len(), 1);
    let list = place.json(0, "refs files/a");
    assert_eq!(list["files"][0]["references"][0]["serial"], "M1");

    let text = place.ok("merge N KNOWN UNKNOWN --verb copy --backup --serial N1");
    assert!(text.contains("files/b cataloged on N[N1]"), "{text}");
    let text = place.ok("merge O KNOWN UNKNOWN --verb copy --catalog --serial O1");
    assert!(text.contains("files/a archived on O"), "{text}");
    let states: Vec<_> = place.references().into_iter().map(|file| file.1).collect();
    assert_eq!(states, ["resident", "elsewhere"]);
}

/// CW-18: what the farm did to a copy is shown beside its reference.
#[test]
fn a_reference_says_what_became_of_its_copy() {
    let place = place();
    place.ok("copy V files --catalog --serial S1");
    place.ok("release V files/a");
    fs::write(place.path("files/b"), "a longer file b").unwrap();
    place.ok("compare-add V files/b");
    let list = place.json(0, "refs");
    let copies: Vec<_> = list["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["references"][0]["copy"].as_str().unwrap())
        .collect();
    assert_eq!(copies, ["released", "replaced", "ok"]);
    let copy_of_c = || {
        let list = place.json(0, "refs files/c");
        list["files"][0]["references"][0]["copy"].clone()
    };
    // What can't be looked at may have the copy all the same.
    let directory = fs::read(place.path("farm/V/FILE000.dir")).unwrap();
    fs::write(place.path("farm/V/FILE000.dir"), "damaged").unwrap();
    assert_eq!(copy_of_c(), "unknown");
    fs::write(place.path("farm/V/FILE000.dir"), directory).unwrap();
    assert_eq!(copy_of_c(), "ok");
    fs::rename(place.path("farm/V"), place.path("V")).unwrap();
    assert_eq!(copy_of_c(), "unknown", "perhaps the disk is not mounted");
    fs::create_dir(place.path("farm/W")).unwrap();
    assert_eq!(copy_of_c(), "no volume");
    // Another vault knows nothing of all that.
    place.refused(&format!("refs --vault {}", place.path("other").display()));
}

/// CW-30, CW-31, CW-35: a verification and a merge write the list of a volume, as the catalog has it or as NULL.
#[test]
fn a_list_of_a_volume_is_called_by_name_date_and_serial_number() {
    let place = place();
    place.ok("copy V files --catalog --serial S1");
    let words = place.refused("verify V --list out");
    assert!(words.contains("needs the serial number"), "{words}");
    // A capsule that is damaged is not in it.
    fs::write(place.path("farm/V/FILE0000002.ptape"), "").unwrap();
    let output = place.run("verify V --serial S1 --list out --json");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let verified: Value = serde_json::from_slice(&output.stdout).unwrap();
    let read = |shown: &Value| -> (Vec<String>, Value) {
        let path = place.path(shown["list"].as_str().unwrap());
        let list: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let parts = path.strip_prefix(place.path("out/libmaintdir")).unwrap();
        let parts = parts.iter().map(|part| part.to_str().unwrap().to_owned());
        (parts.collect(), list)
    };
    let (parts, list) = read(&verified);
    assert_eq!((parts[0].as_str(), parts[2].as_str()), ("V", "S1.json"));
    assert_eq!(parts[1], list["created"].as_str().unwrap()[..10]);
    let titles = |list: &Value| -> Vec<String> {
        let files = list["files"].as_array().unwrap().iter();
        files
            .map(|file| file["title"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(titles(&list), ["files/a", "files/c"]);

    // The catalog has it not.
    place.ok("copy X files --backup --serial S3");
    place.ok("purge --all --yes --serial S3");
    let output = place.run("verify X --serial S3 --list out --json");
    let told = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(told.contains("called NULL"), "{told}");
    let (parts, list) = read(&serde_json::from_slice(&output.stdout).unwrap());
    assert_eq!((parts[0].as_str(), parts[2].as_str()), ("NULL", "S3.json"));
    assert_eq!(titles(&list).len(), 3);

    let words = place.refused("merge M V --list out");
    assert!(words.contains("needs the serial number"), "{words}");
    let output = place.run("merge M V --catalog --serial S4 --list out --json");
    assert_eq!(output.status.code(), Some(1), "one is damaged: {output:?}");
    let (parts, list) = read(&serde_json::from_slice(&output.stdout).unwrap());
    assert_eq!((parts[0].as_str(), parts[2].as_str()), ("M", "S4.json"));
    assert_eq!(titles(&list), ["files/a", "files/c"]);
}

/// A name can neither forge a line nor lose its bytes.
#[test]
fn a_dropped_original_is_named_in_one_line_and_by_its_bytes() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let place = place();
    fs::write(
        place.path("files").join(OsStr::from_bytes(b"x\nb\xff")),
        "x",
    )
    .unwrap();
    place.ok("copy V files --catalog --serial S1");
    let drop = |extra: &[&str]| {
        let mut command = place.command("drop-original");
        command
            .args(extra)
            .arg(OsStr::from_bytes(b"files/x\nb\xff"));
        ended(command, 0).0
    };
    let text = drop(&[]);
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains("files/x\\nb\\xff: can go"), "{text}");
    let shown: Value = serde_json::from_str(&drop(&["--json"])).unwrap();
    let bytes = shown["same"][0]["file_bytes"].as_str().unwrap();
    assert!(bytes.ends_with("780a62ff"), "{bytes}");
}
