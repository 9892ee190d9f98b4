//! The index of a volume: it saves time, and never changes an answer.

mod common;

use std::fs;
use std::io;
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use common::{Place, add, name};
use pseudotape_farm::{
    After, DIRECTORY_NAME, Directory, Entry, Error, FileKind, INDEX_NAME, Number, Repair, Root,
    Stamp, State, Step, Title, Verb, Witness, annotate, release, repair,
};
use uuid::Uuid;

/// The fewest files that have an index.
const FILES: u64 = 4096;

fn title(number: u64) -> Title {
    let text = format!("{}/file-{number}", number * 7919 % 64);
    Title::new(text.as_bytes()).expect("a title")
}

/// A volume with so many files, whose capsules are nowhere; a note of the first one makes the index.
fn noted(place: &Place, files: u64) -> Root {
    noted_as(place, files, State::Ok)
}

fn noted_as(place: &Place, files: u64, state: State) -> Root {
    let mut directory = Directory::default();
    directory.put((1..=files).map(|number| Entry {
        number: Number(NonZeroU64::new(number).expect("a number")),
        capsule: Uuid::from_u128(number.into()),
        title: title(number),
        kind: FileKind::File,
        state,
        length: number,
        stamp: Stamp::default(),
        digest: None,
        stored: None,
        added_ms: number,
        why: None,
        note: None,
    }));
    let folder = place.path("farm/V");
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join(DIRECTORY_NAME), directory.encode()).expect("a directory");
    let root = place.root();
    annotate(&root, &name("V"), &title(1), Some("one".to_owned())).expect("noted");
    root
}

/// What `ls VOLUME TITLE` has, and how many files were read for it.
fn looked(root: &Root, title: &Title) -> Result<(Vec<Entry>, usize), Error> {
    let titles = std::slice::from_ref(title);
    let volume = root.look_for(&name("V"), titles)?;
    let files = volume.directory().entries().len();
    Ok((volume.chosen(titles)?, files))
}

fn from_all(root: &Root, title: &Title) -> Vec<Entry> {
    let volume = root.look(&name("V")).expect("a volume");
    volume.chosen(std::slice::from_ref(title)).expect("files")
}

fn note(root: &Root, number: u64) -> Option<String> {
    let (found, _) = looked(root, &title(number)).expect("a file");
    assert_eq!(found, from_all(root, &title(number)));
    found[0].note.clone()
}

#[test]
fn an_index_leads_to_a_title_without_the_rest() {
    let place = Place::in_memory();
    let root = noted(&place, FILES);
    let folder = Title::new(b"7").expect("a title");
    for (title, read) in [
        (title(1), 1),
        (title(4096), 1),
        (title(77), 1),
        (folder, 64),
    ] {
        let (found, files) = looked(&root, &title).expect("found");
        assert_eq!(found, from_all(&root, &title));
        assert_eq!((found.len(), files), (read, read), "{title}");
    }
    let absent = Title::new(b"7/file").expect("a title");
    assert!(matches!(looked(&root, &absent), Err(Error::NoTitle { .. })));
    // Of all files where none is meant.
    let all = root.look_for(&name("V"), &[]).expect("a volume");
    assert_eq!(all.directory().entries().len(), 4096);
    // It is nothing that does not belong there.
    let mut foreign = Vec::new();
    let volume = root.look(&name("V")).expect("a volume");
    volume
        .find_foreign(&mut |finding| foreign.push(finding))
        .expect("a folder");
    assert!(foreign.is_empty(), "{foreign:?}");
}

#[test]
fn without_index_and_with_one_of_another_time_the_directory_is_read() {
    let place = Place::in_memory();
    let root = noted(&place, FILES);
    let index = place.path("farm/V").join(INDEX_NAME);
    let before = fs::read(&index).expect("an index");
    annotate(&root, &name("V"), &title(1), Some("two".to_owned())).expect("noted");
    assert_eq!(note(&root, 1).as_deref(), Some("two"));
    assert_eq!(looked(&root, &title(9)).expect("a file").1, 1);
    fs::write(&index, before).expect("written");
    assert_eq!(looked(&root, &title(9)).expect("a file").1, 4096);
    assert_eq!(note(&root, 1).as_deref(), Some("two"));
    fs::remove_file(&index).expect("removed");
    assert_eq!(note(&root, 1).as_deref(), Some("two"));
    assert!(!index.exists(), "who reads writes nothing");
    fs::create_dir(&index).expect("a folder in its place");
    assert_eq!(note(&root, 1).as_deref(), Some("two"));
    annotate(&root, &name("V"), &title(1), Some("six".to_owned())).expect("noted nevertheless");
    assert_eq!(note(&root, 1).as_deref(), Some("six"));
}

#[test]
fn a_small_volume_has_no_index() {
    let place = Place::in_memory();
    let root = noted(&place, FILES - 1);
    assert!(!place.path("farm/V").join(INDEX_NAME).exists());
    assert_eq!(note(&root, 1).as_deref(), Some("one"));
}

