//! What makes one drive differ from another: every number, as it is told to hosts.

mod common;

use common::named;
use pseudotape_drive::{AfterUnload, ErasePolicy, Personality};
use pseudotape_tape::{BlockLimits, Sense};

fn limits(min_bytes: u32, max_bytes: u32) -> BlockLimits {
    BlockLimits {
        min_bytes,
        max_bytes,
        granularity_bytes: 1,
    }
}

fn generic() -> Personality {
    Personality {
        name: "generic",
        vendor: "PSEUDO",
        product: "TAPE",
        limits: limits(1, 16_777_216),
        block_size_multiple: 1,
        limits_reads: false,
        density: 0x58,
        refused_densities: &[],
        max_partitions: 4,
        setmarks: false,
        compression: true,
        erase: ErasePolicy::Anywhere,
        after_unload: AfterUnload {
            sense: Sense::NoMedium,
            keeps_cartridge: true,
        },
        announces_medium: true,
        mark_fits_at_end: true,
        mark_bytes: 64,
        buffering: 1,
        reports_beginning: true,
    }
}

#[test]
fn there_are_four_personalities_and_the_first_is_the_default() {
    let names: Vec<_> = Personality::ALL.iter().map(|p| p.name).collect();
    assert_eq!(names, ["generic", "scsi_debug", "lto5", "dds"]);
    assert_eq!(Personality::default(), generic());
    assert_eq!(named("generic"), generic());
}

#[test]
fn scsi_debug_is_what_the_traces_were_recorded_behind() {
    let expected = Personality {
        name: "scsi_debug",
        vendor: "Linux",
        product: "scsi_debug",
        limits: limits(512, 1_048_576),
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
        ..generic()
    };
    assert_eq!(named("scsi_debug"), expected);
}

#[test]
fn an_lto5_drive_lets_go_of_its_cartridge_and_erases_only_from_the_beginning() {
    let expected = Personality {
        name: "lto5",
        vendor: "IBM",
        product: "ULT3580-TD5",
        limits: limits(1, 2_097_152),
        max_partitions: 2,
        erase: ErasePolicy::AtBeginning,
        after_unload: AfterUnload {
            sense: Sense::NoMedium,
            keeps_cartridge: false,
        },
        announces_medium: false,
        ..generic()
    };
    assert_eq!(named("lto5"), expected);
}

#[test]
fn a_dds_drive_has_setmarks() {
    let expected = Personality {
        name: "dds",
        vendor: "HP",
        product: "C1537A",
        limits: limits(1, 16_777_215),
        density: 0x25,
        max_partitions: 2,
        setmarks: true,
        ..generic()
    };
    assert_eq!(named("dds"), expected);
}

#[test]
fn a_block_is_taken_by_length_and_granularity() {
    let in_threes = Personality {
        limits: BlockLimits {
            min_bytes: 3,
            max_bytes: 9,
            granularity_bytes: 3,
        },
        block_size_multiple: 2,
        ..generic()
    };
    let taken: Vec<_> = (0..=12).filter(|n| in_threes.takes_block(*n)).collect();
    assert_eq!(taken, [3, 6, 9]);
    // A fixed size is also a multiple of the other number; 0 is variable block mode.
    let sizes: Vec<_> = (0..=12)
        .filter(|n| in_threes.takes_block_size(*n))
        .collect();
    assert_eq!(sizes, [0, 6]);
}
