//! EN-02, VT-10: which volumes a drive gets, and what the catalog has of one when it comes back.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use pseudotape_image::{Access, FileStore, Image};
use pseudotape_tape::Mark;
use pseudotape_vault::{
    Availability, Category, Digest, Error, Label, Opening, Order, Recorded, RecordedFile,
    Surroundings, Vault, vault_of,
};
use tempfile::TempDir;

struct Place {
    folder: TempDir,
    vault: Vault,
}

fn label(text: &str) -> Label {
    text.parse().expect("a label")
}

fn ada() -> Order {
    Order::person("ada", "she said so")
}

fn drive(number: u32) -> Order {
    Order::system(format!("drive {number}"))
}

impl Place {
    /// A vault with blank volumes, made one after the other by a clock that goes on by a second each time.
    fn new(labels: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let surroundings = Surroundings::seeded(7, 1_000_000_000_000);
        let at = folder.path().join("v");
        let mut vault = Vault::create(&at, "v", None, &ada(), surroundings).expect("empty");
        for name in labels {
            vault
                .make(Some(&label(name)), None, None, &ada())
                .expect("a name that is free");
        }
        Place { folder, vault }
    }

    fn image(&self, name: &str) -> PathBuf {
        self.vault.images().join(format!("{name}.ptape"))
    }

    fn scratch(&mut self) -> String {
        let granted = self.vault.grant_scratch(&drive(0)).expect("one is left");
        assert_eq!(granted.listed.volume.opening, Opening::Open);
        granted.listed.volume.label.to_string()
    }

    fn close(&mut self, name: &str, recorded: &Recorded) {
        let identity = self
            .vault
            .volume(&label(name))
            .expect("known")
            .volume
            .identity;
        let closed = self.vault.close_recorded(identity, recorded, &drive(0));
        closed.expect("its image is there").expect("it is open");
    }

    fn refusal(&mut self, name: &str, access: Access) -> Error {
        let before = self.vault.events(None, 1000).expect("a log").len();
        let granted = self.vault.grant(&label(name), access, &drive(9));
        let error = granted.expect_err("refused");
        let after = self.vault.events(None, 1000).expect("a log").len();
        assert_eq!(before, after, "nothing has changed");
        error
    }
}

fn write(path: &Path, files: &[&[u8]]) {
    let store = FileStore::open(path, Access::ReadWrite).expect("nobody has it");
    let (mut image, _) = Image::open(store, Access::ReadWrite).expect("an image");
    image.to_end_of_data();
    for file in files {
        image.append_block(file).expect("room");
        image.append_marks(Mark::Filemark, 1).expect("room");
    }
    image.finish().expect("room");
}

fn file(number: u64, first_object: u64, bytes: u64, digest: u8) -> RecordedFile {
    RecordedFile {
        number,
        first_object,
        lengths: Some((1, bytes)),
        digest: Some(Digest([digest; 32])),
    }
}

