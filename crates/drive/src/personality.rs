use pseudotape_tape::{BlockLimits, Sense};

/// Where ERASE is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErasePolicy {
    /// Anywhere; what lies behind is gone.
    Anywhere,
    /// Only at the beginning of the partition (LTO).
    AtBeginning,
}

/// What the drive is like after UNLOAD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AfterUnload {
    /// What operations answer then.
    pub sense: Sense,
    /// Whether LOAD brings the medium back; otherwise it has left the drive.
    pub keeps_cartridge: bool,
}

/// What a mark costs of the capacity: its frame and its share of the index, rounded up to what a block has too
/// (docs/FORMAT.md).
pub(crate) const MARK_BYTES: u64 = 64;

/// How many marks fit behind the physical end, where a drive takes any there: enough for every program that ends its
/// work, and not enough to fill a disk.
pub const MARKS_AT_END_MAX: u64 = 1024;

/// What MODE SELECT does with a partition that is larger than the medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OversizedPartition {
    /// Takes it, cut so that the rest has a tenth of the medium.
    Cut,
    /// Refuses it, and changes nothing.
    Refused,
}

/// What makes one drive differ from another: data, not code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Personality {
    /// Name in configurations.
    pub name: &'static str,
    /// INQUIRY vendor.
    pub vendor: &'static str,
    /// INQUIRY product.
    pub product: &'static str,
    /// READ BLOCK LIMITS.
    pub limits: BlockLimits,
    /// A fixed block size is a multiple of this.
    pub block_size_multiple: u32,
    /// Whether a read of a length outside the limits is refused in variable block mode.
    pub limits_reads: bool,
    /// Density code of a fresh medium.
    pub density: u8,
    /// Density codes that MODE SELECT refuses.
    pub refused_densities: &'static [u8],
    /// Most partitions that a medium can have.
    pub max_partitions: u8,
    /// What becomes of a partition that is larger than the medium.
    pub oversized_partition: OversizedPartition,
    /// Whether the medium can hold setmarks.
    pub setmarks: bool,
    /// Whether the drive knows the compression page.
    pub compression: bool,
    /// Where ERASE is allowed.
    pub erase: ErasePolicy,
    /// What the drive is like after UNLOAD.
    pub after_unload: AfterUnload,
    /// Whether a new medium is announced by a unit attention (28h).
    pub announces_medium: bool,
    /// Whether marks still fit at the physical end: [`MARKS_AT_END_MAX`] of them.
    pub mark_fits_at_end: bool,
    /// What a filemark costs of the capacity, in bytes. A setmark costs nothing: no record tells how many lie
    /// before it.
    pub mark_bytes: u64,
    /// Buffered mode at power-on, 0 to 7.
    pub buffering: u8,
    /// Whether READ POSITION marks the beginning of the partition (BOP), as every real drive's does.
    pub reports_beginning: bool,
}

const GENERIC: Personality = Personality {
    name: "generic",
    vendor: "PSEUDO",
    product: "TAPE",
    limits: BlockLimits {
        min_bytes: 1,
        max_bytes: 16 << 20,
        granularity_bytes: 1,
    },
    block_size_multiple: 1,
    limits_reads: false,
    density: 0x58,
    refused_densities: &[],
    max_partitions: 4,
    oversized_partition: OversizedPartition::Cut,
    setmarks: false,
    compression: true,
    erase: ErasePolicy::Anywhere,
    after_unload: AfterUnload {
        sense: Sense::NoMedium,
        keeps_cartridge: true,
    },
    announces_medium: true,
    mark_fits_at_end: true,
    mark_bytes: MARK_BYTES,
    buffering: 1,
    reports_beginning: true,
};

/// The emulation in the kernel's `scsi_debug` module, behind which most golden traces were recorded.
const SCSI_DEBUG: Personality = Personality {
    name: "scsi_debug",
    vendor: "Linux",
    product: "scsi_debug",
    limits: BlockLimits {
        min_bytes: 512,
        max_bytes: 1 << 20,
        granularity_bytes: 1,
    },
    block_size_multiple: 4,
    limits_reads: true,
    density: 0,
    refused_densities: &[101],
    max_partitions: 2,
    after_unload: AfterUnload {
        sense: Sense::NotReady,
        keeps_cartridge: true,
    },
    mark_fits_at_end: false,
    mark_bytes: 1,
    buffering: 0,
    reports_beginning: false,
    ..GENERIC
};

