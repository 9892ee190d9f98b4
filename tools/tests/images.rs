//! The commands on image files: what they print, and how they end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use pseudotape_image::{Access, CreateParameters, FileStore, Image, Uuid, VolumeId};
use pseudotape_tape::{Attribute, AttributeFormat, Attributes, Mark, PartitionNumber};
use serde_json::{Value, json};

/// Held while the command runs and while an image is closed: until its exec is over a child has a copy
/// of every descriptor, and with it of the lock on an image that another test closes just then.
static RUN_OR_CLOSE: Mutex<()> = Mutex::new(());

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

    fn run(&self, arguments: &[&str]) -> Output {
        let _running = RUN_OR_CLOSE.lock().unwrap_or_else(PoisonError::into_inner);
        Command::new(env!("CARGO_BIN_EXE_pseudotape"))
            .current_dir(self.directory.path())
            .args(arguments)
            .output()
            .expect("the binary was built for this test")
    }

    /// Runs what has to succeed; returns what it prints.
    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ok(arguments)).unwrap()
    }

    /// Runs what has to fail with code 2; returns its message.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Makes `t.ptape` and writes on it.
    fn recorded(write: impl FnOnce(&mut Image<FileStore>)) -> Self {
        let place = Place::new();
        place.ok(&["create", "t.ptape"]);
        place.write(write);
        place
    }

    fn write(&self, write: impl FnOnce(&mut Image<FileStore>)) {
        let mut image = open(&self.path("t.ptape"));
        write(&mut image);
        finish(image);
    }

    /// Changes one byte of `t.ptape` in the first place where `pattern` lies.
    fn damage(&self, pattern: &[u8]) {
        let mut bytes = fs::read(self.path("t.ptape")).unwrap();
        let at = bytes
            .windows(pattern.len())
            .position(|window| window == pattern);
        bytes[at.expect("the pattern is on the tape")] ^= 0x80;
        fs::write(self.path("t.ptape"), bytes).unwrap();
    }
}

fn open(path: &Path) -> Image<FileStore> {
    let store = FileStore::open(path, Access::ReadWrite).unwrap();
    Image::open(store, Access::ReadWrite).unwrap().0
}

fn finish(image: Image<FileStore>) {
    let _closing = RUN_OR_CLOSE.lock().unwrap_or_else(PoisonError::into_inner);
    image.finish().unwrap();
}

fn filemark(image: &mut Image<FileStore>) {
    image.append_marks(Mark::Filemark, 1).unwrap();
}

/// A tar file of two blocks, an empty file, one of blocks of several sizes, and one without filemark.
fn four_files(image: &mut Image<FileStore>) {
    let mut header = vec![0; 10_240];
    header[257..265].copy_from_slice(b"ustar  \0");
    image.append_block(&header).unwrap();
    image.append_block(&[7; 10_240]).unwrap();
    filemark(image);
    filemark(image);
    image.append_block(b"first words\n").unwrap();
    image.append_block(b"more").unwrap();
    image.append_marks(Mark::Setmark, 1).unwrap();
    image.append_block(&[0; 2048]).unwrap();
    filemark(image);
    image.append_block(&[0; 512]).unwrap();
}

#[test]
fn create_makes_a_blank_image_with_what_was_asked() {
    let place = Place::new();
    let made = place.json(&[
        "create",
        "t.ptape",
        "--capacity",
        "10G",
        "--early-warning",
        "64M",
        "--label",
        "weekly",
        "--barcode",
        "A00001L5",
        "--worm",
        "--min-block",
        "512",
        "--max-block",
        "1M",
        "--json",
    ]);
    assert_eq!(made["capacity_bytes"], 10_737_418_240_u64);
    let info = place.json(&["info", "t.ptape", "--json"]);
    assert_eq!(info["volume"], made["volume"]);
    assert_eq!(info["label"], "weekly");
    assert_eq!(info["barcode"], "A00001L5");
    assert_eq!(info["capacity_bytes"], 10_737_418_240_u64);
    assert_eq!(info["early_warning_bytes"], 67_108_864);
    assert_eq!(info["min_block"], 512);
    assert_eq!(info["max_block"], 1_048_576);
    assert_eq!(info["worm"], true);
    assert_eq!(info["write_protected"], false);
    assert_eq!(info["objects"], 0);
    assert_eq!(info["opened"]["clean"], true);
    assert_eq!(place.ok(&["ls", "t.ptape"]), "the tape is blank\n");
}