#[test]
fn what_is_blocked_open_or_strange_is_refused_and_nothing_changes() {
    let mut place = Place::new(&["A", "B", "C"]);
    for state in [
        Availability::NotAllowed,
        Availability::AtVendor,
        Availability::Lost,
    ] {
        let name = format!("{state}");
        place
            .vault
            .make(Some(&label(&name)), None, None, &ada())
            .expect("free");
        place
            .vault
            .set_availability(&label(&name), state, &ada())
            .expect("allowed");
        for access in [Access::ReadOnly, Access::ReadWrite] {
            let words = place.refusal(&name, access).to_string();
            let expected = format!("volume {name} is {state}, set by ada on 2001-09-09T");
            assert!(
                words.starts_with(&expected) && words.ends_with("Z: she said so"),
                "{words}"
            );
        }
    }
    place
        .vault
        .set_category(&label("A"), Category::Error, &ada())
        .expect("allowed");
    let words = place.refusal("A", Access::ReadWrite).to_string();
    assert!(
        words.contains("category error, which is not written"),
        "{words}"
    );
    let read = place
        .vault
        .grant(&label("A"), Access::ReadOnly, &drive(1))
        .expect("to be read");
    assert_eq!(read.listed.volume.opening, Opening::Closed);

    // Left open: by whom, since when, and the way out.
    place
        .vault
        .grant(&label("B"), Access::ReadWrite, &drive(3))
        .expect("free");
    let words = place.refusal("B", Access::ReadOnly).to_string();
    assert!(
        words.contains("volume B was left open: drive 3 (since 2001-09-09T"),
        "{words}"
    );
    assert!(
        words.contains(&format!("vault add {}", place.image("B").display())),
        "{words}"
    );
    // In use: a drive has its image.
    let store = FileStore::open(&place.image("B"), Access::ReadWrite).expect("nobody has it");
    let (held, _) = Image::open(store, Access::ReadWrite).expect("an image");
    assert!(matches!(
        place.refusal("B", Access::ReadWrite),
        Error::HasIt { .. }
    ));
    drop(held);

    let (own, other) = (place.image("C"), place.image("A"));
    let kept = place.folder.path().join("kept");
    fs::rename(&own, &kept).expect("one disk");
    assert!(matches!(
        place.refusal("C", Access::ReadOnly),
        Error::ImageGone { .. }
    ));
    fs::copy(&other, &own).expect("room");
    assert!(matches!(
        place.refusal("C", Access::ReadWrite),
        Error::OtherImage { .. }
    ));
    fs::rename(&kept, &own).expect("one disk");
    write(&own, &[b"past the vault"]);
    assert!(matches!(
        place.refusal("C", Access::ReadWrite),
        Error::WrittenPast { .. }
    ));
    let granted = place
        .vault
        .grant(&label("C"), Access::ReadOnly, &drive(1))
        .expect("to be read");
    assert!(granted.is_unknown, "a person is to be told");
}

/// Of two copies of one image that were written once each, only one is what the catalog knows.
#[test]
fn a_copy_that_was_written_elsewhere_is_not_written_on() {
    let mut place = Place::new(&["A"]);
    let image = place.image("A");
    let blank = fs::read(&image).expect("there");
    let granted = place.vault.grant(&label("A"), Access::ReadWrite, &drive(0));
    assert!(!granted.expect("free").is_unknown);
    write(&image, &[b"one"]);
    let recorded = Recorded {
        untouched: 0,
        files: vec![file(0, 0, 3, 1)],
        unsure: false,
    };
    place.close("A", &recorded);
    fs::write(&image, blank).expect("room");
    write(&image, &[b"elsewhere"]);
    assert!(matches!(
        place.refusal("A", Access::ReadWrite),
        Error::WrittenPast { .. }
    ));
    let granted = place.vault.grant(&label("A"), Access::ReadOnly, &drive(1));
    assert!(granted.expect("to be read").is_unknown);
}

#[test]
fn a_scratch_mount_gets_what_nobody_used_for_the_longest_time() {
    let mut place = Place::new(&["C", "B", "A", "D", "E"]);
    place
        .vault
        .set_category(&label("D"), Category::Private, &ada())
        .expect("allowed");
    fs::remove_file(place.image("E")).expect("there");
    // In the order in which they came.
    assert_eq!(place.scratch(), "C");
    assert_eq!(place.scratch(), "B");
    // What was used goes to the end of the row, written or not.
    place.close("C", &Recorded::nothing());
    place.close("B", &Recorded::nothing());
    assert_eq!(place.scratch(), "A");
    assert_eq!(place.scratch(), "C");
    place
        .vault
        .set_availability(&label("B"), Availability::NotAllowed, &ada())
        .expect("allowed");
    let none = place
        .vault
        .grant_scratch(&drive(0))
        .expect_err("nothing is left");
    assert!(matches!(none, Error::NoScratch), "{none}");
}

