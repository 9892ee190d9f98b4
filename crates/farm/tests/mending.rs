//! A capsule that is gone or damaged counts as absent for those who add; what can't be told stays as it is.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Place, add, entries, name};
use pseudotape_farm::{Adding, Finding, Keeping, Looking, Told, Verb, capsule_name};

/// Three files, `a`, `b` and `c`, with the capsules 1 to 3.
fn three(place: &Place) -> Vec<PathBuf> {
    let files = ["a", "b", "c"].map(|file| place.file(file, &format!("text of {file}")));
    let paths: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    add(&place.root(), "V", Verb::Add, &paths).expect("added");
    files.to_vec()
}

/// Adds with a look at what is present.
fn looking(place: &Place, verb: Verb, looking: Looking, paths: &[PathBuf]) -> Vec<String> {
    let mut told = Vec::new();
    let mut tell = |one| {
        told.push(match one {
            Told::Added(entry) => format!("added {} {}", entry.number, entry.title),
            Told::Replaced(entry) => format!("replaced {} {}", entry.number, entry.title),
            Told::Mended(title, fault) => format!("mended {title}: {fault}"),
            Told::Present(title) => format!("present {title}"),
            Told::NotBetter(title) => format!("not better {title}"),
            Told::LeftOut(left_out) => format!("left out {}", left_out.why),
            other => format!("{other:?}"),
        });
    };
    let root = place.root();
    let mut volume = common::opened(&root, "V").expect("a volume");
    let mut adding = Adding::to(&mut volume, verb, Keeping::Changed, &mut tell).looking(looking);
    for path in paths {
        adding.path(path).expect("offered");
    }
    adding.finish().expect("committed");
    told.iter()
        .map(|one| one.replace(&source(place), ""))
        .collect()
}

fn source(place: &Place) -> String {
    place.title("").to_string() + "/"
}

fn capsule(place: &Place, number: u64) -> PathBuf {
    place.path(&format!("farm/V/FILE{number:07}.ptape"))
}

/// Names of files that are wrong.
fn wrong(place: &Place) -> Vec<String> {
    let volume = place.root().look(&name("V")).expect("a volume");
    let mut wrong = Vec::new();
    let mut tell = |finding| {
        if let Finding::Wrong(file, _) = finding {
            wrong.push(file);
        }
    };
    volume.verify(volume.directory().entries(), &mut tell);
    volume.find_foreign(&mut tell).expect("a folder");
    wrong
}

/// Changes a bit of the contents.
fn spoil(place: &Place, number: u64, text: &str) {
    let mut bytes = fs::read(capsule(place, number)).expect("a capsule");
    let at = bytes
        .windows(text.len())
        .position(|part| part == text.as_bytes());
    bytes[at.expect("its contents")] ^= 1;
    fs::write(capsule(place, number), bytes).expect("written");
}

/// CW-08, CW-03: what can't be had is added again, with a number of its own, and what is whole is left alone.
#[test]
fn add_makes_a_new_capsule_where_one_is_gone_or_cut_off() {
    for verb in [Verb::Add, Verb::AddAndCompare] {
        let place = Place::in_memory();
        let files = three(&place);
        fs::remove_file(capsule(&place, 1)).expect("removed");
        fs::write(capsule(&place, 2), b"").expect("cut");
        let told = looking(&place, verb, Looking::Opened, &files);
        assert_eq!(told.len(), 5, "{told:?}");
        assert!(
            told[0].contains(" c") && !told[0].contains("added"),
            "{told:?}"
        );
        assert_eq!(told[1], "mended a: it is not there");
        assert_eq!(told[2], "replaced 4 a");
        assert!(
            told[3].starts_with("mended b: not a pseudotape image"),
            "{told:?}"
        );
        assert_eq!(told[4], "replaced 5 b");
        assert_eq!(wrong(&place), [""; 0]);
        let numbers = entries(&place.root(), "V").into_iter();
        let numbers: Vec<String> = numbers.map(|entry| capsule_name(entry.number)).collect();
        assert_eq!(
            numbers,
            [
                "FILE0000003.ptape",
                "FILE0000004.ptape",
                "FILE0000005.ptape"
            ]
        );
        assert!(!capsule(&place, 2).exists(), "the empty one went");
    }
}

