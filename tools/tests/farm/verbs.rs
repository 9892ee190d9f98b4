//! Its verbs: what they print, and how they end.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::fcntl::{Flock, FlockArg};
use serde_json::Value;

use crate::place::Place;
use crate::tables::Seen;

/// A place with two files.
fn place() -> Place {
    Place::with(&[("src/a", "first"), ("src/b", "second")])
}

impl Place {
    fn capsule(&self, number: u64) -> PathBuf {
        self.path(&format!("farm/V/FILE{number:07}.ptape"))
    }

    /// Changes one byte of a file's contents in its capsule.
    fn spoil(&self, number: u64, text: &str) {
        let mut bytes = fs::read(self.capsule(number)).unwrap();
        let at = bytes
            .windows(text.len())
            .position(|part| part == text.as_bytes())
            .unwrap();
        bytes[at] ^= 1;
        fs::write(self.capsule(number), bytes).unwrap();
    }
}

/// CW-01: what file systems and the farm itself call so is no volume, or its files would be taken for a volume's.
#[test]
fn names_that_others_give_are_none_of_volumes() {
    let place = place();
    for name in [
        "lost+found",
        "System Volume Information",
        "$RECYCLE.BIN",
        "$recycle.bin",
        "@eaDir",
        "#snapshot",
        "FOUND.000",
    ] {
        for verb in ["copy", "add", "compare-add"] {
            let words = place.refused(&[verb, name, "src"]);
            assert!(words.contains("make folders of that name"), "{words}");
        }
        // Neither where the folder is there already.
        fs::create_dir(place.path("farm").join(name)).unwrap();
        place.refused(&["add", name, "src"]);
        fs::remove_dir(place.path("farm").join(name)).unwrap();
    }
    for name in ["FILE000.dir", "FILE0000007.ptape", "FILE0000007.ptape.tmp"] {
        let words = place.refused(&["add", name, "src"]);
        assert!(words.contains("a farm calls its own files so"), "{words}");
    }
    for name in [".Trash-1000", ".snapshots", ".access"] {
        let words = place.refused(&["add", name, "src"]);
        assert!(words.contains("does not begin with a dot"), "{words}");
    }
    place.ok(&["copy", "V", "src"]);
    place.refused(&["merge", "lost+found", "V"]);
    assert!(place.ok(&["ls"]).contains("V"));
    // Older programs made some: what is in them can be had.
    fs::rename(place.path("farm/V"), place.path("farm/lost+found")).unwrap();
    place.ok(&["extract", "lost+found", "--all", "-C", "farm"]);
    place.ok(&["add", "lost+found", "src"]);
}

