//! A tape drive as SCSI sees it: one command after the other.

use pseudotape_tape::{Partitioning, Volume, wide};

use super::attributes::{self, Told};
use super::command::StreamCommand;
use super::outcome::{data_missing, failed};
use super::segments::Segments;
use super::state::{TapeReply, TapeUnit};
use super::view::View;
use super::{density, operations};
use crate::changer_unit::Nexus;
use crate::log::log_sense;
use crate::primary::PrimaryCommand;
use crate::reply::{Reply, Status};
use crate::sense::{Reason, Sense, SenseKey};
use crate::tape_command::TapeCommand;
use crate::tape_unit::{TapeView, execute_tape};

/// Commands that are done although there is news (SAM-5 §5.14).
fn hears_news(command: &StreamCommand) -> bool {
    !matches!(
        command,
        StreamCommand::Look(TapeCommand::Primary(
            PrimaryCommand::Inquiry { .. }
                | PrimaryCommand::ReportLuns { .. }
                | PrimaryCommand::RequestSense { .. }
        ))
    )
}

/// Commands that are done although another initiator has reserved the unit (SPC-2 §5.5.1, SSC-2 table 4).
fn passes_reservation(command: &StreamCommand) -> bool {
    match command {
        StreamCommand::Look(TapeCommand::Primary(primary)) => matches!(
            primary,
            PrimaryCommand::Inquiry { .. }
                | PrimaryCommand::ReportLuns { .. }
                | PrimaryCommand::RequestSense { .. }
                | PrimaryCommand::LogSense(_)
                | PrimaryCommand::Release(_)
                | PrimaryCommand::PreventRemoval(false)
        ),
        StreamCommand::Look(TapeCommand::ReadBlockLimits)
        | StreamCommand::ReportDensity { .. }
        | StreamCommand::ReportOperations { .. } => true,
        _ => false,
    }
}

impl TapeUnit {
    /// Does one command of an initiator. `data` are the pieces of memory of its data phase, whichever way they go.
    pub fn execute(
        &mut self,
        nexus: Nexus,
        cdb: &[u8],
        data: &mut [&mut [u8]],
        volume: &mut dyn Volume,
    ) -> TapeReply {
        let command = match StreamCommand::decode(cdb) {
            Ok(command) => command,
            Err(error) => return TapeReply::check(error.sense()),
        };
        if hears_news(&command)
            && let Some(reason) = self.next_news(nexus)
        {
            return TapeReply::check(Sense::new(SenseKey::UnitAttention, reason));
        }
        let by_other = self.reserved_by.is_some_and(|holder| holder != nexus);
        if by_other && !passes_reservation(&command) {
            return TapeReply {
                status: Status::ReservationConflict,
                ..TapeReply::default()
            };
        }
        let mut segments = Segments::new(data);
        let done = match command {
            StreamCommand::Look(look) => self.look(nexus, cdb, look, &mut segments, volume),
            _ => self.act(nexus, command, &mut segments, volume),
        };
        let reply = done.unwrap_or_else(TapeReply::check);
        // What the drive told this initiator, it has told once: the others hear it from here.
        if let Some(sense) = reply.sense
            && sense.key == SenseKey::UnitAttention
        {
            self.tell_others(Some(nexus), sense.reason);
        }
        reply
    }

    fn act(
        &mut self,
        nexus: Nexus,
        command: StreamCommand,
        segments: &mut Segments<'_, '_>,
        volume: &mut dyn Volume,
    ) -> Result<TapeReply, Sense> {
        match command {
            StreamCommand::Read {
                counted,
                any_length,
                at,
            } => {
                self.go_to(at, volume)?;
                self.read(counted, any_length, segments, volume)
            }
            StreamCommand::Write { counted, at } => {
                self.go_to(at, volume)?;
                self.write(counted, segments, volume)
            }
            StreamCommand::Verify {
                counted,
                compare,
                at,
            } => {
                self.go_to(at, volume)?;
                self.verify(counted, compare, segments, volume)
            }
            StreamCommand::WriteMarks {
                mark,
                count,
                mode,
                at,
            } => {
                self.go_to(at, volume)?;
                self.write_marks(mark, count, mode, volume)
            }
            StreamCommand::Space { unit, count } => self.space(unit, count, volume),
            StreamCommand::SpaceToEndOfData => self.space_to_end(volume),
            StreamCommand::Locate {
                partition,
                to,
                partition_byte,
            } => self.locate(partition, to, partition_byte, volume),
            StreamCommand::Erase { extent, at } => {
                self.go_to(at, volume)?;
                self.erase(extent, volume)
            }
            StreamCommand::Rewind => {
                volume.rewind().map_err(failed)?;
                Ok(TapeReply::good(0))
            }
            StreamCommand::Load(kind) => self.load(kind, volume),
            StreamCommand::Unload => self.unload(volume),
            StreamCommand::Format { format } => {
                let partitioning = self.asked_partitioning(format)?;
                self.format(partitioning, volume)
            }
            StreamCommand::SetCapacity => self.format(Partitioning::Single, volume),
            StreamCommand::ModeSelect {
                form,
                pages,
                length,
            } => {
                let reply = self.mode_select(form, pages, length, segments, volume)?;
                self.tell_others(Some(nexus), Reason::MODE_PARAMETERS_CHANGED);
                Ok(reply)
            }
            StreamCommand::ReadAttribute { .. }
            | StreamCommand::WriteAttribute { .. }
            | StreamCommand::ReportDensity { .. }
            | StreamCommand::ReportOperations { .. } => self.tell(command, segments, volume),
            // Done by its own way, since it needs the bytes of the CDB.
            StreamCommand::Look(_) => Err(Sense::illegal(Reason::INVALID_OPERATION_CODE)),
        }
    }

