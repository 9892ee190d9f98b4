//! Volumes whose capsules lie in folders that follow the titles.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::place::{Place, ended, me};

/// Two places with files: one title is a file in the first, and a folder in the second.
fn place() -> Place {
    let place = Place::with(&[("one/U/A", "the file A"), ("other/U/A/B", "the file B")]);
    fs::create_dir(place.path("out")).unwrap();
    place
}

impl Place {
    fn run_in(&self, folder: &str, words: &[&str]) -> Output {
        let mut command = self.command(words);
        command.current_dir(self.path(folder)).output().unwrap()
    }

    fn ok_in(&self, folder: &str, words: &[&str]) -> String {
        let mut command = self.command(words);
        command.current_dir(self.path(folder));
        ended(command, 0).0
    }

    fn there(&self, name: &str) -> bool {
        self.path("farm/V").join(name).exists()
    }
}

/// CW-53: the capsules lie where the titles say, later commands need no option, and both forms are verified.
#[test]
fn capsules_lie_in_the_folders_of_their_titles() {
    let place = place();
    place.ok_in("one", &["copy", "V", "U", "--structured"]);
    place.ok_in("other", &["add", "V", "U"]);
    assert!(place.there("FILE000.dir"));
    assert!(place.there("U/FILE0000001.ptape"));
    assert!(place.there("U/A/FILE0000002.ptape"));
    let whole = place.ok_in("out", &["verify", "V"]);
    assert!(
        whole.contains("2 capsules whole") && whole.contains("0 findings"),
        "{whole}"
    );
    let shown = place.ok_in("out", &["show", "V", "U/A/B"]);
    assert!(shown.contains("V/U/A/FILE0000002.ptape"), "{shown}");
    place.ok_in("out", &["extract", "V", "U/A/B"]);
    assert_eq!(fs::read(place.path("out/U/A/B")).unwrap(), b"the file B");
    // A capsule is one as any other.
    place.ok_in("one", &["copy", "P", "U"]);
    assert!(place.ok_in("out", &["verify", "P"]).contains("0 findings"));
    let refused = place.run_in("one", &["add", "P", "U", "--structured"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let merged = place.ok_in("out", &["merge", "P", "V"]);
    assert!(merged.contains("1 file added"), "{merged}");
    assert!(place.path("farm/P/FILE0000002.ptape").exists());
}

/// CW-53: what is wrong in folders is found, named and repaired, and the directory comes back from them.
#[test]
fn damage_in_folders_is_found_and_repaired() {
    let place = place();
    place.ok_in("one", &["copy", "V", "U", "--structured"]);
    place.ok_in("other", &["add", "V", "U"]);
    fs::write(place.path("farm/V/U/note"), "mine").unwrap();
    fs::rename(
        place.path("farm/V/U/FILE0000001.ptape"),
        place.path("farm/V/U/A/FILE0000001.ptape"),
    )
    .unwrap();
    let found = place.run_in("out", &["verify", "V"]);
    let text = String::from_utf8(found.stdout).unwrap();
    for words in [
        "FILE0000001.ptape: damaged",
        "U/A/FILE0000001.ptape: unlisted: it lies in folder U/A, and its title says folder U: move it there",
        "U/note: foreign",
    ] {
        assert!(text.contains(words), "{text}");
    }
    fs::remove_file(place.path("farm/V/U/note")).unwrap();
    fs::rename(
        place.path("farm/V/U/A/FILE0000001.ptape"),
        place.path("farm/V/U/FILE0000001.ptape"),
    )
    .unwrap();
    assert!(place.ok_in("out", &["verify", "V"]).contains("0 findings"));

    // No directory: nobody takes the folder for an empty one.
    fs::remove_file(place.path("farm/V/FILE000.dir")).unwrap();
    let refused = place.run_in("one", &["add", "V", "U"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    place.ok_in("out", &["rebuild", "V"]);
    assert!(
        place
            .ok_in("out", &["verify", "V"])
            .contains("2 capsules whole")
    );
    fs::write(place.path("one/U/C"), "another one").unwrap();
    place.ok_in("one", &["add", "V", "U"]);
    assert!(place.there("U/FILE0000003.ptape"), "it is structured still");

    fs::remove_file(place.path("farm/V/U/A/FILE0000002.ptape")).unwrap();
    place.ok_in("out", &["repair", "V", "--yes"]);
    assert!(
        place.there("U/A/FILE0000002.ptape"),
        "one that says that it is missing"
    );
    assert!(
        place
            .ok_in("out", &["verify", "V"])
            .contains("1 without their files")
    );
}

/// CW-53: with a directory and without one, a rebuild names the capsules of a renamed folder, and changes none.
#[test]
fn a_rebuild_names_capsules_that_lie_elsewhere() {
    for has_directory in [true, false] {
        let place = place();
        place.ok_in("one", &["copy", "V", "U", "--structured"]);
        place.ok_in("other", &["add", "V", "U"]);
        let (right, wrong) = (place.path("farm/V/U/A"), place.path("farm/V/U/A2"));
        fs::rename(&right, &wrong).unwrap();
        if !has_directory {
            fs::remove_file(place.path("farm/V/FILE000.dir")).unwrap();
        }
        let said = "U/A2/FILE0000002.ptape: not listed: it lies in folder U/A2, and its title says folder U/A: move it there";
        let told = place.told(1, "rebuild V");
        assert!(
            told.contains(said) && told.contains("a directory of 1 capsule"),
            "{told}"
        );
        let told = place.told(1, "repair V --yes");
        assert!(
            told.contains("FILE0000002.ptape: unlisted: it lies in folder U/A2"),
            "{told}"
        );
        assert!(!told.contains("nothing of a farm"), "{told}");
        // Its number is in use.
        place.ok_in("other", &["add", "V", "U"]);
        assert!(place.there("U/A/FILE0000003.ptape"));
        fs::remove_dir_all(&right).unwrap();
        fs::rename(&wrong, &right).unwrap();
        // Its title is in the new directory, by the capsule that was put back.
        let told = place.told(0, "rebuild V");
        assert!(told.contains("a directory of 2 capsules"), "{told}");
    }
}

/// CW-53: released to the last, nothing is left of the volume; and a link in a folder's place leads nobody anywhere.
#[test]
fn a_structured_volume_is_deleted_with_its_folders() {
    let place = place();
    place.ok_in("one", &["copy", "V", "U", "--structured"]);
    place.ok_in("other", &["add", "V", "U"]);
    place.ok_in("out", &["release", "V", "U/A/B"]);
    assert!(place.there("U/A/FILE0000003.ptape"), "its stub lies there");
    assert!(!place.there("U/A/FILE0000002.ptape"));
    place.ok_in("out", &["release", "V", "--all", "--yes"]);
    assert!(!place.path("farm/V").exists());

    place.ok_in("one", &["copy", "V", "U", "--structured"]);
    fs::create_dir(place.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(place.path("elsewhere"), place.path("farm/V/U/A")).unwrap();
    let output = place.run_in("other", &["add", "V", "U"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let names = fs::read_dir(place.path("elsewhere")).unwrap();
    assert_eq!(names.count(), 0, "nothing came there");
}

/// CW-53, CW-69: a link in the place of a folder is named as that, and the advice leads to a whole volume.
#[test]
fn a_link_in_the_place_of_a_folder_is_moved_away() {
    let place = place();
    place.ok_in("one", &["copy", "V", "U", "--structured"]);
    place.ok_in("other", &["add", "V", "U"]);
    let folder = place.path("farm/V/U/A");
    fs::rename(&folder, place.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(place.path("elsewhere"), &folder).unwrap();
    let told = place.told(1, "repair V");
    assert!(
        told.contains("FILE0000002.ptape: damaged: U/A/B: its folder can't be entered: in its place is something else"),
        "{told}"
    );
    assert!(
        told.contains("U/A: foreign; it is nothing of a farm, and stays: move it away"),
        "{told}"
    );
    assert!(!told.contains("--check-present"), "{told}");
    assert!(told.contains("put the folder back"), "{told}");
    // As it says: without the folder, the file comes again where it is to be had.
    fs::remove_file(&folder).unwrap();
    assert!(
        place
            .told(1, "repair V")
            .contains("a capsule that says so can take its place")
    );
    assert!(
        place
            .ok_in("other", &["add", "V", "U"])
            .contains("1 mended")
    );
    assert!(place.told(0, "verify V").contains("0 findings"));
}

/// CW-54, CW-59: a script hears in both forms where the capsules are, and what it writes can lie by them.
#[test]
fn a_script_finds_the_capsules_of_both_forms() {
    let place = place();
    let script = place.path("script");
    fs::write(
        &script,
        "cat >'BASE/heard'".replace("BASE", &place.path("").display().to_string()),
    )
    .unwrap();
    for (volume, options) in [("P", &[][..]), ("V", &["--structured"])] {
        let command = format!("sh '{}'", script.display());
        // As this user: the folder of the test is nobody's.
        fs::write(
            place.path("script.toml"),
            format!("script-user = \"{}\"\n", me()),
        )
        .unwrap();
        let config = place.path("script.toml").display().to_string();
        let words = [
            "copy", volume, "U", "--script", &command, "--config", &config,
        ];
        place.ok_in("one", &[&words[..], options].concat());
        let heard = fs::read_to_string(place.path("heard")).unwrap();
        let heard: Value = serde_json::from_str(&heard).unwrap();
        let path = Path::new(heard["files"][0]["path"].as_str().unwrap());
        assert!(path.exists(), "{heard}");
        let folder = match volume {
            "V" => "farm/V/U",
            _ => "farm/P",
        };
        assert_eq!(path.parent().unwrap(), place.path(folder));
    }
}
