//! INQUIRY: what a unit is.

use crate::bytes::{Put, byte, field_text, length8, length16};
use crate::cdb::flag;
use crate::sense::{FieldPointer, Sense};

/// What a unit is (PERIPHERAL DEVICE TYPE).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceType {
    /// A tape drive (01h).
    Tape,
    /// A media changer (08h).
    Changer,
    /// Any other.
    Other(u8),
}

impl DeviceType {
    /// The code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            DeviceType::Tape => 0x01,
            DeviceType::Changer => 0x08,
            DeviceType::Other(code) => code & 0x1f,
        }
    }

    /// The type of a code.
    #[must_use]
    pub fn from_code(code: u8) -> Self {
        match code & 0x1f {
            0x01 => DeviceType::Tape,
            0x08 => DeviceType::Changer,
            other => DeviceType::Other(other),
        }
    }
}

/// What a unit says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitIdentity {
    /// What it is.
    pub device_type: DeviceType,
    /// Up to 8 characters.
    pub vendor: String,
    /// Up to 16 characters.
    pub product: String,
    /// Up to 4 characters.
    pub revision: String,
    /// Its serial number.
    pub serial: String,
    /// Whether it reads barcodes, in the bit that the makers of libraries agree on (byte 55, bit 0).
    pub reads_barcodes: bool,
}

/// Length of the standard data here: through the version descriptors.
pub const STANDARD_BYTES: usize = 74;

const REMOVABLE: u8 = 0x80;
/// SPC-4.
const VERSION: u8 = 0x06;
const RESPONSE_FORMAT: u8 = 0x02;
const BARCODE_AT: usize = 55;

/// Pages of vital product data.
pub(crate) mod vpd {
    pub(crate) const SUPPORTED: u8 = 0x00;
    pub(crate) const SERIAL: u8 = 0x80;
    pub(crate) const IDENTIFICATION: u8 = 0x83;
    pub(crate) const TAPE_CAPABILITIES: u8 = 0xb0;
    pub(crate) const MANUFACTURER_SERIAL: u8 = 0xb1;
}

impl UnitIdentity {
    /// The standard data.
    #[must_use]
    pub fn standard(&self) -> Vec<u8> {
        let mut out = vec![
            self.device_type.code(),
            REMOVABLE,
            VERSION,
            RESPONSE_FORMAT,
            length8(STANDARD_BYTES - 5),
            0,
            0,
            0,
        ];
        out.text(&self.vendor, 8);
        out.text(&self.product, 16);
        out.text(&self.revision, 4);
        out.zeros(BARCODE_AT - out.len());
        out.push(flag(self.reads_barcodes, 0));
        out.zeros(2);
        // Version descriptors: SAM-5, SPC-4, and the command set, none of them in a certain revision.
        out.put16(0x00a0);
        out.put16(0x0460);
        out.put16(match self.device_type {
            DeviceType::Tape => 0x0400,
            DeviceType::Changer => 0x0480,
            DeviceType::Other(_) => 0,
        });
        out.zeros(STANDARD_BYTES - out.len());
        out
    }

    /// A page of vital product data; `None`: there is no such page.
    #[must_use]
    pub fn vital(&self, page: u8) -> Option<Vec<u8>> {
        let tape = self.device_type == DeviceType::Tape;
        let body = match page {
            vpd::SUPPORTED => {
                let mut pages = vec![vpd::SUPPORTED, vpd::SERIAL, vpd::IDENTIFICATION];
                if tape {
                    pages.extend_from_slice(&[vpd::TAPE_CAPABILITIES, vpd::MANUFACTURER_SERIAL]);
                }
                pages
            }
            vpd::SERIAL => self.serial_text(),
            vpd::IDENTIFICATION => self.designators(),
            // WORM: media that can only be appended to are taken.
            vpd::TAPE_CAPABILITIES if tape => vec![0x01, 0],
            vpd::MANUFACTURER_SERIAL if tape => self.serial_text(),
            _ => return None,
        };
        let mut out = vec![self.device_type.code(), page];
        out.put16(length16(body.len()));
        out.extend_from_slice(&body);
        Some(out)
    }

    fn serial_text(&self) -> Vec<u8> {
        let mut body = Vec::new();
        body.text(&self.serial, self.serial.chars().count());
        body
    }

    /// The name by vendor, product and serial number, as page 83h and a library's list of drives have it.
    #[must_use]
    pub fn t10_designator(&self) -> Vec<u8> {
        let mut name = Vec::new();
        name.text(&self.vendor, 8);
        name.text(&self.product, 16);
        name.text(&self.serial, self.serial.chars().count().min(64));
        // Code set ASCII; of the logical unit, type T10 vendor ID.
        let mut out = vec![0x02, 0x01, 0, length8(name.len())];
        out.extend_from_slice(&name);
        out
    }

