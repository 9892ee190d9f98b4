//! What the count of `MTSETDRVBUFFER` means.

use bitflags::bitflags;

bitflags! {
    /// The driver's switches (`MT_ST_BUFFER_WRITES` …).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Booleans: u32 {
        /// Write whole buffers in fixed block mode.
        const BUFFER_WRITES = 0x1;
        /// Return before the drive is done.
        const ASYNC_WRITES = 0x2;
        /// Read more blocks than asked in fixed block mode.
        const READ_AHEAD = 0x4;
        /// Messages of the driver.
        const DEBUGGING = 0x8;
        /// Two filemarks at close.
        const TWO_FILEMARKS = 0x10;
        /// `MTEOM` directly, losing the file number.
        const FAST_EOM = 0x20;
        /// Lock the door at the first transfer.
        const AUTO_LOCK = 0x40;
        /// Defaults apply only when writing from the beginning.
        const DEFAULTS_FOR_WRITES = 0x80;
        /// The drive can space back over blocks.
        const CAN_BSR = 0x100;
        /// Don't ask the drive for its block limits.
        const NO_BLOCK_LIMITS = 0x200;
        /// Partitions may be used.
        const CAN_PARTITIONS = 0x400;
        /// Logical block numbers in `MTSEEK` and `MTIOCPOS`.
        const SCSI2_LOGICAL = 0x800;
        /// System V semantics at close.
        const SYSV = 0x1000;
        /// Don't wait for rewind, load and the like.
        const NO_WAIT = 0x2000;
        /// No error for a block longer than the buffer.
        const SILI = 0x4000;
        /// Don't wait for stable storage at filemarks.
        const NO_WAIT_FILEMARKS = 0x8000;
    }
}

/// How [`DriverOption::Booleans`] changes the switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BooleanChange {
    /// These on, all others off (`MT_ST_BOOLEANS`).
    Replace,
    /// These on (`MT_ST_SETBOOLEANS`).
    Set,
    /// These off (`MT_ST_CLEARBOOLEANS`).
    Clear,
}

/// Where in the sense data the drive asks for cleaning (`MT_ST_SET_CLN`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cleaning {
    /// Byte of the sense data; 0 is none.
    pub byte: u8,
    /// Bits to look at.
    pub mask: u8,
    /// Value they must have; 0 is any bit.
    pub value: u8,
}

/// Default compression (`MT_ST_DEF_COMPRESSION`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    /// Algorithm, where it is to change.
    pub algorithm: Option<u8>,
    /// On or off, where it is to change.
    pub on: Option<bool>,
}

/// An option form of `MTSETDRVBUFFER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverOption {
    /// Switches.
    Booleans(BooleanChange, Booleans),
    /// `MT_ST_WRITE_THRESHOLD`: accepted, does nothing.
    WriteThreshold,
    /// `MT_ST_DEF_BLKSIZE`; `None` clears the default.
    DefaultBlockSize(Option<u32>),
    /// `MT_ST_DEF_DENSITY`; `None` clears the default.
    DefaultDensity(Option<u8>),
    /// `MT_ST_DEF_DRVBUFFER`; `None` clears the default.
    DefaultBuffering(Option<u8>),
    /// `MT_ST_DEF_COMPRESSION`; `None` clears the default.
    DefaultCompression(Option<Compression>),
    /// `MT_ST_DEF_OPTIONS` with a part that is not known: accepted by st, does nothing.
    UnknownDefault(u32),
    /// `MT_ST_SET_TIMEOUT`, in seconds.
    TimeoutSeconds(u32),
    /// `MT_ST_SET_LONG_TIMEOUT`, in seconds.
    LongTimeoutSeconds(u32),
    /// `MT_ST_SET_CLN`.
    Cleaning(Cleaning),
    /// A code that is not known.
    Unknown(u32),
}

const CODE: u32 = 0xf000_0000;
const CLEAR: u32 = 0x000f_ffff;
const LONG: u32 = 0x0010_0000;

