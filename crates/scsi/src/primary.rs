//! Commands that every kind of unit takes (SPC-4).

use crate::bytes::{Put, be16, be24, be32, length8};
use crate::cdb::{Cdb, CdbError, field, field_bit, flag};
use crate::sense::SenseFormat;

/// Operation codes of these commands.
pub(crate) mod code {
    pub(crate) const TEST_UNIT_READY: u8 = 0x00;
    pub(crate) const REQUEST_SENSE: u8 = 0x03;
    pub(crate) const INQUIRY: u8 = 0x12;
    pub(crate) const RESERVE_6: u8 = 0x16;
    pub(crate) const RELEASE_6: u8 = 0x17;
    pub(crate) const MODE_SENSE_6: u8 = 0x1a;
    pub(crate) const SEND_DIAGNOSTIC: u8 = 0x1d;
    pub(crate) const PREVENT_ALLOW: u8 = 0x1e;
    pub(crate) const LOG_SENSE: u8 = 0x4d;
    pub(crate) const RESERVE_10: u8 = 0x56;
    pub(crate) const RELEASE_10: u8 = 0x57;
    pub(crate) const MODE_SENSE_10: u8 = 0x5a;
    pub(crate) const REPORT_LUNS: u8 = 0xa0;
}

/// Which of a command's two lengths is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// 6 bytes.
    Six,
    /// 10 bytes.
    Ten,
}

/// Which values of a page are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PageControl {
    /// What is in force. Of a log page: threshold values.
    #[default]
    Current,
    /// Which bits can be changed. Of a log page: cumulative values.
    Changeable,
    /// What is in force after power on.
    Default,
    /// What was saved.
    Saved,
}

impl PageControl {
    fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => PageControl::Current,
            1 => PageControl::Changeable,
            2 => PageControl::Default,
            _ => PageControl::Saved,
        }
    }

    fn bits(self) -> u8 {
        match self {
            PageControl::Current => 0,
            PageControl::Changeable => 1,
            PageControl::Default => 2,
            PageControl::Saved => 3,
        }
    }
}

/// MODE SENSE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ModeSense {
    /// Which of the two commands.
    pub form: Form,
    /// Whether block descriptors are wanted (DBD is 0).
    pub block_descriptors: bool,
    /// Which values.
    pub control: PageControl,
    /// The page; 3Fh: all.
    pub page: u8,
    /// The subpage; FFh: all.
    pub subpage: u8,
    /// Room for the answer.
    pub allocation: u16,
}

/// LOG SENSE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogSense {
    /// Which values.
    pub control: PageControl,
    /// The page; 00h: the list of pages.
    pub page: u8,
    /// The subpage; FFh with page 00h: the list of pages and subpages.
    pub subpage: u8,
    /// The first parameter that is wanted.
    pub parameter: u16,
    /// Room for the answer.
    pub allocation: u16,
}

/// A command of SPC-4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrimaryCommand {
    /// TEST UNIT READY.
    TestUnitReady,
    /// REQUEST SENSE.
    RequestSense {
        /// How the sense is to be laid out.
        format: SenseFormat,
        /// Room for the answer.
        allocation: u8,
    },
    /// INQUIRY.
    Inquiry {
        /// A page of vital product data; `None`: the standard data.
        page: Option<u8>,
        /// Room for the answer.
        allocation: u16,
    },
    /// MODE SENSE, 6 or 10.
    ModeSense(ModeSense),
    /// LOG SENSE.
    LogSense(LogSense),
    /// REPORT LUNS.
    ReportLuns {
        /// Which kinds of units: 00h, 01h or 02h.
        select: u8,
        /// Room for the answer.
        allocation: u32,
    },
    /// RESERVE, 6 or 10: for this initiator alone.
    Reserve(Form),
    /// RELEASE, 6 or 10.
    Release(Form),
    /// PREVENT ALLOW MEDIUM REMOVAL.
    PreventRemoval(bool),
    /// SEND DIAGNOSTIC without parameters: the unit's own test.
    SelfTest,
}

