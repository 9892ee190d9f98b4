//! `pseudotape copy` and `compare`: what they do to images, what they print, and how they end.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pseudotape_image::{Access, CreateParameters, FileStore, Image, Uuid, VolumeId};
use pseudotape_tape::{Attribute, AttributeFormat, Attributes, Mark};
use serde_json::{Value, json};

/// Held while the command is started and while an image is closed: until its exec is over a child has a
/// copy of every descriptor, and with it of the lock on an image that another test closes just then.
static START_OR_CLOSE: Mutex<()> = Mutex::new(());

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Place {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pseudotape"));
        command
            .current_dir(self.directory.path())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn start(&self, arguments: &[&str]) -> Child {
        let _starting = START_OR_CLOSE
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.command(arguments)
            .spawn()
            .expect("the binary was built for this test")
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.start(arguments)
            .wait_with_output()
            .expect("the command ends")
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

    fn json(&self, code: i32, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ends(code, arguments)).expect("JSON")
    }

    /// Makes an image and writes on it.
    fn image(&self, name: &str, write: impl FnOnce(&mut Image<FileStore>)) {
        self.image_of(name, None, 0, write);
    }

    fn image_of(
        &self,
        name: &str,
        capacity_bytes: Option<u64>,
        early_warning_bytes: u64,
        write: impl FnOnce(&mut Image<FileStore>),
    ) {
        let mut parameters = CreateParameters::new(VolumeId(Uuid::now_v7()), 0);
        parameters.header.capacity_bytes = capacity_bytes;
        parameters.header.early_warning_bytes = early_warning_bytes;
        let store = FileStore::create(&self.path(name)).unwrap();
        let mut image = Image::create(store, &parameters).unwrap();
        write(&mut image);
        finish(image);
    }

    /// Changes one byte of an image in the first place where `pattern` lies.
    fn damage(&self, name: &str, pattern: &[u8]) {
        let mut bytes = fs::read(self.path(name)).unwrap();
        let at = bytes
            .windows(pattern.len())
            .position(|window| window == pattern);
        bytes[at.expect("the pattern is on the tape")] ^= 0x80;
        fs::write(self.path(name), bytes).unwrap();
    }

    fn dumped(&self, name: &str) -> Vec<u8> {
        let output = self.run(&["dump", name]);
        assert!(output.status.success(), "{output:?}");
        output.stdout
    }
}

fn finish(image: Image<FileStore>) {
    let _closing = START_OR_CLOSE
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    image.finish().unwrap();
}

fn open(path: &Path) -> Image<FileStore> {
    let store = FileStore::open(path, Access::ReadWrite).unwrap();
    Image::open(store, Access::ReadWrite).unwrap().0
}

/// Blocks of several lengths in two files, and a setmark.
fn two_files(image: &mut Image<FileStore>) {
    for (byte, length) in [(1, 10_240), (2, 1), (3, 700_000)] {
        image.append_block(&vec![byte; length]).unwrap();
    }
    image.append_marks(Mark::Filemark, 1).unwrap();
    image.append_block(b"the second file").unwrap();
    image.append_marks(Mark::Setmark, 1).unwrap();
    image.append_marks(Mark::Filemark, 2).unwrap();
}

/// PT-12: what is a copy is found to be one, with every length and mark.
#[test]
fn a_comma_in_a_path_has_a_backslash_before_it() {
    let place = Place::new();
    place.image("a,b.ptape", |image| {
        image.append_block(b"block").unwrap();
    });
    place.ends(
        0,
        &["copy", r"image:a\,b.ptape", r"image:c\,d.ptape,create"],
    );
    assert!(place.path("c,d.ptape").exists());
    // A path alone has no options, and needs no backslash.
    place.ends(0, &["compare", "a,b.ptape", "c,d.ptape"]);
}

/// What a program keeps beside the data.
fn kept(number: u8) -> Attributes {
    let value = vec![number; 70];
    let format = AttributeFormat::Binary;
    [(0x080c, Attribute { format, value })]
        .into_iter()
        .collect()
}

