//! Volumes that stand elsewhere than in the root, and those of hosts.

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use common::{Place, add, entries, name};
use pseudotape_farm::{After, Error, Finding, Root, Serving, Verb, release, repair};

/// A folder in another file system than the root of a farm.
fn elsewhere(place: &Place) -> tempfile::TempDir {
    let device = |path: &Path| fs::metadata(path).expect("a folder").dev();
    let root = device(&place.path("farm"));
    let places = ["/dev/shm", "/tmp", "/run", env!("CARGO_TARGET_TMPDIR")];
    let folders = places
        .iter()
        .filter_map(|place| tempfile::tempdir_in(place).ok());
    let mut others = folders.filter(|folder| device(folder.path()) != root);
    let other = others.next();
    other.unwrap_or_else(|| panic!("all of {places:?} are in one file system"))
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = names
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("text")
        })
        .collect();
    names.sort();
    names
}

fn findings(root: &Root, volume: &str) -> usize {
    let volume = root.look(&name(volume)).expect("a volume");
    let mut wrong = 0;
    let mut tell = |finding| wrong += usize::from(matches!(finding, Finding::Wrong(..)));
    volume.verify(volume.directory().entries(), &mut tell);
    volume.find_foreign(&mut tell).expect("a folder");
    wrong
}

/// CW-52: a link that was there before the files leads all commands to another folder, which a release leaves there.
#[test]
fn a_volume_can_be_a_link_to_another_folder() {
    let place = Place::new();
    let a = place.file("a", "first");
    fs::create_dir_all(place.path("big/disk")).expect("folders");
    symlink("../big/disk", place.path("farm/V")).expect("a link");
    let root = place.root();
    assert_eq!(root.volumes().expect("a list"), [name("V")]);
    // A copy makes the folder itself.
    assert!(matches!(root.create(&name("V")), Err(Error::Exists(_))));
    add(&root, "V", Verb::Add, &[&a]).expect("added");
    let disk = place.path("big/disk");
    assert_eq!(names(&disk), ["FILE000.dir", "FILE0000001.ptape"]);
    assert_eq!(findings(&root, "V"), 0);
    assert_eq!(entries(&root, "V").len(), 1);
    let after = release(&root, &name("V"), &[], "ada", &mut |_| {}).expect("released");
    assert_eq!(after, After::Deleted);
    assert_eq!(
        names(&disk),
        [""; 0],
        "the contents go, and the folder stays"
    );
    assert!(place.path("farm/V").is_symlink());
    assert_eq!(names(&place.path("farm")), ["V"]);
    add(&root, "V", Verb::Add, &[&a]).expect("added again");
    assert_eq!(names(&disk).len(), 2);
}

/// CW-51: what was made in another file system is not made again in that of the root when nothing is mounted.
#[test]
fn a_volume_that_was_mounted_is_not_made_where_it_is_not() {
    let place = Place::new();
    let a = place.file("a", "first");
    let mounted = elsewhere(&place);
    let link = place.path("farm/V");
    symlink(mounted.path(), &link).expect("a link");
    fs::create_dir(mounted.path().join("lost+found")).expect("a folder");
    let root = place.root();
    add(&root, "V", Verb::Add, &[&a]).expect("added");
    let flag = place.path("farm/.V.mounted");
    assert!(flag.exists());
    assert_eq!(names(mounted.path()).len(), 3, "they land there");
    assert_eq!(findings(&root, "V"), 0, "lost+found is the file system's");

    // The same name, in the file system of the root.
    let below = place.path("below");
    fs::create_dir(&below).expect("a folder");
    fs::remove_file(&link).expect("removed");
    symlink(&below, &link).expect("a link");
    let refused = |error: Error| {
        assert!(matches!(error, Error::NotMounted { .. }), "{error}");
        assert!(error.to_string().contains("/.V.mounted"), "{error}");
    };
    let all_are_refused = || {
        refused(add(&root, "V", Verb::Add, &[&a]).expect_err("not mounted"));
        refused(root.create(&name("V")).expect_err("not mounted"));
        refused(root.look(&name("V")).expect_err("not mounted"));
        let how = pseudotape_farm::Repair {
            apply: true,
            ..Default::default()
        };
        refused(repair(&root, &name("V"), how, &mut |_| {}).expect_err("not mounted"));
    };
    all_are_refused();
    assert_eq!(names(&below), [""; 0]);
    fs::remove_file(&link).expect("removed");
    all_are_refused();
    assert!(!link.exists(), "no folder was made");

    symlink(mounted.path(), &link).expect("a link");
    assert_eq!(entries(&root, "V").len(), 1, "it is there again");
    let after = release(&root, &name("V"), &[], "ada", &mut |_| {}).expect("released");
    assert_eq!(after, After::Deleted);
    assert_eq!(names(mounted.path()), ["lost+found"]);
    fs::remove_file(&link).expect("removed");
    fs::remove_file(&flag).expect("removed");
    add(&root, "V", Verb::Add, &[&a]).expect("added");
    assert!(link.is_dir() && !flag.exists());
}

