//! The daemon as a process behind a real slave socket: how it starts, ends, is killed and comes back.

mod process;
#[path = "../../crates/mirror/tests/support/objects.rs"]
mod support;

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use process::{LONG, Place, Said, block, blocks, mark_of, pair};
use pseudotape_control::mirror::LegCondition;
use pseudotape_tape::{Drive, Mark, Sense, WriteMode};

/// PT-07.
#[test]
fn what_is_written_is_on_both_legs_after_sigterm() {
    for signal in ["TERM", "INT", "HUP"] {
        let (mut place, mut master) = pair(&[]);
        for number in 0..50 {
            master.write(&block(number)).unwrap();
        }
        place.signal(signal);
        assert_eq!(place.wait().code(), Some(0), "{}", place.log());
        for image in ["a.ptape", "b.ptape"] {
            assert_eq!(place.contents(image), blocks(0..50));
        }
        let failed = master.write(&block(50)).unwrap_err();
        assert!(matches!(
            failed.sense,
            Sense::NoDrive | Sense::HardwareError
        ));
        assert!(!place.path("control").exists());
    }
}

#[test]
fn kill_9_loses_nothing_that_was_acknowledged_and_trust_and_resync_mend_the_rest() {
    for round in 0..5 {
        let (mut place, mut master) = pair(&[]);
        let enough = Arc::new(AtomicBool::new(false));
        let said = Arc::clone(&enough);
        let writer = std::thread::spawn(move || {
            let mut acknowledged = 0;
            while master.write(&block(acknowledged)).is_ok() {
                acknowledged += 1;
                said.store(acknowledged > 20 + round * 13, Ordering::SeqCst);
            }
            (acknowledged, master)
        });
        while !enough.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        place.kill();
        let (acknowledged, mut master) = writer.join().unwrap();
        for image in ["a.ptape", "b.ptape"] {
            let found = place.contents(image);
            assert!(found.len() as u64 >= acknowledged, "{image}");
            assert_eq!(found, blocks(0..found.len() as u64), "{image}");
        }
        let legs = ["a.ptape", "b.ptape"].map(|image| place.text(image));
        let legs = [format!("a={}", legs[0]), format!("b={}", legs[1])];
        place.start(&["--leg", &legs[0], "--leg", &legs[1]]);
        if place.status().refused.is_some() {
            // The longer one, where they differ in length.
            let said = place.command(&["trust", "a"]);
            let (right, other) = if said.code == 0 {
                ("a", "b")
            } else {
                ("b", "a")
            };
            if right == "b" {
                assert!(
                    said.err.contains("leg b holds 1 object more"),
                    "{}",
                    said.err
                );
                place.done(&["trust", "b"]);
            }
            place.done(&["resync", other]);
        }
        master.settle();
        master.drive.space_to_end_of_data().unwrap();
        master.mark();
        assert_eq!(place.stop(), 0, "{}", place.log());
        let a = place.contents("a.ptape");
        assert_eq!(a, place.contents("b.ptape"));
        assert!(a.len() as u64 > acknowledged);
    }
}

#[test]
fn the_mirror_comes_back_to_a_device_daemon_that_was_restarted() {
    let (mut place, mut master) = pair(&[]);
    for number in 0..10 {
        master.write(&block(number)).unwrap();
    }
    for round in 1..4 {
        drop(master);
        master = place.master();
        master.settle();
        assert!(place.status().slave.unwrap().attached);
        master.drive.space_to_end_of_data().unwrap();
        master.write(&block(9 + round)).unwrap();
    }
    assert_eq!(place.stop(), 0);
    assert_eq!(place.contents("a.ptape"), blocks(0..13));
    assert_eq!(place.contents("b.ptape"), blocks(0..13));
    assert!(place.log().contains("hung up"), "{}", place.log());
}

