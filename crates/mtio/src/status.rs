use bitflags::bitflags;
use zerocopy::{FromBytes, IntoBytes};

use crate::abi::{Mtget32, Mtget64};
use crate::command::{DecodeError, Width};

/// Bits of `mt_dsreg` that hold the block size; above them lies the density code.
pub const BLOCK_SIZE_MASK: u32 = 0x00ff_ffff;

/// `mt_type` of a SCSI tape (`MT_ISSCSI2`).
const TYPE_SCSI2: i32 = 0x72;

/// Largest `struct mtget`.
pub const MTGET_BYTES: usize = 48;

/// Largest `struct mtpos`.
pub const MTPOS_BYTES: usize = 8;

bitflags! {
    /// The `GMT_` bits of `mt_gstat`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct GeneralStatus: u32 {
        /// Behind a filemark.
        const EOF = 0x8000_0000;
        /// At the beginning of the tape.
        const BOT = 0x4000_0000;
        /// At early warning or the physical end.
        const EOT = 0x2000_0000;
        /// Behind a setmark.
        const SM = 0x1000_0000;
        /// At the end of recorded data.
        const EOD = 0x0800_0000;
        /// Write protected.
        const WR_PROT = 0x0400_0000;
        /// A medium is loaded and ready.
        const ONLINE = 0x0100_0000;
        /// Density code 3.
        const D_6250 = 0x0080_0000;
        /// Density code 2.
        const D_1600 = 0x0040_0000;
        /// Density code 1.
        const D_800 = 0x0020_0000;
        /// No medium.
        const DR_OPEN = 0x0004_0000;
        /// Writes are buffered.
        const IM_REP_EN = 0x0001_0000;
        /// The drive asks for cleaning.
        const CLN = 0x0000_8000;
    }
}

/// `struct mtget`: the status of a drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MtGet {
    /// `mt_resid`: st puts the partition here.
    pub residual: i32,
    /// Block size in bytes, 24 bits; 0 is variable block mode.
    pub block_size: u32,
    /// Density code.
    pub density: u8,
    /// `mt_gstat`.
    pub general: GeneralStatus,
    /// `mt_erreg`: recovered errors in the low half.
    pub recovered_errors: u16,
    /// `mt_fileno`; −1 where unknown.
    pub file: i32,
    /// `mt_blkno`; −1 where unknown.
    pub block: i32,
}

impl MtGet {
    /// Appends `struct mtget` of this width.
    pub fn encode(&self, width: Width, to: &mut Vec<u8>) {
        let drive_status = (self.block_size & BLOCK_SIZE_MASK) | (u32::from(self.density) << 24);
        let errors = i32::from(self.recovered_errors);
        match width {
            Width::Bits64 => to.extend_from_slice(
                Mtget64 {
                    kind: i64::from(TYPE_SCSI2).into(),
                    residual: i64::from(self.residual).into(),
                    drive_status: i64::from(drive_status).into(),
                    general_status: i64::from(self.general.bits()).into(),
                    errors: i64::from(errors).into(),
                    file: self.file.into(),
                    block: self.block.into(),
                }
                .as_bytes(),
            ),
            Width::Bits32 => to.extend_from_slice(
                Mtget32 {
                    kind: TYPE_SCSI2.into(),
                    residual: self.residual.into(),
                    drive_status: drive_status.into(),
                    general_status: self.general.bits().into(),
                    errors: errors.into(),
                    file: self.file.into(),
                    block: self.block.into(),
                }
                .as_bytes(),
            ),
        }
    }

