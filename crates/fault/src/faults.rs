use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pseudotape_tape::Position;

use crate::error::FaultError;
use crate::fault::Fault;
use crate::kind::Kind;
use crate::values::Call;

/// So many faults a drive takes.
const MOST: usize = 64;

/// The faults of one drive. Clones are the same list.
///
/// Whoever injects never waits for the drive, so that a drive that hangs can be told to go on.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Whether the list has anything in it: all that a drive without faults looks at.
    armed: AtomicBool,
    list: Mutex<List>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct List {
    entries: Vec<Entry>,
    last_number: u32,
    ended: bool,
}

#[derive(Debug)]
struct Entry {
    number: u32,
    fault: Fault,
    until: Option<Instant>,
    /// Calls or blocks that it could have struck.
    seen: u64,
    /// Those that it did strike.
    met: u64,
    random: u64,
}

/// A fault as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its number, by which it is removed.
    pub number: u32,
    /// What it is.
    pub fault: Fault,
    /// How often it was met.
    pub met: u64,
    /// Its time or its number is over.
    pub over: bool,
    /// How long it still lasts, where its time is limited.
    pub left: Option<Duration>,
}

/// A fault that was met.
#[derive(Clone, Debug)]
pub(crate) struct Struck {
    pub(crate) number: u32,
    pub(crate) fault: Fault,
}

/// A call as faults see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) call: Call,
    /// Where the tape is before it, as far as that is known.
    pub(crate) here: Option<Position>,
    /// Objects that it transfers.
    pub(crate) objects: u64,
    /// Bytes that it transfers.
    pub(crate) bytes: usize,
}

impl Asked {
    fn meets(&self, fault: &Fault) -> bool {
        let Some(at) = fault.at else {
            return true;
        };
        self.here.is_some_and(|here| {
            let from = here.object.0;
            fault.partition.is_none_or(|p| p == here.partition.0)
                && (from..from.saturating_add(self.objects)).contains(&at)
        })
    }
}

impl Entry {
    fn is_over(&self, now: Instant) -> bool {
        self.fault.times.is_some_and(|times| self.met >= times)
            || self.until.is_some_and(|until| now >= until)
    }

    /// Whether it strikes what is asked; counts it.
    fn strikes(&mut self, asked: &Asked, now: Instant) -> bool {
        if self.is_over(now) || !self.fault.on.contain(asked.call) || !asked.meets(&self.fault) {
            return false;
        }
        self.seen += 1;
        let strikes = match (self.fault.every, self.fault.chance) {
            (Some(every), _) => self.seen.is_multiple_of(every),
            (None, Some(chance)) => self.draw() < chance,
            (None, None) => true,
        };
        self.met += u64::from(strikes);
        strikes
    }

    /// The next number below 100, the same row for the same seed (SplitMix64).
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % 100
    }
}

/// Lists are equal that hold the same faults.
impl PartialEq for Faults {
    fn eq(&self, other: &Self) -> bool {
        let faults = |faults: &Faults| -> Vec<Fault> {
            let listed = faults.listed().into_iter();
            listed.map(|listed| listed.fault).collect()
        };
        faults(self) == faults(other)
    }
}

impl Eq for Faults {}

impl Faults {
    /// Injects faults, all or none; says their numbers.
    pub fn inject(&self, faults: Vec<Fault>) -> Result<Vec<u32>, FaultError> {
        let mut list = self.list();
        if list.ended {
            return Err(FaultError::Ended);
        }
        if list.entries.len() + faults.len() > MOST {
            return Err(FaultError::TooMany { max: MOST });
        }
        let now = Instant::now();
        let mut numbers = Vec::new();
        for fault in faults {
            list.last_number += 1;
            let number = list.last_number;
            numbers.push(number);
            list.entries.push(Entry {
                number,
                until: fault.lasts.and_then(|lasts| now.checked_add(lasts)),
                seen: 0,
                met: 0,
                random: fault.seed,
                fault,
            });
        }
        self.tell(&list);
        Ok(numbers)
    }

    /// Removes faults by the numbers they are listed with, or `all`; all of what is asked or nothing.
    pub fn remove(&self, named: &[String]) -> Result<(), FaultError> {
        let mut list = self.list();
        let mut numbers = Vec::new();
        for name in named {
            if name == "all" {
                numbers.extend(list.entries.iter().map(|entry| entry.number));
                continue;
            }
            let number = name.parse().ok();
            let listed = list.entries.iter().map(|entry| entry.number);
            match listed.clone().find(|listed| Some(*listed) == number) {
                Some(number) => numbers.push(number),
                None => {
                    let number = name.clone();
                    return Err(FaultError::NoSuchNumber { number });
                }
            }
        }
        list.entries
            .retain(|entry| !numbers.contains(&entry.number));
        self.tell(&list);
        Ok(())
    }

