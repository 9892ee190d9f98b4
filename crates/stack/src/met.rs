//! Reading of what comes next on a tape.

use pseudotape_tape::Drive;

use crate::error::{Error, Skipped, failed};
use crate::reading::Reading;
use crate::source::{self, Tape};
use crate::unpacking::{Opened, Unpacking};

/// What comes next on a tape.
pub enum Met<'a> {
    /// An archive of ours.
    Archive(Box<Reading<'a>>),
    /// A tape file that is none, or that this program does not read; the tape is behind it.
    Skipped(Skipped),
    /// Nothing: the data end here.
    EndOfData,
}

/// Reads the description of the archive that begins here.
///
/// | the tape is before | result | position after |
/// |---|---|---|
/// | an archive of ours | [`Met::Archive`] | in it |
/// | another tape file | [`Met::Skipped`] | behind its filemark, or at the end of data where it has none |
/// | the end of data | [`Met::EndOfData`] | there |
/// | what the drive can't read | [`Error::Drive`] | as the drive says; [`skip_file`] goes on behind it |
pub fn read_archive(drive: &mut dyn Drive) -> Result<Met<'_>, Error> {
    let at = drive.position().map_err(failed("tell the position"))?;
    Ok(match Unpacking::open(Tape(drive))? {
        Opened::Archive(opened) => {
            let (description, unpacking) = *opened;
            Met::Archive(Box::new(Reading {
                description,
                at,
                unpacking,
            }))
        }
        Opened::Skipped(why) => Met::Skipped(why),
        Opened::EndOfData => Met::EndOfData,
    })
}

/// Goes behind the next filemark; whether there is one.
pub fn skip_file(drive: &mut dyn Drive) -> Result<bool, Error> {
    source::pass_file(drive)
}
