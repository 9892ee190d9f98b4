//! Which commands there are: for REPORT SUPPORTED OPERATION CODES, and for those who carry commands.

use super::command::{OperationsRequest, code};
use crate::bytes::{Put, length16, length32};
use crate::cdb::{cdb_length, flag};
use crate::primary::code as primary;
use crate::sense::{FieldPointer, Sense};

/// Which way data go with a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// There are none.
    None,
    /// From the initiator.
    Out,
    /// To the initiator.
    In,
}

/// A command that is taken.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// OPERATION CODE.
    pub code: u8,
    /// SERVICE ACTION, of a code that has several commands.
    pub action: Option<u8>,
    /// Which way data go.
    pub direction: Direction,
    /// Whether doing it twice is something else than doing it once.
    pub changes: bool,
    /// Which bits of the CDB are looked at (CDB USAGE DATA), behind the operation code.
    usage: &'static [u8],
}

const fn operation(
    code: u8,
    direction: Direction,
    changes: bool,
    usage: &'static [u8],
) -> Operation {
    Operation {
        code,
        action: None,
        direction,
        changes,
        usage,
    }
}

use Direction::{In, None as NoData, Out};

/// In the order of the codes.
static ALL: &[Operation] = &[
    operation(primary::TEST_UNIT_READY, NoData, false, &[0, 0, 0, 0, 4]),
    operation(code::REWIND, NoData, true, &[1, 0, 0, 0, 4]),
    operation(primary::REQUEST_SENSE, In, true, &[1, 0, 0, 0xff, 4]),
    operation(code::FORMAT_MEDIUM, NoData, true, &[3, 0x0f, 0xff, 0xff, 4]),
    operation(0x05, In, false, &[0, 0, 0, 0, 4]),
    operation(code::READ_6, In, true, &[3, 0xff, 0xff, 0xff, 4]),
    operation(code::WRITE_6, Out, true, &[1, 0xff, 0xff, 0xff, 4]),
    operation(code::SET_CAPACITY, NoData, true, &[1, 0, 0xff, 0xff, 4]),
    operation(
        code::WRITE_FILEMARKS_6,
        NoData,
        true,
        &[3, 0xff, 0xff, 0xff, 4],
    ),
    operation(code::SPACE_6, NoData, true, &[0x0f, 0xff, 0xff, 0xff, 4]),
    operation(primary::INQUIRY, In, false, &[1, 0xff, 0xff, 0xff, 4]),
    operation(code::VERIFY_6, Out, true, &[0x3f, 0xff, 0xff, 0xff, 4]),
    operation(code::MODE_SELECT_6, Out, true, &[0x11, 0, 0, 0xff, 4]),
    operation(primary::RESERVE_6, NoData, true, &[0x11, 0, 0, 0, 4]),
    operation(primary::RELEASE_6, NoData, true, &[0x11, 0, 0, 0, 4]),
    operation(code::ERASE_6, NoData, true, &[3, 0, 0, 0, 4]),
    operation(primary::MODE_SENSE_6, In, false, &[8, 0xff, 0xff, 0xff, 4]),
    operation(code::LOAD_UNLOAD, NoData, true, &[1, 0, 0, 0x0f, 4]),
    operation(
        primary::SEND_DIAGNOSTIC,
        NoData,
        false,
        &[0xe4, 0, 0xff, 0xff, 4],
    ),
    operation(primary::PREVENT_ALLOW, NoData, true, &[0, 0, 0, 3, 4]),
    operation(
        code::LOCATE_10,
        NoData,
        true,
        &[7, 0, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 4],
    ),
    operation(0x34, In, false, &[0x1f, 0, 0, 0, 0, 0, 0xff, 0xff, 4]),
    operation(
        code::REPORT_DENSITY,
        In,
        false,
        &[3, 0, 0, 0, 0, 0, 0xff, 0xff, 4],
    ),
    operation(
        primary::LOG_SENSE,
        In,
        false,
        &[1, 0xff, 0xff, 0, 0xff, 0xff, 0xff, 0xff, 4],
    ),
    operation(
        code::MODE_SELECT_10,
        Out,
        true,
        &[0x11, 0, 0, 0, 0, 0, 0xff, 0xff, 4],
    ),
    operation(
        primary::RESERVE_10,
        NoData,
        true,
        &[0x11, 0, 0, 0, 0, 0, 0, 0, 4],
    ),
    operation(
        primary::RELEASE_10,
        NoData,
        true,
        &[0x11, 0, 0, 0, 0, 0, 0, 0, 4],
    ),
    operation(
        primary::MODE_SENSE_10,
        In,
        false,
        &[8, 0xff, 0xff, 0, 0, 0, 0xff, 0xff, 4],
    ),
    operation(code::WRITE_FILEMARKS_16, NoData, true, &explicit(1)),
    operation(code::READ_16, In, true, &explicit(3)),
    operation(code::WRITE_16, Out, true, &explicit(1)),
    operation(code::READ_ATTRIBUTE, In, false, &ATTRIBUTE_USAGE),
    operation(code::WRITE_ATTRIBUTE, Out, true, &WRITE_ATTRIBUTE_USAGE),
    operation(code::VERIFY_16, Out, true, &explicit(0x3f)),
    operation(code::SPACE_16, NoData, true, &SPACE_USAGE),
    operation(code::LOCATE_16, NoData, true, &LOCATE_USAGE),
    operation(code::ERASE_16, NoData, true, &ERASE_USAGE),
    operation(
        primary::REPORT_LUNS,
        In,
        false,
        &[0, 0xff, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 4],
    ),
    Operation {
        action: Some(code::REPORT_OPERATIONS),
        ..operation(
            code::MAINTENANCE_IN,
            In,
            false,
            &[0x1f, 0x87, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 4],
        )
    },
];

