//! SCSI commands by `ioctl`: what the kernel's `sg` driver answers (`scsi/sg.h`), and which memory of the caller each
//! request needs.
//!
//! `SG_IO` points to a header, which points to a command, its data and a place for sense data. The kernel asks a node
//! with unrestricted ioctls several times until all of it is there: with nothing, with the header, with the list of
//! pieces of memory where the header has one, and with everything. The program can change its memory meanwhile. So
//! nothing is kept between these rounds, and the last one checks every length again.

use std::sync::atomic::{AtomicU32, Ordering};

use pseudotape_chardev::{Area, Errno, IoctlAreas, IoctlRequest, WordSize};
use pseudotape_scsi::{DeviceType, Reply, SenseFormat, Status};

use header::{Direction, Header};

mod header;

/// What a request number asks of `sg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    SetTimeout,
    GetTimeout,
    EmulatedHost,
    GetReservedSize,
    SetReservedSize,
    ScsiId,
    TableSize,
    Version,
    Io,
    IdLun,
    BusNumber,
    Reset,
}

/// `sg_version_num` of the kernels whose `sg` is copied here: 3.5.36.
const VERSION: u32 = 30_536;
/// What one `SG_IO` can move: the kernel hands a CUSE node 32 pages, header and sense data among them.
const RESERVED_BYTES: u32 = 124 << 10;
/// Most pieces of memory of one command.
const TABLE_SIZE: u32 = 32;
/// 60 seconds in the kernel's ticks.
const DEFAULT_TIMEOUT: u32 = 6000;

impl Request {
    fn of(command: u32) -> Option<Self> {
        Some(match command {
            0x2201 => Request::SetTimeout,
            0x2202 => Request::GetTimeout,
            0x2203 => Request::EmulatedHost,
            0x2272 => Request::GetReservedSize,
            0x2275 => Request::SetReservedSize,
            0x2276 => Request::ScsiId,
            0x227f => Request::TableSize,
            0x2282 => Request::Version,
            0x2284 => Request::Reset,
            0x2285 => Request::Io,
            0x5382 => Request::IdLun,
            0x5386 => Request::BusNumber,
            _ => return None,
        })
    }

    /// How many bytes are read, and how many written, where the argument points. Of `SG_IO` this is the header.
    fn sizes(self, word_size: WordSize) -> (u32, u32) {
        match self {
            Request::SetTimeout | Request::SetReservedSize | Request::Reset => (4, 0),
            Request::GetTimeout => (0, 0),
            Request::EmulatedHost
            | Request::GetReservedSize
            | Request::TableSize
            | Request::Version
            | Request::BusNumber => (0, 4),
            Request::IdLun => (0, 8),
            Request::ScsiId => (0, 32),
            Request::Io => (Header::bytes(word_size), 0),
        }
    }
}

/// Whether this is a request of `sg`.
pub(crate) fn is_request(command: u32) -> bool {
    Request::of(command).is_some()
}

/// Whether this is `SG_IO`.
pub(crate) fn is_command(command: u32) -> bool {
    Request::of(command) == Some(Request::Io)
}

/// Which of the caller's memory a request needs; `None`: it is none of `sg`.
pub(crate) fn areas(request: IoctlRequest<'_>) -> Option<Result<IoctlAreas, Errno>> {
    let what = Request::of(request.command)?;
    let (input, output) = what.sizes(request.word_size);
    if what == Request::Io && !request.input.is_empty() {
        let header = Header::decode(request.input, request.word_size);
        return Some(header.and_then(|header| areas_of_command(&header, request, input)));
    }
    let area = |length_bytes| {
        let area = Area {
            address: request.argument,
            length_bytes,
        };
        if length_bytes == 0 {
            Vec::new()
        } else {
            vec![area]
        }
    };
    Some(Ok(IoctlAreas {
        input: area(input),
        output: area(output),
    }))
}

/// In: header, list of pieces, CDB, data of the caller. Out: header, sense data, data for the caller, who may get less.
fn areas_of_command(
    header: &Header,
    request: IoctlRequest<'_>,
    bytes: u32,
) -> Result<IoctlAreas, Errno> {
    let area = |address, length_bytes| Area {
        address,
        length_bytes,
    };
    let whole = area(request.argument, bytes);
    let list = area(header.data, header.list_bytes(request.word_size));
    let list_end = (bytes + list.length_bytes) as usize;
    let Some(pieces) = request.input.get(bytes as usize..list_end) else {
        // The list comes first: it says where the data are.
        return Ok(IoctlAreas {
            input: vec![whole, list],
            output: Vec::new(),
        });
    };
    let data = header.areas(pieces, request.word_size)?;
    let mut input = vec![whole, list, area(header.cdb, header.cdb_bytes.into())];
    let mut output = vec![whole, area(header.sense, header.sense_bytes.into())];
    match header.direction {
        Direction::None => {}
        Direction::ToDevice => input.extend(data),
        Direction::FromDevice => output.extend(data),
    }
    for areas in [&mut input, &mut output] {
        areas.retain(|area| area.length_bytes > 0);
    }
    Ok(IoctlAreas { input, output })
}

/// Whether this is `SG_SCSI_RESET`.
pub(crate) fn is_reset(command: u32) -> bool {
    Request::of(command) == Some(Request::Reset)
}

