//! A tape drive whose medium is damaged, and the desk at which it is rescued.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use pseudotape_drive::{Cartridge, ImageDrive, Medium, Overrides, Personality};
use pseudotape_image::{Access, CreateParameters, Error as ImageError, Store, Uuid};
use pseudotape_rescue::{
    BadObject, Error, Events, Map, Options, Outcome, Progress, SourceName, State, Workplace, rescue,
};
use pseudotape_tape::{
    Address, Attributes, AttributesError, BlockLimits, Capacity, Done, Door, Drive, Failed,
    Identity, Mode, ModeSelect, Motion, Noted, ObjectNumber, PartitionNumber, Position, ReadDone,
    Sense, SpaceUnit, Stop, Transfer, Volume, VolumeError, VolumeId, VolumeIdentity, Writability,
};
use pseudotape_testkit::store::FaultyStore;
use pseudotape_testkit::{ModelCartridge, ModelDrive, ModelObject, block_of};

/// Where the tape is after a read that failed, and what the drive says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Behind the block.
    Behind,
    /// Before it.
    Stays,
    /// Nobody knows, until a motion to a place.
    Lost,
    /// Behind it, and the error says something else.
    Lies,
    /// It ran over the next block, too.
    TooFar,
    /// It says that it was reset, and does nothing more until it is rewound: so a node tells that its position is lost.
    Reset,
    /// It says that its medium was changed, and it was.
    Changed,
}

/// A drive with a damaged tape.
pub struct Damaged {
    tape: ModelDrive,
    objects: Vec<ModelObject>,
    /// How many reads of an object fail.
    pub faults: BTreeMap<u64, u32>,
    pub after: After,
    /// Whether the drive gets over a bad block within its file.
    pub passes: bool,
    pub identity: VolumeIdentity,
    pub noted: Noted,
    /// How often each object was read well.
    pub reads: Arc<Mutex<BTreeMap<u64, u32>>>,
    lost: bool,
    reset: bool,
    /// What is in the drive after a change.
    pub other: Vec<ModelObject>,
    /// The drive dies at this object.
    pub dies_at: Option<u64>,
}

pub const FOREVER: u32 = u32::MAX;

impl Damaged {
    pub fn new(objects: &[ModelObject]) -> Self {
        let mut tape = ModelDrive::new(Personality {
            setmarks: true,
            ..Personality::default()
        });
        tape.insert(ModelCartridge {
            partitions: vec![objects.to_vec()],
            ..ModelCartridge::default()
        });
        tape.clear_attention();
        Damaged {
            tape,
            objects: objects.to_vec(),
            faults: BTreeMap::new(),
            after: After::Behind,
            passes: true,
            identity: VolumeIdentity::default(),
            noted: Noted::NoPlace,
            reads: Arc::default(),
            lost: false,
            reset: false,
            other: Vec::new(),
            dies_at: None,
        }
    }

    pub fn bad(mut self, objects: impl IntoIterator<Item = u64>) -> Self {
        let all = objects.into_iter().map(|object| (object, FOREVER));
        self.faults = all.collect();
        self
    }

    pub fn after(mut self, after: After) -> Self {
        self.after = after;
        self
    }

    pub fn named(mut self, id: u128, label: &str) -> Self {
        self.identity = VolumeIdentity {
            id: Some(VolumeId(Uuid::from_u128(id))),
            label: label.to_owned(),
            ..VolumeIdentity::default()
        };
        self
    }

    fn needs_rewind<T>(&self) -> Result<T, Failed> {
        Err(Failed::at(Sense::Reset, None))
    }

    fn change(&mut self) -> Failed {
        self.tape.eject();
        self.tape.insert(ModelCartridge {
            partitions: vec![self.other.clone()],
            ..ModelCartridge::default()
        });
        self.tape.clear_attention();
        self.faults.clear();
        Failed::at(Sense::MediumChanged, None)
    }

    fn here(&mut self) -> u64 {
        let position = Drive::position(&mut self.tape).expect("a cartridge is in it");
        position.object.0
    }

    fn lose<T>(&mut self) -> Result<T, Failed> {
        self.lost = true;
        Err(Failed::at(Sense::HardwareError, None))
    }

