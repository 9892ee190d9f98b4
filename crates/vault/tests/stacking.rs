//! Volumes go to stacked volumes and come back: whole, cut off, killed, damaged, foreign.

use std::fs;
use std::path::{Path, PathBuf};

use pseudotape_drive::Personality;
use pseudotape_image::{Access, FileStore, Image};
use pseudotape_tape::{Drive, Mark, Transfer, WriteMode};
use pseudotape_testkit::{ModelCartridge, ModelDrive, ModelObject, block_of};
use pseudotape_vault::recovery::{Copy, Place};
use pseudotape_vault::{
    Cartridge, Depth, Error, Label, LastCopy, Order, StackState, Stacked, Surroundings, Taking,
    Vault, read_contents,
};

const BLOCK: usize = 256 << 10;

struct House {
    _directory: tempfile::TempDir,
    vault: Vault,
}

fn order() -> Order {
    Order::person("ada", "why")
}

fn label(text: &str) -> Label {
    text.parse().unwrap()
}

impl House {
    fn new(seed: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let surroundings = Surroundings::seeded(seed, 1_700_000_000_000);
        let vault = Vault::create(
            &directory.path().join("v"),
            "house",
            None,
            &order(),
            surroundings,
        );
        House {
            vault: vault.unwrap(),
            _directory: directory,
        }
    }

    /// A private volume with a tape file of these bytes.
    fn volume(&mut self, name: &str, bytes: &[u8]) -> PathBuf {
        let made = self
            .vault
            .make(Some(&label(name)), None, None, &order())
            .unwrap();
        let path = self.vault.image_of(&made.volume).unwrap();
        self.write(&path, bytes);
        path
    }

    /// Writes a tape file more, as a drive does that tells the vault.
    fn write(&mut self, path: &Path, bytes: &[u8]) {
        let store = FileStore::open(path, Access::ReadWrite).unwrap();
        let (mut image, _) = Image::open(store, Access::ReadWrite).unwrap();
        image.to_end_of_data();
        for block in bytes.chunks(10_240) {
            image.append_block(block).unwrap();
        }
        image.append_marks(Mark::Filemark, 1).unwrap();
        image.finish().unwrap();
        let taking = Taking {
            image: path.to_owned(),
            contents: read_contents(path, Depth::Digests, &mut |_| {}).unwrap(),
            label: None,
            category: None,
            replace: false,
        };
        self.vault.take(taking, &order()).unwrap();
    }

    fn cartridge(&mut self, drive: &mut ModelDrive, new: Option<&str>) -> Result<Cartridge, Error> {
        let new = new.map(label);
        self.vault
            .open_cartridge(drive, &label("primary"), new.as_ref(), &order())
    }

    fn stack(&mut self, drive: &mut ModelDrive, cartridge: &mut Cartridge, name: &str) -> Stacked {
        self.vault
            .stack(drive, cartridge, &label(name), &order())
            .unwrap()
    }
}

fn refused<T: std::fmt::Debug>(result: Result<T, Error>, words: &str) {
    let text = result.unwrap_err().to_string();
    assert!(text.contains(words), "{text}: {words}");
}

fn not_copied(stacked: Stacked, words: &str) {
    match stacked {
        Stacked::Unreadable(error) => refused::<()>(Err(error), words),
        other => panic!("{other:?}"),
    }
}

fn drive(cartridge: ModelCartridge) -> ModelDrive {
    let mut drive = ModelDrive::new(Personality::default());
    drive.insert(cartridge);
    drive
}

fn blank() -> ModelDrive {
    drive(ModelCartridge::default())
}

fn objects(drive: &mut ModelDrive) -> &mut Vec<ModelObject> {
    &mut drive.cartridge_mut().unwrap().partitions[0]
}

