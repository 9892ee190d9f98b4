//! The master's side: a drive that sends its operations to a slave.

use std::io;
use std::sync::{Arc, MutexGuard};
use std::thread;

use pseudotape_tape::{
    Address, Attributes, AttributesError, BlockLimits, Capacity, Done, Door, Drive, Failed,
    Identity, Mode, ModeSelect, Motion, Noted, ObjectNumber, PartitionNumber, Position, ReadDone,
    Sense, Stop, Transfer, Volume, VolumeError, VolumeIdentity, Writability, commit_before_end,
    writability_by_mode,
};

use crate::check::Asked;
use crate::line::{Answer, Attention, Line};
use crate::lost::Lost;
use crate::options::{Options, WithoutSlave};
use crate::port::{Inner, SlavePort};
use crate::reply::Outcome;
use crate::request::Request;

/// Limit for the unit attentions that a new slave may report in a row.
const MAX_ATTENTIONS: u32 = 10;

/// A drive whose operations are done by the process at the slave end.
///
/// | condition | result | position after |
/// |---|---|---|
/// | no slave | [`Sense::NoDrive`]; [`Drive::test_ready`] as [`Options::without_slave`] says | none |
/// | the slave dies, times out or violates the protocol during an operation | [`Sense::HardwareError`], then as above | none |
/// | a new slave | [`Sense::Reset`] once, then [`Sense::MediumChanged`] once | beginning of partition 0 |
///
/// Dropping the drive ends the connection to the slave. Its [`SlavePort`] then refuses new slaves.
pub struct SlaveDrive {
    inner: Arc<Inner>,
    /// Position from the last reply. `None`: the position is lost, or there is no medium.
    position: Option<Position>,
    trouble: Option<String>,
    recovered: u32,
}

impl SlaveDrive {
    /// Makes a drive without a slave, and the port through which slaves attach. Starts a thread that sends
    /// keep-alive requests to an idle slave.
    pub fn new(options: Options) -> io::Result<(SlaveDrive, SlavePort)> {
        let inner = Inner::new(options.within_limits());
        let kept = Arc::clone(&inner);
        thread::Builder::new()
            .name("slave-keeper".into())
            .spawn(move || kept.keep())?;
        let drive = SlaveDrive {
            inner: Arc::clone(&inner),
            position: None,
            trouble: None,
            recovered: 0,
        };
        Ok((drive, SlavePort::new(inner)))
    }

    /// Sends a request and waits for the reply. A slave that fails at this is dropped.
    fn ask(
        &mut self,
        line: &mut MutexGuard<'_, Line>,
        request: &Request,
        data: &[u8],
        into: &mut [u8],
    ) -> Result<Answer, Failed> {
        let asked = Asked {
            request,
            data_length: data.len(),
            before: self.position,
        };
        match line.ask(asked, data, into, self.inner.options.silence) {
            None => {
                self.position = None;
                Err(Failed::at(Sense::NoDrive, None))
            }
            Some(Ok(answer)) => Ok(answer),
            // Nothing was sent: the tape is where it was, and the slave is asked again.
            Some(Err(lost @ Lost::NoMemory { .. })) => {
                self.trouble = Some(format!("'{}' was refused: {lost}", request.name()));
                Err(Failed::at(Sense::HardwareError, self.position))
            }
            Some(Err(lost)) => {
                self.position = None;
                self.inner.lose(line, &lost);
                self.trouble = Some(format!("slave lost in '{}': {lost}", request.name()));
                Err(Failed::at(
                    match lost {
                        // The request did not reach the slave, so no operation was begun.
                        Lost::GoneBefore => Sense::NoDrive,
                        Lost::Gone
                        | Lost::NoMemory { .. }
                        | Lost::Nonsense(_)
                        | Lost::Silent(_)
                        | Lost::Channel(_)
                        | Lost::Unsupported { .. }
                        | Lost::Ended(_) => Sense::HardwareError,
                    },
                    None,
                ))
            }
        }
    }

    /// Does an operation whose reply contains the position.
    fn operate(
        &mut self,
        request: &Request,
        data: &[u8],
        into: &mut [u8],
    ) -> Result<(Outcome, usize), Failed> {
        let inner = Arc::clone(&self.inner);
        inner.count_question();
        let line = &mut inner.line();
        self.tell_attention(line)?;
        self.operate_on(line, request, data, into)
    }

    fn operate_on(
        &mut self,
        line: &mut MutexGuard<'_, Line>,
        request: &Request,
        data: &[u8],
        into: &mut [u8],
    ) -> Result<(Outcome, usize), Failed> {
        match self.ask(line, request, data, into)? {
            Answer::Done(outcome, length) => {
                self.recovered = self.recovered.saturating_add(outcome.recovered.into());
                self.position = match request {
                    Request::Unload => None,
                    _ => outcome.position.or(self.position),
                };
                Ok((outcome, length))
            }
            Answer::Failed(failed) => {
                self.position = failed.position;
                Err(failed)
            }
            Answer::Mode(_) | Answer::Capacity(_) => Err(unexpected()),
        }
    }

