//! The one table of errnos: why st refuses, and what the program sees.

use std::fmt;

use pseudotape_tape::{Sense, Stop};

/// An error number as a program sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Errno {
    /// Operation not permitted.
    Perm = 1,
    /// Input/output error.
    Io = 5,
    /// No such device or address.
    NoDevice = 6,
    /// Bad file descriptor.
    BadDescriptor = 9,
    /// Cannot allocate memory.
    NoMemory = 12,
    /// Permission denied.
    Access = 13,
    /// Device or resource busy.
    Busy = 16,
    /// Invalid argument.
    Invalid = 22,
    /// No space left on device.
    NoSpace = 28,
    /// Read-only file system.
    ReadOnly = 30,
    /// Function not implemented.
    NotImplemented = 38,
    /// No medium found.
    NoMedium = 123,
}

impl Errno {
    /// The number.
    #[must_use]
    pub fn code(self) -> i32 {
        self as i32
    }

    /// The name as in `errno.h`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Errno::Perm => "EPERM",
            Errno::Io => "EIO",
            Errno::NoDevice => "ENXIO",
            Errno::BadDescriptor => "EBADF",
            Errno::NoMemory => "ENOMEM",
            Errno::Access => "EACCES",
            Errno::Busy => "EBUSY",
            Errno::Invalid => "EINVAL",
            Errno::NoSpace => "ENOSPC",
            Errno::ReadOnly => "EROFS",
            Errno::NotImplemented => "ENOSYS",
            Errno::NoMedium => "ENOMEDIUM",
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a call was refused or failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A call came without an open file.
    NotOpen,
    /// The drive is open or being opened.
    InUse,
    /// The medium is write protected and the open asks to write.
    ProtectedMedium,
    /// Writing through a file opened to read, or on a protected medium.
    ReadOnly,
    /// The node's mode was never defined.
    ModeUndefined,
    /// No medium is in the drive.
    NoMedium,
    /// The drive is not ready for another reason.
    NotReady,
    /// READ POSITION, LOCATE and the compression page want a ready drive.
    NoPositionWithoutMedium,
    /// The drive was reset and nothing has rewound since.
    PositionLost,
    /// A block, or the block size, is outside the drive's limits.
    OutsideLimits(u64),
    /// The count is no multiple of the block size.
    PartialBlock { count: usize, block_size: u32 },
    /// The block was longer than the buffer.
    BufferTooSmall { block: u32, buffer: usize },
    /// In fixed block mode, a block of another length.
    WrongBlockSize(u32),
    /// Reading at the end of data once the zeros are used up.
    EndOfData,
    /// Early warning, told once between two writes.
    EarlyWarning,
    /// The physical end.
    NoSpace,
    /// Filemarks do not fit before the physical end.
    MarksDoNotFit,
    /// There is no memory for the driver's buffer.
    NoBuffer(usize),
    /// The drive gave marks up in the middle: nobody waits for the others.
    GivenUp,
    /// A motion ended before its count.
    Stopped(Stop),
    /// The drive failed.
    Drive(Sense),
    /// `MTSETDRVBUFFER` by a caller without privilege.
    NotPrivileged,
    /// An operation that st doesn't know.
    UnknownOperation(i16),
    /// An option form that st doesn't know.
    UnknownOption(u32),
    /// `MT_ST_SET_CLN` with a byte outside the sense data.
    CleaningByte(u8),
    /// Partitions are not allowed, or the medium hasn't this one.
    NoSuchPartition(i32),
    /// A partition size that can't be expressed.
    PartitionSize(i32),
    /// The drive is not willing to cut the medium.
    PartitioningFailed(Sense),
    /// The drive can't compress.
    NoCompression,
    /// The defaults of the mode don't suit the drive.
    DefaultsRefused,
    /// More blocks were read ahead than can be counted back.
    TooFarAhead,
    /// A request number that is not of a tape.
    UnknownRequest(u32),
    /// A raw SCSI command by a caller without privilege.
    RawCommand(u32),
}

