//! The drive of a leg, and where its tape is.

use std::ops::ControlFlow;

use pseudotape_copy::{Copied, Progress};
use pseudotape_fault::Faulty;
use pseudotape_tape::{
    Address, Done, Drive, Failed, Mode, ModeSelect, Position, ReadDone, Sense, Transfer, Volume,
};

use crate::leg::fault::{Cause, Fault, LegResult};
use crate::leg::options::{Keeps, LegOptions};
use crate::leg::place::same_place;

/// The drive of a leg and where its tape is. Whoever works with them has the lock of the [`Seat`].
///
/// [`Seat`]: crate::leg::seat::Seat
pub(crate) struct Core {
    name: String,
    keeps: Keeps,
    drive: Faulty<Box<dyn Volume>>,
    /// Where the tape is, as far as that is known.
    at: Option<Position>,
    /// What the drive was told of its mode, which a reset makes it forget.
    chosen: ModeSelect,
    scratch: Vec<u8>,
}

impl Core {
    pub(crate) fn new(options: &LegOptions, drive: Box<dyn Volume>) -> Self {
        Core {
            name: options.name.clone(),
            keeps: options.keeps,
            drive: Faulty::with(drive, options.faults.clone()),
            at: None,
            chosen: ModeSelect::default(),
            scratch: Vec::new(),
        }
    }

    /// The drive: where no fault is injected, the volume itself.
    pub(crate) fn drive(&mut self) -> &mut dyn Drive {
        match self.drive.is_armed() {
            true => &mut self.drive,
            false => &mut **self.drive.behind_mut(),
        }
    }

    /// The volume in the drive.
    pub(crate) fn volume(&mut self) -> &mut dyn Volume {
        match self.drive.is_armed() {
            true => &mut self.drive,
            false => &mut **self.drive.behind_mut(),
        }
    }

