//! EN-08, EN-15. `pseudotape rescue`: what it says where it can't go on, and that what it says is the way on.

use std::fs;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use pseudotape_image::{CreateParameters, FileStore, Image, Uuid, VolumeId};
use pseudotape_tape::Mark;

/// Held while the command is started and while an image is written: until its exec is over a child has a copy of every
/// descriptor, and with it of the lock on an image that another test closes just then.
static START_OR_CLOSE: Mutex<()> = Mutex::new(());

const BLOCK: usize = 1000;

fn block(number: u32) -> Vec<u8> {
    let words = (0..BLOCK as u32 / 4).map(|word| (number * 1_000_003 + word).to_le_bytes());
    words.flatten().collect()
}

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    /// With a tape of two files of 30 blocks, `tape.ptape`.
    fn new() -> Self {
        let place = Place {
            directory: tempfile::tempdir().unwrap(),
        };
        let _closing = START_OR_CLOSE
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let parameters = CreateParameters::new(VolumeId(Uuid::now_v7()), 0);
        let store = FileStore::create(&place.path("tape.ptape")).unwrap();
        let mut image = Image::create(store, &parameters).unwrap();
        for number in 0..60 {
            image.append_block(&block(number)).unwrap();
            if number % 30 == 29 {
                image.append_marks(Mark::Filemark, 1).unwrap();
            }
        }
        image.finish().unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn start(&self, arguments: &[&str]) -> Child {
        let _starting = START_OR_CLOSE
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Command::new(env!("CARGO_BIN_EXE_pseudotape"))
            .current_dir(self.directory.path())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary was built for this test")
    }

    /// Runs what has to end with this code; returns what it prints.
    fn ends(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.start(arguments).wait_with_output().unwrap();
        said(code, &output)
    }

    /// A copy with damage in these blocks, counted without marks.
    fn damaged(&self, name: &str, blocks: &[u32]) {
        fs::copy(self.path("tape.ptape"), self.path(name)).unwrap();
        damage(&self.path(name), blocks);
    }
}

fn damage(path: &Path, blocks: &[u32]) {
    let bytes = fs::read(path).unwrap();
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    for number in blocks {
        let wanted = block(*number);
        let at = bytes.windows(BLOCK).position(|part| part == wanted);
        file.write_all_at(b"DAMAGE", at.unwrap() as u64 + 500)
            .unwrap();
    }
}

fn said(code: i32, output: &Output) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    let text = if code == 2 {
        &output.stderr
    } else {
        &output.stdout
    };
    String::from_utf8(text.clone()).unwrap()
}

fn expect(text: &str, words: &[&str]) {
    for words in words {
        assert!(text.contains(words), "'{words}' in: {text}");
    }
}

#[test]
fn no_message_names_an_option_that_the_command_does_not_have() {
    let place = Place::new();
    place.damaged("bad.ptape", &[3]);
    fs::copy(place.path("tape.ptape"), place.path("full.ptape")).unwrap();
    let text = place.ends(2, &["rescue", "bad.ptape", "full.ptape"]);
    expect(
        &text,
        &[
            "full.ptape is not blank",
            "full.ptape.rescue",
            "name another DST",
        ],
    );
    assert!(!text.contains("--resume"), "{text}");
    // As is that of a DST that is no image.
    let target = "zstd+full.ptape";
    let text = place.ends(
        2,
        &["rescue", "bad.ptape", target, "--map", "m", "--leave-out"],
    );
    expect(&text, &["is not blank: --force", "m.ptape"]);
    assert!(!text.contains("--resume"), "{text}");
}

#[test]
fn what_was_found_later_is_gone_and_the_message_names_the_way_on() {
    let place = Place::new();
    place.damaged("one.ptape", &[3, 40]);
    place.damaged("two.ptape", &[3]);
    place.ends(1, &["rescue", "one.ptape", "out.ptape"]);
    place.ends(1, &["rescue", "two.ptape", "out.ptape"]);
    let found = place.path("out.ptape.rescue.found");
    fs::rename(&found, place.path("away")).unwrap();
    let text = place.ends(2, &["rescue", "tape.ptape", "out.ptape"]);
    expect(&text, &["out.ptape.rescue.found", "bring", "--reread-lost"]);
    assert!(!text.contains("the same command goes on"), "{text}");
    assert!(!found.exists(), "nothing was put in its place");
    fs::rename(place.path("away"), &found).unwrap();
    place.ends(1, &["rescue", "one.ptape", "out.ptape"]);
    fs::remove_file(&found).unwrap();
    let text = place.ends(0, &["rescue", "tape.ptape", "out.ptape", "--reread-lost"]);
    expect(&text, &["read 2 objects now", "whole: all 62"]);
    place.ends(0, &["compare", "tape.ptape", "out.ptape"]);
}

