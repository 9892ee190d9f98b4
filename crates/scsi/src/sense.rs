//! Sense data: why a command failed.

use std::fmt;

use crate::bytes::{Put, be16, be32, be64, byte};

/// The kind of a failure (SPC-4 §4.5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SenseKey {
    /// Nothing failed.
    NoSense = 0x0,
    /// Done, after a repair.
    RecoveredError = 0x1,
    /// The unit can't be reached now.
    NotReady = 0x2,
    /// The medium is damaged.
    MediumError = 0x3,
    /// The unit is damaged.
    HardwareError = 0x4,
    /// The command, or a parameter of it, can't be done.
    IllegalRequest = 0x5,
    /// Something happened that the initiator has to know.
    UnitAttention = 0x6,
    /// The medium is protected.
    DataProtect = 0x7,
    /// Blank medium or end of data.
    BlankCheck = 0x8,
    /// The maker's own.
    VendorSpecific = 0x9,
    /// A copy failed.
    CopyAborted = 0xa,
    /// The unit gave the command up; it may be tried again.
    AbortedCommand = 0xb,
    /// Obsolete.
    Equal = 0xc,
    /// The medium is full.
    VolumeOverflow = 0xd,
    /// Data differ.
    Miscompare = 0xe,
    /// Done, with news.
    Completed = 0xf,
}

impl SenseKey {
    const ALL: [SenseKey; 16] = [
        SenseKey::NoSense,
        SenseKey::RecoveredError,
        SenseKey::NotReady,
        SenseKey::MediumError,
        SenseKey::HardwareError,
        SenseKey::IllegalRequest,
        SenseKey::UnitAttention,
        SenseKey::DataProtect,
        SenseKey::BlankCheck,
        SenseKey::VendorSpecific,
        SenseKey::CopyAborted,
        SenseKey::AbortedCommand,
        SenseKey::Equal,
        SenseKey::VolumeOverflow,
        SenseKey::Miscompare,
        SenseKey::Completed,
    ];

    /// The key in the low four bits.
    #[must_use]
    pub fn from_bits(bits: u8) -> Self {
        let index = usize::from(bits & 0xf);
        Self::ALL.get(index).copied().unwrap_or(SenseKey::NoSense)
    }

    /// The key as a number.
    #[must_use]
    pub fn bits(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for SenseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SenseKey::NoSense => "NO SENSE",
            SenseKey::RecoveredError => "RECOVERED ERROR",
            SenseKey::NotReady => "NOT READY",
            SenseKey::MediumError => "MEDIUM ERROR",
            SenseKey::HardwareError => "HARDWARE ERROR",
            SenseKey::IllegalRequest => "ILLEGAL REQUEST",
            SenseKey::UnitAttention => "UNIT ATTENTION",
            SenseKey::DataProtect => "DATA PROTECT",
            SenseKey::BlankCheck => "BLANK CHECK",
            SenseKey::VendorSpecific => "VENDOR SPECIFIC",
            SenseKey::CopyAborted => "COPY ABORTED",
            SenseKey::AbortedCommand => "ABORTED COMMAND",
            SenseKey::Equal => "EQUAL",
            SenseKey::VolumeOverflow => "VOLUME OVERFLOW",
            SenseKey::Miscompare => "MISCOMPARE",
            SenseKey::Completed => "COMPLETED",
        })
    }
}

/// Additional sense code and its qualifier: the reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Reason {
    /// ADDITIONAL SENSE CODE.
    pub code: u8,
    /// ADDITIONAL SENSE CODE QUALIFIER.
    pub qualifier: u8,
}

