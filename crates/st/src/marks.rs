//! Marks, rewinding and erasing (`st_int_ioctl`: WRITE FILEMARKS, REWIND, ERASE).

use pseudotape_tape::{Done, Drive, EraseExtent, Failed, Mark, Stop, WriteMode};

use crate::St;
use crate::errno::Refusal;
use crate::state::{Edge, Motion, truncated};

/// What marks to write, and whether to wait for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    mark: Mark,
    at_once: bool,
}

impl Marks {
    pub(crate) const FILEMARKS: Marks = Marks::of(Mark::Filemark);
    pub(crate) const FILEMARKS_AT_ONCE: Marks = Marks {
        mark: Mark::Filemark,
        at_once: true,
    };

    pub(crate) const fn of(mark: Mark) -> Self {
        Marks {
            mark,
            at_once: false,
        }
    }
}

impl St {
    /// `MTWEOF`, `MTWEOFI`, `MTWSM`.
    ///
    /// | condition | result | position after |
    /// |---|---|---|
    /// | all written, also in the early-warning zone | ok | behind the last, block 0 |
    /// | count 0 | ok, everything before is stored | unchanged, block 0 |
    /// | only a part fits | EIO | behind what fitted, block 0 |
    /// | the drive gives up in the middle | EIO | behind what was written, block 0 |
    /// | opened to read, or protected | EACCES | unchanged |
    pub(crate) fn write_marks(
        &mut self,
        drive: &mut dyn Drive,
        marks: Marks,
        count: i32,
    ) -> Result<(), Refusal> {
        if self.writing_is_refused() {
            return Err(Refusal::ReadOnly);
        }
        let filemarks = marks.mark == Mark::Filemark;
        let immediate = marks.at_once || (filemarks && !self.waits_for_marks());
        let asked = count.cast_unsigned() & 0x00ff_ffff;
        let written = drive.write_marks(
            marks.mark,
            asked,
            if immediate {
                WriteMode::Immediate
            } else {
                WriteMode::Commit
            },
        );
        let written = self.heard(written);
        if let Ok(Done {
            stop: None, count, ..
        }) = written
            && count < u64::from(asked)
        {
            return Err(self.count_given_up(marks.mark, count));
        }
        let here = self.mount.here();
        let file = if here.file >= 0 {
            here.file.wrapping_add(count)
        } else {
            here.file
        };
        match (written, marks.mark) {
            (
                Ok(Done {
                    stop: Some(Stop::EndOfPartition),
                    count: done,
                    ..
                }),
                Mark::Filemark,
            ) => {
                let undone = truncated(u64::from(asked).saturating_sub(done));
                here.block = 0;
                here.file = if file >= 0 {
                    file.wrapping_sub(undone)
                } else {
                    file
                };
                here.edge = if done > 0 || count < 0 {
                    Edge::None
                } else {
                    Edge::EarlyWarning
                };
                Err(Refusal::MarksDoNotFit)
            }
            (
                Ok(Done {
                    stop: Some(Stop::EarlyWarning),
                    ..
                }),
                Mark::Filemark,
            ) => {
                here.file = file;
                here.block = 0;
                here.edge = Edge::None;
                here.motion = Motion::Idle;
                Ok(())
            }
            // With setmarks st takes early warning for an error.
            (
                Ok(Done {
                    stop: Some(Stop::EarlyWarning | Stop::EndOfPartition),
                    ..
                }),
                Mark::Setmark,
            ) => {
                here.block = 0;
                here.edge = Edge::None;
                Err(Refusal::MarksDoNotFit)
            }
            (Ok(_), mark) => {
                here.file = file;
                here.block = 0;
                here.at_setmark = mark == Mark::Setmark;
                here.edge = Edge::None;
                if mark == Mark::Filemark {
                    here.motion = Motion::Idle;
                }
                Ok(())
            }
            (Err(failed), _) => {
                here.edge = Edge::None;
                Err(Refusal::Drive(failed.sense))
            }
        }
    }

    /// Counts the marks that were written before the drive gave the others up.
    fn count_given_up(&mut self, mark: Mark, done: u64) -> Refusal {
        let here = self.mount.here();
        if mark == Mark::Filemark && here.file >= 0 {
            here.file = here.file.wrapping_add(truncated(done));
        }
        here.block = 0;
        here.edge = Edge::None;
        Refusal::GivenUp
    }

    /// `MTREW`: to the beginning of the partition, file 0, block 0.
    pub(crate) fn rewind(&mut self, drive: &mut dyn Drive) -> Result<(), Refusal> {
        self.mount.require_ready()?;
        let rewound = drive.rewind();
        self.come_to_beginning(rewound)
    }

    /// Counts a motion that ends at the beginning of the partition.
    pub(crate) fn come_to_beginning(
        &mut self,
        motion: Result<Done, Failed>,
    ) -> Result<(), Refusal> {
        let motion = self.heard(motion);
        let here = self.mount.here();
        here.edge = Edge::None;
        match motion {
            Ok(_) => {
                here.file = 0;
                here.block = 0;
                here.at_setmark = false;
                Ok(())
            }
            Err(failed) => Err(Refusal::Drive(failed.sense)),
        }
    }

    /// `MTERASE`: 0 marks the end of data here, anything else erases to the end of the partition. File
    /// and block stay.
    pub(crate) fn erase(&mut self, drive: &mut dyn Drive, count: i32) -> Result<(), Refusal> {
        if self.writing_is_refused() {
            return Err(Refusal::ReadOnly);
        }
        let erased = drive.erase(if count == 0 {
            EraseExtent::Short
        } else {
            EraseExtent::Long
        });
        let erased = self.heard(erased);
        self.mount.here().edge = Edge::None;
        match erased {
            Ok(_) => Ok(()),
            Err(failed) => Err(Refusal::Drive(failed.sense)),
        }
    }
}
