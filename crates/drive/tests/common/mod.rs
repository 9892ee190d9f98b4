//! Drives over cartridges in memory, good ones and failing ones.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

use pseudotape_drive::{Cartridge, ImageDrive, Medium, MemoryMedium, Overrides, Personality};
use pseudotape_image::{Access, CreateParameters, Error, Uuid, VolumeId};
use pseudotape_tape::{Done, Drive, Failed, Mark, ReadDone, Transfer, WriteMode};
use pseudotape_testkit::store::FaultyStore;

pub fn named(name: &str) -> Personality {
    Personality::named(name).expect("a personality")
}

pub fn parameters(capacity_bytes: Option<u64>, early_warning_bytes: u64) -> CreateParameters {
    let mut parameters = CreateParameters::new(VolumeId(Uuid::from_u128(5)), 0);
    parameters.header.capacity_bytes = capacity_bytes;
    parameters.header.early_warning_bytes = early_warning_bytes;
    parameters
}

/// A drive that holds this cartridge, and has told that it is a new one.
pub fn holding<M: Medium>(personality: Personality, cartridge: Cartridge<M>) -> ImageDrive<M> {
    let mut drive = ImageDrive::new(personality, "1".into(), Overrides::default());
    assert!(drive.insert(cartridge).is_ok(), "a new drive is empty");
    drive.clear_attention();
    drive
}

/// A drive with a blank tape of this capacity and early-warning zone.
pub fn drive(
    personality: Personality,
    capacity_bytes: Option<u64>,
    early_warning_bytes: u64,
) -> ImageDrive<MemoryMedium> {
    let parameters = parameters(capacity_bytes, early_warning_bytes);
    let cartridge = Cartridge::create(MemoryMedium, &parameters).expect("a new image");
    holding(personality, cartridge)
}

/// Partitions in stores that fail where a test tells them to.
#[derive(Clone, Default)]
pub struct FaultyMedium {
    /// Clones of the stores that the cartridge has.
    pub stores: Arc<Mutex<Vec<FaultyStore>>>,
    /// The partition that can't be made.
    pub unmakeable: Arc<Mutex<Option<u8>>>,
}

impl FaultyMedium {
    pub fn store(&self, partition: usize) -> FaultyStore {
        self.stores.lock().expect("no panic")[partition].clone()
    }
}

impl Medium for FaultyMedium {
    type Store = FaultyStore;

    fn access(&self) -> Access {
        Access::ReadWrite
    }

    fn open(&mut self, partition: u8) -> Result<FaultyStore, Error> {
        Ok(self.store(partition.into()))
    }

    fn create(&mut self, partition: u8) -> Result<FaultyStore, Error> {
        if *self.unmakeable.lock().expect("no panic") == Some(partition) {
            return Err(Error::Unopenable {
                path: "second.ptape".into(),
                action: "create",
                source: std::io::Error::other("no such luck"),
            });
        }
        let store = FaultyStore::default();
        let mut stores = self.stores.lock().expect("no panic");
        stores.truncate(partition.into());
        stores.push(store.clone());
        Ok(store)
    }
}

/// A drive with an endless blank tape, and what can fail in it.
pub fn faulty(personality: Personality) -> (ImageDrive<FaultyMedium>, FaultyMedium) {
    let medium = FaultyMedium::default();
    let cartridge = Cartridge::create(medium.clone(), &parameters(None, 0)).expect("a new image");
    (holding(personality, cartridge), medium)
}

pub fn fixed(size: u32) -> Transfer {
    Transfer::Fixed(NonZeroU32::new(size).expect("sizes of tests are not 0"))
}

pub fn write(drive: &mut dyn Drive, length: usize) -> Done {
    let block = vec![7; length];
    drive
        .write(Transfer::Variable, &block)
        .expect("takes the block")
}

pub fn filemarks(drive: &mut dyn Drive, count: u32) -> Done {
    drive
        .write_marks(Mark::Filemark, count, WriteMode::Commit)
        .expect("takes marks")
}

pub fn read(drive: &mut dyn Drive, length: usize) -> Result<ReadDone, Failed> {
    drive.read(Transfer::Variable, &mut vec![0; length])
}

pub fn object(drive: &mut dyn Drive) -> u64 {
    drive.position().expect("it is loaded").object.0
}
