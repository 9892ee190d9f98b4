//! EN-08, EN-09. Putting together ends at any moment, by a kill or by a loss of power: nothing that was read is lost,
//! and the same command ends with the whole tape.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Parser;
use pseudotape_image::{Access, CreateParameters, FileStore, Image, Object, Uuid, VolumeId};
use pseudotape_tape::Mark;

use super::desk::{WATCH, Watch};
use super::*;
use crate::cli::{Cli, Command};

/// The files of a desk, by their names.
type Files = BTreeMap<String, Vec<u8>>;

const BLOCKS: usize = 9;

fn block(number: usize) -> Vec<u8> {
    let seed = u8::try_from(number).expect("few blocks");
    let bytes = (0..400).map(|at: u32| seed.wrapping_mul(29) ^ at.to_le_bytes()[0]);
    bytes.collect()
}

fn write_tape(path: &Path) {
    let parameters = CreateParameters::new(VolumeId(Uuid::from_u128(7)), 0);
    let store = FileStore::create(path).expect("a file");
    let mut image = Image::create(store, &parameters).expect("an image");
    for number in 0..BLOCKS {
        image.append_block(&block(number)).expect("room");
        if number % 3 == 2 {
            image.append_marks(Mark::Filemark, 1).expect("room");
        }
    }
    image.finish().expect("it is committed");
}

fn objects(path: &Path) -> Vec<Option<Vec<u8>>> {
    let store = FileStore::open(path, Access::ReadOnly).expect("an image");
    let (mut image, _) = Image::open(store, Access::ReadOnly).expect("an image");
    let mut buffer = vec![0; 1000];
    let mut objects = Vec::new();
    loop {
        match image.read_object(&mut buffer).expect("nothing is damaged") {
            Object::Block { copied, .. } => objects.push(Some(buffer[..copied].to_vec())),
            Object::Filemark | Object::Setmark => objects.push(None),
            Object::EndOfData => return objects,
        }
    }
}

/// Damages a copy in these blocks.
fn copy_damaged(from: &Path, to: &Path, blocks: &[usize]) {
    let mut bytes = fs::read(from).expect("the tape");
    for number in blocks {
        let wanted = block(*number);
        let at = bytes.windows(wanted.len()).position(|part| part == wanted);
        bytes[at.expect("it is on the tape") + 100] ^= 1;
    }
    fs::write(to, bytes).expect("a copy");
}

fn files_of(directory: &Path) -> Files {
    let entries = fs::read_dir(directory).expect("a directory");
    let file = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a name of ours");
        (name, fs::read(entry.path()).expect("a file"))
    };
    entries.map(file).collect()
}

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn source(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn desk(&self) -> PathBuf {
        self.directory.path().join("desk")
    }

    /// Puts these files, and no others, on the desk.
    fn lay(&self, files: &Files) {
        fs::remove_dir_all(self.desk()).expect("it was there");
        fs::create_dir(self.desk()).expect("a directory");
        for (name, bytes) in files {
            fs::write(self.desk().join(name), bytes).expect("a file");
        }
    }

    fn rescue(&self, source: &str) -> RescueReport {
        let (source, target) = (self.source(source), self.desk().join("out.ptape"));
        let words = ["pseudotape", "rescue"].map(Into::into);
        let words = words.into_iter().chain([source.into(), target.into()]);
        let words: Vec<std::ffi::OsString> = words.collect();
        let Command::Rescue(options) = Cli::parse_from(words).command else {
            panic!("a rescue")
        };
        // A child that another test starts just now has the locks of this process until its exec.
        let deadline = Instant::now() + Duration::from_secs(100);
        loop {
            match work(&options, &Screen::plain()) {
                Ok(report) => return report,
                Err(error)
                    if Instant::now() < deadline && format!("{error:#}").contains("in use") => {}
                Err(error) => panic!("{error:#}"),
            }
        }
    }
}

/// What a loss of power may leave of a file that was not synced: a part, or a part with zeros behind it.
fn torn(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut zeros = bytes.to_vec();
    zeros[bytes.len() / 2..].fill(0);
    vec![bytes[..bytes.len().saturating_sub(70)].to_vec(), zeros]
}

#[test]
fn putting_together_that_ends_anywhere_goes_on_to_the_whole_tape() {
    let place = Place {
        directory: tempfile::tempdir().expect("a directory"),
    };
    fs::create_dir(place.desk()).expect("a directory");
    let tape = place.source("tape.ptape");
    write_tape(&tape);
    copy_damaged(&tape, &place.source("first.ptape"), &[1, 2, 5]);
    copy_damaged(&tape, &place.source("second.ptape"), &[0, 7]);
    let wanted = objects(&tape);
    assert!(!place.rescue("first.ptape").whole);

    let states = std::rc::Rc::new(std::cell::RefCell::new(Vec::<(&str, Files)>::new()));
    let (desk, seen) = (place.desk(), states.clone());
    let watch: Watch = Box::new(move |what| seen.borrow_mut().push((what, files_of(&desk))));
    WATCH.set(Some(watch));
    let whole = place.rescue("second.ptape").whole;
    WATCH.set(None);
    assert!(whole);
    assert_eq!(objects(&place.desk().join("out.ptape")), wanted);
    let states = states.take();

    // From where everything was read: what comes before is the crash test of the crate.
    let from = states.iter().position(|(what, _)| *what == "made");
    let states = &states[from.expect("it was put together")..];
    let seen: BTreeSet<&str> = states.iter().map(|(what, _)| *what).collect();
    let all = [
        "closed",
        "made",
        "map renamed",
        "map written",
        "marked",
        "old map kept",
        "old map removed",
        "put together",
        "removed",
        "renamed",
    ];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), all);

    let (making, new, old) = (
        "out.ptape.rescue.making.ptape",
        "out.ptape.rescue.new",
        "out.ptape.rescue.old",
    );
    let mut tries = 0;
    for (number, (what, files)) in states.iter().enumerate() {
        let mut ways = vec![("as it is", files.clone())];
        let unsynced = match *what {
            "made" | "put together" | "marked" => making,
            "map written" => new,
            _ => "",
        };
        if let Some(bytes) = files.get(unsynced) {
            for bytes in torn(bytes) {
                let mut files = files.clone();
                files.insert(unsynced.to_owned(), bytes);
                ways.push(("torn", files));
            }
        }
        if let Some(map) = files.get(old) {
            let mut files = files.clone();
            files.insert("out.ptape.rescue".to_owned(), map.clone());
            ways.push(("with the map before", files));
        }
        for (way, files) in ways {
            let place_of_it = format!("{number}, {what}, {way}");
            place.lay(&files);
            // The copy that can't give what was found later: nothing of that may be gone.
            let report = place.rescue("first.ptape");
            assert!(report.whole, "{place_of_it}");
            assert_eq!(report.read_objects, 0, "{place_of_it}");
            assert_eq!(
                objects(&place.desk().join("out.ptape")),
                wanted,
                "{place_of_it}"
            );
            let left: Vec<String> = files_of(&place.desk()).into_keys().collect();
            let clean = left
                .iter()
                .all(|name| ["out.ptape", "out.ptape.rescue", old].contains(&name.as_str()));
            assert!(clean, "{place_of_it}: {left:?}");
            tries += 1;
        }
    }
    assert!(tries > 25, "{tries}");
}
