//! A command that is told of new capsules of a farm.

use std::fs;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::place::{Place, me};

/// A place with two files, whose scripts run as who runs the test.
fn place() -> Place {
    let place = Place::with(&[("a", "first"), ("b", "second")]);
    place.scripted("");
    place
}

impl Place {
    /// A configuration whose scripts run as who runs the test: another user could not write into its folder.
    fn scripted(&self, text: &str) {
        let mut text = format!("script-user = \"{}\"\n{text}", me());
        if !text.contains("script-seconds") {
            text += "script-seconds = 600\n";
        }
        self.configured(&text);
    }

    /// What a script wrote down of what it was told.
    fn heard(&self, name: &str) -> Value {
        let text = fs::read_to_string(self.path(name)).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

/// CW-55, CW-56, CW-58: the command that a COPY names hears of the volume and its files when they can be read there; it
/// can read and change the volume itself.
#[test]
fn a_script_hears_of_capsules_that_are_stored_and_listed() {
    let place = place();
    let program = env!("CARGO_BIN_EXE_pseudotape");
    let script = format!(
        "cat >told; {program} farm --config farm.toml verify \"$PSEUDOTAPE_FARM_VOLUME\" >verified && \
         {program} farm --config farm.toml annotate V a 'seen by a script' --lock-wait 0 >&2"
    );
    place.told(0, &["copy", "V", "a", "b", "--script", &script]);
    let told = place.heard("told");
    assert_eq!(told["event"], "stored");
    assert_eq!(told["volume"], "V");
    let path = PathBuf::from(told["path"].as_str().unwrap());
    assert_eq!(path, place.path("farm/V"));
    let files = told["files"].as_array().unwrap();
    let words = |file: &Value| (file["number"].as_u64(), file["title"].clone());
    assert_eq!(words(&files[0]), (Some(1), "a".into()));
    assert_eq!(words(&files[1]), (Some(2), "b".into()));
    let verified = fs::read_to_string(place.path("verified")).unwrap();
    assert!(verified.contains("2 capsules whole"), "{verified}");
    assert!(
        place
            .ended(0, &["show", "V", "a"])
            .contains("seen by a script")
    );
    // Nothing new is nothing to be told.
    fs::remove_file(place.path("told")).unwrap();
    place.told(0, &["add", "V", "a", "--script", &script]);
    assert!(!place.path("told").exists());
}

/// CW-57: the one in the configuration stays, until another is written there; the command line goes before it.
#[test]
fn the_script_of_the_configuration_stays() {
    let place = place();
    place.scripted("script = \"cat >one\"\n");
    place.told(0, &["copy", "V", "a"]);
    assert_eq!(place.heard("one")["files"][0]["title"], "a");
    place.told(0, &["add", "V", "b"]);
    assert_eq!(place.heard("one")["files"][0]["title"], "b");
    place.told(0, &["merge", "W", "V"]);
    assert_eq!(place.heard("one")["files"].as_array().unwrap().len(), 2);
    place.scripted("script = \"cat >two\"\n");
    fs::remove_file(place.path("one")).unwrap();
    place.told(0, &["copy", "X", "a"]);
    assert!(place.path("two").exists() && !place.path("one").exists());
    fs::remove_file(place.path("two")).unwrap();
    place.told(0, &["copy", "Y", "a", "--script", ""]);
    assert!(!place.path("two").exists());
    let shown = place.told(0, &["config", "show"]);
    assert!(shown.contains("cat >two"), "{shown}");
}

/// CW-55, CW-58: a script that fails, is not there, or takes too long is told, and undoes nothing.
#[test]
fn a_script_that_fails_undoes_nothing() {
    let place = place();
    for (volume, script, limit, words) in [
        (
            "A",
            "exit 7",
            "",
            "the script failed: 'exit 7' ended with exit status: 7",
        ),
        ("B", "/nowhere/script", "", "ended with exit status: 127"),
        (
            "C",
            "sleep 100000",
            "script-seconds = 1\n",
            "took longer than 1 s (script-seconds), and was ended",
        ),
    ] {
        place.scripted(limit);
        let told = place.told(1, &["copy", volume, "a", "--script", script]);
        assert!(told.contains(words), "{told}");
        assert!(told.contains(&format!("{volume}: 1 file added")), "{told}");
        assert!(
            place
                .ended(0, &["verify", volume])
                .contains("1 capsule whole")
        );
    }
    // One that does not read what it is told.
    place.scripted("");
    for number in 0..300 {
        let name = place.path(&format!("many/{number:0200}"));
        fs::create_dir_all(name.parent().unwrap()).unwrap();
        fs::write(name, "").unwrap();
    }
    place.told(0, &["copy", "D", "many", "--script", "exec true"]);
    let text = format!(
        "root = \"{}\"\nscript-user = \"no such user\"\n",
        place.path("farm").display()
    );
    fs::write(place.path("farm.toml"), text).unwrap();
    let told = place.told(2, &["copy", "E", "a", "--script", "true"]);
    assert!(
        told.contains("this host has no such user; nothing was stored"),
        "{told}"
    );
    assert!(!place.path("farm/E").exists());
}

/// CW-58: the time of a script has a limit also where the command is killed, which could end it no more.
#[test]
fn a_script_does_not_outlive_a_command_that_is_killed() {
    let place = place();
    let script = "sleep 100000 & echo $! >.alive; mv .alive alive; wait";
    let mut command = place.command(&["copy", "V", "a", "--script", script]);
    let mut child = command.spawn().unwrap();
    let begin = Instant::now();
    let wait = |what: &str, is_so: &dyn Fn() -> bool| {
        while !is_so() {
            assert!(begin.elapsed() < Duration::from_secs(100), "{what}");
            sleep(Duration::from_millis(20));
        }
    };
    let alive = place.path("alive");
    wait("it does not begin", &|| alive.exists());
    let id = fs::read_to_string(&alive).unwrap();
    let line = PathBuf::from(format!("/proc/{}/cmdline", id.trim()));
    let goes_on = || fs::read(&line).is_ok_and(|line| line.starts_with(b"sleep\0"));
    assert!(goes_on());
    child.kill().unwrap();
    child.wait().unwrap();
    wait("what it started goes on", &|| !goes_on());
    assert!(place.ended(0, &["verify", "V"]).contains("1 capsule whole"));
}
