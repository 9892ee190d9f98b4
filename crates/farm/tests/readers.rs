//! CW-64: who reads a volume is not disturbed by a command that changes it, and takes nothing of that for damage.

mod common;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use common::{Place, add, entries, name, set_times};
use pseudotape_farm::{
    Damage, Entry, Existing, Exported, Extracted, Finding, Given, Marks, Repair, Root, Step, Verb,
    Volume, Witness, extract, release, repair,
};

/// What is put into the place of a file is better than it, and has another length.
fn better(place: &Place, file: &str, text: &str, time: u64) -> std::path::PathBuf {
    let path = place.file(file, text);
    set_times(&path, time);
    path
}

fn compare(root: &Root, path: &Path) {
    let told = add(root, "V", Verb::AddAndCompare, &[path]).expect("added");
    let word = format!("{told:?}");
    assert!(
        word.starts_with("[Replaced(") || word.starts_with("[Added("),
        "{word}"
    );
}

/// The contents of a file, with something that is done when the first of them come.
fn read(volume: &Volume, entry: &Entry, mut meanwhile: impl FnMut()) -> Vec<u8> {
    let mut got = Vec::new();
    let given = volume.give(entry, |given| {
        if let Given::Contents(bytes) = given {
            if got.is_empty() {
                meanwhile();
            }
            got.extend_from_slice(bytes);
        }
        Ok(())
    });
    assert!(given.expect("a whole capsule"));
    got
}

/// CW-64: a capsule that is being read is read to its end, though another one takes its place and it goes.
#[test]
fn two_read_one_capsule_while_a_better_one_takes_its_place() {
    let place = Place::in_memory();
    let root = place.root();
    // Longer than what is read in one piece.
    let text = "what was there first ".repeat(200_000);
    compare(&root, &better(&place, "a", &text, 1));
    let capsule = place.path("farm/V/FILE0000001.ptape");
    let volume = root.look(&name("V")).expect("a volume");
    let entry = volume.directory().entries()[0].clone();
    let mut second = Vec::new();
    let first = read(&volume, &entry, || {
        // A second reader is in the middle of it, too.
        second = read(&root.look(&name("V")).expect("a volume"), &entry, || {
            compare(&root, &better(&place, "a", "what is better", 2));
            assert!(!capsule.exists(), "it was replaced");
        });
    });
    assert_eq!(first, text.as_bytes());
    assert_eq!(second, text.as_bytes());
    let now = entries(&root, "V");
    assert_eq!((now.len(), now[0].length), (1, 14));
}

/// CW-64: a reader whose directory is older than the volume gets the file that is there now, and finds no damage.
#[test]
fn a_file_that_was_replaced_since_the_directory_was_read_is_the_one_that_is_there() {
    for structured in [false, true] {
        let place = Place::in_memory();
        let marks = Marks::compressed(false).with_folders(structured);
        let root = place.root().marking(marks);
        for file in ["sub/a", "sub/b", "sub/c"] {
            compare(&root, &better(&place, file, "first", 1));
        }
        let volume = root.look(&name("V")).expect("a volume");
        let old = volume.directory().entries().to_vec();
        for time in 2..5 {
            let text = "better".repeat(usize::try_from(time).expect("small"));
            compare(&root, &better(&place, "sub/a", &text, time));
        }
        release(
            &root,
            &name("V"),
            &[place.title("sub/c")],
            "ada",
            &mut |_| {},
        )
        .expect("released");

        let mut found = Vec::new();
        volume.verify(&old, &mut |finding| match finding {
            Finding::Whole(entry) => found.push((entry.number.0.get(), entry.state.word())),
            other => panic!("{other:?}"),
        });
        assert_eq!(found, [(6, "ok"), (2, "ok"), (7, "released")]);
        for entry in &old {
            volume.look_at(entry).expect("it is well");
        }
        let out = place.path("out");
        fs::create_dir(&out).expect("a folder");
        let got = |entry: &Entry| format!("{:?}", extract(&volume, entry, &out, Existing::Kept));
        assert_eq!(got(&old[0]), "Done([])");
        assert_eq!(got(&old[1]), "Done([])");
        assert_eq!(got(&old[2]), "NotThere(Released)");
        let a = fs::read_to_string(out.join(place.title("sub/a").path())).expect("a file");
        assert_eq!(a, "better".repeat(4));
        let (mut archive, mut told) = (Vec::new(), Vec::new());
        let mut put = |bytes: &[u8]| {
            archive.extend_from_slice(bytes);
            Ok(())
        };
        let mut tell = |exported| told.push(matches!(exported, Exported::Done(_)));
        volume
            .export(&old, None, &mut put, &mut tell)
            .expect("written");
        assert_eq!(told, [true, true, false]);
        let has = |text: &[u8]| archive.windows(text.len()).any(|part| part == text);
        assert!(has("better".repeat(4).as_bytes()) && has(b"first"));
        // Another host has the record of the file that it asked for: it hears that there is another one.
        let given = volume.give(&old[0], |_| panic!("nothing is given"));
        let why = given.expect_err("another file").to_string();
        assert!(why.contains("another file took its place"), "{why}");
        // What is gone without a successor is damage still.
        fs::remove_file(volume.capsule_path(old[1].number)).expect("removed");
        assert!(matches!(
            extract(&volume, &old[1], &out, Existing::Replaced),
            Extracted::Damaged(_)
        ));
    }
}

