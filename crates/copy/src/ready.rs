use pseudotape_tape::{Address, Drive, Failed, ObjectNumber, PartitionNumber, Sense};

use crate::error::{Error, Side};

/// Unit attentions that may wait in a drive one behind the other.
const ATTENTIONS_MAX: u32 = 4;

/// Fetches pending unit attentions, so that the next operation is not told of them.
pub fn make_ready(drive: &mut dyn Drive) -> Result<(), Failed> {
    for _ in 0..ATTENTIONS_MAX {
        match drive.test_ready() {
            Err(failed) if matches!(failed.sense, Sense::MediumChanged | Sense::Reset) => {}
            other => return other,
        }
    }
    drive.test_ready()
}

/// Goes before an object of a partition; an error where the drive ends up elsewhere.
pub fn go_to(
    drive: &mut dyn Drive,
    side: Side,
    partition: Option<PartitionNumber>,
    object: ObjectNumber,
) -> Result<(), Error> {
    let done = drive
        .locate(Address { partition, object })
        .map_err(|failed| Error::Drive {
            side,
            object,
            action: "position",
            failed,
        })?;
    if done.position.object == object {
        return Ok(());
    }
    Err(Error::Position {
        side,
        expected: object,
        found: done.position.object,
    })
}
