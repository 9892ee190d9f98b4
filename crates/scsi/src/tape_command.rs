//! The commands of tape drives (SSC-3) that move nothing and change nothing.

use crate::bytes::{Put, be16};
use crate::cdb::{Cdb, CdbError, field_bit};
use crate::primary::PrimaryCommand;

/// Operation codes of these commands.
mod code {
    pub(super) const READ_BLOCK_LIMITS: u8 = 0x05;
    pub(super) const READ_POSITION: u8 = 0x34;
}

/// How READ POSITION answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PositionForm {
    /// 20 bytes, object numbers of 32 bits.
    Short,
    /// The same with numbers of the maker's own (01h); ours are the same.
    ShortVendor,
    /// 32 bytes, with the file number.
    Long,
    /// 32 bytes, object numbers of 64 bits.
    Extended,
}

/// A command that a tape drive takes and that moves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TapeCommand {
    /// One that every unit takes.
    Primary(PrimaryCommand),
    /// READ BLOCK LIMITS.
    ReadBlockLimits,
    /// READ POSITION.
    ReadPosition {
        /// How to answer.
        form: PositionForm,
        /// Room for the answer, of the extended form; the others have a length of their own.
        allocation: u16,
    },
}

impl TapeCommand {
    /// The command of a CDB.
    pub fn decode(bytes: &[u8]) -> Result<Self, CdbError> {
        let cdb = Cdb::new(bytes)?;
        if let Some(primary) = PrimaryCommand::decode(cdb)? {
            return Ok(TapeCommand::Primary(primary));
        }
        let command = match cdb.byte(0) {
            // MLOI: the answer would be another one.
            code::READ_BLOCK_LIMITS if cdb.has_bit(1, 0) => return Err(field_bit(1, 0)),
            code::READ_BLOCK_LIMITS => TapeCommand::ReadBlockLimits,
            code::READ_POSITION => TapeCommand::ReadPosition {
                form: match cdb.byte(1) & 0x1f {
                    0 => PositionForm::Short,
                    1 => PositionForm::ShortVendor,
                    6 => PositionForm::Long,
                    8 => PositionForm::Extended,
                    _ => return Err(field_bit(1, 4)),
                },
                allocation: be16(cdb.0, 7),
            },
            unknown => return Err(CdbError::Unknown(unknown)),
        };
        cdb.check_control()?;
        Ok(command)
    }

    /// The CDB.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match *self {
            TapeCommand::Primary(primary) => primary.encode(),
            TapeCommand::ReadBlockLimits => vec![code::READ_BLOCK_LIMITS, 0, 0, 0, 0, 0],
            TapeCommand::ReadPosition { form, allocation } => {
                let form = match form {
                    PositionForm::Short => 0,
                    PositionForm::ShortVendor => 1,
                    PositionForm::Long => 6,
                    PositionForm::Extended => 8,
                };
                let mut cdb = vec![code::READ_POSITION, form, 0, 0, 0, 0, 0];
                cdb.put16(allocation);
                cdb.push(0);
                cdb
            }
        }
    }
}