macro_rules! reasons {
    ($($name:ident = $code:literal / $qualifier:literal, $text:literal;)*) => {
        impl Reason {
            $(
                #[doc = concat!($text, ".")]
                pub const $name: Reason = Reason { code: $code, qualifier: $qualifier };
            )*

            /// What the standard calls it; `None` for a reason that nothing here gives or expects.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match (self.code, self.qualifier) {
                    $(($code, $qualifier) => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

reasons! {
    NONE = 0x00 / 0x00, "NO ADDITIONAL SENSE INFORMATION";
    FILEMARK_DETECTED = 0x00 / 0x01, "FILEMARK DETECTED";
    END_OF_PARTITION = 0x00 / 0x02, "END-OF-PARTITION/MEDIUM DETECTED";
    SETMARK_DETECTED = 0x00 / 0x03, "SETMARK DETECTED";
    BEGINNING_OF_PARTITION = 0x00 / 0x04, "BEGINNING-OF-PARTITION/MEDIUM DETECTED";
    END_OF_DATA = 0x00 / 0x05, "END-OF-DATA DETECTED";
    NOT_READY = 0x04 / 0x00, "LOGICAL UNIT NOT READY, CAUSE NOT REPORTABLE";
    MANUAL_INTERVENTION = 0x04 / 0x03, "LOGICAL UNIT NOT READY, MANUAL INTERVENTION REQUIRED";
    NO_ANSWER = 0x05 / 0x00, "LOGICAL UNIT DOES NOT RESPOND TO SELECTION";
    WRITE_ERROR = 0x0c / 0x00, "WRITE ERROR";
    MEMORY_WRITE_ERROR = 0x0c / 0x0b, "AUXILIARY MEMORY WRITE ERROR";
    UNRECOVERED_READ = 0x11 / 0x00, "UNRECOVERED READ ERROR";
    MEMORY_READ_ERROR = 0x11 / 0x12, "AUXILIARY MEMORY READ ERROR";
    PARAMETER_LIST_LENGTH = 0x1a / 0x00, "PARAMETER LIST LENGTH ERROR";
    MISCOMPARE = 0x1d / 0x00, "MISCOMPARE DURING VERIFY OPERATION";
    INVALID_OPERATION_CODE = 0x20 / 0x00, "INVALID COMMAND OPERATION CODE";
    INVALID_ELEMENT_ADDRESS = 0x21 / 0x01, "INVALID ELEMENT ADDRESS";
    INVALID_FIELD_IN_CDB = 0x24 / 0x00, "INVALID FIELD IN CDB";
    INVALID_FIELD_IN_DATA = 0x26 / 0x00, "INVALID FIELD IN PARAMETER LIST";
    WRITE_PROTECTED = 0x27 / 0x00, "WRITE PROTECTED";
    MEDIUM_MAY_HAVE_CHANGED = 0x28 / 0x00, "NOT READY TO READY CHANGE, MEDIUM MAY HAVE CHANGED";
    IMPORT_EXPORT_ACCESSED = 0x28 / 0x01, "IMPORT OR EXPORT ELEMENT ACCESSED";
    POWER_ON_OR_RESET = 0x29 / 0x00, "POWER ON, RESET, OR BUS DEVICE RESET OCCURRED";
    MODE_PARAMETERS_CHANGED = 0x2a / 0x01, "MODE PARAMETERS CHANGED";
    WORM_OVERWRITE = 0x30 / 0x0c, "WORM MEDIUM - OVERWRITE ATTEMPTED";
    SAVING_NOT_SUPPORTED = 0x39 / 0x00, "SAVING PARAMETERS NOT SUPPORTED";
    NO_MEDIUM = 0x3a / 0x00, "MEDIUM NOT PRESENT";
    PAST_BEGINNING = 0x3b / 0x0c, "POSITION PAST BEGINNING OF MEDIUM";
    DESTINATION_FULL = 0x3b / 0x0d, "MEDIUM DESTINATION ELEMENT FULL";
    SOURCE_EMPTY = 0x3b / 0x0e, "MEDIUM SOURCE ELEMENT EMPTY";
    MAGAZINE_NOT_ACCESSIBLE = 0x3b / 0x11, "MEDIUM MAGAZINE NOT ACCESSIBLE";
    INTERNAL_FAILURE = 0x44 / 0x00, "INTERNAL TARGET FAILURE";
    DATA_PHASE_ERROR = 0x4b / 0x00, "DATA PHASE ERROR";
    LOAD_OR_EJECT_FAILED = 0x53 / 0x00, "MEDIA LOAD OR EJECT FAILED";
    REMOVAL_PREVENTED = 0x53 / 0x02, "MEDIUM REMOVAL PREVENTED";
    REMOVAL_PREVENTED_BY_DRIVE = 0x53 / 0x03, "MEDIUM REMOVAL PREVENTED BY DATA TRANSFER ELEMENT";
    MEMORY_OUT_OF_SPACE = 0x55 / 0x06, "AUXILIARY MEMORY OUT OF SPACE";
    LABEL_UNREADABLE = 0x83 / 0x01, "BARCODE LABEL CANNOT BE READ (a reason of this changer's own)";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X}h/{:02X}h", self.code, self.qualifier)?;
        match self.name() {
            Some(name) => write!(f, " {name}"),
            None => Ok(()),
        }
    }
}

/// Where the wrong field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldOf {
    /// In the CDB.
    Command,
    /// In the data that came with it.
    Data,
}

/// The first byte, and perhaps bit, that is wrong (SPC-4 §4.5.2.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FieldPointer {
    /// Which bytes are counted.
    pub of: FieldOf,
    /// The byte.
    pub byte: u16,
    /// Its highest wrong bit; `None`: the whole byte, or several.
    pub bit: Option<u8>,
}

