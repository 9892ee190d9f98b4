//! A drive that counts and forgets.

use pseudotape_tape::{
    Address, Attributes, AttributesError, BlockLimits, Capacity, Done, Door, Drive, EraseExtent,
    Failed, FileNumber, Identity, LoadKind, Mark, Mode, ModeSelect, Motion, Noted, ObjectNumber,
    PartitionNumber, Partitioning, Position, ReadDone, Sense, SpaceUnit, Stop, Transfer, Volume,
    VolumeError, VolumeIdentity, Writability, WriteMode,
};

use crate::personality::{MARK_BYTES, MARKS_AT_END_MAX};

/// Where the medium of a [`NullDrive`] ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NullLimits {
    /// Bytes of blocks and marks up to the physical end.
    pub capacity_bytes: Option<u64>,
    /// Length of the early-warning zone.
    pub early_warning_bytes: Option<u64>,
}

/// What is kept of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Block(u32),
    Mark(Mark),
}

/// What lies before an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Before {
    objects: u64,
    files: u64,
    bytes: u64,
}

impl Before {
    fn behind(self, kind: Kind, count: u64) -> Before {
        let mut behind = self;
        behind.objects += count;
        match kind {
            Kind::Block(length) => {
                behind.bytes = behind
                    .bytes
                    .saturating_add(u64::from(length).saturating_mul(count));
            }
            Kind::Mark(mark) => {
                behind.files += if mark == Mark::Filemark { count } else { 0 };
                behind.bytes = behind
                    .bytes
                    .saturating_add(MARK_BYTES.saturating_mul(count));
            }
        }
        behind
    }
}

/// Objects of one kind (and length) in a row.
#[derive(Clone, Copy, Debug)]
struct Run {
    kind: Kind,
    count: u64,
    before: Before,
}

/// What moving over a run means.
enum Step {
    Counted,
    Passed,
    Stop(Stop),
}

fn step(kind: Kind, unit: SpaceUnit) -> Step {
    match (kind, unit) {
        (Kind::Block(_), SpaceUnit::Blocks)
        | (Kind::Mark(Mark::Filemark), SpaceUnit::Filemarks)
        | (Kind::Mark(Mark::Setmark), SpaceUnit::Setmarks) => Step::Counted,
        (Kind::Mark(Mark::Filemark), SpaceUnit::Blocks) => Step::Stop(Stop::Filemark),
        (Kind::Mark(Mark::Setmark), SpaceUnit::Blocks | SpaceUnit::Filemarks) => {
            Step::Stop(Stop::Setmark)
        }
        (Kind::Block(_) | Kind::Mark(Mark::Filemark), _) => Step::Passed,
    }
}

/// A drive that swallows blocks: it knows how many there were, how long, and where the marks are, and
/// nothing else. Reading a block is a medium error, with the tape behind it.
///
/// Takes as much memory as the lengths of blocks change: 48 bytes for each row of equal objects.
#[derive(Clone, Debug)]
pub struct NullDrive {
    limits: NullLimits,
    runs: Vec<Run>,
    end: Before,
    here: Before,
    loaded: bool,
    door: Door,
    mode: Mode,
    /// Length of the block just written, as long as it can be lengthened.
    extendable: Option<u32>,
}

const LIMITS: BlockLimits = BlockLimits {
    min_bytes: 1,
    max_bytes: 1 << 31,
    granularity_bytes: 1,
};

impl NullDrive {
    /// A drive with an empty medium that ends at these limits.
    #[must_use]
    pub fn new(limits: NullLimits) -> Self {
        NullDrive {
            limits,
            runs: Vec::new(),
            end: Before::default(),
            here: Before::default(),
            loaded: true,
            door: Door::Unlocked,
            mode: Mode {
                buffering: 1,
                ..Mode::default()
            },
            extendable: None,
        }
    }

    /// What every operation does first: forgets that a block can be lengthened, requires a medium.
    fn begin(&mut self) -> Result<(), Failed> {
        self.extendable = None;
        self.require_loaded()
    }

