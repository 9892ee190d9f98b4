use pseudotape_tape::{
    Attributes, AttributesError, BlockLimits, Capacity, Done, Door, Drive, Failed, Identity, Mode,
    ModeSelect, Motion, Noted, ObjectNumber, PartitionNumber, Position, ReadDone, Sense, SpaceUnit,
    Stop, Transfer, Volume, VolumeError, VolumeIdentity, Writability, WriteMode, read_each,
};

use crate::fault::After;
use crate::faults::{Asked, Faults, Struck};
use crate::kind::Kind;
use crate::values::Call;

/// A drive in front of another one that fails when it is told to.
///
/// | a fault of the kind | result | position after |
/// |---|---|---|
/// | read-error | [`Sense::MediumError`] for the block | behind it; before it, or unknown, where that was said |
/// | write-error | [`Sense::MediumError`], the block is not written | before it; unknown where that was said |
/// | recovered | success, and one more in [`Drive::take_recovered`] | as without |
/// | hardware-error | [`Sense::HardwareError`], nothing is done | unchanged |
/// | reset | [`Sense::Reset`], nothing is done; variable block mode, door unlocked | unchanged |
/// | busy | [`Sense::NotReady`], nothing is done | unchanged |
/// | slow, hang | as without, later | as without |
/// | early-warning | success, [`Stop::EarlyWarning`] | as without |
/// | write-protect | [`Sense::WriteProtected`], the mode says so too | unchanged |
/// | position-lost | [`Sense::MediumError`], until a motion to a known place | unknown |
/// | load-failure | [`Sense::MediumError`] for a load | unknown |
/// | commit-failure | [`Sense::HardwareError`]; marks are written, and not committed | behind the marks; unchanged |
///
/// The end of the volume ([`Volume::finish`]) meets none of them.
#[derive(Debug)]
pub struct Faulty<V> {
    volume: V,
    faults: Faults,
    /// The fault that lost the position.
    lost: Option<u32>,
    /// Something was written through this drive, or a commit failed here.
    uncommitted: bool,
    recovered: u32,
    trouble: Option<String>,
}

impl<V> Faulty<V> {
    /// A drive without any fault.
    pub fn new(volume: V) -> Self {
        Self::with(volume, Faults::default())
    }

    /// A drive with the faults of a list.
    pub fn with(volume: V, faults: Faults) -> Self {
        Faulty {
            volume,
            faults,
            lost: None,
            uncommitted: false,
            recovered: 0,
            trouble: None,
        }
    }

    /// The faults.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The drive behind.
    pub fn behind(&self) -> &V {
        &self.volume
    }

    /// The drive behind. What is done there meets no fault.
    pub fn behind_mut(&mut self) -> &mut V {
        &mut self.volume
    }

    /// The drive behind, without the faults.
    pub fn into_behind(self) -> V {
        self.volume
    }

    /// Whether anything here differs from the drive behind. Where not, a caller may go to that one.
    pub fn is_armed(&self) -> bool {
        self.faults.is_armed() || self.recovered > 0 || self.trouble.is_some()
    }
}

impl<V: Volume> Faulty<V> {
    /// What every call meets first. `work` is what the call transfers: objects and bytes.
    fn begin(&mut self, call: Call, (objects, bytes): (u64, usize)) -> Result<(), Failed> {
        let asked = Asked {
            call,
            here: self.place()?,
            objects,
            bytes,
        };
        self.faults.wait(&asked);
        let failures = [
            (Kind::Reset, Sense::Reset),
            (Kind::Busy, Sense::NotReady),
            (Kind::HardwareError, Sense::HardwareError),
        ];
        for (kind, sense) in failures {
            if let Some(struck) = self.faults.struck(kind, &asked) {
                if kind == Kind::Reset {
                    self.power_on();
                }
                return Err(self.fail(&struck, sense, self.known_position()));
            }
        }
        if let Some(struck) = self.faults.struck(Kind::PositionLost, &asked) {
            self.lost = Some(struck.number);
            return Err(self.fail(&struck, Sense::MediumError, None));
        }
        Ok(())
    }

    /// What a call that needs a known place meets.
    fn require_place(&mut self) -> Result<(), Failed> {
        let Some(number) = self.lost else {
            return Ok(());
        };
        if self.faults.has_number(number) {
            self.trouble = Some(format!(
                "injected fault {number}: the drive does not know where the tape is, until a rewind"
            ));
            return Err(Failed::at(Sense::MediumError, None));
        }
        self.lost = None;
        Ok(())
    }

    /// What everything that changes the medium meets.
    fn require_writable(&mut self, asked: Call) -> Result<(), Failed> {
        let asked = Asked {
            call: asked,
            here: None,
            objects: 0,
            bytes: 0,
        };
        match self.faults.struck(Kind::WriteProtect, &asked) {
            Some(struck) => Err(self.fail(&struck, Sense::WriteProtected, self.known_position())),
            None => Ok(()),
        }
    }

