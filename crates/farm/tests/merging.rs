//! Volumes that get the files of others.

mod common;

use std::fs;
use std::path::Path;

use common::{Place, add, attributes, entries, make_fifo, name, opened, set_attribute, set_times};
use pseudotape_farm::{
    Adding, Error, Existing, Extracted, Keeping, Root, Told, Verb, extract, release,
};

fn merged(root: &Root, into: &str, verb: Verb, sources: &[&str]) -> Result<Vec<Told>, Error> {
    let mut told = Vec::new();
    let mut tell = |one| told.push(one);
    let mut volume = opened(root, into)?;
    let mut adding = Adding::to(&mut volume, verb, Keeping::Changed, &mut tell);
    for source in sources {
        let source = root.look(&name(source))?;
        adding.volume(&source, source.directory().entries())?;
    }
    adding.finish()?;
    Ok(told)
}

fn contents(place: &Place, volume: &str, title: &str) -> String {
    let volume = place.root().look(&name(volume)).expect("a volume");
    let title = place.title(title);
    let entry = volume.directory().find(&title).expect("a file").clone();
    let out = place.path("out");
    fs::create_dir_all(&out).expect("a folder");
    let got = extract(&volume, &entry, &out, Existing::Replaced);
    assert!(
        matches!(&got, Extracted::Done(notes) if notes.is_empty()),
        "{got:?}"
    );
    fs::read_to_string(out.join(title.path())).expect("a file")
}

/// CW-32: all comes over, with all attributes, and not a byte of the sources changes.
#[test]
fn a_merge_takes_everything_over_and_leaves_its_sources_alone() {
    let place = Place::new();
    let root = place.root();
    let plain = place.file("plain", "text");
    set_attribute(&plain, "user.vault.cycle", b"4");
    set_times(&plain, 5000);
    make_fifo(&place.path("src/fifo"));
    std::os::unix::fs::symlink("plain", place.path("src/link")).expect("a link");
    let sparse = fs::File::create(place.path("src/sparse")).expect("a file");
    sparse.set_len(900_000).expect("longer");
    place.file("gone", "released");
    add(&root, "one", Verb::Add, &[&place.path("src")]).expect("added");
    let titles = [place.title("gone")];
    release(&root, &name("one"), &titles, "ada", &mut |_| {}).expect("released");
    let other = place.file("other", "of another volume");
    add(&root, "two", Verb::Add, &[&other]).expect("added");
    let before = (place.bytes("one"), place.bytes("two"));

    let told = merged(&root, "V", Verb::Add, &["one", "two"]).expect("merged");
    assert_eq!((place.bytes("one"), place.bytes("two")), before);
    let left_out: Vec<String> = told
        .iter()
        .filter_map(|one| match one {
            Told::LeftOut(left_out) => Some(left_out.why.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(left_out, ["not on one: released"]);
    let listed = entries(&root, "V");
    assert_eq!(listed.len(), 5);
    let one = root.look(&name("one")).expect("a volume");
    for entry in &listed {
        let Some(source) = one.directory().find(&entry.title) else {
            continue;
        };
        assert_eq!(
            (entry.stamp, entry.digest, entry.length, entry.kind),
            (source.stamp, source.digest, source.length, source.kind)
        );
        assert_ne!(entry.capsule, source.capsule, "a capsule of its own");
    }
    let out = place.path("out");
    fs::create_dir(&out).expect("a folder");
    let volume = root.look(&name("V")).expect("a volume");
    for entry in &listed {
        let got = extract(&volume, entry, &out, Existing::Kept);
        assert!(
            matches!(&got, Extracted::Done(notes) if notes.is_empty()),
            "{got:?}"
        );
        let original = Path::new("/").join(entry.title.path());
        assert_eq!(
            attributes(&out.join(entry.title.path())),
            attributes(&original)
        );
    }
    // The same again has nothing to do.
    let again = merged(&root, "V", Verb::Add, &["two"]).expect("merged");
    assert!(matches!(&again[..], [Told::Present(_)]), "{again:?}");
}

/// CW-40: of one title in two sources the first counts, or the better one, wherever it stands.
#[test]
fn of_one_title_in_two_sources_the_first_or_the_better_one_counts() {
    for (verb, sources, expected) in [
        (Verb::Add, ["old", "new"], "old"),
        (Verb::Add, ["new", "old"], "new"),
        (Verb::AddAndCompare, ["old", "new"], "new"),
        (Verb::AddAndCompare, ["new", "old"], "new"),
    ] {
        let place = Place::in_memory();
        for (volume, cycle) in [("old", 1000), ("new", 2000)] {
            let path = place.file("f", volume);
            set_times(&path, cycle);
            add(&place.root(), volume, Verb::Add, &[&path]).expect("added");
        }
        merged(&place.root(), "V", verb, &sources).expect("merged");
        assert_eq!(contents(&place, "V", "f"), expected, "{verb:?} {sources:?}");
        assert_eq!(entries(&place.root(), "V").len(), 1);
        assert_eq!(
            place.capsules("V").len(),
            2,
            "its directory and one capsule"
        );
    }
}

/// A source that is damaged is named; nothing wrong comes over, and the others do.
#[test]
fn what_is_damaged_in_a_source_does_not_come_over() {
    let place = Place::in_memory();
    let root = place.root();
    for name in ["a", "b", "c"] {
        let before = if name == "a" { 30_000 } else { 0 };
        let text = format!("{}the text of {name}", "x".repeat(before));
        place.file(name, &text);
    }
    add(&root, "W", Verb::Add, &[&place.path("src")]).expect("added");
    let spoil = |number: u32, text: &[u8]| {
        let path = place.path(&format!("farm/W/FILE{number:07}.ptape"));
        let mut bytes = fs::read(&path).expect("a capsule");
        let at = bytes.windows(text.len()).position(|part| part == text);
        bytes[at.expect("its text")] ^= 1;
        fs::write(&path, bytes).expect("damaged");
    };
    spoil(1, b"the text of a");
    spoil(2, b"pseudotape.farm=1");
    let told = merged(&root, "V", Verb::Add, &["W"]).expect("merged");
    let why: Vec<String> = told
        .iter()
        .filter_map(|one| match one {
            Told::LeftOut(left_out) => Some(left_out.why.to_string()),
            _ => None,
        })
        .collect();
    // The first one is read up to its damage.
    assert!(
        why[0].contains("could not be read") && why[0].contains("is damaged"),
        "{why:?}"
    );
    assert!(
        why[1].contains("FILE0000002.ptape of W is damaged"),
        "{why:?}"
    );
    assert_eq!(entries(&root, "V").len(), 1);
    assert_eq!(
        place.capsules("V").len(),
        2,
        "its directory and one capsule"
    );
    assert_eq!(contents(&place, "V", "c"), "the text of c");
    let gone = entries(&root, "W").remove(2);
    fs::remove_file(place.path("farm/W/FILE0000003.ptape")).expect("removed");
    fs::remove_dir_all(place.path("farm/V")).expect("removed");
    let told = merged(&root, "V", Verb::Add, &["W"]).expect("merged");
    assert!(
        told.iter().any(
            |one| matches!(one, Told::LeftOut(left_out) if left_out.path == gone.title.path()
            && left_out.why.to_string().contains("it is not there"))
        ),
        "{told:?}"
    );
}
