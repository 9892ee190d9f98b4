//! `SG_IO` on a node. All `unsafe` code of this crate is here.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use pseudotape_scsi::{Reply, Sense, Status};

use crate::sg_changer::Initiator;

/// `struct sg_io_hdr` of `scsi/sg.h`.
#[repr(C)]
struct Header {
    interface_id: libc::c_int,
    direction: libc::c_int,
    cdb_bytes: libc::c_uchar,
    sense_room: libc::c_uchar,
    pieces: libc::c_ushort,
    data_bytes: libc::c_uint,
    data: *mut libc::c_void,
    cdb: *const libc::c_uchar,
    sense: *mut libc::c_uchar,
    timeout_ms: libc::c_uint,
    flags: libc::c_uint,
    pack_id: libc::c_int,
    user: *mut libc::c_void,
    status: libc::c_uchar,
    masked_status: libc::c_uchar,
    message_status: libc::c_uchar,
    sense_bytes: libc::c_uchar,
    host_status: libc::c_ushort,
    driver_status: libc::c_ushort,
    residual: libc::c_int,
    duration_ms: libc::c_uint,
    info: libc::c_uint,
}

nix::ioctl_readwrite_bad!(sg_io, 0x2285, Header);
nix::ioctl_read_bad!(sg_version, 0x2282, libc::c_int);

const DIRECTION_NONE: libc::c_int = -1;
const DIRECTION_FROM_DEVICE: libc::c_int = -3;
const SENSE_ROOM: u8 = 32;
/// The driver's status says that there is sense data.
const DRIVER_SENSE: u16 = 8;

/// A node that answers `SG_IO`.
#[derive(Debug)]
pub struct SgNode {
    path: PathBuf,
    /// `None` after a command without an end: a daemon that was started anew has another node of the same name.
    file: Option<File>,
}

impl SgNode {
    /// Opens the node, and sees whether it answers as the kernel's `sg` driver does.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(SgNode {
            path: path.to_owned(),
            file: Some(Self::opened(path)?),
        })
    }

    fn opened(path: &Path) -> io::Result<File> {
        let named = |error: io::Error| {
            let text = format!("{}: {error}", path.display());
            io::Error::new(error.kind(), text)
        };
        let file = File::options()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .map_err(named)?;
        let version = version(file.as_fd())
            .map_err(|errno| named(io::Error::other(format!("no SCSI device: {errno}"))))?;
        if version < 30_000 {
            let text = format!("version {version} of the sg driver is too old");
            return Err(named(io::Error::other(text)));
        }
        Ok(file)
    }
}

fn version(node: BorrowedFd<'_>) -> Result<libc::c_int, Errno> {
    let mut version = 0;
    // SAFETY: the descriptor is open as long as it is borrowed, and the request writes one int.
    unsafe { sg_version(node.as_raw_fd(), &raw mut version) }?;
    Ok(version)
}

impl Initiator for SgNode {
    fn execute(&mut self, cdb: &[u8], room: u32, patience: Duration) -> io::Result<Reply> {
        let length = usize::try_from(room).map_err(io::Error::other)?;
        let cdb_bytes = u8::try_from(cdb.len()).map_err(io::Error::other)?;
        let (mut data, mut sense) = (vec![0_u8; length], [0_u8; SENSE_ROOM as usize]);
        let mut header = Header {
            interface_id: libc::c_int::from(b'S'),
            direction: match room {
                0 => DIRECTION_NONE,
                _ => DIRECTION_FROM_DEVICE,
            },
            cdb_bytes,
            sense_room: SENSE_ROOM,
            pieces: 0,
            data_bytes: room,
            data: data.as_mut_ptr().cast(),
            cdb: cdb.as_ptr(),
            sense: sense.as_mut_ptr(),
            timeout_ms: u32::try_from(patience.as_millis()).unwrap_or(u32::MAX),
            flags: 0,
            pack_id: 0,
            user: std::ptr::null_mut(),
            status: 0,
            masked_status: 0,
            message_status: 0,
            sense_bytes: 0,
            host_status: 0,
            driver_status: 0,
            residual: 0,
            duration_ms: 0,
            info: 0,
        };
        let file = match self.file.take() {
            Some(file) => file,
            None => Self::opened(&self.path)?,
        };
        // SAFETY: the descriptor is open as long as `file` is. The header and all that it points to live until the
        // call has returned; their lengths in it are those of the buffers, and the command is only read.
        unsafe { sg_io(file.as_raw_fd(), &raw mut header) }.map_err(io::Error::from)?;
        self.file = Some(file);
        if header.host_status != 0 || header.driver_status & !DRIVER_SENSE != 0 {
            return Err(io::Error::other(format!(
                "the host adapter failed: host status {:#x}, driver status {:#x}",
                header.host_status, header.driver_status
            )));
        }
        let left = usize::try_from(header.residual).unwrap_or(0);
        data.truncate(length.saturating_sub(left));
        let told = sense.get(..usize::from(header.sense_bytes));
        Ok(Reply {
            status: Status::from_byte(header.status),
            sense: told.filter(|told| !told.is_empty()).and_then(Sense::decode),
            data,
        })
    }
}
