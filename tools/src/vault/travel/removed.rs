//! Volumes that somebody removed from the vault, and of which copies are on the tapes.

use std::collections::{BTreeSet, HashSet};

use pseudotape_human::{printable, shell_word};
use pseudotape_image::VolumeId;
use pseudotape_vault::Label;
use pseudotape_vault::recovery::{Evidence, Known, Removal};

use crate::vault::shown::time_words;

pub(super) struct Removed {
    removals: Vec<Removal>,
    /// What the restored catalog has: it was not removed, or came back.
    known: HashSet<VolumeId>,
    /// The places in `removals` of those whose copies were met.
    met: BTreeSet<usize>,
    /// Volumes that came from the tapes.
    taken: BTreeSet<Label>,
}

impl Removed {
    pub(super) fn new(removals: Vec<Removal>, known: &[Known]) -> Self {
        Removed {
            removals,
            known: known.iter().map(|one| one.identity).collect(),
            met: BTreeSet::new(),
            taken: BTreeSet::new(),
        }
    }

    pub(super) fn note_taken(&mut self, labels: &[Label]) {
        self.taken.extend(labels.iter().cloned());
    }

    /// What was met and is no copy of a removed volume.
    pub(super) fn without(&mut self, evidence: Vec<Evidence>) -> Vec<Evidence> {
        let mut kept = Vec::new();
        for one in evidence {
            let covers = |removal: &Removal| {
                !self.known.contains(&one.identity)
                    && removal.covers(one.identity, one.generation, one.closed_ms)
            };
            match self.removals.iter().rposition(covers) {
                Some(at) => drop(self.met.insert(at)),
                None => kept.push(one),
            }
        }
        kept
    }

    /// Whether a copy may be one of a removed volume, of which an earlier program did not write down which one it was.
    pub(super) fn may_be(&self, one: &Evidence) -> bool {
        let is_it = |removal: &Removal| {
            removal.identity.is_none()
                && removal.label.as_ref() == Some(&one.label)
                && one.closed_ms <= removal.at_ms
        };
        !self.known.contains(&one.identity) && self.removals.iter().any(is_it)
    }

    /// What should be known of them.
    pub(super) fn words(&self) -> Vec<String> {
        let label = |removal: &Removal| {
            let label = removal.label.as_ref();
            label.map_or_else(|| "a volume".to_owned(), ToString::to_string)
        };
        let how = |removal: &Removal| {
            let why = match removal.order.reason.as_str() {
                "" => String::new(),
                reason => format!(" ({})", printable(reason)),
            };
            let (at, by) = (time_words(removal.at_ms), &removal.order.actor);
            format!("at {at} by {by}{why}")
        };
        let mut words = Vec::new();
        for (at, removal) in self.removals.iter().enumerate() {
            let is_taken = |label: &&Label| self.taken.contains(*label);
            if self.met.contains(&at) {
                words.push(format!(
                    "{} was removed from the vault {}: it does not come back, and its copies on the tapes are left alone",
                    label(removal),
                    how(removal)
                ));
            } else if removal.identity.is_none()
                && let Some(label) = removal.label.as_ref().filter(is_taken)
            {
                // An earlier program did not write down which volume it was.
                let word = shell_word(label.as_str());
                words.push(format!(
                    "{label} came back from the tapes, and a volume of that label was removed {}: where it is that one, \
                     'pseudotape vault rm {word}' removes it again",
                    how(removal)
                ));
            }
        }
        words
    }
}