    /// Reports that the slave is new. The first operation fails because the position is lost, the second one
    /// because the medium may be another one. Then the medium is at its beginning.
    fn tell_attention(&mut self, line: &mut MutexGuard<'_, Line>) -> Result<(), Failed> {
        let Some(attention) = line.attention else {
            return Ok(());
        };
        self.position = None;
        match attention {
            Attention::Reset => {
                line.attention = Some(Attention::MediumChanged);
                Err(Failed::at(Sense::Reset, None))
            }
            Attention::MediumChanged => {
                self.go_to_beginning(line)?;
                line.attention = None;
                Err(Failed::at(Sense::MediumChanged, self.position))
            }
        }
    }

    /// Rewinds the tape of a new slave: the tape is used from its beginning, wherever the slave left it.
    fn go_to_beginning(&mut self, line: &mut MutexGuard<'_, Line>) -> Result<(), Failed> {
        let beginning = Request::Motion(Motion::Locate(Address {
            partition: Some(PartitionNumber(0)),
            object: ObjectNumber(0),
        }));
        let mut result = Ok(());
        for _ in 0..MAX_ATTENTIONS {
            result = self
                .operate_on(line, &Request::Motion(Motion::Rewind), &[], &mut [])
                .map(drop);
            if result.is_ok() && self.position.is_some_and(|at| at.partition.0 != 0) {
                result = self.operate_on(line, &beginning, &[], &mut []).map(drop);
            }
            match result.as_ref().map_err(|failed| failed.sense) {
                // The slave's own unit attentions are covered by the ones that are reported here.
                Err(Sense::Reset | Sense::MediumChanged) => {}
                // A medium that is loaded later is at its beginning.
                Err(Sense::NoMedium) => return Ok(()),
                Ok(()) | Err(_) => return result,
            }
        }
        result
    }

    fn done(&mut self, request: &Request, data: &[u8]) -> Result<Done, Failed> {
        let (outcome, _) = self.operate(request, data, &mut [])?;
        let position = outcome.position.ok_or_else(unexpected)?;
        Ok(Done {
            count: outcome.count,
            stop: outcome.stop,
            position,
        })
    }

    fn nothing(&mut self, request: &Request) -> Result<(), Failed> {
        self.operate(request, &[], &mut []).map(drop)
    }

    /// The number of bytes of a transfer that fit into one request, in whole blocks.
    fn part_bytes(&self, transfer: Transfer) -> Result<usize, Failed> {
        let largest = self.inner.options.largest_payload as usize;
        match transfer {
            Transfer::Variable => Ok(largest),
            Transfer::Fixed(size) => match largest / size.get() as usize {
                0 => Err(Failed::at(Sense::IllegalRequest, self.position)),
                blocks => Ok(blocks * size.get() as usize),
            },
        }
    }

    fn read_part(&mut self, transfer: Transfer, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        let length = u32::try_from(buffer.len()).expect("parts are no larger than a payload");
        let request = Request::Read { transfer, length };
        let (outcome, bytes) = self.operate(&request, &[], buffer)?;
        let position = outcome.position.ok_or_else(unexpected)?;
        Ok(ReadDone {
            blocks: outcome.count,
            bytes,
            block_length: outcome.block_length,
            stop: outcome.stop,
            position,
        })
    }
}

/// For a kind of reply that the line has already ruled out.
fn unexpected() -> Failed {
    Failed::at(Sense::HardwareError, None)
}

impl Drop for SlaveDrive {
    fn drop(&mut self) {
        self.inner.end();
    }
}

impl Drive for SlaveDrive {
    fn identity(&self) -> Identity {
        self.inner.identity()
    }

    fn block_limits(&self) -> BlockLimits {
        self.inner.limits()
    }

    fn test_ready(&mut self) -> Result<(), Failed> {
        self.nothing(&Request::TestReady).map_err(|failed| {
            let waits = self.inner.options.without_slave == WithoutSlave::NotReady;
            if failed.sense == Sense::NoDrive && waits && !self.inner.is_attached() {
                Failed::at(Sense::NotReady, None)
            } else {
                failed
            }
        })
    }

    fn mode(&mut self) -> Result<Mode, Failed> {
        let inner = Arc::clone(&self.inner);
        inner.count_question();
        match self.ask(&mut inner.line(), &Request::Mode, &[], &mut [])? {
            Answer::Mode(mode) => Ok(mode),
            Answer::Failed(failed) => Err(failed),
            Answer::Done(..) | Answer::Capacity(_) => Err(unexpected()),
        }
    }

    fn set_mode(&mut self, change: ModeSelect) -> Result<(), Failed> {
        self.nothing(&Request::SetMode(change))
    }

