//! What an error of the image is to a host: the one table.

use pseudotape_image::Error;
use pseudotape_tape::Sense;

/// The sense of an error. Every error is named, so that a new one does not compile before somebody has decided.
pub(crate) fn sense_of(error: &Error) -> Sense {
    match error {
        // The medium is at fault: the tape is behind the place, and reading goes on there.
        Error::DamagedPayload { .. } | Error::BadBlock { .. } | Error::DamagedFrame { .. } => {
            Sense::MediumError
        }
        // What is kept beside the data is at fault; the tape stays where it is.
        Error::AttributesDamaged { .. } | Error::HeaderCopyDamaged { .. } => Sense::MediumError,
        Error::ReadOnly | Error::WriteProtected | Error::DataMissing { .. } => {
            Sense::WriteProtected
        }
        // The caller asked for what no image can do.
        Error::BlockLength { .. }
        | Error::NotWholeBlocks { .. }
        | Error::NotExtendable
        | Error::AttributesTooLong { .. } => Sense::IllegalRequest,
        // The host failed, or has no room. Where something is appended, the drive answers a full host with the
        // physical end instead.
        Error::HostFull { .. } | Error::Host { .. } | Error::CommitFailed { .. } => {
            Sense::HardwareError
        }
        // The drive could not open, make or remove a partition.
        Error::InUse { .. }
        | Error::Unopenable { .. }
        | Error::NotOwn { .. }
        | Error::Absent { .. }
        | Error::Nameless { .. } => Sense::HardwareError,
        // A volume that this program can't use. Opening refuses it before a drive has it.
        Error::NotAnImage { .. }
        | Error::HeaderDamaged { .. }
        | Error::HeaderValue { .. }
        | Error::NewerVersion { .. }
        | Error::UnknownFeatures { .. }
        | Error::ReadOnlyFeatures { .. } => Sense::HardwareError,
        // A limit of the format that no drive's limits keep a host from.
        Error::TooManyMarks { .. } | Error::TextLength { .. } => Sense::HardwareError,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use pseudotape_image::{Absence, Gap, Missing};
    use pseudotape_tape::{FileNumber, ObjectInFile, ObjectNumber};

    use super::*;

    fn host() -> io::Error {
        io::Error::other("the host's reason")
    }

    #[test]
    fn damage_of_the_medium_is_a_medium_error() {
        let gap = Gap {
            offset: 4096,
            bytes: 512,
            first_object: 3,
            objects: 1,
        };
        let at = || {
            Box::new(ObjectInFile {
                object: ObjectNumber(3),
                file: Some(FileNumber(1)),
                block: Some(0),
            })
        };
        for error in [
            Error::DamagedPayload {
                at: at(),
                offset: 4096,
                length: 512,
            },
            Error::BadBlock {
                at: at(),
                length: 512,
            },
            Error::DamagedFrame { at: at(), gap },
        ] {
            assert!(error.is_damage(), "{error}");
            assert_eq!(sense_of(&error), Sense::MediumError, "{error}");
        }
    }

    #[test]
    fn damage_beside_the_data_is_a_medium_error() {
        for error in [
            Error::AttributesDamaged {
                offsets: [512, 12800],
            },
            Error::HeaderCopyDamaged { offset: 0 },
        ] {
            assert_eq!(sense_of(&error), Sense::MediumError, "{error}");
        }
    }

    #[test]
    fn what_can_not_be_written_is_write_protected() {
        let missing = Missing {
            from_object: 3,
            bytes: 512,
        };
        for error in [
            Error::ReadOnly,
            Error::WriteProtected,
            Error::DataMissing { missing },
        ] {
            assert_eq!(sense_of(&error), Sense::WriteProtected, "{error}");
        }
    }

    #[test]
    fn what_no_image_can_do_is_an_illegal_request() {
        for error in [
            Error::BlockLength { length: 0, max: 9 },
            Error::NotWholeBlocks {
                length: 9,
                block_size: 4,
            },
            Error::NotExtendable,
            Error::AttributesTooLong { max: 9 },
        ] {
            assert_eq!(sense_of(&error), Sense::IllegalRequest, "{error}");
        }
    }

    #[test]
    fn a_host_that_fails_is_a_hardware_error() {
        for error in [
            Error::HostFull {
                offset: 4096,
                wanted_bytes: 512,
                source: host(),
            },
            Error::Host {
                action: "write",
                offset: 4096,
                source: host(),
            },
            Error::CommitFailed { from_object: 3 },
            Error::InUse {
                path: "tape.ptape".into(),
            },
            Error::Unopenable {
                path: "tape.ptape".into(),
                action: "open",
                source: host(),
            },
            Error::NotOwn {
                path: "tape.ptape.p1".into(),
            },
            Error::Absent {
                path: "tape.ptape".into(),
                absence: Absence::Cut { length: 1, end: 2 },
            },
            Error::Nameless {
                path: "/proc/self/fd/3".into(),
            },
        ] {
            assert_eq!(sense_of(&error), Sense::HardwareError, "{error}");
        }
    }

    #[test]
    fn a_volume_that_can_not_be_used_is_a_hardware_error() {
        for error in [
            Error::NotAnImage { copy_offset: 4096 },
            Error::HeaderDamaged { copy_offset: 4096 },
            Error::HeaderValue {
                field: "partition",
                value: 9,
                allowed: "below the count of partitions",
            },
            Error::NewerVersion {
                found: 9,
                supported: 1,
            },
            Error::UnknownFeatures { bits: 1 },
            Error::ReadOnlyFeatures { bits: 1 },
        ] {
            assert_eq!(sense_of(&error), Sense::HardwareError, "{error}");
        }
    }

    #[test]
    fn limits_of_the_format_are_hardware_errors() {
        for error in [
            Error::TooManyMarks { max: 9 },
            Error::TextLength {
                what: "label",
                length: 99,
                max: 9,
            },
        ] {
            assert_eq!(sense_of(&error), Sense::HardwareError, "{error}");
        }
    }
}