#[test]
fn create_has_defaults_that_make_sense() {
    let place = Place::new();
    place.ok(&["create", "unlimited.ptape"]);
    let info = place.json(&["info", "unlimited.ptape", "--json"]);
    assert_eq!(info["capacity_bytes"], Value::Null);
    assert_eq!(info["early_warning_bytes"], 0);
    assert_eq!(
        (&info["min_block"], &info["max_block"]),
        (&json!(1), &json!(16 << 20))
    );
    assert_eq!(
        (&info["label"], &info["barcode"]),
        (&Value::Null, &Value::Null)
    );
    place.ok(&["create", "small.ptape", "--capacity", "16M"]);
    let info = place.json(&["info", "small.ptape", "--json"]);
    assert_eq!(info["early_warning_bytes"], 1 << 20);
    for (zone, bytes) in [
        ("0", 0),
        ("25%", 4 << 20),
        ("50%", 8 << 20),
        ("8M", 8 << 20),
    ] {
        let size = ["--capacity", "16M", "--early-warning", zone];
        place.ok(&[&["create", "zone.ptape", "--force"], &size[..]].concat());
        let info = place.json(&["info", "zone.ptape", "--json"]);
        assert_eq!(info["early_warning_bytes"], bytes, "{zone}");
    }
}

#[test]
fn create_refuses_what_can_not_be() {
    let place = Place::new();
    let cases: [(&[&str], &str); 15] = [
        (&["--capacity", "0"], "leave it out for no limit"),
        (
            &["--capacity", "100"],
            "say 100M or 100G, or 100B for bytes",
        ),
        (&["--label", "a\nb"], "'a\\nb' has control characters"),
        (&["--barcode", "a\x1b[2J"], "has control characters"),
        (
            &["--capacity", "1M", "--early-warning", "1M"],
            "1.0 MiB is more than half of --capacity 1.0 MiB",
        ),
        (
            &["--capacity", "1M", "--early-warning", "51%"],
            "51% is more than half of --capacity 1.0 MiB",
        ),
        (
            &["--capacity", "1M", "--early-warning", "101%"],
            "0% to 100%",
        ),
        (&["--early-warning", "1M"], "needs a --capacity"),
        (&["--min-block", "0"], "a block has 1 to 2147483648 bytes"),
        (&["--max-block", "3G"], "a block has 1 to 2147483648 bytes"),
        (
            &["--min-block", "2K", "--max-block", "1K"],
            "--min-block 2048 is larger",
        ),
        (&["--capacity", "10Q"], "no unit 'Q'"),
        (&["--capacity", "lots"], "'lots' is not a size"),
        (
            &["--label", &"x".repeat(129)],
            "label of 129 bytes: at most 128",
        ),
        (
            &["--barcode", &"x".repeat(33)],
            "barcode of 33 bytes: at most 32",
        ),
    ];
    for (options, cause) in cases {
        let arguments = [&["create", "t.ptape"], options].concat();
        let error = place.refused(&arguments);
        assert!(error.contains(cause), "{arguments:?}: {error}");
        assert!(
            !place.path("t.ptape").exists(),
            "{arguments:?} leaves no file behind"
        );
    }
    let error = place.refused(&["create", "no/such/directory.ptape"]);
    assert!(error.contains("no/such/directory.ptape"), "{error}");
}

#[test]
fn create_replaces_only_images_and_only_when_told() {
    let place = Place::recorded(four_files);
    let error = place.refused(&["create", "t.ptape"]);
    assert!(error.contains("t.ptape exists"), "{error}");
    assert!(error.contains("--force"), "{error}");
    assert_ne!(place.ok(&["ls", "t.ptape"]), "the tape is blank\n");

    let in_use = open(&place.path("t.ptape"));
    let error = place.refused(&["create", "t.ptape", "--force"]);
    assert!(error.contains("in use"), "{error}");
    finish(in_use);

    place.ok(&["create", "t.ptape", "--force"]);
    assert_eq!(place.ok(&["ls", "t.ptape"]), "the tape is blank\n");
    assert_eq!(fs::read_dir(place.directory.path()).unwrap().count(), 1);

    fs::write(place.path("precious.txt"), "words").unwrap();
    let error = place.refused(&["create", "precious.txt", "--force"]);
    assert!(error.contains("is no pseudotape image"), "{error}");
    assert_eq!(fs::read(place.path("precious.txt")).unwrap(), b"words");
    let error = place.refused(&["create", "/dev/null", "--force"]);
    assert!(error.contains("is no regular file"), "{error}");
}

#[test]
fn create_replaces_a_worm_image_only_by_a_word_of_its_own() {
    let place = Place::new();
    place.ok(&["create", "w.ptape", "--worm"]);
    let before = fs::read(place.path("w.ptape")).unwrap();
    let error = place.refused(&["create", "w.ptape", "--force"]);
    assert!(
        error.contains("WORM") && error.contains("--destroy-worm"),
        "{error}"
    );
    assert_eq!(fs::read(place.path("w.ptape")).unwrap(), before);
    let error = place.refused(&["create", "w.ptape", "--destroy-worm"]);
    assert!(error.contains("--force"), "{error}");
    place.ok(&["create", "w.ptape", "--force", "--destroy-worm"]);
    assert_eq!(place.json(&["info", "w.ptape", "--json"])["worm"], false);
}

