//! EN-02, EN-08. A volume whose image was damaged before a copy of it was made: the copy finds it, and says so.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use pseudotape_drive::Personality;
use pseudotape_image::{Access, FileStore, Image};
use pseudotape_tape::{Drive, Mark, ObjectNumber};
use pseudotape_testkit::{ModelCartridge, ModelDrive};
use pseudotape_vault::{
    Availability, Depth, FileState, Label, Order, Stacked, Surroundings, Taking, Vault,
    read_contents,
};

const FILES: u32 = 4;
const BLOCKS: u32 = 5;
const BLOCK: usize = 50_000;

fn order() -> Order {
    Order::person("ada", "why")
}

fn label(text: &str) -> Label {
    text.parse().unwrap()
}

fn block(file: u32, number: u32) -> Vec<u8> {
    let word = |word: u32| (file * 7_919 + number * 1_013 + word * 5).to_le_bytes();
    (0..BLOCK as u32 / 4).flat_map(word).collect()
}

struct House {
    _directory: tempfile::TempDir,
    vault: Vault,
    image: PathBuf,
    tape: ModelDrive,
}

impl House {
    /// With MON001, of which no block was read since it was written.
    fn new(seed: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let surroundings = Surroundings::seeded(seed, 1_700_000_000_000);
        let at = directory.path().join("v");
        let mut vault = Vault::create(&at, "house", None, &order(), surroundings).unwrap();
        let made = vault.make(Some(&label("MON001")), None, None, &order());
        let image = vault.image_of(&made.unwrap().volume).unwrap();
        let store = FileStore::open(&image, Access::ReadWrite).unwrap();
        let (mut written, _) = Image::open(store, Access::ReadWrite).unwrap();
        for file in 0..FILES {
            for number in 0..BLOCKS {
                written.append_block(&block(file, number)).unwrap();
            }
            written.append_marks(Mark::Filemark, 1).unwrap();
        }
        written.finish().unwrap();
        let taking = Taking {
            image: image.clone(),
            contents: read_contents(&image, Depth::Frames, &mut |_| {}).unwrap(),
            label: None,
            category: None,
            replace: false,
        };
        vault.take(taking, &order()).unwrap();
        let mut tape = ModelDrive::new(Personality::default());
        tape.insert(ModelCartridge::default());
        House {
            _directory: directory,
            vault,
            image,
            tape,
        }
    }

    fn stack(&mut self) -> Stacked {
        let (pool, new) = (label("primary"), label("STK001"));
        let opened = self
            .vault
            .open_cartridge(&mut self.tape, &pool, Some(&new), &order());
        let mut cartridge = opened.unwrap();
        self.vault
            .stack(&mut self.tape, &mut cartridge, &label("MON001"), &order())
            .unwrap()
    }

    fn states(&self) -> Vec<FileState> {
        let files = self.vault.files(&label("MON001")).unwrap();
        files.iter().map(|file| file.state).collect()
    }

    fn availability(&self) -> Availability {
        let listed = self.vault.volume(&label("MON001")).unwrap();
        listed.volume.availability
    }

    fn objects(&mut self) -> usize {
        self.tape.cartridge_mut().unwrap().partitions[0].len()
    }
}

