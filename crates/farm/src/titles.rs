//! Where each title of a directory is.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use crate::entry::Entry;
use crate::title::Title;

/// The places of titles, by their hashes. A map with titles as its keys would have each of them a second time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Titles {
    hashes: RandomState,
    /// Behind half of a hash the place, counted from 1; nothing where it is 0.
    slots: Vec<u64>,
}

const HALF: u32 = 32;
const LOW: u64 = u32::MAX as u64;

impl Titles {
    /// Those of files; nothing where two have one title.
    pub(crate) fn of(entries: &[Entry]) -> Option<Self> {
        let count = u32::try_from(entries.len()).ok()?;
        let mut titles = Titles {
            hashes: RandomState::new(),
            slots: vec![0; (entries.len() * 2).next_power_of_two()],
        };
        for (entry, place) in entries.iter().zip(1..=u64::from(count)) {
            let hash = titles.hashes.hash_one(&entry.title);
            let slot = titles.slot(hash, &entry.title, entries)?;
            let slot = titles.slots.get_mut(slot)?;
            if *slot != 0 {
                return None;
            }
            *slot = (hash >> HALF << HALF) | place;
        }
        Some(titles)
    }

    /// The file with this title, among those of which these titles are.
    pub(crate) fn find<'e>(&self, title: &Title, entries: &'e [Entry]) -> Option<&'e Entry> {
        let slot = self.slot(self.hashes.hash_one(title), title, entries)?;
        self.entry(*self.slots.get(slot)?, entries)
    }

    fn entry<'e>(&self, slot: u64, entries: &'e [Entry]) -> Option<&'e Entry> {
        entries.get(usize::try_from((slot & LOW).checked_sub(1)?).ok()?)
    }

    /// The slot that has the title, or that it would get: at least half of them are free.
    fn slot(&self, hash: u64, title: &Title, entries: &[Entry]) -> Option<usize> {
        let last = self.slots.len().checked_sub(1)?;
        let mut at = usize::try_from(hash & LOW).ok()? & last;
        loop {
            let slot = *self.slots.get(at)?;
            let is_it = || {
                let found = self.entry(slot, entries);
                slot >> HALF == hash >> HALF && found.is_some_and(|found| found.title == *title)
            };
            if slot == 0 || is_it() {
                return Some(at);
            }
            at = (at + 1) & last;
        }
    }
}
