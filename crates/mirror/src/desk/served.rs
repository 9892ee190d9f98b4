//! The mirror as its holder has it. Each call takes the lock of the mirror, and tells the status where
//! the tape is.

use std::sync::Arc;

use pseudotape_tape::{
    Attributes, AttributesError, BlockLimits, Capacity, Done, Door, Drive, Failed, Identity,
    LoadKind, Mode, ModeSelect, Motion, Noted, ObjectNumber, PartitionNumber, Position, ReadDone,
    Sense, Transfer, Volume, VolumeError, VolumeIdentity, Writability, writability_by_mode,
};

use crate::desk::deck::Deck;
use crate::desk::gate::Gate;
use crate::desk::holder::Holder;
use crate::desk::public::{Effect, Public};
use crate::mirror::MirrorDrive;

/// The mirror as a drive, for as long as its daemon lives; volumes come and go.
pub struct Served {
    deck: Arc<Gate<Deck>>,
    public: Arc<Public>,
    holder: Arc<dyn Holder>,
    identity: Identity,
    /// Recovered errors that were not yet told.
    recovered: u32,
    /// Why the last load failed, until somebody asks.
    trouble: Option<String>,
}

impl Served {
    pub(crate) fn new(
        deck: Arc<Gate<Deck>>,
        public: Arc<Public>,
        holder: Arc<dyn Holder>,
        identity: Identity,
    ) -> Self {
        Served {
            deck,
            public,
            holder,
            identity,
            recovered: 0,
            trouble: None,
        }
    }

    fn call<T>(
        &mut self,
        effect: impl FnOnce(&Result<T, Failed>) -> Effect,
        run: impl FnOnce(&mut MirrorDrive) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        self.public.begin_call();
        let mut deck = self.deck.for_program();
        let result = run(&mut deck.mirror);
        self.recovered = self.recovered.saturating_add(deck.mirror.take_recovered());
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

    /// Keeps why attributes are not known or not kept.
    fn note_attributes<T>(
        &mut self,
        kept: Result<T, AttributesError>,
    ) -> Result<T, AttributesError> {
        if let Err(AttributesError::Damaged { error, .. } | AttributesError::Failed(error)) = &kept
        {
            self.trouble = Some(error.to_string());
        }
        kept
    }

    /// Loads; where nothing is in, the volumes that were in last are opened again.
    fn load_again(&mut self, kind: LoadKind) -> Result<Done, Failed> {
        self.public.begin_call();
        let mut deck = self.deck.for_program();
        let result = match deck.insert_again() {
            Ok(()) => deck.mirror.load(kind),
            Err(error) => {
                log::error!("the program's load failed: {error:#}");
                self.trouble = Some(format!("{error:#}"));
                Err(Failed::at(Sense::NoMedium, None))
            }
        };
        self.recovered = self.recovered.saturating_add(deck.mirror.take_recovered());
        self.public.set_refused(deck.mirror.refusal());
        drop(deck);
        self.public.end_call(Effect::Settled(place(&result)));
        result
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
        self.holder.was_greeted();
        self.identity.clone()
    }

    fn block_limits(&self) -> BlockLimits {
        // Without the lock of the mirror: a greeting has to be answered soon.
        let limits = self.public.limits();
        self.holder.was_told(limits);
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

    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        match motion {
            Motion::Load(kind) => self.load_again(kind),
            // Only a commit: a file that the program writes goes on.
            Motion::WriteMarks { count: 0, .. } => self.call(
                |result| Effect::At(place(result)),
                |mirror| mirror.execute(motion),
            ),
            Motion::WriteMarks { .. }
            | Motion::Space { .. }
            | Motion::SpaceToEndOfData
            | Motion::Locate(_)
            | Motion::Rewind
            | Motion::Erase(_)
            | Motion::MakePartitions(_) => self.settle(|mirror| mirror.execute(motion)),
        }
    }

    /// Unloads, and takes the volumes out of the mirror, so that others can be put in.
    fn unload(&mut self) -> Result<(), Failed> {
        self.public.begin_call();
        let mut deck = self.deck.for_program();
        let mut result = deck.mirror.unload();
        if deck.mirror.is_unloaded() {
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
}

/// The volumes are the desk's: they come, go and are closed by its hand.
impl Volume for Served {
    fn take_trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    fn record_unreadable(&mut self, _length_bytes: u32) -> Result<Done, Failed> {
        Err(Failed::at(Sense::IllegalRequest, self.public.position()))
    }

    /// Each leg has a note of its own.
    fn noted(&self) -> Noted {
        Noted::NoPlace
    }

    fn note_not_mirrored(&mut self, _from: Option<ObjectNumber>) -> Result<bool, VolumeError> {
        Ok(false)
    }

    fn known_position(&self) -> Option<Position> {
        self.public.position()
    }

    fn volume_identity(&self) -> VolumeIdentity {
        VolumeIdentity::default()
    }

    fn writability(&mut self) -> Writability {
        writability_by_mode(self)
    }

    fn attributes(&mut self, partition: PartitionNumber) -> Result<Attributes, AttributesError> {
        let kept = self.deck.for_program().mirror.attributes(partition);
        self.note_attributes(kept)
    }

    fn set_attributes(
        &mut self,
        partition: PartitionNumber,
        attributes: &Attributes,
    ) -> Result<(), AttributesError> {
        self.public.begin_call();
        let mut deck = self.deck.for_program();
        let kept = deck.mirror.set_attributes(partition, attributes);
        drop(deck);
        self.public.end_call(Effect::None);
        self.note_attributes(kept)
    }

    fn lost_when_closed(&mut self) -> Option<VolumeError> {
        None
    }

    fn finish(self: Box<Self>) -> Result<(), VolumeError> {
        Ok(())
    }
}