#[test]
fn a_whole_copy_has_the_attributes_of_its_source_and_another_has_none() {
    let place = Place::new();
    place.image("a.ptape", |image| {
        two_files(image);
        image.set_attributes(&kept(1)).unwrap();
    });
    place.image("b.ptape", |image| image.set_attributes(&kept(2)).unwrap());
    let attributes = |name: &str| open(&place.path(name)).attributes().unwrap();
    place.ends(0, &["copy", "a.ptape", "b.ptape"]);
    assert_eq!(attributes("b.ptape"), kept(1));
    place.ends(0, &["copy", "a.ptape", "new.ptape"]);
    assert_eq!(attributes("new.ptape"), kept(1));
    place.ends(0, &["copy", "a.ptape", "b.ptape", "--resume"]);
    assert_eq!(attributes("b.ptape"), kept(1));
    // From the second file on it is another recording.
    place.image("rest.ptape", |image| {
        image.set_attributes(&kept(2)).unwrap();
    });
    place.ends(0, &["copy", "a.ptape", "rest.ptape", "--continue", "4"]);
    assert_eq!(attributes("rest.ptape"), Attributes::new());
    // One block is recorded as unreadable.
    place.damage("a.ptape", &[3; 1000]);
    place.image("damaged.ptape", |image| {
        image.set_attributes(&kept(2)).unwrap();
    });
    place.ends(
        1,
        &["copy", "a.ptape", "damaged.ptape", "--damaged", "record"],
    );
    assert_eq!(attributes("damaged.ptape"), Attributes::new());
}

#[test]
fn a_source_that_lost_its_attributes_is_copied_without_them() {
    let place = Place::new();
    place.image("a.ptape", |image| {
        two_files(image);
        image.set_attributes(&kept(1)).unwrap();
    });
    let mut bytes = fs::read(place.path("a.ptape")).unwrap();
    (bytes[600], bytes[12888]) = (0, 0);
    fs::write(place.path("a.ptape"), bytes).unwrap();
    let output = place.run(&["copy", "a.ptape", "b.ptape"]);
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("the copy has none"), "{told}");
    let copy = open(&place.path("b.ptape"));
    assert_eq!(copy.attributes().unwrap(), Attributes::new());
}

#[test]
fn a_copy_is_made_and_is_identical() {
    let place = Place::new();
    place.image("a.ptape", two_files);
    let text = place.ends(0, &["copy", "a.ptape", "b.ptape"]);
    assert!(
        text.starts_with("copied 4 blocks, 3 filemarks and 1 setmark ("),
        "{text}"
    );
    let text = place.ends(0, &["compare", "a.ptape", "b.ptape"]);
    assert!(
        text.starts_with("identical: 4 blocks, 3 filemarks, "),
        "{text}"
    );
    assert_eq!(place.dumped("a.ptape"), place.dumped("b.ptape"));
    let found = place.json(0, &["compare", "--json", "a.ptape", "b.ptape"]);
    assert_eq!(found["identical"], true);
    assert_eq!(found["partitions"][0]["objects"], 8);
    assert_eq!(
        place
            .ends(0, &["verify", "b.ptape"])
            .matches("no damage")
            .count(),
        1
    );
    // A new volume, although it holds the same.
    let volume = |name| place.json(0, &["info", "--json", name])["volume"].clone();
    assert_ne!(volume("a.ptape"), volume("b.ptape"));
}

