//! Before anything else happens, blocks read ahead are given back (`flush_buffer`).

use pseudotape_tape::{Drive, SpaceUnit};

use crate::St;
use crate::errno::Refusal;
use crate::state::{Edge, Motion};

/// What the operation that comes next needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The head where the program thinks it is.
    FromHere,
    /// Nothing: it goes to a place of its own, or counts marks from the drive's place.
    GoesAway,
}

/// One filemark, in a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crossing {
    Forward,
    Back,
}

impl St {
    /// Gives back what was read ahead.
    ///
    /// | condition | result | position after |
    /// |---|---|---|
    /// | blocks wait, next needs the place | ok | before the first block of which nothing was taken |
    /// | a filemark was passed untold, next needs the place | ok | before the filemark |
    /// | next goes away | ok, waiting blocks forgotten | where the drive is |
    pub(crate) fn settle(&mut self, drive: &mut dyn Drive, next: Next) -> Result<(), Refusal> {
        if !self.is_ready() {
            return Ok(());
        }
        if self.drive.position_lost {
            return Err(Refusal::PositionLost);
        }
        if self.mount.here().motion == Motion::Writing {
            return Ok(());
        }
        let Ok(size) = usize::try_from(self.mount.block_size) else {
            return Ok(());
        };
        if size == 0 {
            return Ok(());
        }
        let read = (self.lookahead.taken + self.lookahead.waiting) / size;
        let touched = self.lookahead.taken.div_ceil(size);
        self.lookahead.clear();
        let untold = self.mount.here().edge == Edge::FilemarkUntold;
        match next {
            Next::GoesAway => {
                if untold {
                    let here = self.mount.here();
                    here.pass_filemark();
                    here.edge = Edge::None;
                }
                Ok(())
            }
            Next::FromHere => {
                if untold {
                    let crossed = self.cross_filemark(drive, Crossing::Back);
                    let here = self.mount.here();
                    if crossed.is_err() {
                        here.pass_filemark();
                    } else {
                        here.edge = Edge::None;
                    }
                    crossed?;
                }
                match i32::try_from(read - touched) {
                    Ok(0) => Ok(()),
                    Ok(back) => self.space_blocks_back(drive, back),
                    Err(_) => Err(Refusal::TooFarAhead),
                }
            }
        }
    }

    /// Steps over one filemark and leaves the counters alone (`cross_eof`).
    pub(crate) fn cross_filemark(
        &mut self,
        drive: &mut dyn Drive,
        crossing: Crossing,
    ) -> Result<(), Refusal> {
        let count = match crossing {
            Crossing::Forward => 1,
            Crossing::Back => -1,
        };
        let spaced = drive.space(SpaceUnit::Filemarks, count);
        match self.heard(spaced) {
            Ok(done) => match done.stop {
                None => Ok(()),
                Some(stop) => Err(Refusal::Stopped(stop)),
            },
            Err(failed) => Err(Refusal::Drive(failed.sense)),
        }
    }
}