    /// Removes every fault, lets go of what hangs, and takes no fault any more: the end of a drive meets none.
    pub fn end(&self) {
        let mut list = self.list();
        list.ended = true;
        list.entries.clear();
        self.tell(&list);
    }

    /// Every fault, in the order of their numbers.
    #[must_use]
    pub fn listed(&self) -> Vec<Listed> {
        let now = Instant::now();
        let list = self.list();
        let listed = list.entries.iter().map(|entry| Listed {
            number: entry.number,
            fault: entry.fault.clone(),
            met: entry.met,
            over: entry.is_over(now),
            left: entry
                .until
                .map(|until| until.saturating_duration_since(now)),
        });
        listed.collect()
    }

    /// Whether there is any fault. A load, and nothing else.
    #[must_use]
    pub fn is_armed(&self) -> bool {
        self.0.armed.load(Ordering::Acquire)
    }

    /// Whether a volume can't be put into the drive now; counts it.
    #[must_use]
    pub fn refuses_load(&self) -> Option<u32> {
        if !self.is_armed() {
            return None;
        }
        let asked = Asked {
            call: Call::Load,
            here: None,
            objects: 0,
            bytes: 0,
        };
        let struck = self.struck(Kind::LoadFailure, &asked);
        struck.map(|struck| struck.number)
    }

    /// Whether a fault is still listed.
    pub(crate) fn has_number(&self, number: u32) -> bool {
        self.list()
            .entries
            .iter()
            .any(|entry| entry.number == number)
    }

    /// Whether some fault of these kinds can still strike. Counts nothing.
    pub(crate) fn has(&self, kinds: &[Kind]) -> bool {
        let now = Instant::now();
        let list = self.list();
        let mut open = list.entries.iter().filter(|entry| !entry.is_over(now));
        open.any(|entry| kinds.contains(&entry.fault.kind))
    }

    /// Whether some fault is for one object.
    pub(crate) fn needs_place(&self) -> bool {
        let list = self.list();
        list.entries.iter().any(|entry| entry.fault.at.is_some())
    }

    /// The first fault of a kind that strikes what is asked.
    pub(crate) fn struck(&self, kind: Kind, asked: &Asked) -> Option<Struck> {
        let now = Instant::now();
        let mut list = self.list();
        let of_kind = list.entries.iter_mut().filter(|e| e.fault.kind == kind);
        for entry in of_kind {
            if entry.strikes(asked, now) {
                return Some(Struck {
                    number: entry.number,
                    fault: entry.fault.clone(),
                });
            }
        }
        None
    }

    /// Takes the time that the faults take which only cost time.
    pub(crate) fn wait(&self, asked: &Asked) {
        if let Some(struck) = self.struck(Kind::Slow, asked) {
            let pace = struck.fault;
            let by_rate = match pace.rate {
                Some(rate) => seconds_of(asked.bytes, rate),
                None => Duration::ZERO,
            };
            let pause = by_rate.saturating_add(pace.delay.unwrap_or_default());
            if let Some(until) = Instant::now().checked_add(pause) {
                self.wait_for(struck.number, Some(until));
            }
        }
        if let Some(struck) = self.struck(Kind::Hang, asked) {
            self.wait_for(struck.number, None);
        }
    }

    /// Waits until then, or until the fault is removed or its time is over.
    fn wait_for(&self, number: u32, until: Option<Instant>) {
        let mut list = self.list();
        loop {
            let entry = list.entries.iter().find(|entry| entry.number == number);
            let Some(entry) = entry else {
                return;
            };
            let ends = [until, entry.until].into_iter().flatten().min();
            let now = Instant::now();
            let Some(ends) = ends else {
                list = self
                    .0
                    .changed
                    .wait(list)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            if now >= ends {
                return;
            }
            let waited = self.0.changed.wait_timeout(list, ends - now);
            list = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn tell(&self, list: &List) {
        self.0
            .armed
            .store(!list.entries.is_empty(), Ordering::Release);
        self.0.changed.notify_all();
    }

    fn list(&self) -> MutexGuard<'_, List> {
        // Each change leaves it whole.
        self.0.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long so many bytes take.
fn seconds_of(bytes: usize, rate: u64) -> Duration {
    let nanoseconds = (bytes as u128).saturating_mul(1_000_000_000) / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}