/// CW-07, CW-08, CW-68, CW-71, CW-72: the verbs, as people see them.
#[test]
fn files_are_kept_listed_and_got_back() {
    let place = place();
    assert!(
        place
            .ok(&["copy", "V", "src"])
            .contains("V: 2 files added; 11 B")
    );
    let refused = place.refused(&["copy", "V", "src"]);
    assert!(
        refused.contains("Files may be added to V, but not copied"),
        "{refused}"
    );
    let again = place.ok(&["add", "V", "src"]);
    assert!(again.contains("src/a not added: present"), "{again}");
    assert!(
        place
            .ok(&["compare-add", "V", "src"])
            .contains("2 not better")
    );
    let list = place.ok(&["ls", "V"]);
    assert!(list.contains("src/a") && list.contains("5 B"), "{list}");
    assert!(place.ok(&["ls", "V", "src/b"]).contains("src/b"));
    let shown = place.ok(&["show", "V", "src/b"]);
    assert!(
        shown.contains("FILE0000002.ptape") && !shown.contains("generation"),
        "{shown}"
    );
    let shown = place.ok(&["show", "V", "src/b", "--all"]);
    for words in [
        "note       -",
        "stored     as it is",
        "generation 0",
        "version    0",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let kept = place.ended(1, &["extract", "V", "src/a"]);
    assert!(kept.contains("src/a: something has its name"), "{kept}");
    fs::remove_dir_all(place.path("src")).unwrap();
    assert!(
        place
            .ok(&["extract", "V", "src"])
            .contains("2 files extracted")
    );
    assert_eq!(fs::read(place.path("src/b")).unwrap(), b"second");
    fs::write(place.path("src/b"), "mine").unwrap();
    place.ok(&["extract", "V", "src/b", "--overwrite"]);
    assert_eq!(fs::read(place.path("src/b")).unwrap(), b"second");
}

/// CW-08: a file whose capsule is gone or damaged is added again, and that is said.
#[test]
fn what_is_mended_is_told() {
    let place = place();
    place.ok(&["copy", "V", "src"]);
    fs::remove_file(place.capsule(1)).unwrap();
    let told = place.ok(&["add", "V", "src"]);
    for words in [
        "src/a: had no whole capsule, and has one now: it is not there",
        "src/b not added: present",
        "1 replaced, 1 present, 1 mended",
    ] {
        assert!(told.contains(words), "{told}");
    }
    place.spoil(2, "second");
    assert!(place.ok(&["add", "V", "src"]).contains("2 present"));
    let proposed = place.ended(1, &["repair", "V"]);
    assert!(
        proposed.contains("'pseudotape farm add --check-present'"),
        "{proposed}"
    );
    assert!(
        place
            .ok(&["add", "V", "src", "--check-present"])
            .contains("1 mended")
    );
    assert!(place.ok(&["verify", "V"]).contains("0 findings"));
}

/// CW-74, CW-68: a list tells bad capsules from missing and released files.
#[test]
fn a_list_tells_bad_capsules_from_missing_files() {
    let place = place();
    for name in ["c", "d", "e"] {
        fs::write(place.path("src").join(name), name).unwrap();
    }
    place.ok(&["copy", "V", "src"]);
    fs::remove_file(place.capsule(2)).unwrap();
    place.ok(&["repair", "V", "--yes"]);
    place.ok(&["release", "V", "src/c"]);
    fs::remove_file(place.capsule(4)).unwrap();
    fs::write(place.capsule(5), "no image").unwrap();
    assert!(!place.ok(&["ls", "V"]).contains("bad"));
    let list = place.json(1, &["ls", "V", "--check"]);
    let files = list["files"].as_array().unwrap().iter();
    let states: Vec<String> = files
        .map(|file| {
            format!(
                "{} {}",
                file["title"].as_str().unwrap(),
                file["state"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        states,
        [
            "src/a ok",
            "src/b missing",
            "src/d bad",
            "src/e bad",
            "src/c released"
        ]
    );
    let text = place.ended(1, &["ls", "V", "--check"]);
    assert!(text.contains("src/d: it is not there"), "{text}");
    assert!(place.ok(&["ls", "V", "src/a", "--check"]).contains("ok"));
}

#[test]
fn an_archive_on_standard_input_is_a_source() {
    let place = place();
    let tar = place.path("src.tar");
    let place_tar = tar.to_str().unwrap();
    let archive = Command::new("tar")
        .args(["-C", "src", "-cf", place_tar, "a", "b"])
        .current_dir(place.path(""))
        .status()
        .expect("GNU tar is there");
    assert!(archive.success());
    let command = Command::new(env!("CARGO_BIN_EXE_pseudotape"))
        .args(["farm", "--root", "farm", "add", "V", "--tar", "-"])
        .current_dir(place.path(""))
        .stdin(fs::File::open(place.path("src.tar")).unwrap())
        .output()
        .unwrap();
    assert!(
        String::from_utf8_lossy(&command.stdout).contains("V: 2 files added; 11 B"),
        "{command:?}"
    );
    assert!(
        place
            .ok(&["add", "V", "--tar", "src.tar"])
            .contains("2 present")
    );
    fs::write(
        place.path("cut.tar"),
        &fs::read(place.path("src.tar")).unwrap()[..700],
    )
    .unwrap();
    let output = place.run(&["copy", "W", "--tar", "cut.tar"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("cut off"),
        "{output:?}"
    );
}

/// CW-29, CW-69: each kind of damage is found and named, and the rest is read.
#[test]
fn what_is_wrong_with_a_volume_is_named_and_the_rest_is_read() {
    let place = place();
    for name in ["c", "d", "e", "f"] {
        fs::write(place.path("src").join(name), format!("text of {name}")).unwrap();
    }
    place.ok(&["copy", "V", "src"]);
    assert!(
        place
            .ok(&["verify", "V"])
            .contains("6 capsules whole; 47 B; 0 findings")
    );
    place.spoil(1, "first");
    fs::remove_file(place.capsule(2)).unwrap();
    let length = fs::metadata(place.capsule(3)).unwrap().len();
    fs::File::options()
        .write(true)
        .open(place.capsule(3))
        .unwrap()
        .set_len(length - 5000)
        .unwrap();
    fs::rename(place.capsule(4), place.path("t")).unwrap();
    fs::rename(place.capsule(5), place.capsule(4)).unwrap();
    fs::rename(place.path("t"), place.capsule(5)).unwrap();
    fs::copy(place.capsule(6), place.capsule(9)).unwrap();
    fs::write(place.capsule(8), "no image").unwrap();
    fs::write(place.path("farm/V/note"), "mine").unwrap();
    fs::write(place.path("farm/V/FILE0000007.ptape.tmp"), "half").unwrap();
    let found = place.json(1, &["verify", "V"]);
    let findings = found["findings"].as_array().unwrap();
    let words: Vec<String> = findings
        .iter()
        .map(|finding| {
            let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
            format!(
                "{} {} {} {}",
                text("file"),
                text("what"),
                finding["title"]["title"].as_str().unwrap_or("-"),
                text("why")
            )
        })
        .collect();
    let expected = [
        ("FILE0000001.ptape damaged src/a", ""),
        ("FILE0000002.ptape damaged src/b", "it is not there"),
        ("FILE0000003.ptape damaged src/c", ""),
        (
            "FILE0000004.ptape damaged src/d",
            "another capsule: its number is 5",
        ),
        (
            "FILE0000005.ptape damaged src/e",
            "another capsule: its number is 4",
        ),
        ("FILE0000007.ptape.tmp leftover -", ""),
        ("FILE0000008.ptape unlisted -", ""),
        ("FILE0000009.ptape unlisted src/f", ""),
        ("note foreign -", ""),
    ];
    assert_eq!(words.len(), expected.len(), "{words:#?}");
    for (found, (beginning, why)) in words.iter().zip(expected) {
        assert!(
            found.starts_with(beginning) && found.contains(why),
            "{found}"
        );
    }
    assert_eq!(found["whole"], 1);
    // The report is kept, in place of the one before; where it can't be, nothing is read.
    let kept = || -> Value {
        let text = fs::read_to_string(place.path("report")).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    fs::write(place.path("report"), "of yesterday").unwrap();
    place.ended(1, &["verify", "V", "--report", "report"]);
    assert_eq!(kept(), found);
    assert!(!place.path("report.tmp").exists());
    let refused = place.refused(&["verify", "V", "--report", "nowhere/report"]);
    assert!(
        refused.contains("can't make nowhere/report.tmp"),
        "{refused}"
    );
    // CW-71: what is damaged is not extracted, and the others are.
    fs::create_dir(place.path("out")).unwrap();
    let got = place.json(1, &["extract", "V", "--all", "-C", "out"]);
    assert_eq!(got["extracted"].as_array().unwrap().len(), 1);
    assert!(place.path("out/src/f").is_file() && !place.path("out/src/a").exists());
}

/// CW-70: a capsule that is alone is verified as any image is, and its bad block is told.
#[test]
fn a_capsule_alone_is_verified_block_by_block() {
    let place = place();
    fs::write(
        place.path("src/a"),
        [&[b'-'; 15_000][..], b"in the second block"].concat(),
    )
    .unwrap();
    place.ok(&["copy", "V", "src/a"]);
    let verify = || {
        let alone = place.path("alone.ptape");
        fs::copy(place.capsule(1), &alone).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_pseudotape"))
            .arg("verify")
            .arg(&alone)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), text)
    };
    let (code, text) = verify();
    assert!(code == Some(0) && text.contains("no damage"), "{text}");
    let words = "capsule 1 of a disk farm: src/a: its file is whole";
    assert!(text.contains(words), "{text}");
    place.spoil(1, "in the second block");
    let (code, text) = verify();
    assert!(code == Some(1) && text.contains("object 1"), "{text}");
}

/// CW-70, CW-69: each block is good, and it is no capsule of the file that it should be: that is seen without a volume.
#[test]
fn a_capsule_alone_is_verified_as_one() {
    let place = place();
    place.ok(&["copy", "V", "src"]);
    place.ok(&["copy", "P", "src", "--compression", "on"]);
    place.ok(&["release", "V", "src/a"]);
    let verify = |path: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pseudotape"));
        let output = command
            .arg("verify")
            .arg(place.path(path))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), text)
    };
    let (code, text) = verify("farm/V/FILE0000003.ptape");
    assert!(code == Some(0), "{text}");
    assert!(text.contains("src/a: it has no file: released"), "{text}");
    let (code, text) = verify("farm/P/FILE0000002.ptape");
    assert!(
        code == Some(0) && text.contains("src/b: its file is whole"),
        "{text}"
    );
    fs::copy(place.capsule(2), place.path("FILE0000007.ptape")).unwrap();
    let (code, text) = verify("FILE0000007.ptape");
    let words = "damage: it is another capsule: its number is 2, and should be 7";
    assert!(code == Some(1) && text.contains(words), "{text}");
    // An image with the name of a capsule, and the same under another name.
    let make = |name: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pseudotape"));
        let output = command
            .arg("create")
            .arg(place.path(name))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    make("FILE0000008.ptape");
    let (code, text) = verify("FILE0000008.ptape");
    assert!(
        code == Some(1) && text.contains("damage: it is no capsule"),
        "{text}"
    );
    make("monday.ptape");
    let (code, text) = verify("monday.ptape");
    assert!(code == Some(0) && !text.contains("capsule"), "{text}");
}

/// CW-64, CW-78: what a running command has not finished is no finding; who runs it is told.
#[test]
fn a_verification_beside_a_running_command_finds_nothing_wrong() {
    let place = place();
    place.ok(&["copy", "V", "src/a"]);
    fs::write(place.path("farm/V/FILE0000002.ptape.tmp"), "half").unwrap();
    fs::copy(place.capsule(1), place.capsule(3)).unwrap();
    let folder = fs::File::open(place.path("farm/V")).unwrap();
    let held = Flock::lock(folder, FlockArg::LockExclusive).unwrap();
    let told = place.ok(&["verify", "V"]);
    assert!(
        told.contains(" is changing it: what that has not finished was left out\n"),
        "{told}"
    );
    assert!(told.contains("0 findings"), "{told}");
    assert!(place.ok(&["repair", "V"]).contains("0 findings"));
    let report = place.json(0, &["verify", "V"]);
    assert!(report["changing"].is_string(), "{report}");
    held.unlock().map_err(|(_, errno)| errno).unwrap();
    let told = place.ended(1, &["verify", "V"]);
    assert!(
        told.contains("2 findings") && !told.contains("changing"),
        "{told}"
    );
}

/// CW-78: what a killed command left is named, and the next one that changes the volume removes it and nothing else.
#[test]
fn what_is_left_over_is_removed_by_the_next_change() {
    let place = place();
    place.ok(&["copy", "V", "src/a"]);
    let left =
        ["FILE0000002.ptape.tmp", "FILE000.dir.tmp"].map(|name| place.path("farm/V").join(name));
    let others = ["note.tmp", "FILE0000002.tmp"].map(|name| place.path("farm/V").join(name));
    for path in left.iter().chain(&others) {
        fs::write(path, "half").unwrap();
    }
    let found = place.ended(1, &["verify", "V"]);
    assert_eq!(
        (
            found.matches("leftover").count(),
            found.matches("foreign").count()
        ),
        (2, 2),
        "{found}"
    );
    place.ok(&["add", "V", "src/b"]);
    assert!(left.iter().all(|path| !path.exists()));
    assert!(others.iter().all(|path| path.exists()));
}

/// CW-76, CW-78: what no farm made is never told as what a killed command left, and nobody is sent to a capsule where
/// none is meant.
#[test]
fn a_folder_that_is_called_like_a_leftover_is_none() {
    let place = place();
    place.ok(&["copy", "V", "src/a"]);
    let folder = place.path("farm/V/FILE0000009.ptape.tmp");
    fs::create_dir(&folder).unwrap();
    for how in [&["verify", "V"][..], &["repair", "V"]] {
        let found = place.ended(1, how);
        assert!(found.contains("FILE0000009.ptape.tmp: foreign"), "{found}");
        assert!(!found.contains("it can go"), "{found}");
    }
    let told = place.told(1, &["repair", "V", "--yes"]);
    assert!(told.contains("move it away"), "{told}");
    assert!(folder.exists());
    // A folder that no command made a volume in.
    fs::create_dir(place.path("farm/E")).unwrap();
    fs::write(place.path("farm/E/readme"), "").unwrap();
    let found = place.ended(1, &["repair", "E", "--yes"]);
    let line = found
        .lines()
        .find(|line| line.contains("no volume was made"));
    let line = line.unwrap();
    assert!(
        line.contains("it stays: something that no farm made is in it"),
        "{line}"
    );
    assert!(!line.contains("--check-present"), "{line}");
    // 'add' makes one there, as it says.
    place.ok(&["add", "E", "src/a"]);
}

/// CW-02, CW-76: the directory is made from the capsules.
#[test]
fn a_directory_that_is_gone_is_made_from_the_capsules() {
    let place = place();
    place.ok(&["copy", "V", "src"]);
    let directory = place.path("farm/V/FILE000.dir");
    let before = fs::read(&directory).unwrap();
    for damage in ["gone", "cut", "flipped"] {
        match damage {
            "gone" => fs::remove_file(&directory).unwrap(),
            "cut" => fs::write(&directory, &before[..100]).unwrap(),
            _ => fs::write(&directory, [&before[..80], b"~", &before[81..]].concat()).unwrap(),
        }
        let refused = place.refused(&["ls", "V"]);
        assert!(refused.contains("farm rebuild"), "{damage}: {refused}");
        assert!(place.ok(&["ls"]).contains('V'), "{damage}");
        let (code, kept) = match damage {
            "gone" => (0, None),
            "cut" => (1, Some("FILE000.dir.damaged")),
            _ => (1, Some("FILE000.dir.damaged.2")),
        };
        let found = fs::read(&directory).ok();
        let rebuilt = place.ended(code, &["rebuild", "V"]);
        assert!(rebuilt.contains("a directory of 2 capsules"), "{rebuilt}");
        assert_eq!(fs::read(&directory).unwrap(), before, "{damage}");
        // Notes can stand in it that no capsule has.
        if let Some(kept) = kept {
            let told = format!("{kept}: not listed: it is the damaged directory");
            assert!(rebuilt.contains(&told), "{rebuilt}");
            assert_eq!(fs::read(place.path("farm/V").join(kept)).ok(), found);
        }
    }
    assert!(place.ok(&["verify", "V"]).contains("0 findings"));
    fs::copy(place.capsule(1), place.capsule(3)).unwrap();
    let rebuilt = place.ended(1, &["rebuild", "V"]);
    assert!(
        rebuilt.contains("FILE0000003.ptape: not listed: it is another capsule"),
        "{rebuilt}"
    );
    fs::write(place.path("src/c"), "third").unwrap();
    place.ok(&["add", "V", "src/c"]);
    assert!(
        place
            .ok(&["show", "V", "src/c"])
            .contains("FILE0000004.ptape"),
        "3 is in use"
    );
}

/// CW-23, CW-24, CW-25, CW-26: what is released is gone, and its capsule says what it was; the others go on.
#[test]
fn a_release_takes_the_bytes_and_leaves_what_was_known() {
    let place = place();
    fs::create_dir(place.path("src/sub")).unwrap();
    fs::write(place.path("src/sub/c"), "x".repeat(100_000)).unwrap();
    place.ok(&["copy", "V", "src"]);
    let before = fs::read_dir(place.path("farm/V")).unwrap().count();
    let refused = place.refused(&["release", "V", "src/sub"]);
    assert!(
        refused.contains("src/sub is a folder") && refused.contains("nothing was changed"),
        "{refused}"
    );
    assert!(
        place
            .refused(&["release", "V", "src/a", "nothing"])
            .contains("nothing is not in volume V")
    );
    assert!(
        place
            .ok(&["verify", "V"])
            .contains("3 capsules whole; 97.7 KiB; 0 findings")
    );
    place.ok(&["release", "V", "src/sub/c", "--by", "ada"]);
    assert!(!place.capsule(3).exists() && fs::metadata(place.capsule(4)).unwrap().len() < 40_000);
    assert_eq!(fs::read_dir(place.path("farm/V")).unwrap().count(), before);
    let again = place.ok(&["release", "V", "src/sub/c"]);
    assert!(again.contains("nothing to release"), "{again}");
    let shown = place.json(0, &["show", "V", "src/sub/c"]);
    assert_eq!(
        (shown["state"].as_str(), shown["bytes"].as_u64()),
        (Some("released"), Some(100_000))
    );
    assert!(
        shown["why"].as_str().unwrap().contains("released by ada") && shown["blake3"].is_string()
    );
    assert!(
        place
            .ok(&["verify", "V"])
            .contains("3 capsules whole (1 without their files); 11 B; 0 findings")
    );
    fs::create_dir(place.path("out")).unwrap();
    let got = place.ended(1, &["extract", "V", "--all", "-C", "out"]);
    assert!(
        got.contains("src/sub/c: not on V: released") && got.contains("2 files extracted, 1 not"),
        "{got}"
    );
    // The directory made again knows it, too; and a released file counts as absent.
    fs::remove_file(place.path("farm/V/FILE000.dir")).unwrap();
    place.ok(&["rebuild", "V"]);
    assert_eq!(place.json(0, &["show", "V", "src/sub/c"]), shown);
    assert!(
        place
            .ok(&["add", "V", "src"])
            .contains("1 replaced, 2 present")
    );
}

/// CW-27, CW-28: a volume of which all is released is deleted, after a confirmation, and with nothing of others in it.
#[test]
fn a_volume_of_which_all_is_released_is_deleted() {
    let place = place();
    place.ok(&["copy", "V", "src"]);
    assert!(place.refused(&["release", "V", "--all"]).contains("--yes"));
    fs::write(place.path("farm/V/note"), "mine").unwrap();
    let kept = place.ended(1, &["release", "V", "--all", "--yes"]);
    assert!(
        kept.contains("note: no file of a farm: the volume is not deleted"),
        "{kept}"
    );
    assert!(place.ok(&["ls", "V"]).contains("released"));
    assert!(
        place
            .ok(&["verify", "V", "src/a"])
            .contains("1 capsule whole")
    );
    fs::remove_file(place.path("farm/V/note")).unwrap();
    // What a crash left of the deletion is finished.
    fs::remove_file(place.capsule(3)).unwrap();
    let gone = place.ok(&["release", "V", "--all", "--yes"]);
    let order = [
        "Release ALL 2 FILES in V",
        "File Release Completed. Volume Release Check Pending",
        "V/*.* Deleted",
        "\nV Deleted",
    ];
    let places: Vec<_> = order
        .iter()
        .map(|words| {
            gone.find(words)
                .unwrap_or_else(|| panic!("{words}: {gone}"))
        })
        .collect();
    assert!(places.is_sorted(), "{gone}");
    assert!(!place.path("farm/V").exists() && place.path("farm").exists());
    place.ok(&["copy", "V", "src"]);
    place.ok(&["release", "V", "src/a"]);
    assert!(place.ok(&["release", "V", "src/b"]).contains("V Deleted"));
    assert!(!place.path("farm/V").exists());
}

/// CW-32, CW-40: volumes are merged in the order in which they are said, and stay as they are.
#[test]
fn volumes_are_merged_into_one() {
    let place = place();
    place.ok(&["copy", "one", "src/a"]);
    fs::write(place.path("src/a"), "changed later").unwrap();
    place.ok(&["copy", "two", "src"]);
    assert!(
        place
            .refused(&["merge", "V", "one", "nothing"])
            .contains("there is no volume nothing")
    );
    assert!(!place.path("farm/V").exists());
    let merged = place.ok(&["merge", "V", "one", "two", "--verbose"]);
    for words in [
        "src/a recorded",
        "src/b recorded",
        "src/a not added: present",
    ] {
        assert!(merged.contains(words), "{merged}");
    }
    assert!(
        place
            .refused(&["merge", "V", "two", "--verb", "copy"])
            .contains("may be added to V, but not copied")
    );
    assert!(
        place
            .refused(&["merge", "V", "two", "V"])
            .contains("can't be merged into itself")
    );
    let better = place.ok(&["merge", "V", "two", "--verb", "compare-add"]);
    assert!(better.contains("1 replaced, 1 not better"), "{better}");
    fs::create_dir(place.path("out")).unwrap();
    place.ok(&["extract", "V", "--all", "-C", "out"]);
    let got = fs::read_to_string(place.path("out/src/a")).unwrap();
    assert_eq!(got, "changed later");
    assert!(place.ok(&["verify", "one"]).contains("1 capsule whole"));
}

/// CW-73: a note is shown, stays with its title, and with the volume where its folder is copied.
#[test]
fn a_note_stays_with_its_file() {
    let place = place();
    place.ok(&["copy", "V", "src"]);
    let noted = place.ok(&["annotate", "V", "src/a", "signed by both"]);
    assert!(noted.contains("signed by both"), "{noted}");
    let note = |volume: &str, file: &str| {
        place.json(0, &["show", volume, file])["note"]
            .as_str()
            .map(str::to_owned)
    };
    let kept = || assert_eq!(note("V", "src/a").as_deref(), Some("signed by both"));
    kept();
    assert_eq!(note("V", "src/b"), None);
    place.ok(&["verify", "V"]);
    place.ok(&["rebuild", "V"]);
    kept();
    let times = fs::FileTimes::new()
        .set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(9));
    let a = fs::File::open(place.path("src/a")).unwrap();
    a.set_times(times).unwrap();
    place.ok(&["compare-add", "V", "src/a"]);
    kept();
    place.ok(&["merge", "W", "V"]);
    assert!(note("W", "src/a").is_some());
    fs::create_dir(place.path("farm/C")).unwrap();
    for entry in fs::read_dir(place.path("farm/V")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), place.path("farm/C").join(entry.file_name())).unwrap();
    }
    assert!(note("C", "src/a").is_some());
    place.ok(&["release", "V", "src/a"]);
    kept();
    place.ok(&["annotate", "V", "src/a", "--remove"]);
    assert_eq!(note("V", "src/a"), None);
    let long = "x".repeat(1001);
    for (arguments, words) in [
        (&["annotate", "V", "src/a"][..], "required"),
        (&["annotate", "V", "src/a", ""], "a note has words in it"),
        (
            &["annotate", "V", "src/a", "two\nlines"],
            "a note is one line",
        ),
        (&["annotate", "V", "src/a", &long], "at most 1000"),
        (
            &["annotate", "V", "nothing", "x"],
            "nothing is not in volume V",
        ),
        (&["annotate", "V", "src", "x"], "is a folder"),
    ] {
        let refused = place.refused(arguments);
        assert!(refused.contains(words), "{refused}");
    }
}

