//! A store that fails on demand, and that can be frozen: what would be on the disk if the power went now.

use std::io::{self, IoSlice, IoSliceMut};
use std::sync::{Arc, Mutex};

use pseudotape_image::{MemoryStore, Reserved, Store};

/// What was done to a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreAction {
    /// Bytes written at an offset.
    Write {
        /// Where.
        offset: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// Cut or lengthened.
    Truncate(u64),
    /// Everything before made stable.
    Sync,
}

/// What goes wrong next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFault {
    /// Writes that end behind this offset fail with `StorageFull`, having written what fits.
    FullAt(u64),
    /// The write with this number (from 0, counted from now) fails with an I/O error, half done.
    Write(u64),
    /// Every sync fails with an I/O error.
    Sync,
    /// Reads that touch these bytes fail with an I/O error.
    Read {
        /// The first byte.
        from: u64,
        /// Behind the last byte.
        to: u64,
    },
}

/// A store in memory that logs what is done to it and fails where it is told to.
///
/// Clones are the same store, so that a test can look at it while an image has it.
#[derive(Clone, Debug, Default)]
pub struct FaultyStore {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    memory: MemoryStore,
    log: Vec<StoreAction>,
    fault: Option<StoreFault>,
    writes_since_fault: u64,
}

impl FaultyStore {
    /// Sets what goes wrong from now on.
    pub fn set_fault(&self, fault: Option<StoreFault>) {
        let mut inner = self.lock();
        inner.fault = fault;
        inner.writes_since_fault = 0;
    }

    /// What was done so far.
    #[must_use]
    pub fn log(&self) -> Vec<StoreAction> {
        self.lock().log.clone()
    }

    /// How much was done so far.
    #[must_use]
    pub fn log_length(&self) -> usize {
        self.lock().log.len()
    }

    /// The bytes now.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.lock().memory.bytes().to_vec()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .expect("no test panics with the lock held")
    }
}

impl Store for FaultyStore {
    fn read_vectored_at(&self, buffers: &mut [IoSliceMut<'_>], offset: u64) -> io::Result<usize> {
        let inner = self.lock();
        let wanted: u64 = buffers.iter().map(|buffer| buffer.len() as u64).sum();
        if let Some(StoreFault::Read { from, to }) = inner.fault
            && offset < to
            && from < offset + wanted
        {
            return Err(io::Error::other("injected read error"));
        }
        inner.memory.read_vectored_at(buffers, offset)
    }

    fn write_vectored_at(&mut self, buffers: &mut [IoSlice<'_>], offset: u64) -> io::Result<()> {
        let mut inner = self.lock();
        let mut bytes: Vec<u8> = buffers
            .iter()
            .flat_map(|buffer| buffer.iter().copied())
            .collect();
        let number = inner.writes_since_fault;
        inner.writes_since_fault += 1;
        let mut result = Ok(());
        match inner.fault {
            Some(StoreFault::FullAt(limit)) if offset + bytes.len() as u64 > limit => {
                bytes
                    .truncate(usize::try_from(limit.saturating_sub(offset)).expect("a small test"));
                result = Err(io::ErrorKind::StorageFull.into());
            }
            Some(StoreFault::Write(failing)) if failing == number => {
                bytes.truncate(bytes.len() / 2);
                result = Err(io::Error::other("injected write error"));
            }
            _ => {}
        }
        inner.memory.write_at(&bytes, offset)?;
        inner.log.push(StoreAction::Write { offset, bytes });
        result
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let mut inner = self.lock();
        inner.log.push(StoreAction::Truncate(length));
        inner.memory.truncate(length)
    }

    fn length(&self) -> io::Result<u64> {
        self.lock().memory.length()
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut inner = self.lock();
        if inner.fault == Some(StoreFault::Sync) {
            return Err(io::Error::other("injected sync error"));
        }
        inner.log.push(StoreAction::Sync);
        Ok(())
    }

    fn reserve(&mut self, up_to: u64) -> io::Result<Reserved> {
        match self.lock().fault {
            Some(StoreFault::FullAt(limit)) if up_to > limit => {
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Ok(Reserved::Held),
        }
    }
}

/// Which of the actions after the last sync reached the disk before the power went.
#[derive(Clone, Copy, Debug)]
pub enum Survival {
    /// All of them.
    All,
    /// None of them.
    None,
    /// The last one is torn: this many of its bytes; all before it arrived.
    Torn(usize),
    /// Any of them, in parts of 512 bytes, as the bits of this seed say.
    Any(u64),
}

/// The bytes on the disk if the power had gone after these actions, the first `count` of a log.
///
/// What was done before the last sync among them is there; of the rest, what `survival` says. Truncation and
/// lengthening follow the file system's journal: each either happened or not.
#[must_use]
pub fn after_power_loss(log: &[StoreAction], count: usize, survival: Survival) -> Vec<u8> {
    let log = &log[..count.min(log.len())];
    let stable = log
        .iter()
        .rposition(|action| *action == StoreAction::Sync)
        .map_or(0, |last| last + 1);
    let (stable, loose) = log.split_at(stable);
    let mut disk = MemoryStore::default();
    stable.iter().for_each(|action| apply(&mut disk, action));
    let mut random = Bits(match survival {
        Survival::Any(seed) => seed,
        _ => 1,
    });
    for (place, action) in loose.iter().enumerate() {
        match survival {
            Survival::All => apply(&mut disk, action),
            Survival::None => {}
            Survival::Torn(bytes) if place + 1 == loose.len() => {
                apply(&mut disk, &torn(action, bytes));
            }
            Survival::Torn(_) => apply(&mut disk, action),
            Survival::Any(_) => apply_parts(&mut disk, action, &mut random),
        }
    }
    disk.into_bytes()
}

fn apply(disk: &mut MemoryStore, action: &StoreAction) {
    match action {
        StoreAction::Write { offset, bytes } => disk.write_at(bytes, *offset),
        StoreAction::Truncate(length) => disk.truncate(*length),
        StoreAction::Sync => Ok(()),
    }
    .expect("memory takes what a test writes");
}

fn torn(action: &StoreAction, count: usize) -> StoreAction {
    match action {
        StoreAction::Write { offset, bytes } => StoreAction::Write {
            offset: *offset,
            bytes: bytes[..count.min(bytes.len())].to_vec(),
        },
        StoreAction::Truncate(_) | StoreAction::Sync => StoreAction::Sync,
    }
}

/// Writes those of the 512-byte parts that survive; the file may be as long as if all had, with zeros in between.
fn apply_parts(disk: &mut MemoryStore, action: &StoreAction, random: &mut Bits) {
    let StoreAction::Write { offset, bytes } = action else {
        if random.next() {
            apply(disk, action);
        }
        return;
    };
    let end = offset + bytes.len() as u64;
    if random.next() && disk.length().expect("memory has a length") < end {
        apply(disk, &StoreAction::Truncate(end));
    }
    let mut at = *offset;
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let to_boundary = 512 - usize::try_from(at % 512).expect("less than 512");
        let (part, behind) = rest.split_at(to_boundary.min(rest.len()));
        if random.next() {
            apply(
                disk,
                &StoreAction::Write {
                    offset: at,
                    bytes: part.to_vec(),
                },
            );
        }
        at += part.len() as u64;
        rest = behind;
    }
}

/// A stream of bits from a seed.
struct Bits(u64);

impl Bits {
    fn next(&mut self) -> bool {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 63 == 1
    }
}
