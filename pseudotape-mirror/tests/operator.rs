//! What operators ask of the daemon: volumes, legs, status; and what it refuses.

mod process;
#[path = "../../crates/mirror/tests/support/objects.rs"]
mod support;

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use process::{LONG, Place, block, blocks, mark, mark_of, pair, run};
use pseudotape_control::mirror::LegCondition;
use pseudotape_image::{CreateParameters, FileStore, Image, Uuid, VolumeId};
use pseudotape_tape::{Drive, LoadKind, Sense, Transfer};

/// PT-12.
#[test]
fn after_the_programs_unload_other_volumes_are_put_in() {
    let (mut place, mut master) = pair(&[]);
    let load = [
        format!("a={}", place.image("a2.ptape")),
        format!("b={}", place.image("b2.ptape")),
    ];
    let early = place.refused(&["load", &load[0], &load[1]]);
    assert!(early.contains("volumes are in"), "{early}");
    master.write(&block(0)).unwrap();
    master.drive.unload().unwrap();
    let status = place.status();
    assert!(!status.loaded && !status.degraded);
    assert!(
        status
            .legs
            .iter()
            .all(|leg| leg.state == LegCondition::Empty)
    );
    // They are closed: anybody may open them.
    assert_eq!(place.contents("a.ptape"), blocks(0..1));
    assert_eq!(
        master.drive.test_ready().unwrap_err().sense,
        Sense::NoMedium
    );
    for (wrong, why) in [
        (vec!["load", &load[0]], "leg b needs a volume"),
        (vec!["load", &load[0], &load[0]], "named twice"),
        (
            vec!["load", &load[0], "b=/nowhere/x.ptape"],
            "leg b: /nowhere/x.ptape",
        ),
        (
            vec!["load", &load[0], &load[1], "c=null"],
            "the legs are a, b",
        ),
    ] {
        let error = place.refused(&wrong);
        assert!(error.contains(why), "{error}");
        assert!(!place.status().loaded);
    }
    place.done(&["load", &load[0], &load[1]]);
    assert_eq!(
        master.drive.test_ready().unwrap_err().sense,
        Sense::MediumChanged
    );
    master.write(&block(1)).unwrap();
    // A load of the program's own finds what was in last.
    master.drive.unload().unwrap();
    master.drive.load(LoadKind::Load).unwrap();
    master.drive.space_to_end_of_data().unwrap();
    master.write(&block(2)).unwrap();
    assert_eq!(place.stop(), 0);
    for image in ["a2.ptape", "b2.ptape"] {
        assert_eq!(place.contents(image), blocks(1..3));
    }
}

#[test]
fn the_operators_unload_spares_a_file_that_is_being_written() {
    let (mut place, mut master) = pair(&[]);
    master.write(&block(0)).unwrap();
    let refused = place.refused(&["unload"]);
    assert!(refused.contains("in the middle of a file"), "{refused}");
    master.mark();
    place.done(&["unload"]);
    assert!(place.done(&["unload"]).contains("no volumes"));
    let failed = master.write(&block(1)).unwrap_err();
    assert_eq!(failed.sense, Sense::NoMedium);
    let again = [
        format!("a={}", place.text("a.ptape")),
        format!("b={}", place.text("b.ptape")),
    ];
    place.done(&["load", &again[0], &again[1]]);
    master.settle();
    master.write(&block(7)).unwrap();
    place.done(&["unload", "--force"]);
    assert_eq!(place.stop(), 0);
    assert_eq!(place.contents("a.ptape"), blocks(7..8));
    assert_eq!(place.contents("b.ptape"), blocks(7..8));
}

