//! An image file that others remove, replace, rename or cut while it is open.

use std::fs;
use std::path::{Path, PathBuf};

use pseudotape_image::{
    Absence, Access, CreateParameters, Error, FileStore, Image, Uuid, VolumeId,
};
use pseudotape_tape::Mark;

fn made(path: &Path) -> Image<FileStore> {
    let parameters = CreateParameters::new(VolumeId(Uuid::from_u128(7)), 0);
    let store = FileStore::create(path).expect("a new file");
    Image::create(store, &parameters).expect("a new image")
}

/// An image with a committed block.
fn recorded(path: &Path) -> Image<FileStore> {
    let mut image = made(path);
    image.append_block(&[1; 5000]).expect("a block");
    image.sync().expect("a commit");
    image
}

fn absence(error: Error, path: &Path) -> Absence {
    match error {
        Error::Absent {
            path: named,
            absence,
        } if named == path => absence,
        error => panic!("{error}"),
    }
}

/// The place from which a message says that the data can be copied.
fn copied_from(absence: &Absence) -> PathBuf {
    match absence {
        Absence::Removed { copy } | Absence::NameLost { copy, .. } => copy.clone(),
        Absence::Cut { .. } => panic!("{absence}"),
    }
}

#[test]
fn a_commit_fails_when_the_file_was_removed_and_says_where_the_data_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.ptape");
    let mut image = recorded(&path);
    image.append_block(&[2; 5000]).expect("a block");
    fs::remove_file(&path).expect("it goes");
    let error = image.sync().expect_err("nobody finds it");
    let words = error.to_string();
    assert!(words.contains("a.ptape: the image was removed"), "{words}");
    let absence = absence(error, &path);
    assert!(matches!(absence, Absence::Removed { .. }), "{absence}");
    // Nothing more is taken, and what is there can be had.
    let error = image.append_block(&[3; 10]).expect_err("it is lost");
    assert!(
        matches!(error, Error::CommitFailed { from_object: 1 }),
        "{error}"
    );
    let copy = folder.path().join("copy.ptape");
    fs::copy(copied_from(&absence), &copy).expect("a copy");
    let error = image.sync().expect_err("it is lost still");
    assert!(matches!(error, Error::Absent { .. }), "{error}");
    let error = image.finish().expect_err("it is lost still");
    assert!(
        matches!(error, Error::Absent { .. } | Error::CommitFailed { .. }),
        "{error}"
    );
    let store = FileStore::open(&copy, Access::ReadOnly).expect("a file");
    let (image, _) = Image::open(store, Access::ReadOnly).expect("an image");
    assert_eq!(image.end_of_data().object.0, 2);
}

#[test]
fn a_file_that_another_one_replaced_is_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, other) = (folder.path().join("a.ptape"), folder.path().join("b"));
    let mut image = recorded(&path);
    fs::write(&other, "somebody else's").expect("a file");
    fs::rename(&other, &path).expect("it takes the name");
    // Nothing is to be committed, and nevertheless the data are lost.
    let error = image.check_presence().expect_err("it is gone");
    assert!(matches!(absence(error, &path), Absence::Removed { .. }));
    image.append_marks(Mark::Filemark, 1).expect("a mark");
    let error = image.sync().expect_err("it is gone");
    assert!(matches!(absence(error, &path), Absence::Removed { .. }));
}

#[test]
fn a_file_that_is_given_another_name_is_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let shelf = folder.path().join("shelf");
    fs::create_dir(&shelf).expect("a folder");
    let (path, new) = (folder.path().join("a.ptape"), shelf.join("b.ptape"));
    let mut image = recorded(&path);
    assert!(!image.store().was_renamed());
    fs::rename(&path, &new).expect("renames");
    // Another file under the old name is none of its business.
    fs::write(&path, "somebody else's").expect("a file");
    image.append_block(&[2; 100]).expect("a block");
    image.sync().expect("it is where it is");
    assert!(image.store().was_renamed());
    assert_eq!(image.store().path(), new);
    drop(image.finish().expect("closes"));
    assert_eq!(fs::read(&path).expect("a file"), b"somebody else's");
    let store = FileStore::open(&new, Access::ReadOnly).expect("a file");
    let (image, _) = Image::open(store, Access::ReadOnly).expect("an image");
    assert_eq!(image.end_of_data().object.0, 2);
}

#[test]
fn a_file_whose_name_is_gone_is_lost_though_it_has_another_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.ptape");
    let mut image = recorded(&path);
    fs::hard_link(&path, folder.path().join("snapshot")).expect("a second name");
    image.check_presence().expect("it has its name");
    fs::remove_file(&path).expect("the name goes");
    let absence = absence(image.check_presence().expect_err("no name"), &path);
    let Absence::NameLost { inode, .. } = absence else {
        panic!("{absence}")
    };
    use std::os::unix::fs::MetadataExt;
    let there = fs::metadata(folder.path().join("snapshot")).expect("a file");
    assert_eq!(inode, there.ino());
    assert_eq!(
        fs::read(copied_from(&absence)).expect("a file").len() as u64,
        there.len()
    );
}

#[test]
fn a_file_that_others_remove_by_another_name_first_is_gone() {
    // What NFS and FUSE file systems do when an open file is removed.
    for name in [".nfs000000000000002a", ".fuse_hidden0000002a00000001"] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.ptape");
        let mut image = recorded(&path);
        fs::rename(&path, folder.path().join(name)).expect("renames");
        let error = image
            .check_presence()
            .expect_err("it goes with its last user");
        assert!(matches!(absence(error, &path), Absence::NameLost { .. }));
    }
}

#[test]
fn a_file_that_was_cut_is_told_at_the_commit() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.ptape");
    let mut image = recorded(&path);
    image.append_block(&[2; 5000]).expect("a block");
    let end = image.host_bytes();
    let file = fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .expect("a file");
    file.set_len(20_000).expect("is cut");
    let error = image.sync().expect_err("the second block is gone");
    assert_eq!(
        absence(error, &path),
        Absence::Cut {
            length: 20_000,
            end
        }
    );
}

#[test]
fn who_only_reads_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.ptape");
    drop(recorded(&path).finish().expect("closes"));
    let store = FileStore::open(&path, Access::ReadOnly).expect("a file");
    let (mut image, _) = Image::open(store, Access::ReadOnly).expect("an image");
    fs::remove_file(&path).expect("it goes");
    image.check_presence().expect("nothing was written");
    image.finish().expect("closes");
}

#[test]
fn a_file_without_a_name_can_not_lose_it() {
    use std::os::fd::AsRawFd;
    let file = tempfile::tempfile().expect("a file without a name");
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let folder = tempfile::tempdir().expect("a folder");
    let named = folder.path().join("a.ptape");
    drop(recorded(&named).finish().expect("closes"));
    let mut into = &file;
    std::io::Write::write_all(&mut into, &fs::read(&named).expect("a file")).expect("a copy");
    let store = FileStore::open(&path, Access::ReadWrite).expect("a file");
    let (mut image, _) = Image::open(store, Access::ReadWrite).expect("an image");
    image.to_end_of_data();
    image.append_block(&[2; 100]).expect("a block");
    image.sync().expect("nobody took it away");
    assert_eq!(image.finish().expect("closes").home().map(drop), None);
}
