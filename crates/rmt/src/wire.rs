//! One connection to a server: requests go out, replies come back in their order.

use std::io::{IoSlice, Write};
use std::time::Duration;

use nix::errno::Errno;
use pseudotape_mtio::{MtGet, Operation, Width};
use pseudotape_st::OpenFlags;

use crate::channel::Channel;
use crate::errno::from_remote;
use crate::flags::Text;
use crate::input::Input;
use crate::remote::Limits;
use crate::reply::{self, NoReply, Reply};

/// Our server says who it is in the text of the error for a tape without a name.
pub(crate) const OUR_GREETING: &str = "pseudotape-rmt";

/// Largest status that is read; that of any system is far below.
const MAX_STATUS_BYTES: usize = 1024;

/// How the server speaks, as far as its clients have to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// GNU: every request is a line, `S` too.
    Lines,
    /// 4.2BSD and its children: nothing follows `S`.
    Letters,
    /// Ours: as `Letters`, and `sP` tells the number of the next object.
    Ours,
}

/// Why a request has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The server said so.
    Told { errno: Errno, text: String },
    /// There is no connection any more, or never was a server; the reason is kept in the wire.
    Cut,
}

impl Refused {
    pub(crate) fn errno(&self) -> Errno {
        match self {
            Refused::Told { errno, .. } => *errno,
            Refused::Cut => Errno::ENOTCONN,
        }
    }
}

/// What is known of the tape since the last request that could change it.
#[derive(Debug, Default)]
struct Known {
    status: Option<Result<MtGet, Refused>>,
    object: Option<Result<u64, Refused>>,
}

/// A connection. Once it is cut it stays so.
pub(crate) struct Wire {
    channel: Input<Channel>,
    pub(crate) style: Style,
    limits: Limits,
    /// Whether a tape is open there.
    open: bool,
    known: Known,
    cut: Option<Ending>,
}

/// How a connection ended.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    /// It broke, or nothing came in time.
    Broken(String),
    /// This came, which is no reply.
    Nonsense(String),
}

/// Status bytes of a system that is not known here.
#[derive(Clone, Debug)]
pub(crate) struct Foreign(pub(crate) String);

impl Wire {
    pub(crate) fn new(channel: Channel, limits: Limits) -> Self {
        Wire {
            channel: Input::new(channel),
            style: Style::Letters,
            limits,
            open: false,
            known: Known::default(),
            cut: None,
        }
    }

    /// How the connection ended, if it did.
    pub(crate) fn ending(&self) -> Option<&Ending> {
        self.cut.as_ref()
    }

    /// Learns how the server speaks: no system has a tape without a name, and how that is refused tells.
    pub(crate) fn greet(&mut self) -> Result<(), Refused> {
        match self.ask(b"O\n?\n", self.limits.connect) {
            Ok(_) => self.style = Style::Letters,
            Err(Refused::Told { text, .. }) if text.starts_with(OUR_GREETING) => {
                self.style = Style::Ours;
            }
            Err(Refused::Told { errno, .. }) => {
                self.style = if errno == Errno::EINVAL {
                    Style::Lines
                } else {
                    Style::Letters
                };
            }
            Err(Refused::Cut) => return Err(Refused::Cut),
        }
        Ok(())
    }

    pub(crate) fn open(&mut self, name: &str, flags: OpenFlags) -> Result<(), Refused> {
        self.close().ok();
        let text = Text(flags).to_string();
        let opened = match self.ask(format!("O{name}\n{text}\n").as_bytes(), self.limits.reply) {
            Err(Refused::Told {
                errno: Errno::EINVAL,
                ..
            }) => {
                // A server that knows numbers only; the first one is the portable part.
                let number = text.split(' ').next().unwrap_or_default();
                self.ask(format!("O{name}\n{number}\n").as_bytes(), self.limits.reply)
            }
            opened => opened,
        };
        opened?;
        self.open = true;
        Ok(())
    }

    pub(crate) fn close(&mut self) -> Result<(), Refused> {
        if !std::mem::take(&mut self.open) {
            return Ok(());
        }
        self.ask(b"C\n", self.limits.reply).map(drop)
    }

