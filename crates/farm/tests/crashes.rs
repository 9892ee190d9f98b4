//! What is on the disk at any moment is the volume before a batch or the one after it; what fails leaves nothing half.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use common::{Place, add, entries, name, opened, set_times};
use pseudotape_farm::{
    Adding, After, Damage, Error, Fault, Finding, Found, Keeping, Number, Remedy, Repair, Root,
    State, Step, Told, Verb, Witness, annotate, capsule_number, rebuild, release, repair,
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

/// The titles of a volume with their contents' digests; `None` where it has no directory yet. All of them are whole, or
/// have no file at all.
fn state(root: &Root, at: &str) -> Option<BTreeMap<String, String>> {
    let volume = match root.look(&name("V")) {
        Ok(volume) => volume,
        Err(Error::NeverMade { .. } | Error::NoDirectory { .. }) => return None,
        Err(error) => panic!("{at}: {error}"),
    };
    let listed = volume.directory().entries();
    let mut gone = BTreeSet::new();
    volume.verify(listed, &mut |finding| match finding {
        Finding::Whole(_) => {}
        Finding::Wrong(_, Damage::Capsule(title, Fault::Absent)) => drop(gone.insert(title)),
        other => panic!("{at}: half listed: {other:?}"),
    });
    let digest = |entry: &pseudotape_farm::Entry| match entry.state.has_file() {
        true if gone.contains(&entry.title) => "no file".to_owned(),
        false if entry.state == State::Missing => "no file".to_owned(),
        _ => format!("{} {:?} {:?}", entry.state.word(), entry.digest, entry.note),
    };
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
    let folder = place.path("farm/V");
    let old = folder
        .exists()
        .then(|| state(&place.root(), "before"))
        .flatten();
    let disks = each_disk(place, change);
    let new = state(&place.root(), "after");
    let empty = Some(BTreeMap::new());
    let later = place.file("later", "later");
    let mut seen = BTreeSet::new();
    for disk in disks {
        let at = &disk.step;
        disk.found(place, |root| {
            let found = state(root, at);
            let one_of_both = found == old || found == new || (old.is_none() && found == empty);
            assert!(
                one_of_both,
                "{at}: between the old and the new one: {found:?}"
            );
            seen.insert(found == new);
            goes_on(root, found, &later, at);
        });
        disk.found(place, |root| is_repaired(root, at));
    }
    assert_eq!(seen.len(), 2, "both the old and the new one were met");
}

/// A disk as it could be found if the power went at a step.
struct Left {
    step: String,
    disk: Disk,
    lost: Lost,
    arrived: Arrived,
}

impl Left {
    /// Looks at it.
    fn found(&self, place: &Place, look: impl FnOnce(&Root)) {
        let again = tempfile::tempdir_in(place.path("")).expect("a folder");
        let volume = again.path().join("V");
        self.disk.after_power_loss(self.lost, self.arrived, &volume);
        look(&Root::open(again.path()).expect("a root"));
    }
}

/// Runs a change, and makes every disk that could be found if the power went meanwhile.
fn each_disk(place: &Place, change: impl FnOnce(&Root)) -> Vec<Left> {
    let folder = place.path("farm/V");
    let taken = Arc::new(Mutex::new(Vec::new()));
    let witness = Pictures {
        disk: Disk::of(&folder),
        folder,
        taken: Arc::clone(&taken),
    };
    change(&place.root().watched(witness));
    let mut left = Vec::new();
    for (step, disk) in taken.lock().expect("no panic").iter() {
        let files = if disk.files.iter().all(|file| file.1) {
            1
        } else {
            3
        };
        let names = disk.loose.len().min(3) + 1;
        let lost = [Lost::Nothing, Lost::All, Lost::Half];
        let arrived = [
            Arrived::All,
            Arrived::None,
            Arrived::AllButLast,
            Arrived::LastOnly,
        ];
        for lost in lost.into_iter().take(files) {
            for arrived in arrived.into_iter().take(names) {
                left.push(Left {
                    step: step.clone(),
                    disk: disk.clone(),
                    lost,
                    arrived,
                });
            }
        }
    }
    left
}

/// What a repair finds, or does.
fn repaired(root: &Root, how: Repair, step: &str) -> Vec<Found> {
    let mut found = Vec::new();
    repair(root, &name("V"), how, &mut |one| found.push(one))
        .unwrap_or_else(|error| panic!("{step}: {error}"));
    found
}

const ALL: Repair = Repair {
    apply: true,
    drop_replaced: true,
};

/// CW-76, CW-77, CW-78: one repair helps against all that a killed command leaves, and takes no file that was there.
fn is_repaired(root: &Root, step: &str) {
    let before = state(root, step);
    let proposed = repaired(root, Repair::default(), step);
    let done = repaired(root, ALL, step);
    assert!(done.iter().all(|found| found.done), "{step}: {done:?}");
    let rebuilt = matches!(&proposed[..], [found] if found.remedy == Remedy::Rebuild);
    assert!(
        proposed.len() == done.len() || rebuilt,
        "{step}: {proposed:?} {done:?}"
    );
    if !root.path().join("V").exists() {
        return assert!(before.unwrap_or_default().is_empty(), "{step}");
    }
    let after = state(root, step).expect("a directory");
    for (title, had) in before.unwrap_or_default() {
        assert_eq!(after.get(&title), Some(&had), "{step}: {title}");
    }
    let rest = repaired(root, Repair::default(), step);
    assert!(rest.is_empty(), "{step}: {rest:?}");
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

/// CW-73: a note is the old or the new one.
#[test]
fn a_note_is_there_or_not_whenever_the_power_goes() {
    let place = Place::in_memory();
    put(&place, Verb::Add, &place.root(), &[("a", "first", 1)]);
    let title = place.title("a");
    looked_at_in(&place, |root| {
        let note = Some("a note".to_owned());
        annotate(root, &name("V"), &title, note).expect("noted");
    });
}

/// CW-34: a file of another volume is told as recorded when it is committed, and is whole or not there before.
#[test]
fn a_merged_file_is_there_or_not_whenever_the_power_goes() {
    let place = Place::in_memory();
    let root = place.root();
    put(&place, Verb::Add, &root, &[("a", "first", 1)]);
    let (a, b) = (place.file("a", "better"), place.file("b", "second"));
    set_times(&a, 2);
    add(&root, "W", Verb::Add, &[&a, &b]).expect("added");
    looked_at_in(&place, |root| {
        let source = root.look(&name("W")).expect("a volume");
        let before = state(root, "before");
        let mut told = 0;
        let mut tell = |one: Told| {
            assert!(matches!(one, Told::Added(_) | Told::Replaced(_)), "{one:?}");
            assert_ne!(
                state(root, "told"),
                before,
                "it was told before it was there"
            );
            told += 1;
        };
        let mut volume = opened(root, "V").expect("a volume");
        let verb = Verb::AddAndCompare;
        let mut adding = Adding::to(&mut volume, verb, Keeping::Changed, &mut tell);
        let entries = source.directory().entries();
        adding.volume(&source, entries).expect("merged");
        adding.finish().expect("merged");
        assert_eq!(told, 2);
    });
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

/// CW-27, CW-28: whenever a release of all files is killed, the same command again ends it, and leaves nothing.
#[test]
fn a_release_of_all_files_is_finished_whenever_the_power_goes() {
    let place = Place::in_memory();
    let files = [("a", "first", 1), ("b", "second", 1)];
    put(&place, Verb::Add, &place.root(), &files);
    let all = |root: &Root| release(root, &name("V"), &[], "ada", &mut |_| {});
    let disks = each_disk(&place, |root| {
        assert_eq!(all(root).expect("released"), After::Deleted);
    });
    let mut left_nothing = 0;
    for disk in disks {
        let at = &disk.step;
        disk.found(&place, |root| {
            match all(root) {
                Ok(After::Deleted) => {}
                // The folder is the last that goes, and is empty now.
                Err(Error::NeverMade { .. }) => {
                    repaired(root, ALL, at);
                    left_nothing += 1;
                }
                other => panic!("{at}: {other:?}"),
            }
            assert!(!root.path().join("V").exists(), "{at}");
        });
    }
    assert!(left_nothing > 0, "a kill before the last step was met");
}

/// A release that was killed after the directory had its stubs is ended by the next release in the volume.
#[test]
fn what_a_killed_release_left_goes_with_the_next_one() {
    let place = Place::in_memory();
    let files = [("a", "first", 1), ("b", "second", 1), ("c", "third", 1)];
    put(&place, Verb::Add, &place.root(), &files);
    let first = place.path("farm/V/FILE0000001.ptape");
    let bytes = fs::read(&first).expect("a capsule");
    let one = |title: &str| {
        let titles = [place.title(title)];
        release(&place.root(), &name("V"), &titles, "ada", &mut |_| {}).expect("released")
    };
    one("a");
    fs::write(&first, bytes).expect("as if it was killed");
    assert_eq!(one("b"), After::Kept);
    assert!(!first.exists());
    assert!(repaired(&place.root(), Repair::default(), "then").is_empty());
}

/// A volume with everything that a repair helps against.
fn out_of_order(place: &Place) {
    let root = place.root();
    let volume = place.path("farm/V");
    put(
        place,
        Verb::AddAndCompare,
        &root,
        &[("a", "first", 1), ("b", "second", 1), ("c", "third", 1)],
    );
    let third = fs::read(volume.join("FILE0000003.ptape")).expect("a capsule");
    put(place, Verb::AddAndCompare, &root, &[("c", "better", 2)]);
    // Its removal was killed.
    fs::write(volume.join("FILE0000003.ptape"), third).expect("a capsule");
    let directory = fs::read(volume.join("FILE000.dir")).expect("a directory");
    put(place, Verb::Add, &root, &[("d", "fourth", 1)]);
    // Its adding was killed before the directory had it.
    fs::write(volume.join("FILE000.dir"), directory).expect("a directory");
    fs::remove_file(volume.join("FILE0000002.ptape")).expect("removed");
    fs::write(volume.join("FILE0000009.ptape.tmp"), "half").expect("a file");
}

/// CW-77: a gap gets a capsule with the number and the title of what is gone; CW-78.
#[test]
fn a_repair_shows_what_helps_and_does_it_only_where_that_is_said() {
    let place = Place::in_memory();
    let root = place.root();
    out_of_order(&place);
    let shown = |how: Repair| -> Vec<(String, Remedy, bool)> {
        let mut found = repaired(&root, how, "shown");
        found.sort_by(|one, other| one.file.cmp(&other.file));
        let found = found.into_iter();
        found.map(|one| (one.file, one.remedy, one.done)).collect()
    };
    let expected = |dropped: bool, others: bool| {
        vec![
            ("FILE0000002.ptape".to_owned(), Remedy::Fill, others),
            ("FILE0000003.ptape".to_owned(), Remedy::Drop, dropped),
            ("FILE0000005.ptape".to_owned(), Remedy::List, others),
            ("FILE0000009.ptape.tmp".to_owned(), Remedy::Clear, others),
        ]
    };
    let before = place.bytes("V");
    assert_eq!(shown(Repair::default()), expected(false, false));
    assert_eq!(place.bytes("V"), before, "nothing was changed");
    let apply = Repair {
        apply: true,
        ..Repair::default()
    };
    assert_eq!(shown(apply), expected(false, true));
    let listed = entries(&root, "V");
    let gap = &listed[1];
    assert_eq!(gap.number.0.get(), 2);
    assert_eq!((&gap.title, gap.state), (&place.title("b"), State::Missing));
    assert_eq!(gap.length, 6, "what it should have been");
    assert_eq!(listed.len(), 4);
    assert!(place.path("farm/V/FILE0000003.ptape").exists());
    assert_eq!(shown(ALL), expected(true, true)[1..2]);
    assert!(!place.path("farm/V/FILE0000003.ptape").exists());
    assert!(shown(Repair::default()).is_empty());
    // What is missing is added as if it was not there.
    add(&root, "V", Verb::Add, &[&place.path("src/b")]).expect("added");
    assert!(
        entries(&root, "V")
            .iter()
            .all(|entry| entry.state == State::Ok)
    );
}

/// The old capsule that is left goes only where the one in its place is whole.
#[test]
fn a_replaced_capsule_stays_while_its_successor_is_damaged() {
    let place = Place::in_memory();
    out_of_order(&place);
    let successor = place.path("farm/V/FILE0000004.ptape");
    let mut bytes = fs::read(&successor).expect("a capsule");
    let at = bytes.windows(6).position(|part| part == b"better");
    bytes[at.expect("its text")] ^= 1;
    fs::write(&successor, bytes).expect("damaged");
    let done = repaired(&place.root(), ALL, "damaged");
    let of = |file: &str| {
        let found = done.iter().find(|one| one.file == file);
        found.map(|one| (one.remedy, one.done))
    };
    assert_eq!(of("FILE0000003.ptape"), Some((Remedy::Nothing, false)));
    assert_eq!(of("FILE0000004.ptape"), Some((Remedy::Nothing, false)));
    assert!(successor.exists() && place.path("farm/V/FILE0000003.ptape").exists());
}

#[test]
fn a_repaired_volume_is_the_old_or_the_new_one_whenever_the_power_goes() {
    let place = Place::in_memory();
    out_of_order(&place);
    let old = state(&place.root(), "before");
    let disks = each_disk(&place, |root| drop(repaired(root, ALL, "first")));
    let new = state(&place.root(), "after");
    assert_ne!(old, new);
    let mut seen = BTreeSet::new();
    for disk in disks {
        let at = &disk.step;
        disk.found(&place, |root| {
            let found = state(root, at);
            assert!(found == old || found == new, "{at}: {found:?}");
            seen.insert(found == new);
            repaired(root, ALL, at);
            assert_eq!(state(root, at), new, "{at}");
            let rest = repaired(root, Repair::default(), at);
            assert!(rest.is_empty(), "{at}: {rest:?}");
        });
    }
    assert_eq!(seen.len(), 2, "both were met");
}

/// Fails one step.
struct Failing {
    /// Steps before it.
    left: usize,
    kind: io::ErrorKind,
    /// Whether only the writing of bytes counts.
    writing: bool,
    failed: Arc<Mutex<bool>>,
}

impl Witness for Failing {
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
        let fault = Failing {
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
            assert!(place.bytes("V") == before, "step {at}");
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

/// CW-67: a disk that is full while a volume is made leaves no volume, and no part of a capsule.
#[test]
fn a_full_disk_leaves_nothing_of_a_new_volume() {
    for at in 0.. {
        let place = Place::in_memory();
        let big = place.path("src/big");
        fs::write(&big, vec![b'x'; (4 << 20) + 1]).expect("a file");
        let failed = Arc::new(Mutex::new(false));
        let root = place.root().watched(Failing {
            left: at,
            kind: io::ErrorKind::StorageFull,
            writing: true,
            failed: Arc::clone(&failed),
        });
        let made = match at % 2 {
            0 => root.create(&name("V")),
            _ => root.open_or_create(&name("V")),
        };
        let done = made.and_then(|mut volume| {
            let mut tell = |told| assert!(matches!(told, Told::Added(_)), "{told:?}");
            let mut adding = Adding::to(&mut volume, Verb::Add, Keeping::Changed, &mut tell);
            let done = adding.path(&big).and_then(|()| adding.finish());
            if done.is_err() {
                volume.discard_if_new().expect("nothing is in its folder");
            }
            done
        });
        if !*failed.lock().expect("no panic") {
            done.expect("nothing failed");
            assert!(at > 5, "{at} steps");
            return;
        }
        let error = done.expect_err("it failed").to_string();
        assert!(error.contains("Make room on that disk"), "{error}");
        assert!(!place.path("farm/V").exists(), "step {at}");
    }
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
