//! What a script is told, and how it ends (CW-55, CW-58).

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use pseudotape_farm::{Adding, Keeping, Root, Verb, VolumeName};
use pseudotape_farm_script::{At, Failed, FileWords, Names, NoScript, Script, Served};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

const NAMES: Names = Names {
    user: "--script-user",
    limit: "--script-seconds",
};

/// Who runs the tests: as him a script can do what they can.
fn me() -> String {
    let me = nix::unistd::User::from_uid(nix::unistd::geteuid());
    me.unwrap().unwrap().name
}

fn script(command: &str, limit: Duration) -> Script {
    Script::new(command.to_owned(), Some(&me()), limit, NAMES).unwrap()
}

fn soon() -> Duration {
    Duration::from_secs(60)
}

/// A volume of one file, and its words.
fn stored(folder: &TempDir) -> Vec<FileWords> {
    let file = folder.path().join("letter");
    fs::write(&file, b"Dear Ada").unwrap();
    let root = folder.path().join("farm");
    fs::create_dir(&root).unwrap();
    let name: VolumeName = "V".parse().unwrap();
    let mut volume = Root::open(&root).unwrap().create(&name).unwrap();
    let mut tell = |_| {};
    let mut adding = Adding::to(&mut volume, Verb::Add, Keeping::Changed, &mut tell);
    adding.path(&file).unwrap();
    adding.finish().unwrap();
    let entries = volume.directory().entries().iter();
    entries.map(FileWords::new).collect()
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn each_host_is_told_where_the_capsules_are_as_far_as_it_has_them() {
    let folder = tempdir().unwrap();
    let files = stored(&folder);
    let heard = folder.path().join("heard");
    let command = format!(
        "cat >{0} && echo \"$PSEUDOTAPE_FARM|$PSEUDOTAPE_FARM_PATH|$PSEUDOTAPE_FARM_PERSON|$PSEUDOTAPE_FARM_VOLUME\" >{0}.env",
        heard.display()
    );
    let capsules = HashMap::from([(1, "/srv/V/FILE0000001.ptape".to_owned())]);
    let here = |served| At::Here {
        path: "/srv/V",
        capsules: &capsules,
        served,
    };
    let served = Served {
        root: "/srv",
        person: "ada@depot",
    };
    let own = std::env::var("PSEUDOTAPE_FARM").unwrap_or_default();
    let one = json!("/srv/V/FILE0000001.ptape");
    for (at, place, of_file, environment) in [
        (
            here(None),
            json!(["/srv/V", null, null]),
            &one,
            format!("{own}|/srv/V||V"),
        ),
        (
            here(Some(served)),
            json!(["/srv/V", null, "ada@depot"]),
            &one,
            "/srv|/srv/V|ada@depot|V".to_owned(),
        ),
        (
            At::There("tls:nas:"),
            json!([null, "tls:nas:", null]),
            &Value::Null,
            "tls:nas:|||V".to_owned(),
        ),
    ] {
        script(&command, soon())
            .tell("V", at, files.iter())
            .unwrap();
        let told = read(&heard);
        assert_eq!(told["event"], "stored");
        assert_eq!(told["volume"], "V");
        assert_eq!(json!([told["path"], told["root"], told["person"]]), place);
        assert_eq!(&told["files"][0]["path"], of_file);
        assert_eq!(told["files"][0]["bytes"], 8);
        assert_eq!(told["files"][0]["state"], "ok");
        let text = fs::read_to_string(heard.with_extension("env")).unwrap();
        assert_eq!(text.trim_end(), environment);
        fs::remove_file(&heard).unwrap();
    }
    // A file whose capsule went again is none.
    let none = At::Here {
        path: "/srv/V",
        capsules: &HashMap::new(),
        served: None,
    };
    script(&command, soon())
        .tell("V", none, files.iter())
        .unwrap();
    assert!(!heard.exists(), "it ran for nothing");
}

/// Why it failed, and how long that took.
fn failure(command: &str, limit: Duration) -> (String, Duration) {
    let folder = tempdir().unwrap();
    // More than a pipe holds: whoever does not read it is not waited for.
    let files = vec![stored(&folder).remove(0); 1000];
    let begin = Instant::now();
    let told = script(command, limit).tell("V", At::There("tls:nas:"), files.iter());
    let failed: Failed = told.unwrap_err();
    (failed.to_string(), begin.elapsed())
}

#[test]
fn a_script_that_fails_says_how() {
    assert_eq!(
        failure("exit 3", soon()).0,
        "'exit 3' ended with exit status: 3"
    );
    assert_eq!(
        failure("kill -9 $$", soon()).0,
        "'kill -9 $$' ended with signal: 9 (SIGKILL)"
    );
}

#[test]
fn a_script_that_hangs_is_ended_with_what_it_started() {
    let folder = tempdir().unwrap();
    let alive = folder.path().join("alive");
    let path = alive.display();
    let command = format!("(while :; do : >{path}; sleep 0.1; done) & sleep 1000");
    let (why, took) = failure(&command, Duration::from_secs(1));
    assert!(
        why.ends_with("took longer than 1 s (--script-seconds), and was ended"),
        "{why}"
    );
    assert!(took < Duration::from_secs(60), "{took:?}");
    fs::remove_file(&alive).ok();
    std::thread::sleep(Duration::from_millis(500));
    assert!(!alive.exists(), "what it started goes on");
}

#[test]
fn a_user_whom_nobody_knows_is_refused_before_anything_is_stored() {
    let nobody_such = Script::new("true".into(), Some("no such user"), soon(), NAMES);
    let why = nobody_such.unwrap_err();
    assert!(matches!(why, NoScript::NoUser { .. }), "{why}");
    assert_eq!(
        why.to_string(),
        "--script-user \"no such user\": this host has no such user"
    );
}
