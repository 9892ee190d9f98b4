//! Writing marks, erasing, and partitioning.

use nix::errno::Errno;
use pseudotape_mtio::Operation;
use pseudotape_tape::{Done, EraseExtent, Failed, Mark, Partitioning, Sense, Stop, WriteMode};

use crate::state::{DeviceDrive, Locating};

/// The largest number of marks that one MTIOCTOP writes.
const MOST_MARKS: u32 = 0x7f_ffff;

impl DeviceDrive {
    pub(crate) fn put_marks(
        &mut self,
        mark: Mark,
        count: u32,
        mode: WriteMode,
    ) -> Result<Done, Failed> {
        if count == 0 {
            self.begin()?;
            if mode == WriteMode::Commit {
                self.commit()?;
            }
            return Ok(self.done(0, None));
        }
        let at = self.begin_change()?;
        if mark == Mark::Setmark && !self.medium.setmarks {
            return self.fail(Sense::IllegalRequest, 0);
        }
        let warned = self.is_past_early_warning(at);
        let mut done = 0;
        while done < count {
            let some = (count - done).min(MOST_MARKS);
            let put = self.put_some(mark, some, mode).map_err(|failed| Failed {
                count: failed.count + u64::from(done),
                ..failed
            })?;
            done += put;
            if put < some {
                return Ok(self.done(done.into(), Some(Stop::EndOfPartition)));
            }
        }
        Ok(self.done(done.into(), warned.then_some(Stop::EarlyWarning)))
    }

    /// Brings everything written before onto stable storage (WRITE FILEMARKS with a count of 0).
    pub(crate) fn commit(&mut self) -> Result<(), Failed> {
        if !self.medium.dirty {
            return Ok(());
        }
        match self.operate(Operation::WriteFilemarks, 0) {
            Ok(()) => {
                self.medium.dirty = false;
                self.medium.miscounted = true;
                Ok(())
            }
            Err(errno) => Err(self.lost_by("committing", errno)),
        }
    }

    /// Returns the number of marks that fitted.
    fn put_some(&mut self, mark: Mark, count: u32, mode: WriteMode) -> Result<u32, Failed> {
        let at = self.begin()?;
        let operation = match (mark, mode) {
            (Mark::Filemark, WriteMode::Commit) => Operation::WriteFilemarks,
            (Mark::Filemark, WriteMode::Immediate) => Operation::WriteFilemarksImmediate,
            (Mark::Setmark, WriteMode::Commit | WriteMode::Immediate) => Operation::WriteSetmarks,
        };
        let before = self.flags().ok().and_then(|flags| flags.file);
        match self.operate(operation, count.cast_signed()) {
            Ok(()) => {
                self.wrote_marks(at, mark, count);
                self.medium.dirty = mode == WriteMode::Immediate;
                Ok(count)
            }
            Err(Errno::EIO) => self.after_failed_marks(at, mark, count, before),
            Err(errno) => Err(self.failed("writing marks", errno)),
        }
    }

    fn wrote_marks(&mut self, at: u64, mark: Mark, count: u32) {
        if count == 0 {
            return;
        }
        self.cut_at(at);
        self.medium.suspected = false;
        let count = u64::from(count);
        let file = match mark {
            Mark::Filemark => {
                for number in 0..count {
                    self.medium.files.saw_mark(at + number);
                }
                self.medium.file.map(|file| file + count)
            }
            Mark::Setmark => {
                self.medium.files.saw_blocks(at, count);
                self.medium.file
            }
        };
        self.medium.files.saw_end(at + count);
        self.arrive(at + count, file);
    }

    /// The position shows how many marks were written. If none was written at the physical end, st keeps the
    /// flag EOT.
    fn after_failed_marks(
        &mut self,
        at: u64,
        mark: Mark,
        count: u32,
        file_before: Option<u64>,
    ) -> Result<u32, Failed> {
        let flags = self.flags().ok();
        let object = self.find("writing marks", Errno::EIO)?;
        let written = if self.medium.locating == Locating::Asked {
            object.checked_sub(at)
        } else {
            // st subtracts the marks that were not written from the file number.
            let after = flags.and_then(|flags| flags.file);
            after
                .zip(file_before)
                .and_then(|(after, before)| after.checked_sub(before))
        };
        let written = written.and_then(|written| u32::try_from(written).ok());
        let Some(written) = written.filter(|written| *written <= count) else {
            return Err(self.found_elsewhere(object));
        };
        self.wrote_marks(at, mark, written);
        if written == count {
            // st reports early warning as a failure of writing setmarks.
            self.medium
                .early_warning
                .get_or_insert(at + u64::from(count));
            return Ok(count);
        }
        if flags.is_some_and(|flags| flags.end_of_tape) {
            self.medium.edge = true;
            return Ok(written);
        }
        if written > 0 {
            // st drops the reason. Writing the remaining marks makes the drive report it again.
            return Ok(written + self.put_some(mark, count - written, WriteMode::Commit)?);
        }
        let sense = self.why_refused(at)?;
        self.fail(sense, 0)
    }

    pub(crate) fn erase_from_here(&mut self, extent: EraseExtent) -> Result<Done, Failed> {
        let at = self.begin_change()?;
        let long = match extent {
            EraseExtent::Short => 0,
            EraseExtent::Long => 1,
        };
        match self.operate(Operation::Erase, long) {
            Ok(()) => {
                self.cut_at(at);
                self.arrive(at, self.medium.file);
                Ok(self.done(0, None))
            }
            Err(errno) => Err(self.refused_change("erasing", errno, at)),
        }
    }

    pub(crate) fn cut_into_partitions(&mut self, into: Partitioning) -> Result<Done, Failed> {
        let at = self.begin_change()?;
        let count = match into {
            Partitioning::Single => Some(0),
            Partitioning::SecondOf(mib) => i32::try_from(mib).ok(),
            Partitioning::FirstOf(mib) => i32::try_from(mib).ok().map(|mib| -mib),
        };
        let Some(count) = count else {
            return self.fail(Sense::IllegalRequest, 0);
        };
        if self.allow_partitions().is_err() {
            return self.fail(Sense::IllegalRequest, 0);
        }
        match self.operate(Operation::MakePartitions, count) {
            Ok(()) => {
                self.forget_medium();
                self.medium.partition = 0;
                self.medium.files.cut(0);
                self.arrive(0, Some(0));
                Ok(self.done(0, None))
            }
            Err(errno) => {
                let failed = self.refused_change("making partitions", errno, at);
                if self.last_partition() == 0 {
                    self.disallow_partitions();
                }
                Err(failed)
            }
        }
    }

    /// A drive that responds and did not move does not support the operation, or not on this medium.
    fn refused_change(&mut self, what: &str, errno: Errno, at: u64) -> Failed {
        let object = match self.find(what, errno) {
            Ok(object) => object,
            Err(failed) => return failed,
        };
        if object != at {
            return self.found_elsewhere(object);
        }
        let sense = if self.medium.worm {
            Sense::WormOverwrite
        } else {
            Sense::IllegalRequest
        };
        Failed::at(sense, self.here())
    }
}
