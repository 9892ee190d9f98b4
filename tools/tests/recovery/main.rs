//! The vault comes back from its tapes: what the commands do, print, and leave when they are killed (VT-01 to VT-12).

mod place;
mod reports;
#[path = "../tables/mod.rs"]
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Stdio;
use std::time::Instant;

use pseudotape_image::{FileStore, Image};
use pseudotape_stack::VolumeDescription;
use pseudotape_tape::{Access, Drive, EraseExtent};

use place::{Place, append, flip_last, word};

/// The second in which the copies were closed that a test describes.
const CLOSED: &str = "2096-10-02T07:06:40Z";

/// VT-01, VT-03.
#[test]
fn a_survey_shows_for_each_tape_the_backup_none_damaged_or_absent() {
    let place = Place::new();
    place.backups(&["a.ptape", "b.ptape", "b.ptape", "c.ptape"]);
    place.create("blank.ptape");
    place.create("foreign.ptape");
    append(&place.path("foreign.ptape"), b"not an archive");
    flip_last(&place.path("c.ptape"), b"catalog.sqlite.zst");
    let tapes = [
        "a.ptape",
        "b.ptape",
        "c.ptape",
        "blank.ptape",
        "foreign.ptape",
        "gone.ptape",
    ];
    let survey = place.json(1, &[&["survey"], &tapes[..]].concat());
    let states: Vec<_> = survey["tapes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| word(&one["state"]))
        .collect();
    assert_eq!(
        states,
        ["backup", "backup", "damaged", "none", "none", "absent"]
    );
    assert_eq!(
        survey["newest"]["sequence"], 3,
        "4 is damaged, and never chosen"
    );
    assert_eq!(survey["newest"]["tape"], "b.ptape");
    let warnings = survey["warnings"].as_array().unwrap();
    assert!(
        word(&warnings[0]).contains("something on c.ptape can't be read"),
        "{warnings:?}"
    );
    let text = place.ended(1, &["survey", "a.ptape", "b.ptape"]);
    assert!(
        text.ends_with("on b.ptape\n") && text.contains("newest: backup 3 of 20"),
        "{text}"
    );

    let told = place.json(0, &["catalog-of", "b.ptape"]);
    assert_eq!(told["backup"]["sequence"], 3);
    assert_eq!(told["backup"]["volumes"], 3);
    assert_eq!(told["backup"]["site_name"], "mondays");
    assert_eq!(word(&told["backup"]["digest"]).len(), 64);
    let identity = place.json(0, &["show"])["identity"].clone();
    assert_eq!(told["backup"]["site"], identity);
    assert!(
        place
            .ended(1, &["catalog-of", "blank.ptape"])
            .starts_with("blank.ptape: none")
    );
    let text = place.ended(1, &["survey", "blank.ptape"]);
    assert!(
        text.contains("no undamaged backup of a catalog was found"),
        "{text}"
    );
}

/// VT-03: a tape that the catalog knows, and nobody named, is absent.
#[test]
fn a_tape_that_the_catalog_knows_and_nobody_named_is_absent() {
    let place = Place::new();
    place.backups(&["a.ptape", "b.ptape"]);
    place.json(0, &["survey", "a.ptape", "b.ptape"]);
    let survey = place.json(1, &["survey", "b.ptape"]);
    let tapes = survey["tapes"].as_array().unwrap();
    let shown: Vec<_> = tapes
        .iter()
        .map(|one| (word(&one["tape"]), word(&one["state"])))
        .collect();
    let shown: Vec<_> = shown
        .iter()
        .map(|(tape, state)| (tape.as_str(), state.as_str()))
        .collect();
    assert_eq!(shown, [("b.ptape", "backup"), ("a", "absent")]);
    assert_eq!(survey["newest"]["sequence"], 2);
    let report = place.json(
        0,
        &[
            "recover",
            "b.ptape",
            "--confirm",
            "--replace",
            "--event",
            "backup",
        ],
    );
    let warnings = report["warnings"].to_string();
    assert!(
        warnings.contains("stacked volume a is not among the tapes"),
        "{warnings}"
    );
    place.lose();
    // An empty machine knows of none.
    assert_eq!(
        place.json(0, &["survey", "b.ptape"])["tapes"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

/// The end of a tape is enough: what lies before the backups is not read.
#[test]
fn a_backup_behind_what_can_not_be_read_is_found() {
    let place = Place::new();
    place.backups(&["a.ptape"]);
    place.stack("a.ptape", &place.described("FULL01", 1), &vec![7; 600_000]);
    place.ok(&["backup", "a.ptape"]);
    let path = place.path("a.ptape");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes
        .windows(64)
        .position(|window| window == [7; 64])
        .unwrap();
    bytes[middle..middle + 300_000].fill(8);
    fs::write(&path, bytes).unwrap();
    assert_eq!(
        place.json(0, &["catalog-of", "a.ptape"])["backup"]["sequence"],
        2
    );
}

#[test]
fn a_backup_goes_on_no_tape_of_somebody_else() {
    let (place, other) = (Place::new(), Place::new());
    place.create("foreign.ptape");
    append(&place.path("foreign.ptape"), b"not an archive");
    let error = place.refused(&["backup", "foreign.ptape"]);
    assert!(error.contains("is no stacked volume"), "{error}");
    other.backups(&["a.ptape"]);
    let theirs = other.path("a.ptape");
    let error = place.refused(&["backup", theirs.to_str().unwrap()]);
    assert!(error.contains("belongs to the vault mondays ("), "{error}");
    let small = "image:small.ptape,create,capacity=300K,early-warning=1K";
    let error = place.refused(&["backup", small]);
    assert!(error.contains("is full: backup 1 did not fit"), "{error}");
    assert!(
        error.contains("the stacked volume small is full now"),
        "{error}"
    );
    let pool = place.json(0, &["pool"]);
    assert_eq!(pool["stacked_volumes"][0]["state"], "full", "{pool}");
    place.backups(&["a.ptape"]);
    let sequence = place.json(0, &["catalog-of", "a.ptape"])["backup"]["sequence"].clone();
    assert_eq!(sequence, 2, "a number is not given twice");
}

/// VT-02, VT-04, VT-06, VT-08 (the unknown interval), VT-09.
#[test]
fn an_empty_machine_gets_its_vault_back_when_somebody_says_so() {
    let place = Place::new();
    place.backups(&["a.ptape", "b.ptape"]);
    let before = place.labels();
    fs::remove_file(place.path("v/catalog.sqlite")).unwrap();
    for command in [&["ls"][..], &["add", "--new"], &["online"]] {
        let error = place.refused(command);
        assert!(
            error.contains("needs a recovery") && error.contains("vault recover"),
            "{error}"
        );
    }
    place.lose();
    let output = place.run(&["recover", "a.ptape", "b.ptape"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("nothing was changed: with --confirm")
    );
    assert!(String::from_utf8_lossy(&output.stdout).contains("newest: backup 2"));
    assert!(!place.path("v").exists());

    let text = place.ended(1, &["recover", "a.ptape", "b.ptape", "--confirm"]);
    assert!(
        text.contains("unknown interval: 20") && text.contains("2 UNKNOWN-INTERVAL"),
        "{text}"
    );
    assert_eq!(place.labels(), before);
    let text = place.ended(
        1,
        &[
            "recover",
            "a.ptape",
            "b.ptape",
            "--confirm",
            "--event",
            "backup",
        ],
    );
    assert!(text.contains("2 CURRENT, 1 LOST-MEDIUM"), "{text}");
    assert_eq!(place.ended(1, &["report"]), text);
    // What is lost is refused by name, and is no blank tape.
    let shown = place.json(0, &["show", "FULL01"]);
    assert_eq!(shown["availability"], "noaccess");
    assert_eq!(shown["blocked"]["reason"], "its data are lost: LOST-MEDIUM");

    let csv = place.ok(&[
        "online",
        "--csv",
        "--reason",
        "the tapes were looked through",
    ]);
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(
        lines[0],
        "label,identity,state,category,availability,generation,image,slot"
    );
    assert!(lines[1].starts_with("FULL01,") && lines[1].contains(",absent,private,noaccess,1,"));
    assert_eq!(lines.len(), 4);
    assert!(
        place
            .refused(&["online"])
            .contains("the vault is in service")
    );
    place.backups(&["a.ptape"]);
    let sequence = place.json(0, &["catalog-of", "a.ptape"])["backup"]["sequence"].as_u64();
    assert!(
        sequence > Some(1000),
        "numbers that were lost are not given again: {sequence:?}"
    );
}

/// VT-05: present and known, known and absent, present and unknown.
#[test]
fn a_lost_catalog_finds_its_images_again() {
    let place = Place::new();
    place.backups(&["a.ptape"]);
    place.written("late.ptape", &["add", "late.ptape", "--label", "LATE01"]);
    fs::remove_file(place.path("v/images/MON002.ptape")).unwrap();
    fs::write(place.path("v/catalog.sqlite"), "torn").unwrap();
    let report = place.json(1, &["recover", "a.ptape", "--confirm"]);
    let volumes: BTreeMap<_, _> = report["volumes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                word(&one["label"]),
                (word(&one["fate"]), one["readable"]["place"].clone()),
            )
        })
        .collect();
    assert_eq!(
        volumes["FULL01"],
        ("CURRENT".to_owned(), "disk".into()),
        "its image is here"
    );
    assert_eq!(volumes["MON002"].0, "UNKNOWN-INTERVAL");
    let kept = word(&report["kept"]);
    assert_eq!(fs::read(kept).unwrap(), b"torn");
    let inventory = place.json(0, &["inventory"]);
    assert_eq!(inventory["online"], false);
    let states: BTreeSet<_> = inventory["volumes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (word(&one["label"]), word(&one["state"])))
        .collect();
    for (label, state) in [("FULL01", "present"), ("MON002", "absent"), ("", "unknown")] {
        assert!(
            states.contains(&(label.to_owned(), state.to_owned())),
            "{states:?}"
        );
    }
    assert_eq!(place.json(0, &["online"])["online"], true);
    place.ok(&["add", "v/images/LATE01.ptape", "--label", "LATE01"]);
}

/// VT-07: the newest is torn; the one before it on the same tape is taken, then one on another.
#[test]
fn a_damaged_backup_is_passed_over() {
    let place = Place::new();
    place.backups(&["b.ptape", "a.ptape", "a.ptape"]);
    flip_last(&place.path("a.ptape"), b"catalog.sqlite.zst");
    place.lose();
    let report = place.json(1, &["recover", "a.ptape", "b.ptape", "--confirm"]);
    assert_eq!(
        (&report["sequence"], &report["tape"]),
        (&2.into(), &"a.ptape".into())
    );
    let warnings = report["warnings"].to_string();
    assert!(
        warnings.contains("something on a.ptape can't be read"),
        "{warnings}"
    );
    place.lose();
    fs::remove_file(place.path("a.ptape")).unwrap();
    let report = place.json(1, &["recover", "a.ptape", "b.ptape", "--confirm"]);
    assert_eq!(
        (&report["sequence"], &report["tape"]),
        (&1.into(), &"b.ptape".into())
    );
    place.lose();
    let error = place.refused(&["recover", "a.ptape", "--confirm"]);
    assert!(
        error.contains("no undamaged backup of a catalog was found"),
        "{error}"
    );
    assert!(!place.path("v").exists());
}

/// VT-03, VT-07: what followed on a tape that lost its end may have been a newer backup.
#[test]
fn a_tape_that_lost_its_end_is_damaged() {
    let place = Place::new();
    place.backups(&["a.ptape", "b.ptape", "b.ptape"]);
    for (tape, left) in [("a.ptape", None), ("b.ptape", Some(2))] {
        let path = place.path(tape);
        let bytes = fs::read(&path).unwrap();
        for cut in [4096, 100_000] {
            fs::write(&path, &bytes[..bytes.len() - cut]).unwrap();
            let told = place.json(1, &["catalog-of", tape]);
            assert_eq!(told["state"], "damaged", "{cut} {told}");
            assert_eq!(told["backup"]["sequence"].as_u64(), left, "{cut} {told}");
            assert!(!told["note"].is_null(), "{cut} {told}");
        }
    }
    let survey = place.json(1, &["survey", "b.ptape"]);
    assert_eq!(survey["newest"]["sequence"], 2);
    let told = "something on b.ptape can't be read (its end is lost";
    let warnings = survey["warnings"].to_string();
    assert!(
        warnings.contains(told) && warnings.contains("it may have been a newer backup"),
        "{warnings}"
    );
    place.lose();
    let error = place.refused(&["recover", "a.ptape", "--confirm"]);
    assert!(
        error.contains("no undamaged backup of a catalog was found"),
        "{error}"
    );
    let report = place.json(1, &["recover", "b.ptape", "--confirm"]);
    assert!(report["warnings"].to_string().contains(told), "{report}");
}

/// VT-01: what lies behind a damaged beginning is found, and the tape is still known for what it is.
#[test]
fn a_damaged_beginning_hides_no_backup() {
    let place = Place::new();
    place.backups(&["a.ptape", "a.ptape"]);
    place.stack("a.ptape", &place.described("FULL01", 1), b"payroll");
    let path = place.path("a.ptape");
    let mut bytes = fs::read(&path).unwrap();
    bytes[20_000] ^= 1;
    fs::write(&path, bytes).unwrap();
    let survey = place.json(1, &["survey", "a.ptape"]);
    let tape = &survey["tapes"][0];
    assert_eq!(tape["state"], "backup", "{survey}");
    assert_eq!(tape["backup"]["sequence"], 2, "{survey}");
    assert_eq!(tape["stacked_volume"]["label"], "a", "{survey}");
    let told = "its beginning is damaged";
    assert!(word(&tape["note"]).contains(told), "{survey}");
    assert!(survey["warnings"].to_string().contains(told), "{survey}");
    place.json(1, &["catalog-of", "a.ptape"]);
    place.lose();
    let arguments = ["recover", "a.ptape", "--confirm", "--event", "backup"];
    let report = place.json(1, &arguments);
    assert!(report["warnings"].to_string().contains(told), "{report}");
    place.lose();
    let fates = place.fates(0, &["a.ptape", "--roll-forward", "--event", "backup"]);
    assert_eq!(fates["FULL01"], "CURRENT", "its copy was met");
}

/// VT-09, VT-12: an image on the disk is a copy only where it is what the catalog says.
#[test]
fn an_image_that_is_not_what_the_catalog_says_is_no_copy() {
    let place = Place::new();
    place.backups(&["a.ptape", "b.ptape"]);
    place.stack("b.ptape", &place.described("FULL01", 1), b"payroll");
    let image = place.path("v/images/FULL01.ptape");
    let whole = fs::read(&image).unwrap();
    let verify = ["--replace", "--roll-forward", "--verify", "--event"];
    let verify = [&verify[..], &["backup"]].concat();
    let with = |tapes: &[&'static str]| [tapes, &verify[..]].concat();
    let fates = place.fates(0, &with(&["a.ptape"]));
    assert_eq!(fates["FULL01"], "CURRENT");

    let at = whole.windows(7).position(|window| window == b"payroll");
    let mut flipped = whole.clone();
    flipped[at.unwrap()] ^= 1;
    append(&image, b"more");
    let written = fs::read(&image).unwrap();
    fs::write(&image, &whole).unwrap();
    let mut open = place.open("v/images/FULL01.ptape");
    open.rewind().unwrap();
    open.erase(EraseExtent::Short).unwrap();
    open.finish().unwrap();
    let erased = fs::read(&image).unwrap();
    let other = fs::read(place.path("v/images/MON001.ptape")).unwrap();
    // What is on the disk, why it is no copy, and what is said where a copy of it is on a tape.
    let cases = [
        (&whole[..at.unwrap()], "are missing", "CURRENT"),
        (&flipped[..], "tape file 0: it can't be read", "CURRENT"),
        (&written[..], "the catalog was not told", "STALE"),
        (&erased[..], "the catalog was not told", "STALE"),
        (&other[..], "the image is volume", "CURRENT"),
        (b"no image", "not a pseudotape image", "CURRENT"),
    ];
    for (bytes, why, with_copy) in cases {
        fs::write(&image, bytes).unwrap();
        let fates = place.fates(1, &with(&["a.ptape"]));
        assert_eq!(fates["FULL01"], "LOST-MEDIUM", "{why}");
        assert_eq!(fates["MON001"], "CURRENT", "{why}");
        let report = place.json(1, &["report"]);
        let warnings = report["warnings"].to_string();
        assert!(warnings.contains("is no copy of it") && warnings.contains(why));
        let shown = place.json(0, &["show", "FULL01"]);
        assert_eq!(shown["availability"], "noaccess", "{why}");
        let reason = word(&shown["blocked"]["reason"]);
        assert!(reason.contains(why), "{reason}");
        let code = i32::from(with_copy != "CURRENT");
        let fates = place.fates(code, &with(&["b.ptape"]));
        assert_eq!(fates["FULL01"], with_copy, "{why}");
    }
    // Blocks are read only where that is asked.
    fs::write(&image, &flipped).unwrap();
    let quick = [
        "a.ptape",
        "--replace",
        "--roll-forward",
        "--event",
        "backup",
    ];
    assert_eq!(place.fates(0, &quick)["FULL01"], "CURRENT");
}

/// VT-08, VT-09, VT-11, VT-12, by what describes itself on the tapes.
#[test]
fn rolling_forward_finds_what_was_written_after_the_backup() {
    let place = Place::new();
    place.backups(&["a.ptape"]);
    let (full, mon) = (place.described("FULL01", 1), place.described("MON001", 3));
    let older = VolumeDescription {
        generation: 2,
        closed_ms: mon.closed_ms - 1,
        ..mon.clone()
    };
    let unknown = VolumeDescription {
        identity: "00000000-0000-7000-8000-000000000001".parse().unwrap(),
        label: "NEW001".to_owned(),
        ..mon.clone()
    };
    let torn = VolumeDescription {
        identity: "00000000-0000-7000-8000-000000000002".parse().unwrap(),
        label: "TORN01".to_owned(),
        ..mon.clone()
    };
    place.stack("a.ptape", &full, b"payroll");
    place.stack("a.ptape", &older, b"older");
    place.stack("a.ptape", &unknown, b"came later");
    let saved = fs::read(place.path("a.ptape")).unwrap();
    for cut in [&mon, &torn] {
        fs::write(place.path("a.ptape"), &saved).unwrap();
        place.stack_cut("a.ptape", cut, &vec![9; 700_000]);
        place.lose();
        let fates = place.fates(1, &["a.ptape", "--roll-forward", "--event", CLOSED]);
        let of = |label: &str| fates.get(label).map(String::as_str);
        assert_eq!(of("FULL01"), Some("CURRENT"), "{fates:?}");
        assert_eq!(
            of("MON002"),
            Some("UNKNOWN-INTERVAL"),
            "blank, and nothing says whether it was written later"
        );
        assert_eq!(of("NEW001"), Some("CURRENT"), "{fates:?}");
        match cut.label.as_str() {
            "MON001" => assert_eq!(of("MON001"), Some("STALE"), "{fates:?}"),
            _ => {
                assert_eq!(of("MON001"), Some("CURRENT"), "{fates:?}");
                assert_eq!(of("TORN01"), Some("LOST-UNRECORDED"), "{fates:?}");
            }
        }
        let shown = place.json(0, &["show", "NEW001"]);
        assert_eq!(
            (&shown["generation"], &shown["category"]),
            (&3.into(), &"private".into())
        );
        assert_eq!(place.json(0, &["show", "MON001"])["generation"], 2);
        let again = place.fates(
            1,
            &["a.ptape", "--roll-forward", "--verify", "--event", CLOSED],
        );
        assert_eq!(again, fates, "verified, the same");
    }
    // A copy that can not be read is none: the generation before it is left.
    fs::write(place.path("a.ptape"), &saved).unwrap();
    place.stack("a.ptape", &mon, &vec![9; 700_000]);
    let mut bytes = fs::read(place.path("a.ptape")).unwrap();
    let middle = bytes
        .windows(64)
        .position(|window| window == [9; 64])
        .unwrap();
    bytes[middle + 400_000] ^= 1;
    fs::write(place.path("a.ptape"), bytes).unwrap();
    place.lose();
    let arguments = ["a.ptape", "--roll-forward", "--event", CLOSED];
    assert_eq!(
        place.fates(1, &arguments)["MON001"],
        "CURRENT",
        "its blocks are there"
    );
    let fates = place.fates(1, &[&arguments[..], &["--verify"]].concat());
    assert_eq!(fates["MON001"], "STALE", "{fates:?}");
}

/// VT-08, VT-12: what is on the tapes proves that something was written after the time that was named.
#[test]
fn an_event_that_the_tapes_contradict_does_not_hold() {
    let place = Place::new();
    place.backups(&["a.ptape", "b.ptape"]);
    place.stack("b.ptape", &place.described("MON001", 1), b"monday");
    let written = word(&place.json(0, &["catalog-of", "b.ptape"])["backup"]["written"]);
    let recover = [
        "recover",
        "a.ptape",
        "b.ptape",
        "--confirm",
        "--roll-forward",
    ];
    for event in ["backup", &written] {
        place.lose();
        let report = place.json(1, &[&recover[..], &["--event", event]].concat());
        let fate = |at: usize| word(&report["volumes"][at]["fate"]);
        // MON002 can have been written when MON001 was.
        assert_eq!(fate(0), "LOST-MEDIUM", "{report}");
        assert_eq!(fate(1), "CURRENT", "{report}");
        assert_eq!(fate(2), "UNKNOWN-INTERVAL", "{report}");
        assert_eq!(report["event"], CLOSED, "{report}");
        let found = &report["contradictions"][0];
        assert_eq!(found["place"], "b.ptape", "{report}");
        assert_eq!(found["what"], "MON001 generation 1", "{report}");
        assert_eq!(found["written"], CLOSED, "{report}");
        let told = format!("--event {event} does not hold: on b.ptape something was written later");
        assert!(report["warnings"].to_string().contains(&told), "{report}");
        assert_eq!(
            place.json(1, &["report"])["contradictions"],
            report["contradictions"]
        );
    }
    // The time of the newest that was met is none before it.
    place.lose();
    let report = place.json(1, &[&recover[..], &["--event", CLOSED]].concat());
    assert_eq!(report["contradictions"], serde_json::json!([]), "{report}");
    assert_eq!(report["volumes"][2]["fate"], "UNKNOWN-INTERVAL", "{report}");
    // Where no tape says otherwise, it holds.
    place.lose();
    let holds = [
        "recover",
        "a.ptape",
        "--confirm",
        "--roll-forward",
        "--event",
        "backup",
    ];
    let report = place.json(1, &holds);
    assert_eq!(report["contradictions"], serde_json::json!([]), "{report}");
    assert_eq!(report["volumes"][2]["fate"], "CURRENT", "{report}");
}

/// VT-12: all images are there, and the exit code is still that of a warning.
#[test]
fn an_event_that_does_not_hold_is_told_of_where_all_is_current() {
    let place = Place::new();
    place.backups(&["a.ptape"]);
    let unknown = VolumeDescription {
        identity: "00000000-0000-7000-8000-000000000001".parse().unwrap(),
        label: "NEW001".to_owned(),
        ..place.described("MON001", 1)
    };
    place.stack("a.ptape", &unknown, b"came later");
    let recover = [
        "recover",
        "a.ptape",
        "--confirm",
        "--replace",
        "--roll-forward",
        "--event",
    ];
    let report = place.json(1, &[&recover[..], &["backup"]].concat());
    assert_eq!(report["all_current"], true, "{report}");
    assert_eq!(
        report["contradictions"][0]["what"], "NEW001 generation 1",
        "{report}"
    );
    place.json(1, &["report"]);
}

/// VT-11: what somebody removed from the vault stays removed, although copies of it are on the tapes; what was written
/// after that comes back.
#[test]
fn a_volume_that_was_removed_is_not_brought_back() {
    let place = Place::new();
    place.create("a.ptape");
    place.ok(&["backup", "a.ptape"]);
    let full = VolumeDescription {
        closed_ms: 1_000,
        ..place.described("FULL01", 1)
    };
    place.stack("a.ptape", &full, b"payroll");
    let why = ["--by", "ada", "--reason", "too old"];
    place.ok(&[&["rm", "FULL01", "--lose-last-copy"], &why[..]].concat());
    place.ok(&["backup", "a.ptape"]);
    let saved = fs::read(place.path("a.ptape")).unwrap();
    place.lose();
    let arguments = ["a.ptape", "--roll-forward", "--event", "backup"];
    let recover = [&["recover", "--confirm"], &arguments[..]].concat();
    let report = place.json(0, &recover);
    assert_eq!(report["taken"].as_array().unwrap().len(), 0, "{report}");
    assert!(report["fates"]["CURRENT"] == 2, "{report}");
    let warnings = report["warnings"].to_string();
    assert!(
        warnings.contains("FULL01 was removed from the vault at"),
        "{warnings}"
    );
    assert!(warnings.contains("too old"), "{warnings}");
    assert_eq!(place.labels(), ["MON001", "MON002"]);

    // It was in the vault again.
    fs::write(place.path("a.ptape"), saved).unwrap();
    let later = VolumeDescription {
        generation: 2,
        closed_ms: 4_000_000_000_000,
        ..full
    };
    place.stack("a.ptape", &later, b"payroll again");
    place.lose();
    let report = place.json(1, &recover);
    assert_eq!(report["taken"][0], "FULL01", "{report}");
    assert_eq!(
        report["contradictions"][0]["what"], "FULL01 generation 2",
        "{report}"
    );
}

/// VT-11, VT-12: what is foreign at the beginning of a tape hides nothing behind it; one that does not count is named.
#[test]
fn a_foreign_beginning_is_named_and_what_lies_behind_it_counts() {
    let place = Place::new();
    place.backups(&["a.ptape"]);
    place.stack("a.ptape", &place.described("FULL01", 1), b"payroll");
    place.create("foreign.ptape");
    append(&place.path("foreign.ptape"), b"not an archive");
    place.create("blank.ptape");
    fs::copy(place.path("foreign.ptape"), place.path("only.ptape")).unwrap();
    place.append_all("a.ptape", "foreign.ptape");
    let told = "foreign.ptape: it begins with something foreign (";
    let survey = place.json(1, &["survey", "foreign.ptape"]);
    assert_eq!(survey["tapes"][0]["state"], "backup", "{survey}");
    assert!(survey["warnings"].to_string().contains(told), "{survey}");
    place.lose();
    let tapes = ["foreign.ptape", "only.ptape", "blank.ptape"];
    let arguments = ["--confirm", "--roll-forward", "--event", "backup"];
    let report = place.json(0, &[&["recover"], &tapes[..], &arguments].concat());
    let full = &report["volumes"][0];
    assert_eq!(
        (&full["label"], &full["fate"]),
        (&"FULL01".into(), &"CURRENT".into())
    );
    let warnings = report["warnings"].to_string();
    for words in [
        told,
        "foreign.ptape: tape file 0: ",
        "only.ptape: it is no stacked volume (",
        "blank.ptape: it is blank",
    ] {
        assert!(warnings.contains(words), "{words}: {warnings}");
    }
}

/// VT-12: an image that was written as often as the catalog knows, and elsewhere, is not the one that it knows.
#[test]
fn an_image_that_was_written_elsewhere_is_no_copy() {
    let place = Place::new();
    let image = place.path("v/images/FULL01.ptape");
    let before = fs::read(&image).unwrap();
    append(&image, b"ours");
    place.ok(&["add", "v/images/FULL01.ptape"]);
    place.backups(&["a.ptape"]);
    fs::write(&image, before).unwrap();
    append(&image, b"theirs");
    let arguments = ["recover", "a.ptape", "--confirm", "--replace", "--event"];
    let report = place.json(1, &[&arguments[..], &["backup"]].concat());
    assert_eq!(report["volumes"][0]["fate"], "LOST-MEDIUM", "{report}");
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("it was written elsewhere"), "{warnings}");
}

/// What a drive writes would be told to a catalog that knows nothing of it.
#[test]
fn no_recovery_while_a_drive_has_a_volume() {
    let place = Place::new();
    place.backups(&["a.ptape"]);
    let path = place.path("v/images/MON001.ptape");
    let store = FileStore::open(&path, Access::ReadWrite).unwrap();
    let (drive, _) = Image::open(store, Access::ReadWrite).unwrap();
    let before = fs::read(place.path("v/catalog.sqlite")).unwrap();
    let recover = [
        "recover",
        "a.ptape",
        "--confirm",
        "--replace",
        "--event",
        "backup",
    ];
    let error = place.refused(&recover);
    assert!(
        error.contains("MON001.ptape is in use by a drive"),
        "{error}"
    );
    assert_eq!(fs::read(place.path("v/catalog.sqlite")).unwrap(), before);
    assert!(!place.path("v/loss-report.json").exists());
    drive.finish().unwrap();
    place.ok(&recover);
}

/// A number is not used up for nothing.
#[test]
fn a_backup_to_nowhere_is_refused() {
    let place = Place::new();
    let error = place.refused(&["backup", "null"]);
    assert!(error.contains("null keeps nothing"), "{error}");
    place.backups(&["a.ptape"]);
    let told = place.json(0, &["catalog-of", "a.ptape"]);
    assert_eq!(told["backup"]["sequence"], 1);
    // A message names a tape once.
    fs::write(place.path("text"), "no image").unwrap();
    let text = place.ended(1, &["survey", "text"]);
    let line = text.lines().find(|line| line.contains("absent")).unwrap();
    assert_eq!(line.matches("text").count(), 1, "{line}");
}

/// VT-10: a drive had it when the backup was made.
#[test]
fn a_volume_that_was_open_is_said_to_be() {
    let place = Place::new();
    let mut vault = pseudotape_vault::Vault::open(
        &place.path("v"),
        "test",
        pseudotape_vault::Surroundings::of_this_machine(),
    )
    .unwrap();
    let order = pseudotape_vault::Order::system("a test");
    let label = "MON001".parse().unwrap();
    vault
        .open_volume(&label, Access::ReadWrite, &order)
        .unwrap();
    drop(vault);
    place.backups(&["a.ptape"]);
    let mon = place.described("MON001", 1);
    place.lose();
    let fates = place.fates(1, &["a.ptape", "--roll-forward", "--event", "backup"]);
    assert_eq!(fates["MON001"], "LOST-UNCLOSED");
    let shown = place.json(0, &["show", "MON001"]);
    assert_eq!(shown["availability"], "noaccess", "nothing of it is left");
    let reason = word(&shown["blocked"]["reason"]);
    assert_eq!(reason, "its data are lost: LOST-UNCLOSED");
    // A later close is on the tape.
    place.stack("a.ptape", &mon, b"closed");
    place.lose();
    let fates = place.fates(1, &["a.ptape", "--roll-forward", "--event", "backup"]);
    assert_eq!(fates["MON001"], "CURRENT", "{fates:?}");
    assert_eq!(place.json(0, &["show", "MON001"])["open"], false);
}

/// VT-04: `kill -9` anywhere in a recovery, and the same command again.
#[test]
fn a_killed_recovery_is_repeated() {
    let place = Place::new();
    place.ok(&[
        "add",
        "--new",
        "--count",
        "40",
        "--capacity",
        "1M",
        "--scheme",
        "K###",
    ]);
    place.backups(&["a.ptape"]);
    let labels = place.labels();
    let arguments = [
        "vault",
        "recover",
        "a.ptape",
        "--confirm",
        "--event",
        "backup",
    ];
    let began = Instant::now();
    place.lose();
    place.ended(1, &arguments[1..]);
    let whole = began.elapsed();
    let mut killed = 0;
    for part in 0..12_u32 {
        place.lose();
        let mut child = place
            .command(&arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole * part / 12);
        child.kill().unwrap();
        killed += u32::from(child.wait().unwrap().code().is_none());
        // Nobody has seen what was lost.
        if !place.path("v/loss-report.json").exists() {
            place.refused(&["online"]);
        }
        let fates = place.fates(1, &["a.ptape", "--event", "backup"]);
        assert_eq!(fates.len(), labels.len(), "killed after {part}/12");
        assert_eq!(place.labels(), labels, "killed after {part}/12");
        assert_eq!(place.json(0, &["online"])["online"], true);
    }
    assert!(
        killed > 0,
        "the machine is too fast for this test: {whole:?}"
    );
}

/// VT-04, VT-06: the catalog is there, and the report is not.
#[test]
fn a_recovery_without_its_report_is_not_ended() {
    let place = Place::new();
    place.backups(&["a.ptape"]);
    fs::remove_file(place.path("v/catalog.sqlite")).unwrap();
    fs::remove_file(place.path("v/images/FULL01.ptape")).unwrap();
    // That of an earlier recovery says nothing of this one.
    fs::write(place.path("v/loss-report.json"), "an old one").unwrap();
    // The report can't be written: it ends where a kill would have ended it.
    fs::create_dir(place.path("v/loss-report.json.new")).unwrap();
    let command = ["recover", "a.ptape", "--confirm", "--event", "backup"];
    let error = place.refused(&command);
    assert!(error.contains("can't write"), "{error}");
    assert_eq!(place.labels().len(), 3, "the catalog is there");
    for refused in ["online", "report"] {
        let error = place.refused(&[refused]);
        assert!(
            error.contains("'pseudotape vault recover TAPE... --confirm', the same command again"),
            "{error}"
        );
    }
    assert_eq!(place.json(0, &["inventory"])["online"], false);
    fs::remove_dir(place.path("v/loss-report.json.new")).unwrap();
    let text = place.ended(1, &command);
    assert!(text.contains("2 CURRENT, 1 LOST-MEDIUM"), "{text}");
    assert_eq!(place.ended(1, &["report"]), text);
    assert_eq!(
        place.json(0, &["show", "FULL01"])["availability"],
        "noaccess"
    );
    place.ok(&["online"]);
}

/// What a recovery keeps, the next one does not write over.
#[test]
fn a_second_recovery_keeps_a_second_catalog() {
    let place = Place::new();
    place.backups(&["a.ptape"]);
    let command = ["recover", "a.ptape", "--confirm", "--replace"];
    let first = word(&place.json(0, &command)["kept"]);
    let bytes = fs::read(&first).unwrap();
    assert_eq!(
        place.json(0, &command)["kept"],
        first.as_str(),
        "repeated, and not ended"
    );
    place.ok(&["online"]);
    place.ok(&["add", "--new", "--capacity", "1M"]);
    let second = word(&place.json(0, &command)["kept"]);
    assert_ne!(first, second);
    assert_eq!(fs::read(&first).unwrap(), bytes);
    assert!(fs::metadata(&second).unwrap().len() > 0);
}

/// VT-12: a time that can't be, and a word that does not hold, make nothing current.
#[test]
fn the_event_is_not_before_what_is_known() {
    let place = Place::new();
    place.backups(&["a.ptape", "b.ptape"]);
    place.lose();
    let early = ["recover", "b.ptape", "--confirm", "--event"];
    let error = place.refused(&[&early[..], &["2020-01-01T00:00:00Z"]].concat());
    let told = place.json(0, &["catalog-of", "b.ptape"]);
    let written = word(&told["backup"]["written"]);
    assert!(
        error.contains("--event 2020-01-01T00:00:00") && error.contains(&written),
        "{error}"
    );
    assert!(!place.path("v").exists());
    // The time as it is shown is the backup's.
    let fates = place.fates(1, &["b.ptape", "--event", &written]);
    assert_eq!(fates["MON001"], "CURRENT", "{fates:?}");
    assert_eq!(place.fates(1, &["b.ptape", "--event", "backup"]), fates);
    // Backup 2 is the newest, and is damaged: nothing says what was written between 1 and 2, and after.
    flip_last(&place.path("b.ptape"), b"catalog.sqlite.zst");
    place.lose();
    let arguments = ["recover", "a.ptape", "b.ptape", "--confirm"];
    let report = place.json(1, &[&arguments[..], &["--event", "backup"]].concat());
    assert_eq!(report["sequence"], 1);
    assert_eq!(report["fates"].get("CURRENT"), None, "{report}");
    assert_eq!(report["fates"]["UNKNOWN-INTERVAL"], 2, "{report}");
    let of = |label: &str| {
        let volumes = report["volumes"].as_array().unwrap();
        let one = volumes.iter().find(|one| one["label"] == label).unwrap();
        one["since"].clone()
    };
    assert_eq!(of("MON001"), report["backup"]);
    let warnings = report["warnings"].to_string();
    assert!(
        warnings.contains("backup 1 is perhaps not the newest"),
        "{warnings}"
    );
}

#[test]
fn another_vault_and_a_newer_catalog_are_refused() {
    let (place, other) = (Place::new(), Place::new());
    place.backups(&["a.ptape"]);
    other.backups(&["b.ptape"]);
    let theirs = other.path("b.ptape");
    let theirs = theirs.to_str().unwrap();
    let error = place.refused(&["recover", "a.ptape", theirs, "--confirm"]);
    assert!(
        error.contains("there are backups of 2 vaults") && error.contains("--site"),
        "{error}"
    );
    let error = place.refused(&["recover", theirs, "--confirm"]);
    assert!(error.contains("another vault"), "{error}");
    let error = place.refused(&["recover", "a.ptape", "--confirm"]);
    assert!(
        error.contains("there is nothing to recover; --replace"),
        "{error}"
    );
    let error = place.refused(&["recover", "a.ptape", "--confirm", "--event", "yesterday"]);
    assert!(error.contains("or 'backup'"), "{error}");
    let report = place.json(0, &["recover", "a.ptape", "--confirm", "--replace"]);
    assert!(word(&report["kept"]).ends_with("catalog-before-recovery.sqlite"));
    let site = place.json(0, &["show"])["identity"].clone();
    let survey = place.json(
        0,
        &[
            "survey",
            "a.ptape",
            theirs,
            "--site",
            site.as_str().unwrap(),
        ],
    );
    assert_eq!(survey["newest"]["site"], site);
}