    /// Whether a bad block lies in the way to an object of its file.
    fn blocked(&self, to: u64) -> bool {
        let bad = self
            .faults
            .iter()
            .filter(|(at, left)| **at < to && **left > 0);
        let until_mark = |from: u64| {
            let behind = self.objects.iter().enumerate().skip(from as usize + 1);
            let mut marks = behind.filter(|(_, object)| **object == ModelObject::Filemark);
            marks.next().map_or(u64::MAX, |(at, _)| at as u64)
        };
        !self.passes && bad.map(|(at, _)| until_mark(*at)).any(|mark| to <= mark)
    }

    fn dead(&mut self) -> bool {
        match self.dies_at {
            Some(at) if !self.lost => self.here() >= at,
            _ => false,
        }
    }
}

impl Drive for Damaged {
    fn identity(&self) -> Identity {
        self.tape.identity()
    }

    fn block_limits(&self) -> BlockLimits {
        self.tape.block_limits()
    }

    fn test_ready(&mut self) -> Result<(), Failed> {
        self.tape.test_ready()
    }

    fn mode(&mut self) -> Result<Mode, Failed> {
        self.tape.mode()
    }

    fn set_mode(&mut self, change: ModeSelect) -> Result<(), Failed> {
        self.tape.set_mode(change)
    }

    fn read(&mut self, transfer: Transfer, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        if self.lost {
            return self.lose();
        }
        if self.reset {
            return self.needs_rewind();
        }
        let at = self.here();
        if self.dead() {
            return Err(Failed::at(Sense::NoDrive, None));
        }
        if let Some(left) = self.faults.get_mut(&at)
            && *left > 0
        {
            if *left != FOREVER {
                *left -= 1;
            }
            let go = |drive: &mut ModelDrive, object| {
                let to = Address {
                    partition: None,
                    object: ObjectNumber(object),
                };
                drive.locate(to).map(|done| done.position)
            };
            let position = match self.after {
                After::Behind => go(&mut self.tape, at + 1)?,
                After::Stays => go(&mut self.tape, at)?,
                After::Lost => return self.lose(),
                After::Reset => {
                    self.reset = true;
                    return self.needs_rewind();
                }
                After::Changed => return Err(self.change()),
                After::TooFar => go(&mut self.tape, at + 2)?,
                After::Lies => {
                    let mut position = go(&mut self.tape, at + 1)?;
                    position.object.0 += 3;
                    position
                }
            };
            return Err(Failed::at(Sense::MediumError, Some(position)));
        }
        let done = self.tape.read(transfer, buffer)?;
        if done.stop != Some(Stop::EndOfData) {
            *self.reads.lock().unwrap().entry(at).or_default() += 1;
        }
        Ok(done)
    }

    fn write(&mut self, _: Transfer, _: &[u8]) -> Result<Done, Failed> {
        panic!("a source is written to")
    }

    fn extend(&mut self, _: &[u8]) -> Result<Done, Failed> {
        panic!("a source is written to")
    }

    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        if self.dead() {
            return Err(Failed::at(Sense::NoDrive, None));
        }
        if self.reset && motion != Motion::Rewind {
            return self.needs_rewind();
        }
        self.reset = false;
        match motion {
            Motion::Locate(to) if self.blocked(to.object.0) => return self.lose(),
            Motion::Locate(_) | Motion::Rewind => self.lost = false,
            Motion::Space { .. } | Motion::SpaceToEndOfData if self.lost => return self.lose(),
            Motion::Space {
                unit: SpaceUnit::Blocks,
                ..
            } => {
                let at = self.here();
                if self.blocked(at + 1) {
                    return Err(Failed::at(
                        Sense::MediumError,
                        Drive::position(&mut self.tape).ok(),
                    ));
                }
            }
            Motion::Space { .. } => {}
            _ => panic!("{motion:?} of a source"),
        }
        self.tape.execute(motion)
    }

    fn unload(&mut self) -> Result<(), Failed> {
        self.tape.unload()
    }

    fn position(&mut self) -> Result<Position, Failed> {
        if self.lost {
            return self.lose();
        }
        if self.reset {
            return self.needs_rewind();
        }
        Drive::position(&mut self.tape)
    }

    fn capacity(&mut self) -> Result<Capacity, Failed> {
        self.tape.capacity()
    }

    fn set_door(&mut self, door: Door) -> Result<(), Failed> {
        self.tape.set_door(door)
    }

    fn take_recovered(&mut self) -> u32 {
        0
    }
}

