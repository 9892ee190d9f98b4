//! `pseudotape vault stack` and `recall`: what a kill -9 leaves, and what a recovery knows of copies.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use pseudotape_image::{Access, FileStore, Image};
use pseudotape_tape::Mark;
use serde_json::Value;

const VOLUMES: [&str; 3] = ["MON001", "MON002", "MON003"];
/// Bytes of the data of each.
const LENGTH: usize = 2 << 20;
/// So often a command is begun anew that ended before it was killed.
const TRIES: u32 = 20;

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    /// With a vault of nothing.
    fn empty() -> Self {
        let place = Place {
            directory: tempfile::tempdir().unwrap(),
        };
        place.ok(&["init", "--name", "mondays", "--labels", "MON###"]);
        place
    }

    /// With a vault of volumes that were written, and a blank tape.
    fn new() -> Self {
        let place = Place::empty();
        for (at, label) in VOLUMES.iter().enumerate() {
            place.written(label, at);
        }
        place.create("tape.ptape");
        place
    }

    /// A volume with data of its own.
    fn written(&self, label: &str, seed: usize) {
        self.written_with(label, seed, LENGTH);
    }

    fn written_with(&self, label: &str, seed: usize, length: usize) {
        self.create("new.ptape");
        let store = FileStore::open(&self.path("new.ptape"), Access::ReadWrite).unwrap();
        let (mut image, _) = Image::open(store, Access::ReadWrite).unwrap();
        let bytes: Vec<u8> = (0..length)
            .map(|at| u8::try_from((at / 7 + at * seed) % 251).unwrap())
            .collect();
        for block in bytes.chunks(64 << 10) {
            image.append_block(block).unwrap();
        }
        image.append_marks(Mark::Filemark, 1).unwrap();
        image.finish().unwrap();
        self.ok(&["add", "new.ptape", "--label", label, "--digests"]);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn image(&self, label: &str) -> PathBuf {
        self.path(&format!("v/images/{label}.ptape"))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pseudotape"));
        command
            .current_dir(self.directory.path())
            .env("PSEUDOTAPE_VAULT", self.path("v"))
            .args(arguments);
        command
    }

    fn create(&self, name: &str) {
        let made = self.command(&["create", name]).output().unwrap();
        assert!(made.status.success(), "{made:?}");
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(&[&["vault"], arguments].concat())
            .output()
            .unwrap()
    }

    fn ended(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {output:?}"
        );
        String::from_utf8(output.stdout).unwrap()
    }

    fn ok(&self, arguments: &[&str]) -> String {
        self.ended(0, arguments)
    }

    fn json(&self, code: i32, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ended(code, &[arguments, &["--json"]].concat())).unwrap()
    }

    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn begun(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(&[&["vault"], arguments].concat());
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    fn stack_all(&self) -> Vec<&'static str> {
        let to = [
            "--to",
            "primary",
            "--drive",
            "tape.ptape",
            "--new",
            "STK001",
        ];
        [&["stack"], &VOLUMES[..], &to[..]].concat()
    }

    fn bytes(&self) -> Vec<Vec<u8>> {
        let read = |label: &&str| fs::read(self.image(label)).unwrap();
        VOLUMES.iter().map(read).collect()
    }

    fn images(&self) -> Vec<String> {
        let names = fs::read_dir(self.path("v/images")).unwrap();
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<String> = names
            .map(|entry| name(entry).into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// Kills it when a file has so many bytes; `false` where it ended before.
fn killed_at(mut child: Child, size: impl Fn() -> u64, bytes: u64) -> bool {
    while size() < bytes {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap().code().is_none()
}

/// What was copied whole is a copy, what was cut off is none, and the same command goes on behind.
#[test]
fn a_stack_that_is_killed_leaves_copies_that_come_back_and_goes_on() {
    let length = LENGTH as u64;
    // With the first byte of the tape, and within each volume.
    for part in [1, length / 2, length + length / 2, 2 * length + length / 2] {
        let is_killed = |place: &Place| {
            let tape = place.path("tape.ptape");
            let size = || fs::metadata(&tape).unwrap().len();
            let begin = size();
            killed_at(place.begun(&place.stack_all()), size, begin + part)
        };
        let mut places = (0..TRIES).map(|_| Place::new());
        let place = places
            .find(is_killed)
            .unwrap_or_else(|| panic!("each ended before it was killed at {part}"));
        let bytes = place.bytes();
        let pool = place.json(0, &["pool"]);
        let before = pool["stacked_volumes"][0]["copies"].as_u64().unwrap_or(0);
        let report = place.json(0, &place.stack_all());
        let results = report["volumes"].as_array().unwrap();
        let already = results.iter().filter(|one| one["result"] == "already");
        assert_eq!(already.count() as u64, before, "killed at {part}: {report}");
        let files: Vec<_> = results.iter().map(|one| one["file"].as_u64()).collect();
        assert_eq!(files.len(), VOLUMES.len());
        assert!(files.is_sorted_by(|one, other| one < other), "{report}");
        for (label, bytes) in VOLUMES.iter().zip(&bytes) {
            fs::remove_file(place.image(label)).unwrap();
            place.ok(&["recall", label, "--drive", "tape.ptape"]);
            let image = fs::read(place.image(label)).unwrap();
            assert!(image == *bytes, "{label}, killed at {part}");
        }
        place.ok(&["doctor", "--digests"]);
    }
}

/// There is no image or the whole one, and the same command brings it.
#[test]
fn a_recall_that_is_killed_leaves_no_image_or_the_whole_one() {
    let place = Place::new();
    let bytes = place.bytes();
    place.ok(&place.stack_all());
    let arguments = ["recall", "MON002", "--drive", "tape.ptape"];
    let half = |entries: Vec<String>| {
        let recalling = entries
            .into_iter()
            .find(|name| name.starts_with(".recalling-"));
        recalling.map(|name| place.path("v/images").join(name))
    };
    for part in [0, 1 << 20, LENGTH as u64] {
        let killed = (0..TRIES).any(|_| {
            fs::remove_file(place.image("MON002")).ok();
            let size = || {
                let file = half(place.images()).and_then(|path| fs::metadata(path).ok());
                // One byte more: a file of none is there, too.
                file.map_or(0, |file| file.len() + 1)
            };
            assert_eq!(size(), 0, "nothing is left of another one");
            let killed = killed_at(place.begun(&arguments), size, part + 1);
            if !killed {
                assert!(fs::read(place.image("MON002")).unwrap() == bytes[1]);
            }
            killed
        });
        assert!(killed, "each ended before it was killed at {part}");
        match fs::read(place.image("MON002")) {
            Ok(image) => {
                assert!(image == bytes[1], "killed at {part}");
                let words = place.refused(&arguments);
                assert!(words.contains("MON002 is here"), "{words}");
            }
            Err(_) => {
                let words = place.ended(1, &["doctor"]);
                assert!(words.contains("missing-image MON002"), "{words}");
                assert!(!words.contains("strange-file"), "{words}");
                place.ok(&arguments);
                assert!(fs::read(place.image("MON002")).unwrap() == bytes[1]);
                assert_eq!(half(place.images()), None);
            }
        }
        place.ok(&["doctor", "--digests"]);
        if let Some(leftover) = half(place.images()) {
            // Killed between the two names: the next recall of it writes it over.
            fs::remove_file(leftover).unwrap();
        }
    }
}

/// VT-11: copies count in the loss report, and come back after it; those after the backup, too.
#[test]
fn after_a_recovery_copies_count_and_are_recalled() {
    let place = Place::new();
    let bytes = place.bytes();
    let to = ["--to", "primary", "--drive", "tape.ptape"];
    place.ok(&[&["stack", "MON001", "--new", "STK001"], &to[..]].concat());
    place.ok(&["backup", "tape.ptape"]);
    let fates = |arguments: &[&str]| -> Vec<String> {
        fs::remove_dir_all(place.path("v")).unwrap();
        let recover = ["recover", "tape.ptape", "--confirm", "--event", "backup"];
        let report = place.json(1, &[&recover, arguments].concat());
        let volumes = report["volumes"].as_array().unwrap().iter();
        volumes
            .map(|one| one["fate"].as_str().unwrap().to_owned())
            .collect()
    };
    // The catalog knows the copy of the first, and the tape has it.
    assert_eq!(fates(&[]), ["CURRENT", "LOST-MEDIUM", "LOST-MEDIUM"]);
    place.ok(&["online"]);
    place.ok(&["recall", "MON001", "--drive", "tape.ptape"]);
    assert!(fs::read(place.image("MON001")).unwrap() == bytes[0]);
    // A volume that the backup does not know, behind it on the tape.
    place.written("LATER", 9);
    let later = fs::read(place.image("LATER")).unwrap();
    place.ok(&[&["stack", "LATER"], &to[..]].concat());
    assert_eq!(
        fates(&["--roll-forward"]),
        [
            "UNKNOWN-INTERVAL",
            "UNKNOWN-INTERVAL",
            "LOST-MEDIUM",
            "LOST-MEDIUM"
        ],
        "LATER contradicts --event backup"
    );
    place.ok(&["online"]);
    for (label, bytes) in [("LATER", &later), ("MON001", &bytes[0])] {
        let recalled = place.json(0, &["recall", label, "--drive", "tape.ptape"]);
        let image = recalled["image"].as_str().unwrap();
        assert!(fs::read(image).unwrap() == *bytes, "{label}");
    }
    let findings = place.json(1, &["doctor", "--digests"]);
    let findings = findings["findings"].as_array().unwrap().iter();
    let left: Vec<_> = findings.map(|one| &one["label"]).collect();
    assert_eq!(left, ["MON002", "MON003"]);
}

/// VT-01: a stacked volume carries a backup from its first copy on, and a new one after so many closes.
#[test]
fn each_stacked_volume_carries_a_backup_of_the_catalog() {
    let place = Place::empty();
    let configuration = place.path("v/vault.toml");
    let text = fs::read_to_string(&configuration).unwrap();
    assert!(text.contains("backup-every = 10\n"), "{text}");
    fs::write(
        &configuration,
        text.replace("backup-every = 10", "backup-every = 2"),
    )
    .unwrap();
    place.create("tape.ptape");
    let stack = |expected: Value| {
        let report = place.json(
            0,
            &[
                "stack",
                "--policy",
                "--to",
                "primary",
                "--drive",
                "tape.ptape",
                "--new",
                "STK001",
            ],
        );
        let backup = &report["backup"];
        assert_eq!(
            serde_json::json!([backup["sequence"], backup["file"]]),
            expected,
            "{report}"
        );
        let told = place.json(0, &["catalog-of", "tape.ptape"]);
        let pool = place.json(0, &["pool"]);
        assert_eq!(
            pool["stacked_volumes"][0]["backup"],
            told["backup"]["sequence"]
        );
        told["backup"]["sequence"].as_u64().unwrap()
    };
    place.written_with("MON001", 1, 1000);
    assert_eq!(stack(serde_json::json!([1, 2])), 1);
    // Nothing was closed, then one volume, then a second one.
    assert_eq!(stack(serde_json::json!([null, null])), 1);
    place.written_with("MON002", 2, 1000);
    assert_eq!(stack(serde_json::json!([null, null])), 1);
    place.written_with("MON003", 3, 1000);
    assert_eq!(stack(serde_json::json!([2, 5])), 2);
    // What was copied after the first one is in the second one.
    fs::remove_dir_all(place.path("v")).unwrap();
    let report = place.json(
        0,
        &["recover", "tape.ptape", "--confirm", "--event", "backup"],
    );
    assert_eq!(report["volumes"].as_array().unwrap().len(), 3, "{report}");
}

/// VT-01: what is cut off by the end of the tape is no copy and no backup; a backup goes to the next tape, too.
#[test]
fn what_does_not_fit_is_on_the_next_tape() {
    let place = Place::empty();
    place.written_with("MON001", 1, 300_000);
    let mut copied_from = None;
    for blocks in 1_u64.. {
        // So many blocks of an archive, and their filemarks.
        let capacity = format!("{}B", blocks * (256 << 10) + 256);
        let (tape, pool) = (format!("{blocks}.ptape"), format!("pool {blocks}"));
        let made = place.command(&["create", &tape, "--capacity", &capacity]);
        let made = { made }.output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let arguments = ["stack", "--policy", "--to", &pool, "--drive", &tape];
        let output = place.run(&[&arguments[..], &["--new", &tape, "--json"]].concat());
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let is_copied = report["left"] == serde_json::json!([]);
        let left = match (is_copied, copied_from) {
            (true, None) => {
                copied_from = Some(blocks);
                0
            }
            (true, Some(from)) => blocks - from,
            // The place of what was cut off is free again.
            (false, _) => blocks - 1,
        };
        let is_backed_up = left > 0;
        let is_complete = is_copied && is_backed_up;
        assert_eq!(
            report["backup"].is_object(),
            is_backed_up,
            "{blocks}: {report}"
        );
        assert_eq!(report["backup_left"], !is_backed_up);
        assert_eq!(report["complete"], is_complete);
        assert_eq!(output.status.code(), Some(i32::from(!is_complete)));
        let state = if is_complete { "filling" } else { "full" };
        assert_eq!(report["stacked_volume"]["state"], state);
        let told = place.json(i32::from(!is_backed_up), &["catalog-of", &tape]);
        assert_eq!(told["backup"]["sequence"], report["backup"]["sequence"]);
        if !is_backed_up {
            assert_eq!(told["state"], "none", "what was cut off is no damaged one");
        }
        let bytes = fs::read(place.image("MON001")).unwrap();
        fs::remove_file(place.image("MON001")).unwrap();
        let recall = ["recall", "MON001", "--drive", &tape];
        match is_copied {
            true => drop(place.ok(&recall)),
            false => {
                place.refused(&recall);
                fs::write(place.image("MON001"), &bytes).unwrap();
            }
        }
        assert!(
            fs::read(place.image("MON001")).unwrap() == bytes,
            "{blocks}"
        );
        if is_complete {
            assert_eq!(copied_from, Some(blocks - 1));
            break;
        }
        if is_copied {
            place.create("next.ptape");
            let next = ["--to", &pool, "--drive", "next.ptape", "--new", "NEXT"];
            let report = place.json(0, &[&["stack", "--policy"], &next[..]].concat());
            assert_eq!(report["volumes"], serde_json::json!([]));
            assert_eq!(report["backup"]["file"], 1);
        }
    }
}

/// VT-01: volumes go behind a backup on the tape that it began.
#[test]
fn a_tape_that_a_backup_begins_belongs_to_a_pool() {
    let place = Place::empty();
    place.written_with("MON001", 1, 1000);
    for tape in ["a.ptape", "b.ptape", "c.ptape"] {
        place.create(tape);
    }
    place.ok(&["backup", "a.ptape", "--to", "primary", "--new", "STK001"]);
    let stacked = place.ok(&["stack", "MON001", "--to", "primary", "--drive", "a.ptape"]);
    assert!(
        stacked.contains("MON001: copied on STK001, tape file 2"),
        "{stacked}"
    );
    assert!(!stacked.contains("backup"), "there is one: {stacked}");
    let words = place.refused(&["backup", "b.ptape", "--to", "primary"]);
    assert!(words.contains("in pool primary STK001 fills"), "{words}");
    let words = place.refused(&["backup", "a.ptape", "--to", "secondary"]);
    assert!(
        words.contains("STK001 of pool primary, and not of pool secondary"),
        "{words}"
    );
    // Where nobody names a pool, each tape is as good as the one before.
    for tape in ["b.ptape", "c.ptape", "b.ptape", "a.ptape"] {
        place.ok(&["backup", tape]);
    }
    let pool = place.json(0, &["pool"]);
    let pool = pool["stacked_volumes"].as_array().unwrap().iter();
    let told: Vec<_> = pool
        .map(|one| {
            format!(
                "{} {} {} {}",
                one["pool"], one["label"], one["state"], one["backup"]
            )
        })
        .map(|one| one.replace('"', ""))
        .collect();
    assert_eq!(
        told,
        [
            "backups b full 4",
            "backups c filling 3",
            "primary STK001 filling 5"
        ]
    );
    let words = place.refused(&["backup", "a.ptape", "--new", "b"]);
    assert!(words.contains("is stacked volume STK001"), "{words}");
}

/// A recall finds the images that were stacked on, and what vault.toml names; a damaged copy is passed over.
#[test]
fn a_recall_finds_what_is_at_hand() {
    let place = Place::empty();
    place.written_with("MON001", 1, 300_000);
    let bytes = fs::read(place.image("MON001")).unwrap();
    for (tape, pool) in [("a.ptape", "primary"), ("b.ptape", "secondary")] {
        place.create(tape);
        place.ok(&[
            "stack", "MON001", "--to", pool, "--drive", tape, "--new", tape,
        ]);
    }
    let recalled = |code: i32| {
        let output = place.run(&["recall", "MON001"]);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let back = fs::read(place.image("MON001"));
        assert_eq!(back.is_ok(), code == 0);
        assert!(back.is_err() || back.unwrap() == bytes);
        fs::remove_file(place.image("MON001")).ok();
        String::from_utf8(output.stderr).unwrap()
    };
    let words = place.refused(&["recall", "MON001"]);
    assert!(words.contains("MON001 is here"), "{words}");
    fs::remove_file(place.image("MON001")).unwrap();
    let words = recalled(0);
    assert!(
        words.contains("recalling it from") && words.contains("/a.ptape"),
        "{words}"
    );
    assert!(!words.contains("b.ptape"), "{words}");
    // The first copy is damaged.
    let mut damaged = fs::read(place.path("a.ptape")).unwrap();
    let at = damaged.len() / 2;
    damaged[at] ^= 1;
    fs::write(place.path("a.ptape"), damaged).unwrap();
    let words = recalled(0);
    assert!(
        words.contains("MON001 from ") && words.contains("/b.ptape"),
        "{words}"
    );
    // Neither is where it was: the stacked volumes are named.
    for tape in ["a", "b"] {
        let [old, new] = ["", "-moved"].map(|part| place.path(&format!("{tape}{part}.ptape")));
        fs::rename(old, new).unwrap();
    }
    let words = recalled(2);
    let both = "brings it from a.ptape (filling, pool primary), b.ptape (filling, pool secondary)";
    assert!(words.contains(both), "{words}");
    let configuration = place.path("v/vault.toml");
    let text = fs::read_to_string(&configuration).unwrap();
    let moved = place.path("b-moved.ptape");
    let from = format!("recall-from = [\"{}\"]", moved.display());
    fs::write(&configuration, text.replace("recall-from = []", &from)).unwrap();
    let words = recalled(0);
    assert!(
        words.contains("recalling it from /") && words.contains("b-moved.ptape"),
        "{words}"
    );
    fs::write(
        &configuration,
        text.replace("recall-from = []", "recall-from = [\"zip+x\"]"),
    )
    .unwrap();
    let words = recalled(2);
    assert!(
        words.contains("'zip+x' of recall-from in vault.toml"),
        "{words}"
    );
}

/// What is wanted moves, what was given up stays; then the tape is written from its beginning.
#[test]
fn what_is_wanted_moves_and_the_stacked_volume_is_scratch() {
    let place = Place::empty();
    for (at, label) in VOLUMES.iter().enumerate() {
        place.written_with(label, at, 300_000);
    }
    for tape in ["a.ptape", "b.ptape"] {
        place.create(tape);
    }
    let bytes = fs::read(place.image("MON001")).unwrap();
    let by = ["--by", "ada", "--reason", "why"];
    let a = ["--to", "primary", "--drive", "a.ptape", "--new", "STK001"];
    let stacked = place.json(0, &[&["stack", "--policy"], &a[..]].concat());
    assert_eq!(stacked["stacked_volume"]["wanted"], 3);
    place.ok(&["rm", "MON002", "--lose-last-copy"]);
    place.ok(&[&["set", "MON003", "--category", "scratch"], &by[..]].concat());
    let reclaim = ["reclaim", "STK001", "--drive", "b.ptape", "--new", "STK002"];
    let words = place.refused(&reclaim);
    assert!(words.contains("STK001 fills"), "{words}");
    place.ok(&[&["pool", "STK001", "full"], &by[..]].concat());
    let report = place.json(0, &reclaim);
    let told = &report["moved"];
    assert_eq!(told.as_array().unwrap().len(), 1, "{report}");
    assert_eq!(
        (&told[0]["label"], &told[0]["file"]),
        (&"MON001".into(), &1.into())
    );
    assert_eq!(report["stacked_volume"]["state"], "erase");
    assert_eq!(report["backup"]["file"], 2, "VT-01: {report}");
    let words = place.refused(&reclaim);
    assert!(
        words.contains("nothing on STK001 is wanted any more: it is erase already"),
        "{words}"
    );
    fs::remove_file(place.image("MON001")).unwrap();
    let recalled = place.json(0, &["recall", "MON001"]);
    assert_eq!(recalled["stacked_volume"], "STK002");
    assert!(fs::read(place.image("MON001")).unwrap() == bytes);
    // The tape that was given up begins anew, with its label.
    place.ok(&[&["pool", "STK002", "full"], &by[..]].concat());
    place.written_with("MON004", 4, 1000);
    let again = place.json(0, &[&["stack", "--policy"], &a[..4]].concat());
    assert_eq!(again["begun"], true, "{again}");
    assert_ne!(
        again["stacked_volume"]["identity"],
        stacked["stacked_volume"]["identity"]
    );
    assert_eq!(again["stacked_volume"]["label"], "STK001");
    assert_eq!(
        (&again["volumes"][0]["label"], &again["volumes"][0]["file"]),
        (&"MON004".into(), &1.into())
    );
    fs::remove_file(place.image("MON004")).unwrap();
    place.ok(&["recall", "MON004"]);
    place.ok(&["doctor", "--digests"]);
}

/// The only copy that is left is given up with a word for it, as with `rm`.
#[test]
fn the_last_copy_on_a_stacked_volume_is_not_given_up_without_a_word() {
    let place = Place::empty();
    for (at, label) in VOLUMES.iter().enumerate() {
        place.written_with(label, at, 1000);
    }
    for tape in ["a.ptape", "b.ptape"] {
        place.create(tape);
    }
    let by = ["--by", "ada", "--reason", "why"];
    let a = ["--to", "one", "--drive", "a.ptape", "--new", "STK001"];
    let b = ["--to", "two", "--drive", "b.ptape", "--new", "STK002"];
    place.ok(&[&["stack", "--policy"], &a[..]].concat());
    place.ok(&[&["stack", "MON002"], &b[..]].concat());
    for label in ["MON001", "MON002"] {
        fs::remove_file(place.image(label)).unwrap();
    }
    place.ok(&[&["pool", "STK001", "full"], &by[..]].concat());
    let erase = [&["pool", "STK001", "erase"], &by[..]].concat();
    let words = place.refused(&erase);
    // The second one is on another stacked volume, too, and the third one has its image.
    assert!(words.contains("volumes: MON001. "), "{words}");
    assert!(words.contains("--lose-last-copy"), "{words}");
    place.ok(&["recall", "MON001", "--drive", "a.ptape"]);
    // An image of which the end is gone is no copy.
    let image = fs::read(place.image("MON003")).unwrap();
    fs::write(place.image("MON003"), &image[..image.len() / 2]).unwrap();
    let words = place.refused(&erase);
    assert!(words.contains("volumes: MON003. "), "{words}");
    place.ok(&[&erase[..], &["--lose-last-copy"]].concat());
}

/// What the policy can't copy is named and left; the others are copied, and the catalog too.
#[test]
fn the_policy_goes_on_behind_what_can_not_be_copied() {
    let place = Place::empty();
    for (at, label) in ["A", "B", "C", "D", "E"].iter().enumerate() {
        place.written_with(label, at, 1000);
    }
    for tape in ["one.ptape", "two.ptape"] {
        place.create(tape);
    }
    let by = ["--by", "ada", "--reason", "why"];
    let one = ["--to", "one", "--drive", "one.ptape", "--new", "STK001"];
    let two = ["--to", "two", "--drive", "two.ptape", "--new", "STK002"];
    place.ok(&[&["stack", "A"], &one[..]].concat());
    // It has not the digest that its copy in the other pool has.
    let mut image = fs::read(place.image("A")).unwrap();
    let at = image.len() / 2;
    image[at] ^= 1;
    fs::write(place.image("A"), image).unwrap();
    for label in ["B", "C"] {
        fs::remove_file(place.image(label)).unwrap();
    }
    place.ok(&[&["mark", "C", "lost"], &by[..]].concat());
    let report = place.json(1, &[&["stack", "--policy"], &two[..]].concat());
    let labels = |of: &str| -> Vec<Value> {
        let all = report[of].as_array().unwrap().iter();
        all.map(|one| one["label"].clone()).collect()
    };
    assert_eq!(labels("failed"), ["A", "B"], "{report}");
    assert_eq!(labels("volumes"), ["D", "E"], "{report}");
    assert_eq!(report["backup"]["file"], 3, "{report}");
    assert_eq!(report["complete"], false);
    let found = report["failed"][1]["found"].as_str().unwrap();
    assert_eq!(found.matches("B.ptape").count(), 1, "{found}");
    let text = place.ended(1, &[&["stack", "--policy"], &two[..4]].concat());
    assert!(
        text.contains("A: no copy: ") && text.contains("B: no copy: "),
        "{text}"
    );
    fs::remove_file(place.image("E")).unwrap();
    place.ok(&["recall", "E", "--drive", "two.ptape"]);
}

/// What a copy would have taken is free again, and a tape is no volume of the vault.
#[test]
fn a_stack_that_fails_takes_no_room_and_a_volume_is_no_tape() {
    let place = Place::empty();
    place.written_with("A", 1, 20 << 20);
    place.written_with("B", 2, 1000);
    place.create("tape.ptape");
    let to = ["--to", "one", "--drive", "tape.ptape", "--new", "STK001"];
    let mut image = fs::read(place.image("A")).unwrap();
    let at = image.len() - 100_000;
    image[at] ^= 1;
    fs::write(place.image("A"), image).unwrap();
    let report = place.json(1, &[&["stack", "--policy"], &to[..]].concat());
    let found = report["failed"][0]["found"].as_str().unwrap();
    assert!(
        found.contains("A is damaged: tape file 0: object 318 has another checksum"),
        "{found}"
    );
    assert_eq!(report["volumes"][0]["label"], "B", "{report}");
    let tape = fs::metadata(place.path("tape.ptape")).unwrap();
    assert!(tape.len() < 4 << 20, "{}", tape.len());
    // It is known by now, and is copied as what it is.
    let report = place.json(0, &[&["stack", "--policy"], &to[..4]].concat());
    assert_eq!(report["volumes"][0]["label"], "A", "{report}");

    let own = ["--to", "two", "--drive", "v/images/B.ptape", "--new", "X"];
    let words = place.refused(&[&["stack", "A"], &own[..]].concat());
    assert!(words.contains("is volume B of this vault"), "{words}");
    let by = ["--by", "ada", "--reason", "why"];
    place.ok(&[&["pool", "STK001", "full"], &by[..]].concat());
    let words = place.refused(&["reclaim", "STK001", "--drive", "v/images/B.ptape"]);
    assert!(words.contains("is volume B of this vault"), "{words}");
    place.ok(&["add", "--new", "--label", "BLANK"]);
    let words = place.refused(&["backup", "v/images/BLANK.ptape"]);
    assert!(words.contains("is volume BLANK of this vault"), "{words}");
    assert_eq!(place.json(0, &["show", "BLANK"])["category"], "scratch");
}

/// What was written past the vault has no copy, whatever the catalog knows of before.
#[test]
fn what_was_written_past_the_vault_is_not_called_copied() {
    let place = Place::empty();
    for (at, label) in ["A", "B"].iter().enumerate() {
        place.written_with(label, at, 1000);
    }
    place.create("tape.ptape");
    let to = ["--to", "one", "--drive", "tape.ptape"];
    let new = ["--policy", "--new", "STK001"];
    place.ok(&[&["stack"], &to[..], &new[..]].concat());
    let store = FileStore::open(&place.image("A"), Access::ReadWrite).unwrap();
    let (mut image, _) = Image::open(store, Access::ReadWrite).unwrap();
    image.to_end_of_data();
    image.append_block(b"past the vault").unwrap();
    image.append_marks(Mark::Filemark, 1).unwrap();
    image.finish().unwrap();
    for what in [&["A", "B"][..], &["--policy"]] {
        let text = place.ended(1, &[&["stack"], what, &to[..]].concat());
        let says = "A: no copy: volume A was written past the vault";
        assert!(text.contains(says), "{text}");
    }
    let report = place.json(1, &[&["stack", "A", "B"], &to[..]].concat());
    assert_eq!(report["failed"][0]["label"], "A", "{report}");
    assert_eq!(report["volumes"][0]["result"], "already", "{report}");
    place.ok(&["add", "v/images/A.ptape"]);
    let report = place.json(0, &[&["stack", "--policy"], &to[..]].concat());
    assert_eq!(report["volumes"][0]["result"], "copied", "{report}");
}

/// Killed anywhere, it leaves each copy on the old one or on the new one, and the same command goes on.
#[test]
fn a_reclaim_that_is_killed_loses_nothing() {
    let length = LENGTH as u64;
    let by = ["--by", "ada", "--reason", "why"];
    let reclaim = [
        "reclaim", "STK001", "--drive", "to.ptape", "--new", "STK002",
    ];
    for part in [1, length / 2, length + length / 2, 3 * length] {
        let prepared = || {
            let place = Place::new();
            place.ok(&place.stack_all());
            place.ok(&[&["pool", "STK001", "full"], &by[..]].concat());
            place.create("to.ptape");
            place
        };
        let is_killed = |place: &Place| {
            let tape = place.path("to.ptape");
            let size = || fs::metadata(&tape).unwrap().len();
            let begin = size();
            killed_at(place.begun(&reclaim), size, begin + part)
        };
        let mut places = (0..TRIES).map(|_| prepared());
        let place = places
            .find(is_killed)
            .unwrap_or_else(|| panic!("each ended before it was killed at {part}"));
        let bytes = place.bytes();
        let state = |place: &Place| {
            let pool = place.json(0, &["pool"]);
            let mut all = pool["stacked_volumes"].as_array().unwrap().iter();
            all.find(|one| one["label"] == "STK001").unwrap()["state"].clone()
        };
        if state(&place) != "erase" {
            assert_eq!(state(&place), "full", "killed at {part}");
            place.ok(&reclaim);
        }
        assert_eq!(state(&place), "erase");
        fs::remove_file(place.path("tape.ptape")).unwrap();
        for (label, bytes) in VOLUMES.iter().zip(&bytes) {
            fs::remove_file(place.image(label)).unwrap();
            place.ok(&["recall", label]);
            assert!(
                fs::read(place.image(label)).unwrap() == *bytes,
                "{label}, killed at {part}"
            );
        }
    }
}
