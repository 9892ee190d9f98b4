//! What is on the disk at any moment is the volume before a batch or the one after it; what fails leaves nothing half.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use common::{Place, add, entries, name, set_times};
use pseudotape_farm::{
    Adding, After, Damage, Error, Finding, Keeping, Number, Root, State, Step, Told, Verb, Witness,
    capsule_number, rebuild, release,
};

/// One change of names.
#[derive(Clone)]
enum Change {
    Made(String, usize),
    Renamed(String, String, usize),
    Removed(String),
}

/// What of a folder is on stable storage, and what is not yet.
#[derive(Clone, Default)]
struct Disk {
    /// Of each file what was written, and whether it is on stable storage.
    files: Vec<(Vec<u8>, bool)>,
    names: BTreeMap<String, usize>,
    stable: BTreeMap<String, usize>,
    loose: Vec<Change>,
}

/// What became of files that were not on stable storage.
#[derive(Clone, Copy)]
enum Lost {
    Nothing,
    All,
    Half,
}

/// What became of names that were not.
#[derive(Clone, Copy)]
enum Arrived {
    All,
    None,
    AllButLast,
    LastOnly,
}

impl Disk {
    fn of(folder: &Path) -> Self {
        let mut disk = Disk::default();
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let entry = entry.expect("an entry");
            disk.files
                .push((fs::read(entry.path()).expect("a file"), true));
            let name = entry.file_name().into_string().expect("text");
            disk.names.insert(name, disk.files.len() - 1);
        }
        disk.stable = disk.names.clone();
        disk
    }

    fn saw(&mut self, step: Step<'_>, folder: &Path) {
        match step {
            Step::Wrote { name } => {
                self.files
                    .push((fs::read(folder.join(name)).expect("a file"), false));
                self.names.insert(name.to_owned(), self.files.len() - 1);
                self.loose
                    .push(Change::Made(name.to_owned(), self.files.len() - 1));
            }
            Step::SyncedFile { name } => self.files[self.names[name]].1 = true,
            Step::SyncedFiles => self.files.iter_mut().for_each(|file| file.1 = true),
            Step::Renamed { from, to } => {
                let file = self.names.remove(from).expect("it was made");
                self.names.insert(to.to_owned(), file);
                self.loose
                    .push(Change::Renamed(from.to_owned(), to.to_owned(), file));
            }
            Step::SyncedNames => {
                self.stable = self.names.clone();
                self.loose.clear();
            }
            Step::Removed { name } => {
                self.names.remove(name);
                self.loose.push(Change::Removed(name.to_owned()));
            }
            _ => {}
        }
    }

    /// Makes a folder as it could be found if the power went now.
    fn after_power_loss(&self, lost: Lost, arrived: Arrived, into: &Path) {
        let last = self.loose.len().saturating_sub(1);
        let changes = match arrived {
            Arrived::All => &self.loose[..],
            Arrived::None => &[],
            Arrived::AllButLast => &self.loose[..last],
            Arrived::LastOnly => &self.loose[last..],
        };
        let mut names = self.stable.clone();
        for change in changes {
            match change {
                Change::Made(name, file) => drop(names.insert(name.clone(), *file)),
                Change::Renamed(from, to, file) => {
                    names.remove(from);
                    names.insert(to.clone(), *file);
                }
                Change::Removed(name) => drop(names.remove(name)),
            }
        }
        fs::create_dir_all(into).expect("a folder");
        for (name, file) in names {
            let (bytes, is_stable) = &self.files[file];
            let kept = match (is_stable, lost) {
                (true, _) | (_, Lost::Nothing) => bytes.len(),
                (_, Lost::All) => 0,
                (_, Lost::Half) => bytes.len() / 2,
            };
            let mut found = bytes[..kept].to_vec();
            if matches!(lost, Lost::Half) {
                // The length was known already.
                found.resize(bytes.len(), 0);
            }
            fs::write(into.join(name), found).expect("a file");
        }
    }
}

/// Keeps a picture of the disk after each step.
struct Pictures {
    folder: PathBuf,
    disk: Disk,
    taken: Arc<Mutex<Vec<(String, Disk)>>>,
}

