//! REPORT DENSITY SUPPORT: what is recorded how.

use crate::bytes::Put;
use crate::cdb::flag;

/// A density, with what the standard says of it.
#[derive(Clone, Copy, Debug)]
struct Density {
    code: u8,
    bits_per_mm: u32,
    /// In tenths of a millimetre.
    width: u16,
    tracks: u16,
    capacity_mb: u32,
    organization: &'static str,
    name: &'static str,
    description: &'static str,
}

/// Generations of LTO and of DDS, each behind its predecessor: a drive knows those before its own.
const ALL: [Density; 14] = {
    const fn lto(
        code: u8,
        bits_per_mm: u32,
        tracks: u16,
        capacity_mb: u32,
        name: &'static str,
        description: &'static str,
    ) -> Density {
        Density {
            code,
            bits_per_mm,
            width: 127,
            tracks,
            capacity_mb,
            organization: "LTO-CVE",
            name,
            description,
        }
    }
    const fn dds(code: u8, bits_per_mm: u32, capacity_mb: u32, name: &'static str) -> Density {
        Density {
            code,
            bits_per_mm,
            width: 38,
            tracks: 1,
            capacity_mb,
            organization: "ECMA",
            name,
            description: "Digital data storage",
        }
    }
    [
        lto(0x40, 4880, 384, 100_000, "U-18", "Ultrium 1/8T"),
        lto(0x42, 7398, 512, 200_000, "U-28", "Ultrium 2/8T"),
        lto(0x44, 9638, 704, 400_000, "U-316", "Ultrium 3/16T"),
        lto(0x46, 12725, 896, 800_000, "U-416", "Ultrium 4/16T"),
        lto(0x58, 15142, 1280, 1_500_000, "U-516", "Ultrium 5/16T"),
        lto(0x5a, 15142, 2176, 2_500_000, "U-616", "Ultrium 6/16T"),
        lto(0x5c, 19107, 3584, 6_000_000, "U-732", "Ultrium 7/32T"),
        lto(0x5e, 20668, 6656, 12_000_000, "U-832", "Ultrium 8/32T"),
        lto(0x60, 21457, 8960, 18_000_000, "U-932", "Ultrium 9/32T"),
        dds(0x13, 2400, 2_000, "DDS"),
        dds(0x24, 2400, 4_000, "DDS-2"),
        dds(0x25, 4800, 12_000, "DDS-3"),
        dds(0x26, 4800, 20_000, "DDS-4"),
        dds(0x47, 6400, 36_000, "DAT-72"),
    ]
};

/// How many generations before its own a drive still reads. (LTO: two up to the seventh, one from the eighth on.)
fn reads_back(own: u8) -> usize {
    match own {
        0x5e | 0x60 => 1,
        _ => 2,
    }
}

fn descriptor(out: &mut Vec<u8>, density: &Density, writes: bool, is_default: bool) {
    const WRITES: u8 = 7;
    const DEFAULT: u8 = 5;
    out.extend_from_slice(&[
        density.code,
        density.code,
        flag(writes, WRITES) | flag(is_default, DEFAULT),
        0,
        0,
    ]);
    out.put24(density.bits_per_mm);
    out.put16(density.width);
    out.put16(density.tracks);
    out.put32(density.capacity_mb);
    out.text(density.organization, 8);
    out.text(density.name, 8);
    out.text(density.description, 20);
}

/// What is known of a code that no list here has.
fn unnamed(code: u8) -> Density {
    Density {
        code,
        bits_per_mm: 0,
        width: 0,
        tracks: 0,
        capacity_mb: 0,
        organization: "",
        name: "",
        description: "",
    }
}

/// The parameter data: densities of a drive whose own is `own` (its medium in it: `medium`), or of the medium alone.
pub(super) fn report(own: u8, medium: Option<u8>, of_medium: bool) -> Vec<u8> {
    let mut descriptors = Vec::new();
    if of_medium {
        let code = medium.unwrap_or(own);
        let known = ALL.iter().find(|density| density.code == code);
        let density = known.copied().unwrap_or(unnamed(code));
        descriptor(&mut descriptors, &density, true, code == own);
    } else {
        match ALL.iter().position(|density| density.code == own) {
            None => descriptor(&mut descriptors, &unnamed(own), true, true),
            Some(at) => {
                let family = ALL.get(at).map(|density| density.organization);
                let first = at.saturating_sub(reads_back(own));
                let listed = ALL.iter().enumerate().take(at + 1).skip(first);
                for (index, density) in listed {
                    if Some(density.organization) == family {
                        // What it writes is its own density and the one before.
                        descriptor(&mut descriptors, density, index + 1 >= at, index == at);
                    }
                }
            }
        }
    }
    let mut out = Vec::with_capacity(4 + descriptors.len());
    out.put16(crate::bytes::length16(2 + descriptors.len()));
    out.zeros(2);
    out.extend_from_slice(&descriptors);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(report: &[u8]) -> Vec<(u8, u8)> {
        let descriptors = report[4..].chunks_exact(52);
        descriptors.map(|d| (d[0], d[2])).collect()
    }

    #[test]
    fn a_descriptor_has_the_bytes_of_the_standard() {
        let report = report(0x58, Some(0x58), true);
        assert_eq!(report.len(), 4 + 52);
        assert_eq!(report[..4], [0, 54, 0, 0]);
        assert_eq!(report[4..9], [0x58, 0x58, 0xa0, 0, 0]);
        assert_eq!(report[9..12], [0, 0x3b, 0x26]);
        assert_eq!(report[12..20], [0, 127, 5, 0, 0, 0x16, 0xe3, 0x60]);
        assert_eq!(&report[20..36], b"LTO-CVE U-516   ");
        assert_eq!(&report[36..], b"Ultrium 5/16T       ");
    }

    #[test]
    fn a_drive_reads_what_came_before_and_writes_the_last_two() {
        let expected = [(0x44, 0), (0x46, 0x80), (0x58, 0xa0)];
        assert_eq!(codes(&report(0x58, None, false)), expected);
        assert_eq!(
            codes(&report(0x60, None, false)),
            [(0x5e, 0x80), (0x60, 0xa0)]
        );
        assert_eq!(codes(&report(0x13, None, false)), [(0x13, 0xa0)]);
        assert_eq!(codes(&report(0x40, None, false)), [(0x40, 0xa0)]);
        assert_eq!(codes(&report(0x99, None, false)), [(0x99, 0xa0)]);
    }
}
