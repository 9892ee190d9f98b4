//! Reading: from the first leg in step, and from the next one what that can't read.

use std::sync::atomic::Ordering;

use pseudotape_tape::{Failed, Position, ReadDone, Sense, Stop, Transfer};

use crate::leg::Answer;
use crate::mirror::MirrorDrive;
use crate::set::LegSet;

impl MirrorDrive {
    /// The legs that can be read now, the late ones caught up where no other is left.
    fn readable(&mut self) -> LegSet {
        let prompt = self.select(|leg| {
            leg.in_step() && leg.keeps_blocks() && leg.late.is_none() && leg.surplus.is_none()
        });
        if !prompt.is_empty() {
            return prompt;
        }
        self.catch_up();
        let late = self.select(|leg| leg.in_step() && leg.keeps_blocks());
        if late.is_empty() {
            return self.in_step();
        }
        late
    }

    /// Waits until every late leg has what it should.
    pub(crate) fn catch_up(&mut self) {
        for number in self.late().iter() {
            if let Some(late) = &self.legs[number].late {
                late.drain();
            }
        }
        self.hear_late();
    }

    /// The leg that reads.
    pub(crate) fn reader_now(&mut self) -> Result<usize, Failed> {
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
    pub(crate) fn read_blocks(
        &mut self,
        transfer: Transfer,
        buffer: &mut [u8],
    ) -> Result<ReadDone, Failed> {
        let at = self.begin()?;
        self.extendable = None;
        let result = self.read_from(transfer, buffer, at);
        let mut result = match (result, transfer) {
            (Err(failed), Transfer::Fixed(size)) if failed.sense == Sense::MediumError => {
                self.read_each(size.get() as usize, buffer, at)
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

    /// Block by block, since the damaged ones may lie on different legs.
    fn read_each(
        &mut self,
        size: usize,
        buffer: &mut [u8],
        at: Position,
    ) -> Result<ReadDone, Failed> {
        let mut total = ReadDone {
            blocks: 0,
            bytes: 0,
            block_length: 0,
            stop: None,
            position: at,
        };
        for part in buffer.chunks_exact_mut(size) {
            let one = self
                .read_from(Transfer::Variable, part, total.position)
                .map_err(|failed| Failed {
                    count: total.blocks,
                    ..failed
                })?;
            total.position = one.position;
            total.block_length = one.block_length;
            total.stop = one.stop;
            if one.stop.is_none() && one.block_length as usize != size {
                total.stop = Some(Stop::IllegalLength);
            }
            if total.stop.is_some() {
                break;
            }
            total.blocks += 1;
            total.bytes += size;
        }
        Ok(total)
    }

    fn read_from(
        &mut self,
        transfer: Transfer,
        buffer: &mut [u8],
        at: Position,
    ) -> Result<ReadDone, Failed> {
        let mut first: Option<Failed> = None;
        let mut tried = LegSet::default();
        let mut damaged = LegSet::default();
        loop {
            let reader = if tried.is_empty() {
                Some(self.reader_now()?)
            } else {
                LegSet(self.readable().0 & !tried.0).first()
            };
            let Some(number) = reader else {
                let failed = first.unwrap_or(Failed::at(Sense::HardwareError, Some(at)));
                return Err(failed);
            };
            tried = tried.with(number);
            let mut core = self.legs[number].seat.core();
            let result = core.go_to(at).and_then(|()| core.read(transfer, buffer));
            match result {
                Ok(done) => {
                    drop(core);
                    self.report_repairs(damaged, number, at);
                    return Ok(done);
                }
                Err(failed) if failed.sense == Sense::MediumError => {
                    drop(core);
                    damaged = damaged.with(number);
                    first.get_or_insert(failed);
                }
                Err(failed) if failed.sense == Sense::IllegalRequest => return Err(failed),
                Err(failed) => {
                    let reason = core.explain(&failed);
                    drop(core);
                    self.lose(number, at.object, &reason);
                    first.get_or_insert(Failed {
                        position: Some(at),
                        ..failed
                    });
                }
            }
        }
    }

    fn report_repairs(&mut self, damaged: LegSet, read: usize, at: Position) {
        self.recovered += u32::from(!damaged.is_empty());
        for number in damaged.iter() {
            let leg = &self.legs[number];
            leg.board().repairs.fetch_add(1, Ordering::Relaxed);
            let text = format!("object {} is damaged", at.object);
            leg.board().note_error(&text);
            let from = self.legs[read].name();
            log::warn!("leg {}: {text}: read from leg {from}", leg.name());
        }
    }

    /// Reads the same from the other legs, and compares.
    fn verify(
        &mut self,
        transfer: Transfer,
        buffer: &[u8],
        at: Position,
        done: &ReadDone,
    ) -> Result<(), Failed> {
        let others = self.readable().without(self.reader);
        let length = buffer.len();
        self.everywhere(others, &|_, core| {
            let mut scratch = std::mem::take(&mut core.scratch);
            scratch.resize(length, 0);
            core.answer = match core.go_to(at) {
                Ok(()) => Answer::Read(core.read(transfer, &mut scratch)),
                Err(failed) => Answer::Lost(failed),
            };
            core.scratch = scratch;
        });
        let mut differs = false;
        for number in others.iter() {
            let answer = self.answer(number);
            let name = self.legs[number].name().to_owned();
            match answer {
                Answer::Read(Ok(other)) => {
                    let core = self.legs[number].seat.core();
                    let same = (other.blocks, other.bytes, other.block_length, other.stop)
                        == (done.blocks, done.bytes, done.block_length, done.stop)
                        && core.scratch.get(..done.bytes) == buffer.get(..done.bytes);
                    drop(core);
                    if !same {
                        let first = self.legs[self.reader].name();
                        let text = format!(
                            "object {}: legs {first} and {name} hold different things: 'pseudotape-mirror drop' the wrong one, then 'return' it",
                            at.object
                        );
                        log::error!("{text}");
                        self.legs[number].board().note_error(&text);
                        differs = true;
                    }
                }
                Answer::Read(Err(failed)) if failed.sense == Sense::MediumError => {
                    self.report_repairs(LegSet::default().with(number), self.reader, at);
                }
                Answer::Read(Err(failed)) | Answer::Lost(failed) => {
                    let reason = self.legs[number].seat.core().explain(&failed);
                    self.lose(number, at.object, &reason);
                }
                Answer::None | Answer::Done(_) | Answer::Nothing(_) => {}
            }
        }
        if differs {
            self.arrive(Some(done.position));
            return Err(Failed::at(Sense::MediumError, Some(done.position)));
        }
        Ok(())
    }
}