#[test]
fn every_kind_of_difference_is_told() {
    type Change = fn(&mut Image<FileStore>);
    let cases: [(Change, &str, Value); 5] = [
        (
            |image| image.append_block(b"second").unwrap(),
            "object 1 (file 0) is a block of 5 bytes on a.ptape, and a block of 6 bytes on b.ptape; byte 0",
            json!({"object": 1, "file": 0, "a": {"kind": "block", "length": 5}, "b": {"kind": "block", "length": 6}, "first_byte": 0}),
        ),
        (
            |image| image.append_block(b"thinks").unwrap(),
            "and a block of 6 bytes on b.ptape; byte 3",
            json!({"object": 1, "file": 0, "a": {"kind": "block", "length": 5}, "b": {"kind": "block", "length": 6}, "first_byte": 3}),
        ),
        (
            |image| image.append_block(b"thiRd").unwrap(),
            "and a block of 5 bytes on b.ptape; byte 3",
            json!({"object": 1, "file": 0, "a": {"kind": "block", "length": 5}, "b": {"kind": "block", "length": 5}, "first_byte": 3}),
        ),
        (
            |image| image.append_marks(Mark::Filemark, 1).unwrap(),
            "and a filemark on b.ptape",
            json!({"object": 1, "file": 0, "a": {"kind": "block", "length": 5}, "b": {"kind": "filemark", "length": null}, "first_byte": null}),
        ),
        (
            |_| (),
            "and the end of data on b.ptape",
            json!({"object": 1, "file": 0, "a": {"kind": "block", "length": 5}, "b": {"kind": "end-of-data", "length": null}, "first_byte": null}),
        ),
    ];
    for (change, words, difference) in cases {
        let place = Place::new();
        place.image("a.ptape", |image| {
            image.append_block(b"first").unwrap();
            image.append_block(b"third").unwrap();
        });
        place.image("b.ptape", |image| {
            image.append_block(b"first").unwrap();
            change(image);
        });
        let text = place.ends(1, &["compare", "a.ptape", "b.ptape"]);
        assert!(text.contains(words), "{words}: {text}");
        let found = place.json(1, &["compare", "--json", "a.ptape", "b.ptape"]);
        assert_eq!(found["partitions"][0]["difference"], difference);
        assert_eq!(found["identical"], false);
    }
}

#[test]
fn what_is_no_tape_or_the_same_one_twice_is_refused() {
    let place = Place::new();
    place.image("a.ptape", two_files);
    fs::write(place.path("text"), "no tape").unwrap();
    for (arguments, words) in [
        (
            &["compare", "a.ptape", "missing"][..],
            "missing: no such image or tape node",
        ),
        (&["compare", "a.ptape", "text"], "not a pseudotape image"),
        (&["compare", "a.ptape", "./a.ptape"], "name two tapes"),
        (&["copy", "a.ptape", "a.ptape"], "name two tapes"),
        (
            &["copy", "a.ptape", "missing"],
            "image:missing,create makes an image",
        ),
        (&["copy", "a.ptape", "."], "is a directory"),
        (&["copy", "vault:/dev/nst0", "b.ptape"], "rmt: before it"),
        (
            &["copy", "a.ptape", "b.ptape", "--continue", "9"],
            "there is no object 9: the tape ends behind 8 objects",
        ),
        (
            &["copy", "a.ptape", "b.ptape", "--partition", "1"],
            "no partition 1",
        ),
        (
            &["copy", "a.ptape", "null", "--resume", "--damaged", "skip"],
            "use --force",
        ),
    ] {
        let message = place.ends(2, arguments);
        assert!(message.contains(words), "{arguments:?}: {message}");
    }
}

#[test]
fn an_image_in_use_is_refused_with_the_reason() {
    let place = Place::new();
    place.image("a.ptape", two_files);
    place.image("b.ptape", |_| ());
    let held = open(&place.path("b.ptape"));
    for arguments in [
        &["copy", "a.ptape", "b.ptape"][..],
        &["compare", "a.ptape", "b.ptape"],
    ] {
        let message = place.ends(2, arguments);
        assert!(message.contains("b.ptape: image is in use"), "{message}");
        assert!(message.contains("pseudotape unload"), "{message}");
    }
    finish(held);
    place.ends(0, &["copy", "a.ptape", "b.ptape"]);
}

#[test]
fn a_tape_that_is_not_blank_is_left_alone_unless_forced() {
    let place = Place::new();
    place.image("a.ptape", two_files);
    place.image("b.ptape", |image| image.append_block(b"precious").unwrap());
    let message = place.ends(2, &["copy", "a.ptape", "b.ptape"]);
    assert!(message.contains("b.ptape is not blank"), "{message}");
    let message = place.ends(2, &["copy", "a.ptape", "b.ptape", "--resume"]);
    assert!(
        message.contains("object 0 is a block of 10240 bytes there, and a block of 8 bytes here"),
        "{message}"
    );
    assert_eq!(place.dumped("b.ptape"), b"precious");
    place.ends(0, &["copy", "a.ptape", "b.ptape", "--force"]);
    place.ends(0, &["compare", "a.ptape", "b.ptape"]);
}

