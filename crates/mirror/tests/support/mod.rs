//! Legs for tests: drives that the test can look at, and that fail when they are told to.
#![allow(dead_code, reason = "each test uses some of it")]

pub mod job;
pub mod objects;
pub mod plan;

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

pub use objects::{Object, contents};
use objects::{be_ready, rest};

use pseudotape_drive::{ImageDrive, MemoryMedium, Personality};
use pseudotape_mirror::{Class, LegOptions, NewLeg, When};
use pseudotape_tape::{
    Address, Attributes, AttributesError, BlockLimits, Capacity, Done, Door, Drive, Failed,
    Identity, LoadKind, Mark, Mode, ModeSelect, Motion, Noted, ObjectNumber, PartitionNumber,
    Position, ReadDone, Sense, SpaceUnit, Transfer, Volume, VolumeError, VolumeIdentity,
    Writability, WriteMode,
};
use pseudotape_testkit::{
    ModelCartridge, ModelDrive, ModelObject, SuiteMedium, image_drive, recovering,
};

/// A blank medium.
pub fn model(personality: Personality, medium: SuiteMedium) -> ModelDrive {
    let mut drive = ModelDrive::new(personality);
    drive.insert(ModelCartridge {
        capacity_bytes: medium.capacity_bytes,
        early_warning_bytes: medium.early_warning_bytes,
        write_protected: medium.write_protected,
        worm: medium.worm,
        ..ModelCartridge::default()
    });
    drive.clear_attention();
    drive
}

/// A blank image in memory.
pub fn image(personality: Personality, medium: SuiteMedium) -> ImageDrive<MemoryMedium> {
    let mut drive = image_drive(personality, medium);
    drive.clear_attention();
    drive
}

pub fn model_leg(name: &str, personality: Personality, medium: SuiteMedium) -> NewLeg {
    NewLeg {
        options: LegOptions::named(name),
        drive: Box::new(recovering(
            model(personality, medium),
            medium.recovered_errors,
        )),
    }
}

pub fn image_leg(name: &str, personality: Personality, medium: SuiteMedium) -> NewLeg {
    NewLeg {
        options: LegOptions::named(name),
        drive: Box::new(image(personality, medium)),
    }
}

/// What a leg does wrong, and when.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Operations that change the medium fail with this from their n-th on (counted from 1).
    pub change: Option<(u64, Sense)>,
    /// Reads fail with this from their n-th on.
    pub read: Option<(u64, Sense)>,
    /// Motions fail with this from their n-th on.
    pub motion: Option<(u64, Sense)>,
    /// After changes from the n-th on the drive says that it is one object further.
    pub lies: Option<u64>,
    /// Commits fail with this.
    pub commit: Option<Sense>,
    /// Changes of the mode fail with this.
    pub mode: Option<Sense>,
    /// After motions from the n-th on the tape is one object further, where there is one.
    pub strays: Option<u64>,
    /// The n-th change panics.
    pub panics: Option<u64>,
    /// A change takes so long.
    pub delay: Duration,
    /// It can't say how much fits.
    pub mute: bool,
    /// Its file was removed: nobody finds it once it is closed.
    pub removed: bool,
    /// Erasing is refused.
    pub no_erase: bool,
    /// What programs keep beside the data is not taken.
    pub no_attributes: bool,
    /// What programs kept beside the data is not known any more.
    pub lost_attributes: bool,
}

struct Inside {
    drive: Box<dyn Drive>,
    faults: Faults,
    changes: u64,
    reads: u64,
    motions: u64,
    noted: Vec<Option<ObjectNumber>>,
    writability: Writability,
    /// What programs keep beside the data, by partition; `None`: no place for it.
    attributes: Option<BTreeMap<u8, Attributes>>,
}

/// A leg that the test keeps a handle of.
#[derive(Clone)]
pub struct Watched(Arc<Mutex<Inside>>, Arc<Gate>);

/// Where changes wait while it is closed.
#[derive(Default)]
struct Gate {
    is_closed: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn pass(&self) {
        let mut is_closed = self.is_closed.lock().expect("nobody panics with it");
        while *is_closed {
            is_closed = self.opened.wait(is_closed).expect("nobody panics with it");
        }
    }
}

