//! The drive as commands look at it that move nothing.

use pseudotape_tape::{BlockLimits, Capacity, Failed, Identity, Mode, Position, Volume};

use super::news::news_of;
use crate::sense::Reason;
use crate::tape_unit::{Counters, TapeView};

/// A volume, during one command. A drive tells its news once: they are kept for those who were not asking.
pub(super) struct View<'a> {
    pub(super) volume: &'a mut dyn Volume,
    pub(super) counters: Counters,
    pub(super) heard: Option<Reason>,
}

impl View<'_> {
    fn ask<T>(
        &mut self,
        ask: impl FnOnce(&mut dyn Volume) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        ask(self.volume).inspect_err(|failed| {
            self.heard = news_of(failed.sense).or(self.heard);
        })
    }
}

impl TapeView for View<'_> {
    fn identity(&self) -> Identity {
        self.volume.identity()
    }

    fn block_limits(&self) -> BlockLimits {
        self.volume.block_limits()
    }

    fn ready(&mut self) -> Result<(), Failed> {
        self.ask(|volume| volume.test_ready())
    }

    fn mode(&mut self) -> Result<Mode, Failed> {
        self.ask(|volume| volume.mode())
    }

    fn position(&mut self) -> Result<Position, Failed> {
        self.ask(|volume| volume.position())
    }

    fn capacity(&mut self) -> Result<Capacity, Failed> {
        self.ask(|volume| volume.capacity())
    }

    fn counters(&self) -> Counters {
        self.counters
    }
}
