//! Attributes that programs keep beside the data: a whole copy has those of its source.

use anyhow::{Result, anyhow};
use pseudotape_tape::{Attributes, AttributesError, PartitionNumber, Volume};

use super::tape::Tape;

/// Keeps these on a tape that has a place for them.
pub(super) fn keep(tape: &mut Tape, attributes: &Attributes) -> Result<()> {
    let first = PartitionNumber(0);
    let has = match tape.open.attributes(first) {
        Err(AttributesError::NoPlace) => return Ok(()),
        has => has.ok(),
    };
    if has.as_ref() == Some(attributes) {
        return Ok(());
    }
    let name = tape.name();
    let kept = tape.open.set_attributes(first, attributes);
    kept.map_err(|error| anyhow!("{name}: {error}"))
}

/// Gives a whole copy what programs keep beside the data of this partition of the source. A source that does not know
/// that any more is told of: its data are copied all the same.
pub(super) fn carry(source: &mut Tape, partition: u8, target: &mut Tape) -> Result<()> {
    match source.open.attributes(PartitionNumber(partition)) {
        Ok(attributes) => keep(target, &attributes),
        Err(AttributesError::NoPlace) => Ok(()),
        Err(error) => {
            eprintln!("pseudotape: {}: {error}; the copy has none", source.name());
            Ok(())
        }
    }
}