impl Watched {
    pub fn new(drive: impl Drive + 'static) -> Self {
        Watched(
            Arc::new(Mutex::new(Inside {
                drive: Box::new(drive),
                faults: Faults::default(),
                changes: 0,
                reads: 0,
                motions: 0,
                noted: Vec::new(),
                writability: Writability::Writable,
                attributes: Some(BTreeMap::new()),
            })),
            Arc::default(),
        )
    }

    /// What the leg says from now on of its being writable.
    pub fn says(self, writability: Writability) -> Self {
        self.inside().writability = writability;
        self
    }

    /// Its volume is marked as missing something from an object on.
    pub fn marked(self, from: u64) -> Self {
        self.inside().noted.push(Some(ObjectNumber(from)));
        self
    }

    /// It has no place for what programs keep beside the data.
    pub fn without_attributes(self) -> Self {
        self.inside().attributes = None;
        self
    }

    /// It keeps this beside the data of the first partition.
    pub fn keeping(self, attributes: &Attributes) -> Self {
        let kept = [(0, attributes.clone())].into_iter().collect();
        self.inside().attributes = Some(kept);
        self
    }

    /// What it keeps beside the data of the first partition.
    pub fn kept(&self) -> Option<Attributes> {
        let inside = self.inside();
        let kept = inside.attributes.as_ref()?;
        Some(kept.get(&0).cloned().unwrap_or_default())
    }

    /// Lets changes wait, or go on.
    pub fn hold(&self, is_closed: bool) {
        *self.1.is_closed.lock().expect("nobody panics with it") = is_closed;
        self.1.opened.notify_all();
    }

    /// How many changes it was told to do.
    pub fn changes(&self) -> u64 {
        self.inside().changes
    }

    pub fn with(self, faults: Faults) -> Self {
        self.set(faults);
        self
    }

    /// Changes what goes wrong; counting begins anew.
    pub fn set(&self, faults: Faults) {
        let mut inside = self.inside();
        inside.faults = faults;
        (inside.changes, inside.reads, inside.motions) = (0, 0, 0);
    }

    pub fn leg(&self, name: &str) -> NewLeg {
        NewLeg {
            options: LegOptions::named(name),
            drive: Box::new(Handle(self.clone())),
        }
    }

    pub fn spare(&self, name: &str) -> NewLeg {
        let mut leg = self.leg(name);
        leg.options.class = Class::Spare;
        leg
    }

    pub fn late(&self, name: &str, when: When) -> NewLeg {
        let mut leg = self.leg(name);
        leg.options.when = when;
        leg
    }

    /// What its volume was marked with.
    pub fn noted(&self) -> Vec<Option<ObjectNumber>> {
        self.inside().noted.clone()
    }