/// CW-63: a second writer waits for the first one and is told for whom, or fails at once where it is not to wait.
#[test]
fn a_volume_that_another_command_changes_is_waited_for() {
    let place = place();
    place.ok(&["copy", "V", "src/a"]);
    let folder = fs::File::open(place.path("farm/V")).unwrap();
    let held = Flock::lock(folder, FlockArg::LockExclusive).unwrap();
    for arguments in [
        &["add", "V", "src/b"][..],
        &["compare-add", "V", "src/b"],
        &["release", "V", "src/a"],
        &["rebuild", "V"],
        &["repair", "V", "--yes"],
    ] {
        let busy = place.refused(&[arguments, &["--lock-wait", "0"]].concat());
        assert!(busy.contains("volume V is busy: "), "{busy}");
        assert!(busy.contains(" is changing it"), "{busy}");
    }
    // Who only looks waits for nobody.
    place.ok(&["verify", "V"]);
    place.ok(&["repair", "V"]);
    let mut waiting = place
        .command("add V src/b --lock-wait 1000")
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut errors = BufReader::new(waiting.stderr.take().unwrap());
    errors.read_line(&mut line).unwrap();
    assert!(
        line.contains(" is changing volume V: waiting for it, 1000 s at most"),
        "{line}"
    );
    held.unlock().map_err(|(_, errno)| errno).unwrap();
    assert!(waiting.wait().unwrap().success());
    assert!(place.ok(&["ls", "V"]).contains("src/b"));
}