/// PT-18: an operator's hand in the middle of a job.
#[test]
fn legs_are_dropped_and_brought_back_while_a_program_writes() {
    let (mut place, mut master) = pair(&[]);
    let ends = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&ends);
    let writer = std::thread::spawn(move || {
        let mut written = 0;
        while !over.load(Ordering::SeqCst) {
            master.write(&block(written)).unwrap();
            written += 1;
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        (written, master)
    });
    for leg in ["b", "a", "b", "a"] {
        let dropped = place.done(&["drop", leg]);
        assert!(dropped.contains(&format!("return {leg}")), "{dropped}");
        let said = place.command(&["status"]);
        assert_eq!(said.code, 1);
        assert!(said.out.contains("  dropped: "), "{}", said.out);
        let last = if leg == "a" { "b" } else { "a" };
        assert!(
            place
                .refused(&["drop", last])
                .contains("the last one in step")
        );
        assert!(place.done(&["return", leg]).contains("in step"));
        assert_eq!(place.command(&["status"]).code, 0);
        assert!(place.done(&["resync", leg]).contains("it had everything"));
    }
    // On another volume from now on.
    place.done(&["drop", "b"]);
    let other = format!("b={}", place.image("b2.ptape"));
    place.done(&["return", &other]);
    ends.store(true, Ordering::SeqCst);
    let (written, _master) = writer.join().unwrap();
    assert_eq!(place.stop(), 0, "{}", place.log());
    assert_eq!(place.contents("a.ptape"), blocks(0..written));
    assert_eq!(place.contents("b2.ptape"), blocks(0..written));
    assert!(place.contents("b.ptape").len() as u64 <= written);
}

#[test]
fn a_dropped_leg_is_told_at_the_end() {
    let (mut place, mut master) = pair(&[]);
    master.write(&block(0)).unwrap();
    place.done(&["drop", "b"]);
    master.write(&block(1)).unwrap();
    master.drive.rewind().unwrap();
    // What is overwritten is no copy any more either.
    master.write(&block(2)).unwrap();
    assert_eq!(place.status().legs[1].not_mirrored_from, Some(0));
    assert_eq!(place.stop(), 1);
    assert!(place.log().contains("leg b: not mirrored from object 0 on"));
    assert_eq!(place.contents("a.ptape"), blocks(2..3));
}

/// PT-18.
#[test]
fn a_mark_stays_until_nothing_is_missing() {
    let (mut place, mut master) = pair(&[]);
    let legs = ["a.ptape", "b.ptape"].map(|image| place.path(image));
    let texts = [
        format!("a={}", place.text("a.ptape")),
        format!("b={}", place.text("b.ptape")),
    ];
    let both = ["--leg", &texts[0], "--leg", &texts[1]];
    for number in 0..5 {
        master.write(&block(number)).unwrap();
    }
    place.done(&["drop", "b"]);
    assert_eq!(mark_of(&legs[1]), Some(5));
    assert_eq!(place.stop(), 1);
    // Alone it can't be compared with anything.
    place.start(&both[2..]);
    assert_eq!(place.stop(), 0);
    assert_eq!(mark_of(&legs[1]), Some(5));
    // Only the ends are compared at a load, so a resync has to say that nothing is missing.
    place.start(&both);
    assert_eq!(place.status().legs[1].state, LegCondition::OutOfStep);
    assert!(place.done(&["resync", "b"]).contains("it had everything"));
    assert_eq!(place.stop(), 0);
    assert_eq!(mark_of(&legs[1]), None);
    // Now something is.
    place.start(&both);
    master.settle();
    master.drive.space_to_end_of_data().unwrap();
    place.done(&["drop", "b"]);
    master.write(&block(5)).unwrap();
    assert_eq!(place.stop(), 1);
    assert_eq!(mark_of(&legs[1]), Some(5));
    place.start(&both);
    // It is out of step, however much it holds: nobody has to say which one is right.
    assert_eq!(place.status().refused, None);
    assert!(place.refused(&["trust", "b"]).contains("no legs disagree"));
    place.done(&["resync", "b"]);
    assert_eq!(place.stop(), 0);
    assert_eq!(mark_of(&legs[1]), None);
    assert_eq!(place.contents("b.ptape"), blocks(0..6));
}

