//! Reading, writing and marks: what counts against the capacity, and where a transfer stops.

use pseudotape_image::{Error, Object};
use pseudotape_tape::{
    Done, Failed, Mark, Position, ReadDone, Sense, Stop, Transfer, WriteMode, read_each,
};

use crate::cartridge::Medium;
use crate::image_drive::ImageDrive;
use crate::personality::MARKS_AT_END_MAX;

impl<M: Medium> ImageDrive<M> {
    /// Records a block that could not be read where it was copied from; reading it is a medium error.
    ///
    /// `length_bytes` is its length there, 0 where that is not known; it counts as that much of the
    /// capacity. Early warning and physical end as for a write.
    pub(crate) fn put_bad_block(&mut self, length_bytes: u32) -> Result<Done, Failed> {
        self.begin_change()?;
        if u64::from(length_bytes) > self.limits().room(self.used_before_here()) {
            return Ok(self.done(0, Some(Stop::EndOfPartition)));
        }
        let before = self.here();
        match self.image().append_bad_block(length_bytes.into()) {
            Ok(()) => Ok(self.after_change(1)),
            Err(error) => self.not_appended(&error, before),
        }
    }

    pub(crate) fn read_blocks(
        &mut self,
        transfer: Transfer,
        buffer: &mut [u8],
    ) -> Result<ReadDone, Failed> {
        self.begin()?;
        self.extendable = None;
        match transfer {
            Transfer::Variable => self.read_block(buffer),
            Transfer::Fixed(size) => {
                let here = self.here();
                read_each(size, buffer, here, |part, _| self.read_block(part))
            }
        }
    }

    fn read_block(&mut self, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        let (block_length, bytes, stop) = match self.image().read_object(buffer) {
            Ok(Object::Block { length, copied }) => (length, copied, None),
            Ok(Object::Filemark) => (0, 0, Some(Stop::Filemark)),
            Ok(Object::Setmark) => (0, 0, Some(Stop::Setmark)),
            Ok(Object::EndOfData) => (0, 0, Some(Stop::EndOfData)),
            Err(error) => return Err(self.failed(&error, 0)),
        };
        Ok(ReadDone {
            blocks: u64::from(stop.is_none()),
            bytes,
            block_length,
            stop,
            position: self.here(),
        })
    }

    /// What every operation that changes the medium does first.
    pub(crate) fn begin_change(&mut self) -> Result<(), Failed> {
        self.begin()?;
        self.extendable = None;
        if let Some(why) = self.tape().writability().refusal() {
            self.trouble = Some(format!("the cartridge is {why}"));
            return self.fail(Sense::WriteProtected, 0);
        }
        if self.tape().is_worm() && !self.tape().image(self.partition).is_at_end_of_data() {
            return self.fail(Sense::WormOverwrite, 0);
        }
        Ok(())
    }

    pub(crate) fn write_blocks(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        self.begin_change()?;
        let size = match transfer {
            Transfer::Variable => data.len(),
            Transfer::Fixed(size) => size.get() as usize,
        };
        if !self.personality.takes_block(size as u64) || !data.len().is_multiple_of(size) {
            return self.fail(Sense::IllegalRequest, 0);
        }
        let room = self.limits().room(self.used_before_here());
        let count = (data.len() / size) as u64;
        let fitting = count.min(room / size as u64);
        let Some(fitting_bytes) = usize::try_from(fitting)
            .ok()
            .and_then(|n| n.checked_mul(size))
            .filter(|n| *n > 0)
        else {
            return Ok(self.done(0, Some(Stop::EndOfPartition)));
        };
        let before = self.here();
        let appended = match transfer {
            Transfer::Variable => self.image().append_block(data),
            Transfer::Fixed(size) => self.image().append_blocks(size, &data[..fitting_bytes]),
        };
        if let Err(error) = appended {
            return self.not_appended(&error, before);
        }
        self.extendable = (transfer == Transfer::Variable).then_some(data.len() as u64);
        if fitting < count {
            return Ok(self.done(fitting, Some(Stop::EndOfPartition)));
        }
        Ok(self.after_change(count))
    }