/// CW-76, CW-77, CW-79: what helps is shown, and done with --yes; a file that is gone is skipped with a notice then.
#[test]
fn a_repair_proposes_first_and_says_what_it_did() {
    let place = place();
    place.ok(&["copy", "V", "src"]);
    assert!(place.ok(&["repair", "V"]).contains("V: 0 findings"));
    fs::remove_file(place.capsule(1)).unwrap();
    let proposed = place.ended(1, &["repair", "V"]);
    for words in [
        "FILE0000001.ptape: damaged: src/a: it is not there; a capsule that says so can take its place",
        "V: 1 finding; nothing was changed: --yes does what helps",
    ] {
        assert!(proposed.contains(words), "{proposed}");
    }
    assert!(!place.capsule(1).exists());
    let done = place.ok(&["repair", "V", "--yes"]);
    assert!(done.contains("is in its place"), "{done}");
    assert!(place.ok(&["ls", "V"]).contains("missing"));
    assert!(place.ok(&["verify", "V"]).contains("1 without their files"));
    let got = place.ended(1, &["extract", "V", "--all", "-C", "src"]);
    assert!(got.contains("src/a: not on V: missing"), "{got}");

    // What took the place of another one is told, and goes only when it is asked for.
    let before = fs::read(place.capsule(2)).unwrap();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(9);
    let times = fs::FileTimes::new().set_modified(later);
    let b = fs::File::open(place.path("src/b")).unwrap();
    b.set_times(times).unwrap();
    place.ok(&["compare-add", "V", "src/b"]);
    fs::write(place.capsule(2), before).unwrap();
    let kept = place.ended(1, &["repair", "V", "--yes"]);
    assert!(kept.contains("with --yes --drop-replaced only"), "{kept}");
    assert!(place.capsule(2).exists());
    assert!(
        place
            .refused(&["repair", "V", "--drop-replaced"])
            .contains("--yes")
    );
    place.ok(&["repair", "V", "--yes", "--drop-replaced"]);
    assert!(!place.capsule(2).exists());

    fs::write(place.path("farm/V/FILE000.dir"), "no directory").unwrap();
    let proposed = place.ended(1, &["repair", "V"]);
    assert!(
        proposed.contains("FILE000.dir: directory: it is no directory of a disk farm"),
        "{proposed}"
    );
    let done = place.ended(1, &["repair", "V", "--yes"]);
    assert!(done.contains("notes that no capsule has"), "{done}");
    assert!(done.contains("; it stays\n"), "{done}");
    assert!(place.ok(&["ls", "V"]).contains("src/b"));
    assert!(place.ok(&["repair", "V"]).contains("V: 0 findings"));

    fs::create_dir(place.path("farm/E")).unwrap();
    let proposed = place.ended(1, &["repair", "E"]);
    assert!(proposed.contains("no volume was made"), "{proposed}");
    place.ok(&["repair", "E", "--yes"]);
    assert!(!place.path("farm/E").exists());
    fs::create_dir(place.path("farm/E")).unwrap();
    fs::write(place.path("farm/E/note"), "mine").unwrap();
    place.ended(1, &["repair", "E", "--yes"]);
    assert!(place.path("farm/E/note").exists());
}

