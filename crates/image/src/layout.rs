//! Places and sizes of format version 1; docs/FORMAT.md is the description.

/// Version of the format that this crate writes.
pub const MAJOR_VERSION: u16 = 1;
/// Minor version: raised by additions that old readers may ignore.
pub const MINOR_VERSION: u16 = 0;

/// Where the header begins.
pub const HEADER_OFFSET: u64 = 0;
/// Where the two slots of mutable state begin, each in a 4 KiB block of its own.
pub const SLOT_OFFSETS: [u64; 2] = [4096, 8192];
/// Where the copy of the header begins.
pub const HEADER_COPY_OFFSET: u64 = 12288;
/// Where the first record begins.
pub const RECORDS_OFFSET: u64 = 16384;

/// Where the two areas of attributes begin: behind the header and behind its copy, in their blocks of 4 KiB.
pub const AREA_OFFSETS: [u64; 2] = [512, 12800];
/// Room of an area of attributes.
pub const AREA_BYTES: usize = 4096 - 512;

/// Length of a frame.
pub const FRAME_BYTES: u64 = 48;
/// Longest block.
pub const MAX_BLOCK_BYTES: u32 = 1 << 31;
/// Objects under one leaf of the index.
pub const LEAF_OBJECTS: usize = 512;
/// Leaves under one node of the index.
pub const NODE_LEAVES: usize = 512;
/// Objects between two roots of the index, at least.
pub const ROOT_INTERVAL_OBJECTS: u64 = 8192;

/// Longest label, in bytes of UTF-8.
pub const LABEL_BYTES: usize = 128;
/// Longest barcode, in bytes of UTF-8.
pub const BARCODE_BYTES: usize = 32;

/// Length of a buffer as it is counted in a file.
pub(crate) fn wide(length: usize) -> u64 {
    u64::try_from(length).expect("a usize has at most 64 bits")
}

/// Objects under one leaf, as objects are counted.
pub(crate) const LEAF_OBJECTS_U64: u64 = 512;
/// Objects under one node, as objects are counted.
pub(crate) const NODE_OBJECTS_U64: u64 = 512 * 512;