/// PT-11: refused beforehand where the sizes are known; else the first object not copied is named, and
/// the second tape goes on there. Joined they are the source.
#[test]
fn a_target_that_is_too_small_is_refused_or_continued_on_another() {
    let place = Place::new();
    place.image("a.ptape", |image| {
        for byte in 0..20 {
            image.append_block(&[byte; 10_000]).unwrap();
            if byte % 5 == 4 {
                image.append_marks(Mark::Filemark, 1).unwrap();
            }
        }
    });
    place.image_of("small.ptape", Some(100_000), 20_000, |_| ());
    let message = place.ends(2, &["copy", "a.ptape", "small.ptape"]);
    assert!(
        message.contains("a.ptape holds 195.6 KiB to copy, and small.ptape takes 78.1 KiB"),
        "{message}"
    );
    assert!(message.contains("--part"), "{message}");
    assert!(place.dumped("small.ptape").is_empty());

    let copied = place.json(1, &["copy", "a.ptape", "small.ptape", "--part", "--json"]);
    assert_eq!(
        (&copied["ended"], &copied["complete"]),
        (&json!("early-warning"), &json!(false))
    );
    // Eight blocks of 10,000 bytes reach early warning, a filemark lies among them.
    assert_eq!(copied["first_object_not_copied"], 9);
    let text = place.ends(
        1,
        &[
            "copy",
            "a.ptape",
            "image:other.ptape,create,capacity=100KB,early-warning=20KB",
            "--part",
        ],
    );
    assert!(
        text.contains("the first object not copied is 9: other.ptape has reached early warning"),
        "{text}"
    );
    assert!(
        text.contains("pseudotape copy a.ptape OTHER --continue 9"),
        "{text}"
    );

    place.image_of("second.ptape", Some(125_000), 1, |_| ());
    place.ends(0, &["copy", "a.ptape", "second.ptape", "--continue", "9"]);
    let joined = [place.dumped("small.ptape"), place.dumped("second.ptape")].concat();
    assert_eq!(joined, place.dumped("a.ptape"));
    let objects = |name: &str| {
        place.json(0, &["info", "--json", name])["objects"]
            .as_u64()
            .unwrap()
    };
    assert_eq!(
        objects("small.ptape") + objects("second.ptape"),
        objects("a.ptape")
    );
}

#[test]
fn the_physical_end_names_the_object_that_did_not_fit() {
    let place = Place::new();
    place.image("a.ptape", |image| {
        image.append_block(&[1; 6000]).unwrap();
        image.append_block(&[2; 6000]).unwrap();
    });
    place.image_of("b.ptape", Some(10_000), 0, |_| ());
    let copied = place.json(1, &["copy", "a.ptape", "b.ptape", "--part", "--json"]);
    assert_eq!(
        (&copied["ended"], &copied["first_object_not_copied"]),
        (&json!("physical-end"), &json!(1))
    );
    let text = place.ends(1, &["copy", "a.ptape", "b.ptape", "--part", "--force"]);
    assert!(
        text.contains("the first object not copied is 1: b.ptape is full"),
        "{text}"
    );
}

#[test]
fn damaged_blocks_end_the_copy_or_are_recorded_or_left_out() {
    let place = Place::new();
    place.image("a.ptape", |image| {
        image.append_block(b"first block").unwrap();
        image.append_block(b"second block").unwrap();
        image.append_block(b"third block").unwrap();
    });
    place.damage("a.ptape", b"second block");
    let text = place.ends(1, &["copy", "a.ptape", "b.ptape"]);
    assert!(
        text.contains("the first object not copied is 1: it can't be read"),
        "{text}"
    );
    assert_eq!(place.dumped("b.ptape"), b"first block");

    let copied = place.json(
        1,
        &[
            "copy",
            "a.ptape",
            "b.ptape",
            "--resume",
            "--damaged",
            "record",
            "--json",
        ],
    );
    assert_eq!(
        copied["unreadable"],
        json!([{"first_object": 1, "objects": 1}])
    );
    assert_eq!(
        (&copied["resumed_behind"], &copied["complete"]),
        (&json!(1), &json!(true))
    );
    assert_eq!(place.json(0, &["info", "--json", "b.ptape"])["objects"], 3);
    let text = place.ends(1, &["compare", "a.ptape", "b.ptape"]);
    assert!(
        text.contains("from object 1 on: 1 object can't be read on either"),
        "{text}"
    );

    place.ends(1, &["copy", "a.ptape", "c.ptape", "--damaged", "skip"]);
    assert_eq!(place.dumped("c.ptape"), b"first blockthird block");
    let text = place.ends(1, &["compare", "a.ptape", "c.ptape"]);
    assert!(
        text.contains("object 1 (file 0) is something unreadable on a.ptape"),
        "{text}"
    );
    assert!(text.contains("c.ptape; a.ptape: "), "why it is: {text}");
}

