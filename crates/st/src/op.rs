//! `MTIOCTOP` and the requests that are not a tape's (`st_ioctl`).

use pseudotape_mtio::{Booleans, Command, DriverOption, MtOp, Operation};
use pseudotape_tape::{Door, Drive, Mark};

use crate::St;
use crate::errno::{Errno, Refusal};
use crate::marks::Marks;
use crate::settle::Next;
use crate::state::{DoorState, Edge, Motion, PARTITIONS, PerPartition};

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Whether the caller may set options (`CAP_SYS_ADMIN`).
    pub privileged: bool,
}

impl St {
    /// Does an operation (`MTIOCTOP`). What was written and not yet marked is marked first by a
    /// rewind, off-line, seek and backward filemarks; any operation that moves the tape or is not known
    /// leaves nothing to be marked at close.
    pub fn op(&mut self, drive: &mut dyn Drive, op: MtOp, caller: Caller) -> Result<(), Errno> {
        let result = self.operate(drive, op, caller);
        self.answer(result)
    }

    /// Answers an `ioctl` that is not of a tape.
    pub fn other_ioctl(&mut self, drive: &mut dyn Drive, command: u32, caller: Caller) -> Errno {
        self.refuse_request(drive, command, caller).errno()
    }

    fn operate(&mut self, drive: &mut dyn Drive, op: MtOp, caller: Caller) -> Result<(), Refusal> {
        self.require_open()?;
        let MtOp {
            operation,
            mut count,
        } = op;
        if operation == Operation::SetDriveBuffer && !caller.privileged {
            return Err(Refusal::NotPrivileged);
        }
        // st looks at the bits of an option in the count of whatever operation.
        let option = DriverOption::decode(count);
        if self.mode().is_none() && operation != Operation::SetDriveBuffer && option.is_none() {
            return Err(Refusal::ModeUndefined);
        }
        let started_in = self.mount.partition;
        if self.drive.position_lost {
            self.recover_from_reset(drive, operation)?;
        } else {
            self.prepare(drive, operation, &mut count)?;
        }
        if !keeps_motion(operation) {
            self.mount.partitions[started_in].motion = Motion::Idle;
        }
        match (operation, option) {
            (Operation::SetDriveBuffer, Some(option)) => self.set_option(drive, option),
            (Operation::SetPartition, _) => self.choose_partition(drive, count),
            (Operation::MakePartitions, _) => self.make_partitions(drive, count, started_in),
            (Operation::Seek, _) => self.seek(drive, count),
            (Operation::Offline, _) => self.go_offline(drive),
            (Operation::Unload, _) => self.unload(drive),
            (Operation::Load, _) => self.load(drive),
            (Operation::Lock, _) => self.lock_door(drive, Door::Locked),
            (Operation::Unlock, _) => self.lock_door(drive, Door::Unlocked),
            (_, _) => self.operate_in_partition(drive, MtOp { operation, count }),
        }
    }

    /// Operations on the partition that was chosen.
    fn operate_in_partition(&mut self, drive: &mut dyn Drive, op: MtOp) -> Result<(), Refusal> {
        if self.is_ready() {
            self.switch_partition(drive)?;
        }
        let MtOp { operation, count } = op;
        if operation == Operation::Compression {
            return self.set_compression(drive, count & 1 != 0);
        }
        self.mount.require_ready()?;
        match operation {
            Operation::ForwardFilemarks => self.forward_filemarks(drive, count),
            Operation::BackFilemarks => self.back_filemarks(drive, count),
            Operation::ForwardFilemarksBefore => self.forward_filemarks_before(drive, count),
            Operation::BackFilemarksAfter => self.back_filemarks_after(drive, count),
            Operation::ForwardBlocks => self.forward_blocks(drive, count),
            Operation::BackBlocks => self.space_blocks_back(drive, count),
            Operation::ForwardSetmarks => self.forward_setmarks(drive, count),
            Operation::BackSetmarks => self.back_setmarks(drive, count),
            Operation::EndOfData => self.space_to_end(drive),
            Operation::WriteFilemarks => self.write_marks(drive, Marks::FILEMARKS, count),
            Operation::WriteFilemarksImmediate => {
                self.write_marks(drive, Marks::FILEMARKS_AT_ONCE, count)
            }
            Operation::WriteSetmarks => self.write_marks(drive, Marks::of(Mark::Setmark), count),
            Operation::Rewind => self.rewind(drive),
            Operation::Retension => self.retension(drive),
            Operation::Erase => self.erase(drive, count),
            Operation::Nothing => Ok(()),
            Operation::SetBlockSize => self.set_block_size(drive, count),
            Operation::SetDensity => self.set_density(drive, count),
            Operation::SetDriveBuffer => self.set_buffering(drive, count.to_le_bytes()[0]),
            Operation::Reset
            | Operation::SelfTest1
            | Operation::SelfTest2
            | Operation::SelfTest3
            | Operation::Tell
            | Operation::Seek
            | Operation::Offline
            | Operation::Unload
            | Operation::Load
            | Operation::Lock
            | Operation::Unlock
            | Operation::Compression
            | Operation::SetPartition
            | Operation::MakePartitions
            | Operation::Unsupported(_) => Err(Refusal::UnknownOperation(operation.into())),
        }
    }

