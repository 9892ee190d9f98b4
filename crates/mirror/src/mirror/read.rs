//! Reading: from the first leg in step. A block that this leg can't read comes from the next one.

use pseudotape_tape::{Failed, ObjectInFile, Position, ReadDone, Sense, Transfer, read_each};

use super::MirrorDrive;
use crate::leg::{Cause, Leg};
use crate::set::{LegNumber, LegSet};

impl MirrorDrive {
    /// The legs that can be read now. Where no other is left, the late ones catch up and are read.
    pub(super) fn readable(&mut self) -> LegSet {
        let is_whole = |leg: &Leg| !leg.is_late() && leg.end().surplus().is_none();
        let prompt = self
            .legs
            .select(|leg| leg.in_step() && leg.keeps_blocks() && is_whole(leg));
        if !prompt.is_empty() {
            return prompt;
        }
        self.catch_up();
        let late = self.legs.keeping();
        if late.is_empty() {
            return self.legs.in_step();
        }
        late
    }

    /// The leg that reads.
    pub(super) fn reader_now(&mut self) -> Result<LegNumber, Failed> {
        let readable = self.readable();
        if !readable.has(self.reader) {
            let lost = Failed::at(Sense::HardwareError, self.at);
            self.reader = readable.first().ok_or(lost)?;
            log::info!("reads come from leg {}", self.legs[self.reader].name());
        }
        Ok(self.reader)
    }

    /// Reads; what one leg can't read comes from the next one.
    ///
    /// | condition | result | position after |
    /// |---|---|---|
    /// | the leg that reads has it | as from that leg | as there |
    /// | it meets a damaged block, another leg has it | from there, and reported | as there |
    /// | it fails otherwise | it is out of step, another leg reads | |
    /// | no leg can read it | the first one's reason | behind it |
    /// | `verify_reads`, and two legs differ | [`Sense::MediumError`] | behind it |
    pub(super) fn read_blocks(
        &mut self,
        transfer: Transfer,
        buffer: &mut [u8],
    ) -> Result<ReadDone, Failed> {
        let at = self.begin()?;
        self.last.is_block(None);
        let result = self.read_from(transfer, buffer, at);
        let mut result = match (result, transfer) {
            (Err(failed), Transfer::Fixed(size)) if failed.sense == Sense::MediumError => {
                // Damaged blocks may lie on different legs.
                read_each(size, buffer, at, |part, at| {
                    self.read_from(Transfer::Variable, part, at)
                })
            }
            (result, _) => result,
        };
        if let Ok(done) = &mut result {
            done.position.past_early_warning |= self.is_past_early_warning(done.position);
        }
        if self.options.verify_reads
            && let Ok(done) = &result
        {
            self.verify(transfer, buffer, at, done)?;
        }
        match &result {
            Ok(done) => self.arrive(Some(done.position)),
            Err(failed) => self.arrive(failed.position),
        }
        result
    }

    fn read_from(
        &mut self,
        transfer: Transfer,
        buffer: &mut [u8],
        at: Position,
    ) -> Result<ReadDone, Failed> {
        let mut first: Option<Failed> = None;
        let mut tried = LegSet::EMPTY;
        let mut damaged = LegSet::EMPTY;
        loop {
            let reader = if tried.is_empty() {
                Some(self.reader_now()?)
            } else {
                self.readable().minus(tried).first()
            };
            let Some(number) = reader else {
                let failed = first.unwrap_or(Failed::at(Sense::HardwareError, Some(at)));
                return Err(failed);
            };
            tried = tried.with(number);
            let result = self.legs[number].core().read_at(at, transfer, buffer);
            match result {
                Ok(done) => {
                    self.report_repairs(damaged, number, at);
                    return Ok(done);
                }
                Err(fault) if fault.failed.sense == Sense::MediumError => {
                    damaged = damaged.with(number);
                    first.get_or_insert(fault.failed);
                }
                Err(fault) if fault.failed.sense == Sense::IllegalRequest => {
                    return Err(fault.failed);
                }
                Err(fault) => {
                    first.get_or_insert(Failed {
                        position: Some(at),
                        ..fault.failed
                    });
                    self.legs[number].lose(at.object, &Cause::from(fault));
                }
            }
        }
    }

    /// Says that blocks which some legs could not read were read from another leg.
    pub(super) fn report_repairs(&mut self, damaged: LegSet, read: LegNumber, at: Position) {
        if !damaged.is_empty() {
            self.recovered = self.recovered.saturating_add(1);
        }
        let from = self.legs[read].name();
        for leg in self.legs.of(damaged) {
            let object = ObjectInFile {
                object: at.object,
                file: at.file,
                block: None,
            };
            let text = format!("{object} is damaged");
            leg.note_damage(&text, true);
            log::warn!("leg {}: {text}: read from leg {from}", leg.name());
        }
    }
}