impl FieldPointer {
    /// A byte of the CDB.
    #[must_use]
    pub fn command(byte: u16) -> Self {
        FieldPointer {
            of: FieldOf::Command,
            byte,
            bit: None,
        }
    }

    /// A bit of a byte of the CDB.
    #[must_use]
    pub fn command_bit(byte: u16, bit: u8) -> Self {
        FieldPointer {
            bit: Some(bit & 7),
            ..Self::command(byte)
        }
    }

    /// A byte of the data.
    #[must_use]
    pub fn data(byte: u16) -> Self {
        FieldPointer {
            of: FieldOf::Data,
            ..Self::command(byte)
        }
    }
}

/// News about a tape that goes with a sense key (SSC-3 §4.2.14).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StreamFlags {
    /// FILEMARK: a mark was met.
    pub filemark: bool,
    /// EOM: the end, or early warning, was met.
    pub end_of_medium: bool,
    /// ILI: a block of another length was met.
    pub incorrect_length: bool,
}

/// How sense data are laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SenseFormat {
    /// 18 bytes, response code 70h.
    #[default]
    Fixed,
    /// A header and descriptors, response code 72h.
    Descriptor,
}

/// Why a command failed, or what is to be said beside its success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sense {
    /// The kind.
    pub key: SenseKey,
    /// The reason.
    pub reason: Reason,
    /// INFORMATION: of a tape the residual. A negative one, of a block that was longer than asked for, in two's
    /// complement.
    pub information: Option<u64>,
    /// The wrong field, with ILLEGAL REQUEST.
    pub field: Option<FieldPointer>,
    /// News about a tape.
    pub stream: StreamFlags,
    /// It is about a command that was answered before (response codes 71h and 73h).
    pub deferred: bool,
}

/// Length of fixed sense data.
pub const FIXED_BYTES: usize = 18;

const FILEMARK: u8 = 0x80;
const END_OF_MEDIUM: u8 = 0x40;
const INCORRECT_LENGTH: u8 = 0x20;
const VALID: u8 = 0x80;
const IN_COMMAND: u8 = 0x40;
const BIT_VALID: u8 = 0x08;

impl Sense {
    /// This kind for this reason, and nothing more.
    #[must_use]
    pub fn new(key: SenseKey, reason: Reason) -> Self {
        Sense {
            key,
            reason,
            information: None,
            field: None,
            stream: StreamFlags::default(),
            deferred: false,
        }
    }

    /// There is nothing to tell.
    #[must_use]
    pub fn none() -> Self {
        Self::new(SenseKey::NoSense, Reason::NONE)
    }

    /// ILLEGAL REQUEST for this reason.
    #[must_use]
    pub fn illegal(reason: Reason) -> Self {
        Self::new(SenseKey::IllegalRequest, reason)
    }

    /// A field of the CDB has a value that can't be honoured.
    #[must_use]
    pub fn invalid_field(field: FieldPointer) -> Self {
        let reason = match field.of {
            FieldOf::Command => Reason::INVALID_FIELD_IN_CDB,
            FieldOf::Data => Reason::INVALID_FIELD_IN_DATA,
        };
        Sense {
            field: Some(field),
            ..Self::illegal(reason)
        }
    }

    /// The bytes, in the format that was asked for.
    #[must_use]
    pub fn encode(&self, format: SenseFormat) -> Vec<u8> {
        match format {
            SenseFormat::Fixed => self.encode_fixed(),
            SenseFormat::Descriptor => self.encode_descriptors(),
        }
    }

    fn stream_bits(&self) -> u8 {
        let flag = |on: bool, bit: u8| if on { bit } else { 0 };
        flag(self.stream.filemark, FILEMARK)
            | flag(self.stream.end_of_medium, END_OF_MEDIUM)
            | flag(self.stream.incorrect_length, INCORRECT_LENGTH)
    }

    /// The three bytes SENSE KEY SPECIFIC.
    fn key_specific(&self, out: &mut Vec<u8>) {
        let Some(field) = self.field else {
            return out.zeros(3);
        };
        let of = match field.of {
            FieldOf::Command => IN_COMMAND,
            FieldOf::Data => 0,
        };
        out.push(VALID | of | field.bit.map_or(0, |bit| BIT_VALID | bit & 7));
        out.put16(field.byte);
    }