/// Looks at a volume after each step of a change.
struct Looking {
    root: Root,
    seen: Arc<Mutex<Vec<String>>>,
}

/// What is wrong, by a verification and by a repair that changes nothing.
fn wrong(root: &Root) -> Vec<String> {
    let volume = root.look(&name("V")).expect("a volume");
    let mut words = Vec::new();
    let mut tell = |finding| match finding {
        Finding::Whole(_) => {}
        Finding::Changing(_) => words.push("changing".to_owned()),
        Finding::Wrong(file, damage) => words.push(format!("{file}: {damage:?}")),
        other => words.push(format!("{other:?}")),
    };
    volume.verify(volume.directory().entries(), &mut tell);
    volume.find_foreign(&mut tell).expect("listed");
    let mut tell =
        |found: pseudotape_farm::Found| words.push(format!("{}: {:?}", found.file, found.remedy));
    repair(root, &name("V"), Repair::default(), &mut tell).expect("looked at");
    words
}

impl Witness for Looking {
    fn step(&mut self, _: Step<'_>) -> io::Result<()> {
        self.seen
            .lock()
            .expect("no panic")
            .extend(wrong(&self.root));
        Ok(())
    }
}

/// CW-64, CW-78: what a command that is at work has not finished is no leftover; when it was killed, it is one.
#[test]
fn what_a_running_command_has_not_finished_is_nothing_wrong() {
    for structured in [false, true] {
        let place = Place::in_memory();
        let marks = Marks::compressed(false).with_folders(structured);
        let root = place.root().marking(marks);
        compare(&root, &better(&place, "sub/a", "first", 1));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let looking = Looking {
            root: root.clone(),
            seen: Arc::clone(&seen),
        };
        let watched = root.clone().watched(looking);
        better(&place, "sub/a", "better", 2);
        better(&place, "sub/b", "second", 2);
        add(&watched, "V", Verb::AddAndCompare, &[&place.path("src")]).expect("added");
        let seen = seen.lock().expect("no panic");
        assert!(seen.len() > 5, "it was looked at in the middle: {seen:?}");
        assert!(seen.iter().all(|word| word == "changing"), "{seen:?}");
        assert_eq!(wrong(&root), [""; 0]);

        // As a killed command leaves it.
        let volume = root.look(&name("V")).expect("a volume");
        let beside = volume.capsule_path(volume.directory().entries()[0].number);
        fs::write(beside.with_file_name("FILE0000009.ptape.tmp"), "half").expect("a file");
        let volume = root.look(&name("V")).expect("a volume");
        let mut left = Vec::new();
        let mut tell = |finding| left.push(matches!(finding, Finding::Wrong(_, Damage::Leftover)));
        volume.find_foreign(&mut tell).expect("listed");
        assert_eq!(left, [true]);
        assert_eq!(wrong(&root).len(), 2);
    }
}
