//! Structured volumes: what a crash leaves in folders, and where versions of a title lie.

mod common;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use common::{Place, add, entries, name};
use pseudotape_farm::{Error, Finding, Marks, Root, Step, Verb, Witness};

fn structured(root: Root) -> Root {
    root.marking(Marks::default().with_folders(true))
}

/// All files below a folder, with their paths.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => all.extend(files(&path)),
            false => all.push(path),
        }
    }
    all.sort();
    all
}

fn copied(from: &Path, to: &Path) {
    for path in files(from) {
        let to = to.join(path.strip_prefix(from).expect("below"));
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        fs::copy(&path, &to).expect("a copy");
    }
}

fn findings(root: &Root) -> Vec<String> {
    let volume = root.look(&name("V")).expect("a volume");
    let mut wrong = Vec::new();
    let mut tell = |finding| {
        if let Finding::Wrong(file, damage) = finding {
            wrong.push(format!("{file}: {damage:?}"));
        }
    };
    volume.verify(volume.directory().entries(), &mut tell);
    volume.find_foreign(&mut tell).expect("names");
    wrong
}

/// A copy of the root after each step.
struct Copies {
    farm: PathBuf,
    to: PathBuf,
    count: Arc<Mutex<usize>>,
}

impl Witness for Copies {
    fn step(&mut self, step: Step<'_>) -> io::Result<()> {
        if !matches!(step, Step::Reading { .. } | Step::Writing { .. }) {
            let mut count = self.count.lock().expect("no panic");
            copied(&self.farm, &self.to.join(count.to_string()).join("farm"));
            *count += 1;
        }
        Ok(())
    }
}

/// CW-53: killed at any step, the volume is the one before or the one after it; the same command again ends it, and
/// nothing is left over. CW-54: until the old version of a title goes, both lie in one folder.
#[test]
fn killed_anywhere_a_structured_volume_is_the_old_or_the_new_one() {
    let place = Place::in_memory();
    let root = structured(place.root());
    let src = place.path("src");
    place.file("u/a", "first");
    place.file("u/a b/c", "second");
    add(&root, "V", Verb::Add, &[&src]).expect("added");
    let before: Vec<_> = titles(&root);
    let changed = place.file("u/a", "first, and longer");
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(9);
    let file = fs::File::options()
        .write(true)
        .open(&changed)
        .expect("a file");
    file.set_modified(later).expect("a time");
    place.file("u/new/d", "third");
    place.file("top", "fourth");

    let count = Arc::new(Mutex::new(0));
    let copies = place.path("copies");
    let watched = place.root().watched(Copies {
        farm: place.path("farm"),
        to: copies.clone(),
        count: Arc::clone(&count),
    });
    add(&watched, "V", Verb::AddAndCompare, &[&src]).expect("added");
    drop(watched);
    let after = titles(&root);
    assert_eq!((before.len(), after.len()), (2, 4));

    let count = *count.lock().expect("no panic");
    assert!(count > 10, "{count}");
    let mut both_versions = 0;
    let mut met = [0, 0];
    for number in 0..count {
        let farm = copies.join(number.to_string()).join("farm");
        let root = Root::open(&farm).expect("a root");
        let now = titles(&root);
        match (now == before, now == after) {
            (true, _) => met[0] += 1,
            (_, true) => met[1] += 1,
            _ => panic!("{number}: {now:?}"),
        }
        // The directory's own capsules are whole at each step.
        let volume = root.look(&name("V")).expect("a volume");
        volume.verify(volume.directory().entries(), &mut |finding| {
            assert!(
                matches!(finding, Finding::Whole(_)),
                "{number}: {finding:?}"
            );
        });
        let capsules = files(&farm.join("V"));
        let of_a = capsules.iter().filter(|path| {
            let is_capsule = path.extension() == Some("ptape".as_ref());
            is_capsule && path.parent().expect("a folder").ends_with("src/u")
        });
        both_versions = both_versions.max(of_a.count());

        let mut volume = root.open_volume(&name("V")).expect("a volume");
        volume.adopt().expect("taken in");
        drop(volume);
        add(&root, "V", Verb::AddAndCompare, &[&src]).expect("added");
        assert_eq!(titles(&root), after, "{number}");
        let left = findings(&root);
        // The old version of a title, where the kill came before it went.
        assert!(left.len() <= 1, "{number}: {left:?}");
        assert!(
            left.iter().all(|one| one.contains("Unlisted(Ok")),
            "{number}: {left:?}"
        );
    }
    assert!(met[0] > 0 && met[1] > 0, "{met:?}");
    assert_eq!(both_versions, 2);
}

fn titles(root: &Root) -> Vec<(String, u64)> {
    let entries = entries(root, "V");
    let mut titles: Vec<_> = entries
        .iter()
        .map(|entry| (entry.title.to_string(), entry.length))
        .collect();
    titles.sort();
    titles
}

/// CW-53: a folder with another volume in it, whose directory is not there, is no structured volume without one.
#[test]
fn capsules_of_a_volume_in_a_folder_are_its_own() {
    let place = Place::in_memory();
    let path = place.file("a", "text");
    fs::create_dir(place.path("farm/V")).expect("a folder");
    let inner = Root::open(&place.path("farm/V")).expect("a root");
    add(&inner, "W", Verb::Add, &[&path]).expect("added");
    let error = place.root().look(&name("V")).expect_err("no volume");
    assert!(matches!(error, Error::Unflagged { .. }), "{error}");
}