#[test]
fn a_target_that_lost_its_end_is_told_of_with_the_way_on() {
    let place = Place::new();
    place.ends(0, &["rescue", "tape.ptape", "out.ptape"]);
    let length = fs::metadata(place.path("out.ptape")).unwrap().len();
    let cut = fs::OpenOptions::new()
        .write(true)
        .open(place.path("out.ptape"));
    let cut = cut.unwrap();
    cut.set_len(length - 20 * BLOCK as u64).unwrap();
    let text = place.ends(2, &["rescue", "tape.ptape", "out.ptape"]);
    expect(
        &text,
        &[
            "the map says 62",
            "bring out.ptape back",
            "'pseudotape accept-loss out.ptape' lets it be written, and then --reread-lost",
        ],
    );
    assert!(!text.contains("the same command goes on"), "{text}");
    // An image that lost committed data is written to only when somebody accepted that.
    let text = place.ends(2, &["rescue", "tape.ptape", "out.ptape", "--reread-lost"]);
    expect(&text, &["accept-loss"]);
    place.ends(0, &["accept-loss", "out.ptape"]);
    let text = place.ends(0, &["rescue", "tape.ptape", "out.ptape", "--reread-lost"]);
    expect(&text, &["whole: all 62"]);
    place.ends(0, &["compare", "tape.ptape", "out.ptape"]);
}

#[test]
fn a_target_that_was_damaged_since_is_whole_after_one_run() {
    let place = Place::new();
    place.ends(0, &["rescue", "tape.ptape", "out.ptape"]);
    damage(&place.path("out.ptape"), &[0, 9, 17, 44]);
    let text = place.ends(0, &["rescue", "tape.ptape", "out.ptape", "--reread-lost"]);
    expect(&text, &["read 4 objects now", "whole: all 62"]);
    place.ends(0, &["compare", "tape.ptape", "out.ptape"]);
    // So it is where putting together is what meets the damage.
    place.damaged("one.ptape", &[3]);
    place.ends(1, &["rescue", "one.ptape", "new.ptape"]);
    damage(&place.path("new.ptape"), &[8, 21, 50]);
    let text = place.ends(0, &["rescue", "tape.ptape", "new.ptape"]);
    expect(&text, &["read 4 objects now", "whole: all 62"]);
    place.ends(0, &["compare", "tape.ptape", "new.ptape"]);
}

/// A map is written in many runs: with the name of another file of the rescue it would be written over that.
#[test]
fn a_map_with_the_name_of_another_file_is_refused() {
    let place = Place::new();
    place.damaged("bad.ptape", &[3]);
    fs::create_dir(place.path("d")).unwrap();
    for map in ["out.ptape", "./out.ptape", "d/../out.ptape", "bad.ptape"] {
        let text = place.ends(2, &["rescue", "bad.ptape", "out.ptape", "--map", map]);
        expect(
            &text,
            &["--map", "is a tape of this rescue", "another name"],
        );
        assert!(!place.path("out.ptape").exists());
    }
    // Where it is there already, also under another name of the same file.
    place.ends(1, &["rescue", "bad.ptape", "out.ptape"]);
    fs::hard_link(place.path("out.ptape"), place.path("other")).unwrap();
    let text = place.ends(2, &["rescue", "bad.ptape", "out.ptape", "--map", "other"]);
    expect(&text, &["--map", "is a tape of this rescue"]);
    let text = place.ends(
        2,
        &["rescue", "bad.ptape", "zstd+z.ptape", "--map", "z.ptape"],
    );
    expect(&text, &["--map", "is a tape of this rescue"]);
    assert!(!place.path("z.ptape").exists());
    place.ends(0, &["rescue", "tape.ptape", "out.ptape"]);
}