    /// Copies what follows on another leg's drive, from where both tapes are.
    pub(crate) fn copy_from(
        &mut self,
        from: &mut Core,
        go_on: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Copied, pseudotape_copy::Error> {
        let options = pseudotape_copy::Options::default();
        pseudotape_copy::copy(from.drive(), self.volume(), options, go_on)
    }

    /// Puts another drive in the place of the one that is there.
    pub(super) fn replace(&mut self, drive: Box<dyn Volume>) -> Box<dyn Volume> {
        self.at = None;
        let faults = self.drive.faults().clone();
        std::mem::replace(&mut self.drive, Faulty::with(drive, faults)).into_behind()
    }

    /// The volume, to be closed: that meets no fault.
    pub(crate) fn into_volume(self) -> Box<dyn Volume> {
        self.drive.into_behind()
    }

    /// Where the tape is, as far as that is known.
    pub(crate) fn at(&self) -> Option<Position> {
        self.at
    }

    /// Something else moves the tape, or moved it.
    pub(crate) fn forget_place(&mut self) {
        self.at = None;
    }

    /// Asks the drive where its tape is.
    pub(crate) fn find(&mut self) -> Result<Position, Failed> {
        let at = self.drive().position()?;
        self.at = Some(at);
        Ok(at)
    }

    /// Memory of this length to read into, which stays until the next call; `None` where there is none.
    pub(crate) fn scratch(&mut self, length: usize) -> Option<Vec<u8>> {
        let mut scratch = std::mem::take(&mut self.scratch);
        grow(&mut scratch, length)?;
        Some(scratch)
    }

    /// Gives the memory back, with what was read.
    pub(crate) fn keep_scratch(&mut self, scratch: Vec<u8>) {
        self.scratch = scratch;
    }

    /// What was read last into the memory of [`Core::scratch`].
    pub(crate) fn scratched(&self) -> &[u8] {
        &self.scratch
    }

    /// An answer of the drive, with what the drive knows of a failure.
    pub(crate) fn answer<T>(&mut self, result: Result<T, Failed>) -> LegResult<T> {
        result.map_err(|failed| Fault {
            failed,
            trouble: self.drive.take_trouble(),
            on_the_way_to: None,
        })
    }

    fn fault_on_the_way_to(&mut self, at: Position, failed: Failed) -> Fault {
        Fault {
            failed,
            trouble: self.drive.take_trouble(),
            on_the_way_to: Some(at.object),
        }
    }

    /// Goes to a place, if the leg has places at all, and does something there.
    pub(crate) fn act_at(
        &mut self,
        at: Position,
        act: impl Fn(&mut dyn Drive) -> Result<Done, Failed>,
    ) -> LegResult<Done> {
        self.reach(at)
            .map_err(|failed| self.fault_on_the_way_to(at, failed))?;
        let done = self.act(act);
        self.answer(done)
    }

    /// As [`Core::go_to`]; a leg that keeps nothing is nowhere, and can't fail in this.
    pub(crate) fn reach(&mut self, at: Position) -> Result<(), Failed> {
        match (self.go_to(at), self.keeps) {
            (Err(failed), Keeps::Blocks) => Err(failed),
            (Ok(()), _) | (Err(_), Keeps::Nothing) => Ok(()),
        }
    }

    /// Changes the mode of the drive, and remembers what was chosen.
    pub(crate) fn choose(&mut self, change: ModeSelect) -> Result<(), Failed> {
        self.order(|drive| drive.set_mode(change))?;
        let before = self.chosen;
        self.chosen = ModeSelect {
            block_size: change.block_size.or(before.block_size),
            density: change.density.or(before.density),
            buffering: change.buffering.or(before.buffering),
            compression: change.compression.or(before.compression),
        };
        Ok(())
    }

    /// The mode of the drive, with what was chosen: after a reset that no operation met yet the drive itself
    /// has forgotten that.
    pub(crate) fn mode(&mut self) -> Result<Mode, Failed> {
        let mode = self.drive().mode()?;
        let chosen = self.chosen;
        Ok(Mode {
            block_size: chosen.block_size.unwrap_or(mode.block_size),
            density: chosen.density.unwrap_or(mode.density),
            buffering: chosen.buffering.unwrap_or(mode.buffering),
            compression: mode
                .compression
                .map(|now| chosen.compression.unwrap_or(now)),
            ..mode
        })
    }

    /// Goes to a place, unless the tape is there already.
    pub(crate) fn go_to(&mut self, at: Position) -> Result<(), Failed> {
        if self.at.is_some_and(|here| same_place(here, at)) {
            return Ok(());
        }
        let to = Address {
            partition: Some(at.partition),
            object: at.object,
        };
        let before = self.at.take();
        let mut located = self.drive().locate(to);
        if let Err(failed) = &located {
            self.at = before;
            if self.is_back_after(failed) {
                located = self.drive().locate(to);
            }
            self.at = None;
        }
        let done = located?;
        self.at = Some(done.position);
        if same_place(done.position, at) {
            return Ok(());
        }
        Err(Failed::at(Sense::HardwareError, Some(done.position)))
    }

    /// Does something that says where the tape is then.
    pub(crate) fn act(
        &mut self,
        act: impl Fn(&mut dyn Drive) -> Result<Done, Failed>,
    ) -> Result<Done, Failed> {
        let mut result = act(self.drive());
        if matches!(&result, Err(failed) if self.is_back_after(failed)) {
            result = act(self.drive());
        }
        self.at = match &result {
            Ok(done) => Some(done.position),
            Err(failed) => failed.position,
        };
        result
    }

    /// Does something that says nothing of where the tape is, and leaves it there.
    pub(crate) fn order(
        &mut self,
        order: impl Fn(&mut dyn Drive) -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        let mut result = order(self.drive());
        if matches!(&result, Err(failed) if self.is_back_after(failed)) {
            result = order(self.drive());
        }
        result
    }

    /// Reads where the tape is.
    pub(crate) fn read(
        &mut self,
        transfer: Transfer,
        buffer: &mut [u8],
    ) -> Result<ReadDone, Failed> {
        let mut result = self.drive().read(transfer, buffer);
        if matches!(&result, Err(failed) if self.is_back_after(failed)) {
            result = self.drive().read(transfer, buffer);
        }
        self.at = match &result {
            Ok(done) => Some(done.position),
            Err(failed) => failed.position,
        };
        result
    }

    /// Goes to a place and reads there.
    pub(crate) fn read_at(
        &mut self,
        at: Position,
        transfer: Transfer,
        buffer: &mut [u8],
    ) -> LegResult<ReadDone> {
        self.go_to(at)
            .map_err(|failed| self.fault_on_the_way_to(at, failed))?;
        let done = self.read(transfer, buffer);
        self.answer(done)
    }

    /// Whether a drive that was reset could be brought back to where it was. Then the drive did nothing yet of
    /// what it was told, and still has all that it had: a drive that lost blocks in the reset can't reach the
    /// place behind them.
    fn is_back_after(&mut self, failed: &Failed) -> bool {
        let (Sense::Reset, Some(before)) = (failed.sense, self.at) else {
            return false;
        };
        self.at = None;
        let chosen = self.chosen;
        let is_back = self.go_to(before).is_ok()
            && (chosen == ModeSelect::default() || self.drive().set_mode(chosen).is_ok());
        if is_back {
            log::warn!(
                "leg {}: its drive was reset, and is back at object {}",
                self.name,
                before.object
            );
        }
        is_back
    }

    /// Why something failed, as exactly as the drive can say.
    pub(crate) fn explain(&mut self, failed: &Failed) -> Cause {
        self.explain_cause(Cause::failed(*failed))
    }

    /// Adds what the drive knows of a failure beyond what it said.
    pub(crate) fn explain_cause(&mut self, cause: Cause) -> Cause {
        cause.with_trouble(self.drive.take_trouble())
    }
}

/// Makes a buffer so long; `None` where there is no memory for it, which is the trouble of one call.
pub(crate) fn grow(buffer: &mut Vec<u8>, length: usize) -> Option<()> {
    let more = length.saturating_sub(buffer.len());
    buffer.try_reserve_exact(more).ok()?;
    buffer.resize(length, 0);
    Some(())
}