    /// Commands that tell of the medium and of the unit, and the one that notes something on the medium.
    fn tell(
        &mut self,
        command: StreamCommand,
        segments: &mut Segments<'_, '_>,
        volume: &mut dyn Volume,
    ) -> Result<TapeReply, Sense> {
        let (data, allocation) = match command {
            StreamCommand::ReadAttribute {
                request,
                partition,
                first,
                allocation,
            } => {
                let told = self.told(volume)?;
                let data = attributes::read(request, partition, first, &told, volume)?;
                (data, allocation)
            }
            StreamCommand::WriteAttribute { partition, length } => {
                let told = self.told(volume)?;
                if told.writability.is_read_only() {
                    return Err(Sense::new(SenseKey::DataProtect, Reason::WRITE_PROTECTED));
                }
                let data = segments.outgoing(&mut self.scratch, wide(length));
                let data = data.ok_or(data_missing())?;
                attributes::write(data, partition, &told, volume)?;
                return Ok(TapeReply::good(wide(length)));
            }
            StreamCommand::ReportDensity {
                of_medium,
                allocation,
            } => {
                if of_medium {
                    volume.test_ready().map_err(failed)?;
                }
                let medium = volume.mode().map_err(failed)?.density;
                let own = match self.features.density {
                    0 => medium,
                    own => own,
                };
                let data = density::report(own, Some(medium), of_medium);
                (data, allocation.into())
            }
            StreamCommand::ReportOperations {
                request,
                timeouts,
                allocation,
            } => (operations::report(request, timeouts)?, allocation),
            _ => return Err(Sense::illegal(Reason::INVALID_OPERATION_CODE)),
        };
        let reply = Reply::data(data, allocation);
        Ok(TapeReply::place(&reply, segments))
    }

    /// What attributes are made of; only with a medium.
    fn told(&mut self, volume: &mut dyn Volume) -> Result<Told, Sense> {
        volume.test_ready().map_err(failed)?;
        let mode = volume.mode().map_err(failed)?;
        Ok(Told {
            identity: volume.identity(),
            volume: volume.volume_identity(),
            capacity: volume.capacity().ok(),
            loads: self.tally.loads,
            density: mode.density,
            writability: volume.writability(),
            last_partition: mode.last_partition,
        })
    }

    /// Commands that are for every transport, or for every unit.
    fn look(
        &mut self,
        nexus: Nexus,
        cdb: &[u8],
        command: TapeCommand,
        segments: &mut Segments<'_, '_>,
        volume: &mut dyn Volume,
    ) -> Result<TapeReply, Sense> {
        let mut view = View {
            volume,
            counters: self.tally.counters,
            heard: None,
        };
        let reply = match command {
            TapeCommand::Primary(primary) => self.primary(nexus, cdb, primary, &mut view),
            TapeCommand::ReadBlockLimits => Ok(execute_tape(cdb, &mut view)),
            TapeCommand::ReadPosition { .. } => {
                const BEGINNING: u8 = 0x80;
                let mut reply = execute_tape(cdb, &mut view);
                if self.features.hides_beginning
                    && let Some(flags) = reply.data.first_mut()
                {
                    *flags &= !BEGINNING;
                }
                Ok(reply)
            }
        };
        let reply = reply.unwrap_or_else(Reply::check);
        if let Some(news) = view.heard {
            let asked = matches!(
                command,
                TapeCommand::Primary(PrimaryCommand::RequestSense { .. })
            );
            let told = reply
                .sense
                .is_some_and(|s| s.key == SenseKey::UnitAttention);
            // Who only looked, and got its answer all the same, hears of it next time.
            if !told {
                self.tell_others(asked.then_some(nexus), news);
            }
        }
        Ok(TapeReply::place(&reply, segments))
    }

    fn primary(
        &mut self,
        nexus: Nexus,
        cdb: &[u8],
        command: PrimaryCommand,
        view: &mut View<'_>,
    ) -> Result<Reply, Sense> {
        match command {
            PrimaryCommand::TestUnitReady
            | PrimaryCommand::Inquiry { .. }
            | PrimaryCommand::ReportLuns { .. } => Ok(execute_tape(cdb, view)),
            PrimaryCommand::SelfTest => {
                view.ready().map_err(failed)?;
                Ok(Reply::good())
            }
            PrimaryCommand::RequestSense { format, allocation } => match self.next_news(nexus) {
                Some(reason) => {
                    let sense = Sense::new(SenseKey::UnitAttention, reason);
                    Ok(Reply::data(sense.encode(format), allocation.into()))
                }
                None => Ok(execute_tape(cdb, view)),
            },
            PrimaryCommand::ModeSense(command) => {
                let partition = view.position().map_or(0, |here| here.partition.0);
                let data = self.mode_sense(command, partition, view.volume)?;
                Ok(Reply::data(data, command.allocation.into()))
            }
            PrimaryCommand::LogSense(command) => {
                let pages = self.log_pages(view);
                let data = log_sense(command, &pages)?;
                Ok(Reply::data(data, command.allocation.into()))
            }
            PrimaryCommand::Reserve(_) => {
                self.reserved_by = Some(nexus);
                Ok(Reply::good())
            }
            PrimaryCommand::Release(_) => {
                // Whoever has not reserved the unit releases nothing, and is told nothing (SPC-2 §7.28.2).
                if self.reserved_by == Some(nexus) {
                    self.reserved_by = None;
                }
                Ok(Reply::good())
            }
            PrimaryCommand::PreventRemoval(prevent) => {
                self.prevent(nexus, prevent, view.volume).map_err(failed)?;
                Ok(Reply::good())
            }
        }
    }
}
