//! REPORT LUNS of a target with one logical unit.

use crate::bytes::Put;

/// The list: logical unit 0 is the only one, and it is not a well-known one.
#[must_use]
pub fn report_luns(select: u8) -> Vec<u8> {
    const WELL_KNOWN_ONLY: u8 = 1;
    let mut out = Vec::with_capacity(16);
    let bytes = if select == WELL_KNOWN_ONLY { 0 } else { 8 };
    out.put32(bytes);
    out.zeros(4);
    if select != WELL_KNOWN_ONLY {
        out.put64(0);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_unit_and_none_that_is_well_known() {
        let one = [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(report_luns(0), one);
        assert_eq!(report_luns(2), one);
        assert_eq!(report_luns(1), [0; 8]);
    }
}