/// PT-18: another job's volume is not made a copy by mistake.
#[test]
fn a_volume_that_holds_something_else_returns_only_by_force() {
    let (mut place, mut master) = pair(&[]);
    for number in 0..3 {
        master.write(&block(number)).unwrap();
    }
    assert_eq!(place.stop(), 0);
    std::fs::rename(place.path("b.ptape"), place.path("other.ptape")).unwrap();
    let legs = [
        format!("a={}", place.image("new.ptape")),
        format!("b={}", place.image("b.ptape")),
    ];
    place.start(&["--leg", &legs[0], "--leg", &legs[1]]);
    master.settle();
    master.write(&block(7)).unwrap();
    place.done(&["drop", "b"]);
    let other = format!("b={}", place.text("other.ptape"));
    let refused = place.refused(&["return", &other]);
    assert!(
        refused.contains("holds 2 objects more than the mirror") && refused.contains("--force"),
        "{refused}"
    );
    assert_eq!(place.contents("other.ptape"), blocks(0..3));
    assert_eq!(mark_of(&place.path("other.ptape")), None);
    assert_eq!(place.status().legs[1].state, LegCondition::Dropped);
    master.write(&block(8)).unwrap();
    // The one that was in it comes back without being asked for.
    place.done(&["return", "b"]);
    place.done(&["drop", "b"]);
    place.done(&["return", &other, "--force"]);
    assert_eq!(place.stop(), 0);
    assert_eq!(place.contents("other.ptape"), blocks(7..9));
}

/// PT-18: the same name may be another file when a leg returns.
#[test]
fn an_image_that_took_the_place_of_another_returns_only_by_force() {
    let (mut place, mut master) = pair(&[]);
    for number in 0..3 {
        master.write(&block(number)).unwrap();
    }
    place.done(&["drop", "b"]);
    // Everything is written anew, so that only its identity tells which image was in the leg.
    master.drive.rewind().unwrap();
    master.write(&block(9)).unwrap();
    let away = place.path("away.ptape");
    std::fs::rename(place.path("b.ptape"), &away).unwrap();
    let other = place.image("b.ptape");
    let mut alone = Place::new();
    let mut other_master = alone.master();
    alone.start(&["--leg", &format!("x={other}")]);
    other_master.settle();
    for number in 20..25 {
        other_master.write(&block(number)).unwrap();
    }
    assert_eq!(alone.stop(), 0);
    let refused = place.refused(&["return", "b"]);
    assert!(
        refused.contains("is not known to be what was in leg b (volume ")
            && refused.contains("): it is volume ")
            && refused.contains("holds 4 objects more than the mirror")
            && refused.contains("--force"),
        "{refused}"
    );
    assert_eq!(place.contents("b.ptape"), blocks(20..25));
    assert_eq!(mark_of(&place.path("b.ptape")), None);
    // The right one returns without a word, however much of it is old.
    std::fs::rename(place.path("b.ptape"), place.path("other.ptape")).unwrap();
    std::fs::rename(&away, place.path("b.ptape")).unwrap();
    place.done(&["return", "b"]);
    place.done(&["drop", "b"]);
    assert_eq!(place.contents("b.ptape"), blocks(9..10));
    // By force anything does.
    std::fs::rename(place.path("other.ptape"), place.path("b.ptape")).unwrap();
    place.refused(&["return", "b"]);
    place.done(&["return", "b", "--force"]);
    assert_eq!(place.stop(), 0);
    assert_eq!(place.contents("b.ptape"), blocks(9..10));
}

/// PT-18: what is said of the others is said only where there are others.
#[test]
fn messages_are_true_for_a_leg_that_is_left_alone() {
    let (mut place, mut master) = pair(&[]);
    let texts = [
        format!("a={}", place.text("a.ptape")),
        format!("b={}", place.text("b.ptape")),
    ];
    master.write(&block(0)).unwrap();
    assert_eq!(place.stop(), 0);
    // Both volumes are marked: no leg is right until an operator says so.
    for image in ["a.ptape", "b.ptape"] {
        mark(&place.path(image), 1);
    }
    place.start(&["--leg", &texts[0], "--leg", &texts[1]]);
    master.settle();
    let said = place.command(&["status"]).out;
    assert!(
        said.contains("an operator has to say") && !said.contains("disagree"),
        "{said}"
    );
    place.done(&["drop", "b"]);
    let trusted = place.done(&["trust", "a"]);
    assert!(
        trusted.contains("leg a is right: no other leg is in step")
            && !trusted.contains("the same"),
        "{trusted}"
    );
    let alone = place.refused(&["trust", "a"]);
    assert!(alone.contains("no legs disagree"), "{alone}");
    // It misses what its mark says, and so does what is copied from it.
    let status = place.status();
    assert_eq!(status.legs[0].misses_from, Some(1));
    let said = place.command(&["status"]).out;
    assert!(
        said.contains("misses     what begins with object 1"),
        "{said}"
    );
    let returned = place.done(&["return", "b"]);
    assert!(
        returned.contains("leg b is in step")
            && returned.contains("misses what begins with object 1, and so does this one"),
        "{returned}"
    );
    assert_eq!(place.stop(), 0);
    assert_eq!(mark_of(&place.path("b.ptape")), Some(1));
}

