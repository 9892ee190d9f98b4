//! Commands of media changers (SMC-3).

use crate::bytes::{Put, be16};
use crate::cdb::{Cdb, CdbError, field_bit, flag};
use crate::primary::{PrimaryCommand, allocation24};

/// Operation codes of these commands.
mod code {
    pub(super) const INITIALIZE: u8 = 0x07;
    pub(super) const POSITION: u8 = 0x2b;
    pub(super) const INITIALIZE_RANGE: u8 = 0x37;
    pub(super) const MOVE_MEDIUM: u8 = 0xa5;
    pub(super) const EXCHANGE_MEDIUM: u8 = 0xa6;
    pub(super) const READ_ELEMENT_STATUS: u8 = 0xb8;
    /// INITIALIZE ELEMENT STATUS WITH RANGE as older changers have it.
    pub(super) const INITIALIZE_RANGE_VENDOR: u8 = 0xe7;
}

/// ELEMENT TYPE CODE of SMC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ElementType {
    /// Medium transport: the hand of the robot.
    Transport = 1,
    /// Storage: a slot.
    Storage = 2,
    /// Import and export: a mail slot.
    ImportExport = 3,
    /// Data transfer: a drive.
    DataTransfer = 4,
}

impl ElementType {
    /// All of them, in the order of their codes.
    pub const ALL: [ElementType; 4] = [
        ElementType::Transport,
        ElementType::Storage,
        ElementType::ImportExport,
        ElementType::DataTransfer,
    ];

    /// The type of a code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Its code.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// READ ELEMENT STATUS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReadElementStatus {
    /// Only elements of this type; `None`: all.
    pub element_type: Option<ElementType>,
    /// Whether volume tags are wanted.
    pub volume_tags: bool,
    /// Whether the identities of the drives are wanted (DVCID).
    pub device_ids: bool,
    /// Whether the robot must not move to answer (CURDATA).
    pub current_data: bool,
    /// The lowest address.
    pub start: u16,
    /// Most elements.
    pub count: u16,
    /// Room for the answer.
    pub allocation: u32,
}

/// MOVE MEDIUM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MoveMedium {
    /// The transport; 0: any.
    pub transport: u16,
    /// From here.
    pub source: u16,
    /// To there.
    pub destination: u16,
    /// Turned over on the way.
    pub invert: bool,
}

/// EXCHANGE MEDIUM: what is at the source goes to the first destination, and what was there to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExchangeMedium {
    /// The transport; 0: any.
    pub transport: u16,
    /// From here.
    pub source: u16,
    /// To there.
    pub first_destination: u16,
    /// Where what was there goes.
    pub second_destination: u16,
    /// The first one is turned over on the way.
    pub invert_first: bool,
    /// The second one is.
    pub invert_second: bool,
}

/// Which elements are to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ElementRange {
    /// The lowest address.
    pub start: u16,
    /// How many; 0: all from there on.
    pub count: u16,
}

/// A command that a media changer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangerCommand {
    /// One that every unit takes.
    Primary(PrimaryCommand),
    /// INITIALIZE ELEMENT STATUS, with a range or without.
    Initialize(Option<ElementRange>),
    /// MOVE MEDIUM.
    Move(MoveMedium),
    /// EXCHANGE MEDIUM.
    Exchange(ExchangeMedium),
    /// POSITION TO ELEMENT.
    Position {
        /// The transport; 0: any.
        transport: u16,
        /// Where it goes.
        destination: u16,
        /// Turned over.
        invert: bool,
    },
    /// READ ELEMENT STATUS.
    ReadElementStatus(ReadElementStatus),
}

