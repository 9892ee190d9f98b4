//! What a changer refuses, in SCSI's words. docs/CHANGER.md has the same table, and a test compares.

use pseudotape_changer::{Exception, Refusal};

use crate::sense::{Reason, Sense, SenseKey};

/// The one sense of a refusal.
#[must_use]
pub fn refusal_sense(refusal: &Refusal) -> Sense {
    use SenseKey::{HardwareError, IllegalRequest, MediumError, NotReady};
    let (key, reason) = match refusal {
        Refusal::NoSuchElement { .. }
        | Refusal::WrongKind { .. }
        | Refusal::NotReachable { .. } => (IllegalRequest, Reason::INVALID_ELEMENT_ADDRESS),
        Refusal::EmptySource { .. } => (IllegalRequest, Reason::SOURCE_EMPTY),
        Refusal::FullDestination { .. } => (IllegalRequest, Reason::DESTINATION_FULL),
        Refusal::InUse { .. } | Refusal::DoorLocked { .. } => {
            (IllegalRequest, Reason::REMOVAL_PREVENTED_BY_DRIVE)
        }
        Refusal::RemovalPrevented => (IllegalRequest, Reason::REMOVAL_PREVENTED),
        Refusal::NotInvertible => (IllegalRequest, Reason::INVALID_FIELD_IN_CDB),
        Refusal::NotSupported { .. } => (IllegalRequest, Reason::INVALID_OPERATION_CODE),
        Refusal::LoadFailed { .. } | Refusal::UnloadFailed { .. } => {
            (HardwareError, Reason::LOAD_OR_EJECT_FAILED)
        }
        Refusal::MediumError { .. } => (MediumError, Reason::LOAD_OR_EJECT_FAILED),
        Refusal::OutOfStep { .. } => (NotReady, Reason::MANUAL_INTERVENTION),
        Refusal::NotReady { .. } => (NotReady, Reason::NOT_READY),
        // A refusal that came later than this table: something failed.
        Refusal::Failed { .. } | _ => (HardwareError, Reason::INTERNAL_FAILURE),
    };
    Sense::new(key, reason)
}

/// The reason in an element's descriptor.
#[must_use]
pub fn exception_reason(exception: Exception) -> Reason {
    match exception {
        Exception::LoadFailed => Reason::LOAD_OR_EJECT_FAILED,
        Exception::Unlabelled => Reason::LABEL_UNREADABLE,
        Exception::OutOfStep => Reason::MANUAL_INTERVENTION,
        // One that came later than this table.
        _ => Reason::INTERNAL_FAILURE,
    }
}
