//! The mirror as the slave protocol serves it: each call takes the lock, and leaves a note for the status.

use std::sync::{Arc, Mutex, PoisonError};

use pseudotape_tape::{
    Address, BlockLimits, Capacity, Done, Door, Drive, EraseExtent, Failed, Identity, LoadKind,
    Mark, Mode, ModeSelect, Partitioning, Position, ReadDone, Sense, SpaceUnit, Transfer,
    WriteMode,
};

use crate::daemon::deck::Deck;
use crate::daemon::gate::Gate;
use crate::daemon::public::{Effect, Public};
use crate::mirror::MirrorDrive;

/// What the device daemon was told at its greeting.
#[derive(Default)]
pub(crate) struct Announced(Mutex<Option<BlockLimits>>);

impl Announced {
    /// What it was told, if it was.
    pub(crate) fn limits(&self) -> Option<BlockLimits> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, limits: Option<BlockLimits>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = limits;
    }
}

pub(crate) struct Served {
    pub(crate) deck: Arc<Gate<Deck>>,
    pub(crate) public: Arc<Public>,
    pub(crate) announced: Arc<Announced>,
    pub(crate) identity: Identity,
    /// Recovered errors that were not yet told.
    pub(crate) recovered: u32,
}

impl Served {
    fn call<T>(
        &mut self,
        effect: impl FnOnce(&Result<T, Failed>) -> Effect,
        run: impl FnOnce(&mut MirrorDrive) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        self.public.begin_call();
        let mut deck = self.deck.for_program();
        let result = run(&mut deck.mirror);
        self.recovered += deck.mirror.take_recovered();
        drop(deck);
        self.public.end_call(effect(&result));
        result
    }

    fn settle(
        &mut self,
        run: impl FnOnce(&mut MirrorDrive) -> Result<Done, Failed>,
    ) -> Result<Done, Failed> {
        self.call(|result| Effect::Settled(place(result)), run)
    }

    fn wrote(
        &mut self,
        run: impl FnOnce(&mut MirrorDrive) -> Result<Done, Failed>,
    ) -> Result<Done, Failed> {
        self.call(|result| Effect::Wrote(place(result)), run)
    }
}

fn place(result: &Result<Done, Failed>) -> Option<Position> {
    match result {
        Ok(done) => Some(done.position),
        Err(failed) => failed.position,
    }
}

impl Drive for Served {
    fn identity(&self) -> Identity {
        // Asked by the greeting.
        self.public.set_attached(true, None);
        self.identity.clone()
    }

    fn block_limits(&self) -> BlockLimits {
        // Without the lock: a greeting has to be answered soon.
        let limits = self.public.limits();
        self.announced.set(Some(limits));
        limits
    }

    fn test_ready(&mut self) -> Result<(), Failed> {
        self.call(|_| Effect::None, Drive::test_ready)
    }

    fn take_recovered(&mut self) -> u32 {
        std::mem::take(&mut self.recovered)
    }

    fn mode(&mut self) -> Result<Mode, Failed> {
        self.call(|_| Effect::None, Drive::mode)
    }

    fn set_mode(&mut self, change: ModeSelect) -> Result<(), Failed> {
        self.call(|_| Effect::None, |mirror| mirror.set_mode(change))
    }

    fn read(&mut self, transfer: Transfer, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        let effect = |result: &Result<ReadDone, Failed>| {
            Effect::At(match result {
                Ok(done) => Some(done.position),
                Err(failed) => failed.position,
            })
        };
        self.call(effect, |mirror| mirror.read(transfer, buffer))
    }

    fn write(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        self.wrote(|mirror| mirror.write(transfer, data))
    }

    fn extend(&mut self, data: &[u8]) -> Result<Done, Failed> {
        self.wrote(|mirror| mirror.extend(data))
    }

    fn write_marks(&mut self, mark: Mark, count: u32, mode: WriteMode) -> Result<Done, Failed> {
        let run = |mirror: &mut MirrorDrive| mirror.write_marks(mark, count, mode);
        if count == 0 {
            // Only stores what was written.
            return self.call(|result| Effect::At(place(result)), run);
        }
        self.settle(run)
    }

    fn space(&mut self, unit: SpaceUnit, count: i64) -> Result<Done, Failed> {
        self.settle(|mirror| mirror.space(unit, count))
    }

    fn space_to_end_of_data(&mut self) -> Result<Done, Failed> {
        self.settle(Drive::space_to_end_of_data)
    }

    fn locate(&mut self, to: Address) -> Result<Done, Failed> {
        self.settle(|mirror| mirror.locate(to))
    }

    fn rewind(&mut self) -> Result<Done, Failed> {
        self.settle(Drive::rewind)
    }

    /// Where nothing is in, what was in last is opened again.
    fn load(&mut self, kind: LoadKind) -> Result<Done, Failed> {
        self.public.begin_call();
        let mut deck = self.deck.for_program();
        let result = match deck.insert_again() {
            Ok(()) => deck.mirror.load(kind),
            Err(error) => {
                log::error!("the program's load failed: {error:#}");
                Err(Failed::at(Sense::NoMedium, None))
            }
        };
        self.public.set_refused(deck.mirror.refusal());
        drop(deck);
        self.public.end_call(Effect::Settled(place(&result)));
        result
    }

    /// Unloads, and takes the volumes out of the mirror, so that others can be put in.
    fn unload(&mut self) -> Result<(), Failed> {
        self.public.begin_call();
        let mut deck = self.deck.for_program();
        let mut result = deck.mirror.unload();
        if deck.mirror.unloaded.is_some() {
            log::info!("the program unloaded the volumes");
            if let Err(error) = deck.eject() {
                log::error!("after the unload: {error:#}");
                result = result.and(Err(Failed::at(Sense::HardwareError, None)));
            }
        }
        drop(deck);
        self.public.end_call(Effect::Settled(None));
        result
    }

    fn erase(&mut self, extent: EraseExtent) -> Result<Done, Failed> {
        self.settle(|mirror| mirror.erase(extent))
    }

    fn position(&mut self) -> Result<Position, Failed> {
        let effect = |result: &Result<Position, Failed>| match result {
            Ok(at) => Effect::At(Some(*at)),
            Err(_) => Effect::None,
        };
        self.call(effect, Drive::position)
    }

    fn capacity(&mut self) -> Result<Capacity, Failed> {
        self.call(|_| Effect::None, Drive::capacity)
    }

    fn set_door(&mut self, door: Door) -> Result<(), Failed> {
        self.call(|_| Effect::None, |mirror| mirror.set_door(door))
    }

    fn make_partitions(&mut self, partitioning: Partitioning) -> Result<Done, Failed> {
        self.settle(|mirror| mirror.make_partitions(partitioning))
    }
}
