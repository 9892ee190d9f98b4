//! What stays in the host's page cache of what is written and read.
//!
//! A backup of many gigabytes pushes everything else out of the page cache, and what nobody has written to the disk
//! until then makes the next commit wait for seconds. A file that is dropped behind gives its pages back while it
//! grows, and its writing to the disk begins at once. No promise depends on this: what was acknowledged is in the
//! page cache or on the disk, and a commit waits for the disk as before.

use std::cell::Cell;
use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::str::FromStr;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use crate::layout::wide;

/// So much is written between two advices: enough that an advice costs nothing, little enough that the disk is never
/// idle. Measured with 2, 8 and 32 MiB: docs/decisions/0017-page-cache.md.
const STEP_BYTES: u64 = 8 << 20;

/// An advice reaches back so many steps more: pages that were not on the disk yet when they were advised the first time
/// stay in the cache, and go with one of the next advices.
const STEPS_BACK: u64 = 2;

/// So often an advice reaches back to the beginning, for a disk that is slower than that.
const SWEEP_BYTES: u64 = 256 << 20;

/// [`CachePolicy::Auto`] drops from here on.
const AUTO_BYTES: u64 = 1 << 30;

/// A write of no more than this that does not continue the one before is our own housekeeping (a state slot), and says
/// nothing of where the tape is.
const SMALL_BYTES: u64 = 4096;

/// Whether an image stays in the host's page cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CachePolicy {
    /// It is kept until more than 1 GiB was written in one go, and what is written is dropped then.
    #[default]
    Auto,
    /// The host decides.
    Keep,
    /// What is written and what is read is dropped.
    Drop,
}

impl CachePolicy {
    /// Every policy.
    pub const ALL: [CachePolicy; 3] = [CachePolicy::Auto, CachePolicy::Keep, CachePolicy::Drop];
}

/// A word that is no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no cache '{0}': auto, keep or drop")]
pub struct UnknownCachePolicy(String);

impl FromStr for CachePolicy {
    type Err = UnknownCachePolicy;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|policy| policy.to_string() == word);
        found.ok_or_else(|| UnknownCachePolicy(word.to_owned()))
    }
}

impl fmt::Display for CachePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CachePolicy::Auto => "auto",
            CachePolicy::Keep => "keep",
            CachePolicy::Drop => "drop",
        })
    }
}

/// The stretch of a file that was written (or read) in one go, as far as it may still be in the page cache.
#[derive(Clone, Copy, Debug, Default)]
struct Stretch {
    /// Where its first byte was moved.
    origin: u64,
    /// Where the part of it begins that may still be cached.
    begin: u64,
    /// Where it ends.
    end: u64,
    /// Where the last advice ended.
    advised: u64,
    /// Where the last advice ended that reached back to the beginning.
    swept: u64,
}

impl Stretch {
    fn at(offset: u64) -> Self {
        Stretch {
            origin: offset,
            begin: offset,
            end: offset,
            advised: offset,
            swept: offset,
        }
    }

    fn bytes(&self) -> u64 {
        self.end - self.origin
    }

    fn whole(&self) -> Option<Range<u64>> {
        (self.begin < self.end).then_some(self.begin..self.end)
    }

    /// Notes that bytes were moved; says which part of the file is to be dropped now, where something is dropped.
    fn moved(&mut self, offset: u64, bytes: u64, drops: bool) -> Option<Range<u64>> {
        let mut before = None;
        if offset != self.end {
            if bytes <= SMALL_BYTES {
                return None;
            }
            before = self.whole();
            *self = Stretch::at(offset);
        }
        self.end = self.end.saturating_add(bytes);
        if !drops {
            return None;
        }
        if self.end - self.advised < STEP_BYTES {
            return before;
        }
        let is_sweep = self.end - self.swept >= SWEEP_BYTES;
        let begin = match is_sweep {
            true => self.begin,
            false => {
                let back = self.advised.saturating_sub(STEPS_BACK * STEP_BYTES);
                back.max(self.begin)
            }
        };
        self.advised = self.end;
        if is_sweep {
            self.swept = self.end;
        }
        Some(begin..self.end)
    }

    /// What was written is on the disk now: all of it can go.
    fn rest(&mut self) -> Option<Range<u64>> {
        let rest = self.whole();
        *self = Stretch {
            origin: self.origin,
            ..Stretch::at(self.end)
        };
        rest
    }
}

/// What one open file leaves in the page cache.
#[derive(Debug, Default)]
pub(crate) struct PageCache {
    policy: CachePolicy,
    written: Stretch,
    read: Cell<Stretch>,
}

impl PageCache {
    pub(crate) fn policy(&self) -> CachePolicy {
        self.policy
    }

    pub(crate) fn set_policy(&mut self, policy: CachePolicy) {
        self.policy = policy;
    }

    /// Whether what is written is dropped, where the stretch has this length.
    fn drops_written(&self, stretch_bytes: u64) -> bool {
        match self.policy {
            CachePolicy::Auto => stretch_bytes > AUTO_BYTES,
            CachePolicy::Keep => false,
            CachePolicy::Drop => true,
        }
    }