impl DriverOption {
    /// Reads the count of `MTSETDRVBUFFER`; `None` where it is not an option but the drive's buffering
    /// mode, in the three lowest bits.
    #[must_use]
    pub fn decode(count: i32) -> Option<Self> {
        let bits = count.cast_unsigned();
        let value = bits & !CODE;
        Some(match bits >> 28 {
            0x0 => return None,
            0x1 => Self::booleans(BooleanChange::Replace, value),
            0x2 => DriverOption::WriteThreshold,
            0x3 => Self::booleans(BooleanChange::Set, value),
            0x4 => Self::booleans(BooleanChange::Clear, value),
            0x5 => DriverOption::DefaultBlockSize((value != !CODE).then_some(value)),
            0x6 => Self::default_option(value),
            0x7 if value & LONG != 0 => DriverOption::LongTimeoutSeconds(value & !LONG),
            0x7 => DriverOption::TimeoutSeconds(value),
            0x8 => {
                let [byte, mask, part, _] = value.to_le_bytes();
                DriverOption::Cleaning(Cleaning {
                    byte,
                    mask,
                    value: part,
                })
            }
            _ => DriverOption::Unknown(bits),
        })
    }

    fn booleans(change: BooleanChange, value: u32) -> Self {
        DriverOption::Booleans(change, Booleans::from_bits_truncate(value))
    }

    fn default_option(value: u32) -> Self {
        let setting = value & CLEAR;
        let given = setting != CLEAR;
        let [low, high, ..] = setting.to_le_bytes();
        match value >> 20 {
            1 => DriverOption::DefaultDensity(given.then_some(low)),
            2 => DriverOption::DefaultCompression(given.then_some(Compression {
                algorithm: (high != 0).then_some(high),
                on: (low != 0xff).then_some(low & 1 != 0),
            })),
            3 => DriverOption::DefaultBuffering(given.then_some(low & 7)),
            _ => DriverOption::UnknownDefault(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bits: u32) -> Option<DriverOption> {
        DriverOption::decode(bits.cast_signed())
    }

    #[test]
    fn counts_without_a_code_are_the_drives_buffering_mode() {
        for mode in [0, 1, 7, 8, 0x0fff_ffff] {
            assert_eq!(decode(mode), None);
        }
    }

    #[test]
    fn each_code_is_decoded_with_its_value() {
        use BooleanChange::{Clear, Replace, Set};
        use DriverOption::*;
        for (bits, option) in [
            (0x1000_0000, Booleans(Replace, super::Booleans::empty())),
            (0x3000_0010, Booleans(Set, super::Booleans::TWO_FILEMARKS)),
            (
                0x4000_0003,
                Booleans(
                    Clear,
                    super::Booleans::ASYNC_WRITES | super::Booleans::BUFFER_WRITES,
                ),
            ),
            (
                0x3000_0000 | 0xf_0000,
                Booleans(Set, super::Booleans::empty()),
            ),
            (0x2000_001e, WriteThreshold),
            (0x5000_0400, DefaultBlockSize(Some(1024))),
            (0x50ff_ffff, DefaultBlockSize(Some(0x00ff_ffff))),
            (0x5fff_ffff, DefaultBlockSize(None)),
            (0x6010_0058, DefaultDensity(Some(0x58))),
            (0x601f_ffff, DefaultDensity(None)),
            (0x6030_0009, DefaultBuffering(Some(1))),
            (0x603f_ffff, DefaultBuffering(None)),
            (
                0x6020_1001,
                DefaultCompression(Some(Compression {
                    algorithm: Some(0x10),
                    on: Some(true),
                })),
            ),
            (0x602f_ffff, DefaultCompression(None)),
            (0x6070_0001, UnknownDefault(0x70_0001)),
            (0x7000_0064, TimeoutSeconds(100)),
            (0x7010_03e8, LongTimeoutSeconds(1000)),
            (
                0x8003_0214,
                Cleaning(super::Cleaning {
                    byte: 20,
                    mask: 2,
                    value: 3,
                }),
            ),
            (0x9000_0000, Unknown(0x9000_0000)),
            (0xf000_0000, Unknown(0xf000_0000)),
        ] {
            assert_eq!(decode(bits), Some(option), "{bits:#x}");
        }
    }
}
