//! PT-11. A copy that ends at any write, by a kill or by a loss of power, is a beginning of its source and goes on.

use std::ops::ControlFlow;

use pseudotape_copy::{Ending, Object, Options, compare, copy};
use pseudotape_drive::{Cartridge, ImageDrive, Medium, Overrides, Personality};
use pseudotape_image::{Access, CreateParameters, Error, Uuid, VolumeId};
use pseudotape_tape::{Address, Drive, ObjectNumber};
use pseudotape_testkit::store::{FaultyStore, StoreAction, Survival, after_power_loss};
use pseudotape_testkit::{ModelCartridge, ModelDrive, ModelObject, block_of};

const BLOCKS: u64 = 24;
/// With their filemarks.
const OBJECTS: u64 = 29;

/// One store, whatever is asked.
struct One<S>(S);

impl<S: pseudotape_image::Store + Clone + Send> Medium for One<S> {
    type Store = S;

    fn access(&self) -> Access {
        Access::ReadWrite
    }

    fn open(&mut self, _partition: u8) -> Result<S, Error> {
        Ok(self.0.clone())
    }

    fn create(&mut self, _partition: u8) -> Result<S, Error> {
        Ok(self.0.clone())
    }
}

/// So many blocks, with a filemark behind some of them.
fn source(blocks: u64) -> ModelDrive {
    let mut objects = Vec::new();
    for number in 0..blocks {
        let length = 1 + usize::try_from(number * number).unwrap() * 37 % 5000;
        objects.push(ModelObject::Block(block_of(number, length)));
        if number % 5 == 3 {
            objects.push(ModelObject::Filemark);
        }
    }
    let mut drive = ModelDrive::new(Personality::default());
    drive.insert(ModelCartridge {
        partitions: vec![objects],
        ..ModelCartridge::default()
    });
    drive.clear_attention();
    drive
}

fn in_a_drive<M: Medium>(cartridge: Cartridge<M>) -> ImageDrive<M> {
    let mut drive = ImageDrive::new(Personality::default(), "COPY".into(), Overrides::default());
    assert!(drive.insert(cartridge).is_ok(), "a new drive is empty");
    drive.clear_attention();
    drive
}

fn go_to(drive: &mut dyn Drive, object: u64) {
    let to = Address {
        partition: None,
        object: ObjectNumber(object),
    };
    drive.locate(to).expect("it is there");
}

/// Copies a tape that grows, as far as it is there, each time to the end; what the target's store was told meanwhile.
///
/// The number is of the actions that made the image.
fn copied_with_syncs() -> (Vec<StoreAction>, usize) {
    let store = FaultyStore::default();
    let parameters = CreateParameters::new(VolumeId(Uuid::from_u128(7)), 0);
    let cartridge = Cartridge::create(One(store.clone()), &parameters).expect("a new image");
    let made = store.log_length();
    let mut target = in_a_drive(cartridge);
    for blocks in [5, 11, 12, BLOCKS] {
        let mut from = source(blocks);
        let here = target.position().expect("there is a cartridge").object.0;
        go_to(&mut from, here);
        let on = &mut |_| ControlFlow::Continue(());
        let copied = copy(&mut from, &mut target, Options::default(), on).expect("nothing fails");
        assert_eq!(copied.ending, Ending::Complete);
    }
    let cartridge = target.eject().expect("it is in there");
    cartridge.finish().expect("nothing fails");
    (store.log(), made)
}

/// Opens what is on the disk, checks that it is a beginning of the source, and resumes; says how much there was.
fn goes_on(disk: Vec<u8>, place: &str) -> u64 {
    let store = FaultyStore::default();
    {
        let mut filled = store.clone();
        let mut bytes = [std::io::IoSlice::new(&disk)];
        pseudotape_image::Store::write_vectored_at(&mut filled, &mut bytes, 0).unwrap();
    }
    let (cartridge, _) =
        Cartridge::open(One(store)).unwrap_or_else(|error| panic!("{place}: {error}"));
    let mut target = in_a_drive(cartridge);
    let mut from = source(BLOCKS);
    let on = &mut |_| ControlFlow::Continue(());
    go_to(&mut target, 0);
    let found = compare(&mut from, &mut target, on).expect("both are readable");
    if let Some(difference) = found.difference {
        assert_eq!(
            difference.second,
            Object::EndOfData,
            "{place}: not a beginning"
        );
    }
    let already = found.objects;
    go_to(&mut from, already);
    go_to(&mut target, already);
    let copied = copy(&mut from, &mut target, Options::default(), on)
        .unwrap_or_else(|error| panic!("{place}: {error}"));
    assert_eq!(copied.ending, Ending::Complete, "{place}");
    go_to(&mut from, 0);
    go_to(&mut target, 0);
    let found = compare(&mut from, &mut target, on).expect("both are readable");
    assert!(found.is_identical(), "{place}: {found:?}");
    already
}

#[test]
fn a_copy_that_ends_at_any_write_or_sync_goes_on_to_the_same_tape() {
    let (log, made) = copied_with_syncs();
    let syncs = log
        .iter()
        .filter(|action| **action == StoreAction::Sync)
        .count();
    assert!(syncs >= 4, "{syncs} syncs: a copy commits nothing");
    let mut seen = std::collections::BTreeSet::new();
    // Before that there is no image to go on with; `pseudotape create` makes one.
    for count in made..=log.len() {
        let mut ways = vec![
            Survival::All,
            Survival::None,
            Survival::Torn(20),
            Survival::Torn(700),
        ];
        ways.extend((0..4).map(|seed| Survival::Any(seed * 31 + count as u64)));
        for survival in ways {
            let place = format!("{count} of {} actions, {survival:?}", log.len());
            let disk = after_power_loss(&log, count, survival);
            let already = goes_on(disk, &place);
            if matches!(survival, Survival::All) {
                seen.insert(already);
            }
        }
    }
    // A kill loses nothing that was written: each object was once the last one.
    assert_eq!(seen.last(), Some(&OBJECTS), "{seen:?}");
    assert!(seen.len() > 20, "{seen:?}");
    // What a finished copy committed is there whatever the power does then.
    let disk = after_power_loss(&log, log.len(), Survival::None);
    assert_eq!(goes_on(disk, "behind the end"), OBJECTS);
}