impl Witness for Pictures {
    fn step(&mut self, step: Step<'_>) -> io::Result<()> {
        if matches!(step, Step::Reading { .. } | Step::Writing { .. }) {
            return Ok(());
        }
        self.disk.saw(step, &self.folder);
        self.taken
            .lock()
            .expect("no panic")
            .push((format!("{step:?}"), self.disk.clone()));
        Ok(())
    }
}

/// The titles of a volume with their contents' digests; `None` where it has no directory yet. All of them are whole.
fn state(root: &Root, at: &str) -> Option<BTreeMap<String, String>> {
    let volume = match root.look(&name("V")) {
        Ok(volume) => volume,
        Err(Error::NeverMade { .. } | Error::NoDirectory { .. }) => return None,
        Err(error) => panic!("{at}: {error}"),
    };
    let listed = volume.directory().entries();
    volume.verify(listed, &mut |finding| {
        assert!(
            matches!(finding, Finding::Whole(_)),
            "{at}: half listed: {finding:?}"
        );
    });
    let digest =
        |entry: &pseudotape_farm::Entry| format!("{} {:?}", entry.state.word(), entry.digest);
    Some(
        listed
            .iter()
            .map(|entry| (entry.title.to_string(), digest(entry)))
            .collect(),
    )
}

/// A file that is put where it is added from: name, text, time.
type Put<'a> = (&'a str, &'a str, u64);

fn put(place: &Place, verb: Verb, root: &Root, files: &[Put<'_>]) {
    let files = files.iter().map(|(name, text, time)| {
        let path = place.file(name, text);
        set_times(&path, *time);
        path
    });
    let files: Vec<PathBuf> = files.collect();
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    add(root, "V", verb, &files).expect("added");
}

/// Adds files in a volume that has others.
fn looked_at(verb: Verb, before: &[Put<'_>], then: &[Put<'_>]) {
    let place = Place::in_memory();
    if !before.is_empty() {
        put(&place, verb, &place.root(), before);
    }
    looked_at_in(&place, |root| put(&place, verb, root, then));
}

/// Runs a change with a picture after each step, and looks at every disk that could be found.
fn looked_at_in(place: &Place, change: impl FnOnce(&Root)) {
    let root = place.root();
    let folder = place.path("farm/V");
    let taken = Arc::new(Mutex::new(Vec::new()));
    let witness = Pictures {
        disk: Disk::of(&folder),
        folder: folder.clone(),
        taken: Arc::clone(&taken),
    };
    let old = folder.exists().then(|| state(&root, "before")).flatten();
    change(&root.clone().watched(witness));
    let new = state(&root, "after");
    let empty = Some(BTreeMap::new());
    let later = place.file("later", "later");
    let mut seen = BTreeSet::new();
    for (step, disk) in taken.lock().expect("no panic").iter() {
        let files = if disk.files.iter().all(|file| file.1) {
            1
        } else {
            3
        };
        let names = disk.loose.len().min(3) + 1;
        for lost in [Lost::Nothing, Lost::All, Lost::Half]
            .into_iter()
            .take(files)
        {
            let arrived = [
                Arrived::All,
                Arrived::None,
                Arrived::AllButLast,
                Arrived::LastOnly,
            ];
            for arrived in arrived.into_iter().take(names) {
                let again = tempfile::tempdir_in(place.path("")).expect("a folder");
                disk.after_power_loss(lost, arrived, &again.path().join("V"));
                let root = Root::open(again.path()).expect("a root");
                let found = state(&root, step);
                let one_of_both = found == old || found == new || (old.is_none() && found == empty);
                assert!(
                    one_of_both,
                    "{step}: between the old and the new one: {found:?}"
                );
                seen.insert(found == new);
                goes_on(&root, found, &later, step);
            }
        }
    }
    assert_eq!(seen.len(), 2, "both the old and the new one were met");
}

/// What was left is made whole by `rebuild`, and goes on with numbers that nothing had.
fn goes_on(root: &Root, found: Option<BTreeMap<String, String>>, later: &Path, step: &str) {
    let numbers = |root: &Root| -> BTreeSet<Number> {
        let names = fs::read_dir(root.path().join("V")).expect("a volume");
        names
            .filter_map(|entry| capsule_number(entry.expect("an entry").file_name().to_str()?))
            .collect()
    };
    let had = numbers(root);
    let volume =
        rebuild(root, &name("V"), &mut |_| {}).unwrap_or_else(|error| panic!("{step}: {error}"));
    drop(volume);
    let rebuilt = state(root, step).expect("a directory");
    for title in found.unwrap_or_default().into_keys() {
        assert!(
            rebuilt.contains_key(&title),
            "{step}: {title} was lost by the rebuilding"
        );
    }
    assert_eq!(numbers(root), had, "{step}: no capsule is removed");
    let told =
        add(root, "V", Verb::Add, &[later]).unwrap_or_else(|error| panic!("{step}: {error}"));
    let [Told::Added(entry)] = &told[..] else {
        panic!("{step}: {told:?}");
    };
    assert!(
        had.iter().all(|number| *number < entry.number),
        "{step}: a number was used twice"
    );
    let mut findings = Vec::new();
    let volume = root.look(&name("V")).expect("a volume");
    volume
        .find_foreign(&mut |finding| findings.push(finding))
        .expect("listed");
    let leftover = |finding: &Finding| matches!(finding, Finding::Wrong(_, Damage::Leftover));
    assert!(!findings.iter().any(leftover), "{step}: {findings:?}");
}

/// CW-02, CW-03, CW-34.
#[test]
fn a_new_volume_is_there_or_not_whenever_the_power_goes() {
    looked_at(Verb::Add, &[], &[("a", "first", 1), ("b", "second", 1)]);
}

/// CW-02, CW-09: the old capsule goes only after the new one is committed.
#[test]
fn a_replaced_file_is_the_old_or_the_new_one_whenever_the_power_goes() {
    looked_at(
        Verb::AddAndCompare,
        &[("a", "first", 1), ("b", "second", 1)],
        &[("a", "better", 2), ("c", "third", 1)],
    );
}

/// CW-02: so many files that they are committed by one call for all.
#[test]
fn many_files_are_there_or_not_whenever_the_power_goes() {
    let names: Vec<String> = (0..12).map(|number| format!("m{number}")).collect();
    let files: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), "text", 1))
        .collect();
    looked_at(Verb::Add, &[("a", "first", 1)], &files);
}

