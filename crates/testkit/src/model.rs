//! A plain tape in memory: the shortest code that does what `trait Drive` says, to compare others with.

use pseudotape_drive::{ErasePolicy, MARKS_AT_END_MAX, OversizedPartition, Personality};
use pseudotape_tape::{
    Address, Attributes, AttributesError, BlockLimits, Capacity, Done, Door, Drive, EraseExtent,
    Failed, FileNumber, Identity, LoadKind, Mark, Mode, ModeSelect, Motion, Noted, ObjectNumber,
    PartitionNumber, Partitioning, Position, ReadDone, Sense, SpaceUnit, Stop, Transfer, Volume,
    VolumeError, VolumeIdentity, Writability, WriteMode,
};

use crate::cartridge::{ModelCartridge, ModelObject};

/// A drive with a model cartridge.
#[derive(Clone)]
pub struct ModelDrive {
    personality: Personality,
    cartridge: Option<ModelCartridge>,
    loaded: bool,
    attention: Option<Sense>,
    block_size: u32,
    density: u8,
    buffering: u8,
    compression: bool,
    partition: usize,
    object: usize,
    extendable: bool,
    door: Door,
    recovered: u32,
}

impl ModelDrive {
    /// A drive without a cartridge.
    #[must_use]
    pub fn new(personality: Personality) -> Self {
        ModelDrive {
            personality,
            cartridge: None,
            loaded: false,
            attention: None,
            block_size: 0,
            density: personality.density,
            buffering: personality.buffering,
            compression: false,
            partition: 0,
            object: 0,
            extendable: false,
            door: Door::Unlocked,
            recovered: 0,
        }
    }

    /// Puts a cartridge in and loads it.
    pub fn insert(&mut self, cartridge: ModelCartridge) {
        assert!(
            !cartridge.partitions.is_empty(),
            "a cartridge has at least one partition"
        );
        self.cartridge = Some(cartridge);
        self.loaded = true;
        self.go_to(0, 0);
        self.attention = self
            .personality
            .announces_medium
            .then_some(Sense::MediumChanged);
    }

    /// Takes the cartridge out.
    pub fn eject(&mut self) -> Option<ModelCartridge> {
        self.loaded = false;
        self.go_to(0, 0);
        self.cartridge.take()
    }

    /// The cartridge.
    #[must_use]
    pub fn cartridge(&self) -> Option<&ModelCartridge> {
        self.cartridge.as_ref()
    }

    /// The cartridge, to tamper with.
    pub fn cartridge_mut(&mut self) -> Option<&mut ModelCartridge> {
        self.cartridge.as_mut()
    }

    /// Forgets a pending unit attention, as if another command had fetched it.
    pub fn clear_attention(&mut self) {
        self.attention = None;
    }

    /// Lets it say of the next operation that it had to repair something.
    pub fn recover(&mut self) {
        self.recovered += 1;
    }

    /// Resets the drive: its mode is what it was at first.
    pub fn reset(&mut self) {
        self.extendable = false;
        self.block_size = 0;
        self.density = self.personality.density;
        self.buffering = self.personality.buffering;
        self.compression = false;
        self.attention = Some(Sense::Reset);
    }

    /// Whether removal is prevented.
    #[must_use]
    pub fn door(&self) -> Door {
        self.door
    }

    fn go_to(&mut self, partition: usize, object: usize) {
        self.partition = partition;
        self.object = object;
        self.extendable = false;
    }

    /// Takes the pending attention, then requires a loaded medium.
    fn begin(&mut self) -> Result<(), Failed> {
        if let Some(sense) = self.attention.take() {
            self.extendable = false;
            return Err(Failed::at(sense, self.loaded.then(|| self.here())));
        }
        self.require_loaded()
    }

    fn require_loaded(&self) -> Result<(), Failed> {
        match (&self.cartridge, self.loaded) {
            (Some(_), true) => Ok(()),
            (Some(_), false) => Err(Failed::at(self.personality.after_unload.sense, None)),
            (None, _) => Err(Failed::at(Sense::NoMedium, None)),
        }
    }

    fn tape(&self) -> &ModelCartridge {
        self.cartridge.as_ref().expect("begin() saw a cartridge")
    }

    fn objects(&self) -> &[ModelObject] {
        &self.tape().partitions[self.partition]
    }