#[test]
fn info_counts_what_is_on_the_tape() {
    let place = Place::recorded(four_files);
    let info = place.json(&["info", "t.ptape", "--json"]);
    assert_eq!(info["objects"], 10);
    assert_eq!(info["filemarks"], 3);
    assert_eq!(info["used_bytes"], 2 * 10_240 + 12 + 4 + 2048 + 512);
    let text = place.ok(&["info", "t.ptape"]);
    for expected in ["10 objects", "3 of them filemarks", "image is whole"] {
        assert!(text.contains(expected), "'{expected}' is not in:\n{text}");
    }
}

/// A label as programs write it, filled up to its length, and what LTFS keeps.
fn with_attributes(image: &mut Image<FileStore>) {
    four_files(image);
    let attribute = |format, value: &[u8]| Attribute {
        format,
        value: value.to_vec(),
    };
    let kept: Attributes = [
        (0x0803, attribute(AttributeFormat::Text, b"Monday  \0\0")),
        (0x080c, attribute(AttributeFormat::Binary, &[7; 70])),
        (0x1400, attribute(AttributeFormat::Ascii, b"own")),
    ]
    .into_iter()
    .collect();
    image.set_attributes(&kept).unwrap();
}

#[test]
fn info_shows_what_programs_keep_beside_the_data() {
    let place = Place::recorded(with_attributes);
    let text = place.ok(&["info", "t.ptape"]);
    let expected = "attributes     3 of programs, 83 bytes: user medium text label 'Monday', \
                    volume coherency information (70 bytes), 1400h 'own'";
    assert!(text.contains(expected), "{text}");
    let info = place.json(&["info", "t.ptape", "--json"]);
    assert_eq!(
        info["attributes"][0],
        json!({"id": 0x0803, "name": "user medium text label", "bytes": 10, "text": "Monday"})
    );
    assert_eq!(info["attributes"][1]["text"], Value::Null);
    let place = Place::recorded(four_files);
    assert!(!place.ok(&["info", "t.ptape"]).contains("attributes"));
    let info = place.json(&["info", "t.ptape", "--json"]);
    assert_eq!(info["attributes"], json!([]));
}