/// Any changed bit of index or directory, and any cut: the right answer, or the word that the directory is damaged.
#[test]
fn a_damaged_index_changes_no_answer() {
    let place = Place::in_memory();
    let root = noted(&place, FILES);
    let right = from_all(&root, &title(1234));
    let mut random = 1u64;
    let mut by_index = 0;
    for file in [INDEX_NAME, DIRECTORY_NAME] {
        let path = place.path("farm/V").join(file);
        let good = fs::read(&path).expect("a file");
        for round in 0..40 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let at = usize::try_from(random >> 33).expect("31 bits") % good.len();
            let mut bad = good.clone();
            match round % 8 {
                0 => bad.truncate(at),
                _ => bad[at] ^= 1 << (round % 8),
            }
            fs::write(&path, &bad).expect("written");
            match looked(&root, &title(1234)) {
                Ok((found, files)) => {
                    assert_eq!(found, right, "{file}, byte {at}");
                    by_index += usize::from(files == 1);
                }
                Err(Error::Directory { .. }) if file == DIRECTORY_NAME => {}
                Err(error) => panic!("{file}, byte {at}: {error}"),
            }
        }
        fs::write(&path, &good).expect("written");
    }
    assert!(by_index > 10, "the index was used {by_index} times");
}

/// Everything that is written under this name fails.
struct Full(&'static str);

impl Witness for Full {
    fn step(&mut self, step: Step<'_>) -> io::Result<()> {
        match step {
            Step::Writing { name, .. } if name == self.0 => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }
}

#[test]
fn a_disk_without_room_for_the_index_keeps_the_change() {
    let place = Place::in_memory();
    noted(&place, FILES);
    let root = place.root().watched(Full(".FILE000.idx.tmp"));
    annotate(&root, &name("V"), &title(1), Some("two".to_owned())).expect("noted");
    assert_eq!(note(&root, 1).as_deref(), Some("two"));
    assert!(!place.path("farm/V/.FILE000.idx.tmp").exists());
}

/// At every step of a change, whichever of the two files came through: the old note or the new one, from the index as
/// from the directory.
#[test]
fn a_crash_at_any_step_leaves_no_index_that_lies() {
    struct Stop(usize);
    impl Witness for Stop {
        fn step(&mut self, _: Step<'_>) -> io::Result<()> {
            self.0 = self
                .0
                .checked_sub(1)
                .ok_or_else(|| io::Error::other("stopped"))?;
            Ok(())
        }
    }
    let (mut notes, mut steps) = (Vec::new(), 0);
    loop {
        let place = Place::in_memory();
        noted(&place, FILES);
        let index = place.path("farm/V").join(INDEX_NAME);
        let before = fs::read(&index).expect("an index");
        let root = place.root().watched(Stop(steps));
        let done = annotate(&root, &name("V"), &title(1), Some("two".to_owned()));
        let after = fs::read(&index).unwrap_or_default();
        // It is on no stable storage when the directory is: it can be the old one, or have nothing, or half.
        let half = [&after[..after.len() / 2], &vec![0; after.len().div_ceil(2)]].concat();
        let right = from_all(&place.root(), &title(1));
        for found in [before, after, half, Vec::new()] {
            fs::write(&index, found).expect("written");
            let (found, _) = looked(&place.root(), &title(1)).expect("a file");
            assert_eq!(found, right, "step {steps}");
        }
        notes.extend(right[0].note.clone());
        if done.is_ok() && steps > 12 {
            break;
        }
        steps += 1;
    }
    assert!(notes.iter().all(|note| note == "one" || note == "two"));
    assert_eq!(notes.first().map(String::as_str), Some("one"));
    assert_eq!(notes.last().map(String::as_str), Some("two"));
}

#[test]
fn an_index_goes_with_its_volume() {
    let place = Place::in_memory();
    let root = place.root();
    let path = place.file("a", "text");
    add(&root, "W", Verb::Add, &[&path]).expect("added");
    // As a volume has one that was large.
    fs::write(place.path("farm/W").join(INDEX_NAME), "of before").expect("written");
    let title = place.title("a");
    let released = release(&root, &name("W"), &[title], "ada", &mut |_| {}).expect("released");
    assert!(matches!(released, After::Deleted), "{released:?}");
    assert!(!place.path("farm/W").exists());
    // And with a folder in which nothing else is.
    fs::create_dir(place.path("farm/X")).expect("a folder");
    fs::write(place.path("farm/X").join(INDEX_NAME), "of before").expect("written");
    let how = Repair {
        apply: true,
        ..Repair::default()
    };
    repair(&root, &name("X"), how, &mut |_| {}).expect("repaired");
    assert!(!place.path("farm/X").exists());
}

/// CW-27: a volume of many capsules is deleted in the time that they take, and not in that of each beside each.
#[test]
fn many_released_capsules_go_in_their_own_time() {
    let place = Place::in_memory();
    let files = 60_000;
    let root = noted_as(&place, files, State::Released);
    let begin = Instant::now();
    for number in 1..=files {
        let capsule = format!("farm/V/FILE{number:07}.ptape");
        fs::write(place.path(&capsule), "").expect("written");
    }
    let making = begin.elapsed();
    let begin = Instant::now();
    let mut before = 0u64;
    let after = release(&root, &name("V"), &[], "ada", &mut |_| before += 1);
    assert_eq!((after.expect("released"), before), (After::Deleted, files));
    // Of a machine that is busy, both take longer.
    let most = making * 8 + Duration::from_secs(2);
    assert!(begin.elapsed() < most, "{:?} of {most:?}", begin.elapsed());
}
