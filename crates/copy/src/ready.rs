use pseudotape_tape::{Address, Drive, ObjectNumber, PartitionNumber};

use crate::error::{Error, Side};

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
