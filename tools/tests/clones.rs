//! EN-01 to EN-13, EN-16. `pseudotape vault clone`: what is on the clone, what is said, and what a kill leaves.

use std::fs;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

use pseudotape_image::{Access, FileStore, Image};
use pseudotape_tape::Mark;
use serde_json::Value;

/// Held while the command is started and while an image is written: until its exec is over a child has a copy of every
/// descriptor, and with it of the lock on an image that another test closes just then.
static START_OR_CLOSE: Mutex<()> = Mutex::new(());

const BLOCK: usize = 700;
const BLOCKS: u32 = 4;

fn block(file: u32, number: u32) -> Vec<u8> {
    let words =
        (0..BLOCK as u32 / 4).map(|word| (file * 7_001 + number * 1_013 + word * 3).to_le_bytes());
    words.flatten().collect()
}

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    /// A vault in `v` with MON001, which has so many tape files, and the blank MON002.
    fn new(files: u32) -> Self {
        let place = Place {
            directory: tempfile::tempdir().unwrap(),
        };
        place.ends(0, &["vault", "init", "--labels", "MON###"]);
        place.ends(0, &["create", "tape.ptape"]);
        place.write("tape.ptape", files, true);
        place.ends(0, &["copy", "tape.ptape", "copy.ptape"]);
        place.ends(
            0,
            &[
                "vault",
                "add",
                "tape.ptape",
                "--digests",
                "--label",
                "MON001",
            ],
        );
        place.ends(0, &["vault", "add", "--new", "--label", "MON002"]);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn source(&self) -> PathBuf {
        self.path("v/images/MON001.ptape")
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let child = {
            let _starting = START_OR_CLOSE
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            Command::new(env!("CARGO_BIN_EXE_pseudotape"))
                .current_dir(self.directory.path())
                .env("PSEUDOTAPE_VAULT", self.path("v"))
                .args(arguments)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the binary was built for this test")
        };
        child.wait_with_output().unwrap()
    }

    /// Runs what has to end with this code; returns what it prints.
    fn ends(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {output:?}"
        );
        let text = if code == 2 {
            output.stderr
        } else {
            output.stdout
        };
        String::from_utf8(text).unwrap()
    }

    fn clones(&self, code: i32, more: &[&str]) -> String {
        let words = ["vault", "clone", "MON001", "--to", "MON002"];
        self.ends(code, &[&words, more].concat())
    }

    fn json(&self, code: i32, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ends(code, &[arguments, &["--json"]].concat())).unwrap()
    }

    fn states(&self, label: &str) -> Vec<String> {
        let list = self.json(0, &["vault", "ls", label]);
        let files = list["files"].as_array().unwrap();
        files
            .iter()
            .map(|file| file["state"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The same tape files, but for one block of file 1, which is another one here, with a good checksum.
    fn write_other(&self, name: &str, files: u32) {
        let _closing = START_OR_CLOSE
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let store = FileStore::open(&self.path(name), Access::ReadWrite).unwrap();
        let (mut image, _) = Image::open(store, Access::ReadWrite).unwrap();
        for file in 0..files {
            for number in 0..BLOCKS {
                let other = (file, number) == (1, 1);
                image
                    .append_block(&block(if other { 50 } else { file }, number))
                    .unwrap();
            }
            image.append_marks(Mark::Filemark, 1).unwrap();
        }
        image.finish().unwrap();
    }

    fn write(&self, name: &str, files: u32, ended: bool) {
        let _closing = START_OR_CLOSE
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let store = FileStore::open(&self.path(name), Access::ReadWrite).unwrap();
        let (mut image, _) = Image::open(store, Access::ReadWrite).unwrap();
        image.to_end_of_data();
        for file in 0..files {
            for number in 0..BLOCKS {
                image.append_block(&block(file, number)).unwrap();
            }
            if ended || file + 1 < files {
                image.append_marks(Mark::Filemark, 1).unwrap();
            }
        }
        image.finish().unwrap();
    }

    /// What was told by a hook that does `cat >>NAME`, line by line.
    fn told(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn availability(&self, label: &str) -> String {
        let shown = self.json(0, &["vault", "show", label]);
        shown["availability"].as_str().unwrap().to_owned()
    }
}

/// Damages the second block of these tape files.
fn damage(path: &Path, files: &[u32]) {
    let bytes = fs::read(path).unwrap();
    let image = fs::OpenOptions::new().write(true).open(path).unwrap();
    for file in files {
        let wanted = block(*file, 1);
        let at = bytes.windows(BLOCK).position(|part| part == wanted);
        image
            .write_all_at(b"DAMAGE", at.expect("it is on the tape") as u64 + 300)
            .unwrap();
    }
}

fn numbers(list: &Value, field: &str) -> Vec<u64> {
    let entries = list.as_array().unwrap().iter();
    entries
        .map(|entry| entry[field].as_u64().unwrap())
        .collect()
}

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

/// EN-02, EN-21: what a person has decided stays decided.
#[test]
fn what_a_person_has_decided_stays() {
    let place = Place::new(3);
    let by = ["--by", "ada", "--reason", "the case is cracked"];
    place.ends(
        0,
        &[&["vault", "mark", "MON001", "notallowed"], &by[..]].concat(),
    );
    place.ends(
        0,
        &[&["vault", "declare-lost", "MON001", "--file", "1"], &by[..]].concat(),
    );
    let report = place.json(
        0,
        &["vault", "clone", "MON001", "--to", "MON002", "--by", "eva"],
    );
    assert_eq!(numbers(&report["files"], "old_file"), [0, 2]);
    assert_eq!(report["left_out"][0]["state"], "lost");
    let kept = place.json(0, &["vault", "show", "MON001 damaged 1"]);
    assert_eq!(kept["availability"], "notallowed");
    assert_eq!(kept["blocked"]["by"], "ada");
    // What is at a vendor is not read.
    place.ends(
        0,
        &[&["vault", "mark", "MON001", "at-vendor"], &by[..]].concat(),
    );
    place.ends(0, &["vault", "add", "--new", "--label", "MON003"]);
    let text = place.ends(2, &["vault", "clone", "MON001", "--to", "MON003"]);
    assert!(text.contains("MON001 is at-vendor, set by ada"), "{text}");
}

/// The bytes of a tape file of the volume.
fn bytes_of(file: u32) -> Vec<u8> {
    (0..BLOCKS).flat_map(|number| block(file, number)).collect()
}

/// EN-21: it is the only way to that state, and whoever wants the file hears of it.
#[test]
fn only_declare_lost_declares_a_file_lost() {
    let place = Place::new(3);
    let why = ["--by", "ada", "--reason", "made anew elsewhere"];
    let mark = ["vault", "mark", "MON001", "lost", "--file", "1"];
    let text = place.ends(2, &[&mark, &why[..]].concat());
    assert!(
        text.contains("vault declare-lost MON001 --file 1"),
        "{text}"
    );
    assert_eq!(place.states("MON001"), ["ok"; 3]);
    let declare = ["vault", "declare-lost", "MON001", "--file", "1"];
    for missing in [&why[..2], &why[2..], &["--by", "ada", "--reason", " "]] {
        place.ends(2, &[&declare, missing].concat());
    }
    // All that are named, or none.
    let two = ["--file", "9"];
    let text = place.ends(2, &[&declare, &two[..], &why[..]].concat());
    assert!(text.contains('9'), "{text}");
    assert_eq!(place.states("MON001"), ["ok"; 3]);
    place.ends(0, &[&declare, &why[..]].concat());
    assert_eq!(place.states("MON001"), ["ok", "lost", "ok"]);
    let text = place.ends(
        2,
        &["vault", "deliver", "MON001", "--file", "1", "--to", "."],
    );
    assert!(text.contains("was declared lost by ada, 2"), "{text}");
    assert!(text.contains("made anew elsewhere"), "{text}");
    // A person takes it back, and then it is read again.
    let back = ["vault", "mark", "MON001", "bad", "--file", "1"];
    place.ends(0, &[&back, &why[..]].concat());
    place.ends(0, &["vault", "mark", "MON001", "ok", "--file", "1"]);
    assert_eq!(place.states("MON001"), ["ok"; 3]);
}

/// EN-16, EN-17: byte for byte, with a receipt, under a name that nothing has.
#[test]
fn a_file_is_delivered_into_a_directory_and_only_where_it_is_whole() {
    let place = Place::new(3);
    fs::create_dir(place.path("out")).unwrap();
    let deliver = ["vault", "deliver", "MON001", "--to", "out", "--file"];
    let receipt = place.json(
        0,
        &[&deliver[..], &["1", "--receipt", "r.json", "--by", "eva"]].concat(),
    );
    assert_eq!(fs::read(place.path("out/MON001.1")).unwrap(), bytes_of(1));
    let written: Value = serde_json::from_slice(&fs::read(place.path("r.json")).unwrap()).unwrap();
    assert_eq!(written, receipt);
    let digest = place.json(0, &["vault", "ls", "MON001"])["files"][1]["digest"].clone();
    assert_eq!(receipt["digest"], digest);
    assert_eq!(
        (&receipt["by"], &receipt["whole"]),
        (&"eva".into(), &true.into())
    );
    let text = place.ends(2, &[&deliver[..], &["1"]].concat());
    assert!(text.contains("MON001.1 exists"), "{text}");
    place.ends(2, &[&deliver[..], &["7"]].concat());
    place.ends(
        2,
        &["vault", "deliver", "MON001", "--to", "away", "--file", "0"],
    );
    // One that is damaged comes as what it is, and is not marked good.
    damage(&place.source(), &[2]);
    let receipt = place.json(1, &[&deliver[..], &["2"]].concat());
    assert_eq!(receipt["whole"], false);
    assert!(!place.path("out/MON001.2").exists());
    let partial = fs::read(place.path("out/MON001.2.partial")).unwrap();
    assert_eq!(partial.len(), bytes_of(2).len());
    assert_ne!(partial, bytes_of(2));
    let map = fs::read_to_string(place.path("out/MON001.2.map")).unwrap();
    assert!(map.lines().any(|line| line.ends_with(" -")), "{map}");
    // Nobody else gets a part of it.
    let text = place.ends(
        2,
        &[
            "vault",
            "deliver",
            "MON001",
            "--to",
            "volume:MON002",
            "--file",
            "2",
        ],
    );
    assert!(text.contains("not all of it can be read"), "{text}");
    assert!(place.states("MON002").is_empty());
}

/// EN-16: what can be read and is another one is not delivered either.
#[test]
fn a_file_with_another_digest_is_not_delivered() {
    let place = Place::new(2);
    let digest = |file: &Value| file["digest"].as_str().unwrap().to_owned();
    let files = place.json(0, &["vault", "ls", "MON001"])["files"].clone();
    // The volume's image is another one now, of the same identity, with other blocks in file 1.
    let shown = place.json(0, &["vault", "show", "MON001"]);
    let identity = shown["identity"].as_str().unwrap();
    place.ends(0, &["create", "other.ptape", "--volume-id", identity]);
    place.write_other("other.ptape", 2);
    fs::rename(place.path("other.ptape"), place.source()).unwrap();
    let receipt = place.json(
        1,
        &["vault", "deliver", "MON001", "--to", ".", "--file", "1"],
    );
    let why = receipt["why"].as_str().unwrap();
    assert!(
        why.ends_with(&format!("and was {}", digest(&files[1]))),
        "{why}"
    );
    assert!(!place.path("MON001.1").exists());
    assert!(place.path("MON001.1.partial").exists() && place.path("MON001.1.map").exists());
}

/// EN-17: to another host, where nothing is written over and what is there was read back.
#[test]
fn a_file_is_delivered_to_another_host() {
    let place = Place::new(2);
    // A host that is this one: its shell gets the command, as sshd does it.
    let rsh = place.path("rsh");
    fs::write(
        &rsh,
        "#!/bin/sh\n[ \"$1\" = ada@far ] || exit 9\nshift\nexec sh -c \"$*\"\n",
    )
    .unwrap();
    fs::set_permissions(&rsh, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    fs::create_dir(place.path("it's far")).unwrap();
    let path = place.path("it's far/file");
    let to = |path: &Path| format!("ssh:ada@far:{}", path.display());
    let rsh = ["--rsh", rsh.to_str().unwrap()];
    let deliver = |code: i32, to: &str| {
        let words = ["vault", "deliver", "MON001", "--file", "1", "--to", to];
        place.ends(code, &[&words, &rsh[..]].concat())
    };
    deliver(0, &to(&path));
    assert_eq!(fs::read(&path).unwrap(), bytes_of(1));
    assert!(!place.path("it's far/file.partial").exists());
    fs::write(&path, "mine").unwrap();
    let text = deliver(2, &to(&path));
    assert!(text.contains("is not taken there"), "{text}");
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    // A directory is no name: the file gets one.
    deliver(0, &(to(&place.path("it's far")) + "/"));
    assert_eq!(
        fs::read(place.path("it's far/MON001.1")).unwrap(),
        bytes_of(1)
    );
    deliver(2, &to(&place.path("nowhere/file")));
    // What runs there is no shell, and ends without a word: a broken pipe is not nobody's business.
    let other = ["--rsh", "true"];
    let words = ["vault", "deliver", "MON001", "--file", "1", "--to"];
    let there = to(&path);
    let text = place.ends(2, &[&words[..], &[there.as_str()], &other].concat());
    assert!(
        text.contains("was not taken as a whole") || text.contains("is not what was sent"),
        "{text}"
    );
    deliver(2, "ssh:-oProxyCommand=x:file");
    deliver(2, "ssh:far");
}

/// EN-17: onto another volume, behind what is there; a full one is left as it was.
#[test]
fn a_file_is_delivered_onto_another_volume() {
    let place = Place::new(3);
    let deliver = |code: i32, file: &str, to: &str| {
        place.ends(
            code,
            &["vault", "deliver", "MON001", "--file", file, "--to", to],
        )
    };
    for file in ["1", "2"] {
        deliver(0, file, "volume:MON002");
    }
    assert_eq!(place.states("MON002"), ["ok"; 2]);
    let digests = |label: &str| -> Vec<Value> {
        let list = place.json(0, &["vault", "ls", label]);
        let files = list["files"].as_array().unwrap().iter();
        files.map(|file| file["digest"].clone()).collect()
    };
    assert_eq!(digests("MON002"), digests("MON001")[1..]);
    assert_eq!(place.json(0, &["vault", "show", "MON002"])["open"], false);
    place.ends(0, &["vault", "doctor", "--digests"]);
    deliver(2, "1", "volume:MON001");
    deliver(2, "1", "volume:MON009");
    place.ends(
        0,
        &[
            "vault",
            "add",
            "--new",
            "--label",
            "MON003",
            "--capacity",
            "4K",
        ],
    );
    deliver(0, "0", "volume:MON003");
    let text = deliver(2, "1", "volume:MON003");
    assert!(text.contains("nothing was changed"), "{text}");
    assert_eq!(digests("MON003"), digests("MON001")[..1]);
    assert_eq!(place.json(0, &["vault", "show", "MON003"])["open"], false);
    place.ends(0, &["vault", "doctor", "--digests"]);
}

/// EN-10: the owner delivers the file again, and only that one is taken.
#[test]
fn a_file_that_is_delivered_again_is_on_the_clone() {
    let place = Place::new(3);
    damage(&place.source(), &[1]);
    fs::write(place.path("right"), bytes_of(1)).unwrap();
    fs::write(place.path("wrong"), bytes_of(2)).unwrap();
    let again = |code: i32, path: &str, more: &[&str]| {
        let words = ["vault", "redeliver", "MON001", "--file", "1", path];
        place.ends(code, &[&words, more].concat())
    };
    let text = again(2, "right", &[]);
    assert!(text.contains("MON001 is no clone"), "{text}");
    place.clones(1, &[]);
    assert_eq!(place.states("MON001"), ["ok"; 2]);
    let text = again(2, "wrong", &[]);
    assert!(text.contains("is another one, or a part of it"), "{text}");
    assert_eq!(place.states("MON001"), ["ok"; 2]);
    let text = again(2, "right", &["--block-size", "100"]);
    assert!(text.contains("had 4 blocks"), "{text}");
    let text = again(0, "right", &["--ticket-hook", "cat >>hooks"]);
    assert!(text.contains("is tape file 2 of MON001"), "{text}");
    assert_eq!(place.states("MON001"), ["ok"; 3]);
    assert_eq!(place.states("MON001 damaged 1"), ["ok", "released", "ok"]);
    let hook: Value = serde_json::from_slice(&fs::read(place.path("hooks")).unwrap()).unwrap();
    assert_eq!(hook["event"], "close");
    assert_eq!(hook["taken"][0], 1);
    // It is as it was, block by block, and the catalog knows.
    place.ends(0, &["vault", "doctor", "--digests"]);
    place.ends(
        0,
        &["vault", "deliver", "MON001", "--file", "2", "--to", "."],
    );
    assert_eq!(fs::read(place.path("MON001.2")).unwrap(), bytes_of(1));
    let list = place.json(0, &["vault", "ls", "MON001"]);
    assert_eq!(list["files"][2]["blocks"], BLOCKS);
    // Once is enough, and who was killed before it was told hears it from the same command.
    let text = again(0, "right", &["--ticket-hook", "cat >>again"]);
    assert!(text.contains("is tape file 2 of MON001"), "{text}");
    assert_eq!(
        fs::read(place.path("again")).unwrap(),
        fs::read(place.path("hooks")).unwrap()
    );
    assert_eq!(place.states("MON001"), ["ok"; 3]);
    let text = again(2, "wrong", &[]);
    assert!(
        text.contains("it is tape file 2 of MON001 already"),
        "{text}"
    );
}

/// EN-18: with EN-19, EN-20 and EN-21 as the ways to decide.
#[test]
fn an_incident_is_closed_when_of_each_file_somebody_has_decided() {
    let place = Place::new(6);
    damage(&place.source(), &[1, 2, 4, 5]);
    damage(&place.path("copy.ptape"), &[1, 2, 5]);
    let close = ["vault", "close-incident", "MON001"];
    let text = place.ends(2, &close);
    assert!(text.contains("MON001 is no clone"), "{text}");
    let hook = ["--ticket-hook", "cat >>tickets"];
    place.clones(1, &[&["--from", "copy.ptape"], &hook[..]].concat());
    let close = [&close, &hook[..], &["--by", "eva"]].concat();
    let open = |numbers: &str| {
        let text = place.ends(2, &close);
        let says = format!("nobody has decided of tape file {numbers} of 'MON001 damaged 1'");
        assert!(text.contains(&says), "{text}");
    };
    open("1, 2, 5");
    fs::write(place.path("one"), bytes_of(1)).unwrap();
    place.ends(0, &["vault", "redeliver", "MON001", "--file", "1", "one"]);
    open("2, 5");
    let why = ["--by", "ada", "--reason", "made anew elsewhere"];
    let lost = ["vault", "declare-lost", "MON001 damaged 1", "--file", "2"];
    place.ends(0, &[&lost, &why[..]].concat());
    open("5");
    let away = ["vault", "mark", "MON001 damaged 1", "at-vendor"];
    place.ends(0, &[&away, &why[..]].concat());
    let report = place.json(0, &close);
    let counts = ["good", "recovered", "lost", "released", "at_vendor"];
    let counts = counts.map(|field| report[field].as_u64().unwrap());
    assert_eq!(counts, [2, 2, 1, 0, 1], "{report}");
    assert_eq!(numbers(&report["files"], "file"), [0, 1, 2, 3, 4, 5]);
    let tickets = place.told("tickets");
    let last = &tickets[2];
    assert_eq!(
        (&last["event"], &last["lost"]),
        (&"settled".into(), &1.into())
    );
    assert_eq!(last["incident"], tickets[0]["incident"]);
    // It is closed once.
    let text = place.ends(0, &[&close[..5], &["--by", "someone"]].concat());
    let says = "closed by eva: of 6 tape files 2 good, 2 recovered, 1 lost, 1 with a vendor";
    assert!(text.contains(says), "{text}");
    assert_eq!(place.told("tickets").len(), 3);
}

/// EN-19, EN-20: of two files that a vendor gives back, one is another one; the request is open until both are settled.
#[test]
fn of_the_files_of_a_vendor_those_with_their_digest_are_taken() {
    let place = Place::new(4);
    damage(&place.source(), &[1, 3]);
    place.clones(1, &[]);
    let why = ["--by", "ada", "--reason", "at Recovery Ltd, request 4711"];
    let away = ["vault", "mark", "MON001 damaged 1", "at-vendor"];
    place.ends(0, &[&away, &why[..]].concat());
    let text = place.ends(
        2,
        &[
            "vault",
            "deliver",
            "MON001 damaged 1",
            "--file",
            "0",
            "--to",
            ".",
        ],
    );
    assert!(text.contains("is at-vendor, set by ada"), "{text}");
    assert!(text.contains("request 4711"), "{text}");
    fs::write(place.path("one"), bytes_of(1)).unwrap();
    fs::write(place.path("three"), &bytes_of(3)[1..]).unwrap();
    let import = [
        "vault",
        "import-recovered",
        "MON001",
        "--ticket-hook",
        "cat >>hooks",
        "--block-size",
        "700",
    ];
    let both = ["--file", "1=one", "--file", "3=three"];
    let report = place.json(1, &[&import[..], &both].concat());
    assert_eq!(report["files"][0]["file"], 2);
    assert!(
        report["files"][1]["refused"]
            .as_str()
            .unwrap()
            .contains("digest")
    );
    assert_eq!(report["still_bad"], serde_json::json!([3]));
    assert_eq!(place.states("MON001"), ["ok"; 3]);
    fs::write(place.path("three"), bytes_of(3)).unwrap();
    let report = place.json(0, &[&import[..], &both[2..]].concat());
    assert_eq!(report["still_bad"], serde_json::json!([]));
    assert_eq!(
        place.states("MON001 damaged 1"),
        ["ok", "released", "ok", "released"]
    );
    let hooks = fs::read_to_string(place.path("hooks")).unwrap();
    let hooks: Vec<Value> = hooks
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(hooks[0]["event"], "returned");
    assert_eq!(hooks[0]["refused"], serde_json::json!([3]));
    assert_eq!(hooks[1]["event"], "close");
    assert_eq!(hooks[0]["incident"], hooks[1]["incident"]);
    place.ends(0, &["vault", "doctor", "--digests"]);
}