    fn require_loaded(&self) -> Result<(), Failed> {
        match self.loaded {
            true => Ok(()),
            false => Err(Failed::at(Sense::NoMedium, None)),
        }
    }

    fn past_early_warning(&self) -> bool {
        let zone = self.limits.early_warning_bytes.unwrap_or(0);
        self.limits
            .capacity_bytes
            .is_some_and(|total| self.here.bytes >= total.saturating_sub(zone))
    }

    fn room(&self) -> u64 {
        self.limits
            .capacity_bytes
            .map_or(u64::MAX, |total| total.saturating_sub(self.here.bytes))
    }

    fn at(&self) -> Position {
        Position {
            partition: PartitionNumber(0),
            object: ObjectNumber(self.here.objects),
            file: Some(FileNumber(self.here.files)),
            past_early_warning: self.past_early_warning(),
        }
    }

    fn done(&self, count: u64, stop: Option<Stop>) -> Done {
        Done {
            count,
            stop,
            position: self.at(),
        }
    }

    fn written(&self, count: u64) -> Done {
        self.done(
            count,
            self.past_early_warning().then_some(Stop::EarlyWarning),
        )
    }

    fn fail<T>(&self, sense: Sense) -> Result<T, Failed> {
        Err(Failed::at(sense, self.loaded.then(|| self.at())))
    }

    /// The run in which the object lies.
    fn run_of(&self, object: u64) -> Option<Run> {
        let behind = self
            .runs
            .partition_point(|run| run.before.objects <= object);
        let run = self.runs.get(behind.checked_sub(1)?)?;
        (object < run.before.objects + run.count).then_some(*run)
    }

    fn go_to(&mut self, object: u64) {
        self.here = match self.run_of(object) {
            Some(run) => run.before.behind(run.kind, object - run.before.objects),
            None => self.end,
        };
    }

    /// Drops what follows.
    fn cut(&mut self) {
        let keep = self
            .runs
            .partition_point(|run| run.before.objects < self.here.objects);
        self.runs.truncate(keep);
        if let Some(last) = self.runs.last_mut() {
            last.count = self.here.objects - last.before.objects;
        }
        self.end = self.here;
    }

    /// Puts objects here; what was behind is gone.
    fn put(&mut self, kind: Kind, count: u64) {
        self.cut();
        match self.runs.last_mut() {
            Some(last) if last.kind == kind => last.count += count,
            _ => self.runs.push(Run {
                kind,
                count,
                before: self.end,
            }),
        }
        self.end = self.end.behind(kind, count);
        self.here = self.end;
    }

    /// Meets one object: a block's length, or the mark; `None` at the end of data. Goes behind it.
    fn meet(&mut self) -> Option<Kind> {
        let kind = self.run_of(self.here.objects)?.kind;
        self.here = self.here.behind(kind, 1);
        Some(kind)
    }

    fn space_forward(&mut self, unit: SpaceUnit, count: u64) -> Done {
        let mut counted = 0;
        while counted < count {
            let Some(run) = self.run_of(self.here.objects) else {
                return self.done(counted, Some(Stop::EndOfData));
            };
            let ahead = run.before.objects + run.count - self.here.objects;
            let (over, stop) = match step(run.kind, unit) {
                Step::Counted => (ahead.min(count - counted), None),
                Step::Passed => (ahead, None),
                Step::Stop(stop) => (1, Some(stop)),
            };
            self.here = self.here.behind(run.kind, over);
            if stop.is_some() {
                return self.done(counted, stop);
            }
            if matches!(step(run.kind, unit), Step::Counted) {
                counted += over;
            }
        }
        self.done(counted, None)
    }

    fn space_back(&mut self, unit: SpaceUnit, count: u64) -> Done {
        let mut counted = 0;
        while counted < count {
            let previous = self.here.objects.checked_sub(1);
            let Some(run) = previous.and_then(|object| self.run_of(object)) else {
                return self.done(counted, Some(Stop::BeginningOfPartition));
            };
            let behind = self.here.objects - run.before.objects;
            let (over, stop) = match step(run.kind, unit) {
                Step::Counted => (behind.min(count - counted), None),
                Step::Passed => (behind, None),
                Step::Stop(stop) => (1, Some(stop)),
            };
            self.go_to(self.here.objects - over);
            if stop.is_some() {
                return self.done(counted, stop);
            }
            if matches!(step(run.kind, unit), Step::Counted) {
                counted += over;
            }
        }
        self.done(counted, None)
    }
}