#[test]
fn a_scratch_volume_becomes_private_when_it_was_written() {
    let mut place = Place::new(&["A", "B"]);
    for (name, files) in [("A", &[b"data".as_slice()][..]), ("B", &[])] {
        place
            .vault
            .grant(&label(name), Access::ReadWrite, &drive(0))
            .expect("free");
        write(&place.image(name), files);
        let recorded = match files.is_empty() {
            true => Recorded::nothing(),
            false => Recorded {
                untouched: 0,
                files: vec![file(0, 0, 4, 1)],
                unsure: false,
            },
        };
        place.close(name, &recorded);
    }
    let volume = |name| place.vault.volume(&label(name)).expect("known");
    assert_eq!(volume("A").volume.category, Category::Private);
    assert_eq!((volume("A").files, volume("A").bytes), (1, 4));
    assert_eq!(volume("B").volume.category, Category::Scratch);
    assert_eq!(volume("B").volume.generation, 0);
}

#[test]
fn a_close_keeps_what_was_not_touched_and_doubts_what_it_was_not_told() {
    let mut place = Place::new(&["A"]);
    let a = label("A");
    let load = |place: &mut Place| {
        place
            .vault
            .grant(&a, Access::ReadWrite, &drive(0))
            .expect("free");
    };
    load(&mut place);
    write(&place.image("A"), &[b"one", b"two"]);
    let recorded = Recorded {
        untouched: 0,
        files: vec![file(0, 0, 3, 1), file(1, 2, 3, 2)],
        unsure: false,
    };
    place.close("A", &recorded);
    // A file behind it, whose length nobody told.
    load(&mut place);
    write(&place.image("A"), &[b"three"]);
    let recorded = Recorded {
        untouched: 2,
        files: vec![RecordedFile {
            lengths: None,
            digest: None,
            ..file(2, 4, 0, 0)
        }],
        unsure: false,
    };
    place.close("A", &recorded);
    let digest = |place: &Place| -> Vec<_> {
        let files = place.vault.files(&a).expect("known");
        files
            .iter()
            .map(|file| (file.bytes, file.digest.map(|digest| digest.0[0])))
            .collect()
    };
    assert_eq!(digest(&place), [(3, Some(1)), (3, Some(2)), (5, None)]);
    // It is not known what became of the second file and of those behind it.
    load(&mut place);
    write(&place.image("A"), &[]);
    write(&place.image("A"), &[b"four"]);
    let recorded = Recorded {
        untouched: 1,
        files: Vec::new(),
        unsure: true,
    };
    place.close("A", &recorded);
    assert_eq!(
        digest(&place),
        [(3, Some(1)), (3, None), (5, None), (4, None)]
    );
}

#[test]
fn an_image_that_is_looked_at_after_it_was_written_keeps_no_digest_that_nobody_computed() {
    let mut place = Place::new(&["A"]);
    let a = label("A");
    place
        .vault
        .grant(&a, Access::ReadWrite, &drive(0))
        .expect("free");
    write(&place.image("A"), &[b"one"]);
    let recorded = Recorded {
        untouched: 0,
        files: vec![file(0, 0, 3, 1)],
        unsure: false,
    };
    place.close("A", &recorded);
    let look = |place: &mut Place| {
        let image = place.image("A");
        let contents =
            pseudotape_vault::read_contents(&image, pseudotape_vault::Depth::Frames, &mut |_| {});
        let taking = pseudotape_vault::Taking {
            image,
            contents: contents.expect("readable"),
            label: None,
            category: None,
            replace: false,
        };
        place.vault.take(taking, &ada()).expect("it is the vault's");
        place.vault.files(&a).expect("known")[0].digest
    };
    assert_eq!(
        look(&mut place),
        Some(Digest([1; 32])),
        "it was not written since"
    );
    write(&place.image("A"), &[b"two"]);
    assert_eq!(look(&mut place), None);
}