    fn designators(&self) -> Vec<u8> {
        let mut out = self.t10_designator();
        // Code set binary; of the logical unit, type NAA.
        out.extend_from_slice(&[0x01, 0x03, 0, 8]);
        out.put64(self.local_name());
        out
    }

    /// A name "locally assigned" (NAA 3h): the same for the same vendor, product and serial number.
    fn local_name(&self) -> u64 {
        const NAA_LOCAL: u64 = 0x3;
        let text = self.vendor.bytes().chain(self.product.bytes());
        // FNV-1a: it has to be stable and to differ, nothing else.
        let hash = text
            .chain(self.serial.bytes())
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        NAA_LOCAL << 60 | hash >> 4
    }

    /// What standard data say; the serial number is not among them. `None` where they are too short for a name.
    #[must_use]
    pub fn decode(standard: &[u8]) -> Option<Self> {
        if standard.len() < 36 {
            return None;
        }
        Some(UnitIdentity {
            device_type: DeviceType::from_code(byte(standard, 0)),
            vendor: field_text(standard, 8, 8),
            product: field_text(standard, 16, 16),
            revision: field_text(standard, 32, 4),
            serial: String::new(),
            reads_barcodes: byte(standard, BARCODE_AT) & 1 != 0,
        })
    }

    /// The serial number of page 80h; `None` where it is another page.
    #[must_use]
    pub fn decode_serial(page: &[u8]) -> Option<String> {
        if byte(page, 1) != vpd::SERIAL {
            return None;
        }
        let length = usize::from(crate::bytes::be16(page, 2));
        Some(field_text(page, 4, length).trim_start().to_owned())
    }
}

/// The data of INQUIRY, or the sense of a page that there is not.
pub(crate) fn inquiry(unit: &UnitIdentity, page: Option<u8>) -> Result<Vec<u8>, Sense> {
    const PAGE_BYTE: u16 = 2;
    let refused = || Sense::invalid_field(FieldPointer::command(PAGE_BYTE));
    match page {
        None => Ok(unit.standard()),
        Some(page) => unit.vital(page).ok_or_else(refused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changer() -> UnitIdentity {
        UnitIdentity {
            device_type: DeviceType::Changer,
            vendor: "PSEUDO".to_owned(),
            product: "CHANGER".to_owned(),
            revision: "0100".to_owned(),
            serial: "PL0001".to_owned(),
            reads_barcodes: true,
        }
    }

    #[test]
    fn standard_data_have_the_bytes_of_the_standard() {
        let data = changer().standard();
        assert_eq!(data.len(), STANDARD_BYTES);
        assert_eq!(data[..8], [0x08, 0x80, 0x06, 0x02, 69, 0, 0, 0]);
        assert_eq!(&data[8..36], b"PSEUDO  CHANGER         0100");
        assert_eq!(data[55], 1);
        assert_eq!(data[58..64], [0x00, 0xa0, 0x04, 0x60, 0x04, 0x80]);
    }

    #[test]
    fn vital_product_data_have_the_bytes_of_the_standard() {
        let unit = changer();
        assert_eq!(unit.vital(0).unwrap(), [8, 0, 0, 3, 0x00, 0x80, 0x83]);
        assert_eq!(unit.vital(0x80).unwrap(), b"\x08\x80\x00\x06PL0001");
        let names = unit.vital(0x83).unwrap();
        assert_eq!(names[..8], [8, 0x83, 0, 46, 2, 1, 0, 30]);
        assert_eq!(&names[8..38], b"PSEUDO  CHANGER         PL0001");
        assert_eq!(names[38..42], [1, 3, 0, 8]);
        assert_eq!(names[42] >> 4, 3, "locally assigned");
        assert_eq!(unit.vital(0xb0), None);
    }

    #[test]
    fn a_tape_drive_has_pages_of_its_own() {
        let unit = UnitIdentity {
            device_type: DeviceType::Tape,
            ..changer()
        };
        let pages = [1, 0, 0, 5, 0x00, 0x80, 0x83, 0xb0, 0xb1];
        assert_eq!(unit.vital(0).unwrap(), pages);
        assert_eq!(unit.vital(0xb0).unwrap(), [1, 0xb0, 0, 2, 1, 0]);
        assert_eq!(unit.vital(0xb1).unwrap(), b"\x01\xb1\x00\x06PL0001");
    }

    #[test]
    fn names_that_programs_read_come_back() {
        let unit = changer();
        let mut read = UnitIdentity::decode(&unit.standard()).unwrap();
        read.serial = UnitIdentity::decode_serial(&unit.vital(0x80).unwrap()).unwrap();
        assert_eq!(read, unit);
        assert_eq!(UnitIdentity::decode(&[8; 35]), None);
    }

    #[test]
    fn what_is_too_long_or_not_printable_keeps_to_its_field() {
        let unit = UnitIdentity {
            vendor: "a vendor with a long name".to_owned(),
            product: "täpe\n".to_owned(),
            ..changer()
        };
        assert_eq!(&unit.standard()[8..32], b"a vendort?pe?           ");
    }
}