    fn objects_mut(&mut self) -> &mut Vec<ModelObject> {
        let partition = self.partition;
        &mut self
            .cartridge
            .as_mut()
            .expect("begin() saw a cartridge")
            .partitions[partition]
    }

    fn cost(&self, objects: &[ModelObject]) -> u64 {
        let cost = |object: &ModelObject| match object {
            ModelObject::Block(data) => data.len() as u64,
            ModelObject::Damaged(length) => u64::from(*length),
            ModelObject::Filemark | ModelObject::Setmark => self.personality.mark_bytes,
        };
        objects.iter().map(cost).sum()
    }

    fn used_before_here(&self) -> u64 {
        self.cost(&self.objects()[..self.object])
    }

    fn in_early_warning(&self) -> bool {
        let tape = self.tape();
        tape.capacity_bytes.is_some_and(|total| {
            self.used_before_here() >= total.saturating_sub(tape.early_warning_bytes)
        })
    }

    fn fits(&self, bytes: u64) -> bool {
        self.tape()
            .capacity_bytes
            .is_none_or(|total| self.used_before_here() + bytes <= total)
    }

    fn mark_fits(&self) -> bool {
        let cost = self.personality.mark_bytes.max(1);
        let behind = match self.personality.mark_fits_at_end {
            true => MARKS_AT_END_MAX * cost,
            false => 0,
        };
        self.tape()
            .capacity_bytes
            .is_none_or(|total| self.used_before_here() + cost <= total + behind)
    }

    fn here(&self) -> Position {
        let marks = self.objects()[..self.object]
            .iter()
            .filter(|o| **o == ModelObject::Filemark)
            .count();
        Position {
            partition: PartitionNumber(u8::try_from(self.partition).expect("at most 4 partitions")),
            object: ObjectNumber(self.object as u64),
            file: Some(FileNumber(marks as u64)),
            past_early_warning: self.in_early_warning(),
        }
    }

    fn done(&self, count: u64, stop: Option<Stop>) -> Done {
        Done {
            count,
            stop,
            position: self.here(),
        }
    }

    fn fail<T>(&self, sense: Sense, count: u64) -> Result<T, Failed> {
        Err(Failed {
            sense,
            count,
            position: Some(self.here()),
        })
    }

    fn begin_write(&mut self) -> Result<(), Failed> {
        self.begin()?;
        self.extendable = false;
        let tape = self.tape();
        if tape.write_protected {
            return self.fail(Sense::WriteProtected, 0);
        }
        if tape.worm && self.object < self.objects().len() {
            return self.fail(Sense::WormOverwrite, 0);
        }
        Ok(())
    }

    fn put(&mut self, object: ModelObject) {
        let here = self.object;
        let objects = self.objects_mut();
        objects.truncate(here);
        objects.push(object);
        self.object += 1;
    }

    fn after_write(&self, count: u64) -> Done {
        self.done(count, self.in_early_warning().then_some(Stop::EarlyWarning))
    }

    fn read_variable(&mut self, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        let mut read = ReadDone {
            blocks: 0,
            bytes: 0,
            block_length: 0,
            stop: None,
            position: self.here(),
        };
        match self.objects().get(self.object) {
            None => {
                read.stop = Some(Stop::EndOfData);
                return Ok(read);
            }
            Some(ModelObject::Block(data)) => {
                read.blocks = 1;
                read.bytes = data.len().min(buffer.len());
                read.block_length = u32::try_from(data.len()).expect("blocks are below 4 GiB");
                buffer[..read.bytes].copy_from_slice(&data[..read.bytes]);
            }
            Some(ModelObject::Filemark) => read.stop = Some(Stop::Filemark),
            Some(ModelObject::Setmark) => read.stop = Some(Stop::Setmark),
            Some(ModelObject::Damaged(_)) => {
                self.object += 1;
                return self.fail(Sense::MediumError, 0);
            }
        }
        self.object += 1;
        read.position = self.here();
        Ok(read)
    }

    fn step_forward(&mut self, unit: SpaceUnit) -> Step {
        let Some(object) = self.objects().get(self.object) else {
            return Step::Stop(Stop::EndOfData);
        };
        let step = Step::over(object, unit);
        self.object += 1;
        step
    }

    fn step_back(&mut self, unit: SpaceUnit) -> Step {
        let Some(previous) = self.object.checked_sub(1) else {
            return Step::Stop(Stop::BeginningOfPartition);
        };
        let step = Step::over(&self.objects()[previous], unit);
        self.object = previous;
        step
    }
}

