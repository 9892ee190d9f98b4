//! Finding tape files from the end of a tape, without reading what lies before.

use pseudotape_tape::{Drive, FileNumber, ObjectNumber, Position, SpaceUnit, Stop};

use crate::error::{Error, failed};
use crate::writing::go_to;

/// What is at the end of a tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// Behind the last filemark, where the tape is: an archive that is written now begins here.
    pub at: Position,
    /// Objects behind that: something that was cut off, and that is written over.
    pub cut_off: u64,
}

/// Where a tape file lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Its first object.
    pub first: ObjectNumber,
    /// Its number, where the drive knows it.
    pub file: Option<FileNumber>,
    /// Its objects, without its filemark. An archive is whole if it has as many blocks.
    pub objects: u64,
}

/// Goes behind the last filemark. Nothing is read.
pub fn go_to_end(drive: &mut dyn Drive) -> Result<Tail, Error> {
    let end = drive
        .space_to_end_of_data()
        .map_err(failed("go to the end of data"))?
        .position;
    let at = match mark_before(drive)? {
        Some(mark) => go_to(drive, ObjectNumber(mark.0.saturating_add(1)))?,
        None => go_to(drive, ObjectNumber(0))?,
    };
    Ok(Tail {
        at,
        cut_off: end.object.0.saturating_sub(at.object.0),
    })
}

/// Goes before the last tape file that has a filemark and is not empty; nothing where there is none. Nothing is read.
pub fn last_file(drive: &mut dyn Drive) -> Result<Option<Extent>, Error> {
    let tail = go_to_end(drive)?;
    file_before(drive, tail.at.object)
}

/// Goes before the tape file whose filemark lies directly before an object, past those that are empty.
///
/// | condition | result | position after |
/// |---|---|---|
/// | a file is there | its place | before its first object |
/// | nothing but filemarks is there | nothing | at the beginning |
pub fn file_before(drive: &mut dyn Drive, behind: ObjectNumber) -> Result<Option<Extent>, Error> {
    let mut behind = behind;
    while let Some(mark) = behind.0.checked_sub(1) {
        go_to(drive, ObjectNumber(mark))?;
        let first = match mark_before(drive)? {
            Some(before) => ObjectNumber(before.0.saturating_add(1)),
            None => ObjectNumber(0),
        };
        let at = go_to(drive, first)?;
        if first.0 < mark {
            return Ok(Some(Extent {
                first,
                file: at.file,
                objects: mark - first.0,
            }));
        }
        behind = first;
    }
    Ok(None)
}

/// Goes back before the next filemark, and says which object it is; nothing where there is none.
fn mark_before(drive: &mut dyn Drive) -> Result<Option<ObjectNumber>, Error> {
    loop {
        let done = drive
            .space(SpaceUnit::Filemarks, -1)
            .map_err(failed("go back to the last filemark"))?;
        if done.count > 0 {
            return Ok(Some(done.position.object));
        }
        if done.stop != Some(Stop::Setmark) {
            return Ok(None);
        }
    }
}