    /// Where the tape is; asks the drive only where a fault is for one object. A drive that has news tells them.
    fn place(&mut self) -> Result<Option<Position>, Failed> {
        let known = self.volume.known_position();
        if known.is_some() || !self.faults.needs_place() {
            return Ok(known);
        }
        match self.volume.position() {
            Ok(position) => Ok(Some(position)),
            Err(failed) if matches!(failed.sense, Sense::MediumChanged | Sense::Reset) => {
                Err(failed)
            }
            Err(_) => Ok(None),
        }
    }

    /// A drive after a reset has the mode of its power-on. One that can't be told has none to lose.
    fn power_on(&mut self) {
        let mode = ModeSelect {
            block_size: Some(0),
            ..ModeSelect::default()
        };
        let reset = self.volume.set_mode(mode);
        let reset = reset.and(self.volume.set_door(Door::Unlocked));
        if let Err(failed) = reset {
            self.trouble = Some(format!("after an injected reset: {failed}"));
        }
    }

    fn fail(&mut self, struck: &Struck, sense: Sense, position: Option<Position>) -> Failed {
        let Struck { number, fault } = struck;
        self.trouble = Some(match position {
            Some(at) => format!(
                "injected fault {number} ({fault}): {sense}; the tape is now before object {} of partition {}",
                at.object, at.partition
            ),
            None => format!("injected fault {number} ({fault}): {sense}"),
        });
        Failed::at(sense, position)
    }

    /// The errors that are recovered of a block that was transferred.
    fn recover(&mut self, call: Call, position: Position) {
        let asked = one_block(call, position);
        if self.faults.struck(Kind::Recovered, &asked).is_some() {
            self.recovered = self.recovered.saturating_add(1);
        }
    }

    fn read_one(&mut self, transfer: Transfer, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        let done = self.volume.read(transfer, buffer)?;
        let is_block = matches!(done.stop, None | Some(Stop::IllegalLength));
        let Some(object) = done.position.object.0.checked_sub(1).filter(|_| is_block) else {
            return Ok(done);
        };
        let place = Position {
            object: ObjectNumber(object),
            ..done.position
        };
        let Some(struck) = self
            .faults
            .struck(Kind::ReadError, &one_block(Call::Read, place))
        else {
            self.recover(Call::Read, place);
            return Ok(done);
        };
        let position = match struck.fault.after {
            After::Behind => Some(done.position),
            After::Kept => Some(self.volume.space(SpaceUnit::Blocks, -1)?.position),
            After::Lost => {
                self.lost = Some(struck.number);
                None
            }
        };
        Err(self.fail(&struck, Sense::MediumError, position))
    }

    /// The first of the blocks to be written that a fault strikes, counted from here.
    fn unwritable(&mut self, blocks: u64) -> Result<Option<(u64, Struck)>, Failed> {
        if !self.faults.has(&[Kind::WriteError]) {
            return Ok(None);
        }
        let here = self.place()?;
        for block in 0..blocks {
            let asked = Asked {
                call: Call::Write,
                here: here.map(|here| Position {
                    object: ObjectNumber(here.object.0.saturating_add(block)),
                    ..here
                }),
                objects: 1,
                bytes: 0,
            };
            if let Some(struck) = self.faults.struck(Kind::WriteError, &asked) {
                return Ok(Some((block, struck)));
            }
        }
        Ok(None)
    }

    /// Writes the blocks before the one that can't be written, and fails there.
    fn write_before(
        &mut self,
        transfer: Transfer,
        data: &[u8],
        (blocks, struck): (u64, Struck),
    ) -> Result<Done, Failed> {
        let mut position = self.known_position();
        if let Transfer::Fixed(size) = transfer
            && blocks > 0
        {
            let bytes = usize::try_from(blocks.saturating_mul(size.get().into()));
            let before = bytes.ok().and_then(|bytes| data.get(..bytes));
            let done = self.volume.write(transfer, before.unwrap_or(data))?;
            if done.count < blocks {
                return Ok(done);
            }
            position = Some(done.position);
        }
        if struck.fault.after == After::Lost {
            self.lost = Some(struck.number);
            position = None;
        }
        let failed = self.fail(&struck, Sense::MediumError, position);
        Err(Failed {
            count: blocks,
            ..failed
        })
    }

    /// Early warning, where it is to come now.
    fn warn(&mut self, call: Call, mut done: Done) -> Done {
        let asked = one_block(call, done.position);
        if self.faults.struck(Kind::EarlyWarning, &asked).is_some() {
            done.stop = done.stop.or(Some(Stop::EarlyWarning));
            done.position.past_early_warning = true;
        }
        done
    }