    pub(crate) fn extend_block(&mut self, data: &[u8]) -> Result<Done, Failed> {
        self.begin()?;
        let Some(before) = self.extendable else {
            return self.fail(Sense::IllegalRequest, 0);
        };
        let length = before.saturating_add(data.len() as u64);
        if !self.personality.takes_block(length) {
            return self.fail(Sense::IllegalRequest, 0);
        }
        if (data.len() as u64) > self.limits().room(self.used_before_here()) {
            return Ok(self.done(0, Some(Stop::EndOfPartition)));
        }
        let before = self.here();
        match self.image().extend_block(data) {
            Ok(()) => {
                self.extendable = Some(length);
                Ok(self.after_change(1))
            }
            Err(error) => self.not_appended(&error, before),
        }
    }

    pub(crate) fn put_marks(
        &mut self,
        mark: Mark,
        count: u32,
        mode: WriteMode,
    ) -> Result<Done, Failed> {
        if count == 0 {
            self.begin()?;
            self.extendable = None;
            self.commit(mode)?;
            // Who asks for this wants to know whether what he wrote is safe, though it was committed long ago.
            if mode == WriteMode::Commit {
                self.find_files()?;
            }
            return Ok(self.done(0, None));
        }
        self.begin_change()?;
        if mark == Mark::Setmark && !self.personality.setmarks {
            return self.fail(Sense::IllegalRequest, 0);
        }
        let (before, fitting) = (self.here(), self.fitting_marks(count));
        if fitting > 0
            && let Err(error) = self.image().append_marks(mark, fitting)
        {
            return self.not_appended(&error, before);
        }
        self.commit(mode).map_err(|failed| Failed {
            count: fitting.into(),
            ..failed
        })?;
        if fitting < count {
            return Ok(self.done(fitting.into(), Some(Stop::EndOfPartition)));
        }
        Ok(self.after_change(count.into()))
    }

    /// How many marks fit before the physical end, and behind it where the drive takes some there.
    fn fitting_marks(&self, count: u32) -> u32 {
        let cost = self.personality.mark_bytes;
        let mut limits = self.limits();
        if self.personality.mark_fits_at_end {
            let behind = MARKS_AT_END_MAX.saturating_mul(cost.max(1));
            limits.total_bytes = limits.total_bytes.map(|end| end.saturating_add(behind));
        }
        match (limits.room(self.used_before_here()), cost) {
            (0, _) => 0,
            (_, 0) => count,
            (room, cost) => u32::try_from(room / cost).unwrap_or(u32::MAX).min(count),
        }
    }

    fn after_change(&self, count: u64) -> Done {
        let here = self.here();
        let warns = here.past_early_warning || self.tape().image(self.partition).is_host_low();
        Done {
            count,
            stop: warns.then_some(Stop::EarlyWarning),
            position: here,
        }
    }

    /// A full host disk is a physical end that came early; anything else is an error.
    fn not_appended(&mut self, error: &Error, before: Position) -> Result<Done, Failed> {
        let count = self.here().object.0.saturating_sub(before.object.0);
        let failed = self.failed(error, count);
        if matches!(error, Error::HostFull { .. }) {
            return Ok(self.done(count, Some(Stop::EndOfPartition)));
        }
        Err(failed)
    }

    /// Makes sure that others find the volume's files where they were opened.
    pub(crate) fn find_files(&mut self) -> Result<(), Failed> {
        match self.cartridge_in().check_presence() {
            Ok(()) => Ok(()),
            Err(error) => Err(self.failed(&error, 0)),
        }
    }

    /// The commit point: what was written before is on stable storage.
    pub(crate) fn commit(&mut self, mode: WriteMode) -> Result<(), Failed> {
        match mode {
            WriteMode::Immediate => Ok(()),
            // What was written before the tape went to another partition waits too.
            WriteMode::Commit => match self.cartridge_in().sync() {
                Ok(()) => Ok(()),
                Err(error) => Err(self.failed(&error, 0)),
            },
        }
    }
}
