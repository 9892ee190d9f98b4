//! The commands of tape drives (SSC-4) out of their CDBs.

use pseudotape_tape::{
    Address, EraseExtent, LoadKind, Mark, ObjectNumber, PartitionNumber, SpaceUnit, WriteMode,
};

use crate::bytes::{be16, be24, be32, be64};
use crate::cdb::{Cdb, CdbError, field, field_bit};
use crate::primary::Form;
use crate::tape_command::TapeCommand;

/// Operation codes of these commands.
pub(crate) mod code {
    pub(crate) const REWIND: u8 = 0x01;
    pub(crate) const FORMAT_MEDIUM: u8 = 0x04;
    pub(crate) const READ_6: u8 = 0x08;
    pub(crate) const WRITE_6: u8 = 0x0a;
    pub(crate) const SET_CAPACITY: u8 = 0x0b;
    pub(crate) const WRITE_FILEMARKS_6: u8 = 0x10;
    pub(crate) const SPACE_6: u8 = 0x11;
    pub(crate) const VERIFY_6: u8 = 0x13;
    pub(crate) const MODE_SELECT_6: u8 = 0x15;
    pub(crate) const ERASE_6: u8 = 0x19;
    pub(crate) const LOAD_UNLOAD: u8 = 0x1b;
    pub(crate) const LOCATE_10: u8 = 0x2b;
    pub(crate) const REPORT_DENSITY: u8 = 0x44;
    pub(crate) const MODE_SELECT_10: u8 = 0x55;
    pub(crate) const WRITE_FILEMARKS_16: u8 = 0x80;
    pub(crate) const READ_16: u8 = 0x88;
    pub(crate) const WRITE_16: u8 = 0x8a;
    pub(crate) const READ_ATTRIBUTE: u8 = 0x8c;
    pub(crate) const WRITE_ATTRIBUTE: u8 = 0x8d;
    pub(crate) const VERIFY_16: u8 = 0x8f;
    pub(crate) const SPACE_16: u8 = 0x91;
    pub(crate) const LOCATE_16: u8 = 0x92;
    pub(crate) const ERASE_16: u8 = 0x93;
    pub(crate) const MAINTENANCE_IN: u8 = 0xa3;
    /// Service action of MAINTENANCE IN: REPORT SUPPORTED OPERATION CODES.
    pub(crate) const REPORT_OPERATIONS: u8 = 0x0c;
}

/// How the blocks of a transfer are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counted {
    /// FIXED is 0: one block of so many bytes.
    Bytes(u32),
    /// FIXED is 1: so many blocks of the mode's length.
    Blocks(u32),
}

/// Where a command of 16 bytes begins.
pub type At = Option<Address>;

/// Which attributes READ ATTRIBUTE wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttributeRequest {
    /// Their values.
    Values,
    /// Which there are.
    List,
    /// Which logical volumes there are.
    Volumes,
    /// Which partitions there are.
    Partitions,
    /// Which could be.
    Supported,
}

/// Where LOCATE goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// To an object.
    Object(u64),
    /// To the first object behind so many filemarks.
    File(u64),
    /// To the end of data.
    EndOfData,
}

/// Which commands REPORT SUPPORTED OPERATION CODES is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperationsRequest {
    /// All of them.
    All,
    /// The one of this code, which has no service actions.
    Code(u8),
    /// The one of this code and service action.
    Action(u8, u16),
    /// The one of this code, with the service action if it has any.
    Either(u8, u16),
}

