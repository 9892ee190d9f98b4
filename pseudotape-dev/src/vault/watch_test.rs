//! What a drive's answers tell, against what is on the image.

use std::fs::{self, File};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use nix::fcntl::{Flock, FlockArg};
use pseudotape_bay::Slot;
use pseudotape_drive::{Overrides, Personality};
use pseudotape_sink::Sink;
use pseudotape_tape::{
    Address, Drive, EraseExtent, Failed, LoadKind, Mark, Motion, ObjectNumber, Partitioning, Sense,
    SpaceUnit, Transfer, WriteMode, make_ready,
};
use pseudotape_vault::{
    Actor, Availability, Category, Depth, Label, LastCopy, Opening, Order, Subject, Surroundings,
    TapeFile, Vault, read_contents,
};
use tempfile::TempDir;

use super::super::errors::{Errors, Met};
use super::super::{Desk, Kept, Volumes, Wanted};
use pseudotape_bay::Keeper;

/// A vault with volumes, a drive, and the desk between them.
struct Place {
    folder: TempDir,
    desk: Arc<Desk>,
    slot: Slot,
}

impl Place {
    fn new(volumes: &[(&str, Option<u64>)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("vault");
        let order = Order::person("ada", "a test");
        let chance = Surroundings::of_this_machine();
        let mut vault = Vault::create(&place, "test", None, &order, chance).unwrap();
        for (label, capacity) in volumes {
            let label = label.parse().unwrap();
            vault.make(Some(&label), None, *capacity, &order).unwrap();
        }
        drop(vault);
        let desk = Arc::new(Desk::open(&place, "pseudotape-dev").unwrap());
        let slot = Slot::new(
            Personality::default(),
            "PT00000000".into(),
            Overrides::default(),
        );
        Place { folder, desk, slot }
    }

    fn vault(&self) -> Vault {
        let place = self.folder.path().join("vault");
        Vault::open(&place, "a test", Surroundings::of_this_machine()).unwrap()
    }

    fn load(&mut self, label: &str) {
        let wanted = Wanted::Volume {
            label: label.parse().unwrap(),
            read_only: false,
        };
        let granted = self.desk.grant(&wanted, 0).unwrap();
        let kept = Kept::new(Arc::clone(&self.desk) as Arc<dyn Volumes>, &granted, 0);
        self.slot.load(&Sink::at(&granted.image)).unwrap();
        self.slot.keep(Box::new(kept));
        make_ready(self.slot.drive()).unwrap();
    }

    fn drive(&mut self) -> &mut dyn Drive {
        self.slot.drive()
    }

    fn write(&mut self, data: &[u8]) {
        let done = self.drive().write(Transfer::Variable, data).unwrap();
        assert_eq!(done.count, 1);
    }

    fn mark(&mut self) {
        let drive = self.drive();
        drive
            .write_marks(Mark::Filemark, 1, WriteMode::Commit)
            .unwrap();
    }

    fn unload(&mut self) {
        let said = self.slot.unload(true).unwrap();
        assert!(said.ends_with(".ptape"), "{said}");
    }

    /// The files of a volume that was closed, which are those on its image.
    fn files(&self, label: &str) -> Vec<TapeFile> {
        let vault = self.vault();
        let label: Label = label.parse().unwrap();
        let volume = vault.volume(&label).unwrap().volume;
        assert_eq!(volume.opening, Opening::Closed);
        let image = vault.image_of(&volume).unwrap();
        let files = vault.files(&label).unwrap();
        expect_true(&files, &image);
        assert!(
            vault
                .inspect(Depth::Digests, &mut |_| {})
                .unwrap()
                .findings
                .is_empty()
        );
        files
    }

    fn digested(&self, label: &str) -> Vec<bool> {
        let files = self.files(label);
        files.iter().map(|file| file.digest.is_some()).collect()
    }
}

/// Places and lengths are those on the image, and so is each digest that there is.
fn expect_true(files: &[TapeFile], image: &Path) {
    let found = read_contents(image, Depth::Digests, &mut |_| {}).unwrap();
    assert_eq!(
        files.len(),
        found.files.len(),
        "{files:?}, {:?}",
        found.files
    );
    for (file, found) in files.iter().zip(&found.files) {
        let expected = TapeFile {
            digest: file.digest.and(found.digest),
            ..found.clone()
        };
        assert_eq!(*file, expected);
    }
}

#[test]
fn what_is_written_in_one_go_is_closed_with_its_digest() {
    let mut place = Place::new(&[("A", None)]);
    place.load("A");
    place.write(b"one");
    place.drive().extend(b" and more").unwrap();
    let size = NonZeroU32::new(512).unwrap();
    let fixed = place.drive().write(Transfer::Fixed(size), &[7; 2048]);
    assert_eq!(fixed.unwrap().count, 4);
    place.mark();
    place.mark();
    place.write(&vec![3; 1 << 20]);
    place.unload();
    assert_eq!(place.digested("A"), [true, true, true]);
    let volume = place.vault().volume(&"A".parse().unwrap()).unwrap();
    assert_eq!(volume.volume.category, Category::Private);
    assert_eq!(
        (volume.volume.generation, volume.bytes),
        (1, 12 + 2048 + (1 << 20))
    );
}

#[test]
fn files_that_are_not_touched_keep_their_digests_and_what_was_decided() {
    let mut place = Place::new(&[("A", None)]);
    place.load("A");
    for file in 0..3 {
        place.write(&[file; 100]);
        place.mark();
    }
    place.unload();
    let before = place.files("A");
    let order = Order::person("ada", "done");
    let label: Label = "A".parse().unwrap();
    let released = pseudotape_vault::FileState::Released;
    place
        .vault()
        .set_file_state(&label, 0, released, &order)
        .unwrap();
    place.load("A");
    place.drive().space_to_end_of_data().unwrap();
    place.write(b"behind");
    place.unload();
    let after = place.vault().files(&label).unwrap();
    assert_eq!(after[1..3], before[1..3]);
    assert_eq!(
        (after[0].state, after[0].digest),
        (released, before[0].digest)
    );
    assert!(after[3].digest.is_some());
}

#[test]
fn a_file_as_long_as_the_one_before_does_not_get_its_digest() {
    let mut place = Place::new(&[("A", None)]);
    place.load("A");
    place.write(&[1; 100]);
    place.write(&[2; 100]);
    place.unload();
    let before = place.files("A");
    // The second block anew, and as long: its bytes were never digested with those of the first.
    place.load("A");
    place.drive().space(SpaceUnit::Blocks, 1).unwrap();
    place.write(&[3; 100]);
    place.unload();
    let after = place.files("A");
    assert_eq!(
        (after[0].blocks, after[0].bytes),
        (before[0].blocks, before[0].bytes)
    );
    assert_eq!(after[0].digest, None);
    // From its beginning.
    place.load("A");
    place.write(&[4; 100]);
    place.write(&[5; 100]);
    place.unload();
    assert_eq!(place.digested("A"), [true]);
}

#[test]
fn a_file_goes_on_where_its_filemark_is_overwritten_at_once() {
    let mut place = Place::new(&[("A", None)]);
    place.load("A");
    place.write(b"one");
    place.mark();
    place.drive().space(SpaceUnit::Filemarks, -1).unwrap();
    place.write(b"two");
    place.mark();
    place.write(b"another file");
    place.mark();
    // The first file once more: now another one's bytes came between.
    place.drive().space(SpaceUnit::Filemarks, -2).unwrap();
    place.write(b"three");
    place.unload();
    assert_eq!(place.digested("A"), [false]);
    // A filemark that is written where one was changes nothing.
    place.load("A");
    place.write(b"one");
    place.mark();
    place.drive().space(SpaceUnit::Filemarks, -1).unwrap();
    place.mark();
    place.unload();
    assert_eq!(place.digested("A"), [true]);
}

#[test]
fn a_program_that_unloads_ejects_and_closes() {
    let mut place = Place::new(&[("A", None)]);
    place.load("A");
    place.write(b"one");
    place.drive().unload().unwrap();
    assert_eq!(place.digested("A"), [true]);
    assert!(place.slot.loaded().is_none());
    let gone = place.drive().load(LoadKind::Load).unwrap_err();
    assert_eq!(gone.sense, Sense::NoMedium);
    let empty = place.slot.unload(false).unwrap_err().to_string();
    assert!(empty.contains("no cartridge"), "{empty}");
}

#[test]
fn a_volume_of_a_vault_stays_in_one_piece() {
    let mut place = Place::new(&[("A", None)]);
    place.load("A");
    let cut = place.drive().make_partitions(Partitioning::FirstOf(1));
    assert_eq!(cut.unwrap_err().sense, Sense::IllegalRequest);
    let said = place.slot.take_trouble().unwrap_or_default();
    assert!(said.contains("one partition"), "{said}");
    place.unload();
    assert!(place.files("A").is_empty());
    let order = Order::person("ada", "");
    let label = "A".parse().unwrap();
    place
        .vault()
        .remove(&label, LastCopy::Kept, &order)
        .unwrap();
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    /// What a program may do next; says whether it was done.
    fn act(&mut self, drive: &mut dyn Drive) -> bool {
        let few = i64::try_from(self.below(7)).unwrap() - 3;
        let length = usize::try_from(self.below(3000)).unwrap() + 1;
        let data: Vec<u8> = (0..length).map(|_| self.below(256) as u8).collect();
        let size = NonZeroU32::new(256).unwrap();
        let whole = data.len() / 256 * 256;
        let mode = match self.below(9) {
            0 => WriteMode::Commit,
            _ => WriteMode::Immediate,
        };
        let count = u32::try_from(self.below(3)).unwrap();
        let mark = |mark| Motion::WriteMarks { mark, count, mode };
        let motion = match self.below(24) {
            0..6 => {
                return drive.write(Transfer::Variable, &data).is_ok();
            }
            6..8 => {
                return drive.write(Transfer::Fixed(size), &data[..whole]).is_ok();
            }
            8 => {
                return drive.extend(&data).is_ok();
            }
            9 => {
                return drive.read(Transfer::Variable, &mut [0; 100]).is_ok();
            }
            10..15 => mark(Mark::Filemark),
            15 => mark(Mark::Setmark),
            16 | 17 => Motion::Space {
                unit: SpaceUnit::Filemarks,
                count: few,
            },
            18 => Motion::Space {
                unit: SpaceUnit::Blocks,
                count: few,
            },
            19 | 20 => Motion::SpaceToEndOfData,
            21 => Motion::Locate(Address {
                partition: None,
                object: ObjectNumber(self.below(40)),
            }),
            22 => Motion::Rewind,
            _ => Motion::Erase(EraseExtent::Short),
        };
        drive.execute(motion).is_ok()
    }
}

/// Each brings the catalog and the image to stable storage several times.
const LOADS: u64 = 18;

/// EN-05: whatever programs do, load after load, the catalog has what is on the tape.
#[test]
fn the_catalog_has_what_is_on_the_tape_whatever_programs_do() {
    // One of them is so short that its end is met.
    let mut place = Place::new(&[("A", None), ("B", Some(64 << 10))]);
    let mut chance = Chance(1);
    let (mut digests, mut files, mut done) = (0, 0, 0);
    for load in 0..LOADS {
        for label in ["A", "B"] {
            place.load(label);
            for _ in 0..chance.below(30) {
                done += usize::from(chance.act(place.slot.drive()));
            }
            match load % 3 {
                0 if place.drive().unload().is_ok() => {}
                _ => place.unload(),
            }
            let vault = place.vault();
            let known = vault.files(&label.parse().unwrap()).unwrap();
            expect_true(&known, &vault.images().join(format!("{label}.ptape")));
            files += known.len();
            digests += known.iter().filter(|file| file.digest.is_some()).count();
        }
    }
    assert!(done > 100, "{done} operations");
    assert!(files > 60, "{files} files");
    assert!(digests > files / 2, "{digests} digests of {files} files");
}

/// A catalog that somebody holds at a close is told when it is free, and nothing of what was written is forgotten.
#[test]
fn a_catalog_that_is_busy_at_a_close_is_told_later() {
    let mut place = Place::new(&[("A", None)]);
    let vault = place.folder.path().join("vault");
    let configuration = vault.join("vault.toml");
    let text = fs::read_to_string(&configuration).unwrap();
    // The close waits for so long.
    let short = text.replace("wait-seconds = 10", "wait-seconds = 1");
    assert_ne!(short, text);
    fs::write(&configuration, short).unwrap();
    place.load("A");
    place.write(b"one");
    place.mark();
    let lock = File::options()
        .write(true)
        .open(vault.join("lock"))
        .unwrap();
    let held = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, errno)| errno);
    let held = held.unwrap();
    let said = place.slot.unload(true).unwrap();
    assert!(
        said.contains("is held by") && said.contains("stays open in its catalog"),
        "{said}"
    );
    let opening = |place: &Place| {
        let listed = place.vault().volume(&"A".parse().unwrap()).unwrap();
        listed.volume.opening
    };
    place.desk.settle();
    assert_eq!(opening(&place), Opening::Open, "it is still held");
    drop(held);
    place.desk.settle();
    assert_eq!(opening(&place), Opening::Closed);
    assert_eq!(place.digested("A"), [true]);
}