#[test]
fn a_volume_comes_back_as_it_went() {
    let mut house = House::new(1);
    let mut tape = blank();
    let first = house.volume("MON001", &block_of(1, 700_000));
    let second = house.volume("Über 2", &block_of(2, 30_000));
    let bytes = [fs::read(&first).unwrap(), fs::read(&second).unwrap()];
    assert_eq!(
        house.vault.without_copy(&label("primary")).unwrap().len(),
        2
    );
    let mut cartridge = house.cartridge(&mut tape, Some("STK001")).unwrap();
    assert!(cartridge.begun);
    for (at, name) in ["MON001", "Über 2"].iter().enumerate() {
        let Stacked::Copied(copy) = house.stack(&mut tape, &mut cartridge, name) else {
            panic!("{name}")
        };
        assert_eq!((copy.file, copy.generation), (at as u64 + 1, 1));
        assert_eq!(
            copy.digest.map(|digest| digest.to_string()),
            Some(blake3::hash(&bytes[at]).to_string())
        );
        // Once is enough.
        let again = house.stack(&mut tape, &mut cartridge, name);
        assert!(matches!(again, Stacked::Already(known) if known == copy));
    }
    assert_eq!(house.vault.without_copy(&label("primary")).unwrap(), []);
    let stacked = &house.vault.stacked_volumes().unwrap()[0];
    assert_eq!((stacked.state, stacked.copies), (StackState::Filling, 2));
    refused(
        house.vault.recall(&mut tape, &label("MON001"), &order()),
        "is here",
    );
    for (path, name) in [(&second, "Über 2"), (&first, "MON001")] {
        fs::remove_file(path).unwrap();
        let recalled = house
            .vault
            .recall(&mut tape, &label(name), &order())
            .unwrap();
        assert_eq!(&recalled.image, path);
    }
    assert_eq!(
        [fs::read(&first).unwrap(), fs::read(&second).unwrap()],
        bytes
    );
    let inspection = house.vault.inspect(Depth::Digests, &mut |_| {}).unwrap();
    assert_eq!(inspection.findings, []);
    assert_eq!(fs::read_dir(house.vault.images()).unwrap().count(), 2);
}

#[test]
fn a_copy_is_valid_for_one_generation() {
    let mut house = House::new(2);
    let mut tape = blank();
    let path = house.volume("MON001", b"old");
    let mut cartridge = house.cartridge(&mut tape, Some("STK001")).unwrap();
    house.stack(&mut tape, &mut cartridge, "MON001");
    house.write(&path, b"new");
    assert_eq!(
        house.vault.without_copy(&label("primary")).unwrap(),
        [label("MON001")]
    );
    let newer = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    // What is older is not brought back in its place.
    refused(
        house.vault.recall(&mut tape, &label("MON001"), &order()),
        "no stacked volume has a copy of generation 2",
    );
    fs::write(&path, &newer).unwrap();
    let mut cartridge = house.cartridge(&mut tape, None).unwrap();
    assert!(matches!(
        house.stack(&mut tape, &mut cartridge, "MON001"),
        Stacked::Copied(_)
    ));
    fs::remove_file(&path).unwrap();
    let recalled = house
        .vault
        .recall(&mut tape, &label("MON001"), &order())
        .unwrap();
    assert_eq!((recalled.copy.file, recalled.copy.generation), (2, 2));
    assert_eq!(fs::read(&path).unwrap(), newer);
    assert_eq!(house.vault.copies(&label("MON001")).unwrap().len(), 2);
}

#[test]
fn what_does_not_fit_has_no_copy_and_goes_to_the_next_one() {
    let mut house = House::new(3);
    house.volume("MON001", &block_of(1, 300_000));
    let path = house.volume("MON002", &block_of(2, 600_000));
    let mut first = drive(ModelCartridge {
        capacity_bytes: Some(5 * BLOCK as u64),
        ..ModelCartridge::default()
    });
    let mut cartridge = house.cartridge(&mut first, Some("STK001")).unwrap();
    assert!(matches!(
        house.stack(&mut first, &mut cartridge, "MON001"),
        Stacked::Copied(_)
    ));
    assert!(matches!(
        house.stack(&mut first, &mut cartridge, "MON002"),
        Stacked::Full
    ));
    assert_eq!(house.vault.copies(&label("MON002")).unwrap(), []);
    let stacked = &house.vault.stacked_volumes().unwrap()[0];
    assert_eq!((stacked.state, stacked.copies), (StackState::Full, 1));
    refused(house.cartridge(&mut first, None), "STK001 is full");
    let mut second = blank();
    refused(house.cartridge(&mut second, None), "blank: --new LABEL");
    refused(
        house.cartridge(&mut second, Some("STK001")),
        "STK001 already",
    );
    let mut cartridge = house.cartridge(&mut second, Some("STK002")).unwrap();
    assert!(matches!(
        house.stack(&mut second, &mut cartridge, "MON002"),
        Stacked::Copied(_)
    ));
    // The wrong one is named, and the right one too.
    fs::remove_file(&path).unwrap();
    refused(
        house.vault.recall(&mut first, &label("MON002"), &order()),
        "put one of these in: STK002 (filling, pool primary)",
    );
    house
        .vault
        .recall(&mut second, &label("MON002"), &order())
        .unwrap();
    // One fills at a time.
    refused(
        house.cartridge(&mut blank(), Some("STK003")),
        "in pool primary STK002 fills",
    );
}

