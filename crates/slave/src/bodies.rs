//! The bodies of messages as they are sent. docs/SLAVE-PROTOCOL.md says what the fields mean.

use bincode::{Decode, Encode};

macro_rules! bodies {
    ($($name:ident { $($field:ident: $type:ty),* })*) => {
        $(#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
        pub(crate) struct $name {
            $(pub(crate) $field: $type),*
        })*
    };
}

bodies! {
    HelloBytes { largest_payload: u32, silence_ms: u32, offers: u32 }
    GoodbyeBytes { reason: u16, oldest: u8, newest: u8, text: [u8; 96] }
    SetModeBytes { block_size: u32, density: u8, buffering: u8, compression: u8, changes: u8 }
    ReadBytes { block_size: u32, length: u32 }
    WriteBytes { block_size: u32 }
    MarksBytes { count: u32, mark: u8, immediate: u8 }
    SpaceBytes { count: i64, unit: u8 }
    LocateBytes { object: u64, partition: u8, changes_partition: u8 }
    PartitionsBytes { size_mib: u32, kind: u8 }
    ByteBytes { value: u8 }
    WelcomeBytes {
        vendor: [u8; 8], product: [u8; 16], revision: [u8; 4], serial: [u8; 32],
        min_block: u32, max_block: u32, granularity: u32, takes: u32
    }
    OutcomeBytes {
        count: u64, object: u64, file: u64, block_length: u32,
        partition: u8, knows: u8, stop: u8, sense: u8
    }
    UnsupportedBytes { oldest: u16, newest: u16, features: u32 }
    ModeBytes { block_size: u32, density: u8, buffering: u8, state: u8, last_partition: u8 }
    CapacityBytes { total: u64, early_warning: u64, used: u64, room: u64, limited: u8 }
}

/// Bits of `offers` and `takes`: the payload goes through shared memory.
pub(crate) const SHARED_MEMORY: u32 = 1;

/// The bits of `offers` from this bit on name features that the master requires.
pub(crate) const NEEDS_SHIFT: u32 = 16;

/// Bits of `SetModeBytes::changes`.
pub(crate) const SETS_BLOCK_SIZE: u8 = 1;
pub(crate) const SETS_DENSITY: u8 = 2;
pub(crate) const SETS_BUFFERING: u8 = 4;
pub(crate) const SETS_COMPRESSION: u8 = 8;

/// Bits of `OutcomeBytes::knows`.
pub(crate) const KNOWS_POSITION: u8 = 1;
pub(crate) const KNOWS_FILE: u8 = 2;
pub(crate) const PAST_EARLY_WARNING: u8 = 4;
pub(crate) const RECOVERED: u8 = 8;

/// Bits of `ModeBytes::state`.
pub(crate) const WRITE_PROTECTED: u8 = 1;
pub(crate) const CAN_COMPRESS: u8 = 2;
pub(crate) const COMPRESSES: u8 = 4;

/// Bits of `CapacityBytes::limited`.
pub(crate) const HAS_TOTAL: u8 = 1;
pub(crate) const HAS_ROOM: u8 = 2;