impl Volume for Damaged {
    fn take_trouble(&mut self) -> Option<String> {
        None
    }

    fn record_unreadable(&mut self, _: u32) -> Result<Done, Failed> {
        panic!("a source is written to")
    }

    fn noted(&self) -> Noted {
        self.noted
    }

    fn note_not_mirrored(&mut self, _: Option<ObjectNumber>) -> Result<bool, VolumeError> {
        panic!("a source is written to")
    }

    fn known_position(&self) -> Option<Position> {
        None
    }

    fn volume_identity(&self) -> VolumeIdentity {
        self.identity.clone()
    }

    fn writability(&mut self) -> Writability {
        Writability::OpenedReadOnly
    }

    fn attributes(&mut self, _partition: PartitionNumber) -> Result<Attributes, AttributesError> {
        Err(AttributesError::NoPlace)
    }

    fn set_attributes(
        &mut self,
        _partition: PartitionNumber,
        _attributes: &Attributes,
    ) -> Result<(), AttributesError> {
        Err(AttributesError::NoPlace)
    }

    fn lost_when_closed(&mut self) -> Option<VolumeError> {
        None
    }

    fn finish(self: Box<Self>) -> Result<(), VolumeError> {
        Ok(())
    }
}

/// One store, whatever is asked.
#[derive(Clone)]
pub struct One(pub FaultyStore);

impl Medium for One {
    type Store = FaultyStore;

    fn access(&self) -> Access {
        Access::ReadWrite
    }

    fn open(&mut self, _: u8) -> Result<FaultyStore, ImageError> {
        Ok(self.0.clone())
    }

    fn create(&mut self, _: u8) -> Result<FaultyStore, ImageError> {
        Ok(self.0.clone())
    }
}

pub fn in_a_drive(cartridge: Cartridge<One>) -> ImageDrive<One> {
    let personality = Personality {
        setmarks: true,
        ..Personality::default()
    };
    let mut drive = ImageDrive::new(personality, "RESCUE".into(), Overrides::default());
    assert!(drive.insert(cartridge).is_ok(), "a new drive is empty");
    drive.clear_attention();
    drive
}

pub fn new_image(store: &FaultyStore, id: u128) -> ImageDrive<One> {
    let parameters = CreateParameters::new(VolumeId(Uuid::from_u128(id)), 0);
    in_a_drive(Cartridge::create(One(store.clone()), &parameters).expect("a new image"))
}

pub fn open_image(store: &FaultyStore) -> ImageDrive<One> {
    let (cartridge, _) = Cartridge::open(One(store.clone())).expect("an image");
    in_a_drive(cartridge)
}

/// A store with these bytes.
pub fn store_of(bytes: &[u8]) -> FaultyStore {
    let mut store = FaultyStore::default();
    let mut parts = [std::io::IoSlice::new(bytes)];
    store.write_vectored_at(&mut parts, 0).expect("memory");
    store
}

pub const TARGET: u128 = 77;

/// What survives a run: two images and the map.
#[derive(Clone, Default)]
pub struct Desk {
    pub base: FaultyStore,
    pub found: FaultyStore,
    pub map: Vec<u8>,
    /// Each map that was saved, and how much had been done to the two stores then.
    pub saved: Vec<(Vec<u8>, usize, usize)>,
}

impl Desk {
    pub fn new() -> Self {
        let mut desk = Desk::default();
        drop(new_image(&desk.base, TARGET));
        desk.map = Map::new(VolumeId(Uuid::from_u128(TARGET)), 0)
            .to_text()
            .into_bytes();
        desk
    }

    pub fn map(&self) -> Map {
        Map::from_text(&self.map).expect("it was saved so")
    }