impl PrimaryCommand {
    /// The command of a CDB; `None`: its operation code is none of these.
    pub(crate) fn decode(cdb: Cdb<'_>) -> Result<Option<Self>, CdbError> {
        let command = match cdb.byte(0) {
            code::TEST_UNIT_READY => PrimaryCommand::TestUnitReady,
            code::REQUEST_SENSE => PrimaryCommand::RequestSense {
                format: match cdb.has_bit(1, 0) {
                    true => SenseFormat::Descriptor,
                    false => SenseFormat::Fixed,
                },
                allocation: cdb.byte(4),
            },
            code::INQUIRY => decode_inquiry(cdb)?,
            code::MODE_SENSE_6 => {
                let allocation = u16::from(cdb.byte(4));
                PrimaryCommand::ModeSense(decode_mode_sense(cdb, Form::Six, allocation))
            }
            code::MODE_SENSE_10 => {
                let allocation = be16(cdb.0, 7);
                PrimaryCommand::ModeSense(decode_mode_sense(cdb, Form::Ten, allocation))
            }
            code::LOG_SENSE => decode_log_sense(cdb)?,
            code::REPORT_LUNS => match cdb.byte(2) {
                select @ 0..=2 => PrimaryCommand::ReportLuns {
                    select,
                    allocation: be32(cdb.0, 6),
                },
                _ => return Err(field(2)),
            },
            code::RESERVE_6 => reservation(cdb, PrimaryCommand::Reserve(Form::Six))?,
            code::RELEASE_6 => reservation(cdb, PrimaryCommand::Release(Form::Six))?,
            code::RESERVE_10 => reservation(cdb, PrimaryCommand::Reserve(Form::Ten))?,
            code::RELEASE_10 => reservation(cdb, PrimaryCommand::Release(Form::Ten))?,
            code::PREVENT_ALLOW => match cdb.byte(4) & 3 {
                0 => PrimaryCommand::PreventRemoval(false),
                1 => PrimaryCommand::PreventRemoval(true),
                _ => return Err(field_bit(4, 1)),
            },
            code::SEND_DIAGNOSTIC => decode_diagnostic(cdb)?,
            _ => return Ok(None),
        };
        cdb.check_control()?;
        Ok(Some(command))
    }

    /// The CDB.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match *self {
            PrimaryCommand::TestUnitReady => vec![code::TEST_UNIT_READY, 0, 0, 0, 0, 0],
            PrimaryCommand::RequestSense { format, allocation } => {
                let descriptors = flag(format == SenseFormat::Descriptor, 0);
                vec![code::REQUEST_SENSE, descriptors, 0, 0, allocation, 0]
            }
            PrimaryCommand::Inquiry { page, allocation } => {
                let vital = flag(page.is_some(), 0);
                let mut cdb = vec![code::INQUIRY, vital, page.unwrap_or(0)];
                cdb.put16(allocation);
                cdb.push(0);
                cdb
            }
            PrimaryCommand::ModeSense(mode) => encode_mode_sense(mode),
            PrimaryCommand::LogSense(log) => {
                let page = log.control.bits() << 6 | log.page & 0x3f;
                let mut cdb = vec![code::LOG_SENSE, 0, page, log.subpage, 0];
                cdb.put16(log.parameter);
                cdb.put16(log.allocation);
                cdb.push(0);
                cdb
            }
            PrimaryCommand::ReportLuns { select, allocation } => {
                let mut cdb = vec![code::REPORT_LUNS, 0, select, 0, 0, 0];
                cdb.put32(allocation);
                cdb.zeros(2);
                cdb
            }
            PrimaryCommand::Reserve(Form::Six) => vec![code::RESERVE_6, 0, 0, 0, 0, 0],
            PrimaryCommand::Release(Form::Six) => vec![code::RELEASE_6, 0, 0, 0, 0, 0],
            PrimaryCommand::Reserve(Form::Ten) => long(code::RESERVE_10),
            PrimaryCommand::Release(Form::Ten) => long(code::RELEASE_10),
            PrimaryCommand::PreventRemoval(prevent) => {
                vec![code::PREVENT_ALLOW, 0, 0, 0, u8::from(prevent), 0]
            }
            PrimaryCommand::SelfTest => vec![code::SEND_DIAGNOSTIC, 1 << 2, 0, 0, 0, 0],
        }
    }
}

