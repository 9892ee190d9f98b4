//! The node of a changer: SCSI commands by `SG_IO`, and the requests of the kernel's `ch` driver.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pseudotape_changer::Changer;
use pseudotape_chardev::{
    CallTrouble, Caller, CharDevice, Errno, Handle, IoctlAreas, IoctlRequest, Opened, Told,
    Unmeasured,
};
use pseudotape_scsi::{ChangerUnit, DeviceType, Nexus, Reply};

use crate::chio;
use crate::sg::{self, Sg};

/// Every program of this machine is one initiator, as it is for a changer behind a host adapter.
const HOST: Nexus = Nexus(0);

/// Whoever has a changer, and lends it for one command.
pub trait LendsChanger: Send + Sync {
    /// Calls `act` once with the changer, when nobody else has it.
    fn lend(&self, act: &mut dyn FnMut(&mut dyn Changer));
}

/// The node `pmch0` and so on.
pub struct ChangerNode {
    name: String,
    owner: Arc<dyn LendsChanger>,
    unit: Mutex<ChangerUnit>,
    sg: Sg,
    next_handle: AtomicU64,
}

impl ChangerNode {
    /// The node of that name and number.
    #[must_use]
    pub fn new(name: String, number: u32, owner: Arc<dyn LendsChanger>) -> Self {
        ChangerNode {
            name,
            owner,
            unit: Mutex::default(),
            sg: Sg::new(DeviceType::Changer, number),
            next_handle: AtomicU64::new(1),
        }
    }

    fn execute(&self, cdb: &[u8]) -> Reply {
        let mut unit = self.unit.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reply = Reply::default();
        self.owner
            .lend(&mut |changer| reply = unit.execute(HOST, cdb, changer));
        if let Some(sense) = reply.sense {
            log::debug!("{}: {cdb:02x?}: {sense}", self.name);
        }
        reply
    }
}

impl CharDevice for ChangerNode {
    fn open(&self, _flags: u32, _caller: Caller) -> Result<Opened, Errno> {
        let handle = self.next_handle.fetch_add(1, Ordering::Relaxed);
        Ok(Opened::Open(Handle(handle)))
    }

    fn open_again(&self, handle: Handle) -> Result<Opened, Errno> {
        Ok(Opened::Open(handle))
    }

    fn abandon_open(&self, _handle: Handle) -> Errno {
        Errno::EINTR
    }

    fn read(&self, _handle: Handle, _buffer: &mut [u8]) -> Result<usize, Errno> {
        Err(Errno::EINVAL)
    }

    fn check_write(&self, _handle: Handle, _length_bytes: usize) -> Result<usize, Errno> {
        Err(Errno::EINVAL)
    }

    fn write(&self, _handle: Handle, _data: &[u8]) -> Result<usize, Errno> {
        Err(Errno::EINVAL)
    }

    fn extend(&self, _handle: Handle, _data: &[u8]) -> Result<usize, Errno> {
        Err(Errno::EINVAL)
    }

    fn unmeasured(&self, _handle: Handle) -> Unmeasured {
        Unmeasured::Stream { block_bytes: 1 }
    }

    fn note(&self, _handle: Handle, trouble: CallTrouble, _told: Told) {
        log::debug!("{}: {trouble}", self.name);
    }

    fn ioctl(
        &self,
        _handle: Handle,
        request: IoctlRequest<'_>,
        output: &mut Vec<u8>,
    ) -> Result<i32, Errno> {
        if sg::is_request(request.command) {
            return self
                .sg
                .answer(request, output, |cdb, _data| Ok(self.execute(cdb)));
        }
        if chio::is_request(request.command) {
            let mut execute =
                |command: &pseudotape_scsi::ChangerCommand| self.execute(&command.encode());
            return chio::answer(request, output, &mut execute);
        }
        Err(Errno(libc::ENOTTY))
    }

    fn ioctl_areas(&self, request: IoctlRequest<'_>) -> Result<IoctlAreas, Errno> {
        if let Some(areas) = sg::areas(request) {
            return areas;
        }
        let mut execute =
            |command: &pseudotape_scsi::ChangerCommand| self.execute(&command.encode());
        chio::areas(request, &mut execute)
    }

    fn flush(&self, _handle: Handle) -> Result<(), Errno> {
        Ok(())
    }

    fn close(&self, _handle: Handle) -> Result<(), Errno> {
        Ok(())
    }

    fn max_transfer_bytes(&self) -> usize {
        // Nothing is read or written; a call of any length is refused by `read` and `write`.
        usize::MAX
    }

    fn waits_for_others(&self) -> bool {
        false
    }
}