enum Step {
    Counted,
    Passed,
    Stop(Stop),
}

impl Step {
    fn over(object: &ModelObject, unit: SpaceUnit) -> Step {
        match (object, unit) {
            (ModelObject::Block(_) | ModelObject::Damaged(_), SpaceUnit::Blocks)
            | (ModelObject::Filemark, SpaceUnit::Filemarks)
            | (ModelObject::Setmark, SpaceUnit::Setmarks) => Step::Counted,
            (ModelObject::Filemark, SpaceUnit::Blocks) => Step::Stop(Stop::Filemark),
            (ModelObject::Setmark, SpaceUnit::Blocks | SpaceUnit::Filemarks) => {
                Step::Stop(Stop::Setmark)
            }
            (ModelObject::Block(_) | ModelObject::Damaged(_) | ModelObject::Filemark, _) => {
                Step::Passed
            }
        }
    }
}

impl ModelDrive {
    fn put_marks(&mut self, mark: Mark, count: u32, _mode: WriteMode) -> Result<Done, Failed> {
        if count == 0 {
            self.begin()?;
            self.extendable = false;
            return Ok(self.done(0, None));
        }
        self.begin_write()?;
        if mark == Mark::Setmark && !self.personality.setmarks {
            return self.fail(Sense::IllegalRequest, 0);
        }
        for index in 0..count {
            if !self.mark_fits() {
                return Ok(self.done(index.into(), Some(Stop::EndOfPartition)));
            }
            self.put(match mark {
                Mark::Filemark => ModelObject::Filemark,
                Mark::Setmark => ModelObject::Setmark,
            });
        }
        Ok(self.after_write(count.into()))
    }

    fn space_over(&mut self, unit: SpaceUnit, count: i64) -> Result<Done, Failed> {
        self.begin()?;
        self.extendable = false;
        if unit == SpaceUnit::Setmarks && !self.personality.setmarks {
            return self.fail(Sense::IllegalRequest, 0);
        }
        let mut counted = 0;
        while counted < count.unsigned_abs() {
            let step = if count > 0 {
                self.step_forward(unit)
            } else {
                self.step_back(unit)
            };
            match step {
                Step::Counted => counted += 1,
                Step::Passed => {}
                Step::Stop(stop) => return Ok(self.done(counted, Some(stop))),
            }
        }
        Ok(self.done(counted, None))
    }

    fn go_to_end_of_data(&mut self) -> Result<Done, Failed> {
        self.begin()?;
        let end = self.objects().len();
        self.go_to(self.partition, end);
        Ok(self.done(0, None))
    }

    fn go_to_address(&mut self, to: Address) -> Result<Done, Failed> {
        self.begin()?;
        self.extendable = false;
        let partition = to.partition.map_or(self.partition, |p| p.0.into());
        let Some(objects) = self.tape().partitions.get(partition) else {
            return self.fail(Sense::IllegalRequest, 0);
        };
        let target = usize::try_from(to.object.0).unwrap_or(usize::MAX);
        let end = objects.len();
        self.go_to(partition, target.min(end));
        Ok(self.done(0, (target > end).then_some(Stop::EndOfData)))
    }

    fn go_to_start(&mut self) -> Result<Done, Failed> {
        self.begin()?;
        self.go_to(self.partition, 0);
        Ok(self.done(0, None))
    }

    fn load_medium(&mut self, _kind: LoadKind) -> Result<Done, Failed> {
        if let Some(sense) = self.attention.take() {
            return Err(Failed::at(sense, self.loaded.then(|| self.here())));
        }
        if self.cartridge.is_none() {
            return Err(Failed::at(Sense::NoMedium, None));
        }
        if !self.loaded && !self.personality.after_unload.keeps_cartridge {
            return Err(Failed::at(self.personality.after_unload.sense, None));
        }
        self.loaded = true;
        self.go_to(0, 0);
        Ok(self.done(0, None))
    }

    fn erase_from_here(&mut self, _extent: EraseExtent) -> Result<Done, Failed> {
        self.begin_write()?;
        if self.personality.erase == ErasePolicy::AtBeginning && self.object > 0 {
            return self.fail(Sense::IllegalRequest, 0);
        }
        let here = self.object;
        self.objects_mut().truncate(here);
        Ok(self.done(0, None))
    }