/// A program that was killed in a tape file has committed nothing, and the image has no further generation. What it
/// wrote is the volume's all the same. An image in which a known file is another one still is none of this volume.
#[test]
fn what_a_killed_program_has_added_is_taken_in_without_a_further_generation() {
    let mut place = Place::new(&["A"]);
    let a = label("A");
    let look = |place: &mut Place| {
        let image = place.image("A");
        let contents =
            pseudotape_vault::read_contents(&image, pseudotape_vault::Depth::Frames, &mut |_| {});
        let taking = pseudotape_vault::Taking {
            image,
            contents: contents.expect("readable"),
            label: None,
            category: None,
            replace: false,
        };
        place.vault.take(taking, &ada())
    };
    let append = |path: &Path, block: &[u8]| {
        let store = FileStore::open(path, Access::ReadWrite).expect("nobody has it");
        let (mut image, _) = Image::open(store, Access::ReadWrite).expect("an image");
        image.to_end_of_data();
        image.append_marks(Mark::Filemark, 1).expect("room");
        image.append_block(block).expect("room");
        // It dies without a commit.
    };
    let other = place.folder.path().join("other");
    fs::copy(place.image("A"), &other).expect("room");
    append(&other, b"elsewhere");
    for (files, block) in [(2, b"one"), (3, b"two")] {
        let granted = place.vault.grant(&a, Access::ReadWrite, &drive(0));
        granted.expect("free");
        append(&place.image("A"), block);
        let taken = look(&mut place).expect("it has more than the catalog knew");
        assert_eq!(taken.volume.opening, Opening::Closed);
        assert_eq!(place.vault.files(&a).expect("known").len(), files);
    }
    let granted = place.vault.grant(&a, Access::ReadWrite, &drive(0));
    granted.expect("free");
    fs::copy(&other, place.image("A")).expect("room");
    let refused = look(&mut place).expect_err("the catalog knows other files");
    assert!(
        matches!(&refused, Error::OlderImage { gone, .. } if gone.contains("tape file 1")),
        "{refused}"
    );
}

#[test]
fn a_volume_is_known_by_any_path_of_its_image_and_a_copy_is_none() {
    let place = Place::new(&["A"]);
    let image = place.image("A");
    let link = place.folder.path().join("link");
    symlink(&image, &link).expect("a link");
    let name = place.folder.path().join("name");
    fs::hard_link(&image, &name).expect("one disk");
    let copy = place.folder.path().join("copy");
    fs::copy(&image, &copy).expect("room");
    let found = |path: &Path| {
        let volume = place.vault.volume_at(path).expect("a catalog");
        volume.map(|volume| volume.label.to_string())
    };
    for path in [&image, &link, &name] {
        assert_eq!(found(path).as_deref(), Some("A"), "{path:?}");
    }
    assert_eq!(found(&copy), None);
    assert_eq!(found(Path::new("/nowhere")), None);
    let vault = place.vault.directory().canonicalize().expect("there");
    assert_eq!(vault_of(&link), Some(vault));
    assert_eq!(vault_of(&copy), None);
}

#[test]
fn a_volume_that_no_drive_took_is_as_before() {
    let mut place = Place::new(&["A"]);
    let before = place.vault.volume(&label("A")).expect("known");
    let granted = place
        .vault
        .grant(&label("A"), Access::ReadWrite, &drive(0))
        .expect("free");
    let identity = granted.listed.volume.identity;
    for _ in 0..2 {
        place
            .vault
            .take_back(identity, &Order::system("it could not be loaded"))
            .expect("a catalog");
        assert_eq!(place.vault.volume(&label("A")).expect("known"), before);
    }
    let closed = place
        .vault
        .close_recorded(identity, &Recorded::nothing(), &drive(0));
    assert_eq!(closed.expect("a catalog"), None, "it was closed already");
}