impl NullDrive {
    fn put_marks(&mut self, mark: Mark, count: u32, _mode: WriteMode) -> Result<Done, Failed> {
        self.begin()?;
        if count == 0 {
            return Ok(self.done(0, None));
        }
        let end = self.limits.capacity_bytes.map(|end| {
            let behind = MARKS_AT_END_MAX * MARK_BYTES;
            end.saturating_add(behind).saturating_sub(self.here.bytes) / MARK_BYTES
        });
        let wanted = u64::from(count);
        let fitting = wanted.min(end.unwrap_or(u64::MAX));
        if fitting > 0 {
            self.put(Kind::Mark(mark), fitting);
        }
        if fitting < wanted {
            return Ok(self.done(fitting, Some(Stop::EndOfPartition)));
        }
        Ok(self.written(fitting))
    }

    fn space_over(&mut self, unit: SpaceUnit, count: i64) -> Result<Done, Failed> {
        self.begin()?;
        Ok(if count < 0 {
            self.space_back(unit, count.unsigned_abs())
        } else {
            self.space_forward(unit, count.unsigned_abs())
        })
    }

    fn go_to_end_of_data(&mut self) -> Result<Done, Failed> {
        self.begin()?;
        self.here = self.end;
        Ok(self.done(0, None))
    }

    fn go_to_address(&mut self, to: Address) -> Result<Done, Failed> {
        self.begin()?;
        if to.partition.is_some_and(|partition| partition.0 > 0) {
            return self.fail(Sense::IllegalRequest);
        }
        self.go_to(to.object.0);
        let beyond = to.object.0 > self.end.objects;
        Ok(self.done(0, beyond.then_some(Stop::EndOfData)))
    }

    fn go_to_start(&mut self) -> Result<Done, Failed> {
        self.begin()?;
        self.here = Before::default();
        Ok(self.done(0, None))
    }

    fn load_medium(&mut self, _kind: LoadKind) -> Result<Done, Failed> {
        self.loaded = true;
        self.rewind()
    }

    fn erase_from_here(&mut self, _extent: EraseExtent) -> Result<Done, Failed> {
        self.begin()?;
        self.cut();
        Ok(self.done(0, None))
    }

    fn cut_into_partitions(&mut self, partitioning: Partitioning) -> Result<Done, Failed> {
        self.begin()?;
        if partitioning != Partitioning::Single {
            return self.fail(Sense::IllegalRequest);
        }
        self.here = Before::default();
        self.cut();
        Ok(self.done(0, None))
    }
}

impl Drive for NullDrive {
    fn identity(&self) -> Identity {
        Identity {
            vendor: "PSEUDO".into(),
            product: "NULL".into(),
            revision: "1".into(),
            serial: String::new(),
        }
    }

    fn block_limits(&self) -> BlockLimits {
        LIMITS
    }

    fn test_ready(&mut self) -> Result<(), Failed> {
        self.require_loaded()
    }

    fn mode(&mut self) -> Result<Mode, Failed> {
        Ok(self.mode)
    }

    fn set_mode(&mut self, change: ModeSelect) -> Result<(), Failed> {
        self.require_loaded()?;
        let block_size = change.block_size.unwrap_or(self.mode.block_size);
        let buffering = change.buffering.unwrap_or(self.mode.buffering);
        if block_size > LIMITS.max_bytes || buffering > 7 || change.compression.is_some() {
            return self.fail(Sense::IllegalRequest);
        }
        self.mode.block_size = block_size;
        self.mode.buffering = buffering;
        self.mode.density = change.density.unwrap_or(self.mode.density);
        Ok(())
    }

