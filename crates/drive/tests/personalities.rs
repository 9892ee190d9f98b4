//! What makes one drive differ from another: every number, as it is told to hosts.

mod common;

use common::named;
use pseudotape_drive::{AfterUnload, ErasePolicy, OversizedPartition, Personality};
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
        mark_bytes: 64,
        buffering: 1,
        reports_beginning: true,
    }
}

#[test]
fn there_are_nine_personalities_and_the_first_is_the_default() {
    let names: Vec<_> = Personality::ALL.iter().map(|p| p.name).collect();
    let expected = [
        "generic",
        "scsi_debug",
        "mhvtl",
        "lto5",
        "lto6",
        "lto7",
        "lto8",
        "lto9",
        "dds",
    ];
    assert_eq!(names, expected);
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
fn an_lto5_drive_erases_only_from_the_beginning() {
    let expected = Personality {
        name: "lto5",
        vendor: "IBM",
        product: "ULT3580-TD5",
        limits: limits(1, 8_388_608),
        max_partitions: 2,
        oversized_partition: OversizedPartition::Refused,
        erase: ErasePolicy::AtBeginning,
        ..generic()
    };
    assert_eq!(named("lto5"), expected);
}

#[test]
fn a_later_lto_drive_has_another_density_and_more_partitions() {
    for (name, product, density) in [
        ("lto6", "ULT3580-TD6", 0x5a),
        ("lto7", "ULT3580-TD7", 0x5c),
        ("lto8", "ULT3580-TD8", 0x5e),
        ("lto9", "ULT3580-TD9", 0x60),
    ] {
        let expected = Personality {
            name,
            product,
            density,
            max_partitions: 4,
            ..named("lto5")
        };
        assert_eq!(named(name), expected);
    }
}

#[test]
fn mhvtl_lets_go_of_its_cartridge() {
    let expected = Personality {
        name: "mhvtl",
        limits: limits(1, 2_097_152),
        oversized_partition: OversizedPartition::Cut,
        after_unload: AfterUnload {
            sense: Sense::NoMedium,
            keeps_cartridge: false,
        },
        ..named("lto5")
    };
    assert_eq!(named("mhvtl"), expected);
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
        oversized_partition: OversizedPartition::Refused,
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

/// The cells of a table of docs/PERSONALITIES.md that begin with these words, without the first one.
fn row(document: &str, begins: &str) -> Vec<String> {
    let start = format!("| {begins} |");
    let line = document.lines().find(|line| line.starts_with(&start));
    let line = line.unwrap_or_else(|| panic!("docs/PERSONALITIES.md has no row '{begins}'"));
    let cells = line.trim_matches('|').split('|').skip(1);
    cells.map(|cell| cell.trim().to_owned()).collect()
}

/// How the document writes a value of a personality.
type Tell<'a> = &'a dyn Fn(&Personality) -> String;

#[test]
fn the_document_has_every_value_of_every_personality() {
    let document = include_str!("../../../docs/PERSONALITIES.md");
    let yes = |is_so: bool| if is_so { "yes" } else { "no" }.to_owned();
    let told: &[(&str, Tell)] = &[
        ("", &|p| format!("`{}`", p.name)),
        ("INQUIRY", &|p| format!("{} {}", p.vendor, p.product)),
        ("smallest block", &|p| p.limits.min_bytes.to_string()),
        ("largest block", &|p| p.limits.max_bytes.to_string()),
        ("granularity", &|p| p.limits.granularity_bytes.to_string()),
        ("a fixed size is a multiple of", &|p| {
            p.block_size_multiple.to_string()
        }),
        ("limits hold for reads", &|p| yes(p.limits_reads)),
        ("density", &|p| format!("{:#04x}", p.density)),
        ("densities refused", &|p| match p.refused_densities {
            [] => "none".to_owned(),
            codes => codes.iter().map(|code| format!("{code:#04x}")).collect(),
        }),
        ("partitions, at most", &|p| p.max_partitions.to_string()),
        ("a partition larger than the medium", &|p| {
            match p.oversized_partition {
                OversizedPartition::Cut => "cut",
                OversizedPartition::Refused => "refused",
            }
            .to_owned()
        }),
        ("setmarks", &|p| yes(p.setmarks)),
        ("compression page", &|p| yes(p.compression)),
        ("ERASE", &|p| {
            match p.erase {
                ErasePolicy::Anywhere => "anywhere",
                ErasePolicy::AtBeginning => "at the beginning",
            }
            .to_owned()
        }),
        ("after UNLOAD", &|p| p.after_unload.sense.to_string()),
        ("LOAD brings the cartridge back", &|p| {
            yes(p.after_unload.keeps_cartridge)
        }),
        ("a new cartridge is announced", &|p| yes(p.announces_medium)),
        ("a mark fits at the physical end", &|p| {
            yes(p.mark_fits_at_end)
        }),
        ("a mark costs", &|p| p.mark_bytes.to_string()),
        ("buffered mode", &|p| p.buffering.to_string()),
        ("READ POSITION says BOP", &|p| yes(p.reports_beginning)),
    ];
    for (begins, tell) in told {
        let expected: Vec<_> = Personality::ALL.iter().map(tell).collect();
        assert_eq!(row(document, begins), expected, "{begins}");
    }
}