#[test]
fn verify_tells_of_damaged_attributes_and_what_they_cost() {
    let place = Place::recorded(with_attributes);
    let damage = |offset: usize| {
        let path = place.path("t.ptape");
        let mut bytes = fs::read(&path).unwrap();
        bytes[offset] ^= 0xFF;
        fs::write(&path, bytes).unwrap();
    };
    place.ok(&["verify", "t.ptape"]);
    damage(12800 + 50);
    let output = place.run(&["verify", "t.ptape"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let expected = "attributes of programs at byte 12800: the other place serves, nothing is lost";
    assert!(text.contains(expected), "{text}");
    assert!(text.contains("1 damaged place"), "{text}");
    assert!(place.ok(&["info", "t.ptape"]).contains("'Monday'"));
    damage(512 + 50);
    let output = place.run(&["verify", "t.ptape", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let verified: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        verified["partitions"][0]["attribute_damage"],
        json!({"offsets": [512, 12800], "lost": true})
    );
    assert_eq!(verified["partitions"][0]["damage"], json!([]));
    let info = place.json(&["info", "t.ptape", "--json"]);
    assert_eq!(info["attributes"], Value::Null);
    assert!(
        place
            .ok(&["info", "t.ptape"])
            .contains("attributes     damaged")
    );
}

#[test]
fn ls_lists_every_file_with_its_blocks_and_content() {
    let place = Place::recorded(four_files);
    let listing = place.json(&["ls", "t.ptape", "--json"]);
    assert_eq!(listing["end_of_data"], 10);
    let rows: Vec<Value> = listing["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| {
            json!([
                file["file"],
                file["first_object"],
                file["blocks"],
                file["bytes"],
                file["min_block"],
                file["max_block"],
                file["content"],
                file["ended"]
            ])
        })
        .collect();
    assert_eq!(
        rows,
        [
            json!([0, 0, 2, 20_480, 10_240, 10_240, "tar (gnu)", true]),
            json!([1, 3, 0, 0, null, null, null, true]),
            json!([2, 4, 3, 2064, 4, 2048, "text", true]),
            json!([3, 9, 1, 512, 512, 512, "zeros", false]),
        ]
    );
    assert_eq!(
        place.ok(&["ls", "t.ptape"]),
        " file  object  blocks  bytes      size  block size  content
    0       0       2  20480  20.0 KiB       10240  tar (gnu)
    1       3       0      0       0 B           -  empty
    2       4       3   2064   2.0 KiB      4-2048  text, 1 setmark
    3       9       1    512     512 B         512  zeros, no filemark behind it
"
    );
}

#[test]
fn dump_writes_one_file_or_all_of_them() {
    let place = Place::recorded(four_files);
    let words = [b"first words\nmore".as_slice(), &[0; 2048]].concat();
    let output = place.run(&["dump", "t.ptape", "--file", "2"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout, words);

    let summary = place.json(&["dump", "t.ptape", "--file", "2", "-o", "out", "--json"]);
    assert_eq!(summary["blocks"], 3);
    assert_eq!(summary["bytes"], 2064);
    assert_eq!(summary["damaged"], 0);
    assert_eq!(fs::read(place.path("out")).unwrap(), words);

    let output = place.run(&["dump", "t.ptape"]);
    assert_eq!(output.stdout.len(), 20_480 + 2064 + 512);
    assert_eq!(&output.stdout[20_480..20_480 + 2064], words);

    assert_eq!(place.run(&["dump", "t.ptape", "--file", "1"]).stdout, b"");
    let error = place.refused(&["dump", "t.ptape", "--file", "4"]);
    assert!(error.contains("no file 4"), "{error}");
    assert!(error.contains("ls"), "{error}");
    let error = place.refused(&["dump", "t.ptape", "--json"]);
    assert!(error.contains("--json needs -o"), "{error}");
    let error = place.refused(&["dump", "t.ptape", "-o", "t.ptape"]);
    assert!(error.contains("itself"), "{error}");
}

#[test]
fn verify_of_a_whole_image_ends_with_0() {
    let place = Place::recorded(four_files);
    let report = place.json(&["verify", "t.ptape", "--json"]);
    assert_eq!(report["ok"], true);
    assert_eq!(report["partitions"].as_array().unwrap().len(), 1);
    let report = &report["partitions"][0];
    assert_eq!(report["files"], 4);
    assert_eq!(report["blocks"], 6);
    assert_eq!(report["bytes"], 2 * 10_240 + 12 + 4 + 2048 + 512);
    assert_eq!(report["damage"], json!([]));
    assert!(place.ok(&["verify", "t.ptape"]).contains("no damage"));
}

#[test]
fn damage_to_the_index_is_found_and_costs_no_data() {
    let place = Place::recorded(|image| image.append_marks(Mark::Filemark, 600).unwrap());
    // The entry of the first object: a filemark at byte 16384.
    place.damage(&[0, 0x40, 0, 0, 0, 0, 0, 2]);
    let output = place.run(&["verify", "t.ptape", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let report = &report["partitions"][0];
    assert_eq!(report["damage"], json!([]));
    assert_eq!(report["files"], 600);
    assert_eq!(report["index_damage"][0]["first_object"], 0);
    assert_eq!(report["index_damage"][0]["objects"], 512);
}

#[test]
fn a_damaged_block_is_found_named_and_costs_only_itself() {
    let place = Place::recorded(four_files);
    place.damage(b"first words\n");
    let output = place.run(&["verify", "t.ptape", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["ok"], false);
    assert_eq!(
        report["partitions"][0]["damage"].as_array().unwrap().len(),
        1
    );
    assert_eq!(report["partitions"][0]["damage"][0]["object"], 4);
    assert_eq!(report["partitions"][0]["damage"][0]["file"], 2);
    assert_eq!(report["partitions"][0]["damage"][0]["block"], 0);
    assert!(
        report["partitions"][0]["damage"][0]["offset"]
            .as_u64()
            .unwrap()
            > 20_480
    );
    let output = place.run(&["verify", "t.ptape"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("damage: object 4 (file 2, block 0) is damaged"),
        "{text}"
    );

    let listing = place.json(&["ls", "t.ptape", "--json"]);
    assert_eq!(listing["files"][2]["blocks"], 2);
    assert_eq!(listing["files"][2]["damaged"], 1);
    assert_eq!(listing["files"][2]["content"], Value::Null);

    let output = place.run(&["dump", "t.ptape", "--file", "2"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("object 4 (file 2, block 0) is damaged"),
        "{error}"
    );
    assert!(error.contains("--skip-damaged"), "{error}");
    let output = place.run(&["dump", "t.ptape", "--file", "2", "--skip-damaged"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, [b"more".as_slice(), &[0; 2048]].concat());
}

/// A power failure leaves such an image: all that was committed, and a part of what came behind.
#[test]
fn what_an_interrupted_write_left_is_told_and_is_no_damage() {
    let place = Place::recorded(four_files);
    let whole = fs::read(place.path("t.ptape")).unwrap();
    for torn in [
        [&whole[..], &[0; 5000]].concat(),
        whole[..whole.len() - 20].to_vec(),
    ] {
        fs::write(place.path("t.ptape"), torn).unwrap();
        let output = place.run(&["verify", "t.ptape"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("no damage"), "{text}");
        assert!(text.contains("interrupted write cut back"), "{text}");
        let report = place.json(&["verify", "t.ptape", "--json"]);
        assert_eq!(report["ok"], true);
        assert_eq!(report["partitions"][0]["opened"]["clean"], false);
    }
}

#[test]
fn missing_bytes_are_found() {
    let place = Place::recorded(four_files);
    let whole = fs::read(place.path("t.ptape")).unwrap();
    let info = place.json(&["info", "t.ptape", "--json"]);
    let end = usize::try_from(info["host_bytes"].as_u64().unwrap()).unwrap();
    let cut = end - 1;
    fs::write(place.path("t.ptape"), &whole[..cut]).unwrap();
    let output = place.run(&["verify", "t.ptape", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["ok"], false);
    assert_eq!(report["partitions"][0]["opened"]["clean"], false);
    assert_eq!(
        fs::read(place.path("t.ptape")).unwrap(),
        &whole[..cut],
        "verify changes nothing"
    );
    let info = place.json(&["info", "t.ptape", "--json"]);
    assert_eq!(info["opened"]["clean"], false);
}

/// Before, one mark made the finding vanish, and so did a load without any.
#[test]
fn an_accepted_loss_is_told_by_every_command_and_nothing_else_lets_the_image_be_written() {
    let place = Place::recorded(four_files);
    let whole = fs::read(place.path("t.ptape")).unwrap();
    let info = place.json(&["info", "t.ptape", "--json"]);
    let end = usize::try_from(info["host_bytes"].as_u64().unwrap()).unwrap();
    let objects = info["objects"].as_u64().unwrap();
    fs::write(place.path("t.ptape"), &whole[..end - 1]).unwrap();
    let refused = "committed data are missing";
    place.ok(&["write-protect", "t.ptape", "on"]);
    place.ok(&["write-protect", "t.ptape", "off"]);
    place.write(|image| {
        image.to_end_of_data();
        let error = image.append_marks(Mark::Filemark, 1).unwrap_err();
        assert!(error.to_string().contains(refused), "{error}");
    });
    let output = place.run(&["verify", "t.ptape"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains(refused) && text.contains("accept-loss"),
        "{text}"
    );
    let info = place.json(&["info", "t.ptape", "--json"]);
    assert_eq!(info["opened"]["missing_from"], objects - 1);

    let text = place.ok(&["accept-loss", "t.ptape"]);
    let place_words = format!("from object {} on were lost", objects - 1);
    assert!(text.contains(&place_words), "{text}");
    let text = place.ok(&["accept-loss", "t.ptape"]);
    assert!(text.contains("nothing was changed"), "{text}");
    place.write(|image| {
        image.to_end_of_data();
        image.append_marks(Mark::Filemark, 1).unwrap();
    });
    for command in ["info", "ls"] {
        let text = place.ok(&[command, "t.ptape"]);
        assert!(
            text.contains("INCOMPLETE") && text.contains("was lost"),
            "{text}"
        );
        let report = place.json(&[command, "t.ptape", "--json"]);
        assert_eq!(report["incomplete_from"], objects - 1);
        assert_eq!(report["data_lost"], true);
    }
    let output = place.run(&["verify", "t.ptape"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let error = place.refused(&["accept-loss", "none.ptape"]);
    assert!(error.contains("none.ptape"), "{error}");
}

/// Before, `info` of a FIFO waited for a writer.
#[test]
fn commands_on_what_is_no_regular_file_end_at_once_with_a_reason() {
    let place = Place::new();
    let made = Command::new("mkfifo").arg(place.path("fifo")).status();
    assert!(made.unwrap().success());
    fs::create_dir(place.path("folder")).unwrap();
    for (name, what) in [("fifo", "a FIFO"), ("folder", "a directory")] {
        for command in ["info", "verify", "ls", "dump"] {
            let error = place.refused(&[command, name]);
            assert!(error.contains(what), "{command}: {error}");
            assert!(error.contains(name), "{command}: {error}");
        }
        place.ok(&["create", "a.ptape", "--force"]);
        let error = place.refused(&["copy", &format!("image:{name}"), "a.ptape"]);
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn blocks_longer_than_any_buffer_are_read_whole() {
    let long: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
    let place = Place::recorded(|image| image.append_block(&long).unwrap());
    assert_eq!(place.run(&["dump", "t.ptape"]).stdout, long);
    assert_eq!(
        place.json(&["verify", "t.ptape", "--json"])["partitions"][0]["bytes"],
        5_000_000
    );
    place.damage(&long[4_999_000..]);
    assert_eq!(place.run(&["verify", "t.ptape"]).status.code(), Some(1));
}

#[test]
fn a_second_partition_is_shown_by_its_number_and_verified_with_the_first() {
    let place = Place::new();
    two_partitions(&place, "t.ptape", [b"front", b"after"]);
    let dumped = |arguments: &[&str]| {
        let output = place.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        output.stdout
    };
    assert_eq!(dumped(&["dump", "t.ptape"]), b"front");
    assert_eq!(dumped(&["dump", "t.ptape", "--partition", "1"]), b"after");
    let listing = place.json(&["ls", "t.ptape", "--partition", "1", "--json"]);
    assert_eq!(listing["files"][0]["bytes"], 5);
    let error = place.refused(&["ls", "t.ptape", "--partition", "2"]);
    assert!(
        error.contains("no partition 2 on this volume: it has 2"),
        "{error}"
    );
    let text = place.ok(&["info", "t.ptape"]);
    assert!(text.contains("partition      0 of 0 to 1"), "{text}");

    place.ok(&["write-protect", "t.ptape", "on"]);
    let info = place.json(&["info", "t.ptape", "--partition", "1", "--json"]);
    assert_eq!(info["write_protected"], true);

    let report = place.json(&["verify", "t.ptape", "--json"]);
    assert_eq!(report["partitions"].as_array().unwrap().len(), 2);
    let whole = fs::read(place.path("t.ptape.p1")).unwrap();
    let at = whole
        .windows(5)
        .position(|window| window == b"after")
        .unwrap();
    let mut bytes = whole.clone();
    bytes[at] ^= 1;
    fs::write(place.path("t.ptape.p1"), bytes).unwrap();
    let output = place.run(&["verify", "t.ptape"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(
        place
            .run(&["verify", "t.ptape", "--partition", "0"])
            .status
            .code(),
        Some(0)
    );

    place.ok(&["create", "t.ptape", "--force"]);
    assert!(!place.path("t.ptape.p1").exists());
}

/// A volume of two partitions, and a word in each.
fn two_partitions(place: &Place, name: &str, words: [&[u8]; 2]) {
    let volume = VolumeId(Uuid::now_v7());
    for (partition, words) in (0..).zip(words) {
        let mut parameters = CreateParameters::new(volume, 0);
        parameters.header.partition = PartitionNumber(partition);
        parameters.header.partition_count = 2;
        let file = match partition {
            0 => name.to_owned(),
            _ => format!("{name}.p{partition}"),
        };
        let store = FileStore::create(&place.path(&file)).unwrap();
        let mut image = Image::create(store, &parameters).unwrap();
        image.append_block(words).unwrap();
        finish(image);
    }
}

#[test]
fn a_file_in_the_place_of_a_partition_is_not_taken_for_it() {
    let place = Place::new();
    two_partitions(&place, "t.ptape", [b"front", b"after"]);
    two_partitions(&place, "other.ptape", [b"OTHER", b"ELSE!"]);
    let own = fs::read(place.path("t.ptape.p1")).unwrap();
    for foreign in ["other.ptape", "other.ptape.p1", "t.ptape"] {
        fs::copy(place.path(foreign), place.path("t.ptape.p1")).unwrap();
        for command in [
            &["info", "t.ptape", "--partition", "1"][..],
            &["ls", "t.ptape", "--partition", "1"],
            &["dump", "t.ptape", "--partition", "1"],
            &["verify", "t.ptape", "--partition", "1"],
        ] {
            let error = place.refused(command);
            assert!(
                error.contains("t.ptape.p1: this is not partition 1 of volume"),
                "{foreign}: {command:?}: {error}"
            );
        }
        // The partition that is there is judged all the same.
        let output = place.run(&["verify", "t.ptape"]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("partition 0: 1 file, 1 block, 5"), "{text}");
        let info = place.ok(&["info", "t.ptape"]);
        assert!(info.contains("lost           partition 1: "), "{info}");
    }
    fs::remove_file(place.path("t.ptape.p1")).unwrap();
    let info = place.json(&["info", "t.ptape", "--json"]);
    assert_eq!(info["lost_partitions"][0]["partition"], 1);
    let why = info["lost_partitions"][0]["why"].as_str().unwrap();
    assert!(why.contains("t.ptape.p1"), "{why}");
    let output = place.run(&["verify", "t.ptape", "--json"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["ok"], false);
    assert_eq!(report["partitions"][0]["bytes"], 5);
    fs::write(place.path("t.ptape.p1"), own).unwrap();
    place.ok(&["verify", "t.ptape"]);
    // The file of a later partition, by itself, says nothing of the first one.
    for arguments in [
        &["t.ptape"][..],
        &["t.ptape", "--partition", "1"],
        &["t.ptape.p1"],
    ] {
        let info = place.json(&[&["info", "--json"], arguments].concat());
        assert_eq!(info["lost_partitions"].as_array().unwrap().len(), 0);
    }
}

#[test]
fn a_damaged_copy_of_the_header_is_told_while_the_header_holds() {
    let place = Place::recorded(four_files);
    let path = place.path("t.ptape");
    let whole = fs::read(&path).unwrap();
    let mut other = whole.clone();
    other[12288 + 40] ^= 1;
    fs::write(&path, other).unwrap();
    let output = place.run(&["verify", "t.ptape"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("the copy of the header is damaged"), "{text}");
    place.ok(&["copy", "t.ptape", "whole.ptape"]);
    place.ok(&["verify", "whole.ptape"]);
}

#[test]
fn the_write_protect_switch_of_an_image_is_turned() {
    let place = Place::recorded(four_files);
    for (word, on) in [("on", true), ("off", false)] {
        let text = place.ok(&["write-protect", "t.ptape", word]);
        assert!(text.contains("t.ptape"), "{text}");
        let info = place.json(&["info", "t.ptape", "--json"]);
        assert_eq!(info["write_protected"], on);
    }
    let error = place.refused(&["write-protect", "none.ptape", "on"]);
    assert!(error.contains("none.ptape"), "{error}");
    let error = place.refused(&["write-protect", "t.ptape", "maybe"]);
    assert!(error.contains("maybe"), "{error}");
}

#[test]
fn an_image_in_use_is_looked_at_up_to_its_last_commit() {
    let place = Place::recorded(four_files);
    let at_rest = place.ok(&["ls", "t.ptape"]);
    let mut in_use = open(&place.path("t.ptape"));
    let end = in_use.end_of_data().object;
    in_use.locate(end).unwrap();
    in_use.append_block(b"not committed").unwrap();
    let note = "in use: shown up to its last commit\n";
    assert_eq!(place.ok(&["ls", "t.ptape"]), format!("{at_rest}{note}"));
    assert!(place.ok(&["info", "t.ptape"]).ends_with(note));
    let verified = place.ok(&["verify", "t.ptape"]);
    assert!(verified.contains(note), "{verified}");
    assert!(verified.contains("no damage"), "{verified}");
    let listing: serde_json::Value =
        serde_json::from_str(&place.ok(&["ls", "--json", "t.ptape"])).unwrap();
    assert_eq!(listing["in_use"], true);
    in_use.sync().unwrap();
    assert_ne!(place.ok(&["ls", "t.ptape"]), format!("{at_rest}{note}"));
    finish(in_use);
    assert!(!place.ok(&["ls", "t.ptape"]).contains(note));
}

#[test]
fn an_image_in_use_is_said_to_be_so_by_what_would_change_or_copy_it() {
    let place = Place::recorded(four_files);
    let _in_use = open(&place.path("t.ptape"));
    for arguments in [
        ["dump", "t.ptape"].as_slice(),
        &["write-protect", "t.ptape", "on"],
    ] {
        let error = place.refused(arguments);
        assert!(
            error.contains("t.ptape: image is in use"),
            "{arguments:?}: {error}"
        );
        assert!(
            error.contains("pseudotape unload"),
            "{arguments:?}: {error}"
        );
    }
}

#[test]
fn what_is_no_image_is_named_by_every_command() {
    let place = Place::new();
    fs::write(place.path("text"), "no tape at all").unwrap();
    fs::write(place.path("empty"), "").unwrap();
    for command in ["info", "ls", "dump", "verify"] {
        for name in ["text", "empty"] {
            let error = place.refused(&[command, name]);
            assert!(error.contains(name), "{error}");
            assert!(error.contains("not a pseudotape image"), "{error}");
        }
        let error = place.refused(&[command, "missing"]);
        assert!(error.contains("missing"), "{error}");
        assert!(error.contains("No such file"), "{error}");
    }
}

#[test]
fn usage_errors_end_with_2_and_completions_and_man_pages_are_made() {
    let place = Place::new();
    place.refused(&["fly"]);
    place.refused(&["dump", "x", "--file", "minus one"]);
    let bash = place.ok(&["completions", "bash"]);
    assert!(bash.contains("_pseudotape"), "{bash}");
    assert!(
        place
            .ok(&["completions", "fish"])
            .contains("complete -c pseudotape")
    );
    assert!(
        place
            .refused(&["completions", "bash", "--json"])
            .contains("unexpected argument '--json'")
    );
    for shell in ["bash", "zsh", "fish"] {
        let script = place.ok(&["completions", shell, "--program", "pseudotape-rmt"]);
        assert!(script.contains("pseudotape-rmt"), "{shell}: {script}");
        assert!(script.contains("PSEUDOTAPE_COMPLETE"), "{shell}: {script}");
    }
    let pages = place.json(&["man", "pages", "--json"]);
    let pages = pages["pages"].as_array().unwrap();
    let commands = pseudotape_tools::command();
    assert!(pages.len() > commands.get_subcommands().count());
    for page in pages {
        let text = fs::read_to_string(place.path(page.as_str().unwrap())).unwrap();
        assert!(text.contains(".TH PSEUDOTAPE"), "{page}");
    }
}

/// A wrong order, a directory for a file, a misspelt option: what was meant is said.
#[test]
fn messages_say_what_was_meant() {
    let place = Place::new();
    place.ok(&["create", "a.ptape"]);
    for (line, words) in [
        (
            "load a.ptape 0",
            "'a.ptape' is no drive: a drive is a number",
        ),
        (
            "load /dev/npmtm3l a.ptape",
            "say 3 for the drive of this node",
        ),
        ("inject reset 0", "'reset' is no drive"),
        ("write-protect on a.ptape", "the switch stands last"),
        ("copy new.ptape a.ptape", "the tape to read stands first"),
        ("rescue new.ptape a.ptape", "the tape to read stands first"),
        (
            "info .",
            "it is a directory, and an image is a regular file",
        ),
        (
            "create .",
            "is a directory: name a file in it, such as ./tape.ptape",
        ),
        ("create . --force", "is a directory: name a file in it"),
        (
            "copy . b.ptape",
            "is a directory: a sink is an image file or a tape node",
        ),
        (
            "vault ls --vault a.ptape",
            "is a file, and a vault is a directory",
        ),
        (
            "library create a.ptape",
            "is a file, and a library is a folder",
        ),
        (
            "copy image:a.ptape,craete b.ptape",
            "did you mean 'create'?",
        ),
        ("copy imgae:a.ptape b.ptape", "did you mean 'image'?"),
        (
            "serve a.ptape --on x --personality lot5",
            "did you mean 'lto5'?",
        ),
        (
            "create b.ptape --capacity 100",
            "say 100M or 100G, or 100B for bytes",
        ),
        ("--control x man pages", "'man' has no option '--control'"),
    ] {
        let words_of: Vec<&str> = line.split(' ').collect();
        let told = place.refused(&words_of);
        assert!(told.contains(words), "{line}: {told}");
    }
    assert!(!place.path("pages").exists());
}

/// With an identity and a time of making the same writes make the same image, so that a test can keep one as a file.
#[test]
fn volumes_of_one_identity_and_time_are_equal_byte_for_byte() {
    let place = Place::new();
    let id = "0190a5c0-0000-7000-8000-000000000001";
    for name in ["a.ptape", "b.ptape"] {
        let made = [
            "create",
            name,
            "--volume-id",
            id,
            "--created",
            "2026-01-31T12:00:00Z",
            "--capacity",
            "10M",
            "--label",
            "kept",
        ];
        place.ok(&made);
    }
    let bytes = |name| fs::read(place.path(name)).unwrap();
    assert_eq!(bytes("a.ptape"), bytes("b.ptape"));
    let info = place.json(&["info", "a.ptape", "--json"]);
    assert_eq!(info["volume"], id);
    assert_eq!(info["created"], "2026-01-31T12:00:00Z");
    for (option, value, part) in [
        ("--volume-id", "monday", "no UUID"),
        (
            "--volume-id",
            "00000000-0000-0000-0000-000000000000",
            "has none",
        ),
        ("--created", "yesterday", "RFC 3339"),
        ("--created", "1969-12-31T23:59:59Z", "before 1970"),
    ] {
        let told = place.refused(&["create", "c.ptape", option, value]);
        assert!(told.contains(part) && told.contains(option), "{told}");
    }
}

/// `--picture=IMAGE` is a slip of the fingers that must not cost a tape.
#[test]
fn a_picture_takes_the_place_of_a_picture_and_of_nothing_else() {
    let place = Place::new();
    place.ok(&["create", "t.ptape"]);
    let before = fs::read(place.path("t.ptape")).unwrap();
    let refused = place.run(&["info", "t.ptape", "--picture=t.ptape"]);
    assert_eq!(refused.status.code(), Some(2));
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(
        told.contains("t.ptape is there and is no picture"),
        "{told}"
    );
    assert_eq!(fs::read(place.path("t.ptape")).unwrap(), before);
    fs::write(place.path("empty.svg"), "").unwrap();
    for _ in 0..2 {
        place.ok(&["info", "t.ptape", "--picture=new.svg"]);
        place.ok(&["info", "t.ptape", "--picture=empty.svg"]);
    }
    assert!(
        fs::read_to_string(place.path("new.svg"))
            .unwrap()
            .starts_with("<svg")
    );
}