/// Whatever is asked about an unfinished copy says so; that what is there is undamaged is told beside it.
fn is_incomplete(place: &Place, name: &str) {
    for (code, command) in [(0, "info"), (0, "ls"), (1, "verify")] {
        let text = place.ends(code, &[command, name]);
        assert!(text.contains("INCOMPLETE"), "{command}: {text}");
    }
    let text = place.ends(1, &["verify", name]);
    assert!(text.contains("no damage"), "{text}");
    let found = place.json(1, &["verify", name, "--json"]);
    assert_eq!(found["ok"], false);
    assert!(found["partitions"][0]["incomplete_from"].is_u64());
}

/// The mark is there before the first object, and before anything of an older tape is dropped.
#[test]
fn a_copy_that_ends_before_its_end_is_marked_and_a_copy_of_it_too() {
    let place = Place::new();
    place.image("a.ptape", |image| {
        image.append_block(b"first block").unwrap();
        image.append_block(b"second block").unwrap();
    });
    place.image("b.ptape", two_files);
    place.ends(0, &["verify", "b.ptape"]);
    place.damage("a.ptape", b"second block");
    place.ends(1, &["copy", "a.ptape", "b.ptape", "--force"]);
    is_incomplete(&place, "b.ptape");
    let info = place.json(0, &["info", "--json", "b.ptape"]);
    assert_eq!(info["incomplete_from"], 1);
    place.ends(1, &["copy", "b.ptape", "c.ptape"]);
    is_incomplete(&place, "c.ptape");
    let record = ["--resume", "--damaged", "record"];
    place.ends(1, &[&["copy", "a.ptape", "b.ptape"][..], &record].concat());
    let info = place.json(0, &["info", "--json", "b.ptape"]);
    assert_eq!(info["incomplete_from"], Value::Null);
}

/// What was committed and is not there any more is told whatever is asked, and a copy of what is left is no whole tape.
#[test]
fn a_copy_of_an_image_that_lost_its_end_says_so_and_is_marked() {
    let place = Place::new();
    place.image("a.ptape", two_files);
    let whole = place.json(0, &["info", "--json", "a.ptape"]);
    let file = fs::File::options().write(true).open(place.path("a.ptape"));
    let end = whole["host_bytes"].as_u64().unwrap();
    file.unwrap().set_len(end - 1).unwrap();
    let info = place.json(0, &["info", "--json", "a.ptape"]);
    let from = info["opened"]["missing_from"]
        .as_u64()
        .expect("data are missing");
    assert_eq!(json!(from + 1), whole["objects"], "{info}");
    let told = format!("from object {from} on");

    let text = place.ends(1, &["copy", "a.ptape", "b.ptape"]);
    assert!(
        text.contains("committed data are missing") && text.contains(&told),
        "{text}"
    );
    is_incomplete(&place, "b.ptape");
    let copied = place.json(1, &["copy", "a.ptape", "c.ptape", "--json"]);
    assert_eq!(
        (
            &copied["complete"],
            &copied["ended"],
            &copied["first_object_not_copied"]
        ),
        (&json!(false), &json!("data-missing"), &json!(from))
    );
    assert_eq!(
        place.json(0, &["info", "--json", "c.ptape"])["incomplete_from"],
        from
    );
    // Its first object has another number on a copy of a part of it.
    place.ends(1, &["copy", "a.ptape", "d.ptape", "--continue", "1"]);
    assert_eq!(
        place.json(0, &["info", "--json", "d.ptape"])["incomplete_from"],
        from - 1
    );

    let text = place.ends(0, &["ls", "a.ptape"]);
    assert!(
        text.contains(&told) && text.contains("INCOMPLETE"),
        "{text}"
    );
    assert_eq!(
        place.json(0, &["ls", "a.ptape", "--json"])["missing_from"],
        from
    );
    // What is there is the same, and that is not all.
    let text = place.ends(1, &["compare", "a.ptape", "b.ptape"]);
    assert!(text.contains("identical") && text.contains(&told), "{text}");
    let dumped = place.json(1, &["dump", "a.ptape", "-o", "out", "--json"]);
    assert_eq!(dumped["missing_from"], from);
    // The whole first file is that.
    place.ends(0, &["dump", "a.ptape", "-o", "out", "--file", "0"]);
}

