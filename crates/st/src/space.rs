//! Spacing (`st_int_ioctl`: SPACE).

use pseudotape_mtio::Booleans;
use pseudotape_tape::{Done, Drive, Failed, Sense, SpaceUnit, Stop};

use crate::St;
use crate::errno::Refusal;
use crate::state::{Edge, truncated};

/// How a command to space fell short.
struct Short {
    why: Refusal,
    /// What met, if the drive said.
    stop: Option<Stop>,
    /// Count asked minus count done.
    undone: i32,
}

impl Short {
    /// The edge that st takes from the drive's reason.
    fn edge(&self) -> Edge {
        if self.stop == Some(Stop::EndOfData) {
            Edge::EndOfData
        } else {
            Edge::None
        }
    }

    fn met_mark(&self) -> bool {
        matches!(self.stop, Some(Stop::Filemark | Stop::Setmark))
    }

    /// Whether the drive reported an end of the medium (EOM), either end.
    fn met_end(&self) -> bool {
        matches!(
            self.stop,
            Some(Stop::BeginningOfPartition | Stop::EarlyWarning | Stop::EndOfPartition)
        )
    }
}

/// Adds where the number is known.
fn moved(number: i32, count: i32) -> i32 {
    if number >= 0 {
        number.wrapping_add(count)
    } else {
        number
    }
}

impl St {
    /// `MTFSF`.
    ///
    /// | met | result | position after |
    /// |---|---|---|
    /// | all filemarks | ok | behind the last, block 0 |
    /// | end of data | EIO | there, files counted, block −1, EOD |
    pub(crate) fn forward_filemarks(
        &mut self,
        drive: &mut dyn Drive,
        count: i32,
    ) -> Result<(), Refusal> {
        let spaced = self.space(drive, SpaceUnit::Filemarks, count);
        let here = self.mount.here();
        let file = moved(here.file, count);
        match spaced {
            Ok(()) => {
                here.file = file;
                here.block = 0;
                here.at_setmark &= count == 0;
                here.edge = Edge::Filemark;
                Ok(())
            }
            Err(short) => {
                here.file = moved(file, short.undone.wrapping_neg());
                here.block = -1;
                here.edge = short.edge();
                Err(short.why)
            }
        }
    }

    /// `MTBSF`.
    ///
    /// | met | result | position after |
    /// |---|---|---|
    /// | all filemarks | ok | before the last, block −1 |
    /// | beginning of partition | EIO | there, file 0, block 0 |
    pub(crate) fn back_filemarks(
        &mut self,
        drive: &mut dyn Drive,
        count: i32,
    ) -> Result<(), Refusal> {
        let spaced = self.space(drive, SpaceUnit::Filemarks, count.wrapping_neg());
        let here = self.mount.here();
        let file = moved(here.file, count.wrapping_neg());
        match spaced {
            Ok(()) => {
                here.file = file;
                here.block = -1;
                here.at_setmark &= count == 0;
                here.edge = Edge::None;
                Ok(())
            }
            Err(short) => {
                if here.file >= 0 {
                    here.file = file.wrapping_add(short.undone);
                }
                here.block = 0;
                here.edge = short.edge();
                Err(short.why)
            }
        }
    }

    /// `MTFSFM`: forward, then back to before the last filemark.
    pub(crate) fn forward_filemarks_before(
        &mut self,
        drive: &mut dyn Drive,
        count: i32,
    ) -> Result<(), Refusal> {
        self.forward_filemarks(drive, count)?;
        self.back_filemarks(drive, 1)
    }

    /// `MTBSFM`: back, then forward to behind the last filemark.
    pub(crate) fn back_filemarks_after(
        &mut self,
        drive: &mut dyn Drive,
        count: i32,
    ) -> Result<(), Refusal> {
        self.back_filemarks(drive, count)?;
        self.forward_filemarks(drive, 1)
    }

    /// `MTFSR`.
    ///
    /// | met | result | position after |
    /// |---|---|---|
    /// | all blocks | ok | behind the last |
    /// | a filemark | EIO | behind it, block 0 of the next file |
    /// | end of data | EIO | there, blocks counted, EOD |
    pub(crate) fn forward_blocks(
        &mut self,
        drive: &mut dyn Drive,
        count: i32,
    ) -> Result<(), Refusal> {
        let spaced = self.space(drive, SpaceUnit::Blocks, count);
        let here = self.mount.here();
        let block = moved(here.block, count);
        match spaced {
            Ok(()) => {
                here.block = block;
                here.at_setmark &= count == 0;
                here.edge = Edge::None;
                Ok(())
            }
            Err(short) if short.met_mark() => {
                here.pass_filemark();
                here.edge = Edge::Filemark;
                Err(short.why)
            }
            Err(short) => {
                here.block = if block >= short.undone {
                    block.wrapping_sub(short.undone)
                } else {
                    -1
                };
                here.edge = short.edge();
                Err(short.why)
            }
        }
    }