/// CW-23: a file is there until its stub is.
#[test]
fn a_released_file_is_there_or_its_stub_whenever_the_power_goes() {
    let place = Place::in_memory();
    put(
        &place,
        Verb::Add,
        &place.root(),
        &[("a", "first", 1), ("b", "second", 1)],
    );
    let title = place.title("a");
    looked_at_in(&place, |root| {
        let after = release(root, &name("V"), &[title], "ada", &mut |_| {}).expect("released");
        assert_eq!(after, After::Kept);
    });
}

/// Fails one step.
struct Fault {
    /// Steps before it.
    left: usize,
    kind: io::ErrorKind,
    /// Whether only the writing of bytes counts.
    writing: bool,
    failed: Arc<Mutex<bool>>,
}

impl Witness for Fault {
    fn step(&mut self, step: Step<'_>) -> io::Result<()> {
        let counts = !self.writing || matches!(step, Step::Writing { .. });
        let reading = matches!(step, Step::Reading { .. });
        if !counts || reading {
            return Ok(());
        }
        if self.left == 0 {
            *self.failed.lock().expect("no panic") = true;
            return Err(self.kind.into());
        }
        self.left -= 1;
        Ok(())
    }
}

fn failed_at_each_step(kind: io::ErrorKind, writing: bool) {
    let mut at = 0;
    loop {
        let place = Place::in_memory();
        let root = place.root();
        let a = place.file("a", "first");
        add(&root, "V", Verb::Add, &[&a]).expect("added");
        let before = place.bytes("V");
        let old = state(&root, "before");
        // Longer than what is made in memory.
        let big = place.path("src/big");
        fs::write(&big, vec![b'x'; (4 << 20) + 1]).expect("a file");
        let b = place.file("b", "second");
        let failed = Arc::new(Mutex::new(false));
        let fault = Fault {
            left: at,
            kind,
            writing,
            failed: Arc::clone(&failed),
        };
        let done = add(&root.clone().watched(fault), "V", Verb::Add, &[&big, &b]);
        if !*failed.lock().expect("no panic") {
            done.expect("nothing failed");
            assert!(at > 5, "{at} steps");
            return;
        }
        let error = done.expect_err("it failed");
        let found = state(&root, "after");
        if writing {
            assert!(matches!(error, Error::Full { .. }), "{error}");
            assert!(error.to_string().contains("the disk is full"), "{error}");
            // Of the directory that was not finished the next command clears what is left.
            let after = place.bytes("V");
            let but_one: Vec<_> = after
                .into_iter()
                .filter(|(name, _)| name != "FILE000.dir.tmp")
                .collect();
            let capsule = |file: &&(String, Vec<u8>)| before.contains(file);
            assert!(
                but_one.iter().filter(capsule).count() == before.len(),
                "step {at}"
            );
        }
        let count = found.as_ref().map_or(0, BTreeMap::len);
        assert!(found == old || count == 3, "step {at}: {found:?}");
        // The same again does it.
        add(&root, "V", Verb::Add, &[&big, &b]).expect("added");
        assert_eq!(
            state(&root, "again").expect("a volume").len(),
            3,
            "step {at}"
        );
        at += 1;
    }
}