    /// Splits a transfer that exceeds the largest payload into several requests.
    fn read(&mut self, transfer: Transfer, buffer: &mut [u8]) -> Result<ReadDone, Failed> {
        let part = self.part_bytes(transfer)?;
        if transfer == Transfer::Variable || buffer.len() <= part {
            let (buffer, _) = buffer.split_at_mut(buffer.len().min(part));
            return self.read_part(transfer, buffer);
        }
        let mut total: Option<ReadDone> = None;
        for buffer in buffer.chunks_mut(part) {
            let (blocks, bytes) = total.map_or((0, 0), |t| (t.blocks, t.bytes));
            let one = self.read_part(transfer, buffer).map_err(|failed| Failed {
                count: blocks + failed.count,
                ..failed
            })?;
            total = Some(ReadDone {
                blocks: blocks + one.blocks,
                bytes: bytes + one.bytes,
                ..one
            });
            if one.stop.is_some() {
                break;
            }
        }
        total.ok_or_else(unexpected)
    }

    fn write(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed> {
        let part = self.part_bytes(transfer)?;
        if data.len() <= part {
            return self.done(&Request::Write(transfer), data);
        }
        if transfer == Transfer::Variable {
            return Err(Failed::at(Sense::IllegalRequest, self.position));
        }
        let mut total: Option<Done> = None;
        for data in data.chunks(part) {
            let count = total.map_or(0, |t| t.count);
            let one = self.done(&Request::Write(transfer), data);
            let one = one.map_err(|failed| Failed {
                count: count + failed.count,
                ..failed
            })?;
            total = Some(Done {
                count: count + one.count,
                ..one
            });
            if one.stop == Some(Stop::EndOfPartition) {
                break;
            }
        }
        total.ok_or_else(unexpected)
    }

    fn extend(&mut self, data: &[u8]) -> Result<Done, Failed> {
        if data.len() > self.inner.options.largest_payload as usize {
            return Err(Failed::at(Sense::IllegalRequest, self.position));
        }
        self.done(&Request::Extend, data)
    }

    fn execute(&mut self, motion: Motion) -> Result<Done, Failed> {
        self.done(&Request::Motion(motion), &[])
    }

    fn unload(&mut self) -> Result<(), Failed> {
        self.nothing(&Request::Unload)
    }

    fn position(&mut self) -> Result<Position, Failed> {
        self.done(&Request::Position, &[]).map(|done| done.position)
    }

    fn capacity(&mut self) -> Result<Capacity, Failed> {
        let inner = Arc::clone(&self.inner);
        inner.count_question();
        match self.ask(&mut inner.line(), &Request::Capacity, &[], &mut [])? {
            Answer::Capacity(capacity) => Ok(capacity),
            Answer::Failed(failed) => Err(failed),
            Answer::Done(..) | Answer::Mode(_) => Err(unexpected()),
        }
    }

    fn set_door(&mut self, door: Door) -> Result<(), Failed> {
        let inner = Arc::clone(&self.inner);
        inner.count_question();
        match self.ask(&mut inner.line(), &Request::SetDoor(door), &[], &mut [])? {
            Answer::Done(..) => Ok(()),
            Answer::Failed(failed) => Err(failed),
            Answer::Mode(_) | Answer::Capacity(_) => Err(unexpected()),
        }
    }

    fn take_recovered(&mut self) -> u32 {
        std::mem::take(&mut self.recovered)
    }
}

impl Volume for SlaveDrive {
    fn take_trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    /// Refused: the protocol has no request for it.
    fn record_unreadable(&mut self, _length_bytes: u32) -> Result<Done, Failed> {
        Err(Failed::at(Sense::IllegalRequest, self.known_position()))
    }

    fn noted(&self) -> Noted {
        Noted::NoPlace
    }

    fn note_not_mirrored(&mut self, _from: Option<ObjectNumber>) -> Result<bool, VolumeError> {
        Ok(false)
    }

    /// The position that the last operation returned.
    fn known_position(&self) -> Option<Position> {
        self.position.filter(|_| self.inner.is_attached())
    }

    fn volume_identity(&self) -> VolumeIdentity {
        VolumeIdentity::default()
    }

    fn writability(&mut self) -> Writability {
        match self.inner.is_attached() {
            true => writability_by_mode(self),
            false => Writability::Unknown,
        }
    }

    fn attributes(&mut self, _partition: PartitionNumber) -> Result<Attributes, AttributesError> {
        Err(AttributesError::NoPlace)
    }

    fn set_attributes(
        &mut self,
        _partition: PartitionNumber,
        _attributes: &Attributes,
    ) -> Result<(), AttributesError> {
        Err(AttributesError::NoPlace)
    }

    fn lost_when_closed(&mut self) -> Option<VolumeError> {
        None
    }

    /// Commits if a slave is attached, then ends the connection to it.
    fn finish(mut self: Box<Self>) -> Result<(), VolumeError> {
        if !self.inner.is_attached() {
            return Ok(());
        }
        commit_before_end(&mut *self).map_err(VolumeError::new)
    }
}