#[test]
fn the_mirror_may_come_before_the_device_daemon_and_end_without_it() {
    let mut place = Place::new();
    let leg = format!("a={}", place.image("a.ptape"));
    place.start(&["--leg", &leg]);
    let said = place.command(&["status"]);
    assert_eq!(said.code, 1, "nobody can write");
    assert!(
        said.out.contains("can't take the slave end"),
        "{}",
        said.out
    );
    assert_eq!(place.stop(), 0);
    place.start(&["--leg", &leg]);
    let mut master = place.master();
    master.settle();
    master.write(&block(0)).unwrap();
    assert_eq!(place.command(&["status"]).code, 0);
    assert_eq!(place.stop(), 0);
    assert_eq!(place.contents("a.ptape"), blocks(0..1));
}

/// PT-06.
#[test]
fn a_second_mirror_says_that_the_slave_end_is_taken_and_waits_for_it() {
    let (mut first, mut master) = pair(&[]);
    let mut second = Place::new();
    std::os::unix::fs::symlink(first.path("slave"), second.path("slave")).unwrap();
    let leg = format!("c={}", second.image("c.ptape"));
    second.start(&["--leg", &leg]);
    while !second.log().contains("is taken") {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(second.command(&["status"]).code, 1);
    master.write(&block(0)).unwrap();
    assert_eq!(first.stop(), 0);
    master.settle();
    master.write(&block(1)).unwrap();
    assert_eq!(second.stop(), 0);
    assert_eq!(first.contents("a.ptape"), blocks(0..1));
    assert_eq!(second.contents("c.ptape"), blocks(1..2));
}

#[test]
fn systemd_hears_when_the_mirror_is_ready_and_when_it_ends() {
    let mut place = Place::new();
    let socket = UnixDatagram::bind(place.path("notify")).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    let hear = || {
        let mut buffer = [0; 100];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    place.start(&["--leg", "a=null"]);
    assert!(hear().contains("READY=1"));
    assert_eq!(place.status().legs[0].state, LegCondition::InStep);
    place.signal("TERM");
    assert!(hear().contains("STOPPING=1"));
    assert_eq!(place.wait().code(), Some(0));
}

/// PT-18: before, both legs "stored" what was in one place only.
#[test]
fn a_leg_whose_image_was_removed_is_lost_at_the_commit() {
    let (mut place, mut master) = pair(&[]);
    for number in 0..10 {
        master.write(&block(number)).unwrap();
    }
    master.mark();
    std::fs::remove_file(place.path("b.ptape")).unwrap();
    for number in 10..20 {
        master.write(&block(number)).unwrap();
    }
    let committed = master
        .drive
        .write_marks(Mark::Filemark, 1, WriteMode::Commit);
    // Both legs are required: the program hears that a copy is missing.
    assert_eq!(committed.unwrap_err().sense, Sense::HardwareError);
    let status = place.status();
    assert!(status.degraded);
    let states = [0, 1].map(|leg| status.legs[leg].state);
    assert_eq!(states, [LegCondition::InStep, LegCondition::OutOfStep]);
    let path = place.text("b.ptape");
    let reason = status.legs[1].reason.clone().unwrap();
    let log = place.log();
    let logged = log
        .lines()
        .find(|line| line.contains("was removed"))
        .unwrap();
    for told in [&reason, logged] {
        assert!(
            told.contains("the image was removed") && told.contains("/fd/"),
            "{told}"
        );
        assert_eq!(told.matches(&path).count(), 1, "{told}");
    }
    assert_eq!(place.stop(), 1, "a copy is missing: {}", place.log());
    // The mark that failed is on neither.
    assert_eq!(place.contents("a.ptape").len(), 21);
    assert!(!place.path("b.ptape").exists());
}

/// PT-18: as long as it is open, what the removed image holds can be copied.
#[test]
fn a_removed_image_stays_in_until_somebody_insists() {
    let (mut place, mut master) = pair(&[]);
    for number in 0..10 {
        master.write(&block(number)).unwrap();
    }
    master.mark();
    std::fs::remove_file(place.path("b.ptape")).unwrap();
    // Neither the program's unload closes it …
    let failed = master.drive.unload().unwrap_err();
    assert_eq!(failed.sense, Sense::HardwareError);
    // … nor the operator's, who is told where it can be copied.
    for _ in 0..2 {
        let refused = place.refused(&["unload"]);
        let expected = format!("leg b: {}: the image was removed", place.text("b.ptape"));
        assert!(refused.contains(&expected), "{refused}");
        assert!(refused.contains("--force"), "{refused}");
    }
    let status = place.status();
    let states = [0, 1].map(|leg| status.legs[leg].state);
    assert_eq!(states, [LegCondition::InStep, LegCondition::OutOfStep]);
    let reason = status.legs[1].reason.clone().unwrap();
    let from = reason.rfind("/proc/").map(|at| &reason[at..]).unwrap();
    std::fs::copy(from, place.path("rescued.ptape")).unwrap();
    assert_eq!(place.contents("rescued.ptape").len(), 11);
    let unloaded = place.refused(&["unload", "--force"]);
    assert!(
        unloaded.contains("not every volume is a copy: b"),
        "{unloaded}"
    );
    // It is closed: nothing tells any more where it could be copied.
    let said = place.command(&["status"]).out;
    assert!(!said.contains("/fd/"), "{said}");
    assert!(
        said.contains("removed") && said.contains("closed now"),
        "{said}"
    );
    assert_eq!(place.contents("a.ptape").len(), 11);
    // What went wrong went with the volumes. Only the mark is on the copy, too.
    let rescued = format!("b={}", place.text("rescued.ptape"));
    place.done(&["load", &format!("a={}", place.text("a.ptape")), &rescued]);
    assert_eq!(place.status().legs[0].first_error, None);
    place.done(&["resync", "b"]);
    let status = place.status();
    assert!(!status.degraded && status.legs.iter().all(|leg| leg.first_error.is_none()));
    assert_eq!(place.stop(), 0);
}

/// The leg whose image was removed can be given up alone.
#[test]
fn a_removed_image_goes_with_its_leg_when_that_is_dropped() {
    let (mut place, mut master) = pair(&[]);
    master.write(&block(0)).unwrap();
    std::fs::remove_file(place.path("b.ptape")).unwrap();
    master.drive.unload().unwrap_err();
    place.done(&["drop", "b"]);
    let said = place.command(&["status"]).out;
    assert!(!said.contains("/fd/"), "{said}");
    let other = format!("b={}", place.image("b2.ptape"));
    place.done(&["return", &other]);
    assert_eq!(place.command(&["status"]).code, 0);
    master.drive.unload().unwrap();
    assert_eq!(place.stop(), 0);
    assert_eq!(place.contents("a.ptape"), blocks(0..1));
    assert_eq!(place.contents("b2.ptape"), blocks(0..1));
}

/// PT-18: `mt weof 0` asks whether all is well, also where all was committed before.
#[test]
fn a_commit_without_marks_finds_that_the_image_of_a_leg_was_removed() {
    let (mut place, mut master) = pair(&[]);
    master.write(&block(0)).unwrap();
    master.mark();
    let mut commit = || {
        let marks = master
            .drive
            .write_marks(Mark::Filemark, 0, WriteMode::Commit);
        marks.map(drop).map_err(|failed| failed.sense)
    };
    assert_eq!(commit(), Ok(()));
    std::fs::remove_file(place.path("b.ptape")).unwrap();
    assert_eq!(commit(), Err(Sense::HardwareError));
    assert_eq!(place.status().legs[1].state, LegCondition::OutOfStep);
    assert_eq!(place.stop(), 1);
}

/// PT-18, where no leg is left. The disk is full as far as this process sees it: its longest file.
#[test]
fn legs_without_room_on_their_host_are_out_of_step_with_the_hosts_reason() {
    let mut place = Place::new();
    let mut master = place.master();
    let legs = [
        format!("a={}", place.image("a.ptape")),
        format!(
            "b=image:{},create,when=deferred,class=spare",
            place.text("b.ptape")
        ),
    ];
    place.start_limited(1 << 20, &["--leg", &legs[0], "--leg", &legs[1]]);
    master.settle();
    let mut written = 0;
    let failed = loop {
        match master.write(&block(written)) {
            Ok(()) => written += 1,
            Err(failed) => break failed,
        }
    };
    assert_eq!(
        failed.sense,
        Sense::HardwareError,
        "no leg has room any more"
    );
    assert!(written > 100);
    let status = place.status();
    assert!(status.degraded);
    assert_eq!(status.legs[0].state, LegCondition::OutOfStep);
    let text = place.command(&["status"]).out;
    assert!(text.contains("File too large"), "{text}");
    assert!(
        text.contains("to do      pseudotape-mirror resync"),
        "{text}"
    );
    assert_eq!(place.stop(), 1);
    for image in ["a.ptape", "b.ptape"] {
        let found = place.contents(image);
        assert_eq!(found, blocks(0..found.len() as u64), "{image}");
        assert!(mark_of(&place.path(image)).is_some() || found.len() as u64 >= written);
    }
}

#[test]
fn late_legs_have_everything_when_they_should() {
    for when in ["unload", "deferred"] {
        let mut place = Place::new();
        let mut master = place.master();
        let legs = [
            format!("a={}", place.image("a.ptape")),
            format!("b={},when={when}", place.image("b.ptape")),
        ];
        place.start(&["--leg", &legs[0], "--leg", &legs[1], "--queue", "64K"]);
        master.settle();
        for number in 0..200 {
            master.write(&block(number)).unwrap();
        }
        assert_eq!(place.status().legs[1].when, when);
        master.drive.unload().unwrap();
        if when == "unload" {
            assert_eq!(place.contents("b.ptape"), blocks(0..200));
        }
        // Waits for those that are late even then.
        place.done(&["unload"]);
        assert_eq!(place.contents("b.ptape"), blocks(0..200));
        assert_eq!(place.contents("a.ptape"), blocks(0..200));
        assert_eq!(place.stop(), 0);
    }
}

/// A leg that fails while it catches up is not forgotten with its volume.
#[test]
fn a_late_leg_that_failed_is_told_after_the_unload_too() {
    let mut place = Place::new();
    let mut master = place.master();
    // What repeats fits as often as one likes where it is compressed.
    let legs = [
        format!("a=zstd+{}", place.image("a.ptape")),
        format!(
            "b=image:{},create,when=deferred,class=spare",
            place.text("b.ptape")
        ),
    ];
    place.start_limited(1 << 20, &["--leg", &legs[0], "--leg", &legs[1]]);
    master.settle();
    for number in 0..400 {
        master.write(&block(number)).unwrap();
    }
    master.drive.unload().unwrap();
    let unloaded = place.command(&["unload"]);
    let status = place.status();
    let [a, b] = &status.legs[..] else {
        panic!("{status:?}");
    };
    assert_eq!(
        (a.state, b.state),
        (LegCondition::Empty, LegCondition::Empty)
    );
    assert_eq!(a.not_mirrored_from, None);
    let from = b.not_mirrored_from.unwrap();
    assert!((100..400).contains(&from), "{from}");
    assert!(status.degraded);
    assert!(b.first_error.as_ref().unwrap().contains("File too large"));
    // Where the leg failed only after the program's unload, the operator's tells.
    assert!(
        unloaded.code == 0 || unloaded.err.contains("leg b"),
        "{}",
        unloaded.err
    );
    let log = place.log();
    assert!(
        log.contains(&format!("leg b: not mirrored from object {from} on")),
        "{log}"
    );
    assert_eq!(place.stop(), 1);
    assert_eq!(place.contents("b.ptape"), blocks(0..from));
    assert_eq!(mark_of(&place.path("b.ptape")), Some(from));
}

/// SIGTERM when something was copied onto the image of a leg that returns; what the command said.
fn caught_at_work(place: &Place, sink: &str, image: &Path) -> Said {
    let length = || std::fs::metadata(image).map_or(0, |file| file.len());
    std::thread::scope(|scope| {
        let returned = scope.spawn(|| place.command(&["return", sink]));
        while length() < 1 << 20 && !returned.is_finished() {
            std::thread::yield_now();
        }
        place.signal("TERM");
        returned.join().unwrap()
    })
}

/// PT-18: SIGTERM in the middle of a resync.
#[test]
fn sigterm_gives_a_resync_up_and_the_next_start_says_so() {
    const RECORDS: u64 = 3000;
    const LENGTH: usize = 64 << 10;
    let (mut place, mut master) = pair(&[]);
    for number in 0..RECORDS {
        let record: Vec<u8> = block(number).into_iter().cycle().take(LENGTH).collect();
        master.write(&record).unwrap();
    }
    assert_eq!(place.stop(), 0);
    let whole = place.long_contents("a.ptape");
    assert_eq!(whole.len() as u64, RECORDS);
    let legs = ["a.ptape", "b.ptape"].map(|image| place.text(image));
    let legs = [format!("a={}", legs[0]), format!("b={}", legs[1])];
    // A machine that is slow just then may see a resync only when it is done: that is tried again.
    for round in 0..20 {
        place.start(&["--leg", &legs[0], "--leg", &legs[1]]);
        master.settle();
        let new = format!("new{round}.ptape");
        let sink = format!("b={}", place.image(&new));
        place.done(&["drop", "b"]);
        let said = caught_at_work(&place, &sink, &place.path(&new));
        let code = place.wait().code();
        if said.code == 0 {
            continue;
        }
        assert_eq!(code, Some(1), "{}", place.log());
        let log = place.log();
        assert!(
            log.contains("ends before the resync is done") && log.contains("leg b: not mirrored"),
            "{log}"
        );
        let held = place.long_contents(&new);
        assert!(held.len() < whole.len() && whole.starts_with(&held));
        assert_eq!(place.long_contents("a.ptape"), whole);
        assert_eq!(mark_of(&place.path("a.ptape")), None);
        assert_eq!(mark_of(&place.path(&new)), Some(0));
        // The next start says what to do, and that mends it.
        let b = format!("b={}", place.text(&new));
        place.start(&["--leg", &legs[0], "--leg", &b]);
        master.settle();
        let status = place.status();
        assert_eq!(status.refused, None);
        assert_eq!(status.legs[1].state, LegCondition::OutOfStep);
        let advice = status.legs[1].advice.clone().unwrap();
        assert!(advice.contains("resync b"), "{advice}");
        let resynced = place.done(&["resync", "b"]);
        assert!(resynced.contains("objects were there"), "{resynced}");
        assert_eq!(place.stop(), 0);
        assert_eq!(place.long_contents(&new), whole);
        return;
    }
    panic!("no resync was ended in the middle");
}

/// A server that says no word as long as it is asked, as a host does that hangs. It ends with the daemon.
const SILENT: &str = "rmt:far:/tape,command=wc";

/// The end is waited for as long as 'end-wait' says, whatever hangs: here the start.
#[test]
fn sigterm_ends_a_start_that_waits_for_a_leg() {
    let mut place = Place::new();
    let silent = format!("b={SILENT}");
    let a = format!("a={}", place.image("a.ptape"));
    place.launch(&["--leg", &a, "--leg", &silent, "--end-wait", "1"]);
    // The first leg is open already, and the second one is waited for.
    let began = Instant::now();
    while !place.path("a.ptape").exists() {
        assert!(began.elapsed() < LONG, "{}", place.log());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(place.stop(), 1);
    assert!(
        place.log().contains("for 1 s no leg did anything"),
        "{}",
        place.log()
    );
}

/// A leg that is being opened for a load does not keep the daemon.
#[test]
fn sigterm_does_not_wait_for_a_load_that_hangs() {
    let mut place = Place::new();
    let _master = place.master();
    place.start(&["--leg", "a", "--leg", "b"]);
    let silent = format!("b={SILENT}");
    let a = format!("a={}", place.image("a.ptape"));
    let place_of_it = &place;
    std::thread::scope(|scope| {
        let load = scope.spawn(|| place_of_it.command(&["load", &a, &silent]));
        let began = Instant::now();
        while place_of_it.status().busy.is_none() {
            assert!(began.elapsed() < LONG && !load.is_finished());
        }
        place_of_it.signal("TERM");
        assert_ne!(load.join().unwrap().code, 0);
    });
    assert_eq!(place.wait().code(), Some(0), "{}", place.log());
}