/// An archive that can't be read leaves no volume in the way of the next copy; what was there stays.
#[test]
fn a_copy_of_an_archive_that_is_none_leaves_no_volume() {
    let place = place();
    fs::write(place.path("a.tar"), vec![b'x'; 2048]).unwrap();
    for verb in ["copy", "add"] {
        let output = place.run(&[verb, "V", "--tar", "a.tar"]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(!place.path("farm/V").exists());
    }
    place.ok(&["copy", "V", "src/a"]);
    let output = place.run(&["add", "V", "--tar", "a.tar"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(place.ok(&["verify", "V"]).contains("1 capsule whole"));
    // One file came before the archive could not be read on: it is kept.
    let output = place.run(&["copy", "W", "src/b", "--tar", "a.tar"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(place.ok(&["ls", "W"]).contains("src/b"));
}

#[test]
fn bad_input_is_told_with_the_way_out() {
    let place = place();
    for (arguments, words) in [
        (&["add", "../x", "src"][..], "can't be the name of a volume"),
        (&["add", "a/b", "src"], "can't be the name of a volume"),
        (&["ls", "V"], "there is no volume V"),
        (&["extract", "V"], "required"),
        (&["--root", "nowhere", "ls"], "has to be there"),
        (&["show", "V", ".."], "a title is a path"),
    ] {
        let output = place.run(arguments);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(words), "{arguments:?}: {text}");
    }
    let bare = Command::new(env!("CARGO_BIN_EXE_pseudotape"))
        .env_remove("PSEUDOTAPE_FARM")
        .args(["farm", "ls"])
        .output()
        .unwrap();
    assert!(
        String::from_utf8(bare.stderr)
            .unwrap()
            .contains("which farm?")
    );
    assert!(fs::read_dir(place.path("farm")).unwrap().next().is_none());
    assert!(
        place
            .refused(&["copy", "V", "--tar", "nothing"])
            .contains("can't open nothing")
    );
    assert!(place.refused(&["copy", "V"]).contains("required"));
    let mistyped = place.refused(&["copy", "V", "src", "nothing"]);
    assert!(
        mistyped.contains("can't look at nothing; no volume was made"),
        "{mistyped}"
    );
    assert!(!place.path("farm/V").exists());
    let left_out = place.ended(1, &["add", "V", "src", "nothing"]);
    assert!(
        left_out.contains("nothing: left out: No such file"),
        "{left_out}"
    );
    assert!(
        place
            .refused(&["show", "V", "nothing"])
            .contains("nothing is not in volume V")
    );
}

/// What a command leaves that is killed when its capsules have their names, and before the directory has them.
fn killed_before_its_directory(place: &Place) {
    place.ok(&["copy", "K", "src/a"]);
    let directory = place.path("farm/K/FILE000.dir");
    let before = fs::read(&directory).unwrap();
    place.ok(&["add", "K", "src/b"]);
    fs::write(&directory, before).unwrap();
}

/// CW-03, CW-08: the same command again makes no second capsule of a file that a killed one had committed.
#[test]
fn what_a_killed_command_committed_is_taken_in() {
    let place = place();
    killed_before_its_directory(&place);
    assert!(
        place
            .ended(1, &["verify", "K"])
            .contains("FILE0000002.ptape: unlisted")
    );
    let told = place.ok(&["add", "K", "src", "--verbose"]);
    for words in [
        "src/b was left by a command that was killed, and is in the directory now",
        "0 files added, 2 present, 1 taken in",
    ] {
        assert!(told.contains(words), "{told}");
    }
    assert!(place.ok(&["verify", "K"]).contains("2 capsules whole"));
    assert!(!place.path("farm/K/FILE0000003.ptape").exists());
}

/// What lies where a capsule should be is no matter of `add`, which could not replace it.
#[test]
fn repair_says_what_helps_where_something_else_has_the_name_of_a_capsule() {
    let place = place();
    place.ok(&["copy", "V", "src"]);
    fs::rename(place.capsule(1), place.path("moved")).unwrap();
    std::os::unix::fs::symlink(place.path("moved"), place.capsule(1)).unwrap();
    let output = place.run(&["repair", "V"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("move it away; then"), "{told}");
    // What it says helps.
    fs::remove_file(place.capsule(1)).unwrap();
    assert!(place.ok(&["add", "V", "src"]).contains("1 mended"));
    assert!(place.ok(&["verify", "V"]).contains("0 findings"));
}

#[test]
fn a_folder_that_is_not_there_and_a_tape_that_is_said_twice_are_refused() {
    let place = place();
    place.ok(&["copy", "V", "src"]);
    let words = place.refused(&["extract", "V", "--all", "-C", "nowhere"]);
    assert!(
        words.contains("no folder nowhere to extract into"),
        "{words}"
    );
    let words = place.refused(&["write", "V", "--all", "--to", "t.ptape", "--to", "t.ptape"]);
    assert!(words.contains("t.ptape is said twice"), "{words}");
    assert!(!place.path("t.ptape").exists());
}

/// What is printed is what docs/FARM.md has, by field and by kind; and each field of it is printed by something here.
#[test]
fn reports_are_those_of_the_document() {
    let place = place();
    let mut seen = Seen::default();
    let mut see = |name: &str, value: &Value| seen.add(&format!("farm {name}"), value);
    let strange = place.path("src").join(OsStr::from_bytes(b"\xff"));
    fs::write(&strange, "x").unwrap();
    see("add", &place.json(0, &["copy", "V", "src"]));
    see("add", &place.json(1, &["add", "V", "src", "nothing"]));
    see("add", &place.json(0, &["compare-add", "V", "src"]));
    for file in [&strange, &place.path("src/a")] {
        let times = fs::FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH);
        let later =
            times.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(9));
        fs::File::open(file).unwrap().set_times(later).unwrap();
    }
    see("add", &place.json(0, &["compare-add", "V", "src"]));
    see("add", &place.json(0, &["merge", "X", "V"]));
    fs::write(place.path("farm/X/FILE0000001.ptape"), "").unwrap();
    see("add", &place.json(0, &["merge", "X", "V"]));
    killed_before_its_directory(&place);
    see("add", &place.json(0, &["add", "K", "src"]));
    let referring = [
        "--backup",
        "--catalog",
        "--serial",
        "S1",
        "--vault",
        "vault",
    ];
    see(
        "add",
        &place.json(0, &[&["copy", "B", "src"], &referring[..]].concat()),
    );
    let referring = ["--backup", "--serial", "S2", "--vault", "vault"];
    see(
        "add",
        &place.json(0, &[&["merge", "C", "X"], &referring[..]].concat()),
    );
    see(
        "serial",
        &place.json(0, &["serial", "DF0001", "--vault", "vault"]),
    );
    see("refs", &place.json(0, &["refs", "--vault", "vault"]));
    let drop = ["drop-original", "src/a", "nothing", "--vault", "vault"];
    see("drop-original", &place.json(1, &drop));
    see(
        "refer",
        &place.json(0, "refer V --catalog --serial S3 --below . --vault vault"),
    );
    see(
        "purge",
        &place.json(0, &["purge", "src/a", "--vault", "vault"]),
    );
    let all = [
        "purge", "--all", "--yes", "--serial", "S1", "--vault", "vault",
    ];
    see("purge", &place.json(0, &all));
    fs::create_dir(place.path("farm/W")).unwrap();
    see("acl add", &place.json(0, &["acl", "add", "ada@depot"]));
    see("acl list", &place.json(0, &["acl", "list"]));
    see("acl del", &place.json(1, &["acl", "del", "bob@depot"]));
    see("ls", &place.json(0, &["ls"]));
    see("ls VOLUME", &place.json(0, &["ls", "V"]));
    see("show", &place.json(0, &["show", "V", "src/a"]));
    let noted = place.json(0, &["annotate", "V", "src/a", "a note"]);
    see("show", &noted);
    see("extract", &place.json(1, &["extract", "V", "--all"]));
    fs::remove_dir_all(place.path("src")).unwrap();
    see("extract", &place.json(0, &["extract", "V", "--all"]));
    fs::write(place.path("farm/V/note"), "mine").unwrap();
    let again = place.path("farm/V/FILE0000009.ptape");
    fs::copy(place.path("farm/V/FILE0000002.ptape"), &again).unwrap();
    see("config show", &place.json(0, &["config", "show"]));
    fs::write(place.path("kept"), "text").unwrap();
    see(
        "add",
        &place.json(0, &["copy", "Z", "kept", "--compression", "on"]),
    );
    see("verify", &place.json(1, &["verify", "V"]));
    place.spoil(2, "second");
    see("verify", &place.json(1, &["verify", "V"]));
    see(
        "write",
        &place.json(1, &["write", "V", "--all", "--to", "t.ptape"]),
    );
    see("repair", &place.json(1, &["repair", "V"]));
    see("rebuild", &place.json(1, &["rebuild", "V"]));
    see("release", &place.json(0, &["release", "V", "src/a"]));
    see(
        "release",
        &place.json(1, &["release", "V", "--all", "--yes"]),
    );

    // What no file here comes to: attributes that can't be given, what stops a command, capsules without a file.
    let rare = [
        "stopped",
        "incomplete[]",
        "why",
        "note",
        "trouble",
        "title_bytes",
        "created",
        "stored",
        "script",
        "file_bytes",
        "unsettled[]",
        "list",
        "changing",
    ];
    seen.compare("FARM.md", &rare);
}

/// CW-08: a misspelt path leaves no volume, onto which the right one could not be copied.
#[test]
fn a_volume_that_gets_no_file_is_not_made() {
    let place = Place::with(&[("src/a", "first"), ("src/b", "second")]);
    for verb in ["add", "compare-add"] {
        let told = place.told(1, &format!("{verb} V scr"));
        assert!(told.contains("scr: left out"), "{told}");
        assert!(!place.path("farm/V").exists(), "{verb}");
    }
    place.told(0, "copy V src");
    let before = std::fs::read(place.path("farm/V/FILE000.dir")).unwrap();
    place.told(1, "add V scr");
    assert!(std::fs::read(place.path("farm/V/FILE000.dir")).unwrap() == before);
    place.told(0, "release V src/a src/b");
    assert!(!place.path("farm/V").exists(), "all was released");
}
