//! A volume that brought its own drive.

use pseudotape_sink::{Opened, Sink};
use pseudotape_tape::{
    BlockLimits, Capacity, Done, Door, Drive, Failed, Identity, Mode, ModeSelect, Motion, Position,
    ReadDone, Sense, Transfer, Volume, Writability, make_ready,
};

/// The volume in the slot, as st sees it: the first operation is told that the medium may have changed, and the door
/// is known without asking.
pub(crate) struct Guest {
    pub(crate) volume: Box<dyn Volume>,
    /// Its specification, for messages.
    pub(crate) name: String,
    pub(crate) sink: Sink,
    pub(crate) door: Door,
    /// What was found at the load: the status asks no drive, which may be on another host.
    pub(crate) writability: Writability,
    /// Why the host did not let it be opened for writing.
    pub(crate) refusal: Option<String>,
    pub(crate) partitions: u8,
    /// What programs chose of the mode. The first operation brings the volume's drive to what was chosen before.
    pub(crate) chosen: ModeSelect,
    news: bool,
}

impl Guest {
    pub(crate) fn new(opened: Opened, sink: Sink) -> Self {
        let Opened {
            mut volume,
            refusal,
        } = opened;
        let writability = volume.writability();
        // A drive that can't say has one partition, as far as is known.
        let partitions = volume
            .mode()
            .map_or(1, |mode| mode.last_partition.saturating_add(1));
        Guest {
            writability,
            refusal,
            partitions,
            volume,
            name: sink.to_string(),
            sink,
            door: Door::Unlocked,
            chosen: ModeSelect::default(),
            news: true,
        }
    }

    fn begin(&mut self) -> Result<(), Failed> {
        if !std::mem::take(&mut self.news) {
            return Ok(());
        }
        self.choose_again();
        Err(Failed::at(
            Sense::MediumChanged,
            self.volume.known_position(),
        ))
    }

    /// To programs the drive is the same one, whichever volume is in it (docs/SEMANTICS.md, ST-OPEN-03). What the
    /// volume's own drive can't do it does not do: st asks it, and a program sees what it does.
    fn choose_again(&mut self) {
        let block_size = ModeSelect {
            block_size: self.chosen.block_size,
            ..ModeSelect::default()
        };
        let others = ModeSelect {
            block_size: None,
            ..self.chosen
        };
        for change in [block_size, others] {
            if change == ModeSelect::default() {
                continue;
            }
            let chosen = make_ready(&mut *self.volume).and_then(|()| self.volume.set_mode(change));
            if let Err(failed) = chosen {
                let name = &self.name;
                log::warn!("{name}: it does not take the mode of the one before: {failed}");
            }
        }
    }
}

impl Drive for Guest {
    fn identity(&self) -> Identity {
        self.volume.identity()
    }

    fn block_limits(&self) -> BlockLimits {
        self.volume.block_limits()
    }

    fn test_ready(&mut self) -> Result<(), Failed> {
        self.begin()?;
        self.volume.test_ready()
    }

    /// MODE SENSE is answered without telling news, as by a drive of ours.
    fn mode(&mut self) -> Result<Mode, Failed> {
        self.volume.mode()
    }

    fn set_mode(&mut self, change: ModeSelect) -> Result<(), Failed> {
        self.begin()?;
        self.volume.set_mode(change)?;
        self.chosen = self.chosen.and_then(change);
        Ok(())
    }

    fn read(&mut self, transfer: Transfer, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        self.begin()?;
        self.volume.read(transfer, buffer)
    }

    fn write(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        self.begin()?;
        self.volume.write(transfer, data)
    }

    fn extend(&mut self, data: &[u8]) -> Result<Done, Failed> {
        self.begin()?;
        self.volume.extend(data)
    }

    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        self.begin()?;
        self.volume.execute(motion)
    }

    fn unload(&mut self) -> Result<(), Failed> {
        self.begin()?;
        self.volume.unload()
    }

    fn position(&mut self) -> Result<Position, Failed> {
        self.begin()?;
        self.volume.position()
    }

    fn capacity(&mut self) -> Result<Capacity, Failed> {
        self.volume.capacity()
    }

    fn set_door(&mut self, door: Door) -> Result<(), Failed> {
        self.volume.set_door(door)?;
        self.door = door;
        Ok(())
    }

    fn take_recovered(&mut self) -> u32 {
        self.volume.take_recovered()
    }
}