/// An LTO-5 drive.
const LTO5: Personality = Personality {
    name: "lto5",
    vendor: "IBM",
    product: "ULT3580-TD5",
    limits: BlockLimits {
        min_bytes: 1,
        max_bytes: 8 << 20,
        granularity_bytes: 1,
    },
    density: 0x58,
    max_partitions: 2,
    oversized_partition: OversizedPartition::Refused,
    erase: ErasePolicy::AtBeginning,
    ..GENERIC
};

/// A later LTO drive: another name and density, more partitions.
const fn lto(name: &'static str, product: &'static str, density: u8) -> Personality {
    Personality {
        name,
        product,
        density,
        max_partitions: 4,
        ..LTO5
    }
}

const LTO6: Personality = lto("lto6", "ULT3580-TD6", 0x5a);
const LTO7: Personality = lto("lto7", "ULT3580-TD7", 0x5c);
const LTO8: Personality = lto("lto8", "ULT3580-TD8", 0x5e);
const LTO9: Personality = lto("lto9", "ULT3580-TD9", 0x60);

/// The LTO-5 of mhvtl, behind which the traces of the end of the tape were recorded: what it does unlike a drive is
/// here and nowhere else.
const MHVTL: Personality = Personality {
    name: "mhvtl",
    limits: BlockLimits {
        min_bytes: 1,
        max_bytes: 2 << 20,
        granularity_bytes: 1,
    },
    oversized_partition: OversizedPartition::Cut,
    after_unload: AfterUnload {
        sense: Sense::NoMedium,
        keeps_cartridge: false,
    },
    ..LTO5
};

/// A DAT drive: small blocks, setmarks, two partitions.
const DDS: Personality = Personality {
    name: "dds",
    vendor: "HP",
    product: "C1537A",
    limits: BlockLimits {
        min_bytes: 1,
        max_bytes: (1 << 24) - 1,
        granularity_bytes: 1,
    },
    density: 0x25,
    max_partitions: 2,
    oversized_partition: OversizedPartition::Refused,
    setmarks: true,
    ..GENERIC
};

impl Personality {
    /// Every personality; the first one is the default.
    pub const ALL: &[Personality] = &[
        GENERIC, SCSI_DEBUG, MHVTL, LTO5, LTO6, LTO7, LTO8, LTO9, DDS,
    ];

    /// Finds one by name.
    #[must_use]
    pub fn named(name: &str) -> Option<Personality> {
        Personality::ALL.iter().find(|p| p.name == name).copied()
    }

    /// Whether the drive takes a block of this length.
    #[must_use]
    pub fn takes_block(&self, length_bytes: u64) -> bool {
        self.limits.contain(length_bytes)
            && length_bytes.is_multiple_of(u64::from(self.limits.granularity_bytes))
    }

    /// Whether the drive takes this fixed block size; 0, variable block mode, always.
    #[must_use]
    pub fn takes_block_size(&self, size: u32) -> bool {
        size == 0 || self.takes_block(size.into()) && size.is_multiple_of(self.block_size_multiple)
    }
}

impl Default for Personality {
    fn default() -> Self {
        GENERIC
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personalities_are_found_by_their_names() {
        for p in Personality::ALL {
            assert_eq!(Personality::named(p.name), Some(*p));
        }
        assert_eq!(Personality::named("exabyte"), None);
        assert_eq!(Personality::default().name, "generic");
    }

    #[test]
    fn lengths_that_the_drive_takes() {
        assert!(SCSI_DEBUG.takes_block(512));
        assert!(SCSI_DEBUG.takes_block(513));
        assert!(!SCSI_DEBUG.takes_block(511));
        assert!(SCSI_DEBUG.takes_block_size(0));
        assert!(SCSI_DEBUG.takes_block_size(516));
        assert!(!SCSI_DEBUG.takes_block_size(513));
        assert!(!SCSI_DEBUG.takes_block_size(508));
        assert!(GENERIC.takes_block(16 << 20));
        assert!(!GENERIC.takes_block((16 << 20) + 1));
    }
}
