//! What a killed daemon has left of a device, and whether this one goes on with it.

use std::path::Path;

use anyhow::{Context, Result};
use pseudotape_human::counted;

use crate::held::{Held, HeldNote, held_path};
use crate::note::Note;
use crate::served::note_path;
use crate::trees::{Taken, refuse_waiting};

/// What a killed daemon has left of a device.
pub(crate) struct Left {
    /// Whether this daemon goes on with it: the device was there, and is the same one.
    pub(crate) is_same: bool,
    /// What this daemon has of it, and where that is noted.
    pub(crate) held: Held,
    pub(crate) note: HeldNote,
}

impl Left {
    /// Looks at what is noted beside the note `of` the device, which is forgotten where it is another device's. What
    /// waits in the ring for something that is not there any more is refused.
    pub(crate) fn by(
        of: &Path,
        taken: &mut Taken,
        mut held: Held,
        forget: impl FnOnce() -> std::io::Result<()>,
    ) -> Result<Left> {
        let path = held_path(of);
        let note = HeldNote::open(&path).with_context(|| format!("{}", path.display()))?;
        let before = note.read();
        let is_same =
            taken.tree.was_there && before.as_ref().is_some_and(|left| left.is_same(&held));
        if !is_same {
            forget()?;
        }
        match before {
            Some(left) if is_same => held = left,
            before if taken.tree.was_there => {
                let refused = refuse_waiting(&mut taken.device)?;
                log::warn!(
                    "{}: the daemon that was killed had something else there ({}): programs are told of a reset, and {} \
                     that waited failed",
                    taken.tree.name(),
                    before
                        .as_ref()
                        .map_or("nobody knows what", Held::configured),
                    counted(refused, "command")
                );
            }
            _ => {}
        }
        note.write(&held);
        Ok(Left {
            is_same,
            held,
            note,
        })
    }

    /// The same of a drive.
    pub(crate) fn of_drive(
        state: &Path,
        number: u32,
        taken: &mut Taken,
        held: Held,
    ) -> Result<Left> {
        let path = note_path(state, number);
        let forget = || {
            Note::open(&path)?.0.clear();
            Ok(())
        };
        Left::by(&path, taken, held, forget)
    }
}