    /// Ends what reading and writing left open, before the operation itself.
    fn prepare(
        &mut self,
        drive: &mut dyn Drive,
        operation: Operation,
        count: &mut i32,
    ) -> Result<(), Refusal> {
        if self.mount.here().edge == Edge::FilemarkUntold {
            // The head is behind a filemark that the program still has before it.
            let adds = match operation {
                Operation::ForwardFilemarks
                | Operation::ForwardFilemarksBefore
                | Operation::EndOfData => -1,
                Operation::BackFilemarks | Operation::BackFilemarksAfter => 1,
                _ => 0,
            };
            *count = count.wrapping_add(adds);
            let here = self.mount.here();
            if adds != 0 && here.file >= 0 {
                here.file = here.file.wrapping_add(1);
            }
        }
        let next = self.needs_place(operation);
        self.settle(drive, next)?;
        if self.mount.here().motion == Motion::Writing && marks_before(operation) {
            self.mount.require_ready()?;
            self.write_marks(drive, Marks::FILEMARKS, 1)?;
            if matches!(
                operation,
                Operation::BackFilemarks | Operation::BackFilemarksAfter
            ) {
                *count = count.wrapping_add(1);
            }
            self.mount.here().motion = Motion::Idle;
        }
        Ok(())
    }

    fn needs_place(&self, operation: Operation) -> Next {
        let goes_away = match operation {
            // The place in the partition left must be right to come back to it.
            Operation::Seek => {
                !self.has(Booleans::CAN_PARTITIONS)
                    || self.mount.wanted_partition != self.mount.partition
            }
            Operation::Rewind
            | Operation::Offline
            | Operation::Retension
            | Operation::EndOfData
            | Operation::Lock
            | Operation::Load
            | Operation::ForwardFilemarks
            | Operation::ForwardFilemarksBefore
            | Operation::BackFilemarks
            | Operation::BackFilemarksAfter
            | Operation::Compression => true,
            _ => false,
        };
        if goes_away {
            Next::GoesAway
        } else {
            Next::FromHere
        }
    }

    /// After a reset only what finds a place of its own is allowed, and allows everything again.
    fn recover_from_reset(
        &mut self,
        drive: &mut dyn Drive,
        operation: Operation,
    ) -> Result<(), Refusal> {
        if !matches!(
            operation,
            Operation::Rewind
                | Operation::Offline
                | Operation::Load
                | Operation::Retension
                | Operation::Erase
                | Operation::Seek
                | Operation::EndOfData
        ) {
            return Err(Refusal::PositionLost);
        }
        self.forget_position(drive);
        if matches!(
            operation,
            Operation::Rewind | Operation::Seek | Operation::EndOfData
        ) {
            // The settings are restored as far as the drive lets; st ignores errors here.
            if self.has(Booleans::CAN_PARTITIONS) {
                self.mount.partition = 0;
                self.switch_partition(drive).ok(); // st ignores it
            }
            if let Some(density) = self.mount.density_set {
                self.set_density(drive, density).ok(); // st ignores it
            }
            if let Some(size) = self.mount.block_size_set {
                // A MODE SELECT has both: the density that st knows goes along, also where it was just refused.
                let size = Some(size.cast_unsigned());
                let density = Some(self.mount.density);
                self.set_size_and_density(drive, size, density).ok(); // st ignores it
            }
        }
        Ok(())
    }

    /// Forgets where everything is, and that a reset was the reason (`reset_state`).
    pub(crate) fn forget_position(&mut self, drive: &mut dyn Drive) {
        self.drive.position_lost = false;
        self.lookahead.clear();
        self.mount.partitions = [PerPartition::UNKNOWN; PARTITIONS];
        if self.has(Booleans::CAN_PARTITIONS) {
            self.mount.partition = self.find_partition(drive).unwrap_or(0);
        }
    }

    fn go_offline(&mut self, drive: &mut dyn Drive) -> Result<(), Refusal> {
        if self.drive.door != DoorState::Unlocked {
            // st goes on whatever the door does.
            self.lock_door(drive, Door::Unlocked).ok();
        }
        self.unload(drive)
    }

    fn refuse_request(&mut self, drive: &mut dyn Drive, command: u32, caller: Caller) -> Refusal {
        let unknown = Refusal::UnknownRequest(command);
        if let Err(refusal) = self.require_open() {
            return refusal;
        }
        // MTIOCTOP with a structure of another size.
        if command & 0xffff == Command::Operation.number() & 0xffff {
            return unknown;
        }
        if self.mode().is_none() {
            return Refusal::ModeUndefined;
        }
        let settled = self.settle(drive, Next::FromHere);
        if let Err(refusal) = settled.and_then(|()| self.switch_partition(drive)) {
            return refusal;
        }
        match command {
            SG_IO | SCSI_IOCTL_SEND_COMMAND | CDROM_SEND_PACKET if !caller.privileged => {
                Refusal::RawCommand(command)
            }
            _ => unknown,
        }
    }
}

const SG_IO: u32 = 0x2285;
const SCSI_IOCTL_SEND_COMMAND: u32 = 1;
const CDROM_SEND_PACKET: u32 = 0x5393;

/// Operations after which a close still adds what the last transfer asks for.
fn keeps_motion(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::Nothing
            | Operation::SetBlockSize
            | Operation::SetDensity
            | Operation::WriteSetmarks
            | Operation::SetDriveBuffer
            | Operation::SetPartition
    )
}

/// Operations that write a filemark first, where blocks were written last.
fn marks_before(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::Rewind
            | Operation::Offline
            | Operation::Seek
            | Operation::BackFilemarks
            | Operation::BackFilemarksAfter
    )
}