/// A command that a tape drive takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamCommand {
    /// One that moves nothing and changes nothing of the tape, or that every unit takes.
    Look(TapeCommand),
    /// READ, 6 or 16.
    Read {
        /// How much.
        counted: Counted,
        /// SILI: a block of another length is no news.
        any_length: bool,
        /// Where, of the command of 16 bytes.
        at: At,
    },
    /// WRITE, 6 or 16.
    Write {
        /// How much.
        counted: Counted,
        /// Where, of the command of 16 bytes.
        at: At,
    },
    /// VERIFY, 6 or 16.
    Verify {
        /// How much.
        counted: Counted,
        /// BYTCMP: data come with the command, and are compared.
        compare: bool,
        /// Where, of the command of 16 bytes.
        at: At,
    },
    /// WRITE FILEMARKS, 6 or 16.
    WriteMarks {
        /// Which mark.
        mark: Mark,
        /// How many.
        count: u32,
        /// IMMED.
        mode: WriteMode,
        /// Where, of the command of 16 bytes.
        at: At,
    },
    /// SPACE, 6 or 16.
    Space {
        /// What is counted.
        unit: SpaceUnit,
        /// How many; backwards where it is negative.
        count: i64,
    },
    /// SPACE to the end of data.
    SpaceToEndOfData,
    /// LOCATE, 10 or 16.
    Locate {
        /// The partition, with CP.
        partition: Option<u8>,
        /// Where to.
        to: Destination,
        /// The byte of the CDB that names the partition.
        partition_byte: u16,
    },
    /// ERASE, 6 or 16.
    Erase {
        /// LONG.
        extent: EraseExtent,
        /// Where, of the command of 16 bytes.
        at: At,
    },
    /// REWIND.
    Rewind,
    /// LOAD.
    Load(LoadKind),
    /// UNLOAD.
    Unload,
    /// FORMAT MEDIUM.
    Format {
        /// FORMAT: 0 one partition, 1 as the mode page says, 2 both.
        format: u8,
    },
    /// SET CAPACITY to the whole medium.
    SetCapacity,
    /// MODE SELECT, 6 or 10.
    ModeSelect {
        /// Which of the two commands.
        form: Form,
        /// PF: pages come behind the descriptor.
        pages: bool,
        /// Bytes of data.
        length: u16,
    },
    /// READ ATTRIBUTE.
    ReadAttribute {
        /// What of them.
        request: AttributeRequest,
        /// Of which partition.
        partition: u8,
        /// The first one that is wanted.
        first: u16,
        /// Room for the answer.
        allocation: u32,
    },
    /// WRITE ATTRIBUTE.
    WriteAttribute {
        /// Of which partition.
        partition: u8,
        /// Bytes of data.
        length: u32,
    },
    /// REPORT DENSITY SUPPORT.
    ReportDensity {
        /// MEDIA: only what the medium in the drive can have.
        of_medium: bool,
        /// Room for the answer.
        allocation: u16,
    },
    /// REPORT SUPPORTED OPERATION CODES.
    ReportOperations {
        /// Which.
        request: OperationsRequest,
        /// RCTD: with a descriptor of timeouts.
        timeouts: bool,
        /// Room for the answer.
        allocation: u32,
    },
}

impl StreamCommand {
    /// The command of a CDB.
    pub fn decode(bytes: &[u8]) -> Result<Self, CdbError> {
        let cdb = Cdb::new(bytes)?;
        let command = match cdb.byte(0) {
            code::READ_6 => StreamCommand::Read {
                counted: counted(cdb, 2),
                any_length: any_length(cdb)?,
                at: None,
            },
            code::WRITE_6 => StreamCommand::Write {
                counted: counted(cdb, 2),
                at: None,
            },
            code::READ_16 => StreamCommand::Read {
                counted: counted(cdb, 12),
                any_length: any_length(cdb)?,
                at: explicit(cdb),
            },
            code::WRITE_16 => StreamCommand::Write {
                counted: counted(cdb, 12),
                at: explicit(cdb),
            },
            code::VERIFY_6 => verify(cdb, 2, None)?,
            code::VERIFY_16 => verify(cdb, 12, explicit(cdb))?,
            code::WRITE_FILEMARKS_6 => StreamCommand::WriteMarks {
                mark: match cdb.has_bit(1, 1) {
                    true => Mark::Setmark,
                    false => Mark::Filemark,
                },
                count: be24(cdb.0, 2),
                mode: write_mode(cdb),
                at: None,
            },
            code::WRITE_FILEMARKS_16 => StreamCommand::WriteMarks {
                mark: Mark::Filemark,
                count: be24(cdb.0, 12),
                mode: write_mode(cdb),
                at: explicit(cdb),
            },
            code::SPACE_6 => space(cdb, signed24(be24(cdb.0, 2)))?,
            code::SPACE_16 => space_16(cdb)?,
            code::LOCATE_10 => locate_10(cdb)?,
            code::LOCATE_16 => locate_16(cdb)?,
            code::ERASE_6 => StreamCommand::Erase {
                extent: extent(cdb),
                at: None,
            },
            code::ERASE_16 => StreamCommand::Erase {
                extent: extent(cdb),
                at: explicit(cdb),
            },
            code::REWIND => StreamCommand::Rewind,
            code::LOAD_UNLOAD => load(cdb)?,
            code::FORMAT_MEDIUM => format(cdb)?,
            code::SET_CAPACITY => set_capacity(cdb)?,
            _ => return Self::parameters(cdb, bytes),
        };
        cdb.check_control()?;
        Ok(command)
    }

