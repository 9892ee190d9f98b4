//! A directory made anew: no capsule is passed over without a word, wherever in the volume it lies.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Place, add, entries, name};
use pseudotape_farm::{
    After, DIRECTORY_NAME, Error, Finding, Marks, Rebuilt, Repair, Verb, VolumeName, rebuild,
    release, repair,
};

/// Seven files in three folders, in a volume whose capsules lie in folders or do not.
fn seven(structured: bool) -> Place {
    let place = Place::in_memory();
    let root = place
        .root()
        .marking(Marks::default().with_folders(structured));
    for file in ["d/1", "d/2", "d/e/3", "d/e/4", "d/e/5", "f/6", "f/7"] {
        add(&root, "V", Verb::Add, &[&place.file(file, file)]).expect("added");
    }
    place
}

/// The folder of a title, from that of the volume on: the folder of the test begins with a dot.
fn within(place: &Place, name: &str) -> String {
    place.title(name).to_string().replace("/.", "/%2E")
}

/// The folder in the volume of a folder with files.
fn folder(place: &Place, name: &str) -> PathBuf {
    place.path("farm/V").join(within(place, name))
}

fn directory(place: &Place) -> PathBuf {
    place.path("farm/V").join(DIRECTORY_NAME)
}

/// How many a new directory has, and what of the volume is not in it.
fn rebuilt(place: &Place) -> (usize, Vec<String>) {
    let (mut listed, mut left) = (0, Vec::new());
    let mut tell = |told| match told {
        Rebuilt::Listed(_) => listed += 1,
        Rebuilt::Unusable(file, fault) => left.push(format!("{file}: {fault}")),
        other => panic!("{other:?}"),
    };
    drop(rebuild(&place.root(), &name("V"), &mut tell).expect("rebuilt"));
    (listed, left)
}

/// What repair tells.
fn repaired(place: &Place, apply: bool) -> Vec<String> {
    let mut told = Vec::new();
    let how = Repair {
        apply,
        ..Repair::default()
    };
    let volume: VolumeName = name("V");
    let mut tell = |found: pseudotape_farm::Found| {
        told.push(format!("{}: {:?}", found.file, found.damage));
    };
    repair(&place.root(), &volume, how, &mut tell).expect("repaired");
    told
}

/// The number of the capsule that the next file gets.
fn next_number(place: &Place) -> u64 {
    let path = place.file("later", "later");
    add(&place.root(), "V", Verb::Add, &[&path]).expect("added");
    let entries = entries(&place.root(), "V");
    entries.last().expect("a file").number.0.get()
}

/// CW-53: with a directory and without one, capsules of a folder that was renamed are named, with the way out, and
/// their numbers stay in use; put back, they are in the volume again.
#[test]
fn capsules_of_a_renamed_folder_are_named() {
    for has_directory in [true, false] {
        let place = seven(true);
        let (right, wrong) = (folder(&place, "d/e"), folder(&place, "d/e2"));
        fs::rename(&right, &wrong).expect("renamed");
        // The highest numbers as well.
        fs::rename(folder(&place, "f"), folder(&place, "g")).expect("renamed");
        if !has_directory {
            fs::remove_file(directory(&place)).expect("removed");
            let told = repaired(&place, false);
            assert_eq!(told.len(), 6, "{told:?}");
        }
        let (listed, left) = rebuilt(&place);
        assert_eq!((listed, left.len()), (2, 5), "{left:?}");
        let wrong_folder = within(&place, "d/e2");
        let named = left
            .iter()
            .filter(|one| one.starts_with(&wrong_folder))
            .count();
        assert_eq!(named, 3, "{left:?}");
        assert!(left[0].contains("move it there"), "{left:?}");
        assert!(left[0].contains(&within(&place, "d/e")), "{left:?}");
        for apply in [false, true] {
            let told = repaired(&place, apply);
            assert_eq!(told.len(), 5, "{told:?}");
            assert!(told.iter().all(|one| one.contains("Misplaced")), "{told:?}");
        }
        assert_eq!(next_number(&place), 8);
        fs::rename(&wrong, &right).expect("renamed");
        fs::rename(folder(&place, "g"), folder(&place, "f")).expect("renamed");
        assert_eq!(rebuilt(&place), (8, Vec::new()));
        // It is structured still.
        assert!(
            folder(&place, "d")
                .with_file_name("FILE0000008.ptape")
                .exists()
        );
    }
}

/// CW-53: a copy of a capsule at the top does not make a volume of another form.
#[test]
fn a_stray_capsule_at_the_top_is_named() {
    for has_directory in [true, false] {
        let place = seven(true);
        let stray = place.path("farm/V/FILE0000003.ptape");
        fs::copy(folder(&place, "d/e").join("FILE0000003.ptape"), &stray).expect("copied");
        if !has_directory {
            fs::remove_file(directory(&place)).expect("removed");
        }
        let (listed, left) = rebuilt(&place);
        assert_eq!((listed, left.len()), (7, 1), "{left:?}");
        assert!(
            left[0].starts_with("./FILE0000003.ptape: it lies in the top"),
            "{left:?}"
        );
        assert!(left[0].contains("something has its name there"), "{left:?}");
        let told = repaired(&place, true);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("Misplaced"), "{told:?}");
        assert!(stray.exists());
    }
}

