//! What command descriptor blocks have in common.

use thiserror::Error;

use crate::bytes::byte;
use crate::sense::{FieldPointer, Reason, Sense};

/// Why a CDB is no command that a unit of this kind takes.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CdbError {
    /// The operation code is not known.
    #[error("operation code {0:02x}h is not known to this kind of unit")]
    Unknown(u8),
    /// The CDB ends before its command does.
    #[error("CDB of {length} bytes: operation code {code:02x}h needs {needed}")]
    Short {
        /// The operation code; 0 of an empty CDB.
        code: u8,
        /// Bytes there.
        length: usize,
        /// Bytes of the command.
        needed: usize,
    },
    /// A field has a value that can't be honoured.
    #[error("{}", Sense::invalid_field(*.0))]
    Field(FieldPointer),
}

impl CdbError {
    /// What the unit answers.
    #[must_use]
    pub fn sense(self) -> Sense {
        match self {
            CdbError::Unknown(_) => Sense::illegal(Reason::INVALID_OPERATION_CODE),
            CdbError::Short { length, .. } => {
                let missing = u16::try_from(length).unwrap_or(u16::MAX);
                Sense::invalid_field(FieldPointer::command(missing))
            }
            CdbError::Field(field) => Sense::invalid_field(field),
        }
    }
}

/// Length of a CDB, by its operation code's group (SPC-4 §4.3.2); `None`: variable, reserved, or the maker's.
#[must_use]
pub fn cdb_length(code: u8) -> Option<usize> {
    match code >> 5 {
        0 => Some(6),
        1 | 2 => Some(10),
        4 => Some(16),
        5 => Some(12),
        _ => None,
    }
}

/// A CDB that is as long as its command.
#[derive(Clone, Copy)]
pub(crate) struct Cdb<'a>(pub(crate) &'a [u8]);

impl<'a> Cdb<'a> {
    /// Checks the length, and that nothing is asked in the last byte (CONTROL): NACA is not supported.
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, CdbError> {
        let Some(&code) = bytes.first() else {
            return Err(CdbError::Short {
                code: 0,
                length: 0,
                needed: 6,
            });
        };
        let needed = cdb_length(code).ok_or(CdbError::Unknown(code))?;
        let Some(bytes) = bytes.get(..needed) else {
            let length = bytes.len();
            return Err(CdbError::Short {
                code,
                length,
                needed,
            });
        };
        Ok(Cdb(bytes))
    }

    /// Refuses NACA; what comes behind knows its operation code.
    pub(crate) fn check_control(self) -> Result<Self, CdbError> {
        const NACA: u8 = 2;
        let last = self.0.len().saturating_sub(1);
        if byte(self.0, last) & 1 << NACA != 0 {
            let at = u16::try_from(last).unwrap_or(u16::MAX);
            return Err(CdbError::Field(FieldPointer::command_bit(at, NACA)));
        }
        Ok(self)
    }

    pub(crate) fn byte(self, at: usize) -> u8 {
        byte(self.0, at)
    }

    pub(crate) fn has_bit(self, at: usize, bit: u8) -> bool {
        self.byte(at) & 1 << bit != 0
    }
}

/// The wrong field as an error.
pub(crate) fn field(at: u16) -> CdbError {
    CdbError::Field(FieldPointer::command(at))
}

/// The same for a field that ends at this bit.
pub(crate) fn field_bit(at: u16, bit: u8) -> CdbError {
    CdbError::Field(FieldPointer::command_bit(at, bit))
}

/// A bit where something is so.
pub(crate) fn flag(on: bool, bit: u8) -> u8 {
    u8::from(on) << bit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cdb_that_ends_early_points_behind_its_last_byte() {
        let error = Cdb::new(&[0x12, 0, 0]).err().unwrap();
        let expected = Sense::invalid_field(FieldPointer::command(3));
        assert_eq!(error.sense(), expected);
        assert!(error.to_string().contains("needs 6"));
    }

    #[test]
    fn an_operation_code_without_a_length_is_not_known() {
        let error = Cdb::new(&[0xff; 16]).err();
        assert_eq!(error, Some(CdbError::Unknown(0xff)));
        let reason = CdbError::Unknown(0xff).sense().reason;
        assert_eq!(reason, Reason::INVALID_OPERATION_CODE);
    }
}
