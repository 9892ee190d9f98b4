//! Files of a farm come from tapes and go to tapes.

use std::fs;
use std::process::Command;

use pseudotape_image::{CreateParameters, FileStore, Image, VolumeId};
use pseudotape_tape::Mark;
use serde_json::Value;

use crate::place::{Place, ended};

/// A place with a folder of three files.
fn place() -> Place {
    Place::with(&[
        ("src/a", "first"),
        ("src/b", &"second\n".repeat(9000)),
        ("src/empty", ""),
    ])
}

impl Place {
    /// What a command about tapes prints.
    fn tape(&self, words: &str) -> String {
        let mut command = self.program();
        command.args(words.split(' '));
        ended(command, 0).0
    }

    /// The bytes of a tape file.
    fn dumped(&self, file: u32, image: &str) -> Vec<u8> {
        let mut command = self.program();
        let file = file.to_string();
        let output = command.args(["dump", "--file", &file, image]).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    }

    /// Makes an image of blocks, and no filemark behind them.
    fn unfinished(&self, name: &str, blocks: &[u8], setmark: bool, capacity: Option<u64>) {
        let identity = VolumeId(pseudotape_image::Uuid::now_v7());
        let mut parameters = CreateParameters::new(identity, 0);
        parameters.header.capacity_bytes = capacity;
        let store = FileStore::create(&self.path(name)).unwrap();
        let mut image = Image::create(store, &parameters).unwrap();
        for block in blocks.chunks(10240) {
            image.append_block(block).unwrap();
        }
        if setmark {
            image.append_marks(Mark::Setmark, 1).unwrap();
        }
        image.finish().unwrap();
    }

    /// Extracts an archive with `tar`, and compares with the source.
    fn is_source(&self, archive: &[u8], below: &str) {
        let out = self.path("out");
        fs::create_dir(&out).unwrap();
        fs::write(self.path("archive.tar"), archive).unwrap();
        let status = Command::new("tar")
            .args(["-xpf", "archive.tar", "-C", "out"])
            .current_dir(self.path(""))
            .status();
        assert!(status.expect("GNU tar is there").success());
        for name in ["a", "b", "empty"] {
            let expected = fs::read(self.path("src").join(name)).unwrap();
            assert!(
                fs::read(out.join(below).join(name)).unwrap() == expected,
                "{name}"
            );
        }
        fs::remove_dir_all(out).unwrap();
    }
}

/// CW-05: several images get the same archive behind what they have, with the titles in a folder; tar reads it.
#[test]
fn files_are_written_to_several_tapes_at_once() {
    let place = place();
    for compression in ["off", "on"] {
        let volume = format!("V-{compression}");
        place.told(0, &format!("copy {volume} src --compression {compression}"));
        let to = format!("--to {compression}-1.ptape --to image:{compression}-2.ptape,create");
        let told = place.told(0, &format!("write {volume} --all {to}"));
        assert!(told.contains("3 files written"), "{told}");
        let (one, two) = (
            format!("{compression}-1.ptape"),
            format!("{compression}-2.ptape"),
        );
        assert!(place.dumped(0, &one) == place.dumped(0, &two));
        place.is_source(&place.dumped(0, &one), "src");
        // A second archive, behind the first one, which stays.
        let before = place.dumped(0, &one);
        place.told(0, &format!("write {volume} src --as kept/here --to {one}"));
        for wrong in ["../up", "kept/../here", ".."] {
            let command = format!("write {volume} src --as {wrong} --to {one}");
            let told = place.refused(&command.split(' ').collect::<Vec<_>>());
            assert!(
                told.contains("'..'") || told.contains("a name in it"),
                "{told}"
            );
        }
        assert!(place.dumped(0, &one) == before);
        place.is_source(&place.dumped(1, &one), "kept/here/src");
        assert_eq!(place.dumped(1, &one).len() % 10240, 0);
    }
}

