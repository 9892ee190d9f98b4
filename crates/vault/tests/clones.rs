//! EN-12, EN-13. A clone takes the place of a volume in one transaction, and only when it holds what is good on it.

use std::path::Path;

use pseudotape_image::{Access, FileStore, Image};
use pseudotape_tape::Mark;
use pseudotape_vault::{
    Availability, ClonedFile, Cloning, Contents, Depth, Error, FileState, Label, Opening, Order,
    Surroundings, Vault, read_contents,
};

const FILES: [&[u8]; 4] = [b"one", b"two", b"three", b"four"];

fn write(path: &Path, files: &[&[u8]]) {
    let store = FileStore::open(path, Access::ReadWrite).expect("it is there");
    let (mut image, _) = Image::open(store, Access::ReadWrite).expect("an image");
    for file in files {
        image.append_block(file).expect("room");
        image.append_marks(Mark::Filemark, 1).expect("room");
    }
    image.finish().expect("it is committed");
}

fn label(text: &str) -> Label {
    text.parse().expect("a label")
}

struct Place {
    _directory: tempfile::TempDir,
    vault: Vault,
    source: Label,
    clone: Label,
    contents: Contents,
}

fn order() -> Order {
    Order::person("ada", "cloned because of a read error")
}

impl Place {
    /// A volume with four files, of which file 1 is bad, and a clone with these.
    fn new(on_it: &[&[u8]]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let surroundings = Surroundings::of_this_machine();
        let home = directory.path().join("v");
        let mut vault = Vault::create(&home, "v", None, &order(), surroundings).expect("a vault");
        let (source, clone) = (label("SOURCE"), label("CLONE"));
        for name in [&source, &clone] {
            vault
                .make(Some(name), None, None, &order())
                .expect("a volume");
        }
        let image = |vault: &Vault, label: &Label| {
            let volume = vault.volume(label).expect("it is there").volume;
            vault.image_of(&volume).expect("it has one")
        };
        let source_image = image(&vault, &source);
        vault
            .open_volume(&source, Access::ReadWrite, &order())
            .expect("it is blank");
        write(&source_image, &FILES);
        let contents = read_contents(&source_image, Depth::Digests, &mut |_| {}).expect("read");
        vault
            .close_volume(&source, &contents, &order())
            .expect("closed");
        vault
            .mark_found(&source, &[1], "it can't be read")
            .expect("marked");
        vault
            .begin_clone(&source, &clone, false, &order())
            .expect("both are fit");
        let clone_image = image(&vault, &clone);
        write(&clone_image, on_it);
        let contents = read_contents(&clone_image, Depth::Digests, &mut |_| {}).expect("read");
        Place {
            _directory: directory,
            vault,
            source,
            clone,
            contents,
        }
    }

    fn swap(&mut self, old: &[u64]) -> Result<pseudotape_vault::Swapped, Error> {
        let files: Vec<ClonedFile> = (0..)
            .zip(old)
            .map(|(number, old)| ClonedFile {
                number,
                old_number: *old,
                old_first_object: 2 * old,
            })
            .collect();
        let cloning = Cloning {
            source: &self.source,
            clone: &self.clone,
            contents: &self.contents,
            files: &files,
        };
        self.vault.swap_clone(cloning, &order())
    }

    fn refuses(&mut self, old: &[u64], why: &str) {
        let before = (
            self.vault.volumes().expect("rows"),
            self.vault.events(None, 999).expect("rows"),
        );
        let error = self.swap(old).expect_err("it is no clone");
        assert!(matches!(error, Error::NotAClone { .. }), "{error}");
        assert!(error.to_string().contains(why), "{error}");
        let after = (
            self.vault.volumes().expect("rows"),
            self.vault.events(None, 999).expect("rows"),
        );
        assert_eq!(before, after, "nothing was changed");
    }
}

#[test]
fn the_label_means_the_clone_and_the_source_stays_blocked() {
    let mut place = Place::new(&[FILES[0], FILES[2], FILES[3]]);
    let swapped = place.swap(&[0, 2, 3]).expect("it is a clone");
    assert_eq!(swapped.clone.volume.label, place.source);
    assert_eq!(swapped.clone.volume.availability, Availability::Ok);
    assert_eq!(swapped.clone.volume.opening, Opening::Closed);
    let kept = label("SOURCE damaged 1");
    assert_eq!(swapped.source.volume.label, kept);
    assert_eq!(swapped.source.volume.availability, Availability::NoAccess);
    assert_eq!(place.vault.files(&kept).expect("rows").len(), 4);
    let (of, files) = place
        .vault
        .clone_of(&place.source)
        .expect("rows")
        .expect("a clone");
    assert_eq!(of, swapped.source.volume.identity);
    let old: Vec<(u64, u64)> = files
        .iter()
        .map(|f| (f.old_number, f.old_first_object))
        .collect();
    assert_eq!(old, [(0, 0), (2, 4), (3, 6)]);
    assert_eq!(place.vault.clone_of(&kept).expect("rows"), None);
    place
        .vault
        .open_volume(&place.source, Access::ReadOnly, &order())
        .expect("it is in service");
    let refused = place.vault.open_volume(&kept, Access::ReadOnly, &order());
    assert!(
        refused
            .expect_err("it is not")
            .to_string()
            .contains("noaccess")
    );
}

#[test]
fn one_file_that_is_not_on_the_clone_keeps_all_of_them_where_they_are() {
    Place::new(&[FILES[0], FILES[2]]).refuses(&[0, 2], "not each good tape file");
    Place::new(&[FILES[0], FILES[2], FILES[3]]).refuses(&[0, 3, 2], "in their order");
    Place::new(&[FILES[0], FILES[2], FILES[3], b"x"]).refuses(&[0, 2, 3], "it has 4 tape files");
    Place::new(&[FILES[0], FILES[2], b"fouR"]).refuses(&[0, 2, 3], "tape file 3 of the source");
    // One that is bad there has the digest that it had.
    Place::new(&[FILES[0], b"tWo", FILES[2], FILES[3]])
        .refuses(&[0, 1, 2, 3], "tape file 1 of the source");
    let mut place = Place::new(&FILES);
    place.swap(&[0, 1, 2, 3]).expect("read from another copy");
    let files = place.vault.files(&label("SOURCE damaged 1")).expect("rows");
    assert_eq!(files[1].state, FileState::Bad);
}

#[test]
fn what_a_clone_may_not_touch_is_refused_before_anything_changes() {
    let mut place = Place::new(&FILES);
    let (source, clone) = (place.source.clone(), place.clone.clone());
    place
        .vault
        .make(Some(&label("C")), None, None, &order())
        .expect("a volume");
    // A target that is open, and not by this clone; one with files.
    let error = place.vault.begin_clone(&source, &clone, false, &order());
    assert!(error.expect_err("open").to_string().contains("is open"));
    place
        .vault
        .begin_clone(&source, &clone, true, &order())
        .expect("by this clone");
    let error = place
        .vault
        .begin_clone(&label("C"), &source, true, &order());
    assert!(error.expect_err("blocked").to_string().contains("noaccess"));
    let reason = Order::person("ada", "gone");
    place
        .vault
        .set_availability(&source, Availability::Lost, &reason)
        .expect("a decision");
    let error = place
        .vault
        .begin_clone(&source, &label("C"), false, &order());
    assert!(
        error
            .expect_err("lost")
            .to_string()
            .contains("is lost, set by ada")
    );
}