impl Refusal {
    /// What the program sees: each line copies the behaviour of st that it names.
    pub(crate) fn errno(self) -> Errno {
        match self {
            // VFS: a closed descriptor.
            Refusal::NotOpen => Errno::BadDescriptor,
            // st_open: in_use.
            Refusal::InUse => Errno::Busy,
            // check_tape: a blocking open to write on a protected medium.
            Refusal::ProtectedMedium => Errno::ReadOnly,
            // st_write, st_int_ioctl (MTWEOF, MTWSM, MTERASE): write_prot.
            Refusal::ReadOnly => Errno::Access,
            // rw_checks, st_ioctl: !defined.
            Refusal::ModeUndefined => Errno::NoDevice,
            // st_open, rw_checks, st_int_ioctl, do_load_unload: ST_NO_TAPE.
            Refusal::NoMedium => Errno::NoMedium,
            // the same places: ST_NOT_READY.
            Refusal::NotReady => Errno::Io,
            // get_location, set_location, st_compression, nbr_partitions: not ST_READY.
            Refusal::NoPositionWithoutMedium => Errno::Io,
            // rw_checks, flush_buffer, st_ioctl: pos_unknown.
            Refusal::PositionLost => Errno::Io,
            // rw_checks, st_int_ioctl (MTSETBLK): min_block, max_block.
            Refusal::OutsideLimits(_) => Errno::Invalid,
            // st_write; st_read where read-ahead is off.
            Refusal::PartialBlock { .. } => Errno::Invalid,
            // read_tape: ILI with a negative residual.
            Refusal::BufferTooSmall { .. } => Errno::NoMemory,
            // read_tape: ILI in fixed block mode and nothing read.
            Refusal::WrongBlockSize(_) => Errno::Io,
            // st_read: ST_EOD; read_tape: BLANK CHECK not behind a filemark.
            Refusal::EndOfData => Errno::Io,
            // st_write: ST_EOM_OK, or EOM with everything undone.
            Refusal::EarlyWarning | Refusal::NoSpace => Errno::NoSpace,
            // st_int_ioctl (MTWEOF), st_flush: VOLUME OVERFLOW.
            Refusal::MarksDoNotFit => Errno::Io,
            // Ours: only this call fails, and no other drive notices.
            Refusal::NoBuffer(_) => Errno::NoMemory,
            // Ours: st waits for the drive, whatever happens to its caller.
            Refusal::GivenUp => Errno::Io,
            // st_int_ioctl, set_location: CHECK CONDITION whatever the reason.
            Refusal::Stopped(stop) => match stop {
                Stop::Filemark
                | Stop::Setmark
                | Stop::EndOfData
                | Stop::BeginningOfPartition
                | Stop::EarlyWarning
                | Stop::EndOfPartition
                | Stop::IllegalLength => Errno::Io,
            },
            // st_chk_result: every sense key but RECOVERED ERROR.
            Refusal::Drive(sense) | Refusal::PartitioningFailed(sense) => match sense {
                // Ours: as for a device that the bus has lost, whose node is gone.
                Sense::NoDrive => Errno::NoDevice,
                // Not ENOMEDIUM: st asks TEST UNIT READY only when opening and loading.
                Sense::NoMedium
                | Sense::NotReady
                | Sense::MediumChanged
                | Sense::Reset
                | Sense::WriteProtected
                | Sense::WormOverwrite
                | Sense::MediumError
                | Sense::HardwareError
                | Sense::IllegalRequest => Errno::Io,
            },
            // st_ioctl: !capable(CAP_SYS_ADMIN).
            Refusal::NotPrivileged => Errno::Perm,
            // st_int_ioctl: default.
            Refusal::UnknownOperation(_) => Errno::NotImplemented,
            // st_set_options: else.
            Refusal::UnknownOption(_) => Errno::Io,
            // st_set_options: MT_ST_SET_CLN.
            Refusal::CleaningByte(_) => Errno::Invalid,
            // st_ioctl (MTSETPART, MTMKPART), set_location.
            Refusal::NoSuchPartition(_) => Errno::Invalid,
            // partition_tape: does not fit into two bytes.
            Refusal::PartitionSize(_) => Errno::Invalid,
            // st_compression: no page, or DCC is off.
            Refusal::NoCompression => Errno::Io,
            // set_mode_densblk: modes_defined.
            Refusal::DefaultsRefused => Errno::Invalid,
            // flush_buffer: MTBSR fails.
            Refusal::TooFarAhead => Errno::Io,
            // scsi_ioctl: not for a tape.
            Refusal::UnknownRequest(_) => Errno::Invalid,
            // st_ioctl: !capable(CAP_SYS_RAWIO).
            Refusal::RawCommand(_) => Errno::Perm,
        }
    }

