//! Plays calls on the model and on the stack, compares each answer, and shrinks what differs.

use std::io::{self, IoSlice, IoSliceMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pseudotape_drive::{Cartridge, ImageDrive, Medium, Overrides, Personality};
use pseudotape_image::{
    Access, CreateParameters, Error, MemoryStore, Reserved, Rewriting, Store, Uuid, VolumeId,
    WriteProtect,
};
use pseudotape_mtio::{MtGet, MtPos};
use pseudotape_st::{Caller, Errno, Opening, Options, St};
use pseudotape_tape::{Address, Drive, ObjectNumber, PartitionNumber, Sense, Stop, Transfer};

use super::calls::{Blank, Call, Dice, pattern};
use super::tape::{self, Object};
use super::{Driver, Partition};

/// A store that the test holds as well, to spoil what lies in it.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<MemoryStore>>);

impl Shared {
    fn bytes(&self) -> MutexGuard<'_, MemoryStore> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Shared {
    fn read_vectored_at(&self, buffers: &mut [IoSliceMut<'_>], offset: u64) -> io::Result<usize> {
        self.bytes().read_vectored_at(buffers, offset)
    }

    fn write_vectored_at(&mut self, buffers: &mut [IoSlice<'_>], offset: u64) -> io::Result<()> {
        self.bytes().write_vectored_at(buffers, offset)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.bytes().truncate(length)
    }

    fn length(&self) -> io::Result<u64> {
        self.bytes().length()
    }

    fn sync(&mut self) -> io::Result<()> {
        self.bytes().sync()
    }

    fn reserve(&mut self, up_to: u64) -> io::Result<Reserved> {
        self.bytes().reserve(up_to)
    }
}

/// The partitions of a cartridge in memory.
#[derive(Default)]
struct Stores(Vec<Shared>);

impl Medium for Stores {
    type Store = Shared;

    fn access(&self) -> Access {
        Access::ReadWrite
    }

    fn open(&mut self, partition: u8) -> Result<Shared, Error> {
        Ok(self.0[usize::from(partition)].clone())
    }

    fn create(&mut self, partition: u8) -> Result<Shared, Error> {
        let partition = usize::from(partition);
        self.0
            .resize_with((partition + 1).max(self.0.len()), Shared::default);
        self.0[partition] = Shared::default();
        Ok(self.0[partition].clone())
    }
}

/// What a call answered.
#[derive(Clone, Debug, PartialEq, Eq)]
enum CallOutcome {
    Done(Result<(), Errno>),
    Count(Result<usize, Errno>),
    Bytes(Result<Vec<u8>, Errno>),
    Status(Result<MtGet, Errno>),
    Position(Result<MtPos, Errno>),
    Hand(bool),
}

/// Everything from `St` to memory.
struct Stack {
    st: St,
    drive: ImageDrive<Stores>,
}

impl Stack {
    fn new(personality: Personality, options: &Options) -> Self {
        Stack {
            st: St::new(options),
            drive: ImageDrive::new(personality, "MODEL".into(), Overrides::default()),
        }
    }

    fn insert(&mut self, blank: Blank) {
        let mut parameters = CreateParameters::new(VolumeId(Uuid::from_u128(7)), 0);
        parameters.header.capacity_bytes = blank.capacity_bytes;
        parameters.header.early_warning_bytes = blank.early_warning_bytes;
        if blank.worm {
            parameters.header.rewriting = Rewriting::AppendOnly;
        }
        let cartridge =
            Cartridge::create(Stores::default(), &parameters).expect("memory takes an image");
        assert!(self.drive.insert(cartridge).is_ok(), "the drive is empty");
    }

    fn run(&mut self, call: Call) -> CallOutcome {
        let drive = &mut self.drive;
        match call {
            Call::Open(node, flags) => CallOutcome::Done(match self.st.open(drive, node, flags) {
                Ok(Opening::Waiting) => Err(self.st.abandon_open()),
                other => other.map(|_| ()),
            }),
            Call::Close => CallOutcome::Done(self.st.close(drive)),
            Call::Read(length) => {
                let mut buffer = vec![0xee; length];
                let result = self.st.read(drive, &mut buffer);
                CallOutcome::Bytes(result.map(|count| {
                    buffer.truncate(count);
                    buffer
                }))
            }
            Call::Write(seed, length) => {
                CallOutcome::Count(self.st.write(drive, &pattern(seed, length)))
            }
            Call::Op(op, privileged) => {
                CallOutcome::Done(self.st.op(drive, op, Caller { privileged }))
            }
            Call::Get => CallOutcome::Status(self.st.get(drive)),
            Call::Pos => CallOutcome::Position(self.st.pos(drive)),
            Call::Other => {
                let caller = Caller { privileged: true };
                CallOutcome::Done(Err(self.st.other_ioctl(drive, 0x1234, caller)))
            }
            Call::Protect(on) => {
                let to = if on {
                    WriteProtect::On
                } else {
                    WriteProtect::Off
                };
                CallOutcome::Hand(drive.cartridge_mut().is_some_and(|cartridge| {
                    cartridge.set_write_protect(to).expect("memory is written");
                    true
                }))
            }
            Call::Replace(blank) => {
                drop(drive.eject());
                self.insert(blank);
                CallOutcome::Hand(true)
            }
            Call::Reinsert => CallOutcome::Hand(match drive.eject() {
                Some(cartridge) => drive.insert(cartridge).is_ok(),
                None => false,
            }),
            Call::Eject => CallOutcome::Hand(drive.eject().is_some()),
            Call::Reset => {
                drive.reset();
                CallOutcome::Hand(true)
            }
            Call::Damage(_) => CallOutcome::Hand(true),
        }
    }

    /// Spoils the payload of a block, found by what docs/FORMAT.md says of records.
    fn damage(&mut self, partition: usize, object: usize) {
        let cartridge = self.drive.cartridge().expect("the model has one");
        let mut store = cartridge.medium().0[partition].bytes();
        let mut at = 16_384;
        loop {
            let mut frame = [0; 48];
            let read = store.read_at(&mut frame, at).expect("memory is read");
            assert_eq!(read, 48, "object {object} has a frame");
            let number = |from: usize, to: usize| {
                let mut bytes = [0; 8];
                bytes[..to - from].copy_from_slice(&frame[from..to]);
                u64::from_le_bytes(bytes)
            };
            if frame[4] == 1 && number(16, 24) == object as u64 {
                let mut byte = [0];
                store.read_at(&mut byte, at + 48).expect("memory is read");
                byte[0] ^= 0x55;
                store.write_at(&byte, at + 48).expect("memory is written");
                return;
            }
            at += 48 + number(8, 12);
        }
    }

    /// All that is recorded, read by the drive itself.
    fn contents(&mut self, expected: &[Vec<Object>]) -> Vec<Vec<Object>> {
        let Some(cartridge) = self.drive.cartridge() else {
            return Vec::new();
        };
        let partitions = cartridge.partition_count();
        let longest = |object: &Object| match object {
            Object::Block { data, .. } => data.len(),
            Object::Filemark | Object::Setmark => 0,
        };
        let longest = expected.iter().flatten().map(longest).max();
        let mut buffer = vec![0; longest.unwrap_or(0) + 1];
        (0..partitions)
            .map(|partition| {
                let to = Address {
                    partition: Some(PartitionNumber(partition)),
                    object: ObjectNumber(0),
                };
                self.drive.locate(to).expect("the partition is there");
                self.read_all(&mut buffer)
            })
            .collect()
    }

    fn read_all(&mut self, buffer: &mut [u8]) -> Vec<Object> {
        let mut objects = Vec::new();
        loop {
            objects.push(match self.drive.read(Transfer::Variable, buffer) {
                Ok(done) => match done.stop {
                    None => Object::Block {
                        data: buffer[..done.bytes].to_vec(),
                        damaged: false,
                    },
                    Some(Stop::Filemark) => Object::Filemark,
                    Some(Stop::Setmark) => Object::Setmark,
                    Some(_) => return objects,
                },
                Err(failed) => {
                    assert_eq!(failed.sense, Sense::MediumError, "{failed}");
                    Object::Block {
                        data: Vec::new(),
                        damaged: true,
                    }
                }
            });
        }
    }
}

fn model_cartridge(blank: Blank) -> tape::Cartridge {
    tape::Cartridge {
        partitions: vec![Partition {
            objects: Vec::new(),
            capacity_bytes: blank.capacity_bytes,
            early_warning_bytes: blank.early_warning_bytes,
        }],
        protected: false,
        worm: blank.worm,
    }
}

fn run_model(model: &mut Driver, call: Call) -> CallOutcome {
    match call {
        Call::Open(node, flags) => CallOutcome::Done(model.open(node, flags)),
        Call::Close => CallOutcome::Done(model.close()),
        Call::Read(length) => CallOutcome::Bytes(model.read(length)),
        Call::Write(seed, length) => CallOutcome::Count(model.write(&pattern(seed, length))),
        Call::Op(op, privileged) => CallOutcome::Done(model.op(op, Caller { privileged })),
        Call::Get => CallOutcome::Status(model.get()),
        Call::Pos => CallOutcome::Position(model.pos()),
        Call::Other => CallOutcome::Done(Err(model.other())),
        Call::Protect(on) => {
            CallOutcome::Hand(model.deck.cartridge.as_mut().is_some_and(|cartridge| {
                cartridge.protected = on;
                true
            }))
        }
        Call::Replace(blank) => {
            drop(model.deck.eject());
            model.deck.insert(model_cartridge(blank));
            CallOutcome::Hand(true)
        }
        Call::Reinsert => CallOutcome::Hand(match model.deck.eject() {
            Some(cartridge) => {
                model.deck.insert(cartridge);
                true
            }
            None => false,
        }),
        Call::Eject => CallOutcome::Hand(model.deck.eject().is_some()),
        Call::Reset => {
            model.deck.reset();
            CallOutcome::Hand(true)
        }
        Call::Damage(_) => CallOutcome::Hand(true),
    }
}

/// What the kernel answers before st is asked: EBADF.
fn reaches_driver(model: &Driver, call: Call) -> bool {
    let Some(file) = model.file else {
        return !matches!(call, Call::Read(_) | Call::Write(..));
    };
    match call {
        Call::Read(_) => file.access != pseudotape_st::AccessMode::Write,
        Call::Write(..) => file.access != pseudotape_st::AccessMode::Read,
        _ => true,
    }
}

/// Spoils the same block on both sides, where there is one.
fn damage(model: &mut Driver, stack: &mut Stack, number: usize) {
    let partition = model.deck.partition;
    let Some(cartridge) = model.deck.cartridge.as_mut().filter(|_| model.deck.loaded) else {
        return;
    };
    let objects = &mut cartridge.partitions[partition].objects;
    let whole = |object: &Object| matches!(object, Object::Block { damaged: false, .. });
    let blocks: Vec<usize> = (0..objects.len())
        .filter(|&at| whole(&objects[at]))
        .collect();
    let Some(&at) = blocks.get(number % blocks.len().max(1)) else {
        return;
    };
    if let Object::Block { damaged, .. } = &mut objects[at] {
        *damaged = true;
    }
    stack.damage(partition, at);
}

/// One tape's life.
#[derive(Clone, Debug)]
pub struct Story {
    /// The drive.
    pub personality: Personality,
    /// Its first cartridge.
    pub blank: Blank,
    /// What is done.
    pub calls: Vec<Call>,
}

fn begin(personality: Personality, blank: Blank) -> (Driver, Stack) {
    let options = Options {
        reports_beginning: personality.reports_beginning,
        limits_reads: personality.limits_reads,
        ..Options::default()
    };
    let mut model = Driver::new(personality, &options);
    let mut stack = Stack::new(personality, &options);
    model.deck.insert(model_cartridge(blank));
    stack.insert(blank);
    (model, stack)
}

fn step(model: &mut Driver, stack: &mut Stack, call: Call) -> Result<(), String> {
    if !reaches_driver(model, call) {
        return Ok(());
    }
    if let Call::Damage(number) = call {
        damage(model, stack, number);
        return Ok(());
    }
    let (expected, found) = (run_model(model, call), stack.run(call));
    if expected == found {
        return Ok(());
    }
    let short = |answer: &CallOutcome| match answer {
        CallOutcome::Bytes(Ok(bytes)) => {
            format!(
                "{} bytes, from {:?}",
                bytes.len(),
                &bytes[..bytes.len().min(8)]
            )
        }
        other => format!("{other:?}"),
    };
    Err(format!(
        "model {}\nstack {}",
        short(&expected),
        short(&found)
    ))
}

fn compare_tapes(model: &mut Driver, stack: &mut Stack) -> Result<(), String> {
    if model.deck.cartridge.is_some() != stack.drive.cartridge().is_some() {
        return Err("only one of them holds a cartridge".into());
    }
    let Some(cartridge) = &model.deck.cartridge else {
        return Ok(());
    };
    stack.drive.clear_attention();
    if !stack.drive.is_loaded() {
        let cartridge = stack.drive.eject().expect("it holds one");
        assert!(stack.drive.insert(cartridge).is_ok(), "it was emptied");
        stack.drive.clear_attention();
    }
    let mut expected: Vec<Vec<Object>> = Vec::new();
    for partition in &cartridge.partitions {
        expected.push(partition.objects.clone());
        for object in expected.last_mut().expect("just pushed") {
            if let Object::Block {
                data,
                damaged: true,
            } = object
            {
                data.clear();
            }
        }
    }
    let found = stack.contents(&expected);
    match expected == found {
        true => Ok(()),
        false => Err(format!(
            "what is on the tapes differs: model {:?} objects, stack {:?}",
            expected.iter().map(Vec::len).collect::<Vec<_>>(),
            found.iter().map(Vec::len).collect::<Vec<_>>(),
        )),
    }
}

impl Story {
    /// Makes a story up, playing it at once; says how long it became and where answers differed.
    pub fn invent(dice: &mut Dice, length: usize) -> (Self, Result<(), String>) {
        let (personality, blank) = (dice.personality(), dice.blank());
        let (mut model, mut stack) = begin(personality, blank);
        let mut calls = Vec::new();
        let mut result = Ok(());
        while calls.len() < length && result.is_ok() {
            let call = dice.call(&model);
            calls.push(call);
            result = step(&mut model, &mut stack, call);
        }
        if result.is_ok() {
            result = compare_tapes(&mut model, &mut stack);
        }
        let story = Story {
            personality,
            blank,
            calls,
        };
        (story, result)
    }

    /// Plays it again.
    pub fn play(&self) -> Result<(), String> {
        let (mut model, mut stack) = begin(self.personality, self.blank);
        for (number, &call) in self.calls.iter().enumerate() {
            step(&mut model, &mut stack, call).map_err(|difference| {
                let said = stack.st.snapshot().last_error.unwrap_or_default();
                format!("call {number}, {call:?}:\n{difference}\nst says: {said}")
            })?;
        }
        compare_tapes(&mut model, &mut stack)
    }

    /// Leaves out calls, more at once first, as long as an answer differs without them.
    #[must_use]
    pub fn shrunk(mut self) -> Self {
        let mut part = self.calls.len() / 2;
        while part > 0 {
            let mut at = 0;
            while at < self.calls.len() {
                let mut shorter = self.clone();
                shorter.calls.drain(at..(at + part).min(self.calls.len()));
                if shorter.play().is_err() {
                    self = shorter;
                } else {
                    at += part;
                }
            }
            part = match part {
                1 => 0,
                _ => part.div_ceil(2),
            };
        }
        self
    }
}
