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
    /// With a vault of volumes that were written, and a blank tape.
    fn new() -> Self {
        let place = Place {
            directory: tempfile::tempdir().unwrap(),
        };
        place.ok(&["init", "--name", "mondays", "--labels", "MON###"]);
        for (at, label) in VOLUMES.iter().enumerate() {
            place.written(label, at);
        }
        place.create("tape.ptape");
        place
    }

    /// A volume with data of its own.
    fn written(&self, label: &str, seed: usize) {
        self.create("new.ptape");
        let store = FileStore::open(&self.path("new.ptape"), Access::ReadWrite).unwrap();
        let (mut image, _) = Image::open(store, Access::ReadWrite).unwrap();
        let bytes: Vec<u8> = (0..LENGTH)
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
        ["CURRENT", "CURRENT", "LOST-MEDIUM", "LOST-MEDIUM"]
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
