//! `pseudotape vault`: what it prints, how it ends, and what is left when it is killed.

mod tables;

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use pseudotape_image::{Access, FileStore, Image};
use pseudotape_sink::Sink;
use pseudotape_tape::{Drive, EraseExtent, Mark};
use serde_json::Value;

use tables::Seen;

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    /// With a vault in `v`.
    fn new() -> Self {
        let place = Place {
            directory: tempfile::tempdir().unwrap(),
        };
        place.ok(&["init", "--labels", "MON###"]);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pseudotape"));
        command
            .current_dir(self.directory.path())
            .env("PSEUDOTAPE_VAULT", self.path("v"))
            .args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(&[&["vault"], arguments].concat())
            .output()
            .expect("the binary was built for this test")
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

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[arguments, &["--json"]].concat())).unwrap()
    }

    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn findings(&self, arguments: &[&str]) -> Vec<(String, String)> {
        let text = self.ended(1, &[&["doctor", "--json"], arguments].concat());
        let diagnosis: Value = serde_json::from_str(&text).unwrap();
        let findings = diagnosis["findings"].as_array().unwrap();
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let told = findings
            .iter()
            .map(|f| (word(&f["kind"]), word(&f["label"])));
        told.collect()
    }

    fn agrees(&self) {
        self.ok(&["doctor", "--digests"]);
    }

    /// Makes an image outside of the vault with two tape files.
    fn image(&self, name: &str) {
        let output = self.command(&["create", name]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        write(&self.path(name), &[b"first file", b"second file"]);
    }
}