/// A slot of the state is gone, or both, and the end with them: nothing says that more was there, and nothing says
/// that it was all. The slot that is left can be older than the data that were committed last.
#[test]
fn a_copy_of_an_image_that_does_not_know_its_end_is_no_whole_one() {
    for (blank_slot_left, cut) in [
        (false, Some(4095)),
        (false, Some(4096)),
        (false, None),
        (true, Some(16384)),
        (true, Some(30_000)),
        (true, None),
    ] {
        let place = Place::new();
        let path = place.path("a.ptape");
        let mut slot_of_blank = Vec::new();
        place.image("a.ptape", |image| {
            slot_of_blank = fs::read(&path).unwrap()[4096..4096 + 256].to_vec();
            two_files(image);
        });
        let mut bytes = fs::read(&path).unwrap();
        bytes[4096..12288].fill(0);
        if blank_slot_left {
            bytes[4096..4096 + 256].copy_from_slice(&slot_of_blank);
        }
        bytes.truncate(cut.unwrap_or(bytes.len() - 1));
        fs::write(&path, bytes).unwrap();
        let told = "nothing else says where its data end";

        let text = place.ends(1, &["copy", "a.ptape", "b.ptape"]);
        assert!(
            text.contains(told) && text.contains("b.ptape is marked as a copy that is not whole"),
            "{text}"
        );
        let listed = place.ends(0, &["ls", "a.ptape"]);
        assert!(listed.contains(told), "{listed}");
        let text = place.ends(1, &["compare", "a.ptape", "b.ptape"]);
        assert!(text.contains(told), "{text}");
        let dumped = place.json(1, &["dump", "a.ptape", "-o", "out", "--json"]);
        let end = place.json(0, &["info", "--json", "b.ptape"])["incomplete_from"].clone();
        assert_eq!(dumped["missing_from"], end);
        place.ends(1, &["verify", "a.ptape"]);
        place.ends(1, &["verify", "b.ptape"]);
    }
}

/// The slots are gone and the rest is there, with the record of the end of data: then all of it is there.
#[test]
fn a_copy_of_an_image_that_lost_its_slots_alone_is_whole() {
    let place = Place::new();
    place.image("a.ptape", two_files);
    let file = fs::File::options().write(true).open(place.path("a.ptape"));
    std::os::unix::fs::FileExt::write_all_at(&file.unwrap(), &[0; 8192], 4096).unwrap();
    place.ends(0, &["copy", "a.ptape", "b.ptape"]);
    place.ends(0, &["verify", "b.ptape"]);
}

