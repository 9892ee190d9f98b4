//! EN-02, EN-10, EN-16 to EN-21: files that a clone misses are declared lost, delivered, or given back.

use std::fs;

use std::path::Path;

use serde_json::Value;

use crate::place::{BLOCKS, Place, bytes_of, damage, numbers};

/// EN-02, EN-21: what a person has decided stays decided.
#[test]
fn what_a_person_has_decided_stays() {
    let place = Place::new(3);
    let by = ["--by", "ada", "--reason", "the case is cracked"];
    place.ends(
        0,
        &[&["vault", "mark", "MON001", "notallowed"], &by[..]].concat(),
    );
    place.ends(
        0,
        &[&["vault", "declare-lost", "MON001", "--file", "1"], &by[..]].concat(),
    );
    let report = place.json(
        0,
        &["vault", "clone", "MON001", "--to", "MON002", "--by", "eva"],
    );
    assert_eq!(numbers(&report["files"], "old_file"), [0, 2]);
    assert_eq!(report["left_out"][0]["state"], "lost");
    let kept = place.json(0, &["vault", "show", "MON001 damaged 1"]);
    assert_eq!(kept["availability"], "notallowed");
    assert_eq!(kept["blocked"]["by"], "ada");
    // What is at a vendor is not read.
    place.ends(
        0,
        &[&["vault", "mark", "MON001", "at-vendor"], &by[..]].concat(),
    );
    place.ends(0, &["vault", "add", "--new", "--label", "MON003"]);
    let text = place.ends(2, &["vault", "clone", "MON001", "--to", "MON003"]);
    assert!(text.contains("MON001 is at-vendor, set by ada"), "{text}");
}

/// EN-21: it is the only way to that state, and whoever wants the file hears of it.
#[test]
fn only_declare_lost_declares_a_file_lost() {
    let place = Place::new(3);
    let why = ["--by", "ada", "--reason", "made anew elsewhere"];
    let mark = ["vault", "mark", "MON001", "lost", "--file", "1"];
    let text = place.ends(2, &[&mark, &why[..]].concat());
    assert!(
        text.contains("vault declare-lost MON001 --file 1"),
        "{text}"
    );
    assert_eq!(place.states("MON001"), ["ok"; 3]);
    let declare = ["vault", "declare-lost", "MON001", "--file", "1"];
    for missing in [&why[..2], &why[2..], &["--by", "ada", "--reason", " "]] {
        place.ends(2, &[&declare, missing].concat());
    }
    // All that are named, or none.
    let two = ["--file", "9"];
    let text = place.ends(2, &[&declare, &two[..], &why[..]].concat());
    assert!(text.contains('9'), "{text}");
    assert_eq!(place.states("MON001"), ["ok"; 3]);
    place.ends(0, &[&declare, &why[..]].concat());
    assert_eq!(place.states("MON001"), ["ok", "lost", "ok"]);
    let text = place.ends(
        2,
        &["vault", "deliver", "MON001", "--file", "1", "--to", "."],
    );
    assert!(text.contains("was declared lost by ada, 2"), "{text}");
    assert!(text.contains("made anew elsewhere"), "{text}");
    // A person takes it back, and then it is read again.
    let back = ["vault", "mark", "MON001", "bad", "--file", "1"];
    place.ends(0, &[&back, &why[..]].concat());
    place.ends(0, &["vault", "mark", "MON001", "ok", "--file", "1"]);
    assert_eq!(place.states("MON001"), ["ok"; 3]);
}