    /// Whether this is worth keeping as the drive's last error: not what only a caller did wrong, nor
    /// what is news and no error.
    pub(crate) fn concerns_the_drive(self) -> bool {
        match self {
            Refusal::PositionLost
            | Refusal::MarksDoNotFit
            | Refusal::GivenUp
            | Refusal::Drive(_)
            | Refusal::PartitioningFailed(_)
            | Refusal::WrongBlockSize(_)
            | Refusal::DefaultsRefused
            | Refusal::ProtectedMedium => true,
            Refusal::NotOpen
            | Refusal::InUse
            | Refusal::ReadOnly
            | Refusal::ModeUndefined
            | Refusal::NoMedium
            | Refusal::NotReady
            | Refusal::NoPositionWithoutMedium
            | Refusal::OutsideLimits(_)
            | Refusal::PartialBlock { .. }
            | Refusal::BufferTooSmall { .. }
            | Refusal::EndOfData
            | Refusal::EarlyWarning
            | Refusal::NoSpace
            | Refusal::Stopped(_)
            | Refusal::NoBuffer(_)
            | Refusal::NotPrivileged
            | Refusal::UnknownOperation(_)
            | Refusal::UnknownOption(_)
            | Refusal::CleaningByte(_)
            | Refusal::NoSuchPartition(_)
            | Refusal::PartitionSize(_)
            | Refusal::NoCompression
            | Refusal::TooFarAhead
            | Refusal::UnknownRequest(_)
            | Refusal::RawCommand(_) => false,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NotOpen => write!(f, "the drive is not open"),
            Refusal::InUse => write!(f, "the drive is in use"),
            Refusal::ProtectedMedium => write!(f, "the medium is write protected"),
            Refusal::ReadOnly => write!(f, "opened to read only, or the medium is write protected"),
            Refusal::ModeUndefined => write!(f, "the mode of this node is not defined"),
            Refusal::NoMedium => write!(f, "no medium"),
            Refusal::NotReady => write!(f, "the drive is not ready"),
            Refusal::NoPositionWithoutMedium => write!(f, "no position without a ready medium"),
            Refusal::PositionLost => {
                write!(f, "the drive was reset: position lost until rewind")
            }
            Refusal::OutsideLimits(length) => {
                write!(f, "{length} bytes are outside the drive's block limits")
            }
            Refusal::PartialBlock { count, block_size } => {
                write!(
                    f,
                    "{count} bytes are no multiple of the block size {block_size}"
                )
            }
            Refusal::BufferTooSmall { block, buffer } => {
                write!(f, "a block of {block} bytes met a buffer of {buffer}")
            }
            Refusal::WrongBlockSize(length) => {
                write!(
                    f,
                    "a block of {length} bytes is not of the fixed block size"
                )
            }
            Refusal::EndOfData => write!(f, "read at the end of data"),
            Refusal::EarlyWarning | Refusal::NoSpace => write!(f, "end of the tape"),
            Refusal::MarksDoNotFit => write!(f, "filemarks do not fit before the physical end"),
            Refusal::NoBuffer(length) => write!(f, "no memory for a buffer of {length} bytes"),
            Refusal::GivenUp => write!(f, "given up in the middle: nobody waits for the others"),
            Refusal::Stopped(stop) => write!(f, "stopped by {}", name_of(*stop)),
            Refusal::Drive(sense) => write!(f, "{sense}"),
            Refusal::NotPrivileged => write!(f, "only root may set options"),
            Refusal::UnknownOperation(number) => write!(f, "unknown operation {number}"),
            Refusal::UnknownOption(bits) => write!(f, "unknown option {bits:#010x}"),
            Refusal::CleaningByte(byte) => write!(f, "no byte {byte} in extended sense data"),
            Refusal::NoSuchPartition(number) => write!(f, "no partition {number}"),
            Refusal::PartitionSize(size) => write!(f, "no partition can have {size} MB"),
            Refusal::PartitioningFailed(sense) => write!(f, "partitioning failed: {sense}"),
            Refusal::NoCompression => write!(f, "the drive can't compress"),
            Refusal::DefaultsRefused => {
                write!(f, "the drive refused the default block size or density")
            }
            Refusal::TooFarAhead => write!(f, "too many blocks were read ahead"),
            Refusal::UnknownRequest(number) => write!(f, "unknown request {number:#010x}"),
            Refusal::RawCommand(number) => {
                write!(f, "only root may send raw commands ({number:#06x})")
            }
        }
    }
}

fn name_of(stop: Stop) -> &'static str {
    match stop {
        Stop::Filemark => "a filemark",
        Stop::Setmark => "a setmark",
        Stop::EndOfData => "the end of data",
        Stop::BeginningOfPartition => "the beginning of the partition",
        Stop::EarlyWarning => "early warning",
        Stop::EndOfPartition => "the physical end",
        Stop::IllegalLength => "a block of another length",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errno_is_written_as_its_name() {
        assert_eq!(Errno::NoSpace.to_string(), "ENOSPC");
        assert_eq!(Errno::NoMedium.to_string(), "ENOMEDIUM");
    }

    #[test]
    fn a_motion_that_was_stopped_says_by_what() {
        let said = |stop| Refusal::Stopped(stop).to_string();
        assert_eq!(said(Stop::Filemark), "stopped by a filemark");
        assert_eq!(said(Stop::EndOfData), "stopped by the end of data");
        assert_eq!(
            said(Stop::IllegalLength),
            "stopped by a block of another length"
        );
    }
}