    fn encode_fixed(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(FIXED_BYTES);
        // Information that is wider than its field is not valid (SPC-4 §4.5.3).
        let (valid, information) = match self.information.and_then(narrow) {
            Some(information) => (VALID, information),
            None => (0, 0),
        };
        out.push(valid | if self.deferred { 0x71 } else { 0x70 });
        out.push(0);
        out.push(self.key.bits() | self.stream_bits());
        out.put32(information);
        out.push(10);
        out.zeros(4);
        out.push(self.reason.code);
        out.push(self.reason.qualifier);
        out.push(0);
        self.key_specific(&mut out);
        out
    }

    fn encode_descriptors(&self) -> Vec<u8> {
        let mut descriptors = Vec::new();
        if let Some(information) = self.information {
            descriptors.extend_from_slice(&[0x00, 0x0a, VALID, 0]);
            descriptors.put64(information);
        }
        if self.field.is_some() {
            descriptors.extend_from_slice(&[0x02, 0x06, 0, 0]);
            self.key_specific(&mut descriptors);
            descriptors.push(0);
        }
        if self.stream_bits() != 0 {
            descriptors.extend_from_slice(&[0x04, 0x02, 0, self.stream_bits()]);
        }
        let mut out = vec![
            if self.deferred { 0x73 } else { 0x72 },
            self.key.bits(),
            self.reason.code,
            self.reason.qualifier,
            0,
            0,
            0,
            crate::bytes::length8(descriptors.len()),
        ];
        out.extend_from_slice(&descriptors);
        out
    }

    /// What sense data of either format say; `None` where they are of neither. What lies behind their end is not valid.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        match byte(bytes, 0) & 0x7f {
            code @ (0x70 | 0x71) => Some(Self::decode_fixed(bytes, code == 0x71)),
            code @ (0x72 | 0x73) => Some(Self::decode_descriptors(bytes, code == 0x73)),
            _ => None,
        }
    }

    fn decode_fixed(bytes: &[u8], deferred: bool) -> Self {
        let length = 8 + usize::from(byte(bytes, 7));
        let bytes = bytes.get(..length).unwrap_or(bytes);
        let key = byte(bytes, 2);
        let reason = Reason {
            code: byte(bytes, 12),
            qualifier: byte(bytes, 13),
        };
        Sense {
            information: (byte(bytes, 0) & VALID != 0).then(|| u64::from(be32(bytes, 3))),
            field: decode_field(bytes, 15, SenseKey::from_bits(key)),
            stream: decode_stream(key),
            deferred,
            ..Self::new(SenseKey::from_bits(key), reason)
        }
    }

    fn decode_descriptors(bytes: &[u8], deferred: bool) -> Self {
        let reason = Reason {
            code: byte(bytes, 2),
            qualifier: byte(bytes, 3),
        };
        let mut sense = Sense {
            deferred,
            ..Self::new(SenseKey::from_bits(byte(bytes, 1)), reason)
        };
        let length = 8 + usize::from(byte(bytes, 7));
        let bytes = bytes.get(..length).unwrap_or(bytes);
        let mut at = 8;
        while at + 2 <= bytes.len() {
            let length = 2 + usize::from(byte(bytes, at + 1));
            let Some(descriptor) = bytes.get(at..at + length) else {
                break;
            };
            match (byte(descriptor, 0), length) {
                (0x00, 12) if byte(descriptor, 2) & VALID != 0 => {
                    sense.information = Some(be64(descriptor, 4));
                }
                (0x02, 8) => sense.field = decode_field(descriptor, 4, sense.key),
                (0x04, 4) => sense.stream = decode_stream(byte(descriptor, 3)),
                _ => {}
            }
            at += length;
        }
        sense
    }
}

/// Information in 32 bits, where it fits: as it is, or as a negative number.
fn narrow(information: u64) -> Option<u32> {
    let negative = || i32::try_from(information.cast_signed()).ok();
    let unsigned = u32::try_from(information).ok();
    unsigned.or_else(|| negative().map(i32::cast_unsigned))
}

fn decode_field(bytes: &[u8], at: usize, key: SenseKey) -> Option<FieldPointer> {
    let flags = byte(bytes, at);
    // With other keys these bytes mean something else.
    if flags & VALID == 0 || key != SenseKey::IllegalRequest {
        return None;
    }
    Some(FieldPointer {
        of: if flags & IN_COMMAND != 0 {
            FieldOf::Command
        } else {
            FieldOf::Data
        },
        byte: be16(bytes, at + 1),
        bit: (flags & BIT_VALID != 0).then_some(flags & 7),
    })
}

