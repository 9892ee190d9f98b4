//! `struct sg_io_hdr` of 64- and 32-bit callers, byte by byte.

use pseudotape_chardev::{Area, Errno, IoctlRequest, WordSize};
use pseudotape_scsi::{Reply, Status};

/// Longest CDB without a length of its own, with room for vendors' longer ones.
const CDB_MAX_BYTES: u8 = 32;
/// Shortest CDB.
const CDB_MIN_BYTES: u8 = 6;
const EMSGSIZE: Errno = Errno(90);

/// Which way data go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    None,
    ToDevice,
    FromDevice,
}

/// What `SG_IO` is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) direction: Direction,
    pub(super) cdb: u64,
    pub(super) cdb_bytes: u8,
    /// Where the data are, or the list of the pieces that they are in.
    pub(super) data: u64,
    pub(super) data_bytes: u32,
    /// How many pieces there are; 0: the data are in one piece, and there is no list.
    pub(super) pieces: u16,
    pub(super) sense: u64,
    pub(super) sense_bytes: u8,
}

/// Where the fields are, whose places depend on how wide the caller's pointers are.
struct Places {
    size: usize,
    data: usize,
    cdb: usize,
    sense: usize,
    flags: usize,
    status: usize,
    host_status: usize,
    residual: usize,
    info: usize,
}

const INTERFACE: usize = 0;
const DIRECTION: usize = 4;
const CDB_LENGTH: usize = 8;
const SENSE_LENGTH: usize = 9;
const LIST_COUNT: usize = 10;
const DATA_LENGTH: usize = 12;

const BITS_64: Places = Places {
    size: 88,
    data: 16,
    cdb: 24,
    sense: 32,
    flags: 44,
    status: 64,
    host_status: 68,
    residual: 72,
    info: 80,
};

const BITS_32: Places = Places {
    size: 64,
    data: 16,
    cdb: 20,
    sense: 24,
    flags: 32,
    status: 44,
    host_status: 48,
    residual: 52,
    info: 60,
};

/// Most pieces of a list (`UIO_MAXIOV`).
const PIECES_MAX: u16 = 1024;

/// The driver saw sense data.
const DRIVER_SENSE: u16 = 8;
/// Something is to be looked at.
const INFO_CHECK: u32 = 1;
const FLAG_MMAP_IO: u32 = 4;

fn places(word_size: WordSize) -> &'static Places {
    match word_size {
        WordSize::Bits64 => &BITS_64,
        WordSize::Bits32 => &BITS_32,
    }
}

/// A field of a header that is as long as its places say.
fn field<const N: usize>(header: &[u8], at: usize) -> Result<[u8; N], Errno> {
    let bytes = header.get(at..).and_then(|rest| rest.first_chunk());
    bytes.copied().ok_or(Errno::EINVAL)
}

fn pointer(header: &[u8], at: usize, word_size: WordSize) -> Result<u64, Errno> {
    Ok(match word_size {
        WordSize::Bits64 => u64::from_le_bytes(field(header, at)?),
        WordSize::Bits32 => u32::from_le_bytes(field(header, at)?).into(),
    })
}

impl Header {
    /// Length of the structure.
    pub(super) fn bytes(word_size: WordSize) -> u32 {
        match word_size {
            WordSize::Bits64 => 88,
            WordSize::Bits32 => 64,
        }
    }

