//! `trait Drive` over a cartridge: motions, mode, load and unload.

use pseudotape_tape::{
    Address, BlockLimits, Capacity, Done, Door, Drive, EraseExtent, Failed, Identity, LoadKind,
    Mark, Mode, ModeSelect, Motion, Partitioning, Position, ReadDone, Sense, SpaceUnit, Transfer,
    WriteMode,
};

use crate::cartridge::Medium;
use crate::image_drive::ImageDrive;
use crate::personality::{ErasePolicy, OversizedPartition};

/// `MTMKPART` counts in MiB.
const MIB: u64 = 1 << 20;

impl<M: Medium> ImageDrive<M> {
    /// Commits where something waits for it; a medium that was only read has nothing to commit.
    fn commit_changes(&mut self) -> Result<(), Failed> {
        self.commit(WriteMode::Commit)
    }

    pub(crate) fn go_to_beginning(&mut self, partition: u8) -> Done {
        self.partition = partition;
        self.image().rewind();
        self.done(0, None)
    }
}

impl<M: Medium> ImageDrive<M> {
    fn space_over(&mut self, unit: SpaceUnit, count: i64) -> Result<Done, Failed> {
        self.begin()?;
        self.extendable = None;
        if unit == SpaceUnit::Setmarks && !self.personality.setmarks {
            return self.fail(Sense::IllegalRequest, 0);
        }
        let moved = match unit {
            SpaceUnit::Blocks => self.image().space_blocks(count),
            SpaceUnit::Filemarks => self.image().space_marks(Mark::Filemark, count),
            SpaceUnit::Setmarks => self.image().space_marks(Mark::Setmark, count),
        };
        match moved {
            Ok(moved) => Ok(self.done(moved.count, moved.stop)),
            Err(error) => Err(self.failed(&error, 0)),
        }
    }

    fn go_to_end_of_data(&mut self) -> Result<Done, Failed> {
        self.begin()?;
        self.extendable = None;
        self.image().to_end_of_data();
        Ok(self.done(0, None))
    }

    fn go_to_address(&mut self, to: Address) -> Result<Done, Failed> {
        self.begin()?;
        self.extendable = None;
        let partition = to.partition.map_or(self.partition, |p| p.0);
        if partition >= self.tape().partition_count() {
            return self.fail(Sense::IllegalRequest, 0);
        }
        self.partition = partition;
        match self.image().locate(to.object) {
            Ok(stop) => Ok(self.done(0, stop)),
            Err(error) => Err(self.failed(&error, 0)),
        }
    }

    fn go_to_start(&mut self) -> Result<Done, Failed> {
        self.begin()?;
        self.extendable = None;
        self.commit_changes()?;
        Ok(self.go_to_beginning(self.partition))
    }

    fn load_medium(&mut self, _kind: LoadKind) -> Result<Done, Failed> {
        self.tell_attention()?;
        if self.cartridge.is_none() {
            return self.fail(Sense::NoMedium, 0);
        }
        if !self.loaded && !self.personality.after_unload.keeps_cartridge {
            return self.fail(self.personality.after_unload.sense, 0);
        }
        self.loaded = true;
        self.extendable = None;
        self.commit_changes()?;
        Ok(self.go_to_beginning(0))
    }

    fn erase_from_here(&mut self, _extent: EraseExtent) -> Result<Done, Failed> {
        self.begin_change()?;
        if self.personality.erase == ErasePolicy::AtBeginning && self.here().object.0 > 0 {
            return self.fail(Sense::IllegalRequest, 0);
        }
        match self.image().erase_from_here() {
            Ok(()) => Ok(self.done(0, None)),
            Err(error) => Err(self.failed(&error, 0)),
        }
    }

    /// Whether this drive refuses a partition because nothing of the medium would be left beside it.
    fn refuses_size(&self, partitioning: Partitioning, total: Option<u64>) -> bool {
        let part = match partitioning {
            Partitioning::Single => return false,
            Partitioning::SecondOf(mib) | Partitioning::FirstOf(mib) => u64::from(mib) * MIB,
        };
        match self.personality.oversized_partition {
            OversizedPartition::Cut => false,
            OversizedPartition::Refused => total.is_some_and(|total| part >= total),
        }
    }