impl ChangerCommand {
    /// The command of a CDB.
    pub fn decode(bytes: &[u8]) -> Result<Self, CdbError> {
        // The one code of the makers' group; it has the fields of 37h.
        let vendor_range = bytes.first() == Some(&code::INITIALIZE_RANGE_VENDOR);
        let cdb = match bytes.get(..10) {
            Some(bytes) if vendor_range => Cdb(bytes),
            _ if vendor_range => {
                return Err(CdbError::Short {
                    code: code::INITIALIZE_RANGE_VENDOR,
                    length: bytes.len(),
                    needed: 10,
                });
            }
            _ => Cdb::new(bytes)?,
        };
        if let Some(primary) = PrimaryCommand::decode(cdb)? {
            return Ok(ChangerCommand::Primary(primary));
        }
        let at = |place| be16(cdb.0, place);
        let command = match cdb.byte(0) {
            code::INITIALIZE => ChangerCommand::Initialize(None),
            code::INITIALIZE_RANGE | code::INITIALIZE_RANGE_VENDOR => {
                ChangerCommand::Initialize(range(cdb))
            }
            code::POSITION => ChangerCommand::Position {
                transport: at(2),
                destination: at(4),
                invert: cdb.has_bit(8, 0),
            },
            code::MOVE_MEDIUM => ChangerCommand::Move(MoveMedium {
                transport: at(2),
                source: at(4),
                destination: at(6),
                invert: cdb.has_bit(10, 0),
            }),
            code::EXCHANGE_MEDIUM => ChangerCommand::Exchange(ExchangeMedium {
                transport: at(2),
                source: at(4),
                first_destination: at(6),
                second_destination: at(8),
                invert_first: cdb.has_bit(10, 1),
                invert_second: cdb.has_bit(10, 0),
            }),
            code::READ_ELEMENT_STATUS => {
                ChangerCommand::ReadElementStatus(read_element_status(cdb)?)
            }
            unknown => return Err(CdbError::Unknown(unknown)),
        };
        cdb.check_control()?;
        Ok(command)
    }

    /// The CDB.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match *self {
            ChangerCommand::Primary(primary) => primary.encode(),
            ChangerCommand::Initialize(None) => vec![code::INITIALIZE, 0, 0, 0, 0, 0],
            ChangerCommand::Initialize(Some(ElementRange { start, count })) => {
                let mut cdb = vec![code::INITIALIZE_RANGE, 1];
                cdb.put16(start);
                cdb.zeros(2);
                cdb.put16(count);
                cdb.zeros(2);
                cdb
            }
            ChangerCommand::Position {
                transport,
                destination,
                invert,
            } => {
                let mut cdb = vec![code::POSITION, 0];
                cdb.put16(transport);
                cdb.put16(destination);
                cdb.zeros(2);
                cdb.extend_from_slice(&[flag(invert, 0), 0]);
                cdb
            }
            ChangerCommand::Move(medium) => {
                let mut cdb = vec![code::MOVE_MEDIUM, 0];
                cdb.put16(medium.transport);
                cdb.put16(medium.source);
                cdb.put16(medium.destination);
                cdb.zeros(2);
                cdb.extend_from_slice(&[flag(medium.invert, 0), 0]);
                cdb
            }
            ChangerCommand::Exchange(medium) => {
                let mut cdb = vec![code::EXCHANGE_MEDIUM, 0];
                cdb.put16(medium.transport);
                cdb.put16(medium.source);
                cdb.put16(medium.first_destination);
                cdb.put16(medium.second_destination);
                let inverts = flag(medium.invert_first, 1) | flag(medium.invert_second, 0);
                cdb.extend_from_slice(&[inverts, 0]);
                cdb
            }
            ChangerCommand::ReadElementStatus(status) => {
                let kind = status.element_type.map_or(0, ElementType::code);
                let mut cdb = vec![
                    code::READ_ELEMENT_STATUS,
                    flag(status.volume_tags, 4) | kind,
                ];
                cdb.put16(status.start);
                cdb.put16(status.count);
                cdb.push(flag(status.current_data, 1) | flag(status.device_ids, 0));
                cdb.put24(status.allocation);
                cdb.zeros(2);
                cdb
            }
        }
    }
}

/// The range, where RANGE says that there is one.
fn range(cdb: Cdb<'_>) -> Option<ElementRange> {
    cdb.has_bit(1, 0).then(|| ElementRange {
        start: be16(cdb.0, 2),
        count: be16(cdb.0, 6),
    })
}

fn read_element_status(cdb: Cdb<'_>) -> Result<ReadElementStatus, CdbError> {
    let code = cdb.byte(1) & 0xf;
    let element_type = ElementType::from_code(code);
    if element_type.is_none() && code != 0 {
        return Err(field_bit(1, 3));
    }
    Ok(ReadElementStatus {
        element_type,
        volume_tags: cdb.has_bit(1, 4),
        device_ids: cdb.has_bit(6, 0),
        current_data: cdb.has_bit(6, 1),
        start: be16(cdb.0, 2),
        count: be16(cdb.0, 4),
        allocation: allocation24(cdb, 7),
    })
}
