//! The structures of `linux/mtio.h` byte by byte, little-endian.

use zerocopy::little_endian::{I16, I32, I64, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `struct mtop`, the same for both widths.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Mtop {
    pub(crate) operation: I16,
    pub(crate) padding: [u8; 2],
    pub(crate) count: I32,
}

/// `struct mtget` of a 64-bit caller.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Mtget64 {
    pub(crate) kind: I64,
    pub(crate) residual: I64,
    pub(crate) drive_status: I64,
    pub(crate) general_status: I64,
    pub(crate) errors: I64,
    pub(crate) file: I32,
    pub(crate) block: I32,
}

/// `struct mtget` of a 32-bit caller.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Mtget32 {
    pub(crate) kind: I32,
    pub(crate) residual: I32,
    pub(crate) drive_status: U32,
    pub(crate) general_status: U32,
    pub(crate) errors: I32,
    pub(crate) file: I32,
    pub(crate) block: I32,
}

const _: () = assert!(size_of::<Mtop>() == 8);
const _: () = assert!(size_of::<Mtget64>() == 48);
const _: () = assert!(size_of::<Mtget32>() == 28);