/// PT-04, PT-18: with the wrong key nothing is read, and no other leg takes a record.
#[test]
fn a_leg_with_the_wrong_key_is_refused_by_name_before_anything_is_written() {
    use std::os::unix::fs::OpenOptionsExt;
    let mut place = Place::new();
    let mut master = place.master();
    for (name, byte) in [("right", 1), ("wrong", 2)] {
        let mut options = std::fs::File::options();
        let file = options.write(true).create_new(true).mode(0o600);
        let mut file = file.open(place.path(name)).unwrap();
        std::io::Write::write_all(&mut file, &[byte; 32]).unwrap();
    }
    let b = |key: &str| format!("b=aes={}+{}", place.text(key), place.image("b.ptape"));
    let (right, wrong) = (b("right"), b("wrong"));
    let plain = format!("b=zstd+{}", place.image("b.ptape"));
    let a = format!("a={}", place.image("a.ptape"));
    place.start(&["--leg", &a, "--leg", &right]);
    master.settle();
    // The first block is behind a mark.
    master.mark();
    for number in 0..3 {
        master.write(&block(number)).unwrap();
    }
    master.drive.unload().unwrap();
    for (other, why) in [(&wrong, "another key"), (&plain, "it is encrypted")] {
        let refused = place.refused(&["load", &a, other]);
        let named = "leg b: wrong key: ";
        assert!(
            refused.contains(named) && refused.contains(why),
            "{refused}"
        );
        assert!(!place.status().loaded);
        let failed = master.write(&block(7)).unwrap_err();
        assert_eq!(failed.sense, Sense::NoMedium);
    }
    place.done(&["load", &a, &right]);
    assert_eq!(place.stop(), 0);
    let started = run(&[
        "run",
        "--slave",
        "s",
        "--control",
        &place.text("c"),
        "--leg",
        &wrong,
    ]);
    assert_eq!(started.code, 1);
    assert!(started.err.contains("leg b: wrong key"), "{}", started.err);
    assert_eq!(place.contents("a.ptape").len(), 4);
}

/// PT-18: legs that disagree wait for the operator.
#[test]
fn volumes_that_disagree_wait_for_the_operator() {
    let (mut place, mut master) = pair(&[]);
    for number in 0..5 {
        master.write(&block(number)).unwrap();
    }
    assert_eq!(place.stop(), 0);
    let legs = [
        format!("a={}", place.text("a.ptape")),
        format!("b={}", place.text("b.ptape")),
    ];
    // One of them is used alone meanwhile.
    place.start(&["--leg", &legs[0]]);
    master.settle();
    master.drive.space_to_end_of_data().unwrap();
    master.write(&block(5)).unwrap();
    assert_eq!(place.stop(), 0);
    place.start(&["--leg", &legs[0], "--leg", &legs[1]]);
    master.settle();
    let said = place.command(&["status"]);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("trust LEG"), "{}", said.out);
    assert_eq!(
        master.drive.test_ready().unwrap_err().sense,
        Sense::NotReady
    );
    assert!(place.refused(&["resync", "b"]).contains("disagree"));
    let refused = place.refused(&["trust", "b"]);
    assert!(
        refused.contains("leg a holds 1 object more than leg b") && refused.contains("--force"),
        "{refused}"
    );
    let trusted = place.done(&["trust", "a"]);
    assert!(trusted.contains("pseudotape-mirror resync b"), "{trusted}");
    let resynced = place.done(&["resync", "b"]);
    assert!(resynced.contains("5 objects were there, 1 "), "{resynced}");
    assert!(place.refused(&["trust", "a"]).contains("no legs disagree"));
    master.settle();
    let mut buffer = vec![0; 1 << 16];
    let read = master.drive.read(Transfer::Variable, &mut buffer).unwrap();
    assert_eq!(buffer[..read.bytes], block(0));
    assert_eq!(place.stop(), 0);
    assert_eq!(place.contents("b.ptape"), blocks(0..6));
}

