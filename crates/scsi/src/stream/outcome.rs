//! What a drive did, in SCSI's words (SSC-4 §4.2.20): keys, reasons, residuals.

use pseudotape_tape::{Failed, Stop};

use crate::sense::{FieldPointer, Reason, Sense, SenseKey, StreamFlags};
use crate::tape_unit::tape_sense;

/// Why a motion or transfer ended before its count; `residual` is what was not done of it.
pub(super) fn stopped(stop: Stop, residual: u64) -> Sense {
    let filemark = StreamFlags {
        filemark: true,
        ..StreamFlags::default()
    };
    let end = StreamFlags {
        end_of_medium: true,
        ..StreamFlags::default()
    };
    let length = StreamFlags {
        incorrect_length: true,
        ..StreamFlags::default()
    };
    let (key, reason, stream) = match stop {
        Stop::Filemark => (SenseKey::NoSense, Reason::FILEMARK_DETECTED, filemark),
        Stop::Setmark => (SenseKey::NoSense, Reason::SETMARK_DETECTED, filemark),
        Stop::EndOfData => (
            SenseKey::BlankCheck,
            Reason::END_OF_DATA,
            StreamFlags::default(),
        ),
        Stop::BeginningOfPartition => (SenseKey::NoSense, Reason::BEGINNING_OF_PARTITION, end),
        Stop::EarlyWarning => (SenseKey::NoSense, Reason::END_OF_PARTITION, end),
        Stop::EndOfPartition => (SenseKey::VolumeOverflow, Reason::END_OF_PARTITION, end),
        Stop::IllegalLength => (SenseKey::NoSense, Reason::NONE, length),
    };
    Sense {
        information: Some(residual),
        stream,
        ..Sense::new(key, reason)
    }
}

/// A block of another length than asked for: the difference, negative where the block is longer.
pub(super) fn other_length(asked: u32, block: u32) -> Sense {
    let difference = i64::from(asked) - i64::from(block);
    stopped(Stop::IllegalLength, difference.cast_unsigned())
}

/// A failure of something that has no residual.
pub(super) fn failed(failed: Failed) -> Sense {
    tape_sense(failed.sense)
}

/// The same where a value is refused, and this byte of the CDB holds it.
pub(super) fn failed_field(failed: Failed, byte: u16) -> Sense {
    match failed.sense {
        pseudotape_tape::Sense::IllegalRequest => Sense::invalid_field(FieldPointer::command(byte)),
        _ => tape_sense(failed.sense),
    }
}

/// A failed transfer or motion that leaves a residual, if anything is known to have been done or not.
pub(super) fn failed_after(failed: Failed, residual: u64, byte: u16) -> Sense {
    let sense = failed_field(failed, byte);
    match sense.key {
        SenseKey::MediumError | SenseKey::HardwareError => Sense {
            information: Some(residual),
            ..sense
        },
        _ => sense,
    }
}

/// A failed write: what is damaged is what was to be written.
pub(super) fn failed_write(failed: Failed, residual: u64, byte: u16) -> Sense {
    let sense = failed_after(failed, residual, byte);
    match sense.key {
        SenseKey::MediumError => Sense {
            reason: Reason::WRITE_ERROR,
            ..sense
        },
        _ => sense,
    }
}

/// The initiator gave fewer bytes, or less room, than its command asks for.
pub(super) fn data_missing() -> Sense {
    Sense::new(SenseKey::AbortedCommand, Reason::DATA_PHASE_ERROR)
}

/// The drive did less than was asked and said nothing of why.
pub(super) fn unexplained(residual: u64) -> Sense {
    Sense {
        information: Some(residual),
        ..Sense::new(SenseKey::HardwareError, Reason::INTERNAL_FAILURE)
    }
}
