//! Whether the volume of a leg can be written.

use pseudotape_tape::{Failed, Position, Writability};

use super::{Leg, same_place};

impl Leg {
    /// Asks the volume whether it can be written. The answer is kept, and the board shows it.
    pub(crate) fn look_at_writability(&mut self) -> Writability {
        let told = self.core().volume().writability();
        self.writability = told;
        self.board().show_read_only(self.writability.refusal());
        self.writability
    }

    /// What the volume said when it was looked at.
    pub(crate) fn writability(&self) -> Writability {
        self.writability
    }

    /// Whether only a write tells if the volume takes one.
    pub(crate) fn is_untried(&self) -> bool {
        self.writability == Writability::Untried
    }

    /// Whether the recorded data end at a place. The tape is there afterwards.
    pub(crate) fn ends_at(&mut self, at: Position) -> Result<bool, Failed> {
        self.catch_up();
        let mut core = self.core();
        core.go_to(at)?;
        let end = core.act(|drive| drive.space_to_end_of_data())?.position;
        core.go_to(at)?;
        Ok(same_place(end, at))
    }
}