    pub fn reads(&self) -> u64 {
        self.inside().reads
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Where its tape is.
    pub fn place(&self) -> Option<Position> {
        self.inside().drive.position().ok()
    }

    /// Everything in every partition; `None` without a medium.
    pub fn partitions(&self) -> Option<Vec<Vec<ModelObject>>> {
        self.set(Faults::default());
        let mut inside = self.inside();
        let drive = &mut *inside.drive;
        be_ready(drive);
        if drive.position().is_err() && drive.load(LoadKind::Load).is_err() {
            return None;
        }
        let last = drive.mode().expect("it has a mode").last_partition;
        let was = drive.position().expect("it is somewhere");
        let found = (0..=last).map(|number| partition(drive, number));
        let found = found.collect();
        let back = Address {
            partition: Some(was.partition),
            object: was.object,
        };
        drive.locate(back).expect("it can go back");
        Some(found)
    }

    /// Does something behind the mirror's back.
    pub fn work(&self, work: impl FnOnce(&mut dyn Drive)) {
        work(&mut *self.inside().drive);
    }

    /// As [`Watched::contents`], also of an unloaded medium, which stays so.
    pub fn peek(&self) -> Vec<Object> {
        let mut inside = self.inside();
        let drive = &mut *inside.drive;
        let was_unloaded = drive.test_ready().is_err();
        if was_unloaded {
            drive.load(LoadKind::Load).expect("it can be loaded again");
        }
        let found = contents(drive);
        if was_unloaded {
            drive.unload().expect("it can be unloaded again");
        }
        found
    }

    /// Everything on it, from the beginning.
    pub fn contents(&self) -> Vec<Object> {
        self.set(Faults::default());
        let mut inside = self.inside();
        let drive = &mut *inside.drive;
        let was = drive.position().ok();
        let found = contents(drive);
        if let Some(was) = was {
            let back = Address {
                partition: Some(was.partition),
                object: was.object,
            };
            drive.locate(back).expect("it can go back");
        }
        found
    }
}

fn partition(drive: &mut dyn Drive, number: u8) -> Vec<ModelObject> {
    let beginning = Address {
        partition: Some(PartitionNumber(number)),
        object: ObjectNumber(0),
    };
    drive.locate(beginning).expect("it has the partition");
    let rest = rest(drive).into_iter();
    let objects = rest.map(|object| match object {
        Object::Block(data) => ModelObject::Block(data),
        Object::Mark(Mark::Filemark) => ModelObject::Filemark,
        Object::Mark(Mark::Setmark) => ModelObject::Setmark,
    });
    objects.collect()
}

struct Handle(Watched);

enum Act {
    Change,
    Read,
    Motion,
}

impl Inside {
    fn fault(&mut self, act: &Act) -> Result<(), Failed> {
        let (count, fault) = match act {
            Act::Change => {
                self.changes += 1;
                (self.changes, self.faults.change)
            }
            Act::Read => {
                self.reads += 1;
                (self.reads, self.faults.read)
            }
            Act::Motion => {
                self.motions += 1;
                (self.motions, self.faults.motion)
            }
        };
        match fault {
            Some((from, sense)) if count >= from => {
                let mut at = self.drive.position().ok();
                if sense == Sense::MediumError
                    && let Some(at) = &mut at
                {
                    // A damaged block lies behind the tape then.
                    let mut none = [0; 1];
                    if let Ok(done) = self.drive.read(Transfer::Variable, &mut none) {
                        *at = done.position;
                    }
                }
                Err(Failed::at(sense, at))
            }
            _ => Ok(()),
        }
    }
}

impl Handle {
    fn act<T>(
        &mut self,
        act: Act,
        run: impl FnOnce(&mut dyn Drive) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        if let Act::Change = act {
            self.0.1.pass();
        }
        let delay = {
            let mut inside = self.0.inside();
            inside.fault(&act)?;
            assert!(
                inside.faults.panics != Some(inside.changes),
                "the drive has an error"
            );
            match act {
                Act::Change => inside.faults.delay,
                Act::Read | Act::Motion => Duration::ZERO,
            }
        };
        if !delay.is_zero() {
            std::thread::sleep(delay);
        }
        run(&mut *self.0.inside().drive)
    }

    fn motion(
        &mut self,
        run: impl FnOnce(&mut dyn Drive) -> Result<Done, Failed>,
    ) -> Result<Done, Failed> {
        let done = self.act(Act::Motion, run)?;
        let mut inside = self.0.inside();
        let strays = inside.faults.strays;
        if strays.is_none_or(|from| inside.motions < from) {
            return Ok(done);
        }
        let further = inside.drive.space(SpaceUnit::Blocks, 1)?;
        Ok(Done {
            position: further.position,
            ..done
        })
    }

    fn change(
        &mut self,
        run: impl FnOnce(&mut dyn Drive) -> Result<Done, Failed>,
    ) -> Result<Done, Failed> {
        let mut done = self.act(Act::Change, run)?;
        let inside = self.0.inside();
        if inside
            .faults
            .lies
            .is_some_and(|from| inside.changes >= from)
        {
            done.position.object.0 += 1;
        }
        Ok(done)
    }
}

/// It has a place for notes, as an image has.
impl Volume for Handle {
    fn take_trouble(&mut self) -> Option<String> {
        None
    }

    fn record_unreadable(&mut self, _: u32) -> Result<Done, Failed> {
        Err(Failed::at(Sense::IllegalRequest, self.known_position()))
    }

    fn noted(&self) -> Noted {
        match self.0.inside().noted.last() {
            Some(Some(from)) => Noted::NotMirroredFrom(*from),
            Some(None) | None => Noted::Mirrored,
        }
    }

    fn note_not_mirrored(&mut self, from: Option<ObjectNumber>) -> Result<bool, VolumeError> {
        self.0.inside().noted.push(from);
        Ok(true)
    }

    fn known_position(&self) -> Option<Position> {
        self.0.place()
    }

    fn volume_identity(&self) -> VolumeIdentity {
        VolumeIdentity::default()
    }

    fn writability(&mut self) -> Writability {
        self.0.inside().writability
    }