/// CW-41, CW-42, CW-44: shared volumes are everybody's; private ones are in a folder of their host, which others read
/// where its name is said, and nobody takes for a volume.
#[test]
fn private_volumes_are_in_a_folder_of_their_host() {
    let place = Place::in_memory();
    let files: Vec<PathBuf> = ["a", "b", "c"].map(|file| place.file(file, file)).to_vec();
    let host = |text: &str, making| place.root().of_host(&name(text), making);
    let (castor, pollux) = (host("castor", true), host("pollux", true));
    let (castor, pollux) = (castor.expect("a root"), pollux.expect("a root"));
    add(&castor, "V", Verb::Add, &[&files[0]]).expect("added");
    assert!(matches!(
        pollux.look(&name("V")),
        Err(Error::NoVolume { .. })
    ));
    add(&pollux, "V", Verb::Add, &[&files[1]]).expect("added");
    assert!(place.path("farm/castor/V/FILE0000001.ptape").exists());
    assert_eq!(entries(&castor, "V")[0].title, place.title("a"));
    assert_eq!(entries(&pollux, "V")[0].title, place.title("b"));
    assert_eq!(castor.volumes().expect("a list"), [name("V")]);
    // Another host that says whose they are.
    let read = host("castor", false).expect("a root");
    assert_eq!(entries(&read, "V").len(), 1);

    // The shared ones are beside them.
    let shared = place.root();
    add(&shared, "V", Verb::Add, &[&files[2]]).expect("added");
    assert_eq!(shared.volumes().expect("a list"), [name("V")]);
    assert_eq!(entries(&place.root(), "V")[0].title, place.title("c"));
    let error = add(&shared, "castor", Verb::Add, &[&files[2]]).expect_err("a host");
    assert!(matches!(error, Error::OfHost { .. }), "{error}");
    assert!(matches!(
        shared.look(&name("castor")),
        Err(Error::OfHost { .. })
    ));
    for making in [true, false] {
        let error = host("V", making).expect_err("a volume");
        assert!(matches!(error, Error::NotOfHost { .. }), "{error}");
    }
    let error = host("helen", false).expect_err("nobody");
    assert!(matches!(error, Error::NoHost { .. }), "{error}");
    assert!(!place.path("farm/helen").exists());
    fs::write(place.path("farm/zeus"), "x").expect("a file");
    assert!(matches!(host("zeus", true), Err(Error::NotOfHost { .. })));
}

/// CW-44, CW-76: what is in a folder that is no volume is not to be removed. Where the private volumes of a host are in
/// it, the way back is said, and no shared volume is made among them.
#[test]
fn a_folder_with_other_things_is_not_to_be_removed() {
    let place = Place::in_memory();
    let a = place.file("a", "first");
    let root = place.root();
    let look = |volume: &str| {
        let error = root.look(&name(volume)).expect_err("no volume");
        error.to_string()
    };
    let castor = root.clone().of_host(&name("castor"), true).expect("a root");
    add(&castor, "V", Verb::Add, &[&a]).expect("added");
    fs::remove_file(place.path("farm/castor/.private-volumes")).expect("removed");
    let touch = format!(
        "'touch {}'",
        place.path("farm/castor/.private-volumes").display()
    );
    let told = look("castor");
    assert!(told.contains(&touch) && !told.contains("remove"), "{told}");
    let error = add(&root, "castor", Verb::Add, &[&a]).expect_err("volumes are in it");
    assert!(matches!(error, Error::Unflagged { .. }), "{error}");
    assert_eq!(names(&place.path("farm/castor")), ["V"]);
    fs::write(place.path("farm/castor/.private-volumes"), "").expect("a file");
    assert_eq!(entries(&castor, "V").len(), 1);

    fs::create_dir(place.path("farm/other")).expect("a folder");
    let told = look("other");
    assert!(told.contains("or remove the folder"), "{told}");
    fs::write(place.path("farm/other/thesis"), "text").expect("a file");
    let told = look("other");
    assert!(
        told.contains("other is no volume") && !told.contains("remove"),
        "{told}"
    );
    // What a file system has in its top folder is nobody's volume.
    fs::create_dir(place.path("farm/lost+found")).expect("a folder");
    assert_eq!(root.volumes().expect("a list"), [name("other")]);
}

/// CW-52: a volume whose disk is not mounted is listed, and says so.
#[test]
fn a_link_to_a_disk_that_is_not_there_is_listed() {
    let place = Place::in_memory();
    symlink("../disk/V", place.path("farm/V")).expect("a link");
    let root = place.root();
    assert_eq!(root.volumes().expect("a list"), [name("V")]);
    let error = root.look(&name("V")).expect_err("nothing is there");
    assert!(
        error.to_string().contains("is its disk mounted?"),
        "{error}"
    );
}

/// CW-43: whose volumes are meant does not change while a server runs; any number of them, until the last one ends.
#[test]
fn volumes_become_private_only_when_no_server_runs() {
    let place = Place::in_memory();
    let root = place.root();
    root.expect_unserved().expect("nobody serves it");
    let first = Serving::begin(root.path()).expect("a server");
    let second = Serving::begin(root.path()).expect("another one");
    drop(first);
    let refused = root.expect_unserved().expect_err("one runs");
    assert!(refused.to_string().contains("no server runs"), "{refused}");
    // What is shared is used meanwhile.
    let path = place.file("a", "text");
    add(&root, "V", Verb::Add, &[&path]).expect("added");
    drop(second);
    root.expect_unserved().expect("nobody serves it any more");
}