    /// Writes a record; `unmarked` also makes the driver forget that it owes a filemark for it.
    pub(crate) fn write(&mut self, data: &[u8], unmarked: bool) -> Result<usize, Refused> {
        let head = format!("W{}\n", data.len());
        let cancel: &[u8] = if unmarked { b"I23\n0\n" } else { b"" };
        self.send(
            &[head.as_bytes(), data, cancel, self.look()],
            self.limits.reply,
        )?;
        let written = self.answer();
        let cancelled = if unmarked { self.answer() } else { Ok(0) };
        self.hear_look()?;
        let written = written?;
        match cancelled {
            Ok(_) => {}
            // As for a node of this machine: the driver doesn't know the operation, and has forgotten.
            Err(Refused::Told {
                errno: Errno::ENOSYS | Errno::ENOTTY | Errno::EINVAL,
                ..
            }) => {}
            Err(refused) => return Err(refused),
        }
        match usize::try_from(written) {
            Ok(bytes) if bytes <= data.len() => Ok(bytes),
            _ => Err(self.nonsense(format!(
                "a record of {} bytes was answered with {written}",
                data.len()
            ))),
        }
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Refused> {
        let head = format!("R{}\n", buffer.len());
        self.send(&[head.as_bytes(), self.look()], self.limits.reply)?;
        let result = match self.answer() {
            Ok(bytes) => match usize::try_from(bytes)
                .ok()
                .and_then(|bytes| buffer.get_mut(..bytes))
            {
                Some(record) => {
                    let length = record.len();
                    let received = self.channel.exact(record);
                    received.map_err(|error| self.lost(NoReply::Cut(error)))?;
                    Ok(length)
                }
                None => {
                    let text = format!(
                        "{} bytes were asked for, and {bytes} announced",
                        buffer.len()
                    );
                    return Err(self.nonsense(text));
                }
            },
            Err(Refused::Cut) => return Err(Refused::Cut),
            Err(told) => Err(told),
        };
        self.hear_look()?;
        result
    }

    pub(crate) fn operate(&mut self, operation: Operation, count: i32) -> Result<(), Refused> {
        let request = format!("I{}\n{count}\n", i16::from(operation));
        let patience = if is_long(operation) {
            self.limits.long_reply
        } else {
            self.limits.reply
        };
        self.send(&[request.as_bytes(), self.look()], patience)?;
        let done = self.answer();
        self.hear_look()?;
        done.map(drop)
    }

    pub(crate) fn status(&mut self) -> Result<MtGet, Refused> {
        if self.known.status.is_none() {
            self.send(&[self.look()], self.limits.reply)?;
            self.hear_look()?;
        }
        self.known.status.clone().unwrap_or(Err(Refused::Cut))
    }

    pub(crate) fn object(&mut self) -> Result<u64, Refused> {
        if self.style != Style::Ours {
            return Err(Refused::Told {
                errno: Errno::ENOTTY,
                text: String::new(),
            });
        }
        if self.known.object.is_none() {
            self.send(&[self.look()], self.limits.reply)?;
            self.hear_look()?;
        }
        self.known.object.clone().unwrap_or(Err(Refused::Cut))
    }

    /// Asks once for the status, to see whether it is one that is known here.
    pub(crate) fn try_status(&mut self) -> Result<(), Foreign> {
        let request: &[u8] = match self.style {
            Style::Lines => b"S\n",
            Style::Letters | Style::Ours => b"S",
        };
        if self.send(&[request], self.limits.reply).is_err() {
            return Ok(());
        }
        match self.answer_status() {
            Err(Some(foreign)) => Err(foreign),
            // What else is wrong shows when it is asked again.
            Ok(_) | Err(None) => Ok(()),
        }
    }

    /// What goes out behind every request, so that its answers are here when they are wanted: at 200 ms a way, each
    /// question that waits for the answer before costs as much as the record.
    fn look(&self) -> &'static [u8] {
        match self.style {
            Style::Lines => b"S\n",
            Style::Letters => b"S",
            Style::Ours => b"SsP",
        }
    }

    fn hear_look(&mut self) -> Result<(), Refused> {
        let status = match self.answer_status() {
            Ok(status) => status,
            Err(Some(foreign)) => return Err(self.nonsense(foreign.0)),
            Err(None) => return Err(Refused::Cut),
        };
        self.known.status = Some(status);
        if self.style == Style::Ours {
            let object = match self.answer() {
                Ok(number) => match u64::try_from(number) {
                    Ok(object) => Ok(object),
                    Err(_) => return Err(self.nonsense(format!("object {number}"))),
                },
                Err(Refused::Cut) => return Err(Refused::Cut),
                Err(told) => Err(told),
            };
            self.known.object = Some(object);
        }
        Ok(())
    }