impl Place {
    /// Makes a volume of three tape files of which two are bad, and its clone, which has the label.
    fn cloned_with_two_bad(&self, label: &str) {
        let output = self.command(&["create", "three.ptape"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let files: [&[u8]; 3] = [b"first file", b"second file", b"third file"];
        write(&self.path("three.ptape"), &files);
        self.ok(&["add", "three.ptape", "--label", label, "--digests"]);
        let image = self.path(&format!("v/images/{label}.ptape"));
        let mut bytes = fs::read(&image).unwrap();
        for file in &files[..2] {
            let at = bytes.windows(file.len()).position(|part| part == *file);
            bytes[at.unwrap()] ^= 1;
        }
        fs::write(&image, bytes).unwrap();
        let clone = format!("{label}2");
        self.ok(&["add", "--new", "--label", &clone]);
        self.ended(1, &["clone", label, "--to", &clone]);
    }
}

/// Writes tape files of one block each at the end of the data.
fn write(path: &Path, files: &[&[u8]]) {
    let (mut image, _) = Image::open(
        FileStore::open(path, Access::ReadWrite).unwrap(),
        Access::ReadWrite,
    )
    .unwrap();
    image.to_end_of_data();
    for file in files {
        image.append_block(file).unwrap();
        image.append_marks(Mark::Filemark, 1).unwrap();
    }
    image.finish().unwrap();
}

fn labels(list: &Value) -> Vec<String> {
    let volumes = list["volumes"].as_array().unwrap().iter();
    volumes
        .map(|v| v["label"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn an_image_is_taken_in_with_the_digests_of_its_files() {
    let place = Place::new();
    place.image("backup.ptape");
    let inode = fs::metadata(place.path("backup.ptape")).unwrap().ino();
    let told = place.ok(&["add", "backup.ptape", "--digests", "--label", "MON042"]);
    assert_eq!(told, "MON042: private, ok, 21 B in 2 tape files\n");
    assert!(!place.path("backup.ptape").exists());
    let image = place.path("v/images/MON042.ptape");
    assert_eq!(
        fs::metadata(&image).unwrap().ino(),
        inode,
        "nothing was copied"
    );
    let files = place.json(&["ls", "MON042"]);
    let digests: Vec<_> = files["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["digest"].as_str().unwrap())
        .collect();
    let dumped = place
        .command(&["dump", "v/images/MON042.ptape", "--file", "1"])
        .output()
        .unwrap();
    assert_eq!(dumped.stdout, b"second file");
    assert_eq!(digests[1], blake3_of(b"second file"));
    assert_eq!(digests[0], blake3_of(b"first file"));
    place.agrees();
    // Once more is no second volume, and changes nothing.
    let before = place.json(&["show", "MON042"]);
    place.ok(&["add", "v/images/MON042.ptape"]);
    assert_eq!(place.json(&["show", "MON042"]), before);
}

/// As another program computes them: the Python package `blake3`.
fn blake3_of(bytes: &[u8]) -> &'static str {
    match bytes {
        b"first file" => FIRST,
        _ => SECOND,
    }
}
const FIRST: &str = "64f8e808a7b178a8456d5ff559ecc3207e47d96c9b95ec6014d67178c1a19875";
const SECOND: &str = "78b1a9c42250d22edb65e1d76dc0b83f664f9463e85a6dc1d58a1c9db9e19f4e";

#[test]
fn what_was_written_past_the_vault_is_found_and_taken_in() {
    let place = Place::new();
    place.ok(&["add", "--new"]);
    let image = place.path("v/images/MON001.ptape");
    write(&image, &[b"new data"]);
    assert_eq!(
        place.findings(&[]),
        [("changed".to_owned(), "MON001".to_owned())]
    );
    let volume = place.json(&["add", image.to_str().unwrap(), "--digests"]);
    let volume = &volume["volumes"][0];
    assert_eq!(volume["category"], "private", "it was scratch");
    assert_eq!(
        (&volume["generation"], &volume["files"]),
        (&1.into(), &1.into())
    );
    place.agrees();
}

/// EN-02, EN-16: damage is found by the digests, written down by the system, and a word does not undo it.
/// What a daemon without the vault wrote on a scratch volume, the catalog does not know: that is not given up.
#[test]
fn an_image_that_was_written_past_the_vault_is_not_deleted() {
    let place = Place::new();
    place.ok(&["add", "--new", "--count", "2"]);
    let image = place.path("v/images/MON001.ptape");
    write(&image, &[b"written past the vault"]);
    let told = place.refused(&["rm", "MON001"]);
    for part in ["MON001 was written past the vault", "vault add"] {
        assert!(told.contains(part), "{part:?} is not in {told:?}");
    }
    assert!(image.exists());
    // Another volume's image is not deleted with this one, whatever is said.
    let other = place.path("v/images/MON002.ptape");
    fs::rename(&image, &other).unwrap();
    let told = place.refused(&["rm", "MON002", "--lose-last-copy"]);
    assert!(told.contains("and not that of MON002"), "{told}");
    assert!(other.exists());
    fs::rename(&other, &image).unwrap();
    place.ok(&["rm", "MON001", "--lose-last-copy"]);
    assert!(!image.exists());
}

/// How many blocks of a damaged file are found depends on how it was looked at. That makes it no other file.
#[test]
fn a_file_that_was_declared_lost_stays_so_until_a_person_says_otherwise() {
    for state in ["lost", "released"] {
        let place = Place::new();
        place.image("old.ptape");
        place.ok(&["add", "old.ptape", "--label", "MON001", "--digests"]);
        let path = place.path("v/images/MON001.ptape");
        let digest = place.json(&["ls", "MON001"])["files"][0]["digest"].clone();
        assert!(digest.is_string());
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes
            .windows(5)
            .position(|five| five == b"first")
            .expect("a block of file 0");
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        let why = ["--file", "0", "--by", "ada", "--reason", "gone"];
        let word: &[&str] = match state {
            "lost" => &["declare-lost", "MON001"],
            _ => &["mark", "MON001", state],
        };
        place.ok(&[word, &why].concat());
        for depth in [&["--digests"][..], &[]] {
            place.run(&[&["add", path.to_str().unwrap()], depth].concat());
            let file = place.json(&["ls", "MON001"])["files"][0].clone();
            assert_eq!(file["state"], state, "{depth:?}");
            assert_eq!(file["digest"], digest, "{depth:?}");
        }
    }
}

#[test]
fn a_label_that_another_volume_had_can_be_given_again() {
    let place = Place::new();
    place.ok(&["add", "--new", "--label", "MON001"]);
    place.ok(&["set", "MON001", "--label", "MON002"]);
    // The image of MON002 is still called MON001.ptape.
    place.ok(&["add", "--new", "--label", "MON001"]);
    place.ok(&["set", "MON001", "--label", "MON003"]);
    place.image("old.ptape");
    place.ok(&["add", "old.ptape", "--label", "MON001"]);
    place.agrees();
    // A file there that no volume has stays as it is, and is named.
    place.image("v/images/MON004.ptape");
    place.image("other.ptape");
    let before = fs::read(place.path("v/images/MON004.ptape")).unwrap();
    let told = place.refused(&["add", "other.ptape", "--label", "MON004"]);
    for part in ["images/MON004.ptape", "vault doctor"] {
        assert!(told.contains(part), "{part:?} is not in {told:?}");
    }
    assert!(place.path("other.ptape").exists());
    assert_eq!(
        fs::read(place.path("v/images/MON004.ptape")).unwrap(),
        before
    );
}

#[test]
fn damage_blocks_a_volume_until_it_is_read_again() {
    let place = Place::new();
    place.image("a.ptape");
    place.ok(&["add", "a.ptape", "--digests", "--label", "MON001"]);
    let image = place.path("v/images/MON001.ptape");
    let good = fs::read(&image).unwrap();
    let mut bad = good.clone();
    let at = good.windows(11).position(|w| w == b"second file").unwrap();
    bad[at] ^= 0x80;
    fs::write(&image, &bad).unwrap();
    place.ok(&["doctor"]);
    assert_eq!(
        place.findings(&["--digests"]),
        [("bad-file".to_owned(), "MON001".to_owned())]
    );
    assert_eq!(
        place.json(&["show", "MON001"])["availability"],
        "ok",
        "only looked"
    );
    place.ended(1, &["doctor", "--digests", "--mark"]);
    let volume = place.json(&["show", "MON001"]);
    assert_eq!(
        (&volume["availability"], &volume["faulty"]),
        (&"noaccess".into(), &1.into())
    );
    assert_eq!(volume["blocked"]["by"], Value::Null, "by the system");
    let refusal = volume["refusal"].as_str().unwrap();
    assert!(
        refusal.starts_with("volume MON001 is noaccess, set by the system on 2")
            && refusal.ends_with("Z: doctor found bad: tape file 1"),
        "{refusal}"
    );
    let mark = [
        "mark", "MON001", "--file", "1", "ok", "--by", "ada", "--reason", "surely",
    ];
    assert!(place.refused(&mark).contains("it still can't be read"));
    fs::write(&image, &good).unwrap();
    place.ok(&mark);
    place.ok(&[
        "mark",
        "MON001",
        "ok",
        "--by",
        "ada",
        "--reason",
        "read again",
    ]);
    assert_eq!(place.json(&["ls", "MON001"])["files"][1]["state"], "ok");
    place.agrees();
}

#[test]
fn bad_input_names_the_thing_and_the_way_out_and_changes_nothing() {
    let place = Place::new();
    place.image("a.ptape");
    place.image("b.ptape");
    place.ok(&["add", "a.ptape", "--label", "A/1"]);
    let before = place.json(&["show"]);
    let expect = |arguments: &[&str], words: &[&str]| {
        let error = place.refused(arguments);
        for words in words {
            assert!(error.contains(words), "{arguments:?}: {error}");
        }
    };
    expect(
        &["add", "b.ptape", "--label", "A/1"],
        &["a volume A/1 already", "--label"],
    );
    assert!(place.path("b.ptape").exists());
    expect(&["show", "X"], &["no volume X", "vault ls"]);
    expect(&["mark", "A/1", "lost"], &["--by NAME --reason TEXT"]);
    let by = ["--by", "ada", "--reason", "why"];
    expect(
        &[&["mark", "A/1", "noaccess"], &by[..]].concat(),
        &["ok and can't become noaccess", "notallowed"],
    );
    expect(
        &[&["mark", "A/1", "good"], &by[..]].concat(),
        &["'good'", "ok, noaccess, notallowed, at-vendor, lost"],
    );
    expect(
        &[&["mark", "A/1", "bad", "--file", "9"], &by[..]].concat(),
        &["no tape file 9: it has 2"],
    );
    expect(&["set", "A/1", "--category", "scratch"], &["--reason"]);
    expect(
        &["set", "A/1", "--category", "insert"],
        &["private and can't become insert"],
    );
    expect(
        &["rm", "A/1"],
        &["2 tape files", "21 bytes", "--lose-last-copy"],
    );
    expect(
        &["add", "--new", "--label", " "],
        &["begins or ends with a blank"],
    );
    expect(
        &["add", "nothing.ptape"],
        &["nothing.ptape", "No such file"],
    );
    fs::write(place.path("text"), "no image").unwrap();
    expect(&["add", "text"], &["text"]);
    expect(&["init"], &["is a vault already"]);
    expect(
        &["--vault", "nowhere", "ls"],
        &["nowhere is no vault", "vault init"],
    );
    assert_eq!(place.json(&["show"]), before);

    // A copy with the same identity.
    let image = place.json(&["show", "A/1"])["image"]
        .as_str()
        .unwrap()
        .to_owned();
    fs::copy(&image, place.path("copy.ptape")).unwrap();
    expect(
        &["add", "copy.ptape", "--label", "B"],
        &["copy.ptape", "A/1", "a copy is no second volume"],
    );

    // An image that a drive has.
    let (writer, _) = Image::open(
        FileStore::open(Path::new(&image), Access::ReadWrite).unwrap(),
        Access::ReadWrite,
    )
    .unwrap();
    expect(
        &["rm", "A/1", "--lose-last-copy"],
        &["in use by a drive", "unload"],
    );
    drop(writer);
    place.ok(&["rm", "A/1", "--lose-last-copy", "--reason", "old"]);
    assert!(!Path::new(&image).exists());
}

#[test]
fn a_foreign_or_newer_catalog_and_an_unknown_key_are_refused() {
    let place = Place::new();
    let toml = fs::read_to_string(place.path("v/vault.toml")).unwrap();
    for (text, words) in [
        (format!("{toml}colour = \"red\"\n"), "colour"),
        (
            toml.replace("format = 1", "format = 2"),
            "format 2 is not known",
        ),
        (toml.replace("MON###", "MON"), "no scheme"),
        ("format = 1\n".to_owned(), "identity"),
    ] {
        fs::write(place.path("v/vault.toml"), &text).unwrap();
        let error = place.refused(&["ls"]);
        assert!(
            error.contains(words) && error.contains("vault.toml"),
            "{error}"
        );
        assert_eq!(
            fs::read_to_string(place.path("v/vault.toml")).unwrap(),
            text
        );
    }
    fs::write(place.path("v/vault.toml"), &toml).unwrap();
    let catalog = place.path("v/catalog.sqlite");
    let good = fs::read(&catalog).unwrap();
    let changed = |at: usize, bytes: &[u8]| {
        let mut catalog = good.clone();
        catalog[at..at + bytes.len()].copy_from_slice(bytes);
        catalog
    };
    // SQLite's header: the user version at 60, the application at 68.
    for (bytes, words) in [
        (changed(60, &[0, 0, 0, 99]), "schema 99"),
        (changed(68, &[1, 2, 3, 4]), "application 0x01020304"),
        (changed(0, b"X"), "no database of SQLite"),
        (Vec::new(), "no database of SQLite"),
    ] {
        fs::write(&catalog, &bytes).unwrap();
        for command in [&["ls"][..], &["add", "--new"]] {
            let error = place.refused(command);
            assert!(
                error.contains(words) && error.contains("nothing was changed"),
                "{error}"
            );
            assert_eq!(fs::read(&catalog).unwrap(), bytes, "{words}");
        }
    }
    fs::remove_file(&catalog).unwrap();
    assert!(place.refused(&["ls"]).contains("has lost its catalog"));
    fs::write(&catalog, &good).unwrap();
    let other = Place::new();
    fs::copy(other.path("v/catalog.sqlite"), &catalog).unwrap();
    assert!(
        place
            .refused(&["ls"])
            .contains("is the catalog of another vault")
    );
    fs::write(&catalog, &good).unwrap();
    place.agrees();
}

#[test]
fn who_has_the_vault_is_told_and_commands_wait_for_each_other() {
    let place = Place::new();
    let toml = place.path("v/vault.toml");
    let text = fs::read_to_string(&toml).unwrap();
    fs::write(&toml, text.replace("wait-seconds = 10", "wait-seconds = 1")).unwrap();
    let lock = File::options()
        .write(true)
        .truncate(true)
        .open(place.path("v/lock"))
        .unwrap();
    lock.lock().unwrap();
    fs::write(
        place.path("v/lock"),
        "pseudotape vault add\nprocess 12345\n",
    )
    .unwrap();
    let error = place.refused(&["add", "--new"]);
    assert!(
        error.contains("is held by 'pseudotape vault add' (process 12345)"),
        "{error}"
    );
    place.ok(&["ls"]);
    drop(lock);
    fs::write(
        &toml,
        text.replace("wait-seconds = 10", "wait-seconds = 1000"),
    )
    .unwrap();
    let add = || {
        place
            .command(&["vault", "add", "--new", "--count", "5"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let children: Vec<Child> = (0..4).map(|_| add()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(
        labels(&place.json(&["ls"])),
        (1..=20).map(|n| format!("MON{n:03}")).collect::<Vec<_>>()
    );
    place.agrees();
}

/// A killed command leaves each volume there or not: the catalog, the images and the log of events agree.
#[test]
fn a_command_that_is_killed_leaves_the_old_or_the_new() {
    let place = Place::new();
    let mut least = 0;
    for lines in [1, 2, 5, 9] {
        let mut child = place
            .command(&[
                "vault",
                "add",
                "--new",
                "--count",
                "900",
                "--scheme",
                "MON######",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let told = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .take(lines);
        assert_eq!(told.map(Result::unwrap).count(), lines);
        child.kill().unwrap();
        child.wait().unwrap();
        least += lines;
        let volumes = labels(&place.json(&["ls"]));
        assert!(volumes.len() >= least, "{volumes:?}");
        least = volumes.len();
        let overview = place.json(&["show", "--events", "10000"]);
        assert_eq!(
            overview["events"].as_array().unwrap().len(),
            volumes.len() + 1
        );
        let output = place.run(&["doctor", "--json"]);
        let diagnosis: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = diagnosis["findings"].as_array().unwrap();
        // At most the image that was just made, and nobody has heard of.
        assert!(findings.len() <= 1, "{findings:?}");
        assert!(
            findings.iter().all(|f| f["kind"] == "unknown-image"),
            "{findings:?}"
        );
    }
    place.ok(&["add", "--new", "--scheme", "MON######"]);
    place.agrees();
    let one = place.json(&["show", "MON000001"])["events"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(one, 1);
}

#[test]
fn a_vault_that_was_only_begun_is_begun_anew_and_nothing_else_is() {
    let place = Place::new();
    fs::remove_file(place.path("v/vault.toml")).unwrap();
    place.ok(&["init"]);
    place.ok(&["add", "--new"]);
    fs::remove_file(place.path("v/vault.toml")).unwrap();
    assert!(
        place
            .refused(&["init"])
            .contains("is not empty (images/PT0001.ptape")
    );
    fs::rename(place.path("v/images/PT0001.ptape"), place.path("x")).unwrap();
    let error = place.refused(&["init"]);
    assert!(
        error.contains("has a catalog with volumes in it and no vault.toml"),
        "{error}"
    );
    fs::create_dir(place.path("w")).unwrap();
    fs::write(place.path("w/letter"), "dear").unwrap();
    assert!(
        place
            .refused(&["init", "w", "--vault", "w"])
            .contains("letter is in it")
    );
}

/// The catalog of a vault on a medium that can't be written can be looked at.
/// An older image in the place of the last one, and one that was written elsewhere, are not taken for it.
#[test]
fn an_image_that_is_not_the_last_is_taken_in_only_with_a_word() {
    let place = Place::new();
    place.image("a.ptape");
    let old = fs::read(place.path("a.ptape")).unwrap();
    place.ok(&["add", "a.ptape", "--label", "A"]);
    let image = place.path("v/images/A.ptape");
    let add = ["add", "v/images/A.ptape"];
    write(&image, &[b"third file"]);
    place.ok(&add);
    let ours = fs::read(&image).unwrap();
    fs::write(&image, &old).unwrap();
    write(&image, &[b"another third file"]);
    let elsewhere = fs::read(&image).unwrap();
    let known = place.json(&["show", "A"]);
    for (bytes, why, kind) in [
        (
            &old,
            "the catalog knows of writings after it",
            "older-image",
        ),
        (
            &elsewhere,
            "it was written as often as the catalog knows",
            "bad-file",
        ),
    ] {
        fs::write(&image, bytes).unwrap();
        let error = place.refused(&add);
        for words in [why, "tape file 2 (10 bytes)", "--replace takes this one"] {
            assert!(error.contains(words), "{error}");
        }
        assert!(!error.contains("  "), "{error}");
        assert_eq!(place.json(&["show", "A"]), known, "nothing was changed");
        assert_eq!(place.findings(&[])[0].0, kind);
    }
    // A copy of it is no second volume; the message says how it becomes the first.
    fs::write(place.path("copy.ptape"), &elsewhere).unwrap();
    let error = place.refused(&["add", "copy.ptape", "--replace"]);
    let way_out = "move that elsewhere, give copy.ptape its name, and add it with --replace";
    assert!(error.contains(way_out), "{error}");
    let output = place.run(&[&add[..], &["--replace", "--digests"]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("tape file 2 of A (10 bytes)"), "{told}");
    let now = place.json(&["show", "A"]);
    assert_eq!(now["generation"], 3, "it is another recording: {now}");
    place.agrees();
    // The lengths are the same, and the digests are not.
    fs::write(&image, &old).unwrap();
    write(&image, &[b"ANOTHER third file"]);
    let error = place.refused(&[&add[..], &["--digests"]].concat());
    assert!(error.contains("--replace"), "{error}");
    fs::write(&image, &ours).unwrap();
    place.ok(&[&add[..], &["--replace"]].concat());
    place.agrees();
    // What was written past the vault is newer: it is taken in, and what was written over is told.
    let sink: Sink = image.to_str().unwrap().parse().unwrap();
    let mut open = sink.open(Access::ReadWrite).unwrap();
    open.rewind().unwrap();
    open.erase(EraseExtent::Short).unwrap();
    open.finish().unwrap();
    let output = place.run(&add);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && told.lines().count() == 3,
        "{told}"
    );
}

/// Nothing says what was on it: it is not blank.
#[test]
fn an_image_that_lost_its_end_is_no_scratch_volume() {
    let place = Place::new();
    place.image("a.ptape");
    let bytes = fs::read(place.path("a.ptape")).unwrap();
    fs::write(place.path("a.ptape"), &bytes[..3000]).unwrap();
    let added = place.run(&["add", "a.ptape", "--label", "A", "--json"]);
    assert_eq!(added.status.code(), Some(1), "{added:?}");
    let told = String::from_utf8(added.stderr).unwrap();
    assert!(
        told.contains("A is noaccess: nothing on it says where its data end")
            && told.contains("'pseudotape vault clone A --to LABEL'"),
        "{told}"
    );
    let added: Value = serde_json::from_slice(&added.stdout).unwrap();
    let volume = &added["volumes"][0];
    assert_eq!(volume["category"], "private", "{volume}");
    assert_eq!(volume["availability"], "noaccess", "{volume}");
    assert_eq!(place.findings(&[])[0].0, "data-missing");
}

#[test]
fn a_vault_without_its_configuration_or_its_images_says_the_way_out() {
    let place = Place::new();
    place.ok(&["add", "--new"]);
    let identity = place.json(&["show"])["identity"].clone();
    let identity = identity.as_str().unwrap();
    fs::remove_file(place.path("v/vault.toml")).unwrap();
    for command in [&["ls"][..], &["add", "--new"], &["doctor"]] {
        let error = place.refused(command);
        assert!(
            error.contains("no vault.toml: bring that file back") && error.contains(identity),
            "{error}"
        );
    }
    let lines = format!("format = 1\nidentity = \"{identity}\"\nname = \"mondays\"\n");
    fs::write(place.path("v/vault.toml"), lines).unwrap();
    place.agrees();

    fs::remove_dir_all(place.path("v/images")).unwrap();
    let kinds = place.findings(&[]);
    let expected = [("missing-image", "MON001"), ("missing-directory", "")];
    assert_eq!(
        kinds,
        expected.map(|(kind, label)| (kind.to_owned(), label.to_owned()))
    );
    let inventory = place.json(&["inventory"]);
    assert_eq!(inventory["volumes"][0]["state"], "absent");
    fs::create_dir(place.path("v/images")).unwrap();
    fs::write(place.path("v/images/strange"), "?").unwrap();
    let text = place.ended(1, &["doctor"]);
    let line = text.lines().find(|line| line.contains("strange-file"));
    assert_eq!(line.unwrap().matches("images/strange").count(), 1, "{text}");
}

#[test]
fn a_vault_that_can_not_be_written_is_looked_at() {
    let place = Place::new();
    place.ok(&["add", "--new"]);
    let read_only = |path: &str, on: bool| {
        let mut permissions = fs::metadata(place.path(path)).unwrap().permissions();
        permissions.set_readonly(on);
        fs::set_permissions(place.path(path), permissions).unwrap();
    };
    read_only("v/catalog.sqlite", true);
    read_only("v", true);
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    assert_eq!(labels(&place.json(&["ls"])), ["MON001"]);
    if !root {
        assert!(
            place
                .refused(&["add", "--new"])
                .contains("can't be written")
        );
    }
    read_only("v", false);
}

/// Two volumes for a stacked volume with room for one, and for a backup of the catalog: what `vault stack` says of it.
fn stacked_until_full(place: &Place) -> Value {
    for name in ["X", "Y"] {
        let image = format!("{name}.ptape");
        place.image(&image);
        write(&place.path(&image), &[&[7; 300_000]]);
        place.ok(&["add", &image, "--label", name]);
    }
    let create = ["create", "stacked.ptape", "--capacity", "1100K"];
    let created = place.command(&create).output().unwrap();
    assert!(created.status.success(), "{created:?}");
    let to = ["--to", "primary", "--drive", "stacked.ptape"];
    let text = place.ended(
        1,
        &[&["stack", "X", "Y", "--new", "STK001", "--json"], &to[..]].concat(),
    );
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["left"], serde_json::json!(["Y"]));
    assert_eq!(report["volumes"][0]["result"], "copied");
    let said = place.refused(&[&["stack", "Y"], &to[..]].concat());
    assert!(said.contains("STK001 is full"), "{said}");
    report
}

/// By policy, on a tape of another pool: the image of one is missing, and what a clone replaced is not tried.
fn stacked_but_one(place: &Place) -> Value {
    let created = place.command(&["create", "policy.ptape"]).output().unwrap();
    assert!(created.status.success(), "{created:?}");
    let [here, away] = ["v/images/Y.ptape", "Y-away"].map(|name| place.path(name));
    fs::rename(&here, &away).unwrap();
    let to = [
        "--to",
        "other",
        "--drive",
        "policy.ptape",
        "--new",
        "STK009",
    ];
    let text = place.ended(1, &[&["stack", "--policy", "--json"], &to[..]].concat());
    fs::rename(&away, &here).unwrap();
    assert!(
        text.contains("\"F\"") && !text.contains("F damaged 1"),
        "{text}"
    );
    serde_json::from_str(&text).unwrap()
}

/// Tape files that go out, and that come back.
fn out_and_back(place: &Place, see: &mut impl FnMut(&str, &Value)) {
    let damaged = "G damaged 1";
    place.cloned_with_two_bad("G");
    fs::write(place.path("back"), "first file").unwrap();
    see(
        "deliver",
        &place.json(&["deliver", "G", "--file", "0", "--to", "."]),
    );
    for (name, arguments) in [
        (
            "deliver",
            &["deliver", damaged, "--file", "0", "--to", "."][..],
        ),
        (
            "import-recovered",
            &["import-recovered", "G", "--file", "1=back"],
        ),
    ] {
        let told = place.ended(1, &[arguments, &["--json"]].concat());
        see(name, &serde_json::from_str(&told).unwrap());
    }
    see(
        "redeliver",
        &place.json(&["redeliver", "G", "--file", "0", "back"]),
    );
    let by = ["--by", "ada", "--reason", "why"];
    place.ok(&[&["mark", damaged, "released", "--file", "1"], &by[..]].concat());
    see("close-incident", &place.json(&["close-incident", "G"]));
}

/// A copy moves to a tape that is too small, then it is damaged, then it arrives: what `vault reclaim` says.
fn reclaimed(place: &Place) -> [Value; 3] {
    for arguments in [
        &["create", "tiny.ptape", "--capacity", "300K"][..],
        &["create", "to.ptape"],
    ] {
        let created = place.command(arguments).output().unwrap();
        assert!(created.status.success(), "{created:?}");
    }
    let reclaim = |code: i32, drive: &str, new: &str| -> Value {
        let arguments = [
            "reclaim", "STK001", "--drive", drive, "--new", new, "--json",
        ];
        serde_json::from_str(&place.ended(code, &arguments)).unwrap()
    };
    let left = reclaim(1, "tiny.ptape", "TINY");
    assert_eq!(left["left"], serde_json::json!(["X"]));
    let path = place.path("stacked.ptape");
    let good = fs::read(&path).unwrap();
    let mut damaged = good.clone();
    let at = damaged.windows(64).position(|part| part == [7; 64]);
    damaged[at.unwrap()] ^= 1;
    fs::write(&path, damaged).unwrap();
    let failed = reclaim(1, "to.ptape", "STK002");
    assert_eq!(failed["failed"][0]["label"], "X", "{failed}");
    assert_eq!(failed["stacked_volume"]["wanted"], 1);
    fs::write(&path, good).unwrap();
    let complete = reclaim(0, "to.ptape", "STK002");
    assert_eq!(complete["stacked_volume"]["state"], "erase", "{complete}");
    [left, failed, complete]
}

/// What is printed is what docs/VAULT.md has, by field and by kind; and each field of it is printed by something here.
#[test]
fn reports_are_those_of_the_document() {
    let place = Place::new();
    place.image("a.ptape");
    place.image("b.ptape");
    let by = ["--by", "ada", "--reason", "why"];
    let mut seen = Seen::default();
    let mut see = |name: &str, value: &Value| seen.add(&format!("vault {name}"), value);
    let init = Place {
        directory: tempfile::tempdir().unwrap(),
    };
    see("init", &init.json(&["init"]));
    see(
        "add",
        &place.json(&["add", "a.ptape", "--label", "A", "--digests"]),
    );
    see("add", &place.json(&["add", "b.ptape", "--label", "B"]));
    see("add", &place.json(&["add", "--new"]));
    place.image("c.ptape");
    let torn = fs::read(place.path("c.ptape")).unwrap();
    let at = torn.windows(10).position(|w| w == b"first file").unwrap();
    fs::write(
        place.path("c.ptape"),
        [&torn[..at], b"X", &torn[at + 1..]].concat(),
    )
    .unwrap();
    let text = place.ended(
        1,
        &["add", "c.ptape", "--label", "D", "--digests", "--json"],
    );
    let taken: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        taken["volumes"][0]["availability"], "noaccess",
        "what can't be read blocks it"
    );
    see("add", &taken);
    see("set", &place.json(&["set", "A", "--category", "error"]));
    see(
        "mark",
        &place.json(&[&["mark", "A", "notallowed"], &by[..]].concat()),
    );
    see(
        "mark",
        &place.json(&[&["mark", "A", "bad", "--file", "0"], &by[..]].concat()),
    );
    see("set", &place.json(&["set", "A", "--label", "C"]));
    let image = place.json(&["show", "B"])["image"]
        .as_str()
        .unwrap()
        .to_owned();
    let bytes = fs::read(&image).unwrap();
    let at = bytes.windows(10).position(|w| w == b"first file").unwrap();
    let mut bad = bytes;
    bad[at] ^= 1;
    fs::write(&image, bad).unwrap();
    fs::write(place.path("v/images/strange"), "?").unwrap();
    let doctor = place.ended(1, &["doctor", "--digests", "--mark", "--json"]);
    see("doctor", &serde_json::from_str(&doctor).unwrap());
    see("ls", &place.json(&["ls"]));
    see("ls LABEL", &place.json(&["ls", "B"]));
    see("ls LABEL", &place.json(&["ls", "C"]));
    see("show", &place.json(&["show"]));
    see("show LABEL", &place.json(&["show", "B"]));
    see("show LABEL", &place.json(&["show", "C"]));
    see("show LABEL", &place.json(&["show", "MON001"]));
    place.ok(&["add", "--new", "--label", "E"]);
    place.image("f.ptape");
    place.ok(&["add", "f.ptape", "--label", "F"]);
    let inner = place.json(&["clone", "F", "--to", "E", "--hold"]);
    see("clone", &inner);
    see(
        "declare-lost",
        &place.json(&[&["declare-lost", "F", "--file", "0"], &by[..]].concat()),
    );
    see("clone", &place.json(&["clone", "F", "--to", "E"]));
    see("stack", &stacked_until_full(&place));
    see("stack", &stacked_but_one(&place));
    see("pool", &place.json(&["pool"]));
    let full = [&["pool", "STK001", "read-only-recovery"], &by[..]].concat();
    see("pool LABEL STATE", &place.json(&full));
    let kept = place.path("v/images/X.ptape");
    let bytes = fs::read(&kept).unwrap();
    fs::remove_file(&kept).unwrap();
    see(
        "recall",
        &place.json(&["recall", "X", "--drive", "stacked.ptape"]),
    );
    assert_eq!(fs::read(&kept).unwrap(), bytes);
    out_and_back(&place, &mut see);
    for report in reclaimed(&place) {
        see("reclaim", &report);
    }
    see("rm", &place.json(&["rm", "MON001"]));
    fs::remove_file(&image).unwrap();
    see("rm", &place.json(&["rm", "B", "--lose-last-copy"]));

    seen.compare("VAULT.md", &[]);
}