fn decode_stream(bits: u8) -> StreamFlags {
    StreamFlags {
        filemark: bits & FILEMARK != 0,
        end_of_medium: bits & END_OF_MEDIUM != 0,
        incorrect_length: bits & INCORRECT_LENGTH != 0,
    }
}

impl fmt::Display for Sense {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.key, self.reason)?;
        if let Some(field) = self.field {
            let of = match field.of {
                FieldOf::Command => "the CDB",
                FieldOf::Data => "the parameter data",
            };
            write!(f, ", byte {}", field.byte)?;
            if let Some(bit) = field.bit {
                write!(f, " bit {bit}")?;
            }
            write!(f, " of {of}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invalid() -> Sense {
        Sense::invalid_field(FieldPointer::command_bit(2, 7))
    }

    #[test]
    fn fixed_sense_has_the_bytes_of_the_standard() {
        let bytes = [
            0x70, 0, 0x05, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x24, 0x00, 0, 0xcf, 0, 2,
        ];
        assert_eq!(invalid().encode(SenseFormat::Fixed), bytes);
        let residual = Sense {
            information: Some(0x0102_0304),
            stream: StreamFlags {
                filemark: true,
                end_of_medium: false,
                incorrect_length: true,
            },
            ..Sense::none()
        };
        let bytes = [0xf0, 0, 0xa0, 1, 2, 3, 4, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(residual.encode(SenseFormat::Fixed), bytes);
    }

    #[test]
    fn descriptor_sense_has_the_bytes_of_the_standard() {
        let bytes = [
            0x72, 0x05, 0x24, 0x00, 0, 0, 0, 8, 0x02, 0x06, 0, 0, 0xcf, 0, 2, 0,
        ];
        assert_eq!(invalid().encode(SenseFormat::Descriptor), bytes);
    }

    #[test]
    fn information_wider_than_its_field_is_not_valid_in_fixed_format() {
        let wide = Sense {
            information: Some(1 << 40),
            ..Sense::none()
        };
        let fixed = wide.encode(SenseFormat::Fixed);
        assert_eq!((fixed[0], &fixed[3..7]), (0x70, &[0, 0, 0, 0][..]));
        let descriptors = wide.encode(SenseFormat::Descriptor);
        assert_eq!(Sense::decode(&descriptors), Some(wide));
    }

    #[test]
    fn a_negative_residual_fills_the_field_of_either_format() {
        let long = Sense {
            information: Some((-3_i64).cast_unsigned()),
            ..Sense::none()
        };
        let fixed = long.encode(SenseFormat::Fixed);
        assert_eq!(
            (fixed[0], &fixed[3..7]),
            (0xf0, &[0xff, 0xff, 0xff, 0xfd][..])
        );
        let descriptors = long.encode(SenseFormat::Descriptor);
        assert_eq!(
            descriptors[12..20],
            [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfd]
        );
    }

    #[test]
    fn both_formats_give_the_same_sense_back() {
        let all = [
            invalid(),
            Sense::none(),
            Sense {
                information: Some(7),
                deferred: true,
                stream: StreamFlags {
                    end_of_medium: true,
                    ..StreamFlags::default()
                },
                ..Sense::new(SenseKey::VolumeOverflow, Reason::WRITE_ERROR)
            },
            Sense {
                field: Some(FieldPointer {
                    of: FieldOf::Data,
                    byte: 0x1234,
                    bit: None,
                }),
                ..Sense::illegal(Reason::INVALID_FIELD_IN_DATA)
            },
        ];
        for sense in all {
            for format in [SenseFormat::Fixed, SenseFormat::Descriptor] {
                let bytes = sense.encode(format);
                assert_eq!(Sense::decode(&bytes), Some(sense), "{format:?}");
            }
        }
    }

    #[test]
    fn sense_that_was_cut_or_is_no_sense_is_read_as_far_as_it_goes() {
        let bytes = invalid().encode(SenseFormat::Fixed);
        let cut = Sense::decode(&bytes[..14]).unwrap();
        assert_eq!(
            (cut.reason, cut.field),
            (Reason::INVALID_FIELD_IN_CDB, None)
        );
        assert_eq!(Sense::decode(&[]), None);
        assert_eq!(Sense::decode(&[0x20; 18]), None);
    }

    #[test]
    fn every_key_is_its_number() {
        for bits in 0..16 {
            assert_eq!(SenseKey::from_bits(bits).bits(), bits);
        }
    }

    #[test]
    fn sense_reads_as_people_look_it_up() {
        let text = invalid().to_string();
        let expected = "ILLEGAL REQUEST, 24h/00h INVALID FIELD IN CDB, byte 2 bit 7 of the CDB";
        assert_eq!(text, expected);
    }
}
