//! The settings of farms, and what they do to volumes.

use std::fs;

use crate::place::Place;

fn place() -> Place {
    Place::with(&[("text", &"a line that comes often\n".repeat(500))])
}

impl Place {
    fn is_compressed(&self, volume: &str) -> bool {
        let list = self.json(0, "ls");
        let volumes = list["volumes"].as_array().unwrap();
        let found = volumes.iter().find(|one| one["volume"] == volume);
        found.unwrap()["compressed"].as_bool().unwrap()
    }
}

/// CW-48, CW-49: what the file says, and what the command line says, decide what a new volume is.
#[test]
fn a_new_volume_is_compressed_as_the_file_and_the_command_line_say() {
    let place = place();
    for (number, (file, line, compressed)) in [
        ("", "", false),
        ("compression = false\n", " --compression on", true),
        ("compression = false\n", "", false),
        ("compression = true\n", "", true),
        ("compression = true\n", " --compression off", false),
    ]
    .into_iter()
    .enumerate()
    {
        place.configured(file);
        let volume = format!("V{number}");
        place.ok(&format!("copy {volume} text{line}"));
        assert_eq!(
            place.is_compressed(&volume),
            compressed,
            "{file:?} {line:?}"
        );
        assert!(place.ok(&format!("verify {volume}")).contains("0 findings"));
    }
}

/// CW-48, CW-50: the file says something else later: the volume stays, both sizes are shown, and the file comes back.
#[test]
fn a_volume_that_is_there_stays_as_it_is() {
    let place = place();
    place.configured("compression = true\n");
    place.ok("copy V text");
    place.configured("compression = false\n");
    fs::write(place.path("later"), "more of it\n".repeat(500)).unwrap();
    place.ok("add V later");
    let refused = place.refused("add V later --compression off");
    assert!(
        refused.contains("volume V is compressed, and stays as it was made"),
        "{refused}"
    );
    let files = place.json(0, "ls V");
    for file in files["files"].as_array().unwrap() {
        let sizes = (
            file["bytes"].as_u64().unwrap(),
            file["stored"].as_u64().unwrap(),
        );
        assert!(sizes.1 < sizes.0, "{sizes:?}");
    }
    assert!(place.ok("ls V").contains("stored"));
    assert!(place.ok("ls").contains("ok, compressed"));
    assert!(place.ok("show V later").contains("compressed by zstd"));
    let before = fs::read(place.path("later")).unwrap();
    fs::remove_file(place.path("later")).unwrap();
    place.ok("extract V later");
    assert_eq!(fs::read(place.path("later")).unwrap(), before);
    place.ok("copy P later --compression off");
    assert!(!place.ok("ls P").contains("stored"));
}

/// CW-81: all settings, each with who said it.
#[test]
fn all_settings_are_shown_with_their_sources() {
    let place = place();
    place.configured("lock-wait = 7\nhost = \"castor\"\n");
    let shown = place.json(0, "config show --root elsewhere");
    let sources: Vec<String> = shown["settings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|setting| {
            let text = |key: &str| setting[key].as_str().unwrap_or("-").to_owned();
            format!("{} {} {}", text("name"), text("value"), text("source"))
        })
        .collect();
    assert_eq!(
        sources,
        [
            "root elsewhere command line",
            "compression off default",
            "lock-wait 7 file",
            "volumes shared default",
            "host castor file",
            "script - default",
            "script-user - default",
            "script-seconds 60 default",
            "vault - default",
            "tls-cert - default",
            "tls-key - default",
            "tls-ca - default",
            "access - default",
        ]
    );
    let access = |args: &str| {
        let shown = place.json(0, args);
        let last = shown["settings"]
            .as_array()
            .unwrap()
            .last()
            .unwrap()
            .clone();
        (last["value"].clone(), last["source"].clone())
    };
    assert_eq!(access("config show"), ("nobody".into(), "default".into()));
    place.ok("acl add ada@depot");
    place.ok("acl add bob@any");
    assert_eq!(
        access("config show"),
        ("ada@depot, bob@any".into(), "root".into())
    );
    fs::write(place.path("farm/.access"), "ada depot\n").unwrap();
    let (value, _) = access("config show");
    assert!(value.as_str().unwrap().contains("line 1"), "{value}");
    assert_eq!(shown["file"], "farm.toml");
    let text = place.ok("config show");
    assert!(
        text.contains("lock-wait") && text.contains("farm.toml"),
        "{text}"
    );
    fs::write(place.path("farm.toml"), "compresion = true\n").unwrap();
    let refused = place.refused("ls");
    assert!(refused.contains("'compression'"), "{refused}");
}

/// CW-41, CW-42, CW-44: volumes are everybody's, or those of one host; another host reads them when it says whose they
/// are, and changes nothing.
#[test]
fn private_volumes_are_read_by_others_and_changed_by_their_host() {
    let place = place();
    let host =
        |name: &str| place.configured(&format!("volumes = \"private\"\nhost = \"{name}\"\n"));
    host("castor");
    assert!(
        place
            .refused("ls")
            .contains("host castor has no private volumes in")
    );
    place.ok("copy V text");
    assert!(place.path("farm/castor/V/FILE000.dir").exists());
    host("pollux");
    fs::write(place.path("other"), "another text").unwrap();
    place.ok("copy V other");
    assert!(place.ok("ls V").contains("other"));
    assert!(place.ok("ls V --owner castor").contains("text"));
    let before = fs::read(place.path("text")).unwrap();
    fs::remove_file(place.path("text")).unwrap();
    place.ok("--owner castor extract V --all");
    assert_eq!(fs::read(place.path("text")).unwrap(), before);
    assert!(place.ok("verify V --owner castor").contains("0 findings"));
    assert!(place.ok("repair V --owner castor").contains("0 findings"));
    for words in [
        "add V other",
        "copy W other",
        "compare-add V other",
        "merge W V",
        "annotate V text note",
        "release V text",
        "rebuild V",
        "repair V --yes",
    ] {
        let refused = place.refused(&format!("{words} --owner castor"));
        assert!(
            refused.contains("changed by castor only; nothing was changed"),
            "{refused}"
        );
    }
    assert!(!place.path("farm/castor/W").exists());
    let shared = format!("root = \"{}\"\n", place.path("farm").display());
    fs::write(place.path("farm.toml"), shared).unwrap();
    assert!(place.ok("ls").contains("no volume"));
    place.ok("copy V other");
    assert!(
        place
            .refused("ls castor")
            .contains("has the private volumes of host castor")
    );
}