    /// `MTBSR`.
    ///
    /// | met | result | position after |
    /// |---|---|---|
    /// | all blocks | ok | before the last |
    /// | a filemark | EIO | before it, in the file before, block −1 |
    /// | beginning of partition | EIO | there, block 0 where it was known |
    pub(crate) fn space_blocks_back(
        &mut self,
        drive: &mut dyn Drive,
        count: i32,
    ) -> Result<(), Refusal> {
        let spaced = self.space(drive, SpaceUnit::Blocks, count.wrapping_neg());
        let here = self.mount.here();
        let block = moved(here.block, count.wrapping_neg());
        match spaced {
            Ok(()) => {
                here.block = block;
                here.at_setmark &= count == 0;
                here.edge = Edge::None;
                Ok(())
            }
            Err(short) if short.met_mark() => {
                // Also where the file is not known: −1 becomes −2.
                here.file = here.file.wrapping_sub(1);
                here.block = -1;
                here.edge = Edge::None;
                Err(short.why)
            }
            Err(short) => {
                if short.met_end() || here.block >= 0 {
                    here.block = block.wrapping_add(short.undone);
                }
                here.edge = short.edge();
                Err(short.why)
            }
        }
    }

    /// `MTFSS`.
    pub(crate) fn forward_setmarks(
        &mut self,
        drive: &mut dyn Drive,
        count: i32,
    ) -> Result<(), Refusal> {
        let spaced = self.space(drive, SpaceUnit::Setmarks, count);
        self.count_setmarks(spaced, count)
    }

    /// `MTBSS`.
    pub(crate) fn back_setmarks(
        &mut self,
        drive: &mut dyn Drive,
        count: i32,
    ) -> Result<(), Refusal> {
        let spaced = self.space(drive, SpaceUnit::Setmarks, count.wrapping_neg());
        self.count_setmarks(spaced, count)
    }

    fn count_setmarks(&mut self, spaced: Result<(), Short>, count: i32) -> Result<(), Refusal> {
        let here = self.mount.here();
        match spaced {
            Ok(()) => {
                if count != 0 {
                    here.file = -1;
                    here.block = -1;
                    here.at_setmark = true;
                }
                here.edge = Edge::None;
                Ok(())
            }
            Err(short) => {
                if short.met_end() {
                    here.block = 0;
                }
                here.edge = short.edge();
                Err(short.why)
            }
        }
    }

    /// `MTEOM`.
    ///
    /// | option | result | position after |
    /// |---|---|---|
    /// | – | ok | end of data, files counted, block −1, EOD |
    /// | fast-eom | ok | end of data, file −1, block −1, EOD |
    pub(crate) fn space_to_end(&mut self, drive: &mut dyn Drive) -> Result<(), Refusal> {
        let mut file = -1;
        if !self.has(Booleans::FAST_EOM) {
            // Counting filemarks keeps the file number; it ends at the end of data.
            // Whatever stopped it, the edge says, or the next command meets it again.
            self.forward_filemarks(drive, ALL_FILEMARKS).ok();
            let here = self.mount.here();
            file = here.file;
            match here.edge {
                Edge::NoSpaceTold | Edge::ZeroTold | Edge::EndOfData => return Ok(()),
                Edge::None | Edge::FilemarkUntold | Edge::Filemark | Edge::EarlyWarning => {}
            }
        }
        let moved = drive.space_to_end_of_data();
        let moved = self.heard(moved);
        let here = self.mount.here();
        here.block = -1;
        here.edge = Edge::EndOfData;
        match moved {
            Ok(_) => {
                here.file = file;
                here.at_setmark = false;
                Ok(())
            }
            Err(failed) => {
                here.file = -1;
                Err(Refusal::Drive(failed.sense))
            }
        }
    }

    /// Sends SPACE. The command has 24 bits for its count, so larger ones lose their upper part.
    fn space(&mut self, drive: &mut dyn Drive, unit: SpaceUnit, count: i32) -> Result<(), Short> {
        let sent = count.wrapping_shl(8) >> 8;
        let asked = u64::from(sent.unsigned_abs());
        let spaced = drive.space(unit, sent.into());
        match self.heard(spaced) {
            Ok(Done { stop: None, .. }) => Ok(()),
            Ok(Done {
                stop: Some(stop),
                count,
                ..
            }) => Err(Short {
                why: Refusal::Stopped(stop),
                stop: Some(stop),
                undone: truncated(asked.saturating_sub(count)),
            }),
            Err(Failed { sense, count, .. }) => Err(Short {
                why: Refusal::Drive(sense),
                stop: None,
                // Only an error of the medium comes with a residual.
                undone: match sense {
                    Sense::MediumError => truncated(asked.saturating_sub(count)),
                    Sense::NoDrive
                    | Sense::NoMedium
                    | Sense::NotReady
                    | Sense::MediumChanged
                    | Sense::Reset
                    | Sense::WriteProtected
                    | Sense::WormOverwrite
                    | Sense::HardwareError
                    | Sense::IllegalRequest => 0,
                },
            }),
        }
    }
}

/// As many filemarks as SPACE can count (`st.c`: 0x7fffff).
const ALL_FILEMARKS: i32 = 0x7f_ffff;