/// A loss that somebody accepted is still one: a copy has it, too, and nothing that ends with 0 hides it.
#[test]
fn a_copy_of_an_image_whose_loss_was_accepted_says_so() {
    let place = Place::new();
    place.image("a.ptape", two_files);
    let whole = place.json(0, &["info", "--json", "a.ptape"]);
    let file = fs::File::options().write(true).open(place.path("a.ptape"));
    let end = whole["host_bytes"].as_u64().unwrap();
    file.unwrap().set_len(end - 1).unwrap();
    place.ends(0, &["accept-loss", "a.ptape"]);
    let from = whole["objects"].as_u64().unwrap() - 1;
    let told = format!("begins with object {from}");

    let text = place.ends(1, &["copy", "a.ptape", "b.ptape"]);
    assert!(
        text.contains(&format!(
            "a.ptape is marked as no whole copy: what it misses {told}"
        )) && text.contains("b.ptape is marked as a copy that is not whole"),
        "{text}"
    );
    let copied = place.json(1, &["copy", "a.ptape", "c.ptape", "--json"]);
    assert_eq!(
        [
            &copied["complete"],
            &copied["ended"],
            &copied["source_misses_from"],
            &copied["first_object_not_copied"]
        ],
        [
            &json!(false),
            &json!("source-incomplete"),
            &json!(from),
            &Value::Null
        ]
    );
    // The copy of the copy does not get rid of it.
    place.ends(1, &["copy", "c.ptape", "d.ptape"]);
    for name in ["a.ptape", "b.ptape", "c.ptape", "d.ptape"] {
        let info = place.json(0, &["info", "--json", name]);
        assert_eq!(info["incomplete_from"], from, "{name}");
        place.ends(1, &["verify", name]);
        let listed = place.ends(0, &["ls", name]);
        assert!(listed.contains("INCOMPLETE"), "{listed}");
    }
    // What was lost here is missed here; a copy never had it.
    for (code, name) in [(1, "a.ptape"), (0, "b.ptape")] {
        let dumped = place.json(code, &["dump", name, "-o", "out", "--json"]);
        assert_eq!(dumped["missing_from"].as_u64(), (code == 1).then_some(from));
        // The first file is whole.
        place.ends(0, &["dump", name, "-o", "out", "--file", "0"]);
    }
    let text = place.ends(1, &["compare", "a.ptape", "b.ptape"]);
    assert!(text.contains("identical") && text.contains(&told), "{text}");
    // On a part of it the objects have other numbers.
    place.ends(1, &["copy", "a.ptape", "e.ptape", "--continue", "1"]);
    let info = place.json(0, &["info", "--json", "e.ptape"]);
    assert_eq!(info["incomplete_from"], from - 1);
}