    fn cut_into_partitions(&mut self, partitioning: Partitioning) -> Result<Done, Failed> {
        self.begin_change()?;
        if self.tape().is_worm() && !self.tape().is_blank() {
            return self.fail(Sense::WormOverwrite, 0);
        }
        let total = self.tape().total_capacity_bytes();
        if self.refuses_size(partitioning, total) {
            return self.fail(Sense::IllegalRequest, 0);
        }
        let sizes = match partitioning {
            Partitioning::Single => vec![total],
            Partitioning::SecondOf(mib) => split(total, u64::from(mib) * MIB),
            Partitioning::FirstOf(mib) => {
                let mut sizes = split(total, u64::from(mib) * MIB);
                sizes.reverse();
                sizes
            }
        };
        if sizes.len() > self.personality.max_partitions.into() || sizes.contains(&Some(0)) {
            return self.fail(Sense::IllegalRequest, 0);
        }
        match self.cartridge_in().make_partitions(&sizes) {
            Ok(()) => Ok(self.go_to_beginning(0)),
            Err(error) => Err(self.failed(&error, 0)),
        }
    }
}

impl<M: Medium> Drive for ImageDrive<M> {
    fn identity(&self) -> Identity {
        self.inquiry()
    }

    fn block_limits(&self) -> BlockLimits {
        self.personality.limits
    }

    fn test_ready(&mut self) -> Result<(), Failed> {
        self.begin()
    }

    fn mode(&mut self) -> Result<Mode, Failed> {
        let cartridge = self.cartridge.as_ref().filter(|_| self.loaded);
        Ok(Mode {
            block_size: self.block_size,
            density: self.density,
            buffering: self.buffering,
            write_protected: cartridge.is_some_and(|c| c.is_write_protected()),
            compression: self.personality.compression.then_some(self.compression),
            last_partition: cartridge.map_or(0, |c| c.partition_count().saturating_sub(1)),
        })
    }

    fn set_mode(&mut self, change: ModeSelect) -> Result<(), Failed> {
        self.begin()?;
        let size_fits = change
            .block_size
            .is_none_or(|size| self.personality.takes_block_size(size));
        let density_fits = change
            .density
            .is_none_or(|code| !self.personality.refused_densities.contains(&code));
        let compression_fits = change.compression.is_none() || self.personality.compression;
        let buffering_fits = change.buffering.is_none_or(|mode| mode <= 7);
        if !(size_fits && density_fits && compression_fits && buffering_fits) {
            return self.fail(Sense::IllegalRequest, 0);
        }
        self.choose(change);
        Ok(())
    }

    fn read(&mut self, transfer: Transfer, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        self.read_blocks(transfer, buffer)
    }

    fn write(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        self.write_blocks(transfer, data)
    }

    fn extend(&mut self, data: &[u8]) -> Result<Done, Failed> {
        self.extend_block(data)
    }

    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        match motion {
            Motion::WriteMarks { mark, count, mode } => self.put_marks(mark, count, mode),
            Motion::Space { unit, count } => self.space_over(unit, count),
            Motion::SpaceToEndOfData => self.go_to_end_of_data(),
            Motion::Locate(to) => self.go_to_address(to),
            Motion::Rewind => self.go_to_start(),
            Motion::Load(kind) => self.load_medium(kind),
            Motion::Erase(extent) => self.erase_from_here(extent),
            Motion::MakePartitions(partitioning) => self.cut_into_partitions(partitioning),
        }
    }

    fn unload(&mut self) -> Result<(), Failed> {
        self.begin()?;
        self.extendable = None;
        if self.door == Door::Locked {
            return self.fail(Sense::IllegalRequest, 0);
        }
        self.commit_changes()?;
        // Also what was committed long ago is lost with the file.
        self.find_files()?;
        self.go_to_beginning(0);
        self.loaded = false;
        Ok(())
    }

    fn position(&mut self) -> Result<Position, Failed> {
        self.begin()?;
        Ok(self.here())
    }

    fn capacity(&mut self) -> Result<Capacity, Failed> {
        self.require_loaded()?;
        let limits = self.limits();
        let end = self.tape().image(self.partition).end_of_data();
        Ok(Capacity {
            total_bytes: limits.total_bytes,
            early_warning_bytes: limits.early_warning_bytes,
            used_bytes: self.used(end.payload_bytes_before, end.file.0),
            room_bytes: limits
                .total_bytes
                .map(|_| limits.room(self.used_before_here())),
        })
    }

    fn set_door(&mut self, door: Door) -> Result<(), Failed> {
        self.door = door;
        Ok(())
    }

    fn take_recovered(&mut self) -> u32 {
        0
    }
}

/// The rest, and the part; a size that leaves nothing for the rest is cut so that the rest has a tenth.
fn split(total: Option<u64>, part: u64) -> Vec<Option<u64>> {
    match total {
        None => vec![None, Some(part)],
        Some(total) => {
            let part = part.min(total - total / 10);
            vec![Some(total - part), Some(part)]
        }
    }
}
