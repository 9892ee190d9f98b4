//! What is told of a drive while a call has its lock, and what is told when the call has ended.

use std::path::Path;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use pseudotape_bay::{Bay, Opened, Slot, Transferred};
use pseudotape_drive::{Overrides, Personality};
use pseudotape_image::Watch;
use pseudotape_sink::Sink;
use pseudotape_st::{AccessMode, Errno, Node, OpenFlags, Opening, Options};
use pseudotape_tape::Access;

/// Longer than any test may take.
const FOREVER: Duration = Duration::from_secs(600);

fn sink(text: &str) -> Sink {
    text.parse().expect("a specification")
}

fn make_image(path: &Path) -> Sink {
    let created = sink(&format!("image:{},create", path.display()));
    let volume = created.open(Access::ReadWrite).expect("a new image");
    volume.finish().expect("closes");
    sink(&format!("image:{}", path.display()))
}

fn bay() -> Bay<(), &'static str> {
    let slot = Slot::new(Personality::default(), "1".into(), Overrides::default());
    Bay::new(slot, &Options::default(), ())
}

fn load(bay: &Bay<(), &'static str>, image: &Sink) {
    let opened = Opened::open(image, Watch::default()).expect("opens");
    bay.lock().put_in(opened).expect("the bay is empty");
}

fn open(bay: &Bay<(), &'static str>, access: AccessMode) -> Result<Opening, Errno> {
    let mut state = bay.lock();
    let (st, drive) = state.parts();
    let node = Node {
        mode: 0,
        rewinding: false,
    };
    let nonblock = false;
    st.open(drive, node, OpenFlags { access, nonblock })
}

#[test]
fn while_a_call_has_the_lock_the_last_look_and_the_present_opener_are_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let image = make_image(&directory.path().join("a.ptape"));
    let bay = bay();
    load(&bay, &image);
    let seen = bay.look(Duration::ZERO);
    assert!(!seen.busy);
    assert_eq!(seen.opener, None);
    let volume = seen.look.volume.as_ref().expect("a volume");
    assert!(volume.loaded.ready && volume.identity.id.is_some());
    assert_eq!(volume.capacity.expect("it is known").used_bytes, 0);
    assert!(volume.host_room_bytes.is_some());
    assert_eq!(seen.look.personality, Some(Personality::default().name));
    assert_eq!(seen.look.identity.serial, "1");
    assert_eq!(seen.look.position.expect("it is known").object.0, 0);

    let mut state = bay.lock();
    bay.seen().opener = Some("a program");
    state.transferred = Transferred {
        writes: 1,
        ..Transferred::default()
    };
    let busy = bay.look(Duration::ZERO);
    assert!(busy.busy);
    assert_eq!(busy.opener, Some("a program"));
    assert_eq!(busy.look, seen.look, "what was moved since is not seen");
    drop(state);
    let idle = bay.look(Duration::ZERO);
    assert!(!idle.busy);
    assert_eq!(idle.opener, Some("a program"));
    assert_eq!(idle.look.transferred.writes, 1);
}

#[test]
fn a_look_waits_for_a_call_that_ends_in_time_and_is_woken() {
    let bay = bay();
    assert_eq!(bay.look(Duration::ZERO).look.volume, None);
    let (began, has_begun) = channel();
    thread::scope(|scope| {
        let mut state = bay.lock();
        let looks = scope.spawn(|| {
            began.send(()).expect("the test waits");
            bay.look(FOREVER)
        });
        has_begun.recv().expect("it looks");
        state.transferred.reads = 7;
        drop(state);
        let seen = looks.join().expect("it does not panic");
        assert!(!seen.busy);
        assert_eq!(seen.look.transferred.reads, 7);
    });
}

#[test]
fn where_nothing_was_seen_yet_a_look_waits_for_the_call() {
    let bay = bay();
    let (began, has_begun) = channel();
    thread::scope(|scope| {
        let state = bay.lock();
        let looks = scope.spawn(|| {
            began.send(()).expect("the test waits");
            bay.look(Duration::ZERO)
        });
        has_begun.recv().expect("it looks");
        drop(state);
        assert!(!looks.join().expect("it does not panic").busy);
    });
}

#[test]
fn a_wait_under_the_lock_ends_when_it_is_told_and_gives_the_lock_back_meanwhile() {
    let bay = bay();
    thread::scope(|scope| {
        let mut state = bay.lock();
        let other = scope.spawn(|| {
            bay.lock().transferred.writes = 1;
            bay.tell();
        });
        bay.wait_while(
            &mut state,
            |state| state.transferred.writes == 0,
            Instant::now() + FOREVER,
        );
        assert_eq!(state.transferred.writes, 1);
        bay.wait_while(&mut state, |_| true, Instant::now());
        drop(state);
        other.join().expect("it does not panic");
    });
}

/// What went wrong with one cartridge is no error of the next one.
#[test]
fn the_last_trouble_goes_with_its_volume() {
    let directory = tempfile::tempdir().expect("a directory");
    let (a, b) = (directory.path().join("a"), directory.path().join("b"));
    let (a, b) = (make_image(&a), make_image(&b));
    let bay = bay();
    load(&bay, &a);
    assert_eq!(open(&bay, AccessMode::ReadWrite), Ok(Opening::Open));
    let mut state = bay.lock();
    state.slot.reset().expect("a drive of ours");
    let (st, drive) = state.parts();
    st.read(drive, &mut [0; 10]).expect_err("it was reset");
    state.trouble = Some("worn out".to_owned());
    drop(state);
    let seen = bay.look(FOREVER).look;
    assert_eq!(seen.trouble.as_deref(), Some("worn out"));
    assert!(seen.driver.last_error.is_some(), "the driver's view of it");

    bay.lock().take_out(true).expect("unloads");
    let seen = bay.look(FOREVER).look;
    assert_eq!((&seen.trouble, &seen.driver.last_error), (&None, &None));
    assert!(seen.volume.is_none());
    // Trouble of an empty drive is none of the next cartridge's.
    bay.lock().trouble = Some("nothing to read".to_owned());
    load(&bay, &b);
    assert_eq!(bay.look(FOREVER).look.trouble, None);
}