/// CW-05: an archive goes to a file and to standard output as it goes to a tape; nothing takes the place of a file, and
/// nothing half is left.
#[test]
fn files_are_written_to_a_file_and_to_a_program() {
    let place = place();
    place.told(0, "copy V src");
    let told = place.told(0, "write V --all --tar whole.tar --to tape.ptape");
    assert!(
        told.contains("whole.tar: 7 blocks from object 0 on"),
        "{told}"
    );
    let whole = fs::read(place.path("whole.tar")).unwrap();
    assert!(whole == place.dumped(0, "tape.ptape"));
    place.is_source(&whole, "src");
    let told = place.told(2, "write V --all --tar whole.tar --to untouched.ptape");
    assert!(told.contains("nothing takes its place"), "{told}");
    assert!(fs::read(place.path("whole.tar")).unwrap() == whole);
    let told = place.told(2, "write V nothing --tar none.tar");
    assert!(told.contains("nothing is not in volume V"), "{told}");
    assert!(!place.path("none.tar").exists() && !place.path("none.tar.tmp").exists());

    let words = "farm write V --all --tar - --json";
    let run = |command: &mut Command| command.args(words.split(' ')).output().unwrap();
    let output = run(&mut place.program());
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout == whole);
    let shown: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(shown["written"].as_array().unwrap().len(), 3);
    assert_eq!(shown["copies"][0]["tape"], "-");

    // Who reads it goes: the command says so.
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = place.program();
    let output = command.args([
        "farm", "write", "V", "--all", "--tar", "-", "--root", "farm",
    ]);
    let output = output.stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("-: No space left on device"), "{told}");
    assert!(
        told.contains("no file and no tape has the archive"),
        "{told}"
    );
    let told = place.told(2, "write V --all --tar /nowhere/at/all.tar");
    assert!(
        told.contains("can't make /nowhere/at/all.tar.tmp"),
        "{told}"
    );
}