#[test]
fn other_limits_of_new_volumes_reach_the_device_daemon() {
    let mut place = Place::new();
    let mut master = place.master();
    place.start(&["--leg", "a", "--leg", "b"]);
    master.settle();
    assert_eq!(
        master.drive.test_ready().unwrap_err().sense,
        Sense::NoMedium
    );
    assert_eq!(place.command(&["status"]).code, 0);
    assert!(master.drive.block_limits().max_bytes > 1 << 20);
    let volume = VolumeId(Uuid::now_v7());
    let mut parameters = CreateParameters::new(volume, 0);
    parameters.header.block_limits.max_bytes = 4096;
    let store = FileStore::create(&place.path("b.ptape")).unwrap();
    Image::create(store, &parameters).unwrap().finish().unwrap();
    let b = format!("b={}", place.text("b.ptape"));
    place.done(&["load", &format!("a={}", place.image("a.ptape")), &b]);
    // It hangs up, comes back, and says the new ones.
    let began = Instant::now();
    while master.drive.block_limits().max_bytes != 4096 {
        assert!(began.elapsed() < LONG, "{}", place.log());
        master.settle();
    }
    master.settle();
    master.write(&block(0)).unwrap();
    let failed = master.write(&[1; 4097]).unwrap_err();
    assert_eq!(failed.sense, Sense::IllegalRequest);
    assert_eq!(place.stop(), 0);
    assert_eq!(place.contents("a.ptape"), blocks(0..1));
    assert_eq!(place.contents("b.ptape"), blocks(0..1));
}