    fn read(&mut self, _transfer: Transfer, _buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        self.begin()?;
        let stop = match self.meet() {
            Some(Kind::Block(_)) => return self.fail(Sense::MediumError),
            Some(Kind::Mark(Mark::Filemark)) => Stop::Filemark,
            Some(Kind::Mark(Mark::Setmark)) => Stop::Setmark,
            None => Stop::EndOfData,
        };
        Ok(ReadDone {
            blocks: 0,
            bytes: 0,
            block_length: 0,
            stop: Some(stop),
            position: self.at(),
        })
    }

    fn write(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        self.begin()?;
        let size = match transfer {
            Transfer::Variable => u32::try_from(data.len()).unwrap_or(u32::MAX),
            Transfer::Fixed(size) => size.get(),
        };
        let bytes = data.len() as u64;
        if !LIMITS.contain(size.into()) || !bytes.is_multiple_of(size.into()) {
            return self.fail(Sense::IllegalRequest);
        }
        let count = bytes / u64::from(size);
        let fitting = count.min(self.room() / u64::from(size));
        if fitting > 0 {
            self.put(Kind::Block(size), fitting);
        }
        if fitting < count {
            return Ok(self.done(fitting, Some(Stop::EndOfPartition)));
        }
        self.extendable = (transfer == Transfer::Variable).then_some(size);
        Ok(self.written(count))
    }

    fn extend(&mut self, data: &[u8]) -> Result<Done, Failed> {
        self.require_loaded()?;
        let more = data.len() as u64;
        let before = match self.extendable {
            Some(before) if LIMITS.contain(u64::from(before) + more) => before,
            _ => return self.fail(Sense::IllegalRequest),
        };
        if more > self.room() {
            return Ok(self.done(0, Some(Stop::EndOfPartition)));
        }
        let length = before + u32::try_from(more).unwrap_or(0);
        self.go_to(self.here.objects - 1);
        self.put(Kind::Block(length), 1);
        self.extendable = Some(length);
        Ok(self.written(1))
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
        if self.door == Door::Locked {
            return self.fail(Sense::IllegalRequest);
        }
        self.loaded = false;
        Ok(())
    }

    fn position(&mut self) -> Result<Position, Failed> {
        self.require_loaded()?;
        Ok(self.at())
    }

    fn capacity(&mut self) -> Result<Capacity, Failed> {
        self.require_loaded()?;
        Ok(Capacity {
            total_bytes: self.limits.capacity_bytes,
            early_warning_bytes: self.limits.early_warning_bytes.unwrap_or(0),
            used_bytes: self.end.bytes,
            room_bytes: self.limits.capacity_bytes.map(|_| self.room()),
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

/// Nothing is kept, so that nothing is there to be noted, named or closed.
impl Volume for NullDrive {
    fn take_trouble(&mut self) -> Option<String> {
        None
    }

    fn record_unreadable(&mut self, _length_bytes: u32) -> Result<Done, Failed> {
        self.fail(Sense::IllegalRequest)
    }

    fn noted(&self) -> Noted {
        Noted::NoPlace
    }

    fn note_not_mirrored(&mut self, _from: Option<ObjectNumber>) -> Result<bool, VolumeError> {
        Ok(false)
    }

    fn known_position(&self) -> Option<Position> {
        self.loaded.then(|| self.at())
    }

    fn volume_identity(&self) -> VolumeIdentity {
        VolumeIdentity::default()
    }

    fn writability(&mut self) -> Writability {
        match self.loaded {
            true => Writability::Writable,
            false => Writability::Unknown,
        }
    }

    fn attributes(&mut self, _partition: PartitionNumber) -> Result<Attributes, AttributesError> {
        Err(AttributesError::NoPlace)
    }

    fn set_attributes(
        &mut self,
        _partition: PartitionNumber,
        _attributes: &Attributes,
    ) -> Result<(), AttributesError> {
        Err(AttributesError::NoPlace)
    }

    fn lost_when_closed(&mut self) -> Option<VolumeError> {
        None
    }

    fn finish(self: Box<Self>) -> Result<(), VolumeError> {
        Ok(())
    }
}