    /// Commands with parameter data; all others are for every transport.
    fn parameters(cdb: Cdb<'_>, bytes: &[u8]) -> Result<Self, CdbError> {
        let command = match cdb.byte(0) {
            code::MODE_SELECT_6 => mode_select(cdb, Form::Six, u16::from(cdb.byte(4)))?,
            code::MODE_SELECT_10 => mode_select(cdb, Form::Ten, be16(cdb.0, 7))?,
            code::READ_ATTRIBUTE => read_attribute(cdb)?,
            code::WRITE_ATTRIBUTE => write_attribute(cdb)?,
            code::REPORT_DENSITY => {
                if cdb.has_bit(1, 1) {
                    // MEDIUM TYPE: descriptors of kinds of media.
                    return Err(field_bit(1, 1));
                }
                StreamCommand::ReportDensity {
                    of_medium: cdb.has_bit(1, 0),
                    allocation: be16(cdb.0, 7),
                }
            }
            code::MAINTENANCE_IN => report_operations(cdb)?,
            _ => return TapeCommand::decode(bytes).map(StreamCommand::Look),
        };
        cdb.check_control()?;
        Ok(command)
    }
}

fn counted(cdb: Cdb<'_>, at: usize) -> Counted {
    match cdb.has_bit(1, 0) {
        true => Counted::Blocks(be24(cdb.0, at)),
        false => Counted::Bytes(be24(cdb.0, at)),
    }
}

/// SILI, which does not go with FIXED.
fn any_length(cdb: Cdb<'_>) -> Result<bool, CdbError> {
    match (cdb.has_bit(1, 1), cdb.has_bit(1, 0)) {
        (true, true) => Err(field_bit(1, 1)),
        (any_length, _) => Ok(any_length),
    }
}

/// PARTITION and LOGICAL OBJECT IDENTIFIER of the commands of 16 bytes.
fn explicit(cdb: Cdb<'_>) -> At {
    Some(Address {
        partition: Some(PartitionNumber(cdb.byte(3))),
        object: ObjectNumber(be64(cdb.0, 4)),
    })
}

fn write_mode(cdb: Cdb<'_>) -> WriteMode {
    match cdb.has_bit(1, 0) {
        true => WriteMode::Immediate,
        false => WriteMode::Commit,
    }
}

fn extent(cdb: Cdb<'_>) -> EraseExtent {
    match cdb.has_bit(1, 0) {
        true => EraseExtent::Long,
        false => EraseExtent::Short,
    }
}

fn verify(cdb: Cdb<'_>, length_at: usize, at: At) -> Result<StreamCommand, CdbError> {
    // VTE, VLBPM, VBF: to the end, with protection, by filemarks.
    for bit in [5, 4, 3] {
        if cdb.has_bit(1, bit) {
            return Err(field_bit(1, bit));
        }
    }
    let compare = cdb.has_bit(1, 1);
    if compare && cdb.has_bit(1, 2) {
        // IMMED: the data would be gone before they are compared.
        return Err(field_bit(1, 2));
    }
    Ok(StreamCommand::Verify {
        counted: counted(cdb, length_at),
        compare,
        at,
    })
}

/// A number of 24 bits in two's complement.
fn signed24(bits: u32) -> i64 {
    const SIGN: u32 = 1 << 23;
    match bits & SIGN {
        0 => i64::from(bits),
        _ => i64::from(bits) - (1 << 24),
    }
}

fn space(cdb: Cdb<'_>, count: i64) -> Result<StreamCommand, CdbError> {
    let unit = match cdb.byte(1) & 0xf {
        0 => SpaceUnit::Blocks,
        1 => SpaceUnit::Filemarks,
        3 => return Ok(StreamCommand::SpaceToEndOfData),
        4 => SpaceUnit::Setmarks,
        // Sequential marks (2, 5), and what is reserved.
        _ => return Err(field_bit(1, 3)),
    };
    Ok(StreamCommand::Space { unit, count })
}

fn space_16(cdb: Cdb<'_>) -> Result<StreamCommand, CdbError> {
    if be16(cdb.0, 12) != 0 {
        // Parameter data, which no code here has.
        return Err(field(12));
    }
    space(cdb, be64(cdb.0, 4).cast_signed())
}

fn locate_10(cdb: Cdb<'_>) -> Result<StreamCommand, CdbError> {
    Ok(StreamCommand::Locate {
        // BT, the maker's own numbers: ours are the same.
        partition: cdb.has_bit(1, 1).then(|| cdb.byte(8)),
        to: Destination::Object(be32(cdb.0, 3).into()),
        partition_byte: 8,
    })
}