    /// Notes that bytes were written at this place; says what is to be dropped.
    #[inline]
    pub(crate) fn written(&mut self, offset: u64, bytes: usize) -> Option<Range<u64>> {
        let bytes = wide(bytes);
        let drops = self.drops_written(self.written.bytes().saturating_add(bytes));
        self.written.moved(offset, bytes, drops)
    }

    /// Notes that bytes were read at this place; says what is to be dropped.
    #[inline]
    pub(crate) fn read(&self, offset: u64, bytes: usize) -> Option<Range<u64>> {
        if self.policy != CachePolicy::Drop {
            return None;
        }
        let mut stretch = self.read.get();
        let dropped = stretch.moved(offset, wide(bytes), true);
        self.read.set(stretch);
        dropped
    }

    /// Notes that what was written is on the disk; says what is to be dropped.
    pub(crate) fn synced(&mut self) -> Option<Range<u64>> {
        match self.drops_written(self.written.bytes()) {
            true => self.written.rest(),
            false => None,
        }
    }
}

/// Begins to write what is not on the disk, and drops what is, of the pages that lie wholly in this part of the file.
pub(crate) fn drop_pages(file: &File, range: &Range<u64>) {
    let bytes = range.end.saturating_sub(range.start);
    let (Ok(offset), Ok(length)) = (i64::try_from(range.start), i64::try_from(bytes)) else {
        return;
    };
    // An advice that is not taken changes nothing but speed.
    let advice = PosixFadviseAdvice::POSIX_FADV_DONTNEED;
    posix_fadvise(file, offset, length, advice).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;

    const MIB: usize = 1 << 20;

    fn cache(policy: CachePolicy) -> PageCache {
        PageCache {
            policy,
            ..PageCache::default()
        }
    }

    /// Writes records of 1 MiB one behind the other; says what was dropped.
    fn write(cache: &mut PageCache, from: u64, records: usize) -> Vec<Range<u64>> {
        let places = (0..records).map(|number| from + wide(number * MIB));
        places.filter_map(|at| cache.written(at, MIB)).collect()
    }

    #[test]
    fn a_policy_is_read_as_it_prints() {
        for policy in CachePolicy::ALL {
            assert_eq!(policy.to_string().parse(), Ok(policy));
        }
        let error = "no".parse::<CachePolicy>().unwrap_err().to_string();
        assert_eq!(error, "there is no cache 'no': auto, keep or drop");
    }

    #[test]
    fn what_is_kept_is_never_advised() {
        let mut cache = cache(CachePolicy::Keep);
        assert_eq!(write(&mut cache, 4096, 3000), []);
        assert_eq!(cache.read(0, MIB), None);
        assert_eq!(cache.synced(), None);
    }

    #[test]
    fn auto_keeps_the_first_gibibyte_and_drops_it_with_what_follows() {
        let mut cache = cache(CachePolicy::Auto);
        assert_eq!(write(&mut cache, 4096, 1024), []);
        assert_eq!(cache.synced(), None, "a commit does not change that");
        let all = 4096 + 1025 * wide(MIB);
        let dropped = write(&mut cache, all - wide(MIB), 1);
        assert_eq!(dropped, from_ref(&(4096..all)));
        assert_eq!(cache.read(0, 100 * MIB), None, "only what is written");
        assert_eq!(cache.synced(), Some(4096..all));
        assert_eq!(cache.synced(), None, "nothing came since");
    }

    #[test]
    fn auto_keeps_a_small_tape_that_is_written_again_and_again() {
        let mut cache = cache(CachePolicy::Auto);
        for _ in 0..20 {
            assert_eq!(write(&mut cache, 4096, 256), []);
            assert_eq!(cache.synced(), None);
        }
    }

    #[test]
    fn advices_reach_a_little_back_and_now_and_then_to_the_beginning() {
        let mut cache = cache(CachePolicy::Drop);
        let dropped = write(&mut cache, 0, 520);
        assert_eq!(dropped.len(), 65, "one for each 8 MiB");
        let is_sweep = |range: &&Range<u64>| range.start == 0 && range.end > 32 << 20;
        let sweeps: Vec<_> = dropped
            .iter()
            .filter(is_sweep)
            .map(|r| r.end >> 20)
            .collect();
        assert_eq!(sweeps, [256, 512]);
        for pair in dropped.windows(2) {
            assert_eq!(pair[1].end - pair[0].end, STEP_BYTES);
            let back = pair[0].end.saturating_sub(STEPS_BACK * STEP_BYTES);
            assert!([0, back].contains(&pair[1].start), "{pair:?}");
        }
    }

    #[test]
    fn a_state_slot_is_no_new_stretch_and_a_rewind_is_one() {
        let mut cache = cache(CachePolicy::Drop);
        assert_eq!(write(&mut cache, 1 << 30, 7), []);
        assert_eq!(cache.written(512, 256), None, "a state slot");
        let end = (1 << 30) + 8 * wide(MIB);
        let dropped = write(&mut cache, end - wide(MIB), 1);
        assert_eq!(dropped, from_ref(&(1 << 30..end)));
        // The tape was rewound: what lies there now is done with.
        assert_eq!(cache.written(4096, MIB), Some(1 << 30..end));
        assert_eq!(cache.synced(), Some(4096..4096 + wide(MIB)));
    }
}
