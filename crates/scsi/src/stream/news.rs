//! Unit attentions, reservations and the door: what initiators hear and hold.

use pseudotape_tape::{Door, Failed, ModeSelect, Sense, Volume};

use super::state::TapeUnit;
use crate::changer_unit::Nexus;
use crate::sense::{Reason, SenseFormat};

/// Pieces of news that may wait in a drive one behind the other.
const ATTENTIONS_MAX: usize = 4;

/// What a drive tells once, and everyone has to hear.
pub(super) fn news_of(sense: Sense) -> Option<Reason> {
    match sense {
        Sense::MediumChanged => Some(Reason::MEDIUM_MAY_HAVE_CHANGED),
        Sense::Reset => Some(Reason::POWER_ON_OR_RESET),
        _ => None,
    }
}

impl TapeUnit {
    /// An initiator that is known: what happened before is no news to it. One that was not greeted hears of a power on.
    pub fn greet(&mut self, nexus: Nexus) {
        self.attentions.entry(nexus).or_default();
    }

    /// An initiator is gone: what it reserved is free, what it prevented is allowed.
    pub fn forget(&mut self, nexus: Nexus, volume: &mut dyn Volume) -> Result<(), Failed> {
        self.attentions.remove(&nexus);
        if self.reserved_by == Some(nexus) {
            self.reserved_by = None;
        }
        self.prevent(nexus, false, volume)
    }

    /// The unit is reset: nothing is reserved or prevented, the mode is as at power on, and everyone hears of it.
    pub fn reset(&mut self, volume: &mut dyn Volume) -> Result<(), Failed> {
        self.reserved_by = None;
        self.sense_format = SenseFormat::default();
        for told in self.attentions.values_mut() {
            // After a reset older news is no news.
            told.clear();
        }
        self.tell_all(Reason::POWER_ON_OR_RESET);
        if !std::mem::take(&mut self.prevented_by).is_empty() {
            volume.set_door(Door::Unlocked)?;
        }
        for _ in 0..=ATTENTIONS_MAX {
            let done = self.set_power_on_mode(volume);
            match done {
                // What the drive has to tell, it tells before it does anything.
                Err(failed) if news_of(failed.sense).is_some() => {}
                // Nothing to set without a medium: initiators ask for the mode when there is one.
                Err(Failed {
                    sense: Sense::NoMedium | Sense::NotReady,
                    ..
                }) => return Ok(()),
                other => return other,
            }
        }
        Ok(())
    }

    /// The values that MODE SENSE tells as the default ones.
    fn set_power_on_mode(&self, volume: &mut dyn Volume) -> Result<(), Failed> {
        let mode = volume.mode()?;
        volume.set_mode(ModeSelect {
            block_size: Some(0),
            density: (self.features.density > 0).then_some(self.features.density),
            buffering: None,
            compression: mode.compression.map(|_| false),
        })
    }

    /// Has every initiator that has come told of this, once, before its next command is done. What was known of the
    /// medium and of the drive's block size is asked anew.
    pub fn tell_all(&mut self, news: Reason) {
        self.tell_others(None, news);
    }

    /// The same without the one that knows it.
    pub(super) fn tell_others(&mut self, knows: Option<Nexus>, news: Reason) {
        if news != Reason::MODE_PARAMETERS_CHANGED {
            self.forget_medium();
        }
        if news == Reason::MEDIUM_MAY_HAVE_CHANGED {
            self.tally.loads = self.tally.loads.saturating_add(1);
        }
        for (nexus, told) in &mut self.attentions {
            if knows != Some(*nexus) && !told.contains(&news) {
                told.push_back(news);
            }
        }
    }

    /// Takes what this initiator is to be told next.
    pub(super) fn next_news(&mut self, nexus: Nexus) -> Option<Reason> {
        let power_on = || [Reason::POWER_ON_OR_RESET].into();
        let told = self.attentions.entry(nexus);
        told.or_insert_with(power_on).pop_front()
    }

    /// PREVENT ALLOW MEDIUM REMOVAL.
    pub(super) fn prevent(
        &mut self,
        nexus: Nexus,
        prevent: bool,
        volume: &mut dyn Volume,
    ) -> Result<(), Failed> {
        let mut now = self.prevented_by.clone();
        match prevent {
            true => now.insert(nexus),
            false => now.remove(&nexus),
        };
        // A lock outlives the unit in the drive, and is lifted by whoever allows removal then.
        if self.prevented_by.is_empty() || now.is_empty() {
            volume.set_door(match now.is_empty() {
                true => Door::Unlocked,
                false => Door::Locked,
            })?;
        }
        self.prevented_by = now;
        Ok(())
    }
}