fn why(stacked: Stacked) -> String {
    match stacked {
        Stacked::Unreadable(error) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

/// Where the bytes of an object lie.
fn payload_of(image: &Path, object: u64) -> u64 {
    let (file, number) = (
        object / u64::from(BLOCKS + 1),
        object % u64::from(BLOCKS + 1),
    );
    let wanted = block(file as u32, number as u32);
    let bytes = fs::read(image).unwrap();
    let at = bytes.windows(BLOCK).position(|part| part == wanted);
    at.unwrap() as u64
}

fn put(image: &Path, at: u64, bytes: &[u8]) {
    let file = fs::OpenOptions::new().write(true).open(image).unwrap();
    file.write_all_at(bytes, at).unwrap();
}

/// Seen failing before the blocks were checked on their way: it was a copy like any other.
#[test]
fn a_block_that_was_damaged_before_the_first_copy_is_found_and_written_down() {
    let mut house = House::new(1);
    let image = house.image.clone();
    for object in [14, 20] {
        put(&image, payload_of(&image, object) + 777, b"DAMAGE");
    }
    let begun = house.objects();
    assert_eq!(begun, 0);
    let text = why(house.stack());
    // What it is, where, and the way out.
    for words in [
        "MON001 is damaged: tape file 2, 3: object 14",
        "the catalog says so now, and no copy was written",
        "'pseudotape vault clone MON001 --to LABEL'",
    ] {
        assert!(text.contains(words), "{text}: {words}");
    }
    let (ok, bad) = (FileState::Ok, FileState::Bad);
    assert_eq!(house.states(), [ok, ok, bad, bad]);
    assert_eq!(house.availability(), Availability::NoAccess);
    assert!(house.vault.copies(&label("MON001")).unwrap().is_empty());
    // What is known to be bad is copied as it is, with the word that it is.
    let before = fs::read(&image).unwrap();
    let Stacked::Copied(copy) = house.stack() else {
        panic!("it is known")
    };
    fs::remove_file(&image).unwrap();
    house.tape.rewind().unwrap();
    let recalled = house
        .vault
        .recall(&mut house.tape, &label("MON001"), &order())
        .unwrap();
    assert_eq!(recalled.copy, copy);
    assert_eq!(fs::read(&image).unwrap(), before);
    assert_eq!(house.states(), [ok, ok, bad, bad]);
    // It is no copy of before.
    let copies = house.vault.copies_of_before(&label("MON001"));
    assert_eq!(copies.unwrap(), None);
}

/// A frame that is damaged is found without its block.
#[test]
fn a_damaged_frame_is_found_and_written_down() {
    let mut house = House::new(2);
    let image = house.image.clone();
    put(&image, payload_of(&image, 7) - 30, b"DAMAGE");
    let text = why(house.stack());
    assert!(text.contains("MON001 is damaged: tape file 1"), "{text}");
    assert_eq!(house.states()[1], FileState::Bad);
    assert_eq!(house.availability(), Availability::NoAccess);
    assert!(matches!(house.stack(), Stacked::Copied(_)));
}

/// An image that was cut behind its last commit: nobody was told.
#[test]
fn an_image_that_was_cut_is_found_and_written_down() {
    let mut house = House::new(3);
    let image = house.image.clone();
    let cut = payload_of(&image, 14) + 100;
    let file = fs::OpenOptions::new().write(true).open(&image).unwrap();
    file.set_len(cut).unwrap();
    let text = why(house.stack());
    assert!(
        text.contains("committed data are missing from object 14"),
        "{text}"
    );
    let (ok, bad) = (FileState::Ok, FileState::Bad);
    assert_eq!(house.states(), [ok, ok, bad, bad]);
    assert!(matches!(house.stack(), Stacked::Copied(_)));
}

/// A part of the index that is damaged costs no object, and no copy.
#[test]
fn a_damaged_index_does_not_keep_a_volume_from_its_copy() {
    let mut house = House::new(4);
    let image = house.image.clone();
    let store = FileStore::open(&image, Access::ReadWrite).unwrap();
    let (mut written, _) = Image::open(store, Access::ReadWrite).unwrap();
    written.to_end_of_data();
    for _ in 0..600 {
        written.append_block(b"short").unwrap();
    }
    written.finish().unwrap();
    let taking = Taking {
        image: image.clone(),
        contents: read_contents(&image, Depth::Frames, &mut |_| {}).unwrap(),
        label: None,
        category: None,
        replace: false,
    };
    house.vault.take(taking, &order()).unwrap();
    // The leaf before object 512: it begins where the one before it ends.
    let (mut viewed, _) = Image::view(&image).unwrap();
    viewed.locate(ObjectNumber(512)).unwrap();
    let bytes = fs::read(&image).unwrap();
    let leaf = bytes
        .windows(7)
        .position(|part| part[..4] == [0xF5, 0x54, 0x5F, 0x8A] && part[4..7] == [5, 0, 0]);
    put(&image, leaf.unwrap() as u64 + 20, b"DAMAGE");
    drop(viewed);
    assert!(matches!(house.stack(), Stacked::Copied(_)));
    assert_eq!(house.availability(), Availability::Ok);
}

/// A second copy of what was damaged since the first: that one is the way out.
#[test]
fn the_copy_of_before_is_named_and_brings_it_back() {
    let mut house = House::new(5);
    let image = house.image.clone();
    assert!(matches!(house.stack(), Stacked::Copied(_)));
    let good = fs::read(&image).unwrap();
    put(&image, payload_of(&image, 1) + 9, b"DAMAGE");
    let mut second = ModelDrive::new(Personality::default());
    second.insert(ModelCartridge::default());
    let (pool, new) = (label("second"), label("SEC001"));
    let opened = house
        .vault
        .open_cartridge(&mut second, &pool, Some(&new), &order());
    let stacked = house.vault.stack(
        &mut second,
        &mut opened.unwrap(),
        &label("MON001"),
        &order(),
    );
    let text = why(stacked.unwrap());
    assert!(
        text.contains("object 1 has another checksum")
            && text.contains("a copy of before is on STK001 (filling, pool primary)"),
        "{text}"
    );
    fs::rename(&image, image.with_extension("away")).unwrap();
    house.tape.rewind().unwrap();
    house
        .vault
        .recall(&mut house.tape, &label("MON001"), &order())
        .unwrap();
    assert_eq!(fs::read(&image).unwrap(), good);
    house.vault.reread(&label("MON001"), 0).unwrap();
    assert!(house.states().iter().all(|state| *state == FileState::Ok));
}
