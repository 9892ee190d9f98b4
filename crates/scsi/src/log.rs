//! LOG SENSE: pages of counters and TapeAlert.

use crate::bytes::{Put, length8, length16};
use crate::primary::{LogSense, PageControl};
use crate::sense::{FieldPointer, Sense};

/// Codes of log pages.
pub mod page {
    /// The list of pages.
    pub const SUPPORTED: u8 = 0x00;
    /// Counters of errors while writing.
    pub const WRITE_ERRORS: u8 = 0x02;
    /// Counters of errors while reading.
    pub const READ_ERRORS: u8 = 0x03;
    /// Errors that are none of reading or writing.
    pub const OTHER_ERRORS: u8 = 0x06;
    /// What a tape drive has moved.
    pub const SEQUENTIAL_ACCESS: u8 = 0x0c;
    /// Temperature.
    pub const TEMPERATURE: u8 = 0x0d;
    /// What the volume went through.
    pub const VOLUME_STATISTICS: u8 = 0x17;
    /// How data were compressed.
    pub const COMPRESSION: u8 = 0x1b;
    /// TapeAlert.
    pub const TAPE_ALERT: u8 = 0x2e;
    /// What the medium went through, as LTO drives tell it.
    pub const TAPE_USAGE: u8 = 0x30;
    /// How much fits.
    pub const TAPE_CAPACITY: u8 = 0x31;
    /// How data were compressed, where older LTO drives tell it.
    pub const COMPRESSION_OF_LTO: u8 = 0x32;
}

/// Flags of TapeAlert (SSC-3 annex A).
pub(crate) mod alert {
    /// A block could not be read or written.
    pub(crate) const HARD_ERROR: u8 = 3;
    /// A block could not be read.
    pub(crate) const READ_FAILURE: u8 = 5;
    /// A block could not be written.
    pub(crate) const WRITE_FAILURE: u8 = 6;
    /// The medium is write protected.
    pub(crate) const WRITE_PROTECT: u8 = 9;
}

/// A parameter of a log page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// PARAMETER CODE.
    pub code: u16,
    /// How it is laid out: a counter in binary (02h), a list (03h).
    pub control: u8,
    /// Its value.
    pub value: Vec<u8>,
}

impl Parameter {
    /// A counter of eight bytes.
    #[must_use]
    pub fn counter(code: u16, value: u64) -> Self {
        let mut bytes = Vec::with_capacity(8);
        bytes.put64(value);
        Parameter {
            code,
            control: 0x02,
            value: bytes,
        }
    }

    /// A number of four bytes.
    #[must_use]
    pub fn number(code: u16, value: u32) -> Self {
        let mut bytes = Vec::with_capacity(4);
        bytes.put32(value);
        Parameter {
            code,
            control: 0x03,
            value: bytes,
        }
    }
}

/// A log page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPage {
    /// PAGE CODE.
    pub code: u8,
    /// Its parameters, in the order of their codes.
    pub parameters: Vec<Parameter>,
}

/// How many flags TapeAlert has.
pub const TAPE_ALERT_FLAGS: u8 = 64;

/// The page TapeAlert with these flags, numbered from 1, raised.
#[must_use]
pub fn tape_alert(raised: &[u8]) -> LogPage {
    let parameters = (1..=TAPE_ALERT_FLAGS).map(|number| Parameter {
        code: number.into(),
        control: 0x03,
        value: vec![u8::from(raised.contains(&number))],
    });
    LogPage {
        code: page::TAPE_ALERT,
        parameters: parameters.collect(),
    }
}

/// The parameter data of LOG SENSE, or why there are none. `pages` are those that there are beside the list of them.
pub fn log_sense(command: LogSense, pages: &[LogPage]) -> Result<Vec<u8>, Sense> {
    const PAGE_BYTE: u16 = 2;
    const SUBPAGE_BYTE: u16 = 3;
    const PARAMETER_BYTE: u16 = 5;
    if command.subpage != 0 {
        return Err(Sense::invalid_field(FieldPointer::command(SUBPAGE_BYTE)));
    }
    let mut body = Vec::new();
    if command.page == page::SUPPORTED {
        body.push(page::SUPPORTED);
        body.extend(pages.iter().map(|page| page.code));
    } else {
        let found = pages.iter().find(|page| page.code == command.page);
        let Some(page) = found else {
            return Err(Sense::invalid_field(FieldPointer::command_bit(
                PAGE_BYTE, 5,
            )));
        };
        // Nothing has a threshold, and what has none is told as it is (SPC-4 §7.3.2.2.2).
        let defaults = matches!(command.control, PageControl::Default | PageControl::Saved);
        let wanted = page.parameters.iter();
        let wanted = wanted.filter(|parameter| parameter.code >= command.parameter);
        for parameter in wanted {
            body.put16(parameter.code);
            body.push(parameter.control);
            body.push(length8(parameter.value.len()));
            match defaults {
                true => body.zeros(parameter.value.len()),
                false => body.extend_from_slice(&parameter.value),
            }
        }
        if body.is_empty() && !page.parameters.is_empty() {
            return Err(Sense::invalid_field(FieldPointer::command(PARAMETER_BYTE)));
        }
    }
    let mut out = vec![command.page, command.subpage];
    out.put16(length16(body.len()));
    out.extend_from_slice(&body);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(page: u8) -> LogSense {
        LogSense {
            control: PageControl::Changeable,
            page,
            subpage: 0,
            parameter: 0,
            allocation: 512,
        }
    }

    fn pages() -> Vec<LogPage> {
        let counters = LogPage {
            code: page::SEQUENTIAL_ACCESS,
            parameters: vec![Parameter::counter(0, 0x0102), Parameter::number(8, 7)],
        };
        vec![counters, tape_alert(&[3])]
    }

    #[test]
    fn the_list_of_pages_has_the_bytes_of_the_standard() {
        let data = log_sense(command(0), &pages()).unwrap();
        assert_eq!(data, [0, 0, 0, 3, 0x00, 0x0c, 0x2e]);
    }

    #[test]
    fn parameters_have_the_bytes_of_the_standard() {
        let data = log_sense(command(0x0c), &pages()).unwrap();
        let expected = [
            0x0c, 0, 0, 20, 0, 0, 2, 8, 0, 0, 0, 0, 0, 0, 1, 2, 0, 8, 3, 4, 0, 0, 0, 7,
        ];
        assert_eq!(data, expected);
        let from = LogSense {
            parameter: 1,
            ..command(0x0c)
        };
        let data = log_sense(from, &pages()).unwrap();
        assert_eq!(data, [0x0c, 0, 0, 8, 0, 8, 3, 4, 0, 0, 0, 7]);
    }

    #[test]
    fn tape_alert_has_its_64_flags() {
        let data = log_sense(command(0x2e), &pages()).unwrap();
        assert_eq!(data.len(), 4 + 64 * 5);
        assert_eq!(data[..9], [0x2e, 0, 1, 64, 0, 1, 3, 1, 0]);
        assert_eq!(data[14..19], [0, 3, 3, 1, 1]);
    }

    #[test]
    fn what_is_not_there_is_an_invalid_field() {
        let refused = |command| log_sense(command, &pages()).unwrap_err().field.unwrap();
        assert_eq!(refused(command(0x17)), FieldPointer::command_bit(2, 5));
        let subpage = LogSense {
            subpage: 1,
            ..command(0x0c)
        };
        assert_eq!(refused(subpage), FieldPointer::command(3));
        let parameter = LogSense {
            parameter: 100,
            ..command(0x0c)
        };
        assert_eq!(refused(parameter), FieldPointer::command(5));
    }
}
