//! Time and randomness, which come from outside.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use pseudotape_image::VolumeId;
use uuid::{Builder, NoContext, Timestamp, Uuid};

/// What time it is.
pub trait Clock {
    /// Milliseconds after 1970.
    fn now_ms(&mut self) -> u64;
}

/// What identities are made of.
pub trait Chance {
    /// An identity that nothing else has, made at this time.
    fn identity(&mut self, now_ms: u64) -> VolumeId;
}

/// The machine's own.
#[derive(Clone, Copy, Debug)]
pub struct System;

impl Clock for System {
    fn now_ms(&mut self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        // A clock before 1970 is wrong, whatever it says.
        now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
    }
}

impl Chance for System {
    fn identity(&mut self, now_ms: u64) -> VolumeId {
        let nanoseconds = u32::try_from(now_ms % 1000).expect("below a thousand") * 1_000_000;
        VolumeId(Uuid::new_v7(Timestamp::from_unix(
            NoContext,
            now_ms / 1000,
            nanoseconds,
        )))
    }
}

/// Numbers that follow from a seed, and a clock that goes on by a second each time it is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Seeded {
    /// Where the clock is.
    pub now_ms: u64,
    /// Where the numbers are.
    pub seed: u64,
}

impl Seeded {
    /// SplitMix64 (Steele, Lea, Flood 2014).
    fn next(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Clock for Seeded {
    fn now_ms(&mut self) -> u64 {
        self.now_ms += 1000;
        self.now_ms
    }
}

impl Chance for Seeded {
    fn identity(&mut self, now_ms: u64) -> VolumeId {
        let mut bytes = [0; 10];
        let (first, second) = bytes.split_at_mut(8);
        first.copy_from_slice(&self.next().to_le_bytes());
        second.copy_from_slice(self.next().to_le_bytes().get(..2).unwrap_or(&[0; 2]));
        VolumeId(Builder::from_unix_timestamp_millis(now_ms, &bytes).into_uuid())
    }
}

/// Both.
pub struct Surroundings {
    clock: Box<dyn Clock>,
    chance: Box<dyn Chance>,
}

impl Surroundings {
    /// From these.
    pub fn new(clock: impl Clock + 'static, chance: impl Chance + 'static) -> Self {
        Surroundings {
            clock: Box::new(clock),
            chance: Box::new(chance),
        }
    }

    /// The machine's own.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self::new(System, System)
    }

    /// What follows from a seed, beginning at a time.
    #[must_use]
    pub fn seeded(seed: u64, now_ms: u64) -> Self {
        let seeded = Seeded { now_ms, seed };
        Self::new(seeded, seeded)
    }

    pub(crate) fn now_ms(&mut self) -> u64 {
        self.clock.now_ms()
    }

    pub(crate) fn identity(&mut self, now_ms: u64) -> VolumeId {
        self.chance.identity(now_ms)
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Surroundings")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_identities_and_another_one_others() {
        let identities = |seed| {
            let mut seeded = Seeded { now_ms: 5, seed };
            let now = seeded.now_ms();
            [seeded.identity(now), seeded.identity(now)]
        };
        assert_eq!(identities(1), identities(1));
        assert_ne!(identities(1), identities(2));
        assert_ne!(identities(1)[0], identities(1)[1]);
        assert_ne!(System.identity(5), System.identity(5));
        assert!(System.now_ms() > 1_700_000_000_000);
    }
}