#[test]
fn the_status_answers_while_an_order_takes_long() {
    let mut place = Place::new();
    let mut master = place.master();
    place.start(&["--leg", "a", "--leg", "b"]);
    master.settle();
    // A server that says nothing until this test writes into its pipe.
    let pipe = place.path("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let both_ends = std::fs::File::options().read(true).write(true).open(&pipe);
    let mut held = both_ends.unwrap();
    let slow = format!("b=rmt:far:/tape,command=cat {}", place.text("pipe"));
    let fast = format!("a={}", place.image("a.ptape"));
    std::thread::scope(|scope| {
        let load = scope.spawn(|| place.refused(&["load", &fast, &slow]));
        loop {
            let status = place.status();
            if let Some(busy) = status.busy {
                assert_eq!(busy.what, "load");
                break;
            }
            assert!(!load.is_finished());
        }
        // Neither does the program wait.
        assert_eq!(
            master.drive.test_ready().unwrap_err().sense,
            Sense::NoMedium
        );
        assert!(!load.is_finished());
        // It stays in the pipe until the command opens that, however late. No answer of a server begins so.
        std::io::Write::write_all(&mut held, b"nonsense\n").unwrap();
        let error = load.join().unwrap();
        assert!(error.contains("leg b"), "{error}");
    });
    assert!(place.status().busy.is_none());
    assert_eq!(place.stop(), 0);
}

#[test]
fn malformed_requests_are_refused_and_do_no_harm() {
    let (mut place, mut master) = pair(&[]);
    master.write(&block(0)).unwrap();
    for (line, expected) in [
        (&b"{\"do\":\"dance\"}\n"[..], "dance"),
        (b"\xff\xfe\x00\n", "not understood"),
        (
            b"{\"do\":\"load\",\"legs\":[{\"leg\":\"a\",\"sink\":\"null\",\"x\":1}]}\n",
            "`x`",
        ),
        (b"{\"do\":\"load\",\"legs\":7}\n", "not understood"),
        (b"{\"do\":\"drop\"}\n", "leg"),
        (b"{\"do\":\"drop\",\"leg\":\"\\u0000\"}\n", "no leg"),
        (
            b"{\"do\":\"return\",\"leg\":\"a\",\"sink\":\"warp:9\"}\n",
            "warp",
        ),
        (b"{\"do\":\"unload\",\"force\":\"yes\"}\n", "not understood"),
        (b"[]\n", "not understood"),
        (b"{\"do\":\"status\"", ""),
    ] {
        let answer = place.raw(line);
        let line = String::from_utf8_lossy(line);
        assert!(answer.contains(expected), "{line}: {answer}");
        assert!(!answer.contains("\"done\""), "{line}: {answer}");
        // What is cut off is never answered; the rest is, with the reason.
        assert_eq!(answer.contains("\"error\""), line.ends_with('\n'), "{line}");
        if !line.ends_with('\n') {
            break;
        }
    }
    let long = vec![b' '; 2 << 20];
    assert!(place.raw(&long).contains("longer than"));
    assert_eq!(place.command(&["status"]).code, 0);
    master.write(&block(1)).unwrap();
    assert_eq!(place.stop(), 0);
    assert_eq!(place.contents("b.ptape"), blocks(0..2));
}

#[test]
fn exit_codes_tell_usage_from_refusal() {
    let usage = run(&["load", "a"]);
    assert_eq!(usage.code, 2);
    assert!(usage.err.contains("is not LEG=SINK"), "{}", usage.err);
    let nobody = run(&["--control", "/nowhere/socket", "status"]);
    assert_eq!(nobody.code, 2);
    assert!(nobody.err.contains("no daemon answers"), "{}", nobody.err);
    assert_eq!(run(&["fly"]).code, 2);
    let config = run(&["run", "--slave", "s", "--leg", "a=warp:1"]);
    assert_eq!(config.code, 2);
    let missing = run(&[
        "run",
        "--slave",
        "s",
        "--control",
        "/nowhere/c",
        "--leg",
        "a=/nowhere/x",
    ]);
    // The unit starts it again: the disk may not be mounted yet.
    assert_eq!(missing.code, 1);
    assert!(missing.err.contains("leg a: /nowhere/x"), "{}", missing.err);
    let (mut place, _master) = pair(&[]);
    assert!(
        place
            .refused(&["resync", "c"])
            .contains("the legs are a, b")
    );
    let busy = place.text("control");
    let second = run(&["run", "--slave", "s", "--control", &busy, "--leg", "x=null"]);
    assert_eq!(second.code, 1);
    assert!(
        second.err.contains("another daemon answers"),
        "{}",
        second.err
    );
    assert_eq!(place.stop(), 0);
}

#[test]
fn watching_prints_a_line_for_each_look_where_there_is_no_terminal() {
    let (mut place, mut master) = pair(&[]);
    master.write(&block(0)).unwrap();
    let lines = place.done(&["status", "--watch=0.05", "--looks", "3"]);
    assert_eq!(lines.lines().count(), 3, "{lines}");
    assert!(lines.starts_with("in step, object 1; a in step"), "{lines}");
    let lines = place.done(&["status", "--json", "--watch=0.05", "--looks", "2"]);
    for line in lines.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["legs"][1]["name"], "b");
    }
    assert_eq!(place.stop(), 0);
}

#[test]
fn completions_and_man_pages_know_every_command() {
    let place = Place::new();
    let commands = [
        "run",
        "status",
        "load",
        "unload",
        "resync",
        "drop",
        "return",
        "trust",
        "completions",
        "man",
    ];
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell]).out;
        assert!(script.contains("pseudotape-mirror"), "{shell}: {script}");
    }
    let pages = run(&["man", &place.text("man")]).out;
    for command in commands {
        assert!(pages.contains(&format!("pseudotape-mirror-{command}.1")));
    }
    let page = std::fs::read_to_string(place.path("man/pseudotape-mirror-run.1")).unwrap();
    assert!(page.contains("class=spare") && page.contains(".SH EXIT STATUS"));
}