/// Usage of the commands of 16 bytes that name a place: flags, partition, object, length.
const fn explicit(flags: u8) -> [u8; 15] {
    const ALL: u8 = 0xff;
    [
        flags, 0, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, 4,
    ]
}

const ATTRIBUTE_USAGE: [u8; 15] = [
    0x1f, 0, 0, 0, 0xff, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 4,
];
const WRITE_ATTRIBUTE_USAGE: [u8; 15] = [
    0, 0, 0, 0, 0xff, 0, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 4,
];
const SPACE_USAGE: [u8; 15] = [
    0x0f, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 4,
];
const LOCATE_USAGE: [u8; 15] = [
    0x3b, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 4,
];
const ERASE_USAGE: [u8; 15] = [
    3, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 4,
];

/// Every command that is taken, in the order of the codes.
#[must_use]
pub fn operations() -> &'static [Operation] {
    ALL
}

fn find(code: u8) -> Option<&'static Operation> {
    ALL.iter().find(|operation| operation.code == code)
}

/// Which way data go with this CDB; none with one that is not taken.
#[must_use]
pub fn data_direction(cdb: &[u8]) -> Direction {
    const COMPARE: u8 = 0x02;
    match cdb.first().and_then(|code| find(*code)) {
        None => Direction::None,
        // VERIFY has data where it compares.
        Some(Operation {
            code: code::VERIFY_6 | code::VERIFY_16,
            ..
        }) if cdb.get(1).is_none_or(|flags| flags & COMPARE == 0) => Direction::None,
        Some(operation) => operation.direction,
    }
}

/// Whether doing this command twice is something else than doing it once: it moves the tape, or changes what is
/// recorded, reserved, set or still to be told.
#[must_use]
pub fn changes_something(cdb: &[u8]) -> bool {
    let known = cdb.first().and_then(|code| find(*code));
    known.is_some_and(|operation| operation.changes)
}

impl Operation {
    /// Length of its CDB.
    fn length(&self) -> usize {
        cdb_length(self.code).unwrap_or(0)
    }

    fn service_action(&self) -> u16 {
        self.action.map_or(0, u16::from)
    }

    /// CDB USAGE DATA.
    fn usage_data(&self, out: &mut Vec<u8>) {
        out.push(self.code);
        match (self.action, self.usage.split_first()) {
            // The bits of a service action are told as what they have to be.
            (Some(action), Some((_, rest))) => {
                out.push(action);
                out.extend_from_slice(rest);
            }
            _ => out.extend_from_slice(self.usage),
        }
    }
}

/// A descriptor of timeouts (SPC-4 §6.35.4): nothing is said of how long a command takes.
fn no_timeouts(out: &mut Vec<u8>) {
    out.put16(10);
    out.zeros(10);
}

/// The parameter data of REPORT SUPPORTED OPERATION CODES.
pub(super) fn report(request: OperationsRequest, timeouts: bool) -> Result<Vec<u8>, Sense> {
    let (code, action, by) = match request {
        OperationsRequest::All => return Ok(report_all(timeouts)),
        OperationsRequest::Code(code) => (code, 0, 1),
        OperationsRequest::Action(code, action) => (code, action, 2),
        OperationsRequest::Either(code, action) => (code, action, 3),
    };
    let of_code = find(code);
    let has_actions = of_code.is_some_and(|operation| operation.action.is_some());
    match (by, of_code) {
        // Asked without a service action, of a code that has some; or the other way round.
        (1, Some(_)) if has_actions => return Err(Sense::invalid_field(FieldPointer::command(2))),
        (2, Some(_)) if !has_actions => return Err(Sense::invalid_field(FieldPointer::command(2))),
        _ => {}
    }
    let found = of_code.filter(|operation| operation.service_action() == action || by == 1);
    Ok(report_one(found, timeouts))
}