/// CW-08: a changed bit in the contents is found by who reads them.
#[test]
fn a_changed_bit_in_the_contents_is_found_where_present_files_are_read() {
    let place = Place::in_memory();
    let files = three(&place);
    spoil(&place, 2, "text of b");
    let opened = looking(&place, Verb::Add, Looking::Opened, &files);
    assert_eq!(opened, ["present a", "present b", "present c"]);
    let read = looking(&place, Verb::Add, Looking::ToTheEnd, &files);
    assert_eq!(read[..2], ["present a", "present c"]);
    assert!(read[2].starts_with("mended b: "), "{read:?}");
    assert_eq!(read[3], "replaced 4 b");
    assert_eq!(wrong(&place), [""; 0]);
}

/// CW-08: in the place of a file's capsule is that of another file, which is not to be lost.
#[test]
fn a_capsule_of_another_file_stays_where_it_is() {
    let place = Place::in_memory();
    let files = three(&place);
    fs::rename(capsule(&place, 2), capsule(&place, 1)).expect("renamed");
    let told = looking(&place, Verb::Add, Looking::Opened, &files[..1]);
    assert!(
        told[0].starts_with("mended a: it is another capsule"),
        "{told:?}"
    );
    assert_eq!(told[1], "added 4 a");
    assert!(capsule(&place, 1).exists(), "it has what is left of b");
    assert_eq!(wrong(&place), ["FILE0000002.ptape", "FILE0000001.ptape"]);
}

/// CW-08: nothing takes the place of what can't be looked at; it is named.
#[test]
fn what_can_not_be_told_stays_and_is_named() {
    let place = Place::in_memory();
    let files = three(&place);
    fs::remove_file(capsule(&place, 1)).expect("removed");
    fs::create_dir(capsule(&place, 1)).expect("a folder");
    for verb in [Verb::Add, Verb::AddAndCompare] {
        let told = looking(&place, verb, Looking::Opened, &files[..1]);
        assert_eq!(
            told,
            [
                "left out it is present, and its capsule FILE0000001.ptape can't be looked at: it is a folder; it was \
              left as it is"
            ]
        );
        assert!(capsule(&place, 1).is_dir());
    }
}

/// CW-79, CW-08: a file that can't be read does not take the place of what is left of a damaged one.
#[test]
fn a_damaged_capsule_stays_where_its_file_can_not_be_read_again() {
    let place = Place::in_memory();
    let path = place.path("short");
    // A file that gives fewer bytes than its length.
    fs::write(&path, "text").expect("a file");
    let before = add(&place.root(), "V", Verb::Add, &[&path]).expect("added");
    assert_eq!(before.len(), 1);
    let bytes = fs::read(capsule(&place, 1)).expect("a capsule");
    fs::write(capsule(&place, 1), &bytes[..bytes.len() / 2]).expect("cut");
    fs::remove_file(&path).expect("removed");
    let told = looking(&place, Verb::Add, Looking::Opened, &[path]);
    assert!(told[0].starts_with("left out No such file"), "{told:?}");
    assert!(capsule(&place, 1).exists());
}

/// CW-08: a merge mends as well, from a volume that has the file.
#[test]
fn a_merge_brings_back_what_is_gone() {
    let place = Place::in_memory();
    let files = three(&place);
    let paths: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    add(&place.root(), "W", Verb::Add, &paths).expect("added");
    fs::remove_file(capsule(&place, 3)).expect("removed");
    let root = place.root();
    let source = root.look(&name("W")).expect("a volume");
    let mut mended = 0;
    let mut tell = |one| mended += u64::from(matches!(one, Told::Mended(..)));
    let mut volume = common::opened(&root, "V").expect("a volume");
    let mut adding = Adding::to(&mut volume, Verb::Add, Keeping::Changed, &mut tell);
    let entries = source.directory().entries();
    adding.volume(&source, entries).expect("merged");
    adding.finish().expect("merged");
    drop(volume);
    assert_eq!((mended, wrong(&place)), (1, Vec::new()));
}