fn locate_16(cdb: Cdb<'_>) -> Result<StreamCommand, CdbError> {
    let number = be64(cdb.0, 4);
    Ok(StreamCommand::Locate {
        partition: cdb.has_bit(1, 1).then(|| cdb.byte(3)),
        to: match cdb.byte(1) >> 3 & 7 {
            0 => Destination::Object(number),
            1 => Destination::File(number),
            3 => Destination::EndOfData,
            _ => return Err(field_bit(1, 5)),
        },
        partition_byte: 3,
    })
}

fn load(cdb: Cdb<'_>) -> Result<StreamCommand, CdbError> {
    const LOAD: u8 = 0;
    const RETENSION: u8 = 1;
    const END_OF_TAPE: u8 = 2;
    const HOLD: u8 = 3;
    let at_end = cdb.has_bit(4, END_OF_TAPE);
    if cdb.has_bit(4, HOLD) {
        return Err(field_bit(4, HOLD));
    }
    match (cdb.has_bit(4, LOAD), cdb.has_bit(4, RETENSION)) {
        (true, _) if at_end => Err(field_bit(4, END_OF_TAPE)),
        (false, true) if at_end => Err(field_bit(4, END_OF_TAPE)),
        (true, true) => Ok(StreamCommand::Load(LoadKind::Retension)),
        (true, false) => Ok(StreamCommand::Load(LoadKind::Load)),
        (false, _) => Ok(StreamCommand::Unload),
    }
}

fn format(cdb: Cdb<'_>) -> Result<StreamCommand, CdbError> {
    let format = cdb.byte(2) & 0xf;
    if format > 2 {
        return Err(field_bit(2, 3));
    }
    if be16(cdb.0, 3) != 0 {
        // Data of the maker's own.
        return Err(field(3));
    }
    Ok(StreamCommand::Format { format })
}

fn set_capacity(cdb: Cdb<'_>) -> Result<StreamCommand, CdbError> {
    const WHOLE: u16 = u16::MAX;
    match be16(cdb.0, 3) {
        WHOLE => Ok(StreamCommand::SetCapacity),
        _ => Err(field(3)),
    }
}

fn mode_select(cdb: Cdb<'_>, form: Form, length: u16) -> Result<StreamCommand, CdbError> {
    if cdb.has_bit(1, 0) {
        // SP: there is nothing to save to.
        return Err(field_bit(1, 0));
    }
    Ok(StreamCommand::ModeSelect {
        form,
        pages: cdb.has_bit(1, 4),
        length,
    })
}

/// There is one logical volume: 0.
fn check_volume(cdb: Cdb<'_>) -> Result<(), CdbError> {
    match cdb.byte(5) {
        0 => Ok(()),
        _ => Err(field(5)),
    }
}

fn read_attribute(cdb: Cdb<'_>) -> Result<StreamCommand, CdbError> {
    check_volume(cdb)?;
    Ok(StreamCommand::ReadAttribute {
        request: match cdb.byte(1) & 0x1f {
            0 => AttributeRequest::Values,
            1 => AttributeRequest::List,
            2 => AttributeRequest::Volumes,
            3 => AttributeRequest::Partitions,
            5 => AttributeRequest::Supported,
            _ => return Err(field_bit(1, 4)),
        },
        partition: cdb.byte(7),
        first: be16(cdb.0, 8),
        allocation: be32(cdb.0, 10),
    })
}

fn write_attribute(cdb: Cdb<'_>) -> Result<StreamCommand, CdbError> {
    check_volume(cdb)?;
    Ok(StreamCommand::WriteAttribute {
        partition: cdb.byte(7),
        length: be32(cdb.0, 10),
    })
}

fn report_operations(cdb: Cdb<'_>) -> Result<StreamCommand, CdbError> {
    if cdb.byte(1) & 0x1f != code::REPORT_OPERATIONS {
        return Err(field_bit(1, 4));
    }
    let (asked, action) = (cdb.byte(3), be16(cdb.0, 4));
    Ok(StreamCommand::ReportOperations {
        request: match cdb.byte(2) & 7 {
            0 => OperationsRequest::All,
            1 => OperationsRequest::Code(asked),
            2 => OperationsRequest::Action(asked, action),
            3 => OperationsRequest::Either(asked, action),
            _ => return Err(field_bit(2, 2)),
        },
        timeouts: cdb.has_bit(2, 7),
        allocation: be32(cdb.0, 6),
    })
}
