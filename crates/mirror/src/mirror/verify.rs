//! Reading the same from all legs, and comparing.

use pseudotape_tape::{Failed, Position, ReadDone, Sense, Transfer};

use super::MirrorDrive;
use crate::set::{LegNumber, LegSet};

impl MirrorDrive {
    /// Reads the same from the other legs, and compares.
    pub(super) fn verify(
        &mut self,
        transfer: Transfer,
        buffer: &[u8],
        at: Position,
        done: &ReadDone,
    ) -> Result<(), Failed> {
        let others = self.readable().without(self.reader);
        let answers = self.everywhere(others, &|core| {
            let mut scratch = core.scratch(buffer.len())?;
            let answer = core.read_at(at, transfer, &mut scratch);
            core.keep_scratch(scratch);
            Some(answer)
        });
        let (mut differs, mut unread) = (false, false);
        for (number, answer) in answers {
            let Some(answer) = answer else {
                let name = self.legs[number].name();
                log::error!("leg {name}: no memory to compare object {}", at.object);
                unread = true;
                continue;
            };
            match answer {
                Ok(other) if self.is_same(number, buffer, done, &other) => {}
                Ok(_) => {
                    let (first, leg) = (self.legs[self.reader].name(), &self.legs[number]);
                    let text = format!(
                        "object {}: legs {first} and {} hold different things: '{} drop' the wrong one, then 'return' it",
                        at.object,
                        leg.name(),
                        leg.options().command
                    );
                    log::error!("{text}");
                    leg.note_damage(&text, false);
                    differs = true;
                }
                Err(fault)
                    if fault.failed.sense == Sense::MediumError
                        && fault.on_the_way_to.is_none() =>
                {
                    self.report_repairs(LegSet::only(number), self.reader, at);
                }
                Err(fault) => self.legs[number].lose(at.object, &fault.into()),
            }
        }
        if differs {
            self.arrive(Some(done.position));
            return Err(Failed::at(Sense::MediumError, Some(done.position)));
        }
        if unread {
            // No leg is at fault: the call fails.
            self.arrive(Some(done.position));
            return Err(Failed::at(Sense::HardwareError, Some(done.position)));
        }
        Ok(())
    }

    /// Whether a leg read the same as the program gets.
    fn is_same(&self, number: LegNumber, buffer: &[u8], done: &ReadDone, other: &ReadDone) -> bool {
        let core = self.legs[number].core();
        (other.blocks, other.bytes, other.block_length, other.stop)
            == (done.blocks, done.bytes, done.block_length, done.stop)
            && core.scratched().get(..done.bytes) == buffer.get(..done.bytes)
    }
}
