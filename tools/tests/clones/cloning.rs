//! EN-01 to EN-14, EN-16: what is on a clone, what is said of it, and what a kill leaves.

use std::fs;

use std::os::unix::process::ExitStatusExt;

use std::sync::PoisonError;

use pseudotape_image::{Access, FileStore};

use serde_json::Value;

use crate::place::{BLOCKS, Place, START_OR_CLOSE, block, bytes_of, damage, numbers};

/// EN-02, EN-04, EN-05, EN-08, EN-09, EN-10, EN-13.
#[test]
fn a_clone_has_the_good_files_the_label_and_a_list_of_the_bad_ones() {
    let place = Place::new(10);
    damage(&place.source(), &[3, 7, 9]);
    let hooks = ["--ticket-hook", "cat >>tickets", "--on-bad", "cat >>bad"];
    let report = place.json(
        1,
        &[&["vault", "clone", "MON001", "--to", "MON002"], &hooks[..]].concat(),
    );
    assert_eq!(numbers(&report["files"], "old_file"), [0, 1, 2, 4, 5, 6, 8]);
    assert_eq!(numbers(&report["files"], "file"), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(
        numbers(&report["files"], "old_first_object"),
        [0, 5, 10, 20, 25, 30, 40]
    );
    assert_eq!(numbers(&report["left_out"], "file"), [3, 7, 9]);
    assert_eq!(report["left_out"][0]["state"], "bad");
    // The owner was told of each, with its size and digest.
    let bad = place.told("bad");
    let files: Vec<u64> = bad
        .iter()
        .map(|bad| bad["file"].as_u64().unwrap())
        .collect();
    assert_eq!(files, [3, 7, 9]);
    assert_eq!(bad[0]["bytes"], 2800);
    assert_eq!(bad[0]["digest"].as_str().unwrap().len(), 64);
    let tickets = place.told("tickets");
    assert_eq!(
        (&tickets[0]["event"], &tickets[1]["event"]),
        (&"open".into(), &"close".into())
    );
    assert_eq!(tickets[0]["incident"], tickets[1]["incident"]);
    assert_eq!(
        (&tickets[1]["good"], &tickets[1]["left_out"]),
        (&7.into(), &3.into())
    );
    // The label means the clone; the source is kept, blocked by the system.
    assert_eq!(place.states("MON001"), ["ok"; 7]);
    for (new, old) in [0, 1, 2, 4, 5, 6, 8].into_iter().enumerate() {
        let file = new.to_string();
        let output = place.run(&["dump", "v/images/MON002.ptape", "--file", &file]);
        let wanted: Vec<u8> = (0..BLOCKS).flat_map(|number| block(old, number)).collect();
        assert_eq!(output.stdout, wanted, "file {old}");
    }
    assert_eq!(place.availability("MON001"), "ok");
    assert_eq!(place.availability("MON001 damaged 1"), "noaccess");
    let states = place.states("MON001 damaged 1");
    assert_eq!(states.iter().filter(|state| *state == "bad").count(), 3);
    let inventory = fs::read(report["inventory"].as_str().unwrap()).unwrap();
    let inventory: Value = serde_json::from_slice(&inventory).unwrap();
    assert_eq!(inventory["files"].as_array().unwrap().len(), 10);
    assert_eq!(inventory["files"][3]["state"], "ok", "as it was before");
    place.ends(0, &["vault", "doctor", "--digests"]);
    let text = place.ends(2, &["vault", "clone", "MON001", "--to", "MON002"]);
    assert!(
        text.contains(
            "MON001 is a clone already, and the damaged volume is kept as 'MON001 damaged 1'"
        ),
        "{text}"
    );
}

/// EN-08: what a kill -9 leaves; EN-04: one incident, opened once.
#[test]
fn a_clone_that_is_killed_anywhere_goes_on_with_what_it_knows() {
    let place = Place::new(10);
    damage(&place.source(), &[3, 7, 9]);
    // With the second bad file, and with the word that it is done.
    let second = "cat >>bad; test $(wc -l <bad) != 2 || kill -KILL $PPID";
    let closing = "cat >>tickets; test $(wc -l <tickets) != 2 || kill -KILL $PPID";
    let arguments = [
        "vault", "clone", "MON001", "--to", "MON002", "--on-bad", second,
    ];
    let arguments = [&arguments[..], &["--ticket-hook", closing]].concat();
    assert_eq!(place.run(&arguments).status.signal(), Some(9));
    let states = place.states("MON001");
    assert_eq!(
        (&states[3], &states[7], &states[9]),
        (&"bad".into(), &"bad".into(), &"ok".into())
    );
    assert_eq!(place.availability("MON001"), "noaccess");
    // The next one does not try those again, and tells of 9, and of 7 whose teller was killed.
    assert_eq!(place.run(&arguments).status.signal(), Some(9));
    let told: Vec<u64> = place
        .told("bad")
        .iter()
        .map(|bad| bad["file"].as_u64().unwrap())
        .collect();
    assert_eq!(told, [3, 7, 9, 7]);
    assert_eq!(
        place.states("MON001"),
        ["ok"; 7],
        "it had the label when it was killed"
    );
    let text = place.ends(1, &arguments);
    assert!(text.contains("MON001 is the clone now"), "{text}");
    let incidents = place.told("tickets");
    let words: Vec<&str> = incidents
        .iter()
        .map(|told| told["event"].as_str().unwrap())
        .collect();
    assert_eq!(words, ["open", "close", "close"]);
    assert!(
        incidents
            .iter()
            .all(|told| told["incident"] == incidents[0]["incident"])
    );
    place.ends(0, &["vault", "doctor", "--digests"]);
}

/// EN-03.
#[test]
fn a_smaller_volume_is_refused_before_the_first_byte() {
    let place = Place::new(2);
    place.ends(
        0,
        &[
            "vault",
            "add",
            "--new",
            "--label",
            "MON003",
            "--capacity",
            "10M",
        ],
    );
    let before = place.json(0, &["vault", "show"]);
    let text = place.ends(2, &["vault", "clone", "MON001", "--to", "MON003"]);
    assert!(
        text.contains("its capacity is 10485760 bytes") && text.contains("--force-type"),
        "{text}"
    );
    assert_eq!(place.json(0, &["vault", "show"]), before);
    assert!(!place.path("v/clones").exists());
    let words = ["vault", "clone", "MON001", "--to", "MON003", "--force-type"];
    place.ends(0, &words);
    assert_eq!(place.states("MON001"), ["ok"; 2]);
    // One with something on it is none, either.
    let text = place.ends(
        2,
        &[
            "vault",
            "clone",
            "MON001 damaged 1",
            "--to",
            "MON001",
            "--force-type",
        ],
    );
    assert!(text.contains("MON001 is not blank"), "{text}");
}

/// EN-11, EN-13: no label without a scan, and no scan with a wrong byte.
#[test]
fn a_clone_that_cannot_be_read_back_does_not_get_the_label() {
    let place = Place::new(4);
    let text = place.clones(0, &["--hold"]);
    assert!(text.contains("without --hold"), "{text}");
    assert_eq!(place.states("MON001").len(), 4);
    assert_eq!(place.availability("MON001"), "noaccess");
    damage(&place.path("v/images/MON002.ptape"), &[2]);
    let text = place.clones(2, &[]);
    assert!(
        text.contains("MON002.ptape: tape file 2 (file 2 of the volume)"),
        "{text}"
    );
    assert_eq!(
        place.availability("MON001"),
        "noaccess",
        "nothing has the label but the source"
    );
    // It says that the same command writes it again.
    place.clones(0, &[]);
    assert_eq!(place.availability("MON001"), "ok");
    place.ends(0, &["vault", "doctor", "--digests"]);
}

/// EN-14: who misses something hears which stacked volumes have it from before, and the copy brings it back.
#[test]
fn a_clone_that_misses_something_names_the_copies_of_before() {
    let place = Place::new(3);
    place.ends(0, &["create", "stk.ptape"]);
    let to = ["--to", "primary", "--drive", "stk.ptape", "--new", "STK001"];
    place.ends(0, &[&["vault", "stack", "MON001"], &to[..]].concat());
    let whole = fs::read(place.source()).unwrap();
    damage(&place.source(), &[1]);
    let on = "STK001 (filling, pool primary)";
    let found = place.json(1, &["vault", "doctor", "--digests", "--mark"]);
    let advice = found["findings"][0]["advice"].as_str().unwrap();
    assert!(advice.contains(on), "{advice}");
    let text = place.ends(2, &["vault", "recall", "MON001"]);
    assert!(
        text.contains("MON001 is here") && text.contains(on),
        "{text}"
    );
    let report = place.json(1, &["vault", "clone", "MON001", "--to", "MON002"]);
    assert_eq!(report["copies"], on);
    // What is blocked is recalled, too.
    fs::rename(place.source(), place.path("away.ptape")).unwrap();
    let recalled = place.json(0, &["vault", "recall", "MON001 damaged 1"]);
    assert_eq!(recalled["stacked_volume"], "STK001");
    assert_eq!(fs::read(place.source()).unwrap(), whole);
    let good = ["vault", "mark", "MON001 damaged 1", "ok", "--file", "1"];
    place.ends(0, &good);
    assert_eq!(place.states("MON001 damaged 1"), ["ok"; 3]);
}

/// EN-14: what the volume's own image does not give comes from another copy.
#[test]
fn another_copy_gives_what_is_bad() {
    let place = Place::new(5);
    damage(&place.source(), &[1, 4]);
    damage(&place.path("copy.ptape"), &[2]);
    let report = place.json(
        0,
        &[
            "vault",
            "clone",
            "MON001",
            "--to",
            "MON002",
            "--from",
            "copy.ptape",
        ],
    );
    assert_eq!(numbers(&report["files"], "old_file"), [0, 1, 2, 3, 4]);
    assert!(report["left_out"].as_array().unwrap().is_empty());
    assert_eq!(place.states("MON001"), ["ok"; 5]);
    // On the damaged volume itself they are as bad as before.
    assert_eq!(
        place.states("MON001 damaged 1"),
        ["ok", "bad", "ok", "ok", "bad"]
    );
    place.ends(0, &["vault", "doctor", "--digests"]);
}

/// EN-06, EN-14: the best one first, none that is not needed, and one that is busy is passed over.
#[test]
fn of_several_copies_the_first_ones_are_asked_first() {
    let place = Place::new(5);
    for copy in ["second.ptape", "third.ptape", "busy.ptape"] {
        fs::copy(place.path("copy.ptape"), place.path(copy)).unwrap();
    }
    damage(&place.source(), &[1, 3, 4]);
    damage(&place.path("copy.ptape"), &[3]);
    damage(&place.path("second.ptape"), &[1]);
    let _held = {
        let _starting = START_OR_CLOSE
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        FileStore::open(&place.path("busy.ptape"), Access::ReadWrite).unwrap()
    };
    let text = String::from_utf8(
        place
            .run(&[
                "vault",
                "clone",
                "MON001",
                "--to",
                "MON002",
                "--from",
                "busy.ptape",
            ])
            .stderr,
    )
    .unwrap();
    assert!(
        text.contains("no --from can be read") && text.contains("busy.ptape"),
        "{text}"
    );
    assert_eq!(place.availability("MON001"), "ok", "nothing began");
    assert_eq!(place.states("MON001"), ["ok"; 5]);
    let from = ["busy.ptape", "copy.ptape", "second.ptape", "third.ptape"];
    let from: Vec<&str> = from.iter().flat_map(|source| ["--from", source]).collect();
    let report = place.json(
        0,
        &[&["vault", "clone", "MON001", "--to", "MON002"], &from[..]].concat(),
    );
    assert_eq!(numbers(&report["files"], "old_file"), [0, 1, 2, 3, 4]);
    let read = numbers(&report["sources"], "read_objects");
    assert_eq!(read[1..], [2, 1], "{report}");
    assert_eq!(numbers(&report["sources"], "missing_objects"), [3, 1, 0]);
    let second = report["sources"][2]["source"].as_str().unwrap();
    assert!(second.ends_with("second.ptape"), "{second}");
    place.ends(0, &["vault", "doctor", "--digests"]);
}

/// EN-08, EN-14: what was read of the volume itself, and then nobody lived to write down that a file of it is bad.
#[test]
fn a_kill_before_a_file_is_marked_does_not_leave_it_good_where_another_copy_has_it() {
    let place = Place::new(5);
    damage(&place.source(), &[1, 4]);
    let from = ["--from", "copy.ptape"];
    let begun = [&["--ticket-hook", "kill -KILL $PPID"], &from[..]].concat();
    let words = ["vault", "clone", "MON001", "--to", "MON002"];
    let killed = place.run(&[&words, &begun[..]].concat());
    assert_eq!(killed.status.signal(), Some(9));
    // The same as the clone does next, but for the catalog.
    let papers = fs::read_dir(place.path("v/clones")).unwrap().next();
    let work = papers.unwrap().unwrap().path().join("work.ptape");
    let source = place.source();
    let rescue = ["rescue", source.to_str().unwrap(), work.to_str().unwrap()];
    place.ends(1, &[&rescue[..], &["--tries", "3"]].concat());
    assert_eq!(place.states("MON001"), ["ok"; 5]);
    place.clones(0, &from);
    assert_eq!(place.states("MON001"), ["ok"; 5]);
    assert_eq!(
        place.states("MON001 damaged 1"),
        ["ok", "bad", "ok", "ok", "bad"]
    );
}

/// EN-14, EN-16: a block that nothing shows to be that of the volume is none.
#[test]
fn a_rewritten_copy_gives_nothing_where_no_digest_tells() {
    let place = Place::new(3);
    // The volume again, without digests, and two files of the same image: one as it is, one that was written since.
    place.ends(0, &["create", "plain.ptape"]);
    place.write("plain.ptape", 3, true);
    for copy in ["same.ptape", "later.ptape"] {
        fs::copy(place.path("plain.ptape"), place.path(copy)).unwrap();
    }
    place.ends(0, &["vault", "add", "plain.ptape", "--label", "MON005"]);
    place.write_other("later.ptape", 3);
    place.ends(0, &["create", "other.ptape"]);
    place.write_other("other.ptape", 3);
    damage(&place.path("v/images/MON005.ptape"), &[1]);
    let words = ["vault", "clone", "MON005", "--to", "MON002", "--from"];
    let text = place.ends(2, &[&words[..], &["later.ptape"]].concat());
    assert!(
        text.contains("later.ptape is MON005 as it was written after")
            && text.contains("--same-tape"),
        "{text}"
    );
    assert_eq!(place.availability("MON005"), "ok", "nothing began");
    let text = place.ends(2, &[&words[..], &["other.ptape"]].concat());
    assert!(
        text.contains("no digest of tape file 1 of MON005") && text.contains("--same-tape"),
        "{text}"
    );
    // The same image, as it was written last, needs none.
    let report = place.json(0, &[&words[..], &["same.ptape"]].concat());
    assert_eq!(numbers(&report["files"], "old_file"), [0, 1, 2]);
    let dump = place.run(&["dump", "v/images/MON002.ptape", "--file", "1"]);
    assert_eq!(dump.stdout, bytes_of(1));
    assert_eq!(place.states("MON005 damaged 1"), ["ok", "bad", "ok"]);
}

/// EN-16.
#[test]
fn a_file_with_another_digest_is_not_on_the_clone() {
    let place = Place::new(3);
    // A copy that is right but for one block, which is another one there, with a good checksum.
    place.ends(0, &["create", "other.ptape"]);
    place.write_other("other.ptape", 3);
    damage(&place.source(), &[1]);
    let report = place.json(
        1,
        &[
            "vault",
            "clone",
            "MON001",
            "--to",
            "MON002",
            "--from",
            "other.ptape",
        ],
    );
    assert_eq!(numbers(&report["files"], "old_file"), [0, 2]);
    assert_eq!(numbers(&report["left_out"], "file"), [1]);
}

/// EN-01, EN-07.
#[test]
fn after_a_write_error_all_files_with_an_end_are_cloned_in_one_pass() {
    let place = Place::new(1);
    place.ends(0, &["create", "torn.ptape"]);
    place.write("torn.ptape", 3, false);
    place.ends(
        0,
        &[
            "vault",
            "add",
            "torn.ptape",
            "--digests",
            "--label",
            "MON007",
        ],
    );
    let words = [
        "vault", "clone", "MON007", "--to", "MON002", "--reason", "write",
    ];
    let report = place.json(0, &words);
    assert_eq!(report["reason"], "write");
    assert_eq!(numbers(&report["files"], "old_file"), [0, 1]);
    assert_eq!(numbers(&report["left_out"], "file"), [2]);
    assert_eq!(report["left_out"][0]["state"], "missing");
    let shown = place.json(0, &["vault", "show", "MON007 damaged 1"]);
    let reason = shown["blocked"]["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("cloned because of a write error"),
        "{reason}"
    );
    // For a read error it is a file like any other.
    place.ends(0, &["create", "end.ptape"]);
    place.write("end.ptape", 2, false);
    place.ends(
        0,
        &[
            "vault",
            "add",
            "end.ptape",
            "--digests",
            "--label",
            "MON008",
        ],
    );
    place.ends(0, &["vault", "add", "--new", "--label", "MON009"]);
    place.ends(0, &["vault", "clone", "MON008", "--to", "MON009"]);
    assert_eq!(place.states("MON008"), ["ok"; 2]);
}