/// What lies behind a filter is listed and checked by what comes out of it.
#[test]
fn a_filtered_volume_is_listed_and_verified_through_its_filter() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    for (name, byte) in [("key", 7), ("other", 8)] {
        fs::write(place.path(name), [byte; 32]).unwrap();
        fs::set_permissions(place.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    place.image("a.ptape", |image| {
        two_files(image);
        image.append_block(b"some text to be recognised").unwrap();
    });
    place.ends(0, &["copy", "a.ptape", "zstd+aes=key+b.ptape"]);
    let through = "aes=key+b.ptape";
    let files = |name: &str| place.json(0, &["ls", "--json", name])["files"].clone();
    assert_eq!(files(through), files("a.ptape"));
    assert_ne!(files("b.ptape"), files("a.ptape"), "what is stored");
    let sums = |name: &str| {
        let report = place.json(0, &["verify", "--json", name]);
        ["files", "blocks", "bytes"].map(|sum| report["partitions"][0][sum].clone())
    };
    assert_eq!(sums(through), sums("a.ptape"));
    for (name, words) in [
        ("aes=other+b.ptape", "another key"),
        ("zstd+b.ptape", "it is encrypted"),
        ("aes=key+a.ptape", "not written through a filter"),
        ("aes=key+null", "no image"),
        ("aes=key+image:b.ptape,speed=9", "'speed=9'"),
    ] {
        let code = if words.contains("not written") { 1 } else { 2 };
        let text = place.ends(code, &["verify", name]);
        // Once, however many blocks there are.
        assert_eq!(text.matches(words).count(), 1, "{name}: {text}");
        let told = "; the same holds for ";
        assert_eq!(text.contains(told), code == 1, "{name}: {text}");
    }
    // A block that was taken out and put back elsewhere is whole in the image, and none of this place.
    let raw = |name: &str| {
        let mut image = open(&place.path(name));
        let mut block = vec![0; 1 << 20];
        let met = image.read_object(&mut block).unwrap();
        let pseudotape_image::Object::Block { copied, .. } = met else {
            panic!("{met:?}");
        };
        block.truncate(copied);
        finish(image);
        block
    };
    let first = raw("b.ptape");
    place.image("c.ptape", |image| {
        image.append_block(&first).unwrap();
        image.append_block(&first).unwrap();
    });
    place.ends(0, &["verify", "c.ptape"]);
    let text = place.ends(1, &["verify", "aes=key+c.ptape"]);
    assert!(
        text.contains("object 1: ") && text.contains("1 damaged place"),
        "{text}"
    );
    let text = place.ends(0, &["ls", "aes=key+c.ptape"]);
    assert!(text.contains("1 damaged"), "{text}");
}

/// Killed at any moment, the target is a beginning of the source, and the copy goes on from there.
///
/// A copy is over in a second or two. Where this test has no processor for that long, the copy is done before it is
/// killed; then all begins anew.
#[test]
fn a_copy_that_was_killed_goes_on() {
    let killed = (0..20).any(|_| a_copy_is_killed_three_times_and_goes_on());
    assert!(killed, "each copy ended before it was killed");
}

/// `false` where a copy ended before it was killed.
fn a_copy_is_killed_three_times_and_goes_on() -> bool {
    let place = Place::new();
    let block: Vec<u8> = (0..65_536_u32).map(|n| (n % 251) as u8).collect();
    place.image("a.ptape", |image| {
        for number in 0..4096_u32 {
            let mut block = block.clone();
            block[..4].copy_from_slice(&number.to_le_bytes());
            image.append_block(&block).unwrap();
            if number % 100 == 99 {
                image.append_marks(Mark::Filemark, 1).unwrap();
            }
        }
    });
    let target = place.path("b.ptape");
    let mut first = true;
    for reached in [1_u64 << 20, 40 << 20, 90 << 20] {
        let resume = if first { &[][..] } else { &["--resume"] };
        first = false;
        let mut child = place.start(&[&["copy", "a.ptape", "b.ptape"], resume].concat());
        let deadline = Instant::now() + Duration::from_secs(120);
        while fs::metadata(&target).map_or(0, |metadata| metadata.len()) < reached
            && child.try_wait().unwrap().is_none()
        {
            assert!(Instant::now() < deadline, "the target does not grow");
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        let ended = child.wait().unwrap();
        if ended.signal() != Some(9) {
            assert!(ended.success(), "{ended}");
            return false;
        }
        let found = place.json(1, &["compare", "--json", "a.ptape", "b.ptape"]);
        let difference = &found["partitions"][0]["difference"];
        assert_eq!(difference["b"]["kind"], "end-of-data", "{found}");
        assert!(difference["object"].as_u64().unwrap() > 0);
        is_incomplete(&place, "b.ptape");
    }
    let copied = place.json(0, &["copy", "a.ptape", "b.ptape", "--resume", "--json"]);
    assert!(
        copied["resumed_behind"].as_u64().unwrap() >= (80 << 20) / 65_536,
        "{copied}"
    );
    place.ends(0, &["compare", "a.ptape", "b.ptape"]);
    place.ends(0, &["verify", "b.ptape"]);
    // Once more there is nothing to do.
    let copied = place.json(0, &["copy", "a.ptape", "b.ptape", "--resume", "--json"]);
    assert_eq!(
        (&copied["blocks"], &copied["complete"]),
        (&json!(0), &json!(true))
    );
    true
}

#[test]
fn a_new_target_is_as_large_as_its_source() {
    let place = Place::new();
    place.ends(
        0,
        &[
            "create",
            "a.ptape",
            "--capacity",
            "10M",
            "--early-warning",
            "1M",
            "--label",
            "Monday",
        ],
    );
    place.ends(0, &["copy", "a.ptape", "b.ptape"]);
    let made = place.json(0, &["info", "--json", "b.ptape"]);
    assert_eq!(
        (&made["capacity_bytes"], &made["early_warning_bytes"]),
        (&json!(10 << 20), &json!(1 << 20))
    );
    assert_eq!(made["label"], "Monday");
    place.ends(0, &["compare", "a.ptape", "b.ptape"]);
}

#[test]
fn nothing_copied_by_force_leaves_nothing() {
    let place = Place::new();
    place.image("a.ptape", |_| ());
    place.image("b.ptape", two_files);
    place.ends(0, &["copy", "a.ptape", "b.ptape", "--force"]);
    place.ends(0, &["compare", "a.ptape", "b.ptape"]);
}

#[test]
fn a_copy_to_nowhere_counts() {
    let place = Place::new();
    place.image("a.ptape", two_files);
    let copied = place.json(0, &["copy", "a.ptape", "null", "--json"]);
    assert_eq!(
        (&copied["blocks"], &copied["bytes"], &copied["filemarks"]),
        (&json!(4), &json!(710_256), &json!(3))
    );
    let copied = place.json(
        1,
        &[
            "copy",
            "a.ptape",
            "null:capacity=20K,early-warning=1K",
            "--part",
            "--json",
        ],
    );
    assert_eq!(copied["first_object_not_copied"], 2);
}