/// `SG_SCSI_RESET`: of the unit, of its target, of the bus or of the host, which are all one here.
pub(crate) fn reset(
    request: IoctlRequest<'_>,
    act: impl FnOnce() -> Result<(), Errno>,
) -> Result<i32, Errno> {
    const EACCES: Errno = Errno(libc::EACCES);
    const NOTHING: i32 = 0;
    const HIGHEST: i32 = 4;
    const NO_ESCALATION: i32 = 0x100;
    if request.caller.uid != 0 {
        return Err(EACCES);
    }
    let bytes = request.input.first_chunk().ok_or(Errno::EINVAL)?;
    match i32::from_le_bytes(*bytes) & !NO_ESCALATION {
        NOTHING => Ok(0),
        1..=HIGHEST => act().map(|()| 0),
        _ => Err(Errno::EIO),
    }
}

/// What `sg` keeps for a node.
#[derive(Debug)]
pub(crate) struct Sg {
    device_type: DeviceType,
    /// Tells nodes apart to programs that list hosts and units.
    number: u32,
    timeout: AtomicU32,
}

impl Sg {
    pub(crate) fn new(device_type: DeviceType, number: u32) -> Self {
        Sg {
            device_type,
            number,
            timeout: AtomicU32::new(DEFAULT_TIMEOUT),
        }
    }

    /// Answers a request whose memory is there. `execute` gets the CDB of a command and the data that came with it.
    pub(crate) fn answer(
        &self,
        request: IoctlRequest<'_>,
        output: &mut Vec<u8>,
        execute: impl FnOnce(&[u8], &[u8]) -> Result<Reply, Errno>,
    ) -> Result<i32, Errno> {
        let what = Request::of(request.command).ok_or(Errno::EINVAL)?;
        let number = |output: &mut Vec<u8>, value: u32| {
            output.extend_from_slice(&value.to_le_bytes());
            Ok(0)
        };
        match what {
            Request::SetTimeout => {
                let bytes = request.input.first_chunk().ok_or(Errno::EINVAL)?;
                let ticks = i32::from_le_bytes(*bytes);
                let ticks = u32::try_from(ticks).map_err(|_| Errno::EIO)?;
                self.timeout.store(ticks, Ordering::Relaxed);
                Ok(0)
            }
            // The result of the call itself is the answer.
            Request::GetTimeout => {
                Ok(i32::try_from(self.timeout.load(Ordering::Relaxed)).unwrap_or(i32::MAX))
            }
            Request::EmulatedHost => number(output, 1),
            Request::GetReservedSize => number(output, RESERVED_BYTES),
            // The room is what the kernel gives a CUSE node, whatever a program asks for.
            Request::SetReservedSize => Ok(0),
            Request::TableSize => number(output, TABLE_SIZE),
            Request::Version => number(output, VERSION),
            Request::BusNumber => number(output, self.number),
            Request::IdLun => {
                // Host, channel, unit and target in a byte each: this target is 0 of a host of its own.
                let host = self.number & 0xff;
                output.extend_from_slice(&(host << 24).to_le_bytes());
                number(output, self.number)
            }
            Request::ScsiId => {
                self.encode_id(output);
                Ok(0)
            }
            Request::Io => io(request, output, execute),
            // The node's owner does it: see `reset`.
            Request::Reset => Err(Errno::EIO),
        }
    }

    /// `struct sg_scsi_id`.
    fn encode_id(&self, output: &mut Vec<u8>) {
        let device_type = u32::from(self.device_type.code());
        for value in [self.number, 0, 0, 0, device_type] {
            output.extend_from_slice(&value.to_le_bytes());
        }
        // Commands at once for a unit, and the depth of its queue.
        for value in [1_u16, 1] {
            output.extend_from_slice(&value.to_le_bytes());
        }
        output.extend_from_slice(&[0; 8]);
    }
}

/// The last round of `SG_IO`: everything is there.
fn io(
    request: IoctlRequest<'_>,
    output: &mut Vec<u8>,
    execute: impl FnOnce(&[u8], &[u8]) -> Result<Reply, Errno>,
) -> Result<i32, Errno> {
    let header = Header::decode(request.input, request.word_size)?;
    let size = Header::bytes(request.word_size) as usize;
    let list_end = size + header.list_bytes(request.word_size) as usize;
    let list = request.input.get(size..list_end).ok_or(Errno::EINVAL)?;
    let rest = request.input.get(list_end..).unwrap_or_default();
    let places = header.areas(list, request.word_size)?;
    let room = places.iter().map(|area| area.length_bytes as usize).sum();
    let data_bytes = match header.direction {
        Direction::ToDevice => room,
        Direction::None | Direction::FromDevice => 0,
    };
    let (Some(cdb), Some(data)) = (
        rest.get(..header.cdb_bytes.into()),
        rest.get(header.cdb_bytes.into()..),
    ) else {
        return Err(Errno::EINVAL);
    };
    // The program may have changed its header since the round that asked for these bytes.
    if data.len() != data_bytes {
        return Err(Errno::EINVAL);
    }
    let reply = execute(cdb, data)?;
    let sense = reply.sense.map(|sense| sense.encode(SenseFormat::Fixed));
    let sense = sense.unwrap_or_default();
    let told = sense.len().min(header.sense_bytes.into());
    let sent = match header.direction {
        Direction::FromDevice => reply.data.len().min(room),
        Direction::None | Direction::ToDevice => 0,
    };
    let left = match header.direction {
        Direction::FromDevice => room - sent,
        Direction::ToDevice if reply.status != Status::Good => room,
        Direction::None | Direction::ToDevice => 0,
    };
    header.encode_result(request, &reply, told, left, output);
    output.extend_from_slice(sense.get(..told).unwrap_or_default());
    if sent > 0 {
        // The data lie behind the whole place for sense data.
        output.resize(size + usize::from(header.sense_bytes), 0);
        output.extend_from_slice(reply.data.get(..sent).unwrap_or_default());
    }
    Ok(0)
}
