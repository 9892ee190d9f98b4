//! EN-02. The errors of a volume in a drive: after how many of them nobody else is to have it.

use pseudotape_tape::{Failed, Motion, Sense};

/// What failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// Reading, or going somewhere to read.
    Read,
    /// Writing.
    Write,
}

impl Met {
    pub(super) fn of(motion: Motion) -> Self {
        match motion {
            Motion::WriteMarks { .. } | Motion::Erase(_) | Motion::MakePartitions(_) => Met::Write,
            Motion::Space { .. }
            | Motion::SpaceToEndOfData
            | Motion::Locate(_)
            | Motion::Rewind
            | Motion::Load(_) => Met::Read,
        }
    }
}

/// The errors of one load.
#[derive(Debug)]
pub(super) struct Errors {
    /// So many failed reads are too many; 0: none are.
    reads_max: u32,
    reads: u32,
    is_told: bool,
}

impl Errors {
    pub(super) fn new(reads_max: u32) -> Self {
        Errors {
            reads_max,
            reads: 0,
            is_told: false,
        }
    }

    /// Takes a failure; says, once, why the volume is to be blocked: too many reads have failed, or one write. What the
    /// drive only refused, or a drive that was reset, is no error of the volume.
    pub(super) fn met(&mut self, what: Met, failed: &Failed) -> Option<String> {
        match failed.sense {
            Sense::MediumError | Sense::HardwareError => {}
            Sense::NoDrive
            | Sense::NoMedium
            | Sense::NotReady
            | Sense::MediumChanged
            | Sense::Reset
            | Sense::WriteProtected
            | Sense::WormOverwrite
            | Sense::IllegalRequest => return None,
        }
        let why = match what {
            Met::Write => format!("a write failed: {failed}"),
            Met::Read => {
                self.reads = self.reads.saturating_add(1);
                if self.reads_max == 0 || self.reads < self.reads_max {
                    return None;
                }
                format!("{} reads failed, the last one: {failed}", self.reads)
            }
        };
        (!std::mem::replace(&mut self.is_told, true)).then_some(why)
    }
}