/// A kill at each object: the tape as it was then, and the catalog as it was before the commit.
#[test]
fn a_kill_at_any_object_leaves_a_tape_that_goes_on() {
    let mut house = House::new(4);
    house.volume("MON001", &block_of(1, 600_000));
    let path = house.volume("MON002", &block_of(2, 300_000));
    let bytes = fs::read(&path).unwrap();
    let mut tape = blank();
    let mut cartridge = house.cartridge(&mut tape, Some("STK001")).unwrap();
    house.stack(&mut tape, &mut cartridge, "MON001");
    let before = objects(&mut tape).len();
    let mut whole = tape.clone();
    let copied = {
        // What a killed command wrote, of which the catalog knows nothing: another pool's archive, say.
        whole.write(Transfer::Variable, &vec![1; BLOCK]).unwrap();
        whole.write(Transfer::Variable, &vec![2; BLOCK]).unwrap();
        whole
            .write_marks(Mark::Filemark, 1, WriteMode::Commit)
            .unwrap();
        objects(&mut whole).clone()
    };
    for left in before..=copied.len() {
        let mut killed = blank();
        copied[..left].clone_into(objects(&mut killed));
        let mut cartridge = house.cartridge(&mut killed, None).unwrap();
        let is_whole = left == copied.len();
        assert_eq!(cartridge.next_file, if is_whole { 3 } else { 2 });
        assert_eq!(cartridge.cut_off, left > before && !is_whole);
        if left < copied.len() {
            continue;
        }
        assert!(matches!(
            house.stack(&mut killed, &mut cartridge, "MON002"),
            Stacked::Copied(_)
        ));
        fs::remove_file(&path).unwrap();
        house
            .vault
            .recall(&mut killed, &label("MON002"), &order())
            .unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
}

/// Killed between the description on a blank tape and the catalog: a catalog as it was before meets the tape.
#[test]
fn a_tape_that_was_only_begun_is_taken() {
    let directory = tempfile::tempdir().unwrap();
    let (now, before) = (
        directory.path().join("now"),
        directory.path().join("before"),
    );
    let surroundings = || Surroundings::seeded(5, 1_700_000_000_000);
    drop(Vault::create(&now, "house", None, &order(), surroundings()).unwrap());
    fs::create_dir_all(before.join("images")).unwrap();
    for name in ["vault.toml", "catalog.sqlite"] {
        fs::copy(now.join(name), before.join(name)).unwrap();
    }
    let mut tape = blank();
    let pool = label("primary");
    let mut vault = Vault::open(&now, "test", surroundings()).unwrap();
    let begun = vault
        .open_cartridge(&mut tape, &pool, Some(&label("STK001")), &order())
        .unwrap();
    assert!(begun.begun);
    let mut killed = Vault::open(&before, "test", surroundings()).unwrap();
    assert_eq!(killed.stacked_volumes().unwrap(), []);
    let taken = killed
        .open_cartridge(&mut tape, &pool, None, &order())
        .unwrap();
    assert!(!taken.begun);
    assert_eq!(taken.stacked.identity, begun.stacked.identity);
    assert_eq!(killed.stacked_volumes().unwrap().len(), 1);
    assert_eq!(objects(&mut tape).len(), 2, "nothing was written");
}

/// Killed before the filemark behind the description of a new stacked volume: nothing else is on the tape.
#[test]
fn a_tape_whose_beginning_was_cut_off_is_begun_anew() {
    let mut house = House::new(16);
    house.volume("MON001", b"bytes");
    let mut tape = blank();
    let mut other = House::new(17);
    other.cartridge(&mut tape, Some("STK001")).unwrap();
    objects(&mut tape).truncate(1);
    refused(house.cartridge(&mut tape, None), "--new LABEL");
    let mut begun = house.cartridge(&mut tape, Some("STK001")).unwrap();
    assert!(begun.begun && !begun.cut_off);
    assert_eq!(objects(&mut tape).len(), 2);
    house.stack(&mut tape, &mut begun, "MON001");
    // A copy at the beginning is no such thing, nor is anything that others follow.
    let mut strange = blank();
    let copy = objects(&mut tape)[2].clone();
    *objects(&mut strange) = vec![copy];
    refused(house.cartridge(&mut strange, Some("STK002")), "cut off");
    assert_eq!(objects(&mut strange).len(), 1);
}

/// Killed between the new description on a tape that was given up and the catalog.
#[test]
fn a_tape_that_was_only_begun_anew_is_taken() {
    let directory = tempfile::tempdir().unwrap();
    let [now, before] = ["now", "before"].map(|name| directory.path().join(name));
    let surroundings = |seed| Surroundings::seeded(seed, 1_700_000_000_000);
    let (pool, name) = (label("primary"), label("STK001"));
    let mut tape = blank();
    let mut vault = Vault::create(&now, "house", None, &order(), surroundings(13)).unwrap();
    let first = vault
        .open_cartridge(&mut tape, &pool, Some(&name), &order())
        .unwrap();
    for state in [StackState::Full, StackState::Erase] {
        vault
            .set_stack_state(&name, state, LastCopy::Kept, &order())
            .unwrap();
    }
    drop(vault);
    fs::create_dir_all(before.join("images")).unwrap();
    for name in ["vault.toml", "catalog.sqlite"] {
        fs::copy(now.join(name), before.join(name)).unwrap();
    }
    let mut vault = Vault::open(&now, "test", surroundings(14)).unwrap();
    let again = vault
        .open_cartridge(&mut tape, &pool, None, &order())
        .unwrap();
    assert!(again.begun && again.next_file == 1);
    assert_ne!(again.stacked.identity, first.stacked.identity);
    let mut killed = Vault::open(&before, "test", surroundings(15)).unwrap();
    let taken = killed
        .open_cartridge(&mut tape, &pool, None, &order())
        .unwrap();
    assert!(!taken.begun);
    for vault in [&vault, &killed] {
        let all = vault.stacked_volumes().unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(
            (all[0].identity, all[0].state),
            (again.stacked.identity, StackState::Filling)
        );
    }
}

#[test]
fn what_is_no_stacked_volume_of_this_vault_is_not_written() {
    let mut house = House::new(6);
    house.volume("MON001", b"bytes");
    let mut other = House::new(7);
    let mut tape = blank();
    other.cartridge(&mut tape, Some("STK001")).unwrap();
    let before = objects(&mut tape).clone();
    refused(
        house.cartridge(&mut tape, Some("STK009")),
        "of another vault, house",
    );
    assert_eq!(*objects(&mut tape), before);
    let mut foreign = blank();
    foreign.test_ready().ok();
    foreign
        .write(Transfer::Variable, b"somebody's backup")
        .unwrap();
    let before = objects(&mut foreign).clone();
    refused(
        house.cartridge(&mut foreign, Some("STK009")),
        "no stacked volume (foreign",
    );
    assert_eq!(*objects(&mut foreign), before);
    // Another pool.
    let mut tape = blank();
    house.cartridge(&mut tape, Some("STK001")).unwrap();
    let secondary = house
        .vault
        .open_cartridge(&mut tape, &label("secondary"), None, &order());
    refused(
        secondary,
        "of pool primary, and pool secondary was asked for",
    );
}

#[test]
fn a_damaged_copy_gets_no_name() {
    let mut house = House::new(8);
    let path = house.volume("MON001", &block_of(1, 600_000));
    let mut tape = blank();
    let mut cartridge = house.cartridge(&mut tape, Some("STK001")).unwrap();
    house.stack(&mut tape, &mut cartridge, "MON001");
    fs::remove_file(&path).unwrap();
    let good = objects(&mut tape).clone();
    let ModelObject::Block(block) = &mut objects(&mut tape)[3] else {
        panic!()
    };
    block[1000] ^= 1;
    refused(
        house.vault.recall(&mut tape, &label("MON001"), &order()),
        "is damaged",
    );
    objects(&mut tape)[3] = ModelObject::Damaged(BLOCK as u32);
    refused(
        house.vault.recall(&mut tape, &label("MON001"), &order()),
        "medium error",
    );
    assert_eq!(fs::read_dir(house.vault.images()).unwrap().count(), 0);
    *objects(&mut tape) = good;
    house
        .vault
        .recall(&mut tape, &label("MON001"), &order())
        .unwrap();
}

/// Two recalls at once, and what a kill left: the file of another one is not written.
#[test]
fn what_another_recall_writes_is_left_alone() {
    let mut house = House::new(12);
    let path = house.volume("MON001", &block_of(1, 300_000));
    let bytes = fs::read(&path).unwrap();
    let name = label("MON001");
    let identity = house.vault.volume(&name).unwrap().volume.identity;
    let mut tape = blank();
    let mut cartridge = house.cartridge(&mut tape, Some("STK001")).unwrap();
    house.stack(&mut tape, &mut cartridge, "MON001");
    fs::remove_file(&path).unwrap();
    let making = house.vault.images().join(format!(".recalling-{identity}"));
    fs::write(&making, b"half").unwrap();
    let held = fs::File::open(&making).unwrap();
    held.lock().unwrap();
    refused(
        house.vault.recall(&mut tape, &name, &order()),
        "another command recalls MON001",
    );
    assert_eq!(fs::read(&making).unwrap(), b"half");
    drop(held);
    // Killed between its two names, and the image was moved away since.
    let moved = house.vault.images().join("moved.ptape");
    fs::hard_link(&making, &moved).unwrap();
    house.vault.recall(&mut tape, &name, &order()).unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(fs::read(&moved).unwrap(), b"half");
    assert!(!making.exists());
}

#[test]
fn a_tape_that_somebody_wrote_over_is_not_filled() {
    let mut house = House::new(9);
    house.volume("MON001", b"bytes");
    let mut tape = blank();
    let mut cartridge = house.cartridge(&mut tape, Some("STK001")).unwrap();
    house.stack(&mut tape, &mut cartridge, "MON001");
    objects(&mut tape).truncate(2);
    refused(
        house.cartridge(&mut tape, None),
        "the catalog knows copies up to tape file 1",
    );
}

#[test]
fn what_is_in_use_or_written_past_the_vault_is_not_copied() {
    let mut house = House::new(10);
    let path = house.volume("MON001", b"bytes");
    let mut tape = blank();
    let mut cartridge = house.cartridge(&mut tape, Some("STK001")).unwrap();
    let before = objects(&mut tape).len();
    let hold = FileStore::open(&path, Access::ReadWrite).unwrap();
    let stacked = house.stack(&mut tape, &mut cartridge, "MON001");
    not_copied(stacked, "in use by a drive");
    drop(hold);
    let store = FileStore::open(&path, Access::ReadWrite).unwrap();
    let (mut image, _) = Image::open(store, Access::ReadWrite).unwrap();
    image.to_end_of_data();
    image.append_block(b"past the vault").unwrap();
    image.finish().unwrap();
    let stacked = house.stack(&mut tape, &mut cartridge, "MON001");
    not_copied(stacked, "written past the vault");
    assert_eq!(objects(&mut tape).len(), before);
}

/// VT-09: a copy counts with the time at which what it has was closed, while it was not given up. A load names it.
#[test]
fn what_is_known_of_a_volume_has_its_copies_and_a_load_names_them() {
    let mut house = House::new(11);
    let path = house.volume("MON001", b"bytes");
    let mut tape = blank();
    let mut cartridge = house.cartridge(&mut tape, Some("STK001")).unwrap();
    house.stack(&mut tape, &mut cartridge, "MON001");
    let copies = house.vault.known().unwrap()[0].copies.clone();
    let on_tape = Copy {
        place: Place::Stacked {
            stacked: cartridge.stacked.identity.to_string(),
            file: 1,
        },
        generation: 1,
        closed_ms: copies[0].closed_ms,
    };
    assert_eq!(copies[0].place, Place::Disk);
    assert_eq!(copies[1..], [on_tape]);
    fs::remove_file(&path).unwrap();
    let name = label("MON001");
    refused(
        house.vault.grant(&name, Access::ReadOnly, &order()),
        "'pseudotape vault recall MON001 --drive DRIVE' brings it from STK001 (filling, pool primary)",
    );
    for state in [StackState::Full, StackState::Erase] {
        let stacked = label("STK001");
        house
            .vault
            .set_stack_state(&stacked, state, LastCopy::MayGo, &order())
            .unwrap();
    }
    assert_eq!(house.vault.known().unwrap()[0].copies.len(), 1);
    refused(
        house.vault.grant(&name, Access::ReadOnly, &order()),
        "of volume MON001 is gone",
    );
}