    /// Reads `struct mtget`; bits of no meaning are dropped.
    pub fn decode(bytes: &[u8], width: Width) -> Result<Self, DecodeError> {
        let length = |expected| DecodeError::Length {
            name: "mtget",
            expected,
            found: bytes.len(),
        };
        // The kernel fills the upper half of a 64-bit field by sign or with zeros; its low half is the value.
        let low = |wide: i64| (wide.cast_unsigned() & 0xffff_ffff) as u32;
        let (residual, drive_status, general, errors, file, block) = match width {
            Width::Bits64 => {
                let raw = Mtget64::ref_from_bytes(bytes).map_err(|_| length(48))?;
                (
                    low(raw.residual.get()).cast_signed(),
                    low(raw.drive_status.get()),
                    low(raw.general_status.get()),
                    low(raw.errors.get()),
                    raw.file.get(),
                    raw.block.get(),
                )
            }
            Width::Bits32 => {
                let raw = Mtget32::ref_from_bytes(bytes).map_err(|_| length(28))?;
                (
                    raw.residual.get(),
                    raw.drive_status.get(),
                    raw.general_status.get(),
                    raw.errors.get().cast_unsigned(),
                    raw.file.get(),
                    raw.block.get(),
                )
            }
        };
        let [recovered_low, recovered_high, ..] = errors.to_le_bytes();
        Ok(MtGet {
            residual,
            block_size: drive_status & BLOCK_SIZE_MASK,
            density: drive_status.to_le_bytes()[3],
            general: GeneralStatus::from_bits_truncate(general),
            recovered_errors: u16::from_le_bytes([recovered_low, recovered_high]),
            file,
            block,
        })
    }
}

/// `struct mtpos`: the number of the next object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MtPos {
    /// `mt_blkno`: 32 bits, as READ POSITION gives it.
    pub object: u32,
}

impl MtPos {
    /// Appends `struct mtpos` of this width.
    pub fn encode(self, width: Width, to: &mut Vec<u8>) {
        match width {
            Width::Bits64 => to.extend_from_slice(&u64::from(self.object).to_le_bytes()),
            Width::Bits32 => to.extend_from_slice(&self.object.to_le_bytes()),
        }
    }

    /// Reads `struct mtpos`.
    pub fn decode(bytes: &[u8], width: Width) -> Result<Self, DecodeError> {
        let expected = match width {
            Width::Bits64 => 8,
            Width::Bits32 => 4,
        };
        let wrong = DecodeError::Length {
            name: "mtpos",
            expected,
            found: bytes.len(),
        };
        let (low, high) = bytes.split_first_chunk::<4>().ok_or(wrong)?;
        if bytes.len() != expected || high.iter().any(|&byte| byte != 0) {
            return Err(wrong);
        }
        Ok(MtPos {
            object: u32::from_le_bytes(*low),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_FILE_1: MtGet = MtGet {
        residual: 0,
        block_size: 1024,
        density: 0x58,
        general: GeneralStatus::EOF
            .union(GeneralStatus::ONLINE)
            .union(GeneralStatus::IM_REP_EN),
        recovered_errors: 0,
        file: 1,
        block: -1,
    };

    #[test]
    fn mtget_of_a_64_bit_caller_has_48_bytes_and_an_unsigned_status() {
        let mut bytes = Vec::new();
        AT_FILE_1.encode(Width::Bits64, &mut bytes);
        assert_eq!(bytes.len(), MTGET_BYTES);
        assert_eq!(bytes[0..8], [0x72, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[16..24], [0, 4, 0, 0x58, 0, 0, 0, 0]);
        assert_eq!(bytes[24..32], [0, 0, 1, 0x81, 0, 0, 0, 0]);
        assert_eq!(bytes[40..48], [1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(MtGet::decode(&bytes, Width::Bits64), Ok(AT_FILE_1));
    }

    #[test]
    fn mtget_of_a_32_bit_caller_has_28_bytes() {
        let mut bytes = Vec::new();
        AT_FILE_1.encode(Width::Bits32, &mut bytes);
        assert_eq!(bytes.len(), 28);
        assert_eq!(bytes[8..16], [0, 4, 0, 0x58, 0, 0, 1, 0x81]);
        assert_eq!(bytes[20..28], [1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(MtGet::decode(&bytes, Width::Bits32), Ok(AT_FILE_1));
        assert!(MtGet::decode(&bytes, Width::Bits64).is_err());
    }

    #[test]
    fn mtpos_has_8_or_4_bytes() {
        let position = MtPos {
            object: 0x8000_0001,
        };
        for (width, length) in [(Width::Bits64, 8), (Width::Bits32, 4)] {
            let mut bytes = Vec::new();
            position.encode(width, &mut bytes);
            assert_eq!(bytes.len(), length);
            assert_eq!(MtPos::decode(&bytes, width), Ok(position));
        }
    }
}