    /// What the header asks; what `sg` refuses is refused.
    pub(super) fn decode(bytes: &[u8], word_size: WordSize) -> Result<Self, Errno> {
        const INTERFACE_ID: u32 = b'S' as u32;
        let places = places(word_size);
        let header = bytes.get(..places.size).ok_or(Errno::EINVAL)?;
        if u32::from_le_bytes(field(header, INTERFACE)?) != INTERFACE_ID {
            return Err(Errno::ENOSYS);
        }
        let direction = match i32::from_le_bytes(field(header, DIRECTION)?) {
            -1 => Direction::None,
            -2 => Direction::ToDevice,
            // From the device, both ways, not known: what the device sends is taken.
            -5..=-3 => Direction::FromDevice,
            _ => return Err(Errno::EINVAL),
        };
        let [cdb_bytes] = field(header, CDB_LENGTH)?;
        if !(CDB_MIN_BYTES..=CDB_MAX_BYTES).contains(&cdb_bytes) {
            return Err(EMSGSIZE);
        }
        let [sense_bytes] = field(header, SENSE_LENGTH)?;
        let flags = u32::from_le_bytes(field(header, places.flags)?);
        let lists = u16::from_le_bytes(field(header, LIST_COUNT)?);
        // There is no memory of the driver to be mapped.
        if lists > PIECES_MAX || flags & FLAG_MMAP_IO != 0 {
            return Err(Errno::EINVAL);
        }
        let data_bytes = match direction {
            Direction::None => 0,
            Direction::ToDevice | Direction::FromDevice => {
                u32::from_le_bytes(field(header, DATA_LENGTH)?)
            }
        };
        let sense = pointer(header, places.sense, word_size)?;
        Ok(Header {
            direction,
            cdb: pointer(header, places.cdb, word_size)?,
            cdb_bytes,
            data: pointer(header, places.data, word_size)?,
            data_bytes,
            // Without data nobody looks at the list.
            pieces: if data_bytes == 0 { 0 } else { lists },
            sense,
            sense_bytes: if sense == 0 { 0 } else { sense_bytes },
        })
    }

    /// Length of the list of pieces.
    pub(super) fn list_bytes(&self, word_size: WordSize) -> u32 {
        let width = match word_size {
            WordSize::Bits64 => 16,
            WordSize::Bits32 => 8,
        };
        u32::from(self.pieces) * width
    }

    /// The memory of the data: the list, which is `struct iovec` by `struct iovec`, up to the length of the data. The
    /// shorter one of both counts.
    pub(super) fn areas(&self, list: &[u8], word_size: WordSize) -> Result<Vec<Area>, Errno> {
        if self.pieces == 0 {
            return Ok(vec![Area {
                address: self.data,
                length_bytes: self.data_bytes,
            }]);
        }
        let width = match word_size {
            WordSize::Bits64 => 8,
            WordSize::Bits32 => 4,
        };
        let mut left = self.data_bytes;
        let mut areas = Vec::with_capacity(self.pieces.into());
        for piece in list.chunks_exact(2 * width) {
            let address = pointer(piece, 0, word_size)?;
            let length = pointer(piece, width, word_size)?;
            let negative = match word_size {
                WordSize::Bits64 => length > i64::MAX as u64,
                WordSize::Bits32 => length > i32::MAX as u64,
            };
            if negative {
                return Err(Errno::EINVAL);
            }
            let length_bytes = left.min(u32::try_from(length).unwrap_or(u32::MAX));
            left -= length_bytes;
            areas.push(Area {
                address,
                length_bytes,
            });
        }
        // A list of nothing is no place for data.
        match left == self.data_bytes {
            true => Err(Errno::EINVAL),
            false => Ok(areas),
        }
    }

    /// The header as it came, with what became of the command.
    pub(super) fn encode_result(
        &self,
        request: IoctlRequest<'_>,
        reply: &Reply,
        sense_bytes: usize,
        residual: usize,
        output: &mut Vec<u8>,
    ) {
        let places = places(request.word_size);
        let mut header = request
            .input
            .get(..places.size)
            .unwrap_or_default()
            .to_vec();
        let status = reply.status.byte();
        let (driver, info) = match reply.status {
            Status::Good => (0, 0),
            _ if sense_bytes > 0 => (DRIVER_SENSE, INFO_CHECK),
            _ => (0, INFO_CHECK),
        };
        let told = u8::try_from(sense_bytes).unwrap_or(u8::MAX);
        let residual = i32::try_from(residual).unwrap_or(i32::MAX);
        let mut put = |at: usize, bytes: &[u8]| {
            if let Some(field) = header.get_mut(at..at + bytes.len()) {
                field.copy_from_slice(bytes);
            }
        };
        put(places.status, &[status, status >> 1 & 0x1f, 0, told]);
        put(places.host_status, &0_u16.to_le_bytes());
        put(places.host_status + 2, &driver.to_le_bytes());
        put(places.residual, &residual.to_le_bytes());
        put(places.residual + 4, &0_u32.to_le_bytes());
        put(places.info, &info.to_le_bytes());
        output.extend_from_slice(&header);
    }
}