/// The second one comes while the first one is held, by whoever is told of its first bad block.
#[test]
fn two_rescues_into_one_target_at_once_are_one_and_a_clear_message() {
    let place = Place::new();
    place.damaged("bad.ptape", &[3]);
    nix::unistd::mkfifo(&place.path("go"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let hook = ": >begun; read x <go";
    let mut first = place.start(&["rescue", "bad.ptape", "out.ptape", "--on-bad", hook]);
    let deadline = Instant::now() + Duration::from_secs(100);
    while !place.path("begun").exists() {
        let ended = first.try_wait().unwrap();
        assert!(ended.is_none() && Instant::now() < deadline, "{ended:?}");
        thread::sleep(Duration::from_millis(20));
    }
    let text = place.ends(2, &["rescue", "tape.ptape", "out.ptape"]);
    let process = format!(
        "another rescue into out.ptape is at work (process {})",
        first.id()
    );
    expect(&text, &[&process]);
    // Of a DST that is not there yet, too.
    fs::rename(place.path("out.ptape"), place.path("moved.ptape")).unwrap();
    let text = place.ends(2, &["rescue", "tape.ptape", "out.ptape"]);
    expect(&text, &[&process]);
    fs::rename(place.path("moved.ptape"), place.path("out.ptape")).unwrap();
    let mut go = fs::OpenOptions::new()
        .write(true)
        .open(place.path("go"))
        .unwrap();
    writeln!(go, "x").unwrap();
    said(1, &first.wait_with_output().unwrap());
    assert!(!place.path("out.ptape.rescue.lock").exists());
    // What a kill leaves of the lock holds nobody back.
    fs::write(place.path("out.ptape.rescue.lock"), "1\n").unwrap();
    place.ends(0, &["rescue", "tape.ptape", "out.ptape"]);
    assert!(!place.path("out.ptape.rescue.lock").exists());
}

#[test]
fn one_file_as_bytes_has_a_name_and_tells_of_each_hole() {
    let place = Place::new();
    let text = place.ends(
        2,
        &["rescue", "tape.ptape", "--raw-file", "0", "--output", "-"],
    );
    expect(&text, &["--output -", "name a file"]);
    assert!(!place.path("-").exists());
    place.ends(
        0,
        &["rescue", "tape.ptape", "--raw-file", "0", "--output", "./-"],
    );
    assert_eq!(
        fs::metadata(place.path("-")).unwrap().len(),
        30 * BLOCK as u64
    );
    // How long its blocks were nobody knows where none is left: no number is made up for them.
    let all: Vec<u32> = (0..30).collect();
    place.damaged("first.ptape", &all);
    let text = place.ends(
        1,
        &["rescue", "first.ptape", "--raw-file", "0", "--output", "h"],
    );
    expect(
        &text,
        &[
            "hole: of unknown length from byte 0 on (object 0)",
            "h.partial, how much of it is missing nobody knows: h.map says where",
        ],
    );
    // An image that lost its end has no hole, and is not whole.
    fs::copy(place.path("tape.ptape"), place.path("cut.ptape")).unwrap();
    let cut = fs::OpenOptions::new()
        .write(true)
        .open(place.path("cut.ptape"));
    let cut = cut.unwrap();
    let length = cut.metadata().unwrap().len();
    cut.set_len(length - 20 * BLOCK as u64).unwrap();
    let text = place.ends(
        1,
        &["rescue", "cut.ptape", "--raw-file", "1", "--output", "e"],
    );
    expect(
        &text,
        &["e.partial, its end is missing, and how long that was nobody knows"],
    );
    assert!(!text.contains("about 0 B"), "{text}");
    let count = |holes: u32| {
        let name = format!("{holes}.ptape");
        let bad: Vec<u32> = (0..holes).map(|hole| hole + 1).collect();
        place.damaged(&name, &bad);
        let output = format!("f{holes}");
        let text = place.ends(
            1,
            &["rescue", &name, "--raw-file", "0", "--output", &output],
        );
        (text.matches("hole: about").count(), text)
    };
    let (shown, text) = count(20);
    assert_eq!(shown, 20);
    assert!(!text.contains("more"), "{text}");
    let (shown, text) = count(21);
    assert_eq!(shown, 20);
    expect(&text, &["and 1 more hole; the map and --json list all"]);
    expect(&count(25).1, &["and 5 more holes"]);
}
