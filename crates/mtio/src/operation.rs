use zerocopy::{FromBytes, IntoBytes};

use crate::abi::Mtop;
use crate::command::DecodeError;

macro_rules! operations {
    ($($number:literal $name:ident $doc:literal,)*) => {
        /// What `MTIOCTOP` can ask (`mt_op`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Operation {
            $(#[doc = $doc] $name,)*
            /// A number that `linux/mtio.h` doesn't name.
            Unsupported(i16),
        }

        impl From<i16> for Operation {
            fn from(number: i16) -> Self {
                match number {
                    $($number => Operation::$name,)*
                    other => Operation::Unsupported(other),
                }
            }
        }

        impl From<Operation> for i16 {
            fn from(operation: Operation) -> Self {
                match operation {
                    $(Operation::$name => $number,)*
                    Operation::Unsupported(other) => other,
                }
            }
        }
    };
}

operations! {
    0 Reset "`MTRESET`: reset the drive in case of problems.",
    1 ForwardFilemarks "`MTFSF`: forward over filemarks, to the first block of the next file.",
    2 BackFilemarks "`MTBSF`: backward over filemarks, to before the last one.",
    3 ForwardBlocks "`MTFSR`: forward over blocks.",
    4 BackBlocks "`MTBSR`: backward over blocks.",
    5 WriteFilemarks "`MTWEOF`: write filemarks.",
    6 Rewind "`MTREW`: rewind.",
    7 Offline "`MTOFFL`: rewind and put the drive off line.",
    8 Nothing "`MTNOP`: no operation, set status only.",
    9 Retension "`MTRETEN`: retension the tape.",
    10 BackFilemarksAfter "`MTBSFM`: backward over filemarks, then to behind the last one.",
    11 ForwardFilemarksBefore "`MTFSFM`: forward over filemarks, then to before the last one.",
    12 EndOfData "`MTEOM`: to the end of recorded data.",
    13 Erase "`MTERASE`: erase the tape.",
    14 SelfTest1 "`MTRAS1`: self test 1.",
    15 SelfTest2 "`MTRAS2`: self test 2.",
    16 SelfTest3 "`MTRAS3`: reserved for a self test.",
    20 SetBlockSize "`MTSETBLK`: set the block size.",
    21 SetDensity "`MTSETDENSITY`: set the density code.",
    22 Seek "`MTSEEK`: to an object.",
    23 Tell "`MTTELL`: not an operation of st, `MTIOCPOS` is.",
    24 SetDriveBuffer "`MTSETDRVBUFFER`: set the drive's buffering or an option of the driver.",
    25 ForwardSetmarks "`MTFSS`: forward over setmarks.",
    26 BackSetmarks "`MTBSS`: backward over setmarks.",
    27 WriteSetmarks "`MTWSM`: write setmarks.",
    28 Lock "`MTLOCK`: lock the door.",
    29 Unlock "`MTUNLOCK`: unlock the door.",
    30 Load "`MTLOAD`: load the medium.",
    31 Unload "`MTUNLOAD`: unload the medium.",
    32 Compression "`MTCOMPRESSION`: switch compression on or off.",
    33 SetPartition "`MTSETPART`: choose the partition.",
    34 MakePartitions "`MTMKPART`: cut the medium into partitions.",
    35 WriteFilemarksImmediate "`MTWEOFI`: write filemarks without waiting for stable storage.",
}

/// `struct mtop`: one operation with its count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MtOp {
    /// What to do.
    pub operation: Operation,
    /// How often, how far, or another argument.
    pub count: i32,
}

impl MtOp {
    /// Reads `struct mtop`.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let raw = Mtop::ref_from_bytes(bytes).map_err(|_| DecodeError::Length {
            name: "mtop",
            expected: size_of::<Mtop>(),
            found: bytes.len(),
        })?;
        Ok(MtOp {
            operation: raw.operation.get().into(),
            count: raw.count.get(),
        })
    }

    /// The bytes of `struct mtop`.
    #[must_use]
    pub fn encode(self) -> [u8; 8] {
        let raw = Mtop {
            operation: i16::from(self.operation).into(),
            padding: [0; 2],
            count: self.count.into(),
        };
        let mut bytes = [0; 8];
        bytes.copy_from_slice(raw.as_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_survives_the_round_trip_and_unknown_ones_are_kept() {
        for number in i16::MIN..=i16::MAX {
            assert_eq!(i16::from(Operation::from(number)), number);
        }
        for gap in [17, 18, 19, 36, 99, -1, 32767] {
            assert_eq!(Operation::from(gap), Operation::Unsupported(gap));
        }
    }

    #[test]
    fn mtop_is_number_padding_and_count() {
        let rewind = MtOp::decode(&[6, 0, 0xaa, 0xbb, 1, 0, 0, 0]).unwrap();
        assert_eq!(rewind.operation, Operation::Rewind);
        assert_eq!(rewind.count, 1);
        let back = MtOp {
            operation: Operation::BackBlocks,
            count: -2,
        };
        assert_eq!(back.encode(), [4, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff]);
        assert_eq!(
            MtOp::decode(&[6, 0]).unwrap_err().to_string(),
            "struct mtop has 8 bytes, not 2"
        );
    }
}