    fn attributes(&mut self, partition: PartitionNumber) -> Result<Attributes, AttributesError> {
        let inside = self.0.inside();
        match &inside.attributes {
            Some(_) if inside.faults.lost_attributes => Err(AttributesError::Damaged {
                left: Attributes::new(),
                error: VolumeError::new("its attributes are damaged"),
            }),
            Some(kept) => Ok(kept.get(&partition.0).cloned().unwrap_or_default()),
            None => Err(AttributesError::NoPlace),
        }
    }

    fn set_attributes(
        &mut self,
        partition: PartitionNumber,
        attributes: &Attributes,
    ) -> Result<(), AttributesError> {
        let mut inside = self.0.inside();
        if inside.faults.no_attributes {
            return Err(AttributesError::Failed(VolumeError::new("its disk failed")));
        }
        inside.faults.lost_attributes = false;
        match &mut inside.attributes {
            Some(kept) => drop(kept.insert(partition.0, attributes.clone())),
            None => return Err(AttributesError::NoPlace),
        }
        Ok(())
    }

    fn lost_when_closed(&mut self) -> Option<VolumeError> {
        let is_removed = self.0.inside().faults.removed;
        is_removed.then(|| VolumeError::new("it was removed: copy it from /proc/1/fd/9"))
    }

    fn finish(self: Box<Self>) -> Result<(), VolumeError> {
        Ok(())
    }
}

impl Drive for Handle {
    fn identity(&self) -> Identity {
        self.0.inside().drive.identity()
    }
    fn block_limits(&self) -> BlockLimits {
        self.0.inside().drive.block_limits()
    }
    fn test_ready(&mut self) -> Result<(), Failed> {
        self.0.inside().drive.test_ready()
    }
    fn mode(&mut self) -> Result<Mode, Failed> {
        self.0.inside().drive.mode()
    }
    fn set_mode(&mut self, change: ModeSelect) -> Result<(), Failed> {
        let mut inside = self.0.inside();
        let at = inside.drive.position().ok();
        match inside.faults.mode {
            Some(sense) => Err(Failed::at(sense, at)),
            None => inside.drive.set_mode(change),
        }
    }
    fn read(&mut self, transfer: Transfer, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        self.act(Act::Read, |drive| drive.read(transfer, buffer))
    }
    fn write(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        self.change(|drive| drive.write(transfer, data))
    }
    fn extend(&mut self, data: &[u8]) -> Result<Done, Failed> {
        self.change(|drive| drive.extend(data))
    }
    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        let run = |drive: &mut dyn Drive| drive.execute(motion);
        match motion {
            Motion::WriteMarks { mode, .. } => {
                let fault = self.0.inside().faults.commit;
                if let Some(sense) = fault
                    && mode == WriteMode::Commit
                {
                    let at = self.position().ok();
                    return Err(Failed::at(sense, at));
                }
                self.change(run)
            }
            Motion::Space { .. }
            | Motion::SpaceToEndOfData
            | Motion::Locate(_)
            | Motion::Rewind => self.motion(run),
            Motion::Erase(_) if self.0.inside().faults.no_erase => {
                let at = self.0.inside().drive.position().ok();
                Err(Failed::at(Sense::IllegalRequest, at))
            }
            Motion::Erase(_) | Motion::Load(_) | Motion::MakePartitions(_) => {
                self.0.inside().drive.execute(motion)
            }
        }
    }
    fn unload(&mut self) -> Result<(), Failed> {
        self.0.inside().drive.unload()
    }
    fn position(&mut self) -> Result<Position, Failed> {
        self.0.inside().drive.position()
    }
    fn capacity(&mut self) -> Result<Capacity, Failed> {
        let mut inside = self.0.inside();
        if inside.faults.mute {
            return Ok(Capacity::default());
        }
        inside.drive.capacity()
    }
    fn set_door(&mut self, door: Door) -> Result<(), Failed> {
        self.0.inside().drive.set_door(door)
    }

    fn take_recovered(&mut self) -> u32 {
        self.0.inside().drive.take_recovered()
    }
}

/// How often something random is done: from this variable of the environment, or so often.
pub fn count(variable: &str, else_count: u32) -> u32 {
    let text = std::env::var(variable).ok();
    text.map_or(else_count, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}={text} is no number"))
    })
}

/// A seed that a failing test prints: from `SEED`, or a fixed one.
pub fn seed() -> u64 {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0x5EED);
    println!("seed {seed}");
    seed
}

/// Plain random numbers.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// From 0 up to, without, `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end
    }
}