/// CW-67: a disk that is full in the middle of a capsule leaves nothing half, and the same command again goes on.
#[test]
fn a_full_disk_leaves_nothing_half() {
    failed_at_each_step(io::ErrorKind::StorageFull, true);
}

#[test]
fn a_step_that_fails_leaves_the_old_volume_or_the_new_one() {
    failed_at_each_step(io::ErrorKind::Other, false);
}

/// Makes a file with the name of the second capsule, when that is about to get it.
struct Stranger(PathBuf);

impl Witness for Stranger {
    fn step(&mut self, step: Step<'_>) -> io::Result<()> {
        match step {
            Step::SyncedFile { name } if name.starts_with("FILE0000001") => {
                fs::write(self.0.join("FILE0000002.ptape"), "of somebody else")
            }
            _ => Ok(()),
        }
    }
}

#[test]
fn what_somebody_else_put_there_is_neither_replaced_nor_removed() {
    let place = Place::in_memory();
    let (a, b) = (place.file("a", "first"), place.file("b", "second"));
    let root = place.root();
    let strange = root.clone().watched(Stranger(place.path("farm/V")));
    let error = add(&strange, "V", Verb::Add, &[&a, &b]).expect_err("its name is taken");
    assert!(error.to_string().contains("FILE0000002.ptape"), "{error}");
    let there = fs::read(place.path("farm/V/FILE0000002.ptape")).expect("it is there");
    assert_eq!(there, b"of somebody else");
    assert_eq!(state(&root, "after"), Some(BTreeMap::new()));
    assert_eq!(place.capsules("V"), ["FILE000.dir", "FILE0000002.ptape"]);
    add(&root, "V", Verb::Add, &[&a, &b]).expect("added behind it");
    let numbers: Vec<u64> = entries(&root, "V")
        .iter()
        .map(|entry| entry.number.0.get())
        .collect();
    assert_eq!(numbers, [3, 4]);
}

/// Does something to files while they are read.
struct Meanwhile<F>(F);

impl<F: FnMut(&str) -> io::Result<()> + Send> Witness for Meanwhile<F> {
    fn step(&mut self, step: Step<'_>) -> io::Result<()> {
        match step {
            Step::Reading { title, .. } => (self.0)(&title.to_string()),
            _ => Ok(()),
        }
    }
}

fn added_meanwhile(
    place: &Place,
    keeping: Keeping,
    meanwhile: impl FnMut(&str) -> io::Result<()> + Send + 'static,
) -> Vec<pseudotape_farm::Entry> {
    let root = place.root().watched(Meanwhile(meanwhile));
    let mut volume = root.open_or_create(&name("V")).expect("a volume");
    let mut tell = |_| {};
    let mut adding = Adding::to(&mut volume, Verb::Add, keeping, &mut tell);
    adding.path(&place.path("src")).expect("added");
    adding.finish().expect("added");
    drop(volume);
    let listed = entries(&place.root(), "V");
    state(&place.root(), "after").expect("all that is listed is whole");
    listed
}