fn long(code: u8) -> Vec<u8> {
    vec![code, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}

fn decode_inquiry(cdb: Cdb<'_>) -> Result<PrimaryCommand, CdbError> {
    if cdb.has_bit(1, 1) {
        // CMDDT, which is obsolete.
        return Err(field_bit(1, 1));
    }
    let page = cdb.has_bit(1, 0).then(|| cdb.byte(2));
    if page.is_none() && cdb.byte(2) != 0 {
        return Err(field(2));
    }
    Ok(PrimaryCommand::Inquiry {
        page,
        allocation: be16(cdb.0, 3),
    })
}

fn decode_mode_sense(cdb: Cdb<'_>, form: Form, allocation: u16) -> ModeSense {
    ModeSense {
        form,
        block_descriptors: !cdb.has_bit(1, 3),
        control: PageControl::from_bits(cdb.byte(2) >> 6),
        page: cdb.byte(2) & 0x3f,
        subpage: cdb.byte(3),
        allocation,
    }
}

fn encode_mode_sense(mode: ModeSense) -> Vec<u8> {
    let no_descriptors = flag(!mode.block_descriptors, 3);
    let page = mode.control.bits() << 6 | mode.page & 0x3f;
    match mode.form {
        Form::Six => {
            let allocation = length8(mode.allocation.into());
            let code = code::MODE_SENSE_6;
            vec![code, no_descriptors, page, mode.subpage, allocation, 0]
        }
        Form::Ten => {
            let mut cdb = vec![code::MODE_SENSE_10, no_descriptors, page, mode.subpage];
            cdb.zeros(3);
            cdb.put16(mode.allocation);
            cdb.push(0);
            cdb
        }
    }
}

fn decode_log_sense(cdb: Cdb<'_>) -> Result<PrimaryCommand, CdbError> {
    if cdb.has_bit(1, 0) {
        // SP: there is nothing to save to.
        return Err(field_bit(1, 0));
    }
    if cdb.has_bit(1, 1) {
        // PPC, which is obsolete.
        return Err(field_bit(1, 1));
    }
    Ok(PrimaryCommand::LogSense(LogSense {
        control: PageControl::from_bits(cdb.byte(2) >> 6),
        page: cdb.byte(2) & 0x3f,
        subpage: cdb.byte(3),
        parameter: be16(cdb.0, 5),
        allocation: be16(cdb.0, 7),
    }))
}

/// Reservations of elements (changers) and for others (third parties) are not supported: only the whole unit.
fn reservation(cdb: Cdb<'_>, command: PrimaryCommand) -> Result<PrimaryCommand, CdbError> {
    const THIRD_PARTY: u8 = 4;
    const ELEMENTS: u8 = 0;
    for bit in [THIRD_PARTY, ELEMENTS] {
        if cdb.has_bit(1, bit) {
            return Err(field_bit(1, bit));
        }
    }
    Ok(command)
}

fn decode_diagnostic(cdb: Cdb<'_>) -> Result<PrimaryCommand, CdbError> {
    let parameters = be16(cdb.0, 3);
    if parameters != 0 {
        return Err(field(3));
    }
    if cdb.byte(1) >> 5 != 0 {
        // A self-test of another kind than the default one.
        return Err(field_bit(1, 7));
    }
    if !cdb.has_bit(1, 2) {
        return Err(field_bit(1, 2));
    }
    Ok(PrimaryCommand::SelfTest)
}

/// Allocation length of three bytes, as SMC has it.
pub(crate) fn allocation24(cdb: Cdb<'_>, at: usize) -> u32 {
    be24(cdb.0, at)
}