    fn cut_into_partitions(&mut self, partitioning: Partitioning) -> Result<Done, Failed> {
        self.begin_write()?;
        // Also at the end of data: what is recorded would go.
        let tape = self.tape();
        if tape.worm && !tape.partitions.iter().all(Vec::is_empty) {
            return self.fail(Sense::WormOverwrite, 0);
        }
        let count = match partitioning {
            Partitioning::Single => 1,
            Partitioning::SecondOf(_) | Partitioning::FirstOf(_) => 2,
        };
        let part = match partitioning {
            Partitioning::Single => 0,
            Partitioning::SecondOf(mib) | Partitioning::FirstOf(mib) => u64::from(mib) << 20,
        };
        let leaves_nothing = self
            .tape()
            .capacity_bytes
            .is_some_and(|total| part >= total);
        let refuses = self.personality.oversized_partition == OversizedPartition::Refused;
        if count > self.personality.max_partitions || refuses && leaves_nothing && part > 0 {
            return self.fail(Sense::IllegalRequest, 0);
        }
        self.cartridge
            .as_mut()
            .expect("begin() saw a cartridge")
            .partitions = vec![Vec::new(); count.into()];
        self.go_to(0, 0);
        Ok(self.done(0, None))
    }
}

impl Drive for ModelDrive {
    fn take_recovered(&mut self) -> u32 {
        std::mem::take(&mut self.recovered)
    }

    fn identity(&self) -> Identity {
        Identity {
            vendor: self.personality.vendor.into(),
            product: self.personality.product.into(),
            revision: "1".into(),
            serial: "MODEL".into(),
        }
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
            write_protected: cartridge.is_some_and(|c| c.write_protected),
            compression: self.personality.compression.then_some(self.compression),
            last_partition: cartridge.map_or(0, |c| {
                u8::try_from(c.partitions.len() - 1).expect("few partitions")
            }),
        })
    }

    fn set_mode(&mut self, change: ModeSelect) -> Result<(), Failed> {
        self.begin()?;
        let size_ok = change
            .block_size
            .is_none_or(|size| self.personality.takes_block_size(size));
        let density_ok = change
            .density
            .is_none_or(|density| !self.personality.refused_densities.contains(&density));
        let compression_ok = change.compression.is_none() || self.personality.compression;
        let buffering_ok = change.buffering.is_none_or(|mode| mode <= 7);
        if !(size_ok && density_ok && compression_ok && buffering_ok) {
            return self.fail(Sense::IllegalRequest, 0);
        }
        self.block_size = change.block_size.unwrap_or(self.block_size);
        self.density = change.density.unwrap_or(self.density);
        self.buffering = change.buffering.unwrap_or(self.buffering);
        self.compression = change.compression.unwrap_or(self.compression);
        Ok(())
    }

    fn read(&mut self, transfer: Transfer, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        self.begin()?;
        self.extendable = false;
        let Transfer::Fixed(size) = transfer else {
            return self.read_variable(buffer);
        };
        let size = size.get() as usize;
        let mut total = ReadDone {
            blocks: 0,
            bytes: 0,
            block_length: 0,
            stop: None,
            position: self.here(),
        };
        for chunk in buffer.chunks_exact_mut(size) {
            let one = self.read_variable(chunk).map_err(|f| Failed {
                count: total.blocks,
                ..f
            })?;
            total.position = one.position;
            total.block_length = one.block_length;
            total.stop = one.stop;
            if one.stop.is_some() {
                break;
            }
            if one.block_length as usize != size {
                total.stop = Some(Stop::IllegalLength);
                break;
            }
            total.blocks += 1;
            total.bytes += size;
        }
        Ok(total)
    }

    fn write(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        self.begin_write()?;
        let size = match transfer {
            Transfer::Variable => data.len(),
            Transfer::Fixed(size) => size.get() as usize,
        };
        if !self.personality.takes_block(size as u64) || !data.len().is_multiple_of(size) {
            return self.fail(Sense::IllegalRequest, 0);
        }
        for (index, block) in data.chunks(size).enumerate() {
            if !self.fits(size as u64) {
                return Ok(self.done(index as u64, Some(Stop::EndOfPartition)));
            }
            self.put(ModelObject::Block(block.to_vec()));
        }
        self.extendable = transfer == Transfer::Variable;
        Ok(self.after_write((data.len() / size) as u64))
    }

    fn extend(&mut self, data: &[u8]) -> Result<Done, Failed> {
        self.begin()?;
        let last = self.object.checked_sub(1).filter(|_| self.extendable);
        let Some(last) = last else {
            return self.fail(Sense::IllegalRequest, 0);
        };
        let Some(ModelObject::Block(block)) = self.objects().get(last) else {
            return self.fail(Sense::IllegalRequest, 0);
        };
        let length = block.len() + data.len();
        if !self.personality.takes_block(length as u64) {
            return self.fail(Sense::IllegalRequest, 0);
        }
        if !self.fits(data.len() as u64) {
            return Ok(self.done(0, Some(Stop::EndOfPartition)));
        }
        if let Some(ModelObject::Block(block)) = self.objects_mut().get_mut(last) {
            block.extend_from_slice(data);
        }
        Ok(self.after_write(1))
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
        self.extendable = false;
        if self.door == Door::Locked {
            return self.fail(Sense::IllegalRequest, 0);
        }
        self.go_to(0, 0);
        self.loaded = false;
        Ok(())
    }

    fn position(&mut self) -> Result<Position, Failed> {
        self.begin()?;
        Ok(self.here())
    }

    fn capacity(&mut self) -> Result<Capacity, Failed> {
        self.require_loaded()?;
        let tape = self.tape();
        Ok(Capacity {
            total_bytes: tape.capacity_bytes,
            early_warning_bytes: tape.early_warning_bytes,
            used_bytes: self.cost(self.objects()),
            room_bytes: tape
                .capacity_bytes
                .map(|total| total.saturating_sub(self.used_before_here())),
        })
    }

    fn set_door(&mut self, door: Door) -> Result<(), Failed> {
        self.door = door;
        Ok(())
    }
}