    fn write_marks_here(
        &mut self,
        motion: Motion,
        count: u32,
        mode: WriteMode,
    ) -> Result<Done, Failed> {
        self.begin(Call::Marks, (count.into(), 0))?;
        self.require_place()?;
        if count > 0 {
            self.require_writable(Call::Marks)?;
        }
        let failing = match mode {
            WriteMode::Commit => self.failing_commit(Call::Marks),
            WriteMode::Immediate => None,
        };
        self.uncommitted |= count > 0;
        let Some(struck) = failing else {
            let done = self.volume.execute(motion)?;
            if mode == WriteMode::Commit {
                self.uncommitted = false;
            }
            return Ok(if count > 0 {
                self.warn(Call::Marks, done)
            } else {
                done
            });
        };
        let (mut written, mut position) = (0, self.known_position());
        if count > 0
            && let Motion::WriteMarks { mark, .. } = motion
        {
            let done = self.volume.write_marks(mark, count, WriteMode::Immediate)?;
            (written, position) = (done.count, Some(done.position));
        }
        let failed = self.fail(&struck, Sense::HardwareError, position);
        Err(Failed {
            count: written,
            ..failed
        })
    }

    /// The fault that makes a commit fail.
    fn failing_commit(&mut self, call: Call) -> Option<Struck> {
        let asked = Asked {
            call,
            here: None,
            objects: 0,
            bytes: 0,
        };
        let struck = self.faults.struck(Kind::CommitFailure, &asked);
        self.uncommitted |= struck.is_some();
        struck
    }

    /// A motion that commits what was written before.
    fn commit_first(&mut self, call: Call) -> Result<(), Failed> {
        if !self.uncommitted {
            return Ok(());
        }
        match self.failing_commit(call) {
            Some(struck) => Err(self.fail(&struck, Sense::HardwareError, self.known_position())),
            None => Ok(()),
        }
    }

    fn load_here(&mut self, motion: Motion) -> Result<Done, Failed> {
        self.begin(Call::Load, (0, 0))?;
        self.commit_first(Call::Load)?;
        if let Some(number) = self.faults.refuses_load() {
            self.trouble = Some(format!(
                "injected fault {number}: the medium can't be loaded"
            ));
            return Err(Failed::at(Sense::MediumError, None));
        }
        self.found(motion)
    }

    /// A motion to a known place.
    fn found(&mut self, motion: Motion) -> Result<Done, Failed> {
        let done = self.volume.execute(motion)?;
        self.lost = None;
        Ok(done)
    }
}

fn one_block(call: Call, position: Position) -> Asked {
    Asked {
        call,
        here: Some(position),
        objects: 1,
        bytes: 0,
    }
}

/// How many blocks a transfer of so many bytes has.
fn blocks_of(transfer: Transfer, bytes: usize) -> u64 {
    match transfer {
        Transfer::Variable => 1,
        Transfer::Fixed(size) => bytes as u64 / u64::from(size.get()),
    }
}

impl<V: Volume> Drive for Faulty<V> {
    fn identity(&self) -> Identity {
        self.volume.identity()
    }

    fn block_limits(&self) -> BlockLimits {
        self.volume.block_limits()
    }

    fn test_ready(&mut self) -> Result<(), Failed> {
        if self.is_armed() {
            self.begin(Call::Ready, (0, 0))?;
        }
        self.volume.test_ready()
    }

    fn mode(&mut self) -> Result<Mode, Failed> {
        let mut mode = self.volume.mode()?;
        mode.write_protected |= self.is_armed() && self.faults.has(&[Kind::WriteProtect]);
        Ok(mode)
    }

    fn set_mode(&mut self, change: ModeSelect) -> Result<(), Failed> {
        if self.is_armed() {
            self.begin(Call::Ready, (0, 0))?;
        }
        self.volume.set_mode(change)
    }

    fn read(&mut self, transfer: Transfer, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        if !self.is_armed() {
            return self.volume.read(transfer, buffer);
        }
        let work = (blocks_of(transfer, buffer.len()), buffer.len());
        self.begin(Call::Read, work)?;
        self.require_place()?;
        match transfer {
            Transfer::Fixed(size) if self.faults.has(&[Kind::ReadError, Kind::Recovered]) => {
                let at = self.volume.known_position().unwrap_or_default();
                read_each(size, buffer, at, |part, _| self.read_one(transfer, part))
            }
            Transfer::Variable | Transfer::Fixed(_) => self.read_one(transfer, buffer),
        }
    }