    /// A run as the command does it.
    pub fn run(
        &mut self,
        source: &mut dyn Volume,
        drive: &str,
        options: Options,
        told: &mut Told,
    ) -> Result<Outcome, Error> {
        let identity = source.volume_identity();
        let name = SourceName {
            volume: identity.id,
            label: identity.label,
            generation: identity.generation,
            drive: drive.to_owned(),
        };
        let mut map = self.map();
        let mut base = open_image(&self.base);
        rescue(source, &name, &mut base, &mut map, self, options, told)
    }

    /// The objects as the map and the images have them; `None` for what is not good.
    pub fn objects(&self) -> Vec<Option<ModelObject>> {
        let map = self.map();
        let mut base = open_image(&self.base);
        let mut found = (self.found.log_length() > 0).then(|| open_image(&self.found));
        let mut objects = Vec::new();
        for run in map.runs() {
            for object in run.first..run.end() {
                objects.push(match map.state(object).expect("it is in a run").state {
                    State::Good(pseudotape_rescue::Place::Base) => {
                        Some(read_at(&mut base, object).expect("good is good"))
                    }
                    State::Good(pseudotape_rescue::Place::Found(at)) => {
                        let found = found.as_mut().expect("the map names it");
                        Some(read_at(found, at).expect("good is good"))
                    }
                    State::Bad(_) | State::NotTried => None,
                });
            }
        }
        objects
    }
}

impl Workplace for Desk {
    fn save(&mut self, map: &str) -> Result<(), Error> {
        self.map = map.as_bytes().to_vec();
        let lengths = (self.base.log_length(), self.found.log_length());
        self.saved.push((self.map.clone(), lengths.0, lengths.1));
        Ok(())
    }

    fn has_found(&self) -> bool {
        self.found.log_length() > 0
    }

    fn found(&mut self) -> Result<Box<dyn Volume>, Error> {
        Ok(match self.has_found() {
            true => Box::new(open_image(&self.found)),
            false => Box::new(new_image(&self.found, TARGET + 1)),
        })
    }
}

/// Reads one object, by nothing of the crate.
pub fn read_at(drive: &mut dyn Drive, object: u64) -> Option<ModelObject> {
    let to = Address {
        partition: None,
        object: ObjectNumber(object),
    };
    drive.locate(to).ok()?;
    let mut buffer = vec![0; 64 << 10];
    let done = drive.read(Transfer::Variable, &mut buffer).ok()?;
    match done.stop {
        Some(Stop::Filemark) => Some(ModelObject::Filemark),
        Some(Stop::Setmark) => Some(ModelObject::Setmark),
        Some(Stop::EndOfData) => None,
        _ if done.block_length as usize > buffer.len() => {
            buffer.resize(done.block_length as usize, 0);
            drive.locate(to).ok()?;
            drive.read(Transfer::Variable, &mut buffer).ok()?;
            Some(ModelObject::Block(buffer))
        }
        _ => {
            buffer.truncate(done.bytes);
            Some(ModelObject::Block(buffer))
        }
    }
}

/// What a run tells.
#[derive(Default)]
pub struct Told {
    pub bad: Vec<BadObject>,
    /// Ends the run when so many objects were read.
    pub patience: Option<u64>,
}

impl Events for Told {
    fn now(&mut self) -> u64 {
        1_764_000_000
    }

    fn bad(&mut self, bad: &BadObject) -> Result<(), Error> {
        self.bad.push(bad.clone());
        Ok(())
    }

    fn progress(&mut self, progress: Progress) -> ControlFlow<()> {
        match self.patience {
            Some(patience) if progress.objects >= patience => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }
}

pub fn block(seed: u64, length: usize) -> ModelObject {
    ModelObject::Block(block_of(seed, length))
}

/// Three files, and a filemark behind each: objects 4, 9 and 14.
pub fn three_files() -> Vec<ModelObject> {
    let mut objects = Vec::new();
    for file in 0..3 {
        objects.extend((0..4).map(|number| block(file * 10 + number, 100 + number as usize * 7)));
        objects.push(ModelObject::Filemark);
    }
    objects
}

pub fn all_but(objects: &[ModelObject], bad: &BTreeSet<u64>) -> Vec<Option<ModelObject>> {
    let numbered = (0..).zip(objects);
    numbered
        .map(|(number, object)| (!bad.contains(&number)).then(|| object.clone()))
        .collect()
}