fn report_all(timeouts: bool) -> Vec<u8> {
    const TIMEOUTS: u8 = 1;
    const SERVICE_ACTION: u8 = 0;
    let mut descriptors = Vec::new();
    for operation in ALL {
        descriptors.extend_from_slice(&[operation.code, 0]);
        descriptors.put16(operation.service_action());
        let flags = flag(timeouts, TIMEOUTS) | flag(operation.action.is_some(), SERVICE_ACTION);
        descriptors.extend_from_slice(&[0, flags]);
        descriptors.put16(length16(operation.length()));
        if timeouts {
            no_timeouts(&mut descriptors);
        }
    }
    let mut out = Vec::with_capacity(4 + descriptors.len());
    out.put32(length32(descriptors.len()));
    out.extend_from_slice(&descriptors);
    out
}

fn report_one(found: Option<&Operation>, timeouts: bool) -> Vec<u8> {
    const NOT_SUPPORTED: u8 = 1;
    const AS_THE_STANDARD: u8 = 3;
    const TIMEOUTS: u8 = 7;
    let Some(operation) = found else {
        return vec![0, NOT_SUPPORTED, 0, 0];
    };
    let mut out = vec![0, AS_THE_STANDARD | flag(timeouts, TIMEOUTS)];
    out.put16(length16(operation.length()));
    operation.usage_data(&mut out);
    if timeouts {
        no_timeouts(&mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cdb::CdbError;
    use crate::stream::command::StreamCommand;

    #[test]
    fn the_list_is_what_is_taken_and_each_cdb_has_its_length() {
        for code in 0..=u8::MAX {
            let mut cdb = [0; 16];
            cdb[0] = code;
            let unknown = Err(CdbError::Unknown(code));
            let taken = StreamCommand::decode(&cdb) != unknown;
            assert_eq!(taken, find(code).is_some(), "{code:02x}h");
        }
        assert!(ALL.is_sorted_by_key(|operation| operation.code));
        for operation in ALL {
            assert_eq!(
                operation.usage.len() + 1,
                operation.length(),
                "{operation:?}"
            );
        }
    }

    #[test]
    fn all_commands_have_the_bytes_of_the_standard() {
        let all = report(OperationsRequest::All, false).unwrap();
        assert_eq!(all.len(), 4 + 8 * ALL.len());
        assert_eq!(all[..12], [0, 0, 1, 0x38, 0x00, 0, 0, 0, 0, 0, 0, 6]);
        let last = [0xa3, 0, 0, 0x0c, 0, 1, 0, 12];
        assert_eq!(all[all.len() - 8..], last);
        let timed = report(OperationsRequest::All, true).unwrap();
        assert_eq!(timed.len(), 4 + 20 * ALL.len());
        assert_eq!(timed[9..14], [2, 0, 6, 0, 10]);
    }

    #[test]
    fn one_command_has_the_bytes_of_the_standard() {
        let read = report(OperationsRequest::Code(8), false).unwrap();
        assert_eq!(read, [0, 3, 0, 6, 8, 3, 0xff, 0xff, 0xff, 4]);
        let unknown = report(OperationsRequest::Code(0x82), false).unwrap();
        assert_eq!(unknown, [0, 1, 0, 0]);
        let own = report(OperationsRequest::Action(0xa3, 12), true).unwrap();
        assert_eq!(own[..6], [0, 0x83, 0, 12, 0xa3, 12]);
        assert_eq!(own.len(), 4 + 12 + 12);
        let other = report(OperationsRequest::Either(0xa3, 5), false).unwrap();
        assert_eq!(other, [0, 1, 0, 0]);
        let refused = Sense::invalid_field(FieldPointer::command(2));
        assert_eq!(report(OperationsRequest::Code(0xa3), false), Err(refused));
        assert_eq!(report(OperationsRequest::Action(8, 0), false), Err(refused));
    }

    #[test]
    fn data_go_where_the_command_says() {
        assert_eq!(data_direction(&[0x0a, 0, 0, 0, 1, 0]), Direction::Out);
        assert_eq!(data_direction(&[0x08, 0, 0, 0, 1, 0]), Direction::In);
        assert_eq!(data_direction(&[0x13, 2, 0, 0, 1, 0]), Direction::Out);
        assert_eq!(data_direction(&[0x13, 0, 0, 0, 1, 0]), Direction::None);
        assert_eq!(data_direction(&[0x13]), Direction::None);
        assert_eq!(data_direction(&[]), Direction::None);
        assert!(changes_something(&[0x11]) && !changes_something(&[0x12]));
    }
}