/// EN-16, EN-17: byte for byte, with a receipt, under a name that nothing has.
#[test]
fn a_file_is_delivered_into_a_directory_and_only_where_it_is_whole() {
    let place = Place::new(3);
    fs::create_dir(place.path("out")).unwrap();
    let deliver = ["vault", "deliver", "MON001", "--to", "out", "--file"];
    let receipt = place.json(
        0,
        &[&deliver[..], &["1", "--receipt", "r.json", "--by", "eva"]].concat(),
    );
    assert_eq!(fs::read(place.path("out/MON001.1")).unwrap(), bytes_of(1));
    let written: Value = serde_json::from_slice(&fs::read(place.path("r.json")).unwrap()).unwrap();
    assert_eq!(written, receipt);
    let digest = place.json(0, &["vault", "ls", "MON001"])["files"][1]["digest"].clone();
    assert_eq!(receipt["digest"], digest);
    assert_eq!(
        (&receipt["by"], &receipt["whole"]),
        (&"eva".into(), &true.into())
    );
    let text = place.ends(2, &[&deliver[..], &["1"]].concat());
    assert!(text.contains("MON001.1 exists"), "{text}");
    place.ends(2, &[&deliver[..], &["7"]].concat());
    place.ends(
        2,
        &["vault", "deliver", "MON001", "--to", "away", "--file", "0"],
    );
    // One that is damaged comes as what it is, and is not marked good.
    damage(&place.source(), &[2]);
    let receipt = place.json(1, &[&deliver[..], &["2"]].concat());
    assert_eq!(receipt["whole"], false);
    assert!(!place.path("out/MON001.2").exists());
    let partial = fs::read(place.path("out/MON001.2.partial")).unwrap();
    assert_eq!(partial.len(), bytes_of(2).len());
    assert_ne!(partial, bytes_of(2));
    let map = fs::read_to_string(place.path("out/MON001.2.map")).unwrap();
    assert!(map.lines().any(|line| line.ends_with(" -")), "{map}");
    // Nobody else gets a part of it.
    let text = place.ends(
        2,
        &[
            "vault",
            "deliver",
            "MON001",
            "--to",
            "volume:MON002",
            "--file",
            "2",
        ],
    );
    assert!(text.contains("not all of it can be read"), "{text}");
    assert!(place.states("MON002").is_empty());
}

/// EN-16: what can be read and is another one is not delivered either.
#[test]
fn a_file_with_another_digest_is_not_delivered() {
    let place = Place::new(2);
    let digest = |file: &Value| file["digest"].as_str().unwrap().to_owned();
    let files = place.json(0, &["vault", "ls", "MON001"])["files"].clone();
    // The volume's image is another one now, of the same identity, with other blocks in file 1.
    let shown = place.json(0, &["vault", "show", "MON001"]);
    let identity = shown["identity"].as_str().unwrap();
    place.ends(0, &["create", "other.ptape", "--volume-id", identity]);
    place.write_other("other.ptape", 2);
    fs::rename(place.path("other.ptape"), place.source()).unwrap();
    let receipt = place.json(
        1,
        &["vault", "deliver", "MON001", "--to", ".", "--file", "1"],
    );
    let why = receipt["why"].as_str().unwrap();
    assert!(
        why.ends_with(&format!("and was {}", digest(&files[1]))),
        "{why}"
    );
    assert!(!place.path("MON001.1").exists());
    assert!(place.path("MON001.1.partial").exists() && place.path("MON001.1.map").exists());
}