/// In a volume whose capsules lie at its top, capsules in a folder are named, and their numbers are in use.
#[test]
fn capsules_in_a_folder_of_another_volume_form_are_named() {
    for has_directory in [true, false] {
        let place = seven(false);
        let volume = place.path("farm/V");
        fs::create_dir(volume.join("old")).expect("a folder");
        for number in [6, 7] {
            let capsule = format!("FILE000000{number}.ptape");
            fs::rename(volume.join(&capsule), volume.join("old").join(&capsule)).expect("moved");
        }
        if !has_directory {
            fs::remove_file(directory(&place)).expect("removed");
        }
        let (listed, left) = rebuilt(&place);
        assert_eq!((listed, left.len()), (5, 2), "{left:?}");
        assert!(
            left[0].starts_with("old/FILE0000006.ptape: it lies in folder old"),
            "{left:?}"
        );
        let told = repaired(&place, true);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told.iter().all(|one| one.contains("Misplaced")), "{told:?}");
        let mut found = Vec::new();
        let looked = place.root().look(&name("V")).expect("a volume");
        let mut tell = |finding| {
            if let Finding::Wrong(file, _) = finding {
                found.push(file);
            }
        };
        looked.find_foreign(&mut tell).expect("names");
        assert_eq!(found, ["old/FILE0000006.ptape", "old/FILE0000007.ptape"]);
        assert_eq!(next_number(&place), 8);
    }
}

/// A capsule that is nowhere is named as well, where a directory knew it.
#[test]
fn a_capsule_that_is_gone_is_named() {
    let place = seven(true);
    fs::remove_file(folder(&place, "f").join("FILE0000007.ptape")).expect("removed");
    let (listed, left) = rebuilt(&place);
    assert_eq!((listed, left.len()), (6, 1), "{left:?}");
    assert!(
        left[0].starts_with("FILE0000007.ptape: it is not there: its file was"),
        "{left:?}"
    );
}

fn with_header(directory: &Path, at: usize, value: u32) -> Vec<u8> {
    let mut bytes = fs::read(directory).expect("a directory");
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..60]);
    bytes[60..64].copy_from_slice(&crc.to_le_bytes());
    fs::write(directory, &bytes).expect("written");
    bytes
}

/// CW-48: what a later program wrote is not overwritten by one that can't read it.
#[test]
fn a_directory_of_a_later_program_stays() {
    for (at, value) in [(16, 3), (20, 0x82)] {
        let place = seven(true);
        let bytes = with_header(&directory(&place), at, value);
        let root = place.root();
        let how = Repair {
            apply: true,
            drop_replaced: true,
        };
        let looked = root.look(&name("V")).map(drop);
        let rebuilt = rebuild(&root, &name("V"), &mut |_| {}).map(drop);
        let repaired = repair(&root, &name("V"), how, &mut |_| {});
        for refused in [looked, rebuilt, repaired] {
            let error = refused.expect_err("it is later");
            assert!(matches!(error, Error::LaterDirectory { .. }), "{error}");
            assert!(
                error.to_string().contains("Use a newer pseudotape"),
                "{error}"
            );
        }
        assert_eq!(fs::read(directory(&place)).expect("a directory"), bytes);
    }
}

/// A directory that can't be read is kept beside the new one, by `rebuild` and by `repair`: notes stand in it alone.
/// What a farm kept is a farm's: nothing is wrong with it, and it goes with the volume.
#[test]
fn a_damaged_directory_is_kept() {
    let place = seven(false);
    let mut kept = Vec::new();
    for round in 0..4 {
        let mut bytes = fs::read(directory(&place)).expect("a directory");
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::write(directory(&place), &bytes).expect("damaged");
        let told = match round % 2 {
            0 => {
                let (listed, told) = rebuilt(&place);
                assert_eq!(listed, 7);
                told
            }
            _ => {
                let shown = repaired(&place, false);
                assert_eq!(shown.len(), 1, "nothing is done yet: {shown:?}");
                repaired(&place, true).split_off(1)
            }
        };
        let behind = match round {
            0 => String::new(),
            more => format!(".{}", more + 1),
        };
        let file = format!("{DIRECTORY_NAME}.damaged{behind}");
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(&format!("{file}: ")), "{told:?}");
        kept.push((place.path("farm/V").join(file), bytes));
        for (file, bytes) in &kept {
            assert_eq!(&fs::read(file).expect("it is there"), bytes);
        }
        assert_eq!(repaired(&place, true), Vec::<String>::new());
    }
    let volume = place.root().look(&name("V")).expect("a volume");
    let mut wrong = Vec::new();
    let mut tell = |finding: Finding| wrong.push(format!("{finding:?}"));
    volume.find_foreign(&mut tell).expect("looked");
    assert_eq!(wrong, Vec::<String>::new());
    drop(volume);
    let after = release(&place.root(), &name("V"), &[], "ada", &mut |_| {}).expect("released");
    assert!(matches!(after, After::Deleted), "{after:?}");
    assert!(!place.path("farm/V").exists());
}

/// Without a capsule there is no volume; what is left of its directory is not thrown away all the same.
#[test]
fn a_damaged_directory_alone_keeps_its_folder() {
    let place = Place::in_memory();
    let folder = place.path("farm/V");
    fs::create_dir_all(&folder).expect("made");
    let kept = folder.join(format!("{DIRECTORY_NAME}.damaged"));
    fs::write(&kept, "notes").expect("written");
    assert_eq!(repaired(&place, true).len(), 2);
    assert_eq!(fs::read(&kept).expect("it is there"), b"notes");
}