/// CW-05: what can't be had is named and left out, and a tape that is too small is left as it was; the other one has
/// all.
#[test]
fn what_can_not_be_written_is_named() {
    let place = place();
    place.told(0, "copy V src");
    place.told(0, "release V src/empty");
    let capsule = place.path("farm/V/FILE0000001.ptape");
    let mut bytes = fs::read(&capsule).unwrap();
    let at = bytes.windows(5).position(|part| part == b"first").unwrap();
    bytes[at] ^= 1;
    fs::write(&capsule, bytes).unwrap();
    place.tape("create --capacity 30K small.ptape");
    let told = place.told(1, "write V --all --to small.ptape --to large.ptape");
    for words in [
        "src/a: its capsule is damaged",
        "src/empty: not on V: released",
        "small.ptape: it is full, and the archive does not fit",
        "large.ptape: 7 blocks from object 0 on",
        "V: 1 file written, 2 not",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(place.tape("ls small.ptape").contains("the tape is blank"));
    let told = place.told(2, "write V src/b --to small.ptape");
    assert!(told.contains("no tape has the archive"), "{told}");
    let told = place.told(2, "write V src/b --to nothing");
    assert!(told.contains("nothing"), "{told}");
    let shown: Value =
        serde_json::from_str(&place.told(0, "write V src/b --to large.ptape --json")).unwrap();
    assert_eq!(shown["copies"][0]["first_object"], 8);
}

/// CW-05: an archive of tar on a tape is a source: the tape file that is named, or the one where the tape is.
#[test]
fn files_come_from_a_tape_file() {
    let place = place();
    place.told(0, "copy V src");
    place.told(0, "write V src/a --to tape.ptape");
    place.told(0, "write V src/b --to tape.ptape");
    assert!(
        place
            .ok("copy A --from tape.ptape")
            .contains("A: 1 file added; 5 B")
    );
    assert!(place.told(0, "ls A").contains("src/a"));
    place.told(0, "add A --from image:tape.ptape --file 1");
    assert!(place.told(0, "ls A").contains("src/b"));
    assert!(place.ok("add A --from tape.ptape").contains("1 present"));
    assert!(place.told(0, "verify A").contains("0 findings"));
    let told = place.told(2, "copy N --from tape.ptape --file 7");
    assert!(
        told.contains("there is no tape file 7: the data end behind 2 filemarks"),
        "{told}"
    );
    assert!(!place.path("farm/N").exists());
    // Behind the last filemark there is nothing, and a capsule is a tape, too.
    let told = place.told(2, "copy N --from tape.ptape --file 2");
    assert!(told.contains("the data end within the archive"), "{told}");
    assert!(!place.path("farm/N").exists());
    place.told(0, "copy C --from farm/V/FILE0000001.ptape");
    assert!(place.told(0, "ls C").contains("src/a"));
    let told = place.told(2, "add C --from tape.ptape --tar x");
    assert!(told.contains("cannot be used with"), "{told}");
}

/// CW-05: an archive that was cut off gives what came before, and says so.
#[test]
fn a_tape_file_that_is_cut_off_is_told() {
    let place = place();
    place.told(0, "copy V src");
    place.told(0, "write V src/a src/b --to tape.ptape");
    // Three blocks of it, and no filemark behind them.
    let archive = place.dumped(0, "tape.ptape");
    place.unfinished("cut.ptape", &archive[..3 * 10240], false, None);
    let told = place.told(2, "copy W --from cut.ptape");
    assert!(told.contains("the data end within the archive"), "{told}");
    let list = place.told(0, "ls W");
    assert!(list.contains("src/a") && list.contains("missing"), "{list}");
    let told = place.told(1, "extract W src/b -C farm");
    assert!(told.contains("src/b: not on W: missing"), "{told}");
}

/// CW-05: behind an archive that was cut off a filemark goes first. Without it both were one tape file, and nobody
/// could read the second one.
#[test]
fn an_archive_behind_an_unfinished_tape_file_is_a_tape_file_of_its_own() {
    let place = place();
    place.told(0, "copy V src");
    for (image, setmark, first) in [("cut.ptape", false, 3), ("setmark.ptape", true, 4)] {
        place.unfinished(image, &[7; 2 * 10240], setmark, None);
        let told = place.told(0, &format!("write V --all --to {image}"));
        let words = format!(
            "from object {first} on; a filemark was put before them: the tape file there had none"
        );
        assert!(told.contains(&words), "{told}");
        place.is_source(&place.dumped(1, image), "src");
        // What ends with a filemark gets no second one.
        let told = place.told(0, &format!("write V src/a --to {image} --json"));
        let shown: Value = serde_json::from_str(&told).unwrap();
        assert_eq!(shown["copies"][0]["filemark_before"], false);
        let third = place.dumped(2, image);
        assert!(third.windows(5).any(|part| part == b"src/a"));
    }
    // Where the archive does not fit, the filemark goes, too.
    place.unfinished("small.ptape", &[7; 2 * 10240], false, Some(40 << 10));
    let before = place.tape("ls small.ptape");
    let told = place.told(2, "write V --all --to small.ptape");
    assert!(told.contains("small.ptape: it is full"), "{told}");
    assert_eq!(place.tape("ls small.ptape"), before);
}

/// CW-05: what is no archive is told with the tape; of what zstd packed the way to read it is said, and no volume is
/// made.
#[test]
fn a_tape_file_that_is_no_archive_is_told_with_its_tape() {
    let place = place();
    place.unfinished("noise.ptape", &[7; 2 * 10240], false, None);
    let told = place.told(2, "copy V --from noise.ptape");
    assert!(
        told.contains("noise.ptape: byte 0 of the archive"),
        "{told}"
    );
    place.told(0, "copy Z src --compression on");
    let told = place.told(2, "copy V --from farm/Z/FILE0000001.ptape");
    assert!(told.contains("FILE0000001.ptape: compressed: "), "{told}");
    assert!(!place.path("farm/V").exists());
}