impl ModelDrive {
    /// The cartridge, and a partition of it by its place in the list.
    fn beside(
        &mut self,
        partition: PartitionNumber,
    ) -> Result<(&mut ModelCartridge, usize), AttributesError> {
        let number = usize::from(partition.0);
        match &mut self.cartridge {
            Some(tape) if self.loaded && number < tape.partitions.len() => Ok((tape, number)),
            Some(_) if self.loaded => Err(AttributesError::NoPartition),
            Some(_) | None => Err(AttributesError::Failed(VolumeError::new("no medium"))),
        }
    }
}

impl Volume for ModelDrive {
    fn take_trouble(&mut self) -> Option<String> {
        None
    }

    fn record_unreadable(&mut self, length_bytes: u32) -> Result<Done, Failed> {
        self.begin_write()?;
        if !self.fits(length_bytes.into()) {
            return Ok(self.done(0, Some(Stop::EndOfPartition)));
        }
        self.put(ModelObject::Damaged(length_bytes));
        Ok(self.after_write(1))
    }

    fn noted(&self) -> Noted {
        Noted::NoPlace
    }

    fn note_not_mirrored(&mut self, _from: Option<ObjectNumber>) -> Result<bool, VolumeError> {
        Ok(false)
    }

    fn known_position(&self) -> Option<Position> {
        (self.loaded && self.cartridge.is_some()).then(|| self.here())
    }

    fn volume_identity(&self) -> VolumeIdentity {
        VolumeIdentity::default()
    }

    fn writability(&mut self) -> Writability {
        match &self.cartridge {
            Some(cartridge) if cartridge.write_protected => Writability::Protected,
            Some(cartridge) if cartridge.worm => Writability::AppendOnly,
            Some(_) => Writability::Writable,
            None => Writability::Unknown,
        }
    }

    fn attributes(&mut self, partition: PartitionNumber) -> Result<Attributes, AttributesError> {
        let (tape, number) = self.beside(partition)?;
        Ok(tape.attributes.get(number).cloned().unwrap_or_default())
    }

    fn set_attributes(
        &mut self,
        partition: PartitionNumber,
        attributes: &Attributes,
    ) -> Result<(), AttributesError> {
        let (tape, number) = self.beside(partition)?;
        if tape.write_protected {
            return Err(AttributesError::Protected);
        }
        tape.attributes
            .resize_with(tape.partitions.len(), Attributes::new);
        tape.attributes[number] = attributes.clone();
        self.extendable = false;
        Ok(())
    }

    fn lost_when_closed(&mut self) -> Option<VolumeError> {
        None
    }

    fn finish(self: Box<Self>) -> Result<(), VolumeError> {
        Ok(())
    }
}