    fn write(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        if !self.is_armed() {
            return self.volume.write(transfer, data);
        }
        let blocks = blocks_of(transfer, data.len());
        self.begin(Call::Write, (blocks, data.len()))?;
        self.require_place()?;
        self.require_writable(Call::Write)?;
        self.uncommitted = true;
        if let Some(unwritable) = self.unwritable(blocks)? {
            return self.write_before(transfer, data, unwritable);
        }
        let done = self.volume.write(transfer, data)?;
        let first = done.position.object.0.saturating_sub(done.count);
        if self.faults.has(&[Kind::Recovered]) {
            for object in first..done.position.object.0 {
                let object = ObjectNumber(object);
                self.recover(
                    Call::Write,
                    Position {
                        object,
                        ..done.position
                    },
                );
            }
        }
        Ok(if done.count > 0 {
            self.warn(Call::Write, done)
        } else {
            done
        })
    }

    /// A further piece of a call that was let through.
    fn extend(&mut self, data: &[u8]) -> Result<Done, Failed> {
        self.volume.extend(data)
    }

    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        if !self.is_armed() {
            return self.volume.execute(motion);
        }
        match motion {
            Motion::WriteMarks { count, mode, .. } => self.write_marks_here(motion, count, mode),
            Motion::Space { .. } => {
                self.begin(Call::Motion, (0, 0))?;
                self.require_place()?;
                self.volume.execute(motion)
            }
            Motion::SpaceToEndOfData | Motion::Locate(_) => {
                self.begin(Call::Motion, (0, 0))?;
                self.found(motion)
            }
            Motion::Rewind => {
                self.begin(Call::Motion, (0, 0))?;
                self.commit_first(Call::Motion)?;
                self.found(motion)
            }
            Motion::Load(_) => self.load_here(motion),
            Motion::Erase(_) => {
                self.begin(Call::Motion, (0, 0))?;
                self.require_place()?;
                self.require_writable(Call::Motion)?;
                self.volume.execute(motion)
            }
            Motion::MakePartitions(_) => {
                self.begin(Call::Motion, (0, 0))?;
                self.require_writable(Call::Motion)?;
                self.found(motion)
            }
        }
    }

    fn unload(&mut self) -> Result<(), Failed> {
        if self.is_armed() {
            self.begin(Call::Load, (0, 0))?;
            self.commit_first(Call::Load)?;
        }
        self.volume.unload()?;
        self.lost = None;
        Ok(())
    }

    fn position(&mut self) -> Result<Position, Failed> {
        if self.is_armed() {
            self.begin(Call::Ready, (0, 0))?;
            self.require_place()?;
        }
        self.volume.position()
    }

    fn capacity(&mut self) -> Result<Capacity, Failed> {
        self.volume.capacity()
    }

    fn set_door(&mut self, door: Door) -> Result<(), Failed> {
        self.volume.set_door(door)
    }

    fn take_recovered(&mut self) -> u32 {
        std::mem::take(&mut self.recovered).saturating_add(self.volume.take_recovered())
    }
}

impl<V: Volume> Volume for Faulty<V> {
    fn take_trouble(&mut self) -> Option<String> {
        self.trouble.take().or_else(|| self.volume.take_trouble())
    }

    fn record_unreadable(&mut self, length_bytes: u32) -> Result<Done, Failed> {
        if self.is_armed() {
            self.begin(Call::Write, (1, 0))?;
            self.require_place()?;
            self.require_writable(Call::Write)?;
        }
        self.volume.record_unreadable(length_bytes)
    }

    fn noted(&self) -> Noted {
        self.volume.noted()
    }

    fn note_not_mirrored(&mut self, from: Option<ObjectNumber>) -> Result<bool, VolumeError> {
        self.volume.note_not_mirrored(from)
    }

    fn known_position(&self) -> Option<Position> {
        let lost = self
            .lost
            .is_some_and(|number| self.faults.has_number(number));
        self.volume.known_position().filter(|_| !lost)
    }

    fn volume_identity(&self) -> VolumeIdentity {
        self.volume.volume_identity()
    }

    fn writability(&mut self) -> Writability {
        match self.is_armed() && self.faults.has(&[Kind::WriteProtect]) {
            true => Writability::Protected,
            false => self.volume.writability(),
        }
    }

    fn attributes(&mut self, partition: PartitionNumber) -> Result<Attributes, AttributesError> {
        self.volume.attributes(partition)
    }

    fn set_attributes(
        &mut self,
        partition: PartitionNumber,
        attributes: &Attributes,
    ) -> Result<(), AttributesError> {
        self.volume.set_attributes(partition, attributes)
    }

    fn lost_when_closed(&mut self) -> Option<VolumeError> {
        self.volume.lost_when_closed()
    }

    fn finish(self: Box<Self>) -> Result<(), VolumeError> {
        Box::new(self.volume).finish()
    }
}
