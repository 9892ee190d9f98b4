//! Where things stand in the shared memory (`linux/target_core_user.h`, mailbox version 2).

/// `TCMU_MAILBOX_VERSION`.
pub(crate) const VERSION: u16 = 2;
/// `TCMU_MAILBOX_FLAG_CAP_READ_LEN`: an answer can say how much was read.
pub(crate) const CAN_READ_LEN: u16 = 1 << 1;

/// `struct tcmu_mailbox`.
pub(crate) mod mailbox {
    pub(crate) const VERSION: usize = 0;
    pub(crate) const FLAGS: usize = 2;
    pub(crate) const RING_AT: usize = 4;
    pub(crate) const RING_BYTES: usize = 8;
    pub(crate) const HEAD: usize = 12;
    /// On a cache line of its own.
    pub(crate) const TAIL: usize = 64;
    pub(crate) const BYTES: usize = 68;
}

/// `struct tcmu_cmd_entry_hdr`; from the beginning of the entry.
pub(crate) mod header {
    pub(crate) const LENGTH_AND_KIND: usize = 0;
    pub(crate) const ID: usize = 4;
    pub(crate) const USER_FLAGS: usize = 7;
    pub(crate) const BYTES: u32 = 8;
}

/// Entries begin at multiples of it, so that the lowest bits of a length are free for the kind.
pub(crate) const ENTRY_ALIGNMENT: u32 = 8;
/// `TCMU_OP_MASK`.
pub(crate) const KIND_MASK: u32 = 7;
/// `TCMU_OP_PAD`: the ring goes on at its beginning.
pub(crate) const KIND_PADDING: u32 = 0;
/// `TCMU_OP_CMD`.
pub(crate) const KIND_COMMAND: u32 = 1;
/// `TCMU_OP_TMR`.
pub(crate) const KIND_TASK: u32 = 2;

/// `TCMU_UFLAG_UNKNOWN_OP`.
pub(crate) const UNKNOWN_KIND: u8 = 1;
/// `TCMU_UFLAG_READ_LEN`.
pub(crate) const HAS_READ_LEN: u8 = 2;

/// `req` of `struct tcmu_cmd_entry`. The structure is packed, and the one within is not: `CDB_AT` stands where a number
/// of 64 bits stands by itself.
pub(crate) mod request {
    pub(crate) const SEGMENTS: usize = 8;
    pub(crate) const SEGMENTS_BACK: usize = 12;
    pub(crate) const CDB_AT: usize = 24;
    pub(crate) const SEGMENT_LIST: usize = 48;
    /// `struct iovec` of a 64-bit kernel.
    pub(crate) const SEGMENT_BYTES: usize = 16;
}

/// `rsp` of `struct tcmu_cmd_entry`, in the place of the request.
pub(crate) mod response {
    pub(crate) const STATUS: usize = 8;
    pub(crate) const READ_LEN: usize = 12;
    pub(crate) const SENSE: usize = 16;
}

/// `TCMU_SENSE_BUFFERSIZE`.
pub(crate) const SENSE_BYTES: usize = 96;
/// `sizeof(struct tcmu_cmd_entry)`: no command's entry is shorter, since it has to take the answer.
pub(crate) const COMMAND_BYTES: u32 = 112;

/// `struct tcmu_tmr_entry`.
pub(crate) mod task {
    pub(crate) const FUNCTION: usize = 8;
    pub(crate) const COUNT: usize = 12;
    pub(crate) const IDS: usize = 32;
}