/// EN-02: after so many reads that fail, or one write, nobody else gets the volume, until a person says so; whoever has
/// it keeps it.
#[test]
fn a_volume_with_too_many_errors_is_blocked_by_the_system() {
    let mut place = Place::new(&[("A", None), ("B", None)]);
    place.load("A");
    for number in 0..3_u8 {
        place.write(&[number + 40; 100]);
    }
    place.mark();
    place.unload();
    let path = place.folder.path().join("vault/images/A.ptape");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(100).position(|part| part == [41; 100]);
    bytes[at.unwrap() + 50] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let blocked = |place: &Place, label: &str| {
        let vault = place.vault();
        let volume = vault.volume(&label.parse().unwrap()).unwrap().volume;
        (volume.availability, volume.block)
    };
    place.load("A");
    for tries in 1..=3 {
        let to = Address {
            partition: None,
            object: ObjectNumber(1),
        };
        place.drive().locate(to).unwrap();
        let failed = place.drive().read(Transfer::Variable, &mut [0; 100]);
        assert_eq!(failed.unwrap_err().sense, Sense::MediumError);
        let (availability, block) = blocked(&place, "A");
        let expected = match tries {
            3 => Availability::NoAccess,
            _ => Availability::Ok,
        };
        assert_eq!(availability, expected, "{tries} tries: {block:?}");
    }
    let block = blocked(&place, "A").1.unwrap();
    assert_eq!(block.by, Actor::System);
    assert!(
        block
            .reason
            .starts_with("drive 0 of pseudotape-dev: 3 reads failed"),
        "{}",
        block.reason
    );
    // What is good can still be read by whoever has it.
    assert_eq!(
        place
            .drive()
            .read(Transfer::Variable, &mut [0; 100])
            .unwrap()
            .bytes,
        100
    );
    place.unload();
    let wanted = Wanted::Volume {
        label: "A".parse().unwrap(),
        read_only: true,
    };
    let refused = place.desk.grant(&wanted, 0).unwrap_err().to_string();
    assert!(
        refused.contains("volume A is noaccess, set by the system"),
        "{refused}"
    );
    let events = place
        .vault()
        .events(Some(&"A".parse().unwrap()), 10)
        .unwrap();
    let change = events
        .iter()
        .rev()
        .find(|event| event.change.subject == Subject::Availability);
    assert_eq!(change.unwrap().change.order.reason, block.reason);

    // One write that fails is enough; what the drive refuses is no error of the volume.
    let wanted = Wanted::Volume {
        label: "B".parse().unwrap(),
        read_only: false,
    };
    let granted = place.desk.grant(&wanted, 0).unwrap();
    let mut kept = Kept::new(Arc::clone(&place.desk) as Arc<dyn Volumes>, &granted, 0);
    for (sense, expected) in [
        (Sense::IllegalRequest, Availability::Ok),
        (Sense::MediumError, Availability::NoAccess),
    ] {
        kept.wrote(Transfer::Variable, b"x", &Err(Failed::at(sense, None)));
        assert_eq!(blocked(&place, "B").0, expected);
    }
}

/// EN-02: the limit is the vault's.
#[test]
fn the_limit_of_failed_reads_is_that_of_the_vault() {
    let failed = Failed::at(Sense::HardwareError, None);
    for (limit, told) in [(0, None), (1, Some(1)), (5, Some(5))] {
        let mut errors = Errors::new(limit);
        let met = (1..=20).filter(|_| errors.met(Met::Read, &failed).is_some());
        assert_eq!(
            met.collect::<Vec<_>>(),
            Vec::from_iter(told),
            "limit {limit}"
        );
    }
}