#[test]
fn a_file_that_changes_while_it_is_read_is_read_again_and_else_named() {
    let grow = |path: PathBuf, times: usize| {
        let mut left = times;
        move |title: &str| {
            if title.ends_with("/b") && left > 0 {
                left -= 1;
                let text = fs::read_to_string(&path).expect("a file");
                fs::write(&path, text + "more")?;
            }
            Ok(())
        }
    };
    for (times, keeping, state, length) in [
        (1, Keeping::Changed, State::Ok, 10),
        (2, Keeping::Missing, State::Ok, 14),
        (usize::MAX, Keeping::Changed, State::Changed, 14),
        (usize::MAX, Keeping::Missing, State::Missing, 14),
    ] {
        let place = Place::in_memory();
        place.file("a", "first");
        let b = place.file("b", "second");
        let listed = added_meanwhile(&place, keeping, grow(b, times));
        let states: Vec<State> = listed.iter().map(|entry| entry.state).collect();
        assert_eq!(states, [State::Ok, state], "{times}");
        assert_eq!(listed[1].length, length, "{times}");
    }
}

#[test]
fn a_file_that_becomes_shorter_is_never_filled_up() {
    let place = Place::in_memory();
    let b = place.file("b", &"x".repeat(5000));
    let mut length = 5000;
    let listed = added_meanwhile(&place, Keeping::Changed, move |_| {
        length -= 100;
        fs::File::options().write(true).open(&b)?.set_len(length)
    });
    assert_eq!(listed[0].state, State::Missing);
    assert!(
        listed[0]
            .why
            .as_deref()
            .is_some_and(|why| why.contains("shorter")),
        "{listed:?}"
    );
}

/// CW-79: a read error of one file makes a capsule that says so, and the job goes on; the file counts as absent.
#[test]
fn a_read_error_makes_a_missing_capsule_and_the_others_are_added() {
    let place = Place::in_memory();
    place.file("a", "first");
    place.file("b", "second");
    place.file("c", "third");
    let listed = added_meanwhile(&place, Keeping::Changed, |title| {
        match title.ends_with("/b") {
            true => Err(io::Error::from_raw_os_error(5)),
            false => Ok(()),
        }
    });
    let states: Vec<State> = listed.iter().map(|entry| entry.state).collect();
    assert_eq!(states, [State::Ok, State::Missing, State::Ok]);
    let why = listed[1].why.clone().expect("a reason");
    assert!(why.contains("Input/output error"), "{why}");
    assert_eq!(listed[1].length, 6, "what it should have been");
    // It can be read now.
    let told = add(&place.root(), "V", Verb::Add, &[&place.path("src")]).expect("added");
    let replaced: Vec<_> = told
        .iter()
        .filter(|one| matches!(one, Told::Replaced(_)))
        .collect();
    assert_eq!(replaced.len(), 1, "{told:?}");
    let listed = entries(&place.root(), "V");
    assert!(listed.iter().all(|entry| entry.state == State::Ok));
    assert_eq!(
        listed.last().expect("three").number.0.get(),
        4,
        "numbers are never used twice"
    );
}

/// Counts commits.
struct Commits(Arc<Mutex<(usize, usize)>>);

impl Witness for Commits {
    fn step(&mut self, step: Step<'_>) -> io::Result<()> {
        let mut counts = self.0.lock().expect("no panic");
        match step {
            Step::SyncedFiles | Step::SyncedFile { .. } => counts.0 += 1,
            Step::Wrote { .. } => counts.1 += 1,
            _ => {}
        }
        Ok(())
    }
}

#[test]
fn many_capsules_are_committed_by_few_calls() {
    let place = Place::in_memory();
    for number in 0..1100 {
        place.file(&format!("{number}"), "x");
    }
    let counts = Arc::new(Mutex::new((0, 0)));
    let root = place.root().watched(Commits(Arc::clone(&counts)));
    add(&root, "V", Verb::Add, &[&place.path("src")]).expect("added");
    // Two batches; the directory is written when the volume is made and with each.
    assert_eq!(*counts.lock().expect("no panic"), (5, 1103));
    assert_eq!(entries(&place.root(), "V").len(), 1100);
}