/// EN-17: to another host, where nothing is written over and what is there was read back.
#[test]
fn a_file_is_delivered_to_another_host() {
    let place = Place::new(2);
    // A host that is this one: its shell gets the command, as sshd does it.
    let rsh = place.path("rsh");
    fs::write(
        &rsh,
        "#!/bin/sh\n[ \"$1\" = ada@far ] || exit 9\nshift\nexec sh -c \"$*\"\n",
    )
    .unwrap();
    fs::set_permissions(&rsh, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    fs::create_dir(place.path("it's far")).unwrap();
    let path = place.path("it's far/file");
    let to = |path: &Path| format!("ssh:ada@far:{}", path.display());
    let rsh = ["--rsh", rsh.to_str().unwrap()];
    let deliver = |code: i32, to: &str| {
        let words = ["vault", "deliver", "MON001", "--file", "1", "--to", to];
        place.ends(code, &[&words, &rsh[..]].concat())
    };
    deliver(0, &to(&path));
    assert_eq!(fs::read(&path).unwrap(), bytes_of(1));
    assert!(!place.path("it's far/file.partial").exists());
    fs::write(&path, "mine").unwrap();
    let text = deliver(2, &to(&path));
    assert!(text.contains("is not taken there"), "{text}");
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    // A directory is no name: the file gets one.
    deliver(0, &(to(&place.path("it's far")) + "/"));
    assert_eq!(
        fs::read(place.path("it's far/MON001.1")).unwrap(),
        bytes_of(1)
    );
    deliver(2, &to(&place.path("nowhere/file")));
    // What runs there is no shell, and ends without a word: a broken pipe is not nobody's business.
    let other = ["--rsh", "true"];
    let words = ["vault", "deliver", "MON001", "--file", "1", "--to"];
    let there = to(&path);
    let text = place.ends(2, &[&words[..], &[there.as_str()], &other].concat());
    assert!(
        text.contains("was not taken as a whole") || text.contains("is not what was sent"),
        "{text}"
    );
    deliver(2, "ssh:-oProxyCommand=x:file");
    deliver(2, "ssh:far");
}

/// EN-17: onto another volume, behind what is there; a full one is left as it was.
#[test]
fn a_file_is_delivered_onto_another_volume() {
    let place = Place::new(3);
    let deliver = |code: i32, file: &str, to: &str| {
        place.ends(
            code,
            &["vault", "deliver", "MON001", "--file", file, "--to", to],
        )
    };
    for file in ["1", "2"] {
        deliver(0, file, "volume:MON002");
    }
    assert_eq!(place.states("MON002"), ["ok"; 2]);
    let digests = |label: &str| -> Vec<Value> {
        let list = place.json(0, &["vault", "ls", label]);
        let files = list["files"].as_array().unwrap().iter();
        files.map(|file| file["digest"].clone()).collect()
    };
    assert_eq!(digests("MON002"), digests("MON001")[1..]);
    assert_eq!(place.json(0, &["vault", "show", "MON002"])["open"], false);
    place.ends(0, &["vault", "doctor", "--digests"]);
    deliver(2, "1", "volume:MON001");
    deliver(2, "1", "volume:MON009");
    place.ends(
        0,
        &[
            "vault",
            "add",
            "--new",
            "--label",
            "MON003",
            "--capacity",
            "4K",
        ],
    );
    deliver(0, "0", "volume:MON003");
    let text = deliver(2, "1", "volume:MON003");
    assert!(text.contains("nothing was changed"), "{text}");
    assert_eq!(digests("MON003"), digests("MON001")[..1]);
    assert_eq!(place.json(0, &["vault", "show", "MON003"])["open"], false);
    place.ends(0, &["vault", "doctor", "--digests"]);
}

/// EN-10: the owner delivers the file again, and only that one is taken.
#[test]
fn a_file_that_is_delivered_again_is_on_the_clone() {
    let place = Place::new(3);
    damage(&place.source(), &[1]);
    fs::write(place.path("right"), bytes_of(1)).unwrap();
    fs::write(place.path("wrong"), bytes_of(2)).unwrap();
    let again = |code: i32, path: &str, more: &[&str]| {
        let words = ["vault", "redeliver", "MON001", "--file", "1", path];
        place.ends(code, &[&words, more].concat())
    };
    let text = again(2, "right", &[]);
    assert!(text.contains("MON001 is no clone"), "{text}");
    place.clones(1, &[]);
    assert_eq!(place.states("MON001"), ["ok"; 2]);
    let text = again(2, "wrong", &[]);
    assert!(text.contains("is another one, or a part of it"), "{text}");
    assert_eq!(place.states("MON001"), ["ok"; 2]);
    let text = again(2, "right", &["--block-size", "100"]);
    assert!(text.contains("had 4 blocks"), "{text}");
    let text = again(0, "right", &["--ticket-hook", "cat >>hooks"]);
    assert!(text.contains("is tape file 2 of MON001"), "{text}");
    assert_eq!(place.states("MON001"), ["ok"; 3]);
    assert_eq!(place.states("MON001 damaged 1"), ["ok", "released", "ok"]);
    let hook: Value = serde_json::from_slice(&fs::read(place.path("hooks")).unwrap()).unwrap();
    assert_eq!(hook["event"], "close");
    assert_eq!(hook["taken"][0], 1);
    // It is as it was, block by block, and the catalog knows.
    place.ends(0, &["vault", "doctor", "--digests"]);
    place.ends(
        0,
        &["vault", "deliver", "MON001", "--file", "2", "--to", "."],
    );
    assert_eq!(fs::read(place.path("MON001.2")).unwrap(), bytes_of(1));
    let list = place.json(0, &["vault", "ls", "MON001"]);
    assert_eq!(list["files"][2]["blocks"], BLOCKS);
    // Once is enough, and who was killed before it was told hears it from the same command.
    let text = again(0, "right", &["--ticket-hook", "cat >>again"]);
    assert!(text.contains("is tape file 2 of MON001"), "{text}");
    assert_eq!(
        fs::read(place.path("again")).unwrap(),
        fs::read(place.path("hooks")).unwrap()
    );
    assert_eq!(place.states("MON001"), ["ok"; 3]);
    let text = again(2, "wrong", &[]);
    assert!(
        text.contains("it is tape file 2 of MON001 already"),
        "{text}"
    );
}

/// EN-18: with EN-19, EN-20 and EN-21 as the ways to decide.
#[test]
fn an_incident_is_closed_when_of_each_file_somebody_has_decided() {
    let place = Place::new(6);
    damage(&place.source(), &[1, 2, 4, 5]);
    damage(&place.path("copy.ptape"), &[1, 2, 5]);
    let close = ["vault", "close-incident", "MON001"];
    let text = place.ends(2, &close);
    assert!(text.contains("MON001 is no clone"), "{text}");
    let hook = ["--ticket-hook", "cat >>tickets"];
    place.clones(1, &[&["--from", "copy.ptape"], &hook[..]].concat());
    let close = [&close, &hook[..], &["--by", "eva"]].concat();
    let open = |numbers: &str| {
        let text = place.ends(2, &close);
        let says = format!("nobody has decided of tape file {numbers} of 'MON001 damaged 1'");
        assert!(text.contains(&says), "{text}");
    };
    open("1, 2, 5");
    fs::write(place.path("one"), bytes_of(1)).unwrap();
    place.ends(0, &["vault", "redeliver", "MON001", "--file", "1", "one"]);
    open("2, 5");
    let why = ["--by", "ada", "--reason", "made anew elsewhere"];
    let lost = ["vault", "declare-lost", "MON001 damaged 1", "--file", "2"];
    place.ends(0, &[&lost, &why[..]].concat());
    open("5");
    let away = ["vault", "mark", "MON001 damaged 1", "at-vendor"];
    place.ends(0, &[&away, &why[..]].concat());
    let report = place.json(0, &close);
    let counts = ["good", "recovered", "lost", "released", "at_vendor"];
    let counts = counts.map(|field| report[field].as_u64().unwrap());
    assert_eq!(counts, [2, 2, 1, 0, 1], "{report}");
    assert_eq!(numbers(&report["files"], "file"), [0, 1, 2, 3, 4, 5]);
    let tickets = place.told("tickets");
    let last = &tickets[2];
    assert_eq!(
        (&last["event"], &last["lost"]),
        (&"settled".into(), &1.into())
    );
    assert_eq!(last["incident"], tickets[0]["incident"]);
    // It is closed once.
    let text = place.ends(0, &[&close[..5], &["--by", "someone"]].concat());
    let says = "closed by eva: of 6 tape files 2 good, 2 recovered, 1 lost, 1 with a vendor";
    assert!(text.contains(says), "{text}");
    assert_eq!(place.told("tickets").len(), 3);
}

/// EN-19, EN-20: of two files that a vendor gives back, one is another one; the request is open until both are settled.
#[test]
fn of_the_files_of_a_vendor_those_with_their_digest_are_taken() {
    let place = Place::new(4);
    damage(&place.source(), &[1, 3]);
    place.clones(1, &[]);
    let why = ["--by", "ada", "--reason", "at Recovery Ltd, request 4711"];
    let away = ["vault", "mark", "MON001 damaged 1", "at-vendor"];
    place.ends(0, &[&away, &why[..]].concat());
    let text = place.ends(
        2,
        &[
            "vault",
            "deliver",
            "MON001 damaged 1",
            "--file",
            "0",
            "--to",
            ".",
        ],
    );
    assert!(text.contains("is at-vendor, set by ada"), "{text}");
    assert!(text.contains("request 4711"), "{text}");
    fs::write(place.path("one"), bytes_of(1)).unwrap();
    fs::write(place.path("three"), &bytes_of(3)[1..]).unwrap();
    let import = [
        "vault",
        "import-recovered",
        "MON001",
        "--ticket-hook",
        "cat >>hooks",
        "--block-size",
        "700",
    ];
    let both = ["--file", "1=one", "--file", "3=three"];
    let report = place.json(1, &[&import[..], &both].concat());
    assert_eq!(report["files"][0]["file"], 2);
    assert!(
        report["files"][1]["refused"]
            .as_str()
            .unwrap()
            .contains("digest")
    );
    assert_eq!(report["still_bad"], serde_json::json!([3]));
    assert_eq!(place.states("MON001"), ["ok"; 3]);
    fs::write(place.path("three"), bytes_of(3)).unwrap();
    let report = place.json(0, &[&import[..], &both[2..]].concat());
    assert_eq!(report["still_bad"], serde_json::json!([]));
    assert_eq!(
        place.states("MON001 damaged 1"),
        ["ok", "released", "ok", "released"]
    );
    let hooks = fs::read_to_string(place.path("hooks")).unwrap();
    let hooks: Vec<Value> = hooks
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(hooks[0]["event"], "returned");
    assert_eq!(hooks[0]["refused"], serde_json::json!([3]));
    assert_eq!(hooks[1]["event"], "close");
    assert_eq!(hooks[0]["incident"], hooks[1]["incident"]);
    place.ends(0, &["vault", "doctor", "--digests"]);
}