    /// The answer to `S`; fails without a connection, or with what nobody here understands.
    fn answer_status(&mut self) -> Result<Result<MtGet, Refused>, Option<Foreign>> {
        let length = match self.answer() {
            Ok(length) => length,
            Err(Refused::Cut) => return Err(None),
            Err(told) => return Ok(Err(told)),
        };
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= MAX_STATUS_BYTES);
        let Some(length) = length else {
            self.nonsense("a status of absurd length".to_owned());
            return Err(None);
        };
        let mut bytes = vec![0; length];
        if let Err(error) = self.channel.exact(&mut bytes) {
            self.lost(NoReply::Cut(error));
            return Err(None);
        }
        match decode_status(&bytes) {
            Some(status) => Ok(Ok(status)),
            None => Err(Some(Foreign(format!(
                "a status of {length} bytes, {}",
                reply::shown(&bytes)
            )))),
        }
    }

    fn ask(&mut self, request: &[u8], patience: Duration) -> Result<i64, Refused> {
        self.send(&[request], patience)?;
        self.answer()
    }

    /// Sends all parts, as one piece where the system takes it so. What was known of the tape is old then.
    fn send(&mut self, parts: &[&[u8]], patience: Duration) -> Result<(), Refused> {
        if self.cut.is_some() {
            return Err(Refused::Cut);
        }
        if self.channel.has_waiting() {
            return Err(self.nonsense("more than it was asked for".to_owned()));
        }
        self.known = Known::default();
        let channel = self.channel.source();
        let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let sent = channel
            .set_patience(patience)
            .and_then(|()| write_all(channel, &mut slices));
        sent.map_err(|error| self.lost(NoReply::Cut(error)))
    }

    fn answer(&mut self) -> Result<i64, Refused> {
        if self.cut.is_some() {
            return Err(Refused::Cut);
        }
        match reply::next(&mut self.channel) {
            Ok(Reply::Done(number)) => Ok(number),
            Ok(Reply::Failed { number, text }) => Err(told(number, text)),
            Ok(Reply::Lost { number, text }) => {
                self.open = false;
                Err(told(number, text))
            }
            Err(no_reply) => Err(self.lost(no_reply)),
        }
    }

    fn nonsense(&mut self, got: String) -> Refused {
        self.lost(NoReply::Nonsense(got))
    }

    /// Ends the connection: nothing that comes now can be told from anything else.
    fn lost(&mut self, why: NoReply) -> Refused {
        if self.cut.is_none() {
            let ending = match why {
                NoReply::Nonsense(got) => Ending::Nonsense(got),
                NoReply::Cut(error) => {
                    let last_words = self.channel.source().last_words();
                    Ending::Broken(last_words.unwrap_or_else(|| match error.kind() {
                        std::io::ErrorKind::UnexpectedEof => "the server closed it".to_owned(),
                        _ => error.to_string(),
                    }))
                }
            };
            self.cut = Some(ending);
        }
        self.channel.source().cut();
        self.open = false;
        Refused::Cut
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // The other side closes it in any case; waiting for the answer lets it do so in order.
        self.close().ok();
    }
}

fn told(number: i32, text: String) -> Refused {
    Refused::Told {
        errno: from_remote(number, &text),
        text,
    }
}

fn write_all(to: &mut Channel, mut slices: &mut [IoSlice<'_>]) -> std::io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match to.write_vectored(slices) {
            Ok(0) => return Err(std::io::ErrorKind::WriteZero.into()),
            Ok(sent) => IoSlice::advance_slices(&mut slices, sent),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Operations that may go over the whole tape.
fn is_long(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::ForwardFilemarks
            | Operation::BackFilemarks
            | Operation::ForwardBlocks
            | Operation::BackBlocks
            | Operation::ForwardFilemarksBefore
            | Operation::BackFilemarksAfter
            | Operation::ForwardSetmarks
            | Operation::BackSetmarks
            | Operation::Rewind
            | Operation::Offline
            | Operation::Retension
            | Operation::EndOfData
            | Operation::Erase
            | Operation::Seek
            | Operation::Load
            | Operation::Unload
            | Operation::SetPartition
            | Operation::MakePartitions
    )
}

/// `mt_type` of Linux for a SCSI tape.
const TYPE_SCSI2: u8 = 0x72;

/// `struct mtget` of Linux: of 64 or 32 bits, of either byte order.
fn decode_status(bytes: &[u8]) -> Option<MtGet> {
    let (width, field) = match bytes.len() {
        48 => (Width::Bits64, 8),
        28 => (Width::Bits32, 4),
        _ => return None,
    };
    let little = |bytes: &[u8]| bytes.first() == Some(&TYPE_SCSI2) && bytes.get(1) == Some(&0);
    if little(bytes) {
        return MtGet::decode(bytes, width).ok();
    }
    // Five fields as wide as a `long`, then two of 4 bytes.
    let (wide, narrow) = bytes.split_at_checked(5 * field)?;
    let swapped: Vec<u8> = wide
        .chunks(field)
        .chain(narrow.chunks(4))
        .flat_map(|field| field.iter().rev().copied())
        .collect();
    little(&swapped).then(|| MtGet::decode(&swapped, width).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use pseudotape_mtio::GeneralStatus;

    #[test]
    fn a_status_of_linux_is_read_whatever_the_machine() {
        let status = MtGet {
            residual: 1,
            block_size: 512,
            density: 0x58,
            general: GeneralStatus::ONLINE | GeneralStatus::EOF,
            recovered_errors: 0,
            file: 3,
            block: -1,
        };
        for (width, field) in [(Width::Bits64, 8), (Width::Bits32, 4)] {
            let mut little = Vec::new();
            status.encode(width, &mut little);
            assert_eq!(decode_status(&little), Some(status));
            let big: Vec<u8> = little[..5 * field]
                .chunks(field)
                .chain(little[5 * field..].chunks(4))
                .flat_map(|field| field.iter().rev().copied())
                .collect();
            assert_eq!(decode_status(&big), Some(status));
        }
        // FreeBSD, NetBSD, Solaris: other lengths, or another type.
        for foreign in [
            vec![0; 48],
            vec![7; 28],
            vec![0x72; 32],
            vec![0; 16],
            Vec::new(),
        ] {
            assert_eq!(decode_status(&foreign), None);
        }
    }
}
